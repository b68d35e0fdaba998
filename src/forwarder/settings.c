/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * settings.c - `key=value` lines to struct settings, from one table.  Hands to main, which hands
 * the struct to the stages.
 */
#include "settings.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/url.h"

#define SETTINGS_TEXT_MAX 65536
#define SETTINGS_PATH "/v1/reports"
#define NO_PEM "it is no PEM file: there is nothing between -----BEGIN ... and -----END ..."

enum key { KEY_URL, KEY_SENSOR, KEY_BOOT, KEY_VERSION, KEY_TOKEN_FD, KEY_CA_FILE, KEY_PIN, KEY_PEM_FD, KEY_NUMBER };

static const struct row {
	const char *name;
	enum key key;
	int64_t min, max, def; /* numbers */
	size_t offset;
	int required;
} rows[] = {
	{ "url", KEY_URL, 0, 0, 0, 0, 1 },
	{ "sensor", KEY_SENSOR, 0, 0, 0, 0, 1 },
	{ "boot", KEY_BOOT, 0, 0, 0, 0, 1 },
	{ "version", KEY_VERSION, 0, 0, 0, 0, 0 },
	{ "token-fd", KEY_TOKEN_FD, 3, 1023, 0, 0, 0 },
	{ "ca-file", KEY_CA_FILE, 0, 0, 0, 0, 0 },
	{ "pin", KEY_PIN, 0, 0, 0, 0, 0 },
	{ "cert-fd", KEY_PEM_FD, 3, 1023, 0, offsetof(struct settings, cert), 0 },
	{ "key-fd", KEY_PEM_FD, 3, 1023, 0, offsetof(struct settings, key), 0 },
	{ "verbose", KEY_NUMBER, 0, 3, 2, offsetof(struct settings, verbose), 0 },
	{ "batch-lines", KEY_NUMBER, 1, 100000, 1000, offsetof(struct settings, batch_lines), 0 },
	/* At least one longest line. */
	{ "batch-bytes", KEY_NUMBER, 16384, 1 << 20, 65536, offsetof(struct settings, batch_bytes), 0 },
	{ "batch-ms", KEY_NUMBER, 10, 60000, 1000, offsetof(struct settings, batch_ms), 0 },
	{ "queue-bytes", KEY_NUMBER, 65536, 64 << 20, 1 << 20, offsetof(struct settings, queue_bytes), 0 },
	{ "page-fd", KEY_NUMBER, 3, 1023, 0, offsetof(struct settings, page_fd), 0 },
	{ "spool-fd", KEY_NUMBER, 3, 1023, 0, offsetof(struct settings, spool_fd), 0 },
	{ "spool-bytes", KEY_NUMBER, 65536, 1 << 30, 4 << 20, offsetof(struct settings, spool_bytes), 0 },
	{ "spool-day-bytes", KEY_NUMBER, 0, 1LL << 40, 32 << 20, offsetof(struct settings, spool_day_bytes), 0 },
};
#define ROWS (sizeof rows / sizeof rows[0])

struct where {
	const char *origin;
	unsigned line;
	char *err;
	size_t err_size;
};

static int __attribute__((format(printf, 2, 3)))
wrong(const struct where *w, const char *fmt, ...)
{
	int n = w->line ? snprintf(w->err, w->err_size, "%s:%u: ", w->origin, w->line) :
			  snprintf(w->err, w->err_size, "%s: ", w->origin);
	va_list ap;

	va_start(ap, fmt);
	if (n >= 0 && (size_t)n < w->err_size)
		vsnprintf(w->err + n, w->err_size - (size_t)n, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int
number(const struct where *w, const struct row *row, const char *value, int64_t *out)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(value, &end, 10);
	if (errno || end == value || *end || v < row->min || v > row->max)
		return wrong(w, "%s=%s: a number from %lld to %lld is needed", row->name, value,
			     (long long)row->min, (long long)row->max);
	*out = v;
	return 0;
}

/* A word of `extra` and alphanumerics, as it goes into headers: no blank, no control byte. */
static int
word(const struct where *w, const char *name, const char *value, const char *extra, char *out, size_t max)
{
	size_t n = strlen(value);

	if (n < 1 || n > max || !isalnum((unsigned char)value[0]))
		goto bad;
	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)value[i]) && !strchr(extra, value[i]))
			goto bad;
	}
	memcpy(out, value, n + 1);
	return 0;
bad:
	return wrong(w, "%s=%s: 1 to %zu letters, digits and %s are needed, a letter or digit first",
		     name, value, max, extra);
}

static int
boot(const struct where *w, const char *value, char out[SETTINGS_BOOT_LEN + 1])
{
	if (strlen(value) != SETTINGS_BOOT_LEN || strspn(value, "0123456789abcdef") != SETTINGS_BOOT_LEN)
		return wrong(w, "boot=%s: 8 lower-case hexadecimal digits are needed", value);
	memcpy(out, value, SETTINGS_BOOT_LEN + 1);
	return 0;
}

static int
url(const struct where *w, const char *value, struct settings *s)
{
	const size_t t = strlen(SETTINGS_PATH);
	const char *tail = "";
	size_t path, query, n;

	/* The value is not shown: it may hold a password. */
	if (!url_ok(value))
		return wrong(w, "url: http://HOST[:PORT] or https://HOST[:PORT] is needed, no user and password (use a token file), no #");
	s->tls = !strncmp(value, "https", 5);
	path = 8 + strcspn(value + 8, "/?");
	n = query = path + strcspn(value + path, "?");
	if (n - path < t || memcmp(value + n - t, SETTINGS_PATH, t)) {
		while (n > path && value[n - 1] == '/')
			n--;
		tail = SETTINGS_PATH;
	}
	if (asprintf(&s->url, "%.*s%s%s", (int)n, value, tail, value + query) < 0) {
		s->url = NULL;
		return wrong(w, "out of memory");
	}
	return 0;
}

/* Reads at most max bytes; the rest must be the end.  Length or -errno. */
static ssize_t
read_all(int fd, char *buf, size_t max)
{
	size_t n = 0;

	for (;;) {
		char beyond;
		ssize_t r = n < max ? read(fd, buf + n, max - n) : read(fd, &beyond, 1);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (!r)
			return (ssize_t)n;
		if (n == max)
			return -EFBIG;
		n += (size_t)r;
	}
}

static int
token(const struct where *w, int fd, struct settings *s)
{
	struct stat st;
	ssize_t n;
	int r = -EINVAL;

	if (fstat(fd, &st)) {
		r = wrong(w, "token-fd=%d: %s", fd, strerror(errno));
		return r;
	}
	/* A memfd or a pipe has no name (or no file) that others could open. */
	if (S_ISREG(st.st_mode) && st.st_nlink && (st.st_mode & 077)) {
		wrong(w, "the token's file may be read by others (mode %04o): chmod 600", st.st_mode & 07777);
		goto out;
	}
	n = read_all(fd, s->token, SETTINGS_TOKEN_MAX);
	if (n < 0) {
		wrong(w, "token-fd=%d: %s", fd, n == -EFBIG ? "longer than 512 bytes" : strerror((int)-n));
		goto out;
	}
	while (n && isspace((unsigned char)s->token[n - 1]))
		n--;
	s->token[n] = 0;
	for (ssize_t i = 0; i < n; i++) {
		if (s->token[i] <= 0x20 || s->token[i] >= 0x7f)
			n = 0;
	}
	if (!n)
		wrong(w, "the token must be one line of printable ASCII without blanks");
	else
		r = 0;
out:
	close(fd);
	return r;
}

/* What is in it is the TLS library's to judge. */
static int
is_pem(const char *data, size_t n)
{
	const char *begin = memmem(data, n, "-----BEGIN ", 11);

	return begin && memmem(begin, n - (size_t)(begin - data), "-----END ", 9);
}

static int
ca_file(const struct where *w, const char *value, struct settings *s)
{
	int fd = open(value, O_RDONLY | O_CLOEXEC);
	char *data;
	ssize_t n;

	if (fd < 0)
		return wrong(w, "ca-file=%s: %s; the forwarder's user must be able to read it", value,
			     strerror(errno));
	/* The system's, of 140 certificates, is longer; they are all read at each connection. */
	data = malloc(SETTINGS_PEM_MAX);
	n = data ? read(fd, data, SETTINGS_PEM_MAX) : -1;
	close(fd);
	if (n < 0 || !is_pem(data, (size_t)n)) {
		free(data);
		return wrong(w, "ca-file=%s: %s", value, n < 0 ? strerror(errno) : NO_PEM);
	}
	free(data);
	if (strlen(value) >= sizeof s->ca_file)
		return wrong(w, "ca-file: too long");
	memcpy(s->ca_file, value, strlen(value) + 1);
	return 0;
}

/* As curl has it; the words are checked where people write them (sensor/options.c). */
static int
pin(const struct where *w, const char *value, struct settings *s)
{
	if (strncmp(value, "sha256//", 8) || strlen(value) > SETTINGS_PIN_MAX)
		return wrong(w, "pin=%s: sha256//BASE64 is needed", value);
	memcpy(s->pin, value, strlen(value) + 1);
	return 0;
}

static int
pem(const struct where *w, const char *name, int fd, struct settings_pem *out)
{
	char *data = malloc(SETTINGS_PEM_MAX), link[40], path[1024];
	ssize_t n = data ? read_all(fd, data, SETTINGS_PEM_MAX) : -ENOMEM, len;

	/* The person knows the file by its name. */
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof path - 1);
	path[len > 0 ? len : 0] = 0;
	close(fd);
	if (n < 0) {
		wrong(w, "%s=%d (%s): %s", name, fd, path, n == -EFBIG ? "longer than 65536 bytes" : strerror((int)-n));
	} else if (!is_pem(data, (size_t)n)) {
		wrong(w, "%s=%d (%s): %s", name, fd, path, NO_PEM);
	} else {
		*out = (struct settings_pem){ data, (size_t)n };
		return 0;
	}
	free(data);
	return -EINVAL;
}

static int
set(const struct where *w, const struct row *row, char *value, struct settings *s, int *token_fd)
{
	int64_t v = 0;
	int r;

	switch (row->key) {
	case KEY_URL:
		return url(w, value, s);
	case KEY_SENSOR:
		return word(w, "sensor", value, "._-", s->sensor, SETTINGS_SENSOR_MAX);
	case KEY_BOOT:
		return boot(w, value, s->boot);
	case KEY_VERSION:
		return word(w, "version", value, "._+~:-", s->version, SETTINGS_VERSION_MAX);
	case KEY_CA_FILE:
		return ca_file(w, value, s);
	case KEY_TOKEN_FD:
		r = number(w, row, value, &v);
		if (!r)
			*token_fd = (int)v;
		return r;
	case KEY_PIN:
		return pin(w, value, s);
	case KEY_PEM_FD:
		r = number(w, row, value, &v);
		return r ? r : pem(w, row->name, (int)v, (struct settings_pem *)((char *)s + row->offset));
	case KEY_NUMBER:
		break;
	}
	r = number(w, row, value, &v);
	if (!r)
		memcpy((char *)s + row->offset, &v, sizeof v);
	return r;
}

static int
parse_line(const struct where *w, char *line, struct settings *s, uint32_t *given, int *token_fd)
{
	char *value = strchr(line, '=');
	size_t i = 0;

	if (!value)
		return wrong(w, "`%s': key=value is needed", line);
	*value++ = 0;
	while (i < ROWS && strcmp(rows[i].name, line))
		i++;
	if (i == ROWS)
		return wrong(w, "unknown key `%s'; known are url sensor boot version token-fd ca-file verbose "
				"pin cert-fd key-fd batch-lines batch-bytes batch-ms queue-bytes page-fd spool-fd spool-bytes spool-day-bytes", line);
	if (*given >> i & 1)
		return wrong(w, "`%s' is given twice", line);
	*given |= 1U << i;
	return set(w, &rows[i], value, s, token_fd);
}

int
settings_parse(struct settings *s, char *text, const char *origin, char *err, size_t err_size)
{
	struct where w = { origin, 0, err, err_size };
	int token_fd = -1;
	uint32_t given = 0;
	char *next = text;
	int r;

	memset(s, 0, sizeof *s);
	memcpy(s->version, VERSION, sizeof VERSION);
	for (size_t i = 0; i < ROWS; i++) {
		if (rows[i].key == KEY_NUMBER)
			memcpy((char *)s + rows[i].offset, &rows[i].def, sizeof rows[i].def);
	}
	while (next && *next) {
		char *line = next;

		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		w.line++;
		if (!*line || *line == '#')
			continue;
		r = parse_line(&w, line, s, &given, &token_fd);
		if (r)
			return r;
	}
	w.line = 0;
	for (size_t i = 0; i < ROWS; i++) {
		if (rows[i].required && !(given >> i & 1))
			return wrong(&w, "`%s' is missing", rows[i].name);
	}
	if (s->queue_bytes < 4 * s->batch_bytes)
		return wrong(&w, "queue-bytes=%lld: at least 4 times batch-bytes is needed (%lld)",
			     (long long)s->queue_bytes, (long long)(4 * s->batch_bytes));
	if (!s->cert.data != !s->key.data)
		return wrong(&w, "cert-fd and key-fd are needed both, or none");
	if (!s->tls && (s->cert.data || s->pin[0]))
		return wrong(&w, "a certificate, a key or a pin is of use with https only");
	/* A segment has at most three bytes for one of its batch. */
	if (s->spool_fd && s->spool_bytes < 4 * s->batch_bytes)
		return wrong(&w, "spool-bytes=%lld: at least 4 times batch-bytes is needed (%lld)",
			     (long long)s->spool_bytes, (long long)(4 * s->batch_bytes));
	return token_fd >= 0 ? token(&w, token_fd, s) : 0;
}

int
settings_read(struct settings *s, int fd, const char *origin, char *err, size_t err_size)
{
	struct where w = { origin, 0, err, err_size };
	char *text = malloc(SETTINGS_TEXT_MAX + 1);
	ssize_t n;
	int r;

	if (!text)
		return wrong(&w, "out of memory");
	n = read_all(fd, text, SETTINGS_TEXT_MAX);
	if (n < 0) {
		r = wrong(&w, "%s", strerror((int)-n));
	} else if (memchr(text, 0, (size_t)n)) {
		r = wrong(&w, "not text: it holds a NUL byte");
	} else {
		text[n] = 0;
		r = settings_parse(s, text, origin, err, err_size);
	}
	free(text);
	return r;
}

void
settings_wipe(struct settings *s)
{
	explicit_bzero(s->token, sizeof s->token);
	if (s->key.data)
		explicit_bzero(s->key.data, s->key.len);
	free(s->key.data);
	free(s->cert.data);
	s->key.data = s->cert.data = NULL;
	free(s->url);
	s->url = NULL;
}
