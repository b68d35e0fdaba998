/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Batches against a naive model: a stream of good, torn, overlong and blank lines, cut into random
 * chunks.  And what is a line: line.c.
 */
#include "../../src/forwarder/batch.c"
#include "../../src/forwarder/line.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "pick.h"

#define STREAM_MAX (1 << 20)
#define LINES_MAX 4000

static struct batch *sealed[LINES_MAX];
static unsigned n_sealed;

static void
on_sealed(void *arg, struct batch *b)
{
	(void)arg;
	sealed[n_sealed++] = b;
}

static void
forget_sealed(void)
{
	while (n_sealed)
		batch_free(sealed[--n_sealed]);
}

/* The model: the good lines, one after the other, known because we wrote them. */
struct model {
	char stream[STREAM_MAX];
	size_t len;
	struct { size_t at; uint32_t len; uint64_t seq; } good[LINES_MAX];
	unsigned n;
	unsigned torn, overlong;
};

static struct model model;

static void
write_stream(void)
{
	struct model *m = &model;
	uint64_t seq = pick(1000);

	m->len = 0;
	m->n = m->torn = m->overlong = 0;
	while (m->len < STREAM_MAX - 40000 && m->n < LINES_MAX - 1) {
		char *at = m->stream + m->len;
		uint32_t pad = pick(20) ? pick(400) : pick(16200);
		int n;

		seq += 1 + pick(3);
		switch (pick(24)) {
		case 0:
			n = sprintf(at, "{\"a\":\"%.*s{\"v\":1,\"seq\":4}\n", (int)pick(9), "xxxxxxxxx");
			m->torn++;
			break;
		case 1:
			n = sprintf(at, "\n");
			m->torn++;
			break;
		case 2:
			n = sprintf(at, "{\"seq\":7,\"p\":\"%0*d\"}\n", 16500 + (int)pick(3000), 0);
			m->overlong++;
			break;
		case 3: /* as long as may be, and one more */
			n = sprintf(at, "{\"seq\":8,\"p\":\"%0*d\"}\n", BATCH_LINE_MAX - 16, 0);
			assert_int_equal(n, BATCH_LINE_MAX + 1);
			m->overlong++;
			break;
		case 4:
			n = sprintf(at, "{\"seq\":%llu,\"p\":\"%0*d\"}\n", (unsigned long long)seq, 1, 0);
			n = sprintf(at, "{\"seq\":%llu,\"p\":\"%0*d\"}\n", (unsigned long long)seq,
				    BATCH_LINE_MAX - n + 1, 0);
			assert_int_equal(n, BATCH_LINE_MAX);
			goto good;
		default:
			n = sprintf(at, "{\"s\":\"\\\"seq\\\":9\",\"d\":{\"seq\":\"%0*u\"},\"seq\":%llu}\n", (int)pad, 0U,
				    (unsigned long long)seq);
			if (n > BATCH_LINE_MAX) {
				m->overlong++;
				break;
			}
good:
			m->good[m->n].at = m->len;
			m->good[m->n].len = (uint32_t)n;
			m->good[m->n++].seq = seq;
		}
		m->len += (size_t)n;
	}
}

static void
assert_lines(const struct batch *b, const char *bytes, size_t len)
{
	char *lines = batch_lines(b);

	assert_non_null(lines);
	assert_int_equal(b->len, len);
	assert_memory_equal(lines, bytes, len);
	free(lines);
}

/* Walks the model's good lines through the sealed batches. */
static void
compare(const struct batch_limits *limits, int exact)
{
	unsigned line = 0;

	for (unsigned i = 0; i < n_sealed; i++) {
		const struct batch *b = sealed[i];
		char *lines = batch_lines(b);
		uint32_t at = 0;

		assert_non_null(lines);
		assert_true(b->n >= 1 && b->n <= limits->lines && b->len <= limits->bytes);
		assert_int_equal(b->first, model.good[line].seq);
		for (uint32_t k = 0; k < b->n; k++, line++) {
			assert_true(line < model.n);
			assert_memory_equal(lines + at, model.stream + model.good[line].at, model.good[line].len);
			at += model.good[line].len;
		}
		assert_int_equal(at, b->len);
		free(lines);
		assert_int_equal(b->last, model.good[line - 1].seq);
		/* Nothing was sealed early: one more line would not have gone in. */
		if (exact && line < model.n)
			assert_true(b->n == limits->lines || b->len + model.good[line].len > limits->bytes);
	}
	assert_int_equal(line, model.n);
}

static void
test_random_streams(void **state)
{
	uint64_t seed = (uint64_t)time(NULL);

	(void)state;
	printf("seed %llu\n", (unsigned long long)seed);
	rng = seed | 1;
	for (int round = 0; round < 40; round++) {
		struct batch_limits limits = { 1 + pick(300), BATCH_LINE_MAX + pick(60000) };
		struct batch_maker *m = batch_maker_new(&limits, on_sealed, NULL);
		const struct batch_counts *c = batch_counts(m);
		int seals = round % 2;
		size_t at = 0;

		assert_non_null(m);
		write_stream();
		while (at < model.len) {
			size_t n = pick(4) ? pick(700) : pick(40000);

			if (n > model.len - at)
				n = model.len - at;
			batch_feed(m, model.stream + at, n);
			at += n;
			if (seals && !pick(50))
				batch_seal(m);
		}
		batch_eof(m);
		compare(&limits, !seals);
		assert_int_equal(c->received, model.n);
		assert_int_equal(c->torn, model.torn);
		assert_int_equal(c->overlong, model.overlong);
		assert_int_equal(c->sealed, n_sealed);
		assert_int_equal(c->open, 0);
		assert_int_equal(c->dropped, 0);
		forget_sealed();
		batch_maker_free(m);
	}
}

static void
test_end_inside_a_line(void **state)
{
	static const struct batch_limits limits = { 10, 65536 };
	struct batch_maker *m = batch_maker_new(&limits, on_sealed, NULL);

	(void)state;
	batch_feed(m, "{\"seq\":1}\n{\"seq\":2}", 19);
	assert_int_equal(batch_counts(m)->open, 1);
	assert_true(batch_inside_line(m));
	batch_eof(m);
	assert_false(batch_inside_line(m));
	assert_int_equal(batch_counts(m)->torn, 1);
	assert_int_equal(n_sealed, 1);
	assert_int_equal(sealed[0]->n, 1);
	batch_eof(m);
	assert_int_equal(n_sealed, 1); /* nothing twice */
	forget_sealed();
	batch_maker_free(m);
	batch_maker_free(NULL);
}

static void
test_shrink(void **state)
{
	static const struct batch_limits limits = { 100000, 65536 };
	struct batch_maker *m = batch_maker_new(&limits, on_sealed, NULL);
	char line[1000];
	int n;

	(void)state;
	for (int i = 0; i < 30; i++) {
		n = sprintf(line, "{\"seq\":%d,\"p\":\"%0900d\"}\n", i, 0);
		batch_feed(m, line, (size_t)n);
	}
	assert_int_equal(n_sealed, 0);
	batch_shrink(m, 1); /* not below the longest line */
	assert_int_equal(n_sealed, 1);
	for (int i = 30; i < 60; i++) {
		n = sprintf(line, "{\"seq\":%d,\"p\":\"%0900d\"}\n", i, 0);
		batch_feed(m, line, (size_t)n);
	}
	batch_shrink(m, 60000); /* never up again */
	batch_eof(m);
	for (unsigned i = 1; i < n_sealed; i++)
		assert_true(sealed[i]->len <= BATCH_LINE_MAX);
	forget_sealed();
	batch_maker_free(m);
}

static void
test_halves(void **state)
{
	static const char bytes[] = "{\"seq\":3}\n{\"seq\":5}\n{\"seq\":8}\n{\"seq\":9}\n{\"seq\":20}\n";
	struct batch *b = batch_new(PACK_GZIP, bytes, sizeof bytes - 1, 5, 3, 20), *one, *two, *three, *four;

	(void)state;
	b->refused = 2;
	assert_int_equal(batch_halve(b, &one, &two), 0);
	assert_true(one->n == 2 && one->first == 3 && one->last == 5 && one->len == 20 && one->refused == 2);
	assert_true(two->n == 3 && two->first == 8 && two->last == 20 && two->refused == 2);
	assert_lines(one, bytes, 20);
	assert_lines(two, bytes + 20, two->len);
	assert_int_equal(batch_halve(two, &three, &four), 0);
	assert_true(three->n == 1 && three->first == 8 && three->last == 8);
	assert_true(four->n == 2 && four->first == 9 && four->last == 20);
	batch_free(b);
	batch_free(one);
	batch_free(two);
	batch_free(three);
	batch_free(four);
}

/* Packed and unpacked it is the same; the same lines give the same bytes. */
static void
test_packed(void **state)
{
	enum pack_coding coding = (enum pack_coding)(uintptr_t)*state;
	static char text[60000];
	size_t len = 0;
	struct batch *a, *b, *one, *two;

	if (!pack_can(coding))
		return;
	for (unsigned i = 0; i < 1000; i++)
		len += (size_t)sprintf(text + len, "{\"type\":\"conn\",\"seq\":%u,\"port\":%u}\n", i, i * 7919 % 65536);
	a = batch_new(coding, text, len, 1000, 0, 999);
	b = batch_new(coding, text, len, 1000, 0, 999);
	assert_true(a->coding == coding && a->size < a->len / 3 && batch_size(a) == sizeof *a + a->size);
	assert_true(a->size == b->size && !memcmp(a->bytes, b->bytes, a->size));
	assert_lines(a, text, len);
	a->bytes[a->size / 2] ^= 1;
	assert_null(batch_lines(a));
	batch_free(a);
	assert_int_equal(batch_halve(b, &one, &two), 0);
	assert_true(one->coding == coding && two->coding == coding);
	batch_free(one);
	batch_free(two);
	batch_free(b);
	/* What would not get smaller stays. */
	a = batch_new(coding, "{\"seq\":3}\n", 10, 1, 3, 3);
	assert_true(a->coding == PACK_NONE && a->wanted == coding);
	assert_lines(a, "{\"seq\":3}\n", 10);
	batch_free(a);
}

static void
test_thin(void **state)
{
	static const char mixed[] = "{\"seq\":1}\n{\"type\":\"conn\",\"seq\":2}\n{\"seq\":3}\n"
				    "{\"type\":\"conn\",\"seq\":4}\n{\"seq\":5}\n";
	static const char conns[] = "{\"type\":\"conn\",\"seq\":2}\n";
	struct batch *b = batch_new(PACK_GZIP, mixed, sizeof mixed - 1, 5, 1, 5), *front, *rest;
	uint32_t removed;

	(void)state;
	memcpy(b->boot, "9f1c2ab0", 9);
	assert_int_equal(batch_thin(b, &front, &rest, &removed), 0);
	assert_int_equal(removed, 2);
	/* In two: else the key 1-5 would come with other bytes. */
	assert_lines(front, "{\"seq\":1}\n", 10);
	assert_lines(rest, "{\"seq\":3}\n{\"seq\":5}\n", 20);
	assert_true(rest->first == 3 && rest->last == 5 && rest->n == 2 && !strcmp(rest->boot, "9f1c2ab0"));
	batch_free(b);
	batch_free(front);
	batch_free(rest);
	b = batch_new(PACK_GZIP, conns, sizeof conns - 1, 1, 2, 2);
	assert_int_equal(batch_thin(b, &front, &rest, &removed), 0);
	assert_true(removed == 1 && !front && !rest);
	batch_free(b);
}

static void
test_lines(void **state)
{
	static const struct { const char *text; int64_t seq; } rows[] = {
		{ "{\"seq\":0}\n", 0 },
		{ " { \"a\" : [ { \"seq\" : 7 } ] , \"seq\" : 12 } \r\n", 12 },
		{ "{\"seq\":9007199254740991}\n", 9007199254740991 },
		{ "{\"x\":\"\\u0022seq\\u0022:1\",\"seq\":4}\n", 4 },
		{ "{\"\\u0073eq\":4}\n", 4 }, /* the same name, escaped */
		{ "{\"seq\":9007199254740992}\n", -1 },
		{ "{\"seq\":99999999999999999999}\n", -1 },
		{ "{\"seq\":-1}\n", -1 },
		{ "{\"seq\":1.0}\n", -1 },
		{ "{\"seq\":\"1\"}\n", -1 },
		{ "{\"seq\":null}\n", -1 },
		{ "{\"seq\":true}\n", -1 },
		{ "{\"seq\":[1]}\n", -1 },
		{ "{\"seq\":{}}\n", -1 },
		{ "{\"seq\":1,\"seq\":2}\n", -1 },
		{ "{\"seq\":[],\"seq\":2}\n", -1 },
		{ "{}\n", -1 },
		{ "\n", -1 },
		{ "1\n", -1 },
		{ "null\n", -1 },
		{ "\"seq\"\n", -1 },
		{ "[{\"seq\":1}]\n", -1 },
		{ "{\"seq\":1}{\"seq\":2}\n", -1 },
		{ "{\"seq\":1} 2\n", -1 },
		{ "{\"seq\":1\n", -1 },
		{ "{\"seq\":1}}\n", -1 },
		{ "{\"seq\":1,\"a\":\"\n", -1 },
		{ "{\"seq\":1,\"a\":\"\xff\"}\n", -1 },
		{ "{\"a\":\"b{\"v\":1,\"seq\":4}\n", -1 },
		{ "{\"seq\":41,\"rtt_us\":1{\"v\":1,\"seq\":42}\n", -1 },
	};
	struct line *l = line_new();

	(void)state;
	assert_non_null(l);
	/* Twice over, in both orders: no line leaves anything behind for the next. */
	for (size_t i = 0; i < 4 * sizeof rows / sizeof rows[0]; i++) {
		size_t n = sizeof rows / sizeof rows[0], k = i / n % 2 ? n - 1 - i % n : i % n;
		uint64_t seq = 99;
		int r = line_seq(l, rows[k].text, strlen(rows[k].text), &seq);

		if (rows[k].seq < 0) {
			if (r != -EINVAL)
				fail_msg("taken: %s", rows[k].text);
		} else if (r || seq != (uint64_t)rows[k].seq) {
			fail_msg("%d, seq %llu: %s", r, (unsigned long long)seq, rows[k].text);
		}
	}
	line_free(l);
	line_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_streams), cmocka_unit_test(test_end_inside_a_line),
		cmocka_unit_test(test_shrink), cmocka_unit_test(test_halves), cmocka_unit_test(test_thin),
		{ "test_packed gzip", test_packed, NULL, NULL, (void *)(uintptr_t)PACK_GZIP },
		{ "test_packed zstd", test_packed, NULL, NULL, (void *)(uintptr_t)PACK_ZSTD },
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
