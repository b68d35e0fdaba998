/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What deliver does with each verdict, without a network: the upload below is ours, and so is the
 * moment at which a timer runs out.
 */
#include "lib/loop.h"
static int64_t wall_us;
#define loop_wall_us(loop) ((void)(loop), wall_us)
#include "../../src/forwarder/deliver.c"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

static const struct batch *sent; /* under way */
static upload_done_fn *sent_done;
static void *sent_arg;
static uint64_t sent_dropped;
static int sent_plain;
static char sent_name[SETTINGS_SENSOR_MAX + 1];
static unsigned posts;

int
upload_post(struct upload *u, const struct batch *b, const struct upload_how *how, upload_done_fn *done, void *arg)
{
	(void)u;
	sent_plain = how->plain;
	snprintf(sent_name, sizeof sent_name, "%s", how->sensor);
	assert_null(sent);
	sent = b;
	sent_done = done;
	sent_arg = arg;
	sent_dropped = how->dropped;
	posts++;
	return 0;
}

static int offers_zstd;

static void
answer_why(enum reply_action action, long status, const char *why)
{
	struct reply_verdict v = { .action = action, .status = status, .wait_us = 7000000, .zstd = offers_zstd };

	assert_non_null(sent);
	snprintf(v.why, sizeof v.why, "%s", why);
	sent = NULL;
	sent_done(sent_arg, &v);
}

static void
answer(enum reply_action action)
{
	answer_why(action, 999, "told so");
}

static struct loop *loop;
static struct queue *queue;
static struct deliver *d;
static struct settings settings;
static uint32_t shrunk;
static enum pack_coding coding; /* of what add() makes */
static unsigned finished;
static uint64_t put; /* records */
static struct worker_forward_page page;

static void
on_wish(void *arg, uint32_t bytes, enum pack_coding wanted)
{
	(void)arg;
	shrunk = bytes;
	coding = wanted;
}

static void
on_finished(void *arg)
{
	(void)arg;
	finished++;
}

static void
add(uint64_t first, uint32_t n)
{
	static char text[1 << 20];
	size_t len = 0;

	for (uint32_t i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, sizeof text - len, "{\"seq\":%llu,\"x\":\"%08lx%08lx\"}\n",
					(unsigned long long)(first + i), random(), random());
	put += n;
	page.now.received += n;
	queue_put(queue, batch_new(coding, text, len, n, first, first + n - 1));
	deliver_kick(d);
}

static void
identity(void)
{
	assert_int_equal(put, page.now.acknowledged + page.now.rejected + page.now.quarantined +
				      queue_counts(queue)->records + page.now.dropped);
}

/* How long it waits now; then that time is over. */
static int64_t
wait_over(void)
{
	int64_t us = d->timer.at_us - loop_now_us(loop);

	assert_null(sent);
	assert_non_null(d->timer.loop);
	loop_timer_clear(&d->timer);
	d->timer.fn(&d->timer);
	return us;
}

static int
setup(void **state)
{
	(void)state;
	log_init("test", LOG_L_ERROR);
	settings = (struct settings){ .url = (char *)"http://c/v1/reports", .sensor = "r1", .boot = "9f1c2ab0" };
	sent = NULL;
	posts = finished = shrunk = 0;
	offers_zstd = 0;
	coding = PACK_GZIP;
	wall_us = DELIVER_CLOCK_SANE_US;
	put = 0;
	loop = loop_new();
	memset(&page, 0, sizeof page);
	queue = queue_new(&(struct queue_settings){ .bytes = 1 << 20, .boot = "9f1c2ab0", .page = &page });
	d = deliver_new(loop, &settings, queue, NULL, &page, on_wish, NULL);
	return !loop || !queue || !d;
}

static int
teardown(void **state)
{
	(void)state;
	deliver_free(d);
	queue_free(queue);
	loop_free(loop);
	deliver_free(NULL);
	return 0;
}

static void
test_one_after_the_other(void **state)
{
	(void)state;
	add(1, 10);
	add(11, 10);
	assert_int_equal(posts, 1);
	assert_int_equal(sent->first, 1);
	answer(REPLY_FORGET);
	assert_int_equal(sent->first, 11);
	answer(REPLY_FORGET);
	assert_null(sent);
	assert_int_equal(page.now.acknowledged, 20);
	add(21, 1);
	assert_int_equal(sent->first, 21);
	identity();
}

static void
test_rejected(void **state)
{
	struct reply_verdict v = { .action = REPLY_FORGET, .status = 200, .rejected = 3, .rejected_seq = 2 };

	(void)state;
	add(1, 10);
	sent = NULL;
	sent_done(sent_arg, &v);
	assert_int_equal(page.now.acknowledged, 7);
	assert_int_equal(page.now.rejected, 3);
	identity();
}

static void
test_backs_off(void **state)
{
	int64_t most = 0;

	(void)state;
	add(1, 10);
	for (int i = 0; i < 40; i++) {
		int64_t us;

		answer(REPLY_RETRY);
		add(100 + (uint64_t)i, 1); /* a new batch does not hurry it */
		us = wait_over();
		assert_in_range(us, BACKOFF_MIN_US, BACKOFF_MAX_US);
		if (us > most)
			most = us;
		/* It is asked with the newest. */
		assert_int_equal(sent->first, 100 + i);
		assert_int_equal(page.state, WORKER_FORWARD_RETRYING);
		assert_int_equal(page.tries, i + 1);
		assert_string_equal(page.why, "status 999, told so");
	}
	assert_true(most > 30000000); /* 30 draws from up to 5 minutes: (1/10)^30 that not */
	answer(REPLY_FORGET);
	assert_int_equal(d->tries, 0);
	assert_int_equal(page.state, WORKER_FORWARD_OK);
	assert_string_equal(page.why, "");
	wait_over();
	d->backlog_at_us = 0;
	wait_over();
	answer(REPLY_RETRY);
	assert_true(wait_over() <= BACKOFF_FIRST_US);
	identity();
}

static void
test_holds(void **state)
{
	(void)state;
	add(1, 10);
	answer(REPLY_HOLD);
	assert_int_equal(wait_over(), 300000000);
	assert_int_equal(sent->first, 1);
	identity();
}

static void
answer_clash(const char *clash)
{
	struct reply_verdict v = { .action = REPLY_HOLD, .status = 409 };

	assert_non_null(sent);
	snprintf(v.clash, sizeof v.clash, "%s", clash);
	sent = NULL;
	sent_done(sent_arg, &v);
}

/* A second machine with our name and boot: we get another name, unlike any before. */
static void
test_clash(void **state)
{
	static const char *const others[] = { "", "r1", "r1/9f1c2ab1", "r2/9f1c2ab0", "r1/9f1c2ab0/1", "R1/9f1c2ab0" };
	char was[SETTINGS_SENSOR_MAX + 1] = "r1", clash[SETTINGS_SENSOR_MAX + 10];

	(void)state;
	add(1, 10);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		answer_clash(others[i]);
		assert_int_equal(page.state, WORKER_FORWARD_HELD);
		assert_int_equal(wait_over(), DELIVER_HOLD_US);
		assert_string_equal(sent_name, "r1");
	}
	for (int i = 0; i < 3; i++) {
		snprintf(clash, sizeof clash, "%s/9f1c2ab0", was);
		answer_clash(clash);
		wait_over();
		assert_int_equal(strlen(sent_name), 7);
		assert_memory_equal(sent_name, "r1-", 3);
		assert_int_equal(strspn(sent_name + 3, "0123456789abcdef"), 4);
		if (!strcmp(sent_name, was)) /* once in 65536 times */
			continue;
		strcpy(was, sent_name);
		assert_true(sent->first == 1 && sent->n == 10);
	}
	answer(REPLY_FORGET);
	add(11, 10);
	assert_string_equal(sent_name, was);
	/* The next forwarder of this parent goes on with the name. */
	sent = NULL;
	deliver_free(d);
	queue_release(queue);
	d = deliver_new(loop, &settings, queue, NULL, &page, on_wish, NULL);
	deliver_kick(d);
	assert_string_equal(sent_name, was);
	answer(REPLY_FORGET);
	identity();
}

/* What comes from an earlier boot keeps its name; if that clashes it is refused like any other. */
static void
test_clash_of_an_earlier_boot(void **state)
{
	struct batch *b = batch_new(PACK_GZIP, "{\"seq\":1}\n{\"seq\":2}\n", 20, 2, 1, 2);

	(void)state;
	page.renamed = 1;
	memcpy(b->boot, "00000001", 9);
	put = page.now.received = 2;
	queue_put(queue, b);
	deliver_kick(d);
	for (int i = 0; i < 5; i++) {
		assert_string_equal(sent_name, "r1");
		answer_clash("r1/00000001");
		while (!sent && queue_counts(queue)->records) {
			wait_over();
			d->backlog_at_us = 0;
		}
	}
	assert_int_equal(page.now.quarantined, 2);
	assert_null(sent);
	identity();
}

static void
test_retry_after(void **state)
{
	(void)state;
	add(1, 10);
	answer(REPLY_WAIT);
	assert_in_range(wait_over(), 7000000, 7700000);
	identity();
}

/* Every poisoned line is found, every other one is acknowledged, whatever their number and place. */
static void
test_poison(void **state)
{
	static const uint64_t poison[] = { 1, 40, 41, 77, 100 };
	unsigned waits = 0;

	(void)state;
	add(1, 100);
	add(101, 1);
	while (queue_counts(queue)->records) {
		int bad = 0;

		if (!sent) {
			wait_over();
			assert_true(++waits < 1000);
		}
		for (size_t i = 0; i < sizeof poison / sizeof poison[0]; i++)
			bad |= sent->first <= poison[i] && poison[i] <= sent->last;
		answer(bad ? REPLY_HALVE : REPLY_FORGET);
		identity();
	}
	assert_int_equal(page.now.quarantined, 5);
	assert_int_equal(page.now.acknowledged, 96);
}

static void
test_a_lone_line_has_three_chances(void **state)
{
	(void)state;
	add(1, 1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(page.now.quarantined, 0);
		answer(REPLY_HALVE);
		if (i < 2)
			wait_over();
	}
	assert_int_equal(page.now.quarantined, 1);
	assert_int_equal(queue_counts(queue)->records, 0);
	identity();
}

static void
test_no_gzip(void **state)
{
	(void)state;
	add(1, 10);
	assert_false(sent_plain);
	answer_why(REPLY_HALVE, 415, "what is gzip?");
	wait_over();
	assert_true(sent_plain && sent->n == 10);
	answer_why(REPLY_HALVE, 415, "what is this?");
	wait_over();
	assert_int_equal(sent->n, 5);
	identity();
}

/* What is sealed stays as it is; what comes then is packed as the last answer said. */
static void
test_zstd(void **state)
{
	(void)state;
	offers_zstd = 1;
	add(1, 20);
	add(101, 20);
	answer(REPLY_FORGET);
	assert_int_equal(coding, pack_can(PACK_ZSTD) ? PACK_ZSTD : PACK_GZIP);
	assert_true(sent->first == 101 && sent->coding == PACK_GZIP);
	answer(REPLY_FORGET);
	if (!pack_can(PACK_ZSTD))
		return;
	add(201, 20);
	assert_true(sent->coding == PACK_ZSTD && !sent_plain);
	/* Who does not offer it any more gets gzip. */
	offers_zstd = 0;
	answer(REPLY_FORGET);
	assert_int_equal(coding, PACK_GZIP);
	offers_zstd = 1;
	add(301, 20);
	answer(REPLY_FORGET);
	/* Who offers it and refuses it gets it never again, and gzip all the same. */
	add(401, 20);
	add(501, 20);
	assert_int_equal(sent->coding, PACK_ZSTD);
	answer_why(REPLY_HALVE, 415, "what is zstd?");
	assert_int_equal(coding, PACK_GZIP);
	wait_over();
	assert_true(sent->first == 401 && sent->n == 20 && sent_plain);
	answer(REPLY_FORGET);
	assert_int_equal(coding, PACK_GZIP);
	assert_true(sent->first == 501 && sent->coding == PACK_ZSTD && sent_plain);
	answer(REPLY_FORGET);
	add(601, 20);
	assert_true(sent->coding == PACK_GZIP && !sent_plain);
	answer(REPLY_FORGET);
	assert_int_equal(page.now.acknowledged, 140);
	identity();
}

static void
test_too_large(void **state)
{
	uint32_t len;

	(void)state;
	add(1, 1000);
	add(1001, 1000);
	len = sent->len;
	answer(REPLY_TOO_LARGE);
	assert_int_equal(shrunk, len / 2);
	wait_over();
	assert_true(sent->len <= len / 2);
	while (queue_counts(queue)->records) {
		if (!sent)
			wait_over();
		assert_true(sent->len <= len / 2); /* those that were sealed before too */
		answer(REPLY_FORGET);
		identity();
	}
	assert_int_equal(page.now.acknowledged, 2000);
	add(3000, 1);
	answer(REPLY_TOO_LARGE);
	assert_int_equal(page.now.quarantined, 1);
	identity();
}

static void
test_dropped_while_waiting(void **state)
{
	(void)state;
	add(1, 1000);
	answer(REPLY_RETRY);
	for (uint64_t i = 2; i < 200; i++)
		add(i * 1000, 1000);
	assert_true(page.now.dropped > 0);
	wait_over();
	assert_int_equal(sent->first, 199000);
	assert_int_equal(sent_dropped, page.now.dropped);
	for (uint64_t i = 200; i < 400; i++) {
		add(i * 1000, 1000);
		assert_ptr_equal(queue_held(queue), sent); /* what is being sent stays */
	}
	answer(REPLY_FORGET);
	assert_int_equal(page.now.acknowledged, 1000);
	identity();
}

/* What waited comes newest first, 20 a second, and behind what is new. */
static void
test_backlog(void **state)
{
	(void)state;
	add(1, 10);
	answer(REPLY_RETRY);
	for (uint64_t i = 2; i <= 5; i++)
		add(100 * i, 10);
	wait_over();
	assert_int_equal(sent->first, 500);
	answer(REPLY_FORGET);
	for (uint64_t i = 4; i >= 1; i--) {
		int64_t us;

		assert_null(sent);
		add(1000 * i, 10); /* not kept waiting */
		assert_int_equal(sent->first, 1000 * i);
		answer(REPLY_FORGET);
		us = wait_over();
		assert_true(us > 0 && us <= DELIVER_PACE_US);
		assert_null(sent); /* the clock of the loop has not moved */
		d->backlog_at_us = 0;
		wait_over();
		assert_int_equal(sent->first, i > 1 ? 100 * i : 1);
		answer(REPLY_FORGET);
		identity();
	}
	assert_int_equal(queue_counts(queue)->records, 0);
	assert_null(d->timer.loop);
}

static void
test_wrong_clock(void **state)
{
	(void)state;
	settings.tls = 1;
	wall_us = DELIVER_CLOCK_SANE_US - 1;
	add(1, 1);
	assert_null(sent);
	assert_int_equal(page.state, WORKER_FORWARD_CLOCK);
	assert_non_null(strstr(page.why, ", when this program was made"));
	assert_int_equal(wait_over(), DELIVER_CLOCK_US);
	assert_null(sent);
	wall_us = DELIVER_CLOCK_SANE_US;
	wait_over();
	assert_non_null(sent);
	/* It was made when there was this test, and not tomorrow. */
	assert_true(BUILD_EPOCH > 1790000000 && BUILD_EPOCH <= time(NULL) + 86400);
}

static void
test_drain(void **state)
{
	(void)state;
	deliver_drain(d, 5000000, on_finished, NULL);
	assert_int_equal(finished, 1); /* nothing is there */
}

static void
test_drain_sends_the_rest(void **state)
{
	(void)state;
	add(1, 10);
	add(11, 10);
	deliver_drain(d, 5000000, on_finished, NULL);
	answer(REPLY_FORGET);
	assert_int_equal(finished, 0);
	answer(REPLY_FORGET);
	assert_int_equal(finished, 1);
	assert_null(d->drain_timer.loop);
}

static void
test_drain_does_not_wait_out_the_backoff(void **state)
{
	(void)state;
	add(1, 10);
	for (int i = 0; i < 20; i++) {
		answer(REPLY_RETRY);
		wait_over();
	}
	answer(REPLY_RETRY);
	deliver_drain(d, 5000000, on_finished, NULL);
	assert_int_equal(wait_over(), 0);
	answer(REPLY_FORGET);
	assert_int_equal(finished, 1);
}

static void
test_drain_ends_where_waiting_is_in_vain(void **state)
{
	(void)state;
	add(1, 10);
	answer(REPLY_HOLD);
	deliver_drain(d, 5000000, on_finished, NULL);
	assert_int_equal(finished, 1);
	identity();
}

static void
test_drain_ends_on_a_refusal(void **state)
{
	(void)state;
	add(1, 10);
	deliver_drain(d, 5000000, on_finished, NULL);
	answer(REPLY_WAIT); /* 7 s, we have 5 */
	assert_int_equal(finished, 1);
}

static void
test_drain_deadline(void **state)
{
	(void)state;
	add(1, 10);
	deliver_drain(d, 5000000, on_finished, NULL);
	assert_int_equal(d->drain_timer.at_us - loop_now_us(loop), 5000000);
	deliver_on_deadline(&d->drain_timer);
	assert_int_equal(finished, 1);
	answer(REPLY_FORGET);
	assert_int_equal(finished, 1); /* once */
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_one_after_the_other), TEST(test_rejected), TEST(test_backs_off), TEST(test_holds), TEST(test_clash), TEST(test_clash_of_an_earlier_boot),
		TEST(test_retry_after), TEST(test_poison), TEST(test_a_lone_line_has_three_chances),
		TEST(test_no_gzip), TEST(test_zstd), TEST(test_too_large), TEST(test_dropped_while_waiting), TEST(test_backlog),
		TEST(test_wrong_clock), TEST(test_drain),
		TEST(test_drain_sends_the_rest), TEST(test_drain_does_not_wait_out_the_backoff),
		TEST(test_drain_ends_where_waiting_is_in_vain), TEST(test_drain_ends_on_a_refusal),
		TEST(test_drain_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
