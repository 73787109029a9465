/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * resolve.h - from a POD as a person writes it to its host veth, bridge, VTEP
 * and underlay, without ever entering the pod's namespace.
 *
 * Owns: one netlink socket and its view of the node, read at resolve_open().
 * Never: setns, unshare, child processes, writes of any kind (the one netlink
 * request that could change the node, RTM_NEWNSID, is not sent), network access.
 *
 * Facts come from netlink (links, addresses, routes, nsids), CNI result caches,
 * host-local files, /var/log/pods, /proc/<pid>/{cgroup,ns/net,net/...}, OCI bundles
 * and docker's own state under host_root, and, where netlink may not look into a pod,
 * its /sys below /proc/<pid>/root. Netlink is believed; a file that contradicts it
 * becomes a problem text.
 */
#ifndef PODHOP_RESOLVE_H
#define PODHOP_RESOLVE_H

#include "podhop/chain.h"
#include "podhop/err.h"

struct resolve;

struct resolve_config {
	const char *host_root;	/* "" or NULL: / */
	const char *node;	/* --node; NULL: found as the contract says */
};

struct resolve *resolve_open(const struct resolve_config *config, struct err *err);
void resolve_free(struct resolve *r);	/* NULL is accepted */

/*
 * Every pod of the node; what cannot be known of one is its problem. Caller frees *ret_chain with
 * chain_free(). 0, or -errno: no memory, or netlink has failed.
 */
int resolve_list(struct resolve *r, struct chain **ret_chain, struct err *err);

/*
 * One pod. Not found, ambiguous, hostNetwork, no veth, other node: ERR_USAGE with
 * the sentence the contract asks for. When the pod was found but cannot be used
 * (hostNetwork, macvlan, ...) *ret_chain is set all the same, with problem filled.
 */
int resolve_pod(struct resolve *r, const char *pod, struct chain **ret_chain, struct err *err);

/* The same for several at once (--and): one chain whose pods are in the order given. */
int resolve_pods(struct resolve *r, const char *const *pods, unsigned n, struct chain **ret_chain,
		 struct err *err);

/*
 * Forgets all and reads the host again: for --follow, where pods come and go. On
 * failure r can only be refreshed again or freed.
 */
int resolve_refresh(struct resolve *r, struct err *err);

/* A device of the host by name, for --hops. -ENODEV when there is none. */
int resolve_device(struct resolve *r, const char *name, struct chain_link *ret_link,
		   struct err *err);

/*
 * The hops of a chain in model terms: the pods' veths, their bridges, every VTEP,
 * every underlay, with routes. ret_net->routes is on the heap, caller frees it.
 */
int resolve_net(const struct chain *c, struct model_net *ret_net, struct err *err);

/* --node, else $NODE_NAME, else /etc/hostname under the root, else uname (contract, 2). */
void resolve_node_name(const char *host_root, const char *node, char *out, size_t out_size);

#endif
