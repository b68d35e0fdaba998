/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lean.h - keeps the process small on a router with 64 MB.
 */
#ifndef LEAN_H
#define LEAN_H

/* First thing: how malloc() behaves. */
void lean_start(void);

/* Gives back what is free, and what can be read again from its file. */
void lean_trim(void);

#endif
