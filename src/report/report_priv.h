/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * report_priv.h - what the files of this folder share: safe strings, a chunked
 * output, figures for people, JSON scalars.
 *
 * Text is written through `struct report_out`; whole JSON documents are jansson
 * trees that end in report_json_dump(). Strings that did not come out of this
 * program (names, reasons, addresses' names) go through report_out_safe() or
 * report_json_str() and through nothing else.
 */
#ifndef REPORT_PRIV_H
#define REPORT_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "podhop/addr.h"
#include "podhop/figure.h"
#include "podhop/report.h"
#include "podhop/result.h"

/* ---- safe.c */

#define REPORT_REPLACEMENT 0xfffdu	/* U+FFFD */

/*
 * Reads one code point of a NUL-terminated string and steps over it. What is no
 * UTF-8 (Unicode, table 3-7: overlong, surrogate, cut) gives U+FFFD and steps
 * over its longest valid beginning, at least one byte. Not to be called at the NUL.
 */
uint32_t report_utf8_next(const char **s);
/*
 * The string as valid UTF-8, invalid parts replaced by U+FFFD. Returns the length
 * without the NUL; out may be NULL to ask for it. Never writes beyond size.
 */
size_t report_utf8_repair(const char *s, char *out, size_t size);
/*
 * The one way of a foreign string to a terminal: control characters, and those that
 * reorder or hide text, become \xNN or \u{NNNN}; invalid UTF-8 becomes U+FFFD; without
 * utf8 every other character outside ASCII becomes '?'. Cut at a whole character when
 * out is full. Returns the columns it takes on the screen (one a character).
 */
unsigned report_safe(const char *s, bool utf8, char *out, size_t size);

/* ---- report_out.c */

#define REPORT_SAFE_MAX 1024	/* one foreign string on a line, escapes included */

/* Gathers small pieces so that a line costs one write to the stream. */
struct report_out {
	FILE *f;
	const struct report_style *style;	/* never NULL */
	int err;				/* first failure, -errno */
	size_t n;
	char b[4096];
	/* word wrap; off while wrap is 0 */
	unsigned wrap, indent;		/* columns */
	unsigned column, spaces, word_columns;
	bool in_sgr;			/* between ESC and the m of a colour */
	size_t word_n;
	char word[256];
};

/* style may be NULL: no colour, ASCII, 80 columns. */
void report_out_init(struct report_out *o, FILE *f, const struct report_style *style);
/*
 * From here on lines are broken between words where they would pass `columns`, and go
 * on after `indent` columns; blanks at the end of a line are dropped. A word that is
 * wider than the line stays whole. REPORT_GLUE is a blank at which no line is broken.
 */
#define REPORT_GLUE '\x1f'	/* report_safe() never lets it through */
void report_out_wrap(struct report_out *o, unsigned columns, unsigned indent);
void report_out_mem(struct report_out *o, const void *bytes, size_t n);
void report_out_str(struct report_out *o, const char *s);	/* trusted text only */
void report_out_chr(struct report_out *o, char c);
void report_out_u64(struct report_out *o, uint64_t v);
void report_out_i64(struct report_out *o, int64_t v);
void report_out_pad(struct report_out *o, unsigned columns);
unsigned report_out_safe(struct report_out *o, const char *s);	/* returns columns */
/* trusted, below 512 bytes */
__attribute__((format(printf, 2, 3)))
void report_out_fmt(struct report_out *o, const char *fmt, ...);
/* Columns of the screen: never so few that the tables do not fit. */
unsigned report_out_width(const struct report_out *o);
/* Hands the rest to the stream. Returns 0, or -errno of the first failure. */
int report_out_done(struct report_out *o);

/* SGR codes; each is "" when the style has no colour. */
enum report_color {
	REPORT_PLAIN = 0,
	REPORT_BOLD,
	REPORT_DIM,
	REPORT_RED,
	REPORT_YELLOW,
	REPORT_GREEN,
	REPORT_COLOR_COUNT,
};
const char *report_color(const struct report_style *style, enum report_color c);
void report_out_color(struct report_out *o, enum report_color c);
void report_out_in_color(struct report_out *o, enum report_color c, const char *text);
/* An empty line and the name of a section, filled up to the column where text begins. */
#define REPORT_LABEL 11
void report_out_section(struct report_out *o, const char *name);

/* ---- figures.c */

/* Figures (figure.h) as output. A figure and its unit stay on one line. */
void report_out_glued(struct report_out *o, const char *figure);
void report_out_count(struct report_out *o, uint64_t v);
void report_out_count_of(struct report_out *o, uint64_t v, const char *noun);	/* "2 packets" */
void report_out_bytes(struct report_out *o, uint64_t v);

/* An end of a flow as tcpdump writes it, names instead of addresses where known; escaped. */
#define REPORT_END_MAX 300	/* a DNS name of 253 and a port */
const char *report_end(const struct report_style *style, const struct addr *a, bool has_port,
		       uint16_t port, char out[static REPORT_END_MAX]);
/* ICMP's "port" is the echo id: there is one, at the source. */
bool report_protocol_has_dport(uint8_t protocol);
/*
 * What a translation changed: "10.96.0.10.53 -> 10.244.2.7.53", both ends with ", "
 * between them; "" when it changed nothing.
 */
#define REPORT_NAT_MAX (4 * REPORT_END_MAX)
const char *report_nat(const struct report_style *style, const struct result_tuple *pod,
		       const struct result_tuple *far, char out[static REPORT_NAT_MAX]);

/* ---- path_draw.c */

void report_paths(struct report_out *o, const struct result *r);

/* ---- report_json.c */

/* NULL and "" become null; invalid UTF-8 is repaired. NULL when out of memory. */
json_t *report_json_str(const char *s);
json_t *report_json_addr(const struct addr *a);		/* no address: null */
json_t *report_json_mac(const struct mac *m);		/* all zero: null */
/* jansson's integers are signed: beyond INT64_MAX the value stays at INT64_MAX. */
json_t *report_json_u64(uint64_t v);
json_t *report_json_nonzero(uint64_t v);		/* 0: null */
json_t *report_json_known(int64_t v);			/* negative: null */
json_t *report_json_role(enum model_role role);		/* NONE: null */
/*
 * Sets a key and takes over the value. false when the value is NULL or memory is out;
 * a run of calls can be joined with &&.
 */
bool report_json_set(json_t *object, const char *key, json_t *value);
/*
 * Writes the document and a newline, takes over `root` (NULL: out of memory). Pure ASCII,
 * so that no string in it can reach a terminal as a control character.
 * Returns 0, -ENOMEM, or -errno when the stream failed.
 */
int report_json_dump(FILE *f, json_t *root, bool one_line);
/* 12 digits: a double's 17 would print 3.3 as 3.2999999999999998. */
#define REPORT_JSON_REAL JSON_REAL_PRECISION(12)

/* ---- result_json.c */

/* podhop.report/1; the caller ends it. NULL when memory is out. */
json_t *report_result_tree(const struct result *r);

#endif
