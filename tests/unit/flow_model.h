/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * flow_model.h - the flow table once more, naively: an array, searched from end to end, with no list
 * and no hash; and a driver that turns bytes into operations on both and compares what comes out.
 * The unit test gives it random bytes, the fuzz target its inputs.
 *
 * Include flow.c before it, and define MODEL_FAIL(...) (printf-like, does not return).
 */
#ifndef FLOW_MODEL_H
#define FLOW_MODEL_H

#include <sys/mman.h>

/* In the order in which slots are taken when there is none left. */
enum model_state { M_FREE, M_DONE, M_OPEN_OTHER, M_EARLY, M_ACK, M_HELD, M_OPEN_HOME };

struct model_flow {
	enum model_state state;
	uint64_t stamp; /* when it came into this state */
	int64_t deadline_us;
	struct ng_packet syn;    /* the first */
	struct ng_packet answer; /* the first */
	int64_t first_us, last_us, ack_us;
	unsigned syns, answers;
	int kernel_ts, home, data;
	char tail; /* the last letter of the history, or 0 */
	uint8_t ttl_rst;
	int has_rst;
	uint64_t loss;
	unsigned clock;
	/* The 5-tuple, initiator first. */
	uint8_t ipv, src[16], dst[16];
	uint16_t sport, dport;
};

#define MODEL_SLOTS_MAX 64
#define MODEL_REPORTS_MAX 256

struct model {
	struct flow_conf conf;
	struct model_flow f[MODEL_SLOTS_MAX];
	uint64_t stamps, loss;
	unsigned clock;
	unsigned in_vain, passed_over; /* from home: ACKs that did not come; handshakes that were not let wait since */
	struct flow_stats stats;
	struct ng_conn reports[MODEL_REPORTS_MAX]; /* of this operation */
	unsigned n_reports;
};

static int64_t
model_difference(int64_t later_us, int64_t earlier_us)
{
	return later_us < earlier_us || later_us - earlier_us > UINT32_MAX ? -1 : later_us - earlier_us;
}

static void
model_report(struct model *m, const struct model_flow *f, enum ng_conn_state state)
{
	struct ng_conn *c = &m->reports[m->n_reports++];
	const struct ng_packet *s = &f->syn, *a = &f->answer;
	char history[600];
	size_t n = 0;

	if (m->n_reports > MODEL_REPORTS_MAX)
		MODEL_FAIL("too many reports in one operation");
	memset(c, 0, sizeof *c);
	c->size = sizeof *c;
	c->state = (uint8_t)state;
	c->ipv = f->ipv;
	memcpy(c->src, f->src, 16);
	memcpy(c->dst, f->dst, 16);
	c->sport = f->sport;
	c->dport = f->dport;
	c->rtt_us = c->rtt_ambiguous_us = c->rtt_src_us = c->setup_us = -1;
	for (unsigned i = 0; i < f->syns; i++)
		history[n++] = 'S';
	for (unsigned i = 0; i < f->answers; i++)
		history[n++] = 'h';
	if (f->tail)
		history[n++] = f->tail;
	memcpy(c->history, history, n < HISTORY_MAX ? n : HISTORY_MAX);
	if (f->syns) {
		c->ts_us = f->first_us;
		c->hook = s->hook;
		c->group = s->group;
		c->iif = s->iif;
		c->oif = s->oif;
		c->ttl_src = s->ttl;
		c->tos = s->tos;
		c->mss = s->mss;
		c->wscale = s->wscale;
		c->syn_retrans = f->syns - 1;
		c->flags |= NG_CONN_TTL_SRC;
		c->flags |= s->tcp_opts & NG_TCPOPT_MSS ? NG_CONN_MSS_SRC : 0;
		c->flags |= s->tcp_opts & NG_TCPOPT_WSCALE ? NG_CONN_WSCALE_SRC : 0;
		c->flags |= s->tcp_opts & NG_TCPOPT_SACK_OK ? NG_CONN_SACK_SRC : 0;
		c->flags |= s->tcp_opts & NG_TCPOPT_TFO ? NG_CONN_TFO : 0;
	} else {
		c->ts_us = a->ts_us;
		c->hook = a->hook;
		c->group = a->group;
		c->iif = a->oif;
		c->oif = a->iif;
	}
	if (f->answers) {
		c->ttl_dst = a->ttl;
		c->mss_dst = a->mss;
		c->wscale_dst = a->wscale;
		c->synack_retrans = f->answers - 1;
		c->flags |= NG_CONN_TTL_DST;
		c->flags |= a->tcp_opts & NG_TCPOPT_MSS ? NG_CONN_MSS_DST : 0;
		c->flags |= a->tcp_opts & NG_TCPOPT_WSCALE ? NG_CONN_WSCALE_DST : 0;
		c->flags |= a->tcp_opts & NG_TCPOPT_SACK_OK ? NG_CONN_SACK_DST : 0;
	}
	if (f->has_rst) {
		c->ttl_dst = f->ttl_rst;
		c->flags |= NG_CONN_TTL_DST;
	}
	if (f->syns && f->answers) {
		c->isn_src = s->tcp_seq;
		c->isn_dst = a->tcp_seq;
		c->flags |= NG_CONN_ISN;
		if ((s->tcp_flags & NG_TCP_ECE) && (s->tcp_flags & NG_TCP_CWR) &&
		    (a->tcp_flags & NG_TCP_ECE) && !(a->tcp_flags & NG_TCP_CWR))
			c->flags |= NG_CONN_ECN;
		if (f->clock == m->clock) {
			c->setup_us = model_difference(a->ts_us, f->first_us);
			*(f->syns == 1 ? &c->rtt_us : &c->rtt_ambiguous_us) =
				model_difference(a->ts_us, f->last_us);
			if (state == NG_CONN_ESTABLISHED && f->answers == 1)
				c->rtt_src_us = model_difference(f->ack_us, a->ts_us);
		}
	}
	if (f->loss != m->loss)
		c->flags |= NG_CONN_LOSS;
	m->stats.reported++;
}

static void
model_enter(struct model *m, struct model_flow *f, enum model_state state, int64_t deadline_us)
{
	f->state = state;
	f->stamp = ++m->stamps;
	f->deadline_us = deadline_us;
}

static struct model_flow *
model_oldest(struct model *m, enum model_state state)
{
	struct model_flow *found = NULL;

	for (uint32_t i = 0; i < m->conf.slots; i++) {
		if (m->f[i].state == state && (!found || m->f[i].stamp < found->stamp))
			found = &m->f[i];
	}
	return found;
}

static void
model_done(struct model *m, struct model_flow *f, enum ng_conn_state state, int64_t now_us)
{
	uint32_t done = 0;

	model_report(m, f, state);
	model_enter(m, f, M_DONE, now_us + 60000000);
	for (uint32_t i = 0; i < m->conf.slots; i++)
		done += m->f[i].state == M_DONE;
	if (done > m->conf.slots / 8)
		model_oldest(m, M_DONE)->state = M_FREE;
}

static struct model_flow *
model_find(struct model *m, const struct ng_packet *p, int reply)
{
	for (uint32_t i = 0; i < m->conf.slots; i++) {
		struct model_flow *f = &m->f[i];

		if (f->state != M_FREE && f->ipv == p->ipv &&
		    !memcmp(f->src, reply ? p->daddr : p->saddr, 16) &&
		    !memcmp(f->dst, reply ? p->saddr : p->daddr, 16) &&
		    f->sport == (reply ? p->dport : p->sport) && f->dport == (reply ? p->sport : p->dport))
			return f;
	}
	return NULL;
}

static struct model_flow *
model_new(struct model *m, const struct ng_packet *p, int reply)
{
	struct model_flow *f = model_oldest(m, M_FREE);

	for (int state = M_DONE; !f; state++) {
		f = model_oldest(m, (enum model_state)state);
		if (!f)
			continue;
		if (state == M_ACK || state == M_HELD)
			model_report(m, f, NG_CONN_ANSWERED);
		else if (state != M_DONE)
			m->stats.evicted++;
	}
	memset(f, 0, sizeof *f);
	f->ipv = p->ipv;
	memcpy(f->src, reply ? p->daddr : p->saddr, 16);
	memcpy(f->dst, reply ? p->saddr : p->daddr, 16);
	f->sport = reply ? p->dport : p->sport;
	f->dport = reply ? p->sport : p->dport;
	f->loss = m->loss;
	f->clock = m->clock;
	return f;
}

static void
model_take_syn(struct model_flow *f, const struct ng_packet *p)
{
	if (!f->syns) {
		f->syn = *p;
		f->first_us = p->ts_us;
		f->kernel_ts = !!(p->has & NG_HAS_KERNEL_TS);
	}
	f->data |= !!(p->has & NG_HAS_DATA);
	/* Kept as an offset to the first, of 32 bits. */
	f->last_us = p->ts_us > f->first_us ? p->ts_us : f->first_us;
	if (f->last_us - f->first_us > UINT32_MAX)
		f->last_us = f->first_us + UINT32_MAX;
	f->syns += f->syns < 255;
}

static void
model_take_answer(struct model_flow *f, const struct ng_packet *p)
{
	if (!f->answers)
		f->answer = *p;
	f->answers += f->answers < 255;
}

/* Does this number acknowledge that SYN, and what data there is? */
static int
model_acks_syn(const struct ng_packet *syn, int data, uint32_t number)
{
	if (number == syn->tcp_seq + 1)
		return 1;
	return data && number - (syn->tcp_seq + 1) < 65536;
}

static int
model_acks(const struct model_flow *f, uint32_t number)
{
	return model_acks_syn(&f->syn, f->data, number);
}

static int
model_open(const struct model_flow *f)
{
	return f->state == M_OPEN_HOME || f->state == M_OPEN_OTHER;
}

static void
model_syn(struct model *m, const struct ng_packet *p, int from_home, int64_t now_us)
{
	struct model_flow *f = model_find(m, p, 0);

	if (f) {
		int again = f->syns && f->syn.tcp_seq == p->tcp_seq;

		if (f->state == M_EARLY && model_acks_syn(p, p->has & NG_HAS_DATA, f->answer.tcp_ack)) {
			model_take_syn(f, p);
			model_enter(m, f, M_HELD, now_us + 200000);
			return;
		}
		if ((f->state == M_HELD || f->state == M_ACK) && again) {
			if (p->hook == f->syn.hook && p->ts_us <= f->answer.ts_us)
				model_take_syn(f, p);
			return;
		}
		if (f->state == M_DONE && again) {
			m->stats.late++;
			return;
		}
		if (model_open(f) && again) {
			if (p->hook == f->syn.hook) {
				model_take_syn(f, p);
			} else if ((p->has & NG_HAS_KERNEL_TS) && !f->kernel_ts && f->syns == 1 &&
				   p->ts_us <= f->first_us) {
				f->first_us = f->last_us = p->ts_us;
				f->kernel_ts = 1;
			}
			return;
		}
		/* Another handshake with the same 5-tuple. */
		if (f->state == M_EARLY)
			model_report(m, f, NG_CONN_ORPHAN);
		else if (model_open(f))
			model_report(m, f, NG_CONN_TIMEOUT);
		else if (f->state != M_DONE)
			model_report(m, f, NG_CONN_ANSWERED);
		f->state = M_FREE;
	}
	f = model_new(m, p, 0);
	f->home = from_home;
	model_take_syn(f, p);
	model_enter(m, f, from_home ? M_OPEN_HOME : M_OPEN_OTHER, now_us + m->conf.syn_timeout_us);
}

static int
model_waits(struct model *m, const struct model_flow *f)
{
	if (m->conf.acks == FLOW_ACKS_FORWARDED && (f->syn.hook != NG_HOOK_FORWARD || f->syns > 1))
		return 0;
	if (m->conf.acks == FLOW_ACKS_FORWARDED && m->in_vain > 15)
		return f->home && ++m->passed_over % 64 == 0;
	return m->conf.acks != FLOW_ACKS_NONE;
}

static void
model_synack(struct model *m, const struct ng_packet *p, int64_t now_us)
{
	struct model_flow *f = model_find(m, p, 1);

	if (f && model_open(f)) {
		if (!model_acks(f, p->tcp_ack))
			return;
		model_take_answer(f, p);
		if (model_waits(m, f))
			model_enter(m, f, M_ACK, now_us + 3000000);
		else
			model_done(m, f, NG_CONN_ANSWERED, now_us);
		return;
	}
	if (f && f->state != M_DONE) {
		if (p->hook == f->answer.hook && p->tcp_seq == f->answer.tcp_seq)
			model_take_answer(f, p);
		return;
	}
	if (f) {
		if ((f->syns && model_acks(f, p->tcp_ack)) ||
		    (f->answers && f->answer.tcp_seq == p->tcp_seq)) {
			m->stats.late++;
			return;
		}
		f->state = M_FREE;
	}
	f = model_new(m, p, 1);
	model_take_answer(f, p);
	model_enter(m, f, M_EARLY, now_us + 1000000);
}

static void
model_rst(struct model *m, const struct ng_packet *p, int64_t now_us)
{
	struct model_flow *f = model_find(m, p, 1);

	if (f) {
		if (model_open(f) && (p->tcp_flags & NG_TCP_ACK) && model_acks(f, p->tcp_ack)) {
			f->tail = 'r';
			f->has_rst = 1;
			f->ttl_rst = p->ttl;
			model_done(m, f, NG_CONN_REFUSED, now_us);
		}
		return;
	}
	f = model_find(m, p, 0);
	if (f && (model_open(f) || f->state == M_ACK) &&
	    (p->tcp_seq == f->syn.tcp_seq || model_acks(f, p->tcp_seq))) {
		f->tail = 'R';
		model_done(m, f, NG_CONN_ABORTED, now_us);
	}
}

static void
model_ack(struct model *m, const struct ng_packet *p, int64_t now_us)
{
	struct model_flow *f = model_find(m, p, 0);

	if (!f || f->state != M_ACK || !model_acks(f, p->tcp_seq) || p->tcp_ack != f->answer.tcp_seq + 1)
		return;
	m->in_vain = f->home ? 0 : m->in_vain;
	f->ack_us = p->ts_us;
	f->tail = 'A';
	model_done(m, f, NG_CONN_ESTABLISHED, now_us);
}

static void
model_packet(struct model *m, const struct ng_packet *p, int from_home, int64_t now_us)
{
	int flags = p->tcp_flags & (NG_TCP_FIN | NG_TCP_SYN | NG_TCP_RST | NG_TCP_ACK);

	if (!(p->has & NG_HAS_TCP))
		return;
	if (flags == NG_TCP_SYN)
		model_syn(m, p, from_home, now_us);
	else if (flags == (NG_TCP_SYN | NG_TCP_ACK))
		model_synack(m, p, now_us);
	else if ((flags | NG_TCP_ACK) == (NG_TCP_RST | NG_TCP_ACK))
		model_rst(m, p, now_us);
	else if (flags == NG_TCP_ACK)
		model_ack(m, p, now_us);
}

static int64_t
model_expire(struct model *m, int64_t now_us, unsigned quantum)
{
	static const enum model_state order[] = { M_OPEN_HOME, M_OPEN_OTHER, M_EARLY, M_HELD, M_ACK, M_DONE };
	int64_t next_us = INT64_MAX;

	for (int k = 0; k < 6; k++) {
		struct model_flow *f;

		while ((f = model_oldest(m, order[k])) && f->deadline_us <= now_us && quantum) {
			quantum--;
			m->in_vain += f->state == M_ACK && f->home;
			if (f->state == M_DONE)
				f->state = M_FREE;
			else if (f->state == M_HELD && m->conf.acks == FLOW_ACKS_ALL)
				model_enter(m, f, M_ACK, now_us + 3000000);
			else
				model_done(m, f, model_open(f)	    ? NG_CONN_TIMEOUT
						 : f->state == M_EARLY ? NG_CONN_ORPHAN
								      : NG_CONN_ANSWERED, now_us);
		}
	}
	for (uint32_t i = 0; i < m->conf.slots; i++) {
		if (m->f[i].state != M_FREE && m->f[i].deadline_us < next_us)
			next_us = m->f[i].deadline_us;
	}
	return next_us;
}

static void
model_finish(struct model *m)
{
	static const enum model_state order[] = { M_ACK, M_HELD };
	struct model_flow *f;

	for (int k = 0; k < 2; k++) {
		while ((f = model_oldest(m, order[k])))
			model_done(m, f, NG_CONN_ANSWERED, f->deadline_us);
	}
}

static void
model_count(struct model *m)
{
	m->stats.live = m->stats.tracked = 0;
	for (uint32_t i = 0; i < m->conf.slots; i++) {
		enum model_state s = m->f[i].state;

		m->stats.tracked += s != M_FREE;
		m->stats.live += s == M_OPEN_HOME || s == M_OPEN_OTHER || s == M_EARLY;
	}
}

/* Another process goes on: those that wait for an answer do, and who was answered is not waited for. */
static void
model_successor(struct model *m, int64_t now_us)
{
	struct model_flow *f;
	uint64_t stamps;
	int64_t least_us = 0;

	model_finish(m);
	for (uint32_t i = 0; i < m->conf.slots; i++) {
		if (m->f[i].state == M_EARLY)
			m->f[i].deadline_us = now_us + 1000000;
	}
	/* Those that were just finished had a time of their own; none ends before one that was there first. */
	stamps = m->stamps;
	while ((f = model_oldest(m, M_DONE)) && f->stamp <= stamps) {
		if (f->deadline_us > now_us + 60000000)
			f->deadline_us = now_us + 60000000;
		if (f->deadline_us < least_us)
			f->deadline_us = least_us;
		least_us = f->deadline_us;
		f->stamp = ++m->stamps;
	}
	m->in_vain = m->passed_over = 0;
	m->stats = (struct flow_stats){ 0 };
}

/* ---- the table's own insides ------------------------------------------------------------- */

/* Every slot is on one list, both ways; every used one is found by its key, in one chain; the
 * counters are right; lists are sorted by deadline unless the source was finished. */
static void
flow_check(const struct flow_table *t, int finished)
{
	uint32_t on_lists = 0, live = 0, done = 0, in_chains = 0, free_slots = 0;

	for (uint32_t i = t->first[LIST_FREE]; i != NONE; i = t->slots[i].next) {
		if (i >= t->conf.slots || ++free_slots > t->conf.slots)
			MODEL_FAIL("the free list is broken");
	}
	for (int list = LIST_DONE; list < LISTS; list++) {
		uint32_t prev = NONE, i;

		for (i = t->first[list]; i != NONE; prev = i, i = t->slots[i].next) {
			const struct flow *f = &t->slots[i];

			if (i >= t->conf.slots || ++on_lists > t->conf.slots)
				MODEL_FAIL("list %d is broken", list);
			if (f->list != list || f->prev != prev)
				MODEL_FAIL("slot %u of list %d says list %d, prev %u", i, list, f->list, f->prev);
			if (prev != NONE && !finished && f->deadline_us < t->slots[prev].deadline_us)
				MODEL_FAIL("list %d is not sorted", list);
			if (f->hash != key_hash(t, f))
				MODEL_FAIL("the hash of slot %u is not that of its key", i);
			if (find(t, f, f->hash) != i)
				MODEL_FAIL("slot %u is not found by its key", i);
			for (unsigned k = 0; k < HISTORY_MAX; k++) { /* no NUL behind a full one */
				if (k < f->history_n ? !strchr("ShArR", f->history[k]) || !f->history[k]
						     : f->history[k])
					MODEL_FAIL("the history of slot %u is broken", i);
			}
			done += list == LIST_DONE;
			live += list == LIST_OPEN_HOME || list == LIST_OPEN_OTHER || list == LIST_EARLY;
		}
		if (t->last[list] != prev)
			MODEL_FAIL("the end of list %d is wrong", list);
	}
	for (uint32_t h = 0; h <= t->mask; h++) {
		for (uint32_t i = t->heads[h]; i != NONE; i = t->slots[i].chain) {
			if (i >= t->conf.slots || ++in_chains > t->conf.slots ||
			    (t->slots[i].hash & t->mask) != h)
				MODEL_FAIL("chain %u is broken", h);
		}
	}
	if (on_lists != in_chains || on_lists + free_slots != t->conf.slots || on_lists != t->stats.tracked ||
	    live != t->stats.live || done != t->done || done > t->conf.slots / 8)
		MODEL_FAIL("%u on lists, %u in chains, %u free, %u tracked; %u live, counted %u", on_lists,
			   in_chains, free_slots, t->stats.tracked, live, t->stats.live);
}

/* ---- bytes to operations ------------------------------------------------------------------ */

#define DRIVE_OP 8 /* bytes of one operation */

struct drive {
	struct flow_table *t;
	struct model m;
	struct ng_conn reports[MODEL_REPORTS_MAX];
	unsigned n_reports;
	int64_t now_us, wall_us; /* wall_us: what the wall clock is ahead of now_us */
	uint64_t ops;
	uint64_t by_state[NG_CONN_ORPHAN + 1]; /* for the unit test: was all of it seen? */
};

static void
drive_report(void *arg, struct ng_conn *c)
{
	struct drive *d = arg;

	if (d->n_reports == MODEL_REPORTS_MAX)
		MODEL_FAIL("too many reports in one operation");
	d->reports[d->n_reports++] = *c;
	d->by_state[c->state]++;
}

static void
drive_start(struct drive *d, uint32_t slots, enum flow_acks acks)
{
	struct flow_conf conf = { .slots = slots, .syn_timeout_us = 5000000, .acks = acks,
				  .key = "0123456789abcde" };

	memset(d, 0, sizeof *d);
	d->now_us = 1000000;
	d->wall_us = 1795000000000000;
	d->m.conf = conf;
	d->t = flow_new(&conf, drive_report, d);
	if (!d->t)
		MODEL_FAIL("no memory");
}

static void
drive_compare(struct drive *d)
{
	const struct flow_stats *a = flow_stats(d->t), *b = &d->m.stats;

	model_count(&d->m);
	if (d->n_reports != d->m.n_reports)
		MODEL_FAIL("operation %llu: %u reports, the model makes %u", (unsigned long long)d->ops,
			   d->n_reports, d->m.n_reports);
	for (unsigned i = 0; i < d->n_reports; i++) {
		const struct ng_conn *x = &d->reports[i], *y = &d->m.reports[i];

		if (memcmp(x, y, sizeof *x))
			MODEL_FAIL("operation %llu: report %u differs: state %d/%d history %s/%s ts %lld/%lld "
				   "rtt %lld/%lld ambiguous %lld/%lld src %lld/%lld setup %lld/%lld flags "
				   "0x%x/0x%x", (unsigned long long)d->ops, i, x->state, y->state, x->history,
				   y->history, (long long)x->ts_us, (long long)y->ts_us, (long long)x->rtt_us,
				   (long long)y->rtt_us, (long long)x->rtt_ambiguous_us,
				   (long long)y->rtt_ambiguous_us, (long long)x->rtt_src_us,
				   (long long)y->rtt_src_us, (long long)x->setup_us, (long long)y->setup_us,
				   x->flags, y->flags);
	}
	if (a->live != b->live || a->tracked != b->tracked || a->evicted != b->evicted ||
	    a->reported != b->reported || a->late != b->late || a->clock_steps != b->clock_steps)
		MODEL_FAIL("operation %llu: live %u/%u tracked %u/%u evicted %llu/%llu reported %llu/%llu late "
			   "%llu/%llu", (unsigned long long)d->ops, a->live, b->live, a->tracked, b->tracked,
			   (unsigned long long)a->evicted, (unsigned long long)b->evicted,
			   (unsigned long long)a->reported, (unsigned long long)b->reported,
			   (unsigned long long)a->late, (unsigned long long)b->late);
}

static void
drive_successor(struct drive *d)
{
	int fd = memfd_create("flows", MFD_CLOEXEC);

	if (fd < 0)
		MODEL_FAIL("memfd_create");
	flow_finish(d->t);
	if (flow_hand_over(d->t, fd, d->wall_us))
		MODEL_FAIL("nothing handed over");
	flow_free(d->t);
	d->t = flow_new(&d->m.conf, drive_report, d);
	if (!d->t)
		MODEL_FAIL("no memory");
	flow_take_over(d->t, fd, d->wall_us, d->now_us);
	close(fd);
	model_successor(&d->m, d->now_us);
	flow_check(d->t, 0);
}

/* b[0] what, b[1] 5-tuple, b[2] sequence numbers, b[3] hook and home, b[4] time, b[5] how far the
 * packet's time is from now, b[6] options and flags, b[7] more. */
static void
drive_packet(struct drive *d, const uint8_t b[DRIVE_OP], uint8_t flags, int reply)
{
	static const uint32_t seqs[] = { 1000, 1001, 0xffffffff, 70000 };
	static const uint8_t hooks[] = { NG_HOOK_FORWARD, NG_HOOK_OUTPUT, NG_HOOK_INPUT, NG_HOOK_NONE };
	unsigned tuple = b[1] % 48;
	uint32_t syn = seqs[b[2] & 3], answer = seqs[b[2] >> 2 & 3];
	struct ng_packet p = { .size = sizeof p, .has = NG_HAS_IP | NG_HAS_PORTS | NG_HAS_TCP };
	uint8_t *src = reply ? p.daddr : p.saddr, *dst = reply ? p.saddr : p.daddr;

	p.ipv = tuple & 1 ? 6 : 4;
	src[0] = 10;
	src[3] = (uint8_t)(tuple >> 1 & 3);
	dst[0] = 192;
	dst[3] = (uint8_t)(tuple >> 3 & 1);
	if (p.ipv == 6)
		dst[15] = 1;
	*(reply ? &p.dport : &p.sport) = (uint16_t)(50000 + (tuple >> 4));
	*(reply ? &p.sport : &p.dport) = 443;
	p.tcp_flags = flags;
	p.tcp_seq = reply ? answer : syn + !(flags & NG_TCP_SYN) * (b[2] >> 4 & 1);
	p.tcp_ack = reply ? syn + 1 + (b[2] >> 5 == 7) * 100 : answer + 1;
	if (b[6] & 0x80)
		p.tcp_flags |= b[6] & 0x40 ? NG_TCP_ECE : NG_TCP_ECE | NG_TCP_CWR;
	p.tcp_opts = b[6] & (NG_TCPOPT_MSS | NG_TCPOPT_WSCALE | NG_TCPOPT_SACK_OK | NG_TCPOPT_TFO);
	p.mss = p.tcp_opts & NG_TCPOPT_MSS ? (uint16_t)(1000 + b[7]) : 0;
	p.wscale = p.tcp_opts & NG_TCPOPT_WSCALE ? b[7] % 15 : 0;
	p.ttl = b[7];
	p.tos = (uint8_t)(b[7] << 2);
	p.hook = hooks[b[3] & 3];
	p.group = (uint16_t)(p.hook == NG_HOOK_OUTPUT);
	p.iif = b[3] >> 4;
	p.oif = b[3] >> 5;
	p.has |= b[3] & 4 ? NG_HAS_KERNEL_TS : 0;
	p.has |= b[7] & 4 ? NG_HAS_DATA : 0;
	p.ts_us = d->wall_us + d->now_us + (int8_t)b[5] * 1000;
	flow_packet(d->t, &p, b[3] >> 3 & 1, d->now_us);
	model_packet(&d->m, &p, b[3] >> 3 & 1, d->now_us);
}

static void
drive_op(struct drive *d, const uint8_t b[DRIVE_OP])
{
	static const int64_t steps_us[] = { 0, 0, 0, 0, 100, 1000, 1000, 10000, 10000, 50000, 100000, 150000,
					    200000, 1000000, 3000000, 61000000 };
	int64_t next_us, model_us;
	unsigned quantum;

	d->n_reports = d->m.n_reports = 0;
	d->now_us += steps_us[b[4] & 15];
	switch (b[0] % 16) {
	case 0: case 1: case 2: case 3: case 4:
		drive_packet(d, b, NG_TCP_SYN, 0);
		break;
	case 5: case 6: case 7: case 8:
		drive_packet(d, b, NG_TCP_SYN | NG_TCP_ACK, 1);
		break;
	case 9:
		drive_packet(d, b, NG_TCP_RST | NG_TCP_ACK, 1);
		break;
	case 10:
		drive_packet(d, b, b[7] & 1 ? NG_TCP_RST : NG_TCP_RST | NG_TCP_ACK, 0);
		break;
	case 11:
		drive_packet(d, b, NG_TCP_ACK, 0);
		break;
	case 12:
		drive_packet(d, b, b[7], b[6] & 1); /* any flags */
		break;
	case 13:
		if (b[1] & 1) {
			flow_set_loss(d->t, ++d->m.loss);
		} else if (b[1] < 16) {
			d->wall_us += b[2] * 1000000 - 100000000;
			flow_clock_step(d->t);
			d->m.clock++;
			d->m.stats.clock_steps++;
		} else if (b[1] > 250) {
			drive_successor(d);
		}
		break;
	default:
		quantum = b[1] & 1 ? 256 : b[1] >> 1 & 7;
		next_us = flow_expire(d->t, d->now_us, quantum);
		model_us = model_expire(&d->m, d->now_us, quantum);
		if (next_us != model_us)
			MODEL_FAIL("operation %llu: next at %lld, the model says %lld",
				   (unsigned long long)d->ops, (long long)next_us, (long long)model_us);
	}
	drive_compare(d);
	d->ops++;
}

static void
drive_end(struct drive *d)
{
	d->n_reports = d->m.n_reports = 0;
	flow_finish(d->t);
	model_finish(&d->m);
	drive_compare(d);
	flow_check(d->t, 1);
	flow_free(d->t);
}

#endif
