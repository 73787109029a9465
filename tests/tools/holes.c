/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * holes.c - takes frames out of a pcapng file and says so, as a capture that dropped them.
 *
 * usage: holes IN OUT FIRST COUNT
 * Leaves out COUNT frames from number FIRST on, and gives the next frame of the same
 * interface an epb_dropcount. For files of this machine's byte order.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_MAX (16u << 20)
#define BLOCK_MIN 12u
#define EPB 6u
#define EPB_DROPCOUNT 4u
#define DROPCOUNT_BYTES 12u
#define INTERFACES 64u

static void die(const char *what)
{
	fprintf(stderr, "holes: %s: %s\n", what, errno ? strerror(errno) : "not as expected");
	exit(1);
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
}

/* Puts the option in front of the others; returns the new length. */
static uint32_t add_dropcount(uint8_t *block, uint32_t len, uint64_t count)
{
	uint32_t at = 28 + ((get32(block + 20) + 3u) & ~3u);
	uint16_t code = EPB_DROPCOUNT, n = sizeof(count);

	memmove(block + at + DROPCOUNT_BYTES, block + at, len - at);
	memcpy(block + at, &code, sizeof(code));
	memcpy(block + at + 2, &n, sizeof(n));
	memcpy(block + at + 4, &count, sizeof(count));
	if (len - at == 4) { /* it had no options: end them */
		put32(block + at + DROPCOUNT_BYTES, 0);
		len += 4;
	}
	len += DROPCOUNT_BYTES;
	put32(block + 4, len);
	put32(block + len - 4, len);
	return len;
}

int main(int argc, char **argv)
{
	uint8_t *block = malloc(BLOCK_MAX + DROPCOUNT_BYTES + 4);
	uint64_t number = 0, dropped[INTERFACES] = { 0 };

	if (argc != 5 || !block) {
		fputs("usage: holes IN OUT FIRST COUNT\n", stderr);
		return 2;
	}
	uint64_t from = strtoull(argv[3], NULL, 10), count = strtoull(argv[4], NULL, 10);
	FILE *in = fopen(argv[1], "rb"), *out = fopen(argv[2], "wb");
	if (!in || !out)
		die(argv[in ? 2 : 1]);
	while (fread(block, 8, 1, in) == 1) {
		uint32_t type = get32(block), len = get32(block + 4);

		if (len < BLOCK_MIN || len > BLOCK_MAX || len % 4 ||
		    fread(block + 8, len - 8, 1, in) != 1)
			die(argv[1]);
		if (type == EPB) {
			uint32_t interface = get32(block + 8) % INTERFACES;

			if (++number >= from && number - from < count) {
				dropped[interface]++;
				continue;
			}
			if (number >= from + count && dropped[interface]) {
				len = add_dropcount(block, len, dropped[interface]);
				dropped[interface] = 0;
			}
		}
		if (fwrite(block, len, 1, out) != 1)
			die(argv[2]);
	}
	free(block);
	fclose(in);
	return fclose(out) ? 1 : 0;
}
