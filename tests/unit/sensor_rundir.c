/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rundir.c: who may write to the folder, one user of it at a time, what is left behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../src/sensor/rundir.c"

static char base[32], dir[64], err[400];

static int
setup(void **state)
{
	(void)state;
	strcpy(base, "/tmp/ng-unit-rundir-XXXXXX");
	if (!mkdtemp(base))
		return -1;
	snprintf(dir, sizeof dir, "%s/run", base);
	return 0;
}

static int
teardown(void **state)
{
	char path[100];

	(void)state;
	for (const char *const *p = (const char *const[]){ "budgets", PROBER_SOCKET_PATH, "other", NULL }; *p; p++) {
		snprintf(path, sizeof path, "%s/%s", dir, *p);
		unlink(path);
	}
	rmdir(dir);
	unlink(dir);
	return rmdir(base);
}

static mode_t
mode(const char *name)
{
	char path[100];
	struct stat st;

	snprintf(path, sizeof path, "%s%s%s", dir, *name ? "/" : "", name);
	return lstat(path, &st) ? 0 : st.st_mode;
}

/* 0 or -errno of a connection to the socket. */
static int
ask(const struct rundir *r)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), e;

	memcpy(at.sun_path, r->path, sizeof at.sun_path);
	e = connect(fd, (const struct sockaddr *)&at, sizeof at) ? -errno : 0;
	close(fd);
	return e;
}

static void
test_made(void **state)
{
	mode_t mask = umask(077);
	struct rundir r;

	(void)state;
	assert_int_equal(rundir_open(&r, dir, err, sizeof err), 0);
	assert_int_equal(mode(""), S_IFDIR | 0755);
	assert_int_equal(mode("budgets"), S_IFREG | 0600);
	assert_int_equal(mode(PROBER_SOCKET_PATH), 0);
	assert_int_equal(rundir_listen(&r, getegid(), err, sizeof err), 0);
	assert_int_equal(mode(PROBER_SOCKET_PATH), S_IFSOCK | 0660);
	assert_int_equal(umask(mask), 077); /* as it was */
	assert_int_equal(ask(&r), 0);
	rundir_unlisten(&r);
	assert_int_equal(mode(PROBER_SOCKET_PATH), 0);
	assert_int_equal(rundir_listen(&r, getegid(), err, sizeof err), 0);
	rundir_close(&r);
	assert_int_equal(mode(PROBER_SOCKET_PATH), 0);
	assert_int_equal(mode("budgets"), S_IFREG | 0600);
	assert_true(r.dir < 0 && r.budgets < 0 && r.listen < 0);
	rundir_close(&r);
}

static void
test_kept(void **state)
{
	struct rundir r;
	char text[8] = "";

	(void)state;
	assert_int_equal(rundir_open(&r, dir, err, sizeof err), 0);
	assert_int_equal(write(r.budgets, "used", 4), 4);
	rundir_close(&r);
	assert_int_equal(rundir_open(&r, dir, err, sizeof err), 0);
	assert_int_equal(read(r.budgets, text, sizeof text - 1), 4);
	assert_string_equal(text, "used");
	rundir_close(&r);
}

static void
test_one_at_a_time(void **state)
{
	struct rundir first, second;

	(void)state;
	assert_int_equal(rundir_open(&first, dir, err, sizeof err), 0);
	assert_int_equal(rundir_listen(&first, getegid(), err, sizeof err), 0);
	assert_int_equal(rundir_open(&second, dir, err, sizeof err), -EWOULDBLOCK);
	assert_non_null(strstr(err, "another net-gazer uses it"));
	assert_true(second.dir < 0 && second.budgets < 0);
	rundir_close(&second);
	assert_int_equal(ask(&first), 0); /* untouched */
	rundir_close(&first);
}

/* The socket of one that was killed. */
static void
test_stale(void **state)
{
	struct rundir r;

	(void)state;
	assert_int_equal(rundir_open(&r, dir, err, sizeof err), 0);
	assert_int_equal(rundir_listen(&r, getegid(), err, sizeof err), 0);
	close(r.listen);
	r.listen = -1;
	assert_int_equal(ask(&r), -ECONNREFUSED);
	assert_int_equal(rundir_listen(&r, getegid(), err, sizeof err), 0);
	assert_int_equal(ask(&r), 0);
	rundir_close(&r);
}

static void
test_refused(void **state)
{
	struct rundir r;
	char path[100];

	(void)state;
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(chmod(dir, 0775), 0);
	assert_int_equal(rundir_open(&r, dir, err, sizeof err), -EPERM);
	assert_non_null(strstr(err, "can be written by others; run: chown root "));
	/* A folder that is there keeps its mode. */
	assert_int_equal(chmod(dir, 0700), 0);
	assert_int_equal(rundir_open(&r, dir, err, sizeof err), 0);
	assert_int_equal(mode(""), S_IFDIR | 0700);
	rundir_close(&r);
	/* Budgets that lead elsewhere. */
	snprintf(path, sizeof path, "%s/budgets", dir);
	unlink(path);
	assert_int_equal(symlink("other", path), 0);
	assert_int_equal(rundir_open(&r, dir, err, sizeof err), -ELOOP);
	assert_non_null(strstr(err, "/budgets: "));
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(rundir_open(&r, dir, err, sizeof err), -EINVAL);
	assert_non_null(strstr(err, "no regular file"));
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(symlink(base, dir), 0);
	assert_true(rundir_open(&r, dir, err, sizeof err) < 0);
	assert_non_null(strstr(err, "runtime-dir "));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_made, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stale, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
