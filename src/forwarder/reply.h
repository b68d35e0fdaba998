/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * reply.h - the collector's answer: status, some headers and JSON body -> what to do with the batch.
 * The body is a stranger's: it is read as it comes, nothing of it is kept but counts and one short
 * text.
 *
 *   {"accepted":98,"duplicate":1,"rejected":[{"seq":57,"why":"..."}]}      of a 2xx
 *   {"error":"...","clash":"r1/9f1c2ab0"}                                   of a 409
 *   {"error":"..."}                                                         of others
 */
#ifndef REPLY_H
#define REPLY_H

#include <stddef.h>
#include <stdint.h>
#include <yajl/yajl_parse.h>

#define REPLY_WHY_MAX 160
#define REPLY_CLASH_MAX 80 /* SENSOR/BOOT */

/* Beyond the first of these a body is no longer read, beyond the second the transfer is ended. */
#define REPLY_READ_MAX (256 * 1024)
#define REPLY_BODY_MAX (1024 * 1024)

enum reply_action {
	REPLY_FORGET,    /* 2xx: it is stored */
	REPLY_HALVE,     /* 400 415 422: something in it is wrong */
	REPLY_TOO_LARGE, /* 413: halve, and make no such batch again */
	REPLY_HOLD,      /* 401 403 409: nothing will do until somebody acts */
	REPLY_WAIT,      /* Retry-After was given: wait_us */
	REPLY_RETRY,     /* the same bytes again, after the back-off */
};

struct reply_verdict {
	enum reply_action action;
	uint32_t rejected;        /* records of the batch that will never be stored; FORGET only */
	uint64_t rejected_seq;    /* the first of them */
	int64_t wait_us;          /* WAIT only */
	int mismatch;             /* FORGET: accepted + duplicate + rejected is not the batch's n */
	int zstd;                 /* it takes posts that are packed so */
	long status;              /* 0: there was no answer */
	char why[REPLY_WHY_MAX];  /* the collector's or libcurl's words, NUL-terminated */
	char clash[REPLY_CLASH_MAX]; /* what two machines use, as the collector says; empty: nothing */
};

/* Longest Retry-After that is obeyed. */
#define REPLY_WAIT_MAX_S 600

struct reply {
	yajl_handle yajl;
	int zstd;
	int bad;            /* the body is not JSON, or beyond REPLY_READ_MAX */
	size_t len;
	char first_byte;    /* of the body, blanks passed over */
	uint64_t seq_first; /* of the batch */
	uint64_t seq_last;
	uint32_t n;
	unsigned depth;
	int key;            /* enum in reply.c */
	int in_rejected;
	int64_t accepted;   /* -1: not said */
	int64_t duplicate;
	uint32_t rejected;
	uint64_t rejected_seq;
	int64_t seq;        /* of the entry of `rejected` that is being read */
	char entry[REPLY_WHY_MAX]; /* its why */
	char clash[REPLY_CLASH_MAX];
	char why[REPLY_WHY_MAX];
};

/* Before each POST.  0 or -ENOMEM. */
int reply_begin(struct reply *, uint64_t seq_first, uint64_t seq_last, uint32_t n);

/* A piece of the body.  0; -EMSGSIZE: longer than REPLY_BODY_MAX, end the transfer. */
int reply_body(struct reply *, const char *bytes, size_t len);

/* An Accept-Encoding header of the answer: what later posts may be packed with (RFC 9110 12.5.3). */
void reply_accepts(struct reply *, const char *value);

/* The transfer is at its end, with this status (0: none came) and Retry-After (0: none); error says
 * why it was not whole, or is NULL.  Frees. */
void reply_end(struct reply *, const char *error, long status, int64_t retry_after_s,
	       struct reply_verdict *);

#endif
