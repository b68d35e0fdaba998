/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * login.c - sessions and enrolment over HTTP.
 */
#include "login.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checker.h"
#include "form.h"
#include "gate.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "password.h"
#include "report.h"

#define WHY_MAX 200

/* A login whose password is being looked at. */
struct pending {
	struct gate *gate;
	const struct asker *asker;
	int64_t changed_us;
	int exists;
	char user[ACCESS_NAME_MAX + 1];
};

static const char *
peer(const struct asker *a, char out[ADDR_TEXT])
{
	addr_print(out, a->ipv, a->addr);
	return out;
}

static void
write_session(struct gate *g, const struct asker *a, const struct session *s, struct json *j)
{
	const char *why;
	struct asker again = *a;
	int needed = !s && gate_look(g, &again, &why);
	const char *csrf = s ? s->csrf : gate_csrf(g, a);

	json_map(j, NULL);
	if (s)
		json_str(j, "user", s->user, strlen(s->user));
	json_bool(j, "login_needed", needed);
	if (!needed)
		json_str(j, "csrf", csrf, strlen(csrf));
	json_bool(j, "can_admin", s || gate_may_change(g, a));
	json_close(j);
}

int
login_session(struct api *a, const struct api_request *q, struct api_answer *r)
{
	write_session(a->gate, q->asker, gate_session(a->gate, q->asker), &r->json);
	return 0;
}

static int
too_often(struct api_answer *r, unsigned wait_s)
{
	r->retry_s = wait_s;
	return answer_refuse(r, 429, "too many attempts: wait as long as Retry-After says");
}

static void
on_checked(void *arg, int right)
{
	struct api_answer *r = arg;
	struct pending *p = r->state;
	char text[ADDR_TEXT];
	struct session *s;

	if (right < 0) {
		answer_refuse(r, 503, "passwords cannot be checked now; see the log");
	} else if (!right || !p->exists) {
		log_warn("login of \"%s\" from %s refused", p->exists ? p->user : "(no such user)", peer(p->asker, text));
		answer_refuse(r, 401, "wrong name or password");
	} else {
		log_info("%s logged in from %s", p->user, peer(p->asker, text));
		s = gate_session_new(p->gate, p->user, p->changed_us);
		snprintf(r->cookie, sizeof r->cookie, "%s=%s; Path=/; Max-Age=%lld; HttpOnly; SameSite=Strict%s", SESSION_COOKIE,
			 s->id, SESSION_WHOLE_US / 1000000, p->asker->secure ? "; Secure" : "");
		write_session(p->gate, p->asker, s, &r->json);
	}
	answer_done(r, 0);
}

int
login_in(struct api *a, const struct api_request *q, struct api_answer *r)
{
	char user[ACCESS_NAME_MAX + 1] = "", password[PASSWORD_MOST + 1] = "", hash[ACCESS_PASSWORD_MAX], why[WHY_MAX];
	struct form_field fields[] = {
		{ .name = "user", .text = user, .size = sizeof user, .needed = 1 },
		{ .name = "password", .text = password, .size = sizeof password, .needed = 1 },
	};
	struct pending *p;
	unsigned wait_s;
	int e;

	if (form_read(q->body, q->body_n, fields, 2, why, sizeof why)) {
		explicit_bzero(password, sizeof password);
		return answer_refuse(r, 400, why);
	}
	wait_s = gate_try(a->gate, q->asker);
	p = wait_s || !gate_checker(a->gate) ? NULL : calloc(1, sizeof *p);
	if (!p) {
		explicit_bzero(password, sizeof password);
		if (wait_s)
			return too_often(r, wait_s);
		return gate_checker(a->gate) ? -ENOMEM : answer_refuse(r, 400, "no login is needed: option login");
	}
	r->state = p;
	p->gate = a->gate;
	p->asker = q->asker;
	snprintf(p->user, sizeof p->user, "%s", user);
	e = access_user(gate_access(a->gate), user, hash, &p->changed_us);
	p->exists = !e;
	if (!e || e == -ENOENT)
		e = checker_ask(gate_checker(a->gate), p->exists ? hash : password_nobody(), password, on_checked, r);
	explicit_bzero(password, sizeof password);
	if (!e)
		return API_LATER;
	r->retry_s = 1;
	return answer_refuse(r, 503, "too many logins at once: try again");
}

int
login_out(struct api *a, const struct api_request *q, struct api_answer *r)
{
	struct session *s = gate_session(a->gate, q->asker);

	if (s)
		session_end(s);
	snprintf(r->cookie, sizeof r->cookie, "%s=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict", SESSION_COOKIE);
	write_session(a->gate, q->asker, NULL, &r->json);
	return 0;
}

void
login_line(char out[LOGIN_LINE_MAX], const char *url, const char *code, const char *pin)
{
	snprintf(out, LOGIN_LINE_MAX, "net-gazer enroll %s %s%s%s --write", url, code, pin ? " --pin " : "", pin ? pin : "");
}

int
login_enroll(struct api *a, const struct api_request *q, struct api_answer *r)
{
	const struct gate_setup *setup = gate_setup(a->gate);
	char sensor[ACCESS_NAME_MAX + 1] = "", why[WHY_MAX], by[ACCESS_NAME_MAX + 20], url[400];
	char code[ACCESS_CODE_LEN + 1], line[LOGIN_LINE_MAX];
	int64_t minutes = LOGIN_MINUTES, now_us = clock_wall_us(), expires_us;
	struct form_field fields[] = {
		{ .name = "sensor", .text = sensor, .size = sizeof sensor, .needed = 1 },
		{ .name = "minutes", .number = &minutes, .min = 1, .max = LOGIN_MINUTES_MAX },
	};
	const struct session *s = gate_session(a->gate, q->asker);
	int e;

	if (form_read(q->body, q->body_n, fields, 2, why, sizeof why))
		return answer_refuse(r, 400, why);
	if (!report_sensor_ok(sensor, strlen(sensor)))
		return answer_refuse(r, 400, "sensor: a name has 1 to 64 letters, digits, . _ - and begins with a letter or digit");
	snprintf(by, sizeof by, "%s", s ? s->user : "this machine");
	expires_us = now_us + minutes * 60000000;
	e = access_code_new(gate_access(a->gate), sensor, by, now_us, expires_us, code);
	if (e)
		return e == -ENOSPC ? answer_refuse(r, 429, "too many codes wait to be used") : e;
	snprintf(url, sizeof url, "http%s://%s", q->asker->secure ? "s" : "", q->asker->host);
	login_line(line, setup->url ? setup->url : url, code, setup->pin);
	log_info("an enrolment code for sensor %s was made by %s, for %lld minutes", sensor, by, (long long)minutes);
	json_map(&r->json, NULL);
	json_str(&r->json, "code", code, strlen(code));
	json_str(&r->json, "line", line, strlen(line));
	json_time(&r->json, "expires_ts", expires_us);
	json_close(&r->json);
	return 0;
}

int
login_revoke(struct api *a, const struct api_request *q, struct api_answer *r)
{
	char sensor[ACCESS_NAME_MAX + 1] = "", why[WHY_MAX];
	struct form_field field = { .name = "sensor", .text = sensor, .size = sizeof sensor, .needed = 1 };
	int e;

	if (form_read(q->body, q->body_n, &field, 1, why, sizeof why))
		return answer_refuse(r, 400, why);
	if (!report_sensor_ok(sensor, strlen(sensor)))
		return answer_refuse(r, 400, "sensor: a name has 1 to 64 letters, digits, . _ - and begins with a letter or digit");
	e = access_revoke(gate_access(a->gate), sensor, clock_wall_us(), gate_setup(a->gate)->certificates);
	if (e < 0)
		return e;
	if (!e)
		return answer_refuse(r, 404, "no sensor of this name has a token or a code");
	log_info("sensor %s was revoked", sensor);
	json_map(&r->json, NULL);
	json_str(&r->json, "sensor", sensor, strlen(sensor));
	json_close(&r->json);
	return 0;
}

int
login_redeem(struct api *a, const struct api_request *q, struct api_answer *r)
{
	char code[64] = "", why[WHY_MAX], text[ADDR_TEXT];
	char sensor[ACCESS_NAME_MAX + 1], token[ACCESS_TOKEN_LEN + 1];
	struct form_field field = { .name = "code", .text = code, .size = sizeof code, .needed = 1 };
	unsigned wait_s;
	int e;

	if (form_read(q->body, q->body_n, &field, 1, why, sizeof why))
		return answer_refuse(r, 400, why);
	wait_s = gate_try(a->gate, q->asker);
	if (wait_s)
		return too_often(r, wait_s);
	e = access_enrol(gate_access(a->gate), code, clock_wall_us(), sensor, token);
	if (e == -ENOENT) {
		log_warn("an enrolment code from %s was refused: unknown, used or too old", peer(q->asker, text));
		return answer_refuse(r, 403, "this code is not known, was used, or is too old: make another");
	}
	if (e)
		return e == -ENOSPC ? answer_refuse(r, 507, "too many sensors") : e;
	log_info("sensor %s was enrolled from %s", sensor, peer(q->asker, text));
	json_map(&r->json, NULL);
	json_str(&r->json, "sensor", sensor, strlen(sensor));
	json_str(&r->json, "token", token, strlen(token));
	json_close(&r->json);
	explicit_bzero(token, sizeof token);
	return 0;
}

struct enrolled {
	struct gate *gate;
	struct json *json;
};

static void
write_enrolled(void *arg, const struct access_sensor *s)
{
	struct enrolled *e = arg;
	const struct quota *quota = gate_quota(e->gate);
	const struct quota_sensor *sent = quota_find(quota, s->sensor);
	struct json *j = e->json;

	json_map(j, NULL);
	json_str(j, "sensor", s->sensor, strlen(s->sensor));
	json_time(j, "enrolled_ts", s->enrolled_us);
	json_str(j, "by", s->by, strlen(s->by));
	if (sent && sent->last_rx_us)
		json_time(j, "last_rx", sent->last_rx_us);
	if (s->revoked_us)
		json_time(j, "revoked_ts", s->revoked_us);
	json_map(j, "quota");
	json_int(j, "reports_s", quota->limits.reports_s);
	json_int(j, "bytes_day", quota->limits.bytes_day);
	json_int(j, "reports_today", sent ? sent->reports_today : 0);
	json_int(j, "bytes_today", sent ? sent->bytes_today : 0);
	json_uint(j, "refused", sent ? sent->refused : 0);
	json_close(j);
	json_close(j);
}

int
login_enrolled(struct gate *g, struct json *j)
{
	struct enrolled e = { g, j };
	int r;

	json_list(j, "enrolled");
	r = access_sensors(gate_access(g), write_enrolled, &e);
	json_close(j);
	return r;
}
