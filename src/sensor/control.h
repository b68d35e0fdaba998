/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * control.h - the socket at which net-gazerctl asks: one packet with a word of a closed list, one packet
 * back, and the connection is over.  Who may connect is the socket's mode; who may order is asked of the
 * kernel.  Nothing here waits for a client.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <stddef.h>
#include <sys/types.h>

#include "lib/loop.h"

#define CONTROL_SOCKET "control.sock" /* in runtime-dir */
#define CONTROL_ANSWER_MAX 65536
#define CONTROL_REQUEST_MAX 16
#define CONTROL_CLIENTS 8

enum control_word {
	CONTROL_STATUS, /* JSON */
	CONTROL_TOP,    /* JSON */
	CONTROL_RULES,  /* text for nft; begins with # */
	CONTROL_RELOAD, /* root only; JSON */
	CONTROL_WORDS,
};

/* As it is asked for. */
const char *control_name(enum control_word);

/* The enum control_word that a packet is, or -1. */
int control_parse(const void *bytes, size_t len);

/* Writes the answer, `size` bytes at most.  Its length, or -errno: then there is none. */
typedef ssize_t control_fn(void *arg, enum control_word, char *out, size_t size);

struct control;

/* Listens in `dir`; only root and members of `gid` can connect.  NULL with a message that says what to do. */
struct control *control_new(struct loop *, const char *dir, gid_t gid, control_fn *, void *arg, char *err,
			    size_t size);
void control_free(struct control *);

#endif
