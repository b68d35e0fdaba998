/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * client.h - who asks: the analyzer (descriptor 6), and people who connect to the listening socket.
 * Packets in and out, nothing of what is in them; whoever is slow or rude is dropped, and nobody is
 * ever waited for.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include <stddef.h>
#include <stdint.h>

struct loop;

#define CLIENT_FIRST 0  /* descriptor 6 */
#define CLIENT_PEOPLE 8 /* at a time; more are turned away */
#define CLIENT_MAX (1 + CLIENT_PEOPLE)

struct client_calls {
	/* One packet.  -1: whoever sends such a thing is dropped. */
	int (*packet)(void *arg, unsigned client, const void *bytes, size_t len);
	/* It is gone; its number may be another's from now on. */
	void (*gone)(void *arg, unsigned client);
	/* The packets of this turn were handed over. */
	void (*turn)(void *arg);
};

/* listen_fd -1: none.  0 or -errno. */
int client_start(struct loop *, int first_fd, int listen_fd, const struct client_calls *, void *arg);

/* One packet to it, never waiting: a person who does not take it is dropped (by client_reap), for the
 * analyzer it is lost. */
void client_send(unsigned client, const void *bytes, size_t len);

/* Drops those that client_send() gave up: calls gone().  Not from inside a callback of somebody who would
 * not expect that. */
void client_reap(void);

#endif
