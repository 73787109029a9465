/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_pcapng_pack.c - captures packed with gzip and zstd: written, read, cut, damaged.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "podhop/pcapng.h"

#define START 1700000000000000000LL
#define N_FRAMES 200u
#define FRAME_LEN 300u
#define FLUSH_EVERY 20u
#define FILE_MAX (1u << 20)

static const enum pcapng_packing kinds[] = { PCAPNG_GZIP, PCAPNG_ZSTD };
#define EACH_KIND(k) (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)

static char path[64];
static uint8_t bytes[FILE_MAX];

static int set_up(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/podhop-pack-XXXXXX");
	int fd = mkstemp(path);
	return fd < 0 || close(fd) < 0;
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

/* A frame that does not pack well, and the same at each call. */
static void make_frame(uint32_t number, uint8_t frame[FRAME_LEN])
{
	uint32_t x = number + 1;

	for (unsigned i = 0; i < FRAME_LEN; i++) {
		x = x * 1664525u + 1013904223u;
		frame[i] = (uint8_t)(x >> 24);
	}
}

static void write_frame(struct pcapng_writer *w, uint32_t number)
{
	uint8_t frame[FRAME_LEN];
	struct err err = ERR_INIT;
	struct pcapng_writer_packet p = { .time_ns = START + number, .caplen = FRAME_LEN,
					  .len = FRAME_LEN, .data = frame };

	make_frame(number, frame);
	assert_int_equal(pcapng_writer_packet(w, &p, &err), 0);
}

static struct pcapng_writer *begin(FILE *f, enum pcapng_packing kind)
{
	struct pcapng_writer_config config = { .comment = "podhop node=n pods= filter=" };
	struct pcapng_writer_interface eth = { .name = "eth0", .linktype = 1 };
	struct err err = ERR_INIT;
	struct pcapng_writer *w = pcapng_writer_new(fileno(f), 4096, &err);

	assert_non_null(w);
	if (kind)
		assert_int_equal(pcapng_writer_pack(w, kind, &err), 0);
	assert_int_equal(pcapng_writer_header(w, &config, &err), 0);
	assert_int_equal(pcapng_writer_interface(w, &eth, &err), 0);
	return w;
}

/* What has come to the file so far; returns its length. */
static size_t contents(void)
{
	FILE *f = fopen(path, "re");
	size_t n;

	assert_non_null(f);
	n = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	return n;
}

/* flushed_at[i]: length of the file when i * FLUSH_EVERY frames were flushed */
static size_t write_capture(enum pcapng_packing kind, size_t flushed_at[])
{
	struct pcapng_statistics s = { .time_ns = START + N_FRAMES, .start_ns = START,
				       .end_ns = START + N_FRAMES, .if_recv = -1, .if_drop = -1,
				       .filter_accept = -1, .os_drop = 0, .user_deliv = -1 };
	struct err err = ERR_INIT;
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	struct pcapng_writer *w = begin(f, kind);
	for (uint32_t i = 0; i < N_FRAMES; i++) {
		if (flushed_at && i % FLUSH_EVERY == 0) {
			assert_int_equal(pcapng_writer_flush(w, &err), 0);
			flushed_at[i / FLUSH_EVERY] = contents();
			/* Once more: nothing new, nothing written. */
			assert_int_equal(pcapng_writer_flush(w, &err), 0);
			assert_int_equal(contents(), flushed_at[i / FLUSH_EVERY]);
		}
		write_frame(w, i);
	}
	assert_int_equal(pcapng_writer_statistics(w, &s, &err), 0);
	assert_int_equal(pcapng_writer_finish(w, &err), 0);
	pcapng_writer_free(w);
	fclose(f);
	return contents();
}

/* Reads to the end; every frame must be the next one. Returns how many, the end in *ret_rc. */
static unsigned read_all(struct pcapng_reader *r, int *ret_rc, struct err *err)
{
	struct pcapng_frame f;
	uint8_t want[FRAME_LEN];
	unsigned n = 0;

	while ((*ret_rc = pcapng_reader_next(r, &f, err)) > 0) {
		if (*ret_rc != PCAPNG_EVENT_FRAME)
			continue;
		make_frame(n % N_FRAMES, want);
		assert_int_equal(f.frame.caplen, FRAME_LEN);
		assert_memory_equal(f.frame.data, want, FRAME_LEN);
		assert_true(f.frame.time_ns == START + n % N_FRAMES);
		n++;
	}
	pcapng_reader_free(r);
	return n;
}

static unsigned read_memory(size_t len, int *ret_rc, struct err *err)
{
	/* Exactly sized: a sanitizer sees a step beyond the end. */
	uint8_t *copy = malloc(len ? len : 1);
	unsigned n = 0;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	struct pcapng_reader *r = pcapng_reader_from_memory(copy, len, "f", err);
	if (r)
		n = read_all(r, ret_rc, err);
	else
		*ret_rc = err->code;
	free(copy);
	return n;
}

static int tail_of(const char *name, struct pcapng_tail *ret)
{
	int fd = open(name, O_RDONLY), rc = pcapng_read_tail(fd, ret);

	assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
	close(fd);
	return rc;
}

static void test_round_trip(void **state)
{
	(void)state;
	for EACH_KIND(k) {
		struct err err = ERR_INIT;
		struct pcapng_tail tail;
		int rc;
		size_t len = write_capture(kinds[k], NULL);

		assert_true(pcapng_is_capture(bytes, len));
		assert_int_equal(read_memory(len, &rc, &err), N_FRAMES);
		assert_int_equal(rc, 0);
		struct pcapng_frame f;
		struct pcapng_reader *r = pcapng_reader_from_memory(bytes, len, "f", &err);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(pcapng_reader_next(r, &f, &err), PCAPNG_EVENT_FRAME);
		assert_int_equal(pcapng_reader_rewind(r, &err), 0);
		assert_int_equal(read_all(r, &rc, &err), N_FRAMES);
		r = pcapng_reader_open(path, &err);
		assert_non_null(r);
		assert_true(pcapng_reader_is_regular(r));
		while ((rc = pcapng_reader_next(r, &f, &err)) > 0)
			;
		assert_int_equal(rc, 0);
		assert_int_equal(pcapng_reader_rewind(r, &err), 0);
		assert_int_equal(read_all(r, &rc, &err), N_FRAMES);
		assert_int_equal(rc, 0);
		assert_int_equal(tail_of(path, &tail), 0);
		assert_true(tail.has_span && tail.start_ns == START &&
			    tail.end_ns == START + N_FRAMES);
	}
}

static void skip_frames(struct pcapng_reader *r, unsigned n, uint64_t first)
{
	struct err err = ERR_INIT;
	struct pcapng_frame f;

	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(pcapng_reader_next(r, &f, &err), PCAPNG_EVENT_FRAME);
		assert_int_equal(f.frame.number, first + i);
	}
}

/* Several readers of one file, each at its own place, also in memory. */
static void test_read_again(void **state)
{
	static const enum pcapng_packing all[] = { PCAPNG_PLAIN, PCAPNG_GZIP, PCAPNG_ZSTD };

	(void)state;
	for (size_t k = 0; k < 2 * sizeof(all) / sizeof(all[0]); k++) {
		struct err err = ERR_INIT;
		size_t len = write_capture(all[k / 2], NULL);
		int rc;
		struct pcapng_reader *r = k & 1 ? pcapng_reader_from_memory(bytes, len, "f", &err)
						: pcapng_reader_open(path, &err);

		assert_non_null(r);
		skip_frames(r, 30, 1);
		struct pcapng_reader *a = pcapng_reader_again(r, 1, &err);
		struct pcapng_reader *b = pcapng_reader_again(r, 1u << 20, &err);

		assert_true(a && b);
		skip_frames(a, 50, 1);
		skip_frames(r, 10, 31);
		assert_int_equal(read_all(b, &rc, &err), N_FRAMES);
		assert_int_equal(rc, 0);
		skip_frames(a, 5, 51);
		assert_int_equal(pcapng_reader_rewind(r, &err), 0);
		skip_frames(a, 5, 56);
		assert_int_equal(pcapng_reader_rewind(a, &err), 0);
		skip_frames(r, 20, 1);
		assert_int_equal(read_all(a, &rc, &err), N_FRAMES);
		skip_frames(r, 20, 21);
		pcapng_reader_free(r);
	}
}

/* What goes by once has no second reader. */
static void test_pipe_is_read_once(void **state)
{
	struct err err = ERR_INIT;
	char fifo[sizeof(path) + 2];

	(void)state;
	snprintf(fifo, sizeof(fifo), "%s.f", path);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	struct pcapng_reader *r = pcapng_reader_open(fifo, &err);

	assert_non_null(r);
	assert_null(pcapng_reader_again(r, 1, &err));
	assert_int_equal(err.code, -ESPIPE);
	pcapng_reader_free(r);
	unlink(fifo);
}

/* kill -9 at any time: all that was flushed is there. */
static void test_flushed(void **state)
{
	(void)state;
	for EACH_KIND(k) {
		size_t at[N_FRAMES / FLUSH_EVERY + 1];

		write_capture(kinds[k], at);
		for (unsigned i = 0; i < N_FRAMES / FLUSH_EVERY; i++) {
			struct err err = ERR_INIT;
			int rc;

			assert_int_equal(read_memory(at[i], &rc, &err), i * FLUSH_EVERY);
			assert_int_equal(rc, -ENODATA);
			assert_non_null(strstr(err.text, "f: cut short at offset "));
			assert_non_null(strstr(err.text, "data has no end"));
		}
	}
}

static void test_every_cut(void **state)
{
	(void)state;
	for EACH_KIND(k) {
		size_t len = write_capture(kinds[k], NULL);
		unsigned before = 0;

		for (size_t cut = 0; cut < len; cut += cut < 600 || len - cut < 200 ? 1 : 97) {
			struct err err = ERR_INIT;
			int rc;
			unsigned n = read_memory(cut, &rc, &err);

			assert_true(rc == -ENODATA || (cut < 4 && rc == -EBADMSG));
			assert_true(err.text[0] && n >= before);
			before = n;
		}
		/* gzip's trailer alone was missing. All of this is one block to zstd. */
		assert_int_equal(before, kinds[k] == PCAPNG_GZIP ? N_FRAMES : 0);
		/* A file that is not whole does not say when its capture ended. */
		struct pcapng_tail tail;
		assert_int_equal(truncate(path, (off_t)len - 1), 0);
		assert_int_equal(tail_of(path, &tail), -ENODATA);
	}
}

static void test_damage(void **state)
{
	(void)state;
	for EACH_KIND(k) {
		size_t len = write_capture(kinds[k], NULL);

		for (size_t i = 0; i < len; i += i < 64 ? 1 : 331) {
			struct pcapng_frame f;
			struct err err = ERR_INIT;
			int rc;

			bytes[i] ^= 0x55;
			struct pcapng_reader *r = pcapng_reader_from_memory(bytes, len, "f", &err);
			rc = r ? 1 : err.code;
			for (unsigned n = 0; r && rc > 0 && n < 2 * N_FRAMES; n++)
				rc = pcapng_reader_next(r, &f, &err);
			assert_true(rc <= 0);
			pcapng_reader_free(r);
			bytes[i] ^= 0x55;
		}
	}
	/* gzip's checksum is looked at. */
	size_t len = write_capture(PCAPNG_GZIP, NULL);
	struct err err = ERR_INIT;
	int rc;
	bytes[len - 6] ^= 1;
	assert_int_equal(read_memory(len, &rc, &err), N_FRAMES);
	assert_int_equal(rc, -EBADMSG);
	assert_non_null(strstr(err.text, "the gzip data is damaged"));
}

/* cat a.gz b.gz, and what does not belong there */
static void test_several(void **state)
{
	(void)state;
	for EACH_KIND(k) {
		struct err err = ERR_INIT;
		int rc;
		size_t len = write_capture(kinds[k], NULL);

		memmove(bytes + len, bytes, len);
		assert_int_equal(read_memory(2 * len, &rc, &err), 2 * N_FRAMES);
		assert_int_equal(rc, 0);
		memcpy(bytes + len, "something else, of some length", 30);
		assert_int_equal(read_memory(len + 30, &rc, &err), N_FRAMES);
		assert_int_equal(rc, -EBADMSG);
	}
}

static void test_pipe(void **state)
{
	(void)state;
	for EACH_KIND(k) {
		struct pcapng_frame f;
		struct err err = ERR_INIT;
		size_t at[N_FRAMES / FLUSH_EVERY + 1];
		size_t len = write_capture(kinds[k], at);
		unsigned n = 0;
		char name[32];
		int fds[2], rc;

		assert_int_equal(pipe(fds), 0);
		snprintf(name, sizeof(name), "/dev/fd/%d", fds[0]);
		struct pcapng_reader *r = pcapng_reader_open(name, &err);
		assert_non_null(r);
		assert_int_equal(pcapng_reader_set_nonblocking(r, &err), 0);
		for (size_t i = 0; i < len; i++) {
			assert_int_equal(write(fds[1], bytes + i, 1), 1);
			do {
				rc = pcapng_reader_next(r, &f, &err);
				n += rc == PCAPNG_EVENT_FRAME;
			} while (rc > 0 && rc != PCAPNG_EVENT_IDLE);
			if (i + 1 == len)
				break;
			assert_int_equal(rc, PCAPNG_EVENT_IDLE);
			/* What was flushed is handed out as soon as it has come. */
			for (unsigned j = 0; j < N_FRAMES / FLUSH_EVERY; j++)
				assert_true(i + 1 < at[j] || n >= j * FLUSH_EVERY);
		}
		close(fds[1]);
		while ((rc = pcapng_reader_next(r, &f, &err)) > 0)
			n += rc == PCAPNG_EVENT_FRAME;
		assert_int_equal(rc, 0);
		assert_int_equal(n, N_FRAMES);
		pcapng_reader_free(r);
		close(fds[0]);
	}
}

/* A full disk: the file ends at the last flush. */
static void test_disk_full(void **state)
{
	struct rlimit before, small;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	for EACH_KIND(k) {
		struct err err = ERR_INIT;
		FILE *f = fopen(path, "we");
		uint32_t n = 0, flushed = 0;
		int rc = 0;

		assert_non_null(f);
		struct pcapng_writer *w = begin(f, kinds[k]);
		small = before;
		small.rlim_cur = 20000;
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
		for (; !rc && n < 10000; n++) {
			uint8_t frame[FRAME_LEN];
			struct pcapng_writer_packet p = { .time_ns = START + n % N_FRAMES,
							  .caplen = FRAME_LEN, .len = FRAME_LEN,
							  .data = frame };
			make_frame(n % N_FRAMES, frame);
			rc = pcapng_writer_packet(w, &p, &err);
			if (!rc && n % FLUSH_EVERY == FLUSH_EVERY - 1) {
				rc = pcapng_writer_flush(w, &err);
				flushed = rc ? flushed : n + 1;
			}
		}
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
		assert_int_equal(rc, -EFBIG);
		assert_true(flushed > 0);
		assert_int_equal(pcapng_writer_finish(w, &err), -EFBIG);
		assert_int_equal(pcapng_writer_unwritten(w), n - flushed);
		pcapng_writer_free(w);
		fclose(f);
		size_t len = contents();
		assert_int_equal(read_memory(len, &rc, &err), flushed);
		assert_int_equal(rc, -ENODATA);
	}
	signal(SIGXFSZ, SIG_DFL);
}

static void test_names(void **state)
{
	static const struct {
		const char *path;
		size_t n;
		enum pcapng_packing kind;
	} cases[] = {
		{ "x.pcapng", 0, PCAPNG_PLAIN },   { "x.pcapng.gz", 3, PCAPNG_GZIP },
		{ "x.zst", 4, PCAPNG_ZSTD },	   { "x.gz1", 0, PCAPNG_PLAIN },
		{ "a.gz/x", 0, PCAPNG_PLAIN },	   { ".gz", 0, PCAPNG_PLAIN },
		{ "x.zstd", 5, PCAPNG_ZSTD },	   { "-", 0, PCAPNG_PLAIN },
		{ "X.PCAPNG.GZ", 3, PCAPNG_GZIP }, { "x.Zst", 4, PCAPNG_ZSTD },
		{ "x.xz", 0, PCAPNG_PLAIN },
	};
	static const char *const unknown[] = { "x.xz", "x.pcapng.BZ2", "x.lz4", "x.Z" };
	static const uint8_t text[] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x4b, 0xcf, 0xca, 0x2c,
					0x52, 0x48, 0xcd, 0xcd, 0x2f, 0x4a, 0xe5, 2, 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum pcapng_packing kind = PCAPNG_ZSTD;

		assert_int_equal(pcapng_packing_suffix(cases[i].path, &kind), cases[i].n);
		assert_int_equal(kind, cases[i].kind);
		assert_int_equal(pcapng_packing_is_unknown(cases[i].path),
				 strcmp(cases[i].path, "x.xz") == 0);
	}
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		assert_true(pcapng_packing_is_unknown(unknown[i]));
	assert_false(pcapng_is_capture(text, sizeof(text)));
	assert_false(pcapng_is_capture(text, 2));
	assert_false(pcapng_is_capture((const uint8_t *)"", 0));
	assert_true(pcapng_is_capture((const uint8_t *)"\x0a\x0d\x0d\x0a", 4));
	assert_true(pcapng_is_capture((const uint8_t *)"\xd4\xc3\xb2\xa1", 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_again), cmocka_unit_test(test_pipe_is_read_once),
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_flushed),
		cmocka_unit_test(test_every_cut),  cmocka_unit_test(test_damage),
		cmocka_unit_test(test_several),	   cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_disk_full),  cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
