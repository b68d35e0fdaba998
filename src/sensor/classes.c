/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * classes.c - the table of classes and chains, see classes.h.
 */
#include "classes.h"

#include <linux/netfilter.h>

/* Output has a group of its own with threshold 1: the kernel stamps no time there, the time of
 * receipt is all there is, and a batch would blur it. */
const struct classes classes[CLASSES_ROWS] = {
	[CLASSES_HANDSHAKE] = { NG_CLASS_HANDSHAKE, "handshake", "handshake-limit", 64, CLASSES_SNAPLEN,
				{ CLASSES_SYN, CLASSES_SYN_ACK, CLASSES_RST } },
	[CLASSES_OUTPUT] = { NG_CLASS_HANDSHAKE, "output", "handshake-limit", 1, CLASSES_SNAPLEN,
			     { CLASSES_SYN, CLASSES_SYN_ACK, CLASSES_RST } },
	[CLASSES_ATTEMPT] = { NG_CLASS_ATTEMPT, "attempt", "attempt-limit", 64, CLASSES_SNAPLEN,
			      { CLASSES_SYN_ABROAD4, CLASSES_SYN_ABROAD6 } },
	[CLASSES_SAMPLE] = { NG_CLASS_SAMPLE, "sample", "sample-limit", 64, CLASSES_SNAPLEN, { CLASSES_ANY } },
	[CLASSES_PROBE] = { CLASSES_TO_PROBER, "probe", "probe-limit", 1, CLASSES_SNAPLEN_PROBE,
			    { CLASSES_UNREACHABLE4, CLASSES_TIME_EXCEEDED4, CLASSES_ECHO_REPLY4,
			      CLASSES_UNREACHABLE6, CLASSES_TIME_EXCEEDED6, CLASSES_ECHO_REPLY6,
			      CLASSES_PROBE_SYN_ACK, CLASSES_PROBE_RST } },
};

/* The last two at "raw", in front of conntrack: our probes leave no entry there, so their answers are
 * "invalid" to it and most firewalls drop them at input.  The prober needs them before that. */
const struct classes_chain classes_chain[CLASSES_CHAINS] = {
	{ "forward", NF_INET_FORWARD, 10, CLASSES_HANDSHAKE, 0 },
	{ "input", NF_INET_LOCAL_IN, 10, CLASSES_HANDSHAKE, 0 },
	{ "output", NF_INET_LOCAL_OUT, 10, CLASSES_OUTPUT, 0 },
	{ "attempt_forward", NF_INET_FORWARD, -10, CLASSES_ATTEMPT, 0 },
	{ "attempt_input", NF_INET_LOCAL_IN, -10, CLASSES_ATTEMPT, 0 },
	{ "sample_forward", NF_INET_FORWARD, 10, CLASSES_SAMPLE, 0 },
	{ "sample_input", NF_INET_LOCAL_IN, 10, CLASSES_SAMPLE, 0 },
	{ "sample_output", NF_INET_LOCAL_OUT, 10, CLASSES_SAMPLE, 0 },
	{ "probe_output", NF_INET_LOCAL_OUT, -300, CLASSES_PROBE, 1 },
	{ "probe_answers", NF_INET_PRE_ROUTING, -300, CLASSES_PROBE, 0 },
};
