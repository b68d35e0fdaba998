/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The queue against a naive array, random operations; its bound, its counts, what is pinned.
 */
#include "../../src/forwarder/queue.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define MODEL_MAX 512

static uint64_t rng;

static uint32_t
pick(uint32_t n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (uint32_t)(rng >> 20) % n;
}

static struct batch *
make(uint64_t first, uint32_t n)
{
	static char text[64 * 1024];
	size_t len = 0;

	for (uint32_t i = 0; i < n; i++)
		len += (size_t)sprintf(text + len, "{\"seq\":%llu}\n", (unsigned long long)(first + i));
	return batch_new(text, len, n, first, first + n - 1);
}

struct entry {
	uint64_t first;
	uint32_t n;
	size_t size;
};

static struct entry model[MODEL_MAX];
static unsigned n_model;

static void
model_remove(unsigned i)
{
	memmove(&model[i], &model[i + 1], (--n_model - i) * sizeof model[0]);
}

static void
model_compare(const struct queue *q, size_t limit, size_t slack, uint64_t dropped, uint64_t dropped_batches)
{
	const struct queue_counts *c = queue_counts(q);
	uint64_t records = 0, bytes = 0;

	for (unsigned i = 0; i < n_model; i++) {
		records += model[i].n;
		bytes += model[i].size;
	}
	assert_int_equal(c->records, records);
	assert_int_equal(c->batches, n_model);
	assert_int_equal(c->bytes, bytes);
	assert_int_equal(c->dropped, dropped);
	assert_int_equal(c->dropped_batches, dropped_batches);
	assert_true(c->bytes <= limit + slack);
	if (n_model) {
		assert_int_equal(queue_head(q)->first, model[0].first);
		assert_int_equal(queue_head(q)->n, model[0].n);
	} else {
		assert_null(queue_head(q));
	}
}

static void
test_random(void **state)
{
	uint64_t seed = (uint64_t)time(NULL), seq = 1, dropped = 0, dropped_batches = 0;
	const size_t limit = 20000;
	struct queue *q = queue_new(limit);
	size_t slack = 0;
	int pinned = 0;

	(void)state;
	printf("seed %llu\n", (unsigned long long)seed);
	rng = seed | 1;
	for (int i = 0; i < 200000; i++) {
		struct batch *b;

		switch (pick(8)) {
		case 0:
		case 1:
		case 2:
		case 3:
			b = make(seq, 1 + pick(pick(40) ? 60 : 2000));
			seq += b->n;
			slack = 0;
			for (;;) {
				size_t bytes = batch_size(b);
				unsigned oldest = pinned ? 1 : 0;

				for (unsigned k = 0; k < n_model; k++)
					bytes += model[k].size;
				if (bytes <= limit) {
					model[n_model++] = (struct entry){ b->first, b->n, batch_size(b) };
					break;
				}
				dropped_batches++;
				if (oldest >= n_model) {
					dropped += b->n;
					break;
				}
				dropped += model[oldest].n;
				model_remove(oldest);
			}
			queue_put(q, b);
			break;
		case 4:
			queue_pin(q);
			pinned = n_model > 0;
			break;
		case 5:
			queue_unpin(q);
			pinned = 0;
			break;
		case 6:
			queue_forget(q);
			pinned = 0;
			if (n_model)
				model_remove(0);
			break;
		case 7:
			if (!n_model || pinned || model[0].n < 2)
				break;
			assert_int_equal(queue_halve(q), 0);
			memmove(&model[1], &model[0], n_model++ * sizeof model[0]);
			model[0].n /= 2;
			model[1].n -= model[0].n;
			model[1].first += model[0].n;
			model[0].size = batch_size(q->head);
			model[1].size = batch_size(q->head->next);
			slack += sizeof *b;
			break;
		}
		assert_true(n_model < MODEL_MAX - 1);
		model_compare(q, limit, slack, dropped, dropped_batches);
	}
	assert_true(dropped > 0);
	queue_free(q);
	queue_free(NULL);
}

static void
test_the_pinned_head_stays(void **state)
{
	struct queue *q = queue_new(3 * (sizeof(struct batch) + 1000));

	(void)state;
	for (uint64_t i = 0; i < 100; i++) {
		queue_put(q, make(1000 * i, 50));
		if (!i)
			queue_pin(q);
		assert_int_equal(queue_head(q)->first, 0);
	}
	assert_true(queue_counts(q)->dropped > 4000);
	queue_unpin(q);
	queue_put(q, make(1000000, 50));
	assert_int_not_equal(queue_head(q)->first, 0);
	queue_free(q);
}

static void
test_refused(void **state)
{
	struct queue *q = queue_new(100000);

	(void)state;
	queue_put(q, make(1, 4));
	assert_int_equal(queue_refused(q), 1);
	assert_int_equal(queue_halve(q), 0);
	assert_int_equal(queue_refused(q), 2);
	queue_forget(q);
	assert_int_equal(queue_refused(q), 2); /* the other half has its own */
	queue_free(q);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random), cmocka_unit_test(test_the_pinned_head_stays),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
