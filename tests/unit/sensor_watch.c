/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watch.c with messages as the kernel sends them: whose transactions are told, and what of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/sensor/watch.c"

#define OWN 77

static int told;
static struct watch_change last;
static char buf[4096];

static void
on_change(void *arg, const struct watch_change *c)
{
	(void)arg;
	told++;
	last = *c;
}

static struct nlmsghdr *
message(int type, uint32_t port, int family)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *g;

	h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	h->nlmsg_pid = port;
	g = mnl_nlmsg_put_extra_header(h, sizeof *g);
	g->nfgen_family = (uint8_t)family;
	return h;
}

static void
change(struct watch *w, int type, uint32_t port, int family, const char *table)
{
	struct nlmsghdr *h = message(type, port, family);

	mnl_attr_put_strz(h, NFTA_RULE_TABLE, table);
	mnl_attr_put_strz(h, NFTA_RULE_CHAIN, "forward");
	on_message(w, h);
}

static void
generation(struct watch *w, uint32_t port, const char *name)
{
	struct nlmsghdr *h = message(NFT_MSG_NEWGEN, port, NFPROTO_UNSPEC);

	mnl_attr_put_u32(h, NFTA_GEN_ID, htonl(12));
	mnl_attr_put_u32(h, NFTA_GEN_PROC_PID, htonl(812));
	mnl_attr_put_strz(h, NFTA_GEN_PROC_NAME, name);
	on_message(w, h);
}

static void
test_told(void **state)
{
	struct watch w = { .own = OWN, .fn = on_change };

	(void)state;
	told = 0;
	change(&w, NFT_MSG_DELRULE, 812, NFPROTO_INET, CLASSES_TABLE);
	change(&w, NFT_MSG_DELTABLE, 812, NFPROTO_INET, CLASSES_TABLE);
	assert_int_equal(told, 0); /* the transaction is not over */
	generation(&w, 812, "nft");
	assert_int_equal(told, 1);
	assert_int_equal(last.pid, 812);
	assert_string_equal(last.name, "nft");
	assert_false(last.lost);
	/* The next one is another. */
	generation(&w, 813, "nft");
	assert_int_equal(told, 1);
}

static void
test_not_ours(void **state)
{
	struct watch w = { .own = OWN, .fn = on_change };

	(void)state;
	told = 0;
	change(&w, NFT_MSG_NEWRULE, OWN, NFPROTO_INET, CLASSES_TABLE);
	generation(&w, OWN, "net-gazer");
	change(&w, NFT_MSG_NEWSETELEM, 5, NFPROTO_INET, "fw4");
	generation(&w, 5, "nft");
	assert_int_equal(told, 0);
	/* Rules of others are another thing than ours. */
	change(&w, NFT_MSG_NEWRULE, 5, NFPROTO_INET, "fw4");
	change(&w, NFT_MSG_NEWRULE, 5, NFPROTO_INET, CLASSES_TABLE "2");
	change(&w, NFT_MSG_NEWRULE, 5, NFPROTO_INET, "net_gaze");
	change(&w, NFT_MSG_DELRULE, 5, NFPROTO_IPV4, CLASSES_TABLE);
	generation(&w, 5, "nft");
	assert_int_equal(told, 1);
	assert_true(last.others && !last.ours);
	change(&w, NFT_MSG_DELRULE, 5, NFPROTO_INET, "fw4");
	change(&w, NFT_MSG_NEWSETELEM, 5, NFPROTO_INET, CLASSES_TABLE);
	generation(&w, 5, "nft");
	assert_int_equal(told, 2);
	assert_true(last.others && last.ours);
}

/* A process's name is its own choice, and ends in our log. */
static void
test_names(void **state)
{
	struct watch w = { .own = OWN, .fn = on_change };

	(void)state;
	told = 0;
	change(&w, NFT_MSG_NEWRULE, 5, NFPROTO_INET, CLASSES_TABLE);
	generation(&w, 5, "a\033[2J b\nc");
	assert_string_equal(last.name, "a?[2J?b?c");
	change(&w, NFT_MSG_NEWRULE, 5, NFPROTO_INET, CLASSES_TABLE);
	generation(&w, 5, "a name that is much too long for a task");
	assert_string_equal(last.name, "a?name?that?is?m");
	assert_int_equal(told, 2);
}

/* Shorter than anything the kernel sends. */
static void
test_short(void **state)
{
	struct watch w = { .own = OWN, .fn = on_change };
	struct nlmsghdr *h = message(NFT_MSG_DELTABLE, 5, NFPROTO_INET);

	(void)state;
	told = 0;
	on_message(&w, h);
	h->nlmsg_len = NLMSG_HDRLEN + 1;
	on_message(&w, h);
	h = message(NFT_MSG_NEWGEN, 5, NFPROTO_UNSPEC);
	on_message(&w, h);
	assert_int_equal(told, 0);
	change(&w, NFT_MSG_NEWRULE, 5, NFPROTO_INET, CLASSES_TABLE);
	h = message(NFT_MSG_NEWGEN, 5, NFPROTO_UNSPEC);
	on_message(&w, h);
	assert_int_equal(told, 1); /* by whom it does not say */
	assert_int_equal(last.pid, 0);
	assert_string_equal(last.name, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_not_ours),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
