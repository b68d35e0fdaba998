/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * print.h - words that a stranger may have chosen, made harmless for a terminal.
 */
#ifndef PRINT_H
#define PRINT_H

#include <yajl/yajl_tree.h>

/* To stdout: bytes outside printable ASCII as '?'; padded with blanks to `width`. */
void print_text(const char *, int width);

/* The plugins of a status, as a table. */
void print_plugins(yajl_val status);

#endif
