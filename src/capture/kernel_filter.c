// SPDX-License-Identifier: BSD-3-Clause
/*
 * kernel_filter.c - the filter expression that runs inside the kernel at a hop.
 *
 * Theory of operation
 *
 * A frame that the kernel filter refuses is gone, unseen and uncounted. So each
 * expression must pass a superset of the frames of the captured pods' packets
 * (P: the pods' addresses), whatever the node does to them, and should pass
 * little else, because every frame that passes is copied. What concerns a pod
 * at each hop:
 *
 * veth    Everything there is the pod's own (or was flooded to it): no filter,
 *         unless the user's FILTER can be used, see below.
 *
 * bridge  Routed traffic has the pod's MAC as source (from the pod) or as
 *         destination (to the pod) whatever was done to its addresses, so
 *         `ether host` finds translated packets too. `host P` adds packets that
 *         carry the pod's address but the bridge's MAC: Service traffic that
 *         br_netfilter sends back through the bridge to another local pod. With
 *         address translation the same packet may have been masqueraded to the
 *         bridge's address as well: `host` of each address of the bridge.
 *         Neighbour solicitations for P go to a multicast group made from P.
 *
 * vtep    Inner packets: `host P`; with translation also the node's own
 *         addresses, to which masquerading rewrites the source.
 *
 * underlay
 *         - VXLAN to one of the ports, with P (with translation: or an address
 *           of the node) as inner source or destination, at fixed offsets.
 *           udp[] skips IPv4 options by itself; for IPv6 it does not exist and
 *           ip6[40 + n] is used. An inner frame that is neither plain IPv4 nor
 *           plain IPv6 (ARP, tagged) passes. The outer addresses are not
 *           looked at: they need not be those of any device (NAT between nodes).
 *         - Later fragments of UDP, which have no ports; IPv6 with any
 *           extension header, behind which the offsets are elsewhere.
 *         - `host P`: not encapsulated (host-gw, DirectRouting).
 *         - ICMP errors: a router's answer to an outer packet.
 *         - With translation every IP packet that is not VXLAN: the pod's
 *           traffic to the outside carries the node's address, and traffic to a
 *           Service may come to an external address that no device owns. Out of
 *           it are left the addresses of the bridge's subnets, i.e. other pods.
 *
 * VLAN tags are metadata in the kernel: filters see the frame without its tag
 * and match. Where the tag is in the bytes (QinQ; sending through a device
 * without tag offload) the offsets are others: such frames pass by their
 * EtherType, where no MAC finds them.
 *
 * The user's FILTER speaks of whole packets as the veth shows them. In the
 * kernel it is asked frame by frame, so at the veth it is used only when
 *   - its answer is the same for all segments of a packet: it has nothing but
 *     addresses, ports and protocols (filter_words.c); and all fragments pass
 *     beside it, because later ones have no ports;
 *   - translation is not followed: a packet that the veth refused would show
 *     again at the next hop under other addresses, and be asked about there.
 *   - tagged frames pass beside it: user space sees them with the tag in the
 *     bytes, where `not tcp` has another answer.
 * ICMP errors pass beside it as evidence, and SYNs when FILTER asks for one
 * direction only (both MSS options belong to a connection). FILTER narrows
 * bridge and vtep in the same way. It is never used on the underlay.
 *
 * Too many addresses make a long program; beyond INSNS_MAX a wider, shorter
 * form is taken: the inner match is left out on the underlay, everything passes
 * elsewhere. Precedence: libpcap's `and` and `or` bind equally and to the left,
 * so every combination is in parentheses. `vlan` shifts the offsets of all that
 * is written behind it: it comes last, the exclusion first.
 */
#include "capture_priv.h"
#include "podhop/addr.h"
#include "podhop/capture.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX (1u << 20)

/*
 * Longest program given to the kernel. It refuses 4096 instructions, and a
 * socket may not use more than net.core.optmem_max (20 KiB on older kernels) of
 * 8 bytes each; libpcap then filters in user space and says so on stderr.
 */
#define INSNS_MAX 1500

/* More addresses than this make libpcap's optimizer slow; the wide form is taken untried. */
#define ADDRS_MAX 32

/* Offsets from the outer UDP header: 8 UDP, 8 VXLAN, 14 Ethernet, then IP. */
#define INNER_ETHERTYPE 28
#define INNER_IP 30
#define OUTER_IP6 40 /* where UDP begins behind a plain IPv6 header */

struct addrs {
	struct addr a[ADDRS_MAX];
	unsigned n;
	bool full; /* there were more */
};

static void addrs_add(struct addrs *set, const struct addr *a)
{
	if (addr_is_none(a))
		return;
	for (unsigned i = 0; i < set->n; i++) {
		if (addr_eq(&set->a[i], a))
			return;
	}
	if (set->n == ADDRS_MAX) {
		set->full = true;
		return;
	}
	set->a[set->n++] = *a;
}

/* Addresses of the pods; false when one is unknown, so that nothing can be left out. */
static bool pod_addrs(const struct model_net *net, struct addrs *ret)
{
	*ret = (struct addrs){ .n = 0 };
	for (unsigned i = 0; i < net->n_pods; i++) {
		if (!net->pods[i].n_addrs)
			return false;
		for (unsigned j = 0; j < net->pods[i].n_addrs; j++)
			addrs_add(ret, &net->pods[i].addrs[j]);
	}
	return ret->n && !ret->full;
}

/*
 * The node's addresses on all hops, to which masquerading rewrites. Link-local
 * ones are left out: what is routed does not get them.
 */
static void own_addrs(const struct model_net *net, struct addrs *ret)
{
	*ret = (struct addrs){ .n = 0 };
	for (unsigned i = 0; i < net->n_hops; i++) {
		const struct model_hop *hop = &net->hops[i];

		for (unsigned j = 0; j < hop->n_addrs; j++) {
			if (!addr_is_link_local(&hop->addrs[j].addr))
				addrs_add(ret, &hop->addrs[j].addr);
		}
	}
}

/* ------------------------------------------------------------- clauses */

/* " or " between clauses, nothing before the first. */
static void or_next(struct buf *b)
{
	if (b->len)
		buf_adds(b, " or ");
}

static void add_clause(struct buf *b, const char *text)
{
	or_next(b);
	buf_adds(b, text);
}

static void add_hosts(struct buf *b, const struct addrs *set)
{
	char text[ADDR_STR_MAX];

	for (unsigned i = 0; i < set->n; i++) {
		or_next(b);
		buf_addf(b, "host %s", addr_str(&set->a[i], text));
	}
}

/* Groups of neighbour solicitations for IPv6 addresses: RFC 4291, 2.7.1. */
static void add_solicited_nodes(struct buf *b, const struct addrs *set)
{
	for (unsigned i = 0; i < set->n; i++) {
		const uint8_t *a = set->a[i].b;

		if (addr_is_v4(&set->a[i]))
			continue;
		or_next(b);
		buf_addf(b, "dst host ff02::1:ff%02x:%02x%02x", a[13], a[14], a[15]);
	}
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The inner addresses of one family; nothing when the set has none of it. */
static void add_inner_family(struct buf *b, const char *base, unsigned udp, const struct addrs *set,
			     bool v4)
{
	unsigned src = udp + INNER_IP + (v4 ? 12 : 8), size = v4 ? 4 : 16;
	bool any = false;

	for (unsigned i = 0; i < set->n; i++) {
		if (addr_is_v4(&set->a[i]) != v4)
			continue;
		for (unsigned off = src; off <= src + size; off += size) {
			if (any)
				buf_adds(b, " or (");
			else
				buf_addf(b, "(%s[%u:2] = 0x%x and ((", base, udp + INNER_ETHERTYPE,
					 v4 ? 0x800 : 0x86dd);
			any = true;
			/* the last word first: it differs most */
			for (unsigned w = size; w > 0; w -= 4)
				buf_addf(b, "%s[%u:4] = 0x%08x%s", base, off + w - 4,
					 be32(set->a[i].b + 16 - size + w - 4),
					 w > 4 ? " and " : ")");
		}
	}
	if (any)
		buf_adds(b, ")) or ");
}

/* Inner source or destination at fixed offsets; base, udp: libpcap protocol, offset of UDP. */
static void add_inner(struct buf *b, const char *base, unsigned udp, const struct addrs *set)
{
	add_inner_family(b, base, udp, set, true);
	add_inner_family(b, base, udp, set, false);
	buf_addf(b, "(%s[%u:2] != 0x800 and %s[%u:2] != 0x86dd)", base, udp + INNER_ETHERTYPE, base,
		 udp + INNER_ETHERTYPE);
}

/* IPv6 headers behind which nothing is at a fixed offset: RFC 8200, 4; 135 is mobility. */
static const char ip6_extension[] = "(ip6[6] = 0 or ip6[6] = 43 or ip6[6] = 44 or ip6[6] = 60 or "
				    "ip6[6] = 135)";
static const char tagged_bytes[] = "ether proto 0x8100 or ether proto 0x88a8";
static const char icmp_errors[] = "(icmp and (icmp[0] = 3 or icmp[0] = 4 or icmp[0] = 5 or "
				  "icmp[0] = 11 or icmp[0] = 12)) or "
				  "(ip6[6] = 58 and ip6[40] < 128)";

/* ---------------------------------------------------------------- hops */

/* What passes beside the user's FILTER. */
static void add_beside_filter(struct buf *b, bool one_way)
{
	add_clause(b, "(ip[6:2] & 0x3fff != 0)"); /* IPv4 fragments, the first too */
	add_clause(b, ip6_extension);
	add_clause(b, icmp_errors);
	if (one_way)
		add_clause(b, "(tcp[13] & 2 != 0) or (ip6[6] = 6 and ip6[53] & 2 != 0)");
	add_clause(b, tagged_bytes);
	add_clause(b, "vlan");
}

static void veth_filter(const char *expr, const struct filter_words *words, bool nat,
			struct buf *b)
{
	/*
	 * With translation a packet that is kept out here shows again at the next hop under
	 * other addresses, and there the FILTER could choose what it has refused here.
	 */
	if (nat || !expr || !words->flow_only)
		return;
	buf_addf(b, "(%s)", expr);
	add_beside_filter(b, words->one_way);
}

/* Where nothing translates, FILTER's answer is the veth's at bridge and vtep as well. */
static void narrow(struct buf *b, const char *expr, const struct filter_words *words, bool nat)
{
	struct buf both;

	if (nat || !expr || !words->flow_only || !b->len)
		return;
	buf_init(&both, TEXT_MAX);
	buf_addf(&both, "(%s)", expr);
	add_beside_filter(&both, words->one_way);
	char *pods = strdup(buf_str(b));

	buf_clear(b);
	b->failed = !pods || both.failed;
	buf_addf(b, "(%s) and (%s)", pods ? pods : "", buf_str(&both));
	free(pods);
	buf_done(&both);
}

static void bridge_filter(const struct model_net *net, const struct model_hop *hop, bool nat,
			  struct buf *b)
{
	struct addrs pods, own = { .n = 0 };
	bool all_macs = true;
	char mac[MAC_STR_MAX];

	if (!pod_addrs(net, &pods))
		return;
	for (unsigned i = 0; nat && i < hop->n_addrs; i++) {
		if (!addr_is_link_local(&hop->addrs[i].addr))
			addrs_add(&own, &hop->addrs[i].addr);
	}
	if (nat && !own.n)
		return;
	for (unsigned i = 0; i < net->n_pods; i++) {
		if (mac_is_none(&net->pods[i].mac)) {
			all_macs = false;
			continue;
		}
		or_next(b);
		buf_addf(b, "ether host %s", mac_str(&net->pods[i].mac, mac));
	}
	add_hosts(b, &pods);
	add_hosts(b, &own);
	add_solicited_nodes(b, &pods);
	if (!all_macs)
		add_clause(b, tagged_bytes);
}

static void vtep_filter(const struct model_net *net, bool nat, struct buf *b)
{
	struct addrs pods, own;

	if (!pod_addrs(net, &pods))
		return;
	own_addrs(net, &own);
	if (nat && (!own.n || own.full))
		return;
	add_hosts(b, &pods);
	if (nat)
		add_hosts(b, &own);
	add_clause(b, tagged_bytes);
}

/* "udp dst port 8472 or udp dst port 4789", without anything around it. */
static void vxlan_ports(const struct model_net *net, const struct model_hop *hop, const char *fmt4,
			struct buf *b)
{
	uint16_t ports[10];
	unsigned n = 0;

	if (hop->vxlan_port)
		ports[n++] = hop->vxlan_port;
	for (unsigned i = 0; i < net->n_vxlan_ports && i < 8; i++) {
		unsigned j = 0;

		while (j < n && ports[j] != net->vxlan_ports[i])
			j++;
		if (j == n)
			ports[n++] = net->vxlan_ports[i];
	}
	if (!n)
		ports[n++] = MODEL_VXLAN_PORT;
	for (unsigned i = 0; i < n; i++)
		buf_addf(b, "%s%s%u", i ? " or " : "", fmt4, ports[i]);
}

/* Other pods' subnets, when no device of the node outside the bridge has an address in them. */
static void add_not_pod_subnets(const struct model_net *net, struct buf *b)
{
	for (unsigned i = 0; i < net->n_hops; i++) {
		const struct model_hop *bridge = &net->hops[i];

		if (bridge->role != MODEL_ROLE_BRIDGE)
			continue;
		for (unsigned j = 0; j < bridge->n_addrs; j++) {
			struct prefix p = bridge->addrs[j];
			unsigned skip = addr_is_v4(&p.addr) ? 96 : 0;
			char text[ADDR_STR_MAX];
			bool shared = false;

			for (unsigned k = 0; k < net->n_hops; k++) {
				for (unsigned m = 0; m < net->hops[k].n_addrs; m++)
					shared |= net->hops[k].role == MODEL_ROLE_UNDERLAY &&
						  prefix_has(&p, &net->hops[k].addrs[m].addr);
			}
			if (shared || !p.len || addr_is_link_local(&p.addr))
				continue;
			/* libpcap refuses a network with host bits */
			for (unsigned bit = skip + p.len; bit < 128; bit++)
				p.addr.b[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
			buf_addf(b, " and not net %s/%u", addr_str(&p.addr, text), p.len);
		}
	}
}

static void underlay_filter(const struct model_net *net, const struct model_hop *hop, bool nat,
			    bool wide, struct buf *b)
{
	struct addrs pods, own, inner;

	if (!pod_addrs(net, &pods))
		return;
	own_addrs(net, &own);
	inner = pods;
	if (nat) {
		for (unsigned i = 0; i < own.n; i++)
			addrs_add(&inner, &own.a[i]);
	}
	if (inner.full || own.full || (nat && !own.n))
		wide = true;

	/* The common frame first: each clause that fails costs its instructions. */
	buf_adds(b, "(ip and (");
	vxlan_ports(net, hop, "udp dst port ", b);
	buf_adds(b, ")");
	if (!wide) {
		buf_adds(b, " and (");
		add_inner(b, "udp", 0, &inner);
		buf_adds(b, ")");
	}
	buf_adds(b, ") or (ip6[6] = 17 and (");
	vxlan_ports(net, hop, "ip6[42:2] = ", b);
	buf_adds(b, ")");
	if (!wide) {
		buf_adds(b, " and (");
		add_inner(b, "ip6", OUTER_IP6, &inner);
		buf_adds(b, ")");
	}
	buf_adds(b, ")");
	add_hosts(b, &pods);
	add_clause(b, "(ip proto 17 and ip[6:2] & 0x1fff != 0)");
	add_clause(b, ip6_extension);
	if (nat) {
		add_clause(b, "((ip or ip6) and not (");
		vxlan_ports(net, hop, "udp dst port ", b);
		buf_adds(b, ")");
		add_not_pod_subnets(net, b);
		buf_adds(b, ")");
	}
	add_clause(b, icmp_errors);
	add_clause(b, tagged_bytes);
}

static void hop_filter(const struct model_net *net, unsigned hop_index, const char *expr,
		       const struct filter_words *words, bool nat, bool wide, struct buf *b)
{
	const struct model_hop *hop = &net->hops[hop_index];

	switch (hop->role) {
	case MODEL_ROLE_VETH:
		if (!wide)
			veth_filter(expr, words, nat, b);
		break;
	case MODEL_ROLE_BRIDGE:
	case MODEL_ROLE_VTEP:
		if (wide)
			break;
		if (hop->role == MODEL_ROLE_BRIDGE)
			bridge_filter(net, hop, nat, b);
		else
			vtep_filter(net, nat, b);
		narrow(b, expr, words, nat);
		break;
	case MODEL_ROLE_UNDERLAY:
		underlay_filter(net, hop, nat, wide, b);
		break;
	case MODEL_ROLE_NONE:
	case MODEL_ROLE_COUNT:
		break;
	}
}

/* Instructions of the compiled text, or a negative errno value with libpcap's text. */
static int program_len(const char *text, struct err *err)
{
	pcap_t *dead = pcap_open_dead(DLT_EN10MB, 262144);
	struct bpf_program program;
	int r;

	if (!dead)
		return err_sys(err, ENOMEM, "filter");
	if (pcap_compile(dead, &program, text, 1, PCAP_NETMASK_UNKNOWN) < 0) {
		r = err_usage(err, -EINVAL, "filter: %s", pcap_geterr(dead));
	} else {
		r = (int)program.bf_len;
		pcap_freecode(&program);
	}
	pcap_close(dead);
	return r;
}

int capture_kernel_filter(const struct model_net *net, unsigned hop, const char *expr, bool nat,
			  const char *exclude, struct buf *ret_filter, struct err *err)
{
	struct filter_words words = { .flow_only = false };
	struct buf body, text;
	int r = 0;

	if (hop >= net->n_hops)
		return err_set(err, -EINVAL, "filter: there is no hop %u", hop);
	buf_init(&body, TEXT_MAX);
	buf_init(&text, TEXT_MAX);
	/* Blanks are no filter to libpcap, but in parentheses they are a mistake. */
	if (expr && expr[strspn(expr, " \t\r\n")]) {
		/* a bad FILTER is named as the user wrote it, not inside of ours */
		struct capture_filter *f = capture_filter_new(expr, err);

		if (!f) {
			r = -EINVAL;
			goto out;
		}
		capture_filter_free(f);
		capture_filter_words(expr, &words);
	} else {
		expr = NULL;
	}
	for (int wide = 0; wide <= 1; wide++) {
		buf_clear(&body);
		buf_clear(&text);
		hop_filter(net, hop, expr, &words, nat, wide, &body);
		if (exclude && *exclude)
			buf_addf(&text, "not (%s)%s", exclude, body.len ? " and " : "");
		if (body.len)
			buf_addf(&text, text.len ? "(%s)" : "%s", buf_str(&body));
		if (body.failed || text.failed) {
			r = err_sys(err, ENOMEM, "filter");
			goto out;
		}
		r = program_len(buf_str(&text), err);
		if (r < 0)
			goto out;
		if (r <= INSNS_MAX)
			break;
	}
	buf_clear(ret_filter);
	buf_adds(ret_filter, buf_str(&text));
	r = ret_filter->failed ? err_sys(err, ENOMEM, "filter") : 0;
out:
	buf_done(&body);
	buf_done(&text);
	return r;
}
