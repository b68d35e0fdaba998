/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Report lines through a pipe that is full more often than not: whole lines, in order, and every one
 * that is missing was counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "../../src/analyzer/report.c"

static int fds[2];
static struct worker_page page;
static char got[8 * 1024 * 1024];
static size_t n_got;

static int
setup(void **state)
{
	struct report_conf conf = { .sensor = "r\"1", .boot = "9f1c2ab0", .page = &page };

	(void)state;
	if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) || fcntl(fds[1], F_SETPIPE_SZ, 4096) < 0)
		return -1;
	memset(&page, 0, sizeof page);
	page.seq = 1000;
	n_got = 0;
	conf.fd = fds[1];
	report_start(&conf);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	report_stop();
	close(fds[0]);
	close(fds[1]);
	return 0;
}

/* At most n bytes of what is in the pipe. */
static void
take(size_t n)
{
	ssize_t r;

	assert_true(n_got + n <= sizeof got);
	while (n && (r = read(fds[0], got + n_got, n)) > 0) {
		n_got += (size_t)r;
		n -= (size_t)r;
	}
}

static void
take_all(void)
{
	int r;

	do {
		r = report_flush();
		take(1 << 20);
	} while (r == -EAGAIN);
	assert_int_equal(r, 0);
}

/* One report with `size` bytes of text. */
static int
make(size_t size)
{
	static char text[2 * WORKER_REPORT_MAX];
	struct json *j = report_open("plugin", 1795000000123456);

	assert_non_null(j);
	memset(text, 'x', size);
	json_str(j, "text", text, size);
	return report_close();
}

static void
expect_line(const char *want)
{
	take_all();
	assert_int_equal(n_got, strlen(want));
	assert_memory_equal(got, want, n_got);
	n_got = 0;
}

static void
test_envelope(void **state)
{
	(void)state;
	assert_int_equal(make(3), 0);
	expect_line("{\"v\":1,\"type\":\"plugin\",\"ts\":\"2026-11-18T11:06:40.123456Z\",\"sensor\":\"r\\\"1\","
		    "\"boot\":\"9f1c2ab0\",\"seq\":1000,\"text\":\"xxx\"}\n");
	report_set_boot_offset(-1795000000000000);
	assert_int_equal(make(0), 0);
	expect_line("{\"v\":1,\"type\":\"plugin\",\"ts\":\"2026-11-18T11:06:40.123456Z\",\"up_us\":123456,"
		    "\"sensor\":\"r\\\"1\",\"boot\":\"9f1c2ab0\",\"seq\":1001,\"text\":\"\"}\n");
	report_set_boot_offset(-1795000000123457); /* before the boot: the clock was set since */
	assert_int_equal(make(0), 0);
	expect_line("{\"v\":1,\"type\":\"plugin\",\"ts\":\"2026-11-18T11:06:40.123456Z\","
		    "\"sensor\":\"r\\\"1\",\"boot\":\"9f1c2ab0\",\"seq\":1002,\"text\":\"\"}\n");
	assert_int_equal(page.seq, 1003);
	assert_int_equal(page.reports, 3);
	assert_int_equal(page.reports_dropped, 0);
}

static void
test_one_at_a_time(void **state)
{
	(void)state;
	assert_int_equal(report_close(), -EPROTO);
	assert_non_null(report_open("conn", 0));
	assert_null(report_open("conn", 0));
	report_cancel();
	assert_int_equal(report_close(), -EPROTO);
	assert_int_equal(page.seq, 1000); /* as if it had never been opened */
	assert_int_equal(page.reports, 0);
	assert_int_equal(make(1), 0);
	assert_int_equal(page.seq, 1001);
}

static void
test_open_level(void **state)
{
	struct json *j = report_open("conn", 0);

	(void)state;
	json_list(j, "l");
	assert_int_equal(report_close(), -EPROTO);
	assert_int_equal(page.seq, 1001);
	assert_int_equal(page.reports, 1);
	assert_int_equal(page.reports_dropped, 1);
	take_all();
	assert_int_equal(n_got, 0);
}

static void
test_longest_line(void **state)
{
	size_t fixed, fits;

	(void)state;
	assert_int_equal(make(0), 0);
	take_all();
	fixed = n_got;
	fits = WORKER_REPORT_MAX - fixed;
	n_got = 0;
	for (size_t size = fits - 2; size <= fits + 3; size++) {
		assert_int_equal(make(size), size <= fits ? 0 : -EMSGSIZE);
		take_all();
		assert_int_equal(n_got, size <= fits ? fixed + size : 0);
		if (n_got)
			assert_int_equal(got[n_got - 1], '\n');
		n_got = 0;
	}
	assert_int_equal(page.reports_dropped, 3);
	assert_int_equal(page.seq, 1007);
}

/* Everything that came out: whole lines, seq strictly increasing, `count` of them. */
static void
check_lines(uint64_t count)
{
	uint64_t last = 0, n = 0;

	assert_true(n_got > 0 && got[n_got - 1] == '\n');
	for (char *line = got; line < got + n_got; n++) {
		char *end = memchr(line, '\n', (size_t)(got + n_got - line)), *seq;
		unsigned long long v;

		assert_non_null(end);
		*end = 0;
		assert_memory_equal(line, "{\"v\":1,\"type\":\"plugin\",", 23);
		assert_string_equal(end - 2, "\"}");
		assert_null(strstr(line + 1, "{\"v\":1"));
		seq = strstr(line, "\"seq\":");
		assert_non_null(seq);
		v = strtoull(seq + 6, NULL, 10);
		assert_true(v > last);
		last = v;
		line = end + 1;
	}
	assert_int_equal(n, count);
}

static void
test_full_pipe(void **state)
{
	(void)state;
	/* Nobody reads: 4 KiB in the pipe, at least 48 KiB here, and not more than 64. */
	for (int i = 0; i < 3000; i++)
		assert_int_equal(make(100), 0);
	assert_int_equal(report_flush(), -EAGAIN);
	assert_int_equal(page.seq, 4000);
	assert_int_equal(page.reports, 3000);
	assert_in_range(page.reports_dropped, 3000 - 70 * 1024 / 230, 3000 - 48 * 1024 / 260);
	take_all();
	check_lines(page.reports - page.reports_dropped);
	n_got = 0;
	assert_int_equal(make(1), 0); /* it goes on */
	take_all();
	check_lines(1);
}

/* A reader that takes a few odd bytes now and then: lines are cut in the pipe, never in the stream. */
static void
test_slow_reader(void **state)
{
	uint64_t x = 88172645463325252ULL;
	int full = 0, empty = 0;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		/* Sometimes it keeps up, sometimes not. */
		if (i / 2000 % 2 && x % 60 == 0)
			take((x >> 8) % 3000);
		else if (!(i / 2000 % 2))
			take(1 << 20);
		if (x % 11 == 0) {
			int r = report_flush();

			assert_true(r == 0 || r == -EAGAIN);
			*(r ? &full : &empty) += 1;
		}
		make((x >> 20) % 97 ? (x >> 30) % 200 : (x >> 30) % 18000);
	}
	take_all();
	assert_int_equal(page.seq, 21000);
	assert_int_equal(page.reports, 20000);
	assert_true(page.reports_dropped > 100 && full > 100 && empty > 10);
	check_lines(page.reports - page.reports_dropped);
}

/* The last reports are for a reader that comes late; when its time is up, nobody is waited for. */
static void
test_last(void **state)
{
	struct pollfd p = { fds[0], POLLIN, 0 };
	int status;
	pid_t pid = fork();

	(void)state;
	if (!pid) {
		report_last(clock_mono_us() + 300000000);
		for (int i = 0; i < 3000; i++)
			make(100);
		_exit(report_flush() || page.reports_dropped);
	}
	assert_true(pid > 0);
	close(fds[1]);
	fds[1] = open("/dev/null", O_WRONLY | O_CLOEXEC);
	poll(NULL, 0, 200);
	do {
		poll(&p, 1, 1000);
		take(1 << 20);
	} while (!(p.revents & POLLHUP));
	take(1 << 20);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	check_lines(3000);
}

static void
test_last_is_over(void **state)
{
	(void)state;
	report_last(clock_mono_us());
	for (int i = 0; i < 3000; i++)
		assert_int_equal(make(100), 0);
	assert_int_equal(report_flush(), -EAGAIN);
	assert_true(page.reports_dropped > 1000);
}

static void
test_reader_is_gone(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	close(fds[0]);
	assert_int_equal(make(1), 0);
	assert_int_equal(report_flush(), -EPIPE);
	for (int i = 0; i < 1000; i++)
		make(1000);
	assert_true(page.reports_dropped > 900);
	signal(SIGPIPE, SIG_DFL);
	fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

#define WITH_PIPE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PIPE(test_envelope),	WITH_PIPE(test_one_at_a_time), WITH_PIPE(test_open_level),
		WITH_PIPE(test_longest_line),	WITH_PIPE(test_full_pipe),     WITH_PIPE(test_slow_reader),
		WITH_PIPE(test_last),		WITH_PIPE(test_last_is_over),  WITH_PIPE(test_reader_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
