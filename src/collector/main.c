/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * net-gazer-collector - receives reports over HTTP, keeps them in SQLite, answers the page and the
 * API.  One process, one thread, one loop.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "command.h"
#include "gate.h"
#include "geolink.h"
#include "http.h"
#include "intake.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/priv.h"
#include "live.h"
#include "projection.h"
#include "settings.h"
#include "store.h"
#include "tls.h"
#include "token.h"
#include "validate.h"

#define TRIM_IDLE_US 1000000
#define TRIM_BUSY_US 20000

struct program {
	int argc;
	char **argv;
	struct conf *conf;
	const char *path; /* of the configuration file, or NULL */
	unsigned port;
	struct loop *loop;
	struct store *store;
	struct live *live;
	struct geolink *geo;
	struct projection *graph;
	struct intake *intake;
	struct token_list *tokens;
	struct tls tls;
	struct gate *gate;
	char url[256];
	struct http *http;
	struct loop_timer trim;
};

/* --validate: for each line of stdin, "ok", or "bad" and why. */
static int
validate_stdin(void)
{
	struct validate *v = validate_new();
	static struct report report;
	char *line = NULL;
	size_t size = 0;
	ssize_t n;
	int bad = 0;

	if (!v)
		fatal("out of memory");
	while ((n = getline(&line, &size, stdin)) > 0) {
		if (line[n - 1] == '\n')
			n--;
		if (!validate_line(v, line, (size_t)n, &report)) {
			puts("ok");
			continue;
		}
		bad = 1;
		fputs("bad\t", stdout);
		for (const char *p = validate_why(v); *p; p++)
			putchar(*p < ' ' || *p > '~' ? '?' : *p);
		putchar('\n');
	}
	free(line);
	validate_free(v);
	return ferror(stdin) || fflush(stdout) ? 2 : bad;
}

static void
on_trim(struct loop_timer *t)
{
	static struct log_limit said;
	struct program *p = t->arg;
	int r = store_trim(p->store, clock_wall_us());
	unsigned left_out;

	if (r < 0 && log_allowed(&said, loop_now_us(p->loop), 60000000, &left_out))
		log_warn("old reports are not removed: %s", strerror(-r));
	loop_timer_set(p->loop, &p->trim, r > 0 ? TRIM_BUSY_US : TRIM_IDLE_US, on_trim, p);
}

static int
read_tokens(const struct conf *conf, struct token_list **out, char *err, size_t size)
{
	const char *path = conf_str(conf, "token-file");

	*out = path ? token_load(path, err, size) : NULL;
	return path && !*out ? -1 : 0;
}

static int
same(const struct conf *a, const struct conf *b, const char *name)
{
	const char *left = conf_str(a, name), *right = conf_str(b, name);

	return left && right ? !strcmp(left, right) : left == right;
}

static const char *
shown(const struct conf *c, const char *name)
{
	return conf_str(c, name) ? conf_str(c, name) : "(none)";
}

static void
limit_sensors(struct gate *g, const struct conf *c, const struct token_list *tokens)
{
	gate_set(g, tokens, &(struct quota_limits){ .reports_s = conf_int(c, "sensor-rate"),
						     .bytes_day = conf_int(c, "sensor-bytes-day") });
}

/* SIGHUP.  Nothing is taken unless all of it is good. */
static void
reload(struct program *p)
{
	static const char *const fixed[] = { "listen", "port", "database", "connections", "connections-per-ip",
					     "login", "url", "tls-cert", "tls-key", "client-ca", "libexec-dir",
					     "graph-url", "graph-password-file", "graph-name" };
	struct settings_flags flags;
	struct token_list *tokens;
	struct store_limits limits;
	struct hosts hosts;
	const char *path;
	char err[500];
	struct conf *conf = settings_load(p->argc, p->argv, &flags, &path, err, sizeof err);

	if (!conf || read_tokens(conf, &tokens, err, sizeof err)) {
		log_error("%s; the old configuration stays", err);
		conf_free(conf);
		return;
	}
	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
		if (!same(p->conf, conf, fixed[i]))
			log_warn("%s = %s needs a restart; it stays %s until then", fixed[i], shown(conf, fixed[i]),
				 shown(p->conf, fixed[i]));
	}
	limits = settings_limits(conf);
	store_set_limits(p->store, &limits);
	/* Names belong to the address and port that we really have. */
	hosts_init(&hosts, conf_str(p->conf, "listen"), p->port);
	for (size_t i = 0; i < conf_list_n(conf, "hosts"); i++)
		hosts_add(&hosts, conf_list(conf, "hosts", i), p->port);
	http_set_hosts(p->http, &hosts);
	limit_sensors(p->gate, conf, tokens);
	http_set_max_body(p->http, (size_t)conf_int(conf, "max-body"));
	geolink_setup(p->geo, conf);
	log_set_level((enum log_level)conf_int(conf, "verbose"));
	token_free(p->tokens);
	p->tokens = tokens;
	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
		if (conf_str(p->conf, fixed[i]))
			conf_set(conf, fixed[i], conf_str(p->conf, fixed[i]), "start", err, sizeof err);
	}
	conf_free(p->conf);
	p->conf = conf;
	log_info("configuration read again: %s", path ? path : "no file");
}

static void
on_signal(void *arg, int signo)
{
	struct program *p = arg;

	if (signo == SIGHUP) {
		reload(p);
		return;
	}
	log_info("ends on signal %d", signo);
	loop_stop(p->loop, 0);
}

/* All files that are needed are open, but for those that SQLite makes beside the database. */
static void
sandbox(void)
{
	static const char calls[] =
		"read write readv writev pread64 pwrite64 lseek _llseek close openat open fstat fstat64 "
		"stat stat64 lstat lstat64 newfstatat fstatat64 statx access faccessat faccessat2 readlink "
		"readlinkat unlink unlinkat rename renameat renameat2 ftruncate ftruncate64 fallocate fsync "
		"fdatasync fcntl fcntl64 flock fchmod fchown fchown32 utimensat getcwd ioctl fstatfs "
		"fstatfs64 statfs statfs64 accept accept4 recvfrom recvmsg sendto sendmsg sendfile "
		"sendfile64 shutdown setsockopt getsockopt getsockname getpeername epoll_wait epoll_pwait "
		"epoll_pwait2 epoll_ctl poll ppoll eventfd2 mmap mmap2 munmap mremap mprotect madvise brk "
		"clock_gettime clock_gettime64 gettimeofday time clock_nanosleep clock_nanosleep_time64 "
		"nanosleep getrandom futex futex_time64 getpid gettid getuid geteuid getuid32 geteuid32 "
		"getgid getegid uname sysinfo prlimit64 rt_sigaction rt_sigprocmask rt_sigreturn sigreturn "
		"tgkill restart_syscall exit exit_group";
	int r = priv_keep_caps(0);

	if (r)
		log_warn("capabilities are kept: %s", strerror(-r));
	r = priv_no_new_privs();
#ifndef __SANITIZE_ADDRESS__ /* its runtime opens and starts what it likes */
	if (!r)
		r = priv_seccomp(calls);
#else
	(void)calls;
#endif
	if (r)
		log_warn("runs without seccomp: %s", strerror(-r));
}

static void
make_folder(const char *database)
{
	char folder[4100];
	char *slash;

	snprintf(folder, sizeof folder, "%s", database);
	slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return;
	*slash = 0;
	if (mkdir(folder, 0700) && errno != EEXIST)
		fatal("database folder %s: %s; make it, or name another file with `database`", folder,
		      strerror(errno));
}

/* Root, beside a service with a user of its own: what we make has to be the service's, who could not write it
 * otherwise, and without capabilities we could not either.  And in a folder that is another's, root follows no links. */
static void
become_owner(const char *database)
{
	char folder[4100];
	struct stat st;
	char *slash;
	int r;

	snprintf(folder, sizeof folder, "%s", database);
	slash = strrchr(folder, '/');
	if (geteuid() || !slash || slash == folder)
		return;
	*slash = 0;
	if (stat(folder, &st) || !st.st_uid)
		return;
	r = priv_drop(st.st_uid, st.st_gid);
	if (r)
		fatal("cannot become the owner of %s: %s", folder, strerror(-r));
	log_info("as user %u, whose %s is: what is read must be readable for him", (unsigned)st.st_uid, folder);
}

/* What it ends with; -1: there is none. */
static int
run_command(struct program *p, const struct command *c, int n, char *const *arguments)
{
	if (!c)
		return -1;
	log_set_level((enum log_level)conf_int(p->conf, "verbose"));
	umask(077);
	if (n && !c->most)
		fatal("%s: %s takes no arguments, only options; see --help", arguments[0], c->name);
	if (n < c->least || n > c->most)
		fatal("net-gazer-collector %s %s", c->name, c->help);
	if (c->makes)
		make_folder(conf_str(p->conf, "database"));
	become_owner(conf_str(p->conf, "database"));
	return c->run(p->conf, arguments, n);
}

static void
on_report(void *arg, const struct report *report)
{
	geolink_see(arg, report);
}

static void
open_gate(struct program *p)
{
	const char *address = conf_str(p->conf, "listen");
	int open = !http_is_loopback(address), always = !strcmp(conf_str(p->conf, "login"), "always");
	char err[500];

	snprintf(p->url, sizeof p->url, "%s", conf_str(p->conf, "url") ? conf_str(p->conf, "url") : "");
	p->gate = gate_open(&(struct gate_setup){ .loop = p->loop, .database = conf_str(p->conf, "database"), .open = open,
						  .always = always, .url = p->url[0] ? p->url : NULL,
						  .pin = p->tls.pin[0] ? p->tls.pin : NULL,
						  .certificates = p->tls.authority != NULL }, err, sizeof err);
	if (!p->gate)
		fatal("%s", err);
	limit_sensors(p->gate, p->conf, p->tokens);
	if ((open || always) && !p->tls.authority && !gate_has_anybody(p->gate))
		log_warn("nobody can come in yet: net-gazer-collector user add NAME makes a login, enroll NAME lets a sensor in");
	if (open && !p->tls.certificate)
		log_warn("listen = \"%s\" without tls-cert: tokens and passwords can be read on the way, unless a proxy in "
			 "front has HTTPS", address);
}

static void
start(struct program *p)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, 0 };
	const char *address = conf_str(p->conf, "listen");
	struct store_limits limits = settings_limits(p->conf);
	struct hosts hosts;
	int fd;

	p->loop = loop_new();
	if (!p->loop || loop_signals(p->loop, signals, on_signal, p))
		fatal("event loop: %s", strerror(errno));
	fd = http_listen(address, &p->port);
	if (fd < 0)
		fatal("cannot listen on %s port %u: %s; choose another with `port` or `listen`", address,
		      p->port, strerror(-fd));
	make_folder(conf_str(p->conf, "database"));
	become_owner(conf_str(p->conf, "database"));
	p->graph = projection_start(p->conf);
	open_gate(p);
	if (store_open(&p->store, conf_str(p->conf, "database"), &limits, clock_wall_us()))
		exit(1); /* it said why */
	p->live = live_new(store_sizes(p->store).last_id);
	p->intake = p->live ? intake_new(p->store, p->live) : NULL;
	p->geo = geolink_new(p->loop, p->store, conf_str(p->conf, "libexec-dir"));
	if (!p->intake || !p->geo)
		fatal("out of memory");
	intake_listen(p->intake, on_report, p->geo);
	geolink_setup(p->geo, p->conf);
	p->http = http_start(&(struct http_setup){
		.loop = p->loop, .store = p->store, .intake = p->intake, .live = p->live, .geo = p->geo, .graph = p->graph, .listen_fd = fd,
		.gate = p->gate, .tls = &p->tls,
		.connections = (unsigned)conf_int(p->conf, "connections"),
		.connections_per_ip = (unsigned)conf_int(p->conf, "connections-per-ip"),
		.max_body = (size_t)conf_int(p->conf, "max-body") });
	if (!p->http)
		exit(1);
	settings_hosts(p->conf, &hosts, p->port);
	http_set_hosts(p->http, &hosts);
	loop_timer_set(p->loop, &p->trim, TRIM_IDLE_US, on_trim, p);
}

static void
stop(struct program *p)
{
	http_stop(p->http);
	gate_close(p->gate);
	intake_free(p->intake);
	geolink_free(p->geo);
	projection_stop(p->graph);
	live_free(p->live);
	store_close(p->store);
	token_free(p->tokens);
	tls_free(&p->tls);
	loop_free(p->loop);
	conf_free(p->conf);
}

int
main(int argc, char **argv)
{
	struct program p = { .argc = argc, .argv = argv };
	struct settings_flags flags;
	const char *address;
	char err[500];
	int r;

	log_init("net-gazer-collector", LOG_L_INFO);
	p.conf = settings_load(argc, argv, &flags, &p.path, err, sizeof err);
	if (!p.conf)
		fatal("%s", err);
	if (flags.validate)
		r = validate_stdin();
	else if (flags.usual.help)
		r = (settings_print_help(), 0);
	else if (flags.usual.version)
		r = printf("net-gazer-collector %s\n", VERSION) < 0;
	else if (flags.usual.list)
		r = (settings_print_table(), 0);
	else
		r = run_command(&p, flags.command, argc - flags.first, argv + flags.first);
	if (r >= 0) {
		conf_free(p.conf);
		return r;
	}
	if (read_tokens(p.conf, &p.tokens, err, sizeof err) ||
	    tls_load(&p.tls, conf_str(p.conf, "tls-cert"), conf_str(p.conf, "tls-key"), conf_str(p.conf, "client-ca"), err,
		     sizeof err))
		fatal("%s", err);
	if (flags.usual.check) {
		printf("configuration OK: %s\n", p.path ? p.path : "no file, all defaults");
		token_free(p.tokens);
		tls_free(&p.tls);
		conf_free(p.conf);
		return fflush(stdout) ? 1 : 0;
	}
	log_set_level((enum log_level)conf_int(p.conf, "verbose"));
	umask(077); /* who talks to whom is nobody else's business */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* no core with a token in it */
	signal(SIGPIPE, SIG_IGN); /* a browser that goes is no reason to */
	p.port = (unsigned)conf_int(p.conf, "port");

	start(&p);
	sandbox();
	address = conf_str(p.conf, "listen");
	log_info(strchr(address, ':') ? "listening on http%s://[%s]:%u/" : "listening on http%s://%s:%u/",
		 p.tls.certificate ? "s" : "", address, p.port);
	r = loop_run(p.loop);
	stop(&p);
	return r;
}
