/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The plugin attempts: the firewall's verdict from what was seen on both sides of it, the shape of a
 * scan, and that every SYN is in exactly one report, whatever runs full.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static unsigned allocations;

static void *
counting_malloc(size_t n)
{
	allocations++;
	return malloc(n);
}

static void *
counting_calloc(size_t n, size_t size)
{
	allocations++;
	return calloc(n, size);
}

#define malloc counting_malloc
#define calloc counting_calloc
#include "../../plugins/attempts.c"
#undef malloc
#undef calloc
#include "fake_host.h"

#define S 1000000

static void *self;
static int64_t now_us;

static void
run(void)
{
	now_us = 1000 * (int64_t)S;
	assert_int_equal(ng_plugin_1.start(&fake_ctx, &fake_host, &self), 0);
	/* Destinations are estimated, from hashes: the same in each run.  Nothing was hashed yet. */
	((struct attempts *)self)->seed = 0x9e3779b97f4a7c15;
}

static int
setup(void **state)
{
	(void)state;
	fake_reset(options);
	self = NULL;
	return 0;
}

static void
end(void)
{
	ng_plugin_1.stop(self);
	self = NULL;
}

static int
teardown(void **state)
{
	(void)state;
	if (self)
		end();
	return 0;
}

static int in_replay;

static void
event_at(struct ng_event ev)
{
	ev.size = sizeof ev;
	ev.now_us = ev.wall_us = now_us;
	ev.replay = (uint32_t)in_replay;
	assert_int_equal(ng_plugin_1.event(self, &ev), 0);
}

/* As the host does it: every half second. */
static void
pass(int64_t us)
{
	for (int64_t end_us = now_us + us; now_us < end_us;) {
		now_us += 500000;
		event_at((struct ng_event){ .type = NG_EVENT_TIMER });
	}
}

static void
ledger(uint64_t loss)
{
	struct ng_ledger l = { .size = sizeof l, .handshake_loss = loss };

	event_at((struct ng_event){ .type = NG_EVENT_LEDGER, .ledger = &l });
}

/* A SYN from 203.0.SOURCE to 198.51.100.HOST, before the filter. */
static struct ng_packet
knock(uint16_t source, uint8_t host_byte, uint16_t sport, uint16_t dport, uint32_t seq)
{
	return (struct ng_packet){
		.size = sizeof(struct ng_packet), .has = NG_HAS_IP | NG_HAS_PORTS | NG_HAS_TCP, .ipv = 4,
		.saddr = { 203, 0, (uint8_t)(source >> 8), (uint8_t)source }, .daddr = { 198, 51, 100, host_byte },
		.sport = sport, .dport = dport, .tcp_seq = seq, .tcp_flags = NG_TCP_SYN, .ts_us = now_us,
		.hook = NG_HOOK_FORWARD, .group = 102, .iif = 9, .classes = NG_CLASS_ATTEMPT,
	};
}

static void
give(const struct ng_packet *p)
{
	event_at((struct ng_event){ .type = NG_EVENT_PACKET, .packet = p });
}

/* The same SYN behind the filter. */
static struct ng_packet
twin_of(const struct ng_packet *p)
{
	struct ng_packet q = *p;

	q.classes = NG_CLASS_HANDSHAKE;
	q.group = 100;
	q.iif = 0;
	return q;
}

/* The router's RST to it. */
static struct ng_packet
rst_of(const struct ng_packet *p)
{
	struct ng_packet q = *p;

	memcpy(q.saddr, p->daddr, 16);
	memcpy(q.daddr, p->saddr, 16);
	q.sport = p->dport;
	q.dport = p->sport;
	q.tcp_seq = 0;
	q.tcp_ack = p->tcp_seq + 1;
	q.tcp_flags = NG_TCP_RST | NG_TCP_ACK;
	q.hook = NG_HOOK_OUTPUT;
	q.classes = NG_CLASS_HANDSHAKE;
	q.group = 101;
	return q;
}

static void
expect_verdict(const char *verdict)
{
	char want[48];

	snprintf(want, sizeof want, " verdict=%s ", verdict);
	assert_int_equal(fake_n_reports, 1);
	if (!fake_has(0, want))
		fail_msg("not %s: %s", verdict, fake_reports[0]);
}

/* ---- the verdict --------------------------------------------------------------------------- */

static void
test_every_field(void **state)
{
	struct ng_packet p, q;

	(void)state;
	run();
	p = knock(0x0107, 10, 50000, 22, 1000);
	give(&p);
	q = twin_of(&p);
	give(&q);
	pass(1 * S);
	p = knock(0x0107, 10, 50001, 80, 2000);
	give(&p);
	q = twin_of(&p);
	give(&q);
	pass(28 * S);
	assert_int_equal(fake_n_reports, 0);
	pass(10 * S);
	assert_int_equal(fake_n_reports, 1);
	assert_string_equal(fake_reports[0],
			    "attempt ts=1000000000 dir=inbound last_ts=1001000000 src_ip=203.0.1.7 "
			    "dst_ip=198.51.100.10 proto=tcp count=2 dst_ports=[22 80] dst_ips_n=1 verdict=accepted "
			    "kind=single hook=forward group=102 iif=wan");
	assert_int_equal(fake_count("syns"), 2);
	pass(100 * S);
	assert_int_equal(fake_n_reports, 1); /* once */
}

/* Whatever of SYN, twin and RST comes first. */
static void
test_orders(void **state)
{
	static const struct {
		const char *order, *verdict; /* s: SYN, t: twin, r: RST */
	} cases[] = {
		{ "s", "dropped" },   { "st", "accepted" },  { "ts", "accepted" },  { "sr", "rejected" },
		{ "rs", "rejected" }, { "str", "accepted" }, { "srt", "accepted" }, { "rst", "accepted" },
		{ "trs", "accepted" }, { "rts", "accepted" }, { "tsr", "accepted" }, { "ss", "dropped" },
		{ "sts", "accepted" }, { "srs", "rejected" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ng_packet p, q;
		int64_t syns = 0;

		setup(NULL);
		run();
		for (const char *c = cases[i].order; *c; c++) {
			now_us += 90000; /* a batch waits that long */
			p = knock(1, 10, 50000, 22, 0xffffffff); /* acknowledged as 0 */
			q = *c == 't' ? twin_of(&p) : *c == 'r' ? rst_of(&p) : p;
			syns += *c == 's';
			give(&q);
		}
		pass(35 * S);
		ledger(0);
		pass(1 * S);
		expect_verdict(cases[i].verdict);
		assert_int_equal(fake_number(0, "count"), syns);
		assert_int_equal(fake_count("syns"), syns);
		end();
	}
}

static void
test_twin_alone_is_no_attempt(void **state)
{
	struct ng_packet p, q;

	(void)state;
	run();
	p = knock(1, 10, 50000, 22, 1000);
	q = twin_of(&p);
	give(&q);
	q = rst_of(&p);
	q.tcp_ack += 7; /* of another SYN */
	give(&q);
	pass(100 * S);
	end();
	assert_int_equal(fake_n_reports, 0);
}

/* Another sequence number, port or family is another SYN. */
static void
test_twin_of_another(void **state)
{
	struct ng_packet p, q;

	(void)state;
	run();
	p = knock(1, 10, 50000, 22, 1000);
	give(&p);
	q = twin_of(&p);
	q.tcp_seq++;
	give(&q);
	q = twin_of(&p);
	q.sport++;
	give(&q);
	q = twin_of(&p);
	q.ipv = 6;
	give(&q);
	q = twin_of(&p);
	q.tcp_flags |= NG_TCP_ACK;
	give(&q);
	pass(35 * S);
	ledger(0);
	pass(1 * S);
	expect_verdict("dropped");
}

/* "Dropped" means that nothing was seen behind the filter: it waits for counters that say that
 * nothing was lost there. */
static void
test_dropped_waits_for_the_ledger(void **state)
{
	struct ng_packet p;

	(void)state;
	run();
	ledger(5);
	p = knock(1, 10, 50000, 22, 1000);
	give(&p);
	pass(25 * S);
	ledger(5); /* within its window: says nothing about its end */
	pass(10 * S);
	assert_int_equal(fake_n_reports, 0);
	ledger(5);
	pass(1 * S);
	expect_verdict("dropped");
}

static void
test_loss_makes_it_unknown(void **state)
{
	struct ng_packet p, q;

	(void)state;
	run();
	ledger(5);
	p = knock(1, 10, 50000, 22, 1000);
	give(&p);
	p = knock(2, 10, 50000, 22, 1000); /* accepted stays so */
	give(&p);
	q = twin_of(&p);
	give(&q);
	pass(35 * S);
	ledger(6);
	pass(1 * S);
	assert_int_equal(fake_n_reports, 2);
	for (unsigned i = 0; i < 2; i++)
		assert_true(fake_has(i, fake_has(i, "203.0.0.1 ") ? " verdict=unknown " : " verdict=accepted "));
}

static void
test_no_ledger(void **state)
{
	struct ng_packet p;

	(void)state;
	run();
	p = knock(1, 10, 50000, 22, 1000);
	give(&p);
	pass(60 * S); /* the counters never come: after their time it is said anyway */
	expect_verdict("dropped");
	/* In a replay there are none. */
	fake_n_reports = 0;
	in_replay = 1;
	p = knock(2, 10, 50000, 22, 1000);
	give(&p);
	pass(33 * S);
	in_replay = 0;
	expect_verdict("dropped");
}

static void
test_the_end(void **state)
{
	struct ng_packet p;

	(void)state;
	/* Cut short, it has no verdict; later than that it has. */
	for (int late = 0; late < 2; late++) {
		setup(NULL);
		run();
		p = knock(1, 10, 50000, 22, 1000);
		give(&p);
		if (late)
			pass(2 * S);
		end();
		expect_verdict(late ? "dropped" : "unknown");
	}
}

static void
test_accepted_may_stay_unsaid(void **state)
{
	struct ng_packet p, q;

	(void)state;
	fake_option("accepted", "no");
	run();
	p = knock(1, 10, 50000, 22, 1000);
	give(&p);
	q = twin_of(&p);
	give(&q);
	p = knock(1, 10, 50000, 23, 1000);
	give(&p);
	pass(60 * S);
	expect_verdict("dropped");
	assert_int_equal(fake_count("syns"), 2);
}

static void
test_whose_attempt(void **state)
{
	static const struct {
		enum ng_dir dir;
		uint8_t hook;
		const char *said; /* NULL: nobody's */
	} cases[] = {
		{ NG_DIR_INBOUND, NG_HOOK_FORWARD, "inbound" },	 { NG_DIR_EXTERNAL, NG_HOOK_FORWARD, "external" },
		{ NG_DIR_EXTERNAL, NG_HOOK_INPUT, "inbound" },	 { NG_DIR_UNKNOWN, NG_HOOK_PREROUTING, "unknown" },
		{ NG_DIR_OUTBOUND, NG_HOOK_FORWARD, NULL },	 { NG_DIR_INTERNAL, NG_HOOK_INPUT, NULL },
		{ NG_DIR_LOCAL, NG_HOOK_INPUT, NULL },		 { NG_DIR_INBOUND, NG_HOOK_OUTPUT, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ng_packet p, q;

		setup(NULL);
		run();
		fake_direction = cases[i].dir;
		p = knock(1, 10, 50000, 22, 1000);
		p.hook = cases[i].hook;
		give(&p);
		q = twin_of(&p);
		give(&q);
		pass(60 * S);
		assert_int_equal(fake_n_reports, cases[i].said != NULL);
		if (cases[i].said) {
			char want[32];

			snprintf(want, sizeof want, " dir=%s ", cases[i].said);
			assert_true(fake_has(0, want));
			assert_true(fake_has(0, " verdict=accepted "));
		}
		end();
	}
}

/* ---- kinds --------------------------------------------------------------------------------- */

static void
test_kinds(void **state)
{
	static const struct {
		unsigned ports, hosts, repeat;
		const char *kind;
	} cases[] = {
		{ 1, 1, 1, "single" },	   { 9, 1, 1, "single" },   { 10, 1, 1, "vertical_scan" },
		{ 64, 1, 1, "vertical_scan" }, { 1, 4, 1, "single" }, { 1, 5, 1, "horizontal_scan" },
		{ 2, 50, 1, "horizontal_scan" }, { 10, 5, 1, "vertical_scan" }, { 1, 1, 499, "single" },
		{ 1, 1, 500, "flood" },	   { 9, 4, 100, "flood" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char want[48];

		setup(NULL);
		run();
		for (unsigned n = 0; n < cases[i].repeat; n++) {
			for (unsigned port = 0; port < cases[i].ports; port++) {
				for (unsigned h = 0; h < cases[i].hosts; h++) {
					struct ng_packet p = knock(1, (uint8_t)(h + 1), 50000,
								   (uint16_t)(port + 1000), n);

					give(&p);
				}
			}
			if (n % 50 == 49)
				pass(2 * S); /* 20 s of the 30 s window for 500 */
		}
		pass(2 * S);
		end();
		assert_int_equal(fake_n_reports, 1);
		snprintf(want, sizeof want, " kind=%s ", cases[i].kind);
		if (!fake_has(0, want))
			fail_msg("case %zu is not %s: %.200s", i, cases[i].kind, fake_reports[0]);
		assert_int_equal(fake_number(0, "count"), cases[i].repeat * cases[i].ports * cases[i].hosts);
		assert_in_range(fake_number(0, "dst_ips_n"), cases[i].hosts - (cases[i].hosts > 20),
				cases[i].hosts + (cases[i].hosts > 20));
		assert_int_equal(fake_has(0, " dst_ip="), cases[i].hosts == 1);
		assert_int_equal(fake_number(0, "dst_ports_n"), -1); /* all are in the list */
	}
}

static void
scan(uint16_t source, unsigned ports)
{
	for (unsigned i = 0; i < ports; i++) {
		/* Spread, in no order, each once: 7919 is odd. */
		struct ng_packet p = knock(source, 10, 50000, (uint16_t)(i * 7919 + 1), i);

		give(&p);
		if (i % 1000 == 999)
			pass(2 * S);
	}
	pass(2 * S);
}

static void
test_many_ports(void **state)
{
	static const unsigned counts[] = { 64, 65, 100, 300, 1000, 5000 };
	double worst = 0;

	(void)state;
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
		for (int seed = 0; seed < 20; seed++) {
			int64_t n;
			double off;

			setup(NULL);
			run();
			((struct attempts *)self)->seed = 0x9e3779b97f4a7c15ULL * (uint64_t)(seed + 1) ^ 12345;
			scan(1, counts[i]);
			end();
			assert_int_equal(fake_n_reports, 1);
			assert_int_equal(fake_number(0, "count"), counts[i]);
			n = fake_number(0, "dst_ports_n");
			if (counts[i] == 64) {
				assert_int_equal(n, -1);
				continue;
			}
			off = ((double)n - counts[i]) / counts[i];
			off = off < 0 ? -off : off;
			worst = off > worst ? off : worst;
			if (off > 0.1)
				fail_msg("%u ports, seed %d: estimated as %lld", counts[i], seed, (long long)n);
		}
	}
	print_message("worst estimate: %.1f %% off\n", 100 * worst);
}

/* ---- full ---------------------------------------------------------------------------------- */

static int64_t
sum_of_counts(void)
{
	int64_t sum = 0;

	for (unsigned i = 0; i < fake_n_reports; i++)
		sum += fake_number(i, "count");
	return sum;
}

static void
test_sources_full(void **state)
{
	(void)state;
	run();
	for (uint16_t i = 0; i < SOURCES + 100; i++) {
		struct ng_packet p = knock(i, 10, 50000, 22, i), q = twin_of(&p);

		give(&p);
		give(&q);
	}
	pass(2 * S);
	assert_int_equal(fake_count("sources_full"), 100);
	assert_int_equal(fake_n_reports, 100); /* before their time, but said */
	for (unsigned i = 0; i < 100; i++) {
		char want[48];

		snprintf(want, sizeof want, " src_ip=203.0.0.%u ", i); /* the oldest */
		assert_true(fake_has(i, want));
	}
	pass(60 * S);
	assert_int_equal(fake_n_reports, SOURCES + 100);
	assert_int_equal(sum_of_counts(), SOURCES + 100);
}

static void
test_pending_full(void **state)
{
	(void)state;
	run();
	for (unsigned i = 0; i < PENDING + 50; i++) {
		struct ng_packet p = knock(1, 10, 50000, (uint16_t)(i % 60 + 1000), i), q = twin_of(&p);

		give(&p);
		if (i < 20)
			give(&q);
	}
	assert_int_equal(fake_count("pending_full"), 50);
	end();
	/* Those pushed out before anything was known are unknown; accepted ones are accepted. */
	assert_int_equal(sum_of_counts(), PENDING + 50);
	for (unsigned i = 0; i < fake_n_reports; i++)
		assert_int_equal(fake_number(i, "count"), fake_has(i, " verdict=accepted ") ? 20 : PENDING + 30);
	assert_int_equal(fake_n_reports, 2);
}

/* A million spoofed sources, twins for some: no memory, nothing lost count of. */
static void
test_flood(void **state)
{
	uint64_t x = 88172645463325252ULL;
	int64_t given = 0, said = 0;
	unsigned before;

	(void)state;
	run();
	before = allocations;
	assert_true(before > 0);
	for (int i = 0; i < 300000; i++) {
		struct ng_packet p, q;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		p = knock((uint16_t)((x >> 8) % 3000), (uint8_t)(x >> 20), (uint16_t)(x >> 30), (uint16_t)(x >> 45),
			  (uint32_t)i);
		given++;
		q = (x >> 60) & 1 ? twin_of(&p) : rst_of(&p);
		if ((x >> 61) % 3 == 0)
			give(&q);
		give(&p);
		if ((x >> 61) % 3 == 1)
			give(&q);
		if (i % 2000 == 0) {
			pass(1 * S);
			ledger((uint64_t)i / 50000);
		}
		if (fake_n_reports > FAKE_REPORTS - 6000) {
			said += sum_of_counts();
			fake_n_reports = 0;
		}
	}
	assert_int_equal(allocations, before);
	end();
	assert_int_equal(said + sum_of_counts(), given);
}

static void
test_not_tcp(void **state)
{
	struct ng_packet p;

	(void)state;
	run();
	p = knock(1, 10, 50000, 22, 1000);
	p.has &= (uint8_t)~NG_HAS_TCP;
	give(&p);
	for (unsigned flags = 0; flags < 256; flags++) {
		p = knock(1, 10, 50000, 22, 1000);
		p.tcp_flags = (uint8_t)flags;
		if ((flags & (NG_TCP_SYN | NG_TCP_ACK | NG_TCP_RST | NG_TCP_FIN)) != NG_TCP_SYN)
			give(&p);
	}
	end();
	assert_int_equal(fake_n_reports, 0);
	assert_int_equal(fake_count("syns"), 0);
}

static void
test_builder_is_busy(void **state)
{
	struct ng_packet p;

	(void)state;
	run();
	p = knock(1, 10, 50000, 22, 1000);
	give(&p);
	fake_refuse = 1;
	pass(60 * S);
	fake_refuse = 0;
	give(&p); /* it goes on */
	pass(60 * S);
	assert_int_equal(fake_n_reports, 1);
}

#define WITH(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(test_every_field),
		WITH(test_orders),
		WITH(test_twin_alone_is_no_attempt),
		WITH(test_twin_of_another),
		WITH(test_dropped_waits_for_the_ledger),
		WITH(test_loss_makes_it_unknown),
		WITH(test_no_ledger),
		WITH(test_the_end),
		WITH(test_accepted_may_stay_unsaid),
		WITH(test_whose_attempt),
		WITH(test_kinds),
		WITH(test_many_ports),
		WITH(test_sources_full),
		WITH(test_pending_full),
		WITH(test_flood),
		WITH(test_not_tcp),
		WITH(test_builder_is_busy),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(fake_reports);
	return failed;
}
