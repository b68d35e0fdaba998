/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * handshake - one `conn` report for each handshake, with its outcome and its times.  Over max-rate
 * they are added up instead, into `rollup` reports that account for each of them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin.h"
#include "rate.h"

/* rtt_hist of the schema: 4 buckets for each power of two of microseconds. */
#define BUCKETS 160

#define ROLLUP_US 10000000

struct rollup {
	int64_t begin_us; /* wall clock; 0: nothing in it */
	int64_t conns;
	int64_t failed;
	int64_t syn_retrans;
	int64_t rtts;
	int64_t rtt_min_us;
	int64_t rtt_max_us;
	int64_t rtt_sum_us;
	uint32_t hist[BUCKETS];
};

struct handshake {
	struct ng_ctx *ctx;
	const struct ng_host *host;
	int local;
	/* per_s 0: no limit.  What comes from outside has one of its own: a flood costs what was begun inside
	 * none of its reports. */
	struct rate rate, rate_abroad;
	struct rollup over;
	uint64_t *reported;
	uint64_t *rolled_up;
	uint64_t *skipped;
};

static const struct ng_option options[] = {
	{ "max-rate", NG_OPTION_INT, 0, 0, 1000000, "1000",
	  "conn reports a second, as many from outside; more are added up in rollup reports; 0: no limit" },
	{ "local", NG_OPTION_BOOL, 0, 0, 0, "yes", "report connections over loopback, when the rules log them" },
	{ NULL, 0, 0, 0, 0, NULL, NULL },
};

static int
start(struct ng_ctx *ctx, const struct ng_host *host, void **self)
{
	struct handshake *h = calloc(1, sizeof *h);

	if (!h)
		return -ENOMEM;
	h->ctx = ctx;
	h->host = host;
	h->local = host->option_int(ctx, "local") != 0;
	rate_start(&h->rate, host->option_int(ctx, "max-rate"));
	rate_start(&h->rate_abroad, host->option_int(ctx, "max-rate"));
	h->reported = host->counter(ctx, "reported");
	h->rolled_up = host->counter(ctx, "rolled_up");
	h->skipped = host->counter(ctx, "skipped");
	*self = h;
	return 0;
}

static unsigned
bucket(int64_t us)
{
	unsigned power, b;

	if (us <= 0)
		return 0;
	power = 63 - (unsigned)__builtin_clzll((unsigned long long)us);
	/* The two bits behind the leading one. */
	b = 4 * power + (unsigned)((power >= 2 ? us >> (power - 2) : us << (2 - power)) & 3);
	return b < BUCKETS ? b : BUCKETS - 1;
}

static int
is_failed(uint8_t state)
{
	return state != NG_CONN_ESTABLISHED && state != NG_CONN_ANSWERED;
}

static void
add_up(struct handshake *h, const struct ng_conn *c, int64_t wall_us)
{
	struct rollup *r = &h->over;

	if (!r->begin_us) {
		memset(r, 0, sizeof *r);
		r->begin_us = wall_us;
		h->host->timer_set(h->ctx, 0, ROLLUP_US);
	}
	r->conns++;
	r->failed += is_failed(c->state);
	r->syn_retrans += c->syn_retrans;
	if (c->rtt_us >= 0) {
		if (!r->rtts++ || c->rtt_us < r->rtt_min_us)
			r->rtt_min_us = c->rtt_us;
		if (c->rtt_us > r->rtt_max_us)
			r->rtt_max_us = c->rtt_us;
		r->rtt_sum_us += c->rtt_us;
		r->hist[bucket(c->rtt_us)]++;
	}
	++*h->rolled_up;
}

static void
send_rollup(struct handshake *h, int64_t wall_us)
{
	const struct ng_host *o = h->host;
	struct rollup *r = &h->over;

	if (!r->begin_us || o->report_begin(h->ctx, NG_REPORT_ROLLUP, NULL, r->begin_us))
		return;
	o->report_int(h->ctx, "window_us", wall_us > r->begin_us ? wall_us - r->begin_us : 0);
	o->report_str(h->ctx, "by", "total", 5);
	o->report_str(h->ctx, "key", "over-max-rate", 13);
	o->report_int(h->ctx, "conns", r->conns);
	o->report_int(h->ctx, "failed", r->failed);
	o->report_int(h->ctx, "syn_retrans", r->syn_retrans);
	if (r->rtts) {
		o->report_int(h->ctx, "rtt_min_us", r->rtt_min_us);
		o->report_int(h->ctx, "rtt_max_us", r->rtt_max_us);
		o->report_int(h->ctx, "rtt_sum_us", r->rtt_sum_us);
		o->report_list(h->ctx, "rtt_hist");
		for (unsigned i = 0; i < BUCKETS; i++) {
			if (!r->hist[i])
				continue;
			o->report_list(h->ctx, NULL);
			o->report_int(h->ctx, NULL, i);
			o->report_int(h->ctx, NULL, r->hist[i]);
			o->report_end(h->ctx);
		}
		o->report_end(h->ctx);
	}
	o->report_commit(h->ctx);
	r->begin_us = 0;
}

static void
put_interface(struct handshake *h, const char *name, uint32_t index)
{
	const char *text = index ? h->host->ifname(h->ctx, index) : NULL;

	if (text)
		h->host->report_str(h->ctx, name, text, strlen(text));
}

static void
put_if_known(struct handshake *h, const char *name, int64_t value)
{
	if (value >= 0)
		h->host->report_int(h->ctx, name, value);
}

static int
send_conn(struct handshake *h, const struct ng_conn *c)
{
	static const char *const states[] = { "established", "answered", "refused", "timeout",
					      "unreachable", "aborted", "orphan" };
	static const char *const hooks[] = { "prerouting", "input", "forward", "output", "postrouting",
					     "ingress" };
	const struct ng_host *o = h->host;
	struct ng_ctx *ctx = h->ctx;
	const char *state = states[c->state <= NG_CONN_ORPHAN ? c->state : NG_CONN_ORPHAN];
	int answered = !is_failed(c->state) || c->state == NG_CONN_ORPHAN;

	if (o->report_begin(ctx, NG_REPORT_CONN, NULL, c->ts_us))
		return -EBUSY;
	o->report_tuple(ctx, c);
	if (c->hook <= NG_HOOK_INGRESS)
		o->report_str(ctx, "hook", hooks[c->hook], strlen(hooks[c->hook]));
	if (c->group)
		o->report_int(ctx, "group", c->group);
	put_interface(h, "iif", c->iif);
	put_interface(h, "oif", c->oif);
	o->report_str(ctx, "state", state, strlen(state));
	o->report_str(ctx, "history", c->history, strlen(c->history));
	put_if_known(h, "rtt_us", c->rtt_us);
	put_if_known(h, "rtt_ambiguous_us", c->rtt_ambiguous_us);
	put_if_known(h, "rtt_src_us", c->rtt_src_us);
	put_if_known(h, "setup_us", c->setup_us);
	if (c->state != NG_CONN_ORPHAN)
		o->report_int(ctx, "syn_retrans", c->syn_retrans);
	if (answered)
		o->report_int(ctx, "synack_retrans", c->synack_retrans);
	if (c->flags & NG_CONN_TTL_SRC)
		o->report_int(ctx, "ttl_src", c->ttl_src);
	if (c->flags & NG_CONN_TTL_DST)
		o->report_int(ctx, "ttl_dst", c->ttl_dst);
	if (c->flags & NG_CONN_MSS_SRC)
		o->report_int(ctx, "mss", c->mss);
	if (c->flags & NG_CONN_MSS_DST)
		o->report_int(ctx, "mss_dst", c->mss_dst);
	if (c->flags & NG_CONN_WSCALE_SRC)
		o->report_int(ctx, "wscale", c->wscale);
	if (c->flags & NG_CONN_WSCALE_DST)
		o->report_int(ctx, "wscale_dst", c->wscale_dst);
	if (answered && c->state != NG_CONN_ORPHAN) {
		o->report_bool(ctx, "sack_ok", (c->flags & NG_CONN_SACK_SRC) && (c->flags & NG_CONN_SACK_DST));
		o->report_bool(ctx, "ecn", c->flags & NG_CONN_ECN);
	}
	if (c->flags & NG_CONN_TFO)
		o->report_bool(ctx, "tfo", 1);
	if (c->tos >> 2)
		o->report_int(ctx, "dscp", c->tos >> 2);
	if (c->flags & NG_CONN_LOSS)
		o->report_bool(ctx, "loss", 1);
	++*h->reported;
	return o->report_commit(ctx);
}

static int
event(void *self, const struct ng_event *ev)
{
	struct handshake *h = self;
	struct rate *rate;

	if (ev->type == NG_EVENT_TIMER) {
		send_rollup(h, ev->wall_us);
		return 0;
	}
	if (ev->conn->dir == NG_DIR_LOCAL && !h->local) {
		++*h->skipped;
		return 0;
	}
	rate = ev->conn->dir == NG_DIR_INBOUND || ev->conn->dir == NG_DIR_EXTERNAL ? &h->rate_abroad : &h->rate;
	if (rate->per_s && !rate_take(rate, ev->now_us)) {
		add_up(h, ev->conn, ev->wall_us);
		return 0;
	}
	return send_conn(h, ev->conn);
}

static void
stop(void *self)
{
	struct handshake *h = self;

	/* The window's end is not known here; its begin and its numbers are what counts. */
	send_rollup(h, h->over.begin_us);
	free(h);
}

NG_PLUGIN(.name = "handshake", .version = "1.0", .about = "reports each TCP handshake and its outcome",
	  .events = NG_EVENT_CONN | NG_EVENT_TIMER, .classes = NG_CLASS_HANDSHAKE, .options = options,
	  .start = start, .event = event, .stop = stop);
