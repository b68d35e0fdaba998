/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * conntrack.c: what is asked, and what is made of the kernel's answer; it comes from here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/sensor/conntrack.c"

static struct conntrack ct;
static char answer[4096];

static struct nlmsghdr *
begin(void)
{
	struct nlmsghdr *h;

	memset(answer, 0, sizeof answer); /* old libmnl leaves padding as it is */
	h = mnl_nlmsg_put_header(answer);
	mnl_nlmsg_put_extra_header(h, sizeof(struct nfgenmsg));
	return h;
}

static void
put_tuple(struct nlmsghdr *h, uint16_t which, uint8_t ipv, const void *src, const void *dst, uint16_t sport,
	  uint16_t dport)
{
	struct nlattr *tuple = mnl_attr_nest_start(h, which), *part = mnl_attr_nest_start(h, CTA_TUPLE_IP);
	size_t size = ipv == 4 ? 4 : 16;

	mnl_attr_put(h, ipv == 4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, size, src);
	mnl_attr_put(h, ipv == 4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, size, dst);
	mnl_attr_nest_end(h, part);
	part = mnl_attr_nest_start(h, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(h, CTA_PROTO_NUM, IPPROTO_TCP);
	mnl_attr_put_u16(h, CTA_PROTO_SRC_PORT, htons(sport));
	mnl_attr_put_u16(h, CTA_PROTO_DST_PORT, htons(dport));
	mnl_attr_nest_end(h, part);
	mnl_attr_nest_end(h, tuple);
}

static void
put_state(struct nlmsghdr *h, uint8_t state)
{
	struct nlattr *info = mnl_attr_nest_start(h, CTA_PROTOINFO), *tcp = mnl_attr_nest_start(h, CTA_PROTOINFO_TCP);

	mnl_attr_put_u8(h, CTA_PROTOINFO_TCP_STATE, state);
	mnl_attr_nest_end(h, tcp);
	mnl_attr_nest_end(h, info);
}

static const uint8_t lan[4] = { 192, 168, 1, 2 }, wan[4] = { 203, 0, 113, 1 }, far[4] = { 20, 1, 2, 3 };

static struct nlmsghdr *
translated(uint8_t state)
{
	struct nlmsghdr *h = begin();

	put_tuple(h, CTA_TUPLE_ORIG, 4, lan, far, 40000, 443);
	put_tuple(h, CTA_TUPLE_REPLY, 4, far, wan, 443, 50000);
	put_state(h, state);
	return h;
}

static void
test_answer(void **state)
{
	const struct prober_tuple original = { .ipv = 4 };
	struct prober_tuple out;

	(void)state;
	memset(&out, 0xff, sizeof out);
	assert_int_equal(read_entry(translated(TCP_CONNTRACK_ESTABLISHED), &original, &out), 1);
	assert_int_equal(out.ipv, 4);
	assert_memory_equal(out.src, wan, 4);
	assert_memory_equal(out.dst, far, 4);
	assert_memory_equal(out.src + 4, "\0\0\0\0\0\0\0\0\0\0\0", 12);
	assert_int_equal(out.sport, 50000);
	assert_int_equal(out.dport, 443);
	assert_int_equal(out.pad + out.pad2, 0);
}

static void
test_not_established(void **state)
{
	const struct prober_tuple original = { .ipv = 4 };
	struct prober_tuple out;

	(void)state;
	for (uint8_t s = 0; s < 20; s++) {
		if (s != TCP_CONNTRACK_ESTABLISHED)
			assert_int_equal(read_entry(translated(s), &original, &out), 0);
	}
}

/* Parts that are missing, of another size, or of another family. */
static void
test_incomplete(void **state)
{
	struct prober_tuple original = { .ipv = 4 }, out;
	const uint8_t six[16] = { 0x20, 1 };
	struct nlmsghdr *h = begin();

	(void)state;
	assert_int_equal(read_entry(h, &original, &out), 0);
	put_tuple(h, CTA_TUPLE_REPLY, 4, far, wan, 443, 50000);
	assert_int_equal(read_entry(h, &original, &out), 0);
	h = begin();
	put_state(h, TCP_CONNTRACK_ESTABLISHED);
	assert_int_equal(read_entry(h, &original, &out), 0);
	h = begin();
	put_tuple(h, CTA_TUPLE_REPLY, 6, six, six, 1, 2);
	put_state(h, TCP_CONNTRACK_ESTABLISHED);
	assert_int_equal(read_entry(h, &original, &out), 0);
	original.ipv = 6;
	assert_int_equal(read_entry(h, &original, &out), 1);
	assert_memory_equal(out.dst, six, 16);
	assert_int_equal(read_entry(translated(TCP_CONNTRACK_ESTABLISHED), &original, &out), 0);
	original.ipv = 4;
	/* Cut at every byte, the padding of the last attribute aside. */
	h = translated(TCP_CONNTRACK_ESTABLISHED);
	for (uint32_t n = h->nlmsg_len - 3; n-- > MNL_NLMSG_HDRLEN + sizeof(struct nfgenmsg);) {
		h->nlmsg_len = n;
		assert_int_equal(read_entry(h, &original, &out), 0);
	}
}

/* The question is what the kernel would dump of the connection. */
static void
test_question(void **state)
{
	const struct prober_tuple original = { .ipv = 4, .sport = 40000, .dport = 443, .src = { 192, 168, 1, 2 },
					       .dst = { 20, 1, 2, 3 } };
	struct nlmsghdr *want = begin();
	const struct nlmsghdr *h = (const void *)ct.buf;
	const struct nfgenmsg *g;

	(void)state;
	put_tuple(want, CTA_TUPLE_ORIG, 4, lan, far, 40000, 443);
	put_question(&ct, &original);
	g = mnl_nlmsg_get_payload(h);
	assert_int_equal(h->nlmsg_type, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET);
	assert_int_equal(h->nlmsg_flags, NLM_F_REQUEST);
	assert_int_equal(g->nfgen_family, AF_INET);
	assert_int_equal(h->nlmsg_len, want->nlmsg_len);
	assert_memory_equal(mnl_nlmsg_get_payload_offset(h, sizeof *g), mnl_nlmsg_get_payload_offset(want, sizeof *g),
			    h->nlmsg_len - MNL_NLMSG_HDRLEN - sizeof *g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer), cmocka_unit_test(test_not_established),
		cmocka_unit_test(test_incomplete), cmocka_unit_test(test_question),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
