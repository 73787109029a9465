/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_demand.h - what fuzz targets assert: a target ends at the first thing that is broken.
 */
#ifndef TESTS_FUZZ_DEMAND_H
#define TESTS_FUZZ_DEMAND_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "podhop/addr.h"

static inline void demand(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s: broken: %s\n", program_invocation_short_name, what);
	abort();
}

/* The array s holds a string that ends in it. */
#define ENDS(s) demand(memchr(s, 0, sizeof(s)) != NULL, "a string")

/* Is the prefix no longer than its family's addresses? */
static inline bool prefix_fits(const struct prefix *p)
{
	return p->len <= (addr_is_v4(&p->addr) ? 32 : 128);
}

#endif
