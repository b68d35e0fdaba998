/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * plan.h - one configuration, read and checked to the end: options, plugins, programs, user, token,
 * and what the rules shall be.  Made at start and again at each SIGHUP.
 */
#ifndef PLAN_H
#define PLAN_H

#include <stddef.h>
#include <sys/types.h>

#include "lib/conf.h"
#include "sensor/options.h"
#include "sensor/plugins.h"
#include "sensor/ruleset.h"
#include "sensor/settings.h"

struct plan {
	struct options_flags flags;
	char *file;               /* NULL: no configuration file */
	struct conf *conf;
	struct plugins plugins;
	int own_rules;
	struct ruleset_spec rules;
	int acks;                 /* the analyzer may hear of the ACKs of handshakes: the rules may copy them, and rules.acks tells
				   * whether they do, as run_acks() finds */
	struct addr_prefix home[OPTIONS_HOME_MAX];
	int prober;               /* one shall run */
	int inband;               /* it may look up connections, and send as somebody else */
	char sensor[65];
	char boot[9];
	uid_t uid;                /* of the children, when we are root */
	gid_t gid;
	int analyzer_fd;          /* programs, open for fexecve(3) */
	int replay_fd;
	int forwarder_fd;         /* -1: no collector */
	int prober_fd;            /* -1: no prober */
	int token_fd;             /* -1: none; so are the two below */
	int cert_fd;
	int key_fd;
	int capture_fd;           /* -1: no -r */
	int output_fd;            /* -1: a collector, or -r */
};

/* NULL with a message.  With flags for help, version or list nothing else is filled. */
struct plan *plan_load(int argc, char **argv, char *err, size_t size);
void plan_free(struct plan *);

/* The file of `output`, to append to, or -1 with errno. */
int plan_open_output(const struct plan *);

/* output-bytes; 0: no limit, or `output` is nothing that can be renamed. */
int64_t plan_output_bytes(const struct plan *);

/* There cannot be a prober: neither its rules nor its group are wanted. */
void plan_without_prober(struct plan *);

/* The settings lines that the analyzer and replay both get. */
void plan_settings(const struct plan *, struct settings *);

#endif
