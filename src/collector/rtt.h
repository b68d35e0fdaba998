/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rtt.h - the schema's rtt_hist: a histogram with 4 buckets for each power of two of
 * microseconds.  Merging two is adding them, so median and p95 of any window come from rollups.
 */
#ifndef RTT_H
#define RTT_H

#include <stddef.h>
#include <stdint.h>

#define RTT_BUCKETS 160

struct rtt {
	uint64_t n;                   /* of all buckets */
	uint64_t min_us, max_us;      /* valid when n > 0 */
	uint64_t bucket[RTT_BUCKETS];
};

unsigned rtt_bucket(uint64_t us);

/* The bucket's smallest value; of RTT_BUCKETS and above: the end of the last. */
uint64_t rtt_bucket_us(unsigned bucket);

void rtt_add(struct rtt *, uint64_t us, uint64_t weight);
void rtt_merge(struct rtt *, const struct rtt *from);

/* The value below which `percent` of the samples are: exact to the bucket (at most 25 % wide),
 * interpolated inside it, never outside min_us to max_us.  -1 when there is none. */
int64_t rtt_percentile(const struct rtt *, unsigned percent);

/* As kept in the store: [bucket u8][count u32, little endian, saturated] for each that is not
 * empty.  Returns the length; RTT_PACKED is always enough. */
#define RTT_PACKED (RTT_BUCKETS * 5)
size_t rtt_pack(const struct rtt *, uint8_t out[RTT_PACKED]);

/* Adds what rtt_pack() made; min and max are kept beside it by the caller.  Bytes that are no
 * histogram are passed over. */
void rtt_unpack(struct rtt *, const uint8_t *packed, size_t n);

#endif
