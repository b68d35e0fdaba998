/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * geolink.h - asks the process `geo` for what is known of the addresses that reports name, and puts the answers into
 * the table of addrinfo.h.  Intake only ever drops an address into a bounded queue; what does not fit, and what
 * was there before, is found by walking over the rollups, a little at a time.
 */
#ifndef GEOLINK_H
#define GEOLINK_H

#include "lib/conf.h"
#include "lib/json.h"
#include "lib/loop.h"
#include "report.h"
#include "store.h"

struct geolink;

/* Starts the process; where there is no such program, nothing is looked up, and geolink_setup() says so if
 * something was to be.  NULL: out of memory. */
struct geolink *geolink_new(struct loop *, struct store *, const char *libexec_dir);
/* From now on with these files, servers and names of networks. */
void geolink_setup(struct geolink *, const struct conf *);
void geolink_free(struct geolink *);

/* A report that was stored.  Takes no longer than a hash of its addresses. */
void geolink_see(struct geolink *, const struct report *);

/* Lookups since the start; addresses that are known, and waiting. */
struct geolink_counts {
	uint64_t lookups, evicted, waiting, dns_lookups, dns_waiting;
	int64_t cached, cached_max;
	int dns_on;
};

struct geolink_counts geolink_counts(struct geolink *);
/* Them into the open map. */
void geolink_put(struct geolink *, struct json *);
/* The members of /api/geo into the open map: them, and the files. */
void geolink_status(struct geolink *, struct json *);
/* A list of {text, url} of what is in use. */
void geolink_attribution(struct geolink *, struct json *, const char *name);

/* Whom a file of this type asks us to name: "TEXT URL", or "". */
const char *geolink_maker(const char *type);

/* A home, or otherwise no address of the internet. */
int geolink_is_private(uint8_t ipv, const uint8_t addr[16]);

#endif
