/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * session.c - the table of sessions, and the cookie that names one.
 */
#include "session.h"

#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>

static int
over(const struct session *s, int64_t now_us)
{
	return !s->id[0] || now_us - s->used_us > SESSION_IDLE_US || now_us - s->begun_us > SESSION_WHOLE_US;
}

struct session *
session_new(struct sessions *t, const char *user, int64_t changed_us, int64_t now_us)
{
	struct session *best = &t->of[0];

	for (size_t i = 0; i < SESSIONS; i++) {
		struct session *s = &t->of[i];

		if (over(s, now_us)) {
			best = s;
			break;
		}
		if (s->used_us < best->used_us)
			best = s;
	}
	*best = (struct session){ .changed_us = changed_us, .begun_us = now_us, .used_us = now_us };
	snprintf(best->user, sizeof best->user, "%s", user);
	access_random(best->id, SESSION_ID_LEN);
	access_random(best->csrf, SESSION_CSRF_LEN);
	return best;
}

struct session *
session_peek(struct sessions *t, const char *id, int64_t now_us)
{
	struct session *found = NULL;

	if (strlen(id) != SESSION_ID_LEN)
		return NULL;
	for (size_t i = 0; i < SESSIONS; i++) {
		if (!gnutls_memcmp(t->of[i].id, id, SESSION_ID_LEN))
			found = &t->of[i];
	}
	return found && !over(found, now_us) ? found : NULL;
}

struct session *
session_find(struct sessions *t, const char *id, int64_t now_us)
{
	struct session *found = session_peek(t, id, now_us);

	if (found)
		found->used_us = now_us;
	return found;
}

void
session_end(struct session *s)
{
	explicit_bzero(s, sizeof *s);
}

unsigned
session_count(const struct sessions *t, int64_t now_us)
{
	unsigned n = 0;

	for (size_t i = 0; i < SESSIONS; i++)
		n += !over(&t->of[i], now_us);
	return n;
}

int
session_cookie(const char *header, const char *name, char *out, size_t size)
{
	size_t name_n = strlen(name), n;
	int found = -1;

	for (const char *p = header; *p; p += n) {
		p += strspn(p, " \t");
		n = strcspn(p, ";");
		if (n > name_n && !memcmp(p, name, name_n) && p[name_n] == '=') {
			size_t len = n - name_n - 1;

			while (len && (p[name_n + len] == ' ' || p[name_n + len] == '\t'))
				len--;
			if (!found || len >= size)
				return -1;
			memcpy(out, p + name_n + 1, len);
			out[len] = 0;
			found = 0;
		}
		n += p[n] == ';';
	}
	return found;
}
