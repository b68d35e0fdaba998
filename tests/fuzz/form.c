/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a browser or a router sends to log in or enrol: the first byte says which, a JSON body or a Cookie header.
 */
#include "../../src/collector/form.c"
#include "../../src/collector/session.c"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
body(const char *text, size_t n)
{
	char user[65] = "", password[201] = "", why[60];
	int64_t minutes = 15;
	struct form_field fields[] = {
		{ .name = "user", .text = user, .size = sizeof user, .needed = 1 },
		{ .name = "password", .text = password, .size = sizeof password },
		{ .name = "minutes", .number = &minutes, .min = 1, .max = 10080 },
	};
	int r = form_read(text, n, fields, 3, why, sizeof why);

	if (strlen(user) >= sizeof user || strlen(password) >= sizeof password || minutes < 1 || minutes > 10080 ||
	    !memchr(why, 0, sizeof why) || (!r && !fields[0].given))
		abort();
}

static void
cookie(const char *header)
{
	char out[SESSION_ID_LEN + 1] = "";

	if (!session_cookie(header, SESSION_COOKIE, out, sizeof out) && (strlen(out) > SESSION_ID_LEN || !strstr(header, out)))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (!size)
		return 0;
	text = malloc(size);
	if (!text)
		abort();
	memcpy(text, data + 1, size - 1);
	text[size - 1] = 0;
	if (data[0] & 1)
		cookie(text);
	else
		body(text, size - 1);
	free(text);
	return 0;
}
