/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_filter.c - any text as FILTER, beside a packet that is known.
 *
 * Input: what is asked for (1 byte), one step of a story (tests/lib/fuzz_frames.h), the text.
 * Asserted: a text that is refused gets a sentence; an accepted one answers the same twice, and
 * knows more or the same the more of a frame is captured; the kernel filters that are made of it
 * are sound expressions, and let pass at every hop what the filter chooses at the veth.
 */
#include <stdio.h>

#include "fuzz_frames.h"
#include "podhop/buf.h"
#include "podhop/capture.h"

#define TEXT_MAX 512u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	uint8_t bytes[2][STORY_HOPS][STORY_FRAME_MAX];
	uint32_t n[STORY_HOPS][2], frames[STORY_HOPS];
};

static void note(void *arg, const struct model_frame *f)
{
	struct seen *s = arg;
	uint32_t k = s->frames[f->hop]++;

	if (k > 1)
		return;
	memcpy(s->bytes[k][f->hop], f->data, f->caplen);
	s->n[f->hop][k] = f->caplen;
}

static int match(const struct capture_filter *f, const struct seen *s, unsigned hop)
{
	int first = capture_filter_match(f, s->bytes[0][hop], s->n[hop][0], s->n[hop][0]);

	STORY_DEMAND(first >= -1 && first <= 1);
	STORY_DEMAND(first ==
		     capture_filter_match(f, s->bytes[0][hop], s->n[hop][0], s->n[hop][0]));
	/* Cut, it may not know; what it knows then is right. */
	for (uint32_t cut = 0; cut < s->n[hop][0]; cut += 7) {
		int less = capture_filter_match(f, s->bytes[0][hop], cut, s->n[hop][0]);

		STORY_DEMAND(less == -1 || less == first);
	}
	return first;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct model_net net;
	struct err err = ERR_INIT;
	struct capture_filter *f;
	static struct seen seen;
	char text[TEXT_MAX];
	uint8_t step[STORY_STEP];

	if (size < 1 + STORY_STEP || size - 1 - STORY_STEP >= sizeof(text))
		return 0;
	memcpy(step, data + 1, sizeof(step));
	memcpy(text, data + 1 + STORY_STEP, size - 1 - STORY_STEP);
	text[size - 1 - STORY_STEP] = '\0';
	f = capture_filter_new(text, &err);
	if (!f) {
		STORY_DEMAND(err.text[0] && err.class == ERR_USAGE);
		return 0;
	}
	/* One whole packet at all hops, as the pod sent it or was sent it. */
	step[0] %= STORY_ARP;
	step[1] = (uint8_t)((step[1] & ~64) | 15);
	step[5] &= 0x3f;
	step[6] = 0;
	memset(seen.frames, 0, sizeof(seen.frames));
	story_tell(step, sizeof(step), 0, note, &seen);
	int chosen = match(f, &seen, 0);
	story_net(&net, 0);
	for (unsigned hop = 0; hop < STORY_HOPS; hop++) {
		struct capture_filter *kernel;
		struct buf b;

		buf_init(&b, 1u << 16);
		if (capture_kernel_filter(&net, hop, text, data[0] & 1, NULL, &b, &err) < 0) {
			fprintf(stderr, "hop %u of %s: %s\n", hop, text, err.text);
			abort();
		}
		kernel = capture_filter_new(buf_str(&b), &err);
		if (!kernel)
			fprintf(stderr, "hop %u: %s: %s\n", hop, buf_str(&b), err.text);
		STORY_DEMAND(kernel);
		int passes = capture_filter_match(kernel, seen.bytes[0][hop], seen.n[hop][0],
						  seen.n[hop][0]);
		if (chosen == 1 && passes != 1)
			fprintf(stderr, "hop %u of %s: %s\n", hop, text, buf_str(&b));
		STORY_DEMAND(chosen != 1 || passes == 1);
		capture_filter_free(kernel);
		buf_done(&b);
	}
	capture_filter_free(f);
	return 0;
}
