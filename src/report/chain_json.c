/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chain_json.c - podhop.list/1 and podhop.resolve/1 (contract, section 3).
 *
 * Link-local addresses are left out: every interface has them, and no packet of
 * a pod that leaves its bridge carries them.
 */
#include "report_priv.h"

#include <errno.h>

static bool set_ips(json_t *object, const char *key, const struct addr *ips, unsigned n)
{
	json_t *list = json_array();
	bool ok = list != NULL;

	for (unsigned i = 0; i < n && ok; i++)
		ok = json_array_append_new(list, report_json_addr(&ips[i])) == 0;
	if (!ok) {
		json_decref(list);
		return false;
	}
	return report_json_set(object, key, list);
}

static bool set_link_ips(json_t *object, const char *key, const struct chain_link *l)
{
	json_t *list = json_array();
	bool ok = list != NULL;

	for (unsigned i = 0; i < l->n_addrs && ok; i++) {
		if (!addr_is_link_local(&l->addrs[i].addr))
			ok = json_array_append_new(list, report_json_addr(&l->addrs[i].addr)) == 0;
	}
	if (!ok) {
		json_decref(list);
		return false;
	}
	return report_json_set(object, key, list);
}

/* Takes over item, also when it fails. */
static bool append(json_t *list, json_t *item, bool ok)
{
	if (ok)
		return json_array_append_new(list, item) == 0;
	json_decref(item);
	return false;
}

static json_t *port_state(int state)
{
	const char *name = chain_port_state_name(state);

	return name ? json_string(name) : json_null();
}

static bool list_pod(json_t *list, const struct chain_pod *p)
{
	static const struct chain_interface none;
	const struct chain_interface *i = p->n_interfaces ? &p->interfaces[0] : &none;
	json_t *o = json_object(), *ids = json_array();
	bool ok = o && ids;

	for (unsigned j = 0; j < p->n_containers && ok; j++)
		ok = json_array_append_new(ids, report_json_str(p->containers[j].id)) == 0;
	ok = ok && report_json_set(o, "namespace", report_json_str(p->namespace_)) &&
	     report_json_set(o, "name", report_json_str(p->name)) &&
	     report_json_set(o, "uid", report_json_str(p->uid)) &&
	     set_ips(o, "ips", p->ips, p->n_ips) &&
	     report_json_set(o, "pid", report_json_nonzero((uint64_t)p->pid)) &&
	     report_json_set(o, "container_ids", json_incref(ids)) &&
	     report_json_set(o, "netns_inode", report_json_nonzero(p->netns_inode)) &&
	     report_json_set(o, "pod_interface", report_json_str(i->link.name)) &&
	     report_json_set(o, "pod_ifindex", report_json_nonzero(i->link.ifindex)) &&
	     report_json_set(o, "veth", report_json_str(i->host_veth.name)) &&
	     report_json_set(o, "veth_ifindex", report_json_nonzero(i->host_veth.ifindex)) &&
	     report_json_set(o, "bridge", report_json_str(i->bridge)) &&
	     report_json_set(o, "host_network", json_boolean(p->host_network)) &&
	     report_json_set(o, "problem", report_json_str(p->problem));
	json_decref(ids);
	return append(list, o, ok);
}

int report_list_json(FILE *out, const struct chain *c, bool one_line)
{
	json_t *root = json_object(), *pods = json_array();
	bool ok = root && pods;

	for (unsigned i = 0; i < c->n_pods && ok; i++)
		ok = list_pod(pods, &c->pods[i]);
	ok = ok && report_json_set(root, "schema", json_string("podhop.list/1")) &&
	     report_json_set(root, "node", report_json_str(c->host.node)) &&
	     report_json_set(root, "pods", json_incref(pods));
	json_decref(pods);
	if (!ok) {
		json_decref(root);
		return -ENOMEM;
	}
	return report_json_dump(out, root, one_line);
}

static json_t *host_veth(const struct chain_interface *i)
{
	const struct chain_link *l = &i->host_veth;
	json_t *o;

	if (!l->ifindex)
		return json_null();
	o = json_object();
	if (o && report_json_set(o, "name", report_json_str(l->name)) &&
	    report_json_set(o, "ifindex", report_json_nonzero(l->ifindex)) &&
	    report_json_set(o, "iflink", report_json_nonzero(l->iflink)) &&
	    report_json_set(o, "link_netnsid", report_json_known(l->link_netnsid)) &&
	    report_json_set(o, "mac", report_json_mac(&l->mac)) &&
	    report_json_set(o, "mtu", report_json_nonzero(l->mtu)) &&
	    report_json_set(o, "port_state", port_state(l->port_state)) &&
	    report_json_set(o, "bridge", report_json_str(i->bridge)))
		return o;
	json_decref(o);
	return NULL;
}

static bool resolve_interface(json_t *list, const struct chain_interface *i)
{
	const struct chain_link *l = &i->link;
	json_t *o = json_object();

	return append(list, o,
		      o && report_json_set(o, "name", report_json_str(l->name)) &&
			      report_json_set(o, "ifindex", report_json_nonzero(l->ifindex)) &&
			      report_json_set(o, "iflink", report_json_nonzero(l->iflink)) &&
			      report_json_set(o, "mac", report_json_mac(&l->mac)) &&
			      report_json_set(o, "mtu", report_json_nonzero(l->mtu)) &&
			      set_link_ips(o, "ips", l) &&
			      report_json_set(o, "host_veth", host_veth(i)));
}

static bool resolve_container(json_t *list, const struct chain_container *c)
{
	json_t *o = json_object();

	return append(list, o,
		      o && report_json_set(o, "id", report_json_str(c->id)) &&
			      report_json_set(o, "name", report_json_str(c->name)) &&
			      report_json_set(o, "pid", report_json_nonzero((uint64_t)c->pid)));
}

static json_t *resolve_pod_object(const struct chain_pod *p)
{
	json_t *o = json_object(), *containers = json_array(), *interfaces = json_array();
	bool ok = o && containers && interfaces;

	for (unsigned i = 0; i < p->n_containers && ok; i++)
		ok = resolve_container(containers, &p->containers[i]);
	for (unsigned i = 0; i < p->n_interfaces && ok; i++)
		ok = resolve_interface(interfaces, &p->interfaces[i]);
	ok = ok && report_json_set(o, "namespace", report_json_str(p->namespace_)) &&
	     report_json_set(o, "name", report_json_str(p->name)) &&
	     report_json_set(o, "uid", report_json_str(p->uid)) &&
	     set_ips(o, "ips", p->ips, p->n_ips) &&
	     report_json_set(o, "pid", report_json_nonzero((uint64_t)p->pid)) &&
	     report_json_set(o, "netns_inode", report_json_nonzero(p->netns_inode)) &&
	     report_json_set(o, "runtime", report_json_str(p->runtime)) &&
	     report_json_set(o, "containers", json_incref(containers)) &&
	     report_json_set(o, "interfaces", json_incref(interfaces));
	json_decref(containers);
	json_decref(interfaces);
	if (ok)
		return o;
	json_decref(o);
	return NULL;
}

static json_t *resolve_bridge(const struct chain_host *h)
{
	const struct chain_link *l = h->bridges;
	json_t *o;

	if (!h->n_bridges)
		return json_null();
	o = json_object();
	if (o && report_json_set(o, "name", report_json_str(l->name)) &&
	    report_json_set(o, "ifindex", report_json_nonzero(l->ifindex)) &&
	    report_json_set(o, "mac", report_json_mac(&l->mac)) &&
	    report_json_set(o, "mtu", report_json_nonzero(l->mtu)))
		return o;
	json_decref(o);
	return NULL;
}

static bool resolve_vtep(json_t *list, const struct chain_vtep *v)
{
	const struct chain_link *l = &v->link;
	json_t *o = json_object();

	return append(list, o,
		      o && report_json_set(o, "family", json_integer(v->family)) &&
			      report_json_set(o, "name", report_json_str(l->name)) &&
			      report_json_set(o, "ifindex", report_json_nonzero(l->ifindex)) &&
			      report_json_set(o, "vni", json_integer(v->vni)) &&
			      report_json_set(o, "port", report_json_nonzero(v->port)) &&
			      report_json_set(o, "local", report_json_addr(&v->local)) &&
			      report_json_set(o, "mac", report_json_mac(&l->mac)) &&
			      report_json_set(o, "mtu", report_json_nonzero(l->mtu)) &&
			      report_json_set(o, "underlay_ifindex",
					      report_json_nonzero(v->underlay_ifindex)));
}

static bool resolve_underlay(json_t *list, const struct chain_link *l)
{
	json_t *o = json_object();

	return append(list, o,
		      o && report_json_set(o, "name", report_json_str(l->name)) &&
			      report_json_set(o, "ifindex", report_json_nonzero(l->ifindex)) &&
			      report_json_set(o, "mac", report_json_mac(&l->mac)) &&
			      report_json_set(o, "mtu", report_json_nonzero(l->mtu)) &&
			      set_link_ips(o, "addresses", l));
}

static json_t *resolve_host_object(const struct chain_host *h)
{
	json_t *o = json_object(), *vteps = json_array(), *underlays = json_array();
	bool ok = o && vteps && underlays;

	for (unsigned i = 0; i < h->n_vteps && ok; i++)
		ok = resolve_vtep(vteps, &h->vteps[i]);
	for (unsigned i = 0; i < h->n_underlays && ok; i++)
		ok = resolve_underlay(underlays, &h->underlays[i]);
	ok = ok && report_json_set(o, "bridge", resolve_bridge(h)) &&
	     report_json_set(o, "vteps", json_incref(vteps)) &&
	     report_json_set(o, "underlays", json_incref(underlays));
	json_decref(vteps);
	json_decref(underlays);
	if (ok)
		return o;
	json_decref(o);
	return NULL;
}

static json_t *resolve_evidence(const struct chain *c)
{
	json_t *list = json_array();
	bool ok = list != NULL;

	for (unsigned i = 0; i < c->n_evidence && ok; i++) {
		const struct chain_evidence *e = &c->evidence[i];
		json_t *o = json_object();

		ok = append(list, o,
			    o && report_json_set(o, "step", report_json_str(e->step)) &&
				    report_json_set(o, "source", report_json_str(e->source)) &&
				    report_json_set(o, "value", report_json_str(e->value)));
	}
	if (ok)
		return list;
	json_decref(list);
	return NULL;
}

int report_resolve_json(FILE *out, const struct chain *c, bool one_line)
{
	const struct chain_pod *p = c->n_pods ? &c->pods[0] : NULL;
	json_t *root = json_object();
	bool ok = root != NULL;

	ok = ok && report_json_set(root, "schema", json_string("podhop.resolve/1")) &&
	     report_json_set(root, "node", report_json_str(c->host.node)) &&
	     report_json_set(root, "veth",
			     report_json_str(p && p->n_interfaces ? p->interfaces[0].host_veth.name
								  : NULL)) &&
	     report_json_set(root, "problem", report_json_str(p ? p->problem : NULL)) &&
	     report_json_set(root, "pod", p ? resolve_pod_object(p) : json_null()) &&
	     report_json_set(root, "host", resolve_host_object(&c->host)) &&
	     report_json_set(root, "evidence", resolve_evidence(c));
	if (!ok) {
		json_decref(root);
		return -ENOMEM;
	}
	return report_json_dump(out, root, one_line);
}
