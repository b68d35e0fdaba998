/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * answer.c - answers that come later, and answers that refuse.
 */
#include "answer.h"

#include <string.h>

void
answer_done(struct api_answer *r, int result)
{
	r->done(r, result);
}

int
answer_refuse(struct api_answer *r, unsigned status, const char *why)
{
	json_begin(&r->json, r->json.buf, r->json.size);
	json_map(&r->json, NULL);
	json_str(&r->json, "error", why, strlen(why));
	json_close(&r->json);
	r->type = r->download = NULL;
	r->status = status;
	return 0;
}
