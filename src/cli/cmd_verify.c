/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_verify.c - `podhop verify [NAME=]FILE...`: what one node sent and another received.
 *
 * Theory of operation
 *
 * Inputs of equal node name are one node; each node has its inputs, its net and its
 * pipeline, all with the same hash seed so that equal packets have equal hashes. Closed
 * packets go to verify, which matches nodes with each other. The node that is behind, by
 * what is known of the clocks, is read next, so that neither runs ahead of what the
 * tables hold; of pipes whatever is there is read, so that none blocks another.
 *
 *   a.pcapng ─▶ inputs ─▶ pipeline ─▶ packets ─┐
 *                                              ├─▶ verify ─▶ report
 *   b.pcapng ─▶ inputs ─▶ pipeline ─▶ packets ─┘
 *
 * A capture that was made with a FILTER shows a part of the traffic. So all captures'
 * filters are asked of all nodes' packets: what one of them left out is out of scope.
 */
#include "cli.h"
#include "inputs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "podhop/buf.h"
#include "podhop/sandbox.h"
#include "podhop/verify.h"

#define TICK_FRAMES 256u /* between two looks at what can be decided */
#define FILTER_MAX (64u << 10) /* of all captures together */
/* A file is not in a hurry: order is looked for beyond what a live view could wait. */
#define SORT_FILE_NS (CORRELATE_LOOKAHEAD_NS + CORRELATE_LOOKAHEAD_NS / 4)

struct run;

struct member {
	struct run *run;
	unsigned index;
	char name[MODEL_K8S_NAME_MAX];
	bool named; /* by the user or by the file */
	struct model_net *net;
	struct inputs *inputs;
	struct pipeline *pipeline;
	int state; /* enum inputs_state */
	bool finished;
};

struct run {
	const struct options *opt;
	struct member *node;
	unsigned n_nodes;
	struct input *input[INPUTS_MAX]; /* until a node has taken them */
	const char *given[INPUTS_MAX]; /* NAME= of the command line, NULL: none */
	size_t given_len[INPUTS_MAX];
	unsigned n_input;
	struct capture_filter *filter;
	bool order_is_final;	/* inputs were looked at, or cannot be read twice */
	struct verify *verify;
	struct names *names;
	struct report_style style;
	struct report_file json;	/* --report */
};

/* -------------------------------------------------------------------- nodes */

/* "a=file": a name when no file is called so. */
static size_t name_length(const char *arg)
{
	const char *eq = strchr(arg, '=');
	struct stat st;

	if (!eq || eq == arg || memchr(arg, '/', (size_t)(eq - arg)) || stat(arg, &st) == 0)
		return 0;
	return (size_t)(eq - arg);
}

static int open_inputs(struct run *run, struct err *err)
{
	const struct options *o = run->opt;

	if ((unsigned)o->n_args > INPUTS_MAX)
		return err_usage(err, E2BIG, "more than %u files", INPUTS_MAX);
	for (int i = 0; i < o->n_args; i++) {
		size_t n = name_length(o->args[i]);

		if (n >= MODEL_K8S_NAME_MAX)
			return err_usage(err, EINVAL, "%s: the name is too long", o->args[i]);
		run->given[i] = n ? o->args[i] : NULL;
		run->given_len[i] = n;
		run->input[i] = input_open(o->args[i] + (n ? n + 1 : 0), err);
		if (!run->input[i])
			return -EIO;
		run->n_input++;
	}
	return 0;
}

static struct member *find_node(struct run *run, const char *name)
{
	for (unsigned k = 0; k < run->n_nodes; k++)
		if (strcmp(run->node[k].name, name) == 0)
			return &run->node[k];
	return NULL;
}

static struct member *new_node(struct run *run, const char *name, bool named, struct err *err)
{
	struct member *m = &run->node[run->n_nodes];

	if (run->n_nodes == VERIFY_NODES_MAX) {
		err_usage(err, E2BIG, "more than %u nodes", VERIFY_NODES_MAX);
		return NULL;
	}
	m->run = run;
	m->index = run->n_nodes;
	m->named = named;
	m->net = calloc(1, sizeof(*m->net));
	if (!m->net) {
		err_sys(err, ENOMEM, "%s", name);
		return NULL;
	}
	run->n_nodes++;
	snprintf(m->name, sizeof(m->name), "%s", name);
	snprintf(m->net->node, sizeof(m->net->node), "%s", name);
	m->inputs = inputs_new(run->opt, m->net, err);
	return m->inputs ? m : NULL;
}

/* Which node an input belongs to: said by the user, by the file, else one of its own. */
static int assign_inputs(struct run *run, struct err *err)
{
	for (unsigned i = 0; i < run->n_input; i++) {
		struct input *one = run->input[i];
		char name[MODEL_K8S_NAME_MAX] = "";
		struct member *m = NULL;
		bool named = true;

		if (run->given[i])
			snprintf(name, sizeof(name), "%.*s", (int)run->given_len[i], run->given[i]);
		else
			snprintf(name, sizeof(name), "%s", input_node(one));
		if (name[0]) {
			m = find_node(run, name);
		} else {
			const char *base = inputs_base_name(input_path(one));

			named = false;
			snprintf(name, sizeof(name), "%.*s", (int)sizeof(name) - 1, base);
			for (unsigned n = 2; find_node(run, name); n++)
				snprintf(name, sizeof(name), "%.200s#%u", base, n);
		}
		if (!m)
			m = new_node(run, name, named, err);
		if (!m)
			return -ENOMEM;
		inputs_add(m->inputs, one);
		run->input[i] = NULL;
	}
	return 0;
}

static int open_report(struct run *run, struct err *err)
{
	const char *path = run->opt->report;

	if (!path)
		return 0;
	for (unsigned i = 0; i < run->n_input; i++)
		if (check_not_input(path, input_path(run->input[i]), err) < 0)
			return -EEXIST;
	return report_file_open(run->opt, path, &run->json, err);
}

/* --pod ADDR is of the node whose veth shows it, --pod NODE=ADDR of that node. */
static int give_pods(struct run *run, struct err *err)
{
	for (unsigned i = 0; i < run->opt->n_pods; i++) {
		const char *eq = strchr(run->opt->pods[i], '=');
		const char *text = eq ? eq + 1 : run->opt->pods[i];
		struct addr a;
		bool found = false;

		if (addr_parse(text, &a) < 0)
			return err_usage(err, EINVAL, "--pod %s: an IP address is needed",
					 run->opt->pods[i]);
		for (unsigned k = 0; k < run->n_nodes; k++) {
			struct member *m = &run->node[k];
			if (eq && (strncmp(m->name, run->opt->pods[i],
					   (size_t)(eq - run->opt->pods[i])) != 0 ||
				   m->name[eq - run->opt->pods[i]]))
				continue;
			inputs_add_pod(m->net, "", "", &a);
			found = true;
		}
		if (!found)
			return err_usage(err, ENOENT, "--pod %s: no input is of that node",
					 run->opt->pods[i]);
	}
	return 0;
}

static bool has_veth_of(const struct model_net *net, int pod)
{
	for (unsigned i = 0; i < net->n_hops; i++)
		if (net->hops[i].role == MODEL_ROLE_VETH && net->hops[i].pod == pod)
			return true;
	return false;
}

static bool is_elsewhere(const struct run *run, const struct member *m, const struct addr *a)
{
	for (unsigned k = 0; k < run->n_nodes; k++) {
		const struct model_net *net = run->node[k].net;

		for (unsigned i = 0; i < net->n_pods && &run->node[k] != m; i++)
			for (unsigned n = 0; n < net->pods[i].n_addrs; n++)
				if (addr_eq(&net->pods[i].addrs[n], a) && has_veth_of(net, (int)i))
					return true;
	}
	return false;
}

/* Addresses were given to all nodes: those whose veth is at another node go. */
static void settle_pods(struct run *run)
{
	for (unsigned k = 0; k < run->n_nodes && run->opt->n_pods; k++) {
		struct member *m = &run->node[k];
		struct model_net *net = m->net;
		unsigned kept = 0;

		for (unsigned i = 0; i < net->n_pods; i++) {
			if (!has_veth_of(net, (int)i) && net->pods[i].n_addrs &&
			    is_elsewhere(run, m, &net->pods[i].addrs[0]))
				continue;
			for (unsigned h = 0; h < net->n_hops; h++)
				if (net->hops[h].pod == (int)i)
					net->hops[h].pod = (int)kept;
			net->pods[kept++] = net->pods[i];
		}
		net->n_pods = kept;
	}
}

/* ------------------------------------------------------------------ pipelines */

static void on_packet(void *arg, const struct result_packet *p)
{
	struct member *m = arg;

	verify_packet(m->run->verify, m->index, p);
}

static void on_drops(void *arg, unsigned hop, int64_t from_ns, int64_t to_ns, uint64_t count)
{
	struct member *m = arg;

	verify_drops(m->run->verify, m->index, hop, from_ns, to_ns, count);
}

static enum result_shown on_shows(void *arg, unsigned node, unsigned hop,
				  const struct result_frames *frames)
{
	const struct run *run = arg;

	return inputs_shows(run->node[node].inputs, node, hop, frames);
}

/* FILTER and what podhop's captures kept, joined: make_filter(). */
static enum result_shown on_keeps(void *arg, unsigned node, unsigned hop,
				  const struct result_frames *frames)
{
	const struct run *run = arg;

	(void)node;
	(void)hop;
	return run->filter ? capture_filter_shows(run->filter, frames) : RESULT_SHOWN;
}

/* The user's FILTER and those of all captures, joined; each once. */
static int make_filter(struct run *run, struct err *err)
{
	struct kept scope = { 0 };
	struct buf b;
	int rc = 0;

	kept_add(&scope, run->opt->filter);
	for (unsigned k = 0; k < run->n_nodes; k++)
		inputs_kept(run->node[k].inputs, &scope);
	buf_init(&b, FILTER_MAX);
	kept_text(&scope, &b);
	if (b.failed)
		rc = err_usage(err, E2BIG, "the captures' filters are too long together");
	if (!rc && b.len) {
		run->filter = scope.n > 1 ? capture_filter_new_joined(buf_str(&b), err)
					  : capture_filter_new(buf_str(&b), err);
		rc = run->filter ? 0 : -EINVAL;
	}
	buf_done(&b);
	return rc;
}

/* What has to be known of the filters before frames are read. */
static int prepare(struct run *run, struct err *err)
{
	struct inputs *all[VERIFY_NODES_MAX];

	for (unsigned k = 0; k < run->n_nodes; k++) {
		all[k] = run->node[k].inputs;
		run->order_is_final |= inputs_live(all[k]);
	}
	inputs_filters(all, run->n_nodes);
	return make_filter(run, err) < 0 || sandbox_tighten(0, false, err) < 0 ? -EINVAL : 0;
}

/* Pipelines and matching begin, with what came before forgotten. */
static int start(struct run *run, struct err *err)
{
	struct verify_config vc = {
		.n_nodes = run->n_nodes,
		.window_ns = run->opt->window_ns,
		.has_offset = run->opt->has_clock_offset,
		.offset_ns = run->opt->clock_offset_ns,
		.shows = on_shows,
		.keeps = on_keeps,
		.shows_arg = run,
	};
	uint32_t depth = UINT32_MAX;
	uint64_t seed;

	if (hash_seed(&seed, err) < 0)
		return -ENOSYS;
	vc.hash_seed = seed;
	/* Nodes are compared by what all of them captured. */
	for (unsigned k = 0; k < run->n_nodes; k++)
		if (correlate_depth(run->node[k].net) < depth)
			depth = correlate_depth(run->node[k].net);
	for (unsigned k = 0; k < run->n_nodes; k++) {
		struct member *m = &run->node[k];
		struct pipeline_config pc = {
			.net = m->net,
			.window_ns = run->opt->window_ns,
			.lookahead_ns = CORRELATE_LOOKAHEAD_NS + SORT_FILE_NS,
			.sort_ns = SORT_FILE_NS,
			.nat = !run->opt->no_nat,
			.keep_other = !m->net->n_pods,
			.contents = true,
			.hash_seed = seed,
			.depth_max = depth,
			.filter = run->filter,
			.on_packet = on_packet,
			.tell_refused = true,
			.arg = m,
		};

		pipeline_free(m->pipeline);
		m->pipeline = pipeline_new(&pc, err);
		if (!m->pipeline)
			return -ENOMEM;
		m->inputs->on_drops = on_drops;
		m->inputs->arg = m;
		m->state = INPUTS_IDLE;
		m->finished = false;
		vc.net[k] = m->net;
		vc.name[k] = m->name;
	}
	verify_free(run->verify);
	run->verify = verify_new(&vc, err);
	if (!run->verify)
		return -ENOMEM;
	for (unsigned k = 0; k < run->n_nodes; k++)
		inputs_start(run->node[k].inputs, run->node[k].pipeline);
	return 0;
}

/* -------------------------------------------------------------------- report */

static const char *file_of(void *arg, unsigned node, const struct verify_lost *l)
{
	const struct run *run = arg;

	return inputs_file_of(run->node[node].inputs, l->hop, l->time_ns);
}

static void describe(struct run *run, const struct verify_result *result, const char **names,
		     struct report_verify *ret)
{
	for (unsigned k = 0; k < run->n_nodes; k++)
		names[k] = run->node[k].name;
	*ret = (struct report_verify){ .result = result,
				       .nodes = names,
				       .n_nodes = run->n_nodes,
				       .file = file_of,
				       .arg = run };
}

/* The verdict so far, on stderr: on SIGUSR1, and as progress on a terminal. */
static void show_progress(struct run *run)
{
	bool asked = signals_take_status();
	const char *names[VERIFY_NODES_MAX];
	char sentence[REPORT_SENTENCE_MAX];
	struct verify_result r;
	struct report_verify rv;
	char line[REPORT_SENTENCE_MAX + 32];

	if (!asked && !progress_is_due())
		return;
	if (verify_get(run->verify, &r, NULL) < 0)
		return;
	describe(run, &r, names, &rv);
	report_verify_sentence(&rv, &run->style, sentence);
	snprintf(line, sizeof(line), "podhop: so far: %s\n", sentence);
	if (asked)
		progress_message(line);
	else
		progress_line("podhop: so far: %s", sentence);
	verify_result_free(&r);
}

/* Reasons that the two nodes' captures know; the likelier one is told first. */
static int explain_place(struct run *run, struct verify_place *p, const struct verify_direction *d)
{
	struct doctor_findings found[2] = { 0 };
	struct doctor_cause cause[2] = { 0 };
	struct addr peers[MODEL_POD_ADDRS_MAX];
	/* Checks of one remote subnet concern only who sends to pods there. */
	struct doctor_loss loss = { .packets = p->packets, .peers = peers };
	const struct model_net *to = d->to >= 0 ? run->node[d->to].net : NULL;
	int rc = 0;

	/* Of one capture alone the peers may be anybody. */
	loss.peers_cut = d->from < 0 || d->to < 0;
	for (unsigned i = 0; to && !loss.peers_cut && i < to->n_pods; i++)
		for (unsigned k = 0; k < to->pods[i].n_addrs; k++) {
			if (loss.n_peers == MODEL_POD_ADDRS_MAX)
				loss.peers_cut = true;
			else
				peers[loss.n_peers++] = to->pods[i].addrs[k];
		}
	if (p->last_node == d->from) {
		inputs_findings(run->node[d->from].inputs, &found[0]);
		loss.places =
			doctor_places(MODEL_DIRECTION_EGRESS, p->last_role,
				      p->next_node == d->from ? p->next_role : MODEL_ROLE_NONE);
		doctor_explain(&found[0], &loss, &cause[0]);
	}
	if (p->next_node == d->to) {
		inputs_findings(run->node[d->to].inputs, &found[1]);
		loss.places = doctor_places(MODEL_DIRECTION_INGRESS,
					    p->last_node == d->to ? p->last_role : MODEL_ROLE_NONE,
					    p->next_role);
		doctor_explain(&found[1], &loss, &cause[1]);
	}
	for (unsigned i = 0; i < 2 && !rc; i++) {
		const struct doctor_cause *c = &cause[cause[1].score > cause[0].score ? !i : i];

		rc = verify_place_cause(p, c->reason, c->evidence, c->n_evidence);
	}
	doctor_findings_free(&found[0]);
	doctor_findings_free(&found[1]);
	return rc;
}

static int explain(struct run *run, struct verify_result *r, struct err *err)
{
	for (unsigned i = 0; i < r->n_directions; i++) {
		struct verify_direction *d = &r->directions[i];

		for (unsigned k = 0; k < d->n_places; k++)
			if (explain_place(run, &d->places[k], d) < 0)
				return err_sys(err, ENOMEM, "reasons");
	}
	return 0;
}

/* --report FILE */
static int write_file(struct run *run, const struct report_verify *rv, struct err *err)
{
	const char *path = run->opt->report;
	int rc;

	if (!run->json.stream)
		return 0;
	rc = report_file_cut(&run->json, path, err);
	if (rc < 0)
		return rc;
	rc = report_verify_json(run->json.stream, rv, false);
	if (rc == 0 && fflush(run->json.stream) != 0)
		rc = -errno;
	return rc < 0 ? outlet_failed(err, rc, "write %s", path) : 0;
}

static int print(struct run *run, int *ret_status, struct err *err)
{
	const char *names[VERIFY_NODES_MAX];
	struct verify_result r;
	struct report_verify rv;
	bool damaged = false;
	int rc = verify_get(run->verify, &r, err);

	if (rc < 0)
		return rc;
	rc = explain(run, &r, err);
	if (rc < 0) {
		verify_result_free(&r);
		return rc;
	}
	progress_end();
	describe(run, &r, names, &rv);
	rc = run->opt->format == FORMAT_TEXT
		     ? report_verify_text(stdout, &rv, &run->style)
		     : report_verify_json(stdout, &rv, run->opt->format == FORMAT_JSONL);
	if (rc == 0 && fflush(stdout) != 0)
		rc = -errno;
	int file_rc = write_file(run, &rv, err);
	for (unsigned k = 0; k < run->n_nodes; k++)
		damaged |= run->node[k].inputs->damaged;
	*ret_status = r.verdict == VERIFY_LOST		 ? EXIT_LOST
		      : damaged				 ? EXIT_FAILED
		      : r.verdict == VERIFY_INCONCLUSIVE ? EXIT_UNKNOWN
							 : EXIT_DONE;
	verify_result_free(&r);
	if (file_rc < 0 || rc == -EPIPE)
		return file_rc; /* a reader that closes early is a normal end */
	return rc < 0 ? err_sys(err, rc, "write report") : 0;
}

/* ------------------------------------------------------------------- running */

static void on_coverage(void *arg, unsigned hop, int64_t from_ns, int64_t to_ns)
{
	struct member *m = arg;

	verify_covered(m->run->verify, m->index, hop, from_ns, to_ns);
}

/* How far the node has come: its hops, and its packets. */
static void tell_time(struct run *run, struct member *m, bool end)
{
	int64_t first, last;

	for (unsigned i = 0; i < m->net->n_hops; i++) {
		bool open = inputs_coverage(m->inputs, i, on_coverage, m);

		verify_hop_open(run->verify, m->index, i, open);
	}
	verify_clock_steps(run->verify, m->index, pipeline_clock_steps(m->pipeline));
	inputs_span(m->inputs, end, &first, &last);
	verify_time(run->verify, m->index, first, last,
		    end ? INT64_MAX : pipeline_frontier_ns(m->pipeline));
}

static int finish_node(struct run *run, struct member *m)
{
	int rc;

	if (m->finished)
		return 0;
	m->finished = true;
	inputs_totals(m->inputs);
	for (unsigned i = 0; i < m->net->n_hops; i++)
		if (m->inputs->drops_total[i] < 0)
			verify_drops_untold(run->verify, m->index);
	rc = pipeline_finish(m->pipeline);
	tell_time(run, m, true);
	return rc;
}

static int tick(struct run *run)
{
	for (unsigned k = 0; k < run->n_nodes; k++) {
		struct member *m = &run->node[k];
		int64_t time = inputs_time(m->inputs);
		int rc = 0;

		if (m->finished)
			continue;
		if (inputs_live(m->inputs) && time != INT64_MIN)
			rc = pipeline_time(m->pipeline, time);
		if (rc < 0)
			return rc;
		tell_time(run, m, false);
	}
	show_progress(run);
	return 0;
}

/* A node's interfaces may lag behind each other by more than is sorted, or look like it. */
static bool is_refuted(const struct run *run)
{
	for (unsigned k = 0; k < run->n_nodes && !run->order_is_final; k++)
		if (pipeline_is_disordered(run->node[k].pipeline) ||
		    pipeline_clock_steps(run->node[k].pipeline))
			return true;
	return false;
}

/* 1: the order of the frames was not what was believed, and nothing that was found counts. */
static int follow(struct run *run, struct err *err)
{
	struct inputs *all[VERIFY_NODES_MAX];
	bool ready[VERIFY_NODES_MAX];
	int64_t next_ns[VERIFY_NODES_MAX];
	unsigned frames = 0, n = run->n_nodes;
	int rc = 0;

	for (unsigned k = 0; k < n; k++)
		all[k] = run->node[k].inputs;
	while (rc >= 0 && !signals_stop()) {
		bool open = false;

		for (unsigned k = 0; k < n && rc >= 0; k++) {
			struct member *m = &run->node[k];

			if (m->state == INPUTS_IDLE) {
				rc = inputs_fetch(m->inputs, err);
				m->state = rc < 0 ? INPUTS_OVER : rc;
			}
			ready[k] = m->state == INPUTS_FRAME;
			next_ns[k] = ready[k] ? inputs_next_ns(m->inputs) : 0;
			open |= m->state != INPUTS_OVER;
			if (rc >= 0 && m->state == INPUTS_OVER)
				rc = finish_node(run, m);
		}
		if (rc < 0 || !open)
			break;
		int next = verify_next(run->verify, ready, next_ns);
		if (next < 0) {
			rc = tick(run);
			if (rc >= 0)
				rc = inputs_wait(all, n);
			continue;
		}
		rc = inputs_take(run->node[next].inputs);
		run->node[next].state = INPUTS_IDLE;
		if (rc >= 0 && ++frames % TICK_FRAMES == 0) {
			if (is_refuted(run))
				return 1;
			rc = tick(run);
		}
	}
	if (rc >= 0 && !signals_stop() && is_refuted(run))
		return 1;
	for (unsigned k = 0; k < n && rc >= 0; k++)
		rc = finish_node(run, &run->node[k]);
	if (rc < 0)
		return err->code ? rc : err_sys(err, rc, "verify");
	verify_finish(run->verify);
	return 0;
}

/* Reads all nodes' inputs; once more where their order turns out to need a look. */
static int read_all(struct run *run, struct err *err)
{
	int rc = start(run, err);

	if (rc >= 0)
		rc = follow(run, err);
	if (rc <= 0)
		return rc;
	run->order_is_final = true;
	for (unsigned k = 0; k < run->n_nodes; k++) {
		int64_t behind_ns; /* what remains: all that verify sorts, it sorts anyway */

		rc = inputs_scan(run->node[k].inputs, SORT_FILE_NS, &behind_ns, err);
		if (rc < 0)
			return rc;
	}
	rc = start(run, err);
	return rc < 0 ? rc : follow(run, err);
}

static void done(struct run *run)
{
	verify_free(run->verify);
	for (unsigned k = 0; run->node && k < run->n_nodes; k++) {
		pipeline_free(run->node[k].pipeline);
		inputs_free(run->node[k].inputs);
		if (run->node[k].net)
			free(run->node[k].net->routes);
		free(run->node[k].net);
	}
	for (unsigned i = 0; i < run->n_input; i++)
		input_free(run->input[i]);
	capture_filter_free(run->filter);
	names_free(run->names);
	report_file_close(&run->json);
	free(run->node);
	free(run);
}

int command_verify(const struct options *o)
{
	struct run *run = calloc(1, sizeof(*run));
	struct err err = ERR_INIT;
	int status = EXIT_FAILED;

	if (run)
		run->node = calloc(VERIFY_NODES_MAX, sizeof(*run->node));
	if (!run || !run->node) {
		err_sys(&err, ENOMEM, "verify");
		status = fail(&err);
		free(run);
		return status;
	}
	run->opt = o;
	progress_begin(o);
	signals_init();

	struct sandbox_config door = { .needs = SANDBOX_NAMES };
	struct inputs *all[VERIFY_NODES_MAX];
	run->names = names_load(o, &err);
	if (!run->names)
		goto out;
	style_init(&run->style, o, run->names, stdout);
	/* No packet was looked at. Behind the door the captures' filters may name services. */
	if (open_inputs(run, &err) < 0 || open_report(run, &err) < 0 ||
	    session_close_door(o, false, door, &err) < 0 ||
	    inputs_headers(run->input, run->n_input, &err) < 0)
		goto out;
	if (assign_inputs(run, &err) < 0 || give_pods(run, &err) < 0)
		goto out;
	for (unsigned k = 0; k < run->n_nodes; k++)
		all[k] = run->node[k].inputs;
	if (inputs_learn(all, run->n_nodes, &err) < 0)
		goto out;
	settle_pods(run);
	if (prepare(run, &err) < 0 || read_all(run, &err) < 0 || print(run, &status, &err) < 0)
		goto out;
out:
	progress_end();
	if (err.code)
		status = fail(&err);
	done(run);
	return status;
}
