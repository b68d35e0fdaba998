/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Any bytes as messages of a prober that was taken over: those that the analyzer's check lets through
 * keep its promises, and become a report that fits its line, as answers to what the plugin traceroute asked.
 *
 * An input is messages, each behind its length (2 bytes) and one byte: bit 0, the plugin did ask.
 */
#include <stdlib.h>
#include <string.h>

#include "../../src/analyzer/trace.c"
#include "../../plugins/traceroute.c"
#include "lib/json.h"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LINE_MAX_ 16384
#define ENVELOPE 300 /* v, type, ts, up_us, sensor, boot, seq */

static char line[LINE_MAX_ - ENVELOPE];
static struct json json;
static uint64_t counters[COUNTS + 1];
static unsigned n_counters;

/* ---- a host ---------------------------------------------------------------------------------- */

static void
h_log(struct ng_ctx *ctx, enum ng_log_level level, const char *text)
{
	(void)ctx, (void)level;
	must(strlen(text) < 200, "a long message");
}

static const struct ng_option *
option(const char *name)
{
	const struct ng_option *o = options;

	while (strcmp(o->name, name))
		o++;
	return o;
}

static const char *
h_option_str(struct ng_ctx *ctx, const char *name)
{
	(void)ctx;
	return option(name)->def;
}

static int64_t
h_option_int(struct ng_ctx *ctx, const char *name)
{
	(void)ctx;
	if (!strcmp(name, "destinations"))
		return 16;
	return option(name)->type == NG_OPTION_BOOL ? !strcmp(option(name)->def, "yes") : atoll(option(name)->def);
}

static uint64_t *
h_counter(struct ng_ctx *ctx, const char *name)
{
	(void)ctx, (void)name;
	return &counters[n_counters++ % COUNTS];
}

static int
h_trace_request(struct ng_ctx *ctx, const struct ng_trace_request *q)
{
	(void)ctx;
	must(request_ok(q) && q->id, "a request that the host would refuse");
	return 0;
}

static int
h_begin(struct ng_ctx *ctx, enum ng_report_type type, const char *kind, int64_t ts_us)
{
	(void)ctx, (void)kind;
	must(type == NG_REPORT_TRACE, "not a trace");
	json_begin(&json, line, sizeof line);
	json_map(&json, NULL);
	json_time(&json, "ts", ts_us);
	return 0;
}

static void
h_int(struct ng_ctx *ctx, const char *name, int64_t v)
{
	(void)ctx;
	must(v >= 0 && v <= UINT32_MAX, "a number out of its range");
	must(!name || strcmp(name, "sent") || (v >= 1 && v <= 10), "sent");
	json_int(&json, name, v);
}

static void
h_str(struct ng_ctx *ctx, const char *name, const char *bytes, size_t n)
{
	(void)ctx;
	must(n <= 16, "a long string");
	json_str(&json, name, bytes, n);
}

static void
h_bool(struct ng_ctx *ctx, const char *name, int v)
{
	(void)ctx;
	json_bool(&json, name, v);
}

static void
h_addr(struct ng_ctx *ctx, const char *name, uint8_t ipv, const uint8_t *addr)
{
	char text[INET6_ADDRSTRLEN];

	(void)ctx;
	must(inet_ntop(ipv == 4 ? AF_INET : AF_INET6, addr, text, sizeof text) != NULL, "an address");
	json_str(&json, name, text, strlen(text));
}

static void
h_list(struct ng_ctx *ctx, const char *name)
{
	(void)ctx;
	json_list(&json, name);
}

static void
h_map(struct ng_ctx *ctx, const char *name)
{
	(void)ctx;
	json_map(&json, name);
}

static void
h_end(struct ng_ctx *ctx)
{
	(void)ctx;
	json_close(&json);
}

static int
h_commit(struct ng_ctx *ctx)
{
	(void)ctx;
	json_close(&json);
	must(json_end(&json) == 0, "a report that is too long, or torn");
	return 0;
}

static void
h_tuple(struct ng_ctx *ctx, const struct ng_conn *c)
{
	h_addr(ctx, "src_ip", c->ipv, c->src);
	h_addr(ctx, "dst_ip", c->ipv, c->dst);
}

static const struct ng_host host = {
	.size = sizeof host, .minor = 1, .log = h_log, .option_int = h_option_int, .option_str = h_option_str,
	.counter = h_counter, .report_begin = h_begin, .report_int = h_int, .report_str = h_str, .report_bool = h_bool,
	.report_addr = h_addr, .report_list = h_list, .report_map = h_map, .report_end = h_end, .report_commit = h_commit,
	.report_tuple = h_tuple, .trace_request = h_trace_request,
};

/* ---- messages -------------------------------------------------------------------------------- */

static void
check(const struct ng_trace *t, size_t len)
{
	must(t->ipv == 4 || t->ipv == 6, "ipv");
	must(t->method <= NG_TRACE_TCP_ACK && t->trigger <= NG_TRACE_ON_MANUAL, "method, trigger");
	must(t->n_hops <= PROBER_HOPS_MAX && len == PROBER_RESULT_SIZE(t->n_hops), "n_hops");
	must(t->status < NG_TRACE_BAD_REQUEST || !t->n_hops, "a refusal with hops");
	for (unsigned i = 0; i < t->n_hops; i++) {
		const struct ng_trace_hop *h = &t->hops[i];

		must(h->ttl == i + 1 && h->n_rtt <= 3 && h->n_mpls <= 4, "hop");
		must(h->flags & NG_HOP_ANSWERED || !h->n_rtt, "an RTT without an answer");
	}
}

static void
one_message(struct traceroute *t, const uint8_t *bytes, size_t len, int was_asked, int64_t now_us)
{
	static struct ng_trace_hop hops[PROBER_HOPS_MAX];
	struct prober_result *r = malloc(len ? len : 1); /* not a byte more: an overrun shows */
	struct ng_trace trace;

	must(r != NULL, "memory");
	if (len)
		memcpy(r, bytes, len);
	if (!trace_check(r, len, &trace, hops)) {
		struct ng_event ev = { .size = sizeof ev, .type = NG_EVENT_TRACE, .now_us = now_us, .wall_us = now_us, .trace = &trace };

		check(&trace, len);
		if (was_asked) {
			struct ng_conn c = { .size = sizeof c, .state = NG_CONN_ANSWERED, .dir = NG_DIR_OUTBOUND, .ipv = trace.ipv,
					     .dport = 443, .rtt_us = -1 };
			struct dest *d;

			memcpy(c.dst, trace.dst, 16);
			on_conn(t, &c, now_us);
			d = dest_find(t, trace.ipv, trace.dst);
			must(d != NULL, "a destination that is not there");
			trace.id = d->pending;
		}
		must(ng_plugin_1.event(t, &ev) == 0, "event");
	}
	free(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *self;
	int64_t now_us = 0;

	n_counters = 0;
	must(ng_plugin_1.start(NULL, &host, &self) == 0, "start");
	while (size >= 3) {
		size_t len = (size_t)data[0] | (size_t)data[1] << 8;
		int was_asked = data[2] & 1;

		data += 3;
		size -= 3;
		if (len > size)
			len = size;
		now_us += 86400000000LL * 2;
		one_message(self, data, len, was_asked, now_us);
		data += len;
		size -= len;
	}
	ng_plugin_1.stop(self);
	return 0;
}
