/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nomem.c - LD_PRELOAD: the n-th allocation fails.
 *
 * Counting begins when the program calls setlocale(), the first thing in podhop's main(), so that
 * the loader and constructors are left alone; with $NOMEM_LIVE not before SIGUSR2, so that a
 * capture is under way. $NOMEM_AT is n, from 1; with $NOMEM_ON all behind it fail, too. How many
 * there were is written to descriptor $NOMEM_FD at the end.
 *
 * Two libraries' own are left out. libpcap 1.10 crashes in its optimizer; libseccomp 2.5 runs in
 * a circle for ever, or leaves rules out of the filter, so that an allowed call kills.
 */
#include <dlfcn.h>
#include <errno.h>
#include <locale.h>
#include <netdb.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tell.h"

#define EARLY_BYTES 65536	/* dlsym() itself allocates before the real functions are known */

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);
static void (*real_free)(void *);
static unsigned long count, fail_at;
static volatile sig_atomic_t counting;
static int go_on, out_fd = -1;
static char early[EARLY_BYTES];
static size_t early_used;

static void find(void)
{
	static int finding;

	if (finding)
		return;
	finding = 1;
	*(void **)&real_malloc = dlsym(RTLD_NEXT, "malloc");
	*(void **)&real_calloc = dlsym(RTLD_NEXT, "calloc");
	*(void **)&real_realloc = dlsym(RTLD_NEXT, "realloc");
	*(void **)&real_free = dlsym(RTLD_NEXT, "free");
}

static int fails(const void *caller)
{
	Dl_info who;

	if (!counting)
		return 0;
	if (dladdr(caller, &who) && who.dli_fname &&
	    (strstr(who.dli_fname, "libseccomp") || strstr(who.dli_fname, "libpcap")))
		return 0;
	count++;
	if (fail_at && (count == fail_at || (go_on && count > fail_at))) {
		errno = ENOMEM;
		return 1;
	}
	return 0;
}

static void *early_take(size_t n)
{
	void *p = early + early_used;

	n = (n + 15) & ~(size_t)15;
	if (n > sizeof(early) - early_used)
		return NULL;
	early_used += n;
	return p;
}

static int is_early(const void *p)
{
	return (const char *)p >= early && (const char *)p < early + sizeof(early);
}

void *malloc(size_t n)
{
	if (!real_malloc)
		find();
	if (!real_malloc)
		return early_take(n);
	return fails(__builtin_return_address(0)) ? NULL : real_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	if (!real_calloc)
		find();
	if (!real_calloc)
		return early_take(n * size); /* static: zero */
	return fails(__builtin_return_address(0)) ? NULL : real_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	if (!real_realloc)
		find();
	if (is_early(p)) {
		void *q = malloc(n);

		if (q)
			memcpy(q, p, n);
		return q;
	}
	return fails(__builtin_return_address(0)) ? NULL : real_realloc(p, n);
}

void *reallocarray(void *p, size_t n, size_t size)
{
	if (size && n > (size_t)-1 / size) {
		errno = ENOMEM;
		return NULL;
	}
	n *= size;
	if (!real_realloc)
		find();
	return fails(__builtin_return_address(0)) ? NULL : real_realloc(p, n);
}

void free(void *p)
{
	if (!p || is_early(p))
		return;
	if (!real_free)
		find();
	real_free(p);
}

/*
 * Nor those of the C library's name service, which crashes without (glibc 2.36): verify has it
 * loaded in front of the door.
 */
#define UNCOUNTED(type, name, args, pass)                                  \
	type name args                                                     \
	{                                                                  \
		static type(*real) args;                                   \
		sig_atomic_t before = counting;                                    \
		if (!real)                                                 \
			*(void **)&real = dlsym(RTLD_NEXT, #name);         \
		counting = 0;                                              \
		type ret = real pass;                                      \
		counting = before;                                         \
		return ret;                                                \
	}
UNCOUNTED(struct servent *, getservbyname, (const char *name, const char *proto), (name, proto))
UNCOUNTED(struct protoent *, getprotobyname, (const char *name), (name))
UNCOUNTED(struct netent *, getnetbyname, (const char *name), (name))
UNCOUNTED(int, getaddrinfo,
	  (const char *node, const char *service, const struct addrinfo *hints,
	   struct addrinfo **list),
	  (node, service, hints, list))

static void on_signal(int sig)
{
	(void)sig;
	counting = 1;
}

static void begin(int fd)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	if (strcmp(program_invocation_short_name, "podhop") != 0)
		return; /* timeout(1) */
	out_fd = fd;
	if (!getenv("NOMEM_LIVE"))
		counting = 1;
	else if (sigaction(SIGUSR2, &sa, NULL) != 0)
		abort();
}

char *setlocale(int category, const char *locale)
{
	static char *(*real)(int, const char *);
	const char *at = getenv("NOMEM_AT"), *fd = getenv("NOMEM_FD");

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "setlocale");
	fail_at = at ? strtoul(at, NULL, 10) : 0;
	go_on = getenv("NOMEM_ON") != NULL;
	begin(fd ? atoi(fd) : -1);
	return real(category, locale);
}

__attribute__((destructor)) static void end(void)
{
	counting = 0;
	tell(out_fd, count);
}
