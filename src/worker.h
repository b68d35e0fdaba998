/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * worker.h - what the parent (src/sensor) and the processes it starts agree on.
 *
 * Every worker is executed through a descriptor (fexecve), with no capability, uid and gid
 * already changed, and these descriptors open:
 *
 *   0 /dev/null (forwarder: the report pipe, reading end)
 *   1 /dev/null (analyzer --describe, replay: the text asked for)
 *   2 stderr, for log lines
 *   3 settings: a sealed memfd of "key=value" lines, see below
 *   4 page: a shared memfd of one struct worker_page and, at WORKER_TOP_OFFSET, one struct worker_top
 *     (analyzer), of one struct worker_forward_page (forwarder)
 *   5 control: SOCK_SEQPACKET, one struct worker_msg a packet (analyzer only)
 *   6 report pipe, writing end, O_NONBLOCK (analyzer only)
 *   7 and up: NFLOG sockets and plugin files, named in the settings
 *
 * The parent believes nothing that it reads from the page or from fd 5 beyond its own reports:
 * numbers are bounded, names come from the parent's own list.
 *
 * Settings of the analyzer and of replay; (*) may come more than once:
 *
 *   sensor=NAME  boot=HEX8  verbose=LEVEL (enum log_level, 0..3)  flows=N  syn-timeout-ms=N  version=TEXT
 *   home=PREFIX (*)           home network
 *   iface=NAME (*)            only packets that came in or go out here; none: all
 *   replay=FD PATH            replay only: the capture
 *   group=NUMBER CLASSES FD (*)   a bound NFLOG group; CLASSES as in enum ng_class; FD >= 7
 *                             (replay: what a group of an NFLOG capture means; FD is not used)
 *   prober=FD                 SOCK_SEQPACKET to the prober (src/prober.h); both ends outlive either
 *                             process.  None: there is no prober, nothing can be traced
 *   hand=FD                   a memfd of WORKER_HAND_BYTES, where it leaves its open handshakes when it ends in order
 *   take=FD                   the one that its predecessor had; empty: that one crashed.  None: it is the first
 *   plugin=FD PATH (*)        a plugin's file, opened and checked by the parent
 *   disabled=NAME (*)         loaded for its name, never started
 *   option=PLUGIN NAME VALUE (*)  VALUE is the rest of the line
 *
 * Settings of the forwarder: src/forwarder/settings.c has their table.
 *
 * `analyzer --describe` prints, for each plugin=, one of
 *
 *   plugin NAME VERSION EVENTS CLASSES SNAPLEN    then, for each option:
 *   option NAME TYPE MIN MAX DEFAULT<TAB>HELP     DEFAULT may be empty; TYPE: bool int str
 *   error PATH<TAB>REASON
 */
#ifndef WORKER_H
#define WORKER_H

#include <stdint.h>

#include "lib/priv.h"

#define WORKER_FD_SETTINGS 3
#define WORKER_FD_PAGE 4
#define WORKER_FD_CONTROL 5
#define WORKER_FD_REPORTS 6
#define WORKER_FD_FIRST 7

#define WORKER_PLUGINS_MAX 16
#define WORKER_GROUPS_MAX 16
#define WORKER_NAME_MAX 32 /* with the NUL */
#define WORKER_LINE_MAX 1024

#define WORKER_HAND_FLOW 128
#define WORKER_HAND_BYTES(flows) (((uint64_t)(flows) + 1) * WORKER_HAND_FLOW)

/* A report line is at most this long, newline included (schema rule). */
#define WORKER_REPORT_MAX 16384

/* The pipe's size that the parent asks for (F_SETPIPE_SZ): about 2,000 reports. */
#define WORKER_PIPE_BYTES (1 << 20)

enum worker_stage {
	WORKER_STAGE_START = 0,
	WORKER_STAGE_LOOP = 1,
	WORKER_STAGE_DECODE = 2,
	WORKER_STAGE_FLOW = 3,
	WORKER_STAGE_PLUGIN = 4,
	WORKER_STAGE_DRAIN = 5,
};

/* Shared memory, written by the analyzer, zeroed once by the parent; it outlives a crash of the
 * analyzer, so that `seq` goes on and the culprit is known.  The next analyzer maps it again. */
struct worker_page {
	uint64_t seq;          /* of the next report; the parent sets the first, see below */
	uint64_t seq_first;    /* of this run of net-gazer: CLOCK_BOOTTIME in us at its start, so that
				* a second run in the same boot never repeats a number */
	uint32_t heartbeat;    /* changes at least once a second */
	uint32_t stage;        /* enum worker_stage */
	uint32_t plugin;       /* 1 + index of the plugin=... line that is running; 0: none */
	uint32_t event;        /* enum ng_event_type that it was given */
	/* Totals since the parent started; a new analyzer adds to them. */
	uint64_t received;     /* NFLOG packets */
	uint64_t gap;          /* sequence numbers missing */
	uint64_t parsed;
	uint64_t truncated;
	uint64_t malformed;
	uint64_t unsupported;
	uint64_t reports;
	uint64_t reports_dropped;
	uint64_t in_hand;      /* packets of the netlink batch being worked on: lost in a crash */
	/* Reader's position in each group, so that a new analyzer finds the gap that a crash left:
	 * index as in the group= lines; next_seq counts from 0 at bind (NFULA_SEQ). */
	uint64_t next_seq[WORKER_GROUPS_MAX];
	uint64_t group_received[WORKER_GROUPS_MAX];
	uint64_t group_gap[WORKER_GROUPS_MAX];
	uint64_t filtered;     /* of the received, by the option iface */
	uint64_t reserved[7];
};

/* Who is busy: behind the page, as untrusted as that.  A row's numbers are of half minutes
 * (CLOCK_MONOTONIC): n[0] of number `half`, n[1] of the one before. */
#define WORKER_TOP_OFFSET 65536 /* a whole page on every machine */
#define WORKER_TOP_HALF_US 30000000
#define WORKER_TOP_ROWS 192
#define WORKER_TOP_SOURCES 128
#define WORKER_TOP_RTTS 28 /* below 256 us; then two to each doubling: 256, 384, 512, 768, ... */

struct worker_top_half {
	uint32_t conns;        /* answered */
	uint32_t failed;       /* refused, timed out, unreachable */
	uint32_t retrans;      /* SYNs */
	uint16_t rtt[WORKER_TOP_RTTS];
};

struct worker_top_row {        /* a destination of connections that did not come from outside */
	uint8_t addr[16];
	uint16_t port;
	uint8_t ipv;           /* 0: free */
	uint8_t pad;
	uint32_t half;
	struct worker_top_half n[2];
};

struct worker_top_source {     /* who knocks from outside */
	uint8_t addr[16];
	uint16_t port;         /* the last one he knocked at */
	uint8_t ipv;           /* 0: free */
	uint8_t pad;
	uint32_t half;
	uint32_t n[2];         /* SYNs */
};

struct worker_top {
	uint64_t conns;        /* totals since the parent started */
	uint64_t failed;
	uint64_t attempts;
	uint64_t evicted;      /* rows that others took over while they were busy */
	struct worker_top_row row[WORKER_TOP_ROWS];
	struct worker_top_source source[WORKER_TOP_SOURCES];
};

enum worker_msg_type {
	WORKER_MSG_READY = 1,    /* analyzer -> parent: sandbox closed, reading */
	WORKER_MSG_COUNTERS = 2, /* parent -> analyzer, every 10 s: named counters of the rules */
	WORKER_MSG_PLUGIN_BAD = 3, /* analyzer -> parent: start() failed; value[0] = index */
	WORKER_MSG_FORWARD = 4,  /* parent -> analyzer, with COUNTERS when there is a forwarder: value[] as below */
};

/* One packet on fd 5; any other size is an error. */
struct worker_msg {
	uint32_t type;
	uint32_t n;
	/* COUNTERS: for group i of the group= lines, value[2 i] = seen, value[2 i + 1] = logged
	 * (packets).  READY: value[0] = posture, WORKER_POSTURE_* ORed. */
	uint64_t value[2 * WORKER_GROUPS_MAX];
};

/* FORWARD: for the stat report, out of struct worker_forward_page. */
enum worker_forward_value {
	WORKER_FORWARD_SPOOL_BYTES,
	WORKER_FORWARD_FLASH_WRITTEN_BYTES,
	WORKER_FORWARD_SENT_BYTES,
	WORKER_FORWARD_HTTP_2XX,
	WORKER_FORWARD_HTTP_4XX,
	WORKER_FORWARD_HTTP_5XX,
	WORKER_FORWARD_VALUES,
};

/* What has become of the reports.  Totals since the parent started; a new forwarder adds to them.
 *
 *   received + recovered = acknowledged + rejected + quarantined + dropped + waiting */
struct worker_forward_counts {
	uint64_t received;     /* whole reports out of the pipe */
	uint64_t recovered;    /* found in the spool at the start, or dropped from it before that */
	uint64_t acknowledged;
	uint64_t rejected;     /* the collector has them, and will not store them */
	uint64_t quarantined;  /* given up after three refusals, each alone */
	uint64_t dropped;      /* for room, or lost with a forwarder that was killed */
	uint64_t spooled;      /* waiting, in the spool directory */
};

enum worker_forward_state {
	WORKER_FORWARD_STARTING = 0,
	WORKER_FORWARD_OK = 1,       /* nothing has failed since the last answer */
	WORKER_FORWARD_RETRYING = 2, /* no answer, 5xx, 429 */
	WORKER_FORWARD_HELD = 3,     /* 401, 403, 409: somebody has to act */
	WORKER_FORWARD_CLOCK = 4,    /* https, and this machine's clock is before the build's date */
};

/* Shared memory, written by the forwarder, zeroed once by the parent; it outlives the forwarder.  Whoever
 * shows `why` takes at most its size of it and escapes it: the words are a collector's. */
struct worker_forward_page {
	struct worker_forward_counts now;
	struct worker_forward_counts next; /* while `prepared`: what `now` becomes when the spool has done it */
	uint64_t waiting;      /* all that wait: open batch, memory, spool */
	uint64_t queue_bytes;  /* batches in memory */
	uint64_t queue_limit_bytes;
	uint64_t spool_bytes;  /* segments in the directory */
	uint64_t spool_limit_bytes; /* 0: no spool */
	uint64_t spool_damaged;     /* places in segments that were no record */
	uint64_t flash_written_bytes; /* into the spool's directory where that is on a disk */
	uint64_t sent_bytes;   /* bodies of posts */
	uint64_t posts;
	uint64_t http_2xx;
	uint64_t http_4xx;
	uint64_t http_5xx;
	int64_t ack_us;        /* CLOCK_BOOTTIME of the last 2xx; 0: none yet */
	int64_t next_try_us;   /* CLOCK_BOOTTIME; 0: nothing is waited for */
	uint32_t starts;       /* of forwarders */
	uint32_t prepared;
	uint32_t state;        /* enum worker_forward_state */
	uint32_t tries;        /* failures in a row */
	uint32_t spool_error;  /* errno of the last write that failed; 0 since one worked */
	uint32_t spool_tmpfs;  /* 1: the directory is in memory */
	uint32_t posture;      /* WORKER_POSTURE_* */
	char why[164];         /* the last failure's words, NUL-terminated; empty: none */
	uint16_t renamed;      /* 1: another machine has our name and boot, reports go out as NAME-xxxx */
	uint16_t renamed_to;   /* xxxx */
	uint64_t reserved[7];
};

/* As priv_cage() tells it. */
#define WORKER_POSTURE_NO_NEW_PRIVS PRIV_NO_NEW_PRIVS
#define WORKER_POSTURE_SECCOMP PRIV_SECCOMP
#define WORKER_POSTURE_LANDLOCK PRIV_LANDLOCK
#define WORKER_POSTURE_NO_CAPS PRIV_NO_CAPS

#endif
