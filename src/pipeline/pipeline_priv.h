/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pipeline_priv.h - what the files of this folder share.
 *
 * Never: included from outside src/pipeline.
 */
#ifndef PIPELINE_PRIV_H
#define PIPELINE_PRIV_H

#include "podhop/pipeline.h"

/* ---- arena.c: frames that wait */

/* A frame with its bytes, or with the observation made of them. */
struct slot {
	struct correlate_tag tag;	/* complete once the frame was matched */
	uint32_t caplen;
	uint32_t units;		/* of the arena that it takes, this header included */
	uint64_t number;
	uint64_t drops;
	bool has_obs;		/* data is a struct correlate_obs */
	bool gone;		/* only waits for those in front of it */
	uint8_t data[];
};

/*
 * A ring of slots. They leave nearly in the order in which they came, so what is freed out
 * of turn waits for its turn.
 */
struct arena {
	uint8_t *memory;
	uint32_t units;		/* its size */
	uint32_t head, tail;	/* next free unit, oldest slot */
	uint32_t used;		/* units between tail and head */
};

#define ARENA_UNIT 16u		/* bytes; slots begin at multiples of it */

int arena_init(struct arena *a, size_t bytes);		/* 0 or -ENOMEM */
void arena_done(struct arena *a);
/* Room for a slot with `size` bytes of data. False: there is none. */
bool arena_alloc(struct arena *a, uint32_t size, uint32_t *ret_slot);
void arena_free(struct arena *a, uint32_t slot);
/* An empty arena that is too small for one such slot becomes large enough. 0 or -errno. */
int arena_grow(struct arena *a, uint32_t size);

static inline struct slot *arena_slot(const struct arena *a, uint32_t slot)
{
	return (struct slot *)(void *)(a->memory + (size_t)slot * ARENA_UNIT);
}

/* ---- filter.c */
/*
 * The FILTER speaks of the packet as the pod's veth shows it: what it says of the packet that
 * f is a frame of. scratch has filter_scratch_size() bytes.
 */
enum correlate_verdict filter_ask(const struct pipeline_config *cfg, const struct correlate *c,
				  const struct model_frame *f, const struct model_view *view,
				  const struct correlate_obs *o, correlate_ref ref,
				  uint8_t *scratch);
size_t filter_scratch_size(void);

#endif
