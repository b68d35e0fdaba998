/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Parameters of a URL: "name=value" lines.  What is taken is within its range, and text is UTF-8.
 */
#include "../../src/collector/params.c"

#define NOW 1800000000000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct params *p)
{
	if (p->limit < 1 || p->limit > 1000 || p->window_s < 60 || p->window_s > WINDOW_MAX_S || p->until_us > NOW ||
	    p->until_us < 0 || p->at_us > NOW || p->at_us < 0 || p->before < 1 || p->port < -1 || p->port > 65535)
		abort();
	if (text_utf8(p->q, strlen(p->q)) < 0 || text_utf8(p->cols, strlen(p->cols)) < 0 ||
	    (p->sensor[0] && !report_sensor_ok(p->sensor, strlen(p->sensor))))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct params p;
	char *text = malloc(size + 1), *line, *next;

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = 0;
	params_begin(&p, 100, NOW);
	for (line = text; line; line = next) {
		char *value;

		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		value = strchr(line, '=');
		if (value)
			*value++ = 0;
		if (params_add(&p, ~0u, line, value, NOW))
			break;
		check(&p);
	}
	free(text);
	return 0;
}
