/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * inputs.c - captures already taken, or still growing, as hops and frames of a node.
 *
 * Theory of operation
 *
 * Each interface of each input becomes a hop; interfaces of equal name are one hop
 * (ring files, the sections of one capture), unnamed ones are named after their file. What
 * podhop wrote says itself what each hop is, also of a hop that shows no frame (inputs_hops.c). For
 * other files a sample of the frames is read first and the roles are learned from it
 * (inputs_learn.c, src/pipeline/roles.c), then the files are read from the start; a pipe cannot
 * be read twice, so its first frames are kept. What nobody captured cannot be missed, and what a
 * capture dropped is not lost: inputs_cover.c tells the correlator when each hop was captured.
 *
 * Regular files are read to the end, merged by time. Pipes are followed: what has come is
 * taken, and time advances with the slowest of them, so that none blocks another.
 */
#include "cli.h"
#include "inputs.h"
#include "inputs_priv.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "podhop/log.h"

#define PIPE_BYTES (1 << 20)	/* asked of the kernel: what may wait while others are sampled */
#define POLL_MS 200

/* ---------------------------------------------------------------- one input */

struct input *input_open(const char *path, struct err *err)
{
	struct input *one = calloc(1, sizeof(*one));

	if (!one) {
		err_sys(err, ENOMEM, "%s", path);
		return NULL;
	}
	one->path = path;
	one->file = file_id_of(path);
	one->last_ns = INT64_MIN;
	one->first_ns = INT64_MAX;
	input_unsee(one);
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
	lanes_free(one->lanes);
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

int input_read_frame(struct input *one)
{
	while (!one->over) {
		int event = one->lanes ? lanes_next(one)
				       : pcapng_reader_next(one->reader, &one->head, &one->bad);

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
			/* A damaged file is named once, not with every look at it. */
			if (!one->named_bad &&
			    (one->for_good || one->is_pipe || event == -ENOMEM)) {
				log_error("input", "%s", one->bad.text);
				one->named_bad = true;
			}
		}
	}
	return 0;
}

int input_fetch(struct inputs *in, struct input *one, struct err *err)
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
		n = input_read_frame(one);
	}
	in->damaged |= one->error != 0 || one->no_memory;
	rc = input_map_described(in, one, err);
	if (rc < 0 || !n)
		return rc;
	rc = input_hop(in, one, one->head.frame.hop, err);
	if (rc < 0)
		return rc;
	one->head.frame.hop = (uint16_t)rc;
	one->has_head = true;
	return 1;
}

int input_keep(struct input *one, const struct model_frame *f, struct err *err)
{
	struct kept_frame *grown = realloc(one->kept, (one->n_kept + 1) * sizeof(*grown));

	if (!grown)
		return err_sys(err, ENOMEM, "%s", one->path);
	one->kept = grown;
	struct kept_frame *k = &grown[one->n_kept];
	k->frame = *f;
	k->data = malloc((size_t)f->caplen + 1);
	if (!k->data)
		return err_sys(err, ENOMEM, "%s", one->path);
	memcpy(k->data, f->data, f->caplen);
	k->frame.data = k->data;
	one->n_kept++;
	return 0;
}

int input_rewind(struct input *one, struct err *err)
{
	int rc;

	if (one->is_pipe)
		return 0;
	/* In lanes the reader stays at its end, where it knows all that the file says. */
	rc = one->lanes ? lanes_rewind(one->lanes, err) : pcapng_reader_rewind(one->reader, err);
	if (rc < 0)
		return rc;
	one->over = one->has_head = one->is_raw = false;
	one->frames = 0;
	one->looked_at = 0;
	one->last_ns = one->sample_ns = INT64_MIN;
	one->first_ns = INT64_MAX;
	input_unsee(one);
	one->error = 0;
	free(one->reason);
	one->reason = NULL;
	return 0;
}

int input_wait_any(struct input *const *all, unsigned n)
{
	struct pollfd fds[INPUTS_MAX];
	nfds_t k = 0;

	for (unsigned i = 0; i < n; i++)
		if (!all[i]->over && all[i]->is_pipe)
			fds[k++] = (struct pollfd){ .fd = pcapng_reader_fd(all[i]->reader),
						    .events = POLLIN };
	return poll(fds, k, POLL_MS) < 0 && errno != EINTR ? -errno : 0;
}

void inputs_kept(const struct inputs *in, struct kept *to)
{
	for (unsigned i = 0; i < in->n_input; i++)
		kept_add(to, in->input[i]->filter);
}

/* Kept: what the reader knows of its header goes when the file is read from its start again. */
int input_keep_filter(struct input *one, struct err *err)
{
	const char *comment = pcapng_reader_section_comment(one->reader);
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
	int n = input_read_frame(one);

	if (n && one->is_pipe) {
		int rc = input_keep(one, &one->head.frame, err);
		if (rc < 0)
			return rc;
	}
	if (!n && !one->over && !pcapng_reader_n_interfaces(one->reader))
		return 0;
	comment = pcapng_reader_section_comment(one->reader);
	if (input_keep_filter(one, err) < 0)
		return -ENOMEM;
	unsigned interfaces = pcapng_reader_n_interfaces(one->reader);
	if (!input_told(comment, "node", one->node, sizeof(one->node)))
		for (unsigned i = 0; i < interfaces && !one->node[0]; i++)
			input_told(pcapng_reader_interface(one->reader, i)->description,
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
			rc = input_wait_any(all, n);
	}
	for (unsigned i = 0; i < n && rc >= 0; i++)
		rc = input_rewind(all[i], err);
	return rc < 0 ? rc : 0;
}

/* -------------------------------------------------- the inputs of one node */

struct inputs *inputs_new(const struct options *o, struct model_net *net, struct err *err)
{
	struct inputs *in = calloc(1, sizeof(*in));

	if (!in) {
		err_sys(err, ENOMEM, "inputs");
		return NULL;
	}
	in->opt = o;
	in->net = net;
	in->all_own = true;
	inputs_add_port(net, MODEL_VXLAN_PORT);
	inputs_add_port(net, MODEL_VXLAN_PORT_IANA);
	return in;
}

void inputs_free(struct inputs *in)
{
	if (!in)
		return;
	for (unsigned i = 0; i < in->n_input; i++)
		input_free(in->input[i]);
	inputs_filters_free(in);
	free(in);
}

void inputs_add(struct inputs *in, struct input *one)
{
	bool twice = false;

	for (unsigned i = 0; i < in->n_input && !one->is_pipe; i++)
		twice |= file_id_is_same(&in->input[i]->file, &one->file);
	if (twice)
		log_warn("input", "%s is given twice: each of its frames counts twice", one->path);
	assert(in->n_input < INPUTS_MAX);
	in->input[in->n_input++] = one;
}

int inputs_fetch(struct inputs *in, struct err *err)
{
	bool open = false;

	in->next = NULL;
	for (unsigned i = 0; i < in->n_input; i++) {
		struct input *one = in->input[i];
		int rc = input_fetch(in, one, err);

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

static inline int take(struct inputs *in, struct input *one)
{
	struct model_frame *f = &one->head.frame;

	if (in->cuts && f->caplen > in->net->hops[f->hop].snaplen)
		f->caplen = in->net->hops[f->hop].snaplen;
	if (f->time_ns > one->last_ns)
		one->last_ns = f->time_ns;
	if (f->time_ns < one->first_ns)
		input_note_start(in, one, f->time_ns);
	if (f->drops)
		input_note_drops(in, one, f);
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
	if (in->n_input != 1 || one->is_pipe || one->has_head || one->is_raw || one->lanes)
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
			if (!nodes[i]->input[j]->over)
				open[k++] = nodes[i]->input[j];
	return input_wait_any(open, k);
}

int inputs_rewind(struct inputs *in, struct err *err)
{
	for (unsigned i = 0; i < in->n_input; i++) {
		int rc = input_rewind(in->input[i], err);
		if (rc < 0)
			return rc;
	}
	for (unsigned i = 0; i < in->net->n_hops; i++) {
		in->hop_first_ns[i] = INT64_MAX;
		in->hop_last_ns[i] = INT64_MIN;
		in->drops_total[i] = -1;
		in->drops_told[i] = 0;
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
		if (!one->is_pipe && input_fetch(in, one, err) < 0)
			return -EIO;
		pcapng_reader_names(one->reader, fn, arg);
	}
	return 0;
}
