/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * classes.c - the table of classes and chains, see classes.h.
 */
#include "classes.h"

#include <linux/netfilter.h>

/* Output has a group of its own with threshold 1: the kernel stamps no time there, the time of
 * receipt is all there is, and a batch would blur it. */
const struct classes classes[CLASSES_ROWS] = {
	[CLASSES_HANDSHAKE] = { NG_CLASS_HANDSHAKE, "handshake", "handshake-limit", 64,
				{ CLASSES_SYN, CLASSES_SYN_ACK, CLASSES_RST } },
	[CLASSES_OUTPUT] = { NG_CLASS_HANDSHAKE, "output", "handshake-limit", 1,
			     { CLASSES_SYN, CLASSES_SYN_ACK, CLASSES_RST } },
	[CLASSES_ATTEMPT] = { NG_CLASS_ATTEMPT, "attempt", "attempt-limit", 64,
			      { CLASSES_SYN_ABROAD4, CLASSES_SYN_ABROAD6 } },
	[CLASSES_SAMPLE] = { NG_CLASS_SAMPLE, "sample", "sample-limit", 64, { CLASSES_ANY } },
};

const struct classes_chain classes_chain[CLASSES_CHAINS] = {
	{ "forward", NF_INET_FORWARD, 10, CLASSES_HANDSHAKE },
	{ "input", NF_INET_LOCAL_IN, 10, CLASSES_HANDSHAKE },
	{ "output", NF_INET_LOCAL_OUT, 10, CLASSES_OUTPUT },
	{ "attempt_forward", NF_INET_FORWARD, -10, CLASSES_ATTEMPT },
	{ "attempt_input", NF_INET_LOCAL_IN, -10, CLASSES_ATTEMPT },
	{ "sample_forward", NF_INET_FORWARD, 10, CLASSES_SAMPLE },
	{ "sample_input", NF_INET_LOCAL_IN, 10, CLASSES_SAMPLE },
	{ "sample_output", NF_INET_LOCAL_OUT, 10, CLASSES_SAMPLE },
};
