/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pipeline.c - sorts frames into time order, matches them, holds them, hands them on.
 *
 * Theory of operation
 *
 * Frames arrive hop by hop, as rings or files are drained, and not in order even
 * within one hop (several CPUs stamp before one of them queues). They wait in a
 * queue a hop, kept sorted from its tail, and leave through a k-way merge once no
 * older frame can come: when the newest frame is sort_ns ahead, or when the source has
 * said so (pipeline_time). Equal stamps leave in hop order.
 *
 * In time order they are matched, and wait once more: a frame is written only
 * one look-ahead later, when the packet it belongs to is known for good (segments that
 * are merged behind it, a translation seen at the next hop, a filter that only the
 * veth can answer). This second queue is a ring: what enters in order leaves in order.
 *
 *            per hop, sorted                 in time order
 *   veth   ──▶ [.....]──┐
 *   cni0   ──▶ [...]────┤ merge ─▶ match ─▶ [ held ............ ] ─▶ mark ─▶ on_frame
 *   vtep   ──▶ [......]─┤
 *   eth0   ──▶ [....]───┘
 *
 * Bytes live in chunks that are freed as a whole when the last of their frames has
 * left. When all chunks are in use the oldest frames leave before their time; nothing
 * is thrown away for want of memory.
 */
#include "podhop/pipeline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "podhop/bytes.h"
#include "podhop/dissect.h"

#define NONE 0xffffffffu
#define ITEMS_MAX 32768u	/* frames being sorted; 8 MiB */
#define HELD_MAX 262144u	/* frames being held; 15 MiB, touched only when there are so many */
#define PREFETCH_AHEAD 8u	/* frames: some 500 ns of work */
/* of an item that most need */
#define FETCH_BYTES (sizeof(struct item) - (sizeof(struct correlate_obs) - \
			offsetof(struct correlate_obs, outer_src)))
#define FETCH_ITEM 3u		/* of one hop; the others come in between */
#define CACHE_LINE 64u
#define CHUNK_BYTES (256u << 10)
#define SOURCE_DELAY_NS 40000000LL	/* capture_watermark_ns() trails an idle ring by this */
#define CLOCK_STEP_NS 1000000000LL	/* stamps this far back are a stepped clock, not disorder */

struct chunk {
	uint8_t *data;
	size_t size, used;
	uint32_t live;		/* frames that still point into it */
	uint32_t next_free;
};

/* A frame's bytes and what is written with them. */
struct body {
	uint8_t *data;
	uint32_t chunk;		/* NONE: no bytes kept */
	uint32_t caplen, len;
	uint32_t encap_len;
	uint64_t drops;
	uint64_t number;
};

struct item {
	struct body body;
	uint32_t ip_offset;	/* for the filter: where addresses and ports stand */
	uint32_t l4_offset;
	uint32_t next_free;
	struct correlate_obs obs;	/* last: its end is rarely touched */
};

/* A frame that waits for its mark; its body stands at the same place of another ring, if at all. */
struct held {
	struct correlate_tag tag;
	correlate_ref ref;
};

/* The sort key stands beside the index: choosing the next frame touches no item. */
struct queued {
	int64_t time_ns;
	uint32_t item;
	uint32_t hint;		/* correlate_hint() */
	uint8_t order;
};

struct hop_queue {
	struct queued *ring;	/* ITEMS_MAX of them */
	uint32_t head, n;
};

struct pipeline {
	struct pipeline_config cfg;
	struct correlate *correlate;
	struct dissect_config dissect_outer, dissect_plain;

	struct item *item;
	uint32_t items_top, items_free, n_items;
	struct hop_queue queue[MODEL_HOPS_MAX];

	struct held *held;
	struct body *held_body;		/* NULL unless bytes are kept */
	uint32_t held_head, n_held;

	struct chunk *chunk;
	uint32_t n_chunks, chunks_top, chunks_free, current;

	int64_t newest_ns;	/* of all frames taken */
	int64_t pushed_ns;	/* of the last one matched */
	int64_t told_ns;	/* how far the source says that time has come */
	int64_t marked_ns;	/* of the last one that left */
	int64_t first_ns, last_ns;
	uint64_t frames, kept, late, clock_steps;
	bool stopped;			/* no further frame is kept */
};

struct pipeline *pipeline_new(const struct pipeline_config *config, struct err *err)
{
	struct pipeline *p = calloc(1, sizeof(*p));

	if (!p)
		goto fail;
	p->cfg = *config;
	if (!p->cfg.lookahead_ns)
		p->cfg.lookahead_ns = CORRELATE_LOOKAHEAD_NS;
	if (!p->cfg.bytes_max)
		p->cfg.bytes_max = PIPELINE_BYTES_DEFAULT;
	p->items_free = p->chunks_free = p->current = NONE;
	p->newest_ns = p->pushed_ns = p->marked_ns = p->told_ns = INT64_MIN;

	/* Sorting a file takes longer than sorting rings; closing is the same for both. */
	struct correlate_config cc = {
		.net = config->net,
		.window_ns = config->window_ns,
		.lookahead_ns = p->cfg.lookahead_ns < CORRELATE_LOOKAHEAD_NS
					? p->cfg.lookahead_ns : CORRELATE_LOOKAHEAD_NS,
		.nat = config->nat,
		.observations = config->observations,
		.keep_other = config->keep_other,
		.hash_seed = config->hash_seed,
		.max_packets = config->max_packets,
		.filter = config->filter != NULL,
		.on_packet = config->on_packet,
		.on_packet_arg = config->arg,
	};
	p->correlate = correlate_new(&cc, err);
	if (!p->correlate) {
		pipeline_free(p);
		return NULL;
	}
	for (unsigned i = 0; i < config->net->n_vxlan_ports &&
			     i < sizeof(p->dissect_outer.vxlan_ports) / sizeof(uint16_t); i++)
		p->dissect_outer.vxlan_ports[p->dissect_outer.n_vxlan_ports++] =
			config->net->vxlan_ports[i];
	p->n_chunks = (uint32_t)(p->cfg.bytes_max / CHUNK_BYTES) + 2;
	p->item = calloc(ITEMS_MAX, sizeof(*p->item));
	p->held = calloc(HELD_MAX, sizeof(*p->held));
	p->chunk = calloc(p->n_chunks, sizeof(*p->chunk));
	if (config->keep_bytes)
		p->held_body = calloc(HELD_MAX, sizeof(*p->held_body));
	if (!p->item || !p->held || !p->chunk || (config->keep_bytes && !p->held_body))
		goto fail;
	return p;
fail:
	pipeline_free(p);
	err_sys(err, ENOMEM, "pipeline");
	return NULL;
}

void pipeline_free(struct pipeline *p)
{
	if (!p)
		return;
	correlate_free(p->correlate);
	for (unsigned i = 0; i < MODEL_HOPS_MAX; i++)
		free(p->queue[i].ring);
	for (uint32_t i = 0; i < p->chunks_top; i++)
		free(p->chunk[i].data);
	free(p->chunk);
	free(p->item);
	free(p->held);
	free(p->held_body);
	free(p);
}

struct correlate *pipeline_correlator(struct pipeline *p)
{
	return p->correlate;
}

/* -------------------------------------------------------------------- bytes */

static int hold_oldest(struct pipeline *p);
static int release_oldest(struct pipeline *p);

/* Memory for n bytes; the oldest frames leave when there is none. */
static int body_alloc(struct pipeline *p, struct body *b, const uint8_t *data, uint32_t n)
{
	int rc;

	while (p->current == NONE || p->chunk[p->current].size - p->chunk[p->current].used < n) {
		uint32_t i = NONE;

		if (p->chunks_free != NONE) {
			i = p->chunks_free;
			p->chunks_free = p->chunk[i].next_free;
		} else if (p->chunks_top < p->n_chunks) {
			i = p->chunks_top++;
		} else {
			/* Full: the look-ahead shrinks. */
			rc = p->n_held ? release_oldest(p) : hold_oldest(p);
			if (rc < 0)
				return rc;
			if (!p->n_held && !p->n_items)
				return -ENOMEM;
			continue;
		}
		struct chunk *c = &p->chunk[i];
		size_t need = n > CHUNK_BYTES ? n : CHUNK_BYTES;
		if (c->size < need) {
			uint8_t *grown = realloc(c->data, need);
			if (!grown) {
				c->next_free = p->chunks_free;
				p->chunks_free = i;
				return -ENOMEM;
			}
			c->data = grown;
			c->size = need;
		}
		c->used = 0;
		c->live = 0;
		if (p->current != NONE && !p->chunk[p->current].live) {
			p->chunk[p->current].next_free = p->chunks_free;
			p->chunks_free = p->current;
		}
		p->current = i;
	}
	struct chunk *c = &p->chunk[p->current];
	b->data = c->data + c->used;
	b->chunk = p->current;
	c->used += n;
	c->live++;
	memcpy(b->data, data, n);
	return 0;
}

static void body_free(struct pipeline *p, struct body *b)
{
	if (b->chunk == NONE)
		return;
	struct chunk *c = &p->chunk[b->chunk];
	if (--c->live == 0) {
		if (b->chunk == p->current) {
			c->used = 0;
		} else {
			c->next_free = p->chunks_free;
			p->chunks_free = b->chunk;
		}
	}
	b->chunk = NONE;
}

/* ------------------------------------------------------------------- filter */

#define ETHERNET_ADDRESSES 12u

static void put_addr(uint8_t *at, const struct addr *a)
{
	if (addr_is_v4(a))
		memcpy(at, a->b + 12, 4);
	else
		memcpy(at, a->b, 16);
}

static void put_port(uint8_t *at, uint16_t port)
{
	at[0] = (uint8_t)(port >> 8);
	at[1] = (uint8_t)port;
}

static const struct model_pod *pod_with(const struct model_net *net, const struct addr *a)
{
	for (unsigned i = 0; i < net->n_pods; i++)
		for (unsigned k = 0; k < net->pods[i].n_addrs; k++)
			if (addr_eq(&net->pods[i].addrs[k], a))
				return &net->pods[i];
	return NULL;
}

/*
 * The FILTER speaks of the packet as the pod's veth shows it. Away from the veth the
 * frame is made to look so for the length of the question: the inner frame, with the
 * MAC addresses, TTL and (when known) the addresses and ports of the veth. Checksums are left
 * alone; no sensible filter asks for them.
 */
static enum correlate_verdict ask_filter(struct pipeline *p, struct item *it, correlate_ref ref)
{
	const struct correlate_obs *o = &it->obs;
	const struct model_net *net = p->cfg.net;
	const struct model_hop *hop = &net->hops[o->hop];
	uint8_t saved[256], *frame;
	uint32_t caplen, len, n;

	if (it->body.chunk == NONE || it->body.encap_len >= it->body.caplen)
		return CORRELATE_UNSURE;
	frame = it->body.data + it->body.encap_len;
	caplen = it->body.caplen - it->body.encap_len;
	len = it->body.len - it->body.encap_len;
	n = caplen < sizeof(saved) ? caplen : (uint32_t)sizeof(saved);
	memcpy(saved, frame, n);

	if (hop->role != MODEL_ROLE_VETH && hop->linktype == MODEL_LINKTYPE_ETHERNET &&
	    n >= ETHERNET_ADDRESSES) {
		struct result_tuple t;
		bool translated = correlate_pod_tuple(p->correlate, ref, &t);
		bool out = o->direction == MODEL_DIRECTION_EGRESS ||
			   (o->direction == MODEL_DIRECTION_OTHER && o->way == MODEL_WAY_OUT);
		const struct model_pod *pod = o->pod < net->n_pods ? &net->pods[o->pod] : NULL;

		if (translated && !pod) {
			/* Behind a masquerade nothing in the frame names the pod. */
			pod = pod_with(net, &t.src);
			out = pod != NULL;
			if (!pod)
				pod = pod_with(net, &t.dst);
		}
		const struct model_hop *bridge = NULL;

		for (unsigned i = 0; i < net->n_hops && !bridge; i++)
			if (net->hops[i].role == MODEL_ROLE_BRIDGE)
				bridge = &net->hops[i];
		if (pod && !mac_is_none(&pod->mac))
			memcpy(frame + (out ? 6 : 0), pod->mac.b, 6);
		if (bridge && !mac_is_none(&bridge->mac))
			memcpy(frame + (out ? 0 : 6), bridge->mac.b, 6);
		if (it->ip_offset) {
			uint32_t ip = it->ip_offset - it->body.encap_len;
			bool v4 = addr_is_v4(&o->tuple.src);
			uint32_t ttl = ip + (v4 ? 8u : 7u), src = ip + (v4 ? 12u : 8u);
			uint32_t alen = v4 ? 4u : 16u;

			/* The bridge shows the pod's TTL, but with br_netfilter other addresses. */
			if (ttl < n && hop->role != MODEL_ROLE_BRIDGE)
				frame[ttl] = (uint8_t)(frame[ttl] + (out ? 1 : -1));
			if (translated && addr_is_v4(&t.src) == v4 && src + 2 * alen <= n) {
				uint32_t l4 = it->l4_offset - it->body.encap_len;

				put_addr(frame + src, &t.src);
				put_addr(frame + src + alen, &t.dst);
				if (it->l4_offset && t.has_ports && l4 + 4 <= n &&
				    (t.protocol == MODEL_PROTO_TCP ||
				     t.protocol == MODEL_PROTO_UDP)) {
					put_port(frame + l4, t.sport);
					put_port(frame + l4 + 2, t.dport);
				}
			}
		}
	}
	int match = capture_filter_match(p->cfg.filter, frame, caplen, len);
	memcpy(frame, saved, n);
	return match > 0 ? CORRELATE_KEEP : match == 0 ? CORRELATE_DROP : CORRELATE_UNSURE;
}

/* --------------------------------------------------------------- second half */

static void take_mark(struct pipeline *p, correlate_ref ref, const struct correlate_tag *tag,
		      struct correlate_mark *mark)
{
	int64_t t = tag->time_ns;

	if (p->stopped) {
		memset(mark, 0, sizeof(*mark));
		correlate_discard(p->correlate, ref);
		return;
	}
	correlate_mark(p->correlate, ref, tag, mark);
	if (!mark->keep)
		return;
	if (!p->kept++)
		p->first_ns = p->last_ns = t;
	else if (t > p->last_ns)
		p->last_ns = t;
	else if (t < p->first_ns)
		p->first_ns = t;
	if (p->cfg.max_frames && p->kept >= p->cfg.max_frames)
		p->stopped = true;
}

/* The oldest held frame leaves. */
static int release_oldest(struct pipeline *p)
{
	struct held *h = &p->held[p->held_head];
	struct body *body = p->held_body ? &p->held_body[p->held_head] : NULL;
	struct correlate_mark mark;
	int rc = 0;

	/* Long out of the cache by now: fetch what the next few need while this one is written. */
	if (p->n_held > PREFETCH_AHEAD) {
		uint32_t ahead = (p->held_head + PREFETCH_AHEAD) & (HELD_MAX - 1);
		correlate_prefetch(p->correlate, p->held[ahead].ref);
		if (body) {
			const uint8_t *data = p->held_body[ahead].data;
			__builtin_prefetch(data);
			__builtin_prefetch(data + CACHE_LINE);
			__builtin_prefetch(data + 2 * CACHE_LINE);
		}
	}
	take_mark(p, h->ref, &h->tag, &mark);
	p->held_head = (p->held_head + 1) & (HELD_MAX - 1);
	p->n_held--;
	if (h->tag.time_ns > p->marked_ns)
		p->marked_ns = h->tag.time_ns;
	if (!body)
		return 0;
	if (mark.keep && p->cfg.on_frame) {
		struct model_frame f = {
			.time_ns = h->tag.time_ns, .data = body->data, .caplen = body->caplen,
			.len = body->len, .hop = h->tag.hop, .way = h->tag.way,
			.drops = body->drops, .number = body->number,
		};
		rc = p->cfg.on_frame(p->cfg.arg, &f, &mark);
	}
	body_free(p, body);
	return rc;
}

static int64_t hold_ns(const struct pipeline *p)
{
	/* A source that tells needs some of the look-ahead to be sure. */
	int64_t hold = p->cfg.lookahead_ns -
		       (p->cfg.sort_ns == PIPELINE_TOLD ? SOURCE_DELAY_NS : p->cfg.sort_ns);

	return hold < 0 ? 0 : hold;
}

/* Frames whose look-ahead has passed leave. */
static int release_due(struct pipeline *p, int64_t now_ns)
{
	int64_t hold = hold_ns(p);

	while (p->n_held && now_ns - p->held[p->held_head].tag.time_ns >= hold) {
		int rc = release_oldest(p);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---------------------------------------------------------------- first half */

static struct hop_queue *oldest_queue(struct pipeline *p)
{
	struct hop_queue *best = NULL;
	const struct queued *b = NULL;

	for (uint32_t i = 0; i < p->cfg.net->n_hops; i++) {
		struct hop_queue *q = &p->queue[i];
		if (!q->n)
			continue;
		const struct queued *k = &q->ring[q->head];
		if (!b || k->time_ns < b->time_ns ||
		    (k->time_ns == b->time_ns && k->order < b->order)) {
			best = q;
			b = k;
		}
	}
	return best;
}

/* The oldest sorted frame is matched and goes into the second queue. */
/* A frame without IP is no packet that could be asked about later: FILTER decides at once. */
static bool rejects(const struct pipeline *p, const struct item *it)
{
	const struct body *b = &it->body;

	return p->cfg.filter && !it->obs.l3_len && b->chunk != NONE &&
	       capture_filter_match(p->cfg.filter, b->data + b->encap_len,
				    b->caplen - b->encap_len, b->len - b->encap_len) == 0;
}

static int hold_from(struct pipeline *p, struct hop_queue *q)
{
	uint32_t i = q->ring[q->head].item;
	struct item *it = &p->item[i];
	bool asks = false;
	int rc = 0;

	/* The next ones of this hop are wanted soon. */
	if (q->n > FETCH_ITEM) {
		const struct queued *k = &q->ring[(q->head + FETCH_ITEM) & (ITEMS_MAX - 1)];
		const char *next = (const char *)&p->item[k->item];

		for (uint32_t at = 0; at < FETCH_BYTES; at += CACHE_LINE)
			__builtin_prefetch(next + at);
		correlate_prefetch_push(p->correlate, k->hint);
	}

	if (p->n_held == HELD_MAX) {
		rc = release_oldest(p);
		if (rc < 0)
			return rc;
	}
	/* Marks come before closes: time must not pass a packet whose frames still wait. */
	rc = release_due(p, it->obs.time_ns);
	if (rc < 0)
		return rc;
	q->head = (q->head + 1) & (ITEMS_MAX - 1);
	q->n--;
	p->n_items--;
	/* A full table shrinks the look-ahead: what waits for its mark leaves. */
	while (!correlate_make_room(p->correlate) && p->n_held) {
		rc = release_oldest(p);
		if (rc < 0)
			return rc;
	}
	correlate_ref ref = rejects(p, it) ? CORRELATE_REF_FOREIGN
					   : correlate_push(p->correlate, &it->obs, &asks);
	if (asks && p->cfg.direction && it->obs.direction != p->cfg.direction)
		correlate_set_verdict(p->correlate, ref, CORRELATE_DROP);
	else if (asks && p->cfg.filter)
		correlate_set_verdict(p->correlate, ref, ask_filter(p, it, ref));
	else if (asks && p->cfg.direction)
		correlate_set_verdict(p->correlate, ref, CORRELATE_KEEP);

	if (it->obs.time_ns > p->pushed_ns)
		p->pushed_ns = it->obs.time_ns;
	if (p->cfg.unseen) {
		struct correlate_tag tag = correlate_tag_of(&it->obs);
		struct correlate_mark mark;

		take_mark(p, ref, &tag, &mark);
		/* What is late does not depend on who looks. */
		if (tag.time_ns - hold_ns(p) > p->marked_ns)
			p->marked_ns = tag.time_ns - hold_ns(p);
		it->next_free = p->items_free;
		p->items_free = i;
		return rc;
	}
	/*
	 * In order, but for a frame whose hop lagged behind further than the queues could
	 * wait: it goes where it belongs as long as nothing newer has left.
	 */
	uint32_t at = p->n_held++;
	while (at && p->held[(p->held_head + at - 1) & (HELD_MAX - 1)].tag.time_ns >
			     it->obs.time_ns) {
		uint32_t to = (p->held_head + at) & (HELD_MAX - 1);
		uint32_t from = (p->held_head + at - 1) & (HELD_MAX - 1);
		p->held[to] = p->held[from];
		if (p->held_body)
			p->held_body[to] = p->held_body[from];
		at--;
	}
	uint32_t tail = (p->held_head + at) & (HELD_MAX - 1);
	p->held[tail] = (struct held){ .tag = correlate_tag_of(&it->obs), .ref = ref };
	if (p->held_body)
		p->held_body[tail] = it->body;
	else
		body_free(p, &it->body); /* was kept for the filter alone */
	it->next_free = p->items_free;
	p->items_free = i;
	return rc;
}

static int hold_oldest(struct pipeline *p)
{
	struct hop_queue *q = oldest_queue(p);

	return q ? hold_from(p, q) : 0;
}

static int advance(struct pipeline *p, int64_t sorted_ns, int64_t now_ns)
{
	while (p->n_items) {
		struct hop_queue *q = oldest_queue(p);
		if (q->ring[q->head].time_ns > sorted_ns)
			break;
		int rc = hold_from(p, q);
		if (rc < 0)
			return rc;
	}
	return release_due(p, now_ns);
}

static int flush(struct pipeline *p)
{
	int rc;

	while (p->n_items)
		if ((rc = hold_oldest(p)) < 0)
			return rc;
	while (p->n_held)
		if ((rc = release_oldest(p)) < 0)
			return rc;
	return 0;
}

static int item_new(struct pipeline *p, uint32_t *ret_i)
{
	if (p->items_free == NONE && p->items_top == ITEMS_MAX) {
		int rc = hold_oldest(p);
		if (rc < 0)
			return rc;
	}
	if (p->items_free != NONE) {
		*ret_i = p->items_free;
		p->items_free = p->item[*ret_i].next_free;
	} else {
		*ret_i = p->items_top++;
	}
	return 0;
}

int pipeline_frame(struct pipeline *p, const struct model_frame *frame)
{
	const struct model_hop *hop = &p->cfg.net->hops[frame->hop];
	struct hop_queue *q = &p->queue[frame->hop];
	bool outer = hop->role == MODEL_ROLE_UNDERLAY || hop->role == MODEL_ROLE_NONE;
	struct model_view view;
	uint32_t i;
	int rc;

	p->frames++;
	if (!q->ring) {
		q->ring = calloc(ITEMS_MAX, sizeof(*q->ring));
		if (!q->ring)
			return -ENOMEM;
	}
	if (frame->time_ns > p->newest_ns) {
		p->newest_ns = frame->time_ns;
	} else if (p->newest_ns - frame->time_ns > p->cfg.lookahead_ns + CLOCK_STEP_NS) {
		/* The clock was set back: what came before is over, order starts anew. */
		rc = flush(p);
		if (rc < 0)
			return rc;
		p->clock_steps++;
		p->newest_ns = p->pushed_ns = p->marked_ns = p->told_ns = frame->time_ns;
	}

	rc = item_new(p, &i);
	if (rc < 0)
		return rc;
	struct item *it = &p->item[i];

	/* Only the underlay carries the node's VXLAN; elsewhere it would be the pod's own. */
	dissect_frame(outer ? &p->dissect_outer : &p->dissect_plain, hop->linktype, frame, &view);
	correlate_observe(p->correlate, frame, &view, &it->obs);
	it->ip_offset = view.ip.version ? view.ip.offset : 0;
	it->l4_offset = view.l4_offset;
	it->body = (struct body){ .chunk = NONE, .caplen = frame->caplen, .len = frame->len,
				  .encap_len = view.encap ? view.encap_len : 0,
				  .drops = frame->drops, .number = frame->number };
	if (p->cfg.keep_bytes || p->cfg.filter) {
		rc = body_alloc(p, &it->body, frame->data, frame->caplen);
		if (rc < 0) {
			it->next_free = p->items_free;
			p->items_free = i;
			return rc;
		}
	}
	if (frame->time_ns < p->marked_ns)
		p->late++;

	/* Nearly in order: walk from the tail. */
	uint32_t at = q->n++;
	while (at) {
		const struct queued *prev = &q->ring[(q->head + at - 1) & (ITEMS_MAX - 1)];
		if (prev->time_ns <= frame->time_ns)
			break;
		q->ring[(q->head + at) & (ITEMS_MAX - 1)] = *prev;
		at--;
	}
	q->ring[(q->head + at) & (ITEMS_MAX - 1)] = (struct queued){
		.time_ns = frame->time_ns, .item = i, .hint = correlate_hint(&it->obs),
		.order = it->obs.order };
	p->n_items++;
	return advance(p, p->newest_ns - p->cfg.sort_ns, p->pushed_ns);
}

int pipeline_time(struct pipeline *p, int64_t time_ns)
{
	int rc = advance(p, time_ns, time_ns);

	if (time_ns > p->told_ns)
		p->told_ns = time_ns;

	if (rc < 0)
		return rc;
	if (!p->n_items && time_ns > p->pushed_ns)
		correlate_advance(p->correlate, time_ns);
	return 0;
}

int pipeline_finish(struct pipeline *p)
{
	int rc = flush(p);

	correlate_finish(p->correlate);
	return rc;
}

int pipeline_counters(const struct pipeline *p, struct result *r, struct err *err)
{
	return correlate_counters(p->correlate, r, err);
}

int pipeline_result(const struct pipeline *p, struct result *r, struct err *err)
{
	int rc = correlate_result(p->correlate, r, err);

	if (rc < 0)
		return rc;
	r->capture.late = p->late;
	return 0;
}

void pipeline_stop(struct pipeline *p)
{
	p->stopped = true;
}

bool pipeline_is_stopped(const struct pipeline *p)
{
	return p->stopped;
}

uint64_t pipeline_frames(const struct pipeline *p)
{
	return p->frames;
}

uint64_t pipeline_kept(const struct pipeline *p)
{
	return p->kept;
}

int64_t pipeline_frontier_ns(const struct pipeline *p)
{
	int64_t open = correlate_oldest_ns(p->correlate), now = p->pushed_ns;

	if (!p->n_items && p->told_ns > now)
		now = p->told_ns;
	return open < now ? open : now;
}

int64_t pipeline_first_ns(const struct pipeline *p)
{
	return p->first_ns;
}

int64_t pipeline_last_ns(const struct pipeline *p)
{
	return p->last_ns;
}

bool pipeline_is_full(const struct pipeline *p)
{
	return p->cfg.max_packets && correlate_is_full(p->correlate);
}
