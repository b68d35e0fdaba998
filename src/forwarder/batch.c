/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * batch.c - receives the report pipe's bytes in whatever chunks they come, hands sealed batches to
 * the queue.  Two fixed buffers: a line that is not whole yet, and the batch that is open.
 */
#include "batch.h"

#include "line.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct batch_maker {
	struct batch_limits limits;
	batch_sealed_fn *sealed;
	void *arg;
	struct line *line;
	enum pack_coding coding;
	struct batch_counts counts;
	uint64_t first, last;
	uint32_t n;        /* lines in `open` */
	uint32_t open_len;
	uint32_t part_len;
	int skipping;      /* inside an overlong line, up to its newline */
	char *open;        /* limits.bytes */
	char part[BATCH_LINE_MAX];
};

struct batch *
batch_new(enum pack_coding coding, const char *bytes, size_t len, uint32_t n, uint64_t first, uint64_t last)
{
	struct batch *b = malloc(sizeof *b + len), *smaller;
	size_t size;

	if (!b)
		return NULL;
	*b = (struct batch){ .first = first, .last = last, .n = n, .len = (uint32_t)len, .size = (uint32_t)len,
			     .wanted = (uint8_t)coding };
	size = pack(coding, bytes, len, b->bytes, len);
	if (!size) {
		memcpy(b->bytes, bytes, len);
		return b;
	}
	b->size = (uint32_t)size;
	b->coding = (uint8_t)coding;
	smaller = realloc(b, sizeof *b + size);
	if (smaller)
		b = smaller;
	return b;
}

void
batch_free(struct batch *b)
{
	free(b);
}

void
batch_free_list(struct batch *b)
{
	while (b) {
		struct batch *next = b->next;

		batch_free(b);
		b = next;
	}
}

/* Inside a string the quotes would be escaped. */
int
batch_is_conn(const char *line, size_t len)
{
	static const char type[] = "\"type\":\"conn\"";

	return memmem(line, len, type, sizeof type - 1) != NULL;
}

size_t
batch_size(const struct batch *b)
{
	return sizeof *b + b->size;
}

char *
batch_lines(const struct batch *b)
{
	char *lines = malloc(b->len);

	if (!lines)
		return NULL;
	if (b->coding == PACK_NONE) {
		memcpy(lines, b->bytes, b->len);
	} else if (pack_undo(b->coding, b->bytes, b->size, lines, b->len)) {
		free(lines);
		return NULL;
	}
	return lines;
}

struct batch_maker *
batch_maker_new(const struct batch_limits *limits, batch_sealed_fn *sealed, void *arg)
{
	struct batch_maker *m = calloc(1, sizeof *m);

	if (!m)
		return NULL;
	m->limits = *limits;
	m->coding = PACK_GZIP;
	m->sealed = sealed;
	m->arg = arg;
	m->line = line_new();
	m->open = malloc(limits->bytes);
	if (!m->line || !m->open) {
		batch_maker_free(m);
		return NULL;
	}
	return m;
}

void
batch_maker_free(struct batch_maker *m)
{
	if (!m)
		return;
	line_free(m->line);
	free(m->open);
	free(m);
}

void
batch_seal(struct batch_maker *m)
{
	struct batch *b;

	if (!m->n)
		return;
	b = batch_new(m->coding, m->open, m->open_len, m->n, m->first, m->last);
	if (b)
		m->counts.sealed++;
	else
		m->counts.dropped += m->n;
	m->counts.open = 0;
	m->n = m->open_len = 0;
	if (b)
		m->sealed(m->arg, b);
}

/* One line with its newline. */
static void
batch_line(struct batch_maker *m, const char *bytes, uint32_t len)
{
	uint64_t seq;

	if (line_seq(m->line, bytes, len, &seq)) {
		m->counts.torn++;
		return;
	}
	m->counts.received++;
	if (m->n && m->open_len + len > m->limits.bytes)
		batch_seal(m);
	if (!m->n)
		m->first = seq;
	m->last = seq;
	m->n++;
	m->counts.open++;
	memcpy(m->open + m->open_len, bytes, len);
	m->open_len += len;
	if (m->n >= m->limits.lines)
		batch_seal(m);
}

/* The rest of a line that began in an earlier chunk, or the beginning of one that goes on in the
 * next. */
static void
batch_part(struct batch_maker *m, const char *bytes, size_t len, int whole)
{
	if (!m->skipping && len <= sizeof m->part - m->part_len) {
		memcpy(m->part + m->part_len, bytes, len);
		m->part_len += (uint32_t)len;
		if (whole)
			batch_line(m, m->part, m->part_len);
	} else if (!m->skipping) {
		m->counts.overlong++;
		m->skipping = 1;
	}
	if (whole)
		m->skipping = 0;
	if (whole || m->skipping)
		m->part_len = 0;
}

void
batch_feed(struct batch_maker *m, const char *bytes, size_t len)
{
	while (len) {
		const char *newline = memchr(bytes, '\n', len);
		size_t n = newline ? (size_t)(newline - bytes) + 1 : len;

		if (newline && !m->part_len && !m->skipping && n <= BATCH_LINE_MAX)
			batch_line(m, bytes, (uint32_t)n);
		else
			batch_part(m, bytes, n, newline != NULL);
		bytes += n;
		len -= n;
	}
}

void
batch_eof(struct batch_maker *m)
{
	if (m->part_len)
		m->counts.torn++;
	m->part_len = 0;
	m->skipping = 0;
	batch_seal(m);
}

int
batch_inside_line(const struct batch_maker *m)
{
	return m->part_len || m->skipping;
}

void
batch_pack(struct batch_maker *m, enum pack_coding coding)
{
	m->coding = coding;
}

void
batch_shrink(struct batch_maker *m, uint32_t bytes)
{
	if (bytes < BATCH_LINE_MAX)
		bytes = BATCH_LINE_MAX;
	if (bytes >= m->limits.bytes)
		return;
	if (m->open_len > bytes)
		batch_seal(m);
	m->limits.bytes = bytes;
}

const struct batch_counts *
batch_counts(const struct batch_maker *m)
{
	return &m->counts;
}

void
batch_gap_add(struct batch_gap *to, const struct batch_gap *from)
{
	if (!from->n)
		return;
	to->first = to->n && to->first < from->first ? to->first : from->first;
	to->last = to->n && to->last > from->last ? to->last : from->last;
	to->n += from->n;
}

static void
batch_inherit(struct batch *to, const struct batch *from)
{
	to->refused = from->refused;
	to->segment = from->segment;
	to->apart = from->apart;
	to->backlog = from->backlog;
	to->thinned = from->thinned;
	memcpy(to->boot, from->boot, sizeof to->boot);
}

int
batch_thin(const struct batch *b, struct batch **front_out, struct batch **rest_out, uint32_t *removed)
{
	struct batch *part[2] = { NULL, NULL };
	struct line *line = line_new();
	char *bytes = malloc(b->len), *lines = batch_lines(b);
	uint64_t first = 0, last = 0, seq;
	uint32_t len = 0, n = 0, at = 0, line_len;
	int behind = 0, r = -ENOMEM;

	*removed = 0;
	if (!line || !bytes || !lines)
		goto out;
	for (;; at += line_len) {
		const char *p = lines + at;
		int end = at == b->len;

		line_len = end ? 0 : (uint32_t)((const char *)memchr(p, '\n', b->len - at) - p) + 1;
		if (end || (batch_is_conn(p, line_len) && !behind)) {
			if (n && !(part[behind] = batch_new(b->wanted, bytes, len, n, first, last)))
				goto out;
			len = n = 0;
			behind = 1;
		}
		if (end)
			break;
		if (batch_is_conn(p, line_len)) {
			++*removed;
			continue;
		}
		/* It was checked when it came in, so this is -ENOMEM or nothing. */
		if (line_seq(line, p, line_len, &seq))
			goto out;
		memcpy(bytes + len, p, line_len);
		len += line_len;
		first = n++ ? first : seq;
		last = seq;
	}
	for (int i = 0; i < 2; i++) {
		if (part[i]) {
			batch_inherit(part[i], b);
			part[i]->thinned = 1;
		}
	}
	r = 0;
	*front_out = part[0];
	*rest_out = part[1];
out:
	if (r)
		batch_free(part[0]);
	free(bytes);
	free(lines);
	line_free(line);
	return r;
}

int
batch_halve(const struct batch *b, struct batch **one_out, struct batch **two_out)
{
	struct line *line = line_new();
	char *lines = batch_lines(b);
	uint32_t first_n = b->n / 2, at = 0;
	uint64_t seq = 0, last = 0, next = 0;
	struct batch *one = NULL, *two = NULL;
	int r = -ENOMEM;

	if (!line || !lines)
		goto out;
	for (uint32_t i = 0; i <= first_n; i++) {
		const char *newline = memchr(lines + at, '\n', b->len - at);
		uint32_t n = (uint32_t)(newline - (lines + at)) + 1;

		/* It was checked when it came in, so this is -ENOMEM or nothing. */
		if (i + 1 >= first_n && line_seq(line, lines + at, n, &seq))
			goto out;
		if (i + 1 == first_n)
			last = seq;
		else if (i == first_n)
			next = seq;
		if (i < first_n)
			at += n;
	}
	one = batch_new(b->wanted, lines, at, first_n, b->first, last);
	two = batch_new(b->wanted, lines + at, b->len - at, b->n - first_n, next, b->last);
	if (!one || !two) {
		batch_free(one);
		batch_free(two);
		goto out;
	}
	batch_inherit(one, b);
	batch_inherit(two, b);
	two->apart = 0;
	one->before = b->before;
	two->behind = b->behind;
	*one_out = one;
	*two_out = two;
	r = 0;
out:
	free(lines);
	line_free(line);
	return r;
}
