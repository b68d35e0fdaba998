/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * collector/cypher.c and graphdb.c: questions that are refused and where, and answers beside those of a naive walk
 * over random graphs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "../../src/collector/cypher.c"
#include "../../src/collector/graphdb.c"

#define NODES 9

static sqlite3 *db;
static struct cypher question;
static char said[200000];

static void __attribute__((format(printf, 1, 2)))
run(const char *fmt, ...)
{
	char text[500], *err = NULL;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (sqlite3_exec(db, text, NULL, NULL, &err))
		fail_msg("%s: %s", text, err);
}

static int
setup(void **state)
{
	(void)state;
	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	assert_int_equal(column_functions(db), SQLITE_OK);
	run("CREATE TABLE hop (id INTEGER PRIMARY KEY, sensor TEXT, ttl INTEGER, ip TEXT, name TEXT, first_us INTEGER, last_us INTEGER)");
	run("CREATE TABLE link (id INTEGER PRIMARY KEY, sensor TEXT, ttl INTEGER, a TEXT, gap INTEGER, b TEXT, traces INTEGER,"
	    " rtt_min INTEGER, rtt_max INTEGER, hist BLOB, first_us INTEGER, last_us INTEGER)");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return 0;
}

static const char *
ask(const char *text)
{
	struct cypher_error err;
	struct json j;

	if (cypher_parse(&question, text, strlen(text), NULL, 0, &err))
		fail_msg("%s: %s at %zu", text, err.why, err.at);
	json_begin(&j, said, sizeof said - 1);
	json_map(&j, NULL);
	assert_int_equal(graphdb_answer(db, &question, &j), 0);
	json_close(&j);
	assert_int_equal(json_end(&j), 0);
	return said;
}

static void
assert_rows(const char *text, const char *rows)
{
	char want[1000];

	snprintf(want, sizeof want, "\"rows\":%s,\"partial\":false,\"engine\":\"sqlite\"}", rows);
	ask(text);
	if (!strstr(said, want))
		fail_msg("%s gives %s, not %s", text, said, want);
}

static void
link_two(int a, int b)
{
	run("INSERT INTO link (sensor, ttl, a, gap, b, traces, first_us, last_us) VALUES ('s', 1, '10.0.0.%d', 0, '10.0.0.%d', 1, 1, 2)", a, b);
}

static void
add_hops(int n)
{
	for (int i = 0; i < n; i++)
		run("INSERT INTO hop (sensor, ttl, ip, name, first_us, last_us) VALUES ('s', 1, '10.0.0.%d', %s, 1795287845000000, 1795287846000000)",
		    i, i % 2 ? "'\"n\\u00e9\"'" : "NULL");
}

static void
test_refused(void **state)
{
	static const struct {
		const char *text, *why;
		size_t at;
	} cases[] = {
		{ "", "begin with MATCH", 0 },
		{ "CREATE (a)", "begin with MATCH", 0 },
		{ "MATCH (a:route) RETURN a", "labels are hop and sensor", 9 },
		{ "MATCH (a:hop{mac:'x'}) RETURN a", "a node has no mac: ip, name", 13 },
		{ "MATCH (a)-[:next*1..65]->(b) RETURN a", "at most 64", 20 },
		{ "MATCH (a)-[:next*5..1]->(b) RETURN a", "greater number last", 17 },
		{ "MATCH (a)<-[]->(b) RETURN a", "one direction", 9 },
		{ "MATCH (a), (b) RETURN a", "one chain", 9 },
		{ "MATCH (a) WHERE a.ip RETURN a", "a comparison is expected", 21 },
		{ "MATCH (a) WHERE a = 1 RETURN a", "compare a.ip, not a", 16 },
		{ "MATCH (a) WHERE a.ip = $x RETURN a", "$x is not among the params", 23 },
		{ "MATCH (a) RETURN b", "b is not in the pattern", 17 },
		{ "MATCH (a)-[e*]->(b) RETURN e", "several relations", 27 },
		{ "MATCH (a) RETURN a, a", "two columns", 20 },
		{ "MATCH (a) RETURN a.ip LIMIT -1", "from 0 to 10000", 28 },
		{ "MATCH (a) RETURN a.ip DELETE a", "this is too much", 22 },
		{ "MATCH (a {ip:'x) RETURN a", "no end", 13 },
		{ "MATCH (a)-[e]->(b) RETURN DISTINCT a.ip ORDER BY e.rtt_us", "must be among the columns", 49 },
	};
	struct cypher_error err;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		if (!cypher_parse(&question, cases[i].text, strlen(cases[i].text), NULL, 0, &err))
			fail_msg("%s is taken", cases[i].text);
		if (!strstr(err.why, cases[i].why) || err.at != cases[i].at)
			fail_msg("%s: %s at %zu", cases[i].text, err.why, err.at);
	}
}

static void
test_answers(void **state)
{
	(void)state;
	add_hops(5);
	link_two(0, 1);
	link_two(1, 2);
	link_two(1, 3);
	link_two(3, 0);
	run("INSERT INTO link (sensor, ttl, a, gap, b, traces, first_us, last_us) VALUES ('gw', 0, '', 2, '10.0.0.0', 7, 1, 2)");
	assert_rows("MATCH (a:hop{ip:'10.0.0.0'})-[:next]->(b) RETURN b.ip", "[[\"10.0.0.1\"]]");
	assert_rows("MATCH (a:hop{ip:'10.0.0.0'})-[next*1..2]->(b) RETURN b.ip ORDER BY b.ip DESC",
		    "[[\"10.0.0.3\"],[\"10.0.0.2\"],[\"10.0.0.1\"]]");
	assert_rows("match (a)-[:next]->(b:hop) where b.ip = '10.0.0.0' return a.name, a.ip order by a.name",
		    "[[\"gw\",null],[\"n\303\251\",\"10.0.0.3\"]]");
	assert_rows("MATCH (a:sensor {name: 'gw'})-[e]->(b) RETURN e.count, e.gap, e.rtt_us", "[[7,2,null]]");
	assert_rows("MATCH (a:hop) RETURN count(*), count(a.name)", "[[5,2]]");
	assert_rows("MATCH (a:hop {ip: 'x'}) RETURN count(*)", "[[0]]");
	assert_rows("MATCH (a:hop)-->(b) RETURN a.ip, count(*) AS n ORDER BY n DESC, a.ip LIMIT 2", "[[\"10.0.0.1\",2],[\"10.0.0.0\",1]]");
	assert_rows("MATCH (a:hop {ip: '10.0.0.4'})-[*0..3]-(b) RETURN b.ip", "[[\"10.0.0.4\"]]");
	assert_rows("MATCH (a)-[]->(b)-[]->(c)-[]->(a) WHERE a.ip = '10.0.0.1' RETURN b.ip, c.ip", "[[\"10.0.0.3\",\"10.0.0.0\"]]");
	assert_rows("MATCH (a:hop) WHERE a.name CONTAINS 'n' AND NOT a.ip ENDS WITH '.3' OR a.ip IN ['10.0.0.4', 'x'] RETURN a.ip ORDER BY a.ip",
		    "[[\"10.0.0.1\"],[\"10.0.0.4\"]]");
	/* What is not there is neither equal nor different. */
	assert_rows("MATCH (a:hop) WHERE a.name <> 'x' RETURN count(*)", "[[2]]");
	assert_rows("MATCH (a:hop) WHERE NOT a.name = 'x' RETURN count(*)", "[[2]]");
	assert_rows("MATCH (a:hop) WHERE a.name IS NULL RETURN count(*)", "[[3]]");
	assert_rows("MATCH (a:hop) WHERE a.first_seen >= '2026-11-21T19:04:05' AND a.last_seen < '2026-11-21T19:04:07' RETURN count(*)", "[[5]]");
	assert_rows("MATCH (a:hop) RETURN DISTINCT a.name ORDER BY a.name SKIP 1", "[[null]]");
	assert_non_null(strstr(ask("MATCH (a:hop {ip: '10.0.0.1'}) RETURN a"), "{\"label\":\"hop\",\"ip\":\"10.0.0.1\",\"name\":\"n\303\251\","
			       "\"first_seen\":\"2026-11-21T19:04:05.000000Z\",\"last_seen\":\"2026-11-21T19:04:06.000000Z\"}"));
}

/* How many ways of min to max relations lead from a to b, none twice in one. */
static int
ways(int edge[NODES][NODES], int a, int b, int min, int max, int both)
{
	int n = !min && a == b;

	if (!max)
		return n;
	for (int i = 0; i < NODES; i++) {
		for (int in = 0; in <= both; in++) {
			int *e = in ? &edge[i][a] : &edge[a][i];

			if (!*e || (in && i == a))
				continue;
			*e = 0;
			n += ways(edge, i, b, min ? min - 1 : 0, max - 1, both);
			*e = 1;
		}
	}
	return n;
}

static void
test_random(void **state)
{
	unsigned seed = (unsigned)time(NULL);

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	add_hops(NODES);
	for (int round = 0; round < 60; round++) {
		int edge[NODES][NODES] = { { 0 } };

		run("DELETE FROM link");
		for (int i = 0; i < 13; i++) {
			int a = rand() % NODES, b = rand() % NODES;

			if (!edge[a][b])
				link_two(a, b);
			edge[a][b] = 1;
		}
		for (int i = 0; i < 20; i++) {
			int a = rand() % NODES, b = rand() % NODES, min = rand() % 3, max = min + 1 + rand() % 3, both = rand() % 2;
			char text[300], rows[60];

			snprintf(text, sizeof text, "MATCH (a:hop {ip: '10.0.0.%d'})-[:next*%d..%d]-%s(b {ip: '10.0.0.%d'}) RETURN count(*)", a,
				 min, max, both ? "" : ">", b);
			snprintf(rows, sizeof rows, "[[%d]]", ways(edge, a, b, min, max, both));
			assert_rows(text, rows);
		}
	}
}

/* More ways than anybody can walk. */
static void
test_bounded(void **state)
{
	(void)state;
	add_hops(12);
	for (int a = 0; a < 12; a++) {
		for (int b = 0; b < 12; b++)
			link_two(a, b);
	}
	assert_non_null(strstr(ask("MATCH (a)-[*]->(b) RETURN count(*)"), "\"partial\":true"));
	assert_non_null(strstr(ask("MATCH (a)-[*..6]->(b) RETURN a.ip, b.ip"), "\"partial\":true"));
	assert_non_null(strstr(ask("MATCH (a)-[*..6]->(b) RETURN a.ip LIMIT 5"), "\"partial\":false"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_random, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounded, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
