/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dissect_check.h - what must hold for any view of any frame.
 *
 * Each function returns NULL, or the rule that was broken. Used by the sweep of
 * the unit test and by the fuzz target.
 */
#ifndef TEST_DISSECT_CHECK_H
#define TEST_DISSECT_CHECK_H

#include <stdlib.h>
#include <string.h>

#include "podhop/dissect.h"
#include "podhop/model.h"

#define CHECK_RULE(ok) do { if (!(ok)) return #ok; } while (0)

static const struct dissect_config check_config = {
	.vxlan_ports = { 8472, 4789 },
	.n_vxlan_ports = 2,
};

/*
 * Dissects an exactly-sized heap copy into memory with different garbage, both ways: each
 * must fill all of the view, and they must agree.
 */
static inline const char *check_run(uint16_t linktype, const uint8_t *data, uint32_t caplen,
				    uint32_t len, struct model_view *ret_view)
{
	uint8_t *copy = malloc(caplen ? caplen : 1);
	struct model_frame frame = { .data = copy, .caplen = caplen, .len = len };
	struct model_view again;

	CHECK_RULE(copy != NULL);
	if (caplen)
		memcpy(copy, data, caplen);
	memset(ret_view, 0xaa, sizeof(*ret_view));
	memset(&again, 0x55, sizeof(again));
	dissect_frame(&check_config, linktype, &frame, ret_view);
	dissect_frame_stepwise(&check_config, linktype, &frame, &again);
	free(copy);
	CHECK_RULE(memcmp(ret_view, &again, sizeof(again)) == 0);
	return NULL;
}

static inline const char *check_ip(const struct model_ip *ip, uint32_t caplen, uint32_t end)
{
	uint32_t min = ip->version == 4 ? 20 : 40;

	CHECK_RULE(ip->version == 4 || ip->version == 6);
	CHECK_RULE(ip->offset <= caplen && min <= caplen - ip->offset);
	CHECK_RULE(ip->header_len >= min && ip->header_len <= ip->len);
	CHECK_RULE(ip->offset <= end && ip->len <= end - ip->offset);
	CHECK_RULE(ip->frag == (ip->frag_off != 0 || ip->frag_more));
	CHECK_RULE(!ip->frag || ip->has_id);
	CHECK_RULE(addr_is_v4(&ip->src) == (ip->version == 4) || ip->version == 6);
	return NULL;
}

/* Offsets and lengths of one view against its frame. */
static inline const char *check_view(const struct model_view *v, uint32_t caplen, uint32_t len)
{
	uint32_t end;
	const char *broken;

	CHECK_RULE(v->status < MODEL_VIEW_COUNT && v->layer < MODEL_LAYER_COUNT);
	CHECK_RULE((v->status == MODEL_VIEW_OK) == (v->layer == MODEL_LAYER_NONE));
	CHECK_RULE(v->stop_offset <= caplen);
	CHECK_RULE(v->status != MODEL_VIEW_TRUNCATED || caplen < len || v->ip.frag ||
		   v->outer.frag);
	CHECK_RULE(v->eth_offset == (v->encap ? v->encap_len : 0));
	CHECK_RULE(v->encap_len <= caplen);
	CHECK_RULE(v->eth_header_len <= caplen - v->eth_offset);
	if (!v->encap || !v->outer.frag)
		CHECK_RULE(v->eth_offset <= len && v->eth_len <= len - v->eth_offset);
	end = v->eth_offset + v->eth_len;
	CHECK_RULE(end >= v->eth_offset);

	if (v->encap || v->outer_frag) {
		broken = check_ip(&v->outer, caplen, len);
		if (broken)
			return broken;
		CHECK_RULE(v->outer.protocol == MODEL_PROTO_UDP);
		CHECK_RULE(v->encap != v->outer_frag);
	} else {
		CHECK_RULE(v->outer.version == 0);
	}
	CHECK_RULE(!v->encap || v->vxlan_flags & 0x08);
	CHECK_RULE(v->encap || v->encap_len == 0);
	if (v->ip.version != 0) {
		broken = check_ip(&v->ip, caplen, end);
		if (broken)
			return broken;
	} else {
		CHECK_RULE(v->status != MODEL_VIEW_OK);
		CHECK_RULE(!v->has_ports && v->payload_len == 0 && v->quote.version == 0);
	}
	CHECK_RULE(v->payload_cap <= v->payload_len);
	CHECK_RULE(v->payload_cap == 0 || (v->payload_offset <= caplen &&
					   v->payload_cap <= caplen - v->payload_offset));
	if (v->status == MODEL_VIEW_OK) {
		CHECK_RULE(v->l4_offset == v->ip.offset + v->ip.header_len);
		CHECK_RULE(v->l4_len == v->ip.len - v->ip.header_len);
		CHECK_RULE(v->payload_offset >= v->l4_offset);
		CHECK_RULE(v->payload_offset <= caplen);
		CHECK_RULE(v->payload_len <= v->l4_len);
	}
	CHECK_RULE(v->arp_op == 0 || v->status == MODEL_VIEW_NOT_IP);
	return NULL;
}

static inline bool check_same_ip(const struct model_ip *a, const struct model_ip *b, bool whole)
{
	if (whole)
		return memcmp(a, b, sizeof(*a)) == 0;
	return addr_eq(&a->src, &b->src) && addr_eq(&a->dst, &b->dst) && a->offset == b->offset &&
	       a->len == b->len && a->version == b->version && a->ttl == b->ttl && a->tos == b->tos;
}

/* The same frame, captured less far: what is still readable must read the same. */
static inline const char *check_cut(const struct model_view *cut, const struct model_view *full)
{
	struct model_view same = *full;
	const struct model_ip *ip = &same.ip;
	uint16_t sport = full->sport, dport = full->dport;

	/* That a super-frame is one shows in its TCP header only: undo for a shorter capture. */
	if (full->gso_segment != 0 && cut->gso_segment == 0) {
		uint32_t more = full->payload_len - full->gso_segment;

		same.outer.len -= more;
		same.eth_len -= more;
		same.ip.len -= more;
	}

	if (cut->status == MODEL_VIEW_OK || cut->status == MODEL_VIEW_NOT_IP) {
		same.payload_cap = cut->payload_cap;
		CHECK_RULE(cut->payload_cap <= full->payload_cap);
		/* What was captured of a quote ends earlier, or its header does. */
		CHECK_RULE(cut->quote.rest_len <= full->quote.rest_len);
		CHECK_RULE(!cut->quote.rest_len ||
			   cut->quote.rest_offset == full->quote.rest_offset);
		same.quote.rest_len = cut->quote.rest_len;
		same.quote.rest_offset = cut->quote.rest_offset;
		CHECK_RULE(memcmp(cut, &same, sizeof(same)) == 0);
		return NULL;
	}
	if (cut->status == MODEL_VIEW_MALFORMED) {
		CHECK_RULE(full->status == MODEL_VIEW_MALFORMED);
		CHECK_RULE(full->layer == cut->layer && full->stop_offset == cut->stop_offset);
	}
	CHECK_RULE(!cut->encap || full->encap);
	CHECK_RULE(!cut->outer_frag || full->outer_frag);
	if (cut->encap) {
		CHECK_RULE(check_same_ip(&cut->outer, &same.outer, true));
		CHECK_RULE(cut->vni == full->vni && cut->encap_len == full->encap_len);
		CHECK_RULE(cut->outer_sport == full->outer_sport);
		CHECK_RULE(cut->eth_len == same.eth_len);
	} else if (full->encap) {
		ip = &same.outer;
		sport = full->outer_sport;
		dport = full->outer_dport;
	}
	if (cut->ip.version != 0)
		CHECK_RULE(check_same_ip(&cut->ip, ip, cut->layer != MODEL_LAYER_IPV6));
	if (cut->has_ports)
		CHECK_RULE(cut->sport == sport && cut->dport == dport);
	if (cut->payload_len != 0 && cut->encap == full->encap)
		CHECK_RULE(cut->payload_len == full->payload_len);
	return NULL;
}

#endif
