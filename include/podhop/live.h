/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * live.h - the screen that shows a capture while it runs.
 *
 * Owns: a feed owns the frame that it fills; a screen owns the terminal from live_screen_open()
 * to live_screen_close().
 * Never: captures, forks, ends the process, reads a file once the screen is open, waits for the
 * terminal on the side that captures.
 *
 * Two halves, in two processes, so that no terminal, however slow, can hold up the rings:
 *
 *   capture ─▶ live_feed_packet() ─▶ live_feed_frame() ══ a message ══▶ live_screen_run() ─▶ curses
 *                      ▲                                                        │
 *                      └──────────── live_feed_order(): filter, the end ◀═══════┘
 *
 * A message is one struct live_frame, cut behind its last packet. Both sides are one program;
 * the screen's side checks it all the same, because its sender has read strangers' packets.
 */
#ifndef PODHOP_LIVE_H
#define PODHOP_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "podhop/err.h"
#include "podhop/model.h"
#include "podhop/result.h"

#define LIVE_INTERVAL_NS 250000000LL	/* between two frames */
/* Of one frame: whole packets, and room that only lost, missing or ambiguous ones may take. */
#define LIVE_PACKETS_USUAL 64u
#define LIVE_PACKETS_TROUBLE 32u
#define LIVE_PACKETS_MAX (LIVE_PACKETS_USUAL + LIVE_PACKETS_TROUBLE)
/* With a filter a line is made of each packet: of so many a frame, the others are passed over. */
#define LIVE_MATCHES_MAX 2000u
#define LIVE_LATENCIES_MAX 32u
#define LIVE_LOSSES_MAX 8u
#define LIVE_END_MAX 64u	/* an address or name with its port */
#define LIVE_REASON_MAX 96u
#define LIVE_TITLE_MAX 160u
#define LIVE_MESSAGE_MAX 200u
#define LIVE_FILTER_MAX 64u
#define LIVE_COLUMNS_MIN 80
#define LIVE_ROWS_MIN 24

struct live_sighting {
	int64_t time_ns;
	uint16_t hop;		/* index into live_frame.hops */
	uint8_t encap;		/* inside VXLAN */
};

/* A closed packet, its ends as they are printed. */
struct live_packet {
	uint64_t id;
	int64_t time_ns;
	int64_t delay_ns;	/* first to last sighting; 0: one stamp for both; -1: seen once */
	uint64_t overhead_bytes;
	uint32_t length, payload_len, outer_datagrams, vni;
	uint8_t status;		/* enum result_status */
	uint8_t direction;	/* enum model_direction */
	uint8_t protocol, last_seen, next_expected;
	uint8_t lost, retransmission, encapsulated;	/* 0, else so: not every byte is a bool */
	uint8_t n_sightings;
	struct live_sighting sightings[RESULT_SIGHTINGS_MAX];
	char src[LIVE_END_MAX], dst[LIVE_END_MAX];
	char far_src[LIVE_END_MAX], far_dst[LIVE_END_MAX];	/* "": as above */
	char outer_src[LIVE_END_MAX], outer_dst[LIVE_END_MAX];
	char reason[LIVE_REASON_MAX];
};

struct live_hop {
	char name[MODEL_NAME_MAX];
	uint64_t frames, bytes;		/* kept; as on the wire */
	int64_t dropped_kernel, dropped_interface;	/* -1: not known */
	uint64_t dropped_podhop;
	uint8_t role;
};

struct live_latency {
	uint64_t samples, p50_ns, p99_ns;
	uint8_t from, to, direction;	/* roles; enum model_direction */
	uint8_t measurable;
};

struct live_loss {
	uint64_t packets;
	uint8_t last_seen, next_expected, direction;
	uint8_t lost;			/* 0: unknown */
	char reason[LIVE_REASON_MAX];
};

struct live_frame {
	int64_t start_ns, now_ns;	/* CLOCK_REALTIME */
	uint64_t total, complete, incomplete, ambiguous, edge;
	uint64_t outer_datagrams, overhead_bytes, inner_bytes;
	uint64_t closed;		/* packets that closed since the frame before */
	uint64_t passed_over;		/* of them, those that were not even looked at */
	char title[LIVE_TITLE_MAX];
	char message[LIVE_MESSAGE_MAX];	/* the newest warning; "" */
	unsigned n_hops, n_latencies, n_losses, n_packets;
	struct live_hop hops[MODEL_HOPS_MAX];
	struct live_latency latencies[LIVE_LATENCIES_MAX];
	struct live_loss losses[LIVE_LOSSES_MAX];
	struct live_packet packets[LIVE_PACKETS_MAX];	/* oldest first; the last n_packets */
};

/* Bytes of a message with n packets. */
static inline size_t live_frame_size(unsigned n_packets)
{
	return offsetof(struct live_frame, packets) + n_packets * sizeof(struct live_packet);
}

/* First byte of what the screen sends; a filter's text follows. */
#define LIVE_SAYS_FILTER 'f'
#define LIVE_SAYS_END 'q'

/* -------------------------------------------------- the side that captures */

struct live_feed;

struct live_feed_config {
	const struct model_net *net;	/* borrowed */
	/* A name for an address, NULL when it has none; may be NULL. */
	const char *(*name)(void *arg, const struct addr *a);
	void *name_arg;
};

struct live_feed *live_feed_new(const struct live_feed_config *config, struct err *err);
void live_feed_free(struct live_feed *f);	/* NULL is accepted */
/* A packet has closed. Constant cost, and next to none once the frame at hand is full. */
void live_feed_packet(struct live_feed *f, const struct result_packet *p);
void live_feed_message(struct live_feed *f, const char *text);
/*
 * The frame so far, with the figures of r (pipeline_summary()) filled in. Valid until the next
 * call. Packets stay in it, so that a frame the screen had no time for is not lost, until
 * live_feed_sent().
 */
const struct live_frame *live_feed_frame(struct live_feed *f, const struct result *r,
					 int64_t start_ns, int64_t now_ns, size_t *ret_size);
void live_feed_sent(struct live_feed *f);
/* What the screen sent. Returns true when the user asked for the end. */
bool live_feed_order(struct live_feed *f, const void *bytes, size_t n);

/* ---------------------------------------------------- the side that shows */

struct live_screen;

struct live_screen_config {
	int tty_fd;		/* the terminal, for both ways; borrowed */
	int feed_fd;		/* SOCK_SEQPACKET to the feed; borrowed */
	const char *term;	/* $TERM */
	bool color, utf8;
};

/*
 * Takes the terminal: the alternate screen, no echo, keys at once. Signals of the keyboard
 * stay what they are.
 */
struct live_screen *live_screen_open(const struct live_screen_config *config, struct err *err);
/* Until the feed's end closes, a message is no frame, or the terminal is gone. */
void live_screen_run(struct live_screen *s);
/* Gives the terminal back as it was found. NULL is accepted. */
void live_screen_close(struct live_screen *s);

/* What a terminal of this type is told to look as before, should the screen die of SIGKILL. */
#define LIVE_RESTORE_MAX 128
/* -ENOTSUP and a sentence: no such terminal type, or it cannot place its cursor. */
int live_terminal(const char *term, int tty_fd, char ret_restore[static LIVE_RESTORE_MAX],
		  struct err *err);

#endif
