/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * roles.c - what foreign captures do not say, learned from what they carry.
 *
 * Theory of operation
 *
 * tcpdump and dumpcap write which device a frame came from at best, never its place
 * in the datapath. Three facts tell, and none of them is a name:
 *
 *   encapsulation  the interface that carries VXLAN datagrams is the underlay
 *   TTL            the same packet is one lower behind the routing step: leaving,
 *                  veth and bridge show T, the VTEP and the inner frame T-1; coming in,
 *                  the VTEP shows T and bridge and veth T-1
 *   time           a packet that leaves (its TTL says so) passes the veth before the
 *                  bridge, one that comes in the bridge before the veth
 *
 * So: every IP packet of the sample is noted with interface, TTL and time under what
 * no hop changes. Sightings of one packet are compared in pairs, and each pair casts a vote.
 * The frames of the underlay count with the inner TTL, as a VTEP would.
 *
 * Pods follow from the veths (the address that is in every frame), and each device's
 * MAC address from the frames of those pods: who sends on the pod's way out. Where there are
 * none, it is the only one that is at one end of every frame: no device was open promiscuously.
 */
#include "pipeline_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "podhop/buf.h"

#define TABLE_SIZE 8192u	/* packets between whose hops others come; later ones replace */
#define ADDRS_MAX 64u		/* addresses counted on one interface */
#define MACS_MAX 8u
#define NAMES_MAX 2048u
#define PAIR_AGE_NS 1000000000LL	/* sightings further apart are another packet */

#define SAMPLED_HOPS 4u

struct sampled {
	int64_t time_ns;
	uint16_t hop;
	uint8_t ttl;
};

/* A packet, and its first sightings in time order, once a hop. */
struct sample {
	uint64_t hash;
	struct addr src, dst;
	unsigned n;
	struct sampled seen[SAMPLED_HOPS];
};

struct addr_count {
	struct addr addr;
	uint32_t n;
	/* votes for being on this node: before the routing step, or behind it */
	uint32_t local;
};

struct mac_vote {
	struct mac mac;
	uint32_t n;
};

struct interface {
	uint64_t frames, ip, vxlan;
	struct addr_count addr[ADDRS_MAX];
	unsigned n_addrs;
	struct mac_vote own[MACS_MAX];	/* MAC addresses that may be the device's */
	struct mac_vote peer[MACS_MAX];	/* veth: the pod's */
	struct mac_vote end[MACS_MAX];	/* at either end of a frame that is of no pod */
	uint32_t n_ends;		/* such frames */
	/* votes about pairs with each other interface */
	uint32_t same_ttl[MODEL_HOPS_MAX];
	uint32_t ttl_lower[MODEL_HOPS_MAX];	/* here lower than there */
	uint32_t ttl_higher[MODEL_HOPS_MAX];
	uint32_t first_when_leaving[MODEL_HOPS_MAX];
	uint32_t first_when_coming[MODEL_HOPS_MAX];
};

struct pipeline_learner {
	struct model_net *net;
	struct dissect_config dissect;
	struct sample *table;	/* by the hash; one packet each */
	struct interface interface[MODEL_HOPS_MAX];
	bool pods_given;
};

struct pipeline_learner *pipeline_learner_new(struct model_net *net, struct err *err)
{
	struct pipeline_learner *l = calloc(1, sizeof(*l));

	if (l)
		l->table = calloc(TABLE_SIZE, sizeof(*l->table));
	if (!l || !l->table) {
		pipeline_learner_free(l);
		err_sys(err, ENOMEM, "learning roles");
		return NULL;
	}
	l->net = net;
	l->pods_given = net->n_pods > 0;
	pipeline_dissect_ports(&l->dissect, net);
	return l;
}

void pipeline_learner_free(struct pipeline_learner *l)
{
	if (!l)
		return;
	free(l->table);
	free(l);
}

static struct addr_count *addr_entry(struct interface *f, const struct addr *a)
{
	unsigned i = 0;

	while (i < f->n_addrs && !addr_eq(&f->addr[i].addr, a))
		i++;
	if (i == f->n_addrs) {
		if (f->n_addrs == ADDRS_MAX)
			return NULL;
		f->addr[i].addr = *a;
		f->n_addrs++;
	}
	return &f->addr[i];
}

static void count_addr(struct interface *f, const struct addr *a)
{
	struct addr_count *e = addr_entry(f, a);

	if (e)
		e->n++;
}

static void count_mac(struct mac_vote votes[static MACS_MAX], const uint8_t *mac)
{
	for (unsigned i = 0; i < MACS_MAX; i++) {
		if (!votes[i].n)
			memcpy(votes[i].mac.b, mac, sizeof(votes[i].mac.b));
		else if (memcmp(votes[i].mac.b, mac, sizeof(votes[i].mac.b)) != 0)
			continue;
		votes[i].n++;
		return;
	}
}

static bool is_pod(const struct model_net *net, const struct addr *a)
{
	for (unsigned p = 0; p < net->n_pods; p++)
		for (unsigned k = 0; k < net->pods[p].n_addrs; k++)
			if (addr_eq(&net->pods[p].addrs[k], a))
				return true;
	return false;
}

static uint64_t identity(const struct model_view *v)
{
	struct {
		struct addr src, dst;
		uint32_t id, len, seq, ack;
		uint16_t sport, dport;
		uint32_t protocol;
	} k = { v->ip.src, v->ip.dst, v->ip.has_id ? v->ip.id : 0, v->ip.len, v->tcp_seq,
		v->tcp_ack, v->sport, v->dport, v->ip.protocol };

	if (v->ip.protocol == MODEL_PROTO_ICMP || v->ip.protocol == MODEL_PROTO_ICMPV6)
		k.seq = v->icmp_seq;
	return XXH3_64bits(&k, sizeof(k)) | 1;
}

/* Two sightings of packet s, the earlier one first. */
static void vote(struct pipeline_learner *l, const struct sample *s, const struct sampled *a,
		 const struct sampled *b)
{
	struct interface *x = &l->interface[a->hop], *y = &l->interface[b->hop];

	if (a->ttl == b->ttl) {
		x->same_ttl[b->hop]++;
		y->same_ttl[a->hop]++;
		/* Whose pods are known needs no third hop: leaving, the veth comes first. */
		if (a->time_ns < b->time_ns && is_pod(l->net, &s->src))
			x->first_when_leaving[b->hop]++;
		if (a->time_ns < b->time_ns && is_pod(l->net, &s->dst))
			x->first_when_coming[b->hop]++;
	} else {
		struct interface *high = a->ttl > b->ttl ? x : y, *low = high == x ? y : x;
		struct addr_count *sender = addr_entry(high, &s->src);
		struct addr_count *receiver = addr_entry(low, &s->dst);

		high->ttl_higher[high == x ? b->hop : a->hop]++;
		low->ttl_lower[low == x ? b->hop : a->hop]++;
		/* In front of the routing step stands the sender, behind it the receiver. */
		if (sender)
			sender->local++;
		if (receiver)
			receiver->local++;
	}
}

/*
 * Three sightings: a and b with equal TTL, c with another. c lower: the packet leaves,
 * and of a and b the veth was first; c higher: it comes in, and the veth was last.
 */
static void vote_three(struct pipeline_learner *l, const struct sample *s)
{
	for (unsigned i = 0; i < s->n; i++)
		for (unsigned j = 0; j < s->n; j++)
			for (unsigned k = 0; k < s->n; k++) {
				const struct sampled *a = &s->seen[i], *b = &s->seen[j],
						     *c = &s->seen[k];
				if (i == j || i == k || j == k || a->ttl != b->ttl ||
				    a->time_ns >= b->time_ns || c->ttl == a->ttl)
					continue;
				if (c->ttl < a->ttl)
					l->interface[a->hop].first_when_leaving[b->hop]++;
				else
					l->interface[a->hop].first_when_coming[b->hop]++;
			}
}

static bool is_of(const struct sample *s, uint64_t hash, int64_t time_ns)
{
	return s->n && s->hash == hash && time_ns - s->seen[0].time_ns <= PAIR_AGE_NS &&
	       s->seen[0].time_ns - time_ns <= PAIR_AGE_NS;
}

/* One sighting more of packet s: it votes with each of the others. */
static void sight(struct pipeline_learner *l, struct sample *s, const struct sampled *now)
{
	unsigned at = s->n++;

	while (at && s->seen[at - 1].time_ns > now->time_ns) {
		s->seen[at] = s->seen[at - 1];
		at--;
	}
	s->seen[at] = *now;
	for (unsigned i = 0; i < s->n; i++) {
		if (i < at)
			vote(l, s, &s->seen[i], now);
		else if (i > at)
			vote(l, s, now, &s->seen[i]);
	}
	if (s->n >= 3)
		vote_three(l, s);
}

void pipeline_learner_frame(struct pipeline_learner *l, const struct model_frame *frame)
{
	struct interface *f = &l->interface[frame->hop];
	const struct model_hop *hop = &l->net->hops[frame->hop];
	struct model_view v;

	f->frames++;
	dissect_frame(&l->dissect, hop->linktype, frame, &v);
	if (v.encap)
		f->vxlan++;
	if (!v.ip.version || v.status == MODEL_VIEW_MALFORMED || v.outer_frag)
		return;
	f->ip++;
	if (!addr_is_multicast(&v.ip.dst) && !addr_is_link_local(&v.ip.src)) {
		count_addr(f, &v.ip.src);
		count_addr(f, &v.ip.dst);
	}

	const struct sampled now = { .time_ns = frame->time_ns, .hop = frame->hop,
				     .ttl = v.ip.ttl };
	const uint64_t hash = identity(&v);
	struct sample *s = &l->table[hash & (TABLE_SIZE - 1)];

	if (!is_of(s, hash, now.time_ns)) {
		s->hash = hash;
		s->src = v.ip.src;
		s->dst = v.ip.dst;
		s->n = 0;
	}
	for (unsigned i = 0; i < s->n; i++)
		if (s->seen[i].hop == now.hop)
			return; /* a retransmission or a duplicate says nothing new */
	if (s->n < SAMPLED_HOPS)
		sight(l, s, &now);
}

/* --------------------------------------------------------------- decisions */

static bool is_open(const struct pipeline_learner *l, unsigned i)
{
	return l->net->hops[i].role == MODEL_ROLE_NONE;
}

/* The device "any" carries all hops at once: it has no role of its own. */
static bool may_be_any(const struct model_hop *h)
{
	return h->linktype == MODEL_LINKTYPE_LINUX_SLL2 || h->linktype == MODEL_LINKTYPE_LINUX_SLL;
}

static void decide_underlay(struct pipeline_learner *l)
{
	for (unsigned i = 0; i < l->net->n_hops; i++)
		if (is_open(l, i) && l->interface[i].vxlan && !may_be_any(&l->net->hops[i]))
			l->net->hops[i].role = MODEL_ROLE_UNDERLAY;
}

/*
 * The VTEP shows the TTL that the underlay's inner frames have; veth and bridge
 * show another. Without an underlay, the VTEP is the one that differs from two others.
 */
static void decide_vtep(struct pipeline_learner *l)
{
	unsigned n = l->net->n_hops;

	for (unsigned i = 0; i < n; i++) {
		uint32_t same = 0, other = 0, differs_from = 0;

		if (!is_open(l, i))
			continue;
		for (unsigned k = 0; k < n; k++) {
			const struct interface *f = &l->interface[i];
			uint32_t differ = f->ttl_lower[k] + f->ttl_higher[k];

			if (k == i)
				continue;
			if (l->net->hops[k].role == MODEL_ROLE_UNDERLAY) {
				if (l->interface[k].vxlan) {
					same += f->same_ttl[k];
					other += differ;
				}
			} else if (is_open(l, k)) {
				differs_from += differ > f->same_ttl[k];
			}
		}
		if (same + other ? same > other : differs_from >= 2)
			l->net->hops[i].role = MODEL_ROLE_VTEP;
	}
}

/* Of two interfaces with equal TTL, the veth sees a leaving packet first. */
static void decide_veth_and_bridge(struct pipeline_learner *l)
{
	unsigned n = l->net->n_hops;
	int32_t score[MODEL_HOPS_MAX] = { 0 };

	for (unsigned i = 0; i < n; i++) {
		const struct interface *f = &l->interface[i];
		for (unsigned k = 0; k < n; k++) {
			if (!is_open(l, i) || !is_open(l, k) || i == k)
				continue;
			/* >0: i lies nearer the pod than k. */
			int32_t v = (int32_t)f->first_when_leaving[k] -
				    (int32_t)f->first_when_coming[k] -
				    (int32_t)l->interface[k].first_when_leaving[i] +
				    (int32_t)l->interface[k].first_when_coming[i];
			score[i] += v > 0 ? 1 : v < 0 ? -1 : 0;
		}
	}
	for (unsigned i = 0; i < n; i++) {
		if (!is_open(l, i) || !score[i])
			continue;
		l->net->hops[i].role = score[i] > 0 ? MODEL_ROLE_VETH : MODEL_ROLE_BRIDGE;
	}
	/*
	 * Alone beside a known VTEP or underlay with another TTL: one address in all
	 * frames is a veth.
	 */
	for (unsigned i = 0; i < n; i++) {
		const struct interface *f = &l->interface[i];
		bool behind_routing = false, everywhere = false;

		if (!is_open(l, i) || !f->ip)
			continue;
		for (unsigned k = 0; k < n; k++)
			behind_routing |= !is_open(l, k) &&
					  f->ttl_lower[k] + f->ttl_higher[k] > f->same_ttl[k];
		for (unsigned a = 0; a < f->n_addrs; a++)
			everywhere |= f->addr[a].n >= f->ip;
		bool has_bridge = false;
		for (unsigned k = 0; k < n; k++)
			has_bridge |= l->net->hops[k].role == MODEL_ROLE_BRIDGE;
		if (behind_routing && everywhere && has_bridge)
			l->net->hops[i].role = MODEL_ROLE_VETH;
	}
}

static void decide_pods(struct pipeline_learner *l)
{
	struct model_net *net = l->net;

	for (unsigned i = 0; i < net->n_hops; i++) {
		struct interface *f = &l->interface[i];
		struct model_hop *h = &net->hops[i];

		if (h->role != MODEL_ROLE_VETH)
			continue;
		for (unsigned p = 0; p < net->n_pods && h->pod < 0; p++)
			for (unsigned k = 0; k < net->pods[p].n_addrs; k++)
				for (unsigned a = 0; a < f->n_addrs; a++)
					if (addr_eq(&f->addr[a].addr, &net->pods[p].addrs[k]) &&
					    f->addr[a].n * 2 >= f->ip)
						h->pod = (int)p;
		if (h->pod >= 0 || l->pods_given || net->n_pods == MODEL_PODS_MAX)
			continue;
		/*
		 * The pod's address of each family: the one in most frames; of two that are in
		 * all (one conversation was captured) the one that the TTL puts on this node.
		 */
		struct model_pod *pod = &net->pods[net->n_pods];
		memset(pod, 0, sizeof(*pod));
		for (unsigned family = 0; family < 2; family++) {
			const struct addr_count *best = NULL;

			for (unsigned a = 0; a < f->n_addrs; a++) {
				const struct addr_count *e = &f->addr[a];
				if (addr_is_v4(&e->addr) != (family == 0) || !e->n)
					continue;
				if (!best || e->n > best->n ||
				    (e->n == best->n && e->local > best->local))
					best = e;
			}
			if (best && pod->n_addrs < MODEL_POD_ADDRS_MAX)
				pod->addrs[pod->n_addrs++] = best->addr;
		}
		if (pod->n_addrs) {
			h->pod = (int)net->n_pods;
			net->n_pods++;
		}
	}
}

/* A bridge's port may show what others send to each other; the other devices do not. */
static void count_ends(struct interface *f, enum model_role role, const uint8_t *src,
		       const uint8_t *dst)
{
	const uint8_t group = 1; /* of the first byte: not one station's address */

	if (role == MODEL_ROLE_VETH || (dst[0] & group) ||
	    memcmp(src, dst, sizeof(struct mac)) == 0)
		return;
	f->n_ends++;
	count_mac(f->end, src);
	count_mac(f->end, dst);
}

/*
 * On the pods' way out, VTEP and underlay send with their own MAC, and veth and
 * bridge show the pod's as sender and the bridge's as receiver; on the way in the reverse.
 */
void pipeline_learner_mac_frame(struct pipeline_learner *l, const struct model_frame *frame)
{
	const struct model_hop *hop = &l->net->hops[frame->hop];
	struct interface *f = &l->interface[frame->hop];
	const uint8_t *dst = frame->data, *src = frame->data + 6;
	struct model_view v;
	bool out;

	if (hop->linktype != MODEL_LINKTYPE_ETHERNET || frame->caplen < 12)
		return;
	dissect_frame(&l->dissect, hop->linktype, frame, &v);
	if (!v.ip.version || v.outer_frag || addr_is_multicast(&v.ip.dst))
		return;
	out = is_pod(l->net, &v.ip.src);
	if (out == is_pod(l->net, &v.ip.dst)) {
		count_ends(f, hop->role, src, dst);
		return;
	}
	if (hop->role == MODEL_ROLE_VTEP || hop->role == MODEL_ROLE_UNDERLAY) {
		count_mac(f->own, out ? src : dst);
	} else if (hop->role == MODEL_ROLE_BRIDGE) {
		count_mac(f->own, out ? dst : src);
	} else if (hop->role == MODEL_ROLE_VETH) {
		count_mac(f->peer, out ? src : dst);
	}
}

static void take_mac(const struct mac_vote votes[static MACS_MAX], struct mac *ret)
{
	uint32_t best = 0;

	if (!mac_is_none(ret))
		return;
	for (unsigned i = 0; i < MACS_MAX; i++)
		if (votes[i].n > best) {
			best = votes[i].n;
			*ret = votes[i].mac;
		}
}

/* Of a device that speaks to one other alone, nobody can tell which of the two it is. */
static void take_end(const struct interface *f, struct mac *ret)
{
	const struct mac_vote *always = NULL;

	if (!mac_is_none(ret) || !f->n_ends)
		return;
	for (unsigned i = 0; i < MACS_MAX; i++) {
		if (f->end[i].n != f->n_ends)
			continue;
		if (always)
			return;
		always = &f->end[i];
	}
	if (always)
		*ret = always->mac;
}

void pipeline_learner_decide_macs(struct pipeline_learner *l)
{
	struct model_net *net = l->net;

	for (unsigned i = 0; i < net->n_hops; i++) {
		take_mac(l->interface[i].own, &net->hops[i].mac);
		take_end(&l->interface[i], &net->hops[i].mac);
		if (net->hops[i].role == MODEL_ROLE_VETH && net->hops[i].pod >= 0)
			take_mac(l->interface[i].peer, &net->pods[net->hops[i].pod].mac);
	}
}

int pipeline_learner_decide(struct pipeline_learner *l, struct err *err)
{
	struct model_net *net = l->net;
	struct buf names;
	int rc = 0;

	decide_underlay(l);
	decide_vtep(l);
	decide_veth_and_bridge(l);
	decide_pods(l);
	buf_init(&names, NAMES_MAX);
	for (unsigned i = 0; i < net->n_hops; i++) {
		if (net->hops[i].role != MODEL_ROLE_NONE || !l->interface[i].frames)
			continue;
		if (may_be_any(&net->hops[i])) {
			buf_done(&names);
			return err_usage(err, EINVAL,
					 "%s has frames of all devices in one, as tcpdump -i any "
					 "writes them: that is no hop. Capture each device by "
					 "itself, e.g. dumpcap -i VETH -i cni0 -i flannel.1 -i "
					 "eth0, or, if it was one device, say --hops ROLE=%s",
					 net->hops[i].name, net->hops[i].name);
		}
		buf_addf(&names, "%s%s", names.len ? ", " : "", net->hops[i].name);
	}
	if (names.len)
		rc = err_usage(err, EINVAL,
			       "what %s is in the datapath cannot be told from its frames: "
			       "say --hops ROLE=%s (veth, bridge, vtep or underlay)",
			       buf_str(&names),
			       strchr(buf_str(&names), ',') ? "NAME" : buf_str(&names));
	buf_done(&names);
	return rc;
}
