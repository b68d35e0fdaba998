/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The analyzer's channel to the prober: requests as they leave, results of every wrong size and shape, and
 * requests that nobody answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <unistd.h>

#include "../../src/analyzer/trace.c"

#define S 1000000LL

static int prober; /* its end */
static struct ng_trace got;
static struct ng_trace_hop got_hops[PROBER_HOPS_MAX];
static uint32_t got_plugin;
static unsigned n_got;
static const struct ng_trace_request *ask_again;

static void
on_path(const struct ng_trace *t, uint32_t plugin)
{
	got = *t;
	if (t->n_hops)
		memcpy(got_hops, t->hops, t->n_hops * sizeof *got_hops);
	got_plugin = plugin;
	n_got++;
	if (ask_again)
		assert_int_equal(trace_ask(plugin, ask_again, 5 * S), 0);
}

static int
setup(void **state)
{
	int pair[2];

	(void)state;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -1;
	prober = pair[1];
	trace_start(pair[0], on_path);
	n_got = 0;
	ask_again = NULL;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	close(prober);
	if (socket_fd >= 0)
		close(socket_fd);
	trace_start(-1, NULL);
	return 0;
}

static struct ng_trace_request
request(void)
{
	struct ng_trace_request q = { .size = sizeof q, .id = 7, .ipv = 4, .method = NG_TRACE_TCP_SYN,
				      .trigger = NG_TRACE_ON_SLOW, .dport = 443, .dst = { 192, 0, 2, 1 } };

	return q;
}

static struct prober_request
asked(void)
{
	struct prober_request r;

	assert_int_equal(recv(prober, &r, sizeof r, MSG_DONTWAIT), sizeof r);
	return r;
}

/* A good result of two hops. */
static struct prober_result
result(const struct prober_request *q)
{
	struct prober_result r = { .type = PROBER_MSG_RESULT, .id = q->id, .ipv = q->ipv, .method = q->method,
				   .trigger = q->trigger, .reached = 1, .n_hops = 2, .flow = q->flow, .sport = 64600,
				   .dport = q->dport, .probes = 3, .dur_us = 70000, .ts_us = 1795000000000000,
				   .src = { 10, 0, 0, 1 } };

	memcpy(r.dst, q->dst, 16);
	for (uint8_t i = 0; i < 2; i++)
		r.hop[i] = (struct prober_hop){ .ttl = (uint8_t)(i + 1), .flags = PROBER_HOP_ANSWERED, .sent = 1, .n_rtt = 1,
						.addr = { 10, 9, 9, (uint8_t)(i + 1) }, .rtt_us = { 1000 } };
	return r;
}

static void
say(const void *bytes, size_t n)
{
	assert_int_equal(send(prober, bytes, n, 0), n);
}

static void
test_request(void **state)
{
	struct ng_trace_request q = request();
	struct prober_request r;

	(void)state;
	q.method = NG_TRACE_TCP_ACK;
	q.reply_ttl = 55;
	q.flow = 9;
	q.rtt_us = 20000;
	q.sport = 40000;
	q.isn_src = 0xfffffffe;
	q.isn_dst = 77;
	q.fresh = 1;
	memcpy(q.src, (uint8_t[4]){ 10, 0, 0, 5 }, 4);
	assert_int_equal(trace_ask(3, &q, S), 0);
	r = asked();
	assert_int_equal(r.type, PROBER_MSG_TRACE);
	assert_int_not_equal(r.id, 0);
	assert_int_equal(r.ipv, 4);
	assert_int_equal(r.method, PROBER_TCP_ACK);
	assert_int_equal(r.trigger, PROBER_ON_SLOW);
	assert_int_equal(r.flags, PROBER_REQ_FRESH);
	assert_int_equal(r.reply_ttl, 55);
	assert_int_equal(r.max_ttl + r.tries + r.probes, 0); /* the prober's defaults */
	assert_int_equal(r.dport, 443);
	assert_int_equal(r.flow, 9);
	assert_int_equal(r.rtt_us, 20000);
	assert_int_equal(r.sport, 40000);
	assert_int_equal(r.iss, 0xfffffffe);
	assert_int_equal(r.irs, 77);
	assert_memory_equal(r.dst, q.dst, 16);
	assert_memory_equal(r.src, q.src, 16);
}

static void
test_bad_requests(void **state)
{
	struct ng_trace_request q;
	char byte;

	(void)state;
#define BAD(change) do { \
		q = request(); \
		change; \
		assert_int_equal(trace_ask(0, &q, S), -EINVAL); \
	} while (0)
	BAD(q.size = 0);
	BAD(q.size -= 4);
	BAD(q.ipv = 0);
	BAD(q.ipv = 5);
	BAD(q.method = PROBER_METHODS);
	BAD(q.trigger = PROBER_TRIGGERS);
	BAD(q.dport = 0);
	BAD(q.dst[4] = 1); /* an IPv4 address has 4 bytes */
	BAD(q.src[15] = 1);
	q = request();
	q.method = NG_TRACE_ICMP;
	q.dport = 0;
	assert_int_equal(recv(prober, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(trace_ask(0, &q, S), 0);
}

static void
test_result(void **state)
{
	struct ng_trace_request q = request();
	struct prober_request a;
	struct prober_result r;

	(void)state;
	assert_int_equal(trace_ask(3, &q, S), 0);
	a = asked();
	assert_int_not_equal(a.id, q.id);
	r = result(&a);
	r.hop[0].flags |= PROBER_HOP_ICMP | PROBER_HOP_NAT;
	r.hop[0].icmp_type = 11;
	r.hop[0].n_mpls = 4;
	r.hop[0].mpls[3] = 0xffffffff;
	say(&r, PROBER_RESULT_SIZE(2));
	assert_int_equal(trace_read(), 1);
	assert_int_equal(trace_read(), 0);
	assert_int_equal(n_got, 1);
	assert_int_equal(got_plugin, 3);
	assert_int_equal(got.size, sizeof got);
	assert_int_equal(got.id, 7);
	assert_int_equal(got.ipv, 4);
	assert_int_equal(got.method, NG_TRACE_TCP_SYN);
	assert_int_equal(got.trigger, NG_TRACE_ON_SLOW);
	assert_int_equal(got.status, NG_TRACE_DONE);
	assert_int_equal(got.reached, 1);
	assert_int_equal(got.n_hops, 2);
	assert_int_equal(got.sport, 64600);
	assert_int_equal(got.dport, 443);
	assert_int_equal(got.probes, 3);
	assert_int_equal(got.dur_us, 70000);
	assert_int_equal(got.ts_us, 1795000000000000);
	assert_int_equal(got.src[0], 10);
	assert_memory_equal(got.dst, q.dst, 16);
	assert_int_equal(got_hops[0].flags, NG_HOP_ANSWERED | NG_HOP_ICMP | NG_HOP_NAT);
	assert_int_equal(got_hops[0].mpls[3], 0xffffffff);
	assert_int_equal(got_hops[1].addr[3], 2);
	assert_int_equal(got_hops[1].rtt_us[0], 1000);
	/* Once. */
	say(&r, PROBER_RESULT_SIZE(2));
	assert_int_equal(trace_read(), 1);
	assert_int_equal(n_got, 1);
	assert_int_equal(tr.waiting, 0);
}

static void
test_refusals_come_back(void **state)
{
	struct ng_trace_request q = request();

	(void)state;
	for (int status = 0; status < 256; status++) {
		struct prober_result r;
		struct prober_request a;
		int known = status <= PROBER_STOPPED || (status >= PROBER_REFUSED && status <= PROBER_BUSY);
		unsigned before = n_got;

		assert_int_equal(trace_ask(0, &q, S), 0);
		a = asked();
		r = result(&a);
		r.status = (uint8_t)status;
		r.n_hops = r.reached = 0;
		say(&r, PROBER_RESULT_SIZE(0));
		assert_int_equal(trace_read(), 1);
		assert_int_equal(n_got, before + known);
		if (known)
			assert_int_equal(got.status, status);
	}
}

/* Every length from 0 to that of a whole result, and some beyond. */
static void
test_wrong_sizes(void **state)
{
	static uint8_t bytes[2 * sizeof(struct prober_result)];
	struct ng_trace_request q = request();
	struct prober_request a;
	struct prober_result r;

	(void)state;
	assert_int_equal(trace_ask(0, &q, S), 0);
	a = asked();
	r = result(&a);
	memcpy(bytes, &r, sizeof r);
	for (size_t n = 0; n <= sizeof r + 10; n++) {
		if (n == PROBER_RESULT_SIZE(2))
			continue;
		say(bytes, n);
		assert_int_equal(trace_read(), 1);
		assert_int_equal(n_got, 0);
	}
	say(bytes, sizeof bytes);
	assert_int_equal(trace_read(), 1);
	assert_int_equal(n_got, 0);
	say(bytes, PROBER_RESULT_SIZE(2)); /* nothing of this has ended the request */
	assert_int_equal(trace_read(), 1);
	assert_int_equal(n_got, 1);
}

static void
test_forged_results(void **state)
{
	struct ng_trace_request q = request();
	struct prober_request a;
	struct prober_result r;

	(void)state;
	assert_int_equal(trace_ask(0, &q, S), 0);
	a = asked();
#define FORGED(change) do { \
		r = result(&a); \
		change; \
		say(&r, PROBER_RESULT_SIZE(r.n_hops <= PROBER_HOPS_MAX ? r.n_hops : PROBER_HOPS_MAX)); \
		assert_int_equal(trace_read(), 1); \
		assert_int_equal(n_got, 0); \
	} while (0)
	FORGED(r.type = PROBER_MSG_HOP);
	FORGED(r.type = 0);
	FORGED(r.id++);
	FORGED(r.id += TRACE_WAITING_MAX); /* the slot, of another generation */
	FORGED(r.id = UINT32_MAX);
	FORGED(r.ipv = 0);
	FORGED(r.ipv = 6);
	FORGED(r.ipv = 255);
	FORGED(r.method = PROBER_METHODS);
	FORGED(r.method = PROBER_UDP); /* not what was asked */
	FORGED(r.trigger = PROBER_TRIGGERS);
	FORGED(r.trigger = PROBER_ON_MANUAL);
	FORGED(r.dst[3]++);
	FORGED(r.dst[15] = 1);
	FORGED(r.src[4] = 1);
	FORGED(r.status = 3);
	FORGED(r.status = 25);
	FORGED(r.status = PROBER_BOGON); /* with hops */
	FORGED((r.status = PROBER_BOGON, r.n_hops = 0)); /* and reached */
	FORGED(r.reached = 2);
	FORGED(r.ts_us = -1);
	FORGED(r.ts_us = INT64_MAX);
	FORGED(r.n_hops = 65);
	FORGED(r.n_hops = 255);
	FORGED(r.hop[0].ttl = 0);
	FORGED(r.hop[1].ttl = 1);
	FORGED(r.hop[1].ttl = 200);
	FORGED(r.hop[1].flags |= 0x20);
	FORGED(r.hop[1].flags |= 0x80);
	FORGED(r.hop[1].n_rtt = 4);
	FORGED(r.hop[1].n_mpls = 5);
	FORGED(r.hop[1].n_rtt = 255);
	FORGED(r.hop[1].addr[4] = 1);
	FORGED(memset(r.hop[1].addr, 0, 16));
	FORGED(r.hop[1].flags = 0); /* an RTT of silence */
	FORGED((r.hop[1].flags = PROBER_HOP_DST, r.hop[1].n_rtt = 0));
	FORGED((r.hop[1].flags = 0, r.hop[1].n_rtt = 0, r.hop[1].n_mpls = 1));
	r = result(&a);
	r.hop[1] = (struct prober_hop){ .ttl = 2, .sent = 3 };
	say(&r, PROBER_RESULT_SIZE(2));
	assert_int_equal(trace_read(), 1);
	assert_int_equal(n_got, 1);
	assert_int_equal(got_hops[1].flags, 0);
}

static void
test_whole_path(void **state)
{
	struct ng_trace_request q = request();
	struct prober_request a;
	struct prober_result r;

	(void)state;
	q.ipv = 6;
	memset(q.dst, 0x20, 16);
	assert_int_equal(trace_ask(0, &q, S), 0);
	a = asked();
	r = result(&a);
	r.n_hops = PROBER_HOPS_MAX;
	memset(r.src, 0xff, 16);
	for (uint8_t i = 0; i < PROBER_HOPS_MAX; i++) {
		memset(&r.hop[i], 0xff, sizeof r.hop[i]);
		r.hop[i].ttl = (uint8_t)(i + 1);
		r.hop[i].flags = HOP_FLAGS;
		r.hop[i].n_rtt = PROBER_RTTS_MAX;
		r.hop[i].n_mpls = PROBER_MPLS_MAX;
	}
	say(&r, sizeof r);
	assert_int_equal(trace_read(), 1);
	assert_int_equal(n_got, 1);
	assert_int_equal(got.n_hops, 64);
	assert_memory_equal(&got_hops[63], &r.hop[63], sizeof r.hop[63]);
}

static void
test_a_persons(void **state)
{
	struct ng_trace_request q = request();
	struct prober_request a = { .id = 0, .ipv = 4, .trigger = PROBER_ON_MANUAL, .dport = 80, .dst = { 192, 0, 2, 9 } };
	struct prober_result r = result(&a);

	(void)state;
	say(&r, PROBER_RESULT_SIZE(2));
	assert_int_equal(trace_read(), 1);
	assert_int_equal(n_got, 1);
	assert_int_equal(got_plugin, TRACE_EVERYONE);
	assert_int_equal(got.id, 0);
	r.status = PROBER_BOGON;
	r.n_hops = r.reached = 0;
	say(&r, PROBER_RESULT_SIZE(0)); /* was told the person, nobody else */
	assert_int_equal(trace_read(), 1);
	assert_int_equal(n_got, 1);
	/* No number of ours is 0, whatever the generation. */
	for (uint32_t g = UINT32_MAX - 3; g != 5; g++) {
		tr.generation = g;
		tr.hand = 0;
		memset(tr.slots, 0, sizeof tr.slots);
		assert_int_equal(trace_ask(0, &q, S), 0);
		assert_int_not_equal(asked().id >> SLOT_BITS, 0);
	}
}

/* An answer to the analyzer before this one. */
static void
test_of_an_earlier_analyzer(void **state)
{
	struct ng_trace_request q = request();
	struct prober_request a;
	struct prober_result r;
	int fd = socket_fd;

	(void)state;
	assert_int_equal(trace_ask(0, &q, S), 0);
	a = asked();
	trace_start(fd, on_path);
	assert_int_equal(trace_ask(0, &q, S), 0);
	assert_int_not_equal(asked().id, a.id); /* 2^-22 that this fails */
	r = result(&a);
	say(&r, PROBER_RESULT_SIZE(2));
	assert_int_equal(trace_read(), 1);
	assert_int_equal(n_got, 0);
	assert_int_equal(tr.waiting, 1);
}

/* Requests that no prober reads: its queue fills, then ours says no; then they are given up. */
static void
test_nobody_answers(void **state)
{
	struct ng_trace_request q = request();
	unsigned n = 0, late;

	(void)state;
	while (!trace_ask(2, &q, S + n))
		n++;
	assert_true(n > 8 && n <= TRACE_WAITING_MAX);
	assert_int_equal(trace_ask(2, &q, S), -EAGAIN);
	assert_int_equal(tr.waiting, n);
	assert_int_equal(trace_expire(S + TRACE_WAIT_US - 1), S + TRACE_WAIT_US);
	assert_int_equal(n_got, 0);
	late = n - 2;
	assert_int_equal(trace_expire(S + TRACE_WAIT_US + late - 1), S + TRACE_WAIT_US + late);
	assert_int_equal(n_got, late);
	assert_int_equal(got.status, NG_TRACE_STOPPED);
	assert_int_equal(got.id, 7);
	assert_int_equal(got.n_hops, 0);
	assert_int_equal(got.trigger, NG_TRACE_ON_SLOW);
	assert_int_equal(got.dport, 443);
	assert_memory_equal(got.dst, q.dst, 16);
	assert_int_equal(got_plugin, 2);
	assert_int_equal(trace_expire(INT64_MAX - 1), INT64_MAX);
	assert_int_equal(n_got, n);
	assert_int_equal(tr.waiting, 0);
}

static void
test_all_slots(void **state)
{
	static struct prober_request all[TRACE_WAITING_MAX];
	struct ng_trace_request q = request();
	struct prober_result r;

	(void)state;
	for (uint32_t i = 0; i < TRACE_WAITING_MAX; i++) {
		q.id = i + 1;
		assert_int_equal(trace_ask(i % 16, &q, S), 0);
		all[i] = asked();
	}
	assert_int_equal(trace_ask(0, &q, S), -EAGAIN);
	/* Answered in another order. */
	for (uint32_t k = 0; k < TRACE_WAITING_MAX; k++) {
		uint32_t i = k * 389 % TRACE_WAITING_MAX;

		r = result(&all[i]);
		say(&r, PROBER_RESULT_SIZE(2));
		assert_int_equal(trace_read(), 1);
		assert_int_equal(n_got, k + 1);
		assert_int_equal(got.id, i + 1);
		assert_int_equal(got_plugin, i % 16);
		if (k % 3 == 0) { /* one free slot is found */
			assert_int_equal(trace_ask(0, &q, S), 0);
			all[i] = asked();
			r = result(&all[i]);
			say(&r, PROBER_RESULT_SIZE(2));
			assert_int_equal(trace_read(), 1);
			n_got--;
		}
	}
	assert_int_equal(tr.waiting, 0);
}

/* A plugin may ask from within the answer, also when all slots were taken. */
static void
test_asks_from_within(void **state)
{
	struct ng_trace_request q = request();
	struct prober_request a;
	struct prober_result r;

	(void)state;
	assert_int_equal(trace_ask(4, &q, S), 0);
	a = asked();
	while (tr.waiting < TRACE_WAITING_MAX) {
		assert_int_equal(trace_ask(4, &q, S), 0);
		asked();
	}
	ask_again = &q;
	r = result(&a);
	say(&r, PROBER_RESULT_SIZE(2));
	assert_int_equal(trace_read(), 1);
	assert_int_equal(n_got, 1);
	assert_int_equal(tr.waiting, TRACE_WAITING_MAX);
	assert_int_not_equal(asked().id, a.id);
	ask_again = NULL;
	/* The new one, asked at 5 s, outlives the others. */
	assert_int_equal(trace_expire(S + TRACE_WAIT_US), 5 * S + TRACE_WAIT_US);
	assert_int_equal(tr.waiting, 1);
}

static void
test_the_other_end_closes(void **state)
{
	struct ng_trace_request q = request();

	(void)state;
	say("", 0); /* looks like it, but is not */
	assert_int_equal(trace_read(), 1);
	assert_int_equal(trace_read(), 0);
	assert_int_equal(trace_ask(0, &q, S), 0);
	close(prober);
	prober = -1;
	assert_true(trace_read() < 0);
	assert_int_equal(trace_ask(0, &q, S), -ENOSYS);
	assert_int_equal(trace_read(), -ENOSYS);
	assert_int_equal(trace_expire(INT64_MAX - 1), INT64_MAX);
	assert_int_equal(n_got, 1); /* still told */
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_request),
		TEST(test_bad_requests),
		TEST(test_result),
		TEST(test_refusals_come_back),
		TEST(test_wrong_sizes),
		TEST(test_forged_results),
		TEST(test_whole_path),
		TEST(test_a_persons),
		TEST(test_of_an_earlier_analyzer),
		TEST(test_nobody_answers),
		TEST(test_all_slots),
		TEST(test_asks_from_within),
		TEST(test_the_other_end_closes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
