/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture.h - libpcap handles on all hops at once.
 *
 * Owns: one pcap handle a hop with its ring, and the compiled filters.
 * Never: opens a device promiscuously, parses packets, merges or reorders
 * frames of different hops, writes files, waits longer than it was told.
 *
 * Time stamps are the kernel's, microseconds by default: asking libpcap for
 * nanoseconds makes the kernel stamp received frames once for all hops.
 */
#ifndef PODHOP_CAPTURE_H
#define PODHOP_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "podhop/buf.h"
#include "podhop/err.h"
#include "podhop/model.h"
#include "podhop/result.h"

/* ring block retire time; immediate mode loses frames at full rate */
#define CAPTURE_BLOCK_TIMEOUT_MS 10

struct capture_hop {
	char device[MODEL_NAME_MAX];
	const char *filter;	/* libpcap expression, borrowed during capture_open(); NULL: none */
	uint32_t snaplen;
	uint32_t buffer_kib;	/* of the kernel ring */
};

struct capture_config {
	const struct capture_hop *hops;
	unsigned n_hops;
	bool nanoseconds;
	bool may_change;	/* capture_refilter() may be called */
};

struct capture_counters {
	uint64_t frames;		/* handed to the sink */
	uint64_t bytes;			/* their captured bytes */
	/* ring was full; from PACKET_STATISTICS, wrap-around followed */
	uint64_t dropped_kernel;
	/* from link statistics before and after; -1 when not known */
	int64_t dropped_interface;
};

struct capture;

/*
 * Called for each frame; frame->data is the ring's and ends with the call. frame->way is
 * MODEL_WAY_UNKNOWN: libpcap does not tell it for Ethernet devices, the addresses do.
 */
typedef void capture_sink(void *arg, const struct model_frame *frame);

/*
 * Opens, filters and activates every hop; frames that arrived before the last
 * handle was ready are thrown away, so that all hops start at one moment
 * (capture_start_ns). Needs CAP_NET_RAW; the error names device and missing right.
 */
struct capture *capture_open(const struct capture_config *config, struct err *err);
void capture_free(struct capture *c);	/* NULL is accepted */

int64_t capture_start_ns(const struct capture *c);
/* The same for hops that came later: capture_add(). */
int64_t capture_hop_start_ns(const struct capture *c, unsigned hop);

/*
 * One more device while others are captured: --follow. Returns its index, the number of hops
 * before, or -errno with nothing changed; frames count from *ret_start_ns on. Needs what
 * capture_open() needs.
 */
int capture_add(struct capture *c, const struct capture_hop *hop, int64_t *ret_start_ns,
		struct err *err);
/*
 * Another filter for a hop, from one frame to the next; nothing is lost (but where the kernel takes
 * no filter of that length). Only with may_change. 0 or -errno.
 */
int capture_refilter(struct capture *c, unsigned hop, const char *expr, struct err *err);

/*
 * Waits up to timeout_ms for frames on any hop (or for extra_fd, -1: none, to
 * become readable), then drains what is there, at most a ring of each hop. Returns the number of
 * frames (0 after a timeout or EINTR) or -errno. A device that went away is no
 * error: its hop goes quiet and capture_hop_is_gone() says so.
 */
int capture_dispatch(struct capture *c, int timeout_ms, int extra_fd, capture_sink *sink, void *arg,
		     struct err *err);

/* Before capture_open(), which refuses a device that is down; false also when there is none. */
bool capture_device_is_up(const char *device);
bool capture_hop_is_gone(const struct capture *c, unsigned hop);
unsigned capture_n_alive(const struct capture *c);
uint16_t capture_linktype(const struct capture *c, unsigned hop);
void capture_get_counters(struct capture *c, unsigned hop, struct capture_counters *ret_counters);

/*
 * The hops' packet sockets, which are only ever read; at most MODEL_HOPS_MAX. Still the
 * capture's own. Returns how many.
 */
unsigned capture_sockets(const struct capture *c, int *ret_fds);

/*
 * A time (CLOCK_REALTIME) up to which every frame of every hop has been handed
 * to the sink, given the rings were found empty: what the merge may release. Goes
 * back when the clock does. INT64_MAX: nothing more comes (no hop is left, or all
 * rings were found empty after capture_stop()); INT64_MIN: nothing is known yet.
 */
int64_t capture_watermark_ns(const struct capture *c);

/* The system clock was set forward: not by its rate, nor by the time that a node was suspended. */
struct capture_clock_set {
	int64_t by_ns;				/* at least CAPTURE_CLOCK_SET_NS */
	int64_t after_ns, before_ns;		/* CLOCK_REALTIME: it happened between these */
};

#define CAPTURE_CLOCK_SET_NS 1000000000LL

/*
 * Was it since this was asked last (several times: as one)? Asked after capture_dispatch() it
 * knows of what the frames of that call have crossed. A clock that was set back shows in each hop's
 * stamps, and is not told.
 */
bool capture_take_clock_set(struct capture *c, struct capture_clock_set *ret_set);

/*
 * Stops the rings: nothing newer arrives; what is in them is still dispatched, until
 * capture_watermark_ns() is INT64_MAX (about 4 block timeouts later).
 */
void capture_stop(struct capture *c);

/* ------------------------------------------------------------------ filters */

/*
 * The kernel filter of one hop: a superset of what concerns the pods of net,
 * as small as is sound. expr is the user's FILTER (NULL: none), taken into the kernel only
 * where that cannot lose a packet. nat: translated traffic must pass too. exclude (NULL: none)
 * is an expression for podhop's own output connection. The text goes into ret_filter.
 */
int capture_kernel_filter(const struct model_net *net, unsigned hop, const char *expr, bool nat,
			  const char *exclude, struct buf *ret_filter, struct err *err);

/* A libpcap expression for user space, over Ethernet frames. Bad ones are ERR_USAGE. */
struct capture_filter;
struct capture_filter *capture_filter_new(const char *expr, struct err *err);
/* Of several expressions: that no packet passes all of them is no mistake of anybody's. */
struct capture_filter *capture_filter_new_joined(const char *expr, struct err *err);
void capture_filter_free(struct capture_filter *f);
/* 1 matches, 0 does not, -1: the captured bytes do not reach far enough to know. */
int capture_filter_match(const struct capture_filter *f, const uint8_t *data, uint32_t caplen,
			 uint32_t len);

/* It has nothing but addresses, ports and protocols: all frames of a packet get the same answer. */
bool capture_filter_is_flow_only(const struct capture_filter *f);
/*
 * It has nothing but these and what stands behind the IP header: the same frame gets the same
 * answer at all hops, as long as it is not translated. Segments of a packet may get different ones.
 */
bool capture_filter_is_packet_only(const struct capture_filter *f);
/*
 * Does it pass frames of which no more than this is known? Where f is of flows only; else, and
 * where it passes some of what they may be, that is not known.
 */
enum result_shown capture_filter_shows(const struct capture_filter *f,
				       const struct result_frames *frames);

#endif
