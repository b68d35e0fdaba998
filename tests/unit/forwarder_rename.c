/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * forwarder/rename.c: each report gets the other name, and nothing else of it changes.
 */
#include "../../src/forwarder/rename.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
test_names(void **state)
{
	static const char longest[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	char out[65];

	(void)state;
	rename_name(out, 64, "r1", 0x7f);
	assert_string_equal(out, "r1-007f");
	rename_name(out, 64, longest, 0xffff);
	assert_true(strlen(out) == 64 && !memcmp(out, longest, 59) && !strcmp(out + 59, "-ffff"));
}

static void
test_lines(void **state)
{
	static const struct {
		const char *lines, *want, *from, *to;
	} rows[] = {
		{ "", "", "r1", "r1-0000" },
		{ "{\"v\":1,\"sensor\":\"r1\",\"seq\":3}\n", "{\"v\":1,\"sensor\":\"r1-7f3a\",\"seq\":3}\n", "r1", "r1-7f3a" },
		/* Text that looks like it, another name, a second one, none. */
		{ "{\"a\":\"\\\"sensor\\\":\\\"r1\\\"\",\"sensor\":\"r1\"}\n{\"sensor\":\"r10\"}\n{\"sensor\":\"r1\",\"x\":{\"sensor\":\"r1\"}}\n"
		  "{}\n",
		  "{\"a\":\"\\\"sensor\\\":\\\"r1\\\"\",\"sensor\":\"s\"}\n{\"sensor\":\"r10\"}\n{\"sensor\":\"s\",\"x\":{\"sensor\":\"r1\"}}\n"
		  "{}\n", "r1", "s" },
		{ "{\"sensor\":\"r1\"}", "{\"sensor\":\"r1-0001\"}", "r1", "r1-0001" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t n = 99;
		char *out = rename_lines(rows[i].lines, strlen(rows[i].lines), rows[i].from, rows[i].to, &n);

		assert_int_equal(n, strlen(rows[i].want));
		assert_memory_equal(out, rows[i].want, n);
		free(out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_names), cmocka_unit_test(test_lines) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
