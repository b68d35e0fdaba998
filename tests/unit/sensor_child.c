/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * child.c and writer.c: what a child has open and who it is; lines that arrive whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "../../src/sensor/child.c"
/* ASan needs calls that the writer's filter refuses; the stories run the real one. */
#define priv_seccomp(names) ((void)(names), 0)
#include "../../src/sensor/writer.c"
#include "lib/loop.h"

static int
finish(pid_t pid)
{
	int status;

	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Exit status: the number of the first thing that is not as it should be. */
static void
look_around(void *arg)
{
	char text[8] = "";
	struct stat st;

	(void)arg;
	if (read(0, text, 4) != 4 || strcmp(text, "fd 0"))
		_exit(1);
	if (fstat(1, &st) || !S_ISCHR(st.st_mode)) /* /dev/null */
		_exit(2);
	if (pread(3, text, 4, 0) != 4 || strcmp(text, "fd 3"))
		_exit(3);
	for (int fd = 4; fd < 1024; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			_exit(4);
	}
	if (priv_caps() || getuid() == 0 || getgid() == 0 || getgroups(0, NULL))
		_exit(5);
	if (setuid(0) == 0)
		_exit(6);
	if (getsid(0) != getpid())
		_exit(7);
	_exit(0);
}

static void
test_function(void **state)
{
	struct child c;
	int in[2], file = memfd_create("t", 0), stray = dup(2);

	(void)state;
	assert_int_equal(pipe(in), 0);
	assert_int_equal(write(in[1], "fd 0", 4), 4);
	assert_int_equal(write(file, "fd 3", 4), 4);
	child_init(&c, 65534, 65534);
	c.fn = look_around;
	c.fd[0] = in[0];
	assert_int_equal(child_give(&c, file), 3);
	if (geteuid()) /* then it stays who we are, and 5 is what it must say */
		assert_in_range(finish(child_start(&c)), 0, 5);
	else
		assert_int_equal(finish(child_start(&c)), 0);
	close(in[0]);
	close(in[1]);
	close(file);
	close(stray);
}

static void
test_program(void **state)
{
	/* $1 is what it finds open beyond the three and the one that it was given. */
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)"read x <&3; test \"$x\" = given && test ! -e /proc/self/fd/9",
			 NULL };
	struct child c;
	int file = memfd_create("t", 0), nine = dup2(2, 9);
	char err[200];

	(void)state;
	assert_int_equal(write(file, "given\n", 6), 6);
	lseek(file, 0, SEEK_SET);
	child_init(&c, 65534, 65534);
	c.exec_fd = child_open("/bin", "sh", err, sizeof err);
	assert_true(c.exec_fd >= 0);
	c.argv = argv;
	child_give(&c, file);
	assert_int_equal(finish(child_start(&c)), 0);
	close(c.exec_fd);
	close(file);
	close(nine);
}

static void
test_cannot_start(void **state)
{
	char *argv[] = { (char *)"x", NULL };
	struct child c;
	char err[200];

	(void)state;
	child_init(&c, 65534, 65534);
	c.exec_fd = memfd_create("no program", MFD_CLOEXEC);
	c.argv = argv;
	assert_true(child_start(&c) < 0);
	close(c.exec_fd);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* and nothing is left */
	assert_true(child_open("/bin", "no-such-program", err, sizeof err) < 0);
	assert_non_null(strstr(err, "/bin/no-such-program: No such file or directory; libexec-dir"));
	assert_true(child_open("/", "tmp", err, sizeof err) < 0);
}

static void
test_too_many_descriptors(void **state)
{
	struct child c;

	(void)state;
	child_init(&c, 0, 0);
	for (int i = 3; i < CHILD_FDS_MAX; i++)
		assert_int_equal(child_give(&c, -1), i);
	assert_int_equal(child_give(&c, -1), -1);
}

static pid_t
start_writer(int in, int out)
{
	struct child c;
	int64_t no_limit = 0;

	child_init(&c, 65534, 65534);
	c.fn = writer_main;
	c.arg = &no_limit;
	c.fd[0] = in;
	c.fd[1] = out;
	return child_start(&c);
}

static void
test_writer_copies(void **state)
{
	int in[2], file = memfd_create("out", 0);
	char back[200001], line[] = "0123456789012345678901234567890123456789012345678\n";
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	pid = start_writer(in[0], file);
	close(in[0]);
	for (int i = 0; i < 4000; i++)
		assert_int_equal(write(in[1], line, 50), 50);
	close(in[1]);
	assert_int_equal(finish(pid), 0);
	assert_int_equal(pread(file, back, sizeof back, 0), 200000);
	assert_memory_equal(back + 199950, line, 50);
	close(file);
}

/* SIGTERM in the middle of a line: the line's end still comes. */
static void
test_writer_ends_with_a_line(void **state)
{
	int in[2], file = memfd_create("out", 0);
	char back[20] = "";
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	pid = start_writer(in[0], file);
	assert_int_equal(write(in[1], "half", 4), 4);
	for (int64_t end = clock_mono_us() + 30000000; pread(file, back, sizeof back, 0) < 4;)
		assert_true(clock_mono_us() < end);
	kill(pid, SIGTERM);
	assert_int_equal(write(in[1], "-line\n", 6), 6);
	assert_int_equal(finish(pid), 0);
	assert_int_equal(pread(file, back, sizeof back, 0), 10);
	assert_memory_equal(back, "half-line\n", 10);
	close(in[0]);
	close(in[1]);
	close(file);
}

static void
test_writer_sees_closed_output(void **state)
{
	int in[2], out[2];
	pid_t pid;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = start_writer(in[0], out[1]);
	close(out[0]);
	close(out[1]);
	assert_int_equal(write(in[1], "x\n", 2), 2);
	assert_int_equal(finish(pid), WRITER_CLOSED);
	close(in[0]);
	close(in[1]);
}

static void
test_status_text(void **state)
{
	char text[80];

	(void)state;
	assert_string_equal(child_status_text(3 << 8, text, sizeof text), "exit status 3");
	assert_non_null(strstr(child_status_text(11, text, sizeof text), "signal 11 (Segm"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_function), cmocka_unit_test(test_program), cmocka_unit_test(test_cannot_start),
		cmocka_unit_test(test_too_many_descriptors), cmocka_unit_test(test_writer_copies),
		cmocka_unit_test(test_writer_ends_with_a_line), cmocka_unit_test(test_writer_sees_closed_output),
		cmocka_unit_test(test_status_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
