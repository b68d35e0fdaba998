/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * collector/validate.c: what a report keeps, what is dropped, what the answer says; lines that end
 * at an unreadable page.  Every rule against the schema itself: tests/collector/test_validate.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "../../src/collector/validate.c"
#include "guard.h"

#define HEAD "\"v\":1,\"ts\":\"2026-11-21T19:04:05.123456Z\",\"sensor\":\"r1\",\"boot\":\"9f1c2ab0\",\"seq\":41"
#define CONN \
	"{" HEAD ",\"type\":\"conn\",\"src_ip\":\"10.0.0.1\",\"src_port\":5,\"dst_ip\":\"192.0.2.1\",\"dst_port\":443," \
	"\"proto\":\"tcp\",\"dir\":\"outbound\",\"state\":\"refused\""

static struct validate *v;
static struct report r;

static int
check(const char *line)
{
	size_t n = strlen(line);

	return validate_line(v, (const char *)guard_copy(line, n), n, &r);
}

static void
expect_json(const char *json)
{
	char text[REPORT_LINE_MAX];

	memcpy(text, r.json, r.json_len);
	text[r.json_len] = 0;
	assert_string_equal(text, json);
}

static void
test_conn(void **state)
{
	(void)state;
	assert_int_equal(check(CONN ",\"rtt_us\":20123,\"syn_retrans\":2,\"sample_n\":8}"), 0);
	assert_int_equal(r.type, REPORT_CONN);
	assert_int_equal(r.seq, 41);
	assert_int_equal(r.ts_us, 1795287845123456);
	assert_int_equal(r.state, REPORT_REFUSED);
	assert_int_equal(r.proto, 0);
	assert_int_equal(r.src_port, 5);
	assert_int_equal(r.dst_port, 443);
	assert_int_equal(r.rtt_us, 20123);
	assert_int_equal(r.syn_retrans, 2);
	assert_int_equal(r.sample_n, 8);
	assert_string_equal(r.sensor, "r1");
	assert_string_equal(r.boot, "9f1c2ab0");
	assert_string_equal(r.src_ip, "10.0.0.1");
	assert_string_equal(r.dst_ip, "192.0.2.1");
	/* Nothing of it stays for the next. */
	assert_int_equal(check("{" HEAD ",\"type\":\"plugin\",\"plugin\":\"demo\",\"kind\":\"hello\"}"), 0);
	assert_int_equal(r.rtt_us, -1);
	assert_int_equal(r.state, -1);
	assert_int_equal(r.dst_port, -1);
	assert_string_equal(r.dst_ip, "");
	assert_int_equal(r.kind, -1);
}

static void
test_attempt_and_stat(void **state)
{
	(void)state;
	assert_int_equal(check("{\"kind\":\"vertical_scan\"," HEAD ",\"src_ip\":\"2001:DB8:0:0::1\",\"dir\":\"inbound\",\"count\":731,"
			       "\"last_ts\":\"2026-11-21T19:05:05.000000Z\",\"dst_ports\":[22,80,8080],\"dst_ports_n\":900,"
			       "\"dst_ips_n\":3,\"verdict\":\"dropped\",\"type\":\"attempt\"}"), 0);
	assert_string_equal(r.src_ip, "2001:db8::1");
	assert_int_equal(r.count, 731);
	assert_int_equal(r.n_ports, 3);
	assert_int_equal(r.ports[2], 8080);
	assert_int_equal(r.dst_ports_n, 900);
	assert_int_equal(r.dst_ips_n, 3);
	assert_int_equal(r.verdict, 1);
	assert_int_equal(r.kind, 1);
	assert_int_equal(r.last_ts_us - r.ts_us, 59876544);
	assert_int_equal(check("{" HEAD ",\"type\":\"stat\",\"window_us\":1,\"seq_first\":7}"), 0);
	assert_int_equal(r.seq_first, 7);
	assert_int_equal(r.n_ports, 0);
}

static void
expect_text(struct report_text t, const char *text)
{
	assert_int_equal(t.n, strlen(text));
	assert_memory_equal(t.s, text, t.n);
}

static void
test_trace(void **state)
{
	const struct report_hop *hop;
	char line[8000];
	size_t n;

	(void)state;
	assert_int_equal(check("{" HEAD ",\"type\":\"trace\",\"dst_ip\":\"2001:DB8::1\",\"method\":\"tcp-ack\",\"reached\":false,"
			       "\"hops\": [{\"ttl\":1, \"ip\":\"FE80::1\",\"rtt_us\":[7,5],\"sent\":3,\"asn\":1,"
			       "\"name\":\"a\\u0000\\\"\",\"mpls\":[{\"label\":1,\"ttl\":9}]},{\"ttl\":2},"
			       "{\"ttl\":9,\"ip\":\"1.2.3.4\",\"cached\":true}],\"dst_name\":\"d\","
			       "\"path_hash\":\"a1b2c3d4e5f60718\",\"prev_path_hash\":\"00112233445566ff\","
			       "\"trigger\":\"slow\",\"dst_port\":443}"), 0);
	assert_non_null(r.trace);
	assert_string_equal(r.dst_ip, "2001:db8::1");
	assert_int_equal(r.dst_port, 443);
	assert_int_equal(r.trace->method, 3);
	assert_int_equal(r.trace->trigger, 1);
	assert_int_equal(r.trace->reached, 0);
	assert_string_equal(r.trace->path_hash, "a1b2c3d4e5f60718");
	assert_string_equal(r.trace->prev_path_hash, "00112233445566ff");
	expect_text(r.trace->dst_name, "\"d\"");
	expect_text(r.trace->hops, "[{\"ttl\":1,\"ip\":\"FE80::1\",\"rtt_us\":[7,5],\"sent\":3,"
				   "\"name\":\"a\\u0000\\\"\",\"mpls\":[{\"label\":1,\"ttl\":9}]},{\"ttl\":2},"
				   "{\"ttl\":9,\"ip\":\"1.2.3.4\",\"cached\":true}]");
	assert_int_equal(r.trace->n_hops, 3);
	hop = r.trace->hop;
	assert_int_equal(hop[0].ttl, 1); /* not the label's */
	assert_string_equal(hop[0].ip, "fe80::1");
	assert_int_equal(hop[0].n_rtt, 2);
	assert_int_equal(hop[0].rtt_us[1], 5);
	assert_int_equal(hop[0].sent, 3);
	assert_int_equal(hop[0].cached, 0);
	expect_text(hop[0].name, "\"a\\u0000\\\"\"");
	assert_string_equal(hop[1].ip, "");
	assert_int_equal(hop[1].sent, -1);
	assert_int_equal(hop[1].n_rtt, 0);
	assert_int_equal(hop[1].name.n, 0);
	assert_int_equal(hop[2].ttl, 9);
	assert_int_equal(hop[2].cached, 1);
	/* Nothing of it stays for the next; another type has none. */
	assert_int_equal(check("{" HEAD ",\"type\":\"trace\",\"dst_ip\":\"1.2.3.4\",\"method\":\"udp\",\"reached\":true,"
			       "\"hops\":[]}"), 0);
	assert_int_equal(r.trace->n_hops, 0);
	assert_int_equal(r.trace->trigger, -1);
	assert_string_equal(r.trace->path_hash, "");
	assert_string_equal(r.trace->prev_path_hash, "");
	assert_int_equal(r.trace->dst_name.n, 0);
	expect_text(r.trace->hops, "[]");
	assert_int_equal(check(CONN ",\"dst_name\":\"d\"}"), 0);
	assert_null(r.trace);
	/* One hop, and one RTT, too many; hops that are none. */
	for (unsigned hops = 64; hops <= 66; hops++) {
		n = (size_t)sprintf(line, "{" HEAD ",\"type\":\"trace\",\"dst_ip\":\"1.2.3.4\",\"method\":\"udp\","
					  "\"reached\":true,\"hops\":[");
		for (unsigned i = 0; i < hops; i++)
			n += (size_t)sprintf(line + n, "%s{\"ttl\":%u,\"name\":\"x\",\"rtt_us\":[1,2,3]}", i ? "," : "", i % 64 + 1);
		sprintf(line + n, "]}");
		assert_int_equal(check(line), hops == 64 ? 0 : -1);
	}
	assert_string_equal(validate_why(v), "hops[64]: more than 64 items");
	assert_int_equal(check("{" HEAD ",\"type\":\"trace\",\"hops\":[{\"ttl\":1,\"rtt_us\":[1,1,1,1,1,1,1,1,1,1,1,1]}]}"), -1);
	assert_int_equal(check("{" HEAD ",\"type\":\"trace\",\"hops\":[[1,[2]],3,\"x\",{\"rtt_us\":{\"a\":1}}]}"), -1);
	assert_int_equal(check("{" HEAD ",\"type\":\"trace\",\"hops\":{\"ttl\":{\"ip\":\"1.2.3.4\"}}}"), -1);
}

static void
test_dropped(void **state)
{
	(void)state;
	assert_int_equal(check("{ \"rx_ts\" : \"2026-11-21T19:04:05.123456Z\" , \"v\":1,\"tenant\":\"t\",\"type\":\"trace\",\t"
			       "\"ts\":\"2026-11-21T19:04:05.123456Z\",\"sensor\":\"r1\",\"boot\":\"9f1c2ab0\",\"seq\":1,"
			       "\"dst_ip\":\"1.2.3.4\",\"dst_lat\":-1.5e1,\"geo_db\":\"x\",\"method\":\"icmp\",\"reached\":true,\"hops\":["
			       "{\"asn\":1,\"ttl\":1,\"as_org\":\"o\"},{\"ttl\":2,\"cc\":\"SE\",\"lat\":1,\"lon\":2,\"rtt_us\":[1,2]},"
			       "{\"ttl\":3,\"lat\":0}],\"dst_cc\":\"US\"}\r"), 0);
	expect_json("{\"v\":1,\"type\":\"trace\",\"ts\":\"2026-11-21T19:04:05.123456Z\",\"sensor\":\"r1\",\"boot\":\"9f1c2ab0\","
		    "\"seq\":1,\"dst_ip\":\"1.2.3.4\",\"method\":\"icmp\",\"reached\":true,\"hops\":[{\"ttl\":1},"
		    "{\"ttl\":2,\"rtt_us\":[1,2]},{\"ttl\":3}]}");
	/* Dropped, but not unchecked. */
	assert_int_equal(check(CONN ",\"dst_cc\":\"usa\"}"), -1);
	assert_int_equal(check(CONN ",\"src_lat\":90.5}"), -1);
	assert_string_equal(validate_why(v), "src_lat: 90.5 is not from -90 to 90");
}

static void
test_kept_as_it_was(void **state)
{
	static const char *const tails[] = {
		",\"x_a\":{\"k\":[null,true,false,-0,1.50e+3,\"\",{},[]],\"\":{}}}",
		",\"host\":\"\\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\xc3\xa5\xf0\x9f\x98\x80<b>'&\"}",
	};
	char again[1000];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char line[1000];

		snprintf(line, sizeof line, CONN "%s", tails[i]);
		assert_int_equal(check(line), 0);
		expect_json(line);
	}
	assert_int_equal(check(CONN ",\"host\":\"\\u00e5\\/\\ud83d\\ude00\\u0041\\u000A\"}"), 0);
	expect_json(CONN ",\"host\":\"\xc3\xa5/\xf0\x9f\x98\x80" "A\\n\"}");
	/* What goes in as JSON comes out as JSON. */
	memcpy(again, r.json, r.json_len);
	assert_int_equal(validate_line(v, again, r.json_len, &r), 0);
}

static void
test_why(void **state)
{
	static const struct {
		const char *line, *why;
		int64_t seq;
	} list[] = {
		{ "", "not JSON", -1 },
		{ "[]", "must be an object, is a list", -1 },
		{ "{}", "type is missing", -1 },
		{ "{\"seq\":9}", "type is missing", 9 },
		{ "{\"seq\":9,", "not JSON", 9 },
		{ CONN ",\"mss\":65536}", "mss: 65536 is above 65535", 41 },
		{ CONN ",\"vlan\":0}", "vlan: 0 is below 1", 41 },
		{ CONN ",\"ecn\":1}", "ecn: must be true or false, is 1", 41 },
		{ CONN ",\"mss\":\"1\"}", "mss: must be a whole number, is \"1\"", 41 },
		{ CONN ",\"mss\":null}", "mss: must be a whole number, is null", 41 },
		{ CONN ",\"mss\":1.0}", "mss: 1.0 is no whole number", 41 },
		{ CONN ",\"dscp\":[]}", "dscp: must be a whole number, is a list", 41 },
		{ CONN ",\"state\":\"ok\"}", "state: is there twice", 41 },
		{ CONN ",\"hops\":[]}", "hops: no field of a conn report", 41 },
		{ CONN ",\"x_A\":1}", "x_A: unknown field", 41 },
		{ CONN ",\"x_a\":{\"k\":1,\"k\":2}}", "x_a.k: is there twice", 41 },
		{ CONN ",\"x_a\":[[[[[[[[1]]]]]]]]}", "x_a[0][0][0][0][0][0][0]: more than 8 levels", 41 },
		{ CONN ",\"host\":\"\xff\"}", "not UTF-8", -1 },
		{ CONN ",\"host\":\"\\udfff\"}", "half of a surrogate pair", -1 },
		{ CONN ",\"syn_retrans\":4294967296}", "syn_retrans: 4294967296 is above 4294967295", 41 },
		{ CONN "} {}", "more than one value in the line", 41 },
		{ "{" HEAD ",\"type\":\"trace\",\"hops\":[{\"ttl\":1},{\"ttl\":0}]}", "hops[1].ttl: 0 is below 1", 41 },
		{ "{" HEAD ",\"type\":\"trace\",\"hops\":[{\"ip\":\"1.1.1.1\"}]}", "hops[0]: ttl is missing", 41 },
		{ "{" HEAD ",\"type\":\"rollup\",\"rtt_hist\":[[1,2],[3]]}", "rtt_hist[1]: must have 2 items", 41 },
		{ "{" HEAD ",\"type\":\"rollup\",\"rtt_hist\":[[160,2]]}", "rtt_hist[0][0]: 160 is above 159", 41 },
		{ "{" HEAD ",\"type\":\"attempt\",\"dst_ports\":[1,2,1]}", "dst_ports[2]: 1 is there twice", 41 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		assert_int_equal(check(list[i].line), -1);
		assert_string_equal(validate_why(v), list[i].why);
		assert_int_equal(r.seq, list[i].seq);
		/* And the next line is judged afresh. */
		assert_int_equal(check(CONN "}"), 0);
	}
}

/* Every prefix of a line, and every byte of it changed: no read beyond the end, and never a report
 * whose JSON is longer than the line. */
static void
test_torn(void **state)
{
	static const char line[] = "{" HEAD ",\"type\":\"stat\",\"window_us\":60,\"groups\":[{\"group\":5,\"class\":\"syn\\u00e5\"}],"
				   "\"sandbox\":{\"seccomp\":true},\"plugins\":[{\"name\":\"p\",\"counters\":{\"a\":1},\"new\":[{}]}]}";
	char copy[sizeof line];
	int accepted = 0;

	(void)state;
	assert_int_equal(check(line), 0);
	for (size_t n = 0; n < sizeof line - 1; n++)
		assert_int_equal(validate_line(v, (const char *)guard_copy(line, n), n, &r), -1);
	for (size_t i = 0; i < sizeof line - 1; i++) {
		for (int c = 0; c < 256; c++) {
			memcpy(copy, line, sizeof line);
			copy[i] = (char)c;
			if (!validate_line(v, (const char *)guard_copy(copy, sizeof line - 1), sizeof line - 1, &r)) {
				accepted++;
				assert_true(r.json_len < sizeof line);
			} else {
				assert_true(validate_why(v)[0]);
			}
		}
	}
	assert_true(accepted > 500);
}

static int
setup(void **state)
{
	(void)state;
	v = validate_new();
	return !v;
}

static int
teardown(void **state)
{
	(void)state;
	validate_free(v);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_conn),	 cmocka_unit_test(test_attempt_and_stat),
		cmocka_unit_test(test_dropped), cmocka_unit_test(test_trace),	 cmocka_unit_test(test_kept_as_it_was),
		cmocka_unit_test(test_why),	 cmocka_unit_test(test_torn),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
