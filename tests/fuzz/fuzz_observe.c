/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_observe.c - any bytes as a frame at any hop: the short way to an observation (usual
 * frames, straight from their bytes) against the long one (through a view), and the shortest (from
 * the observation of the same packet at another hop) against the short one.
 *
 * Input: hop (1 byte), way (1), snap length class (1), bytes the wire had more than were captured
 * (1), the frame. Asserted: where the short way is taken, both give the same observation to the
 * last byte that means anything. The frame's packet is then shown again at all hops, plain and
 * inside VXLAN: routed, with fewer bytes captured, and with a byte changed.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "podhop/correlate.h"
#include "podhop/dissect.h"

#define FUZZ_HEAD 4
/* Between these two there is padding. */
#define TUPLE_END (offsetof(struct correlate_obs, tuple) + sizeof(struct result_tuple))
#define TUPLE_NEXT offsetof(struct correlate_obs, body_len)
#define LAST_END (offsetof(struct correlate_obs, again) + sizeof(bool))
#define REST offsetof(struct correlate_obs, outer_src)
#define REST_END (offsetof(struct correlate_obs, outer_ttl) + sizeof(uint8_t))
#define ENCAP 50u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct dissect_config outer_ports = { .vxlan_ports = { 8472 }, .n_vxlan_ports = 1 };
static const struct dissect_config no_ports = { .n_vxlan_ports = 0 };

static struct model_net net;

static struct correlate *correlator(uint32_t snaplen)
{
	static const uint32_t mtu[] = { 1450, 1450, 1450, 1500 };
	struct correlate_config cc = { .net = &net, .nat = true, .keep_other = true,
				       .contents = true,
				       .packets_max = 16, .flows_max = 16, .hash_seed = 7 };
	struct err err = ERR_INIT;

	memset(&net, 0, sizeof(net));
	net.n_hops = 4;
	for (unsigned i = 0; i < net.n_hops; i++) {
		net.hops[i].role = MODEL_ROLE_VETH + i;
		net.hops[i].linktype = MODEL_LINKTYPE_ETHERNET;
		net.hops[i].mtu = mtu[i];
		net.hops[i].snaplen = snaplen;
		net.hops[i].pod = i ? -1 : 0;
	}
	net.n_pods = 1;
	net.pods[0].n_addrs = 2;
	addr_parse("10.244.1.2", &net.pods[0].addrs[0]);
	addr_parse("fd00:1::2", &net.pods[0].addrs[1]);
	return correlate_new(&cc, &err);
}

static bool has_rest(const struct model_view *v)
{
	return v->encap || v->outer_frag || v->ip.frag || v->quote.version;
}

/* Aborts where two observations differ in a byte that means anything. */
static void same(const struct correlate_obs *x, const struct correlate_obs *y, bool with_rest)
{
	const uint8_t *a = (const uint8_t *)x, *b = (const uint8_t *)y;
	size_t n = with_rest ? REST_END : offsetof(struct correlate_obs, outer_src);

	for (size_t i = 0; i < n; i++) {
		if (a[i] == b[i] || (i >= TUPLE_END && i < TUPLE_NEXT) ||
		    (i >= LAST_END && i < REST) || i == offsetof(struct correlate_obs, again))
			continue;
		fprintf(stderr, "fuzz_observe: they differ at byte %zu of %zu\n", i, n);
		abort();
	}
}

/* At the hop nearest the pod what the packet carried is told too. */
static void same_content(const struct correlate_obs *x, const struct correlate_obs *y)
{
	const struct correlate_content *a = &x->content, *b = &y->content;

	if (x->hop != 0)
		return;
	if (a->sum.words != b->sum.words || a->sum.placed != b->sum.placed ||
	    a->sum.bytes != b->sum.bytes || a->sum.cut != b->sum.cut || a->fixed != b->fixed ||
	    a->lead != b->lead || a->checksum != b->checksum || a->tos != b->tos) {
		fprintf(stderr, "fuzz_observe: their contents differ\n");
		abort();
	}
}

/* Outer headers for `len` inner bytes; the frame's own checks look at all of them. */
static void wrap(uint8_t out[static ENCAP], uint32_t len)
{
	const uint32_t ip_len = len + ENCAP - 14, udp_len = ip_len - 20;
	const uint8_t head[ENCAP] = {
		2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0,
		0x45, 0, (uint8_t)(ip_len >> 8), (uint8_t)ip_len, 0, 7, 0, 0, 64, 17, 0, 0,
		192, 168, 0, 1, 192, 168, 0, 2,
		0x81, 0x02, 0x21, 0x18, (uint8_t)(udp_len >> 8), (uint8_t)udp_len, 0, 0,
		8, 0, 0, 0, 0, 0, 1, 0,
	};

	memcpy(out, head, sizeof(head));
}

/* The packet of `before` at every other hop: what the shortest way says must be what is true. */
static void show_again(struct correlate *c, const struct model_frame *before,
		       const struct model_parts *parts, const struct correlate_obs *obs,
		       uint8_t choice)
{
	enum { ROUTED, SHORTENED, CHANGED, VARIANTS };
	const uint32_t len = before->len - parts->eth, had = before->caplen - parts->eth;
	const uint32_t ttl = MODEL_ETHERNET_LEN + (parts->is_v4 ? 8 : 7);

	for (unsigned k = 0; k < 2 * 4 * VARIANTS; k++) {
		const uint32_t at = k & 1 ? ENCAP : 0;
		const unsigned variant = k / 8;
		const uint32_t have = variant == SHORTENED && had > choice ? had - choice : had;
		uint8_t *copy = malloc(at + have ? at + have : 1);
		struct model_frame f = *before;
		struct model_parts again_parts = *parts, usual_parts;
		struct correlate_obs again = *obs, usual;
		const struct dissect_config *dc;

		if (!copy)
			return;
		if (at)
			wrap(copy, len);
		memcpy(copy + at, before->data + parts->eth, have);
		f.data = copy;
		f.len = at + len;
		f.caplen = at + have;
		f.hop = (uint16_t)(k / 2 % 4);
		f.time_ns++;
		f.number++;
		dc = f.hop == 3 ? &outer_ports : &no_ports;
		if (ttl < have)
			copy[at + ttl]--;
		if (variant == CHANGED && have)
			copy[at + (choice * 8u + k) % have] ^= (uint8_t)(1u << (k & 7));
		memset(&usual, 0x33, sizeof(usual));
		if (dissect_usual_again(dc, before, &f, &again_parts) &&
		    correlate_observe_again(c, before, &f, &again_parts, &again)) {
			if (!dissect_usual(dc, &f, &usual_parts) ||
			    !correlate_observe_usual(c, &f, &usual_parts, &usual)) {
				fprintf(stderr, "fuzz_observe: again what is not usual\n");
				abort();
			}
			if (again_parts.outer_ip != usual_parts.outer_ip ||
			    memcmp(&again_parts.eth, &usual_parts.eth,
				   offsetof(struct model_parts, outer_is_v4) -
				   offsetof(struct model_parts, eth))) {
				fprintf(stderr, "fuzz_observe: the headers are elsewhere\n");
				abort();
			}
			same(&again, &usual, at != 0 && f.hop == 3);
			same_content(&again, &usual);
		}
		free(copy);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t snaplens[] = { 0, 96, 256, 65535 };
	static struct correlate *correlators[4];
	struct correlate_obs usual, view_obs;
	struct model_parts parts;
	struct model_view view;
	struct correlate *c;

	if (size < FUZZ_HEAD || size > 1u << 20)
		return 0;
	if (!correlators[data[2] & 3])
		correlators[data[2] & 3] = correlator(snaplens[data[2] & 3]);
	c = correlators[data[2] & 3];
	if (!c)
		return 0;
	/* In memory of exactly its size, so that a read behind it is seen. */
	uint32_t caplen = (uint32_t)(size - FUZZ_HEAD);
	uint8_t *copy = malloc(caplen ? caplen : 1);

	if (!copy)
		return 0;
	memcpy(copy, data + FUZZ_HEAD, caplen);
	struct model_frame f = { .time_ns = 1000, .data = copy, .caplen = caplen,
				 .len = caplen + data[3], .hop = data[0] & 3,
				 .way = data[1] % MODEL_WAY_COUNT, .number = 5 };
	const struct dissect_config *dc = f.hop == 3 ? &outer_ports : &no_ports;

	memset(&usual, 0xaa, sizeof(usual));
	memset(&view_obs, 0x55, sizeof(view_obs));
	if (dissect_usual(dc, &f, &parts) && correlate_observe_usual(c, &f, &parts, &usual)) {
		dissect_frame_stepwise(dc, MODEL_LINKTYPE_ETHERNET, &f, &view);
		correlate_observe(c, &f, &view, &view_obs);
		same(&usual, &view_obs, has_rest(&view));
		same_content(&usual, &view_obs);
		show_again(c, &f, &parts, &usual, (uint8_t)(data[1] + data[3]));
	}
	free(copy);
	return 0;
}
