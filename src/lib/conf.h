/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * conf.h - options from one table: command line > environment > file (libconfuse) > default.
 *
 * Each program has one `struct conf_option` table.  Parsing, --help and -n come from it, and
 * tests compare the man page and the sample configuration with it (`PROGRAM --options`).
 * An error names the file, the line, the value and what would be right, and changes nothing.
 */
#ifndef CONF_H
#define CONF_H

#include <stddef.h>
#include <stdint.h>

enum conf_type {
	CONF_BOOL, /* yes no true false on off 1 0 */
	CONF_INT,  /* decimal, or hexadecimal behind 0x */
	CONF_STR,
	CONF_LIST, /* {"a", "b"} in the file; a,b on the command line and in the environment */
};

struct conf_option {
	const char *name;   /* lower-case, words joined by - */
	enum conf_type type;
	int64_t min, max;   /* the number, or the length of (each) string */
	const char *def;    /* as on the command line; NULL: none, conf_str() gives NULL */
	const char *values; /* allowed words, "a|b|c", or NULL */
	const char *env;    /* environment variable, or NULL */
	int letter;         /* short option, or 0; every option but `file_only` also has --name */
	int file_only;      /* 1: not on the command line; -1: not in the file */
	const char *help;   /* one line, lower-case, no full stop */
	/* Extra check: 0, or -1 with what would be right ("a prefix such as 10.0.0.0/8"). */
	int (*check)(const char *value, char *want, size_t want_size);
};

/* A check: text without control characters. */
int conf_text(const char *value, char *want, size_t want_size);

/* A section `name { ... }` of the file, for instance a plugin's. */
struct conf_section {
	const char *name;
	const struct conf_option *options;
	size_t n;
};

struct conf;

/* All options at their defaults.  Tables are lent and must outlive it.  NULL: out of memory. */
struct conf *conf_new(const struct conf_option *options, size_t n,
		      const struct conf_section *sections, size_t n_sections);
void conf_free(struct conf *);

/* Reads a file.  Options already set by the command line or the environment keep their value.
 * With `lenient`, unknown sections and options are passed over (to learn which plugins there
 * are before their tables are known).  0 or -1 with a message in err: "FILE:LINE: ...". */
int conf_file(struct conf *, const char *path, int lenient, char *err, size_t err_size);

/* Every option's environment variable.  0 or -1 with a message in err. */
int conf_environment(struct conf *, char *err, size_t err_size);

/* One option, from the command line (`origin` is its name there).  CONF_LIST adds to what the
 * command line gave before.  0 or -1 with a message in err. */
int conf_set(struct conf *, const char *name, const char *value, const char *origin,
	     char *err, size_t err_size);

/* getopt_long() over the table and `extra` letters ("vhV"), calling conf_set.  Letters of
 * `extra` go to fn.  Positional arguments: *optind_out.  0 or -1 with a message in err. */
int conf_command_line(struct conf *, int argc, char **argv, const char *extra,
		      void (*fn)(void *arg, int letter), void *arg, int *optind_out,
		      char *err, size_t err_size);

/* Letters that each program has; `extra` of them is "nhVvO". */
struct conf_flags {
	int check;   /* -n */
	int help;    /* -h */
	int version; /* -V */
	int list;    /* --options */
	int verbose; /* how many -v */
};

/* Notes one; others are none of it. */
void conf_flag(struct conf_flags *, int letter);

/* The word of the command line that getopt_long() has just answered '?' or ':' for.  Where a value is missing musl
 * takes the end of argv for it, and may have moved that. */
const char *conf_wrong_word(char **argv);

/* Values; the names must be of the table (a wrong one aborts: our own bug). */
int64_t conf_int(const struct conf *, const char *name);
int conf_bool(const struct conf *, const char *name);
const char *conf_str(const struct conf *, const char *name); /* lent */
size_t conf_list_n(const struct conf *, const char *name);
const char *conf_list(const struct conf *, const char *name, size_t i);
/* Of a section: value as text. */
const char *conf_section_str(const struct conf *, const char *section, const char *name);

/* The file, "command line --iface", "environment NG_IFACE" or "default". */
const char *conf_origin(const struct conf *, const char *name);

/* The options' part of --help: one line each, to stdout. */
void conf_help(const struct conf_option *options, size_t n);

/* The first of a NULL-ended list of paths that exists, or NULL. */
const char *conf_find(const char *const *paths);

#endif
