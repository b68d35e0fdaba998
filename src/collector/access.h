/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * access.h - who may send and who may look: enrolled sensors, enrolment codes, users.  A small SQLite file of
 * its own beside the database (DATABASE.access): the commands write it while the collector runs, and it is
 * seen at once; nothing in it can be made again from reports, so each change waits for the disk, but for what
 * sensors sent today, which changes with each body.
 *
 * No secret is in it: tokens and codes are random and kept as SHA-256, passwords as Argon2id (password.h).
 * Results: 0 or more, or -errno: -ENOENT, -ENOSPC, -EBUSY, -EUCLEAN, -EIO.
 */
#ifndef ACCESS_H
#define ACCESS_H

#include <stddef.h>
#include <stdint.h>

#define ACCESS_NAME_MAX 64
#define ACCESS_CODE_LEN 26  /* 130 bits */
#define ACCESS_TOKEN_LEN 52 /* 260 bits */
#define ACCESS_PASSWORD_MAX 160 /* of the hash's text */
#define ACCESS_CODES_MAX 1000
#define ACCESS_SENSORS_MAX 10000
#define ACCESS_USERS_MAX 1000

struct access;

/* Opens, or makes, the file that belongs to a database.  0, or -errno with a message in err: a damaged file is
 * no reason to let everybody in, so it is not moved aside. */
int access_open(struct access **out, const char *database, char *err, size_t err_size);
void access_close(struct access *);
/* Whether that file is there. */
int access_made(const char *database);

/* ---- sensors ---- */

/* A code for one sensor, once, until expires_us.  An older one for the same sensor ends. */
int access_code_new(struct access *, const char *sensor, const char *by, int64_t now_us, int64_t expires_us,
		    char code[ACCESS_CODE_LEN + 1]);
/* The code for a token; the sensor's older token ends.  -ENOENT: not known, used, or too late. */
int access_enrol(struct access *, const char *code, int64_t now_us, char sensor[ACCESS_NAME_MAX + 1],
		 char token[ACCESS_TOKEN_LEN + 1]);
/* Whose token it is: 0; -ENOENT: nobody's; -EACCES: of one that was revoked. */
int access_token(struct access *, const char *token, char sensor[ACCESS_NAME_MAX + 1]);
/* 1: its token and its code are worth nothing from now on; 0: it had none.  With `certificates` it is noted even
 * then, since it may have one of those. */
int access_revoke(struct access *, const char *sensor, int64_t now_us, int certificates);
/* Whether there is one, revoked or not. */
int access_has_sensors(struct access *);
/* 1: enrolled; 0: never heard of; -EACCES: revoked. */
int access_sensor_state(struct access *, const char *sensor);

struct access_sensor {
	const char *sensor, *by;
	int64_t enrolled_us;
	int64_t revoked_us; /* 0: it may send */
};
/* By name; lent to fn for the call. */
int access_sensors(struct access *, void (*fn)(void *arg, const struct access_sensor *), void *arg);

/* ---- what they sent ---- */

struct access_sent {
	const char *sensor;
	int64_t last_us;        /* the day of it is the day of the others */
	int64_t reports, bytes;
};
/* In place of what was noted of it before.  Does not wait for the disk. */
int access_sent_put(struct access *, const struct access_sent *);
/* The `most` that sent last, lent to fn for the call; the others are forgotten. */
int access_sent(struct access *, int most, void (*fn)(void *arg, const struct access_sent *), void *arg);

/* ---- users ---- */

int access_user_set(struct access *, const char *name, const char *hash, int64_t now_us);
/* 1, or 0: there was none. */
int access_user_remove(struct access *, const char *name);
/* hash may be NULL.  *changed_us: when the password was set.  0 or -ENOENT. */
int access_user(struct access *, const char *name, char hash[ACCESS_PASSWORD_MAX], int64_t *changed_us);
int access_has_users(struct access *);
int access_users(struct access *, void (*fn)(void *arg, const char *name, int64_t changed_us), void *arg);

/* 1 to 64 letters, digits, . _ - @, the first a letter or digit. */
int access_user_name_ok(const char *name);

/* Letters and digits without 0, 1, l and o, n of them and a NUL. */
void access_random(char *out, size_t n);

#endif
