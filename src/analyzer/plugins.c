/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * plugins.c - load, check, start, dispatch.  What plugins may call is in host.c.
 */
#include "plugins.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

#include "host.h"
#include "lib/json.h"
#include "lib/log.h"
#include "worker.h"

#define ABI_SYMBOL "ng_plugin_1"

static const struct host_env *env;
static struct ng_ctx plugins[WORKER_PLUGINS_MAX];
static unsigned n_plugins;
/* For each event bit, those that asked for it: a packet costs only them. */
#define EVENTS 5
static struct ng_ctx *listeners[EVENTS][WORKER_PLUGINS_MAX];
static unsigned n_listeners[EVENTS];

static int64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int
name_ok(const char *s)
{
	size_t n = s ? strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") : 0;

	return n && n < WORKER_NAME_MAX && !s[n] && *s >= 'a' && *s <= 'z';
}

/* NULL, or why the constant cannot be used. */
static const char *
check(const struct ng_plugin *p, char *buf, size_t size)
{
	const uint32_t known = (1U << EVENTS) - 1;

	/* stop is the last member of 1.0. */
	if (p->size < offsetof(struct ng_plugin, stop) + sizeof p->stop) {
		snprintf(buf, size, "its struct ng_plugin has %u bytes, ABI %d.0 has %zu: build it again "
			 "against net-gazer/plugin.h", p->size, NG_PLUGIN_ABI_MAJOR,
			 offsetof(struct ng_plugin, stop) + sizeof p->stop);
		return buf;
	}
	if (!name_ok(p->name))
		return "its name must be 1 to 31 of a-z 0-9 _ -, a letter first";
	if (!p->version || strcspn(p->version, " \t\n") != strlen(p->version) || !*p->version)
		return "its version must be one word";
	if (!p->start || !p->event)
		return "it has no start() or no event()";
	if (p->events & ~known) {
		snprintf(buf, size, "it asks for events 0x%x that this host (ABI %d.%d) does not have: "
			 "it needs a newer net-gazer", p->events & ~known, NG_PLUGIN_ABI_MAJOR,
			 NG_PLUGIN_ABI_MINOR);
		return buf;
	}
	for (unsigned i = 0; i < n_plugins; i++) {
		if (plugins[i].plugin && !strcmp(plugins[i].plugin->name, p->name)) {
			snprintf(buf, size, "a plugin named %s is loaded already", p->name);
			return buf;
		}
	}
	return NULL;
}

static const char *
load_one(struct ng_ctx *ctx, const struct settings_plugin *from, char *buf, size_t size)
{
	char path[64];
	const struct ng_plugin *p;
	const char *why;

	/* Through the descriptor that the parent checked: the path may be another file by now, or
	 * closed to our uid. */
	snprintf(path, sizeof path, "/proc/self/fd/%d", from->fd);
	ctx->dl = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!ctx->dl) {
		const char *said = dlerror();

		/* The person knows the file by another name than the loader. */
		said += strncmp(said, path, strlen(path)) ? 0 : strlen(path);
		snprintf(buf, size, "%s", said + strspn(said, ": "));
		return buf;
	}
	p = dlsym(ctx->dl, ABI_SYMBOL);
	if (!p) {
		for (int other = 0; other < 100 && !p; other++) {
			char symbol[32];

			snprintf(symbol, sizeof symbol, "ng_plugin_%d", other);
			if (!dlsym(ctx->dl, symbol))
				continue;
			snprintf(buf, size, "it was built for plugin ABI %d, this host has ABI %d.%d", other,
				 NG_PLUGIN_ABI_MAJOR, NG_PLUGIN_ABI_MINOR);
			return buf;
		}
		return "it exports no " ABI_SYMBOL ": not a plugin for this host";
	}
	why = check(p, buf, size);
	if (!why)
		ctx->plugin = p;
	return why;
}

unsigned
plugins_load(const struct host_env *e)
{
	const struct settings *s = e->settings;
	unsigned usable = 0;

	env = e;
	host_init(e);
	n_plugins = 0;
	for (unsigned i = 0; i < s->n_plugins; i++) {
		struct ng_ctx *ctx = &plugins[i];
		char buf[300];

		*ctx = (struct ng_ctx){ .index = i, .path = s->plugins[i].path };
		ctx->why = load_one(ctx, &s->plugins[i], buf, sizeof buf);
		n_plugins++;
		if (ctx->why) {
			snprintf(ctx->why_text, sizeof ctx->why_text, "%s", ctx->why);
			ctx->why = ctx->why_text;
			ctx->state = HOST_DISABLED;
			continue;
		}
		for (unsigned k = 0; k < s->n_disabled; k++) {
			if (!strcmp(s->disabled[k], ctx->plugin->name))
				ctx->state = HOST_DISABLED;
		}
		usable++;
	}
	return usable;
}

void
plugins_describe(FILE *f)
{
	static const char *const types[] = { "bool", "int", "str" };

	for (unsigned i = 0; i < n_plugins; i++) {
		const struct ng_plugin *p = plugins[i].plugin;

		if (!p) {
			fprintf(f, "error %s\t%s\n", plugins[i].path, plugins[i].why);
			continue;
		}
		fprintf(f, "plugin %s %s %u %u %u\n", p->name, p->version, p->events,
			host_classes(p), p->snaplen);
		for (const struct ng_option *o = p->options; o && o->name; o++)
			fprintf(f, "option %s %s %lld %lld %s\t%s\n", o->name, types[o->type % 3],
				(long long)o->min, (long long)o->max, o->def ? o->def : "",
				o->help ? o->help : "");
	}
}

/* Around every call into a plugin: who runs, and for how long. */
static void
enter(struct ng_ctx *ctx, uint32_t event, int64_t now_us, int64_t wall_us)
{
	host_turn(now_us, wall_us);
	env->page->event = event;
	env->page->plugin = ctx->index + 1;
	env->page->stage = WORKER_STAGE_PLUGIN;
	ctx->began_ns = now_ns();
}

static void
leave(struct ng_ctx *ctx)
{
	int64_t took_ns = now_ns() - ctx->began_ns;

	env->page->plugin = 0;
	env->page->stage = WORKER_STAGE_LOOP;
	ctx->calls++;
	ctx->cpu_ns += (uint64_t)took_ns;
	if (took_ns > ctx->max_ns)
		ctx->max_ns = took_ns;
	if (took_ns > HOST_SLOW_NS && !ctx->slow_said) {
		ctx->slow_said = 1;
		log_warn("plugin %s took %lld ms for one event; everything else waits meanwhile",
			 ctx->plugin->name, (long long)(took_ns / 1000000));
	}
	host_close_report(ctx);
}

static void
hand(struct ng_ctx *ctx, const struct ng_event *ev)
{
	enter(ctx, ev->type, ev->now_us, ev->wall_us);
	if (ctx->plugin->event(ctx->self, ev))
		ctx->errors++;
	leave(ctx);
}

static void
subscribe(struct ng_ctx *ctx)
{
	for (unsigned bit = 0; bit < EVENTS; bit++) {
		if (ctx->plugin->events >> bit & 1)
			listeners[bit][n_listeners[bit]++] = ctx;
	}
}

void
plugins_start(int64_t now_us, int64_t wall_us, void (*fn)(unsigned index))
{
	for (unsigned i = 0; i < n_plugins; i++) {
		struct ng_ctx *ctx = &plugins[i];
		int r;

		if (!ctx->plugin || ctx->state == HOST_DISABLED)
			continue;
		enter(ctx, 0, now_us, wall_us);
		r = ctx->plugin->start(ctx, host_table(), &ctx->self);
		leave(ctx);
		if (r) {
			log_error("plugin %s did not start: %s; going on without it", ctx->plugin->name,
				  strerror(r < 0 ? -r : EINVAL));
			ctx->state = HOST_DISABLED;
			if (fn)
				fn(i);
			continue;
		}
		ctx->state = HOST_RUNS;
		subscribe(ctx);
	}
}

void
plugins_stop(int64_t now_us, int64_t wall_us)
{
	for (unsigned i = n_plugins; i-- > 0;) {
		struct ng_ctx *ctx = &plugins[i];

		if (ctx->state != HOST_RUNS)
			continue;
		if (ctx->plugin->stop) {
			enter(ctx, 0, now_us, wall_us);
			ctx->plugin->stop(ctx->self);
			leave(ctx);
		}
		ctx->state = HOST_LOADED;
	}
	memset(n_listeners, 0, sizeof n_listeners);
}

void
plugins_unload(void)
{
	for (unsigned i = 0; i < n_plugins; i++) {
		if (plugins[i].dl)
			dlclose(plugins[i].dl);
	}
	n_plugins = 0;
}

uint32_t
plugins_events(void)
{
	uint32_t events = 0;

	for (unsigned bit = 0; bit < EVENTS; bit++)
		events |= n_listeners[bit] ? 1U << bit : 0;
	return events;
}

uint32_t
plugins_classes(void)
{
	uint32_t classes = 0;

	for (unsigned i = 0; i < n_plugins; i++) {
		if (plugins[i].state == HOST_RUNS)
			classes |= host_classes(plugins[i].plugin);
	}
	return classes;
}

void
plugins_event(const struct ng_event *ev)
{
	unsigned bit = (unsigned)__builtin_ctz(ev->type);

	for (unsigned i = 0; i < n_listeners[bit]; i++) {
		struct ng_ctx *ctx = listeners[bit][i];

		if (ev->type == NG_EVENT_PACKET && !(ctx->plugin->classes & ev->packet->classes))
			continue;
		hand(ctx, ev);
	}
}

void
plugins_event_for(uint32_t index, const struct ng_event *ev)
{
	unsigned bit = (unsigned)__builtin_ctz(ev->type);

	for (unsigned i = 0; i < n_listeners[bit]; i++) {
		if (listeners[bit][i]->index == index)
			hand(listeners[bit][i], ev);
	}
}

int64_t
plugins_timers(int64_t now_us, int64_t wall_us)
{
	int64_t next_us = INT64_MAX;

	for (unsigned i = 0; i < n_listeners[2]; i++) {
		struct ng_ctx *ctx = listeners[2][i];

		for (uint32_t id = 0; id < HOST_TIMERS; id++) {
			struct ng_event ev = { .size = sizeof ev, .type = NG_EVENT_TIMER, .now_us = now_us,
					       .wall_us = wall_us, .timer = id,
					       .replay = (uint32_t)env->replay };

			if (ctx->timer_us[id] && ctx->timer_us[id] <= now_us) {
				ctx->timer_us[id] = 0;
				hand(ctx, &ev);
			}
		}
		/* Behind all of them: one may have set another that had its turn already. */
		for (uint32_t id = 0; id < HOST_TIMERS; id++) {
			if (ctx->timer_us[id] && ctx->timer_us[id] < next_us)
				next_us = ctx->timer_us[id];
		}
	}
	return next_us;
}

void
plugins_stat(struct json *j)
{
	json_list(j, "plugins");
	for (unsigned i = 0; i < n_plugins; i++) {
		const struct ng_ctx *ctx = &plugins[i];

		if (!ctx->plugin)
			continue;
		json_map(j, NULL);
		json_str(j, "name", ctx->plugin->name, strlen(ctx->plugin->name));
		json_str(j, "version", ctx->plugin->version, strlen(ctx->plugin->version));
		json_raw_str(j, "state", ctx->state == HOST_DISABLED ? "disabled" : ctx->errors ? "degraded" : "ok",
			     ctx->state == HOST_DISABLED || ctx->errors ? 8 : 2);
		json_uint(j, "calls", ctx->calls);
		json_uint(j, "cpu_us", ctx->cpu_ns / 1000);
		json_uint(j, "max_us", (uint64_t)ctx->max_ns / 1000);
		if (ctx->n_counters) {
			json_map(j, "counters");
			for (unsigned k = 0; k < ctx->n_counters; k++)
				json_uint(j, ctx->counters[k].name, ctx->counters[k].value);
			json_close(j);
		}
		json_close(j);
	}
	json_close(j);
}
