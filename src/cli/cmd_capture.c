/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_capture.c - `podhop capture POD`: resolve, open all hops, run until told to stop.
 *
 * Theory of operation. The order is what makes it safe: the FILTER is compiled first,
 * because a mistake in it is one of the command line; then the pod is looked up and its
 * hops are opened, each with a kernel filter that passes a superset of what is wanted;
 * then report and output are opened (session_start); then session_close_door() gives up
 * every right. Only behind it are packets parsed.
 *
 * The loop has one thread. Each round reads what the rings hold into the session, tells
 * the pipeline how far time has come (the rings' common watermark: what is older can
 * arrive no more, so it may be written), and now and then reads the drop counters. What
 * they grew by was lost between two looks, so no finer than DROPS_INTERVAL_NS; the
 * correlator needs that span to say "unknown" instead of "lost". With -w - a statistics
 * block each second tells the reader how far time has come while nothing passes.
 *
 * The end, whatever caused it: capture stops, what the rings still hold is taken, the
 * counters are read once more, each hop's span is closed, and the session writes its
 * report. A reader of -w - that went away is a normal end.
 */
#include "cli.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "podhop/buf.h"
#include "podhop/capture.h"
#include "podhop/figure.h"
#include "podhop/log.h"
#include "podhop/resolve.h"
#include "podhop/sandbox.h"

#define NS_PER_S 1000000000LL
#define OWN_MAX 512u
#define POLL_MS 20			/* how long a quiet capture sleeps at a time */
#define DROPS_INTERVAL_NS 100000000LL	/* how finely drops are placed in time */
#define STATISTICS_INTERVAL_NS NS_PER_S	/* -w -: how far time has come */

/* What opening a device that came again takes, and finding it. */
#define FOLLOW_NEEDS (SANDBOX_OPEN_RINGS | SANDBOX_LOOK_UP | SANDBOX_ASK_KERNEL)
#define FOLLOW_RIGHTS (SANDBOX_RIGHT_NET_RAW | SANDBOX_RIGHT_NET_ADMIN)

struct run {
	const struct options *opt;
	struct session *session;
	struct capture *capture;
	struct screen *screen;		/* --live, else NULL */
	struct chain *chain;
	struct chain *node;		/* all its pods, for the doctor; NULL: could not be read */
	struct doctor_watch *watch;	/* NULL: losses have no reasons */
	struct connections connections;
	struct resolve *resolve;	/* --follow, until follow has it */
	struct follow *follow;
	struct buf own;			/* podhop's own connection; empty: none */
	struct buf filter[MODEL_HOPS_MAX];
	const char *filters[MODEL_HOPS_MAX];
	uint64_t drops_seen[MODEL_HOPS_MAX];
	int64_t drops_ns[MODEL_HOPS_MAX];	/* counters were last read then */
	bool gone[MODEL_HOPS_MAX];
	bool is_stream;			/* -w - */
	int64_t end_ns;
	int rc;
};

/* ------------------------------------------------------------------ set-up */

/* --hops ROLE=DEV replaces what was found of that role. */
static int override_hops(struct resolve *r, const struct options *o, struct model_net *net,
			 struct err *err)
{
	uint32_t replaced = 0;

	for (unsigned i = 0; i < o->n_hops; i++) {
		enum model_role role = o->hops[i].role;
		struct chain_link link;
		int rc = resolve_device(r, o->hops[i].name, &link, err);
		if (rc < 0) {
			if (err)
				err->class = ERR_USAGE;
			return err_prefix(err, "--hops %s", o->hops[i].text);
		}
		if (!(replaced & (1u << role))) {
			unsigned n = 0;
			for (unsigned k = 0; k < net->n_hops; k++)
				if (net->hops[k].role != role)
					net->hops[n++] = net->hops[k];
			net->n_hops = n;
			replaced |= 1u << role;
		}
		if (net->n_hops == MODEL_HOPS_MAX)
			return err_usage(err, E2BIG, "more than %u hops", MODEL_HOPS_MAX);
		struct model_hop *h = &net->hops[net->n_hops++];
		int of_pod = role == MODEL_ROLE_VETH && net->n_pods == 1 ? 0 : -1;
		*h = (struct model_hop){ .role = role, .ifindex = link.ifindex, .mtu = link.mtu,
					 .mac = link.mac, .pod = of_pod,
					 .linktype = MODEL_LINKTYPE_ETHERNET };
		snprintf(h->name, sizeof(h->name), "%s", link.name);
		for (unsigned k = 0; k < link.n_addrs && k < MODEL_HOP_ADDRS_MAX; k++)
			h->addrs[h->n_addrs++] = link.addrs[k];
		free(link.addrs);
	}
	return 0;
}

static int resolve_target(struct run *run, struct err *err)
{
	const struct options *o = run->opt;
	struct resolve_config rc = { .host_root = o->host_root, .node = o->node };
	struct resolve *r = resolve_open(&rc, err);
	const char *pods[LIST_MAX + 1];
	unsigned n = 0;
	int status;

	if (!r)
		return -EIO;
	pods[n++] = o->args[0];
	for (unsigned i = 0; i < o->n_and_pods; i++)
		pods[n++] = o->and_pods[i];
	status = resolve_pods(r, pods, n, &run->chain, err);
	if (!status)
		status = resolve_net(run->chain, run->session->net, err);
	if (!status)
		status = override_hops(r, o, run->session->net, err);
	if (!status && resolve_list(r, &run->node, NULL) == 0)
		run->watch = causes_watch(o, run->node,
					  run->chain->n_pods == 1 ? &run->chain->pods[0] : NULL);
	if (run->watch)
		doctor_watch_remotes(run->watch, run->session->net);
	if (o->follow && !status)
		run->resolve = r;
	else
		resolve_free(r);
	return status;
}

/* Whether all that is captured can be found again, should it go. */
static int begin_follow(struct run *run, struct err *err)
{
	struct follow_config fc = {
		.session = run->session,
		.capture = run->capture,
		.resolve = run->resolve,
		.exclude = run->own.len ? buf_str(&run->own) : NULL,
		.filter = run->filter,
		.filters = run->filters,
		.gone = run->gone,
		.seen_ns = run->drops_ns,
	};
	const struct model_net *net = run->session->net;

	for (unsigned i = 0; i < net->n_pods; i++)
		if (!net->pods[i].name[0])
			return err_usage(err, EINVAL, "--follow: %s has no name under which it "
					 "could come again", run->opt->args[0]);
	run->resolve = NULL; /* follow has it now */
	run->follow = follow_new(&fc, err);
	return run->follow ? 0 : -EIO;
}

/*
 * A device that is down shows nothing: the others still tell where packets end, and the
 * doctor why. When none is up the first one's failure is the one to tell.
 */
static void leave_out_down(struct model_net *net)
{
	bool up[MODEL_HOPS_MAX] = { false }, any = false;
	unsigned n = 0;

	for (unsigned i = 0; i < net->n_hops; i++)
		any |= up[i] = capture_device_is_up(net->hops[i].name);
	for (unsigned i = 0; i < net->n_hops && any; i++) {
		if (up[i])
			net->hops[n++] = net->hops[i];
		else
			log_warn("capture", "%s (%s) is down and is not captured",
				 net->hops[i].name, model_role_name(net->hops[i].role));
	}
	if (any)
		net->n_hops = n;
}

static int open_capture(struct run *run, struct err *err)
{
	struct model_net *net = run->session->net;
	const struct options *o = run->opt;
	struct capture_hop hops[MODEL_HOPS_MAX];

	if (!net->n_hops)
		return err_usage(err, ENODEV, "no device to capture on");
	leave_out_down(net);
	own_connection(STDOUT_FILENO, getenv("SSH_CONNECTION"), &run->own);
	for (unsigned i = 0; i < net->n_hops; i++) {
		int rc = hops_config(o, net, i, run->own.len ? buf_str(&run->own) : NULL,
				     &run->filter[i], &hops[i], err);
		if (rc < 0)
			return rc;
		run->filters[i] = buf_str(&run->filter[i]);
	}
	struct capture_config cc = { .hops = hops, .n_hops = net->n_hops, .nanoseconds = o->nano,
				     .may_change = o->follow };
	run->capture = capture_open(&cc, err);
	if (!run->capture)
		return -EIO;
	for (unsigned i = 0; i < net->n_hops; i++)
		net->hops[i].linktype = capture_linktype(run->capture, i);
	return 0;
}

/* Neither an end nor a ring: only the disk ends what is written. */
static bool is_unbounded(const struct options *o)
{
	bool ring = o->naming && o->ring.files &&
		    (o->naming != NAMING_COUNT || o->ring.bytes);

	return o->write && !ring && !o->stop.duration_ns && !o->stop.bytes && !o->stop.frames &&
	       !o->stop.files && !o->count;
}

/* What of the pods' packets gets into a file, or is only looked at. */
static void say_kept(const struct options *o)
{
	const char *only = o->no_payload ? "the headers alone of " : "";

	if (o->snaplen < PCAPNG_SNAPLEN_MAX)
		fprintf(stderr, "; %sthe first %u bytes of each inner frame are ", only,
			o->snaplen);
	else
		fprintf(stderr, "; %swhole frames%s are ", only,
			o->no_payload || !o->write ? "" : " with their payload");
	fputs(o->write ? "kept" : "looked at, none is kept", stderr);
}

static void say_start(const struct run *run)
{
	char text[FIGURE_MAX];
	const struct model_net *net = run->session->net;
	const struct options *o = run->opt;

	if (o->quiet)
		return;
	fprintf(stderr, "podhop: capturing on ");
	for (unsigned i = 0; i < net->n_hops; i++)
		fprintf(stderr, "%s%s (%s)", i ? ", " : "", net->hops[i].name,
			model_role_name(net->hops[i].role));
	say_kept(o);
	const struct output *out = run->session->output;
	uint64_t least = out ? output_floor(out) : 0;
	if (is_unbounded(o)) {
		const char *what = o->naming ? "files" : output_is_pipe(out) ? "stream" : "file";

		fprintf(stderr, "; nothing bounds the %s (-a, -c%s)", what,
			o->naming ? ", -b files" : "");
		if (least)
			fprintf(stderr, " but %s that stay free on the disk (--min-free)",
				figure_bytes(least, text));
	}
	fputc('\n', stderr);
	if (run->follow)
		fputs("podhop: CAP_NET_RAW and CAP_NET_ADMIN are kept as far as they are there, "
		      "packet and netlink sockets can be opened (--follow)\n", stderr);
}

/* -------------------------------------------------------------------- drops */

/* Reads the counters: what was dropped since the last look was dropped in between. */
static void read_drops(struct run *run, int64_t now_ns)
{
	struct correlate *c = pipeline_correlator(run->session->pipeline);

	for (unsigned i = 0; i < run->session->net->n_hops; i++) {
		struct capture_counters k;

		capture_get_counters(run->capture, i, &k);
		/*
		 * The ring's drops alone: the device's count may be the loss that is looked for,
		 * and those frames were seen by the tap.
		 */
		if (k.dropped_kernel > run->drops_seen[i]) {
			uint64_t n = k.dropped_kernel - run->drops_seen[i];
			correlate_drops(c, i, run->drops_ns[i], now_ns, n);
			if (run->session->output)
				output_drops(run->session->output, i, run->drops_ns[i], n);
			run->drops_seen[i] = k.dropped_kernel;
		}
		run->drops_ns[i] = now_ns;
		if (!run->gone[i] && capture_hop_is_gone(run->capture, i)) {
			run->gone[i] = true;
			correlate_hop_span(c, i, capture_hop_start_ns(run->capture, i), now_ns);
			log_warn("capture", "%s went away; %s", run->session->net->hops[i].name,
				 run->follow ? "what comes for it is looked for"
					     : "its hop is quiet from here on");
		}
	}
}

static int fill(void *arg, struct result *r)
{
	struct run *run = arg;

	r->capture.start_ns = capture_start_ns(run->capture);
	r->capture.end_ns = run->end_ns;
	for (unsigned i = 0; i < r->capture.n_interfaces; i++) {
		struct capture_counters k;

		capture_get_counters(run->capture, i, &k);
		r->capture.interfaces[i].dropped_kernel = (int64_t)k.dropped_kernel;
		r->capture.interfaces[i].dropped_interface = k.dropped_interface;
		r->capture.interfaces[i].dropped_podhop =
			pipeline_untaken(run->session->pipeline, i);
	}
	return 0;
}

/* A statistics block an interface, so that a reader of the stream knows how far time has come. */
static int tell_time(struct run *run, int64_t now_ns, struct err *err)
{
	struct result r = { 0 };
	int rc = session_counters(run->session, &r, err);

	if (!rc) {
		r.capture.end_ns = 0;
		rc = output_statistics(run->session->output, &r, now_ns, err);
	}
	result_free(&r);
	return rc;
}

/* --------------------------------------------------------------------- loop */

static void on_captured(void *arg, const struct model_frame *f)
{
	struct run *run = arg;

	/* Also when it has failed: then the frame is counted. */
	int rc = session_took(run->session, pipeline_frame(run->session->pipeline, f));

	if (run->rc >= 0)
		run->rc = rc;
}

struct figures {
	uint64_t packets, kept, received, dropped;
};

static struct figures figures_of(const struct run *run)
{
	struct figures f = {
		.packets = correlate_ids(pipeline_correlator(run->session->pipeline)),
		.kept = pipeline_kept(run->session->pipeline),
		.received = pipeline_frames(run->session->pipeline),
	};

	for (unsigned i = 0; i < run->session->net->n_hops; i++)
		f.dropped += run->drops_seen[i];
	return f;
}

/* SIGUSR1 */
static void print_counters(const struct run *run)
{
	struct figures f = figures_of(run);
	char line[256];

	snprintf(line, sizeof(line), "podhop: %" PRIu64 " packets, %" PRIu64 " frames captured, %"
		 PRIu64 " received by filter, %" PRIu64 " dropped by kernel\n", f.packets, f.kept,
		 f.received, f.dropped);
	if (run->screen)
		screen_message(run->screen, line);
	else
		progress_message(line);
}

static void show_progress(const struct run *run)
{
	struct figures f = figures_of(run);
	char packets[FIGURE_MAX], kept[FIGURE_MAX], dropped[FIGURE_MAX];

	progress_line("podhop: %s packets, %s frames, %s dropped; Ctrl-C ends it",
		      figure_count(f.packets, packets), figure_count(f.kept, kept),
		      figure_count(f.dropped, dropped));
}

static bool is_over(const struct run *run, int64_t begin_ns, int64_t now_ns)
{
	const struct limits *l = &run->opt->stop;

	return signals_stop() || run->session->broken_pipe ||
	       (run->screen && screen_is_over(run->screen)) ||
	       (run->opt->until_eof && signals_stdin_ended()) ||
	       (run->session->output && output_is_over(run->session->output)) ||
	       (l->duration_ns && now_ns - begin_ns >= l->duration_ns) ||
	       pipeline_is_stopped(run->session->pipeline) ||
	       pipeline_is_full(run->session->pipeline) ||
	       (!run->follow && !capture_n_alive(run->capture));
}

/* After each dispatch, before its time is told. */
static void look_at_clock(struct run *run)
{
	struct capture_clock_set set;

	if (capture_take_clock_set(run->capture, &set))
		pipeline_clock_set(run->session->pipeline, &set);
}

/* When, by a clock that nobody sets, what is done now and then is due again. */
struct due {
	int64_t drops_ns, time_ns;
};

/* How far time has come, to all that wait for it. */
static int pass_time(struct run *run, struct due *due, int64_t seen_ns)
{
	struct session *s = run->session;
	int64_t now = clock_ns(CLOCK_MONOTONIC);
	bool known = seen_ns != INT64_MIN && seen_ns != INT64_MAX;
	int rc = 0;

	if (known)
		rc = session_took(s, pipeline_time(s->pipeline, seen_ns));
	if (rc >= 0 && s->output && known)
		rc = output_time(s->output, seen_ns - CORRELATE_LOOKAHEAD_NS, &s->err);
	if (rc >= 0 && s->output)
		rc = output_idle(s->output, &s->err);
	if (rc >= 0 && known && run->is_stream && now >= due->time_ns) {
		rc = tell_time(run, seen_ns - CORRELATE_LOOKAHEAD_NS, &s->err);
		due->time_ns = now + STATISTICS_INTERVAL_NS;
	}
	return rc;
}

/* What whoever waits for the end sees until then. */
static int show(struct run *run, int64_t now)
{
	struct session *s = run->session;
	int rc = 0;

	if (run->screen)
		rc = screen_tick(run->screen, s, now, clock_ns(CLOCK_REALTIME), &s->err);
	if (signals_take_status())
		print_counters(run);
	if (!run->screen && !s->packets && progress_is_due())
		show_progress(run);
	return rc;
}

/* One look at the rings, and what follows from it. */
static int look(struct run *run, struct due *due, struct err *err)
{
	int64_t now;
	int rc = capture_dispatch(run->capture, POLL_MS, -1, on_captured, run, err);

	if (rc < 0)
		return rc;
	rc = run->rc;
	if (rc >= 0 && run->follow)
		rc = follow_look(run->follow, &run->session->err);
	connections_read(&run->connections);
	look_at_clock(run);
	if (rc >= 0)
		rc = pass_time(run, due, capture_watermark_ns(run->capture));
	now = clock_ns(CLOCK_MONOTONIC);
	if (now >= due->drops_ns) {
		read_drops(run, clock_ns(CLOCK_REALTIME));
		due->drops_ns = now + DROPS_INTERVAL_NS;
		session_watch_disk(run->session, true); /* others write, too */
	}
	return rc < 0 ? rc : show(run, now);
}

/* What the kernel still holds was captured: it counts, if only as not looked at. */
static void drain(struct run *run, struct err *err)
{
	int rc = 0;

	while (rc >= 0 && capture_watermark_ns(run->capture) != INT64_MAX) {
		rc = capture_dispatch(run->capture, POLL_MS, -1, on_captured, run, err);
		look_at_clock(run);
	}
}

static void loop(struct run *run, struct err *err)
{
	struct session *s = run->session;
	struct due due = { 0 };
	int64_t begin = clock_ns(CLOCK_MONOTONIC);
	int rc = 0;

	while (rc >= 0 && !is_over(run, begin, clock_ns(CLOCK_MONOTONIC)))
		rc = look(run, &due, err);
	session_took(s, 0); /* what failed beside frames ends it, too */
	capture_stop(run->capture);
	run->end_ns = clock_ns(CLOCK_REALTIME);
	if (!err->code && s->err.code != -EPIPE)
		drain(run, err);
	connections_read(&run->connections);
	progress_end();
}

/* Devices may send nothing from here on, but with --follow, which can open packet sockets. */
static int close_door(const struct run *run, struct err *err)
{
	int sockets[MODEL_HOPS_MAX];
	struct sandbox_config door = { .needs = SANDBOX_RINGS };

	if (run->screen)
		door.needs |= SANDBOX_SCREEN;
	if (run->opt->follow) {
		door.needs |= FOLLOW_NEEDS;
		door.rights = FOLLOW_RIGHTS;
	} else {
		door.only_read = sockets;
		door.n_only_read = capture_sockets(run->capture, sockets);
	}
	return session_close_door(run->opt, true, door, err);
}

/* What is captured, where it goes, and who watches: all that has to be opened. */
static int set_up(struct run *run, struct err *err)
{
	const struct options *o = run->opt;
	struct session *s = session_new(o, err);

	run->session = s;
	if (!s)
		return -EIO;
	s->fill = fill;
	s->fill_arg = run;
	if (resolve_target(run, err) < 0)
		return -EIO;
	signals_init();
	if (o->live) {
		run->screen = screen_open(o, err);
		if (!run->screen)
			return -EIO;
	}
	if (o->until_eof)
		signals_watch_stdin();
	if (open_capture(run, err) < 0)
		return -EIO;
	s->begin_ns = capture_start_ns(run->capture);
	if (session_open(s, err) < 0)
		return -EIO;
	return session_start(s, true, 0, run->filters, err);
}

/* The last that needs rights, then what is done without. */
static int start(struct run *run, struct err *err)
{
	const struct options *o = run->opt;
	struct session *s = run->session;
	struct correlate *c = pipeline_correlator(s->pipeline);

	for (unsigned i = 0; i < s->net->n_hops; i++) {
		run->drops_ns[i] = s->begin_ns;
		correlate_hop_span(c, i, s->begin_ns, INT64_MAX);
	}
	if (!o->no_nat)
		connections_begin(&run->connections, c);
	if (o->follow && begin_follow(run, err) < 0)
		return -EIO;
	/* From here on rings are read, files are written, and nothing else is needed. */
	if (close_door(run, err) < 0)
		return -EIO;
	say_start(run);
	if (run->screen)
		return screen_begin(run->screen, s, err);
	if (!s->packets)
		progress_begin(o);
	return 0;
}

/* What was counted until the end, and the report. */
static void finish(struct run *run, struct result *result, struct err *err)
{
	struct session *s = run->session;

	/* The terminal is back before anything is said. */
	screen_close(run->screen);
	run->screen = NULL;
	s->live = NULL;
	causes_end(run->watch, &s->findings);
	read_drops(run, run->end_ns);
	for (unsigned i = 0; i < s->net->n_hops; i++)
		if (!run->gone[i])
			correlate_hop_span(pipeline_correlator(s->pipeline), i,
					   capture_hop_start_ns(run->capture, i), run->end_ns);
	session_finish(s, result, err);
}

static void run_done(struct run *run)
{
	screen_close(run->screen);
	connections_end(&run->connections);
	follow_free(run->follow);
	resolve_free(run->resolve);
	buf_done(&run->own);
	capture_free(run->capture);
	session_free(run->session);
	doctor_watch_free(run->watch);
	chain_free(run->node);
	chain_free(run->chain);
	for (unsigned i = 0; i < MODEL_HOPS_MAX; i++)
		buf_done(&run->filter[i]);
}

int command_capture(const struct options *o)
{
	struct run run = { .opt = o, .is_stream = o->write && strcmp(o->write, "-") == 0 };
	struct err err = ERR_INIT;
	struct result result = { 0 };
	int status;

	buf_init(&run.own, OWN_MAX);
	if (set_up(&run, &err) == 0 && start(&run, &err) == 0) {
		loop(&run, &err);
		finish(&run, &result, &err);
	}
	/* Before a failure is told the terminal is as it was. */
	screen_close(run.screen);
	run.screen = NULL;
	status = err.code ? fail(&err) : EXIT_DONE;
	result_free(&result);
	run_done(&run);
	return status;
}
