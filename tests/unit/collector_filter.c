/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * collector/filter.c and filtersql.c: what filters find among a few reports; where others are wrong and what is said
 * of them; that nothing of a filter's text becomes SQL; blocks that need not be looked at.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../src/collector/filter.c"
#undef J
#undef ALL
#include "../../src/collector/filtersql.c"

static sqlite3 *db;
static struct filter filter;
static struct filter_error error;
static struct filtersql sql;

/* Of the tables of days.c, what filters ask for. */
static const char tables[] =
	"CREATE TABLE conn (id INTEGER PRIMARY KEY, sensor TEXT, seq INTEGER, at_us INTEGER, src_ip TEXT, dst_ip TEXT,"
	"  dst_port INTEGER, state INTEGER, json TEXT);"
	"CREATE TABLE attempt (id INTEGER PRIMARY KEY, sensor TEXT, seq INTEGER, at_us INTEGER, src_ip TEXT, dst_ip TEXT,"
	"  count INTEGER, verdict INTEGER, kind INTEGER, ports BLOB, dst_ports_n INTEGER, dst_ips_n INTEGER, json TEXT);"
	"CREATE TABLE other (id INTEGER PRIMARY KEY, sensor TEXT, seq INTEGER, at_us INTEGER, type TEXT, json TEXT);"
	"INSERT INTO conn VALUES"
	" (1, 'branch-1', 10, 1795287845000000, '192.168.1.2', '192.0.2.7', 443, 0,"
	"  '{\"sensor\":\"branch-1\",\"proto\":\"tcp\",\"rtt_us\":90000,\"host\":\"caf\xc3\xa9\",\"loss\":true}'),"
	" (2, 'branch-2', 11, 1795287846000000, '192.168.1.3', '192.0.2.200', 25, 3, '{\"proto\":\"tcp\",\"syn_retrans\":3}'),"
	" (3, 'home', 12, 1795287847000000, '2001:db8::2', '2001:db8:1::9', 443, 2,"
	"  '{\"proto\":\"tcp\",\"rtt_us\":1500,\"host\":\"a\\\"b%_*\",\"loss\":false}');"
	"INSERT INTO attempt VALUES"
	" (4, 'home', 13, 1795287848000000, '203.0.113.5', NULL, 7, 1, 2, x'16000050', NULL, 30, '{\"rule\":\"drop\"}'),"
	" (5, 'home', 14, 1795287849000000, '203.0.113.6', '192.0.2.1', 1, NULL, NULL, x'', NULL, NULL, '{}');"
	"INSERT INTO other VALUES"
	" (6, 'branch-1', 15, 1795287850000000, 'trace', '{\"dst_ip\":\"2001:DB8:1:0::9\",\"dst_port\":443,\"reached\":true,"
	"\"method\":\"icmp\",\"hops\":[{\"ttl\":1},{\"ttl\":2,\"ip\":\"198.51.100.1\"}]}'),"
	" (7, 'branch-1', 16, 1795287851000000, 'trace', '{\"dst_ip\":\"192.0.2.7\",\"reached\":false,\"method\":\"udp\",\"hops\":[]}')";

static void
known_here(void *arg, const char *ip, const char *what, sqlite3_context *c)
{
	(void)arg;
	if (strcmp(ip, "192.0.2.7"))
		return;
	if (!strcmp(what, "cc"))
		sqlite3_result_text(c, "DE", -1, SQLITE_STATIC);
	else if (!strcmp(what, "asn"))
		sqlite3_result_int64(c, 15169);
}

static int
setup(void **state)
{
	(void)state;
	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, tables, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(filtersql_functions(db), SQLITE_OK);
	assert_int_equal(filtersql_functions(db), SQLITE_OK);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	return sqlite3_close(db);
}

/* The ids that it finds, such as "136". */
static void
find(const char *text, char out[10])
{
	static const char *const names[] = { "conn", "attempt", "other" };
	struct filtersql_arg arg = { known_here, NULL };
	size_t n = 0;

	if (filter_parse(&filter, text, strlen(text), &error))
		fail_msg("%s: byte %zu: %s", text, error.at, error.why);
	for (int t = 0; t < FILTER_TABLES; t++) {
		sqlite3_stmt *stmt = NULL;
		char ask[FILTERSQL_MAX + 100];
		int may = filtersql_make(&sql, &filter, (enum filter_table)t, 3);

		assert_true(may >= 0);
		if (!may)
			continue;
		snprintf(ask, sizeof ask, "SELECT id FROM %s WHERE id > ?1 AND id < ?2 AND %s ORDER BY id", names[t], sql.where);
		if (sqlite3_prepare_v2(db, ask, -1, &stmt, NULL))
			fail_msg("%s: %s: %s", text, ask, sqlite3_errmsg(db));
		sqlite3_bind_int(stmt, 1, 0);
		sqlite3_bind_int(stmt, 2, 100);
		assert_int_equal(sqlite3_bind_parameter_count(stmt), sql.n_binds + 2);
		assert_int_equal(filtersql_bind(&sql, stmt, &arg), SQLITE_OK);
		while (sqlite3_step(stmt) == SQLITE_ROW && n < 9)
			out[n++] = (char)('0' + sqlite3_column_int(stmt, 0));
		sqlite3_finalize(stmt);
	}
	out[n] = 0;
}

static void
test_good(void **state)
{
	static const char *const good[][2] = {
		{ "", "1234567" },
		{ "   ", "1234567" },
		{ "dst = 192.0.2.7", "17" },
		{ "DST_IP = 192.0.2.7", "17" },
		{ "dst != 192.0.2.7", "2356" }, /* 4 has none: neither */
		{ "not dst = 192.0.2.7", "23456" },
		{ "dst = 192.0.2.0/24", "1257" },
		{ "dst.ip=192.0.2.0/25", "157" },
		{ "dst != 192.0.2.0/24", "36" },
		{ "dst = 2001:db8:1::9", "36" },
		{ "dst = \"2001:DB8:1:0:0::9\"", "36" },
		{ "dst in (192.0.2.7, 2001:db8:1::/48)", "1367" },
		{ "dst not in (192.0.2.7, 2001:db8:1::/48)", "25" },
		{ "dst ~ 192.0.2.*", "1257" },
		{ "dst !~ 192.0.2.?", "236" },
		{ "src = 0.0.0.0/0", "1245" },
		{ "src = ::/0", "3" },
		{ "rtt > 80ms", "1" },
		{ "rtt>80ms", "1" },
		{ "rtt >= 90ms", "1" },
		{ "rtt > 90ms", "" },
		{ "rtt = 1.5ms", "3" },
		{ "rtt < 2ms", "3" },
		{ "rtt <= 1500us", "3" },
		{ "rtt < 0.09s", "3" },
		{ "rtt < 0", "" },
		{ "rtt = 1500\302\265s", "3" },
		{ "not rtt > 80ms", "234567" },
		{ "has rtt", "13" },
		{ "not has rtt", "24567" },
		{ "has dst", "123567" },
		{ "state = refused", "3" },
		{ "state != refused", "12" },
		{ "state in (refused, timeout)", "23" },
		{ "state not in (refused, timeout)", "1" },
		{ "failed", "23" },
		{ "not failed", "14567" },
		{ "failed = no", "1" },
		{ "failed and rtt > 1ms", "3" },
		{ "loss", "1" },
		{ "loss = false", "3" },
		{ "reached", "6" },
		{ "reached = no or reached = yes", "67" },
		{ "port = 443", "136" },
		{ "port = 22", "4" },
		{ "port != 22", "1236" },
		{ "port > 443", "4" }, /* its other one is 20480 */
		{ "port in (22, 25)", "24" },
		{ "has port", "123456" },
		{ "sensor = home", "345" },
		{ "sensor ~ branch*", "1267" },
		{ "sensor ~ \"BRANCH-?\"", "1267" },
		{ "sensor !~ branch*", "345" },
		{ "sensor in (home, \"branch-2\")", "2345" },
		{ "host = \"caf\xc3\xa9\"", "1" },
		{ "host ~ caf?", "1" },
		{ "host = \"a\\\"b%_*\"", "3" },
		{ "host ~ *\"%_\"", "" }, /* ends the pattern: a string stands behind a word */
		{ "syn_retrans >= 3", "2" },
		{ "proto = tcp", "123" },
		{ "proto in (udp, sctp)", "" },
		{ "type = conn", "123" },
		{ "type != conn", "4567" },
		{ "type in (attempt, trace) and sensor = home", "45" },
		{ "not type = conn and not type = attempt", "67" },
		{ "has type", "1234567" },
		{ "verdict = dropped", "4" },
		{ "kind = horizontal_scan or method = udp", "47" },
		{ "count > 1", "4" },
		{ "rule = drop", "4" },
		{ "dst_ips_n >= 30", "4" },
		{ "hop = 198.51.100.1", "6" },
		{ "hop = 198.51.100.0/24", "6" },
		{ "hop != 198.51.100.1", "7" },
		{ "hop in (10.0.0.1, 198.51.100.1)", "6" },
		{ "dst.as = 15169", "17" },
		{ "dst.as = AS15169", "17" },
		{ "dst_cc = DE", "17" },
		{ "not dst_cc = DE", "23456" },
		{ "has dst_cc", "17" },
		{ "dst_city = Berlin", "" },
		{ "ts >= 2026-11-21T19:04:09Z", "567" },
		{ "ts < 2026-11-21T19:04:06Z", "1" },
		{ "ts > 2026-11-22", "" },
		{ "id = 4 or seq = 16", "47" },
		{ "(state in (refused, timeout) or not port = 443) and sensor ~ \"branch*\"", "27" },
		{ "dst = 192.0.2.0/24 and rtt > 80ms and (state in (refused, timeout) or not port = 25) and sensor ~ branch*", "1" },
		{ "not (port = 443 or port = 25)", "457" },
		{ "not not port = 443", "136" },
		{ "port = 443 or port = 25 and rtt > 1s", "136" },
		{ "state = established AND NOT port = 80", "1" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		char found[10];

		if (!strcmp(good[i][0], "host ~ *\"%_\"")) {
			assert_int_equal(filter_parse(&filter, good[i][0], strlen(good[i][0]), &error), -EINVAL);
			continue;
		}
		find(good[i][0], found);
		if (strcmp(found, good[i][1]))
			fail_msg("%s: found %s, wanted %s: %s", good[i][0], found, good[i][1], sql.where);
	}
}

static void
test_bad(void **state)
{
	static const struct {
		const char *text;
		size_t at;
		const char *why, *expected;
	} bad[] = {
		{ "foo = 1", 0, "no field foo", "dst_ip" },
		{ "dst = 192.0.2.7 and", 19, "a field", "rtt_us" },
		{ "dst = 192.0.2.7 port = 1", 16, "and or or", "and" },
		{ "(dst = 192.0.2.7", 16, ") is missing", ")" },
		{ "dst = 192.0.2.7)", 15, "and or or", "or" },
		{ "()", 1, "a field", "type" },
		{ "dst", 3, "operator", "=" },
		{ "dst < 192.0.2.7", 4, "does not compare", "in" },
		{ "dst = 192.0.2.7/24", 6, "bits behind", NULL },
		{ "dst = 192.0.2.999", 6, "address", "192.0.2.0/24" },
		{ "dst =", 5, "a value", NULL },
		{ "dst = and", 6, "address", NULL },
		{ "rtt > 80", 8, "unit", "ms" },
		{ "rtt > 80m", 8, "unit", "us" },
		{ "rtt > ms", 6, "80ms", "80ms" },
		{ "rtt > -5ms", 6, "80ms", NULL },
		{ "rtt > 1.2.3s", 9, "unit", NULL },
		{ "rtt > 9999999999999s", 6, "80ms", NULL },
		{ "rtt ~ 5*", 4, "does not compare", ">=" },
		{ "state = broken", 8, "one of", "timeout" },
		{ "state in refused", 9, "(a, b)", "(" },
		{ "state in (refused", 17, ", or ends", ")" },
		{ "state in (refused timeout)", 18, ", or ends", "," },
		{ "state in ()", 10, "one of", "refused" },
		{ "state in (refused,)", 18, "one of", "refused" },
		{ "state not refused", 10, "operator", "not in" },
		{ "port = 65536", 7, "65535", NULL },
		{ "port = http", 7, "number", NULL },
		{ "port = 99999999999999999", 7, "number", NULL },
		{ "sensor = \"open", 9, "no end", "\"" },
		{ "sensor = \"a\\n\"", 11, "behind \\", NULL },
		{ "sensor ! x", 7, "!= and !~", "!=" },
		{ "loss = 1", 7, "yes or no", "yes" },
		{ "loss > yes", 5, "does not compare", "=" },
		{ "ts > yesterday", 5, "a time", NULL },
		{ "ts = 2026-11-21", 3, "does not compare", "<" },
		{ "has 5", 4, "no field", "rtt_us" },
		{ "sensor = \001", 9, "control", NULL },
		{ "not", 3, "a field", "sensor" },
		{ "= 5", 0, "a field", "sensor" },
		{ "caf\xc3\xa9 = 5", 0, "no field caf??", "sensor" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		int found = !bad[i].expected;

		if (!filter_parse(&filter, bad[i].text, strlen(bad[i].text), &error))
			fail_msg("%s: taken", bad[i].text);
		for (size_t k = 0; k < error.n_expected; k++)
			found |= strlen(bad[i].expected ? bad[i].expected : "") == error.expected[k].n &&
				 !memcmp(bad[i].expected, error.expected[k].s, error.expected[k].n);
		if (error.at != bad[i].at || !strstr(error.why, bad[i].why) || !found)
			fail_msg("%s: byte %zu: %s, expected %zu", bad[i].text, error.at, error.why, error.n_expected);
	}
}

/* More than there is room for, of everything. */
static void
test_bounds(void **state)
{
	static char text[FILTER_TEXT_MAX + 100];
	char *p = text;

	(void)state;
	memset(text, '(', sizeof text);
	assert_int_equal(filter_parse(&filter, text, FILTER_DEPTH_MAX + 1, &error), -EINVAL);
	assert_int_equal(error.at, FILTER_DEPTH_MAX);
	assert_int_equal(filter_parse(&filter, text, FILTER_TEXT_MAX + 1, &error), -EINVAL);
	assert_non_null(strstr(error.why, "longer"));
	for (int i = 0; i < FILTER_DEPTH_MAX; i++)
		p += sprintf(p, "%s", i % 2 ? "not " : "(");
	p += sprintf(p, "failed");
	for (int i = 0; i < FILTER_DEPTH_MAX / 2; i++)
		p += sprintf(p, ")");
	assert_int_equal(filter_parse(&filter, text, (size_t)(p - text), &error), 0);
	for (int t = 0; t < FILTER_TABLES; t++)
		assert_true(filtersql_make(&sql, &filter, (enum filter_table)t, 1) >= 0);
	p = text;
	for (int i = 0; i < FILTER_NODES_MAX; i++)
		p += sprintf(p, "%sid = %d", i ? " or " : "", i);
	assert_int_equal(filter_parse(&filter, text, (size_t)(p - text), &error), -EINVAL);
	assert_non_null(strstr(error.why, "more than 128"));
	p = text + sprintf(text, "id in (0");
	for (int i = 1; i <= FILTER_VALUES_MAX; i++)
		p += sprintf(p, ",%d", i % 10);
	p += sprintf(p, ")");
	assert_int_equal(filter_parse(&filter, text, (size_t)(p - text), &error), -EINVAL);
	assert_non_null(strstr(error.why, "more than 256"));
	/* As much as a filter may be does fit into SQL. */
	p = text + sprintf(text, "dst_as_org in (1");
	for (int i = 1; i < FILTER_VALUES_MAX; i++)
		p += sprintf(p, ",1");
	p += sprintf(p, ")");
	assert_int_equal(filter_parse(&filter, text, (size_t)(p - text), &error), 0);
	assert_int_equal(filtersql_make(&sql, &filter, FILTER_TRACE, 1), 1);
}

/* `times` the same, then what is inside, then as many ends; what it finds. */
static void
find_inside(const char *begin, const char *inside, const char *end, int times, char out[10])
{
	static char text[FILTER_TEXT_MAX + 100];
	char *p = text;

	for (int i = 0; i < times; i++)
		p += sprintf(p, "%s", begin);
	p += sprintf(p, "%s", inside);
	for (int i = 0; i < times; i++)
		p += sprintf(p, "%s", end);
	find(text, out);
}

/* SQLite's parser has a stack of 100; whatever is within the limits fits. */
static void
test_deep(void **state)
{
	static const struct { const char *begin, *inside, *end; int times; const char *found; } deep[] = {
		{ "not ", "dst = 192.0.2.7", "", FILTER_DEPTH_MAX, "17" },
		{ "not ", "dst = 192.0.2.7", "", FILTER_DEPTH_MAX - 1, "23456" },
		{ "not (seq >= 0 and ", "dst = 192.0.2.7", ")", FILTER_DEPTH_MAX / 2, "17" },
		{ "not (host ~ zz or ", "dst = 192.0.2.7", ")", FILTER_DEPTH_MAX / 2, "17" },
		{ "", "dst ~ 192.0.2.7", " and seq >= 0", FILTER_NODES_MAX / 2 - 1, "17" },
		{ "seq >= 0 and ", "dst ~ 192.0.2.7", "", FILTER_NODES_MAX / 2 - 1, "17" },
		{ "", "dst ~ 192.0.2.7", " or port = 9", FILTER_NODES_MAX / 2 - 1, "17" },
		{ "(host ~ zz or seq >= 0 and ", "dst = 192.0.2.7", ")", FILTER_NODES_MAX / 4 - 1, "17" },
		{ "(port = 9 or ", "dst ~ 192.0.2.7", " and host !~ zz or host ~ zz)", FILTER_NODES_MAX / 6, "1" },
		{ "", "(dst = 192.0.2.7)", " and (port = 9 or seq >= 0)", FILTER_NODES_MAX / 4 - 1, "17" },
	};
	char found[10];

	(void)state;
	for (size_t i = 0; i < sizeof deep / sizeof *deep; i++) {
		find_inside(deep[i].begin, deep[i].inside, deep[i].end, deep[i].times, found);
		if (strcmp(found, deep[i].found))
			fail_msg("%d times %s: found %s, wanted %s: %s", deep[i].times, deep[i].begin, found, deep[i].found, sql.where);
	}
}

/* What is written in a filter is found in parameters alone. */
static void
test_no_text_in_sql(void **state)
{
	static const char *const hostile[] = { "zq') OR 1=1 --", "zq\" OR \"\"=\"", "zq;DROP TABLE conn", "zq?1@@", "zq%s%n", "zq'||x" };

	(void)state;
	for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
		static const char *const fields[] = { "sensor = ", "host ~ ", "dst_cc in ", "rule != ", "dst ~ " };
		char text[200], found[10];

		for (size_t f = 0; f < sizeof fields / sizeof *fields; f++) {
			char *p = text + sprintf(text, "%s%s\"", fields[f], strstr(fields[f], " in ") ? "(" : "");

			for (const char *h = hostile[i]; *h; h++)
				p += sprintf(p, "%s%c", *h == '"' ? "\\" : "", *h);
			sprintf(p, "\"%s", strstr(fields[f], " in ") ? ")" : "");
			find(text, found);
			for (int t = 0; t < FILTER_TABLES; t++) {
				filtersql_make(&sql, &filter, (enum filter_table)t, 1);
				assert_null(strstr(sql.where, "zq"));
			}
		}
	}
}

static void
test_like(void **state)
{
	static const struct { const char *pattern, *text; int is; } like[] = {
		{ "", "", 1 }, { "", "a", 0 }, { "*", "", 1 }, { "*", "abc", 1 }, { "a*", "abc", 1 }, { "*c", "abc", 1 },
		{ "*b", "abc", 0 }, { "a*c", "ac", 1 }, { "a?c", "ac", 0 }, { "a?c", "abc", 1 }, { "A*C", "abc", 1 }, { "?", "\xc3\xa9", 1 },
		{ "??", "\xc3\xa9", 0 }, { "*a*b*", "xxaxxbxx", 1 }, { "*a*b", "xaxbx", 0 }, { "a**b", "ab", 1 }, { "[a]", "a", 0 },
		{ "*ab", "aab", 1 }, { "*aab*", "aaab", 1 }, { "?*", "", 0 }, { "abc", "abcd", 0 },
	};
	static const char stars[] = "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*ab";
	char text[2000];

	(void)state;
	for (size_t i = 0; i < sizeof like / sizeof *like; i++)
		assert_int_equal(filter_like(like[i].pattern, strlen(like[i].pattern), like[i].text, strlen(like[i].text)), like[i].is);
	/* What makes others take for ever. */
	memset(text, 'a', sizeof text);
	assert_false(filter_like(stars, sizeof stars - 1, text, sizeof text));
}

static void
test_skipped(void **state)
{
	/* Of a block with these. */
	static const char *const yes[] = { "", "dst = 192.0.2.7", "src = 192.0.2.7 and port = 443", "port in (1, 443)", "sensor = gw", "rtt > 79ms",
					   "rtt = 80ms", "dst = 192.0.2.0/24", "not dst = 10.0.0.1", "dst != 10.0.0.1", "dst ~ 10*",
					   "dst = 10.0.0.1 or sensor = gw", "dst in (10.0.0.1, 10.0.0.0/8)", "type = conn", "rtt < 1ms", "host = x" };
	static const char *const no[] = { "dst = 10.0.0.1", "port = 80", "port in (1, 2)", "sensor = home", "rtt > 80ms", "rtt >= 81ms", "type = trace",
					  "sensor = gw and hop = 10.0.0.1", "dst = 10.0.0.1 or port = 1", "(host = x or failed) and port = 3" };
	uint8_t conn = REPORT_CONN;
	uint32_t terms[] = { blocks_term(BLOCKS_IP, "192.0.2.7", 9), blocks_term_port(443), blocks_term(BLOCKS_SENSOR, "gw", 2),
			     blocks_term(BLOCKS_TYPE, &conn, 1) };
	struct block b = { .rtt_max_us = 80000, .terms = (const uint8_t *)terms, .n = 4 };

	(void)state;
	for (int i = 0; i < 4; i++) {
		for (int k = 0; k < 3; k++) {
			uint32_t t = terms[k];

			if (t > terms[k + 1]) {
				terms[k] = terms[k + 1];
				terms[k + 1] = t;
			}
		}
	}
	for (int i = 0; i < 4; i++)
		terms[i] = htole32(terms[i]);
	for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
		assert_int_equal(filter_parse(&filter, yes[i], strlen(yes[i]), &error), 0);
		if (!filter_may(&filter, &b))
			fail_msg("%s: passed over", yes[i]);
	}
	for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
		assert_int_equal(filter_parse(&filter, no[i], strlen(no[i]), &error), 0);
		if (filter_may(&filter, &b))
			fail_msg("%s: looked at", no[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good), cmocka_unit_test(test_bad), cmocka_unit_test(test_bounds), cmocka_unit_test(test_deep),
		cmocka_unit_test(test_no_text_in_sql), cmocka_unit_test(test_like), cmocka_unit_test(test_skipped),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
