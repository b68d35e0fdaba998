/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sensors.c - the command sensors: who was enrolled.
 */
#include <stdio.h>
#include <string.h>

#include "access.h"
#include "command.h"
#include "lib/json.h"
#include "lib/log.h"

static void
print_sensor(void *arg, const struct access_sensor *s)
{
	char enrolled[JSON_TIME_LEN + 1], revoked[JSON_TIME_LEN + 1] = "-";

	(void)arg;
	json_time_text(enrolled, s->enrolled_us);
	if (s->revoked_us)
		json_time_text(revoked, s->revoked_us);
	printf("%-32s %.19sZ  %-20.19s %s\n", s->sensor, enrolled, revoked, s->by);
}

int
sensors_command(const struct conf *conf, char *const *arguments, int n)
{
	struct access *a;
	char err[500];
	int r;

	(void)arguments;
	(void)n;
	if (access_open(&a, conf_str(conf, "database"), err, sizeof err))
		fatal("%s", err);
	printf("%-32s %-21s %-20s %s\n", "sensor", "enrolled", "revoked", "by");
	r = access_sensors(a, print_sensor, NULL);
	access_close(a);
	if (r)
		log_error("sensors: %s", strerror(-r));
	return r || fflush(stdout) ? 2 : 0;
}
