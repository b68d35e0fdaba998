/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * quota.h - how much a sensor may send: reports a second (a minute's worth at once), and bytes a UTC day.  What
 * it has sent is known afterwards only, so a body may go over, and the next one waits for it.  Pure.
 */
#ifndef QUOTA_H
#define QUOTA_H

#include <stdint.h>

#include "access.h"

#define QUOTA_SENSORS 1024
#define QUOTA_BURST_S 60

struct quota_limits {
	int64_t reports_s; /* 0: no limit */
	int64_t bytes_day; /* 0: no limit */
};

struct quota_sensor {
	char name[ACCESS_NAME_MAX + 1]; /* "": free */
	int64_t full_us;      /* monotonic: when its bucket is full again */
	int64_t day;          /* since 1970, that bytes_today is of */
	int64_t bytes_today;  /* of bodies, unpacked */
	int64_t reports_today;
	int64_t last_rx_us;   /* wall */
	uint64_t refused;     /* bodies, since the start */
};

struct quota {
	struct quota_limits limits;
	unsigned n;
	struct quota_sensor of[QUOTA_SENSORS];
};

/* 0: it may send; else in so many seconds. */
unsigned quota_wait_s(struct quota *, const char *sensor, int64_t now_us, int64_t wall_us);
void quota_charge(struct quota *, const char *sensor, int64_t reports, int64_t bytes, int64_t now_us, int64_t wall_us);
/* NULL: nothing came from it. */
const struct quota_sensor *quota_find(const struct quota *, const char *sensor);

#endif
