/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * look.c - for -n, beside what plan.c opens by itself: files that are made at the start, and those that the forwarder
 * opens when we are not there to say what is wrong.
 */
#include "look.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/priv.h"
#include "sensor/denied.h"
#include "sensor/output.h"
#include "sensor/spooldir.h"

/* Not opened: a FIFO's reader would take notice. */
static int
writable(const char *path)
{
	char folder[PATH_MAX];
	struct stat st;

	if (!access(path, W_OK)) {
		errno = EISDIR;
		return stat(path, &st) || !S_ISDIR(st.st_mode);
	}
	snprintf(folder, sizeof folder, "%s", path);
	return errno == ENOENT && !access(dirname(folder), W_OK | X_OK);
}

int
look_files(const struct plan *p, char *err, size_t size)
{
	const char *output = conf_str(p->conf, "output"), *dir = conf_str(p->conf, "spool-dir");
	const char *ca = conf_str(p->conf, "collector-ca-file");
	char folder[PATH_MAX];
	int fd;

	if (p->capture_fd >= 0)
		return 0;
	if (p->forwarder_fd < 0 && strcmp(output, "-") && !writable(output)) {
		denied_say("output", output, err, size);
		return -1;
	}
	/* It will be renamed there. */
	snprintf(folder, sizeof folder, "%s", output);
	if (p->forwarder_fd < 0 && plan_output_bytes(p) && access(dirname(folder), W_OK | X_OK)) {
		denied_say("output-bytes", folder, err, size);
		return -1;
	}
	if (dir && spooldir_look(dir, p->uid, p->gid, err, size))
		return -1;
	if (p->forwarder_fd < 0)
		return 0;
	if (ca) {
		fd = !geteuid() && priv_drop(p->uid, p->gid) ? -1 : open(ca, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0) {
			denied_say("collector-ca-file", ca, err, size);
			return -1;
		}
		close(fd);
	}
	return output_check(p, err, size);
}
