/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_privacy.c - any bytes as a frame of any link type on its way out of the house.
 *
 * Input: linktype index (1 byte), what is asked for (1), bytes the wire had more than were
 * captured (1), the frame. Asserted: nothing becomes longer, equal frames come out equal, what
 * reads well reads well afterwards and says the same but for addresses, which are those that
 * privacy_addr() gives, and without pseudonyms the bytes left are the frame's own.
 */
#include <stdio.h>
#include <stdlib.h>

#include "privacy_check.h"

#define FUZZ_HEAD 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct privacy *make(bool no_payload, bool anonymous)
{
	static const struct privacy_key key = { { 7, 3, 1 } };
	const struct privacy_config pc = { .no_payload = no_payload,
					   .frame_max = PRIVACY_FRAME_MAX,
					   .key = anonymous ? &key : NULL };
	struct err err = ERR_INIT;
	struct privacy *p = privacy_new(&pc, &err);

	if (!p)
		abort();
	return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t linktypes[] = {
		MODEL_LINKTYPE_ETHERNET,
		MODEL_LINKTYPE_RAW,
		MODEL_LINKTYPE_LINUX_SLL,
		MODEL_LINKTYPE_IPV4,
		MODEL_LINKTYPE_IPV6,
		MODEL_LINKTYPE_LINUX_SLL2,
		0xffff,
	};
	static struct privacy *ways[3];
	uint8_t out[PRIVACY_FRAME_MAX];
	const char *broken;
	uint32_t caplen, n;
	unsigned way;
	uint16_t linktype;

	if (size < FUZZ_HEAD || size > PRIVACY_FRAME_MAX)
		return 0;
	if (!ways[0]) {
		ways[0] = make(true, false);
		ways[1] = make(false, true);
		ways[2] = make(true, true);
	}
	linktype = linktypes[data[0] % (sizeof(linktypes) / sizeof(linktypes[0]))];
	caplen = (uint32_t)(size - FUZZ_HEAD);
	way = data[1] % 3u;
	broken = privacy_check_frame(ways[way], way != 0, linktype, data + FUZZ_HEAD, caplen,
				     caplen + data[2], out, &n);
	if (broken) {
		fprintf(stderr, "fuzz_privacy: broken: %s\n", broken);
		abort();
	}
	return 0;
}
