// SPDX-License-Identifier: BSD-3-Clause
/*
 * stages.c - what each stage costs a frame: read, dissect, observe, match, write; and all but
 * read together, as live capture uses them (pipeline: frames come hop by hop, as rings are
 * drained, and leave for a file that keeps nothing; terse: without comments).
 *
 * usage: stages FILE [repetitions]
 * FILE is a capture of the four hops that gen wrote. Each stage runs alone over all frames,
 * on what the one before left in memory; the least of all repetitions is printed as JSON, in
 * nanoseconds a frame of this thread's CPU time.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "podhop/correlate.h"
#include "podhop/dissect.h"
#include "podhop/pcapng.h"
#include "podhop/pipeline.h"

#define FRAMES_MAX 200000u
#define N_HOPS 4
#define FAR_AWAY 1e9

enum stage { READ, DISSECT, OBSERVE, MATCH, WRITE, PIPELINE, TERSE, N_STAGES };

static const char *const names[N_STAGES] = { "read",  "dissect",  "observe", "match",
					      "write", "pipeline", "terse" };
static struct model_net net;
static struct model_frame frames[FRAMES_MAX];
static struct correlate_obs obs[FRAMES_MAX];
static uint32_t drained[FRAMES_MAX];	/* frames in the order in which rings are drained */
static struct pcapng_writer *writer;
static struct pipeline_comments comments;
static struct err write_err;
static bool with_comments;
static uint8_t *input;
static size_t input_len;
static uint32_t n_frames;
static double least[N_STAGES];

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "stages: %s\n", what);
	exit(1);
}

static void note(enum stage s, double begin)
{
	double ns = (now_ns() - begin) / n_frames;

	if (ns < least[s])
		least[s] = ns;
}

static void load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t len = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	size_t done = 0;

	input = len > 0 ? malloc((size_t)len) : NULL;
	if (!input || lseek(fd, 0, SEEK_SET) < 0)
		die("the capture cannot be read");
	input_len = (size_t)len;
	while (done < input_len) {
		ssize_t n = read(fd, input + done, input_len - done);

		if (n <= 0)
			die("the capture cannot be read");
		done += (size_t)n;
	}
	close(fd);
}

static void describe_net(void)
{
	static const char *const devices[N_HOPS] = { "veth1", "cni0", "flannel.1", "eth0" };

	net.n_hops = N_HOPS;
	for (unsigned i = 0; i < N_HOPS; i++) {
		struct model_hop *h = &net.hops[i];

		memcpy(h->name, devices[i], strlen(devices[i]));
		h->role = MODEL_ROLE_VETH + i;
		h->linktype = MODEL_LINKTYPE_ETHERNET;
		h->snaplen = 128;
		h->pod = i ? -1 : 0;
	}
	mac_parse("02:00:00:00:00:01", &net.hops[1].mac);
	mac_parse("02:00:00:00:00:21", &net.hops[2].mac);
	mac_parse("02:00:00:00:00:11", &net.hops[3].mac);
	net.n_pods = 1;
	net.pods[0].n_addrs = 1;
	addr_parse("10.244.1.2", &net.pods[0].addrs[0]);
	mac_parse("02:00:00:00:00:02", &net.pods[0].mac);
	net.vxlan_ports[0] = 8472;
	net.n_vxlan_ports = 1;
}

static void stage_read(void)
{
	struct err err = ERR_INIT;
	struct pcapng_reader *r = pcapng_reader_from_memory(input, input_len, "input", &err);
	struct pcapng_frame f;
	double begin = now_ns();

	if (!r)
		die(err.text);
	n_frames = 0;
	while (n_frames < FRAMES_MAX && pcapng_reader_next(r, &f, &err) == PCAPNG_EVENT_FRAME)
		if (f.frame.hop < N_HOPS)
			frames[n_frames++] = f.frame;
	if (!n_frames)
		die("no frames");
	note(READ, begin);
	pcapng_reader_free(r);
}

static void stages_dissect_observe(struct correlate *c)
{
	const struct dissect_config outer = { .vxlan_ports = { 8472 }, .n_vxlan_ports = 1 };
	const struct dissect_config plain = { .n_vxlan_ports = 0 };
	struct model_view view;
	double begin = now_ns(), dissected;

	for (uint32_t i = 0; i < n_frames; i++)
		dissect_frame(frames[i].hop == N_HOPS - 1 ? &outer : &plain,
			      MODEL_LINKTYPE_ETHERNET, &frames[i], &view);
	note(DISSECT, begin);
	dissected = now_ns() - begin;
	begin = now_ns();
	for (uint32_t i = 0; i < n_frames; i++) {
		dissect_frame(frames[i].hop == N_HOPS - 1 ? &outer : &plain,
			      MODEL_LINKTYPE_ETHERNET, &frames[i], &view);
		correlate_observe(c, &frames[i], &view, &obs[i]);
	}
	note(OBSERVE, begin + dissected);
}

/* The look-ahead is left out: every frame is marked at once. */
static void stage_match(struct correlate *c)
{
	struct correlate_mark mark;
	bool asks;
	double begin = now_ns();

	for (uint32_t i = 0; i < n_frames; i++) {
		correlate_ref ref = correlate_push(c, &obs[i], &asks);
		struct correlate_tag tag = correlate_tag_of(&obs[i]);

		correlate_mark(c, ref, &tag, &mark);
	}
	correlate_finish(c);
	note(MATCH, begin);
	if (correlate_ids(c) != (n_frames + N_HOPS - 1) / N_HOPS)
		die("frames were not matched");
}

static struct pcapng_writer *null_writer(int *ret_fd)
{
	const struct pcapng_writer_config config = { .application = "stages" };
	struct pcapng_writer *w;

	*ret_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	w = *ret_fd < 0 ? NULL : pcapng_writer_new(*ret_fd, 0, &write_err);
	if (!w || pcapng_writer_header(w, &config, &write_err))
		die("no writer");
	for (unsigned i = 0; i < N_HOPS; i++) {
		struct pcapng_writer_interface wi = { .name = net.hops[i].name, .linktype = 1 };

		if (pcapng_writer_interface(w, &wi, &write_err))
			die(write_err.text);
	}
	return w;
}

static void stage_write(void)
{
	static const char comment[] = "podhop id=123456 hop=3 dir=egress path=veth>bridge>vtep "
				      "dt_ns=24000";
	int fd, rc = 0;
	struct pcapng_writer *w = null_writer(&fd);
	double begin = now_ns();

	for (uint32_t i = 0; i < n_frames && !rc; i++) {
		struct pcapng_writer_packet p = {
			.interface = frames[i].hop, .time_ns = frames[i].time_ns,
			.caplen = frames[i].caplen, .len = frames[i].len, .data = frames[i].data,
			.flags = PCAPNG_FLAG_IN, .packet_id = i / N_HOPS + 1, .comment = comment,
			.comment_len = sizeof(comment) - 1,
		};

		rc = pcapng_writer_packet(w, &p, &write_err);
	}
	if (rc || pcapng_writer_flush(w, &write_err))
		die(write_err.text);
	note(WRITE, begin);
	pcapng_writer_free(w);
	close(fd);
}

/* Five milliseconds of one hop after the other, as a program that was asleep finds its rings. */
static void drain_order(void)
{
	const int64_t span = 5000000, begin = frames[0].time_ns;
	uint32_t n = 0;

	for (uint32_t from = 0, to; from < n_frames; from = to) {
		int64_t end = begin + ((frames[from].time_ns - begin) / span + 1) * span;

		for (to = from; to < n_frames && frames[to].time_ns < end; to++)
			;
		for (unsigned hop = 0; hop < N_HOPS; hop++)
			for (uint32_t i = from; i < to; i++)
				if (frames[i].hop == hop)
					drained[n++] = i;
	}
}

static int on_frame(void *arg, const struct model_frame *f, const struct correlate_mark *m)
{
	char comment[512];
	struct pcapng_writer_packet p = {
		.interface = f->hop, .time_ns = f->time_ns, .caplen = f->caplen, .len = f->len,
		.data = f->data, .flags = f->way, .packet_id = m->id,
	};

	(void)arg;
	if (with_comments) {
		p.comment_len = pipeline_comment(&comments, m, comment, sizeof(comment));
		p.comment = comment;
	}
	return pcapng_writer_packet(writer, &p, &write_err);
}

static void stage_pipeline(bool terse)
{
	const int64_t lag = 5000000;
	struct pipeline_config pc = { .net = &net, .sort_ns = PIPELINE_TOLD, .nat = true,
				      .keep_bytes = true, .ids_only = terse, .on_frame = on_frame };
	struct pipeline *p = pipeline_new(&pc, &write_err);
	double begin;
	int fd, rc = 0;

	if (!p)
		die(write_err.text);
	writer = null_writer(&fd);
	with_comments = !terse;
	begin = now_ns();
	for (uint32_t i = 0; i < n_frames && !rc; i++) {
		const struct model_frame *f = &frames[drained[i]];

		rc = pipeline_frame(p, f);
		/* The last hop of a span is through: all are known up to here. */
		if (!rc && (i + 1 == n_frames || (f->hop && !frames[drained[i + 1]].hop)))
			rc = pipeline_time(p, f->time_ns - lag);
	}
	if (!rc)
		rc = pipeline_finish(p);
	note(terse ? TERSE : PIPELINE, begin);
	if (rc || pipeline_kept(p) != n_frames)
		die("the pipeline lost frames");
	pcapng_writer_free(writer);
	pipeline_free(p);
	close(fd);
}

int main(int argc, char **argv)
{
	int repetitions = argc > 2 ? atoi(argv[2]) : 5;

	if (argc < 2 || repetitions < 1) {
		fputs("usage: stages FILE [repetitions]\n", stderr);
		return 2;
	}
	load(argv[1]);
	describe_net();
	for (unsigned s = 0; s < N_STAGES; s++)
		least[s] = FAR_AWAY;
	for (int k = 0; k < repetitions; k++) {
		const struct correlate_config cc = { .net = &net, .nat = true, .keep_other = true };
		struct err err = ERR_INIT;
		struct correlate *c = correlate_new(&cc, &err);

		if (!c)
			die(err.text);
		stage_read();
		stages_dissect_observe(c);
		stage_match(c);
		stage_write();
		correlate_free(c);
		drain_order();
		stage_pipeline(false);
		stage_pipeline(true);
	}
	printf("{\"frames\":%u", n_frames);
	for (unsigned s = 0; s < N_STAGES; s++)
		printf(",\"%s_ns\":%.1f", names[s], least[s]);
	puts("}");
	free(input);
	return 0;
}
