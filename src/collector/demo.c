/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * demo.c - `net-gazer-collector demo`: reports made up from a seed, through the checks and the store that real
 * ones go through.  For pictures of the page, its tests, and measurements (tests/bench/collector).
 *
 * Three sites with a sensor each; 20,000 destinations, a few of them most of the time, some of them bad; more by
 * day than by night; scans from outside; paths that change.  The busiest destinations are in networks that the
 * world knows, so that country, AS and map have something to show; the others' addresses are those kept for
 * documentation and benchmarks.  What they are said to do is made up.  Times end with now, all else comes from
 * the seed.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "demogeo.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "settings.h"
#include "store.h"
#include "validate.h"

#define BATCH 5000
#define DESTINATIONS 20000
#define SENSORS 3
#define CONNS_PER_ATTEMPT 50
#define TRACES 1500
#define TRACE_EVERY_MIN 40 /* connections */
#define TRACE_EVERY_MAX 400
#define KNOWN 400 /* destinations in the networks below */
#define STAT_US 10000000LL
#define STATS_MAX 5000 /* of each sensor: a long span has them at greater distance */

/* A /24, and how far it is from Amsterdam. */
static const struct net {
	const char *prefix;
	unsigned ms;
} nets[] = {
	{ "142.250.185.", 9 }, { "104.16.132.", 3 }, { "140.82.121.", 11 }, { "151.101.1.", 4 }, { "17.253.144.", 12 },
	{ "52.94.236.", 84 }, { "23.215.0.", 6 }, { "20.112.250.", 96 }, { "157.240.252.", 10 }, { "91.198.174.", 5 },
	{ "208.80.154.", 88 }, { "185.15.59.", 4 }, { "1.1.1.", 3 }, { "8.8.8.", 8 }, { "9.9.9.", 5 }, { "13.107.42.", 7 },
	{ "54.239.28.", 91 }, { "3.5.140.", 14 }, { "35.186.224.", 9 }, { "162.159.135.", 4 }, { "195.20.242.", 18 },
	{ "185.199.108.", 5 }, { "88.198.50.", 16 }, { "51.15.23.", 13 }, { "146.185.170.", 3 }, { "45.79.19.", 79 },
	{ "133.242.17.", 238 }, { "202.12.27.", 251 }, { "13.228.69.", 172 }, { "103.21.244.", 160 }, { "200.160.2.", 196 },
	{ "196.216.2.", 168 }, { "139.130.4.", 276 }, { "203.119.101.", 262 }, { "77.88.8.", 41 }, { "212.58.244.", 9 },
	{ "193.0.6.", 2 }, { "131.188.12.", 17 }, { "129.187.10.", 21 }, { "130.59.31.", 19 }, { "193.136.1.", 38 },
	{ "130.206.1.", 33 }, { "151.1.1.", 27 }, { "194.109.6.", 3 }, { "81.169.145.", 15 }, { "217.160.0.", 16 },
	{ "213.186.33.", 12 }, { "192.99.10.", 92 }, { "66.220.144.", 141 }, { "205.251.242.", 87 },
};
#define NETS ((unsigned)(sizeof nets / sizeof *nets))

/* Where attempts come from. */
static const char *const far[] = {
	"162.142.125.", "167.94.138.", "71.6.135.", "80.82.77.", "184.105.139.", "74.82.47.", "91.196.152.", "64.62.197.",
	"218.92.0.", "61.177.172.", "36.110.228.", "222.186.30.", "185.156.73.", "92.255.85.", "179.43.128.", "201.76.120.",
	"14.225.7.", "103.145.13.", "121.131.200.", "45.148.10.", "46.161.27.", "141.98.10.", "5.188.206.", "203.0.113.",
};
#define FAR ((unsigned)(sizeof far / sizeof *far))

/* Carriers between the sites and them; the sites' own access and core. */
static const char *const carriers[] = { "62.115.140.", "4.69.160.", "129.250.3.", "154.54.56.", "80.81.192.", "195.69.145." };
#define CARRIERS ((unsigned)(sizeof carriers / sizeof *carriers))
static const char *const access_nets[] = { "145.145.4.", "84.116.130.", "87.190.168." };

static const char *const sensors[SENSORS] = { "amsterdam", "home", "office" };

struct demo {
	struct store *store;
	struct validate *validate;
	struct report report;
	uint64_t random;
	int64_t now_us, from_us;
	int64_t seq[SENSORS];
	int64_t stat_us[SENSORS], stat_every_us;
	int in_batch;
	char line[4096];
	struct json j;
};

/* xorshift64*: the same everywhere. */
static uint64_t
next(struct demo *d)
{
	d->random ^= d->random >> 12;
	d->random ^= d->random << 25;
	d->random ^= d->random >> 27;
	return d->random * 2685821657736338717ULL;
}

static unsigned
below(struct demo *d, unsigned n)
{
	return (unsigned)((next(d) >> 32) * n >> 32);
}

/* 0 to 1, neither. */
static double
uniform(struct demo *d)
{
	return ((double)(next(d) >> 11) + 0.5) / 9007199254740992.0;
}

/* A fixed property of a thing. */
static unsigned
trait(unsigned thing, unsigned salt, unsigned n)
{
	uint64_t x = ((uint64_t)thing << 20 | salt) * 0x9e3779b97f4a7c15ULL;

	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9ULL;
	return (unsigned)((x >> 33) % n);
}

static unsigned
destination(struct demo *d)
{
	double rank = pow(uniform(d), -1.25) - 1;

	return rank < DESTINATIONS ? (unsigned)rank : below(d, DESTINATIONS);
}

static void
destination_ip(char out[ADDR_TEXT], unsigned to)
{
	if (to < KNOWN)
		snprintf(out, ADDR_TEXT, "%s%u", nets[to % NETS].prefix, 1 + trait(to, 2, 250));
	else if (trait(to, 1, 5))
		snprintf(out, ADDR_TEXT, "198.%u.%u.%u", 18 + (to >> 16), to >> 8 & 255, to & 255);
	else
		snprintf(out, ADDR_TEXT, "2001:db8:%x::%x", trait(to, 2, 0xffff) + 1, to + 1);
}

static int
destination_port(unsigned to)
{
	static const int ports[] = { 443, 443, 443, 443, 443, 443, 80, 80, 853, 993, 22, 25, 5222, 8443 };

	if (to < KNOWN && trait(to, 3, 8))
		return 443;
	return ports[trait(to, 3, sizeof ports / sizeof *ports)];
}

static void
put(struct json *j, const char *name, const char *text)
{
	json_str(j, name, text, strlen(text));
}

static struct json *
begin(struct demo *d, const char *type, int sensor, int64_t ts_us)
{
	struct json *j = &d->j;

	json_begin(j, d->line, sizeof d->line);
	json_map(j, NULL);
	json_int(j, "v", 1);
	put(j, "type", type);
	json_time(j, "ts", ts_us);
	put(j, "sensor", sensors[sensor]);
	put(j, "boot", "0000de30");
	json_int(j, "seq", d->seq[sensor]++);
	return j;
}

/* 0 or an error of store.h. */
static int
end(struct demo *d, int64_t rx_us)
{
	int64_t id;
	int r = 0;

	json_close(&d->j);
	if (json_end(&d->j) || validate_line(d->validate, d->line, d->j.len, &d->report))
		fatal("demo: a report of its own is refused: %s", validate_why(d->validate));
	if (!d->in_batch)
		r = store_begin(d->store);
	if (!r)
		r = store_add(d->store, &d->report, rx_us, &id);
	if (r < 0)
		return r;
	if (++d->in_batch < BATCH)
		return 0;
	d->in_batch = 0;
	return store_commit(d->store);
}

static int
make_conn(struct demo *d, int64_t ts_us)
{
	static const char *const bad[] = { "refused", "timeout", "unreachable", "aborted" };
	int sensor = (int)below(d, SENSORS);
	unsigned to = destination(d), roll = below(d, 1000);
	unsigned failing = trait(to, 4, 40) ? 12 : 400; /* per mille: some destinations are in trouble */
	struct json *j = begin(d, "conn", sensor, ts_us);
	char ip[ADDR_TEXT], src[ADDR_TEXT];

	destination_ip(ip, to);
	if (strchr(ip, ':'))
		snprintf(src, sizeof src, "2001:db8:ffff:%d::%x", sensor + 1, 2 + below(d, 60));
	else
		snprintf(src, sizeof src, "192.168.%d.%u", sensor + 1, 2 + below(d, 60));
	put(j, "dir", "outbound");
	put(j, "iif", "br-lan");
	put(j, "oif", "wan");
	put(j, "src_ip", src);
	json_int(j, "src_port", 1024 + below(d, 64512));
	put(j, "dst_ip", ip);
	json_int(j, "dst_port", destination_port(to));
	put(j, "proto", "tcp");
	if (roll < failing) {
		put(j, "state", bad[trait(to, 5, 3) ? trait(to, 5, 3) - 1 : below(d, 4)]);
		json_int(j, "syn_retrans", below(d, 4));
	} else {
		double base = to < KNOWN ? 1000.0 * (nets[to % NETS].ms + 4 * (unsigned)sensor) + 3.0 * trait(to, 6, 500)
					 : 2000 + 400.0 * trait(to, 6, 500), slow = exp(1.2 * uniform(d) * uniform(d));
		int64_t rtt = (int64_t)(base * slow) + below(d, 900);

		put(j, "state", roll < 900 ? "established" : "answered");
		put(j, "history", roll < 900 ? "ShA" : "Sh");
		json_int(j, "rtt_us", rtt);
		if (roll < 900) { /* the third packet was seen: the LAN's half is known */
			int64_t lan = 150 + below(d, 600) + (below(d, 12) ? 0 : 2000 + below(d, 30000));

			json_int(j, "rtt_src_us", lan);
			json_int(j, "setup_us", rtt + lan);
		}
		json_int(j, "syn_retrans", below(d, 100) ? 0 : 1);
	}
	json_int(j, "ttl_src", 64);
	return end(d, ts_us + 200000);
}

static int
make_attempt(struct demo *d, int64_t ts_us)
{
	static const char *const kinds[] = { "single", "vertical_scan", "horizontal_scan", "flood" };
	static const int wanted[] = { 22, 23, 80, 443, 445, 1433, 2323, 3306, 3389, 5060, 5432, 5900, 6379, 8080, 8443, 9200 };
	int sensor = (int)below(d, SENSORS);
	unsigned first = (unsigned)(16 * uniform(d) * uniform(d));
	unsigned from = (unsigned)(300 * uniform(d) * uniform(d)), ports = 1 + below(d, 12);
	struct json *j = begin(d, "attempt", sensor, ts_us);
	char text[ADDR_TEXT];

	snprintf(text, sizeof text, "%s%u", far[from % FAR], from / FAR * 7 % 254 + 1);
	json_time(j, "last_ts", ts_us);
	put(j, "dir", "inbound");
	put(j, "iif", "wan");
	put(j, "src_ip", text);
	snprintf(text, sizeof text, "192.0.2.%d", sensor + 1);
	put(j, "dst_ip", text);
	put(j, "proto", "tcp");
	json_int(j, "count", 1 + below(d, 40));
	json_list(j, "dst_ports");
	for (unsigned i = 0; i < ports; i++)
		json_int(j, NULL, wanted[(first + i) % 16]);
	json_close(j);
	put(j, "verdict", trait(from, 7, 12) ? "dropped" : "accepted");
	put(j, "kind", kinds[trait(from, 8, 4)]);
	return end(d, ts_us + 200000);
}

/* The router at a hop, in front of the destination; 0: it does not answer.  `now`: the other way round. */
static int
router(char out[ADDR_TEXT], unsigned to, unsigned sensor, unsigned ttl, unsigned hops, unsigned now)
{
	unsigned net = to < KNOWN ? to % NETS : NETS + to % 40;
	unsigned carrier = (trait(net, 60, CARRIERS) + (now ? 1 + trait(to, 61, CARRIERS - 1) : 0)) % CARRIERS;

	if (ttl > 2 && !trait(net * 16 + ttl, 40 + now, 7))
		return 0;
	if (ttl == 1)
		snprintf(out, ADDR_TEXT, "192.168.%u.1", sensor + 1);
	else if (ttl < 4)
		snprintf(out, ADDR_TEXT, "%s%u", access_nets[sensor], ttl == 2 ? 1 : 10 + trait(net, 62, 3));
	else if (ttl + 1 < hops)
		snprintf(out, ADDR_TEXT, "%s%u", carriers[carrier], 1 + trait(net / 3, 63 + ttl, 6) * 8 + ttl);
	else if (net < NETS)
		snprintf(out, ADDR_TEXT, "%s%u", nets[net].prefix, 253 + ttl % 2);
	else
		snprintf(out, ADDR_TEXT, "198.51.100.%u", net - NETS + 1);
	return 1;
}

/* Through the site's network, a carrier's and the destination's; in some hours through another carrier's. */
static int
make_trace(struct demo *d, int64_t ts_us)
{
	int sensor = (int)below(d, SENSORS);
	unsigned to = (unsigned)(uniform(d) * uniform(d) * 150), hour = (unsigned)(ts_us / 3600000000LL);
	unsigned now = trait(to * 64 + hour % 64, 9, 6) == 0, before = trait(to * 64 + (hour - 1) % 64, 9, 6) == 0;
	struct json *j = begin(d, "trace", sensor, ts_us);
	unsigned hops = 6 + trait(to, 10, 4), rtt = 300 + below(d, 200);
	unsigned far_us = 1000 * (nets[to % NETS].ms + 4 * (unsigned)sensor) + (now ? 30000 : 0);
	char text[ADDR_TEXT], hash[2][17];

	destination_ip(text, to);
	put(j, "dst_ip", text);
	json_int(j, "dst_port", destination_port(to));
	put(j, "method", "tcp-syn");
	put(j, "trigger", now != before ? "slow" : "conn");
	json_bool(j, "reached", 1);
	for (unsigned i = 0; i < 2; i++)
		snprintf(hash[i], sizeof hash[i], "%08x%08x", to + 1, (unsigned)sensor * 2 + (i ? before : now));
	put(j, "path_hash", hash[0]);
	if (now != before)
		put(j, "prev_path_hash", hash[1]);
	json_list(j, "hops");
	for (unsigned ttl = 1; ttl <= hops; ttl++) {
		int answers = ttl == hops || router(text, to, (unsigned)sensor, ttl, hops, now);

		if (ttl == hops)
			destination_ip(text, to);
		json_map(j, NULL);
		json_int(j, "ttl", ttl);
		json_int(j, "sent", 1);
		/* Most of the way is the carrier's. */
		rtt += below(d, 300) + (ttl == 2 ? 900 : ttl >= 4 ? far_us / (hops - 3) : 200);
		if (answers) {
			put(j, "ip", text);
			json_list(j, "rtt_us");
			json_int(j, NULL, rtt);
			json_close(j);
		}
		json_close(j);
	}
	json_close(j);
	return end(d, ts_us + 200000);
}

/* What a sensor says of its own state, as one does that is well. */
static void
put_state(struct json *j, int64_t reports)
{
	static const char *const posture[] = { "no_caps", "no_new_privs", "seccomp", "landlock" };
	static const char *const plugins[] = { "handshake", "attempts", "traceroute" };

	put(j, "offload", "none");
	json_int(j, "spool_bytes", 0);
	json_int(j, "flash_written_bytes", 0);
	json_map(j, "sandbox");
	for (size_t i = 0; i < sizeof posture / sizeof *posture; i++)
		json_bool(j, posture[i], 1);
	json_close(j);
	json_list(j, "plugins");
	for (size_t i = 0; i < sizeof plugins / sizeof *plugins; i++) {
		json_map(j, NULL);
		put(j, "name", plugins[i]);
		put(j, "version", "1.0");
		put(j, "state", "ok");
		json_int(j, "calls", reports * 2);
		json_int(j, "cpu_us", reports * (int64_t)(2 - i / 2));
		json_int(j, "max_us", 90 - 20 * (int64_t)i);
		json_close(j);
	}
	json_close(j);
}

static int
make_stat(struct demo *d, int sensor, int64_t ts_us)
{
	int64_t reports = d->seq[sensor];
	struct json *j = begin(d, "stat", sensor, ts_us);

	json_int(j, "window_us", STAT_US);
	json_int(j, "seq_first", 0);
	json_int(j, "reports", reports);
	put(j, "version", VERSION);
	json_int(j, "seen", reports * 2 + 3);
	json_int(j, "logged", reports * 2 + 3);
	json_int(j, "sampled_out", 0);
	json_int(j, "received", reports * 2 + 3);
	json_int(j, "gap", 0);
	json_int(j, "tail", 0);
	json_int(j, "parsed", reports * 2 + 3);
	json_int(j, "truncated", 0);
	json_int(j, "malformed", 0);
	json_int(j, "unsupported", 0);
	json_int(j, "in_hand", 0);
	json_int(j, "reports_dropped", 0);
	json_int(j, "flows_live", 40 + below(d, 200));
	json_int(j, "flows_max", 16384);
	json_int(j, "flows_evicted", 0);
	json_int(j, "rss_kib", 2300 + below(d, 300));
	json_int(j, "cpu_us", reports * 9);
	put_state(j, reports);
	return end(d, ts_us + 200000);
}

/* Ledgers that were due by then. */
static int
make_stats(struct demo *d, int64_t until_us)
{
	int r = 0;

	for (int i = 0; i < SENSORS && !r; i++) {
		for (; d->stat_us[i] <= until_us && !r; d->stat_us[i] += d->stat_every_us)
			r = make_stat(d, i, d->stat_us[i]);
	}
	return r;
}

/* Where the i-th of n is: dense by day, thin by night, evenly in between. */
static int64_t
time_of(const struct demo *d, int64_t i, int64_t n)
{
	double span = (double)(d->now_us - 1000000 - d->from_us), at = (double)i / (double)n * span;
	double day = 86400e6 / (2 * 3.14159265358979);

	/* Its derivative stays positive: time never goes back. */
	return d->from_us + (int64_t)(span > 86400e6 ? at + 0.5 * day * sin(at / day) * (at < span - 86400e6) : at);
}

static int
make_all(struct demo *d, int64_t conns)
{
	int64_t trace_every = conns / TRACES;
	int r = 0;

	if (trace_every < TRACE_EVERY_MIN)
		trace_every = TRACE_EVERY_MIN;
	if (trace_every > TRACE_EVERY_MAX)
		trace_every = TRACE_EVERY_MAX;

	for (int64_t i = 0; i < conns && !r; i++) {
		int64_t ts_us = time_of(d, i, conns);

		r = make_stats(d, ts_us);
		if (!r)
			r = make_conn(d, ts_us);
		if (!r && i % CONNS_PER_ATTEMPT == 0)
			r = make_attempt(d, ts_us);
		if (!r && i % trace_every == 0)
			r = make_trace(d, ts_us);
	}
	/* The newest is of now: sensors that report. */
	for (int i = 0; i < SENSORS && !r; i++)
		r = make_stat(d, i, d->now_us - 300000);
	if (!r && d->in_batch)
		r = store_commit(d->store);
	while (!r) { /* as the collector would have by now */
		r = store_trim(d->store, d->now_us);
		if (r <= 0)
			break;
		r = 0;
	}
	return r;
}

int
demo_command(const struct conf *conf, char *const *arguments, int n_arguments)
{
	struct demo *d = calloc(1, sizeof *d);
	struct store_limits limits = settings_limits(conf);
	int64_t span_us = conf_int(conf, "span") * 3600000000LL;
	int r;

	(void)arguments;
	(void)n_arguments;
	if (!d)
		fatal("out of memory");
	d->random = 0x9e3779b97f4a7c15ULL ^ (uint64_t)conf_int(conf, "seed");
	d->now_us = clock_wall_us();
	d->from_us = d->now_us - span_us;
	d->stat_every_us = span_us / STATS_MAX > STAT_US ? span_us / STATS_MAX : STAT_US;
	for (int i = 0; i < SENSORS; i++)
		d->stat_us[i] = d->from_us + (i + 1) * 1000000;
	d->validate = validate_new();
	if (!d->validate)
		fatal("out of memory");
	r = store_open(&d->store, conf_str(conf, "database"), &limits, d->now_us);
	if (!r && store_sizes(d->store).last_id) {
		log_error("database %s is not empty: name another with --database", conf_str(conf, "database"));
		r = -1;
	} else if (!r) {
		r = make_all(d, conf_int(conf, "conns"));
		if (!r && demogeo_fill(d->store, d->now_us))
			r = -EIO;
		if (r)
			log_error("database %s: %s", conf_str(conf, "database"), strerror(-r));
		else
			log_info("%lld reports in %s", (long long)store_sizes(d->store).rows, conf_str(conf, "database"));
	}
	store_close(d->store);
	validate_free(d->validate);
	free(d);
	return r ? 2 : 0;
}
