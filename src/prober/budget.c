/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * budget.c - an open-addressed table in a shared mapping.
 *
 * A slot is three words: 48 bits of prefix and the family, then the count, which is written last; a slot
 * without a count is free.  Nothing is removed but all at once, when the day ends.
 */
#include "budget.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/hash.h"
#include "lib/log.h"

#define BUDGET_MAGIC 0x6e676264U /* read the other way round on a machine of other order: not ours */
#define BUDGET_VERSION 1
#define BUDGET_RUN 128           /* slots looked at for one prefix */

#define FAMILY_V6 1U

#define DAY_US 86400000000

struct slot {
	uint32_t high;  /* the prefix's first 32 bits */
	uint32_t low;   /* its next 16, and FAMILY_V6 */
	uint32_t count; /* 0: free */
};

struct page {
	uint32_t magic; /* written last, when all else is there */
	uint32_t version;
	uint32_t slots;
	uint32_t day;   /* since 1970, that the counts are of */
	uint8_t key[16];
	uint32_t reserved[8];
	struct slot slot[BUDGET_SLOTS];
};

_Static_assert(sizeof(struct page) == 64 + 12 * BUDGET_SLOTS && sizeof(struct page) <= 128 * 1024, "layout");

struct budget {
	struct page *page;
	uint32_t per_day;
	uint64_t full;
};

/* In this order for whoever maps the file after a crash. */
static void
store(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static uint32_t
day_of(int64_t wall_us)
{
	return wall_us < 0 ? 0 : (uint32_t)(wall_us / DAY_US);
}

static void
clear(struct page *p)
{
	for (unsigned i = 0; i < BUDGET_SLOTS; i++)
		store(&p->slot[i].count, 0);
}

static void
begin(struct page *p, uint32_t day)
{
	store(&p->magic, 0);
	p->version = BUDGET_VERSION;
	p->slots = BUDGET_SLOTS;
	hash_random(p->key, sizeof p->key);
	clear(p);
	store(&p->day, day);
	store(&p->magic, BUDGET_MAGIC);
}

/* Each slot is as we would have written it. */
static int
is_sound(const struct page *p)
{
	if (p->magic != BUDGET_MAGIC || p->version != BUDGET_VERSION || p->slots != BUDGET_SLOTS)
		return 0;
	for (unsigned i = 0; i < BUDGET_SLOTS; i++) {
		const struct slot *s = &p->slot[i];

		if (!s->count)
			continue; /* maybe half written */
		if (s->count > BUDGET_COUNT_MAX || s->low & 0xffff & ~FAMILY_V6)
			return 0;
		if (!(s->low & FAMILY_V6) && (s->low || s->high & 0xff))
			return 0; /* more than 24 bits of an IPv4 address */
	}
	return 1;
}

/* Counts of an earlier day are done with.  A clock that goes back refills nothing: the day stays.  But
 * one that was wrong by more than a day and was put right must not stop the refills for years: then
 * the counts go over to the day that it is now. */
static void
turn_day(struct page *p, int64_t wall_us)
{
	uint32_t day = day_of(wall_us);

	if (day > p->day) {
		clear(p); /* a crash in here: the day is still the old one, and this is done again */
		store(&p->day, day);
	} else if (day + 1 < p->day) {
		store(&p->day, day);
	}
}

/* The file as a page of ours, or NULL. */
static struct page *
map_file(int fd)
{
	struct stat st;
	struct page *p;
	int r;

	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode))
		return NULL;
	/* Room for all of it now: a full disk must not be a SIGBUS later. */
	r = ftruncate(fd, sizeof *p) ? errno : posix_fallocate(fd, 0, sizeof *p);
	if (r) {
		log_warn("the file of daily budgets cannot be %zu bytes long (%s): they are kept in memory",
			 sizeof *p, strerror(r));
		return NULL;
	}
	p = mmap(NULL, sizeof *p, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		log_warn("the file of daily budgets cannot be mapped (%s): they are kept in memory", strerror(errno));
		return NULL;
	}
	/* A new one is all zero, which needs no word. */
	if (st.st_size && (st.st_size != (off_t)sizeof *p || !is_sound(p))) {
		log_warn("the file of daily budgets is damaged or another version's: begun anew");
		store(&p->magic, 0);
	}
	return p;
}

struct budget *
budget_open(int fd, uint32_t per_day, int64_t wall_us)
{
	struct budget *b = calloc(1, sizeof *b);

	if (!b)
		return NULL;
	b->per_day = per_day;
	b->page = map_file(fd);
	if (fd >= 0)
		close(fd);
	if (!b->page)
		b->page = mmap(NULL, sizeof *b->page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (b->page == MAP_FAILED) {
		free(b);
		return NULL;
	}
	if (b->page->magic != BUDGET_MAGIC)
		begin(b->page, day_of(wall_us));
	turn_day(b->page, wall_us);
	return b;
}

void
budget_close(struct budget *b)
{
	if (!b)
		return;
	munmap(b->page, sizeof *b->page);
	free(b);
}

/* The slot of this address's prefix, or the free one where it belongs; NULL: no room. */
static struct slot *
find(struct page *p, uint8_t ipv, const uint8_t addr[16], struct slot *wanted)
{
	uint8_t prefix[8] = { ipv };
	uint64_t at;

	memcpy(prefix + 1, addr, ipv == 4 ? 3 : 6);
	wanted->high = (uint32_t)prefix[1] << 24 | (uint32_t)prefix[2] << 16 | (uint32_t)prefix[3] << 8 | prefix[4];
	wanted->low = (uint32_t)prefix[5] << 24 | (uint32_t)prefix[6] << 16 | (ipv == 6 ? FAMILY_V6 : 0);
	at = hash_sip(p->key, prefix, sizeof prefix);
	for (unsigned i = 0; i < BUDGET_RUN; i++) {
		struct slot *s = &p->slot[(at + i) % BUDGET_SLOTS];

		if (!s->count || (s->high == wanted->high && s->low == wanted->low))
			return s;
	}
	return NULL;
}

/* The slot when one more may be counted there, else NULL. */
static struct slot *
room(struct budget *b, uint8_t ipv, const uint8_t addr[16], int64_t wall_us, struct slot *wanted)
{
	struct slot *s;

	turn_day(b->page, wall_us);
	s = find(b->page, ipv, addr, wanted);
	if (!s)
		b->full++;
	return s && s->count < b->per_day && s->count < BUDGET_COUNT_MAX ? s : NULL;
}

int
budget_left(struct budget *b, uint8_t ipv, const uint8_t addr[16], int64_t wall_us)
{
	struct slot wanted;

	return room(b, ipv, addr, wall_us, &wanted) != NULL;
}

int
budget_take(struct budget *b, uint8_t ipv, const uint8_t addr[16], int64_t wall_us)
{
	struct slot wanted, *s = room(b, ipv, addr, wall_us, &wanted);

	if (!s)
		return 0;
	if (!s->count) {
		store(&s->high, wanted.high);
		store(&s->low, wanted.low);
	}
	store(&s->count, s->count + 1);
	return 1;
}

uint64_t
budget_full(const struct budget *b)
{
	return b->full;
}
