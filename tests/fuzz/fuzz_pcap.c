/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_pcap.c - classic pcap files whose content is known, in every dialect.
 *
 * Input: dialect (1 byte: magic, byte order, version), link type and FCS (1), how much is cut
 * off its end (1), then records: seconds, fraction, what the length says more or less than
 * the capture, captured bytes (1 byte each), and so many bytes of frame. Asserted: the reader
 * gives exactly these frames, in one go and step by step, then says that the file is over or, when
 * it was cut, where.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "podhop/pcapng.h"

#define HEAD 3u
#define RECORD 4u
#define RECORDS_MAX 300u
#define FILE_MAX (1u << 17)

#define MUST(c)                                                                       \
	do {                                                                          \
		if (!(c)) {                                                           \
			(void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #c); \
			abort();                                                      \
		}                                                                     \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct made {
	uint8_t bytes[FILE_MAX];
	size_t n;
	bool swapped;
	struct made_frame {
		int64_t time_ns;
		uint32_t caplen, len;
		size_t data, end; /* offsets in bytes */
	} frame[RECORDS_MAX];
	unsigned n_frames;
	unsigned fcs;
};

static void put(struct made *m, unsigned width, uint32_t v)
{
	for (unsigned i = 0; i < width; i++)
		m->bytes[m->n + i] = (uint8_t)(v >> 8 * (m->swapped ? width - 1 - i : i));
	m->n += width;
}

static void make(struct made *m, const uint8_t *data, size_t size)
{
	static const uint32_t magics[] = { 0xa1b2c3d4, 0xa1b23c4d, 0xa1b2cd34 };
	unsigned kind = data[0] & 3 ? (data[0] & 3) - 1 : 0;
	unsigned minor = data[0] & 8 ? 2 : data[0] & 16 ? 3 : 4;
	uint32_t link = data[1] & 15 ? 1 : 101;
	bool swap_lens;

	m->n = m->n_frames = 0;
	m->swapped = data[0] & 4;
	m->fcs = data[1] & 0x10 ? 4 : 0;
	/* 2.3 may have them either way: such a file tells by a length that is too small. */
	swap_lens = minor < 4 && (minor < 3 || data[1] & 0x20);
	put(m, 4, magics[kind]);
	put(m, 2, 2);
	put(m, 2, minor);
	put(m, 4, 0);
	put(m, 4, 0);
	put(m, 4, 65535);
	put(m, 4, link | (m->fcs ? 0x24000000u : 0));
	for (data += HEAD, size -= HEAD; size >= RECORD && m->n_frames < RECORDS_MAX;) {
		struct made_frame *f = &m->frame[m->n_frames];
		uint32_t cap = data[3], len = cap + (data[2] & 0x7f);

		if (cap > size - RECORD)
			cap = (uint32_t)(size - RECORD);
		if (data[2] & 0x80 && minor == 4)
			len = cap / 2; /* a file that says less than it has */
		if (len < cap && minor < 4)
			len = cap;
		put(m, 4, 1700000000u + data[0]);
		put(m, 4, data[1] * 3000u);
		put(m, 4, swap_lens ? len : cap);
		put(m, 4, swap_lens ? cap : len);
		if (kind == 2) {
			put(m, 4, 1);
			put(m, 4, 0);
		}
		f->time_ns = (1700000000LL + data[0]) * 1000000000 +
			     data[1] * 3000LL * (kind == 1 ? 1 : 1000);
		f->data = m->n;
		memcpy(m->bytes + m->n, data + RECORD, cap);
		m->n += cap;
		f->end = m->n;
		if (len < cap)
			len = cap;
		/* The FCS is taken off, of the capture as far as it was captured. */
		f->len = len > m->fcs ? len - m->fcs : len;
		f->caplen = cap < f->len ? cap : f->len;
		m->n_frames++;
		data += RECORD + cap;
		size -= RECORD + cap;
	}
}

static void expect(const struct made *m, size_t n, bool stepwise)
{
	uint8_t *copy = malloc(n ? n : 1);
	struct err err = ERR_INIT;
	struct pcapng_reader *r;
	struct pcapng_frame f;
	unsigned k = 0;
	int rc;

	MUST(copy);
	memcpy(copy, m->bytes, n);
	r = pcapng_reader_from_memory(copy, n, "made", &err);
	MUST(r || n < 4);
	if (!r) {
		free(copy);
		return;
	}
	if (stepwise)
		pcapng_reader_set_stepwise(r);
	while ((rc = pcapng_reader_next(r, &f, &err)) > 0) {
		MUST(rc == PCAPNG_EVENT_FRAME && k < m->n_frames && m->frame[k].end <= n);
		MUST(f.frame.time_ns == m->frame[k].time_ns);
		MUST(f.frame.caplen == m->frame[k].caplen && f.frame.len == m->frame[k].len);
		MUST(!memcmp(f.frame.data, m->bytes + m->frame[k].data, f.frame.caplen));
		MUST(f.frame.number == ++k);
	}
	bool whole = n == (k ? m->frame[k - 1].end : 24);
	MUST(rc == (whole ? PCAPNG_EVENT_END : -ENODATA));
	MUST(whole || err.text[0]);
	MUST(k == m->n_frames || m->frame[k].end > n);
	pcapng_reader_free(r);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct made m;
	size_t n;

	/* Three times as long at most, and 24 bytes a record. */
	if (size < HEAD || size > FILE_MAX / 8)
		return 0;
	make(&m, data, size);
	n = m.n - data[2] % (m.n < 256 ? m.n : 256);
	expect(&m, n, false);
	expect(&m, n, true);
	return 0;
}
