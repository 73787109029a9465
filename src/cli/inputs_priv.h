/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * inputs_priv.h - one input, as the files inputs*.c share it.
 */
#ifndef PODHOP_CLI_INPUTS_PRIV_H
#define PODHOP_CLI_INPUTS_PRIV_H

#include "cli.h"
#include "inputs.h"

struct kept_frame {
	struct model_frame frame;	/* hop: interface of the file */
	uint8_t *data;			/* owned */
};

/* When frames were seen; from > to: none was. */
struct seen {
	int64_t from_ns, to_ns;
};

struct lanes;

struct input {
	const char *path;
	struct file_id file;	/* of that name, as it was opened */
	struct pcapng_reader *reader;
	struct lanes *lanes;	/* who reads its frames in the reader's stead; NULL: nobody */
	int *hop;		/* of each interface of the file; -1: not seen yet */
	unsigned n_hop;
	unsigned looked_at;	/* interfaces whose description was read */
	unsigned notes_read;	/* the reader's notes: node_notes.c */
	struct pcapng_frame head;
	struct err bad;		/* why the reader stopped */
	bool has_head;
	bool is_raw;		/* head was read, and its hop not looked up yet */
	bool over;
	bool is_pipe;
	bool sampled;
	bool sample_lacks;	/* frames of some interface, though the file goes on */
	bool no_memory;		/* at some look it could not be read to its end */
	bool for_good;		/* read to be taken: what is wrong with it is told now */
	bool named_bad;		/* that was told */
	int64_t last_ns;	/* how far its time has come */
	int64_t first_ns;
	int64_t sample_ns;	/* of the sample's newest frame */
	struct pcapng_tail tail;	/* what a regular file says at its end; zero: nothing */
	int64_t began_ns, ended_ns;	/* of the capture as the file tells; 0: it does not */
	bool by_podhop;		/* its header says so */
	bool times_drops;	/* frames of its sample say when others were lost */
	struct seen seen[MODEL_HOPS_MAX];	/* of the frames taken */
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

/* ---- inputs.c */
/*
 * The next frame of an input, as the reader gives it. Returns 1, 0 when there is none
 * (over, or a pipe that is idle). An input that turns bad is over; what came before counts.
 */
int input_read_frame(struct input *one);
/* The next frame with its hop into the input's head. 1, 0 as above, or -errno. */
int input_fetch(struct inputs *in, struct input *one, struct err *err);
/* Copies a pipe's frame, to be given again. 0 or -ENOMEM. */
int input_keep(struct input *one, const struct model_frame *f, struct err *err);
/* A file is read from its start again; what a pipe showed was kept. */
int input_rewind(struct input *one, struct err *err);
/* The filter that the header read so far tells of. */
int input_keep_filter(struct input *one, struct err *err);
/* Until one of those that are not over can be read, or a short while. */
int input_wait_any(struct input *const *all, unsigned n);

/* ---- inputs_hops.c */
/* The value of key= in "podhop key=value ..."; false when it is not there. */
bool input_told(const char *text, const char *key, char *out, size_t size);
/* The hop of interface `i` of an input, made when it is new; or -errno. */
int input_hop_new(struct inputs *in, struct input *one, unsigned i, struct err *err);
/*
 * What podhop described, or --hops names, is a hop even when it shows nothing: that is how losses
 * show. 0 or -errno.
 */
int input_map_new(struct inputs *in, struct input *one, unsigned n, struct err *err);

/* Once a frame. */
static inline int input_hop(struct inputs *in, struct input *one, unsigned i, struct err *err)
{
	return i < one->n_hop && one->hop[i] >= 0 ? one->hop[i] : input_hop_new(in, one, i, err);
}

static inline int input_map_described(struct inputs *in, struct input *one, struct err *err)
{
	unsigned n = pcapng_reader_n_interfaces(one->reader);

	return one->looked_at == n ? 0 : input_map_new(in, one, n, err);
}

/* ---- inputs_filter.c */
/* What an interface of the hop says; is_new: the first one that was seen. */
void input_note_filter(struct inputs *in, struct input *one, unsigned hop,
		       const struct pcapng_interface *pi, bool is_new);
void inputs_filters_free(struct inputs *in);

/* ---- inputs_order.c */
void lanes_free(struct lanes *l);	/* NULL is accepted */
int lanes_rewind(struct lanes *l, struct err *err);
/* As pcapng_reader_next(), into the input's head and, of what is wrong with it, bad. */
int lanes_next(struct input *one);

/* ---- inputs_cover.c */
/* No frame was taken of it yet. */
void input_unsee(struct input *one);
/* Reads what a regular file says at its end. After its header. */
void input_read_tail(struct input *one);
/* The earliest frame of its input so far: nothing before its start can be missed. */
void input_note_start(struct inputs *in, struct input *one, int64_t time_ns);
/* The frame says that its hop's capture lost others since the one before. */
void input_note_drops(struct inputs *in, const struct input *one, const struct model_frame *f);

/* ---- node_notes.c: of the input's notes those that were not read yet */
void note_take(struct model_net *net, struct input *one);
/* One note; what is none of these is left alone. */
void note_parse(struct model_net *net, const char *note);

#endif
