/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ledger.h - what was seen, logged, received, lost; and the `stat` report that says it.
 *
 *   seen = logged + sampled_out                the rules' named counters, read by the parent
 *   logged = received + gap + tail             NFULA_SEQ; tail is 0 once all is quiet
 *   received = parsed + truncated + malformed + unsupported + in_hand
 */
#ifndef LEDGER_H
#define LEDGER_H

#include <stdint.h>

#include "plugin.h"
#include "settings.h"
#include "worker.h"

struct flow_stats;

void ledger_start(const struct settings *, struct worker_page *, int replay);

/* A packet of group `index` (of the group= lines) with its sequence number came.  Returns how many
 * are missing before it. */
uint32_t ledger_seq(unsigned index, uint32_t seq);

/* Around the decoding of one packet: a crash between the two leaves it in `in_hand`. */
void ledger_take(unsigned index);
void ledger_decoded(const struct ng_packet *);

void ledger_filtered(void);
void ledger_enobufs(void);
void ledger_bad_message(void);

/* What the forwarder has done, by enum worker_forward_value. */
void ledger_forward(const uint64_t value[WORKER_FORWARD_VALUES]);

/* The parent's reading of the rules: value[2 i] seen, value[2 i + 1] logged of group i. */
void ledger_counters(const uint64_t *value, unsigned n);

/* Totals; loss is the handshake class's gap and sampled_out together. */
void ledger_get(struct ng_ledger *);
uint64_t ledger_loss(void);

/* Makes a stat report for the time since the last one.  posture: WORKER_POSTURE_* ORed. */
void ledger_report(int64_t now_us, int64_t wall_us, const struct flow_stats *, uint32_t flows_max,
		   uint64_t posture);

#endif
