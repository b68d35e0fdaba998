/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * control.c - accepts, reads one packet, answers with one, closes.
 */
#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/log.h"
#include "sensor/rundir.h"

#define CONTROL_PATIENCE_US 2000000 /* for the word to come */

static const char *const control_words[CONTROL_WORDS] = {
	[CONTROL_STATUS] = "status",
	[CONTROL_TOP] = "top",
	[CONTROL_RULES] = "rules",
	[CONTROL_RELOAD] = "reload",
};

struct client {
	struct control *control;
	struct loop_fd watch; /* not added: the place is free */
	struct loop_timer patience;
};

struct control {
	struct loop *loop;
	control_fn *fn;
	void *arg;
	int fd;
	struct loop_fd watch;
	struct client clients[CONTROL_CLIENTS];
	char path[sizeof ((struct sockaddr_un *)0)->sun_path];
};

const char *
control_name(enum control_word word)
{
	return control_words[word];
}

int
control_parse(const void *bytes, size_t len)
{
	for (int i = 0; i < CONTROL_WORDS; i++) {
		if (len == strlen(control_words[i]) && !memcmp(bytes, control_words[i], len))
			return i;
	}
	return -1;
}

static void
hang_up(struct client *c)
{
	int fd = c->watch.fd;

	loop_timer_clear(&c->patience);
	loop_fd_del(&c->watch);
	close(fd);
}

static void
on_impatient(struct loop_timer *t)
{
	hang_up(t->arg);
}

/* Root of where we are, or whoever runs us. */
static int
may_order(int fd)
{
	struct ucred who;
	socklen_t len = sizeof who;

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) && (who.uid == 0 || who.uid == geteuid());
}

static void
say(int fd, const char *bytes, size_t len)
{
	/* A fresh connection has room for one answer; who has filled it otherwise gets none. */
	if (send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("control: %s", strerror(errno));
}

static void
refuse(int fd, const char *why)
{
	char text[200];
	int n = snprintf(text, sizeof text, "{\"error\":\"%s\"}", why);

	say(fd, text, (size_t)n);
}

static void
answer(struct control *c, int fd, int word)
{
	char *out;
	ssize_t n;

	if (word < 0) {
		refuse(fd, "unknown request");
		return;
	}
	if (word == CONTROL_RELOAD && !may_order(fd)) {
		refuse(fd, "only root may do that");
		return;
	}
	out = malloc(CONTROL_ANSWER_MAX);
	n = out ? c->fn(c->arg, (enum control_word)word, out, CONTROL_ANSWER_MAX) : -ENOMEM;
	if (n >= 0)
		say(fd, out, (size_t)n);
	else
		refuse(fd, "there is no answer now");
	free(out);
}

static void
on_request(struct loop_fd *w, uint32_t events)
{
	struct client *client = w->arg;
	char bytes[CONTROL_REQUEST_MAX];
	ssize_t n = recv(w->fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_TRUNC);

	(void)events;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0)
		answer(client->control, w->fd, control_parse(bytes, n <= (ssize_t)sizeof bytes ? (size_t)n : 0));
	hang_up(client);
}

static void
on_connect(struct loop_fd *w, uint32_t events)
{
	struct control *c = w->arg;
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0)
		return;
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		struct client *client = &c->clients[i];

		if (client->watch.loop)
			continue;
		client->control = c;
		if (loop_fd_add(c->loop, &client->watch, fd, EPOLLIN, on_request, client))
			break;
		loop_timer_set(c->loop, &client->patience, CONTROL_PATIENCE_US, on_impatient, client);
		return;
	}
	close(fd); /* too many at a time */
}

/* True when somebody accepts at that path: no file that an ended one left. */
static int
answered(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r;

	if (fd < 0)
		return 0;
	memcpy(at.sun_path, path, sizeof at.sun_path);
	r = connect(fd, (const struct sockaddr *)&at, sizeof at);
	r = !r || errno == EAGAIN;
	close(fd);
	return r;
}

struct control *
control_new(struct loop *loop, const char *dir, gid_t gid, control_fn *fn, void *arg, char *err, size_t size)
{
	struct control *c = calloc(1, sizeof *c);
	int folder;

	if (!c) {
		snprintf(err, size, "out of memory");
		return NULL;
	}
	*c = (struct control){ .loop = loop, .fn = fn, .arg = arg, .fd = -1 };
	folder = rundir_make(dir, err, size);
	if (folder < 0)
		goto fail;
	close(folder);
	snprintf(c->path, sizeof c->path, "%s/" CONTROL_SOCKET, dir);
	if (answered(c->path)) {
		snprintf(err, size, "another net-gazer answers at %s; set another runtime-dir", c->path);
		goto fail;
	}
	c->fd = rundir_socket(c->path, gid, err, size);
	if (c->fd < 0)
		goto fail;
	if (loop_fd_add(loop, &c->watch, c->fd, EPOLLIN, on_connect, c)) {
		snprintf(err, size, "%s: too many descriptors", c->path);
		control_free(c);
		return NULL;
	}
	return c;
fail:
	free(c);
	return NULL;
}

void
control_free(struct control *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		if (c->clients[i].watch.loop)
			hang_up(&c->clients[i]);
	}
	loop_fd_del(&c->watch);
	unlink(c->path);
	close(c->fd);
	free(c);
}
