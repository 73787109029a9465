/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * live_line.c - a packet in words.
 */
#include "live_priv.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "podhop/figure.h"

const char *live_way(uint8_t direction)
{
	return direction == MODEL_DIRECTION_EGRESS    ? "out"
	       : direction == MODEL_DIRECTION_INGRESS ? "in"
						      : "other";
}

const char *live_state(const struct live_packet *p)
{
	switch (p->status) {
	case RESULT_COMPLETE:
		return p->retransmission ? "retr" : "ok";
	case RESULT_INCOMPLETE:
		return p->lost ? "lost" : "miss";
	case RESULT_AMBIGUOUS:
		return "ambg";
	default:
		return "edge";
	}
}

const char *live_path(const struct live_packet *p, const struct live_hop *hops, unsigned n_hops,
		      bool numbers, char out[static LIVE_PATH_MAX])
{
	size_t n = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < p->n_sightings && i < RESULT_SIGHTINGS_MAX; i++) {
		unsigned hop = p->sightings[i].hop;
		char word[16];

		if (hop >= n_hops)
			continue;
		if (numbers)
			snprintf(word, sizeof(word), "%u", hop + 1);
		else
			snprintf(word, sizeof(word), "%s", model_role_name(hops[hop].role));
		if (n + strlen(word) + 2 > LIVE_PATH_MAX)
			break;
		n += (size_t)snprintf(out + n, LIVE_PATH_MAX - n, "%s%s", n ? ">" : "", word);
	}
	return out;
}

/* A line, as far as it has room. */
struct line {
	char *text;
	size_t n;
};

__attribute__((format(printf, 2, 3))) static void add(struct line *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(l->text + l->n, LIVE_LINE_MAX - l->n, fmt, ap);
	va_end(ap);
	l->n += (size_t)n < LIVE_LINE_MAX - l->n ? (size_t)n : LIVE_LINE_MAX - 1 - l->n;
}

/* A figure without the space, as packet lines have it. */
static void add_delay(struct line *l, int64_t delay_ns)
{
	char figure[FIGURE_MAX];

	figure_ns((uint64_t)delay_ns, figure);
	int number = (int)strcspn(figure, " ");
	add(l, " %.*s%s", number, figure, figure + number + strspn(figure + number, " "));
}

static void add_trouble(struct line *l, const struct live_packet *p)
{
	if (p->status != RESULT_INCOMPLETE) {
		add(l, " %s", result_status_name(p->status));
	} else {
		add(l, " %s", p->lost ? "lost" : "missing");
		if (p->last_seen)
			add(l, " after %s", model_role_name(p->last_seen));
		if (p->next_expected)
			add(l, ", not seen at %s", model_role_name(p->next_expected));
	}
	if (p->reason[0])
		add(l, ": %s", p->reason);
}

const char *live_line(const struct live_packet *p, const struct live_hop *hops, unsigned n_hops,
		      char out[static LIVE_LINE_MAX])
{
	char path[LIVE_PATH_MAX], protocol[MODEL_PROTOCOL_TEXT_MAX];
	struct line l = { .text = out };

	add(&l, "%s %s > %s len %" PRIu32 " [%s] %s", model_protocol_text(p->protocol, protocol),
	    p->src, p->dst, p->length, live_way(p->direction),
	    live_path(p, hops, n_hops, false, path));
	if (p->delay_ns > 0)
		add_delay(&l, p->delay_ns);
	else if (!p->delay_ns)
		add(&l, " one-stamp");
	if (p->encapsulated)
		add(&l, " ovh %" PRIu64, p->overhead_bytes);
	add(&l, " #%" PRIu64 "%s", p->id, p->retransmission ? " retransmission" : "");
	if (p->far_src[0] || p->far_dst[0])
		add(&l, " (nat %s > %s)", p->far_src, p->far_dst);
	if (p->status != RESULT_COMPLETE)
		add_trouble(&l, p);
	return out;
}

bool live_line_has(const char *line, const char *filter)
{
	return !*filter || strcasestr(line, filter) != NULL;
}
