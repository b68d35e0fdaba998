/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * enrolledit.h - net-gazer.conf with other lines for the collector.  Pure.
 */
#ifndef ENROLLEDIT_H
#define ENROLLEDIT_H

/* A configuration's text with `lines` behind it, and what they replace commented out.  malloc'd; NULL: no memory,
 * or the braces of the text are not closed. */
char *enrolledit_text(const char *text, const char *lines);

#endif
