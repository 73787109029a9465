/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check_flannel.c - flannel's files and its VXLAN devices.
 *
 * Theory of operation. What is expected of a device follows from what flannel does
 * (pkg/backend/vxlan/device.go): its name is flannel.<VNI> or flannel-v6.<VNI>, both
 * families use one VNI and one port, the first address of the node's subnet is on it with
 * a host mask, and it is bound to the underlay device and to an address of it. A copy of
 * flannel's own configuration, where one lies on the node, goes before all that.
 */
#include "doctor_priv.h"

#include <errno.h>
#include <sys/socket.h> /* before linux/if.h, which needs it */
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLANNEL_WINDOWS_VNI 4096 /* from here on clusters have Windows nodes */

#define RESTART "restart flanneld on this node, it makes the device anew"

/* The VNI in flannel.<VNI> and flannel-v6.<VNI>; -1 when the name says none. */
static long name_vni(const char *name)
{
	const char *digits;
	char *end;
	long vni;

	if (strncmp(name, "flannel.", 8) == 0)
		digits = name + 8;
	else if (strncmp(name, "flannel-v6.", 11) == 0)
		digits = name + 11;
	else
		return -1;
	vni = strtol(digits, &end, 10);
	return *end || end == digits || vni < 0 || vni > 0xffffff ? -1 : vni;
}

/* Words for flags that decide whether a device carries frames. */
static const char *device_state(const struct doctor_link *l)
{
	if (!(l->flags & IFF_UP))
		return "down";
	return l->flags & IFF_LOWER_UP ? "up" : "up, no carrier";
}

static bool device_up(const struct doctor_link *l)
{
	return (l->flags & IFF_UP) && (l->flags & IFF_LOWER_UP);
}

static unsigned count_vteps(const struct doctor_view *v)
{
	unsigned n = 0;

	for (unsigned i = 0; i < v->n_links; i++)
		n += doctor_is_vtep(v, &v->links[i]);
	return n;
}

static bool other_backend(const struct doctor_view *v)
{
	return v->conf.path && strcmp(v->conf.backend, "vxlan") != 0;
}

void doctor_check_flannel(struct doctor *d)
{
	static const char path[] = "/run/flannel/subnet.env";
	const struct doctor_view *v = d->v;
	const char *found;

	if (!v->env_rc) {
		char s4[PREFIX_STR_MAX] = "", s6[PREFIX_STR_MAX] = "";
		bool inside =
			(!v->env.subnet4.len || doctor_in_networks(v, &v->env.subnet4.addr)) &&
			(!v->env.subnet6.len || doctor_in_networks(v, &v->env.subnet6.addr));

		if (v->env.subnet4.len)
			prefix_str(&v->env.subnet4, s4);
		if (v->env.subnet6.len)
			prefix_str(&v->env.subnet6, s6);
		found = doctor_text(d, "%s%s%s, MTU %u", s4, s4[0] && s6[0] ? " and " : "", s6,
				    v->env.mtu);
		doctor_judge(d, inside && v->env.mtu, DOCTOR_FAIL, "flannel.subnet", path,
			     "this node's subnet, inside the cluster's network, and the MTU", found,
			     "# restart flanneld on this node, it writes the file");
	} else if (v->env_rc == -ENOENT) {
		/* frames of running pods do not need it, new pods do */
		doctor_add(d, count_vteps(v) ? DOCTOR_FAIL : DOCTOR_WARN, "flannel.subnet", path,
			   "the file that flanneld writes",
			   "no such file: the CNI plugin cannot set up pods",
			   "# start flanneld on this node, it writes the file");
	} else if (v->env_rc == -EBADMSG) {
		doctor_add(d, DOCTOR_FAIL, "flannel.subnet", path, "what flanneld writes",
			   "not that: a subnet is missing or no address",
			   "# restart flanneld on this node, it writes the file");
	} else {
		doctor_add(d, DOCTOR_SKIP, "flannel.subnet", path, "the file that flanneld writes",
			   doctor_text(d, "cannot be read: %s", strerror(-v->env_rc)), "");
	}
	if (other_backend(v))
		doctor_add(
			d, DOCTOR_WARN, "flannel.backend",
			v->conf.path ? doctor_text(d, "%s", v->conf.path) : "", "vxlan",
			doctor_text(d, "%s: what is said of VXLAN does not apply", v->conf.backend),
			"");
	doctor_judge(d, v->cni_conf != NULL, DOCTOR_WARN, "flannel.cni",
		     v->cni_conf ? doctor_text(d, "%s", v->cni_conf) : "/etc/cni/net.d",
		     "a CNI configuration with flannel's plugin",
		     v->cni_conf ? "it is there" : "none",
		     "# the kube-flannel DaemonSet's init container copies it there");
}

/* ------------------------------------------------------------------- devices */

static void check_vni(struct doctor *d, const struct doctor_link *l)
{
	long want = name_vni(l->name);
	const char *why = "as its name says";

	if (d->v->conf.path && !other_backend(d->v)) {
		want = (long)d->v->conf.vni;
		why = "as flannel's configuration says";
	}
	if (want < 0)
		return;
	doctor_judge(
		d, (long)l->vni == want, DOCTOR_FAIL, "vtep.vni", l->name,
		doctor_text(d, "VNI %ld, %s", want, why), doctor_text(d, "VNI %u", l->vni),
		doctor_text(d, "ip link del dev %s  # then " RESTART, doctor_word(d, l->name)));
}

static const struct doctor_link *sibling(const struct doctor_view *v, const struct doctor_link *l)
{
	for (unsigned i = 0; i < v->n_links; i++) {
		if (&v->links[i] != l && doctor_is_vtep(v, &v->links[i]) &&
		    v->links[i].vxlan_v6 != l->vxlan_v6)
			return &v->links[i];
	}
	return NULL;
}

/*
 * The port is the cluster's and nothing on a node proves it but a copy of flannel's
 * configuration: without one another port than the default is a warning.
 */
static void check_port(struct doctor *d, const struct doctor_link *l)
{
	const struct doctor_link *other = sibling(d->v, l);
	uint16_t usual = l->vni >= FLANNEL_WINDOWS_VNI && l->vxlan_port == MODEL_VXLAN_PORT_IANA
				 ? MODEL_VXLAN_PORT_IANA
				 : MODEL_VXLAN_PORT;
	const char *advice =
		doctor_text(d, "ip link del dev %s  # then " RESTART, doctor_word(d, l->name));
	const char *found = doctor_text(d, "UDP port %u", l->vxlan_port);

	if (d->v->conf.path && !other_backend(d->v)) {
		uint16_t want = d->v->conf.port ? d->v->conf.port : MODEL_VXLAN_PORT;

		doctor_judge(d, l->vxlan_port == want, DOCTOR_FAIL, "vtep.port", l->name,
			     doctor_text(d, "UDP port %u, as flannel's configuration says", want),
			     found, advice);
	} else if (other && other->vxlan_port != l->vxlan_port && l->vxlan_port != usual) {
		/* both families have one port: the unusual one is the one to doubt */
		doctor_add(d, DOCTOR_FAIL, "vtep.port", l->name,
			   doctor_text(d, "UDP port %u, as %s has", other->vxlan_port, other->name),
			   found, advice);
	} else {
		doctor_judge(d, l->vxlan_port == usual, DOCTOR_WARN, "vtep.port", l->name,
			     doctor_text(d, "UDP port %u, flannel's default", usual), found,
			     doctor_text(d,
					 "# right when flannel's configuration sets Port to %u "
					 "on all nodes; else delete %s and restart flanneld",
					 l->vxlan_port, l->name));
	}
}

/* A UDP socket bound to the port, in /proc/net/udp or udp6. */
static bool port_is_taken(struct doctor *d, bool v6, uint16_t port, unsigned long *ret_inode)
{
	struct buf b;
	bool taken = false;
	const char *line;

	buf_init(&b, DOCTOR_FILE_MAX * 8);
	if (doctor_check_read(d, v6 ? "self/net/udp6" : "self/net/udp", &b) != 0)
		goto out;
	line = strchr(buf_str(&b), '\n');
	while (line && !taken) {
		unsigned local;
		unsigned long inode;

		line++;
		/* sl local:port remote:port st queues timer retransmits uid timeout inode */
		if (sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*s %*s %*s %*s %*s %*u %*u %lu", &local,
			   &inode) == 2 &&
		    local == port) {
			taken = true;
			*ret_inode = inode;
		}
		line = strchr(line, '\n');
	}
out:
	buf_done(&b);
	return taken;
}

static bool port_is_shared(const struct doctor_view *v, const struct doctor_link *l)
{
	for (unsigned i = 0; i < v->n_links; i++) {
		const struct doctor_link *o = &v->links[i];

		if (o != l && strcmp(o->kind, "vxlan") == 0 && (o->flags & IFF_UP) &&
		    o->vxlan_port == l->vxlan_port && o->vxlan_v6 == l->vxlan_v6)
			return true;
	}
	return false;
}

static void check_socket(struct doctor *d, const struct doctor_link *l)
{
	unsigned long inode = 0;
	bool taken = port_is_taken(d, l->vxlan_v6, l->vxlan_port, &inode);
	const char *expected = doctor_text(d, "the kernel listens on UDP port %u", l->vxlan_port);

	if (l->flags & IFF_UP) {
		doctor_judge(d, taken, DOCTOR_WARN, "vtep.socket", l->name, expected,
			     taken ? "it does" : "no socket has that port",
			     doctor_text(d,
					 "ip link set dev %s down; ip link set dev %s up  # then "
					 "restart flanneld, "
					 "routes and neighbours go with it",
					 doctor_word(d, l->name), doctor_word(d, l->name)));
	} else if (taken && !port_is_shared(d->v, l)) {
		/* this is why it cannot come up: its own socket would be closed now */
		doctor_add(d, DOCTOR_FAIL, "vtep.socket", l->name, expected,
			   doctor_text(d, "another program has the port (socket inode %lu)", inode),
			   doctor_text(d,
				       "ss -uanp 'sport = %u'  # shows which; end it or give it "
				       "another port",
				       l->vxlan_port));
	}
}

static void check_local(struct doctor *d, const struct doctor_link *l)
{
	const struct doctor_link *under = doctor_underlay(d->v, l);
	const struct doctor_link *owner = doctor_addr_owner(d->v, &l->vxlan_local);
	const char *again =
		doctor_text(d, "ip link del dev %s  # then " RESTART, doctor_word(d, l->name));

	if (!addr_is_none(&l->vxlan_local)) {
		const char *expected =
			under ? doctor_text(d, "%s is an address of %s",
					    doctor_addr(d, &l->vxlan_local), under->name)
			      : doctor_text(d, "%s is an address of this node",
					    doctor_addr(d, &l->vxlan_local));

		doctor_judge(
			d, owner && (!under || owner == under), owner ? DOCTOR_WARN : DOCTOR_FAIL,
			"vtep.local", l->name, expected,
			owner ? doctor_text(d, "it is of %s", owner->name)
			      : "no device has it: datagrams cannot leave, replies go elsewhere",
			again);
	}
	if (!under) {
		doctor_add(d, l->vxlan_link ? DOCTOR_FAIL : DOCTOR_SKIP, "vtep.underlay", l->name,
			   "a device below it", l->vxlan_link ? "it is gone" : "bound to none",
			   again);
		return;
	}
	doctor_judge(d, device_up(under), DOCTOR_FAIL, "vtep.underlay", under->name,
		     doctor_text(d, "up, it carries the datagrams of %s", l->name),
		     device_state(under),
		     doctor_text(d, "ip link set dev %s up%s", doctor_word(d, under->name),
				 under->flags & IFF_UP ? "  # it is: look at the cable or its peer"
						       : ""));
}

static bool has_addr(const struct doctor_view *v, uint32_t ifindex, const struct addr *a)
{
	for (unsigned i = 0; i < v->n_addrs; i++) {
		if (v->addrs[i].ifindex == ifindex && addr_eq(&v->addrs[i].prefix.addr, a))
			return true;
	}
	return false;
}

static void check_address(struct doctor *d, const struct doctor_link *l)
{
	const struct prefix *subnet = l->vxlan_v6 ? &d->v->env.subnet6 : &d->v->env.subnet4;
	struct prefix base;
	bool has;

	if (d->v->env_rc || !subnet->len)
		return;
	base = doctor_prefix_base(*subnet);
	base.len = l->vxlan_v6 ? 128 : 32;
	has = has_addr(d->v, l->ifindex, &base.addr);
	doctor_judge(d, has, DOCTOR_FAIL, "vtep.address", l->name,
		     doctor_text(d, "%s, the source of what the node sends to remote pods",
				 doctor_prefix(d, &base)),
		     has ? "it has it" : "it does not have it",
		     doctor_text(d, "ip addr add %s dev %s%s", doctor_prefix(d, &base),
				 doctor_word(d, l->name), l->vxlan_v6 ? " nodad" : ""));
}

static void check_vtep(struct doctor *d, const struct doctor_link *l)
{
	doctor_judge(
		d, l->flags & IFF_UP, DOCTOR_FAIL, "vtep.state", l->name, "up", device_state(l),
		doctor_text(d,
			    "ip link set dev %s up  # then restart flanneld: the remote nodes' "
			    "routes and neighbours went with it",
			    doctor_word(d, l->name)));
	check_vni(d, l);
	check_port(d, l);
	check_socket(d, l);
	check_local(d, l);
	check_address(d, l);
}

/* host-gw, wireguard, ...: the cluster's other subnets are routed, and not over VXLAN. */
static const struct doctor_route *other_route(const struct doctor_view *v, bool v6)
{
	for (unsigned i = 0; i < v->n_routes; i++) {
		const struct doctor_route *r = &v->routes[i];
		const struct doctor_link *dev = doctor_link_by_index(v, r->oif);

		if (r->v6 == v6 && r->type == RTN_UNICAST && r->table == RT_TABLE_MAIN && dev &&
		    doctor_in_networks(v, &r->dst.addr) && strcmp(dev->kind, "vxlan") != 0 &&
		    strcmp(dev->kind, "bridge") != 0 && strcmp(dev->kind, "dummy") != 0 &&
		    r->protocol != RTPROT_KERNEL)
			return r;
	}
	return NULL;
}

static void check_missing(struct doctor *d, bool v6)
{
	const struct doctor_route *other = other_route(d->v, v6);
	const char *object = v6 ? "flannel-v6.1" : "flannel.1";
	const char *expected = v6 ? "a VXLAN device for IPv6" : "a VXLAN device for IPv4";

	if (other)
		doctor_add(d, DOCTOR_SKIP, "vtep.kind", object, expected,
			   doctor_text(d, "none, and none needed: %s goes out of %s",
				       doctor_prefix(d, &other->dst),
				       doctor_link_by_index(d->v, other->oif)->name),
			   "");
	else
		doctor_add(d, DOCTOR_FAIL, "vtep.kind", object, expected, "there is none",
			   "# restart flanneld on this node, it makes the device");
}

void doctor_check_vteps(struct doctor *d)
{
	const struct doctor_view *v = d->v;
	bool has4 = false, has6 = false;

	for (unsigned i = 0; i < v->n_links; i++) {
		const struct doctor_link *l = &v->links[i];

		if (doctor_is_vtep(v, l)) {
			*(l->vxlan_v6 ? &has6 : &has4) = true;
			doctor_add(d, DOCTOR_OK, "vtep.kind", l->name, "a VXLAN device",
				   "it is one", "");
			check_vtep(d, l);
		} else if (name_vni(l->name) >= 0) {
			doctor_add(d, DOCTOR_FAIL, "vtep.kind", l->name, "a VXLAN device",
				   doctor_text(d, "kind %s", l->kind[0] ? l->kind : "unknown"),
				   doctor_text(d, "ip link del dev %s  # then " RESTART,
					       doctor_word(d, l->name)));
		}
	}
	if (other_backend(v) || v->env_rc)
		return;
	if (v->env.subnet4.len && !has4)
		check_missing(d, false);
	if (v->env.subnet6.len && !has6)
		check_missing(d, true);
}
