/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * falkor.h - a FalkorDB (or another server that speaks GRAPH.QUERY) through hiredis.  Waits for each answer: for
 * commands and the process of projection.c, never for the collector's own loop.
 */
#ifndef FALKOR_H
#define FALKOR_H

#include <stddef.h>
#include <stdint.h>

#define FALKOR_TIMEOUT_S 10

struct redisReply;
struct falkor;

/* "unix:///run/valkey/valkey.sock", "redis://127.0.0.1:6379"; password NULL: none.  NULL, with why not. */
struct falkor *falkor_open(const char *url, const char *password, const char *graph, char *err, size_t size);
void falkor_close(struct falkor *);

/* 0, or -1 with what the server said; it may be gone then. */
int falkor_query(struct falkor *, const char *query, char *err, size_t size);
/* The same, read only: its answer, for falkor_free(). */
struct redisReply *falkor_ask(struct falkor *, const char *query, int timeout_ms, char *err, size_t size);
void falkor_free(struct redisReply *);

/* What is beside the graph: where the projection stands.  1: *text has it; 0: the graph or that is not there; -1 and why. */
int falkor_mark(struct falkor *, char *text, size_t text_size, char *err, size_t size);
int falkor_set_mark(struct falkor *, const char *text, char *err, size_t size);
/* 0 also when there is none. */
int falkor_drop(struct falkor *, char *err, size_t size);

/* NULL, or what would be right. */
const char *falkor_check_url(const char *url);

#endif
