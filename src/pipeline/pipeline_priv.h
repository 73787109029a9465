/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pipeline_priv.h - what the files of this folder share.
 *
 * Never: included from outside src/pipeline.
 */
#ifndef PIPELINE_PRIV_H
#define PIPELINE_PRIV_H

#include "podhop/pipeline.h"

#include "podhop/dissect.h"

/* The network's UDP ports of VXLAN, as many as there is room for, into dc, which has none. */
static inline void pipeline_dissect_ports(struct dissect_config *dc, const struct model_net *net)
{
	const unsigned most = sizeof(dc->vxlan_ports) / sizeof(dc->vxlan_ports[0]);

	while (dc->n_vxlan_ports < most && dc->n_vxlan_ports < net->n_vxlan_ports) {
		dc->vxlan_ports[dc->n_vxlan_ports] = net->vxlan_ports[dc->n_vxlan_ports];
		dc->n_vxlan_ports++;
	}
}

/* ---- arena.c: frames that wait */

/* A frame with its bytes, or with the observation made of them. */
struct slot {
	struct model_frame frame;
	/* What its mark needs besides, once it was matched. */
	uint16_t flags;
	uint8_t kind, direction;
	bool has_obs;		/* data is a struct correlate_obs */
	_Alignas(8) uint8_t data[];
};

struct arena_chunk {
	uint8_t *data;		/* NULL: never used */
	uint32_t size, used;
	uint32_t live;		/* slots in it */
	uint32_t next_free;
};

struct arena {
	struct arena_chunk *chunk;
	uint32_t n_chunks, top;	/* most, and those ever used */
	uint32_t current, free;
};

/* A slot's number: its chunk, and where it begins in it. */
#define ARENA_UNIT 16u		/* bytes */
#define ARENA_CHUNK_BITS 14u	/* chunks of 256 KiB; what is larger begins at 0 all the same */

/* bytes: of frames that wait, at most. 0 or -errno. */
int arena_init(struct arena *a, size_t bytes);
void arena_done(struct arena *a);
/* Room for a slot with `size` bytes of data: 1; 0: there is none, free some; or -ENOMEM. */
int arena_alloc(struct arena *a, uint32_t size, uint32_t *ret_slot);
void arena_free(struct arena *a, uint32_t slot);

/* Bytes of the arena that such a slot takes. */
static inline uint32_t arena_bytes(uint32_t size)
{
	const size_t n = sizeof(struct slot) + (size_t)size;

	return (uint32_t)((n + ARENA_UNIT - 1) / ARENA_UNIT * ARENA_UNIT);
}

/* arena_alloc() where the chunk that is being filled has room. */
static inline bool arena_alloc_here(struct arena *a, uint32_t size, uint32_t *ret_slot)
{
	const uint32_t n = arena_bytes(size);
	struct arena_chunk *c = &a->chunk[a->current];

	if (c->size - c->used < n)
		return false;
	*ret_slot = a->current << ARENA_CHUNK_BITS | c->used / ARENA_UNIT;
	c->used += n;
	c->live++;
	return true;
}

static inline struct slot *arena_slot(const struct arena *a, uint32_t slot)
{
	const struct arena_chunk *c = &a->chunk[slot >> ARENA_CHUNK_BITS];
	size_t unit = slot & ((1u << ARENA_CHUNK_BITS) - 1);

	return (struct slot *)(void *)(c->data + unit * ARENA_UNIT);
}

/* ---- steps.c: the clock is stepped under the capture */

/* What a hop's stamps belong to: the time between two steps of the clock, counted. */
struct steps_hop {
	int64_t last_ns;	/* its last stamp */
	uint64_t era;
};

struct steps {
	struct steps_hop hop[MODEL_HOPS_MAX];
	int64_t limit_ns;	/* stamps further apart are not disorder */
	uint64_t newest_era;	/* of the newest frame of all */
	uint64_t last_counted;	/* the era that began with the last step counted */
	uint64_t counted;	/* steps, each once */
	uint64_t doubtful_era;	/* the last that began with a hop that may only lag; 0: none did */
	bool lag;		/* one did */
	bool told;		/* PIPELINE_TOLD */
	/* The clock was set forward by that much between two times; 0: not, or it is crossed. */
	int64_t set_by_ns, set_after_ns, set_before_ns;
};

void steps_init(struct steps *s, int64_t lookahead_ns, bool told);
/* pipeline_clock_set(). */
void steps_set_forward(struct steps *s, const struct capture_clock_set *set);
/* Time goes on from one frame, in order, to another: is that where the clock was set forward? */
bool steps_crosses(struct steps *s, int64_t from_ns, int64_t to_ns);
/* steps_note() for all but the usual stamp: its hop's era may be another. */
bool steps_note_far(struct steps *s, uint16_t hop, int64_t time_ns, int64_t newest_ns);

static inline bool steps_is_far(const struct steps *s, int64_t a_ns, int64_t b_ns)
{
	return (uint64_t)a_ns - (uint64_t)b_ns + (uint64_t)s->limit_ns >
	       2 * (uint64_t)s->limit_ns;
}

/*
 * A frame of hop, stamped time_ns; newest_ns: the newest stamp of all hops since order began anew.
 * True: order begins anew with this frame.
 */
static inline bool steps_note(struct steps *s, uint16_t hop, int64_t time_ns, int64_t newest_ns)
{
	struct steps_hop *h = &s->hop[hop];

	/* Near the newest, and of its era: a jump from the hop's own last stamp tells nothing. */
	if (steps_is_far(s, time_ns, newest_ns) || h->era != s->newest_era)
		return steps_note_far(s, hop, time_ns, newest_ns);
	h->last_ns = time_ns;
	if (time_ns > newest_ns)
		s->newest_era = h->era;
	return false;
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
