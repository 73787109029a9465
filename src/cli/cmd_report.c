/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_report.c - `podhop report FILE...`: the same on captures already taken.
 *
 * Theory of operation. How files become hops and frames: inputs.c. What remains is how far their
 * frames have to be sorted, which costs with the distance. Where nothing of what is found is seen
 * before the end, the order of a sample is believed; a run that finds it wrong ends there and is
 * made again, sorting further, and at last by what the stamps of all frames say (inputs_scan()).
 * What is seen at once has to be right at once: then these are asked first.
 */
#include "cli.h"
#include "inputs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "podhop/figure.h"
#include "podhop/sandbox.h"

#define RUN_FRAMES 256u	/* of a file, between two looks at signals and limits */
#define SORT_LEAST_NS 1000000LL	/* where order is doubtful at all */

/* How far behind a newer one frames may come: sorting costs with the distance. */
struct order {
	int64_t sort_ns;
	bool is_final;	/* nothing better would be found, or what was found cannot be taken back */
};

/* What was found so far can be taken back, and has to be. A step may be an interface that lags. */
static bool is_refuted(const struct session *s, const struct order *o)
{
	return !o->is_final && (pipeline_is_disordered(s->pipeline) ||
				pipeline_clock_steps(s->pipeline));
}

static bool is_over(const struct session *s, const struct order *o)
{
	return pipeline_is_stopped(s->pipeline) || is_refuted(s, o);
}

/* How far it is, on stderr: on SIGUSR1, and as progress on a terminal. */
static void show_progress(const struct session *s)
{
	uint64_t frames = pipeline_frames(s->pipeline);
	uint64_t packets = correlate_ids(pipeline_correlator(s->pipeline));
	char n_frames[FIGURE_MAX], n_packets[FIGURE_MAX], line[128];

	if (signals_take_status()) {
		snprintf(line, sizeof(line),
			 "podhop: %" PRIu64 " packets, %" PRIu64 " frames read\n", packets, frames);
		progress_message(line);
	} else if (!s->packets && progress_is_due()) {
		progress_line("podhop: %s frames read, %s packets", figure_count(frames, n_frames),
			      figure_count(packets, n_packets));
	}
}

/*
 * -a duration counts by the frames' time from the first one on, so that a file ends at the same
 * frame however fast it is read. While pipes are silent it is this machine's clock that goes on.
 */
struct duration {
	int64_t limit_ns;	/* 0: none */
	int64_t first_ns;	/* of the frames; INT64_MAX: none was there yet */
	int64_t reached_ns;	/* how much was over ... */
	int64_t at_ns;		/* ... by the clock at this time */
};

static void duration_begin(struct duration *d, int64_t limit_ns)
{
	*d = (struct duration){ .limit_ns = limit_ns, .first_ns = INT64_MAX,
				.at_ns = clock_ns(CLOCK_MONOTONIC) };
}

/* Is it over in front of a frame of that time? */
static bool duration_ends_at(struct duration *d, int64_t frame_ns)
{
	if (!d->limit_ns)
		return false;
	if (d->first_ns == INT64_MAX)
		d->first_ns = frame_ns;
	d->reached_ns = frame_ns - d->first_ns;
	d->at_ns = clock_ns(CLOCK_MONOTONIC);
	return d->reached_ns >= d->limit_ns;
}

static bool duration_ends_now(const struct duration *d)
{
	return d->limit_ns && clock_ns(CLOCK_MONOTONIC) - d->at_ns >= d->limit_ns - d->reached_ns;
}

/* A run whose order is refuted ends there, and is made again. */
static int follow(struct inputs *in, struct session *s, const struct order *order, struct err *err)
{
	const int64_t limit_ns = s->opt->stop.duration_ns;
	struct duration duration;
	bool live = inputs_live(in);
	/* -a looks at each frame; what stops the pipeline stops it at once all the same. */
	bool in_runs = !live && !limit_ns && !s->opt->count;
	unsigned rounds = 0;
	int rc = 0;

	duration_begin(&duration, limit_ns);
	while (rc >= 0 && !signals_stop() && !s->broken_pipe && !pipeline_is_full(s->pipeline)) {
		/* Frame by frame the clock is not asked each time. */
		if (in_runs || live || ++rounds % RUN_FRAMES == 0)
			show_progress(s);

		if (in_runs) {
			rc = inputs_run(in, RUN_FRAMES);
			if (rc != 0) {
				rc = session_took(s, rc);
				if (is_over(s, order))
					break;
				continue;
			}
		}
		rc = inputs_fetch(in, err);
		if (rc < 0 || rc == INPUTS_OVER)
			break;
		if (rc == INPUTS_FRAME ? duration_ends_at(&duration, inputs_next_ns(in))
				       : duration_ends_now(&duration))
			break;
		rc = rc == INPUTS_FRAME ? session_took(s, inputs_take(in)) : inputs_wait(&in, 1);
		int64_t time = live ? inputs_time(in) : INT64_MIN;
		if (time != INT64_MIN && rc >= 0)
			rc = session_took(s, pipeline_time(s->pipeline, time));
		if (live && s->output && rc >= 0)
			rc = output_idle(s->output, &s->err);
		if (is_over(s, order))
			break;
	}
	return rc < 0 ? rc : 0;
}

/* Frames come at most that far behind; of equal stamps, too, the order may be wrong. */
static int64_t sort_for(int64_t behind_ns)
{
	if (behind_ns >= SESSION_SORT_NS)
		return SESSION_SORT_NS;
	return behind_ns < SORT_LEAST_NS ? SORT_LEAST_NS : behind_ns + 1;
}

/* By the stamps of all frames: there is nothing better. */
static int order_scan(struct inputs *in, struct order *o, struct err *err)
{
	int64_t behind_ns;
	int rc = inputs_scan(in, SESSION_SORT_NS, &behind_ns, err);

	if (rc < 0)
		return rc;
	*o = (struct order){ .sort_ns = sort_for(behind_ns), .is_final = true };
	return 0;
}

/*
 * Where what is found can be taken back, the sample is believed, with a margin. What is seen at
 * once has to be right at once.
 */
static int order_begin(struct inputs *in, const struct session *s, struct order *o,
		       struct err *err)
{
	const int64_t margin = 2;

	o->is_final = inputs_live(in) || !session_is_unseen(s);
	if (inputs_are_ordered(in)) {
		o->sort_ns = 0;
	} else if (inputs_live(in)) {
		o->sort_ns = SESSION_SORT_NS;
	} else if (o->is_final) {
		return order_scan(in, o, err);
	} else {
		const int64_t behind_ns = in->disorder_ns < SESSION_SORT_NS ? in->disorder_ns
									    : SESSION_SORT_NS;

		o->sort_ns = behind_ns ? sort_for(behind_ns * margin) : 0;
	}
	return 0;
}

/*
 * Where that was not enough. A file in time order may still be in disorder where stamps are
 * equal, which the least of sorting mends.
 */
static int order_widen(struct inputs *in, const struct session *s, struct order *o,
		       struct err *err)
{
	const int64_t step = 16;

	if (pipeline_clock_steps(s->pipeline) || o->sort_ns == SESSION_SORT_NS)
		return order_scan(in, o, err);
	o->sort_ns = sort_for(o->sort_ns * step);
	return inputs_rewind(in, err);
}

static int fill(void *arg, struct result *r)
{
	return inputs_fill(arg, r);
}

static int check_output(const struct options *o, struct err *err)
{
	const char *outputs[] = { o->write, o->report, o->html };

	for (unsigned k = 0; k < sizeof(outputs) / sizeof(outputs[0]); k++) {
		if (!outputs[k] || strcmp(outputs[k], "-") == 0)
			continue;
		for (int i = 0; i < o->n_args; i++)
			if (check_not_input(outputs[k], o->args[i], err) < 0)
				return -EEXIST;
	}
	return 0;
}

static int open_inputs(struct inputs *in, const struct options *o, struct err *err)
{
	if ((unsigned)o->n_args > INPUTS_MAX)
		return err_usage(err, E2BIG, "more than %u files", INPUTS_MAX);
	for (int i = 0; i < o->n_args; i++) {
		struct input *one = input_open(o->args[i], err);
		if (!one)
			return -EIO;
		inputs_add(in, one);
	}
	return 0;
}

/* The files do not name their node. This machine's name says nothing of where they come from. */
static void name_node(struct model_net *net)
{
	const char *node = getenv("NODE_NAME");

	if (node)
		snprintf(net->node, sizeof(net->node), "%s", node);
}

/* What can be said of the node and its pods without looking into the files. */
static int name_what_is_told(struct model_net *net, const struct options *o, struct err *err)
{
	if (o->node)
		snprintf(net->node, sizeof(net->node), "%s", o->node);
	for (unsigned i = 0; i < o->n_pods; i++) {
		struct addr a;

		if (addr_parse(o->pods[i], &a) < 0)
			return err_usage(err, EINVAL, "--pod %s: an IP address is needed",
					 o->pods[i]);
		inputs_add_pod(net, "", "", &a);
	}
	return 0;
}

/* All that is opened, and the door. Only behind it are bytes of the captures looked at. */
static int open_all(struct inputs *in, struct session *s, struct err *err)
{
	const struct options *o = s->opt;
	const struct sandbox_config door = { .needs = SANDBOX_NAMES };

	if (name_what_is_told(s->net, o, err) < 0 || check_output(o, err) < 0 ||
	    open_inputs(in, o, err) < 0 || session_open(s, err) < 0)
		return -EIO;
	return session_close_door(o, false, door, err);
}

/* What the files themselves say: hops, pods, names, filters, and in which order frames are. */
static int learn(struct inputs *in, struct session *s, struct order *ret_order, struct err *err)
{
	if (inputs_learn(&in, 1, err) < 0)
		return -EIO;
	inputs_filters(&in, 1);
	if (sandbox_tighten(0, output_makes_files(s->opt, false), err) < 0)
		return -EIO;
	inputs_kept(in, &s->inputs);
	if (!s->net->node[0])
		name_node(s->net);
	if (order_begin(in, s, ret_order, err) < 0)
		return -EIO;
	return inputs_names(in, session_add_name, s, err);
}

static int begin(struct inputs *in, struct session *s, const struct order *order, struct err *err)
{
	const char *filters[MODEL_HOPS_MAX];

	for (unsigned i = 0; i < MODEL_HOPS_MAX; i++)
		filters[i] = in->filter[i].text; /* also of hops that are yet to come */
	if (session_start(s, false, order->sort_ns, filters, err) < 0)
		return -EIO;
	inputs_start(in, s->pipeline);
	return 0;
}

/* Once more from the beginning: a later part is further out of order than was believed. */
static int begin_again(struct inputs *in, struct session *s, struct order *order, struct err *err)
{
	if (order_widen(in, s, order, err) < 0 ||
	    session_pipeline(s, false, order->sort_ns, err) < 0)
		return -EIO;
	inputs_start(in, s->pipeline);
	return 0;
}

/* From the first frame to the report. */
static void run(struct inputs *in, struct session *s, struct order *order, struct result *result,
		struct err *err)
{
	int rc;

	rc = follow(in, s, order, err);
	while (rc >= 0 && !signals_stop() && is_refuted(s, order)) {
		if (begin_again(in, s, order, err) < 0)
			return;
		rc = follow(in, s, order, err);
	}
	progress_end();
	inputs_totals(in);
	inputs_findings(in, &s->findings);
	session_finish(s, result, err);
}

int command_report(const struct options *o)
{
	struct inputs *in = NULL;
	struct session *s;
	struct err err = ERR_INIT;
	struct order order = { 0 };
	struct result result = { 0 };
	int status;

	s = session_new(o, &err);
	if (s)
		in = inputs_new(o, s->net, &err);
	if (in) {
		s->fill = fill;
		s->fill_arg = in;
		signals_init();
		progress_begin(o);
		if (open_all(in, s, &err) == 0 && learn(in, s, &order, &err) == 0 &&
		    begin(in, s, &order, &err) == 0)
			run(in, s, &order, &result, &err);
	}
	progress_end();
	status = err.code ? fail(&err) : in && in->damaged ? EXIT_FAILED : EXIT_DONE;
	result_free(&result);
	inputs_free(in);
	session_free(s);
	return status;
}
