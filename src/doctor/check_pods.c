/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check_pods.c - each pod's own chain, and what pods that are gone have left.
 *
 * Theory of operation. The pod's side comes from the resolver's chain (it has looked into
 * the namespace over netlink), the host's side from this module's own dumps. The advice
 * for a pod's inside runs in its namespace by its pid; what only its CNI plugin can
 * make whole is said to need a new pod. Whose an address is decides host-local's
 * address file: it is what the plugin promised, whatever the pod has now.
 */
#include "doctor_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/socket.h> /* before linux/if.h, which needs it */
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESSES_NEARLY_USED 90 /* percent */

#define NEW_POD "delete the pod, its controller makes a new one"

/* One pod's main interface and both its ends. */
struct ends {
	const struct chain_pod *pod;
	const struct chain_interface *ifc;
	const struct doctor_link *veth; /* the host's end */
	const struct doctor_link *bridge; /* where it should hang; NULL when not known */
	const char *label; /* "default/web" */
	const char *inside; /* runs a command in its network namespace; "" without pid */
};

static const char *pod_label(struct doctor *d, const struct chain_pod *p)
{
	if (p->name[0])
		return doctor_text(d, "%s%s%s", p->namespace_, p->namespace_[0] ? "/" : "",
				   p->name);
	if (p->n_containers)
		return doctor_text(d, "container:%.12s", p->containers[0].id);
	return doctor_text(d, "pid:%d", (int)p->pid);
}

static const char *inside_of(struct doctor *d, const struct chain_pod *p)
{
	return p->pid ? doctor_text(d, "nsenter -t %d -n ", (int)p->pid) : "";
}

/* Its address is one of the node's pod subnet, so flannel's bridge is where it belongs. */
static bool of_flannel(const struct doctor_view *v, const struct chain_pod *p)
{
	for (unsigned i = 0; i < p->n_ips; i++) {
		if (v->env_rc || doctor_in_networks(v, &p->ips[i]))
			return true;
	}
	return false;
}

/* A CNI result tells name and MAC too; only the kernel tells an MTU, and no device has none. */
static bool seen_inside(const struct chain_link *l)
{
	return l->name[0] && l->mtu;
}

static void check_state(struct doctor *d, const struct ends *e)
{
	const struct chain_link *l = &e->ifc->link;
	bool up = e->veth->flags & IFF_UP;

	doctor_judge(d, up, DOCTOR_FAIL, "pod.veth", e->label,
		     doctor_text(d, "its host veth %s is up", e->veth->name), up ? "up" : "down",
		     doctor_text(d, "ip link set dev %s up", doctor_word(d, e->veth->name)));
	if (!seen_inside(l)) {
		doctor_add(d, DOCTOR_SKIP, "pod.interface", e->label, "its own interface is up",
			   "its namespace cannot be looked into: needs CAP_NET_ADMIN", "");
		return;
	}
	up = l->flags & IFF_UP;
	doctor_judge(d, up, DOCTOR_FAIL, "pod.interface", e->label,
		     doctor_text(d, "%s in the pod is up", l->name),
		     up ? "up" : "down, and its routes are gone with it",
		     e->inside[0] ? doctor_text(d,
						"%sip link set dev %s up  # then pod.route; IPv6 "
						"addresses are gone: " NEW_POD,
						e->inside, doctor_word(d, l->name))
				  : "# " NEW_POD);
}

static void check_port(struct doctor *d, const struct ends *e)
{
	const char *state = chain_port_state_name(e->veth->port_state);
	const struct doctor_link *now = doctor_link_by_index(d->v, e->veth->master);
	const char *veth = doctor_word(d, e->veth->name);
	const char *hairpin =
		d->v->cni_conf && !d->v->cni_hairpin
			? ""
			: doctor_text(d, " && bridge link set dev %s hairpin on", veth);

	if (!e->bridge)
		return;
	if (now != e->bridge) {
		doctor_add(d, DOCTOR_FAIL, "pod.bridge", e->label,
			   doctor_text(d, "%s is a port of %s", e->veth->name, e->bridge->name),
			   now ? doctor_text(d, "it hangs on %s", now->name)
			       : "it hangs on no bridge",
			   doctor_text(d, "ip link set dev %s master %s%s", veth,
				       doctor_word(d, e->bridge->name), hairpin));
		return;
	}
	doctor_add(d, DOCTOR_OK, "pod.bridge", e->label,
		   doctor_text(d, "%s is a port of %s", e->veth->name, e->bridge->name), "it is",
		   "");
	if (!e->veth->is_port)
		return;
	/* a port of a bridge or veth that is down is disabled by that alone */
	if ((e->veth->flags & IFF_UP) && (e->bridge->flags & IFF_UP) &&
	    (e->veth->flags & IFF_LOWER_UP))
		doctor_judge(d, e->veth->port_state == BR_STATE_FORWARDING, DOCTOR_FAIL, "pod.port",
			     e->label, doctor_text(d, "port %s is forwarding", e->veth->name),
			     state ? state : "unknown",
			     e->bridge->stp
				     ? doctor_text(d,
						   "ip link set dev %s type bridge stp_state 0  # "
						   "a bridge of pods "
						   "needs no spanning tree; then: bridge link set "
						   "dev %s state 3",
						   doctor_word(d, e->bridge->name), veth)
				     : doctor_text(d, "bridge link set dev %s state 3", veth));
	if (e->veth->isolated)
		doctor_add(d, DOCTOR_WARN, "pod.isolated", e->label,
			   "a port that may talk to other ports",
			   "isolated: pods of this node do not reach it",
			   doctor_text(d, "bridge link set dev %s isolated off", veth));
	if (d->v->cni_conf && d->v->cni_hairpin)
		doctor_judge(d, e->veth->hairpin, DOCTOR_WARN, "pod.hairpin", e->label,
			     doctor_text(d, "hairpin on at %s, as CNI's configuration says",
					 e->veth->name),
			     e->veth->hairpin
				     ? "on"
				     : "off: the pod does not reach itself through its Service",
			     doctor_text(d, "bridge link set dev %s hairpin on", veth));
}

static uint32_t smallest_vtep(const struct doctor_view *v)
{
	uint32_t mtu = 0;

	/* IPv6 pods may send more than flannel-v6 takes: the node answers Packet Too Big */
	for (unsigned i = 0; i < v->n_links; i++) {
		const struct doctor_link *l = &v->links[i];

		if (doctor_is_vtep(v, l) && !l->vxlan_v6 && (!mtu || l->mtu < mtu))
			mtu = l->mtu;
	}
	return mtu;
}

static void check_mtu(struct doctor *d, const struct ends *e)
{
	uint32_t own = e->ifc->link.mtu, tunnel = smallest_vtep(d->v), most = tunnel;
	const char *what = "the tunnel takes";
	const char *name = doctor_word(d, e->ifc->link.name);

	if (!e->ifc->link.name[0] || !own)
		return;
	/* a veth drops what is longer than the receiving end's MTU, without a word */
	doctor_judge(
		d, own == e->veth->mtu, DOCTOR_FAIL, "pod.mtu", e->label,
		doctor_text(d, "%u at %s, as at %s in the pod", own, e->veth->name,
			    e->ifc->link.name),
		doctor_text(d, "%u%s", e->veth->mtu,
			    own == e->veth->mtu ? "" : ": longer packets vanish in the veth pair"),
		own > e->veth->mtu && (!tunnel || own <= tunnel)
			? doctor_text(d, "ip link set dev %s mtu %u", doctor_word(d, e->veth->name),
				      own)
		: e->inside[0] && own > e->veth->mtu
			? doctor_text(d, "%sip link set dev %s mtu %u", e->inside, name,
				      e->veth->mtu)
			: doctor_text(d, "ip link set dev %s mtu %u", doctor_word(d, e->veth->name),
				      own));
	if (e->bridge && e->bridge->mtu && (!most || e->bridge->mtu < most)) {
		most = e->bridge->mtu;
		what = doctor_text(d, "%s takes", e->bridge->name);
	}
	if (most)
		doctor_judge(
			d, own <= most, DOCTOR_FAIL, "pod.mtu", e->label,
			doctor_text(d, "at most %u, what %s", most, what),
			doctor_text(d, "%u%s", own,
				    own <= most
					    ? ""
					    : ": full-sized packets depend on ICMP coming back"),
			tunnel && e->bridge && e->bridge->mtu < own && own <= tunnel
				? doctor_text(d, "ip link set dev %s mtu %u",
					      doctor_word(d, e->bridge->name), own)
			: e->inside[0]
				? doctor_text(
					  d,
					  "ip link set dev %s mtu %u; %sip link set dev %s mtu %u",
					  doctor_word(d, e->veth->name), most, e->inside, name,
					  most)
				: "# " NEW_POD);
}

/* ----------------------------------------------------------------- addresses */

static const struct doctor_lease *lease_of(const struct doctor_view *v, const struct addr *ip)
{
	for (unsigned i = 0; i < v->n_leases; i++) {
		if (addr_eq(&v->leases[i].ip, ip))
			return &v->leases[i];
	}
	return NULL;
}

static bool pod_has_id(const struct chain_pod *p, const char *id)
{
	for (unsigned i = 0; *id && i < p->n_containers; i++) {
		if (strcmp(p->containers[i].id, id) == 0)
			return true;
	}
	return false;
}

static bool pod_has_ip(const struct chain_pod *p, const struct addr *ip)
{
	for (unsigned i = 0; i < p->n_interfaces; i++) {
		for (unsigned j = 0; j < p->interfaces[i].link.n_addrs; j++) {
			if (addr_eq(&p->interfaces[i].link.addrs[j].addr, ip))
				return true;
		}
	}
	return false;
}

static const struct chain_pod *other_with(const struct doctor_view *v, const struct chain_pod *p,
					  const struct addr *ip)
{
	for (unsigned i = 0; i < v->chain->n_pods; i++) {
		const struct chain_pod *o = &v->chain->pods[i];

		if (!doctor_pod_same(o, p) && !doctor_pod_gone(o) && !o->host_network &&
		    pod_has_ip(o, ip))
			return o;
	}
	return NULL;
}

static const char *remove_address(struct doctor *d, const struct ends *e, const struct prefix *a)
{
	return e->inside[0] ? doctor_text(d, "%sip addr del %s dev %s", e->inside,
					  doctor_prefix(d, a), doctor_word(d, e->ifc->link.name))
			    : "# " NEW_POD;
}

static void check_address(struct doctor *d, const struct ends *e, const struct prefix *a)
{
	const struct doctor_view *v = d->v;
	const struct prefix *own = addr_is_v4(&a->addr) ? &v->env.subnet4 : &v->env.subnet6;
	const char *ip = doctor_addr(d, &a->addr);
	const char *expected = doctor_text(d, "%s is this pod's alone", ip);
	const struct doctor_lease *lease = lease_of(v, &a->addr);
	const struct doctor_link *host = doctor_addr_owner(v, &a->addr);
	const struct chain_pod *other = other_with(v, e->pod, &a->addr);
	const struct doctor_neigh *n;

	if (!v->env_rc && own->len && doctor_in_networks(v, &a->addr)) {
		struct prefix base = doctor_prefix_base(*own);

		if (!prefix_has(own, &a->addr)) {
			doctor_add(
				d, DOCTOR_FAIL, "pod.address", e->label,
				doctor_text(d, "addresses of this node's subnet %s",
					    doctor_prefix(d, &base)),
				doctor_text(d, "%s, which is another node's: replies go there", ip),
				remove_address(d, e, a));
			return;
		}
	}
	if (host) {
		doctor_add(d, DOCTOR_FAIL, "pod.address", e->label, expected,
			   doctor_text(d, "%s of this node has it too", host->name),
			   remove_address(d, e, a));
		return;
	}
	if (other) {
		bool mine = lease && pod_has_id(e->pod, lease->id);

		/* whom host-local gave it to is in the right, and hears of the other one */
		doctor_add(d, DOCTOR_FAIL, "pod.address", e->label, expected,
			   doctor_text(d, "%s has %s too%s", pod_label(d, other), ip,
				       mine ? ", without an address file" : ""),
			   mine ? "# it is this pod's: see the other pod's pod.address"
				: remove_address(d, e, a));
		return;
	}
	doctor_add(d, DOCTOR_OK, "pod.address", e->label, expected, "nobody else here has it", "");
	if (v->n_leases && !lease && doctor_in_networks(v, &a->addr))
		doctor_add(d, DOCTOR_WARN, "pod.lease", e->label,
			   doctor_text(d, "host-local has an address file for %s", ip),
			   "none: the next pod may get the same address", "# " NEW_POD);
	n = e->bridge ? doctor_neigh_of(v, e->bridge->ifindex, &a->addr) : NULL;
	if (n && doctor_neigh_valid(n) && !mac_is_none(&e->ifc->link.mac))
		doctor_judge(d, mac_eq(&n->mac, &e->ifc->link.mac), DOCTOR_FAIL, "pod.neighbour",
			     e->label,
			     doctor_text(d, "%s knows %s by the pod's MAC %s", e->bridge->name, ip,
					 doctor_mac(d, &e->ifc->link.mac)),
			     doctor_mac(d, &n->mac),
			     doctor_text(d,
					 "ip neigh del %s dev %s  # if it comes back, another "
					 "machine there has the address",
					 ip, doctor_word(d, e->bridge->name)));
}

static void check_addresses(struct doctor *d, const struct ends *e)
{
	const struct chain_link *l = &e->ifc->link;
	unsigned n = 0;

	if (!seen_inside(l))
		return;
	for (unsigned i = 0; i < l->n_addrs; i++) {
		if (addr_is_link_local(&l->addrs[i].addr))
			continue;
		n++;
		check_address(d, e, &l->addrs[i]);
	}
	if (!n)
		doctor_add(d, DOCTOR_FAIL, "pod.address", e->label, "an address", "none",
			   "# " NEW_POD);
	for (unsigned i = 0; i < d->v->chain->n_pods; i++) {
		const struct chain_pod *o = &d->v->chain->pods[i];

		if (!doctor_pod_same(o, e->pod) && !doctor_pod_gone(o) && o->n_interfaces &&
		    o->interfaces[0].link.name[0] && !mac_is_none(&l->mac) &&
		    o->interfaces[0].bridge_ifindex == e->ifc->bridge_ifindex &&
		    mac_eq(&o->interfaces[0].link.mac, &l->mac))
			doctor_add(d, DOCTOR_FAIL, "pod.mac", e->label, "a MAC of its own",
				   doctor_text(d, "%s, which %s has too", doctor_mac(d, &l->mac),
					       pod_label(d, o)),
				   "# " NEW_POD);
	}
}

/*
 * The pod's IPv4 default route, from /proc/<pid>/net/route: columns are interface,
 * destination, gateway, flags; addresses are hexadecimal words in memory order.
 */
static int default_gateway(struct doctor *d, pid_t pid, struct addr *ret)
{
	char path[64], name[32];
	uint32_t dst, gw;
	unsigned flags, mask;
	const char *line;
	struct buf b;
	int rc;

	snprintf(path, sizeof(path), "%d/net/route", (int)pid);
	buf_init(&b, DOCTOR_FILE_MAX);
	rc = doctor_check_read(d, path, &b);
	if (rc)
		goto out;
	rc = -ENOENT;
	for (line = strchr(buf_str(&b), '\n'); line && rc; line = strchr(line + 1, '\n')) {
		uint8_t bytes[4];

		if (sscanf(line + 1, "%31s %" SCNx32 " %" SCNx32 " %x %*d %*d %*d %x", name, &dst,
			   &gw, &flags, &mask) != 5 ||
		    dst || mask || !gw)
			continue;
		memcpy(bytes, &gw, sizeof(bytes));
		*ret = addr_from_v4(bytes);
		rc = 0;
	}
out:
	buf_done(&b);
	return rc;
}

static void check_route(struct doctor *d, const struct ends *e)
{
	const struct prefix *own = &d->v->env.subnet4;
	struct addr gw;
	const char *found, *want;
	bool v4 = false, good;
	int rc;

	for (unsigned i = 0; i < e->pod->n_ips; i++)
		v4 |= addr_is_v4(&e->pod->ips[i]);
	/* without flannel's bridge plugin another gateway may be right */
	if (d->v->env_rc || !own->len || !e->pod->pid || !e->bridge || !v4)
		return;
	want = doctor_addr(d, &own->addr);
	rc = default_gateway(d, e->pod->pid, &gw);
	if (rc && rc != -ENOENT)
		return; /* the process is gone, or /proc of another pid namespace */
	good = !rc && addr_eq(&gw, &own->addr);
	found = rc ? "no default route: nothing leaves the pod"
		   : doctor_text(d, "via %s", doctor_addr(d, &gw));
	doctor_judge(d, good, rc ? DOCTOR_FAIL : DOCTOR_WARN, "pod.route", e->label,
		     doctor_text(d, "a default route via %s", want), found,
		     doctor_text(d, "%sip route replace default via %s", e->inside, want));
}

/* ---------------------------------------------------------------------- pods */

static void check_pod(struct doctor *d, const struct chain_pod *p)
{
	struct ends e = { .pod = p };

	e.label = pod_label(d, p);
	e.inside = inside_of(d, p);
	if (!p->n_interfaces || !p->interfaces[0].host_veth.ifindex) {
		doctor_add(d, DOCTOR_WARN, "pod.veth", e.label, "a host veth",
			   p->problem[0] ? doctor_text(d, "%s", p->problem) : "none", "");
		return;
	}
	e.ifc = &p->interfaces[0];
	e.veth = doctor_link_by_index(d->v, e.ifc->host_veth.ifindex);
	if (!e.veth) {
		doctor_add(d, DOCTOR_WARN, "pod.veth", e.label, "a host veth",
			   doctor_text(d, "%s has just gone", e.ifc->host_veth.name), "");
		return;
	}
	e.bridge = of_flannel(d->v, p) ? doctor_bridge(d->v)
				       : doctor_link_by_index(d->v, e.veth->master);
	/* ptp and the like: a route a pod, straight to its veth */
	if (e.bridge && !e.veth->master && p->n_ips) {
		const struct doctor_route *r = doctor_route_to(d->v, &p->ips[0], 0);

		if (r && r->oif == e.veth->ifindex)
			e.bridge = NULL;
	}
	check_state(d, &e);
	check_port(d, &e);
	check_mtu(d, &e);
	check_addresses(d, &e);
	if (e.ifc->link.flags & IFF_UP)
		check_route(d, &e);
}

void doctor_check_pods(struct doctor *d)
{
	const struct doctor_view *v = d->v;

	for (unsigned i = 0; i < v->chain->n_pods; i++) {
		const struct chain_pod *p = &v->chain->pods[i];

		if (p->host_network || doctor_pod_gone(p) ||
		    (v->only && !doctor_pod_same(p, v->only)))
			continue;
		check_pod(d, p);
	}
}

/* ------------------------------------------------------------------ leftovers */

static bool id_lives(const struct doctor_view *v, const char *id)
{
	for (unsigned i = 0; i < v->chain->n_pods; i++) {
		if (!doctor_pod_gone(&v->chain->pods[i]) && pod_has_id(&v->chain->pods[i], id))
			return true;
	}
	return false;
}

/* The file in "gone: FILE is left over, ..."; "" when the text has another form. */
static const char *left_file(struct doctor *d, const char *problem)
{
	static const char lead[] = "gone: ", tail[] = " is left over";
	const char *end = strstr(problem, tail);

	if (strncmp(problem, lead, strlen(lead)) != 0 || !end || problem[strlen(lead)] != '/')
		return "";
	return doctor_text(d, "%.*s", (int)(end - problem - (long)strlen(lead)),
			   problem + strlen(lead));
}

static const char *remove_file(struct doctor *d, const char *path)
{
	return doctor_text(d, "rm -f %s",
			   doctor_word(d, doctor_text(d, "%s%s", d->v->host_root, path)));
}

static void check_results(struct doctor *d)
{
	unsigned n = 0;

	for (unsigned i = 0; i < d->v->chain->n_pods; i++) {
		const struct chain_pod *p = &d->v->chain->pods[i];
		const char *file;

		if (!doctor_pod_gone(p) || n++ >= DOCTOR_LISTED_MAX)
			continue;
		file = left_file(d, p->problem);
		doctor_add(d, DOCTOR_WARN, "cni.result", pod_label(d, p), "files of pods that run",
			   doctor_text(d, "%s", p->problem), file[0] ? remove_file(d, file) : "");
	}
	if (n > DOCTOR_LISTED_MAX)
		doctor_add(d, DOCTOR_WARN, "cni.result", "more pods", "files of pods that run",
			   doctor_text(d, "%u more are gone and have left files",
				       n - DOCTOR_LISTED_MAX),
			   "");
	if (!n)
		doctor_add(d, DOCTOR_OK, "cni.result", "CNI's files", "files of pods that run",
			   "no others", "");
}

/* Addresses of a subnet that host-local gives out: not the network, gateway, broadcast. */
static uint64_t usable(const struct prefix *subnet)
{
	unsigned bits = 32u - subnet->len;

	return subnet->len < 32 && bits < 32 ? (UINT64_C(1) << bits) - (bits > 1 ? 3 : 1) : 0;
}

void doctor_check_leftovers(struct doctor *d)
{
	const struct doctor_view *v = d->v;
	uint64_t in_subnet = 0, room;
	unsigned leaked = 0;

	check_results(d);
	for (unsigned i = 0; i < v->n_leases; i++) {
		const struct doctor_lease *l = &v->leases[i];

		in_subnet +=
			!v->env_rc && v->env.subnet4.len && prefix_has(&v->env.subnet4, &l->ip);
		if (id_lives(v, l->id) || leaked++ >= DOCTOR_LISTED_MAX)
			continue;
		doctor_add(d, DOCTOR_WARN, "ipam.lease", doctor_text(d, "%s", l->path),
			   "addresses of pods that run",
			   doctor_text(d, "given to %.12s, which does not", l->id),
			   remove_file(d, l->path));
	}
	if (leaked > DOCTOR_LISTED_MAX)
		doctor_add(d, DOCTOR_WARN, "ipam.lease", "more addresses",
			   "addresses of pods that run",
			   doctor_text(d, "%u more are given to pods that do not",
				       leaked - DOCTOR_LISTED_MAX),
			   "");
	if (!leaked)
		doctor_add(d, v->n_leases ? DOCTOR_OK : DOCTOR_SKIP, "ipam.lease",
			   "/var/lib/cni/networks", "addresses of pods that run",
			   v->n_leases ? "no others" : "no address files", "");
	if (v->env_rc || !v->env.subnet4.len)
		return;
	room = usable(&v->env.subnet4);
	if (room)
		doctor_add(d,
			   in_subnet >= room				     ? DOCTOR_FAIL
			   : in_subnet * 100 >= room * ADDRESSES_NEARLY_USED ? DOCTOR_WARN
									     : DOCTOR_OK,
			   "ipam.free", doctor_prefix(d, &v->env.subnet4), "free addresses",
			   doctor_text(d, "%" PRIu64 " of %" PRIu64 " are given", in_subnet, room),
			   leaked ? "# see ipam.lease: some are given to pods that do not run"
				  : "# the node has as many pods as its subnet has addresses");
}
