/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * addr.h - IPv4 and IPv6 addresses in one type, prefixes, MAC addresses.
 *
 * Owns: nothing; plain values that may be copied and compared with memcmp
 * (all padding is zero).
 * Never: asks DNS, branches on the family at the caller's.
 *
 * An IPv4 address is stored IPv4-mapped (RFC 4291, 2.5.5.2: ::ffff:a.b.c.d),
 * so one comparison and one hash serve both families.
 */
#ifndef PODHOP_ADDR_H
#define PODHOP_ADDR_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ADDR_STR_MAX 46		/* INET6_ADDRSTRLEN */
#define PREFIX_STR_MAX 50	/* with "/128" */
#define MAC_STR_MAX 18

struct addr {
	uint8_t b[16];	/* network byte order; all zero: no address */
};

struct prefix {
	struct addr addr;	/* the address as configured, host bits kept */
	uint8_t len;		/* bits, of the family: 0 to 32 or 0 to 128 */
};

struct mac {
	uint8_t b[6];
};

/* Inline, because dissector and correlator need these for every frame. */
static inline struct addr addr_from_v4(const uint8_t b[static 4])
{
	/* In whole words: narrow stores that are copied at once cost more than the rest. */
	uint64_t word[2] = { 0 };
	uint32_t v4;
	struct addr a;

	memcpy(&v4, b, sizeof(v4));
#if __BYTE_ORDER == __LITTLE_ENDIAN
	word[1] = (uint64_t)v4 << 32 | 0xffff0000u;
#else
	word[1] = 0xffffULL << 32 | v4;
#endif
	memcpy(a.b, word, sizeof(a.b));
	return a;
}

static inline struct addr addr_from_v6(const uint8_t b[static 16])
{
	struct addr a;

	memcpy(a.b, b, sizeof(a.b));
	return a;
}

static inline bool addr_is_v4(const struct addr *a)
{
	static const uint8_t lead[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(a->b, lead, sizeof(lead)) == 0;
}

static inline bool addr_eq(const struct addr *a, const struct addr *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

/* Also IPv4 broadcast. */
static inline bool addr_is_multicast(const struct addr *a)
{
	static const uint8_t broadcast[4] = { 255, 255, 255, 255 };

	if (!addr_is_v4(a))
		return a->b[0] == 0xff;
	return (a->b[12] & 0xf0) == 0xe0 || memcmp(a->b + 12, broadcast, sizeof(broadcast)) == 0;
}

bool addr_is_none(const struct addr *a);
bool addr_is_link_local(const struct addr *a);
/* Parses a numeric address, nothing else around it. Returns 0 or -EINVAL. */
int addr_parse(const char *text, struct addr *ret_addr);
/* Writes the shortest numeric form (RFC 5952) into out, returns out. */
const char *addr_str(const struct addr *a, char out[static ADDR_STR_MAX]);

/* "10.244.1.0/24"; without "/N" the prefix is the whole address. */
int prefix_parse(const char *text, struct prefix *ret_prefix);
bool prefix_has(const struct prefix *p, const struct addr *a);
const char *prefix_str(const struct prefix *p, char out[static PREFIX_STR_MAX]);

static inline bool mac_eq(const struct mac *a, const struct mac *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

static inline bool mac_is_none(const struct mac *m)
{
	return !(m->b[0] | m->b[1] | m->b[2] | m->b[3] | m->b[4] | m->b[5]);
}

int mac_parse(const char *text, struct mac *ret_mac);
const char *mac_str(const struct mac *m, char out[static MAC_STR_MAX]);

#endif
