/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * gate.c - who may send, look, change.
 */
#include "gate.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "checker.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "throttle.h"
#include "token.h"

#define UNAUTHORIZED 401
#define FORBIDDEN 403
#define TOO_MANY 429
#define UNAVAILABLE 503

struct gate {
	struct gate_setup setup;
	struct access *access;
	const struct token_list *tokens;
	struct checker *checker; /* NULL: nobody ever has to log in */
	struct sessions sessions;
	struct throttle tries;
	struct quota quota;
	struct log_limit said;
	char csrf[SESSION_CSRF_LEN + 1]; /* of those who need no session */
};

/* Of the run before: there is no limit yet, and the bucket is full. */
static void
take_sent(void *arg, const struct access_sent *s)
{
	quota_charge(arg, s->sensor, s->reports, s->bytes, 0, s->last_us);
}

struct gate *
gate_open(const struct gate_setup *setup, char *err, size_t err_size)
{
	struct gate *g = calloc(1, sizeof *g);

	if (!g) {
		snprintf(err, err_size, "out of memory");
		return NULL;
	}
	g->setup = *setup;
	g->tries.one = (struct throttle_rate){ 10000000, 5 };
	g->tries.all = (struct throttle_rate){ 1000000, 30 };
	access_random(g->csrf, SESSION_CSRF_LEN);
	if (setup->open || setup->always) {
		g->checker = checker_start(setup->loop);
		if (!g->checker) {
			snprintf(err, err_size, "passwords cannot be checked: %s", strerror(errno));
			goto fail;
		}
	}
	if (access_open(&g->access, setup->database, err, err_size))
		goto fail;
	if (access_sent(g->access, QUOTA_SENSORS, take_sent, &g->quota)) {
		snprintf(err, err_size, "database %s.access: what sensors sent cannot be read", setup->database);
		goto fail;
	}
	return g;
fail:
	gate_close(g);
	return NULL;
}

void
gate_close(struct gate *g)
{
	if (!g)
		return;
	checker_stop(g->checker);
	access_close(g->access);
	explicit_bzero(g, sizeof *g);
	free(g);
}

void
gate_set(struct gate *g, const struct token_list *tokens, const struct quota_limits *limits)
{
	g->tokens = tokens;
	g->quota.limits = *limits;
}

int
gate_has_anybody(struct gate *g)
{
	return g->tokens || access_has_users(g->access) || access_has_sensors(g->access);
}

int
gate_wants_basic(struct gate *g)
{
	return g->tokens && !access_has_users(g->access);
}

static const char *
bearer(const struct asker *a)
{
	return a->authorization && !strncasecmp(a->authorization, "Bearer ", 7) ? a->authorization + 7 : NULL;
}

static int
trusted(const struct gate *g, const struct asker *a)
{
	return a->loopback && !g->setup.always;
}

static unsigned
refuse(unsigned status, const char **why, const char *what)
{
	*why = what;
	return status;
}

/* Whose the body may be. */
static unsigned
sensor_of(struct gate *g, struct asker *a, const char **why)
{
	const char *token = bearer(a);
	int r;

	if (a->certificate) {
		r = access_sensor_state(g->access, a->certificate);
		if (r < 0)
			return r == -EACCES ? refuse(FORBIDDEN, why, "this sensor was revoked")
					    : refuse(UNAVAILABLE, why, "the file of sensors cannot be read");
		snprintf(a->sensor, sizeof a->sensor, "%s", a->certificate);
		return 0;
	}
	if (token) {
		r = access_token(g->access, token, a->sensor);
		if (!r)
			return 0;
		a->sensor[0] = 0;
		if (r == -EACCES)
			return refuse(UNAUTHORIZED, why, "this sensor's token was revoked: enrol it again");
		if (r != -ENOENT)
			return refuse(UNAVAILABLE, why, "the file of sensors cannot be read");
		if (g->tokens && token_known(g->tokens, token))
			return 0;
		if (access_has_sensors(g->access))
			return refuse(UNAUTHORIZED, why, "no sensor has this token: it was enrolled anew, or never here");
	}
	if (trusted(g, a) && !g->tokens)
		return 0;
	return refuse(UNAUTHORIZED, why, "needs Authorization: Bearer with a sensor's token, or one of token-file");
}

int
gate_is_enrolled(void *gate, const char *name)
{
	struct gate *g = gate;

	return access_sensor_state(g->access, name) != 0;
}

unsigned
gate_send(struct gate *g, struct asker *a, const char **why)
{
	unsigned status = sensor_of(g, a, why);

	if (status || !a->sensor[0])
		return status;
	a->wait_s = quota_wait_s(&g->quota, a->sensor, clock_mono_us(), clock_wall_us());
	return a->wait_s ? refuse(TOO_MANY, why, "this sensor's quota is used up; see sensor-rate and sensor-bytes-day") : 0;
}

void
gate_sent(struct gate *g, const struct asker *a, int64_t reports, int64_t bytes)
{
	const struct quota_sensor *s;
	unsigned left_out;
	int r;

	if (!a->sensor[0])
		return;
	quota_charge(&g->quota, a->sensor, reports, bytes, clock_mono_us(), clock_wall_us());
	s = quota_find(&g->quota, a->sensor);
	r = access_sent_put(g->access, &(struct access_sent){ s->name, s->last_rx_us, s->reports_today, s->bytes_today });
	if (r && log_allowed(&g->said, clock_mono_us(), 60000000, &left_out))
		log_warn("database %s.access: what sensors sent is not noted, and forgotten with the next start: %s",
			 g->setup.database, strerror(-r));
}

static struct session *
session_of(struct gate *g, const struct asker *a, int use)
{
	char id[SESSION_ID_LEN + 1];
	struct session *s;
	int64_t changed_us;

	if (!a->cookie || session_cookie(a->cookie, SESSION_COOKIE, id, sizeof id))
		return NULL;
	s = (use ? session_find : session_peek)(&g->sessions, id, clock_mono_us());
	explicit_bzero(id, sizeof id);
	/* A user who is gone, or has another password, is not logged in any more. */
	if (s && (access_user(g->access, s->user, NULL, &changed_us) || changed_us != s->changed_us)) {
		session_end(s);
		s = NULL;
	}
	return s;
}

struct session *
gate_session(struct gate *g, const struct asker *a)
{
	return session_of(g, a, 1);
}

struct session *
gate_session_new(struct gate *g, const char *user, int64_t changed_us)
{
	return session_new(&g->sessions, user, changed_us, clock_mono_us());
}

static int
may_look(struct gate *g, const struct asker *a, int use)
{
	const char *token = bearer(a) ? bearer(a) : a->password;

	return trusted(g, a) || session_of(g, a, use) || (g->tokens && token && token_known(g->tokens, token));
}

int
gate_may_look_on(struct gate *g, const struct asker *a)
{
	return may_look(g, a, 0);
}

unsigned
gate_look(struct gate *g, struct asker *a, const char **why)
{
	if (may_look(g, a, 1))
		return 0;
	return refuse(UNAUTHORIZED, why, gate_wants_basic(g) ? "needs a token of token-file: Bearer, or Basic with it as password"
							     : "log in first: the page asks for it, or POST /api/login");
}

int
gate_may_change(struct gate *g, const struct asker *a)
{
	return trusted(g, a) || gate_session(g, a);
}

const char *
gate_csrf(struct gate *g, const struct asker *a)
{
	const struct session *s = gate_session(g, a);

	return s ? s->csrf : g->csrf;
}

unsigned
gate_change(struct gate *g, struct asker *a, const char **why)
{
	if (!gate_may_change(g, a))
		return refuse(FORBIDDEN, why, "a token may look, not change: log in");
	if (!a->csrf || strlen(a->csrf) != SESSION_CSRF_LEN || gnutls_memcmp(a->csrf, gate_csrf(g, a), SESSION_CSRF_LEN))
		return refuse(FORBIDDEN, why, "X-CSRF-Token is not the csrf of GET /api/session");
	return 0;
}

unsigned
gate_try(struct gate *g, const struct asker *a)
{
	return throttle_take(&g->tries, a->ipv, a->addr, clock_mono_us());
}

struct access *
gate_access(struct gate *g)
{
	return g->access;
}

const struct gate_setup *
gate_setup(const struct gate *g)
{
	return &g->setup;
}

struct quota *
gate_quota(struct gate *g)
{
	return &g->quota;
}

struct checker *
gate_checker(struct gate *g)
{
	return g->checker;
}
