/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * settings.h - what the parent (or -f FILE) tells the forwarder: `key=value` lines.  Everything is
 * checked here, once, so that no later stage asks whether a name fits into a header.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#define SETTINGS_SENSOR_MAX 64
#define SETTINGS_BOOT_LEN 8
#define SETTINGS_VERSION_MAX 64
#define SETTINGS_TOKEN_MAX 512
#define SETTINGS_PATH_MAX 4096

#define SETTINGS_PIN_MAX 512
#define SETTINGS_PEM_MAX 65536

struct settings_pem {
	char *data;
	size_t len;
};

struct settings {
	char *url;        /* complete, with /v1/reports; no user, no password in it */
	int tls;          /* https */
	char sensor[SETTINGS_SENSOR_MAX + 1];
	char boot[SETTINGS_BOOT_LEN + 1];
	char version[SETTINGS_VERSION_MAX + 1];
	char token[SETTINGS_TOKEN_MAX + 1]; /* empty: none */
	char ca_file[SETTINGS_PATH_MAX];    /* empty: the system's */
	char pin[SETTINGS_PIN_MAX + 1];     /* sha256//BASE64[;...] of the collector's public key; empty: any */
	struct settings_pem cert, key;      /* of this sensor, for the collector; none: data is NULL */
	int64_t verbose;      /* enum log_level */
	int64_t batch_lines;
	int64_t batch_bytes;
	int64_t batch_ms;
	int64_t queue_bytes;
	int64_t page_fd;        /* 0: none */
	int64_t spool_fd;       /* a directory; 0: none */
	int64_t spool_bytes;
	int64_t spool_day_bytes; /* 0: no limit */
};

/* Reads fd to its end, and the descriptors of token, certificate and key, which it closes.  `origin` names fd in
 * messages.  0; -EINVAL with one line in err that says what would be right. */
int settings_read(struct settings *, int fd, const char *origin, char *err, size_t err_size);

/* The same from memory.  The text is changed. */
int settings_parse(struct settings *, char *text, const char *origin, char *err, size_t err_size);

/* Wipes the token and the key. */
void settings_wipe(struct settings *);

#endif
