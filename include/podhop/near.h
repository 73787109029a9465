/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * near.h - "did you mean": the word nearest to one that was not found.
 *
 * Owns: nothing; candidates are borrowed.
 * Never: guesses far: what is further away than a slip of the fingers is not named.
 */
#ifndef PODHOP_NEAR_H
#define PODHOP_NEAR_H

#include <stdbool.h>

struct near {
	const char *word;	/* as it was typed */
	const char *best;	/* the nearest candidate so far; NULL: none is near */
	unsigned least;		/* its distance */
	bool beginnings;	/* "web" is near to "web-7d9c-x2lqm" */
};

void near_begin(struct near *n, const char *word, bool beginnings);
/* Returns true when this is the best one so far. */
bool near_try(struct near *n, const char *candidate);

#endif
