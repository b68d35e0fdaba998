/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * geo.c - the command `geo`: import files of countries, cities and autonomous systems, show which there are, look
 * an address up.  All three work beside a collector that runs; it sees new files within seconds.
 */
#include "geo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "geolink.h"
#include "geostart.h"
#include "lib/log.h"
#include "names.h"

#define FILES_MAX 16
#define PATIENCE_S 40
/* Of a file's name, below the folder. */
#define NAME_ROOM 32

static const char *const kinds[GEO_KINDS] = GEO_WORDS_KIND;

/* ---- import ---- */

/* As its neighbours have it, when root imports for a collector of another user. */
static void
same_owner(const char *path, const struct stat *like)
{
	if (!geteuid() && lchown(path, like->st_uid, like->st_gid))
		log_warn("%s: still of root: %s", path, strerror(errno));
}

/* DATABASE.d and the folder in it.  *like: whose they are. */
static int
make_folder(const char *folder, const char *database, struct stat *like)
{
	char above[GEO_PATH_MAX];

	snprintf(above, sizeof above, "%s", folder);
	*strrchr(above, '/') = 0;
	if (stat(database, like)) {
		char parent[GEO_PATH_MAX];
		char *slash;

		snprintf(parent, sizeof parent, "%s", database);
		slash = strrchr(parent, '/');
		if (slash)
			*(slash == parent ? slash + 1 : slash) = 0;
		if (stat(slash ? parent : ".", like))
			return -errno;
	}
	if (!mkdir(above, 0700))
		same_owner(above, like);
	if (!mkdir(folder, 0700))
		same_owner(folder, like);
	return access(folder, W_OK) ? -errno : 0;
}

/* What tables of these names ask us to say; else "". */
static const char *
maker_of(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	if (!strncmp(name, "asn-ipv", 7))
		return "AS data by RouteViews and DB-IP https://db-ip.com";
	return geolink_maker(name);
}

/* KIND.txt; none when there is nothing to say. */
static int
write_attribution(const char *folder, const char *kind, const char *said, const struct stat *like)
{
	char path[GEO_PATH_MAX + NAME_ROOM], temp[GEO_PATH_MAX + NAME_ROOM];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s.txt", folder, kind);
	snprintf(temp, sizeof temp, "%s/.%s.txt", folder, kind);
	if (!*said)
		return unlink(path) && errno != ENOENT ? -errno : 0;
	f = fopen(temp, "we");
	if (!f)
		return -errno;
	if (fprintf(f, "%s\n", said) < 0 || fflush(f) || fsync(fileno(f))) {
		fclose(f);
		return -EIO;
	}
	fclose(f);
	same_owner(temp, like);
	return rename(temp, path) ? -errno : 0;
}

/* The whole file is on the disk before it has its name. */
static int
put_in_place(const char *folder, const char *temp, int fd, const char *kind, const char *suffix, const struct stat *like)
{
	char path[GEO_PATH_MAX + NAME_ROOM];
	int r = 0, dir;

	if (fsync(fd))
		return -errno;
	same_owner(temp, like);
	snprintf(path, sizeof path, "%s/%s.%s", folder, kind, suffix);
	if (rename(temp, path))
		return -errno;
	snprintf(path, sizeof path, "%s/%s.%s", folder, kind, strcmp(suffix, "mmdb") ? "mmdb" : "ranges");
	if (unlink(path) && errno != ENOENT)
		r = -errno;
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0) {
		(void)fsync(dir);
		close(dir);
	}
	return r;
}

/* "KIND SUFFIX what it is" of the importing process, and its end.  0 or -1; it said why. */
static int
wait_for(pid_t pid, int said, char *kind, char *suffix, char *about)
{
	char line[600];
	size_t n = 0;
	ssize_t r;
	int status = 0;

	while (n < sizeof line - 1 && (r = read(said, line + n, sizeof line - 1 - n)) > 0)
		n += (size_t)r;
	line[n] = 0;
	close(said);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		log_error("the import died of signal %d (%s): the file is damaged, or meant to harm; nothing was changed",
			  WTERMSIG(status), strsignal(WTERMSIG(status)));
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return -1;
	if (sscanf(line, "%7s %7s %500[^\n]", kind, suffix, about) != 3)
		return -1;
	for (int i = 0; i < GEO_KINDS; i++) {
		if (!strcmp(kind, kinds[i]) && (!strcmp(suffix, "mmdb") || !strcmp(suffix, "ranges")))
			return 0;
	}
	return -1;
}

static int
import(const struct conf *conf, char *const *files, int n)
{
	const char *attribution = conf_str(conf, "attribution");
	char folder[GEO_PATH_MAX], temp[GEO_PATH_MAX + NAME_ROOM], kind[8], suffix[8], about[501];
	int in[FILES_MAX], out = -1, opened = 0, said, r = 2;
	struct stat like;
	pid_t pid;

	geostart_folder(conf, folder);
	if (!folder[0] || strlen(folder) + NAME_ROOM > sizeof folder || n > FILES_MAX) {
		log_error(n > FILES_MAX ? "at most 16 files at a time" : "database: a file of a shorter name is needed");
		return 2;
	}
	r = make_folder(folder, conf_str(conf, "database"), &like);
	if (r) {
		log_error("%s: %s", folder, strerror(-r));
		return 2;
	}
	snprintf(temp, sizeof temp, "%s/.import.%d", folder, (int)getpid());
	r = 2;
	for (; opened < n; opened++) {
		in[opened] = open(files[opened], O_RDONLY | O_CLOEXEC);
		if (in[opened] < 0) {
			log_error("%s: %s", files[opened], strerror(errno));
			goto out;
		}
	}
	out = open(temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0) {
		log_error("%s: %s", temp, strerror(errno));
		goto out;
	}
	if (!attribution)
		attribution = maker_of(files[0]);
	pid = geostart_import(conf_str(conf, "libexec-dir"), out, in, files, n, attribution, &said);
	if (pid < 0) {
		log_error("%s/geo: %s; libexec-dir says where it is", conf_str(conf, "libexec-dir"), strerror(-pid));
		goto out;
	}
	if (wait_for(pid, said, kind, suffix, about)) {
		r = 1;
		goto out;
	}
	r = write_attribution(folder, kind, attribution, &like);
	if (!r)
		r = put_in_place(folder, temp, out, kind, suffix, &like);
	if (r)
		log_error("%s: %s", folder, strerror(-r));
	else
		printf("%s/%s.%s: %s\n", folder, kind, suffix, about);
	r = r || fflush(stdout) ? 2 : 0;
out:
	while (opened > 0)
		close(in[--opened]);
	if (out >= 0) {
		close(out);
		(void)unlink(temp);
	}
	return r;
}

/* ---- status, lookup ---- */

struct asked {
	int fds[GEOSTART_FDS];
	struct geo_control setup;
	struct geo_hello hello;
	int named;
};

/* Starts the process and waits until it has opened its files. */
static int
ask_for(struct asked *a, const struct conf *conf)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };
	pid_t pid = geostart_serve(conf_str(conf, "libexec-dir"), a->fds);

	if (pid < 0) {
		log_error("%s/geo: %s; libexec-dir says where it is", conf_str(conf, "libexec-dir"), strerror(-pid));
		return -1;
	}
	for (int i = 0; i < GEOSTART_FDS; i++)
		(void)setsockopt(a->fds[i], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	geostart_setup(conf, &a->setup, &a->named);
	if (send(a->fds[GEOSTART_CONTROL], &a->setup, sizeof a->setup, MSG_NOSIGNAL) < 0 ||
	    recv(a->fds[GEOSTART_PLACES], &a->hello, sizeof a->hello, 0) != sizeof a->hello) {
		log_error("the process geo does not answer");
		return -1;
	}
	return 0;
}

/* Text of a file, for a terminal. */
static void
show(const char *text)
{
	for (; *text; text++)
		putchar((unsigned char)*text < ' ' || *text == 127 ? '?' : *text);
}

static int
status(const struct conf *conf)
{
	static struct asked a;
	int n = 0;

	if (ask_for(&a, conf))
		return 2;
	for (int i = 0; i < GEO_KINDS; i++) {
		const char *said = a.hello.base[i].attribution;
		time_t built = (time_t)a.hello.base[i].built_s;
		char day[32] = "of unknown date";
		struct tm tm;

		if (!a.hello.base[i].file[0])
			continue;
		if (built > 0 && gmtime_r(&built, &tm))
			strftime(day, sizeof day, "built %Y-%m-%d", &tm);
		printf("%-8s", kinds[i]);
		show(a.hello.base[i].file);
		printf(" (");
		show(a.hello.base[i].type);
		printf(", %s)", day);
		if (!*said)
			said = geolink_maker(a.hello.base[i].type);
		if (*said) {
			printf("; to be named: ");
			show(said);
		}
		putchar('\n');
		n++;
	}
	if (!n)
		puts("no files: net-gazer-collector geo import FILE...; or geo-country, geo-city, geo-asn name some");
	printf("names    %s\n", a.setup.servers_n ? "by reverse DNS (dns)" : "reverse DNS is off (dns)");
	return fflush(stdout) ? 2 : 0;
}

static void
show_place(const struct geo_place *p)
{
	if (p->cc[0])
		printf("  %s", p->cc);
	if (p->city[0]) {
		printf("  ");
		show(p->city);
	}
	if (p->lat != GEO_NOWHERE)
		printf("  %.4f,%.4f", p->lat / 1e6, p->lon / 1e6);
	if (p->asn) {
		printf("  AS%u ", p->asn);
		show(p->as_org);
	}
}

static int
lookup(const struct conf *conf, char *const *ips, int n)
{
	static struct geo_places places;
	static struct geo_names answers;
	static struct names homes;
	static struct asked a;
	struct geo_ask ask = { .id = 1, .n = (uint32_t)n };

	if (n > GEO_BATCH) {
		log_error("at most %d addresses at a time", GEO_BATCH);
		return 2;
	}
	for (int i = 0; i < n; i++) {
		if (addr_parse(&ask.addr[i].ipv, ask.addr[i].addr, ips[i])) {
			log_error("%s: no IP address", ips[i]);
			return 2;
		}
	}
	for (size_t i = 0; i < conf_list_n(conf, "home"); i++)
		(void)names_add(&homes, conf_list(conf, "home", i));
	if (ask_for(&a, conf))
		return 2;
	/* Which the DNS is not asked for stay without a name. */
	if (a.setup.servers_n &&
	    (send(a.fds[GEOSTART_NAMES], &ask, sizeof ask, MSG_NOSIGNAL) < 0 ||
	     recv(a.fds[GEOSTART_NAMES], &answers, sizeof answers, 0) <= 0 || /* its hello */
	     recv(a.fds[GEOSTART_NAMES], &answers, sizeof answers, 0) != sizeof answers)) {
		log_warn("the DNS was not asked");
		memset(&answers, 0, sizeof answers);
	}
	if (a.hello.generation && (send(a.fds[GEOSTART_PLACES], &ask, sizeof ask, MSG_NOSIGNAL) < 0 ||
				   recv(a.fds[GEOSTART_PLACES], &places, sizeof places, 0) != sizeof places)) {
		log_error("no answer: a file is damaged? `net-gazer-collector geo status` names them");
		return 2;
	}
	for (int i = 0; i < n; i++) {
		const char *home = names_find(&homes, ask.addr[i].ipv, ask.addr[i].addr);
		int private = geolink_is_private(ask.addr[i].ipv, ask.addr[i].addr);

		printf("%s", ips[i]);
		if (places.n && !private)
			show_place(&places.place[i]);
		if (answers.n && answers.name[i].state == GEO_NAME_FOUND) {
			printf("  ");
			show(answers.name[i].name);
		} else if (home) {
			printf("  %s", home);
		}
		putchar('\n');
	}
	return fflush(stdout) ? 2 : 0;
}

int
geo_command(const struct conf *conf, char *const *arguments, int n)
{
	if (!strcmp(arguments[0], "import") && n > 1)
		return import(conf, arguments + 1, n - 1);
	if (!strcmp(arguments[0], "status") && n == 1)
		return status(conf);
	if (!strcmp(arguments[0], "lookup") && n > 1)
		return lookup(conf, arguments + 1, n - 1);
	log_error("geo %s: one of geo import FILE..., geo status, geo lookup IP... is possible", arguments[0]);
	return 2;
}
