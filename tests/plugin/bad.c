/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * bad.c - the plugin zoo: one kind of misbehaviour for each build, chosen by -DBAD_NAME="..." and
 * -DBAD_EVENT=... (a statement, run at each handshake to port 666) or -DBAD_START=... (at the start).
 */
#include <fcntl.h>
#include <net-gazer/plugin.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef BAD_EVENT
#define BAD_EVENT
#endif
#ifndef BAD_START
#define BAD_START
#endif

static int
start(struct ng_ctx *ctx, const struct ng_host *host, void **self)
{
	(void)host;
	*self = ctx;
	BAD_START;
	return 0;
}

static int
event(void *self, const struct ng_event *e)
{
	(void)self;
	if (e->type == NG_EVENT_CONN && e->conn->dport == 666) {
		BAD_EVENT;
	}
	return 0;
}

#define FIELDS .name = BAD_NAME, .version = "1", .about = "misbehaves", .events = NG_EVENT_CONN, \
	.start = start, .event = event

#ifdef BAD_SYMBOL
NG_EXPORT extern const struct ng_plugin BAD_SYMBOL;
NG_EXPORT const struct ng_plugin BAD_SYMBOL = { .size = sizeof(struct ng_plugin), FIELDS };
#else
NG_PLUGIN(FIELDS);
#endif
