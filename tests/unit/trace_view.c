/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Paths as text and as JSON: each mark, each ending, what several flows have in common.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#define path_hash plugin_path_hash /* it shall be the same as ours */
#include "../../plugins/path.h"
#undef path_hash
#include "../../src/trace/view.c"
#include "trace/json.h"

static struct trace_path
a_path(uint8_t ipv)
{
	struct trace_path p = { .ended = 1, .result = { .type = PROBER_MSG_RESULT, .ipv = ipv, .method = PROBER_TCP_SYN,
							.trigger = PROBER_ON_MANUAL, .sport = 65000, .dport = 443,
							.probes = 12, .dur_us = 1234567, .ts_us = 1700000000123456 } };

	p.result.src[0] = 198;
	p.result.dst[0] = 192;
	return p;
}

/* The next hop; last: the last number of its address; 0: silent. */
static struct prober_hop *
add(struct trace_path *p, uint8_t last)
{
	struct prober_hop *h = &p->result.hop[p->result.n_hops++];

	*h = (struct prober_hop){ .ttl = p->result.n_hops, .sent = 2 };
	if (last) {
		h->flags = PROBER_HOP_ANSWERED;
		h->addr[0] = p->result.ipv == 4 ? 10 : 0x20;
		h->addr[p->result.ipv == 4 ? 3 : 15] = last;
		h->rtt_us[0] = 1000U * last;
		h->rtt_us[1] = 1000U * last + 230;
		h->n_rtt = 2;
	}
	return h;
}

static void
arrive(struct trace_path *p, uint8_t last)
{
	add(p, last)->flags |= PROBER_HOP_DST;
	p->result.reached = 1;
}

static const char *
text_of(void (*fn)(FILE *, const struct trace_path *, unsigned), const struct trace_path *p, unsigned i)
{
	static char *text;
	size_t len;
	FILE *f;

	free(text);
	text = NULL;
	f = open_memstream(&text, &len);
	fn(f, p, i);
	fclose(f);
	return text;
}

static void
end_of(FILE *f, const struct trace_path *p, unsigned unused)
{
	(void)unused;
	view_end(f, p);
}

static void
title_of(FILE *f, const struct trace_path *p, unsigned i)
{
	static const char *const hosts[] = { "example.org", "10.0.0.9", "example.org", "::1" };
	struct prober_request q = { .ipv = i == 3 ? 6 : 4, .dst = { 10, 0, 0, 9 }, .dport = 443, .max_ttl = 30,
				    .method = i == 1 ? PROBER_UDP : i == 2 ? PROBER_ICMP : PROBER_TCP_SYN };

	(void)p;
	if (i == 3)
		memcpy(q.dst, (const uint8_t[16]){ [15] = 1 }, 16);
	view_title(f, hosts[i], &q, i == 3 ? 8 : 1);
}

static void
test_title(void **state)
{
	(void)state;
	assert_string_equal(text_of(title_of, NULL, 0), "trace to example.org (10.0.0.9), TCP port 443, at most 30 hops\n");
	assert_string_equal(text_of(title_of, NULL, 1), "trace to 10.0.0.9, UDP port 443, at most 30 hops\n");
	assert_string_equal(text_of(title_of, NULL, 2), "trace to example.org (10.0.0.9), ICMP echo, at most 30 hops\n");
	assert_string_equal(text_of(title_of, NULL, 3), "trace to ::1, TCP port 443, 8 flows, at most 30 hops\n");
}

static void
test_hops(void **state)
{
	struct trace_path p = a_path(4);
	struct prober_hop *h;

	(void)state;
	add(&p, 1);
	assert_string_equal(text_of(view_hop, &p, 0), " 1  10.0.0.1          1.00 ms   1.23 ms\n");
	h = add(&p, 200);
	h->rtt_us[0] = 9999;
	h->rtt_us[1] = 10000;
	h->rtt_us[2] = 1234567;
	h->n_rtt = h->sent = 3;
	assert_string_equal(text_of(view_hop, &p, 1), " 2  10.0.0.200       10.00 ms   10.0 ms   1235 ms\n");
	add(&p, 0);
	assert_string_equal(text_of(view_hop, &p, 2), " 3  *\n");
	h = add(&p, 4);
	h->sent = 3;
	h->mpls[0] = 24015U << 12 | 1 << 8 | 1;
	h->n_mpls = 1;
	assert_string_equal(text_of(view_hop, &p, 3), " 4  10.0.0.4          4.00 ms   4.23 ms  loss 33%  MPLS 24015\n");
	h->mpls[1] = 1048575U << 12;
	h->n_mpls = 2;
	h->flags |= PROBER_HOP_NAT;
	assert_string_equal(text_of(view_hop, &p, 3),
			    " 4  10.0.0.4          4.00 ms   4.23 ms  loss 33%  NAT  MPLS 24015/1048575\n");
	h = add(&p, 5);
	h->flags |= PROBER_HOP_CACHED;
	h->sent = h->n_rtt = 0;
	assert_string_equal(text_of(view_hop, &p, 4), " 5  10.0.0.5         cached\n");
	/* While it grows: no loss yet, and silence is not certain. */
	p.ended = 0;
	assert_string_equal(text_of(view_hop, &p, 2), " 3  ...\n");
	p.result.hop[0].sent = 3;
	assert_string_equal(text_of(view_hop, &p, 0), " 1  10.0.0.1          1.00 ms   1.23 ms\n");
	p = a_path(6);
	add(&p, 1);
	assert_string_equal(text_of(view_hop, &p, 0), " 1  2000::1                      1.00 ms   1.23 ms\n");
	memset(p.result.hop[0].addr, 0xff, 16);
	assert_string_equal(text_of(view_hop, &p, 0),
			    " 1  ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff   1.00 ms   1.23 ms\n");
}

static void
test_unreachable(void **state)
{
	static const struct {
		uint8_t ipv, type, code;
		int dst;
		const char *says;
	} cases[] = {
		{ 4, 11, 0, 0, "" }, { 6, 3, 0, 0, "" }, { 4, 3, 3, 1, "" }, { 6, 1, 4, 1, "" },
		{ 4, 3, 3, 0, "  port unreachable" }, { 4, 3, 0, 0, "  network unreachable" },
		{ 4, 3, 13, 0, "  prohibited" }, { 4, 3, 13, 1, "  prohibited" }, { 4, 3, 14, 0, "  unreachable" },
		{ 4, 3, 255, 0, "  unreachable" }, { 6, 1, 0, 0, "  no route" }, { 6, 1, 1, 0, "  prohibited" },
		{ 6, 1, 3, 0, "  host unreachable" }, { 6, 1, 7, 0, "  unreachable" }, { 6, 3, 3, 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct trace_path p = a_path(cases[i].ipv);
		struct prober_hop *h = add(&p, 1);
		char want[200];

		h->flags |= PROBER_HOP_ICMP | (cases[i].dst ? PROBER_HOP_DST : 0);
		h->icmp_type = cases[i].type;
		h->icmp_code = cases[i].code;
		snprintf(want, sizeof want, "%s%s\n", cases[i].ipv == 4 ? " 1  10.0.0.1          1.00 ms   1.23 ms" :
			 " 1  2000::1                      1.00 ms   1.23 ms", cases[i].says);
		assert_string_equal(text_of(view_hop, &p, 0), want);
	}
}

static void
test_ends(void **state)
{
	struct trace_path p = a_path(4);

	(void)state;
	add(&p, 1);
	assert_string_equal(text_of(end_of, &p, 0), "not reached, 12 probes, 1.2 s\n");
	p.result.status = PROBER_DEADLINE;
	assert_string_equal(text_of(end_of, &p, 0), "not reached in time, 12 probes, 1.2 s\n");
	p.result.status = PROBER_STOPPED;
	assert_string_equal(text_of(end_of, &p, 0), "stopped, 12 probes, 1.2 s\n");
	p.result.status = PROBER_DONE;
	arrive(&p, 2);
	assert_string_equal(text_of(end_of, &p, 0), "reached, 2 hops, 12 probes, 1.2 s\n");
	p.ended = 0;
	p.result.reached = 0;
	assert_string_equal(text_of(end_of, &p, 0), "stopped\n");
	for (unsigned s = PROBER_REFUSED; s <= PROBER_BUSY; s++) {
		assert_null(strstr(view_refusal(s), "does not know"));
		for (unsigned o = PROBER_REFUSED; o < s; o++)
			assert_string_not_equal(view_refusal(s), view_refusal(o));
	}
	assert_non_null(strstr(view_refusal(200), "does not know"));
}

/* A table that grows: hops in any order, twice, and behind the end. */
static void
test_grow(void **state)
{
	struct prober_request q = { .ipv = 4, .flow = 3, .dport = 80, .dst = { 1, 2, 3, 4 } };
	struct prober_hop h3 = { .ttl = 3, .flags = PROBER_HOP_ANSWERED, .n_rtt = 1 }, h1 = { .ttl = 1, .n_rtt = 1 };
	struct trace_path p;
	struct prober_result r;

	(void)state;
	path_begin(&p, &q);
	assert_int_equal(p.result.n_hops, 0);
	assert_int_equal(p.result.flow, 3);
	assert_memory_equal(p.result.dst, q.dst, 16);
	path_hop(&p, &h3);
	assert_int_equal(p.result.n_hops, 3);
	assert_int_equal(p.result.hop[0].ttl, 1);
	assert_int_equal(p.result.hop[1].ttl, 2);
	assert_int_equal(p.result.hop[1].flags, 0);
	assert_int_equal(path_settled(&p, 1), 0);
	path_hop(&p, &h1);
	assert_int_equal(p.result.n_hops, 3);
	assert_int_equal(path_settled(&p, 1), 1);
	assert_int_equal(path_settled(&p, 2), 0);
	h1.n_rtt = 2;
	path_hop(&p, &h1);
	assert_int_equal(path_settled(&p, 2), 1);
	h1.n_rtt = 0;
	h1.flags = PROBER_HOP_CACHED;
	path_hop(&p, &h1);
	assert_int_equal(path_settled(&p, 2), 1);
	h3.ttl = PROBER_HOPS_MAX;
	path_hop(&p, &h3);
	assert_int_equal(p.result.n_hops, PROBER_HOPS_MAX);
	r = a_path(4).result;
	r.n_hops = 2;
	path_result(&p, &r);
	assert_int_equal(p.result.n_hops, 2);
	assert_int_equal(path_settled(&p, 3), 2);
	path_hop(&p, &h3); /* late */
	assert_int_equal(p.result.n_hops, 2);
}

/* The same number that the plugin puts into reports. */
static void
test_hash(void **state)
{
	(void)state;
	for (uint8_t ipv = 4; ipv <= 6; ipv += 2) {
		struct trace_path p = a_path(ipv);
		struct ng_trace_hop hops[4] = { { 0 } };
		struct ng_trace tr = { .ipv = ipv, .n_hops = 4, .hops = hops };

		assert_int_equal(path_hash(&p.result), 0);
		add(&p, 1);
		add(&p, 0);
		add(&p, 3);
		arrive(&p, 4);
		for (unsigned i = 0; i < 4; i++) {
			hops[i].ttl = (uint8_t)(i + 1);
			hops[i].flags = p.result.hop[i].flags & PROBER_HOP_ANSWERED ? NG_HOP_ANSWERED : 0;
			memcpy(hops[i].addr, p.result.hop[i].addr, 16);
		}
		assert_true(path_hash(&p.result) == plugin_path_hash(&tr));
		p.result.hop[2].addr[0]++;
		assert_true(path_hash(&p.result) != plugin_path_hash(&tr));
	}
}

static void
test_groups(void **state)
{
	struct trace_path p[6] = { a_path(4), a_path(4), a_path(4), a_path(4), a_path(4), a_path(4) };
	uint8_t group[6];

	(void)state;
	for (uint16_t k = 0; k < 6; k++)
		p[k].result.flow = k;
	/* 0: 1 2 9*   1: 1 3 9*   2: 1 . 9* (silent: fits the first)   3: nothing   4: 1 3 (fits 1)   5: 1 3 4 9* */
	add(&p[0], 1), add(&p[0], 2), arrive(&p[0], 9);
	add(&p[1], 1), add(&p[1], 3), arrive(&p[1], 9);
	add(&p[2], 1), add(&p[2], 0), arrive(&p[2], 9);
	add(&p[4], 1), add(&p[4], 3);
	add(&p[5], 1), add(&p[5], 3), add(&p[5], 4), arrive(&p[5], 9);
	assert_int_equal(path_group(group, p, 6), 3);
	assert_int_equal(group[0], 0);
	assert_int_equal(group[1], 1);
	assert_int_equal(group[2], 0);
	assert_int_equal(group[3], TRACE_PATH_NONE);
	assert_int_equal(group[4], 1);
	assert_int_equal(group[5], 2);
	p[2].result.hop[1] = p[1].result.hop[1]; /* no longer silent */
	p[1].result.hop[2].rtt_us[1] = 8500;
	assert_int_equal(path_group(group, p, 6), 3);
	assert_int_equal(group[2], 1);
	assert_string_equal(text_of(view_branches, p, 6),
			    " 1  10.0.0.1          1.00 ms  ABC\n"
			    " 2  10.0.0.2          2.00 ms  A..\n"
			    "    10.0.0.3          3.00 ms  .BC\n"
			    " 3  10.0.0.9          8.50 ms  AB.\n"
			    "    10.0.0.4          4.00 ms  ..C\n"
			    " 4  10.0.0.9          9.00 ms  ..C\n"
			    "5 flows took 3 paths\n"
			    "  A: flow 0: reached, 3 hops\n"
			    "  B: flow 1 2 4: reached, 3 hops\n"
			    "  C: flow 5: reached, 4 hops\n");
	/* Not further than where another came to the destination. */
	arrive(&p[4], 3);
	add(&p[4], 0);
	assert_int_equal(path_group(group, p, 6), 4);
}

static void
test_no_branches(void **state)
{
	struct trace_path p[2] = { a_path(4), a_path(4) };

	(void)state;
	for (int k = 0; k < 2; k++)
		add(&p[k], 1), add(&p[k], 0);
	p[1].result.flow = 1;
	assert_string_equal(text_of(view_branches, p, 2),
			    " 1  10.0.0.1          1.00 ms\n"
			    " 2  *\n"
			    "2 flows took 1 path\n"
			    "  A: flow 0 1: not reached\n");
	assert_string_equal(text_of(view_branches, p, 0), "0 flows took 0 paths\n");
}

/* Each flow another path: letters enough. */
static void
test_many_branches(void **state)
{
	struct trace_path p[32];

	(void)state;
	for (uint8_t k = 0; k < 32; k++) {
		p[k] = a_path(6);
		p[k].result.flow = k;
		add(&p[k], (uint8_t)(k + 1));
	}
	assert_non_null(strstr(text_of(view_branches, p, 32), "  Z: flow 25: not reached\n  a: flow 26: not reached\n"));
	assert_non_null(strstr(text_of(view_branches, p, 32), "  f: flow 31: not reached\n"));
}

/* JSON as the schema has it, and never more than its room. */
static void
test_json(void **state)
{
	struct trace_path p = a_path(4);
	static char out[TRACE_JSON_MAX], big[TRACE_JSON_MAX];
	struct prober_hop *h;

	(void)state;
	p.result.src[3] = 1;
	p.result.dst[3] = 9;
	h = add(&p, 1);
	h->flags |= PROBER_HOP_ICMP;
	h->icmp_type = 11;
	h->reply_ttl = 64;
	h->mpls[0] = 24015U << 12 | 5 << 9 | 1 << 8 | 254;
	h->n_mpls = 1;
	add(&p, 0);
	h = add(&p, 3);
	h->flags |= PROBER_HOP_CACHED | PROBER_HOP_NAT;
	h->n_rtt = h->sent = 0;
	arrive(&p, 9);
	p.result.hop[3].sent = 200;
	assert_true(json_path(out, &p.result) > 0);
	assert_string_equal(out,
		"{\"ts\":\"2023-11-14T22:13:20.123456Z\",\"src_ip\":\"198.0.0.1\",\"src_port\":65000,\"dst_ip\":\"192.0.0.9\","
		"\"dst_port\":443,\"proto\":\"tcp\",\"method\":\"tcp-syn\",\"trigger\":\"manual\",\"flow_id\":0,\"reached\":true,"
		"\"dur_us\":1234567,\"path_hash\":\"ae9669c7cd5260f6\",\"hops\":["
		"{\"ttl\":1,\"ip\":\"10.0.0.1\",\"rtt_us\":[1000,1230],\"sent\":2,\"icmp\":\"11/0\",\"reply_ttl\":64,"
		"\"mpls\":[{\"label\":24015,\"tc\":5,\"s\":1,\"ttl\":254}]},"
		"{\"ttl\":2,\"sent\":2},"
		"{\"ttl\":3,\"ip\":\"10.0.0.3\",\"nat\":true,\"cached\":true},"
		"{\"ttl\":4,\"ip\":\"10.0.0.9\",\"rtt_us\":[9000,9230],\"sent\":10}]}");
	/* The largest there can be. */
	p = a_path(6);
	p.result.method = PROBER_ICMP;
	memset(p.result.src, 0xfe, 16);
	while (p.result.n_hops < PROBER_HOPS_MAX) {
		h = add(&p, 1);
		memset(h, 0xff, sizeof *h);
		h->ttl = p.result.n_hops;
		h->n_rtt = PROBER_RTTS_MAX;
		h->n_mpls = PROBER_MPLS_MAX;
	}
	assert_true(json_path(big, &p.result) > 0);
	assert_true(strlen(big) < TRACE_JSON_MAX - 4096);
	assert_non_null(strstr(big, "\"proto\":\"icmp6\",\"method\":\"icmp\""));
	assert_null(strstr(big, "_port"));
	p.result.ts_us = 0;
	memset(p.result.src, 0, 16);
	p.result.n_hops = 0;
	assert_true(json_path(big, &p.result) > 0);
	assert_null(strstr(big, "\"ts\""));
	assert_null(strstr(big, "src_"));
	assert_null(strstr(big, "path_hash"));
	assert_non_null(strstr(big, "\"hops\":[]"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_title),
		cmocka_unit_test(test_hops),
		cmocka_unit_test(test_unreachable),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_grow),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_no_branches),
		cmocka_unit_test(test_many_branches),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
