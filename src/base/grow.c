/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * grow.c - arrays that grow by one element at a time, up to a bound.
 */
#include "podhop/grow.h"

#include <stdlib.h>
#include <string.h>

void *grow(void *array_ptr, unsigned *n, size_t size, unsigned max)
{
	char *array;

	/* Whatever type of pointer it is: void ** would alias it wrongly. */
	memcpy(&array, array_ptr, sizeof(array));
	if (*n >= max)
		return NULL;
	/* Room for the next power of two: n is one whenever it is used up. */
	if ((*n & (*n - 1)) == 0) {
		char *more = reallocarray(array, *n ? (size_t)*n * 2 : 1, size);

		if (!more)
			return NULL;
		array = more;
		memcpy(array_ptr, &array, sizeof(array));
	}
	memset(array + (size_t)*n * size, 0, size);
	return array + (size_t)(*n)++ * size;
}
