/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tidy.h - text of a stranger, made fit to be shown: whole UTF-8, no control characters, no more than there is room
 * for.
 */
#ifndef TIDY_H
#define TIDY_H

#include <stddef.h>

/* Copies what is fit of n bytes to out, with NUL; what is no UTF-8 becomes '?', a control character or one that
 * turns the direction of writing goes. */
void tidy_text(char *out, size_t size, const char *text, size_t n);

/* "de" or "DE" to "DE"; anything else to "". */
void tidy_cc(char out[3], const char *text, size_t n);

#endif
