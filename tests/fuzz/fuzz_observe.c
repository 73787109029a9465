/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_observe.c - any bytes as a frame at any hop: the short way to an observation (usual
 * frames, straight from their bytes) against the long one (through a view).
 *
 * Input: hop (1 byte), way (1), snap length class (1), bytes the wire had more than were captured
 * (1), the frame. Asserted: where the short way is taken, both give the same observation to the
 * last byte that means anything.
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct model_net net;

static struct correlate *correlator(uint32_t snaplen)
{
	static const uint32_t mtu[] = { 1450, 1450, 1450, 1500 };
	struct correlate_config cc = { .net = &net, .nat = true, .keep_other = true,
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct dissect_config outer = { .vxlan_ports = { 8472 }, .n_vxlan_ports = 1 };
	static const struct dissect_config plain = { .n_vxlan_ports = 0 };
	static const uint32_t snaplens[] = { 0, 96, 128, 65535 };
	static struct correlate *correlators[4];
	struct correlate_obs usual, view_obs;
	struct model_parts parts;
	struct model_view view;
	struct correlate *c;
	size_t n = offsetof(struct correlate_obs, outer_src);

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
	const struct dissect_config *dc = f.hop == 3 ? &outer : &plain;

	memset(&usual, 0xaa, sizeof(usual));
	memset(&view_obs, 0x55, sizeof(view_obs));
	if (dissect_usual(dc, &f, &parts) && correlate_observe_usual(c, &f, &parts, &usual)) {
		dissect_frame_stepwise(dc, MODEL_LINKTYPE_ETHERNET, &f, &view);
		correlate_observe(c, &f, &view, &view_obs);
		if (has_rest(&view))
			n = sizeof(usual);
		const uint8_t *a = (const uint8_t *)&usual, *b = (const uint8_t *)&view_obs;

		for (size_t i = 0; i < n; i++) {
			if (a[i] == b[i] || (i >= TUPLE_END && i < TUPLE_NEXT))
				continue;
			fprintf(stderr, "fuzz_observe: they differ at byte %zu of %zu\n", i, n);
			abort();
		}
	}
	free(copy);
	return 0;
}
