/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * filter.c - the user's FILTER, asked about a packet as its pod's veth would show it.
 */
#include "pipeline_priv.h"

#include <string.h>

#define SHOWN_MAX 262144u	/* bytes of a frame that FILTER can look at; libpcap's largest */

#define ETHERNET_ADDRESSES 12u
#define IP6_HEADER 40u

static void put_addr(uint8_t *at, const struct addr *a)
{
	if (addr_is_v4(a))
		memcpy(at, a->b + 12, 4);
	else
		memcpy(at, a->b, 16);
}

static void put_port(uint8_t *at, uint16_t port)
{
	at[0] = (uint8_t)(port >> 8);
	at[1] = (uint8_t)port;
}

static const struct model_pod *pod_with(const struct model_net *net, const struct addr *a)
{
	for (unsigned i = 0; i < net->n_pods; i++)
		for (unsigned k = 0; k < net->pods[i].n_addrs; k++)
			if (addr_eq(&net->pods[i].addrs[k], a))
				return &net->pods[i];
	return NULL;
}

size_t filter_scratch_size(void)
{
	return SHOWN_MAX;
}

static const struct model_hop *bridge_of(const struct model_net *net)
{
	for (unsigned i = 0; i < net->n_hops; i++)
		if (net->hops[i].role == MODEL_ROLE_BRIDGE)
			return &net->hops[i];
	return NULL;
}

/*
 * Away from the veth: the inner frame in `frame`, n bytes of it, gets the MAC addresses, TTL
 * and (when known) the addresses and ports of the veth. Checksums are left alone; no
 * sensible filter asks for them.
 */
static void as_veth_shows(const struct pipeline_config *cfg, const struct correlate *c,
			  const struct model_view *view, const struct correlate_obs *o,
			  correlate_ref ref, uint8_t *frame, uint32_t n)
{
	const struct model_net *net = cfg->net;
	const struct model_hop *bridge = bridge_of(net);
	const struct model_pod *pod = o->pod < net->n_pods ? &net->pods[o->pod] : NULL;
	struct result_tuple t;
	bool translated = correlate_pod_tuple(c, ref, &t);
	bool out = o->direction == MODEL_DIRECTION_EGRESS ||
		   (o->direction == MODEL_DIRECTION_OTHER && o->way == MODEL_WAY_OUT);
	bool v4 = addr_is_v4(&o->tuple.src);

	if (translated && !pod) {
		/* Behind a masquerade nothing in the frame names the pod. */
		pod = pod_with(net, &t.src);
		out = pod != NULL;
		if (!pod)
			pod = pod_with(net, &t.dst);
	}
	if (pod && !mac_is_none(&pod->mac))
		memcpy(frame + (out ? 6 : 0), pod->mac.b, 6);
	if (bridge && !mac_is_none(&bridge->mac))
		memcpy(frame + (out ? 0 : 6), bridge->mac.b, 6);
	if (!view->ip.version)
		return;

	uint32_t ip = view->ip.offset - view->eth_offset, l4 = view->l4_offset - view->eth_offset;
	uint32_t ttl = ip + (v4 ? 8u : 7u), src = ip + (v4 ? 12u : 8u), alen = v4 ? 4u : 16u;

	/* The bridge shows the pod's TTL, but with br_netfilter other addresses. */
	if (ttl < n && net->hops[o->hop].role != MODEL_ROLE_BRIDGE)
		frame[ttl] = (uint8_t)(frame[ttl] + (out ? 1 : -1));
	if (!translated || addr_is_v4(&t.src) != v4 || src + 2 * alen > n)
		return;
	put_addr(frame + src, &t.src);
	put_addr(frame + src + alen, &t.dst);
	if (view->l4_offset && t.has_ports && l4 + 4 <= n &&
	    (t.protocol == MODEL_PROTO_TCP || t.protocol == MODEL_PROTO_UDP)) {
		put_port(frame + l4, t.sport);
		put_port(frame + l4 + 2, t.dport);
	}
}

/*
 * IPv6 headers that the kernel puts in and takes out between hops, 8 bytes each: of a fragment, and
 * the jumbo option that marks a super-frame of more than 64 KiB (BIG TCP; it is never on a wire).
 * libpcap does not look behind them, so `udp port 53` would refuse a datagram for being long. They
 * are taken out of the n bytes in frame. Returns how many bytes went.
 */
static uint32_t take_out_headers(const struct model_view *view, uint8_t *frame, uint32_t n)
{
	enum { NEXT_HEADER = 6, LEN = 8, HOP_BY_HOP = 0, FRAGMENT = 44, JUMBO = 0xc2 };
	uint32_t ip = view->ip.offset - view->eth_offset, at = ip + IP6_HEADER, gone = 0;

	if (view->ip.version != 6)
		return 0;
	while (at + LEN <= n - gone) {
		uint8_t next = frame[ip + NEXT_HEADER];

		if (next != FRAGMENT &&
		    !(next == HOP_BY_HOP && frame[at + 1] == 0 && frame[at + 2] == JUMBO))
			break;
		frame[ip + NEXT_HEADER] = frame[at];
		memmove(frame + at, frame + at + LEN, n - gone - at - LEN);
		gone += LEN;
	}
	return gone;
}

enum correlate_verdict filter_ask(const struct pipeline_config *cfg, const struct correlate *c,
				  const struct model_frame *f, const struct model_view *view,
				  const struct correlate_obs *o, correlate_ref ref,
				  uint8_t *scratch)
{
	const struct model_hop *hop = &cfg->net->hops[o->hop];
	const uint8_t *frame = f->data + view->eth_offset;
	uint32_t caplen, len, gone;
	int match, as_it_is = 0;

	if (view->eth_offset >= f->caplen)
		return CORRELATE_UNSURE;
	caplen = f->caplen - view->eth_offset;
	len = f->len - view->eth_offset;
	if (caplen > SHOWN_MAX)
		caplen = SHOWN_MAX;
	if (hop->role != MODEL_ROLE_VETH && hop->linktype == MODEL_LINKTYPE_ETHERNET &&
	    caplen >= ETHERNET_ADDRESSES) {
		memcpy(scratch, frame, caplen);
		as_veth_shows(cfg, c, view, o, ref, scratch, caplen);
		frame = scratch;
	}
	if (view->ip.version == 6 && view->l4_offset > view->ip.offset + IP6_HEADER) {
		/* Whoever asks for bytes may mean these headers. */
		if (!capture_filter_is_flow_only(cfg->filter))
			as_it_is = capture_filter_match(cfg->filter, frame, caplen, len);
		if (frame != scratch)
			memcpy(scratch, frame, caplen);
		frame = scratch;
		gone = take_out_headers(view, scratch, caplen);
		caplen -= gone;
		len -= gone;
	}
	match = capture_filter_match(cfg->filter, frame, caplen, len);
	if (as_it_is > 0)
		match = 1;
	return match > 0 ? CORRELATE_KEEP : match == 0 ? CORRELATE_DROP : CORRELATE_UNSURE;
}
