/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * options.c - the table of options; parsing, --help and the test of the man page come from it.
 */
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/conf.h"
#include "prober.h"

#define PORT_TCP 443
#define PORT_UDP 33434 /* traceroute's: nobody listens there */

static const struct {
	char letter;
	const char *name;
	const char *arg;        /* NULL: a flag */
	int min, max;           /* of a number; 0, 0: text */
	const char *def;
	const char *help;
} table[] = {
	{ 'T', "tcp", NULL, 0, 0, "", "probe with TCP SYNs (unless told otherwise)" },
	{ 'U', "udp", NULL, 0, 0, "", "probe with UDP" },
	{ 'I', "icmp", NULL, 0, 0, "", "probe with ICMP echo requests" },
	{ '4', "ipv4", NULL, 0, 0, "", "the IPv4 address of a name" },
	{ '6', "ipv6", NULL, 0, 0, "", "the IPv6 address of a name" },
	{ 'p', "port", "PORT", 1, 65535, "443", "destination port; UDP: 33434" },
	{ 'm', "max-ttl", "HOPS", 1, PROBER_HOPS_MAX, "30", "look no further than that" },
	{ 'q', "probes", "N", 1, PROBER_RTTS_MAX, "3", "answers wanted of each hop; with --paths: 1" },
	{ 'P', "paths", "N", 1, TRACE_PATHS_MAX, "1", "trace so many flows, and show where their paths part" },
	{ 'C', "cached", NULL, 0, 0, "", "believe hops that the prober knows from other paths: fewer probes" },
	{ 'j', "json", NULL, 0, 0, "", "one line of JSON for each path" },
	{ 'c', "connect", "PATH", 0, 0, "/run/net-gazer", "the prober's socket, or the runtime-dir that it is in" },
	{ 'o', "own", NULL, 0, 0, "", "start an own prober even if net-gazer runs one; needs root" },
	{ 'l', "libexec-dir", "DIR", 0, 0, LIBEXECDIR, "where that program is" },
	{ 'h', "help", NULL, 0, 0, "", "this text" },
	{ 'O', "options", NULL, 0, 0, "", "the options, one a line, tab-separated" },
};
#define N_TABLE (sizeof table / sizeof *table)

static int
set_flag(struct trace_options *o, char letter)
{
	switch (letter) {
	case 'T':
	case 'U':
	case 'I':
		o->method = letter == 'T' ? PROBER_TCP_SYN : letter == 'U' ? PROBER_UDP : PROBER_ICMP;
		return 0;
	case '4':
	case '6':
		o->ipv = (uint8_t)(letter - '0');
		return 0;
	case 'C':
		o->cached = 1;
		return 0;
	case 'j':
		o->json = 1;
		return 0;
	case 'o':
		o->own = 1;
		return 0;
	case 'h':
		o->help = 1;
		return 0;
	default:
		o->list = 1;
		return 0;
	}
}

static int
set_value(struct trace_options *o, size_t i, const char *value, char *err, size_t size)
{
	char *end;
	long n = strtol(value, &end, 10);

	if (table[i].max && (*value < '0' || *value > '9' || *end || n < table[i].min || n > table[i].max)) {
		snprintf(err, size, "--%s %s: a number from %d to %d is wanted", table[i].name, value, table[i].min,
			 table[i].max);
		return -1;
	}
	switch (table[i].letter) {
	case 'p':
		o->port = (uint16_t)n;
		return 0;
	case 'm':
		o->max_ttl = (uint8_t)n;
		return 0;
	case 'q':
		o->probes = (uint8_t)n;
		return 0;
	case 'P':
		o->paths = (unsigned)n;
		return 0;
	case 'c':
		o->connect = value;
		return 0;
	default:
		o->libexec_dir = value;
		return 0;
	}
}

/* What each word means together with the others. */
static int
settle(struct trace_options *o, int argc, char **argv, char *err, size_t size)
{
	uint16_t asked;

	if (optind + 1 != argc) {
		snprintf(err, size, "%s; see net-gazerctl trace --help", optind == argc ? "a HOST is missing" : "one HOST at a time");
		return -1;
	}
	if (target_parse(&o->target, argv[optind], err, size))
		return -1;
	if (o->own && o->connect) {
		snprintf(err, size, "--own and --connect: an own prober, or the one that runs?");
		return -1;
	}
	asked = o->port ? o->port : o->target.port;
	if (o->port && o->target.port && o->port != o->target.port) {
		snprintf(err, size, "--port %u and %s: which port?", o->port, argv[optind]);
		return -1;
	}
	if (o->method == PROBER_ICMP && asked) {
		snprintf(err, size, "port %u: ICMP has no ports", asked);
		return -1;
	}
	o->port = asked ? asked : o->method == PROBER_TCP_SYN ? PORT_TCP : o->method == PROBER_UDP ? PORT_UDP : 0;
	if (!o->probes)
		o->probes = o->paths > 1 ? 1 : PROBER_RTTS_MAX;
	return 0;
}

int
options_parse(struct trace_options *o, int argc, char **argv, char *err, size_t size)
{
	struct option long_options[N_TABLE + 1] = { { 0 } };
	char letters[2 * N_TABLE + 2] = ":", *p = letters + 1;
	int ch;

	*o = (struct trace_options){ .method = PROBER_TCP_SYN, .max_ttl = PROBER_TTL_DEFAULT, .paths = 1 };
	for (size_t i = 0; i < N_TABLE; i++) {
		long_options[i] = (struct option){ table[i].name, table[i].arg ? required_argument : no_argument, NULL,
						   table[i].letter };
		*p++ = table[i].letter;
		if (table[i].arg)
			*p++ = ':';
	}
	optind = 0; /* glibc: begin anew */
	opterr = 0;
	while ((ch = getopt_long(argc, argv, letters, long_options, NULL)) != -1) {
		size_t i = 0;

		while (i < N_TABLE && table[i].letter != ch)
			i++;
		if (i == N_TABLE) {
			snprintf(err, size, "%s: %s; see net-gazerctl trace --help", conf_wrong_word(argv),
				 ch == ':' ? "needs a value" : "unknown option");
			return -1;
		}
		if (table[i].arg ? set_value(o, i, optarg, err, size) : set_flag(o, table[i].letter))
			return -1;
	}
	return o->help || o->list ? 0 : settle(o, argc, argv, err, size);
}

void
options_help(void)
{
	puts("usage: net-gazerctl trace HOST[:PORT] [OPTION]...\n"
	     "Shows the path to a host, hop by hop: the prober of a running net-gazer finds it, or one started for it.\n");
	for (size_t i = 0; i < N_TABLE; i++) {
		char name[40];

		snprintf(name, sizeof name, "-%c, --%s%s%s", table[i].letter, table[i].name, table[i].arg ? " " : "",
			 table[i].arg ? table[i].arg : "");
		printf("  %-24s %s%s%s%s\n", name, table[i].help, *table[i].def ? " [" : "", table[i].def,
		       *table[i].def ? "]" : "");
	}
	puts("\nExit status: 0 reached, 1 not reached, 2 not traced.  More: net-gazerctl(8).");
}

void
options_list(void)
{
	for (size_t i = 0; i < N_TABLE; i++)
		printf("%s\t%s\t%s\t%s\n", table[i].name, table[i].max ? "int" : table[i].arg ? "str" : "flag",
		       table[i].def, table[i].help);
}
