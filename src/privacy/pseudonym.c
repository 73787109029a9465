/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pseudonym.c - the key, and what becomes of an address under it.
 *
 * Crypto-PAn: whether bit i of an address is turned over depends on the i bits in front of it
 * and the key alone, by AES over those bits with the rest padded. That is a permutation in
 * which two addresses part at the same bit as before.
 *
 * An address stays in its special block when no bit is turned over on the way to it: where the
 * bits so far could still become one of the blocks in special[], the next one stays.
 */
#include "privacy_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <nettle/sha2.h>

struct special {
	uint8_t b[16];
	uint8_t len;	/* bits */
	bool keep;	/* whole addresses, not the block alone */
};

static const struct special special4[] = {
	{ { 0 }, 8, true },			/* this network */
	{ { 127 }, 8, true },			/* loopback */
	{ { 169, 254 }, 16, false },		/* link-local */
	{ { 224 }, 3, true },			/* multicast, reserved, broadcast */
};

static const struct special special6[] = {
	{ { 0 }, 127, true },					/* :: and ::1 */
	{ { [10] = 0xff, [11] = 0xff }, 96, false },		/* IPv4-mapped, see below */
	{ { 0xfe, 0x80 }, 10, false },				/* link-local */
	{ { 0xfe, 0x80 }, 64, false },				/* and those in use */
	{ { 0xff }, 8, false },					/* multicast, see below */
};

int privacy_key_read(const char *path, struct privacy_key *ret_key, struct err *err)
{
	static const char label[] = "podhop anonymize 1";
	uint8_t text[PRIVACY_KEY_MAX + 1];
	struct sha256_ctx sha;
	size_t len = 0;
	ssize_t n = -1;
	/* A pipe will do as well: whoever keeps keys elsewhere need not make a file of one. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd >= 0) {
		do {
			n = read(fd, text + len, sizeof(text) - len);
			len += n > 0 ? (size_t)n : 0;
		} while ((n > 0 && len < sizeof(text)) || (n < 0 && errno == EINTR));
	}
	if (n < 0) {
		int rc = err_sys(err, errno, "read the key %s", path);

		if (fd >= 0)
			close(fd);
		return rc;
	}
	close(fd);
	if (len < PRIVACY_KEY_MIN || len > PRIVACY_KEY_MAX) {
		explicit_bzero(text, sizeof(text));
		return err_usage(err, EINVAL, "%s: a key has from %u to %u bytes; make one with "
				 "`head -c 32 /dev/urandom >FILE`", path, PRIVACY_KEY_MIN,
				 PRIVACY_KEY_MAX);
	}
	sha256_init(&sha);
	sha256_update(&sha, sizeof(label), (const uint8_t *)label);
	sha256_update(&sha, len, text);
	sha256_digest(&sha, sizeof(ret_key->b), ret_key->b);
	explicit_bzero(&sha, sizeof(sha));
	explicit_bzero(text, sizeof(text));
	return 0;
}

int privacy_key_random(struct privacy_key *ret_key, struct err *err)
{
	if (getrandom(ret_key->b, sizeof(ret_key->b), 0) != (ssize_t)sizeof(ret_key->b))
		return err_sys(err, errno, "a random key");
	return 0;
}

void privacy_setup_key(struct privacy *p, const struct privacy_key *key)
{
	uint8_t block[AES_BLOCK_SIZE];

	aes128_set_encrypt_key(&p->aes, key->b);
	for (unsigned kind = 0; kind < PRIVACY_KINDS; kind++) {
		memcpy(block, key->b + AES128_KEY_SIZE, sizeof(block));
		block[0] ^= (uint8_t)kind;
		aes128_encrypt(&p->aes, sizeof(block), p->pad[kind], block);
	}
	for (uint8_t half = 0; half < 2; half++) {
		memcpy(block, p->pad[PRIVACY_NAME], sizeof(block));
		block[0] ^= half;
		aes128_encrypt(&p->aes, sizeof(block), p->name_key + half * sizeof(block), block);
	}
}

static bool bits_agree(const uint8_t *a, const uint8_t *b, unsigned n)
{
	if (memcmp(a, b, n / 8) != 0)
		return false;
	return n % 8 == 0 || ((a[n / 8] ^ b[n / 8]) >> (8 - n % 8)) == 0;
}

/* Is bit i to stay, because of what stands in front of it? */
static bool bit_stays(const uint8_t *addr, unsigned i, const struct special *list, unsigned n)
{
	for (unsigned k = 0; k < n; k++) {
		unsigned bits = i < list[k].len ? i : list[k].len;

		if ((i < list[k].len || list[k].keep) && bits_agree(addr, list[k].b, bits))
			return true;
	}
	return false;
}

/* Turns over bits [from, n) of what stands in b, n at most 128. */
static void permute(struct privacy *p, enum privacy_kind kind, uint8_t *b, unsigned from,
		    unsigned n, const struct special *list, unsigned n_list)
{
	uint8_t in[AES_BLOCK_SIZE], out[AES_BLOCK_SIZE], flips[AES_BLOCK_SIZE] = { 0 };
	const uint8_t *pad = p->pad[kind];

	memcpy(in, pad, sizeof(in));
	for (unsigned i = 0; i < n; i++) {
		/* in: the i bits in front, then padding */
		if (i >= from && !bit_stays(b, i, list, n_list)) {
			aes128_encrypt(&p->aes, sizeof(in), out, in);
			flips[i / 8] |= (uint8_t)((out[0] & 0x80) >> i % 8);
		}
		uint8_t mask = (uint8_t)(0x80 >> i % 8);
		in[i / 8] = (uint8_t)((in[i / 8] & ~mask) | (b[i / 8] & mask));
	}
	for (unsigned i = 0; i < (n + 7) / 8; i++)
		b[i] ^= flips[i];
}

/*
 * Groups of IPv6. Those that everybody uses stay. A solicited node's has 24 bits of that node's
 * address, others may carry a prefix or what not. The last 32 bits of a group are also its MAC
 * address's, so they are permuted by themselves.
 */
static void group_low(struct privacy *p, uint8_t b[static 4])
{
	permute(p, PRIVACY_GROUP_LOW, b, 0, 32, NULL, 0);
}

static void solicited(struct privacy *p, uint8_t b[static 3])
{
	permute(p, PRIVACY_SOLICITED, b, 0, 24, NULL, 0);
}

static void permute_group(struct privacy *p, uint8_t b[static 16])
{
	static const uint8_t zero[12], node[11] = { [9] = 1, [10] = 0xff };

	if (memcmp(b + 2, zero, 12) == 0)
		return;
	if (memcmp(b + 2, node, sizeof(node)) == 0) {
		solicited(p, b + 13);
		return;
	}
	permute(p, PRIVACY_V6, b, 16, 96, NULL, 0);
	group_low(p, b + 12);
}

static void permute_addr(struct privacy *p, struct addr *a)
{
	if (addr_is_v4(a))
		permute(p, PRIVACY_V4, a->b + 12, 0, 32, special4,
			sizeof(special4) / sizeof(special4[0]));
	else if (a->b[0] == 0xff)
		permute_group(p, a->b);
	else
		permute(p, PRIVACY_V6, a->b, 0, 128, special6,
			sizeof(special6) / sizeof(special6[0]));
}

struct addr privacy_addr(struct privacy *p, const struct addr *a)
{
	uint64_t word[2];

	if (!p->anonymous)
		return *a;
	memcpy(word, a->b, sizeof(word));
	uint64_t h = (word[0] ^ word[1] * 0x9e3779b97f4a7c15u) * 0xc2b2ae3d27d4eb4fu;
	struct privacy_cached *c = &p->cache[(h >> 40) % PRIVACY_CACHE];
	/* An empty place says that :: stays ::, and so it does. */
	if (!addr_eq(&c->from, a)) {
		c->from = c->to = *a;
		permute_addr(p, &c->to);
	}
	return c->to;
}

void privacy_v4_bytes(struct privacy *p, uint8_t b[static 4])
{
	struct addr a = addr_from_v4(b);

	a = privacy_addr(p, &a);
	memcpy(b, a.b + 12, 4);
}

void privacy_v6_bytes(struct privacy *p, uint8_t b[static 16])
{
	struct addr a = addr_from_v6(b);

	a = privacy_addr(p, &a);
	memcpy(b, a.b, sizeof(a.b));
}

void privacy_mac_bytes(struct privacy *p, uint8_t b[static 6])
{
	static const uint8_t zero[6], node[3] = { 0x33, 0x33, 0xff };
	uint8_t block[AES_BLOCK_SIZE];

	if (!p->anonymous || memcmp(b, zero, sizeof(zero)) == 0)
		return;
	if (b[0] & 1) {
		if (memcmp(b, node, sizeof(node)) == 0)
			solicited(p, b + 3);
		else if (b[0] == 0x33 && b[1] == 0x33 && (b[2] | b[3]))
			group_low(p, b + 2);
		return;
	}
	memcpy(block, p->pad[PRIVACY_MAC], sizeof(block));
	for (unsigned i = 0; i < 6; i++)
		block[i] ^= b[i];
	aes128_encrypt(&p->aes, sizeof(block), block, block);
	memcpy(b, block, 6);
	b[0] = (uint8_t)((b[0] & ~1u) | 2u);	/* one address, administered locally */
}

struct mac privacy_mac(struct privacy *p, const struct mac *m)
{
	struct mac out = *m;

	privacy_mac_bytes(p, out.b);
	return out;
}
