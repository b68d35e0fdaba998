/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * options.c - the option table, its checks, and the order in which the origins are read.
 */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/addr.h"
#include "lib/url.h"
#include "worker.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif

static int check_iface(const char *, char *, size_t);
static int check_sensor(const char *, char *, size_t);
static int check_home(const char *, char *, size_t);
static int check_plugin(const char *, char *, size_t);
static int check_url(const char *, char *, size_t);
static int check_dir(const char *, char *, size_t);
static int check_pin(const char *, char *, size_t);

const struct conf_option options_table[] = {
	{ "config", CONF_STR, 1, 4095, NULL, NULL, "NG_CONFIG", 'c', -1,
	  "configuration file", conf_text },
	{ "iface", CONF_LIST, 1, 15, NULL, NULL, "NG_IFACE", 'i', 0,
	  "report only packets that come in or go out here; none: all", check_iface },
	{ "replay", CONF_STR, 1, 900, NULL, NULL, NULL, 'r', -1,
	  "read packets from a pcap or pcapng file, write reports to stdout", conf_text },
	{ "sensor", CONF_STR, 1, 64, NULL, NULL, NULL, 0, 0,
	  "name of this sensor in reports; none: the host's name", check_sensor },
	{ "rules", CONF_STR, 1, 16, "own", "own|include", NULL, 0, 0,
	  "install the firewall rules, or expect nft/net-gazer.nft to be loaded", NULL },
	{ "rules-owner", CONF_BOOL, 0, 0, "yes", NULL, NULL, 0, 0,
	  "own rules belong to net-gazer alone: nobody else can change or flush them", NULL },
	{ "nflog-group", CONF_INT, 0, 65531, "100", NULL, NULL, 0, 0,
	  "first of the five NFLOG groups that are used", NULL },
	{ "home", CONF_LIST, 1, 60, ADDR_HOME_DEFAULT, NULL, NULL, 0, 0,
	  "home networks: what is inside, for direction and inbound attempts", check_home },
	{ "loopback", CONF_BOOL, 0, 0, "no", NULL, NULL, 0, 0,
	  "watch the loopback interface too (own rules only)", NULL },
	{ "handshake-ack", CONF_BOOL, 0, 0, "yes", NULL, NULL, 0, 0,
	  "copy the ACK that ends a forwarded handshake too, for the client's half of its RTT, where nf_conntrack_acct is on", NULL },
	{ "flows", CONF_INT, 1024, 1048576, "16384", NULL, NULL, 0, 0,
	  "handshakes tracked at a time", NULL },
	{ "syn-timeout", CONF_INT, 1, 300, "30", NULL, NULL, 0, 0,
	  "seconds until an unanswered handshake is reported as timeout", NULL },
	{ "receive-buffer", CONF_INT, 212992, 64 << 20, "4194304", NULL, NULL, 0, 0,
	  "bytes of kernel buffer for each NFLOG group", NULL },
	{ "handshake-limit", CONF_INT, 1, 1000000, "20000", NULL, NULL, 0, 0,
	  "handshake packets copied a second, for each rule; burst is twice", NULL },
	{ "attempt-limit", CONF_INT, 1, 1000000, "2000", NULL, NULL, 0, 0,
	  "inbound attempts copied a second, for each rule; burst is twice", NULL },
	{ "sample-limit", CONF_INT, 1, 1000000, "10", NULL, NULL, 0, 0,
	  "sampled packets copied a second, for each rule; burst is twice", NULL },
	{ "prober", CONF_STR, 1, 16, "auto", "auto|yes|no", NULL, 0, 0,
	  "trace paths; auto: when a loaded plugin asks for them", NULL },
	{ "probe-rate", CONF_INT, 1, 100000, "100", NULL, NULL, 0, 0,
	  "probes sent a second, over all traces", NULL },
	{ "trace-rate", CONF_INT, 1, 10000, "5", NULL, NULL, 0, 0,
	  "traces begun a second", NULL },
	{ "trace-limit", CONF_INT, 1, 1024, "64", NULL, NULL, 0, 0,
	  "traces at a time; as many more wait", NULL },
	{ "prefix-budget", CONF_INT, 1, 65535, "32", NULL, NULL, 0, 0,
	  "traces a day into one IPv4 /24 or IPv6 /48", NULL },
	{ "trace-exclude", CONF_LIST, 1, 60, NULL, NULL, NULL, 0, 0,
	  "networks that are never traced, beside those of home", check_home },
	{ "trace-inband", CONF_BOOL, 0, 0, "no", NULL, NULL, 0, 0,
	  "allow probes inside of users' connections, where a plugin asks for them", NULL },
	{ "probe-limit", CONF_INT, 1, 1000000, "2000", NULL, NULL, 0, 0,
	  "answers to probes copied a second, for each rule; burst is twice", NULL },
	{ "probe-mark", CONF_INT, 1, UINT32_MAX, "0x4e000000", NULL, NULL, 0, 0,
	  "packet mark of the probes, by which the rules know them", NULL },
	{ "plugins", CONF_LIST, 1, 900, "handshake,attempts", NULL, NULL, 0, 0,
	  "plugins to load: names in plugin-dir, or absolute paths", check_plugin },
	{ "plugin-dir", CONF_STR, 1, 800, PLUGINDIR, NULL, NULL, 0, 0,
	  "where plugins are", conf_text },
	{ "libexec-dir", CONF_STR, 1, 4000, LIBEXECDIR, NULL, NULL, 0, 0,
	  "where analyzer, prober, replay and forwarder are", conf_text },
	{ "runtime-dir", CONF_STR, 1, OPTIONS_RUNTIME_DIR_MAX, "/run/net-gazer", NULL, NULL, 0, 0,
	  "where the sockets for net-gazerctl and the prober's budgets are", check_dir },
	{ "user", CONF_STR, 1, 32, "net-gazer", NULL, NULL, 0, 0,
	  "user that all processes but the parent run as", conf_text },
	{ "output", CONF_STR, 1, 4095, "-", NULL, NULL, 0, 0,
	  "file that reports are appended to, - for stdout; not used with collector-url", conf_text },
	{ "output-bytes", CONF_INT, 0, 1LL << 40, "0", NULL, NULL, 0, 0,
	  "bytes of that file at most, then it becomes FILE.1; 0: no limit", NULL },
	{ "collector-url", CONF_STR, 1, 900, NULL, NULL, NULL, 0, 0,
	  "send reports to this collector", check_url },
	{ "collector-token-file", CONF_STR, 1, 4095, NULL, NULL, NULL, 0, 0,
	  "file with the collector's token, mode 0600", conf_text },
	{ "collector-ca-file", CONF_STR, 1, 900, NULL, NULL, NULL, 0, 0,
	  "certificates (PEM) that the collector is checked against; none: the system's", conf_text },
	{ "collector-cert-file", CONF_STR, 1, 4095, NULL, NULL, NULL, 0, 0,
	  "certificate (PEM) that this sensor shows to the collector, https only", conf_text },
	{ "collector-key-file", CONF_STR, 1, 4095, NULL, NULL, NULL, 0, 0,
	  "private key (PEM) of collector-cert-file, mode 0600", conf_text },
	{ "collector-pin", CONF_STR, 1, 512, NULL, NULL, NULL, 0, 0,
	  "public key that the collector must have: sha256//BASE64, more behind semicolons", check_pin },
	{ "collector-batch-lines", CONF_INT, 1, 100000, "1000", NULL, NULL, 0, 0,
	  "reports in one request at most", NULL },
	{ "collector-batch-bytes", CONF_INT, WORKER_REPORT_MAX, 1 << 20, "65536", NULL, NULL, 0, 0,
	  "bytes in one request at most, before compression", NULL },
	{ "collector-batch-ms", CONF_INT, 10, 60000, "1000", NULL, NULL, 0, 0,
	  "milliseconds that a report waits for others at most", NULL },
	{ "queue-bytes", CONF_INT, 65536, 64 << 20, "1048576", NULL, NULL, 0, 0,
	  "bytes of memory for reports that wait for the collector", NULL },
	{ "spool-dir", CONF_STR, 1, 4000, NULL, NULL, NULL, 0, 0,
	  "directory for reports that wait; none: in memory only, nothing is written", check_dir },
	{ "spool-bytes", CONF_INT, 65536, 1 << 30, "4194304", NULL, NULL, 0, 0,
	  "bytes in spool-dir at most", NULL },
	{ "spool-day-bytes", CONF_INT, 0, 1LL << 40, "33554432", NULL, NULL, 0, 0,
	  "bytes written to a spool-dir on a disk in 24 hours at most; 0: no limit", NULL },
	{ "verbose", CONF_INT, 0, 3, "2", NULL, NULL, 0, 0,
	  "0 errors, 1 and warnings, 2 and information, 3 and debugging", NULL },
};
const size_t options_n = sizeof options_table / sizeof *options_table;

/* Every string ends in a settings line of a child (src/worker.h) or in a message: conf_text() at the least. */
static int
check_dir(const char *value, char *want, size_t size)
{
	if (*value == '/')
		return conf_text(value, want, size);
	snprintf(want, size, "an absolute path");
	return -1;
}

/* As curl --pinnedpubkey has it. */
static int
check_pin(const char *value, char *want, size_t size)
{
	static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (const char *p = value;; p++) {
		if (strncmp(p, "sha256//", 8) || strspn(p + 8, base64) != 43 || p[8 + 43] != '=')
			break;
		p += 8 + 44;
		if (!*p)
			return 0;
		if (*p != ';')
			break;
	}
	snprintf(want, size, "sha256// and the 44 characters of a SHA-256 in base64");
	return -1;
}

static int
check_iface(const char *value, char *want, size_t size)
{
	for (const char *p = value; *p; p++) {
		if (isspace((unsigned char)*p) || iscntrl((unsigned char)*p) || *p == '/') {
			snprintf(want, size, "the name of an interface");
			return -1;
		}
	}
	return 0;
}

static int
sensor_char(char c, int first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (!first && (c == '.' || c == '_' || c == '-'));
}

static int
check_sensor(const char *value, char *want, size_t size)
{
	for (const char *p = value; *p; p++) {
		if (!sensor_char(*p, p == value)) {
			snprintf(want, size, "letters, digits, '.', '_' and '-', a letter or digit first");
			return -1;
		}
	}
	return 0;
}

void
options_sensor_name(char out[65], const char *hostname)
{
	size_t n = 0;

	for (const char *p = hostname; *p && n < 64; p++) {
		if (sensor_char(*p, n == 0))
			out[n++] = *p;
		else if (n)
			out[n++] = '-';
	}
	out[n] = 0;
	if (!n)
		memcpy(out, "sensor", sizeof "sensor");
}

static int
check_home(const char *value, char *want, size_t size)
{
	struct addr_prefix p;
	int r = addr_prefix_parse(&p, value);

	if (r)
		snprintf(want, size, "%s", r == -EDOM ?
			 "a prefix whose bits behind the length are zero, such as 192.168.1.0/24" :
			 "a prefix such as 192.168.0.0/16 or fd00::/8");
	return r ? -1 : 0;
}

static int
check_plugin(const char *value, char *want, size_t size)
{
	int name = islower((unsigned char)*value) && strlen(value) < WORKER_NAME_MAX;

	for (const char *p = value; *p; p++)
		name = name && (islower((unsigned char)*p) || isdigit((unsigned char)*p) ||
				*p == '_' || *p == '-');
	if (name || (*value == '/' && !conf_text(value, want, size)))
		return 0;
	snprintf(want, size, "a plugin's name such as handshake, or an absolute path");
	return -1;
}

static int
check_url(const char *value, char *want, size_t size)
{
	if (url_ok(value))
		return 0;
	snprintf(want, size, "a URL such as https://collector.example:8443/, without user, password and #");
	return -1;
}

static void
on_flag(void *arg, int letter)
{
	struct options_flags *f = arg;

	f->rules |= letter == 'R';
	conf_flag(&f->usual, letter == 'R' ? 'n' : letter);
}

static int
limits_ok(const struct conf *c, const char *name, size_t max, char *err, size_t size)
{
	if (conf_list_n(c, name) <= max)
		return 1;
	snprintf(err, size, "%s: %s has %zu entries, at most %zu are allowed", conf_origin(c, name), name,
		 conf_list_n(c, name), max);
	return 0;
}

/* What waits for the collector is counted in batches. */
static int
batches_fit(const struct conf *c, const char *name, char *err, size_t size)
{
	int64_t least = 4 * conf_int(c, "collector-batch-bytes");

	if (conf_int(c, name) >= least)
		return 1;
	snprintf(err, size, "%s: %s = %lld: at least four times collector-batch-bytes is needed (%lld)", conf_origin(c, name),
		 name, (long long)conf_int(c, name), (long long)least);
	return 0;
}

/* A report must fit. */
static int
output_fits(const struct conf *c, char *err, size_t size)
{
	int64_t n = conf_int(c, "output-bytes");

	if (!n || n >= 4 * WORKER_REPORT_MAX)
		return 1;
	snprintf(err, size, "%s: output-bytes = %d: must be 0, or %d at least", conf_origin(c, "output-bytes"), (int)n,
		 4 * WORKER_REPORT_MAX);
	return 0;
}

static int
tls_fits(const struct conf *c, char *err, size_t size)
{
	const char *url = conf_str(c, "collector-url"), *cert = conf_str(c, "collector-cert-file");
	const char *alone = cert ? "collector-cert-file" : "collector-key-file";

	if (!cert != !conf_str(c, "collector-key-file")) {
		snprintf(err, size, "%s: %s alone is of no use: collector-cert-file and collector-key-file are needed both",
			 conf_origin(c, alone), alone);
		return 0;
	}
	if (url && strncmp(url, "https://", 8) && (cert || conf_str(c, "collector-pin"))) {
		snprintf(err, size, "%s: collector-url = \"%s\": a certificate or a pin is of use with https:// only",
			 conf_origin(c, "collector-url"), url);
		return 0;
	}
	return 1;
}

struct conf *
options_load(int argc, char **argv, const struct conf_section *sections, size_t n_sections,
	     int lenient, struct options_flags *flags, const char **path, char *err, size_t size)
{
	static const char *const places[] = { "./etc/net-gazer/net-gazer.conf",
					      "/usr/local/etc/net-gazer/net-gazer.conf",
					      "/etc/net-gazer/net-gazer.conf",
					      SYSCONFDIR "/net-gazer/net-gazer.conf", NULL };
	struct conf *c = conf_new(options_table, options_n, sections, n_sections);
	char level[2] = "2";
	int first;

	*flags = (struct options_flags){ 0 };
	*path = NULL;
	if (!c) {
		snprintf(err, size, "out of memory");
		return NULL;
	}
	if (conf_command_line(c, argc, argv, "nhVvOR", on_flag, flags, &first, err, size))
		goto fail;
	if (flags->usual.help || flags->usual.version || flags->usual.list)
		return c;
	if (first < argc) {
		snprintf(err, size, "%s: net-gazer takes no arguments, only options; see --help", argv[first]);
		goto fail;
	}
	if (flags->usual.verbose) {
		level[0] = flags->usual.verbose > 1 ? '3' : (char)('2' + flags->usual.verbose);
		if (conf_set(c, "verbose", level, "command line -v", err, size))
			goto fail;
	}
	if (conf_environment(c, err, size))
		goto fail;
	*path = conf_str(c, "config");
	if (!*path)
		*path = conf_find(places);
	if (*path && conf_file(c, *path, lenient, err, size))
		goto fail;
	if (!limits_ok(c, "iface", OPTIONS_IFACES_MAX, err, size) ||
	    !limits_ok(c, "plugins", WORKER_PLUGINS_MAX, err, size) ||
	    !limits_ok(c, "home", OPTIONS_HOME_MAX, err, size))
		goto fail;
	if (!batches_fit(c, "queue-bytes", err, size) ||
	    (conf_str(c, "spool-dir") && !batches_fit(c, "spool-bytes", err, size)) || !tls_fits(c, err, size) ||
	    !output_fits(c, err, size))
		goto fail;
	return c;
fail:
	conf_free(c);
	return NULL;
}

void
options_print_help(void)
{
	puts("usage: net-gazer [-c FILE] [-i IFACE]... [-v]... [-r FILE] [-n] [-h] [-V] [--OPTION VALUE]...\n"
	     "       net-gazer trace HOST[:PORT] [OPTION]...\n"
	     "       net-gazer enroll URL CODE [OPTION]...\n"
	     "Reports the TCP handshakes that this machine's firewall sees, as JSON lines.\n"
	     "trace: shows the path to a host, see net-gazerctl(8).\n"
	     "enroll: makes this machine a sensor of a collector.\n"
	     "\n"
	     "  -n, --check                check the configuration, say so, and end\n"
	     "  -v                         say more (debugging)\n"
	     "  -h, --help                 this text\n"
	     "  -V, --version              the version\n"
	     "      --print-rules          the firewall rules for this configuration, for nft -f, and end\n"
	     "      --options              the options below, one a line, tab-separated\n"
	     "\n"
	     "Options, also in the configuration file: [default] {environment variable}");
	conf_help(options_table, options_n);
	puts("\nLists: a,b or the option again; {\"a\", \"b\"} in the file.  See net-gazer(8), net-gazer.conf(5).");
}

void
options_print_table(void)
{
	static const char *const type[] = { "bool", "int", "str", "list" };

	for (size_t i = 0; i < options_n; i++) {
		const struct conf_option *o = &options_table[i];

		printf("%s\t%s\t%s\t%s\n", o->name, type[o->type], o->def ? o->def : "", o->help);
	}
}
