/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * token.c - the token file.
 */
#include "token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/hash.h"

struct token_list {
	uint8_t secret[2][16];
	size_t n;
	uint64_t hash[TOKEN_MAX][2];
};

static void
digest(const struct token_list *t, const char *token, size_t n, uint64_t out[2])
{
	for (int i = 0; i < 2; i++)
		out[i] = hash_sip(t->secret[i], token, n);
}

static int
token_add(struct token_list *t, char *line)
{
	size_t n;

	line += strspn(line, " \t");
	n = strcspn(line, "\r\n");
	while (n && (line[n - 1] == ' ' || line[n - 1] == '\t'))
		n--;
	if (!n || *line == '#')
		return 0;
	if (n < 16 || n > 200 || t->n == TOKEN_MAX)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (line[i] <= ' ' || line[i] > '~')
			return -1;
	}
	digest(t, line, n, t->hash[t->n++]);
	return 0;
}

struct token_list *
token_load(const char *path, char *err, size_t err_size)
{
	struct token_list *t = calloc(1, sizeof *t);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), number = 0;
	FILE *f = NULL;
	struct stat st;
	char line[512];

	if (!t || fd < 0 || fstat(fd, &st)) {
		snprintf(err, err_size, "token-file %s: %s", path, strerror(errno));
		goto fail;
	}
	if (!S_ISREG(st.st_mode) || st.st_mode & 077) {
		snprintf(err, err_size, "token-file %s: others may read it; run: chmod 600 %s", path, path);
		goto fail;
	}
	hash_random(t->secret, sizeof t->secret);
	f = fdopen(fd, "r");
	if (!f) {
		snprintf(err, err_size, "token-file %s: %s", path, strerror(errno));
		goto fail;
	}
	setvbuf(f, NULL, _IONBF, 0); /* no copy of a token stays behind in a buffer */
	while (fgets(line, sizeof line, f)) {
		number++;
		if (token_add(t, line)) {
			snprintf(err, err_size,
				 "token-file %s:%d: a token has 16 to 200 printable characters, no blanks, "
				 "and there are at most %d", path, number, TOKEN_MAX);
			goto fail;
		}
	}
	explicit_bzero(line, sizeof line);
	fclose(f);
	if (t->n)
		return t;
	snprintf(err, err_size, "token-file %s: there is no token in it", path);
	free(t);
	return NULL;
fail:
	explicit_bzero(line, sizeof line);
	if (f)
		fclose(f);
	else if (fd >= 0)
		close(fd);
	token_free(t);
	return NULL;
}

void
token_free(struct token_list *t)
{
	if (!t)
		return;
	explicit_bzero(t, sizeof *t);
	free(t);
}

int
token_known(const struct token_list *t, const char *token)
{
	uint64_t mine[2];
	int known = 0;

	digest(t, token, strlen(token), mine);
	for (size_t i = 0; i < t->n; i++)
		known |= !((mine[0] ^ t->hash[i][0]) | (mine[1] ^ t->hash[i][1]));
	return known;
}
