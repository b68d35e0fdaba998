/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * status.h - what the parent tells who asks at the control socket: its own numbers, those of the pages that
 * its children write (bounded, never believed), and the last things it complained about.
 */
#ifndef STATUS_H
#define STATUS_H

struct run;

/* From now on warnings and errors are kept, the last few. */
void status_remember(void);

/* Opens the control socket; without one it goes on, and says why. */
void status_answer(struct run *);

#endif
