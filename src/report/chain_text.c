/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chain_text.c - pods as a table, one pod's chain as a drawing with its evidence.
 *
 * Theory of operation. The list formats every cell twice, for its width and for its line;
 * the drawing of a chain has one block a device, top down as a packet leaves the pod.
 * Widths are measured on the escaped strings, so that a hostile name can widen a
 * column but never break the table.
 */
#include "report_priv.h"

#include <string.h>

#define LIST_CELL_MAX 1400 /* an escaped k8s name: 253 characters of 4 columns, and more */
#define CHAIN_NAME 16 /* a device's name, up to 15 characters, and a blank */
#define CHAIN_STEP 11 /* longest step name and a blank */

enum list_column {
	LIST_NAMESPACE = 0,
	LIST_NAME,
	LIST_IP,
	LIST_PID,
	LIST_NETNS,
	LIST_VETH,
	LIST_BRIDGE,
	LIST_VTEP,
	LIST_UNDERLAY,
	LIST_STATE,
	LIST_COLUMNS,
};

static const char *const list_titles[] = {
	[LIST_NAMESPACE] = "NAMESPACE",
	[LIST_NAME] = "NAME",
	[LIST_IP] = "IP",
	[LIST_PID] = "PID",
	[LIST_NETNS] = "NETNS",
	[LIST_VETH] = "VETH",
	[LIST_BRIDGE] = "BRIDGE",
	[LIST_VTEP] = "VTEP",
	[LIST_UNDERLAY] = "UNDERLAY",
	[LIST_STATE] = "STATE",
};
_Static_assert(sizeof(list_titles) / sizeof(list_titles[0]) == LIST_COLUMNS, "a title a column");

/* Appends s to a bounded string, cutting it. */
static void cell_add(char out[static LIST_CELL_MAX], const char *s)
{
	size_t len = strlen(out), n = strlen(s);

	if (n > LIST_CELL_MAX - 1 - len)
		n = LIST_CELL_MAX - 1 - len;
	memcpy(out + len, s, n);
	out[len + n] = 0;
}

static void cell_devices(const struct chain *c, enum list_column col,
			 char out[static LIST_CELL_MAX])
{
	unsigned n = col == LIST_VTEP ? c->host.n_vteps : c->host.n_underlays;

	for (unsigned i = 0; i < n; i++) {
		if (i)
			cell_add(out, ",");
		cell_add(out,
			 col == LIST_VTEP ? c->host.vteps[i].link.name : c->host.underlays[i].name);
	}
}

/* "gone: ..." and the like begin with the word that fits a column. */
static const char *pod_state(const struct chain_pod *p)
{
	if (p->host_network)
		return "hostNetwork";
	if (strncmp(p->problem, "gone", 4) == 0)
		return "gone";
	return p->problem[0] ? "problem" : "ok";
}

/* The escaped text of a cell; returns its columns. */
static unsigned list_cell(const struct chain *c, const struct chain_pod *p, enum list_column col,
			  bool utf8, char out[static LIST_CELL_MAX])
{
	static const struct chain_interface none;
	const struct chain_interface *ifc = p->n_interfaces ? &p->interfaces[0] : &none;
	bool captured = ifc->host_veth.ifindex != 0;
	char raw[LIST_CELL_MAX] = "", ip[ADDR_STR_MAX];

	switch (col) {
	case LIST_NAMESPACE:
		cell_add(raw, p->namespace_);
		break;
	case LIST_NAME:
		if (p->name[0]) {
			cell_add(raw, p->name);
		} else if (p->n_containers) {
			/* no source names it: its sandbox does */
			snprintf(raw, sizeof(raw), "container:%.12s", p->containers[0].id);
		}
		break;
	case LIST_IP:
		for (unsigned i = 0; i < p->n_ips && i < 2; i++) {
			if (i)
				cell_add(raw, ",");
			cell_add(raw, addr_str(&p->ips[i], ip));
		}
		break;
	case LIST_PID:
		if (p->pid)
			snprintf(raw, sizeof(raw), "%d", (int)p->pid);
		break;
	case LIST_NETNS:
		if (p->netns_inode)
			snprintf(raw, sizeof(raw), "%llu", (unsigned long long)p->netns_inode);
		break;
	case LIST_VETH:
		cell_add(raw, ifc->host_veth.name);
		break;
	case LIST_BRIDGE:
		cell_add(raw, ifc->bridge);
		break;
	case LIST_VTEP:
	case LIST_UNDERLAY:
		if (captured)
			cell_devices(c, col, raw);
		break;
	case LIST_STATE:
		cell_add(raw, pod_state(p));
		break;
	case LIST_COLUMNS:
		break;
	}
	if (!raw[0])
		cell_add(raw, "-");
	return report_safe(raw, utf8, out, LIST_CELL_MAX);
}

static void list_label(struct report_out *o, const struct chain_pod *p)
{
	if (p->name[0]) {
		report_out_safe(o, p->namespace_);
		report_out_str(o, p->namespace_[0] ? "/" : "");
		report_out_safe(o, p->name);
	} else if (p->n_containers) {
		report_out_str(o, "container:");
		report_out_safe(o, p->containers[0].id);
	} else if (p->pid) {
		report_out_fmt(o, "pid:%d", (int)p->pid);
	} else if (p->netns_path[0]) {
		report_out_str(o, "netns:");
		report_out_safe(o, p->netns_path);
	} else {
		report_out_str(o, "pod");
	}
}

int report_list_text(FILE *out, const struct chain *c, const struct report_style *style)
{
	unsigned width[LIST_COLUMNS], problems = 0;
	char cell[LIST_CELL_MAX];
	struct report_out o;

	report_out_init(&o, out, style);
	if (!c->n_pods) {
		report_out_str(&o, "no pods on ");
		report_out_safe(&o, c->host.node);
		report_out_chr(&o, '\n');
		return report_out_done(&o);
	}
	for (unsigned col = 0; col < LIST_COLUMNS; col++)
		width[col] = (unsigned)strlen(list_titles[col]);
	for (unsigned i = 0; i < c->n_pods; i++) {
		for (unsigned col = 0; col < LIST_COLUMNS; col++) {
			unsigned n = list_cell(c, &c->pods[i], col, o.style->utf8, cell);

			width[col] = n > width[col] ? n : width[col];
		}
		problems += c->pods[i].problem[0] && !c->pods[i].host_network;
	}
	report_out_color(&o, REPORT_BOLD);
	for (unsigned col = 0; col < LIST_COLUMNS; col++) {
		report_out_str(&o, list_titles[col]);
		if (col + 1 < LIST_COLUMNS)
			report_out_pad(&o, width[col] + 2 - (unsigned)strlen(list_titles[col]));
	}
	report_out_color(&o, REPORT_PLAIN);
	report_out_chr(&o, '\n');
	for (unsigned i = 0; i < c->n_pods; i++) {
		const struct chain_pod *p = &c->pods[i];

		for (unsigned col = 0; col < LIST_COLUMNS; col++) {
			unsigned n = list_cell(c, p, col, o.style->utf8, cell);
			bool bad = col == LIST_STATE && p->problem[0] && !p->host_network;

			if (bad)
				report_out_color(&o, REPORT_YELLOW);
			report_out_str(&o, cell);
			if (bad)
				report_out_color(&o, REPORT_PLAIN);
			if (col + 1 < LIST_COLUMNS)
				report_out_pad(&o, width[col] + 2 - n);
		}
		report_out_chr(&o, '\n');
	}
	if (problems)
		report_out_chr(&o, '\n');
	for (unsigned i = 0; i < c->n_pods && problems; i++) {
		const struct chain_pod *p = &c->pods[i];

		if (!p->problem[0] || p->host_network)
			continue;
		list_label(&o, p);
		report_out_str(&o, ": ");
		report_out_safe(&o, p->problem);
		report_out_chr(&o, '\n');
	}
	return report_out_done(&o);
}

/* Of a pod's end only the host's is known where its namespace cannot be asked; null in JSON. */
static void chain_index(struct report_out *o, uint32_t ifindex)
{
	if (ifindex)
		report_out_fmt(o, "ifindex %u", ifindex);
	else
		report_out_str(o, "ifindex ?");
}

/* The name of a device at the left edge, facts behind it. */
static void chain_device(struct report_out *o, const char *what, const struct chain_link *l)
{
	unsigned n = (unsigned)strlen(what);

	report_out_str(o, what);
	report_out_pad(o, n < 10 ? 10 - n : 1);
	report_out_color(o, REPORT_BOLD);
	n = report_out_safe(o, l->name[0] ? l->name : "?");
	report_out_color(o, REPORT_PLAIN);
	report_out_pad(o, n < CHAIN_NAME ? CHAIN_NAME - n : 1);
	chain_index(o, l->ifindex);
}

/* The line between two devices. */
static void chain_down(struct report_out *o)
{
	report_out_str(o, o->style->utf8 ? "  │" : "  |");
	report_out_pad(o, 7 + CHAIN_NAME);
}

/* MAC, MTU and addresses below a device; `last`: nothing follows it. */
static void chain_facts(struct report_out *o, const struct chain_link *l, bool last)
{
	char m[MAC_STR_MAX], p[PREFIX_STR_MAX];

	if (last)
		report_out_pad(o, 10 + CHAIN_NAME);
	else
		chain_down(o);
	if (l->mtu)
		report_out_fmt(o, "mtu %u", l->mtu);
	else
		report_out_str(o, "mtu ?"); /* not known; null in JSON */
	if (!mac_is_none(&l->mac))
		report_out_fmt(o, ", mac %s", mac_str(&l->mac, m));
	for (unsigned i = 0; i < l->n_addrs; i++) {
		if (!addr_is_link_local(&l->addrs[i].addr))
			report_out_fmt(o, ", %s", prefix_str(&l->addrs[i], p));
	}
	report_out_chr(o, '\n');
}

static void chain_gap(struct report_out *o)
{
	report_out_str(o, o->style->utf8 ? "  │\n" : "  |\n");
}

static const char *chain_port_state(int state)
{
	static const char *const names[] = {
		"disabled", "listening", "learning", "forwarding", "blocking",
	};

	if (state < 0 || state >= (int)(sizeof(names) / sizeof(names[0])))
		return "state unknown";
	return names[state];
}

static void chain_interface(struct report_out *o, const struct chain *c,
			    const struct chain_interface *ifc)
{
	const struct chain_link *veth = &ifc->host_veth;
	bool through = ifc->bridge_ifindex || c->host.n_vteps || c->host.n_underlays;

	chain_device(o, "pod", &ifc->link);
	if (veth->ifindex)
		report_out_fmt(o, ", its peer is ifindex %u of the host", veth->ifindex);
	else if (ifc->link.kind[0])
		report_out_fmt(o, ", kind %s", ifc->link.kind);
	report_out_chr(o, '\n');
	chain_facts(o, &ifc->link, !veth->ifindex);
	if (!veth->ifindex)
		return;
	chain_gap(o);
	chain_device(o, "veth", veth);
	if (veth->iflink) {
		report_out_fmt(o, ", its peer is ifindex %u", veth->iflink);
		if (veth->link_netnsid >= 0)
			report_out_fmt(o, " in nsid %d", (int)veth->link_netnsid);
	}
	report_out_chr(o, '\n');
	chain_facts(o, veth, !through);
	if (!through)
		return;
	chain_down(o);
	if (ifc->bridge_ifindex) {
		report_out_str(o, "port of ");
		report_out_safe(o, ifc->bridge);
		report_out_fmt(o, ", %s, hairpin %s\n", chain_port_state(veth->port_state),
			       veth->hairpin ? "on" : "off");
	} else {
		report_out_str(o, "no bridge: routed\n");
	}
	chain_gap(o);
}

static void chain_host_side(struct report_out *o, const struct chain_host *h)
{
	bool below = h->n_underlays != 0;
	char a[ADDR_STR_MAX];

	for (unsigned i = 0; i < h->n_bridges; i++) {
		bool last = i + 1 == h->n_bridges && !h->n_vteps && !below;

		chain_device(o, "bridge", &h->bridges[i]);
		report_out_chr(o, '\n');
		chain_facts(o, &h->bridges[i], last);
		if (!last)
			chain_gap(o);
	}
	for (unsigned i = 0; i < h->n_vteps; i++) {
		const struct chain_vtep *v = &h->vteps[i];

		chain_device(o, "vtep", &v->link);
		report_out_fmt(o, ", vni %u, port %u", v->vni, v->port);
		if (!addr_is_none(&v->local))
			report_out_fmt(o, ", local %s", addr_str(&v->local, a));
		report_out_chr(o, '\n');
		chain_facts(o, &v->link, i + 1 == h->n_vteps && !below);
		if (i + 1 == h->n_vteps && below)
			chain_gap(o);
	}
	for (unsigned i = 0; i < h->n_underlays; i++) {
		chain_device(o, "underlay", &h->underlays[i]);
		report_out_chr(o, '\n');
		chain_facts(o, &h->underlays[i], true);
	}
}

static void chain_pod_head(struct report_out *o, const struct chain *c, const struct chain_pod *p)
{
	char ip[ADDR_STR_MAX];

	report_out_color(o, REPORT_BOLD);
	list_label(o, p);
	report_out_color(o, REPORT_PLAIN);
	for (unsigned i = 0; i < p->n_ips; i++)
		report_out_fmt(o, "%s%s", i ? ", " : "  ", addr_str(&p->ips[i], ip));
	report_out_str(o, "  on node ");
	report_out_safe(o, c->host.node);
	report_out_chr(o, '\n');
	if (p->uid[0]) {
		report_out_str(o, "uid       ");
		report_out_safe(o, p->uid);
		report_out_chr(o, '\n');
	}
	for (unsigned i = 0; i < p->n_containers; i++) {
		const struct chain_container *k = &p->containers[i];

		report_out_str(o, k->sandbox ? "sandbox   " : "container ");
		if (!k->sandbox && k->name[0]) {
			report_out_safe(o, k->name);
			report_out_chr(o, ' ');
		}
		/* the short form every runtime's tool takes; the evidence has all of it */
		char shortened[16] = "";

		strncat(shortened, k->id, 12);
		report_out_safe(o, shortened);
		if (k->pid)
			report_out_fmt(o, ", pid %d", (int)k->pid);
		if (k->sandbox && p->runtime[0]) {
			report_out_str(o, ", ");
			report_out_safe(o, p->runtime);
		}
		report_out_chr(o, '\n');
	}
	if (p->netns_inode || p->netns_path[0]) {
		report_out_str(o, "netns     ");
		if (p->netns_inode)
			report_out_fmt(o, "inode %llu", (unsigned long long)p->netns_inode);
		if (p->netns_path[0]) {
			report_out_str(o, p->netns_inode ? ", " : "");
			report_out_safe(o, p->netns_path);
		}
		if (p->pid)
			report_out_fmt(o, ", pid %d", (int)p->pid);
		report_out_chr(o, '\n');
	}
	if (p->problem[0]) {
		report_out_in_color(o, REPORT_YELLOW, "problem   ");
		report_out_safe(o, p->problem);
		report_out_chr(o, '\n');
	}
	report_out_chr(o, '\n');
}

int report_resolve_text(FILE *out, const struct chain *c, const struct report_style *style)
{
	struct report_out o;
	bool any = false;

	report_out_init(&o, out, style);
	report_out_wrap(&o, report_out_width(&o), CHAIN_STEP + 1);
	for (unsigned i = 0; i < c->n_pods; i++) {
		const struct chain_pod *p = &c->pods[i];

		bool drawn = false;

		chain_pod_head(&o, c, p);
		for (unsigned j = 0; j < p->n_interfaces; j++)
			drawn = drawn || p->interfaces[j].host_veth.ifindex;
		/* beside a way out, an interface without one is a remark below the drawing */
		for (unsigned j = 0; j < p->n_interfaces; j++) {
			if (!drawn || p->interfaces[j].host_veth.ifindex)
				chain_interface(&o, c, &p->interfaces[j]);
		}
		any = any || drawn;
	}
	/* what a hostNetwork or macvlan pod never passes is not drawn */
	if (any)
		chain_host_side(&o, &c->host);
	for (unsigned i = 0; i < c->n_pods && any; i++) {
		for (unsigned j = 0; j < c->pods[i].n_interfaces; j++) {
			const struct chain_link *l = &c->pods[i].interfaces[j].link;

			if (c->pods[i].interfaces[j].host_veth.ifindex)
				continue;
			report_out_str(&o, "\nwithout a device on the host: ");
			report_out_safe(&o, l->name);
			report_out_str(&o, ", ");
			chain_index(&o, l->ifindex);
			report_out_fmt(&o, "%s%s\n", l->kind[0] ? ", " : "", l->kind);
		}
	}
	if (c->n_evidence)
		report_out_in_color(&o, REPORT_BOLD, "\nevidence\n");
	for (unsigned i = 0; i < c->n_evidence; i++) {
		const struct chain_evidence *e = &c->evidence[i];
		unsigned n = (unsigned)strlen(e->step);

		report_out_str(&o, "  ");
		report_out_safe(&o, e->step);
		report_out_pad(&o, n < CHAIN_STEP - 1 ? CHAIN_STEP - 1 - n : 1);
		report_out_safe(&o, e->value);
		report_out_chr(&o, '\n');
		report_out_pad(&o, CHAIN_STEP + 1);
		report_out_color(&o, REPORT_DIM);
		report_out_str(&o, "from");
		report_out_chr(&o, REPORT_GLUE);
		report_out_safe(&o, e->source);
		report_out_color(&o, REPORT_PLAIN);
		report_out_chr(&o, '\n');
	}
	return report_out_done(&o);
}
