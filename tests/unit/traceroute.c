/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The plugin traceroute: what makes it ask, what never does, what its reports say, and when a path is
 * another one than before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>

#include "../../plugins/traceroute.c"
#include "fake_host.h"

#define S 1000000LL
#define HOUR (3600 * S)
#define DAY (24 * HOUR)

static void *self;
static int64_t now_us;

static void
run(void)
{
	assert_int_equal(ng_plugin_1.start(&fake_ctx, &fake_host, &self), 0);
}

static int
setup(void **state)
{
	(void)state;
	fake_reset(options);
	self = NULL;
	now_us = 1000 * S;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	if (self)
		ng_plugin_1.stop(self);
	self = NULL;
	return 0;
}

static struct ng_event
event_of(enum ng_event_type type)
{
	return (struct ng_event){ .size = sizeof(struct ng_event), .type = type, .now_us = now_us,
				  .wall_us = now_us + 1000 * DAY };
}

/* An answered connection from home to 198.51.100.n:443, 10 hops away, RTT 20 ms. */
static struct ng_conn
conn(uint8_t n)
{
	struct ng_conn c = { .size = sizeof c, .state = NG_CONN_ANSWERED, .dir = NG_DIR_OUTBOUND, .ipv = 4,
			     .hook = NG_HOOK_FORWARD, .src = { 10, 0, 0, 5 }, .dst = { 198, 51, 100, n },
			     .sport = 40000, .dport = 443, .rtt_us = 20000, .rtt_ambiguous_us = -1, .rtt_src_us = -1,
			     .setup_us = 20000, .ttl_src = 64, .ttl_dst = 55, .isn_src = 1000, .isn_dst = 7000,
			     .flags = NG_CONN_TTL_SRC | NG_CONN_TTL_DST | NG_CONN_ISN };

	return c;
}

static void
give(const struct ng_conn *c)
{
	struct ng_event ev = event_of(NG_EVENT_CONN);

	ev.conn = c;
	assert_int_equal(ng_plugin_1.event(self, &ev), 0);
}

static void
give_n(const struct ng_conn *c, unsigned n)
{
	while (n--)
		give(c);
}

static const struct ng_trace_request *
asked(void)
{
	assert_true(fake_n_asked > 0);
	return &fake_asked[fake_n_asked - 1];
}

/* The path that answers a request: 10.9.9.ROUTERS[i] at ttl i + 1, 0: silent; then the destination, unless
 * one more 0 stands for it. */
static struct ng_trace_hop hops[PATH_TTLS + 8];

static struct ng_trace
path(const struct ng_trace_request *q, const char *routers)
{
	struct ng_trace tr = { .size = sizeof tr, .id = q->id, .ipv = q->ipv, .method = q->method,
			       .trigger = q->trigger, .reached = 1, .n_hops = (uint8_t)(strlen(routers) + 1),
			       .flow = q->flow, .sport = 64600, .dport = q->dport, .probes = 9, .dur_us = 70000,
			       .ts_us = 5 * DAY, .src = { 203, 0, 113, 2 }, .hops = hops };

	memcpy(tr.dst, q->dst, 16);
	memset(hops, 0, sizeof hops);
	for (uint8_t i = 0; i < tr.n_hops; i++) {
		hops[i].ttl = (uint8_t)(i + 1);
		hops[i].sent = 1;
		if (routers[i] == '-')
			continue;
		hops[i].flags = NG_HOP_ANSWERED;
		hops[i].n_rtt = 1;
		hops[i].rtt_us[0] = 1000U * i + 1;
		if (i + 1 == tr.n_hops) {
			memcpy(hops[i].addr, q->dst, 16);
			hops[i].flags |= NG_HOP_DST;
		} else {
			memcpy(hops[i].addr, (uint8_t[4]){ 10, 9, 9, (uint8_t)routers[i] }, 4);
		}
	}
	return tr;
}

static void
answer_with(const struct ng_trace *tr)
{
	struct ng_event ev = event_of(NG_EVENT_TRACE);

	ev.trace = tr;
	assert_int_equal(ng_plugin_1.event(self, &ev), 0);
}

/* Answers the last request. */
static void
answer(const char *routers)
{
	struct ng_trace tr = path(asked(), routers);

	answer_with(&tr);
}

static void
refuse(enum ng_trace_status status)
{
	struct ng_trace tr = path(asked(), "");

	tr.status = (uint8_t)status;
	tr.n_hops = tr.reached = 0;
	answer_with(&tr);
}

/* The text of a field of report i. */
static const char *
field(unsigned i, const char *name)
{
	static char values[4][64];
	static unsigned turn;
	char key[64], *value = values[turn++ % 4];
	const char *p;

	snprintf(key, sizeof key, " %s=", name);
	assert_true(i < fake_n_reports);
	p = strstr(fake_reports[i], key);
	if (!p)
		return "";
	p += strlen(key);
	snprintf(value, sizeof values[0], "%.*s", (int)strcspn(p, " "), p);
	return value;
}

/* ---- when ----------------------------------------------------------------------------------- */

static void
test_first_connection(void **state)
{
	struct ng_conn c = conn(1);

	(void)state;
	run();
	give(&c);
	assert_int_equal(fake_n_asked, 1);
	assert_int_equal(asked()->ipv, 4);
	assert_int_equal(asked()->method, NG_TRACE_TCP_SYN);
	assert_int_equal(asked()->trigger, NG_TRACE_ON_CONN);
	assert_int_equal(asked()->dport, 443);
	assert_int_equal(asked()->reply_ttl, 56); /* before it was forwarded */
	assert_int_equal(asked()->rtt_us, 20000);
	assert_int_equal(asked()->fresh, 0);
	assert_int_equal(asked()->flow, 0);
	assert_memory_equal(asked()->dst, c.dst, 16);
	assert_int_equal(asked()->sport, 0); /* no in-band unless configured */
	assert_int_equal(fake_count("asked"), 1);
}

static void
test_once_per_interval(void **state)
{
	struct ng_conn c = conn(1), other_port = conn(1);

	(void)state;
	run();
	other_port.dport = 80;
	give_n(&c, 3); /* also while it is under way */
	assert_int_equal(fake_n_asked, 1);
	answer("abc");
	for (int64_t end_us = now_us + 9 * DAY / 10 - S; now_us < end_us; now_us += HOUR)
		give(now_us / HOUR % 2 ? &c : &other_port);
	assert_int_equal(fake_n_asked, 1);
	assert_int_equal(fake_count("known"), 2 + 22);
	now_us += 3 * HOUR + DAY / 10;
	give(&other_port);
	assert_int_equal(fake_n_asked, 2);
	assert_int_equal(asked()->dport, 443); /* the first one's: the same flow as before */
	assert_int_equal(asked()->trigger, NG_TRACE_ON_CONN);
}

/* Seen in one second, not traced again in one second. */
static void
test_jitter(void **state)
{
	int64_t first_us = INT64_MAX, last_us = 0;
	struct traceroute *t;

	(void)state;
	fake_option("rate", "10000");
	run();
	for (int i = 0; i < 200; i++) {
		struct ng_conn c = conn((uint8_t)i);

		give(&c);
	}
	t = self;
	for (uint32_t i = 0; i < t->used; i++) {
		int64_t after_us = t->dests[i].due_us - now_us;

		assert_true(after_us >= DAY * 9 / 10 && after_us <= DAY * 11 / 10);
		first_us = after_us < first_us ? after_us : first_us;
		last_us = after_us > last_us ? after_us : last_us;
	}
	assert_int_equal(t->used, 200);
	assert_true(last_us - first_us > DAY / 10);
}

static void
test_what_never_causes_a_trace(void **state)
{
	static const struct {
		uint8_t dir, state;
		uint16_t flags;
		const char *count;
	} cases[] = {
		{ NG_DIR_INBOUND, NG_CONN_ANSWERED, 0, "inbound" },
		{ NG_DIR_INBOUND, NG_CONN_ESTABLISHED, 0, "inbound" },
		{ NG_DIR_INBOUND, NG_CONN_TIMEOUT, 0, "inbound" },
		{ NG_DIR_INBOUND, NG_CONN_ABORTED, 0, "inbound" },
		{ NG_DIR_INBOUND, NG_CONN_REFUSED, 0, "inbound" },
		{ NG_DIR_INTERNAL, NG_CONN_ANSWERED, 0, "other_dir" },
		{ NG_DIR_EXTERNAL, NG_CONN_ANSWERED, 0, "other_dir" },
		{ NG_DIR_LOCAL, NG_CONN_ESTABLISHED, 0, "other_dir" },
		{ NG_DIR_UNKNOWN, NG_CONN_ANSWERED, 0, "other_dir" },
		{ NG_DIR_OUTBOUND, NG_CONN_REFUSED, 0, "other_state" },
		{ NG_DIR_OUTBOUND, NG_CONN_ABORTED, 0, "other_state" },
		{ NG_DIR_OUTBOUND, NG_CONN_ORPHAN, 0, "other_state" },
		{ NG_DIR_OUTBOUND, NG_CONN_UNREACHABLE, 0, "other_state" },
		{ NG_DIR_OUTBOUND, NG_CONN_TIMEOUT, NG_CONN_LOSS, "other_state" }, /* was the answer lost to us? */
	};

	(void)state;
	run();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ng_conn c = conn((uint8_t)i);
		uint64_t before = fake_count(cases[i].count);

		c.dir = cases[i].dir;
		c.state = cases[i].state;
		c.flags |= cases[i].flags;
		give(&c);
		if (fake_n_asked || fake_count(cases[i].count) != before + 1)
			fail_msg("case %zu", i);
	}
	assert_int_equal(((struct traceroute *)self)->used, 0); /* nor do they fill the table */
}

/* 10,000 forged SYNs from outside, answered by a server at home. */
static void
test_reflection(void **state)
{
	(void)state;
	fake_option("peers", "yes"); /* even then: an answer is no proof */
	run();
	for (uint32_t i = 0; i < 10000; i++) {
		struct ng_conn c = conn(1);

		c.dir = NG_DIR_INBOUND;
		memcpy(c.src, &i, 4);
		give(&c);
	}
	assert_int_equal(fake_n_asked, 0);
	assert_int_equal(fake_count("inbound"), 10000);
	assert_non_null(strstr(fake_said, "none is traced"));
}

static void
test_peers(void **state)
{
	struct ng_conn c = conn(1);

	(void)state;
	fake_option("peers", "yes");
	fake_option("in-band", "yes");
	run();
	c.dir = NG_DIR_INBOUND;
	c.state = NG_CONN_ESTABLISHED;
	memcpy(c.src, (uint8_t[4]){ 198, 51, 100, 77 }, 4);
	c.ttl_src = 50;
	give(&c);
	assert_int_equal(fake_n_asked, 1);
	assert_memory_equal(asked()->dst, c.src, 16); /* the peer, not our server */
	assert_int_equal(asked()->method, NG_TRACE_TCP_SYN);
	assert_int_equal(asked()->dport, 40000);
	assert_int_equal(asked()->reply_ttl, 51);
	give(&c);
	assert_int_equal(fake_n_asked, 1);
	assert_int_equal(fake_count("known"), 1);
}

static void
test_local_connections(void **state)
{
	struct ng_conn c = conn(1);

	(void)state;
	run();
	c.hook = NG_HOOK_OUTPUT; /* the router's own */
	give(&c);
	assert_int_equal(fake_n_asked, 1);
	assert_int_equal(asked()->reply_ttl, 55); /* nobody forwarded it here */
}

static void
test_slow(void **state)
{
	struct ng_conn c = conn(1), slow = conn(1);

	(void)state;
	run();
	give(&c);
	answer("abc");
	now_us += HOUR;
	slow.rtt_us = 500000;
	give(&slow); /* one handshake makes no normal */
	assert_int_equal(fake_n_asked, 1);
	give_n(&c, 30);
	slow.rtt_us = 65000; /* three times as much, but not by 50 ms */
	give(&slow);
	assert_int_equal(fake_n_asked, 1);
	slow.rtt_us = 90000;
	give(&slow);
	assert_int_equal(fake_n_asked, 2);
	assert_int_equal(asked()->trigger, NG_TRACE_ON_SLOW);
	assert_int_equal(asked()->fresh, 1); /* cached hops have no RTT */
	answer("abc");
	give(&slow);
	now_us += 299 * S;
	give(&slow);
	assert_int_equal(fake_n_asked, 2); /* within min-gap */
	assert_int_equal(fake_count("too_soon"), 2);
	now_us += S;
	give(&slow);
	assert_int_equal(fake_n_asked, 3);
	answer("abc");
	/* It stays so: that is normal now. */
	give_n(&slow, 60);
	now_us += HOUR;
	give(&slow);
	assert_int_equal(fake_n_asked, 3);
	slow.rtt_us = -1; /* ambiguous */
	give(&slow);
	assert_int_equal(fake_n_asked, 3);
}

/* A normal of next to nothing does grow. */
static void
test_slow_from_nothing(void **state)
{
	struct ng_conn c = conn(1);

	(void)state;
	run();
	c.rtt_us = 0;
	give_n(&c, 9);
	c.rtt_us = 100000;
	give_n(&c, 1000);
	assert_in_range(((struct traceroute *)self)->dests[0].base_us, 90000, 100000);
}

static void
test_slow_options(void **state)
{
	struct ng_conn c = conn(1);

	(void)state;
	fake_option("slow-factor", "10");
	fake_option("slow-min-ms", "1");
	fake_option("min-gap", "0");
	run();
	give_n(&c, 20);
	answer("abc");
	c.rtt_us = 190000;
	give(&c);
	assert_int_equal(fake_n_asked, 1);
	c.rtt_us = 900000;
	give(&c);
	assert_int_equal(fake_n_asked, 2);
}

static void
test_loss(void **state)
{
	struct ng_conn c = conn(1), lost = conn(1), gone = conn(2);

	(void)state;
	run();
	gone.state = NG_CONN_TIMEOUT;
	gone.rtt_us = -1;
	gone.flags = NG_CONN_TTL_SRC;
	gone.ttl_dst = 0;
	give(&gone); /* never answered */
	assert_int_equal(fake_n_asked, 1);
	assert_int_equal(asked()->trigger, NG_TRACE_ON_LOSS);
	assert_int_equal(asked()->reply_ttl, 0);
	assert_int_equal(asked()->rtt_us, 0);
	answer("ab-");
	give(&c);
	answer("abc");
	now_us += HOUR;
	lost.syn_retrans = 1;
	lost.rtt_us = -1;
	give(&lost);
	assert_int_equal(fake_n_asked, 3);
	assert_int_equal(asked()->trigger, NG_TRACE_ON_LOSS);
	assert_int_equal(asked()->fresh, 1);
	assert_int_equal(asked()->rtt_us, 20000); /* the normal */
	answer("abc");
	give(&lost);
	assert_int_equal(fake_count("too_soon"), 1);
	now_us += HOUR;
	gone = conn(1);
	gone.state = NG_CONN_TIMEOUT;
	give(&gone);
	assert_int_equal(fake_n_asked, 4);
}

static void
test_timeouts_off(void **state)
{
	struct ng_conn c = conn(1);

	(void)state;
	fake_option("timeouts", "no");
	run();
	c.state = NG_CONN_TIMEOUT;
	give(&c);
	assert_int_equal(fake_n_asked, 0);
	assert_int_equal(fake_count("other_state"), 1);
}

static void
test_length_changes(void **state)
{
	struct ng_conn c = conn(1);

	(void)state;
	run();
	give(&c);
	answer("abc");
	now_us += HOUR;
	c.ttl_dst = 119; /* of 128: the same 10 hops, another host behind the address */
	give_n(&c, 4);
	c.ttl_dst = 54;
	give(&c); /* one longer, once */
	c.ttl_dst = 55;
	give_n(&c, 2);
	c.ttl_dst = 54;
	give(&c);
	c.ttl_dst = 53;
	give(&c);
	assert_int_equal(fake_n_asked, 1);
	give(&c); /* twice the same */
	assert_int_equal(fake_n_asked, 2);
	assert_int_equal(asked()->trigger, NG_TRACE_ON_CONN);
	assert_int_equal(asked()->fresh, 1);
	assert_int_equal(asked()->reply_ttl, 54);
	answer("abc");
	give_n(&c, 3); /* that is its length now */
	assert_int_equal(fake_n_asked, 2);
	c.ttl_dst = 50; /* too soon; not forgotten */
	give_n(&c, 3);
	assert_int_equal(fake_n_asked, 2);
	assert_int_equal(fake_count("too_soon"), 2);
	now_us += HOUR;
	give(&c);
	assert_int_equal(fake_n_asked, 3);
}

static void
test_path_change_off(void **state)
{
	struct ng_conn c = conn(1);

	(void)state;
	fake_option("path-change", "no");
	fake_option("interval", "600");
	run();
	give(&c);
	answer("abc");
	now_us += 500 * S;
	c.ttl_dst = 40;
	give_n(&c, 3);
	assert_int_equal(fake_n_asked, 1);
	now_us += 200 * S;
	give(&c);
	answer("xyz");
	assert_int_equal(fake_n_asked, 2); /* no second look */
	assert_string_equal(field(1, "prev_path_hash"), "");
	assert_string_not_equal(field(1, "path_hash"), field(0, "path_hash"));
}

static void
test_rate(void **state)
{
	(void)state;
	fake_option("rate", "60");
	run();
	for (int i = 0; i < 100; i++) {
		struct ng_conn c = conn((uint8_t)i);

		give(&c);
	}
	assert_int_equal(fake_n_asked, 60); /* a minute's worth at once */
	assert_int_equal(fake_count("braked"), 40);
	for (int n = 0; n < 10; n++) { /* then one a second */
		now_us += S;
		for (int i = 0; i < 100; i++) {
			struct ng_conn c = conn((uint8_t)i);

			give(&c);
		}
	}
	assert_int_equal(fake_n_asked, 70);
}

static void
test_in_band(void **state)
{
	struct ng_conn c = conn(1), unknown = conn(2), old = conn(3);

	(void)state;
	fake_option("in-band", "yes");
	run();
	give(&c);
	assert_int_equal(asked()->method, NG_TRACE_TCP_ACK);
	assert_memory_equal(asked()->src, c.src, 16);
	assert_int_equal(asked()->sport, 40000);
	assert_int_equal(asked()->dport, 443);
	assert_int_equal(asked()->isn_src, 1000);
	assert_int_equal(asked()->isn_dst, 7000);
	unknown.flags &= (uint16_t)~NG_CONN_ISN;
	give(&unknown);
	assert_int_equal(asked()->method, NG_TRACE_TCP_SYN);
	old.size = offsetof(struct ng_conn, isn_src); /* of a host of ABI 1.0 */
	give(&old);
	assert_int_equal(asked()->method, NG_TRACE_TCP_SYN);
	assert_int_equal(fake_n_asked, 3);
}

static void
test_methods(void **state)
{
	static const struct {
		const char *word;
		uint8_t method;
		uint16_t dport;
	} cases[] = { { "tcp", NG_TRACE_TCP_SYN, 443 }, { "udp", NG_TRACE_UDP, 33434 }, { "icmp", NG_TRACE_ICMP, 0 } };
	struct ng_conn c = conn(1);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		setup(state);
		fake_option("method", cases[i].word);
		run();
		give(&c);
		assert_int_equal(asked()->method, cases[i].method);
		assert_int_equal(asked()->dport, cases[i].dport);
		teardown(state);
	}
	setup(state);
	fake_option("method", "ping");
	assert_int_equal(ng_plugin_1.start(&fake_ctx, &fake_host, &self), -EINVAL);
	assert_non_null(strstr(fake_said, "method"));
	self = NULL;
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void
test_refusals(void **state)
{
	static const struct {
		enum ng_trace_status status;
		const char *count;
		int64_t again_us;
	} cases[] = {
		{ NG_TRACE_BAD_REQUEST, "no_way", DAY },  { NG_TRACE_BOGON, "not_public", DAY },
		{ NG_TRACE_HOME, "not_public", DAY },	  { NG_TRACE_OWN, "not_public", DAY },
		{ NG_TRACE_EXCLUDED, "excluded", DAY },	  { NG_TRACE_BUDGET, "budget", HOUR },
		{ NG_TRACE_RATE, "busy", 60 * S },	  { NG_TRACE_NO_ROUTE, "no_way", 300 * S },
		{ NG_TRACE_BUSY, "busy", 60 * S },	  { NG_TRACE_STOPPED, "no_way", 60 * S },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ng_conn c = conn(1);

		setup(state);
		run();
		give(&c);
		refuse(cases[i].status);
		assert_int_equal(fake_count(cases[i].count), 1);
		assert_int_equal(fake_count("reported"), 0);
		now_us += cases[i].again_us * 8 / 10;
		give(&c);
		assert_int_equal(fake_n_asked, 1);
		now_us += cases[i].again_us * 4 / 10;
		give(&c);
		assert_int_equal(fake_n_asked, 2);
		teardown(state);
	}
	assert_int_equal(fake_n_reports, 0);
	assert_int_equal(fake_n_said, 0); /* at debug only */
}

static void
test_host_refuses(void **state)
{
	struct ng_conn c = conn(1);

	(void)state;
	run();
	fake_trace_result = -EAGAIN;
	give(&c);
	assert_int_equal(fake_count("busy"), 1);
	assert_int_equal(fake_n_said, 0);
	fake_trace_result = 0;
	give(&c); /* still due */
	assert_int_equal(fake_n_asked, 1);
}

/* As in a replay: nothing is asked, and that is said once. */
static void
test_no_prober(void **state)
{
	(void)state;
	fake_option("targets", "192.0.2.1");
	run();
	fake_trace_result = -ENOSYS;
	for (int i = 0; i < 10; i++) {
		struct ng_conn c = conn((uint8_t)i);

		give(&c);
	}
	assert_int_equal(fake_n_asked, 0);
	assert_int_equal(fake_n_said, 1);
	assert_non_null(strstr(fake_said, "no prober"));
	assert_int_equal(fake_count("no_way"), 10);
}

/* ---- the table ------------------------------------------------------------------------------ */

static void
test_eviction(void **state)
{
	(void)state;
	fake_option("destinations", "16");
	fake_option("rate", "100000");
	run();
	for (int i = 0; i < 16; i++) {
		struct ng_conn c = conn((uint8_t)i);

		give(&c);
	}
	assert_int_equal(fake_count("evicted"), 0);
	for (int i = 0; i < 15; i++) { /* used again: number 15 is the oldest */
		struct ng_conn c = conn((uint8_t)i);

		give(&c);
	}
	assert_int_equal(fake_n_asked, 16);
	for (int i = 16; i < 18; i++) { /* these push 15 and 0 out */
		struct ng_conn c = conn((uint8_t)i);

		give(&c);
	}
	assert_int_equal(fake_count("evicted"), 2);
	for (int i = 1; i < 15; i++) {
		struct ng_conn c = conn((uint8_t)i);

		give(&c);
	}
	assert_int_equal(fake_n_asked, 18);
	{
		struct ng_conn c = conn(0);

		give(&c); /* forgotten: asked again */
	}
	assert_int_equal(fake_n_asked, 19);
	assert_int_equal(fake_count("evicted"), 3);
}

/* Random use of a small table against one that never forgets what it should know. */
static void
test_table_against_a_naive_one(void **state)
{
	enum { N = 32 };
	struct { uint8_t n; } lru[N];
	unsigned seed = (unsigned)time(NULL), used = 0, asks = 0;
	struct traceroute *t;

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	fake_option("destinations", "32");
	fake_option("rate", "1000000");
	run();
	t = self;
	for (int op = 0; op < 5000; op++) {
		uint8_t n = (uint8_t)(rand() % 48);
		struct ng_conn c = conn(n);
		unsigned i = 0;

		while (i < used && lru[i].n != n)
			i++;
		if (i == used) {
			asks++;
			if (used == N)
				memmove(lru, lru + 1, (N - 1) * sizeof *lru);
			else
				used++;
			i = used - 1;
		}
		memmove(lru + i, lru + i + 1, (used - 1 - i) * sizeof *lru);
		lru[used - 1].n = n;
		give(&c);
		assert_int_equal(fake_n_asked, asks);
		if (rand() % 2 && fake_n_asked)
			answer(rand() % 2 ? "abc" : "axc");
		asks = fake_n_asked; /* with second looks */
		assert_true(t->used <= N);
	}
	assert_int_equal(t->used, N);
	for (uint32_t i = t->oldest, k = 0; i != NONE; i = t->dests[i].newer, k++)
		assert_int_equal(t->dests[i].addr[3], lru[k].n);
}

/* ---- reports -------------------------------------------------------------------------------- */

static void
test_report(void **state)
{
	struct ng_conn c = conn(1);
	struct ng_trace tr;

	(void)state;
	run();
	give(&c);
	tr = path(asked(), "a-c");
	hops[0].flags |= NG_HOP_ICMP;
	hops[0].icmp_type = 11;
	hops[0].reply_ttl = 64;
	hops[0].n_rtt = 3;
	hops[0].rtt_us[1] = 5;
	hops[0].rtt_us[2] = 6;
	hops[0].sent = 200; /* more than a report can say */
	hops[1].sent = 2;
	hops[2].flags |= NG_HOP_CACHED | NG_HOP_NAT;
	hops[2].sent = hops[2].n_rtt = 0;
	hops[3].n_mpls = 2;
	hops[3].mpls[0] = 24015U << 12 | 5 << 9 | 1;
	hops[3].mpls[1] = 1048575U << 12 | 1 << 8 | 255;
	answer_with(&tr);
	assert_int_equal(fake_n_reports, 1);
	assert_string_equal(fake_reports[0],
			    "trace ts=432000000000 tuple=64600>443 method=tcp-syn trigger=conn flow_id=0 reached=true "
			    "dur_us=70000 path_hash=f8afe673fef1b6bb hops=["
			    "{ttl=1 ip=10.9.9.97 rtt_us=[1 5 6] sent=10 icmp=11/0 reply_ttl=64] "
			    "{ttl=2 sent=2] {ttl=3 ip=10.9.9.99 nat=true cached=true] "
			    "{ttl=4 ip=198.51.100.1 rtt_us=[3001] sent=1 mpls=["
			    "{label=24015 tc=5 s=0 ttl=1] {label=1048575 tc=0 s=1 ttl=255]]]]");
	assert_int_equal(fake_count("reported"), 1);
}

/* Each method's own fields; the source is not always known. */
static void
test_report_tuples(void **state)
{
	struct ng_conn c = conn(1);
	struct ng_trace tr;

	(void)state;
	run();
	give(&c);
	tr = path(asked(), "a");
	tr.id = 0;
	tr.trigger = NG_TRACE_ON_MANUAL;
	tr.method = NG_TRACE_UDP;
	answer_with(&tr);
	assert_true(fake_has(0, " dir=outbound src_ip=203.0.113.2 src_port=64600 dst_ip=198.51.100.1 dst_port=443 proto=udp "
				"method=udp trigger=manual "));
	tr.method = NG_TRACE_ICMP;
	answer_with(&tr);
	assert_true(fake_has(1, " dir=outbound src_ip=203.0.113.2 dst_ip=198.51.100.1 proto=icmp method=icmp "));
	tr.ipv = 6;
	answer_with(&tr);
	assert_true(fake_has(2, " proto=icmp6 method=icmp "));
	tr.ipv = 4;
	tr.method = NG_TRACE_TCP_ACK;
	answer_with(&tr);
	assert_true(fake_has(3, " tuple=64600>443 method=tcp-ack "));
	memset(tr.src, 0, 16);
	answer_with(&tr);
	assert_true(fake_has(4, " dir=outbound dst_ip=198.51.100.1 dst_port=443 proto=tcp method=tcp-ack "));
	assert_true(strstr(fake_reports[4], "src_ip") == NULL);
	tr.n_hops = tr.reached = 0;
	tr.ts_us = 0;
	tr.status = NG_TRACE_DEADLINE;
	answer_with(&tr);
	assert_true(fake_has(5, " reached=false ") && fake_has(5, " hops=[]"));
	assert_string_equal(field(5, "path_hash"), ""); /* nobody answered */
	assert_int_equal(fake_number(5, "ts"), now_us + 1000 * DAY);
	assert_int_equal(fake_count("reported"), 6);
}

/* 64 hops with 4 labels each are more than a line holds. */
static void
test_labels_are_bounded(void **state)
{
	static struct ng_trace_hop many[64];
	struct ng_trace tr = { .size = sizeof tr, .ipv = 6, .n_hops = 64, .hops = many, .trigger = NG_TRACE_ON_MANUAL };
	unsigned labels = 0;

	(void)state;
	run();
	for (uint8_t i = 0; i < 64; i++)
		many[i] = (struct ng_trace_hop){ .ttl = (uint8_t)(i + 1), .flags = NG_HOP_ANSWERED, .n_mpls = 4, .addr = { 0x20, i } };
	answer_with(&tr);
	for (const char *p = fake_reports[0]; (p = strstr(p, "label=")); p++)
		labels++;
	assert_int_equal(labels, LABELS_MAX);
}

/* ---- path_hash and change ------------------------------------------------------------------- */

/* What net-gazer.conf(5) promises, computed by hand: FNV-1a over ttl and address of those that answered. */
static void
test_hash_is_documented(void **state)
{
	static const uint8_t bytes[] = { 1, 10, 9, 9, 'a', 3, 10, 9, 9, 'c', 4, 198, 51, 100, 1 };
	uint64_t h = 14695981039346656037ULL;
	struct ng_conn c = conn(1);
	char want[17];

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		h = (h ^ bytes[i]) * 1099511628211ULL;
	snprintf(want, sizeof want, "%016" PRIx64, h);
	run();
	give(&c);
	answer("a-c");
	assert_string_equal(field(0, "path_hash"), want);
	/* The RFC draft's vector: "foobar". */
	assert_true(path_fnv(FNV_BASIS, (const uint8_t *)"foobar", 6) == 0x85944171f73967e8ULL);
}

/* The next trace of the same destination. */
static void
again(const struct ng_conn *c, const char *routers)
{
	now_us += 2 * DAY;
	give(c);
	answer(routers);
}

static void
test_silence_is_no_change(void **state)
{
	struct ng_conn c = conn(1);
	const char *hash;

	(void)state;
	run();
	give(&c);
	answer("a-cd");
	again(&c, "ab-d"); /* the second is learnt, the third keeps silent */
	again(&c, "-bc-");
	again(&c, "----");
	again(&c, "abcd");
	assert_int_equal(fake_n_reports, 5);
	assert_int_equal(fake_n_asked, 5); /* and no second look */
	hash = field(0, "path_hash");
	for (unsigned i = 0; i < 5; i++) {
		assert_string_equal(field(i, "path_hash"), hash);
		assert_string_equal(field(i, "prev_path_hash"), "");
	}
	/* What was learnt counts. */
	again(&c, "axcd");
	assert_int_equal(fake_n_asked, 7);
}

static void
test_change_is_reported_once(void **state)
{
	struct ng_conn c = conn(1);

	(void)state;
	run();
	give(&c);
	answer("abcd");
	now_us += 2 * DAY;
	give(&c);
	answer("axyd"); /* another: look again at once, without the cache */
	assert_int_equal(fake_n_asked, 3);
	assert_int_equal(asked()->fresh, 1);
	assert_int_equal(asked()->dport, 443);
	assert_int_equal(asked()->trigger, NG_TRACE_ON_CONN);
	answer("axyd");
	assert_int_equal(fake_n_asked, 3);
	assert_int_equal(fake_n_reports, 3);
	assert_string_equal(field(1, "prev_path_hash"), "");
	assert_string_equal(field(2, "prev_path_hash"), field(0, "path_hash"));
	assert_string_equal(field(2, "path_hash"), field(1, "path_hash"));
	assert_int_equal(fake_count("changed"), 1);
	again(&c, "axyd");
	again(&c, "a-yd");
	assert_int_equal(fake_n_reports, 5);
	for (unsigned i = 3; i < 5; i++) {
		assert_string_equal(field(i, "prev_path_hash"), "");
		assert_string_equal(field(i, "path_hash"), field(2, "path_hash"));
	}
	assert_int_equal(fake_count("changed"), 1);
}

static void
test_length_is_a_change(void **state)
{
	struct ng_conn c = conn(1);

	(void)state;
	run();
	give(&c);
	answer("ab-");
	again(&c, "ab--");
	answer("ab--");
	assert_int_equal(fake_count("changed"), 1);
	assert_string_equal(field(2, "prev_path_hash"), field(0, "path_hash"));
}

/* Not reached is no length. */
static void
test_not_reached_is_no_change(void **state)
{
	struct ng_conn c = conn(1);
	struct ng_trace tr;

	(void)state;
	run();
	give(&c);
	answer("abcd");
	now_us += 2 * DAY;
	give(&c);
	tr = path(asked(), "ab-");
	tr.n_hops = 3;
	tr.reached = 0;
	answer_with(&tr);
	assert_int_equal(fake_n_asked, 2);
	assert_string_equal(field(1, "path_hash"), field(0, "path_hash"));
	assert_string_equal(field(1, "prev_path_hash"), "");
}

static void
test_accident_is_no_change(void **state)
{
	struct ng_conn c = conn(1);

	(void)state;
	run();
	give(&c);
	answer("abcd");
	again(&c, "axcd");
	answer("abcd"); /* the second look: as ever */
	assert_int_equal(fake_count("changed"), 0);
	assert_int_equal(fake_count("unconfirmed"), 1);
	again(&c, "azcd");
	answer("aycd"); /* another one each time: balanced by packet */
	assert_int_equal(fake_count("changed"), 0);
	assert_int_equal(fake_count("unconfirmed"), 2);
	for (unsigned i = 0; i < fake_n_reports; i++)
		assert_string_equal(field(i, "prev_path_hash"), "");
	/* Two unlike second looks that agree on one thing: that one has changed. */
	again(&c, "axkd");
	answer("aykd");
	assert_int_equal(fake_count("changed"), 1);
	assert_string_equal(field(fake_n_reports - 1, "prev_path_hash"), field(0, "path_hash"));
}

/* Another source port (the prober was started again) may take another branch. */
static void
test_other_flow_is_not_compared(void **state)
{
	struct ng_conn c = conn(1);
	struct ng_trace tr;

	(void)state;
	run();
	give(&c);
	answer("abcd");
	now_us += 2 * DAY;
	give(&c);
	tr = path(asked(), "axyd");
	tr.sport = 64700;
	answer_with(&tr);
	assert_int_equal(fake_n_asked, 2);
	assert_string_equal(field(1, "prev_path_hash"), "");
	/* From here on it is that flow. */
	now_us += 2 * DAY;
	give(&c);
	tr = path(asked(), "abcd");
	tr.sport = 64700;
	answer_with(&tr);
	assert_int_equal(fake_n_asked, 4);
}

static void
test_in_band_is_not_compared(void **state)
{
	struct ng_conn c = conn(1);
	struct ng_trace tr;

	(void)state;
	run();
	give(&c);
	answer("abcd");
	tr = path(asked(), "axyd");
	((struct traceroute *)self)->dests[0].pending = tr.id;
	tr.method = NG_TRACE_TCP_ACK;
	answer_with(&tr);
	assert_int_equal(fake_n_asked, 1);
	again(&c, "abcd");
	assert_int_equal(fake_n_asked, 2);
}

/* A person's trace, and an answer that nobody waits for, are reported and change nothing. */
static void
test_unasked(void **state)
{
	struct ng_conn c = conn(1);
	struct ng_trace tr;

	(void)state;
	run();
	give(&c);
	answer("abcd");
	tr = path(asked(), "axyd");
	answer_with(&tr); /* the same id a second time */
	tr.id = 0;
	tr.trigger = NG_TRACE_ON_MANUAL;
	answer_with(&tr);
	assert_int_equal(fake_n_reports, 3);
	assert_int_equal(fake_n_asked, 1);
	assert_string_equal(field(2, "trigger"), "manual");
	assert_string_not_equal(field(2, "path_hash"), field(0, "path_hash"));
	again(&c, "abcd");
	assert_int_equal(fake_n_asked, 2);
	assert_string_equal(field(3, "path_hash"), field(0, "path_hash"));
}

/* The second look is braked or refused: no alarm, and another try soon. */
static void
test_second_look_does_not_come(void **state)
{
	struct ng_conn c = conn(1);
	struct ng_trace tr;

	(void)state;
	run();
	give(&c);
	answer("abcd");
	now_us += 2 * DAY;
	give(&c);
	tr = path(asked(), "axyd");
	fake_trace_result = -EAGAIN;
	answer_with(&tr);
	fake_trace_result = 0;
	assert_int_equal(fake_n_asked, 2);
	now_us += 61 * S;
	give(&c);
	answer("axyd");
	assert_int_equal(fake_n_asked, 4);
	refuse(NG_TRACE_RATE);
	assert_int_equal(((struct traceroute *)self)->candidates_used, 0);
	now_us += 61 * S;
	give(&c);
	answer("axyd");
	answer("axyd");
	assert_int_equal(fake_count("changed"), 1);
	assert_int_equal(((struct traceroute *)self)->candidates_used, 0);
}

/* More changes at a time than are remembered: the others wait for their next trace. */
static void
test_many_changes(void **state)
{
	unsigned first;

	(void)state;
	fake_option("rate", "1000000");
	run();
	for (int i = 0; i < 100; i++) {
		struct ng_conn c = conn((uint8_t)i);

		give(&c);
		answer("abcd");
	}
	now_us += 2 * DAY;
	for (int i = 0; i < 100; i++) {
		struct ng_conn c = conn((uint8_t)i);
		struct ng_trace tr;

		give(&c);
		tr = path(asked(), "axyd");
		answer_with(&tr);
	}
	assert_int_equal(fake_n_asked, 200 + CANDIDATES);
	first = 100;
	for (unsigned i = first; i < 200 + CANDIDATES; i++) {
		if (fake_asked[i].fresh) {
			struct ng_trace tr = path(&fake_asked[i], "axyd");

			answer_with(&tr);
		}
	}
	assert_int_equal(fake_count("changed"), CANDIDATES);
	now_us += 2 * DAY;
	for (int i = 0; i < 100; i++) {
		struct ng_conn c = conn((uint8_t)i);

		give(&c);
		answer("axyd");
		if (asked()->fresh)
			answer("axyd");
	}
	assert_int_equal(fake_count("changed"), 100);
}

/* ---- targets -------------------------------------------------------------------------------- */

static void
tick(void)
{
	struct ng_event ev = event_of(NG_EVENT_TIMER);

	assert_int_equal(ng_plugin_1.event(self, &ev), 0);
	assert_true(fake_timer_us[0] > 0);
}

static void
test_targets(void **state)
{
	struct ng_conn c = conn(1);

	(void)state;
	fake_option("targets", "198.51.100.1:8443, 2001:db8::1,[2001:db8::2]:22");
	fake_option("targets-interval", "600");
	run();
	c.dport = 25;
	give(&c); /* was first, to another port */
	answer("abc");
	assert_int_equal(fake_timer_us[0], 0);
	tick();
	assert_int_equal(fake_n_asked, 2);
	assert_int_equal(asked()->trigger, NG_TRACE_ON_SCHEDULE);
	assert_int_equal(asked()->dport, 8443);
	assert_int_equal(asked()->reply_ttl, 56); /* from its connections */
	answer("abc");
	now_us += fake_timer_us[0];
	tick();
	assert_int_equal(fake_n_asked, 3);
	assert_int_equal(asked()->ipv, 6);
	assert_int_equal(asked()->dport, 443);
	assert_int_equal(asked()->dst[15], 1);
	answer("abc");
	now_us += fake_timer_us[0];
	tick();
	assert_int_equal(asked()->dport, 22);
	assert_int_equal(asked()->dst[15], 2);
	answer("abc");
	for (int64_t end_us = now_us + 3600 * S; now_us < end_us; now_us += fake_timer_us[0]) {
		unsigned before = fake_n_asked;

		tick();
		if (fake_n_asked > before)
			answer("abc");
	}
	assert_in_range(fake_n_asked, 4 + 3 * 5, 4 + 3 * 7);
	/* The connection's own interval has begun anew with each. */
	give(&c);
	assert_int_equal(fake_count("known"), 1);
}

static void
test_target_is_tried_again(void **state)
{
	(void)state;
	fake_option("targets", "198.51.100.1");
	run();
	fake_trace_result = -EAGAIN;
	tick();
	assert_in_range(fake_timer_us[0], 54 * S, 66 * S);
	fake_trace_result = 0;
	now_us += fake_timer_us[0];
	tick();
	assert_int_equal(fake_n_asked, 1);
	assert_in_range(fake_timer_us[0], 3240 * S, 3960 * S);
}

static void
test_bad_targets(void **state)
{
	static const char *const bad[] = { "example.org", "198.51.100.1:", "198.51.100.1:0", "198.51.100.1:65536", "198.51.100",
					   "[2001:db8::1", "[2001:db8::1]443", "[2001:db8::1]:x", "2001:db8::g", "198.51.100.1:-1",
					   "1.2.3.4,5.6.7.8:99999", "198.51.100.1/24", ":80", "[]:80", "198.51.100.1:+1" };
	char many[900] = "";

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		setup(state);
		fake_option("targets", bad[i]);
		if (ng_plugin_1.start(&fake_ctx, &fake_host, &self) != -EINVAL)
			fail_msg("%s", bad[i]);
		self = NULL;
		assert_non_null(strstr(fake_said, "targets: \""));
	}
	for (int i = 0; i < TARGETS_MAX + 1; i++)
		snprintf(many + strlen(many), sizeof many - strlen(many), "10.0.0.%d,", i);
	setup(state);
	fake_option("targets", many);
	assert_int_equal(ng_plugin_1.start(&fake_ctx, &fake_host, &self), -EINVAL);
	assert_non_null(strstr(fake_said, "more than 32"));
	self = NULL;
	many[strlen(many) - strlen("10.0.0.32,")] = 0;
	setup(state);
	fake_option("targets", many);
	run();
	assert_int_equal(((struct traceroute *)self)->n_targets, TARGETS_MAX);
}

static void
test_counters_fit(void **state)
{
	(void)state;
	run();
	for (int i = 0; i < COUNTS; i++)
		assert_non_null(((struct traceroute *)self)->count[i]);
	assert_true(COUNTS <= 16); /* the host has no more */
	print_message("%zu bytes a destination\n", sizeof(struct dest));
	assert_true(sizeof(struct dest) <= 256);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_first_connection),
		TEST(test_once_per_interval),
		TEST(test_jitter),
		TEST(test_what_never_causes_a_trace),
		TEST(test_reflection),
		TEST(test_peers),
		TEST(test_local_connections),
		TEST(test_slow),
		TEST(test_slow_from_nothing),
		TEST(test_slow_options),
		TEST(test_loss),
		TEST(test_timeouts_off),
		TEST(test_length_changes),
		TEST(test_path_change_off),
		TEST(test_rate),
		TEST(test_in_band),
		TEST(test_methods),
		TEST(test_refusals),
		TEST(test_host_refuses),
		TEST(test_no_prober),
		TEST(test_eviction),
		TEST(test_table_against_a_naive_one),
		TEST(test_report),
		TEST(test_report_tuples),
		TEST(test_labels_are_bounded),
		TEST(test_hash_is_documented),
		TEST(test_silence_is_no_change),
		TEST(test_change_is_reported_once),
		TEST(test_length_is_a_change),
		TEST(test_not_reached_is_no_change),
		TEST(test_accident_is_no_change),
		TEST(test_other_flow_is_not_compared),
		TEST(test_in_band_is_not_compared),
		TEST(test_unasked),
		TEST(test_second_look_does_not_come),
		TEST(test_many_changes),
		TEST(test_targets),
		TEST(test_target_is_tried_again),
		TEST(test_bad_targets),
		TEST(test_counters_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
