/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * flow.c - the flow table.
 *
 * A slot is on exactly one list, and every list holds slots with the same waiting time, so each is
 * sorted by deadline by construction.  A slot's life:
 *
 *   SYN ─▶ OPEN ── SYN-ACK ─▶ (DONE, or ACK when ACKs come too ── ACK ─▶ DONE)
 *           │  └── RST ─▶ DONE
 *           └ syn-timeout ─▶ DONE
 *   SYN-ACK first ─▶ EARLY ── SYN ─▶ HELD ─▶ DONE      (EARLY alone for 1 s: orphan ─▶ DONE)
 *
 * EARLY is no oddity: the router's own SYN-ACK leaves through the output group, which delivers at
 * once, while the SYN it answers waits up to 100 ms in the input group's batch.  HELD gives the
 * rest of that batch time to show retransmitted SYNs.  DONE keeps the 5-tuple so that late
 * retransmissions do not begin a new handshake; an eighth of the slots at most, and the first to go.
 */
#include "flow.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/hash.h"
#include "worker.h"

#define EARLY_US 1000000
#define HELD_US 200000
#define ACK_US 3000000
#define DONE_US 60000000
#define UNSURE_US 3000000 /* behind a crash */
/* So many ACKs of handshakes from home that were waited for in vain, one after the other: a flow table takes them (Linux
 * 6.1 leaves them to the hooks), or conntrack counts no more.  Then one of those in so many waits, to see whether they
 * come again, and none from elsewhere.  A stranger's ACKs say nothing: he sends them or does not, as he likes. */
#define ACKS_MISSED 16
#define ACKS_TRIED 64

#define NONE UINT32_MAX
#define HISTORY_MAX 9

enum flow_list {
	LIST_FREE,
	LIST_DONE,
	LIST_OPEN_OTHER, /* SYN from elsewhere */
	LIST_EARLY,
	LIST_ACK,
	LIST_HELD,
	LIST_OPEN_HOME,
	LISTS,
};

/* Two cache lines: what a look-up touches is in the first. */
struct flow {
	uint8_t src[16]; /* key: 37 bytes from here, compared in one piece */
	uint8_t dst[16];
	uint16_t sport;
	uint16_t dport;
	uint8_t ipv;
	uint8_t list;
	uint8_t hook;
	uint8_t answer_hook;
	uint32_t hash;
	uint32_t chain;    /* of the hash */
	uint32_t syn_seq;  /* EARLY: what the SYN must have had */
	uint32_t answer_seq;
	int64_t deadline_us; /* the caller's clock */

	int64_t first_us;  /* wall clock, as the next */
	int64_t answer_us;
	uint32_t last_us;  /* last SYN, after first_us */
	uint32_t next;     /* of the list */
	uint32_t prev;
	uint32_t iif;
	uint32_t oif;
	uint16_t loss;
	uint16_t group;
	uint16_t mss;
	uint16_t mss_dst;
	uint16_t flags;    /* NG_CONN_* */
	uint8_t syns;
	uint8_t answers;
	uint8_t ttl_src;
	uint8_t ttl_dst;
	uint8_t wscale;    /* the initiator's, and << 4 the responder's */
	uint8_t tos;
	uint8_t clock;
	uint8_t bits;      /* BIT_* */
	uint8_t history_n;
	char history[HISTORY_MAX];
};

#define BIT_ECN_ASKED 1
#define BIT_ECN_AGREED 2
#define BIT_KERNEL_TS 4 /* first_us is the kernel's */
#define BIT_HOME 8      /* the initiator is at home */
#define BIT_DATA 16     /* a SYN came with data */
#define BIT_UNSURE 32   /* a predecessor that crashed may have seen more of it */

_Static_assert(sizeof(struct flow) == WORKER_HAND_FLOW, "two cache lines");
#define KEY_LEN 37
_Static_assert(offsetof(struct flow, list) == KEY_LEN, "the key is one piece");

struct flow_table {
	struct flow_conf conf;
	flow_fn *fn;
	void *arg;
	struct flow_stats stats;
	uint32_t loss;
	uint8_t clock;
	uint32_t done;     /* slots on LIST_DONE */
	uint32_t acks_missed, not_waited;
	int64_t unsure_us; /* until then: BIT_UNSURE */
	uint32_t mask;
	uint32_t *heads;
	uint32_t first[LISTS];
	uint32_t last[LISTS];
	struct flow *slots;
};

struct flow_table *
flow_new(const struct flow_conf *conf, flow_fn *fn, void *arg)
{
	struct flow_table *t = calloc(1, sizeof *t);
	uint32_t heads = 1;

	if (!t)
		return NULL;
	while (heads < conf->slots)
		heads *= 2;
	t->heads = malloc(heads * sizeof *t->heads);
	t->slots = aligned_alloc(sizeof *t->slots, conf->slots * sizeof *t->slots);
	if (!t->heads || !t->slots) {
		flow_free(t);
		return NULL;
	}
	memset(t->heads, 0xff, heads * sizeof *t->heads);
	t->conf = *conf;
	t->fn = fn;
	t->arg = arg;
	t->mask = heads - 1;
	for (int i = 0; i < LISTS; i++)
		t->first[i] = t->last[i] = NONE;
	for (uint32_t i = 0; i < conf->slots; i++)
		t->slots[i].next = i + 1 < conf->slots ? i + 1 : NONE;
	t->first[LIST_FREE] = 0;
	return t;
}

void
flow_free(struct flow_table *t)
{
	if (!t)
		return;
	free(t->heads);
	free(t->slots);
	free(t);
}

static uint32_t
is_live(uint8_t list)
{
	return list == LIST_OPEN_OTHER || list == LIST_OPEN_HOME || list == LIST_EARLY;
}

static void
list_remove(struct flow_table *t, uint32_t i)
{
	struct flow *f = &t->slots[i];

	if (f->prev != NONE)
		t->slots[f->prev].next = f->next;
	else
		t->first[f->list] = f->next;
	if (f->next != NONE)
		t->slots[f->next].prev = f->prev;
	else
		t->last[f->list] = f->prev;
	t->stats.live -= is_live(f->list);
	t->done -= f->list == LIST_DONE;
}

static void
list_append(struct flow_table *t, uint32_t i, enum flow_list list, int64_t deadline_us)
{
	struct flow *f = &t->slots[i];

	f->list = (uint8_t)list;
	f->deadline_us = deadline_us;
	f->next = NONE;
	f->prev = t->last[list];
	if (f->prev != NONE)
		t->slots[f->prev].next = i;
	else
		t->first[list] = i;
	t->last[list] = i;
	t->stats.live += is_live(f->list);
	t->done += f->list == LIST_DONE;
}

static void
list_move(struct flow_table *t, uint32_t i, enum flow_list list, int64_t deadline_us)
{
	list_remove(t, i);
	list_append(t, i, list, deadline_us);
}

/* Off its list and its chain; the caller appends it to one again or to the free ones. */
static void
slot_unlink(struct flow_table *t, uint32_t i)
{
	struct flow *f = &t->slots[i];
	uint32_t *p = &t->heads[f->hash & t->mask];

	list_remove(t, i);
	while (*p != i)
		p = &t->slots[*p].chain;
	*p = f->chain;
	t->stats.tracked--;
}

static void
slot_free(struct flow_table *t, uint32_t i)
{
	slot_unlink(t, i);
	t->slots[i].next = t->first[LIST_FREE];
	t->first[LIST_FREE] = i;
}

static int64_t
difference(int64_t later_us, int64_t earlier_us)
{
	int64_t d = later_us - earlier_us;

	return d < 0 || d > UINT32_MAX ? -1 : d;
}

static void
report(struct flow_table *t, const struct flow *f, enum ng_conn_state state, int64_t ack_us)
{
	struct ng_conn c = {
		.size = sizeof c,
		.state = (uint8_t)state,
		.ipv = f->ipv,
		.hook = f->hook,
		.ts_us = f->syns ? f->first_us : f->answer_us,
		.sport = f->sport,
		.dport = f->dport,
		.group = f->group,
		.flags = f->flags,
		.rtt_us = -1,
		.rtt_ambiguous_us = -1,
		.rtt_src_us = -1,
		.setup_us = -1,
		.syn_retrans = f->syns ? f->syns - 1U : 0,
		.synack_retrans = f->answers ? f->answers - 1U : 0,
		.iif = f->iif,
		.oif = f->oif,
		.mss = f->mss,
		.mss_dst = f->mss_dst,
		.wscale = f->wscale & 15,
		.wscale_dst = f->wscale >> 4,
		.ttl_src = f->ttl_src,
		.ttl_dst = f->ttl_dst,
		.tos = f->tos,
	};

	if (state == NG_CONN_ORPHAN && f->bits & BIT_UNSURE) {
		t->stats.late++;
		return;
	}
	memcpy(c.src, f->src, 16);
	memcpy(c.dst, f->dst, 16);
	memcpy(c.history, f->history, f->history_n);
	if (f->syns && f->answers && f->clock == t->clock) {
		int64_t rtt_us = difference(f->answer_us, f->first_us + f->last_us);

		if (f->syns == 1 && !(f->bits & BIT_UNSURE))
			c.rtt_us = rtt_us;
		else /* Karn: which SYN was answered? */
			c.rtt_ambiguous_us = rtt_us;
		c.setup_us = difference(f->answer_us, f->first_us);
		if (state == NG_CONN_ESTABLISHED && f->answers == 1)
			c.rtt_src_us = difference(ack_us, f->answer_us);
	}
	if (f->syns && f->answers) {
		c.isn_src = f->syn_seq;
		c.isn_dst = f->answer_seq;
		c.flags |= NG_CONN_ISN;
	}
	if ((f->bits & BIT_ECN_ASKED) && (f->bits & BIT_ECN_AGREED))
		c.flags |= NG_CONN_ECN;
	if (f->loss != (uint16_t)t->loss || f->bits & BIT_UNSURE)
		c.flags |= NG_CONN_LOSS;
	t->stats.reported++;
	t->fn(t->arg, &c);
}

static void
finish_acked(struct flow_table *t, uint32_t i, enum ng_conn_state state, int64_t ack_us, int64_t now_us)
{
	report(t, &t->slots[i], state, ack_us);
	list_move(t, i, LIST_DONE, now_us + DONE_US);
	/* Under a flood a slot that is used again soon is still in the cache (measured: a third of the
	 * analyzer's time went into walking through all of them). */
	if (t->done > t->conf.slots / 8)
		slot_free(t, t->first[LIST_DONE]);
}

static void
finish(struct flow_table *t, uint32_t i, enum ng_conn_state state, int64_t now_us)
{
	finish_acked(t, i, state, 0, now_us);
}

/* Slots are taken in the order of enum flow_list. */
static uint32_t
slot_take(struct flow_table *t)
{
	uint32_t i = t->first[LIST_FREE];

	if (i != NONE) {
		t->first[LIST_FREE] = t->slots[i].next;
		return i;
	}
	for (int list = LIST_DONE; list < LISTS; list++) {
		i = t->first[list];
		if (i == NONE)
			continue;
		if (list == LIST_ACK || list == LIST_HELD)
			report(t, &t->slots[i], NG_CONN_ANSWERED, 0); /* all is known but the ACK */
		else if (list != LIST_DONE)
			t->stats.evicted++;
		break;
	}
	slot_unlink(t, i);
	return i;
}

static void
make_key(struct flow *key, const struct ng_packet *p, int reply)
{
	memcpy(key->src, reply ? p->daddr : p->saddr, 16);
	memcpy(key->dst, reply ? p->saddr : p->daddr, 16);
	key->sport = reply ? p->dport : p->sport;
	key->dport = reply ? p->sport : p->dport;
	key->ipv = p->ipv;
}

static uint32_t
key_hash(const struct flow_table *t, const struct flow *key)
{
	uint64_t words[5];
	size_t n = 0;

	if (key->ipv == 4) {
		uint32_t src, dst;

		memcpy(&src, key->src, 4);
		memcpy(&dst, key->dst, 4);
		words[n++] = src | (uint64_t)dst << 32;
	} else {
		memcpy(words, key->src, 16);
		memcpy(words + 2, key->dst, 16);
		n = 4;
	}
	words[n++] = key->sport | (uint32_t)key->dport << 16 | (uint64_t)key->ipv << 32;
	return (uint32_t)hash_sip13(t->conf.key, words, n);
}

static uint32_t
find(const struct flow_table *t, const struct flow *key, uint32_t hash)
{
	uint32_t i = t->heads[hash & t->mask];

	while (i != NONE) {
		const struct flow *f = &t->slots[i];

		if (f->hash == hash && !memcmp(f, key, KEY_LEN))
			return i;
		i = f->chain;
	}
	return NONE;
}

static uint32_t
slot_new(struct flow_table *t, const struct flow *key, uint32_t hash, int64_t now_us)
{
	uint32_t i = slot_take(t);
	struct flow *f = &t->slots[i];

	memset(f, 0, sizeof *f);
	memcpy(f, key, KEY_LEN);
	f->hash = hash;
	f->chain = t->heads[hash & t->mask];
	t->heads[hash & t->mask] = i;
	f->hook = f->answer_hook = NG_HOOK_NONE;
	f->loss = (uint16_t)t->loss;
	f->clock = t->clock;
	f->bits = now_us < t->unsure_us ? BIT_UNSURE : 0;
	t->stats.tracked++;
	return i;
}

static void
add_history(struct flow *f, char letter)
{
	if (f->history_n < HISTORY_MAX)
		f->history[f->history_n++] = letter;
}

/* 0 for a clock that went back; 71 minutes is more than a SYN waits. */
static uint32_t
offset(int64_t ts_us, int64_t first_us)
{
	int64_t us = ts_us - first_us;

	return us < 0 ? 0 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static void
take_syn(struct flow *f, const struct ng_packet *p)
{
	if (!f->syns) {
		f->first_us = p->ts_us;
		f->bits |= p->has & NG_HAS_KERNEL_TS ? BIT_KERNEL_TS : 0;
		f->syn_seq = p->tcp_seq;
		f->hook = p->hook;
		f->group = p->group;
		f->iif = p->iif;
		f->oif = p->oif;
		f->ttl_src = p->ttl;
		f->tos = p->tos;
		f->mss = p->mss;
		f->wscale |= p->wscale & 15;
		if ((p->tcp_flags & (NG_TCP_ECE | NG_TCP_CWR)) == (NG_TCP_ECE | NG_TCP_CWR))
			f->bits |= BIT_ECN_ASKED;
		f->flags |= NG_CONN_TTL_SRC;
		f->flags |= p->tcp_opts & NG_TCPOPT_MSS ? NG_CONN_MSS_SRC : 0;
		f->flags |= p->tcp_opts & NG_TCPOPT_WSCALE ? NG_CONN_WSCALE_SRC : 0;
		f->flags |= p->tcp_opts & NG_TCPOPT_SACK_OK ? NG_CONN_SACK_SRC : 0;
		f->flags |= p->tcp_opts & NG_TCPOPT_TFO ? NG_CONN_TFO : 0;
	}
	f->bits |= p->has & NG_HAS_DATA ? BIT_DATA : 0;
	f->last_us = offset(p->ts_us, f->first_us);
	if (f->syns < UINT8_MAX)
		f->syns++;
	add_history(f, 'S');
}

static void
take_answer(struct flow *f, const struct ng_packet *p)
{
	if (!f->answers) {
		f->answer_us = p->ts_us;
		f->answer_hook = p->hook;
		f->answer_seq = p->tcp_seq;
		f->ttl_dst = p->ttl;
		f->mss_dst = p->mss;
		f->wscale |= (uint8_t)(p->wscale << 4);
		f->flags |= NG_CONN_TTL_DST;
		f->flags |= p->tcp_opts & NG_TCPOPT_MSS ? NG_CONN_MSS_DST : 0;
		f->flags |= p->tcp_opts & NG_TCPOPT_WSCALE ? NG_CONN_WSCALE_DST : 0;
		f->flags |= p->tcp_opts & NG_TCPOPT_SACK_OK ? NG_CONN_SACK_DST : 0;
		if ((p->tcp_flags & (NG_TCP_ECE | NG_TCP_CWR)) == NG_TCP_ECE)
			f->bits |= BIT_ECN_AGREED;
	}
	if (f->answers < UINT8_MAX)
		f->answers++;
	add_history(f, 'h');
}

/* In the order of time, not of arrival: these SYNs came behind the answer that they went before. */
static void
order_history(struct flow *f)
{
	int syns = f->syns < HISTORY_MAX ? f->syns : HISTORY_MAX;
	int n = syns + f->answers < HISTORY_MAX ? syns + f->answers : HISTORY_MAX;

	memset(f->history, 'S', (size_t)syns);
	memset(f->history + syns, 'h', (size_t)(n - syns));
	f->history_n = (uint8_t)n;
}

/* What the SYN acknowledged would be; of data that it carried all, a part or none (RFC 7413; RFC 9293 section 3.10.7.1
 * for who refuses it). */
static int
acks_syn(uint32_t ack, uint32_t syn_seq, int data)
{
	return ack - (syn_seq + 1) <= (data ? UINT16_MAX : 0);
}

static int
acks(const struct flow *f, uint32_t ack)
{
	return acks_syn(ack, f->syn_seq, f->bits & BIT_DATA);
}

static void
on_syn(struct flow_table *t, const struct ng_packet *p, int from_home, int64_t now_us)
{
	struct flow key;
	uint32_t hash, i;
	enum flow_list list = from_home ? LIST_OPEN_HOME : LIST_OPEN_OTHER;

	make_key(&key, p, 0);
	hash = key_hash(t, &key);
	i = find(t, &key, hash);
	if (i != NONE) {
		struct flow *f = &t->slots[i];

		switch (f->list) {
		case LIST_EARLY:
			if (acks_syn(f->syn_seq + 1, p->tcp_seq, p->has & NG_HAS_DATA)) {
				take_syn(f, p);
				order_history(f);
				list_move(t, i, LIST_HELD, now_us + HELD_US);
				return;
			}
			report(t, f, NG_CONN_ORPHAN, 0);
			break;
		case LIST_HELD:
		case LIST_ACK:
			if (f->syn_seq == p->tcp_seq) {
				if (p->hook == f->hook && p->ts_us <= f->answer_us) {
					take_syn(f, p);
					order_history(f);
				}
				return;
			}
			report(t, f, NG_CONN_ANSWERED, 0);
			break;
		case LIST_DONE:
			if (f->syns && f->syn_seq == p->tcp_seq) {
				t->stats.late++;
				return;
			}
			break;
		default: /* open */
			if (f->syn_seq == p->tcp_seq) {
				/* The same SYN at a second hook (loopback: output, then input) is no
				 * retransmission; the kernel's timestamp is the better one. */
				if (p->hook == f->hook) {
					take_syn(f, p);
				} else if ((p->has & NG_HAS_KERNEL_TS) && !(f->bits & BIT_KERNEL_TS) &&
					   f->syns == 1 && p->ts_us <= f->first_us) {
					f->first_us = p->ts_us;
					f->bits |= BIT_KERNEL_TS;
				}
				return;
			}
			/* The port is used again before its timeout: the client gave up. */
			report(t, f, NG_CONN_TIMEOUT, 0);
			break;
		}
		slot_free(t, i);
	}
	i = slot_new(t, &key, hash, now_us);
	t->slots[i].bits |= from_home ? BIT_HOME : 0;
	take_syn(&t->slots[i], p);
	list_append(t, i, list, now_us + t->conf.syn_timeout_us);
}

static int
ack_will_come(struct flow_table *t, const struct flow *f)
{
	if (t->conf.acks != FLOW_ACKS_FORWARDED)
		return t->conf.acks == FLOW_ACKS_ALL;
	if (f->hook != NG_HOOK_FORWARD || f->syns != 1)
		return 0;
	return t->acks_missed < ACKS_MISSED || (f->bits & BIT_HOME && ++t->not_waited % ACKS_TRIED == 0);
}

static void
on_synack(struct flow_table *t, const struct ng_packet *p, int64_t now_us)
{
	struct flow key;
	uint32_t hash, i;

	make_key(&key, p, 1);
	hash = key_hash(t, &key);
	i = find(t, &key, hash);
	if (i != NONE) {
		struct flow *f = &t->slots[i];

		switch (f->list) {
		case LIST_OPEN_HOME:
		case LIST_OPEN_OTHER:
			if (!acks(f, p->tcp_ack))
				return; /* answers another SYN: a challenge, or a forgery */
			take_answer(f, p);
			if (ack_will_come(t, f))
				list_move(t, i, LIST_ACK, now_us + ACK_US);
			else
				finish(t, i, NG_CONN_ANSWERED, now_us);
			return;
		case LIST_EARLY:
		case LIST_HELD:
		case LIST_ACK:
			if (p->hook == f->answer_hook && p->tcp_seq == f->answer_seq)
				take_answer(f, p);
			return;
		default:
			if ((f->syns && acks(f, p->tcp_ack)) ||
			    (f->answers && p->tcp_seq == f->answer_seq)) {
				t->stats.late++;
				return;
			}
			slot_free(t, i); /* the answer, come first, to another SYN of the same port */
			break;
		}
	}
	i = slot_new(t, &key, hash, now_us);
	t->slots[i].hook = p->hook;
	t->slots[i].group = p->group;
	/* The report's interfaces are those of the SYN's way. */
	t->slots[i].iif = p->oif;
	t->slots[i].oif = p->iif;
	t->slots[i].syn_seq = p->tcp_ack - 1;
	take_answer(&t->slots[i], p);
	list_append(t, i, LIST_EARLY, now_us + EARLY_US);
}

static void
on_rst(struct flow_table *t, const struct ng_packet *p, int64_t now_us)
{
	struct flow key;
	uint32_t i;

	/* From the responder: it refuses. */
	make_key(&key, p, 1);
	i = find(t, &key, key_hash(t, &key));
	if (i != NONE) {
		struct flow *f = &t->slots[i];

		if ((f->list == LIST_OPEN_HOME || f->list == LIST_OPEN_OTHER) &&
		    (p->tcp_flags & NG_TCP_ACK) && acks(f, p->tcp_ack)) {
			add_history(f, 'r');
			f->ttl_dst = p->ttl;
			f->flags |= NG_CONN_TTL_DST;
			finish(t, i, NG_CONN_REFUSED, now_us);
		}
		return;
	}
	/* From the initiator: it gives up. */
	make_key(&key, p, 0);
	i = find(t, &key, key_hash(t, &key));
	if (i != NONE) {
		struct flow *f = &t->slots[i];

		if ((f->list == LIST_OPEN_HOME || f->list == LIST_OPEN_OTHER || f->list == LIST_ACK) &&
		    (p->tcp_seq == f->syn_seq || acks(f, p->tcp_seq))) {
			add_history(f, 'R');
			finish(t, i, NG_CONN_ABORTED, now_us);
		}
	}
}

static void
on_ack(struct flow_table *t, const struct ng_packet *p, int64_t now_us)
{
	struct flow key;
	uint32_t i;

	if (t->first[LIST_ACK] == NONE)
		return;
	make_key(&key, p, 0);
	i = find(t, &key, key_hash(t, &key));
	if (i == NONE || t->slots[i].list != LIST_ACK)
		return;
	if (!acks(&t->slots[i], p->tcp_seq) || p->tcp_ack != t->slots[i].answer_seq + 1)
		return;
	if (t->slots[i].bits & BIT_HOME)
		t->acks_missed = 0;
	add_history(&t->slots[i], 'A');
	finish_acked(t, i, NG_CONN_ESTABLISHED, p->ts_us, now_us);
}

void
flow_packet(struct flow_table *t, const struct ng_packet *p, int from_home, int64_t now_us)
{
	if (!(p->has & NG_HAS_TCP))
		return;
	switch (p->tcp_flags & (NG_TCP_FIN | NG_TCP_SYN | NG_TCP_RST | NG_TCP_ACK)) {
	case NG_TCP_SYN:
		on_syn(t, p, from_home, now_us);
		break;
	case NG_TCP_SYN | NG_TCP_ACK:
		on_synack(t, p, now_us);
		break;
	case NG_TCP_RST:
	case NG_TCP_RST | NG_TCP_ACK:
		on_rst(t, p, now_us);
		break;
	case NG_TCP_ACK:
		on_ack(t, p, now_us);
		break;
	default:
		break;
	}
}

int64_t
flow_expire(struct flow_table *t, int64_t now_us, unsigned quantum)
{
	static const struct {
		enum flow_list list;
		enum ng_conn_state state;
	} ends[] = {
		{ LIST_OPEN_HOME, NG_CONN_TIMEOUT }, { LIST_OPEN_OTHER, NG_CONN_TIMEOUT },
		{ LIST_EARLY, NG_CONN_ORPHAN },      { LIST_HELD, NG_CONN_ANSWERED },
		{ LIST_ACK, NG_CONN_ANSWERED },
	};
	int64_t next_us = INT64_MAX;
	uint32_t i;

	for (size_t k = 0; k < sizeof ends / sizeof *ends; k++) {
		while ((i = t->first[ends[k].list]) != NONE) {
			if (t->slots[i].deadline_us > now_us || !quantum) {
				if (t->slots[i].deadline_us < next_us)
					next_us = t->slots[i].deadline_us;
				break;
			}
			quantum--;
			t->acks_missed += ends[k].list == LIST_ACK && t->slots[i].bits & BIT_HOME;
			if (ends[k].list == LIST_HELD && t->conf.acks == FLOW_ACKS_ALL)
				list_move(t, i, LIST_ACK, now_us + ACK_US);
			else
				finish(t, i, ends[k].state, now_us);
		}
	}
	while ((i = t->first[LIST_DONE]) != NONE && t->slots[i].deadline_us <= now_us && quantum) {
		slot_free(t, i);
		quantum--;
	}
	if (i != NONE && t->slots[i].deadline_us < next_us && t->first[LIST_DONE] == i)
		next_us = t->slots[i].deadline_us;
	return next_us;
}

void
flow_finish(struct flow_table *t)
{
	uint32_t i;

	while ((i = t->first[LIST_ACK]) != NONE)
		finish(t, i, NG_CONN_ANSWERED, t->slots[i].deadline_us);
	while ((i = t->first[LIST_HELD]) != NONE)
		finish(t, i, NG_CONN_ANSWERED, t->slots[i].deadline_us);
}

/* In front of the slots, which stand there list by list.  Written last: without it nothing else counts. */
struct hand {
	uint32_t version;  /* another one for another struct flow */
	uint32_t loss;
	int64_t offset_us; /* the wall clock less that of the deadlines */
};
#define HAND_VERSION 0x6e670001

int
flow_hand_over(struct flow_table *t, int fd, int64_t offset_us)
{
	struct hand h = { HAND_VERSION, t->loss, offset_us };

	lseek(fd, sizeof h, SEEK_SET);
	for (int list = LIST_DONE; list < LISTS; list++) {
		for (uint32_t i = t->first[list]; i != NONE; i = t->slots[i].next) {
			t->slots[i].clock -= t->clock;
			if (write(fd, &t->slots[i], sizeof *t->slots) < 0)
				return -1;
		}
	}
	lseek(fd, 0, SEEK_SET);
	return write(fd, &h, sizeof h) < 0 ? -1 : 0;
}

/* Another process wrote it: nothing in it may break a list, or make a time that cannot be. */
static void
adopt(struct flow_table *t, const struct flow *f, int64_t now_us)
{
	int early = f->list == LIST_EARLY;
	int64_t end_us = now_us + (early ? EARLY_US : f->list == LIST_DONE ? DONE_US : t->conf.syn_timeout_us);
	uint32_t hash = key_hash(t, f), i, last, chain;

	if (f->list != LIST_DONE && (!is_live(f->list) || early != !f->syns || early != !!f->answers))
		return;
	if ((f->ipv != 4 && f->ipv != 6) || (uint64_t)(f->first_us | f->answer_us) >> 53 || find(t, f, hash) != NONE)
		return;
	i = slot_new(t, f, hash, 0);
	last = t->last[f->list];
	chain = t->slots[i].chain;
	/* What it waits for may be in the socket by now. */
	if (!early && f->deadline_us < end_us)
		end_us = f->deadline_us;
	if (last != NONE && t->slots[last].deadline_us > end_us)
		end_us = t->slots[last].deadline_us;
	t->slots[i] = *f;
	t->slots[i].hash = hash;
	t->slots[i].chain = chain;
	memset(t->slots[i].history, 0, HISTORY_MAX);
	order_history(&t->slots[i]);
	list_append(t, i, (enum flow_list)f->list, end_us);
	if (t->done > t->conf.slots / 8)
		slot_free(t, t->first[LIST_DONE]);
}

void
flow_take_over(struct flow_table *t, int fd, int64_t offset_us, int64_t now_us)
{
	struct hand h;
	struct flow f;

	if (lseek(fd, 0, SEEK_SET) || read(fd, &h, sizeof h) != (ssize_t)sizeof h || h.version != HAND_VERSION) {
		t->unsure_us = now_us + UNSURE_US;
		return;
	}
	t->loss = h.loss;
	while (read(fd, &f, sizeof f) == (ssize_t)sizeof f && f.list != LIST_FREE)
		adopt(t, &f, now_us);
	if (h.offset_us > offset_us + FLOW_CLOCK_STEP_US || h.offset_us < offset_us - FLOW_CLOCK_STEP_US)
		flow_clock_step(t);
}

void
flow_set_loss(struct flow_table *t, uint64_t total)
{
	t->loss = (uint32_t)total;
}

void
flow_clock_step(struct flow_table *t)
{
	t->clock++;
	t->stats.clock_steps++;
}

const struct flow_stats *
flow_stats(const struct flow_table *t)
{
	return &t->stats;
}
