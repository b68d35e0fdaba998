/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * destquery.h - the destinations of a window, read from the rollups and written as JSON (docs/API.md).  Results as
 * in query.h.
 */
#ifndef DESTQUERY_H
#define DESTQUERY_H

#include "lib/json.h"
#include "question.h"
#include "store.h"

/* Countries and autonomous systems as far as they are known (addrinfo.h). */
enum destquery_by { DESTQUERY_PORT, DESTQUERY_HOST, DESTQUERY_AS, DESTQUERY_CC };

int destquery_list(struct store *, struct json *, const struct ask *, enum destquery_by);

#endif
