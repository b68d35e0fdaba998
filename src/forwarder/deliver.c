/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * deliver.c - decides.  Holds one of the queue's batches, has upload send it, does what the verdict says.
 * The back-off belongs to the collector, not to a batch: one that is dropped while we wait does not
 * make the next one hurry.
 */
#include "deliver.h"

#include "backoff.h"
#include "lib/hash.h"
#include "lib/json.h"
#include "lib/log.h"
#include "rename.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DELIVER_REFUSALS 3           /* of a lone line, counting those of the batch it was in */
#define DELIVER_HOLD_US 300000000
#define DELIVER_CLOCK_US 10000000
#define DELIVER_STEP_US 50000        /* between the steps of a search for a bad line */
#define DELIVER_SAY_AGAIN_US 300000000
#define DELIVER_PACE_US 50000        /* between two batches of the backlog */
/* It is not earlier than when we were made: no certificate of today is valid on a router that believes it is 1970. */
#define DELIVER_CLOCK_SANE_US (BUILD_EPOCH * 1000000LL)

struct deliver {
	struct loop *loop;
	const struct settings *settings;
	struct queue *queue;
	struct upload *upload;
	deliver_wish_fn *wish;
	void *wish_arg;
	struct worker_forward_page *page;
	int sending;
	int waiting;
	int pacing;              /* waiting for the backlog's turn: a live batch does not */
	int64_t backlog_at_us;   /* when it has its turn */
	int may_hurry;           /* waiting for nothing but the back-off */
	unsigned tries;          /* failures in a row */
	char name[SETTINGS_SENSOR_MAX + 1]; /* NAME-xxxx, while the page says so */
	int refused[PACK_CODINGS]; /* the collector does not take it */
	enum pack_coding coding; /* of new batches */
	uint32_t limit_bytes;    /* of a batch, as the collector taught us */
	struct loop_timer timer;
	int draining;
	int64_t drain_at_us;
	struct loop_timer drain_timer;
	void (*finished)(void *arg);
	void *finished_arg;
	int64_t say_at_us;
	char said[REPLY_WHY_MAX + 64];
	struct log_limit say_rejected;
	struct log_limit say_quarantined;
	struct log_limit say_mismatch;
};

static void deliver_next(struct deliver *);

static void
deliver_finish(struct deliver *d)
{
	void (*finished)(void *arg) = d->finished;

	d->finished = NULL;
	loop_timer_clear(&d->drain_timer);
	if (finished)
		finished(d->finished_arg);
}

static void
deliver_on_timer(struct loop_timer *t)
{
	struct deliver *d = t->arg;

	d->waiting = 0;
	deliver_next(d);
}

static void
deliver_wait(struct deliver *d, int64_t us, int may_hurry)
{
	d->waiting = 1;
	d->pacing = 0;
	d->may_hurry = may_hurry;
	d->page->next_try_us = clock_boot_us() + us;
	loop_timer_set(d->loop, &d->timer, us, deliver_on_timer, d);
	if (d->draining && d->timer.at_us > d->drain_at_us)
		deliver_finish(d);
}

/* Once, and again when it changes or when five minutes have gone by. */
static void
deliver_say(struct deliver *d, const char *what, int64_t wait_us, const char *advice)
{
	int64_t now_us = loop_now_us(d->loop);

	if (!strcmp(what, d->said) && now_us < d->say_at_us)
		return;
	snprintf(d->said, sizeof d->said, "%s", what);
	d->say_at_us = now_us + DELIVER_SAY_AGAIN_US;
	log_warn("%s: %s; %llu reports wait, next try in %lld.%lld s%s", d->settings->url, what,
		 (unsigned long long)queue_counts(d->queue)->records, (long long)(wait_us / 1000000),
		 (long long)(wait_us / 100000 % 10), advice);
}

static int64_t
deliver_backoff(struct deliver *d)
{
	uint64_t random;

	hash_random(&random, sizeof random);
	return backoff_us(++d->tries, random);
}

/* The collector does not take anything, for this reason. */
static void
deliver_away(struct deliver *d, enum worker_forward_state state, const char *why)
{
	d->page->state = state;
	snprintf(d->page->why, sizeof d->page->why, "%.*s", (int)sizeof d->page->why - 1, why);
	queue_away(d->queue, 1);
}

static void
deliver_retry(struct deliver *d, const char *why)
{
	int64_t us = deliver_backoff(d);

	deliver_away(d, WORKER_FORWARD_RETRYING, why);
	deliver_say(d, why, us, "");
	deliver_wait(d, us, 1);
}

static void
deliver_quarantine(struct deliver *d, const char *what)
{
	const struct batch *b = queue_held(d->queue);
	struct tally_change end = { .quarantined = b->n };
	unsigned before;

	if (log_allowed(&d->say_quarantined, loop_now_us(d->loop), DELIVER_SAY_AGAIN_US, &before))
		log_warn("%s: report %llu is given up: %s; %u more since the last such message",
			 d->settings->url, (unsigned long long)b->first, what, before);
	queue_settle(d->queue, &end);
}

static void
deliver_forget(struct deliver *d, const struct reply_verdict *v)
{
	const struct batch *b = queue_held(d->queue);
	struct tally_change end = { .acknowledged = b->n - v->rejected, .rejected = v->rejected };
	unsigned before;

	if (v->rejected && log_allowed(&d->say_rejected, loop_now_us(d->loop), DELIVER_SAY_AGAIN_US, &before))
		log_warn("%s: %u of %u reports rejected, the first is %llu: %s; %u more batches since the last "
			 "such message", d->settings->url, v->rejected, b->n,
			 (unsigned long long)v->rejected_seq, v->why, before);
	if (v->mismatch && log_allowed(&d->say_mismatch, loop_now_us(d->loop), DELIVER_SAY_AGAIN_US, &before))
		log_warn("%s: the answer's counts do not add up to the %u reports sent", d->settings->url, b->n);
	queue_settle(d->queue, &end);
	queue_told(d->queue);
	queue_away(d->queue, 0);
	d->page->state = WORKER_FORWARD_OK;
	d->page->ack_us = clock_boot_us();
	d->page->next_try_us = 0;
	d->page->why[0] = 0;
	if (d->tries)
		log_info("%s answers again after %u tries; %llu reports wait", d->settings->url, d->tries,
			 (unsigned long long)queue_counts(d->queue)->records);
	d->tries = 0;
	d->said[0] = 0;
}

static void
deliver_wish(struct deliver *d)
{
	d->wish(d->wish_arg, d->limit_bytes, d->coding);
}

/* A collector that offers it gets zstd. */
static void
deliver_choose(struct deliver *d, int zstd)
{
	enum pack_coding coding = zstd && pack_can(PACK_ZSTD) && !d->refused[PACK_ZSTD] ? PACK_ZSTD : PACK_GZIP;

	if (coding == d->coding)
		return;
	d->coding = coding;
	log_info("%s takes %s: batches are packed with it from now on", d->settings->url, pack_name(coding));
	deliver_wish(d);
}

/* Something in the batch is wrong.  Which line, only halving can tell. */
static void
deliver_refused(struct deliver *d, long status, const char *what)
{
	enum pack_coding coding = queue_held(d->queue)->coding;
	uint32_t refused;

	if (status == 415 && coding != PACK_NONE && !d->refused[coding]) {
		d->refused[coding] = 1;
		log_info("%s: %s; it gets no reports packed with %s from now on", d->settings->url, what, pack_name(coding));
		deliver_choose(d, 0);
		deliver_wait(d, DELIVER_STEP_US, 1);
		return;
	}
	refused = queue_refused(d->queue);
	if (queue_held(d->queue)->n > 1) {
		if (queue_halve(d->queue))
			deliver_retry(d, "out of memory");
		else
			deliver_wait(d, DELIVER_STEP_US, 1);
	} else if (refused < DELIVER_REFUSALS) {
		deliver_retry(d, what);
	} else {
		deliver_quarantine(d, what);
		d->tries = 0;
		deliver_wait(d, DELIVER_STEP_US, 1);
	}
}

static void
deliver_too_large(struct deliver *d, const char *what)
{
	const struct batch *b = queue_held(d->queue);

	if (b->n > 1) {
		d->limit_bytes = b->len / 2;
		log_info("%s: a batch of %u bytes is too large for it, at most %u from now on", d->settings->url,
			 b->len, d->limit_bytes);
		deliver_wish(d);
	} else {
		deliver_quarantine(d, what);
	}
	deliver_wait(d, DELIVER_STEP_US, 1);
}

/* The name that a batch goes out under.  Those of an earlier boot were sent, or spooled, before there was a
 * second machine. */
static const char *
deliver_name(const struct deliver *d, const struct batch *b)
{
	return d->page->renamed && !strcmp(b->boot, d->settings->boot) ? d->name : d->settings->sensor;
}

/* The collector names our name and our boot: two machines say that they are the same one.  True when that is so,
 * and seen to. */
static int
deliver_clash(struct deliver *d, const struct reply_verdict *v, const char *what)
{
	const struct batch *b = queue_held(d->queue);
	char run[REPLY_CLASH_MAX];
	uint16_t number;

	snprintf(run, sizeof run, "%s/%s", deliver_name(d, b), b->boot);
	if (v->status != 409 || strcmp(run, v->clash))
		return 0;
	if (strcmp(b->boot, d->settings->boot)) {
		deliver_refused(d, v->status, what);
		return 1;
	}
	hash_random(&number, sizeof number);
	d->page->renamed_to = number;
	d->page->renamed = 1;
	rename_name(d->name, SETTINGS_SENSOR_MAX, d->settings->sensor, number);
	log_warn("%s: another machine uses the name %s in the same boot (is one a copy of the other?): reports go out as %s "
		 "until net-gazer starts again; give one of them another name (option sensor) and boot it again",
		 d->settings->url, d->settings->sensor, d->name);
	deliver_retry(d, what);
	return 1;
}

static void
deliver_on_verdict(void *arg, const struct reply_verdict *v)
{
	struct deliver *d = arg;
	char what[sizeof d->said];
	int64_t us;

	d->page->http_2xx += v->status / 100 == 2;
	d->page->http_4xx += v->status / 100 == 4;
	d->page->http_5xx += v->status / 100 == 5;
	if (v->status)
		snprintf(what, sizeof what, "status %ld%s%s", v->status, v->why[0] ? ", " : "", v->why);
	else
		snprintf(what, sizeof what, "%s", v->why);
	switch (v->action) {
	case REPLY_FORGET:
		deliver_forget(d, v);
		deliver_choose(d, v->zstd);
		break;
	case REPLY_HALVE:
		deliver_refused(d, v->status, what);
		break;
	case REPLY_TOO_LARGE:
		deliver_too_large(d, what);
		break;
	case REPLY_HOLD:
		if (deliver_clash(d, v, what))
			break;
		d->tries++;
		deliver_away(d, WORKER_FORWARD_HELD, what);
		deliver_say(d, what, DELIVER_HOLD_US, v->status == 409 ? "; is another sensor using this name?" :
									 "; is the token right?");
		deliver_wait(d, DELIVER_HOLD_US, 0);
		break;
	case REPLY_WAIT:
		/* A tenth more at random, or all who were told the same come back together. */
		us = v->wait_us + deliver_backoff(d) % (v->wait_us / 10 + 1);
		deliver_away(d, WORKER_FORWARD_RETRYING, what);
		deliver_say(d, what, us, "");
		deliver_wait(d, us, 0);
		break;
	case REPLY_RETRY:
		deliver_retry(d, what);
		break;
	}
	d->page->tries = d->tries;
	/* Not before: a batch that was sealed meanwhile (shrink) would have been sent in between. */
	d->sending = 0;
	queue_release(d->queue);
	if (v->action == REPLY_FORGET)
		deliver_next(d);
}

/* The batch to send; halved until the collector takes it.  NULL: there is none now.  0 or -ENOMEM. */
static int
deliver_hold(struct deliver *d, const struct batch **b)
{
	/* While the collector is away all is backlog, and the newest of it is what we ask with. */
	int backlog = d->draining || d->tries || loop_now_us(d->loop) >= d->backlog_at_us;

	for (;;) {
		int r;

		*b = queue_hold(d->queue, backlog);
		if (!*b || (*b)->len <= d->limit_bytes || (*b)->n == 1)
			return 0;
		r = queue_halve(d->queue);
		if (r)
			return r;
	}
}

static int
deliver_post(struct deliver *d, const struct batch *b)
{
	struct upload_how how = { deliver_name(d, b), d->refused[b->coding], d->page->now.dropped };
	int r = upload_post(d->upload, b, &how, deliver_on_verdict, d);

	if (r)
		return r;
	if (b->backlog)
		d->backlog_at_us = loop_now_us(d->loop) + DELIVER_PACE_US;
	d->sending = 1;
	d->page->posts++;
	d->page->sent_bytes += how.plain ? b->len : b->size;
	return 0;
}

/* Sends the next one, unless there is a reason to wait. */
static void
deliver_next(struct deliver *d)
{
	const struct batch *b;

	if (!queue_counts(d->queue)->records) {
		if (d->draining)
			deliver_finish(d);
		return;
	}
	if (d->settings->tls && loop_wall_us(d->loop) < DELIVER_CLOCK_SANE_US) {
		char made[JSON_TIME_LEN + 1], why[sizeof d->page->why];

		json_time_text(made, DELIVER_CLOCK_SANE_US);
		snprintf(why, sizeof why, "this machine's clock is wrong (before %.10s, when this program was made), no "
			 "certificate can be checked", made);
		deliver_away(d, WORKER_FORWARD_CLOCK, why);
		deliver_say(d, why, DELIVER_CLOCK_US, "");
		deliver_wait(d, DELIVER_CLOCK_US, 0);
		return;
	}
	if (deliver_hold(d, &b) || (b && deliver_post(d, b))) {
		queue_release(d->queue);
		deliver_retry(d, "out of memory");
	} else if (!b) {
		int64_t us = d->backlog_at_us - loop_now_us(d->loop);

		deliver_wait(d, us > 0 ? us : DELIVER_PACE_US, 1);
		d->page->next_try_us = 0;
		d->pacing = 1;
	}
}

void
deliver_kick(struct deliver *d)
{
	if (d->waiting && d->pacing) {
		loop_timer_clear(&d->timer);
		d->waiting = 0;
	}
	if (!d->sending && !d->waiting)
		deliver_next(d);
}

static void
deliver_on_deadline(struct loop_timer *t)
{
	deliver_finish(t->arg);
}

void
deliver_drain(struct deliver *d, int64_t drain_us, void (*finished)(void *arg), void *arg)
{
	d->draining = 1;
	d->finished = finished;
	d->finished_arg = arg;
	d->drain_at_us = loop_now_us(d->loop) + drain_us;
	loop_timer_set(d->loop, &d->drain_timer, drain_us, deliver_on_deadline, d);
	d->tries = 0;
	if (d->waiting && d->may_hurry)
		deliver_wait(d, 0, 1);
	else if (d->waiting && d->timer.at_us > d->drain_at_us)
		deliver_finish(d);
	else
		deliver_kick(d);
}

struct deliver *
deliver_new(struct loop *loop, const struct settings *settings, struct queue *queue, struct upload *upload,
	    struct worker_forward_page *page, deliver_wish_fn *wish, void *arg)
{
	struct deliver *d = calloc(1, sizeof *d);

	if (!d)
		return NULL;
	d->loop = loop;
	d->settings = settings;
	d->queue = queue;
	d->upload = upload;
	d->page = page;
	d->wish = wish;
	d->wish_arg = arg;
	d->coding = PACK_GZIP;
	d->limit_bytes = UINT32_MAX;
	rename_name(d->name, SETTINGS_SENSOR_MAX, settings->sensor, page->renamed_to);
	return d;
}

void
deliver_free(struct deliver *d)
{
	if (!d)
		return;
	loop_timer_clear(&d->timer);
	loop_timer_clear(&d->drain_timer);
	free(d);
}
