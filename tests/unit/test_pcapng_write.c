/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_pcapng_write.c - what the pcapng writer puts out, byte for byte.
 *
 * The expected bytes are those of a little-endian machine; on others the tests
 * of bytes are skipped (the round trips in test_pcapng_read.c are not).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "podhop/pcapng.h"

#define HEADER_BYTES 32u	/* an SHB without strings: 28 and opt_endofopt */

struct out {
	int fd;
	struct pcapng_writer *w;
	uint8_t bytes[400000];
	size_t len;
};

static bool is_little_endian(void)
{
	const uint16_t one = 1;
	uint8_t first;

	memcpy(&first, &one, 1);
	return first == 1;
}

static void out_open(struct out *o)
{
	struct err err = ERR_INIT;

	o->fd = memfd_create("pcapng", MFD_CLOEXEC);
	assert_true(o->fd >= 0);
	o->w = pcapng_writer_new(o->fd, 0, &err);
	assert_non_null(o->w);
}

static void out_close(struct out *o)
{
	pcapng_writer_free(o->w);
	close(o->fd);
}

/* Flushes and reads everything back. */
static void out_get(struct out *o)
{
	struct err err = ERR_INIT;
	ssize_t n;

	assert_int_equal(pcapng_writer_flush(o->w, &err), 0);
	n = pread(o->fd, o->bytes, sizeof(o->bytes), 0);
	assert_true(n >= 0);
	o->len = (size_t)n;
	assert_int_equal(o->len, pcapng_writer_bytes(o->w));
}

static void out_header(struct out *o)
{
	const struct pcapng_writer_config config = { .comment = NULL };
	struct err err = ERR_INIT;

	out_open(o);
	assert_int_equal(pcapng_writer_header(o->w, &config, &err), 0);
}

static void out_interface(struct out *o)
{
	const struct pcapng_writer_interface i = { .linktype = 1 };
	struct err err = ERR_INIT;

	out_header(o);
	assert_int_equal(pcapng_writer_interface(o->w, &i, &err), 0);
}

#define IDB_BYTES 32u	/* of out_interface(): 20, if_tsresol 8, end 4 */

static void expect_tail(const struct out *o, size_t from, const uint8_t *want, size_t n)
{
	assert_int_equal(o->len - from, n);
	assert_memory_equal(o->bytes + from, want, n);
}

static struct out out;

static void test_header(void **state)
{
	static const uint8_t want[] = {
		0x0a, 0x0d, 0x0d, 0x0a, 0x54, 0, 0, 0,
		0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		1, 0, 13, 0, 'p', 'o', 'd', 'h', 'o', 'p', ' ',
		'n', 'o', 'd', 'e', '=', 'a', 0, 0, 0,
		2, 0, 3, 0, 'x', '8', '6', 0,
		3, 0, 5, 0, 'L', 'i', 'n', 'u', 'x', 0, 0, 0,
		4, 0, 6, 0, 'p', 'o', 'd', 'h', 'o', 'p', 0, 0,
		0, 0, 0, 0,
		0x54, 0, 0, 0,
	};
	const struct pcapng_writer_config config = {
		.hardware = "x86", .os = "Linux", .application = "podhop",
		.comment = "podhop node=a",
	};
	struct err err = ERR_INIT;

	(void)state;
	if (!is_little_endian())
		skip();
	out_open(&out);
	assert_int_equal(pcapng_writer_header(out.w, &config, &err), 0);
	assert_int_equal(pcapng_writer_bytes(out.w), sizeof(want));
	/* Nothing leaves before it is asked for. */
	assert_int_equal(lseek(out.fd, 0, SEEK_END), 0);
	out_get(&out);
	expect_tail(&out, 0, want, sizeof(want));
	out_close(&out);
}

static void test_interface(void **state)
{
	static const uint8_t want[] = {
		1, 0, 0, 0, 0x78, 0, 0, 0,
		1, 0, 0, 0, 0, 0, 4, 0,
		2, 0, 4, 0, 'c', 'n', 'i', '0',
		3, 0, 18, 0, 'p', 'o', 'd', 'h', 'o', 'p', ' ',
		'r', 'o', 'l', 'e', '=', 'b', 'r', 'i', 'd', 'g', 'e', 0, 0,
		4, 0, 8, 0, 10, 244, 1, 1, 255, 255, 255, 0,
		5, 0, 17, 0, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 64, 0, 0, 0,
		6, 0, 6, 0, 2, 1, 2, 3, 4, 5, 0, 0,
		9, 0, 1, 0, 9, 0, 0, 0,
		11, 0, 4, 0, 0, 't', 'c', 'p',
		0, 0, 0, 0,
		0x78, 0, 0, 0,
	};
	struct prefix addrs[2] = {
		{ .addr = { .b = { [10] = 0xff, 0xff, 10, 244, 1, 1 } }, .len = 24 },
		{ .addr = { .b = { 0xfd, [15] = 1 } }, .len = 64 },
	};
	const struct pcapng_writer_interface i = {
		.name = "cni0", .description = "podhop role=bridge", .filter = "tcp",
		.linktype = 1, .mac = { .b = { 2, 1, 2, 3, 4, 5 } }, .addrs = addrs, .n_addrs = 2,
	};
	struct err err = ERR_INIT;

	(void)state;
	if (!is_little_endian())
		skip();
	out_header(&out);
	assert_int_equal(pcapng_writer_interface(out.w, &i, &err), 0);
	out_get(&out);
	expect_tail(&out, HEADER_BYTES, want, sizeof(want));
	out_close(&out);
}

static void test_names(void **state)
{
	static const uint8_t want[] = {
		4, 0, 0, 0, 0x3c, 0, 0, 0,
		1, 0, 10, 0, 10, 244, 1, 2, 'd', '/', 'w', 'e', 'b', 0, 0, 0,
		2, 0, 20, 0, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 'w', 'e', 'b', 0,
		0, 0, 0, 0,
		0, 0, 0, 0,
		0x3c, 0, 0, 0,
	};
	const struct pcapng_name names[] = {
		{ .addr = { .b = { [10] = 0xff, 0xff, 10, 244, 1, 2 } }, .name = "d/web" },
		/* these two are left out */
		{ .addr = { .b = { [10] = 0xff, 0xff, 10, 244, 1, 3 } }, .name = "" },
		{ .addr = { .b = { 0 } }, .name = "nobody" },
		{ .addr = { .b = { 0xfd, [15] = 7 } }, .name = "web" },
	};
	struct err err = ERR_INIT;

	(void)state;
	if (!is_little_endian())
		skip();
	out_header(&out);
	assert_int_equal(pcapng_writer_names(out.w, names, 0, &err), 0);
	assert_int_equal(pcapng_writer_names(out.w, names + 1, 2, &err), 0);
	/* no block without a name */
	assert_int_equal(pcapng_writer_bytes(out.w), HEADER_BYTES);
	assert_int_equal(pcapng_writer_names(out.w, names, 4, &err), 0);
	out_get(&out);
	expect_tail(&out, HEADER_BYTES, want, sizeof(want));
	out_close(&out);
}

static void test_packet_bare(void **state)
{
	static const uint8_t want[] = {
		6, 0, 0, 0, 0x34, 0, 0, 0,
		0, 0, 0, 0, 0x90, 0x97, 0x94, 0x17, 0x05, 0x2a, 0xa0, 0x5e,
		5, 0, 0, 0, 0xdc, 5, 0, 0,
		1, 2, 3, 4, 5, 0, 0, 0,
		2, 0, 4, 0, 0, 0, 0, 0,		/* the way is not known, and said to be */
		0, 0, 0, 0,
		0x34, 0, 0, 0,
	};
	static const uint8_t data[] = { 1, 2, 3, 4, 5 };
	const struct pcapng_writer_packet p = {
		.interface = 0, .time_ns = 0x179497905ea02a05, .caplen = 5, .len = 1500,
		.data = data,
	};
	struct err err = ERR_INIT;

	(void)state;
	if (!is_little_endian())
		skip();
	out_interface(&out);
	assert_int_equal(pcapng_writer_packet(out.w, &p, &err), 0);
	out_get(&out);
	expect_tail(&out, HEADER_BYTES + IDB_BYTES, want, sizeof(want));
	out_close(&out);
}

static void test_packet_full(void **state)
{
	static const uint8_t want[] = {
		6, 0, 0, 0, 0x58, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0,
		4, 0, 0, 0, 4, 0, 0, 0,
		0xaa, 0xbb, 0xcc, 0xdd,
		1, 0, 11, 0, 'p', 'o', 'd', 'h', 'o', 'p', ' ', 'i', 'd', '=', '7', 0,
		2, 0, 4, 0, 2, 0, 0, 0,
		4, 0, 8, 0, 3, 0, 0, 0, 0, 0, 0, 0,
		5, 0, 8, 0, 7, 0, 0, 0, 0, 0, 0, 0x80,
		0, 0, 0, 0,
		0x58, 0, 0, 0,
	};
	static const uint8_t data[] = { 0xaa, 0xbb, 0xcc, 0xdd };
	const struct pcapng_writer_packet p = {
		.time_ns = 1, .caplen = 4, .len = 2,	/* too small: caplen counts */
		.data = data, .flags = PCAPNG_FLAG_OUT, .packet_id = 0x8000000000000007, .drops = 3,
		.comment = "podhop id=7", .comment_len = 11,
	};
	struct err err = ERR_INIT;

	(void)state;
	if (!is_little_endian())
		skip();
	out_interface(&out);
	assert_int_equal(pcapng_writer_packet(out.w, &p, &err), 0);
	out_get(&out);
	expect_tail(&out, HEADER_BYTES + IDB_BYTES, want, sizeof(want));
	out_close(&out);
}

static void test_statistics(void **state)
{
	static const uint8_t want[] = {
		5, 0, 0, 0, 0x64, 0, 0, 0,
		0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0,
		2, 0, 8, 0, 0, 0, 0, 0, 5, 0, 0, 0,
		3, 0, 8, 0, 1, 0, 0, 0, 2, 0, 0, 0,
		4, 0, 8, 0, 100, 0, 0, 0, 0, 0, 0, 0,
		5, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		6, 0, 8, 0, 90, 0, 0, 0, 0, 0, 0, 0,
		8, 0, 8, 0, 80, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0,
		0x64, 0, 0, 0,
	};
	const struct pcapng_statistics s = {
		.time_ns = 0x100000002, .start_ns = 5, .end_ns = 0x100000002,
		.if_recv = 100, .if_drop = 0, .filter_accept = 90, .os_drop = -1, .user_deliv = 80,
	};
	struct err err = ERR_INIT;

	(void)state;
	if (!is_little_endian())
		skip();
	out_interface(&out);
	assert_int_equal(pcapng_writer_statistics(out.w, &s, &err), 0);
	out_get(&out);
	expect_tail(&out, HEADER_BYTES + IDB_BYTES, want, sizeof(want));
	out_close(&out);
}

/* Comments that are no valid text, and what must be in the file instead. */
static void test_text_is_repaired(void **state)
{
#define FFFD "\xef\xbf\xbd"
	static const struct {
		const char *in;
		size_t in_len;
		const char *want;
	} cases[] = {
		{ "plain", 5, "plain" },
		{ "", 0, "" },
		{ "h\xc3\xbcgel \xe2\x82\xac \xf0\x9f\x90\xb3", 15,
		  "h\xc3\xbcgel \xe2\x82\xac \xf0\x9f\x90\xb3" },
		{ "nul\0in it", 9, "nul" FFFD "in it" },
		{ "a long text with a nul\0 here", 28, "a long text with a nul" FFFD " here" },
		{ "\xff", 1, FFFD },
		{ "a\x80" "b", 3, "a" FFFD "b" },
		{ "\xc0\x80", 2, FFFD FFFD },			/* overlong NUL */
		{ "\xe0\x9f\xbf", 3, FFFD FFFD FFFD },		/* overlong */
		{ "\xed\xa0\x80", 3, FFFD FFFD FFFD },		/* surrogate */
		{ "\xf4\x90\x80\x80", 4, FFFD FFFD FFFD FFFD },	/* beyond U+10FFFF */
		{ "\xf0\x9f\x90", 3, FFFD },			/* cut off: one for the start */
		{ "\xf0\x9f\x90x", 4, FFFD "x" },
	};
	static const uint8_t data[4];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pcapng_writer_packet p = {
			.caplen = 4, .len = 4, .data = data,
			.comment = cases[i].in, .comment_len = cases[i].in_len,
		};
		struct err err = ERR_INIT;
		const size_t at = HEADER_BYTES + IDB_BYTES + 32;
		uint16_t len;

		out_interface(&out);
		assert_int_equal(pcapng_writer_packet(out.w, &p, &err), 0);
		out_get(&out);
		memcpy(&len, out.bytes + at + 2, 2);
		assert_int_equal(len, strlen(cases[i].want));
		assert_memory_equal(out.bytes + at + 4, cases[i].want, len);
		out_close(&out);
	}
}

/* Longer than an option can be: cut, and never inside a character. */
static void test_long_text_is_cut(void **state)
{
	static char text[70002];
	static const uint8_t data[4];
	struct pcapng_writer_packet p = {
		.caplen = 4, .len = 4, .data = data, .comment = text,
	};
	struct err err = ERR_INIT;
	const size_t at = HEADER_BYTES + IDB_BYTES + 32;
	uint16_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xbc", 2);
	p.comment_len = sizeof(text);
	out_interface(&out);
	assert_int_equal(pcapng_writer_packet(out.w, &p, &err), 0);
	out_get(&out);
	memcpy(&len, out.bytes + at + 2, 2);
	assert_int_equal(len, 65534);
	out_close(&out);

	memset(text, 'x', sizeof(text));
	out_interface(&out);
	assert_int_equal(pcapng_writer_packet(out.w, &p, &err), 0);
	out_get(&out);
	memcpy(&len, out.bytes + at + 2, 2);
	assert_int_equal(len, 65535);
	out_close(&out);
}

static void test_misuse(void **state)
{
	static uint8_t data[PCAPNG_SNAPLEN_MAX + 1];
	const struct pcapng_writer_interface i = { .linktype = 1 };
	struct pcapng_writer_packet p = { .caplen = 1, .len = 1, .data = data };
	struct pcapng_statistics s = { .interface = 1 };
	struct err err = ERR_INIT;

	(void)state;
	out_open(&out);
	assert_int_equal(pcapng_writer_interface(out.w, &i, &err), -EINVAL);
	out_close(&out);

	out_interface(&out);
	p.interface = 1;
	assert_int_equal(pcapng_writer_packet(out.w, &p, &err), -EINVAL);
	assert_int_equal(pcapng_writer_statistics(out.w, &s, NULL), -EINVAL);
	p.interface = 0;
	p.caplen = PCAPNG_SNAPLEN_MAX + 1;
	assert_int_equal(pcapng_writer_packet(out.w, &p, &err), -EMSGSIZE);
	assert_int_equal(pcapng_writer_bytes(out.w), HEADER_BYTES + IDB_BYTES);
	p.caplen = PCAPNG_SNAPLEN_MAX;
	assert_int_equal(pcapng_writer_packet(out.w, &p, &err), 0);
	out_get(&out);
	out_close(&out);
	pcapng_writer_free(NULL);
}

/* A pipe's reader takes blocks of up to 262144 bytes: many names make several. */
static void test_many_names(void **state)
{
	enum { N = 5000 };
	static struct pcapng_name names[N];
	static char text[256];
	struct err err = ERR_INIT;
	size_t at, blocks = 0;

	(void)state;
	memset(text, 'n', sizeof(text) - 1);
	for (unsigned i = 0; i < N; i++)
		names[i] = (struct pcapng_name){
			.addr = { .b = { 0xfd, [14] = (uint8_t)(i >> 8), (uint8_t)i } },
			.name = text,
		};
	out_header(&out);
	assert_int_equal(pcapng_writer_names(out.w, names, 1000, &err), 0);
	out_get(&out);
	for (at = HEADER_BYTES; at < out.len; blocks++) {
		uint32_t len;

		memcpy(&len, out.bytes + at + 4, 4);
		assert_true(len <= PCAPNG_SNAPLEN_MAX);
		at += len;
	}
	assert_int_equal(at, out.len);
	assert_int_equal(blocks, 2);
	out_close(&out);
}

/* A write that stops half-way leaves whole blocks in a regular file. */
static void test_cut_to_whole_block(void **state)
{
	enum { LIMIT = 10001 };
	char path[] = "/tmp/podhop-test-pcapng-XXXXXX";
	const struct pcapng_writer_config config = { .comment = NULL };
	const struct pcapng_writer_interface i = { .linktype = 1 };
	static const uint8_t data[100];
	const struct pcapng_writer_packet p = { .caplen = 100, .len = 100, .data = data };
	struct rlimit old, limit;
	struct err err = ERR_INIT;
	struct pcapng_writer *w;
	struct pcapng_reader *r;
	struct pcapng_frame f;
	int fd = mkstemp(path), rc, frames = 0;

	(void)state;
	assert_true(fd >= 0);
	assert_ptr_not_equal(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = old;
	limit.rlim_cur = LIMIT;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);

	w = pcapng_writer_new(fd, 0, &err);
	assert_non_null(w);
	assert_int_equal(pcapng_writer_header(w, &config, &err), 0);
	assert_int_equal(pcapng_writer_interface(w, &i, &err), 0);
	for (int n = 0; n < 20; n++)
		assert_int_equal(pcapng_writer_packet(w, &p, &err), 0);
	assert_int_equal(pcapng_writer_flush(w, &err), 0);
	for (int n = 0; n < 80; n++)
		assert_int_equal(pcapng_writer_packet(w, &p, &err), 0);
	rc = pcapng_writer_flush(w, &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(rc, -EFBIG);
	assert_string_equal(err.text, "write: File too large");
	/* 64 bytes of header, 144 a frame: 69 of them fit */
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 64 + 69 * 144);
	assert_int_equal(lseek(fd, 0, SEEK_END), 64 + 69 * 144);
	/* The failure stays, also with room again. */
	assert_int_equal(pcapng_writer_unwritten(w), 100 - 69);
	assert_int_equal(pcapng_writer_packet(w, &p, &err), -EFBIG);
	assert_int_equal(pcapng_writer_flush(w, &err), -EFBIG);
	assert_int_equal(pcapng_writer_unwritten(w), 101 - 69);
	pcapng_writer_free(w);
	close(fd);

	r = pcapng_reader_open(path, &err);
	assert_non_null(r);
	while ((rc = pcapng_reader_next(r, &f, &err)) > 0)
		frames++;
	assert_int_equal(rc, PCAPNG_EVENT_END);
	assert_int_equal(frames, 69);
	pcapng_reader_free(r);
	unlink(path);
}

/* A large file has space ahead while it is written; its size is what was written, always. */
static void test_space_ahead(void **state)
{
	enum { FRAMES = 8000 };
	static const uint8_t data[1000];
	const struct pcapng_writer_packet p = { .caplen = 1000, .len = 1000, .data = data };
	const struct pcapng_writer_config config = { .comment = NULL };
	const struct pcapng_writer_interface i = { .linktype = 1 };
	char path[] = "/tmp/podhop-test.XXXXXX";
	int fd = mkstemp(path);
	struct err err = ERR_INIT;
	struct pcapng_writer *w;
	struct statfs room;
	struct stat st;
	bool can;

	(void)state;
	assert_true(fd >= 0);
	unlink(path);
	can = fstatfs(fd, &room) == 0 &&
	      (uint64_t)room.f_bavail * (uint64_t)room.f_bsize > 2u << 30 &&
	      fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 4096) == 0 && ftruncate(fd, 0) == 0;
	w = pcapng_writer_new(fd, 0, &err);
	assert_non_null(w);
	pcapng_writer_set_aside(w);
	assert_int_equal(pcapng_writer_header(w, &config, &err), 0);
	assert_int_equal(pcapng_writer_interface(w, &i, &err), 0);
	for (int n = 0; n < FRAMES / 4; n++)
		assert_int_equal(pcapng_writer_packet(w, &p, &err), 0);
	assert_int_equal(pcapng_writer_flush(w, &err), 0);
	assert_int_equal(pcapng_writer_ahead(w), 0); /* 2 MB: a small file */
	for (int n = FRAMES / 4; n < FRAMES; n++)
		assert_int_equal(pcapng_writer_packet(w, &p, &err), 0);
	assert_int_equal(pcapng_writer_flush(w, &err), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, pcapng_writer_bytes(w));
	if (can) {
		assert_true(pcapng_writer_ahead(w) > 0);
		assert_true(pcapng_writer_ahead(w) <= 16u << 20);
		assert_true((uint64_t)st.st_blocks * 512 >= (uint64_t)st.st_size +
							    pcapng_writer_ahead(w));
	} else {
		assert_int_equal(pcapng_writer_ahead(w), 0);
	}
	assert_int_equal(pcapng_writer_finish(w, &err), 0);
	assert_int_equal(pcapng_writer_ahead(w), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, pcapng_writer_bytes(w));
	assert_true((uint64_t)st.st_blocks * 512 < (uint64_t)st.st_size + (1u << 20));
	pcapng_writer_free(w);
	close(fd);
}

static void test_full_device(void **state)
{
	const struct pcapng_writer_config config = { .comment = NULL };
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct err err = ERR_INIT;
	struct pcapng_writer *w;

	(void)state;
	if (fd < 0)
		skip();
	w = pcapng_writer_new(fd, 0, &err);
	assert_non_null(w);
	assert_int_equal(pcapng_writer_header(w, &config, &err), 0);
	assert_int_equal(pcapng_writer_flush(w, &err), -ENOSPC);
	assert_int_equal(err.class, ERR_FAILED);
	pcapng_writer_free(w);
	close(fd);
}

/* A pipe that does not block: the writer waits until its reader has caught up. */
static void test_nonblocking_pipe(void **state)
{
	enum { FRAMES = 3000 };
	static const uint8_t data[1000];
	const struct pcapng_writer_packet p = { .caplen = 1000, .len = 1000, .data = data };
	const struct pcapng_writer_config config = { .comment = NULL };
	const struct pcapng_writer_interface i = { .linktype = 1 };
	struct err err = ERR_INIT;
	struct pcapng_writer *w;
	int fds[2], status;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct pcapng_reader *r;
		struct pcapng_frame f;
		int n = 0;

		close(fds[1]);
		(void)dup2(fds[0], 0);
		usleep(20000);
		r = pcapng_reader_open("-", NULL);
		while (r && pcapng_reader_next(r, &f, NULL) == PCAPNG_EVENT_FRAME)
			n++;
		_exit(r && n == FRAMES && pcapng_reader_next(r, &f, NULL) == 0 ? 0 : 1);
	}
	close(fds[0]);
	assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
	w = pcapng_writer_new(fds[1], 1, &err);	/* rounded up to the least */
	assert_non_null(w);
	assert_int_equal(pcapng_writer_header(w, &config, &err), 0);
	assert_int_equal(pcapng_writer_interface(w, &i, &err), 0);
	for (int n = 0; n < FRAMES; n++)
		assert_int_equal(pcapng_writer_packet(w, &p, &err), 0);
	assert_int_equal(pcapng_writer_flush(w, &err), 0);
	pcapng_writer_free(w);
	close(fds[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void test_reader_of_pipe_gone(void **state)
{
	const struct pcapng_writer_config config = { .comment = NULL };
	struct err err = ERR_INIT;
	struct pcapng_writer *w;
	int fds[2];

	(void)state;
	assert_ptr_not_equal(signal(SIGPIPE, SIG_IGN), SIG_ERR);
	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	w = pcapng_writer_new(fds[1], 0, &err);
	assert_non_null(w);
	assert_int_equal(pcapng_writer_header(w, &config, &err), 0);
	assert_int_equal(pcapng_writer_flush(w, &err), -EPIPE);
	pcapng_writer_free(w);
	close(fds[1]);
}

/*
 * A file with everything the writer can write. Where PODHOP_JUDGE_FILE names a
 * file it is left there for tests/lab/pcapng-judge.sh, which shows it to tshark,
 * capinfos and tcpdump; here our own reader must find it sound.
 */
#define JUDGE_FRAMES 1000

static void test_everything(void **state)
{
	/* 10.244.1.2:40000 > 10.244.2.3:53, UDP, 4 bytes; checksums right */
	static const uint8_t frame[] = {
		2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0,
		0x45, 0, 0, 0x20, 0, 1, 0x40, 0, 0x40, 0x11, 0x22, 0xdd,
		10, 244, 1, 2, 10, 244, 2, 3,
		0x9c, 0x40, 0x13, 0x89, 0, 0x0c, 0, 0, 'a', 'b', 'c', 'd',
	};
	static const char *const names[] = { "veth0", "cni0", "flannel.1", "eth0" };
	static const char *const comments[] = {
		NULL, "podhop id=31 hop=3 dir=egress path=veth>bridge>vtep dt_ns=24000",
		"", "two\nlines \xe2\x82\xac and \xff", "abc", "abcd",
	};
	static char long_text[70000];
	static uint8_t large[PCAPNG_CAPLEN_MAX];
	const char *path = getenv("PODHOP_JUDGE_FILE");
	const struct pcapng_writer_config config = {
		.hardware = "x86_64", .os = "Linux 6.1", .application = "podhop",
		.comment = "podhop node=n1 pods=default/web:10.244.1.2 filter=udp",
	};
	struct prefix addrs[2] = {
		{ .addr = { .b = { [10] = 0xff, 0xff, 10, 244, 1, 1 } }, .len = 24 },
		{ .addr = { .b = { 0xfd, [15] = 1 } }, .len = 64 },
	};
	const struct pcapng_name known[] = {
		{ .addr = { .b = { [10] = 0xff, 0xff, 10, 244, 1, 2 } }, .name = "default/web" },
		{ .addr = { .b = { [10] = 0xff, 0xff, 10, 244, 2, 3 } },
		  .name = "kube-system/dns" },
		{ .addr = { .b = { 0xfd, [15] = 7 } }, .name = "default/six" },
	};
	int fd = path ? open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) :
			memfd_create("judge", MFD_CLOEXEC);
	struct err err = ERR_INIT;
	struct pcapng_writer *w;
	struct pcapng_reader *r;
	struct pcapng_frame f;
	char fd_path[32];
	int rc, frames = 0;

	(void)state;
	assert_true(fd >= 0);
	memset(long_text, 'x', sizeof(long_text));
	memcpy(large, frame, sizeof(frame));
	w = pcapng_writer_new(fd, 0, &err);
	assert_non_null(w);
	assert_int_equal(pcapng_writer_header(w, &config, &err), 0);
	for (unsigned i = 0; i < 4; i++) {
		const struct pcapng_writer_interface wi = {
			.name = names[i], .description = i ? "podhop role=x node=n1" : NULL,
			.filter = i % 2 ? "udp port 8472 or (ip[6:2] & 0x1fff != 0)" : NULL,
			.linktype = 1, .mac = { .b = { 2, 0, 0, 0, 0, (uint8_t)i } },
			.addrs = addrs, .n_addrs = i % 3,
		};

		assert_int_equal(pcapng_writer_interface(w, &wi, &err), 0);
	}
	assert_int_equal(pcapng_writer_names(w, known, 3, &err), 0);
	for (unsigned i = 0; i < JUDGE_FRAMES; i++) {
		const char *comment = comments[i % 6];
		struct pcapng_writer_packet p = {
			.interface = i % 4, .time_ns = 1700000000000000000 + i * 1001,
			.caplen = sizeof(frame) - i % 5, .len = sizeof(frame), .data = frame,
			.flags = i % 3, .packet_id = i / 4, .drops = i % 50 == 49,
			.comment = comment, .comment_len = comment ? strlen(comment) : 0,
		};

		if (i == 500) {
			p.comment = long_text;
			p.comment_len = sizeof(long_text);
		} else if (i == 600) {
			p.data = large;
			p.caplen = p.len = sizeof(large);
		}
		assert_int_equal(pcapng_writer_packet(w, &p, &err), 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		const struct pcapng_statistics s = {
			.interface = i, .time_ns = 1700000001000000000,
			.start_ns = 1700000000000000000, .end_ns = 1700000001000000000,
			.if_recv = 250, .if_drop = i ? 0 : -1, .filter_accept = 250, .os_drop = 0,
			.user_deliv = 250,
		};

		assert_int_equal(pcapng_writer_statistics(w, &s, &err), 0);
	}
	assert_int_equal(pcapng_writer_flush(w, &err), 0);
	pcapng_writer_free(w);

	(void)snprintf(fd_path, sizeof(fd_path), "/proc/self/fd/%d", fd);
	r = pcapng_reader_open(fd_path, &err);
	assert_non_null(r);
	while ((rc = pcapng_reader_next(r, &f, &err)) > 0)
		frames += rc == PCAPNG_EVENT_FRAME;
	assert_int_equal(rc, PCAPNG_EVENT_END);
	assert_int_equal(frames, JUDGE_FRAMES);
	pcapng_reader_free(r);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_interface),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_packet_bare),
		cmocka_unit_test(test_packet_full),
		cmocka_unit_test(test_statistics),
		cmocka_unit_test(test_text_is_repaired),
		cmocka_unit_test(test_long_text_is_cut),
		cmocka_unit_test(test_misuse),
		cmocka_unit_test(test_many_names),
		cmocka_unit_test(test_cut_to_whole_block),
		cmocka_unit_test(test_space_ahead),
		cmocka_unit_test(test_full_device),
		cmocka_unit_test(test_nonblocking_pipe),
		cmocka_unit_test(test_reader_of_pipe_gone),
		cmocka_unit_test(test_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
