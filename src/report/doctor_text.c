/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * doctor_text.c - the doctor's findings for people: failures first, each with its mend.
 *
 * A command to run is never wrapped: it is made to be copied.
 */
#include "report_priv.h"

#include <string.h>

#include "podhop/doctor.h"

#define DOCTOR_LABEL 10 /* "expected" and two blanks */
#define DOCTOR_INDENT 6 /* below the status */
#define DOCTOR_ID 20 /* "sysctl.br_netfilter" and a blank */

static enum report_color doctor_color(enum doctor_status s)
{
	switch (s) {
	case DOCTOR_FAIL:
		return REPORT_RED;
	case DOCTOR_WARN:
		return REPORT_YELLOW;
	case DOCTOR_OK:
		return REPORT_GREEN;
	case DOCTOR_SKIP:
	case DOCTOR_NONE:
	case DOCTOR_STATUS_COUNT:
		break;
	}
	return REPORT_DIM;
}

static void doctor_head(struct report_out *o, const struct doctor_check *c)
{
	static const char *const names[DOCTOR_STATUS_COUNT] = {
		[DOCTOR_NONE] = "?",	[DOCTOR_OK] = "ok",	[DOCTOR_WARN] = "warn",
		[DOCTOR_FAIL] = "FAIL", [DOCTOR_SKIP] = "skip",
	};
	const char *name = names[c->status];
	unsigned n = (unsigned)strlen(c->id);

	report_out_in_color(o, doctor_color(c->status), name);
	report_out_pad(o, DOCTOR_INDENT - (unsigned)strlen(name));
	report_out_str(o, c->id);
	report_out_pad(o, n < DOCTOR_ID ? DOCTOR_ID - n : 1);
	report_out_color(o, REPORT_BOLD);
	report_out_safe(o, c->object);
	report_out_color(o, REPORT_PLAIN);
}

static void doctor_line(struct report_out *o, const char *label, const char *text, bool wrap)
{
	if (!*text)
		return;
	report_out_wrap(o, wrap ? report_out_width(o) : 0, DOCTOR_INDENT + DOCTOR_LABEL);
	report_out_pad(o, DOCTOR_INDENT);
	report_out_str(o, label);
	report_out_pad(o, DOCTOR_LABEL - (unsigned)strlen(label));
	report_out_safe(o, text);
	report_out_chr(o, '\n');
	report_out_wrap(o, 0, 0);
}

static void doctor_finding(struct report_out *o, const struct doctor_check *c)
{
	doctor_head(o, c);
	report_out_chr(o, '\n');
	doctor_line(o, "expected", c->expected, true);
	doctor_line(o, "found", c->found, true);
	doctor_line(o, "mend", c->advice, false);
	report_out_chr(o, '\n');
}

static void doctor_short(struct report_out *o, const struct doctor_check *c)
{
	doctor_head(o, c);
	report_out_str(o, "  ");
	report_out_color(o, REPORT_DIM);
	report_out_safe(o, c->found);
	report_out_color(o, REPORT_PLAIN);
	report_out_chr(o, '\n');
}

static void doctor_summary(struct report_out *o, const struct doctor_report *r)
{
	unsigned looked = r->n_checks - r->n[DOCTOR_SKIP];
	const struct {
		enum doctor_status status;
		const char *one, *many;
	} rest[] = {
		{ DOCTOR_WARN, "warning", "warnings" },
		{ DOCTOR_SKIP, "skipped", "skipped" },
	};

	if (*r->node) {
		report_out_safe(o, r->node);
		report_out_str(o, ": ");
	}
	if (r->n[DOCTOR_FAIL]) {
		report_out_color(o, REPORT_RED);
		report_out_u64(o, r->n[DOCTOR_FAIL]);
		report_out_str(o, " of ");
		report_out_u64(o, looked);
		report_out_str(o, looked == 1 ? " check failed" : " checks failed");
	} else if (r->n[DOCTOR_WARN]) {
		report_out_color(o, REPORT_YELLOW);
		report_out_str(o, "none of ");
		report_out_u64(o, looked);
		report_out_str(o, looked == 1 ? " check failed" : " checks failed");
	} else {
		report_out_color(o, REPORT_GREEN);
		report_out_str(o, looked == 1 ? "" : "all ");
		report_out_u64(o, looked);
		report_out_str(o, looked == 1 ? " check passed" : " checks passed");
	}
	report_out_color(o, REPORT_PLAIN);
	for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++) {
		unsigned n = r->n[rest[i].status];

		if (!n)
			continue;
		report_out_str(o, ", ");
		report_out_u64(o, n);
		report_out_chr(o, ' ');
		report_out_str(o, n == 1 ? rest[i].one : rest[i].many);
	}
	report_out_chr(o, '\n');
}

int report_doctor_text(FILE *out, const struct doctor_report *r, const struct report_style *style)
{
	static const enum doctor_status order[] = { DOCTOR_FAIL, DOCTOR_WARN };
	struct report_out o;

	report_out_init(&o, out, style);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		for (unsigned j = 0; j < r->n_checks; j++) {
			if (r->checks[j].status == order[i])
				doctor_finding(&o, &r->checks[j]);
		}
	}
	if (o.style->verbose) {
		for (unsigned j = 0; j < r->n_checks; j++) {
			if (r->checks[j].status == DOCTOR_OK || r->checks[j].status == DOCTOR_SKIP)
				doctor_short(&o, &r->checks[j]);
		}
		report_out_chr(&o, '\n');
	}
	doctor_summary(&o, r);
	return report_out_done(&o);
}
