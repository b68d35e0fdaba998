/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * places.c - opens the files, locks itself up, answers until the collector is gone.
 */
#include "places.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base.h"
#include "lib/log.h"
#include "sandbox.h"

static void
open_files(struct base base[GEO_KINDS], const int files[GEO_KINDS], struct geo_hello *hello)
{
	char why[200];

	for (int i = 0; i < GEO_KINDS; i++) {
		base[i] = (struct base){ .map = NULL };
		if (files[i] < 0)
			continue;
		if (base_open(&base[i], files[i], why, sizeof why)) {
			log_error("geo: %s: %s; it is not used", hello->base[i].file, why);
			hello->base[i].file[0] = 0;
			continue;
		}
		close(files[i]);
		hello->base[i].built_s = base[i].built_s;
		memcpy(hello->base[i].type, base[i].type, sizeof base[i].type);
		if (base[i].attribution[0])
			memcpy(hello->base[i].attribution, base[i].attribution, sizeof base[i].attribution);
	}
}

static void
answer(const struct base base[GEO_KINDS], const struct geo_ask *ask, struct geo_places *out)
{
	*out = (struct geo_places){ .is = GEO_IS_PLACES, .id = ask->id, .n = ask->n };
	for (uint32_t i = 0; i < ask->n; i++) {
		base_place_init(&out->place[i]);
		for (int kind = 0; kind < GEO_KINDS; kind++) {
			if (base[kind].is_ranges || base[kind].mmdb.file_content)
				base_find(&base[kind], &ask->addr[i], &out->place[i]);
		}
	}
}

void
places_run(int fd, const int files[GEO_KINDS], struct geo_hello *hello)
{
	static struct base base[GEO_KINDS];
	static struct geo_places out;
	static struct geo_ask ask;
	ssize_t n;

	sandbox_opening();
	open_files(base, files, hello);
	sandbox_close();
	if (send(fd, hello, sizeof *hello, MSG_NOSIGNAL) != sizeof *hello)
		_exit(0);
	for (;;) {
		n = recv(fd, &ask, sizeof ask, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n != sizeof ask || ask.n > GEO_BATCH)
			_exit(0); /* the collector is gone */
		answer(base, &ask, &out);
		if (send(fd, &out, sizeof out, MSG_NOSIGNAL) != sizeof out)
			_exit(0);
	}
}
