/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * net-gazer.conf with other lines for the collector: forwarder/enrolledit.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "../../src/forwarder/enrolledit.c"

static void
test_edit(void **state)
{
	static const char lines[] = "sensor = \"gw\"\ncollector-url = \"https://c\"\n";
	static const char *const table[][2] = {
		{ "", "" },
		{ "a = 1", "a = 1\n" },
		{ "sensor = \"x\"\n", "# before enrolment: sensor = \"x\"\n" },
		{ "  sensor=\"x\" # mine\niface = {\"a\", \"b\"}\n", "# before enrolment:   sensor=\"x\" # mine\niface = {\"a\", \"b\"}\n" },
		{ "#sensor = \"x\"\nsensors = 1\ncollector-url-x = 2\n", "#sensor = \"x\"\nsensors = 1\ncollector-url-x = 2\n" },
		/* Another's option, in a section. */
		{ "demo {\n  sensor = 1\n}\nsensor = 2\n", "demo {\n  sensor = 1\n}\n# before enrolment: sensor = 2\n" },
		{ "a = \"{\" # {\n// {\nsensor = 2\n", "a = \"{\" # {\n// {\n# before enrolment: sensor = 2\n" },
		{ "a = \"\\\"{\"\ncollector-url = ''\n", "a = \"\\\"{\"\n# before enrolment: collector-url = ''\n" },
	};
	char wanted[500];

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		char *got = enrolledit_text(table[i][0], lines), *again;

		snprintf(wanted, sizeof wanted, "%s%s", table[i][1], lines);
		assert_string_equal(got, wanted);
		/* Enrolled again: the first time's lines become comments, too. */
		again = enrolledit_text(got, lines);
		assert_int_equal(strlen(again), strlen(got) + strlen(lines) + 2 * (sizeof mark - 1));
		free(again);
		free(got);
	}
	assert_null(enrolledit_text("demo {\n a = 1\n", lines));
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_edit) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
