/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ruleset.c - the table of classes.c as nf_tables messages, through libnftnl; its expressions are
 * those that nft makes of nft/net-gazer.nft.
 */
#include "ruleset.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/object.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "prober.h"
#include "sensor/nft.h"
#include "sensor/ranges.h"

#define HOME_MAX 64
#define FLAGS (NG_TCP_FIN | NG_TCP_SYN | NG_TCP_RST | NG_TCP_ACK)
#define LO_IFINDEX 1 /* of every network namespace */
/* nft's numbers for data types, which its listing goes by (enum datatypes in nftables' datatype.h). */
#define NFT_TYPE_IPADDR 7
#define NFT_TYPE_IP6ADDR 8

struct ruleset {
	struct nft *nft;
	int ours;         /* the table is there, and we made it */
	int owner;        /* with the owner flag: it goes with us */
	uint32_t classes; /* whose chains there are */
};

int
ruleset_open(struct ruleset **out, char *err, size_t size)
{
	struct ruleset *r = calloc(1, sizeof *r);
	int e;

	snprintf(err, size, "out of memory");
	if (!r)
		return -ENOMEM;
	e = nft_open(&r->nft, err, size);
	if (e) {
		free(r);
		return e;
	}
	*out = r;
	return 0;
}

static void
put_table(struct ruleset *r, uint16_t type, uint16_t flags, uint32_t table_flags)
{
	struct nftnl_table *t = nftnl_table_alloc();
	struct nlmsghdr *h = nft_next(r->nft, type, flags, "table inet " CLASSES_TABLE);

	nftnl_table_set_str(t, NFTNL_TABLE_NAME, CLASSES_TABLE);
	if (table_flags)
		nftnl_table_set_u32(t, NFTNL_TABLE_FLAGS, table_flags);
	nftnl_table_nlmsg_build_payload(h, t);
	nftnl_table_free(t);
}

static void
put_counter(struct ruleset *r, const char *name, const char *which)
{
	struct nftnl_obj *o = nftnl_obj_alloc();
	char full[48];
	struct nlmsghdr *h;

	snprintf(full, sizeof full, "%s_%s", name, which);
	h = nft_next(r->nft, NFT_MSG_NEWOBJ, NLM_F_CREATE, "counter %s", full);
	nftnl_obj_set_str(o, NFTNL_OBJ_TABLE, CLASSES_TABLE);
	nftnl_obj_set_str(o, NFTNL_OBJ_NAME, full);
	nftnl_obj_set_u32(o, NFTNL_OBJ_TYPE, NFT_OBJECT_COUNTER);
	nftnl_obj_set_u64(o, NFTNL_OBJ_CTR_PKTS, 0);
	nftnl_obj_nlmsg_build_payload(h, o);
	nftnl_obj_free(o);
}

static void
put_chain(struct ruleset *r, uint16_t type, const struct classes_chain *c)
{
	struct nftnl_chain *n = nftnl_chain_alloc();
	struct nlmsghdr *h = nft_next(r->nft, type, NLM_F_CREATE, "chain %s", c->name);

	nftnl_chain_set_str(n, NFTNL_CHAIN_TABLE, CLASSES_TABLE);
	nftnl_chain_set_str(n, NFTNL_CHAIN_NAME, c->name);
	if (type == NFT_MSG_NEWCHAIN && !c->jumped_to) {
		nftnl_chain_set_str(n, NFTNL_CHAIN_TYPE, "filter");
		nftnl_chain_set_u32(n, NFTNL_CHAIN_HOOKNUM, c->hook);
		nftnl_chain_set_s32(n, NFTNL_CHAIN_PRIO, c->priority);
		nftnl_chain_set_u32(n, NFTNL_CHAIN_POLICY, NF_ACCEPT);
	}
	nftnl_chain_nlmsg_build_payload(h, n);
	nftnl_chain_free(n);
}

static void
set_element(struct nftnl_set *s, const void *key, uint32_t size, uint32_t flags)
{
	struct nftnl_set_elem *e = nftnl_set_elem_alloc();

	nftnl_set_elem_set(e, NFTNL_SET_ELEM_KEY, key, size);
	if (flags)
		nftnl_set_elem_set_u32(e, NFTNL_SET_ELEM_FLAGS, flags);
	nftnl_set_elem_add(s, e);
}

/* The set, emptied, and its elements. */
static void
put_home(struct ruleset *r, const struct ruleset_spec *spec, uint8_t ipv)
{
	const char *name = ipv == 4 ? "home4" : "home6";
	uint32_t size = ipv == 4 ? 4 : 16;
	struct nftnl_set *s = nftnl_set_alloc();
	struct range range[HOME_MAX];
	size_t n = ranges_merge(range, ipv, spec->home, spec->n_home < HOME_MAX ? spec->n_home : HOME_MAX);
	uint8_t end[16];

	nftnl_set_set_str(s, NFTNL_SET_TABLE, CLASSES_TABLE);
	nftnl_set_set_str(s, NFTNL_SET_NAME, name);
	nftnl_set_set_u32(s, NFTNL_SET_FAMILY, NFPROTO_INET);
	nftnl_set_set_u32(s, NFTNL_SET_ID, ipv);
	nftnl_set_set_u32(s, NFTNL_SET_FLAGS, NFT_SET_INTERVAL);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_TYPE, ipv == 4 ? NFT_TYPE_IPADDR : NFT_TYPE_IP6ADDR);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_LEN, size);
	nftnl_set_nlmsg_build_payload(
		nft_next(r->nft, NFT_MSG_NEWSET, NLM_F_CREATE, "set %s", name), s);
	/* Without elements: all of them. */
	nftnl_set_elems_nlmsg_build_payload(
		nft_next(r->nft, NFT_MSG_DELSETELEM, 0, "elements of set %s", name), s);
	for (size_t i = 0; i < n; i++) {
		set_element(s, range[i].first, size, 0);
		if (ranges_end(end, ipv, &range[i]))
			set_element(s, end, size, NFT_SET_ELEM_INTERVAL_END);
	}
	if (n)
		nftnl_set_elems_nlmsg_build_payload(nft_next(r->nft, NFT_MSG_NEWSETELEM, NLM_F_CREATE,
							     "elements of set %s", name), s);
	nftnl_set_free(s);
}

static struct nftnl_expr *
add(struct nftnl_rule *rule, const char *name)
{
	struct nftnl_expr *e = nftnl_expr_alloc(name);

	if (!e)
		fatal("libnftnl knows no expression \"%s\": it is too old", name);
	nftnl_rule_add_expr(rule, e);
	return e;
}

static void
add_cmp(struct nftnl_rule *rule, uint32_t op, const void *data, uint32_t size)
{
	struct nftnl_expr *e = add(rule, "cmp");

	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, op);
	nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, data, size);
}

static void
add_meta(struct nftnl_rule *rule, uint32_t key, uint32_t op, const void *data, uint32_t size)
{
	struct nftnl_expr *e = add(rule, "meta");

	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, NFT_REG_1);
	add_cmp(rule, op, data, size);
}

static void
add_load(struct nftnl_rule *rule, uint32_t base, uint32_t offset, uint32_t len)
{
	struct nftnl_expr *e = add(rule, "payload");

	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, len);
}

/* ct KEY, or ct original KEY: conntrack keeps it for each direction */
static void
add_ct(struct nftnl_rule *rule, uint32_t key, int original, const void *data, uint32_t size)
{
	struct nftnl_expr *e = add(rule, "ct");

	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, NFT_REG_1);
	if (original)
		nftnl_expr_set_u8(e, NFTNL_EXPR_CT_DIR, IP_CT_DIR_ORIGINAL);
	add_cmp(rule, NFT_CMP_EQ, data, size);
}

/* tcp flags & mask, compared with flags */
static void
add_tcp_masked(struct nftnl_rule *rule, uint8_t mask, uint32_t op, uint8_t flags)
{
	const uint8_t tcp = IPPROTO_TCP, zero = 0;
	struct nftnl_expr *e;

	add_meta(rule, NFT_META_L4PROTO, NFT_CMP_EQ, &tcp, 1);
	add_load(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1);
	e = add(rule, "bitwise");
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, 1);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, &mask, 1);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, &zero, 1);
	add_cmp(rule, op, &flags, 1);
}

/* tcp flags & (fin | syn | rst | ack) == flags */
static void
add_tcp_flags(struct nftnl_rule *rule, uint8_t flags)
{
	add_tcp_masked(rule, FLAGS, NFT_CMP_EQ, flags);
}

/* A port, or an ICMP identifier: `op` PROBER_PORT_FIRST, above which all are the prober's. */
static void
add_probe_port(struct nftnl_rule *rule, uint32_t offset, uint32_t op)
{
	const uint16_t first = htons(PROBER_PORT_FIRST);

	add_load(rule, NFT_PAYLOAD_TRANSPORT_HEADER, offset, 2);
	add_cmp(rule, op, &first, sizeof first);
}

static void
add_icmp(struct nftnl_rule *rule, uint8_t ipv, uint8_t type)
{
	const uint8_t family = ipv == 4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
	const uint8_t proto = ipv == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;

	add_meta(rule, NFT_META_NFPROTO, NFT_CMP_EQ, &family, 1);
	add_meta(rule, NFT_META_L4PROTO, NFT_CMP_EQ, &proto, 1);
	add_load(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1);
	add_cmp(rule, NFT_CMP_EQ, &type, 1);
}

/* ip saddr @home4, ip6 daddr != @home6, ... */
static void
add_side(struct nftnl_rule *rule, enum classes_side side)
{
	int answer = side >= CLASSES_TO_HOME4;
	int v6 = (side - CLASSES_FROM_HOME4) % 2;
	int abroad = (side - CLASSES_FROM_HOME4) / 2 % 2;
	const uint8_t proto = v6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
	struct nftnl_expr *e;

	if (side == CLASSES_BOTH)
		return;
	add_meta(rule, NFT_META_NFPROTO, NFT_CMP_EQ, &proto, 1);
	add_load(rule, NFT_PAYLOAD_NETWORK_HEADER, v6 ? 8 + 16 * answer : 12 + 4 * answer, v6 ? 16 : 4);
	e = add(rule, "lookup");
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, v6 ? "home6" : "home4");
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SET_ID, v6 ? 6 : 4);
	if (abroad)
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
}

static void
add_match(struct nftnl_rule *rule, enum classes_match match)
{
	const uint8_t original = IP_CT_DIR_ORIGINAL, icmp = IPPROTO_ICMP, icmpv6 = IPPROTO_ICMPV6;
	const uint64_t second = 2;
	const uint32_t zero = 0;

	switch (match) {
	case CLASSES_SYN:
		add_tcp_flags(rule, NG_TCP_SYN);
		break;
	case CLASSES_SYN_ACK:
		add_tcp_flags(rule, NG_TCP_SYN | NG_TCP_ACK);
		break;
	case CLASSES_RST:
		add_tcp_flags(rule, NG_TCP_RST | NG_TCP_ACK);
		add_load(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 4, 4);
		add_cmp(rule, NFT_CMP_EQ, &zero, 4);
		break;
	case CLASSES_ACK:
		add_tcp_flags(rule, NG_TCP_ACK);
		add_ct(rule, NFT_CT_DIRECTION, 0, &original, sizeof original);
		add_ct(rule, NFT_CT_PKTS, 1, &second, sizeof second);
		break;
	case CLASSES_UNREACHABLE4:
		add_icmp(rule, 4, ICMP_DEST_UNREACH);
		break;
	case CLASSES_UNREACHABLE6:
		add_icmp(rule, 6, ICMPV6_DEST_UNREACH);
		break;
	case CLASSES_TIME_EXCEEDED4:
		add_icmp(rule, 4, ICMP_TIME_EXCEEDED);
		break;
	case CLASSES_TIME_EXCEEDED6:
		add_icmp(rule, 6, ICMPV6_TIME_EXCEED);
		break;
	case CLASSES_ECHO_REPLY4:
		add_icmp(rule, 4, ICMP_ECHOREPLY);
		add_probe_port(rule, 4, NFT_CMP_GTE);
		break;
	case CLASSES_ECHO_REPLY6:
		add_icmp(rule, 6, ICMPV6_ECHO_REPLY);
		add_probe_port(rule, 4, NFT_CMP_GTE);
		break;
	case CLASSES_PROBE_SYN_ACK:
		add_tcp_flags(rule, NG_TCP_SYN | NG_TCP_ACK);
		add_probe_port(rule, 2, NFT_CMP_GTE);
		break;
	case CLASSES_PROBE_RST:
		add_tcp_masked(rule, NG_TCP_FIN | NG_TCP_SYN | NG_TCP_RST, NFT_CMP_EQ, NG_TCP_RST);
		add_probe_port(rule, 2, NFT_CMP_GTE);
		break;
	case CLASSES_NO_DATA:
		add_tcp_masked(rule, FLAGS, NFT_CMP_NEQ, NG_TCP_ACK);
		break;
	case CLASSES_NO_DATA_TO_PROBER:
		add_tcp_masked(rule, FLAGS, NFT_CMP_NEQ, NG_TCP_ACK);
		add_probe_port(rule, 2, NFT_CMP_GTE);
		break;
	case CLASSES_ICMP:
		add_meta(rule, NFT_META_L4PROTO, NFT_CMP_EQ, &icmp, 1);
		break;
	case CLASSES_ICMPV6:
		add_meta(rule, NFT_META_L4PROTO, NFT_CMP_EQ, &icmpv6, 1);
		break;
	case CLASSES_ANY:
	case CLASSES_END:
		break;
	}
}

static void
add_counter(struct nftnl_rule *rule, const char *name, const char *which)
{
	struct nftnl_expr *e = add(rule, "objref");
	char full[48];

	snprintf(full, sizeof full, "%s_%s", name, which);
	nftnl_expr_set_u32(e, NFTNL_EXPR_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);
	nftnl_expr_set_str(e, NFTNL_EXPR_OBJREF_IMM_NAME, full);
}

static struct nftnl_rule *
rule_new(const struct classes_chain *chain)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();

	nftnl_rule_set_u32(rule, NFTNL_RULE_FAMILY, NFPROTO_INET);
	nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, CLASSES_TABLE);
	nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, chain->name);
	return rule;
}

static void
put_rule_end(struct ruleset *r, const struct classes_chain *chain, struct nftnl_rule *rule)
{
	nftnl_rule_nlmsg_build_payload(nft_next(r->nft, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND,
						"a rule in chain %s", chain->name), rule);
	nftnl_rule_free(rule);
}

/* meta mark MARK notrack */
static void
put_notrack(struct ruleset *r, const struct ruleset_spec *spec, const struct classes_chain *chain)
{
	struct nftnl_rule *rule = rule_new(chain);

	add_meta(rule, NFT_META_MARK, NFT_CMP_EQ, &spec->mark, sizeof spec->mark);
	add(rule, "notrack");
	put_rule_end(r, chain, rule);
}

static void
put_jump(struct ruleset *r, const struct classes_chain *chain, enum classes_match when)
{
	struct nftnl_rule *rule = rule_new(chain);
	struct nftnl_expr *e;

	add_match(rule, when);
	e = add(rule, "immediate");
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, NFT_JUMP);
	nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN, chain->jump);
	put_rule_end(r, chain, rule);
}

static void
put_rule(struct ruleset *r, const struct ruleset_spec *spec, const struct classes_chain *chain,
	 const struct classes_rule *which)
{
	const struct classes *c = &classes[chain->row];
	struct nftnl_rule *rule = rule_new(chain);
	const uint32_t lo = LO_IFINDEX;
	struct nftnl_expr *e;

	/* The flags come first: most packets leave the rule there. */
	add_match(rule, which->match);
	add_side(rule, which->side);
	/* What we send to look at a path, and what comes back for it, is nobody's connection. */
	if (chain->hook == NF_INET_LOCAL_OUT)
		add_meta(rule, NFT_META_MARK, NFT_CMP_NEQ, &spec->mark, sizeof spec->mark);
	if (chain->hook == NF_INET_LOCAL_IN && (which->match == CLASSES_SYN_ACK || which->match == CLASSES_RST))
		add_probe_port(rule, 2, NFT_CMP_LT);
	/* Who knocks over loopback is no stranger, whatever his address. */
	if ((!spec->loopback || chain->row == CLASSES_ATTEMPT) && chain->hook == NF_INET_LOCAL_IN)
		add_meta(rule, NFT_META_IIF, NFT_CMP_NEQ, &lo, sizeof lo);
	if (!spec->loopback && chain->hook == NF_INET_LOCAL_OUT)
		add_meta(rule, NFT_META_OIF, NFT_CMP_NEQ, &lo, sizeof lo);
	add_counter(rule, c->name, "seen");
	e = add(rule, "limit");
	nftnl_expr_set_u64(e, NFTNL_EXPR_LIMIT_RATE, spec->limit[chain->row]);
	nftnl_expr_set_u64(e, NFTNL_EXPR_LIMIT_UNIT, 1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LIMIT_BURST, 2 * spec->limit[chain->row]);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
	add_counter(rule, c->name, "logged");
	e = add(rule, "log");
	nftnl_expr_set_u16(e, NFTNL_EXPR_LOG_GROUP, (uint16_t)(spec->group + chain->row));
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOG_SNAPLEN, spec->snaplen[chain->row]);
	nftnl_expr_set_u16(e, NFTNL_EXPR_LOG_QTHRESHOLD, (uint16_t)c->queue_threshold);
	put_rule_end(r, chain, rule);
}

static void
put_flush(struct ruleset *r)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();

	nftnl_rule_set_u32(rule, NFTNL_RULE_FAMILY, NFPROTO_INET);
	nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, CLASSES_TABLE);
	nftnl_rule_nlmsg_build_payload(nft_next(r->nft, NFT_MSG_DELRULE, 0, "all rules"), rule);
	nftnl_rule_free(rule);
}

static int
row_wanted(uint32_t wanted, enum classes_row row)
{
	return (classes[row].ng_class & wanted) != 0;
}

static void
put_all(struct ruleset *r, const struct ruleset_spec *spec)
{
	if (spec->classes & (NG_CLASS_HANDSHAKE | NG_CLASS_ATTEMPT)) {
		put_home(r, spec, 4);
		put_home(r, spec, 6);
	}
	for (enum classes_row row = 0; row < CLASSES_ROWS; row++) {
		if (row_wanted(spec->classes, row)) {
			put_counter(r, classes[row].name, "seen");
			put_counter(r, classes[row].name, "logged");
		}
	}
	for (size_t i = 0; i < CLASSES_CHAINS; i++) {
		const struct classes_chain *chain = &classes_chain[i];

		if (!row_wanted(spec->classes, chain->row)) {
			if (row_wanted(r->classes, chain->row))
				put_chain(r, NFT_MSG_DELCHAIN, chain);
			continue;
		}
		put_chain(r, NFT_MSG_NEWCHAIN, chain);
		for (const enum classes_match *when = chain->when; *when; when++)
			put_jump(r, chain, *when);
		if (!chain->rules)
			put_notrack(r, spec, chain);
		for (const struct classes_rule *c = chain->rules; c && c->match; c++) {
			if (c->match != CLASSES_ACK || spec->acks)
				put_rule(r, spec, chain, c);
		}
	}
}

/* One line for the person at the router. */
void
ruleset_explain(const char *verb, int e, const char *what, char *err, size_t size)
{
	const char *hint = "";

	if (e == -EPERM)
		hint = ": no privilege (CAP_NET_ADMIN; run as root), or the table belongs to another "
		       "running net-gazer";
	else if (e == -EOPNOTSUPP || e == -EINVAL || e == -EPROTONOSUPPORT || e == -EAFNOSUPPORT)
		hint = ": the kernel has no nf_tables for inet; try: modprobe nf_tables nf_tables_inet";
	else if (e == -ENOENT)
		hint = ": the kernel lacks an nft expression; try: modprobe -a nft_log nft_limit "
		       "nft_objref nft_ct nfnetlink_log";
	snprintf(err, size, "cannot %s: %s%s%s%s", verb, what, *what ? ": " : "", strerror(-e), hint);
}

static int
install_new(struct ruleset *r, const struct ruleset_spec *spec, uint32_t flags, char *what, size_t size)
{
	r->classes = 0;
	nft_begin(r->nft);
	/* add, delete, add: whatever was there is replaced, and nothing there is no error. */
	put_table(r, NFT_MSG_NEWTABLE, NLM_F_CREATE, 0);
	put_table(r, NFT_MSG_DELTABLE, 0, 0);
	put_table(r, NFT_MSG_NEWTABLE, NLM_F_CREATE, flags);
	put_all(r, spec);
	return nft_send(r->nft, what, size);
}

int
ruleset_install(struct ruleset *r, const struct ruleset_spec *spec, char *err, size_t size)
{
	char what[80];
	int e;

	if (r->ours) {
		nft_begin(r->nft);
		put_flush(r);
		put_all(r, spec);
		e = nft_send(r->nft, what, sizeof what);
		if (e != -ENOENT || r->owner) /* not the owner: anybody may have removed it */
			goto out;
		r->ours = 0;
	}
	e = install_new(r, spec, spec->owner ? NFT_TABLE_F_OWNER : 0, what, sizeof what);
	r->owner = spec->owner && !e;
	if (spec->owner && (e == -EOPNOTSUPP || e == -EINVAL)) {
		int first = e;

		/* Linux before 5.12, or no nf_tables at all: the second try tells them apart. */
		e = install_new(r, spec, 0, what, sizeof what);
		if (e)
			e = first;
		else
			log_warn("the kernel has no owner flag for tables (Linux 5.12): if net-gazer is killed "
				 "its rules stay; remove them with: nft delete table inet " CLASSES_TABLE);
	}
	r->ours = !e;
out:
	if (e)
		ruleset_explain("install rules", e, what, err, size);
	else
		r->classes = spec->classes;
	return e;
}

int
ruleset_replace(struct ruleset *r, const struct ruleset_spec *spec, char *err, size_t size)
{
	r->ours = 0;
	return ruleset_install(r, spec, err, size);
}

int
ruleset_silence(struct ruleset *r)
{
	char what[80];

	if (!r->ours)
		return 0;
	nft_begin(r->nft);
	put_flush(r);
	return nft_send(r->nft, what, sizeof what);
}

void
ruleset_close(struct ruleset *r)
{
	char what[80];
	int e;

	if (!r)
		return;
	if (r->ours) {
		nft_begin(r->nft);
		put_table(r, NFT_MSG_DELTABLE, 0, 0);
		e = nft_send(r->nft, what, sizeof what);
		if (e && e != -ENOENT)
			log_warn("cannot remove table inet " CLASSES_TABLE ": %s", strerror(-e));
	}
	nft_close(r->nft);
	free(r);
}

struct nft *
ruleset_nft(const struct ruleset *r)
{
	return r->nft;
}
