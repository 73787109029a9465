/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * privacy_priv.h - what the files of this module share.
 */
#ifndef PODHOP_PRIVACY_PRIV_H
#define PODHOP_PRIVACY_PRIV_H

#include <nettle/aes.h>

#include "podhop/dissect.h"
#include "podhop/privacy.h"

#define PRIVACY_CACHE 8192u	/* pseudonyms kept; a power of two */

/* What a pseudonym is made for; each gets its own permutation from the one key. */
enum privacy_kind {
	PRIVACY_V4 = 0,
	PRIVACY_V6,
	PRIVACY_MAC,
	PRIVACY_GROUP_LOW,	/* the last 32 bits of an IPv6 group, also in its MAC address */
	PRIVACY_SOLICITED,	/* the last 24 of a solicited node's, also in its MAC address */
	PRIVACY_NAME,
	PRIVACY_KINDS,
};

struct privacy_cached {
	struct addr from, to;
};

struct privacy {
	bool no_payload, anonymous;
	struct aes128_ctx aes;
	uint8_t pad[PRIVACY_KINDS][AES_BLOCK_SIZE];
	uint8_t name_key[AES_BLOCK_SIZE * 2];
	struct dissect_config dissect;
	struct privacy_cached cache[PRIVACY_CACHE];
	uint32_t frame_max;
	uint8_t frame[];
};

void privacy_setup_key(struct privacy *p, const struct privacy_key *key);
/* 4 and 16 bytes in network order, in place; no-op where addresses stay. */
void privacy_v4_bytes(struct privacy *p, uint8_t b[static 4]);
void privacy_v6_bytes(struct privacy *p, uint8_t b[static 16]);
void privacy_mac_bytes(struct privacy *p, uint8_t b[static 6]);

/* ---- sums.c: the Internet checksum, RFC 1071 and 1624 */

/* The one's complement sum of n bytes, below 0xffff; 0xffff counts as 0. */
uint32_t privacy_sum(const uint8_t *data, size_t n);
static inline uint32_t privacy_sum_add(uint32_t a, uint32_t b)
{
	return (a + b) % 0xffff;
}
static inline uint32_t privacy_sum_less(uint32_t a, uint32_t b)
{
	return (a + 0xffff - b) % 0xffff;
}
/* After what it covers has grown by `grown`. */
void privacy_sum_mend(uint8_t field[static 2], uint32_t grown);

#endif
