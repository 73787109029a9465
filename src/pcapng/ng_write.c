/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ng_write.c - writes pcapng blocks to a file descriptor.
 *
 * Theory of operation
 *
 * Blocks are built in one buffer and leave it in large writes, always whole
 * blocks at a time: what a reader of the file or pipe sees between two writes
 * ends with a whole block, and so does a file after kill -9. A block is built
 * in three steps: begin() makes sure that the largest it can become fits
 * (writing out or growing the buffer now, so that nothing can fail later), the
 * put functions append without further checks, end() fills in both lengths from
 * what was put. Lengths are thus never computed beforehand.
 *
 * The byte order is this machine's (dumpcap reads no other from a pipe). Every
 * list of options is closed by opt_endofopt. All interfaces have the same snap
 * length and nanoseconds, because libpcap refuses files where they differ.
 *
 * When a write fails part of the way, a regular file is cut back to the last
 * whole block. The writer is of no use from then on and repeats its error.
 *
 * Space on the disk is set aside ahead of large files, behind their end: size and contents stay
 * what was written, also after kill -9. Each page that is written then finds its place known,
 * instead of asking for one; on ext4 that saves a third of what writing costs. What was not
 * used is given back at the end. A file system that cannot is not asked again.
 *
 * Packed, the buffer's blocks go through the packer in front of write(2). Only a
 * flush brings all of them out, so a file that ends early ends with a whole block
 * at the last flush, and that is also where it is cut back to.
 */
#include "pcapng_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#define BUFFER_DEFAULT (1u << 20)
#define BUFFER_MIN 4096u
#define PACKED_SIZE (256u << 10)	/* room for what the packer gives in one go */
#define BUFFER_ALIGN 4096u	/* a page: the kernel copies whole ones */

/* Set aside in front of what is written, once a file is no small one, where there is much room. */
#define ASIDE_BYTES (16u << 20)
#define ASIDE_FROM (4u << 20)
#define ASIDE_ROOM (64u * (uint64_t)ASIDE_BYTES)

/*
 * Readers of pipes (dumpcap) take blocks of up to 262144 bytes, others more:
 * long lists of names are spread over several blocks.
 */
#define NRB_MAX PCAPNG_CAPLEN_MAX
#define NAME_LEN_MAX 255u	/* of a domain name, RFC 1035, 2.3.4; Wireshark shows 63 */
#define NAME_RECORD_MAX (4 + 16 + NAME_LEN_MAX + 1 + 3)

#define TSRESOL_NS 9u
#define SECTION_LEN_UNKNOWN UINT64_MAX
#define FILTER_LIBPCAP 0u	/* if_filter, first byte: text of libpcap */

#define OPT_HEAD 4u
#define OPT_TEXT_MAX (OPT_HEAD + PCAPNG_PADDED(NG_OPT_MAX))
#define OPT_U64 (OPT_HEAD + 8)

struct pcapng_writer {
	int fd;
	bool is_regular;
	uint8_t *buf;
	size_t size;
	size_t len;		/* whole blocks, and the one being built */
	size_t begin;		/* of the block being built */
	uint64_t total;		/* bytes of all blocks so far */
	uint32_t n_interfaces;
	bool has_header;
	int failed;		/* -errno of a write that failed; 0: none */
	bool sets_aside;	/* regular, its own, and the file system knows how */
	off_t at, aside_to;	/* where the next write goes, and what is set aside ends */
	outlet_patience *patience;	/* with a reader that stops; NULL: endless */
	uint64_t unwritten;	/* frames that failed, or came behind a failure */
	/* packed files */
	struct pcapng_packer *packer;
	uint8_t *packed;
	off_t flushed_at;	/* where the file ended after the last flush */
	uint64_t packed_frames;	/* behind the last flush: none of them is sure to be readable */
	bool unflushed;		/* the packer may hold something back */
	bool finished;
};

/* ------------------------------------------------------------------- output */

static uint32_t block_len_at(const uint8_t *block)
{
	return pcapng_load32(false, block + 4);
}

/* How many of the buffer's first n bytes are whole blocks. */
static size_t whole_blocks(const struct pcapng_writer *w, size_t n)
{
	size_t whole = 0;

	while (whole < n && block_len_at(w->buf + whole) <= n - whole)
		whole += block_len_at(w->buf + whole);
	return whole;
}

/* Frames among the buffer's blocks behind the first `from` bytes, which are whole ones. */
static uint64_t frames_behind(const struct pcapng_writer *w, size_t from)
{
	uint64_t n = 0;

	for (; from < w->len; from += block_len_at(w->buf + from))
		n += pcapng_load32(false, w->buf + from) == NG_EPB;
	return n;
}

/* Cuts a regular file back to the whole blocks of the `done` bytes written. */
static void cut_partial_block(const struct pcapng_writer *w, size_t whole, size_t done)
{
	off_t at;

	if (whole == done || !w->is_regular)
		return;
	/* Where the file offset is also tells what O_APPEND did to it. */
	at = lseek(w->fd, 0, SEEK_CUR);
	if (at < (off_t)(done - whole))
		return;
	at -= (off_t)(done - whole);
	if (ftruncate(w->fd, at) == 0)
		(void)lseek(w->fd, at, SEEK_SET);
}

static int report_failure(const struct pcapng_writer *w, struct err *err)
{
	return outlet_failed(err, w->failed, "write");
}

/* Space for what is to be written next. That there is none is said when it is needed. */
static void set_aside(struct pcapng_writer *w, size_t len)
{
	const off_t end = w->at + (off_t)len;
	struct statfs s;

	if (end < (off_t)ASIDE_FROM || end <= w->aside_to)
		return;
	w->sets_aside = fstatfs(w->fd, &s) == 0 && s.f_bsize > 0 &&
			s.f_bavail >= ASIDE_ROOM / (uint64_t)s.f_bsize &&
			fallocate(w->fd, FALLOC_FL_KEEP_SIZE, w->at, ASIDE_BYTES) == 0;
	if (w->sets_aside)
		w->aside_to = w->at + (off_t)ASIDE_BYTES;
}

/* What was set aside and not used goes back: cutting a file to the size it has does that. */
static void give_back(struct pcapng_writer *w)
{
	struct stat st;

	if (w->aside_to > w->at && fstat(w->fd, &st) == 0)
		(void)!ftruncate(w->fd, st.st_size);
	w->aside_to = 0;
	w->sets_aside = false;
}

/* Returns how many bytes could be written; less than n: w->failed says why. */
static size_t write_out(struct pcapng_writer *w, const uint8_t *p, size_t len)
{
	size_t done;

	if (w->sets_aside)
		set_aside(w, len);
	done = outlet_write(w->fd, p, len, w->patience);
	if (done < len)
		w->failed = -errno;
	w->at += (off_t)done;
	if (w->failed && w->aside_to)
		give_back(w);
	return done;
}

/* What is in the buffer through the packer, and what comes of it to the file. */
static void pack_out(struct pcapng_writer *w, enum pcapng_pack_to to)
{
	const uint8_t *in = w->buf;
	size_t left = w->len;
	int again = 1;

	if (to == PCAPNG_PACK_FLUSH && !left && !w->unflushed)
		return;
	w->packed_frames += frames_behind(w, 0);
	while (again > 0 && !w->failed) {
		size_t n = 0;

		again = pcapng_pack(w->packer, to, &in, &left, w->packed, PACKED_SIZE, &n);
		if (again < 0)
			w->failed = again;
		else
			(void)write_out(w, w->packed, n);
	}
	w->unflushed = to == PCAPNG_PACK_ON;
	if (w->failed)
		w->unwritten = w->packed_frames;
	else if (!w->unflushed)
		w->packed_frames = 0;
	if (!w->is_regular)
		return;
	if (w->failed && ftruncate(w->fd, w->flushed_at) == 0)
		(void)lseek(w->fd, w->flushed_at, SEEK_SET);
	else if (!w->failed && to != PCAPNG_PACK_ON)
		w->flushed_at = lseek(w->fd, 0, SEEK_CUR);
}

static int let_out(struct pcapng_writer *w, enum pcapng_pack_to to, struct err *err)
{
	if (w->failed)
		return report_failure(w, err);
	if (w->packer) {
		pack_out(w, to);
	} else {
		size_t done = write_out(w, w->buf, w->len);

		if (w->failed) {
			size_t whole = whole_blocks(w, done);

			w->unwritten = frames_behind(w, whole);
			cut_partial_block(w, whole, done);
		}
	}
	w->len = 0;
	return w->failed ? report_failure(w, err) : 0;
}

/* Room for n more bytes behind the blocks that are there. */
static int reserve(struct pcapng_writer *w, size_t n, struct err *err)
{
	if (w->failed)
		return report_failure(w, err);
	if (n <= w->size - w->len)
		return 0;

	int rc = let_out(w, PCAPNG_PACK_ON, err);

	if (rc < 0 || n <= w->size)
		return rc;

	size_t size = (n + BUFFER_ALIGN - 1) & ~(size_t)(BUFFER_ALIGN - 1);
	uint8_t *buf = aligned_alloc(BUFFER_ALIGN, size);

	if (!buf)
		return err_sys(err, -ENOMEM, "write buffer");
	free(w->buf);	/* empty: its blocks were just written */
	w->buf = buf;
	w->size = size;
	return 0;
}

/* ------------------------------------------------------------ block building */

static inline void put(struct pcapng_writer *w, const void *p, size_t n)
{
	memcpy(w->buf + w->len, p, n);
	w->len += n;
}

static inline void put16(struct pcapng_writer *w, uint16_t v)
{
	put(w, &v, sizeof(v));
}

static inline void put32(struct pcapng_writer *w, uint32_t v)
{
	put(w, &v, sizeof(v));
}

static inline void put64(struct pcapng_writer *w, uint64_t v)
{
	put(w, &v, sizeof(v));
}

/* The draft's time stamps are unsigned: what is before 1970 becomes 1970. */
static inline void put_time(struct pcapng_writer *w, int64_t time_ns)
{
	uint64_t t = time_ns > 0 ? (uint64_t)time_ns : 0;

	put32(w, (uint32_t)(t >> 32));
	put32(w, (uint32_t)t);
}

/*
 * Up to the next multiple of 4. Always stores four zeros, of which what follows
 * (at least the block's length) overwrites those that are too many.
 */
static inline void put_padding(struct pcapng_writer *w)
{
	const uint32_t zeros = 0;

	memcpy(w->buf + w->len, &zeros, sizeof(zeros));
	w->len += -(w->len - w->begin) & 3;
}

static inline void put_option(struct pcapng_writer *w, uint16_t code, uint16_t len)
{
	put16(w, code);
	put16(w, len);
}

static inline void put_end(struct pcapng_writer *w)
{
	put_option(w, NG_OPT_END, 0);
}

static inline void put_option64(struct pcapng_writer *w, uint16_t code, uint64_t v)
{
	put_option(w, code, 8);
	put64(w, v);
}

/* Text of any kind, made valid, at most max bytes; `kind` in front when not negative. */
static void put_text(struct pcapng_writer *w, uint16_t code, int kind, const char *text, size_t len)
{
	size_t head = kind >= 0 ? 1 : 0;
	size_t at = w->len;

	put_option(w, code, 0);
	if (head) {
		uint8_t k = (uint8_t)kind;

		put(w, &k, 1);
	}
	len = pcapng_utf8_copy((char *)w->buf + w->len, NG_OPT_MAX - head, text, len);
	w->len += len;

	uint16_t total = (uint16_t)(head + len);

	memcpy(w->buf + at + 2, &total, sizeof(total));
	put_padding(w);
}

static void put_string(struct pcapng_writer *w, uint16_t code, const char *text)
{
	if (text)
		put_text(w, code, -1, text, strlen(text));
}

/* Room for what text becomes as an option; each bad byte may become three. */
static size_t text_room(size_t len)
{
	return OPT_HEAD + 1 + 3 + (len < NG_OPT_MAX / 3 ? 3 * len : NG_OPT_MAX);
}

/* Starts a block that will have at most max bytes, its two ends included. */
static int begin(struct pcapng_writer *w, uint32_t type, size_t max, struct err *err)
{
	int rc = reserve(w, max, err);

	if (rc < 0)
		return rc;
	w->begin = w->len;
	put32(w, type);
	put32(w, 0);
	return 0;
}

static void end(struct pcapng_writer *w)
{
	uint32_t total = (uint32_t)(w->len - w->begin) + 4;

	memcpy(w->buf + w->begin + 4, &total, sizeof(total));
	put32(w, total);
	w->total += total;
}

/* ------------------------------------------------------------------- blocks */

struct pcapng_writer *pcapng_writer_new(int fd, size_t buffer_bytes, struct err *err)
{
	struct pcapng_writer *w = calloc(1, sizeof(*w));
	size_t size = buffer_bytes ? buffer_bytes : BUFFER_DEFAULT;
	struct stat st;

	if (size < BUFFER_MIN)
		size = BUFFER_MIN;
	if (!w || size > SIZE_MAX - BUFFER_ALIGN)
		goto no_memory;
	size = (size + BUFFER_ALIGN - 1) & ~(size_t)(BUFFER_ALIGN - 1);
	w->buf = aligned_alloc(BUFFER_ALIGN, size);
	if (!w->buf)
		goto no_memory;
	w->size = size;
	w->fd = fd;
	w->is_regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	return w;

no_memory:
	err_sys(err, -ENOMEM, "write buffer");
	free(w);
	return NULL;
}

void pcapng_writer_set_aside(struct pcapng_writer *w)
{
	w->at = w->is_regular ? lseek(w->fd, 0, SEEK_CUR) : -1;
	w->sets_aside = w->at >= 0;
}

void pcapng_writer_patience(struct pcapng_writer *w, outlet_patience *patience)
{
	w->patience = patience;
}

void pcapng_writer_free(struct pcapng_writer *w)
{
	if (!w)
		return;
	free(w->buf);
	free(w->packed);
	pcapng_packer_free(w->packer);
	free(w);
}

int pcapng_writer_pack(struct pcapng_writer *w, enum pcapng_packing kind, struct err *err)
{
	if (kind == PCAPNG_PLAIN)
		return 0;
	w->packer = pcapng_packer_new(kind);
	w->packed = malloc(PACKED_SIZE);
	if (!w->packer || !w->packed)
		return err_sys(err, -ENOMEM, "%s", pcapng_packing_name(kind));
	if (w->is_regular)
		w->flushed_at = lseek(w->fd, 0, SEEK_CUR);
	return 0;
}

int pcapng_writer_header(struct pcapng_writer *w, const struct pcapng_writer_config *config,
			 struct err *err)
{
	int rc = begin(w, NG_SHB, NG_SHB_MIN + 4 * OPT_TEXT_MAX + OPT_HEAD, err);

	if (rc < 0)
		return rc;
	put32(w, NG_BYTE_ORDER_MAGIC);
	put16(w, 1);
	put16(w, 0);
	put64(w, SECTION_LEN_UNKNOWN);
	put_string(w, NG_OPT_COMMENT, config->comment);
	put_string(w, NG_SHB_HARDWARE, config->hardware);
	put_string(w, NG_SHB_OS, config->os);
	put_string(w, NG_SHB_USERAPPL, config->application);
	put_end(w);
	end(w);
	w->has_header = true;
	w->n_interfaces = 0;
	return 0;
}

static void put_if_addr(struct pcapng_writer *w, const struct prefix *p)
{
	if (addr_is_v4(&p->addr)) {
		uint32_t mask = p->len == 0 ? 0 : p->len >= 32 ? UINT32_MAX :
				~(UINT32_MAX >> p->len);
		uint8_t m[4] = { (uint8_t)(mask >> 24), (uint8_t)(mask >> 16),
				 (uint8_t)(mask >> 8), (uint8_t)mask };

		put_option(w, NG_IF_IPV4, 8);
		put(w, p->addr.b + 12, 4);
		put(w, m, sizeof(m));
	} else {
		put_option(w, NG_IF_IPV6, 17);
		put(w, p->addr.b, 16);
		put(w, &p->len, 1);
		put_padding(w);
	}
}

int pcapng_writer_interface(struct pcapng_writer *w, const struct pcapng_writer_interface *i,
			    struct err *err)
{
	unsigned n_addrs = i->n_addrs < MODEL_HOP_ADDRS_MAX ? i->n_addrs : MODEL_HOP_ADDRS_MAX;
	const uint8_t tsresol = TSRESOL_NS;

	if (!w->has_header)
		return err_set(err, -EINVAL, "an interface before the section header");

	size_t room = NG_BLOCK_MIN + NG_IDB_BODY + 3 * OPT_TEXT_MAX +
		      n_addrs * (OPT_HEAD + PCAPNG_PADDED(17)) + 4 * OPT_U64;

	for (unsigned c = 0; c < i->n_comments; c++)
		room += text_room(strlen(i->comments[c]));

	int rc = begin(w, NG_IDB, room, err);

	if (rc < 0)
		return rc;
	put16(w, i->linktype);
	put16(w, 0);
	put32(w, PCAPNG_SNAPLEN_MAX);
	put_string(w, NG_IF_NAME, i->name);
	put_string(w, NG_IF_DESCRIPTION, i->description);
	for (unsigned a = 0; a < n_addrs; a++)
		put_if_addr(w, &i->addrs[a]);
	if (!mac_is_none(&i->mac)) {
		put_option(w, NG_IF_MAC, sizeof(i->mac.b));
		put(w, i->mac.b, sizeof(i->mac.b));
		put_padding(w);
	}
	put_option(w, NG_IF_TSRESOL, 1);
	put(w, &tsresol, 1);
	put_padding(w);
	if (i->filter)
		put_text(w, NG_IF_FILTER, FILTER_LIBPCAP, i->filter, strlen(i->filter));
	for (unsigned c = 0; c < i->n_comments; c++)
		put_string(w, NG_OPT_COMMENT, i->comments[c]);
	put_end(w);
	end(w);
	w->n_interfaces++;
	return 0;
}

/* One record: an address and one name. */
static void put_name(struct pcapng_writer *w, const struct pcapng_name *name)
{
	bool v4 = addr_is_v4(&name->addr);
	size_t addr_len = v4 ? 4 : 16;
	char text[NAME_LEN_MAX + 1];
	size_t len = pcapng_utf8_copy(text, NAME_LEN_MAX, name->name, strlen(name->name));

	text[len++] = '\0';
	put_option(w, v4 ? NG_NRB_IPV4 : NG_NRB_IPV6, (uint16_t)(addr_len + len));
	put(w, name->addr.b + 16 - addr_len, addr_len);
	put(w, text, len);
	put_padding(w);
}

int pcapng_writer_names(struct pcapng_writer *w, const struct pcapng_name *names, size_t n,
			struct err *err)
{
	const size_t tail = OPT_HEAD + OPT_HEAD + 4;	/* end of records, of options, length */

	if (!w->has_header)
		return err_set(err, -EINVAL, "names before the section header");
	for (size_t i = 0; i < n;) {
		size_t left = n - i;
		size_t max = NG_BLOCK_MIN + tail + NAME_RECORD_MAX *
			(left < NRB_MAX / NAME_RECORD_MAX ? left : NRB_MAX / NAME_RECORD_MAX);
		bool any = false;

		if (max > NRB_MAX)
			max = NRB_MAX;

		int rc = begin(w, NG_NRB, max, err);

		if (rc < 0)
			return rc;
		for (; i < n && max - (w->len - w->begin) >= NAME_RECORD_MAX + tail; i++) {
			if (!names[i].name || !names[i].name[0] || addr_is_none(&names[i].addr))
				continue;
			put_name(w, &names[i]);
			any = true;
		}
		if (!any) {
			w->len = w->begin;
			continue;
		}
		put_option(w, NG_NRB_END, 0);
		put_end(w);
		end(w);
	}
	return 0;
}

/* One store each, at the place where the block grows. */
static inline uint8_t *at16(uint8_t *at, uint16_t v)
{
	memcpy(at, &v, sizeof(v));
	return at + sizeof(v);
}

static inline uint8_t *at32(uint8_t *at, uint32_t v)
{
	memcpy(at, &v, sizeof(v));
	return at + sizeof(v);
}

static inline uint8_t *at64(uint8_t *at, uint64_t v)
{
	memcpy(at, &v, sizeof(v));
	return at + sizeof(v);
}

static inline uint8_t *at_option(uint8_t *at, uint16_t code, uint16_t len)
{
	return at16(at16(at, code), len);
}

/* n bytes and their padding; always four zeros more, which what follows overwrites. */
static inline uint8_t *at_padded(uint8_t *at, const void *p, uint32_t n)
{
	memcpy(at, p, n);
	at32(at + n, 0);
	return at + PCAPNG_PADDED(n);
}

/* Only printable ASCII: nothing has to be mended. */
static inline bool is_plain(const char *text, size_t n)
{
	const uint64_t high = 0x8080808080808080u, space = 0x2020202020202020u;
	uint64_t bad = 0, w;
	size_t i = 0;

	/* A byte below 0x20 borrows from its highest bit when 0x20 is taken away. */
	for (; i + sizeof(w) <= n; i += sizeof(w)) {
		memcpy(&w, text + i, sizeof(w));
		bad |= (w | (((w | high) - space) ^ high)) & high;
	}
	for (; i < n; i++)
		bad |= (uint8_t)text[i] < 0x20 || (uint8_t)text[i] > 0x7e;
	return !bad;
}

/* A comment that is not plain: made valid, the long way. */
static uint8_t *at_text(uint8_t *at, uint16_t code, const char *text, size_t n)
{
	uint16_t len = (uint16_t)pcapng_utf8_copy((char *)at + OPT_HEAD, NG_OPT_MAX, text, n);

	at_option(at, code, len);
	at32(at + OPT_HEAD + len, 0);
	return at + OPT_HEAD + PCAPNG_PADDED(len);
}

/*
 * The hot path of every capture: each field is put down once, at a place known as it comes.
 *
 * draft-ietf-opsawg-pcapng, 4.3: type, length | interface, time high, time low, captured
 * length, original length | data, padded | options | length again
 */
int pcapng_writer_packet(struct pcapng_writer *w, const struct pcapng_writer_packet *p,
			 struct err *err)
{
	const uint64_t t = p->time_ns > 0 ? (uint64_t)p->time_ns : 0;
	const size_t most = NG_BLOCK_MIN + NG_EPB_BODY + PCAPNG_PADDED(p->caplen) +
			    (p->comment ? text_room(p->comment_len) : 0) + 3 * OPT_U64 + OPT_HEAD;
	uint8_t *block, *at;

	if (p->interface >= w->n_interfaces)
		return err_set(err, -EINVAL, "a frame of interface %u, which is not described",
			       p->interface);
	if (p->caplen > PCAPNG_SNAPLEN_MAX)
		return err_set(err, -EMSGSIZE, "a frame of %u bytes, at most %u can be written",
			       p->caplen, PCAPNG_SNAPLEN_MAX);
	if (most > w->size - w->len || w->failed) {
		int rc = reserve(w, most, err);

		if (rc < 0) {
			w->unwritten++;
			return rc;
		}
	}
	block = w->buf + w->len;
	at = at32(block, NG_EPB);
	at = at32(at + 4, p->interface); /* the length comes last */
	at = at32(at32(at, (uint32_t)(t >> 32)), (uint32_t)t);
	at = at32(at, p->caplen);
	at = at32(at, p->len > p->caplen ? p->len : p->caplen);
	if (p->caplen)
		at = at_padded(at, p->data, p->caplen);
	if (p->comment) {
		if (p->comment_len <= NG_OPT_MAX &&
		    (p->comment_is_ascii || is_plain(p->comment, p->comment_len))) {
			at = at_option(at, NG_OPT_COMMENT, (uint16_t)p->comment_len);
			at = at_padded(at, p->comment, (uint32_t)p->comment_len);
		} else {
			at = at_text(at, NG_OPT_COMMENT, p->comment, p->comment_len);
		}
	}
	at = at32(at_option(at, NG_EPB_FLAGS, 4), p->flags); /* 0: which way is not known */
	if (p->drops)
		at = at64(at_option(at, NG_EPB_DROPCOUNT, 8), p->drops);
	if (p->packet_id)
		at = at64(at_option(at, NG_EPB_PACKETID, 8), p->packet_id);
	at = at_option(at, NG_OPT_END, 0);

	uint32_t total = (uint32_t)(at - block) + 4;

	at32(at, total);
	at32(block + 4, total);
	w->len += total;
	w->total += total;
	return 0;
}

static void put_counter(struct pcapng_writer *w, uint16_t code, int64_t v)
{
	if (v >= 0)
		put_option64(w, code, (uint64_t)v);
}

int pcapng_writer_statistics(struct pcapng_writer *w, const struct pcapng_statistics *s,
			     struct err *err)
{
	if (s->interface >= w->n_interfaces)
		return err_set(err, -EINVAL, "statistics of interface %u, which is not described",
			       s->interface);

	size_t room = 0;

	for (unsigned i = 0; i < s->n_comments; i++)
		room += text_room(strlen(s->comments[i]));

	int rc = begin(w, NG_ISB, NG_BLOCK_MIN + NG_ISB_BODY + 7 * OPT_U64 + OPT_HEAD + room, err);

	if (rc < 0)
		return rc;
	put32(w, s->interface);
	put_time(w, s->time_ns);
	if (s->start_ns) {
		put_option(w, NG_ISB_STARTTIME, 8);
		put_time(w, s->start_ns);
	}
	if (s->end_ns) {
		put_option(w, NG_ISB_ENDTIME, 8);
		put_time(w, s->end_ns);
	}
	put_counter(w, NG_ISB_IFRECV, s->if_recv);
	put_counter(w, NG_ISB_IFDROP, s->if_drop);
	put_counter(w, NG_ISB_FILTERACCEPT, s->filter_accept);
	put_counter(w, NG_ISB_OSDROP, s->os_drop);
	put_counter(w, NG_ISB_USRDELIV, s->user_deliv);
	for (unsigned i = 0; i < s->n_comments; i++)
		put_string(w, NG_OPT_COMMENT, s->comments[i]);
	put_end(w);
	end(w);
	return 0;
}

int pcapng_writer_flush(struct pcapng_writer *w, struct err *err)
{
	return let_out(w, PCAPNG_PACK_FLUSH, err);
}

int pcapng_writer_finish(struct pcapng_writer *w, struct err *err)
{
	if (w->finished)
		return 0;
	w->finished = true;

	int rc = let_out(w, PCAPNG_PACK_END, err);

	give_back(w);
	return rc;
}

uint64_t pcapng_writer_bytes(const struct pcapng_writer *w)
{
	return w->total;
}

uint64_t pcapng_writer_unwritten(const struct pcapng_writer *w)
{
	return w->unwritten;
}

size_t pcapng_writer_pending(const struct pcapng_writer *w)
{
	return w->len;
}

size_t pcapng_writer_ahead(const struct pcapng_writer *w)
{
	return w->aside_to > w->at ? (size_t)(w->aside_to - w->at) : 0;
}
