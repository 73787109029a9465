/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * result.c - names, path text and the end of a result.
 */
#include "podhop/result.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static const char *const result_statuses[] = {
	[RESULT_COMPLETE] = "complete",
	[RESULT_INCOMPLETE] = "incomplete",
	[RESULT_AMBIGUOUS] = "ambiguous",
	[RESULT_EDGE] = "edge",
};
static_assert(COUNT_OF(result_statuses) == RESULT_STATUS_COUNT, "a name a status");

static const char *const result_bases[] = {
	[RESULT_BASIS_NONE] = NULL,
	[RESULT_BASIS_OBSERVED] = "observed",
	[RESULT_BASIS_COMPUTED] = "computed",
	[RESULT_BASIS_MIXED] = "mixed",
	[RESULT_BASIS_UNKNOWN] = "unknown",
};
static_assert(COUNT_OF(result_bases) == RESULT_BASIS_UNKNOWN + 1, "a name a basis");

const char *result_status_name(enum result_status s)
{
	if ((unsigned)s >= COUNT_OF(result_statuses) || !result_statuses[s])
		return "?";
	return result_statuses[s];
}

const char *result_basis_name(enum result_basis b)
{
	return (unsigned)b < COUNT_OF(result_bases) ? result_bases[b] : NULL;
}

/*
 * The basis of a sum of two parts. A part without datagrams says nothing; parts
 * that were found in different ways, one of them possibly not at all, are mixed.
 */
enum result_basis result_basis_join(enum result_basis a, enum result_basis b)
{
	if (a == RESULT_BASIS_NONE)
		return b;
	if (b == RESULT_BASIS_NONE || a == b)
		return a;
	return RESULT_BASIS_MIXED;
}

/* Small packets in octaves, then what fits Ethernet, jumbo frames, super-frames. */
static const uint32_t result_sizes[] = { 127, 255, 511, 1023, 1518, 9018, UINT32_MAX };
static_assert(COUNT_OF(result_sizes) == RESULT_SIZES, "a limit a class");

unsigned result_size_class(uint32_t length)
{
	unsigned i = 0;

	while (i < RESULT_SIZES - 1 && length > result_sizes[i])
		i++;
	return i;
}

uint32_t result_size_limit(unsigned size_class)
{
	return result_sizes[size_class < RESULT_SIZES ? size_class : RESULT_SIZES - 1];
}

static char *result_append(char *at, const char *end, const char *s)
{
	size_t n = strlen(s), room = (size_t)(end - at);

	if (n > room)
		n = room;
	/* Without its NUL: more is appended, and the caller ends the text. */
	memcpy(at, s, n); /* NOLINT(bugprone-not-null-terminated-result) */
	return at + n;
}

const char *result_path_str(const struct result_path *p, char out[static RESULT_PATH_STR_MAX])
{
	const char *end = out + RESULT_PATH_STR_MAX - 1;
	char *at = out;

	for (unsigned i = 0; i < p->n && i < RESULT_PATH_MAX; i++) {
		if (i != 0)
			at = result_append(at, end, ">");
		at = result_append(at, end, model_role_name((enum model_role)p->role[i]));
	}
	if (p->cut)
		at = result_append(at, end, at == out ? "loop" : ">loop");
	*at = '\0';
	return out;
}

void result_free(struct result *r)
{
	if (!r)
		return;
	free(r->node);
	for (unsigned i = 0; r->inputs && i < r->n_inputs; i++) {
		free(r->inputs[i].file);
		free(r->inputs[i].reason);
	}
	free(r->inputs);
	free(r->capture.interfaces);
	free(r->paths);
	free(r->encapsulation.tunnels);
	for (unsigned i = 0; r->latency && i < r->n_latency; i++)
		free(r->latency[i].bars);
	free(r->latency);
	free(r->flows);
	for (unsigned i = 0; r->losses && i < r->n_losses; i++) {
		struct result_loss *loss = &r->losses[i];

		free(loss->reason);
		for (unsigned k = 0; loss->evidence && k < loss->n_evidence; k++)
			free(loss->evidence[k]);
		free(loss->evidence);
	}
	free(r->losses);
	*r = (struct result){ 0 };
}
