/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ruleset.c and observe.c against a kernel of the test's own: answers that this machine's never gives (no owner
 * flag, no nf_tables, a table that vanished), and what is said then.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/sensor/ruleset.c"
#include "../../src/sensor/observe.c"

struct nft {
	char buf[65536];
	int answers[8];     /* of the batches to come */
	const char *labels[8];
	unsigned sent;
	uint32_t flags[8];  /* of the table in each batch, 0xffffffff: no table */
	unsigned n_delete;
	uint32_t last_type;
	struct nlmsghdr *table;
};

static struct nft kernel;

int
nft_open(struct nft **out, char *err, size_t size)
{
	(void)err;
	(void)size;
	*out = &kernel;
	return 0;
}

void
nft_close(struct nft *n)
{
	(void)n;
}

uint32_t
nft_portid(const struct nft *n)
{
	(void)n;
	return 1;
}

/* Looks at the table's message, whose payload is complete now. */
static void
look(struct nft *n)
{
	struct nftnl_table *t;

	if (!n->table)
		return;
	t = nftnl_table_alloc();
	assert_int_equal(nftnl_table_nlmsg_parse(n->table, t), 0);
	n->flags[n->sent] = nftnl_table_is_set(t, NFTNL_TABLE_FLAGS) ? nftnl_table_get_u32(t, NFTNL_TABLE_FLAGS) : 0;
	nftnl_table_free(t);
	n->table = NULL;
}

void
nft_begin(struct nft *n)
{
	n->flags[n->sent] = 0xffffffff;
}

struct nlmsghdr *
nft_next(struct nft *n, uint16_t type, uint16_t flags, const char *label, ...)
{
	struct nlmsghdr *h;

	(void)label;
	look(n);
	h = nftnl_nlmsg_build_hdr(n->buf, type, NFPROTO_INET, flags, 1);
	n->n_delete += type == NFT_MSG_DELTABLE;
	if (type == NFT_MSG_NEWTABLE)
		n->table = h;
	return h;
}

int
nft_send(struct nft *n, char *err, size_t size)
{
	int r = n->answers[n->sent];

	look(n);
	snprintf(err, size, "%s", r && n->labels[n->sent] ? n->labels[n->sent] : "");
	n->sent++;
	return r;
}

struct nlmsghdr *
nft_get(struct nft *n, uint16_t type, uint16_t flags)
{
	return nftnl_nlmsg_build_hdr(n->buf, type, NFPROTO_INET, flags, 1);
}

int
nft_dump(struct nft *n, struct nlmsghdr *h, int (*fn)(const struct nlmsghdr *, void *), void *arg)
{
	(void)h;
	(void)fn;
	(void)arg;
	return n->answers[n->sent++];
}

static const struct ruleset_spec spec = { .owner = 1, .classes = NG_CLASS_HANDSHAKE | NG_CLASS_ATTEMPT, .group = 100,
					  .limit = { 1, 1, 1, 1 }, .snaplen = { 128, 128, 128, 128 } };
static struct ruleset *rules;
static char err[512];

static int
setup(void **state)
{
	(void)state;
	memset(&kernel, 0, sizeof kernel);
	log_init("test", LOG_L_ERROR);
	return ruleset_open(&rules, err, sizeof err);
}

static int
install(void)
{
	err[0] = 0;
	return ruleset_install(rules, &spec, err, sizeof err);
}

static void
test_owner(void **state)
{
	(void)state;
	assert_int_equal(install(), 0);
	assert_int_equal(kernel.sent, 1);
	assert_int_equal(kernel.flags[0], NFT_TABLE_F_OWNER);
	/* Again: rules only, the table and its counters stay. */
	assert_int_equal(install(), 0);
	assert_int_equal(kernel.flags[1], 0xffffffff);
	assert_int_equal(kernel.n_delete, 1);
	ruleset_close(rules);
	assert_int_equal(kernel.n_delete, 2);
}

static void
test_old_kernel(void **state)
{
	static const int answers[] = { -EOPNOTSUPP, -EINVAL };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		setup(NULL);
		kernel.answers[0] = answers[i];
		assert_int_equal(install(), 0);
		assert_int_equal(kernel.sent, 2);
		assert_int_equal(kernel.flags[1], 0);
		/* Somebody removed the table: the next time makes it again. */
		kernel.answers[2] = -ENOENT;
		assert_int_equal(install(), 0);
		assert_int_equal(kernel.sent, 4);
		ruleset_close(rules); /* and it is removed at the end */
		assert_int_equal(kernel.sent, 5);
	}
}

static void
test_no_table_no_removal(void **state)
{
	(void)state;
	kernel.answers[0] = -EPERM;
	assert_int_equal(install(), -EPERM);
	assert_int_equal(ruleset_silence(rules), 0);
	ruleset_close(rules);
	assert_int_equal(kernel.sent, 1);
}

static void
test_messages(void **state)
{
	static const struct { int error, both; const char *label, *want; } cases[] = {
		{ -EPERM, 0, "table inet net_gazer", "CAP_NET_ADMIN; run as root" },
		{ -EOPNOTSUPP, 1, "", "modprobe nf_tables" },
		{ -EINVAL, 1, "chain forward", "cannot install rules: chain forward: Invalid argument" },
		{ -ENOENT, 0, "a rule in chain forward", "modprobe -a nft_log nft_limit nft_objref nft_ct nfnetlink_log" },
		{ -EACCES, 0, "set home4", "cannot install rules: set home4: Permission denied" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		setup(NULL);
		kernel.answers[0] = cases[i].error;
		kernel.answers[1] = cases[i].both ? cases[i].error : 0;
		kernel.labels[0] = kernel.labels[1] = cases[i].label;
		assert_int_equal(install(), cases[i].error);
		if (!strstr(err, cases[i].want))
			fail_msg("\"%s\" does not say \"%s\"", err, cases[i].want);
		assert_null(strchr(err, '\n'));
		ruleset_close(rules);
	}
}

static void
test_verify(void **state)
{
	struct observe_included seen;

	(void)state;
	assert_int_equal(observe_verify(ruleset_nft(rules), &spec, &seen, err, sizeof err), -ENOENT);
	assert_non_null(strstr(err, "nft -f "));
	kernel.sent = 0;
	kernel.answers[0] = -EPERM;
	assert_int_equal(observe_verify(ruleset_nft(rules), &spec, &seen, err, sizeof err), -EPERM);
	assert_non_null(strstr(err, "cannot read rules: Operation not permitted: no privilege"));
	ruleset_close(rules);
}

static void
test_counters(void **state)
{
	struct observe_counters c;

	(void)state;
	assert_int_equal(observe_counters(ruleset_nft(rules), &c), -ENOENT);
	memset(&kernel, 0, sizeof kernel);
	/* The rules change each time: it gives up. */
	for (int i = 0; i < 8; i++)
		kernel.answers[i] = -EINTR;
	assert_int_equal(observe_counters(ruleset_nft(rules), &c), -EINTR);
	assert_int_equal(kernel.sent, 5);
	ruleset_close(rules);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_owner, setup), cmocka_unit_test(test_old_kernel),
		cmocka_unit_test_setup(test_no_table_no_removal, setup), cmocka_unit_test(test_messages),
		cmocka_unit_test_setup(test_verify, setup), cmocka_unit_test_setup(test_counters, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
