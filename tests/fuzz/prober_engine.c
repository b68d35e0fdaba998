/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Any bytes as requests, answers, passing time and failing sockets for the traceroute engine.  Its lists
 * stay whole, every trace ends, no probe leaves the range of ports or TTLs, and no address is a hop
 * unless an answer with it was accepted.
 *
 * Operations of 8 bytes: what, then its arguments.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../../src/prober/engine.c"
#undef NONE
#include "../../src/prober/trace.c"
#include "../../src/prober/plan.c"
#include "../../src/prober/result.c"
#include "../../src/prober/cache.c"

#define CHECK(x) ((x) ? (void)0 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x), abort()))
#define WALL_US 1700000000000000LL
#define OP 8
#define SENT 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct engine *engine;
static struct wire_probe sent[SENT];
static unsigned n_sent, begun, ended, forgotten;
static int64_t now_us, wall_jump_us, send_error;
static uint8_t accepted[256];

static void
address(uint8_t out[16], uint8_t n)
{
	memset(out, 0, 16);
	out[0] = 20;
	out[3] = n;
}

static int64_t
on_send(void *arg, const struct wire_probe *p)
{
	(void)arg;
	CHECK(p->ttl >= 1 && p->ttl <= 64);
	CHECK(p->method < PROBER_METHODS);
	CHECK(p->method == PROBER_TCP_ACK || p->sport >= PROBER_PORT_FIRST);
	CHECK(p->method == PROBER_TCP_SYN || p->method == PROBER_TCP_ACK || (p->token && p->token <= UINT16_MAX));
	CHECK(!p->rst || p->method == PROBER_TCP_SYN);
	if (send_error)
		return send_error;
	if (!p->rst)
		sent[n_sent++ % SENT] = *p;
	return WALL_US + now_us + wall_jump_us;
}

static void
check_hop(const struct prober_hop *h, const struct prober_result *r)
{
	static const uint8_t zero[16];

	CHECK(h->n_rtt <= PROBER_RTTS_MAX && h->n_mpls <= PROBER_MPLS_MAX);
	if (!(h->flags & PROBER_HOP_ANSWERED))
		CHECK(!memcmp(h->addr, zero, 16) && !h->n_rtt && !h->flags);
	else if (r && r->method == PROBER_TCP_ACK && (h->flags & PROBER_HOP_DST))
		CHECK(!memcmp(h->addr, r->dst, 16));
	else
		CHECK(h->addr[0] == 20 && accepted[h->addr[3]]);
	CHECK(!(h->flags & PROBER_HOP_CACHED) || !h->n_rtt);
}

static void
on_hop(void *arg, uint32_t client, uint32_t id, const struct prober_hop *h)
{
	(void)arg;
	(void)id;
	CHECK(client < 2);
	check_hop(h, NULL);
}

static void
on_done(void *arg, uint32_t client, const struct prober_result *r)
{
	(void)arg;
	CHECK(client < 2);
	ended++;
	CHECK(r->status < PROBER_REFUSED && r->n_hops <= PROBER_HOPS_MAX);
	CHECK(!r->n_hops || (r->hop[r->n_hops - 1].flags & PROBER_HOP_ANSWERED));
	for (unsigned i = 0; i < r->n_hops; i++) {
		CHECK(r->hop[i].ttl == i + 1);
		check_hop(&r->hop[i], r);
	}
	CHECK(!!r->reached == (r->n_hops && (r->hop[r->n_hops - 1].flags & PROBER_HOP_DST)));
}

static void
check_lists(void)
{
	unsigned live = 0, used = 0, hops = 0, chained = 0;

	for (uint32_t i = 0; i < engine->conf.traces; i++) {
		const struct trace *t = &engine->traces[i];

		if (t->life == FREE)
			continue;
		used++;
		live += t->life == LIVE;
		CHECK(engine->heap[t->heap] == i);
		CHECK((t->ready != UINT32_MAX) == !!t->want);
		CHECK(!t->want || engine->ready[t->ready] == i);
		for (int k = 0; k < PROBER_HOPS_MAX; k++)
			hops += t->hop[k] != 0;
	}
	for (unsigned i = 0; i < PORTS; i++)
		for (uint32_t k = engine->heads[i]; k != UINT32_MAX; k = engine->traces[k].next)
			chained++;
	for (uint32_t i = 1; i < engine->n_heap; i++)
		CHECK(engine->traces[engine->heap[(i - 1) / 2]].due_us <= engine->traces[engine->heap[i]].due_us);
	CHECK(live == engine->live && used == engine->n_heap && used == chained);
	CHECK(hops + engine->pool.n_free == engine->pool.n);
}

static void
run_until(int64_t until_us)
{
	unsigned turns = 0;

	for (;;) {
		int64_t next_us = engine_run(engine, now_us, WALL_US + now_us + wall_jump_us);

		CHECK(++turns < 200000);
		if (next_us > until_us)
			break;
		if (next_us > now_us)
			now_us = next_us;
	}
	now_us = until_us;
	check_lists();
}

static void
begin(const uint8_t *op)
{
	struct prober_request r = {
		.type = PROBER_MSG_TRACE,
		.ipv = op[1] & 0x40 ? 6 : 4,
		.method = op[1] & 3,
		.flags = op[1] >> 2 & 3,
		.probes = op[2] & 3,
		.tries = op[2] >> 2 & 3,
		.flow = op[2] >> 4,
		.reply_ttl = op[3],
		.max_ttl = op[4] % 65,
		.dport = op[5] & 1 ? 443 : 53,
		.rtt_us = op[6] * 1000,
		.iss = op[7],
	};
	struct prober_tuple wan = { .ipv = r.ipv, .sport = 40000 + op[7] % 4, .dport = r.dport };
	uint8_t src[16];

	address(src, 250);
	address(r.dst, 200 + op[5] % 8);
	memcpy(wan.src, src, 16);
	memcpy(wan.dst, r.dst, 16);
	if (!engine_begin(engine, op[1] >> 7, &r, src, r.method == PROBER_TCP_ACK ? &wan : NULL, now_us,
			  WALL_US + now_us + wall_jump_us))
		begun++;
}

static void
answer(const uint8_t *op)
{
	const struct wire_probe *p = &sent[op[1] % SENT];
	struct wire_answer a = {
		.kind = op[2] & 7,
		.ipv = p->ipv,
		.method = p->method,
		.reply_ttl = op[3],
		.quoted_ttl = op[6] >> 4,
		.n_mpls = op[6] & 7,
		.sport = p->sport,
		.dport = p->dport ^ (op[2] == 0x80),
		.token = p->token ^ (op[5] & 0x80 ? op[5] & 0x7fU : 0),
	};
	uint64_t stat[16] = { 0 };

	address(a.from, op[4]);
	if (op[2] & 8)
		memcpy(a.from, p->dst, 16);
	memcpy(a.to, p->src, 16);
	memcpy(a.src, p->src, 16);
	memcpy(a.dst, p->dst, 16);
	if (op[2] & 16)
		a.src[3] ^= 1;
	if (op[2] & 32)
		a.dst[3] ^= 1;
	/* Before the answer: its hop is shown at once. */
	uint8_t before = accepted[a.from[3]];

	accepted[a.from[3]] = 1;
	engine_stats(engine, stat);
	if (!engine_answer(engine, &a, WALL_US + now_us + wall_jump_us - op[7] * 100, now_us))
		accepted[a.from[3]] = before;
	check_lists();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct engine_calls calls = { .send = on_send, .hop = on_hop, .done = on_done };
	static const int64_t errors[] = { 0, -EAGAIN, -ENOBUFS, -EPERM };
	struct engine_conf conf = { .traces = 4, .probe_rate = 1000, .key = "fuzzed" };

	if (!size)
		return 0;
	conf.traces = 1 + *data % 16;
	conf.probe_rate = *data & 0x40 ? 20 : 5000;
	memset(sent, 0, sizeof sent);
	memset(accepted, 0, sizeof accepted);
	n_sent = begun = ended = forgotten = 0;
	now_us = 1000000;
	wall_jump_us = send_error = 0;
	engine = engine_new(&conf, &calls, NULL);
	CHECK(engine);
	for (data++, size--; size >= OP; data += OP, size -= OP) {
		switch (data[0] % 8) {
		case 0:
			begin(data);
			break;
		case 1:
			run_until(now_us + (data[1] << 8 | data[2]) * 10LL);
			break;
		case 2:
			run_until(now_us + data[1] * 20000LL);
			break;
		case 3:
			if (data[1] == 3) {
				uint32_t live = engine_live(engine);

				engine_forget(engine, data[2] & 1);
				forgotten += live - engine_live(engine);
				check_lists();
			}
			break;
		case 4:
			send_error = errors[data[1] & 3];
			break;
		case 5:
			if (data[1] == 5)
				wall_jump_us = (int8_t)data[2] * 1000000LL;
			break;
		default:
			answer(data);
		}
	}
	send_error = 0;
	run_until(now_us + 120000000);
	CHECK(!engine_live(engine) && begun == ended + forgotten);
	CHECK(engine->pool.n_free == engine->pool.n && !engine->n_heap);
	engine_free(engine);
	return 0;
}
