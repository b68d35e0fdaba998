/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * observe.c - nf_tables dumps, read through libnftnl.
 */
#include "observe.h"

#include <errno.h>
#include <libnftnl/expr.h>
#include <libnftnl/object.h>
#include <libnftnl/rule.h>
#include <libnftnl/table.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <string.h>

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

/* What the table's rules do. */
struct rules {
	uint32_t base;     /* first group */
	uint32_t rows;     /* bit for each row that is logged */
	int n;             /* rules that log, or jump to such */
	uint32_t mark;     /* of what is not tracked; 0: there is no such rule */
	int acks;          /* one of handshakes asks how many packets conntrack has counted */
};

/* By its counter and by its group: another nflog-group is another table's file. */
static void
on_log(struct rules *found, uint16_t group, const char *counter, int counted)
{
	uint32_t row = (uint32_t)group - found->base;
	char full[48];

	if (row >= CLASSES_ROWS)
		return;
	snprintf(full, sizeof full, "%s_logged", classes[row].name);
	if (strcmp(counter, full))
		return;
	found->rows |= 1u << row;
	found->n++;
	found->acks |= counted && row == CLASSES_HANDSHAKE;
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

	if (!rule)
		return -ENOMEM;
	if (!nftnl_rule_nlmsg_parse(h, rule) &&
	    !strcmp(nftnl_rule_get_str(rule, NFTNL_RULE_TABLE), CLASSES_TABLE) &&
	    (it = nftnl_expr_iter_create(rule))) {
		while ((e = nftnl_expr_iter_next(it))) {
			name = nftnl_expr_get_str(e, NFTNL_EXPR_NAME);
			if (!strcmp(name, "cmp")) {
				data = nftnl_expr_get(e, NFTNL_EXPR_CMP_DATA, &size);
				last = data && size == sizeof *data ? *data : 0;
			} else if (!strcmp(name, "ct")) {
				counted |= nftnl_expr_get_u32(e, NFTNL_EXPR_CT_KEY) == NFT_CT_PKTS;
			} else if (!strcmp(name, "immediate")) {
				found->n += nftnl_expr_is_set(e, NFTNL_EXPR_IMM_CHAIN);
			} else if (!strcmp(name, "notrack")) {
				found->mark = last;
			} else if (!strcmp(name, "objref") && nftnl_expr_is_set(e, NFTNL_EXPR_OBJREF_IMM_NAME)) {
				counter = nftnl_expr_get_str(e, NFTNL_EXPR_OBJREF_IMM_NAME);
			} else if (!strcmp(name, "log") && nftnl_expr_is_set(e, NFTNL_EXPR_LOG_GROUP)) {
				on_log(found, nftnl_expr_get_u16(e, NFTNL_EXPR_LOG_GROUP), counter, counted);
			}
		}
		nftnl_expr_iter_destroy(it);
	}
	nftnl_rule_free(rule);
	return 0;
}

static int
read_rules(struct nft *n, const struct ruleset_spec *spec, struct rules *found, char *err, size_t size)
{
	int e = -EINTR;

	/* EINTR: they were changed while they were read. */
	for (int tries = 0; e == -EINTR && tries < 5; tries++) {
		struct nlmsghdr *h = nft_get(n, NFT_MSG_GETRULE, NLM_F_DUMP);

		*found = (struct rules){ .base = spec->group };
		mnl_attr_put_strz(h, NFTA_RULE_TABLE, CLASSES_TABLE);
		e = nft_dump(n, h, on_rule, found);
	}
	if (!e || e == -ENOENT)
		return 0;
	ruleset_explain("read rules", e, "", err, size);
	return e;
}

int
observe_count(struct nft *n, const struct ruleset_spec *spec)
{
	struct rules found;
	char err[200];
	int e = read_rules(n, spec, &found, err, sizeof err);

	return e ? e : found.n;
}

int
observe_acks(struct nft *n, const struct ruleset_spec *spec)
{
	struct rules found;
	char err[200];

	return !read_rules(n, spec, &found, err, sizeof err) && found.acks;
}

int
observe_prober(struct nft *n, const struct ruleset_spec *spec, char *err, size_t size)
{
	struct rules found;
	int e = read_rules(n, spec, &found, err, size);

	if (e)
		return e;
	if (found.rows >> CLASSES_PROBE & 1 && found.mark == spec->mark)
		return 0;
	if (found.rows >> CLASSES_PROBE & 1 && found.mark)
		snprintf(err, size, "table inet " CLASSES_TABLE " knows probes by mark 0x%x, probe-mark is 0x%x",
			 found.mark, spec->mark);
	else
		snprintf(err, size, "table inet " CLASSES_TABLE " is older than this net-gazer: it does not log to "
			 "group %u (probe)", (unsigned)(spec->group + CLASSES_PROBE));
	return -ENOENT;
}

int
observe_verify(struct nft *n, const struct ruleset_spec *spec, char *err, size_t size)
{
	struct rules found;
	int e = read_rules(n, spec, &found, err, size);

	if (e)
		return e;
	for (enum classes_row row = 0; row < CLASSES_ROWS; row++) {
		uint32_t wanted = spec->classes & ~CLASSES_TO_PROBER;

		if (!(classes[row].ng_class & wanted) || found.rows >> row & 1)
			continue;
		if (!found.rows)
			snprintf(err, size, "there is no table inet " CLASSES_TABLE " with rules for groups %u to %u; "
				 "load it with: nft -f " DATADIR "/net-gazer.nft (or set rules = own)",
				 spec->group, (unsigned)(spec->group + CLASSES_ROWS - 1));
		else
			snprintf(err, size, "table inet " CLASSES_TABLE " has no rule that logs to group %u (%s): "
				 "a plugin needs it; enable it in the file that loads the table, or set rules = own",
				 (unsigned)(spec->group + row), classes[row].name);
		return -ENOENT;
	}
	return 0;
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
