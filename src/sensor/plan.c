/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * plan.c - reads the configuration twice: first to learn which plugins there are, then strictly,
 * with their option tables.
 */
#include "plan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/priv.h"
#include "plugin.h"
#include "sensor/child.h"
#include "sensor/denied.h"

static int
find_user(struct plan *p, char *err, size_t size)
{
	const char *name = conf_str(p->conf, "user");

	if (geteuid())
		return 0;
	if (priv_user(name, &p->uid, &p->gid)) {
		if (strcmp(conf_origin(p->conf, "user"), "default")) {
			snprintf(err, size, "%s: user = \"%s\": there is no such user", conf_origin(p->conf, "user"),
				 name);
			return -1;
		}
		if (priv_user("nobody", &p->uid, &p->gid)) {
			snprintf(err, size, "there is neither a user %s nor nobody", name);
			return -1;
		}
		log_info("there is no user %s: analyzer, prober and forwarder run as nobody", name);
	}
	if (!p->uid || !p->gid) {
		snprintf(err, size, "user = \"%s\": must not be root", name);
		return -1;
	}
	return 0;
}

/* A file for the forwarder, which may not be able to open it itself.  *fd stays -1 when there is none. */
static int
open_file(const struct plan *p, const char *option, int secret, int *fd, char *err, size_t size)
{
	const char *path = conf_str(p->conf, option);
	struct stat st;

	if (!path)
		return 0;
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (*fd < 0 || fstat(*fd, &st)) {
		denied_say(option, path, err, size);
		return -1;
	}
	if (!S_ISREG(st.st_mode)) {
		snprintf(err, size, "%s %s is no regular file", option, path);
		return -1;
	}
	if (secret && st.st_mode & 077) {
		snprintf(err, size, "%s %s can be read by others; run: chmod 600 %s", option, path, path);
		return -1;
	}
	return 0;
}

int
plan_open_output(const struct plan *p)
{
	const char *path = conf_str(p->conf, "output");

	return !strcmp(path, "-") ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3) :
	       open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
}

int64_t
plan_output_bytes(const struct plan *p)
{
	const char *path = conf_str(p->conf, "output");
	struct stat st;

	return !strcmp(path, "-") || (!lstat(path, &st) && !S_ISREG(st.st_mode)) ? 0 : conf_int(p->conf, "output-bytes");
}

static int
open_output(struct plan *p, char *err, size_t size)
{
	const char *path = conf_str(p->conf, "output");

	/* -n leaves no file behind: look.c */
	if (p->flags.usual.check) {
		if (conf_int(p->conf, "output-bytes") && !plan_output_bytes(p))
			log_warn("output-bytes is not used: output %s is no regular file", path);
		return 0;
	}
	p->output_fd = plan_open_output(p);
	if (p->output_fd >= 0)
		return 0;
	denied_say("output", path, err, size);
	return -1;
}

static int
open_all(struct plan *p, char *err, size_t size)
{
	const char *dir = conf_str(p->conf, "libexec-dir"), *capture = conf_str(p->conf, "replay");

	if (capture) {
		p->replay_fd = child_open(dir, "replay", err, size);
		if (p->replay_fd < 0)
			return -1;
		p->capture_fd = open(strcmp(capture, "-") ? capture : "/dev/stdin", O_RDONLY | O_CLOEXEC);
		if (p->capture_fd < 0) {
			snprintf(err, size, "%s: %s", capture, strerror(errno));
			return -1;
		}
		return 0;
	}
	if (p->prober) {
		p->prober_fd = child_open(dir, "prober", err, size);
		if (p->prober_fd < 0)
			return -1;
	}
	if (!conf_str(p->conf, "collector-url"))
		return open_output(p, err, size);
	p->forwarder_fd = child_open(dir, "forwarder", err, size);
	if (p->forwarder_fd < 0 || open_file(p, "collector-token-file", 1, &p->token_fd, err, size) ||
	    open_file(p, "collector-cert-file", 0, &p->cert_fd, err, size) ||
	    open_file(p, "collector-key-file", 1, &p->key_fd, err, size))
		return -1;
	return 0;
}

static int
set_boot(struct plan *p, char *err, size_t size)
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	int ok = f && fscanf(f, "%8[0-9a-f]", p->boot) == 1 && strlen(p->boot) == 8;

	if (f)
		fclose(f);
	if (!ok)
		snprintf(err, size, "/proc/sys/kernel/random/boot_id cannot be read: every report names it; is "
			 "/proc mounted?");
	return ok ? 0 : -1;
}

static void
set_sensor(struct plan *p)
{
	const char *name = conf_str(p->conf, "sensor");
	char host[256] = "";

	if (!name)
		gethostname(host, sizeof host - 1);
	options_sensor_name(p->sensor, name ? name : host);
}

static void
set_prober(struct plan *p)
{
	const char *word = conf_str(p->conf, "prober");

	p->prober = !strcmp(word, "yes");
	for (size_t i = 0; !strcmp(word, "auto") && i < p->plugins.n; i++)
		p->prober |= !!(p->plugins.item[i]->events & NG_EVENT_TRACE);
	p->inband = conf_bool(p->conf, "trace-inband");
}

void
plan_without_prober(struct plan *p)
{
	p->prober = 0;
	p->rules.classes &= ~CLASSES_TO_PROBER;
}

/* Whether conntrack counts packets.  Whether it has any to count is another matter: run_acks(). */
static int
conntrack_counts(void)
{
	char c = '0';
	int fd = open("/proc/sys/net/netfilter/nf_conntrack_acct", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	if (read(fd, &c, 1) != 1)
		c = '0';
	close(fd);
	return c != '0';
}

static void
set_rules(struct plan *p)
{
	struct ruleset_spec *r = &p->rules;

	p->own_rules = !strcmp(conf_str(p->conf, "rules"), "own");
	r->owner = conf_bool(p->conf, "rules-owner");
	r->group = (uint16_t)conf_int(p->conf, "nflog-group");
	r->loopback = conf_bool(p->conf, "loopback");
	p->acks = conf_bool(p->conf, "handshake-ack") && conntrack_counts();
	r->home = p->home;
	for (size_t i = 0; i < conf_list_n(p->conf, "home"); i++)
		addr_prefix_parse(&p->home[r->n_home++], conf_list(p->conf, "home", i));
	for (size_t i = 0; i < p->plugins.n; i++)
		r->classes |= p->plugins.item[i]->classes & ~CLASSES_TO_PROBER;
	if (p->prober)
		r->classes |= CLASSES_TO_PROBER;
	r->mark = (uint32_t)conf_int(p->conf, "probe-mark");
	for (enum classes_row row = 0; row < CLASSES_ROWS; row++) {
		r->limit[row] = (uint32_t)conf_int(p->conf, classes[row].limit);
		r->snaplen[row] = classes[row].snaplen;
		for (size_t i = 0; i < p->plugins.n; i++) {
			const struct plugin *q = p->plugins.item[i];

			if ((q->classes & classes[row].ng_class) && q->snaplen > r->snaplen[row])
				r->snaplen[row] = q->snaplen;
		}
		if (r->snaplen[row] > CLASSES_SNAPLEN_MAX)
			r->snaplen[row] = CLASSES_SNAPLEN_MAX;
	}
}

void
plan_settings(const struct plan *p, struct settings *s)
{
	settings_add(s, "sensor", "%s", p->sensor);
	settings_add(s, "boot", "%s", p->boot);
	settings_add(s, "version", "%s", VERSION);
	settings_add(s, "verbose", "%s", conf_str(p->conf, "verbose"));
	settings_add(s, "flows", "%s", conf_str(p->conf, "flows"));
	if (p->acks)
		settings_add(s, "acks", "1");
	settings_add(s, "syn-timeout-ms", "%lld", (long long)conf_int(p->conf, "syn-timeout") * 1000);
	for (size_t i = 0; i < conf_list_n(p->conf, "home"); i++)
		settings_add(s, "home", "%s", conf_list(p->conf, "home", i));
	for (size_t i = 0; i < conf_list_n(p->conf, "iface"); i++)
		settings_add(s, "iface", "%s", conf_list(p->conf, "iface", i));
	for (size_t i = 0; i < p->plugins.n; i++) {
		const struct plugin *q = p->plugins.item[i];

		for (size_t k = 0; k < q->n_options; k++) {
			const char *value = conf_section_str(p->conf, q->name, q->options[k].name);

			if (value)
				settings_add(s, "option", "%s %s %s", q->name, q->options[k].name, value);
		}
	}
}

/* Whatever a plugin's section holds must fit into a settings line. */
static int
settings_ok(const struct plan *p, char *err, size_t size)
{
	struct settings s = { 0 };
	int r;

	plan_settings(p, &s);
	r = s.error;
	settings_free(&s);
	if (r)
		snprintf(err, size, "%s: a plugin's option %s", p->file ? p->file : "configuration",
			 r == -EINVAL ? "holds control characters" : "is too long");
	return r;
}

struct plan *
plan_load(int argc, char **argv, char *err, size_t size)
{
	struct plan *p = calloc(1, sizeof *p);
	struct conf *first = NULL;
	const char *path;

	if (!p) {
		snprintf(err, size, "out of memory");
		return NULL;
	}
	p->analyzer_fd = p->replay_fd = p->forwarder_fd = -1;
	p->cert_fd = p->key_fd = -1;
	p->token_fd = p->capture_fd = p->output_fd = p->prober_fd = -1;
	p->conf = options_load(argc, argv, NULL, 0, 1, &p->flags, &path, err, size);
	if (!p->conf)
		goto fail;
	if (p->flags.usual.help || p->flags.usual.version || p->flags.usual.list)
		return p;
	log_set_level((enum log_level)conf_int(p->conf, "verbose"));
	if (path)
		p->file = strdup(path);
	if (find_user(p, err, size))
		goto fail;
	p->analyzer_fd = child_open(conf_str(p->conf, "libexec-dir"), "analyzer", err, size);
	if (p->analyzer_fd < 0)
		goto fail;
	plugins_find(&p->plugins, p->conf);
	plugins_describe(&p->plugins, p->analyzer_fd, p->uid, p->gid);

	first = p->conf;
	p->conf = options_load(argc, argv, p->plugins.section, p->plugins.n, 0, &p->flags, &path, err, size);
	conf_free(first);
	if (!p->conf)
		goto fail;
	if (!p->plugins.n) {
		snprintf(err, size, "no plugin could be loaded: there is nothing to report with; see plugins in "
			 "net-gazer.conf(5)");
		goto fail;
	}
	set_sensor(p);
	set_prober(p);
	set_rules(p);
	if (set_boot(p, err, size) || settings_ok(p, err, size) || open_all(p, err, size))
		goto fail;
	return p;
fail:
	plan_free(p);
	return NULL;
}

void
plan_free(struct plan *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < 9; i++) {
		int fd = (const int[]){ p->analyzer_fd, p->replay_fd, p->forwarder_fd, p->token_fd, p->cert_fd,
					p->key_fd, p->capture_fd, p->output_fd, p->prober_fd }[i];

		if (fd >= 0)
			close(fd);
	}
	plugins_free(&p->plugins);
	conf_free(p->conf);
	free(p->file);
	free(p);
}
