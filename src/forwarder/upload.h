/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * upload.h - one POST at a time over one kept connection: libcurl's multi interface on our loop.
 * A body goes as the batch has it, packed, or unpacked where the collector wants that.
 */
#ifndef UPLOAD_H
#define UPLOAD_H

#include "batch.h"
#include "lib/loop.h"
#include "reply.h"
#include "settings.h"

#include <stdint.h>

struct upload;

typedef void upload_done_fn(void *arg, const struct reply_verdict *);

/* Start-up, before the sandbox closes.  settings are lent and outlive it.  NULL with a message in
 * err. */
struct upload *upload_new(struct loop *, const struct settings *, char *err, size_t err_size);
void upload_free(struct upload *);

struct upload_how {
	const char *sensor; /* lent; the name to send it under */
	int plain;          /* unpacked */
	uint64_t dropped;   /* for the Net-Gazer-Sent header */
};

/* Sends; done is called later, from the loop, once.  The batch is lent until then.  0 or -ENOMEM. */
int upload_post(struct upload *, const struct batch *, const struct upload_how *, upload_done_fn *, void *arg);

/* Ends a POST that is under way; done is not called. */
void upload_cancel(struct upload *);

/* True once after each new connection: its set-up touched much memory that is not needed again. */
int upload_connected(struct upload *);

#endif
