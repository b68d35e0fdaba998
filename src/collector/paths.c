/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * paths.c - traces to hops, links, paths and changes.
 *
 * A hop is (sensor, ttl, ip): the same router at two distances is two hops, so that links always lead
 * from a smaller ttl to a greater one.  A link with gap > 0 spans ttls that nobody answered at: it says
 * that b was seen somewhere behind a, never that the two are neighbours.  Its rtt is what it adds, the
 * difference of the two hops' least rtt in one trace, not below 0: a router that answers late makes
 * differences negative, and a median does not mind which side of 0 they are cut at.
 *
 * Whether a path changed is the sensor's word (prev_path_hash): it knows which flow it traced.  Two
 * hashes alone may as well be two branches of a load balancer.
 */
#include "paths.h"

#include <stdio.h>
#include <string.h>

#include "column.h"
#include "lib/hash.h"

/* Of the hops and links that there may be, so many evictions are remembered. */
#define GONE_SHARE 4

#define OWN "sensor TEXT NOT NULL, "
#define TIMES "first_us INTEGER NOT NULL, last_us INTEGER NOT NULL, "
#define RTT "rtt_min INTEGER, rtt_max INTEGER, hist BLOB, " /* hist: rtt_pack() */

/* name, dst_name and hops are JSON as it came: strings with their quotes, a list.  link.a: '' is the
 * sensor itself; link.ttl is a's.  path.hops is the latest trace's. */
const char paths_schema[] =
	"CREATE TABLE hop (id INTEGER PRIMARY KEY, " OWN "ttl INTEGER NOT NULL, ip TEXT NOT NULL,"
	"  name TEXT, traces INTEGER NOT NULL, cached INTEGER NOT NULL, sent INTEGER NOT NULL,"
	"  answered INTEGER NOT NULL, " RTT TIMES "UNIQUE (sensor, ttl, ip));"
	"CREATE INDEX hop_last ON hop (last_us);"
	"CREATE TABLE link (id INTEGER PRIMARY KEY, " OWN "ttl INTEGER NOT NULL, a TEXT NOT NULL,"
	"  gap INTEGER NOT NULL, b TEXT NOT NULL, traces INTEGER NOT NULL, " RTT TIMES
	"  UNIQUE (sensor, ttl, a, gap, b));"
	"CREATE INDEX link_last ON link (last_us);"
	"CREATE TABLE target (id INTEGER PRIMARY KEY, " OWN "dst_ip TEXT NOT NULL, dst_port INTEGER,"
	"  dst_name TEXT, path_hash TEXT NOT NULL, traces INTEGER NOT NULL, changes INTEGER NOT NULL,"
	"  changed_us INTEGER, " TIMES "UNIQUE (sensor, dst_ip));"
	"CREATE INDEX target_last ON target (last_us);"
	"CREATE TABLE path (id INTEGER PRIMARY KEY, " OWN "dst_ip TEXT NOT NULL, path_hash TEXT NOT NULL,"
	"  method INTEGER NOT NULL, cause INTEGER, reached INTEGER NOT NULL, hops_n INTEGER NOT NULL,"
	"  silent_n INTEGER NOT NULL, rtt_us INTEGER, traces INTEGER NOT NULL, hops TEXT NOT NULL, " TIMES
	"  UNIQUE (sensor, dst_ip, path_hash));"
	"CREATE INDEX path_last ON path (last_us);"
	"CREATE TABLE change (id INTEGER PRIMARY KEY, " OWN "dst_ip TEXT NOT NULL, last_us INTEGER NOT NULL,"
	"  old TEXT NOT NULL, new TEXT NOT NULL);"
	"CREATE INDEX change_of ON change (sensor, dst_ip, last_us);"
	"CREATE INDEX change_last ON change (last_us);";

/* For questions that begin at an address, and the order in which links changed (graphdb.h); made when a database is
 * opened that lacks them.  Links from before follow in the order of their numbers.  graph_gone: what was evicted last, for a
 * copy of the graph (projection.c) that is to evict it too: a link's ends, or, a being NULL, a hop's address. */
static const char more_schema[] =
	"CREATE INDEX IF NOT EXISTS hop_ip ON hop (ip);"
	"CREATE INDEX IF NOT EXISTS link_a ON link (a, b);"
	"CREATE INDEX IF NOT EXISTS link_b ON link (b);"
	"CREATE TABLE IF NOT EXISTS link_rev (link INTEGER PRIMARY KEY, rev INTEGER NOT NULL);"
	"CREATE INDEX IF NOT EXISTS link_rev_rev ON link_rev (rev);"
	"CREATE TRIGGER IF NOT EXISTS link_gone AFTER DELETE ON link BEGIN"
	"  DELETE FROM link_rev WHERE link = old.id; END;"
	"CREATE TABLE IF NOT EXISTS graph_gone (id INTEGER PRIMARY KEY AUTOINCREMENT, is_sensor INTEGER NOT NULL, a TEXT, b TEXT NOT NULL);"
	"CREATE TRIGGER IF NOT EXISTS link_gone_note AFTER DELETE ON link BEGIN"
	"  INSERT INTO graph_gone (is_sensor, a, b) VALUES (old.a = '', iif(old.a = '', old.sensor, old.a), old.b); END;"
	"CREATE TRIGGER IF NOT EXISTS hop_gone_note AFTER DELETE ON hop BEGIN"
	"  INSERT INTO graph_gone (is_sensor, a, b) VALUES (0, NULL, old.ip); END;"
	"INSERT OR IGNORE INTO meta VALUES ('graph_id', abs(random()));"
	"INSERT OR IGNORE INTO link_rev SELECT id, id FROM link WHERE NOT EXISTS (SELECT 1 FROM link_rev);";

#undef OWN
#undef TIMES
#undef RTT

#define TIMES "first_us = min(first_us, excluded.first_us), last_us = max(last_us, excluded.last_us)"
#define NEWER "excluded.last_us >= last_us"
#define EVICT(table) \
	"DELETE FROM " table " WHERE id IN (SELECT id FROM " table " ORDER BY last_us, id LIMIT ?1)"

static const char *const sql[PATHS_STMTS] = {
	[PATHS_HOP_GET] = "SELECT rtt_min, rtt_max, hist FROM hop WHERE sensor = ?1 AND ttl = ?2 AND ip = ?3",
	[PATHS_HOP_PUT] = "INSERT INTO hop (sensor, ttl, ip, name, traces, cached, sent, answered, rtt_min,"
			  " rtt_max, hist, first_us, last_us)"
			  " VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11)"
			  " ON CONFLICT (sensor, ttl, ip) DO UPDATE SET name = coalesce(excluded.name, name),"
			  " traces = traces + 1, cached = cached + excluded.cached, sent = sent + excluded.sent,"
			  " answered = answered + excluded.answered, rtt_min = excluded.rtt_min,"
			  " rtt_max = excluded.rtt_max, hist = excluded.hist, " TIMES,
	[PATHS_LINK_GET] = "SELECT rtt_min, rtt_max, hist FROM link"
			   " WHERE sensor = ?1 AND ttl = ?2 AND a = ?3 AND gap = ?4 AND b = ?5",
	[PATHS_LINK_PUT] = "INSERT INTO link (sensor, ttl, a, gap, b, traces, rtt_min, rtt_max, hist, first_us,"
			   " last_us) VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8, ?9, ?9)"
			   " ON CONFLICT (sensor, ttl, a, gap, b) DO UPDATE SET traces = traces + 1,"
			   " rtt_min = excluded.rtt_min, rtt_max = excluded.rtt_max, hist = excluded.hist, " TIMES,
	[PATHS_LINK_REV] = "INSERT OR REPLACE INTO link_rev SELECT id, ?6 FROM link"
			   " WHERE sensor = ?1 AND ttl = ?2 AND a = ?3 AND gap = ?4 AND b = ?5",
	[PATHS_TARGET_GET] = "SELECT 1 FROM target WHERE sensor = ?1 AND dst_ip = ?2",
	[PATHS_TARGET_PUT] = "INSERT INTO target (sensor, dst_ip, dst_port, dst_name, path_hash, traces, changes,"
			     " changed_us, first_us, last_us) VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8, ?8)"
			     " ON CONFLICT (sensor, dst_ip) DO UPDATE SET"
			     " dst_port = iif(" NEWER ", coalesce(excluded.dst_port, dst_port), dst_port),"
			     " dst_name = iif(" NEWER ", coalesce(excluded.dst_name, dst_name), dst_name),"
			     " path_hash = iif(" NEWER ", excluded.path_hash, path_hash),"
			     " traces = traces + 1, changes = changes + excluded.changes,"
			     " changed_us = nullif(max(coalesce(changed_us, -1), coalesce(excluded.changed_us, -1)),"
			     " -1), " TIMES,
	[PATHS_PATH_GET] = "SELECT 1 FROM path WHERE sensor = ?1 AND dst_ip = ?2 AND path_hash = ?3",
	[PATHS_PATH_PUT] = "INSERT INTO path (sensor, dst_ip, path_hash, method, cause, reached, hops_n,"
			   " silent_n, rtt_us, traces, hops, first_us, last_us)"
			   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, ?10, ?11, ?11)"
			   " ON CONFLICT (sensor, dst_ip, path_hash) DO UPDATE SET"
			   " method = iif(" NEWER ", excluded.method, method),"
			   " cause = iif(" NEWER ", excluded.cause, cause),"
			   " reached = iif(" NEWER ", excluded.reached, reached),"
			   " hops_n = iif(" NEWER ", excluded.hops_n, hops_n),"
			   " silent_n = iif(" NEWER ", excluded.silent_n, silent_n),"
			   " rtt_us = iif(" NEWER ", excluded.rtt_us, rtt_us),"
			   " hops = iif(" NEWER ", excluded.hops, hops), traces = traces + 1, " TIMES,
	[PATHS_CHANGE_PUT] = "INSERT INTO change (sensor, dst_ip, last_us, old, new) VALUES (?1, ?2, ?3, ?4, ?5)",
	[PATHS_EVICTED_PUT] = "INSERT OR REPLACE INTO meta VALUES (?1, ?2)",
	[PATHS_GONE_TRIM] = "DELETE FROM graph_gone WHERE id <= (SELECT max(id) FROM graph_gone) - ?1",
	[PATHS_EVICT + PATHS_HOP] = EVICT("hop"),
	[PATHS_EVICT + PATHS_LINK] = EVICT("link"),
	[PATHS_EVICT + PATHS_TARGET] = EVICT("target"),
	[PATHS_EVICT + PATHS_PATH] = EVICT("path"),
	[PATHS_EVICT + PATHS_CHANGE] = EVICT("change"),
};

static const struct {
	const char *count;
	const char *evicted; /* key in the table meta */
	int64_t max;
} tables[PATHS_TABLES] = {
	[PATHS_HOP] = { "SELECT count(*) FROM hop", "evicted_hop", PATHS_HOPS_MAX },
	[PATHS_LINK] = { "SELECT count(*) FROM link", "evicted_link", PATHS_LINKS_MAX },
	[PATHS_TARGET] = { "SELECT count(*) FROM target", "evicted_target", PATHS_TARGETS_MAX },
	[PATHS_PATH] = { "SELECT count(*) FROM path", "evicted_path", PATHS_PATHS_MAX },
	[PATHS_CHANGE] = { "SELECT count(*) FROM change", "evicted_change", PATHS_CHANGES_MAX },
};

/* One step of a statement; resets it.  0, or an SQLite code; *row: it gave one. */
static int
step(struct paths *p, int i, int *row)
{
	int r = sqlite3_step(p->stmt[i]);

	if (row)
		*row = r == SQLITE_ROW;
	sqlite3_reset(p->stmt[i]);
	return r == SQLITE_ROW || r == SQLITE_DONE ? 0 : r;
}

/* The first number of a question asked while opening; 0: there is none. */
static int
ask(struct paths *p, const char *text, const char *key, int64_t *out)
{
	sqlite3_stmt *stmt = NULL;
	int r = sqlite3_prepare_v2(p->db, text, -1, &stmt, NULL);

	*out = 0;
	if (!r) {
		if (key)
			column_bind_text(stmt, 1, key);
		r = sqlite3_step(stmt);
		if (r == SQLITE_ROW)
			*out = sqlite3_column_int64(stmt, 0);
		r = r == SQLITE_ROW || r == SQLITE_DONE ? 0 : r;
	}
	sqlite3_finalize(stmt);
	return r;
}

int
paths_open(struct paths *p, sqlite3 *db)
{
	int r = 0;

	*p = (struct paths){ .db = db };
	r = sqlite3_exec(db, more_schema, NULL, NULL, NULL);
	if (!r)
		r = ask(p, "SELECT max(rev) FROM link_rev", NULL, &p->rev);
	for (int i = 0; i < PATHS_STMTS && !r; i++)
		r = sqlite3_prepare_v3(db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &p->stmt[i], NULL);
	for (int t = 0; t < PATHS_TABLES && !r; t++) {
		p->max[t] = tables[t].max;
		r = ask(p, tables[t].count, NULL, &p->now.rows[t]);
		if (!r)
			r = ask(p, "SELECT value FROM meta WHERE key = ?1", tables[t].evicted,
				&p->now.evicted[t]);
	}
	p->committed = p->now;
	return r;
}

void
paths_close(struct paths *p)
{
	for (int i = 0; i < PATHS_STMTS; i++)
		sqlite3_finalize(p->stmt[i]);
	memset(p, 0, sizeof *p);
}

void
paths_limit(struct paths *p, int64_t max_bytes)
{
	for (int t = 0; t < PATHS_TABLES; t++) {
		p->max[t] = tables[t].max;
		if (max_bytes < PATHS_FULL_BYTES)
			p->max[t] = 1 + tables[t].max * max_bytes / PATHS_FULL_BYTES;
	}
}

static int
evict(struct paths *p, int t, int64_t n)
{
	int r, gone;

	sqlite3_bind_int64(p->stmt[PATHS_EVICT + t], 1, n);
	r = step(p, PATHS_EVICT + t, NULL);
	if (r)
		return r;
	gone = sqlite3_changes(p->db);
	p->now.rows[t] -= gone;
	p->now.evicted[t] += gone;
	return 0;
}

/* A row was added: another may have to go. */
static int
added(struct paths *p, int t)
{
	p->now.rows[t]++;
	return p->now.rows[t] > p->max[t] ? evict(p, t, p->now.rows[t] - p->max[t]) : 0;
}

/* The times of a row, if it is there. */
static int
get_rtt(sqlite3_stmt *get, struct rtt *rtt, int *found)
{
	int r = sqlite3_step(get);

	*found = r == SQLITE_ROW;
	if (*found)
		column_add_rtt(rtt, get, 0, 2);
	sqlite3_reset(get);
	return r == SQLITE_ROW || r == SQLITE_DONE ? 0 : r;
}

static int
put_hop(struct paths *p, const char *sensor, const struct report_hop *hop, int64_t at_us)
{
	sqlite3_stmt *get = p->stmt[PATHS_HOP_GET], *put = p->stmt[PATHS_HOP_PUT];
	uint8_t packed[RTT_PACKED];
	struct rtt rtt = { 0 };
	int r, found;

	for (int i = 0; i < 2; i++) {
		column_bind_text(i ? put : get, 1, sensor);
		sqlite3_bind_int64(i ? put : get, 2, hop->ttl);
		column_bind_text(i ? put : get, 3, hop->ip);
	}
	r = get_rtt(get, &rtt, &found);
	if (r)
		return r;
	for (unsigned i = 0; i < hop->n_rtt; i++)
		rtt_add(&rtt, hop->rtt_us[i], 1);
	if (hop->name.n)
		sqlite3_bind_text(put, 4, hop->name.s, (int)hop->name.n, SQLITE_STATIC);
	else
		sqlite3_bind_null(put, 4);
	sqlite3_bind_int64(put, 5, hop->cached == 1);
	sqlite3_bind_int64(put, 6, hop->sent > 0 ? hop->sent : hop->n_rtt);
	sqlite3_bind_int64(put, 7, hop->n_rtt);
	column_bind_rtt(put, 8, 10, &rtt, packed);
	sqlite3_bind_int64(put, 11, at_us);
	r = step(p, PATHS_HOP_PUT, NULL);
	return r || found ? r : added(p, PATHS_HOP);
}

/* -1: no answer had a time. */
static int64_t
least_rtt(const struct report_hop *hop)
{
	int64_t least = -1;

	for (unsigned i = 0; i < hop->n_rtt; i++) {
		if (least < 0 || hop->rtt_us[i] < least)
			least = hop->rtt_us[i];
	}
	return least;
}

/* a NULL: the sensor itself. */
static int
put_link(struct paths *p, const char *sensor, const struct report_hop *a, const struct report_hop *b,
	 int64_t at_us)
{
	sqlite3_stmt *get = p->stmt[PATHS_LINK_GET], *put = p->stmt[PATHS_LINK_PUT], *rev = p->stmt[PATHS_LINK_REV];
	int64_t ttl = a ? a->ttl : 0, from_us = a ? least_rtt(a) : 0, to_us = least_rtt(b);
	uint8_t packed[RTT_PACKED];
	struct rtt rtt = { 0 };
	int r, found;

	for (int i = 0; i < 3; i++) {
		sqlite3_stmt *stmt = i == 2 ? rev : i ? put : get;

		column_bind_text(stmt, 1, sensor);
		sqlite3_bind_int64(stmt, 2, ttl);
		column_bind_text(stmt, 3, a ? a->ip : "");
		sqlite3_bind_int64(stmt, 4, b->ttl - ttl - 1);
		column_bind_text(stmt, 5, b->ip);
	}
	r = get_rtt(get, &rtt, &found);
	if (r)
		return r;
	if (from_us >= 0 && to_us >= 0)
		rtt_add(&rtt, to_us > from_us ? (uint64_t)(to_us - from_us) : 0, 1);
	column_bind_rtt(put, 6, 8, &rtt, packed);
	sqlite3_bind_int64(put, 9, at_us);
	r = step(p, PATHS_LINK_PUT, NULL);
	sqlite3_bind_int64(rev, 6, ++p->rev); /* one of a batch that is rolled back is left out */
	if (!r)
		r = step(p, PATHS_LINK_REV, NULL);
	return r || found ? r : added(p, PATHS_LINK);
}

/* The schema's definition leaves the function open; ours is for sensors that leave the field out. */
static void
make_hash(char out[17], const struct report_trace *t)
{
	static const uint8_t key[16];
	char ips[REPORT_HOPS_MAX * ADDR_TEXT];
	size_t n = 0;

	for (unsigned i = 0; i < t->n_hops; i++) {
		size_t len = strlen(t->hop[i].ip);

		memcpy(ips + n, t->hop[i].ip, len);
		n += len;
		if (len)
			ips[n++] = ' ';
	}
	snprintf(out, 17, "%016llx", (unsigned long long)hash_sip(key, ips, n));
}

static int
put_path(struct paths *p, const struct report *rep, const char *hash, int64_t at_us)
{
	sqlite3_stmt *get = p->stmt[PATHS_PATH_GET], *put = p->stmt[PATHS_PATH_PUT];
	const struct report_trace *t = rep->trace;
	const struct report_hop *last = NULL;
	int64_t answered = 0;
	int r, found;

	for (unsigned i = 0; i < t->n_hops; i++) {
		if (!t->hop[i].ip[0] || (last && t->hop[i].ttl <= last->ttl))
			continue;
		last = &t->hop[i];
		answered++;
	}
	for (int i = 0; i < 2; i++) {
		column_bind_text(i ? put : get, 1, rep->sensor);
		column_bind_text(i ? put : get, 2, rep->dst_ip);
		column_bind_text(i ? put : get, 3, hash);
	}
	r = step(p, PATHS_PATH_GET, &found);
	if (r)
		return r;
	sqlite3_bind_int64(put, 4, t->method);
	column_bind_known(put, 5, t->trigger);
	sqlite3_bind_int64(put, 6, t->reached);
	sqlite3_bind_int64(put, 7, last ? last->ttl : 0);
	sqlite3_bind_int64(put, 8, last ? last->ttl - answered : 0);
	column_bind_known(put, 9, last && t->reached ? least_rtt(last) : -1);
	sqlite3_bind_text(put, 10, t->hops.s, (int)t->hops.n, SQLITE_STATIC);
	sqlite3_bind_int64(put, 11, at_us);
	r = step(p, PATHS_PATH_PUT, NULL);
	return r || found ? r : added(p, PATHS_PATH);
}

static int
put_target(struct paths *p, const struct report *rep, const char *hash, int changed, int64_t at_us)
{
	sqlite3_stmt *get = p->stmt[PATHS_TARGET_GET], *put = p->stmt[PATHS_TARGET_PUT];
	const struct report_text *name = &rep->trace->dst_name;
	int r, found;

	for (int i = 0; i < 2; i++) {
		column_bind_text(i ? put : get, 1, rep->sensor);
		column_bind_text(i ? put : get, 2, rep->dst_ip);
	}
	r = step(p, PATHS_TARGET_GET, &found);
	if (r)
		return r;
	column_bind_known(put, 3, rep->dst_port);
	if (name->n)
		sqlite3_bind_text(put, 4, name->s, (int)name->n, SQLITE_STATIC);
	else
		sqlite3_bind_null(put, 4);
	column_bind_text(put, 5, hash);
	sqlite3_bind_int64(put, 6, changed);
	column_bind_known(put, 7, changed ? at_us : -1);
	sqlite3_bind_int64(put, 8, at_us);
	r = step(p, PATHS_TARGET_PUT, NULL);
	return r || found ? r : added(p, PATHS_TARGET);
}

static int
put_change(struct paths *p, const struct report *rep, const char *hash, int64_t at_us)
{
	sqlite3_stmt *put = p->stmt[PATHS_CHANGE_PUT];
	int r;

	column_bind_text(put, 1, rep->sensor);
	column_bind_text(put, 2, rep->dst_ip);
	sqlite3_bind_int64(put, 3, at_us);
	column_bind_text(put, 4, rep->trace->prev_path_hash);
	column_bind_text(put, 5, hash);
	r = step(p, PATHS_CHANGE_PUT, NULL);
	return r ? r : added(p, PATHS_CHANGE);
}

int
paths_add(struct paths *p, const struct report *rep, int64_t at_us)
{
	const struct report_trace *t = rep->trace;
	const struct report_hop *before = NULL;
	char hash[17];
	int changed, r;

	if (t->path_hash[0])
		memcpy(hash, t->path_hash, sizeof hash);
	else
		make_hash(hash, t);
	changed = t->prev_path_hash[0] && strcmp(t->prev_path_hash, hash);
	r = put_path(p, rep, hash, at_us);
	if (!r)
		r = put_target(p, rep, hash, changed, at_us);
	if (!r && changed)
		r = put_change(p, rep, hash, at_us);
	for (unsigned i = 0; i < t->n_hops && !r; i++) {
		const struct report_hop *hop = &t->hop[i];

		if (!hop->ip[0])
			continue;
		r = put_hop(p, rep->sensor, hop, at_us);
		/* A second answer at one ttl is a hop, but nobody knows which of the two leads on. */
		if (r || (before && hop->ttl <= before->ttl))
			continue;
		r = put_link(p, rep->sensor, before, hop, at_us);
		before = hop;
	}
	return r;
}

int
paths_flush(struct paths *p)
{
	sqlite3_stmt *put = p->stmt[PATHS_EVICTED_PUT];
	int r = 0, gone = 0;

	for (int t = 0; t < PATHS_TABLES && !r; t++) {
		if (p->now.evicted[t] == p->committed.evicted[t])
			continue;
		column_bind_text(put, 1, tables[t].evicted);
		sqlite3_bind_int64(put, 2, p->now.evicted[t]);
		r = step(p, PATHS_EVICTED_PUT, NULL);
		gone |= t == PATHS_HOP || t == PATHS_LINK;
	}
	if (!r && gone) {
		sqlite3_bind_int64(p->stmt[PATHS_GONE_TRIM], 1, (p->max[PATHS_HOP] + p->max[PATHS_LINK]) / GONE_SHARE);
		r = step(p, PATHS_GONE_TRIM, NULL);
	}
	return r;
}

void
paths_committed(struct paths *p)
{
	p->committed = p->now;
}

void
paths_rolled_back(struct paths *p)
{
	p->now = p->committed;
}

int
paths_trim(struct paths *p, int *removed)
{
	int r = 0;

	*removed = 0;
	for (int t = 0; t < PATHS_TABLES && !r; t++) {
		if (!p->now.rows[t])
			continue;
		r = evict(p, t, 1 + p->now.rows[t] / 16);
		*removed = 1;
	}
	return r;
}
