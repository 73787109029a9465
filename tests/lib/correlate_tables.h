/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * correlate_tables.h - the correlator's tables, seen from inside.
 */
#ifndef CORRELATE_TABLES_H
#define CORRELATE_TABLES_H

#include "../../src/correlate/correlate_priv.h"

static inline uint32_t n_listed_aliases(const struct correlate *c)
{
	uint32_t n = 0;

	for (uint32_t a = c->alias_free; a != NONE; a = c->alias[a].sibling)
		n++;
	return n;
}

/* After the last mark and correlate_finish(): every element of every table is free again. */
static inline bool correlate_is_empty(const struct correlate *c)
{
	uint32_t packets = 0, ranges = 0, seen = 0, ties = 0;

	for (uint32_t i = c->packets_free; i != NONE; i = c->packet[i].next)
		packets++;
	for (uint32_t i = c->range_free; i != NONE; i = c->range[i].next)
		ranges++;
	for (uint32_t i = c->seen_free; i != NONE; i = c->seen[i].next)
		seen++;
	for (uint32_t i = c->tie_free; i != NONE; i = c->tie[i].next_free)
		ties++;
	for (uint32_t i = 0; i < c->flows_top; i++)
		if (c->flow[i].open)
			return false;
	return packets == c->packets_top && ranges == c->range_top && seen == c->seen_top &&
	       ties == c->tie_top && n_listed_aliases(c) == c->alias_top && !c->n_open &&
	       c->oldest == NONE && c->newest == NONE && !c->n_settling && !c->ids_open;
}

#endif
