/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The collector's answer: first byte: status and chunk length, the rest: body.  The verdict must
 * not depend on how the body is cut, and never claims more than the batch holds.
 */
#include "../../src/forwarder/reply.c"

#include <stdlib.h>

static void
read_reply(const uint8_t *body, size_t len, size_t step, long status, struct reply_verdict *v)
{
	struct reply r;

	if (reply_begin(&r, 10, 29, 20))
		abort();
	for (size_t at = 0; at < len; at += step) {
		if (reply_body(&r, (const char *)body + at, len - at < step ? len - at : step))
			break;
	}
	reply_end(&r, NULL, status, 0, v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__asan_default_options(void);

/* Freed buffers are kept by the hundred megabytes otherwise, which is the limit of a run. */
const char *
__asan_default_options(void)
{
	return "quarantine_size_mb=16";
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const long status[] = { 200, 202, 400, 401, 413, 429, 500, 0 };
	struct reply_verdict a, b;

	if (!size)
		return 0;
	read_reply(data + 1, size - 1, size, status[data[0] & 7], &a);
	read_reply(data + 1, size - 1, 1 + (data[0] >> 3), status[data[0] & 7], &b);
	/* yajl gives up at the end of the chunk that holds the fault, so a text before it may be known
	 * or not; what is done is the same. */
	if (a.action != b.action || a.rejected != b.rejected || a.mismatch != b.mismatch)
		abort();
	if (a.rejected > 20 || (a.rejected && (a.rejected_seq < 10 || a.rejected_seq > 29)) ||
	    memchr(a.why, 0, sizeof a.why) == NULL)
		abort();
	return 0;
}
