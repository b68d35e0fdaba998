/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * collector/geolink.c with the process played by the test: what is asked, what is kept of the answers, and what
 * becomes of a batch over which the process dies, again and again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../src/collector/geolink.c"

#define NOW 1795287845000000

static struct loop *loop;
static struct store *store;
static struct geolink *g;
static int theirs[GEOSTART_FDS];
static struct report rep;

pid_t
geostart_serve(const char *dir, int fds[GEOSTART_FDS])
{
	(void)dir;
	for (int i = 0; i < GEOSTART_FDS; i++) {
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
		fds[i] = pair[0];
		theirs[i] = pair[1];
	}
	return 1;
}

void
geostart_setup(const struct conf *conf, struct geo_control *c, int *named)
{
	(void)conf;
	*c = (struct geo_control){ .servers_n = 0 };
	*named = 0;
}

static int
setup(void **state)
{
	static const struct store_limits limits = { 20000, 16 << 20, 30 };

	(void)state;
	log_set_level(LOG_L_ERROR);
	assert_int_equal(store_open(&store, ":memory:", &limits, NOW), 0);
	loop = loop_new();
	g = geolink_new(loop, store, "");
	assert_non_null(g);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	geolink_free(g);
	for (int i = 0; i < GEOSTART_FDS; i++)
		close(theirs[i]);
	loop_free(loop);
	store_close(store);
	return 0;
}

static void
on_over(struct loop_timer *t)
{
	loop_stop(t->arg, 0);
}

/* Some turns of the loop. */
static void
turn(void)
{
	struct loop_timer over = { .at_us = 0 };

	loop_timer_set(loop, &over, 5000, on_over, loop);
	loop_run(loop);
}

static void
greet(int64_t generation)
{
	struct geo_hello h = { .is = GEO_IS_HELLO, .generation = generation };

	assert_int_equal(send(theirs[GEOSTART_PLACES], &h, sizeof h, 0), sizeof h);
	turn();
}

static void
see_one(const char *dst_ip)
{
	snprintf(rep.dst_ip, sizeof rep.dst_ip, "%s", dst_ip);
	geolink_see(g, &rep);
}

/* What is asked; 0: nothing. */
static uint32_t
asked(struct geo_ask *ask)
{
	turn();
	if (recv(theirs[GEOSTART_PLACES], ask, sizeof *ask, MSG_DONTWAIT) != sizeof *ask)
		return 0;
	assert_in_range(ask->n, 1, GEO_BATCH);
	return ask->n;
}

static void
answer(const struct geo_ask *ask, const char *cc)
{
	static struct geo_places p;

	p = (struct geo_places){ .is = GEO_IS_PLACES, .id = ask->id, .n = ask->n };
	for (uint32_t i = 0; i < ask->n; i++) {
		p.place[i] = (struct geo_place){ .asn = 7, .lat = GEO_NOWHERE, .lon = GEO_NOWHERE };
		memcpy(p.place[i].cc, cc, 3);
	}
	assert_int_equal(send(theirs[GEOSTART_PLACES], &p, sizeof p, 0), sizeof p);
	turn();
}

static const char *
country(const char *ip)
{
	static struct addrinfo_facts f;

	return addrinfo_find(store_addrs(store), ip, &f) ? f.cc : NULL;
}

static void
test_asks_once_for_what_is_public(void **state)
{
	struct geo_ask ask;

	(void)state;
	see_one("8.8.8.8");
	assert_int_equal(asked(&ask), 0); /* nobody is there to answer */
	greet(5);
	see_one("8.8.8.8");
	see_one("8.8.8.8");
	see_one("192.168.1.1");
	see_one("198.18.0.1");
	see_one("fe80::1");
	see_one("2001:db8::1");
	see_one("2a00::1");
	assert_int_equal(asked(&ask), 2);
	assert_int_equal(ask.addr[0].ipv, 4);
	assert_memory_equal(ask.addr[0].addr, "\x08\x08\x08\x08", 4);
	assert_int_equal(ask.addr[1].ipv, 6);
	answer(&ask, "US");
	assert_string_equal(country("8.8.8.8"), "US");
	assert_string_equal(country("2a00::1"), "US");
	assert_null(country("192.168.1.1"));
	memset(g->side[PLACES].seen, 0, sizeof g->side[PLACES].seen); /* as after ten minutes */
	see_one("8.8.8.8");
	see_one("9.9.9.9");
	assert_int_equal(asked(&ask), 1); /* what the table has is not asked again */
	answer(&ask, "CH");
	greet(6); /* other files */
	see_one("8.8.8.8");
	assert_int_equal(asked(&ask), 1);
	answer(&ask, "DE");
	assert_string_equal(country("8.8.8.8"), "DE");
}

/* One address is the end of whoever looks it up: each time. */
static void
test_a_batch_that_kills(void **state)
{
	const char poison[] = "\x09\x09\x09\x05";
	unsigned deaths = 0, rounds = 0;
	struct geo_ask ask;
	char ip[ADDR_TEXT];

	(void)state;
	greet(5);
	for (int i = 0; i < 40; i++) {
		snprintf(ip, sizeof ip, "9.9.9.%d", i);
		see_one(ip);
	}
	while (asked(&ask)) {
		int bad = 0;

		assert_in_range(++rounds, 1, 100);
		for (uint32_t i = 0; i < ask.n; i++)
			bad |= !memcmp(ask.addr[i].addr, poison, 4);
		if (bad) {
			deaths++;
			greet(5);
		} else {
			answer(&ask, "CH");
		}
	}
	assert_in_range(deaths, 2, 4); /* twice as a batch, twice alone */
	for (int i = 0; i < 40; i++) {
		snprintf(ip, sizeof ip, "9.9.9.%d", i);
		assert_non_null(country(ip));
		assert_string_equal(country(ip), i == 5 ? "" : "CH");
	}
	/* And that it is asked in batches again. */
	see_one("9.9.8.1");
	see_one("9.9.8.2");
	assert_int_equal(asked(&ask), 2);
}

static void
test_answers_that_cannot_be(void **state)
{
	static const struct geo_place wrong[] = {
		{ .cc = "d1", .lat = GEO_NOWHERE, .lon = GEO_NOWHERE },
		{ .cc = { 'D', 'E', 'X' }, .lat = GEO_NOWHERE, .lon = GEO_NOWHERE },
		{ .lat = 90000001, .lon = 0 },
		{ .lat = 0, .lon = GEO_NOWHERE },
		{ .as_org = "a\nb", .lat = GEO_NOWHERE, .lon = GEO_NOWHERE },
		{ .city = "\xff", .lat = GEO_NOWHERE, .lon = GEO_NOWHERE },
	};
	struct geo_places p;
	struct geo_ask ask;
	char ip[ADDR_TEXT];

	(void)state;
	greet(5);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		snprintf(ip, sizeof ip, "7.7.7.%zu", i);
		see_one(ip);
		assert_int_equal(asked(&ask), 1);
		p = (struct geo_places){ .is = GEO_IS_PLACES, .id = ask.id + 1, .n = 1, .place = { { .cc = "DE" } } };
		assert_int_equal(send(theirs[GEOSTART_PLACES], &p, sizeof p, 0), sizeof p); /* to another question */
		turn();
		assert_null(country(ip));
		p = (struct geo_places){ .is = GEO_IS_PLACES, .id = ask.id, .n = 1, .place = { wrong[i] } };
		assert_int_equal(send(theirs[GEOSTART_PLACES], &p, sizeof p, 0), sizeof p);
		turn();
		assert_string_equal(country(ip), ""); /* looked up, and nothing is known */
	}
}

static void
test_the_queue_is_bounded(void **state)
{
	unsigned total = 0;
	struct geo_ask ask;
	char ip[ADDR_TEXT];

	(void)state;
	greet(5);
	for (int i = 0; i < 3 * QUEUE; i++) {
		snprintf(ip, sizeof ip, "6.%d.%d.1", i >> 8, i & 255);
		see_one(ip);
	}
	assert_int_equal(g->side[PLACES].n, QUEUE);
	assert_true(g->side[PLACES].left_out);
	while (asked(&ask)) {
		total += ask.n;
		answer(&ask, "DE");
	}
	assert_int_equal(total, QUEUE);
}

static void
test_home_names(void **state)
{
	struct names *n = &g->names;
	struct addrinfo_facts f;

	(void)state;
	assert_null(names_add(n, "10.0.0.0/8=all"));
	assert_null(names_add(n, "10.1.0.0/16=one"));
	assert_null(names_add(n, "fd00:1::/32=six"));
	assert_non_null(names_add(n, "10.0.0.1/8=bits"));
	assert_non_null(names_add(n, "10.0.0.0/8="));
	assert_non_null(names_add(n, "10.0.0.0/8=a b"));
	assert_non_null(names_add(n, "10.0.0.0/8"));
	assert_non_null(names_add(n, "house=10.0.0.0/8"));
	assert_int_equal(n->n, 3);
	store_addrs(store)->names = n;
	assert_int_equal(addrinfo_find(store_addrs(store), "10.1.2.3", &f), 1);
	assert_string_equal(f.name, "one");
	assert_int_equal(addrinfo_find(store_addrs(store), "10.2.2.3", &f), 1);
	assert_string_equal(f.name, "all");
	assert_int_equal(addrinfo_find(store_addrs(store), "fd00:1::9", &f), 1);
	assert_int_equal(addrinfo_find(store_addrs(store), "11.1.2.3", &f), 0);
}

static void
test_text_of_strangers_in_json(void **state)
{
	char out[2000];
	struct json j;
	struct addrinfo_facts f = { .cc = "DE", .asn = 4294967295, .as_org = "a\"b\\c\x01\x7f K\xc3\xb6ln", .name = "\xff" };

	(void)state;
	json_begin(&j, out, sizeof out);
	json_map(&j, NULL);
	addrinfo_put(&j, "src", &f);
	json_close(&j);
	assert_int_equal(json_end(&j), 0);
	assert_string_equal(out, "{\"src_cc\":\"DE\",\"src_asn\":4294967295,\"src_as_org\":\"a\\\"b\\\\c\\u0001\\u007f K\xc3\xb6ln\"}");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_asks_once_for_what_is_public, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_batch_that_kills, setup, teardown),
		cmocka_unit_test_setup_teardown(test_answers_that_cannot_be, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_queue_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_home_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_text_of_strangers_in_json, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
