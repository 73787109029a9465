/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_pcapng_tail.c - start, end and drops of a capture from the end of its file.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "podhop/pcapng.h"

#define START 1700000000000000000LL
#define END 1700000007500000000LL

static char path[] = "/tmp/podhop-span-XXXXXX";
static int fd;

static int set_up(void **state)
{
	(void)state;
	fd = mkstemp(path);
	return fd < 0;
}

static int tear_down(void **state)
{
	(void)state;
	close(fd);
	return unlink(path);
}

/* A capture of two interfaces and one frame, with or without statistics at its end. */
static off_t write_capture(bool statistics)
{
	static const uint8_t frame[60];
	struct err err = ERR_INIT;
	struct pcapng_writer_config config = { .comment = "podhop node=n pods= filter=" };
	struct pcapng_writer_interface eth = { .name = "eth0", .linktype = 1 };
	struct pcapng_writer_packet packet = { .time_ns = START + 5, .caplen = 60, .len = 60,
					       .data = frame };
	struct pcapng_writer *w;

	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	w = pcapng_writer_new(fd, 0, &err);
	assert_non_null(w);
	assert_int_equal(pcapng_writer_header(w, &config, &err), 0);
	assert_int_equal(pcapng_writer_interface(w, &eth, &err), 0);
	assert_int_equal(pcapng_writer_interface(w, &eth, &err), 0);
	assert_int_equal(pcapng_writer_packet(w, &packet, &err), 0);
	for (uint32_t i = 0; statistics && i < 2; i++) {
		/* The second interface's capture began later and ended earlier. */
		struct pcapng_statistics s = { .interface = i, .time_ns = END,
					       .start_ns = START + i, .end_ns = END - i,
					       .if_recv = 1, .if_drop = 0, .filter_accept = -1,
					       .os_drop = 10 + i, .user_deliv = 1 };
		assert_int_equal(pcapng_writer_statistics(w, &s, &err), 0);
	}
	assert_int_equal(pcapng_writer_flush(w, &err), 0);
	pcapng_writer_free(w);
	return lseek(fd, 0, SEEK_END);
}

static void test_tail_of_a_whole_file(void **state)
{
	struct pcapng_tail tail;
	off_t whole;

	(void)state;
	whole = write_capture(true);
	assert_int_equal(pcapng_read_tail(fd, &tail), 0);
	assert_true(tail.has_span && tail.start_ns == START && tail.end_ns == END);
	assert_int_equal(tail.n_drops, 2);
	for (unsigned i = 0; i < 2; i++) {
		/* from the end of the file backwards */
		assert_int_equal(tail.drops[i].interface, 1 - i);
		assert_int_equal(tail.drops[i].if_drop, 0);
		assert_int_equal(tail.drops[i].os_drop, 10 + (1 - i));
	}
	/* It stands where it stood: a reader goes on. */
	assert_int_equal(lseek(fd, 0, SEEK_CUR), whole);
}

static void test_no_tail(void **state)
{
	struct pcapng_tail tail = { .start_ns = 1 };
	off_t whole;

	(void)state;
	write_capture(false);
	assert_int_equal(pcapng_read_tail(fd, &tail), -ENODATA);
	whole = write_capture(true);
	/* Cut short anywhere: the last block does not end where the file does. */
	for (off_t cut = 1; cut < 40; cut++) {
		assert_int_equal(ftruncate(fd, whole - cut), 0);
		assert_int_equal(pcapng_read_tail(fd, &tail), -ENODATA);
		whole = write_capture(true);
	}
	int null = open("/dev/null", O_RDONLY);

	assert_true(null >= 0);
	assert_int_equal(pcapng_read_tail(null, &tail), -ENODATA);
	close(null);
	assert_int_equal(pcapng_read_tail(-1, &tail), -EBADF);
	assert_true(tail.start_ns == 1);
}

/*
 * As others write it: no times, counters out of order or absent, an interface twice (the later
 * count stands), big-endian.
 */
static void test_tail_of_others(void **state)
{
	static const uint8_t file[] = {
		0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 28, 0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 0,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 28,
		/* interface 1: isb_ifdrop 1 */
		0, 0, 0, 5, 0, 0, 0, 36, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 5, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 36,
		/* interface 0: isb_osdrop 2^32 + 7, then isb_ifdrop of a wrong length */
		0, 0, 0, 5, 0, 0, 0, 44, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 7, 0, 8, 0, 0, 0, 1, 0, 0, 0, 7, 0, 5, 0, 4, 0, 0, 0, 9, 0, 0, 0, 44,
		/* interface 1 again: isb_ifdrop 3 */
		0, 0, 0, 5, 0, 0, 0, 36, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 5, 0, 8, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 36,
	};
	struct pcapng_tail tail;

	(void)state;
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(pwrite(fd, file, sizeof(file), 0), sizeof(file));
	assert_int_equal(pcapng_read_tail(fd, &tail), 0);
	assert_false(tail.has_span);
	assert_int_equal(tail.n_drops, 2);
	assert_true(tail.drops[0].interface == 1 && tail.drops[0].if_drop == 3 &&
		    tail.drops[0].os_drop == -1);
	assert_true(tail.drops[1].interface == 0 && tail.drops[1].if_drop == -1 &&
		    tail.drops[1].os_drop == (1LL << 32) + 7);
}

/* Comments on an interface, and behind the counters longer than what is looked at for the span. */
static void test_notes(void **state)
{
	static char longest[PCAPNG_STRING_MAX], too_long[PCAPNG_STRING_MAX + 1];
	const char *const comments[] = { "podhop a=1", "somebody else's", longest, too_long,
					 "podhop \xff" };
	struct pcapng_statistics s = { .time_ns = END, .start_ns = START, .end_ns = END,
				       .if_recv = -1, .if_drop = 3, .filter_accept = -1,
				       .os_drop = -1, .user_deliv = -1, .comments = comments,
				       .n_comments = sizeof(comments) / sizeof(comments[0]) };
	struct err err = ERR_INIT;
	struct pcapng_writer *w;
	struct pcapng_reader *r;
	struct pcapng_frame f;
	struct pcapng_tail tail;
	int rc;

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	memset(too_long, 'y', sizeof(too_long) - 1);
	memcpy(longest, "podhop ", 7);
	memcpy(too_long, "podhop ", 7);
	write_capture(true);
	/* one more, behind the others */
	w = pcapng_writer_new(fd, 0, &err);
	assert_non_null(w);
	assert_int_equal(pcapng_writer_header(w, &(struct pcapng_writer_config){ 0 }, &err), 0);
	assert_int_equal(pcapng_writer_interface(
				 w, &(struct pcapng_writer_interface){ .linktype = 1,
					.comments = (const char *const[]){ "podhop b=2", longest,
									   "not podhop's" },
					.n_comments = 3 }, &err), 0);
	assert_int_equal(pcapng_writer_statistics(w, &s, &err), 0);
	assert_int_equal(pcapng_writer_flush(w, &err), 0);
	pcapng_writer_free(w);
	assert_int_equal(pcapng_read_tail(fd, &tail), 0);
	assert_true(tail.has_span && tail.start_ns == START && tail.end_ns == END);
	r = pcapng_reader_open(path, &err);
	assert_non_null(r);
	for (unsigned pass = 0; pass < 2; pass++) {
		while ((rc = pcapng_reader_next(r, &f, &err)) > 0)
			;
		assert_int_equal(rc, PCAPNG_EVENT_END);
		assert_int_equal(pcapng_reader_n_notes(r), 5);
		assert_string_equal(pcapng_reader_note(r, 0), "podhop b=2");
		assert_string_equal(pcapng_reader_note(r, 1), longest);
		assert_string_equal(pcapng_reader_note(r, 2), "podhop a=1");
		assert_string_equal(pcapng_reader_note(r, 3), longest);
		assert_string_equal(pcapng_reader_note(r, 4), "podhop \xef\xbf\xbd");
		assert_true(pcapng_reader_interface(r, 2)->if_drop == 3);
		assert_int_equal(pcapng_reader_rewind(r, &err), 0);
		assert_int_equal(pcapng_reader_n_notes(r), 0);
	}
	pcapng_reader_free(r);
}

/* Every byte of the last two blocks set to other values: no crash, no endless walk. */
static void test_damaged_statistics(void **state)
{
	off_t whole = write_capture(true);
	struct pcapng_tail tail;

	(void)state;
	for (off_t at = whole - 200; at < whole; at++) {
		uint8_t before, after;

		assert_int_equal(pread(fd, &before, 1, at), 1);
		for (unsigned v = 0; v < 256; v += 15) {
			after = (uint8_t)v;
			assert_int_equal(pwrite(fd, &after, 1, at), 1);
			if (pcapng_read_tail(fd, &tail) == 0 && tail.has_span)
				assert_true(tail.start_ns <= tail.end_ns);
		}
		assert_int_equal(pwrite(fd, &before, 1, at), 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tail_of_a_whole_file),
		cmocka_unit_test(test_no_tail),
		cmocka_unit_test(test_tail_of_others),
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_damaged_statistics),
	};

	return cmocka_run_group_tests_name("pcapng tail", tests, set_up, tear_down);
}
