/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * words.c - see words.h.
 */
#include "words.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "lib/conf.h"
#include "lib/log.h"

static const struct {
	struct option option;
	unsigned needs; /* WORDS_*; 0: all take it */
	const char *argument, *help;
} table[] = {
	{ { "connect", required_argument, NULL, 'c' }, 0, "PATH", "net-gazer's runtime-dir, or its control socket" },
	{ { "file", required_argument, NULL, 'f' }, WORDS_FILE, "FILE", "configuration file of net-gazer" },
	{ { "json", no_argument, NULL, 'j' }, WORDS_JSON, NULL, "as JSON, for other programs" },
	{ { "once", no_argument, NULL, '1' }, WORDS_ONCE, NULL, "print once, and end" },
	{ { "help", no_argument, NULL, 'h' }, 0, NULL, "this text" },
};
#define ROWS (sizeof table / sizeof *table)

static int
help(const char *command, unsigned allowed, const char *about)
{
	printf("usage: net-gazerctl %s [OPTION]...\n%s\n\n", command, about);
	for (size_t i = 0; i < ROWS; i++) {
		char name[40];

		if ((table[i].needs & allowed) != table[i].needs)
			continue;
		snprintf(name, sizeof name, "--%s%s%s", table[i].option.name, table[i].argument ? " " : "",
			 table[i].argument ? table[i].argument : "");
		printf("  -%c, %-16s %s\n", table[i].option.val, name, table[i].help);
	}
	return fflush(stdout) ? 2 : 1;
}

int
words_parse(struct words *w, unsigned allowed, const char *about, int argc, char **argv)
{
	struct option options[ROWS + 1] = { 0 };
	char letters[2 * ROWS + 2] = ":";
	size_t n = 0, l = 1;
	int c;

	*w = (struct words){ 0 };
	for (size_t i = 0; i < ROWS; i++) {
		if ((table[i].needs & allowed) != table[i].needs)
			continue;
		options[n++] = table[i].option;
		letters[l++] = (char)table[i].option.val;
		if (table[i].argument)
			letters[l++] = ':';
	}
	optind = 0; /* begin anew: 1 would go on inside a word that was refused */
	while ((c = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		switch (c) {
		case 'c':
			w->connect = optarg;
			break;
		case 'f':
			w->file = optarg;
			break;
		case 'j':
			w->json = 1;
			break;
		case '1':
			w->once = 1;
			break;
		case 'h':
			return help(argv[0], allowed, about);
		default:
			log_error("%s: %s; see net-gazerctl %s --help", conf_wrong_word(argv),
				  c == ':' ? "a value is missing" : "unknown option", argv[0]);
			return 3;
		}
	}
	if (optind == argc)
		return 0;
	log_error("%s: net-gazerctl %s takes no arguments; see --help", argv[optind], argv[0]);
	return 3;
}
