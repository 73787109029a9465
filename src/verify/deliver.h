/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * deliver.h - what the files that match nodes with each other share. See deliver.c.
 */
#ifndef VERIFY_DELIVER_H
#define VERIFY_DELIVER_H

#include "verify_priv.h"

enum key_kind {
	KEY_STREAM = 21,
	KEY_WHOLE,
	KEY_FRAGMENTS,
	KEY_BLOCK,
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

/* ---- tables.c */
bool verify_sent_before(const struct verify *v, uint32_t a, uint32_t b);
bool verify_received_before(const struct verify *v, uint32_t a, uint32_t b);
struct direction *verify_direction_of(struct verify *v, unsigned from, unsigned to);
void verify_link_add(struct verify *v, uint32_t i, uint64_t key);
void verify_sent_free(struct verify *v, uint32_t i);
void verify_unclaim_end(struct verify *v, struct received *r);
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
/* As long as not both ways are known: tells the clocks where r is one of its kind and was sent. */
void verify_meet(struct verify *v, struct received *r);
/* The same, out of all that is held and has no id; at_once: whether settled or not. */
void verify_acquaint(struct verify *v, unsigned a, unsigned b, bool at_once);

/* ---- claim.c */
void verify_clock_sample(struct verify *v, const struct sent *s, const struct received *r);
/*
 * Received bytes [from, from + len) are the sent packet's [lo, lo + len). Returns the bytes
 * that are new at the receiver's last hop.
 */
uint32_t verify_claim(struct verify *v, struct sent *s, struct received *r, uint32_t lo,
		      uint32_t len, uint32_t from);
bool verify_claim_any(struct verify *v, struct received *r);
bool verify_is_free(const struct verify *v, const struct sent *s, uint32_t lo, uint32_t len);
bool verify_ids_fit(const struct sent *s, const struct received *r, int32_t offset);
uint64_t verify_key_block(uint64_t tuple_hash, uint32_t seq);
uint64_t verify_key_fragments(const struct result_tuple *t, bool has_id, uint32_t ip_id,
			      uint32_t size);

/* ---- judge.c; evicted: before anybody could see what came of it */
void verify_judge(struct verify *v, uint32_t i, bool evicted);

/* ---- deliver.c: the oldest unclaimed one goes; false: there is none */
bool verify_drop_unclaimed(struct verify *v, struct direction *d);

#endif
