/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ng_span.c - from when to when a capture ran, as the end of its file tells.
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

#define BLOCK_STATISTICS 5u
#define BLOCK_SECTION 0x0a0d0d0au
#define ORDER_MAGIC 0x1a2b3c4du
#define STATISTICS_MIN 24u
#define OPTION_START 2u
#define OPTION_END 3u
#define HEAD_BYTES 12u
#define BLOCK_BYTES_MAX 512u	/* of a statistics block that are looked at: comments come last */
#define BLOCK_LEN_MAX (64u << 10)
#define TAIL_BYTES (128u << 10)	/* of a packed file: 256 interfaces at least */

/* The file, or the last bytes of what is packed in it. */
struct source {
	int fd;
	const struct pcapng_window *tail;	/* NULL: the file */
	uint64_t size;
};

static uint32_t u32(const uint8_t *p, bool big)
{
	return big ? bytes_load_be32(p)
		   : (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static uint16_t u16(const uint8_t *p, bool big)
{
	return big ? bytes_load_be16(p) : (uint16_t)(p[1] << 8 | p[0]);
}

/* Start and end out of one statistics block's options; what is absent stays. */
static void read_options(const uint8_t *block, uint32_t len, bool big, int64_t *start,
			 int64_t *end)
{
	struct bytes b = bytes_of(block + 20, len - STATISTICS_MIN);

	while (bytes_has(&b, 4)) {
		const uint8_t *head = bytes_take(&b, 4);
		uint16_t code = u16(head, big), n = u16(head + 2, big);
		const uint8_t *value = bytes_take(&b, n);

		if (!value || !code)
			return;
		if (n == 8 && (code == OPTION_START || code == OPTION_END)) {
			uint64_t t = (uint64_t)u32(value, big) << 32 | u32(value + 4, big);

			if (t <= INT64_MAX)
				*(code == OPTION_START ? start : end) = (int64_t)t;
		}
		bytes_skip(&b, -(size_t)n % 4);
	}
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
static int read_tail(const struct source *src, bool big, int64_t *ret_start_ns, int64_t *ret_end_ns)
{
	uint8_t tail[4], block[BLOCK_BYTES_MAX];
	int64_t start = INT64_MAX, end = INT64_MIN;
	int rc = -ENODATA;

	for (uint64_t at = src->size; at > HEAD_BYTES;) {
		int64_t s = INT64_MIN, e = INT64_MIN;
		uint32_t len, n;

		if (!read_at(src, tail, sizeof(tail), at - sizeof(tail)))
			break;
		len = u32(tail, big);
		n = len < sizeof(block) ? len : sizeof(block);
		if (len < STATISTICS_MIN || len > BLOCK_LEN_MAX || len % 4 || len > at ||
		    !read_at(src, block, n, at - len) || u32(block, big) != BLOCK_STATISTICS ||
		    u32(block + 4, big) != len)
			break;
		read_options(block, n, big, &s, &e);
		if (s == INT64_MIN || e == INT64_MIN || s > e)
			break;
		start = s < start ? s : start;
		end = e > end ? e : end;
		rc = 0;
		at -= len;
	}
	if (!rc) {
		*ret_start_ns = start;
		*ret_end_ns = end;
	}
	return rc;
}

/* Is this a pcapng section, and of which byte order? */
static bool is_section(const uint8_t head[static HEAD_BYTES], bool *ret_big)
{
	*ret_big = u32(head + 8, true) == ORDER_MAGIC;
	return u32(head, false) == BLOCK_SECTION &&
	       (*ret_big || u32(head + 8, false) == ORDER_MAGIC);
}

static int read_packed(int fd, enum pcapng_packing packing, int64_t *ret_start_ns,
		       int64_t *ret_end_ns)
{
	off_t before = lseek(fd, 0, SEEK_CUR);
	struct pcapng_window w;
	bool big = false;
	int rc;

	pcapng_window_of_file(&w, fd);
	rc = pcapng_window_rewind(&w);
	if (before < 0 || rc < 0)
		return rc < 0 ? rc : -errno;
	rc = pcapng_window_unpack(&w, packing);
	if (!rc)
		rc = pcapng_window_fill(&w, HEAD_BYTES);
	if (!rc && !is_section(pcapng_window_at(&w), &big))
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
		rc = read_tail(&src, big, ret_start_ns, ret_end_ns);
	} else {
		rc = -ENODATA;
	}
	pcapng_window_done(&w);
	return lseek(fd, before, SEEK_SET) < 0 ? -errno : rc;
}

int pcapng_read_span(int fd, int64_t *ret_start_ns, int64_t *ret_end_ns)
{
	uint8_t head[HEAD_BYTES];
	struct stat st;
	bool big;
	int rc = -ENODATA;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head))
		return rc;
	enum pcapng_packing packing = pcapng_packing_of(head, sizeof(head));
	if (packing) {
		rc = read_packed(fd, packing, ret_start_ns, ret_end_ns);
	} else if (is_section(head, &big)) {
		struct source src = { .fd = fd, .size = (uint64_t)st.st_size };
		rc = read_tail(&src, big, ret_start_ns, ret_end_ns);
	}
	return rc;
}
