/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * solo.c - one node's capture alone: what the replies in it prove delivered.
 *
 * Theory of operation
 *
 * Packets are gone through in order of time, both directions. Each may prove others
 * before it and may itself be proved by one behind it:
 *
 *   TCP data, SYN, FIN   the peer acknowledges the bytes (RFC 9293: a SYN and a FIN count one)
 *   ICMP echo request    answered with its id and sequence number
 *   UDP request          answered on the same addresses and ports; an answer proves the
 *                        youngest request that has none yet, and whoever spoke first asks
 *
 * Nothing else can be proved: pure acknowledgements, resets, answers, one-way UDP. Data and
 * echo requests that should have been answered and were not are unknown: the answer may have
 * been lost as well.
 */
#include "verify_priv.h"

#include "deliver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "podhop/hash.h"

#define ASKERS 65536u /* UDP flows whose first speaker is remembered */
#define WINDOWS_TO_ANSWER 8 /* retransmission timeouts double: 16 s cover four of them */
#define ICMP_ECHO_REPLY 0
#define ICMP_ECHO 8
#define ICMPV6_ECHO 128
#define ICMPV6_ECHO_REPLY 129

enum { OUTWARDS, INWARDS };

struct asker {
	uint64_t flow;
	uint8_t way;
	bool used;
};

struct solo {
	struct heap events;
	uint32_t oldest, newest; /* waiting to be proved, in order of time */
	struct asker *asker;
};

int verify_solo_new(struct verify *v, struct err *err)
{
	v->solo = calloc(1, sizeof(*v->solo));
	if (v->solo)
		v->solo->asker = calloc(ASKERS, sizeof(*v->solo->asker));
	if (!v->solo || !v->solo->asker)
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
	free(v->solo->asker);
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

/* Nothing has proved it in its time. end: the capture is over. */
static void expire(struct verify *v, uint32_t i, bool end)
{
	const struct sent *s = &v->sent[i];
	struct verify_direction *d = &v->direction[s->from].d;
	bool owed = s->kind == RESULT_KIND_STREAM || s->tuple.protocol == MODEL_PROTO_ICMP ||
		    s->tuple.protocol == MODEL_PROTO_ICMPV6 ||
		    (s->tuple.protocol == MODEL_PROTO_TCP && s->l4_flags & MODEL_TCP_SYN);

	if (!owed) {
		d->unprovable++;
	} else if (end && v->node[0].last_ns - s->time_ns < v->cfg.window_ns) {
		d->out_of_scope++;
	} else {
		d->sent++;
		d->unknown++;
	}
	wait_end(v, i);
}

/* ------------------------------------------------------------------ proving */

static void prove_others(struct verify *v, const struct sent *a)
{
	struct result_tuple back = reversed(&a->tuple);
	uint64_t key =
		hash_mix(verify_tuple_hash(&back), a->from == OUTWARDS ? INWARDS : OUTWARDS, 1);
	uint8_t protocol = a->tuple.protocol;
	uint32_t next;
	unsigned n = 0;

	if (protocol == MODEL_PROTO_TCP && !(a->l4_flags & MODEL_TCP_ACK))
		return;
	if ((protocol == MODEL_PROTO_ICMP && a->l4_flags != ICMP_ECHO_REPLY) ||
	    (protocol == MODEL_PROTO_ICMPV6 && a->l4_flags != ICMPV6_ECHO_REPLY))
		return;
	for (uint32_t i = v->sent_bucket[key & v->mask]; i != NONE && n < CHAIN_MAX;
	     i = next, n++) {
		const struct sent *s = &v->sent[i];

		next = s->next;
		if (s->key != key || s->tuple.protocol != protocol)
			continue;
		if (protocol == MODEL_PROTO_TCP) {
			if ((int32_t)(a->ack - (s->start + sequence_length(s))) >= 0)
				proved(v, i);
		} else if (protocol == MODEL_PROTO_UDP || s->start == a->start) {
			proved(v, i);
			return;
		}
	}
}

/* Who spoke first on these addresses and ports asks, the other side answers. */
static bool asks(struct verify *v, const struct sent *s)
{
	struct result_tuple back = reversed(&s->tuple);
	uint64_t a = verify_tuple_hash(&s->tuple), b = verify_tuple_hash(&back);
	uint64_t flow = a < b ? hash_mix(a, b, 2) : hash_mix(b, a, 2);
	struct asker *k = &v->solo->asker[flow % ASKERS];

	if (!k->used || k->flow != flow)
		*k = (struct asker){ .flow = flow, .way = s->from, .used = true };
	return k->way == s->from;
}

static bool can_be_proved(struct verify *v, const struct sent *s)
{
	switch (s->tuple.protocol) {
	case MODEL_PROTO_TCP:
		return sequence_length(s) != 0;
	case MODEL_PROTO_UDP:
		return asks(v, s);
	case MODEL_PROTO_ICMP:
		return s->tuple.has_ports && s->l4_flags == ICMP_ECHO;
	case MODEL_PROTO_ICMPV6:
		return s->tuple.has_ports && s->l4_flags == ICMPV6_ECHO;
	default:
		return false;
	}
}

static void go_through(struct verify *v, uint32_t i)
{
	struct sent *s = &v->sent[i];

	while (v->solo->oldest != NONE &&
	       s->time_ns - v->sent[v->solo->oldest].time_ns > WINDOWS_TO_ANSWER * v->cfg.window_ns)
		expire(v, v->solo->oldest, false);
	prove_others(v, s);
	if (can_be_proved(v, s)) {
		wait_begin(v, i);
		return;
	}
	v->direction[s->from].d.unprovable++;
	verify_sent_release(v, i);
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
	if (v->sent_free == NONE && v->sent_top == v->n_packets) {
		v->evicted_sent++;
		if (v->solo->oldest != NONE)
			expire(v, v->solo->oldest, false);
		else
			go_through(v, verify_heap_pop(v, &v->solo->events, event_before));
	}
	i = verify_sent_new(v);
	if (i == NONE) {
		v->direction[way].d.unknown++;
		v->direction[way].d.sent++;
		return;
	}
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
	};
	v->sent[i].key = hash_mix(verify_tuple_hash(&p->tuple), way, 1);
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
