/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * inputs_filter.c - the filters that others' captures were made with, hop by hop.
 *
 * Theory of operation
 *
 * An interface's if_filter (dumpcap -f) says which frames its capture took. What it left out
 * is not missing there, so report and verify ask before they call a packet lost: a filter of
 * flows is run on the frames that the packet would have been (capture_filter_shows()), and the
 * answer of every other one is not known. But where all hops had the same one, and it looks at
 * nothing that hops change (capture_filter_is_packet_only()), what passed it at one of them passes
 * it at the others: one frame at each, and all of them as pods know them, or inside VXLAN.
 *
 * podhop's own if_filter is none of these: it passes every frame of the pods' packets, and what
 * was kept of them stands in the section's comment (kept.c). Where podhop wrote what another's
 * capture held, its description says filtered=yes and the if_filter is that capture's.
 */
#include "cli.h"
#include "inputs.h"
#include "inputs_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "podhop/log.h"

void input_note_filter(struct inputs *in, struct input *one, unsigned hop,
		       const struct pcapng_interface *pi, bool is_new)
{
	struct hop_filter *f = &in->filter[hop];
	struct model_hop *h = &in->net->hops[hop];
	char told[8];
	const bool says = input_told(pi->description, "filtered", told, sizeof(told));
	const bool filtered = says || (!in->own[hop] && pi->has_filter);
	/* One that fills its field was longer. */
	const bool whole = strlen(pi->filter) + 1 < sizeof(pi->filter);
	const char *text = filtered && whole ? pi->filter : "";

	if (is_new) {
		h->filtered = filtered;
		snprintf(f->text, sizeof(f->text), "%s", text);
		f->path = one->path;
	} else if (strcmp(f->text, text) != 0 || h->filtered != filtered) {
		/* Its files were captured differently: which of them would have shown it? */
		h->filtered = true;
		f->text[0] = '\0';
	}
}

/* Is one filter that of all hops, and do these show frames of one kind? */
static bool are_alike(struct inputs *const *nodes, unsigned n)
{
	const char *text = NULL;
	bool any_underlay = false, any_other = false;

	for (unsigned k = 0; k < n; k++)
		for (unsigned i = 0; i < nodes[k]->net->n_hops; i++) {
			const struct hop_filter *f = &nodes[k]->filter[i];

			if (!f->program || !capture_filter_is_packet_only(f->program) ||
			    (text && strcmp(text, f->text) != 0))
				return false;
			text = f->text;
			if (nodes[k]->net->hops[i].role == MODEL_ROLE_UNDERLAY)
				any_underlay = true;
			else
				any_other = true;
		}
	return any_underlay != any_other;
}

/* VXLAN datagrams to one of the ports: which it is here nobody need have told. */
static enum result_shown shows_vxlan(const struct inputs *in, unsigned hop,
				     struct result_frames frames)
{
	const struct model_hop *h = &in->net->hops[hop];
	const uint16_t *ports = h->vxlan_port ? &h->vxlan_port : in->net->vxlan_ports;
	const unsigned n = h->vxlan_port ? 1 : in->net->n_vxlan_ports;
	enum result_shown best = RESULT_HIDDEN;

	for (unsigned i = 0; i < n && best != RESULT_SHOWN; i++) {
		frames.tuple.dport = ports[i];
		enum result_shown shown = capture_filter_shows(in->filter[hop].program, &frames);
		best = shown < best ? shown : best;
	}
	return best;
}

enum result_shown inputs_shows(void *inputs, unsigned node, unsigned hop,
			       const struct result_frames *frames)
{
	const struct inputs *in = inputs;
	const struct hop_filter *f = &in->filter[hop];

	(void)node;
	if (!in->net->hops[hop].filtered)
		return RESULT_SHOWN;
	if (!f->program)
		return RESULT_SHOWN_UNKNOWN;
	if (!capture_filter_is_flow_only(f->program))
		return f->as_all && !frames->in_fragments && !frames->in_segments
			       ? RESULT_SHOWN
			       : RESULT_SHOWN_UNKNOWN;
	return frames->vxlan && !frames->tuple.dport ? shows_vxlan(in, hop, *frames)
						     : capture_filter_shows(f->program, frames);
}

static void warn(const struct inputs *in, unsigned hop)
{
	const struct result_frames vxlan = { .tuple = { .protocol = MODEL_PROTO_UDP,
							.has_ports = true },
					     .vxlan = true };
	const struct model_hop *h = &in->net->hops[hop];
	const struct hop_filter *f = &in->filter[hop];

	if (h->role == MODEL_ROLE_UNDERLAY &&
	    inputs_shows((void *)(uintptr_t)in, 0, hop, &vxlan) == RESULT_SHOWN)
		return;
	if (f->text[0])
		log_warn("input",
			 "%s: %s was captured with the filter \"%s\": what that may have left out "
			 "is not called lost",
			 f->path, h->name, f->text);
	else
		log_warn("input",
			 "%s: %s was captured with a filter that is not known: what it does not "
			 "show is not called lost",
			 f->path, h->name);
}

void inputs_filters(struct inputs *const *nodes, unsigned n)
{
	bool alike;

	for (unsigned k = 0; k < n; k++)
		for (unsigned i = 0; i < nodes[k]->net->n_hops; i++) {
			struct hop_filter *f = &nodes[k]->filter[i];
			struct err why = ERR_INIT;

			/* One that cannot be read is one of which nothing is known. */
			if (f->text[0] && !f->program)
				f->program = capture_filter_new(f->text, &why);
		}
	alike = are_alike(nodes, n);
	for (unsigned k = 0; k < n; k++)
		for (unsigned i = 0; i < nodes[k]->net->n_hops; i++) {
			nodes[k]->filter[i].as_all = alike;
			if (nodes[k]->net->hops[i].filtered && !alike)
				warn(nodes[k], i);
		}
}

void inputs_filters_free(struct inputs *in)
{
	for (unsigned i = 0; i < MODEL_HOPS_MAX; i++)
		capture_filter_free(in->filter[i].program);
}
