/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * log.h - messages for the person at the router: one line each to stderr, which procd,
 * systemd and a terminal all read.  Under systemd (JOURNAL_STREAM set) lines carry "<N>".
 */
#ifndef LOG_H
#define LOG_H

enum log_level { LOG_L_ERROR, LOG_L_WARN, LOG_L_INFO, LOG_L_DEBUG };

/* Names the program in each line; level is the most talkative one that is shown. */
void log_init(const char *program, enum log_level level);
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* Bytes outside printable ASCII are shown as \xNN, so that no message can forge a second line
 * or drive a terminal.  errno is preserved. */
void log_at(enum log_level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Also hands each line that is shown to fn, without the program's name; NULL: no more. */
void log_listen(void (*fn)(enum log_level, const char *text));

/* Start-up only: says why, and exits 1. */
void fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* True once per `every_us` for each `struct log_limit` (a static at the caller): messages that
 * the network can provoke.  *suppressed gets how many were left out since. */
struct log_limit {
	long long next_us;
	unsigned suppressed;
};
int log_allowed(struct log_limit *, long long now_us, long long every_us, unsigned *suppressed);

#endif
