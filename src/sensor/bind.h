/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * bind.h - NFLOG groups: one socket each, bound by the parent, read by the analyzer.
 */
#ifndef BIND_H
#define BIND_H

#include <stddef.h>
#include <stdint.h>

struct bind_group {
	struct mnl_socket *socket; /* NULL: not bound */
	uint16_t group;
	unsigned serial;           /* of this binding: the kernel's numbers start at 0 with each */
	uint32_t receive_buffer;   /* bytes granted, of what SO_RCVBUF means: the kernel's is twice */
};

/* Opens, sizes, binds and configures.  copy: bytes of each packet.  0 or -errno with a message
 * that says who holds the group, or what is missing. */
int bind_open(struct bind_group *, uint16_t group, uint32_t copy, uint32_t queue_threshold,
	      uint32_t receive_buffer, char *err, size_t size);

/* Other sizes for a bound group.  0 or -errno. */
int bind_configure(struct bind_group *, uint32_t copy, uint32_t queue_threshold,
		   uint32_t receive_buffer);

/* Lets the group go; the kernel hands out the batch that was pending.  The socket stays. */
void bind_unbind(struct bind_group *);
void bind_close(struct bind_group *);

int bind_fd(const struct bind_group *);

#endif
