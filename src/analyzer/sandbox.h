/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sandbox.h - closes the analyzer: from then on it can read its sockets, write its pipe, and die.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stdint.h>

/* Data of all kinds, so many bytes: a plugin that takes more gets NULL and not the router's memory. */
void sandbox_limit(uint64_t bytes);

/* WORKER_POSTURE_* of what took effect; what the kernel does not have is logged once.  Exits when
 * no_new_privs or the removal of capabilities fails: nothing may run with them. */
uint64_t sandbox_close(void);

#endif
