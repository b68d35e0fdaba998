/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * plugins.c - see plugins.h.
 */
#include "plugins.h"

#include <stdio.h>

#include "ctl/ask.h"
#include "ctl/print.h"
#include "ctl/words.h"
#include "lib/log.h"

int
plugins_main(int argc, char **argv)
{
	struct words w;
	char err[400];
	yajl_val t;
	int r = words_parse(&w, 0, "The plugins of a running net-gazer, and how each is doing.", argc, argv), e;

	if (r)
		return r - 1;
	t = ask_tree(w.connect ? w.connect : ASK_DEFAULT, CONTROL_STATUS, &e, err, sizeof err);
	if (t)
		print_plugins(t);
	else
		log_error("%s", err);
	yajl_tree_free(t);
	return e ? 2 : fflush(stdout) ? 1 : 0;
}
