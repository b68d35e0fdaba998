/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * collector/csv.c: any table; what becomes a line of JSON is one line, and the validator takes it or not.
 */
#include <stdint.h>
#include <stdlib.h>

#include "../../src/collector/csv.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct validate *validate;
	static struct report report;
	static struct csv csv;
	char line[REPORT_LINE_MAX];
	FILE *file;
	int r = 0;

	if (!validate)
		validate = validate_new();
	file = n ? fmemopen((void *)(uintptr_t)data, n, "r") : NULL;
	if (!validate || !file)
		return 0;
	if (!csv_begin(&csv, file)) {
		while ((r = csv_next(&csv))) {
			long len = r < 0 ? -1 : csv_json(&csv, "conn", line, sizeof line);

			if (len < 0 ? !csv.why[0] : len > (long)sizeof line)
				abort();
			if (len >= 0)
				validate_line(validate, line, (size_t)len, &report);
		}
	} else if (!csv.why[0]) {
		abort();
	}
	fclose(file);
	return 0;
}
