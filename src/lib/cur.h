/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cur.h - the one way to read bytes from outside: a cursor that cannot overrun and remembers
 * that it was asked to.  After the first overrun every read gives 0; check `bad` once at the end.
 */
#ifndef CUR_H
#define CUR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cur {
	const uint8_t *p;
	const uint8_t *end;
	int bad;
};

static inline struct cur
cur_of(const void *bytes, size_t len)
{
	return (struct cur){ bytes, (const uint8_t *)bytes + len, 0 };
}

static inline size_t
cur_left(const struct cur *c)
{
	return (size_t)(c->end - c->p);
}

/* n bytes, lent from the buffer; NULL and bad when there are fewer. */
static inline const uint8_t *
cur_take(struct cur *c, size_t n)
{
	const uint8_t *p = c->p;

	if (c->bad || n > cur_left(c)) {
		c->bad = 1;
		c->p = c->end;
		return NULL;
	}
	c->p += n;
	return p;
}

static inline void
cur_skip(struct cur *c, size_t n)
{
	(void)cur_take(c, n);
}

/* A cursor over the next n bytes, which this one passes. */
static inline struct cur
cur_sub(struct cur *c, size_t n)
{
	const uint8_t *p = cur_take(c, n);
	struct cur sub = { c->end, c->end, 1 };

	if (p)
		sub = cur_of(p, n);
	return sub;
}

static inline uint8_t
cur_u8(struct cur *c)
{
	const uint8_t *p = cur_take(c, 1);

	return p ? p[0] : 0;
}

/* Big-endian, of bytes that were taken. */
static inline uint16_t
be16_at(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t
be32_at(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint16_t
cur_be16(struct cur *c)
{
	const uint8_t *p = cur_take(c, 2);

	return p ? be16_at(p) : 0;
}

static inline uint32_t
cur_be32(struct cur *c)
{
	const uint8_t *p = cur_take(c, 4);

	return p ? be32_at(p) : 0;
}

static inline uint64_t
cur_be64(struct cur *c)
{
	uint64_t hi = cur_be32(c);

	return hi << 32 | cur_be32(c);
}

/* Native order: netlink headers. */
static inline uint16_t
cur_u16(struct cur *c)
{
	const uint8_t *p = cur_take(c, 2);
	uint16_t v = 0;

	if (p)
		memcpy(&v, p, sizeof v);
	return v;
}

static inline uint32_t
cur_u32(struct cur *c)
{
	const uint8_t *p = cur_take(c, 4);
	uint32_t v = 0;

	if (p)
		memcpy(&v, p, sizeof v);
	return v;
}

/* Copies n bytes to dst; zeroes dst when there are fewer. */
static inline void
cur_copy(struct cur *c, void *dst, size_t n)
{
	const uint8_t *p = cur_take(c, n);

	if (p)
		memcpy(dst, p, n);
	else
		memset(dst, 0, n);
}

#endif
