/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * causes.c - reasons for losses: from the node that was watched, into files, out of files.
 *
 * The doctor knows what the node's checks and counters say, the correlator and verify
 * where packets ended. Here they meet: a live capture watches its node, keeps what was found in
 * its file, and gives its losses their reasons; report and verify take them from the files.
 */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "podhop/log.h"

/* --------------------------------------------------------------------- watching */

struct doctor_watch *causes_watch(const struct options *o, const struct chain *node,
				  const struct chain_pod *pod)
{
	struct doctor_config dc = { .host_root = o->host_root, .chain = node, .pod = pod };
	struct doctor_watch *w = NULL;
	struct err err = ERR_INIT;

	/* A capture without reasons is better than none. */
	if (doctor_watch_start(&dc, &w, &err) < 0)
		log_info("doctor", "losses will have no reasons: %s", err.text);
	return w;
}

void causes_end(struct doctor_watch *w, struct doctor_findings *ret)
{
	struct err err = ERR_INIT;

	if (w && doctor_watch_end(w, ret, &err) < 0)
		log_info("doctor", "%s", err.text);
}

/* ------------------------------------------------------------------------ files */

static int by_weight(const void *a, const void *b)
{
	const struct doctor_finding *const *x = a, *const *y = b;

	return (int)(*y)->weight - (int)(*x)->weight;
}

void causes_lines(const struct doctor_findings *f, struct causes_lines *ret)
{
	const struct doctor_finding *order[DOCTOR_FINDINGS_MAX];

	ret->n = 0;
	for (unsigned i = 0; i < f->n; i++)
		order[i] = &f->f[i];
	if (f->n)
		qsort(order, f->n, sizeof(order[0]), by_weight);
	for (unsigned i = 0; i < f->n && ret->n < CAUSES_LINES_MAX; i++) {
		if (doctor_finding_text(order[i], ret->text[ret->n]) < 0)
			continue;
		ret->line[ret->n] = ret->text[ret->n];
		ret->n++;
	}
}

void causes_take(struct doctor_findings *f, const struct pcapng_reader *r)
{
	for (unsigned i = 0; i < pcapng_reader_n_notes(r); i++) {
		const char *note = pcapng_reader_note(r, i);

		/* What is no finding may be something else that a later podhop wrote. */
		(void)doctor_finding_parse(f, note, strlen(note));
	}
}

/* ----------------------------------------------------------------------- losses */

static bool add_evidence(struct result_loss *l, const char *text)
{
	char **grown = reallocarray(l->evidence, l->n_evidence + 1, sizeof(*grown));
	char *copy = strdup(text);

	if (grown)
		l->evidence = grown;
	if (!grown || !copy) {
		free(copy);
		return false;
	}
	l->evidence[l->n_evidence++] = copy;
	return true;
}

int causes_of_losses(const struct doctor_findings *f, struct result *r)
{
	for (unsigned i = 0; i < r->n_losses; i++) {
		struct result_loss *l = &r->losses[i];
		struct doctor_loss what = {
			.places = doctor_places(l->direction, l->last_seen, l->next_expected),
			.packets = l->packets,
			.peers = l->peers,
			.n_peers = l->n_peers,
			.peers_cut = l->peers_cut,
		};
		struct doctor_cause cause;

		/* What the capture itself lost has its reason. */
		if (!l->lost)
			continue;
		doctor_explain(f, &what, &cause);
		for (unsigned k = 0; k < cause.n_evidence; k++)
			if (!add_evidence(l, cause.evidence[k]))
				return -ENOMEM;
		if (!cause.reason || !l->vague)
			continue;
		char *reason = strdup(cause.reason);
		if (!reason)
			return -ENOMEM;
		free(l->reason);
		l->reason = reason;
	}
	return 0;
}
