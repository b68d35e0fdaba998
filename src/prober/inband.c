/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * inband.c - a small table; requests come from serve.c, answers from control.c.
 */
#include "inband.h"

#include <string.h>

enum state {
	FREE,
	ASKING,  /* for the first time */
	LIVES,   /* waits for its turn */
	BEGAN,
};

struct slot {
	enum state state;
	uint32_t id;             /* of the look-up under way; 0: none */
	int64_t due_us;          /* of the next look-up, or of the answer */
	struct prober_request request;
	struct prober_tuple wan;
};

static struct slot slots[INBAND_MAX];
static struct inband_calls calls;
static void *calls_arg;
static uint32_t serial;

void
inband_start(const struct inband_calls *c, void *arg)
{
	calls = *c;
	calls_arg = arg;
	memset(slots, 0, sizeof slots);
}

static int
ask(struct slot *s, int64_t now_us)
{
	struct prober_tuple t = { .ipv = s->request.ipv, .sport = s->request.sport, .dport = s->request.dport };

	memcpy(t.src, s->request.src, 16);
	memcpy(t.dst, s->request.dst, 16);
	if (!++serial)
		serial = 1;
	s->id = serial;
	s->due_us = now_us + INBAND_TIMEOUT_US;
	return calls.lookup(calls_arg, s->id, &t);
}

static void
end(unsigned n)
{
	int began = slots[n].state == BEGAN;

	calls.ended(calls_arg, n, &slots[n].request, began);
	slots[n].state = FREE;
}

int
inband_open(const struct prober_request *q, int64_t now_us)
{
	for (int n = 0; n < INBAND_MAX; n++) {
		if (slots[n].state != FREE)
			continue;
		slots[n] = (struct slot){ .state = ASKING, .request = *q };
		if (!ask(&slots[n], now_us))
			return n;
		slots[n].state = FREE;
		break;
	}
	return -1;
}

void
inband_close(unsigned n)
{
	slots[n].state = FREE;
}

const struct prober_request *
inband_request(unsigned n)
{
	return &slots[n].request;
}

const struct prober_tuple *
inband_began(unsigned n)
{
	slots[n].state = BEGAN;
	return &slots[n].wan;
}

/* NAT changes the source, once.  Another destination was not the one that was asked for and checked. */
static int
is_usable(const struct slot *s, const struct prober_tuple *t)
{
	const struct prober_request *q = &s->request;

	if (t->ipv != q->ipv || !t->sport || t->dport != q->dport || memcmp(t->dst, q->dst, 16))
		return 0;
	return s->state == ASKING || (t->sport == s->wan.sport && !memcmp(t->src, s->wan.src, 16));
}

void
inband_found(uint32_t id, int lives, const struct prober_tuple *t, int64_t now_us)
{
	unsigned n = 0;
	struct slot *s;

	while (n < INBAND_MAX && (slots[n].state == FREE || slots[n].id != id))
		n++;
	if (n == INBAND_MAX || !id)
		return;
	s = &slots[n];
	s->id = 0;
	s->due_us = now_us + INBAND_EVERY_US;
	if (!lives || !is_usable(s, t)) {
		end(n);
	} else if (s->state == ASKING) {
		s->wan = *t;
		s->state = LIVES;
		calls.lives(calls_arg, n);
	}
}

int64_t
inband_run(int64_t now_us)
{
	int64_t next_us = INT64_MAX;

	for (unsigned n = 0; n < INBAND_MAX; n++) {
		struct slot *s = &slots[n];

		if (s->state == FREE)
			continue;
		if (s->due_us <= now_us && (s->id || ask(s, now_us))) {
			end(n);
			continue;
		}
		if (s->due_us < next_us)
			next_us = s->due_us;
	}
	return next_us;
}

unsigned
inband_asking(void)
{
	unsigned asking = 0;

	for (unsigned n = 0; n < INBAND_MAX; n++)
		asking += slots[n].state == ASKING;
	return asking;
}
