/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * report.c - envelope, buffer, pipe.
 */
#include "report.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/loop.h"
#include "worker.h"

#define BUFFER (64 * 1024)

static struct {
	struct report_conf conf;
	int64_t boot_offset_us;
	int64_t until_us; /* clock_mono_us(): so long the pipe's reader is waited for */
	char *buf;      /* BUFFER, then room for one line */
	size_t head;    /* first byte not written yet */
	size_t len;
	int open;
	int discard;    /* the open line goes into the spare room and no further */
	struct json json;
} out;

void
report_start(const struct report_conf *conf)
{
	out.conf = *conf;
	out.boot_offset_us = INT64_MIN;
	out.until_us = INT64_MIN;
	out.buf = malloc(BUFFER + WORKER_REPORT_MAX);
	if (!out.buf)
		fatal("out of memory");
	out.head = out.len = 0;
	out.open = 0;
}

void
report_stop(void)
{
	free(out.buf);
	out.buf = NULL;
}

void
report_set_boot_offset(int64_t offset_us)
{
	out.boot_offset_us = offset_us;
}

void
report_last(int64_t until_us)
{
	out.until_us = until_us;
}

/* The reader has its time, once the reports are the last ones.  Being alive we say meanwhile. */
static int
wait_for_reader(void)
{
	struct pollfd p = { out.conf.fd, POLLOUT, 0 };

	if (clock_mono_us() >= out.until_us)
		return 0;
	poll(&p, 1, 100);
	out.conf.page->heartbeat++;
	return 1;
}

int
report_flush(void)
{
	while (out.head < out.len) {
		ssize_t n = write(out.conf.fd, out.buf + out.head, out.len - out.head);

		if (n < 0 && (errno == EINTR || (errno == EAGAIN && wait_for_reader())))
			continue;
		if (n < 0)
			return -errno;
		out.head += (size_t)n;
	}
	out.head = out.len = 0;
	return 0;
}

/* Room for one line behind out.len; 0 when there is none. */
static int
make_room(void)
{
	if (out.len + WORKER_REPORT_MAX <= BUFFER)
		return 1;
	report_flush();
	if (out.head) {
		memmove(out.buf, out.buf + out.head, out.len - out.head);
		out.len -= out.head;
		out.head = 0;
	}
	return out.len + WORKER_REPORT_MAX <= BUFFER;
}

struct json *
report_open(const char *type, int64_t ts_us)
{
	struct json *j = &out.json;

	if (out.open)
		return NULL;
	out.open = 1;
	out.discard = !make_room();
	json_begin(j, out.buf + (out.discard ? BUFFER : out.len), WORKER_REPORT_MAX - 1);
	json_map(j, NULL);
	json_uint(j, "v", 1);
	json_raw_str(j, "type", type, strlen(type));
	json_time(j, "ts", ts_us);
	if (out.boot_offset_us != INT64_MIN && ts_us + out.boot_offset_us >= 0)
		json_int(j, "up_us", ts_us + out.boot_offset_us);
	json_str(j, "sensor", out.conf.sensor, strlen(out.conf.sensor));
	json_str(j, "boot", out.conf.boot, strlen(out.conf.boot));
	json_uint(j, "seq", out.conf.page->seq);
	return j;
}

int
report_close(void)
{
	struct worker_page *page = out.conf.page;
	int r;

	if (!out.open)
		return -EPROTO;
	out.open = 0;
	if (out.json.depth == 1)
		json_close(&out.json);
	r = json_end(&out.json);
	page->seq++;
	page->reports++;
	if (r || out.discard) {
		page->reports_dropped++;
		return r;
	}
	out.buf[out.len + out.json.len] = '\n';
	out.len += out.json.len + 1;
	return 0;
}

void
report_cancel(void)
{
	out.open = 0;
}
