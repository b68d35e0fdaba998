/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * packets - one report for each packet of the sample class: any protocol, both families.  The rule's
 * limit samples in the kernel (10/s unless configured), max-rate bounds us; what is over it is
 * counted.  For looking around, not for every day.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin.h"
#include "rate.h"

#define IGNORE_MAX 16

struct packets {
	struct ng_ctx *ctx;
	const struct ng_host *host;
	struct rate rate;
	uint8_t ignore[IGNORE_MAX];
	unsigned n_ignore;
	uint64_t *reported;
	uint64_t *over_rate;
	uint64_t *ignored;
};

/* IANA protocol numbers that have a name here; the rest are shown as numbers. */
static const struct {
	uint8_t number;
	const char *name;
} protocols[] = {
	{ 1, "icmp" },  { 2, "igmp" },   { 4, "ipip" },   { 6, "tcp" },    { 17, "udp" },
	{ 41, "ipv6" }, { 47, "gre" },   { 50, "esp" },   { 51, "ah" },    { 58, "icmp6" },
	{ 89, "ospf" }, { 103, "pim" },  { 112, "vrrp" }, { 132, "sctp" }, { 136, "udplite" },
};

static const char *
protocol_name(uint8_t number, char buf[8])
{
	for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++) {
		if (protocols[i].number == number)
			return protocols[i].name;
	}
	snprintf(buf, 8, "%u", number);
	return buf;
}

/* "igmp,icmp6,89": 0, or -EINVAL with a log line that names the word. */
static int
parse_ignore(struct packets *s, const char *list)
{
	char text[160], msg[200], *p = text, *word;

	snprintf(text, sizeof text, "%s", list);
	while ((word = strsep(&p, ", "))) {
		char *end;
		unsigned long number = strtoul(word, &end, 10);

		if (!*word)
			continue;
		if (end == word || *end || number > 255) {
			number = 256;
			for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++) {
				if (!strcmp(protocols[i].name, word))
					number = protocols[i].number;
			}
		}
		if (number > 255 || s->n_ignore == IGNORE_MAX) {
			snprintf(msg, sizeof msg, "ignore: \"%.60s\" is neither a protocol's name nor a number "
				 "from 0 to 255 (at most %d of them)", word, IGNORE_MAX);
			s->host->log(s->ctx, NG_LOG_ERROR, msg);
			return -EINVAL;
		}
		s->ignore[s->n_ignore++] = (uint8_t)number;
	}
	return 0;
}

static const struct ng_option options[] = {
	{ "max-rate", NG_OPTION_INT, 0, 1, 10000, "50", "reports a second" },
	{ "ignore", NG_OPTION_STR, 0, 0, 150, "igmp", "protocols to leave out: names or numbers, by commas" },
	{ NULL, 0, 0, 0, 0, NULL, NULL },
};

static int
start(struct ng_ctx *ctx, const struct ng_host *host, void **self)
{
	struct packets *s = calloc(1, sizeof *s);

	if (!s)
		return -ENOMEM;
	s->ctx = ctx;
	s->host = host;
	rate_start(&s->rate, host->option_int(ctx, "max-rate"));
	s->reported = host->counter(ctx, "reported");
	s->over_rate = host->counter(ctx, "over_rate");
	s->ignored = host->counter(ctx, "ignored");
	if (parse_ignore(s, host->option_str(ctx, "ignore"))) {
		free(s);
		return -EINVAL;
	}
	*self = s;
	return 0;
}

static void
put_interface(struct packets *s, const char *name, uint32_t index)
{
	const char *text = index ? s->host->ifname(s->ctx, index) : NULL;

	if (text)
		s->host->report_str(s->ctx, name, text, strlen(text));
}

static void
put_tcp(struct packets *s, const struct ng_packet *p)
{
	static const char letters[] = "FSRPAUEC";
	char flags[8];
	size_t n = 0;

	for (int i = 0; i < 8; i++) {
		if (p->tcp_flags >> i & 1)
			flags[n++] = letters[i];
	}
	s->host->report_str(s->ctx, "tcp_flags", flags, n);
	s->host->report_int(s->ctx, "window", p->tcp_window);
}

static int
event(void *self, const struct ng_event *ev)
{
	static const char *const status[] = { "ok", "truncated", "malformed", "unsupported" };
	struct packets *s = self;
	const struct ng_host *h = s->host;
	const struct ng_packet *p = ev->packet;
	char buf[8];
	const char *name;

	if (!(p->has & NG_HAS_IP))
		return 0;
	for (unsigned i = 0; i < s->n_ignore; i++) {
		if (s->ignore[i] == p->proto) {
			++*s->ignored;
			return 0;
		}
	}
	if (!rate_take(&s->rate, ev->now_us)) {
		++*s->over_rate;
		return 0;
	}
	if (h->report_begin(s->ctx, NG_REPORT_PLUGIN, "packet", p->ts_us))
		return -EBUSY;
	name = protocol_name(p->proto, buf);
	h->report_int(s->ctx, "ip_version", p->ipv);
	h->report_str(s->ctx, "proto", name, strlen(name));
	h->report_addr(s->ctx, "src_ip", p->ipv, p->saddr);
	h->report_addr(s->ctx, "dst_ip", p->ipv, p->daddr);
	if (p->has & NG_HAS_PORTS) {
		h->report_int(s->ctx, "src_port", p->sport);
		h->report_int(s->ctx, "dst_port", p->dport);
	}
	if (p->has & NG_HAS_TCP)
		put_tcp(s, p);
	if (p->has & NG_HAS_ICMP) {
		h->report_int(s->ctx, "icmp_type", p->icmp_type);
		h->report_int(s->ctx, "icmp_code", p->icmp_code);
	}
	h->report_int(s->ctx, "ip_len", p->ip_len);
	h->report_int(s->ctx, "ttl", p->ttl);
	h->report_int(s->ctx, "dscp", p->tos >> 2);
	if (p->has & NG_HAS_FRAGMENT)
		h->report_bool(s->ctx, "fragment", 1);
	if (p->has & NG_HAS_VLAN)
		h->report_int(s->ctx, "vlan", p->vlan);
	if (p->mark)
		h->report_int(s->ctx, "mark", p->mark);
	put_interface(s, "iif", p->iif);
	put_interface(s, "oif", p->oif);
	h->report_str(s->ctx, "status", status[p->status & 3], strlen(status[p->status & 3]));
	++*s->reported;
	return h->report_commit(s->ctx);
}

static void
stop(void *self)
{
	free(self);
}

NG_PLUGIN(.name = "packets", .version = "1.0", .about = "reports sampled packets of any protocol",
	  .events = NG_EVENT_PACKET, .classes = NG_CLASS_SAMPLE, .options = options, .start = start,
	  .event = event, .stop = stop);
