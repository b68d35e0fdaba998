/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ledger.c - the counters behind every number that we show.  Those that must survive a crash of
 * this process live in the shared page.
 */
#include "ledger.h"

#include <string.h>
#include <sys/resource.h>

#include "flow.h"
#include "lib/json.h"
#include "plugins.h"
#include "report.h"

static struct {
	const struct settings *settings;
	struct worker_page *page;
	int replay;
	uint64_t seen[WORKER_GROUPS_MAX];
	uint64_t logged[WORKER_GROUPS_MAX];
	int have_counters;
	uint64_t forward[WORKER_FORWARD_VALUES];
	int have_forward;
	uint64_t no_ts;
	uint64_t enobufs;
	uint64_t bad_messages;
	int64_t since_us;
} led;

void
ledger_start(const struct settings *s, struct worker_page *page, int replay)
{
	memset(&led, 0, sizeof led);
	led.settings = s;
	led.page = page;
	led.replay = replay;
}

uint32_t
ledger_seq(unsigned index, uint32_t seq)
{
	uint32_t missing = seq - (uint32_t)led.page->next_seq[index];

	/* Half the circle away is no loss: the group was bound again and counts from 0. */
	if (missing > UINT32_MAX / 2)
		missing = 0;
	led.page->next_seq[index] = seq + 1;
	led.page->gap += missing;
	led.page->group_gap[index] += missing;
	return missing;
}

void
ledger_take(unsigned index)
{
	led.page->received++;
	led.page->in_hand++;
	led.page->group_received[index]++;
}

void
ledger_decoded(const struct ng_packet *p)
{
	struct worker_page *page = led.page;

	switch (p->status) {
	case NG_PACKET_OK:
		page->parsed++;
		break;
	case NG_PACKET_TRUNCATED:
		page->truncated++;
		break;
	case NG_PACKET_MALFORMED:
		page->malformed++;
		break;
	default:
		page->unsupported++;
	}
	page->in_hand--;
	if (!(p->has & NG_HAS_KERNEL_TS))
		led.no_ts++;
}

void
ledger_filtered(void)
{
	led.page->filtered++;
}

void
ledger_enobufs(void)
{
	led.enobufs++;
}

void
ledger_bad_message(void)
{
	led.bad_messages++;
}

void
ledger_counters(const uint64_t *value, unsigned n)
{
	for (unsigned i = 0; i < n && i < WORKER_GROUPS_MAX; i++) {
		led.seen[i] = value[2 * i];
		led.logged[i] = value[2 * i + 1];
	}
	led.have_counters = 1;
}

void
ledger_forward(const uint64_t value[WORKER_FORWARD_VALUES])
{
	memcpy(led.forward, value, sizeof led.forward);
	led.have_forward = 1;
}

static void
put_forward(struct json *j)
{
	static const char *const names[WORKER_FORWARD_VALUES] = {
		[WORKER_FORWARD_SPOOL_BYTES] = "spool_bytes",
		[WORKER_FORWARD_FLASH_WRITTEN_BYTES] = "flash_written_bytes",
		[WORKER_FORWARD_SENT_BYTES] = "sent_bytes",
		[WORKER_FORWARD_HTTP_2XX] = "http_2xx",
		[WORKER_FORWARD_HTTP_4XX] = "http_4xx",
		[WORKER_FORWARD_HTTP_5XX] = "http_5xx",
	};

	for (unsigned i = 0; i < WORKER_FORWARD_VALUES; i++)
		json_uint(j, names[i], led.forward[i]);
}

/* What came was logged, whatever a table's counters said before they were removed with it. */
static void
settle(void)
{
	for (unsigned i = 0; led.have_counters && i < led.settings->n_groups; i++) {
		uint64_t known = led.page->group_received[i] + led.page->group_gap[i];

		if (known <= led.logged[i])
			continue;
		led.seen[i] += known - led.logged[i];
		led.logged[i] = known;
	}
}

void
ledger_get(struct ng_ledger *l)
{
	settle();
	*l = (struct ng_ledger){ .size = sizeof *l, .received = led.page->received, .gap = led.page->gap };
	for (unsigned i = 0; i < led.settings->n_groups; i++) {
		l->seen += led.seen[i];
		l->logged += led.logged[i];
		if (led.settings->groups[i].classes & NG_CLASS_HANDSHAKE)
			l->handshake_loss += led.page->group_gap[i] +
					     (led.seen[i] > led.logged[i] ? led.seen[i] - led.logged[i] : 0);
	}
}

uint64_t
ledger_loss(void)
{
	struct ng_ledger l;

	ledger_get(&l);
	return l.handshake_loss;
}

static const char *
class_name(uint32_t classes)
{
	switch (classes) {
	case NG_CLASS_HANDSHAKE:
		return "handshake";
	case NG_CLASS_ATTEMPT:
		return "attempt";
	case NG_CLASS_SAMPLE:
		return "sample";
	default:
		return "other";
	}
}

static void
put_groups(struct json *j)
{
	const struct settings *s = led.settings;

	json_list(j, "groups");
	for (unsigned i = 0; i < s->n_groups; i++) {
		const char *name = class_name(s->groups[i].classes);

		json_map(j, NULL);
		json_uint(j, "group", s->groups[i].group);
		json_str(j, "class", name, strlen(name));
		if (led.have_counters) {
			json_uint(j, "seen", led.seen[i]);
			json_uint(j, "logged", led.logged[i]);
		}
		json_uint(j, "received", led.page->group_received[i]);
		json_uint(j, "gap", led.page->group_gap[i]);
		json_close(j);
	}
	json_close(j);
}

void
ledger_report(int64_t now_us, int64_t wall_us, const struct flow_stats *fs, uint32_t flows_max,
	      uint64_t posture)
{
	const struct worker_page *page = led.page;
	struct json *j = report_open("stat", wall_us);
	struct ng_ledger l;
	struct rusage ru;

	if (!j)
		return;
	ledger_get(&l);
	json_int(j, "window_us", led.since_us ? now_us - led.since_us : 0);
	led.since_us = now_us;
	json_raw_str(j, "version", VERSION, strlen(VERSION));
	json_uint(j, "seq_first", page->seq_first);
	if (led.have_counters) {
		json_uint(j, "seen", l.seen);
		json_uint(j, "logged", l.logged);
		json_uint(j, "sampled_out", l.seen > l.logged ? l.seen - l.logged : 0);
		json_uint(j, "tail", l.logged > l.received + l.gap ? l.logged - l.received - l.gap : 0);
	}
	json_uint(j, "received", page->received);
	json_uint(j, "gap", page->gap);
	json_uint(j, "parsed", page->parsed);
	json_uint(j, "truncated", page->truncated);
	json_uint(j, "malformed", page->malformed);
	json_uint(j, "unsupported", page->unsupported);
	json_uint(j, "in_hand", page->in_hand);
	json_uint(j, "filtered", page->filtered);
	json_uint(j, "no_ts", led.no_ts);
	json_uint(j, "clock_steps", fs->clock_steps);
	json_uint(j, "flows_max", flows_max);
	json_uint(j, "pkts", page->received);
	json_uint(j, "kernel_drops", page->gap);
	json_uint(j, "enobufs", led.enobufs);
	json_uint(j, "flows_live", fs->live);
	json_uint(j, "flows_evicted", fs->evicted);
	json_uint(j, "reports", page->reports + 1); /* with this one */
	json_uint(j, "reports_dropped", page->reports_dropped);
	if (led.have_forward)
		put_forward(j);
	if (!led.replay) {
		if (!getrusage(RUSAGE_SELF, &ru)) {
			json_int(j, "cpu_us", (ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000LL +
						      ru.ru_utime.tv_usec + ru.ru_stime.tv_usec);
			json_int(j, "rss_kib", ru.ru_maxrss); /* the most it ever was */
		}
		json_map(j, "sandbox");
		json_bool(j, "no_caps", !!(posture & WORKER_POSTURE_NO_CAPS));
		json_bool(j, "no_new_privs", !!(posture & WORKER_POSTURE_NO_NEW_PRIVS));
		json_bool(j, "seccomp", !!(posture & WORKER_POSTURE_SECCOMP));
		json_bool(j, "landlock", !!(posture & WORKER_POSTURE_LANDLOCK));
		json_close(j);
		put_groups(j);
		plugins_stat(j);
	}
	report_close();
}
