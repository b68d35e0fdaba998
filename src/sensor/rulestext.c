/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rulestext.c - the table of classes.c in nft's words.  nft makes of it what ruleset.c sends
 * (tests/test_rules.py compares).
 */
#include "rulestext.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <stdio.h>
#include <string.h>

#include "prober.h"
#include "sensor/ranges.h"

#define HOME_MAX 64
#define FLAGS "tcp flags & (fin | syn | rst | ack) "

static const char *
match_text(enum classes_match match)
{
	switch (match) {
	case CLASSES_SYN:
		return FLAGS "== syn ";
	case CLASSES_SYN_ACK:
		return FLAGS "== syn | ack ";
	case CLASSES_RST:
		return FLAGS "== rst | ack tcp sequence 0 ";
	case CLASSES_ACK:
		return FLAGS "== ack ct direction original ct original packets 2 ";
	case CLASSES_UNREACHABLE4:
		return "icmp type destination-unreachable ";
	case CLASSES_UNREACHABLE6:
		return "icmpv6 type destination-unreachable ";
	case CLASSES_TIME_EXCEEDED4:
		return "icmp type time-exceeded ";
	case CLASSES_TIME_EXCEEDED6:
		return "icmpv6 type time-exceeded ";
	case CLASSES_ECHO_REPLY4:
		return "icmp type echo-reply icmp id >= ";
	case CLASSES_ECHO_REPLY6:
		return "icmpv6 type echo-reply icmpv6 id >= ";
	case CLASSES_PROBE_SYN_ACK:
		return FLAGS "== syn | ack tcp dport >= ";
	case CLASSES_PROBE_RST:
		return "tcp flags & (fin | syn | rst) == rst tcp dport >= ";
	case CLASSES_NO_DATA:
		return FLAGS "!= ack ";
	case CLASSES_NO_DATA_TO_PROBER:
		return FLAGS "!= ack tcp dport >= ";
	/* By number: nft has the names from /etc/protocols, which not every machine has. */
	case CLASSES_ICMP:
		return "meta l4proto 1 ";
	case CLASSES_ICMPV6:
		return "meta l4proto 58 ";
	case CLASSES_ANY:
	case CLASSES_END:
		break;
	}
	return "";
}

static const char *
side_text(enum classes_side side)
{
	static const char *const text[] = {
		[CLASSES_BOTH] = "",
		[CLASSES_FROM_HOME4] = "ip saddr @home4 ",
		[CLASSES_FROM_HOME6] = "ip6 saddr @home6 ",
		[CLASSES_FROM_ABROAD4] = "ip saddr != @home4 ",
		[CLASSES_FROM_ABROAD6] = "ip6 saddr != @home6 ",
		[CLASSES_TO_HOME4] = "ip daddr @home4 ",
		[CLASSES_TO_HOME6] = "ip6 daddr @home6 ",
		[CLASSES_TO_ABROAD4] = "ip daddr != @home4 ",
		[CLASSES_TO_ABROAD6] = "ip6 daddr != @home6 ",
	};

	return text[side];
}

static void
put_home(FILE *f, const struct ruleset_spec *spec, uint8_t ipv)
{
	struct range range[HOME_MAX];
	size_t n = ranges_merge(range, ipv, spec->home, spec->n_home < HOME_MAX ? spec->n_home : HOME_MAX);
	char first[ADDR_TEXT], last[ADDR_TEXT];

	fprintf(f, "\tset home%u {\n\t\ttype ipv%u_addr\n\t\tflags interval\n", ipv, ipv);
	for (size_t i = 0; i < n; i++) {
		addr_print(first, ipv, range[i].first);
		addr_print(last, ipv, range[i].last);
		fprintf(f, "%s%s", i ? ", " : "\t\telements = { ", first);
		if (strcmp(first, last))
			fprintf(f, "-%s", last);
	}
	fputs(n ? " }\n\t}\n" : "\t}\n", f);
}

static void
put_match(FILE *f, enum classes_match which)
{
	const char *match = match_text(which);
	size_t n = strlen(match);

	fprintf(f, "\t\t%s", match);
	if (n > 3 && !strcmp(match + n - 3, ">= "))
		fprintf(f, "%d ", PROBER_PORT_FIRST);
}

static void
put_rule(FILE *f, const struct ruleset_spec *spec, const struct classes_chain *chain, const struct classes_rule *rule)
{
	const struct classes *c = &classes[chain->row];

	put_match(f, rule->match);
	fputs(side_text(rule->side), f);
	if (chain->hook == NF_INET_LOCAL_OUT)
		fprintf(f, "meta mark != 0x%08x ", spec->mark);
	if (chain->hook == NF_INET_LOCAL_IN && (rule->match == CLASSES_SYN_ACK || rule->match == CLASSES_RST))
		fprintf(f, "tcp dport < %d ", PROBER_PORT_FIRST);
	if ((!spec->loopback || chain->row == CLASSES_ATTEMPT) && chain->hook == NF_INET_LOCAL_IN)
		fputs("iif != \"lo\" ", f);
	if (!spec->loopback && chain->hook == NF_INET_LOCAL_OUT)
		fputs("oif != \"lo\" ", f);
	fprintf(f, "counter name \"%s_seen\" limit rate %u/second burst %u packets counter name \"%s_logged\" "
		"log group %u snaplen %u queue-threshold %u\n", c->name, spec->limit[chain->row],
		2 * spec->limit[chain->row], c->name, (unsigned)spec->group + chain->row, spec->snaplen[chain->row],
		c->queue_threshold);
}

static void
put_chain(FILE *f, const struct ruleset_spec *spec, const struct classes_chain *c)
{
	static const char *const hooks[] = {
		[NF_INET_PRE_ROUTING] = "prerouting",
		[NF_INET_LOCAL_IN] = "input",
		[NF_INET_FORWARD] = "forward",
		[NF_INET_LOCAL_OUT] = "output",
	};

	fprintf(f, "\n\tchain %s {\n", c->name);
	if (!c->jumped_to)
		fprintf(f, "\t\ttype filter hook %s priority %d; policy accept;\n", hooks[c->hook], c->priority);
	for (const enum classes_match *when = c->when; *when; when++) {
		put_match(f, *when);
		fprintf(f, "jump %s\n", c->jump);
	}
	if (!c->rules)
		fprintf(f, "\t\tmeta mark 0x%08x notrack\n", spec->mark);
	for (const struct classes_rule *r = c->rules; r && r->match; r++) {
		if (r->match != CLASSES_ACK || spec->acks)
			put_rule(f, spec, c, r);
	}
	fputs("\t}\n", f);
}

ssize_t
rulestext_write(const struct ruleset_spec *spec, char *out, size_t size)
{
	FILE *f = fmemopen(out, size, "w");
	long n;
	int bad;

	if (!f)
		return -errno;
	fputs("# Written by `net-gazerctl rules' for the configuration and the plugins of this net-gazer; for \"rules = include\".\n"
	      "# Loading it again replaces what was there.  Nothing here accepts, drops, marks or delays a packet.\n\n"
	      "table inet " CLASSES_TABLE "\ndelete table inet " CLASSES_TABLE "\n\ntable inet " CLASSES_TABLE " {\n", f);
	if (spec->classes & (NG_CLASS_HANDSHAKE | NG_CLASS_ATTEMPT)) {
		put_home(f, spec, 4);
		put_home(f, spec, 6);
	}
	for (enum classes_row row = 0; row < CLASSES_ROWS; row++) {
		if (classes[row].ng_class & spec->classes)
			fprintf(f, "\tcounter %s_seen { }\n\tcounter %s_logged { }\n", classes[row].name, classes[row].name);
	}
	for (size_t i = 0; i < CLASSES_CHAINS; i++) {
		if (classes[classes_chain[i].row].ng_class & spec->classes)
			put_chain(f, spec, &classes_chain[i]);
	}
	fputs("}\n", f);
	bad = fflush(f) || ferror(f);
	n = ftell(f);
	/* The end of the buffer may be a cut. */
	if (fclose(f) || bad || n < 0 || (size_t)n >= size)
		return -EMSGSIZE;
	return n;
}
