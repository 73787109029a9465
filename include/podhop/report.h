/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * report.h - prints chains, packets and results: text, JSON, JSON lines, HTML.
 *
 * Owns: nothing but what it is formatting.
 * Never: computes a figure that is not in the structs it is given, opens files,
 * asks the clock or the environment. Strings from the network are escaped here:
 * control characters never reach a terminal, invalid UTF-8 becomes U+FFFD.
 */
#ifndef PODHOP_REPORT_H
#define PODHOP_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "podhop/chain.h"
#include "podhop/doctor.h"
#include "podhop/err.h"
#include "podhop/model.h"
#include "podhop/result.h"
#include "podhop/verify.h"

struct report_style {
	bool color;		/* ANSI colours */
	unsigned width;		/* columns of the terminal; 0: not one, 80 assumed */
	bool verbose;
	bool utf8;		/* the reader's locale is UTF-8; else ASCII only */
	bool nano;		/* packet lines with nanoseconds (--nano); else microseconds */
	/* A name for an address (NRB, --pods), NULL when it has none; may be NULL. */
	const char *(*name)(void *arg, const struct addr *a);
	void *name_arg;
};

/* What the JSON library reads for itself once: called while files can still be opened. */
void report_prepare(void);

/* All return 0, or -errno when the stream failed. */
int report_list_text(FILE *out, const struct chain *c, const struct report_style *style);
int report_list_json(FILE *out, const struct chain *c, bool one_line);
int report_resolve_text(FILE *out, const struct chain *c, const struct report_style *style);
int report_resolve_json(FILE *out, const struct chain *c, bool one_line);
int report_result_text(FILE *out, const struct result *r, const struct model_net *net,
		       const struct report_style *style);
int report_result_json(FILE *out, const struct result *r, bool one_line);
/*
 * One HTML page that loads nothing, with the report as JSON inside. Of style only the
 * names are used; style may be NULL.
 */
int report_result_html(FILE *out, const struct result *r, const struct model_net *net,
		       const struct report_style *style);
/* One line a packet, tcpdump-like, ending in its path. */
int report_packet_text(FILE *out, const struct result_packet *p, const struct model_net *net,
		       const struct report_style *style);
int report_packet_json(FILE *out, const struct result_packet *p, const struct model_net *net);
int report_doctor_text(FILE *out, const struct doctor_report *r, const struct report_style *style);
int report_doctor_json(FILE *out, const struct doctor_report *r, bool one_line);

struct report_verify {
	const struct verify_result *result;
	const char *const *nodes;	/* names, in the order of the config */
	unsigned n_nodes;
	/* The file of the node's that has the lost packet's frame; may give NULL. */
	const char *(*file)(void *arg, unsigned node, const struct verify_lost *l);
	void *arg;
};
#define REPORT_SENTENCE_MAX 512
/* The verdict in one sentence, printable. Returns out. */
const char *report_verify_sentence(const struct report_verify *r, const struct report_style *style,
				   char out[static REPORT_SENTENCE_MAX]);
int report_verify_text(FILE *out, const struct report_verify *r, const struct report_style *style);
int report_verify_json(FILE *out, const struct report_verify *r, bool one_line);

#endif
