/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * top.c - two tables of small sets: an address has a place in one set only, which nobody outside can choose,
 * and takes the one of the least busy there when it is full.
 */
#include "top.h"

#include <string.h>

#include "lib/hash.h"

#define TOP_WAYS 4
#define HALVES_BEFORE(half, then) ((uint32_t)((half) - (then)))

_Static_assert(WORKER_TOP_ROWS % TOP_WAYS == 0 && WORKER_TOP_SOURCES % TOP_WAYS == 0, "whole sets");
_Static_assert(sizeof(struct worker_page) <= WORKER_TOP_OFFSET, "one behind the other");

static struct {
	struct worker_top *page;
	uint8_t key[16];
} top;

void
top_start(struct worker_top *page)
{
	top.page = page;
	if (!page)
		return;
	hash_random(top.key, sizeof top.key);
	memset(page->row, 0, sizeof page->row);
	memset(page->source, 0, sizeof page->source);
}

static uint32_t
half_of(int64_t now_us)
{
	return (uint32_t)(now_us / WORKER_TOP_HALF_US);
}

static uint32_t
place(const uint8_t addr[16], uint64_t more, uint32_t sets)
{
	uint64_t words[3] = { 0, 0, more };

	memcpy(words, addr, 16);
	return (uint32_t)(hash_sip13(top.key, words, 3) % sets) * TOP_WAYS;
}

static void
age_row(struct worker_top_row *r, uint32_t half)
{
	uint32_t age = HALVES_BEFORE(half, r->half);

	if (age == 1)
		r->n[1] = r->n[0];
	else if (age)
		memset(&r->n[1], 0, sizeof r->n[1]);
	if (age)
		memset(&r->n[0], 0, sizeof r->n[0]);
	r->half = half;
}

static struct worker_top_row *
get_row(uint8_t ipv, const uint8_t addr[16], uint16_t port, uint32_t half)
{
	struct worker_top_row *set = &top.page->row[place(addr, (uint64_t)ipv << 16 | port, WORKER_TOP_ROWS / TOP_WAYS)];
	struct worker_top_row *least = set;
	uint64_t least_n = UINT64_MAX;

	for (struct worker_top_row *r = set; r < set + TOP_WAYS; r++) {
		uint32_t age = HALVES_BEFORE(half, r->half);
		uint64_t n;

		if (r->ipv == ipv && r->port == port && !memcmp(r->addr, addr, 16)) {
			age_row(r, half);
			return r;
		}
		n = !r->ipv || age > 1 ? 0 : (uint64_t)r->n[0].conns + r->n[0].failed +
		    (age ? 0 : (uint64_t)r->n[1].conns + r->n[1].failed);
		if (n < least_n) {
			least = r;
			least_n = n;
		}
	}
	top.page->evicted += least_n != 0;
	memset(least, 0, sizeof *least);
	memcpy(least->addr, addr, 16);
	least->port = port;
	least->ipv = ipv;
	least->half = half;
	return least;
}

/* Half steps of a doubling: 28 of them reach from 256 us to 2 s. */
static unsigned
rtt_class(int64_t rtt_us)
{
	uint32_t x = rtt_us < 0 ? 0 : rtt_us >> 7 > 0x7fffffff ? 0x7fffffff : (uint32_t)(rtt_us >> 7);
	unsigned top_bit, i;

	if (x < 2)
		return 0;
	top_bit = 31 - (unsigned)__builtin_clz(x);
	i = 2 * (top_bit - 1) + (x >> (top_bit - 1) & 1) + 1;
	return i < WORKER_TOP_RTTS ? i : WORKER_TOP_RTTS - 1;
}

static void
add_source(uint8_t ipv, const uint8_t addr[16], uint16_t port, uint32_t half)
{
	struct worker_top_source *set = &top.page->source[place(addr, ipv, WORKER_TOP_SOURCES / TOP_WAYS)];
	struct worker_top_source *found = NULL, *least = set;
	uint64_t least_n = UINT64_MAX;

	top.page->attempts++;
	for (struct worker_top_source *s = set; s < set + TOP_WAYS && !found; s++) {
		uint32_t age = HALVES_BEFORE(half, s->half);
		uint64_t n = !s->ipv || age > 1 ? 0 : (uint64_t)s->n[0] + (age ? 0 : s->n[1]);

		if (s->ipv == ipv && !memcmp(s->addr, addr, 16))
			found = s;
		if (n < least_n) {
			least = s;
			least_n = n;
		}
	}
	if (!found) {
		top.page->evicted += least_n != 0;
		found = least;
		memset(found, 0, sizeof *found);
		memcpy(found->addr, addr, 16);
		found->ipv = ipv;
		found->half = half;
	}
	if (found->half != half) {
		found->n[1] = HALVES_BEFORE(half, found->half) == 1 ? found->n[0] : 0;
		found->n[0] = 0;
		found->half = half;
	}
	found->port = port;
	found->n[0]++;
}

void
top_conn(const struct ng_conn *c, int attempts, int64_t now_us)
{
	struct worker_top_row *r;
	uint16_t *rtt;

	if (!top.page || c->state == NG_CONN_ORPHAN)
		return;
	if (c->dir == NG_DIR_INBOUND) {
		if (!attempts)
			add_source(c->ipv, c->src, c->dport, half_of(now_us));
		return;
	}
	if (c->state == NG_CONN_ABORTED)
		return;
	r = get_row(c->ipv, c->dst, c->dport, half_of(now_us));
	if (c->state != NG_CONN_ESTABLISHED && c->state != NG_CONN_ANSWERED) {
		top.page->failed++;
		r->n[0].failed++;
		return;
	}
	top.page->conns++;
	r->n[0].conns++;
	r->n[0].retrans += c->syn_retrans;
	rtt = &r->n[0].rtt[rtt_class(c->rtt_us)];
	if (c->rtt_us >= 0 && *rtt < UINT16_MAX)
		(*rtt)++;
}

void
top_attempt(const struct ng_packet *p, int64_t now_us)
{
	if (top.page && p->has & NG_HAS_TCP)
		add_source(p->ipv, p->saddr, p->dport, half_of(now_us));
}
