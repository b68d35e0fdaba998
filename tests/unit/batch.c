/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Netlink datagrams as the kernel sends them, written by libmnl, read by batch.c at the edge of an
 * unreadable page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <endian.h>
#include <libmnl/libmnl.h>

#include "../../src/analyzer/batch.c"
#include "guard.h"

static uint8_t buf[64 * 1024];
static size_t used;

static void
begin(void)
{
	memset(buf, 0, sizeof buf);
	used = 0;
}

static struct nlmsghdr *
message(uint16_t type, uint8_t family, uint16_t group)
{
	struct nlmsghdr *nh = mnl_nlmsg_put_header(buf + used);
	struct nfgenmsg *nfg;

	nh->nlmsg_type = type;
	nfg = mnl_nlmsg_put_extra_header(nh, sizeof *nfg);
	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	nfg->res_id = htons(group);
	return nh;
}

static void
end(struct nlmsghdr *nh)
{
	used += NLMSG_ALIGN(nh->nlmsg_len);
	assert_true(used <= sizeof buf);
}

static void
put_u64s(struct nlmsghdr *nh, uint16_t type, uint64_t a, uint64_t b)
{
	uint64_t v[2] = { htobe64(a), htobe64(b) };

	mnl_attr_put(nh, type, sizeof v, v);
}

static void
put_hook(struct nlmsghdr *nh, uint8_t hook)
{
	struct nfulnl_msg_packet_hdr hdr = { .hw_protocol = htons(0x0800), .hook = hook };

	mnl_attr_put(nh, NFULA_PACKET_HDR, sizeof hdr, &hdr);
}

static void
put_vlan(struct nlmsghdr *nh, uint16_t tci)
{
	struct nlattr *nest = mnl_attr_nest_start(nh, ATTR_VLAN);

	mnl_attr_put_u16(nh, 1 /* NFULA_VLAN_PROTO */, htons(0x8100));
	mnl_attr_put_u16(nh, ATTR_VLAN_TCI, htons(tci));
	mnl_attr_nest_end(nh, nest);
}

/* What the kernel puts into a message about a packet that came through a VLAN (nfnetlink_log.c). */
static struct nlmsghdr *
full_message(uint16_t group, uint32_t seq, const void *payload, size_t n)
{
	struct nlmsghdr *nh = message(TYPE_PACKET, AF_INET, group);

	put_hook(nh, 2);
	mnl_attr_put_strz(nh, NFULA_PREFIX, "ng");
	mnl_attr_put_u32(nh, NFULA_IFINDEX_INDEV, htonl(7));
	mnl_attr_put_u32(nh, NFULA_IFINDEX_OUTDEV, htonl(9));
	mnl_attr_put_u32(nh, NFULA_MARK, htonl(0xabcd0123));
	put_u64s(nh, NFULA_HWADDR, 1, 2);
	put_u64s(nh, NFULA_TIMESTAMP, 1795000000, 123456);
	mnl_attr_put_u32(nh, NFULA_UID, htonl(1000));
	mnl_attr_put_u32(nh, NFULA_SEQ, htonl(seq));
	mnl_attr_put_u32(nh, NFULA_SEQ_GLOBAL, htonl(seq + 100));
	put_vlan(nh, 0xe000 | 42); /* priority 7 */
	mnl_attr_put(nh, NFULA_PAYLOAD, n, payload);
	return nh;
}

/* One step of the walk; what it lends lies inside the datagram. */
static int
next(struct cur *c, const uint8_t *p, size_t len, struct batch_msg *m)
{
	const uint8_t *before = c->p;
	int r = batch_next(c, m);

	assert_in_range(r + 1, 0, 2);
	assert_true(c->p >= before && c->p <= p + len);
	if (r)
		assert_true(c->p > before);
	if (r > 0 && m->payload) {
		assert_true(m->payload >= p);
		assert_true(m->payload + m->payload_len <= p + len);
	}
	return r;
}

static int
only_message(struct batch_msg *m)
{
	const uint8_t *p = guard_copy(buf, used);
	struct cur c = cur_of(p, used);
	struct batch_msg rest;
	int r = next(&c, p, used, m);

	if (r)
		assert_int_equal(next(&c, p, used, &rest), 0);
	return r;
}

static void
test_all_attributes(void **state)
{
	struct batch_msg m;

	(void)state;
	begin();
	end(full_message(100, 41, "0123456789", 10));
	assert_int_equal(only_message(&m), 1);
	assert_int_equal(m.family, AF_INET);
	assert_int_equal(m.group, 100);
	assert_int_equal(m.hook, 2);
	assert_int_equal(m.iif, 7);
	assert_int_equal(m.oif, 9);
	assert_int_equal(m.mark, 0xabcd0123);
	assert_int_equal(m.has_ts, 1);
	assert_int_equal(m.ts_us, 1795000000123456);
	assert_int_equal(m.has_seq, 1);
	assert_int_equal(m.seq, 41);
	assert_int_equal(m.vlan, 42);
	assert_int_equal(m.payload_len, 10);
	assert_memory_equal(m.payload, "0123456789", 10);
}

static void
test_missing_attributes(void **state)
{
	struct batch_msg m;

	(void)state;
	begin();
	end(message(TYPE_PACKET, AF_INET6, 65535));
	memset(&m, 0x55, sizeof m);
	assert_int_equal(only_message(&m), 1);
	assert_int_equal(m.family, AF_INET6);
	assert_int_equal(m.group, 65535);
	assert_null(m.payload);
	assert_int_equal(m.payload_len, 0);
	assert_int_equal(m.has_ts, 0);
	assert_int_equal(m.ts_us, 0);
	assert_int_equal(m.has_seq, 0);
	assert_int_equal(m.hook, 0);
	assert_int_equal(m.iif + m.oif + m.mark + m.vlan, 0);
}

static void
test_several(void **state)
{
	struct nlmsghdr *nh;
	struct batch_msg m;
	const uint8_t *p;
	struct cur c;
	char text[8];

	(void)state;
	begin();
	for (uint32_t i = 0; i < 64; i++) {
		if (i == 20)
			end(message(NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG, AF_INET, 1)); /* passed over */
		if (i == 40) {
			nh = mnl_nlmsg_put_header(buf + used);
			nh->nlmsg_type = NLMSG_NOOP;
			end(nh);
		}
		snprintf(text, sizeof text, "p%u", i); /* two or three bytes: padded */
		end(full_message(5, i, text, strlen(text)));
	}
	nh = mnl_nlmsg_put_header(buf + used);
	nh->nlmsg_type = NLMSG_DONE;
	mnl_nlmsg_put_extra_header(nh, sizeof(struct nfgenmsg));
	end(nh);
	p = guard_copy(buf, used);
	c = cur_of(p, used);
	for (uint32_t i = 0; i < 64; i++) {
		assert_int_equal(next(&c, p, used, &m), 1);
		assert_int_equal(m.seq, i);
		snprintf(text, sizeof text, "p%u", i);
		assert_int_equal(m.payload_len, strlen(text));
		assert_memory_equal(m.payload, text, m.payload_len);
	}
	assert_int_equal(next(&c, p, used, &m), 0);
	assert_int_equal(next(&c, p, used, &m), 0);
}

static void
test_agrees_with_libmnl(void **state)
{
	struct batch_msg m;
	struct nlattr *attr;
	unsigned n = 0;

	(void)state;
	begin();
	end(full_message(5, 77, "xyz", 3));
	assert_int_equal(only_message(&m), 1);
	mnl_attr_for_each(attr, (struct nlmsghdr *)buf, sizeof(struct nfgenmsg)) {
		n++;
		if (mnl_attr_get_type(attr) == NFULA_SEQ)
			assert_int_equal(ntohl(mnl_attr_get_u32(attr)), m.seq);
		if (mnl_attr_get_type(attr) == NFULA_PAYLOAD)
			assert_int_equal(mnl_attr_get_payload_len(attr), m.payload_len);
	}
	assert_int_equal(n, 12);
}

/* Each attribute that we read, one byte shorter than its type: the message is not to be believed. */
static void
test_short_attributes(void **state)
{
	static const struct {
		uint16_t type, size;
	} needs[] = { { NFULA_PACKET_HDR, 3 }, { NFULA_MARK, 4 },	  { NFULA_TIMESTAMP, 16 },
		      { NFULA_IFINDEX_INDEV, 4 }, { NFULA_IFINDEX_OUTDEV, 4 }, { NFULA_SEQ, 4 } };
	static const uint8_t zeros[32];
	struct batch_msg m;

	(void)state;
	for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
		for (uint16_t n = 0; n < 24; n++) {
			struct nlmsghdr *nh;

			begin();
			nh = message(TYPE_PACKET, AF_INET, 1);
			mnl_attr_put(nh, needs[i].type, n, zeros);
			end(nh);
			assert_int_equal(only_message(&m), n < needs[i].size ? -1 : 1);
		}
	}
}

static void
test_flags_of_the_type(void **state)
{
	struct nlmsghdr *nh;
	struct batch_msg m;

	(void)state;
	/* Bits 14 and 15 say "nested" and "network order", the rest is the type. */
	begin();
	nh = message(TYPE_PACKET, AF_INET, 1);
	mnl_attr_put_u32(nh, NFULA_SEQ | NLA_F_NET_BYTEORDER, htonl(5));
	end(nh);
	assert_int_equal(only_message(&m), 1);
	assert_int_equal(m.seq, 5);
}

static void
test_times(void **state)
{
	static const struct {
		uint64_t sec, usec;
		int ok;
	} cases[] = {
		{ 0, 0, 0 }, /* the kernel has none: hooks before which nothing stamps */
		{ 0, 1, 1 },
		{ 1, 999999, 1 },
		{ 253402300799ULL, 999999, 1 },
		{ 253402300800ULL, 0, 0 }, /* the year 10000 */
		{ UINT64_MAX, UINT64_MAX, 0 },
		{ UINT64_MAX / 1000000, 0, 0 },
	};
	struct batch_msg m;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct nlmsghdr *nh;

		begin();
		nh = message(TYPE_PACKET, AF_INET, 1);
		put_u64s(nh, NFULA_TIMESTAMP, cases[i].sec, cases[i].usec);
		end(nh);
		assert_int_equal(only_message(&m), 1);
		assert_int_equal(m.has_ts, cases[i].ok);
		assert_int_equal(m.ts_us, cases[i].ok ? (int64_t)(cases[i].sec * 1000000 + cases[i].usec) : 0);
	}
	/* Seconds that only a multiplication modulo 2^64 makes plausible. */
	begin();
	{
		struct nlmsghdr *nh = message(TYPE_PACKET, AF_INET, 1);

		put_u64s(nh, NFULA_TIMESTAMP, (UINT64_MAX / 1000000 + 1) * 3, 0);
		end(nh);
	}
	assert_int_equal(only_message(&m), 1);
	assert_int_equal(m.has_ts, 0);
}

/* ---- VLAN ------------------------------------------------------------------------------- */

/* The attribute NFULA_VLAN with these bytes in it. */
static int
vlan_bytes(const void *bytes, size_t n, struct batch_msg *m)
{
	struct nlmsghdr *nh;

	begin();
	nh = message(TYPE_PACKET, AF_INET, 1);
	mnl_attr_put(nh, ATTR_VLAN | NLA_F_NESTED, n, bytes);
	mnl_attr_put_u32(nh, NFULA_SEQ, htonl(5));
	end(nh);
	return only_message(m);
}

static size_t
nested(uint8_t *p, uint16_t type, const void *value, uint16_t n, int pad)
{
	uint16_t head[2] = { (uint16_t)(n + 4), type };

	memcpy(p, head, 4);
	memcpy(p + 4, value, n);
	memset(p + 4 + n, 0, 3);
	return 4U + (pad ? (n + 3U) / 4 * 4 : n);
}

static void
test_vlan(void **state)
{
	static const uint8_t tci[2] = { 0x61, 0x23 };
	struct batch_msg m;

	(void)state;
	for (unsigned id = 0; id < 4096; id += 5) {
		struct nlmsghdr *nh;

		begin();
		nh = message(TYPE_PACKET, AF_INET, 1);
		put_vlan(nh, (uint16_t)(0x7000 | id));
		end(nh);
		assert_int_equal(only_message(&m), 1);
		assert_int_equal(m.vlan, id);
	}
	/* Whatever stands before it, of any length, and with the last padding cut off or not. */
	for (uint16_t before = 0; before < 20; before++) {
		for (int pad = 0; pad < 2; pad++) {
			uint8_t b[64], junk[20] = { 0 };
			size_t n = nested(b, 1, junk, before, 1);

			n += nested(b + n, ATTR_VLAN_TCI, tci, 2, pad);
			assert_int_equal(vlan_bytes(b, n, &m), 1);
			assert_int_equal(m.vlan, 0x123);
			assert_int_equal(m.seq, 5);
		}
	}
}

static void
test_vlan_that_lies(void **state)
{
	uint8_t b[16] = { 0 };
	struct batch_msg m;

	(void)state;
	assert_int_equal(vlan_bytes(b, 0, &m), 1); /* empty: no VLAN */
	assert_int_equal(m.vlan, 0);
	for (size_t n = 4; n <= 12; n++) {
		for (uint16_t len = 0; len < 40; len++) {
			int r;

			memcpy(b, &len, 2);
			memcpy(b + 2, &(uint16_t){ ATTR_VLAN_TCI }, 2);
			b[4] = 0x0f;
			b[5] = 0xff;
			r = vlan_bytes(b, n, &m);
			if (len >= 6 && len <= n) {
				assert_int_equal(r, 1);
				assert_int_equal(m.vlan, 0xfff);
			} else {
				/* Too short for its header or its value, or longer than the nest. */
				assert_int_equal(r, -1);
			}
		}
	}
}

/* ---- lengths ---------------------------------------------------------------------------- */

static void
test_every_cut(void **state)
{
	size_t ends[3];
	struct batch_msg m;

	(void)state;
	begin();
	for (uint32_t i = 0; i < 3; i++) {
		end(full_message(5, i, "0123456789", 9 + i));
		ends[i] = used;
	}
	for (size_t cut = 0; cut <= used; cut++) {
		const uint8_t *p = guard_copy(buf, cut);
		struct cur c = cur_of(p, cut);
		size_t whole = 0;
		int r;

		while ((r = next(&c, p, cut, &m)) > 0) {
			assert_true(m.seq == whole);
			whole++;
		}
		/* A header without its message is an error, less than a header is nothing. */
		for (size_t i = 0; i < 3; i++) {
			size_t begins = i ? ends[i - 1] : 0;

			if (cut > begins && cut < ends[i]) {
				assert_int_equal(whole, i);
				assert_int_equal(r, cut - begins < NLMSG_HDRLEN ? 0 : -1);
			}
		}
		if (cut == used)
			assert_int_equal(whole, 3);
		assert_int_equal(next(&c, p, cut, &m), 0);
	}
}

/* Both the message's and the last attribute's padding may be missing at the end of the datagram. */
static void
test_padding_cut_at_the_end(void **state)
{
	(void)state;
	for (uint16_t n = 1; n < 9; n++) {
		struct nlmsghdr *nh;
		struct batch_msg m;
		uint32_t pad = (4 - n % 4) % 4;

		begin();
		end(full_message(5, 1, "abc", 3));
		nh = full_message(5, 2, "12345678", n);
		nh->nlmsg_len -= pad;
		used += nh->nlmsg_len;
		{
			const uint8_t *p = guard_copy(buf, used);
			struct cur c = cur_of(p, used);

			assert_int_equal(next(&c, p, used, &m), 1);
			assert_int_equal(next(&c, p, used, &m), 1);
			assert_int_equal(m.seq, 2);
			assert_int_equal(m.payload_len, n);
			assert_memory_equal(m.payload, "12345678", n);
			assert_int_equal(next(&c, p, used, &m), 0);
		}
	}
}

static void
test_message_length_that_lies(void **state)
{
	struct nlmsghdr *first = (struct nlmsghdr *)buf;
	size_t second;
	uint32_t right;

	(void)state;
	begin();
	end(full_message(5, 1, "abc", 3));
	second = used;
	end(full_message(5, 2, "abc", 3));
	right = first->nlmsg_len;
	for (uint32_t len = 0; len < used + 20; len++) {
		const uint8_t *p;
		struct batch_msg m;
		struct cur c;
		int r;

		first->nlmsg_len = len;
		p = guard_copy(buf, used);
		c = cur_of(p, used);
		r = next(&c, p, used, &m);
		if (len == right) {
			assert_int_equal(r, 1);
		} else if (len == used) {
			/* The second one's length is read as an attribute's, of 16 bits. */
			assert_int_equal(r, htons(1) == 1 ? -1 : 1);
		} else if (len < NLMSG_HDRLEN || len > used) {
			/* There is no way to find the next one. */
			assert_int_equal(r, -1);
			assert_int_equal(next(&c, p, used, &m), 0);
		} else if (len < second) {
			while (next(&c, p, used, &m))
				; /* next() checks that it ends and stays inside */
		}
	}
	first->nlmsg_len = UINT32_MAX;
	{
		const uint8_t *p = guard_copy(buf, used);
		struct cur c = cur_of(p, used);
		struct batch_msg m;

		assert_int_equal(next(&c, p, used, &m), -1);
		assert_int_equal(next(&c, p, used, &m), 0);
	}
}

/* A broken message between two good ones costs only itself. */
static void
test_bad_attribute_between_good_messages(void **state)
{
	(void)state;
	for (uint16_t lie = 0; lie < 64; lie++) {
		struct nlattr *attr;
		struct nlmsghdr *nh;
		const uint8_t *p;
		struct batch_msg m;
		struct cur c;
		int r;

		begin();
		end(full_message(5, 1, "abc", 3));
		nh = message(TYPE_PACKET, AF_INET, 5);
		mnl_attr_put_u32(nh, NFULA_MARK, 1);
		attr = mnl_nlmsg_get_payload_offset(nh, sizeof(struct nfgenmsg));
		attr->nla_len = lie;
		end(nh);
		end(full_message(5, 3, "abc", 3));
		p = guard_copy(buf, used);
		c = cur_of(p, used);
		assert_int_equal(next(&c, p, used, &m), 1);
		r = next(&c, p, used, &m);
		assert_int_equal(r, lie == 8 ? 1 : -1);
		assert_int_equal(next(&c, p, used, &m), 1);
		assert_int_equal(m.seq, 3);
		assert_int_equal(next(&c, p, used, &m), 0);
	}
}

static void
test_body_alone(void **state)
{
	uint8_t head[4] = { 2, 0, 0x12, 0x34 };
	struct batch_msg m;

	(void)state;
	/* What a capture of link type NFLOG holds. */
	for (size_t n = 0; n <= 4; n++) {
		struct cur c = cur_of(guard_copy(head, n), n);

		assert_int_equal(batch_body(&c, &m), n < 4 ? -1 : 0);
	}
	assert_int_equal(m.family, 2);
	assert_int_equal(m.group, 0x1234);
}

static void
test_noise(void **state)
{
	uint64_t x = 88172645463325252ULL;
	unsigned good = 0, bad = 0;

	(void)state;
	for (int i = 0; i < 50000; i++) {
		const uint8_t *p;
		struct batch_msg m;
		struct cur c;
		size_t cut;
		int r;

		begin();
		for (uint32_t k = 0; k < 3; k++)
			end(full_message(5, k, "0123456789", 10));
		for (int k = 0; k < 4; k++) { /* xorshift64 */
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			buf[x % used] = (uint8_t)(x >> 32);
		}
		cut = (x >> 40) % (2 * used);
		cut = cut < used ? cut : used;
		p = guard_copy(buf, cut);
		c = cur_of(p, cut);
		while ((r = next(&c, p, cut, &m)))
			*(r > 0 ? &good : &bad) += 1;
	}
	assert_true(good > 1000 && bad > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_attributes),
		cmocka_unit_test(test_missing_attributes),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_agrees_with_libmnl),
		cmocka_unit_test(test_short_attributes),
		cmocka_unit_test(test_flags_of_the_type),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_vlan),
		cmocka_unit_test(test_vlan_that_lies),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_padding_cut_at_the_end),
		cmocka_unit_test(test_message_length_that_lies),
		cmocka_unit_test(test_bad_attribute_between_good_messages),
		cmocka_unit_test(test_body_alone),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
