/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sandbox.h - closes the door behind start-up: no new privileges, an allow-list of system calls, Landlock that
 * lets nothing be written but in the spool, no core and no look into our memory, where the token is.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stdint.h>

/* spool_fd: -1 when there is none.  0 or -errno; *posture gets WORKER_POSTURE_*. */
int sandbox_close(int spool_fd, uint32_t *posture);

#endif
