/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chain.h - what the resolver found: a node, its pods, each pod's chain.
 *
 * Owns: the heap behind `struct chain` (arrays and strings); chain_free() ends it.
 * Never: holds netlink objects, file descriptors or opinions: a contradiction
 * is a `problem` text beside the facts, never a silent choice.
 *
 * The structs mirror podhop.list/1 and podhop.resolve/1 of the contract. Strings
 * are never NULL ("" for an absent fact); numbers say below how absence looks.
 */
#ifndef PODHOP_CHAIN_H
#define PODHOP_CHAIN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "podhop/addr.h"
#include "podhop/model.h"

/* A link as netlink shows it. ifindex 0: there is none. */
struct chain_link {
	char name[16];
	uint32_t ifindex;
	uint32_t iflink;	/* IFLA_LINK; 0 when absent */
	int32_t link_netnsid;	/* IFLA_LINK_NETNSID; -1 when absent */
	uint32_t master;	/* IFLA_MASTER: the bridge's ifindex; 0 when absent */
	uint32_t mtu;
	struct mac mac;
	char kind[16];		/* "veth", "bridge", "vxlan", ""; IFLA_INFO_KIND */
	uint32_t flags;		/* IFF_* */
	uint8_t operstate;	/* IF_OPER_* */
	int port_state;		/* bridge port state BR_STATE_*; -1 when no port */
	bool hairpin;
	struct prefix *addrs;
	unsigned n_addrs;
};

struct chain_interface {	/* of a pod, as its own namespace shows it */
	struct chain_link link;		/* name "" when only the host side is known */
	struct chain_link host_veth;	/* ifindex 0: none */
	uint32_t bridge_ifindex;
	char bridge[16];		/* "" when the veth is no bridge port */
};

struct chain_container {
	char *id;
	char *name;
	pid_t pid;		/* 0 when not known */
	bool sandbox;
};

struct chain_pod {
	/* runtime: "containerd", "cri-o", "docker", "" */
	char *namespace_, *name, *uid, *runtime;
	/* a process in the pod's network namespace; 0 when none was found */
	pid_t pid;
	uint64_t netns_inode;	/* 0 when not known */
	char *netns_path;
	bool host_network;
	struct addr *ips;	/* main interface first; IPv4 before IPv6 */
	unsigned n_ips;
	struct chain_container *containers;
	unsigned n_containers;
	struct chain_interface *interfaces;	/* the main one first; lo left out */
	unsigned n_interfaces;
	char *problem;		/* "" when the chain is whole */
};

struct chain_vtep {
	struct chain_link link;
	uint8_t family;		/* 4 or 6: of the outer packets */
	uint32_t vni;
	uint16_t port;
	struct addr local;
	uint32_t underlay_ifindex;
};

struct chain_evidence {
	/* "pod", "container", "netns", "peer", "veth", "bridge", "vtep", "underlay", ... */
	char *step;
	char *source;	/* where it was read: "netlink RTM_GETLINK", "/var/lib/cni/results/..." */
	char *value;	/* what it says */
};

/* The host's side, read once: the same for all pods of the node. */
struct chain_host {
	char *node;
	struct chain_link *bridges;	/* those that pods hang on */
	unsigned n_bridges;
	struct chain_vtep *vteps;
	unsigned n_vteps;
	struct chain_link *underlays;
	unsigned n_underlays;
	struct model_route *routes;
	unsigned n_routes;
};

struct chain {
	struct chain_host host;
	struct chain_pod *pods;		/* one after resolve, all of the node after list */
	unsigned n_pods;
	struct chain_evidence *evidence;
	unsigned n_evidence;
};

/* "forwarding": iproute2's word for a BR_STATE_* of linux/if_bridge.h; NULL: no such state. */
const char *chain_port_state_name(int port_state);

void chain_free(struct chain *c);	/* with c itself; NULL and half-built ones are accepted */

#endif
