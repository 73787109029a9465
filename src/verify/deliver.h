/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * deliver.h - what the files that match nodes with each other share. See deliver.c.
 */
#ifndef VERIFY_DELIVER_H
#define VERIFY_DELIVER_H

#include "verify_priv.h"

#include "podhop/hash.h"

enum key_kind {
	KEY_STREAM = 21,
	KEY_WHOLE,
	KEY_FRAGMENTS,
	KEY_BLOCK,
	KEY_CONTENT,
	KEY_MISSED,
};

#define MAY_FRAGMENT 1200u /* smaller datagrams are not cut: IPv6's least MTU is 1280 */
#define ROLE_BIT(r) (1u << (r))

/* ---- pieces.c */
void verify_pieces_free(struct verify *v, uint32_t *list);
bool verify_piece_push(struct verify *v, uint32_t *list, uint32_t start, uint32_t end);
bool verify_pieces_overlap(const struct verify *v, uint32_t list, uint32_t start, uint32_t end);
/* Adds [start, end) as far as it is new. Returns how many bytes were; *ret_full: no room. */
uint32_t verify_pieces_add(struct verify *v, uint32_t *list, uint32_t start, uint32_t end,
			   bool *ret_full);

/* ---- group.c: the bytes of streams that were cut differently */
/* Packet i is sent: alone, and nothing of it has arrived. */
void verify_group_start(struct verify *v, uint32_t i);
/* A received packet lies across a and b. False: the group would be too large. */
bool verify_group_join(struct verify *v, uint32_t a, uint32_t b);
/* All of r's bytes are of the group of packet i. */
void verify_group_take(struct verify *v, uint32_t i, const struct received *r);
/* Something came of the group that cannot be compared. */
void verify_group_spoil(struct verify *v, uint32_t i);
/* Packet i is about to be freed. */
void verify_group_leave(struct verify *v, uint32_t i);

/* ---- tables.c */
bool verify_sent_before(const struct verify *v, uint32_t a, uint32_t b);
bool verify_received_before(const struct verify *v, uint32_t a, uint32_t b);
struct direction *verify_direction_of(struct verify *v, unsigned from, unsigned to);
void verify_link_add(struct verify *v, uint32_t i, uint64_t key);
uint32_t verify_sent_new(struct verify *v); /* a place for one; NONE: the table is full */
void verify_sent_release(struct verify *v, uint32_t i); /* of one that is not indexed */
/* Into the bucket of its key, and out of it. */
void verify_sent_index(struct verify *v, uint32_t i);
void verify_sent_unindex(struct verify *v, uint32_t i);
void verify_sent_free(struct verify *v, uint32_t i); /* out of the tables, and its place */
/* Received packet i is nobody's so far: verify_find_altered() looks there. */
void verify_unclaim(struct verify *v, uint32_t i);
/* It is found to be somebody's. It stays in the list by age, but nobody finds it any more. */
void verify_unclaim_found(struct verify *v, struct received *r);
void verify_received_free(struct verify *v, uint32_t i);

/* ---- alike.c */
enum verify_fit {
	VERIFY_FIT_NOT = 0, /* before it was sent, or long after */
	VERIFY_FIT_POOR,
	VERIFY_FIT_WELL, /* as long on its way as is usual */
};
struct verify_choice {
	uint32_t best; /* the sent packet that it is; NONE: none */
	uint32_t copy; /* best is NONE: the one whose copy it is; NONE: none */
};
/* Equal in all that tells packets apart, but for time. */
bool verify_is_same(const struct sent *s, const struct received *r);
/* Which sent packet r is as a whole; sets r->alike and r->unsure. */
struct verify_choice verify_choose(struct verify *v, struct received *r);
enum verify_fit verify_fit_of(const struct verify *v, const struct sent *s,
			      const struct received *r);
/* Among what was received and waits is one that looks like s. */
bool verify_alike_came(const struct verify *v, const struct sent *s);
/* Sent packet i rather than `than` (NONE: than nothing), by the time that r came. */
bool verify_fits_better(const struct verify *v, const struct received *r, uint32_t i,
			uint32_t than);
/* How wrong time_ns of `from`'s clock may be when it is taken to the other's. */
int64_t verify_doubt_ns(const struct verify *v, unsigned from, unsigned to, int64_t time_ns);
/* r is s and can be no other: its delay is usual. */
void verify_usual_note(struct verify *v, const struct sent *s, const struct received *r);
/*
 * s, with an id, is missing, and so far only packets without one have told the clocks, perhaps
 * wrongly: where it is now one of its kind among what is held, it tells them.
 */
void verify_meet(struct verify *v, const struct sent *s);
/* Clocks of which nothing is known: what tells them, out of all that is held. */
void verify_acquaint(struct verify *v);
/* How long packets of that direction usually are on their way, by the clocks as they are known. */
int64_t verify_on_way_ns(const struct verify *v, unsigned from, unsigned to);

/* ---- scope.c */
enum verify_scope {
	VERIFY_SCOPE_OUT = 0, /* before or behind all that was captured */
	VERIFY_SCOPE_HOLE, /* between two spans of the capture */
	VERIFY_SCOPE_EDGE, /* near the end of a span */
	VERIFY_SCOPE_UNSEEN, /* other hops of the node were captured then, but not this one */
	VERIFY_SCOPE_IN,
};
/*
 * What a node's hop of that role, for that pod (-1: not known), shows of what was there at
 * time_ns, by its own clock and give or take doubt_ns, or usually on_way_ns later.
 */
enum verify_scope verify_role_scope(struct verify *v, unsigned node, unsigned role, int pod,
				    int64_t time_ns, int64_t doubt_ns, int64_t on_way_ns);
/* Its capture goes on, and nothing was seen since. */
bool verify_is_undecided(const struct verify *v, unsigned node, unsigned role, int pod,
			 int64_t time_ns);
/* Mask of the roles that were captured then. */
uint32_t verify_roles_at(struct verify *v, unsigned node, int pod, int64_t time_ns);
/*
 * Did the captures of that role, for that pod, take a packet that would have come by in these
 * frames? What they were told to leave out is not missing.
 */
enum result_shown verify_role_shows(const struct verify *v, unsigned node, unsigned role, int pod,
				    const struct result_frames *frames);
/* A packet that was found at both nodes was seen at the hop at time_ns. */
void verify_prove(struct verify *v, unsigned node, unsigned hop, int64_t time_ns);
void verify_cover_all(struct verify *v, unsigned node, int64_t from_ns, int64_t to_ns);
int8_t verify_pod_of(const struct node *n, const struct addr *a); /* -1: of none */

/* ---- claim.c */
void verify_clock_sample(struct verify *v, const struct sent *s, const struct received *r);
/*
 * Received bytes [from, from + len) are the sent packet's [lo, lo + len). Returns the bytes
 * that are new at the receiver's last hop.
 */
uint32_t verify_claim(struct verify *v, struct sent *s, struct received *r, uint32_t lo,
		      uint32_t len, uint32_t from);
bool verify_claim_any(struct verify *v, struct received *r);
/*
 * s's time is over: what came of it may have seemed to be there before it was sent, as clocks
 * that are known by one direction, or were stepped, have it.
 */
void verify_find_unclaimed(struct verify *v, const struct sent *s);
/* Of packets that are equal in place and size: bytes, checksum or headers are not. */
bool verify_is_altered(const struct sent *s, const struct received *r);
bool verify_is_free(const struct verify *v, const struct sent *s, uint32_t lo, uint32_t len);
bool verify_ids_fit(const struct sent *s, const struct received *r, int32_t offset);
uint64_t verify_key_fragments(const struct verify *v, const struct result_tuple *t, bool has_id,
			      uint32_t ip_id, uint32_t size);

/* ---- altered.c: looks for s among what nobody is known to have sent. */
void verify_find_altered(struct verify *v, struct sent *s);
/* All but addresses and ports. */
static inline uint64_t verify_key_content(uint64_t head, uint64_t body)
{
	return hash_mix(head, body, KEY_CONTENT);
}

/* ---- judge.c; evicted: before anybody could see what came of it */
void verify_judge(struct verify *v, uint32_t i, bool evicted);
/* Its time is over, but not yet what its receiver's capture would show of it. */
bool verify_must_wait(const struct verify *v, const struct sent *s);

/* ---- step.c */
/* r is s, and came when it should have. */
void verify_step_fits(struct verify *v, const struct sent *s, const struct received *r);
/* The loss of the sender's packet of that id is about to be counted. */
void verify_step_tally(struct direction *d, uint64_t id);
/* Nothing of s has come in time. True: a step of a clock may have hidden it. */
bool verify_step_hid(struct verify *v, const struct sent *s);
/* r is nobody's. */
void verify_step_unclaimed(struct verify *v, const struct received *r);
/* It was taken for nobody's, and is somebody's after all. */
void verify_step_claimed(struct verify *v, const struct received *r);
/* No more packets: what is open is unknown. */
void verify_step_finish(struct verify *v);
/* One of the two captures noticed a step that no packet has shown. */
bool verify_step_hides(const struct verify *v, unsigned a, unsigned b);

/* ---- deliver.c */
/* The oldest unclaimed one goes; false: there is none. */
bool verify_drop_unclaimed(struct verify *v, struct direction *d);

#endif
