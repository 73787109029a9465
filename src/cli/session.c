/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * session.c - one run of capture or report: pipeline in, files and report out.
 *
 * Theory of operation. capture and report differ in where frames come from; what happens
 * to them is the same and stands here. session_open() opens whatever the run writes to, while
 * files can still be opened; session_close_door() gives up what is not needed from there on;
 * session_start() makes the pipeline, which takes the frames. Live, what is written to is known
 * in full before the door closes and session_start() comes first; of files it is learned from
 * their packets, and session_start() comes behind it. The pipeline calls back with marked
 * frames, which go to the files, and with closed packets, which become lines;
 * session_finish() closes all and writes the report.
 * Counters that only the source knows (kernel drops, inputs) come by the fill callback.
 *
 * Callbacks cannot return a sentence, so the first failure is kept in session.err and
 * told at the end; the report is written even then, of what was seen until then. -EPIPE
 * is no failure: whoever read the stream has had enough, and the run ends.
 *
 * How long frames wait differs. Live, the rings tell how far they were read; with -w to a
 * pipe somebody is watching, and the wait is short. With files nobody waits: order is looked
 * for further, as far as their stamps need (cmd_report.c).
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "podhop/log.h"
#include "podhop/outlet.h"
#include "podhop/sandbox.h"

#define HEADERS_SNAPLEN 512u
#define BYTES_FRAMES (64u << 20)	/* of whole frames held: 50 ms of 1.2 GB/s */
#define LOOKAHEAD_PIPE_NS 50000000LL

struct session *session_new(const struct options *o, struct err *err)
{
	struct session *s = calloc(1, sizeof(*s));

	if (s) {
		s->write_fd = s->status_fd = -1;
		s->net = calloc(1, sizeof(*s->net));
	}
	if (!s || !s->net) {
		session_free(s);
		err_sys(err, ENOMEM, "session");
		return NULL;
	}
	s->opt = o;
	s->data = stdout;
	/* A wrong FILTER is a matter of the command line: said before anything is looked up. */
	if (o->filter) {
		s->filter = capture_filter_new(o->filter, err);
		if (!s->filter) {
			session_free(s);
			return NULL;
		}
	}
	s->names = names_load(o, err);
	if (!s->names) {
		session_free(s);
		return NULL;
	}
	return s;
}

void session_add_name(void *session, const struct addr *a, const char *name)
{
	struct session *s = session;

	(void)names_add(s->names, a, name, NAMES_RANK_NODE, NULL);
}

static int add_pod_names(struct session *s, unsigned i, struct err *err)
{
	const struct model_pod *p = &s->net->pods[i];
	char text[2 * MODEL_K8S_NAME_MAX];
	int rc = 0;

	if (!p->name[0])
		return 0;
	snprintf(text, sizeof(text), "%s%s%s", p->namespace_, p->namespace_[0] ? "/" : "",
		 p->name);
	for (unsigned k = 0; k < p->n_addrs && !rc; k++)
		rc = names_add(s->names, &p->addrs[k], text, NAMES_RANK_LOCAL, err);
	return rc;
}

void session_add_pod_names(struct session *s, unsigned pod)
{
	(void)add_pod_names(s, pod, NULL); /* without a name the address is shown */
}

/* What this node itself knows: its captured pods, its own addresses. */
static int add_local_names(struct session *s, struct err *err)
{
	const struct model_net *net = s->net;
	int rc = 0;

	for (unsigned i = 0; i < net->n_pods && !rc; i++)
		rc = add_pod_names(s, i, err);
	for (unsigned i = 0; i < net->n_hops && net->node[0]; i++) {
		const struct model_hop *h = &net->hops[i];
		for (unsigned k = 0; k < h->n_addrs && h->role != MODEL_ROLE_VETH && !rc; k++)
			if (!addr_is_link_local(&h->addrs[k].addr))
				rc = names_add(s->names, &h->addrs[k].addr, net->node,
					       NAMES_RANK_LOCAL, err);
	}
	return rc;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	pipeline_free(s->pipeline);
	capture_filter_free(s->filter);
	output_free(s->output);
	report_file_close(&s->json);
	report_file_close(&s->html);
	if (s->write_fd >= 0)
		close(s->write_fd);
	if (s->status_fd >= 0)
		close(s->status_fd);
	if (s->net)
		free(s->net->routes);
	free(s->net);
	explicit_bzero(&s->key, sizeof(s->key));
	names_free(s->names);
	doctor_findings_free(&s->findings);
	free(s);
}

/* Nothing more can be kept. A reader that left has had all that it wanted. */
static void give_up(struct session *s)
{
	if (s->err.code == -EPIPE)
		pipeline_stop(s->pipeline);
	else
		pipeline_give_up(s->pipeline);
}

static int on_frame(void *arg, const struct model_frame *f, const struct correlate_mark *m)
{
	struct session *s = arg;
	int rc = output_frame(s->output, f, m, s->err.code ? &s->later : &s->err);

	/*
	 * Ended as where the disk is nearly full: what is held is still matched and counted, and
	 * output_unwritten() counts what of it is in no file.
	 */
	if (rc < 0) {
		if (!s->err.code)
			err_sys(&s->err, rc, "write");
		give_up(s);
	}
	if (rc <= 0)
		return 0;
	if (s->opt->stop.bytes && output_bytes(s->output) >= s->opt->stop.bytes)
		pipeline_stop(s->pipeline);
	session_watch_disk(s, false);
	return 0;
}

static bool has_room(void *arg, int64_t time_ns, uint32_t waiting, size_t waiting_bytes)
{
	const struct session *s = arg;

	return output_has_room(s->output, time_ns, waiting, waiting_bytes);
}

void session_watch_disk(struct session *s, bool look_now)
{
	if (!s->output || s->low.code || !output_is_low(s->output, look_now, &s->low))
		return;
	err_prefix(&s->low, "%s", s->opt->write);
	give_up(s);
}

static void on_packet(void *arg, const struct result_packet *p)
{
	struct session *s = arg;
	int rc;

	s->packets_seen++;
	if (s->live)
		live_feed_packet(s->live, p);
	if (!s->packets || s->broken_pipe)
		return;
	rc = s->opt->format == FORMAT_JSONL ? report_packet_json(s->data, p, s->net)
					    : report_packet_text(s->data, p, s->net, &s->style);
	if (rc == 0 && s->opt->line_buffered && fflush(s->data) != 0)
		rc = -errno;
	if (rc == -EPIPE)
		s->broken_pipe = true;
	else if (rc < 0 && !s->err.code)
		outlet_failed(&s->err, rc, "write packets");
}

static int fill_in(struct session *s, struct result *r, struct err *err)
{
	int rc = s->fill ? s->fill(s->fill_arg, r) : 0;

	return rc < 0 ? err_sys(err, -rc, "report") : 0;
}

int session_counters(struct session *s, struct result *r, struct err *err)
{
	int rc = pipeline_counters(s->pipeline, r, err);

	return rc ? rc : fill_in(s, r, err);
}

int session_summary(struct session *s, struct result *r, struct err *err)
{
	int rc = pipeline_summary(s->pipeline, r, err);

	return rc ? rc : fill_in(s, r, err);
}

static int file_counters(void *arg, struct result *r, struct err *err)
{
	return session_counters(arg, r, err);
}

/* A line a packet goes to stdout. */
static bool prints_packets(const struct options *o)
{
	bool to_stdout = o->write && strcmp(o->write, "-") == 0;

	return !to_stdout && !o->live && (o->format == FORMAT_JSONL ||
			      (o->format == FORMAT_TEXT && (!o->write || o->print)));
}

bool session_is_unseen(const struct session *s)
{
	const struct options *o = s->opt;

	return !o->write && !prints_packets(o) && !s->filter && !o->direction && !o->count &&
	       !o->stop.frames && !o->stop.duration_ns;
}

int session_open(struct session *s, struct err *err)
{
	const struct options *o = s->opt;

	s->status_fd = usage_open();
	if ((o->report && report_file_open(o, o->report, &s->json, err) < 0) ||
	    (o->html && report_file_open(o, o->html, &s->html, err) < 0))
		return -EIO;
	if (o->anonymize && (o->key_file ? privacy_key_read(o->key_file, &s->key, err)
					 : privacy_key_random(&s->key, err)) < 0)
		return err_prefix(err, "--anonymize");
	return o->write ? output_reserve(o, &s->write_fd, err) : 0;
}

int session_close_door(const struct options *o, bool live, struct sandbox_config door,
		       struct err *err)
{
	struct sandbox_state state;
	char *dir = NULL;
	int rc;

	tzset(); /* reads the time zone's file, now or never */
	report_prepare();
	if (output_makes_files(o, live)) {
		dir = outfile_directory(o->write);
		if (!dir)
			return err_sys(err, ENOMEM, "-w %s", o->write);
		door.write_dir = dir;
	}
	door.user = o->user;
	rc = sandbox_enter(&door, &state, err);
	free(dir);
	if (rc < 0)
		return err_prefix(err, "giving up rights");
	log_info("sandbox", "%s%s%s",
		 door.rights ? "CAP_NET_RAW and CAP_NET_ADMIN are kept (--follow)"
			: "no capabilities, no new ones",
		 state.seccomp ? ", system calls limited" : "",
		 state.landlock ? ", files closed" : "; this kernel has no Landlock");
	return 0;
}

int session_start(struct session *s, bool live, int64_t sort_ns, const char *const *kernel_filters,
		  struct err *err)
{
	const struct options *o = s->opt;
	bool to_stdout = o->write && strcmp(o->write, "-") == 0;

	s->report = to_stdout ? stderr : s->data;
	if (report_file_cut(&s->json, o->report, err) < 0 ||
	    report_file_cut(&s->html, o->html, err) < 0)
		return -EIO;
	s->packets = prints_packets(o);
	style_init(&s->style, o, s->names, s->data);
	if (add_local_names(s, err) < 0)
		return -ENOMEM;
	if (o->write) {
		s->output = output_open(o, s->net, s->names, kernel_filters, &s->inputs,
					s->begin_ns, s->write_fd, &s->key, err);
		s->write_fd = -1;
		if (!s->output)
			return -EIO;
		output_set_counters(s->output, file_counters, s);
		if (output_is_low(s->output, true, err))
			return err_prefix(err, "%s", o->write);
	}
	return session_pipeline(s, live, sort_ns, err);
}

int session_pipeline(struct session *s, bool live, int64_t sort_ns, struct err *err)
{
	const struct options *o = s->opt;
	bool pipe = live && s->output && output_is_pipe(s->output);
	uint64_t seed;

	if (hash_seed(&seed, err) < 0)
		return -ENOSYS;
	struct pipeline_config pc = {
		.net = s->net,
		.window_ns = o->window_ns,
		/* A file is not in a hurry: sorting takes nothing from the look-ahead. */
		.lookahead_ns = pipe   ? LOOKAHEAD_PIPE_NS
				: live ? CORRELATE_LOOKAHEAD_NS
				       : CORRELATE_LOOKAHEAD_NS + sort_ns,
		/* Live, the rings tell how far they are read: even a starved podhop keeps order. */
		.sort_ns = live ? PIPELINE_TOLD : sort_ns,
		.nat = !o->no_nat,
		.observations = o->format == FORMAT_JSONL,
		.keep_other = !live,
		.keep_bytes = s->output != NULL,
		.ids_only = o->terse,
		.unseen = !live && session_is_unseen(s),
		.hash_seed = seed,
		.bytes_max = o->snaplen > HEADERS_SNAPLEN ? BYTES_FRAMES : 0,
		.max_packets = o->count,
		.max_frames = o->stop.frames,
		.direction = o->direction,
		.filter = s->filter,
		.has_room = s->output && output_may_end(s->output) ? has_room : NULL,
		.on_frame = s->output ? on_frame : NULL,
		.on_packet = s->packets || o->live ? on_packet : NULL,
		.arg = s,
	};
	pipeline_free(s->pipeline);
	s->pipeline = pipeline_new(&pc, err);
	return s->pipeline ? 0 : -ENOMEM;
}

int session_failed(struct session *s, int rc)
{
	if (rc < 0 && !s->err.code)
		err_sys(&s->err, rc, "frame %llu",
			(unsigned long long)pipeline_frames(s->pipeline));
	if (s->err.code == -EPIPE)
		s->broken_pipe = true;
	give_up(s);
	return rc < 0 ? rc : s->err.code;
}

/* Ends the files that are written; r says what statistics they get. */
static void close_output(struct session *s, const struct result *r)
{
	struct err err = ERR_INIT;
	int rc;

	if (!s->output || s->err.code == -EPIPE)
		return;
	rc = output_close(s->output, r, &s->findings, &err);
	if (rc == -EPIPE)
		s->broken_pipe = true;
	else if (rc < 0 && !s->err.code)
		s->err = err; /* the first failure is the one to tell */
}

/* A failure says why; this, what it cost. Whoever closed a pipe himself knows. */
static void tell_unwritten(const struct session *s)
{
	bool failed = s->output && s->err.code && s->err.code != -EPIPE;
	uint64_t n = failed ? output_unwritten(s->output) : 0;

	if (n)
		log_error("output", "%" PRIu64 " of the %" PRIu64 " frames that were captured are "
			  "not in %s", n, pipeline_kept(s->pipeline),
			  strcmp(s->opt->write, "-") == 0 ? "the stream" : "the file");
}

/* What failed while frames were read or written comes before what failed behind that. */
static int first_failure(const struct session *s, int failed, struct err *err)
{
	if (!s->err.code || s->err.code == -EPIPE)
		return failed;
	*err = s->err;
	return s->err.code;
}

/* With -w - the text goes to stderr whatever -T says; stdout is the stream's. */
static int write_main(struct session *s, const struct result *r, struct err *err)
{
	const struct options *o = s->opt;
	struct report_style style;
	int rc;

	if (o->no_text) {
		rc = 0;
	} else if (o->format == FORMAT_TEXT || s->report == stderr) {
		style_init(&style, o, s->names, s->report);
		if (s->packets && s->packets_seen && s->report == s->data)
			fputc('\n', s->report);
		rc = report_result_text(s->report, r, s->net, &style);
	} else {
		rc = report_result_json(s->report, r, o->format == FORMAT_JSONL);
	}
	if (rc == 0 && fflush(s->report) != 0)
		rc = -errno;
	if (rc == -EPIPE)
		s->broken_pipe = true;
	return rc < 0 && rc != -EPIPE ? outlet_failed(err, rc, "write report") : 0;
}

/* What a function that writes reports returned, to its end. */
static int wrote(int rc, FILE *stream, const char *path, struct err *err)
{
	if (rc == 0 && fflush(stream) != 0)
		rc = -errno;
	return rc < 0 ? outlet_failed(err, rc, "write %s", path) : 0;
}

/* The report, wherever it was asked for: one place that fails takes nothing from the others. */
static int write_reports(struct session *s, const struct result *r, struct err *err)
{
	int failed = write_main(s, r, err), rc = 0;

	if (s->json.stream)
		rc = wrote(report_result_json(s->json.stream, r, false), s->json.stream,
			   s->opt->report, err);
	failed = rc < 0 ? rc : failed;
	if (s->html.stream)
		rc = wrote(report_result_html(s->html.stream, r, s->net, &s->style),
			   s->html.stream, s->opt->html, err);
	return rc < 0 ? rc : failed;
}

/* What the pipeline does not know of a run. */
static int complete(struct session *s, struct result *r, struct err *err)
{
	int failed = 0;

	if (!r->capture.start_ns) {
		r->capture.start_ns = pipeline_first_ns(s->pipeline);
		r->capture.end_ns = pipeline_last_ns(s->pipeline);
	}
	if (!r->node)
		r->node = strdup(s->net->node);
	if (fill_in(s, r, err) < 0)
		failed = -ENOMEM;
	if (!r->node || causes_of_losses(&s->findings, r) < 0)
		failed = err_sys(err, ENOMEM, "report");
	return failed;
}

static int finish(struct session *s, struct result *r, struct err *err)
{
	int failed, rc = pipeline_finish(s->pipeline);

	if (rc < 0 && !s->err.code)
		err_sys(&s->err, rc, "write");
	rc = pipeline_result(s->pipeline, r, err);
	if (rc < 0) {
		const struct result none = { 0 };

		/* No report, but the files are whole: frames may still be in their buffers. */
		close_output(s, &none);
		tell_unwritten(s);
		return first_failure(s, rc, err);
	}
	failed = complete(s, r, err);
	close_output(s, r);
	tell_unwritten(s);
	usage_note(s->status_fd, r);
	rc = write_reports(s, r, err);
	if (s->low.code && !s->err.code)
		s->err = s->low;
	return first_failure(s, rc < 0 ? rc : failed, err);
}

void session_finish(struct session *s, struct result *r, struct err *err)
{
	struct err behind = ERR_INIT;

	if (s->err.code == -EPIPE)
		s->broken_pipe = true;
	if (finish(s, r, &behind) < 0 && !err->code)
		*err = behind;
	if (s->broken_pipe)
		err_clear(err);
}
