/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * throttle.c - buckets, each one number: the time at which it is full again.
 */
#include "throttle.h"

#include <string.h>

static unsigned
wait_s(int64_t full_us, const struct throttle_rate *r, int64_t now_us)
{
	int64_t us = full_us - now_us - r->every_us * (r->most - 1);

	return us <= 0 ? 0 : (unsigned)((us + 999999) / 1000000);
}

static int64_t
taken(int64_t full_us, const struct throttle_rate *r, int64_t now_us)
{
	return (full_us > now_us ? full_us : now_us) + r->every_us;
}

unsigned
throttle_take(struct throttle *t, uint8_t ipv, const uint8_t addr[16], int64_t now_us)
{
	uint8_t key[9] = { ipv };
	size_t best = 0;
	unsigned s;

	memcpy(key + 1, addr, ipv == 4 ? 4 : 8);
	for (size_t i = 0; i < THROTTLE_ENTRIES; i++) {
		if (!memcmp(t->of[i].key, key, sizeof key)) {
			best = i;
			break;
		}
		/* A full bucket says nothing; when none is full, the fullest says least. */
		if (t->of[i].full_us < t->of[best].full_us)
			best = i;
	}
	if (memcmp(t->of[best].key, key, sizeof key)) {
		memcpy(t->of[best].key, key, sizeof key);
		t->of[best].full_us = 0;
	}
	s = wait_s(t->of[best].full_us, &t->one, now_us);
	if (!s)
		s = wait_s(t->all_us, &t->all, now_us);
	if (s)
		return s;
	t->of[best].full_us = taken(t->of[best].full_us, &t->one, now_us);
	t->all_us = taken(t->all_us, &t->all, now_us);
	return 0;
}
