/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * output.c - pipe and forwarder or writer.  The parent keeps both ends of the pipe open: while the
 * process behind it is down, the analyzer sees a full pipe, never a broken one.  So nothing is lost either while
 * a writer whose file is full makes room for the next one.
 */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/log.h"
#include "sensor/backoff.h"
#include "sensor/writer.h"
#include "worker.h"

#define OUTPUT_STOP_US 10000000   /* at the end: the collector may be slow */
#define OUTPUT_RESTART_US 10000000 /* for another plan */

enum output_state { OUTPUT_DOWN, OUTPUT_RUNNING, OUTPUT_CHANGING, OUTPUT_STOPPING };

struct output {
	struct loop *loop;
	const struct plan *plan;
	enum output_state state;
	int read_fd, write_fd;
	int page_fd;
	struct worker_forward_page *page;
	int spool_fd; /* -1: none */
	pid_t pid; /* 0: none */
	int64_t started_us;
	char *print; /* what the running forwarder was made of */
	struct backoff backoff;
	unsigned starts;
	char last_end[80]; /* how the last one did, unasked */
	struct loop_timer timer; /* start again, or kill */
	void (*closed)(void *);
	void (*ended)(void *);
	void *arg;
};

/* 0 or -1 with nothing open. */
static int
page_new(struct output *o)
{
	o->page_fd = child_memory("net-gazer forwarder page", sizeof *o->page);
	if (o->page_fd < 0)
		return -1;
	o->page = mmap(NULL, sizeof *o->page, PROT_READ | PROT_WRITE, MAP_SHARED, o->page_fd, 0);
	if (o->page != MAP_FAILED)
		return 0;
	close(o->page_fd);
	return -1;
}

struct output *
output_new(struct loop *loop, void (*closed)(void *), void (*ended)(void *), void *arg)
{
	struct output *o = calloc(1, sizeof *o);
	int fd[2];

	if (!o || page_new(o))
		goto fail;
	if (pipe2(fd, O_CLOEXEC)) {
		munmap(o->page, sizeof *o->page);
		close(o->page_fd);
		goto fail;
	}
	o->loop = loop;
	o->read_fd = fd[0];
	o->write_fd = fd[1];
	o->spool_fd = -1;
	o->closed = closed;
	o->ended = ended;
	o->arg = arg;
	fcntl(fd[1], F_SETFL, O_NONBLOCK);
	if (fcntl(fd[1], F_SETPIPE_SZ, WORKER_PIPE_BYTES) < 0)
		log_info("the report pipe holds %d bytes, not %d: %s", fcntl(fd[1], F_GETPIPE_SZ),
			 WORKER_PIPE_BYTES, strerror(errno));
	return o;
fail:
	free(o);
	return NULL;
}

void
output_free(struct output *o)
{
	if (!o)
		return;
	loop_timer_clear(&o->timer);
	child_kill(o->pid);
	close(o->read_fd);
	if (o->write_fd >= 0)
		close(o->write_fd);
	if (o->spool_fd >= 0)
		close(o->spool_fd);
	munmap(o->page, sizeof *o->page);
	close(o->page_fd);
	free(o->print);
	free(o);
}

void
output_spool(struct output *o, int dirfd)
{
	o->spool_fd = dirfd;
}

const struct worker_forward_page *
output_page(const struct output *o)
{
	return o->page;
}

int
output_fd(const struct output *o)
{
	return o->write_fd;
}

static const char *
name(const struct output *o)
{
	return o->plan->forwarder_fd >= 0 ? "forwarder" : "writer";
}

/* The descriptors stand behind the settings, in this order: page, token, certificate, key,
 * spool. */
static void
forwarder_settings(const struct output *o, const struct plan *p, struct settings *s)
{
	int fd = WORKER_FD_PAGE;
	const char *ca = conf_str(p->conf, "collector-ca-file"), *pin = conf_str(p->conf, "collector-pin");

	settings_add(s, "url", "%s", conf_str(p->conf, "collector-url"));
	settings_add(s, "sensor", "%s", p->sensor);
	settings_add(s, "boot", "%s", p->boot);
	settings_add(s, "version", "%s", VERSION);
	settings_add(s, "verbose", "%s", conf_str(p->conf, "verbose"));
	settings_add(s, "batch-lines", "%s", conf_str(p->conf, "collector-batch-lines"));
	settings_add(s, "batch-bytes", "%s", conf_str(p->conf, "collector-batch-bytes"));
	settings_add(s, "batch-ms", "%s", conf_str(p->conf, "collector-batch-ms"));
	if (ca)
		settings_add(s, "ca-file", "%s", ca);
	settings_add(s, "queue-bytes", "%s", conf_str(p->conf, "queue-bytes"));
	settings_add(s, "page-fd", "%d", fd++);
	if (pin)
		settings_add(s, "pin", "%s", pin);
	if (p->token_fd >= 0)
		settings_add(s, "token-fd", "%d", fd++);
	if (p->cert_fd >= 0) {
		settings_add(s, "cert-fd", "%d", fd++);
		settings_add(s, "key-fd", "%d", fd++);
	}
	if (o->spool_fd >= 0) {
		settings_add(s, "spool-fd", "%d", fd++);
		settings_add(s, "spool-bytes", "%s", conf_str(p->conf, "spool-bytes"));
		settings_add(s, "spool-day-bytes", "%s", conf_str(p->conf, "spool-day-bytes"));
	}
}

static void
print_file(struct settings *s, const struct stat *st)
{
	settings_add(s, "file", "%llu %llu %lld %lld %ld", (unsigned long long)st->st_dev,
		     (unsigned long long)st->st_ino, (long long)st->st_size, (long long)st->st_mtim.tv_sec,
		     st->st_mtim.tv_nsec);
}

/* Everything that makes one forwarder another than the next: settings, program, token, certificates.
 * free(); NULL for a writer. */
static char *
print_of(const struct output *o, const struct plan *p)
{
	const char *ca = conf_str(p->conf, "collector-ca-file");
	struct settings s = { 0 };
	struct stat st;
	char *print = NULL;

	if (p->forwarder_fd < 0)
		return NULL;
	forwarder_settings(o, p, &s);
	if (!fstat(p->forwarder_fd, &st))
		print_file(&s, &st);
	if (p->token_fd >= 0 && !fstat(p->token_fd, &st))
		print_file(&s, &st);
	if (p->cert_fd >= 0 && !fstat(p->cert_fd, &st))
		print_file(&s, &st);
	if (p->key_fd >= 0 && !fstat(p->key_fd, &st))
		print_file(&s, &st);
	if (ca && !stat(ca, &st))
		print_file(&s, &st);
	if (!s.error)
		print = strndup(s.text, s.len);
	settings_free(&s);
	return print;
}

static void
give_file(struct child *c, int fd)
{
	if (fd < 0)
		return;
	/* The descriptor's position is shared: the last one has read to the end. */
	lseek(fd, 0, SEEK_SET);
	child_give(c, fd);
}

/* The program, and what it has open; the settings, which stay ours, or -errno. */
static int
forwarder_child(const struct output *o, const struct plan *p, struct child *c)
{
	struct settings s = { 0 };
	int settings;

	forwarder_settings(o, p, &s);
	settings = settings_seal(&s);
	c->exec_fd = p->forwarder_fd;
	child_give(c, settings);
	child_give(c, o->page_fd);
	give_file(c, p->token_fd);
	give_file(c, p->cert_fd);
	give_file(c, p->key_fd);
	if (o->spool_fd >= 0)
		child_give(c, o->spool_fd);
	return settings;
}

int
output_check(const struct plan *p, char *err, size_t size)
{
	static char *const argv[] = { (char *)"forwarder", (char *)"--check", NULL };
	const struct output none = { .page_fd = -1, .spool_fd = -1 };
	int said[2] = { -1, -1 }, settings = -1, status = 0;
	struct child c;
	char how[80];
	ssize_t n = 0;
	pid_t pid;

	child_init(&c, p->uid, p->gid);
	c.argv = argv;
	settings = forwarder_child(&none, p, &c);
	if (settings < 0 || pipe2(said, O_CLOEXEC)) {
		pid = settings < 0 ? settings : -errno;
	} else {
		c.fd[2] = said[1];
		pid = child_start(&c);
		close(said[1]);
		n = pid < 0 ? 0 : read(said[0], err, size - 1);
		close(said[0]);
	}
	if (settings >= 0)
		close(settings);
	err[n > 0 ? n : 0] = 0;
	err[strcspn(err, "\n")] = 0;
	if (pid < 0)
		snprintf(err, size, "cannot start the forwarder: %s", strerror(-pid));
	else if (waitpid(pid, &status, 0) == pid && status && !*err)
		snprintf(err, size, "the forwarder does not start: %s", child_status_text(status, how, sizeof how));
	return pid < 0 || status ? -1 : 0;
}

int
output_start(struct output *o, const struct plan *p)
{
	static char *const argv[] = { (char *)"forwarder", NULL };
	struct child c;
	int64_t limit;
	int settings = -1;
	pid_t pid;

	o->plan = p;
	child_init(&c, p->uid, p->gid);
	c.fd[0] = o->read_fd;
	if (p->forwarder_fd >= 0) {
		c.argv = argv;
		settings = forwarder_child(o, p, &c);
		if (settings < 0)
			return settings;
	} else {
		/* A forwarder that read from it before made it not wait. */
		fcntl(o->read_fd, F_SETFL, fcntl(o->read_fd, F_GETFL) & ~O_NONBLOCK);
		limit = plan_output_bytes(p);
		c.fn = writer_main;
		c.arg = &limit;
		c.fd[1] = p->output_fd;
	}
	pid = child_start(&c);
	if (settings >= 0)
		close(settings);
	if (pid < 0)
		return (int)pid;
	free(o->print);
	o->print = print_of(o, p);
	o->pid = pid;
	o->state = OUTPUT_RUNNING;
	o->starts++;
	o->started_us = loop_now_us(o->loop);
	return 0;
}

static void
on_kill(struct loop_timer *t)
{
	struct output *o = t->arg;

	log_warn("%s does not end; killed%s", name(o),
		 o->state == OUTPUT_STOPPING ? ": the reports that it still had are lost" : "");
	kill(o->pid, SIGKILL);
}

static void
on_restart(struct loop_timer *t)
{
	struct output *o = t->arg;
	int r = output_start(o, o->plan);

	if (r) {
		log_error("cannot start %s: %s", name(o), strerror(-r));
		loop_timer_set(o->loop, t, backoff_next(&o->backoff, 0), on_restart, o);
	}
}

void
output_restart(struct output *o, const struct plan *p)
{
	char *print = print_of(o, p);
	int same = print && o->print && !strcmp(print, o->print);

	free(print);
	o->plan = p;
	/* What it holds for a collector that is away would be lost for nothing. */
	if (same && o->state == OUTPUT_RUNNING)
		return;
	o->backoff = (struct backoff){ 0 };
	if (o->pid) {
		o->state = OUTPUT_CHANGING;
		kill(o->pid, SIGTERM);
		loop_timer_set(o->loop, &o->timer, OUTPUT_RESTART_US, on_kill, o);
	} else {
		loop_timer_set(o->loop, &o->timer, 0, on_restart, o);
	}
}

void
output_stop(struct output *o)
{
	o->state = OUTPUT_STOPPING;
	close(o->write_fd); /* the last one: the process reads to the end */
	o->write_fd = -1;
	loop_timer_clear(&o->timer);
	if (o->pid)
		loop_timer_set(o->loop, &o->timer, OUTPUT_STOP_US, on_kill, o);
	else
		o->ended(o->arg);
}

/* FILE becomes FILE.1, and the plan's descriptor a new FILE.  When FILE is another one by now, somebody else was
 * first, logrotate or a reload: that one then.  0 or -1. */
static int
turn(struct output *o)
{
	const char *path = conf_str(o->plan->conf, "output");
	char old[4096 + sizeof ".1"];
	struct stat ours, there;
	int fd = -1;

	snprintf(old, sizeof old, "%s.1", path);
	if (fstat(o->plan->output_fd, &ours) || lstat(path, &there) || ours.st_ino != there.st_ino ||
	    ours.st_dev != there.st_dev || !rename(path, old))
		fd = plan_open_output(o->plan);
	if (fd < 0) {
		log_warn("output %s is full, and cannot become %s.1: %s", path, path, strerror(errno));
		return -1;
	}
	dup3(fd, o->plan->output_fd, O_CLOEXEC);
	close(fd);
	return 0;
}

/* True when the writer's file was full, and the next one goes on in another: no end that somebody should hear of. */
static int
turned(struct output *o, int status)
{
	enum output_state state = o->state;

	if (state == OUTPUT_CHANGING || o->plan->forwarder_fd >= 0 || !WIFEXITED(status) ||
	    WEXITSTATUS(status) != WRITER_FULL || turn(o) || output_start(o, o->plan))
		return 0;
	o->state = state;
	o->starts--;
	return 1;
}

int
output_exited(struct output *o, pid_t pid, int status)
{
	int64_t wait_us;

	if (!o->pid || pid != o->pid)
		return 0;
	o->pid = 0;
	if (turned(o, status))
		return 1;
	loop_timer_clear(&o->timer);
	if (o->state == OUTPUT_STOPPING) {
		o->ended(o->arg);
		return 1;
	}
	if (o->state == OUTPUT_CHANGING) {
		o->state = OUTPUT_DOWN;
		loop_timer_set(o->loop, &o->timer, 0, on_restart, o);
		return 1;
	}
	o->state = OUTPUT_DOWN;
	if (o->plan->forwarder_fd < 0 && WIFEXITED(status) && WEXITSTATUS(status) == WRITER_CLOSED) {
		o->closed(o->arg);
		return 1;
	}
	wait_us = backoff_next(&o->backoff, loop_now_us(o->loop) - o->started_us);
	log_warn("%s ended (%s); restarting in %lld ms", name(o), child_status_text(status, o->last_end, sizeof o->last_end),
		 (long long)wait_us / 1000);
	loop_timer_set(o->loop, &o->timer, wait_us, on_restart, o);
	return 1;
}

void
output_status(const struct output *o, struct child_status *s)
{
	static const char *const names[] = { "down", "running", "changing", "stopping" };

	*s = (struct child_status){ o->pid, names[o->state], o->starts, 0, o->last_end };
}
