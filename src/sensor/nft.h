/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * nft.h - talks nf_tables over one netlink socket: a batch out with the errors that came back, and
 * dumps in.  What is in the messages is ruleset.c's.
 */
#ifndef NFT_H
#define NFT_H

#include <libmnl/libmnl.h>
#include <stddef.h>
#include <stdint.h>

struct nft;

/* 0 or -errno with a message.  A table with the owner flag lives as long as this socket. */
int nft_open(struct nft **, char *err, size_t size);
void nft_close(struct nft *);

/* The kernel's name for this socket. */
uint32_t nft_portid(const struct nft *);

/* A batch: begin, then for each message next() and a payload, then send.  `label` names the message
 * in an error.  next() always gives a message; one that has no room makes send fail. */
void nft_begin(struct nft *);
struct nlmsghdr *nft_next(struct nft *, uint16_t type, uint16_t flags, const char *label, ...)
	__attribute__((format(printf, 4, 5)));
/* All or nothing.  0 or -errno; err says which message, "" when it is not known. */
int nft_send(struct nft *, char *err, size_t size);

/* A request for a dump: put attributes into it, then run.  fn gets each message, gives 0 or more,
 * or -errno to end with.  0 or -errno. */
struct nlmsghdr *nft_get(struct nft *, uint16_t type, uint16_t flags);
int nft_dump(struct nft *, struct nlmsghdr *, int (*fn)(const struct nlmsghdr *, void *), void *);

#endif
