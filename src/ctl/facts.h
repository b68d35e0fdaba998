/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * facts.h - everything that the doctor looks at, gathered from a running net-gazer or, where there is none,
 * from this machine.  Nothing here judges.
 */
#ifndef FACTS_H
#define FACTS_H

#include <stdint.h>
#include <sys/types.h>
#include <yajl/yajl_tree.h>

#define FACTS_GROUPS 5

struct facts {
	yajl_val status;          /* NULL: nobody answers */
	int status_error;         /* why not, -errno */
	char status_why[400];

	int conf_ok;              /* options could be read: the three below are the configuration's */
	char conf_file[300];      /* "": there is none */
	int include;              /* rules = include */
	uint16_t group;           /* nflog-group */

	/* Only without a daemon. */
	int check;                /* exit status of `net-gazer -n`; -1: it could not be run */
	char check_why[600];      /* its last line */
	struct {
		uint32_t port;    /* 0: free */
		pid_t pid;
		char name[32];
	} holder[FACTS_GROUPS];
	int table;                /* 1: table inet net_gazer is there, 0: not, -errno: not to be seen */

	int nflog;                /* this kernel has NFLOG ready */
	unsigned port_last;       /* of net.ipv4.ip_local_port_range; 0: not known */
	int64_t now_s;            /* CLOCK_REALTIME */
	int64_t built_s;          /* when this program was written to the disk; 0: not known */
};

/* where NULL: as the configuration says.  file NULL: the usual places. */
void facts_gather(struct facts *, const char *where, const char *file);
void facts_free(struct facts *);

#endif
