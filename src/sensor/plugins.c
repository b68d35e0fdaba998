/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * plugins.c - which plugin files there are and what `analyzer --describe` says of them.  That
 * program runs a stranger's code (a shared object has constructors): without privilege, one plugin
 * a run, and its text is checked like any other from outside.
 */
#include "plugins.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/loop.h"
#include "plugin.h"
#include "sensor/child.h"
#include "sensor/classes.h"
#include "sensor/options.h"
#include "sensor/settings.h"

#define DESCRIBE_MAX 65536
#define DESCRIBE_DEADLINE_US 20000000

static int
written_by_others(const struct stat *st, const char *path, char *err, size_t size)
{
	if (st->st_uid != 0 && st->st_uid != geteuid()) {
		snprintf(err, size, "%s belongs to uid %u; run: chown root %s", path, st->st_uid, path);
		return 1;
	}
	if (st->st_mode & (S_IWGRP | S_IWOTH)) {
		snprintf(err, size, "%s is writable by others; run: chmod go-w %s", path, path);
		return 1;
	}
	return 0;
}

int
plugins_open(const char *path, char *err, size_t size)
{
	char *real = realpath(path, NULL), *copy = NULL;
	int dir = -1, fd = -1, ok = 0;
	struct stat st;

	if (!real || !(copy = strdup(real))) {
		snprintf(err, size, "%s: %s", path, strerror(errno));
		goto out;
	}
	/* The name is looked up in the very directory that was checked. */
	dir = open(dirname(copy), O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || fstat(dir, &st)) {
		snprintf(err, size, "%s: %s", copy, strerror(errno));
		goto out;
	}
	if (written_by_others(&st, copy, err, size))
		goto out;
	fd = openat(dir, strrchr(real, '/') + 1, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		snprintf(err, size, "%s: %s", real, strerror(errno));
		goto out;
	}
	if (!S_ISREG(st.st_mode))
		snprintf(err, size, "%s is no regular file", real);
	else
		ok = !written_by_others(&st, real, err, size);
out:
	free(real);
	free(copy);
	if (dir >= 0)
		close(dir);
	if (fd >= 0 && !ok)
		close(fd);
	return ok ? fd : -1;
}

static void
plugin_free(struct plugin *p)
{
	for (size_t i = 0; i < p->n_options; i++) {
		free((char *)(uintptr_t)p->options[i].name);
		free((char *)(uintptr_t)p->options[i].def);
		free((char *)(uintptr_t)p->options[i].help);
	}
	if (p->fd >= 0)
		close(p->fd);
	free(p);
}

void
plugins_free(struct plugins *ps)
{
	for (size_t i = 0; i < ps->n; i++)
		plugin_free(ps->item[i]);
	*ps = (struct plugins){ 0 };
}

static void
refuse(struct plugins *ps, const char *name, const char *why)
{
	ps->refused++;
	log_warn("plugin %s is not loaded: %s", name, why);
}

void
plugins_find(struct plugins *ps, const struct conf *conf)
{
	char err[2048];

	*ps = (struct plugins){ 0 };
	for (size_t i = 0; i < conf_list_n(conf, "plugins"); i++) {
		const char *name = conf_list(conf, "plugins", i);
		struct plugin *p = calloc(1, sizeof *p);

		if (!p) {
			refuse(ps, name, "out of memory");
			continue;
		}
		if (*name == '/')
			snprintf(p->path, sizeof p->path, "%s", name);
		else
			snprintf(p->path, sizeof p->path, "%s/%s.so", conf_str(conf, "plugin-dir"), name);
		p->fd = plugins_open(p->path, err, sizeof err);
		if (p->fd < 0) {
			refuse(ps, name, err);
			plugin_free(p);
			continue;
		}
		ps->item[ps->n++] = p;
	}
}

/* The next word; *p behind the blank. */
static char *
word(char **p)
{
	char *w = strsep(p, " ");

	return w && *w ? w : NULL;
}

static int
number(char **p, int64_t min, int64_t max, int64_t *out)
{
	char *w = word(p), *end;

	if (!w)
		return -1;
	errno = 0;
	*out = strtoll(w, &end, 10);
	return errno || *end || *out < min || *out > max ? -1 : 0;
}

static int
is_name(const char *s, size_t max, const char *more)
{
	size_t n = 0;

	for (; s && s[n]; n++) {
		if (!islower((unsigned char)s[n]) &&
		    (n == 0 || (!isdigit((unsigned char)s[n]) && !strchr(more, s[n]))))
			return 0;
	}
	return n > 0 && n <= max;
}

static int
clean(const char *s)
{
	for (; *s; s++) {
		if (iscntrl((unsigned char)*s))
			return 0;
	}
	return 1;
}

/* option NAME TYPE MIN MAX DEFAULT<TAB>HELP, behind the first word */
static int
parse_option(struct plugin *p, char *line)
{
	struct conf_option *o = &p->options[p->n_options];
	char *help = strchr(line, '\t'), *name, *type;

	if (p->n_options == PLUGINS_OPTIONS_MAX || !help)
		return -1;
	*help++ = 0;
	name = word(&line);
	type = word(&line);
	if (!is_name(name, 40, "-_") || !type || !clean(help))
		return -1;
	*o = (struct conf_option){ 0 };
	o->type = !strcmp(type, "bool") ? CONF_BOOL : !strcmp(type, "int") ? CONF_INT : CONF_STR;
	if (o->type == CONF_STR && strcmp(type, "str"))
		return -1;
	if (number(&line, INT64_MIN, INT64_MAX, &o->min) || number(&line, o->min, INT64_MAX, &o->max))
		return -1;
	if (o->type == CONF_STR && o->max > 900)
		o->max = 900; /* a settings line */
	if (!line || !clean(line))
		return -1;
	for (size_t i = 0; i < p->n_options; i++) {
		if (!strcmp(p->options[i].name, name))
			return -1;
	}
	p->n_options++;
	o->name = strdup(name);
	o->help = strdup(help);
	o->def = *line || (o->type == CONF_STR && o->min <= 0) ? strdup(line) : NULL;
	return o->name && o->help ? 0 : -1;
}

/* conf_new() takes a wrong default for our own bug; a plugin's is only the plugin's. */
static int
defaults_ok(const struct plugin *p)
{
	for (size_t i = 0; i < p->n_options; i++) {
		const struct conf_option *o = &p->options[i];
		struct conf_option plain = *o;
		struct conf *c;
		char err[300];
		int bad;

		if (!o->def)
			continue;
		plain.def = NULL;
		c = conf_new(&plain, 1, NULL, 0);
		bad = !c || conf_set(c, o->name, o->def, "default", err, sizeof err);
		conf_free(c);
		if (bad)
			return 0;
	}
	return 1;
}

int
plugins_parse(struct plugin *p, char *text, char *err, size_t size)
{
	char *line, *name, *version;
	int64_t events, mask, snaplen;
	int have = 0;

	snprintf(err, size, "the analyzer says nothing of it");
	while ((line = strsep(&text, "\n"))) {
		char *first;

		if (!*line)
			continue;
		if (!strncmp(line, "error ", 6)) {
			char *tab = strchr(line, '\t');

			snprintf(err, size, "%.300s", tab ? tab + 1 : line + 6);
			return -1;
		}
		snprintf(err, size, "the analyzer's description cannot be read: %.100s", line);
		first = word(&line);
		if (first && !strcmp(first, "plugin") && !have) {
			name = word(&line);
			version = word(&line);
			if (!is_name(name, WORKER_NAME_MAX - 1, "-_") || !version || !clean(version) ||
			    number(&line, 0, UINT32_MAX, &events) || number(&line, 0, UINT32_MAX, &mask) ||
			    number(&line, 0, UINT32_MAX, &snaplen))
				return -1;
			snprintf(p->name, sizeof p->name, "%s", name);
			snprintf(p->version, sizeof p->version, "%s", version);
			p->events = (uint32_t)events;
			p->classes = (uint32_t)mask;
			p->snaplen = (uint32_t)snaplen;
			have = 1;
		} else if (!first || strcmp(first, "option") || !have || !line || parse_option(p, line)) {
			return -1;
		}
	}
	if (!have) {
		snprintf(err, size, "the analyzer says nothing of it");
		return -1;
	}
	if (!defaults_ok(p)) {
		snprintf(err, size, "a default of its option table is out of its own range");
		return -1;
	}
	if (p->events & NG_EVENT_CONN)
		p->classes |= NG_CLASS_HANDSHAKE;
	return 0;
}

/* Until the end of the pipe, the buffer's, or the deadline.  Bytes read. */
static size_t
read_until(int fd, char *buf, size_t size, int64_t deadline_us)
{
	size_t n = 0;

	while (n < size - 1) {
		struct pollfd p = { fd, POLLIN, 0 };
		int64_t left = deadline_us - clock_mono_us();
		ssize_t got;

		if (left <= 0 || (poll(&p, 1, (int)(left / 1000) + 1) < 0 && errno != EINTR))
			break;
		if (!p.revents)
			continue;
		got = read(fd, buf + n, size - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	buf[n] = 0;
	return n;
}

static int
describe(struct plugin *p, int analyzer_fd, uid_t uid, gid_t gid, char *text, char *err, size_t size)
{
	static char *const argv[] = { (char *)"analyzer", (char *)"--describe", NULL };
	struct settings s = { 0 };
	struct child c;
	int out[2], settings, status = 0;
	char how[80];
	pid_t pid;

	child_init(&c, uid, gid);
	c.exec_fd = analyzer_fd;
	c.argv = argv;
	settings_add(&s, "verbose", "%d", (int)log_get_level());
	settings_add(&s, "plugin", "%d %s", WORKER_FD_FIRST, p->path);
	settings = settings_seal(&s);
	if (settings < 0 || pipe2(out, O_CLOEXEC)) {
		snprintf(err, size, "%s", strerror(settings < 0 ? -settings : errno));
		if (settings >= 0)
			close(settings);
		return -1;
	}
	c.fd[1] = out[1];
	child_give(&c, settings);
	while (c.n_fds < WORKER_FD_FIRST)
		child_give(&c, -1);
	child_give(&c, p->fd);
	pid = child_start(&c);
	close(settings);
	close(out[1]);
	if (pid > 0) {
		read_until(out[0], text, DESCRIBE_MAX, clock_mono_us() + DESCRIBE_DEADLINE_US);
		kill(pid, SIGKILL); /* it has nothing more to say: at its end, or too late */
		waitpid(pid, &status, 0);
	}
	close(out[0]);
	if (pid < 0) {
		snprintf(err, size, "cannot run analyzer --describe: %s", strerror(-pid));
		return -1;
	}
	if (plugins_parse(p, text, err, size)) {
		if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
			snprintf(err, size, "it crashed while it was loaded: %s",
				 child_status_text(status, how, sizeof how));
		return -1;
	}
	return 0;
}

static int
name_taken(const struct plugins *ps, const char *name)
{
	for (size_t i = 0; i < ps->n; i++) {
		if (!strcmp(ps->item[i]->name, name))
			return 1;
	}
	for (size_t i = 0; i < options_n; i++) {
		if (!strcmp(options_table[i].name, name))
			return 1;
	}
	return 0;
}

void
plugins_describe(struct plugins *ps, int analyzer_fd, uid_t uid, gid_t gid)
{
	char *text = malloc(DESCRIBE_MAX);
	size_t n = ps->n, options = 0;
	char err[512];

	ps->n = 0;
	for (size_t i = 0; i < n; i++) {
		struct plugin *p = ps->item[i];
		const char *file = strrchr(p->path, '/') + 1;

		if (!text || describe(p, analyzer_fd, uid, gid, text, err, sizeof err)) {
			refuse(ps, file, text ? err : "out of memory");
			plugin_free(p);
			continue;
		}
		if (name_taken(ps, p->name) || options + p->n_options > PLUGINS_OPTIONS_ALL) {
			refuse(ps, file, options + p->n_options > PLUGINS_OPTIONS_ALL ?
			       "all plugins together have too many options" :
			       "another plugin or an option has its name");
			plugin_free(p);
			continue;
		}
		options += p->n_options;
		ps->item[ps->n] = p;
		ps->section[ps->n++] = (struct conf_section){ p->name, p->options, p->n_options };
	}
	free(text);
}
