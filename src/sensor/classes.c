/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * classes.c - the table of classes and chains, see classes.h.
 */
#include "classes.h"

#include <linux/netfilter.h>

/* Output has a group of its own with threshold 1: the kernel stamps no time there, the time of
 * receipt is all there is, and a batch would blur it. */
const struct classes classes[CLASSES_ROWS] = {
	[CLASSES_HANDSHAKE] = { NG_CLASS_HANDSHAKE, "handshake", "handshake-limit", 64, CLASSES_SNAPLEN },
	[CLASSES_OUTPUT] = { NG_CLASS_HANDSHAKE, "output", "handshake-limit", 1, CLASSES_SNAPLEN },
	[CLASSES_ATTEMPT] = { NG_CLASS_ATTEMPT, "attempt", "attempt-limit", 64, CLASSES_SNAPLEN },
	[CLASSES_SAMPLE] = { NG_CLASS_SAMPLE, "sample", "sample-limit", 64, CLASSES_SNAPLEN },
	[CLASSES_PROBE] = { CLASSES_TO_PROBER, "probe", "probe-limit", 1, CLASSES_SNAPLEN_PROBE },
};

#define SYN_BY_SIDE \
	{ CLASSES_SYN, CLASSES_FROM_HOME4 }, { CLASSES_SYN, CLASSES_FROM_HOME6 }, \
	{ CLASSES_SYN, CLASSES_FROM_ABROAD4 }, { CLASSES_SYN, CLASSES_FROM_ABROAD6 }
#define ANSWER_BY_SIDE(match) \
	{ match, CLASSES_TO_HOME4 }, { match, CLASSES_TO_HOME6 }, \
	{ match, CLASSES_TO_ABROAD4 }, { match, CLASSES_TO_ABROAD6 }

static const struct classes_rule forwarded[] = {
	SYN_BY_SIDE, ANSWER_BY_SIDE(CLASSES_SYN_ACK), ANSWER_BY_SIDE(CLASSES_RST), { CLASSES_END, CLASSES_BOTH },
};
static const struct classes_rule established[] = {
	{ CLASSES_ACK, CLASSES_BOTH }, { CLASSES_END, CLASSES_BOTH },
};
static const struct classes_rule none[] = { { CLASSES_END, CLASSES_BOTH } };
/* Answers to this machine come to its own addresses only, of which those outside are no home. */
static const struct classes_rule received[] = {
	SYN_BY_SIDE, { CLASSES_SYN_ACK, CLASSES_BOTH }, { CLASSES_RST, CLASSES_BOTH }, { CLASSES_END, CLASSES_BOTH },
};
static const struct classes_rule sent[] = {
	{ CLASSES_SYN, CLASSES_BOTH }, ANSWER_BY_SIDE(CLASSES_SYN_ACK), ANSWER_BY_SIDE(CLASSES_RST),
	{ CLASSES_END, CLASSES_BOTH },
};
static const struct classes_rule attempts[] = {
	{ CLASSES_SYN, CLASSES_FROM_ABROAD4 }, { CLASSES_SYN, CLASSES_FROM_ABROAD6 }, { CLASSES_END, CLASSES_BOTH },
};
static const struct classes_rule samples[] = {
	{ CLASSES_ANY, CLASSES_BOTH }, { CLASSES_END, CLASSES_BOTH },
};
static const struct classes_rule answers[] = {
	{ CLASSES_UNREACHABLE4, CLASSES_BOTH }, { CLASSES_TIME_EXCEEDED4, CLASSES_BOTH },
	{ CLASSES_ECHO_REPLY4, CLASSES_BOTH }, { CLASSES_UNREACHABLE6, CLASSES_BOTH },
	{ CLASSES_TIME_EXCEEDED6, CLASSES_BOTH }, { CLASSES_ECHO_REPLY6, CLASSES_BOTH },
	{ CLASSES_PROBE_SYN_ACK, CLASSES_BOTH }, { CLASSES_PROBE_RST, CLASSES_BOTH }, { CLASSES_END, CLASSES_BOTH },
};

/* Those for probes at "raw", in front of conntrack: our probes leave no entry there, so their answers are
 * "invalid" to it and most firewalls drop them at input.  The prober needs them before that. */
const struct classes_chain classes_chain[CLASSES_CHAINS] = {
	{ "forward", NF_INET_FORWARD, 10, CLASSES_HANDSHAKE, .rules = forwarded, .jumped_to = 1 },
	{ "hook_forward", NF_INET_FORWARD, 10, CLASSES_HANDSHAKE, .rules = established, .jump = "forward",
	  .when = { CLASSES_NO_DATA } },
	{ "input", NF_INET_LOCAL_IN, 10, CLASSES_HANDSHAKE, .rules = received, .jumped_to = 1 },
	{ "hook_input", NF_INET_LOCAL_IN, 10, CLASSES_HANDSHAKE, .rules = none, .jump = "input", .when = { CLASSES_NO_DATA } },
	{ "output", NF_INET_LOCAL_OUT, 10, CLASSES_OUTPUT, .rules = sent, .jumped_to = 1 },
	{ "hook_output", NF_INET_LOCAL_OUT, 10, CLASSES_OUTPUT, .rules = none, .jump = "output",
	  .when = { CLASSES_NO_DATA } },
	{ "attempt_forward", NF_INET_FORWARD, -10, CLASSES_ATTEMPT, .rules = attempts, .jumped_to = 1 },
	{ "hook_attempt_forward", NF_INET_FORWARD, -10, CLASSES_ATTEMPT, .rules = none, .jump = "attempt_forward",
	  .when = { CLASSES_SYN } },
	{ "attempt_input", NF_INET_LOCAL_IN, -10, CLASSES_ATTEMPT, .rules = attempts, .jumped_to = 1 },
	{ "hook_attempt_input", NF_INET_LOCAL_IN, -10, CLASSES_ATTEMPT, .rules = none, .jump = "attempt_input",
	  .when = { CLASSES_SYN } },
	{ "sample_forward", NF_INET_FORWARD, 10, CLASSES_SAMPLE, .rules = samples },
	{ "sample_input", NF_INET_LOCAL_IN, 10, CLASSES_SAMPLE, .rules = samples },
	{ "sample_output", NF_INET_LOCAL_OUT, 10, CLASSES_SAMPLE, .rules = samples },
	{ "probe_output", NF_INET_LOCAL_OUT, -300, CLASSES_PROBE, .rules = NULL },
	{ "probe_answers", NF_INET_PRE_ROUTING, -300, CLASSES_PROBE, .rules = answers, .jumped_to = 1 },
	{ "hook_probe_answers", NF_INET_PRE_ROUTING, -300, CLASSES_PROBE, .rules = none, .jump = "probe_answers",
	  .when = { CLASSES_NO_DATA_TO_PROBER, CLASSES_ICMP, CLASSES_ICMPV6 } },
};
