/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * observe.c - nf_tables dumps, read through libnftnl.
 */
#include "observe.h"

#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/object.h>
#include <libnftnl/rule.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>

#include "lib/crc32c.h"

/* Our table as the kernel has it. */
struct found {
	uint64_t handle; /* 0: there is none */
	uint32_t owner;  /* netlink port; 0: no owner flag */
};

static int
on_table(const struct nlmsghdr *h, void *arg)
{
	struct found *f = arg;
	struct nftnl_table *t = nftnl_table_alloc();

	if (!t)
		return -ENOMEM;
	if (!nftnl_table_nlmsg_parse(h, t) && nftnl_table_is_set(t, NFTNL_TABLE_NAME) &&
	    !strcmp(nftnl_table_get_str(t, NFTNL_TABLE_NAME), CLASSES_TABLE)) {
		f->handle = nftnl_table_get_u64(t, NFTNL_TABLE_HANDLE);
		if (nftnl_table_is_set(t, NFTNL_TABLE_OWNER))
			f->owner = nftnl_table_get_u32(t, NFTNL_TABLE_OWNER);
	}
	nftnl_table_free(t);
	return 0;
}

static int
find_table(struct nft *n, struct found *f)
{
	*f = (struct found){ 0 };
	return nft_dump(n, nft_get(n, NFT_MSG_GETTABLE, NLM_F_DUMP), on_table, f);
}

int
observe_owner(struct nft *n, char *err, size_t size)
{
	struct found f;

	/* What else is wrong the installation will say. */
	if (find_table(n, &f) || !f.owner || f.owner == nft_portid(n))
		return 0;
	snprintf(err, size, "table inet " CLASSES_TABLE " belongs to a running process (netlink port %u, as a rule "
		 "its pid): is net-gazer running already?", f.owner);
	return -EPERM;
}

#define CHAINS_MAX 32    /* 16 are ours */
#define SNAPLEN_MIN 60   /* IPv6 and TCP without options */
#define CALLS_MAX 3      /* of a chain by a chain by a chain with a hook */

struct chain {
	char name[32];
	uint32_t hooks;    /* bit for the hook that it has, 0: none */
	uint32_t rows;     /* bit for each row that is logged, here or in a chain that it jumps to */
	uint32_t calls;    /* bit for each chain that it jumps to */
};

/* What the table's rules do. */
struct rules {
	uint32_t base;     /* first group */
	uint32_t rows;     /* bit for each row that is logged */
	int n;             /* rules that log, or jump to such */
	uint32_t mark;     /* of what is not tracked; 0: there is no such rule */
	int acks;          /* one of handshakes asks how many packets conntrack has counted */
	uint32_t cut;      /* a snaplen that no header fits into; 0: all are large enough */
	struct chain chain[CHAINS_MAX];
	size_t n_chains;
};

static struct chain *
chain_of(struct rules *found, const char *name)
{
	struct chain *c = found->chain;
	size_t len = strlen(name);

	while (c < found->chain + found->n_chains && strcmp(c->name, name))
		c++;
	if (c < found->chain + found->n_chains)
		return c;
	if (found->n_chains == CHAINS_MAX || len >= sizeof c->name)
		return NULL;
	found->n_chains++;
	memcpy(c->name, name, len + 1);
	return c;
}

static int
on_chain(const struct nlmsghdr *h, void *arg)
{
	struct nftnl_chain *n = nftnl_chain_alloc();
	struct chain *c;

	if (!n)
		return -ENOMEM;
	if (!nftnl_chain_nlmsg_parse(h, n) && !strcmp(nftnl_chain_get_str(n, NFTNL_CHAIN_TABLE), CLASSES_TABLE) &&
	    nftnl_chain_is_set(n, NFTNL_CHAIN_HOOKNUM) && (c = chain_of(arg, nftnl_chain_get_str(n, NFTNL_CHAIN_NAME))))
		c->hooks |= 1u << nftnl_chain_get_u32(n, NFTNL_CHAIN_HOOKNUM);
	nftnl_chain_free(n);
	return 0;
}

/* By its counter and by its group: another nflog-group is another table's file. */
static void
on_log(struct rules *found, struct chain *chain, const struct nftnl_expr *e, const char *counter, int counted)
{
	uint32_t row = (uint32_t)nftnl_expr_get_u16(e, NFTNL_EXPR_LOG_GROUP) - found->base;
	uint32_t snaplen = nftnl_expr_get_u32(e, NFTNL_EXPR_LOG_SNAPLEN);
	char full[48];

	if (row >= CLASSES_ROWS)
		return;
	snprintf(full, sizeof full, "%s_logged", classes[row].name);
	if (strcmp(counter, full))
		return;
	found->rows |= 1u << row;
	found->n++;
	found->acks |= counted && row == CLASSES_HANDSHAKE;
	if (snaplen && snaplen < SNAPLEN_MIN)
		found->cut = snaplen;
	if (chain)
		chain->rows |= 1u << row;
}

static void
on_jump(struct rules *found, struct chain *chain, const struct nftnl_expr *e)
{
	struct chain *to = chain_of(found, nftnl_expr_get_str(e, NFTNL_EXPR_IMM_CHAIN));

	found->n++;
	if (chain && to)
		chain->calls |= 1u << (to - found->chain);
}

static int
on_rule(const struct nlmsghdr *h, void *arg)
{
	struct rules *found = arg;
	uint32_t last = 0, size;
	const uint32_t *data;
	const char *name, *counter = "";
	int counted = 0;
	struct nftnl_rule *rule = nftnl_rule_alloc();
	struct nftnl_expr_iter *it;
	struct nftnl_expr *e;
	struct chain *chain;

	if (!rule)
		return -ENOMEM;
	if (!nftnl_rule_nlmsg_parse(h, rule) &&
	    !strcmp(nftnl_rule_get_str(rule, NFTNL_RULE_TABLE), CLASSES_TABLE) &&
	    (it = nftnl_expr_iter_create(rule))) {
		chain = chain_of(found, nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN));
		while ((e = nftnl_expr_iter_next(it))) {
			name = nftnl_expr_get_str(e, NFTNL_EXPR_NAME);
			if (!strcmp(name, "cmp")) {
				data = nftnl_expr_get(e, NFTNL_EXPR_CMP_DATA, &size);
				last = data && size == sizeof *data ? *data : 0;
			} else if (!strcmp(name, "ct")) {
				counted |= nftnl_expr_get_u32(e, NFTNL_EXPR_CT_KEY) == NFT_CT_PKTS;
			} else if (!strcmp(name, "immediate")) {
				if (nftnl_expr_is_set(e, NFTNL_EXPR_IMM_CHAIN))
					on_jump(found, chain, e);
			} else if (!strcmp(name, "notrack")) {
				found->mark = last;
			} else if (!strcmp(name, "objref") && nftnl_expr_is_set(e, NFTNL_EXPR_OBJREF_IMM_NAME)) {
				counter = nftnl_expr_get_str(e, NFTNL_EXPR_OBJREF_IMM_NAME);
			} else if (!strcmp(name, "log") && nftnl_expr_is_set(e, NFTNL_EXPR_LOG_GROUP)) {
				on_log(found, chain, e, counter, counted);
			}
		}
		nftnl_expr_iter_destroy(it);
	}
	nftnl_rule_free(rule);
	return 0;
}

static int
dump(struct nft *n, uint16_t type, const char *set, int (*fn)(const struct nlmsghdr *, void *), void *arg)
{
	struct nlmsghdr *h = nft_get(n, type, NLM_F_DUMP);
	int e;

	/* The same number for chains and for elements. */
	mnl_attr_put_strz(h, NFTA_RULE_TABLE, CLASSES_TABLE);
	if (set)
		mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, set);
	e = nft_dump(n, h, fn, arg);
	return e == -ENOENT ? 0 : e;
}

static int
read_rules(struct nft *n, const struct ruleset_spec *spec, struct rules *found, char *err, size_t size)
{
	int tries = 0, e;

	/* EINTR: they were changed while they were read. */
	do {
		*found = (struct rules){ .base = spec->group };
		e = dump(n, NFT_MSG_GETCHAIN, NULL, on_chain, found);
		if (!e)
			e = dump(n, NFT_MSG_GETRULE, NULL, on_rule, found);
	} while (e == -EINTR && ++tries < 5);
	for (int i = 0; i < CALLS_MAX; i++) {
		for (size_t k = 0; k < found->n_chains * found->n_chains; k++) {
			struct chain *from = &found->chain[k / found->n_chains];

			if (from->calls >> k % found->n_chains & 1)
				from->rows |= found->chain[k % found->n_chains].rows;
		}
	}
	if (e)
		ruleset_explain("read rules", e, "", err, size);
	return e;
}

/* Where the rules of a row are hooked. */
static uint32_t
reached(const struct rules *found, enum classes_row row)
{
	uint32_t hooks = 0;

	for (size_t i = 0; i < found->n_chains; i++) {
		if (found->chain[i].rows >> row & 1)
			hooks |= found->chain[i].hooks;
	}
	return hooks;
}

static void
judge_prober(const struct rules *found, const struct ruleset_spec *spec, char *why, size_t size)
{
	unsigned group = spec->group + CLASSES_PROBE;

	*why = 0;
	if (!(found->rows >> CLASSES_PROBE & 1) || !found->mark)
		snprintf(why, size, "table inet " CLASSES_TABLE " is older than this net-gazer: it does not log to group %u (probe)",
			 group);
	else if (!reached(found, CLASSES_PROBE))
		snprintf(why, size, "table inet " CLASSES_TABLE " logs to group %u (probe), but nothing from chain probe_answers: "
			 "its hook, or the jump to it is missing", group);
	else if (found->mark != spec->mark)
		snprintf(why, size, "table inet " CLASSES_TABLE " knows probes by mark 0x%x, probe-mark is 0x%x", found->mark,
			 spec->mark);
}

int
observe_verify(struct nft *n, const struct ruleset_spec *spec, struct observe_included *seen, char *err, size_t size)
{
	struct rules found;
	int e = read_rules(n, spec, &found, err, size);

	if (e)
		return e;
	*seen = (struct observe_included){ .rules = found.n, .acks = found.acks };
	judge_prober(&found, spec, seen->no_prober, sizeof seen->no_prober);
	for (const struct classes_chain *c = classes_chain; c < classes_chain + CLASSES_CHAINS; c++) {
		const struct classes *row = &classes[c->row];

		if (!(row->ng_class & spec->classes & ~CLASSES_TO_PROBER) || reached(&found, c->row) >> c->hook & 1)
			continue;
		if (!found.rows)
			snprintf(err, size, "there is no table inet " CLASSES_TABLE " with rules for groups %u to %u; "
				 "load it with: nft -f " DATADIR "/net-gazer.nft (or set rules = own)",
				 spec->group, (unsigned)(spec->group + CLASSES_ROWS - 1));
		else if (found.rows >> c->row & 1)
			snprintf(err, size, "table inet " CLASSES_TABLE " logs to group %u (%s), but nothing from chain %s: "
				 "its rules, its hook, or the jump to it is missing; load the file again, or set rules = own",
				 (unsigned)(spec->group + c->row), row->name, c->name);
		else
			snprintf(err, size, "table inet " CLASSES_TABLE " has no rule that logs to group %u (%s): "
				 "a plugin needs it; enable it in the file that loads the table, or set rules = own",
				 (unsigned)(spec->group + c->row), row->name);
		return -ENOENT;
	}
	if (!found.cut)
		return 0;
	snprintf(err, size, "table inet " CLASSES_TABLE " has a rule with snaplen %u: IPv6 and TCP alone take %d bytes; "
		 "net-gazer.nft has %d", found.cut, SNAPLEN_MIN, CLASSES_SNAPLEN);
	return -EINVAL;
}

struct sum {
	const uint16_t *types; /* of the attributes that count, up to 0 */
	int ours;
	uint32_t sum;
};

static int
on_summed_attr(const struct nlattr *a, void *arg)
{
	struct sum *s = arg;

	/* The table's name comes first, whatever it is that has one. */
	if (mnl_attr_get_type(a) == NFTA_RULE_TABLE)
		s->ours = !strcmp(mnl_attr_get_str(a), CLASSES_TABLE);
	for (const uint16_t *t = s->types; s->ours && *t; t++) {
		if (mnl_attr_get_type(a) == *t)
			s->sum = crc32c(s->sum, a, a->nla_len);
	}
	return MNL_CB_OK;
}

static int
on_summed(const struct nlmsghdr *h, void *arg)
{
	struct sum *s = arg;

	s->ours = 0;
	return mnl_attr_parse(h, sizeof(struct nfgenmsg), on_summed_attr, s) < 0 ? -EINVAL : 0;
}

int
observe_sum(struct nft *n, uint32_t *sum)
{
	static const uint16_t chains[] = { NFTA_CHAIN_NAME, NFTA_CHAIN_HOOK, NFTA_CHAIN_POLICY, 0 };
	static const uint16_t rules[] = { NFTA_RULE_CHAIN, NFTA_RULE_EXPRESSIONS, 0 };
	static const uint16_t elements[] = { NFTA_SET_ELEM_LIST_ELEMENTS, 0 };
	int e = -EINTR;

	for (int tries = 0; e == -EINTR && tries < 5; tries++) {
		struct sum s = { chains, 0, 0 };

		e = dump(n, NFT_MSG_GETCHAIN, NULL, on_summed, &s);
		s.types = rules;
		if (!e)
			e = dump(n, NFT_MSG_GETRULE, NULL, on_summed, &s);
		s.types = elements;
		if (!e)
			e = dump(n, NFT_MSG_GETSETELEM, "home4", on_summed, &s);
		if (!e)
			e = dump(n, NFT_MSG_GETSETELEM, "home6", on_summed, &s);
		if (!e)
			*sum = s.sum;
	}
	return e;
}

/* A rule, and whether it needs conntrack. */
struct seeker {
	int ours;
	int tracks;
	int extension; /* of iptables-nft: "match" or "target", its name follows */
};

/* names: each with its NUL, and one more. */
static void
seek(struct seeker *s, const char *name, const char *names)
{
	while (*names && strcmp(name, names))
		names += strlen(names) + 1;
	s->tracks |= !!*names;
}

static int
on_extension_attr(const struct nlattr *a, void *arg)
{
	if (mnl_attr_get_type(a) == NFTA_MATCH_NAME)
		seek(arg, mnl_attr_get_str(a), "conntrack\0state\0connmark\0connbytes\0connlimit\0connlabel\0CT\0CONNMARK\0"
		     "MASQUERADE\0SNAT\0DNAT\0REDIRECT\0NETMAP\0SYNPROXY\0");
	return MNL_CB_OK;
}

static int
on_expression_attr(const struct nlattr *a, void *arg)
{
	struct seeker *s = arg;
	const char *name;

	if (mnl_attr_get_type(a) == NFTA_EXPR_NAME) {
		name = mnl_attr_get_str(a);
		seek(s, name, "ct\0nat\0masq\0redir\0flow_offload\0synproxy\0connlimit\0");
		s->extension = !strcmp(name, "match") || !strcmp(name, "target");
	} else if (s->extension) {
		mnl_attr_parse_nested(a, on_extension_attr, s);
	}
	return MNL_CB_OK;
}

static int
on_expression(const struct nlattr *a, void *arg)
{
	mnl_attr_parse_nested(a, on_expression_attr, arg);
	return MNL_CB_OK;
}

static int
on_rule_attr(const struct nlattr *a, void *arg)
{
	struct seeker *s = arg;

	if (mnl_attr_get_type(a) == NFTA_RULE_TABLE)
		s->ours = !strcmp(mnl_attr_get_str(a), CLASSES_TABLE);
	else if (mnl_attr_get_type(a) == NFTA_RULE_EXPRESSIONS && !s->ours)
		mnl_attr_parse_nested(a, on_expression, s);
	return MNL_CB_OK;
}

#define TRACKED4 1
#define TRACKED6 2

static int
on_anybodys(const struct nlmsghdr *h, void *arg)
{
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(h);
	unsigned *tracked = arg;
	struct seeker s = { 0 };

	mnl_attr_parse(h, sizeof *g, on_rule_attr, &s);
	if (s.tracks)
		*tracked |= g->nfgen_family == NFPROTO_INET ? TRACKED4 | TRACKED6 :
			    g->nfgen_family == NFPROTO_IPV4 ? TRACKED4 : g->nfgen_family == NFPROTO_IPV6 ? TRACKED6 : 0;
	return 0;
}

int
observe_tracked(struct nft *n)
{
	unsigned tracked = 0;
	int e = -EINTR;

	/* A firewall may be a megabyte of rules: whoever waits looks again later. */
	for (int tries = 0; e == -EINTR && tries < 2; tries++) {
		struct nlmsghdr *h = nft_get(n, NFT_MSG_GETRULE, NLM_F_DUMP);

		((struct nfgenmsg *)mnl_nlmsg_get_payload(h))->nfgen_family = NFPROTO_UNSPEC;
		tracked = 0;
		e = nft_dump(n, h, on_anybodys, &tracked);
	}
	return e ? e : tracked == (TRACKED4 | TRACKED6);
}

static int
on_counter(const struct nlmsghdr *h, void *arg)
{
	struct observe_counters *out = arg;
	struct nftnl_obj *o = nftnl_obj_alloc();
	const char *name;
	char full[48];

	if (!o)
		return -ENOMEM;
	if (!nftnl_obj_nlmsg_parse(h, o) && (name = nftnl_obj_get_str(o, NFTNL_OBJ_NAME))) {
		for (enum classes_row row = 0; row < CLASSES_ROWS; row++) {
			snprintf(full, sizeof full, "%s_seen", classes[row].name);
			if (!strcmp(name, full))
				out->seen[row] = nftnl_obj_get_u64(o, NFTNL_OBJ_CTR_PKTS);
			snprintf(full, sizeof full, "%s_logged", classes[row].name);
			if (!strcmp(name, full)) {
				out->logged[row] = nftnl_obj_get_u64(o, NFTNL_OBJ_CTR_PKTS);
				out->have |= 1u << row;
			}
		}
	}
	nftnl_obj_free(o);
	return 0;
}

static int
read_counters(struct nft *n, struct observe_counters *out)
{
	struct nlmsghdr *h = nft_get(n, NFT_MSG_GETOBJ, NLM_F_DUMP);
	struct nftnl_obj *filter = nftnl_obj_alloc();

	if (!filter)
		return -ENOMEM;
	nftnl_obj_set_str(filter, NFTNL_OBJ_TABLE, CLASSES_TABLE);
	nftnl_obj_set_u32(filter, NFTNL_OBJ_TYPE, NFT_OBJECT_COUNTER);
	nftnl_obj_nlmsg_build_payload(h, filter);
	nftnl_obj_free(filter);
	return nft_dump(n, h, on_counter, out);
}

int
observe_counters(struct nft *n, struct observe_counters *out)
{
	struct found before, after;
	int e = -EINTR;

	/* EINTR, or another table behind than before: the rules changed while they were read. */
	for (int tries = 0; e == -EINTR && tries < 5; tries++) {
		memset(out, 0, sizeof *out);
		e = find_table(n, &before);
		if (!e)
			e = read_counters(n, out);
		if (!e)
			e = find_table(n, &after);
		if (!e && before.handle != after.handle)
			e = -EINTR;
		out->table = before.handle;
	}
	return e ? e : out->have ? 0 : -ENOENT;
}
