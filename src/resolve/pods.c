/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pods.c - one record to one chain: netlink asked, files checked against it.
 *
 * Theory of operation. The way of a person is: find a process of the pod, enter
 * its namespace, read "eth0@ifN", look for ifindex N on the host. N is unique on
 * the host, but eth0's own index is 2 in nearly every pod, and /sys/.../iflink of
 * a host veth therefore says nothing. Without entering anything:
 *   1. the dump of the host's links (done at open) makes the kernel give every
 *      namespace that a host device leads to an id;
 *   2. RTM_GETNSID by fd or pid tells the pod's;
 *   3. host veths with that IFLA_LINK_NETNSID are the pod's;
 *   4. a dump with IFLA_TARGET_NETNSID shows the pod's side; a pair counts only
 *      when each end names the other's ifindex.
 * Without CAP_NET_ADMIN step 4 is refused; then 3 alone decides and names come
 * from /proc/<pid>/net. What CNI's files claim is compared afterwards: netlink
 * is believed, the difference is said.
 */
#include "resolve_priv.h"
#include "resolve_inside.h"

#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PODS_TEXT_MAX 512

int resolve_chain_add(struct chain *c, const char *step, const char *source, const char *fmt, ...)
{
	struct chain_evidence *e;
	va_list ap;
	int n;

	if (!c)
		return 0;
	e = grow(&c->evidence, &c->n_evidence, sizeof(*e), RESOLVE_ENTRIES_MAX);
	if (!e)
		return -ENOMEM;
	va_start(ap, fmt);
	n = vasprintf(&e->value, fmt, ap);
	va_end(ap);
	if (n < 0)
		e->value = NULL;
	e->step = strdup(step);
	e->source = strdup(source);
	if (e->value && e->step && e->source)
		return 0;
	free(e->value);
	free(e->step);
	free(e->source);
	c->n_evidence--;
	return -ENOMEM;
}

void resolve_rec_nsid(struct resolve *r, struct resolve_rec *rec)
{
	struct resolve_netns ns;
	int32_t nsid = -1;
	int fd = -1, rc = -ENOENT;

	if (rec->nsid_asked || rec->nsid >= 0 || rec->host_network)
		return;
	rec->nsid_asked = true;
	if (rec->pid)
		fd = resolve_netns_open_pid(&r->fs, rec->pid, &ns);
	if (fd >= 0 && rec->ns.ino && !resolve_netns_eq(&ns, &rec->ns)) {
		/* the number was given to another process meanwhile */
		close(fd);
		fd = -ESRCH;
	}
	if (fd < 0 && rec->netns_path && rec->ns.ino) {
		fd = resolve_netns_open(&r->fs, rec->netns_path, &ns);
		if (fd >= 0 && !resolve_netns_eq(&ns, &rec->ns)) {
			close(fd);
			fd = -ESRCH;
		}
	}
	if (fd >= 0) {
		rc = resolve_rtnl_nsid(r->rtnl, fd, 0, &nsid);
		close(fd);
	} else if (rec->pid && r->fs.own_pids) {
		rec->netns_denied = rec->netns_denied || fd == -EACCES || fd == -EPERM;
		rc = resolve_rtnl_nsid(r->rtnl, -1, rec->pid, &nsid);
	}
	if (!rc)
		rec->nsid = nsid;
	/* no way in: the claimed veth leads there all the same */
	if (rec->nsid < 0 && !rec->ns.ino) {
		const struct resolve_link *claim = resolve_rec_claim(r, rec);

		if (claim) {
			const struct resolve_proc *p =
				resolve_proc_by_nsid(r, claim->l.link_netnsid);

			rec->nsid = claim->l.link_netnsid;
			if (p) {
				rec->ns = p->ns;
				rec->pid = rec->pid ? rec->pid : p->pid;
			}
		}
	}
}

/* The host's own id, in which other namespaces' answers name it; -1 while there is none. */
static int32_t pods_self_nsid(struct resolve *r)
{
	if (r->self_nsid < 0 && resolve_rtnl_nsid(r->rtnl, r->own_fd, 0, &r->self_nsid))
		r->self_nsid = -1;
	return r->self_nsid;
}

/* What goes wrong with one pod, sentence by sentence. */
struct pods_notes {
	char text[PODS_TEXT_MAX];
	bool underlay; /* what leads there is the node's own way out */
};

__attribute__((format(printf, 2, 3))) static void pods_note(struct pods_notes *n, const char *fmt,
							    ...)
{
	size_t len = strlen(n->text);
	va_list ap;

	if (len && len + 3 < sizeof(n->text)) {
		memcpy(n->text + len, "; ", 3);
		len += 2;
	}
	va_start(ap, fmt);
	vsnprintf(n->text + len, sizeof(n->text) - len, fmt, ap);
	va_end(ap);
}

static const char *pods_underlay(const struct resolve *r)
{
	for (unsigned i = 0; i < r->n_links; i++) {
		const struct resolve_link *l = &r->links[i];

		if (strcmp(l->l.kind, "vxlan") == 0 && l->vxlan_link &&
		    resolve_host_link(r, l->vxlan_link))
			return resolve_host_link(r, l->vxlan_link)->l.name;
	}
	return "eth0";
}

static struct chain_interface *pods_add_interface(struct chain_pod *pod)
{
	struct chain_interface *ifc =
		grow(&pod->interfaces, &pod->n_interfaces, sizeof(*ifc), RESOLVE_LINKS_MAX);

	if (ifc) {
		ifc->link.link_netnsid = -1;
		ifc->link.port_state = -1;
		ifc->host_veth.link_netnsid = -1;
		ifc->host_veth.port_state = -1;
	}
	return ifc;
}

static int pods_set_veth(struct resolve *r, struct chain_interface *ifc,
			 const struct resolve_link *veth)
{
	const struct resolve_link *master = resolve_host_link(r, veth->l.master);

	if (master &&
	    (strcmp(master->l.kind, "bridge") == 0 || strcmp(master->l.kind, "openvswitch") == 0)) {
		ifc->bridge_ifindex = master->l.ifindex;
		memcpy(ifc->bridge, master->l.name, sizeof(ifc->bridge));
	}
	return resolve_host_copy(r, veth, &ifc->host_veth);
}

static bool pods_is_parented(const char *kind)
{
	return strcmp(kind, "macvlan") == 0 || strcmp(kind, "macvtap") == 0 ||
	       strcmp(kind, "ipvlan") == 0 || strcmp(kind, "ipvtap") == 0 ||
	       strcmp(kind, "vlan") == 0;
}

static void pods_note_parented(const struct resolve *r, struct pods_notes *notes,
			       const char *ifname, const char *kind, uint32_t parent)
{
	const struct resolve_link *l = resolve_host_link(r, parent);

	if (l)
		pods_note(notes,
			  "%s is a %s device on %s: its packets pass no host veth, bridge "
			  "or VTEP; capture on %s itself, e.g. tcpdump -i %s",
			  ifname, kind, l->l.name, l->l.name, l->l.name);
	else
		pods_note(notes,
			  "%s is a %s device: its packets pass no host veth, bridge or "
			  "VTEP; capture on its parent device",
			  ifname, kind);
}

/*
 * An underlay that is itself a veth (a node inside a network namespace) leads to another
 * node's namespace, and that is no pod although all else looks like one.
 */
static bool pods_is_underlay(const struct resolve *r, const struct resolve_rec *rec,
			     const struct resolve_link *veth, struct pods_notes *notes)
{
	const struct resolve_link *vtep;

	if (resolve_rec_is_known(rec))
		return false;
	vtep = resolve_host_vtep_over(r, veth->l.ifindex);
	if (!vtep)
		return false;
	if (!notes->underlay)
		pods_note(notes,
			  "what leads there is %s, the underlay of %s: that is the network of "
			  "another node and no pod; run podhop on that node",
			  veth->l.name, vtep->l.name);
	notes->underlay = true;
	return true;
}

/* One device as the target's dump shows it. Returns 0, 1: not an interface of the pod, -ENOMEM. */
static int pods_take_link(struct resolve *r, struct resolve_rec *rec, struct chain_pod *pod,
			  const struct resolve_link *l, const struct resolve_ifaddr *addrs,
			  unsigned n_addrs, struct pods_notes *notes)
{
	bool veth = strcmp(l->l.kind, "veth") == 0, has_addr = false;
	int32_t self = pods_self_nsid(r);
	struct chain_interface *ifc;
	const struct resolve_link *host;

	if (l->l.flags & IFF_LOOPBACK)
		return 1;
	for (unsigned i = 0; i < n_addrs; i++)
		has_addr = has_addr || addrs[i].ifindex == l->l.ifindex;
	/* tunl0, sit0 and the like appear by themselves in every namespace */
	if (!veth && !pods_is_parented(l->l.kind) && !(l->l.flags & IFF_UP) && !has_addr)
		return 1;
	ifc = pods_add_interface(pod);
	if (!ifc)
		return -ENOMEM;
	ifc->link = l->l;
	for (unsigned i = 0; i < n_addrs; i++) {
		struct prefix *p;

		if (addrs[i].ifindex != l->l.ifindex)
			continue;
		p = grow(&ifc->link.addrs, &ifc->link.n_addrs, sizeof(*p),
				 RESOLVE_LINKS_MAX);
		if (!p)
			return -ENOMEM;
		*p = addrs[i].prefix;
	}
	if (!veth || !l->has_iflink || (self >= 0 && l->l.link_netnsid != self))
		return 0;
	host = resolve_host_link(r, l->l.iflink);
	if (!host || strcmp(host->l.kind, "veth") != 0 || host->l.link_netnsid != rec->nsid ||
	    host->l.iflink != l->l.ifindex) {
		pods_note(notes,
			  "%s says its peer is ifindex %u of the host, which does not lead back",
			  l->l.name, l->l.iflink);
		return 0;
	}
	if (pods_is_underlay(r, rec, host, notes))
		return 0;
	return pods_set_veth(r, ifc, host);
}

/* Without the right to look inside: the host's veths that lead there. */
static int pods_from_host(struct resolve *r, struct resolve_rec *rec, struct chain_pod *pod,
			  const struct resolve_inside *in, struct pods_notes *notes)
{
	for (unsigned i = 0; i < r->n_links; i++) {
		const struct resolve_link *l = &r->links[i];
		struct chain_interface *ifc;
		int rc;

		if (l->l.link_netnsid != rec->nsid || strcmp(l->l.kind, "veth") != 0 ||
		    pods_is_underlay(r, rec, l, notes))
			continue;
		ifc = pods_add_interface(pod);
		if (!ifc)
			return -ENOMEM;
		ifc->link.ifindex = l->l.iflink;
		ifc->link.iflink = l->l.ifindex;
		strcpy(ifc->link.kind, "veth");
		for (unsigned j = 0; j < in->n_dev; j++) {
			if (in->dev[j].ifindex == l->l.iflink)
				memcpy(ifc->link.name, in->dev[j].name, sizeof(ifc->link.name));
		}
		for (unsigned j = 0; j < rec->n_cni; j++) {
			const struct resolve_cni *c = &rec->cni[j];

			for (unsigned k = 0; k < c->n_hosts; k++) {
				if (strcmp(c->hosts[k].name, l->l.name) != 0)
					continue;
				ifc->link.mac = c->mac;
				if (!ifc->link.name[0] && c->ifname)
					snprintf(ifc->link.name, sizeof(ifc->link.name), "%.15s",
						 c->ifname);
			}
		}
		rc = pods_set_veth(r, ifc, l);
		if (rc)
			return rc;
	}
	return 0;
}

/* eth0 with a host veth, else anything with one: it goes to the front. */
static void pods_main_first(struct chain_pod *pod)
{
	unsigned best = 0;
	int score = -1;

	for (unsigned i = 0; i < pod->n_interfaces; i++) {
		const struct chain_interface *ifc = &pod->interfaces[i];
		int s = (ifc->host_veth.ifindex ? 4 : 0) +
			(strcmp(ifc->link.name, "eth0") == 0 ? 2 : 0) +
			(ifc->bridge_ifindex ? 1 : 0);

		if (s > score) {
			score = s;
			best = i;
		}
	}
	for (; best > 0; best--) {
		struct chain_interface swap = pod->interfaces[best];

		pod->interfaces[best] = pod->interfaces[best - 1];
		pod->interfaces[best - 1] = swap;
	}
}

static int pods_add_ip(struct chain_pod *pod, const struct addr *a)
{
	struct addr *to;

	if (addr_is_none(a) || addr_is_link_local(a))
		return 0;
	for (unsigned i = 0; i < pod->n_ips; i++) {
		if (addr_eq(&pod->ips[i], a))
			return 0;
	}
	to = grow(&pod->ips, &pod->n_ips, sizeof(*to), RESOLVE_LINKS_MAX);
	if (!to)
		return -ENOMEM;
	*to = *a;
	return 0;
}

/* What files say the pod's addresses are, where nothing better is known. */
static int pods_claimed_ips(struct resolve *r, const struct resolve_rec *rec, struct chain_pod *pod)
{
	int rc = 0;

	for (int v6 = 0; v6 < 2; v6++) {
		for (unsigned i = 0; i < rec->n_cni && !rc; i++) {
			for (unsigned j = 0; j < rec->cni[i].n_ips && !rc; j++) {
				if (addr_is_v4(&rec->cni[i].ips[j]) != (v6 == 1))
					rc = pods_add_ip(pod, &rec->cni[i].ips[j]);
			}
		}
		for (unsigned i = 0; rec->sandbox_id && i < r->n_leases && !rc; i++) {
			if (strcmp(r->leases[i].id, rec->sandbox_id) == 0 &&
			    addr_is_v4(&r->leases[i].ip) != (v6 == 1))
				rc = pods_add_ip(pod, &r->leases[i].ip);
		}
	}
	return rc;
}

static int pods_set_ips(struct resolve *r, const struct resolve_rec *rec, struct chain_pod *pod,
			const struct resolve_inside *in)
{
	int rc = 0;

	for (unsigned i = 0; i < pod->n_interfaces; i++) {
		const struct chain_link *l = &pod->interfaces[i].link;

		for (int v6 = 0; v6 < 2; v6++) {
			for (unsigned j = 0; j < l->n_addrs && !rc; j++) {
				if (addr_is_v4(&l->addrs[j].addr) != (v6 == 1))
					rc = pods_add_ip(pod, &l->addrs[j].addr);
			}
		}
	}
	if (!pod->n_ips) {
		for (unsigned i = 0; i < in->n_ips && !rc; i++)
			rc = pods_add_ip(pod, &in->ips[i]);
	}
	if (!rc && !pod->n_ips)
		rc = pods_claimed_ips(r, rec, pod);
	return rc;
}

/* A file that netlink contradicts is named, not believed. */
static int pods_check_claims(struct resolve *r, const struct resolve_rec *rec,
			     const struct chain_pod *pod, bool seen, struct pods_notes *notes,
			     struct chain *ev)
{
	char ip[ADDR_STR_MAX];
	int rc = 0;

	for (unsigned i = 0; i < rec->n_cni && !rc; i++) {
		const struct resolve_cni *c = &rec->cni[i];
		const struct chain_interface *ifc = NULL;
		const char *veth = NULL;
		bool agrees = true, named = false;

		for (unsigned j = 0; j < pod->n_interfaces; j++) {
			if (c->ifname && strcmp(pod->interfaces[j].link.name, c->ifname) == 0)
				ifc = &pod->interfaces[j];
		}
		for (unsigned j = 0; j < c->n_hosts; j++) {
			const struct resolve_link *l = resolve_host_link_named(r, c->hosts[j].name);

			if (ifc && strcmp(ifc->host_veth.name, c->hosts[j].name) == 0)
				named = true;
			/* what is there and is no veth is the bridge, or a meta plugin's device */
			if (!l || strcmp(l->l.kind, "veth") == 0)
				veth = c->hosts[j].name;
		}
		if (ifc && ifc->host_veth.ifindex && veth && !named) {
			pods_note(notes, "%s names host device %s, netlink shows %s", c->file, veth,
				  ifc->host_veth.name);
			agrees = false;
		} else if (!ifc && seen && c->ifname && pod->n_interfaces) {
			pods_note(notes, "%s names interface %s, which the pod does not have",
				  c->file, c->ifname);
			agrees = false;
		}
		for (unsigned j = 0; j < c->n_ips && seen; j++) {
			bool found = false;

			for (unsigned k = 0; k < pod->n_ips; k++)
				found = found || addr_eq(&pod->ips[k], &c->ips[j]);
			if (!found) {
				pods_note(notes, "%s gives address %s, which the pod does not have",
					  c->file, addr_str(&c->ips[j], ip));
				agrees = false;
			}
		}
		rc = resolve_chain_add(ev, "cni", resolve_s(c->file), "%s%s%s%s%s: %s",
				       resolve_s(c->ifname), veth ? ", host end " : "",
				       veth ? veth : "", c->n_ips ? ", " : "",
				       c->n_ips ? addr_str(&c->ips[0], ip) : "",
				       agrees ? "agrees with netlink" : "contradicts netlink");
	}
	return rc;
}

/* The sandbox first, then as they were started. */
static int pods_cmp_containers(const void *a, const void *b)
{
	const struct chain_container *x = a, *y = b;

	if (x->sandbox != y->sandbox)
		return x->sandbox ? -1 : 1;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return strcmp(x->id, y->id);
}

static int pods_copy_strings(const struct resolve_rec *rec, struct chain_pod *pod)
{
	pod->namespace_ = strdup(resolve_s(rec->namespace_));
	pod->name = strdup(resolve_s(rec->name));
	pod->uid = strdup(resolve_s(rec->uid));
	pod->runtime = strdup(resolve_s(rec->runtime));
	pod->netns_path = strdup(resolve_s(rec->netns_path));
	pod->pid = rec->pid;
	pod->netns_inode = rec->ns.ino;
	pod->host_network = rec->host_network;
	if (!pod->namespace_ || !pod->name || !pod->uid || !pod->runtime || !pod->netns_path)
		return -ENOMEM;
	for (unsigned i = 0; i < rec->n_containers; i++) {
		const struct resolve_container *c = &rec->containers[i];
		struct chain_container *to = grow(&pod->containers, &pod->n_containers,
							  sizeof(*to), RESOLVE_ENTRIES_MAX);

		if (!to)
			return -ENOMEM;
		to->id = strdup(c->id);
		to->name = strdup(resolve_s(c->name));
		to->pid = c->pid;
		to->sandbox = c->sandbox;
		if (!to->id || !to->name)
			return -ENOMEM;
	}
	if (pod->n_containers)
		qsort(pod->containers, pod->n_containers, sizeof(*pod->containers),
		      pods_cmp_containers);
	/* CRI-O drops the pause container; its id still names the pod */
	if (rec->sandbox_id && (!pod->n_containers || !pod->containers[0].sandbox)) {
		struct chain_container *to = grow(&pod->containers, &pod->n_containers,
							  sizeof(*to), RESOLVE_ENTRIES_MAX);
		struct chain_container swap;

		if (!to)
			return -ENOMEM;
		to->id = strdup(rec->sandbox_id);
		to->name = strdup("");
		to->sandbox = true;
		if (!to->id || !to->name)
			return -ENOMEM;
		swap = pod->containers[0];
		pod->containers[0] = *to;
		*to = swap;
	}
	return 0;
}

static int pods_evidence_begin(struct resolve_rec *rec, struct chain *ev)
{
	char path[64];
	int rc = 0;

	if (!ev)
		return 0;
	if (rec->name)
		rc = resolve_chain_add(ev, "pod", rec->source ? rec->source : "/proc",
				       "%s/%s%s%s%s%s", resolve_s(rec->namespace_), rec->name,
				       rec->uid ? ", uid " : "", resolve_s(rec->uid),
				       rec->sandbox_id ? ", sandbox " : "",
				       resolve_s(rec->sandbox_id));
	for (unsigned i = 0; i < rec->n_containers && !rc; i++) {
		const struct resolve_container *c = &rec->containers[i];

		if (c->source)
			rc = resolve_chain_add(ev, "container", c->source, "%s%s%s",
					       c->sandbox ? "sandbox" : resolve_s(c->name),
					       c->sandbox || c->name ? " " : "", c->id);
		if (!rc && c->pid) {
			snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)c->pid);
			rc = resolve_chain_add(ev, "process", path, "pid %d runs %s%.12s",
					       (int)c->pid, c->sandbox ? "sandbox " : "container ",
					       c->id);
		}
	}
	if (!rc && rec->pid && rec->ns.ino) {
		snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)rec->pid);
		rc = resolve_chain_add(ev, "netns", path, "inode %llu%s",
				       (unsigned long long)rec->ns.ino,
				       rec->host_network ? ", the host's own" : "");
	}
	if (!rc && rec->netns_path && rec->ns.ino)
		rc = resolve_chain_add(
			ev, "netns", rec->netns_source ? rec->netns_source : rec->netns_path,
			"%s, inode %llu", rec->netns_path, (unsigned long long)rec->ns.ino);
	if (!rc && rec->nsid >= 0)
		rc = resolve_chain_add(ev, "nsid", "netlink RTM_GETNSID",
				       "the host knows that namespace as nsid %d", (int)rec->nsid);
	return rc;
}

/* look: how looking into the pod's namespace went, 0 or -errno. */
static int pods_evidence_pair(const struct resolve_rec *rec,
			      const struct chain_pod *pod, int look, struct chain *ev)
{
	const bool seen = look == 0;
	int rc = 0;

	for (unsigned i = 0; ev && i < pod->n_interfaces && !rc; i++) {
		const struct chain_interface *ifc = &pod->interfaces[i];
		const struct chain_link *in = &ifc->link, *veth = &ifc->host_veth;
		char source[64], m1[MAC_STR_MAX];

		snprintf(source, sizeof(source), "netlink RTM_GETLINK in nsid %d", (int)rec->nsid);
		if (seen && veth->ifindex)
			rc = resolve_chain_add(
				ev, "peer", source,
				"%s is ifindex %u, mac %s, its peer is ifindex %u of the host",
				in->name, in->ifindex, mac_str(&in->mac, m1), in->iflink);
		else if (seen)
			rc = resolve_chain_add(ev, "peer", source, "%s is ifindex %u, kind %s",
					       in->name, in->ifindex,
					       in->kind[0] ? in->kind : "none");
		else if (look == -EPERM || look == -EACCES)
			rc = resolve_chain_add(ev, "peer", source,
					       "not shown: needs CAP_NET_ADMIN, run as root");
		if (rc || !veth->ifindex)
			continue;
		rc = resolve_chain_add(ev, "veth", "netlink RTM_GETLINK",
				       "%s is ifindex %u, its peer is ifindex %u in nsid %d",
				       veth->name, veth->ifindex, veth->iflink,
				       (int)veth->link_netnsid);
		if (!rc && ifc->bridge_ifindex)
			rc = resolve_chain_add(ev, "bridge", "netlink RTM_GETLINK",
					       "%s is a port of %s (ifindex %u), %s, hairpin %s",
					       veth->name, ifc->bridge, ifc->bridge_ifindex,
					       resolve_s(chain_port_state_name(veth->port_state)),
					       veth->hairpin ? "on" : "off");
	}
	return rc;
}

/* Why no interface of the pod has a host veth. */
static void pods_note_unusable(struct resolve *r, struct resolve_rec *rec,
			       const struct chain_pod *pod, const struct resolve_inside *in,
			       bool seen, struct pods_notes *notes)
{
	const struct resolve_proc *init;
	char kind[16];
	uint32_t parent;

	for (unsigned i = 0; i < pod->n_interfaces; i++) {
		const struct chain_link *l = &pod->interfaces[i].link;

		if (pods_is_parented(l->kind)) {
			pods_note_parented(r, notes, l->name, l->kind, l->iflink);
			return;
		}
	}
	/* no host device leads there, so no dump either: the pod's own sysfs, then CNI's config */
	for (unsigned i = 0; i < in->n_dev && !seen; i++) {
		resolve_inside_kind(r, rec->pid, in->dev[i].name, kind, &parent);
		if (pods_is_parented(kind)) {
			pods_note_parented(r, notes, in->dev[i].name, kind, parent);
			return;
		}
	}
	for (unsigned i = 0; i < rec->n_cni && !seen; i++) {
		const char *plugin = resolve_s(rec->cni[i].plugin);

		if (pods_is_parented(plugin)) {
			pods_note_parented(r, notes, resolve_s(rec->cni[i].ifname), plugin, 0);
			return;
		}
	}
	if (rec->nsid < 0 && rec->netns_denied) {
		pods_note(notes, "no permission to look at its network namespace: needs "
				 "CAP_SYS_PTRACE, run as root");
		return;
	}
	init = resolve_proc_find(r, 1);
	if (r->fs.proc_in_root && init && init->ns.ino && !resolve_netns_eq(&init->ns, &r->own))
		pods_note(notes,
			  "podhop itself runs outside the node's network namespace and sees none "
			  "of its devices: start it with hostNetwork: true");
	else if (seen && !pod->n_interfaces)
		pods_note(notes, "its network namespace has no interface but lo");
	else
		pods_note(notes,
			  "no device of this host leads into its network namespace (a moved "
			  "or SR-IOV NIC, or a namespace of another node): there is nothing to "
			  "capture on the host side; capture on the NIC's physical function or "
			  "inside the pod");
}

static void pods_note_gone(const struct resolve *r, const struct resolve_rec *rec,
			   struct pods_notes *notes)
{
	const char *veth = NULL;

	for (unsigned i = 0; i < rec->n_cni; i++) {
		for (unsigned j = 0; j < rec->cni[i].n_hosts; j++) {
			const struct resolve_link *l =
				resolve_host_link_named(r, rec->cni[i].hosts[j].name);

			if (!l || strcmp(l->l.kind, "bridge") != 0)
				veth = rec->cni[i].hosts[j].name;
		}
	}
	pods_note(notes,
		  "gone: %s is left over, but its network namespace%s%s and its processes do "
		  "not exist any more",
		  rec->n_cni	? rec->cni[0].file
		  : rec->source ? rec->source
				: "a file of it",
		  veth ? ", its host veth " : "", veth ? veth : "");
}

/* A pod's own namespace, as far as the kernel shows it to this process. */
struct own_view {
	struct resolve_link *links;
	struct resolve_ifaddr *addrs;
	unsigned n_links, n_addrs;
	int look;	/* 0: the links are known; else why not, -errno */
};

/* Returns 0 or -ENOMEM: whatever else fails is in look. */
static int look_inside(struct resolve *r, const struct resolve_rec *rec, struct own_view *ret)
{
	int rc;

	*ret = (struct own_view){ .look = -ENOENT };
	if (rec->nsid < 0)
		return 0;
	rc = ret->look = resolve_rtnl_links(r->rtnl, rec->nsid, &ret->links, &ret->n_links);
	if (!rc)
		rc = resolve_rtnl_addrs(r->rtnl, rec->nsid, &ret->addrs, &ret->n_addrs);
	return rc == -ENOMEM ? rc : 0;
}

/* Interfaces, addresses and evidence of a pod that runs in a namespace of its own. */
static int build_own(struct resolve *r, struct resolve_rec *rec, struct chain_pod *pod,
		     struct pods_notes *notes, struct chain *ev)
{
	struct resolve_inside in = { .n_dev = 0 };
	struct own_view view;
	int rc = look_inside(r, rec, &view);
	bool seen = view.look == 0;

	if (rc)
		goto out;
	if (!seen || !view.n_addrs)
		resolve_inside_read(r, rec->pid, &in);
	for (unsigned i = 0; i < view.n_links && rc >= 0; i++)
		rc = pods_take_link(r, rec, pod, &view.links[i], view.addrs, view.n_addrs, notes);
	if (rc < 0)
		goto out;
	rc = 0;
	if (!seen && rec->nsid >= 0)
		rc = pods_from_host(r, rec, pod, &in, notes);
	if (rc)
		goto out;
	pods_main_first(pod);
	rc = pods_set_ips(r, rec, pod, &in);
	if (!rc)
		rc = pods_evidence_pair(rec, pod, view.look, ev);
	if (!rc)
		rc = pods_check_claims(r, rec, pod, seen && view.n_addrs, notes, ev);
	if (!rc && !resolve_pod_usable(pod) && !notes->underlay)
		pods_note_unusable(r, rec, pod, &in, seen, notes);
out:
	free(view.links);
	free(view.addrs);
	return rc;
}

int resolve_build_pod(struct resolve *r, struct resolve_rec *rec, struct chain_pod *pod,
		      struct chain *ev)
{
	struct pods_notes notes = { .underlay = false };
	int rc;

	*pod = (struct chain_pod){ .pid = 0 };
	/* first: it may find the namespace and a process in it */
	resolve_rec_nsid(r, rec);
	rc = pods_copy_strings(rec, pod);
	if (!rc)
		rc = pods_evidence_begin(rec, ev);
	if (rc)
		return rc;
	if (!rec->alive) {
		rc = pods_claimed_ips(r, rec, pod);
		pods_note_gone(r, rec, &notes);
	} else if (rec->host_network) {
		pods_note(&notes,
			  "uses the host's network (hostNetwork), so it has no veth: its packets "
			  "are the node's own; capture on the node's devices, e.g. tcpdump -i %s",
			  pods_underlay(r));
	} else {
		rc = build_own(r, rec, pod, &notes, ev);
	}
	if (rc)
		return rc;
	pod->problem = strdup(notes.text);
	return pod->problem ? 0 : -ENOMEM;
}

bool resolve_pod_usable(const struct chain_pod *pod)
{
	for (unsigned i = 0; i < pod->n_interfaces; i++) {
		if (pod->interfaces[i].host_veth.ifindex)
			return true;
	}
	return false;
}
