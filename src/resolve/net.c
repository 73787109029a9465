/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * net.c - a chain as hops: what a capture opens and the correlator knows.
 */
#include "podhop/resolve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct model_hop *net_add_hop(struct model_net *net, enum model_role role,
				     const struct chain_link *l)
{
	struct model_hop *h;

	if (net->n_hops == MODEL_HOPS_MAX)
		return NULL;
	h = &net->hops[net->n_hops++];
	memcpy(h->name, l->name, sizeof(l->name));
	h->role = role;
	h->ifindex = l->ifindex;
	h->linktype = MODEL_LINKTYPE_ETHERNET;
	h->mtu = l->mtu;
	h->mac = l->mac;
	h->pod = -1;
	for (unsigned i = 0; i < l->n_addrs && h->n_addrs < MODEL_HOP_ADDRS_MAX; i++)
		h->addrs[h->n_addrs++] = l->addrs[i];
	return h;
}

static bool net_has_hop(const struct model_net *net, uint32_t ifindex)
{
	for (unsigned i = 0; i < net->n_hops; i++) {
		if (net->hops[i].ifindex == ifindex)
			return true;
	}
	return false;
}

static void net_add_pod(struct model_net *net, const struct chain_pod *pod)
{
	struct model_pod *to = &net->pods[net->n_pods++];

	strncpy(to->namespace_, pod->namespace_, sizeof(to->namespace_) - 1);
	strncpy(to->name, pod->name, sizeof(to->name) - 1);
	for (unsigned i = 0; i < pod->n_ips && to->n_addrs < MODEL_POD_ADDRS_MAX; i++)
		to->addrs[to->n_addrs++] = pod->ips[i];
	if (pod->n_interfaces)
		to->mac = pod->interfaces[0].link.mac;
}

/* How much a VXLAN device matters: routes lead into it, it has an address, it is there. */
static int net_vtep_weight(const struct chain_host *h, const struct chain_vtep *v)
{
	for (unsigned i = 0; i < h->n_routes; i++) {
		if (h->routes[i].kind == MODEL_ROUTE_VTEP &&
		    h->routes[i].ifindex == v->link.ifindex)
			return 2;
	}
	for (unsigned i = 0; i < v->link.n_addrs; i++) {
		if (!addr_is_link_local(&v->link.addrs[i].addr))
			return 1;
	}
	return 0;
}

static void net_add_port(struct model_net *net, uint16_t port)
{
	const unsigned max = sizeof(net->vxlan_ports) / sizeof(net->vxlan_ports[0]);

	for (unsigned i = 0; i < net->n_vxlan_ports; i++) {
		if (net->vxlan_ports[i] == port)
			return;
	}
	if (port && net->n_vxlan_ports < max)
		net->vxlan_ports[net->n_vxlan_ports++] = port;
}

static bool net_add_underlay(struct model_net *net, const struct chain_host *h, uint32_t ifindex,
			     const struct chain_vtep *v)
{
	for (unsigned i = 0; i < h->n_underlays; i++) {
		struct model_hop *hop;

		if (h->underlays[i].ifindex != ifindex || net_has_hop(net, ifindex))
			continue;
		hop = net_add_hop(net, MODEL_ROLE_UNDERLAY, &h->underlays[i]);
		if (!hop)
			return false;
		if (v) {
			hop->vni = v->vni;
			hop->has_vni = true;
			hop->vxlan_port = v->port;
		}
	}
	return true;
}

static bool net_add_host(struct model_net *net, const struct chain_host *h)
{
	int least = 0;
	bool ok = true;

	for (unsigned i = 0; i < h->n_bridges && ok; i++)
		ok = net_add_hop(net, MODEL_ROLE_BRIDGE, &h->bridges[i]) != NULL;
	/*
	 * Some nodes have VXLAN devices that no pod's packet passes (another CNI's
	 * leftovers): where some matter, those that do not are left out.
	 */
	for (unsigned i = 0; i < h->n_vteps; i++) {
		int w = net_vtep_weight(h, &h->vteps[i]);

		least = w > least ? w : least;
	}
	if (least > 1)
		least = 1;
	for (unsigned i = 0; i < h->n_vteps && ok; i++) {
		const struct chain_vtep *v = &h->vteps[i];
		struct model_hop *hop;

		if (net_vtep_weight(h, v) < least)
			continue;
		hop = net_add_hop(net, MODEL_ROLE_VTEP, &v->link);
		ok = hop != NULL;
		if (ok) {
			hop->vni = v->vni;
			hop->has_vni = true;
			hop->vxlan_port = v->port;
			net_add_port(net, v->port);
		}
	}
	for (unsigned i = 0; i < h->n_vteps && ok; i++) {
		const struct chain_vtep *v = &h->vteps[i];

		if (net_vtep_weight(h, v) >= least)
			ok = net_add_underlay(net, h, v->underlay_ifindex, v);
	}
	for (unsigned i = 0; !h->n_vteps && i < h->n_underlays && ok; i++)
		ok = net_add_underlay(net, h, h->underlays[i].ifindex, NULL);
	return ok;
}

int resolve_net(const struct chain *c, struct model_net *ret_net, struct err *err)
{
	struct model_net *net;
	bool ok = true;
	int rc = 0;

	net = calloc(1, sizeof(*net));
	if (!net)
		return err_sys(err, ENOMEM, "hops");
	strncpy(net->node, c->host.node ? c->host.node : "", sizeof(net->node) - 1);
	for (unsigned i = 0; i < c->n_pods; i++) {
		const struct chain_pod *pod = &c->pods[i];
		bool used = false;

		for (unsigned j = 0; j < pod->n_interfaces && ok; j++) {
			struct model_hop *hop;

			if (!pod->interfaces[j].host_veth.ifindex ||
			    net_has_hop(net, pod->interfaces[j].host_veth.ifindex))
				continue;
			if (!used && net->n_pods == MODEL_PODS_MAX) {
				ok = false;
				break;
			}
			if (!used)
				net_add_pod(net, pod);
			used = true;
			hop = net_add_hop(net, MODEL_ROLE_VETH, &pod->interfaces[j].host_veth);
			ok = hop != NULL;
			if (ok)
				hop->pod = (int)net->n_pods - 1;
		}
	}
	ok = ok && net_add_host(net, &c->host);
	if (!ok) {
		rc = err_usage(err, -E2BIG,
			       "too many pods for one run: it has at most %d pods and "
			       "%d hops",
			       MODEL_PODS_MAX, MODEL_HOPS_MAX);
		goto out;
	}
	if (c->host.n_routes) {
		net->routes = malloc(c->host.n_routes * sizeof(*net->routes));
		if (!net->routes) {
			rc = err_sys(err, ENOMEM, "hops");
			goto out;
		}
		memcpy(net->routes, c->host.routes, c->host.n_routes * sizeof(*net->routes));
		net->n_routes = c->host.n_routes;
		net->routes_known = c->host.n_routes < MODEL_ROUTES_MAX;
	}
	*ret_net = *net;
out:
	free(net);
	return rc;
}
