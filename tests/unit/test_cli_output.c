/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_cli_output.c - the files of a run: their names, when the next begins, what each holds.
 *
 * What a live capture does is here without one: the times are given. How podhop report rotates
 * beside tcpdump is tests/cli/rotate.sh's.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/cli/cli.h"

#include "podhop/addr.h"
#include "podhop/buf.h"

#include <cmocka.h> /* last: it has a macro called fail() */

#define S 1000000000LL
#define NOON (1769860800 * S) /* 2026-01-31 12:00:00 UTC */
#define HOPS 4u

static char dir[] = "/tmp/podhop-output-XXXXXX";
static struct options opt;
static struct model_net *net;
static struct names *names;
static struct kept kept;
static struct err err;
static const struct privacy_key key = { .b = { 7 } };
static char text[65536];

static struct addr addr(const char *s)
{
	struct addr a;

	assert_int_equal(addr_parse(s, &a), 0);
	return a;
}

static int group_begin(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	net = calloc(1, sizeof(*net));
	return net && mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static void remove_all(void)
{
	DIR *d = opendir(".");
	const struct dirent *e;

	while ((e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			remove(e->d_name);
	closedir(d);
}

static int group_end(void **state)
{
	(void)state;
	free(net);
	return chdir("/") == 0 && rmdir(dir) == 0 ? 0 : -1;
}

static int begin(void **state)
{
	static const enum model_role roles[HOPS] = { MODEL_ROLE_VETH, MODEL_ROLE_BRIDGE,
						     MODEL_ROLE_VTEP, MODEL_ROLE_UNDERLAY };
	static const char *const devices[HOPS] = { "v0", "cni0", "flannel.1", "eth0" };

	(void)state;
	opt = (struct options){ .command = COMMAND_CAPTURE,
				.write = "f.pcapng",
				.min_free = { .is_set = true } };
	kept = (struct kept){ 0 };
	memset(&err, 0, sizeof(err));
	memset(net, 0, sizeof(*net));
	strcpy(net->node, "n1");
	strcpy(net->pods[0].namespace_, "ns");
	strcpy(net->pods[0].name, "web");
	net->pods[0].addrs[0] = addr("10.244.1.2");
	net->pods[0].n_addrs = 1;
	net->n_pods = 1;
	for (unsigned i = 0; i < HOPS; i++) {
		net->hops[i] =
			(struct model_hop){ .role = roles[i], .linktype = 1, .pod = i ? -1 : 0 };
		strcpy(net->hops[i].name, devices[i]);
	}
	net->n_hops = HOPS;
	names = names_new(NULL);
	return names ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	names_free(names);
	remove_all();
	return 0;
}

static struct output *start(int64_t live_ns)
{
	struct output *o = output_open(&opt, net, names, NULL, &kept, live_ns, -1, &key, &err);

	if (!o)
		fail_msg("%s", err.text);
	return o;
}

/* 1: the bounds have to be looked at. */
static int offer(struct output *o, unsigned hop, int64_t time_ns)
{
	static const uint8_t data[60];
	const struct model_frame f = {
		.time_ns = time_ns, .data = data, .caplen = 60, .len = 60, .hop = (uint16_t)hop
	};
	const struct correlate_mark m = { .keep = true };

	return output_frame(o, &f, &m, &err);
}

static int put(struct output *o, unsigned hop, int64_t time_ns)
{
	int rc = offer(o, hop, time_ns);

	if (rc > 0)
		assert_false(output_is_low(o, false, &err));
	return rc > 0 ? 0 : rc;
}

static void stop(struct output *o)
{
	const struct result r = { 0 };

	assert_int_equal(output_close(o, &r, NULL, &err), 0);
	output_free(o);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in the directory, in order. */
static const char *files(void)
{
	char *name[64];
	unsigned n = 0;
	DIR *d = opendir(".");
	const struct dirent *e;

	while ((e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			name[n++] = strdup(e->d_name);
	closedir(d);
	qsort(name, n, sizeof(name[0]), by_name);
	text[0] = '\0';
	for (unsigned i = 0; i < n; i++) {
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "",
			 name[i]);
		free(name[i]);
	}
	return text;
}

static struct pcapng_reader *reader(const char *path)
{
	struct pcapng_reader *r = pcapng_reader_open(path, &err);

	if (!r)
		fail_msg("%s", err.text);
	return r;
}

/* "hop@second", of drops in front of it "hop@second+drops", a frame each; -1: cut short. */
static const char *frames(const char *path)
{
	struct pcapng_reader *r = reader(path);
	struct pcapng_frame f;
	size_t at = 0;
	int rc;

	text[0] = '\0';
	while ((rc = pcapng_reader_next(r, &f, &err)) > 0) {
		if (rc != PCAPNG_EVENT_FRAME)
			continue;
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s@%lld", at ? " " : "",
				       pcapng_reader_interface(r, f.frame.hop)->name,
				       (long long)((f.frame.time_ns - NOON) / S));
		if (f.frame.drops)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "+%llu",
					       (unsigned long long)f.frame.drops);
	}
	if (rc < 0)
		snprintf(text + at, sizeof(text) - at, " %d", rc);
	pcapng_reader_free(r);
	return text;
}

/* ---------------------------------------------------------------------- names */

struct naming_case {
	enum naming naming;
	struct limits ring;
	const char *write;
	unsigned frames;
	const char *files;
};

/* A frame a second. */
static void is_called(const struct naming_case *c)
{
	struct output *o;

	opt.naming = c->naming;
	opt.ring = c->ring;
	opt.write = c->write;
	o = start(NOON);
	for (unsigned i = 0; i < c->frames; i++)
		assert_int_equal(put(o, 0, NOON + i * S), 0);
	stop(o);
	if (strcmp(files(), c->files) != 0)
		fail_msg("%s\n  found:  %s\n  wanted: %s", c->write, text, c->files);
	remove_all();
}

static void test_called_as_dumpcap(void **state)
{
	static const struct naming_case cases[] = {
		{ NAMING_NUMBER_AND_TIME,
		  { .frames = 2 },
		  "a.pcapng",
		  5,
		  "a_00001_20260131120000.pcapng a_00002_20260131120002.pcapng "
		  "a_00003_20260131120004.pcapng" },
		/* what stands behind the name's last dot; how it is packed belongs to it */
		{ NAMING_NUMBER_AND_TIME,
		  { .frames = 2 },
		  "a.b.pcapng.gz",
		  1,
		  "a.b_00001_20260131120000.pcapng.gz" },
		{ NAMING_NUMBER_AND_TIME,
		  { .frames = 2 },
		  "plain",
		  1,
		  "plain_00001_20260131120000" },
		{ NAMING_NUMBER_AND_TIME,
		  { .frames = 2 },
		  "./plain",
		  1,
		  "plain_00001_20260131120000" },
		{ NAMING_NUMBER_AND_TIME,
		  { .frames = 2 },
		  ".hidden",
		  1,
		  ".hidden_00001_20260131120000" },
		{ NAMING_NUMBER_AND_TIME,
		  { .frames = 2 },
		  "./.hidden",
		  1,
		  ".hidden_00001_20260131120000" },
		/* evenly, whenever the frames come */
		{ NAMING_NUMBER_AND_TIME,
		  { .duration_ns = 2 * S },
		  "a.pcapng",
		  5,
		  "a_00001_20260131120000.pcapng a_00002_20260131120002.pcapng "
		  "a_00003_20260131120004.pcapng" },
		{ NAMING_NUMBER_AND_TIME,
		  { .frames = 1, .files = 2 },
		  "a.pcapng",
		  5,
		  "a_00004_20260131120003.pcapng a_00005_20260131120004.pcapng" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_called(&cases[i]);
}

/* A set's bytes: its headers and a frame, so that each frame has a file. */
static void test_called_as_tcpdump(void **state)
{
	static const struct naming_case cases[] = {
		{ NAMING_COUNT, { .bytes = 1 }, "f.pcapng", 3, "f.pcapng f.pcapng1 f.pcapng2" },
		{ NAMING_COUNT, { .bytes = 1 }, "f.pcapng.zst", 2, "f.pcapng.zst f.pcapng1.zst" },
		{ NAMING_COUNT, { .bytes = 1, .files = 12 }, "f", 2, "f00 f01" },
		{ NAMING_COUNT, { .bytes = 1, .files = 2 }, "f", 5, "f0 f1" },
		{ NAMING_COUNT, { .bytes = 1, .files = 1 }, "f", 5, "f" },
		{ NAMING_TIME,
		  { .duration_ns = 2 * S },
		  "t-%H%M%S",
		  5,
		  "t-120000 t-120002 t-120004" },
		/* of one time's slot the files are counted, in the next from the start again */
		{ NAMING_TIME,
		  { .duration_ns = 3 * S, .bytes = 1 },
		  "t-%H%M%S",
		  5,
		  "t-120000 t-1200001 t-1200002 t-120003 t-1200031" },
		{ NAMING_TIME,
		  { .duration_ns = 3 * S, .bytes = 1, .files = 2 },
		  "t-%H%M%S",
		  5,
		  "t-1200000 t-1200001 t-1200030 t-1200031" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_called(&cases[i]);
}

/* Two of one name would be one: they are written over. */
static void test_ring_of_two(void **state)
{
	struct output *o;

	(void)state;
	opt.naming = NAMING_COUNT;
	opt.ring = (struct limits){ .bytes = 1, .files = 2 };
	o = start(NOON);
	for (int i = 0; i < 5; i++)
		assert_int_equal(put(o, 0, NOON + i * S), 0);
	stop(o);
	assert_string_equal(frames("f.pcapng0"), "v0@4");
	assert_string_equal(frames("f.pcapng1"), "v0@3");
}

static void test_name_too_long(void **state)
{
	static char path[4200];
	static const struct {
		enum naming naming;
		size_t len;
		int code;
		const char *text;
	} cases[] = {
		{ NAMING_NUMBER_AND_TIME, 4090, -ENAMETOOLONG, "too long a name: -w xxx" },
		{ NAMING_COUNT, 4199, -ENAMETOOLONG, "too long a name: -w xxx" },
		{ NAMING_TIME, 4199, -EINVAL, "no name comes of the template -w xxx" },
		{ NAMING_ONE, 4090, -ENAMETOOLONG, "open xxx" },
	};

	(void)state;
	opt.ring.frames = 1;
	opt.write = path;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(path, 'x', sizeof(path));
		path[cases[i].len] = '\0';
		opt.naming = cases[i].naming;
		assert_null(output_open(&opt, net, names, NULL, &kept, NOON, -1, &key, &err));
		assert_int_equal(err.code, cases[i].code);
		assert_memory_equal(err.text, cases[i].text, strlen(cases[i].text));
	}
	assert_string_equal(files(), "");
}

/* A hop's own file: its frames alone, and no name that leads elsewhere. */
static void test_split(void **state)
{
	struct output *o;

	(void)state;
	opt.split = true;
	strcpy(net->hops[1].name, "../x");
	o = start(0);
	for (unsigned i = 0; i < HOPS; i++)
		assert_int_equal(put(o, i, NOON + i * S), 0);
	stop(o);
	assert_string_equal(files(), "f-bridge-.._x.pcapng f-underlay-eth0.pcapng "
				     "f-veth-v0.pcapng f-vtep-flannel.1.pcapng f.pcapng");
	assert_string_equal(frames("f.pcapng"), "v0@0 ../x@1 flannel.1@2 eth0@3");
	assert_string_equal(frames("f-bridge-.._x.pcapng"), "../x@1");
	assert_string_equal(frames("f-vtep-flannel.1.pcapng"), "flannel.1@2");
}

/* A hop's file that cannot be had: no file is left open, and why is said. */
static void test_split_fails(void **state)
{
	(void)state;
	opt.split = true;
	assert_int_equal(mkdir("f-veth-v0.pcapng", 0700), 0);
	assert_null(output_open(&opt, net, names, NULL, &kept, 0, -1, &key, &err));
	assert_string_equal(err.text, "open f-veth-v0.pcapng: Is a directory");
}

/* ------------------------------------------------------------------ the clock */

/* Files follow each other in a quiet network too, and evenly. */
static void test_quiet_network(void **state)
{
	struct output *o;

	(void)state;
	opt.naming = NAMING_TIME;
	opt.write = "%H%M%S";
	opt.ring.duration_ns = 10 * S;
	o = start(NOON);
	assert_int_equal(output_time(o, NOON + 9 * S, &err), 0);
	assert_string_equal(files(), "120000");
	assert_int_equal(output_time(o, NOON + 10 * S, &err), 0);
	assert_string_equal(files(), "120000 120010");
	/* looked at late: the slot began when it should have */
	assert_int_equal(output_time(o, NOON + 37 * S, &err), 0);
	assert_string_equal(files(), "120000 120010 120030");
	assert_int_equal(put(o, 0, NOON + 38 * S), 0);
	stop(o);
	assert_string_equal(frames("120010"), "");
	assert_string_equal(frames("120030"), "v0@38");
}

/* -b interval: at whole minutes of the clock, not a minute behind the beginning. */
static void test_interval(void **state)
{
	struct output *o;

	(void)state;
	opt.naming = NAMING_NUMBER_AND_TIME;
	opt.ring.interval_ns = 60 * S;
	o = start(NOON + 50 * S);
	assert_int_equal(output_time(o, NOON + 59 * S, &err), 0);
	assert_int_equal(output_time(o, NOON + 60 * S, &err), 0);
	assert_int_equal(output_time(o, NOON + 119 * S, &err), 0);
	assert_int_equal(output_time(o, NOON + 121 * S, &err), 0);
	stop(o);
	assert_string_equal(files(), "f_00001_20260131120050.pcapng "
				     "f_00002_20260131120100.pcapng "
				     "f_00003_20260131120201.pcapng");
}

/* Of a report the frames' times alone count; a clock that goes on says nothing. */
static void test_report_has_no_clock(void **state)
{
	char first[64], second[64];
	struct output *o;

	(void)state;
	opt.naming = NAMING_NUMBER_AND_TIME;
	opt.ring.duration_ns = 10 * S;
	o = start(0);
	assert_int_equal(output_time(o, NOON + 100 * S, &err), 0);
	assert_int_equal(put(o, 0, NOON), 0);
	assert_int_equal(output_time(o, NOON + 100 * S, &err), 0);
	assert_int_equal(put(o, 0, NOON + 9 * S), 0);
	assert_int_equal(put(o, 0, NOON + 10 * S), 0);
	stop(o);
	/* named by when they were made, which is not known here */
	assert_int_equal(sscanf(files(), "%63s %63s", first, second), 2);
	assert_string_equal(frames(first), "v0@0 v0@9");
	assert_string_equal(frames(second), "v0@10");
}

/* --------------------------------------------------------------------- the end */

static void test_last_file(void **state)
{
	struct output *o;

	(void)state;
	opt.naming = NAMING_COUNT;
	opt.ring.frames = 2;
	opt.stop.files = 2;
	o = start(NOON);
	assert_true(output_may_end(o));
	for (int i = 0; i < 4; i++) {
		assert_true(output_has_room(o, NOON + i * S, 0, 0));
		assert_int_equal(put(o, 0, NOON + i * S), 0);
	}
	assert_false(output_has_room(o, NOON + 4 * S, 0, 0));
	assert_false(output_is_over(o));
	assert_int_equal(put(o, 0, NOON + 4 * S), 0);
	assert_true(output_is_over(o));
	/* From here on nothing is kept, and nothing is a fault. */
	assert_int_equal(put(o, 0, NOON + 5 * S), 0);
	assert_int_equal(output_time(o, NOON + 60 * S, &err), 0);
	net->n_hops--;
	assert_int_equal(output_add_hop(o, &err), 0);
	net->n_hops++;
	assert_false(output_has_room(o, NOON, 0, 0));
	assert_false(output_is_low(o, true, &err));
	stop(o);
	assert_string_equal(files(), "f.pcapng f.pcapng1");
	assert_string_equal(frames("f.pcapng1"), "v0@2 v0@3");
}

/* -G with -W ends; with -C too, -W is that of -C's ring. */
static void test_last_slot(void **state)
{
	struct output *o;

	(void)state;
	opt.naming = NAMING_TIME;
	opt.write = "%S";
	opt.ring = (struct limits){ .duration_ns = S, .files = 1 };
	o = start(NOON);
	assert_true(output_may_end(o));
	assert_int_equal(put(o, 0, NOON), 0);
	assert_int_equal(put(o, 0, NOON + S), 0);
	assert_true(output_is_over(o));
	stop(o);
	assert_string_equal(files(), "00");
	opt.ring.bytes = 1000000;
	o = start(NOON);
	assert_false(output_may_end(o));
	assert_int_equal(put(o, 0, NOON), 0);
	assert_int_equal(put(o, 0, NOON + S), 0);
	assert_false(output_is_over(o));
	stop(o);
}

/* What waits for its turn, at most, has its place in the files that are to come. */
static void test_room(void **state)
{
	struct output *o;

	(void)state;
	o = start(0);
	assert_false(output_may_end(o));
	assert_true(output_has_room(o, NOON, UINT32_MAX, SIZE_MAX / 2));
	stop(o);

	opt.stop.bytes = 10000;
	o = start(0);
	assert_true(output_may_end(o));
	assert_true(output_has_room(o, NOON, 1, 1000));
	assert_false(output_has_room(o, NOON, 1, 10000));
	assert_false(output_has_room(o, NOON, 20, 1000));
	stop(o);

	opt = (struct options){ .write = "f",
				.naming = NAMING_COUNT,
				.ring = { .frames = 3 },
				.stop = { .files = 2 } };
	o = start(0);
	assert_true(output_has_room(o, NOON, 5, 0));
	assert_false(output_has_room(o, NOON, 6, 0));
	assert_int_equal(put(o, 0, NOON), 0);
	assert_false(output_has_room(o, NOON, 5, 0));
	stop(o);

	opt.ring = (struct limits){ .bytes = 100000 };
	o = start(0);
	assert_true(output_has_room(o, NOON, 1, 190000));
	assert_false(output_has_room(o, NOON, 1, 200000));
	stop(o);

	/* Near the end of a file's time what waits may be what begins the last. */
	opt.ring = (struct limits){ .duration_ns = S };
	o = start(NOON);
	assert_true(output_has_room(o, NOON + S - 1, 1, 0));
	assert_false(output_has_room(o, NOON + S, 1, 0));
	stop(o);
}

/* What is said of a file that cannot be opened is said once; until the end nothing is written. */
static void test_next_file_cannot_be_had(void **state)
{
	struct output *o;
	FILE *f = fopen("f.pcapng1", "w");

	(void)state;
	assert_non_null(f);
	fputs("somebody's notes, a line of text", f);
	fclose(f);
	opt.naming = NAMING_COUNT;
	opt.ring.frames = 1;
	o = start(NOON);
	assert_int_equal(put(o, 0, NOON), 0);
	uint64_t bytes = output_bytes(o);
	assert_int_equal(put(o, 0, NOON + S), -EEXIST);
	assert_string_equal(err.text, "f.pcapng1 exists and is no capture: it is not overwritten; "
				      "name another file, or remove this one");
	assert_true(output_bytes(o) >= bytes); /* the first file stays counted */
	assert_int_equal(put(o, 0, NOON + 2 * S), -EBADF);
	assert_int_equal(output_time(o, NOON + 60 * S, &err), 0);
	assert_false(output_has_room(o, NOON, 0, 0));
	stop(o);
	assert_string_equal(frames("f.pcapng"), "v0@0");
}

/* ------------------------------------------------------------------ statistics */

struct counts {
	int64_t kernel, device;
	int fails;
};

static int count(void *arg, struct result *r, struct err *e)
{
	const struct counts *c = arg;

	if (c->fails)
		return err_set(e, c->fails, "counters");
	r->capture.start_ns = NOON;
	r->capture.n_interfaces = HOPS;
	r->capture.interfaces = calloc(HOPS, sizeof(*r->capture.interfaces));
	for (unsigned i = 0; i < HOPS; i++) {
		r->capture.interfaces[i].dropped_kernel = c->kernel;
		r->capture.interfaces[i].dropped_interface = i ? -1 : c->device;
	}
	return 0;
}

/* What a file's end tells: "from-to", of each hop "kernel/all dropped"; times in seconds. */
static const char *tail(const char *path)
{
	struct pcapng_tail t;
	int fd = open(path, O_RDONLY);
	size_t at;

	assert_int_equal(pcapng_read_tail(fd, &t), 0);
	close(fd);
	assert_true(t.has_span);
	at = (size_t)snprintf(text, sizeof(text), "%lld-%lld", (long long)(t.start_ns - NOON) / S,
			      (long long)(t.end_ns - NOON) / S);
	for (uint32_t i = 0; i < HOPS; i++)
		for (unsigned k = 0; k < t.n_drops; k++)
			if (t.drops[k].interface == i)
				at += (size_t)snprintf(text + at, sizeof(text) - at, " %lld/%lld",
						       (long long)t.drops[k].os_drop,
						       (long long)t.drops[k].if_drop);
	return text;
}

/* A file tells of its own time; what the files before it told is not told again. */
static void test_statistics_of_each_file(void **state)
{
	struct counts c = { .kernel = 5, .device = 2 };
	struct result r = { 0 };
	struct output *o;

	(void)state;
	opt.naming = NAMING_COUNT;
	opt.ring.frames = 2;
	o = start(NOON);
	output_set_counters(o, count, &c);
	put(o, 0, NOON);
	put(o, 1, NOON + S);
	put(o, 1, NOON + 2 * S);
	c = (struct counts){ .kernel = 12, .device = 3 };
	assert_int_equal(count(&c, &r, &err), 0);
	r.capture.end_ns = NOON + 9 * S;
	assert_int_equal(output_close(o, &r, NULL, &err), 0);
	output_free(o);
	result_free(&r);

	/* Of the first hop the device's own are known, too. */
	assert_string_equal(tail("f.pcapng"), "0-2 5/7 5/5 5/5 5/5");
	assert_string_equal(tail("f.pcapng1"), "2-9 7/8 7/7 7/7 7/7");
}

static void test_no_counters(void **state)
{
	struct counts c = { .fails = -EIO };
	struct output *o;

	(void)state;
	opt.naming = NAMING_COUNT;
	opt.ring.frames = 1;
	o = start(NOON);
	output_set_counters(o, count, &c);
	assert_int_equal(put(o, 0, NOON), 0);
	assert_int_equal(put(o, 0, NOON + S), -EIO);
	assert_string_equal(err.text, "counters");
	output_free(o);
	assert_string_equal(files(), "f.pcapng");
}

/* While it goes on, so that a reader knows how far time has come; what a pipe's reader sees. */
static void test_statistics_on_the_way(void **state)
{
	struct counts c = { .kernel = -1 };
	struct pcapng_reader *r;
	struct pcapng_frame f;
	struct result result = { 0 };
	struct output *o;
	int fd;

	(void)state;
	assert_int_equal(mkfifo("f.pcapng", 0600), 0);
	fd = open("f.pcapng", O_RDONLY | O_NONBLOCK);
	r = reader("f.pcapng");
	assert_int_equal(pcapng_reader_set_nonblocking(r, &err), 0);
	o = start(NOON);
	close(fd);
	assert_true(output_is_pipe(o));
	assert_int_equal(output_floor(o), 0);
	assert_false(output_is_low(o, true, &err));
	/* the headers come at once */
	assert_int_equal(pcapng_reader_next(r, &f, &err), PCAPNG_EVENT_IDLE);
	assert_int_equal(pcapng_reader_n_interfaces(r), HOPS);
	/* a frame does when nothing more comes */
	assert_int_equal(put(o, 1, NOON + S), 0);
	assert_int_equal(pcapng_reader_next(r, &f, &err), PCAPNG_EVENT_IDLE);
	assert_int_equal(output_idle(o, &err), 0);
	assert_int_equal(pcapng_reader_next(r, &f, &err), PCAPNG_EVENT_FRAME);
	assert_int_equal(f.frame.time_ns, NOON + S);
	assert_int_equal(count(&c, &result, &err), 0);
	assert_int_equal(output_statistics(o, &result, NOON + 5 * S, &err), 0);
	assert_int_equal(output_idle(o, &err), 0);
	for (unsigned i = 0; i < HOPS; i++) {
		assert_int_equal(pcapng_reader_next(r, &f, &err), PCAPNG_EVENT_TIME);
		assert_int_equal(f.frame.time_ns, NOON + 5 * S);
		/* not known is not none */
		assert_int_equal(pcapng_reader_interface(r, i)->os_drop, -1);
		assert_int_equal(pcapng_reader_interface(r, i)->if_drop, -1);
	}
	result_free(&result);
	/* Its reader goes: told by name, and all that is written then. */
	pcapng_reader_free(r);
	assert_int_equal(put(o, 1, NOON + 6 * S), 0);
	assert_int_equal(output_idle(o, &err), -EPIPE);
	assert_string_equal(err.text, "f.pcapng: write: Broken pipe");
	assert_int_equal(output_close(o, &result, NULL, &err), -EPIPE);
	output_free(o);
}

/* ------------------------------------------------------------- frame by frame */

/* The frames in front of the gap must not bear it, and only one behind it does. */
static void test_drops(void **state)
{
	struct output *o;

	(void)state;
	o = start(NOON);
	output_drops(o, 1, NOON + 3 * S, 4);
	output_drops(o, 1, NOON + 5 * S, 2); /* of the same gap, heard later */
	for (int i = 1; i < 6; i++) {
		assert_int_equal(put(o, 0, NOON + i * S), 0);
		assert_int_equal(put(o, 1, NOON + i * S), 0);
	}
	output_drops(o, 0, NOON, 1);
	assert_int_equal(put(o, 0, NOON + 6 * S), 0);
	stop(o);
	assert_string_equal(frames("f.pcapng"), "v0@1 cni0@1 v0@2 cni0@2 v0@3 cni0@3+6 v0@4 cni0@4 "
						"v0@5 cni0@5 v0@6+1");
}

static void test_each_frame_flushed(void **state)
{
	struct output *o;
	struct stat st;

	(void)state;
	opt.unbuffered = true;
	o = start(NOON);
	assert_true(output_floor(o) == 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(put(o, 0, NOON + i * S), 0);
		assert_int_equal(stat("f.pcapng", &st), 0);
		assert_true((uint64_t)st.st_size >= output_bytes(o));
		assert_int_equal(strlen(frames("f.pcapng")), 5 * (i + 1) - 1);
	}
	stop(o);
}

/* The caller is told when it has to look at its bounds. */
static void test_bounds_are_looked_at(void **state)
{
	struct output *o;
	unsigned n = 0;
	int rc;

	(void)state;
	opt.stop.bytes = 20000;
	o = start(NOON);
	assert_false(output_is_low(o, true, &err));
	while (!(rc = offer(o, 0, NOON)))
		assert_true(++n < 1000);
	assert_int_equal(rc, 1);
	assert_true(output_bytes(o) >= 20000 && output_bytes(o) < 20000 + 200);
	stop(o);
	/* Nothing is as large as a whole disk: everything is too little. */
	opt.min_free = (struct min_free){ .is_set = true, .bytes = UINT64_MAX / 2 };
	o = start(NOON);
	assert_true(output_is_low(o, true, &err));
	assert_int_equal(err.code, -ENOSPC);
	assert_int_equal(output_floor(o), UINT64_MAX / 2);
	assert_true(output_is_low(o, false, &err));
	stop(o);
}

/* The disk is full for one of the files: the others are whole, the first fault is told. */
static void test_one_file_fails(void **state)
{
	struct rlimit was, limit;
	const struct result r = { 0 };
	struct output *o;

	(void)state;
	opt.split = true;
	o = start(NOON);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(put(o, i % HOPS, NOON + i * S), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	limit = (struct rlimit){ .rlim_cur = 3000, .rlim_max = was.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	int rc = output_close(o, &r, NULL, &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(rc, -EFBIG);
	assert_string_equal(err.text, "f.pcapng: write: File too large");
	output_free(o);
	assert_string_equal(frames("f-vtep-flannel.1.pcapng"),
			    "flannel.1@2 flannel.1@6 flannel.1@10 flannel.1@14 flannel.1@18 "
			    "flannel.1@22 flannel.1@26 flannel.1@30 flannel.1@34 flannel.1@38");
}

/* A hop that comes later (--follow): in the file it stands before its first frame. */
static void add_veth(void)
{
	struct model_hop *h = &net->hops[net->n_hops];

	net->pods[0].addrs[0] = addr("10.244.1.9");
	net->pods[0].addrs[1] = addr("fd00::9");
	net->pods[0].n_addrs = 2;
	*h = (struct model_hop){ .role = MODEL_ROLE_VETH, .linktype = 1, .pod = 0 };
	strcpy(h->name, "v1");
	net->n_hops++;
}

static void test_added_hop(void **state)
{
	struct pcapng_reader *r;
	struct pcapng_frame f;
	struct output *o;

	(void)state;
	o = start(NOON);
	assert_int_equal(put(o, 0, NOON), 0);
	add_veth();
	assert_int_equal(output_add_hop(o, &err), 0);
	assert_int_equal(put(o, HOPS, NOON + S), 0);
	stop(o);
	assert_string_equal(frames("f.pcapng"), "v0@0 v1@1");
	r = reader("f.pcapng");
	while (pcapng_reader_next(r, &f, &err) > 0)
		;
	/* the first one's pod is the section's only one */
	assert_string_equal(pcapng_reader_interface(r, 0)->description, "podhop role=veth node=n1");
	assert_string_equal(pcapng_reader_interface(r, HOPS)->description,
			    "podhop role=veth node=n1 pod=ns/web ip=10.244.1.9,fd00::9");
	assert_string_equal(pcapng_reader_section_comment(r),
			    "podhop node=n1 pods=ns/web:10.244.1.2 filter=");
	pcapng_reader_free(r);
}

/* Under pseudonyms it has one as well, and its pod the same as before. */
static void test_added_hop_has_a_pseudonym(void **state)
{
	char pods[PCAPNG_STRING_MAX], description[PCAPNG_STRING_MAX];
	const char *name;
	struct pcapng_reader *r;
	struct pcapng_frame f;
	struct output *o;

	(void)state;
	opt.anonymize = opt.no_payload = true;
	opt.key_file = "key";
	o = start(NOON);
	add_veth();
	assert_int_equal(output_add_hop(o, &err), 0);
	stop(o);
	r = reader("f.pcapng");
	while (pcapng_reader_next(r, &f, &err) > 0)
		;
	snprintf(pods, sizeof(pods), "%s", strstr(pcapng_reader_section_comment(r), " pods=") + 6);
	pods[strcspn(pods, ":")] = '\0';
	snprintf(description, sizeof(description), "%s",
		 pcapng_reader_interface(r, HOPS)->description);
	name = strstr(description, " pod=");
	assert_non_null(name);
	assert_null(strstr(description, "web"));
	assert_null(strstr(description, "10.244.1.9"));
	assert_null(strstr(description, "fd00::9"));
	assert_int_equal(strncmp(name + 5, pods, strlen(pods)), 0);
	assert_string_not_equal(pcapng_reader_interface(r, HOPS)->name, "v1");
	pcapng_reader_free(r);
}

/* Nothing of a hop's own filter goes into a file that is to tell no address. */
static void test_filters(void **state)
{
	static const char *const filters[HOPS] = { "host 10.244.1.2", NULL, "udp port 8472", NULL };

	for (unsigned i = 0; i < 2; i++) {
		struct pcapng_reader *r;
		struct pcapng_frame f;
		struct output *o;

		(void)state;
		opt.anonymize = i == 1;
		opt.filter = (char *)(uintptr_t) "tcp port 80";
		opt.direction = MODEL_DIRECTION_EGRESS;
		kept_add(&kept, "icmp or tcp");
		o = output_open(&opt, net, names, filters, &kept, NOON, -1, &key, &err);
		assert_non_null(o);
		stop(o);
		opt.filter = NULL;
		r = reader("f.pcapng");
		assert_int_equal(pcapng_reader_next(r, &f, &err), PCAPNG_EVENT_END);
		assert_string_equal(pcapng_reader_interface(r, 0)->filter, i ? "" : filters[0]);
		assert_string_equal(pcapng_reader_interface(r, 1)->filter, "");
		assert_string_equal(pcapng_reader_interface(r, 2)->filter, i ? "" : filters[2]);
		if (!i)
			assert_string_equal(pcapng_reader_section_comment(r),
					    "podhop node=n1 pods=ns/web:10.244.1.2 "
					    "filter=(icmp or tcp) and (tcp port 80) and "
					    "(src host 10.244.1.2)");
		else
			assert_null(strstr(pcapng_reader_section_comment(r), "10.244.1.2"));
		pcapng_reader_free(r);
	}
}

/* -w FILE is opened before it is known what goes in, and cut only then. */
static void test_reserved(void **state)
{
	struct stat st;
	int fd = -1;

	(void)state;
	opt.write = "-";
	assert_int_equal(output_reserve(&opt, &fd, &err), 0);
	assert_int_equal(fd, -1);
	opt.write = "f.pcapng";
	opt.naming = NAMING_COUNT;
	assert_true(output_makes_files(&opt, true));
	assert_int_equal(output_reserve(&opt, &fd, &err), 0);
	assert_int_equal(fd, -1);
	opt.naming = NAMING_ONE;
	assert_false(output_makes_files(&opt, false));
	stop(start(NOON));
	assert_int_equal(stat("f.pcapng", &st), 0);
	off_t before = st.st_size;
	assert_int_equal(output_reserve(&opt, &fd, &err), 0);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, before);
	net->n_hops = 1;
	struct output *o = output_open(&opt, net, names, NULL, &kept, NOON, fd, &key, &err);
	assert_non_null(o);
	stop(o);
	assert_int_equal(stat("f.pcapng", &st), 0);
	assert_true(st.st_size < before);
	opt.split = true;
	assert_true(output_makes_files(&opt, false));
	assert_false(output_makes_files(&opt, true));
	output_free(NULL);
}

int main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		EACH(test_called_as_dumpcap),
		EACH(test_called_as_tcpdump),
		EACH(test_ring_of_two),
		EACH(test_name_too_long),
		EACH(test_split),
		EACH(test_split_fails),
		EACH(test_quiet_network),
		EACH(test_interval),
		EACH(test_report_has_no_clock),
		EACH(test_last_file),
		EACH(test_last_slot),
		EACH(test_room),
		EACH(test_next_file_cannot_be_had),
		EACH(test_statistics_of_each_file),
		EACH(test_no_counters),
		EACH(test_statistics_on_the_way),
		EACH(test_drops),
		EACH(test_each_frame_flushed),
		EACH(test_bounds_are_looked_at),
		EACH(test_one_file_fails),
		EACH(test_added_hop),
		EACH(test_added_hop_has_a_pseudonym),
		EACH(test_filters),
		EACH(test_reserved),
	};

	return cmocka_run_group_tests(tests, group_begin, group_end);
}
