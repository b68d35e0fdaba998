/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * log.c - one line to stderr, in one write, with nothing in it that a stranger could use.
 */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *log_program = "net-gazer";
static enum log_level log_level = LOG_L_INFO;
static int log_journal;
static void (*log_listener)(enum log_level, const char *text);

void
log_init(const char *program, enum log_level level)
{
	log_program = program;
	log_level = level;
	log_journal = getenv("JOURNAL_STREAM") != NULL;
}

void
log_set_level(enum log_level level)
{
	log_level = level;
}

enum log_level
log_get_level(void)
{
	return log_level;
}

void
log_listen(void (*fn)(enum log_level, const char *text))
{
	log_listener = fn;
}

static void __attribute__((format(printf, 2, 0)))
log_v(enum log_level level, const char *fmt, va_list ap)
{
	static const char *const name[] = { "error: ", "warning: ", "", "debug: " };
	static const int syslog_priority[] = { 3, 4, 6, 7 };
	char text[1024], line[4200];
	size_t n = 0;
	int saved = errno;

	if (level > log_level)
		return;
	vsnprintf(text, sizeof text, fmt, ap);
	if (log_listener)
		log_listener(level, text);
	if (log_journal)
		n = (size_t)snprintf(line, sizeof line, "<%d>", syslog_priority[level]);
	n += (size_t)snprintf(line + n, sizeof line - n, "%s: %s", log_program, name[level]);
	for (const char *p = text; *p && n + 6 < sizeof line; p++) {
		unsigned char c = (unsigned char)*p;

		if (c >= 0x20 && c < 0x7f)
			line[n++] = (char)c;
		else
			n += (size_t)snprintf(line + n, sizeof line - n, "\\x%02x", c);
	}
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) < 0) {
		/* There is nobody left to tell. */
	}
	errno = saved;
}

#define LOG_BODY(level) \
	do { \
		va_list ap; \
		va_start(ap, fmt); \
		log_v(level, fmt, ap); \
		va_end(ap); \
	} while (0)

void
log_at(enum log_level level, const char *fmt, ...)
{
	LOG_BODY(level);
}

void
log_error(const char *fmt, ...)
{
	LOG_BODY(LOG_L_ERROR);
}

void
log_warn(const char *fmt, ...)
{
	LOG_BODY(LOG_L_WARN);
}

void
log_info(const char *fmt, ...)
{
	LOG_BODY(LOG_L_INFO);
}

void
log_debug(const char *fmt, ...)
{
	LOG_BODY(LOG_L_DEBUG);
}

void
fatal(const char *fmt, ...)
{
	LOG_BODY(LOG_L_ERROR);
	exit(1);
}

int
log_allowed(struct log_limit *limit, long long now_us, long long every_us, unsigned *suppressed)
{
	if (now_us < limit->next_us) {
		limit->suppressed++;
		return 0;
	}
	*suppressed = limit->suppressed;
	limit->suppressed = 0;
	limit->next_us = now_us + every_us;
	return 1;
}
