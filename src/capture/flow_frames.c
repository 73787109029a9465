// SPDX-License-Identifier: BSD-3-Clause
/*
 * flow_frames.c - asks a filter about frames that nobody has captured.
 *
 * A filter that has nothing but addresses, ports and protocols (filter_words.c) says the same of
 * every frame of a flow, so a frame is made of what is known of the flow and the filter is run on
 * it. What is not known is tried both ways: an answer that depends on it is none.
 */
#include "podhop/capture.h"

#include <string.h>

#define ETHERNET 14u
#define FRAME_MAX 128u	/* Ethernet, IPv6 with a fragment header, and ports */
#define UDP_HEADER 8u

/* TEST-NET-2 and the documentation's IPv6: no node has them. RFC 5737, RFC 3849. */
static const char *const nobody[][2] = {
	{ "198.51.100.1", "2001:db8::1" },
	{ "198.51.100.2", "2001:db8::2" },
};

static void put16(uint8_t *at, uint16_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

/* Ethernet, IP and the ports; of a later fragment, which has none, zeros stand there. */
static uint32_t make_frame(const struct result_tuple *t, bool later,
			   uint8_t frame[static FRAME_MAX])
{
	enum { V4_ID = 4, V4_FRAGMENT = 6, V4_TTL = 8, V4_PROTOCOL = 9, V4_SRC = 12, V4_DST = 16 };
	enum { V6_LEN = 4, V6_NEXT = 6, V6_HOPS = 7, V6_SRC = 8, V6_DST = 24, FRAGMENT = 44 };
	const bool v4 = addr_is_v4(&t->src);
	const uint16_t somewhere = 1480; /* bytes: where a later fragment may begin */
	uint32_t ip_len = v4 ? 20 : 40;
	uint8_t *ip = frame + ETHERNET;

	memset(frame, 0, FRAME_MAX);
	put16(frame + 12, v4 ? 0x0800 : 0x86dd);
	if (v4) {
		ip[0] = 0x45;
		put16(ip + 2, (uint16_t)(ip_len + UDP_HEADER));
		put16(ip + V4_ID, 1);
		put16(ip + V4_FRAGMENT, later ? somewhere / 8 : 0);
		ip[V4_TTL] = 64;
		ip[V4_PROTOCOL] = t->protocol;
		memcpy(ip + V4_SRC, t->src.b + 12, 4);
		memcpy(ip + V4_DST, t->dst.b + 12, 4);
	} else {
		ip[0] = 0x60;
		ip[V6_NEXT] = t->protocol;
		ip[V6_HOPS] = 64;
		memcpy(ip + V6_SRC, t->src.b, 16);
		memcpy(ip + V6_DST, t->dst.b, 16);
		if (later) {
			ip[ip_len] = t->protocol;
			put16(ip + ip_len + 2, somewhere & 0xfff8);
			ip[V6_NEXT] = FRAGMENT;
			ip_len += 8;
		}
		put16(ip + V6_LEN, (uint16_t)(ip_len - 40 + UDP_HEADER));
	}
	if (t->has_ports && !later) {
		put16(ip + ip_len, t->sport);
		put16(ip + ip_len + 2, t->dport);
	}
	return ETHERNET + ip_len + UDP_HEADER;
}

struct tried {
	bool passed, refused;
};

static void try_tuple(const struct capture_filter *f, const struct result_tuple *t, bool fragments,
		      struct tried *ret)
{
	for (unsigned later = 0; later < (fragments ? 2u : 1u); later++) {
		uint8_t frame[FRAME_MAX];
		uint32_t len = make_frame(t, later, frame);
		bool pass = capture_filter_match(f, frame, len, len) == 1;

		ret->passed |= pass;
		ret->refused |= !pass;
	}
}

enum result_shown capture_filter_shows(const struct capture_filter *f,
				       const struct result_frames *frames)
{
	const bool known = !addr_is_none(&frames->tuple.src) && !addr_is_none(&frames->tuple.dst);
	struct tried tried = { false, false };

	if (!capture_filter_is_flow_only(f))
		return RESULT_SHOWN_UNKNOWN;
	if (known)
		try_tuple(f, &frames->tuple, frames->in_fragments, &tried);
	for (unsigned i = 0; i < 2 && !known; i++)
		for (unsigned family = 0; family < 2; family++) {
			struct result_tuple t = frames->tuple;

			if (addr_parse(nobody[i][family], &t.src) < 0 ||
			    addr_parse(nobody[!i][family], &t.dst) < 0)
				return RESULT_SHOWN_UNKNOWN;
			try_tuple(f, &t, frames->in_fragments, &tried);
		}
	if (!tried.refused)
		return RESULT_SHOWN;
	/* Of addresses that are not known others might have passed. */
	return tried.passed || !known ? RESULT_SHOWN_UNKNOWN : RESULT_HIDDEN;
}
