/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_pcapng.c - the capture reader on any bytes, and the writer on what it read.
 *
 * Properties:
 * - block offsets never go back, frames lie within the input, len >= caplen,
 *   every interface number is one that the reader knows, text is bounded;
 * - the end or error is repeated when asked again;
 * - frames read in one go and block by block are the same;
 * - the same input through a pipe, in pieces, gives the same events;
 * - what is written of the events, plain or packed, reads back the same.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "podhop/pcapng.h"
#ifndef FUZZ_REPLAY
#include "fuzz_blocks.h"
#endif

#define INPUT_MAX (1u << 20)	/* longer ones teach nothing new */
#define SLOW_EVERY 64u
#define PIECE_MAX 4096u		/* fits a pipe's smallest buffer, so a write never blocks */

#define MUST(c)									\
	do {									\
		if (!(c)) {							\
			(void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #c);	\
			abort();						\
		}								\
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What an input gave, as a number: FNV-1a over all events. */
struct digest {
	uint64_t hash;
	uint64_t frames;
	int rc;
	uint64_t offset;
	unsigned n_interfaces;
};

static void mix(uint64_t *hash, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		*hash = (*hash ^ b[i]) * 0x100000001b3u;
}

static void mix_event(uint64_t *hash, int rc, const struct pcapng_frame *f)
{
	mix(hash, &rc, sizeof(rc));
	mix(hash, &f->frame.time_ns, sizeof(f->frame.time_ns));
	mix(hash, &f->frame.hop, sizeof(f->frame.hop));
	if (rc != PCAPNG_EVENT_FRAME)
		return;
	mix(hash, &f->frame.caplen, sizeof(f->frame.caplen));
	mix(hash, &f->frame.len, sizeof(f->frame.len));
	mix(hash, &f->frame.drops, sizeof(f->frame.drops));
	mix(hash, &f->frame.number, sizeof(f->frame.number));
	mix(hash, &f->packet_id, sizeof(f->packet_id));
	mix(hash, &f->flags, sizeof(f->flags));
	mix(hash, f->frame.data, f->frame.caplen);
	if (f->comment)
		mix(hash, f->comment, f->comment_len);
}

static void check_frame(struct digest *d, const struct pcapng_reader *r,
			const struct pcapng_frame *f)
{
	MUST(f->frame.hop < pcapng_reader_n_interfaces(r));
	MUST(f->frame.caplen <= f->frame.len);
	MUST(f->frame.caplen <= PCAPNG_FRAME_MAX);
	MUST(f->frame.way < MODEL_WAY_COUNT);
	MUST(f->frame.number == ++d->frames);
	MUST(!f->comment || strnlen(f->comment, f->comment_len) == f->comment_len);
}

static void mix_name(void *arg, const struct addr *addr, const char *name)
{
	mix(arg, addr, sizeof(*addr));
	mix(arg, name, strlen(name) + 1);
}

static void mix_rest(uint64_t *hash, const struct pcapng_reader *r)
{
	for (unsigned i = 0; i < pcapng_reader_n_interfaces(r); i++) {
		const struct pcapng_interface *p = pcapng_reader_interface(r, i);

		MUST(strlen(p->name) < sizeof(p->name));
		MUST(strlen(p->description) < sizeof(p->description));
		MUST(p->n_addrs <= MODEL_HOP_ADDRS_MAX);
		mix(hash, p, sizeof(*p));
	}
	mix(hash, pcapng_reader_section_comment(r), strlen(pcapng_reader_section_comment(r)));
	pcapng_reader_names(r, mix_name, hash);
}

static void finish(struct digest *d, struct pcapng_reader *r, int rc)
{
	struct pcapng_frame f;
	struct err err = ERR_INIT;

	d->rc = rc;
	d->offset = pcapng_reader_offset(r);
	d->n_interfaces = pcapng_reader_n_interfaces(r);
	MUST(pcapng_reader_next(r, &f, &err) == rc);
	MUST(rc == 0 || (err.code == rc && err.text[0]));
	mix_rest(&d->hash, r);
}

/* gzip or zstd, by their magic numbers */
static bool is_packed(const uint8_t *data, size_t size)
{
	return (size >= 2 && !memcmp(data, "\x1f\x8b", 2)) ||
	       (size >= 4 && !memcmp(data, "\x28\xb5\x2f\xfd", 4));
}

static struct digest read_memory(const uint8_t *data, size_t size, bool stepwise)
{
	struct digest d = { .hash = 0xcbf29ce484222325u };
	struct err err = ERR_INIT;
	struct pcapng_reader *r = pcapng_reader_from_memory(data, size, "memory", &err);
	struct pcapng_frame f;
	bool packed = is_packed(data, size);
	uint64_t offset = 0;
	int rc;

	if (!r) {
		MUST(err.code < 0 && err.text[0]);
		d.rc = err.code;
		return d;
	}
	if (stepwise)
		pcapng_reader_set_stepwise(r);
	while ((rc = pcapng_reader_next(r, &f, &err)) > 0) {
		MUST(rc != PCAPNG_EVENT_IDLE);
		MUST(pcapng_reader_offset(r) > offset);
		/* Unpacked bytes are counted, and they lie in the reader's own memory. */
		MUST(packed || pcapng_reader_offset(r) < size);
		offset = pcapng_reader_offset(r);
		if (rc == PCAPNG_EVENT_FRAME) {
			check_frame(&d, r, &f);
			MUST(packed || (f.frame.data >= data && f.frame.caplen <= size &&
					(size_t)(f.frame.data - data) <= size - f.frame.caplen));
		}
		mix_event(&d.hash, rc, &f);
	}
	finish(&d, r, rc);
	pcapng_reader_free(r);
	return d;
}

static struct digest read_pipe(const uint8_t *data, size_t size)
{
	struct digest d = { .hash = 0xcbf29ce484222325u };
	struct err err = ERR_INIT;
	struct pcapng_reader *r;
	struct pcapng_frame f;
	size_t done = 0, turn = 0;
	int fds[2], rc = PCAPNG_EVENT_IDLE;
	char path[32];

	MUST(pipe(fds) == 0);
	(void)snprintf(path, sizeof(path), "/dev/fd/%d", fds[0]);
	r = pcapng_reader_open(path, &err);
	MUST(r);
	MUST(pcapng_reader_set_nonblocking(r, &err) == 0);
	for (;;) {
		if (rc == PCAPNG_EVENT_IDLE && done < size) {
			/* Pieces of all sizes, the same ones for the same input. */
			size_t n = 1 + (turn++ * 2654435761u + data[done]) % PIECE_MAX;

			if (turn % 3 == 0)
				n = 1 + n % 16;
			if (n > size - done)
				n = size - done;
			MUST(write(fds[1], data + done, n) == (ssize_t)n);
			done += n;
		} else if (rc == PCAPNG_EVENT_IDLE && fds[1] >= 0) {
			close(fds[1]);
			fds[1] = -1;
		} else {
			MUST(rc != PCAPNG_EVENT_IDLE);	/* behind the end there is no waiting */
		}
		rc = pcapng_reader_next(r, &f, &err);
		if (rc <= 0)
			break;
		if (rc == PCAPNG_EVENT_FRAME)
			check_frame(&d, r, &f);
		if (rc != PCAPNG_EVENT_IDLE)
			mix_event(&d.hash, rc, &f);
	}
	finish(&d, r, rc);
	pcapng_reader_free(r);
	close(fds[0]);
	if (fds[1] >= 0)
		close(fds[1]);
	return d;
}

static void write_interfaces(struct pcapng_writer *w, const struct pcapng_reader *r,
			     unsigned *n_done)
{
	struct err err = ERR_INIT;

	for (; *n_done < pcapng_reader_n_interfaces(r); ++*n_done) {
		const struct pcapng_interface *p = pcapng_reader_interface(r, *n_done);
		const struct pcapng_writer_interface wi = {
			.name = p->name, .description = p->description, .filter = p->filter,
			.linktype = p->linktype, .mac = p->mac, .addrs = p->addrs,
			.n_addrs = p->n_addrs,
		};

		MUST(pcapng_writer_interface(w, &wi, &err) == 0);
	}
}

static void check_interface(const struct pcapng_interface *a, const struct pcapng_interface *b)
{
	MUST(!strcmp(a->name, b->name));
	MUST(!strcmp(a->description, b->description));
	MUST(!strcmp(a->filter, b->filter));
	MUST(a->linktype == b->linktype);
	MUST(!memcmp(&a->mac, &b->mac, sizeof(a->mac)));
	MUST(a->n_addrs == b->n_addrs);
}

/* Other text may have been repaired when it was written. */
static bool is_ascii(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] >= 0x80)
			return false;
	return text;
}

/* Writes all that can be read of the input and reads that again beside it. */
static void round_trip(const uint8_t *data, size_t size)
{
	const struct pcapng_writer_config config = { .comment = "podhop node=fuzz" };
	struct err err = ERR_INIT;
	struct pcapng_reader *a = pcapng_reader_from_memory(data, size, "a", &err), *b;
	struct pcapng_frame fa, fb;
	struct pcapng_writer *w;
	unsigned n_interfaces = 0;
	uint64_t bytes;
	char path[32];
	int fd, rc;

	if (!a)
		return;
	fd = memfd_create("fuzz", MFD_CLOEXEC);
	MUST(fd >= 0);
	w = pcapng_writer_new(fd, 1 + size % 8192, &err);
	MUST(w);
	MUST(pcapng_writer_pack(w, (enum pcapng_packing)(size % 3), &err) == 0);
	MUST(pcapng_writer_header(w, &config, &err) == 0);
	while ((rc = pcapng_reader_next(a, &fa, &err)) > 0) {
		write_interfaces(w, a, &n_interfaces);
		if (rc != PCAPNG_EVENT_FRAME)
			continue;

		const struct pcapng_writer_packet p = {
			.interface = fa.frame.hop, .time_ns = fa.frame.time_ns,
			.caplen = fa.frame.caplen, .len = fa.frame.len, .data = fa.frame.data,
			.flags = fa.flags & 3, .packet_id = fa.packet_id, .drops = fa.frame.drops,
			.comment = fa.comment, .comment_len = fa.comment_len,
		};
		int want = fa.frame.caplen > PCAPNG_SNAPLEN_MAX ? -EMSGSIZE : 0;

		MUST(pcapng_writer_packet(w, &p, &err) == want);
	}
	write_interfaces(w, a, &n_interfaces);
	MUST(pcapng_writer_finish(w, &err) == 0);
	bytes = pcapng_writer_bytes(w);
	pcapng_writer_free(w);
	MUST(size % 3 || lseek(fd, 0, SEEK_END) == (off_t)bytes);
	pcapng_reader_free(a);

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	a = pcapng_reader_from_memory(data, size, "a", &err);
	b = pcapng_reader_open(path, &err);
	MUST(a && b);
	while (pcapng_reader_next(a, &fa, &err) > 0) {
		if (!fa.frame.number || fa.frame.caplen > PCAPNG_SNAPLEN_MAX)
			continue;	/* a statistics block; too large to be written */
		MUST(pcapng_reader_next(b, &fb, &err) == PCAPNG_EVENT_FRAME);
		MUST(fb.frame.time_ns == (fa.frame.time_ns > 0 ? fa.frame.time_ns : 0));
		MUST(fb.frame.hop == fa.frame.hop);
		MUST(fb.frame.way == fa.frame.way);
		MUST(fb.frame.drops == fa.frame.drops);
		MUST(fb.packet_id == fa.packet_id);
		MUST(fb.frame.caplen == fa.frame.caplen);
		MUST(fb.frame.len == fa.frame.len);
		MUST(!memcmp(fb.frame.data, fa.frame.data, fa.frame.caplen));
		MUST(!fa.comment == !fb.comment);
		if (is_ascii(fa.comment, fa.comment_len))
			MUST(fa.comment_len == fb.comment_len &&
			     !memcmp(fa.comment, fb.comment, fa.comment_len));
	}
	MUST(pcapng_reader_next(b, &fb, &err) == PCAPNG_EVENT_END);
	MUST(pcapng_reader_n_interfaces(b) == n_interfaces);
	for (unsigned i = 0; i < n_interfaces; i++)
		check_interface(pcapng_reader_interface(a, i), pcapng_reader_interface(b, i));
	pcapng_reader_free(a);
	pcapng_reader_free(b);
	close(fd);
}

/*
 * Pipes and files cost a hundred times what memory does: the fuzzer takes one input in
 * SLOW_EVERY there, chosen by its bytes; when seeds are replayed all go every way.
 */
static bool goes_slow_way(const uint8_t *data, size_t size)
{
#ifdef FUZZ_REPLAY
	(void)data;
	(void)size;
	return true;
#else
	uint64_t hash = 0xcbf29ce484222325u;

	mix(&hash, data, size);
	return (hash ^ hash >> 32) % SLOW_EVERY == 0;
#endif
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > INPUT_MAX)
		return 0;

	bool slow = goes_slow_way(data, size);
	struct digest memory = read_memory(data, size, false);
	struct digest others[2] = { read_memory(data, size, true) };

	if (slow)
		others[1] = read_pipe(data, size);
	for (unsigned i = 0; i < (slow ? 2 : 1); i++) {
		MUST(memory.rc == others[i].rc);
		MUST(memory.frames == others[i].frames);
		MUST(memory.n_interfaces == others[i].n_interfaces);
		MUST(memory.offset == others[i].offset);
		/* A refused input has no reader, hence nothing to compare further. */
		if (memory.n_interfaces || memory.frames)
			MUST(memory.hash == others[i].hash);
	}
	if (slow)
		round_trip(data, size);
	return 0;
}
