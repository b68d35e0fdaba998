/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * attempts - who knocks from outside, and what the firewall did about it: SYNs from elsewhere seen
 * before the filter, matched with those that come out behind it, added up for each source, verdict
 * and window.
 *
 * A SYN waits in `pending` until its twin behind the filter is seen (accepted), the router answers
 * it with a RST of its own (rejected), or the time is up (dropped).  A firewall that rejects with
 * ICMP looks like one that drops: ICMP errors are not copied to us.  The twin may come first: the
 * two rules log to different groups.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "plugin.h"

#define PENDING 4096          /* SYNs waiting for a verdict; a power of two */
#define SOURCES 512           /* (source, verdict) pairs in the window; a power of two */
#define PENDING_US 1500000    /* both groups deliver within 100 ms; the rest is for a busy machine */
#define LEDGER_US 15000000    /* the rule counters come every 10 s */
#define PORTS 64              /* what a report holds */
#define PORT_BITS 2048        /* beyond that, distinct ports and hosts are estimated, see count_bit() */
#define HOST_BITS 512
#define NONE UINT32_MAX

enum verdict { ACCEPTED, DROPPED, REJECTED, UNKNOWN };

struct key {
	uint8_t saddr[16];
	uint8_t daddr[16];
	uint16_t sport;
	uint16_t dport;
	uint32_t seq;
	uint32_t ipv;
};

struct pending {
	struct key key;
	int64_t ts_us;
	int64_t deadline_us;
	uint32_t chain;
	uint32_t iif;
	uint32_t count;     /* SYNs seen before the filter; 0: only behind it */
	uint16_t group;
	uint8_t hook;
	uint8_t verdict;    /* DROPPED until something else is seen */
	uint8_t used;
	uint8_t pad[3];
};

struct source {
	uint8_t addr[16];
	uint8_t daddr[16];  /* of the first */
	uint8_t ipv;
	uint8_t verdict;
	uint8_t hook;
	uint8_t used;
	uint16_t group;
	uint16_t n_ports;   /* kept in ports[]: exact up to PORTS */
	uint8_t one_host;
	uint8_t more_ports; /* than ports[] holds */
	uint8_t pad[2];
	uint32_t ports_x256; /* distinct, estimated */
	uint32_t hosts_x256;
	uint32_t port_zeros; /* bits still 0 */
	uint32_t host_zeros;
	uint32_t iif;
	uint32_t chain;
	uint64_t count;
	int64_t first_us;
	int64_t last_us;
	int64_t end_us;     /* of the window, the turn's clock */
	uint64_t loss;      /* ledger's handshake_loss when the window began */
	uint16_t ports[PORTS];
	uint64_t port_bits[PORT_BITS / 64];
	uint64_t host_bits[HOST_BITS / 64];
};

struct attempts {
	struct ng_ctx *ctx;
	const struct ng_host *host;
	int64_t window_us;
	uint32_t scan_ports;
	uint32_t scan_hosts;
	uint32_t flood;
	int accepted;
	uint64_t seed;
	int64_t now_us;     /* of the last event */
	uint64_t loss;
	int64_t ledger_us;  /* when it was last read; 0: never */
	int replay;
	struct pending *pending; /* a ring: oldest at tail */
	uint32_t head, tail;
	uint32_t *pending_heads;
	struct source *sources;
	uint32_t *source_heads;
	uint32_t source_hand;    /* clock hand of eviction */
	uint32_t n_sources;
	uint64_t *syns;
	uint64_t *pending_full;
	uint64_t *sources_full;
};

static const struct ng_option options[] = {
	{ "window", NG_OPTION_INT, 0, 5, 3600, "30", "seconds that are added up in one report" },
	{ "scan-ports", NG_OPTION_INT, 0, 2, 64, "10", "distinct ports that make a vertical scan" },
	{ "scan-hosts", NG_OPTION_INT, 0, 2, 64, "5", "distinct destinations that make a horizontal scan" },
	{ "flood", NG_OPTION_INT, 0, 10, 1000000, "500", "attempts in a window that make a flood" },
	{ "accepted", NG_OPTION_BOOL, 0, 0, 0, "yes", "report those that the firewall accepted, too" },
	{ NULL, 0, 0, 0, 0, NULL, NULL },
};

/* Keyed by a random seed: the network chooses the keys. */
static uint32_t
hash(const struct attempts *a, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t h = a->seed;

	for (; len >= 4; len -= 4, p += 4) {
		uint32_t w;

		memcpy(&w, p, 4);
		h = (h ^ w) * 0x9e3779b97f4a7c15ULL;
		h ^= h >> 29;
	}
	h = (h ^ a->seed >> 17) * 0xbf58476d1ce4e5b9ULL;
	return (uint32_t)(h >> 32);
}

static int
start(struct ng_ctx *ctx, const struct ng_host *host, void **self)
{
	struct attempts *a = calloc(1, sizeof *a);

	if (!a)
		return -ENOMEM;
	a->ctx = ctx;
	a->host = host;
	a->window_us = host->option_int(ctx, "window") * 1000000;
	a->scan_ports = (uint32_t)host->option_int(ctx, "scan-ports");
	a->scan_hosts = (uint32_t)host->option_int(ctx, "scan-hosts");
	a->flood = (uint32_t)host->option_int(ctx, "flood");
	a->accepted = host->option_int(ctx, "accepted") != 0;
	a->syns = host->counter(ctx, "syns");
	a->pending_full = host->counter(ctx, "pending_full");
	a->sources_full = host->counter(ctx, "sources_full");
	a->pending = calloc(PENDING, sizeof *a->pending);
	a->pending_heads = malloc(PENDING * sizeof *a->pending_heads);
	a->sources = calloc(SOURCES, sizeof *a->sources);
	a->source_heads = malloc(SOURCES * sizeof *a->source_heads);
	if (!a->pending || !a->pending_heads || !a->sources || !a->source_heads ||
	    getrandom(&a->seed, sizeof a->seed, 0) != (ssize_t)sizeof a->seed) {
		free(a->pending);
		free(a->pending_heads);
		free(a->sources);
		free(a->source_heads);
		free(a);
		return -ENOMEM;
	}
	memset(a->pending_heads, 0xff, PENDING * sizeof *a->pending_heads);
	memset(a->source_heads, 0xff, SOURCES * sizeof *a->source_heads);
	host->timer_set(ctx, 0, 500000);
	*self = a;
	return 0;
}

/* Linear counting, one step at a time: with z of m bits still 0, a bit that becomes 1 stands for
 * m / z distinct values on average.  Exact while collisions are rare. */
static void
count_bit(uint64_t *bits, uint32_t m, uint32_t h, uint32_t *zeros, uint32_t *total_x256)
{
	uint64_t bit = 1ULL << (h % 64);

	h = h / 64 % (m / 64);
	if (!*zeros || bits[h] & bit)
		return;
	bits[h] |= bit;
	*total_x256 += m * 256 / *zeros;
	--*zeros;
}

static void
add_port(const struct attempts *a, struct source *s, uint16_t port)
{
	uint32_t value = port;
	unsigned i = 0;

	count_bit(s->port_bits, PORT_BITS, hash(a, &value, sizeof value), &s->port_zeros, &s->ports_x256);
	while (i < s->n_ports && s->ports[i] != port)
		i++;
	if (i < s->n_ports)
		return;
	if (i < PORTS)
		s->ports[s->n_ports++] = port;
	else
		s->more_ports = 1;
}

static void
add_host(const struct attempts *a, struct source *s, const uint8_t *daddr)
{
	count_bit(s->host_bits, HOST_BITS, hash(a, daddr, 16), &s->host_zeros, &s->hosts_x256);
	if (memcmp(s->daddr, daddr, 16))
		s->one_host = 0;
}

static uint32_t
ports_n(const struct source *s)
{
	uint32_t estimate = (s->ports_x256 + 128) / 256;

	return !s->more_ports ? s->n_ports : estimate > PORTS ? estimate : PORTS + 1;
}

static uint32_t
hosts_n(const struct source *s)
{
	return (s->hosts_x256 + 128) / 256;
}

static const char *
kind_of(const struct attempts *a, const struct source *s)
{
	if (ports_n(s) >= a->scan_ports)
		return "vertical_scan";
	if (hosts_n(s) >= a->scan_hosts)
		return "horizontal_scan";
	return s->count >= a->flood ? "flood" : "single";
}

static void
send_report(struct attempts *a, const struct source *s)
{
	static const char *const verdicts[] = { "accepted", "dropped", "rejected", "unknown" };
	static const char *const dirs[] = { "unknown", "outbound", "inbound", "internal", "external", "local" };
	static const char *const hooks[] = { "prerouting", "input", "forward", "output", "postrouting",
					     "ingress" };
	const struct ng_host *o = a->host;
	struct ng_ctx *ctx = a->ctx;
	/* SYNs that were accepted may have been lost behind the filter. */
	int unsure = s->verdict == DROPPED && a->loss != s->loss;
	const char *verdict = verdicts[unsure ? UNKNOWN : s->verdict];
	const char *ifname = s->iif ? o->ifname(ctx, s->iif) : NULL;
	const char *dir = "inbound";

	if (s->verdict == ACCEPTED && !a->accepted)
		return;
	if (o->report_begin(ctx, NG_REPORT_ATTEMPT, NULL, s->first_us))
		return;
	/* At the input hook the destination is the router, whatever its address. */
	if (s->hook != NG_HOOK_INPUT) {
		enum ng_dir d = o->direction(ctx, s->ipv, s->addr, s->daddr);

		dir = dirs[d <= NG_DIR_LOCAL ? d : NG_DIR_UNKNOWN];
	}
	o->report_str(ctx, "dir", dir, strlen(dir));
	o->report_time(ctx, "last_ts", s->last_us);
	o->report_addr(ctx, "src_ip", s->ipv, s->addr);
	if (s->one_host)
		o->report_addr(ctx, "dst_ip", s->ipv, s->daddr);
	o->report_str(ctx, "proto", "tcp", 3);
	o->report_int(ctx, "count", (int64_t)s->count);
	o->report_list(ctx, "dst_ports");
	for (unsigned i = 0; i < s->n_ports; i++)
		o->report_int(ctx, NULL, s->ports[i]);
	o->report_end(ctx);
	if (ports_n(s) > PORTS)
		o->report_int(ctx, "dst_ports_n", ports_n(s));
	o->report_int(ctx, "dst_ips_n", hosts_n(s));
	o->report_str(ctx, "verdict", verdict, strlen(verdict));
	o->report_str(ctx, "kind", kind_of(a, s), strlen(kind_of(a, s)));
	if (s->hook <= NG_HOOK_INGRESS)
		o->report_str(ctx, "hook", hooks[s->hook], strlen(hooks[s->hook]));
	if (s->group)
		o->report_int(ctx, "group", s->group);
	if (ifname)
		o->report_str(ctx, "iif", ifname, strlen(ifname));
	o->report_commit(ctx);
}

static uint32_t
source_hash(const struct attempts *a, const uint8_t *addr, uint8_t verdict)
{
	uint8_t key[20] = { 0 };

	memcpy(key, addr, 16);
	key[16] = verdict;
	return hash(a, key, sizeof key) & (SOURCES - 1);
}

static void
source_close(struct attempts *a, uint32_t i)
{
	struct source *s = &a->sources[i];
	uint32_t *p = &a->source_heads[source_hash(a, s->addr, s->verdict)];

	send_report(a, s);
	while (*p != i)
		p = &a->sources[*p].chain;
	*p = s->chain;
	s->used = 0;
	a->n_sources--;
}

static uint32_t
source_get(struct attempts *a, const struct pending *p, uint8_t verdict, int64_t now_us)
{
	uint32_t *head = &a->source_heads[source_hash(a, p->key.saddr, verdict)], i;
	struct source *s;

	for (i = *head; i != NONE; i = a->sources[i].chain) {
		s = &a->sources[i];
		if (s->verdict == verdict && s->ipv == p->key.ipv && !memcmp(s->addr, p->key.saddr, 16)) {
			if (s->end_us > now_us)
				return i;
			source_close(a, i);
			break;
		}
	}
	for (unsigned n = 0; n < SOURCES && a->sources[a->source_hand].used; n++)
		a->source_hand = (a->source_hand + 1) & (SOURCES - 1);
	i = a->source_hand;
	a->source_hand = (a->source_hand + 1) & (SOURCES - 1);
	if (a->sources[i].used) { /* all are: this one is reported before its time */
		++*a->sources_full;
		source_close(a, i);
	}
	head = &a->source_heads[source_hash(a, p->key.saddr, verdict)];
	s = &a->sources[i];
	memset(s, 0, sizeof *s);
	memcpy(s->addr, p->key.saddr, 16);
	memcpy(s->daddr, p->key.daddr, 16);
	s->ipv = (uint8_t)p->key.ipv;
	s->verdict = verdict;
	s->hook = p->hook;
	s->group = p->group;
	s->iif = p->iif;
	s->first_us = s->last_us = p->ts_us;
	s->end_us = now_us + a->window_us;
	s->loss = a->loss;
	s->one_host = 1;
	s->port_zeros = PORT_BITS;
	s->host_zeros = HOST_BITS;
	s->used = 1;
	a->n_sources++;
	s->chain = *head;
	*head = i;
	return i;
}

/* The oldest pending SYN has its verdict. */
static void
resolve_oldest(struct attempts *a, uint8_t verdict, int64_t now_us)
{
	uint32_t i = a->tail++ & (PENDING - 1);
	struct pending *p = &a->pending[i];
	uint32_t *link;

	if (!p->used)
		return;
	link = &a->pending_heads[hash(a, &p->key, sizeof p->key) & (PENDING - 1)];
	while (*link != i)
		link = &a->pending[*link].chain;
	*link = p->chain;
	p->used = 0;
	if (p->count) {
		struct source *s = &a->sources[source_get(a, p, verdict, now_us)];

		s->count += p->count;
		if (p->ts_us > s->last_us)
			s->last_us = p->ts_us;
		if (p->ts_us < s->first_us)
			s->first_us = p->ts_us;
		add_port(a, s, p->key.dport);
		add_host(a, s, p->key.daddr);
	}
}

static struct pending *
pending_get(struct attempts *a, const struct key *key, int create, int64_t now_us)
{
	uint32_t *head = &a->pending_heads[hash(a, key, sizeof *key) & (PENDING - 1)];
	struct pending *p;

	for (uint32_t i = *head; i != NONE; i = a->pending[i].chain) {
		if (!memcmp(&a->pending[i].key, key, sizeof *key))
			return &a->pending[i];
	}
	if (!create)
		return NULL;
	if (a->head - a->tail == PENDING) {
		uint8_t verdict = a->pending[a->tail & (PENDING - 1)].verdict;

		++*a->pending_full;
		resolve_oldest(a, verdict == DROPPED ? UNKNOWN : verdict, now_us);
		head = &a->pending_heads[hash(a, key, sizeof *key) & (PENDING - 1)];
	}
	p = &a->pending[a->head & (PENDING - 1)];
	memset(p, 0, sizeof *p);
	p->key = *key;
	p->used = 1;
	p->verdict = DROPPED;
	p->deadline_us = now_us + PENDING_US;
	p->chain = *head;
	*head = a->head & (PENDING - 1);
	a->head++;
	return p;
}

static void
on_packet(struct attempts *a, const struct ng_packet *p, int64_t now_us)
{
	uint8_t flags = p->tcp_flags & (NG_TCP_SYN | NG_TCP_ACK | NG_TCP_RST | NG_TCP_FIN);
	int answer = flags == (NG_TCP_RST | NG_TCP_ACK);
	struct key key = { .sport = p->sport, .dport = p->dport, .seq = p->tcp_seq, .ipv = p->ipv };
	struct pending *q;
	enum ng_dir dir;

	if (!(p->has & NG_HAS_TCP) || (flags != NG_TCP_SYN && !answer))
		return;
	memcpy(key.saddr, answer ? p->daddr : p->saddr, 16);
	memcpy(key.daddr, answer ? p->saddr : p->daddr, 16);
	if (answer) {
		key.sport = p->dport;
		key.dport = p->sport;
		key.seq = p->tcp_ack - 1;
	}
	/* What leaves, or stays at home, is nobody's attempt. */
	dir = a->host->direction(a->ctx, p->ipv, key.saddr, key.daddr);
	if (answer != (p->hook == NG_HOOK_OUTPUT) || dir == NG_DIR_OUTBOUND || dir == NG_DIR_INTERNAL ||
	    dir == NG_DIR_LOCAL)
		return;
	if (answer) {
		/* The firewall's own RST; when the SYN was accepted, it is a closed port's.  It leaves
		 * through a group that delivers at once: as a rule it is here before its SYN. */
		q = pending_get(a, &key, 1, now_us);
		if (q->verdict == DROPPED)
			q->verdict = REJECTED;
		return;
	}
	if (p->classes & NG_CLASS_ATTEMPT) {
		q = pending_get(a, &key, 1, now_us);
		if (!q->count) {
			q->ts_us = p->ts_us;
			q->hook = p->hook;
			q->group = p->group;
			q->iif = p->iif;
		}
		q->count++;
		++*a->syns;
		return;
	}
	pending_get(a, &key, 1, now_us)->verdict = ACCEPTED; /* seen behind the filter */
}

/* `all`: the end; nothing more will come. */
static void
sweep(struct attempts *a, int64_t now_us, int all)
{
	while (a->tail != a->head) {
		struct pending *p = &a->pending[a->tail & (PENDING - 1)];

		if (!all && p->used && p->deadline_us > now_us)
			break;
		/* Cut short, a SYN without a verdict has none. */
		resolve_oldest(a, all && p->verdict == DROPPED && p->deadline_us > now_us ? UNKNOWN : p->verdict,
			       now_us);
	}
	for (uint32_t i = 0; i < SOURCES && a->n_sources; i++) {
		struct source *s = &a->sources[i];

		if (!s->used || (!all && s->end_us > now_us))
			continue;
		/* "Dropped" waits for counters that were read after its window: were packets lost? */
		if (!all && !a->replay && s->verdict == DROPPED && a->ledger_us < s->end_us &&
		    now_us < s->end_us + LEDGER_US)
			continue;
		source_close(a, i);
	}
}

static int
event(void *self, const struct ng_event *ev)
{
	struct attempts *a = self;

	a->replay = (int)ev->replay;
	a->now_us = ev->now_us;
	switch (ev->type) {
	case NG_EVENT_PACKET:
		on_packet(a, ev->packet, ev->now_us);
		break;
	case NG_EVENT_LEDGER:
		a->loss = ev->ledger->handshake_loss;
		a->ledger_us = ev->now_us;
		break;
	case NG_EVENT_TIMER:
		sweep(a, ev->now_us, 0);
		a->host->timer_set(a->ctx, 0, 500000);
		break;
	default:
		break;
	}
	return 0;
}

static void
stop(void *self)
{
	struct attempts *a = self;

	sweep(a, a->now_us, 1);
	free(a->pending);
	free(a->pending_heads);
	free(a->sources);
	free(a->source_heads);
	free(a);
}

NG_PLUGIN(.name = "attempts", .version = "1.0",
	  .about = "reports connection attempts from outside and the firewall's verdict",
	  .events = NG_EVENT_PACKET | NG_EVENT_LEDGER | NG_EVENT_TIMER,
	  .classes = NG_CLASS_ATTEMPT | NG_CLASS_HANDSHAKE, .options = options, .start = start,
	  .event = event, .stop = stop);
