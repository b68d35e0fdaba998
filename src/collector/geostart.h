/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * geostart.h - starts the program `geo` (src/geo.h), and says what it is to work with.
 */
#ifndef GEOSTART_H
#define GEOSTART_H

#include <sys/types.h>

#include "geo.h"
#include "lib/conf.h"

enum { GEOSTART_CONTROL, GEOSTART_PLACES, GEOSTART_NAMES, GEOSTART_FDS };

/* Its two workers and their parent; fds: our ends.  Its pid or -errno; -ENOENT: the program is not there. */
pid_t geostart_serve(const char *dir, int fds[GEOSTART_FDS]);

/* Makes `out` of the files; *said: a pipe with one line about it.  As above. */
pid_t geostart_import(const char *dir, int out, const int *in, char *const *names, int n, const char *attribution,
		      int *said);

/* The folder of what was imported, DATABASE.d/geo; "": there is none. */
void geostart_folder(const struct conf *, char out[GEO_PATH_MAX]);

/* What the configuration says.  *named: the DNS servers are, so that they may be asked for private addresses. */
void geostart_setup(const struct conf *, struct geo_control *, int *named);

/* An entry of the option `dns`: "system", or an address, or one with a port.  0 or -1. */
int geostart_server(const char *text, struct geo_server *);

#endif
