/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * projection.c - batches of links, each once, and the nodes at their ends; values are Cypher's parameters.
 *
 * Nodes go first, then relations between nodes that are there, with plain SET: FalkorDB 4.16 crashes on ON CREATE
 * and ON MATCH, and when a batch has one new relation twice.
 */
#include "projection.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "column.h"
#include "dbfile.h"
#include "falkor.h"
#include "graphdb.h"
#include "lib/hash.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/priv.h"
#include "set.h"
#include "store.h"

#define TURN_US 1000000
#define WAIT_MIN_S 1
#define WAIT_MAX_S 60
#define LOOK_US 5000000 /* whether the server still has the graph */
#define PASSWORD_MAX 512

enum state { S_STARTING, S_AWAY, S_REFUSED, S_BEHIND, S_CURRENT };
static const char *const states[] = { "starting", "away", "refused", "behind", "current" };

/* Written by the process, read by the collector. */
struct shared {
	int state;
	int64_t cursor, gone;
	uint64_t edges, batches, failures, starts;
};

struct projection {
	pid_t keeper;
	volatile struct shared *shared;
};

/* ---- queries ---- */

struct text {
	char *s;
	size_t n, size;
	int failed;
};

static void __attribute__((format(printf, 2, 3)))
add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	for (;;) {
		char *more;

		va_start(ap, fmt);
		n = vsnprintf(t->s ? t->s + t->n : NULL, t->size - t->n, fmt, ap);
		va_end(ap);
		if (n >= 0 && t->n + (size_t)n < t->size) {
			t->n += (size_t)n;
			return;
		}
		more = t->failed ? NULL : realloc(t->s, 2 * t->size + (size_t)n + 1);
		if (!more) {
			t->failed = 1;
			return;
		}
		t->s = more;
		t->size = 2 * t->size + (size_t)n + 1;
	}
}

/* A text of Cypher's; NULL for "". */
static void
add_text(struct text *t, const char *s)
{
	if (!*s) {
		add(t, "null");
		return;
	}
	add(t, "\"");
	for (; *s; s++)
		add(t, *s == '"' || *s == '\\' ? "\\%c" : "%c", (unsigned char)*s < ' ' || *s == 0x7f ? '?' : *s);
	add(t, "\"");
}

static void
add_time(struct text *t, int64_t us)
{
	char text[JSON_TIME_LEN + 1] = "";

	if (us)
		json_time_text(text, us);
	add_text(t, text);
}

static void
begin_rows(struct text *t)
{
	t->n = 0;
	add(t, "CYPHER rows=[");
}

/* The rows are there: what to do with them. */
static int
do_rows(struct projection_work *w, struct text *t, const char *what)
{
	add(t, "] UNWIND $rows AS r %s", what);
	if (t->failed) {
		snprintf(w->err, sizeof w->err, "out of memory");
		return -1;
	}
	return falkor_query(w->falkor, t->s, w->err, sizeof w->err);
}

/* ---- batches ---- */

struct pair {
	struct graphdb_key a, b;
};

struct batch {
	struct graphdb g;
	struct set pairs, nodes;
	uint8_t secret[16];
	struct text text;
	int64_t last;   /* rev */
	int64_t last_gone;
	int rows, gone; /* links that changed, evictions */
};

static int
failed_db(struct projection_work *w)
{
	snprintf(w->err, sizeof w->err, "database: %s", sqlite3_errmsg(w->db));
	return -1;
}

static void
copy_key(struct graphdb_key *key, int is_sensor, const unsigned char *name)
{
	memset(key, 0, sizeof *key);
	key->is_sensor = (uint64_t)is_sensor;
	snprintf(key->name, sizeof key->name, "%s", name ? (const char *)name : "");
}

static int
collect(struct projection_work *w, struct batch *b)
{
	sqlite3_stmt *stmt = NULL;
	int r = sqlite3_prepare_v2(w->db, "SELECT r.rev, l.a = '', iif(l.a = '', l.sensor, l.a), l.b FROM link_rev r JOIN link l "
					  "ON l.id = r.link WHERE r.rev > ?1 ORDER BY r.rev LIMIT ?2", -1, &stmt, NULL);

	if (!r) {
		sqlite3_bind_int64(stmt, 1, w->cursor);
		sqlite3_bind_int64(stmt, 2, PROJECTION_BATCH);
		while ((r = sqlite3_step(stmt)) == SQLITE_ROW) {
			struct pair p;

			b->last = sqlite3_column_int64(stmt, 0);
			copy_key(&p.a, sqlite3_column_int(stmt, 1), sqlite3_column_text(stmt, 2));
			copy_key(&p.b, 0, sqlite3_column_text(stmt, 3));
			b->rows++;
			if (set_put(&b->pairs, b->secret, &p) < 0 || set_put(&b->nodes, b->secret, &p.a) < 0 ||
			    set_put(&b->nodes, b->secret, &p.b) < 0)
				r = SQLITE_NOMEM;
			if (r == SQLITE_NOMEM)
				break;
		}
	}
	sqlite3_finalize(stmt);
	return r == SQLITE_DONE ? 0 : failed_db(w);
}

/* Of what was evicted, only the keys: what there is of them now is asked of the database. */
static int
collect_gone(struct projection_work *w, struct batch *b)
{
	sqlite3_stmt *stmt = NULL;
	int r = sqlite3_prepare_v2(w->db, "SELECT id, is_sensor, a, b FROM graph_gone WHERE id > ?1 ORDER BY id LIMIT ?2", -1, &stmt, NULL);

	if (!r) {
		sqlite3_bind_int64(stmt, 1, w->gone);
		sqlite3_bind_int64(stmt, 2, PROJECTION_BATCH);
		while ((r = sqlite3_step(stmt)) == SQLITE_ROW) {
			int link = sqlite3_column_type(stmt, 2) != SQLITE_NULL;
			struct pair p;

			b->last_gone = sqlite3_column_int64(stmt, 0);
			b->gone++;
			copy_key(&p.a, sqlite3_column_int(stmt, 1), sqlite3_column_text(stmt, 2));
			copy_key(&p.b, 0, sqlite3_column_text(stmt, 3));
			if (set_put(&b->nodes, b->secret, &p.b) < 0 ||
			    (link && (set_put(&b->pairs, b->secret, &p) < 0 || set_put(&b->nodes, b->secret, &p.a) < 0))) {
				r = SQLITE_NOMEM;
				break;
			}
		}
	}
	sqlite3_finalize(stmt);
	return r == SQLITE_DONE ? 0 : failed_db(w);
}

static int
put_nodes(struct projection_work *w, struct batch *b, int sensors)
{
	int n = 0;

	begin_rows(&b->text);
	for (size_t i = 0; i < b->nodes.n; i++) {
		const struct graphdb_key *key = (const void *)(b->nodes.items + i * b->nodes.width);
		struct graphdb_node facts;

		if (!!key->is_sensor != sensors)
			continue;
		if (!graphdb_node(&b->g, key, &facts))
			facts = (struct graphdb_node){ 0 };
		add(&b->text, n++ ? ",[" : "[");
		add_text(&b->text, key->name);
		add(&b->text, ",");
		add_text(&b->text, facts.name);
		add(&b->text, ",");
		add_time(&b->text, facts.first_us);
		add(&b->text, ",");
		add_time(&b->text, facts.last_us);
		add(&b->text, "]");
	}
	if (!n)
		return 0;
#define NODE " SET h.name = r[1], h.first_seen = r[2], h.last_seen = r[3]"
	/* One that something of is gone may be gone itself. */
	if (b->gone)
		return do_rows(w, &b->text, "MATCH (h:hop {ip: r[0]})" NODE);
	return do_rows(w, &b->text, sensors ? "MERGE (s:sensor {name: r[0]})" : "MERGE (h:hop {ip: r[0]})" NODE);
}

static int
put_edges(struct projection_work *w, struct batch *b, int sensors)
{
	int n = 0;

	begin_rows(&b->text);
	for (size_t i = 0; i < b->pairs.n; i++) {
		const struct pair *p = (const void *)(b->pairs.items + i * b->pairs.width);
		struct graphdb_edge e;

		if (!!p->a.is_sensor != sensors || !graphdb_edge(&b->g, &p->a, &p->b, &e))
			continue;
		add(&b->text, n++ ? ",[" : "[");
		add_text(&b->text, p->a.name);
		add(&b->text, ",");
		add_text(&b->text, p->b.name);
		if (e.rtt_us < 0)
			add(&b->text, ",null");
		else
			add(&b->text, ",%lld", (long long)e.rtt_us);
		add(&b->text, ",%lld,%lld,", (long long)e.count, (long long)e.gap);
		add_time(&b->text, e.first_us);
		add(&b->text, ",");
		add_time(&b->text, e.last_us);
		add(&b->text, "]");
	}
	if (!n)
		return 0;
	w->edges += (uint64_t)n;
#define EDGE " MATCH (b:hop {ip: r[1]}) MERGE (a)-[e:next]->(b) SET e.rtt_us = r[2], e.count = r[3], e.gap = r[4], " \
	     "e.first_seen = r[5], e.last_seen = r[6]"
	return do_rows(w, &b->text, sensors ? "MATCH (a:sensor {name: r[0]})" EDGE : "MATCH (a:hop {ip: r[0]})" EDGE);
}

static int
put_mark(struct projection_work *w)
{
	char text[60];

	snprintf(text, sizeof text, "%lld/%lld/%lld", (long long)w->id, (long long)w->cursor, (long long)w->gone);
	return falkor_set_mark(w->falkor, text, w->err, sizeof w->err);
}

/* Relations that no link is left of. */
static int
remove_edges(struct projection_work *w, struct batch *b, int sensors)
{
	int n = 0;

	begin_rows(&b->text);
	for (size_t i = 0; i < b->pairs.n; i++) {
		const struct pair *p = (const void *)(b->pairs.items + i * b->pairs.width);
		struct graphdb_edge e;

		if (!!p->a.is_sensor != sensors || graphdb_edge(&b->g, &p->a, &p->b, &e))
			continue;
		add(&b->text, n++ ? ",[" : "[");
		add_text(&b->text, p->a.name);
		add(&b->text, ",");
		add_text(&b->text, p->b.name);
		add(&b->text, "]");
	}
	if (!n || b->g.code) /* an answer that failed is no link that is gone */
		return 0;
	return do_rows(w, &b->text, sensors ? "MATCH (:sensor {name: r[0]})-[e:next]->(:hop {ip: r[1]}) DELETE e"
					    : "MATCH (:hop {ip: r[0]})-[e:next]->(:hop {ip: r[1]}) DELETE e");
}

/* Nodes that nothing is left of; relations first. */
static int
remove_nodes(struct projection_work *w, struct batch *b, int sensors)
{
	int n = 0;

	begin_rows(&b->text);
	for (size_t i = 0; i < b->nodes.n; i++) {
		const struct graphdb_key *key = (const void *)(b->nodes.items + i * b->nodes.width);
		struct graphdb_node facts;

		if (!!key->is_sensor != sensors || (!sensors && graphdb_node(&b->g, key, &facts)))
			continue;
		add(&b->text, n++ ? ",[" : "[");
		add_text(&b->text, key->name);
		add(&b->text, "]");
	}
	if (!n || b->g.code)
		return 0;
	return do_rows(w, &b->text, sensors ? "MATCH (s:sensor {name: r[0]}) WHERE NOT (s)--() DELETE s"
					    : "MATCH (h:hop {ip: r[0]}) WHERE NOT (h)--() DELETE h");
}

int
projection_open_db(sqlite3 **db, const char *path, char *err, size_t size)
{
	int r = dbfile_open_read(db, path, STORE_APPLICATION);

	if (!r)
		r = column_functions(*db);
	if (!r)
		return 0;
	snprintf(err, size, "database %s: %s", path, r == SQLITE_AUTH ? "is none of net-gazer-collector" : sqlite3_errstr(r));
	return -1;
}

/* Where the graph is that the server has; 0: nowhere, or where nobody knows what was evicted since. */
static int
go_on(struct projection_work *w, const char *mark)
{
	int64_t oldest;
	char *end;

	if (strtoll(mark, &end, 10) != w->id || *end != '/')
		return 0;
	w->cursor = strtoll(end + 1, &end, 10);
	if (!w->cursor || *end != '/')
		return 0;
	w->gone = strtoll(end + 1, NULL, 10);
	if (dbfile_int(w->db, "SELECT min(id) FROM graph_gone", &oldest))
		return failed_db(w);
	return oldest <= w->gone + 1;
}

int
projection_begin(struct projection_work *w)
{
	char text[100] = "";
	int r = falkor_mark(w->falkor, text, sizeof text, w->err, sizeof w->err);

	if (r < 0)
		return -1;
	if (dbfile_int(w->db, "SELECT value FROM meta WHERE key = 'graph_id'", &w->id))
		return failed_db(w);
	r = r ? go_on(w, text) : 0;
	if (r)
		return r < 0 ? r : 0;
	w->cursor = 0;
	/* What goes from now on may have been copied before. */
	if (dbfile_int(w->db, "SELECT max(id) FROM graph_gone", &w->gone))
		return failed_db(w);
	/* An index that is there already is an error, and no harm. */
	if (falkor_drop(w->falkor, w->err, sizeof w->err))
		return -1;
	if (falkor_query(w->falkor, "CREATE INDEX FOR (h:hop) ON (h.ip)", w->err, sizeof w->err) ||
	    falkor_query(w->falkor, "CREATE INDEX FOR (s:sensor) ON (s.name)", w->err, sizeof w->err))
		return -1;
	return put_mark(w); /* that it is there, be it empty */
}

/* Nodes, then relations between them. */
static int
write_changed(struct projection_work *w, struct batch *b)
{
	int r = put_nodes(w, b, 0);

	for (int i = 0; i < 3 && !r; i++)
		r = i == 0 ? put_nodes(w, b, 1) : put_edges(w, b, i - 1);
	return r;
}

/* What is left of what something was evicted of, and then what nothing is left of. */
static int
write_gone(struct projection_work *w, struct batch *b)
{
	int r = put_nodes(w, b, 0);

	for (int sensors = 0; sensors < 2 && !r; sensors++) {
		r = put_edges(w, b, sensors);
		if (!r)
			r = remove_edges(w, b, sensors);
	}
	for (int sensors = 0; sensors < 2 && !r; sensors++)
		r = remove_nodes(w, b, sensors);
	return r;
}

/* One batch of one of the two.  How many rows, or -1. */
static int
do_batch(struct projection_work *w, int gone)
{
	struct batch b = { .pairs = { .width = sizeof(struct pair) }, .nodes = { .width = sizeof(struct graphdb_key) } };
	int r;

	hash_random(b.secret, sizeof b.secret);
	graphdb_open(&b.g, w->db);
	r = gone ? collect_gone(w, &b) : collect(w, &b);
	if (!r && b.rows)
		r = write_changed(w, &b);
	if (!r && b.gone)
		r = write_gone(w, &b);
	if (graphdb_close(&b.g) && !r)
		r = failed_db(w);
	if (!r && b.rows + b.gone) {
		w->cursor = gone ? w->cursor : b.last;
		w->gone = gone ? b.last_gone : w->gone;
		w->batches++;
		r = put_mark(w);
	}
	free(b.text.s);
	set_free(&b.pairs);
	set_free(&b.nodes);
	return r ? -1 : b.rows + b.gone;
}

/* Was something evicted that is not remembered any more, all is to be copied again. */
static int
check_gone(struct projection_work *w)
{
	int64_t oldest;

	if (dbfile_int(w->db, "SELECT min(id) FROM graph_gone", &oldest))
		return failed_db(w);
	if (oldest <= w->gone + 1)
		return 0;
	snprintf(w->err, sizeof w->err, "more was evicted than is remembered; the graph is made again");
	return -1;
}

int
projection_step(struct projection_work *w)
{
	int changed = -1, gone = -1;

	if (dbfile_int(w->db, "SELECT max(rev) FROM link_rev", &w->newest))
		return failed_db(w);
	if (!check_gone(w))
		changed = do_batch(w, 0);
	/* A link that is there and gone again is written first. */
	if (changed >= 0)
		gone = do_batch(w, 1);
	return gone < 0 ? -1 : changed == PROJECTION_BATCH || gone == PROJECTION_BATCH;
}

/* ---- the process ---- */

static void
cage(void)
{
	static const char calls[] =
		"read write readv writev pread64 lseek _llseek close openat open fstat fstat64 stat stat64 "
		"lstat lstat64 newfstatat fstatat64 statx access faccessat faccessat2 readlink readlinkat "
		"fcntl fcntl64 getcwd fstatfs fstatfs64 socket connect recvfrom recvmsg sendto sendmsg "
		"sendmmsg shutdown setsockopt getsockopt getsockname getpeername bind poll ppoll mmap mmap2 "
		"munmap mremap mprotect madvise brk clock_gettime clock_gettime64 gettimeofday time "
		"clock_nanosleep clock_nanosleep_time64 nanosleep getrandom futex futex_time64 getpid "
		"gettid getuid geteuid getuid32 geteuid32 uname ioctl rt_sigaction rt_sigprocmask "
		"rt_sigreturn sigreturn tgkill:self restart_syscall exit exit_group";

	(void)priv_keep_caps(0);
	(void)priv_no_new_privs();
	(void)priv_landlock_read_only(-1);
#ifndef __SANITIZE_ADDRESS__ /* its runtime opens and starts what it likes */
	if (priv_seccomp(calls))
		log_warn("graph: runs without seccomp");
#else
	(void)calls;
#endif
}

static void
wait_s(int64_t s)
{
	struct timespec t = { .tv_sec = (time_t)s };

	nanosleep(&t, NULL);
}

/* As long as the server answers. */
static void
serve(volatile struct shared *shared, struct projection_work *w)
{
	int64_t look_us = 0;
	int r = projection_begin(w);

	while (!r) {
		r = projection_step(w);
		shared->cursor = w->cursor;
		shared->gone = w->gone;
		shared->edges = w->edges;
		shared->batches = w->batches;
		if (r < 0)
			return;
		shared->state = r ? S_BEHIND : S_CURRENT;
		if (!r)
			wait_s(TURN_US / 1000000);
		if (!r && clock_mono_us() > look_us) { /* somebody may have emptied the server */
			char text[60];

			r = falkor_mark(w->falkor, text, sizeof text, w->err, sizeof w->err);
			if (!r)
				snprintf(w->err, sizeof w->err, "the graph is gone; it is made again");
			r = r == 1 ? 0 : -1;
			look_us = clock_mono_us() + LOOK_US;
		}
		r = r < 0 ? r : 0;
	}
}

static void __attribute__((noreturn))
work(volatile struct shared *shared, const char *path, const char *url, const char *password, const char *graph)
{
	struct projection_work w = { 0 };
	struct log_limit said = { 0 };
	int64_t pause_s = WAIT_MIN_S;
	char err[500];

	cage();
	while (projection_open_db(&w.db, path, err, sizeof err)) { /* the collector makes it */
		sqlite3_close(w.db);
		wait_s(1);
	}
	for (;;) {
		uint64_t before = w.edges;
		unsigned left_out;

		w.falkor = falkor_open(url, password, graph, w.err, sizeof w.err);
		if (w.falkor)
			serve(shared, &w);
		shared->state = w.falkor ? S_REFUSED : S_AWAY;
		shared->failures++;
		falkor_close(w.falkor);
		if (log_allowed(&said, clock_mono_us(), 60000000, &left_out))
			log_warn("graph: %s: %s (and %u times before); the collector goes on without it", url, w.err, left_out);
		if (!strncmp(w.err, "database:", 9))
			exit(1); /* the keeper starts another */
		pause_s = w.edges > before ? WAIT_MIN_S : pause_s * 2 > WAIT_MAX_S ? WAIT_MAX_S : pause_s * 2;
		wait_s(pause_s);
	}
}

/* Starts it again when it ends: nobody else may, once the collector's sandbox is closed. */
static void __attribute__((noreturn))
keep(volatile struct shared *shared, const char *path, const char *url, const char *password, const char *graph)
{
	int64_t pause_s = WAIT_MIN_S;

	for (;;) {
		int64_t begun_us = clock_mono_us();
		pid_t parent = getpid(), pid;
		int status;

		shared->starts++;
		pid = fork();
		if (pid == 0) {
			if (priv_tie_to_parent(parent))
				_exit(1);
			prctl(PR_SET_NAME, "graph");
			work(shared, path, url, password, graph);
		}
		while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
			continue;
		shared->state = S_AWAY;
		pause_s = clock_mono_us() - begun_us > 60000000 ? WAIT_MIN_S : pause_s * 2 > WAIT_MAX_S ? WAIT_MAX_S : pause_s * 2;
		if (pid > 0 && WIFSIGNALED(status))
			log_warn("graph: the process died of signal %d; another starts in %lld s", WTERMSIG(status), (long long)pause_s);
		wait_s(pause_s);
	}
}

/* 0, or -1 and a message. */
int
projection_password(const struct conf *conf, char *out, size_t size)
{
	const char *path = conf_str(conf, "graph-password-file");
	FILE *f;
	size_t n;

	out[0] = 0;
	if (!path)
		return 0;
	f = fopen(path, "re");
	if (!f) {
		log_error("graph-password-file %s: %s", path, strerror(errno));
		return -1;
	}
	n = fread(out, 1, size - 1, f);
	fclose(f);
	out[n] = 0;
	out[strcspn(out, "\r\n")] = 0;
	if (!out[0])
		log_error("graph-password-file %s: the password is expected in its first line", path);
	return out[0] ? 0 : -1;
}

struct projection *
projection_start(const struct conf *conf)
{
	const char *url = conf_str(conf, "graph-url"), *path = conf_str(conf, "database");
	struct projection *p;
	char password[PASSWORD_MAX];
	pid_t parent = getpid();

	if (!url)
		return NULL;
	if (projection_password(conf, password, sizeof password))
		exit(1);
	p = calloc(1, sizeof *p);
	if (!p)
		fatal("out of memory");
	p->shared = mmap(NULL, sizeof *p->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p->shared == MAP_FAILED)
		fatal("out of memory");
	p->keeper = fork();
	if (p->keeper < 0)
		fatal("graph: no process: %s", strerror(errno));
	if (!p->keeper) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		setsid();
		if (priv_tie_to_parent(parent))
			_exit(1);
		prctl(PR_SET_NAME, "graph-keeper");
		keep(p->shared, path, url, password[0] ? password : NULL, conf_str(conf, "graph-name"));
	}
	explicit_bzero(password, sizeof password);
	return p;
}

void
projection_stop(struct projection *p)
{
	if (!p)
		return;
	munmap((void *)(uintptr_t)p->shared, sizeof *p->shared); /* the processes end with us */
	free(p);
}

int
projection_counts(const struct projection *p, sqlite3 *db, struct projection_counts *c)
{
	int64_t gone;
	int state;

	if (!p)
		return 0;
	state = p->shared->state;
	if (state < 0 || state > S_CURRENT) /* it is another process's */
		state = S_STARTING;
	*c = (struct projection_counts){
		.connected = state >= S_BEHIND, .state = states[state], .cursor = p->shared->cursor,
		.edges = p->shared->edges, .batches = p->shared->batches, .failures = p->shared->failures,
		.starts = p->shared->starts,
	};
	/* Ours: the process does not look while the server is away. */
	if (dbfile_int(db, "SELECT max(rev) FROM link_rev", &c->newest) || c->newest < c->cursor)
		c->newest = c->cursor;
	c->lag = c->newest - c->cursor;
	if (!dbfile_int(db, "SELECT max(id) FROM graph_gone", &gone) && gone > p->shared->gone)
		c->lag += gone - p->shared->gone;
	return 1;
}

void
projection_put(const struct projection *p, sqlite3 *db, struct json *j)
{
	struct projection_counts c;

	if (!projection_counts(p, db, &c))
		return;
	json_map(j, "graph");
	json_raw_str(j, "state", c.state, strlen(c.state));
	json_bool(j, "connected", c.connected);
	json_int(j, "cursor", c.cursor);
	json_int(j, "newest", c.newest);
	json_int(j, "lag", c.lag);
	json_uint(j, "batches", c.batches);
	json_uint(j, "edges", c.edges);
	json_uint(j, "failures", c.failures);
	json_uint(j, "starts", c.starts);
	json_close(j);
}
