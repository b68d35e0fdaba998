/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * demo - the smallest useful plugin: copy it to begin your own.  Says hello, counts handshakes, and
 * reports the count every few seconds.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef DEMO_INSTALLED_HEADER
#include <net-gazer/plugin.h>
#else
#include "plugin.h"
#endif

struct demo {
	struct ng_ctx *ctx;
	const struct ng_host *host;
	const char *greeting;
	int64_t every_us;
	int64_t conns;
	uint64_t *total;
};

static const struct ng_option options[] = {
	{ "greeting", NG_OPTION_STR, 0, 1, 64, "hello", "text of each report" },
	{ "interval", NG_OPTION_INT, 0, 1, 3600, "10", "seconds between reports" },
	{ NULL, 0, 0, 0, 0, NULL, NULL },
};

static int
start(struct ng_ctx *ctx, const struct ng_host *host, void **self)
{
	struct demo *d = calloc(1, sizeof *d);

	if (!d)
		return -ENOMEM;
	d->ctx = ctx;
	d->host = host;
	d->greeting = host->option_str(ctx, "greeting");
	d->every_us = host->option_int(ctx, "interval") * 1000000;
	d->total = host->counter(ctx, "conns");
	host->log(ctx, NG_LOG_INFO, d->greeting);
	host->timer_set(ctx, 0, d->every_us);
	*self = d;
	return 0;
}

static void
say(struct demo *d, int64_t wall_us)
{
	if (d->host->report_begin(d->ctx, NG_REPORT_PLUGIN, "hello", wall_us))
		return;
	d->host->report_str(d->ctx, "greeting", d->greeting, strlen(d->greeting));
	d->host->report_int(d->ctx, "conns", d->conns);
	d->host->report_commit(d->ctx);
	d->conns = 0;
}

static int
event(void *self, const struct ng_event *ev)
{
	struct demo *d = self;

	if (ev->type == NG_EVENT_CONN) {
		d->conns++;
		if (d->total)
			++*d->total;
	} else if (ev->type == NG_EVENT_TIMER) {
		say(d, ev->wall_us);
		d->host->timer_set(d->ctx, 0, d->every_us);
	}
	return 0;
}

static void
stop(void *self)
{
	free(self);
}

NG_PLUGIN(.name = "demo", .version = "1.0", .about = "says hello and counts handshakes",
	  .events = NG_EVENT_CONN | NG_EVENT_TIMER, .options = options, .start = start, .event = event,
	  .stop = stop);
