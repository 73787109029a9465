/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_live.c - messages and keys of the live screen, whose sender has read strangers' packets.
 *
 * First byte: packets in the message; then keys up to a zero; the rest is the message itself.
 * Whatever it says, what is drawn lies within the canvas and is printable.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/live/live_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct canvas_size {
	int rows, columns;
};

static void put(void *arg, int row, int column, enum live_look look, const char *text)
{
	const struct canvas_size *c = arg;

	if (row < 0 || row >= c->rows || column < 0 || look >= LIVE_LOOK_COUNT ||
	    column + (int)strlen(text) > c->columns)
		abort();
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			abort();
}

static void rule(void *arg, int row)
{
	const struct canvas_size *c = arg;

	if (row < 0 || row >= c->rows)
		abort();
}

static void draw(struct live_view *v)
{
	static const struct canvas_size sizes[] = {
		{ 24, 80 }, { 50, 200 }, { 3, 10 }, { 24, 100 },
	};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct canvas_size size = sizes[i];
		struct live_canvas c = { .rows = size.rows, .columns = size.columns, .put = put,
					 .rule = rule, .arg = &size };
		live_draw(v, &c);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct live_frame *message = calloc(1, sizeof(*message));
	struct live_view *v = calloc(1, sizeof(*v));
	const uint8_t *keys = data + 1;
	size_t n_keys = 0, length;

	if (!message || !v)
		abort();
	if (size > 2) {
		while (1 + n_keys < size && keys[n_keys])
			n_keys++;
		size_t rest = size - 1 - n_keys;
		length = live_frame_size(data[0] % LIVE_PACKETS_MAX);
		memcpy(message, keys + n_keys, rest < length ? rest : length);
		message->n_packets = data[0] % LIVE_PACKETS_MAX;
		(void)live_view_take(v, message, length);
		draw(v);
		for (size_t i = 0; i < n_keys && i < 64; i++) {
			/* 0x80 and above: the keys that are no characters */
			int key = keys[i] < 0x80 ? keys[i] : (int)LIVE_KEY_UP + keys[i] % 11;
			(void)live_view_key(v, key);
			(void)live_view_take(v, message, i % 2 ? length : rest);
			draw(v);
		}
	}
	free(v);
	free(message);
	return 0;
}
