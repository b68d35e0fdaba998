/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * geo.h - what the collector and the process `geo` agree on.  `geo` looks addresses up: in files of countries, cities
 * and autonomous systems, and in the DNS.  It is executed with these descriptors:
 *
 *   0, 1 /dev/null, 2 stderr
 *   3 control: struct geo_control from the collector.  Its end is the end of `geo`
 *   4 places: struct geo_ask in, struct geo_places and struct geo_hello out
 *   5 names: struct geo_ask in, struct geo_names out, and a hello of generation 1
 *
 * All three are SOCK_SEQPACKET, one struct a packet, always whole.  Every field of an answer is checked again by the
 * collector: who wrote it has read a stranger's file, or a stranger's packets.  An ask that is lost, with a process
 * that crashed over it, is sent again or given up by the collector.
 */
#ifndef GEO_H
#define GEO_H

#include <stdint.h>

#include "lib/addr.h"

#define GEO_FD_CONTROL 3
#define GEO_FD_PLACES 4
#define GEO_FD_NAMES 5

#define GEO_BATCH 64
#define GEO_PATH_MAX 4096
#define GEO_ORG_MAX 101  /* with NUL, as all texts below */
#define GEO_CITY_MAX 81
#define GEO_NAME_MAX 256
#define GEO_ABOUT_MAX 400
#define GEO_SERVERS_MAX 4

enum geo_kind { GEO_COUNTRY, GEO_CITY, GEO_ASN, GEO_KINDS };
#define GEO_WORDS_KIND { "country", "city", "asn" }

enum geo_control_do {
	GEO_SETUP,       /* files and servers as said, from now on */
	GEO_KILL_PLACES, /* it answers no more: another one is to take its place */
	GEO_KILL_NAMES,
};

struct geo_server {
	uint8_t ipv;
	uint8_t addr[16];
	uint16_t port;
};

struct geo_control {
	uint32_t what;                          /* enum geo_control_do */
	uint32_t servers_n;                     /* 0: no names are looked up */
	struct geo_server server[GEO_SERVERS_MAX];
	char file[GEO_KINDS][GEO_PATH_MAX];     /* "": what was imported into the folder */
	char folder[GEO_PATH_MAX];              /* "": there is none */
};

struct geo_addr {
	uint8_t ipv;
	uint8_t addr[16];
};

struct geo_ask {
	uint32_t id;
	uint32_t n;
	struct geo_addr addr[GEO_BATCH];
};

enum { GEO_IS_HELLO = 1, GEO_IS_PLACES, GEO_IS_NAMES };

#define GEO_NOWHERE INT32_MIN

struct geo_place {
	char cc[3];
	char as_org[GEO_ORG_MAX];
	char city[GEO_CITY_MAX];
	uint32_t asn;    /* 0: unknown */
	int32_t lat, lon; /* millionths of a degree, or GEO_NOWHERE */
};

/* In the order of the ask. */
struct geo_places {
	uint32_t is, id, n;
	struct geo_place place[GEO_BATCH];
};

/* Sent once, when the files are open. */
struct geo_hello {
	uint32_t is;
	int64_t generation;          /* of all files together, never 0; 0: there is none */
	struct {
		int64_t built_s;     /* since 1970; 0: there is no such file, or it does not say */
		char file[GEO_PATH_MAX];
		char type[GEO_ABOUT_MAX];        /* as the file calls itself */
		char attribution[GEO_ABOUT_MAX]; /* as who imported it said: "TEXT URL" */
	} base[GEO_KINDS];
};

enum geo_name_state { GEO_NAME_FOUND, GEO_NAME_NONE, GEO_NAME_FAILED };

struct geo_name {
	uint32_t state;  /* enum geo_name_state */
	uint32_t ttl_s;
	char name[GEO_NAME_MAX];
};

struct geo_names {
	uint32_t is, id, n;
	struct geo_name name[GEO_BATCH];
};

#endif
