/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * reload.c - asks for a reload, then until it was carried out.
 */
#include "reload.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctl/ask.h"
#include "ctl/print.h"
#include "ctl/words.h"
#include "lib/log.h"
#include "lib/loop.h"

#define RELOAD_US 60000000
#define RELOAD_POLL_NS 50000000

/* Until number `wanted` is done.  0; 1: refused; 2: it was not said in time.  Both with a message. */
static int
wait_for(const char *where, int64_t wanted, char *err, size_t size)
{
	int64_t until_us = clock_mono_us() + RELOAD_US;
	int done = 0, refused = 0, e;

	while (!done && !refused && clock_mono_us() < until_us) {
		yajl_val t = ask_tree(where, CONTROL_STATUS, &e, err, size);

		if (!t && e != -EPIPE) /* crowded: others ask too */
			return 2;
		done = ask_int(t, "reloads") >= wanted && !strcmp(ask_str(t, "state"), "running");
		refused = *ask_str(t, "reload_refused") != 0;
		if (refused)
			snprintf(err, size, "%s", ask_str(t, "reload_refused"));
		yajl_tree_free(t);
		nanosleep(&(struct timespec){ .tv_nsec = RELOAD_POLL_NS }, NULL);
	}
	if (!done && !refused)
		snprintf(err, size, "net-gazer has not finished to reload within %d s; its log says more",
			 RELOAD_US / 1000000);
	return done ? 0 : refused ? 1 : 2;
}

int
reload_main(int argc, char **argv)
{
	struct words w;
	const char *where;
	char err[2100];
	yajl_val t;
	int r = words_parse(&w, 0, "Has net-gazer read its configuration again, and says what came of it.", argc, argv), e;

	if (r)
		return r - 1;
	where = w.connect ? w.connect : ASK_DEFAULT;
	t = ask_tree(where, CONTROL_RELOAD, &e, err, sizeof err);
	if (!t) {
		r = 2;
	} else if (*ask_str(t, "refused")) {
		snprintf(err, sizeof err, "%s", ask_str(t, "refused"));
		r = 1;
	} else {
		r = wait_for(where, ask_int(t, "begun"), err, sizeof err);
	}
	yajl_tree_free(t);
	if (r) {
		log_error(r == 1 ? "not reloaded, the old configuration stays: %s" : "%s", err);
		return r;
	}
	puts("reloaded");
	return fflush(stdout) ? 1 : 0;
}
