/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * observe_priv.h - what the two ways to an observation have in common: the hashes.
 *
 * Owns: nothing. Private to observe.c and observe_usual.c, which must agree to the bit, and to
 * track.c, which does without an observation.
 */
#ifndef OBSERVE_PRIV_H
#define OBSERVE_PRIV_H

#include <string.h>
/* Keys are short: a call into the library would cost more than the hash. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "correlate_priv.h"
#include "podhop/hash.h"

#define TCP_HEADER_MIN 20u
#define ETHERNET_MACS 12u
#define VXLAN_AND_UDP 16u
#define FRAGMENT_MTU_MIN 576u	/* RFC 791: no link of this century cuts smaller ones */
#define FRAGMENT_MTU_MIN6 1280u	/* RFC 8200, section 5 */
#define IP4_TTL 8
#define IP6_HOP_LIMIT 7

static inline uint16_t observe_load16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t observe_load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t observe_load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint8_t observe_ttl(const struct model_frame *f, const struct model_parts *u)
{
	return f->data[u->eth + MODEL_ETHERNET_LEN + (u->is_v4 ? IP4_TTL : IP6_HOP_LIMIT)];
}

/*
 * f shows the packet of `before` once more: are its hashes of the same bytes? They go as far as the
 * bytes do. flags: of either's observation.
 */
static inline bool observe_as_deep(const struct correlate *c, const struct model_frame *before,
				   const struct model_frame *f, const struct model_parts *u,
				   uint32_t flags)
{
	/* Of the IP packet; before->len - f->len is what its outer headers had more. */
	const uint32_t have = f->caplen - u->eth - MODEL_ETHERNET_LEN;
	const uint32_t had = before->caplen - (u->eth + before->len - f->len) - MODEL_ETHERNET_LEN;
	const uint32_t both = had < have ? had : have;

	return had == have || both >= u->end - MODEL_ETHERNET_LEN ||
	       (!(flags & OBS_MAY_FRAGMENT) && both >= c->depth);
}

/* observe_usual.c: what the VXLAN headers around the packet tell, into o. */
void observe_tunnel(const struct model_frame *f, const struct model_parts *u,
		    struct correlate_obs *o);

/* A MAC address as a number, to be compared with others only. */
static inline uint64_t observe_mac(const uint8_t *mac)
{
	return (uint64_t)observe_load16(mac + 4) << 32 | observe_load32(mac);
}

/* Most captures have one pod: a few comparisons are less than a look into the table. */
static inline int observe_pod(const struct correlate *c, const struct addr *a)
{
	if (c->n_pod_addrs > POD_ADDRS_FEW)
		return observe_pod_of(c, a);
	for (unsigned i = 0; i < c->n_pod_addrs; i++)
		if (observe_load64(c->few[i].addr.b + 8) == observe_load64(a->b + 8) &&
		    observe_load64(c->few[i].addr.b) == observe_load64(a->b))
			return c->few[i].pod;
	return -1;
}

/* Everything in front of the payload that no hop may change, but for addresses and ports. */
static inline uint64_t observe_head(const struct correlate *c, uint32_t l4_len, uint32_t id,
				    uint32_t flow_label, uint8_t protocol, uint8_t version,
				    uint64_t l4_hash)
{
	const uint64_t rest = (uint64_t)flow_label << 16 | (uint32_t)version << 8 | protocol;

	return hash_keyed((uint64_t)l4_len << 32 | id, l4_hash ^ rest, c->seed, 4);
}

/*
 * A TCP header without ports and checksum, as far as every hop captures it. l4 has `have` bytes.
 * skip: what of its IP packet is in front of it. ret_sig: what all segments of a super-frame share.
 */
static inline uint64_t observe_tcp(const struct correlate *c, const uint8_t *l4, uint32_t have,
				   uint32_t skip, uint32_t options_len, uint32_t ack,
				   uint32_t flags, uint32_t *ret_sig)
{
	const uint64_t shared = flags & ~(unsigned)(MODEL_TCP_PSH | MODEL_TCP_FIN | MODEL_TCP_CWR);
	uint64_t options = 0;
	uint32_t n = options_len;

	if (have > c->depth - skip)
		have = c->depth - skip;
	if (skip >= c->depth || have < TCP_HEADER_MIN)
		return 0;
	if (n > have - TCP_HEADER_MIN)
		n = have - TCP_HEADER_MIN;
	if (n)
		options = XXH3_64bits_withSeed(l4 + TCP_HEADER_MIN, n, c->seed);
	*ret_sig = (uint32_t)hash_keyed(options, (uint64_t)ack << 16 | shared, c->seed, 5);
	/* Sequence and acknowledgement; offset, flags and window; urgent pointer. */
	return hash_keyed(observe_load64(l4 + 4),
			  options ^ (observe_load32(l4 + 12) |
				     (uint64_t)observe_load16(l4 + 18) << 32), c->seed, 6);
}

/* The payload, as far as every hop captures it. skip: what of its IP packet is in front of it. */
static inline uint64_t observe_body(const struct correlate *c, const uint8_t *payload,
				    uint32_t captured, uint32_t skip, uint32_t *ret_len)
{
	uint32_t n = captured;

	if (skip >= c->depth)
		n = 0;
	else if (n > c->depth - skip)
		n = c->depth - skip;
	*ret_len = n;
	return n ? XXH3_64bits_withSeed(payload, n, c->seed) : 0;
}

/*
 * What a datagram and its first fragment both show: UDP's length or ICMP's number (what), and
 * the first bytes of the payload, of which the smallest first fragment has enough. An IPv6
 * datagram that was put together and cut again bears another id; this it keeps.
 */
static inline uint32_t observe_token(const struct correlate *c, const uint8_t *payload,
				     uint32_t captured, uint32_t skip, uint8_t version,
				     uint64_t what)
{
	uint32_t n = captured < TOKEN_BYTES ? 0 : TOKEN_BYTES;

	if (n && skip >= c->depth)
		n = 0;
	else if (n > c->depth - skip)
		n = c->depth - skip;
	return (uint32_t)XXH3_64bits_withSeed(payload, n, hash_mix(what, version, c->seed)) | 1;
}

static inline uint64_t observe_tuple_hash(const struct correlate *c, const struct result_tuple *t)
{
	uint64_t src = hash_keyed(observe_load64(t->src.b), observe_load64(t->src.b + 8),
				  c->seed, 1);
	uint64_t dst = hash_keyed(observe_load64(t->dst.b), observe_load64(t->dst.b + 8),
				  c->seed, 2);
	uint64_t rest = (uint64_t)t->protocol << 32 | (uint32_t)t->sport << 16 | t->dport;

	return hash_mix(src ^ rest, dst, 3);
}

/*
 * All that most observations need, one by one: gcc 12 would make `rep stos` of a memset() of this
 * size, which takes longer than the rest. What stands behind outer_src only some need.
 */
static inline void observe_clear(struct correlate_obs *o)
{
	o->head = o->body = o->tuple_hash = 0;
	o->body_len = o->sig = o->header_len = o->l3_len = 0;
	o->size = o->payload_len = 0;
	o->seq = o->ack = 0;
	o->ip_id = o->token = o->segment = 0;
	o->tcp_flags = o->mss = o->flags = 0;
	o->kind = KIND_WHOLE;
	o->direction = MODEL_DIRECTION_OTHER;
	o->ttl = o->tcp_options_len = 0;
	o->pod = UINT8_MAX;
	o->again = false;
}

#endif
