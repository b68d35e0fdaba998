/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Any bytes as a range file: what opens holds what it promises, and every search ends inside it.
 */
#include <stdlib.h>
#include <string.h>

#include "../../src/geo/ranges.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* First and last address of each range, and the addresses beside them. */
static void
search(const struct ranges *r, uint8_t ipv, const uint8_t *range, uint32_t n)
{
	size_t half = ipv == 4 ? 4 : 16;

	for (uint32_t i = 0; i < n && i < 1000; i++, range += 2 * half + 4) {
		for (int which = 0; which < 2; which++) {
			const char *name = NULL;
			uint8_t addr[16] = { 0 };
			uint32_t asn;

			memcpy(addr, range + (size_t)which * half, half);
			asn = ranges_find(r, ipv, addr, &name);
			/* It is in this very range, and a name has an end. */
			if (asn != be32_at(r->as + (size_t)be32_at(range + 2 * half) * RANGES_AS) ||
			    !name || name < r->text || name + strlen(name) >= r->text + r->text_n)
				abort();
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ranges r;
	const char *name;
	uint8_t *copy = malloc(size ? size : 1), addr[16];

	if (!copy)
		abort();
	memcpy(copy, data, size);
	if (!ranges_open(&r, copy, size)) {
		if (strlen(r.attribution) >= r.text_n || r.built_s < 0)
			abort();
		search(&r, 4, r.v4, r.v4_n);
		search(&r, 6, r.v6, r.v6_n);
		for (int i = 0; i < 256; i += 5) {
			memset(addr, i, sizeof addr);
			(void)ranges_find(&r, 4, addr, &name);
			(void)ranges_find(&r, 6, addr, &name);
		}
	}
	free(copy);
	return 0;
}
