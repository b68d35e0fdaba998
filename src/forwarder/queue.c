/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * queue.c - a list with a bound.  Receives from batch, deliver takes from its head.
 */
#include "queue.h"

#include <errno.h>
#include <stdlib.h>

struct queue {
	size_t limit;
	struct batch *head;
	struct batch **tail;
	int pinned;
	struct queue_counts counts;
};

struct queue *
queue_new(size_t limit_bytes)
{
	struct queue *q = calloc(1, sizeof *q);

	if (!q)
		return NULL;
	q->limit = limit_bytes;
	q->tail = &q->head;
	return q;
}

void
queue_free(struct queue *q)
{
	if (!q)
		return;
	while (q->head) {
		struct batch *b = q->head;

		q->head = b->next;
		batch_free(b);
	}
	free(q);
}

static void
queue_count(struct queue *q, const struct batch *b, int sign)
{
	q->counts.records += (uint64_t)(sign * (int64_t)b->n);
	q->counts.batches += (uint64_t)(int64_t)sign;
	q->counts.bytes += (uint64_t)(sign * (int64_t)batch_size(b));
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

static void
queue_drop(struct queue *q, struct batch *b)
{
	q->counts.dropped += b->n;
	q->counts.dropped_batches++;
	batch_free(b);
}

void
queue_put(struct queue *q, struct batch *b)
{
	while (q->counts.bytes + batch_size(b) > q->limit) {
		struct batch **oldest = q->pinned ? &q->head->next : &q->head;

		if (!*oldest) {
			queue_drop(q, b);
			return;
		}
		queue_drop(q, queue_take(q, oldest));
	}
	b->next = NULL;
	*q->tail = b;
	q->tail = &b->next;
	queue_count(q, b, 1);
}

const struct batch *
queue_head(const struct queue *q)
{
	return q->head;
}

void
queue_pin(struct queue *q)
{
	q->pinned = q->head != NULL;
}

void
queue_unpin(struct queue *q)
{
	q->pinned = 0;
}

void
queue_forget(struct queue *q)
{
	q->pinned = 0;
	if (q->head)
		batch_free(queue_take(q, &q->head));
}

int
queue_halve(struct queue *q)
{
	struct batch *a, *b;
	int r = batch_halve(q->head, &a, &b);

	if (r)
		return r;
	batch_free(queue_take(q, &q->head));
	/* A header more than before: the next queue_put() sees to the bound. */
	a->next = b;
	b->next = q->head;
	if (!q->head)
		q->tail = &b->next;
	q->head = a;
	queue_count(q, a, 1);
	queue_count(q, b, 1);
	return 0;
}

uint32_t
queue_refused(struct queue *q)
{
	return ++q->head->refused;
}

const struct queue_counts *
queue_counts(const struct queue *q)
{
	return &q->counts;
}
