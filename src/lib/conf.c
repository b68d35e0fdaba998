/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * conf.c - the option table against libconfuse, getopt_long and the environment.
 *
 * libconfuse gets every option as a string (or a list of strings), so that there is one check
 * for all three origins and one wording of its messages.
 */
#include "conf.h"

#include <confuse.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

#define CONF_LIST_MAX 64
#define CONF_SECTIONS_MAX 32
#define CONF_FILE_MAX (256 << 10)

enum conf_rank { RANK_DEFAULT, RANK_FILE, RANK_ENVIRONMENT, RANK_COMMAND_LINE };

struct conf_value {
	enum conf_rank rank;
	char *origin;
	char **items; /* one, unless a list */
	size_t n;
};

struct conf {
	const struct conf_option *options;
	size_t n;
	const struct conf_section *sections;
	size_t n_sections;
	struct conf_value *values;          /* one for each option */
	struct conf_value **section_values; /* [section][option] */
};

static void
value_clear(struct conf_value *v)
{
	for (size_t i = 0; i < v->n; i++)
		free(v->items[i]);
	free(v->items);
	free(v->origin);
	*v = (struct conf_value){ 0 };
}

static int
value_add(struct conf_value *v, const char *text)
{
	char **items = realloc(v->items, (v->n + 1) * sizeof *items);

	if (!items)
		return -ENOMEM;
	v->items = items;
	items[v->n] = strdup(text);
	if (!items[v->n])
		return -ENOMEM;
	v->n++;
	return 0;
}

static int
parse_bool(const char *s)
{
	static const char *const yes[] = { "yes", "true", "on", "1" };
	static const char *const no[] = { "no", "false", "off", "0" };

	for (size_t i = 0; i < 4; i++) {
		if (!strcasecmp(s, yes[i]))
			return 1;
		if (!strcasecmp(s, no[i]))
			return 0;
	}
	return -1;
}

static int
parse_int(const char *s, int64_t *out)
{
	int hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
	char *end;
	long long v;

	errno = 0;
	v = strtoll(s, &end, hex ? 16 : 10);
	if (end == s || *end || errno || isspace((unsigned char)*s))
		return -1;
	*out = v;
	return 0;
}

static int
word_allowed(const char *values, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = values; *p; p += strcspn(p, "|"), p += *p == '|') {
		if (strcspn(p, "|") == n && !memcmp(p, word, n))
			return 1;
	}
	return 0;
}

/* 0, or -1 with what would be right. */
static int
item_check(const struct conf_option *o, const char *value, char *want, size_t size)
{
	size_t len = strlen(value);
	int64_t v;

	switch (o->type) {
	case CONF_BOOL:
		if (parse_bool(value) < 0) {
			snprintf(want, size, "yes or no");
			return -1;
		}
		return 0;
	case CONF_INT:
		if (parse_int(value, &v) || v < o->min || v > o->max) {
			snprintf(want, size, "a number from %lld to %lld",
				 (long long)o->min, (long long)o->max);
			return -1;
		}
		break;
	case CONF_STR:
	case CONF_LIST:
		if (o->values && !word_allowed(o->values, value)) {
			snprintf(want, size, "one of %s", o->values);
			return -1;
		}
		if ((int64_t)len < o->min || (int64_t)len > o->max) {
			snprintf(want, size, "%lld to %lld characters",
				 (long long)o->min, (long long)o->max);
			return -1;
		}
		break;
	}
	return o->check ? o->check(value, want, size) : 0;
}

/* The option's name that is nearest to a mistyped one, or NULL. */
static const char *
nearest(const struct conf_option *options, size_t n, const char *name)
{
	size_t len = strlen(name), best = 3;
	const char *found = NULL;

	if (len > 40)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t row[42], m = strlen(options[i].name);

		for (size_t b = 0; b <= len; b++)
			row[b] = b;
		for (size_t a = 1; a <= m; a++) { /* Levenshtein, one row */
			size_t diagonal = row[0];

			row[0] = a;
			for (size_t b = 1; b <= len; b++) {
				size_t change = diagonal + (options[i].name[a - 1] != name[b - 1]);
				size_t least = row[b] < row[b - 1] ? row[b] : row[b - 1];

				diagonal = row[b];
				row[b] = change < least + 1 ? change : least + 1;
			}
		}
		if (row[len] < best) {
			best = row[len];
			found = options[i].name;
		}
	}
	return found;
}

static const struct conf_option *
find_option(const struct conf_option *options, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(options[i].name, name))
			return &options[i];
	}
	return NULL;
}

static int
assign(struct conf_value *v, const struct conf_option *o, enum conf_rank rank, const char *origin,
       const char *const *items, size_t n, char *err, size_t size)
{
	char want[200];
	int add = rank == RANK_COMMAND_LINE && v->rank == rank && o->type == CONF_LIST;

	if (o->type == CONF_LIST && n > CONF_LIST_MAX) {
		snprintf(err, size, "%s: %s has %zu entries, at most %d are allowed", origin,
			 o->name, n, CONF_LIST_MAX);
		return -1;
	}
	for (size_t i = 0; i < n; i++) {
		if (item_check(o, items[i], want, sizeof want)) {
			snprintf(err, size, "%s: %s = \"%s\": must be %s", origin, o->name,
				 items[i], want);
			return -1;
		}
	}
	if (v->rank > rank)
		return 0;
	if (!add)
		value_clear(v);
	for (size_t i = 0; i < n; i++) {
		if (value_add(v, items[i])) {
			snprintf(err, size, "%s: out of memory", origin);
			return -1;
		}
	}
	v->rank = rank;
	free(v->origin);
	v->origin = strdup(origin);
	return 0;
}

/* One text as the command line and the environment have it: a list is split at commas. */
static int
assign_text(struct conf_value *v, const struct conf_option *o, enum conf_rank rank,
	    const char *origin, const char *text, char *err, size_t size)
{
	const char *items[CONF_LIST_MAX + 1];
	size_t n = 0;
	char *copy, *p, *word;
	int r;

	if (o->type != CONF_LIST)
		return assign(v, o, rank, origin, &text, 1, err, size);
	copy = strdup(text);
	if (!copy)
		return -1;
	for (p = copy; (word = strsep(&p, ",")) && n <= CONF_LIST_MAX;) {
		if (*word)
			items[n++] = word;
	}
	r = assign(v, o, rank, origin, items, n, err, size);
	free(copy);
	return r;
}

struct conf *
conf_new(const struct conf_option *options, size_t n, const struct conf_section *sections,
	 size_t n_sections)
{
	struct conf *c = calloc(1, sizeof *c);
	char err[400];

	if (!c)
		return NULL;
	*c = (struct conf){ options, n, sections, n_sections, NULL, NULL };
	c->values = calloc(n ? n : 1, sizeof *c->values);
	c->section_values = calloc(n_sections ? n_sections : 1, sizeof *c->section_values);
	if (!c->values || !c->section_values)
		goto fail;
	for (size_t i = 0; i < n; i++) {
		if (options[i].def && assign_text(&c->values[i], &options[i], RANK_DEFAULT,
						  "default", options[i].def, err, sizeof err))
			fatal("%s", err);
	}
	for (size_t s = 0; s < n_sections; s++) {
		c->section_values[s] = calloc(sections[s].n + 1, sizeof **c->section_values);
		if (!c->section_values[s])
			goto fail;
		for (size_t i = 0; i < sections[s].n; i++) {
			const struct conf_option *o = &sections[s].options[i];

			if (o->def && assign_text(&c->section_values[s][i], o, RANK_DEFAULT,
						  sections[s].name, o->def, err, sizeof err))
				fatal("plugin's own default is wrong: %s", err);
		}
	}
	return c;
fail:
	conf_free(c);
	return NULL;
}

void
conf_free(struct conf *c)
{
	if (!c)
		return;
	for (size_t s = 0; c->section_values && s < c->n_sections; s++) {
		for (size_t i = 0; c->section_values[s] && i < c->sections[s].n; i++)
			value_clear(&c->section_values[s][i]);
		free(c->section_values[s]);
	}
	for (size_t i = 0; c->values && i < c->n; i++)
		value_clear(&c->values[i]);
	free(c->section_values);
	free(c->values);
	free(c);
}

/* State of the one file that is being read: libconfuse's callbacks carry no argument. */
static struct {
	const struct conf *conf;
	const char *path;
	char *err;
	size_t size;
	int failed;
} reading;

static void __attribute__((format(printf, 2, 0)))
say_at(int line, const char *fmt, va_list ap)
{
	int n;

	if (reading.failed)
		return; /* the first error is the one to mend */
	reading.failed = 1;
	n = snprintf(reading.err, reading.size, "%s:%d: ", reading.path, line);
	if (n >= 0 && (size_t)n < reading.size)
		vsnprintf(reading.err + n, reading.size - (size_t)n, fmt, ap);
}

static void __attribute__((format(printf, 2, 3)))
say(cfg_t *cfg, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_at(cfg->line, fmt, ap);
	va_end(ap);
}

static const struct conf_option *
section_options(const char *section, size_t *n)
{
	for (size_t s = 0; s < reading.conf->n_sections; s++) {
		if (!strcmp(reading.conf->sections[s].name, section)) {
			*n = reading.conf->sections[s].n;
			return reading.conf->sections[s].options;
		}
	}
	*n = reading.conf->n;
	return reading.conf->options;
}

static void __attribute__((format(printf, 2, 0)))
on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	size_t n = 0;
	const struct conf_option *options = section_options(cfg->name ? cfg->name : "", &n);
	va_list again;
	const char *name, *near;

	va_copy(again, ap);
	if (!strncmp(fmt, "no such option", 14) || strstr(fmt, "no such option")) {
		name = va_arg(again, const char *);
		near = nearest(options, n, name);
		if (find_option(options, n, name))
			say(cfg, "%s belongs on the command line, not into a file", name);
		else if (near)
			say(cfg, "unknown option \"%s\": did you mean \"%s\"?", name, near);
		else
			say(cfg, "unknown option \"%s\": see net-gazer.conf(5) or --help for those there are",
			    name);
	} else {
		say_at(cfg->line, fmt, ap);
	}
	va_end(again);
}

/* Called when an option was read, while cfg->line is still its line. */
static int
on_option(cfg_t *cfg, cfg_opt_t *opt)
{
	size_t n = 0;
	const struct conf_option *options = section_options(cfg->name ? cfg->name : "", &n);
	const struct conf_option *o = find_option(options, n, opt->name);
	unsigned count = cfg_opt_size(opt);
	char want[200];

	if (!o)
		return 0;
	if (o->type == CONF_LIST && count > CONF_LIST_MAX) {
		say(cfg, "%s has %u entries, at most %d are allowed", o->name, count, CONF_LIST_MAX);
		return -1;
	}
	for (unsigned i = 0; i < count; i++) {
		const char *v = cfg_opt_getnstr(opt, i);

		if (v && item_check(o, v, want, sizeof want)) {
			say(cfg, "%s = \"%s\": must be %s", o->name, v, want);
			return -1;
		}
	}
	return 0;
}

/* `used` gets the number of rows; `extra` more have room. */
static cfg_opt_t *
confuse_table(const struct conf_option *options, size_t n, size_t extra, size_t *used)
{
	cfg_opt_t *t = calloc(n + extra + 1, sizeof *t);
	size_t k = 0;

	for (size_t i = 0; t && i < n; i++) {
		if (options[i].file_only < 0)
			continue;
		if (options[i].type == CONF_LIST)
			t[k++] = (cfg_opt_t)CFG_STR_LIST(options[i].name, NULL, CFGF_NODEFAULT);
		else
			t[k++] = (cfg_opt_t)CFG_STR(options[i].name, NULL, CFGF_NODEFAULT);
	}
	*used = k;
	return t;
}

/* Names of sections, each once. */
struct conf_names {
	char name[CONF_SECTIONS_MAX][64];
	size_t n;
};

static void
add_name(struct conf_names *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++) {
		if (!strcmp(names->name[i], name))
			return;
	}
	if (names->n < CONF_SECTIONS_MAX)
		snprintf(names->name[names->n++], sizeof names->name[0], "%s", name);
}

/* libconfuse 3.3 passes over an unknown option, but loses its way behind an unknown section: so
 * the names in front of each outer { are looked for beforehand.  Returns how many { stay open, which
 * it does not mind either. */
static int
find_sections(const char *p, struct conf_names *names)
{
	char word[64] = "";
	int depth = 0, value = 0; /* behind a = */
	size_t n;

	while (*p) {
		if (*p == '#' || !strncmp(p, "//", 2)) {
			p += strcspn(p, "\n");
		} else if (!strncmp(p, "/*", 2)) {
			const char *end = strstr(p + 2, "*/");

			p = end ? end + 2 : p + strlen(p);
		} else if (*p == '"' || *p == '\'') {
			for (n = 1; p[n] && p[n] != *p; n++)
				n += p[n] == '\\' && p[n + 1];
			p += n + (p[n] != 0);
			value = 0;
		} else if (*p == '{' || *p == '}') {
			if (*p == '{' && !depth && !value && *word)
				add_name(names, word);
			depth += *p == '{' ? 1 : -(depth > 0);
			value = 0;
			word[0] = 0;
			p++;
		} else if ((n = strcspn(p, " \t\r\n\f\v={}()\"'#,+")) > 0) {
			if (!value)
				snprintf(word, sizeof word, "%.*s", n < sizeof word ? (int)n : 0, p);
			value = 0;
			p += n;
		} else {
			value |= *p++ == '=';
		}
	}
	return depth;
}

/* A whole file, NUL-terminated, or NULL with a message. */
static char *
read_text(const char *path, char *err, size_t size)
{
	FILE *f = fopen(path, "re");
	char *text = malloc(CONF_FILE_MAX + 1);
	struct stat st;
	size_t n = 0, line = 1;

	if (!f || fstat(fileno(f), &st)) {
		snprintf(err, size, "%s: %s", path, strerror(errno));
	} else if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode)) {
		snprintf(err, size, "%s: not a file", path); /* a pipe could be read only once */
	} else if (text && (n = fread(text, 1, CONF_FILE_MAX, f)) == CONF_FILE_MAX) {
		snprintf(err, size, "%s: larger than %d bytes: not a configuration file", path, CONF_FILE_MAX);
	} else if (text && ferror(f)) {
		snprintf(err, size, "%s: %s", path, strerror(errno));
	} else if (text && memchr(text, 0, n)) {
		for (const char *p = text; *p; p++)
			line += *p == '\n';
		snprintf(err, size, "%s:%zu: holds a NUL byte: not a configuration file", path, line);
	} else if (text) {
		text[n] = 0;
		fclose(f);
		return text;
	}
	free(text);
	if (f)
		fclose(f);
	return NULL;
}

static int
take_values(cfg_t *cfg, const struct conf_option *options, size_t n, struct conf_value *values,
	    const char *path, char *err, size_t size)
{
	for (size_t i = 0; i < n; i++) {
		const char *items[CONF_LIST_MAX];
		unsigned count;

		if (options[i].file_only < 0)
			continue;
		count = cfg_size(cfg, options[i].name);
		if (!count && !(options[i].type == CONF_LIST &&
				(cfg_getopt(cfg, options[i].name)->flags & CFGF_MODIFIED)))
			continue;
		for (unsigned k = 0; k < count && k < CONF_LIST_MAX; k++) {
			items[k] = cfg_getnstr(cfg, options[i].name, k);
			if (!items[k])
				count = 0;
		}
		if (!count && options[i].type != CONF_LIST)
			continue;
		if (assign(&values[i], &options[i], RANK_FILE, path, items, count, err, size))
			return -1;
	}
	return 0;
}

int
conf_file(struct conf *c, const char *path, int lenient, char *err, size_t size)
{
	static cfg_opt_t nothing[] = { CFG_END() };
	cfg_opt_t **tables = calloc(c->n_sections + 1, sizeof *tables);
	size_t rows = 0, unused;
	cfg_opt_t *top = confuse_table(c->options, c->n, c->n_sections + CONF_SECTIONS_MAX, &rows);
	struct conf_names names = { .n = 0 };
	char *text = NULL;
	cfg_t *cfg = NULL;
	int r = -1, ok, open;

	err[0] = 0;
	if (!tables || !top)
		goto out;
	text = read_text(path, err, size);
	if (!text)
		goto out;
	for (size_t s = 0; s < c->n_sections; s++) {
		tables[s] = confuse_table(c->sections[s].options, c->sections[s].n, 0, &unused);
		if (!tables[s])
			goto out;
		top[rows++] = (cfg_opt_t)CFG_SEC(c->sections[s].name, tables[s], CFGF_NONE);
	}
	open = find_sections(text, &names);
	for (size_t i = 0; lenient && i < names.n; i++) {
		size_t k = 0;

		while (k < rows && strcmp(top[k].name, names.name[i]))
			k++;
		if (k == rows && !find_option(c->options, c->n, names.name[i]))
			top[rows++] = (cfg_opt_t)CFG_SEC(names.name[i], nothing, CFGF_NONE);
	}
	cfg = cfg_init(top, lenient ? CFGF_IGNORE_UNKNOWN : CFGF_NONE);
	if (!cfg)
		goto out;
	reading.conf = c;
	reading.err = err;
	reading.size = size;
	reading.path = path;
	reading.failed = 0;
	cfg_set_error_function(cfg, on_error);
	for (size_t i = 0; i < c->n; i++) {
		if (c->options[i].file_only >= 0)
			cfg_set_validate_func(cfg, c->options[i].name, on_option);
	}
	for (size_t s = 0; s < c->n_sections; s++) {
		for (size_t i = 0; i < c->sections[s].n; i++) {
			char full[100];

			snprintf(full, sizeof full, "%s|%s", c->sections[s].name,
				 c->sections[s].options[i].name);
			cfg_set_validate_func(cfg, full, on_option);
		}
	}
	ok = cfg_parse_buf(cfg, text);
	if (ok != CFG_SUCCESS || reading.failed || open) {
		if (!reading.failed && open)
			snprintf(err, size, "%s: a section has no end: } is missing", path);
		else if (!reading.failed)
			snprintf(err, size, "%s: not a configuration file", path);
		goto out;
	}
	if (take_values(cfg, c->options, c->n, c->values, path, err, size))
		goto out;
	for (size_t s = 0; s < c->n_sections; s++) {
		cfg_t *sec = cfg_getsec(cfg, c->sections[s].name);

		if (sec && take_values(sec, c->sections[s].options, c->sections[s].n,
				       c->section_values[s], path, err, size))
			goto out;
	}
	r = 0;
out:
	if (r && !err[0])
		snprintf(err, size, "%s: out of memory", path);
	if (cfg)
		cfg_free(cfg);
	for (size_t s = 0; tables && s < c->n_sections; s++)
		free(tables[s]);
	free(tables);
	free(top);
	free(text);
	return r;
}

int
conf_environment(struct conf *c, char *err, size_t size)
{
	for (size_t i = 0; i < c->n; i++) {
		const char *v = c->options[i].env ? getenv(c->options[i].env) : NULL;
		char origin[80];

		if (!v || !*v)
			continue;
		snprintf(origin, sizeof origin, "environment %s", c->options[i].env);
		if (assign_text(&c->values[i], &c->options[i], RANK_ENVIRONMENT, origin, v, err, size))
			return -1;
	}
	return 0;
}

int
conf_set(struct conf *c, const char *name, const char *value, const char *origin, char *err,
	 size_t size)
{
	const struct conf_option *o = find_option(c->options, c->n, name);

	if (!o) {
		snprintf(err, size, "%s: unknown option", origin);
		return -1;
	}
	return assign_text(&c->values[o - c->options], o, RANK_COMMAND_LINE, origin, value, err, size);
}

const char *
conf_wrong_word(char **argv)
{
	int i = optind;

	while (i > 1 && !argv[i - 1])
		i--;
	return argv[i - 1];
}

int
conf_command_line(struct conf *c, int argc, char **argv, const char *extra,
		  void (*fn)(void *arg, int letter), void *arg, int *optind_out, char *err,
		  size_t size)
{
	static const struct option common[] = {
		{ "help", no_argument, NULL, 'h' },    { "version", no_argument, NULL, 'V' },
		{ "verbose", no_argument, NULL, 'v' }, { "check", no_argument, NULL, 'n' },
		{ "options", no_argument, NULL, 'O' },  { "print-rules", no_argument, NULL, 'R' },
	};
	size_t n_common = sizeof common / sizeof *common;
	struct option *long_options = calloc(c->n + n_common + 1, sizeof *long_options);
	char *letters = calloc(2 * c->n + strlen(extra) + 3, 1);
	size_t n = 0, k = 0;
	int ch, index = -1, r = -1;

	if (!long_options || !letters) {
		snprintf(err, size, "out of memory");
		goto out;
	}
	letters[k++] = ':';
	for (const char *p = extra; *p; p++)
		letters[k++] = *p;
	for (size_t i = 0; i < c->n; i++) {
		if (c->options[i].file_only > 0)
			continue;
		long_options[n++] = (struct option){ c->options[i].name, required_argument, NULL,
						     256 + (int)i };
		if (c->options[i].letter) {
			letters[k++] = (char)c->options[i].letter;
			letters[k++] = ':';
		}
	}
	for (size_t i = 0; i < n_common; i++) {
		if (strchr(extra, common[i].val))
			long_options[n++] = common[i];
	}
	optind = 0; /* begin anew: 1 would go on inside a word that was refused */
	opterr = 0;
	while ((ch = getopt_long(argc, argv, letters, long_options, &index)) != -1) {
		const struct conf_option *o = NULL;
		char origin[80];

		if (ch == '?' || ch == ':') {
			snprintf(err, size, ch == ':' ? "%s: needs a value; see --help"
						      : "%s: unknown option; see --help",
				 conf_wrong_word(argv));
			goto out;
		}
		if (ch >= 256) {
			o = &c->options[ch - 256];
		} else {
			for (size_t i = 0; i < c->n; i++) {
				if (c->options[i].letter == ch && c->options[i].file_only <= 0)
					o = &c->options[i];
			}
		}
		if (!o) {
			fn(arg, ch);
			continue;
		}
		if (ch >= 256)
			snprintf(origin, sizeof origin, "command line --%s", o->name);
		else
			snprintf(origin, sizeof origin, "command line -%c", ch);
		if (conf_set(c, o->name, optarg, origin, err, size))
			goto out;
	}
	*optind_out = optind;
	r = 0;
out:
	free(long_options);
	free(letters);
	return r;
}

static const struct conf_value *
value_of(const struct conf *c, const char *name)
{
	const struct conf_option *o = find_option(c->options, c->n, name);

	if (!o) {
		log_error("bug: there is no option %s", name);
		abort();
	}
	return &c->values[o - c->options];
}

int64_t
conf_int(const struct conf *c, const char *name)
{
	const struct conf_value *v = value_of(c, name);
	int64_t out = 0;

	if (v->n)
		parse_int(v->items[0], &out);
	return out;
}

int
conf_bool(const struct conf *c, const char *name)
{
	const struct conf_value *v = value_of(c, name);

	return v->n && parse_bool(v->items[0]) == 1;
}

const char *
conf_str(const struct conf *c, const char *name)
{
	const struct conf_value *v = value_of(c, name);

	return v->n ? v->items[0] : NULL;
}

size_t
conf_list_n(const struct conf *c, const char *name)
{
	return value_of(c, name)->n;
}

const char *
conf_list(const struct conf *c, const char *name, size_t i)
{
	const struct conf_value *v = value_of(c, name);

	return i < v->n ? v->items[i] : NULL;
}

const char *
conf_section_str(const struct conf *c, const char *section, const char *name)
{
	for (size_t s = 0; s < c->n_sections; s++) {
		const struct conf_option *o;

		if (strcmp(c->sections[s].name, section))
			continue;
		o = find_option(c->sections[s].options, c->sections[s].n, name);
		if (!o)
			return NULL;
		return c->section_values[s][o - c->sections[s].options].n
			       ? c->section_values[s][o - c->sections[s].options].items[0]
			       : NULL;
	}
	return NULL;
}

const char *
conf_origin(const struct conf *c, const char *name)
{
	return value_of(c, name)->origin;
}

void
conf_help(const struct conf_option *options, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct conf_option *o = &options[i];
		char left[64];

		if (o->file_only > 0)
			continue;
		if (o->letter)
			snprintf(left, sizeof left, "-%c, --%s", o->letter, o->name);
		else
			snprintf(left, sizeof left, "    --%s", o->name);
		printf("  %-26s %s", left, o->help);
		if (o->values)
			printf(" (%s)", o->values);
		if (o->def && *o->def)
			printf(" [%s]", o->def);
		if (o->env)
			printf(" {%s}", o->env);
		putchar('\n');
	}
}

void
conf_flag(struct conf_flags *f, int letter)
{
	switch (letter) {
	case 'n':
		f->check = 1;
		break;
	case 'h':
		f->help = 1;
		break;
	case 'V':
		f->version = 1;
		break;
	case 'O':
		f->list = 1;
		break;
	case 'v':
		f->verbose++;
		break;
	default:
		break;
	}
}

const char *
conf_find(const char *const *paths)
{
	for (; *paths; paths++) {
		if (!access(*paths, F_OK))
			return *paths;
	}
	return NULL;
}

int
conf_text(const char *value, char *want, size_t size)
{
	for (const char *p = value; *p; p++) {
		if (iscntrl((unsigned char)*p)) {
			snprintf(want, size, "text without control characters");
			return -1;
		}
	}
	return 0;
}
