/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * grow.h - arrays that grow by one element at a time, up to a bound.
 *
 * Owns: nothing. The array is heap and the caller's.
 */
#ifndef PODHOP_GROW_H
#define PODHOP_GROW_H

#include <stddef.h>

/*
 * One more element, zeroed. array_ptr is the address of the pointer to the first element, which
 * may move; *n the number of elements; size bytes of one. NULL, with nothing changed: there are
 * max already, or there is no memory.
 */
void *grow(void *array_ptr, unsigned *n, size_t size, unsigned max);

#endif
