/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * live_feed.c - what the capture tells the screen, and never more of it than fits a frame.
 *
 * A capture may close a million packets a second, and a person reads ten lines. So a frame
 * has room for LIVE_PACKETS_MAX, and the packets behind them are counted, nothing else.
 * Lost and missing ones have room of their own: they are what is looked for, and usual traffic
 * must not push them out. With a filter a line has to be made of each packet to look at; that
 * is done for LIVE_MATCHES_MAX of a frame.
 */
#include "live_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct live_feed {
	struct live_feed_config cfg;
	struct live_hop hops[MODEL_HOPS_MAX];	/* names and roles, for the filter's lines */
	struct live_frame frame;
	unsigned n_usual;	/* of frame.packets, complete ones */
	unsigned matches;	/* lines made for the filter */
	char filter[LIVE_FILTER_MAX];
};

/* Names come from files and from the cluster: what reaches a terminal is printable ASCII. */
static void put_safe(char *out, size_t size, const char *text)
{
	size_t n = 0;

	for (; *text && n + 1 < size; text++)
		out[n++] = *text < ' ' || *text > '~' ? '?' : *text;
	out[n] = '\0';
}

/* Hops come while the capture goes on, when it follows a pod that is made anew. */
static void read_hops(struct live_feed *f)
{
	const struct model_net *net = f->cfg.net;

	for (unsigned i = 0; i < net->n_hops; i++) {
		put_safe(f->hops[i].name, sizeof(f->hops[i].name), net->hops[i].name);
		f->hops[i].role = (uint8_t)net->hops[i].role;
	}
}

struct live_feed *live_feed_new(const struct live_feed_config *config, struct err *err)
{
	struct live_feed *f = calloc(1, sizeof(*f));
	const struct model_net *net = config->net;
	char text[4 * LIVE_TITLE_MAX] = "";
	size_t n = 0;

	if (!f) {
		err_sys(err, ENOMEM, "--live");
		return NULL;
	}
	f->cfg = *config;
	read_hops(f);
	for (unsigned i = 0; i < net->n_pods && n < LIVE_TITLE_MAX; i++) {
		const struct model_pod *p = &net->pods[i];
		char addr[ADDR_STR_MAX];

		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.80s%s%.80s", i ? ", " : "",
				      p->namespace_, p->namespace_[0] ? "/" : "", p->name);
		if (p->n_addrs)
			n += (size_t)snprintf(text + n, sizeof(text) - n, " %s",
					      addr_str(&p->addrs[0], addr));
	}
	if (net->node[0])
		snprintf(text + n, sizeof(text) - n, " on %.80s", net->node);
	put_safe(f->frame.title, sizeof(f->frame.title), text);
	return f;
}

void live_feed_free(struct live_feed *f)
{
	free(f);
}

void live_feed_message(struct live_feed *f, const char *text)
{
	put_safe(f->frame.message, sizeof(f->frame.message), text);
}

/* ------------------------------------------------------------------ packets */

static void put_end(const struct live_feed *f, const struct addr *a, bool has_port, uint16_t port,
		    char out[static LIVE_END_MAX])
{
	const char *name = f->cfg.name ? f->cfg.name(f->cfg.name_arg, a) : NULL;
	char addr[ADDR_STR_MAX], suffix[8] = "";

	if (has_port)
		snprintf(suffix, sizeof(suffix), ".%u", port);
	if (!name || !*name)
		name = addr_is_none(a) ? "?" : addr_str(a, addr);
	put_safe(out, LIVE_END_MAX - sizeof(suffix), name);
	strcat(out, suffix);
}

static void put_tuple(const struct live_feed *f, const struct result_tuple *t,
		      char src[static LIVE_END_MAX], char dst[static LIVE_END_MAX])
{
	bool icmp = t->protocol == MODEL_PROTO_ICMP || t->protocol == MODEL_PROTO_ICMPV6;

	put_end(f, &t->src, t->has_ports && !icmp, t->sport, src);
	put_end(f, &t->dst, t->has_ports && !icmp, t->dport, dst);
}

static void copy(const struct live_feed *f, const struct result_packet *p, struct live_packet *o)
{
	unsigned n = p->n_sightings < RESULT_SIGHTINGS_MAX ? p->n_sightings : RESULT_SIGHTINGS_MAX;

	*o = (struct live_packet){
		.id = p->id, .time_ns = p->time_ns, .delay_ns = -1,
		.overhead_bytes = p->overhead_bytes, .length = p->length,
		.payload_len = p->payload_len, .outer_datagrams = p->outer_datagrams,
		.vni = p->vni, .status = (uint8_t)p->status, .direction = (uint8_t)p->direction,
		.protocol = p->tuple.protocol, .last_seen = (uint8_t)p->last_seen,
		.next_expected = (uint8_t)p->next_expected, .lost = p->lost,
		.retransmission = p->retransmission, .encapsulated = p->encapsulated,
		.n_sightings = (uint8_t)n,
	};
	for (unsigned i = 0; i < n; i++)
		o->sightings[i] = (struct live_sighting){ .time_ns = p->sightings[i].first_ns,
							  .hop = p->sightings[i].hop,
							  .encap = p->sightings[i].encap };
	if (n > 1 && o->sightings[n - 1].time_ns >= o->sightings[0].time_ns)
		o->delay_ns = o->sightings[n - 1].time_ns - o->sightings[0].time_ns;
	put_tuple(f, &p->tuple, o->src, o->dst);
	if (p->translated)
		put_tuple(f, &p->translation, o->far_src, o->far_dst);
	if (p->encapsulated) {
		put_end(f, &p->outer_src, true, p->outer_sport, o->outer_src);
		put_end(f, &p->outer_dst, true, p->outer_port, o->outer_dst);
	}
	put_safe(o->reason, sizeof(o->reason), p->reason ? p->reason : "");
}

void live_feed_packet(struct live_feed *f, const struct result_packet *p)
{
	bool trouble = p->status != RESULT_COMPLETE;
	struct live_packet *o = &f->frame.packets[f->frame.n_packets];
	char line[LIVE_LINE_MAX];

	f->frame.closed++;
	if (f->frame.n_packets == LIVE_PACKETS_MAX ||
	    (!trouble && f->n_usual == LIVE_PACKETS_USUAL) ||
	    (f->filter[0] && f->matches == LIVE_MATCHES_MAX)) {
		f->frame.passed_over++;
		return;
	}
	copy(f, p, o);
	if (f->filter[0]) {
		f->matches++;
		if (!live_line_has(live_line(o, f->hops, f->cfg.net->n_hops, line), f->filter))
			return;
	}
	f->frame.n_packets++;
	f->n_usual += !trouble;
}

/* -------------------------------------------------------------------- frame */

static void put_figures(struct live_frame *o, const struct result *r)
{
	o->total = r->packets.total;
	o->complete = r->packets.complete;
	o->incomplete = r->packets.incomplete;
	o->ambiguous = r->packets.ambiguous;
	o->edge = r->packets.edge;
	o->outer_datagrams = r->encapsulation.outer_datagrams;
	o->overhead_bytes = r->encapsulation.overhead_bytes;
	o->inner_bytes = r->encapsulation.inner_bytes;
	o->n_latencies = 0;
	for (unsigned i = 0; i < r->n_latency && o->n_latencies < LIVE_LATENCIES_MAX; i++) {
		const struct result_latency *l = &r->latency[i];

		o->latencies[o->n_latencies++] = (struct live_latency){
			.samples = l->samples, .p50_ns = l->p50_ns, .p99_ns = l->p99_ns,
			.from = (uint8_t)l->from, .to = (uint8_t)l->to,
			.direction = (uint8_t)l->direction, .measurable = l->measurable,
		};
	}
	o->n_losses = 0;
	for (unsigned i = 0; i < r->n_losses && o->n_losses < LIVE_LOSSES_MAX; i++) {
		const struct result_loss *l = &r->losses[i];
		struct live_loss *k = &o->losses[o->n_losses++];

		*k = (struct live_loss){ .packets = l->packets, .last_seen = (uint8_t)l->last_seen,
					 .next_expected = (uint8_t)l->next_expected,
					 .direction = (uint8_t)l->direction, .lost = l->lost };
		put_safe(k->reason, sizeof(k->reason), l->reason ? l->reason : "");
	}
}

const struct live_frame *live_feed_frame(struct live_feed *f, const struct result *r,
					 int64_t start_ns, int64_t now_ns, size_t *ret_size)
{
	struct live_frame *o = &f->frame;

	read_hops(f);
	put_figures(o, r);
	o->start_ns = start_ns;
	o->now_ns = now_ns;
	o->n_hops = r->capture.n_interfaces < MODEL_HOPS_MAX ? r->capture.n_interfaces
							     : MODEL_HOPS_MAX;
	for (unsigned i = 0; i < o->n_hops; i++) {
		const struct result_interface *k = &r->capture.interfaces[i];

		o->hops[i] = f->hops[i];
		o->hops[i].frames = k->observations;
		o->hops[i].bytes = k->bytes;
		o->hops[i].dropped_kernel = k->dropped_kernel;
		o->hops[i].dropped_interface = k->dropped_interface;
		o->hops[i].dropped_podhop = k->dropped_podhop;
	}
	*ret_size = live_frame_size(o->n_packets);
	return o;
}

void live_feed_sent(struct live_feed *f)
{
	f->frame.n_packets = f->n_usual = f->matches = 0;
	f->frame.closed = f->frame.passed_over = 0;
}

bool live_feed_order(struct live_feed *f, const void *bytes, size_t n)
{
	const char *order = bytes;

	if (n && order[0] == LIVE_SAYS_FILTER) {
		size_t len = n - 1 < sizeof(f->filter) - 1 ? n - 1 : sizeof(f->filter) - 1;

		memcpy(f->filter, order + 1, len);
		f->filter[len] = '\0';
	}
	return n && order[0] == LIVE_SAYS_END;
}
