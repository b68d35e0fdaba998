/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * demogeo.c - addresses that are kept for documentation are in no file, so `demo` says itself where its own are:
 * cities that there are, systems with the numbers kept for documentation (RFC 5398), names under example.net.
 * What one address gets depends on nothing but itself.
 */
#include "demogeo.h"

#include <stdio.h>
#include <string.h>

#include "addrinfo.h"
#include "dbfile.h"

#define YEAR_US (366 * 86400000000LL)

static const struct city {
	const char *cc, *name;
	double lat, lon;
} cities[] = {
	{ "DE", "Frankfurt am Main", 50.1109, 8.6821 }, { "NL", "Amsterdam", 52.3676, 4.9041 },
	{ "GB", "London", 51.5074, -0.1278 }, { "US", "Ashburn", 39.0438, -77.4874 },
	{ "US", "San Jose", 37.3382, -121.8863 }, { "US", "Dallas", 32.7767, -96.7970 },
	{ "FR", "Paris", 48.8566, 2.3522 }, { "SE", "Stockholm", 59.3293, 18.0686 },
	{ "IE", "Dublin", 53.3498, -6.2603 }, { "PL", "Warsaw", 52.2297, 21.0122 },
	{ "ES", "Madrid", 40.4168, -3.7038 }, { "IT", "Milan", 45.4642, 9.1900 },
	{ "CH", "Z\xc3\xbcrich", 47.3769, 8.5417 }, { "JP", "Tokyo", 35.6762, 139.6503 },
	{ "SG", "Singapore", 1.3521, 103.8198 }, { "AU", "Sydney", -33.8688, 151.2093 },
	{ "BR", "S\xc3\xa3o Paulo", -23.5505, -46.6333 }, { "IN", "Mumbai", 19.0760, 72.8777 },
	{ "CA", "Toronto", 43.6532, -79.3832 }, { "ZA", "Johannesburg", -26.2041, 28.0473 },
	{ "KR", "Seoul", 37.5665, 126.9780 }, { "UA", "Kyiv", 50.4501, 30.5234 },
	{ "TR", "Istanbul", 41.0082, 28.9784 }, { "MX", "Mexico City", 19.4326, -99.1332 },
};
#define CITIES (sizeof cities / sizeof *cities)

static const char *const systems[] = {
	"Example Transit", "Example Cloud", "Example Video", "Example Mail & Sons", "Example University", "Example Fibre",
	"Example CDN", "Example Hosting", "Example Telecom", "Example Games", "Example Bank", "Example Exchange",
};
#define SYSTEMS (sizeof systems / sizeof *systems)
#define FIRST_AS 64496 /* to 64511, RFC 5398 */

/* FNV-1a: the same everywhere. */
static unsigned
trait(const char *ip, unsigned salt)
{
	uint32_t h = 2166136261U ^ salt;

	for (; *ip; ip++)
		h = (h ^ (unsigned char)*ip) * 16777619U;
	return h ^ h >> 15;
}

/* A router's neighbours are of its system, and where it is. */
static void
facts_of(const char *ip, struct addrinfo_facts *f)
{
	unsigned a, b, c, d, city, system;
	int routers = sscanf(ip, "198.51.100.%u", &d) == 1;

	*f = (struct addrinfo_facts){ .placed = 1 };
	city = trait(ip, 1) % CITIES;
	system = 1 + trait(ip, 2) % (SYSTEMS - 1);
	if (routers) {
		city = d < 40 ? d / 8 % 3 : d / 20 % CITIES;
		system = d < 40 ? 0 : 1 + d / 30 % (SYSTEMS - 1);
	} else if (sscanf(ip, "192.0.2.%u", &d) == 1) {
		city = d == 1 ? 1 : d == 2 ? 0 : 2; /* the sites */
		system = 0;
	} else if (sscanf(ip, "%u.%u.%u.%u", &a, &b, &c, &d) == 4 && a == 198 && c == 0 && d < 16) {
		city = d % CITIES; /* whom most connections go to: spread over the map */
	}
	memcpy(f->cc, cities[city].cc, 3);
	snprintf(f->city, sizeof f->city, "%s", cities[city].name);
	f->lat = cities[city].lat;
	f->lon = cities[city].lon;
	f->asn = FIRST_AS + system;
	snprintf(f->as_org, sizeof f->as_org, "%s", systems[system]);
	if (trait(ip, 3) % 4 == 0)
		return;
	snprintf(f->name, sizeof f->name, "%s-%x.%s.example.net", routers ? "r" : "h", trait(ip, 4) & 0xffff, f->cc);
	for (char *p = f->name; *p; p++)
		*p = *p >= 'A' && *p <= 'Z' ? (char)(*p | 0x20) : *p;
}

static int
put(struct addrinfo_table *t, const char *ip, int64_t now_us)
{
	struct addrinfo_facts f;
	int r;

	/* Home: nobody's place. */
	if (!strncmp(ip, "192.168.", 8) || !strncmp(ip, "2001:db8:ffff:", 14))
		return 0;
	facts_of(ip, &f);
	r = addrinfo_take(t, ip, &f, 0, now_us);
	return r || !f.name[0] ? r : addrinfo_take_name(t, ip, f.name, now_us + YEAR_US, now_us);
}

int
demogeo_fill(struct store *s, int64_t now_us)
{
	static const char all[] = "SELECT dst_ip FROM rollup WHERE dst_ip != '' UNION SELECT src_ip FROM knock WHERE src_ip != ''"
				  " UNION SELECT ip FROM hop UNION SELECT dst_ip FROM target"
				  " UNION VALUES ('192.0.2.1'), ('192.0.2.2'), ('192.0.2.3')";
	struct addrinfo_table *t = store_addrs(s);
	sqlite3_stmt *stmt = NULL;
	int r = sqlite3_prepare_v2(store_db(s), all, -1, &stmt, NULL), step = SQLITE_ROW;

	if (!r)
		r = addrinfo_begin(t);
	while (!r && (step = sqlite3_step(stmt)) == SQLITE_ROW)
		r = put(t, (const char *)sqlite3_column_text(stmt, 0), now_us);
	sqlite3_finalize(stmt);
	if (!r && step != SQLITE_DONE)
		r = step;
	return addrinfo_end(t, r);
}
