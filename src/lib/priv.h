/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * priv.h - giving up privilege, one step a function.  0 or -errno unless said otherwise.
 */
#ifndef PRIV_H
#define PRIV_H

#include <stdint.h>
#include <sys/types.h>

/* Becomes uid and gid with no supplementary group; capabilities go with uid 0. */
int priv_drop(uid_t uid, gid_t gid);

/* Keeps only the capabilities in `keep` (bits 1 << CAP_*, linux/capability.h) in the effective and
 * permitted sets, and empties the bounding set, so that an exec can gain none; where that is not
 * allowed, it stays.  Those not held are passed over. */
int priv_keep_caps(uint64_t keep);

/* The effective set. */
uint64_t priv_caps(void);

int priv_no_new_privs(void);

/* No core file, no ptrace by others of the same uid; exec undoes it.  0 or -errno. */
int priv_no_dump(void);

/* The parent's death is ours; call it after priv_drop(), which clears it.  Dies at once when
 * `parent` is gone already. */
int priv_tie_to_parent(pid_t parent);

/* Denies every file and, where the kernel knows how, TCP and signals to others.  -ENOSYS or
 * -EOPNOTSUPP where there is no Landlock. */
int priv_landlock_deny_all(void);

/* Leaves what may be read, and lets files be written, made, renamed and removed in the directory dirfd alone (-1:
 * nowhere); no TCP port can be bound, no signal sent to others.  As above. */
int priv_landlock_read_only(int dirfd);

/* From now on no memory can be made executable that was writable; exec keeps it.  -EINVAL before Linux 6.3. */
int priv_no_new_code(void);

/* Allow-list of system calls, by libseccomp name, with a space between two; others get EPERM (those that
 * could only come from a taken-over process: execve, ptrace, ... kill it).  "tgkill:self": to this process only.
 * One string: an array of 240 is as many relocations too, 32 bytes each where a pointer has 8. */
int priv_seccomp(const char *names);

/* What a process gave up. */
#define PRIV_NO_NEW_PRIVS 0x1
#define PRIV_SECCOMP 0x2
#define PRIV_LANDLOCK 0x4
#define PRIV_NO_CAPS 0x8

/* All of the above for a process that only computes on what it has open: no capability, no file, no new
 * code, no system call but `names`.  Returns PRIV_*; what this kernel does not have is said and left out, a
 * failure of what every kernel has ends the process. */
uint32_t priv_cage(const char *names);

/* uid and gid of a user; -ENOENT. */
int priv_user(const char *name, uid_t *uid, gid_t *gid);

#endif
