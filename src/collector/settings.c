/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * settings.c - the option table and its checks.
 */
#include "settings.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "access.h"
#include "command.h"
#include "geostart.h"
#include "falkor.h"
#include "http.h"
#include "lib/addr.h"
#include "lib/json.h"
#include "lib/url.h"
#include "login.h"
#include "names.h"
#include "report.h"
#include "text.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif
#ifndef LIBEXECDIR
#define LIBEXECDIR "/usr/libexec/net-gazer"
#endif

static int
check_address(const char *value, char *want, size_t size)
{
	uint8_t ipv, addr[16];

	if (!addr_parse(&ipv, addr, value))
		return 0;
	snprintf(want, size, "an IP address of this machine, such as 127.0.0.1 or ::1");
	return -1;
}

static int
check_host(const char *value, char *want, size_t size)
{
	for (const char *p = value; *p; p++) {
		if (!isalnum((unsigned char)*p) && !strchr(".-_:[]", *p)) {
			snprintf(want, size, "a name as browsers send it, such as gate.lan or gate.lan:8080");
			return -1;
		}
	}
	return 0;
}

static int
check_url(const char *value, char *want, size_t size)
{
	/* It stands in a line for a shell. */
	if (url_ok(value) && !value[strspn(value, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_:[]/")])
		return 0;
	snprintf(want, size, "an address such as https://collector.example:8443");
	return -1;
}

static int
check_time(const char *value, char *want, size_t size)
{
	int64_t us;

	if (!text_when(value, &us))
		return 0;
	snprintf(want, size, "a UTC time such as 2026-11-21 or 2026-11-21T19:04:05Z");
	return -1;
}

static int
check_type(const char *value, char *want, size_t size)
{
	if (report_word_index(REPORT_WORDS_TYPE, value, strlen(value)) >= 0)
		return 0;
	snprintf(want, size, "one of " REPORT_WORDS_TYPE);
	return -1;
}

static int
check_home(const char *value, char *want, size_t size)
{
	static struct names scratch;
	const char *wrong;

	scratch.n = 0;
	wrong = names_add(&scratch, value);
	if (wrong)
		snprintf(want, size, "%s", wrong);
	return wrong ? -1 : 0;
}

static int
check_dns(const char *value, char *want, size_t size)
{
	struct geo_server server;

	if (!strcmp(value, "system") || !geostart_server(value, &server))
		return 0;
	snprintf(want, size, "system, or the address of a DNS server such as 192.168.1.1, 192.168.1.1:5353, [fd00::1]:53");
	return -1;
}

static int
check_graph_url(const char *value, char *want, size_t size)
{
	const char *right = conf_text(value, want, size) ? want : falkor_check_url(value);

	if (right && right != want)
		snprintf(want, size, "%s", right);
	return right ? -1 : 0;
}

static const struct conf_option table[] = {
	{ "config", CONF_STR, 1, 4095, NULL, NULL, "NG_COLLECTOR_CONFIG", 'c', -1,
	  "configuration file", conf_text },
	{ "listen", CONF_STR, 1, 45, "127.0.0.1", NULL, "NG_COLLECTOR_LISTEN", 0, 0,
	  "address to listen on; beyond loopback only with users, sensors or token-file", check_address },
	{ "port", CONF_INT, 0, 65535, "8080", NULL, "NG_COLLECTOR_PORT", 0, 0,
	  "TCP port; 0: any that is free, the log says which", NULL },
	{ "database", CONF_STR, 1, 4000, "/var/lib/net-gazer-collector/net-gazer.db", NULL,
	  "NG_COLLECTOR_DATABASE", 0, 0, "SQLite file; the last folder is made if missing", conf_text },
	{ "days", CONF_INT, 1, 366, "30", NULL, "NG_COLLECTOR_DAYS", 0, 0,
	  "UTC days that reports are kept, the running one included", NULL },
	{ "max-rows", CONF_INT, 1000, 1000000000, "20000000", NULL, "NG_COLLECTOR_MAX_ROWS", 0, 0,
	  "reports kept; the oldest go first", NULL },
	{ "max-bytes", CONF_INT, 1048576, 1099511627776, "2147483648", NULL, "NG_COLLECTOR_MAX_BYTES", 0, 0,
	  "bytes of database in use; the oldest reports go first", NULL },
	{ "hosts", CONF_LIST, 1, 255, "", NULL, "NG_COLLECTOR_HOSTS", 0, 0,
	  "further names that browsers and sensors may reach us by", check_host },
	{ "token-file", CONF_STR, 1, 4000, NULL, NULL, "NG_COLLECTOR_TOKEN_FILE", 0, 0,
	  "tokens, one a line, mode 0600: reports need one, and pages from elsewhere", conf_text },
	{ "login", CONF_STR, 1, 10, "remote", "remote|always", "NG_COLLECTOR_LOGIN", 0, 0,
	  "who must log in, or bring a token: those on other machines, or everybody", NULL },
	{ "url", CONF_STR, 1, 255, NULL, NULL, "NG_COLLECTOR_URL", 0, 0,
	  "how routers reach us, for enroll: https://HOST[:PORT]", check_url },
	{ "tls-cert", CONF_STR, 1, 4000, NULL, NULL, "NG_COLLECTOR_TLS_CERT", 0, 0,
	  "PEM file of our certificate and those above it: HTTPS only", conf_text },
	{ "tls-key", CONF_STR, 1, 4000, NULL, NULL, "NG_COLLECTOR_TLS_KEY", 0, 0,
	  "PEM file of its key, mode 0600", conf_text },
	{ "client-ca", CONF_STR, 1, 4000, NULL, NULL, "NG_COLLECTOR_CLIENT_CA", 0, 0,
	  "PEM file: sensors with a certificate of this authority need no token; its name is theirs", conf_text },
	{ "sensor-rate", CONF_INT, 0, 1000000, "5000", NULL, "NG_COLLECTOR_SENSOR_RATE", 0, 0,
	  "reports a second from an enrolled sensor, a minute's worth at once; 0: any", NULL },
	{ "sensor-bytes-day", CONF_INT, 0, 1099511627776, "4294967296", NULL, "NG_COLLECTOR_SENSOR_BYTES_DAY", 0, 0,
	  "bytes of reports a UTC day from an enrolled sensor; 0: any", NULL },
	{ "max-body", CONF_INT, 32768, 16777216, "1048576", NULL, "NG_COLLECTOR_MAX_BODY", 0, 0,
	  "bytes of a request's body; unpacked four times that", NULL },
	{ "connections", CONF_INT, 8, 4096, "256", NULL, "NG_COLLECTOR_CONNECTIONS", 0, 0,
	  "connections at a time", NULL },
	{ "connections-per-ip", CONF_INT, 4, 4096, "128", NULL, "NG_COLLECTOR_CONNECTIONS_PER_IP", 0, 0,
	  "of these, from one address", NULL },
	{ "geo-country", CONF_STR, 1, 4000, NULL, NULL, "NG_COLLECTOR_GEO_COUNTRY", 0, 0,
	  "MaxMind DB of countries, in place of what `geo import` brought", conf_text },
	{ "geo-city", CONF_STR, 1, 4000, NULL, NULL, "NG_COLLECTOR_GEO_CITY", 0, 0, "of cities", conf_text },
	{ "geo-asn", CONF_STR, 1, 4000, NULL, NULL, "NG_COLLECTOR_GEO_ASN", 0, 0,
	  "of autonomous systems, or a range file of `geo import`", conf_text },
	{ "home", CONF_LIST, 1, 120, "", NULL, "NG_COLLECTOR_HOME", 0, 0,
	  "names of networks of our own, such as 192.168.1.0/24=lan", check_home },
	{ "dns", CONF_LIST, 1, 60, "", NULL, "NG_COLLECTOR_DNS", 0, 0,
	  "servers to ask for the names of addresses, or system; none: names are not looked up", check_dns },
	{ "libexec-dir", CONF_STR, 1, 4000, LIBEXECDIR, NULL, "NG_COLLECTOR_LIBEXEC_DIR", 0, 0,
	  "where the program geo is", conf_text },
	{ "graph-url", CONF_STR, 1, 4000, NULL, NULL, "NG_COLLECTOR_GRAPH_URL", 0, 0,
	  "FalkorDB that gets the graph of hops: unix:///PATH or redis://HOST:PORT", check_graph_url },
	{ "graph-password-file", CONF_STR, 1, 4000, NULL, NULL, "NG_COLLECTOR_GRAPH_PASSWORD_FILE", 0, 0,
	  "its password, in the first line", conf_text },
	{ "graph-name", CONF_STR, 1, 60, "net-gazer", NULL, "NG_COLLECTOR_GRAPH_NAME", 0, 0,
	  "the graph's key there", conf_text },
	{ "verbose", CONF_INT, 0, 3, "2", NULL, "NG_COLLECTOR_VERBOSE", 0, 0,
	  "0 errors, 1 and warnings, 2 and information, 3 and debugging", NULL },
};
#define TABLE_N (sizeof table / sizeof *table)

/* Of the commands only. */
static const struct {
	const char *commands; /* "a|b" */
	struct conf_option option;
} command_table[] = {
	{ "import", { "format", CONF_STR, 1, 20, "ndjson", "ndjson|csv", NULL, 0, -1, "what the files are", NULL } },
	{ "import", { "type", CONF_STR, 1, 20, NULL, NULL, NULL, 0, -1,
		      "of csv: what the rows are, unless a column says it", check_type } },
	{ "export", { "from", CONF_STR, 1, 27, NULL, NULL, NULL, 0, -1,
		      "reports that count at this time or later: 2026-11-21 or 2026-11-21T19:04:05Z", check_time } },
	{ "export", { "to", CONF_STR, 1, 27, NULL, NULL, NULL, 0, -1, "and before this one", check_time } },
	{ "export", { "type", CONF_LIST, 1, 20, "", NULL, NULL, 0, -1,
		      "types of reports, all if none: " REPORT_WORDS_TYPE, check_type } },
	{ "export", { "format", CONF_STR, 1, 20, "ndjson", "ndjson|csv|eve|zeek|ecs|ocsf", NULL, 0, -1,
		      "what each line is", NULL } },
	{ "enroll", { "minutes", CONF_INT, 1, LOGIN_MINUTES_MAX, "15", NULL, NULL, 0, -1, "that the code may be used", NULL } },
	{ "graph", { "engine", CONF_STR, 1, 20, "sqlite", "sqlite|falkordb", NULL, 0, -1, "who answers a query", NULL } },
	{ "geo", { "attribution", CONF_STR, 1, 390, NULL, NULL, NULL, 0, -1,
		   "of import: whom the file's licence says to name, \"TEXT https://...\"", conf_text } },
	{ "demo", { "seed", CONF_INT, 0, 4294967295, "7", NULL, NULL, 0, -1, "same seed, same reports", NULL } },
	{ "demo", { "conns", CONF_INT, 1, 1000000000, "60000", NULL, NULL, 0, -1, "conn reports to make", NULL } },
	{ "demo", { "span", CONF_INT, 1, 8760, "168", NULL, NULL, 0, -1, "hours before now that they spread over", NULL } },
};
#define COMMAND_TABLE_N (sizeof command_table / sizeof *command_table)

/* The table above, and behind it the options of a command. */
static struct conf *
new_conf(const struct command *command)
{
	static struct conf_option all[TABLE_N + COMMAND_TABLE_N];
	size_t n = TABLE_N;

	memcpy(all, table, sizeof table);
	for (size_t i = 0; command && i < COMMAND_TABLE_N; i++) {
		if (report_word_index(command_table[i].commands, command->name, strlen(command->name)) >= 0)
			all[n++] = command_table[i].option;
	}
	return conf_new(all, n, NULL, 0);
}

static void
on_flag(void *arg, int letter)
{
	struct settings_flags *f = arg;

	conf_flag(&f->usual, letter);
}

struct conf *
settings_load(int argc, char **argv, struct settings_flags *flags, const char **path, char *err,
	      size_t size)
{
	static const char *const places[] = { "./etc/net-gazer/net-gazer-collector.conf",
					      "/usr/local/etc/net-gazer/net-gazer-collector.conf",
					      "/etc/net-gazer/net-gazer-collector.conf",
					      SYSCONFDIR "/net-gazer/net-gazer-collector.conf", NULL };
	const struct command *command = argc > 1 ? command_find(argv[1]) : NULL;
	struct conf *c = new_conf(command);
	int first;

	*flags = (struct settings_flags){ .command = command };
	*path = NULL;
	if (!c) {
		snprintf(err, size, "out of memory");
		return NULL;
	}
	if (argc == 2 && !strcmp(argv[1], "--validate")) {
		flags->validate = 1;
		return c;
	}
	if (conf_command_line(c, argc - !!command, argv + !!command, "nhVvO", on_flag, flags, &first, err, size))
		goto fail;
	flags->first = first + !!command;
	if (flags->usual.help || flags->usual.version || flags->usual.list)
		return c;
	if (!command && first < argc) {
		snprintf(err, size, "%s: net-gazer-collector takes no arguments, only options; see --help",
			 argv[first]);
		goto fail;
	}
	if (flags->usual.verbose && conf_set(c, "verbose", "3", "command line -v", err, size))
		goto fail;
	if (conf_environment(c, err, size))
		goto fail;
	*path = conf_str(c, "config");
	if (!*path)
		*path = conf_find(places);
	if (*path && conf_file(c, *path, 0, err, size))
		goto fail;
	if (!command && !conf_str(c, "token-file") && !conf_str(c, "client-ca") && !access_made(conf_str(c, "database"))) {
		const char *name = strcmp(conf_str(c, "login"), "always") ? "listen" : "login";

		if (strcmp(name, "listen") || !http_is_loopback(conf_str(c, "listen"))) {
			snprintf(err, size, "%s: %s = \"%s\" lets nobody in: first make a login (net-gazer-collector user add NAME), "
					    "let a sensor in (enroll NAME), or set token-file; or listen on 127.0.0.1",
				 conf_origin(c, name), name, conf_str(c, name));
			goto fail;
		}
	}
	return c;
fail:
	conf_free(c);
	return NULL;
}

struct store_limits
settings_limits(const struct conf *c)
{
	return (struct store_limits){ .max_rows = conf_int(c, "max-rows"),
				      .max_bytes = conf_int(c, "max-bytes"),
				      .days = conf_int(c, "days") };
}

void
settings_hosts(const struct conf *c, struct hosts *h, unsigned port)
{
	hosts_init(h, conf_str(c, "listen"), port);
	for (size_t i = 0; i < conf_list_n(c, "hosts"); i++)
		hosts_add(h, conf_list(c, "hosts", i), port);
}

void
settings_print_help(void)
{
	puts("usage: net-gazer-collector [-c FILE] [-v] [-n] [-h] [-V] [--OPTION VALUE]...\n"
	     "       net-gazer-collector --validate <FILE\n"
	     "       net-gazer-collector COMMAND [--OPTION VALUE]... [ARGUMENT]...\n"
	     "Receives the reports of net-gazer sensors, keeps them, and shows them in a browser.\n"
	     "\n"
	     "  -n, --check                check the configuration, say so, and end\n"
	     "  -v                         say more (debugging)\n"
	     "  -h, --help                 this text\n"
	     "  -V, --version              the version\n"
	     "      --options              the options below, one a line, tab-separated\n"
	     "      --validate             check report lines from stdin: ok, or what is wrong\n"
	     "\n"
	     "Options, also in the configuration file: [default] {environment variable}");
	conf_help(table, TABLE_N);
	puts("\nCommands, with the options above that concern the database, and those below:");
	for (size_t i = 0; command_row(i); i++)
		printf("  %s %s\n", command_row(i)->name, command_row(i)->help);
	for (size_t i = 0; i < COMMAND_TABLE_N; i++)
		conf_help(&command_table[i].option, 1);
	puts("\nLists: a,b or the option again; {\"a\", \"b\"} in the file.  See net-gazer-collector(8).");
}

void
settings_print_table(void)
{
	static const char *const type[] = { "bool", "int", "str", "list" };

	for (size_t i = 0; i < TABLE_N; i++) {
		const struct conf_option *o = &table[i];

		printf("%s\t%s\t%s\t%s\n", o->name, type[o->type], o->def ? o->def : "", o->help);
	}
}
