/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * enroll.c - asks the collector for a token, in a child without rights, and puts it where the forwarder will
 * look for it.
 */
#include "enroll.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <yajl/yajl_tree.h>

#include "enrolledit.h"
#include "lib/log.h"
#include "lib/priv.h"
#include "lib/url.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif

#define CONTROL "/run/net-gazer/control.sock"
#define LINES_MAX 8192
#define ANSWER_MAX 4096
#define TOKEN_MAX 200
#define NAME_MAX_LEN 64
#define CONFIG_MAX (1 << 20)
#define TOTAL_MS 30000L

struct enroll {
	const char *url, *code, *ca, *pin, *config, *token_file, *user;
	char *ca_text; /* read while there are rights to */
	int write;
	char endpoint[1024];
	char sensor[NAME_MAX_LEN + 1];
	char token[TOKEN_MAX + 2];
};

struct answer {
	size_t n;
	char text[ANSWER_MAX + 1];
};

static void
usage(FILE *to)
{
	fputs("usage: net-gazer enroll URL CODE [--ca FILE] [--pin sha256//...] [--config FILE] [--write]\n"
	      "                        [--token-file FILE] [--user NAME]\n"
	      "Makes this machine a sensor of the collector at URL, with the CODE that was made there.\n"
	      "  --ca FILE          certificates (PEM) that the collector is checked against, instead of the system's\n"
	      "  --pin PIN          public key that the collector must have\n"
	      "  --token-file FILE  where the token goes, mode 0600 [" SYSCONFDIR "/net-gazer/collector-token]\n"
	      "  --config FILE      configuration to write into [" SYSCONFDIR "/net-gazer/net-gazer.conf]\n"
	      "  --write            do so; without it the lines are printed\n"
	      "  --user NAME        who asks the collector, when run as root [nobody]\n", to);
}

/* What may stand between quotes in net-gazer.conf. */
static int
plain(const char *s)
{
	for (; *s; s++) {
		if (*s <= ' ' || *s > '~' || strchr("\"\\$'", *s))
			return 0;
	}
	return 1;
}

static void
read_arguments(struct enroll *e, int argc, char **argv)
{
	static const struct option options[] = {
		{ "ca", required_argument, NULL, 'a' }, { "pin", required_argument, NULL, 'p' },
		{ "config", required_argument, NULL, 'c' }, { "token-file", required_argument, NULL, 't' },
		{ "user", required_argument, NULL, 'u' }, { "write", no_argument, NULL, 'w' },
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
	};
	size_t n;
	int c;

	*e = (struct enroll){ .config = SYSCONFDIR "/net-gazer/net-gazer.conf", .user = "nobody",
			      .token_file = SYSCONFDIR "/net-gazer/collector-token" };
	while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		const char **to = c == 'a' ? &e->ca : c == 'p' ? &e->pin : c == 'c' ? &e->config
				: c == 't' ? &e->token_file : c == 'u' ? &e->user : NULL;

		if (to)
			*to = optarg;
		else if (c == 'w')
			e->write = 1;
		else {
			usage(c == 'h' ? stdout : stderr);
			exit(c == 'h' ? 0 : 2);
		}
	}
	if (argc - optind != 2) {
		usage(stderr);
		exit(2);
	}
	e->url = argv[optind];
	e->code = argv[optind + 1];
	n = strlen(e->url);
	if (!url_ok(e->url) || !plain(e->url) || strchr(e->url, '?') || n > 900)
		fatal("%s: the collector's address is needed, such as https://collector.example:8443", e->url);
	if (!*e->code || strlen(e->code) > 60 || strspn(e->code, "abcdefghijklmnopqrstuvwxyz0123456789") != strlen(e->code))
		fatal("%s: a code has small letters and digits; was the line copied whole?", e->code);
	if ((e->ca && (*e->ca != '/' || !plain(e->ca))) || (e->pin && !plain(e->pin)) || !plain(e->token_file))
		fatal("--ca, --pin and --token-file: an absolute path, and no blanks or quotes");
	if (e->pin && strncmp(e->url, "https://", 8))
		fatal("--pin is of use with https:// only");
	snprintf(e->endpoint, sizeof e->endpoint, "%s%sv1/enroll", e->url, e->url[n - 1] == '/' ? "" : "/");
}

/* ---- the question, in the child ---- */

static size_t
on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct answer *a = arg;

	if (n > ANSWER_MAX - a->n)
		return 0;
	memcpy(a->text + a->n, bytes, size * n);
	a->n += n;
	a->text[a->n] = 0;
	return size * n;
}

static CURLcode
ask(const struct enroll *e, struct answer *a, long *status, char *error)
{
	CURLcode r = curl_global_init(CURL_GLOBAL_SSL);
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
	CURL *c = curl_easy_init();
	struct curl_blob blob = { e->ca_text, e->ca ? strlen(e->ca_text) : 0, CURL_BLOB_NOCOPY };
	char body[100];

	snprintf(body, sizeof body, "{\"code\":\"%s\"}", e->code);
#define SET(option, value) \
	do { \
		if (!r) \
			r = curl_easy_setopt(c, option, value); \
	} while (0)
	SET(CURLOPT_ERRORBUFFER, error);
	SET(CURLOPT_URL, e->endpoint);
	SET(CURLOPT_PROTOCOLS_STR, strncmp(e->url, "https://", 8) ? "http" : "https");
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_TIMEOUT_MS, TOTAL_MS);
	SET(CURLOPT_USERAGENT, "net-gazer/" VERSION);
	SET(CURLOPT_HTTPHEADER, headers);
	SET(CURLOPT_POSTFIELDS, body);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	if (e->pin)
		SET(CURLOPT_PINNEDPUBLICKEY, e->pin);
	if (e->ca) {
		SET(CURLOPT_CAINFO_BLOB, &blob);
		SET(CURLOPT_CAPATH, (char *)NULL);
	}
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, a);
#undef SET
	if (!r)
		r = curl_easy_perform(c);
	if (!r)
		curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, status);
	curl_easy_cleanup(c);
	curl_slist_free_all(headers);
	return r;
}

/* A text of the answer's object. */
static const char *
member(yajl_val root, const char *name)
{
	const char *path[] = { name, NULL };

	return YAJL_GET_STRING(yajl_tree_get(root, path, yajl_t_string));
}

static void __attribute__((noreturn))
child(const struct enroll *e, int fd)
{
	static struct answer a;
	char error[CURL_ERROR_SIZE] = "", why[200] = "";
	long status = 0;
	yajl_val root;
	CURLcode r;
	uid_t uid;
	gid_t gid;

	if (!geteuid() && (priv_user(e->user, &uid, &gid) || priv_drop(uid, gid)))
		fatal("cannot become %s: name another with --user", e->user);
	r = ask(e, &a, &status, error);
	if (r)
		fatal("%s: %s", e->endpoint, *error ? error : curl_easy_strerror(r));
	root = yajl_tree_parse(a.text, why, sizeof why);
	if (status != 200 && root && member(root, "error")) {
		/* What the collector says is for a terminal. */
		snprintf(why, sizeof why, "%s", member(root, "error"));
		for (char *p = why; *p; p++) {
			if (*p < ' ' || *p > '~')
				*p = '?';
		}
		fatal("the collector refuses (%ld): %s", status, why);
	}
	if (status != 200 || !root || !member(root, "sensor") || !member(root, "token"))
		fatal("%s: answer %ld is none of a net-gazer-collector", e->endpoint, status);
	dprintf(fd, "%s %s\n", member(root, "sensor"), member(root, "token"));
	_exit(0);
}

/* Sensor and token; what they may be made of is looked at here, where there are rights.  -1: it was said why. */
static int
fetch(struct enroll *e)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	char line[NAME_MAX_LEN + TOKEN_MAX + 4] = "";
	int fd[2], status = 0;
	size_t n = 0, name_n;
	ssize_t got;
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) || (pid = fork()) < 0) {
		log_error("%s", strerror(errno));
		return -1;
	}
	if (!pid)
		child(e, fd[1]);
	close(fd[1]);
	while (n < sizeof line - 1 && (got = read(fd[0], line + n, sizeof line - 1 - n)) > 0)
		n += (size_t)got;
	close(fd[0]);
	if (waitpid(pid, &status, 0) != pid || status)
		return -1; /* it said why */
	line[strcspn(line, "\n")] = 0;
	name_n = strspn(line, letters);
	n = strspn(line + name_n + (line[name_n] == ' '), letters);
	if (!name_n || name_n > NAME_MAX_LEN || strchr("._-", line[0]) || line[name_n] != ' ' || n < 16 || n > TOKEN_MAX ||
	    line[name_n + 1 + n]) {
		log_error("%s: its answer is none of a net-gazer-collector", e->endpoint);
		return -1;
	}
	memcpy(e->sensor, line, name_n);
	memcpy(e->token, line + name_n + 1, n);
	explicit_bzero(line, sizeof line);
	return 0;
}

/* ---- files ---- */

struct file {
	const char *path;
	char temporary[PATH_MAX];
	int fd;
};

/* A file that becomes `path` when it is whole: so that what cannot be written is known before the code is used. */
static int
begin(struct file *f, const char *path, mode_t mode, const struct stat *like)
{
	f->path = path;
	snprintf(f->temporary, sizeof f->temporary, "%s.new.%d", path, (int)getpid());
	f->fd = open(f->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (f->fd < 0) {
		log_error("%s: %s", f->temporary, strerror(errno));
		return -1;
	}
	if (like && (fchmod(f->fd, like->st_mode & 07777) || fchown(f->fd, like->st_uid, like->st_gid)))
		log_warn("%s: mode and owner stay not as they were: %s", path, strerror(errno));
	return 0;
}

/* The token is for net-gazer as it runs now: systemd has started it as a user of its own, who cannot read root's files. */
static void
give_to_reader(struct file *f)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = CONTROL };
	struct ucred who = { .uid = 0 };
	socklen_t n = sizeof who;
	int fd = geteuid() ? -1 : socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return;
	if (!connect(fd, (struct sockaddr *)&to, sizeof to) && !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) && who.uid &&
	    fchown(f->fd, who.uid, who.gid))
		log_warn("%s: net-gazer, user %u, will not be able to read it: %s", f->path, who.uid, strerror(errno));
	close(fd);
}

static void
drop(struct file *f)
{
	if (f->fd >= 0) {
		close(f->fd);
		unlink(f->temporary);
	}
	f->fd = -1;
}

static int
finish(struct file *f, const char *text)
{
	char folder[PATH_MAX];
	size_t n = strlen(text);
	ssize_t written = 1;
	int dir, r;

	/* A disk that becomes full takes a part, and says so at the next. */
	for (; n && written > 0; n -= (size_t)written, text += written)
		written = write(f->fd, text, n);
	if (written < 0 || fsync(f->fd) || rename(f->temporary, f->path)) {
		r = -errno;
		drop(f);
		return r;
	}
	close(f->fd);
	f->fd = -1;
	snprintf(folder, sizeof folder, "%s", f->path);
	dir = open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0) {
		fsync(dir);
		close(dir);
	}
	return 0;
}

static char *
read_file(const char *path, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char *text;
	ssize_t n;

	if (fd < 0 || fstat(fd, st))
		fatal("%s: %s", path, strerror(errno));
	if (!S_ISREG(st->st_mode) || st->st_size > CONFIG_MAX)
		fatal("%s: must be a file of at most 1 MiB", path);
	text = malloc((size_t)st->st_size + 1);
	n = text ? read(fd, text, (size_t)st->st_size) : -1;
	if (n < 0)
		fatal("%s: %s", path, strerror(errno));
	text[n] = 0;
	close(fd);
	return text;
}

static void
make_lines(const struct enroll *e, char lines[LINES_MAX])
{
	size_t n = (size_t)snprintf(lines, LINES_MAX, "sensor = \"%s\"\ncollector-url = \"%s\"\n"
				    "collector-token-file = \"%s\"\n", e->sensor, e->url, e->token_file);

	if (e->ca)
		n += (size_t)snprintf(lines + n, LINES_MAX - n, "collector-ca-file = \"%s\"\n", e->ca);
	if (e->pin)
		snprintf(lines + n, LINES_MAX - n, "collector-pin = \"%s\"\n", e->pin);
}

int
enroll_main(int argc, char **argv)
{
	char lines[LINES_MAX], *text = NULL, *edited = NULL;
	struct file token, config = { .fd = -1 };
	struct enroll e;
	struct stat st;
	int r;

	log_init("net-gazer enroll", LOG_L_INFO);
	read_arguments(&e, argc, argv);
	if (strncmp(e.url, "https://", 8))
		log_warn("%s: the token comes, and reports go, over the wire in the clear; use https", e.url);
	if (e.ca)
		e.ca_text = read_file(e.ca, &st);
	if (e.write) {
		text = read_file(e.config, &st);
		edited = enrolledit_text(text, "");
		if (!edited)
			fatal("%s: a brace is not closed; nothing was changed", e.config);
		free(edited);
		if (begin(&config, e.config, 0600, &st))
			return 1;
	}
	if (begin(&token, e.token_file, 0600, NULL) || fetch(&e)) {
		drop(&token);
		drop(&config);
		return 1;
	}
	give_to_reader(&token);
	make_lines(&e, lines);
	e.token[strlen(e.token)] = '\n'; /* there is room for it, and a NUL behind */
	r = finish(&token, e.token);
	explicit_bzero(e.token, sizeof e.token);
	if (r)
		fatal("%s: %s; the code is used up: make another", e.token_file, strerror(-r));
	log_info("this is sensor %s now; its token is in %s", e.sensor, e.token_file);
	if (!e.write) {
		printf("# for net-gazer.conf:\n%s", lines);
		return fflush(stdout) ? 1 : 0;
	}
	edited = enrolledit_text(text, lines);
	r = edited ? finish(&config, edited) : -ENOMEM;
	if (r)
		log_error("%s: %s; put this into it:\n%s", e.config, strerror(-r), lines);
	else
		log_info("%s is written; restart net-gazer, or send it SIGHUP", e.config);
	free(edited);
	free(text);
	free(e.ca_text);
	return r ? 1 : 0;
}
