/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * resolve.c - one batch of addresses at a time: at most RATE questions a second go out, each from one of several
 * sockets, under a number that cannot be guessed, three times at most, to one server after the other.  When each has
 * its answer or none, the batch goes back.
 */
#include "resolve.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dns.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "sandbox.h"

#define SOCKETS 8 /* for each server */
#define RATE 50
#define PATIENCE_US 2000000
#define TRIES 3
#define TTL_SILENT_S 900

struct question {
	int64_t until_us; /* 0: not sent */
	uint16_t id;
	int socket;
	unsigned tries;
	int done;
};

struct resolve {
	int fd;
	struct pollfd poll[1 + GEO_SERVERS_MAX * SOCKETS];
	unsigned servers, sockets;
	struct geo_ask ask;
	struct geo_names out;
	struct question question[GEO_BATCH];
	unsigned open;    /* questions that are not done */
	int64_t next_us;  /* when the next may be sent */
};

static uint32_t
any(void)
{
	uint32_t v = 0;

	if (getrandom(&v, sizeof v, 0) != (ssize_t)sizeof v)
		_exit(1);
	return v;
}

static int
connect_to(const struct geo_server *s)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(s->port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(s->port) };
	int fd = socket(s->ipv == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	memcpy(&v4.sin_addr, s->addr, 4);
	memcpy(&v6.sin6_addr, s->addr, 16);
	if (fd >= 0 && connect(fd, s->ipv == 4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
			       s->ipv == 4 ? sizeof v4 : sizeof v6)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static void
open_sockets(struct resolve *r, const struct geo_server *servers, unsigned n)
{
	char text[ADDR_TEXT];

	for (unsigned s = 0; s < n; s++) {
		for (int i = 0; i < SOCKETS; i++) {
			int fd = connect_to(&servers[s]);

			if (fd < 0) {
				addr_print(text, servers[s].ipv, servers[s].addr);
				log_warn("geo: DNS server %s: %s; it is not asked", text, strerror(errno));
				break;
			}
			r->poll[++r->sockets] = (struct pollfd){ .fd = fd, .events = POLLIN };
			if (i == SOCKETS - 1)
				r->servers++;
		}
	}
}

static void
done(struct resolve *r, unsigned i)
{
	r->question[i].done = 1;
	r->open--;
}

static void
give_up(struct resolve *r, unsigned i)
{
	r->out.name[i] = (struct geo_name){ .state = GEO_NAME_FAILED, .ttl_s = TTL_SILENT_S };
	done(r, i);
}

static void
ask_one(struct resolve *r, unsigned i, int64_t now_us)
{
	struct question *q = &r->question[i];
	uint8_t packet[DNS_QUERY_MAX];
	size_t n;

	if (q->tries == TRIES || !r->servers) {
		give_up(r, i);
		return;
	}
	q->id = (uint16_t)any();
	q->socket = 1 + (int)((q->tries % r->servers) * SOCKETS + any() % SOCKETS);
	q->tries++;
	q->until_us = now_us + PATIENCE_US;
	n = dns_query(packet, q->id, &r->ask.addr[i]);
	(void)send(r->poll[q->socket].fd, packet, n, MSG_NOSIGNAL); /* what is not sent is not answered */
	r->next_us = now_us + 1000000 / RATE;
}

/* Sends what is due; how long to wait for the next. */
static int
turn(struct resolve *r, int64_t now_us)
{
	int64_t next_us = now_us + 1000000;

	for (unsigned i = 0; i < r->ask.n; i++) {
		struct question *q = &r->question[i];

		if (q->done)
			continue;
		if (q->until_us <= now_us && r->next_us <= now_us)
			ask_one(r, i, now_us);
		if (!q->done && q->until_us < next_us)
			next_us = q->until_us;
	}
	if (next_us < r->next_us)
		next_us = r->next_us;
	return next_us <= now_us ? 0 : (int)((next_us - now_us) / 1000) + 1;
}

static void
read_answers(struct resolve *r, int socket)
{
	uint8_t packet[DNS_PACKET_MAX];
	struct geo_name name;
	ssize_t n;

	while ((n = recv(r->poll[socket].fd, packet, sizeof packet, MSG_DONTWAIT)) >= 0) {
		for (unsigned i = 0; i < r->ask.n; i++) {
			struct question *q = &r->question[i];

			if (q->done || q->socket != socket || !q->until_us ||
			    dns_answer(packet, (size_t)n, q->id, &r->ask.addr[i], &name))
				continue;
			r->out.name[i] = name;
			done(r, i);
			break;
		}
	}
}

static void
read_ask(struct resolve *r)
{
	ssize_t n = recv(r->fd, &r->ask, sizeof r->ask, MSG_DONTWAIT);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n != sizeof r->ask || !r->ask.n || r->ask.n > GEO_BATCH)
		_exit(0);
	memset(r->question, 0, sizeof r->question);
	r->out = (struct geo_names){ .is = GEO_IS_NAMES, .id = r->ask.id, .n = r->ask.n };
	r->open = r->ask.n;
}

void
resolve_run(int fd, const struct geo_server *servers, unsigned n)
{
	static const struct geo_hello hello = { .is = GEO_IS_HELLO, .generation = 1 };
	static struct resolve r;
	int wait_ms;

	r.fd = fd;
	r.poll[0] = (struct pollfd){ .fd = fd, .events = POLLIN };
	open_sockets(&r, servers, n);
	sandbox_close();
	if (send(fd, &hello, sizeof hello, MSG_NOSIGNAL) != sizeof hello)
		_exit(0);
	for (;;) {
		wait_ms = r.open ? turn(&r, clock_mono_us()) : -1;
		if (!r.open && r.ask.n) {
			if (send(fd, &r.out, sizeof r.out, MSG_NOSIGNAL) != sizeof r.out)
				_exit(0);
			r.ask.n = 0;
			continue;
		}
		if (poll(r.poll, r.sockets + 1, wait_ms) < 0 && errno != EINTR)
			_exit(1);
		for (unsigned i = 1; i <= r.sockets; i++) {
			if (r.poll[i].revents)
				read_answers(&r, (int)i);
		}
		if (r.poll[0].revents)
			read_ask(&r);
	}
}
