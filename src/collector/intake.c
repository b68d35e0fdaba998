/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * intake.c - lines to rows.
 */
#include "intake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/json.h"
#include "lib/log.h"
#include "live.h"
#include "store.h"
#include "validate.h"

struct intake {
	struct store *store;
	struct live *live;
	struct validate *validate;
	struct report report; /* 600 bytes: not on the stack of each request */
	struct intake_counts total;
	void (*listener)(void *arg, const struct report *);
	void *listener_arg;
	struct log_limit said, said_clash;
};

struct intake *
intake_new(struct store *store, struct live *live)
{
	struct intake *in = calloc(1, sizeof *in);

	if (!in)
		return NULL;
	in->store = store;
	in->live = live;
	in->validate = validate_new();
	if (!in->validate) {
		free(in);
		return NULL;
	}
	return in;
}

void
intake_free(struct intake *in)
{
	if (!in)
		return;
	validate_free(in->validate);
	free(in);
}

void
intake_listen(struct intake *in, void (*fn)(void *arg, const struct report *), void *arg)
{
	in->listener = fn;
	in->listener_arg = arg;
}

/* A sensor and a collector that do not agree on the schema: someone must learn of it. */
static void
say_refused(struct intake *in, uint64_t line, const char *why, int64_t now_us)
{
	unsigned left_out;

	if (log_allowed(&in->said, now_us, 60000000, &left_out))
		log_warn("report refused, line %llu of a batch from sensor \"%s\": %s (and %u before)",
			 (unsigned long long)line, in->report.sensor, why, left_out);
}

/* What the second of two machines is told: the whole answer. */
static size_t
write_clash(struct intake *in, char *answer, int64_t now_us)
{
	static const char why[] = "another machine has sent other reports under this name and boot with the same numbers";
	const struct report *r = &in->report;
	char run[sizeof r->sensor + sizeof r->boot + 1];
	struct json j;
	unsigned left_out;
	int n = snprintf(run, sizeof run, "%s/%s", r->sensor, r->boot);

	if (log_allowed(&in->said_clash, now_us, 60000000, &left_out))
		log_warn("two machines send as sensor \"%s\" of boot %s: is one a copy of the other?  Give them names of their "
			 "own (and %u before)", r->sensor, r->boot, left_out);
	json_begin(&j, answer, INTAKE_ANSWER_MAX);
	json_map(&j, NULL);
	json_str(&j, "error", why, sizeof why - 1);
	json_str(&j, "clash", run, (size_t)n);
	json_close(&j);
	json_end(&j);
	return j.len;
}

static int
blank(const char *s, size_t n)
{
	while (n && (*s == ' ' || *s == '\t' || *s == '\r')) {
		s++;
		n--;
	}
	return !n;
}

/* A sensor that found a second one of its name calls itself NAME-xxxx, four hex digits, and of a long NAME the
 * beginning.  Unless another sensor was enrolled as that. */
static int
own_name(const struct intake_from *from, const char *name)
{
	const char *own = from->sensor;
	size_t n = strlen(name), own_n = strlen(own);

	if (!own_n || !strcmp(own, name))
		return 1;
	if (n < 6 || name[n - 5] != '-' || strspn(name + n - 4, "0123456789abcdef") != 4 || n - 5 > own_n)
		return 0;
	return (n - 5 == own_n || n == 64) && !memcmp(own, name, n - 5) &&
	       !(from->is_enrolled && from->is_enrolled(from->arg, name));
}

int
intake_body(struct intake *in, const char *body, size_t n, const struct intake_from *from, int64_t rx_us, int64_t now_us,
	    char *answer, size_t *answer_n, int *news)
{
	struct intake_counts count = { 0 };
	const char *end = body + n, *next;
	struct json j;
	uint64_t line = 0;
	int begun = 0, r = 0;

	*news = 0;
	/* The list comes first into the buffer, the counts are known behind it only. */
	json_begin(&j, answer, INTAKE_ANSWER_MAX);
	json_map(&j, NULL);
	json_list(&j, "rejected");
	for (const char *p = body; p < end; p = next) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));
		const char *why;
		int64_t id = 0;

		line++;
		next = stop ? stop + 1 : end;
		n = (size_t)((stop ? stop : end) - p);
		if (blank(p, n))
			continue;
		why = validate_line(in->validate, p, n, &in->report) ? validate_why(in->validate) : NULL;
		if (!why && !own_name(from, in->report.sensor))
			why = "sensor: this token or certificate is another sensor's";
		if (why) {
			say_refused(in, line, why, now_us);
			if (count.rejected++ < INTAKE_REJECTS_LISTED) {
				json_map(&j, NULL);
				json_uint(&j, "line", line);
				if (in->report.seq >= 0)
					json_int(&j, "seq", in->report.seq);
				json_str(&j, "why", why, strlen(why));
				json_close(&j);
			}
			continue;
		}
		if (!begun) {
			r = store_begin(in->store);
			if (r)
				goto out;
			begun = 1;
		}
		r = store_add(in->store, &in->report, rx_us, &id);
		if (r < 0)
			goto out;
		if (r) {
			count.accepted++;
			live_offer(in->live, &in->report, id, rx_us, now_us);
			if (in->listener)
				in->listener(in->listener_arg, &in->report);
		} else if (from->keyed && store_rewound(in->store, &in->report)) {
			*answer_n = write_clash(in, answer, now_us);
			r = -EEXIST;
			goto out;
		} else {
			count.duplicate++;
		}
	}
	r = begun ? store_commit(in->store) : 0;
	if (r) {
		begun = 0;
		goto out;
	}
	*news = live_commit(in->live, now_us);
	json_close(&j);
	json_uint(&j, "accepted", count.accepted);
	json_uint(&j, "duplicate", count.duplicate);
	json_uint(&j, "rejected_n", count.rejected);
	json_close(&j);
	r = json_end(&j);
	*answer_n = j.len;
	if (begun)
		in->total.failing_us = 0;
	in->total.accepted += count.accepted;
	in->total.duplicate += count.duplicate;
	in->total.rejected += count.rejected;
	return r;
out:
	if (r != -EEXIST) {
		in->total.not_stored++;
		if (!in->total.failing_us)
			in->total.failing_us = rx_us;
	}
	if (begun)
		store_rollback(in->store);
	live_discard(in->live);
	return r;
}

struct intake_counts
intake_counts(const struct intake *in)
{
	return in->total;
}

static const char *
number(const char *p, int64_t *out)
{
	const char *start = p;
	int64_t v = 0;

	for (; *p >= '0' && *p <= '9'; p++) {
		v = v * 10 + (*p - '0');
		if (v > REPORT_INT_MAX)
			return NULL;
	}
	*out = v;
	return p > start ? p : NULL;
}

int
intake_key_ok(const char *key)
{
	static const char first_char[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-";
	size_t n = strspn(key, first_char);
	int64_t first = 0, last = 0;

	if (!n || n > 64 || strchr("._-", key[0]) || key[n] != '/')
		return 0;
	key += n + 1;
	n = strspn(key, "0123456789abcdef");
	if (n != 8 || key[n] != '/')
		return 0;
	key = number(key + n + 1, &first);
	if (!key || *key != '-')
		return 0;
	key = number(key + 1, &last);
	return key && !*key && first <= last;
}
