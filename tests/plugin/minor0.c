/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * minor0.c - a plugin of the days of ABI 1.0: built against a header without anything that came later
 * (tests/test_plugin_abi.py makes it), it reads the last members of that time, and what it tells shows that
 * they are where they were.
 */
#include "plugin_1_0.h"
#include <stdlib.h>
#include <string.h>

_Static_assert(NG_PLUGIN_ABI_MINOR == 0 && sizeof(struct ng_plugin) == 80 && sizeof(struct ng_host) == 168 &&
	       sizeof(struct ng_event) == 56 && sizeof(struct ng_conn) == 128 && sizeof(struct ng_packet) == 104 &&
	       sizeof(struct ng_ledger) == 48, "this is not the header of 1.0");

struct minor0 {
	struct ng_ctx *ctx;
	const struct ng_host *host;
};

static int
start(struct ng_ctx *ctx, const struct ng_host *host, void **self)
{
	struct minor0 *m = calloc(1, sizeof *m);

	if (!m)
		return -1;
	m->ctx = ctx;
	m->host = host;
	*self = m;
	return 0;
}

static int
event(void *self, const struct ng_event *e)
{
	struct minor0 *m = self;
	const struct ng_host *o = m->host;
	const struct ng_conn *c = e->conn;
	size_t longer = c->size - sizeof *c;

	if (o->report_begin(m->ctx, NG_REPORT_PLUGIN, "minor0", c->ts_us))
		return -1;
	o->report_int(m->ctx, "host_minor", o->minor);
	o->report_int(m->ctx, "longer", (int64_t)longer);
	o->report_int(m->ctx, "replay", e->replay);
	o->report_int(m->ctx, "ttl_dst", c->ttl_dst);
	o->report_str(m->ctx, "history", c->history, strlen(c->history));
	o->report_int(m->ctx, "trace", o->trace(m->ctx, c->ipv, c->dst, c->dport, "conn"));
	o->report_tuple(m->ctx, c);
	return o->report_commit(m->ctx);
}

static void
stop(void *self)
{
	free(self);
}

NG_PLUGIN(.name = "minor0", .version = "1.0", .about = "as old as can be", .events = NG_EVENT_CONN, .start = start,
	  .event = event, .stop = stop);
