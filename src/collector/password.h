/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * password.h - passwords as Argon2id (RFC 9106, by libargon2): 19 MiB, 2 passes, 1 lane, which OWASP names as
 * the least for a server; 20 to 60 ms on small machines.  asker.c does it in a process of its own.
 */
#ifndef PASSWORD_H
#define PASSWORD_H

#include <stddef.h>

#define PASSWORD_LEAST 10 /* bytes */
#define PASSWORD_MOST 200

/* "$argon2id$..." and a NUL.  0 or -errno. */
int password_hash(const char *password, char *out, size_t size);
/* 1: it is the one. */
int password_right(const char *hash, const char *password);
/* A hash that no password has, to spend the same time on a name that nobody has. */
const char *password_nobody(void);

#endif
