/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ng_tail.c - from when to when a capture ran and what it dropped, as the end of its file tells.
 *
 * A file ends with one statistics block an interface. Each repeats its length at its
 * end, so the last ones can be found without reading what lies in front of them
 * (draft-ietf-opsawg-pcapng, 3.1 and 4.6). Only a packed file has to be unpacked
 * for it; its last bytes are kept.
 */
#include "pcapng_priv.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD_BYTES 12u			/* of a file: its section's type, length and byte order */
#define BLOCK_HEAD 8u			/* type and length, in front of a block's body */
#define BLOCK_BYTES_MAX 512u	/* of a statistics block that are looked at: comments come last */
#define BLOCK_LEN_MAX (64u << 10)
#define TAIL_BYTES (128u << 10)	/* of a packed file: 256 interfaces at least */

/* The file, or the last bytes of what is packed in it. */
struct source {
	int fd;
	const struct pcapng_window *tail;	/* NULL: the file */
	uint64_t size;
};

#define NO_TIME INT64_MIN

static int64_t time_or_none(uint64_t t)
{
	if (t > INT64_MAX)
		return NO_TIME;
	return t < (uint64_t)MODEL_TIME_MAX_NS ? (int64_t)t : MODEL_TIME_MAX_NS;
}

/* Out of one statistics block's options; what is absent stays. */
static void read_options(struct bytes b, bool swapped, int64_t *start, int64_t *end,
			 struct pcapng_drops *drops)
{
	struct pcapng_option o;

	while (pcapng_option_next(&b, swapped, &o) > 0) {
		if (o.len != 8)
			continue;
		uint64_t time = pcapng_load_time(swapped, o.value);
		int64_t count = pcapng_counter(pcapng_load64(swapped, o.value));

		switch (o.code) {
		case NG_ISB_STARTTIME: *start = time_or_none(time); break;
		case NG_ISB_ENDTIME: *end = time_or_none(time); break;
		case NG_ISB_IFDROP: drops->if_drop = count; break;
		case NG_ISB_OSDROP: drops->os_drop = count; break;
		default: break;
		}
	}
}

/* Counters go on counting: of several blocks of one interface the last, which is read first. */
static void note_drops(struct pcapng_tail *ret, const struct pcapng_drops *drops)
{
	for (unsigned i = 0; i < ret->n_drops; i++)
		if (ret->drops[i].interface == drops->interface)
			return;
	if (ret->n_drops < PCAPNG_TAIL_MAX)
		ret->drops[ret->n_drops++] = *drops;
}

static bool read_at(const struct source *src, uint8_t *buf, size_t n, uint64_t at)
{
	if (!src->tail)
		return pread(src->fd, buf, n, (off_t)at) == (ssize_t)n;
	if (at < src->tail->offset || n > src->size - at)
		return false;
	memcpy(buf, pcapng_window_at(src->tail) + (at - src->tail->offset), n);
	return true;
}

/* Statistics blocks from the end on, as long as there are any. */
static int read_blocks(const struct source *src, bool swapped, struct pcapng_tail *ret)
{
	struct pcapng_tail found = { .start_ns = INT64_MAX, .end_ns = INT64_MIN };
	uint8_t tail[4], block[BLOCK_BYTES_MAX];
	int rc = -ENODATA;

	for (uint64_t at = src->size; at > HEAD_BYTES;) {
		int64_t start = NO_TIME, end = NO_TIME;
		struct pcapng_drops drops = { .if_drop = -1, .os_drop = -1 };
		uint32_t len, n;

		if (!read_at(src, tail, sizeof(tail), at - sizeof(tail)))
			break;
		len = pcapng_load32(swapped, tail);
		n = len < sizeof(block) ? len : sizeof(block);
		if (len < NG_BLOCK_MIN + NG_ISB_BODY || len > BLOCK_LEN_MAX || len % 4 ||
		    len > at || !read_at(src, block, n, at - len) ||
		    pcapng_load32(swapped, block) != NG_ISB ||
		    pcapng_load32(swapped, block + 4) != len)
			break;
		drops.interface = pcapng_load32(swapped, block + BLOCK_HEAD);
		read_options(bytes_of(block + BLOCK_HEAD + NG_ISB_BODY,
				      n - NG_BLOCK_MIN - NG_ISB_BODY),
			     swapped, &start, &end, &drops);
		note_drops(&found, &drops);
		if (start != NO_TIME && end != NO_TIME && start <= end) {
			found.start_ns = start < found.start_ns ? start : found.start_ns;
			found.end_ns = end > found.end_ns ? end : found.end_ns;
			found.has_span = true;
		}
		rc = 0;
		at -= len;
	}
	if (!rc)
		*ret = found;
	return rc;
}

/* Is this a pcapng section, and of which byte order? */
static bool is_section(const uint8_t head[static HEAD_BYTES], bool *ret_swapped)
{
	*ret_swapped = pcapng_load32(true, head + BLOCK_HEAD) == NG_BYTE_ORDER_MAGIC;
	return pcapng_load32(false, head) == NG_SHB &&
	       (*ret_swapped || pcapng_load32(false, head + BLOCK_HEAD) == NG_BYTE_ORDER_MAGIC);
}

static int read_packed(int fd, enum pcapng_packing packing, struct pcapng_tail *ret)
{
	struct pcapng_window w;
	bool swapped = false;
	int rc;

	pcapng_window_of_file(&w, fd);
	rc = pcapng_window_unpack(&w, packing);
	if (!rc)
		rc = pcapng_window_fill(&w, HEAD_BYTES);
	if (!rc && !is_section(pcapng_window_at(&w), &swapped))
		rc = -ENODATA;
	while (!rc) {
		rc = pcapng_window_fill(&w, TAIL_BYTES + 1);
		if (!rc)
			pcapng_window_pass(&w, pcapng_window_left(&w) - TAIL_BYTES);
	}
	/* That is how it ends; anything else is damage. */
	if (rc == -ENODATA && w.eof && !w.cut) {
		struct source src = { .fd = -1, .tail = &w,
				      .size = w.offset + pcapng_window_left(&w) };
		rc = read_blocks(&src, swapped, ret);
	} else {
		rc = -ENODATA;
	}
	pcapng_window_done(&w);
	return rc;
}

int pcapng_read_tail(int fd, struct pcapng_tail *ret)
{
	uint8_t head[HEAD_BYTES];
	struct stat st;
	bool swapped;
	int rc = -ENODATA;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head))
		return rc;
	enum pcapng_packing packing = pcapng_packing_of(head, sizeof(head));
	if (packing) {
		rc = read_packed(fd, packing, ret);
	} else if (is_section(head, &swapped)) {
		struct source src = { .fd = fd, .size = (uint64_t)st.st_size };
		rc = read_blocks(&src, swapped, ret);
	}
	return rc;
}
