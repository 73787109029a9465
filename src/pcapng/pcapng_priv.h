/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pcapng_priv.h - what the files of this folder share.
 *
 * Owns: the layout of struct pcapng_reader and of its window.
 * Never: included from outside src/pcapng.
 */
#ifndef PODHOP_PCAPNG_PRIV_H
#define PODHOP_PCAPNG_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "podhop/bytes.h"
#include "podhop/pcapng.h"

#define NS_PER_S 1000000000
/* All fields start at multiples of 4. */
#define PCAPNG_PADDED(n) (((size_t)(n) + 3) & ~(size_t)3)

/* Block types, draft-ietf-opsawg-pcapng, section 4. */
#define NG_SHB 0x0a0d0d0au	/* reads the same in both byte orders */
#define NG_IDB 1u
#define NG_PB 2u		/* obsolete Packet Block */
#define NG_SPB 3u
#define NG_NRB 4u
#define NG_ISB 5u
#define NG_EPB 6u

#define NG_BYTE_ORDER_MAGIC 0x1a2b3c4du
#define NG_BLOCK_MIN 12u	/* type, length, length again */
#define NG_SHB_MIN 28u
#define NG_IDB_BODY 8u		/* bytes of a body before its options */
#define NG_PB_BODY 20u
#define NG_EPB_BODY 20u
#define NG_ISB_BODY 12u

#define NG_OPT_END 0u
#define NG_OPT_COMMENT 1u
#define NG_OPT_MAX 65535u	/* the length field of an option has 16 bits */
#define NG_SHB_HARDWARE 2u
#define NG_SHB_OS 3u
#define NG_SHB_USERAPPL 4u
#define NG_IF_NAME 2u
#define NG_IF_DESCRIPTION 3u
#define NG_IF_IPV4 4u
#define NG_IF_IPV6 5u
#define NG_IF_MAC 6u
#define NG_IF_TSRESOL 9u
#define NG_IF_FILTER 11u
#define NG_IF_FCSLEN 13u
#define NG_IF_TSOFFSET 14u
#define NG_EPB_FLAGS 2u		/* also pack_flags of the obsolete block */
#define NG_EPB_DROPCOUNT 4u
#define NG_EPB_PACKETID 5u
#define NG_ISB_STARTTIME 2u
#define NG_ISB_ENDTIME 3u
#define NG_ISB_IFRECV 4u
#define NG_ISB_IFDROP 5u
#define NG_ISB_FILTERACCEPT 6u
#define NG_ISB_OSDROP 7u
#define NG_ISB_USRDELIV 8u

#define NG_NRB_END 0u
#define NG_NRB_IPV4 1u
#define NG_NRB_IPV6 2u

/* --------------------------------------------------------------- pack.c */

enum pcapng_pack_to {
	PCAPNG_PACK_ON,		/* as much as fills its blocks well */
	PCAPNG_PACK_FLUSH,	/* all of it readable */
	PCAPNG_PACK_END,	/* the same, and the stream closed */
};

struct pcapng_packer;
struct pcapng_packer *pcapng_packer_new(enum pcapng_packing kind);	/* NULL: no memory */
void pcapng_packer_free(struct pcapng_packer *p);
/*
 * Takes from *in (advancing it), puts *ret_len bytes into out[size]. Returns 1 when it wants to be
 * called again, 0 when done, -EINVAL.
 */
int pcapng_pack(struct pcapng_packer *p, enum pcapng_pack_to to, const uint8_t **in, size_t *n,
		uint8_t *out, size_t size, size_t *ret_len);

struct pcapng_unpacker;
struct pcapng_unpacker *pcapng_unpacker_new(enum pcapng_packing kind);
void pcapng_unpacker_free(struct pcapng_unpacker *u);
/*
 * The same the other way. Returns 1 where a packed stream ends (another may follow), 0, or
 * -EBADMSG for damaged data; then *ret_len is 0. No progress at all: more input is needed.
 */
int pcapng_unpack(struct pcapng_unpacker *u, const uint8_t **in, size_t *n, uint8_t *out,
		  size_t size, size_t *ret_len);

enum pcapng_packing pcapng_packing_of(const uint8_t *head, size_t n);	/* by first bytes */
const char *pcapng_packing_name(enum pcapng_packing kind);

/* ------------------------------------------------------------------- window */

/*
 * The bytes of the input that are in memory: data[start, end). Everything is
 * read through it: regular files, FIFOs, pipes and memory.
 */
struct pcapng_window {
	int fd;			/* -1: memory */
	bool owns_fd;
	bool is_regular;	/* all of it is there: reads never wait */
	bool is_fifo;
	bool nonblocking;
	bool eof;
	uint8_t *heap;		/* NULL: memory, or nothing read yet */
	const uint8_t *data;	/* heap, or the caller's memory: */
	const uint8_t *memory;
	size_t memory_len;
	size_t size;		/* of heap */
	size_t first_size;	/* ... when it is made; 0: the default */
	off_t read_at;		/* a regular file: where its next bytes are */
	size_t start, end;
	uint64_t offset;	/* of data[start] in the input, unpacked */
	/* packed inputs: what was read and not unpacked yet */
	struct pcapng_unpacker *unpacker;
	enum pcapng_packing packing;
	uint8_t *raw_heap;	/* NULL: the caller's memory */
	const uint8_t *raw;
	size_t raw_left;
	bool raw_eof;
	bool inside;		/* a packed stream has begun and not ended */
	bool cut;		/* eof, and it never ended */
};

static inline size_t pcapng_window_left(const struct pcapng_window *w)
{
	return w->end - w->start;
}

static inline const uint8_t *pcapng_window_at(const struct pcapng_window *w)
{
	return w->data + w->start;
}

/* What was passed over stays in memory until the next pcapng_window_fill(). */
static inline void pcapng_window_pass(struct pcapng_window *w, size_t n)
{
	w->start += n;
	w->offset += n;
}

int pcapng_window_open(struct pcapng_window *w, const char *path, const char *name,
		       struct err *err);
void pcapng_window_of_file(struct pcapng_window *w, int fd);	/* regular; stays the caller's */
void pcapng_window_of_memory(struct pcapng_window *w, const void *data, size_t len);
void pcapng_window_done(struct pcapng_window *w);
/* From the start, of what `of` reads; size: bytes in memory at first. 0, or -ESPIPE of a pipe. */
int pcapng_window_again(struct pcapng_window *w, const struct pcapng_window *of, size_t size);
int pcapng_window_rewind(struct pcapng_window *w);	/* 0 or -ESPIPE */
/* What is in the window, and all that follows, is packed: from here on it is unpacked. */
int pcapng_window_unpack(struct pcapng_window *w, enum pcapng_packing kind);

/*
 * Makes sure that `need` bytes (at most PCAPNG_BLOCK_MAX) are in the window.
 * Returns 0; -EAGAIN when they have not come yet (non-blocking input, or a
 * signal arrived); -ENODATA when the input ends before; -EBADMSG when it cannot be
 * unpacked; another negative errno value when reading fails. The caller writes the
 * error text.
 */
int pcapng_window_fill(struct pcapng_window *w, size_t need);

/* ------------------------------------------------------------------- reader */

/* An interface with what is needed to read its frames. */
struct pcapng_if {
	struct pcapng_interface pub;
	uint64_t ts_mult;	/* ns = ticks * ts_mult while ticks <= ts_limit; 0: the long way */
	uint64_t ts_limit;
	int64_t ts_offset;	/* if_tsoffset, seconds */
	uint8_t ts_resol;	/* if_tsresol as in the file */
	uint8_t fcs_len;	/* bytes of FCS at the end of each frame */
};

enum pcapng_format {
	PCAPNG_FORMAT_UNKNOWN = 0,
	PCAPNG_FORMAT_NG,
	PCAPNG_FORMAT_CLASSIC,
};

/* A name of an NRB; the text lies in reader.name_text. */
struct pcapng_name_ref {
	struct addr addr;
	size_t text;
};

struct pcapng_reader {
	struct pcapng_window win;
	char *name;			/* for messages */
	enum pcapng_format format;
	bool swapped;			/* the section's byte order is not this machine's */
	bool stepwise;			/* no frame is read in one go: for tests */
	bool frames_only;		/* names, notes: another reader has them */
	unsigned n_sections;
	unsigned first_if;		/* number of the section's interface 0 */
	struct pcapng_if **ifs;
	unsigned n_ifs, size_ifs;
	uint64_t block_offset;
	uint64_t frames;
	char *comment;			/* first SHB comment that is podhop's, NULL: none */
	char *notes[PCAPNG_NOTES_MAX];	/* podhop's, on interfaces and statistics */
	unsigned n_notes;

	struct pcapng_name_ref *names;
	size_t n_names, size_names;
	char *name_text;
	size_t name_text_len, name_text_size;

	struct {			/* classic pcap */
		uint32_t record_len;	/* bytes of a record's header */
		uint32_t frac_ns;	/* nanoseconds in a unit of its second time field */
		bool swap_lens;		/* versions before 2.3 have len before caplen */
		bool maybe_swap_lens;	/* 2.3 has either */
	} classic;

	bool is_final;			/* the end or an error was reached: */
	int final;			/* the answer from now on */
	struct err final_err;
};

/* Loads of the section's byte order; p has the bytes (taken from a cursor). */
static inline uint16_t pcapng_load16(bool swapped, const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return swapped ? __builtin_bswap16(v) : v;
}

static inline uint32_t pcapng_load32(bool swapped, const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return swapped ? __builtin_bswap32(v) : v;
}

static inline uint64_t pcapng_load64(bool swapped, const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return swapped ? __builtin_bswap64(v) : v;
}

/* Time stamps are two 32-bit words, the high one first in either byte order. */
static inline uint64_t pcapng_load_time(bool swapped, const uint8_t *p)
{
	return (uint64_t)pcapng_load32(swapped, p) << 32 | pcapng_load32(swapped, p + 4);
}

/* As this project keeps counters: -1 is for those that nobody told. */
static inline int64_t pcapng_counter(uint64_t v)
{
	return v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

/*
 * Fills err with "NAME: bad at offset N: ..." where N is where the block or
 * record being read starts. Returns -EBADMSG.
 */
__attribute__((format(printf, 3, 4)))
int pcapng_reader_bad(const struct pcapng_reader *r, struct err *err, const char *fmt, ...);

/*
 * pcapng_window_fill() with the texts: 0 when `need` bytes are there,
 * PCAPNG_EVENT_IDLE, or a negative errno value: -ENODATA says "cut short".
 * `what` names the thing that needs the bytes: "block", "record".
 */
int pcapng_reader_need_slow(struct pcapng_reader *r, size_t need, const char *what,
			    struct err *err);

static inline int pcapng_reader_need(struct pcapng_reader *r, size_t need, const char *what,
				     struct err *err)
{
	return need <= pcapng_window_left(&r->win) ? 0 :
						     pcapng_reader_need_slow(r, need, what, err);
}

/* A new interface at the end of the list, zeroed, counters -1. 0 or -errno. */
int pcapng_reader_add_if(struct pcapng_reader *r, struct pcapng_if **ret_if, struct err *err);

/* Hands a frame over: numbers it, strips its FCS, mends len < caplen. */
static inline int pcapng_reader_give(struct pcapng_reader *r, uint32_t fcs_len,
				     struct model_frame *frame)
{
	/* A length that is too small is the less likely one of the two to be right. */
	if (frame->len < frame->caplen)
		frame->len = frame->caplen;
	if (fcs_len && frame->len > fcs_len) {
		frame->len -= fcs_len;
		if (frame->caplen > frame->len)
			frame->caplen = frame->len;
	}
	frame->number = ++r->frames;
	return PCAPNG_EVENT_FRAME;
}

/* ng_read.c: the next event of a pcapng input. */
int pcapng_ng_next(struct pcapng_reader *r, struct pcapng_frame *ret_frame, struct err *err);

/* pcap_read.c: is this one of classic pcap's magic numbers (first four bytes)? */
bool pcapng_classic_is_magic(const uint8_t magic[static 4]);
int pcapng_classic_next(struct pcapng_reader *r, struct pcapng_frame *ret_frame, struct err *err);

/* ------------------------------------------------------------------ options */

/* One option as found in a block; value has len bytes. */
struct pcapng_option {
	uint16_t code;
	uint16_t len;
	const uint8_t *value;
};

/*
 * Takes the next option from b: 1, 0 at the end of the list (opt_endofopt or
 * the block's end), -1 when the option runs past the block. Inline, because
 * podhop's own files have three or four of them in each frame.
 *
 * draft-ietf-opsawg-pcapng, 3.5:
 *
 *   | code u16 | length u16 | value, padded to a multiple of 4 | ...
 *
 * length counts the value without its padding. The list ends with code 0 or
 * with the block, whichever comes first; what follows code 0 is ignored.
 */
static inline int pcapng_option_next(struct bytes *b, bool swapped,
				     struct pcapng_option *ret_option)
{
	const uint8_t *head, *value;

	if (bytes_left(b) == 0)
		return 0;
	head = bytes_take(b, 4);
	if (!head)
		return -1;

	uint16_t code = pcapng_load16(swapped, head);
	uint16_t len = pcapng_load16(swapped, head + 2);

	if (code == NG_OPT_END)
		return 0;
	value = bytes_take(b, PCAPNG_PADDED(len));
	if (!value)
		return -1;
	*ret_option = (struct pcapng_option){ .code = code, .len = len, .value = value };
	return 1;
}

/*
 * Copies n bytes of text as valid UTF-8 without NUL: each invalid sequence
 * becomes U+FFFD. At most max bytes are written, whole characters only; dst may
 * be NULL to measure. Returns the number of bytes; no NUL is added.
 */
size_t pcapng_utf8_copy(char *dst, size_t max, const char *src, size_t n);

/* The same into dst[size], NUL-terminated; the source ends at its first NUL. */
void pcapng_option_string(char *dst, size_t size, const uint8_t *value, size_t len);

#endif
