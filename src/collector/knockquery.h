/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * knockquery.h - who knocks from outside, and at which ports, read from the rollups and written as JSON
 * (docs/API.md).  Results as in query.h.
 */
#ifndef KNOCKQUERY_H
#define KNOCKQUERY_H

#include "lib/json.h"
#include "question.h"
#include "store.h"

#define KNOCKQUERY_PORTS 100
#define KNOCKQUERY_ORIGINS 100

/* One entry a source. */
int knockquery_sources(struct store *, struct json *, const struct ask *);
/* A series by verdict; ports, countries and autonomous systems. */
int knockquery_inbound(struct store *, struct json *, const struct ask *);

#endif
