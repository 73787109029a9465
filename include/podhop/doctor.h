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

#include "podhop/chain.h"
#include "podhop/err.h"

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
 * or rule was made anew) with its whole value. A non-zero return of fn ends it and is returned.
 */
int doctor_counters_diff(const struct doctor_counters *before, const struct doctor_counters *after,
			 int (*fn)(void *arg, const struct doctor_counter *c, uint64_t moved),
			 void *arg);
/* A few words on what a counter means, "" when its name says it all. */
const char *doctor_counter_meaning(const struct doctor_counter *c);

#endif
