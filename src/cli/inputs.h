/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * inputs.h - captures already taken, or still growing, as hops and frames of a node.
 *
 * Private to src/cli: report reads the inputs of one node, verify those of several.
 *
 *   input_open() each  ->  inputs_headers()  ->  inputs_new(), inputs_add(): which node's
 *   ->  inputs_learn(): roles, pods, MAC addresses  ->  a pipeline over inputs' net
 *   ->  inputs_start()
 *   ->  inputs_fetch() and inputs_take() until INPUTS_OVER  ->  inputs_totals()
 */
#ifndef PODHOP_CLI_INPUTS_H
#define PODHOP_CLI_INPUTS_H

#include "cli.h"

#define INPUTS_MAX 256u

struct input;

/* Opens a file, a FIFO or "-"; pipes are read without blocking from here on. */
struct input *input_open(const char *path, struct err *err);
void input_free(struct input *in);	/* NULL is accepted */
const char *input_path(const struct input *in);
/* The node that its header names, "" when it names none. After inputs_headers(). */
const char *input_node(const struct input *in);

/* Waits until all inputs have said what they are, or are over. */
int inputs_headers(struct input *const *all, unsigned n, struct err *err);

/* The filter that a hop's capture was made with, as its interface says (if_filter). */
struct hop_filter {
	char text[PCAPNG_STRING_MAX];	/* "": none, or (model_hop.filtered) not known */
	struct capture_filter *program;	/* NULL: as text, or none that libpcap knows; owned */
	bool as_all;			/* all hops of all nodes had this one */
	const char *path;		/* of the first file that showed the hop; borrowed */
};

/* The inputs of one node. */
struct inputs {
	const struct options *opt;
	struct model_net *net;		/* borrowed: filled with what the files say and show */
	struct pipeline *pipeline;	/* borrowed: the frames' way; set by inputs_start() */
	struct input *input[INPUTS_MAX];	/* owned */
	unsigned n_input;
	struct input *next;		/* inputs_fetch(): whose frame is the oldest */
	bool own[MODEL_HOPS_MAX];	/* hop was described by podhop itself */
	bool all_own;
	struct hop_filter filter[MODEL_HOPS_MAX];
	int64_t disorder_ns;		/* how far behind a newer one frames of the sample came */
	bool hops_used[LIST_MAX];	/* --hops that were found here */
	bool cuts;			/* frames to their hop's snapshot length (-s) */
	bool damaged;			/* an input turned bad: exit status 1 */
	bool pods_left_out;		/* the files tell of more than there is room for */
	int64_t drops_total[MODEL_HOPS_MAX];	/* -1: not known */
	uint64_t drops_told[MODEL_HOPS_MAX];	/* of these, told to the pipeline so far */
	int64_t hop_first_ns[MODEL_HOPS_MAX], hop_last_ns[MODEL_HOPS_MAX];
	/* Frames that a hop's capture lost; both may be NULL. */
	void (*on_drops)(void *arg, unsigned hop, int64_t from_ns, int64_t to_ns, uint64_t count);
	void *arg;
};

/* What its files say to have kept: their filters, which in owns. */
void inputs_kept(const struct inputs *in, struct kept *to);

struct inputs *inputs_new(const struct options *o, struct model_net *net, struct err *err);
void inputs_free(struct inputs *in);	/* with its inputs; NULL is accepted */
/* Takes it over. The caller opens no more than INPUTS_MAX. */
void inputs_add(struct inputs *in, struct input *one);

/* Learns the roles of all nodes' inputs together, so that --hops may name any of them. */
int inputs_learn(struct inputs *const *nodes, unsigned n, struct err *err);

/*
 * Frames go into p from now on. What regular files say only at their end is told now; on_drops is
 * called for it.
 */
void inputs_start(struct inputs *in, struct pipeline *p);

enum inputs_state {
	INPUTS_OVER = 0,	/* nothing will come any more */
	INPUTS_FRAME,		/* in->next has the oldest of the frames that are there */
	INPUTS_IDLE,		/* pipes are silent */
};
/* Returns enum inputs_state or -errno. */
int inputs_fetch(struct inputs *in, struct err *err);
int64_t inputs_next_ns(const struct inputs *in);	/* of the frame that inputs_fetch() found */
int inputs_take(struct inputs *in);	/* into the pipeline; returns what that says */
/*
 * Takes up to `most` frames at once where the input is one regular file. 1: that many were
 * taken; 0: inputs_fetch() has to look at what comes next; or -errno.
 */
int inputs_run(struct inputs *in, unsigned most);
/* How far time has come in all inputs that are not over; INT64_MIN: not known yet. */
int64_t inputs_time(const struct inputs *in);
/*
 * From when to when all its hops were captured, by their frames. end: all has been read; what
 * podhop wrote was captured at all hops to the end, others to where the first of them ended.
 */
void inputs_span(const struct inputs *in, bool end, int64_t *ret_first, int64_t *ret_last);
/*
 * When the hop was captured, as far as is known by now: fn for each input that shows it. Spans grow
 * as inputs are taken. True: more may follow.
 */
typedef void (*inputs_span_fn)(void *arg, unsigned hop, int64_t from_ns, int64_t to_ns);
bool inputs_coverage(struct inputs *in, unsigned hop, inputs_span_fn fn, void *arg);
/* The file that has the hop's frame of that time; NULL when none has. */
const char *inputs_file_of(const struct inputs *in, unsigned hop, int64_t time_ns);
bool inputs_live(const struct inputs *in);	/* one of them is a pipe */

/* Waits until one of the open inputs can be read, a signal came, or a short while. */
int inputs_wait(struct inputs *const *nodes, unsigned n);

/* podhop wrote it, to its end, and its sample shows it in order: nobody need look. */
bool inputs_are_ordered(const struct inputs *in);
/*
 * Reads the stamps of all frames of regular files, which costs a small part of what correlating
 * them does. Files of which frames come more than most_ns behind newer ones because their
 * interfaces lag behind each other are read in time order from here on, where that can be done.
 * *ret_ns: how far behind frames come then, at most; INT64_MAX: not known. Rewinds. After
 * inputs_learn().
 */
int inputs_scan(struct inputs *in, int64_t most_ns, int64_t *ret_ns, struct err *err);

/* Regular files from their start again, for another pipeline; roles stay as they were learned. */
int inputs_rewind(struct inputs *in, struct err *err);

/* Totals that files give only at their end: statistics blocks. Tells of drops not told yet. */
void inputs_totals(struct inputs *in);
/*
 * Looks at the filters of all nodes' hops, once roles are known, and warns of those that may have
 * left out what others show. May ask the C library for names of services and protocols.
 */
void inputs_filters(struct inputs *const *nodes, unsigned n);
/* A result_shows_fn: inputs is a struct inputs, node is not looked at. */
enum result_shown inputs_shows(void *inputs, unsigned node, unsigned hop,
			       const struct result_frames *frames);
/* What the captures found on the node, as far as they were read. */
void inputs_findings(const struct inputs *in, struct doctor_findings *f);
/* Completes a result: inputs, and the drops of its interfaces. */
int inputs_fill(const struct inputs *in, struct result *r);	/* 0 or -ENOMEM */

/*
 * Names that the inputs themselves tell: in front of a file's first frame, or as far as a
 * pipe has been read. After inputs_learn(). 0 or negative with err set.
 */
int inputs_names(struct inputs *in,
		 void (*fn)(void *arg, const struct addr *a, const char *name), void *arg,
		 struct err *err);

/* ---- what the command line says of files */
void inputs_add_port(struct model_net *net, uint16_t port);
/* Another address of a pod; false: there are as many pods, or addresses of one, as fit. */
bool inputs_add_pod(struct model_net *net, const char *ns, const char *name, const struct addr *a);
const char *inputs_base_name(const char *path);

#endif
