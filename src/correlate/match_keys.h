/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * match_keys.h - the kinds of keys under which packets are found; no two kinds collide.
 */
#ifndef MATCH_KEYS_H
#define MATCH_KEYS_H

#include <string.h>

#include "correlate_priv.h"
#include "podhop/hash.h"

enum key_kind {
	KEY_STREAM = 1,		/* flow group, first sequence number */
	KEY_WHOLE,		/* flow group, header hash */
	KEY_SUPER,		/* flow group, 16 KiB block of sequence space */
	KEY_FRAGMENT,		/* addresses, protocol, IP id */
	KEY_DATAGRAM,		/* flow group, token: whole or cut */
	KEY_DATAGRAM_ANY,	/* the same without addresses */
	KEY_UDP_SUPER,		/* flow group */
	KEY_OUTER,		/* outer addresses, outer id */
	KEY_TRANSLATED,		/* header hash alone */
};

static inline uint64_t key_stream(uint64_t flow_key, uint32_t seq)
{
	return hash_mix(flow_key, seq, KEY_STREAM);
}

static inline uint64_t key_addresses(const struct addr *src, const struct addr *dst, uint64_t n,
				     enum key_kind kind)
{
	uint64_t w[4];

	memcpy(&w[0], src->b, 16);
	memcpy(&w[2], dst->b, 16);
	return hash_mix(hash_mix(w[0] ^ w[2] << 1, w[1], 11), hash_mix(w[3] + n, w[2], 13), kind);
}

#endif
