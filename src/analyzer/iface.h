/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * iface.h - interface index to name, kept up to date by rtnetlink, so that a process that may open
 * nothing can still say "br-lan".
 */
#ifndef IFACE_H
#define IFACE_H

#include <stdint.h>

#define IFACE_MAX 256
#define IFACE_NAME 16 /* IFNAMSIZ */

/* Only these names pass iface_passes(); n == 0: all.  Before iface_open(); the strings are lent for good. */
void iface_select(const char *const *names, unsigned n);

/* Opens the socket (before the sandbox), reads all links.  The descriptor to watch, or -errno:
 * names are then unknown. */
int iface_open(void);
void iface_close(void);

/* The socket is readable. */
void iface_update(void);

int iface_passes(uint32_t iif, uint32_t oif);

/* NULL when unknown; valid until the next iface_update(). */
const char *iface_name(uint32_t index);

#endif
