/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rtt.c - the histogram of round trip times.
 */
#include "rtt.h"

#include <string.h>

unsigned
rtt_bucket(uint64_t us)
{
	unsigned e, bucket;

	if (!us)
		return 0;
	e = 63 - (unsigned)__builtin_clzll(us);
	/* The two bits behind the leading one. */
	bucket = 4 * e + (unsigned)((e >= 2 ? us >> (e - 2) : us << (2 - e)) & 3);
	return bucket < RTT_BUCKETS ? bucket : RTT_BUCKETS - 1;
}

uint64_t
rtt_bucket_us(unsigned bucket)
{
	unsigned e = bucket / 4;
	uint64_t quarters = 4 + bucket % 4;

	/* Below 4 us a quarter of a power of two is no whole number: rounded up, so that the
	 * bucket's own values are not below its start. */
	return e >= 2 ? quarters << (e - 2) : (quarters + (3 >> e)) >> (2 - e);
}

void
rtt_add(struct rtt *r, uint64_t us, uint64_t weight)
{
	if (!weight)
		return;
	if (!r->n || us < r->min_us)
		r->min_us = us;
	if (!r->n || us > r->max_us)
		r->max_us = us;
	r->bucket[rtt_bucket(us)] += weight;
	r->n += weight;
}

void
rtt_merge(struct rtt *r, const struct rtt *from)
{
	if (!from->n)
		return;
	if (!r->n || from->min_us < r->min_us)
		r->min_us = from->min_us;
	if (!r->n || from->max_us > r->max_us)
		r->max_us = from->max_us;
	for (unsigned i = 0; i < RTT_BUCKETS; i++)
		r->bucket[i] += from->bucket[i];
	r->n += from->n;
}

int64_t
rtt_percentile(const struct rtt *r, unsigned percent)
{
	uint64_t rank, before = 0, low, high, us;
	unsigned i;

	if (!r->n)
		return -1;
	rank = (r->n * percent + 99) / 100; /* nearest rank */
	if (rank < 1)
		rank = 1;
	for (i = 0; i < RTT_BUCKETS - 1 && before + r->bucket[i] < rank; i++)
		before += r->bucket[i];
	low = i ? rtt_bucket_us(i) : 0;
	high = rtt_bucket_us(i + 1);
	us = low;
	if (r->bucket[i])
		us += (uint64_t)((double)(high - low) * ((double)(rank - before) - 0.5) /
				 (double)r->bucket[i]);
	if (us < r->min_us)
		us = r->min_us;
	if (us > r->max_us)
		us = r->max_us;
	return (int64_t)us;
}

size_t
rtt_pack(const struct rtt *r, uint8_t out[RTT_PACKED])
{
	size_t n = 0;

	for (unsigned i = 0; i < RTT_BUCKETS; i++) {
		uint64_t v = r->bucket[i] > UINT32_MAX ? UINT32_MAX : r->bucket[i];

		if (!v)
			continue;
		out[n++] = (uint8_t)i;
		for (unsigned b = 0; b < 32; b += 8)
			out[n++] = (uint8_t)(v >> b);
	}
	return n;
}

void
rtt_unpack(struct rtt *r, const uint8_t *packed, size_t n)
{
	for (; n >= 5; n -= 5, packed += 5) {
		uint64_t v = packed[1] | (uint64_t)packed[2] << 8 | (uint64_t)packed[3] << 16 |
			     (uint64_t)packed[4] << 24;

		if (packed[0] >= RTT_BUCKETS)
			continue;
		r->bucket[packed[0]] += v;
		r->n += v;
	}
}
