/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * explore.h - reports that a filter (filter.h) matches, newest first, as a table, CSV or NDJSON; and what such a
 * question can be made of.  Rows of api.c.
 */
#ifndef EXPLORE_H
#define EXPLORE_H

#include "api.h"

/* GET /api/explore */
api_fn explore_get;
/* GET /api/explore/fields */
api_fn explore_fields;

#endif
