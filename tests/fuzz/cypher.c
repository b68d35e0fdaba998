/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Questions in Cypher: whatever comes is refused with a place inside of it and words, or gives a question whose
 * parts all point into itself; its reverse reversed is the same again.
 */
#include <assert.h>
#include <stdint.h>

#include "../../src/collector/cypher.c"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cypher c, same;
	const struct cypher_param params[] = { { "ip", { .type = CYPHER_TEXT, .s = "192.0.2.1", .n = 9 } },
					       { "n", { .type = CYPHER_INT, .i = 5 } } };
	struct cypher_error err = { .at = size + 1 };

	if (cypher_parse(&c, (const char *)data, size, params, 2, &err)) {
		assert(err.at <= size && err.why[0]);
		return 0;
	}
	assert(c.n_nodes >= 1 && c.n_nodes <= CYPHER_NODES_MAX && c.n_vars <= CYPHER_VARS_MAX);
	assert(c.n_columns >= 1 && c.n_items >= c.n_columns && c.n_items <= CYPHER_ITEMS_MAX && c.pool_n <= size);
	for (int i = 0; i < c.n_exprs; i++) {
		const struct cypher_expr *e = &c.exprs[i];

		if (e->op == CYPHER_PROPERTY)
			assert(e->a < c.n_vars && e->b >= 0 && e->b < CYPHER_PROPERTIES && !c.vars[e->a].many);
		else if (e->op != CYPHER_LITERAL) /* parts before the whole: no circles */
			assert(e->a >= 0 && e->a < i && e->b >= 0 && e->b < i);
	}
	for (int i = 0; i + 1 < c.n_nodes; i++)
		assert(c.relations[i].min >= 0 && c.relations[i].max >= c.relations[i].min && c.relations[i].max <= CYPHER_DEPTH_MAX);
	for (int i = 0; i < c.n_items; i++)
		assert(c.items[i].var < c.n_vars && c.items[i].column[0]);
	same = c;
	cypher_reverse(&same);
	cypher_reverse(&same);
	assert(!memcmp(&same, &c, sizeof c));
	return 0;
}
