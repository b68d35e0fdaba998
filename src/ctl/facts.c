/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * facts.c - see facts.h.
 */
#include "facts.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ctl/ask.h"
#include "lib/conf.h"
#include "sensor/holder.h"
#include "sensor/nft.h"
#include "sensor/observe.h"
#include "sensor/options.h"

_Static_assert(FACTS_GROUPS == CLASSES_ROWS, "one group for each row");

/* Gives runtime-dir; free(). */
static char *
read_conf(struct facts *f, const char *file)
{
	char *argv[] = { (char *)"net-gazerctl", (char *)"-c", (char *)file, NULL };
	struct options_flags flags;
	const char *path = NULL;
	char err[600], *dir;
	struct conf *c = options_load(file ? 3 : 1, argv, NULL, 0, 1, &flags, &path, err, sizeof err);

	if (!c)
		return strdup(ASK_DEFAULT); /* `net-gazer -n` says what is wrong with it */
	f->conf_ok = 1;
	f->include = !strcmp(conf_str(c, "rules"), "include");
	f->group = (uint16_t)conf_int(c, "nflog-group");
	if (path)
		snprintf(f->conf_file, sizeof f->conf_file, "%s", path);
	dir = strdup(conf_str(c, "runtime-dir"));
	conf_free(c);
	return dir;
}

/* Its stderr's last line. */
static void
last_line(int fd, char *out, size_t size)
{
	FILE *in = fdopen(fd, "r");
	char line[600];

	if (!in) {
		close(fd);
		return;
	}
	while (fgets(line, sizeof line, in)) {
		line[strcspn(line, "\n")] = 0;
		if (*line)
			snprintf(out, size, "%s", line);
	}
	fclose(in);
}

/* In the child: the same program by its other name. */
static void
become_check(const char *file, int err_fd)
{
	char *argv[] = { (char *)"net-gazer", (char *)"-n", (char *)"--verbose", (char *)"1", (char *)"-c",
			 (char *)file, NULL };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (!file)
		argv[4] = NULL;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(err_fd, STDERR_FILENO);
	execv("/proc/self/exe", argv);
	_exit(127);
}

/* Has net-gazer read its configuration: it knows the plugins' options too. */
static void
check_conf(struct facts *f, const char *file)
{
	int fd[2], status;
	pid_t pid;

	f->check = -1;
	if (pipe2(fd, O_CLOEXEC))
		return;
	pid = fork();
	if (pid == 0)
		become_check(file, fd[1]);
	close(fd[1]);
	last_line(fd[0], f->check_why, sizeof f->check_why);
	if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) != 127)
		f->check = WEXITSTATUS(status);
}

static void
look_at_table(struct facts *f)
{
	struct observe_counters now;
	struct nft *nft;
	char err[200];
	int e = nft_open(&nft, err, sizeof err);

	if (e) {
		f->table = e;
		return;
	}
	e = observe_counters(nft, &now);
	f->table = e == -ENOENT ? 0 : e ? e : 1;
	nft_close(nft);
}

static void
look_at_machine(struct facts *f)
{
	FILE *in = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	struct stat st;
	char line[40], *end;

	if (in && fgets(line, sizeof line, in)) {
		(void)strtoul(line, &end, 10);
		f->port_last = (unsigned)strtoul(end, NULL, 10);
	}
	if (in)
		fclose(in);
	f->nflog = !access("/proc/net/netfilter/nfnetlink_log", F_OK);
	f->now_s = time(NULL);
	if (!stat("/proc/self/exe", &st))
		f->built_s = st.st_mtime;
}

void
facts_gather(struct facts *f, const char *where, const char *file)
{
	char *dir;

	*f = (struct facts){ .group = 100, .check = -1 };
	dir = read_conf(f, file);
	if (!where)
		where = dir ? dir : ASK_DEFAULT;
	f->status = ask_tree(where, CONTROL_STATUS, &f->status_error, f->status_why, sizeof f->status_why);
	look_at_machine(f);
	if (!f->status && (f->status_error == -ENOENT || f->status_error == -ECONNREFUSED)) {
		check_conf(f, file);
		for (unsigned i = 0; i < FACTS_GROUPS; i++)
			f->holder[i].port = holder_find((uint16_t)(f->group + i), &f->holder[i].pid, f->holder[i].name,
							sizeof f->holder[i].name);
		look_at_table(f);
	}
	free(dir);
}

void
facts_free(struct facts *f)
{
	yajl_tree_free(f->status);
}
