/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The forwarder's closed sandbox, from inside: what it may still read, write and start.  Each case is a process of
 * its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/forwarder/sandbox.c"

static char base[] = "/tmp/ng-forwarder-sandbox-XXXXXX";
static int spool = -1, other = -1;
static uint32_t posture;

static int
make_in(int dir)
{
	int fd = openat(dir, "a.tmp", O_WRONLY | O_CREAT | O_TRUNC, 0600), r = 0;

	if (fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) || renameat(dir, "a.tmp", dir, "a.seg") ||
	    unlinkat(dir, "a.seg", 0))
		r = errno;
	return r;
}

static int
in_the_spool(void)
{
	return make_in(spool);
}

static int
elsewhere(void)
{
	return make_in(other);
}

static int
overwrite_elsewhere(void)
{
	return openat(other, "there", O_WRONLY) < 0 ? errno : 0;
}

static int
remove_elsewhere(void)
{
	return unlinkat(other, "there", 0) ? errno : 0;
}

static int
read_elsewhere(void)
{
	return openat(other, "there", O_RDONLY) < 0 ? errno : 0;
}

static int
listen_on_tcp(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) ? errno : 0;
}

/* errno of the try behind the closed door. */
static int
behind_the_door(int (*try)(void), int spool_fd)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(sandbox_close(spool_fd, &posture) ? 255 : try());
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int
posture_is_whole(void)
{
	const uint32_t whole = WORKER_POSTURE_NO_NEW_PRIVS | WORKER_POSTURE_SECCOMP | WORKER_POSTURE_LANDLOCK;

	return (posture & whole) == whole ? 0 : ENOSYS;
}

static int
set_up(void **state)
{
	char path[128];

	(void)state;
	if (!mkdtemp(base))
		return -1;
	for (int i = 0; i < 2; i++) {
		int *dir = i ? &other : &spool;

		snprintf(path, sizeof path, "%s/%s", base, i ? "other" : "spool");
		if (mkdir(path, 0700) || (*dir = open(path, O_RDONLY | O_DIRECTORY)) < 0)
			return -1;
	}
	return close(openat(other, "there", O_WRONLY | O_CREAT, 0600));
}

static int
tear_down(void **state)
{
	(void)state;
	unlinkat(other, "there", 0);
	for (int i = 0; i < 2; i++) {
		char path[128];

		snprintf(path, sizeof path, "%s/%s", base, i ? "other" : "spool");
		rmdir(path);
	}
	return rmdir(base);
}

static void
test_spool_alone(void **state)
{
	(void)state;
	if (behind_the_door(posture_is_whole, -1) == ENOSYS) {
		print_message("this kernel has no Landlock\n");
		skip();
	}
	assert_int_equal(behind_the_door(in_the_spool, spool), 0);
	assert_int_equal(behind_the_door(in_the_spool, -1), EACCES);
	assert_int_equal(behind_the_door(elsewhere, spool), EACCES);
	assert_int_equal(behind_the_door(overwrite_elsewhere, spool), EACCES);
	assert_int_equal(behind_the_door(remove_elsewhere, spool), EACCES);
	assert_int_equal(behind_the_door(read_elsewhere, spool), 0);
	/* The network is Landlock's since Linux 6.7. */
	assert_int_equal(behind_the_door(listen_on_tcp, spool),
			 syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 4 ? 0 : EACCES);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_spool_alone) };

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
