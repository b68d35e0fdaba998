/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * enroll.c - the command enroll: beside a collector that runs or not.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "access.h"
#include "command.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "login.h"
#include "report.h"
#include "tls.h"

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
	if (access_open(&a, conf_str(conf, "database"), err, sizeof err))
		fatal("%s", err);
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
