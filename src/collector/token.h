/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * token.h - the tokens that sensors (and browsers from elsewhere) must know.  The file has one a
 * line, 16 to 200 printable characters; only their keyed hashes stay in memory.
 */
#ifndef TOKEN_H
#define TOKEN_H

#include <stddef.h>
#include <stdint.h>

#define TOKEN_MAX 1024

struct token_list;

/* Reads the file.  It must belong to its owner alone (no access for group and others).  NULL, with
 * a message in err, otherwise. */
struct token_list *token_load(const char *path, char *err, size_t err_size);
void token_free(struct token_list *);

/* Whether it is one of them; takes the same time whichever bytes are wrong. */
int token_known(const struct token_list *, const char *token);

#endif
