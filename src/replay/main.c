/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * replay - the analyzer's stages fed from a capture: `net-gazer -r FILE`.  Started by net-gazer(8)
 * with the descriptors of src/worker.h; needs no right.  Reports go to stdout.
 */
#include <errno.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyzer/batch.h"
#include "analyzer/engine.h"
#include "analyzer/packet.h"
#include "analyzer/plugins.h"
#include "analyzer/report.h"
#include "analyzer/sandbox.h"
#include "analyzer/settings.h"
#include "frame.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "worker.h"

/* Timers that a gap between two packets may run; a plugin's 500 ms timer gets through an hour. */
#define TICKS_MAX 10000

#define PROGRESS_US 200000

static struct settings settings;
static struct worker_page page = { .seq = 1, .seq_first = 1 };
static volatile sig_atomic_t interrupted;
static char crash_names[WORKER_PLUGINS_MAX][WORKER_NAME_MAX + 64];

static void
on_interrupt(int signo)
{
	(void)signo;
	interrupted = 1;
}

/* No parent watches a replay: say who it was. */
static void
on_crash(int signo)
{
	const char *text = "net-gazer: replay: error: crashed outside of any plugin\n";

	if (page.plugin && page.plugin <= WORKER_PLUGINS_MAX)
		text = crash_names[page.plugin - 1];
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		_exit(128 + signo);
	_exit(128 + signo);
}

static void
watch_crashes(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL };
	struct sigaction sa = { .sa_handler = on_crash };
	struct sigaction stop = { .sa_handler = on_interrupt };

	for (unsigned i = 0; i < settings.n_plugins; i++) {
		const char *name = strrchr(settings.plugins[i].path, '/');

		snprintf(crash_names[i], sizeof crash_names[i],
			 "net-gazer: replay: error: plugin %.31s crashed\n",
			 name ? name + 1 : settings.plugins[i].path);
	}
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		sigaction(signals[i], &sa, NULL);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
}

/* Runs everything that is due before `until_us`. */
static void
advance(int64_t until_us)
{
	static int64_t now_us, next_us = INT64_MAX;

	if (!now_us) {
		engine_start(until_us, until_us, NULL);
		now_us = until_us;
	}
	for (int n = 0; n < TICKS_MAX && next_us <= until_us; n++) {
		now_us = next_us > now_us ? next_us : now_us;
		engine_turn(now_us, now_us);
		next_us = engine_expire();
	}
	if (until_us > now_us)
		now_us = until_us;
	engine_turn(now_us, now_us);
	next_us = engine_expire();
}

static uint32_t
classes_of_group(uint16_t group)
{
	for (unsigned i = 0; i < settings.n_groups; i++) {
		if (settings.groups[i].group == group)
			return settings.groups[i].classes;
	}
	return 0;
}

static void
one_packet(int dlt, const struct pcap_pkthdr *h, const u_char *bytes)
{
	int64_t ts_us = (int64_t)h->ts.tv_sec * 1000000 + h->ts.tv_usec;
	struct ng_packet p;

	if (dlt == DLT_NFLOG) {
		struct cur c = cur_of(bytes, h->caplen);
		struct batch_msg m;

		if (batch_body(&c, &m)) {
			packet_decode(&p, "", 0);
			p.status = NG_PACKET_MALFORMED;
		} else {
			packet_decode(&p, m.payload ? m.payload : (const uint8_t *)"", m.payload_len);
			if (m.has_ts) /* libpcap stamps when it reads, up to a second later */
				ts_us = m.ts_us;
			p.hook = engine_hook(&m);
			p.group = m.group;
			p.mark = m.mark;
			p.vlan = m.vlan;
			p.classes = classes_of_group(m.group);
		}
	} else {
		struct frame f;

		frame_decode(&f, dlt, bytes, h->caplen);
		packet_decode(&p, f.ip ? f.ip : (const uint8_t *)"", f.len);
		if (!f.ip)
			p.status = h->caplen < h->len ? NG_PACKET_TRUNCATED : NG_PACKET_UNSUPPORTED;
		p.vlan = f.vlan;
	}
	p.has |= p.vlan ? NG_HAS_VLAN : 0;
	p.ts_us = ts_us;
	advance(ts_us);
	engine_packet(&p);
}

static void
progress(FILE *f, int64_t size, int64_t began_us, int last)
{
	static int64_t said_us;
	int64_t now_us = clock_mono_us(), at = ftello(f);
	double seconds = (double)(now_us - began_us) / 1e6;

	if (!last && now_us - said_us < PROGRESS_US)
		return;
	said_us = now_us;
	fprintf(stderr, "\rreplay: %3lld %%  %llu packets  %llu reports  %.0f packets/s ",
		size > 0 ? (long long)(at * 100 / size) : 0, (unsigned long long)page.received,
		(unsigned long long)page.reports, seconds > 0 ? (double)page.received / seconds : 0);
	if (last)
		fputc('\n', stderr);
}

static void
close_file(FILE **f)
{
	if (*f)
		fclose(*f);
	*f = NULL;
}

int
main(void)
{
	char err[300], pcap_err[PCAP_ERRBUF_SIZE] = "";
	const char *path;
	struct pcap_pkthdr *header;
	struct stat st;
	const u_char *bytes;
	struct frame probe;
	int64_t began_us = clock_mono_us();
	int terminal = isatty(STDERR_FILENO), dlt, r = 0, status = 0;
	unsigned n = 0;
	uint32_t open;
	uint64_t posture;
	pcap_t *pcap;
	FILE *f;

	log_init("net-gazer: replay", LOG_L_INFO);
	if (settings_read(&settings, WORKER_FD_SETTINGS, err, sizeof err))
		fatal("%s", err);
	log_set_level((enum log_level)settings.verbose);
	path = settings.replay_path;
	f = settings.replay_fd >= 0 ? fdopen(settings.replay_fd, "rb") : NULL;
	if (!f || fstat(settings.replay_fd, &st))
		fatal("no capture: this program is started by net-gazer -r FILE");
	engine_load(&(struct engine_conf){ &settings, &page, NULL, 1, STDOUT_FILENO });
	watch_crashes();

	posture = sandbox_close();

	/* From here on bytes are somebody else's. */
	pcap = pcap_fopen_offline_with_tstamp_precision(f, PCAP_TSTAMP_PRECISION_MICRO, pcap_err);
	if (!pcap) {
		close_file(&f);
		fatal("%s: %s", path, pcap_err);
	}
	dlt = pcap_datalink(pcap);
	if (dlt != DLT_NFLOG && frame_decode(&probe, dlt, "", 0)) {
		const char *name = pcap_datalink_val_to_name(dlt);

		fatal("%s: link type %d (%s) is not one of Ethernet, raw IP, Linux cooked v1 and v2, NFLOG, BSD "
		      "loopback", path, dlt, name ? name : "unknown");
	}
	while (!interrupted && (r = pcap_next_ex(pcap, &header, &bytes)) == 1) {
		one_packet(dlt, header, bytes);
		if (terminal && ++n % 1024 == 0)
			progress(f, st.st_size, began_us, 0);
	}
	if (r == PCAP_ERROR) {
		log_error("%s: after %llu packets: %s", path, (unsigned long long)page.received,
			  pcap_geterr(pcap));
		status = 1;
	}
	if (!page.received)
		advance(1);
	engine_stop(posture, &open);
	if (report_flush()) {
		log_error("cannot write reports: %s", strerror(errno));
		status = 1;
	}
	if (terminal)
		progress(f, st.st_size, began_us, 1);
	if (open)
		log_at(LOG_L_DEBUG, "%u handshakes had neither answer nor timeout when the capture ended", open);
	pcap_close(pcap); /* closes f */
	return status;
}
