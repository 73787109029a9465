/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clock.c - offset and drift between two nodes' clocks, from their traffic.
 *
 * Theory of operation
 *
 * No packet arrives before it was sent. One that went from the reference to the node
 * shows delta = node_ns - ref_ns = offset + delay: an upper bound of the offset; one
 * that came back shows offset - delay: a lower bound. With a drift the offset is a line
 * over time, and the true line runs below all forward points and above all backward ones:
 *
 *     delta  .   .  . .   .  forward: offset + delay
 *              .____._______   lower convex hull of the forward points
 *            - - - - - - - -   the line in the middle: our estimate
 *              __.______.___   upper convex hull of the backward points
 *            .  .    .  .      backward: offset - delay
 *
 * Queueing and loss only move points away from the line or leave some out; neither can
 * bring a point to the wrong side. So the two hulls enclose the truth. Where they are
 * nearest to each other, at time t0, the middle between them is the offset, half
 * their distance its uncertainty: no guess, a bound. That distance equals the widest
 * gap that any two parallel lines can keep between the hulls (duality), which is
 * the smallest round trip, plus the drift's error times the time between the two
 * packets that make up that round trip. The slope of these lines is the drift.
 *
 * Where packets went one way first and only then the other, the hulls lie side by side
 * and enclose no line: then the range is that of all lines between them with a slope that clocks
 * have, where it is least.
 *
 * Points are kept as the best of each stretch of time; when the stretches are used
 * up, they become twice as long. Leaving a point out loosens the bound, never breaks it.
 */
#include "podhop/verify.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096u
#define BUCKET_NS 1000000LL /* at first: 4 s in all */
#define STAMP_NS 1000 /* pcap's usual resolution; stamps are cut off, not rounded */
#define DRIFT_MAX 1e-3 /* quartz is within 100 ppm, NTP slews by 500 */
#define DRIFT_USUAL 1e-4 /* assumed where the traffic does not tell */
#define FIT_STEPS 50 /* of finer searches: 2e-3 x (2/3)^50 is a few ppt */
#define DRIFT_STEPS 120 /* of the search: 2e-3 x (2/3)^120 is far below a ppt */

struct point {
	int64_t x, y; /* reference's time less base_x; delta less base_y */
	bool used;
};

struct side {
	struct point best[BUCKETS];
	uint64_t n;
	int64_t extreme; /* least (forward) or largest (backward) delta */
};

struct verify_clock {
	struct side forward, backward;
	struct point hull[2][BUCKETS];
	unsigned n_hull[2];
	int64_t base_x, base_y;
	int64_t width;
	double drift; /* as estimated last: what "best" means within a long stretch */
	bool begun;
};

struct verify_clock *verify_clock_new(struct err *err)
{
	struct verify_clock *c = calloc(1, sizeof(*c));

	if (!c) {
		err_sys(err, ENOMEM, "clock");
		return NULL;
	}
	c->width = BUCKET_NS;
	return c;
}

void verify_clock_clear(struct verify_clock *c)
{
	*c = (struct verify_clock){ .width = BUCKET_NS };
}

void verify_clock_free(struct verify_clock *c)
{
	free(c);
}

/* Lower is better for forward points, higher for backward ones. */
static bool is_better(const struct verify_clock *c, const struct point *a, const struct point *b,
		      bool forward)
{
	double ya = (double)a->y - c->drift * (double)a->x;
	double yb = (double)b->y - c->drift * (double)b->x;

	return forward ? ya < yb : ya > yb;
}

static void halve(struct verify_clock *c, struct side *s, bool forward)
{
	for (unsigned i = 0; i < BUCKETS; i++) {
		struct point *to = &s->best[i], p = { 0 };

		for (unsigned k = 2 * i; k < 2 * i + 2 && k < BUCKETS; k++)
			if (s->best[k].used && (!p.used || is_better(c, &s->best[k], &p, forward)))
				p = s->best[k];
		*to = p;
	}
}

static void add(struct verify_clock *c, int64_t ref_ns, int64_t node_ns, bool forward)
{
	struct side *s = forward ? &c->forward : &c->backward;
	int64_t delta = node_ns - ref_ns;

	if (!c->begun) {
		/* Packets close out of order: room for some that are older. */
		c->base_x = ref_ns - 16 * BUCKET_NS;
		c->base_y = delta;
		c->begun = true;
	}
	struct point p = { .x = ref_ns - c->base_x, .y = delta - c->base_y, .used = true };

	while (p.x / c->width >= (int64_t)BUCKETS) {
		struct verify_clock_line l;

		verify_clock_line(c, &l);
		if (l.known)
			c->drift = l.drift;
		c->width *= 2;
		halve(c, &c->forward, true);
		halve(c, &c->backward, false);
	}
	struct point *b = &s->best[p.x < 0 ? 0 : p.x / c->width];
	if (!b->used || is_better(c, &p, b, forward))
		*b = p;
	if (!s->n || (forward ? delta < s->extreme : delta > s->extreme))
		s->extreme = delta;
	s->n++;
}

void verify_clock_forward(struct verify_clock *c, int64_t ref_ns, int64_t node_ns)
{
	add(c, ref_ns, node_ns, true);
}

void verify_clock_backward(struct verify_clock *c, int64_t ref_ns, int64_t node_ns)
{
	add(c, ref_ns, node_ns, false);
}

/* ------------------------------------------------------------------- hulls */

static int by_x(const void *a, const void *b)
{
	const struct point *p = a, *q = b;

	return (p->x > q->x) - (p->x < q->x);
}

/* Lower (forward) or upper (backward) convex hull: Andrew's monotone chain. */
static void make_hull(struct verify_clock *c, bool forward)
{
	const struct side *s = forward ? &c->forward : &c->backward;
	struct point *h = c->hull[forward];
	unsigned n = 0, top = 0;

	for (unsigned i = 0; i < BUCKETS; i++)
		if (s->best[i].used)
			h[n++] = s->best[i];
	qsort(h, n, sizeof(*h), by_x);
	for (unsigned i = 0; i < n; i++) {
		struct point p = h[i];

		while (top >= 1) {
			const struct point *a = &h[top - 1];
			if (a->x == p.x) {
				if (forward ? a->y <= p.y : a->y >= p.y)
					goto skip;
				top--;
				continue;
			}
			if (top < 2)
				break;
			const struct point *b = &h[top - 2];
			long double cross = (long double)(a->x - b->x) * (long double)(p.y - b->y) -
					    (long double)(a->y - b->y) * (long double)(p.x - b->x);
			if (forward ? cross > 0 : cross < 0)
				break;
			top--;
		}
		h[top++] = p;
	skip:;
	}
	c->n_hull[forward] = top;
}

/* The hull's height at x, which lies in its range. */
static double height(const struct point *h, unsigned n, double x)
{
	unsigned lo = 0, hi = n - 1;

	while (hi - lo > 1) {
		unsigned mid = (lo + hi) / 2;
		if ((double)h[mid].x <= x)
			lo = mid;
		else
			hi = mid;
	}
	if (lo == hi || h[lo].x == h[hi].x)
		return (double)h[lo].y;
	return (double)h[lo].y +
	       (double)(h[hi].y - h[lo].y) * (x - (double)h[lo].x) / (double)(h[hi].x - h[lo].x);
}

/* The widest strip of slope d between the hulls. */
static double strip(const struct verify_clock *c, double d, double *ret_middle)
{
	double f = INFINITY, b = -INFINITY;

	for (unsigned i = 0; i < c->n_hull[1]; i++)
		f = fmin(f, (double)c->hull[1][i].y - d * (double)c->hull[1][i].x);
	for (unsigned i = 0; i < c->n_hull[0]; i++)
		b = fmax(b, (double)c->hull[0][i].y - d * (double)c->hull[0][i].x);
	*ret_middle = (f + b) / 2;
	return f - b;
}

/* strip() is concave in d: the slope, up to `most` either way, with the widest one. */
static double best_drift(const struct verify_clock *c, double most)
{
	double lo = -most, hi = most, unused;

	for (unsigned i = 0; i < DRIFT_STEPS; i++) {
		double a = lo + (hi - lo) / 3, b = hi - (hi - lo) / 3;
		double ga = strip(c, a, &unused), gb = strip(c, b, &unused);

		if (ga < gb)
			lo = a;
		else if (ga > gb)
			hi = b;
		else {
			lo = a;
			hi = b;
		}
	}
	return (lo + hi) / 2;
}

/* A range of slopes, and what offsets they leave. */
struct range {
	double lo, hi;
};

/* Where between a slope that fits and one that need not the last one is that fits. */
static double last_fitting(const struct verify_clock *c, double fits, double end)
{
	double unused;

	if (strip(c, end, &unused) >= 0)
		return end;
	for (unsigned i = 0; i < FIT_STEPS; i++) {
		double mid = (fits + end) / 2;

		if (strip(c, mid, &unused) >= 0)
			fits = mid;
		else
			end = mid;
	}
	return fits;
}

/* The slopes that a line between the hulls may have; those of usual clocks if there are any. */
static bool fitting_drifts(const struct verify_clock *c, struct range *ret)
{
	static const double most[] = { DRIFT_USUAL, DRIFT_MAX };
	double unused;

	for (unsigned i = 0; i < sizeof(most) / sizeof(most[0]); i++) {
		double best = best_drift(c, most[i]);

		if (strip(c, best, &unused) < 0)
			continue;
		ret->lo = last_fitting(c, best, -most[i]);
		ret->hi = last_fitting(c, best, most[i]);
		return true;
	}
	return false;
}

/*
 * The offsets at x that lines of these slopes between the hulls have. With a slope d the highest
 * line goes through the forward hull, min(y - d x') + d x, which is concave in d; so is
 * the lowest's negative.
 */
static struct range offsets_at(const struct verify_clock *c, const struct range *drifts, double x)
{
	struct range ret = { 0 };

	for (unsigned k = 0; k < 2; k++) {
		const struct point *h = c->hull[k];
		double sign = k ? 1 : -1, lo = drifts->lo, hi = drifts->hi, best = 0;

		for (unsigned i = 0; i < FIT_STEPS; i++) {
			double d[2] = { lo + (hi - lo) / 3, hi - (hi - lo) / 3 }, v[2];

			for (unsigned j = 0; j < 2; j++) {
				v[j] = INFINITY;
				for (unsigned n = 0; n < c->n_hull[k]; n++)
					v[j] = fmin(v[j], sign * ((double)h[n].y -
								  d[j] * ((double)h[n].x - x)));
			}
			if (v[0] < v[1])
				lo = d[0];
			else
				hi = d[1];
			best = fmax(v[0], v[1]);
		}
		*(k ? &ret.hi : &ret.lo) = sign * best;
	}
	return ret;
}

/* One way first, then the other: where the offset is known best between them. */
static double nearest_apart(const struct verify_clock *c, const struct range *drifts, double from,
			    double to, struct range *ret)
{
	/* The range is convex in x. */
	for (unsigned i = 0; i < FIT_STEPS; i++) {
		double a = from + (to - from) / 3, b = to - (to - from) / 3;
		struct range ra = offsets_at(c, drifts, a), rb = offsets_at(c, drifts, b);

		if (ra.hi - ra.lo < rb.hi - rb.lo)
			to = b;
		else
			from = a;
	}
	*ret = offsets_at(c, drifts, (from + to) / 2);
	return (from + to) / 2;
}

static double nearest(const struct verify_clock *c, double from, double to, double *ret_gap)
{
	const struct point *f = c->hull[1], *b = c->hull[0];
	double at = from, gap = INFINITY;

	/* The distance of two piecewise linear curves is least at one of their corners. */
	for (unsigned i = 0; i < c->n_hull[0] + c->n_hull[1] + 2; i++) {
		unsigned k = i - 2;
		double x = i == 0	      ? from
			   : i == 1	      ? to
			   : k < c->n_hull[0] ? (double)b[k].x
					      : (double)f[k - c->n_hull[0]].x;

		if (x < from || x > to)
			continue;
		double g = height(f, c->n_hull[1], x) - height(b, c->n_hull[0], x);
		if (g < gap) {
			gap = g;
			at = x;
		}
	}
	*ret_gap = gap;
	return at;
}

void verify_clock_line(struct verify_clock *c, struct verify_clock_line *l)
{
	memset(l, 0, sizeof(*l));
	l->uncertainty_ns = -1;
	if (!c->forward.n && !c->backward.n)
		return;
	l->rough = true;
	l->at_ns = c->base_x;
	if (!c->forward.n || !c->backward.n) {
		l->offset_ns = c->forward.n ? c->forward.extreme : c->backward.extreme;
		return;
	}
	l->known = true;
	make_hull(c, true);
	make_hull(c, false);

	const struct point *f = c->hull[1], *b = c->hull[0];
	unsigned nf = c->n_hull[1], nb = c->n_hull[0];
	double from = fmax((double)f[0].x, (double)b[0].x);
	double to = fmin((double)f[nf - 1].x, (double)b[nb - 1].x);
	double gap, middle, at = (from + to) / 2;
	struct range drifts, offsets;
	bool fits = fitting_drifts(c, &drifts);

	l->drift_doubt = DRIFT_USUAL;
	if (from <= to) {
		at = nearest(c, from, to, &gap);
		middle = (height(f, nf, at) + height(b, nb, at)) / 2;
		l->drift = best_drift(c, DRIFT_MAX);
		/* Too short for a slope: any usual drift fits as well. */
		if (fabs(gap) > 2 * DRIFT_USUAL * (to - from))
			l->drift = 0;
		else if (fits)
			l->drift_doubt = fmax(drifts.hi - l->drift, l->drift - drifts.lo);
	} else if (fits) {
		/* What lies between is bridged by what clocks do and the traffic allows. */
		at = nearest_apart(c, &drifts, to, from, &offsets);
		gap = offsets.hi - offsets.lo;
		middle = (offsets.hi + offsets.lo) / 2;
		l->drift = (drifts.hi + drifts.lo) / 2;
		l->drift_doubt = (drifts.hi - drifts.lo) / 2;
	} else {
		gap = strip(c, 0, &middle);
	}
	if (gap < 0) {
		/* No line fits: a clock was stepped. Half a round trip, and the misfit. */
		double trip = INFINITY;

		for (unsigned i = 0; i < BUCKETS; i++)
			if (c->forward.best[i].used && c->backward.best[i].used)
				trip = fmin(trip, fabs((double)(c->forward.best[i].y -
								c->backward.best[i].y)));
		gap = -gap + (isinf(trip) ? 0 : trip);
	}
	l->at_ns = c->base_x + (int64_t)llround(at);
	l->offset_ns = c->base_y + (int64_t)llround(middle);
	l->uncertainty_ns = (int64_t)ceil(gap / 2) + STAMP_NS;
}

int64_t verify_clock_offset(const struct verify_clock_line *l, int64_t ref_ns)
{
	return l->offset_ns + (int64_t)llround(l->drift * (double)(ref_ns - l->at_ns));
}
