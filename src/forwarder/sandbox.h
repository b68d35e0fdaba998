/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sandbox.h - closes the door behind start-up: no new privileges, an allow-list of system calls, no
 * core and no look into our memory, where the token is.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

/* 0 or -errno. */
int sandbox_close(void);

#endif
