/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pcapng.h - reads pcapng and classic pcap, writes pcapng.
 *
 * Owns: its file descriptors (those it opened), one read window, one write
 * buffer, and what the file said about its interfaces.
 * Never: uses libpcap, knows pods or hops, trusts a length, writes a block that
 * the tools in the contract (tshark, tcpdump, capinfos) complain about.
 *
 * Format: draft-ietf-opsawg-pcapng; classic pcap: draft-ietf-opsawg-pcap. Files
 * of either byte order, several sections, any if_tsresol and if_tsoffset are read.
 */
#ifndef PODHOP_PCAPNG_H
#define PODHOP_PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "podhop/addr.h"
#include "podhop/err.h"
#include "podhop/model.h"
#include "podhop/outlet.h"

/* -------------------------------------------------------------- compression */

/*
 * Captures may be packed with gzip or zstd: read by their first bytes, written by the end of
 * their name. Offsets, lengths and limits all count unpacked bytes.
 */
enum pcapng_packing {
	PCAPNG_PLAIN = 0,
	PCAPNG_GZIP,
	PCAPNG_ZSTD,
};

/*
 * The packing that a file of this name has, in any case; returns the length of the suffix that says
 * so, or 0.
 */
size_t pcapng_packing_suffix(const char *path, enum pcapng_packing *ret_kind);
/* Does the name promise a packing that is none of these (.xz)? */
bool pcapng_packing_is_unknown(const char *path);
/* Are these the first bytes of a capture, pcapng or pcap, packed or not? */
bool pcapng_is_capture(const uint8_t *head, size_t n);

/* ------------------------------------------------------------------ reading */

/* libpcap's own limit; a frame is at most 256 KiB + options */
#define PCAPNG_BLOCK_MAX (16u << 20)
#define PCAPNG_FRAME_MAX (4u << 20)	/* BIG TCP needs 512 KiB; more is a damaged length */
#define PCAPNG_INTERFACES_MAX 4096	/* over all sections of one input */
#define PCAPNG_STRING_MAX 1024		/* longer option strings are cut */

/* What the file says about one of its interfaces. Numbered over all sections. */
struct pcapng_interface {
	uint16_t linktype;
	uint32_t snaplen;		/* 0: no limit */
	char name[MODEL_NAME_MAX];	/* "" when absent; valid UTF-8 */
	char description[PCAPNG_STRING_MAX];
	char filter[PCAPNG_STRING_MAX];	/* libpcap's; "" when absent, or given as a program */
	bool has_filter;		/* of whichever kind */
	struct mac mac;			/* all zero when absent */
	struct prefix addrs[MODEL_HOP_ADDRS_MAX];
	unsigned n_addrs;
	unsigned section;		/* from 0 */
	/* Interface statistics blocks, the last value seen; -1 when absent. */
	int64_t if_recv, if_drop, os_drop, filter_accept;
};

/*
 * One packet record. len is never below caplen (a smaller one in the file is
 * raised), an FCS that the file tells of is taken off both, a time out of range
 * stays at the end of the range. Simple packet blocks carry no time: 0.
 */
struct pcapng_frame {
	struct model_frame frame;	/* hop = interface number; data valid until the next call */
	uint64_t packet_id;		/* 0 when absent */
	uint32_t flags;			/* epb_flags, 0 when absent */
	/* first opt_comment, not NUL-terminated; NULL when absent */
	const char *comment;
	uint32_t comment_len;
	unsigned n_interfaces;		/* that the input has described so far; set for any event */
};

enum pcapng_event {
	PCAPNG_EVENT_END = 0,	/* the input is over, soundly */
	PCAPNG_EVENT_FRAME,
	PCAPNG_EVENT_IDLE,	/* non-blocking input: nothing more now; else: a signal came */
	/*
	 * A statistics block told how far time has come (frame.time_ns, frame.hop). Only
	 * podhop's own keep to it: dumpcap 4.0 stamps these in a wrong unit.
	 */
	PCAPNG_EVENT_TIME,
};

struct pcapng_reader;

/*
 * Opens a file, FIFO or "-" (stdin). A directory or a file that is no capture is
 * refused; what a pipe carries is judged when it is read. A FIFO without a writer
 * is opened at once and waited for (or IDLE) when it is read.
 */
struct pcapng_reader *pcapng_reader_open(const char *path, struct err *err);
/*
 * From the start again, with nothing opened anew: what the reader knew of the input is
 * forgotten. -ESPIPE for what cannot be read twice.
 */
int pcapng_reader_rewind(struct pcapng_reader *r, struct err *err);
/*
 * A second reader of the same regular file, from its start, independent of where r is; r has to
 * outlive it. It keeps no names and notes. window_bytes: of the file in memory, as long as its
 * blocks fit. -ESPIPE for what cannot be read twice.
 */
struct pcapng_reader *pcapng_reader_again(const struct pcapng_reader *r, size_t window_bytes,
					  struct err *err);
/* Reads from memory that outlives the reader (tests, fuzzing). name is for messages. */
struct pcapng_reader *pcapng_reader_from_memory(const void *data, size_t len, const char *name,
						struct err *err);
void pcapng_reader_free(struct pcapng_reader *r);

/*
 * Makes reads from a pipe return PCAPNG_EVENT_IDLE instead of blocking; fd to poll.
 */
int pcapng_reader_set_nonblocking(struct pcapng_reader *r, struct err *err);
int pcapng_reader_fd(const struct pcapng_reader *r);
/* Usual frames are otherwise read in one go; tests hold the two ways against each other. */
void pcapng_reader_set_stepwise(struct pcapng_reader *r);

/*
 * The next event (enum pcapng_event), or a negative errno value when the input
 * cannot be trusted from here on: -ENODATA when it ends inside a block ("cut
 * short"), -EBADMSG when it contradicts itself; err then has name, offset and
 * reason. What was returned before stays good. After an error or the end, the
 * same answer is given again.
 */
int pcapng_reader_next(struct pcapng_reader *r, struct pcapng_frame *ret_frame, struct err *err);

unsigned pcapng_reader_n_interfaces(const struct pcapng_reader *r);	/* so far */
const struct pcapng_interface *pcapng_reader_interface(const struct pcapng_reader *r, unsigned i);
uint64_t pcapng_reader_offset(const struct pcapng_reader *r);	/* of the block read last */
/* First SHB comment that starts with "podhop ", "" when there is none. */
const char *pcapng_reader_section_comment(const struct pcapng_reader *r);
/*
 * Comments that start with "podhop " on interfaces and in the statistics blocks read so far: what
 * whoever captured knew at the start and at the end. Valid UTF-8, below PCAPNG_STRING_MAX bytes;
 * longer ones are left out.
 */
#define PCAPNG_NOTES_MAX 288
unsigned pcapng_reader_n_notes(const struct pcapng_reader *r);
const char *pcapng_reader_note(const struct pcapng_reader *r, unsigned i);
bool pcapng_reader_is_regular(const struct pcapng_reader *r);

/* What the statistics blocks at the end of a file say; of interfaces of its last section. */
#define PCAPNG_TAIL_MAX 64u
struct pcapng_tail {
	bool has_span;
	int64_t start_ns, end_ns;	/* where the file's times are nanoseconds: podhop's are */
	unsigned n_drops;		/* of as many interfaces as can be hops */
	struct pcapng_drops {
		uint32_t interface;
		int64_t if_drop, os_drop;	/* frames; -1: not said */
	} drops[PCAPNG_TAIL_MAX];
};

/*
 * Reads the end of a regular file alone, or of what is packed in it. -ENODATA when it does not
 * end in statistics (cut short, classic pcap, a pipe). May be asked of any descriptor; where
 * it stands in its file does not matter, and stays.
 */
int pcapng_read_tail(int fd, struct pcapng_tail *ret);

/* Names from name resolution blocks: calls fn for each name read so far, 65536 at most. */
void pcapng_reader_names(const struct pcapng_reader *r,
			 void (*fn)(void *arg, const struct addr *addr, const char *name),
			 void *arg);

/* ------------------------------------------------------------------ writing */

#define PCAPNG_SNAPLEN_MAX 262144	/* every IDB says this: Wireshark's and libpcap's limit */
/* With their options such frames stay below it: dumpcap reads no longer block from a pipe. */
#define PCAPNG_CAPLEN_MAX (PCAPNG_SNAPLEN_MAX - 1024)

/*
 * epb_flags, draft section 4.3.1; bits 9 to 11 (offloads) confuse Wireshark 4.0 and are
 * not written.
 */
#define PCAPNG_FLAG_IN 1u
#define PCAPNG_FLAG_OUT 2u

struct pcapng_writer_config {
	const char *hardware, *os, *application;	/* SHB options; NULL: left out */
	const char *comment;				/* SHB comment; NULL: none */
};

struct pcapng_writer_interface {
	const char *name, *description, *filter;	/* NULL: left out */
	uint16_t linktype;
	struct mac mac;
	const struct prefix *addrs;
	unsigned n_addrs;
	const char *const *comments;	/* 0: none */
	unsigned n_comments;
};

struct pcapng_name {
	struct addr addr;
	const char *name;
};

struct pcapng_writer_packet {
	uint32_t interface;
	int64_t time_ns;
	uint32_t caplen, len;
	const uint8_t *data;
	uint32_t flags;		/* epb_flags; written only when not 0 */
	uint64_t packet_id;	/* written only when not 0 */
	uint64_t drops;		/* epb_dropcount, written only when not 0 */
	const char *comment;	/* NULL: none */
	size_t comment_len;
	bool comment_is_ascii;	/* printable: the caller knows, it is not looked at */
};

struct pcapng_statistics {
	uint32_t interface;
	int64_t time_ns;		/* when these were read */
	int64_t start_ns, end_ns;	/* of the capture; 0: left out */
	/* -1: not known, left out */
	int64_t if_recv, if_drop, filter_accept, os_drop, user_deliv;
	const char *const *comments;	/* behind all else; 0: none */
	unsigned n_comments;
};

struct pcapng_writer;

/*
 * Writes to fd, which the caller keeps and closes. Blocks collect in a buffer of
 * buffer_bytes and leave in large writes; 0 picks the default (1 MiB).
 */
struct pcapng_writer *pcapng_writer_new(int fd, size_t buffer_bytes, struct err *err);
/*
 * Packs from the first byte on; called before the header. Each flush makes what was written so far
 * readable, at some cost in size, and pcapng_writer_finish() has to be the last call.
 */
int pcapng_writer_pack(struct pcapng_writer *w, enum pcapng_packing kind, struct err *err);
/*
 * Takes space on the disk ahead of what is written (fallocate(2) behind the file's end, 16 MiB at a
 * time), for a regular file that nobody else writes to. Called before the header. A file that
 * ends otherwise than by pcapng_writer_finish() keeps what it has until it is cut or removed.
 */
void pcapng_writer_set_aside(struct pcapng_writer *w);
/* How long a reader that takes nothing is waited for; NULL, and without this call: for ever. */
void pcapng_writer_patience(struct pcapng_writer *w, outlet_patience *patience);
/* Drops what was not flushed. NULL is accepted. */
void pcapng_writer_free(struct pcapng_writer *w);

/*
 * Order: header, interfaces, names, packets, statistics, flush. Each returns 0 or
 * -errno: -EINVAL when the order is broken or the interface not described, -EMSGSIZE
 * for caplen above PCAPNG_SNAPLEN_MAX (then nothing was written and all goes on), else
 * what write(2) said, now and ever after. Text is made valid UTF-8 and cut to 65535
 * bytes; times before 1970 become 0; len is raised to caplen. SIGPIPE is the caller's.
 */
int pcapng_writer_header(struct pcapng_writer *w, const struct pcapng_writer_config *config,
			 struct err *err);
int pcapng_writer_interface(struct pcapng_writer *w, const struct pcapng_writer_interface *i,
			    struct err *err);
int pcapng_writer_names(struct pcapng_writer *w, const struct pcapng_name *names, size_t n,
			struct err *err);
int pcapng_writer_packet(struct pcapng_writer *w, const struct pcapng_writer_packet *p,
			 struct err *err);
int pcapng_writer_statistics(struct pcapng_writer *w, const struct pcapng_statistics *s,
			     struct err *err);
/*
 * Writes out what has collected. -EPIPE when the reader of a pipe is gone,
 * -ENOSPC and the like as write(2) says; after a failure the file ends with a
 * whole block where the file system allows it (the partial block is cut off).
 */
int pcapng_writer_flush(struct pcapng_writer *w, struct err *err);
/* Flushes, and ends the packed stream if it is one. Nothing can be written after it. */
int pcapng_writer_finish(struct pcapng_writer *w, struct err *err);
/* header included, flushed or not, before packing */
uint64_t pcapng_writer_bytes(const struct pcapng_writer *w);
size_t pcapng_writer_pending(const struct pcapng_writer *w);	/* of these, bytes not flushed */
size_t pcapng_writer_ahead(const struct pcapng_writer *w);	/* set aside, and not yet written */
/*
 * Frames given to pcapng_writer_packet() that are not in the file or pipe because a write failed:
 * those that were in the buffer, and those that came later. Packed: all behind the last flush.
 */
uint64_t pcapng_writer_unwritten(const struct pcapng_writer *w);

#endif
