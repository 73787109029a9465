/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * node_notes.c - where the node's tables led as its capture began: into files, out of files.
 *
 * Interfaces in a file bear comments like
 *
 *   podhop remotes 10.244.2.0/24=192.168.77.12 fd00:10:244:2::/64=fd00:77::12
 *   podhop routes 10.244.1.0/24=local 10.244.2.0/24=vtep 169.254.20.10/32=node 0.0.0.0/0=direct
 *   podhop routes end
 *
 * The VTEP's tells the FDB, so that verify can compare the outer destinations that it sees; the
 * bridge's tells the routes, so that report knows of a packet what capture knew: which hops its
 * path needs. `end` says that these were all of them.
 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

#include "inputs_priv.h"

#define START "podhop "
#define REMOTES START "remotes"
#define ROUTES START "routes"
#define ROUTES_END " end"
#define ENTRY_MAX (PREFIX_STR_MAX + ADDR_STR_MAX + 2) /* blank, prefix, =, address or kind */

/* ------------------------------------------------------------------------- out */

/* Appends to the last line, or to a new one, which begins with start. False: no room. */
static bool add_text(struct note_lines *l, const char *start, const char *text)
{
	size_t len = l->n ? strlen(l->text[l->n - 1]) : 0;

	if (!l->n || PCAPNG_STRING_MAX - len <= ENTRY_MAX) {
		if (l->n == NOTE_LINES_MAX)
			return false;
		len = strlen(start);
		memcpy(l->text[l->n], start, len + 1);
		l->line[l->n] = l->text[l->n];
		l->n++;
	}
	snprintf(l->text[l->n - 1] + len, PCAPNG_STRING_MAX - len, "%s", text);
	return true;
}

static bool add_entry(struct note_lines *l, const char *start, const struct prefix *p,
		      const char *value)
{
	char text[ENTRY_MAX + 1], prefix[PREFIX_STR_MAX];

	snprintf(text, sizeof(text), " %s=%s", prefix_str(p, prefix), value);
	return add_text(l, start, text);
}

void note_remotes(const struct model_net *net, struct note_lines *ret)
{
	char addr[ADDR_STR_MAX];

	ret->n = 0;
	for (unsigned i = 0; i < net->n_remotes; i++) {
		const struct model_remote *r = &net->remotes[i];

		if (!addr_is_none(&r->node) &&
		    !add_entry(ret, REMOTES, &r->pods, addr_str(&r->node, addr)))
			return;
	}
}

void note_routes(const struct model_net *net, struct note_lines *ret)
{
	bool all = net->routes_known && net->n_routes;

	ret->n = 0;
	for (unsigned i = 0; i < net->n_routes && all; i++)
		all = add_entry(ret, ROUTES, &net->routes[i].dst,
				model_route_name(net->routes[i].kind));
	if (!all || !add_text(ret, ROUTES, ROUTES_END))
		ret->n = 0; /* in part they would mislead */
}

/* -------------------------------------------------------------------------- in */

static bool is_same(const struct prefix *a, const struct prefix *b)
{
	return a->len == b->len && addr_eq(&a->addr, &b->addr);
}

/* What files of one node tell differently is not known. */
static void add_remote(struct model_net *net, const struct prefix *pods, const char *value)
{
	struct model_remote r = { .pods = *pods };

	if (addr_parse(value, &r.node) < 0)
		return;
	for (unsigned i = 0; i < net->n_remotes; i++) {
		struct model_remote *have = &net->remotes[i];

		if (!is_same(&have->pods, pods))
			continue;
		if (!addr_eq(&have->node, &r.node))
			have->node = (struct addr){ 0 };
		return;
	}
	if (net->n_remotes < MODEL_REMOTES_MAX)
		net->remotes[net->n_remotes++] = r;
}

/* Here they make all of them unknown: a path that is not the packet's would be asked for. */
static void add_route(struct model_net *net, const struct prefix *dst, const char *value)
{
	struct model_route r = { .dst = *dst };

	if (!model_route_parse(value, &r.kind))
		return;
	for (unsigned i = 0; i < net->n_routes; i++) {
		if (!is_same(&net->routes[i].dst, dst))
			continue;
		net->routes_differ |= net->routes[i].kind != r.kind;
		return;
	}
	if (!net->routes)
		net->routes = calloc(MODEL_ROUTES_MAX, sizeof(*net->routes));
	if (net->routes && net->n_routes < MODEL_ROUTES_MAX)
		net->routes[net->n_routes++] = r;
	else
		net->routes_differ = true; /* not all of them */
}

void note_parse(struct model_net *net, const char *note)
{
	bool routes = strncmp(note, ROUTES " ", strlen(ROUTES) + 1) == 0;
	char text[PCAPNG_STRING_MAX], *save = NULL;
	struct prefix prefix;

	if ((!routes && strncmp(note, REMOTES " ", strlen(REMOTES) + 1) != 0) ||
	    strlen(note) >= sizeof(text))
		return;
	strcpy(text, note + strlen(START));
	for (char *p = strtok_r(text, " ", &save); p; p = strtok_r(NULL, " ", &save)) {
		char *eq = strchr(p, '=');

		if (routes && strcmp(p, &ROUTES_END[1]) == 0)
			net->routes_known = net->n_routes != 0;
		if (!eq)
			continue;
		*eq = 0;
		if (prefix_parse(p, &prefix) < 0)
			continue;
		if (routes)
			add_route(net, &prefix, eq + 1);
		else
			add_remote(net, &prefix, eq + 1);
	}
	net->routes_known &= !net->routes_differ;
}

void note_take(struct model_net *net, struct input *one)
{
	while (one->notes_read < pcapng_reader_n_notes(one->reader))
		note_parse(net, pcapng_reader_note(one->reader, one->notes_read++));
}
