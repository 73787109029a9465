/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pack.c - gzip (RFC 1952) and zstd (RFC 8878), piecewise, in memory.
 *
 * Both are wrapped to the same two steps: take some of the input, give some output, and
 * say whether to come again. Neither needs more than malloc(), so both work inside the
 * sandbox. Level 1 of both: a capture has to keep up with its packets.
 */
#include "pcapng_priv.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <strings.h>
#include <zlib.h>
#include <zstd.h>

#define LEVEL 1
#define GZIP_BITS (15 + 16)	/* the largest window, and gzip's header */
#define GZIP_MEMORY 8		/* zlib's default */

static const struct {
	const char *name;
	uint8_t magic_len, magic[4];
} kinds[] = {
	[PCAPNG_PLAIN] = { "", 0, { 0 } },
	[PCAPNG_GZIP] = { "gzip", 2, { 0x1f, 0x8b } },
	[PCAPNG_ZSTD] = { "zstd", 4, { 0x28, 0xb5, 0x2f, 0xfd } },
};

#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Ends of names that promise a packing. PCAPNG_PLAIN: one that is not done here. */
static const struct {
	const char *suffix;
	enum pcapng_packing kind;
} suffixes[] = {
	{ ".gz", PCAPNG_GZIP },	 { ".zst", PCAPNG_ZSTD },  { ".zstd", PCAPNG_ZSTD },
	{ ".7z", PCAPNG_PLAIN }, { ".br", PCAPNG_PLAIN },  { ".bz2", PCAPNG_PLAIN },
	{ ".lz", PCAPNG_PLAIN }, { ".lz4", PCAPNG_PLAIN }, { ".lzma", PCAPNG_PLAIN },
	{ ".xz", PCAPNG_PLAIN }, { ".z", PCAPNG_PLAIN },   { ".zip", PCAPNG_PLAIN },
};

const char *pcapng_packing_name(enum pcapng_packing kind)
{
	return kinds[kind].name;
}

/* The suffix's length and place in the table; 0 where the name promises nothing. */
static size_t find_suffix(const char *path, size_t *ret_index)
{
	size_t len = strlen(path);

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		size_t n = strlen(suffixes[i].suffix);
		if (len > n && !strcasecmp(path + len - n, suffixes[i].suffix)) {
			*ret_index = i;
			return n;
		}
	}
	return 0;
}

size_t pcapng_packing_suffix(const char *path, enum pcapng_packing *ret_kind)
{
	size_t i = 0, n = find_suffix(path, &i);

	*ret_kind = n ? suffixes[i].kind : PCAPNG_PLAIN;
	return *ret_kind ? n : 0;
}

bool pcapng_packing_is_unknown(const char *path)
{
	size_t i = 0;

	return find_suffix(path, &i) && suffixes[i].kind == PCAPNG_PLAIN;
}

enum pcapng_packing pcapng_packing_of(const uint8_t *head, size_t n)
{
	for (size_t k = PCAPNG_GZIP; k < N_KINDS; k++)
		if (n >= kinds[k].magic_len && !memcmp(head, kinds[k].magic, kinds[k].magic_len))
			return (enum pcapng_packing)k;
	return PCAPNG_PLAIN;
}

/* zlib counts in unsigned int: longer pieces are taken in steps. */
static uInt step(size_t n)
{
	return n < UINT_MAX ? (uInt)n : UINT_MAX;
}

/* ----------------------------------------------------------------- packing */

struct pcapng_packer {
	enum pcapng_packing kind;
	z_stream gz;
	ZSTD_CStream *zstd;
};

struct pcapng_packer *pcapng_packer_new(enum pcapng_packing kind)
{
	struct pcapng_packer *p = calloc(1, sizeof(*p));
	bool ok = false;

	if (!p)
		return NULL;
	p->kind = kind;
	if (kind == PCAPNG_GZIP) {
		ok = deflateInit2(&p->gz, LEVEL, Z_DEFLATED, GZIP_BITS, GZIP_MEMORY,
				  Z_DEFAULT_STRATEGY) == Z_OK;
	} else if (kind == PCAPNG_ZSTD) {
		p->zstd = ZSTD_createCStream();
		ok = p->zstd && !ZSTD_isError(ZSTD_initCStream(p->zstd, LEVEL));
	}
	if (ok)
		return p;
	if (kind == PCAPNG_GZIP)
		p->kind = PCAPNG_PLAIN; /* nothing to end */
	pcapng_packer_free(p);
	return NULL;
}

void pcapng_packer_free(struct pcapng_packer *p)
{
	if (!p)
		return;
	if (p->kind == PCAPNG_GZIP)
		(void)deflateEnd(&p->gz);
	ZSTD_freeCStream(p->zstd);
	free(p);
}

int pcapng_pack(struct pcapng_packer *p, enum pcapng_pack_to to, const uint8_t **in, size_t *n,
		uint8_t *out, size_t size, size_t *ret_len)
{
	if (p->kind == PCAPNG_GZIP) {
		static const int flush[] = {
			[PCAPNG_PACK_ON] = Z_NO_FLUSH,
			[PCAPNG_PACK_FLUSH] = Z_SYNC_FLUSH,
			[PCAPNG_PACK_END] = Z_FINISH,
		};
		uInt taken = step(*n);
		/* zlib does not write to its input; its header has no const by default. */
		p->gz.next_in = (Bytef *)(uintptr_t)*in;
		p->gz.avail_in = taken;
		p->gz.next_out = out;
		p->gz.avail_out = step(size);
		int rc = deflate(&p->gz, taken == *n ? flush[to] : Z_NO_FLUSH);
		taken -= p->gz.avail_in;
		*in += taken;
		*n -= taken;
		*ret_len = size - p->gz.avail_out;
		/* Z_BUF_ERROR: nothing to do, as in a flush without anything new. */
		if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
			return -EINVAL;
		if (to == PCAPNG_PACK_END)
			return rc != Z_STREAM_END;
		return *n > 0 || p->gz.avail_out == 0;
	}

	static const ZSTD_EndDirective directive[] = {
		[PCAPNG_PACK_ON] = ZSTD_e_continue,
		[PCAPNG_PACK_FLUSH] = ZSTD_e_flush,
		[PCAPNG_PACK_END] = ZSTD_e_end,
	};
	ZSTD_inBuffer zin = { *in, *n, 0 };
	ZSTD_outBuffer zout = { out, size, 0 };
	size_t left = ZSTD_compressStream2(p->zstd, &zout, &zin, directive[to]);

	*in += zin.pos;
	*n -= zin.pos;
	*ret_len = zout.pos;
	if (ZSTD_isError(left))
		return -EINVAL;
	return to == PCAPNG_PACK_ON ? *n > 0 : *n > 0 || left > 0;
}

/* --------------------------------------------------------------- unpacking */

struct pcapng_unpacker {
	enum pcapng_packing kind;
	z_stream gz;
	ZSTD_DStream *zstd;
	size_t want;		/* zstd: no further than to the end of the block at hand */
	bool failed;
};

struct pcapng_unpacker *pcapng_unpacker_new(enum pcapng_packing kind)
{
	struct pcapng_unpacker *u = calloc(1, sizeof(*u));
	bool ok = false;

	if (!u)
		return NULL;
	u->kind = kind;
	if (kind == PCAPNG_GZIP) {
		ok = inflateInit2(&u->gz, GZIP_BITS) == Z_OK;
	} else if (kind == PCAPNG_ZSTD) {
		u->zstd = ZSTD_createDStream(); /* windows above 128 MiB are refused */
		u->want = u->zstd ? ZSTD_initDStream(u->zstd) : 0;
		ok = u->zstd && !ZSTD_isError(u->want);
	}
	if (ok)
		return u;
	if (kind == PCAPNG_GZIP)
		u->kind = PCAPNG_PLAIN;
	pcapng_unpacker_free(u);
	return NULL;
}

void pcapng_unpacker_free(struct pcapng_unpacker *u)
{
	if (!u)
		return;
	if (u->kind == PCAPNG_GZIP)
		(void)inflateEnd(&u->gz);
	ZSTD_freeDStream(u->zstd);
	free(u);
}

int pcapng_unpack(struct pcapng_unpacker *u, const uint8_t **in, size_t *n, uint8_t *out,
		  size_t size, size_t *ret_len)
{
	*ret_len = 0;
	if (u->failed)
		return -EBADMSG;
	if (u->kind == PCAPNG_GZIP) {
		uInt taken = step(*n);
		u->gz.next_in = (Bytef *)(uintptr_t)*in;
		u->gz.avail_in = taken;
		u->gz.next_out = out;
		u->gz.avail_out = step(size);
		int rc = inflate(&u->gz, Z_NO_FLUSH);
		taken -= u->gz.avail_in;
		*in += taken;
		*n -= taken;
		*ret_len = size - u->gz.avail_out;
		if (rc == Z_STREAM_END) {
			(void)inflateReset(&u->gz);
			return 1;
		}
		u->failed = rc != Z_OK && rc != Z_BUF_ERROR;
	} else {
		/* One block a call: who finds a bad one gives nothing of those before it. */
		ZSTD_inBuffer zin = { *in, *n < u->want ? *n : u->want, 0 };
		ZSTD_outBuffer zout = { out, size, 0 };
		size_t rc = ZSTD_decompressStream(u->zstd, &zout, &zin);
		*in += zin.pos;
		*n -= zin.pos;
		*ret_len = zout.pos;
		u->failed = ZSTD_isError(rc);
		if (rc == 0)
			u->want = ZSTD_initDStream(u->zstd);
		else if (!u->failed)
			u->want = rc;
		if (rc == 0)
			return 1;
	}
	/* What came out in front of the damage is good; the next call tells of it. */
	return u->failed && !*ret_len ? -EBADMSG : 0;
}
