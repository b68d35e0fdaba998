/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * geostart.c - fork, descriptors, execute; and the configuration as one message.
 */
#include "geostart.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/priv.h"

#define FILES_MAX 16
#define FD_FIRST 3
#define FD_HIGH 64
#define DNS_PORT 53
#define RESOLV_CONF "/etc/resolv.conf"

/* ---- processes ---- */

/* Ours become 3, 4, ...; out, if there is one, 1.  Does not return but with an error. */
static void
become(const char *path, const char *const *argv, const int *fd, int n, int out, pid_t parent)
{
	int high[FILES_MAX + 1], null = open("/dev/null", O_RDWR);
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (priv_tie_to_parent(parent) || null < 0 || dup2(null, 0) < 0 || dup2(out < 0 ? null : out, 1) < 0)
		return;
	for (int i = 0; i < n; i++) {
		high[i] = fcntl(fd[i], F_DUPFD_CLOEXEC, FD_HIGH);
		if (high[i] < 0)
			return;
	}
	for (int i = 0; i < n; i++) {
		if (dup2(high[i], FD_FIRST + i) < 0)
			return;
	}
	(void)syscall(SYS_close_range, FD_FIRST + n, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */);
	execv(path, (char *const *)argv);
}

/* The pid, or -errno: what exec said, too. */
static pid_t
run(const char *dir, const char *const *argv, const int *fd, int n, int out)
{
	char path[GEO_PATH_MAX];
	int status[2], r = 0;
	pid_t pid, parent = getpid();

	if (snprintf(path, sizeof path, "%s/geo", dir) >= (int)sizeof path)
		return -ENAMETOOLONG;
	if (access(path, X_OK) || pipe2(status, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid < 0)
		r = -errno;
	if (pid == 0) {
		/* Its own signals: Ctrl-C at a terminal is ours, and our end is its end. */
		setsid();
		r = fcntl(status[1], F_DUPFD_CLOEXEC, FD_HIGH * 2);
		become(path, argv, fd, n, out, parent);
		n = -errno;
		if (write(r, &n, sizeof n) < 0)
			_exit(126);
		_exit(127);
	}
	close(status[1]);
	/* The end of the pipe is exec's close: it worked. */
	if (pid > 0)
		(void)!read(status[0], &r, sizeof r);
	close(status[0]);
	return r ? r : pid;
}

pid_t
geostart_serve(const char *dir, int fds[GEOSTART_FDS])
{
	static const char *const argv[] = { "geo", "serve", NULL };
	int theirs[GEOSTART_FDS], pair[2], n = 0;
	pid_t pid = 0;

	for (; n < GEOSTART_FDS; n++) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
			pid = -errno;
			break;
		}
		fds[n] = pair[0];
		theirs[n] = pair[1];
	}
	if (!pid)
		pid = run(dir, argv, theirs, n, -1);
	for (int i = 0; i < n; i++) {
		close(theirs[i]);
		if (pid < 0)
			close(fds[i]);
	}
	return pid;
}

pid_t
geostart_import(const char *dir, int out, const int *in, char *const *names, int n, const char *attribution, int *said)
{
	const char *argv[FILES_MAX + 4] = { "geo", "import", attribution };
	int fd[FILES_MAX + 1] = { out }, pipes[2];
	pid_t pid;

	if (n > FILES_MAX)
		return -E2BIG;
	if (pipe2(pipes, O_CLOEXEC))
		return -errno;
	for (int i = 0; i < n; i++) {
		argv[i + 3] = names[i];
		fd[i + 1] = in[i];
	}
	pid = run(dir, argv, fd, n + 1, pipes[1]);
	close(pipes[1]);
	if (pid < 0)
		close(pipes[0]);
	else
		*said = pipes[0];
	return pid;
}

/* ---- configuration ---- */

void
geostart_folder(const struct conf *c, char out[GEO_PATH_MAX])
{
	const char *database = conf_str(c, "database");

	out[0] = 0;
	if (strcmp(database, ":memory:") && snprintf(out, GEO_PATH_MAX, "%s.d/geo", database) >= GEO_PATH_MAX)
		out[0] = 0;
}

int
geostart_server(const char *text, struct geo_server *s)
{
	char host[ADDR_TEXT + 2], *end;
	const char *port = strrchr(text, ':');
	unsigned long n;

	*s = (struct geo_server){ .port = DNS_PORT };
	if (!addr_parse(&s->ipv, s->addr, text))
		return 0;
	if (!port || (size_t)(port - text) >= sizeof host)
		return -1;
	snprintf(host, sizeof host, "%.*s", (int)(port - text), text);
	n = strtoul(port + 1, &end, 10);
	if (!*end && port[1] >= '0' && port[1] <= '9' && n && n < 65536)
		s->port = (uint16_t)n;
	else
		return -1;
	end = host + strlen(host);
	if (*host == '[' && end[-1] == ']') {
		end[-1] = 0;
		return addr_parse(&s->ipv, s->addr, host + 1) || s->ipv != 6 ? -1 : 0;
	}
	return addr_parse(&s->ipv, s->addr, host) || s->ipv != 4 ? -1 : 0;
}

/* The servers that this machine asks. */
static void
system_servers(struct geo_control *c)
{
	char line[256], *save, *word, *address;
	FILE *f = fopen(RESOLV_CONF, "re");

	while (f && fgets(line, sizeof line, f) && c->servers_n < GEO_SERVERS_MAX) {
		word = strtok_r(line, " \t\n", &save);
		address = word && !strcmp(word, "nameserver") ? strtok_r(NULL, " \t\n%", &save) : NULL;
		if (address && !geostart_server(address, &c->server[c->servers_n]))
			c->servers_n++;
	}
	if (f)
		fclose(f);
	if (!c->servers_n)
		log_warn("dns = system, but " RESOLV_CONF " names no server: no names are looked up");
}

void
geostart_setup(const struct conf *conf, struct geo_control *c, int *named)
{
	static const char *const options[GEO_KINDS] = { "geo-country", "geo-city", "geo-asn" };

	*c = (struct geo_control){ .what = GEO_SETUP };
	*named = 0;
	for (int i = 0; i < GEO_KINDS; i++) {
		const char *file = conf_str(conf, options[i]);

		snprintf(c->file[i], sizeof c->file[i], "%s", file ? file : "");
	}
	geostart_folder(conf, c->folder);
	for (size_t i = 0; i < conf_list_n(conf, "dns") && c->servers_n < GEO_SERVERS_MAX; i++) {
		if (!strcmp(conf_list(conf, "dns", i), "system")) {
			system_servers(c);
		} else if (!geostart_server(conf_list(conf, "dns", i), &c->server[c->servers_n])) {
			c->servers_n++;
			*named = 1;
		}
	}
}
