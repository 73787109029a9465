/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dissect_priv.h - what the layers of the dissector share.
 *
 * Owns: `struct dissect`, the state of one dissect_frame() call, on its stack.
 * Never: leaves this folder.
 *
 * Two limits travel with the reading position. `in.len` is the end of the bytes
 * that are there: captured, and not beyond what the headers so far call their
 * own, so that Ethernet padding is never read as payload. `end` is where the
 * data of the current layer ends on the wire. A header that does not fit before
 * `end` is malformed; one that does and is not there was cut off.
 */
#ifndef PODHOP_DISSECT_PRIV_H
#define PODHOP_DISSECT_PRIV_H

#include "podhop/bytes.h"
#include "podhop/dissect.h"
#include "podhop/model.h"

#define DISSECT_ETH_LEN 14
#define DISSECT_IP4_LEN 20	/* without options */
#define DISSECT_IP6_LEN 40	/* without extension headers */
#define DISSECT_TCP_LEN 20	/* without options */
#define DISSECT_UDP_LEN 8
#define DISSECT_ICMP_LEN 8	/* every type has that much, RFC 792 and 4443 */

#define DISSECT_ETHERTYPE_IP4 0x0800
#define DISSECT_ETHERTYPE_ARP 0x0806
#define DISSECT_ETHERTYPE_IP6 0x86dd

struct dissect {
	const struct dissect_config *config;
	struct model_view *view;
	struct bytes in;
	uint32_t frame_caplen, frame_len;	/* the whole frame, captured and on the wire */
	uint32_t end;	/* >= in.pos; beyond in.len what was not captured */
	bool open;	/* first fragment: what does not fit before end is in another frame */
	bool inner;	/* behind a VXLAN header */
};

static inline uint32_t dissect_pos(const struct dissect *d)
{
	return (uint32_t)d->in.pos;
}

/* Reading ends here; offset is that of the header that was at fault. */
static inline void dissect_stop(struct dissect *d, enum model_view_status status,
				enum model_layer layer, uint32_t offset)
{
	d->view->status = (uint8_t)status;
	d->view->layer = (uint8_t)layer;
	d->view->stop_offset = offset;
}

/* Stops because n bytes at the reading position are not there, for the right reason. */
static inline void dissect_cut(struct dissect *d, size_t n, enum model_layer layer)
{
	bool missing = n > d->end - d->in.pos && !d->open;

	dissect_stop(d, missing ? MODEL_VIEW_MALFORMED : MODEL_VIEW_TRUNCATED, layer,
		     dissect_pos(d));
}

/* Takes a header of n bytes; NULL when reading has ended for want of them. */
static inline const uint8_t *dissect_take(struct dissect *d, size_t n, enum model_layer layer)
{
	if (!bytes_has(&d->in, n)) {
		dissect_cut(d, n, layer);
		return NULL;
	}
	return bytes_take(&d->in, n);
}

/* A length field says that the current layer's data ends at end, which is not beyond d->end. */
static inline void dissect_limit(struct dissect *d, uint32_t end)
{
	d->end = end;
	if (d->in.len > end)
		d->in.len = end;
}

/* All from offset to the end of the layer is payload. */
static inline void dissect_payload(struct dissect *d, uint32_t offset)
{
	struct model_view *v = d->view;

	v->payload_offset = offset;
	v->payload_len = offset < d->end ? d->end - offset : 0;
	v->payload_cap = offset < d->in.len ? (uint32_t)d->in.len - offset : 0;
}

/* usual.c: what dissect_usual() found, into a clear view. */
void dissect_view_parts(const struct model_parts *u, const struct model_frame *frame,
			struct model_view *v);

/* link.c: the frame at the reading position. */
void dissect_ethernet(struct dissect *d);
void dissect_sll(struct dissect *d);
void dissect_sll2(struct dissect *d);
void dissect_raw(struct dissect *d);

/* arp.c */
void dissect_arp(struct dissect *d);

/* ip4.c, ip6.c */
void dissect_ip4(struct dissect *d);
void dissect_ip6(struct dissect *d);

enum dissect_walk {
	DISSECT_WALK_DONE = 0,	/* in->pos is behind the last extension header */
	DISSECT_WALK_CUT,	/* the header at in->pos is not all there */
	DISSECT_WALK_BAD,	/* the header at in->pos cannot be */
};

/*
 * Walks IPv6 extension headers from ip->protocol on, which ends as the protocol of
 * what follows; fills what a fragment header says. Stops behind the fragment
 * header of a later fragment. *ret_need: bytes that the header at in->pos needs
 * when it was cut.
 */
enum dissect_walk dissect_ip6_walk(struct bytes *in, struct model_ip *ip, size_t *ret_need);

/* l4.c: what follows the IP header in view->ip; icmp.c and vxlan.c for its cases. */
void dissect_l4(struct dissect *d);
/* Of a SYN: its options' MSS. p has len bytes, at most 40. */
void dissect_tcp_options(struct model_view *v, const uint8_t *p, size_t len);
void dissect_icmp(struct dissect *d);
static inline bool dissect_is_vxlan_port(const struct dissect_config *config, uint16_t port)
{
	const unsigned max = sizeof(config->vxlan_ports) / sizeof(config->vxlan_ports[0]);

	for (unsigned i = 0; i < config->n_vxlan_ports && i < max; i++)
		if (config->vxlan_ports[i] == port)
			return true;
	return false;
}

/* The reading position is behind the UDP header. False: the datagram is no VXLAN. */
bool dissect_vxlan(struct dissect *d);

#endif
