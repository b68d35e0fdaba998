/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A process geo that was taken over: it answers with any bytes.  The input is a list of packets: what kind, and what
 * its fields are overwritten with.  What is stored then is harmless, and goes out as JSON.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "../../src/collector/geolink.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct loop *loop;
static struct store *store;
static struct geolink *g;
static int theirs[GEOSTART_FDS];

static void
check(int ok)
{
	if (!ok)
		abort();
}

pid_t
geostart_serve(const char *dir, int fds[GEOSTART_FDS])
{
	(void)dir;
	for (int i = 0; i < GEOSTART_FDS; i++) {
		int pair[2];

		check(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair));
		fds[i] = pair[0];
		theirs[i] = pair[1];
	}
	return 1;
}

void
geostart_setup(const struct conf *conf, struct geo_control *c, int *named)
{
	(void)conf;
	*c = (struct geo_control){ .servers_n = 1 };
	*named = 1;
}

static void
setup(void)
{
	static const struct store_limits limits = { 2000, 16 << 20, 30 };

	log_set_level(LOG_L_ERROR);
	check(!store_open(&store, ":memory:", &limits, 1795287845000000));
	loop = loop_new();
	check(loop != NULL);
	g = geolink_new(loop, store, "");
	check(g != NULL);
}

/* All members are text that a page may show. */
static void
stored_is_harmless(void)
{
	static char out[1 << 16];
	sqlite3_stmt *stmt;
	struct json j;
	yajl_handle y;

	check(!sqlite3_prepare_v2(store_db(store), "SELECT ip FROM addr", -1, &stmt, NULL));
	json_begin(&j, out, sizeof out);
	json_map(&j, NULL);
	while (sqlite3_step(stmt) == SQLITE_ROW && j.len < sizeof out / 2) {
		struct addrinfo_facts f;

		check(addrinfo_find(store_addrs(store), (const char *)sqlite3_column_text(stmt, 0), &f));
		check(good_text(f.as_org, sizeof f.as_org) && good_text(f.city, sizeof f.city) && good_text(f.name, sizeof f.name));
		check(!f.placed || (f.lat >= -90 && f.lat <= 90 && f.lon >= -180 && f.lon <= 180));
		json_map(&j, (const char *)sqlite3_column_text(stmt, 0));
		addrinfo_put(&j, "dst", &f);
		json_close(&j);
	}
	sqlite3_finalize(stmt);
	geolink_status(g, &j);
	geolink_attribution(g, &j, "attribution");
	json_close(&j);
	check(!json_end(&j));
	y = yajl_alloc(NULL, NULL, NULL);
	check(yajl_parse(y, (const unsigned char *)out, j.len) == yajl_status_ok && yajl_complete_parse(y) == yajl_status_ok);
	yajl_free(y);
}

/* One packet of theirs, read as the loop would. */
static void
say(struct side *s, const void *packet, size_t n)
{
	if (send(theirs[s->which == PLACES ? GEOSTART_PLACES : GEOSTART_NAMES], packet, n, MSG_NOSIGNAL) == (ssize_t)n && s->fd.loop)
		on_answer(&s->fd, EPOLLIN);
}

static size_t
overwrite(void *packet, size_t n, const uint8_t *data, size_t size)
{
	size_t at = size > 2 ? (size_t)(data[0] << 8 | data[1]) % n : 0, len = size > 2 ? size - 2 : 0;

	if (len > n - at)
		len = n - at;
	if (len)
		memcpy((char *)packet + at, data + 2, len);
	return at + len;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static union {
		struct geo_hello hello;
		struct geo_places places;
		struct geo_names names;
		struct geo_control control;
		struct geo_ask ask;
	} p;
	struct geo_addr a = { 4, { 8, 8 } };
	int kind;

	if (!g)
		setup();
	for (int i = 0; i < SIDES; i++) {
		if (!g->side[i].generation) {
			p.hello = (struct geo_hello){ .is = GEO_IS_HELLO, .generation = 7 };
			say(&g->side[i], &p, sizeof p.hello);
		}
		g->side[i].seen[0] = 0;
	}
	while (size > 1) {
		size_t n = data[1] < size - 2 ? data[1] : size - 2;
		struct side *s = &g->side[data[0] & 1];

		kind = data[0] >> 1 & 3;
		data += 2;
		size -= 2;
		a.addr[2] = n ? data[0] & 15 : 0;
		memset(s->seen, 0, sizeof s->seen);
		if (!s->ask.n && s->generation) {
			push(s, &a);
			pump(s);
		}
		memset(&p, 0, sizeof p);
		if (kind == 0) {
			p.hello = (struct geo_hello){ .is = GEO_IS_HELLO, .generation = 7 };
			overwrite(&p.hello.generation, sizeof p.hello - offsetof(struct geo_hello, generation), data, n);
			say(s, &p, sizeof p.hello);
		} else if (kind == 1) {
			p.places = (struct geo_places){ .is = GEO_IS_PLACES, .id = s->ask.id, .n = s->ask.n };
			overwrite(&p.places.place[0], sizeof p.places.place[0], data, n);
			say(s, &p, sizeof p.places);
		} else if (kind == 2) {
			p.names = (struct geo_names){ .is = GEO_IS_NAMES, .id = s->ask.id, .n = s->ask.n };
			overwrite(&p.names.name[0], sizeof p.names.name[0], data, n);
			say(s, &p, sizeof p.names);
		} else if (n) { /* of zero bytes is an end */
			say(s, data, n);
		}
		data += n;
		size -= n;
		/* What we asked and said is not for anybody. */
		for (int i = 0; i < GEOSTART_FDS; i++) {
			while (recv(theirs[i], &p, sizeof p, MSG_DONTWAIT) > 0)
				;
		}
	}
	stored_is_harmless();
	return 0;
}
