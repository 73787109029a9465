/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * resolve_priv.h - what the files of this module share.
 *
 * Three layers, each below the next:
 *   readers   fs, rtnl, rtnl_parse, netns, cni, hostlocal, proc, cgroup, oci, docker, podlogs
 *             turn one source into plain structs and believe nothing;
 *   store     joins them into one record a sandbox (resolve_rec); container.c does a runtime's;
 *   resolve   picks records by POD form (pick.c), asks netlink and builds chains.
 *
 * Strings in records are heap or NULL ("not known"); resolve_s() makes them
 * printable. A failed allocation sets resolve->oom, tested once a stage, so
 * that the joins stay readable.
 */
#ifndef RESOLVE_PRIV_H
#define RESOLVE_PRIV_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "podhop/addr.h"
#include "podhop/buf.h"
#include "podhop/chain.h"
#include "podhop/err.h"
#include "podhop/grow.h"
#include "podhop/model.h"
#include "podhop/resolve.h"

#define RESOLVE_FILE_MAX (4u << 20) /* OCI configs of privileged pods reach some 100 KiB */
#define RESOLVE_RECS_MAX 16384 /* kubelet's default is 110 pods a node; leaks add up */
#define RESOLVE_LINKS_MAX 65536
#define RESOLVE_PROCS_MAX (1u << 20) /* pid_max is at most 2^22 */
#define RESOLVE_ENTRIES_MAX 65536 /* names read of one directory */
#define RESOLVE_HEX_ID 64 /* container ids of every runtime */
#define RESOLVE_UID_MAX 37 /* 36 and NUL */

static inline const char *resolve_s(const char *s)
{
	return s ? s : "";
}

/* -------------------------------------------------------------------- table */

/* A map from borrowed strings to small numbers; the first value of a key stays. */
struct resolve_index {
	struct resolve_index_slot {
		const char *key;
		uint32_t value;
	} * slots;
	uint32_t size, n;
};

bool resolve_index_add(struct resolve_index *ix, const char *key, uint32_t value);
bool resolve_index_find(const struct resolve_index *ix, const char *key, uint32_t *ret_value);
void resolve_index_done(struct resolve_index *ix);

/* ----------------------------------------------------------------------- fs */

struct resolve_fs {
	int root; /* directory that stands for /; -1: the real one */
	int proc; /* the node's /proc */
	bool proc_in_root; /* proc was found under root */
	bool own_pids; /* its numbers are this process's too: NETNSA_PID may be used */
};

int resolve_fs_init(struct resolve_fs *fs, const char *host_root, struct err *err);
void resolve_fs_done(struct resolve_fs *fs);
/* Opens an absolute path of the node, symlinks resolved inside the root. -errno. */
int resolve_fs_open(const struct resolve_fs *fs, const char *path, int flags);
DIR *resolve_fs_opendir(const struct resolve_fs *fs, const char *path, int *ret_errno);
/* The same below an open directory, as the system sees it. */
DIR *resolve_fs_opendir_at(int dirfd, const char *name, int *ret_errno);
/*
 * The next name that does not begin with a dot; NULL at the end. *n counts what was looked at
 * and begins at 0: a directory is read up to RESOLVE_ENTRIES_MAX names.
 */
const char *resolve_fs_next(DIR *d, unsigned *n);
/* Reads a file below an open directory, or an absolute path. 0 or -errno. */
int resolve_fs_read_at(int dirfd, const char *name, struct buf *b);
int resolve_fs_read(const struct resolve_fs *fs, const char *path, struct buf *b);
/* An absolute path as a pod sees it whose / is root, an open directory: its links stay below. */
int resolve_fs_read_in(int root, const char *path, struct buf *b);

/* --------------------------------------------------------------------- rtnl */

struct resolve_link {
	struct chain_link l; /* addrs stay empty */
	bool has_iflink;
	int32_t target_nsid; /* IFLA_TARGET_NETNSID; -1 when absent */
	char slave_kind[16];
	uint32_t vxlan_vni, vxlan_link;
	uint16_t vxlan_port; /* host order */
	struct addr vxlan_local;
	bool vxlan_v6;
};

struct resolve_ifaddr {
	uint32_t ifindex;
	int32_t target_nsid;
	uint8_t scope;
	struct prefix prefix;
};

struct resolve_route {
	struct prefix dst;
	bool v6;
	uint8_t type; /* RTN_* */
	uint32_t table;
	uint32_t oif;
	uint32_t mtu;
	uint32_t metric;
	uint32_t flags; /* RTM_F_* */
	struct addr gw; /* none: on the link */
};

struct resolve_neigh {
	uint32_t ifindex;
	uint16_t state;
	uint8_t flags;
	struct addr dst; /* FDB: the remote VTEP's outer address */
	struct mac mac;
};

/* One netlink message, header included; -EBADMSG when it is not sound. */
int resolve_parse_link(const void *msg, size_t len, struct resolve_link *ret);
int resolve_parse_addr(const void *msg, size_t len, struct resolve_ifaddr *ret);
int resolve_parse_route(const void *msg, size_t len, struct resolve_route *ret);
int resolve_parse_neigh(const void *msg, size_t len, struct resolve_neigh *ret);
int resolve_parse_nsid(const void *msg, size_t len, int32_t *ret);

struct resolve_rtnl;
struct resolve_rtnl *resolve_rtnl_open(struct err *err);
void resolve_rtnl_free(struct resolve_rtnl *rt);
/*
 * Dumps; nsid -1 is the own namespace. Heap arrays, caller frees. -EACCES:
 * CAP_NET_ADMIN over the target is missing; -EINVAL: nobody has that nsid;
 * -EOPNOTSUPP: this kernel cannot.
 */
int resolve_rtnl_links(struct resolve_rtnl *rt, int32_t nsid, struct resolve_link **ret,
		       unsigned *ret_n);
int resolve_rtnl_addrs(struct resolve_rtnl *rt, int32_t nsid, struct resolve_ifaddr **ret,
		       unsigned *ret_n);
int resolve_rtnl_routes(struct resolve_rtnl *rt, struct resolve_route **ret, unsigned *ret_n);
int resolve_rtnl_neighs(struct resolve_rtnl *rt, int family, struct resolve_neigh **ret,
			unsigned *ret_n);
/* RTM_GETNSID; *ret -1: none is assigned. By fd of a netns, or by pid when fd is -1. */
int resolve_rtnl_nsid(struct resolve_rtnl *rt, int fd, pid_t pid, int32_t *ret);
/*
 * -ENOMEM, -ENOBUFS or -EAGAIN: since the last call a question had no answer for want of memory
 * or time, and what was made of the others may be wrong. 0: none.
 */
int resolve_rtnl_lacked(struct resolve_rtnl *rt);

/* -------------------------------------------------------------------- netns */

struct resolve_netns {
	uint64_t dev, ino; /* ino 0: not known */
};

static inline bool resolve_netns_eq(const struct resolve_netns *a, const struct resolve_netns *b)
{
	return a->ino != 0 && a->ino == b->ino && a->dev == b->dev;
}

/*
 * An fd on a network namespace given by path (of the node). -ESTALE: a plain file is there, on
 * which one may have been mounted; -EISDIR, -EOPNOTSUPP: something else is.
 */
int resolve_netns_open(const struct resolve_fs *fs, const char *path, struct resolve_netns *ret);
int resolve_netns_open_pid(const struct resolve_fs *fs, pid_t pid, struct resolve_netns *ret);
int resolve_netns_open_own(struct resolve_netns *ret);

/* ------------------------------------------------------------------- cgroup */

struct resolve_cgroup {
	char id[RESOLVE_HEX_ID + 1]; /* container id, "" */
	char uid[RESOLVE_UID_MAX]; /* pod uid with dashes (or 32 hex of a static pod), "" */
	const char *runtime; /* "containerd", "cri-o", "docker", "podman", "": not said */
};

/* /proc/<pid>/cgroup; false when it names neither a container nor a pod. */
bool resolve_cgroup_parse(const char *text, size_t len, struct resolve_cgroup *ret);

/* --------------------------------------------------------------------- proc */

struct resolve_proc {
	pid_t pid;
	struct resolve_netns ns; /* ino 0: no right to look */
	struct resolve_cgroup cg;
};

/* ---------------------------------------------------------------------- cni */

#define RESOLVE_CNI_HOSTS 6 /* host ends in one result; meta plugins append some */
#define RESOLVE_CNI_IPS 8

struct resolve_cni {
	char *container_id, *ifname, *network, *netns;
	char *plugin; /* type of the network's main plugin, from the cached config */
	char *namespace_, *name, *uid;
	struct {
		char name[16];
		struct mac mac;
	} hosts[RESOLVE_CNI_HOSTS]; /* interfaces without sandbox: bridge, veth, ... */
	unsigned n_hosts;
	struct mac mac; /* of the container end */
	struct addr ips[RESOLVE_CNI_IPS];
	unsigned n_ips;
	char *file; /* where it was read; set by the reader */
	int64_t mtime;
	bool oom; /* while it is read */
};

/*
 * One file of the result cache: "cniCacheV1" of libcni 0.8 and later, or the
 * bare result of 0.7 (file_name then says network, id and interface). -EBADMSG, -ENOMEM.
 */
int resolve_cni_parse(const char *json, size_t len, const char *file_name, struct resolve_cni *ret);
void resolve_cni_done(struct resolve_cni *c);

/* --------------------------------------------------------------- containers */

/* What a runtime's file says of one container. Strings are heap or NULL. */
struct resolve_said {
	char *id;
	char *sandbox_id; /* equal to the id for a sandbox */
	char *namespace_, *name, *uid, *container;
	char *netns; /* path; NULL: none named */
	const char *runtime;
	pid_t pid; /* 0: not said */
	bool is_sandbox; /* the pause container, or a container of no pod */
	bool is_pod;
	bool running;
	bool host_network; /* said, or no network namespace is named */
	bool oom; /* while it is read */
};

void resolve_container_done(struct resolve_said *c);
/* Takes it into the record of its sandbox, or, with may_add, a new one. file: where it was read. */
void resolve_container_join(struct resolve *r, const struct resolve_said *c, const char *file,
			    bool may_add);

/* config.json of an OCI bundle. -EBADMSG; -ENOMSG: not a Kubernetes container; -ENOMEM. */
int resolve_oci_parse(const char *json, size_t len, const char *id, struct resolve_said *ret);

/* docker's config.v2.json. -EBADMSG, -ENOMEM. */
int resolve_docker_parse(const char *json, size_t len, struct resolve_said *ret);
/* "k8s_<container>_<pod>_<namespace>_<uid>_<attempt>", with or without the slash in front. */
bool resolve_docker_name(const char *name, struct resolve_said *ret);

/* ------------------------------------------------------------------ podlogs */

struct resolve_log {
	char *namespace_, *name, *uid;
};

/* "<namespace>_<name>_<uid>"; -EBADMSG when it is not that, -ENOMEM. */
int resolve_podlog_parse(const char *dir, struct resolve_log *ret);
void resolve_log_done(struct resolve_log *l);

/* ---------------------------------------------------------------- hostlocal */

struct resolve_lease {
	struct addr ip;
	char *id, *ifname, *file;
};

/* Content of a host-local address file: id, CRLF, interface. -EBADMSG: no id; -ENOMEM. */
int resolve_lease_parse(const char *text, size_t len, struct resolve_lease *ret);
void resolve_lease_done(struct resolve_lease *l);

/* -------------------------------------------------------------------- store */

struct resolve_container {
	char *id, *name, *source;
	pid_t pid;
	bool sandbox;
};

struct resolve_rec {
	char *sandbox_id, *namespace_, *name, *uid, *runtime;
	char *source; /* where the name was read */
	char *netns_path, *netns_source;
	struct resolve_netns ns;
	int32_t nsid; /* -1: none or not known */
	bool nsid_asked;
	bool host_network;
	bool host_network_said; /* by a runtime's file */
	bool netns_denied; /* a right was missing when looking */
	bool alive; /* something live proves it: netns, process, or the veth */
	bool is_pod; /* shown by list */
	bool bundles_read; /* resolve_oci_scan_rec() was here */
	struct resolve_cni *cni;
	unsigned n_cni;
	struct resolve_container *containers;
	unsigned n_containers;
	pid_t pid;
	pid_t asked_pid; /* pid:N chose this record: shown rather than the sandbox's; 0 */
	int64_t mtime;
};

struct resolve {
	struct resolve_fs fs;
	char node[MODEL_K8S_NAME_MAX];
	struct resolve_rtnl *rtnl;
	struct resolve_netns own;
	int own_fd;
	int32_t self_nsid;
	/* the host as netlink shows it, read at open */
	struct resolve_link *links;
	unsigned n_links;
	struct resolve_ifaddr *addrs;
	unsigned n_addrs;
	struct resolve_route *routes;
	unsigned n_routes;
	/* the node's pods, read at the first question */
	bool have_pods, have_bundles;
	struct resolve_rec *recs;
	unsigned n_recs;
	struct resolve_index by_id, by_uid;
	struct resolve_proc *procs; /* ascending pid */
	unsigned n_procs;
	uint32_t *procs_by_ns; /* indices, sorted by (ino, dev, pid) */
	struct resolve_index proc_by_id;
	struct resolve_log *logs;
	unsigned n_logs;
	struct resolve_lease *leases;
	unsigned n_leases;
	char *subnet_env; /* text of flannel's file, NULL */
	bool uid_twice; /* some uid has more than one sandbox */
	bool oom;
	char denied[256]; /* the first source that a missing right kept shut */
};

/* Replaces *dst by a copy of n bytes when there are some and *dst says nothing yet. */
void resolve_copy(char **dst, const char *s, size_t n, bool *oom);
/* The same with a string, or NULL. */
void resolve_fill(struct resolve *r, char **dst, const char *src);
__attribute__((format(printf, 2, 3))) char *resolve_fmt(struct resolve *r, const char *fmt, ...);
/* A source could not be read; what that was for want of is noted: a right, or memory. */
void resolve_deny(struct resolve *r, const char *path, int error);
/* Notes -ENOMEM, and passes rc on: other failures are those of one file, which is left out. */
int resolve_noted(struct resolve *r, int rc);

/*
 * One more element, zeroed, as grow(). NULL: of no memory, which is noted, or above max, which is
 * far above any node's: more is a disk that keeps what it should not, and no reason to show
 * nothing of the rest.
 */
void *resolve_grow(struct resolve *r, void *array_ptr, unsigned *n, size_t size, unsigned max);

struct resolve_rec *resolve_rec_new(struct resolve *r);
struct resolve_rec *resolve_rec_by_id(struct resolve *r, const char *id);
void resolve_rec_set_uid(struct resolve *r, struct resolve_rec *rec, const char *uid);
void resolve_rec_set_sandbox(struct resolve *r, struct resolve_rec *rec, const char *id);
struct resolve_container *resolve_rec_container(struct resolve *r, struct resolve_rec *rec,
						const char *id);
struct resolve_container *resolve_rec_has(struct resolve_rec *rec, const char *id);

/* Readers of whole directories into the store. They skip what they cannot read. */
void resolve_cni_scan(struct resolve *r);
void resolve_hostlocal_scan(struct resolve *r);
void resolve_proc_scan(struct resolve *r);
void resolve_podlogs_scan(struct resolve *r);
void resolve_docker_scan(struct resolve *r);
void resolve_oci_scan(struct resolve *r);
/* Bundles of one record's containers only, those that no process shows included. */
void resolve_oci_scan_rec(struct resolve *r, struct resolve_rec *rec);
/* Bundles whose id begins so. May add records. */
void resolve_oci_scan_prefix(struct resolve *r, char *prefix);

/*
 * Reads every source but the OCI bundles; with all, those too. Pointers to
 * records do not survive it. What was read before is not read again.
 */
int resolve_store_load(struct resolve *r, bool all, struct err *err);
/* A record for what no source names: a bare namespace or process. */
struct resolve_rec *resolve_rec_anonymous(struct resolve *r, const struct resolve_netns *ns,
					  const char *path, pid_t pid);
/* Settles pid, life and hostNetwork once ns and containers are known. */
void resolve_rec_settle(struct resolve *r, struct resolve_rec *rec);
/* Some source says that it is a pod or a container; not a bare namespace or process. */
bool resolve_rec_is_known(const struct resolve_rec *rec);
/* The claimed host veth, when netlink has one of that name; NULL. */
const struct resolve_link *resolve_rec_claim(const struct resolve *r,
					     const struct resolve_rec *rec);
void resolve_store_done(struct resolve *r);
/* First process of a namespace, by pid; NULL. */
const struct resolve_proc *resolve_proc_in(const struct resolve *r, const struct resolve_netns *ns);
/* The first process in the namespace of that nsid: a request a namespace; NULL. */
const struct resolve_proc *resolve_proc_by_nsid(struct resolve *r, int32_t nsid);
const struct resolve_proc *resolve_proc_find(const struct resolve *r, pid_t pid);

/* --------------------------------------------------------------------- host */

const struct resolve_link *resolve_host_link(const struct resolve *r, uint32_t ifindex);
const struct resolve_link *resolve_host_link_named(const struct resolve *r, const char *name);
/* Fills links with addresses; 0 or -ENOMEM. */
int resolve_host_copy(const struct resolve *r, const struct resolve_link *from,
		      struct chain_link *to);
int resolve_host_fill(struct resolve *r, struct chain *c);
/* The longest match of the main and local tables; NULL. */
const struct resolve_route *resolve_host_route(const struct resolve *r, const struct addr *a);
/*
 * The VXLAN device whose datagrams leave through that device; NULL. A device that is a
 * port of a bridge is never an underlay here.
 */
const struct resolve_link *resolve_host_vtep_over(const struct resolve *r, uint32_t ifindex);

/* --------------------------------------------------------------------- pods */

/* The record's nsid, asked for once. */
void resolve_rec_nsid(struct resolve *r, struct resolve_rec *rec);
/* Builds the pod's chain; 0 or -errno (memory). ev: chain to add evidence to, NULL for none. */
int resolve_build_pod(struct resolve *r, struct resolve_rec *rec, struct chain_pod *pod,
		      struct chain *ev);
int resolve_chain_add(struct chain *c, const char *step, const char *source, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
bool resolve_pod_usable(const struct chain_pod *pod);

/* --------------------------------------------------------------------- pick */

/* The record that POD means. ERR_USAGE or ERR_FAILED with the sentence otherwise. */
int resolve_pick(struct resolve *r, const char *pod, struct resolve_rec **ret, struct err *err);
/* "ns/name", or the best that is known of it. */
const char *resolve_rec_label(const struct resolve_rec *rec, char *out, size_t size);

#endif
