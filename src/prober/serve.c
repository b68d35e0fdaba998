/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * serve.c - who waits, and whose turn it is.
 *
 * Each client has a queue of its own and they take turns, so that nobody's fifty requests keep another's
 * one waiting.  A trace is begun when the rate of traces allows, when the engine has room, and when the
 * budget of its prefix has one left; that is counted before the first probe leaves.
 */
#include "serve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "admit.h"
#include "budget.h"
#include "client.h"
#include "inband.h"
#include "lib/log.h"
#include "prober/engine.h"
#include "route.h"
#include "settings.h"

/* Traces may be this much early, so that a timer of 1 ms resolution holds a rate of thousands. */
#define EARLY_US 10000

/* The engine's number for a client: itself; of an in-band trace: its slot behind this, so that one alone
 * can be ended. */
#define INBAND_CLIENT 0x100U

struct waiting {
	struct prober_request request;
	int inband; /* its slot there; -1: none */
};

struct queue {
	struct waiting *ring;
	unsigned size, first, n;
};

static struct serve_conf conf;
static struct admit admit;
static struct queue queues[CLIENT_MAX];
static unsigned turn;          /* whose queue is looked at first */
static int64_t interval_us, early_us;
static int64_t begin_us;       /* the next trace may begin */
static int64_t clock_us;       /* CLOCK_REALTIME of this turn */
static uint64_t requests, traces, refused;
static uint64_t full_told;
static struct log_limit full_limit;

/* ---- answers ---- */

static void
answer(unsigned client, const struct prober_request *q, enum prober_status status)
{
	struct prober_result r = { .type = PROBER_MSG_RESULT, .id = q->id, .ipv = q->ipv, .method = q->method,
				   .trigger = q->trigger, .status = (uint8_t)status, .flow = q->flow,
				   .dport = q->dport, .ts_us = clock_us };

	memcpy(r.dst, q->dst, 16);
	client_send(client, &r, PROBER_RESULT_SIZE(0));
}

static void
refuse(unsigned client, const struct prober_request *q, enum prober_status status)
{
	refused++;
	answer(client, q, status);
}

void
serve_hop(uint32_t client, uint32_t id, const struct prober_hop *hop)
{
	struct prober_progress p = { .type = PROBER_MSG_HOP, .id = id, .hop = *hop };

	client_send(client < INBAND_CLIENT ? client : CLIENT_FIRST, &p, sizeof p);
}

void
serve_done(uint32_t client, const struct prober_result *result)
{
	struct prober_result r = *result;
	size_t size = PROBER_RESULT_SIZE((size_t)r.n_hops);

	if (client >= INBAND_CLIENT) {
		inband_close(client - INBAND_CLIENT);
		client = CLIENT_FIRST;
	}
	client_send(client, &r, size);
	/* What a person saw, the analyzer reports. */
	if (client != CLIENT_FIRST) {
		r.id = 0;
		client_send(CLIENT_FIRST, &r, size);
	}
}

/* ---- the queues ---- */

static int
enqueue(unsigned client, const struct prober_request *r, int inband)
{
	struct queue *q = &queues[client];

	if (q->n == q->size)
		return -1;
	q->ring[(q->first + q->n++) % q->size] = (struct waiting){ *r, inband };
	return 0;
}

/* The next in turn, out of its queue; NULL: nobody waits. */
static const struct waiting *
dequeue(unsigned *client)
{
	for (unsigned i = 0; i < CLIENT_MAX; i++) {
		unsigned n = (turn + i) % CLIENT_MAX;
		struct queue *q = &queues[n];
		const struct waiting *w = &q->ring[q->first];

		if (!q->n)
			continue;
		q->first = (q->first + 1) % q->size;
		q->n--;
		turn = (n + 1) % CLIENT_MAX;
		*client = n;
		return w;
	}
	return NULL;
}

static unsigned
waiting(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < CLIENT_MAX; i++)
		n += queues[i].n;
	return n;
}

/* Its connection ended while it waited. */
static void
unqueue_inband(unsigned slot)
{
	struct queue *q = &queues[CLIENT_FIRST];
	unsigned kept = 0;

	for (unsigned i = 0; i < q->n; i++) {
		struct waiting w = q->ring[(q->first + i) % q->size];

		if (w.inband != (int)slot)
			q->ring[(q->first + kept++) % q->size] = w;
	}
	q->n = kept;
}

/* ---- a request's way ---- */

/* What can be said at once: PROBER_DONE when it may wait for its turn. */
static enum prober_status
check_early(unsigned client, const struct prober_request *q, int64_t wall_us)
{
	uint8_t src[16];
	enum prober_status status;

	/* A person's in-band probes would be packets in somebody else's connection. */
	if (q->method == PROBER_TCP_ACK && client != CLIENT_FIRST)
		return PROBER_BAD_REQUEST;
	status = route_source(q->ipv, q->dst, src);
	if (status == PROBER_DONE && !budget_left(conf.budget, q->ipv, q->dst, wall_us))
		status = PROBER_BUDGET;
	return status;
}

int
serve_packet(unsigned client, const void *bytes, size_t len, int64_t now_us, int64_t wall_us)
{
	struct prober_request q;
	int status = admit_request(&admit, bytes, len, &q);

	if (status < 0)
		return -1;
	clock_us = wall_us;
	requests++;
	if (client != CLIENT_FIRST)
		q.trigger = PROBER_ON_MANUAL;
	if (status == PROBER_DONE)
		status = (int)check_early(client, &q, wall_us);
	if (status == PROBER_DONE && q.method == PROBER_TCP_ACK)
		status = inband_open(&q, now_us) < 0 ? PROBER_RATE : PROBER_DONE;
	else if (status == PROBER_DONE && enqueue(client, &q, -1))
		status = PROBER_RATE;
	if (status != PROBER_DONE)
		refuse(client, &q, (enum prober_status)status);
	return 0;
}

static void
on_lives(void *arg, unsigned slot)
{
	(void)arg;
	if (enqueue(CLIENT_FIRST, inband_request(slot), (int)slot)) {
		refuse(CLIENT_FIRST, inband_request(slot), PROBER_RATE);
		inband_close(slot);
	}
}

static void
on_ended(void *arg, unsigned slot, const struct prober_request *q, int began)
{
	(void)arg;
	if (began) {
		engine_forget(conf.engine, INBAND_CLIENT + slot);
		answer(CLIENT_FIRST, q, PROBER_STOPPED);
	} else {
		unqueue_inband(slot);
		refuse(CLIENT_FIRST, q, PROBER_STOPPED);
	}
}

void
serve_found(const struct prober_ctl *m, int64_t now_us)
{
	inband_found(m->id, m->value == 1, &m->tuple, now_us);
}

/* One whose turn it is. */
static void
begin(unsigned client, const struct waiting *w, int64_t now_us, int64_t wall_us)
{
	const struct prober_request *q = &w->request;
	const struct prober_tuple *wan = NULL;
	uint32_t engine_client = client;
	enum prober_status status;
	uint8_t src[16];
	int r;

	/* Again, for it may have waited long. */
	status = route_source(q->ipv, q->dst, src);
	if (status == PROBER_DONE && !budget_left(conf.budget, q->ipv, q->dst, wall_us))
		status = PROBER_BUDGET;
	if (status == PROBER_DONE) {
		if (w->inband >= 0) {
			wan = inband_began((unsigned)w->inband);
			engine_client = INBAND_CLIENT + (unsigned)w->inband;
			memcpy(src, wan->src, 16);
		}
		r = engine_begin(conf.engine, engine_client, q, src, wan, now_us, wall_us);
		if (r)
			status = r == -EALREADY ? PROBER_BUSY : r == -EAGAIN ? PROBER_RATE : PROBER_BAD_REQUEST;
	}
	if (status != PROBER_DONE) {
		if (w->inband >= 0)
			inband_close((unsigned)w->inband);
		refuse(client, q, status);
		return;
	}
	/* There was one left a moment ago; probes leave in engine_run() and not before. */
	budget_take(conf.budget, q->ipv, q->dst, wall_us);
	traces++;
	begin_us = (begin_us > now_us - early_us ? begin_us : now_us - early_us) + interval_us;
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t
serve_run(int64_t now_us, int64_t wall_us)
{
	const struct waiting *w;
	int64_t next_us;
	unsigned client, more;

	clock_us = wall_us;
	client_reap();
	next_us = inband_run(now_us);
	while (now_us >= begin_us && engine_live(conf.engine) < conf.settings->traces && (w = dequeue(&client)))
		begin(client, w, now_us, wall_us);
	next_us = earlier(next_us, engine_run(conf.engine, now_us, wall_us));
	client_reap();
	if (waiting() && engine_live(conf.engine) < conf.settings->traces)
		next_us = earlier(next_us, begin_us);
	if (budget_full(conf.budget) > full_told && log_allowed(&full_limit, now_us, 3600000000, &more)) {
		full_told = budget_full(conf.budget);
		log_warn("more prefixes than %d were traced today: others are refused until midnight (UTC)", BUDGET_SLOTS);
	}
	return next_us;
}

void
serve_gone(unsigned client)
{
	struct queue *q = &queues[client];

	refused += q->n;
	q->n = 0;
	engine_forget(conf.engine, client);
}

/* ---- start and stop ---- */

int
serve_start(const struct serve_conf *c, int64_t now_us)
{
	static const uint8_t socket4[PROBER_METHODS] = { SETTINGS_TCP4, SETTINGS_UDP4, SETTINGS_ICMP4, SETTINGS_TCPX4 };
	const struct settings *s = c->settings;

	conf = *c;
	inband_start(&(struct inband_calls){ c->lookup, on_lives, on_ended }, c->arg);
	admit = (struct admit){ .home = s->home, .exclude = s->exclude, .n_home = s->n_home,
				.n_exclude = s->n_exclude, .any_target = s->any_target };
	for (int m = 0; m < PROBER_METHODS; m++) {
		admit.sockets[0][m] = s->send_fd[socket4[m]] >= 0;
		admit.sockets[1][m] = s->send_fd[socket4[m] + 1] >= 0;
	}
	interval_us = 1000000 / s->trace_rate;
	if (!interval_us)
		interval_us = 1;
	early_us = interval_us < EARLY_US ? EARLY_US - interval_us : 0;
	begin_us = now_us;
	requests = traces = refused = full_told = 0;
	turn = 0;
	for (unsigned i = 0; i < CLIENT_MAX; i++) {
		unsigned size = i == CLIENT_FIRST ? s->traces : SERVE_WAITING_MAX;

		queues[i] = (struct queue){ calloc(size, sizeof *queues[i].ring), size, 0, 0 };
		if (!queues[i].ring)
			return -ENOMEM;
	}
	return 0;
}

void
serve_stop(void)
{
	for (unsigned i = 0; i < CLIENT_MAX; i++)
		free(queues[i].ring);
	memset(queues, 0, sizeof queues);
}

unsigned
serve_busy(void)
{
	return waiting() + inband_asking() + engine_live(conf.engine);
}

void
serve_stats(uint64_t stat[16])
{
	memset(stat, 0, 16 * sizeof *stat);
	engine_stats(conf.engine, stat);
	stat[PROBER_STAT_REQUESTS] = requests;
	stat[PROBER_STAT_TRACES] = traces;
	stat[PROBER_STAT_REFUSED] = refused;
}
