/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * http.h - the HTTP server: who may speak to us, which path goes where, the event stream.
 * libmicrohttpd in epoll mode, driven by our one loop: no thread, no lock.
 */
#ifndef HTTP_H
#define HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "hosts.h"

struct geolink;
struct projection;
struct gate;
struct http;
struct intake;
struct live;
struct loop;
struct store;
struct tls;

struct http_setup {
	struct loop *loop;
	struct store *store;
	struct intake *intake;
	struct live *live;
	struct geolink *geo;
	struct projection *graph; /* or NULL */
	struct gate *gate;
	const struct tls *tls;
	int listen_fd;          /* ours from http_start() on */
	unsigned connections;
	unsigned connections_per_ip;
	size_t max_body;        /* bytes; unpacked: four times that */
};

/* A listening TCP socket on a numeric address; *port gets the real one when it was 0.  -errno. */
int http_listen(const char *address, unsigned *port);
/* Whether nobody but this machine reaches it. */
int http_is_loopback(const char *address);

/* NULL: cannot start, logged. */
struct http *http_start(const struct http_setup *);
void http_stop(struct http *);

/* May change while running; hosts are copied. */
void http_set_hosts(struct http *, const struct hosts *);
void http_set_max_body(struct http *, size_t);

/* Something new for the event streams. */
void http_wake(struct http *);

#endif
