/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * spooldir.h - the directory in which the forwarder keeps what it could not deliver.
 */
#ifndef SPOOLDIR_H
#define SPOOLDIR_H

#include <stddef.h>
#include <sys/types.h>

/* Makes it, if it is not there, for that user and nobody else.  A descriptor; or -errno with what is
 * wrong and what to do. */
int spooldir_open(const char *dir, uid_t uid, gid_t gid, char *err, size_t size);

/* Whether spooldir_open() would succeed, without a trace.  0, or as above. */
int spooldir_look(const char *dir, uid_t uid, gid_t gid, char *err, size_t size);

#endif
