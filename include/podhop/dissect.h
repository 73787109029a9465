/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dissect.h - one frame in, one model_view out.
 *
 * Owns: nothing; it keeps no state between frames and allocates nothing.
 * Never: reads outside the captured bytes, does I/O, guesses a header that is
 * not there, or follows more than a fixed number of VLAN tags, extension
 * headers or tunnels (constants below).
 *
 * Standards: IEEE 802.1Q, RFC 791, 8200, 768, 9293, 792, 4443, 9260, 7348;
 * LINKTYPE_LINUX_SLL and _SLL2 as tcpdump.org describes them. BIG TCP (IPv4
 * total length 0, IPv6 payload length 0 with or without a jumbogram option):
 * the length then follows from the frame (Linux net/ipv4/ip_output.c,
 * net/ipv6/ip6_offload.c).
 *
 * VXLAN (RFC 7348): UDP to one of the given ports, I flag set (`flags & 0x08`),
 * reserved bits ignored as the RFC asks, GBP's bits tolerated. One level is
 * unwrapped: a VXLAN datagram inside VXLAN is the pod's own traffic.
 */
#ifndef PODHOP_DISSECT_H
#define PODHOP_DISSECT_H

#include <stdbool.h>
#include <stdint.h>

#include "podhop/model.h"

#define DISSECT_VLAN_MAX 4	/* QinQ is 2; deeper stacks exist only in attacks */
#define DISSECT_EXT_MAX 8	/* IPv6 extension headers; RFC 8200 orders at most 7 */

/* The UDP destination ports that are VXLAN here. */
struct dissect_config {
	uint16_t vxlan_ports[8];
	unsigned n_vxlan_ports;
};

/*
 * Reads `frame` (linktype: a LINKTYPE_ value) into ret_view, which is filled
 * whole whatever the outcome; ret_view->status tells how far reading came, and
 * everything read before that point is valid.
 */
void dissect_frame(const struct dissect_config *config, uint16_t linktype,
		   const struct model_frame *frame, struct model_view *ret_view);

/*
 * The same view, read header by header. dissect_frame() reads the most common frames in one
 * go and takes this way for all others; tests hold the two against each other.
 */
void dissect_frame_stepwise(const struct dissect_config *config, uint16_t linktype,
			    const struct model_frame *frame, struct model_view *ret_view);

/*
 * Where the headers of a usual Ethernet frame are: no tags, IPv4 without options or IPv6 without
 * extension headers, no fragment, TCP or UDP, all headers captured and sound; plain, or once
 * inside VXLAN of the same kind. False: the frame is none of these; what it is, dissect_frame()
 * tells.
 */
bool dissect_usual(const struct dissect_config *config, const struct model_frame *frame,
		   struct model_parts *ret_parts);

/*
 * The same, to the bit, of a frame that shows the packet of the usual frame `before` once more:
 * equal but for TTL and IPv4 header checksum, as far as both captured it, under any link
 * and VXLAN headers. Comparing is less than reading. parts: of `before`, and then of `frame`.
 * False: it does not, or it is not usual; parts is void.
 */
bool dissect_usual_again(const struct dissect_config *config, const struct model_frame *before,
			 const struct model_frame *frame, struct model_parts *parts);

/* True when the dissector knows the link type. */
bool dissect_knows_linktype(uint16_t linktype);

#endif
