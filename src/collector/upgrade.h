/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * upgrade.h - a database of an earlier format to the present one.  Nothing in it is lost: reports move into
 * the files of their days, rollups stay.  store.c calls it when it opens one.
 */
#ifndef UPGRADE_H
#define UPGRADE_H

#include <sqlite3.h>
#include <stdint.h>

/* `format`: 1 to 4.  SQL needs column_functions().  An SQLite code.  When it is broken off, it begins again with the next start. */
int upgrade(sqlite3 *, const char *database, int64_t format);

#endif
