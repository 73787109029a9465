/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * inputs_learn.c - a sample of each input, from which roles, pods and MAC addresses are learned.
 *
 * Theory of operation. Each input is read from its start, until every interface has shown enough
 * or the sample is long. Roles and pods are decided from that; with them known, a second and
 * shorter look tells the devices' MAC addresses. Then files are rewound; what pipes showed was
 * kept.
 */
#include "cli.h"
#include "inputs.h"
#include "inputs_priv.h"

#include <errno.h>
#include <stdlib.h>

#include "podhop/log.h"

#define SAMPLE_FRAMES 20000u	/* enough for every flow's hops; 10 ms of reading */
/* dumpcap writes a ring's block at a time: thousands of frames of one hop before the next. */
#define SAMPLE_LEAST 500u	/* of each interface ... */
#define SAMPLE_MOST 200000u	/* ... that has as many in so many frames; 4 ms */
#define MAC_SAMPLE_FRAMES 4000u	/* for the devices' MAC addresses: they are few */
#define OWN_SAMPLE_FRAMES 2000u	/* the same, of files whose roles and pods are known */
#define PIPE_SAMPLE_FRAMES 2000u
#define INTERFACES_SAMPLED 64u	/* of one input that are waited for */

/* How much of a file's sample has been read. */
struct extent {
	uint64_t n;
	uint64_t wanted;	/* frames, whatever their interfaces */
	unsigned enough;	/* interfaces that have shown SAMPLE_LEAST frames */
	uint32_t shown[INTERFACES_SAMPLED];
};

/* One more frame, of that interface of the file. Is it one that the learner wants? */
static bool extent_add(struct extent *e, unsigned interface)
{
	const bool first = e->n++ < e->wanted;

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
	return e->n >= e->wanted && (e->enough >= interfaces || e->n >= SAMPLE_MOST);
}

/* Has an interface that the file describes shown nothing? */
static bool extent_lacks(const struct extent *e, const struct input *one)
{
	unsigned interfaces = pcapng_reader_n_interfaces(one->reader);

	for (unsigned i = 0; i < interfaces && i < INTERFACES_SAMPLED; i++)
		if (!e->shown[i])
			return true;
	return false;
}

/* How far behind a newer one the input's frame comes. */
static void note_order(struct inputs *in, struct input *one)
{
	const int64_t time_ns = one->head.frame.time_ns;
	const uint64_t behind = (uint64_t)one->sample_ns - (uint64_t)time_ns;

	if (time_ns > one->sample_ns)
		one->sample_ns = time_ns;
	else if (behind > (uint64_t)in->disorder_ns)
		in->disorder_ns = behind > INT64_MAX ? INT64_MAX : (int64_t)behind;
}

/*
 * Reads the sample of one input into the learner. Returns 1 when it is complete, 0 when a
 * pipe has to be waited for. What podhop itself described needs no sample beyond its header.
 */
static int sample(struct inputs *in, struct input *one, struct pipeline_learner *l,
		  struct err *err)
{
	struct extent extent = { .wanted = SAMPLE_FRAMES };
	int rc;

	while (one->is_pipe ? one->n_kept < PIPE_SAMPLE_FRAMES : !extent_is_full(&extent, one)) {
		rc = input_read_frame(one);
		if (rc && one->is_pipe) {
			rc = input_keep(one, &one->head.frame, err);
			if (rc < 0)
				return rc;
			rc = 1;
		}
		int mapped = input_map_described(in, one, err);
		if (mapped < 0)
			return mapped;
		if (!rc)
			return one->over || !one->is_pipe || (one->n_hop && in->all_own);
		one->times_drops |= one->head.frame.drops != 0;
		unsigned interface = one->head.frame.hop;
		rc = input_hop(in, one, interface, err);
		if (rc < 0)
			return rc;
		one->head.frame.hop = (uint16_t)rc;
		note_order(in, one);
		if (in->all_own && (one->is_pipe || in->net->n_pods))
			return 1;
		if (!one->is_pipe && extent_add(&extent, interface))
			pipeline_learner_frame(l, &one->head.frame);
	}
	one->sample_lacks = !one->is_pipe && extent_lacks(&extent, one);
	return 1;
}

/* Frames that were kept, into the learner (mac: second look). */
static int sample_kept(struct inputs *in, struct input *one, struct pipeline_learner *l, bool mac,
		       struct err *err)
{
	for (unsigned i = 0; i < one->n_kept; i++) {
		struct model_frame f = one->kept[i].frame;
		int hop = input_hop(in, one, f.hop, err);

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
	struct extent extent = { .wanted = MAC_SAMPLE_FRAMES };

	while (in->all_own ? extent.n < OWN_SAMPLE_FRAMES : !extent_is_full(&extent, one)) {
		int rc = input_fetch(in, one, err);
		if (rc <= 0)
			return rc;
		one->has_head = false;
		note_order(in, one); /* of podhop's own more is read here than before */
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
				} else if (rc == 0) {
					waiting[left++] = one;
				}
			}
		if (left && rc >= 0)
			rc = input_wait_any(waiting, left);
	} while (left && rc >= 0 && !signals_stop());
	return rc;
}

static bool lacks_interfaces(const struct inputs *in)
{
	struct pcapng_tail tail;

	for (unsigned i = 0; i < in->n_input; i++)
		if (in->input[i]->sample_lacks &&
		    pcapng_read_tail(pcapng_reader_fd(in->input[i]->reader), &tail) < 0)
			return true;
	return false;
}

/*
 * In a file that was put together hop by hop (`mergecap -a`) the sample may end in front of the
 * first frames of some interfaces; read in order of time it shows all of them. Who captures writes
 * statistics at the end; such a file has none. 1: the node's sample has to be read again.
 */
static int order_sample(struct inputs *in, struct err *err)
{
	int64_t behind_ns;
	bool any = false;

	if (inputs_live(in) || !lacks_interfaces(in))
		return 0;
	int rc = inputs_scan(in, SESSION_SORT_NS, &behind_ns, err);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < in->n_input; i++)
		any |= in->input[i]->lanes != NULL;
	for (unsigned i = 0; i < in->n_input && any; i++)
		in->input[i]->sampled = false;
	return any;
}

/* What is learned of each node, from samples of its inputs. l: owned, each NULL or a learner. */
static int learn(struct inputs *const *nodes, struct pipeline_learner **l, unsigned n,
		 struct err *err)
{
	int rc = 0;

	for (unsigned k = 0; k < n; k++) {
		l[k] = pipeline_learner_new(nodes[k]->net, err);
		if (!l[k])
			return -ENOMEM;
	}
	rc = sample_all(nodes, l, n, err);
	if (rc < 0)
		return rc;
	for (unsigned k = 0; k < n; k++) {
		rc = order_sample(nodes[k], err);
		if (rc < 0)
			return rc;
		if (!rc)
			continue;
		pipeline_learner_free(l[k]);
		l[k] = pipeline_learner_new(nodes[k]->net, err);
		if (!l[k])
			return -ENOMEM;
	}
	return sample_all(nodes, l, n, err);
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

/* -s, as a capture with it would have cut the frames. */
static void limit_hops(struct inputs *in)
{
	for (unsigned i = 0; i < in->net->n_hops; i++) {
		struct model_hop *h = &in->net->hops[i];
		uint32_t snaplen = hops_snaplen(in->opt, h->role);

		if (!h->snaplen || snaplen < h->snaplen) {
			h->snaplen = snaplen;
			in->cuts |= snaplen < PCAPNG_SNAPLEN_MAX;
		}
	}
}

int inputs_learn(struct inputs *const *nodes, unsigned n, struct err *err)
{
	struct pipeline_learner **l = calloc(n, sizeof(struct pipeline_learner *));
	int rc;

	if (!l)
		return err_sys(err, ENOMEM, "learning roles");
	rc = learn(nodes, l, n, err);
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
			struct input *one = nodes[k]->input[i];

			one->by_podhop = pcapng_reader_section_comment(one->reader)[0] != '\0';
			input_read_tail(one);
			rc = input_keep_filter(one, err);
			if (rc >= 0)
				rc = input_rewind(one, err);
			if (rc >= 0)
				rc = sample_macs(nodes[k], one, l[k], err);
		}
		if (rc >= 0)
			pipeline_learner_decide_macs(l[k]);
		for (unsigned i = 0; i < nodes[k]->n_input && rc >= 0; i++) {
			rc = input_rewind(nodes[k]->input[i], err);
			nodes[k]->input[i]->for_good = true;
		}
	}
	for (unsigned k = 0; k < n; k++) {
		limit_hops(nodes[k]);
		nodes[k]->damaged = false;
		for (unsigned i = 0; i < nodes[k]->n_input; i++)
			nodes[k]->damaged |= nodes[k]->input[i]->error != 0;
		pipeline_learner_free(l[k]);
	}
	log_set_level(level);
	free(l);
	return rc < 0 ? rc : 0;
}
