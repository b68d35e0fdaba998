/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * login.h - answers about who is who: sessions for people, tokens for sensors.  Functions of api.c's table.
 */
#ifndef LOGIN_H
#define LOGIN_H

#include "answer.h"

#define LOGIN_MINUTES 15 /* that a code may be used */
#define LOGIN_MINUTES_MAX 10080
#define LOGIN_LINE_MAX 1024

struct gate;

api_fn login_session; /* GET /api/session */
api_fn login_in;      /* POST /api/login */
api_fn login_out;     /* POST /api/logout */
api_fn login_enroll;  /* POST /api/enroll: a code for a person to carry to the router */
api_fn login_revoke;  /* POST /api/revoke */
api_fn login_redeem;  /* POST /v1/enroll: the router, with the code */

/* "enrolled": sensors that have or had a token, into an open map.  0 or an error of store.h. */
int login_enrolled(struct gate *, struct json *);

/* What a person pastes on the router. */
void login_line(char out[LOGIN_LINE_MAX], const char *url, const char *code, const char *pin);

#endif
