/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * import.c - `net-gazer-collector import`: lines of files, or rows of tables, into the database, each checked and
 * stored once, as a sensor's are.  They count at their own time, however long ago that is.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "csv.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "settings.h"
#include "store.h"
#include "validate.h"

#define BATCH 5000
#define REFUSED_SHOWN 100
#define SHOW_US 200000

struct import {
	struct store *store;
	struct validate *validate;
	struct report report;
	long long lines, stored, duplicate, refused;
	int64_t started_us, shown_us, now_us;
	int in_batch, terminal;
	struct csv *csv; /* NULL: NDJSON */
	const char *type;
};

static void
show(struct import *m, int end)
{
	int64_t now = clock_mono_us(), took = now - m->started_us;

	if (!m->terminal || (!end && now - m->shown_us < SHOW_US))
		return;
	m->shown_us = now;
	fprintf(stderr, "\r%lld lines, %lld stored, %lld duplicate, %lld refused, %lld lines/s %s", m->lines, m->stored,
		m->duplicate, m->refused, took > 0 ? m->lines * 1000000 / took : 0, end ? "\n" : "");
}

/* Ends the batch, and makes room as the collector would. */
static int
end_batch(struct import *m)
{
	int r = 0;

	if (m->in_batch)
		r = store_commit(m->store);
	m->in_batch = 0;
	while (!r) {
		r = store_trim(m->store, m->now_us);
		if (r <= 0)
			break;
		r = 0;
	}
	show(m, 0);
	return r;
}

static void
refuse(struct import *m, const char *file, long long number, const char *why)
{
	if (m->refused++ < REFUSED_SHOWN)
		log_warn("%s:%lld: refused: %s", file, number, why);
}

static int
take_line(struct import *m, const char *file, const char *line, size_t n, long long number)
{
	int64_t at_us, id;
	int r = 0;

	if (validate_line(m->validate, line, n, &m->report)) {
		refuse(m, file, number, validate_why(m->validate));
		return 0;
	}
	/* Of the day that it is of. */
	at_us = m->report.type == REPORT_ATTEMPT ? m->report.last_ts_us : m->report.ts_us;
	if (at_us > m->now_us)
		at_us = m->now_us;
	if (!m->in_batch)
		r = store_begin(m->store);
	if (!r) {
		m->in_batch++;
		r = store_add(m->store, &m->report, at_us, &id);
	}
	if (r < 0)
		return r;
	m->stored += r > 0;
	m->duplicate += r == 0;
	return m->in_batch < BATCH ? 0 : end_batch(m);
}

/* One without its end; what is too long for a report is cut behind that.  0, or EOF. */
static int
read_line(FILE *f, char line[REPORT_LINE_MAX], size_t *n)
{
	int c = getc_unlocked(f);

	*n = 0;
	if (c == EOF)
		return EOF;
	for (; c != EOF && c != '\n'; c = getc_unlocked(f)) {
		if (*n < REPORT_LINE_MAX)
			line[(*n)++] = (char)c;
	}
	return 0;
}

/* *number: the line that it was at. */
static int
take_lines(struct import *m, FILE *f, const char *name, long long *number)
{
	static char line[REPORT_LINE_MAX];
	size_t n;
	int r = 0;

	while (!r && !read_line(f, line, &n)) {
		++*number;
		m->lines++;
		if (n)
			r = take_line(m, name, line, n, *number);
	}
	return r;
}

static int
take_rows(struct import *m, FILE *f, const char *name, long long *number)
{
	static char line[REPORT_LINE_MAX];
	int r = 0, more;
	long n;

	if (csv_begin(m->csv, f)) {
		log_error("%s:1: %s", name, m->csv->why);
		return -EINVAL;
	}
	if (!m->csv->has_type && !m->type) {
		log_error("%s:1: there is no column type: say what the rows are with --type, such as --type conn", name);
		return -EINVAL;
	}
	while (!r && (more = csv_next(m->csv))) {
		*number = m->csv->line;
		m->lines++;
		n = more < 0 ? -1 : csv_json(m->csv, m->type, line, sizeof line);
		if (n < 0)
			refuse(m, name, *number, m->csv->why);
		else
			r = take_line(m, name, line, (size_t)n, *number);
	}
	return r;
}

static int
take_file(struct import *m, const char *file)
{
	FILE *f = strcmp(file, "-") ? fopen(file, "re") : stdin;
	const char *name = f == stdin ? "stdin" : file;
	long long number = 0;
	int r;

	if (!f) {
		log_error("%s: %s", file, strerror(errno));
		return -errno;
	}
	r = m->csv ? take_rows(m, f, name, &number) : take_lines(m, f, name, &number);
	if (!r)
		r = end_batch(m);
	if (r && r != -EINVAL)
		log_error("%s:%lld: %s; what was stored before stays", name, number, strerror(-r));
	else if (!r && ferror(f)) {
		log_error("%s: %s", name, strerror(errno));
		r = -EIO;
	}
	if (f != stdin)
		fclose(f);
	return r;
}

int
import_command(const struct conf *conf, char *const *files, int n)
{
	struct import *m = calloc(1, sizeof *m);
	struct store_limits limits = settings_limits(conf);
	int r = 0;

	if (!n) {
		log_error("import: name files, or - for stdin");
		free(m);
		return 2;
	}
	if (!m)
		fatal("out of memory");
	m->now_us = clock_wall_us();
	m->started_us = clock_mono_us();
	m->terminal = isatty(2);
	m->type = conf_str(conf, "type");
	if (!strcmp(conf_str(conf, "format"), "csv"))
		m->csv = calloc(1, sizeof *m->csv);
	m->validate = validate_new();
	if (!m->validate || (!m->csv && !strcmp(conf_str(conf, "format"), "csv")))
		fatal("out of memory");
	r = store_open(&m->store, conf_str(conf, "database"), &limits, m->now_us);
	if (!r)
		store_import(m->store);
	for (int i = 0; i < n && !r; i++)
		r = take_file(m, files[i]);
	if (m->store) {
		struct store_sizes sizes = store_sizes(m->store);

		show(m, 1);
		if (m->refused > REFUSED_SHOWN)
			log_warn("%lld more lines were refused", m->refused - REFUSED_SHOWN);
		log_info("%lld lines: %lld stored, %lld duplicate, %lld refused; %lld reports are kept", m->lines,
			 m->stored, m->duplicate, m->refused, (long long)sizes.rows);
	}
	store_close(m->store);
	validate_free(m->validate);
	free(m->csv);
	r = r ? 2 : m->refused > 0;
	free(m);
	return r;
}
