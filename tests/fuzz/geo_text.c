/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What strangers write: the first byte says whether the rest is a line of a table, an answer of a DNS server, or
 * text.  Whatever it is, what comes out is whole, short and harmless.
 */
#include <stdlib.h>
#include <string.h>

#include "../../src/geo/csv.c"
#include "../../src/geo/dns.c"
#include "../../src/geo/tidy.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(int ok)
{
	if (!ok)
		abort();
}

/* UTF-8, no control character, no mark that turns the writing. */
static void
harmless(const char *text, size_t size)
{
	size_t n = strnlen(text, size), len;

	check(n < size);
	for (size_t i = 0; i < n; i += len) {
		int32_t c = character((const unsigned char *)text + i, n - i, &len);

		check(c >= 0x20 && c != 0x7f && c != 0x202e && c != 0xfeff);
	}
}

static void
line(const uint8_t *data, size_t size)
{
	struct csv_range r;

	if (csv_line(&r, (const char *)data, size))
		return;
	check((r.ipv == 4 || r.ipv == 6) && memcmp(r.first, r.last, 16) <= 0 && size < CSV_LINE_MAX);
	harmless(r.name, sizeof r.name);
}

/* Asked for 192.0.2.34, or 2001:db8::1 when the length is odd, under the number 0x1234. */
static void
dns(const uint8_t *data, size_t size)
{
	static const struct geo_addr v4 = { 4, { 192, 0, 2, 34 } }, v6 = { 6, { 0x20, 1, 0xd, 0xb8, [15] = 1 } };
	struct geo_name name;

	if (dns_answer(data, size, 0x1234, size & 1 ? &v6 : &v4, &name))
		return;
	check(name.state <= GEO_NAME_FAILED && name.ttl_s >= 60 && name.ttl_s <= TTL_MAX_S);
	check((name.state == GEO_NAME_FOUND) == (name.name[0] != 0) && strnlen(name.name, sizeof name.name) < sizeof name.name);
	for (const char *p = name.name; *p; p++)
		check(host_byte((uint8_t)*p) || *p == '.');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;
	char out[40], cc[3];

	if (!size)
		return 0;
	/* Of its very size, so that a byte too far is noticed. */
	copy = malloc(size);
	check(copy != NULL);
	memcpy(copy, data + 1, size - 1);
	if (data[0] == 'l') {
		line(copy, size - 1);
	} else if (data[0] == 'd') {
		dns(copy, size - 1);
	} else {
		tidy_text(out, sizeof out, (const char *)copy, size - 1);
		harmless(out, sizeof out);
		tidy_cc(cc, (const char *)copy, size - 1);
		check(!cc[0] || (cc[0] >= 'A' && cc[1] <= 'Z' && !cc[2]));
	}
	free(copy);
	return 0;
}
