/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * quota.c - the table of what each sensor has sent.
 */
#include "quota.h"

#include <stdio.h>
#include <string.h>

#define DAY_US 86400000000LL

/* When there is no place, the one that was silent longest gives his: he has been waiting for nothing. */
static struct quota_sensor *
get(struct quota *q, const char *sensor, int64_t wall_us)
{
	struct quota_sensor *s = NULL;

	for (unsigned i = 0; i < q->n; i++) {
		if (!strcmp(q->of[i].name, sensor)) {
			s = &q->of[i];
			break;
		}
	}
	if (!s) {
		s = &q->of[0];
		for (unsigned i = 1; q->n == QUOTA_SENSORS && i < q->n; i++) {
			if (q->of[i].last_rx_us < s->last_rx_us)
				s = &q->of[i];
		}
		if (q->n < QUOTA_SENSORS)
			s = &q->of[q->n++];
		*s = (struct quota_sensor){ .day = wall_us / DAY_US };
		snprintf(s->name, sizeof s->name, "%s", sensor);
	}
	if (wall_us / DAY_US != s->day) {
		s->day = wall_us / DAY_US;
		s->bytes_today = s->reports_today = 0;
	}
	return s;
}

unsigned
quota_wait_s(struct quota *q, const char *sensor, int64_t now_us, int64_t wall_us)
{
	struct quota_sensor *s = get(q, sensor, wall_us);
	int64_t over_us = s->full_us - now_us - QUOTA_BURST_S * 1000000LL;
	int64_t wait = 0;

	if (q->limits.reports_s && over_us >= 0)
		wait = over_us / 1000000 + 1;
	if (q->limits.bytes_day && s->bytes_today >= q->limits.bytes_day)
		wait = ((s->day + 1) * DAY_US - wall_us) / 1000000 + 1;
	s->refused += wait > 0;
	return (unsigned)wait;
}

void
quota_charge(struct quota *q, const char *sensor, int64_t reports, int64_t bytes, int64_t now_us, int64_t wall_us)
{
	struct quota_sensor *s = get(q, sensor, wall_us);

	s->last_rx_us = wall_us;
	s->bytes_today += bytes;
	s->reports_today += reports;
	if (!q->limits.reports_s)
		return;
	if (s->full_us < now_us)
		s->full_us = now_us;
	s->full_us += reports * 1000000 / q->limits.reports_s;
}

const struct quota_sensor *
quota_find(const struct quota *q, const char *sensor)
{
	for (unsigned i = 0; i < q->n; i++) {
		if (!strcmp(q->of[i].name, sensor))
			return &q->of[i];
	}
	return NULL;
}
