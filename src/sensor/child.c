/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * child.c - fork, descriptors, drop, execute; the one way that this program makes a process.
 */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/priv.h"
#include "worker.h"

/* Ours are moved above this before they are put where the child wants them. */
#define CHILD_FD_HIGH 256
#define CHILD_FD_LAST 4096 /* where there is no close_range(2) (Linux 5.9) */

void
child_init(struct child *c, uid_t uid, gid_t gid)
{
	*c = (struct child){ .exec_fd = -1, .fd = { -1, -1, STDERR_FILENO }, .n_fds = 3, .uid = uid, .gid = gid };
}

int
child_give(struct child *c, int fd)
{
	if (c->n_fds == CHILD_FDS_MAX)
		return -1;
	c->fd[c->n_fds] = fd;
	return (int)c->n_fds++;
}

static void
close_from(unsigned first)
{
	if (!syscall(SYS_close_range, first, ~0U, 0))
		return;
	for (unsigned fd = first; fd < CHILD_FD_LAST; fd++)
		close((int)fd);
}

/* The child's descriptors at 0, 1, 2, ...; `status` and the program behind them, closed by exec;
 * nothing else.  0 or -errno. */
static int
arrange(const struct child *c, int *status, int *program)
{
	int high[CHILD_FDS_MAX], n = (int)c->n_fds, null = open("/dev/null", O_RDWR);

	if (null < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		high[i] = fcntl(c->fd[i] < 0 ? null : c->fd[i], F_DUPFD_CLOEXEC, CHILD_FD_HIGH);
		if (high[i] < 0)
			return -errno;
	}
	if (*status >= 0 && (*status = fcntl(*status, F_DUPFD_CLOEXEC, CHILD_FD_HIGH)) < 0)
		return -errno;
	if (c->exec_fd >= 0 && (*program = fcntl(c->exec_fd, F_DUPFD_CLOEXEC, CHILD_FD_HIGH)) < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		if (dup2(high[i], i) < 0)
			return -errno;
	}
	if (*status >= 0 && (*status = dup3(*status, n, O_CLOEXEC)) < 0)
		return -errno;
	if (c->exec_fd >= 0 && (*program = dup3(*program, n + 1, O_CLOEXEC)) < 0)
		return -errno;
	if (*status < 0)
		close(n);
	if (c->exec_fd < 0)
		close(n + 1);
	close_from((unsigned)n + 2);
	return 0;
}

/* Gives up everything and runs.  Returns -errno. */
static int
enter(const struct child *c, int status, pid_t parent)
{
	sigset_t none;
	int program = -1, r;

	sigemptyset(&none);
	r = arrange(c, &status, &program);
	if (r)
		goto out;
	/* With the bounding set, while there is still a right to change it. */
	if (!geteuid() && ((r = priv_keep_caps(1ULL << 6 /* SETGID */ | 1ULL << 7 /* SETUID */)) ||
			   (r = priv_drop(c->uid, c->gid))))
		goto out;
	if ((r = priv_keep_caps(0)) || (r = priv_no_new_privs()))
		goto out;
	/* Behind the drop, which clears it. */
	if (parent && (r = priv_tie_to_parent(parent)))
		goto out;
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (c->exec_fd < 0) {
		if ((r = priv_no_dump()))
			goto out;
		if (status >= 0)
			close(status);
		c->fn(c->arg);
		_exit(1);
	}
	fexecve(program, c->argv, environ);
	r = -errno;
out:
	if (status >= 0 && write(status, &r, sizeof r) < 0)
		_exit(126);
	return r;
}

pid_t
child_start(const struct child *c)
{
	pid_t parent = getpid(), pid;
	int status[2], r = 0;

	if (pipe2(status, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid < 0) {
		r = -errno;
	} else if (pid == 0) {
		/* Ctrl-C at a terminal is for the parent, which stops us in order. */
		setsid();
		enter(c, status[1], parent);
		_exit(126);
	}
	close(status[1]);
	/* The end of the pipe is exec's close: it worked. */
	if (pid > 0 && read(status[0], &r, sizeof r) == (ssize_t)sizeof r)
		waitpid(pid, NULL, 0);
	else if (pid > 0)
		r = 0;
	close(status[0]);
	return r ? r : pid;
}

int
child_become(const struct child *c)
{
	return enter(c, -1, 0);
}

int
child_open(const char *dir, const char *name, char *err, size_t size)
{
	char path[4096 + 32];
	struct stat st;
	int fd, r;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	r = fd < 0 ? -errno : fstat(fd, &st) ? -errno : !S_ISREG(st.st_mode) ? -EINVAL : 0;
	if (r) {
		snprintf(err, size, "%s: %s; libexec-dir says where it is", path, strerror(-r));
		if (fd >= 0)
			close(fd);
		return r;
	}
	return fd;
}

void
child_posture(const char *name, pid_t pid, uint64_t posture)
{
	static const struct {
		uint64_t bit;
		const char *name;
	} steps[] = {
		{ WORKER_POSTURE_NO_CAPS, "capabilities dropped" },
		{ WORKER_POSTURE_NO_NEW_PRIVS, "no_new_privs" },
		{ WORKER_POSTURE_SECCOMP, "seccomp" },
		{ WORKER_POSTURE_LANDLOCK, "Landlock" },
	};
	char have[100] = "", lack[100] = "";

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		char *list = posture & steps[i].bit ? have : lack;
		size_t n = strlen(list);

		snprintf(list + n, sizeof have - n, "%s%s", n ? ", " : "", steps[i].name);
	}
	log_debug("%s (pid %d) is ready: %s", name, pid, have);
	if (*lack)
		log_info("%s runs without %s: this kernel does not have it", name, lack);
}

int
child_receive(struct loop_fd *watch, pid_t pid, const char *name, void *packet, size_t size)
{
	ssize_t n = recv(watch->fd, packet, size, MSG_DONTWAIT | MSG_TRUNC);

	if (n == (ssize_t)size)
		return 1;
	if (n < 0 && errno == EAGAIN)
		return 0;
	loop_fd_del(watch);
	if (n > 0) {
		log_error("%s sent a message of %zd bytes, not %zu; killed", name, n, size);
		kill(pid, SIGKILL);
	}
	return 0;
}

int
child_memory(const char *name, uint64_t bytes)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 && (ftruncate(fd, (off_t)bytes) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

void
child_hang_up(struct loop_fd *watch, int *fd)
{
	loop_fd_del(watch);
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void
child_kill(pid_t pid)
{
	if (!pid)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

const char *
child_status_text(int status, char *buf, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(buf, size, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(buf, size, "exit status %d", WEXITSTATUS(status));
	return buf;
}
