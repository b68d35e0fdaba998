/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * priv.c - uid, capabilities, no_new_privs, Landlock, seccomp.
 */
#include "priv.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"

#if __has_include(<linux/landlock.h>)
#include <linux/landlock.h>
#endif

int
priv_drop(uid_t uid, gid_t gid)
{
	if (setgroups(0, NULL) && errno != EPERM)
		return -errno;
	if (setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		return -errno;
	if (uid && (!setresuid(0, 0, 0) || !getuid()))
		return -EPERM; /* it could be undone */
	return 0;
}

int
priv_keep_caps(uint64_t keep)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	for (int cap = 0; cap < 64 && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) && errno != EPERM)
			return -errno;
	}
	if (syscall(SYS_capget, &head, data))
		return -errno;
	for (int i = 0; i < 2; i++) {
		data[i].permitted &= (uint32_t)(keep >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

uint64_t
priv_caps(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		return 0;
	return (uint64_t)data[1].effective << 32 | data[0].effective;
}

int
priv_no_new_privs(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0;
}

int
priv_no_dump(void)
{
	struct rlimit none = { 0, 0 };

	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) || setrlimit(RLIMIT_CORE, &none) ? -errno : 0;
}

int
priv_tie_to_parent(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
		return -errno;
	if (getppid() != parent)
		raise(SIGKILL);
	return 0;
}

#ifdef LANDLOCK_CREATE_RULESET_VERSION
/* Denies, of what this kernel knows, `fs` (bits LANDLOCK_ACCESS_FS_*) but `fs_there` beneath dirfd (-1: none), `net`
 * and what is scoped. */
static int
landlock(uint64_t fs, uint64_t net, int dirfd, uint64_t fs_there)
{
	/* Our own copy of the struct: the header of the build may be older than the kernel. */
	struct {
		uint64_t fs;
		uint64_t net;
		uint64_t scoped;
	} attr = { 0, 0, 0 };
	/* Access rights known to each ABI version, linux/landlock.h. */
	static const uint8_t fs_bits[] = { 0, 13, 14, 15, 15, 16, 16 };
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct landlock_path_beneath_attr there = { .parent_fd = dirfd };
	size_t size = sizeof attr.fs;
	int fd, r = 0;

	if (abi < 0)
		return -errno;
	attr.fs = fs & ((1ULL << fs_bits[abi > 6 ? 6 : abi]) - 1);
	if (abi >= 4) {
		attr.net = net;
		size = offsetof(__typeof__(attr), scoped);
	}
	if (abi >= 6) {
		attr.scoped = 3; /* abstract unix sockets, signals */
		size = sizeof attr;
	}
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (fd < 0)
		return -errno;
	there.allowed_access = fs_there & attr.fs;
	if ((dirfd >= 0 && syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH, &there, 0)) ||
	    syscall(SYS_landlock_restrict_self, fd, 0))
		r = -errno;
	close(fd);
	return r;
}

/* Of newer kernels' headers. */
#define ACCESS_FS_TRUNCATE (1ULL << 14)
#define ACCESS_NET_BIND_TCP 1
#define ACCESS_NET_CONNECT_TCP 2
#endif

int
priv_landlock_deny_all(void)
{
#ifdef LANDLOCK_CREATE_RULESET_VERSION
	return landlock(UINT64_MAX, ACCESS_NET_BIND_TCP | ACCESS_NET_CONNECT_TCP, -1, 0);
#else
	return -ENOSYS;
#endif
}

int
priv_landlock_read_only(int dirfd)
{
#ifdef LANDLOCK_CREATE_RULESET_VERSION
	const uint64_t reading = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;

	return landlock(~reading, ACCESS_NET_BIND_TCP, dirfd, LANDLOCK_ACCESS_FS_WRITE_FILE |
			LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | ACCESS_FS_TRUNCATE);
#else
	(void)dirfd;
	return -ENOSYS;
#endif
}

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

int
priv_no_new_code(void)
{
	return prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) ? -errno : 0;
}

#define CALL_NAME_MAX 32 /* the longest is landlock_create_ruleset */

static int
allow(scmp_filter_ctx ctx, const char *name)
{
	int nr = seccomp_syscall_resolve_name(name), r;

	if (!strcmp(name, "tgkill:self"))
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
	else if (nr == __NR_SCMP_ERROR)
		return 0; /* a name that this architecture has not is no error: the list is a union */
	else
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);
	return r == -EEXIST || r == -EDOM ? 0 : r;
}

/* The next word of a list, or NULL at its end; *at: 0 at first. */
static const char *
next_word(const char *list, size_t *at, char word[CALL_NAME_MAX])
{
	size_t n;

	*at += strspn(list + *at, " ");
	n = strcspn(list + *at, " ");
	if (!n)
		return NULL;
	snprintf(word, CALL_NAME_MAX, "%.*s", (int)n, list + *at);
	*at += n;
	return word;
}

static int
is_in(const char *names, const char *name)
{
	char word[CALL_NAME_MAX];

	for (size_t at = 0; next_word(names, &at, word);) {
		if (!strcmp(word, name))
			return 1;
	}
	return 0;
}

int
priv_seccomp(const char *names)
{
	static const char deadly[] = "execve execveat ptrace process_vm_writev init_module finit_module "
				     "kexec_load bpf mount unshare setns keyctl";
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	char word[CALL_NAME_MAX];
	int r = -ENOMEM;

	if (!ctx)
		return r;
	/* A tree: where the kernel keeps no table of the answers each call walks through it. */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t at = 0; next_word(names, &at, word);) {
		r = allow(ctx, word);
		if (r)
			goto out;
	}
	for (size_t at = 0; next_word(deadly, &at, word);) {
		int nr = seccomp_syscall_resolve_name(word);

		if (nr != __NR_SCMP_ERROR && !is_in(names, word))
			seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, nr, 0);
	}
	r = seccomp_load(ctx);
out:
	seccomp_release(ctx);
	return r;
}

uint32_t
priv_cage(const char *names)
{
	uint32_t posture = 0;
	int r;

	r = priv_keep_caps(0);
	if (r || priv_caps())
		fatal("cannot give up capabilities: %s", strerror(-r));
	posture |= PRIV_NO_CAPS;
	r = priv_no_new_privs();
	if (r)
		fatal("cannot set no_new_privs: %s", strerror(-r));
	posture |= PRIV_NO_NEW_PRIVS;
	r = priv_no_dump();
	if (r)
		fatal("cannot forbid core files: %s", strerror(-r));
	(void)priv_no_new_code(); /* the rest holds without it */
	r = priv_landlock_deny_all();
	if (r)
		log_info("this kernel has no Landlock (%s): files are denied by seccomp alone", strerror(-r));
	else
		posture |= PRIV_LANDLOCK;
	r = priv_seccomp(names);
	if (r)
		log_warn("no seccomp filter (%s): going on without one", strerror(-r));
	else
		posture |= PRIV_SECCOMP;
	return posture;
}

int
priv_user(const char *name, uid_t *uid, gid_t *gid)
{
	struct passwd *pw = getpwnam(name);

	if (!pw)
		return -ENOENT;
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return 0;
}
