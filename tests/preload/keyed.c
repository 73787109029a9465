/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keyed.c - LD_PRELOAD: which random key a run took.
 *
 * What getrandom() and getauxval(AT_RANDOM) give is written to descriptor $KEYED_FD, a line in
 * hexadecimal a call. With $KEYED_FAIL there is no getrandom().
 */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <unistd.h>

#define AT_RANDOM_BYTES 16

static void tell(const unsigned char *bytes, ssize_t n)
{
	const char *fd = getenv("KEYED_FD");

	if (!fd || n <= 0)
		return;
	for (ssize_t i = 0; i < n; i++)
		dprintf(atoi(fd), "%02x", bytes[i]);
	dprintf(atoi(fd), "\n");
}

ssize_t getrandom(void *bytes, size_t n, unsigned flags)
{
	static ssize_t (*real)(void *, size_t, unsigned);
	ssize_t got;

	if (getenv("KEYED_FAIL")) {
		errno = ENOSYS;
		return -1;
	}
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "getrandom");
	got = real(bytes, n, flags);
	tell(bytes, got);
	return got;
}

unsigned long getauxval(unsigned long type)
{
	static unsigned long (*real)(unsigned long);
	unsigned long value;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "getauxval");
	value = real(type);
	if (type == AT_RANDOM && value)
		tell((const unsigned char *)value, AT_RANDOM_BYTES);
	return value;
}
