/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The prober's cache: when an edge is believed, and when no more; the pace; against a naive copy.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>

#include "../../src/prober/cache.c"

#define S 1000000LL

static const uint8_t key[16] = "a key for tests";

static struct cache_hop
hop(unsigned n, unsigned ttl)
{
	struct cache_hop h = { .addr = { 10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n }, .ipv = 4 };

	h.ttl = (uint8_t)ttl;
	return h;
}

static void
learn(struct cache *c, struct cache_hop from, struct cache_hop to, uint64_t flow, int64_t now_us)
{
	cache_learn(c, &from, &to, flow, now_us);
}

static enum cache_trust
trust(struct cache *c, struct cache_hop h, int64_t now_us)
{
	return cache_ask(c, &h, now_us).trust;
}

static void
make_sure(struct cache *c, struct cache_hop from, struct cache_hop to, int64_t now_us)
{
	for (uint64_t flow = 0; flow < FLOWS_NEEDED; flow++)
		learn(c, from, to, flow, now_us);
}

static void
test_agreement(void **state)
{
	struct cache *c = cache_new(key, 4096);
	struct cache_hop a = hop(1, 8), b = hop(2, 7), other = hop(3, 7);
	struct cache_edge e;
	uint32_t version = cache_version(c);

	(void)state;
	assert_int_equal(trust(c, a, S), CACHE_UNKNOWN);
	/* One flow, however often, is one flow. */
	for (int i = 0; i < 100; i++)
		learn(c, a, b, 5, S);
	assert_int_equal(trust(c, a, S), CACHE_GUESS);
	for (uint64_t flow = 6; flow < 5 + FLOWS_NEEDED - 1; flow++)
		learn(c, a, b, flow, S);
	assert_int_equal(trust(c, a, S), CACHE_GUESS);
	assert_int_equal(cache_version(c), version);
	learn(c, a, b, 40, S);
	assert_int_equal(trust(c, a, S), CACHE_SURE);
	assert_int_not_equal(cache_version(c), version);
	e = cache_ask(c, &a, S);
	assert_int_equal(e.gap, 0);
	assert_memory_equal(&e.pred, &b, sizeof b);
	/* Another TTL is another edge. */
	assert_int_equal(trust(c, hop(1, 9), S), CACHE_UNKNOWN);

	/* Once it differs it is no more believed, however many agree then. */
	learn(c, a, other, 50, S);
	for (uint64_t flow = 0; flow < 64; flow++)
		learn(c, a, b, flow, 2 * S);
	e = cache_ask(c, &a, 2 * S);
	assert_int_equal(e.trust, CACHE_GUESS);
	assert_true(e.branches);
	assert_int_equal(cache_stats(c).differed, 2);
	/* Until it has not differed for an hour. */
	for (int64_t minute = 1; minute < 59; minute++)
		learn(c, a, b, (uint64_t)minute, 60 * S * minute);
	assert_true(cache_ask(c, &a, 3590 * S).branches);
	assert_int_equal(trust(c, a, 3700 * S), CACHE_UNKNOWN);
	make_sure(c, a, b, 3700 * S);
	assert_int_equal(trust(c, a, 3700 * S), CACHE_SURE);
	cache_free(c);
}

static void
test_age(void **state)
{
	struct cache *c = cache_new(key, 4096);
	struct cache_hop a = hop(1, 8), b = hop(2, 7);

	(void)state;
	make_sure(c, a, b, S);
	assert_int_equal(trust(c, a, S + STALE_S * S), CACHE_SURE);
	assert_int_equal(trust(c, a, 2 * S + STALE_S * S), CACHE_STALE);
	/* One looks, the others need not. */
	cache_probing(c, &a, 2 * S + STALE_S * S);
	assert_int_equal(trust(c, a, 2 * S + STALE_S * S), CACHE_SURE);
	assert_int_equal(trust(c, a, 9 * S + STALE_S * S), CACHE_STALE);
	learn(c, a, b, 1, 9 * S + STALE_S * S);
	assert_int_equal(trust(c, a, 10 * S + STALE_S * S), CACHE_SURE);
	assert_int_equal(trust(c, a, 11 * S + (STALE_S + EXPIRE_S) * S), CACHE_UNKNOWN);
	cache_free(c);
}

static void
test_silence(void **state)
{
	struct cache *c = cache_new(key, 4096);
	struct cache_hop a = hop(1, 8), b = hop(2, 7), far = hop(3, 5), us = { .ipv = 4 };
	struct cache_edge e;

	(void)state;
	/* Two silent hops in between are an edge like others. */
	make_sure(c, a, far, S);
	e = cache_ask(c, &a, S);
	assert_int_equal(e.trust, CACHE_SURE);
	assert_int_equal(e.gap, 2);
	assert_int_equal(e.pred.ttl, 5);
	/* Somebody answers nearer: that is the edge now, and takes longer to believe. */
	learn(c, a, b, 1, S);
	e = cache_ask(c, &a, S);
	assert_int_equal(e.trust, CACHE_GUESS);
	assert_int_equal(e.pred.ttl, 7);
	assert_false(e.branches);
	make_sure(c, a, b, S);
	assert_int_equal(trust(c, a, S), CACHE_GUESS);
	for (uint64_t flow = 0; flow < 2 * FLOWS_NEEDED; flow++)
		learn(c, a, b, flow, S);
	assert_int_equal(trust(c, a, S), CACHE_SURE);
	/* Silence where somebody answered is no contradiction, but no agreement either. */
	learn(c, a, far, 1, S);
	e = cache_ask(c, &a, S);
	assert_int_equal(e.trust, CACHE_GUESS);
	assert_int_equal(e.pred.ttl, 7);
	assert_false(e.branches);
	/* Silence as far as to us. */
	make_sure(c, far, us, S);
	e = cache_ask(c, &far, S);
	assert_int_equal(e.trust, CACHE_SURE);
	assert_int_equal(e.gap, 4);
	assert_int_equal(e.pred.ttl, 0);
	cache_free(c);
}

static void
test_enough(void **state)
{
	struct cache *c = cache_new(key, 4096);
	struct cache_hop a = hop(1, 8), b = hop(2, 7);

	(void)state;
	for (int i = 0; i < FLOWS_NEEDED - 1; i++) {
		cache_probing(c, &a, S);
		assert_int_equal(trust(c, a, S), CACHE_UNKNOWN);
	}
	cache_probing(c, &a, S);
	assert_int_equal(trust(c, a, S), CACHE_ENOUGH);
	cache_probed(c, &a);
	learn(c, a, b, 0, S);
	assert_int_equal(trust(c, a, S), CACHE_ENOUGH);
	/* The others never came back. */
	assert_int_equal(trust(c, a, 10 * S), CACHE_GUESS);
	cache_free(c);
}

/* Half of the flows take a silent branch, which shows seconds after the others were answered. */
static void
test_slow_silence(void **state)
{
	struct cache *c = cache_new(key, 4096);
	struct cache_hop a = hop(1, 8), b = hop(2, 7), far = hop(3, 5);

	(void)state;
	for (int i = 0; i < FLOWS_NEEDED + 6; i++)
		cache_probing(c, &a, S);
	for (uint64_t flow = 0; flow < FLOWS_NEEDED; flow++) {
		cache_probed(c, &a);
		learn(c, a, b, flow, S);
	}
	/* Enough agreed, but some are still on their way: not yet. */
	assert_int_equal(trust(c, a, 3 * S), CACHE_ENOUGH);
	cache_probed(c, &a);
	learn(c, a, far, 20, 4 * S);
	assert_int_equal(trust(c, a, 4 * S), CACHE_GUESS);
	assert_true(cache_ask(c, &a, 4 * S).mixed);
	/* All of them silent or forgotten, and no harm: sure after a while, though new ones leave. */
	a = hop(11, 8);
	for (int i = 0; i < FLOWS_NEEDED + 6; i++)
		cache_probing(c, &a, S);
	for (uint64_t flow = 0; flow < FLOWS_NEEDED; flow++)
		learn(c, a, b, flow, S);
	assert_int_equal(trust(c, a, 2 * S), CACHE_ENOUGH);
	cache_probing(c, &a, 5 * S);
	assert_int_equal(trust(c, a, 5 * S), CACHE_ENOUGH);
	assert_int_equal(trust(c, a, (PENDING_S + 2) * S), CACHE_SURE);
	cache_free(c);
}

/* Of silence that belongs to another branch a router is acquitted, of losses that are proven it is not. */
static void
test_blame(void **state)
{
	(void)state;
	for (int proven = 0; proven < 2; proven++) {
		struct cache *c = cache_new(key, 4096);
		struct cache_hop a = hop(1, 8), b = hop(2, 7), far = hop(3, 5);
		unsigned now = 0;

		learn(c, a, b, 1, S);
		cache_answered(c, &b, S);
		for (int i = 0; i < 10; i++)
			cache_lost(c, &b, proven, S);
		while (!cache_pace(c, &b, S))
			now++;
		assert_int_equal(now, PACE_BURST);
		assert_in_range(cache_pace(c, &b, S), S + 1000 * (PACE_LOST_MS - 40), S + 1000 * PACE_LOST_MS);
		learn(c, a, far, 2, S);
		while (!cache_pace(c, &b, 3 * S))
			now++;
		assert_int_equal(now, 2 * PACE_BURST);
		if (proven)
			assert_true(cache_pace(c, &b, 3 * S) > 3 * S + 1000 * PACE_START_MS);
		else
			assert_true(cache_pace(c, &b, 3 * S) <= 3 * S + 1000 * PACE_START_MS);
		cache_free(c);
	}
}

/* Sends as fast as it may for a while; how many were sent in the last second. */
static unsigned
drive(struct cache *c, const struct cache_hop *h, int64_t *now_us, int64_t until_us, unsigned limit)
{
	int64_t bucket_us = *now_us;
	unsigned n = 0;

	while (*now_us < until_us) {
		int64_t when_us = cache_pace(c, h, *now_us);

		if (when_us) {
			assert_true(when_us > *now_us);
			*now_us = when_us;
			continue;
		}
		n += *now_us >= until_us - S;
		/* The router: so many a second, six in a burst. */
		if (bucket_us < *now_us)
			bucket_us = *now_us;
		if (bucket_us - *now_us <= 5 * S / limit) {
			bucket_us += S / limit;
			cache_answered(c, h, *now_us);
		} else {
			cache_lost(c, h, 1, *now_us);
		}
	}
	return n;
}

static void
test_pace(void **state)
{
	struct cache *c = cache_new(key, 4096);
	struct cache_hop fast = hop(1, 8), slow = hop(2, 8), nobody = hop(3, 8);
	int64_t now_us = S;
	unsigned n;

	(void)state;
	assert_int_equal(cache_pace(c, &nobody, S), 0);
	cache_answered(c, &fast, S);
	cache_answered(c, &slow, S);
	n = drive(c, &fast, &now_us, 30 * S, 100000);
	assert_in_range(n, 200, 1000 / PACE_MIN_MS + 4);
	now_us = S;
	n = drive(c, &slow, &now_us, 30 * S, 10);
	print_message("a router that answers 10 times a second is asked %u times\n", n);
	assert_in_range(n, 4, 20);
	/* After 49 days of milliseconds. */
	now_us = (1LL << 32) * 1000 - S;
	n = drive(c, &fast, &now_us, now_us + 3 * S, 100000);
	assert_in_range(n, 200, 1000 / PACE_MIN_MS + 4);
	cache_free(c);
}

static void
test_length(void **state)
{
	struct cache *c = cache_new(key, 64);
	uint8_t a[16] = { 20, 1, 2, 3 }, b[16] = { 20, 1, 2, 99 }, other[16] = { 20, 1, 3, 3 };
	uint8_t six[16] = { 0x20, 1, 0xd, 0xb8, 1, 2, 3, 4, 5 };
	uint8_t six_b[16] = { 0x20, 1, 0xd, 0xb8, 1, 2, 3, 4, 99 };

	(void)state;
	assert_int_equal(cache_length(c, 4, a, 0), 0);
	assert_int_equal(cache_length(c, 4, a, 12), 12);
	cache_length_learn(c, 4, a, 12, 9);
	assert_int_equal(cache_length(c, 4, b, 12), 9);
	assert_int_equal(cache_length(c, 4, b, 14), 11); /* as much too long as before */
	assert_int_equal(cache_length(c, 4, b, 2), 2);
	assert_int_equal(cache_length(c, 4, b, 0), 9);
	assert_int_equal(cache_length(c, 4, other, 12), 12);
	cache_length_learn(c, 4, a, 0, 10); /* no estimate: the offset stays */
	assert_int_equal(cache_length(c, 4, b, 0), 10);
	assert_int_equal(cache_length(c, 4, b, 12), 9);
	cache_length_learn(c, 6, six, 20, 21);
	assert_int_equal(cache_length(c, 6, six_b, 20), 21);
	cache_free(c);
}

/* --- against a naive copy ----------------------------------------------------------------------------- */

#define MODEL_HOPS 3000

struct model {
	struct cache_hop hop, pred;
	int known, differed;
	uint64_t flows;
	unsigned need;
	int64_t seen_s, touched;
};

static struct model model[MODEL_HOPS];

static void
model_expire(struct model *m, int64_t now_s)
{
	if (now_s - m->seen_s > (m->differed ? DIFFERED_S : EXPIRE_S)) {
		m->known = m->differed = 0;
		m->flows = 0;
		m->need = FLOWS_NEEDED;
	}
}

static void
model_learn(struct model *m, struct cache_hop pred, uint64_t flow, int64_t now_s)
{
	model_expire(m, now_s);
	if (m->known && pred.ttl < m->pred.ttl) {
		m->flows = 0;
		m->need = 2 * m->need < FLOWS_NEEDED_MAX ? 2 * m->need : FLOWS_NEEDED_MAX;
		return;
	}
	if (m->known && !memcmp(&m->pred, &pred, sizeof pred)) {
		m->flows |= 1ULL << flow;
		if (!m->differed || m->flows == 1ULL << flow)
			m->seen_s = now_s;
		return;
	}
	if (m->known && pred.ttl == m->pred.ttl)
		m->differed = 1;
	else if (m->known)
		m->need = 2 * m->need < FLOWS_NEEDED_MAX ? 2 * m->need : FLOWS_NEEDED_MAX;
	m->known = 1;
	m->pred = pred;
	m->flows = 1ULL << flow;
	m->seen_s = now_s;
}

static int
model_is_sure(const struct model *m)
{
	return m->known && !m->differed && __builtin_popcountll(m->flows) >= (int)m->need;
}

/* Random edges, in one run more than there is room for: what both know is the same, and with room for all
 * of them the cache knows what the copy knows. */
static void
test_model(void **state)
{
	unsigned seed = (unsigned)time(NULL);

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	for (int tight = 0; tight < 2; tight++) {
		struct cache *c = cache_new(key, tight ? 256 : 65536);
		int64_t now_us = S;
		unsigned sure = 0, both = 0;

		memset(model, 0, sizeof model);
		for (unsigned i = 0; i < MODEL_HOPS; i++)
			model[i] = (struct model){ hop(i, 3 + i % 20), .need = FLOWS_NEEDED, .seen_s = 1 };
		for (unsigned i = 0; i < 300000; i++) {
			struct model *m = &model[rand() % (tight ? 300 : 100 + rand() % (MODEL_HOPS - 100))];
			struct cache_hop pred = hop(100000 + (unsigned)(m - model), m->hop.ttl - 1U);
			uint64_t flow = (uint64_t)rand() % 64;
			struct cache_edge e;

			now_us += rand() % 5000;
			if (rand() % 400 == 0)
				pred.addr[0]++;
			if (rand() % 400 == 0)
				pred = hop(200000, m->hop.ttl - 2U);
			if (rand() % 2000 == 0)
				now_us += 300 * S;
			cache_learn(c, &m->hop, &pred, flow, now_us);
			model_learn(m, pred, flow, now_us / S);
			m = &model[rand() % 300];
			e = cache_ask(c, &m->hop, now_us);
			model_expire(m, now_us / S);
			if (!tight)
				assert_int_equal(e.trust >= CACHE_STALE, model_is_sure(m));
			if (e.trust >= CACHE_STALE && model_is_sure(m)) {
				assert_memory_equal(&e.pred, &m->pred, sizeof e.pred);
				both++;
			}
			sure += model_is_sure(m);
		}
		print_message("%s: sure %u times, both %u, evicted %llu\n", tight ? "tight" : "roomy", sure, both,
			      (unsigned long long)cache_stats(c).evicted);
		assert_true(sure > 1000 && both > 500);
		if (tight)
			assert_true(cache_stats(c).evicted > 1000 && cache_stats(c).used <= 256);
		else
			assert_int_equal(cache_stats(c).evicted, 0);
		cache_free(c);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agreement),
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_enough),
		cmocka_unit_test(test_slow_silence),
		cmocka_unit_test(test_blame),
		cmocka_unit_test(test_pace),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_model),
	};

	print_message("an edge: %zu bytes\n", sizeof(struct entry));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
