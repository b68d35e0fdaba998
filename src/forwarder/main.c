/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * forwarder - report lines from a pipe (fd 0) to a collector, over HTTP(S).  The parent starts it
 * with its settings on fd 3 (worker.h); by hand: forwarder -f SETTINGS < LINES.  `forwarder --enroll` is
 * enroll.c.
 *
 *   pipe -> batch -> queue -> deliver -> upload -> reply -> deliver
 *                      |
 *                    spool
 */
#include "batch.h"
#include "deliver.h"
#include "enroll.h"
#include "lib/lean.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/spool.h"
#include "queue.h"
#include "sandbox.h"
#include "settings.h"
#include "tally.h"
#include "upload.h"
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

_Static_assert(BATCH_LINE_MAX == WORKER_REPORT_MAX, "a report is one line");

#define DRAIN_US 5000000        /* for what is left when the pipe has ended */
/* After a signal, for the pipe to end; then what is in hand gets STOP_DRAIN_US.  SIGTERM is the
 * parent's, which wants another forwarder with another configuration and waits 3 s. */
#define TERM_US 500000
#define INT_US 10000000
#define STOP_DRAIN_US 2000000
#define COUNTERS_US 60000000
#define LEAN_US 5000000         /* how soon after a connection was made its memory is given back */
#define FILE_FULL_US 20000      /* how soon to look again whether a file's next bytes have room */

struct forwarder {
	struct settings settings;
	struct loop *loop;
	struct worker_forward_page *page;
	uint64_t received;          /* by the forwarders before */
	uint64_t unsealed;          /* dropped for want of memory, and counted */
	struct spool *spool;        /* NULL: none */
	struct batch_maker *maker;
	struct queue *queue;
	struct upload *upload;
	struct deliver *deliver;
	struct loop_fd pipe;
	struct loop_timer file;     /* stands in for `pipe` when fd 0 is a file */
	struct loop_timer age;      /* of the open batch */
	struct loop_timer counters;
	struct loop_timer lean;
	struct loop_timer stop;
	int signals;
	int stopping; /* no further line is begun */
	int ended;
};

static void
log_counters(const struct forwarder *f, enum log_level level)
{
	const struct batch_counts *b = batch_counts(f->maker);
	const struct worker_forward_counts *c = &f->page->now;

	log_at(level, "counters: received=%llu recovered=%llu batches=%llu acknowledged=%llu rejected=%llu "
	       "dropped=%llu quarantined=%llu queued=%llu spooled=%llu torn=%llu overlong=%llu posts=%llu "
	       "flash=%llu damaged=%llu",
	       (unsigned long long)c->received, (unsigned long long)c->recovered, (unsigned long long)b->sealed,
	       (unsigned long long)c->acknowledged, (unsigned long long)c->rejected,
	       (unsigned long long)c->dropped, (unsigned long long)c->quarantined,
	       (unsigned long long)(b->open + queue_counts(f->queue)->records), (unsigned long long)c->spooled,
	       (unsigned long long)b->torn, (unsigned long long)b->overlong, (unsigned long long)f->page->posts,
	       (unsigned long long)f->page->flash_written_bytes, (unsigned long long)f->page->spool_damaged);
}

/* What came in, before anything can become of it. */
static void
count_received(struct forwarder *f)
{
	struct tally_change x = { .dropped = batch_counts(f->maker)->dropped - f->unsealed };

	f->unsealed += x.dropped;
	f->page->now.received = f->received + batch_counts(f->maker)->received;
	tally_add(f->page, &x);
}

static void
on_sealed(void *arg, struct batch *b)
{
	struct forwarder *f = arg;

	loop_timer_clear(&f->age);
	count_received(f);
	queue_put(f->queue, b);
	deliver_kick(f->deliver);
}

static void
on_age(struct loop_timer *t)
{
	struct forwarder *f = t->arg;

	batch_seal(f->maker);
}

static void
on_finished(void *arg)
{
	struct forwarder *f = arg;

	loop_stop(f->loop, 0);
}

static void
on_wish(void *arg, uint32_t bytes, enum pack_coding coding)
{
	struct forwarder *f = arg;

	batch_shrink(f->maker, bytes);
	batch_pack(f->maker, coding);
}

/* No more lines. */
static void
end(struct forwarder *f, int64_t drain_us)
{
	f->ended = 1;
	loop_fd_del(&f->pipe);
	loop_timer_clear(&f->file);
	loop_timer_clear(&f->stop);
	batch_eof(f->maker);
	deliver_drain(f->deliver, drain_us, on_finished, f);
}

/* One read.  0: go on; 1: nothing there now; 2: that was all, and it is seen to. */
static int
read_lines(struct forwarder *f)
{
	static char bytes[32768];
	ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 1;
	if (n < 0)
		log_error("reading reports: %s", strerror(errno));
	if (n <= 0) {
		end(f, DRAIN_US);
		return 2;
	}
	batch_feed(f->maker, bytes, (size_t)n);
	count_received(f);
	if (f->stopping && !batch_inside_line(f->maker)) {
		end(f, STOP_DRAIN_US);
		return 2;
	}
	if (batch_counts(f->maker)->open && !f->age.loop)
		loop_timer_set(f->loop, &f->age, f->settings.batch_ms * 1000, on_age, f);
	return 0;
}

static void
on_pipe(struct loop_fd *w, uint32_t events)
{
	(void)events;
	read_lines(w->arg);
}

/* A file, by hand: epoll does not know files, and nobody is kept waiting when we read it slowly. */
static void
on_file(struct loop_timer *t)
{
	struct forwarder *f = t->arg;
	int full = (int64_t)queue_counts(f->queue)->bytes > f->settings.queue_bytes / 2;

	if (full || read_lines(f) != 2)
		loop_timer_set(f->loop, t, full ? FILE_FULL_US : 0, on_file, f);
}

static int
start_reading(struct forwarder *f)
{
	int flags = fcntl(STDIN_FILENO, F_GETFL);
	int r;

	if (flags < 0 || fcntl(STDIN_FILENO, F_SETFL, flags | O_NONBLOCK))
		return -errno;
	r = loop_fd_add(f->loop, &f->pipe, STDIN_FILENO, EPOLLIN, on_pipe, f);
	if (r == -EPERM) {
		loop_timer_set(f->loop, &f->file, 0, on_file, f);
		r = 0;
	}
	return r;
}

/* What is in the pipe now is the next forwarder's, from a line's beginning on. */
static void
on_stop(struct loop_timer *t)
{
	struct forwarder *f = t->arg;

	f->stopping = 1;
	if (!batch_inside_line(f->maker))
		end(f, STOP_DRAIN_US);
}

/* systemd and a terminal signal everybody at once: the analyzer's last reports are still to come,
 * and the pipe's end is what says that there are no more. */
static void
on_signal(void *arg, int signo)
{
	struct forwarder *f = arg;

	if (f->signals++)
		loop_stop(f->loop, 0);
	else if (!f->ended)
		loop_timer_set(f->loop, &f->stop, signo == SIGTERM ? TERM_US : INT_US, on_stop, f);
}

static void
on_counters(struct loop_timer *t)
{
	struct forwarder *f = t->arg;

	log_counters(f, LOG_L_DEBUG);
	loop_timer_set(f->loop, t, COUNTERS_US, on_counters, f);
}

static void
on_lean(struct loop_timer *t)
{
	struct forwarder *f = t->arg;

	if (upload_connected(f->upload))
		lean_trim();
	loop_timer_set(f->loop, t, LEAN_US, on_lean, f);
}

static void
usage(FILE *to)
{
	fputs("usage: forwarder [-f SETTINGS] [-hV] < REPORTS\n"
	      "  net-gazer starts it with its settings on descriptor 3.  SETTINGS holds the same lines:\n"
	      "  url= sensor= boot= version= token-fd= ca-file= pin= cert-fd= key-fd= verbose= batch-lines= batch-bytes= batch-ms= "
	      "queue-bytes= "
	      "page-fd= spool-fd= spool-bytes= spool-day-bytes=\n", to);
}

/* Exits when something is wrong. */
static void
read_settings(int argc, char **argv, struct settings *s)
{
	const char *path = NULL;
	int fd = WORKER_FD_SETTINGS;
	char err[512];
	int c;

	while ((c = getopt(argc, argv, "f:hV")) != -1) {
		switch (c) {
		case 'f':
			path = optarg;
			break;
		case 'h':
			usage(stdout);
			exit(0);
		case 'V':
			puts("net-gazer forwarder " VERSION);
			exit(0);
		default:
			usage(stderr);
			exit(2);
		}
	}
	if (optind < argc) {
		usage(stderr);
		exit(2);
	}
	if (path && (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0) {
		log_error("%s: %s", path, strerror(errno));
		exit(2);
	}
	if (settings_read(s, fd, path ? path : "settings", err, sizeof err)) {
		log_error("%s", err);
		exit(2);
	}
	close(fd);
}

/* The parent's, or one of our own. */
static struct worker_forward_page *
open_page(int fd)
{
	int flags = fd > 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
	struct worker_forward_page *page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, flags, fd > 0 ? fd : -1, 0);

	if (page == MAP_FAILED)
		fatal("page-fd=%d: %s", fd, strerror(errno));
	if (fd > 0)
		close(fd);
	return page;
}

/* Without one we go on: reports then wait in memory alone. */
static struct spool *
open_spool(const struct settings *s, int *tmpfs)
{
	struct spool_limits limits = { (uint64_t)s->spool_bytes, (uint64_t)s->spool_day_bytes };
	struct spool *spool = NULL;
	struct statfs fs;
	int r;

	*tmpfs = 0;
	if (!s->spool_fd)
		return NULL;
	if (!fstatfs((int)s->spool_fd, &fs))
		*tmpfs = (unsigned)fs.f_type == TMPFS_MAGIC || (unsigned)fs.f_type == RAMFS_MAGIC;
	if (*tmpfs)
		limits.day_bytes = 0;
	r = spool_open(&spool, (int)s->spool_fd, &limits);
	if (r)
		log_error("the spool cannot be used, reports wait in memory alone: %s", r == -EWOULDBLOCK ?
			  "another process has the directory (spool-dir)" : strerror(-r));
	return spool;
}

/* For net-gazer -n: what main() would end with. */
static int
check(char **argv)
{
	struct settings s;
	struct loop *loop = loop_new();
	struct upload *upload;
	char err[512];

	read_settings(1, argv, &s);
	upload = loop ? upload_new(loop, &s, err, sizeof err) : NULL;
	if (!upload)
		fatal("%s", loop ? err : "epoll");
	upload_free(upload);
	settings_wipe(&s);
	loop_free(loop);
	return 0;
}

int
main(int argc, char **argv)
{
	static const int signals[] = { SIGTERM, SIGINT, 0 };
	struct batch_limits limits;
	struct queue_settings queue;
	struct forwarder f = { 0 };
	struct tally_change end = { 0 };
	uint64_t lost;
	char err[512];
	int r;

	if (argc > 1 && !strcmp(argv[1], "--enroll"))
		return enroll_main(argc - 1, argv + 1);
	lean_start();
	log_init("forwarder", LOG_L_INFO);
	if (argc == 2 && !strcmp(argv[1], "--check"))
		return check(argv);
	read_settings(argc, argv, &f.settings);
	log_set_level((enum log_level)f.settings.verbose);
	signal(SIGPIPE, SIG_IGN);
	limits = (struct batch_limits){ (uint32_t)f.settings.batch_lines, (uint32_t)f.settings.batch_bytes };

	f.page = open_page((int)f.settings.page_fd);
	f.received = f.page->now.received;
	queue = (struct queue_settings){ .boot = f.settings.boot, .page = f.page };
	queue.bytes = (size_t)f.settings.queue_bytes;
	queue.spool = f.spool = open_spool(&f.settings, &queue.tmpfs);
	f.page->spool_limit_bytes = f.spool ? (uint64_t)f.settings.spool_bytes : 0;
	if (!(f.loop = loop_new()) || !(f.maker = batch_maker_new(&limits, on_sealed, &f)) ||
	    !(f.queue = queue_new(&queue)))
		fatal("starting: %s", strerror(errno));
	if (!(f.upload = upload_new(f.loop, &f.settings, err, sizeof err)))
		fatal("%s", err);
	f.deliver = deliver_new(f.loop, &f.settings, f.queue, f.upload, f.page, on_wish, &f);
	if (!f.deliver)
		fatal("starting: %s", strerror(errno));
	if ((r = loop_signals(f.loop, signals, on_signal, &f)) || (r = start_reading(&f)))
		fatal("starting: %s", strerror(-r));

	/* One that could not be used is closed. */
	r = sandbox_close(f.spool ? (int)f.settings.spool_fd : -1, &f.page->posture);
	if (r)
		fatal("closing the sandbox: %s", strerror(-r));
	lean_trim();
	if (f.settings.token[0] && !f.settings.tls)
		log_warn("%s: the token goes over the wire in the clear; use https", f.settings.url);
	log_info("sending reports to %s", f.settings.url);
	loop_timer_set(f.loop, &f.counters, COUNTERS_US, on_counters, &f);
	loop_timer_set(f.loop, &f.lean, LEAN_US, on_lean, &f);
	deliver_kick(f.deliver); /* what the spool holds */
	r = loop_run(f.loop);

	batch_eof(f.maker);
	upload_cancel(f.upload);
	queue_save(f.queue);
	log_counters(&f, LOG_L_INFO);
	if (f.page->now.spooled)
		log_info("%llu reports wait in the spool", (unsigned long long)f.page->now.spooled);
	end.dropped = lost = queue_counts(f.queue)->records - f.page->now.spooled;
	tally_add(f.page, &end);
	if (lost)
		log_warn("%llu reports could not be delivered and are lost", (unsigned long long)lost);
	loop_fd_del(&f.pipe);
	deliver_free(f.deliver);
	upload_free(f.upload);
	queue_free(f.queue);
	spool_close(f.spool);
	batch_maker_free(f.maker);
	settings_wipe(&f.settings);
	loop_free(f.loop);
	return r ? 1 : 0;
}
