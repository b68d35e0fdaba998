/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sandbox.h - what each of the processes of `geo` gives up.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

/* The parent: files can be read, processes started; nothing can be written, no TCP.  Its children keep that. */
void sandbox_keeper(void);

/* Before a stranger's file is opened: reading files is all that is left, and giving up that too. */
void sandbox_opening(void);

/* Behind it, and for those that ask the DNS through sockets they have: nothing but those. */
void sandbox_close(void);

#endif
