/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * enroll.c - the commands enroll, sensors and revoke: beside a collector that runs or not.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "access.h"
#include "command.h"
#include "http.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "login.h"
#include "report.h"
#include "tls.h"

static struct access *
open_access(const struct conf *conf)
{
	struct access *a;
	char err[500];

	if (access_open(&a, conf_str(conf, "database"), err, sizeof err))
		fatal("%s", err);
	return a;
}

/* How a router might reach us: the option url, or else what we call ourselves. */
static void
find_url(const struct conf *conf, char *out, size_t size)
{
	const char *listen = conf_str(conf, "listen"), *name = listen;
	char host[256] = "";
	int any = !strcmp(listen, "0.0.0.0") || !strcmp(listen, "::");

	if (conf_str(conf, "url")) {
		snprintf(out, size, "%s", conf_str(conf, "url"));
		return;
	}
	if (any && conf_list_n(conf, "hosts"))
		name = conf_list(conf, "hosts", 0);
	else if (any && !gethostname(host, sizeof host - 1))
		name = host;
	snprintf(out, size, name == listen && strchr(name, ':') ? "http%s://[%s]" : "http%s://%s",
		 conf_str(conf, "tls-cert") ? "s" : "", name);
	if (name == listen || !strchr(name, ':'))
		snprintf(out + strlen(out), size - strlen(out), ":%s", conf_str(conf, "port"));
}

int
enroll_command(const struct conf *conf, char *const *arguments, int n)
{
	int64_t minutes = conf_int(conf, "minutes"), now_us = clock_wall_us();
	char code[ACCESS_CODE_LEN + 1], line[LOGIN_LINE_MAX], url[400], err[500];
	const char *sensor = arguments[0];
	struct access *a;
	struct tls tls;
	int r;

	(void)n;
	if (!report_sensor_ok(sensor, strlen(sensor)))
		fatal("enroll %s: a sensor's name has 1 to 64 letters, digits, . _ - and begins with a letter or digit", sensor);
	if (tls_load(&tls, conf_str(conf, "tls-cert"), conf_str(conf, "tls-key"), conf_str(conf, "client-ca"), err, sizeof err))
		fatal("%s", err);
	a = open_access(conf);
	r = access_code_new(a, sensor, "command line", now_us, now_us + minutes * 60000000, code);
	access_close(a);
	if (r)
		fatal("enroll %s: %s", sensor, r == -ENOSPC ? "too many codes wait to be used" : strerror(-r));
	find_url(conf, url, sizeof url);
	login_line(line, url, code, tls.pin[0] ? tls.pin : NULL);
	tls_free(&tls);
	fprintf(stderr, "On the router %s, as root, within %" PRId64 " minutes; once:\n", sensor, minutes);
	return puts(line) < 0 || fflush(stdout) ? 2 : 0;
}

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
	struct access *a = open_access(conf);
	int r;

	(void)arguments;
	(void)n;
	printf("%-32s %-21s %-20s %s\n", "sensor", "enrolled", "revoked", "by");
	r = access_sensors(a, print_sensor, NULL);
	access_close(a);
	if (r)
		log_error("sensors: %s", strerror(-r));
	return r || fflush(stdout) ? 2 : 0;
}

int
revoke_command(const struct conf *conf, char *const *arguments, int n)
{
	struct access *a = open_access(conf);
	int r = access_revoke(a, arguments[0], clock_wall_us(), conf_str(conf, "client-ca") != NULL);

	(void)n;
	access_close(a);
	if (r < 0)
		fatal("revoke %s: %s", arguments[0], strerror(-r));
	if (!r)
		log_error("revoke %s: no sensor of this name has a token or a code; see net-gazer-collector sensors", arguments[0]);
	return r ? 0 : 1;
}
