/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * show.c - the terminal's side of a trace.
 */
#include "show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/log.h"
#include "trace/json.h"
#include "trace/view.h"

enum manner { LINES, REDRAW, BRANCHES, JSON };

static const struct trace_options *options;
static const struct prober_request *request;
static enum manner manner;
static int terminal;
static int titled;
static unsigned drawn;  /* lines below the title: on a terminal they are drawn again */

void
show_begin(const struct trace_options *o, const struct prober_request *q)
{
	options = o;
	request = q;
	terminal = isatty(STDOUT_FILENO);
	manner = o->json ? JSON : o->paths > 1 ? BRANCHES : terminal ? REDRAW : LINES;
	titled = manner == JSON;
	drawn = 0;
}

/* Not before there is something below it: a refusal has no table. */
static void
title(void)
{
	if (!titled)
		view_title(stdout, options->target.host, request, options->paths);
	titled = 1;
}

/* The lines that were drawn last are gone, the cursor is where the first was. */
static void
erase(void)
{
	if (drawn)
		printf("\033[%uA", drawn);
	printf("\r\033[J");
	drawn = 0;
}

/* One line, cut to the terminal's width: one that wraps would count as two. */
static void
draw_hop(const struct trace_path *p, unsigned i, unsigned columns)
{
	char *line = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&line, &len);

	if (!f)
		return;
	view_hop(f, p, i);
	if (!fclose(f)) {
		printf("%.*s%s", (int)columns, line, len > columns ? "\n" : "");
		drawn++;
	}
	free(line);
}

static void
redraw(const struct trace_path *p)
{
	struct winsize size = { 0 };
	unsigned rows, columns, first;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_row < 4 || size.ws_col < 20)
		size = (struct winsize){ .ws_row = 24, .ws_col = 80 };
	rows = size.ws_row - 2U;
	columns = size.ws_col - 1U;
	erase();
	/* The last ones, when not all fit; the end shows them all. */
	first = p->result.n_hops > rows ? p->result.n_hops - rows : 0;
	for (unsigned i = first; i < p->result.n_hops; i++)
		draw_hop(p, i, columns);
}

static void
count_flows(const struct trace_path *paths, unsigned n)
{
	unsigned ended = 0;

	for (unsigned k = 0; k < n; k++)
		ended += paths[k].ended != 0;
	printf("\r%u of %u flows traced", ended, n);
}

static void
more_lines(const struct trace_path *p, unsigned settled)
{
	for (; drawn < settled; drawn++)
		view_hop(stdout, p, drawn);
}

static void
put_json(const struct trace_path *p)
{
	char line[TRACE_JSON_MAX];
	int r = json_path(line, &p->result);

	if (r < 0)
		log_error("flow %u: no JSON: %s", p->result.flow, strerror(-r));
	else
		puts(line);
}

static int
traced(const struct trace_path *p)
{
	return p->result.status < PROBER_REFUSED && (p->ended || p->result.n_hops);
}

void
show_update(const struct trace_path *paths, unsigned n, unsigned i)
{
	title();
	if (manner == LINES)
		more_lines(&paths[i], path_settled(&paths[i], options->probes));
	else if (manner == REDRAW)
		redraw(&paths[i]);
	else if (manner == BRANCHES && terminal)
		count_flows(paths, n);
	else if (manner == JSON && paths[i].ended && traced(&paths[i]))
		put_json(&paths[i]);
	fflush(stdout);
}

int
show_end(const struct trace_path *paths, unsigned n)
{
	unsigned any = 0;

	for (unsigned k = 0; k < n; k++)
		any += traced(&paths[k]);
	if (any)
		title();
	if (terminal && any && manner == REDRAW)
		erase();
	if (terminal && any && manner == BRANCHES)
		printf("\r\033[J");
	for (unsigned k = 0; k < n && manner == JSON; k++) {
		if (!paths[k].ended && traced(&paths[k]))
			put_json(&paths[k]);
	}
	if (any && manner == BRANCHES) {
		view_branches(stdout, paths, n);
	} else if (any && manner != JSON) {
		more_lines(paths, paths->result.n_hops);
		view_end(stdout, paths);
	}
	return fflush(stdout) || ferror(stdout) ? -1 : 0;
}
