/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * words.h - the options of the commands that ask a running net-gazer: few, and the same for all.
 */
#ifndef WORDS_H
#define WORDS_H

#define WORDS_JSON 0x1
#define WORDS_FILE 0x2
#define WORDS_ONCE 0x4

struct words {
	const char *connect; /* runtime-dir, or the socket; NULL: not said */
	const char *file;    /* configuration */
	int json;
	int once;
};

/* allowed: WORDS_*.  Gives 0; or the exit status plus 1 when there is nothing more to do: help was shown, or an
 * error told. */
int words_parse(struct words *, unsigned allowed, const char *about, int argc, char **argv);

#endif
