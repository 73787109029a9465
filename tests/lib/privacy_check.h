/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * privacy_check.h - what must hold for any frame that goes through the privacy module.
 *
 * Each function returns NULL, or the rule that was broken. Used by the unit test and by the
 * fuzz target.
 */
#ifndef TEST_PRIVACY_CHECK_H
#define TEST_PRIVACY_CHECK_H

#include "dissect_check.h"
#include "podhop/privacy.h"

#define PRIVACY_FRAME_MAX 4096u

static inline bool privacy_same_addr(struct privacy *p, const struct addr *from,
				     const struct addr *to)
{
	struct addr want = privacy_addr(p, from);

	return addr_eq(&want, to);
}

/* Everything of an IP header but its addresses stays. */
static inline const char *privacy_check_ip(struct privacy *p, const struct model_ip *from,
					   const struct model_ip *to, bool whole)
{
	struct model_ip same = *from;

	CHECK_RULE(from->version == to->version);
	if (!from->version)
		return NULL;
	CHECK_RULE(privacy_same_addr(p, &from->src, &to->src));
	CHECK_RULE(privacy_same_addr(p, &from->dst, &to->dst));
	same.src = to->src;
	same.dst = to->dst;
	CHECK_RULE(check_same_ip(&same, to, whole));
	return NULL;
}

/*
 * before, after: views of the frame as it was and as it came out. What is readable reads as
 * before, under pseudonyms.
 */
static inline const char *privacy_check_views(struct privacy *p, const struct model_view *before,
					      const struct model_view *after)
{
	const char *broken;

	/* Cut, perhaps; never wrong where it was right. */
	CHECK_RULE(before->status == MODEL_VIEW_MALFORMED || after->status != MODEL_VIEW_MALFORMED);
	if (before->status == MODEL_VIEW_NOT_IP && before->arp_op) {
		CHECK_RULE(after->arp_op == before->arp_op);
		CHECK_RULE(privacy_same_addr(p, &before->arp_sender, &after->arp_sender));
		CHECK_RULE(privacy_same_addr(p, &before->arp_target, &after->arp_target));
	}
	if (before->status != MODEL_VIEW_OK)
		return NULL;
	/* An extension header that is not understood may have ended even the outer packet. */
	if (after->status != MODEL_VIEW_OK && after->layer == MODEL_LAYER_IPV6)
		return privacy_check_ip(p, before->encap ? &before->outer : &before->ip,
					after->encap ? &after->outer : &after->ip, false);
	CHECK_RULE(after->encap == before->encap && after->vni == before->vni);
	broken = privacy_check_ip(p, &before->outer, &after->outer, true);
	if (!broken)
		broken = privacy_check_ip(p, &before->ip, &after->ip, true);
	if (broken)
		return broken;
	CHECK_RULE(after->eth_len == before->eth_len && after->l4_len == before->l4_len);
	CHECK_RULE(after->has_ports == before->has_ports || after->status != MODEL_VIEW_OK);
	if (after->has_ports) {
		CHECK_RULE(after->sport == before->sport && after->dport == before->dport);
		CHECK_RULE(after->tcp_seq == before->tcp_seq);
		CHECK_RULE(after->payload_len == before->payload_len);
	}
	if (before->quote.version && after->quote.version) {
		CHECK_RULE(after->quote.version == before->quote.version);
		CHECK_RULE(privacy_same_addr(p, &before->quote.src, &after->quote.src));
		CHECK_RULE(privacy_same_addr(p, &before->quote.dst, &after->quote.dst));
		CHECK_RULE(!after->quote.has_ports || before->quote.has_ports);
		CHECK_RULE(!after->quote.has_ports || after->quote.sport == before->quote.sport);
	}
	return NULL;
}

/* One frame; out needs room for PRIVACY_FRAME_MAX bytes, ret_n says how many there are. */
static inline const char *privacy_check_frame(struct privacy *p, bool anonymous, uint16_t linktype,
					      const uint8_t *data, uint32_t caplen, uint32_t len,
					      uint8_t *out, uint32_t *ret_n)
{
	struct model_view before, after;
	const uint8_t *bytes;
	uint32_t n, again;
	const char *broken;

	*ret_n = 0;
	broken = check_run(linktype, data, caplen, len, &before);
	if (broken)
		return broken;
	n = privacy_frame(p, linktype, data, caplen, len, &bytes);
	CHECK_RULE(n <= caplen && n <= PRIVACY_FRAME_MAX);
	memcpy(out, bytes, n);
	*ret_n = n;
	again = privacy_frame(p, linktype, data, caplen, len, &bytes);
	CHECK_RULE(again == n && memcmp(out, bytes, n) == 0);
	broken = check_run(linktype, out, n, len, &after);
	if (broken)
		return broken;
	if (anonymous)
		return privacy_check_views(p, &before, &after);
	/* Without pseudonyms what is left is the frame's own beginning. */
	CHECK_RULE(memcmp(out, data, n) == 0);
	return check_cut(&after, &before);
}

#endif
