/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * json.c - struct prober_result to JSON.
 */
#include "json.h"

#include <stdio.h>
#include <string.h>

#include "lib/addr.h"
#include "lib/json.h"
#include "trace/path.h"

#define SENT_MAX 10 /* the schema's */

static const char *const methods[PROBER_METHODS] = { "tcp-syn", "udp", "icmp", "tcp-ack" };

static void
put_text(struct json *j, const char *name, const char *text)
{
	json_str(j, name, text, strlen(text));
}

static void
put_addr(struct json *j, const char *name, uint8_t ipv, const uint8_t *addr)
{
	char text[ADDR_TEXT];
	size_t n = addr_print(text, ipv, addr);

	json_str(j, name, text, n);
}

static void
put_hop(struct json *j, uint8_t ipv, const struct prober_hop *h)
{
	char icmp[8];

	json_map(j, NULL);
	json_uint(j, "ttl", h->ttl);
	if (h->flags & PROBER_HOP_ANSWERED)
		put_addr(j, "ip", ipv, h->addr);
	if (h->n_rtt) {
		json_list(j, "rtt_us");
		for (unsigned i = 0; i < h->n_rtt; i++)
			json_uint(j, NULL, h->rtt_us[i]);
		json_close(j);
	}
	if (h->sent)
		json_uint(j, "sent", h->sent < SENT_MAX ? h->sent : SENT_MAX);
	if (h->flags & PROBER_HOP_ICMP) {
		snprintf(icmp, sizeof icmp, "%u/%u", h->icmp_type, h->icmp_code);
		put_text(j, "icmp", icmp);
	}
	if (h->reply_ttl)
		json_uint(j, "reply_ttl", h->reply_ttl);
	if (h->n_mpls) {
		json_list(j, "mpls");
		for (unsigned i = 0; i < h->n_mpls; i++) {
			json_map(j, NULL); /* RFC 3032 section 2.1 */
			json_uint(j, "label", h->mpls[i] >> 12);
			json_uint(j, "tc", h->mpls[i] >> 9 & 7);
			json_uint(j, "s", h->mpls[i] >> 8 & 1);
			json_uint(j, "ttl", h->mpls[i] & 255);
			json_close(j);
		}
		json_close(j);
	}
	if (h->flags & PROBER_HOP_NAT)
		json_bool(j, "nat", 1);
	if (h->flags & PROBER_HOP_CACHED)
		json_bool(j, "cached", 1);
	json_close(j);
}

int
json_path(char out[TRACE_JSON_MAX], const struct prober_result *r)
{
	static const uint8_t none[16];
	uint64_t hash = path_hash(r);
	int ports = r->method != PROBER_ICMP, has_src = memcmp(r->src, none, 16) != 0, e;
	char text[17];
	struct json j;

	json_begin(&j, out, TRACE_JSON_MAX);
	json_map(&j, NULL);
	if (r->ts_us)
		json_time(&j, "ts", r->ts_us);
	if (has_src)
		put_addr(&j, "src_ip", r->ipv, r->src);
	if (has_src && ports)
		json_uint(&j, "src_port", r->sport);
	put_addr(&j, "dst_ip", r->ipv, r->dst);
	if (ports)
		json_uint(&j, "dst_port", r->dport);
	put_text(&j, "proto", r->method == PROBER_UDP ? "udp" : ports ? "tcp" : r->ipv == 4 ? "icmp" : "icmp6");
	put_text(&j, "method", methods[r->method]);
	put_text(&j, "trigger", "manual");
	json_uint(&j, "flow_id", r->flow);
	json_bool(&j, "reached", r->reached);
	json_uint(&j, "dur_us", r->dur_us);
	if (hash) {
		snprintf(text, sizeof text, "%016llx", (unsigned long long)hash);
		put_text(&j, "path_hash", text);
	}
	json_list(&j, "hops");
	for (unsigned i = 0; i < r->n_hops; i++)
		put_hop(&j, r->ipv, &r->hop[i]);
	json_close(&j);
	json_close(&j);
	e = json_end(&j);
	return e ? e : (int)j.len;
}
