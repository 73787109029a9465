/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kept.c - which of its pods' packets a capture kept, as one libpcap filter.
 *
 * A file says so (filter= of its section's comment), and verify calls nothing lost that another
 * capture was told to leave out. -Q is said in the same words, so that there is one rule.
 */
#include "cli.h"

#include <string.h>

#include "podhop/buf.h"

void kept_add(struct kept *kept, const char *filter)
{
	if (!filter || !*filter)
		return;
	for (unsigned i = 0; i < kept->n; i++)
		if (strcmp(kept->part[i], filter) == 0)
			return;
	if (kept->n < KEPT_PARTS_MAX)
		kept->part[kept->n++] = filter;
}

void kept_text(const struct kept *kept, struct buf *to)
{
	for (unsigned i = 0; i < kept->n; i++)
		if (kept->n == 1)
			buf_adds(to, kept->part[i]);
		else
			buf_addf(to, "%s(%s)", i ? " and " : "", kept->part[i]);
}

/* "src host 10.244.1.2 or src host fd00::2" */
static void add_hosts(const struct model_net *net, const char *which, struct buf *to)
{
	const char *or = "";

	for (unsigned i = 0; i < net->n_pods; i++)
		for (unsigned k = 0; k < net->pods[i].n_addrs; k++) {
			const struct addr *a = &net->pods[i].addrs[k];
			char text[ADDR_STR_MAX];

			buf_addf(to, "%s%s host %s", or, which, addr_str(a, text));
			or = " or ";
		}
}

void kept_direction(enum model_direction direction, const struct model_net *net, struct buf *to)
{
	struct buf from;

	if (direction == MODEL_DIRECTION_OTHER)
		return;
	buf_init(&from, to->max);
	add_hosts(net, "src", &from);
	if (!from.len) {
		/* Of no known address: nothing could be said. */
	} else if (direction == MODEL_DIRECTION_EGRESS) {
		buf_adds(to, buf_str(&from));
	} else {
		/* Between two of the pods it is their sender's: egress. */
		buf_addf(to, "not (%s) and (", buf_str(&from));
		add_hosts(net, "dst", to);
		buf_addc(to, ')');
	}
	buf_done(&from);
}
