/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * gate.h - who may send reports, and as which sensor; who may look, and who may change something.  http.c
 * brings what the connection and the head of a request say, and asks here; login.c has the answers of
 * /api/session, /api/login and their kind.
 */
#ifndef GATE_H
#define GATE_H

#include <stddef.h>
#include <stdint.h>

#include "access.h"
#include "lib/addr.h"
#include "quota.h"
#include "session.h"

struct gate;
struct loop;
struct token_list;

/* Who asks.  Texts are lent for the request, NULL: there is none. */
struct asker {
	uint8_t ipv, addr[16];
	int loopback;              /* from this machine */
	int secure;                /* through TLS, ours or a proxy's */
	const char *authorization; /* the header */
	const char *password;      /* of Basic */
	const char *cookie;        /* the header */
	const char *csrf;          /* X-CSRF-Token */
	const char *certificate;   /* the name that a client's certificate proves */
	const char *host;          /* the header: one of ours */
	/* What gate_*() found. */
	char sensor[ACCESS_NAME_MAX + 1]; /* that may be the only one in the body; "": any */
	unsigned wait_s;           /* with 429 */
};

/* Texts are lent for as long as the gate is there. */
struct gate_setup {
	struct loop *loop;
	const char *database;
	int always;           /* login = always: this machine is not trusted more than others */
	int open;             /* listens beyond this machine: somebody may have to log in */
	const char *url;      /* by which routers reach us, or NULL */
	const char *pin;      /* sha256//... of our certificate, or NULL */
	int certificates;     /* a sensor may show one of client-ca instead of a token */
};

/* NULL, with a message in err: cannot. */
struct gate *gate_open(const struct gate_setup *, char *err, size_t err_size);
void gate_close(struct gate *);
/* May change while running.  `tokens` of token-file, lent, or NULL. */
void gate_set(struct gate *, const struct token_list *tokens, const struct quota_limits *);

/* Whether anybody could come in from elsewhere: a user, a sensor, or a token. */
int gate_has_anybody(struct gate *);

/* 0, or the HTTP status to refuse with, and why. */
unsigned gate_send(struct gate *, struct asker *, const char **why);   /* reports */
unsigned gate_look(struct gate *, struct asker *, const char **why);   /* pages and their data */
unsigned gate_change(struct gate *, struct asker *, const char **why); /* what needs API_CSRF, after gate_look() */

/* Whether one whom gate_look() let in may go on looking.  That does not count as use of his session. */
int gate_may_look_on(struct gate *, const struct asker *);

/* Whether a sensor has this name, or had it and was revoked; if that cannot be read, as if it had. */
int gate_is_enrolled(void *gate, const char *name);

/* What a body was. */
void gate_sent(struct gate *, const struct asker *, int64_t reports, int64_t bytes);

/* Whether a browser may ask a person for a token, since there is nothing else to ask for. */
int gate_wants_basic(struct gate *);

/* For login.c. */
struct access *gate_access(struct gate *);
const struct gate_setup *gate_setup(const struct gate *);
struct quota *gate_quota(struct gate *);
struct session *gate_session(struct gate *, const struct asker *);
struct session *gate_session_new(struct gate *, const char *user, int64_t changed_us);
/* What X-CSRF-Token must be. */
const char *gate_csrf(struct gate *, const struct asker *);
/* By a person, not by a sensor's token. */
int gate_may_change(struct gate *, const struct asker *);
/* 0, or seconds to wait, of logins and of enrolments. */
unsigned gate_try(struct gate *, const struct asker *);
struct checker *gate_checker(struct gate *);

#endif
