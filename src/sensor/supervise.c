/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * supervise.c - one analyzer, its page and its control socket.  What it writes there is a stranger's:
 * indexes are bounded, names are our own.
 */
#include "supervise.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/log.h"
#include "sensor/backoff.h"
#include "worker.h"

#define SUPERVISE_BEAT_US 1000000
#define SUPERVISE_NUMBER_MAX ((1ULL << 53) - 1) /* in a report: schema rule */
#define SUPERVISE_BEATS_MISSED 5      /* counted, not timed: the parent may have been stopped itself */
#define SUPERVISE_READY_US 30000000
#define SUPERVISE_STOP_US 8000000     /* it gives the pipe's reader four seconds of these */
#define PAGE_BYTES (WORKER_TOP_OFFSET + sizeof(struct worker_top))
#define SUPERVISE_HOPELESS 3          /* starts that it ended by itself before it was ever ready */

enum supervise_state { SUPERVISE_DOWN, SUPERVISE_STARTING, SUPERVISE_READY, SUPERVISE_STOPPING };

struct supervise {
	struct loop *loop;
	const struct supervise_calls *calls;
	void *arg;
	const struct plan *plan;
	const struct bind_group *groups;
	int report_fd;
	int prober_fd;

	enum supervise_state state;
	pid_t pid; /* 0: none */
	int control;
	int page_fd;
	int hand_fd;             /* what the last one that was started left for the next; -1: none */
	struct worker_page *page;
	struct loop_fd control_watch;
	struct loop_timer beat;  /* heart, and deadline of start and stop */
	struct loop_timer again; /* start */
	int64_t started_us;
	uint32_t last_beat;
	int missed;
	int hung;                /* we killed it for that */
	int was_ready;           /* ever, with this plan */
	int gave_up;
	struct backoff backoff;
	struct backoff_crashes crashes[WORKER_PLUGINS_MAX];
	uint32_t disabled;       /* bit for each plugin */
	uint32_t failed;         /* the same: did not start */
	unsigned starts;
	uint64_t posture;
	char ended[80];          /* how the last one did, unasked */

	/* The group= lines of the last start: the page's next_seq is by these. */
	enum classes_row line_row[WORKER_GROUPS_MAX];
	unsigned line_serial[WORKER_GROUPS_MAX];
	size_t n_lines;
};

static void on_beat(struct loop_timer *);
static void on_again(struct loop_timer *);

struct supervise *
supervise_new(struct loop *loop, const struct supervise_calls *calls, void *arg)
{
	struct supervise *w = calloc(1, sizeof *w);

	if (!w)
		return NULL;
	w->loop = loop;
	w->calls = calls;
	w->arg = arg;
	w->control = w->report_fd = w->prober_fd = w->hand_fd = -1;
	w->page_fd = child_memory("net-gazer page", PAGE_BYTES);
	if (w->page_fd < 0)
		goto fail;
	w->page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, w->page_fd, 0);
	if (w->page == MAP_FAILED)
		goto fail;
	w->page->seq_first = (uint64_t)clock_boot_us();
	w->page->seq = w->page->seq_first;
	return w;
fail:
	if (w->page_fd >= 0)
		close(w->page_fd);
	free(w);
	return NULL;
}

void
supervise_free(struct supervise *w)
{
	if (!w)
		return;
	loop_timer_clear(&w->beat);
	loop_timer_clear(&w->again);
	child_hang_up(&w->control_watch, &w->control);
	child_kill(w->pid);
	munmap(w->page, PAGE_BYTES);
	close(w->page_fd);
	if (w->hand_fd >= 0)
		close(w->hand_fd);
	free(w);
}

void
supervise_plan(struct supervise *w, const struct plan *p, const struct bind_group *groups, int report_fd,
	       int prober_fd)
{
	w->plan = p;
	w->groups = groups;
	w->report_fd = report_fd;
	w->prober_fd = prober_fd;
	w->disabled = w->failed = 0;
	w->was_ready = w->gave_up = 0;
	w->backoff = (struct backoff){ 0 };
	memset(w->crashes, 0, sizeof w->crashes);
}

/* The group= lines, and of each what the page keeps, carried over from the last analyzer. */
static void
add_groups(struct supervise *w, struct settings *s, struct child *c)
{
	struct worker_page *page = w->page;
	uint64_t next[WORKER_GROUPS_MAX] = { 0 }, received[WORKER_GROUPS_MAX] = { 0 };
	uint64_t gap[WORKER_GROUPS_MAX] = { 0 };
	unsigned serial[WORKER_GROUPS_MAX] = { 0 };
	size_t n = 0;

	for (enum classes_row row = 0; row < CLASSES_ROWS; row++) {
		const struct bind_group *b = &w->groups[row];

		if (!b->socket || classes[row].ng_class == CLASSES_TO_PROBER)
			continue;
		settings_add(s, "group", "%u %u %d", b->group, classes[row].ng_class,
			     child_give(c, bind_fd(b)));
		for (size_t i = 0; i < w->n_lines; i++) {
			if (w->line_serial[i] != b->serial)
				continue;
			next[n] = page->next_seq[i];
			received[n] = page->group_received[i];
			gap[n] = page->group_gap[i];
		}
		w->line_row[n] = row;
		serial[n++] = b->serial;
	}
	memcpy(page->next_seq, next, sizeof next);
	memcpy(page->group_received, received, sizeof received);
	memcpy(page->group_gap, gap, sizeof gap);
	memcpy(w->line_serial, serial, sizeof serial);
	w->n_lines = n;
}

static void
add_plugins(struct supervise *w, struct settings *s, struct child *c)
{
	const struct plugins *ps = &w->plan->plugins;

	for (size_t i = 0; i < ps->n; i++)
		settings_add(s, "plugin", "%d %s", child_give(c, ps->item[i]->fd), ps->item[i]->path);
	for (size_t i = 0; i < ps->n; i++) {
		if (w->disabled >> i & 1)
			settings_add(s, "disabled", "%s", ps->item[i]->name);
	}
}

static void
on_ready(struct supervise *w, uint64_t posture)
{
	if (w->state != SUPERVISE_STARTING)
		return;
	w->state = SUPERVISE_READY;
	w->was_ready = 1;
	w->missed = 0;
	w->last_beat = __atomic_load_n(&w->page->heartbeat, __ATOMIC_RELAXED);
	loop_timer_set(w->loop, &w->beat, SUPERVISE_BEAT_US, on_beat, w);
	w->posture = posture;
	child_posture("analyzer", w->pid, posture);
	w->calls->ready(w->arg);
}

static void
on_control(struct loop_fd *watch, uint32_t events)
{
	struct supervise *w = watch->arg;
	struct worker_msg m;

	(void)events;
	if (!child_receive(watch, w->pid, "analyzer", &m, sizeof m))
		return;
	if (m.type == WORKER_MSG_READY) {
		on_ready(w, m.value[0]);
	} else if (m.type == WORKER_MSG_PLUGIN_BAD && m.value[0] < w->plan->plugins.n) {
		w->failed |= 1u << m.value[0];
		log_warn("plugin %s did not start; the others go on", w->plan->plugins.item[m.value[0]]->name);
	}
}

int
supervise_start(struct supervise *w, char *err, size_t size)
{
	static char *const argv[] = { (char *)"analyzer", NULL };
	struct settings s = { 0 };
	struct child c;
	int control[2] = { -1, -1 }, settings = -1, take = w->hand_fd, r;
	pid_t pid = 0;

	loop_timer_clear(&w->again);
	w->hand_fd = child_memory("net-gazer handshakes", WORKER_HAND_BYTES(conf_int(w->plan->conf, "flows")));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control)) {
		r = -errno;
		goto out;
	}
	child_init(&c, w->plan->uid, w->plan->gid);
	c.exec_fd = w->plan->analyzer_fd;
	c.argv = argv;
	c.n_fds = WORKER_FD_FIRST;
	c.fd[WORKER_FD_PAGE] = w->page_fd;
	c.fd[WORKER_FD_CONTROL] = control[1];
	c.fd[WORKER_FD_REPORTS] = w->report_fd;
	plan_settings(w->plan, &s);
	if (w->prober_fd >= 0)
		settings_add(&s, "prober", "%d", child_give(&c, w->prober_fd));
	if (w->hand_fd >= 0)
		settings_add(&s, "hand", "%d", child_give(&c, w->hand_fd));
	if (take >= 0)
		settings_add(&s, "take", "%d", child_give(&c, take));
	add_groups(w, &s, &c);
	add_plugins(w, &s, &c);
	r = settings = settings_seal(&s);
	if (r < 0)
		goto out;
	c.fd[WORKER_FD_SETTINGS] = settings;
	w->page->stage = WORKER_STAGE_START;
	w->page->plugin = w->page->event = 0;
	pid = child_start(&c);
	r = pid < 0 ? (int)pid : 0;
	if (r)
		goto out;
	w->pid = pid;
	w->state = SUPERVISE_STARTING;
	w->hung = 0;
	w->failed = 0;
	w->starts++;
	w->started_us = loop_now_us(w->loop);
	w->control = control[0];
	control[0] = -1;
	loop_fd_add(w->loop, &w->control_watch, w->control, EPOLLIN, on_control, w);
	loop_timer_set(w->loop, &w->beat, SUPERVISE_READY_US, on_beat, w);
out:
	for (int i = 0; i < 2; i++) {
		if (control[i] >= 0)
			close(control[i]);
	}
	if (settings >= 0)
		close(settings);
	if (take >= 0)
		close(take);
	if (r)
		snprintf(err, size, "cannot start the analyzer: %s", strerror(-r));
	return r;
}

void
supervise_stop(struct supervise *w)
{
	loop_timer_clear(&w->again);
	if (!w->pid) {
		w->state = SUPERVISE_DOWN;
		w->calls->ended(w->arg);
		return;
	}
	w->state = SUPERVISE_STOPPING;
	kill(w->pid, SIGTERM);
	loop_timer_set(w->loop, &w->beat, SUPERVISE_STOP_US, on_beat, w);
}

/* Each second of its life; and at the end of its time to start or to stop. */
static void
on_beat(struct loop_timer *t)
{
	struct supervise *w = t->arg;
	uint32_t now = __atomic_load_n(&w->page->heartbeat, __ATOMIC_RELAXED);

	if (w->state == SUPERVISE_READY) {
		w->missed = now == w->last_beat ? w->missed + 1 : 0;
		w->last_beat = now;
		if (w->missed < SUPERVISE_BEATS_MISSED) {
			loop_timer_set(w->loop, t, SUPERVISE_BEAT_US, on_beat, w);
			return;
		}
	}
	w->hung = 1;
	if (w->state == SUPERVISE_STOPPING)
		log_warn("analyzer does not end; killed");
	kill(w->pid, SIGKILL);
}

static const char *
event_name(uint32_t event)
{
	switch (event) {
	case NG_EVENT_PACKET:
		return "event packet";
	case NG_EVENT_CONN:
		return "event conn";
	case NG_EVENT_TIMER:
		return "event timer";
	case NG_EVENT_LEDGER:
		return "event ledger";
	case NG_EVENT_TRACE:
		return "event trace";
	default:
		return "start or stop";
	}
}

static const char *
stage_name(uint32_t stage)
{
	static const char *const names[] = { "start", "loop", "decode", "flow", "plugin", "drain" };

	return stage < sizeof names / sizeof *names ? names[stage] : "unknown";
}

/* Says what it died of; disables a plugin that does it again and again. */
static void
attribute(struct supervise *w, int status, int64_t wait_us)
{
	uint32_t plugin = __atomic_load_n(&w->page->plugin, __ATOMIC_RELAXED);
	uint32_t event = __atomic_load_n(&w->page->event, __ATOMIC_RELAXED);
	uint32_t stage = __atomic_load_n(&w->page->stage, __ATOMIC_RELAXED);
	const struct plugins *ps = &w->plan->plugins;
	const char *name;
	char how[80];

	child_status_text(status, how, sizeof how);
	if (plugin < 1 || plugin > ps->n) {
		log_warn("analyzer %s (%s, stage %s); restarting in %lld ms", w->hung ? "hung" : "ended", how,
			 stage_name(stage), (long long)wait_us / 1000);
		return;
	}
	name = ps->item[plugin - 1]->name;
	log_warn("plugin %s %s in %s (%s); restarting in %lld ms", name, w->hung ? "hung" : "crashed",
		 event_name(event), how, (long long)wait_us / 1000);
	if (!backoff_crash(&w->crashes[plugin - 1], loop_now_us(w->loop)))
		return;
	w->disabled |= 1u << (plugin - 1);
	log_error("plugin %s crashed %d times in %d seconds: disabled; the others go on; SIGHUP or a restart "
		  "gives it another chance", name, BACKOFF_CRASHES, BACKOFF_WINDOW_US / 1000000);
}

static void
on_again(struct loop_timer *t)
{
	struct supervise *w = t->arg;
	char err[200];

	if (!supervise_start(w, err, sizeof err))
		return;
	log_error("%s", err);
	supervise_retry(w);
}

void
supervise_retry(struct supervise *w)
{
	loop_timer_set(w->loop, &w->again, backoff_next(&w->backoff, 0), on_again, w);
}

int
supervise_exited(struct supervise *w, pid_t pid, int status)
{
	enum supervise_state state = w->state;
	int64_t wait_us;
	char why[160], how[80];

	if (!w->pid || pid != w->pid)
		return 0;
	loop_timer_clear(&w->beat);
	child_hang_up(&w->control_watch, &w->control);
	w->pid = 0;
	w->state = SUPERVISE_DOWN;
	if (state == SUPERVISE_STOPPING) {
		w->calls->ended(w->arg);
		return 1;
	}
	child_status_text(status, w->ended, sizeof w->ended);
	/* It said why on stderr: settings that it cannot use, a kernel without something. */
	if (!w->was_ready && WIFEXITED(status) && !w->page->plugin && ++w->gave_up == SUPERVISE_HOPELESS) {
		snprintf(why, sizeof why, "the analyzer does not start (%s)",
			 child_status_text(status, how, sizeof how));
		w->gave_up = 0;
		if (w->calls->hopeless(w->arg, why))
			return 1;
	}
	wait_us = backoff_next(&w->backoff, loop_now_us(w->loop) - w->started_us);
	attribute(w, status, wait_us);
	loop_timer_set(w->loop, &w->again, wait_us, on_again, w);
	return 1;
}

void
supervise_forward(struct supervise *w, const struct worker_forward_page *page)
{
	struct worker_msg m = { .type = WORKER_MSG_FORWARD, .n = WORKER_FORWARD_VALUES };

	if (w->state != SUPERVISE_READY)
		return;
	m.value[WORKER_FORWARD_SPOOL_BYTES] = page->spool_bytes;
	m.value[WORKER_FORWARD_FLASH_WRITTEN_BYTES] = page->flash_written_bytes;
	m.value[WORKER_FORWARD_SENT_BYTES] = page->sent_bytes;
	m.value[WORKER_FORWARD_HTTP_2XX] = page->http_2xx;
	m.value[WORKER_FORWARD_HTTP_4XX] = page->http_4xx;
	m.value[WORKER_FORWARD_HTTP_5XX] = page->http_5xx;
	for (unsigned i = 0; i < WORKER_FORWARD_VALUES; i++)
		m.value[i] = m.value[i] < SUPERVISE_NUMBER_MAX ? m.value[i] : SUPERVISE_NUMBER_MAX;
	if (send(w->control, &m, sizeof m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("the forwarder's numbers not sent to the analyzer: %s", strerror(errno));
}

void
supervise_counters(struct supervise *w, const uint64_t *seen, const uint64_t *logged)
{
	struct worker_msg m = { .type = WORKER_MSG_COUNTERS };

	if (w->state != SUPERVISE_READY)
		return;
	for (size_t i = 0; i < w->n_lines; i++) {
		uint64_t all = seen[w->line_row[i]], some = logged[w->line_row[i]];

		/* They are read one after the other, and a packet may come in between. */
		m.value[2 * i] = all;
		m.value[2 * i + 1] = some < all ? some : all;
	}
	m.n = (uint32_t)(2 * w->n_lines);
	if (send(w->control, &m, sizeof m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("counters not sent to the analyzer: %s", strerror(errno));
}

void
supervise_status(const struct supervise *w, struct supervise_status *s)
{
	static const char *const names[] = { "down", "starting", "running", "stopping" };

	*s = (struct supervise_status){ .page = w->page,
					 .top = (const void *)((const char *)w->page + WORKER_TOP_OFFSET), .disabled = w->disabled, .failed = w->failed };
	s->child = (struct child_status){ w->pid, names[w->state], w->starts, w->posture, w->ended };
	for (enum classes_row row = 0; row < CLASSES_ROWS; row++)
		s->line[row] = -1;
	for (size_t i = 0; i < w->n_lines; i++)
		s->line[w->line_row[i]] = (int)i;
}
