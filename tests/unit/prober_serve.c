/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Requests and their results over real sockets, with an engine and routes that the test plays and a
 * clock that it sets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../../src/prober/client.c"
#include "../../src/prober/serve.c"

#define WALL 1800000000000000

/* ---- the engine and the kernel, played ---- */

struct begun {
	uint32_t client;
	struct prober_request q;
	uint8_t src[16];
	struct prober_tuple wan;
	int live;
};

static struct begun begun[6000];
static unsigned n_begun, live, forgot[512];
static int begin_fails;
static enum prober_status route_status;

int
engine_begin(struct engine *e, uint32_t client, const struct prober_request *q, const uint8_t src[16],
	     const struct prober_tuple *wan, int64_t now_us, int64_t wall_us)
{
	struct begun *b = &begun[n_begun];

	(void)e;
	(void)now_us;
	(void)wall_us;
	if (begin_fails)
		return begin_fails;
	*b = (struct begun){ .client = client, .q = *q, .live = 1 };
	memcpy(b->src, src, 16);
	if (wan)
		b->wan = *wan;
	n_begun++;
	live++;
	return 0;
}

void
engine_forget(struct engine *e, uint32_t client)
{
	(void)e;
	forgot[client]++;
	for (unsigned i = 0; i < n_begun; i++) {
		if (begun[i].live && begun[i].client == client) {
			begun[i].live = 0;
			live--;
		}
	}
}

int64_t
engine_run(struct engine *e, int64_t now_us, int64_t wall_us)
{
	(void)e;
	(void)now_us;
	(void)wall_us;
	return INT64_MAX;
}

uint32_t
engine_live(const struct engine *e)
{
	(void)e;
	return live;
}

void
engine_stats(const struct engine *e, uint64_t stat[16])
{
	(void)e;
	stat[PROBER_STAT_PROBES] += 1234;
	stat[PROBER_STAT_TRACES] += 1; /* whoever counts what is ours is not believed */
}

enum prober_status
route_source(uint8_t ipv, const uint8_t dst[16], uint8_t src[16])
{
	(void)ipv;
	(void)dst;
	memset(src, 0, 16);
	src[0] = 198;
	return route_status;
}

/* The engine's word that trace i is over. */
static void
done(unsigned i, uint8_t n_hops)
{
	struct prober_result r = { .type = PROBER_MSG_RESULT, .id = begun[i].q.id, .ipv = begun[i].q.ipv,
				   .trigger = begun[i].q.trigger, .n_hops = n_hops };

	assert_true(begun[i].live);
	begun[i].live = 0;
	live--;
	for (unsigned h = 0; h < n_hops; h++)
		r.hop[h].ttl = (uint8_t)(h + 1);
	serve_done(begun[i].client, &r);
}

/* ---- the rig ---- */

static struct settings settings;
static struct budget *budget;
static int analyzer, listener, people[20], stopped;
static struct sockaddr_un where;
static struct { uint32_t id; struct prober_tuple t; } lookup[200];
static unsigned n_lookup;
static int lookup_fails;
static int64_t now;

static int
on_packet(void *arg, unsigned client, const void *bytes, size_t len)
{
	(void)arg;
	return serve_packet(client, bytes, len, now, WALL);
}

static void
on_gone(void *arg, unsigned client)
{
	(void)arg;
	serve_gone(client);
}

static void
on_turn(void *arg)
{
	(void)arg;
}

static int
on_lookup(void *arg, uint32_t id, const struct prober_tuple *t)
{
	(void)arg;
	if (lookup_fails)
		return -EAGAIN;
	assert_true(n_lookup < 200);
	lookup[n_lookup].id = id;
	lookup[n_lookup++].t = *t;
	return 0;
}

static int
setup(void **state)
{
	static const struct client_calls client_calls = { on_packet, on_gone, on_turn };
	int pair[2];

	(void)state;
	settings = (struct settings){ .probe_rate = 100, .trace_rate = 10, .prefix_budget = 1000, .traces = 32 };
	for (int k = 0; k < SETTINGS_KINDS; k++)
		settings.send_fd[k] = 100 + k;
	n_begun = live = n_lookup = 0;
	begin_fails = lookup_fails = stopped = 0;
	route_status = PROBER_DONE;
	memset(forgot, 0, sizeof forgot);
	memset(clients, 0, sizeof clients);
	memset(people, 0xff, sizeof people);
	now = 1000000000;
	loop = loop_new();
	assert_non_null(loop);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	analyzer = pair[1];
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
	where = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(where.sun_path + 1, sizeof where.sun_path - 1, "ng-prober-serve-%d", (int)getpid());
	assert_int_equal(bind(listener, (struct sockaddr *)&where, sizeof where), 0);
	assert_int_equal(listen(listener, 20), 0);
	settings.listen_fd = listener;
	budget = budget_open(-1, settings.prefix_budget, WALL);
	assert_int_equal(serve_start(&(struct serve_conf){ &settings, NULL, budget, on_lookup, NULL }, now), 0);
	assert_int_equal(client_start(loop, pair[0], listener, &client_calls, NULL), 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		if (people[i] >= 0)
			close(people[i]);
	}
	for (int i = 0; i < CLIENT_MAX; i++) {
		if (clients[i].open)
			close(clients[i].watch.fd);
	}
	if (analyzer >= 0)
		close(analyzer);
	close(listener);
	serve_stop();
	budget_close(budget);
	loop_free(loop);
	return 0;
}

static void
on_stop(struct loop_timer *t)
{
	(void)t;
	loop_stop(loop, 1);
}

/* What is in the sockets is read; 1 when the prober would have ended by itself. */
static int
pump(void)
{
	for (int i = 0; i < 8; i++) {
		struct loop_timer t = { 0 };
		int r;

		loop_timer_set(loop, &t, 0, on_stop, NULL);
		r = loop_run(loop);
		loop_timer_clear(&t);
		if (!r)
			return 1;
	}
	return 0;
}

static void
turn_at(int64_t at)
{
	now = at;
	serve_run(now, WALL);
}

static int
person(void)
{
	int n = 0;

	while (people[n] >= 0)
		n++;
	people[n] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
	assert_int_equal(connect(people[n], (struct sockaddr *)&where, sizeof where), 0);
	pump();
	return people[n];
}

static struct prober_request
request(uint32_t id)
{
	return (struct prober_request){ .type = PROBER_MSG_TRACE, .id = id, .ipv = 4, .dport = 443,
					.dst = { 1, (uint8_t)(id >> 8), (uint8_t)id, 1 } };
}

static void
ask(int fd, const struct prober_request *q)
{
	assert_int_equal(send(fd, q, sizeof *q, MSG_NOSIGNAL), sizeof *q);
	pump();
}

static void
ask_id(int fd, uint32_t id)
{
	struct prober_request q = request(id);

	ask(fd, &q);
}

/* The next result at this end; -1: there is none. */
static struct prober_result result;

static int
result_at(int fd)
{
	ssize_t n = recv(fd, &result, sizeof result, MSG_DONTWAIT);

	if (n < 0)
		return -1;
	assert_int_equal(result.type, PROBER_MSG_RESULT);
	assert_int_equal(n, PROBER_RESULT_SIZE((size_t)result.n_hops));
	return result.status;
}

static void
identity(void)
{
	uint64_t stat[16];

	serve_stats(stat);
	assert_int_equal(stat[PROBER_STAT_REQUESTS],
			 stat[PROBER_STAT_TRACES] + stat[PROBER_STAT_REFUSED] + serve_busy() - live);
	assert_int_equal(stat[PROBER_STAT_TRACES], n_begun);
	assert_int_equal(stat[PROBER_STAT_PROBES], 1234);
}

/* ---- tests ---- */

static void
test_one(void **state)
{
	struct prober_request q = request(7);

	(void)state;
	q.flags = PROBER_REQ_PROGRESS;
	ask(analyzer, &q);
	assert_int_equal(serve_busy(), 1);
	turn_at(now);
	assert_int_equal(n_begun, 1);
	assert_int_equal(begun[0].q.id, 7);
	assert_int_equal(begun[0].q.max_ttl, PROBER_TTL_DEFAULT);
	assert_int_equal(begun[0].src[0], 198);
	assert_int_equal(result_at(analyzer), -1);
	serve_hop(begun[0].client, 7, &(struct prober_hop){ .ttl = 3 });
	{
		struct prober_progress p;

		assert_int_equal(recv(analyzer, &p, sizeof p, 0), sizeof p);
		assert_int_equal(p.type, PROBER_MSG_HOP);
		assert_int_equal(p.id, 7);
		assert_int_equal(p.hop.ttl, 3);
	}
	done(0, 5);
	assert_int_equal(result_at(analyzer), PROBER_DONE);
	assert_int_equal(result.id, 7);
	assert_int_equal(result.n_hops, 5);
	assert_int_equal(result.hop[4].ttl, 5);
	assert_int_equal(result_at(analyzer), -1);
	assert_int_equal(serve_busy(), 0);
	identity();
}

static void
test_refusals(void **state)
{
	struct prober_request q;

	(void)state;
	q = request(1);
	q.dst[0] = 10;
	ask(analyzer, &q);
	assert_int_equal(result_at(analyzer), PROBER_BOGON);
	assert_int_equal(result.id, 1);
	assert_int_equal(result.dst[0], 10);
	assert_int_equal(result.dport, 443);
	q = request(2);
	q.method = 99;
	ask(analyzer, &q);
	assert_int_equal(result_at(analyzer), PROBER_BAD_REQUEST);
	route_status = PROBER_OWN;
	ask_id(analyzer, 3);
	assert_int_equal(result_at(analyzer), PROBER_OWN);
	route_status = PROBER_NO_ROUTE;
	ask_id(analyzer, 4);
	assert_int_equal(result_at(analyzer), PROBER_NO_ROUTE);
	route_status = PROBER_DONE;
	/* The route went away while it waited. */
	ask_id(analyzer, 5);
	route_status = PROBER_NO_ROUTE;
	turn_at(now);
	assert_int_equal(result_at(analyzer), PROBER_NO_ROUTE);
	route_status = PROBER_DONE;
	begin_fails = -EALREADY;
	ask_id(analyzer, 6);
	turn_at(now);
	assert_int_equal(result_at(analyzer), PROBER_BUSY);
	begin_fails = 0;
	assert_int_equal(n_begun, 0);
	identity();
	/* None of these used up the rate. */
	ask_id(analyzer, 7);
	turn_at(now);
	assert_int_equal(n_begun, 1);
}

static void
test_budget(void **state)
{
	(void)state;
	budget_close(budget);
	conf.budget = budget = budget_open(-1, 2, WALL);
	for (uint32_t i = 0; i < 5; i++) {
		struct prober_request q = request(0);

		q.id = i;
		q.dst[3] = (uint8_t)i;
		ask(analyzer, &q);
	}
	/* All five came while the prefix had two left: it is counted when they begin. */
	for (int i = 0; i < 10; i++)
		turn_at(now + 100000);
	assert_int_equal(n_begun, 2);
	for (uint32_t i = 2; i < 5; i++) {
		assert_int_equal(result_at(analyzer), PROBER_BUDGET);
		assert_int_equal(result.id, i);
	}
	/* And now it is said at once, also to people. */
	{
		int p = person();
		struct prober_request q = request(0);

		ask(p, &q);
		assert_int_equal(result_at(p), PROBER_BUDGET);
	}
	assert_int_equal(result_at(analyzer), -1); /* a refusal is not passed on */
	identity();
}

/* 10 traces a second: over three seconds of many turns, never more than 10 in any second. */
static void
test_rate(void **state)
{
	int64_t times[64];
	unsigned seen = 0;

	(void)state;
	for (uint32_t i = 0; i < 32; i++)
		ask_id(analyzer, i);
	assert_int_equal(result_at(analyzer), -1);
	ask_id(analyzer, 99); /* the queue is as long as traces run at a time */
	assert_int_equal(result_at(analyzer), PROBER_RATE);
	for (int64_t t = now, end = now + 3500000; t < end; t += 1 + rand() % 20000) {
		turn_at(t);
		for (; seen < n_begun; seen++)
			times[seen] = t;
		while (live)
			done(n_begun - live, 0);
	}
	assert_in_range(seen, 28, 32); /* a turn in 10 ms on average: a little late each time */
	for (unsigned i = 10; i < seen; i++)
		assert_true(times[i] - times[i - 10] >= 999999);
	identity();
}

static void
test_engine_full(void **state)
{
	(void)state;
	settings.traces = 2;
	for (uint32_t i = 0; i < 4; i++)
		ask_id(analyzer, i);
	for (int i = 0; i < 10; i++)
		turn_at(now + 200000);
	assert_int_equal(n_begun, 2);
	assert_int_equal(serve_run(now, WALL), INT64_MAX); /* nothing to wake up for */
	done(0, 0);
	turn_at(now);
	assert_int_equal(n_begun, 3);
	assert_int_equal(begun[2].q.id, 2);
	identity();
}

/* A person's one request does not wait behind the analyzer's thirty, nor behind another person's. */
static void
test_turns(void **state)
{
	int a, b;

	(void)state;
	for (uint32_t i = 0; i < 30; i++)
		ask_id(analyzer, 1000 + i);
	a = person();
	b = person();
	for (uint32_t i = 0; i < 10; i++)
		ask_id(a, 2000 + i);
	ask_id(b, 3000);
	for (int i = 0; i < 3; i++)
		turn_at(now + 100000);
	assert_int_equal(n_begun, 3);
	assert_int_equal(begun[0].q.id, 1000);
	assert_int_equal(begun[1].q.id, 2000);
	assert_int_equal(begun[2].q.id, 3000);
	identity();
}

static void
test_people(void **state)
{
	struct prober_request q = request(5);
	int p = person();

	(void)state;
	q.trigger = PROBER_ON_SCHEDULE;
	ask(p, &q);
	turn_at(now);
	assert_int_equal(begun[0].q.trigger, PROBER_ON_MANUAL);
	done(0, 3);
	assert_int_equal(result_at(p), PROBER_DONE);
	assert_int_equal(result.id, 5);
	assert_int_equal(result_at(analyzer), PROBER_DONE); /* the analyzer reports it too */
	assert_int_equal(result.id, 0);
	assert_int_equal(result.trigger, PROBER_ON_MANUAL);
	assert_int_equal(result.n_hops, 3);
	q.method = PROBER_TCP_ACK;
	q.sport = 4;
	q.src[0] = 10;
	ask(p, &q);
	assert_int_equal(result_at(p), PROBER_BAD_REQUEST);
	assert_int_equal(n_lookup, 0);
	/* Sixteen wait, the next is refused. */
	for (uint32_t i = 0; i < 17; i++)
		ask_id(p, 100 + i);
	assert_int_equal(result_at(p), PROBER_RATE);
	assert_int_equal(result.id, 116);
	identity();
	/* It leaves: what waited is gone, what ran is ended. */
	turn_at(now + 1000000);
	assert_true(n_begun > 1 && live);
	close(p);
	people[0] = -1;
	pump();
	assert_int_equal(live, 0);
	assert_int_equal(serve_busy(), 0);
	identity();
	/* Its place is another's, who hears nothing of it. */
	p = person();
	turn_at(now + 1000000);
	assert_int_equal(result_at(p), -1);
	assert_int_equal(live, 0);
}

static void
test_too_many_people(void **state)
{
	char c;
	int last = -1;

	(void)state;
	for (int i = 0; i < CLIENT_PEOPLE; i++)
		last = person();
	assert_int_equal(recv(last, &c, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
	last = person();
	assert_int_equal(recv(last, &c, 1, 0), 0); /* turned away */
	close(people[3]);
	people[3] = -1;
	pump();
	last = person();
	ask_id(last, 1);
	turn_at(now);
	assert_int_equal(n_begun, 1);
}

static void
test_rude(void **state)
{
	struct prober_request q = request(1);
	char bytes[4000] = { 0 };

	(void)state;
	for (size_t n = 0; n < sizeof bytes; n += n < 150 ? 1 : 137) {
		int p = person();
		char c;

		if (n == sizeof q)
			memcpy(bytes, "\x02", 1); /* a type that only we send */
		assert_int_equal(send(p, bytes, n, MSG_NOSIGNAL), n);
		pump();
		if (n && n != sizeof q)
			assert_int_equal(recv(p, &c, 1, 0), 0);
		close(p);
		people[0] = -1;
		pump();
		/* The analyzer's channel outlives the same: another process may have written it. */
		assert_int_equal(send(analyzer, bytes, n, MSG_NOSIGNAL), n);
		assert_int_equal(pump(), 0);
	}
	assert_int_equal(serve_busy(), 0);
	identity();
	ask_id(analyzer, 2);
	turn_at(now);
	assert_int_equal(n_begun, 1);
}

static void
test_empty_packet(void **state)
{
	int p = person();
	char c;

	(void)state;
	assert_int_equal(send(p, "", 0, MSG_NOSIGNAL), 0);
	pump();
	assert_int_equal(recv(p, &c, 1, 0), 0);
	assert_int_equal(send(analyzer, "", 0, MSG_NOSIGNAL), 0);
	assert_int_equal(pump(), 0);
	ask_id(analyzer, 2);
	turn_at(now);
	assert_int_equal(n_begun, 1);
}

/* Who asks and does not read is dropped, and never waited for; the analyzer loses results. */
static void
test_slow(void **state)
{
	struct prober_request q = request(1);
	int p = person();
	unsigned n = 0;

	(void)state;
	q.dst[0] = 10;
	while (n < 100000 && send(p, &q, sizeof q, MSG_NOSIGNAL) == sizeof q) {
		pump();
		turn_at(now);
		n++;
	}
	assert_in_range(n, 10, 99999);
	assert_int_equal(errno, EPIPE);
	assert_false(clients[1].open);
	for (n = 0; n < 5000; n++) {
		assert_int_equal(send(analyzer, &q, sizeof q, MSG_NOSIGNAL), sizeof q);
		pump();
	}
	turn_at(now);
	assert_true(clients[CLIENT_FIRST].open);
	while (result_at(analyzer) >= 0)
		n--;
	assert_in_range(n, 1, 4999);
	ask_id(analyzer, 9);
	turn_at(now);
	done(0, 1);
	assert_int_equal(result_at(analyzer), PROBER_DONE);
	identity();
}

static void
test_first_gone(void **state)
{
	(void)state;
	ask_id(analyzer, 1);
	turn_at(now);
	assert_int_equal(live, 1);
	close(analyzer);
	analyzer = -1;
	assert_int_equal(pump(), 1);
}

/* ---- in-band ---- */

static struct prober_request
inband_request_of(uint32_t id)
{
	struct prober_request q = request(id);

	q.method = PROBER_TCP_ACK;
	q.sport = 40000;
	memcpy(q.src, (uint8_t[]){ 10, 0, 0, 5 }, 4);
	return q;
}

static struct prober_ctl
found(unsigned i, uint64_t value)
{
	struct prober_ctl m = { .type = PROBER_CTL_FOUND, .id = lookup[i].id, .value = value, .tuple = lookup[i].t };

	memset(m.tuple.src, 0, 16);
	memcpy(m.tuple.src, (uint8_t[]){ 198, 51, 100, 1 }, 4); /* behind NAT */
	m.tuple.sport = 50000;
	return m;
}

static void
test_in_band(void **state)
{
	struct prober_request q = inband_request_of(1);
	struct prober_ctl m;

	(void)state;
	ask(analyzer, &q);
	assert_int_equal(n_lookup, 1);
	assert_int_equal(lookup[0].t.sport, 40000);
	assert_int_equal(lookup[0].t.dport, 443);
	assert_int_equal(lookup[0].t.src[3], 5);
	assert_int_equal(serve_busy(), 1);
	turn_at(now + 1000);
	assert_int_equal(n_begun, 0); /* not before it is known to live */
	m = found(0, 1);
	m.id++;
	serve_found(&m, now); /* an answer to another question */
	turn_at(now + 1000);
	assert_int_equal(n_begun, 0);
	m = found(0, 1);
	serve_found(&m, now);
	serve_found(&m, now); /* twice: no second trace */
	identity();
	turn_at(now + 1000);
	assert_int_equal(n_begun, 1);
	assert_int_equal(begun[0].src[0], 198);
	assert_int_equal(begun[0].src[1], 51);
	assert_int_equal(begun[0].wan.sport, 50000);
	assert_true(begun[0].client >= INBAND_CLIENT);
	/* Asked again each second, and it goes on. */
	turn_at(now + 1100000);
	assert_int_equal(n_lookup, 2);
	m = found(1, 1);
	serve_found(&m, now);
	turn_at(now + 100);
	assert_int_equal(live, 1);
	done(0, 4);
	assert_int_equal(result_at(analyzer), PROBER_DONE);
	assert_int_equal(result.id, 1);
	assert_int_equal(serve_busy(), 0);
	turn_at(now + 5000000);
	assert_int_equal(n_lookup, 2);
	identity();
}

static void
test_in_band_ends(void **state)
{
	struct prober_request q;
	struct prober_ctl m;
	unsigned begun_before;

	(void)state;
	/* It never was. */
	q = inband_request_of(1);
	ask(analyzer, &q);
	m = found(0, 0);
	serve_found(&m, now);
	assert_int_equal(result_at(analyzer), PROBER_STOPPED);
	/* The parent does not answer. */
	q = inband_request_of(2);
	ask(analyzer, &q);
	turn_at(now + INBAND_TIMEOUT_US - 1);
	assert_int_equal(result_at(analyzer), -1);
	turn_at(now + 2);
	assert_int_equal(result_at(analyzer), PROBER_STOPPED);
	/* Another destination behind NAT than what was asked for. */
	q = inband_request_of(3);
	ask(analyzer, &q);
	m = found(2, 1);
	m.tuple.dst[0]++;
	serve_found(&m, now);
	assert_int_equal(result_at(analyzer), PROBER_STOPPED);
	/* There is no parent. */
	lookup_fails = 1;
	q = inband_request_of(4);
	ask(analyzer, &q);
	assert_int_equal(result_at(analyzer), PROBER_RATE);
	lookup_fails = 0;
	assert_int_equal(n_begun, 0);
	identity();
	/* It ends while its trace waits for its turn. */
	ask_id(analyzer, 99);
	turn_at(now);
	q = inband_request_of(5);
	ask(analyzer, &q);
	m = found(n_lookup - 1, 1);
	serve_found(&m, now);
	ask_id(analyzer, 100);
	begun_before = n_begun;
	settings.traces = 1;
	turn_at(now + INBAND_EVERY_US);
	m = found(n_lookup - 1, 0);
	serve_found(&m, now);
	assert_int_equal(result_at(analyzer), PROBER_STOPPED);
	assert_int_equal(result.id, 5);
	settings.traces = 32;
	turn_at(now + 1000000);
	assert_int_equal(n_begun, begun_before + 1);
	assert_int_equal(begun[n_begun - 1].q.id, 100);
	identity();
	/* It ends while probes are under way: no more of them, and the asker is told. */
	q = inband_request_of(6);
	ask(analyzer, &q);
	m = found(n_lookup - 1, 1);
	serve_found(&m, now);
	turn_at(now + 1000000);
	assert_true(begun[n_begun - 1].live);
	turn_at(now + 1000000);
	m = found(n_lookup - 1, 0);
	serve_found(&m, now);
	assert_false(begun[n_begun - 1].live);
	assert_int_equal(forgot[begun[n_begun - 1].client], 1);
	assert_int_equal(result_at(analyzer), PROBER_STOPPED);
	assert_int_equal(result.id, 6);
	identity();
	/* All places are taken. */
	for (uint32_t i = 0; i < INBAND_MAX; i++) {
		q = inband_request_of(1000 + i);
		ask(analyzer, &q);
	}
	assert_int_equal(result_at(analyzer), -1);
	q = inband_request_of(2000);
	ask(analyzer, &q);
	assert_int_equal(result_at(analyzer), PROBER_RATE);
	identity();
}

/* Any bytes, any order: each request has one result, and the books agree. */
static void
test_noise(void **state)
{
	unsigned seed = (unsigned)clock_wall_us(), asked = 0, answered = 0;

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	for (int i = 0; i < 4000; i++) {
		struct prober_request q = request((uint32_t)i);

		if (rand() % 4 == 0)
			((uint8_t *)&q)[8 + rand() % (int)(sizeof q - 8)] = (uint8_t)rand();
		if (rand() % 8 == 0)
			q = inband_request_of((uint32_t)i);
		ask(analyzer, &q);
		asked++;
		turn_at(now + rand() % 200000);
		if (n_lookup && rand() % 2) {
			struct prober_ctl m = found((unsigned)rand() % n_lookup, rand() % 4 != 0);

			serve_found(&m, now);
		}
		n_lookup = n_lookup > 150 ? 0 : n_lookup;
		for (unsigned b = 0; b < n_begun; b++) {
			if (begun[b].live && rand() % 4 == 0)
				done(b, (uint8_t)(rand() % 65));
		}
		while (result_at(analyzer) >= 0)
			answered++;
		identity();
	}
	assert_int_equal(asked, answered + serve_busy());
	assert_true(n_begun > 500);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_one),    T(test_refusals), T(test_budget),       T(test_rate),    T(test_engine_full),
		T(test_turns),  T(test_people),   T(test_too_many_people), T(test_rude), T(test_empty_packet),
		T(test_slow),   T(test_first_gone), T(test_in_band),    T(test_in_band_ends), T(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
