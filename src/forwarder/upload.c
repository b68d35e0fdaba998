/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * upload.c - the only file that speaks HTTP and TLS.  Receives a batch from deliver, feeds the
 * answer's body to reply and hands its verdict back.
 */
#include "upload.h"

#include "lib/json.h"
#include "lib/log.h"
#include "rename.h"

#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define UPLOAD_CONNECT_MS 10000L
#define UPLOAD_TOTAL_MS 30000L
#define UPLOAD_UNACKED_MS 20000   /* TCP_USER_TIMEOUT: bytes sent and not acknowledged */
#define UPLOAD_SILENT_S 20L       /* fewer than UPLOAD_SLOW_BPS for so long: given up */
#define UPLOAD_SLOW_BPS 16L
/* Two addresses racing, the resolver's wake-up, and one that is about to close. */
#define UPLOAD_SOCKETS 8

struct upload {
	struct loop *loop;
	const struct settings *settings;
	CURLM *multi;
	CURL *easy;
	struct curl_slist *headers; /* of the POST under way */
	char *body;                 /* its own, where that is not the batch's */
	struct loop_fd sockets[UPLOAD_SOCKETS];
	struct loop_timer timer;
	struct reply reply;
	int busy;
	int connected;              /* a connection was made: see upload_connected() */
	upload_done_fn *done;
	void *arg;
	char error[CURL_ERROR_SIZE];
};

/* The bearer token is among them. */
static void
upload_wipe_headers(struct upload *u)
{
	free(u->body);
	u->body = NULL;
	for (struct curl_slist *h = u->headers; h; h = h->next)
		explicit_bzero(h->data, strlen(h->data));
	curl_slist_free_all(u->headers);
	u->headers = NULL;
}

/* What the answer's headers say. */
static void
upload_read_headers(struct upload *u)
{
	struct curl_header *h;

	for (size_t i = 0, n = 1; i < n && !curl_easy_header(u->easy, "Accept-Encoding", i, CURLH_HEADER, -1, &h); i++) {
		reply_accepts(&u->reply, h->value);
		n = h->amount;
	}
}

/* curl may have finished the transfer: the one place where `done` is called. */
static void
upload_check(struct upload *u)
{
	struct reply_verdict verdict;
	CURLMsg *msg;
	CURLcode code = CURLE_OK;
	const char *error = NULL;
	long status = 0, connects = 0;
	curl_off_t retry_after_s = 0;
	int left, ended = 0;

	while ((msg = curl_multi_info_read(u->multi, &left))) {
		if (msg->msg == CURLMSG_DONE) {
			code = msg->data.result;
			ended = 1;
		}
	}
	if (!ended || !u->busy)
		return;
	curl_easy_getinfo(u->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(u->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
	curl_easy_getinfo(u->easy, CURLINFO_NUM_CONNECTS, &connects);
	if (connects > 0)
		u->connected = 1;
	upload_read_headers(u);
	if (code != CURLE_OK)
		error = u->error[0] ? u->error : curl_easy_strerror(code);
	curl_multi_remove_handle(u->multi, u->easy);
	upload_wipe_headers(u);
	u->busy = 0;
	reply_end(&u->reply, error, status, retry_after_s, &verdict);
	u->done(u->arg, &verdict);
}

static void
upload_act(struct upload *u, curl_socket_t fd, int mask)
{
	int running;

	curl_multi_socket_action(u->multi, fd, mask, &running);
	upload_check(u);
}

static void
upload_on_fd(struct loop_fd *w, uint32_t events)
{
	int mask = (events & EPOLLIN ? CURL_CSELECT_IN : 0) | (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
		   (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

	upload_act(w->arg, w->fd, mask);
}

static void
upload_on_timer(struct loop_timer *t)
{
	upload_act(t->arg, CURL_SOCKET_TIMEOUT, 0);
}

static int
upload_watch(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct upload *u = arg;
	struct loop_fd *w = known;
	uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0U) | (what & CURL_POLL_OUT ? EPOLLOUT : 0U);
	int r = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (w)
			loop_fd_del(w);
		curl_multi_assign(u->multi, fd, NULL);
		return 0;
	}
	if (w) {
		r = loop_fd_events(w, events);
	} else {
		unsigned i = 0;

		while (i < UPLOAD_SOCKETS && u->sockets[i].loop)
			i++;
		r = i == UPLOAD_SOCKETS ? -EMFILE :
					  loop_fd_add(u->loop, &u->sockets[i], fd, events, upload_on_fd, u);
		if (!r)
			curl_multi_assign(u->multi, fd, &u->sockets[i]);
	}
	if (r)
		log_warn("cannot watch a socket: %s; this post will time out and be sent again", strerror(-r));
	return 0;
}

static int
upload_set_timer(CURLM *multi, long ms, void *arg)
{
	struct upload *u = arg;

	(void)multi;
	if (ms < 0)
		loop_timer_clear(&u->timer);
	else
		loop_timer_set(u->loop, &u->timer, ms * 1000LL, upload_on_timer, u);
	return 0;
}

static size_t
upload_on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct upload *u = arg;

	return reply_body(&u->reply, bytes, size * n) ? 0 : size * n;
}

static int
upload_on_socket(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	unsigned ms = UPLOAD_UNACKED_MS;

	(void)arg;
	(void)purpose;
	/* Where it is not to be had, the total time-out does the same, later. */
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
	return CURL_SOCKOPT_OK;
}

/* OpenSSL opens the one file it needs from a directory of hashed names, but parses a bundle whole,
 * 140 certificates, at each connection. */
static int
has_hashed_certificates(void)
{
	const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);
	struct dirent *entry;
	int found = 0;
	DIR *dir;

	if (!v->capath || !v->ssl_version || strncmp(v->ssl_version, "OpenSSL", 7))
		return 0;
	dir = opendir(v->capath);
	while (dir && !found && (entry = readdir(dir)))
		found = strlen(entry->d_name) == 10 && !strcmp(entry->d_name + 8, ".0");
	if (dir)
		closedir(dir);
	return found;
}

/* Who we are; lent to libcurl, as the settings are to us. */
static CURLcode
upload_options_client(struct upload *u)
{
	const struct settings *s = u->settings;
	struct curl_blob cert = { s->cert.data, s->cert.len, CURL_BLOB_NOCOPY };
	struct curl_blob key = { s->key.data, s->key.len, CURL_BLOB_NOCOPY };
	CURLcode r = curl_easy_setopt(u->easy, CURLOPT_SSLCERT_BLOB, &cert);

	return r ? r : curl_easy_setopt(u->easy, CURLOPT_SSLKEY_BLOB, &key);
}

static CURLcode
upload_options_tls(struct upload *u)
{
	CURL *e = u->easy;
	CURLcode r = CURLE_OK;

#define SET(option, value) \
	do { \
		if (!r) \
			r = curl_easy_setopt(e, option, value); \
	} while (0)
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	/* A parsed bundle is 1 MB that would be kept for a day to save 3 ms at each reconnection. */
	SET(CURLOPT_CA_CACHE_TIMEOUT, 0L);
	if (u->settings->pin[0])
		SET(CURLOPT_PINNEDPUBLICKEY, u->settings->pin);
	if (!r && u->settings->cert.data)
		r = upload_options_client(u);
	if (u->settings->ca_file[0]) {
		/* That one authority, and not the system's beside it. */
		SET(CURLOPT_CAINFO, u->settings->ca_file);
		SET(CURLOPT_CAPATH, (char *)NULL);
	} else if (has_hashed_certificates()) {
		SET(CURLOPT_CAINFO, (char *)NULL);
	}
	return r;
}

static CURLcode
upload_options(struct upload *u)
{
	CURL *e = u->easy;
	CURLcode r = CURLE_OK;
	char agent[SETTINGS_VERSION_MAX + sizeof "net-gazer/"];

	snprintf(agent, sizeof agent, "net-gazer/%s", u->settings->version);
	SET(CURLOPT_URL, u->settings->url);
	SET(CURLOPT_USERAGENT, agent);
	SET(CURLOPT_PROTOCOLS_STR, u->settings->tls ? "https" : "http");
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	/* "" and "*": no proxy, whatever the environment says. */
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_NOPROXY, "*");
	SET(CURLOPT_POST, 1L);
	SET(CURLOPT_NOSIGNAL, 1L);
	/* Else the end of a POST waits for a resolver that does not answer, and so does the pipe. */
	SET(CURLOPT_QUICK_EXIT, 1L);
	SET(CURLOPT_CONNECTTIMEOUT_MS, UPLOAD_CONNECT_MS);
	SET(CURLOPT_TIMEOUT_MS, UPLOAD_TOTAL_MS);
	SET(CURLOPT_LOW_SPEED_LIMIT, UPLOAD_SLOW_BPS);
	SET(CURLOPT_LOW_SPEED_TIME, UPLOAD_SILENT_S);
	SET(CURLOPT_SOCKOPTFUNCTION, upload_on_socket);
	SET(CURLOPT_WRITEFUNCTION, upload_on_body);
	SET(CURLOPT_WRITEDATA, u);
	SET(CURLOPT_ERRORBUFFER, u->error);
	/* The smallest that libcurl has: answers are short. */
	SET(CURLOPT_BUFFERSIZE, 1024L);
	SET(CURLOPT_UPLOAD_BUFFERSIZE, 16384L);
	SET(CURLOPT_MAXCONNECTS, 1L);
	if (!r && u->settings->tls)
		r = upload_options_tls(u);
	return r;
}

struct upload *
upload_new(struct loop *loop, const struct settings *settings, char *err, size_t err_size)
{
	struct upload *u;
	CURLcode r;

	/* Without TLS its library need not be set up: 1 MB. */
	r = curl_global_init(settings->tls ? CURL_GLOBAL_SSL : CURL_GLOBAL_NOTHING);
	if (r) {
		snprintf(err, err_size, "libcurl: %s", curl_easy_strerror(r));
		return NULL;
	}
	u = calloc(1, sizeof *u);
	if (!u)
		goto no_memory;
	u->loop = loop;
	u->settings = settings;
	u->multi = curl_multi_init();
	u->easy = curl_easy_init();
	if (!u->multi || !u->easy)
		goto no_memory;
	r = upload_options(u);
	if (r) {
		snprintf(err, err_size, "this libcurl (%s) cannot do what is needed: %s", curl_version(),
			 curl_easy_strerror(r));
		upload_free(u);
		return NULL;
	}
	curl_multi_setopt(u->multi, CURLMOPT_SOCKETFUNCTION, upload_watch);
	curl_multi_setopt(u->multi, CURLMOPT_SOCKETDATA, u);
	curl_multi_setopt(u->multi, CURLMOPT_TIMERFUNCTION, upload_set_timer);
	curl_multi_setopt(u->multi, CURLMOPT_TIMERDATA, u);
	curl_multi_setopt(u->multi, CURLMOPT_MAXCONNECTS, 1L);
	return u;
no_memory:
	snprintf(err, err_size, "out of memory");
	upload_free(u);
	return NULL;
}

void
upload_free(struct upload *u)
{
	if (!u)
		return;
	upload_cancel(u);
	curl_easy_cleanup(u->easy);
	curl_multi_cleanup(u->multi);
	loop_timer_clear(&u->timer);
	for (unsigned i = 0; i < UPLOAD_SOCKETS; i++)
		loop_fd_del(&u->sockets[i]);
	free(u);
	curl_global_cleanup();
}

static int
upload_header(struct upload *u, const char *text)
{
	struct curl_slist *longer = curl_slist_append(u->headers, text);

	if (!longer)
		return -ENOMEM;
	u->headers = longer;
	return 0;
}

static int
upload_headers(struct upload *u, const struct batch *b, enum pack_coding coding, const struct upload_how *how)
{
	const struct settings *s = u->settings;
	char ts[JSON_TIME_LEN + 1], key[256], sent[128], packed[64], bearer[SETTINGS_TOKEN_MAX + 64];
	int r;

	json_time_text(ts, loop_wall_us(u->loop));
	snprintf(key, sizeof key, "Idempotency-Key: %s/%s/%llu-%llu", how->sensor, b->boot,
		 (unsigned long long)b->first, (unsigned long long)b->last);
	snprintf(sent, sizeof sent, "Net-Gazer-Sent: up_us=%lld; ts=%s; dropped=%llu",
		 (long long)clock_boot_us(), ts, (unsigned long long)how->dropped);
	r = upload_header(u, "Content-Type: application/x-ndjson") || upload_header(u, "Accept: application/json") ||
	    /* No waiting for "100 Continue": a refusal costs one batch of 64 KiB. */
	    upload_header(u, "Expect:") || upload_header(u, key) || upload_header(u, sent);
	snprintf(packed, sizeof packed, "Content-Encoding: %s", pack_name(coding));
	if (!r && coding != PACK_NONE)
		r = upload_header(u, packed);
	if (!r && s->token[0]) {
		snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", s->token);
		r = upload_header(u, bearer);
		explicit_bzero(bearer, sizeof bearer);
	}
	return r ? -ENOMEM : 0;
}

/* Another body than the batch's own: unpacked, or under another name.  Its size, or 0: no memory. */
static size_t
upload_make_body(struct upload *u, const struct batch *b, const struct upload_how *how, enum pack_coding *coding)
{
	size_t len = b->len, packed_len;
	char *lines = batch_lines(b), *other;

	if (!lines)
		return 0;
	if (strcmp(how->sensor, u->settings->sensor)) {
		other = rename_lines(lines, len, u->settings->sensor, how->sensor, &len);
		free(lines);
		lines = other;
	}
	u->body = lines;
	*coding = PACK_NONE;
	if (how->plain || !lines || !(other = malloc(len)))
		return lines ? len : 0;
	packed_len = pack(b->coding, lines, len, other, len);
	if (!packed_len) {
		free(other);
		return len;
	}
	free(lines);
	u->body = other;
	*coding = b->coding;
	return packed_len;
}

int
upload_post(struct upload *u, const struct batch *b, const struct upload_how *how, upload_done_fn *done, void *arg)
{
	int r = reply_begin(&u->reply, b->first, b->last, b->n);
	int as_it_is = !strcmp(how->sensor, u->settings->sensor) && (!how->plain || b->coding == PACK_NONE);
	enum pack_coding coding = b->coding;
	size_t size;

	if (r)
		return r;
	size = as_it_is ? b->size : upload_make_body(u, b, how, &coding);
	u->busy = 1;
	u->done = done;
	u->arg = arg;
	u->error[0] = 0;
	r = size ? upload_headers(u, b, coding, how) : -ENOMEM;
	if (!r && (curl_easy_setopt(u->easy, CURLOPT_HTTPHEADER, u->headers) ||
		   curl_easy_setopt(u->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size) ||
		   curl_easy_setopt(u->easy, CURLOPT_POSTFIELDS, u->body ? u->body : b->bytes) || /* lent */
		   curl_multi_add_handle(u->multi, u->easy)))
		r = -ENOMEM;
	if (r)
		upload_cancel(u);
	return r;
}

void
upload_cancel(struct upload *u)
{
	struct reply_verdict unused;

	if (!u->busy)
		return;
	u->busy = 0;
	curl_multi_remove_handle(u->multi, u->easy);
	upload_wipe_headers(u);
	reply_end(&u->reply, "cancelled", 0, 0, &unused);
}

int
upload_connected(struct upload *u)
{
	int connected = u->connected;

	u->connected = 0;
	return connected;
}
