/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * solo.c - one node's capture alone: what the replies in it prove delivered.
 *
 * Theory of operation
 *
 * Packets are gone through in order of time, both directions. Each may prove others
 * before it and may itself be proved by one behind it:
 *
 *   TCP data, SYN, FIN   the peer acknowledges the bytes (RFC 9293: a SYN and a FIN count one).
 *                        Bytes that were sent twice are acknowledged once: the last sending is
 *                        taken for the one that arrived, of the others nobody knows; nor of one
 *                        that came behind the acknowledgement
 *   ICMP echo request    answered with its id and sequence number
 *   UDP request          answered on the same addresses and ports; whoever is seen to speak first
 *                        asks. An answer is of the request whose payload it echoes, or with which
 *                        it shares an id: one of the first four pairs of bytes (DNS, RPC, CoAP,
 *                        TFTP have one there) that differs from request to request. Without such
 *                        a mark only the first answer proves anything: that a request arrived
 *                        before it. What follows may be more of the same answer, or be sent of
 *                        the peer's own accord
 *
 * Nothing else can be proved: pure acknowledgements, resets, answers, one-way UDP, and of a capture
 * that was told to keep one direction (-Q, src host, ...) nothing at all. Data and
 * echo requests that should have been answered and were not are unknown: the answer may have
 * been lost as well. What the capture itself shows to end on its node, between two of its hops, is
 * lost whatever comes of it.
 */
#include "verify_priv.h"

#include "deliver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "podhop/hash.h"

#define TALKS 65536u /* flows that are remembered */
#define WINDOWS_TO_ANSWER 8 /* retransmission timeouts double: 16 s cover four of them */
#define UDP_HEADER 8u
#define LEAD_PAIRS 4u /* of bytes, in sent.lead */
#define ICMP_ECHO_REPLY 0
#define ICMP_ECHO 8
#define ICMPV6_ECHO 128
#define ICMPV6_ECHO_REPLY 129

enum { OUTWARDS, INWARDS };

/* What is known of the packets between two ends. */
struct talk {
	uint64_t flow;
	uint64_t body; /* of the last request */
	uint32_t acked[2]; /* TCP: what a way's packets were acknowledged up to */
	bool has_acked[2];
	uint64_t lead; /* of the last request */
	uint8_t way; /* of who spoke first */
	bool used;
	bool asked, answered; /* UDP: at least once */
	/* One request's payload differed from the next one's, or did not. */
	bool bodies_vary, bodies_repeat;
	/* The same of each pair of bytes of lead, a bit each; repeat: in another payload. */
	uint8_t leads_vary, leads_repeat;
};

struct solo {
	struct heap events;
	uint32_t oldest, newest; /* waiting to be proved, in order of time */
	struct talk *talk;
};

int verify_solo_new(struct verify *v, struct err *err)
{
	v->solo = calloc(1, sizeof(*v->solo));
	if (v->solo)
		v->solo->talk = calloc(TALKS, sizeof(*v->solo->talk));
	if (!v->solo || !v->solo->talk)
		return err_sys(err, ENOMEM, "verify");
	v->solo->oldest = v->solo->newest = NONE;
	v->direction[OUTWARDS].d.to = VERIFY_NONE;
	v->direction[INWARDS].d.from = VERIFY_NONE;
	v->direction[INWARDS].d.to = 0;
	return 0;
}

void verify_solo_free(struct verify *v)
{
	if (!v->solo)
		return;
	free(v->solo->events.at);
	free(v->solo->talk);
	free(v->solo);
	v->solo = NULL;
}

static bool event_before(const struct verify *v, uint32_t a, uint32_t b)
{
	const struct sent *x = &v->sent[a], *y = &v->sent[b];

	return x->time_ns != y->time_ns ? x->time_ns < y->time_ns : x->id < y->id;
}

static struct result_tuple reversed(const struct result_tuple *t)
{
	bool echo = t->protocol == MODEL_PROTO_ICMP || t->protocol == MODEL_PROTO_ICMPV6;

	/* An echo's id stands for its source port, both ways. */
	return (struct result_tuple){ .src = t->dst,
				      .dst = t->src,
				      .sport = echo ? t->sport : t->dport,
				      .dport = echo ? t->dport : t->sport,
				      .protocol = t->protocol,
				      .has_ports = t->has_ports };
}

/* Bytes of sequence space; 0: nothing that could be acknowledged. */
static uint32_t sequence_length(const struct sent *s)
{
	uint32_t n = s->kind == RESULT_KIND_STREAM ? s->size : 0;

	if (s->l4_flags & MODEL_TCP_RST)
		return 0;
	return n + !!(s->l4_flags & MODEL_TCP_SYN) + !!(s->l4_flags & MODEL_TCP_FIN);
}

/* ----------------------------------------------------------------- waiting */

static void wait_begin(struct verify *v, uint32_t i)
{
	struct sent *s = &v->sent[i];

	verify_sent_index(v, i);
	s->newer = NONE;
	s->older = v->solo->newest;
	if (s->older != NONE)
		v->sent[s->older].newer = i;
	else
		v->solo->oldest = i;
	v->solo->newest = i;
}

static void wait_end(struct verify *v, uint32_t i)
{
	const struct sent *s = &v->sent[i];

	verify_sent_unindex(v, i);
	if (s->older != NONE)
		v->sent[s->older].newer = s->newer;
	else
		v->solo->oldest = s->newer;
	if (s->newer != NONE)
		v->sent[s->newer].older = s->older;
	else
		v->solo->newest = s->older;
	verify_sent_release(v, i);
}

static void proved(struct verify *v, uint32_t i)
{
	struct verify_direction *d = &v->direction[v->sent[i].from].d;

	d->sent++;
	d->delivered++;
	wait_end(v, i);
}

static void cannot_be_proved(struct verify *v, uint32_t i)
{
	v->direction[v->sent[i].from].d.unprovable++;
	wait_end(v, i);
}

/* Would the capture have left an answer out? */
static bool hides_answers(const struct verify *v, const struct sent *s)
{
	const struct result_frames answer = { .tuple = reversed(&s->tuple) };
	const struct model_net *net = v->node[0].net;
	bool hides = v->cfg.shows && net->n_hops;

	if (v->cfg.keeps && v->cfg.keeps(v->cfg.shows_arg, 0, 0, &answer) == RESULT_HIDDEN)
		return true;
	for (unsigned i = 0; i < net->n_hops && hides; i++)
		hides = net->hops[i].filtered &&
			v->cfg.shows(v->cfg.shows_arg, 0, i, &answer) == RESULT_HIDDEN;
	return hides;
}

/* Nothing has proved it in its time. end: the capture is over. */
static void expire(struct verify *v, uint32_t i, bool end)
{
	const struct sent *s = &v->sent[i];
	struct direction *way = &v->direction[s->from];
	struct verify_direction *d = &way->d;
	bool owed = s->kind == RESULT_KIND_STREAM || s->tuple.protocol == MODEL_PROTO_ICMP ||
		    s->tuple.protocol == MODEL_PROTO_ICMPV6 ||
		    (s->tuple.protocol == MODEL_PROTO_TCP && s->l4_flags & MODEL_TCP_SYN);

	if (!owed || s->flags & SENT_REPEATED) {
		d->unprovable++;
	} else if (hides_answers(v, s)) {
		d->unprovable++;
		way->left_out++;
	} else if (end && v->node[0].last_ns - s->time_ns < v->cfg.window_ns) {
		d->out_of_scope++;
	} else {
		d->sent++;
		d->unknown++;
	}
	wait_end(v, i);
}

/* ------------------------------------------------------------------ proving */

/* The first that comes on these addresses and ports is of who asks. */
static struct talk *talk_of(struct verify *v, const struct sent *s)
{
	struct result_tuple back = reversed(&s->tuple);
	uint64_t a = verify_tuple_hash(v, &s->tuple), b = verify_tuple_hash(v, &back);
	uint64_t flow = a < b ? hash_mix(a, b, 2) : hash_mix(b, a, 2);
	struct talk *k = &v->solo->talk[flow % TALKS];

	if (!k->used || k->flow != flow)
		*k = (struct talk){ .flow = flow, .way = s->from, .used = true };
	return k;
}

static unsigned other_way(unsigned way)
{
	return way == OUTWARDS ? INWARDS : OUTWARDS;
}

/* Of a bucket's chain from i on, the youngest first; n counts how far it was gone through. */
static uint32_t next_waiting(const struct verify *v, uint64_t key, uint32_t i, unsigned *n)
{
	while (i != NONE && v->sent[i].key != key && *n < CHAIN_MAX) {
		i = v->sent[i].next;
		(*n)++;
	}
	return *n < CHAIN_MAX ? i : NONE;
}

static uint64_t key_of_others(const struct verify *v, const struct sent *a)
{
	struct result_tuple back = reversed(&a->tuple);

	return hash_mix(verify_tuple_hash(v, &back), other_way(a->from), 1);
}

/* --------------------------------------------------------------------- TCP */

static void prove_acknowledged(struct verify *v, const struct sent *a)
{
	struct talk *k = talk_of(v, a);
	uint64_t key = key_of_others(v, a);
	unsigned way = other_way(a->from), n = 0;
	uint32_t next;

	if (!(a->l4_flags & MODEL_TCP_ACK))
		return;
	if (!k->has_acked[way] || (int32_t)(a->ack - k->acked[way]) > 0)
		k->acked[way] = a->ack;
	k->has_acked[way] = true;
	for (uint32_t i = next_waiting(v, key, v->sent_bucket[key & v->mask], &n); i != NONE;
	     i = next_waiting(v, key, next, &n)) {
		const struct sent *s = &v->sent[i];

		next = s->next;
		n++;
		if ((int32_t)(a->ack - (s->start + sequence_length(s))) < 0)
			continue;
		if (s->flags & SENT_REPEATED)
			cannot_be_proved(v, i);
		else
			proved(v, i);
	}
}

/* s brings bytes once more: which sending of them is acknowledged, nobody knows. */
static void mark_repeated(struct verify *v, const struct sent *s)
{
	unsigned n = 0;

	for (uint32_t i = next_waiting(v, s->key, v->sent_bucket[s->key & v->mask], &n); i != NONE;
	     i = next_waiting(v, s->key, v->sent[i].next, &n)) {
		struct sent *o = &v->sent[i];

		n++;
		if ((int32_t)(o->start + sequence_length(o) - s->start) > 0 &&
		    (int32_t)(s->start + sequence_length(s) - o->start) > 0)
			o->flags |= SENT_REPEATED;
	}
}

static bool is_acknowledged(struct verify *v, const struct sent *s)
{
	const struct talk *k = talk_of(v, s);

	return k->has_acked[s->from] &&
	       (int32_t)(k->acked[s->from] - (s->start + sequence_length(s))) >= 0;
}

/* --------------------------------------------------------------------- UDP */

/* Which pairs of bytes are equal: a bit each. */
static uint8_t equal_pairs(uint64_t a, uint64_t b)
{
	uint8_t equal = 0;

	for (unsigned i = 0; i < LEAD_PAIRS; i++)
		if (!((a ^ b) >> 16 * i & 0xffff))
			equal |= (uint8_t)(1u << i);
	return equal;
}

/* Those that the payload has. */
static uint8_t pairs_of(const struct sent *s)
{
	uint32_t n = s->size > UDP_HEADER ? (s->size - UDP_HEADER) / 2 : 0;

	return (uint8_t)((1u << (n < LEAD_PAIRS ? n : LEAD_PAIRS)) - 1);
}

static void note_request(struct talk *k, const struct sent *s)
{
	if (k->asked) {
		bool same = k->body == s->body;

		k->bodies_vary |= !same;
		k->bodies_repeat |= same;
		k->leads_vary |= (uint8_t)~equal_pairs(k->lead, s->lead);
		k->leads_repeat |= same ? 0 : equal_pairs(k->lead, s->lead);
	}
	k->asked = true;
	k->body = s->body;
	k->lead = s->lead;
}

static void prove_request(struct verify *v, const struct sent *a)
{
	struct talk *k = talk_of(v, a);
	const bool by_body = k->bodies_vary && !k->bodies_repeat && a->body_len;
	const unsigned ids = k->leads_vary & ~(unsigned)k->leads_repeat & pairs_of(a);
	uint64_t key = key_of_others(v, a);
	uint32_t youngest = NONE, found = NONE;
	unsigned n = 0;

	if (a->from == k->way)
		return;
	for (uint32_t i = next_waiting(v, key, v->sent_bucket[key & v->mask], &n); i != NONE;
	     i = next_waiting(v, key, v->sent[i].next, &n)) {
		const struct sent *s = &v->sent[i];

		n++;
		if (youngest == NONE)
			youngest = i;
		if (found == NONE &&
		    ((by_body && s->body_len == a->body_len && s->body == a->body) ||
		     (ids & pairs_of(s) & equal_pairs(s->lead, a->lead))))
			found = i;
	}
	if (found == NONE && !k->answered)
		found = youngest;
	k->answered = true;
	if (found != NONE)
		proved(v, found);
}

/* -------------------------------------------------------------------- ICMP */

static void prove_echo(struct verify *v, const struct sent *a)
{
	uint64_t key = key_of_others(v, a);
	unsigned n = 0;

	if (a->l4_flags !=
	    (a->tuple.protocol == MODEL_PROTO_ICMP ? ICMP_ECHO_REPLY : ICMPV6_ECHO_REPLY))
		return;
	for (uint32_t i = next_waiting(v, key, v->sent_bucket[key & v->mask], &n); i != NONE;
	     i = next_waiting(v, key, v->sent[i].next, &n)) {
		n++;
		if (v->sent[i].start == a->start) {
			proved(v, i);
			return;
		}
	}
}

/* ------------------------------------------------------------------ proving */

static void prove_others(struct verify *v, const struct sent *a)
{
	switch (a->tuple.protocol) {
	case MODEL_PROTO_TCP:
		prove_acknowledged(v, a);
		return;
	case MODEL_PROTO_UDP:
		prove_request(v, a);
		return;
	case MODEL_PROTO_ICMP:
	case MODEL_PROTO_ICMPV6:
		prove_echo(v, a);
		return;
	default:
		return;
	}
}

static bool can_be_proved(struct verify *v, const struct sent *s)
{
	switch (s->tuple.protocol) {
	case MODEL_PROTO_TCP:
		return sequence_length(s) &&
		       !(s->flags & SENT_RETRANSMISSION && is_acknowledged(v, s));
	case MODEL_PROTO_UDP:
		return talk_of(v, s)->way == s->from;
	case MODEL_PROTO_ICMP:
		return s->tuple.has_ports && s->l4_flags == ICMP_ECHO;
	case MODEL_PROTO_ICMPV6:
		return s->tuple.has_ports && s->l4_flags == ICMPV6_ECHO;
	default:
		return false;
	}
}

/* The capture shows where it ended, with all hops behind that listening. */
static void count_lost(struct verify *v, const struct sent *s)
{
	struct direction *d = &v->direction[s->from];
	struct verify_lost l = verify_lost_of(s);

	l.bytes_missing = s->size;
	l.last_role = s->last_role;
	l.next_role = s->wire_role;
	d->d.sent++;
	verify_count_lost(d, s, &l);
}

static void go_through(struct verify *v, uint32_t i)
{
	struct sent *s = &v->sent[i];

	while (v->solo->oldest != NONE &&
	       s->time_ns - v->sent[v->solo->oldest].time_ns > WINDOWS_TO_ANSWER * v->cfg.window_ns)
		expire(v, v->solo->oldest, false);
	prove_others(v, s);
	if (s->tuple.protocol == MODEL_PROTO_UDP && talk_of(v, s)->way == s->from)
		note_request(talk_of(v, s), s);
	if (s->flags & SENT_LOST) {
		count_lost(v, s);
	} else if (can_be_proved(v, s)) {
		if (s->tuple.protocol == MODEL_PROTO_TCP && s->flags & SENT_RETRANSMISSION)
			mark_repeated(v, s);
		wait_begin(v, i);
		return;
	} else {
		v->direction[s->from].d.unprovable++;
	}
	verify_sent_release(v, i);
}

/*
 * The one that has waited longest is given up. Where none waits yet, because nobody said how far
 * time has come, the oldest is gone through first: it may wait then, or be done.
 */
static void make_room(struct verify *v)
{
	while (v->sent_free == NONE && v->sent_top == v->n_packets) {
		if (v->solo->oldest == NONE) {
			go_through(v, verify_heap_pop(v, &v->solo->events, event_before));
			continue;
		}
		v->evicted_sent++;
		expire(v, v->solo->oldest, false);
	}
}

void verify_solo_packet(struct verify *v, const struct result_packet *p)
{
	/* Without pods, each side's packets prove the other's all the same. */
	unsigned way = p->direction == MODEL_DIRECTION_INGRESS ? INWARDS : OUTWARDS;
	uint32_t i;

	if (!p->n_sightings || addr_is_multicast(&p->tuple.dst))
		return;
	if (p->direction == MODEL_DIRECTION_OTHER) {
		if (v->node[0].net->n_pods)
			return;
		way = memcmp(&p->tuple.src, &p->tuple.dst, sizeof(p->tuple.src)) < 0 ? OUTWARDS
										     : INWARDS;
	}
	if (p->refused) {
		v->direction[way].d.out_of_scope++;
		return;
	}
	make_room(v);
	i = verify_sent_new(v);
	if (i == NONE)
		return; /* cannot be: room was made */
	v->sent[i] = (struct sent){
		.time_ns = p->time_ns,
		.id = p->id,
		.frame = p->frame_number,
		.tuple = p->tuple,
		.start = p->kind == RESULT_KIND_STREAM ? p->tcp_seq : p->seq,
		.size = p->size,
		.ack = p->ack,
		.l4_flags = p->l4_flags,
		.kind = (uint8_t)p->kind,
		.from = (uint8_t)way,
		/* What is lost was due at this node: as the receiver, or as the sender. */
		.to = way == INWARDS ? 0 : UINT8_MAX,
		.body = p->body,
		.body_len = p->body_len,
		.lead = p->lead,
		.hop = p->sightings[0].hop,
		.ip_id = p->ip_id,
		.length = p->length,
		.last_role = (uint8_t)p->last_seen,
		.wire_role = (uint8_t)p->next_expected,
		.flags = (p->lost ? SENT_LOST : 0) | (p->has_ip_id ? SENT_HAS_ID : 0) |
			 (p->retransmission ? SENT_RETRANSMISSION : 0),
	};
	v->sent[i].key = hash_mix(verify_tuple_hash(v, &p->tuple), way, 1);
	if (!verify_heap_push(v, &v->solo->events, i, event_before))
		verify_sent_release(v, i);
}

void verify_solo_pump(struct verify *v, int64_t frontier_ns)
{
	struct heap *h = &v->solo->events;

	while (h->n && v->sent[h->at[0]].time_ns < frontier_ns)
		go_through(v, verify_heap_pop(v, h, event_before));
}

void verify_solo_finish(struct verify *v)
{
	verify_solo_pump(v, INT64_MAX);
	while (v->solo->oldest != NONE)
		expire(v, v->solo->oldest, true);
}
