/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * live_line.c - a packet in words.
 */
#include "live_priv.h"

#include <inttypes.h>
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

const char *live_line(const struct live_packet *p, const struct live_hop *hops, unsigned n_hops,
		      char out[static LIVE_LINE_MAX])
{
	char path[LIVE_PATH_MAX], protocol[MODEL_PROTOCOL_TEXT_MAX], figure[FIGURE_MAX];
	size_t n;

	n = (size_t)snprintf(out, LIVE_LINE_MAX, "%s %s > %s len %" PRIu32 " [%s] %s",
			     model_protocol_text(p->protocol, protocol), p->src, p->dst, p->length,
			     live_way(p->direction), live_path(p, hops, n_hops, false, path));
	if (p->delay_ns >= 0 && n < LIVE_LINE_MAX) {
		/* A figure without the space, as packet lines have it. */
		figure_ns((uint64_t)p->delay_ns, figure);
		size_t number = strcspn(figure, " ");
		if (p->delay_ns)
			n += (size_t)snprintf(out + n, LIVE_LINE_MAX - n, " %.*s%s", (int)number,
					      figure, figure[number] ? figure + number + 1 : "");
		else
			n += (size_t)snprintf(out + n, LIVE_LINE_MAX - n, " one-stamp");
	}
	if (p->encapsulated && n < LIVE_LINE_MAX)
		n += (size_t)snprintf(out + n, LIVE_LINE_MAX - n, " ovh %" PRIu64,
				      p->overhead_bytes);
	if (n < LIVE_LINE_MAX)
		n += (size_t)snprintf(out + n, LIVE_LINE_MAX - n, " #%" PRIu64 "%s", p->id,
				      p->retransmission ? " retransmission" : "");
	if ((p->far_src[0] || p->far_dst[0]) && n < LIVE_LINE_MAX)
		n += (size_t)snprintf(out + n, LIVE_LINE_MAX - n, " (nat %s > %s)", p->far_src,
				      p->far_dst);
	if (p->status == RESULT_COMPLETE || n >= LIVE_LINE_MAX)
		return out;
	n += (size_t)snprintf(out + n, LIVE_LINE_MAX - n, " %s",
			      p->status != RESULT_INCOMPLETE ? result_status_name(p->status)
			      : p->lost			     ? "lost" : "missing");
	if (p->status == RESULT_INCOMPLETE && p->last_seen && n < LIVE_LINE_MAX)
		n += (size_t)snprintf(out + n, LIVE_LINE_MAX - n, " after %s",
				      model_role_name(p->last_seen));
	if (p->status == RESULT_INCOMPLETE && p->next_expected && n < LIVE_LINE_MAX)
		n += (size_t)snprintf(out + n, LIVE_LINE_MAX - n, ", not seen at %s",
				      model_role_name(p->next_expected));
	if (p->reason[0] && n < LIVE_LINE_MAX)
		snprintf(out + n, LIVE_LINE_MAX - n, ": %s", p->reason);
	return out;
}

bool live_line_has(const char *line, const char *filter)
{
	return !*filter || strcasestr(line, filter) != NULL;
}
