/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * live_priv.h - what the files of this folder share: the line of a packet, what the screen
 * knows, and the canvas it is drawn on.
 *
 * What is shown (live_view.c), where it stands (live_draw.c) and the terminal (live_screen.c)
 * are kept apart: the first two know no curses, and tests draw on an array of characters.
 */
#ifndef LIVE_PRIV_H
#define LIVE_PRIV_H

#include "podhop/live.h"

/* ---- live_line.c */

#define LIVE_LINE_MAX 512
/*
 * A packet in words, for the screen's filter: PROTO SRC > DST len N [WAY] PATH DELAY ovh N #ID and
 * what applies, as `podhop capture` prints it. Returns out.
 */
const char *live_line(const struct live_packet *p, const struct live_hop *hops, unsigned n_hops,
		      char out[static LIVE_LINE_MAX]);
#define LIVE_PATH_MAX 80
/* "veth>bridge", or with numbers the screen's columns: "1>2". Returns out. */
const char *live_path(const struct live_packet *p, const struct live_hop *hops, unsigned n_hops,
		      bool numbers, char out[static LIVE_PATH_MAX]);
/* "ok", "retr", "lost", "miss", "ambg", "edge" */
const char *live_state(const struct live_packet *p);
const char *live_way(uint8_t direction);	/* "out", "in", "other" */
bool live_line_has(const char *line, const char *filter);	/* case does not count; "" always */

/* ---- live_view.c */

#define LIVE_KEPT 512u		/* packets behind the list on the screen */
#define LIVE_HISTORY 9u		/* frames that rates are taken over: 2 s */

/* Keys beyond the characters. */
enum live_key {
	LIVE_KEY_UP = 0x110000, LIVE_KEY_DOWN, LIVE_KEY_LEFT, LIVE_KEY_RIGHT, LIVE_KEY_PAGE_UP,
	LIVE_KEY_PAGE_DOWN, LIVE_KEY_HOME, LIVE_KEY_END, LIVE_KEY_ENTER, LIVE_KEY_ESCAPE,
	LIVE_KEY_BACKSPACE,
};

enum live_sort {
	LIVE_SORT_NEWEST = 0,
	LIVE_SORT_SLOWEST,
	LIVE_SORT_LONGEST,
	LIVE_SORT_TROUBLE,
	LIVE_SORT_COUNT,
};

enum live_order {
	LIVE_ORDER_NONE = 0,
	LIVE_ORDER_FILTER,	/* the filter has changed: tell the feed */
	LIVE_ORDER_END,
};

struct live_past {
	int64_t now_ns;
	uint64_t total;
	uint64_t frames[MODEL_HOPS_MAX], bytes[MODEL_HOPS_MAX];
};

struct live_view {
	struct live_frame frame;	/* as shown; packets: see kept */
	bool has_frame;
	struct live_past past[LIVE_HISTORY];
	unsigned n_past;
	/* the newest LIVE_KEPT packets, kept[next - 1] the newest */
	struct live_packet kept[LIVE_KEPT];
	unsigned n_kept, next;
	uint64_t passed_over;
	/* indices into kept, as listed */
	uint16_t list[LIVE_KEPT];
	unsigned n_list, top, list_rows;
	uint64_t chosen;	/* packet id; 0: none */
	bool frozen;
	struct live_packet frozen_packet;
	struct live_hop frozen_hops[MODEL_HOPS_MAX];
	unsigned frozen_n_hops;
	enum live_sort sort;
	bool paused, help, typing;
	char filter[LIVE_FILTER_MAX], edit[LIVE_FILTER_MAX];
	unsigned first_hop;	/* the leftmost column */
};

/* Takes a message; false when it is none. Paused: what is shown stays. */
bool live_view_take(struct live_view *v, const void *message, size_t size);
enum live_order live_view_key(struct live_view *v, int key);
/* Filters and sorts; after a message or a key. list_rows: lines the list has. */
void live_view_list(struct live_view *v, unsigned list_rows);
/* Per second, over the frames that are remembered. hop: -1 for packets. */
uint64_t live_view_rate(const struct live_view *v, int hop, bool bytes);

/* ---- live_draw.c */

enum live_look {
	LIVE_PLAIN = 0,
	LIVE_BOLD,
	LIVE_DIM,
	LIVE_BAR,	/* title and keys */
	LIVE_CHOSEN,
	LIVE_GOOD,
	LIVE_WARN,
	LIVE_BAD,
	LIVE_LOOK_COUNT,
};

struct live_canvas {
	int rows, columns;
	/* Text that fits, ASCII without control characters. */
	void (*put)(void *arg, int row, int column, enum live_look look, const char *text);
	void (*rule)(void *arg, int row);	/* a line across */
	void *arg;
};

void live_draw(struct live_view *v, const struct live_canvas *canvas);

#endif
