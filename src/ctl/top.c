/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * top.c - asks, draws, looks at the keyboard.  Rates are differences of two answers.
 */
#include "top.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "ctl/ask.h"
#include "ctl/print.h"
#include "ctl/words.h"
#include "lib/log.h"
#include "lib/loop.h"

#define TOP_PERIOD_US 1000000
#define TOP_ONCE_S 2 /* between two answers: the counters are read once a second */
#define TOP_ROWS_MAX 512
#define TOP_LIST_ONCE 20
#define TOP_HEAD 5 /* lines above the table */

enum view { DESTINATIONS, FAILURES, INBOUND, GROUPS, KEYS, VIEWS };
enum order { BY_CONNS, BY_P95, BY_ADDRESS, ORDERS };

static struct {
	const char *where;
	struct loop *loop;
	struct loop_fd keyboard;
	struct loop_timer timer;
	struct termios before;
	int raw;          /* the terminal is ours */
	yajl_val now, last;
	enum view view;
	enum order order;
	int paused;
	unsigned lines;
	char err[400];    /* "": the last question was answered */
} top;

static int64_t
busy(yajl_val row)
{
	return top.view == FAILURES ? ask_int(row, "failed") : top.view == INBOUND ? ask_int(row, "syns") :
	       top.order == BY_P95 ? ask_int(row, "p95_us") : ask_int(row, "conns");
}

static int
compare(const void *a, const void *b)
{
	yajl_val x = *(const yajl_val *)a, y = *(const yajl_val *)b;
	int64_t m = busy(x), n = busy(y);

	if (top.order != BY_ADDRESS && m != n)
		return m < n ? 1 : -1;
	m = strcmp(ask_str(x, "ip"), ask_str(y, "ip"));
	return m ? (int)m : ask_int(x, "port") > ask_int(y, "port") ? 1 : -1;
}

static void
put_us(yajl_val row, const char *name)
{
	if (ask_get(row, name))
		printf(" %8.1f", (double)ask_int(row, name) / 1000);
	else
		fputs("        -", stdout);
}

static void
put_table(unsigned most)
{
	const char *list = top.view == INBOUND ? "inbound" : "destinations";
	yajl_val row[TOP_ROWS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < ask_n(top.now, list) && n < TOP_ROWS_MAX; i++) {
		yajl_val r = ask_at(top.now, list, i);

		if (top.view != FAILURES || ask_int(r, "failed"))
			row[n++] = r;
	}
	if (n)
		qsort(row, n, sizeof *row, compare);
	printf("%-39s %5s", top.view == INBOUND ? "INBOUND FROM" : top.view == FAILURES ? "FAILURES TO" : "DESTINATION", "PORT");
	puts(top.view == INBOUND ? "     SYNS" : "    CONNS   FAILED  RETRANS   p50 ms   p95 ms");
	for (size_t i = 0; i < n && i < most; i++) {
		print_text(ask_str(row[i], "ip"), 39);
		printf(" %5" PRId64, ask_int(row[i], "port"));
		if (top.view == INBOUND) {
			printf(" %8" PRId64 "\n", ask_int(row[i], "syns"));
			continue;
		}
		printf(" %8" PRId64 " %8" PRId64 " %8" PRId64, ask_int(row[i], "conns"), ask_int(row[i], "failed"),
		       ask_int(row[i], "retrans"));
		put_us(row[i], "p50_us");
		put_us(row[i], "p95_us");
		putchar('\n');
	}
}

/* A second, between the last two answers. */
static double
rate(yajl_val now, yajl_val last, const char *name)
{
	int64_t us = ask_int(top.now, "now_us") - ask_int(top.last, "now_us");

	return !top.last || us <= 0 ? 0 : 1e6 * (double)(ask_int(now, name) - ask_int(last, name)) / (double)us;
}

static void
put_groups(unsigned most)
{
	puts("GROUP  CLASS         SEEN/s   LOGGED/s        SEEN    SAMPLED        LOST");
	for (size_t i = 0; i < ask_n(top.now, "groups") && i < most; i++) {
		yajl_val g = ask_at(top.now, "groups", i), before = ask_at(top.last, "groups", i);

		printf("%5" PRId64 "  ", ask_int(g, "group"));
		print_text(ask_str(g, "class"), 9);
		printf(" %9.1f  %9.1f  %10" PRId64 " %10" PRId64 "  %10" PRId64 "\n", rate(g, before, "seen"),
		       rate(g, before, "logged"), ask_int(g, "seen"), ask_int(g, "seen") - ask_int(g, "logged"),
		       ask_int(g, "gap"));
	}
}

static void
put_keys(void)
{
	puts("1 destinations   2 failures   3 inbound   4 NFLOG groups   5 this\n"
	     "s another order (connections, p95, address)   p pause   q quit\n\n"
	     "Tables are of the last 30 to 60 seconds; what came once makes room for what comes often.");
}

static void
put_head(void)
{
	static const char *const orders[] = { "connections", "p95", "address" };

	fputs("net-gazer ", stdout);
	print_text(ask_str(top.now, "sensor"), 0);
	printf("  last %" PRId64 " s  by %s%s\n", ask_int(top.now, "window_s"), orders[top.order], top.paused ? "  PAUSED" : "");
	printf("a second   %.1f connections  %.1f failures  %.1f inbound SYNs  %.1f packets\n",
	       rate(top.now, top.last, "conns"), rate(top.now, top.last, "failed"), rate(top.now, top.last, "attempts"),
	       rate(top.now, top.last, "ledger.seen"));
	printf("dropped    %" PRId64 " packets lost, %" PRId64 " sampled out, %" PRId64 " reports\n\n",
	       ask_int(top.now, "ledger.gap"), ask_int(top.now, "ledger.sampled_out"),
	       ask_int(top.now, "ledger.reports_dropped"));
}

static void
put_view(unsigned most)
{
	if (top.view == GROUPS)
		put_groups(most);
	else if (top.view == KEYS)
		put_keys();
	else
		put_table(most);
}

static void
draw(void)
{
	/* Home, and clear what is below: nothing flickers. */
	fputs("\033[H\033[J", stdout);
	if (*top.err) {
		print_text(top.err, 0);
		putchar('\n');
	} else {
		put_head();
		put_view(top.lines > TOP_HEAD + 1 ? top.lines - TOP_HEAD - 1 : 1);
	}
	fflush(stdout);
}

/* 0 or -errno: then top.err says why. */
static int
ask(void)
{
	int e;
	yajl_val t = ask_tree(top.where, CONTROL_TOP, &e, top.err, sizeof top.err);

	if (!t)
		return e;
	top.err[0] = 0;
	yajl_tree_free(top.last);
	top.last = top.now;
	top.now = t;
	return 0;
}

static void
on_timer(struct loop_timer *t)
{
	if (!top.paused)
		(void)ask();
	draw();
	loop_timer_set(top.loop, t, TOP_PERIOD_US, on_timer, NULL);
}

static void
on_key(struct loop_fd *w, uint32_t events)
{
	char key;

	(void)events;
	if (read(w->fd, &key, 1) != 1 || key == 'q') {
		loop_stop(top.loop, 0);
		return;
	}
	if (key >= '1' && key < '1' + VIEWS)
		top.view = (enum view)(key - '1');
	else if (key == 's')
		top.order = (enum order)((top.order + 1) % ORDERS);
	else if (key == 'p')
		top.paused = !top.paused;
	draw();
}

static void
measure(void)
{
	struct winsize size = { 0 };

	(void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	top.lines = size.ws_row ? size.ws_row : 24;
}

static void
on_signal(void *arg, int signo)
{
	(void)arg;
	if (signo != SIGWINCH) {
		loop_stop(top.loop, 0);
		return;
	}
	measure();
	draw();
}

static void
take_terminal(void)
{
	struct termios raw;

	if (!tcgetattr(STDIN_FILENO, &top.before)) {
		raw = top.before;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		top.raw = !tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	fputs("\033[?1049h\033[?25l\033[?7l", stdout); /* the other screen, no cursor, lines are cut */
}

static void
give_terminal(void)
{
	fputs("\033[?7h\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	if (top.raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &top.before);
}

static int
live(void)
{
	static const int signos[] = { SIGINT, SIGTERM, SIGHUP, SIGWINCH, 0 };
	int r;

	top.loop = loop_new();
	r = top.loop ? loop_signals(top.loop, signos, on_signal, NULL) : -errno;
	if (!r)
		r = loop_fd_add(top.loop, &top.keyboard, STDIN_FILENO, EPOLLIN, on_key, NULL);
	if (r) {
		log_error("cannot wait for keys: %s", strerror(-r));
		loop_free(top.loop);
		return 2;
	}
	measure();
	take_terminal();
	loop_timer_set(top.loop, &top.timer, 0, on_timer, NULL);
	loop_run(top.loop);
	give_terminal();
	loop_timer_clear(&top.timer);
	loop_fd_del(&top.keyboard);
	loop_free(top.loop);
	return 0;
}

static int
once(void)
{
	nanosleep(&(struct timespec){ .tv_sec = TOP_ONCE_S }, NULL);
	if (ask()) {
		log_error("%s", top.err);
		return 2;
	}
	put_head();
	for (top.view = DESTINATIONS; top.view < KEYS; top.view++) {
		put_view(TOP_LIST_ONCE);
		if (top.view < GROUPS)
			putchar('\n');
	}
	return fflush(stdout) ? 1 : 0;
}

int
top_main(int argc, char **argv)
{
	struct words w;
	int r = words_parse(&w, WORDS_ONCE, "Who is busy now: destinations, failures, inbound; keys 1 to 5, s, p, q.", argc,
			    argv);

	if (r)
		return r - 1;
	top.where = w.connect ? w.connect : ASK_DEFAULT;
	if (!w.once && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))) {
		log_error("top needs a terminal; --once prints one table");
		return 2;
	}
	if (ask()) {
		log_error("%s", top.err);
		return 2;
	}
	r = w.once ? once() : live();
	yajl_tree_free(top.now);
	yajl_tree_free(top.last);
	return r;
}
