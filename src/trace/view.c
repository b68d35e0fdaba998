/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * view.c - the table of hops, and that of branches.
 */
#include "view.h"

#include <string.h>

#include "lib/addr.h"

#define WIDTH4 15
#define WIDTH6 26 /* most; longer ones push the rest of their line */

#define PATHS_MAX 32 /* that have a letter and a bit */

void
view_title(FILE *f, const char *host, const struct prober_request *q, unsigned flows)
{
	char addr[ADDR_TEXT];

	addr_print(addr, q->ipv, q->dst);
	fprintf(f, "trace to %s", host);
	if (strcmp(host, addr))
		fprintf(f, " (%s)", addr);
	if (q->method == PROBER_ICMP)
		fprintf(f, ", ICMP echo");
	else
		fprintf(f, ", %s port %u", q->method == PROBER_UDP ? "UDP" : "TCP", q->dport);
	if (flows > 1)
		fprintf(f, ", %u flows", flows);
	fprintf(f, ", at most %u hops\n", q->max_ttl);
}

/* Three digits and a unit, seven columns. */
static void
put_ms(FILE *f, uint32_t us)
{
	fprintf(f, us < 10000 ? "  %5.2f ms" : us < 100000 ? "  %5.1f ms" : "  %5.0f ms", us / 1000.0);
}

static void
put_addr(FILE *f, uint8_t ipv, const struct prober_hop *h)
{
	char addr[ADDR_TEXT] = "*";

	if (h->flags & PROBER_HOP_ANSWERED)
		addr_print(addr, ipv, h->addr);
	fprintf(f, "%-*s", ipv == 4 ? WIDTH4 : WIDTH6, addr);
}

/* RFC 792, RFC 1812 section 5.2.7.1; RFC 4443 section 3.1. */
static const char *
unreachable(uint8_t ipv, uint8_t code)
{
	static const char *const v4[] = { "network unreachable", "host unreachable", "protocol unreachable",
					  "port unreachable", "fragmentation needed", "source route failed",
					  "network unknown", "host unknown", "source host isolated", "prohibited",
					  "prohibited", "network unreachable", "host unreachable", "prohibited" };
	static const char *const v6[] = { "no route", "prohibited", "beyond scope", "host unreachable", "port unreachable",
					  "prohibited", "route rejected" };

	if (ipv == 4)
		return code < sizeof v4 / sizeof *v4 ? v4[code] : "unreachable";
	return code < sizeof v6 / sizeof *v6 ? v6[code] : "unreachable";
}

static void
put_marks(FILE *f, uint8_t ipv, const struct prober_hop *h)
{
	if (h->flags & PROBER_HOP_CACHED)
		fprintf(f, "  cached");
	if (h->flags & PROBER_HOP_NAT)
		fprintf(f, "  NAT");
	for (unsigned i = 0; i < h->n_mpls; i++)
		fprintf(f, "%s%u", i ? "/" : "  MPLS ", h->mpls[i] >> 12);
	if (h->flags & PROBER_HOP_ICMP && h->icmp_type == (ipv == 4 ? 3 : 1) &&
	    !(h->flags & PROBER_HOP_DST && h->icmp_code == (ipv == 4 ? 3 : 4)))
		fprintf(f, "  %s", unreachable(ipv, h->icmp_code));
}

void
view_hop(FILE *f, const struct trace_path *p, unsigned i)
{
	const struct prober_hop *h = &p->result.hop[i];

	fprintf(f, "%2u  ", h->ttl);
	if (!(h->flags & PROBER_HOP_ANSWERED)) {
		fprintf(f, p->ended ? "*\n" : "...\n");
		return;
	}
	put_addr(f, p->result.ipv, h);
	for (unsigned k = 0; k < h->n_rtt; k++)
		put_ms(f, h->rtt_us[k]);
	/* Until the end, what was sent may still be answered. */
	if (p->ended && h->sent > h->n_rtt)
		fprintf(f, "  loss %u%%", (h->sent - h->n_rtt) * 100U / h->sent);
	put_marks(f, p->result.ipv, h);
	fputc('\n', f);
}

const char *
view_refusal(unsigned status)
{
	switch (status) {
	case PROBER_BAD_REQUEST:
		return "the prober has no socket for this kind of probe (IPv6 may be off)";
	case PROBER_BOGON:
		return "this is no address of the internet (private, reserved or multicast)";
	case PROBER_HOME:
		return "it is in a home network, which the configuration says is never traced";
	case PROBER_OWN:
		return "it is an address of this machine";
	case PROBER_EXCLUDED:
		return "the configuration excludes it (trace-exclude)";
	case PROBER_BUDGET:
		return "its /24 or /48 has had today's traces (prefix-budget)";
	case PROBER_RATE:
		return "the prober has too much to do; try again in a minute";
	case PROBER_NO_ROUTE:
		return "there is no route to it";
	case PROBER_BUSY:
		return "it is being traced at this moment; try again";
	default:
		return "refused, and this program does not know the reason";
	}
}

void
view_end(FILE *f, const struct trace_path *p)
{
	const struct prober_result *r = &p->result;
	const char *how = r->reached ? "reached" : !p->ended || r->status == PROBER_STOPPED ? "stopped" :
			  r->status == PROBER_DEADLINE ? "not reached in time" : "not reached";

	fprintf(f, "%s", how);
	if (r->reached)
		fprintf(f, ", %u hop%s", r->n_hops, r->n_hops == 1 ? "" : "s");
	if (p->ended)
		fprintf(f, ", %u probe%s, %.1f s", r->probes, r->probes == 1 ? "" : "s", r->dur_us / 1e6);
	fputc('\n', f);
}

static char
letter(unsigned group)
{
	return (char)(group < 26 ? 'A' + group : 'a' + group - 26);
}

/* A router at one ttl, with what all flows that met it measured. */
struct branch {
	struct prober_hop hop;
	uint32_t groups; /* bits, one for each path */
	uint32_t best_us;
};

static int
same_hop(const struct prober_hop *a, const struct prober_hop *b)
{
	return (a->flags & PROBER_HOP_ANSWERED) == (b->flags & PROBER_HOP_ANSWERED) && !memcmp(a->addr, b->addr, 16);
}

/* The routers at a ttl, silence last and only where nobody of a path answered. */
static unsigned
branches_at(struct branch *out, const struct trace_path *p, const uint8_t *group, unsigned n, unsigned i)
{
	unsigned count = 0;
	uint32_t answered = 0;

	for (int silent = 0; silent < 2; silent++) {
		for (unsigned k = 0; k < n; k++) {
			const struct prober_hop *h = &p[k].result.hop[i];
			int is_silent = !(h->flags & PROBER_HOP_ANSWERED);
			unsigned b = 0;

			if (group[k] >= PATHS_MAX || i >= p[k].result.n_hops || is_silent != silent ||
			    (silent && answered >> group[k] & 1))
				continue;
			while (b < count && !same_hop(&out[b].hop, h))
				b++;
			if (b == count)
				out[count++] = (struct branch){ .hop = *h, .best_us = UINT32_MAX };
			out[b].groups |= 1U << group[k];
			if (!silent)
				answered |= 1U << group[k];
			for (unsigned t = 0; t < h->n_rtt; t++)
				out[b].best_us = h->rtt_us[t] < out[b].best_us ? h->rtt_us[t] : out[b].best_us;
		}
	}
	return count;
}

static void
put_branch(FILE *f, const struct branch *b, uint8_t ipv, unsigned ttl, int first, unsigned groups)
{
	if (first)
		fprintf(f, "%2u  ", ttl);
	else
		fprintf(f, "    ");
	if (groups == 1 && !(b->hop.flags & PROBER_HOP_ANSWERED)) {
		fprintf(f, "*\n");
		return;
	}
	put_addr(f, ipv, &b->hop);
	if (b->best_us != UINT32_MAX)
		put_ms(f, b->best_us);
	else
		fprintf(f, "%10s", "");
	if (groups > 1)
		fprintf(f, "  ");
	for (unsigned g = 0; g < groups && groups > 1; g++)
		fputc(b->groups >> g & 1 ? letter(g) : '.', f);
	put_marks(f, ipv, &b->hop);
	fputc('\n', f);
}

void
view_branches(FILE *f, const struct trace_path *p, unsigned n)
{
	uint8_t group[PROBER_HOPS_MAX];
	struct branch at[PROBER_HOPS_MAX];
	unsigned groups, flows = 0, len = 0;

	groups = path_group(group, p, n);
	for (unsigned k = 0; k < n; k++) {
		flows += group[k] != TRACE_PATH_NONE;
		if (p[k].result.n_hops > len)
			len = p[k].result.n_hops;
	}
	for (unsigned i = 0; i < len; i++) {
		unsigned count = branches_at(at, p, group, n, i);

		for (unsigned b = 0; b < count; b++)
			put_branch(f, &at[b], p[0].result.ipv, i + 1, !b, groups);
	}
	fprintf(f, "%u flow%s took %u path%s\n", flows, flows == 1 ? "" : "s", groups, groups == 1 ? "" : "s");
	for (unsigned g = 0; g < groups; g++) {
		unsigned reached = 0, hops = 0;

		fprintf(f, "  %c: flow", letter(g));
		for (unsigned k = 0; k < n; k++) {
			if (group[k] != g)
				continue;
			fprintf(f, " %u", p[k].result.flow);
			if (p[k].result.reached) {
				reached = 1;
				hops = p[k].result.n_hops;
			}
		}
		if (reached)
			fprintf(f, ": reached, %u hop%s\n", hops, hops == 1 ? "" : "s");
		else
			fprintf(f, ": not reached\n");
	}
}
