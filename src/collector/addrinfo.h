/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * addrinfo.h - what is known of addresses: country, autonomous system, place, name.  A table of the main file
 * that geo.c fills as answers come, and that answers are joined with:
 *
 *   addr (ip TEXT PRIMARY KEY, cc, asn, as_org, city, lat, lon, name, looked_us, ...)
 *
 * Text in it came from strangers' files and servers; it is UTF-8 without control characters.
 */
#ifndef ADDRINFO_H
#define ADDRINFO_H

#include <sqlite3.h>
#include <stdint.h>

#include "lib/json.h"

struct names;

#define ADDRINFO_ORG_LEN 100
#define ADDRINFO_CITY_LEN 80
#define ADDRINFO_NAME_LEN 255
/* Addresses kept; a database of fewer bytes than ADDRINFO_FULL_BYTES keeps as many fewer.  Beyond, a sixteenth
 * goes, those first that were looked up longest ago. */
#define ADDRINFO_MAX 131072
#define ADDRINFO_FULL_BYTES (512LL << 20)

/* Unknown: asn 0, placed 0, text "". */
struct addrinfo_facts {
	char cc[3];
	uint8_t placed;   /* lat and lon are known */
	uint32_t asn;
	double lat, lon;  /* degrees */
	char as_org[ADDRINFO_ORG_LEN + 1];
	char city[ADDRINFO_CITY_LEN + 1];
	char name[ADDRINFO_NAME_LEN + 1]; /* by reverse DNS, or the home network's */
};

enum addrinfo_stmt {
	ADDRINFO_GET, ADDRINFO_PUT_GEO, ADDRINFO_PUT_NAME, ADDRINFO_STATE, ADDRINFO_EVICT, ADDRINFO_STMTS,
};

/* The store has it. */
struct addrinfo_table {
	sqlite3 *db;
	sqlite3_stmt *stmt[ADDRINFO_STMTS];
	int64_t rows, max;         /* rows: at most so many */
	uint64_t evicted;          /* since the start */
	const struct names *names; /* lent; NULL: none */
};

/* Makes the table if it is not there.  0 or an SQLite code; addrinfo_close() takes one that failed.  Names and
 * limit stay as they were. */
int addrinfo_open(struct addrinfo_table *, sqlite3 *);
void addrinfo_close(struct addrinfo_table *);
/* max_bytes of the whole database. */
void addrinfo_limit(struct addrinfo_table *, int64_t max_bytes);
/* Addresses that are there.  0 or an SQLite code. */
int addrinfo_count(struct addrinfo_table *, int64_t *n);

/* The table is store_addrs()'s.  1: something is known of it. */
int addrinfo_find(struct addrinfo_table *, const char *ip, struct addrinfo_facts *);

/* PREFIX_name, _cc, _asn, _as_org, _city, as far as they are known, into the open map.  Prefix "": name, cc, ... */
void addrinfo_add(struct addrinfo_table *, struct json *, const char *prefix, const char *ip);
/* The same of facts that are at hand; what must not appear is emptied before. */
void addrinfo_put(struct json *, const char *prefix, const struct addrinfo_facts *);
/* A column of the table as a string; nothing when text is NULL, empty or no UTF-8. */
void addrinfo_text(struct json *, const char *name, const char *text);

/* For geo.c.  When it was looked up: generation of the databases (0: never), and until when its name holds (0: never
 * asked).  0 or an SQLite code. */
int addrinfo_state(struct addrinfo_table *, const char *ip, int64_t *generation, int64_t *name_until_us);
/* In one transaction each between addrinfo_begin() and addrinfo_end().  The name is left out of the one, all but
 * the name of the other.  0 or an SQLite code. */
int addrinfo_begin(struct addrinfo_table *);
int addrinfo_take(struct addrinfo_table *, const char *ip, const struct addrinfo_facts *, int64_t generation,
		  int64_t now_us);
int addrinfo_take_name(struct addrinfo_table *, const char *ip, const char *name, int64_t until_us, int64_t now_us);
/* Commits if `code` is 0 and makes room; rolls back otherwise.  `code`, or the commit's. */
int addrinfo_end(struct addrinfo_table *, int code);

#endif
