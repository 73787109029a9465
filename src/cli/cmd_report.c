/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_report.c - `podhop report FILE...`: the same on captures already taken.
 *
 * Theory of operation
 *
 * Each interface of each input becomes a hop; interfaces of equal name are one hop
 * (ring files, the sections of one capture), unnamed ones are named after their file. What
 * podhop wrote says itself what each hop is. For other files a sample of the frames
 * is read first and the roles are learned from it (src/pipeline/roles.c), then the
 * files are read from the start; a pipe cannot be read twice, so its first frames are kept.
 *
 * Regular files are read to the end, merged by time. Pipes are followed: what has come is
 * taken, and time advances with the slowest of them, so that none blocks another.
 */
#include "cli.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "podhop/log.h"

#define INPUTS_MAX 256u
#define SAMPLE_FRAMES 50000u	/* enough for every flow's hops; 60 ms of reading */
#define PIPE_SAMPLE_FRAMES 2000u
#define POLL_MS 200
#define DEFAULT_PORT 8472	/* Linux' own, which flannel takes */
#define IANA_PORT 4789

struct kept_frame {
	struct model_frame frame;
	uint8_t *data;
};

struct input {
	const char *path;
	struct pcapng_reader *reader;
	int *hop;		/* of each interface of the file; -1: not seen yet */
	unsigned n_hop;
	struct pcapng_frame head;
	bool has_head;
	bool over;
	bool is_pipe;
	int64_t last_ns;	/* how far its time has come */
	int64_t first_ns;
	uint64_t frames;
	int error;
	char *reason;
	uint64_t error_offset;
	/* a pipe's sample, to be given again */
	struct kept_frame *kept;
	unsigned n_kept, next_kept;
};

struct run {
	const struct options *opt;
	struct session *session;
	struct input *inputs;
	unsigned n_inputs;
	bool own[MODEL_HOPS_MAX];	/* hop was described by podhop itself */
	int64_t drops_total[MODEL_HOPS_MAX];
	uint64_t drops_spanned[MODEL_HOPS_MAX];
	int64_t last_ns[MODEL_HOPS_MAX];
	bool all_own;
	int status;
};

/* -------------------------------------------------------- what files say */

/* The value of key= in "podhop key=value ..."; false when it is not there. */
static bool description_value(const char *text, const char *key, char *out, size_t size)
{
	size_t klen = strlen(key);

	if (strncmp(text, "podhop ", strlen("podhop ")) != 0)
		return false;
	for (const char *p = text; (p = strchr(p, ' ')) != NULL;) {
		p++;
		if (strncmp(p, key, klen) != 0 || p[klen] != '=')
			continue;
		p += klen + 1;
		size_t n = strcspn(p, " ");
		if (n >= size)
			n = size - 1;
		memcpy(out, p, n);
		out[n] = 0;
		return true;
	}
	return false;
}

static int find_pod(struct model_net *net, const char *ns, const char *name)
{
	for (unsigned i = 0; i < net->n_pods; i++)
		if (strcmp(net->pods[i].namespace_, ns) == 0 &&
		    strcmp(net->pods[i].name, name) == 0)
			return (int)i;
	return -1;
}

static void add_pod_addr(struct model_net *net, const char *ns, const char *name,
			 const struct addr *a)
{
	int i = name[0] ? find_pod(net, ns, name) : -1;
	struct model_pod *p;

	if (i < 0) {
		if (net->n_pods == MODEL_PODS_MAX)
			return;
		p = &net->pods[net->n_pods++];
		memset(p, 0, sizeof(*p));
		snprintf(p->namespace_, sizeof(p->namespace_), "%s", ns);
		snprintf(p->name, sizeof(p->name), "%s", name);
	} else {
		p = &net->pods[i];
	}
	for (unsigned k = 0; k < p->n_addrs; k++)
		if (addr_eq(&p->addrs[k], a))
			return;
	if (p->n_addrs < MODEL_POD_ADDRS_MAX)
		p->addrs[p->n_addrs++] = *a;
}

/* "podhop node=n1 pods=ns/web:10.244.1.5,ns/web:fd00::5 filter=tcp port 80" */
static void read_section_comment(struct run *run, const char *comment)
{
	struct model_net *net = run->session->net;
	char pods[PCAPNG_STRING_MAX * 4], *save = NULL;

	if (!net->node[0])
		description_value(comment, "node", net->node, sizeof(net->node));
	if (run->opt->n_pods || !description_value(comment, "pods", pods, sizeof(pods)))
		return;
	for (char *p = strtok_r(pods, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		char *colon = strchr(p, ':'), *slash;
		struct addr a;

		if (!colon || addr_parse(colon + 1, &a) < 0)
			continue;
		*colon = 0;
		slash = strchr(p, '/');
		if (slash)
			*slash = 0;
		add_pod_addr(net, slash ? p : "", slash ? slash + 1 : p, &a);
	}
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

static void add_port(struct model_net *net, uint16_t port)
{
	for (unsigned i = 0; i < net->n_vxlan_ports; i++)
		if (net->vxlan_ports[i] == port)
			return;
	if (net->n_vxlan_ports < sizeof(net->vxlan_ports) / sizeof(net->vxlan_ports[0]))
		net->vxlan_ports[net->n_vxlan_ports++] = port;
}

static void describe_hop(struct run *run, struct model_hop *h, const struct pcapng_interface *pi,
			 unsigned index)
{
	struct model_net *net = run->session->net;
	char v[MODEL_K8S_NAME_MAX * 2];

	if (!description_value(pi->description, "role", v, sizeof(v)))
		return;
	h->role = model_role_parse(v);
	run->own[index] = h->role != MODEL_ROLE_NONE;
	if (!net->node[0] && description_value(pi->description, "node", v, sizeof(v)))
		snprintf(net->node, sizeof(net->node), "%.*s", (int)sizeof(net->node) - 1, v);
	if (description_value(pi->description, "vni", v, sizeof(v))) {
		h->vni = (uint32_t)strtoul(v, NULL, 10);
		h->has_vni = true;
	}
	if (description_value(pi->description, "port", v, sizeof(v))) {
		unsigned long port = strtoul(v, NULL, 10);
		if (port && port <= UINT16_MAX) {
			h->vxlan_port = (uint16_t)port;
			add_port(net, h->vxlan_port);
		}
	}
	if (description_value(pi->description, "pod", v, sizeof(v))) {
		char *slash = strchr(v, '/');
		if (slash) {
			*slash = 0;
			h->pod = find_pod(net, v, slash + 1);
		}
	} else if (h->role == MODEL_ROLE_VETH && net->n_pods == 1) {
		h->pod = 0;
	}
}

/* --hops ROLE=NAME: NAME is an interface's name, a file, or a file's base name. */
static int given_role(struct run *run, const char *path, const char *name, struct model_hop *h,
		      bool *used, struct err *err)
{
	for (unsigned i = 0; i < run->opt->n_hops; i++) {
		const char *eq = strchr(run->opt->hops[i], '=');
		char role_name[16] = "";

		if (eq && (size_t)(eq - run->opt->hops[i]) < sizeof(role_name))
			memcpy(role_name, run->opt->hops[i], (size_t)(eq - run->opt->hops[i]));
		enum model_role role = model_role_parse(role_name);
		if (!eq || !role || !eq[1])
			return err_usage(err, EINVAL,
					 "--hops %s: ROLE=NAME is needed, ROLE one of veth, bridge, "
					 "vtep, underlay", run->opt->hops[i]);
		if (strcmp(eq + 1, name) == 0 || strcmp(eq + 1, path) == 0 ||
		    strcmp(eq + 1, base_name(path)) == 0) {
			h->role = role;
			used[i] = true;
		}
	}
	return 0;
}

/* The hop of interface `i` of an input, made when it is new. */
static int hop_of(struct run *run, struct input *in, unsigned i, bool *hops_used, struct err *err)
{
	struct model_net *net = run->session->net;
	const struct pcapng_interface *pi = pcapng_reader_interface(in->reader, i);
	const char *name = pi->name[0] ? pi->name : base_name(in->path);

	if (i >= in->n_hop) {
		int *grown = realloc(in->hop, (i + 1) * sizeof(*grown));
		if (!grown)
			return err_sys(err, ENOMEM, "%s", in->path);
		for (unsigned k = in->n_hop; k <= i; k++)
			grown[k] = -1;
		in->hop = grown;
		in->n_hop = i + 1;
	}
	if (in->hop[i] >= 0)
		return in->hop[i];
	for (unsigned k = 0; pi->name[0] && k < net->n_hops; k++)
		if (strcmp(net->hops[k].name, name) == 0 && net->hops[k].linktype == pi->linktype)
			return in->hop[i] = (int)k;
	if (net->n_hops == MODEL_HOPS_MAX)
		return err_usage(err, E2BIG, "%s: more than %u interfaces", in->path,
				 MODEL_HOPS_MAX);

	unsigned index = net->n_hops;
	struct model_hop *h = &net->hops[index];

	memset(h, 0, sizeof(*h));
	snprintf(h->name, sizeof(h->name), "%.*s", (int)sizeof(h->name) - 1, name);
	h->linktype = pi->linktype;
	h->snaplen = pi->snaplen;
	h->mac = pi->mac;
	h->pod = -1;
	memcpy(h->addrs, pi->addrs, sizeof(h->addrs));
	h->n_addrs = pi->n_addrs;
	read_section_comment(run, pcapng_reader_section_comment(in->reader));
	describe_hop(run, h, pi, index);
	int rc = given_role(run, in->path, name, h, hops_used, err);
	if (rc < 0)
		return rc;
	run->drops_total[index] = -1;
	run->last_ns[index] = INT64_MIN;
	run->all_own &= run->own[index];
	net->n_hops++;
	return in->hop[i] = (int)index;
}

/* ------------------------------------------------------------------ reading */

static int open_inputs(struct run *run, struct err *err)
{
	const struct options *o = run->opt;

	if ((unsigned)o->n_args > INPUTS_MAX)
		return err_usage(err, E2BIG, "more than %u files", INPUTS_MAX);
	for (int i = 0; i < o->n_args; i++) {
		struct input *in = &run->inputs[run->n_inputs];

		*in = (struct input){ .path = o->args[i], .last_ns = INT64_MIN,
				      .first_ns = INT64_MAX };
		in->reader = pcapng_reader_open(o->args[i], err);
		if (!in->reader)
			return -EIO;
		in->is_pipe = !pcapng_reader_is_regular(in->reader);
		run->n_inputs++;
	}
	return 0;
}

/*
 * The next frame of an input into its head. Returns 1, 0 when there is none (over, or a
 * pipe that is idle), or -errno for what ends the run. An input that turns bad is over; what
 * came before counts, and the exit status says so.
 */
static int fetch(struct run *run, struct input *in, bool *hops_used, struct err *err)
{
	struct err bad = ERR_INIT;

	if (in->has_head)
		return 1;
	if (in->next_kept < in->n_kept) {
		in->head.frame = in->kept[in->next_kept++].frame;
		in->has_head = true;
		return 1;
	}
	while (!in->over) {
		int event = pcapng_reader_next(in->reader, &in->head, &bad);

		if (event == PCAPNG_EVENT_FRAME) {
			int hop = hop_of(run, in, in->head.frame.hop, hops_used, err);
			if (hop < 0)
				return hop;
			in->head.frame.hop = (uint16_t)hop;
			in->frames++;
			in->has_head = true;
			return 1;
		}
		if (event == PCAPNG_EVENT_TIME) {
			if (in->head.frame.time_ns > in->last_ns)
				in->last_ns = in->head.frame.time_ns;
			continue;
		}
		if (event == PCAPNG_EVENT_IDLE)
			return 0;
		in->over = true;
		if (event < 0) {
			in->error = event;
			in->error_offset = pcapng_reader_offset(in->reader);
			in->reason = strdup(bad.text);
			log_error("report", "%s", bad.text);
			run->status = EXIT_FAILED;
		}
	}
	return 0;
}

static int keep_for_later(struct input *in, const struct model_frame *f, struct err *err)
{
	struct kept_frame *grown = realloc(in->kept, (in->n_kept + 1) * sizeof(*grown));

	if (!grown)
		return err_sys(err, ENOMEM, "%s", in->path);
	in->kept = grown;
	struct kept_frame *k = &grown[in->n_kept];
	k->frame = *f;
	k->data = malloc(f->caplen ? f->caplen : 1);
	if (!k->data)
		return err_sys(err, ENOMEM, "%s", in->path);
	memcpy(k->data, f->data, f->caplen);
	k->frame.data = k->data;
	in->n_kept++;
	return 0;
}

/* Reads the sample of one input into the learner (mac: second look). */
static int sample(struct run *run, struct input *in, struct pipeline_learner *l, bool mac,
		  bool *hops_used, struct err *err)
{
	uint64_t most = in->is_pipe ? PIPE_SAMPLE_FRAMES : SAMPLE_FRAMES;
	int rc;

	if (mac && in->is_pipe) {
		for (unsigned i = 0; i < in->n_kept; i++)
			pipeline_learner_mac_frame(l, &in->kept[i].frame);
		return 0;
	}
	for (uint64_t n = 0; n < most; n++) {
		rc = fetch(run, in, hops_used, err);
		if (rc <= 0)
			return rc;
		in->has_head = false;
		if (mac)
			pipeline_learner_mac_frame(l, &in->head.frame);
		else
			pipeline_learner_frame(l, &in->head.frame);
		/* What podhop itself described needs no sample beyond its header. */
		if (in->is_pipe) {
			rc = keep_for_later(in, &in->head.frame, err);
			if (rc < 0)
				return rc;
			if (run->all_own)
				return 0;
		}
	}
	return 0;
}

static int reopen(struct input *in, struct err *err)
{
	if (in->is_pipe)
		return 0;
	pcapng_reader_free(in->reader);
	in->reader = pcapng_reader_open(in->path, err);
	in->over = in->has_head = false;
	in->frames = 0;
	in->error = 0;
	free(in->reason);
	in->reason = NULL;
	return in->reader ? 0 : -EIO;
}

static int learn(struct run *run, struct err *err)
{
	struct model_net *net = run->session->net;
	struct pipeline_learner *l = pipeline_learner_new(net, err);
	bool hops_used[LIST_MAX] = { false };
	enum log_level level = log_get_level();
	int rc = l ? 0 : -ENOMEM;

	for (unsigned i = 0; i < run->n_inputs && rc >= 0; i++)
		rc = sample(run, &run->inputs[i], l, false, hops_used, err);
	for (unsigned i = 0; i < run->opt->n_hops && rc >= 0; i++)
		if (!hops_used[i])
			rc = err_usage(err, ENOENT,
				       "--hops %s: no interface and no file of that name in the input",
				       run->opt->hops[i]);
	if (rc >= 0)
		rc = pipeline_learner_decide(l, err);
	/* A damaged tail is reported once, when the file is read for good. */
	log_set_level(LOG_LEVEL_ERROR);
	for (unsigned i = 0; i < run->n_inputs && rc >= 0; i++) {
		rc = reopen(&run->inputs[i], err);
		if (rc >= 0)
			rc = sample(run, &run->inputs[i], l, true, hops_used, err);
	}
	if (rc >= 0)
		pipeline_learner_decide_macs(l);
	for (unsigned i = 0; i < run->n_inputs && rc >= 0; i++)
		rc = reopen(&run->inputs[i], err);
	log_set_level(level);
	run->status = EXIT_DONE;
	pipeline_learner_free(l);
	return rc;
}

/* ------------------------------------------------------------------ running */

static int take(struct run *run, struct input *in)
{
	struct correlate *c = pipeline_correlator(run->session->pipeline);
	const struct model_frame *f = &in->head.frame;
	unsigned hop = f->hop;

	in->has_head = false;
	if (f->time_ns > in->last_ns)
		in->last_ns = f->time_ns;
	if (f->time_ns < in->first_ns) {
		in->first_ns = f->time_ns;
		/* The hop's capture began with its file: nothing before it can be missed. */
		for (unsigned i = 0; i < run->session->net->n_hops; i++)
			for (unsigned k = 0; k < in->n_hop; k++)
				if (in->hop[k] == (int)i)
					correlate_hop_span(c, i, in->first_ns, INT64_MAX);
	}
	if (f->drops) {
		correlate_drops(c, hop, run->last_ns[hop] == INT64_MIN ? in->first_ns
								       : run->last_ns[hop],
				f->time_ns, f->drops);
		run->drops_spanned[hop] += f->drops;
	}
	run->last_ns[hop] = f->time_ns;
	return session_frame(run->session, f);
}

static int wait_for_input(struct run *run)
{
	struct pollfd fds[INPUTS_MAX];
	nfds_t n = 0;

	for (unsigned i = 0; i < run->n_inputs; i++)
		if (!run->inputs[i].over)
			fds[n++] = (struct pollfd){ .fd = pcapng_reader_fd(run->inputs[i].reader),
						    .events = POLLIN };
	return poll(fds, n, POLL_MS) < 0 && errno != EINTR ? -errno : 0;
}

static int follow(struct run *run, struct err *err)
{
	bool hops_used[LIST_MAX];
	bool live = false;
	int rc = 0;

	for (unsigned i = 0; i < run->n_inputs; i++)
		live |= run->inputs[i].is_pipe;
	while (rc >= 0 && !signals_stop() && !run->session->broken_pipe &&
	       !pipeline_is_full(run->session->pipeline)) {
		struct input *next = NULL;
		int64_t time = INT64_MAX;
		unsigned open = 0, unknown = 0;

		for (unsigned i = 0; i < run->n_inputs && rc >= 0; i++) {
			struct input *in = &run->inputs[i];
			rc = fetch(run, in, hops_used, err);
			if (in->has_head &&
			    (!next || in->head.frame.time_ns < next->head.frame.time_ns))
				next = in;
			if (!in->over || in->has_head) {
				open++;
				if (in->last_ns == INT64_MIN)
					unknown++;
				else if (in->last_ns < time)
					time = in->last_ns;
			}
		}
		if (rc < 0)
			break;
		if (next) {
			rc = take(run, next);
			if (rc < 0)
				break;
		} else if (!open) {
			break;
		} else {
			rc = wait_for_input(run);
		}
		if (live && !unknown && time != INT64_MAX && rc >= 0)
			rc = pipeline_time(run->session->pipeline, time);
		if (live && run->session->output && rc >= 0)
			rc = output_idle(run->session->output, &run->session->err);
		const struct limits *l = &run->opt->stop;
		if ((l->frames && pipeline_kept(run->session->pipeline) >= l->frames) ||
		    (l->bytes && run->session->output &&
		     output_bytes(run->session->output) >= l->bytes))
			break;
		if (l->duration_ns && next &&
		    next->last_ns - pipeline_first_ns(run->session->pipeline) >= l->duration_ns &&
		    pipeline_kept(run->session->pipeline))
			break;
	}
	return rc < 0 ? rc : 0;
}

/* Totals that files give only at their end: statistics blocks. */
static void read_totals(struct run *run)
{
	struct correlate *c = pipeline_correlator(run->session->pipeline);
	int64_t end = INT64_MIN;

	for (unsigned i = 0; i < run->n_inputs; i++) {
		struct input *in = &run->inputs[i];
		for (unsigned k = 0; k < in->n_hop; k++) {
			const struct pcapng_interface *pi;
			int hop = in->hop[k];

			if (hop < 0)
				continue;
			pi = pcapng_reader_interface(in->reader, k);
			int64_t drop = pi->if_drop >= 0 ? pi->if_drop : pi->os_drop;
			if (drop >= 0) {
				if (run->drops_total[hop] < 0)
					run->drops_total[hop] = 0;
				run->drops_total[hop] += drop;
			}
			correlate_hop_span(c, (unsigned)hop, in->first_ns, in->last_ns);
		}
		if (in->last_ns > end)
			end = in->last_ns;
	}
	for (unsigned i = 0; i < run->session->net->n_hops; i++)
		if (run->drops_total[i] > (int64_t)run->drops_spanned[i])
			correlate_drops(c, i, INT64_MIN, INT64_MAX,
					(uint64_t)run->drops_total[i] - run->drops_spanned[i]);
}

static void fill(void *arg, struct result *r)
{
	struct run *run = arg;

	r->inputs = calloc(run->n_inputs ? run->n_inputs : 1, sizeof(*r->inputs));
	for (unsigned i = 0; r->inputs && i < run->n_inputs; i++) {
		const struct input *in = &run->inputs[i];
		struct result_input *ri = &r->inputs[r->n_inputs++];

		ri->file = strdup(in->path);
		ri->frames = in->frames;
		ri->truncated_at = in->error ? (int64_t)in->error_offset : -1;
		ri->reason = strdup(in->reason ? in->reason : "");
	}
	for (unsigned i = 0; i < r->capture.n_interfaces; i++) {
		r->capture.interfaces[i].dropped_kernel = run->drops_total[i];
		r->capture.interfaces[i].dropped_interface = -1;
	}
}

int command_report(const struct options *o)
{
	struct run run = { .opt = o, .all_own = true };
	struct err err = ERR_INIT;
	struct result *result = calloc(1, sizeof(*result));
	int status, rc = 0;

	run.inputs = calloc(INPUTS_MAX, sizeof(*run.inputs));
	run.session = session_new(o, &err);
	if (!run.session || !run.inputs || !result)
		goto out;
	run.session->fill = fill;
	run.session->fill_arg = &run;
	signals_init();

	struct model_net *net = run.session->net;
	add_port(net, DEFAULT_PORT);
	add_port(net, IANA_PORT);
	if (o->node)
		snprintf(net->node, sizeof(net->node), "%s", o->node);
	for (unsigned i = 0; i < o->n_pods; i++) {
		struct addr a;
		if (addr_parse(o->pods[i], &a) < 0) {
			err_usage(&err, EINVAL, "--pod %s: an IP address is needed", o->pods[i]);
			goto out;
		}
		add_pod_addr(net, "", "", &a);
	}
	if (open_inputs(&run, &err) < 0 || learn(&run, &err) < 0)
		goto out;
	for (unsigned i = 0; i < run.n_inputs; i++)
		if (run.inputs[i].is_pipe &&
		    pcapng_reader_set_nonblocking(run.inputs[i].reader, &err) < 0)
			goto out;
	if (session_start(run.session, false, run.all_own && run.n_inputs == 1, NULL, &err) < 0)
		goto out;
	rc = follow(&run, &err);
	read_totals(&run);
	struct err end_err = ERR_INIT;
	if (session_finish(run.session, result, &end_err) < 0 && !err.code)
		err = end_err;
	if (rc < 0 && !err.code && run.session->err.code)
		err = run.session->err;
	if (run.session->broken_pipe)
		err_clear(&err);
out:
	status = err.code ? fail(&err) : run.status;
	if (result)
		result_free(result);
	free(result);
	for (unsigned i = 0; run.inputs && i < run.n_inputs; i++) {
		struct input *in = &run.inputs[i];
		pcapng_reader_free(in->reader);
		for (unsigned k = 0; k < in->n_kept; k++)
			free(in->kept[k].data);
		free(in->kept);
		free(in->hop);
		free(in->reason);
	}
	free(run.inputs);
	session_free(run.session);
	return status;
}
