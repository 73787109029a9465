/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hash.h - combining hashes. Hashing bytes is xxHash's work (XXH3, seeded); this
 * only joins what has been hashed, or is small, into one 64-bit key.
 *
 * Owns: nothing. Never: is given what a stranger chose but through hash_keyed(), or where the
 * other input comes from there and the stranger's has fewer than 64 bits: a product is 0 where one
 * factor is, so that a 64-bit input of his choice makes every other one come out the same.
 */
#ifndef PODHOP_HASH_H
#define PODHOP_HASH_H

#include <stdint.h>

/* Both inputs and `what` reach every bit: the folded 128-bit product (wyhash's idea). */
static inline uint64_t hash_mix(uint64_t a, uint64_t b, uint64_t what)
{
	a ^= what * 0x9e3779b97f4a7c15ull;
	b ^= 0xa0761d6478bd642full;
#ifdef __SIZEOF_INT128__
	__extension__ typedef unsigned __int128 u128;
	u128 m = (u128)a * b;
	return (uint64_t)m ^ (uint64_t)(m >> 64);
#else
	uint64_t lo = (a & 0xffffffffu) * (b & 0xffffffffu);
	uint64_t m1 = (a >> 32) * (b & 0xffffffffu), m2 = (a & 0xffffffffu) * (b >> 32);
	uint64_t hi = (a >> 32) * (b >> 32) + (m1 >> 32) + (m2 >> 32);
	return (lo + (m1 << 32) + (m2 << 32)) ^ hi;
#endif
}

/* Two inputs that a stranger may have chosen; key: secret, and another one each run. */
static inline uint64_t hash_keyed(uint64_t a, uint64_t b, uint64_t key, uint64_t what)
{
	return hash_mix(a ^ key, b ^ (key << 32 | key >> 32), what);
}

#endif
