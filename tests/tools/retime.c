/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * retime.c - gives a pcapng file the stamps of another clock: shifted, and drifting.
 *
 * usage: retime [-s shift_ns] [-d drift_ppm] [-j step_ns -a after_ns] [-k keep] [-q mean_ns]
 *               [-S seed] IN OUT
 *   stamp' = stamp + shift + drift * (stamp - first stamp), and + step from after_ns behind the
 *   first stamp on: the clock was stepped
 *   -k egress|ingress: only packets of this direction, by podhop's own comments
 *   -q  packets that come in do so later by an exponential delay of this mean, one in ten by
 *       twenty times as much: as behind a queue; at all hops by the same. -S: another world
 * For files of this machine's byte order with if_tsresol 9 (podhop's). Prints the first stamp.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_MAX (16u << 20)
#define BLOCK_MIN 12u
#define IDB 1u
#define ISB 5u
#define EPB 6u
#define ISB_START 2u
#define ISB_END 3u

static int64_t shift, first, step, after;
static double drift, queue;
static uint64_t seed;

static void die(const char *what)
{
	fprintf(stderr, "retime: %s: %s\n", what, errno ? strerror(errno) : "not as expected");
	exit(1);
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Evenly in (0, 1], from the packet's id and the seed. */
static double uniform(uint64_t x)
{
	x = (x + seed * 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 29) * 0x94d049bb133111ebu;
	x ^= x >> 32;
	return (double)((x >> 11) + 1) / 9007199254740992.0;
}

/* What the packet waited in a queue, by podhop's comment "podhop id=N ... dir=ingress". */
static int64_t waited(const uint8_t *block, uint32_t len)
{
	const char *at = memmem(block, len, "podhop id=", strlen("podhop id="));
	uint64_t id;
	double d;

	if (queue <= 0 || !at || !memmem(block, len, " dir=ingress", strlen(" dir=ingress")))
		return 0;
	id = strtoull(at + strlen("podhop id="), NULL, 10);
	d = -queue * log(uniform(4 * id));
	if (uniform(4 * id + 1) < 0.1)
		d -= 20 * queue * log(uniform(4 * id + 2));
	return (int64_t)d;
}

/* A stamp is two words, the high one first. */
static void change(uint8_t *at, int64_t later)
{
	int64_t t = (int64_t)((uint64_t)get32(at) << 32 | get32(at + 4));

	if (!first) {
		first = t;
		printf("%" PRId64 "\n", first);
	}
	t += later;
	t += shift + (int64_t)(drift * (double)(t - first)) + (t - first >= after ? step : 0);
	uint32_t high = (uint32_t)((uint64_t)t >> 32), low = (uint32_t)t;
	memcpy(at, &high, sizeof(high));
	memcpy(at + 4, &low, sizeof(low));
}

static void change_statistics(uint8_t *block, uint32_t len)
{
	uint32_t at = 20;

	change(block + 12, 0);
	while (at + 4 <= len - 4) {
		uint16_t code, n;

		memcpy(&code, block + at, sizeof(code));
		memcpy(&n, block + at + 2, sizeof(n));
		at += 4;
		if (!code || n > len - 4 - at)
			break;
		if ((code == ISB_START || code == ISB_END) && n == 8)
			change(block + at, 0);
		at += (n + 3u) & ~3u;
	}
}

int main(int argc, char **argv)
{
	uint8_t *block = malloc(BLOCK_MAX);
	const char *keep = NULL;
	FILE *in, *out;
	int c;

	while ((c = getopt(argc, argv, "s:d:j:a:k:q:S:")) != -1) {
		if (c == 's')
			shift = strtoll(optarg, NULL, 10);
		else if (c == 'd')
			drift = strtod(optarg, NULL) * 1e-6;
		else if (c == 'j')
			step = strtoll(optarg, NULL, 10);
		else if (c == 'a')
			after = strtoll(optarg, NULL, 10);
		else if (c == 'k')
			keep = optarg;
		else if (c == 'q')
			queue = strtod(optarg, NULL);
		else if (c == 'S')
			seed = strtoull(optarg, NULL, 10);
		else
			argc = 0;
	}
	if (argc - optind != 2) {
		fputs("usage: retime [-s shift_ns] [-d drift_ppm] [-j step_ns -a after_ns] "
		      "[-k egress|ingress] [-q mean_ns] [-S seed] IN OUT\n",
		      stderr);
		return 2;
	}
	in = fopen(argv[optind], "rb");
	if (!in || !block)
		die(argv[optind]);
	out = fopen(argv[optind + 1], "wb");
	if (!out)
		die(argv[optind + 1]);
	while (fread(block, 8, 1, in) == 1) {
		uint32_t type = get32(block), len = get32(block + 4);
		char want[32];

		if (len < BLOCK_MIN || len > BLOCK_MAX || len % 4 ||
		    fread(block + 8, len - 8, 1, in) != 1)
			die(argv[optind]);
		if (type == EPB) {
			snprintf(want, sizeof(want), " dir=%s", keep ? keep : "");
			if (keep && !memmem(block, len, want, strlen(want)))
				continue;
			change(block + 12, waited(block, len));
		} else if (type == ISB) {
			change_statistics(block, len);
		}
		if (fwrite(block, len, 1, out) != 1)
			die(argv[optind + 1]);
	}
	free(block);
	if (ferror(in) || fclose(out) != 0)
		die(argv[optind + 1]);
	fclose(in);
	return 0;
}
