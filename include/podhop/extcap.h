/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * extcap.h - Wireshark's extcap protocol: what it asks, what podhop answers.
 *
 * Owns: nothing; a call's strings are argv's own.
 * Never: looks at the node, captures, prints. It turns argv into a call and facts
 * into sentences; the command line does the rest (src/cli/cmd_extcap.c).
 *
 * Wireshark and tshark start every file in their extcap folder with --extcap-interfaces, then
 * with --extcap-config for each interface, at each of their own starts.
 */
#ifndef PODHOP_EXTCAP_H
#define PODHOP_EXTCAP_H

#include <stdbool.h>

#include "podhop/buf.h"
#include "podhop/chain.h"
#include "podhop/err.h"

#define EXTCAP_ERROR_MAX 1000	/* Wireshark keeps the first 1024 bytes of stderr */
#define EXTCAP_ARGS_MAX 64

enum extcap_action {
	EXTCAP_NONE = 0,
	EXTCAP_INTERFACES,	/* which interfaces are there */
	EXTCAP_CONFIG,		/* which options has one */
	EXTCAP_DLTS,		/* which link types */
	EXTCAP_RELOAD,		/* new values of a selector: podhop has none */
	EXTCAP_FILTER,		/* is this capture filter valid */
	EXTCAP_CAPTURE,
};

struct extcap_call {
	enum extcap_action action;
	const char *interface, *fifo;
	const char *capture_filter;	/* of Wireshark's own filter field */
	/* podhop's options, NULL when not given or empty */
	const char *filter, *hops, *snaplen, *names, *direction, *window;
	bool terse, nano, no_nat;
	/* for a script in the extcap folder that calls podhop for another root */
	const char *host_root, *node;
};

/* Is this an extcap call at all? Any argument --extcap-..., or --capture with --fifo. */
bool extcap_is_call(int argc, char *const *argv);

/*
 * "--name value" and "--name=value"; unknown --extcap- options of newer versions are
 * passed over. 0, or -errno with ERR_USAGE: Wireshark shows the sentence.
 */
int extcap_parse(int argc, char *const *argv, struct extcap_call *ret_call, struct err *err);

/*
 * The interface of a pod: podhop-<namespace>-<name>; with a dot between the two where
 * another pod of the node would get the same. Added to ret_value, which the caller has begun.
 * false: a pod that cannot be captured has none.
 */
bool extcap_interface(const struct chain *c, unsigned pod, struct buf *ret_value);
/* The pod of an interface, -1 when there is none. */
int extcap_find(const struct chain *c, const char *interface);

/* The answers. c NULL: no pods could be listed. */
void extcap_answer_interfaces(const struct chain *c, const char *version, struct buf *out);
void extcap_answer_config(struct buf *out);
void extcap_answer_dlts(struct buf *out);

/* The words of `podhop capture` for a call. */
struct extcap_args {
	char *argv[EXTCAP_ARGS_MAX + 1];	/* owned, NULL at the end */
	int argc;
};
/* pod: "namespace/name". The stream goes to stdout. Free with extcap_args_done() in any case. */
int extcap_capture_args(const struct extcap_call *call, const char *pod,
			struct extcap_args *ret_args, struct err *err);
void extcap_args_done(struct extcap_args *a);

#endif
