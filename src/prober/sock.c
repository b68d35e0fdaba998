/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sock.c - sendmsg and recvmsg with the control messages that both families need.
 */
#include "sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include "analyzer/batch.h"
#include "lib/log.h"
#include "lib/loop.h"

/* Datagrams of one socket in one turn: others wait meanwhile. */
#define QUANTUM 32

/* A quoted packet with its extensions: RFC 4884 has 128 bytes of quote, then the objects; IPv6 errors
 * may be 1280 bytes long.  Nothing behind that is read. */
#define PACKET 1280
#define IP6_HEADER 40

/* Several NFLOG messages; the kernel rounds nlbufsiz up, see the analyzer. */
#define DATAGRAM 65536

static struct sock_calls calls;
static void *calls_arg;
static struct loop *loop;
static int send_fd[SETTINGS_KINDS];
static struct loop_fd watch[SETTINGS_KINDS];
static struct loop_fd nflog_watch;
static union {
	uint8_t datagram[DATAGRAM];
	uint8_t packet[IP6_HEADER + PACKET];
} in;

/* ---- out ---- */

static int
kind_of(const struct wire_probe *p)
{
	static const uint8_t kind4[PROBER_METHODS] = { SETTINGS_TCP4, SETTINGS_UDP4, SETTINGS_ICMP4, SETTINGS_TCPX4 };

	return kind4[p->method] + (p->ipv == 6);
}

static void
add_control(struct msghdr *m, int level, int type, const void *data, size_t len)
{
	struct cmsghdr *c = (struct cmsghdr *)((char *)m->msg_control + m->msg_controllen);

	c->cmsg_level = level;
	c->cmsg_type = type;
	/* size_t in glibc, socklen_t in musl */
	c->cmsg_len = (__typeof__(c->cmsg_len))CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	m->msg_controllen += (__typeof__(m->msg_controllen))CMSG_SPACE(len);
}

int64_t
sock_send(const struct wire_probe *p)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct in6_pktinfo))] = { 0 };
	union {
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} to = { 0 };
	uint8_t bytes[WIRE_PROBE_MAX];
	struct iovec iov = { bytes, wire_build(bytes, p) };
	struct msghdr m = { .msg_name = &to, .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control };
	int fd = send_fd[kind_of(p)], ttl = p->ttl;
	int64_t ts_us;

	if (fd < 0)
		return -EBADF;
	/* The source is told each time, so that it is what the checksum was computed with, whatever became
	 * of the routes since; the kernel takes none that is not ours (but through tcpx). */
	if (p->ipv == 4) {
		struct in_pktinfo info = { 0 };

		to.v4.sin_family = AF_INET;
		memcpy(&to.v4.sin_addr, p->dst, 4);
		memcpy(&info.ipi_spec_dst, p->src, 4);
		m.msg_namelen = sizeof to.v4;
		add_control(&m, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl);
		add_control(&m, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
	} else {
		struct in6_pktinfo info = { 0 };

		to.v6.sin6_family = AF_INET6;
		memcpy(&to.v6.sin6_addr, p->dst, 16);
		memcpy(&info.ipi6_addr, p->src, 16);
		m.msg_namelen = sizeof to.v6;
		add_control(&m, IPPROTO_IPV6, IPV6_HOPLIMIT, &ttl, sizeof ttl);
		add_control(&m, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
	}
	ts_us = clock_wall_us();
	return sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : ts_us;
}

/* ---- in ---- */

static void
packet(const uint8_t *bytes, size_t len, int64_t ts_us)
{
	struct wire_answer a;

	if (!wire_parse(&a, bytes, len))
		calls.answer(calls_arg, &a, ts_us);
}

/* What a raw IPv6 socket tells beside the packet, which begins behind the headers, put back in front. */
static void
rebuild_header(uint8_t head[IP6_HEADER], size_t payload, uint8_t next, int hops, const uint8_t *src,
	       const uint8_t *dst)
{
	memset(head, 0, IP6_HEADER);
	head[0] = 6 << 4;
	head[4] = (uint8_t)(payload >> 8);
	head[5] = (uint8_t)payload;
	head[6] = next;
	head[7] = (uint8_t)hops;
	memcpy(head + 8, src, 16);
	memcpy(head + 24, dst, 16);
}

/* One packet of a raw socket: 1, or 0 when there is none. */
static int
read_raw(int fd, int kind)
{
	_Alignas(struct cmsghdr) char control[256];
	struct sockaddr_in6 from = { 0 };
	struct in6_pktinfo to = { 0 };
	int v6 = kind == SETTINGS_TCP6 || kind == SETTINGS_ICMP6, hops = -1, to_known = 0;
	size_t head = v6 ? IP6_HEADER : 0;
	struct iovec iov = { in.packet + head, PACKET };
	struct msghdr m = { .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = control, .msg_controllen = sizeof control };
	ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT);
	int64_t ts_us = clock_wall_us();

	if (n < 0)
		return errno != EAGAIN && errno != EBADF; /* another error is about an earlier probe: go on */
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS &&
		    c->cmsg_len >= CMSG_LEN(sizeof(struct timespec))) {
			struct timespec ts;

			memcpy(&ts, CMSG_DATA(c), sizeof ts);
			ts_us = (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT &&
			   c->cmsg_len >= CMSG_LEN(sizeof hops)) {
			memcpy(&hops, CMSG_DATA(c), sizeof hops);
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO &&
			   c->cmsg_len >= CMSG_LEN(sizeof to)) {
			memcpy(&to, CMSG_DATA(c), sizeof to);
			to_known = 1;
		}
	}
	if (v6 && (hops < 0 || hops > 255 || !to_known))
		return 1;
	if (v6)
		rebuild_header(in.packet, (size_t)n, kind == SETTINGS_TCP6 ? IPPROTO_TCP : IPPROTO_ICMPV6, hops,
			       (const uint8_t *)&from.sin6_addr, (const uint8_t *)&to.ipi6_addr);
	packet(in.packet, head + (size_t)n, ts_us);
	return 1;
}

static void
on_raw(struct loop_fd *w, uint32_t events)
{
	(void)events;
	for (int n = 0; n < QUANTUM && read_raw(w->fd, (int)(w - watch)); n++)
		;
	calls.turn(calls_arg);
}

static void
on_nflog(struct loop_fd *w, uint32_t events)
{
	(void)events;
	for (int n = 0; n < QUANTUM; n++) {
		ssize_t len = recv(w->fd, in.datagram, sizeof in.datagram, MSG_DONTWAIT);
		int64_t now_us = clock_wall_us();
		struct batch_msg m;
		struct cur c;
		int r;

		if (len < 0 && errno == ENOBUFS)
			continue; /* some are lost: their probes are sent again */
		if (len <= 0)
			break;
		c = cur_of(in.datagram, (size_t)len);
		while ((r = batch_next(&c, &m))) {
			if (r > 0 && m.payload)
				packet(m.payload, m.payload_len, m.has_ts ? m.ts_us : now_us);
		}
	}
	calls.turn(calls_arg);
}

int
sock_start(struct loop *l, const struct settings *s, const struct sock_calls *c, void *arg)
{
	static const int heard[] = { SETTINGS_TCP4, SETTINGS_TCP6, SETTINGS_ICMP4, SETTINGS_ICMP6 };
	int r = 0;

	loop = l;
	calls = *c;
	calls_arg = arg;
	memcpy(send_fd, s->send_fd, sizeof send_fd);
	if (s->nflog_fd >= 0)
		return loop_fd_add(loop, &nflog_watch, s->nflog_fd, EPOLLIN, on_nflog, NULL);
	for (unsigned i = 0; !r && i < sizeof heard / sizeof *heard; i++) {
		if (send_fd[heard[i]] >= 0)
			r = loop_fd_add(loop, &watch[heard[i]], send_fd[heard[i]], EPOLLIN, on_raw, NULL);
	}
	return r;
}
