/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * revoke.c - the command revoke: a sensor that nothing is taken from any more.
 */
#include <string.h>

#include "access.h"
#include "command.h"
#include "lib/log.h"
#include "lib/loop.h"

int
revoke_command(const struct conf *conf, char *const *arguments, int n)
{
	struct access *a;
	char err[500];
	int r;

	(void)n;
	if (access_open(&a, conf_str(conf, "database"), err, sizeof err))
		fatal("%s", err);
	r = access_revoke(a, arguments[0], clock_wall_us(), conf_str(conf, "client-ca") != NULL);
	access_close(a);
	if (r < 0)
		fatal("revoke %s: %s", arguments[0], strerror(-r));
	if (!r)
		log_error("revoke %s: no sensor of this name has a token or a code; see net-gazer-collector sensors", arguments[0]);
	return r ? 0 : 1;
}
