/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Log lines: one line each, with nothing in them that a stranger could use.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/wait.h>

#include "../../src/lib/log.c"

static int fds[2], saved;
static char text[8192];

static int
setup(void **state)
{
	(void)state;
	if (pipe2(fds, O_NONBLOCK | O_CLOEXEC))
		return -1;
	saved = dup(STDERR_FILENO);
	unsetenv("JOURNAL_STREAM");
	log_init("prog", LOG_L_INFO);
	return dup2(fds[1], STDERR_FILENO) < 0;
}

static int
teardown(void **state)
{
	(void)state;
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fds[0]);
	close(fds[1]);
	return 0;
}

static const char *
said(void)
{
	ssize_t n = read(fds[0], text, sizeof text - 1);

	text[n > 0 ? n : 0] = 0;
	return text;
}

static void
test_levels(void **state)
{
	(void)state;
	log_error("e %d", 1);
	assert_string_equal(said(), "prog: error: e 1\n");
	log_warn("w");
	assert_string_equal(said(), "prog: warning: w\n");
	log_info("i");
	assert_string_equal(said(), "prog: i\n");
	log_debug("d");
	assert_string_equal(said(), "");
	log_set_level(LOG_L_DEBUG);
	assert_int_equal(log_get_level(), LOG_L_DEBUG);
	log_at(LOG_L_DEBUG, "%s", "d");
	assert_string_equal(said(), "prog: debug: d\n");
	log_set_level(LOG_L_ERROR);
	log_warn("w");
	assert_string_equal(said(), "");
}

static void
test_bytes(void **state)
{
	char bytes[256];

	(void)state;
	for (int i = 1; i < 256; i++)
		bytes[i - 1] = (char)i;
	bytes[255] = 0;
	log_info("%s", bytes);
	said();
	assert_memory_equal(text, "prog: \\x01\\x02", 14);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1); /* one line */
	for (const char *p = text; p[1]; p++)
		assert_in_range((unsigned char)*p, 0x20, 0x7e);
	assert_non_null(strstr(text, "\\x1b"));
	assert_non_null(strstr(text, "\\xff\n"));
}

static void
test_long(void **state)
{
	char bytes[4000];

	(void)state;
	memset(bytes, '\n', sizeof bytes);
	bytes[sizeof bytes - 1] = 0;
	log_info("%s", bytes);
	said();
	assert_in_range(strlen(text), 1000, 4200);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void
test_journal(void **state)
{
	(void)state;
	setenv("JOURNAL_STREAM", "8:1", 1);
	log_init("prog", LOG_L_DEBUG);
	log_error("e");
	assert_string_equal(said(), "<3>prog: error: e\n");
	log_debug("d");
	assert_string_equal(said(), "<7>prog: debug: d\n");
	unsetenv("JOURNAL_STREAM");
}

static void
test_errno_stays(void **state)
{
	(void)state;
	errno = EPROTO;
	log_info("%d", errno);
	assert_int_equal(errno, EPROTO);
	close(STDERR_FILENO); /* nobody left to tell */
	log_info("x");
	assert_int_equal(errno, EPROTO);
}

static void
test_fatal(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	assert_true(pid >= 0);
	if (!pid)
		fatal("no %s", "memory");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	assert_string_equal(said(), "prog: error: no memory\n");
}

static void
test_limit(void **state)
{
	struct log_limit limit = { 0 };
	unsigned suppressed = 77;

	(void)state;
	assert_true(log_allowed(&limit, 1000, 500, &suppressed));
	assert_int_equal(suppressed, 0);
	assert_false(log_allowed(&limit, 1000, 500, &suppressed));
	assert_false(log_allowed(&limit, 1499, 500, &suppressed));
	assert_true(log_allowed(&limit, 1500, 500, &suppressed));
	assert_int_equal(suppressed, 2);
	assert_true(log_allowed(&limit, 9000, 500, &suppressed));
	assert_int_equal(suppressed, 0);
}

#define WITH(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(test_levels), WITH(test_bytes), WITH(test_long), WITH(test_journal),
		WITH(test_errno_stays), WITH(test_fatal), WITH(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
