/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ng_span.c - from when to when a capture ran, as the end of its file tells.
 *
 * A file ends with one statistics block an interface. Each repeats its length at its
 * end, so the last ones can be found without reading what lies in front of them
 * (draft-ietf-opsawg-pcapng, 3.1 and 4.6).
 */
#include "podhop/pcapng.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "podhop/bytes.h"

#define BLOCK_STATISTICS 5u
#define BLOCK_SECTION 0x0a0d0d0au
#define ORDER_MAGIC 0x1a2b3c4du
#define STATISTICS_MIN 24u
#define OPTION_START 2u
#define OPTION_END 3u

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

int pcapng_read_span(const char *path, int64_t *ret_start_ns, int64_t *ret_end_ns)
{
	uint8_t head[12], tail[4], block[512];
	int64_t start = INT64_MAX, end = INT64_MIN;
	struct stat st;
	bool big;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), rc = -ENODATA;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
	    u32(head, false) != BLOCK_SECTION)
		goto out;
	big = u32(head + 8, true) == ORDER_MAGIC;
	if (!big && u32(head + 8, false) != ORDER_MAGIC)
		goto out;
	for (off_t at = st.st_size; at > (off_t)sizeof(head);) {
		int64_t s = INT64_MIN, e = INT64_MIN;
		uint32_t len;

		if (pread(fd, tail, sizeof(tail), at - (off_t)sizeof(tail)) !=
		    (ssize_t)sizeof(tail))
			break;
		len = u32(tail, big);
		if (len < STATISTICS_MIN || len > sizeof(block) || len % 4 || (off_t)len > at ||
		    pread(fd, block, len, at - (off_t)len) != (ssize_t)len ||
		    u32(block, big) != BLOCK_STATISTICS || u32(block + 4, big) != len)
			break;
		read_options(block, len, big, &s, &e);
		if (s == INT64_MIN || e == INT64_MIN || s > e)
			break;
		start = s < start ? s : start;
		end = e > end ? e : end;
		rc = 0;
		at -= (off_t)len;
	}
	if (!rc) {
		*ret_start_ns = start;
		*ret_end_ns = end;
	}
out:
	close(fd);
	return rc;
}
