/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * queue.c - a list with a bound, and the spool behind it.  Receives from batch, deliver holds one of
 * its batches at a time.
 *
 * A batch in the list with a segment is a copy of what the spool holds: it can be let go at any time.
 * The tag of a segment is how many records it holds; 0: only gap records.
 */
#include "queue.h"

#include "lib/log.h"
#include "lib/loop.h"
#include "segment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_SAY_AGAIN_US 300000000

struct queue {
	struct queue_settings settings;
	struct spool *spool;
	struct worker_forward_page *page;
	struct line *line;
	struct batch *head;   /* oldest first */
	struct batch **tail;
	struct batch *held;   /* in the list */
	uint64_t thin_from;   /* segments below it hold no `conn` reports any more */
	uint64_t spooled;     /* records: the tags' sum */
	uint64_t copied;      /* records that are in the list and in the spool */
	uint64_t uncopied;    /* bytes of the segments that what is in the list alone would make */
	struct batch_gap owed; /* dropped from memory; the next segment keeps the account of it */
	int away;
	struct queue_counts counts;
	struct log_limit say_full;
	struct log_limit say_failed;
	struct log_limit say_damaged;
};

/* ---- the list ---- */

static void
queue_count(struct queue *q, const struct batch *b, int sign)
{
	if (b->segment) {
		q->copied += (uint64_t)(sign * (int64_t)b->n);
	} else {
		q->counts.records += (uint64_t)(sign * (int64_t)b->n);
		q->uncopied += (uint64_t)(sign * (int64_t)spool_image_size(b->n, b->len));
	}
	q->counts.batches += (uint64_t)(int64_t)sign;
	q->counts.bytes += (uint64_t)(sign * (int64_t)batch_size(b));
	q->page->queue_bytes = q->counts.bytes;
}

/* Takes out the batch that *p points to. */
static struct batch *
queue_take(struct queue *q, struct batch **p)
{
	struct batch *b = *p;

	*p = b->next;
	if (!*p)
		q->tail = p;
	queue_count(q, b, -1);
	return b;
}

/* Puts a list of batches where *p points to. */
static void
queue_insert(struct queue *q, struct batch **p, struct batch *list)
{
	struct batch *behind = *p;

	*p = list;
	for (; list; list = list->next) {
		queue_count(q, list, 1);
		p = &list->next;
	}
	*p = behind;
	if (!behind)
		q->tail = p;
}

static struct batch **
queue_place(struct queue *q, const struct batch *b)
{
	struct batch **p = &q->head;

	while (*p != b)
		p = &(*p)->next;
	return p;
}

/* Lets go of all copies of a segment but the held one's. */
static void
queue_evict(struct queue *q, uint64_t segment)
{
	for (struct batch **p = &q->head; *p;) {
		if ((*p)->segment == segment && *p != q->held)
			batch_free(queue_take(q, p));
		else
			p = &(*p)->next;
	}
}

static int
queue_is_held(const struct queue *q, uint64_t segment)
{
	return q->held && q->held->segment == segment;
}

static int
queue_has_copy(const struct queue *q, uint64_t segment)
{
	for (const struct batch *b = q->head; b; b = b->next) {
		if (b->segment == segment)
			return 1;
	}
	return 0;
}

/* So many of the batch's, from memory. */
static void
queue_dropped(struct queue *q, const struct batch *b, uint32_t n)
{
	struct tally_change x = { .dropped = n };

	tally_add(q->page, &x);
	batch_gap_add(&q->owed, &(struct batch_gap){ b->first, b->last, n });
}

/* Thins the oldest batch that can be and lives in memory only.  True when that made room. */
static int
queue_thin(struct queue *q)
{
	for (struct batch **p = &q->head; *p; p = &(*p)->next) {
		struct batch *b = *p, *front, *rest;
		uint32_t removed;

		if (b == q->held || b->segment || b->thinned)
			continue;
		if (batch_thin(b, &front, &rest, &removed))
			return 0;
		b->thinned = 1;
		if (!removed) {
			batch_free(front);
			continue;
		}
		queue_dropped(q, b, removed);
		batch_free(queue_take(q, p));
		if (rest)
			queue_insert(q, p, rest);
		if (front)
			queue_insert(q, p, front);
		return 1;
	}
	return 0;
}

static void
say_full(struct queue *q)
{
	unsigned before;

	if (log_allowed(&q->say_full, clock_mono_us(), QUEUE_SAY_AGAIN_US, &before))
		log_warn("the queue is full (%zu bytes of memory%s): the oldest reports make room, connections first; "
			 "%llu dropped so far", q->settings.bytes, q->spool ? ", and the spool" : "",
			 (unsigned long long)q->page->now.dropped);
}

/* ---- the spool ---- */

/* How many records it holds has changed. */
static void
queue_spooled(struct queue *q, uint64_t segment, uint64_t had, uint64_t has)
{
	q->spooled += has - had;
	q->counts.records += has - had;
	spool_tag(q->spool, segment, has);
	q->page->spool_bytes = spool_bytes(q->spool);
	q->page->flash_written_bytes = q->settings.tmpfs ? 0 : spool_written(q->spool);
}

static void
say_failed(struct queue *q, const char *what, int e)
{
	unsigned before;

	q->page->spool_error = (uint32_t)-e;
	if (log_allowed(&q->say_failed, clock_mono_us(), QUEUE_SAY_AGAIN_US, &before))
		log_warn("spool: %s: %s%s; reports wait in memory (%u times before)", what, strerror(-e),
			 e == -EDQUOT ? " (spool-day-bytes)" : "", before);
}

/* One step of the spool and what it means for the counts: replaces the segment by the image, or drops
 * it when there is none or when that cannot be written.  0 or -errno: nothing has changed. */
static int
queue_step(struct queue *q, const struct spool_segment *s, const uint8_t *image, size_t size, uint64_t has,
	   struct tally_change *x)
{
	int r = -ENOENT;

	x->spooled = (int64_t)(has - s->tag);
	tally_prepare(q->page, x);
	if (image)
		r = spool_replace(q->spool, s->number, image, size, clock_boot_us());
	if (!image || (r && !has))
		r = spool_drop(q->spool, s->number);
	if (r) {
		tally_abandon(q->page);
		return r;
	}
	tally_commit(q->page);
	queue_spooled(q, s->number, s->tag, has);
	return 0;
}

/* The gap record of the segment in front of it, if that is all there is in it. */
static int
queue_gap_below(const struct queue *q, uint64_t number, const char *boot, struct spool_segment *s,
		struct segment_facts *facts)
{
	uint8_t *image;
	size_t size;
	int same;

	if (!spool_find_below(q->spool, number, s) || s->tag || spool_load(q->spool, s->number, &image, &size))
		return 0;
	same = !segment_read(q->line, image, size, boot, facts, NULL) && facts->gaps && !strcmp(facts->boot, boot);
	free(image);
	return same;
}

/* Drops the reports of a segment; a gap record stays.  True when that made room. */
static int
queue_drop_segment(struct queue *q, const struct spool_segment *s)
{
	uint8_t *image, gap[SEGMENT_GAP];
	struct segment_facts facts, below_facts;
	struct spool_segment below;
	struct tally_change x = { .dropped = s->tag };
	size_t size, n = 0;
	int merged = 0, r;

	if (!spool_load(q->spool, s->number, &image, &size)) {
		if (!segment_read(q->line, image, size, q->settings.boot, &facts, NULL) && facts.boot[0]) {
			merged = queue_gap_below(q, s->number, facts.boot, &below, &below_facts);
			if (merged) {
				facts.first = below_facts.first;
				facts.gaps += below_facts.gaps;
			}
			n = segment_gap(gap, facts.boot, facts.first, facts.last, facts.gaps + s->tag);
		}
		free(image);
	}
	queue_evict(q, s->number);
	r = queue_step(q, s, n ? gap : NULL, n, 0, &x);
	if (r) {
		say_failed(q, "making room", r);
		return 0;
	}
	if (merged)
		spool_drop(q->spool, below.number);
	return 1;
}

/* Removes the `conn` reports of a segment.  True when that made room. */
static int
queue_thin_segment(struct queue *q, const struct spool_segment *s)
{
	uint8_t *image = NULL, *thin = NULL;
	struct tally_change x = { 0 };
	uint64_t removed = 0;
	size_t size, thin_size;
	int r = spool_load(q->spool, s->number, &image, &size);

	if (!r)
		r = segment_thin(image, size, &thin, &thin_size, &removed);
	if (!r && removed == s->tag) {
		/* Its gap record joins the one below it: thousands would take the room. */
		r = !queue_drop_segment(q, s);
	} else if (!r && removed && removed < s->tag) {
		x.dropped = removed;
		queue_evict(q, s->number);
		r = queue_step(q, s, thin, thin_size, s->tag - removed, &x);
		if (r)
			say_failed(q, "making room", r);
	} else {
		r = -ENOENT;
	}
	free(image);
	free(thin);
	return !r;
}

/* Makes some room in memory, or in the spool if it is that which is full; 0 when there is nothing left
 * to go but what is in memory. */
static int
queue_make_room(struct queue *q, int full)
{
	struct spool_segment s;

	say_full(q);
	while (full && spool_find(q->spool, q->thin_from, &s)) {
		q->thin_from = s.number + 1;
		if (s.tag && !queue_is_held(q, s.number) && queue_thin_segment(q, &s))
			return 1;
	}
	if (queue_thin(q))
		return 1;
	for (uint64_t from = 0; full && spool_find(q->spool, from, &s); from = s.number + 1) {
		if (s.tag && !queue_is_held(q, s.number) && queue_drop_segment(q, &s))
			return 1;
	}
	/* Their counts are in the page, at least. */
	return full && spool_find(q->spool, 0, &s) && !s.tag && !spool_drop(q->spool, s.number);
}

/* Writes the batch as a segment; from then on it is a copy of that.  0 or -errno; -ENOSPC: the spool is
 * full. */
static int
queue_spool(struct queue *q, struct batch *b)
{
	const struct batch *list[] = { b };
	struct tally_change x = { .spooled = b->n };
	uint8_t *image;
	size_t size;
	int64_t number;

	/* With a gap record. */
	if (spool_bytes(q->spool) + spool_image_size(b->n + 1, b->len + 16) > spool_limit(q->spool))
		return -ENOSPC;
	b->before = q->owed;
	number = segment_image(q->line, list, 1, &image, &size);
	if (!number) {
		tally_prepare(q->page, &x);
		number = spool_write(q->spool, image, size, clock_boot_us());
		if (number < 0)
			tally_abandon(q->page);
		free(image);
	}
	if (number < 0) {
		b->before.n = 0;
		/* A disk may be full before the spool is: say_full() says it, if that makes reports go. */
		q->page->spool_error = (uint32_t)-number;
		if (number != -ENOSPC)
			say_failed(q, "writing", (int)number);
		return (int)number;
	}
	tally_commit(q->page);
	q->page->spool_error = 0;
	q->owed.n = 0;
	queue_count(q, b, -1);
	b->segment = (uint64_t)number;
	queue_count(q, b, 1);
	queue_spooled(q, b->segment, 0, b->n);
	return 0;
}

/* Into a spool in memory with what is not there yet, the oldest first, as far as it has room. */
static void
queue_fill(struct queue *q)
{
	if (!q->spool || !q->settings.tmpfs)
		return;
	for (struct batch *b = q->head; b; b = b->next) {
		if (!b->segment && queue_spool(q, b))
			return;
	}
}

static void
say_damaged(struct queue *q, uint64_t number, uint64_t damaged, uint64_t lost)
{
	unsigned before;

	q->page->spool_damaged += damaged;
	if (log_allowed(&q->say_damaged, clock_mono_us(), QUEUE_SAY_AGAIN_US, &before))
		log_warn("spool: segment %016llx is damaged in %llu places, %llu reports are lost; the rest is "
			 "delivered (%u such segments before)", (unsigned long long)number, (unsigned long long)damaged,
			 (unsigned long long)lost, before);
}

/* The batches of a segment into the list.  0; or -errno, then it is not there any more, or there is no
 * memory (-ENOMEM). */
static int
queue_load(struct queue *q, const struct spool_segment *s)
{
	struct segment_facts facts = { 0 };
	struct batch *list = NULL;
	struct tally_change x = { 0 };
	uint8_t *image = NULL;
	size_t size;
	int r = spool_load(q->spool, s->number, &image, &size);

	if (!r)
		r = segment_read(q->line, image, size, q->settings.boot, &facts, &list);
	free(image);
	if (r == -ENOMEM)
		return r;
	if (facts.records < s->tag) {
		/* A disk, or a hand, since we started. */
		x.dropped = s->tag - facts.records;
		x.spooled = -(int64_t)x.dropped;
		tally_add(q->page, &x);
		queue_spooled(q, s->number, s->tag, facts.records);
		say_damaged(q, s->number, facts.damaged, x.dropped);
	}
	if (!list) {
		spool_drop(q->spool, s->number);
		return -EBADMSG;
	}
	for (struct batch *b = list; b; b = b->next) {
		b->segment = s->number;
		b->backlog = 1;
	}
	queue_insert(q, &q->head, list);
	return 0;
}

/* The newest segment of which there is no copy in the list; it has one then.  True when there is one. */
static int
queue_load_newest(struct queue *q)
{
	struct spool_segment s = { .number = UINT64_MAX };

	if (!q->spool || q->spooled == q->copied)
		return 0;
	while (spool_find_below(q->spool, s.number, &s)) {
		int r;

		if (!s.tag || queue_has_copy(q, s.number))
			continue;
		r = queue_load(q, &s);
		if (!r || r == -ENOMEM)
			return !r;
	}
	return 0;
}

/* What is there at the start. */
static int
queue_read_spool(struct queue *q)
{
	uint64_t gaps = 0, lost, first = UINT64_MAX, last = 0, n = 0, number = 0;
	struct spool_segment s;
	int held_gap = 0, r;

	for (uint64_t from = 0; q->spool && spool_find(q->spool, from, &s); from = s.number + 1) {
		struct segment_facts facts;
		uint8_t *image;
		size_t size;

		r = spool_load(q->spool, s.number, &image, &size);
		if (!r) {
			r = segment_read(q->line, image, size, q->settings.boot, &facts, NULL);
			free(image);
		}
		if (r == -ENOMEM)
			return r;
		if (r || (!facts.records && !facts.gaps)) {
			say_damaged(q, s.number, r ? 1 : facts.damaged, 0);
			spool_drop(q->spool, s.number);
			continue;
		}
		if (facts.damaged)
			say_damaged(q, s.number, facts.damaged, facts.damaged);
		/* A gap that was merged into the next one's, by a process that was killed then. */
		if (held_gap && facts.gaps > n && facts.first <= first && facts.last >= last) {
			spool_drop(q->spool, number);
			gaps -= n;
		}
		held_gap = !facts.records;
		first = facts.first;
		last = facts.last;
		n = facts.gaps;
		number = s.number;
		gaps += n;
		q->spooled += facts.records;
		spool_tag(q->spool, s.number, facts.records);
	}
	q->counts.records = q->spooled;
	lost = tally_start(q->page, q->spooled, gaps);
	if (lost)
		log_warn("%llu reports are lost with the forwarder that ended", (unsigned long long)lost);
	if (q->spooled)
		log_info("the spool holds %llu reports that were not delivered", (unsigned long long)q->spooled);
	return 0;
}

/* ---- both ---- */

struct queue *
queue_new(const struct queue_settings *settings)
{
	struct queue *q = calloc(1, sizeof *q);

	if (!q)
		return NULL;
	q->settings = *settings;
	q->spool = settings->spool;
	q->page = settings->page;
	q->tail = &q->head;
	q->line = line_new();
	if (!q->line || queue_read_spool(q)) {
		queue_free(q);
		return NULL;
	}
	q->page->queue_limit_bytes = settings->bytes;
	q->page->queue_bytes = 0;
	q->page->spool_bytes = q->spool ? spool_bytes(q->spool) : 0;
	q->page->spool_tmpfs = (uint32_t)settings->tmpfs;
	return q;
}

void
queue_free(struct queue *q)
{
	if (!q)
		return;
	batch_free_list(q->head);
	line_free(q->line);
	free(q);
}

static void
queue_drop(struct queue *q, struct batch *b)
{
	queue_dropped(q, b, b->n);
	batch_free(queue_take(q, queue_place(q, b)));
}

/* One step towards room in memory; 0 when there is nothing left to go. */
static int
queue_shed(struct queue *q)
{
	struct batch *b = q->head;
	int r = 0;

	/* The other parts of the segment that is being sent are what will be left of it. */
	while (b && (b == q->held || (b->segment && queue_is_held(q, b->segment))))
		b = b->next;
	if (!b)
		return 0;
	if (!b->segment && q->spool)
		r = queue_spool(q, b);
	if (b->segment) {
		queue_evict(q, b->segment);
		return 1;
	}
	if (!queue_make_room(q, r == -ENOSPC))
		queue_drop(q, b);
	return 1;
}

void
queue_put(struct queue *q, struct batch *b)
{
	if (!b->boot[0])
		memcpy(b->boot, q->settings.boot, sizeof b->boot);
	b->backlog = (uint8_t)q->away;
	b->next = NULL;
	queue_insert(q, q->tail, b);
	queue_fill(q);
	while (q->counts.bytes > q->settings.bytes && queue_shed(q))
		;
}

const struct batch *
queue_hold(struct queue *q, int backlog)
{
	struct batch *newest = NULL;

	for (struct batch *b = q->head; b && !q->held; b = b->next) {
		if (!b->backlog)
			q->held = b;
		else
			newest = b;
	}
	if (!q->held && backlog) {
		if (!newest && queue_load_newest(q)) {
			for (newest = q->head; newest->next; newest = newest->next)
				;
		}
		q->held = newest;
	}
	return q->held;
}

const struct batch *
queue_held(const struct queue *q)
{
	return q->held;
}

void
queue_release(struct queue *q)
{
	q->held = NULL;
}

/* The copies of a segment without the held batch, whose account of dropped reports a neighbour keeps.
 * Where there is no other a gap record is left, unless the collector was told.  0 or -ENOMEM. */
static int
queue_rest(struct queue *q, int told, uint8_t **image, size_t *size, uint64_t *records)
{
	const struct batch **list = calloc((size_t)q->counts.batches, sizeof *list);
	struct batch *before = NULL, *behind = NULL;
	struct batch_gap gap = q->held->before;
	int passed = 0, r = 0;
	size_t n = 0;

	*image = NULL;
	*records = 0;
	if (!list)
		return -ENOMEM;
	for (struct batch *b = q->head; b; b = b->next) {
		if (b == q->held) {
			passed = 1;
		} else if (b->segment == q->held->segment) {
			if (passed && !behind) {
				behind = b;
				b->apart = 1;
			} else if (!passed) {
				before = b;
			}
			list[n++] = b;
			*records += b->n;
		}
	}
	batch_gap_add(&gap, &q->held->behind);
	if (behind)
		batch_gap_add(&behind->before, &gap);
	else if (before)
		batch_gap_add(&before->behind, &gap);
	if (n)
		r = segment_image(q->line, list, n, image, size);
	else if (gap.n && !told && !(*image = malloc(SEGMENT_GAP)))
		r = -ENOMEM;
	else if (*image)
		*size = segment_gap(*image, q->held->boot, gap.first, gap.last, gap.n);
	free(list);
	return r;
}

void
queue_settle(struct queue *q, const struct tally_change *end)
{
	struct batch *b = q->held;
	struct tally_change x = *end;
	uint8_t *image = NULL;
	uint64_t records = 0;
	size_t size = 0;
	struct spool_segment s;
	int r = 0;

	if (!b->segment || !spool_find(q->spool, b->segment, &s) || s.number != b->segment) {
		tally_add(q->page, &x);
	} else {
		/* Who takes reports has been told how many were dropped. */
		r = queue_rest(q, !x.quarantined, &image, &size, &records);
		if (!r)
			r = queue_step(q, &s, image, size, records, &x);
		if (r) {
			/* The file stays, and is delivered again, to no effect, by the next forwarder. */
			say_failed(q, "forgetting what is delivered", r);
			x.spooled = (int64_t)(records - s.tag);
			tally_add(q->page, &x);
			queue_spooled(q, s.number, s.tag, records);
		}
		free(image);
	}
	q->held = NULL;
	batch_free(queue_take(q, queue_place(q, b)));
	queue_fill(q);
}

int
queue_halve(struct queue *q)
{
	struct batch *a, *b, **p = queue_place(q, q->held);
	int r = batch_halve(q->held, &a, &b);

	if (r)
		return r;
	q->held = NULL;
	batch_free(queue_take(q, p));
	/* A header more than before: the next queue_put() sees to the bound. */
	a->next = b;
	b->next = NULL;
	queue_insert(q, p, a);
	return 0;
}

uint32_t
queue_refused(struct queue *q)
{
	return ++q->held->refused;
}

void
queue_away(struct queue *q, int away)
{
	q->away = away;
	for (struct batch *b = away ? q->head : NULL; b; b = b->next)
		b->backlog = 1;
}

void
queue_told(struct queue *q)
{
	struct spool_segment s;

	q->owed.n = 0;
	if (!q->spool)
		return;
	for (uint64_t from = 0; spool_find(q->spool, from, &s); from = s.number + 1) {
		if (!s.tag)
			spool_drop(q->spool, s.number);
	}
	q->page->spool_bytes = spool_bytes(q->spool);
}

void
queue_save(struct queue *q)
{
	uint8_t gap[SEGMENT_GAP];
	size_t n;

	q->held = NULL;
	if (!q->spool)
		return;
	/* Connections that never have room there are not written first. */
	while (q->uncopied > spool_limit(q->spool) && (queue_make_room(q, 0) || queue_shed(q)))
		;
	while (queue_shed(q))
		;
	n = segment_gap(gap, q->settings.boot, q->owed.first, q->owed.last, q->owed.n);
	while (q->owed.n && spool_write(q->spool, gap, n, clock_boot_us()) == -ENOSPC && queue_make_room(q, 1))
		;
}

const struct queue_counts *
queue_counts(const struct queue *q)
{
	return &q->counts;
}
