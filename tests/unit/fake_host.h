/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fake_host.h - a struct ng_host for a plugin whose .c is included by a test: options from a table,
 * reports as one text each ("conn ts=5 dir=outbound count=3 dst_ports=[22 23] ..."), a timer, counters.
 */
#ifndef FAKE_HOST_H
#define FAKE_HOST_H

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin.h"

struct ng_ctx {
	int nothing;
};

static struct ng_ctx fake_ctx;
static const struct ng_option *fake_options;
static struct {
	const char *name, *value;
} fake_set[16];
static char (*fake_reports)[16384]; /* FAKE_REPORTS of them, once one was made */
static unsigned fake_n_reports;
static int fake_open, fake_depth, fake_refuse;
static int64_t fake_timer_us[8]; /* -1: not set; else what it was set to */
static struct {
	char name[32];
	uint64_t value;
} fake_counters[16];
static enum ng_dir fake_direction = NG_DIR_INBOUND;

#define FAKE_REPORTS 16384

/* What a plugin asked the prober for, and what it is answered. */
static struct ng_trace_request fake_asked[8192];
static unsigned fake_n_asked;
static int fake_trace_result;
static char fake_said[1024]; /* the last text logged, if not at debug */
static unsigned fake_n_said;

static void
fake_reset(const struct ng_option *own)
{
	if (!fake_reports)
		fake_reports = calloc(FAKE_REPORTS, sizeof *fake_reports);
	if (!fake_reports)
		abort();
	fake_options = own;
	memset(fake_set, 0, sizeof fake_set);
	memset(fake_counters, 0, sizeof fake_counters);
	for (int i = 0; i < 8; i++)
		fake_timer_us[i] = -1;
	fake_n_reports = 0;
	fake_n_asked = fake_n_said = 0;
	fake_trace_result = 0;
	fake_open = fake_refuse = 0;
	fake_direction = NG_DIR_INBOUND;
}

static void
fake_option(const char *name, const char *value)
{
	int i = 0;

	while (fake_set[i].name)
		i++;
	fake_set[i].name = name;
	fake_set[i].value = value;
}

static const char *
fake_option_str(struct ng_ctx *ctx, const char *name)
{
	(void)ctx;
	for (int i = 0; fake_set[i].name; i++) {
		if (!strcmp(fake_set[i].name, name))
			return fake_set[i].value;
	}
	for (const struct ng_option *o = fake_options; o->name; o++) {
		if (!strcmp(o->name, name))
			return o->def;
	}
	fail_msg("the plugin asks for option %s, which is not in its table", name);
	return NULL;
}

static int64_t
fake_option_int(struct ng_ctx *ctx, const char *name)
{
	const char *v = fake_option_str(ctx, name);

	return !strcmp(v, "yes") ? 1 : strtoll(v, NULL, 10);
}

static void
fake_log(struct ng_ctx *ctx, enum ng_log_level level, const char *text)
{
	(void)ctx;
	if (level > NG_LOG_INFO)
		return;
	snprintf(fake_said, sizeof fake_said, "%s", text);
	fake_n_said++;
}

static int
fake_timer_set(struct ng_ctx *ctx, uint32_t id, int64_t after_us)
{
	(void)ctx;
	assert_true(id < 8);
	fake_timer_us[id] = after_us;
	return 0;
}

static uint64_t *
fake_counter(struct ng_ctx *ctx, const char *name)
{
	(void)ctx;
	for (int i = 0; i < 16; i++) {
		if (!*fake_counters[i].name)
			snprintf(fake_counters[i].name, sizeof fake_counters[i].name, "%s", name);
		if (!strcmp(fake_counters[i].name, name))
			return &fake_counters[i].value;
	}
	return NULL;
}

static uint64_t
fake_count(const char *name)
{
	return *fake_counter(NULL, name);
}

static enum ng_dir
fake_dir(struct ng_ctx *ctx, uint8_t ipv, const uint8_t *src, const uint8_t *dst)
{
	(void)ctx;
	(void)ipv;
	(void)src;
	(void)dst;
	return fake_direction;
}

static const char *
fake_ifname(struct ng_ctx *ctx, uint32_t ifindex)
{
	(void)ctx;
	return ifindex == 7 ? "br-lan" : ifindex == 9 ? "wan" : NULL;
}

static int
fake_trace_request(struct ng_ctx *ctx, const struct ng_trace_request *q)
{
	(void)ctx;
	assert_true(q->size >= sizeof *q && q->id);
	if (fake_trace_result)
		return fake_trace_result;
	assert_true(fake_n_asked < sizeof fake_asked / sizeof *fake_asked);
	fake_asked[fake_n_asked++] = *q;
	return 0;
}

static int
fake_trace(struct ng_ctx *ctx, uint8_t ipv, const uint8_t *dst, uint16_t dport, const char *trigger)
{
	(void)ctx;
	(void)ipv;
	(void)dst;
	(void)dport;
	(void)trigger;
	return -ENOSYS;
}

static void __attribute__((format(printf, 2, 3)))
fake_put(const char *name, const char *fmt, ...)
{
	char *r = fake_reports[fake_n_reports];
	size_t n = strlen(r);
	va_list ap;

	assert_true(fake_open);
	/* name NULL inside a list, and only there */
	n += (size_t)snprintf(r + n, sizeof *fake_reports - n, "%s%s%s",
			      n && r[n - 1] != '[' && r[n - 1] != '{' ? " " : "", name ? name : "", name ? "=" : "");
	va_start(ap, fmt);
	vsnprintf(r + n, sizeof *fake_reports - n, fmt, ap);
	va_end(ap);
}

static int
fake_begin(struct ng_ctx *ctx, enum ng_report_type type, const char *kind, int64_t ts_us)
{
	static const char *const types[] = { "", "conn", "quality", "attempt", "trace", "rollup", "plugin" };

	(void)ctx;
	(void)kind;
	assert_true(!fake_open && fake_n_reports < FAKE_REPORTS);
	if (fake_refuse)
		return -EBUSY;
	fake_open = 1;
	fake_depth = 0;
	snprintf(fake_reports[fake_n_reports], sizeof *fake_reports, "%s ts=%" PRId64, types[type], ts_us);
	return 0;
}

static void
fake_int(struct ng_ctx *ctx, const char *name, int64_t value)
{
	(void)ctx;
	fake_put(name, "%" PRId64, value);
}

static void
fake_str(struct ng_ctx *ctx, const char *name, const char *bytes, size_t len)
{
	(void)ctx;
	fake_put(name, "%.*s", (int)len, bytes);
}

static void
fake_bool(struct ng_ctx *ctx, const char *name, int value)
{
	(void)ctx;
	fake_put(name, "%s", value ? "true" : "false");
}

static void
fake_addr(struct ng_ctx *ctx, const char *name, uint8_t ipv, const uint8_t *addr)
{
	char text[INET6_ADDRSTRLEN];

	(void)ctx;
	fake_put(name, "%s", inet_ntop(ipv == 4 ? AF_INET : AF_INET6, addr, text, sizeof text));
}

static void
fake_time(struct ng_ctx *ctx, const char *name, int64_t ts_us)
{
	fake_int(ctx, name, ts_us);
}

static void
fake_list(struct ng_ctx *ctx, const char *name)
{
	(void)ctx;
	fake_put(name, "[");
	fake_depth++;
}

static void
fake_map(struct ng_ctx *ctx, const char *name)
{
	(void)ctx;
	fake_put(name, "{");
	fake_depth++;
}

static void
fake_end(struct ng_ctx *ctx)
{
	(void)ctx;
	assert_true(fake_open && fake_depth > 0);
	strcat(fake_reports[fake_n_reports], "]");
	fake_depth--;
}

static int
fake_commit(struct ng_ctx *ctx)
{
	(void)ctx;
	assert_true(fake_open && !fake_depth);
	fake_open = 0;
	fake_n_reports++;
	return 0;
}

static void
fake_drop(struct ng_ctx *ctx)
{
	(void)ctx;
	fake_open = 0;
}

static void
fake_tuple(struct ng_ctx *ctx, const struct ng_conn *c)
{
	(void)ctx;
	fake_put("tuple", "%u>%u", c->sport, c->dport);
}

static const struct ng_host fake_host = {
	.size = sizeof fake_host,
	.log = fake_log,
	.option_int = fake_option_int,
	.option_str = fake_option_str,
	.timer_set = fake_timer_set,
	.counter = fake_counter,
	.direction = fake_dir,
	.ifname = fake_ifname,
	.trace = fake_trace,
	.report_begin = fake_begin,
	.report_int = fake_int,
	.report_str = fake_str,
	.report_bool = fake_bool,
	.report_addr = fake_addr,
	.report_time = fake_time,
	.report_list = fake_list,
	.report_map = fake_map,
	.report_end = fake_end,
	.report_commit = fake_commit,
	.report_drop = fake_drop,
	.report_tuple = fake_tuple,
	.trace_request = fake_trace_request,
};

/* A number of report i; -1 when it has not this field. */
static int64_t
fake_number(unsigned i, const char *name)
{
	char key[64];
	const char *p;

	snprintf(key, sizeof key, " %s=", name);
	assert_true(i < fake_n_reports);
	p = strstr(fake_reports[i], key);
	return p ? strtoll(p + strlen(key), NULL, 10) : -1;
}

static int
fake_has(unsigned i, const char *part)
{
	assert_true(i < fake_n_reports);
	return strstr(fake_reports[i], part) != NULL;
}

#endif
