/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * geolink.c - two sides, places and names, that work alike: a queue of addresses, one batch on its way at a time,
 * and a walk over what is stored for addresses that nothing is known of.
 *
 * When a process comes up again while a batch was on its way, that batch was its end.  It is sent once more, then
 * address by address; one over which it dies again is noted as unknown.  So a broken file costs some restarts
 * (which keeper.c spaces out), and the addresses that are broken in it.
 */
#include "geolink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "addrinfo.h"
#include "geostart.h"
#include "lib/hash.h"
#include "lib/log.h"
#include "names.h"
#include "text.h"

#define QUEUE 1024  /* a power of two */
#define SEEN 4096
#define LOOKS 256   /* at the table, a turn */
#define WALK 128    /* rows, a step */
#define STRETCHES 16
#define TRIES 2
#define SOON_US 1000
#define STEP_US 20000
#define PLACES_PATIENCE_US 5000000
#define NAMES_PATIENCE_US 30000000
#define FORGET_US 600000000   /* what was seen: so that what is too old is asked again */
#define WALK_AGAIN_US 5000000
#define FAILED_TTL_S 900

/* What is walked over, newest first.  The index of each begins with these columns. */
static const struct walk {
	const char *sql;  /* ?1: above this address (or number); ?2: of this time */
	const char *next; /* the time before ?1, not before ?2; NULL: by number, of no time */
	int64_t back_s;   /* so far */
} walks[] = {
#define TIMES(table, column, span, back) \
	{ "SELECT DISTINCT " column ", 0 FROM " table " WHERE span = " span " AND at = ?2 AND " column " > ?1 ORDER BY 1 LIMIT 128", \
	  "SELECT max(at) FROM " table " WHERE span = " span " AND at < ?1 AND at >= ?2", back }
	TIMES("rollup", "dst_ip", "60", 7200),
	TIMES("knock", "src_ip", "60", 7200),
	{ "SELECT ip, id FROM hop WHERE id > ?1 ORDER BY id LIMIT 128", NULL, 0 },
	{ "SELECT dst_ip, id FROM target WHERE id > ?1 ORDER BY id LIMIT 128", NULL, 0 },
	TIMES("rollup", "dst_ip", "3600", 2 * 86400),
	TIMES("knock", "src_ip", "3600", 2 * 86400),
	TIMES("rollup", "dst_ip", "86400", 31 * 86400),
	TIMES("knock", "src_ip", "86400", 31 * 86400),
};
#define WALKS (sizeof walks / sizeof *walks)

enum { PLACES, NAMES, SIDES };

struct side {
	struct geolink *link;
	int which;
	struct loop_fd fd;
	struct loop_timer patience, soon, step;
	int64_t generation;   /* 0: nobody answers */
	struct geo_addr queue[QUEUE];
	unsigned first, n;
	uint64_t seen[SEEN];
	struct geo_ask ask;   /* n 0: none is on its way */
	int64_t ask_generation;
	unsigned tries, alone; /* alone: so many more are sent one by one */
	uint64_t answered;
	/* The walk. */
	int walking, left_out;
	size_t walk;
	int64_t at_s, id;
	char after[ADDR_TEXT];
	int64_t walked_us;
};

struct geolink {
	struct loop *loop;
	struct store *store;
	int control;        /* -1: no process */
	int missing;        /* because there is no program */
	int named;          /* the DNS servers */
	int dns;
	uint8_t secret[16];
	struct side side[SIDES];
	struct loop_timer forget;
	struct names names;
	struct geo_hello hello;
	struct geo_control setup;
	struct geo_places places;
	struct geo_names answers;
};

int
geolink_is_private(uint8_t ipv, const uint8_t addr[16])
{
	static const char *const nets[] = {
		"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10",
		"0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3", "::/127", "ff00::/8",
		/* Of documents and tests (RFC 6890). */
		"192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32",
	};
	static struct addr_prefix prefix[sizeof nets / sizeof *nets];
	static int ready;

	for (size_t i = 0; !ready && i < sizeof nets / sizeof *nets; i++)
		(void)addr_prefix_parse(&prefix[i], nets[i]);
	ready = 1;
	for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
		if (addr_in(&prefix[i], ipv, addr))
			return 1;
	}
	return 0;
}

/* ---- the queue ---- */

static int
wanted(const struct side *s, const struct geo_addr *a)
{
	if (!s->generation)
		return 0;
	return !geolink_is_private(a->ipv, a->addr) || (s->which == NAMES && s->link->named);
}

/* Nothing is known of it, or something that is out of date. */
static int
stale(struct side *s, const char *ip)
{
	int64_t generation, name_until_us;

	if (addrinfo_state(store_addrs(s->link->store), ip, &generation, &name_until_us))
		return 0;
	return s->which == PLACES ? generation != s->generation : name_until_us < loop_wall_us(s->link->loop);
}

static void pump(struct side *);

static void
on_soon(struct loop_timer *t)
{
	pump(t->arg);
}

static void
push(struct side *s, const struct geo_addr *a)
{
	if (s->n == QUEUE) {
		s->left_out = 1;
		return;
	}
	s->queue[(s->first + s->n++) % QUEUE] = *a;
	if (!s->ask.n && !s->soon.loop)
		loop_timer_set(s->link->loop, &s->soon, SOON_US, on_soon, s);
}

static void
see(struct geolink *g, const char *ip)
{
	struct geo_addr a;
	uint64_t hash;

	memset(&a, 0, sizeof a);
	if (!ip[0] || addr_parse(&a.ipv, a.addr, ip))
		return;
	hash = hash_sip(g->secret, &a, sizeof a);
	for (int i = 0; i < SIDES; i++) {
		struct side *s = &g->side[i];

		if (s->seen[hash % SEEN] == hash || !wanted(s, &a))
			continue;
		s->seen[hash % SEEN] = hash;
		push(s, &a);
	}
}

void
geolink_see(struct geolink *g, const struct report *r)
{
	if (!g->side[PLACES].generation && !g->side[NAMES].generation)
		return;
	see(g, r->src_ip);
	see(g, r->dst_ip);
	for (unsigned i = 0; r->trace && i < r->trace->n_hops; i++)
		see(g, r->trace->hop[i].ip);
}

/* ---- asking ---- */

static void
control(struct geolink *g, uint32_t what)
{
	g->setup.what = what;
	if (g->control >= 0 && send(g->control, &g->setup, sizeof g->setup, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_warn("geo: not told: %s", strerror(errno));
}

/* No answer: it is ended, and another will say hello. */
static void
on_patience(struct loop_timer *t)
{
	static struct log_limit said;
	struct side *s = t->arg;
	unsigned left_out;

	if (log_allowed(&said, loop_now_us(s->link->loop), 60000000, &left_out))
		log_warn("geo: no answer for too long; the process is replaced");
	loop_timer_set(s->link->loop, t, NAMES_PATIENCE_US, on_patience, s);
	control(s->link, s->which == PLACES ? GEO_KILL_PLACES : GEO_KILL_NAMES);
}

static void
send_ask(struct side *s)
{
	static uint32_t id;

	s->ask.id = ++id;
	s->ask_generation = s->generation;
	loop_timer_set(s->link->loop, &s->patience, s->which == PLACES ? PLACES_PATIENCE_US : NAMES_PATIENCE_US, on_patience,
		       s);
	if (send(s->fd.fd, &s->ask, sizeof s->ask, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("geo: not asked: %s", strerror(errno)); /* patience sees to it */
}

/* Out of the queue, on its way. */
static void
pump(struct side *s)
{
	unsigned most = s->alone ? 1 : GEO_BATCH;
	char ip[ADDR_TEXT];

	if (s->ask.n || !s->generation)
		return;
	memset(&s->ask, 0, sizeof s->ask);
	for (int looks = 0; looks < LOOKS && s->n && s->ask.n < most; looks++) {
		const struct geo_addr *a = &s->queue[s->first++ % QUEUE];

		s->first %= QUEUE;
		s->n--;
		addr_print(ip, a->ipv, a->addr);
		if (stale(s, ip))
			s->ask.addr[s->ask.n++] = *a;
		else if (s->alone)
			s->alone--;
	}
	if (s->ask.n)
		send_ask(s);
	else if (s->n)
		loop_timer_set(s->link->loop, &s->soon, SOON_US, on_soon, s);
}

/* ---- answers ---- */

static int
good_text(const char *text, size_t size)
{
	size_t n = strnlen(text, size);

	if (n == size || text_utf8(text, n) < 0)
		return 0;
	while (n--) {
		if ((unsigned char)text[n] < ' ' || text[n] == 127)
			return 0;
	}
	return 1;
}

/* What another process says, which a stranger's file may have taken over. */
static int
good_place(const struct geo_place *p)
{
	int cc = !p->cc[0] || (p->cc[0] >= 'A' && p->cc[0] <= 'Z' && p->cc[1] >= 'A' && p->cc[1] <= 'Z');
	int placed = p->lat >= -90000000 && p->lat <= 90000000 && p->lon >= -180000000 && p->lon <= 180000000;
	int nowhere = p->lat == GEO_NOWHERE && p->lon == GEO_NOWHERE;

	return cc && !p->cc[2] && (placed || nowhere) && good_text(p->as_org, sizeof p->as_org) &&
	       good_text(p->city, sizeof p->city);
}

static int
good_name(const struct geo_name *n)
{
	if (n->state > GEO_NAME_FAILED || n->ttl_s > 30 * 86400 || !good_text(n->name, sizeof n->name))
		return 0;
	return (n->state == GEO_NAME_FOUND) == (n->name[0] != 0);
}

static int
take_place(struct side *s, const char *ip, const struct geo_place *p, int64_t now_us)
{
	struct addrinfo_facts f = { .asn = p->asn };

	_Static_assert(sizeof f.as_org == sizeof p->as_org && sizeof f.city == sizeof p->city && sizeof f.cc == sizeof p->cc,
		       "the same lengths");
	memcpy(f.cc, p->cc, sizeof f.cc);
	memcpy(f.as_org, p->as_org, sizeof f.as_org);
	memcpy(f.city, p->city, sizeof f.city);
	if (p->lat != GEO_NOWHERE) {
		f.placed = 1;
		f.lat = p->lat / 1e6;
		f.lon = p->lon / 1e6;
	}
	return addrinfo_take(store_addrs(s->link->store), ip, &f, s->ask_generation, now_us);
}

/* Of the batch on its way; places or names NULL: nothing is known of them. */
static void
take(struct side *s, const struct geo_place *places, const struct geo_name *names)
{
	static const struct geo_place nowhere = { .lat = GEO_NOWHERE, .lon = GEO_NOWHERE };
	static const struct geo_name none = { .state = GEO_NAME_FAILED, .ttl_s = FAILED_TTL_S };
	struct addrinfo_table *t = store_addrs(s->link->store);
	int64_t now_us = loop_wall_us(s->link->loop);
	char ip[ADDR_TEXT];
	int r = addrinfo_begin(t);

	for (uint32_t i = 0; i < s->ask.n && !r; i++) {
		const struct geo_name *name = names ? &names[i] : &none;

		addr_print(ip, s->ask.addr[i].ipv, s->ask.addr[i].addr);
		if (s->which == PLACES)
			r = take_place(s, ip, places ? &places[i] : &nowhere, now_us);
		else
			r = addrinfo_take_name(t, ip, name->name, now_us + name->ttl_s * 1000000LL, now_us);
	}
	r = addrinfo_end(t, r);
	if (r)
		log_debug("geo: not kept: %s", sqlite3_errstr(r)); /* they are asked again some time */
	s->answered += s->ask.n;
}

static void
next(struct side *s)
{
	s->ask.n = 0;
	s->tries = 0;
	loop_timer_clear(&s->patience);
	if (s->alone)
		s->alone--;
	pump(s);
}

/* The process that had the batch is gone, a new one is here. */
static void
again(struct side *s)
{
	if (++s->tries < TRIES) {
		send_ask(s);
	} else if (s->ask.n > 1 && s->n + s->ask.n <= QUEUE) {
		s->first = (s->first + QUEUE - s->ask.n) % QUEUE;
		for (uint32_t i = 0; i < s->ask.n; i++)
			s->queue[(s->first + i) % QUEUE] = s->ask.addr[i];
		s->n += s->ask.n;
		s->alone = s->ask.n + 1;
		next(s);
	} else {
		take(s, NULL, NULL);
		next(s);
	}
}

static void start_walk(struct side *);

static void
hello(struct side *s, const struct geo_hello *h)
{
	struct geolink *g = s->link;
	int changed = h->generation != s->generation;

	if (s->which == PLACES) {
		g->hello = *h;
		for (int i = 0; i < GEO_KINDS; i++) {
			char *const texts[] = { g->hello.base[i].file, g->hello.base[i].type, g->hello.base[i].attribution };

			for (int k = 0; k < 3; k++) {
				if (!good_text(texts[k], k ? GEO_ABOUT_MAX : GEO_PATH_MAX))
					texts[k][0] = 0;
			}
		}
	}
	s->generation = h->generation;
	if (changed) {
		memset(s->seen, 0, sizeof s->seen);
		start_walk(s);
	}
	if (!s->generation) {
		s->ask.n = s->n = s->tries = s->alone = 0;
		loop_timer_clear(&s->patience);
	} else if (s->ask.n) {
		again(s);
	} else {
		pump(s);
	}
}

static void
read_places(struct side *s, ssize_t n)
{
	const struct geo_places *p = &s->link->places;

	if (n != sizeof *p || p->id != s->ask.id || p->n != s->ask.n || !s->ask.n)
		return;
	for (uint32_t i = 0; i < p->n; i++) {
		if (!good_place(&p->place[i])) {
			log_warn("geo: an answer that cannot be; it is not taken");
			take(s, NULL, NULL);
			next(s);
			return;
		}
	}
	take(s, p->place, NULL);
	next(s);
}

static void
read_names(struct side *s, ssize_t n)
{
	struct geo_names *p = &s->link->answers;

	if (n != sizeof *p || p->id != s->ask.id || p->n != s->ask.n || !s->ask.n)
		return;
	for (uint32_t i = 0; i < p->n; i++) {
		if (!good_name(&p->name[i]))
			p->name[i] = (struct geo_name){ .state = GEO_NAME_FAILED, .ttl_s = FAILED_TTL_S };
	}
	take(s, NULL, p->name);
	next(s);
}

static void
on_answer(struct loop_fd *f, uint32_t events)
{
	static union {
		uint32_t is;
		struct geo_hello hello;
		struct geo_places places;
		struct geo_names names;
	} in;
	struct side *s = f->arg;
	ssize_t n = recv(f->fd, &in, sizeof in, MSG_DONTWAIT | MSG_TRUNC);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < (ssize_t)sizeof in.is) {
		log_error("geo: the process is gone; restart the collector for countries and names of new addresses");
		loop_fd_del(f);
		loop_timer_clear(&s->patience);
		s->generation = 0;
		s->ask.n = s->n = 0;
		return;
	}
	if (in.is == GEO_IS_HELLO && n == sizeof in.hello) {
		hello(s, &in.hello);
	} else if (in.is == GEO_IS_PLACES && s->which == PLACES) {
		memcpy(&s->link->places, &in.places, sizeof in.places);
		read_places(s, n);
	} else if (in.is == GEO_IS_NAMES && s->which == NAMES) {
		memcpy(&s->link->answers, &in.names, sizeof in.names);
		read_names(s, n);
	}
}

/* ---- what is stored already ---- */

/* Sets the next stretch of time, or the next table.  0: all were walked over. */
static int
next_stretch(struct side *s)
{
	sqlite3 *db = store_db(s->link->store);
	int64_t now_s = loop_wall_us(s->link->loop) / 1000000;
	sqlite3_stmt *stmt = NULL;

	s->after[0] = 0;
	while (s->walk < WALKS && walks[s->walk].next) {
		int found = 0;

		if (!sqlite3_prepare_v2(db, walks[s->walk].next, -1, &stmt, NULL)) {
			sqlite3_bind_int64(stmt, 1, s->at_s);
			sqlite3_bind_int64(stmt, 2, now_s - walks[s->walk].back_s);
			found = sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_type(stmt, 0) != SQLITE_NULL;
			if (found)
				s->at_s = sqlite3_column_int64(stmt, 0);
		}
		sqlite3_finalize(stmt);
		stmt = NULL;
		if (found)
			return 1;
		s->walk++;
		s->at_s = INT64_MAX;
		s->id = 0;
	}
	return s->walk < WALKS;
}

/* Some rows further.  How many: WALK, and there may be more of this stretch. */
static int
walk_rows(struct side *s)
{
	const struct walk *w = &walks[s->walk];
	sqlite3_stmt *stmt = NULL;
	struct geo_addr a;
	int n = 0;

	if (sqlite3_prepare_v2(store_db(s->link->store), w->sql, -1, &stmt, NULL))
		goto out;
	if (w->next) {
		sqlite3_bind_text(stmt, 1, s->after, -1, SQLITE_TRANSIENT);
		sqlite3_bind_int64(stmt, 2, s->at_s);
	} else {
		sqlite3_bind_int64(stmt, 1, s->id);
	}
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		const char *ip = (const char *)sqlite3_column_text(stmt, 0);

		n++;
		if (!ip || strlen(ip) >= sizeof s->after)
			continue;
		memcpy(s->after, ip, strlen(ip) + 1);
		s->id = sqlite3_column_int64(stmt, 1);
		if (!addr_parse(&a.ipv, a.addr, ip) && wanted(s, &a) && stale(s, ip))
			push(s, &a);
	}
out:
	sqlite3_finalize(stmt);
	return n;
}

/* To the next stretch, or the next table. */
static void
walk_on(struct side *s)
{
	if (!walks[s->walk].next) {
		s->walk++;
		s->at_s = INT64_MAX;
		s->id = 0;
	}
	s->walking = next_stretch(s);
	s->walked_us = loop_now_us(s->link->loop);
}

static void
on_step(struct loop_timer *t)
{
	struct side *s = t->arg;
	struct loop *loop = s->link->loop;
	int64_t wait_us = STEP_US;
	int n = 0;

	if (!s->walking && s->left_out && loop_now_us(loop) - s->walked_us >= WALK_AGAIN_US)
		start_walk(s);
	if (!s->walking) {
		wait_us = WALK_AGAIN_US;
	}
	for (int i = 0; i < STRETCHES && s->walking && s->generation && n < WALK && s->n + WALK <= QUEUE; i++) {
		int rows = walk_rows(s);

		n += rows;
		if (rows < WALK)
			walk_on(s);
	}
	loop_timer_set(loop, t, wait_us, on_step, s);
}

static void
start_walk(struct side *s)
{
	s->walk = 0;
	s->at_s = INT64_MAX;
	s->id = 0;
	s->left_out = 0;
	s->walking = s->generation != 0 && next_stretch(s);
	s->walked_us = loop_now_us(s->link->loop);
	loop_timer_set(s->link->loop, &s->step, STEP_US, on_step, s);
}

static void
on_forget(struct loop_timer *t)
{
	struct geolink *g = t->arg;

	for (int i = 0; i < SIDES; i++)
		memset(g->side[i].seen, 0, sizeof g->side[i].seen);
	loop_timer_set(g->loop, t, FORGET_US, on_forget, g);
}

/* ---- status ---- */

/* "TEXT URL" to {text, url}; nothing when it has no URL of the web. */
static void
put_attribution(struct json *j, const char *name, const char *said)
{
	const char *url = strrchr(said, ' ');
	char text[GEO_ABOUT_MAX];

	if (!url || (strncmp(url + 1, "https://", 8) && strncmp(url + 1, "http://", 7)))
		return;
	snprintf(text, sizeof text, "%.*s", (int)(url - said), said);
	json_map(j, name);
	addrinfo_text(j, "text", text);
	addrinfo_text(j, "url", url + 1);
	json_close(j);
}

const char *
geolink_maker(const char *type)
{
	static const struct {
		const char *word, *said;
	} makers[] = {
		{ "dbip", "IP Geolocation by DB-IP https://db-ip.com" },
		{ "db-ip", "IP Geolocation by DB-IP https://db-ip.com" },
		{ "geolite2", "This product includes GeoLite2 data created by MaxMind https://www.maxmind.com" },
		{ "geoip2", "This product includes GeoIP2 data created by MaxMind https://www.maxmind.com" },
		{ "ipinfo", "IP address data powered by IPinfo https://ipinfo.io" },
	};

	for (size_t i = 0; i < sizeof makers / sizeof *makers; i++) {
		if (strcasestr(type, makers[i].word))
			return makers[i].said;
	}
	return "";
}

static const char *
attribution_of(const struct geolink *g, int kind)
{
	const char *said = g->hello.base[kind].attribution;

	return said[0] ? said : geolink_maker(g->hello.base[kind].type);
}

void
geolink_attribution(struct geolink *g, struct json *j, const char *name)
{
	json_list(j, name);
	for (int i = 0; g && i < GEO_KINDS; i++) {
		int told = !g->hello.base[i].file[0];

		for (int k = 0; k < i; k++)
			told |= g->hello.base[k].file[0] && !strcmp(attribution_of(g, k), attribution_of(g, i));
		if (!told)
			put_attribution(j, NULL, attribution_of(g, i));
	}
	json_close(j);
}

static void
put_bases(struct geolink *g, struct json *j)
{
	static const char *const words[] = GEO_WORDS_KIND;

	json_list(j, "databases");
	for (int i = 0; i < GEO_KINDS; i++) {
		const char *file = g->hello.base[i].file, *slash = strrchr(file, '/');

		if (!file[0])
			continue;
		json_map(j, NULL);
		json_raw_str(j, "kind", words[i], strlen(words[i]));
		addrinfo_text(j, "file", slash ? slash + 1 : file);
		addrinfo_text(j, "type", g->hello.base[i].type);
		if (g->hello.base[i].built_s > 0 && g->hello.base[i].built_s < 253402300800)
			json_time(j, "built_ts", g->hello.base[i].built_s * 1000000);
		put_attribution(j, "attribution", attribution_of(g, i));
		json_close(j);
	}
	json_close(j);
}

struct geolink_counts
geolink_counts(struct geolink *g)
{
	struct addrinfo_table *t = store_addrs(g->store);
	const struct side *p = &g->side[PLACES], *n = &g->side[NAMES];
	struct geolink_counts c = {
		.lookups = p->answered, .evicted = t->evicted, .waiting = p->n + p->ask.n, .cached_max = t->max,
		.dns_on = n->generation != 0, .dns_lookups = n->answered, .dns_waiting = n->n + n->ask.n,
	};

	(void)addrinfo_count(t, &c.cached);
	return c;
}

void
geolink_put(struct geolink *g, struct json *j)
{
	struct geolink_counts c = geolink_counts(g);

	json_uint(j, "lookups", c.lookups);
	json_int(j, "cached", c.cached);
	json_int(j, "cached_max", c.cached_max);
	json_uint(j, "evicted", c.evicted);
	json_uint(j, "waiting", c.waiting);
	json_map(j, "dns");
	json_bool(j, "on", c.dns_on);
	json_uint(j, "lookups", c.dns_lookups);
	json_uint(j, "waiting", c.dns_waiting);
	json_close(j);
}

void
geolink_status(struct geolink *g, struct json *j)
{
	put_bases(g, j);
	geolink_put(g, j);
}

/* ---- start and end ---- */

struct geolink *
geolink_new(struct loop *loop, struct store *store, const char *libexec_dir)
{
	struct geolink *g = calloc(1, sizeof *g);
	int fds[GEOSTART_FDS];
	pid_t pid;

	if (!g)
		return NULL;
	g->loop = loop;
	g->store = store;
	g->control = -1;
	hash_random(g->secret, sizeof g->secret);
	for (int i = 0; i < SIDES; i++) {
		g->side[i] = (struct side){ .link = g, .which = i };
		g->side[i].soon.arg = g->side[i].step.arg = g->side[i].patience.arg = &g->side[i];
	}
	pid = geostart_serve(libexec_dir, fds);
	g->missing = pid == -ENOENT;
	if (pid < 0) {
		if (!g->missing)
			log_error("%s/geo: %s; nothing is looked up", libexec_dir, strerror(-pid));
		return g;
	}
	g->control = fds[GEOSTART_CONTROL];
	if (loop_fd_add(loop, &g->side[PLACES].fd, fds[GEOSTART_PLACES], EPOLLIN, on_answer, &g->side[PLACES]) ||
	    loop_fd_add(loop, &g->side[NAMES].fd, fds[GEOSTART_NAMES], EPOLLIN, on_answer, &g->side[NAMES]))
		log_error("geo: %s; nothing is looked up", strerror(errno));
	loop_timer_set(loop, &g->forget, FORGET_US, on_forget, g);
	return g;
}

void
geolink_setup(struct geolink *g, const struct conf *conf)
{
	g->names.n = 0;
	for (size_t i = 0; i < conf_list_n(conf, "home"); i++)
		(void)names_add(&g->names, conf_list(conf, "home", i)); /* checked when it was read */
	store_addrs(g->store)->names = &g->names;
	geostart_setup(conf, &g->setup, &g->named);
	if (g->missing && (g->setup.servers_n || g->setup.file[GEO_COUNTRY][0] || g->setup.file[GEO_CITY][0] ||
			   g->setup.file[GEO_ASN][0]))
		log_warn("there is no program geo in libexec-dir: addresses are not looked up");
	if (!g->setup.servers_n) {
		g->side[NAMES].generation = 0;
		g->side[NAMES].ask.n = g->side[NAMES].n = 0;
		loop_timer_clear(&g->side[NAMES].patience);
	}
	control(g, GEO_SETUP);
}

void
geolink_free(struct geolink *g)
{
	if (!g)
		return;
	for (int i = 0; i < SIDES; i++) {
		struct side *s = &g->side[i];

		loop_timer_clear(&s->soon);
		loop_timer_clear(&s->step);
		loop_timer_clear(&s->patience);
		if (s->fd.loop)
			loop_fd_del(&s->fd);
		if (g->control >= 0)
			close(s->fd.fd);
	}
	loop_timer_clear(&g->forget);
	if (g->control >= 0)
		close(g->control);
	store_addrs(g->store)->names = NULL;
	free(g);
}
