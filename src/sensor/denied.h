/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * denied.h - why a file of the configuration could not be opened.
 */
#ifndef DENIED_H
#define DENIED_H

#include <stddef.h>

/* "option path: ", errno's words, and for EACCES what to do. */
void denied_say(const char *option, const char *path, char *err, size_t size);

#endif
