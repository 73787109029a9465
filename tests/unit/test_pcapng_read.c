/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_pcapng_read.c - what the reader makes of good, odd and hostile files.
 *
 * Theory of operation
 *
 * A small builder writes blocks of either byte order; nearly every case runs in
 * both. Files are read from memory, which goes the same way as files and pipes;
 * tests of pipes and the file system follow. The last test reads a collection
 * of captures of other projects and compares the counts with its manifest; it
 * is skipped where the collection is not there (PODHOP_CAPTURES says where).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "podhop/pcapng.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ------------------------------------------------------------------ builder */

struct file {
	bool big;	/* byte order of what is added next */
	size_t n;
	size_t block;	/* start of the block being built */
	uint8_t b[1u << 16];
};

static void put(struct file *f, const void *p, size_t n)
{
	assert_true(n <= sizeof(f->b) - f->n);
	memcpy(f->b + f->n, p, n);
	f->n += n;
}

static void put_num(struct file *f, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++) {
		unsigned shift = 8 * (f->big ? bytes - 1 - i : i);
		uint8_t byte = (uint8_t)(v >> shift);

		put(f, &byte, 1);
	}
}

static void p16(struct file *f, unsigned v)
{
	put_num(f, v, 2);
}

static void p32(struct file *f, uint32_t v)
{
	put_num(f, v, 4);
}

static void p64(struct file *f, uint64_t v)
{
	put_num(f, v, 8);
}

static void ptime(struct file *f, uint64_t t)
{
	p32(f, (uint32_t)(t >> 32));
	p32(f, (uint32_t)t);
}

static void pad(struct file *f)
{
	while ((f->n - f->block) % 4)
		put(f, "", 1);
}

static void opt(struct file *f, unsigned code, const void *value, size_t len)
{
	p16(f, code);
	p16(f, (unsigned)len);
	put(f, value, len);
	pad(f);
}

static void opt_text(struct file *f, unsigned code, const char *text)
{
	opt(f, code, text, strlen(text));
}

static void opt_num(struct file *f, unsigned code, uint64_t v, unsigned bytes)
{
	p16(f, code);
	p16(f, bytes);
	put_num(f, v, bytes);
	pad(f);
}

static void begin(struct file *f, uint32_t type)
{
	f->block = f->n;
	p32(f, type);
	p32(f, 0);
}

static void end(struct file *f)
{
	size_t n;
	uint32_t total;

	pad(f);
	n = f->n;
	total = (uint32_t)(n - f->block) + 4;
	f->n = f->block + 4;
	p32(f, total);
	f->n = n;
	p32(f, total);
}

static void shb_head(struct file *f, unsigned minor)
{
	begin(f, 0x0a0d0d0a);
	p32(f, 0x1a2b3c4d);
	p16(f, 1);
	p16(f, minor);
	p64(f, UINT64_MAX);
}

static void shb(struct file *f)
{
	shb_head(f, 0);
	end(f);
}

static void idb_head(struct file *f, unsigned linktype, uint32_t snaplen)
{
	begin(f, 1);
	p16(f, linktype);
	p16(f, 0);
	p32(f, snaplen);
}

static void idb(struct file *f)
{
	idb_head(f, 1, 0);
	end(f);
}

static void epb_head(struct file *f, uint32_t id, uint64_t t, uint32_t caplen, uint32_t len)
{
	begin(f, 6);
	p32(f, id);
	ptime(f, t);
	p32(f, caplen);
	p32(f, len);
	for (uint32_t i = 0; i < caplen; i++) {
		uint8_t byte = (uint8_t)(i + 1);

		put(f, &byte, 1);
	}
	pad(f);
}

static void epb(struct file *f, uint32_t id, uint64_t t, uint32_t caplen)
{
	epb_head(f, id, t, caplen, caplen);
	end(f);
}

static struct file file;

static struct file *fresh(bool big)
{
	file.n = 0;
	file.block = 0;
	file.big = big;
	return &file;
}

/* ------------------------------------------------------------------ reading */

#define EVENTS_MAX 64

struct events {
	int rc;			/* the last answer */
	unsigned n_frames, n_times;
	struct pcapng_frame frames[EVENTS_MAX];	/* data and comment dangle */
	int64_t times[EVENTS_MAX];
	struct err err;
};

static struct events ev;

/* Reads memory to its end into ev; NULL when it is refused at once. */
static struct pcapng_reader *read_all(const void *data, size_t n)
{
	struct pcapng_reader *r;
	struct pcapng_frame frame;
	uint64_t offset = 0, number = 0;

	memset(&ev, 0, sizeof(ev));
	r = pcapng_reader_from_memory(data, n, "f", &ev.err);
	if (!r) {
		ev.rc = ev.err.code;
		assert_true(ev.rc < 0);
		return NULL;
	}
	while ((ev.rc = pcapng_reader_next(r, &frame, &ev.err)) > 0) {
		assert_true(pcapng_reader_offset(r) >= offset);
		offset = pcapng_reader_offset(r);
		if (ev.rc == PCAPNG_EVENT_TIME && ev.n_times < EVENTS_MAX)
			ev.times[ev.n_times++] = frame.frame.time_ns;
		if (ev.rc != PCAPNG_EVENT_FRAME)
			continue;
		assert_true(frame.frame.len >= frame.frame.caplen);
		assert_true(frame.frame.hop < pcapng_reader_n_interfaces(r));
		if (ev.n_frames < EVENTS_MAX)
			ev.frames[ev.n_frames++] = frame;
		assert_int_equal(frame.frame.number, ++number);
	}
	/* The last answer stays. */
	assert_int_equal(pcapng_reader_next(r, &frame, NULL), ev.rc);
	return r;
}

static struct pcapng_reader *read_file(const struct file *f)
{
	return read_all(f->b, f->n);
}

static void expect_frames(const struct file *f, unsigned n)
{
	struct pcapng_reader *r = read_file(f);

	if (ev.rc != PCAPNG_EVENT_END)
		fail_msg("%s", ev.err.text);
	assert_int_equal(ev.n_frames, n);
	pcapng_reader_free(r);
}

/* ------------------------------------------------------------ odd but sound */

static void odd_nothing(struct file *f)
{
	shb(f);
}

static void odd_minor_2(struct file *f)
{
	shb_head(f, 2);
	end(f);
	idb(f);
	epb(f, 0, 1, 60);
}

static void odd_no_end_of_options(struct file *f)
{
	shb(f);
	idb(f);
	epb_head(f, 0, 1, 60, 60);
	opt_text(f, 1, "comment");
	end(f);
}

static void odd_bytes_behind_end_of_options(struct file *f)
{
	shb(f);
	idb(f);
	epb_head(f, 0, 1, 60, 60);
	opt(f, 0, "", 0);
	p32(f, 0xffffffff);	/* were it an option, it would run past the block */
	end(f);
}

static void odd_unknown_blocks(struct file *f)
{
	shb(f);
	begin(f, 4711);
	end(f);
	idb(f);
	begin(f, 0x0bad);
	p32(f, 1234);
	end(f);
	begin(f, 0x80000001);
	put(f, "abc", 3);
	end(f);
	epb(f, 0, 1, 60);
	begin(f, 10);
	end(f);
}

static void odd_unknown_options(struct file *f)
{
	shb_head(f, 0);
	opt_text(f, 4711, "what");
	end(f);
	idb_head(f, 1, 0);
	opt_text(f, 33000, "x");
	opt_text(f, 2988, "12345");
	end(f);
	epb_head(f, 0, 1, 1, 1);
	opt_text(f, 291, "y");
	opt(f, 0, "", 0);
	end(f);
}

static void odd_late_interface(struct file *f)
{
	shb(f);
	idb(f);
	epb(f, 0, 1, 60);
	idb(f);
	epb(f, 1, 1, 60);
}

static void odd_above_snaplen(struct file *f)
{
	shb(f);
	idb_head(f, 1, 20);
	end(f);
	epb(f, 0, 1, 60);
}

static void odd_zero_length(struct file *f)
{
	shb(f);
	idb(f);
	epb(f, 0, UINT64_MAX, 0);
	epb(f, 0, 0, 0);
}

static void odd_wrong_section_length(struct file *f)
{
	begin(f, 0x0a0d0d0a);
	p32(f, 0x1a2b3c4d);
	p16(f, 1);
	p16(f, 0);
	p64(f, 4);
	end(f);
	idb(f);
	epb(f, 0, 1, 60);
}

static void odd_option_lengths(struct file *f)
{
	shb(f);
	idb_head(f, 1, 0);
	opt_text(f, 2, "");
	opt(f, 6, "x", 1);		/* if_MACaddr */
	opt(f, 9, "\x09\x09", 2);	/* if_tsresol: ignored */
	opt(f, 11, "", 0);		/* if_filter */
	opt(f, 14, "", 0);
	end(f);
	epb_head(f, 0, 1, 60, 60);
	opt(f, 2, "\1\0", 2);		/* epb_flags */
	opt(f, 5, "\1\0", 2);
	opt(f, 4, "", 0);
	end(f);
}

static void odd_nrb_first(struct file *f)
{
	shb(f);
	begin(f, 4);
	opt(f, 77, "??", 2);
	opt(f, 1, "\x0a\0\0\1", 4);	/* no name at all */
	opt(f, 1, "\x0a\0\0\1web\0", 8);
	/* no end of records */
	end(f);
	idb(f);
	epb(f, 0, 1, 60);
}

static void test_odd_but_sound(void **state)
{
	static const struct {
		const char *name;
		void (*build)(struct file *f);
		unsigned n_frames;
	} cases[] = {
		{ "a section header alone", odd_nothing, 0 },
		{ "minor version 2", odd_minor_2, 1 },
		{ "no opt_endofopt", odd_no_end_of_options, 1 },
		{ "bytes behind opt_endofopt", odd_bytes_behind_end_of_options, 1 },
		{ "unknown blocks", odd_unknown_blocks, 1 },
		{ "unknown options", odd_unknown_options, 1 },
		{ "interface behind frames", odd_late_interface, 2 },
		{ "caplen above snaplen", odd_above_snaplen, 1 },
		{ "frames without bytes", odd_zero_length, 2 },
		{ "section length is wrong", odd_wrong_section_length, 1 },
		{ "options of wrong length", odd_option_lengths, 1 },
		{ "names first", odd_nrb_first, 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		for (int big = 0; big < 2; big++) {
			struct file *f = fresh(big);

			print_message("  %s, %s\n", cases[i].name, big ? "big" : "little");
			cases[i].build(f);
			expect_frames(f, cases[i].n_frames);
			/* Twice the same: two sections. */
			if (f->n <= sizeof(f->b) / 2) {
				put(f, f->b, f->n);
				expect_frames(f, 2 * cases[i].n_frames);
			}
		}
}

/* ---------------------------------------------------------------- not sound */

static void bad_block_length_small(struct file *f)
{
	shb(f);
	p32(f, 5);
	p32(f, 8);
	p32(f, 8);
}

static void bad_block_length_odd(struct file *f)
{
	shb(f);
	p32(f, 5);
	p32(f, 13);
	p32(f, 13);
	p32(f, 13);
}

static void bad_block_length_huge(struct file *f)
{
	shb(f);
	p32(f, 5);
	p32(f, 0x7ffffffc);
	p32(f, 0);
}

static void bad_trailer(struct file *f)
{
	shb(f);
	begin(f, 4711);
	end(f);
	f->n -= 4;
	p32(f, 16);
}

static void bad_short_shb(struct file *f)
{
	begin(f, 0x0a0d0d0a);
	p32(f, 0x1a2b3c4d);
	p32(f, 1);
	end(f);
}

static void bad_version(struct file *f)
{
	begin(f, 0x0a0d0d0a);
	p32(f, 0x1a2b3c4d);
	p16(f, 1);
	p16(f, 1);
	p64(f, 0);
	end(f);
}

static void bad_second_magic(struct file *f)
{
	shb(f);
	begin(f, 0x0a0d0d0a);
	p32(f, 0x12345678);
	p16(f, 1);
	p16(f, 0);
	p64(f, 0);
	end(f);
}

static void bad_no_interface(struct file *f)
{
	shb(f);
	epb(f, 0, 1, 60);
}

static void bad_interface_of_other_section(struct file *f)
{
	shb(f);
	idb(f);
	idb(f);
	shb(f);
	idb(f);
	epb(f, 1, 1, 60);
}

static void bad_isb_interface(struct file *f)
{
	shb(f);
	idb(f);
	begin(f, 5);
	p32(f, 1);
	ptime(f, 1);
	end(f);
}

static void bad_spb_without_interface(struct file *f)
{
	shb(f);
	begin(f, 3);
	p32(f, 4);
	p32(f, 0);
	end(f);
}

static void bad_caplen(struct file *f)
{
	shb(f);
	idb(f);
	begin(f, 6);
	p32(f, 0);
	ptime(f, 1);
	p32(f, 5);
	p32(f, 5);
	p32(f, 0);
	end(f);
}

static void bad_caplen_wraps(struct file *f)
{
	shb(f);
	idb(f);
	begin(f, 6);
	p32(f, 0);
	ptime(f, 1);
	p32(f, 0xffffffff);
	p32(f, 0xffffffff);
	end(f);
}

static void bad_spb_length(struct file *f)
{
	shb(f);
	idb(f);
	begin(f, 3);
	p32(f, 5);
	p32(f, 0);
	end(f);
}

static void bad_option(struct file *f)
{
	shb(f);
	idb(f);
	epb_head(f, 0, 1, 4, 4);
	p16(f, 1);
	p16(f, 5);
	p32(f, 0);
	end(f);
}

static void bad_short_epb(struct file *f)
{
	shb(f);
	idb(f);
	begin(f, 6);
	p32(f, 0);
	ptime(f, 1);
	p32(f, 0);
	end(f);
}

static void bad_name(struct file *f)
{
	shb(f);
	begin(f, 4);
	opt(f, 1, "\x0a\0\0\1web", 7);
	opt(f, 0, "", 0);
	end(f);
}

static void bad_name_record(struct file *f)
{
	shb(f);
	begin(f, 4);
	p16(f, 1);
	p16(f, 400);
	end(f);
}

static void test_not_sound(void **state)
{
	static const struct {
		const char *text;	/* of the error, behind "f: bad at offset N: " */
		void (*build)(struct file *f);
		unsigned offset;
	} cases[] = {
		{ "block length 8", bad_block_length_small, 28 },
		{ "block length 13", bad_block_length_odd, 28 },
		{ "block length 2147483644 is more than 16777216", bad_block_length_huge, 28 },
		{ "block length is 12 at its start, 16 at its end", bad_trailer, 28 },
		{ "section header block of 20 bytes, 28 are needed", bad_short_shb, 0 },
		{ "pcapng version 1.1 is not known", bad_version, 0 },
		{ "byte order magic 0x", bad_second_magic, 28 },
		{ "a frame of interface 0, which is not described before it",
		  bad_no_interface, 28 },
		{ "a frame of interface 1, which is not described before it",
		  bad_interface_of_other_section, 116 },
		{ "statistics of interface 1, which is not described before it",
		  bad_isb_interface, 48 },
		{ "a frame of interface 0, which is not described before it",
		  bad_spb_without_interface, 28 },
		{ "a frame of 5 bytes in a block of 36", bad_caplen, 48 },
		{ "a frame of 4294967295 bytes, at most 4194304 are possible",
		  bad_caplen_wraps, 48 },
		{ "a frame of 5 bytes in a block of 20", bad_spb_length, 48 },
		{ "an option runs past the end of its block", bad_option, 48 },
		{ "packet block is too short", bad_short_epb, 48 },
		{ "a name without an end", bad_name, 28 },
		{ "a name record runs past the end of its block", bad_name_record, 28 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		for (int big = 0; big < 2; big++) {
			struct file *f = fresh(big);
			struct pcapng_reader *r;
			char want[256];

			cases[i].build(f);
			r = read_file(f);
			assert_int_equal(ev.rc, -EBADMSG);
			assert_int_equal(ev.err.class, ERR_FAILED);
			(void)snprintf(want, sizeof(want), "f: bad at offset %u: %s",
				       cases[i].offset, cases[i].text);
			if (strncmp(ev.err.text, want, strlen(want)) != 0)
				assert_string_equal(ev.err.text, want);
			pcapng_reader_free(r);
		}
}

/* Every prefix gives the whole blocks before it and says where it was cut. */
static void test_every_prefix(void **state)
{
	(void)state;
	for (int big = 0; big < 2; big++) {
		struct file *f = fresh(big);
		size_t ends[16];
		unsigned n_blocks = 0;

		shb(f);
		ends[n_blocks++] = f->n;
		idb(f);
		ends[n_blocks++] = f->n;
		for (unsigned i = 0; i < 4; i++) {
			epb_head(f, 0, i, 20 + i, 100);
			opt_text(f, 1, "podhop id=1");
			opt_num(f, 5, 1, 8);
			end(f);
			ends[n_blocks++] = f->n;
		}
		for (size_t n = 0; n <= f->n; n++) {
			/* A copy of exactly this size: a read beyond is caught by ASan. */
			uint8_t *copy = malloc(n ? n : 1);
			struct pcapng_reader *r;
			unsigned whole = 0;
			char want[64];

			assert_non_null(copy);
			memcpy(copy, f->b, n);
			while (whole < n_blocks && ends[whole] <= n)
				whole++;
			r = read_all(copy, n);
			assert_int_equal(ev.n_frames, whole > 2 ? whole - 2 : 0);
			if (n == 0) {
				assert_int_equal(ev.rc, -ENODATA);
				assert_string_equal(ev.err.text, "f: empty");
			} else if (n < 4) {
				assert_int_equal(ev.rc, -EBADMSG);
			} else if (whole && ends[whole - 1] == n) {
				assert_int_equal(ev.rc, PCAPNG_EVENT_END);
			} else {
				assert_int_equal(ev.rc, -ENODATA);
				(void)snprintf(want, sizeof(want),
					       "f: cut short at offset %zu: block needs ",
					       whole ? ends[whole - 1] : 0);
				assert_memory_equal(ev.err.text, want, strlen(want));
			}
			pcapng_reader_free(r);
			free(copy);
		}
		pcapng_reader_free(read_all(f->b, ends[2] + 40));
		assert_non_null(strstr(ev.err.text, "block needs 84 bytes, 40 left"));
	}
}

/* -------------------------------------------------------------------- times */

static void test_times(void **state)
{
	static const struct {
		int tsresol;	/* -1: not given */
		int64_t tsoffset;
		uint64_t ticks;
		int64_t want;
	} cases[] = {
		{ -1, 0, 1700000000123456, 1700000000123456000 },
		{ 6, 0, 1700000000123456, 1700000000123456000 },
		{ 9, 0, 1700000000123456789, 1700000000123456789 },
		{ 9, 0, MODEL_TIME_MAX_NS - 1, MODEL_TIME_MAX_NS - 1 },
		{ 9, 0, MODEL_TIME_MAX_NS, MODEL_TIME_MAX_NS },
		{ 9, 0, INT64_MAX, MODEL_TIME_MAX_NS },
		{ 9, 0, (uint64_t)INT64_MAX + 1, MODEL_TIME_MAX_NS },
		{ 9, 0, UINT64_MAX, MODEL_TIME_MAX_NS },
		{ 6, 0, UINT64_MAX, MODEL_TIME_MAX_NS },
		{ 0, 0, 1700000000, 1700000000000000000 },
		{ 0, 0, UINT32_MAX, 4294967295000000000 },
		{ 0, 0, 4611686018, 4611686018000000000 },
		{ 0, 0, 4611686019, MODEL_TIME_MAX_NS },
		{ 0, 0, UINT64_MAX, MODEL_TIME_MAX_NS },
		{ 3, 0, 1234, 1234000000 },
		{ 10, 0, 12345678919, 1234567891 },
		{ 12, 0, 1999, 1 },
		{ 19, 0, UINT64_MAX, 1844674407 },
		{ 20, 0, UINT64_MAX, 184467440 },
		{ 28, 0, UINT64_MAX, 1 },
		{ 29, 0, UINT64_MAX, 0 },
		{ 127, 0, UINT64_MAX, 0 },
		{ 0x80, 0, 77, 77000000000 },
		{ 0x80 | 1, 0, 3, 1500000000 },
		{ 0x80 | 30, 0, (UINT64_C(1700000000) << 30) | (1u << 29), 1700000000500000000 },
		{ 0x80 | 32, 0, UINT64_C(0x123456789), 1137777777 },
		{ 0x80 | 33, 0, UINT64_C(0x123456789), 568888888 },
		{ 0x80 | 63, 0, UINT64_MAX, 1999999999 },
		{ 0x80 | 64, 0, UINT64_MAX, 999999999 },
		{ 0x80 | 93, 0, UINT64_MAX, 1 },
		{ 0x80 | 127, 0, UINT64_MAX, 0 },
		{ 6, 1000, 5, 1000000005000 },
		{ 6, -1000, 5, -999999995000 },
		{ 9, -1, 0, -1000000000 },
		{ 9, -1, 1, -999999999 },
		{ 9, INT64_MAX, 0, MODEL_TIME_MAX_NS },
		{ 9, INT64_MIN, 0, MODEL_TIME_MIN_NS },
		{ 9, INT64_MIN, UINT64_MAX, MODEL_TIME_MIN_NS },
		{ 0, INT64_MAX, UINT64_MAX, MODEL_TIME_MAX_NS },
		{ 9, -2305843009, 1, -2305843008999999999 },
		{ 9, -2305843010, 0, MODEL_TIME_MIN_NS },
		{ 9, 4611686018, 427387904, MODEL_TIME_MAX_NS },
		{ 9, 4611686018, 427387905, MODEL_TIME_MAX_NS },
		{ 9, 4611686018, 427387903, MODEL_TIME_MAX_NS - 1 },
		/* beyond the range alone, within it with the offset */
		{ 9, -9223372037, UINT64_C(9223372037000000042), 42 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		for (int big = 0; big < 2; big++) {
			struct file *f = fresh(big);

			shb(f);
			idb_head(f, 1, 0);
			if (cases[i].tsresol >= 0) {
				opt_num(f, 9, (uint64_t)cases[i].tsresol, 1);
				opt_num(f, 9, 3, 1);	/* a second one does not count */
			}
			if (cases[i].tsoffset)
				opt_num(f, 14, (uint64_t)cases[i].tsoffset, 8);
			end(f);
			epb(f, 0, cases[i].ticks, 1);
			begin(f, 5);
			p32(f, 0);
			ptime(f, cases[i].ticks);
			end(f);
			expect_frames(f, 1);
			if (ev.frames[0].frame.time_ns != cases[i].want)
				fail_msg("case %zu: %lld, not %lld", i,
					 (long long)ev.frames[0].frame.time_ns,
					 (long long)cases[i].want);
			assert_int_equal(ev.n_times, 1);
			assert_true(ev.times[0] == cases[i].want);
		}
}

/* ------------------------------------------------------------------- frames */

static void test_frame_options(void **state)
{
	(void)state;
	for (int big = 0; big < 2; big++) {
		struct file *f = fresh(big);
		const struct pcapng_frame *e = &ev.frames[0];
		struct pcapng_reader *r;
		struct pcapng_frame frame;
		struct err err = ERR_INIT;

		shb(f);
		idb(f);
		epb_head(f, 0, 1, 5, 9);
		opt(f, 1, "first\0x", 7);
		opt_text(f, 1, "second");
		opt_num(f, 2, 2, 4);
		opt_num(f, 2, 1, 4);
		opt_num(f, 4, 0x1122334455667788, 8);
		opt_num(f, 5, 0x8877665544332211, 8);
		opt_num(f, 5, 1, 8);
		opt(f, 0, "", 0);
		end(f);
		epb_head(f, 0, 1, 5, 3);	/* len below caplen */
		opt_num(f, 2, 1, 4);
		end(f);
		epb_head(f, 0, 1, 64, 64);	/* 4 bytes of FCS */
		opt_num(f, 2, 3 | 4 << 5, 4);
		end(f);
		epb_head(f, 0, 1, 62, 64);	/* half of it captured */
		opt_num(f, 2, 4 << 5, 4);
		end(f);
		epb_head(f, 0, 1, 40, 64);	/* none of it captured */
		opt_num(f, 2, 4 << 5, 4);
		end(f);
		expect_frames(f, 5);
		assert_int_equal(e[0].frame.way, MODEL_WAY_OUT);
		assert_int_equal(e[0].flags, 2);
		assert_true(e[0].frame.drops == 0x1122334455667788);
		assert_true(e[0].packet_id == 0x8877665544332211);
		assert_int_equal(e[0].comment_len, 5);
		assert_int_equal(e[0].frame.caplen, 5);
		assert_int_equal(e[0].frame.len, 9);
		assert_int_equal(e[1].frame.way, MODEL_WAY_IN);
		assert_int_equal(e[1].frame.len, 5);
		assert_null(e[1].comment);
		assert_true(e[1].packet_id == 0 && e[1].frame.drops == 0);
		assert_int_equal(e[2].frame.way, MODEL_WAY_UNKNOWN);
		assert_int_equal(e[2].frame.len, 60);
		assert_int_equal(e[2].frame.caplen, 60);
		assert_int_equal(e[3].frame.len, 60);
		assert_int_equal(e[3].frame.caplen, 60);
		assert_int_equal(e[4].frame.len, 60);
		assert_int_equal(e[4].frame.caplen, 40);

		r = pcapng_reader_from_memory(f->b, f->n, "f", &err);
		assert_int_equal(pcapng_reader_next(r, &frame, &err), PCAPNG_EVENT_FRAME);
		assert_memory_equal(frame.comment, "first", 5);
		assert_memory_equal(frame.frame.data, "\1\2\3\4\5", 5);
		pcapng_reader_free(r);
	}
}

static void test_simple_and_obsolete_blocks(void **state)
{
	(void)state;
	for (int big = 0; big < 2; big++) {
		struct file *f = fresh(big);
		const struct pcapng_frame *e = &ev.frames[0];

		shb(f);
		idb_head(f, 1, 6);
		end(f);
		begin(f, 3);			/* cut by the snap length */
		p32(f, 100);
		put(f, "abcdef", 6);
		end(f);
		begin(f, 3);
		p32(f, 5);
		put(f, "abcde", 5);
		end(f);
		begin(f, 2);
		p16(f, 0);
		p16(f, 7);
		ptime(f, 1000001);
		p32(f, 3);
		p32(f, 60);
		put(f, "xyz", 3);
		pad(f);
		opt_num(f, 2, 1, 4);
		opt_num(f, 5, 99, 8);		/* no packet id in this block */
		end(f);
		begin(f, 2);
		p16(f, 0);
		p16(f, 0xffff);
		ptime(f, 1);
		p32(f, 0);
		p32(f, 0);
		end(f);
		expect_frames(f, 4);
		assert_int_equal(e[0].frame.caplen, 6);
		assert_int_equal(e[0].frame.len, 100);
		assert_true(e[0].frame.time_ns == 0);
		assert_int_equal(e[1].frame.caplen, 5);
		assert_int_equal(e[2].frame.drops, 7);
		assert_int_equal(e[2].frame.caplen, 3);
		assert_int_equal(e[2].frame.len, 60);
		assert_int_equal(e[2].frame.way, MODEL_WAY_IN);
		assert_true(e[2].packet_id == 0);
		assert_true(e[2].frame.time_ns == 1000001000);
		assert_int_equal(e[3].frame.drops, 0);
	}
}

/* --------------------------------------------------------------- interfaces */

static void test_sections(void **state)
{
	struct file *f = fresh(false);
	struct pcapng_reader *r;

	(void)state;
	shb(f);
	idb_head(f, 1, 96);
	opt_text(f, 2, "eth0");
	end(f);
	idb_head(f, 276, 0);
	end(f);
	epb(f, 1, 1, 20);
	f->big = true;
	shb(f);
	idb_head(f, 101, 0);
	opt_text(f, 2, "tun0");
	opt_num(f, 9, 9, 1);
	end(f);
	epb(f, 0, 2, 20);
	f->big = false;
	shb(f);
	idb_head(f, 113, 0);
	end(f);
	epb(f, 0, 3, 20);
	r = read_file(f);
	assert_int_equal(ev.rc, PCAPNG_EVENT_END);
	assert_int_equal(ev.n_frames, 3);
	assert_int_equal(pcapng_reader_n_interfaces(r), 4);
	assert_int_equal(ev.frames[0].frame.hop, 1);
	assert_int_equal(ev.frames[1].frame.hop, 2);
	assert_int_equal(ev.frames[2].frame.hop, 3);
	assert_true(ev.frames[0].frame.time_ns == 1000);
	assert_true(ev.frames[1].frame.time_ns == 2);
	assert_string_equal(pcapng_reader_interface(r, 0)->name, "eth0");
	assert_int_equal(pcapng_reader_interface(r, 0)->snaplen, 96);
	assert_string_equal(pcapng_reader_interface(r, 1)->name, "");
	assert_int_equal(pcapng_reader_interface(r, 1)->linktype, 276);
	assert_int_equal(pcapng_reader_interface(r, 2)->linktype, 101);
	assert_int_equal(pcapng_reader_interface(r, 2)->section, 1);
	assert_int_equal(pcapng_reader_interface(r, 3)->section, 2);
	assert_null(pcapng_reader_interface(r, 4));
	pcapng_reader_free(r);
}

static void test_interface_options(void **state)
{
	(void)state;
	for (int big = 0; big < 2; big++) {
		struct file *f = fresh(big);
		const struct pcapng_interface *i;
		struct pcapng_reader *r;
		char text[PREFIX_STR_MAX];

		shb_head(f, 0);
		opt_text(f, 1, "not ours");
		opt_text(f, 1, "podhop node=a\xff");
		opt_text(f, 1, "podhop node=b");
		end(f);
		idb_head(f, 1, 0);
		opt_text(f, 2,
			 "a-name-much-longer-than-any-device-of-linux-could-have-it-and-thus-cut");
		opt_text(f, 3, "desc\xc3");
		opt_text(f, 3, "second");
		opt(f, 11, "\0tcp port 80", 12);
		opt(f, 6, "\2\0\0\0\0\1", 6);
		opt(f, 4, "\x0a\xf4\1\1\xff\xff\xff\0", 8);
		opt(f, 4, "\x0a\xf4\1\2\xff\xff\xff\xff", 8);
		opt(f, 5, "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\x40", 17);
		opt(f, 5, "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\xff", 17);	/* no length */
		opt(f, 4, "\x0a\xf4\1\1\0\0\0\0", 8);
		opt(f, 5, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\1\2\3\x78", 17);	/* mapped */
		opt(f, 5, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\1\2\3\x40", 17);
		end(f);
		begin(f, 5);
		p32(f, 0);
		ptime(f, 5);
		opt_num(f, 4, 10, 8);
		opt_num(f, 4, 11, 8);		/* twice: the first counts */
		opt_num(f, 7, UINT64_MAX, 8);
		opt_num(f, 8, 1, 8);
		opt(f, 5, "\1", 1);
		end(f);
		begin(f, 5);			/* a later block: the last one counts */
		p32(f, 0);
		ptime(f, 6);
		opt_num(f, 4, 20, 8);
		opt_num(f, 6, 15, 8);
		end(f);
		r = read_file(f);
		assert_int_equal(ev.rc, PCAPNG_EVENT_END);
		assert_int_equal(ev.n_times, 2);
		assert_true(ev.times[1] == 6000);
		assert_string_equal(pcapng_reader_section_comment(r), "podhop node=a\xef\xbf\xbd");
		i = pcapng_reader_interface(r, 0);
		assert_int_equal(strlen(i->name), MODEL_NAME_MAX - 1);
		assert_string_equal(i->description, "desc\xef\xbf\xbd");
		assert_string_equal(i->filter, "tcp port 80");
		assert_int_equal(i->mac.b[0], 2);
		assert_int_equal(i->mac.b[5], 1);
		assert_int_equal(i->n_addrs, 5);
		assert_string_equal(prefix_str(&i->addrs[4], text), "10.1.2.3/24");
		assert_string_equal(prefix_str(&i->addrs[0], text), "10.244.1.1/24");
		assert_int_equal(i->addrs[1].len, 32);
		assert_string_equal(prefix_str(&i->addrs[2], text), "fd00::1/64");
		assert_int_equal(i->addrs[3].len, 0);
		assert_true(i->if_recv == 20);
		assert_true(i->filter_accept == 15);
		assert_true(i->os_drop == INT64_MAX);
		assert_true(i->if_drop == -1);
		pcapng_reader_free(r);
	}
}

static void test_interface_limit(void **state)
{
	enum { BYTES = 28 + 20 * (PCAPNG_INTERFACES_MAX + 1) };
	static uint8_t many[BYTES];
	struct file *f = fresh(false);
	struct pcapng_reader *r;

	(void)state;
	shb(f);
	idb(f);
	memcpy(many, f->b, 28);
	for (size_t i = 0; i < PCAPNG_INTERFACES_MAX + 1; i++)
		memcpy(many + 28 + 20 * i, f->b + 28, 20);
	r = read_all(many, BYTES - 20);
	assert_int_equal(ev.rc, PCAPNG_EVENT_END);
	assert_int_equal(pcapng_reader_n_interfaces(r), PCAPNG_INTERFACES_MAX);
	pcapng_reader_free(r);
	r = read_all(many, BYTES);
	assert_int_equal(ev.rc, -EBADMSG);
	pcapng_reader_free(r);
}

struct names {
	unsigned n;
	char text[8][64];
};

static void add_name(void *arg, const struct addr *addr, const char *name)
{
	struct names *names = arg;
	char a[ADDR_STR_MAX];

	assert_true(names->n < COUNT(names->text));
	(void)snprintf(names->text[names->n++], sizeof(names->text[0]), "%s %s",
		       addr_str(addr, a), name);
}

static void test_names(void **state)
{
	(void)state;
	for (int big = 0; big < 2; big++) {
		struct file *f = fresh(big);
		struct names names = { .n = 0 };
		struct pcapng_reader *r;

		shb(f);
		begin(f, 4);
		opt(f, 1, "\x0a\xf4\1\2web\0default/web", 20);
		opt(f, 3, "\1\2\3\4\5\6mac", 10);
		opt(f, 2, "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1six", 20);
		opt(f, 0, "", 0);
		opt_text(f, 2, "dns");
		opt(f, 0, "", 0);
		end(f);
		begin(f, 4);
		opt(f, 1, "\x0a\xf4\1\2again", 10);
		opt(f, 1, "\x0a\xf4\1\3\0", 5);		/* empty: left out */
		opt(f, 0, "", 0);
		end(f);
		r = read_file(f);
		assert_int_equal(ev.rc, PCAPNG_EVENT_END);
		pcapng_reader_names(r, add_name, &names);
		assert_int_equal(names.n, 4);
		assert_string_equal(names.text[0], "10.244.1.2 web");
		assert_string_equal(names.text[1], "10.244.1.2 default/web");
		assert_string_equal(names.text[2], "fd00::1 six");
		assert_string_equal(names.text[3], "10.244.1.2 again");
		pcapng_reader_free(r);
	}
}

/* ------------------------------------------------------------- classic pcap */

static void classic_head(struct file *f, uint32_t magic, unsigned minor, uint32_t link)
{
	p32(f, magic);
	p16(f, 2);
	p16(f, minor);
	p32(f, 0xffffffff);
	p32(f, 0xffffffff);
	p32(f, 32);
	p32(f, link);
}

static void record(struct file *f, uint32_t sec, uint32_t frac, uint32_t caplen, uint32_t len)
{
	p32(f, sec);
	p32(f, frac);
	p32(f, caplen);
	p32(f, len);
}

static void test_classic(void **state)
{
	static const struct {
		uint32_t magic;
		int64_t frac_ns;
		unsigned extra;
	} kinds[] = {
		{ 0xa1b2c3d4, 1000, 0 },
		{ 0xa1b23c4d, 1, 0 },
		{ 0xa1b2cd34, 1000, 8 },
	};

	(void)state;
	for (size_t k = 0; k < COUNT(kinds); k++)
		for (int big = 0; big < 2; big++) {
			struct file *f = fresh(big);
			struct pcapng_reader *r;

			classic_head(f, kinds[k].magic, 4, 276);
			record(f, 1700000000, 123456, 5, 60);
			put(f, "12345678", kinds[k].extra);
			put(f, "abcde", 5);
			record(f, 0xffffffff, 0xffffffff, 0, 0);	/* a fraction of hours */
			put(f, "12345678", kinds[k].extra);
			/* above the snap length, and len below it */
			record(f, 0, 0, 40, 20);
			put(f, "12345678", kinds[k].extra);
			put(f, file.b, 40);
			r = read_file(f);
			assert_int_equal(ev.rc, PCAPNG_EVENT_END);
			assert_int_equal(ev.n_frames, 3);
			assert_int_equal(pcapng_reader_n_interfaces(r), 1);
			assert_int_equal(pcapng_reader_interface(r, 0)->linktype, 276);
			assert_int_equal(pcapng_reader_interface(r, 0)->snaplen, 32);
			assert_true(ev.frames[0].frame.time_ns ==
				    1700000000000000000 + 123456 * kinds[k].frac_ns);
			assert_true(ev.frames[1].frame.time_ns ==
				    0xffffffff * INT64_C(1000000000) +
					    0xffffffff * kinds[k].frac_ns);
			assert_int_equal(ev.frames[0].frame.caplen, 5);
			assert_int_equal(ev.frames[0].frame.len, 60);
			assert_int_equal(ev.frames[2].frame.caplen, 40);
			assert_int_equal(ev.frames[2].frame.len, 40);
			pcapng_reader_free(r);

			r = read_all(f->b, f->n - 1);
			assert_int_equal(ev.rc, -ENODATA);
			assert_int_equal(ev.n_frames, 2);
			assert_non_null(strstr(ev.err.text, "f: cut short at offset "));
			pcapng_reader_free(r);
			r = read_all(f->b, 24 + 10);
			assert_int_equal(ev.rc, -ENODATA);
			assert_non_null(strstr(ev.err.text,
					       "cut short at offset 24: record needs"));
			pcapng_reader_free(r);
			r = read_all(f->b, 23);
			assert_string_equal(ev.err.text, "f: cut short at offset 0: "
					    "file header needs 24 bytes, 23 left");
			pcapng_reader_free(r);
		}
}

static void test_classic_fcs(void **state)
{
	struct file *f = fresh(true);
	struct pcapng_reader *r;

	(void)state;
	classic_head(f, 0xa1b2c3d4, 4, 0x24000001);	/* two 16-bit words of FCS */
	record(f, 1, 0, 64, 64);
	put(f, f->b, 24);
	put(f, f->b, 40);
	r = read_file(f);
	assert_int_equal(pcapng_reader_interface(r, 0)->linktype, 1);
	assert_int_equal(ev.frames[0].frame.len, 60);
	assert_int_equal(ev.frames[0].frame.caplen, 60);
	pcapng_reader_free(r);

	f = fresh(false);
	classic_head(f, 0xa1b2c3d4, 4, 0x40000001);	/* a length, but not said to be there */
	record(f, 1, 0, 24, 64);
	put(f, f->b, 24);
	r = read_file(f);
	assert_int_equal(pcapng_reader_interface(r, 0)->linktype, 1);
	assert_int_equal(ev.frames[0].frame.len, 64);
	pcapng_reader_free(r);
}

static void test_classic_refused(void **state)
{
	struct file *f = fresh(false);

	(void)state;
	classic_head(f, 0xa1b2c3d4, 4, 1);
	record(f, 1, 0, PCAPNG_FRAME_MAX + 1, PCAPNG_FRAME_MAX + 1);
	pcapng_reader_free(read_file(f));
	assert_int_equal(ev.rc, -EBADMSG);
	assert_string_equal(ev.err.text, "f: bad at offset 24: a frame of 4194305 bytes, "
			    "at most 4194304 are possible");

	f = fresh(false);
	p32(f, 0xa1b2c3d4);
	p16(f, 3);
	p16(f, 0);
	f->n = 24;
	pcapng_reader_free(read_file(f));
	assert_int_equal(ev.rc, -EBADMSG);
	assert_string_equal(ev.err.text, "f: bad at offset 0: pcap version 3.0 is not known");
}

/* Files before version 2.3 have len and caplen the other way round. */
static void test_classic_old_order(void **state)
{
	struct file *f = fresh(false);

	(void)state;
	classic_head(f, 0xa1b2c3d4, 2, 1);
	record(f, 1, 0, 60, 4);
	put(f, "abcd", 4);
	expect_frames(f, 1);
	assert_int_equal(ev.frames[0].frame.caplen, 4);
	assert_int_equal(ev.frames[0].frame.len, 60);

	f = fresh(false);
	classic_head(f, 0xa1b2c3d4, 3, 1);	/* either order is found in these */
	record(f, 1, 0, 60, 4);
	put(f, "abcd", 4);
	record(f, 1, 0, 4, 60);
	put(f, "abcd", 4);
	expect_frames(f, 2);
	assert_int_equal(ev.frames[0].frame.caplen, 4);
	assert_int_equal(ev.frames[1].frame.caplen, 4);
}

/* ------------------------------------------------------------------ opening */

static void test_not_a_capture(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *want;
	} cases[] = {
		{ "", 0, "f: empty" },
		{ "x", 1, "f: not a capture file (neither pcapng nor pcap)" },
		{ "#!/bin/sh\necho hello\n", 21,
		  "f: not a capture file (neither pcapng nor pcap)" },
		{ "\x0a\x0d\x0d\x0atext behind empty lines", 26,
		  "f: not a capture file (neither pcapng nor pcap)" },
		{ "\x0a\x0d\x0d\x0a\x1c\0\0", 7,
		  "f: cut short at offset 0: block needs 12 bytes, 7 left" },
		{ "\x1f\x8b\x08", 3, "f: cut short at its beginning" },
		{ "\x28\xb5\x2f\xfd...", 7, "f: cut short at its beginning" },
		{ "\xfd" "7zXZ", 6, "f: compressed with xz, unpack it first" },
		{ "BZh91AY", 7, "f: compressed with bzip2, unpack it first" },
		{ "\x04\x22\x4d\x18", 4, "f: compressed with lz4, unpack it first" },
		{ "\xd4\xc3\xb2\xa0", 4, "f: not a capture file (neither pcapng nor pcap)" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err err = ERR_INIT;

		assert_null(pcapng_reader_from_memory(cases[i].bytes, cases[i].n, "f", &err));
		assert_string_equal(err.text, cases[i].want);
		assert_int_equal(err.class, ERR_FAILED);
		assert_true(err.code < 0);
	}
}

static void test_open(void **state)
{
	char path[] = "/tmp/podhop-test-pcapng-XXXXXX";
	struct err err = ERR_INIT;
	struct pcapng_frame frame;
	struct pcapng_reader *r;
	struct file *f = fresh(false);
	int fd;

	(void)state;
	assert_null(pcapng_reader_open("/nonexistent/f.pcap", &err));
	assert_int_equal(err.code, -ENOENT);
	assert_string_equal(err.text, "open /nonexistent/f.pcap: No such file or directory");
	assert_null(pcapng_reader_open("/", &err));
	assert_int_equal(err.code, -EISDIR);
	assert_string_equal(err.text, "/: is a directory, not a capture file");

	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_null(pcapng_reader_open(path, &err));
	assert_non_null(strstr(err.text, ": empty"));
	shb(f);
	idb(f);
	for (unsigned i = 0; i < 100; i++)
		epb(f, 0, i, 100);
	assert_int_equal(write(fd, f->b, f->n), f->n);
	r = pcapng_reader_open(path, &err);
	assert_non_null(r);
	assert_true(pcapng_reader_is_regular(r));
	/* A file that shrinks while it is read ends early, no more. */
	assert_int_equal(pcapng_reader_next(r, &frame, &err), PCAPNG_EVENT_FRAME);
	assert_int_equal(ftruncate(fd, 100), 0);
	while (pcapng_reader_next(r, &frame, &err) > 0)
		;
	pcapng_reader_free(r);
	r = pcapng_reader_open(path, &err);
	assert_non_null(r);
	assert_int_equal(pcapng_reader_next(r, &frame, &err), -ENODATA);
	assert_non_null(strstr(err.text,
			       ": cut short at offset 48: block needs 132 bytes, 52 left"));
	pcapng_reader_free(r);
	close(fd);
	unlink(path);
	pcapng_reader_free(NULL);

	/* A stream is judged when it is read. */
	r = pcapng_reader_open("/dev/null", &err);
	assert_non_null(r);
	assert_int_equal(pcapng_reader_next(r, &frame, &err), -ENODATA);
	assert_string_equal(err.text, "/dev/null: empty");
	pcapng_reader_free(r);
}

/* ------------------------------------------------------------------- pipes */

static struct pcapng_reader *open_pipe(int fds[2])
{
	struct err err = ERR_INIT;
	struct pcapng_reader *r;
	char path[32];

	assert_int_equal(pipe(fds), 0);
	(void)snprintf(path, sizeof(path), "/dev/fd/%d", fds[0]);
	r = pcapng_reader_open(path, &err);
	if (!r)
		fail_msg("%s", err.text);
	close(fds[0]);
	assert_false(pcapng_reader_is_regular(r));
	assert_int_equal(pcapng_reader_set_nonblocking(r, &err), 0);
	return r;
}

/* One byte at a time: events come with the byte that completes their block. */
static void test_pipe_byte_by_byte(void **state)
{
	(void)state;
	for (int classic = 0; classic < 2; classic++) {
		struct file *f = fresh(true);
		struct err err = ERR_INIT;
		struct pcapng_frame frame;
		struct pcapng_reader *r;
		size_t ends[4];
		unsigned n = 0;
		int fds[2];

		if (classic) {
			classic_head(f, 0xa1b2c3d4, 4, 1);
			for (unsigned i = 0; i < COUNT(ends); i++) {
				record(f, i, 0, i, i);
				put(f, "abcdefg", i);
				ends[i] = f->n;
			}
		} else {
			shb(f);
			idb(f);
			for (unsigned i = 0; i < COUNT(ends); i++) {
				epb(f, 0, i * 1000000, i);
				ends[i] = f->n;
			}
		}
		r = open_pipe(fds);
		assert_int_equal(pcapng_reader_next(r, &frame, &err), PCAPNG_EVENT_IDLE);
		for (size_t i = 0; i < f->n; i++) {
			assert_int_equal(write(fds[1], f->b + i, 1), 1);
			if (i + 1 == ends[n]) {
				assert_int_equal(pcapng_reader_next(r, &frame, &err),
						 PCAPNG_EVENT_FRAME);
				assert_int_equal(frame.frame.caplen, n);
				assert_true(frame.frame.time_ns == n * INT64_C(1000000000));
				n++;
			}
			assert_int_equal(pcapng_reader_next(r, &frame, &err), PCAPNG_EVENT_IDLE);
		}
		assert_int_equal(n, COUNT(ends));
		close(fds[1]);
		assert_int_equal(pcapng_reader_next(r, &frame, &err), PCAPNG_EVENT_END);
		assert_int_equal(pcapng_reader_next(r, &frame, &err), PCAPNG_EVENT_END);
		pcapng_reader_free(r);
	}
}

static void test_pipe_ends_early(void **state)
{
	struct err err = ERR_INIT;
	struct pcapng_frame frame;
	struct pcapng_reader *r;
	struct file *f = fresh(false);
	int fds[2];

	(void)state;
	r = open_pipe(fds);
	close(fds[1]);
	assert_int_equal(pcapng_reader_next(r, &frame, &err), -ENODATA);
	assert_non_null(strstr(err.text, ": empty"));
	pcapng_reader_free(r);

	r = open_pipe(fds);
	assert_int_equal(write(fds[1], "hello world\n", 12), 12);
	assert_int_equal(pcapng_reader_next(r, &frame, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "not a capture file"));
	pcapng_reader_free(r);
	close(fds[1]);

	r = open_pipe(fds);
	shb(f);
	idb(f);
	epb(f, 0, 1, 60);
	assert_int_equal(write(fds[1], f->b, f->n - 1), f->n - 1);
	assert_int_equal(pcapng_reader_next(r, &frame, &err), PCAPNG_EVENT_IDLE);
	assert_int_equal(pcapng_reader_n_interfaces(r), 1);
	close(fds[1]);
	assert_int_equal(pcapng_reader_next(r, &frame, &err), -ENODATA);
	assert_non_null(strstr(err.text, "cut short at offset 48: block needs 92 bytes, 91 left"));
	assert_int_equal(pcapng_reader_next(r, &frame, NULL), -ENODATA);
	pcapng_reader_free(r);
}

/* A FIFO may be opened before its writer is there, and holds up nobody. */
static void test_fifo(void **state)
{
	char path[] = "/tmp/podhop-test-fifo-XXXXXX";
	struct err err = ERR_INIT;
	struct pcapng_frame frame;
	struct pcapng_reader *r;
	struct file *f = fresh(false);
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	r = pcapng_reader_open(path, &err);
	assert_non_null(r);
	assert_int_equal(pcapng_reader_set_nonblocking(r, &err), 0);
	assert_int_equal(pcapng_reader_next(r, &frame, &err), PCAPNG_EVENT_IDLE);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pcapng_reader_next(r, &frame, &err), PCAPNG_EVENT_IDLE);
	shb(f);
	idb(f);
	epb(f, 0, 1, 60);
	assert_int_equal(write(fd, f->b, f->n), f->n);
	assert_int_equal(pcapng_reader_next(r, &frame, &err), PCAPNG_EVENT_FRAME);
	assert_int_equal(pcapng_reader_next(r, &frame, &err), PCAPNG_EVENT_IDLE);
	close(fd);
	assert_int_equal(pcapng_reader_next(r, &frame, &err), PCAPNG_EVENT_END);
	pcapng_reader_free(r);
	unlink(path);
}

/* Blocks larger than the window, between small ones, and many windows of them. */
static void test_large_blocks(void **state)
{
	enum { BIG = PCAPNG_FRAME_MAX, SMALL = 500 };
	char path[] = "/tmp/podhop-test-pcapng-XXXXXX";
	struct err err = ERR_INIT;
	struct pcapng_frame frame;
	struct pcapng_reader *r;
	struct file *f = fresh(false);
	uint8_t *big = calloc(1, BIG + 32);
	FILE *out;
	int fd = mkstemp(path), rc;
	unsigned n = 0;

	(void)state;
	assert_true(fd >= 0);
	assert_non_null(big);
	out = fdopen(fd, "wb");
	assert_non_null(out);
	shb(f);
	idb(f);
	assert_int_equal(fwrite(f->b, 1, f->n, out), f->n);
	for (unsigned i = 0; i < 3; i++) {
		f = fresh(false);
		epb(f, 0, i, SMALL);
		for (unsigned k = 0; k < 3000; k++)
			assert_int_equal(fwrite(f->b, 1, f->n, out), f->n);
		f = fresh(false);
		p32(f, 6);
		p32(f, BIG + 32);
		p32(f, 0);
		ptime(f, i);
		p32(f, BIG);
		p32(f, BIG);
		assert_int_equal(f->n, 28);
		memcpy(big, f->b, f->n);
		big[28 + BIG - 1] = 77;
		memcpy(big + 28 + BIG, f->b + 4, 4);
		assert_int_equal(fwrite(big, 1, BIG + 32, out), BIG + 32);
	}
	fclose(out);
	r = pcapng_reader_open(path, &err);
	assert_non_null(r);
	while ((rc = pcapng_reader_next(r, &frame, &err)) > 0) {
		bool is_big = ++n % 3001 == 0;

		assert_int_equal(frame.frame.caplen, is_big ? BIG : SMALL);
		assert_int_equal(frame.frame.data[frame.frame.caplen - 1],
				 is_big ? 77 : SMALL % 256);
	}
	assert_int_equal(rc, PCAPNG_EVENT_END);
	assert_int_equal(n, 3 * 3001);
	pcapng_reader_free(r);
	unlink(path);
	free(big);
}

/* --------------------------------------------------------------- round trip */

static void test_round_trip(void **state)
{
	struct prefix addr;
	const struct pcapng_writer_config config = { .comment = "podhop node=n1", .os = "Linux" };
	struct pcapng_writer_interface wi = {
		.name = "flannel.1", .description = "podhop role=vtep vni=1", .filter = "udp",
		.linktype = 1, .mac = { .b = { 2, 2, 3, 4, 5, 6 } }, .addrs = &addr, .n_addrs = 1,
	};
	struct pcapng_name name = { .name = "default/web" };
	static uint8_t data[70000];
	struct err err = ERR_INIT;
	struct pcapng_writer *w;
	struct pcapng_reader *r;
	struct pcapng_frame frame;
	struct names names = { .n = 0 };
	const struct pcapng_interface *i;
	char text[PREFIX_STR_MAX], path[32];
	int fd = memfd_create("rt", MFD_CLOEXEC), rc;
	unsigned n = 0;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(prefix_parse("10.244.1.0/24", &addr), 0);
	name.addr = addr.addr;
	for (size_t b = 0; b < sizeof(data); b++)
		data[b] = (uint8_t)(b * 31);
	w = pcapng_writer_new(fd, 4096, &err);
	assert_non_null(w);
	assert_int_equal(pcapng_writer_header(w, &config, &err), 0);
	assert_int_equal(pcapng_writer_interface(w, &wi, &err), 0);
	wi.name = "eth0";
	assert_int_equal(pcapng_writer_interface(w, &wi, &err), 0);
	assert_int_equal(pcapng_writer_names(w, &name, 1, &err), 0);
	for (unsigned k = 0; k < 700; k++) {
		const struct pcapng_writer_packet p = {
			.interface = k % 2, .time_ns = 1700000000000000000 + k, .caplen = k * 100,
			.len = k * 100 + k % 3, .data = data, .flags = k % 3, .packet_id = k / 2,
			.drops = k % 5, .comment = k % 4 ? "podhop id=1" : NULL,
			.comment_len = k % 12,
		};

		assert_int_equal(pcapng_writer_packet(w, &p, &err), 0);
	}
	assert_int_equal(pcapng_writer_statistics(w, &(struct pcapng_statistics){
		.interface = 1, .time_ns = 1700000000000001000, .if_recv = 5, .if_drop = 6,
		.filter_accept = 7, .os_drop = -1, .user_deliv = 9 }, &err), 0);
	assert_int_equal(pcapng_writer_flush(w, &err), 0);
	pcapng_writer_free(w);

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = pcapng_reader_open(path, &err);
	assert_non_null(r);
	while ((rc = pcapng_reader_next(r, &frame, &err)) == PCAPNG_EVENT_FRAME) {
		assert_int_equal(frame.frame.hop, n % 2);
		assert_true(frame.frame.time_ns == 1700000000000000000 + n);
		assert_int_equal(frame.frame.caplen, n * 100);
		assert_int_equal(frame.frame.len, n * 100 + n % 3);
		assert_memory_equal(frame.frame.data, data, n * 100);
		assert_int_equal(frame.flags, n % 3);
		assert_int_equal(frame.frame.way, n % 3);	/* the enum has the flags' values */
		assert_int_equal(frame.packet_id, n / 2);
		assert_int_equal(frame.frame.drops, n % 5);
		if (n % 4) {
			assert_int_equal(frame.comment_len, n % 12);
			assert_memory_equal(frame.comment, "podhop id=1", n % 12);
		} else {
			assert_null(frame.comment);
		}
		n++;
	}
	assert_int_equal(n, 700);
	assert_int_equal(rc, PCAPNG_EVENT_TIME);
	assert_true(frame.frame.time_ns == 1700000000000001000);
	assert_int_equal(frame.frame.hop, 1);
	assert_int_equal(pcapng_reader_next(r, &frame, &err), PCAPNG_EVENT_END);
	assert_string_equal(pcapng_reader_section_comment(r), "podhop node=n1");
	i = pcapng_reader_interface(r, 0);
	assert_string_equal(i->name, "flannel.1");
	assert_string_equal(i->description, "podhop role=vtep vni=1");
	assert_string_equal(i->filter, "udp");
	assert_int_equal(i->snaplen, PCAPNG_SNAPLEN_MAX);
	assert_memory_equal(&i->mac, &wi.mac, sizeof(i->mac));
	assert_int_equal(i->n_addrs, 1);
	assert_string_equal(prefix_str(&i->addrs[0], text), "10.244.1.0/24");
	i = pcapng_reader_interface(r, 1);
	assert_true(i->if_recv == 5 && i->if_drop == 6 && i->filter_accept == 7);
	assert_true(i->os_drop == -1);
	pcapng_reader_names(r, add_name, &names);
	assert_int_equal(names.n, 1);
	assert_string_equal(names.text[0], "10.244.1.0 default/web");
	pcapng_reader_free(r);
	close(fd);
}

/* ----------------------------------------------------- other people's files */

/* The number behind key in a row of the manifest, -1 when it is not there. */
static long truth(const char *row, const char *key)
{
	const char *at = strstr(row, key);

	return at ? strtol(at + strlen(key), NULL, 10) : -1;
}

static void test_captures_of_others(void **state)
{
	const char *dir = getenv("PODHOP_CAPTURES");
	char row[8192], path[2 * sizeof(row)];
	unsigned n_files = 0, n_wrong = 0;
	FILE *manifest;

	(void)state;
	if (!dir)
		dir = "../shared/captures";
	(void)snprintf(path, sizeof(path), "%s/MANIFEST.tsv", dir);
	manifest = fopen(path, "re");
	if (!manifest) {
		print_message("  SKIP: no captures in %s (PODHOP_CAPTURES says where they are)\n",
			      dir);
		skip();
	}
	while (fgets(row, sizeof(row), manifest)) {
		char *tab = strchr(row, '\t');
		struct err err = ERR_INIT;
		struct pcapng_frame frame;
		struct pcapng_reader *r;
		long want, n = 0;
		int rc = 0;

		if (!tab || !strncmp(row, "file\t", 5))
			continue;
		*tab = '\0';
		want = truth(tab + 1, "own_structural_packets=");
		if (want < 0)
			want = truth(tab + 1, "frames=");
		if (want < 0)
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", dir, row) >= (int)sizeof(path))
			continue;
		r = pcapng_reader_open(path, &err);
		if (r)
			while ((rc = pcapng_reader_next(r, &frame, &err)) > 0)
				n += rc == PCAPNG_EVENT_FRAME;
		pcapng_reader_free(r);
		n_files++;
		if (!r || rc != 0 || n != want) {
			print_message("  %s: %ld frames, not %ld: %s\n", row, n, want, err.text);
			n_wrong++;
		}
	}
	fclose(manifest);
	print_message("  %u files\n", n_files);
	assert_true(n_files > 0);
	assert_int_equal(n_wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_odd_but_sound),
		cmocka_unit_test(test_not_sound),
		cmocka_unit_test(test_every_prefix),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_frame_options),
		cmocka_unit_test(test_simple_and_obsolete_blocks),
		cmocka_unit_test(test_sections),
		cmocka_unit_test(test_interface_options),
		cmocka_unit_test(test_interface_limit),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_classic),
		cmocka_unit_test(test_classic_fcs),
		cmocka_unit_test(test_classic_refused),
		cmocka_unit_test(test_classic_old_order),
		cmocka_unit_test(test_not_a_capture),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_pipe_byte_by_byte),
		cmocka_unit_test(test_pipe_ends_early),
		cmocka_unit_test(test_fifo),
		cmocka_unit_test(test_large_blocks),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_captures_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
