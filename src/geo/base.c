/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * base.c - opens a file of either kind and asks it.  The makers of MaxMind DBs name their keys as they like: each
 * fact is looked for under several.
 */
#include "base.h"

#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tidy.h"

#define DEPTH 4 /* keys of a path, and the NULL behind them */

static const char *const cc_paths[][DEPTH] = {
	{ "country_code" }, { "country", "iso_code" }, { "country" }, { "registered_country", "iso_code" },
};
static const char *const city_paths[][DEPTH] = { { "city", "names", "en" }, { "city" } };
static const char *const lat_paths[][DEPTH] = { { "latitude" }, { "location", "latitude" }, { "lat" } };
static const char *const lon_paths[][DEPTH] = { { "longitude" }, { "location", "longitude" }, { "lng" }, { "lon" } };
static const char *const asn_paths[][DEPTH] = { { "autonomous_system_number" }, { "asn" } };
static const char *const org_paths[][DEPTH] = {
	{ "autonomous_system_organization" }, { "as_org" }, { "as_name" }, { "name" },
};
#define N(a) (sizeof(a) / sizeof *(a))

void
base_place_init(struct geo_place *p)
{
	*p = (struct geo_place){ .lat = GEO_NOWHERE, .lon = GEO_NOWHERE };
}

/* ---- open ---- */

static int
open_mmdb(struct base *b, int fd, char *why, size_t size)
{
	char path[32];
	int r;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	r = MMDB_open(path, MMDB_MODE_MMAP, &b->mmdb);
	if (r) {
		snprintf(why, size, "neither a MaxMind DB (%s) nor a range file of `geo import`", MMDB_strerror(r));
		return -1;
	}
	b->built_s = (int64_t)(b->mmdb.metadata.build_epoch & INT64_MAX);
	if (b->mmdb.metadata.database_type)
		tidy_text(b->type, sizeof b->type, b->mmdb.metadata.database_type,
			  strlen(b->mmdb.metadata.database_type));
	return 0;
}

static int
open_ranges(struct base *b, int fd, char *why, size_t size)
{
	const char *wrong;

	b->map = mmap(NULL, b->size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (b->map == MAP_FAILED) {
		b->map = NULL;
		snprintf(why, size, "not mapped: %s", strerror(errno));
		return -1;
	}
	wrong = ranges_open(&b->ranges, b->map, b->size);
	if (wrong) {
		snprintf(why, size, "damaged: %s; import it again", wrong);
		munmap(b->map, b->size);
		b->map = NULL;
		return -1;
	}
	b->is_ranges = 1;
	b->built_s = b->ranges.built_s;
	snprintf(b->type, sizeof b->type, "net-gazer ranges");
	tidy_text(b->attribution, sizeof b->attribution, b->ranges.attribution, strlen(b->ranges.attribution));
	return 0;
}

int
base_open(struct base *b, int fd, char *why, size_t why_size)
{
	char magic[8];
	struct stat st;

	*b = (struct base){ .map = NULL };
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		snprintf(why, why_size, "no regular file");
		return -1;
	}
	b->size = (size_t)st.st_size;
	if (pread(fd, magic, sizeof magic, 0) == (ssize_t)sizeof magic && !memcmp(magic, RANGES_MAGIC, sizeof magic))
		return open_ranges(b, fd, why, why_size);
	return open_mmdb(b, fd, why, why_size);
}

void
base_close(struct base *b)
{
	if (b->map)
		munmap(b->map, b->size);
	else if (b->mmdb.file_content)
		MMDB_close(&b->mmdb);
	*b = (struct base){ .map = NULL };
}

/* ---- ask ---- */

/* The first of the paths that leads to something.  Its type, or -1. */
static int
value(MMDB_entry_s *entry, const char *const (*paths)[DEPTH], size_t n, MMDB_entry_data_s *v)
{
	for (size_t i = 0; i < n; i++) {
		if (!MMDB_aget_value(entry, v, paths[i]) && v->has_data && v->type != MMDB_DATA_TYPE_MAP &&
		    v->type != MMDB_DATA_TYPE_ARRAY)
			return (int)v->type;
	}
	return -1;
}

static void
text(MMDB_entry_s *entry, const char *const (*paths)[DEPTH], size_t n, char *out, size_t size)
{
	MMDB_entry_data_s v;

	if (value(entry, paths, n, &v) == MMDB_DATA_TYPE_UTF8_STRING)
		tidy_text(out, size, v.utf8_string, v.data_size);
}

static int32_t
degrees(MMDB_entry_s *entry, const char *const (*paths)[DEPTH], size_t n, double most)
{
	MMDB_entry_data_s v;
	int type = value(entry, paths, n, &v);
	double d = type == MMDB_DATA_TYPE_DOUBLE ? v.double_value : type == MMDB_DATA_TYPE_FLOAT ? (double)v.float_value : NAN;

	return isfinite(d) && d >= -most && d <= most ? (int32_t)lround(d * 1e6) : GEO_NOWHERE;
}

/* A number, or text of one behind "AS". */
static uint32_t
system_number(MMDB_entry_s *entry)
{
	MMDB_entry_data_s v;
	int type = value(entry, asn_paths, N(asn_paths), &v);
	uint64_t n = 0;

	if (type == MMDB_DATA_TYPE_UINT32)
		return v.uint32;
	if (type == MMDB_DATA_TYPE_UINT16)
		return v.uint16;
	if (type == MMDB_DATA_TYPE_UINT64)
		return v.uint64 > UINT32_MAX ? 0 : (uint32_t)v.uint64;
	if (type != MMDB_DATA_TYPE_UTF8_STRING)
		return 0;
	for (uint32_t i = v.data_size > 2 && !memcmp(v.utf8_string, "AS", 2) ? 2 : 0; i < v.data_size; i++) {
		if (v.utf8_string[i] < '0' || v.utf8_string[i] > '9' || n > UINT32_MAX)
			return 0;
		n = n * 10 + (uint64_t)(v.utf8_string[i] - '0');
	}
	return n > UINT32_MAX ? 0 : (uint32_t)n;
}

void
base_read(MMDB_entry_s *entry, struct geo_place *p)
{
	MMDB_entry_data_s v;
	int32_t lat, lon;

	if (!p->cc[0] && value(entry, cc_paths, N(cc_paths), &v) == MMDB_DATA_TYPE_UTF8_STRING)
		tidy_cc(p->cc, v.utf8_string, v.data_size);
	if (!p->city[0])
		text(entry, city_paths, N(city_paths), p->city, sizeof p->city);
	if (p->lat == GEO_NOWHERE) {
		lat = degrees(entry, lat_paths, N(lat_paths), 90);
		lon = degrees(entry, lon_paths, N(lon_paths), 180);
		if (lat != GEO_NOWHERE && lon != GEO_NOWHERE) {
			p->lat = lat;
			p->lon = lon;
		}
	}
	if (!p->asn) {
		p->asn = system_number(entry);
		if (p->asn)
			text(entry, org_paths, N(org_paths), p->as_org, sizeof p->as_org);
	}
}

static void
find_mmdb(const struct base *b, const struct geo_addr *a, struct geo_place *p)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	MMDB_lookup_result_s found;
	int error = 0;

	memcpy(&v4.sin_addr, a->addr, 4);
	memcpy(&v6.sin6_addr, a->addr, 16);
	found = MMDB_lookup_sockaddr(&b->mmdb, a->ipv == 4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6, &error);
	if (!error && found.found_entry)
		base_read(&found.entry, p);
}

void
base_find(const struct base *b, const struct geo_addr *a, struct geo_place *p)
{
	const char *name;
	uint32_t asn;

	if (!b->is_ranges) {
		find_mmdb(b, a, p);
		return;
	}
	asn = p->asn ? 0 : ranges_find(&b->ranges, a->ipv, a->addr, &name);
	if (!asn)
		return;
	p->asn = asn;
	tidy_text(p->as_org, sizeof p->as_org, name, strlen(name));
}
