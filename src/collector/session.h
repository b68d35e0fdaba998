/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * session.h - who is logged in: a table of fixed size in memory.  A restart logs everybody out.  Pure but for
 * the random identifiers; clocks are the caller's.
 */
#ifndef SESSION_H
#define SESSION_H

#include <stddef.h>
#include <stdint.h>

#include "access.h"

#define SESSIONS 64
#define SESSION_ID_LEN 52
#define SESSION_CSRF_LEN 26
#define SESSION_IDLE_US (12 * 3600 * 1000000LL)
#define SESSION_WHOLE_US (7 * 86400 * 1000000LL)
#define SESSION_COOKIE "net-gazer"

struct session {
	char id[SESSION_ID_LEN + 1]; /* "": free */
	char csrf[SESSION_CSRF_LEN + 1];
	char user[ACCESS_NAME_MAX + 1];
	int64_t changed_us; /* the user's password when he logged in */
	int64_t begun_us, used_us;
};

struct sessions {
	struct session of[SESSIONS];
};

/* Takes the place of the one that was used longest ago when all are taken. */
struct session *session_new(struct sessions *, const char *user, int64_t changed_us, int64_t now_us);
/* NULL: none, or its time is over; it counts as used.  Looks at all, whichever it is. */
struct session *session_find(struct sessions *, const char *id, int64_t now_us);
/* The same, and it does not count as used. */
struct session *session_peek(struct sessions *, const char *id, int64_t now_us);
void session_end(struct session *);
unsigned session_count(const struct sessions *, int64_t now_us);

/* The value of a cookie in a Cookie header (RFC 6265 4.2.1), copied.  0; -1: it is not there, there twice, or longer
 * than fits. */
int session_cookie(const char *header, const char *name, char *out, size_t size);

#endif
