/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * compile.h - `geo import`: what people bring, checked and made into what is looked up in.  In a process of its own
 * with nothing but the files open; the collector's command `geo import` gives them, and takes the result.
 */
#ifndef COMPILE_H
#define COMPILE_H

#include <stdio.h>

/* The files have these names and are open for reading; `out` is an empty file.  Of a MaxMind DB there is one, and it
 * is copied; of CSV tables there may be several.  attribution: "" or "TEXT URL".  0 and on stdout one line:
 * "KIND SUFFIX what it is"; 1: said on stderr what is wrong. */
int compile(int out, const int *in, char *const *names, int n, const char *attribution);

#endif
