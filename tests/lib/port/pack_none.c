/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pack_none.c - in place of src/pcapng/pack.c where there is neither zlib nor zstd: nothing is
 * packed. For tests/lib/check-port.
 */
#include <stdlib.h>
#include <string.h>

#include "../../../src/pcapng/pcapng_priv.h"

const char *pcapng_packing_name(enum pcapng_packing kind)
{
	return kind ? "packed" : "plain";
}

size_t pcapng_packing_suffix(const char *path, enum pcapng_packing *ret_kind)
{
	(void)path;
	*ret_kind = PCAPNG_PLAIN;
	return 0;
}

/* Known by its first bytes, though nothing can be done with it. */
enum pcapng_packing pcapng_packing_of(const uint8_t *head, size_t n)
{
	if (n >= 2 && !memcmp(head, "\x1f\x8b", 2))
		return PCAPNG_GZIP;
	return n >= 4 && !memcmp(head, "\x28\xb5\x2f\xfd", 4) ? PCAPNG_ZSTD : PCAPNG_PLAIN;
}

struct pcapng_packer *pcapng_packer_new(enum pcapng_packing kind)
{
	(void)kind;
	return NULL;
}

void pcapng_packer_free(struct pcapng_packer *p)
{
	(void)p;
}

int pcapng_pack(struct pcapng_packer *p, enum pcapng_pack_to to, const uint8_t **in, size_t *n,
		uint8_t *out, size_t size, size_t *ret_len)
{
	(void)p, (void)to, (void)in, (void)n, (void)out, (void)size, (void)ret_len;
	abort();
}

struct pcapng_unpacker *pcapng_unpacker_new(enum pcapng_packing kind)
{
	(void)kind;
	return malloc(1);
}

void pcapng_unpacker_free(struct pcapng_unpacker *u)
{
	free(u);
}

/* For ever in need of more. */
int pcapng_unpack(struct pcapng_unpacker *u, const uint8_t **in, size_t *n, uint8_t *out,
		  size_t size, size_t *ret_len)
{
	(void)u, (void)out, (void)size;
	*in += *n;
	*n = 0;
	*ret_len = 0;
	return 0;
}
