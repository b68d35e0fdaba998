/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sandbox.h - closes the prober: from then on it can send through the sockets it was given, read
 * them, accept who connects to it, and die.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stdint.h>

/* WORKER_POSTURE_* of what took effect; what the kernel does not have is logged once.  Exits when
 * no_new_privs or the removal of capabilities fails: nothing may run with them. */
uint64_t sandbox_close(void);

#endif
