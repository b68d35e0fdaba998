/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The control socket's requests: whatever comes in one packet, each client gets at most one answer, which is
 * short or what the word asked for, and is let go.
 */
#include <assert.h>
#include <stdint.h>

#include "../../src/sensor/control.c"

static int asked = -1;

static ssize_t
on_word(void *arg, enum control_word word, char *out, size_t size)
{
	(void)arg;
	assert(size == CONTROL_ANSWER_MAX);
	asked = word;
	memset(out, 'x', size);
	return (ssize_t)size;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct control c = { .fn = on_word };
	static char got[CONTROL_ANSWER_MAX + 1];
	struct client *client = &c.clients[0];
	int fd[2], word = control_parse(data, size);
	ssize_t n;

	if (!c.loop)
		c.loop = loop_new();
	assert(c.loop && !socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd));
	if (size > 65536)
		size = 65536;
	if (size)
		assert(send(fd[0], data, size, 0) == (ssize_t)size);
	else
		shutdown(fd[0], SHUT_WR);
	client->control = &c;
	assert(!loop_fd_add(c.loop, &client->watch, fd[1], EPOLLIN, on_request, client));
	loop_timer_set(c.loop, &client->patience, CONTROL_PATIENCE_US, on_impatient, client);
	asked = -1;
	on_request(&client->watch, EPOLLIN);
	assert(!client->watch.loop && !client->patience.loop);
	assert(asked == word);
	n = recv(fd[0], got, sizeof got, MSG_DONTWAIT);
	if (word >= 0)
		assert(n == CONTROL_ANSWER_MAX && got[0] == 'x');
	else if (size)
		assert(n > 0 && n < 200 && !memcmp(got, "{\"error\":", 9));
	else
		assert(n == 0);
	assert(recv(fd[0], got, sizeof got, MSG_DONTWAIT) <= 0);
	close(fd[0]);
	return 0;
}
