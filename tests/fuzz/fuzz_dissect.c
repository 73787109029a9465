/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_dissect.c - any bytes as a frame of any link type.
 *
 * Input: linktype index (1 byte), bytes the wire had more than were captured (2, big
 * endian), the frame. Asserted: every offset and length lies within the frame, equal
 * frames give equal views down to the last byte, and a shorter capture of the same frame
 * never says something else about what it still shows.
 */
#include <stdio.h>
#include <stdlib.h>

#include "dissect_check.h"

#define FUZZ_HEAD 3
/*
 * Capture lengths tried on one frame. All of them when seeds are replayed; the fuzzer gets
 * further with more frames, and its inputs decide which lengths these are.
 */
#ifdef FUZZ_REPLAY
#define FUZZ_CUTS_MAX 4096u
#else
#define FUZZ_CUTS_MAX 8u
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(const char *broken)
{
	if (!broken)
		return;
	fprintf(stderr, "fuzz_dissect: broken: %s\n", broken);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t linktypes[] = {
		MODEL_LINKTYPE_ETHERNET, MODEL_LINKTYPE_RAW,  MODEL_LINKTYPE_LINUX_SLL,
		MODEL_LINKTYPE_IPV4,	 MODEL_LINKTYPE_IPV6, MODEL_LINKTYPE_LINUX_SLL2,
		0xffff,
	};
	struct model_view full, cut;
	uint32_t caplen, len, step;
	uint16_t linktype;

	if (size < FUZZ_HEAD || size > 1u << 20)
		return 0;
	linktype = linktypes[data[0] % (sizeof(linktypes) / sizeof(linktypes[0]))];
	caplen = (uint32_t)(size - FUZZ_HEAD);
	len = caplen + (uint32_t)(data[1] << 8 | data[2]);
	data += FUZZ_HEAD;

	demand(check_run(linktype, data, caplen, len, &full));
	demand(check_view(&full, caplen, len));
	step = caplen / FUZZ_CUTS_MAX + 1;
	for (uint32_t n = (caplen ? data[caplen - 1] : 0) % step; n < caplen; n += step) {
		demand(check_run(linktype, data, n, len, &cut));
		demand(check_view(&cut, n, len));
		demand(check_cut(&cut, &full));
	}
	return 0;
}
