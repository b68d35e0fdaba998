/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * options.h - THE table of net-gazer's options.  --help, -n, --options, net-gazer.conf(5) and
 * etc/net-gazer.conf all have what is in it; tests/test_docs.py compares.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stddef.h>

#include "lib/conf.h"

#define OPTIONS_IFACES_MAX 16
#define OPTIONS_HOME_MAX 64
#define OPTIONS_RUNTIME_DIR_MAX 90 /* with a name in it, a socket's path (unix(7)) */

extern const struct conf_option options_table[];
extern const size_t options_n;

/* What the command line says beside the options. */
struct options_flags {
	struct conf_flags usual;
	int rules; /* --print-rules; then check, too */
};

/* Command line, environment, file; with `lenient`, what is not known in the file is passed over.
 * *path: the file that was read, NULL: none (argv, the environment or a literal).  NULL with a
 * message in err. */
struct conf *options_load(int argc, char **argv, const struct conf_section *, size_t n_sections,
			  int lenient, struct options_flags *, const char **path, char *err,
			  size_t size);

void options_print_help(void);
void options_print_table(void); /* name, type, default, help: one line each, tab-separated */

/* The host's name with what a report's `sensor` cannot hold replaced; out has room for 65. */
void options_sensor_name(char out[65], const char *hostname);

#endif
