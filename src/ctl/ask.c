/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ask.c - see ask.h.
 */
#include "ask.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ASK_PATIENCE_MS 10000 /* a reload reads files and describes plugins first */
#define ASK_DEPTH 4

/* `where`: the socket, or the folder that it is in. */
static int
find(struct sockaddr_un *at, const char *where)
{
	struct stat st;
	int n;

	*at = (struct sockaddr_un){ .sun_family = AF_UNIX };
	n = snprintf(at->sun_path, sizeof at->sun_path, "%s%s", where,
		     !stat(where, &st) && S_ISSOCK(st.st_mode) ? "" : "/" CONTROL_SOCKET);
	return n < 0 || (size_t)n >= sizeof at->sun_path ? -ENAMETOOLONG : 0;
}

static void
explain(int e, const char *path, char *err, size_t size)
{
	if (e == -ENOENT || e == -ECONNREFUSED)
		snprintf(err, size, "net-gazer does not run (%s: %s); start it, or say where it is with --connect", path,
			 strerror(-e));
	else if (e == -EACCES || e == -EPERM)
		snprintf(err, size, "%s: %s; ask as root, or as a member of that socket's group", path, strerror(-e));
	else if (e == -ETIMEDOUT)
		snprintf(err, size, "%s: net-gazer does not answer; is it stopped, or the machine overloaded?", path);
	else if (e == -EPIPE)
		snprintf(err, size, "%s: net-gazer hung up; too many ask at a time", path);
	else
		snprintf(err, size, "%s: %s", path, strerror(-e));
}

/* Its length, or -errno. */
static ssize_t
exchange(int fd, const struct sockaddr_un *at, const char *word, char *out, size_t size)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t n;

	if (connect(fd, (const struct sockaddr *)at, sizeof *at) || send(fd, word, strlen(word), MSG_NOSIGNAL) < 0)
		return -errno;
	n = poll(&p, 1, ASK_PATIENCE_MS);
	if (n == 0)
		return -ETIMEDOUT;
	n = n < 0 ? -1 : recv(fd, out, size, 0);
	return n < 0 ? -errno : n == 0 ? -EPIPE : n;
}

char *
ask_text(const char *where, enum control_word word, int *error, char *err, size_t size)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	char *out = malloc(CONTROL_ANSWER_MAX + 1);
	struct sockaddr_un at;
	ssize_t n = !out ? -ENOMEM : fd < 0 ? -errno : find(&at, where);

	if (!n)
		n = exchange(fd, &at, control_name(word), out, CONTROL_ANSWER_MAX);
	if (fd >= 0)
		close(fd);
	*error = n < 0 ? (int)n : 0;
	if (n < 0) {
		explain((int)n, n == -ENAMETOOLONG ? where : at.sun_path, err, size);
		free(out);
		return NULL;
	}
	out[n] = 0;
	return out;
}

yajl_val
ask_tree(const char *where, enum control_word word, int *error, char *err, size_t size)
{
	char *text = ask_text(where, word, error, err, size);
	yajl_val tree = NULL;

	if (!text)
		return NULL;
	tree = yajl_tree_parse(text, NULL, 0);
	free(text);
	if (YAJL_IS_OBJECT(tree) && !*ask_str(tree, "error"))
		return tree;
	*error = tree ? -EPERM : -EPROTO;
	snprintf(err, size, "%s: %s", where, tree ? ask_str(tree, "error") : "what answers is no net-gazer");
	yajl_tree_free(tree);
	return NULL;
}

yajl_val
ask_get(yajl_val tree, const char *path)
{
	const char *names[ASK_DEPTH + 1] = { NULL };
	char copy[80], *rest = copy;

	snprintf(copy, sizeof copy, "%s", path);
	for (size_t i = 0; i < ASK_DEPTH && rest; i++)
		names[i] = strsep(&rest, ".");
	return tree ? yajl_tree_get(tree, names, yajl_t_any) : NULL;
}

int64_t
ask_int(yajl_val tree, const char *path)
{
	yajl_val v = ask_get(tree, path);

	return YAJL_IS_INTEGER(v) ? YAJL_GET_INTEGER(v) : 0;
}

int
ask_is(yajl_val tree, const char *path)
{
	return YAJL_IS_TRUE(ask_get(tree, path));
}

const char *
ask_str(yajl_val tree, const char *path)
{
	yajl_val v = ask_get(tree, path);

	return YAJL_IS_STRING(v) ? YAJL_GET_STRING(v) : "";
}

size_t
ask_n(yajl_val tree, const char *path)
{
	yajl_val v = ask_get(tree, path);

	return YAJL_IS_ARRAY(v) ? YAJL_GET_ARRAY(v)->len : 0;
}

yajl_val
ask_at(yajl_val tree, const char *path, size_t i)
{
	yajl_val v = ask_get(tree, path);

	return YAJL_IS_ARRAY(v) && i < v->u.array.len ? v->u.array.values[i] : NULL;
}

yajl_val
ask_named(yajl_val tree, const char *path, const char *name)
{
	for (size_t i = 0; i < ask_n(tree, path); i++) {
		yajl_val v = ask_at(tree, path, i);

		if (!strcmp(ask_str(v, "name"), name))
			return v;
	}
	return NULL;
}
