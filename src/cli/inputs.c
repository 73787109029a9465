/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * inputs.c - captures already taken, or still growing, as hops and frames of a node.
 *
 * Theory of operation
 *
 * Each interface of each input becomes a hop; interfaces of equal name are one hop
 * (ring files, the sections of one capture), unnamed ones are named after their file. What
 * podhop wrote says itself what each hop is, also of a hop that shows no frame. For other
 * files a sample of the frames is read first and the roles are learned from it
 * (src/pipeline/roles.c), then the files are read from the start; a pipe cannot be read
 * twice, so its first frames are kept.
 *
 * Regular files are read to the end, merged by time. Pipes are followed: what has come is
 * taken, and time advances with the slowest of them, so that none blocks another.
 */
#include "cli.h"
#include "inputs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "podhop/log.h"

#define SAMPLE_FRAMES 20000u	/* enough for every flow's hops; 10 ms of reading */
/* dumpcap writes a ring's block at a time: thousands of frames of one hop before the next. */
#define SAMPLE_LEAST 500u	/* of each interface ... */
#define SAMPLE_MOST 200000u	/* ... that has as many in so many frames; 4 ms */
#define OWN_SAMPLE_FRAMES 2000u	/* whose roles and pods are known: for the devices' MAC addresses */
#define PIPE_SAMPLE_FRAMES 2000u
/* A writer looks at its counters a few times a second: the gap is no better known. */
#define DROPS_AROUND_NS 200000000LL
#define PIPE_BYTES (1 << 20)	/* asked of the kernel: what may wait while others are sampled */
#define POLL_MS 200
#define INTERFACES_MAX 65536u	/* of one input that are mapped to hops */
#define INTERFACES_SAMPLED 64u	/* of one input that are waited for */

struct kept_frame {
	struct model_frame frame;	/* hop: interface of the file */
	uint8_t *data;
};

struct input {
	const char *path;
	struct pcapng_reader *reader;
	int *hop;		/* of each interface of the file; -1: not seen yet */
	unsigned n_hop;
	unsigned looked_at;	/* interfaces whose description was read */
	struct pcapng_frame head;
	struct err bad;		/* why the reader stopped */
	bool has_head;
	bool is_raw;		/* head was read, and its hop not looked up yet */
	bool over;
	bool is_pipe;
	bool sampled;
	bool no_memory;		/* at some look it could not be read to its end */
	bool for_good;		/* read to be taken: what is wrong with it is told now */
	int64_t last_ns;	/* how far its time has come */
	int64_t first_ns;
	int64_t sample_ns;	/* of the sample's newest frame */
	int64_t began_ns, ended_ns;	/* of the capture as the file tells; 0: it does not */
	bool span_read;
	/* of the frames taken, by hop; from > to: none */
	struct seen {
		int64_t from_ns, to_ns;
	} seen[MODEL_HOPS_MAX];
	uint64_t frames;
	int error;
	char *reason;
	uint64_t error_offset;
	char node[MODEL_K8S_NAME_MAX];
	char *filter;		/* that it was captured with; NULL: none, or not said */
	/* a pipe's sample, to be given again */
	struct kept_frame *kept;
	unsigned n_kept, next_kept;
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

void inputs_add_pod(struct model_net *net, const char *ns, const char *name, const struct addr *a)
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
static void read_section_comment(struct inputs *in, const char *comment)
{
	struct model_net *net = in->net;
	char pods[PCAPNG_STRING_MAX * 4], *save = NULL;

	if (!net->node[0])
		description_value(comment, "node", net->node, sizeof(net->node));
	if (in->opt->n_pods || !description_value(comment, "pods", pods, sizeof(pods)))
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
		inputs_add_pod(net, slash ? p : "", slash ? slash + 1 : p, &a);
	}
}

const char *inputs_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

void inputs_add_port(struct model_net *net, uint16_t port)
{
	for (unsigned i = 0; i < net->n_vxlan_ports; i++)
		if (net->vxlan_ports[i] == port)
			return;
	if (net->n_vxlan_ports < sizeof(net->vxlan_ports) / sizeof(net->vxlan_ports[0]))
		net->vxlan_ports[net->n_vxlan_ports++] = port;
}

/* Of a pod that came again while it was captured (--follow). */
static void read_new_addresses(struct inputs *in, const char *description, const char *ns,
			       const char *name)
{
	char text[PCAPNG_STRING_MAX], *save = NULL;

	if (in->opt->n_pods || !description_value(description, "ip", text, sizeof(text)))
		return;
	for (char *p = strtok_r(text, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		struct addr a;

		if (addr_parse(p, &a) == 0)
			inputs_add_pod(in->net, ns, name, &a);
	}
}

static void describe_hop(struct inputs *in, struct model_hop *h, const struct pcapng_interface *pi,
			 unsigned index)
{
	struct model_net *net = in->net;
	char v[MODEL_K8S_NAME_MAX * 2];

	if (!description_value(pi->description, "role", v, sizeof(v)))
		return;
	h->role = model_role_parse(v);
	in->own[index] = h->role != MODEL_ROLE_NONE;
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
			inputs_add_port(net, h->vxlan_port);
		}
	}
	if (description_value(pi->description, "pod", v, sizeof(v))) {
		char *slash = strchr(v, '/');
		if (slash) {
			*slash = 0;
			read_new_addresses(in, pi->description, v, slash + 1);
			h->pod = find_pod(net, v, slash + 1);
		}
	} else if (h->role == MODEL_ROLE_VETH && net->n_pods == 1) {
		h->pod = 0;
	}
}

/* What it is called, to users and in reports. */
static const char *interface_name(const struct input *one, const struct pcapng_interface *pi)
{
	return pi->name[0] ? pi->name : inputs_base_name(one->path);
}

/*
 * --hops ROLE=NAME: NAME is an interface's name, a file, or a file's base name. The role that
 * was said last; MODEL_ROLE_NONE: nothing was said of this one.
 */
static enum model_role given_role(struct inputs *in, const char *path, const char *name)
{
	enum model_role role = MODEL_ROLE_NONE;

	for (unsigned i = 0; i < in->opt->n_hops; i++) {
		const struct hop_option *given = &in->opt->hops[i];

		if (strcmp(given->name, name) == 0 || strcmp(given->name, path) == 0 ||
		    strcmp(given->name, inputs_base_name(path)) == 0) {
			role = given->role;
			in->hops_used[i] = true;
		}
	}
	return role;
}

/* The hop of interface `i` of an input, made when it is new. */
static int hop_new(struct inputs *in, struct input *one, unsigned i, struct err *err)
{
	struct model_net *net = in->net;
	const struct pcapng_interface *pi = pcapng_reader_interface(one->reader, i);
	const char *name = interface_name(one, pi);
	enum model_role given;

	if (i >= one->n_hop) {
		int *grown = realloc(one->hop, (i + 1) * sizeof(*grown));
		if (!grown)
			return err_sys(err, ENOMEM, "%s", one->path);
		for (unsigned k = one->n_hop; k <= i; k++)
			grown[k] = -1;
		one->hop = grown;
		one->n_hop = i + 1;
	}
	for (unsigned k = 0; pi->name[0] && k < net->n_hops; k++)
		if (strcmp(net->hops[k].name, name) == 0 && net->hops[k].linktype == pi->linktype)
			return one->hop[i] = (int)k;
	if (net->n_hops == MODEL_HOPS_MAX)
		return err_usage(err, E2BIG, "%s: more than %u interfaces", one->path,
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
	read_section_comment(in, pcapng_reader_section_comment(one->reader));
	describe_hop(in, h, pi, index);
	given = given_role(in, one->path, name);
	if (given != MODEL_ROLE_NONE)
		h->role = given;
	in->drops_total[index] = -1;
	in->hop_first_ns[index] = INT64_MAX;
	in->hop_last_ns[index] = INT64_MIN;
	in->all_own &= in->own[index];
	net->n_hops++;
	/* A section that began while frames are read already. */
	if (in->pipeline)
		correlate_learn_net(pipeline_correlator(in->pipeline));
	return one->hop[i] = (int)index;
}

static inline int hop_of(struct inputs *in, struct input *one, unsigned i, struct err *err)
{
	return i < one->n_hop && one->hop[i] >= 0 ? one->hop[i] : hop_new(in, one, i, err);
}

/*
 * What podhop described, or --hops names, is a hop even when it shows nothing: that is how losses
 * show.
 */
static int map_new(struct inputs *in, struct input *one, unsigned n, struct err *err)
{
	char role[16];

	for (; one->looked_at < n && one->looked_at < INTERFACES_MAX; one->looked_at++) {
		const struct pcapng_interface *pi =
			pcapng_reader_interface(one->reader, one->looked_at);
		if (!description_value(pi->description, "role", role, sizeof(role)) &&
		    given_role(in, one->path, interface_name(one, pi)) == MODEL_ROLE_NONE)
			continue;
		int rc = hop_of(in, one, one->looked_at, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static inline int map_described(struct inputs *in, struct input *one, unsigned n, struct err *err)
{
	return one->looked_at == n ? 0 : map_new(in, one, n, err);
}

/* ------------------------------------------------------------------ reading */

static void unsee(struct input *one)
{
	for (unsigned i = 0; i < MODEL_HOPS_MAX; i++)
		one->seen[i] = (struct seen){ INT64_MAX, INT64_MIN };
}

struct input *input_open(const char *path, struct err *err)
{
	struct input *one = calloc(1, sizeof(*one));

	if (!one) {
		err_sys(err, ENOMEM, "%s", path);
		return NULL;
	}
	one->path = path;
	one->last_ns = INT64_MIN;
	one->first_ns = INT64_MAX;
	unsee(one);
	one->sample_ns = INT64_MIN;
	one->reader = pcapng_reader_open(path, err);
	if (!one->reader) {
		input_free(one);
		return NULL;
	}
	one->is_pipe = !pcapng_reader_is_regular(one->reader);
	if (one->is_pipe) {
		(void)fcntl(pcapng_reader_fd(one->reader), F_SETPIPE_SZ, PIPE_BYTES);
		if (pcapng_reader_set_nonblocking(one->reader, err) < 0) {
			input_free(one);
			return NULL;
		}
	}
	return one;
}

void input_free(struct input *one)
{
	if (!one)
		return;
	pcapng_reader_free(one->reader);
	for (unsigned k = 0; k < one->n_kept; k++)
		free(one->kept[k].data);
	free(one->kept);
	free(one->hop);
	free(one->reason);
	free(one->filter);
	free(one);
}

const char *input_path(const struct input *in)
{
	return in->path;
}

const char *input_node(const struct input *in)
{
	return in->node;
}

const char *input_filter(const struct input *in)
{
	return in->filter;
}

bool input_is_pipe(const struct input *in)
{
	return in->is_pipe;
}

int64_t input_first_ns(const struct input *in)
{
	return in->first_ns;
}

/*
 * The next frame of an input, as the reader gives it. Returns 1, 0 when there is none
 * (over, or a pipe that is idle). An input that turns bad is over; what came before counts.
 */
static int read_frame(struct input *one)
{
	while (!one->over) {
		int event = pcapng_reader_next(one->reader, &one->head, &one->bad);

		if (event == PCAPNG_EVENT_FRAME) {
			one->frames++;
			return 1;
		}
		if (event == PCAPNG_EVENT_TIME) {
			if (one->head.frame.time_ns > one->last_ns)
				one->last_ns = one->head.frame.time_ns;
			continue;
		}
		if (event == PCAPNG_EVENT_IDLE)
			return 0;
		one->over = true;
		if (event < 0) {
			one->error = event;
			one->error_offset = pcapng_reader_offset(one->reader);
			one->reason = strdup(one->bad.text);
			/* Roles come of this look; the next may end otherwise. */
			one->no_memory |= event == -ENOMEM;
			/* A damaged file is named once, not with every look at its sample. */
			if (one->for_good || one->is_pipe || event == -ENOMEM)
				log_error("input", "%s", one->bad.text);
		}
	}
	return 0;
}

/* The next frame with its hop into the input's head. 1, 0 as above, or -errno. */
static int fetch(struct inputs *in, struct input *one, struct err *err)
{
	int rc, n;

	if (one->has_head)
		return 1;
	if (one->is_raw) {
		one->is_raw = false;
		n = 1;
	} else if (one->next_kept < one->n_kept) {
		one->head.frame = one->kept[one->next_kept++].frame;
		n = 1;
	} else {
		n = read_frame(one);
	}
	in->damaged |= one->error != 0 || one->no_memory;
	rc = map_described(in, one, pcapng_reader_n_interfaces(one->reader), err);
	if (rc < 0 || !n)
		return rc;
	rc = hop_of(in, one, one->head.frame.hop, err);
	if (rc < 0)
		return rc;
	one->head.frame.hop = (uint16_t)rc;
	one->has_head = true;
	return 1;
}

static int keep_for_later(struct input *one, const struct model_frame *f, struct err *err)
{
	struct kept_frame *grown = realloc(one->kept, (one->n_kept + 1) * sizeof(*grown));

	if (!grown)
		return err_sys(err, ENOMEM, "%s", one->path);
	one->kept = grown;
	struct kept_frame *k = &grown[one->n_kept];
	k->frame = *f;
	k->data = malloc(f->caplen ? f->caplen : 1);
	if (!k->data)
		return err_sys(err, ENOMEM, "%s", one->path);
	memcpy(k->data, f->data, f->caplen);
	k->frame.data = k->data;
	one->n_kept++;
	return 0;
}

/* A file is read from its start again; what a pipe showed was kept. */
static int rewind_input(struct input *one, struct err *err)
{
	int rc;

	if (one->is_pipe)
		return 0;
	rc = pcapng_reader_rewind(one->reader, err);
	if (rc < 0)
		return rc;
	one->over = one->has_head = one->is_raw = false;
	one->frames = 0;
	one->looked_at = 0;
	one->last_ns = INT64_MIN;
	one->first_ns = INT64_MAX;
	unsee(one);
	one->error = 0;
	free(one->reason);
	one->reason = NULL;
	return 0;
}

static int wait_any(struct input *const *all, unsigned n)
{
	struct pollfd fds[INPUTS_MAX];
	nfds_t k = 0;

	for (unsigned i = 0; i < n && k < INPUTS_MAX; i++)
		if (!all[i]->over && all[i]->is_pipe)
			fds[k++] = (struct pollfd){ .fd = pcapng_reader_fd(all[i]->reader),
						    .events = POLLIN };
	return poll(fds, k, POLL_MS) < 0 && errno != EINTR ? -errno : 0;
}

/* Kept: what the reader knows of its header goes when the file is read from its start again. */
static int keep_filter(struct input *one, const char *comment, struct err *err)
{
	const char *at = strncmp(comment, "podhop ", strlen("podhop ")) == 0
				 ? strstr(comment, " filter=") : NULL;

	if (one->filter || !at || !at[strlen(" filter=")])
		return 0;
	one->filter = strdup(at + strlen(" filter="));
	return one->filter ? 0 : err_sys(err, ENOMEM, "%s", one->path);
}

/* True when the input's header has been read; its first frame, if it came, is kept. */
static int read_header(struct input *one, struct err *err)
{
	const char *comment;
	int n = one->n_kept ? 1 : read_frame(one);

	if (n && one->is_pipe && !one->n_kept) {
		int rc = keep_for_later(one, &one->head.frame, err);
		if (rc < 0)
			return rc;
	}
	if (!n && !one->over && !pcapng_reader_n_interfaces(one->reader))
		return 0;
	comment = pcapng_reader_section_comment(one->reader);
	if (keep_filter(one, comment, err) < 0)
		return -ENOMEM;
	unsigned interfaces = pcapng_reader_n_interfaces(one->reader);
	if (!description_value(comment, "node", one->node, sizeof(one->node)))
		for (unsigned i = 0; i < interfaces && !one->node[0]; i++)
			description_value(pcapng_reader_interface(one->reader, i)->description,
					  "node", one->node, sizeof(one->node));
	return 1;
}

int inputs_headers(struct input *const *all, unsigned n, struct err *err)
{
	bool done[INPUTS_MAX] = { false };
	unsigned left = n;
	int rc = 0;

	while (left && rc >= 0 && !signals_stop()) {
		for (unsigned i = 0; i < n && rc >= 0; i++) {
			if (done[i])
				continue;
			rc = read_header(all[i], err);
			if (rc > 0) {
				done[i] = true;
				left--;
			}
		}
		if (left && rc >= 0)
			rc = wait_any(all, n);
	}
	for (unsigned i = 0; i < n && rc >= 0; i++)
		rc = rewind_input(all[i], err);
	return rc < 0 ? rc : 0;
}

/* ------------------------------------------------------------------ learning */

struct inputs *inputs_new(const struct options *o, struct model_net *net, struct err *err)
{
	struct inputs *in = calloc(1, sizeof(*in));

	if (in)
		in->input = calloc(INPUTS_MAX, sizeof(struct input *));
	if (!in || !in->input) {
		inputs_free(in);
		err_sys(err, ENOMEM, "inputs");
		return NULL;
	}
	in->opt = o;
	in->net = net;
	in->all_own = true;
	return in;
}

void inputs_free(struct inputs *in)
{
	if (!in)
		return;
	for (unsigned i = 0; i < in->n_input; i++)
		input_free(in->input[i]);
	free(in->input);
	free(in);
}

int inputs_add(struct inputs *in, struct input *one, struct err *err)
{
	if (in->n_input == INPUTS_MAX)
		return err_usage(err, E2BIG, "more than %u files", INPUTS_MAX);
	in->input[in->n_input++] = one;
	return 0;
}

/* How much of a file's sample has been read. */
struct extent {
	uint64_t n;
	unsigned enough;	/* interfaces that have shown SAMPLE_LEAST frames */
	uint32_t shown[INTERFACES_SAMPLED];
};

/* One more frame, of that interface of the file. Is it one that the learner wants? */
static bool extent_add(struct extent *e, unsigned interface)
{
	const bool first = e->n++ < SAMPLE_FRAMES;

	if (interface >= INTERFACES_SAMPLED)
		return first;
	e->enough += ++e->shown[interface] == SAMPLE_LEAST;
	return first || e->shown[interface] <= SAMPLE_LEAST;
}

static bool extent_is_full(const struct extent *e, const struct input *one)
{
	unsigned interfaces = pcapng_reader_n_interfaces(one->reader);

	if (interfaces > INTERFACES_SAMPLED)
		interfaces = INTERFACES_SAMPLED;
	return e->n >= SAMPLE_FRAMES && (e->enough >= interfaces || e->n >= SAMPLE_MOST);
}

/*
 * Reads the sample of one input into the learner. Returns 1 when it is complete, 0 when a
 * pipe has to be waited for. What podhop itself described needs no sample beyond its header.
 */
static int sample(struct inputs *in, struct input *one, struct pipeline_learner *l,
		  struct err *err)
{
	struct extent extent = { .n = 0 };
	int rc;

	while (one->is_pipe ? one->n_kept < PIPE_SAMPLE_FRAMES : !extent_is_full(&extent, one)) {
		rc = read_frame(one);
		if (rc && one->is_pipe) {
			rc = keep_for_later(one, &one->head.frame, err);
			if (rc < 0)
				return rc;
			rc = 1;
		}
		int mapped = map_described(in, one, pcapng_reader_n_interfaces(one->reader), err);
		if (mapped < 0)
			return mapped;
		if (!rc)
			return one->over || !one->is_pipe || (one->n_hop && in->all_own);
		unsigned interface = one->head.frame.hop;
		rc = hop_of(in, one, interface, err);
		if (rc < 0)
			return rc;
		one->head.frame.hop = (uint16_t)rc;
		if (one->head.frame.time_ns > one->sample_ns)
			one->sample_ns = one->head.frame.time_ns;
		else if (one->sample_ns - one->head.frame.time_ns > in->disorder_ns)
			in->disorder_ns = one->sample_ns - one->head.frame.time_ns;
		if (in->all_own && (one->is_pipe || in->net->n_pods))
			return 1;
		if (!one->is_pipe && extent_add(&extent, interface))
			pipeline_learner_frame(l, &one->head.frame);
	}
	return 1;
}

/* Frames that were kept, into the learner (mac: second look). */
static int sample_kept(struct inputs *in, struct input *one, struct pipeline_learner *l, bool mac,
		       struct err *err)
{
	for (unsigned i = 0; i < one->n_kept; i++) {
		struct model_frame f = one->kept[i].frame;
		int hop = hop_of(in, one, f.hop, err);

		if (hop < 0)
			return hop;
		f.hop = (uint16_t)hop;
		if (mac)
			pipeline_learner_mac_frame(l, &f);
		else
			pipeline_learner_frame(l, &f);
	}
	return 0;
}

static int sample_macs(struct inputs *in, struct input *one, struct pipeline_learner *l,
		       struct err *err)
{
	if (one->is_pipe)
		return sample_kept(in, one, l, true, err);
	struct extent extent = { .n = 0 };

	while (in->all_own ? extent.n < OWN_SAMPLE_FRAMES : !extent_is_full(&extent, one)) {
		int rc = fetch(in, one, err);
		if (rc <= 0)
			return rc;
		one->has_head = false;
		if (extent_add(&extent, one->head.frame.hop))
			pipeline_learner_mac_frame(l, &one->head.frame);
	}
	return 0;
}

static int sample_all(struct inputs *const *nodes, struct pipeline_learner *const *l, unsigned n,
		      struct err *err)
{
	struct input *waiting[INPUTS_MAX];
	unsigned left;
	int rc = 0;

	do {
		left = 0;
		for (unsigned k = 0; k < n; k++)
			for (unsigned i = 0; i < nodes[k]->n_input && rc >= 0; i++) {
				struct input *one = nodes[k]->input[i];
				if (one->sampled)
					continue;
				rc = sample(nodes[k], one, l[k], err);
				if (rc > 0) {
					one->sampled = true;
					rc = sample_kept(nodes[k], one, l[k], false, err);
				} else if (rc == 0 && left < INPUTS_MAX) {
					waiting[left++] = one;
				}
			}
		if (left && rc >= 0)
			rc = wait_any(waiting, left);
	} while (left && rc >= 0 && !signals_stop());
	return rc;
}

static int check_hops(struct inputs *const *nodes, unsigned n, struct err *err)
{
	const struct options *o = nodes[0]->opt;

	for (unsigned i = 0; i < o->n_hops; i++) {
		bool used = false;

		for (unsigned k = 0; k < n; k++)
			used |= nodes[k]->hops_used[i];
		if (!used)
			return err_usage(err, ENOENT,
					 "--hops %s: no interface and no file of that name in "
					 "the input",
					 o->hops[i].text);
	}
	return 0;
}

int inputs_learn(struct inputs *const *nodes, unsigned n, struct err *err)
{
	struct pipeline_learner **l = calloc(n, sizeof(struct pipeline_learner *));
	int rc = 0;

	if (!l)
		return err_sys(err, ENOMEM, "learning roles");
	for (unsigned k = 0; k < n && rc >= 0; k++) {
		l[k] = pipeline_learner_new(nodes[k]->net, err);
		rc = l[k] ? 0 : -ENOMEM;
	}
	if (rc >= 0)
		rc = sample_all(nodes, l, n, err);
	if (rc >= 0)
		rc = check_hops(nodes, n, err);
	for (unsigned k = 0; k < n && rc >= 0; k++) {
		rc = pipeline_learner_decide(l[k], err);
		if (rc < 0 && n > 1)
			err_prefix(err, "%s", nodes[k]->net->node);
	}
	/* A damaged tail is reported once, when the file is read for good. */
	enum log_level level = log_get_level();
	log_set_level(LOG_LEVEL_ERROR);
	for (unsigned k = 0; k < n && rc >= 0; k++) {
		for (unsigned i = 0; i < nodes[k]->n_input && rc >= 0; i++) {
			rc = rewind_input(nodes[k]->input[i], err);
			if (rc >= 0)
				rc = sample_macs(nodes[k], nodes[k]->input[i], l[k], err);
		}
		if (rc >= 0)
			pipeline_learner_decide_macs(l[k]);
		for (unsigned i = 0; i < nodes[k]->n_input && rc >= 0; i++) {
			rc = rewind_input(nodes[k]->input[i], err);
			nodes[k]->input[i]->for_good = true;
		}
	}
	for (unsigned k = 0; k < n; k++) {
		nodes[k]->damaged = false;
		for (unsigned i = 0; i < nodes[k]->n_input; i++)
			nodes[k]->damaged |= nodes[k]->input[i]->error != 0;
		pipeline_learner_free(l[k]);
	}
	log_set_level(level);
	free(l);
	return rc < 0 ? rc : 0;
}

/* ------------------------------------------------------------------ running */

int inputs_fetch(struct inputs *in, struct err *err)
{
	bool open = false;

	in->next = NULL;
	for (unsigned i = 0; i < in->n_input; i++) {
		struct input *one = in->input[i];
		int rc = fetch(in, one, err);

		if (rc < 0)
			return rc;
		if (one->has_head && (!in->next || one->head.frame.time_ns <
							   in->next->head.frame.time_ns))
			in->next = one;
		open |= !one->over;
	}
	return in->next ? INPUTS_FRAME : open ? INPUTS_IDLE : INPUTS_OVER;
}

int64_t inputs_next_ns(const struct inputs *in)
{
	return in->next->head.frame.time_ns;
}

/*
 * When hop's capture began, as far as this input tells: where another input of the hop goes over
 * into it without a gap (the files of a ring do), that one's beginning counts.
 */
static int64_t hop_begin(const struct inputs *in, const struct input *one, int hop)
{
	int64_t begin = one->began_ns ? one->began_ns : one->first_ns;

	for (unsigned i = 0; i < in->n_input; i++) {
		const struct input *other = in->input[i];

		if (other == one || !other->began_ns || other->began_ns >= begin ||
		    other->ended_ns < begin)
			continue;
		for (unsigned k = 0; k < other->n_hop; k++)
			if (other->hop[k] == hop)
				return hop_begin(in, other, hop);
	}
	return begin;
}

/* What podhop wrote tells at its end when the capture began and ended. */
static void read_span(struct input *one)
{
	if (one->span_read || one->is_pipe || !pcapng_reader_section_comment(one->reader)[0])
		return;
	one->span_read = true;
	(void)pcapng_read_span(pcapng_reader_fd(one->reader), &one->began_ns, &one->ended_ns);
}

/* The earliest frame of its input so far: nothing before its start can be missed. */
static void note_start(struct inputs *in, struct input *one, int64_t time_ns)
{
	struct correlate *c = pipeline_correlator(in->pipeline);

	read_span(one);
	one->first_ns = time_ns;
	for (unsigned k = 0; k < one->n_hop; k++)
		if (one->hop[k] >= 0)
			correlate_hop_span(c, (unsigned)one->hop[k],
					   hop_begin(in, one, one->hop[k]), INT64_MAX);
}

static void note_drops(struct inputs *in, const struct input *one, const struct model_frame *f)
{
	unsigned hop = f->hop;
	int64_t from = in->hop_last_ns[hop] == INT64_MIN ? one->first_ns : in->hop_last_ns[hop];
	int64_t to = f->time_ns + DROPS_AROUND_NS;

	from -= DROPS_AROUND_NS;
	correlate_drops(pipeline_correlator(in->pipeline), hop, from, to, f->drops);
	if (in->on_drops)
		in->on_drops(in->arg, hop, from, to, f->drops);
	in->drops_spanned[hop] += f->drops;
}

static inline int take(struct inputs *in, struct input *one)
{
	const struct model_frame *f = &one->head.frame;

	if (f->time_ns > one->last_ns)
		one->last_ns = f->time_ns;
	if (f->time_ns < one->first_ns)
		note_start(in, one, f->time_ns);
	if (f->drops)
		note_drops(in, one, f);
	if (in->hop_first_ns[f->hop] == INT64_MAX)
		in->hop_first_ns[f->hop] = f->time_ns;
	in->hop_last_ns[f->hop] = f->time_ns;
	if (f->time_ns < one->seen[f->hop].from_ns)
		one->seen[f->hop].from_ns = f->time_ns;
	if (f->time_ns > one->seen[f->hop].to_ns)
		one->seen[f->hop].to_ns = f->time_ns;
	return pipeline_frame(in->pipeline, f);
}

int inputs_take(struct inputs *in)
{
	in->next->has_head = false;
	return take(in, in->next);
}

int inputs_run(struct inputs *in, unsigned most)
{
	struct input *one = in->input[0];
	int rc = 0;

	/* Where nothing has to be decided between two frames. */
	if (in->n_input != 1 || one->is_pipe || one->has_head || one->is_raw)
		return 0;
	for (; most && rc >= 0; most--) {
		int event = one->over ? PCAPNG_EVENT_END
				      : pcapng_reader_next(one->reader, &one->head, &one->bad);
		unsigned k = one->head.frame.hop;

		if (event == PCAPNG_EVENT_TIME && one->head.frame.time_ns > one->last_ns)
			one->last_ns = one->head.frame.time_ns;
		/* The end and errors are told again to who asks again: inputs_fetch(). */
		if (event != PCAPNG_EVENT_FRAME)
			return 0;

		one->frames++;
		if (one->head.n_interfaces != one->looked_at || k >= one->n_hop ||
		    one->hop[k] < 0) {
			one->is_raw = true; /* a new interface: also for inputs_fetch() */
			return 0;
		}
		one->head.frame.hop = (uint16_t)one->hop[k];
		rc = take(in, one);
	}
	return rc < 0 ? rc : 1;
}

int64_t inputs_time(const struct inputs *in)
{
	int64_t time = INT64_MAX;

	for (unsigned i = 0; i < in->n_input; i++) {
		const struct input *one = in->input[i];
		if ((!one->over || one->has_head) && one->last_ns < time)
			time = one->last_ns;
	}
	return time == INT64_MAX ? INT64_MIN : time;
}

void inputs_span(const struct inputs *in, bool end, int64_t *ret_first, int64_t *ret_last)
{
	int64_t first = in->all_own ? INT64_MAX : INT64_MIN, last = INT64_MIN, least = INT64_MAX;
	bool any = false;

	for (unsigned i = 0; i < in->net->n_hops; i++) {
		if (in->hop_first_ns[i] == INT64_MAX)
			continue;
		any = true;
		if (in->all_own ? in->hop_first_ns[i] < first : in->hop_first_ns[i] > first)
			first = in->hop_first_ns[i];
		if (in->hop_last_ns[i] > last)
			last = in->hop_last_ns[i];
		if (in->hop_last_ns[i] < least)
			least = in->hop_last_ns[i];
	}
	for (unsigned i = 0; i < in->n_input; i++) {
		const struct input *one = in->input[i];
		/* podhop's captures ran at all hops together, also where nothing came by. */
		if (in->all_own && one->began_ns && one->began_ns < first)
			first = one->began_ns;
		if (one->began_ns && one->ended_ns > last)
			last = one->ended_ns;
		if (one->last_ns > last)
			last = one->last_ns;
	}
	*ret_first = any ? first : INT64_MAX;
	*ret_last = end && !in->all_own && any ? least : last;
}

/*
 * When one input shows the hop. What podhop wrote was captured at all its hops together, also where
 * nothing came by; of another file's interface nobody knows more than its frames.
 */
static struct seen seen_at(const struct inputs *in, struct input *one, unsigned hop)
{
	if (!in->own[hop])
		return one->seen[hop];
	read_span(one);
	if (one->began_ns)
		return (struct seen){ one->began_ns, one->ended_ns };
	return (struct seen){ one->first_ns, one->last_ns };
}

bool inputs_coverage(struct inputs *in, unsigned hop, inputs_span_fn fn, void *arg)
{
	bool open = false;

	for (unsigned i = 0; i < in->n_input; i++) {
		struct input *one = in->input[i];

		for (unsigned k = 0; k < one->n_hop; k++) {
			if (one->hop[k] != (int)hop)
				continue;
			struct seen s = seen_at(in, one, hop);

			if (s.from_ns <= s.to_ns)
				fn(arg, hop, s.from_ns, s.to_ns);
			open |= !one->over || one->has_head;
			break;
		}
	}
	return open;
}

const char *inputs_file_of(const struct inputs *in, unsigned hop, int64_t time_ns)
{
	const char *path = NULL;

	for (unsigned i = 0; i < in->n_input; i++) {
		const struct input *one = in->input[i];
		for (unsigned k = 0; k < one->n_hop; k++) {
			if (one->hop[k] != (int)hop)
				continue;
			if (time_ns >= one->first_ns && time_ns <= one->last_ns)
				return one->path;
			path = path ? path : one->path;
		}
	}
	return path;
}

bool inputs_live(const struct inputs *in)
{
	for (unsigned i = 0; i < in->n_input; i++)
		if (in->input[i]->is_pipe)
			return true;
	return false;
}

int inputs_wait(struct inputs *const *nodes, unsigned n)
{
	struct input *open[INPUTS_MAX];
	unsigned k = 0;

	for (unsigned i = 0; i < n; i++)
		for (unsigned j = 0; j < nodes[i]->n_input; j++)
			if (!nodes[i]->input[j]->over && k < INPUTS_MAX)
				open[k++] = nodes[i]->input[j];
	return wait_any(open, k);
}

void inputs_totals(struct inputs *in)
{
	struct correlate *c = pipeline_correlator(in->pipeline);
	int64_t began[MODEL_HOPS_MAX], ended[MODEL_HOPS_MAX];

	for (unsigned i = 0; i < MODEL_HOPS_MAX; i++) {
		began[i] = INT64_MAX;
		ended[i] = INT64_MIN;
	}
	for (unsigned i = 0; i < in->n_input; i++) {
		struct input *one = in->input[i];
		for (unsigned k = 0; k < one->n_hop; k++) {
			const struct pcapng_interface *pi;
			int hop = one->hop[k];

			if (hop < 0 || k >= pcapng_reader_n_interfaces(one->reader))
				continue;
			pi = pcapng_reader_interface(one->reader, k);
			int64_t drop = pi->if_drop >= 0 ? pi->if_drop : pi->os_drop;
			/*
			 * podhop's if_drop has what the device refused too: that may be the loss
			 * that is looked for, and its taps saw those frames.
			 */
			if (in->own[hop] && pi->os_drop >= 0)
				drop = pi->os_drop;
			if (drop >= 0) {
				if (in->drops_total[hop] < 0)
					in->drops_total[hop] = 0;
				in->drops_total[hop] += drop;
			}
			int64_t first = one->began_ns ? one->began_ns : one->first_ns;
			int64_t last = one->began_ns ? one->ended_ns : one->last_ns;
			began[hop] = first < began[hop] ? first : began[hop];
			ended[hop] = last > ended[hop] ? last : ended[hop];
		}
	}
	for (unsigned i = 0; i < in->net->n_hops; i++) {
		if (ended[i] != INT64_MIN)
			correlate_hop_span(c, i, began[i], ended[i]);
		if (in->drops_total[i] < 0)
			correlate_drops_untold(c, i);
		if (in->drops_total[i] <= (int64_t)in->drops_spanned[i])
			continue;
		uint64_t rest = (uint64_t)in->drops_total[i] - in->drops_spanned[i];
		correlate_drops(c, i, INT64_MIN, INT64_MAX, rest);
		if (in->on_drops)
			in->on_drops(in->arg, i, INT64_MIN, INT64_MAX, rest);
	}
}

void inputs_findings(const struct inputs *in, struct doctor_findings *f)
{
	for (unsigned i = 0; i < in->n_input; i++)
		if (in->input[i]->reader)
			causes_take(f, in->input[i]->reader);
}

int inputs_fill(const struct inputs *in, struct result *r)
{
	r->inputs = calloc(in->n_input ? in->n_input : 1, sizeof(*r->inputs));
	if (!r->inputs)
		return -ENOMEM;
	for (unsigned i = 0; i < in->n_input; i++) {
		const struct input *one = in->input[i];
		struct result_input *ri = &r->inputs[r->n_inputs++];

		ri->file = strdup(one->path);
		ri->frames = one->frames;
		ri->truncated_at = one->error ? (int64_t)one->error_offset : -1;
		ri->reason = strdup(one->reason ? one->reason : "");
		if (!ri->file || !ri->reason)
			return -ENOMEM;
	}
	for (unsigned i = 0; i < r->capture.n_interfaces; i++) {
		r->capture.interfaces[i].dropped_kernel = in->drops_total[i];
		r->capture.interfaces[i].dropped_interface = -1;
	}
	return 0;
}

int inputs_rewind(struct inputs *in, struct err *err)
{
	for (unsigned i = 0; i < in->n_input; i++) {
		int rc = rewind_input(in->input[i], err);
		if (rc < 0)
			return rc;
	}
	for (unsigned i = 0; i < in->net->n_hops; i++) {
		in->hop_first_ns[i] = INT64_MAX;
		in->hop_last_ns[i] = INT64_MIN;
		in->drops_total[i] = -1;
		in->drops_spanned[i] = 0;
	}
	in->damaged = false;
	return 0;
}

int inputs_names(struct inputs *in,
		 void (*fn)(void *arg, const struct addr *a, const char *name), void *arg,
		 struct err *err)
{
	for (unsigned i = 0; i < in->n_input; i++) {
		struct input *one = in->input[i];

		/* A file was opened anew for the run; its names stand in front of its frames. */
		if (!one->is_pipe && fetch(in, one, err) < 0)
			return -EIO;
		pcapng_reader_names(one->reader, fn, arg);
	}
	return 0;
}
