/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pick.c - POD, as a person writes it, to the one record it means.
 *
 * Theory of operation. The forms are those of the contract, section 2. A prefix
 * (container:, pid:, netns:, veth:) decides alone; bare words are tried as
 * namespace/name, IP, name, hex prefix, in this order, so that an exact name beats
 * a prefix of an id. Live pods hide dead ones of the same name. Nothing found
 * is told apart as well as the node's own state allows: gone, another node's, the
 * host's own, unknown; and a source that could not be read for want of a right
 * turns "there is none" into "cannot tell".
 */
#include "resolve_priv.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "podhop/near.h"

#define PICK_MAX 64 /* candidates kept for the sentence; more are only counted */
#define PICK_SHOWN 8
#define PICK_HEX_MIN 12 /* shortest bare prefix; docker and crictl print 12 or 13 */
#define PICK_POD_MAX 4096 /* a netns path is the longest form */

struct pick {
	struct resolve *r;
	uint32_t at[PICK_MAX]; /* record indices */
	unsigned n;
	unsigned more; /* beyond PICK_MAX */
};

static void pick_add(struct pick *p, const struct resolve_rec *rec)
{
	uint32_t at = (uint32_t)(rec - p->r->recs);

	for (unsigned i = 0; i < p->n; i++) {
		if (p->at[i] == at)
			return;
	}
	if (p->n == PICK_MAX)
		p->more++;
	else
		p->at[p->n++] = at;
}

const char *resolve_rec_label(const struct resolve_rec *rec, char *out, size_t size)
{
	if (rec->name)
		snprintf(out, size, "%s%s%s", resolve_s(rec->namespace_),
			 rec->namespace_ ? "/" : "", rec->name);
	else if (rec->sandbox_id)
		snprintf(out, size, "container:%.12s", rec->sandbox_id);
	else if (rec->n_containers)
		snprintf(out, size, "container:%.12s", rec->containers[0].id);
	else if (rec->uid)
		snprintf(out, size, "pod of uid %s", rec->uid);
	else if (rec->pid)
		snprintf(out, size, "pid:%d", (int)rec->pid);
	else if (rec->netns_path)
		snprintf(out, size, "netns:%s", rec->netns_path);
	else
		snprintf(out, size, "unnamed pod");
	return out;
}

static int pick_denied(const struct resolve *r, const char *pod, struct err *err)
{
	return err_set(err, -EACCES,
		       "cannot tell whether this node has %s: no permission to read %s "
		       "(needs CAP_DAC_READ_SEARCH; run as root)",
		       pod, r->denied);
}

/* Live candidates hide dead ones; of several dead ones the newest stands for all. */
static void pick_prefer_live(struct pick *p)
{
	unsigned n = 0;
	bool live = false;

	for (unsigned i = 0; i < p->n; i++)
		live = live || p->r->recs[p->at[i]].alive;
	for (unsigned i = 0; i < p->n; i++) {
		const struct resolve_rec *rec = &p->r->recs[p->at[i]];

		if (live && !rec->alive)
			continue;
		if (!live && n && rec->mtime <= p->r->recs[p->at[0]].mtime)
			continue;
		if (!live)
			n = 0;
		p->at[n++] = p->at[i];
	}
	p->n = n;
}

/* The order of directory entries is no order for people. */
static void pick_sort(struct pick *p)
{
	char a[320], b[320];

	for (unsigned i = 1; i < p->n; i++) {
		uint32_t at = p->at[i];
		unsigned j = i;

		resolve_rec_label(&p->r->recs[at], a, sizeof(a));
		for (; j > 0; j--) {
			const struct resolve_rec *before = &p->r->recs[p->at[j - 1]];
			int c = strcmp(resolve_rec_label(before, b, sizeof(b)), a);

			if (!c)
				c = strcmp(resolve_s(before->sandbox_id),
					   resolve_s(p->r->recs[at].sandbox_id));
			if (c <= 0)
				break;
			p->at[j] = p->at[j - 1];
		}
		p->at[j] = at;
	}
}

static int pick_ambiguous(struct pick *p, const char *pod, struct err *err)
{
	char list[700] = "", label[320];
	size_t len = 0;

	pick_sort(p);
	for (unsigned i = 0; i < p->n && i < PICK_SHOWN; i++) {
		const struct resolve_rec *rec = &p->r->recs[p->at[i]];
		const char *id = rec->sandbox_id     ? rec->sandbox_id
				 : rec->n_containers ? rec->containers[0].id
						     : "";
		int n = snprintf(list + len, sizeof(list) - len, "%s%s%s%.12s%s", i ? ", " : "",
				 resolve_rec_label(rec, label, sizeof(label)),
				 *id && rec->name ? " (container:" : "", rec->name ? id : "",
				 *id && rec->name ? ")" : "");

		if (n < 0 || (size_t)n >= sizeof(list) - len)
			break;
		len += (size_t)n;
	}
	if (p->n + p->more > PICK_SHOWN)
		snprintf(list + len, sizeof(list) - len, ", and %u more",
			 p->n + p->more - PICK_SHOWN);
	return err_usage(err, -ENOTUNIQ, "%.100s means more than one pod of this node: %s", pod,
			 list);
}

/* 0: exactly one, in *ret; 1: none; negative: ambiguous. */
static int pick_one(struct pick *p, const char *pod, struct resolve_rec **ret, struct err *err)
{
	pick_prefer_live(p);
	if (!p->n)
		return 1;
	if (p->n > 1)
		return pick_ambiguous(p, pod, err);
	*ret = &p->r->recs[p->at[0]];
	return 0;
}

static void pick_by_name(struct pick *p, const char *namespace_, const char *name)
{
	for (unsigned i = 0; i < p->r->n_recs; i++) {
		const struct resolve_rec *rec = &p->r->recs[i];

		if (rec->name && strcmp(rec->name, name) == 0 &&
		    (!namespace_ || strcmp(resolve_s(rec->namespace_), namespace_) == 0))
			pick_add(p, rec);
	}
}

static void pick_by_id(struct pick *p, const char *prefix)
{
	size_t n = strlen(prefix);

	/* a whole id beats ids that it begins */
	for (int exact = 1; exact >= 0 && !p->n; exact--) {
		for (unsigned i = 0; i < p->r->n_recs; i++) {
			const struct resolve_rec *rec = &p->r->recs[i];
			const char *id = resolve_s(rec->sandbox_id);
			bool hit = exact ? strcmp(id, prefix) == 0 : strncmp(id, prefix, n) == 0;

			for (unsigned j = 0; j < rec->n_containers && !hit; j++) {
				id = rec->containers[j].id;
				hit = exact ? strcmp(id, prefix) == 0 : strncmp(id, prefix, n) == 0;
			}
			if (hit)
				pick_add(p, rec);
		}
	}
}

static void pick_by_ip(struct pick *p, const struct addr *a)
{
	for (unsigned i = 0; i < p->r->n_recs; i++) {
		const struct resolve_rec *rec = &p->r->recs[i];

		for (unsigned j = 0; j < rec->n_cni; j++) {
			for (unsigned k = 0; k < rec->cni[j].n_ips; k++) {
				if (addr_eq(&rec->cni[j].ips[k], a))
					pick_add(p, rec);
			}
		}
	}
	for (unsigned i = 0; i < p->r->n_leases; i++) {
		struct resolve_rec *rec;

		if (!addr_eq(&p->r->leases[i].ip, a))
			continue;
		rec = resolve_rec_by_id(p->r, p->r->leases[i].id);
		if (rec)
			pick_add(p, rec);
	}
	pick_prefer_live(p);
	if (p->n && p->r->recs[p->at[0]].alive)
		return;
	/* no file knows it: ask every namespace for its addresses */
	for (unsigned i = 0; i < p->r->n_recs; i++) {
		struct chain *c;
		bool hit = false;

		if (!p->r->recs[i].alive || p->r->recs[i].host_network)
			continue;
		c = calloc(1, sizeof(*c));
		if (c)
			c->pods = calloc(1, sizeof(*c->pods));
		if (!c || !c->pods) {
			chain_free(c);
			p->r->oom = true;
			return;
		}
		c->n_pods = 1;
		if (resolve_build_pod(p->r, &p->r->recs[i], c->pods, NULL) == 0) {
			for (unsigned j = 0; j < c->pods->n_ips; j++)
				hit = hit || addr_eq(&c->pods->ips[j], a);
		}
		chain_free(c);
		if (hit)
			pick_add(p, &p->r->recs[i]);
	}
	pick_prefer_live(p);
}

/* A pod that runs here and whose name is nearly that, or begins with it. */
static const struct resolve_rec *pick_near_name(const struct resolve *r, const char *name)
{
	const struct resolve_rec *best = NULL;
	struct near near;

	near_begin(&near, name, true);
	for (unsigned i = 0; i < r->n_recs; i++) {
		const struct resolve_rec *rec = &r->recs[i];

		if (rec->alive && !rec->host_network && rec->namespace_ && rec->name &&
		    near_try(&near, rec->name))
			best = rec;
	}
	return best;
}

/* "web" is not here: is anything of that name left over? */
static int pick_no_name(struct resolve *r, const char *pod, const char *namespace_,
			const char *name, struct err *err)
{
	for (unsigned i = 0; i < r->n_logs; i++) {
		const struct resolve_log *l = &r->logs[i];

		if (strcmp(l->name, name) != 0 ||
		    (namespace_ && strcmp(l->namespace_, namespace_) != 0))
			continue;
		if (r->denied[0])
			break;
		return err_usage(err, -ENOENT,
				 "pod %s/%s is gone: its logs are still in "
				 "/var/log/pods/%s_%s_%s, but none of its processes or namespaces "
				 "exists; `podhop list` shows the pods that run here",
				 l->namespace_, l->name, l->namespace_, l->name, l->uid);
	}
	if (r->denied[0])
		return pick_denied(r, pod, err);
	const struct resolve_rec *near = pick_near_name(r, name);
	if (near)
		return err_usage(err, -ENOENT,
				 "no pod %.300s on this node (%.100s); did you mean %.250s/%.250s? "
				 "`podhop list` shows all that run here",
				 pod, r->node, near->namespace_, near->name);
	return err_usage(
		err, -ENOENT,
		"no pod %.300s on this node (%.100s): `podhop list` shows those "
		"that run here, `kubectl get pod -A -o wide` on which node another one runs",
		pod, r->node);
}

/* The node behind a VXLAN route: gateway -> VTEP's MAC -> outer address. */
static bool pick_remote_node(struct resolve *r, const struct resolve_route *rt, struct addr *ret)
{
	struct resolve_neigh *neighs = NULL, *fdb = NULL;
	unsigned n_neighs = 0, n_fdb = 0;
	bool found = false;

	if (resolve_rtnl_neighs(r->rtnl, rt->v6 ? AF_INET6 : AF_INET, &neighs, &n_neighs) ||
	    resolve_rtnl_neighs(r->rtnl, AF_BRIDGE, &fdb, &n_fdb))
		goto out;
	for (unsigned i = 0; i < n_neighs && !found; i++) {
		if (neighs[i].ifindex != rt->oif || !addr_eq(&neighs[i].dst, &rt->gw))
			continue;
		for (unsigned j = 0; j < n_fdb && !found; j++) {
			if (fdb[j].ifindex == rt->oif && mac_eq(&fdb[j].mac, &neighs[i].mac) &&
			    !addr_is_none(&fdb[j].dst)) {
				*ret = fdb[j].dst;
				found = true;
			}
		}
	}
out:
	free(neighs);
	free(fdb);
	return found;
}

/* FLANNEL_NETWORK and FLANNEL_IPV6_NETWORK of subnet.env, each a list. */
static bool pick_in_cluster(const struct resolve *r, const struct addr *a)
{
	const char *p = resolve_s(r->subnet_env);

	while ((p = strstr(p, "NETWORK="))) {
		char one[PREFIX_STR_MAX + 1];

		p += 8;
		while (*p && *p != '\n') {
			size_t n = strcspn(p, ",\r\n");
			struct prefix prefix;

			if (n < sizeof(one)) {
				memcpy(one, p, n);
				one[n] = 0;
				if (prefix_parse(one, &prefix) == 0 &&
				    addr_is_v4(&prefix.addr) == addr_is_v4(a) &&
				    prefix_has(&prefix, a))
					return true;
			}
			p += n;
			if (*p == ',')
				p++;
			else
				break;
		}
	}
	return false;
}

static int pick_no_ip(struct resolve *r, const struct addr *a, struct err *err)
{
	const struct resolve_route *rt = resolve_host_route(r, a);
	const struct resolve_link *dev = rt ? resolve_host_link(r, rt->oif) : NULL;
	char ip[ADDR_STR_MAX], net[PREFIX_STR_MAX], via[ADDR_STR_MAX];
	struct addr node;

	addr_str(a, ip);
	for (unsigned i = 0; i < r->n_addrs; i++) {
		if (!addr_eq(&r->addrs[i].prefix.addr, a))
			continue;
		dev = resolve_host_link(r, r->addrs[i].ifindex);
		return err_usage(err, -EADDRNOTAVAIL,
				 "%s is this node's own address (%s): hostNetwork "
				 "pods share it and have no veth; capture on the node's devices, "
				 "e.g. tcpdump -i %s",
				 ip, dev ? dev->l.name : "?", dev ? dev->l.name : "any");
	}
	if (rt && dev && strcmp(dev->l.kind, "vxlan") == 0) {
		prefix_str(&rt->dst, net);
		if (pick_remote_node(r, rt, &node))
			return err_usage(err, -EREMOTE,
					 "%s belongs to a pod of another node: %s goes "
					 "through %s to node %s; run podhop there",
					 ip, net, dev->l.name, addr_str(&node, via));
		return err_usage(err, -EREMOTE,
				 "%s belongs to a pod of another node: %s goes through "
				 "%s; run podhop on that node",
				 ip, net, dev->l.name);
	}
	if (rt && dev && rt->dst.len && pick_in_cluster(r, a) && !addr_is_none(&rt->gw)) {
		prefix_str(&rt->dst, net);
		return err_usage(err, -EREMOTE,
				 "%s belongs to a pod of another node: %s is routed to "
				 "node %s over %s; run podhop there",
				 ip, net, addr_str(&rt->gw, via), dev->l.name);
	}
	if (r->denied[0])
		return pick_denied(r, ip, err);
	for (unsigned i = 0; i < r->n_leases; i++) {
		if (addr_eq(&r->leases[i].ip, a))
			return err_usage(err, -ENOENT,
					 "the pod with address %s is gone: %s is left "
					 "over and names container %.12s, which does not exist",
					 ip, r->leases[i].file, r->leases[i].id);
	}
	if (rt && dev && strcmp(dev->l.kind, "bridge") == 0)
		return err_usage(err, -ENOENT,
				 "no pod of this node has address %s, although it is in "
				 "%s of %s: the pod is gone",
				 ip, prefix_str(&rt->dst, net), dev->l.name);
	if (pick_in_cluster(r, a))
		return err_usage(err, -EREMOTE,
				 "%s is in the cluster's pod network, but no pod of this "
				 "node has it and no route leads to it: run podhop on its node",
				 ip);
	return err_usage(err, -ENOENT,
			 "no pod of this node has address %s: `podhop list` shows those "
			 "that run here",
			 ip);
}

static int pick_host_own(const char *what, struct err *err)
{
	return err_usage(
		err, -EOPNOTSUPP,
		"%.300s is in the host's own network namespace "
		"(hostNetwork), so it has no veth: its packets are the node's own; capture "
		"on the node's devices with tcpdump",
		what);
}

/*
 * A record of which a host veth is all that is known has that one's nsid: finding its
 * process too, as resolve_rec_nsid() does, would ask every namespace for every record.
 */
static bool pick_leads_to(struct resolve *r, struct resolve_rec *rec, int32_t nsid)
{
	const struct resolve_link *claim;

	if (!rec->ns.ino && rec->nsid < 0 && !rec->pid) {
		claim = resolve_rec_claim(r, rec);
		if (claim)
			return claim->l.link_netnsid == nsid;
	}
	resolve_rec_nsid(r, rec);
	return rec->nsid == nsid;
}

/* The record of that namespace as the store has it; NULL. nsid -1: it has none. */
static struct resolve_rec *pick_known_ns(struct resolve *r, const struct resolve_netns *ns,
					 int32_t nsid)
{
	for (unsigned i = 0; i < r->n_recs; i++) {
		if (resolve_netns_eq(&r->recs[i].ns, ns))
			return &r->recs[i];
	}
	/* its files name no namespace that can be opened, but a host veth that leads there */
	for (unsigned i = 0; nsid >= 0 && i < r->n_recs; i++) {
		struct resolve_rec *rec = &r->recs[i];

		if (!rec->alive || rec->ns.ino || !pick_leads_to(r, rec, nsid))
			continue;
		rec->ns = *ns;
		return rec;
	}
	return NULL;
}

/*
 * The record whose network namespace ns is. No source may have said so yet: OCI bundles
 * are read before it is taken for a namespace of no pod and a bare record is made.
 */
static int pick_ns(struct resolve *r, const char *pod, const struct resolve_netns *ns,
		   const char *path, int fd, pid_t pid, struct resolve_rec **ret, struct err *err)
{
	struct resolve_rec probe = { .ns = *ns, .pid = pid, .nsid = -1 };
	struct resolve_rec *rec;
	int rc;

	/* the path may be one that only this process can open: its fd is surer */
	if (fd < 0)
		resolve_rec_nsid(r, &probe);
	else if (!r->rtnl || resolve_rtnl_nsid(r->rtnl, fd, 0, &probe.nsid))
		probe.nsid = -1;
	rec = pick_known_ns(r, ns, probe.nsid);
	if ((!rec || !resolve_rec_is_known(rec)) && !r->have_bundles) {
		rc = resolve_store_load(r, true, err);
		if (rc)
			return rc;
		rec = pick_known_ns(r, ns, probe.nsid);
	}
	if (!rec)
		rec = resolve_rec_anonymous(r, ns, path, pid);
	*ret = rec;
	return rec ? 0 : err_sys(err, ENOMEM, "%.100s", pod);
}

static int pick_pid(struct resolve *r, const char *pod, struct resolve_rec **ret, struct err *err)
{
	const struct resolve_proc *p;
	struct resolve_rec *rec;
	char *end;
	long pid = strtol(pod + 4, &end, 10);
	int rc;

	if (*end || end == pod + 4 || pid <= 0 || pid > (1L << 30))
		return err_usage(err, -EINVAL, "%.100s: pid: takes a process number", pod);
	p = resolve_proc_find(r, (pid_t)pid);
	if (!p)
		return err_usage(err, -ESRCH, "there is no process %ld on this node", pid);
	rec = resolve_rec_by_id(r, p->cg.id);
	/* a nested container is another namespace than its pod's */
	if (rec && (!p->ns.ino || !rec->ns.ino || resolve_netns_eq(&rec->ns, &p->ns))) {
		rec->asked_pid = p->pid;
		*ret = rec;
		return 0;
	}
	if (resolve_netns_eq(&p->ns, &r->own))
		return pick_host_own(pod, err);
	if (p->ns.ino) {
		rc = pick_ns(r, pod, &p->ns, NULL, -1, p->pid, ret, err);
		/* 0 comes with a record: err_ functions, unseen by the analyzer, return no 0 */
		if (!rc)
			(*ret)->asked_pid = p->pid; /* NOLINT(clang-analyzer-core.*) */
		return rc;
	}
	rec = resolve_rec_anonymous(r, NULL, NULL, p->pid);
	if (!rec)
		return err_sys(err, ENOMEM, "%.100s", pod);
	rec->netns_denied = true;
	*ret = rec;
	return 0;
}

static int pick_netns(struct resolve *r, const char *pod, struct resolve_rec **ret, struct err *err)
{
	const char *path = pod + 6;
	struct resolve_netns ns;
	char named[300];
	int fd, rc;

	if (!*path)
		return err_usage(err, -EINVAL, "netns: takes a path, or a name of `ip netns`");
	/* `ip netns` speaks of names */
	if (!strchr(path, '/')) {
		snprintf(named, sizeof(named), "/var/run/netns/%.255s", path);
		path = named;
	}
	fd = resolve_netns_open(&r->fs, path, &ns);
	if (fd < 0 && r->fs.root >= 0) {
		/* written as this process sees it, rather than the node */
		struct resolve_fs here = { .root = -1, .proc = r->fs.proc };
		int other = resolve_netns_open(&here, path, &ns);

		if (other >= 0)
			fd = other;
	}
	if (fd == -EACCES || fd == -EPERM)
		return err_sys(err, fd, "open %.300s (needs CAP_SYS_PTRACE; run as root)", path);
	if (fd == -ESTALE)
		return err_usage(err, fd,
				 "%.300s is a plain file, not a network namespace: what was "
				 "mounted there is gone",
				 path);
	if (fd < 0)
		return err_usage(err, fd, "no network namespace %.300s: %s", path, strerror(-fd));
	rc = resolve_netns_eq(&ns, &r->own) ? pick_host_own(pod, err)
					    : pick_ns(r, pod, &ns, path, fd, 0, ret, err);
	close(fd);
	return rc;
}

/* The live record that a host veth of that nsid leads to; NULL. */
static struct resolve_rec *pick_nsid(struct resolve *r, int32_t nsid)
{
	for (unsigned i = 0; i < r->n_recs; i++) {
		struct resolve_rec *rec = &r->recs[i];

		if (rec->alive && pick_leads_to(r, rec, nsid))
			return rec;
	}
	return NULL;
}

static int pick_veth(struct resolve *r, const char *pod, struct resolve_rec **ret, struct err *err)
{
	const char *name = pod + 5;
	const struct resolve_link *l = resolve_host_link_named(r, name);
	const struct resolve_link *vtep;
	const struct resolve_proc *p;
	struct resolve_rec *rec;
	int rc;

	if (!l)
		return err_usage(err, -ENODEV, "there is no device %.64s on this node; "
				 "`podhop list` shows the pods' veths", name);
	if (strcmp(l->l.kind, "veth") != 0)
		return err_usage(err, -EINVAL,
				 "%s is no veth%s%s: `podhop list` shows the pods' veths",
				 l->l.name, l->l.kind[0] ? " but a " : "", l->l.kind);
	if (l->l.link_netnsid < 0)
		return err_usage(err, -EINVAL,
				 "both ends of veth %s are in this network namespace: no "
				 "pod hangs on it",
				 l->l.name);
	rec = pick_nsid(r, l->l.link_netnsid);
	if ((!rec || !resolve_rec_is_known(rec)) && !r->have_bundles) {
		rc = resolve_store_load(r, true, err);
		if (rc)
			return rc;
		rec = pick_nsid(r, l->l.link_netnsid);
	}
	vtep = resolve_host_vtep_over(r, l->l.ifindex);
	if (vtep && (!rec || !resolve_rec_is_known(rec)))
		return err_usage(err, -EINVAL,
				 "%s is no pod's veth but the underlay of %s: its other end is "
				 "the network of the nodes; every capture of a pod takes it along, "
				 "`podhop list` shows the pods' veths",
				 l->l.name, vtep->l.name);
	if (rec) {
		*ret = rec;
		return 0;
	}
	/* no source knows whose it is; processes may */
	p = resolve_proc_by_nsid(r, l->l.link_netnsid);
	if (p)
		return pick_ns(r, pod, &p->ns, NULL, -1, p->pid, ret, err);
	rec = resolve_rec_anonymous(r, NULL, NULL, 0);
	if (!rec)
		return err_sys(err, ENOMEM, "%.100s", pod);
	rec->nsid = l->l.link_netnsid;
	rec->alive = true;
	*ret = rec;
	return 0;
}

static bool pick_is_hex(const char *s)
{
	size_t n = strlen(s);

	return n >= PICK_HEX_MIN && n <= RESOLVE_HEX_ID && strspn(s, "0123456789abcdefABCDEF") == n;
}

/* A container of no pod: podman's, or docker's where its state cannot be read. */
static int pick_stray(struct resolve *r, const char *pod, const char *prefix,
		      struct resolve_rec **ret, struct err *err)
{
	const struct resolve_proc *hit = NULL;

	for (unsigned i = 0; i < r->n_procs; i++) {
		const struct resolve_proc *p = &r->procs[i];

		if (!p->cg.id[0] || strncmp(p->cg.id, prefix, strlen(prefix)) != 0)
			continue;
		if (hit && strcmp(hit->cg.id, p->cg.id) != 0)
			return err_usage(err, -ENOTUNIQ,
					 "%.100s means more than one container: %.12s, "
					 "%.12s; give more digits",
					 pod, hit->cg.id, p->cg.id);
		if (!hit)
			hit = p;
	}
	if (!hit)
		return 1;
	if (resolve_netns_eq(&hit->ns, &r->own))
		return pick_host_own(pod, err);
	if (hit->ns.ino)
		return pick_ns(r, pod, &hit->ns, NULL, -1, hit->pid, ret, err);
	*ret = resolve_rec_anonymous(r, NULL, NULL, hit->pid);
	if (!*ret)
		return err_sys(err, ENOMEM, "%.100s", pod);
	(*ret)->netns_denied = true;
	return 0;
}

static int pick_container(struct resolve *r, const char *pod, const char *id,
			  struct resolve_rec **ret, struct err *err)
{
	struct pick p = { .r = r };
	const char *scheme = strstr(id, "://");
	char lower[256];
	size_t n;
	int rc;

	/* as kubectl prints it: containerd://<id> */
	if (scheme)
		id = scheme + 3;
	n = strlen(id);
	if (!n || n >= sizeof(lower))
		return err_usage(err, -EINVAL,
				 "%.100s: container: takes an id or the beginning of one", pod);
	for (size_t i = 0; i <= n; i++)
		lower[i] = id[i] >= 'A' && id[i] <= 'F' ? (char)(id[i] - 'A' + 'a') : id[i];
	pick_by_id(&p, lower);
	rc = pick_one(&p, pod, ret, err);
	if (rc == 1)
		rc = pick_stray(r, pod, lower, ret, err);
	if (rc == 1 && !r->have_bundles && n >= PICK_HEX_MIN) {
		/* no process shows it: its own bundle, before all of them are parsed */
		resolve_oci_scan_prefix(r, lower);
		pick_by_id(&p, lower);
		for (unsigned i = 0; i < p.n; i++)
			resolve_rec_settle(r, &r->recs[p.at[i]]);
		rc = pick_one(&p, pod, ret, err);
	}
	return rc;
}

/* 0, negative, or 1: nothing yet, a source not read so far might know. */
static int pick_try(struct resolve *r, const char *pod, struct resolve_rec **ret, struct err *err)
{
	struct pick p = { .r = r };
	const char *slash = strchr(pod, '/');
	char namespace_[MODEL_K8S_NAME_MAX];
	struct addr a;
	int rc;

	if (strncmp(pod, "container:", 10) == 0)
		return pick_container(r, pod, pod + 10, ret, err);
	if (strncmp(pod, "pid:", 4) == 0)
		return pick_pid(r, pod, ret, err);
	if (strncmp(pod, "netns:", 6) == 0)
		return pick_netns(r, pod, ret, err);
	if (strncmp(pod, "veth:", 5) == 0)
		return pick_veth(r, pod, ret, err);
	if (slash) {
		size_t n = (size_t)(slash - pod);

		if (!n || n >= sizeof(namespace_) || !slash[1] || strchr(slash + 1, '/'))
			return err_usage(err, -EINVAL, "%.300s is no namespace/name", pod);
		memcpy(namespace_, pod, n);
		namespace_[n] = 0;
		pick_by_name(&p, namespace_, slash + 1);
		return pick_one(&p, pod, ret, err);
	}
	if (addr_parse(pod, &a) == 0) {
		pick_by_ip(&p, &a);
		return pick_one(&p, pod, ret, err);
	}
	pick_by_name(&p, NULL, pod);
	rc = pick_one(&p, pod, ret, err);
	if (rc == 1 && pick_is_hex(pod))
		rc = pick_container(r, pod, pod, ret, err);
	return rc;
}

static int pick_none(struct resolve *r, const char *pod, struct err *err)
{
	const char *slash = strchr(pod, '/');
	char namespace_[MODEL_K8S_NAME_MAX] = "";
	struct addr a;

	if (strncmp(pod, "container:", 10) == 0) {
		if (r->denied[0])
			return pick_denied(r, pod, err);
		return err_usage(err, -ENOENT,
				 "no container %.100s runs on this node: "
				 "`podhop list` shows the pods that do",
				 pod + 10);
	}
	if (addr_parse(pod, &a) == 0)
		return pick_no_ip(r, &a, err);
	if (slash && (size_t)(slash - pod) < sizeof(namespace_)) {
		memcpy(namespace_, pod, (size_t)(slash - pod));
		namespace_[slash - pod] = 0;
		return pick_no_name(r, pod, namespace_, slash + 1, err);
	}
	return pick_no_name(r, pod, NULL, pod, err);
}

/* Some live pod has no name yet: its bundle may hold the name asked for. */
static bool pick_wants_bundles(const struct resolve *r)
{
	for (unsigned i = 0; i < r->n_recs; i++) {
		if (r->recs[i].is_pod && r->recs[i].alive && !r->recs[i].name)
			return true;
	}
	return false;
}

int resolve_pick(struct resolve *r, const char *pod, struct resolve_rec **ret, struct err *err)
{
	struct resolve_rec *rec = NULL;
	int rc;

	if (!*pod || strlen(pod) > PICK_POD_MAX)
		return err_usage(err, -EINVAL,
				 "a POD is [namespace/]name, an IP, container:ID, pid:N, "
				 "netns:PATH or veth:NAME");
	rc = resolve_store_load(r, false, err);
	if (!rc && pick_wants_bundles(r))
		rc = resolve_store_load(r, true, err);
	if (rc)
		return rc;
	rc = pick_try(r, pod, &rec, err);
	/* a dead record is all that is known: the bundles may hold a live one; 0 comes with rec */
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
	if ((rc == 1 || (!rc && !rec->alive)) && !r->have_bundles) {
		rc = resolve_store_load(r, true, err);
		if (rc)
			return rc;
		rc = pick_try(r, pod, &rec, err);
	}
	if (r->oom)
		return err_sys(err, ENOMEM, "resolve %.100s", pod);
	if (rc == 1)
		return pick_none(r, pod, err);
	if (!rc)
		*ret = rec;
	return rc;
}
