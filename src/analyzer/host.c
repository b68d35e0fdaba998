/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * host.c - the services of struct ng_host, one function each.
 */
#include "host.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "community.h"
#include "iface.h"
#include "lib/addr.h"
#include "lib/json.h"
#include "lib/log.h"
#include "report.h"
#include "trace.h"

static const struct host_env *env;
static int64_t turn_now_us, turn_wall_us;
static struct ng_ctx *reporter; /* whose report is open */
static struct json *json;
static int in_data;             /* the fields go under `data` */

void
host_init(const struct host_env *e)
{
	env = e;
	reporter = NULL;
}

void
host_turn(int64_t now_us, int64_t wall_us)
{
	turn_now_us = now_us;
	turn_wall_us = wall_us;
}

uint32_t
host_classes(const struct ng_plugin *p)
{
	return p->classes | (p->events & NG_EVENT_CONN ? NG_CLASS_HANDSHAKE : 0);
}

void
host_close_report(struct ng_ctx *ctx)
{
	if (reporter != ctx)
		return;
	report_cancel();
	reporter = NULL;
	ctx->errors++;
}

static void
host_log(struct ng_ctx *ctx, enum ng_log_level level, const char *text)
{
	log_at(level > NG_LOG_DEBUG ? LOG_L_DEBUG : (enum log_level)level, "plugin %s: %s",
	       ctx->plugin->name, text);
}

static const char *
option_text(struct ng_ctx *ctx, const char *name, const struct ng_option **found)
{
	const struct settings *s = env->settings;

	*found = NULL;
	for (const struct ng_option *o = ctx->plugin->options; o && o->name; o++) {
		if (!strcmp(o->name, name))
			*found = o;
	}
	if (!*found) {
		log_error("plugin %s asks for option %s, which is not in its table", ctx->plugin->name, name);
		return NULL;
	}
	for (unsigned i = 0; i < s->n_options; i++) {
		if (!strcmp(s->options[i].plugin, ctx->plugin->name) && !strcmp(s->options[i].name, name))
			return s->options[i].value;
	}
	return (*found)->def;
}

static int64_t
host_option_int(struct ng_ctx *ctx, const char *name)
{
	const struct ng_option *o;
	const char *v = option_text(ctx, name, &o);

	if (!v)
		return 0;
	if (o->type == NG_OPTION_BOOL)
		return !strcasecmp(v, "yes") || !strcasecmp(v, "true") || !strcasecmp(v, "on") ||
		       !strcmp(v, "1");
	return strtoll(v, NULL, 10);
}

static const char *
host_option_str(struct ng_ctx *ctx, const char *name)
{
	const struct ng_option *o;

	return option_text(ctx, name, &o);
}

static int
host_timer_set(struct ng_ctx *ctx, uint32_t id, int64_t after_us)
{
	if (id >= HOST_TIMERS)
		return -EINVAL;
	if (!(ctx->plugin->events & NG_EVENT_TIMER))
		return -EPERM;
	ctx->timer_us[id] = after_us < 0 ? 0 : turn_now_us + after_us + !(turn_now_us + after_us);
	return 0;
}

static uint64_t *
host_counter(struct ng_ctx *ctx, const char *name)
{
	for (unsigned i = 0; i < ctx->n_counters; i++) {
		if (!strcmp(ctx->counters[i].name, name))
			return &ctx->counters[i].value;
	}
	if (ctx->n_counters == HOST_COUNTERS || strlen(name) >= WORKER_NAME_MAX || !*name ||
	    name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")])
		return NULL;
	memcpy(ctx->counters[ctx->n_counters].name, name, strlen(name) + 1);
	return &ctx->counters[ctx->n_counters++].value;
}

static enum ng_dir
host_direction(struct ng_ctx *ctx, uint8_t ipv, const uint8_t *src, const uint8_t *dst)
{
	(void)ctx;
	return env->direction(ipv, src, dst);
}

static const char *
host_ifname(struct ng_ctx *ctx, uint32_t ifindex)
{
	(void)ctx;
	return iface_name(ifindex);
}

static int
host_trace_request(struct ng_ctx *ctx, const struct ng_trace_request *q)
{
	if (!(ctx->plugin->events & NG_EVENT_TRACE))
		return -EPERM;
	if (!q->id)
		return -EINVAL;
	return trace_ask(ctx->index, q, turn_now_us);
}

static int
host_trace(struct ng_ctx *ctx, uint8_t ipv, const uint8_t *dst, uint16_t dport, const char *trigger)
{
	static const char *const words[] = { "conn", "slow", "loss", "schedule", "manual" };
	struct ng_trace_request q = { .size = sizeof q, .ipv = ipv, .dport = dport,
				      .method = dport ? NG_TRACE_TCP_SYN : NG_TRACE_ICMP };

	if (!(ctx->plugin->events & NG_EVENT_TRACE))
		return -EPERM;
	while (q.trigger < sizeof words / sizeof *words && strcmp(words[q.trigger], trigger))
		q.trigger++;
	memcpy(q.dst, dst, 16);
	return trace_ask(ctx->index, &q, turn_now_us); /* which knows no sixth trigger */
}

static int
host_report_begin(struct ng_ctx *ctx, enum ng_report_type type, const char *kind, int64_t ts_us)
{
	static const char *const types[] = { "", "conn", "quality", "attempt", "trace", "rollup", "plugin" };

	if (reporter)
		return -EBUSY;
	if (type < NG_REPORT_CONN || type > NG_REPORT_PLUGIN || !kind != (type != NG_REPORT_PLUGIN))
		return -EINVAL;
	json = report_open(types[type], ts_us);
	if (!json)
		return -EBUSY;
	reporter = ctx;
	in_data = type == NG_REPORT_PLUGIN;
	if (in_data) {
		json_str(json, "plugin", ctx->plugin->name, strlen(ctx->plugin->name));
		json_str(json, "plugin_version", ctx->plugin->version, strlen(ctx->plugin->version));
		json_str(json, "kind", kind, strlen(kind));
		json_map(json, "data");
	}
	return 0;
}

static void
host_report_int(struct ng_ctx *ctx, const char *name, int64_t value)
{
	if (reporter == ctx)
		json_int(json, name, value);
}

static void
host_report_str(struct ng_ctx *ctx, const char *name, const char *bytes, size_t len)
{
	if (reporter == ctx)
		json_str(json, name, bytes, len);
}

static void
host_report_bool(struct ng_ctx *ctx, const char *name, int value)
{
	if (reporter == ctx)
		json_bool(json, name, value);
}

static void
put_addr(const char *name, uint8_t ipv, const uint8_t *addr)
{
	char text[ADDR_TEXT];

	json_raw_str(json, name, text, addr_print(text, ipv, addr));
}

static void
host_report_addr(struct ng_ctx *ctx, const char *name, uint8_t ipv, const uint8_t *addr)
{
	if (reporter == ctx)
		put_addr(name, ipv, addr);
}

static void
host_report_time(struct ng_ctx *ctx, const char *name, int64_t ts_us)
{
	if (reporter == ctx)
		json_time(json, name, ts_us);
}

static void
host_report_list(struct ng_ctx *ctx, const char *name)
{
	if (reporter == ctx)
		json_list(json, name);
}

static void
host_report_map(struct ng_ctx *ctx, const char *name)
{
	if (reporter == ctx)
		json_map(json, name);
}

static void
host_report_end(struct ng_ctx *ctx)
{
	/* The envelope (and `data`) are not the plugin's to close. */
	if (reporter != ctx)
		return;
	if (json->depth > (in_data ? 2 : 1))
		json_close(json);
	else
		json->bad = 1;
}

static int
host_report_commit(struct ng_ctx *ctx)
{
	if (reporter != ctx)
		return -EPROTO;
	reporter = NULL;
	if (in_data && json->depth == 2)
		json_close(json);
	return report_close();
}

static void
host_report_drop(struct ng_ctx *ctx)
{
	if (reporter != ctx)
		return;
	reporter = NULL;
	report_cancel();
}

static void
host_report_tuple(struct ng_ctx *ctx, const struct ng_conn *c)
{
	static const char *const dirs[] = { "unknown", "outbound", "inbound", "internal", "external", "local" };
	char id[COMMUNITY_LEN + 1];
	const char *dir = dirs[c->dir <= NG_DIR_LOCAL ? c->dir : 0];

	if (reporter != ctx)
		return;
	json_raw_str(json, "dir", dir, strlen(dir));
	put_addr("src_ip", c->ipv, c->src);
	json_uint(json, "src_port", c->sport);
	put_addr("dst_ip", c->ipv, c->dst);
	json_uint(json, "dst_port", c->dport);
	json_raw_str(json, "proto", "tcp", 3);
	community_id(id, c->ipv, c->src, c->dst, IPPROTO_TCP, c->sport, c->dport);
	json_raw_str(json, "community_id", id, COMMUNITY_LEN);
}

static const struct ng_host table = {
	.size = sizeof table,
	.minor = NG_PLUGIN_ABI_MINOR,
	.log = host_log,
	.option_int = host_option_int,
	.option_str = host_option_str,
	.timer_set = host_timer_set,
	.counter = host_counter,
	.direction = host_direction,
	.ifname = host_ifname,
	.trace = host_trace,
	.report_begin = host_report_begin,
	.report_int = host_report_int,
	.report_str = host_report_str,
	.report_bool = host_report_bool,
	.report_addr = host_report_addr,
	.report_time = host_report_time,
	.report_list = host_report_list,
	.report_map = host_report_map,
	.report_end = host_report_end,
	.report_commit = host_report_commit,
	.report_drop = host_report_drop,
	.report_tuple = host_report_tuple,
	.trace_request = host_trace_request,
};

const struct ng_host *
host_table(void)
{
	return &table;
}
