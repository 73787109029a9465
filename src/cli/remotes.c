/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * remotes.c - where the node's FDB led as its capture began: into files, out of files.
 *
 * The VTEP's interface in a file bears comments like
 *
 *   podhop remotes 10.244.2.0/24=192.168.77.12 fd00:10:244:2::/64=fd00:77::12
 *
 * so that verify can compare the outer destinations that it sees.
 */
#include "cli.h"

#include <string.h>

#include "inputs_priv.h"

#define START "podhop remotes"
#define ENTRY_MAX (PREFIX_STR_MAX + ADDR_STR_MAX + 2) /* blank, prefix, =, address */

/* ------------------------------------------------------------------------- out */

void remotes_lines(const struct model_net *net, struct remotes_lines *ret)
{
	char prefix[PREFIX_STR_MAX], addr[ADDR_STR_MAX];
	size_t len = 0;

	ret->n = 0;
	for (unsigned i = 0; i < net->n_remotes; i++) {
		const struct model_remote *r = &net->remotes[i];

		if (addr_is_none(&r->node))
			continue;
		if (!ret->n || PCAPNG_STRING_MAX - len <= ENTRY_MAX) {
			if (ret->n == REMOTES_LINES_MAX)
				return;
			len = strlen(START);
			memcpy(ret->text[ret->n], START, len + 1);
			ret->line[ret->n] = ret->text[ret->n];
			ret->n++;
		}
		len += (size_t)snprintf(ret->text[ret->n - 1] + len, PCAPNG_STRING_MAX - len,
					" %s=%s", prefix_str(&r->pods, prefix),
					addr_str(&r->node, addr));
	}
}

/* -------------------------------------------------------------------------- in */

static bool is_same(const struct prefix *a, const struct prefix *b)
{
	return a->len == b->len && addr_eq(&a->addr, &b->addr);
}

/* What files of one node tell differently is not known. */
static void add(struct model_net *net, const struct model_remote *r)
{
	for (unsigned i = 0; i < net->n_remotes; i++) {
		struct model_remote *have = &net->remotes[i];

		if (!is_same(&have->pods, &r->pods))
			continue;
		if (!addr_eq(&have->node, &r->node))
			have->node = (struct addr){ 0 };
		return;
	}
	if (net->n_remotes < MODEL_REMOTES_MAX)
		net->remotes[net->n_remotes++] = *r;
}

void remotes_parse(struct model_net *net, const char *note)
{
	char text[PCAPNG_STRING_MAX], *save = NULL;

	if (strncmp(note, START " ", strlen(START) + 1) != 0 || strlen(note) >= sizeof(text))
		return;
	memcpy(text, note + strlen(START), strlen(note + strlen(START)) + 1);
	for (char *p = strtok_r(text, " ", &save); p; p = strtok_r(NULL, " ", &save)) {
		char *eq = strchr(p, '=');
		struct model_remote r;

		if (!eq)
			continue;
		*eq = 0;
		if (prefix_parse(p, &r.pods) == 0 && addr_parse(eq + 1, &r.node) == 0)
			add(net, &r);
	}
}

void remotes_take(struct model_net *net, struct input *one)
{
	while (one->notes_read < pcapng_reader_n_notes(one->reader))
		remotes_parse(net, pcapng_reader_note(one->reader, one->notes_read++));
}
