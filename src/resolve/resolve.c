/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * resolve.c - the module's door: open, list, resolve, and hops for a capture.
 *
 * Theory of operation. resolve_open() reads the host over netlink; that dump is
 * also what makes the kernel number the pods' namespaces, so it comes first.
 * Files and /proc are read at the first question about pods, OCI bundles only
 * when the rest leaves it open (oci.c says why). The view is a snapshot;
 * resolve_refresh() takes a new one.
 */
#include "resolve_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static void node_name_set(char *out, size_t size, const char *name)
{
	size_t n = strcspn(name, " \t\r\n");

	if (n >= size)
		n = size - 1;
	memcpy(out, name, n);
	out[n] = 0;
}

void resolve_node_name(const char *host_root, const char *node, char *out, size_t out_size)
{
	struct resolve_fs fs;
	struct utsname uts;
	struct buf b;

	if (!out_size)
		return;
	out[0] = 0;
	if (!node || !*node)
		node = getenv("NODE_NAME");
	if (node && *node) {
		node_name_set(out, out_size, node);
		return;
	}
	buf_init(&b, 4096);
	if (resolve_fs_init(&fs, host_root, NULL) == 0) {
		if (resolve_fs_read(&fs, "/etc/hostname", &b) == 0)
			node_name_set(out, out_size, buf_str(&b));
	}
	resolve_fs_done(&fs);
	buf_done(&b);
	if (!out[0] && uname(&uts) == 0)
		node_name_set(out, out_size, uts.nodename);
}

static int resolve_cmp_links(const void *a, const void *b)
{
	uint32_t x = ((const struct resolve_link *)a)->l.ifindex;
	uint32_t y = ((const struct resolve_link *)b)->l.ifindex;

	return x < y ? -1 : x > y;
}

static int resolve_read_host(struct resolve *r, struct err *err)
{
	int rc = resolve_rtnl_links(r->rtnl, -1, &r->links, &r->n_links);

	if (rc)
		return err_sys(err, rc, "read the node's links over netlink");
	qsort(r->links, r->n_links, sizeof(*r->links), resolve_cmp_links);
	rc = resolve_rtnl_addrs(r->rtnl, -1, &r->addrs, &r->n_addrs);
	if (rc)
		return err_sys(err, rc, "read the node's addresses over netlink");
	rc = resolve_rtnl_routes(r->rtnl, &r->routes, &r->n_routes);
	if (rc)
		return err_sys(err, rc, "read the node's routes over netlink");
	return 0;
}

static void resolve_forget_host(struct resolve *r)
{
	free(r->links);
	free(r->addrs);
	free(r->routes);
	r->links = NULL;
	r->addrs = NULL;
	r->routes = NULL;
	r->n_links = r->n_addrs = r->n_routes = 0;
	r->self_nsid = -1;
}

struct resolve *resolve_open(const struct resolve_config *config, struct err *err)
{
	const char *root = config && config->host_root ? config->host_root : "";
	struct resolve *r = calloc(1, sizeof(*r));

	if (!r) {
		err_sys(err, ENOMEM, "resolve");
		return NULL;
	}
	r->own_fd = -1;
	r->self_nsid = -1;
	r->fs.root = r->fs.proc = -1;
	if (resolve_fs_init(&r->fs, root, err))
		goto out;
	resolve_node_name(root, config ? config->node : NULL, r->node, sizeof(r->node));
	r->own_fd = resolve_netns_open_own(&r->own);
	if (r->own_fd < 0) {
		err_sys(err, r->own_fd, "open /proc/self/ns/net");
		goto out;
	}
	r->rtnl = resolve_rtnl_open(err);
	if (!r->rtnl || resolve_read_host(r, err))
		goto out;
	return r;
out:
	resolve_free(r);
	return NULL;
}

void resolve_free(struct resolve *r)
{
	if (!r)
		return;
	resolve_store_done(r);
	resolve_forget_host(r);
	resolve_rtnl_free(r->rtnl);
	if (r->own_fd >= 0)
		close(r->own_fd);
	resolve_fs_done(&r->fs);
	free(r);
}

int resolve_refresh(struct resolve *r, struct err *err)
{
	resolve_store_done(r);
	resolve_forget_host(r);
	r->oom = false;
	r->denied[0] = 0;
	return resolve_read_host(r, err);
}

static int resolve_cmp_pods(const void *a, const void *b)
{
	const struct chain_pod *x = a, *y = b;
	int c = strcmp(x->namespace_, y->namespace_);

	if (!c)
		c = strcmp(x->name, y->name);
	if (!c)
		c = strcmp(x->uid, y->uid);
	if (!c)
		c = strcmp(x->n_containers ? x->containers[0].id : "",
			   y->n_containers ? y->containers[0].id : "");
	if (!c)
		c = x->netns_inode < y->netns_inode ? -1 : x->netns_inode > y->netns_inode;
	return c;
}

/* A dead record is shown only where nothing newer, and nothing live, has its name. */
static bool resolve_is_shown(const struct resolve *r, const struct resolve_rec *rec)
{
	if (!rec->is_pod)
		return false;
	if (rec->alive)
		return true;
	for (unsigned i = 0; i < r->n_recs; i++) {
		const struct resolve_rec *o = &r->recs[i];

		if (o == rec || strcmp(resolve_s(o->name), resolve_s(rec->name)) != 0 ||
		    strcmp(resolve_s(o->namespace_), resolve_s(rec->namespace_)) != 0)
			continue;
		if (!rec->name)
			continue;
		if (o->alive || o->mtime > rec->mtime || (o->mtime == rec->mtime && o > rec))
			return false;
	}
	return true;
}

static struct chain_pod *resolve_add_pod(struct chain *c)
{
	return grow(&c->pods, &c->n_pods, sizeof(*c->pods), RESOLVE_RECS_MAX);
}

int resolve_list(struct resolve *r, struct chain **ret_chain, struct err *err)
{
	struct chain *c;
	int rc = resolve_store_load(r, true, err);

	if (rc)
		return rc;
	c = calloc(1, sizeof(*c));
	if (!c)
		return err_sys(err, ENOMEM, "list pods");
	for (unsigned i = 0; i < r->n_recs && !rc; i++) {
		struct chain_pod *pod;

		if (!resolve_is_shown(r, &r->recs[i]))
			continue;
		pod = resolve_add_pod(c);
		rc = pod ? resolve_build_pod(r, &r->recs[i], pod, NULL) : -ENOMEM;
	}
	if (!rc)
		rc = resolve_host_fill(r, c);
	if (!rc)
		rc = resolve_rtnl_lacked(r->rtnl);
	if (rc) {
		chain_free(c);
		return err_sys(err, rc, "list pods");
	}
	if (!c->n_pods && r->denied[0]) {
		chain_free(c);
		return err_set(err, -EACCES,
			       "cannot tell which pods this node has: no permission to "
			       "read %s (needs CAP_DAC_READ_SEARCH; run as root)",
			       r->denied);
	}
	if (c->n_pods)
		qsort(c->pods, c->n_pods, sizeof(*c->pods), resolve_cmp_pods);
	*ret_chain = c;
	return 0;
}

/* The shared part of the walk, behind the pod's own steps. */
static int resolve_host_evidence(const struct resolve *r, struct chain *c)
{
	char a[ADDR_STR_MAX], m[MAC_STR_MAX], p[PREFIX_STR_MAX];
	int rc = 0;

	for (unsigned i = 0; i < c->host.n_vteps && !rc; i++) {
		const struct chain_vtep *v = &c->host.vteps[i];
		const struct resolve_link *l = resolve_host_link(r, v->link.ifindex);
		const struct resolve_link *u = resolve_host_link(r, v->underlay_ifindex);

		rc = resolve_chain_add(c, "vtep", "netlink RTM_GETLINK",
				       "%s is vxlan, vni %u, port %u, local %s, mac %s",
				       v->link.name, v->vni, v->port,
				       addr_is_none(&v->local) ? "-" : addr_str(&v->local, a),
				       mac_str(&v->link.mac, m));
		if (!rc && u)
			rc = resolve_chain_add(c, "underlay",
					       l && l->vxlan_link
						       ? "netlink RTM_GETLINK IFLA_VXLAN_LINK"
						       : "netlink RTM_GETROUTE",
					       "%s sends through %s (ifindex %u)", v->link.name,
					       u->l.name, u->l.ifindex);
	}
	for (unsigned i = 0; i < c->host.n_underlays && !rc; i++) {
		const struct chain_link *u = &c->host.underlays[i];

		if (u->n_addrs)
			rc = resolve_chain_add(c, "underlay", "netlink RTM_GETADDR", "%s has %s",
					       u->name, prefix_str(&u->addrs[0], p));
		else if (!c->host.n_vteps)
			rc = resolve_chain_add(c, "underlay", "netlink RTM_GETROUTE",
					       "%s is the way out of the node", u->name);
	}
	return rc;
}

int resolve_pods(struct resolve *r, const char *const *pods, unsigned n, struct chain **ret_chain,
		 struct err *err)
{
	struct chain *c = calloc(1, sizeof(*c));
	char label[320];
	int rc = 0, bad = 0, lacked;

	if (!c)
		return err_sys(err, ENOMEM, "resolve");
	for (unsigned i = 0; i < n; i++) {
		struct resolve_rec *rec = NULL;
		struct chain_pod *pod;
		size_t at;

		rc = resolve_pick(r, pods[i], &rec, err);
		if (rc)
			goto out;
		at = (size_t)(rec - r->recs);
		/* names of its containers; may add records, so by number */
		resolve_oci_scan_rec(r, rec);
		rec = &r->recs[at];
		resolve_rec_settle(r, rec);
		pod = resolve_add_pod(c);
		rc = pod ? resolve_build_pod(r, rec, pod, c) : -ENOMEM;
		rec->asked_pid = 0;
		if (rc || r->oom) {
			rc = err_sys(err, rc ? rc : ENOMEM, "resolve %.100s", pods[i]);
			goto out;
		}
		if (!resolve_pod_usable(pod) && !bad) {
			resolve_rec_label(rec, label, sizeof(label));
			if (rec->netns_denied && rec->nsid < 0)
				bad = err_set(err, -EACCES, "pod %s: %s", label, pod->problem);
			else
				bad = err_usage(err, rec->alive ? -EOPNOTSUPP : -ENOENT,
						"pod %s %s%s", label,
						rec->host_network ? ""
						: rec->alive	  ? "cannot be captured: "
								  : "is ",
						pod->problem);
		}
	}
	rc = resolve_host_fill(r, c);
	if (!rc)
		rc = resolve_host_evidence(r, c);
	if (rc)
		rc = err_sys(err, rc, "resolve");
out:
	lacked = resolve_rtnl_lacked(r->rtnl);
	if (lacked) {
		err_clear(err);
		rc = err_sys(err, lacked, "ask the kernel over netlink about %.100s", pods[0]);
	}
	if (rc) {
		chain_free(c);
		return rc;
	}
	*ret_chain = c;
	return bad;
}

int resolve_pod(struct resolve *r, const char *pod, struct chain **ret_chain, struct err *err)
{
	return resolve_pods(r, &pod, 1, ret_chain, err);
}

int resolve_device(struct resolve *r, const char *name, struct chain_link *ret_link,
		   struct err *err)
{
	const struct resolve_link *l = resolve_host_link_named(r, name);
	int rc;

	if (!l)
		return err_usage(err, -ENODEV, "there is no device %.64s on this node; "
				 "`podhop list` shows those of the pods' paths", name);
	rc = resolve_host_copy(r, l, ret_link);
	if (rc) {
		free(ret_link->addrs);
		*ret_link = (struct chain_link){ .ifindex = 0 };
		return err_sys(err, rc, "device %s", name);
	}
	return 0;
}
