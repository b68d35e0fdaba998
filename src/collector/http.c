/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * http.c - libmicrohttpd's callbacks.
 *
 * A request is judged once its head is there: Host first, before anything else looks at it, then
 * path and method, then who sends it.  What is refused with a body still to come is answered at
 * once and its connection closed.  libmicrohttpd's own timeout counts silence only; sweep() ends
 * those who send a byte now and then.
 */
#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api.h"
#include "answers.h"
#include "asset.h"
#include "gate.h"
#include "gunzip.h"
#include "intake.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "live.h"
#include "report.h"
#include "store.h"
#include "tls.h"
#include "unzstd.h"

#define SILENCE_S 30        /* libmicrohttpd closes then */
#define HEAD_US 15000000    /* from the end of the last request, or the accept, to a whole head */
#define HEAD_CROWDED_US 2000000 /* the same, while three quarters of the connections are taken */
#define BODY_US 30000000
#define REPLY_US 120000000
#define PING_US 15000000
#define TICK_US 1000000
#define POOL_BYTES 16384    /* of a connection; a head must fit */
#define BODIES_MAX 16       /* bodies of the full size that may be in memory together */
#define REPLY_BYTES (4 << 20)
#define RETRY_S "5"

#define CSP \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " \
	"connect-src 'self'; font-src 'self'; frame-ancestors 'none'; base-uri 'none'; " \
	"form-action 'none'; require-trusted-types-for 'script'"

enum phase { PHASE_HEAD, PHASE_BODY, PHASE_REPLY, PHASE_STREAM };

/* A connection. */
struct client {
	int fd;
	enum phase phase;
	int64_t since_us;
	struct client *next, *prev;
};

/* What reports may be packed with; the best comes first. */
static const struct coding {
	const char *name;
	int (*unpack)(const char *in, size_t n, size_t max, char **out, size_t *out_n);
	const char *wrong;
} codings[] = {
#ifdef WITH_ZSTD
	{ "zstd", unzstd, "body is no zstd frame" },
#define CODINGS "zstd, gzip"
#else
#define CODINGS "gzip"
#endif
	{ "gzip", gunzip, "body is no gzip stream" },
};

/* A request. */
struct request {
	struct http *http;
	struct client *client;
	const struct api_route *route; /* NULL: an asset */
	unsigned status;     /* refused at the head with this; 0: go on */
	const char *why;
	char *body;
	size_t len, size, max;
	int too_big;
	int crowded;
	const struct coding *coding; /* of the body; NULL: none */
	struct exchange *exchange;
	struct asker asker;
	char *password;      /* of Basic */
	char certificate[ACCESS_NAME_MAX + 1];
};

/* What a function of api.c answers, at once or later. */
struct exchange {
	struct api_request asked;
	struct api_answer answer;
	struct http *http;
	struct MHD_Connection *connection;
	struct exchange *next, *prev; /* among those that wait for answer_done() */
	int result;
	int waits;
	char key[ANSWERS_KEY_MAX]; /* "": the answer is not kept */
};

struct stream {
	struct http *http;
	struct MHD_Connection *connection;
	struct live_place place;
	int fd;
	int asleep;          /* suspended: waits for news */
	int ping;
	int gone;            /* the browser hung up */
	int over;            /* who asked may not look any longer */
	const struct asker *asker; /* of the request, which lasts as long as its answer */
	size_t len, done;    /* of out */
	char out[LIVE_EVENT_MAX];
};

struct http {
	struct http_setup setup;
	struct hosts hosts;
	struct MHD_Daemon *daemon;
	struct loop_fd watch;
	struct loop_timer soon, tick;
	unsigned calls;      /* of our callbacks */
	unsigned idle_turns; /* one after another in which none was called */
	struct client clients; /* list head */
	struct exchange exchanges;
	struct stream *streams[LIVE_STREAMS];
	unsigned n_streams, n_clients;
	size_t body_bytes;
	int64_t ping_us;
	struct api api;
	int closing;
	struct answers answers;
	char *answer;        /* INTAKE_ANSWER_MAX */
	struct log_limit said;
};

static void
on_soon(struct loop_timer *);

/* ---- replies ---- */

static void
add_download(struct MHD_Response *r, const char *name)
{
	char value[100];

	snprintf(value, sizeof value, "attachment; filename=\"%s\"", name);
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_DISPOSITION, value);
}

static void
add_next(struct MHD_Response *r, int64_t next)
{
	char value[24];

	snprintf(value, sizeof value, "%lld", (long long)next);
	MHD_add_response_header(r, "Net-Gazer-Next", value);
}

/* What every answer carries.  Takes the response. */
static enum MHD_Result
reply(struct MHD_Connection *c, unsigned status, struct MHD_Response *r, const char *type,
      const char *cache)
{
	static const char *const always[][2] = {
		{ "Content-Security-Policy", CSP },
		{ "X-Content-Type-Options", "nosniff" },
		{ "X-Frame-Options", "DENY" },
		{ "Referrer-Policy", "no-referrer" },
		{ "Cross-Origin-Opener-Policy", "same-origin" },
		{ "Cross-Origin-Embedder-Policy", "require-corp" },
		{ "Cross-Origin-Resource-Policy", "same-origin" },
	};
	enum MHD_Result ok;

	if (!r)
		return MHD_NO;
	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		MHD_add_response_header(r, always[i][0], always[i][1]);
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, cache);
	ok = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return ok;
}

static const char why_post[] = "the method must be POST";
static const char why_get[] = "the method must be GET or HEAD";
static const char why_body[] = "body is longer than max-body";
static const char why_body_json[] = "body is longer than 64 KiB";

static struct MHD_Response *
error_response(unsigned status, const char *why)
{
	char text[600];
	struct MHD_Response *r;
	struct json j;

	json_begin(&j, text, sizeof text - 1);
	json_map(&j, NULL);
	json_str(&j, "error", why, strlen(why));
	json_close(&j);
	if (json_end(&j))
		j.len = 0;
	text[j.len++] = '\n';
	r = MHD_create_response_from_buffer(j.len, text, MHD_RESPMEM_MUST_COPY);
	if (!r)
		return NULL;
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, why == why_post ? "POST" : "GET, HEAD");
	if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
		MHD_add_response_header(r, MHD_HTTP_HEADER_RETRY_AFTER, RETRY_S);
	if (status == MHD_HTTP_INSUFFICIENT_STORAGE)
		MHD_add_response_header(r, MHD_HTTP_HEADER_RETRY_AFTER, "60");
	return r;
}

static enum MHD_Result
reply_error(struct MHD_Connection *c, unsigned status, const char *why)
{
	return reply(c, status, error_response(status, why), "application/json", "no-store");
}

static void
add_retry_after(struct MHD_Response *r, unsigned wait_s)
{
	char text[20];

	snprintf(text, sizeof text, "%u", wait_s);
	MHD_add_response_header(r, MHD_HTTP_HEADER_RETRY_AFTER, text);
}

/* Refused at the head. */
static enum MHD_Result
reply_refused(struct request *q, struct MHD_Connection *c)
{
	struct MHD_Response *r = error_response(q->status, q->why);

	if (r && q->asker.wait_s)
		add_retry_after(r, q->asker.wait_s);
	if (r && q->status == MHD_HTTP_UNAUTHORIZED) {
		MHD_add_response_header(r, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
		if (gate_wants_basic(q->http->setup.gate))
			MHD_add_response_header(r, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
						"Basic realm=\"net-gazer: any name, token as password\"");
	}
	return reply(c, q->status, r, "application/json", "no-store");
}

static enum MHD_Result
reply_store_error(struct http *h, struct MHD_Connection *c, int r)
{
	unsigned left_out;

	if (log_allowed(&h->said, clock_mono_us(), 60000000, &left_out))
		log_error("database: %s (and %u times before)", strerror(-r), left_out);
	switch (r) {
	case -ENOSPC:
		return reply_error(c, MHD_HTTP_INSUFFICIENT_STORAGE, "the disk or the database is full");
	case -EBUSY:
		return reply_error(c, MHD_HTTP_SERVICE_UNAVAILABLE,
				   "the database is busy, or the question took too long: ask for less");
	case -EUCLEAN:
		answers_clear(&h->answers);
		if (store_recover(h->setup.store, clock_wall_us()))
			loop_stop(h->setup.loop, 1); /* no database, no collector */
		return reply_error(c, MHD_HTTP_SERVICE_UNAVAILABLE, "the database was damaged; try again");
	default:
		return reply_error(c, MHD_HTTP_INTERNAL_SERVER_ERROR, "the database failed; see the log");
	}
}

/* ---- may it? ---- */

static int
refuse(struct request *q, unsigned status, const char *why)
{
	q->status = status;
	q->why = why;
	return -1;
}

static const char *
header(struct MHD_Connection *c, const char *name)
{
	return MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);
}

struct census {
	const char *name;
	int n;       /* headers of that name */
	int strange; /* headers with a control character: some take NUL for their end */
};

static enum MHD_Result
look_at_header(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_n, const char *value,
	       size_t value_n)
{
	struct census *c = arg;

	(void)kind;
	c->n += !strcasecmp(name, c->name);
	for (size_t i = 0; i < name_n; i++)
		c->strange |= (unsigned char)name[i] <= ' ' || name[i] == 0x7f;
	for (size_t i = 0; i < value_n; i++)
		c->strange |= ((unsigned char)value[i] < ' ' && value[i] != '\t') || value[i] == 0x7f;
	return MHD_YES;
}

static struct census
census(struct MHD_Connection *c, const char *name)
{
	struct census found = { name, 0, 0 };

	MHD_get_connection_values_n(c, MHD_HEADER_KIND, look_at_header, &found);
	return found;
}

/* What two programs on the way could read differently is not read at all. */
static int
check_framing(struct request *q, struct MHD_Connection *c)
{
	static const char *const once[] = { "Host", "Content-Length", "Transfer-Encoding", "Content-Type",
					    "Content-Encoding", "Authorization", "Idempotency-Key",
					    "Origin", "Cookie", "X-CSRF-Token" };
	const char *length = header(c, "Content-Length"), *coding = header(c, "Transfer-Encoding");

	for (size_t i = 0; i < sizeof once / sizeof *once; i++) {
		struct census found = census(c, once[i]);

		if (found.n > 1)
			return refuse(q, MHD_HTTP_BAD_REQUEST, "a header is there twice");
		if (found.strange)
			return refuse(q, MHD_HTTP_BAD_REQUEST, "a header has a control character");
	}
	if (length && coding)
		return refuse(q, MHD_HTTP_BAD_REQUEST, "Content-Length and Transfer-Encoding together");
	if (length && (!*length || length[strspn(length, "0123456789")] || strlen(length) > 18))
		return refuse(q, MHD_HTTP_BAD_REQUEST, "Content-Length is no number");
	if (coding && strcasecmp(coding, "chunked"))
		return refuse(q, MHD_HTTP_BAD_REQUEST, "Transfer-Encoding is not chunked");
	return 0;
}

static void
read_peer(struct asker *a, const struct sockaddr *sa)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (sa && sa->sa_family == AF_INET) {
		a->ipv = 4;
		memcpy(a->addr, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
	} else if (sa && sa->sa_family == AF_INET6) {
		a->ipv = 6;
		memcpy(a->addr, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
	}
	if (a->ipv == 6 && !memcmp(a->addr, mapped, sizeof mapped)) {
		a->ipv = 4;
		memmove(a->addr, a->addr + 12, 4);
		memset(a->addr + 4, 0, 12);
	}
	a->loopback = a->ipv == 4 ? a->addr[0] == 127
				  : a->ipv == 6 && IN6_IS_ADDR_LOOPBACK((const struct in6_addr *)(const void *)a->addr);
}

/* What connection and head say of who asks. */
static int
read_asker(struct request *q, struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *peer = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const union MHD_ConnectionInfo *tls = MHD_get_connection_info(c, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	const char *origin = header(c, "Origin");
	struct asker *a = &q->asker;
	int r;

	read_peer(a, peer ? peer->client_addr : NULL);
	a->authorization = header(c, "Authorization");
	a->cookie = header(c, "Cookie");
	a->csrf = header(c, "X-CSRF-Token");
	a->host = header(c, "Host");
	a->secure = (tls && tls->tls_session) || (origin && !strncmp(origin, "https://", 8));
	if (a->authorization && !strncasecmp(a->authorization, "Basic ", 6)) {
		MHD_free(MHD_basic_auth_get_username_password(c, &q->password));
		a->password = q->password;
	}
	if (!tls || !tls->tls_session || !q->http->setup.tls->authority)
		return 0;
	r = tls_client(tls->tls_session, q->certificate);
	if (r < 0)
		return refuse(q, MHD_HTTP_FORBIDDEN, "the certificate is not of client-ca, is out of its time, or names no sensor");
	if (r)
		a->certificate = q->certificate;
	return 0;
}

static int
check_gate(struct request *q)
{
	const struct api_route *route = q->route;
	struct gate *gate = q->http->setup.gate;
	unsigned status = 0;
	const char *why;

	if (route && route->kind == API_REPORTS)
		status = gate_send(gate, &q->asker, &why);
	else if (route ? !(route->flags & API_OPEN) : gate_wants_basic(gate))
		status = gate_look(gate, &q->asker, &why);
	if (!status && route && route->flags & API_CSRF)
		status = gate_change(gate, &q->asker, &why);
	return status ? refuse(q, status, why) : 0;
}

static int
check_post(struct request *q, struct MHD_Connection *c)
{
	const char *origin = header(c, "Origin"), *site = header(c, "Sec-Fetch-Site");
	const char *type = header(c, "Content-Type"), *coding = header(c, "Content-Encoding");
	const char *key = header(c, "Idempotency-Key"), *length = header(c, "Content-Length");
	int reports = q->route->kind == API_REPORTS;
	const char *right = reports ? "application/x-ndjson" : "application/json";
	size_t n = type ? strcspn(type, "; \t") : 0;

	if ((origin && !hosts_origin_known(&q->http->hosts, origin)) ||
	    (site && strcmp(site, "same-origin") && strcmp(site, "none")))
		return refuse(q, MHD_HTTP_FORBIDDEN, "a page of another site sent this");
	if (check_gate(q))
		return -1;
	if (n != strlen(right) || strncasecmp(type, right, n))
		return refuse(q, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
			      reports ? "Content-Type must be application/x-ndjson" : "Content-Type must be application/json");
	for (size_t i = 0; coding && reports && i < sizeof codings / sizeof *codings; i++) {
		if (!strcasecmp(coding, codings[i].name))
			q->coding = &codings[i];
	}
	if (coding && !q->coding && strcasecmp(coding, "identity"))
		return refuse(q, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
			      reports ? "Content-Encoding must be one of " CODINGS ", or none"
				      : "Content-Encoding must be none");
	if (key && !intake_key_ok(key))
		return refuse(q, MHD_HTTP_BAD_REQUEST, "Idempotency-Key must be SENSOR/BOOT/FIRST-LAST");
	if (!length && !header(c, "Transfer-Encoding"))
		return refuse(q, MHD_HTTP_LENGTH_REQUIRED, "Content-Length is missing");
	q->max = reports ? q->http->setup.max_body : API_BODY_MAX;
	if (length && strtoull(length, NULL, 10) > q->max)
		return refuse(q, MHD_HTTP_CONTENT_TOO_LARGE, reports ? why_body : why_body_json);
	if (q->http->body_bytes > BODIES_MAX * q->http->setup.max_body)
		return refuse(q, MHD_HTTP_SERVICE_UNAVAILABLE, "too many bodies at once");
	return 0;
}

static int
judge(struct request *q, struct MHD_Connection *c, const char *url, const char *method)
{
	const char *host = header(c, "Host"), *length = header(c, "Content-Length");
	int read_only = !strcmp(method, "GET") || !strcmp(method, "HEAD");

	if (url[0] != '/')
		return refuse(q, MHD_HTTP_BAD_REQUEST, "the target must be a path");
	if (check_framing(q, c))
		return -1;
	if (!host || !hosts_known(&q->http->hosts, host))
		return refuse(q, MHD_HTTP_MISDIRECTED_REQUEST,
			      "this Host is not one of ours: name it with the option `hosts`");
	if (read_asker(q, c))
		return -1;
	q->route = api_find(url);
	if (!q->route && !asset_find(url) && (read_only || !strcmp(method, "POST")))
		return refuse(q, MHD_HTTP_NOT_FOUND, "no such path; see docs/API.md");
	if (q->route && (q->route->kind == API_REPORTS || q->route->kind == API_POST))
		return strcmp(method, "POST") ? refuse(q, MHD_HTTP_METHOD_NOT_ALLOWED, why_post)
					      : check_post(q, c);
	if (!read_only)
		return refuse(q, MHD_HTTP_METHOD_NOT_ALLOWED, why_get);
	if (header(c, "Transfer-Encoding") || (length && strtoull(length, NULL, 10)))
		return refuse(q, MHD_HTTP_BAD_REQUEST, "a GET has no body");
	return check_gate(q);
}

/* ---- the API and the page ---- */

struct params_reader {
	const struct api_route *route;
	struct params *params;
	int64_t now_us;
	const char *wrong;
	char *key;           /* minute, path and parameters as they came, ANSWERS_KEY_MAX; "": too long to be kept */
};

static enum MHD_Result
read_param(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct params_reader *r = arg;

	size_t n = strlen(r->key);

	(void)kind;
	if (n && snprintf(r->key + n, ANSWERS_KEY_MAX - n, "&%s=%s", name, value ? value : "") >= (int)(ANSWERS_KEY_MAX - n))
		r->key[0] = 0;
	r->wrong = params_add(r->params, r->route->takes, name, value, r->now_us);
	return r->wrong ? MHD_NO : MHD_YES;
}

static void
unlink_exchange(struct exchange *x)
{
	x->next->prev = x->prev;
	x->prev->next = x->next;
	x->waits = 0;
}

static void
exchange_free(struct exchange *x)
{
	if (!x)
		return;
	if (x->waits)
		unlink_exchange(x);
	free(x->answer.json.buf);
	free(x->answer.state);
	explicit_bzero(x->answer.cookie, sizeof x->answer.cookie);
	free(x);
}

static void
on_done(struct api_answer *answer, int result)
{
	struct exchange *x = (struct exchange *)(void *)((char *)answer - offsetof(struct exchange, answer));
	struct http *h = x->http;

	unlink_exchange(x);
	x->result = result;
	MHD_resume_connection(x->connection);
	loop_timer_set(h->setup.loop, &h->soon, 0, on_soon, h);
}

static enum MHD_Result
reply_exchange(struct request *q, struct MHD_Connection *c)
{
	struct exchange *x = q->exchange;
	struct api_answer *answer = &x->answer;
	struct MHD_Response *r;
	char *less;

	if (x->result || (!answer->type && json_end(&answer->json)))
		return reply_store_error(q->http, c, x->result ? x->result : -EIO);
	if (!answer->type)
		answer->json.buf[answer->json.len++] = '\n';
	if (x->key[0] && !answer->type && !answer->download && answer->status == MHD_HTTP_OK)
		answers_put(&q->http->answers, x->key, store_last_id(q->http->setup.store), clock_mono_us(),
			    answer->json.buf, answer->json.len);
	less = realloc(answer->json.buf, answer->json.len + 1);
	r = MHD_create_response_from_buffer(answer->json.len, less ? less : answer->json.buf, MHD_RESPMEM_MUST_FREE);
	answer->json.buf = NULL;
	if (r && answer->download)
		add_download(r, answer->download);
	if (r && answer->next)
		add_next(r, answer->next);
	if (r && answer->retry_s)
		add_retry_after(r, answer->retry_s);
	if (r && answer->cookie[0])
		MHD_add_response_header(r, MHD_HTTP_HEADER_SET_COOKIE, answer->cookie);
	return reply(c, answer->status, r, answer->type ? answer->type : "application/json", "no-store");
}

/* One of the last second's; MHD_NO: there is none. */
static enum MHD_Result
reply_again(struct http *h, const struct exchange *x, struct MHD_Connection *c)
{
	size_t n = 0;
	const char *bytes = x->key[0] ? answers_find(&h->answers, x->key, store_last_id(h->setup.store), clock_mono_us(), &n)
				      : NULL;

	return bytes ? reply(c, MHD_HTTP_OK, MHD_create_response_from_buffer(n, (void *)(uintptr_t)bytes, MHD_RESPMEM_MUST_COPY),
			     "application/json", "no-store") : MHD_NO;
}

static enum MHD_Result
reply_api(struct request *q, struct MHD_Connection *c)
{
	struct http *h = q->http;
	struct params_reader reader = { .route = q->route, .now_us = clock_wall_us() };
	struct exchange *x = calloc(1, sizeof *x);
	size_t size = q->route->flags & API_BIG ? 4 * REPLY_BYTES : REPLY_BYTES;
	char *buf = malloc(size); /* pages that stay unused cost nothing */

	if (!x || !buf) {
		free(x);
		free(buf);
		return reply_error(c, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
	}
	q->exchange = x;
	*x = (struct exchange){ .http = h, .connection = c };
	x->answer = (struct api_answer){ .status = MHD_HTTP_OK, .done = on_done };
	json_begin(&x->answer.json, buf, size - 1);
	x->asked.body = q->body ? q->body : "";
	x->asked.body_n = q->len;
	x->asked.asker = &q->asker;
	reader.params = &x->asked.params;
	reader.key = x->key;
	if (q->route->flags & API_KEEP)
		snprintf(x->key, sizeof x->key, "%lld%s", (long long)(reader.now_us / 60000000), q->route->path); /* windows end with the minute */
	else if (q->route->kind == API_POST)
		answers_clear(&h->answers);
	params_begin(reader.params, q->route->limit, reader.now_us);
	MHD_get_connection_values(c, MHD_GET_ARGUMENT_KIND, read_param, &reader);
	if (reader.wrong)
		return reply_error(c, MHD_HTTP_BAD_REQUEST, reader.wrong);
	if (reply_again(h, x, c) == MHD_YES)
		return MHD_YES;
	h->api.connections = h->n_clients;
	h->api.streams = h->n_streams;
	x->result = q->route->fn(&h->api, &x->asked, &x->answer);
	if (x->result != API_LATER)
		return reply_exchange(q, c);
	x->waits = 1;
	x->next = h->exchanges.next;
	x->prev = &h->exchanges;
	x->next->prev = x->prev->next = x;
	MHD_suspend_connection(c);
	return MHD_YES;
}

static enum MHD_Result
reply_asset(struct MHD_Connection *c, const char *path)
{
	const struct asset *a = asset_find(path);
	const char *have = header(c, "If-None-Match"), *takes = header(c, "Accept-Encoding");
	int same = have && strstr(have, a->etag), packed = a->gz && takes && strstr(takes, "gzip");
	struct MHD_Response *r = MHD_create_response_from_buffer(same ? 0 : packed ? a->gz_n : a->n,
		(void *)(uintptr_t)(packed ? a->gz : a->bytes), MHD_RESPMEM_PERSISTENT);

	if (r) {
		MHD_add_response_header(r, MHD_HTTP_HEADER_ETAG, a->etag);
		if (a->gz)
			MHD_add_response_header(r, MHD_HTTP_HEADER_VARY, "Accept-Encoding");
		if (packed)
			MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
	}
	return reply(c, same ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, r, a->type, "no-cache");
}

/* ---- the event stream ---- */

/* Up to `max` bytes of what is there; nothing there: sleeps until http_wake(). */
static ssize_t
stream_read(void *arg, uint64_t pos, char *buf, size_t max)
{
	struct stream *s = arg;

	(void)pos;
	s->http->calls++;
	if (s->http->closing || s->over)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (s->gone)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (s->done == s->len) {
		s->done = 0;
		s->len = live_read(s->http->setup.live, &s->place, s->out, sizeof s->out);
		if (!s->len && s->ping) {
			memcpy(s->out, ":\n\n", 3);
			s->len = 3;
		}
		if (s->len)
			s->ping = 0;
	}
	if (s->done == s->len) {
		s->asleep = 1;
		MHD_suspend_connection(s->connection);
		return 0;
	}
	if (max > s->len - s->done)
		max = s->len - s->done;
	memcpy(buf, s->out + s->done, max);
	s->done += max;
	return (ssize_t)max;
}

static void
stream_free(void *arg)
{
	struct stream *s = arg;
	struct http *h = s->http;

	for (unsigned i = 0; i < h->n_streams; i++) {
		if (h->streams[i] == s) {
			h->streams[i] = h->streams[--h->n_streams];
			break;
		}
	}
	free(s);
}

static void
wake(struct http *h, int ping)
{
	for (unsigned i = 0; i < h->n_streams; i++) {
		struct stream *s = h->streams[i];

		s->ping |= ping;
		if (!s->asleep ||
		    !(s->ping || s->gone || s->over || h->closing || live_waiting(h->setup.live, &s->place)))
			continue;
		s->asleep = 0;
		MHD_resume_connection(s->connection);
	}
}

/* libmicrohttpd does not look at a suspended connection, so it never learns that it ended. */
static void
bury(struct http *h)
{
	for (unsigned i = 0; i < h->n_streams; i++) {
		char byte;
		ssize_t n = recv(h->streams[i]->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

		if (!n || (n < 0 && errno != EAGAIN && errno != EINTR))
			h->streams[i]->gone = 1;
	}
}

/* Whoever logged out, was removed, has another password, or whose token is gone. */
static void
dismiss(struct http *h)
{
	for (unsigned i = 0; i < h->n_streams; i++)
		h->streams[i]->over |= !gate_may_look_on(h->setup.gate, h->streams[i]->asker);
}

static enum MHD_Result
reply_stream(struct request *q, struct MHD_Connection *c, int head_only)
{
	static const char hello[] = "retry: 2000\n\n";
	const char *last = header(c, "Last-Event-ID");
	struct http *h = q->http;
	struct MHD_Response *r;
	struct stream *s;
	int64_t after = -1;

	if (last && *last && params_number(last, 0, REPORT_INT_MAX, &after))
		return reply_error(c, MHD_HTTP_BAD_REQUEST, "Last-Event-ID must be an id");
	if (head_only) {
		r = MHD_create_response_from_buffer(0, (void *)(uintptr_t)hello, MHD_RESPMEM_PERSISTENT);
		return reply(c, MHD_HTTP_OK, r, "text/event-stream", "no-store");
	}
	if (h->n_streams == LIVE_STREAMS) {
		bury(h); /* and the next to ask has a place */
		wake(h, 0);
		return reply_error(c, MHD_HTTP_SERVICE_UNAVAILABLE, "too many event streams");
	}
	s = calloc(1, sizeof *s);
	if (!s)
		return reply_error(c, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
	s->http = h;
	s->connection = c;
	s->fd = q->client->fd;
	s->asker = &q->asker;
	s->len = strlen(hello);
	memcpy(s->out, hello, s->len);
	live_start(h->setup.live, &s->place, after);
	r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, stream_read, s, stream_free);
	if (!r) {
		free(s);
		return MHD_NO;
	}
	h->streams[h->n_streams++] = s;
	q->client->phase = PHASE_STREAM;
	return reply(c, MHD_HTTP_OK, r, "text/event-stream", "no-store");
}

/* ---- POST ---- */

static void
take_body(struct request *q, const char *bytes, size_t n)
{
	struct http *h = q->http;

	if (q->too_big || q->crowded)
		return;
	if (n > q->max - q->len) {
		q->too_big = 1;
		return;
	}
	if (n + 1 > q->size - q->len) {
		size_t size = q->size ? 2 * q->size : 32768;
		char *more;

		while (size < q->len + n + 1)
			size *= 2;
		if (h->body_bytes + size - q->size > (BODIES_MAX + 1) * h->setup.max_body + 65536) {
			q->crowded = 1;
			return;
		}
		more = realloc(q->body, size);
		if (!more) {
			q->crowded = 1;
			return;
		}
		h->body_bytes += size - q->size;
		q->body = more;
		q->size = size;
	}
	memcpy(q->body + q->len, bytes, n);
	q->len += n;
	q->body[q->len] = 0;
}

static enum MHD_Result
reply_intake(struct request *q, struct MHD_Connection *c)
{
	struct http *h = q->http;
	struct MHD_Response *r;
	char *unpacked = NULL;
	const char *body = q->body;
	size_t n = q->len, whole;
	int e, news = 0;
	struct intake_counts before = intake_counts(h->setup.intake), after;
	struct intake_from from = { .sensor = q->asker.sensor, .keyed = header(c, "Idempotency-Key") != NULL,
				    .is_enrolled = gate_is_enrolled, .arg = h->setup.gate };

	if (q->coding) {
		e = q->coding->unpack(q->body, q->len, 4 * h->setup.max_body, &unpacked, &n);
		if (e == -EFBIG)
			return reply_error(c, MHD_HTTP_CONTENT_TOO_LARGE,
					   "body unpacks to more than four times max-body, or 64 times itself");
		if (e)
			return reply_error(c, e == -ENOMEM ? MHD_HTTP_SERVICE_UNAVAILABLE
							   : MHD_HTTP_BAD_REQUEST, q->coding->wrong);
		body = unpacked;
	}
	whole = n;
	e = intake_body(h->setup.intake, body, n, &from, clock_wall_us(), clock_mono_us(), h->answer, &n, &news);
	free(unpacked);
	if (e && e != -EEXIST)
		return reply_store_error(h, c, e);
	after = intake_counts(h->setup.intake);
	gate_sent(h->setup.gate, &q->asker, (int64_t)(after.accepted + after.duplicate + after.rejected -
						     before.accepted - before.duplicate - before.rejected), (int64_t)whole);
	if (news)
		wake(h, 0);
	h->answer[n++] = '\n';
	r = MHD_create_response_from_buffer(n, h->answer, MHD_RESPMEM_MUST_COPY);
	/* In an answer: of the next requests (RFC 9110, 12.5.3). */
	if (r)
		MHD_add_response_header(r, MHD_HTTP_HEADER_ACCEPT_ENCODING, CODINGS);
	return reply(c, e ? MHD_HTTP_CONFLICT : MHD_HTTP_OK, r, "application/json", "no-store");
}

/* ---- libmicrohttpd's callbacks ---- */

static enum MHD_Result
on_request(void *arg, struct MHD_Connection *c, const char *url, const char *method,
	   const char *version, const char *upload, size_t *upload_n, void **state)
{
	struct http *h = arg;
	struct request *q = *state;
	const union MHD_ConnectionInfo *info;
	enum MHD_Result r;

	(void)version;
	h->calls++;
	if (!q) {
		info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
		q = calloc(1, sizeof *q);
		if (!q || !info || !info->socket_context) {
			free(q);
			return MHD_NO;
		}
		q->http = h;
		q->client = info->socket_context;
		q->client->phase = PHASE_BODY;
		q->client->since_us = clock_mono_us();
		*state = q;
		/* Answered now, libmicrohttpd closes the connection behind it: right when a body is
		 * on its way, wasteful otherwise. */
		if (judge(q, c, url, method) && (header(c, "Content-Length") || header(c, "Transfer-Encoding")))
			return reply_refused(q, c);
		return MHD_YES;
	}
	if (*upload_n) {
		if (!q->status)
			take_body(q, upload, *upload_n);
		*upload_n = 0;
		return MHD_YES;
	}
	if (q->exchange)
		return reply_exchange(q, c);
	q->client->phase = PHASE_REPLY;
	q->client->since_us = clock_mono_us();
	if (q->status)
		return reply_refused(q, c);
	if (q->too_big)
		return reply_error(c, MHD_HTTP_CONTENT_TOO_LARGE, q->route->kind == API_REPORTS ? why_body : why_body_json);
	if (q->crowded)
		return reply_error(c, MHD_HTTP_SERVICE_UNAVAILABLE, "too many bodies at once");
	if (!q->route)
		return reply_asset(c, url);
	switch (q->route->kind) {
	case API_REPORTS:
		return reply_intake(q, c);
	case API_EVENTS:
		return reply_stream(q, c, !strcmp(method, "HEAD"));
	default:
		r = reply_api(q, c);
		if (q->route->flags & API_CSRF) {
			dismiss(h); /* at once after a logout; otherwise with the next ping */
			wake(h, 0);
		}
		return r;
	}
}

static void
on_completed(void *arg, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode code)
{
	struct http *h = arg;
	struct request *q = *state;

	(void)c;
	(void)code;
	if (!q)
		return;
	q->client->phase = PHASE_HEAD;
	q->client->since_us = clock_mono_us();
	h->body_bytes -= q->size;
	exchange_free(q->exchange);
	if (q->password)
		explicit_bzero(q->password, strlen(q->password));
	MHD_free(q->password);
	free(q->body);
	free(q);
	*state = NULL;
}

static void
on_connection(void *arg, struct MHD_Connection *c, void **socket_state, enum MHD_ConnectionNotificationCode code)
{
	struct http *h = arg;
	struct client *client = *socket_state;
	const union MHD_ConnectionInfo *info;

	h->calls++;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
		client = calloc(1, sizeof *client);
		*socket_state = client;
		if (!client)
			return; /* its requests are refused */
		*client = (struct client){ .fd = info ? info->connect_fd : -1, .since_us = clock_mono_us(),
					   .next = h->clients.next, .prev = &h->clients };
		client->next->prev = client;
		client->prev->next = client;
		h->n_clients++;
		return;
	}
	if (!client)
		return;
	client->next->prev = client->prev;
	client->prev->next = client->next;
	h->n_clients--;
	free(client);
	*socket_state = NULL;
}

/* None of our paths needs a %, so none is one: no second spelling of anything.  params.c reads those of the
 * parameters that may have them. */
static size_t
on_unescape(void *arg, struct MHD_Connection *c, char *text)
{
	(void)arg;
	(void)c;
	return strlen(text);
}

static void __attribute__((format(printf, 2, 0)))
on_log(void *arg, const char *fmt, va_list ap)
{
	char text[300];

	(void)arg;
	vsnprintf(text, sizeof text, fmt, ap);
	text[strcspn(text, "\n")] = 0;
	log_debug("libmicrohttpd: %s", text);
}

/* ---- the loop ---- */

static void
turn(struct http *h);

static void
on_soon(struct loop_timer *t)
{
	turn(t->arg);
}

static void
on_ready(struct loop_fd *f, uint32_t events)
{
	(void)events;
	turn(f->arg);
}

static void
turn(struct http *h)
{
	unsigned long long ms = 0;
	unsigned calls = h->calls;
	int64_t wait_us;

	MHD_run(h->daemon);
	h->idle_turns = calls == h->calls ? h->idle_turns + 1 : 0;
	/* It does a quantum for each connection and may have more that no descriptor tells of.  It also
	 * says so, for ever, of a connection whose buffer is full of a line that has no end (0.9.75):
	 * when nothing comes of turn after turn, the next one may wait, until sweep() ends the thing. */
	if (MHD_get_timeout(h->daemon, &ms) != MHD_YES || ms >= 1000)
		return;
	wait_us = (int64_t)ms * 1000;
	if (h->idle_turns > 16 && wait_us < 20000)
		wait_us = 20000;
	loop_timer_set(h->setup.loop, &h->soon, wait_us, on_soon, h);
}

static void
sweep(struct http *h, int64_t now_us)
{
	static const int64_t allowed_us[] = { HEAD_US, BODY_US, REPLY_US, INT64_MAX };

	int crowded = h->n_clients > h->setup.connections / 4 * 3;

	for (struct client *c = h->clients.next; c != &h->clients; c = c->next) {
		int64_t allowed = crowded && c->phase == PHASE_HEAD ? HEAD_CROWDED_US : allowed_us[c->phase];

		if (now_us - c->since_us <= allowed)
			continue;
		/* libmicrohttpd sees the end of the connection, and ends the request. */
		shutdown(c->fd, SHUT_RDWR);
		c->since_us = now_us;
	}
}

static void
on_tick(struct loop_timer *t)
{
	struct http *h = t->arg;
	int64_t now_us = loop_now_us(h->setup.loop);
	int ping = now_us - h->ping_us >= PING_US;

	loop_timer_set(h->setup.loop, &h->tick, TICK_US, on_tick, h);
	if (ping) {
		h->ping_us = now_us;
		dismiss(h);
	}
	sweep(h, now_us);
	live_tick(h->setup.live, now_us);
	bury(h);
	wake(h, ping);
	turn(h);
}

void
http_wake(struct http *h)
{
	wake(h, 0);
}

void
http_set_hosts(struct http *h, const struct hosts *hosts)
{
	h->hosts = *hosts;
}

void
http_set_max_body(struct http *h, size_t max_body)
{
	h->setup.max_body = max_body;
}

int
http_is_loopback(const char *address)
{
	struct in6_addr six;
	struct in_addr four;

	if (inet_pton(AF_INET, address, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, address, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

int
http_listen(const char *address, unsigned *port)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in four;
		struct sockaddr_in6 six;
	} at = { .four = { .sin_family = AF_INET, .sin_port = htons((uint16_t)*port) } };
	socklen_t len = sizeof at.four;
	int one = 1, fd, r;

	if (inet_pton(AF_INET, address, &at.four.sin_addr) != 1) {
		at.six = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)*port) };
		len = sizeof at.six;
		if (inet_pton(AF_INET6, address, &at.six.sin6_addr) != 1)
			return -EINVAL;
	}
	fd = socket(at.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fd, &at.sa, len) || listen(fd, 128) || getsockname(fd, &at.sa, &len)) {
		r = -errno;
		close(fd);
		return r;
	}
	*port = ntohs(at.sa.sa_family == AF_INET ? at.four.sin_port : at.six.sin6_port);
	return fd;
}

struct http *
http_start(const struct http_setup *setup)
{
	struct http *h = calloc(1, sizeof *h);
	const union MHD_DaemonInfo *info;
	struct MHD_OptionItem tls[5] = { { MHD_OPTION_END, 0, NULL }, { MHD_OPTION_END, 0, NULL }, { MHD_OPTION_END, 0, NULL },
					 { MHD_OPTION_END, 0, NULL }, { MHD_OPTION_END, 0, NULL } };
	static char priorities[] = TLS_PRIORITIES;
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	int r;

	if (!h)
		goto fail;
	h->setup = *setup;
	h->clients.next = h->clients.prev = &h->clients;
	h->exchanges.next = h->exchanges.prev = &h->exchanges;
	h->ping_us = clock_mono_us();
	h->api = (struct api){ .store = setup->store, .intake = setup->intake, .gate = setup->gate, .geo = setup->geo, .graph = setup->graph,
			      .started_us = h->ping_us };
	h->answer = malloc(INTAKE_ANSWER_MAX + 1);
	if (!h->answer)
		goto fail;
	if (setup->tls->certificate) {
		unsigned i = 0;

		tls[i++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_CERT, 0, setup->tls->certificate };
		tls[i++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_KEY, 0, setup->tls->key };
		tls[i++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_PRIORITIES, 0, priorities };
		if (setup->tls->authority)
			tls[i++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_TRUST, 0, setup->tls->authority };
		flags |= MHD_USE_TLS;
	}
	h->daemon = MHD_start_daemon(
		flags, 0, NULL, NULL, on_request, h,
		MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
		MHD_OPTION_ARRAY, tls,
		MHD_OPTION_LISTEN_SOCKET, setup->listen_fd,
		MHD_OPTION_CONNECTION_LIMIT, setup->connections,
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, setup->connections_per_ip,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SILENCE_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES,
		MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
		MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, NULL,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, h,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_END);
	if (!h->daemon)
		goto fail;
	info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info)
		goto fail;
	r = loop_fd_add(setup->loop, &h->watch, info->epoll_fd, EPOLLIN, on_ready, h);
	if (r) {
		errno = -r;
		goto fail;
	}
	loop_timer_set(setup->loop, &h->tick, TICK_US, on_tick, h);
	return h;
fail:
	log_error("HTTP server does not start: %s", strerror(errno ? errno : ENOMEM));
	if (h && h->daemon)
		MHD_stop_daemon(h->daemon);
	else
		close(setup->listen_fd);
	if (h)
		free(h->answer);
	free(h);
	return NULL;
}

void
http_stop(struct http *h)
{
	if (!h)
		return;
	while (h->exchanges.next != &h->exchanges)
		on_done(&h->exchanges.next->answer, -EBUSY);
	loop_timer_clear(&h->soon);
	loop_timer_clear(&h->tick);
	loop_fd_del(&h->watch);
	/* Streams end with a last chunk, if they still take it. */
	h->closing = 1;
	wake(h, 1);
	MHD_run(h->daemon);
	MHD_run(h->daemon);
	MHD_stop_daemon(h->daemon);
	answers_clear(&h->answers);
	free(h->answer);
	free(h);
}
