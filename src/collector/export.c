/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * export.c - `net-gazer-collector export`: the reports of the days, to stdout.  A line is made by SQL
 * out of the report's JSON; what a report does not tell is left out (json_patch() drops nulls).
 *
 * ndjson is what `import` takes.  csv has a column for each field that most reports of a type have.  The others
 * are what other programs read: Suricata's EVE, Zeek's conn.log as JSON, Elastic's ECS 8, OCSF 1.3's class
 * Network Activity.  They have what they have a place for: a flow is one port, so an attempt is one for each port that
 * was knocked at, and one that was let in is a connection already; events may be of many ports, and of a path.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "column.h"
#include "command.h"
#include "days.h"
#include "dbfile.h"
#include "lib/log.h"
#include "report.h"
#include "text.h"

#define F(name) "(json ->> '$." name "')"
/* Seconds of ts, and its fraction. */
#define TS_S "unixepoch(substr(" F("ts") ", 1, 19))"
#define ID F("sensor") " || '/' || " F("boot") " || '/' || seq"
#define SYN_SENT "state IN (3, 4)" /* timeout, unreachable: nobody answered */
#define V6 "instr(src_ip, ':') > 0"
#define PROTO_NUMBER \
	"CASE " F("proto") " WHEN 'tcp' THEN 6 WHEN 'udp' THEN 17 WHEN 'icmp' THEN 1 WHEN 'icmp6' THEN 58 ELSE 132 END"
/* What only we have. */
#define OWN \
	"json_object('sensor', sensor, 'state', " F("state") ", 'rtt_us', " F("rtt_us") ", 'rtt_src_us', " F("rtt_src_us") \
	", 'setup_us', " F("setup_us") ", 'syn_retrans', " F("syn_retrans") ", 'sample_n', " F("sample_n") ")"

static const char ndjson[] = "substr(json, 1, length(json) - 1) || ',\"rx_ts\":\"' || strftime('%Y-%m-%dT%H:%M:%S', "
			     "rx_us / 1000000, 'unixepoch') || printf('.%06dZ\"}', rx_us % 1000000)";

static const char eve[] =
	"json_patch('{}', json_object('timestamp', substr(" F("ts") ", 1, 26) || '+0000', 'flow_id', id, 'event_type', 'flow',"
	" 'src_ip', src_ip, 'src_port', " F("src_port") ", 'dest_ip', dst_ip, 'dest_port', dst_port,"
	" 'proto', upper(" F("proto") "), 'in_iface', " F("iif") ", 'community_id', " F("community_id") ", 'host', sensor,"
	" 'flow', json_object('start', substr(" F("ts") ", 1, 26) || '+0000', 'state',"
	"   CASE state WHEN 0 THEN 'established' WHEN 2 THEN 'closed' ELSE 'new' END,"
	"   'reason', CASE WHEN " SYN_SENT " THEN 'timeout' END),"
	" 'netgazer', " OWN "))";

/* S0: no answer; REJ: refused; S1: answered and no end seen; RSTOS0: given up by the initiator; SHR: the answer only. */
static const char zeek[] =
	"json_patch('{}', json_object('ts', json(" TS_S " || '.' || substr(" F("ts") ", 21, 6)), 'uid', " ID ","
	" 'id.orig_h', src_ip, 'id.orig_p', " F("src_port") ", 'id.resp_h', dst_ip, 'id.resp_p', dst_port,"
	" 'proto', " F("proto") ", 'conn_state', CASE state WHEN 0 THEN 'S1' WHEN 1 THEN 'S1' WHEN 2 THEN 'REJ'"
	"   WHEN 5 THEN 'RSTOS0' WHEN 6 THEN 'SHR' ELSE 'S0' END, 'history', " F("history") ","
	" 'local_orig', json(CASE " F("dir") " WHEN 'outbound' THEN 'true' WHEN 'internal' THEN 'true' WHEN 'local' THEN 'true'"
	"   WHEN 'inbound' THEN 'false' WHEN 'external' THEN 'false' ELSE 'null' END),"
	" 'local_resp', json(CASE " F("dir") " WHEN 'outbound' THEN 'false' WHEN 'external' THEN 'false' WHEN 'inbound' THEN 'true'"
	"   WHEN 'internal' THEN 'true' WHEN 'local' THEN 'true' ELSE 'null' END),"
	" 'community_id', " F("community_id") ", 'rtt', " F("rtt_us") " / 1000000.0, '_system_name', sensor))";

static const char ecs[] =
	"json_patch('{}', json_object('@timestamp', " F("ts") ", 'ecs', json_object('version', '8.11.0'),"
	" 'event', json_object('kind', 'event', 'category', json_array('network'), 'type',"
	"   json_array('connection', CASE WHEN state < 2 THEN 'start' WHEN state = 2 THEN 'denied' ELSE 'end' END),"
	"   'action', 'conn', 'module', 'netgazer', 'outcome',"
	"   CASE WHEN state < 2 THEN 'success' WHEN state < 6 THEN 'failure' ELSE 'unknown' END,"
	"   'id', " ID ", 'sequence', seq, 'start', " F("ts") ", 'duration', " F("setup_us") " * 1000,"
	"   'ingested', strftime('%Y-%m-%dT%H:%M:%SZ', rx_us / 1000000, 'unixepoch')),"
	" 'source', json_object('ip', src_ip, 'port', " F("src_port") "), 'destination', json_object('ip', dst_ip, 'port', dst_port),"
	" 'network', json_object('transport', CASE " F("proto") " WHEN 'icmp6' THEN 'ipv6-icmp' ELSE " F("proto") " END,"
	"   'type', iif(" V6 ", 'ipv6', 'ipv4'), 'iana_number', CAST(" PROTO_NUMBER " AS TEXT),"
	"   'direction', CASE " F("dir") " WHEN 'local' THEN 'internal' ELSE " F("dir") " END, 'community_id', " F("community_id") "),"
	" 'observer', json_object('name', sensor, 'product', 'net-gazer',"
	"   'ingress', json_object('interface', json_object('name', " F("iif") "))),"
	" 'netgazer', " OWN "))";

/* activity: 1 open, 4 fail, 5 refuse; status: 1 success, 2 failure, 0 unknown. */
static const char ocsf[] =
	"json_patch('{}', json_object('category_uid', 4, 'class_uid', 4001, 'activity_id', CASE WHEN state < 2 THEN 1 WHEN state = 2 THEN 5"
	"   WHEN state < 6 THEN 4 ELSE 0 END, 'type_uid', 400100 + CASE WHEN state < 2 THEN 1 WHEN state = 2 THEN 5"
	"   WHEN state < 6 THEN 4 ELSE 0 END, 'severity_id', 1, 'status_id', CASE WHEN state < 2 THEN 1 WHEN state < 6 THEN 2 ELSE 0 END,"
	" 'time', " TS_S " * 1000 + CAST(substr(" F("ts") ", 21, 3) AS INTEGER), 'duration', " F("setup_us") " / 1000,"
	" 'metadata', json_object('version', '1.3.0', 'uid', " ID ", 'sequence', seq, 'logged_time', rx_us / 1000,"
	"   'product', json_object('name', 'net-gazer', 'vendor_name', 'net-gazer')),"
	" 'src_endpoint', json_object('ip', src_ip, 'port', " F("src_port") "),"
	" 'dst_endpoint', json_object('ip', dst_ip, 'port', dst_port),"
	" 'connection_info', json_object('protocol_name', " F("proto") ", 'protocol_num', " PROTO_NUMBER ","
	"   'protocol_ver_id', iif(" V6 ", 6, 4), 'direction_id', CASE " F("dir") " WHEN 'inbound' THEN 1 WHEN 'outbound' THEN 2"
	"   WHEN 'internal' THEN 3 WHEN 'local' THEN 4 WHEN 'external' THEN 99 ELSE 0 END,"
	"   'community_uid', " F("community_id") ", 'flag_history', " F("history") "),"
	" 'device', json_object('type_id', 12, 'uid', sensor), 'unmapped', " OWN "))";

/* ---- attempts: verdict 0 accepted, 1 dropped, 2 rejected, else unknown ---- */

/* A row for each port of an attempt that did not get in, `nth` from 0, `alone` when it is the only one. */
#define PORTS \
	"(SELECT a.id, a.sensor, a.seq, a.at_us, a.rx_us, a.src_ip, a.dst_ip, a.verdict, a.count, a.json AS json, p.value AS port, p.key AS nth," \
	"   coalesce(a.dst_ports_n, 0) <= 1 AND json_array_length(coalesce(a.json -> '$.dst_ports', '[]')) <= 1 AS alone" \
	" FROM attempt a, json_each(coalesce(a.json -> '$.dst_ports', json_array(a.json -> '$.dst_port'))) p" \
	" WHERE a.dst_ip IS NOT NULL AND p.value IS NOT NULL AND a.verdict IS NOT 0)"
#define ATTEMPT_PROTO "coalesce(" F("proto") ", 'tcp')"
/* Microseconds from the first to the last. */
#define LASTED_US \
	"((unixepoch(substr(" F("last_ts") ", 1, 19)) - " TS_S ") * 1000000 + CAST(substr(" F("last_ts") ", 21, 6) AS INTEGER) - " \
	"CAST(substr(" F("ts") ", 21, 6) AS INTEGER))"
#define OWN_ATTEMPT \
	"json_object('sensor', sensor, 'verdict', " F("verdict") ", 'kind', " F("kind") ", 'count', count, 'dst_ports', json(json -> '$.dst_ports')," \
	" 'dst_ports_n', " F("dst_ports_n") ", 'dst_ips_n', " F("dst_ips_n") ")"
#define KEPT_OUT "verdict IN (1, 2)"
/* The port, when there is one alone. */
#define ONLY_PORT \
	"coalesce(" F("dst_port") ", CASE json_array_length(coalesce(json -> '$.dst_ports', '[]')) WHEN 1 THEN json ->> '$.dst_ports[0]' END)"

static const char eve_attempt[] =
	"json_patch('{}', json_object('timestamp', substr(" F("ts") ", 1, 26) || '+0000', 'flow_id', id + (nth << 45), 'event_type', 'flow',"
	" 'src_ip', src_ip, 'src_port', " F("src_port") ", 'dest_ip', dst_ip, 'dest_port', port, 'proto', upper(" ATTEMPT_PROTO "),"
	" 'in_iface', " F("iif") ", 'community_id', " F("community_id") ", 'host', sensor,"
	" 'flow', json_object('pkts_toserver', iif(alone, count, NULL), 'pkts_toclient', iif(alone AND verdict IS 1, 0, NULL),"
	"   'start', substr(" F("ts") ", 1, 26) || '+0000', 'end', substr(" F("last_ts") ", 1, 26) || '+0000', 'age', " LASTED_US " / 1000000,"
	"   'state', iif(verdict IS 2, 'closed', 'new'), 'reason', iif(verdict IS 2, NULL, 'timeout'),"
	"   'action', iif(" KEPT_OUT ", 'drop', NULL)),"
	" 'netgazer', " OWN_ATTEMPT "))";

static const char zeek_attempt[] =
	"json_patch('{}', json_object('ts', json(" TS_S " || '.' || substr(" F("ts") ", 21, 6)), 'uid', " ID " || '/' || nth,"
	" 'id.orig_h', src_ip, 'id.orig_p', coalesce(" F("src_port") ", 0), 'id.resp_h', dst_ip, 'id.resp_p', port, 'proto', " ATTEMPT_PROTO ","
	" 'conn_state', iif(verdict IS 2, 'REJ', 'S0'), 'history', iif(verdict IS 2, 'Sr', 'S'), 'duration', " LASTED_US " / 1000000.0,"
	" 'orig_pkts', iif(alone, count, NULL), 'resp_pkts', iif(alone AND verdict IS 1, 0, NULL),"
	" 'local_orig', json(CASE " F("dir") " WHEN 'inbound' THEN 'false' WHEN 'external' THEN 'false' WHEN 'unknown' THEN 'null' ELSE 'true' END),"
	" 'local_resp', json(CASE " F("dir") " WHEN 'outbound' THEN 'false' WHEN 'external' THEN 'false' WHEN 'unknown' THEN 'null' ELSE 'true' END),"
	" 'community_id', " F("community_id") ", '_system_name', sensor))";

static const char ecs_attempt[] =
	"json_patch('{}', json_object('@timestamp', " F("ts") ", 'ecs', json_object('version', '8.11.0'),"
	" 'event', json_object('kind', 'event', 'category', json_array('network'), 'type',"
	"   CASE verdict WHEN 0 THEN json_array('connection', 'allowed') WHEN 1 THEN json_array('connection', 'denied')"
	"     WHEN 2 THEN json_array('connection', 'denied') ELSE json_array('connection') END,"
	"   'action', 'attempt', 'module', 'netgazer', 'outcome',"
	"   CASE WHEN verdict = 0 THEN 'success' WHEN " KEPT_OUT " THEN 'failure' ELSE 'unknown' END,"
	"   'id', " ID ", 'sequence', seq, 'start', " F("ts") ", 'end', " F("last_ts") ", 'duration', " LASTED_US " * 1000,"
	"   'ingested', strftime('%Y-%m-%dT%H:%M:%SZ', rx_us / 1000000, 'unixepoch')),"
	" 'source', json_object('ip', src_ip, 'port', " F("src_port") ", 'packets', count),"
	" 'destination', CASE WHEN coalesce(dst_ip, " ONLY_PORT ") NOT NULL THEN json_object('ip', dst_ip, 'port', " ONLY_PORT ") END, 'rule', CASE WHEN " F("rule") " NOT NULL THEN json_object('name', " F("rule") ") END,"
	" 'network', json_object('transport', CASE " ATTEMPT_PROTO " WHEN 'icmp6' THEN 'ipv6-icmp' ELSE " ATTEMPT_PROTO " END,"
	"   'type', iif(" V6 ", 'ipv6', 'ipv4'), 'direction', CASE " F("dir") " WHEN 'local' THEN 'internal' ELSE " F("dir") " END,"
	"   'community_id', " F("community_id") "),"
	" 'observer', json_object('name', sensor, 'product', 'net-gazer',"
	"   'ingress', json_object('interface', json_object('name', " F("iif") "))),"
	" 'netgazer', " OWN_ATTEMPT "))";

/* The firewall's word is of the profile security_control: action 1 allowed, 2 denied; disposition 1 allowed, 2 blocked, 6
 * dropped. */
#define ATTEMPT_ACTIVITY "CASE verdict WHEN 0 THEN 1 WHEN 1 THEN 4 WHEN 2 THEN 5 ELSE 6 END"
static const char ocsf_attempt[] =
	"json_patch('{}', json_object('category_uid', 4, 'class_uid', 4001, 'activity_id', " ATTEMPT_ACTIVITY ","
	" 'type_uid', 400100 + " ATTEMPT_ACTIVITY ", 'severity_id', 1,"
	" 'status_id', CASE WHEN verdict = 0 THEN 1 WHEN " KEPT_OUT " THEN 2 ELSE 0 END,"
	" 'action_id', CASE WHEN verdict = 0 THEN 1 WHEN " KEPT_OUT " THEN 2 ELSE 0 END,"
	" 'disposition_id', CASE verdict WHEN 0 THEN 1 WHEN 1 THEN 6 WHEN 2 THEN 2 ELSE 0 END,"
	" 'count', count, 'time', " TS_S " * 1000 + CAST(substr(" F("ts") ", 21, 3) AS INTEGER),"
	" 'start_time', " TS_S " * 1000 + CAST(substr(" F("ts") ", 21, 3) AS INTEGER),"
	" 'end_time', unixepoch(substr(" F("last_ts") ", 1, 19)) * 1000 + CAST(substr(" F("last_ts") ", 21, 3) AS INTEGER),"
	" 'duration', " LASTED_US " / 1000,"
	" 'metadata', json_object('version', '1.3.0', 'uid', " ID ", 'sequence', seq, 'logged_time', rx_us / 1000,"
	"   'profiles', json_array('security_control'), 'product', json_object('name', 'net-gazer', 'vendor_name', 'net-gazer')),"
	" 'src_endpoint', json_object('ip', src_ip, 'port', " F("src_port") "),"
	/* Several addresses: those behind the sensor. */
	" 'dst_endpoint', json_object('ip', dst_ip, 'port', " ONLY_PORT ", 'name', iif(dst_ip IS NULL, sensor, NULL)),"
	" 'connection_info', json_object('protocol_name', " ATTEMPT_PROTO ", 'protocol_ver_id', iif(" V6 ", 6, 4),"
	"   'direction_id', CASE " F("dir") " WHEN 'inbound' THEN 1 WHEN 'outbound' THEN 2 WHEN 'internal' THEN 3 WHEN 'local' THEN 4"
	"     WHEN 'external' THEN 99 ELSE 0 END, 'community_uid', " F("community_id") "),"
	" 'device', json_object('type_id', 12, 'uid', sensor), 'unmapped', " OWN_ATTEMPT "))";

/* ---- paths ---- */

#define TRACE_PROTO "CASE " F("method") " WHEN 'udp' THEN 'udp' WHEN 'icmp' THEN 'icmp' ELSE 'tcp' END"
#define TO_V6 "instr(" F("dst_ip") ", ':') > 0"
/* Who answered, the nearest first. */
#define HOP_IPS \
	"json((SELECT json_group_array(h.value ->> '$.ip') FROM json_each(r.json, '$.hops') h WHERE h.value ->> '$.ip' NOT NULL" \
	" AND h.value ->> '$.ip' IS NOT r.json ->> '$.dst_ip'))"
#define OWN_TRACE \
	"json_object('sensor', sensor, 'method', " F("method") ", 'trigger', " F("trigger") ", 'reached', json(json -> '$.reached')," \
	" 'path_hash', " F("path_hash") ", 'prev_path_hash', " F("prev_path_hash") ", 'hops', json(json -> '$.hops'))"

static const char ecs_trace[] =
	"json_patch('{}', json_object('@timestamp', " F("ts") ", 'ecs', json_object('version', '8.11.0'),"
	" 'event', json_object('kind', 'event', 'category', json_array('network'), 'type', json_array('info'),"
	"   'action', 'trace', 'module', 'netgazer', 'outcome', iif(" F("reached") ", 'success', 'failure'),"
	"   'id', " ID ", 'sequence', seq, 'start', " F("ts") ", 'duration', " F("dur_us") " * 1000,"
	"   'ingested', strftime('%Y-%m-%dT%H:%M:%SZ', rx_us / 1000000, 'unixepoch')),"
	" 'source', CASE WHEN " F("src_ip") " NOT NULL THEN json_object('ip', " F("src_ip") ") END,"
	" 'destination', json_object('ip', " F("dst_ip") ", 'port', " F("dst_port") ", 'domain', " F("dst_name") "),"
	" 'network', json_object('transport', iif(" F("method") " = 'icmp' AND " TO_V6 ", 'ipv6-icmp', " TRACE_PROTO "),"
	"   'type', iif(" TO_V6 ", 'ipv6', 'ipv4')),"
	" 'related', json_object('ip', " HOP_IPS "),"
	" 'observer', json_object('name', sensor, 'product', 'net-gazer'), 'netgazer', " OWN_TRACE "))";

static const char ocsf_trace[] =
	"json_patch('{}', json_object('category_uid', 4, 'class_uid', 4001, 'activity_id', 6, 'type_uid', 400106, 'severity_id', 1,"
	" 'status_id', iif(" F("reached") ", 1, 2), 'time', " TS_S " * 1000 + CAST(substr(" F("ts") ", 21, 3) AS INTEGER),"
	" 'duration', " F("dur_us") " / 1000,"
	" 'metadata', json_object('version', '1.3.0', 'uid', " ID ", 'sequence', seq, 'logged_time', rx_us / 1000,"
	"   'product', json_object('name', 'net-gazer', 'vendor_name', 'net-gazer')),"
	" 'src_endpoint', json_object('ip', " F("src_ip") ", 'name', sensor),"
	" 'dst_endpoint', json_object('ip', " F("dst_ip") ", 'port', " F("dst_port") ", 'hostname', " F("dst_name") ", 'intermediate_ips', " HOP_IPS "),"
	" 'connection_info', json_object('protocol_name', " TRACE_PROTO ", 'protocol_ver_id', iif(" TO_V6 ", 6, 4), 'direction_id', 0),"
	" 'device', json_object('type_id', 12, 'uid', sensor), 'unmapped', " OWN_TRACE "))";

/* What a row of a type becomes.  NULL: the format has no place for it; of csv: a column for each of its fields. */
static const struct {
	const char *name;
	int any; /* all types */
	const char *conn, *attempt, *trace;
	const char *attempts; /* the table, unless it is the plain one */
} formats[] = {
	{ "ndjson", 1, ndjson, ndjson, ndjson, NULL }, { "csv", 1, NULL, NULL, NULL, NULL },
	{ "eve", 0, eve, eve_attempt, NULL, PORTS }, { "zeek", 0, zeek, zeek_attempt, NULL, PORTS },
	{ "ecs", 0, ecs, ecs_attempt, ecs_trace, NULL }, { "ocsf", 0, ocsf, ocsf_attempt, ocsf_trace, NULL },
};

static const char *
line_of(int format, int type)
{
	return type == REPORT_ATTEMPT ? formats[format].attempt : type == REPORT_TRACE ? formats[format].trace
	     : type == REPORT_CONN || formats[format].any ? formats[format].conn : NULL;
}

static int
has_type(int format, int type)
{
	return formats[format].any || line_of(format, type);
}

/* Columns of csv: fields of the schema.  First the ones that all types have. */
#define CSV_OWN "ts,sensor,boot,seq"
static const char *const csv_fields[REPORT_TYPES] = {
	[REPORT_CONN] = CSV_OWN ",dir,src_ip,src_port,dst_ip,dst_port,dst_name,host,proto,state,history,rtt_us,rtt_ambiguous_us,"
			"rtt_src_us,setup_us,syn_retrans,synack_retrans,mss,wscale,sack_ok,ecn,ttl_src,ttl_dst,iif,oif,community_id,"
			"sample_n",
	[REPORT_QUALITY] = CSV_OWN ",src_ip,dst_ip,dst_port,proto,window_us",
	[REPORT_ATTEMPT] = CSV_OWN ",last_ts,dir,src_ip,dst_ip,dst_port,dst_ports,dst_ports_n,dst_ips_n,proto,count,verdict,kind,iif",
	[REPORT_TRACE] = CSV_OWN ",dst_ip,dst_port,dst_name,method,trigger,reached,path_hash,prev_path_hash,hops",
	[REPORT_ROLLUP] = CSV_OWN ",window_us,by,key,conns",
	[REPORT_STAT] = CSV_OWN ",window_us,seq_first,reports,seen,logged,received,parsed,gap,reports_dropped",
	[REPORT_PLUGIN] = CSV_OWN ",plugin,kind",
};

struct export {
	const struct conf *conf;
	int format;
	int64_t from_us, to_us;
	int all, wanted[REPORT_TYPES];
};

/* A field as RFC 4180 has it; one that is there and empty has quotes, so that import knows. */
static void
put_field(const char *text, size_t n)
{
	if (n && !memchr(text, ',', n) && !memchr(text, '"', n) && !memchr(text, '\n', n) && !memchr(text, '\r', n)) {
		fwrite(text, 1, n, stdout);
		return;
	}
	putchar('"');
	for (; n; n--, text++) {
		if (*text == '"')
			putchar('"');
		putchar(*text);
	}
	putchar('"');
}

static void
put_row(sqlite3_stmt *stmt)
{
	int n = sqlite3_column_count(stmt);

	for (int i = 0; i < n; i++) {
		const char *text = (const char *)sqlite3_column_text(stmt, i);

		if (i)
			putchar(',');
		if (n == 1 && text)
			fwrite(text, 1, (size_t)sqlite3_column_bytes(stmt, i), stdout);
		else if (text)
			put_field(text, (size_t)sqlite3_column_bytes(stmt, i));
	}
	putchar('\n');
}

/* What is selected of each row; to be freed. */
static char *
make_columns(const struct export *x, int type)
{
	const char *p;
	char *all = NULL;

	if (line_of(x->format, type))
		return sqlite3_mprintf("%s", line_of(x->format, type));
	for (p = csv_fields[type]; *p;) {
		int n = (int)strcspn(p, ",");
		char *more = sqlite3_mprintf("%z%sjson ->> '$.%.*s'", all, all ? ", " : "", n, p);

		if (!more)
			return NULL;
		all = more;
		p += n + (p[n] == ',');
	}
	return all;
}

/* Everything in the order in which it came, which is that of each sensor's numbers: an import into another database
 * then meets no more gaps than there were. */
static const char everything[] =
	"(SELECT id, at_us, rx_us, json FROM conn UNION ALL SELECT id, at_us, rx_us, json FROM attempt UNION ALL "
	"SELECT id, at_us, rx_us, json FROM stat UNION ALL SELECT id, at_us, rx_us, json FROM other)";

/* type: REPORT_TYPES are all of them. */
static int
export_type(const struct export *x, sqlite3 *db, int type)
{
	static const char *const tables[REPORT_TYPES] = { [REPORT_CONN] = "conn", [REPORT_ATTEMPT] = "attempt",
							  [REPORT_STAT] = "stat" };
	const char *table = type == REPORT_TYPES ? everything : type == REPORT_ATTEMPT && formats[x->format].attempts
				? formats[x->format].attempts : tables[type] ? tables[type] : "other";
	int of_other = type < REPORT_TYPES && !tables[type];
	char *columns = make_columns(x, type), *sql = NULL;
	sqlite3_stmt *stmt = NULL;
	size_t n = 0;
	const char *word = report_word(REPORT_WORDS_TYPE, type, &n);
	int r = SQLITE_NOMEM;

	if (columns)
		sql = sqlite3_mprintf("SELECT %s FROM %s AS r WHERE at_us >= ?1 AND at_us < ?2 %s ORDER BY id", columns, table,
				      of_other ? "AND type = ?3" : "");
	if (sql)
		r = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
	if (!r) {
		sqlite3_bind_int64(stmt, 1, x->from_us);
		sqlite3_bind_int64(stmt, 2, x->to_us);
		if (of_other)
			sqlite3_bind_text(stmt, 3, word, (int)n, SQLITE_STATIC);
		while ((r = sqlite3_step(stmt)) == SQLITE_ROW && !ferror(stdout))
			put_row(stmt);
	}
	sqlite3_finalize(stmt);
	sqlite3_free(sql);
	sqlite3_free(columns);
	return r == SQLITE_ROW || r == SQLITE_DONE ? SQLITE_OK : r;
}

static int
export_day(const struct export *x, int64_t day)
{
	char path[DBFILE_PATH_MAX];
	sqlite3 *db = NULL;
	int r;

	days_path(path, sizeof path, conf_str(x->conf, "database"), day);
	r = dbfile_open_read(&db, path, DAYS_APPLICATION);
	if (!r && x->all)
		r = export_type(x, db, REPORT_TYPES);
	for (int type = 0; type < REPORT_TYPES && !r && !x->all; type++) {
		if (x->wanted[type])
			r = export_type(x, db, type);
	}
	if (r)
		log_error("database %s: %s", path, db ? sqlite3_errmsg(db) : sqlite3_errstr(r));
	sqlite3_close(db);
	return r ? -1 : 0;
}

static int
by_day(const void *x, const void *y)
{
	const int64_t *a = x, *b = y;

	return *a < *b ? -1 : *a > *b;
}

/* Days that there are files of, oldest first; -1: it said why. */
static int
find_days(const struct conf *conf, int64_t **days)
{
	char folder[DBFILE_PATH_MAX];
	struct dirent *e;
	size_t n = 0;
	DIR *dir;

	snprintf(folder, sizeof folder, "%s.d", conf_str(conf, "database"));
	dir = opendir(folder);
	if (!dir) {
		log_error("folder %s: %s; the collector's database is named by `database`", folder, strerror(errno));
		return -1;
	}
	while ((e = readdir(dir))) {
		int64_t day = days_of_name(e->d_name), *more;

		if (day < 0)
			continue;
		more = realloc(*days, (n + 1) * sizeof **days);
		if (!more)
			fatal("out of memory");
		*days = more;
		more[n++] = day;
	}
	closedir(dir);
	if (n)
		qsort(*days, n, sizeof **days, by_day);
	return (int)n;
}

/* 0 or -1: it said why. */
static int
read_options(struct export *x)
{
	const struct conf *conf = x->conf;
	size_t n = conf_list_n(conf, "type");
	int types = 0, only = -1;

	while (strcmp(formats[x->format].name, conf_str(conf, "format")))
		x->format++;
	for (size_t i = 0; i < n; i++) {
		const char *word = conf_list(conf, "type", i);

		x->wanted[report_word_index(REPORT_WORDS_TYPE, word, strlen(word))] = 1;
	}
	for (int t = 0; t < REPORT_TYPES; t++) {
		if (!n)
			x->wanted[t] = has_type(x->format, t);
		if (x->wanted[t])
			only = t;
		types += x->wanted[t];
	}
	x->all = types == REPORT_TYPES;
	if (conf_str(conf, "from"))
		text_when(conf_str(conf, "from"), &x->from_us);
	if (conf_str(conf, "to"))
		text_when(conf_str(conf, "to"), &x->to_us);
	for (int t = 0; t < REPORT_TYPES; t++) {
		size_t len = 0;
		const char *word = report_word(REPORT_WORDS_TYPE, t, &len);

		if (!x->wanted[t] || has_type(x->format, t))
			continue;
		log_error("--format %s has no place for %.*s: it has %s", conf_str(conf, "format"), (int)len, word,
			  formats[x->format].trace ? "conn, attempt and trace" : "conn and attempt");
		return -1;
	}
	if (!line_of(x->format, REPORT_CONN)) {
		if (types != 1) {
			log_error("--format csv is a table of one type: name it with --type, such as --type conn");
			return -1;
		}
		puts(csv_fields[only]);
	}
	return 0;
}

int
export_command(const struct conf *conf, char *const *arguments, int n_arguments)
{
	struct export x = { .conf = conf, .to_us = INT64_MAX };
	int64_t *days = NULL;
	int n, bad = 0;

	(void)arguments;
	(void)n_arguments;
	if (read_options(&x))
		return 2;
	n = find_days(conf, &days);
	for (int i = 0; i < n && !ferror(stdout); i++) {
		/* A report counts at most 7 days before its receipt, never later. */
		if ((days[i] + 1) * DAYS_US > x.from_us && (x.to_us > INT64_MAX - 8 * DAYS_US || days[i] * DAYS_US < x.to_us + 8 * DAYS_US))
			bad |= export_day(&x, days[i]) != 0;
	}
	free(days);
	if (fflush(stdout) || ferror(stdout)) {
		log_error("stdout: %s", strerror(errno));
		bad = 1;
	}
	return n < 0 || bad ? 2 : 0;
}
