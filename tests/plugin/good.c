/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * good.c - a plugin as somebody else would write it: knows only the installed header.  Counts
 * handshakes, reports each with its options and its timer's ticks; tests/stories/test_plugins.py.
 */
#include <net-gazer/plugin.h>
#include <stdlib.h>
#include <string.h>

struct good {
	struct ng_ctx *ctx;
	const struct ng_host *host;
	uint64_t *seen;
	int64_t step;
	uint32_t ticks;
};

static const struct ng_option options[] = {
	{ "step", NG_OPTION_INT, 0, 1, 100, "1", "how far the count goes with each handshake" },
	{ "word", NG_OPTION_STR, 0, 0, 20, "none", "a word to say" },
	{ "shout", NG_OPTION_BOOL, 0, 0, 1, "no", "say it loud" },
	{ NULL, 0, 0, 0, 0, NULL, NULL },
};

static int
start(struct ng_ctx *ctx, const struct ng_host *host, void **self)
{
	struct good *g = calloc(1, sizeof *g);

	if (!g)
		return -1;
	g->ctx = ctx;
	g->host = host;
	g->step = host->option_int(ctx, "step");
	g->seen = host->counter(ctx, "seen");
	host->timer_set(ctx, 3, 50000);
	host->log(ctx, NG_LOG_INFO, "good plugin has started");
	*self = g;
	return 0;
}

static int
event(void *self, const struct ng_event *e)
{
	struct good *g = self;
	const char *word;

	if (e->type == NG_EVENT_TIMER) {
		if (e->timer == 3 && ++g->ticks < 3)
			g->host->timer_set(g->ctx, 3, 50000);
		return 0;
	}
	if (e->type != NG_EVENT_CONN)
		return 0;
	*g->seen += (uint64_t)g->step;
	if (g->host->report_begin(g->ctx, NG_REPORT_PLUGIN, "good", e->conn->ts_us))
		return 0;
	word = g->host->option_str(g->ctx, "word");
	g->host->report_str(g->ctx, "word", word, strlen(word));
	g->host->report_bool(g->ctx, "shout", (int)g->host->option_int(g->ctx, "shout"));
	g->host->report_int(g->ctx, "seen", (int64_t)*g->seen);
	g->host->report_int(g->ctx, "ticks", g->ticks);
	g->host->report_addr(g->ctx, "dst", e->conn->ipv, e->conn->dst);
	g->host->report_time(g->ctx, "at", e->conn->ts_us);
	g->host->report_list(g->ctx, "bytes");
	g->host->report_str(g->ctx, NULL, "\"\\\n\0\xff<b>", 8);
	g->host->report_map(g->ctx, NULL);
	g->host->report_int(g->ctx, "deep", 1);
	g->host->report_end(g->ctx);
	g->host->report_end(g->ctx);
	return g->host->report_commit(g->ctx);
}

static void
stop(void *self)
{
	free(self);
}

NG_PLUGIN(.name = "good", .version = "2.5", .about = "built outside the tree", .events = NG_EVENT_CONN | NG_EVENT_TIMER,
	  .options = options, .start = start, .event = event, .stop = stop);
