/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Daily budgets: against a naive copy, over restarts, clocks that jump, damaged files, a crash at
 * any store.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <sys/wait.h>
#include <time.h>

#include "../../src/prober/budget.c"

#define NOON (20000 * DAY_US + DAY_US / 2)

static int file;
static char path[] = "/tmp/prober-budget-XXXXXX";

static int
setup(void **state)
{
	(void)state;
	strcpy(path + sizeof path - 7, "XXXXXX");
	file = mkstemp(path);
	return file < 0 || unlink(path);
}

static int
teardown(void **state)
{
	(void)state;
	return close(file);
}

static struct budget *
open_file(uint32_t per_day, int64_t wall_us)
{
	struct budget *b = budget_open(dup(file), per_day, wall_us);

	assert_non_null(b);
	return b;
}

static const uint8_t *
v4(unsigned a, unsigned b, unsigned c, unsigned d)
{
	static uint8_t addr[16];

	memset(addr, 0, sizeof addr);
	addr[0] = (uint8_t)a;
	addr[1] = (uint8_t)b;
	addr[2] = (uint8_t)c;
	addr[3] = (uint8_t)d;
	return addr;
}

static const uint8_t *
v6(unsigned prefix, unsigned rest)
{
	static uint8_t addr[16];

	memset(addr, 0, sizeof addr);
	addr[0] = 0x20;
	addr[4] = (uint8_t)(prefix >> 8);
	addr[5] = (uint8_t)prefix;
	addr[6] = (uint8_t)(rest >> 8);
	addr[15] = (uint8_t)rest;
	return addr;
}

static void
test_counts(void **state)
{
	struct budget *b = open_file(3, NOON);

	(void)state;
	assert_true(budget_take(b, 4, v4(192, 0, 2, 1), NOON));
	assert_true(budget_take(b, 4, v4(192, 0, 2, 200), NOON));
	assert_true(budget_left(b, 4, v4(192, 0, 2, 0), NOON));
	assert_true(budget_left(b, 4, v4(192, 0, 2, 0), NOON)); /* looking is free */
	assert_true(budget_take(b, 4, v4(192, 0, 2, 1), NOON));
	assert_false(budget_left(b, 4, v4(192, 0, 2, 9), NOON));
	assert_false(budget_take(b, 4, v4(192, 0, 2, 9), NOON));
	assert_true(budget_left(b, 4, v4(192, 0, 3, 9), NOON));
	for (unsigned i = 0; i < 3; i++)
		assert_true(budget_take(b, 6, v6(7, i * 257), NOON));
	assert_false(budget_take(b, 6, v6(7, 77), NOON));
	assert_true(budget_left(b, 6, v6(8, 0), NOON));
	/* The first 24 bits of an IPv6 address are not that IPv4 prefix. */
	assert_true(budget_left(b, 4, v4(0x20, 0, 0, 0), NOON));
	assert_int_equal(budget_full(b), 0);
	budget_close(b);
}

static void
test_restart(void **state)
{
	struct budget *b = open_file(2, NOON);
	pid_t pid;

	(void)state;
	assert_true(budget_take(b, 4, v4(198, 51, 100, 1), NOON));
	budget_close(b);
	/* A process that dies in the middle of its work. */
	pid = fork();
	if (!pid) {
		b = budget_open(dup(file), 2, NOON);
		budget_take(b, 4, v4(198, 51, 100, 2), NOON);
		kill(getpid(), SIGKILL);
	}
	waitpid(pid, NULL, 0);
	b = open_file(2, NOON + 1);
	assert_false(budget_left(b, 4, v4(198, 51, 100, 3), NOON + 1));
	budget_close(b);
	b = open_file(3, NOON + 2); /* a larger budget: what was used is still used */
	assert_true(budget_take(b, 4, v4(198, 51, 100, 3), NOON + 2));
	assert_false(budget_left(b, 4, v4(198, 51, 100, 3), NOON + 2));
	budget_close(b);
}

static void
test_clock(void **state)
{
	struct budget *b = open_file(1, NOON);

	(void)state;
	assert_true(budget_take(b, 4, v4(1, 2, 3, 4), NOON));
	/* Back by a second, an hour, a day, ten years: nothing is refilled. */
	assert_false(budget_left(b, 4, v4(1, 2, 3, 4), NOON - 1000000));
	assert_false(budget_left(b, 4, v4(1, 2, 3, 4), NOON - 3600000000));
	assert_false(budget_left(b, 4, v4(1, 2, 3, 4), NOON - DAY_US));
	assert_false(budget_left(b, 4, v4(1, 2, 3, 4), NOON));
	/* Over midnight: a new day, and stepping back over midnight gives no third. */
	assert_true(budget_take(b, 4, v4(1, 2, 3, 4), NOON + DAY_US / 2));
	assert_false(budget_left(b, 4, v4(1, 2, 3, 4), NOON + DAY_US / 2 - 1));
	assert_false(budget_left(b, 4, v4(1, 2, 3, 4), NOON + DAY_US / 2 + 1));
	/* The clock was ten years ahead: put right, it refills nothing, and the next day does. */
	assert_true(budget_take(b, 4, v4(1, 2, 3, 4), NOON + 3650 * DAY_US));
	assert_false(budget_left(b, 4, v4(1, 2, 3, 4), NOON + 2 * DAY_US));
	assert_true(budget_left(b, 4, v4(1, 2, 3, 4), NOON + 3 * DAY_US));
	assert_true(budget_take(b, 4, v4(1, 2, 3, 4), NOON + 3 * DAY_US));
	budget_close(b);
	/* The same over a restart. */
	b = open_file(1, NOON + 3 * DAY_US);
	assert_false(budget_left(b, 4, v4(1, 2, 3, 4), NOON + 2 * DAY_US));
	budget_close(b);
	b = open_file(1, NOON + 4 * DAY_US);
	assert_true(budget_take(b, 4, v4(1, 2, 3, 4), NOON + 4 * DAY_US));
	assert_false(budget_left(b, 4, v4(1, 2, 3, 4), -1)); /* before 1970 */
	budget_close(b);
}

static void
test_full(void **state)
{
	struct budget *b = open_file(2, NOON);
	unsigned taken = 0;

	(void)state;
	/* The first 4096 prefixes all find room, whatever they are. */
	for (unsigned i = 0; i < 4096; i++)
		assert_true(budget_take(b, i % 2 ? 4 : 6, i % 2 ? v4(1 + i / 256 % 100, i / 25600, i, 1) : v6(i, 0), NOON));
	assert_int_equal(budget_full(b), 0);
	for (unsigned i = 0; i < 65536; i++)
		taken += (unsigned)budget_take(b, 4, v4(101 + i / 65536, i >> 8, i, 1), NOON);
	assert_true(taken < BUDGET_SLOTS - 4096 + 1);
	assert_int_equal(budget_full(b), 65536 - taken);
	assert_true(budget_take(b, 6, v6(0, 0), NOON)); /* the known go on */
	print_message("%u prefixes had room\n", 4096 + taken);
	assert_true(budget_take(b, 4, v4(250, 0, 0, 0), NOON + DAY_US));
	budget_close(b);
}

/* What a file may hold that is none of ours. */
static void
try_garbage(const void *bytes, size_t len)
{
	struct budget *b;

	assert_int_equal(ftruncate(file, 0), 0);
	assert_int_equal(pwrite(file, bytes, len, 0), len);
	b = open_file(1, NOON);
	assert_true(budget_take(b, 4, v4(9, 9, 9, 9), NOON));
	assert_false(budget_take(b, 4, v4(9, 9, 9, 9), NOON));
	budget_close(b);
	b = open_file(1, NOON);
	assert_false(budget_take(b, 4, v4(9, 9, 9, 9), NOON));
	budget_close(b);
}

static void
test_garbage(void **state)
{
	static struct page p;
	static uint8_t noise[200000];
	struct budget *b = open_file(1, NOON);

	(void)state;
	assert_true(budget_take(b, 4, v4(9, 9, 9, 9), NOON));
	budget_close(b);
	assert_int_equal(pread(file, &p, sizeof p, 0), sizeof p);
	for (size_t i = 0; i < sizeof noise; i++)
		noise[i] = (uint8_t)(i * 2654435761U >> 13);
	try_garbage("x", 1);
	try_garbage(noise, sizeof noise);
	try_garbage(noise, sizeof p);
	try_garbage(&p, sizeof p - 1);
	p.version++;
	try_garbage(&p, sizeof p);
	p.version--;
	p.slots /= 2;
	try_garbage(&p, sizeof p);
	p.slots *= 2;
	memcpy(p.slot, noise, sizeof p.slot);
	try_garbage(&p, sizeof p);
	memset(p.slot, 0, sizeof p.slot);
	p.slot[77] = (struct slot){ 0x01020304, 0, 1 }; /* a fourth byte */
	try_garbage(&p, sizeof p);
	p.slot[77] = (struct slot){ 0x20010203, FAMILY_V6 | 2, 1 };
	try_garbage(&p, sizeof p);
	p.slot[77] = (struct slot){ 0x01020300, 0, BUDGET_COUNT_MAX + 1 };
	try_garbage(&p, sizeof p);
}

/* A crash between any two stores: the file as it is then can be gone on with. */
static void
test_torn(void **state)
{
	static struct page p;
	struct budget *b = open_file(2, NOON);
	unsigned at = BUDGET_SLOTS;

	(void)state;
	assert_true(budget_take(b, 6, v6(1, 1), NOON));
	budget_close(b);
	assert_int_equal(pread(file, &p, sizeof p, 0), sizeof p);
	for (unsigned i = 0; i < BUDGET_SLOTS; i++)
		at = p.slot[i].count ? i : at;
	assert_true(at < BUDGET_SLOTS);
	/* Only the first words of a new slot were written: not counted yet, and no trace had begun. */
	for (int words = 2; words > 0; words--) {
		p.slot[at].count = 0;
		if (words == 1)
			p.slot[at].low = 0; /* as the last owner of the slot left it */
		p.slot[at].high &= words == 1 ? ~0xffU : ~0U;
		assert_int_equal(pwrite(file, &p, sizeof p, 0), sizeof p);
		b = open_file(2, NOON);
		assert_int_equal(b->page->key[0], p.key[0]); /* it is gone on with */
		assert_int_equal(b->page->key[15], p.key[15]);
		assert_true(budget_take(b, 6, v6(1, 1), NOON));
		assert_true(budget_take(b, 6, v6(1, 1), NOON));
		assert_false(budget_take(b, 6, v6(1, 1), NOON));
		budget_close(b);
	}
	/* The day was turned half way: some slots are cleared, the day is the old one. */
	assert_int_equal(pread(file, &p, sizeof p, 0), sizeof p);
	p.slot[(at + 1) % BUDGET_SLOTS].count = 0;
	assert_int_equal(pwrite(file, &p, sizeof p, 0), sizeof p);
	b = open_file(2, NOON + DAY_US);
	assert_true(budget_left(b, 6, v6(1, 1), NOON + DAY_US));
	assert_int_equal(b->page->day, 20001);
	budget_close(b);
}

static void
test_memory_only(void **state)
{
	int fds[3] = { -1, open("/dev/null", O_RDWR), 0 };
	int pipes[2];

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	fds[2] = pipes[0];
	for (int i = 0; i < 3; i++) {
		struct budget *b = budget_open(fds[i], 1, NOON);

		assert_non_null(b);
		assert_true(budget_take(b, 4, v4(9, 9, 9, 9), NOON));
		assert_false(budget_take(b, 4, v4(9, 9, 9, 8), NOON));
		budget_close(b);
	}
	close(pipes[1]);
}

/* Thousands of random operations beside a list. */
static void
test_naive_copy(void **state)
{
	static struct { uint8_t ipv; unsigned prefix, count; } list[400];
	unsigned n = 0, seed = (unsigned)time(NULL), refused = 0;
	int64_t now = NOON, day = NOON / DAY_US;
	struct budget *b = open_file(5, now);

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	for (int i = 0; i < 20000; i++) {
		uint8_t ipv = rand() % 2 ? 4 : 6;
		unsigned prefix = (unsigned)rand() % 200, at = 0, rest = (unsigned)rand();
		const uint8_t *addr = ipv == 4 ? v4(100, prefix >> 8, prefix, rest) : v6(prefix, rest);
		int may, did;

		now += rand() % 100000000 - 20000000;
		if (now / DAY_US > day) {
			day = now / DAY_US;
			n = 0;
		}
		while (at < n && (list[at].ipv != ipv || list[at].prefix != prefix))
			at++;
		if (at == n) {
			list[at].ipv = ipv;
			list[at].prefix = prefix;
			list[n++].count = 0;
		}
		may = list[at].count < 5;
		if (rand() % 3 == 0) {
			assert_int_equal(budget_left(b, ipv, addr, now), may);
			continue;
		}
		did = budget_take(b, ipv, addr, now);
		assert_int_equal(did, may);
		list[at].count += (unsigned)did;
		refused += !did;
		if (rand() % 500 == 0) {
			budget_close(b);
			b = open_file(5, now);
		}
	}
	assert_true(refused > 100);
	budget_close(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clock, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_garbage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_torn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory_only, setup, teardown),
		cmocka_unit_test_setup_teardown(test_naive_copy, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
