/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tls.h - our certificate and key, the authority that sensors' certificates must be from, and whose certificate
 * a connection has shown.  The protocol itself is libmicrohttpd's and GnuTLS's.
 */
#ifndef TLS_H
#define TLS_H

#include <stddef.h>

#include "access.h"

/* TLS 1.2 and 1.3. */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"

struct tls {
	char *certificate; /* PEM, NUL behind; NULL: no TLS */
	char *key;
	char *authority;   /* NULL: no client certificates */
	char pin[64];      /* sha256//..., of our public key */
};

/* Reads the files; the key must belong to its owner alone.  NULL paths are left out.  0, or -1 with a message. */
int tls_load(struct tls *, const char *certificate, const char *key, const char *authority, char *err, size_t err_size);
void tls_free(struct tls *);

/* 1: the client has shown a certificate of the authority, for this name (its first DNS name that a sensor may
 * have, or else its CN); 0: it has shown none; -1: one that is not accepted. */
int tls_client(void *gnutls_session, char name[ACCESS_NAME_MAX + 1]);

#endif
