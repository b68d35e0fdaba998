/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * graph.c - the command graph: `query` answers a question in Cypher, `rebuild` makes the graph in FalkorDB anew.
 */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "cypher.h"
#include "falkor.h"
#include "graphdb.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "projection.h"

#define ANSWER_BYTES (16 << 20)
#define ASK_MS 5000

static struct falkor *
open_falkor(const struct conf *conf)
{
	char password[512], err[300];
	struct falkor *f;

	if (projection_password(conf, password, sizeof password))
		return NULL;
	f = falkor_open(conf_str(conf, "graph-url"), password[0] ? password : NULL, conf_str(conf, "graph-name"), err, sizeof err);
	explicit_bzero(password, sizeof password);
	if (!f)
		log_error("graph-url %s: %s", conf_str(conf, "graph-url"), err);
	return f;
}

/* ---- query ---- */

static int
ask_sqlite(const struct conf *conf, const char *text)
{
	static struct cypher c;
	struct cypher_error wrong;
	sqlite3 *db = NULL;
	char err[300], *buf;
	struct json j;
	int r = -1;

	if (cypher_parse(&c, text, strlen(text), NULL, 0, &wrong)) {
		log_error("byte %zu: %s", wrong.at, wrong.why);
		return 1;
	}
	buf = malloc(ANSWER_BYTES);
	if (!buf)
		fatal("out of memory");
	if (projection_open_db(&db, conf_str(conf, "database"), err, sizeof err)) {
		log_error("%s", err);
	} else {
		json_begin(&j, buf, ANSWER_BYTES - 1);
		json_map(&j, NULL);
		r = graphdb_answer(db, &c, &j);
		json_close(&j);
		if (r || json_end(&j))
			log_error("graph: %s", strerror(r ? -r : EMSGSIZE));
		else
			r = printf("%.*s\n", (int)j.len, buf) < 0 ? -1 : 0;
	}
	sqlite3_close(db);
	free(buf);
	return r ? 2 : 0;
}

/* As valkey-cli does: a value a line.  No byte of it drives a terminal. */
static void
print_reply(const redisReply *r, int depth)
{
	if (r->type == REDIS_REPLY_ARRAY) {
		for (size_t i = 0; i < r->elements; i++)
			print_reply(r->element[i], depth + 1);
		return;
	}
	printf("%*s", 2 * depth, "");
	if (r->type == REDIS_REPLY_INTEGER)
		printf("%lld", r->integer);
	else if (r->type == REDIS_REPLY_NIL)
		printf("null");
	for (size_t i = 0; r->str && i < r->len; i++)
		putchar((unsigned char)r->str[i] < ' ' || r->str[i] == 0x7f ? '?' : r->str[i]);
	putchar('\n');
}

static int
ask_falkor(const struct conf *conf, const char *text)
{
	struct falkor *f = open_falkor(conf);
	redisReply *reply;
	char err[300];

	if (!f)
		return 2;
	reply = falkor_ask(f, text, ASK_MS, err, sizeof err);
	if (reply)
		print_reply(reply, -1);
	else
		log_error("graph: %s", err);
	falkor_free(reply);
	falkor_close(f);
	return reply ? 0 : 1;
}

/* ---- rebuild ---- */

static int
rebuild(const struct conf *conf)
{
	struct projection_work w = { .falkor = open_falkor(conf) };
	int64_t begun_us = clock_mono_us(), said_us = begun_us;
	int r = -1;

	if (!w.falkor)
		return 2;
	if (projection_open_db(&w.db, conf_str(conf, "database"), w.err, sizeof w.err) ||
	    falkor_drop(w.falkor, w.err, sizeof w.err) || projection_begin(&w))
		goto out;
	while ((r = projection_step(&w)) > 0) {
		if (!isatty(2) && clock_mono_us() - said_us < 5000000)
			continue;
		said_us = clock_mono_us();
		fprintf(stderr, "%s%lld of %lld%s", isatty(2) ? "\r" : "", (long long)w.cursor, (long long)w.newest, isatty(2) ? "" : "\n");
	}
out:
	if (isatty(2))
		fputs("\n", stderr);
	if (r)
		log_error("graph: %s", w.err);
	else
		log_info("graph %s: %llu relations in %.1f s", conf_str(conf, "graph-name"), (unsigned long long)w.edges,
			 (double)(clock_mono_us() - begun_us) / 1e6);
	sqlite3_close(w.db);
	falkor_close(w.falkor);
	return r ? 2 : 0;
}

int
graph_command(const struct conf *conf, char *const *arguments, int n)
{
	const char *engine = conf_str(conf, "engine");
	int falkor = !strcmp(engine, "falkordb");

	if (!strcmp(arguments[0], "query") && n == 2 && !falkor)
		return ask_sqlite(conf, arguments[1]);
	if ((strcmp(arguments[0], "query") || n != 2) && (strcmp(arguments[0], "rebuild") || n != 1))
		fatal("net-gazer-collector graph query 'MATCH ...', or graph rebuild");
	if (!conf_str(conf, "graph-url"))
		fatal("graph-url is not set: which FalkorDB?");
	return n == 2 ? ask_falkor(conf, arguments[1]) : rebuild(conf);
}
