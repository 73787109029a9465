/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * addr.c - addresses, prefixes and MAC addresses, to and from text.
 */
#include "podhop/addr.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define ADDR_V4_OFFSET 12	/* ::ffff:a.b.c.d, RFC 4291, 2.5.5.2 */
#define ADDR_V4_BITS 96

bool addr_is_none(const struct addr *a)
{
	static const struct addr none;

	return addr_eq(a, &none);
}

bool addr_is_link_local(const struct addr *a)
{
	if (addr_is_v4(a))
		return a->b[ADDR_V4_OFFSET] == 169 && a->b[ADDR_V4_OFFSET + 1] == 254;
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

int addr_parse(const char *text, struct addr *ret_addr)
{
	uint8_t b[16];

	if (inet_pton(AF_INET, text, b) == 1)
		*ret_addr = addr_from_v4(b);
	else if (inet_pton(AF_INET6, text, b) == 1)
		*ret_addr = addr_from_v6(b);
	else
		return -EINVAL;
	return 0;
}

static_assert(ADDR_STR_MAX == INET6_ADDRSTRLEN, "inet_ntop() fits");

const char *addr_str(const struct addr *a, char out[static ADDR_STR_MAX])
{
	const char *s;

	if (addr_is_v4(a))
		s = inet_ntop(AF_INET, a->b + ADDR_V4_OFFSET, out, ADDR_STR_MAX);
	else
		s = inet_ntop(AF_INET6, a->b, out, ADDR_STR_MAX);
	if (!s)
		out[0] = '\0';
	return out;
}

int prefix_parse(const char *text, struct prefix *ret_prefix)
{
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	char host[ADDR_STR_MAX];
	struct prefix p;
	unsigned bits, max;

	if (n >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, n);
	host[n] = '\0';
	if (addr_parse(host, &p.addr) < 0)
		return -EINVAL;
	/* The text tells the family: ::ffff:0:0/96 would be a 0-bit IPv4 prefix. */
	max = addr_is_v4(&p.addr) ? 32 : 128;
	bits = max;
	if (slash) {
		const char *s = slash + 1;

		if (*s == '\0')
			return -EINVAL;
		for (bits = 0; *s != '\0'; s++) {
			if (*s < '0' || *s > '9')
				return -EINVAL;
			bits = bits * 10 + (unsigned)(*s - '0');
			if (bits > 128)
				return -EINVAL;
		}
		if (max == 32 && strchr(host, ':'))
			bits = bits < ADDR_V4_BITS ? max + 1 : bits - ADDR_V4_BITS;
	}
	if (bits > max)
		return -EINVAL;
	p.len = (uint8_t)bits;
	*ret_prefix = p;
	return 0;
}

bool prefix_has(const struct prefix *p, const struct addr *a)
{
	bool v4 = addr_is_v4(&p->addr);
	unsigned bits = p->len, whole;
	uint8_t mask;

	if (v4 != addr_is_v4(a))
		return false;
	if (v4)
		bits += ADDR_V4_BITS;
	if (bits > 128)
		bits = 128;
	whole = bits / 8;
	if (memcmp(p->addr.b, a->b, whole) != 0)
		return false;
	if (bits % 8 == 0)
		return true;
	mask = (uint8_t)(0xff00u >> (bits % 8));
	return ((p->addr.b[whole] ^ a->b[whole]) & mask) == 0;
}

const char *prefix_str(const struct prefix *p, char out[static PREFIX_STR_MAX])
{
	char host[ADDR_STR_MAX];

	snprintf(out, PREFIX_STR_MAX, "%s/%u", addr_str(&p->addr, host), (unsigned)p->len);
	return out;
}

static int mac_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int mac_parse(const char *text, struct mac *ret_mac)
{
	struct mac m;

	if (strlen(text) != MAC_STR_MAX - 1)
		return -EINVAL;
	for (unsigned i = 0; i < sizeof(m.b); i++) {
		int hi = mac_hex(text[3 * i]), lo = mac_hex(text[3 * i + 1]);

		if (hi < 0 || lo < 0 || (i < 5 && text[3 * i + 2] != ':'))
			return -EINVAL;
		m.b[i] = (uint8_t)(hi << 4 | lo);
	}
	*ret_mac = m;
	return 0;
}

const char *mac_str(const struct mac *m, char out[static MAC_STR_MAX])
{
	snprintf(out, MAC_STR_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", m->b[0], m->b[1], m->b[2],
		 m->b[3], m->b[4], m->b[5]);
	return out;
}
