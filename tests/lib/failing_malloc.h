/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * failing_malloc.h - the n-th allocation of a test program fails, its libraries' ones included,
 * but not jansson's: when 2.14's lexer finds no memory for a longer string it goes on without the
 * character, and nobody is told.
 *
 * Between allocations_begin() and allocations_end() they are counted; the at-th fails, and with
 * on all behind it. Under a sanitizer or valgrind, which bring allocators of their own, none is.
 * To be included once a program.
 */
#ifndef TESTS_FAILING_MALLOC_H
#define TESTS_FAILING_MALLOC_H

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ALLOCATIONS_FAIL 0
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ALLOCATIONS_FAIL 0
#endif
#ifndef ALLOCATIONS_FAIL
#define ALLOCATIONS_FAIL 1
#endif

static struct {
	bool counting, on;
	unsigned long n, at; /* at 0: none fails */
} allocations;

static inline void allocations_begin(unsigned long at, bool on)
{
	allocations.n = 0;
	allocations.at = at;
	allocations.on = on;
	allocations.counting = true;
}

/* How many there were. */
static inline unsigned long allocations_end(void)
{
	allocations.counting = false;
	return allocations.n;
}

#if ALLOCATIONS_FAIL
static inline bool allocation_fails(const void *caller)
{
	Dl_info who;

	if (!allocations.counting ||
	    (dladdr(caller, &who) && who.dli_fname && strstr(who.dli_fname, "libjansson")))
		return false;
	allocations.n++;
	if (!allocations.at || allocations.n < allocations.at ||
	    (allocations.n > allocations.at && !allocations.on))
		return false;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	static void *(*real)(size_t);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "malloc");
	return allocation_fails(__builtin_return_address(0)) ? NULL : real(size);
}

void *calloc(size_t n, size_t size)
{
	static void *(*real)(size_t, size_t);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "calloc");
	return allocation_fails(__builtin_return_address(0)) ? NULL : real(n, size);
}

void *realloc(void *old, size_t size)
{
	static void *(*real)(void *, size_t);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "realloc");
	return allocation_fails(__builtin_return_address(0)) ? NULL : real(old, size);
}
#endif

#endif
