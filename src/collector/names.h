/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * names.h - what networks of our own are called: the option `home`, a list of NET=NAME.
 */
#ifndef NAMES_H
#define NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"

#define NAMES_MAX 256
#define NAMES_LEN 63

struct names {
	struct {
		struct addr_prefix net;
		char name[NAMES_LEN + 1];
	} net[NAMES_MAX];
	size_t n;
};

/* One more, "192.168.1.0/24=lan".  NULL, or what would be right. */
const char *names_add(struct names *, const char *text);

/* Of the narrowest network that has the address; NULL: none. */
const char *names_find(const struct names *, uint8_t ipv, const uint8_t addr[16]);

#endif
