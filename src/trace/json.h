/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * json.h - a path as JSON: the fields of a `trace` report, schema v1, without its envelope.
 */
#ifndef TRACE_JSON_H
#define TRACE_JSON_H

#include <stddef.h>

#include "prober.h"

#define TRACE_JSON_MAX 32768

/* One line without its end.  Its length, or -EMSGSIZE. */
int json_path(char out[TRACE_JSON_MAX], const struct prober_result *);

#endif
