/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * handshakes - sends TCP handshakes through a router of the bench's own: a SYN, then its SYN-ACK,
 * from one interface.  Handshake i is a function of i; clients are 10.0.0.0/8, servers
 * 198.18.0.0/15, no 5-tuple repeats.  -s: SYNs only, from sources all over (a spoofed flood).
 * Prints "sent=N wall_us=N pps=N".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../lib/frames.h"

#define BATCH 64
#define FRAME (14 + 20 + 40)
#define PACKETS_MAX 50000000ULL

static uint8_t frames[BATCH][FRAME];
static uint8_t dst_mac[6], src_mac[6] = { 2, 0, 0, 0, 9, 1 };
static int flood;

/* MSS 1460, SACK permitted, timestamps, no-op, window scale 7: what Linux sends. */
static const uint8_t options[20] = { 2, 4, 5, 180, 4, 2, 8, 10, 0, 1, 2, 3, 0, 0, 0, 0, 1, 3, 3, 7 };

static int64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void
build(uint8_t *f, uint64_t i)
{
	uint64_t n = flood ? i : i / 2;
	uint32_t mix = scatter((uint32_t)n);
	uint32_t client = flood ? 0x0b000000u + mix % 0x60000000u : 0x0a000000u | (mix & 0xffffff);
	uint32_t server = 0xc6120000u | (mix >> 8 & 0x1ffff);
	uint16_t port = (uint16_t)(1024 + (n >> 24) * 256 + (mix >> 24));
	int answer = !flood && (i & 1);
	uint8_t *ip = f + 14, *tcp = ip + 20;

	memcpy(f, dst_mac, 6);
	memcpy(f + 6, src_mac, 6);
	put16(f + 12, ETHERTYPE_IP);
	memset(ip, 0, 40);
	ip[0] = 0x45;
	put16(ip + 2, 60);
	put16(ip + 4, (uint32_t)n);
	ip[6] = 0x40;
	ip[8] = answer ? 52 : 64;
	ip[9] = 6;
	put32(ip + 12, answer ? server : client);
	put32(ip + 16, answer ? client : server);
	put16(ip + 10, fold(sum16(ip, 20, 0)));
	put16(tcp, answer ? 443 : port);
	put16(tcp + 2, answer ? port : 443);
	put32(tcp + 4, answer ? ~mix : mix);
	put32(tcp + 8, answer ? mix + 1 : 0);
	tcp[12] = 0xa0;
	tcp[13] = answer ? 0x12 : 0x02;
	put16(tcp + 14, 64240);
	memcpy(tcp + 20, options, sizeof options);
	put16(tcp + 16, fold(sum16(tcp, 40, sum16(ip + 12, 8, 6 + 40))));
}

int
main(int argc, char **argv)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP) };
	struct mmsghdr messages[BATCH];
	struct iovec iov[BATCH];
	uint64_t count = 1000000, rate = 0, sent = 0;
	int64_t began_ns;
	unsigned m[6];
	int c, fd, one = 1;

	while ((c = getopt(argc, argv, "i:d:n:r:s")) != -1) {
		switch (c) {
		case 'i':
			to.sll_ifindex = (int)if_nametoindex(optarg);
			break;
		case 'd':
			if (sscanf(optarg, "%x:%x:%x:%x:%x:%x", m, m + 1, m + 2, m + 3, m + 4, m + 5) != 6)
				return 2;
			for (int i = 0; i < 6; i++)
				dst_mac[i] = (uint8_t)m[i];
			break;
		case 'n':
			count = strtoull(optarg, NULL, 10);
			break;
		case 'r':
			rate = strtoull(optarg, NULL, 10);
			break;
		case 's':
			flood = 1;
			break;
		default:
			return 2;
		}
	}
	if (!to.sll_ifindex || count > PACKETS_MAX) {
		fprintf(stderr, "usage: handshakes -i IFACE -d MAC [-n packets] [-r packets/s] [-s]\n");
		return 2;
	}
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof to)) {
		perror("handshakes: AF_PACKET");
		return 1;
	}
	setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one);
	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ frames[i], FRAME };
		messages[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov[i], .msg_iovlen = 1 } };
	}
	began_ns = now_ns();
	while (sent < count) {
		unsigned n = count - sent < BATCH ? (unsigned)(count - sent) : BATCH;

		for (unsigned i = 0; i < n; i++)
			build(frames[i], sent + i);
		for (unsigned done = 0; done < n;) {
			int r = sendmmsg(fd, messages + done, n - done, 0);

			if (r < 0 && (errno == ENOBUFS || errno == EAGAIN || errno == EINTR))
				continue;
			if (r < 0) {
				perror("handshakes: send");
				return 1;
			}
			done += (unsigned)r;
		}
		sent += n;
		if (rate) {
			int64_t due_ns = began_ns + (int64_t)(sent * 1000000000ULL / rate), left_ns = due_ns - now_ns();

			if (left_ns > 0) {
				struct timespec ts = { left_ns / 1000000000, left_ns % 1000000000 };

				nanosleep(&ts, NULL);
			}
		}
	}
	began_ns = now_ns() - began_ns;
	printf("sent=%llu wall_us=%lld pps=%.0f\n", (unsigned long long)sent, (long long)began_ns / 1000,
	       (double)sent * 1e9 / (double)began_ns);
	return 0;
}
