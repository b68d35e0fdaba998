/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * enroll.h - `forwarder --enroll`, which `net-gazer enroll` becomes: a code that a person was given is
 * exchanged for this sensor's token, which goes into a file; the lines of net-gazer.conf that use it are
 * printed, or written.
 */
#ifndef ENROLL_H
#define ENROLL_H

#include <stddef.h>

#define ENROLL_LINES_MAX 8192

/* What the process ends with. */
int enroll_main(int argc, char **argv);

/* Pure: a configuration's text with `lines` behind it and what they replace commented out.  malloc'd; NULL: no
 * memory, or the braces of the text are not closed. */
char *enroll_edit(const char *text, const char *lines);

#endif
