/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_cli_inputs_order.c - in which order the frames of files come, whose interfaces lag.
 *
 * A file is written as text: "a0 b10 a3000" are frames of the first and second interface by their
 * times in milliseconds, "!b3000" is a statistics block.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/cli/inputs_priv.h"

#include <cmocka.h> /* last: it has a macro called fail() */

#define T0 1700000000000000000LL
#define MS 1000000LL
#define MOST_NS (200 * MS) /* what a pipeline sorts */
#define FILES_MAX 2u
#define INTERFACES_MAX (MODEL_HOPS_MAX + 1u)
#define UNKNOWN INT64_MAX
#define LARGE 200000u
#define BLOCK (LARGE + 44) /* an EPB of such a frame, as the writer makes it */

static char paths[FILES_MAX][64];
static struct inputs *in;

/* What a file is made of. */
struct story {
	const char *frames;
	const char *const *names; /* of its interfaces; NULL: a, b, c */
	unsigned n; /* of them; 0: three */
	unsigned other_linktype; /* of the interface of this number; 0: of none */
	bool large; /* frames: the file is more than readers keep in memory */
};

static void write_interface(struct pcapng_writer *w, const struct story *y, unsigned i)
{
	static const char *const usual[] = { "a", "b", "c" };
	char name[16];
	struct pcapng_writer_interface d = { .name = name, .linktype = MODEL_LINKTYPE_ETHERNET };

	snprintf(name, sizeof(name), "%s", y->names ? y->names[i] : i < 3 ? usual[i] : "");
	if (i >= 3 && !y->names)
		snprintf(name, sizeof(name), "v%u", i);
	if (y->other_linktype && i == y->other_linktype)
		d.linktype = MODEL_LINKTYPE_RAW;
	assert_int_equal(pcapng_writer_interface(w, &d, NULL), 0);
}

/* *text: behind it afterwards. */
static void write_event(struct pcapng_writer *w, const char **text, uint32_t size)
{
	static const uint8_t bytes[LARGE];
	const bool is_statistics = **text == '!';
	char *rest;

	*text += is_statistics;
	const unsigned interface = (unsigned)((uint8_t)**text - 'a');
	const int64_t time_ns = T0 + strtoll(*text + 1, &rest, 10) * MS;

	*text = rest + strspn(rest, " ");
	if (is_statistics) {
		const struct pcapng_statistics s = { .interface = interface,
						     .time_ns = time_ns,
						     .if_recv = -1,
						     .if_drop = -1,
						     .filter_accept = -1,
						     .os_drop = -1,
						     .user_deliv = -1 };

		assert_int_equal(pcapng_writer_statistics(w, &s, NULL), 0);
		return;
	}
	const struct pcapng_writer_packet p = { .interface = interface,
						.time_ns = time_ns,
						.caplen = size,
						.len = size,
						.data = bytes };

	assert_int_equal(pcapng_writer_packet(w, &p, NULL), 0);
}

static void write_file(char *path, const struct story *y)
{
	const struct pcapng_writer_config config = { .application = "test" };
	struct pcapng_writer *w;
	const char *text = y->frames;

	strcpy(path, "/tmp/podhop-order-XXXXXX");
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	w = pcapng_writer_new(fd, 0, NULL);
	assert_non_null(w);
	assert_int_equal(pcapng_writer_header(w, &config, NULL), 0);
	for (unsigned i = 0; i < (y->n ? y->n : 3); i++)
		write_interface(w, y, i);
	while (*text)
		write_event(w, &text, y->large ? LARGE : 60);
	assert_int_equal(pcapng_writer_finish(w, NULL), 0);
	pcapng_writer_free(w);
	close(fd);
}

static void open_files(const struct story *y, unsigned n)
{
	static const struct options none;
	struct err err = ERR_INIT;
	static struct model_net net;

	in = inputs_new(&none, &net, &err);
	assert_non_null(in);
	for (unsigned i = 0; i < n; i++) {
		write_file(paths[i], &y[i]);
		struct input *one = input_open(paths[i], &err);
		assert_non_null(one);
		inputs_add(in, one);
	}
}

static void close_files(void)
{
	for (unsigned i = 0; i < in->n_input; i++)
		unlink(paths[i]);
	inputs_free(in);
	in = NULL;
}

/* Scans; returns how far frames have to be sorted, in nanoseconds. */
static int64_t scan(void)
{
	struct err err = ERR_INIT;
	int64_t ns = -1;

	assert_int_equal(inputs_scan(in, MOST_NS, &ns, &err), 0);
	return ns;
}

/* The frames of one as they are read, as text; the input is over then. */
static const char *read_all(struct input *one)
{
	static char text[4096];
	size_t len = 0;

	text[0] = '\0';
	while (input_read_frame(one)) {
		const struct model_frame *f = &one->head.frame;

		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%c%lld", len ? " " : "",
					'a' + f->hop, (long long)((f->time_ns - T0) / MS));
		assert_true(len < sizeof(text));
	}
	assert_true(one->over);
	return text;
}

static void is_read(const struct story *y, const char *wanted, int64_t sort_ns)
{
	struct err err = ERR_INIT;
	struct input *one;

	open_files(y, 1);
	one = in->input[0];
	if (scan() != sort_ns)
		fail_msg("\"%s\" is to be sorted by another time", y->frames);
	/* Lanes cost a reader each: where they change nothing there are none. */
	assert_true(!one->lanes == !strcmp(y->frames, wanted));
	for (unsigned k = 0; k < 2; k++) {
		assert_string_equal(read_all(one), wanted);
		assert_int_equal(one->error, 0);
		/* Whoever reads it once more gets the same. */
		assert_int_equal(inputs_rewind(in, &err), 0);
	}
	close_files();
}

static void test_one_piece_each(void **state)
{
	static const struct {
		const char *frames, *read; /* read NULL: as it is */
		int64_t sort_ns;
	} cases[] = {
		{ "a0 b1 a2 b3", NULL, 0 },
		/* a little is sorted by who reads */
		{ "a0 a30 a60 b1 b31 b61", NULL, 59 * MS },
		{ "a0 a200 b0", NULL, MOST_NS },
		{ "a0 a201 b0", "a0 b0 a201", 0 },
		{ "a0 a3000 a6000 b1 b3001 b6001 c2 c3002 c6002",
		  "a0 b1 c2 a3000 b3001 c3002 a6000 b6001 c6002", 0 },
		/* the last interface first, and one that has less to say */
		{ "c2 c3002 c6002 a0 a3000 a6000 b1", "a0 b1 c2 a3000 c3002 a6000 c6002", 0 },
		/* disorder of an interface's own stays, and is told */
		{ "a0 a3000 a2990 b1 b2995", "a0 b1 b2995 a3000 a2990", 10 * MS },
		/* no other interface is behind: lanes would change nothing */
		{ "a0 a900 a100 b901", NULL, 800 * MS },
		{ "", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct story y = { .frames = cases[i].frames };

		is_read(&y, cases[i].read ? cases[i].read : y.frames, cases[i].sort_ns);
	}
}

static void test_clock_set_back(void **state)
{
	(void)state;
	/* An ordered file: the order begins anew, and that is no disorder. */
	is_read(&(struct story){ .frames = "a5000 b5001 a1000 b1001" }, "a5000 b5001 a1000 b1001",
		0);
	/* As far as a second it is disorder, beyond that a step. */
	is_read(&(struct story){ .frames = "a5000 a4000" }, "a5000 a4000", 1000 * MS);
	is_read(&(struct story){ .frames = "a5000 a3999" }, "a5000 a3999", 0);
	/* What a lane shows behind the step comes when all have crossed it. */
	is_read(&(struct story){ .frames = "a0 a5000 a1000 a1500 b1 b5001 b1001 b1501" },
		"a0 b1 a5000 b5001 a1000 b1001 a1500 b1501", 0);
	is_read(&(struct story){ .frames = "a5000 a1000 a9000 a2000 b5001 b1001 b9001 b2001" },
		"a5000 b5001 a1000 b1001 a9000 b9001 a2000 b2001", 0);
	/* On which side of it b was silent, nobody knows: the file is read as it is. */
	is_read(&(struct story){ .frames = "a0 a5000 a1000 b1 b1001" }, "a0 a5000 a1000 b1 b1001",
		UNKNOWN);
}

/* 64 steps are followed, with one more the file is read as it is. */
static void test_many_steps(void **state)
{
	char frames[4096], wanted[4096];

	(void)state;
	for (unsigned steps = 64; steps <= 65; steps++) {
		size_t len = 0, n = 0;

		for (unsigned lane = 0; lane < 2; lane++)
			for (unsigned i = 0; i <= steps; i++)
				len += (size_t)snprintf(frames + len, sizeof(frames) - len,
							"%s%c%u %c%u", len ? " " : "", 'a' + lane,
							900000 - 2000 * i + lane, 'a' + lane,
							900300 - 2000 * i + lane);
		for (unsigned i = 0; i <= steps; i++)
			n += (size_t)snprintf(wanted + n, sizeof(wanted) - n, "%sa%u b%u a%u b%u",
					      n ? " " : "", 900000 - 2000 * i, 900001 - 2000 * i,
					      900300 - 2000 * i, 900301 - 2000 * i);
		assert_true(len < sizeof(frames) && n < sizeof(wanted));
		is_read(&(struct story){ .frames = frames }, steps < 65 ? wanted : frames,
			steps < 65 ? 0 : UNKNOWN);
	}
}

/* Ring files and sections bring an interface again: one hop, and one lane. */
static void test_names(void **state)
{
	static const char *const again[] = { "veth", "cni0", "veth" };
	static const char *const unnamed[] = { "", "", "" };
	const char *frames = "a0 a3000 c2990 b1 b2995";

	(void)state;
	is_read(&(struct story){ .frames = frames, .names = again }, "a0 b1 b2995 a3000 c2990",
		10 * MS);
	/* Of another link type, or without a name, it is another one. */
	is_read(&(struct story){ .frames = frames, .names = again, .other_linktype = 2 },
		"a0 b1 c2990 b2995 a3000", 0);
	is_read(&(struct story){ .frames = frames, .names = unnamed }, "a0 b1 c2990 b2995 a3000",
		0);
}

/* More interfaces than a node has hops. */
static void test_many_interfaces(void **state)
{
	char frames[2048];

	(void)state;
	for (unsigned n = MODEL_HOPS_MAX; n <= INTERFACES_MAX; n++) {
		size_t len = 0;

		for (unsigned i = 0; i < n; i++)
			len += (size_t)snprintf(frames + len, sizeof(frames) - len, "%s%c%u",
						len ? " " : "", 'a' + i, 5000 - i * 20);
		assert_true(len < sizeof(frames));
		open_files(&(struct story){ .frames = frames, .n = n }, 1);
		assert_true(scan() == (n == MODEL_HOPS_MAX ? 0 : UNKNOWN));
		assert_true(input_read_frame(in->input[0]));
		assert_int_equal(in->input[0]->head.frame.hop, n == MODEL_HOPS_MAX ? n - 1 : 0);
		close_files();
	}
}

/* Of all files that have to be sorted the furthest. */
static void test_two_files(void **state)
{
	const struct story y[] = { { .frames = "a0 a100 b50" }, { .frames = "a0 a100 b80" } };

	(void)state;
	open_files(y, 2);
	assert_true(scan() == 50 * MS);
	close_files();
}

/* Statistics say how far time has come, also when the frames are read in lanes. */
static void test_statistics(void **state)
{
	(void)state;
	open_files(&(struct story){ .frames = "a0 a3000 b1 b3001 !a9000 !b8000" }, 1);
	assert_true(scan() == 0);
	assert_string_equal(read_all(in->input[0]), "a0 b1 a3000 b3001");
	assert_true(in->input[0]->last_ns == T0 + 9000 * MS);
	close_files();
}

static void shorten(const char *path, off_t by)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(truncate(path, st.st_size - by), 0);
}

/* Damaged behind good frames: these are read in order of time, then what is wrong is told. */
static void test_cut(void **state)
{
	struct err err = ERR_INIT;
	struct input *one;

	(void)state;
	open_files(&(struct story){ .frames = "a0 a3000 a6000 b1 b3001 b6001" }, 1);
	one = in->input[0];
	shorten(paths[0], 10);
	assert_true(scan() == 0);
	for (unsigned k = 0; k < 2; k++) {
		assert_string_equal(read_all(one), "a0 b1 a3000 b3001 a6000");
		assert_int_equal(one->error, -ENODATA);
		assert_non_null(strstr(one->reason, "cut short at offset"));
		assert_int_equal(inputs_rewind(in, &err), 0);
		assert_int_equal(one->error, 0);
	}
	close_files();
}

/* Between the look at all stamps and reading for good somebody cut it. */
static void test_becomes_shorter(void **state)
{
	struct input *one;

	(void)state;
	open_files(&(struct story){ .frames = "a0 a3000 a6000 b1 b3001 b6001", .large = true }, 1);
	one = in->input[0];
	assert_true(scan() == 0);
	shorten(paths[0], 2 * BLOCK);
	assert_string_equal(read_all(one), "a0 b1");
	assert_int_equal(one->error, -ENODATA);
	if (!strstr(one->reason, "became shorter while it was read"))
		fail_msg("%s", one->reason);
	close_files();
}

static void overwrite(const char *path)
{
	static const char zeros[64];
	FILE *f = fopen(path, "r+");

	assert_non_null(f);
	assert_int_equal(fwrite(zeros, sizeof(zeros), 1, f), 1);
	assert_int_equal(fclose(f), 0);
}

/* What stands at its place when it is read again is no capture: a failure, and not an empty one. */
static void test_no_capture_any_more(void **state)
{
	(void)state;
	for (unsigned scanned = 0; scanned < 2; scanned++) {
		struct err err = ERR_INIT;
		int64_t ns = 7;
		int rc;

		open_files(&(struct story){ .frames = "a0 a3000 b1 b3001" }, 1);
		if (scanned)
			assert_true(scan() == 0);
		assert_int_equal(!in->input[0]->lanes, !scanned);
		overwrite(paths[0]);
		rc = scanned ? inputs_rewind(in, &err) : inputs_scan(in, MOST_NS, &ns, &err);
		assert_true(rc < 0);
		assert_non_null(strstr(err.text, paths[0]));
		close_files();
	}
}

/* A pipe cannot be read twice: it is left alone. */
static void test_pipe(void **state)
{
	struct err err = ERR_INIT;
	char path[32];
	int fds[2];

	(void)state;
	open_files(&(struct story){ .frames = "a0 a100 b50" }, 1);
	assert_int_equal(pipe(fds), 0);
	snprintf(path, sizeof(path), "/dev/fd/%d", fds[0]);
	struct input *one = input_open(path, &err);
	assert_non_null(one);
	inputs_add(in, one);
	assert_true(scan() == 50 * MS);
	assert_false(one->over);
	in->n_input = 1;
	input_free(one);
	close(fds[0]);
	close(fds[1]);
	close_files();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_piece_each),	cmocka_unit_test(test_clock_set_back),
		cmocka_unit_test(test_many_steps),	cmocka_unit_test(test_names),
		cmocka_unit_test(test_many_interfaces), cmocka_unit_test(test_two_files),
		cmocka_unit_test(test_statistics),	cmocka_unit_test(test_cut),
		cmocka_unit_test(test_becomes_shorter), cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_no_capture_any_more),
	};

	return cmocka_run_group_tests_name("cli_inputs_order", tests, NULL, NULL);
}
