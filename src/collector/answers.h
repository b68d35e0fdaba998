/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * answers.h - answers of the last second, for those who ask the same: a hundred pages that show the same cost
 * little more than one.  http.c asks here before it asks api.c.
 */
#ifndef ANSWERS_H
#define ANSWERS_H

#include <stddef.h>
#include <stdint.h>

#define ANSWERS_MAX 32
#define ANSWERS_BYTES_MAX 262144 /* of one; longer ones are not kept */
#define ANSWERS_KEY_MAX 500
#define ANSWERS_US 1000000

struct answers {
	struct answers_entry {
		char key[ANSWERS_KEY_MAX];
		char *bytes;  /* NULL: free */
		size_t n;
		int64_t last_id;
		int64_t at_us;
	} entry[ANSWERS_MAX];
};

/* What was answered to the same question when the store had the same last report, at most ANSWERS_US ago; lent until
 * the next call.  NULL: there is none. */
const char *answers_find(const struct answers *, const char *key, int64_t last_id, int64_t now_us, size_t *n);
/* Keeps a copy, if there is memory for it. */
void answers_put(struct answers *, const char *key, int64_t last_id, int64_t now_us, const char *bytes, size_t n);
/* Something else than reports has changed. */
void answers_clear(struct answers *);

#endif
