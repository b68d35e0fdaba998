/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * compile.c - CSV tables to a range file, and a MaxMind DB looked through from end to end.
 */
#include "compile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base.h"
#include "csv.h"
#include "geo.h"
#include "ranges.h"

#define RANGES_MAX 8000000
#define TEXT_MAX (256U << 20)
#define SHOW_EVERY 20000 /* lines */

struct range {
	uint8_t first[16], last[16];
	uint32_t as;
	uint32_t order; /* in which they came */
};

struct list {
	struct range *range;
	size_t n, room;
};

struct system {
	uint32_t asn;
	uint32_t name; /* place in the text */
};

struct table {
	struct list list[2]; /* IPv4, IPv6 */
	struct system *as;
	size_t as_n, as_room;
	uint32_t *slot;  /* index of a system and one, by number; 0: free */
	size_t slots;    /* a power of two */
	char *text;
	size_t text_n, text_room;
	char *const *names;
};

static int
out_of_memory(void)
{
	fprintf(stderr, "out of memory\n");
	return -1;
}

/* ---- gather ---- */

/* The list, with room for one more than n; NULL: there is none, and the old one stays. */
static void *
grow(void *list, size_t *room, size_t n, size_t size)
{
	size_t more = *room ? *room * 2 : 4096;
	void *p;

	if (n < *room)
		return list;
	p = reallocarray(list, more, size);
	if (p)
		*room = more;
	else
		out_of_memory();
	return p;
}

/* Place of a text that is added; 0 ("") when it does not fit. */
static uint32_t
add_text(struct table *t, const char *text)
{
	size_t n = strlen(text) + 1, room;
	char *p;

	if (t->text_n && !*text)
		return 0;
	if (t->text_n + n > t->text_room) {
		room = t->text_room ? t->text_room * 2 : 1 << 20;
		p = room <= TEXT_MAX ? realloc(t->text, room) : NULL;
		if (!p)
			return 0;
		t->text = p;
		t->text_room = room;
	}
	memcpy(t->text + t->text_n, text, n);
	t->text_n += n;
	return (uint32_t)(t->text_n - n);
}

static size_t
slot_of(const struct table *t, uint32_t asn)
{
	size_t i = (asn * 2654435761U) & (t->slots - 1);

	while (t->slot[i] && t->as[t->slot[i] - 1].asn != asn)
		i = (i + 1) & (t->slots - 1);
	return i;
}

static int
more_slots(struct table *t)
{
	uint32_t *slot;

	if (t->as_n * 2 < t->slots)
		return 0;
	t->slots = t->slots ? t->slots * 2 : 8192;
	slot = calloc(t->slots, sizeof *slot);
	if (!slot)
		return out_of_memory();
	free(t->slot);
	t->slot = slot;
	for (size_t i = 0; i < t->as_n; i++)
		t->slot[slot_of(t, t->as[i].asn)] = (uint32_t)i + 1;
	return 0;
}

/* Index of a system, new or not; -1. */
static int64_t
system_of(struct table *t, uint32_t asn, const char *name)
{
	struct system *as = grow(t->as, &t->as_room, t->as_n, sizeof *as);
	size_t i;

	if (!as)
		return -1;
	t->as = as;
	if (more_slots(t))
		return -1;
	i = slot_of(t, asn);
	if (!t->slot[i]) {
		t->as[t->as_n++] = (struct system){ asn, add_text(t, name) };
		t->slot[i] = (uint32_t)t->as_n;
	}
	return t->slot[i] - 1;
}

static int
add(struct table *t, const struct csv_range *c, int file, uint32_t line)
{
	struct list *l = &t->list[c->ipv == 6];
	struct range *range;
	int64_t as;

	if (!c->asn) /* known to belong to nobody */
		return 0;
	if (l->n == RANGES_MAX) {
		fprintf(stderr, "%s:%u: more than %d ranges\n", t->names[file], line, RANGES_MAX);
		return -1;
	}
	as = system_of(t, c->asn, c->name);
	range = as < 0 ? NULL : grow(l->range, &l->room, l->n, sizeof *range);
	if (!range)
		return -1;
	l->range = range;
	l->range[l->n] = (struct range){ .as = (uint32_t)as, .order = (uint32_t)l->n };
	memcpy(l->range[l->n].first, c->first, 16);
	memcpy(l->range[l->n].last, c->last, 16);
	l->n++;
	return 0;
}

static void
show(const char *name, long long at, long long size, int done)
{
	static int terminal = -1;

	if (terminal < 0)
		terminal = isatty(STDERR_FILENO);
	if (terminal)
		fprintf(stderr, "\r%s: %lld %%%s", name, size > 0 ? at * 100 / size : 100, done ? "\n" : "");
}

static int
read_table(struct table *t, int fd, int file)
{
	static char line[CSV_LINE_MAX + 2];
	struct csv_range c;
	struct stat st;
	const char *wrong;
	uint32_t n = 0;
	long long at = 0;
	FILE *f = fstat(fd, &st) ? NULL : fdopen(fd, "r");
	int r = -1;

	if (!f) {
		fprintf(stderr, "%s: %s\n", t->names[file], strerror(errno));
		return -1;
	}
	while (fgets(line, sizeof line, f)) {
		size_t len = strlen(line); /* a NUL inside cuts it: then it is no line of four fields */

		at += (long long)len;
		n++;
		while (len && (line[len - 1] == '\n' || line[len - 1] == '\r'))
			len--;
		if (!len)
			continue;
		wrong = csv_line(&c, line, len);
		/* Names of the columns. */
		if (wrong && n == 1 && len > 6 && strchr("\"rsfini", line[0] | 0x20) && strchr(line, ','))
			continue;
		if (wrong) {
			fprintf(stderr, "%s:%u: %s\n", t->names[file], n, wrong);
			goto out;
		}
		if (add(t, &c, file, n))
			goto out;
		if (n % SHOW_EVERY == 0)
			show(t->names[file], at, st.st_size, 0);
	}
	r = ferror(f) ? -1 : 0;
	if (r)
		fprintf(stderr, "%s: %s\n", t->names[file], strerror(errno));
	show(t->names[file], 1, 1, 1);
out:
	fclose(f);
	return r;
}

/* ---- write ---- */

static int
by_first(const void *a, const void *b)
{
	const struct range *x = a, *y = b;
	int r = memcmp(x->first, y->first, 16);

	return r ? r : x->order < y->order ? -1 : x->order > y->order;
}

static void
minus_one(uint8_t addr[16], size_t half)
{
	while (half-- && addr[half]-- == 0)
		;
}

/* Where two overlap, as they do in real tables, the first ends where the second begins; of two that begin together
 * the one that came first stays. */
static size_t
sort(struct list *l, size_t half)
{
	size_t kept = 0, cut = 0;

	if (l->n)
		qsort(l->range, l->n, sizeof *l->range, by_first);
	for (size_t i = 0; i < l->n; i++) {
		struct range *last = kept ? &l->range[kept - 1] : NULL;

		if (last && memcmp(last->last, l->range[i].first, 16) >= 0) {
			cut++;
			if (!memcmp(last->first, l->range[i].first, 16))
				continue;
			memcpy(last->last, l->range[i].first, 16);
			minus_one(last->last, half);
		}
		l->range[kept++] = l->range[i];
	}
	l->n = kept;
	return cut;
}

static uint8_t *
put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
	return p + 4;
}

static uint8_t *
put_list(uint8_t *p, const struct list *l, size_t half)
{
	for (size_t i = 0; i < l->n; i++) {
		memcpy(p, l->range[i].first, half);
		memcpy(p + half, l->range[i].last, half);
		p = put32(p + 2 * half, l->range[i].as);
	}
	return p;
}

static int
write_all(int fd, const uint8_t *p, size_t n)
{
	while (n) {
		ssize_t r = write(fd, p, n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			fprintf(stderr, "not written: %s\n", strerror(errno));
			return -1;
		}
		p += r;
		n -= (size_t)r;
	}
	return 0;
}

static int
write_table(const struct table *t, uint32_t attribution, int out)
{
	size_t n = RANGES_HEADER + t->list[0].n * RANGES_V4 + t->list[1].n * RANGES_V6 + t->as_n * RANGES_AS + t->text_n;
	uint8_t *bytes = calloc(1, n), *p = bytes;
	struct ranges check;
	const char *wrong;
	int r = -1;

	if (!bytes)
		return out_of_memory();
	memcpy(p, RANGES_MAGIC, 8);
	p = put32(p + 8, (uint32_t)t->list[0].n);
	p = put32(p, (uint32_t)t->list[1].n);
	p = put32(p, (uint32_t)t->as_n);
	p = put32(p, (uint32_t)t->text_n);
	p = put32(p, (uint32_t)((uint64_t)time(NULL) >> 32));
	p = put32(p, (uint32_t)time(NULL));
	put32(p, attribution);
	p = put_list(bytes + RANGES_HEADER, &t->list[0], 4);
	p = put_list(p, &t->list[1], 16);
	for (size_t i = 0; i < t->as_n; i++)
		p = put32(put32(p, t->as[i].asn), t->as[i].name);
	memcpy(p, t->text, t->text_n);
	wrong = ranges_open(&check, bytes, n);
	if (wrong)
		fprintf(stderr, "made something wrong of it: %s\n", wrong);
	else
		r = write_all(out, bytes, n);
	free(bytes);
	return r;
}

static int
compile_tables(int out, const int *in, char *const *names, int n, const char *attribution)
{
	struct table t = { .names = names };
	uint32_t said;
	size_t cut;
	int r = -1;

	add_text(&t, "");
	if (!t.text) {
		out_of_memory();
		goto out;
	}
	said = add_text(&t, attribution);
	for (int i = 0; i < n; i++) {
		if (read_table(&t, in[i], i))
			goto out;
	}
	if (!t.list[0].n && !t.list[1].n) {
		fprintf(stderr, "%s: no range of any autonomous system\n", names[0]);
		goto out;
	}
	cut = sort(&t.list[0], 4) + sort(&t.list[1], 16);
	if (cut)
		fprintf(stderr, "%s: %zu ranges overlap another; each ends where the next begins\n", names[0], cut);
	if (write_table(&t, said, out))
		goto out;
	printf("asn ranges %zu IPv4 and %zu IPv6 ranges of %zu autonomous systems\n", t.list[0].n, t.list[1].n, t.as_n);
	r = 0;
out:
	free(t.list[0].range);
	free(t.list[1].range);
	free(t.as);
	free(t.slot);
	free(t.text);
	return r;
}

/* ---- a MaxMind DB ---- */

struct tally {
	uint64_t entries, cc, asn, city;
};

static int
look_at(const MMDB_s *m, uint8_t type, uint64_t record, MMDB_entry_s *entry, struct tally *t)
{
	struct geo_place p;

	if (type == MMDB_RECORD_TYPE_INVALID || (type == MMDB_RECORD_TYPE_SEARCH_NODE && record >= m->metadata.node_count))
		return -1;
	if (type != MMDB_RECORD_TYPE_DATA)
		return 0;
	base_place_init(&p);
	base_read(entry, &p);
	t->entries++;
	t->cc += p.cc[0] != 0;
	t->asn += p.asn != 0;
	t->city += p.city[0] || p.lat != GEO_NOWHERE;
	return 0;
}

/* Every node of the tree, and what its leaves say. */
static int
look_through(const MMDB_s *m, const char *name, struct tally *t)
{
	MMDB_search_node_s node;

	for (uint32_t i = 0; i < m->metadata.node_count; i++) {
		if (MMDB_read_node(m, i, &node) ||
		    look_at(m, node.left_record_type, node.left_record, &node.left_record_entry, t) ||
		    look_at(m, node.right_record_type, node.right_record, &node.right_record_entry, t)) {
			fprintf(stderr, "%s: damaged: node %u of its tree\n", name, i);
			return -1;
		}
		if (i % (SHOW_EVERY * 4) == 0)
			show(name, i, m->metadata.node_count, 0);
	}
	show(name, 1, 1, 1);
	return 0;
}

static int
copy(int out, int in, const char *name)
{
	static uint8_t buf[1 << 16];
	ssize_t n;

	if (lseek(in, 0, SEEK_SET))
		return -1;
	while ((n = read(in, buf, sizeof buf)) > 0) {
		if (write_all(out, buf, (size_t)n))
			return -1;
	}
	if (n < 0)
		fprintf(stderr, "%s: %s\n", name, strerror(errno));
	return n < 0 ? -1 : 0;
}

static int
take_base(int out, int in, const char *name)
{
	static const char *const words[] = GEO_WORDS_KIND;
	struct tally t = { 0 };
	enum geo_kind kind;
	struct base b;
	char why[200];
	int r = -1;

	if (base_open(&b, in, why, sizeof why)) {
		fprintf(stderr, "%s: %s\n", name, why);
		return -1;
	}
	if (b.is_ranges) {
		kind = GEO_ASN;
	} else {
		if (look_through(&b.mmdb, name, &t))
			goto out;
		kind = t.asn ? GEO_ASN : t.city ? GEO_CITY : GEO_COUNTRY;
		if (!t.asn && !t.city && !t.cc) {
			fprintf(stderr, "%s: %s has no countries, cities or autonomous systems under a name known here\n", name,
				b.type[0] ? b.type : "this database");
			goto out;
		}
	}
	r = copy(out, in, name);
	if (!r)
		printf("%s %s %s\n", words[kind], b.is_ranges ? "ranges" : "mmdb", b.type[0] ? b.type : "of no name");
out:
	base_close(&b);
	return r;
}

/* What a MaxMind DB and a range file have, and a table has not: a NUL within the first bytes. */
static int
is_base(int fd)
{
	char head[512];
	ssize_t n = pread(fd, head, sizeof head, 0);

	return n > 0 && memchr(head, 0, (size_t)n);
}

int
compile(int out, const int *in, char *const *names, int n, const char *attribution)
{
	int r;

	if (is_base(in[0]) && n != 1) {
		fprintf(stderr, "%s: a MaxMind DB is imported alone\n", names[0]);
		return 1;
	}
	r = is_base(in[0]) ? take_base(out, in[0], names[0]) : compile_tables(out, in, names, n, attribution);
	return r || fflush(stdout) ? 1 : 0;
}
