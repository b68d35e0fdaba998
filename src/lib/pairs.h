/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pairs.h - lines of NAME=VALUE, which one program writes for another into a file that both have open.
 */
#ifndef PAIRS_H
#define PAIRS_H

#include <stddef.h>

/* The whole file from its start, of less than `max` bytes; closes fd.  To be freed; NULL with a message in err. */
char *pairs_read(int fd, size_t max, char *err, size_t err_size);

/* Gives each line's name and value, both of them in `text`, to `take`; empty lines are passed over.  -1 with a message
 * when one has no = or `take` gave something but 0. */
int pairs_take(char *text, int (*take)(void *arg, const char *name, char *value), void *arg, char *err, size_t err_size);

#endif
