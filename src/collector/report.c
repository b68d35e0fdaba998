/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * report.c - word lists of the schema.
 */
#include "report.h"

#include <string.h>

const char *
report_word(const char *words, int64_t i, size_t *len)
{
	if (i < 0)
		return NULL;
	for (;; i--) {
		size_t n = strcspn(words, "|");

		if (!i) {
			*len = n;
			return words;
		}
		if (!words[n])
			return NULL;
		words += n + 1;
	}
}

int64_t
report_word_index(const char *words, const char *word, size_t len)
{
	for (int64_t i = 0;; i++) {
		size_t n = strcspn(words, "|");

		if (n == len && !memcmp(words, word, n))
			return i;
		if (!words[n])
			return -1;
		words += n + 1;
	}
}

int
report_sensor_ok(const char *name, size_t len)
{
	static const char more[] = "._-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	if (!len || len > 64)
		return 0;
	for (size_t i = 0; i < len; i++) {
		if (!memchr(i ? more : more + 3, name[i], sizeof more - 1 - (i ? 0 : 3)))
			return 0;
	}
	return 1;
}
