/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * inputs_order.c - the order of frames in files, and files whose interfaces lag behind each other.
 *
 * Theory of operation
 *
 * Who captures at several interfaces drains one ring after the other. As a rule that is a matter
 * of milliseconds, which the pipeline sorts. But a dumpcap that was stopped, or that waited for
 * its disk, writes seconds of one interface in front of those of the next, and `mergecap -a`
 * whole captures: more than any bounded queue holds. Within one interface order is kept all the
 * same. So such a file is read in lanes, one an interface, each with a reader of its own that
 * passes over the other interfaces' frames; the oldest of the lanes' next frames comes next.
 *
 *   file     v1 v2 v5 v6 b1 b2 b5 b6 v7 b7      (at veth and bridge; their times)
 *   lane v         ▲ v5 ─┐
 *   lane b               ├─▶ v1 b1 v2 b2 v5 ...
 *                     ▲ ─┘ b5
 *
 * Which files are such ones, and how far the frames of the others have to be sorted, is learned
 * beforehand from the stamps of all frames (inputs_scan()).
 *
 * A stamp far behind one of its own interface is a clock that was set back. Times before and
 * behind that are not compared: each lane counts the steps that it has crossed, and waits for
 * the others in front of each. A lane that shows fewer than others was silent around one; nobody
 * knows on which side of it its frames belong, and the file is read as it is.
 */
#include "cli.h"
#include "inputs.h"
#include "inputs_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "podhop/figure.h"

#define STEP_NS 1000000000LL	/* an interface's stamp so far back: the clock was set back */
#define STEPS_MAX 64u		/* of one file; with more of them it is read as it is */
#define LANES_BYTES (1u << 20)	/* in memory for all lanes of a file: as for a file without */
#define NO_LANE UINT8_MAX
#define LOOK_FRAMES 65536u	/* of a scan, between two looks at signals: some milliseconds */

/* Stamps of one interface, in the order of the file. */
struct track {
	int64_t newest_ns;	/* behind the last step */
	unsigned steps;		/* crossed so far */
};

struct lane {
	struct track track;
	uint64_t frames;	/* in the file */
	uint64_t left;		/* of these, not read yet */
	struct pcapng_reader *reader;
	struct pcapng_frame head;	/* the next one, when it is there */
	bool has_head;
};

struct lanes {
	struct lane lane[MODEL_HOPS_MAX];
	unsigned n;
	uint8_t of[PCAPNG_INTERFACES_MAX];	/* the lane of an interface; NO_LANE: no frame */
	int64_t newest_ns[STEPS_MAX + 1];	/* of all lanes that have crossed so many steps */
	int64_t behind_ns;	/* how far a frame comes behind the newest of the file, at most */
	int64_t behind_own_ns;	/* ... of its own interface */
	bool is_unclear;
	int64_t time_ns;	/* of the newest statistics; INT64_MIN: none */
};

static struct lanes *lanes_new(void)
{
	struct lanes *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	memset(l->of, NO_LANE, sizeof(l->of));
	for (unsigned i = 0; i < MODEL_HOPS_MAX; i++)
		l->lane[i].track.newest_ns = MODEL_TIME_MIN_NS;
	for (unsigned i = 0; i <= STEPS_MAX; i++)
		l->newest_ns[i] = MODEL_TIME_MIN_NS;
	l->time_ns = INT64_MIN;
	return l;
}

void lanes_free(struct lanes *l)
{
	if (!l)
		return;
	for (unsigned i = 0; i < l->n; i++)
		pcapng_reader_free(l->lane[i].reader);
	free(l);
}

/* Returns how far the next stamp is behind the newest, unless the clock was set back there. */
static int64_t track_add(struct track *t, int64_t time_ns)
{
	const int64_t behind = t->newest_ns - time_ns;

	if (behind > STEP_NS)
		t->steps++;
	else if (behind > 0)
		return behind;
	t->newest_ns = time_ns;
	return 0;
}

/* ------------------------------------------------------------------------- the scan */

/* Its first frame: interfaces of equal name are one hop (input_hop_new()), and one lane. */
static uint8_t lane_new(struct lanes *l, const struct pcapng_reader *r, unsigned interface)
{
	const struct pcapng_interface *pi = pcapng_reader_interface(r, interface);

	for (unsigned i = 0; pi->name[0] && i < interface; i++) {
		const struct pcapng_interface *other = pcapng_reader_interface(r, i);

		if (l->of[i] != NO_LANE && other->linktype == pi->linktype &&
		    strcmp(other->name, pi->name) == 0)
			return l->of[interface] = l->of[i];
	}
	if (l->n == MODEL_HOPS_MAX) {
		l->is_unclear = true; /* its hops are too many, too: said when it is read */
		return 0;
	}
	return l->of[interface] = (uint8_t)l->n++;
}

static void scan_frame(struct lanes *l, const struct pcapng_reader *r,
		       const struct pcapng_frame *f)
{
	const unsigned interface = f->frame.hop;
	uint8_t k = l->of[interface];
	const int64_t time_ns = f->frame.time_ns;

	if (k == NO_LANE)
		k = lane_new(l, r, interface);

	struct lane *a = &l->lane[k];
	const int64_t behind_own = track_add(&a->track, time_ns);

	a->frames++;
	if (behind_own > l->behind_own_ns)
		l->behind_own_ns = behind_own;
	if (a->track.steps > STEPS_MAX) {
		l->is_unclear = true;
		return;
	}

	int64_t *newest = &l->newest_ns[a->track.steps];

	if (time_ns > *newest)
		*newest = time_ns;
	else if (*newest - time_ns > l->behind_ns)
		l->behind_ns = *newest - time_ns;
}

/* Nothing else is seen of a run as long as this takes. n: frames of the file at hand. */
static void show_progress(uint64_t n)
{
	char text[FIGURE_MAX], line[128];

	if (signals_take_status()) {
		snprintf(line, sizeof(line), "podhop: %" PRIu64 " frames looked at, for their "
			 "order\n", n);
		progress_message(line);
	} else if (progress_is_due()) {
		progress_line("podhop: %s frames looked at, for their order",
			      figure_count(n, text));
	}
}

/* All frames that can be read. What is wrong with the file is told when it is read for good. */
static int scan(struct input *one, struct lanes *l, struct err *err)
{
	struct pcapng_frame f;
	uint64_t events = 0;
	int event, rc = pcapng_reader_rewind(one->reader, err);

	if (rc < 0)
		return rc;
	while ((event = pcapng_reader_next(one->reader, &f, NULL)) > 0 && !l->is_unclear) {
		if (event == PCAPNG_EVENT_FRAME)
			scan_frame(l, one->reader, &f);
		else if (event == PCAPNG_EVENT_TIME && f.frame.time_ns > l->time_ns)
			l->time_ns = f.frame.time_ns;
		if (++events % LOOK_FRAMES)
			continue;
		show_progress(events);
		l->is_unclear |= signals_stop();
	}
	for (unsigned i = 1; i < l->n; i++)
		l->is_unclear |= l->lane[i].track.steps != l->lane[0].track.steps;
	return 0;
}

/* Both readers and the memory they take are bounded: a file has no more lanes than a node hops. */
static int open_lanes(struct input *one, struct lanes *l, struct err *err)
{
	for (unsigned i = 0; i < l->n; i++) {
		l->lane[i].reader = pcapng_reader_again(one->reader, LANES_BYTES / l->n, err);
		if (!l->lane[i].reader)
			return -EIO;
	}
	one->lanes = l;
	return 0;
}

/* Of one file; *ret_ns: how far frames have to be sorted. */
static int scan_one(struct input *one, int64_t most_ns, int64_t *ret_ns, struct err *err)
{
	struct lanes *l = lanes_new();
	int rc;

	if (!l)
		return err_sys(err, ENOMEM, "%s", one->path);
	rc = scan(one, l, err);
	if (rc < 0) {
		lanes_free(l);
		return rc;
	}
	*ret_ns = l->is_unclear ? INT64_MAX : l->behind_ns;
	if (!l->is_unclear && l->behind_ns > most_ns && l->behind_ns > l->behind_own_ns) {
		*ret_ns = l->behind_own_ns;
		rc = open_lanes(one, l, err);
	}
	if (!one->lanes)
		lanes_free(l);
	return rc;
}

int inputs_scan(struct inputs *in, int64_t most_ns, int64_t *ret_ns, struct err *err)
{
	*ret_ns = 0;
	for (unsigned i = 0; i < in->n_input && !signals_stop(); i++) {
		struct input *one = in->input[i];
		int64_t behind_ns = 0;

		if (one->is_pipe || one->lanes)
			continue;
		int rc = scan_one(one, most_ns, &behind_ns, err);
		if (rc < 0)
			return rc;
		if (behind_ns > *ret_ns)
			*ret_ns = behind_ns;
	}
	return inputs_rewind(in, err);
}

/* ------------------------------------------------------------------------ the lanes */

int lanes_rewind(struct lanes *l, struct err *err)
{
	for (unsigned i = 0; i < l->n; i++) {
		struct lane *a = &l->lane[i];
		int rc = pcapng_reader_rewind(a->reader, err);

		if (rc < 0)
			return rc;
		a->track = (struct track){ .newest_ns = MODEL_TIME_MIN_NS };
		a->left = a->frames;
		a->has_head = false;
	}
	return 0;
}

/* The lane's next frame into its head, as pcapng_reader_next() says. */
static int lane_fetch(const struct lanes *l, struct lane *a, const char *path, struct err *bad)
{
	const ptrdiff_t k = a - l->lane;

	for (;;) {
		int event = pcapng_reader_next(a->reader, &a->head, bad);

		if (event == PCAPNG_EVENT_END)
			return err_set(bad, -ENODATA, "%s: became shorter while it was read",
				       path);
		if (event < 0 || event == PCAPNG_EVENT_IDLE)
			return event;
		if (event != PCAPNG_EVENT_FRAME || l->of[a->head.frame.hop] != k)
			continue;
		track_add(&a->track, a->head.frame.time_ns);
		a->has_head = true;
		a->left--;
		return event;
	}
}

static bool is_before(const struct lane *a, const struct lane *b)
{
	if (a->track.steps != b->track.steps)
		return a->track.steps < b->track.steps;
	return a->head.frame.time_ns < b->head.frame.time_ns;
}

int lanes_next(struct input *one)
{
	struct lanes *l = one->lanes;
	struct lane *next = NULL;

	for (unsigned i = 0; i < l->n; i++) {
		struct lane *a = &l->lane[i];

		if (!a->has_head && a->left) {
			int event = lane_fetch(l, a, one->path, &one->bad);
			if (event != PCAPNG_EVENT_FRAME)
				return event;
		}
		if (a->has_head && (!next || is_before(a, next)))
			next = a;
	}
	if (!next) {
		if (l->time_ns > one->last_ns)
			one->last_ns = l->time_ns;
		/* The scan left it at its end: it tells how that was. */
		return pcapng_reader_next(one->reader, &one->head, &one->bad);
	}
	one->head = next->head;
	next->has_head = false;
	return PCAPNG_EVENT_FRAME;
}
