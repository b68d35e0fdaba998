/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rulestext.h - the rules that ruleset.c installs, as a file for nft(8): for who loads them himself.
 */
#ifndef RULESTEXT_H
#define RULESTEXT_H

#include <stddef.h>
#include <sys/types.h>

#include "sensor/ruleset.h"

/* Room for every class at the longest home. */
#define RULESTEXT_MAX 65536

/* The length, or -EMSGSIZE. */
ssize_t rulestext_write(const struct ruleset_spec *, char *out, size_t size);

#endif
