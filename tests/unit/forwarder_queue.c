/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The queue without a spool, with one in memory and with one on a disk, random operations: every
 * report that went in comes out once or is counted as dropped, wherever the process is killed.
 */
#include "../../src/forwarder/queue.c"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "pick.h"

#define SEQS 400000

static enum pack_coding coding = PACK_GZIP;

/* Every third is a `conn`, if any is. */
static struct batch *
make(uint64_t first, uint32_t n, int conns)
{
	static char text[64 * 1024];
	size_t len = 0;

	for (uint32_t i = 0; i < n; i++)
		len += (size_t)sprintf(text + len, "{\"type\":\"%s\",\"seq\":%llu,\"x\":\"%08x%08x\"}\n",
				       conns && (first + i) % 3 ? "attempt" : "conn", (unsigned long long)(first + i),
				       pick(1u << 31), pick(1u << 31));
	return batch_new(coding, text, len, n, first, first + n - 1);
}

enum mode { NONE, TMPFS, DISK };

static char dir[64];
static struct worker_forward_page page;
static struct spool *spool;
static struct queue *queue;
static struct spool_limits limits;
static size_t memory;

static void
open_queue(enum mode mode, const char *boot)
{
	struct queue_settings s = { .bytes = memory, .boot = boot, .page = &page, .tmpfs = mode == TMPFS };

	spool = NULL;
	if (mode != NONE)
		assert_int_equal(spool_open(&spool, open(dir, O_RDONLY | O_DIRECTORY), &limits), 0);
	s.spool = spool;
	queue = queue_new(&s);
	assert_non_null(queue);
}

/* As when the process is killed: nothing is written any more. */
static void
close_queue(void)
{
	queue_free(queue);
	spool_close(spool);
}

static void
put(struct batch *b)
{
	page.now.received += b->n;
	queue_put(queue, b);
}

static void
identity(void)
{
	const struct queue_counts *c = queue_counts(queue);
	uint64_t in_memory = 0, copies = 0, bytes = 0, uncopied = 0, n = 0;

	assert_int_equal(tally_waiting(&page.now), c->records);
	assert_int_equal(page.now.received + page.now.recovered, page.now.acknowledged + page.now.rejected +
			 page.now.quarantined + page.now.dropped + c->records);
	for (const struct batch *b = queue->head; b; b = b->next) {
		*(b->segment ? &copies : &in_memory) += b->n;
		bytes += batch_size(b);
		uncopied += b->segment ? 0 : spool_image_size(b->n, b->len);
		n++;
	}
	assert_int_equal(c->batches, n);
	assert_int_equal(c->bytes, bytes);
	assert_int_equal(queue->copied, copies);
	assert_int_equal(queue->uncopied, uncopied);
	assert_int_equal(c->records, in_memory + queue->spooled);
	assert_int_equal(page.now.spooled, queue->spooled);
	assert_false(page.prepared);
	if (spool)
		assert_true(spool_bytes(spool) <= limits.bytes);
}

static uint8_t fate[SEQS]; /* 1: put, 2: has found its end */

static void
settle(int quarantine)
{
	const struct batch *b = queue_held(queue);
	struct tally_change end = { .acknowledged = quarantine ? 0 : b->n, .quarantined = quarantine ? b->n : 0 };
	struct line *line = line_new();
	char *lines = batch_lines(b);
	uint32_t n = 0;
	size_t len;

	for (const char *p = lines; p < lines + b->len; p += len) {
		uint64_t seq;

		len = (size_t)((const char *)memchr(p, '\n', (size_t)(lines + b->len - p)) - p) + 1;
		assert_int_equal(line_seq(line, p, len, &seq), 0);
		assert_in_range(seq, b->first, b->last);
		assert_int_equal(fate[seq], 1);
		fate[seq] = 2;
		n++;
	}
	assert_int_equal(n, b->n);
	free(lines);
	line_free(line);
	queue_settle(queue, &end);
}

static void
test_random(void **state)
{
	enum mode mode = (enum mode)(uintptr_t)*state;
	uint64_t seed = (uint64_t)time(NULL) ^ (uint64_t)getpid(), seq = 1, ended = 0, early_dropped = 0;
	unsigned kills = 0, starts = 0;

	printf("seed %llu\n", (unsigned long long)seed);
	rng = seed | 1;
	memset(fate, 0, sizeof fate);
	memset(&page, 0, sizeof page);
	memory = 30000;
	limits = (struct spool_limits){ mode == DISK ? 150000 : 100000, 0 };
	open_queue(mode, "9f1c2ab0");
	for (int i = 0; i < 12000 && seq < SEQS - 3000; i++) {
		uint32_t n;

		switch (pick(16)) {
		case 0: case 1: case 2: case 3: case 4: case 5: case 6:
			n = 1 + pick(pick(40) ? 60 : 600);
			memset(fate + seq, 1, n);
			put(make(seq, n, pick(4) > 0));
			seq += n;
			break;
		case 7: case 8: case 9: case 10:
			if (queue_hold(queue, pick(4) > 0))
				settle(!pick(20));
			break;
		case 11:
			queue_hold(queue, 1);
			break;
		case 12:
			queue_release(queue);
			break;
		case 13:
			queue_away(queue, pick(2));
			queue_told(queue);
			break;
		case 14:
			if (queue_hold(queue, 1) && queue_held(queue)->n > 1)
				assert_int_equal(queue_halve(queue), 0);
			break;
		case 15:
			if (pick(30))
				break;
			if (pick(2)) {
				queue_save(queue);
				identity();
				assert_true(mode == NONE || !queue->head);
			}
			close_queue();
			/* Another forwarder under the same parent, or another parent. */
			if (mode != NONE && !pick(3)) {
				ended += page.now.acknowledged + page.now.quarantined;
				early_dropped += tally_waiting(&page.now) - page.now.spooled + page.now.dropped;
				memset(&page, 0, sizeof page);
				open_queue(mode, "00000001");
				/* What the gap records say was dropped, was counted before. */
				early_dropped -= page.now.dropped;
				starts++;
			} else {
				uint64_t recovered = page.now.recovered;

				open_queue(mode, "9f1c2ab0");
				assert_int_equal(page.now.recovered, recovered);
			}
			kills++;
			break;
		}
		identity();
	}
	while (queue_hold(queue, 1)) {
		settle(0);
		identity();
	}
	assert_int_equal(queue_counts(queue)->records, 0);
	ended += page.now.acknowledged + page.now.quarantined;
	for (uint64_t i = 1; i < seq; i++)
		ended -= fate[i] == 2;
	assert_int_equal(ended, 0);
	for (uint64_t i = 1; i < seq; i++)
		ended += fate[i] == 1;
	assert_int_equal(ended, page.now.dropped + early_dropped);
	queue_told(queue);
	if (spool)
		assert_int_equal(spool_segments(spool), 0);
	printf("%llu reports, %llu dropped, %u ends, %u parents\n", (unsigned long long)seq - 1, (unsigned long long)ended, kills,
	       starts + 1);
	assert_true(ended > 0 && kills > 0);
	close_queue();
}

static void
fresh(size_t bytes, uint64_t spool_limit, enum mode mode)
{
	memset(&page, 0, sizeof page);
	memory = bytes;
	limits = (struct spool_limits){ spool_limit, 0 };
	open_queue(mode, "9f1c2ab0");
}

static void
test_the_held_one_stays(void **state)
{
	(void)state;
	fresh(4 * (sizeof(struct batch) + 1000), 0, NONE);
	for (uint64_t i = 0; i < 100; i++) {
		put(make(1000 * i, 50, 0));
		assert_int_equal(queue_hold(queue, 0)->first, 0);
	}
	assert_true(page.now.dropped > 4000);
	queue_release(queue);
	put(make(1000000, 50, 0));
	assert_int_not_equal(queue_hold(queue, 0)->first, 0);
	close_queue();
}

static void
settle_one(int acknowledged)
{
	uint32_t n = queue_held(queue)->n;
	struct tally_change end = { .acknowledged = acknowledged ? n : 0, .quarantined = acknowledged ? 0 : n };

	queue_settle(queue, &end);
}

static int
sends_next(uint64_t first, int backlog)
{
	const struct batch *b = queue_hold(queue, backlog);
	int same = b && b->first == first;

	if (b) {
		struct tally_change end = { .acknowledged = b->n };

		queue_settle(queue, &end);
	}
	return same;
}

static void
test_connections_make_room_first(void **state)
{
	enum mode mode = (enum mode)(uintptr_t)*state;
	uint64_t others = 0;
	size_t bytes = 0;

	/* Without a third of the reports there is room. */
	for (uint64_t i = 0; i < 40; i++) {
		struct batch *b = make(100 * i, 60, 1);

		bytes += mode == NONE ? batch_size(b) : spool_image_size(b->n, b->len);
		batch_free(b);
	}
	/* In memory each becomes two. */
	fresh(mode == NONE ? bytes * 5 / 6 + 40 * sizeof(struct batch) : 5000, bytes * 5 / 6, mode);
	for (uint64_t i = 0; i < 40; i++) {
		put(make(100 * i, 60, 1));
		identity();
	}
	assert_true(page.now.dropped > 0 && page.now.dropped <= 40 * 20);
	while (queue_hold(queue, 1)) {
		others += queue_held(queue)->n;
		sends_next(queue_held(queue)->first, 1);
	}
	assert_true(others >= 40 * 40);
	close_queue();
}

static void
test_order(void **state)
{
	enum mode mode = (enum mode)(uintptr_t)*state;

	fresh(mode == NONE ? 100000 : 3000, 1 << 20, mode);
	queue_away(queue, 1);
	for (uint64_t i = 1; i <= 20; i++)
		put(make(100 * i, 30, 1));
	queue_away(queue, 0);
	put(make(5000, 30, 1));
	put(make(5100, 30, 1));
	assert_true(sends_next(5000, 1));
	assert_true(sends_next(5100, 0));
	assert_null(queue_hold(queue, 0));
	for (uint64_t i = 20; i > 10; i--)
		assert_true(sends_next(100 * i, 1));
	put(make(6000, 30, 1));
	assert_true(sends_next(6000, 1));
	for (uint64_t i = 10; i > 0; i--)
		assert_true(sends_next(100 * i, 1));
	assert_null(queue_hold(queue, 1));
	assert_int_equal(page.now.dropped, 0);
	close_queue();
}

static void
test_refused(void **state)
{
	fresh(100000, 100000, (enum mode)(uintptr_t)*state);
	put(make(1, 4, 0));
	queue_hold(queue, 0);
	assert_int_equal(queue_refused(queue), 1);
	assert_int_equal(queue_halve(queue), 0);
	assert_int_equal(queue_hold(queue, 0)->n, 2);
	assert_int_equal(queue_refused(queue), 2);
	assert_true(sends_next(1, 0));
	identity();
	assert_int_equal(queue_hold(queue, 0)->first, 3);
	assert_int_equal(queue_refused(queue), 2); /* the other half has its own */
	if (spool) {
		/* Half of it is delivered: the other half is what the next process finds. */
		close_queue();
		open_queue(TMPFS, "00000001");
		assert_true(sends_next(3, 1));
		assert_null(queue_hold(queue, 1));
	}
	close_queue();
}

/* Killed between the spool's step and the counts, or in front of the step. */
static void
test_killed_in_a_step(void **state)
{
	(void)state;
	for (int done = 0; done < 2; done++) {
		struct tally_change end = { .acknowledged = 30, .spooled = -30 };

		fresh(100000, 100000, TMPFS);
		put(make(1, 30, 0));
		put(make(100, 30, 0));
		tally_prepare(&page, &end);
		if (done)
			spool_drop(spool, queue->head->segment);
		close_queue();
		open_queue(TMPFS, "9f1c2ab0");
		assert_int_equal(page.now.acknowledged, done ? 30 : 0);
		assert_int_equal(page.now.dropped, 0);
		identity();
		while (queue_hold(queue, 1))
			sends_next(queue_held(queue)->first, 1);
		assert_int_equal(page.now.acknowledged, 60);
		close_queue();
	}
}

static void
test_another_boot(void **state)
{
	(void)state;
	fresh(100000, 100000, TMPFS);
	put(make(1, 30, 0));
	close_queue();
	memset(&page, 0, sizeof page);
	open_queue(TMPFS, "00000001");
	assert_int_equal(page.now.recovered, 30);
	assert_string_equal(queue_hold(queue, 1)->boot, "9f1c2ab0");
	assert_true(sends_next(1, 1));
	put(make(1, 30, 0));
	assert_string_equal(queue_hold(queue, 1)->boot, "00000001");
	assert_true(sends_next(1, 1));
	close_queue();
}

/* A day's bytes are written, then no more; nothing is lost by that alone. */
static void
test_day(void **state)
{
	(void)state;
	memset(&page, 0, sizeof page);
	memory = 3000;
	limits = (struct spool_limits){ 1 << 20, 10000 };
	open_queue(DISK, "9f1c2ab0");
	for (uint64_t i = 1; i <= 100; i++) {
		put(make(100 * i, 30, 0));
		identity();
	}
	assert_true(page.flash_written_bytes > 5000 && page.flash_written_bytes <= 10000);
	assert_int_equal(page.spool_error, EDQUOT);
	assert_true(page.now.dropped > 0);
	assert_true(page.now.spooled > 90);
	while (queue_hold(queue, 1))
		sends_next(queue_held(queue)->first, 1);
	identity();
	close_queue();
}

static void
test_damage(void **state)
{
	struct spool_segment s;
	uint8_t *image;
	size_t size, n = 0;
	char path[128];
	FILE *f;

	(void)state;
	fresh(100000, 100000, TMPFS);
	put(make(1, 100, 0));
	assert_int_equal(spool_find(spool, 0, &s), 1);
	assert_int_equal(spool_load(spool, s.number, &image, &size), 0);
	image[size / 2] ^= 1;
	snprintf(path, sizeof path, "%s/%016llx.seg", dir, (unsigned long long)s.number);
	f = fopen(path, "r+");
	assert_true(f && fwrite(image, 1, size, f) == size && !fclose(f));
	free(image);
	close_queue();
	open_queue(TMPFS, "9f1c2ab0");
	assert_int_equal(page.now.spooled, 99);
	assert_int_equal(page.now.dropped, 1); /* it was received under this parent */
	assert_true(page.spool_damaged > 0);
	while (queue_hold(queue, 1)) {
		/* No key says 1-100 again. */
		assert_true(queue_held(queue)->n < 99);
		n += queue_held(queue)->n;
		sends_next(queue_held(queue)->first, 1);
	}
	assert_int_equal(n, 99);
	close_queue();
}

/* A report that was dropped from a segment is told of until the collector has heard of it, whatever becomes
 * of the others in there, and whoever asks: a new parent counts what the spool tells. */
static void
test_gaps_stay(void **state)
{
	uint64_t dropped;

	(void)state;
	for (int turn = 0; turn < 16; turn++) {
		fresh(3000, 30000, TMPFS);
		queue_away(queue, 1);
		for (uint64_t i = 0; !page.now.dropped; i++)
			put(make(100 * i, 60, 1));
		dropped = page.now.dropped;
		queue_away(queue, 0);
		while (queue_hold(queue, 1)->first >= 100 * dropped / 20) /* the oldest were thinned, by 20 each */
			settle_one(1);
		/* Refused: halved, and one of the halves given up, or more. */
		for (int i = 0; i < 4 && queue_hold(queue, 1); i++) {
			if (turn >> i & 1 && queue_held(queue)->n > 1)
				assert_int_equal(queue_halve(queue), 0);
			else
				settle_one(0);
			queue_release(queue);
			identity();
		}
		if (turn == 15) {
			while (queue_hold(queue, 1))
				settle_one(0);
		}
		close_queue();
		memset(&page, 0, sizeof page);
		open_queue(TMPFS, "00000001");
		assert_int_equal(page.now.dropped, dropped);
		assert_int_equal(page.now.recovered, page.now.dropped + page.now.spooled);
		while (queue_hold(queue, 1))
			settle_one(1);
		queue_told(queue);
		assert_int_equal(spool_segments(spool), 0);
		close_queue();
	}
}

/* Gap records of connections alone are joined: else they would take the room of reports. */
static void
test_gaps_join(void **state)
{
	uint64_t dropped;

	(void)state;
	fresh(8000, 30000, TMPFS);
	for (uint64_t i = 1; i <= 400; i++)
		put(make(100 * i, 60, 0));
	identity();
	assert_in_range(spool_segments(spool), 3, 12);
	queue_save(queue);
	dropped = page.now.dropped;
	assert_true(dropped > 300 * 60);
	close_queue();
	memset(&page, 0, sizeof page);
	open_queue(TMPFS, "00000001");
	assert_int_equal(page.now.dropped, dropped);
	close_queue();
}

/* The coding of a segment's posts outlives the process. */
static void
test_coding_stays(void **state)
{
	char was[4096];
	uint32_t size;

	(void)state;
	if (!pack_can(PACK_ZSTD))
		return;
	fresh(100000, 100000, TMPFS);
	coding = PACK_ZSTD;
	put(make(1, 30, 0));
	coding = PACK_GZIP;
	put(make(100, 30, 0));
	assert_int_equal(queue_hold(queue, 1)->coding, PACK_ZSTD);
	size = queue_held(queue)->size;
	memcpy(was, queue_held(queue)->bytes, size);
	close_queue();
	open_queue(TMPFS, "9f1c2ab0");
	assert_true(queue_hold(queue, 1)->first == 100 && queue_held(queue)->coding == PACK_GZIP);
	settle_one(1);
	assert_true(queue_hold(queue, 1)->first == 1 && queue_held(queue)->size == size);
	assert_memory_equal(queue_held(queue)->bytes, was, size);
	assert_int_equal(queue_halve(queue), 0);
	assert_int_equal(queue_hold(queue, 1)->coding, PACK_ZSTD);
	settle_one(1);
	close_queue();
	open_queue(TMPFS, "9f1c2ab0");
	assert_int_equal(queue_hold(queue, 1)->coding, PACK_ZSTD);
	close_queue();
}

#define WAITING 40

/* A spool in memory with room for a few of them. */
static void
full_spool(size_t bytes)
{
	fresh(bytes, 30000, TMPFS);
	for (uint64_t i = 1; i <= WAITING; i++) {
		put(make(100 * i, 60, 1));
		identity();
	}
}

/* How many of the batches are in the spool: the oldest. */
static uint64_t
in_spool(void)
{
	uint64_t n = 0;

	for (const struct batch *b = queue->head; b; b = b->next) {
		assert_true(!b->segment || b->first == 100 * (n + 1) || b->backlog);
		n += b->segment > 0;
	}
	return n;
}

static void
test_room_in_memory(void **state)
{
	uint64_t n;

	(void)state;
	full_spool(1 << 20);
	n = in_spool();
	assert_true(n > 2 && n < WAITING / 2);
	assert_int_equal(page.now.dropped, 0);
	assert_int_equal(page.spool_error, 0);
	/* As room comes the next ones go there; and they are sent in their order. */
	for (uint64_t i = 1; i <= WAITING; i++) {
		assert_int_equal(queue_hold(queue, 0)->first, 100 * i);
		assert_int_equal(queue_held(queue)->segment > 0, 1);
		settle_one(1);
		identity();
	}
	assert_int_equal(page.now.acknowledged, WAITING * 60);
	assert_int_equal(spool_segments(spool), 0);
	close_queue();

	/* What waited while the collector was away: the newest first, and of the spool last. */
	fresh(1 << 20, 30000, TMPFS);
	queue_away(queue, 1);
	for (uint64_t i = 1; i <= WAITING; i++)
		put(make(100 * i, 60, 1));
	for (uint64_t i = WAITING; i > 0; i--) {
		assert_true(sends_next(100 * i, 1));
		identity();
	}
	assert_int_equal(page.now.dropped, 0);
	close_queue();
}

/* Killed with a full spool: it loses what was in memory alone, and says how many. */
static void
test_killed_while_full(void **state)
{
	uint64_t spooled;

	(void)state;
	full_spool(1 << 20);
	spooled = page.now.spooled;
	assert_int_equal(spooled, in_spool() * 60);
	close_queue();
	open_queue(TMPFS, "9f1c2ab0");
	assert_int_equal(page.now.dropped, WAITING * 60 - spooled);
	identity();
	for (uint64_t i = spooled / 60; i > 0; i--)
		assert_true(sends_next(100 * i, 1));
	assert_null(queue_hold(queue, 1));
	close_queue();
}

/* At the end what is in memory goes to the spool, where connections make room, then the oldest; the next parent
 * knows how many. */
static void
test_saved_while_full(void **state)
{
	uint64_t dropped, others = 0;

	(void)state;
	full_spool(1 << 20);
	queue_hold(queue, 0);
	queue_save(queue);
	identity();
	assert_int_equal(queue_counts(queue)->batches, 0);
	dropped = page.now.dropped;
	assert_true(dropped > 0 && page.now.spooled + dropped == WAITING * 60);
	close_queue();
	memset(&page, 0, sizeof page);
	open_queue(TMPFS, "00000001");
	assert_int_equal(page.now.dropped, dropped);
	identity();
	assert_true(queue_hold(queue, 1)->last >= 100 * WAITING + 58);
	for (uint64_t last = UINT64_MAX; queue_hold(queue, 1); settle_one(1)) {
		assert_true(queue_held(queue)->last < last);
		last = queue_held(queue)->first;
		others += queue_held(queue)->n;
	}
	/* 40 of 60 are no connections, and there is room for some of them. */
	assert_true(others > 200 && others < WAITING * 40);
	close_queue();
}

/* Connections that are in memory make room for others that are older, and in the spool. */
static void
test_connections_in_memory(void **state)
{
	enum mode mode = (enum mode)(uintptr_t)*state;
	uint64_t others = 0, dropped;

	fresh(8000, 30000, mode);
	for (uint64_t i = 1; i <= 60; i++) {
		struct batch *b = make(100 * i, 60, 1), *front, *rest;
		uint32_t removed;

		/* At first none is a connection, then each. */
		if (i <= 9) {
			assert_int_equal(batch_thin(b, &front, &rest, &removed), 0);
			batch_free(b);
			batch_free(front);
			b = rest;
			others += b->n;
		} else {
			batch_free(b);
			b = make(100 * i, 60, 0);
		}
		put(b);
		identity();
	}
	dropped = page.now.dropped;
	assert_true(dropped > 0 && dropped < page.now.received - others);
	queue_save(queue);
	identity();
	assert_true(page.now.dropped >= dropped);
	dropped = page.now.dropped;
	close_queue();
	memset(&page, 0, sizeof page);
	open_queue(mode, "00000001");
	assert_int_equal(page.now.dropped, dropped);
	while (queue_hold(queue, 1)) {
		if (queue_held(queue)->first < 1000)
			others -= queue_held(queue)->n;
		settle_one(1);
	}
	assert_int_equal(others, 0);
	close_queue();
}

static int
setup(void **state)
{
	(void)state;
	log_init("test", LOG_L_ERROR);
	snprintf(dir, sizeof dir, "/dev/shm/ng-queue-XXXXXX");
	return !mkdtemp(dir);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static int
teardown(void **state)
{
	(void)state;
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int
main(void)
{
#define IN(fn, mode) { #fn " " #mode, fn, setup, teardown, (void *)(uintptr_t)(mode) }
	const struct CMUnitTest tests[] = {
		IN(test_random, NONE), IN(test_random, TMPFS), IN(test_random, DISK),
		IN(test_the_held_one_stays, NONE),
		IN(test_connections_make_room_first, NONE), IN(test_connections_make_room_first, TMPFS),
		IN(test_connections_make_room_first, DISK),
		IN(test_order, NONE), IN(test_order, TMPFS), IN(test_order, DISK),
		IN(test_refused, NONE), IN(test_refused, TMPFS),
		IN(test_killed_in_a_step, TMPFS), IN(test_another_boot, TMPFS), IN(test_day, DISK),
		IN(test_damage, TMPFS), IN(test_gaps_stay, TMPFS), IN(test_gaps_join, TMPFS),
		IN(test_coding_stays, TMPFS),
		IN(test_room_in_memory, TMPFS), IN(test_killed_while_full, TMPFS), IN(test_saved_while_full, TMPFS),
		IN(test_connections_in_memory, TMPFS), IN(test_connections_in_memory, DISK),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
