/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * keeper.c - see keeper.h.
 */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "geo.h"
#include "lib/hash.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/priv.h"
#include "places.h"
#include "resolve.h"
#include "sandbox.h"

#define WATCH_US 2000000
#define DELAY_FIRST_US 100000
#define DELAY_MAX_US 30000000
#define HEALTHY_US 60000000

enum { PLACES, NAMES, WORKERS };

struct worker {
	pid_t pid;         /* 0: none */
	int64_t started_us, delay_us;
	int expected;      /* to end: we ended it */
	struct loop_timer again;
};

static struct {
	struct loop *loop;
	struct loop_fd control;
	struct loop_timer watch;
	struct worker worker[WORKERS];
	struct geo_control setup;
	struct geo_hello hello; /* of the files as they are now */
} k;

static void start(int which);

/* ---- files ---- */

/* What the configuration names, or what was imported. */
static void
path_of(int kind, char out[GEO_PATH_MAX])
{
	static const char *const words[] = GEO_WORDS_KIND;
	struct stat st;

	snprintf(out, GEO_PATH_MAX, "%s", k.setup.file[kind]);
	if (out[0] || !k.setup.folder[0])
		return;
	if (snprintf(out, GEO_PATH_MAX, "%s/%s.mmdb", k.setup.folder, words[kind]) >= GEO_PATH_MAX)
		out[0] = 0;
	if (kind == GEO_ASN && stat(out, &st) &&
	    snprintf(out, GEO_PATH_MAX, "%s/%s.ranges", k.setup.folder, words[kind]) >= GEO_PATH_MAX)
		out[0] = 0;
}

/* KIND.txt beside what was imported: "TEXT URL", one line. */
static void
attribution_of(int kind, char out[GEO_ABOUT_MAX])
{
	static const char *const words[] = GEO_WORDS_KIND;
	char path[GEO_PATH_MAX];
	ssize_t n;
	int fd;

	out[0] = 0;
	if (k.setup.file[kind][0] || !k.setup.folder[0] ||
	    snprintf(path, sizeof path, "%s/%s.txt", k.setup.folder, words[kind]) >= (int)sizeof path)
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	n = fd < 0 ? 0 : read(fd, out, GEO_ABOUT_MAX - 1);
	out[n > 0 ? n : 0] = 0;
	out[strcspn(out, "\r\n")] = 0;
	if (fd >= 0)
		close(fd);
}

/* Looks at the files, opens them if `files` is given.  Their generation. */
static int64_t
look(struct geo_hello *hello, int files[GEO_KINDS])
{
	static const uint8_t key[16] = "net-gazer's geo";
	struct {
		uint64_t dev, ino, size, sec, nsec, kind;
	} all[GEO_KINDS];
	struct stat st;
	int any = 0;

	memset(all, 0, sizeof all);
	*hello = (struct geo_hello){ .is = GEO_IS_HELLO };
	for (int i = 0; i < GEO_KINDS; i++) {
		char *path = hello->base[i].file;
		int fd = -1;

		path_of(i, path);
		if (files)
			files[i] = -1;
		if (path[0])
			fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0 && k.setup.file[i][0] && files)
			log_error("geo: %s: %s; it is used when it can be read", path, strerror(errno));
		if (fd < 0 || fstat(fd, &st)) {
			path[0] = 0;
			continue;
		}
		all[i].dev = st.st_dev;
		all[i].ino = st.st_ino;
		all[i].size = (uint64_t)st.st_size;
		all[i].sec = (uint64_t)st.st_mtim.tv_sec;
		all[i].nsec = (uint64_t)st.st_mtim.tv_nsec;
		all[i].kind = (uint64_t)i + 1;
		attribution_of(i, hello->base[i].attribution);
		any = 1;
		if (files)
			files[i] = fd;
		else
			close(fd);
	}
	hello->generation = any ? (int64_t)(hash_sip(key, all, sizeof all) >> 1 | 1) : 0;
	return hello->generation;
}

/* ---- processes ---- */

static void
on_again(struct loop_timer *t)
{
	start((int)((struct worker *)t->arg - k.worker));
}

static void
later(int which)
{
	struct worker *w = &k.worker[which];

	if (loop_now_us(k.loop) - w->started_us >= HEALTHY_US || !w->delay_us)
		w->delay_us = DELAY_FIRST_US;
	else
		w->delay_us = w->delay_us < DELAY_MAX_US / 2 ? w->delay_us * 2 : DELAY_MAX_US;
	loop_timer_set(k.loop, &w->again, w->delay_us, on_again, w);
}

/* In the new process. */
static _Noreturn void
become(int which, const int files[GEO_KINDS], pid_t parent)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGTERM, SIG_DFL);
	if (priv_tie_to_parent(parent))
		_exit(1);
	close(GEO_FD_CONTROL);
	close(which == PLACES ? GEO_FD_NAMES : GEO_FD_PLACES);
	if (which == PLACES)
		places_run(GEO_FD_PLACES, files, &k.hello);
	resolve_run(GEO_FD_NAMES, k.setup.server, k.setup.servers_n);
}

static void
start(int which)
{
	struct worker *w = &k.worker[which];
	int files[GEO_KINDS] = { -1, -1, -1 };
	pid_t parent = getpid();

	if (w->pid || (which == NAMES && !k.setup.servers_n))
		return;
	if (which == PLACES && !look(&k.hello, files)) {
		/* So that what came of files that are gone is known as that. */
		(void)send(GEO_FD_PLACES, &k.hello, sizeof k.hello, MSG_NOSIGNAL | MSG_DONTWAIT);
		return;
	}
	w->started_us = loop_now_us(k.loop);
	w->expected = 0;
	w->pid = fork();
	if (w->pid == 0)
		become(which, files, parent);
	for (int i = 0; i < GEO_KINDS; i++) {
		if (files[i] >= 0)
			close(files[i]);
	}
	if (w->pid < 0) {
		log_error("geo: no process: %s", strerror(errno));
		w->pid = 0;
		later(which);
	}
}

/* Another one takes its place; at once, unless it is waited for already. */
static void
restart(int which)
{
	struct worker *w = &k.worker[which];

	if (w->pid > 0) {
		w->expected = 1;
		kill(w->pid, SIGKILL);
		return;
	}
	loop_timer_clear(&w->again);
	start(which);
}

static void
ended(int which, int status)
{
	static const char *const names[WORKERS] = { "looks addresses up", "asks for names" };
	struct worker *w = &k.worker[which];

	w->pid = 0;
	if (w->expected) {
		start(which);
		return;
	}
	if (WIFSIGNALED(status))
		log_warn("geo: the process that %s died of signal %d (%s); it is started again", names[which], WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	later(which);
}

static void
on_signal(void *arg, int signo)
{
	int status;
	pid_t pid;

	(void)arg;
	if (signo != SIGCHLD) {
		loop_stop(k.loop, 0);
		return;
	}
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (int i = 0; i < WORKERS; i++) {
			if (k.worker[i].pid == pid)
				ended(i, status);
		}
	}
}

static void
on_watch(struct loop_timer *t)
{
	struct geo_hello now;

	if (look(&now, NULL) != k.hello.generation)
		restart(PLACES);
	loop_timer_set(k.loop, t, WATCH_US, on_watch, NULL);
}

static void
on_control(struct loop_fd *f, uint32_t events)
{
	static struct geo_control c;
	ssize_t n = recv(f->fd, &c, sizeof c, MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != sizeof c || c.servers_n > GEO_SERVERS_MAX) {
		loop_stop(k.loop, 0); /* the collector is gone */
		return;
	}
	if (c.what == GEO_KILL_PLACES && k.worker[PLACES].pid > 0) {
		kill(k.worker[PLACES].pid, SIGKILL);
	} else if (c.what == GEO_KILL_NAMES && k.worker[NAMES].pid > 0) {
		kill(k.worker[NAMES].pid, SIGKILL);
	} else if (c.what == GEO_SETUP) {
		k.setup = c;
		restart(PLACES);
		restart(NAMES);
	}
}

int
keeper_run(void)
{
	static const int signals[] = { SIGCHLD, SIGTERM, SIGINT, 0 };
	int r;

	signal(SIGINT, SIG_IGN); /* a terminal's Ctrl-C is the collector's, whose end is ours */
	k.loop = loop_new();
	if (!k.loop || loop_signals(k.loop, signals, on_signal, NULL) ||
	    loop_fd_add(k.loop, &k.control, GEO_FD_CONTROL, EPOLLIN, on_control, NULL))
		fatal("event loop: %s", strerror(errno));
	loop_timer_set(k.loop, &k.watch, WATCH_US, on_watch, NULL);
	for (int i = 0; i < WORKERS; i++)
		k.worker[i].again.arg = &k.worker[i];
	sandbox_keeper();
	r = loop_run(k.loop);
	loop_free(k.loop);
	return r;
}
