/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture_priv.h - what the files of src/capture share.
 *
 * Owns: nothing by itself.
 * Never: is seen outside this folder; no libpcap type crosses it either.
 */
#ifndef CAPTURE_PRIV_H
#define CAPTURE_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "podhop/err.h"

/* ------------------------------------------------- linkstats.c */

/* Drop counters of one link; valid is false when the link is not listed. */
struct linkstats {
	bool valid;
	uint64_t dropped; /* received and sent, see linkstats.c */
};

/* Opens the table of this network namespace. Returns a descriptor or -errno. */
int capture_linkstats_open(void);

/*
 * Reads the counters of n links by name into ret_stats[0..n). Links that are
 * not listed come out invalid. Returns 0 or -errno (ret_stats all invalid).
 */
int capture_linkstats_read(int fd, const char *const *names, unsigned n,
			   struct linkstats *ret_stats);

/* ---------------------------------------------------- engine.c */

/*
 * Adds to a total what a 32-bit count has moved since it was last looked at: libpcap adds up what
 * the kernel tells in 32 bits, which wrap.
 */
static inline void capture_count_on(uint64_t *total, uint32_t *last, uint32_t now)
{
	*total += (uint32_t)(now - *last);
	*last = now;
}

/* ---------------------------------------------- filter_words.c */

/*
 * What the words of a libpcap expression say about it, without compiling it.
 */
struct filter_words {
	/*
	 * It asks for addresses, ports and protocols only: no lengths, flags, payload, MAC
	 * addresses or tags. Its answer is then the same for every segment of a packet.
	 */
	bool flow_only;
	/*
	 * Beside these it asks for bytes of the transport header and payload only, which no hop
	 * changes; segments of one packet may get different answers.
	 */
	bool packet_only;
	bool one_way; /* uses src or dst: the answer depends on the direction */
	char name[64]; /* first host name in it, for which libpcap would ask DNS; "" */
	const char *keyword; /* that name is nearly this one; NULL: no slip of the fingers */
	char device_word[64]; /* inbound, outbound, ifindex: no bytes of the frame tell; "" */
};

void capture_filter_words(const char *expr, struct filter_words *ret_words);

#endif
