/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * keeper.h - the parent of the two that look things up: opens their files, starts them, and starts them again when
 * they crash or a file has changed.  It reads nothing of strangers.
 */
#ifndef KEEPER_H
#define KEEPER_H

/* Until the collector is gone.  What the process ends with. */
int keeper_run(void);

#endif
