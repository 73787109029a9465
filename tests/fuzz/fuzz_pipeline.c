/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_pipeline.c - the whole way: file in, packets, report, file out, and that file in again.
 *
 * Input: what is asked for (1 byte), then a story (tests/lib/fuzz_frames.h). It is written as a
 * pcapng file; asserted of its way through the pipeline:
 * - conservation: every frame is kept or counted as foreign, every kept one is handed on, and
 *   what the report counts adds up to the packets that closed;
 * - time order of what is handed on, unless the report says that frames came late;
 * - determinism: with other hash seeds, and frame by frame or with all bytes at hand, the same;
 * - round trip: the file that is written reads as the same observations and packets;
 * - nothing is left open in any table.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "correlate_tables.h"
#include "fuzz_frames.h"
#include "podhop/pcapng.h"
#include "podhop/pipeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct file {
	struct pcapng_writer *writer;
	int fd;
	struct err err;
};

/* What a run gave. */
struct run {
	uint64_t digest, frames, packets, with_id, fed;
	int64_t last_ns;
	bool back; /* time went back in what was handed on */
	struct file *out;
	struct result result;
};

static void mix(uint64_t *hash, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		*hash = (*hash ^ b[i]) * 0x100000001b3u;
}

/* What is behind the path's end means nothing. */
static void mix_path(uint64_t *hash, const struct result_path *p)
{
	mix(hash, &p->n, sizeof(p->n));
	mix(hash, &p->cut, sizeof(p->cut));
	mix(hash, p->role, p->n);
}

static void file_begin(struct file *f)
{
	const struct pcapng_writer_config config = { .comment = "podhop node=fuzz" };

	f->fd = memfd_create("fuzz", MFD_CLOEXEC);
	STORY_DEMAND(f->fd >= 0);
	f->writer = pcapng_writer_new(f->fd, 1u << 16, &f->err);
	STORY_DEMAND(f->writer && pcapng_writer_header(f->writer, &config, &f->err) == 0);
	for (unsigned i = 0; i < STORY_HOPS; i++) {
		char name[16];
		const struct pcapng_writer_interface wi = { .name = name,
							    .linktype = MODEL_LINKTYPE_ETHERNET };

		snprintf(name, sizeof(name), "hop%u", i);
		STORY_DEMAND(pcapng_writer_interface(f->writer, &wi, &f->err) == 0);
	}
}

static void file_frame(void *arg, const struct model_frame *f)
{
	struct file *file = arg;
	const struct pcapng_writer_packet p = {
		.interface = f->hop,
		.time_ns = f->time_ns,
		.caplen = f->caplen,
		.len = f->len,
		.data = f->data,
		.flags = f->way == MODEL_WAY_IN	   ? PCAPNG_FLAG_IN
			 : f->way == MODEL_WAY_OUT ? PCAPNG_FLAG_OUT
						   : 0,
	};

	STORY_DEMAND(pcapng_writer_packet(file->writer, &p, &file->err) == 0);
}

/* Its bytes; unmapped by the caller. */
static uint8_t *file_end(struct file *f, size_t *ret_len)
{
	uint8_t *map;

	STORY_DEMAND(pcapng_writer_finish(f->writer, &f->err) == 0);
	*ret_len = (size_t)pcapng_writer_bytes(f->writer);
	pcapng_writer_free(f->writer);
	map = mmap(NULL, *ret_len, PROT_READ, MAP_PRIVATE, f->fd, 0);
	STORY_DEMAND(map != MAP_FAILED);
	close(f->fd);
	return map;
}

static int on_frame(void *arg, const struct model_frame *f, const struct correlate_mark *m)
{
	struct run *r = arg;

	STORY_DEMAND(m->keep);
	STORY_DEMAND(!m->id || m->hop >= 1);
	r->back |= f->time_ns < r->last_ns;
	r->last_ns = f->time_ns;
	r->frames++;
	r->with_id += m->id != 0;
	mix(&r->digest, &f->time_ns, sizeof(f->time_ns));
	mix(&r->digest, &f->hop, sizeof(f->hop));
	mix(&r->digest, &f->len, sizeof(f->len));
	mix(&r->digest, f->data, f->caplen);
	mix(&r->digest, &m->id, sizeof(m->id));
	mix(&r->digest, &m->hop, sizeof(m->hop));
	mix_path(&r->digest, &m->path);
	mix(&r->digest, &m->dt_ns, sizeof(m->dt_ns));
	mix(&r->digest, &m->ambiguous, sizeof(m->ambiguous));
	if (r->out)
		file_frame(r->out, f);
	return 0;
}

static void on_packet(void *arg, const struct result_packet *p)
{
	struct run *r = arg;

	STORY_DEMAND(p->status >= RESULT_COMPLETE && p->status < RESULT_STATUS_COUNT);
	STORY_DEMAND(p->direction < MODEL_DIRECTION_COUNT && p->path.n >= 1);
	STORY_DEMAND(p->n_sightings <= RESULT_SIGHTINGS_MAX);
	for (unsigned i = 1; i < p->n_sightings; i++)
		STORY_DEMAND(p->sightings[i].first_ns >= p->sightings[i - 1].first_ns);
	r->packets += p->direction != MODEL_DIRECTION_OTHER;
	mix(&r->digest, &p->id, sizeof(p->id));
	mix(&r->digest, &p->status, sizeof(p->status));
	mix(&r->digest, &p->time_ns, sizeof(p->time_ns));
	mix_path(&r->digest, &p->path);
	mix(&r->digest, &p->length, sizeof(p->length));
	mix(&r->digest, &p->overhead_bytes, sizeof(p->overhead_bytes));
}

static void check_result(const struct run *r)
{
	const struct result *res = &r->result;
	uint64_t observations = 0, paths = 0;

	for (unsigned i = 0; i < res->capture.n_interfaces; i++)
		observations += res->capture.interfaces[i].observations;
	STORY_DEMAND(observations == res->capture.observations);
	STORY_DEMAND(res->capture.observations == r->frames);
	STORY_DEMAND(res->capture.observations + res->capture.foreign == r->fed);
	STORY_DEMAND(res->packets.total == res->packets.complete + res->packets.incomplete +
						   res->packets.ambiguous + res->packets.edge);
	STORY_DEMAND(res->packets.total == r->packets);
	STORY_DEMAND(r->frames == r->with_id + res->packets.not_ip + res->packets.malformed);
	for (unsigned i = 0; i < res->n_paths; i++)
		if (res->paths[i].direction != MODEL_DIRECTION_OTHER)
			paths += res->paths[i].packets;
	STORY_DEMAND(paths == res->packets.total);
	STORY_DEMAND(res->encapsulation.outer_bytes ==
		     res->encapsulation.inner_bytes + res->encapsulation.overhead_bytes);
	STORY_DEMAND(!r->back || res->capture.late);
}

static void run_file(const uint8_t *bytes, size_t len, uint8_t ask, uint64_t seed, struct run *r)
{
	static struct model_net net;
	struct err err = ERR_INIT;
	struct pcapng_reader *reader = pcapng_reader_from_memory(bytes, len, "fuzz", &err);
	struct pipeline_config pc = {
		.net = &net,
		.sort_ns = ask & 1 ? 1000000 : 0,
		.nat = ask & 2,
		.observations = ask & 4,
		.keep_other = ask & 8,
		.keep_bytes = true,
		.hash_seed = seed,
		.on_frame = on_frame,
		.on_packet = on_packet,
		.arg = r,
		.bytes_max = ask & 16 ? 1u << 17 : 1u << 20,
		.packets_max = ask & 64 ? 64 : 512,
		.flows_max = ask & 64 ? 16 : 64,
		.window_ns = ask & 32 ? 50000000 : 0,
	};
	struct pipeline *p;
	struct pcapng_frame f;
	int rc;

	r->digest = 0xcbf29ce484222325u;
	story_net(&net, 0);
	p = pipeline_new(&pc, &err);
	STORY_DEMAND(reader && p);
	while ((rc = pcapng_reader_next(reader, &f, &err)) > 0) {
		if (rc != PCAPNG_EVENT_FRAME)
			continue;
		r->fed++;
		STORY_DEMAND(pipeline_frame(p, &f.frame) == 0);
	}
	STORY_DEMAND(rc == PCAPNG_EVENT_END);
	STORY_DEMAND(pipeline_finish(p) == 0);
	STORY_DEMAND(pipeline_result(p, &r->result, &err) == 0);
	STORY_DEMAND(pipeline_frames(p) == r->fed && pipeline_kept(p) == r->frames);
	STORY_DEMAND(correlate_is_empty(pipeline_correlator(p)));
	check_result(r);
	pipeline_free(p);
	pcapng_reader_free(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct file in = { .err = ERR_INIT }, out = { .err = ERR_INIT };
	struct run first = { .out = &out }, again = { 0 }, round = { 0 };
	uint8_t *bytes, *written;
	size_t len, n_written;
	uint8_t ask;

	if (size < 1 + STORY_STEP || size > 1 + STORY_STEP * STORY_STEPS_MAX)
		return 0;
	ask = data[0];
	file_begin(&in);
	story_tell(data + 1, size - 1, 0, file_frame, &in);
	bytes = file_end(&in, &len);

	file_begin(&out);
	run_file(bytes, len, ask, 7, &first);
	written = file_end(&out, &n_written);
	run_file(bytes, len, ask, 1234567, &again);
	STORY_DEMAND(first.digest == again.digest);

	/* What is foreign is no longer in it. */
	run_file(written, n_written, ask, 99, &round);
	STORY_DEMAND(round.fed == first.frames);
	if (!first.result.capture.late && !first.result.capture.foreign &&
	    !first.result.capture.closed_early)
		STORY_DEMAND(round.digest == first.digest);
	result_free(&first.result);
	result_free(&again.result);
	result_free(&round.result);
	munmap(bytes, len);
	munmap(written, n_written);
	return 0;
}
