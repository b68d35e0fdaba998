/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rules.c - the running net-gazer knows; where none runs (with "rules = include" it does not start without
 * them) we become one that only prints them.
 */
#include "rules.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ask.h"
#include "ctl/words.h"
#include "lib/log.h"

/* Returns when that failed. */
static void
become_daemon(const char *file)
{
	char *argv[] = { (char *)"net-gazer", (char *)"--print-rules", (char *)"-c", (char *)file, NULL };

	if (!file)
		argv[2] = NULL;
	execv("/proc/self/exe", argv);
	log_error("/proc/self/exe: %s", strerror(errno));
}

int
rules_main(int argc, char **argv)
{
	struct words w;
	char err[400], *text;
	int r = words_parse(&w, WORDS_FILE, "The firewall rules that net-gazer needs, for nft -f.  With --file: those that it "
			    "would need with that configuration.", argc, argv), e;

	if (r)
		return r - 1;
	if (w.file) {
		become_daemon(w.file);
		return 2;
	}
	text = ask_text(w.connect ? w.connect : ASK_DEFAULT, CONTROL_RULES, &e, err, sizeof err);
	if (!text && !w.connect && (e == -ENOENT || e == -ECONNREFUSED))
		become_daemon(NULL);
	if (text && *text == '{') { /* an error; rules begin with # */
		snprintf(err, sizeof err, "net-gazer answers %.300s", text);
		e = -EPROTO;
	}
	if (text && !e)
		fputs(text, stdout);
	else
		log_error("%s", err);
	free(text);
	return e ? 2 : fflush(stdout) ? 1 : 0;
}
