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

static int
on_rule(const struct nlmsghdr *h, void *arg)
{
	uint32_t *found = arg; /* bit for each row */
	uint32_t base = found[1];
	struct nftnl_rule *rule = nftnl_rule_alloc();
	struct nftnl_expr_iter *it;
	struct nftnl_expr *e;

	if (!rule)
		return -ENOMEM;
	if (!nftnl_rule_nlmsg_parse(h, rule) &&
	    !strcmp(nftnl_rule_get_str(rule, NFTNL_RULE_TABLE), CLASSES_TABLE) &&
	    (it = nftnl_expr_iter_create(rule))) {
		while ((e = nftnl_expr_iter_next(it))) {
			uint32_t row;

			if (strcmp(nftnl_expr_get_str(e, NFTNL_EXPR_NAME), "log") ||
			    !nftnl_expr_is_set(e, NFTNL_EXPR_LOG_GROUP))
				continue;
			row = (uint32_t)nftnl_expr_get_u16(e, NFTNL_EXPR_LOG_GROUP) - base;
			if (row < CLASSES_ROWS)
				found[0] |= 1u << row;
		}
		nftnl_expr_iter_destroy(it);
	}
	nftnl_rule_free(rule);
	return 0;
}

int
observe_verify(struct nft *n, const struct ruleset_spec *spec, char *err, size_t size)
{
	uint32_t found[2] = { 0, spec->group };
	struct nlmsghdr *h = nft_get(n, NFT_MSG_GETRULE, NLM_F_DUMP);
	int e;

	mnl_attr_put_strz(h, NFTA_RULE_TABLE, CLASSES_TABLE);
	e = nft_dump(n, h, on_rule, found);
	if (e && e != -ENOENT) {
		ruleset_explain("read rules", e, "", err, size);
		return e;
	}
	for (enum classes_row row = 0; row < CLASSES_ROWS; row++) {
		if (!(classes[row].ng_class & spec->classes) || found[0] >> row & 1)
			continue;
		if (!found[0])
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
