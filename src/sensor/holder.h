/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * holder.h - who has an NFLOG group of this network namespace.
 */
#ifndef HOLDER_H
#define HOLDER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The netlink port that holds the group, 0: nobody does.  *pid: the first process that has it open, 0: not to
 * be seen; name: its own, or "?". */
uint32_t holder_find(uint16_t group, pid_t *pid, char *name, size_t size);

/* The netlink port that holds a group, from the text of /proc/net/netfilter/nfnetlink_log; 0: none. */
uint32_t holder_port(const char *text, uint16_t group);

/* The inode of the NETLINK_NETFILTER socket with that port, from the text of /proc/net/netlink. */
uint64_t holder_inode(const char *text, uint32_t portid);

#endif
