/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * synflood - TCP SYNs from spoofed sources, made by the tests in their own namespaces.  Packet i
 * is a function of i alone, every source address and port is another; the destinations are
 * 203.0.113.0/24 or 2001:db8:203::/48; the sources are 10.0.0.0/8 and fd00:77:1::/64, with -a
 * 45.0.0.0/8 and 2001:db8:45::/64.  Prints how many it sent and how long it took.
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

#include "frames.h"

#define BATCH 64
#define PACKETS_MAX 100000000

static uint8_t frames[BATCH][128];
static uint8_t dst_mac[6], src_mac[6] = { 2, 0, 0, 0, 1, 2 };

static size_t
build(uint8_t *f, uint32_t i, int v6, int abroad)
{
	static const uint8_t opts[20] = { 2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7 };
	uint32_t x = scatter(i), sum;
	uint8_t *ip = f + 14, *tcp = ip + (v6 ? 40 : 20);
	size_t len = 20 + sizeof opts;

	memcpy(f, dst_mac, 6);
	memcpy(f + 6, src_mac, 6);
	put16(f + 12, v6 ? ETH_P_IPV6 : ETH_P_IP);
	memset(ip, 0, 60 + len);
	if (v6) {
		put32(ip, 0x60000000);
		put16(ip + 4, (uint32_t)len);
		ip[6] = 6;
		ip[7] = 64;
		put32(ip + 8, abroad ? 0x20010db8 : 0xfd000077);
		put32(ip + 12, abroad ? 0x00450000 : 0x00010000);
		put32(ip + 20, x >> 8);
		put32(ip + 24, 0x20010db8);
		put32(ip + 28, 0x02030000);
		put32(ip + 36, 1 + i % 250);
		sum = sum16(ip + 8, 32, 0);
	} else {
		put32(ip, 0x45000000 | (uint32_t)(20 + len));
		ip[6] = 0x40;
		ip[8] = 64;
		ip[9] = 6;
		put32(ip + 12, (abroad ? 0x2d000000 : 0x0a000000) | x >> 8);
		put32(ip + 16, 0xcb007100 | (1 + i % 250));
		put16(ip + 10, fold(sum16(ip, 20, 0)));
		sum = sum16(ip + 12, 8, 0);
	}
	put16(tcp, 0x8000 | (x & 0xff) << 7 | i >> 24);
	put16(tcp + 2, 1 + i % 1000);
	put32(tcp + 4, x);
	tcp[12] = (uint8_t)(len / 4 << 4);
	tcp[13] = 2;
	put16(tcp + 14, 64240);
	memcpy(tcp + 20, opts, sizeof opts);
	put16(tcp + 16, fold(sum16(tcp, len, sum + 6 + (uint32_t)len)));
	return (size_t)(tcp - f) + len;
}

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	static struct iovec iov[BATCH];
	static struct mmsghdr msgs[BATCH];
	struct sockaddr_ll to = { .sll_family = AF_PACKET };
	uint32_t n = 0, first = 0, sent = 0, k, m;
	double rate = 0, start;
	int c, v6 = 0, abroad = 0, fd, done, r;

	while ((c = getopt(argc, argv, "i:n:f:r:D:6a")) != -1) {
		switch (c) {
		case 'i': to.sll_ifindex = (int)if_nametoindex(optarg); break;
		case 'n': n = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'f': first = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'r': rate = atof(optarg); break;
		case 'D':
			if (sscanf(optarg, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", dst_mac, dst_mac + 1, dst_mac + 2,
				   dst_mac + 3, dst_mac + 4, dst_mac + 5) != 6)
				return 2;
			break;
		case '6': v6 = 1; break;
		case 'a': abroad = 1; break;
		default: return 2;
		}
	}
	if (!to.sll_ifindex || !n || n > PACKETS_MAX) {
		fprintf(stderr, "usage: synflood -i IFACE -D MAC -n PACKETS [-f FIRST] [-r PER_SECOND] [-6] [-a]\n");
		return 2;
	}
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&to, sizeof to)) {
		perror("synflood: packet socket");
		return 1;
	}
	for (k = 0; k < BATCH; k++) {
		iov[k].iov_base = frames[k];
		msgs[k].msg_hdr.msg_iov = &iov[k];
		msgs[k].msg_hdr.msg_iovlen = 1;
	}
	start = now_s();
	while (sent < n) {
		m = n - sent < BATCH ? n - sent : BATCH;
		for (k = 0; k < m; k++)
			iov[k].iov_len = build(frames[k], first + sent + k, v6, abroad);
		while (rate > 0 && now_s() < start + sent / rate)
			usleep(200);
		for (done = 0; done < (int)m; done += r) {
			r = sendmmsg(fd, msgs + done, m - (uint32_t)done, 0);
			if (r < 0 && (errno == ENOBUFS || errno == EAGAIN || errno == EINTR)) {
				r = 0;
			} else if (r < 0) {
				perror("synflood: sendmmsg");
				return 1;
			}
		}
		sent += m;
	}
	printf("sent=%u seconds=%.3f\n", sent, now_s() - start);
	return 0;
}
