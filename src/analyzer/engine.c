/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * engine.c - connects the stages; nothing else knows more than its neighbour.
 */
#include "engine.h"

#include <linux/netfilter.h>
#include <string.h>

#include "batch.h"
#include "flow.h"
#include "iface.h"
#include "ledger.h"
#include "lib/addr.h"
#include "lib/hash.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "packet.h"
#include "plugins.h"
#include "report.h"
#include "top.h"
#include "trace.h"

#define EXPIRE_QUANTUM 256
#define PATHS_QUANTUM 32

static struct {
	struct engine_conf conf;
	struct host_env env;
	struct flow_table *flows;
	int64_t now_us;
	int64_t wall_us;
	int64_t offset_us; /* wall - now */
	uint32_t events;
	uint32_t classes; /* that plugins asked for */
	uint32_t replay_classes;
} eng;

static int
is_home(uint8_t ipv, const uint8_t *addr)
{
	const struct settings *s = eng.conf.settings;

	for (unsigned i = 0; i < s->n_home; i++) {
		if (addr_in(&s->home[i], ipv, addr))
			return 1;
	}
	return 0;
}

static int
is_loopback(uint8_t ipv, const uint8_t *addr)
{
	static const uint8_t one[16] = { [15] = 1 };

	return ipv == 4 ? addr[0] == 127 : !memcmp(addr, one, 16);
}

static enum ng_dir
direction_at(uint8_t ipv, const uint8_t *src, const uint8_t *dst, uint8_t hook)
{
	/* The router's own public address is in no home network, but it is home. */
	int from = is_home(ipv, src) || hook == NG_HOOK_OUTPUT;
	int to = is_home(ipv, dst) || hook == NG_HOOK_INPUT;

	if (is_loopback(ipv, src) || is_loopback(ipv, dst))
		return NG_DIR_LOCAL;
	if (from)
		return to ? NG_DIR_INTERNAL : NG_DIR_OUTBOUND;
	return to ? NG_DIR_INBOUND : NG_DIR_EXTERNAL;
}

static enum ng_dir
direction(uint8_t ipv, const uint8_t *src, const uint8_t *dst)
{
	return direction_at(ipv, src, dst, NG_HOOK_NONE);
}

/* In place: a struct that is returned is written in words, and waits for them when it is copied. */
static void
event_init(struct ng_event *ev, enum ng_event_type type)
{
	memset(ev, 0, sizeof *ev);
	ev->size = sizeof *ev;
	ev->type = type;
	ev->now_us = eng.now_us;
	ev->wall_us = eng.wall_us;
	ev->replay = (uint32_t)eng.conf.replay;
}

static void
on_conn(void *arg, struct ng_conn *c)
{
	struct ng_event ev;
	/* The group of an orphan is that of its SYN-ACK, which left where its SYN came in. */
	uint8_t hook = c->state != NG_CONN_ORPHAN	 ? c->hook
		       : c->hook == NG_HOOK_OUTPUT ? NG_HOOK_INPUT
		       : c->hook == NG_HOOK_INPUT  ? NG_HOOK_OUTPUT
						   : c->hook;

	(void)arg;
	c->dir = (uint8_t)direction_at(c->ipv, c->src, c->dst, hook);
	top_conn(c, eng.classes & NG_CLASS_ATTEMPT ? 1 : 0, eng.now_us);
	if (!(eng.events & NG_EVENT_CONN))
		return;
	event_init(&ev, NG_EVENT_CONN);
	ev.conn = c;
	plugins_event(&ev);
}

static void
on_path(const struct ng_trace *t, uint32_t plugin)
{
	struct ng_event ev;

	event_init(&ev, NG_EVENT_TRACE);
	ev.trace = t;
	if (plugin == TRACE_EVERYONE)
		plugins_event(&ev);
	else
		plugins_event_for(plugin, &ev);
}

void
engine_load(const struct engine_conf *conf)
{
	struct report_conf rc = { conf->report_fd, conf->settings->sensor,
				  conf->settings->boot, conf->page };
	struct flow_conf fc = { .slots = conf->settings->flows,
				.syn_timeout_us = conf->settings->syn_timeout_us,
				.acks = conf->replay ? FLOW_ACKS_ALL :
					conf->settings->acks ? FLOW_ACKS_FORWARDED : FLOW_ACKS_NONE };

	eng.conf = *conf;
	eng.env = (struct host_env){ conf->settings, conf->page, direction, conf->replay };
	hash_random(fc.key, sizeof fc.key);
	eng.flows = flow_new(&fc, on_conn, NULL);
	if (!eng.flows)
		fatal("no memory for a flow table of %u handshakes: lower the option flows", fc.slots);
	report_start(&rc);
	ledger_start(conf->settings, conf->page, conf->replay);
	top_start(conf->top);
	trace_start(conf->settings->prober_fd, on_path);
	plugins_load(&eng.env);
}

void
engine_start(int64_t now_us, int64_t wall_us, void (*plugin_failed)(unsigned index))
{
	eng.now_us = now_us;
	eng.wall_us = wall_us;
	eng.offset_us = wall_us - now_us;
	if (!eng.conf.replay)
		report_set_boot_offset(clock_boot_us() - wall_us);
	plugins_start(now_us, wall_us, plugin_failed);
	eng.events = plugins_events();
	eng.classes = plugins_classes();
	eng.replay_classes = eng.classes & (NG_CLASS_HANDSHAKE | NG_CLASS_SAMPLE);
	flow_set_loss(eng.flows, ledger_loss());
	eng.conf.page->stage = WORKER_STAGE_LOOP;
}

void
engine_take_over(int fd)
{
	flow_take_over(eng.flows, fd, eng.offset_us, eng.now_us);
}

void
engine_hand_over(int fd)
{
	flow_finish(eng.flows);
	if (flow_hand_over(eng.flows, fd, eng.offset_us))
		log_debug("open handshakes are lost: no memory");
}

void
engine_turn(int64_t now_us, int64_t wall_us)
{
	int64_t offset_us = wall_us - now_us, moved_us = offset_us - eng.offset_us;

	eng.now_us = now_us;
	eng.wall_us = wall_us;
	eng.offset_us = offset_us;
	if (eng.conf.replay)
		return;
	if (moved_us > FLOW_CLOCK_STEP_US || moved_us < -FLOW_CLOCK_STEP_US)
		flow_clock_step(eng.flows);
	report_set_boot_offset(clock_boot_us() - wall_us);
}

static void
packet(struct ng_packet *p)
{
	if (!iface_passes(p->iif, p->oif)) {
		ledger_filtered();
		return;
	}
	if (p->classes & NG_CLASS_HANDSHAKE && p->has & NG_HAS_TCP) {
		eng.conf.page->stage = WORKER_STAGE_FLOW;
		flow_packet(eng.flows, p, p->hook == NG_HOOK_OUTPUT || is_home(p->ipv, p->saddr),
			    eng.now_us);
		eng.conf.page->stage = WORKER_STAGE_LOOP;
	}
	if (p->classes & NG_CLASS_ATTEMPT)
		top_attempt(p, eng.now_us);
	if (eng.events & NG_EVENT_PACKET) {
		struct ng_event ev;

		event_init(&ev, NG_EVENT_PACKET);
		ev.packet = p;
		plugins_event(&ev);
	}
}

uint8_t
engine_hook(const struct batch_msg *m)
{
	/* The number means another hook in each family: netdev's 0 is ingress. */
	if (m->family == NFPROTO_NETDEV)
		return m->hook ? NG_HOOK_NONE : NG_HOOK_INGRESS;
	return m->hook <= NG_HOOK_POSTROUTING ? m->hook : NG_HOOK_NONE;
}

void
engine_message(unsigned index, const struct batch_msg *m)
{
	struct ng_packet p __attribute__((uninitialized)); /* packet_decode() clears it */

	if (m->has_seq && ledger_seq(index, m->seq))
		flow_set_loss(eng.flows, ledger_loss());
	ledger_take(index);
	eng.conf.page->stage = WORKER_STAGE_DECODE;
	packet_decode(&p, m->payload ? m->payload : (const uint8_t *)"", m->payload_len);
	p.ts_us = m->has_ts ? m->ts_us : eng.wall_us;
	p.has |= m->has_ts ? NG_HAS_KERNEL_TS : 0;
	p.has |= m->vlan ? NG_HAS_VLAN : 0;
	p.vlan = m->vlan;
	p.hook = engine_hook(m);
	p.group = m->group;
	p.iif = m->iif;
	p.oif = m->oif;
	p.mark = m->mark;
	p.classes = eng.conf.settings->groups[index].classes;
	ledger_decoded(&p);
	eng.conf.page->stage = WORKER_STAGE_LOOP;
	packet(&p);
}

void
engine_packet(struct ng_packet *p)
{
	ledger_take(0);
	p->has |= NG_HAS_KERNEL_TS;
	if (!p->classes)
		p->classes = eng.replay_classes;
	ledger_decoded(p);
	packet(p);
}

int
engine_paths(void)
{
	int r = 1;

	for (int n = 0; n < PATHS_QUANTUM && r > 0; n++)
		r = trace_read();
	return r < 0 ? r : 0;
}

int64_t
engine_expire(void)
{
	int64_t flow_us = flow_expire(eng.flows, eng.now_us, EXPIRE_QUANTUM);
	int64_t timer_us = plugins_timers(eng.now_us, eng.wall_us);
	int64_t trace_us = trace_expire(eng.now_us); /* the last: plugins ask */

	if (timer_us < flow_us)
		flow_us = timer_us;
	return trace_us < flow_us ? trace_us : flow_us;
}

void
engine_counters(const uint64_t *value, unsigned n, uint64_t posture)
{
	struct ng_ledger l;

	ledger_counters(value, n);
	flow_set_loss(eng.flows, ledger_loss());
	if (eng.events & NG_EVENT_LEDGER) {
		struct ng_event ev;

		event_init(&ev, NG_EVENT_LEDGER);
		ledger_get(&l);
		ev.ledger = &l;
		plugins_event(&ev);
	}
	ledger_report(eng.now_us, eng.wall_us, flow_stats(eng.flows), eng.conf.settings->flows, posture);
}

void
engine_stop(uint64_t posture, uint32_t *open)
{
	flow_finish(eng.flows);
	*open = flow_stats(eng.flows)->live;
	plugins_stop(eng.now_us, eng.wall_us);
	ledger_report(eng.now_us, eng.wall_us, flow_stats(eng.flows), eng.conf.settings->flows, posture);
	flow_free(eng.flows);
	plugins_unload();
	iface_close();
}
