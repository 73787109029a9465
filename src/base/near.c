/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * near.c - distance between words, and what is near enough.
 */
#include "podhop/near.h"

#include <string.h>

#define WORD_MAX 64u
#define FAR 3u		/* from here on it would be a guess */

/*
 * Edits that make b of a: a character more, less, another, or two exchanged (optimal string
 * alignment). Longer words are as far as can be.
 */
static unsigned distance(const char *a, const char *b)
{
	unsigned before[WORD_MAX + 1], row[WORD_MAX + 1], next[WORD_MAX + 1];
	size_t na = strlen(a), nb = strlen(b);

	if (na > WORD_MAX || nb > WORD_MAX)
		return WORD_MAX;
	memset(before, 0, sizeof(before));
	for (unsigned j = 0; j <= nb; j++)
		row[j] = j;
	for (unsigned i = 1; i <= na; i++) {
		next[0] = i;
		for (unsigned j = 1; j <= nb; j++) {
			unsigned best = row[j - 1] + (a[i - 1] != b[j - 1]);

			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (next[j - 1] + 1 < best)
				best = next[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			next[j] = best;
		}
		memcpy(before, row, sizeof(row));
		memcpy(row, next, sizeof(row));
	}
	return row[nb];
}

void near_begin(struct near *n, const char *word, bool beginnings)
{
	size_t len = strlen(word);

	*n = (struct near){ .word = word, .beginnings = beginnings };
	/* Of a short word everything is a few edits away. */
	n->least = len < 3 ? 1 : len < 5 ? 2 : FAR;
}

bool near_try(struct near *n, const char *candidate)
{
	unsigned d = distance(n->word, candidate);
	size_t len = strlen(n->word);

	/* The whole word and more: a Deployment's name instead of its pod's. */
	if (n->beginnings && len > 1 && strncmp(n->word, candidate, len) == 0 &&
	    candidate[len] == '-')
		d = 0;
	if (d >= n->least)
		return false;
	n->least = d;
	n->best = candidate;
	return true;
}
