/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sandbox.h - the parent's own cage, closed when it has started.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

/* 0 or -errno: then there is no filter.  What it forbids is forbidden to all children too. */
int sandbox_close(void);

#endif
