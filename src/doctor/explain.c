/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * explain.c - findings as a list, as lines of text, and which of them explains a loss.
 *
 * A line is what a capture file keeps of a finding, so that whoever reads the file
 * elsewhere can tell the reason too:
 *
 *   podhop finding places=00c weight=60 packets=0 about=10.244.2.0/24 reason=TEXT evidence=TEXT
 *
 * TEXTs are of this program's own making; " evidence=" divides them. A file is anybody's: the
 * numbers are checked, and texts are printed by whoever prints foreign text.
 */
#include "doctor_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REASON_AT_LEAST 20 /* below that it is evidence only */
#define PLACES_ALL 0x1f1fu
#define START "podhop finding "
#define EVIDENCE " evidence="

/* ------------------------------------------------------------------------ list */

void doctor_findings_free(struct doctor_findings *f)
{
	if (!f)
		return;
	for (unsigned i = 0; i < f->n; i++) {
		free(f->f[i].reason);
		free(f->f[i].evidence);
	}
	free(f->f);
	*f = (struct doctor_findings){ 0 };
}

static struct doctor_finding *lightest(struct doctor_findings *f)
{
	struct doctor_finding *min = &f->f[0];

	for (unsigned i = 1; i < f->n; i++)
		if (f->f[i].weight < min->weight)
			min = &f->f[i];
	return min;
}

int doctor_findings_add(struct doctor_findings *f, const struct doctor_finding *one)
{
	struct doctor_finding *to;
	char *reason, *evidence;

	for (unsigned i = 0; i < f->n; i++)
		if (strcmp(f->f[i].reason, one->reason) == 0 &&
		    strcmp(f->f[i].evidence, one->evidence) == 0)
			return 0;
	if (f->n == DOCTOR_FINDINGS_MAX && lightest(f)->weight >= one->weight)
		return 0;
	reason = strdup(one->reason);
	evidence = strdup(one->evidence);
	if (f->n < DOCTOR_FINDINGS_MAX) {
		to = reason && evidence
			     ? grow(&f->f, &f->n, sizeof(*to), DOCTOR_FINDINGS_MAX)
			     : NULL;
	} else {
		to = lightest(f);
		if (reason && evidence) {
			free(to->reason);
			free(to->evidence);
		}
	}
	if (!reason || !evidence || !to) {
		free(reason);
		free(evidence);
		return -ENOMEM;
	}
	*to = *one;
	to->reason = reason;
	to->evidence = evidence;
	return 0;
}

/* ------------------------------------------------------------------------ text */

int doctor_finding_text(const struct doctor_finding *f, char out[static DOCTOR_FINDING_TEXT_MAX])
{
	char about[PREFIX_STR_MAX] = "any";
	int n;

	if (!addr_is_none(&f->about.addr))
		prefix_str(&f->about, about);
	n = snprintf(out, DOCTOR_FINDING_TEXT_MAX,
		     START "places=%" PRIx32 " weight=%u packets=%" PRIu64
			   " about=%s reason=%s" EVIDENCE "%s",
		     f->places, f->weight, f->packets, about, f->reason, f->evidence);
	return n < 0 || n >= DOCTOR_FINDING_TEXT_MAX ? -EMSGSIZE : 0;
}

int doctor_finding_parse(struct doctor_findings *f, const char *text, size_t len)
{
	struct doctor_finding one = { 0 };
	char line[DOCTOR_FINDING_TEXT_MAX], about[PREFIX_STR_MAX];
	unsigned weight;
	char *evidence;
	int at = 0;

	if (len >= sizeof(line) || len < strlen(START) || memchr(text, 0, len))
		return -EBADMSG;
	memcpy(line, text, len);
	line[len] = 0;
	/* as wide as they were written, and no wider: no number can overflow */
	if (sscanf(line,
		   START "places=%8" SCNx32 " weight=%3u packets=%19" SCNu64
			 " about=%49s reason=%n",
		   &one.places, &weight, &one.packets, about, &at) != 4 ||
	    !at || !one.places || (one.places & ~PLACES_ALL) || !weight || weight > 100)
		return -EBADMSG;
	if (strcmp(about, "any") != 0 && prefix_parse(about, &one.about) != 0)
		return -EBADMSG;
	evidence = strstr(line + at, EVIDENCE);
	if (!evidence || evidence == line + at)
		return -EBADMSG;
	*evidence = 0;
	one.weight = (uint8_t)weight;
	one.reason = line + at;
	one.evidence = evidence + strlen(EVIDENCE);
	return doctor_findings_add(f, &one);
}

/* --------------------------------------------------------------------- choosing */

static bool concerns(const struct doctor_finding *f, const struct doctor_loss *l)
{
	if (!(f->places & l->places))
		return false;
	if (addr_is_none(&f->about.addr) || l->peers_cut || !l->n_peers)
		return true;
	for (unsigned i = 0; i < l->n_peers; i++)
		if (prefix_has(&f->about, &l->peers[i]))
			return true;
	return false;
}

/*
 * What counted about as many packets as were lost took them; what counted fewer than half
 * did not, whatever it is. Zero: it does not count.
 */
static unsigned score(const struct doctor_finding *f, const struct doctor_loss *l)
{
	uint64_t n = f->packets;
	bool counts_much = f->weight >= 50; /* a rule: it can be nothing but these packets */

	if (!n)
		return f->weight;
	if (n < l->packets / 2)
		return f->weight / 4u;
	if (n > l->packets + l->packets / 4 + 2)
		return f->weight; /* others too */
	return f->weight + (counts_much ? 30u : 15u);
}

void doctor_explain(const struct doctor_findings *f, const struct doctor_loss *loss,
		    struct doctor_cause *ret)
{
	const struct doctor_finding *best[DOCTOR_EVIDENCE_MAX] = { NULL };
	unsigned n = 0;

	*ret = (struct doctor_cause){ 0 };
	for (unsigned i = 0; i < f->n; i++) {
		const struct doctor_finding *one = &f->f[i];
		unsigned at = n;

		if (!concerns(one, loss))
			continue;
		while (at && score(best[at - 1], loss) < score(one, loss))
			at--;
		if (at == DOCTOR_EVIDENCE_MAX)
			continue;
		if (n < DOCTOR_EVIDENCE_MAX)
			n++;
		memmove(&best[at + 1], &best[at], (n - 1 - at) * sizeof(best[0]));
		best[at] = one;
	}
	for (unsigned i = 0; i < n; i++)
		ret->evidence[ret->n_evidence++] = best[i]->evidence;
	ret->score = n ? score(best[0], loss) : 0;
	if (ret->score >= REASON_AT_LEAST)
		ret->reason = best[0]->reason;
}
