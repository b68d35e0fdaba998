/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * detail.h - all about one destination: how its connections went over time, both halves of their round trips, its
 * ports, who saw it, and who spoke to it.  A row of api.c.
 */
#ifndef DETAIL_H
#define DETAIL_H

#include "api.h"

/* GET /api/destination */
api_fn detail_get;

#endif
