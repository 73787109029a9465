/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sums.c - the Internet checksum after a change, without looking at what did not change.
 *
 * RFC 1071, 1624: sums are numbers modulo 0xffff. A field that was wrong is wrong by as much
 * afterwards, and one that covers bytes which were not captured is right all the same.
 */
#include "privacy_priv.h"

#include "podhop/bytes.h"

uint32_t privacy_sum(const uint8_t *data, size_t n)
{
	uint64_t sum = 0;

	for (; n > 1; n -= 2, data += 2)
		sum += bytes_load_be16(data);
	if (n)
		sum += (uint32_t)data[0] << 8;
	return (uint32_t)(sum % 0xffff);
}

void privacy_sum_mend(uint8_t field[static 2], uint32_t grown)
{
	if (!grown)
		return; /* 0xffff, which some write for 0, stays as well */
	/* The field is the complement: what the sum gains, it loses. */
	uint32_t v = privacy_sum_less(bytes_load_be16(field) % 0xffff, grown);

	field[0] = (uint8_t)(v >> 8);
	field[1] = (uint8_t)v;
}
