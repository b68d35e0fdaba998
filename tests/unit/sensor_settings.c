/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * settings.c: lines, what they refuse, and a descriptor that nobody can change.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/sensor/settings.c"

static void
test_lines(void **state)
{
	struct settings s = { 0 };
	char text[100];
	int fd;

	(void)state;
	settings_add(&s, "sensor", "%s", "a b=c");
	settings_add(&s, "group", "%d %d %d", 100, 1, 7);
	settings_add(&s, "option", "plug word %s", "");
	fd = settings_seal(&s);
	assert_true(fd >= 0);
	assert_null(s.text);
	assert_int_equal(read(fd, text, sizeof text), 45);
	assert_memory_equal(text, "sensor=a b=c\ngroup=100 1 7\noption=plug word \n", 45);
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	close(fd);
}

static void
test_refused(void **state)
{
	static const char *const bad[] = { "a\nplugin=3 /evil", "a\tb", "\r", "\x7f", "a\x1b[0m" };
	struct settings s = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		settings_add(&s, "good", "1");
		settings_add(&s, "sensor", "%s", bad[i]);
		settings_add(&s, "good", "2");
		assert_int_equal(settings_seal(&s), -EINVAL);
		assert_int_equal(s.error, 0);
	}
}

static void
test_length(void **state)
{
	char value[WORKER_LINE_MAX + 1];
	struct settings s = { 0 };
	int fd;

	(void)state;
	memset(value, 'x', sizeof value);
	value[WORKER_LINE_MAX - 5] = 0; /* k12= and the newline make WORKER_LINE_MAX */
	settings_add(&s, "k12", "%s", value);
	assert_int_equal(s.len, WORKER_LINE_MAX);
	fd = settings_seal(&s);
	assert_true(fd >= 0);
	close(fd);
	value[WORKER_LINE_MAX - 5] = 'x';
	value[WORKER_LINE_MAX - 4] = 0;
	settings_add(&s, "k12", "%s", value);
	assert_int_equal(settings_seal(&s), -EMSGSIZE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines), cmocka_unit_test(test_refused), cmocka_unit_test(test_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
