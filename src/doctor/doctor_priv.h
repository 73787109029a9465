/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * doctor_priv.h - what the files of this module share.
 *
 * Three layers, each below the next:
 *   readers   doctor_nl (netlink; messages: doctor_nl_parse), doctor_files (files, sysctls;
 *             texts: doctor_files_parse) fill a view;
 *   checks    check_*.c look at a view only, so that a test can make one up;
 *   doctor    doctor.c runs readers, then checks.
 *
 * Texts of checks live in the report. A failed allocation sets oom, tested once
 * at the end, so that checks read as what they check.
 */
#ifndef DOCTOR_PRIV_H
#define DOCTOR_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "podhop/addr.h"
#include "podhop/buf.h"
#include "podhop/chain.h"
#include "podhop/doctor.h"
#include "podhop/err.h"
#include "podhop/grow.h"

#define DOCTOR_ENTRIES_MAX 65536 /* of one netlink table or directory */
#define DOCTOR_CHECKS_MAX 65536 /* 10 a pod, 4 a remote node, and a few */
#define DOCTOR_FILE_MAX (1u << 20) /* /proc/net/udp of a busy node; conf files are small */
#define DOCTOR_NETWORKS_MAX 8 /* FLANNEL_NETWORK is a list */
#define DOCTOR_LISTED_MAX 64 /* stale files named one by one; the rest is counted */

/* --------------------------------------------------------------------- view */

struct doctor_link {
	uint32_t ifindex, master, iflink, mtu, flags; /* flags: IFF_* */
	int32_t link_netnsid; /* -1: none */
	char name[16], kind[16];
	struct mac mac;
	bool is_port; /* of a bridge; then: */
	uint8_t port_state; /* BR_STATE_* */
	bool hairpin, isolated;
	bool vlan_filtering, stp; /* of a bridge */
	uint32_t vni, vxlan_link;
	uint16_t vxlan_port; /* host order */
	struct addr vxlan_local;
	bool vxlan_v6, vxlan_external;
};

struct doctor_ifaddr {
	uint32_t ifindex;
	struct prefix prefix;
};

struct doctor_route {
	struct prefix dst;
	bool v6;
	uint8_t type; /* RTN_* */
	uint8_t protocol; /* RTPROT_* */
	uint32_t table, oif, metric;
	uint32_t nh_flags; /* RTNH_F_* */
	struct addr gw; /* none: on the link */
};

struct doctor_neigh { /* ARP, ND and FDB entries alike */
	uint32_t ifindex, master;
	uint16_t state; /* NUD_* */
	uint8_t flags; /* NTF_* */
	struct addr dst; /* the address; FDB: the remote VTEP's, none for a bridge's own */
	struct mac mac;
};

/* subnet.env as flanneld writes it. */
struct doctor_env {
	struct prefix networks[DOCTOR_NETWORKS_MAX]; /* both families */
	unsigned n_networks;
	struct prefix subnet4, subnet6; /* len 0: absent; the address is cni0's */
	uint32_t mtu; /* 0: absent */
	char ipmasq[8];
};

/* flannel's net-conf.json, where a copy lies on the node. */
struct doctor_conf {
	char *path; /* NULL: none found */
	char backend[32];
	uint32_t vni;
	uint16_t port; /* 0: not set */
	bool direct_routing;
};

struct doctor_lease { /* one host-local address file */
	char *path, *id;
	struct addr ip;
};

struct doctor_base_chain { /* of netfilter, with a policy */
	char table[64], chain[64];
	uint8_t family; /* NFPROTO_* */
	uint32_t hook; /* NF_INET_* */
	bool drop; /* policy */
};

/* A netfilter rule that does nothing but drop or reject what it matches. */
struct doctor_rule {
	char table[64], chain[64];
	uint8_t family;
	uint64_t handle;
	bool reject, has_counter;
	uint64_t packets;
};

#define DOCTOR_KEPT_MAX 128u

/* Files of /proc that stay open, so that they can be read when nothing can be opened any more. */
struct doctor_kept {
	struct {
		char *path;
		int fd;
	} f[DOCTOR_KEPT_MAX];
	unsigned n;
};

struct doctor_view {
	const char *host_root; /* "" for / */
	int root; /* directory that stands for /; -1: the real one */
	int proc;
	struct doctor_link *links;
	unsigned n_links;
	struct doctor_ifaddr *addrs;
	unsigned n_addrs;
	struct doctor_route *routes;
	unsigned n_routes;
	struct doctor_neigh *neighs;
	unsigned n_neighs;
	struct doctor_neigh *fdb;
	unsigned n_fdb;
	struct doctor_base_chain *chains;
	unsigned n_chains;
	struct doctor_rule *rules;
	unsigned n_rules;
	bool sealed; /* nothing can be opened any more: tables and kept are all that is known */
	struct doctor_kept *kept; /* owned; NULL: none is kept */
	int netfilter; /* 0: read; -errno: why not */
	int env_rc; /* of subnet.env: 0, -errno, -EBADMSG */
	struct doctor_env env;
	struct doctor_conf conf;
	char *cni_conf; /* path of flannel's CNI configuration; NULL: none found */
	bool cni_hairpin;
	struct doctor_lease *leases;
	unsigned n_leases;
	unsigned kernel_major, kernel_minor;
	const struct chain *chain;
	const struct chain_pod *only; /* NULL: all pods */
};


/* Fills the tables of a view. 0 or -errno with the sentence. */
int doctor_nl_read(struct doctor_view *v, struct err *err);
/* Opens root and proc; before any of the others. */
int doctor_files_open(struct doctor_view *v, const char *host_root, struct err *err);
/* Everything that is read from files once. Only -ENOMEM fails. */
int doctor_files_read(struct doctor_view *v);
void doctor_view_done(struct doctor_view *v);

/*
 * A whole regular file of the node into b (emptied first), by its absolute path or below its
 * /proc. 0 or -errno; -EFBIG: longer than b takes, which is said.
 */
int doctor_file_read(const struct doctor_view *v, const char *path, struct buf *b);
/* Where a view keeps files it stays open, as long as there is room, and is read anew each time. */
int doctor_proc_read(const struct doctor_view *v, const char *path, struct buf *b);
/* /proc/sys/net/KEY as a number; -errno. Allocates nothing. */
int doctor_sysctl(const struct doctor_view *v, const char *key, long *ret);
/*
 * What a file of the kernel's counters says now, by its path below /proc ("self/net/netstat"), one
 * of doctor_counter_files. The caller frees it with doctor_counters_free(). 0 or -errno.
 */
int doctor_counters_of_file(const struct doctor_view *v, const char *path,
			    struct doctor_counters **ret);
/* The first of that group and name; false: there is none. */
bool doctor_counter_value(const struct doctor_counters *c, const char *group, const char *name,
			  uint64_t *ret);
/* Per device: KIND is "ipv4" or "ipv6". The slash form, since device names have dots. */
int doctor_sysctl_dev(const struct doctor_view *v, const char *kind, const char *dev,
		      const char *name, long *ret);

/* ---- doctor_files_parse.c; -EBADMSG: what flanneld, or CNI, would not write. */
int doctor_parse_env(const char *text, struct doctor_env *ret);
int doctor_parse_conf(const char *text, size_t len, struct doctor_conf *ret);
int doctor_parse_cni(const char *text, size_t len, bool *ret_hairpin); /* -ENOENT: not flannel's */

const struct doctor_link *doctor_link_by_index(const struct doctor_view *v, uint32_t ifindex);
const struct doctor_link *doctor_link_by_name(const struct doctor_view *v, const char *name);
/* The longest match of local, main, default; with oif only routes through that device. */
const struct doctor_route *doctor_route_to(const struct doctor_view *v, const struct addr *a,
					   uint32_t oif);
const struct doctor_neigh *doctor_neigh_of(const struct doctor_view *v, uint32_t ifindex,
					   const struct addr *ip);
const struct doctor_link *doctor_addr_owner(const struct doctor_view *v, const struct addr *a);
bool doctor_neigh_valid(const struct doctor_neigh *n); /* it can be sent to */
/* The prefix without host bits. */
struct prefix doctor_prefix_base(struct prefix p);
bool doctor_prefix_eq(const struct prefix *a, const struct prefix *b);
bool doctor_in_networks(const struct doctor_view *v, const struct addr *a);
/* The bridge that flannel's pods hang on; NULL. */
const struct doctor_link *doctor_bridge(const struct doctor_view *v);
/* A VXLAN device that flannel made, or that routes and FDB entries use as such. */
bool doctor_is_vtep(const struct doctor_view *v, const struct doctor_link *l);
/* The device below a VTEP; NULL. */
const struct doctor_link *doctor_underlay(const struct doctor_view *v,
					  const struct doctor_link *vtep);
/* Remote nodes whose three entries lead somewhere, whether rightly or not, into net->remotes. */
void doctor_remotes(const struct doctor_view *v, struct model_net *net);
bool doctor_pod_gone(const struct chain_pod *p);
bool doctor_pod_same(const struct chain_pod *a, const struct chain_pod *b);

/* ------------------------------------------------------------------- report */

/* A run: what is looked at and what was found so far. */
struct doctor {
	const struct doctor_view *v;
	struct doctor_report *r;
	bool oom;
};

/* A text that lives as long as the report; "" when out of memory. */
const char *doctor_text(struct doctor *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* A word for the shell, quoted where it has to be. */
const char *doctor_word(struct doctor *d, const char *s);
const char *doctor_addr(struct doctor *d, const struct addr *a);
const char *doctor_prefix(struct doctor *d, const struct prefix *p);
const char *doctor_mac(struct doctor *d, const struct mac *m);
/* doctor_proc_read() for a check: memory that is missing is noted. */
int doctor_check_read(struct doctor *d, const char *path, struct buf *b);
/*
 * All strings but id, a literal, are copied: the report outlives the view whose names they are.
 * NULL is "".
 */
void doctor_add(struct doctor *d, enum doctor_status status, const char *id, const char *object,
		const char *expected, const char *found, const char *advice);
/* fail (or the status given) when bad, else ok without advice. */
void doctor_judge(struct doctor *d, bool good, enum doctor_status otherwise, const char *id,
		  const char *object, const char *expected, const char *found, const char *advice);

const char *doctor_family_name(uint8_t family); /* NFPROTO_*: as nft writes it */
/* NF_INET_* and the like, whose numbers each family has its own of: as nft writes it, "?" */
const char *doctor_hook_name(uint8_t family, uint32_t hook);

/* doctor_run() in two steps: a view is read, and checked. */
int doctor_view_read(struct doctor_view *v, const struct doctor_config *config, struct err *err);
int doctor_view_check(const struct doctor_view *v, struct doctor_report **ret, struct err *err);

/* Only the checks that look at tables; pods where one was asked for. 0 or -ENOMEM. */
int doctor_view_check_again(const struct doctor_view *v, struct doctor_report **ret);
/* What failed in `after` and did not in `before`: it came while packets were captured. */
int doctor_find_new(const struct doctor_report *before, const struct doctor_report *after,
		    struct doctor_findings *ret);
/* What the view, the checks and the counters that moved say of losses. 0 or -ENOMEM. */
int doctor_find(const struct doctor_view *v, const struct doctor_report *r,
		const struct doctor_counters *before, const struct doctor_counters *after,
		struct doctor_findings *ret);
/* Adds one with copies of the strings; beyond the limit the lightest goes. */
int doctor_findings_add(struct doctor_findings *f, const struct doctor_finding *one);

/* ------------------------------------------------------------------- checks */

void doctor_check_flannel(struct doctor *d); /* files */
void doctor_check_vteps(struct doctor *d);
void doctor_check_remotes(struct doctor *d);
void doctor_check_bridge(struct doctor *d);
void doctor_check_mtu(struct doctor *d);
void doctor_check_sysctls(struct doctor *d);
void doctor_check_kernel(struct doctor *d); /* conntrack, offload, netfilter */
void doctor_check_pods(struct doctor *d);
void doctor_check_leftovers(struct doctor *d); /* stale CNI results, leaked addresses */

#endif
