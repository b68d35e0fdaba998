/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The body of POST /api/cypher, whatever it is, over a small graph with a circle, a gap and hostile names: it is refused
 * with a reason, or answered; both are one whole JSON, and the graph is as it was.
 */
#include <stdlib.h>

#include "../../src/collector/graphapi.c"
#include "../../src/collector/graphdb.c"

static const char graph[] =
	"CREATE TABLE hop (id INTEGER PRIMARY KEY, sensor TEXT, ttl INTEGER, ip TEXT, name TEXT, first_us INTEGER, last_us INTEGER);"
	"CREATE TABLE link (id INTEGER PRIMARY KEY, sensor TEXT, ttl INTEGER, a TEXT, gap INTEGER, b TEXT, traces INTEGER,"
	" rtt_min INTEGER, rtt_max INTEGER, hist BLOB, first_us INTEGER, last_us INTEGER);"
	"INSERT INTO hop (sensor, ttl, ip, name, first_us, last_us) VALUES ('gw', 1, '192.0.2.1', '\"a\\u0000\\\"b\\\\\"', 1, 2),"
	" ('gw', 2, '192.0.2.2', NULL, 1, 1795287845000000), ('gw', 3, '2001:db8::3', '\"\xc3\xa9\x7f\"', 1, 2);"
	"INSERT INTO link (sensor, ttl, a, gap, b, traces, rtt_min, rtt_max, hist, first_us, last_us) VALUES"
	" ('gw', 0, '', 0, '192.0.2.1', 3, 5, 900, x'0501000000', 1, 2), ('gw', 1, '192.0.2.1', 0, '192.0.2.2', 1, NULL, NULL, NULL, 1, 2),"
	" ('gw', 2, '192.0.2.2', 1, '2001:db8::3', 9007199254740991, 1, 1, x'ffffffffff0500', 0, 9007199254740991),"
	" ('gw', 3, '2001:db8::3', 0, '192.0.2.1', 1, 1, 2, x'01', 1, 2), ('gw', 1, '192.0.2.1', 0, '192.0.2.1', 1, 1, 2, NULL, 1, 2);";

static sqlite3 *db;

static void
check(int ok)
{
	if (!ok)
		abort();
}

sqlite3 *
store_db(struct store *s)
{
	(void)s;
	return db;
}

void
store_blame(struct store *s, sqlite3 *damaged)
{
	(void)s;
	(void)damaged;
	abort();
}

static void
is_json(const char *text, size_t n)
{
	yajl_handle y = yajl_alloc(NULL, NULL, NULL);

	check(yajl_parse(y, (const unsigned char *)text, n) == yajl_status_ok);
	check(yajl_complete_parse(y) == yajl_status_ok);
	yajl_free(y);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char text[4 << 20];
	struct api api = { .store = NULL };
	struct api_request asked = { .body = (const char *)data, .body_n = size };
	struct api_answer answer = { .status = 200 };

	if (!db) {
		check(!sqlite3_open(":memory:", &db) && !column_functions(db));
		check(!sqlite3_exec(db, graph, NULL, NULL, NULL));
	}
	json_begin(&answer.json, text, sizeof text - 1);
	check(!graphapi_cypher(&api, &asked, &answer) && !json_end(&answer.json));
	check(answer.status == 200 || answer.status == 400);
	is_json(text, answer.json.len);
	check(sqlite3_total_changes(db) == 8);
	return 0;
}
