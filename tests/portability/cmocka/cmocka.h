/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the unit tests use of cmocka, for machines that Debian has no libcmocka for: the same names, and the
 * same lines at the end of a run.
 */
#ifndef PORTABILITY_CMOCKA_H
#define PORTABILITY_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct CMUnitTest {
	const char *name;
	void (*test)(void **state);
	int (*setup)(void **state);
	int (*teardown)(void **state);
	void *initial_state;
};

#define cmocka_unit_test(t) { #t, t, NULL, NULL, NULL }
#define cmocka_unit_test_setup(t, s) { #t, t, s, NULL, NULL }
#define cmocka_unit_test_teardown(t, d) { #t, t, NULL, d, NULL }
#define cmocka_unit_test_setup_teardown(t, s, d) { #t, t, s, d, NULL }
#define cmocka_run_group_tests(tests, setup, teardown) \
	shim_run(tests, sizeof(tests) / sizeof *(tests), setup, teardown)

#define print_message printf
#define skip() shim_fail(__FILE__, __LINE__, "skipped")
#define fail_msg(...) (printf(__VA_ARGS__), shim_fail(__FILE__, __LINE__, "Failure"))
#define shim_int(x) ((unsigned long long)(x))
#define shim_that(c, text) ((c) ? (void)0 : shim_fail(__FILE__, __LINE__, text))
#define assert_true(c) shim_that(c, #c)
#define assert_false(c) shim_that(!(c), "!(" #c ")")
#define assert_null(p) shim_that((p) == NULL, #p " == NULL")
#define assert_non_null(p) shim_that((p) != NULL, #p " != NULL")
#define assert_ptr_equal(a, b) shim_that((const void *)(a) == (const void *)(b), #a " == " #b)
#define assert_int_equal(a, b) shim_ints(shim_int(a), shim_int(b), 1, __FILE__, __LINE__)
#define assert_int_not_equal(a, b) shim_ints(shim_int(a), shim_int(b), 0, __FILE__, __LINE__)
#define assert_in_range(v, low, high) shim_range(shim_int(v), shim_int(low), shim_int(high), __FILE__, __LINE__)
#define assert_string_equal(a, b) shim_strings(a, b, 1, __FILE__, __LINE__)
#define assert_string_not_equal(a, b) shim_strings(a, b, 0, __FILE__, __LINE__)
#define assert_memory_equal(a, b, n) shim_that(!memcmp(a, b, n), #a " and " #b " are the same bytes")
#define assert_memory_not_equal(a, b, n) shim_that(memcmp(a, b, n), #a " and " #b " differ")

static jmp_buf shim_out;

static inline __attribute__((noreturn)) void
shim_fail(const char *file, int line, const char *what)
{
	printf("%s:%d: %s\n", file, line, what);
	longjmp(shim_out, 1);
}

static inline void
shim_ints(unsigned long long a, unsigned long long b, int same, const char *file, int line)
{
	if ((a == b) == same)
		return;
	printf("%#llx and %#llx: ", a, b);
	shim_fail(file, line, same ? "not the same" : "the same");
}

static inline void
shim_range(unsigned long long v, unsigned long long low, unsigned long long high, const char *file, int line)
{
	if (v >= low && v <= high)
		return;
	printf("%llu, not from %llu to %llu: ", v, low, high);
	shim_fail(file, line, "out of range");
}

static inline void
shim_strings(const char *a, const char *b, int same, const char *file, int line)
{
	if (!strcmp(a, b) == same)
		return;
	printf("\"%s\" and \"%s\": ", a, b);
	shim_fail(file, line, same ? "not the same" : "the same");
}

static inline int
shim_one(const struct CMUnitTest *t, void **state)
{
	if (setjmp(shim_out))
		return 0;
	if (t->setup && t->setup(state))
		return 0;
	t->test(state);
	return !t->teardown || !t->teardown(state);
}

static inline int
shim_run(const struct CMUnitTest *tests, size_t n, int (*setup)(void **), int (*teardown)(void **))
{
	void *group = NULL;
	int failed = setup && setup(&group), passed = 0;

	for (size_t i = 0; i < n && !failed; i++) {
		void *state = tests[i].initial_state ? tests[i].initial_state : group;

		if (shim_one(&tests[i], &state))
			passed++;
		else
			printf("[  FAILED  ] %s\n", tests[i].name);
	}
	failed |= teardown && teardown(&group);
	printf("[==========] %zu test(s) run.\n[  PASSED  ] %d test(s).\n", n, passed);
	return failed || passed != (int)n;
}

#endif
