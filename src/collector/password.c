/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * password.c - Argon2id.
 */
#include "password.h"

#include <argon2.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define MEMORY_KIB 19456
#define PASSES 2
#define SALT_BYTES 16
#define HASH_BYTES 32

int
password_hash(const char *password, char *out, size_t size)
{
	unsigned char salt[SALT_BYTES];

	if (getrandom(salt, sizeof salt, 0) != (ssize_t)sizeof salt)
		return -errno;
	switch (argon2id_hash_encoded(PASSES, MEMORY_KIB, 1, password, strlen(password), salt, sizeof salt, HASH_BYTES,
				      out, size)) {
	case ARGON2_OK:
		return 0;
	case ARGON2_MEMORY_ALLOCATION_ERROR:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

int
password_right(const char *hash, const char *password)
{
	return argon2id_verify(hash, password, strlen(password)) == ARGON2_OK;
}

const char *
password_nobody(void)
{
	return "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm9ibw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
}
