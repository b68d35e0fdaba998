/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * demogeo.c - what `demo` says of its addresses, so that its pages are full without a file: of networks that the world
 * knows their country and system, and a city there; of addresses kept for documentation made-up ones, with systems of the
 * numbers kept for documentation (RFC 5398) and names under example.net.  What one address gets depends on nothing but
 * itself.  A file that is imported replaces what it can say of the first.
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
	{ "CN", "Shanghai", 31.2304, 121.4737 }, { "RU", "Moscow", 55.7558, 37.6173 }, { "PT", "Lisbon", 38.7223, -9.1393 },
	{ "VN", "Hanoi", 21.0278, 105.8342 }, { "LT", "Vilnius", 54.6872, 25.2797 }, { "PA", "Panama City", 8.9824, -79.5199 },
};
#define CITIES (sizeof cities / sizeof *cities)

/* What is said of the networks of demo.c that the world knows (November 2026). */
static const struct net {
	const char *prefix, *cc;
	uint32_t asn;
	const char *org;
} nets[] = {
	{ "142.250.185.", "US", 15169, "Google LLC" },
	{ "104.16.132.", "US", 13335, "Cloudflare, Inc." },
	{ "140.82.121.", "US", 36459, "GitHub, Inc." },
	{ "151.101.1.", "US", 54113, "Fastly, Inc." },
	{ "17.253.144.", "US", 714, "Apple Inc." },
	{ "52.94.236.", "US", 16509, "Amazon.com, Inc." },
	{ "23.215.0.", "US", 20940, "Akamai International B.V." },
	{ "20.112.250.", "US", 8075, "Microsoft Corporation" },
	{ "157.240.252.", "US", 32934, "Facebook, Inc." },
	{ "91.198.174.", "NL", 14907, "Wikimedia Foundation Inc." },
	{ "208.80.154.", "US", 14907, "Wikimedia Foundation Inc." },
	{ "185.15.59.", "NL", 14907, "Wikimedia Foundation Inc." },
	{ "1.1.1.", "AU", 13335, "Cloudflare, Inc." },
	{ "8.8.8.", "US", 15169, "Google LLC" },
	{ "9.9.9.", "US", 19281, "Quad9" },
	{ "13.107.42.", "US", 8068, "Microsoft Corporation" },
	{ "54.239.28.", "US", 16509, "Amazon.com, Inc." },
	{ "3.5.140.", "KR", 16509, "Amazon.com, Inc." },
	{ "35.186.224.", "US", 396982, "Google LLC" },
	{ "162.159.135.", "US", 13335, "Cloudflare, Inc." },
	{ "195.20.242.", "DE", 8560, "IONOS" },
	{ "185.199.108.", "US", 54113, "Fastly, Inc." },
	{ "88.198.50.", "DE", 24940, "Hetzner Online GmbH" },
	{ "51.15.23.", "FR", 12876, "Scaleway SAS" },
	{ "146.185.170.", "NL", 14061, "DigitalOcean, LLC" },
	{ "45.79.19.", "US", 63949, "Akamai Technologies, Inc." },
	{ "133.242.17.", "JP", 7684, "SAKURA Internet Inc." },
	{ "202.12.27.", "JP", 7500, "WIDE Project" },
	{ "13.228.69.", "SG", 16509, "Amazon.com, Inc." },
	{ "103.21.244.", "US", 13335, "Cloudflare, Inc." },
	{ "200.160.2.", "BR", 22548, "NIC.br" },
	{ "196.216.2.", "ZA", 33764, "AFRINIC" },
	{ "139.130.4.", "AU", 1221, "Telstra Limited" },
	{ "203.119.101.", "AU", 4608, "APNIC" },
	{ "77.88.8.", "RU", 13238, "YANDEX LLC" },
	{ "212.58.244.", "GB", 2818, "BBC" },
	{ "193.0.6.", "NL", 3333, "RIPE NCC" },
	{ "131.188.12.", "DE", 680, "DFN-Verein" },
	{ "129.187.10.", "DE", 12816, "Leibniz-Rechenzentrum" },
	{ "130.59.31.", "CH", 559, "SWITCH" },
	{ "193.136.1.", "PT", 1930, "FCT" },
	{ "130.206.1.", "ES", 766, "RedIRIS" },
	{ "151.1.1.", "IT", 3242, "REEVO S.P.A." },
	{ "194.109.6.", "NL", 1136, "KPN B.V." },
	{ "81.169.145.", "DE", 6724, "Strato AG" },
	{ "217.160.0.", "DE", 8560, "IONOS" },
	{ "213.186.33.", "FR", 16276, "OVH SAS" },
	{ "192.99.10.", "CA", 16276, "OVH SAS" },
	{ "66.220.144.", "US", 32934, "Facebook, Inc." },
	{ "205.251.242.", "US", 16509, "Amazon.com, Inc." },
	{ "162.142.125.", "US", 398324, "Censys, Inc." },
	{ "167.94.138.", "US", 398324, "Censys, Inc." },
	{ "71.6.135.", "US", 10439, "CariNet, Inc." },
	{ "80.82.77.", "NL", 202425, "IP Volume inc" },
	{ "184.105.139.", "US", 6939, "Hurricane Electric LLC" },
	{ "74.82.47.", "US", 6939, "Hurricane Electric LLC" },
	{ "91.196.152.", "FR", 213412, "ONYPHE SAS" },
	{ "64.62.197.", "US", 6939, "Hurricane Electric LLC" },
	{ "218.92.0.", "CN", 4134, "Chinanet" },
	{ "61.177.172.", "CN", 4134, "Chinanet" },
	{ "36.110.228.", "CN", 23724, "China Telecom" },
	{ "222.186.30.", "CN", 4134, "Chinanet" },
	{ "185.156.73.", "NL", 211736, "FOP Dmytro Nedilskyi" },
	{ "92.255.85.", "RU", 57523, "Chang Way Technologies" },
	{ "179.43.128.", "PA", 51852, "Private Layer INC" },
	{ "201.76.120.", "BR", 262794, "VERO S.A" },
	{ "14.225.7.", "VN", 135905, "VNPT" },
	{ "121.131.200.", "KR", 4766, "Korea Telecom" },
	{ "45.148.10.", "AD", 48090, "TECHOFF SRV LIMITED" },
	{ "46.161.27.", "NL", 43350, "NForce Entertainment B.V." },
	{ "141.98.10.", "LT", 209605, "UAB Host Baltic" },
	{ "5.188.206.", "RU", 200391, "KREZ 999 EOOD" },
	{ "62.115.140.", "SE", 1299, "Arelion Sweden AB" },
	{ "4.69.160.", "US", 3356, "Level 3 Communications, Inc." },
	{ "129.250.3.", "US", 2914, "NTT America, Inc." },
	{ "154.54.56.", "MU", 174, "Cogent Communications" },
	{ "80.81.192.", "DE", 6695, "DE-CIX" },
	{ "195.69.145.", "NL", 1200, "AMS-IX" },
	{ "145.145.4.", "NL", 1103, "SURF B.V." },
	{ "84.116.130.", "NL", 6830, "Liberty Global B.V." },
	{ "87.190.168.", "DE", 3320, "Deutsche Telekom AG" },
};
#define NETS (sizeof nets / sizeof *nets)

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

static void
put_in(struct addrinfo_facts *f, const struct city *c)
{
	f->placed = 1;
	memcpy(f->cc, c->cc, 3);
	snprintf(f->city, sizeof f->city, "%s", c->name);
	f->lat = c->lat;
	f->lon = c->lon;
}

/* A city of its country, if there is one above. */
static void
known(const struct net *n, struct addrinfo_facts *f)
{
	size_t of = 0, which;

	for (size_t i = 0; i < CITIES; i++)
		of += !strcmp(cities[i].cc, n->cc);
	which = of ? trait(n->prefix, 1) % of : 0;
	for (size_t i = 0; i < CITIES && of; i++) {
		if (!strcmp(cities[i].cc, n->cc) && !which--) {
			put_in(f, &cities[i]);
			break;
		}
	}
	memcpy(f->cc, n->cc, 3);
	f->asn = n->asn;
	snprintf(f->as_org, sizeof f->as_org, "%s", n->org);
}

static void
facts_of(const char *ip, struct addrinfo_facts *f)
{
	static const uint8_t sites[] = { 2, 1, 0 }; /* their cities */
	size_t system;

	*f = (struct addrinfo_facts){ .asn = 0 };
	for (size_t i = 0; i < NETS; i++) {
		if (!strncmp(ip, nets[i].prefix, strlen(nets[i].prefix))) {
			known(&nets[i], f);
			return;
		}
	}
	if (!strncmp(ip, "192.0.2.", 8)) {
		put_in(f, &cities[sites[(unsigned char)ip[8] % 3]]);
		system = 0;
	} else {
		put_in(f, &cities[trait(ip, 1) % CITIES]);
		system = 1 + trait(ip, 2) % (SYSTEMS - 1);
	}
	f->asn = FIRST_AS + (uint32_t)system;
	snprintf(f->as_org, sizeof f->as_org, "%s", systems[system]);
	if (trait(ip, 3) % 4 == 0)
		return;
	snprintf(f->name, sizeof f->name, "h-%x.%s.example.net", trait(ip, 4) & 0xffff, f->cc);
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
