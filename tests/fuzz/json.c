/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Any bytes as calls of the JSON writer, into a buffer of a length that they choose.  What it calls
 * whole, yajl must read back as what was put in; what it does not, must not fit.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cur.h"
#include "lib/json.h"
#include "../unit/json_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct json_read want, got;

static void __attribute__((format(printf, 1, 2)))
expect(const char *fmt, ...)
{
	char text[64];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	json_read_put(&want, text, (size_t)n);
}

static void
fill(struct json *j, struct cur *c)
{
	char open[JSON_DEPTH + 1];
	unsigned depth = 0, n = 0;

	json_list(j, NULL);
	open[depth++] = ']';
	expect("[");
	while (cur_left(c) && !want.wide) {
		uint8_t op = cur_u8(c);
		char text[8];
		const char *name = NULL;
		uint64_t v;

		if (open[depth - 1] == '}' && op % 8 != 0) {
			snprintf(text, sizeof text, "k%u", n++ % 1000);
			name = text;
			expect("k:%s", name);
		}
		switch (op % 8) {
		case 0:
			if (depth == 1)
				break;
			json_close(j);
			expect("%c", open[--depth]);
			break;
		case 1:
		case 2:
			if (depth == JSON_DEPTH) { /* a value instead */
				json_bool(j, name, 1);
				expect("b:1");
				break;
			}
			open[depth++] = op % 8 == 1 ? '}' : ']';
			(op % 8 == 1 ? json_map : json_list)(j, name);
			expect(op % 8 == 1 ? "{" : "[");
			break;
		case 3:
			v = cur_be64(c) >> (op >> 3) * 2;
			json_int(j, name, (int64_t)v);
			expect("i:%" PRId64, (int64_t)v);
			break;
		case 4:
			v = cur_be64(c) >> (op >> 3) * 2;
			json_uint(j, name, v);
			expect("i:%" PRIu64, v);
			break;
		case 5:
			json_bool(j, name, op & 0x80);
			expect("b:%d", op >> 7);
			break;
		case 6: {
			size_t len = (op >> 3) * 8U < cur_left(c) ? (op >> 3) * 8U : cur_left(c);
			const uint8_t *bytes = cur_take(c, len);

			json_str(j, name, (const char *)bytes, len);
			expect("s:");
			json_read_put(&want, bytes, len);
			break;
		}
		default:
			v = cur_be64(c) % 253402300800000000ULL;
			json_time(j, name, (int64_t)v);
			json_time_text((char[JSON_TIME_LEN + 1]){ 0 }, (int64_t)(v / 3)); /* another day between */
			{
				char t[JSON_TIME_LEN + 1];

				json_time_text(t, (int64_t)v);
				expect("s:%s", t);
			}
		}
	}
	while (depth) {
		json_close(j);
		expect("%c", open[--depth]);
	}
}

static int
write_into(char *buf, size_t room, const uint8_t *data, size_t size, struct json *j)
{
	struct cur c = cur_of(data, size);

	want.n = 0;
	want.wide = 0;
	json_begin(j, buf, room);
	fill(j, &c);
	if (j->len > room)
		abort();
	return json_end(j);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char large[256 * 1024];
	struct cur c = cur_of(data, size);
	size_t room = cur_be16(&c) % 20000;
	char *buf = malloc(room + !room); /* of its own, for the sanitizer */
	struct json j;
	int r;

	if (!buf)
		abort();
	r = write_into(buf, room, c.p, cur_left(&c), &j);
	if (want.wide) {
		free(buf);
		return 0;
	}
	if (r && (r != -EMSGSIZE || write_into(large, sizeof large, c.p, cur_left(&c), &j) || j.len <= room)) {
		fprintf(stderr, "%zu bytes would have held it: %d\n", room, r);
		abort();
	}
	if (json_read(&got, r ? large : buf, j.len) || got.n != want.n || memcmp(got.text, want.text, want.n)) {
		fprintf(stderr, "%.*s\n", (int)j.len, r ? large : buf);
		abort();
	}
	free(buf);
	return 0;
}
