/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The collector's intake: a body of NDJSON (or gzip or zstd of it) into a database in memory.  Whatever it
 * is: the answer is JSON and adds up, and the same body again stores nothing.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "collector/gunzip.h"
#include "collector/intake.h"
#include "collector/live.h"
#include "collector/store.h"
#include "collector/unzstd.h"
#include "lib/log.h"

#define NOW_US 1795287845000000

static struct store *store;
static struct live *live;
static struct intake *intake;
static char *answer;

static void
check(int ok)
{
	if (!ok)
		abort();
}

static void
setup(void)
{
	static const struct store_limits limits = { 2000, 16 << 20, 30 };

	log_set_level(LOG_L_ERROR);
	check(!store_open(&store, ":memory:", &limits, NOW_US));
	live = live_new(0);
	intake = live ? intake_new(store, live) : NULL;
	answer = malloc(INTAKE_ANSWER_MAX);
	check(intake && answer);
}

static void
answer_is_json(size_t n)
{
	yajl_handle y = yajl_alloc(NULL, NULL, NULL);

	check(yajl_parse(y, (const unsigned char *)answer, n) == yajl_status_ok);
	check(yajl_complete_parse(y) == yajl_status_ok);
	yajl_free(y);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int64_t now_us = NOW_US;
	struct intake_counts before, first, second;
	struct live_place place;
	static char events[LIVE_EVENT_MAX];
	char *unpacked = NULL;
	const char *body = (const char *)data;
	size_t n = size, answer_n = 0;
	int news = 0, r;
	struct intake_from from = { .sensor = size & 2 ? "gw" : "", .keyed = (int)(size & 1) };

	if (!store)
		setup();
	now_us += 100000;
	if (size > 2 && data[0] == 0x1f && data[1] == 0x8b) {
		if (gunzip(body, size, 1 << 20, &unpacked, &n))
			return 0;
		body = unpacked;
	}
#ifdef WITH_ZSTD
	if (size > 4 && !memcmp(data, "\x28\xb5\x2f\xfd", 4)) {
		if (unzstd(body, size, 1 << 20, &unpacked, &n))
			return 0;
		body = unpacked;
	}
#endif
	live_start(live, &place, -1);
	before = intake_counts(intake);
	r = intake_body(intake, body, n, &from, now_us, now_us, answer, &answer_n, &news);
	check(!r || r == -EEXIST);
	answer_is_json(answer_n);
	if (r) {
		second = intake_counts(intake);
		check(second.accepted == before.accepted && second.duplicate == before.duplicate);
		free(unpacked);
		return 0;
	}
	first = intake_counts(intake);
	check(!intake_body(intake, body, n, &from, now_us, now_us, answer, &answer_n, &news));
	second = intake_counts(intake);
	check(second.accepted == first.accepted);
	check(second.rejected - first.rejected == first.rejected - before.rejected);
	check(second.duplicate - first.duplicate ==
	      first.accepted - before.accepted + first.duplicate - before.duplicate);
	while (live_read(live, &place, events, sizeof events))
		;
	while (store_trim(store, now_us) > 0)
		;
	free(unpacked);
	return 0;
}
