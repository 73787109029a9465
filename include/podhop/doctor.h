/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * doctor.h - is the node's flannel datapath configured so that packets can pass?
 *
 * Owns: the list of checks (doctor_report_free()) and of counters
 * (doctor_counters_free()); one netlink socket while it reads.
 * Never: changes anything, starts a program, enters a namespace, prints. What it
 * advises is for a person to run.
 *
 * The node's state comes from netlink and /proc of the caller's own network
 * namespace and from flannel's and CNI's files under host_root; the pods come
 * from the resolver's chain. Thread-safe as far as its arguments are.
 */
#ifndef PODHOP_DOCTOR_H
#define PODHOP_DOCTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "podhop/addr.h"
#include "podhop/chain.h"
#include "podhop/err.h"
#include "podhop/model.h"

enum doctor_status {
	DOCTOR_NONE = 0,
	DOCTOR_OK,
	DOCTOR_WARN,	/* packets pass, but not all or not well, or it cannot be known */
	DOCTOR_FAIL,	/* packets that should pass do not */
	DOCTOR_SKIP,	/* not applicable, or not readable: found says which */
	DOCTOR_STATUS_COUNT,
};
const char *doctor_status_name(enum doctor_status s);

/* One thing looked at. Strings are never NULL and live as long as the report. */
struct doctor_check {
	const char *id;		/* "remote.fdb"; podhop-doctor(8) lists them */
	enum doctor_status status;
	const char *object;	/* what was looked at: a device, a subnet, a file, a pod */
	const char *expected, *found;
	/*
	 * A line for the shell that mends it, "" when there is nothing to do. What is
	 * no command in it is a shell comment, so that the line can be pasted whole.
	 */
	const char *advice;
};

struct doctor_report {
	char *node;
	struct doctor_check *checks;	/* in the order a packet meets them */
	unsigned n_checks;
	unsigned n[DOCTOR_STATUS_COUNT];
	char **strings;			/* what the checks point at */
	unsigned n_strings;
};

struct doctor_config {
	const char *host_root;		/* "" or NULL: / */
	const struct chain *chain;	/* the whole node, from resolve_list(); needed */
	/* When not NULL, of all pods only this one is checked: one of resolve_pod()'s. */
	const struct chain_pod *pod;
};

/*
 * Runs every check. 0, or -errno when the node's state cannot be read at all;
 * what one check cannot read becomes a skip. Caller frees with doctor_report_free().
 */
int doctor_run(const struct doctor_config *config, struct doctor_report **ret, struct err *err)
	__attribute__((warn_unused_result));
void doctor_report_free(struct doctor_report *r);	/* NULL is accepted */

/* ---- counters: what the kernel itself counted, to be read before and after a run */

enum doctor_counter_kind {
	DOCTOR_COUNTER_TRAFFIC = 0,	/* moves with every packet: says nothing by itself */
	DOCTOR_COUNTER_DROP,		/* each step is a packet that was thrown away or refused */
	DOCTOR_COUNTER_HINT,		/* not a loss, but a reason for one */
	DOCTOR_COUNTER_GAUGE,		/* a level; differences mean nothing */
};

struct doctor_counter {
	char group[16];		/* "link", "qdisc", "ip", "udp", "softnet", "conntrack", "nft" */
	char object[64];	/* device, CPU, table and chain; "" for the whole namespace */
	char name[40];		/* the kernel's own name: "rx_dropped", "ForwDatagrams" */
	enum doctor_counter_kind kind;
	uint64_t value;
};

struct doctor_counters {
	struct doctor_counter *c;	/* sorted by group, object, name */
	unsigned n;
};

/* Those of the caller's network namespace. host_root as above. */
int doctor_counters_read(const char *host_root, struct doctor_counters **ret, struct err *err)
	__attribute__((warn_unused_result));
void doctor_counters_free(struct doctor_counters *c);	/* NULL is accepted */

/*
 * Calls fn for every counter that stands higher in `after` (gauges left out), with
 * the difference; a counter that is new counts from 0, one that fell (its device
 * or rule was made anew) with its whole value. Those that the kernel keeps in 32 bits (softnet,
 * conntrack) may wrap in between. A non-zero return of fn ends it and is returned, else 0.
 */
int doctor_counters_diff(const struct doctor_counters *before, const struct doctor_counters *after,
			 int (*fn)(void *arg, const struct doctor_counter *c, uint64_t moved),
			 void *arg);
/* A few words on what a counter means, "" when its name says it all. */
const char *doctor_counter_meaning(const struct doctor_counter *c);

/* ---- findings: what can be a reason for a loss between two hops of this node */

/*
 * Between which hops, as a mask: of a packet that leaves, and of one that comes in. NONE is what
 * lies behind the node: `next` of a packet that left it, `last` of one that should have come.
 * Another pod's veth is VETH to VETH.
 */
uint32_t doctor_places(enum model_direction direction, enum model_role last, enum model_role next);

struct doctor_finding {
	uint32_t places;
	uint8_t weight;		/* 1 to 100: how much it says of a loss there, by itself */
	uint64_t packets;	/* that it took while it was watched; 0: it does not count */
	struct prefix about;	/* the only destinations it concerns; no address: any */
	char *reason;		/* "no FDB entry for 02:00:0a:f4:02:00 on flannel.1" */
	char *evidence;		/* what was read, where */
};
struct doctor_findings {
	struct doctor_finding *f;
	unsigned n;
};
#define DOCTOR_FINDINGS_MAX 64
void doctor_findings_free(struct doctor_findings *f);	/* what f points to */

/* A finding as one line of text, and back. Of anybody's file: what is no finding is -EBADMSG. */
#define DOCTOR_FINDING_TEXT_MAX 1024
int doctor_finding_text(const struct doctor_finding *f, char out[static DOCTOR_FINDING_TEXT_MAX]);
/*
 * Adds to f; one that is there already is not added, and of more than DOCTOR_FINDINGS_MAX the
 * lightest go. 0, -ENOMEM, -EBADMSG.
 */
int doctor_finding_parse(struct doctor_findings *f, const char *text, size_t len);

/* A loss, and what of the findings speaks of it. */
struct doctor_loss {
	uint32_t places;
	uint64_t packets;
	const struct addr *peers;	/* far ends of its packets */
	unsigned n_peers;
	bool peers_cut;			/* there were more */
};
#define DOCTOR_EVIDENCE_MAX 6
struct doctor_cause {
	unsigned score;			/* of the best, to compare the findings of two nodes */
	const char *reason;		/* NULL: none that is likely enough */
	const char *evidence[DOCTOR_EVIDENCE_MAX];	/* best first */
	unsigned n_evidence;
};
/* Points into the findings. */
void doctor_explain(const struct doctor_findings *f, const struct doctor_loss *loss,
		    struct doctor_cause *ret);

/* ---- watch: the checks and counters of a node while it is captured */

struct doctor_watch;
/*
 * Runs the checks and reads the counters; gets ready to read them again without opening
 * anything and without any right, as behind sandbox_enter(). config->chain is borrowed until
 * doctor_watch_free().
 */
int doctor_watch_start(const struct doctor_config *config, struct doctor_watch **ret,
		       struct err *err) __attribute__((warn_unused_result));
/*
 * Reads tables and counters again, once. What it finds goes to *ret, for doctor_findings_free(),
 * on failure too. 0 or -errno (memory): what cannot be read again is no failure; it tells nothing.
 */
int doctor_watch_end(struct doctor_watch *w, struct doctor_findings *ret, struct err *err);
/* Into net->remotes, as they were read at the start. */
void doctor_watch_remotes(const struct doctor_watch *w, struct model_net *net);
void doctor_watch_free(struct doctor_watch *w);	/* NULL is accepted */

#endif
