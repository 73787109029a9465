/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * calls.c - the system calls that are left, need by need.
 *
 * Each line says for which need a call is let through and, where that matters, with which
 * arguments. seccomp sees registers only: what a pointer leads to (a path) it cannot judge, so
 * what must not be reached is kept out by the missing capabilities and by Landlock as well, and
 * openat2(), whose flags are behind one, is not let through at all.
 */
#include "sandbox_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "podhop/sandbox.h"

#define NEW_FILES (1u << 31)	/* beside the needs of the contract header */
#define NO_ERRNO 0

struct call {
	unsigned needs;			/* any of them; 0: every run */
	int number;			/* SCMP_SYS() */
	unsigned n_args;		/* conditions, all of which must hold */
	struct scmp_arg_cmp args[2];
	int error;			/* not let through, but answered by this errno */
};

#define ALWAYS(call) { 0, SCMP_SYS(call), 0, { { 0, 0, 0, 0 } }, NO_ERRNO }
#define FOR(needs, call) { needs, SCMP_SYS(call), 0, { { 0, 0, 0, 0 } }, NO_ERRNO }
#define FOR_ARG(needs, call, ...) { needs, SCMP_SYS(call), 1, { __VA_ARGS__ }, NO_ERRNO }
#define FOR_ARGS(needs, call, ...) { needs, SCMP_SYS(call), 2, { __VA_ARGS__ }, NO_ERRNO }
#define REFUSED(needs, call, error) { needs, SCMP_SYS(call), 0, { { 0, 0, 0, 0 } }, error }

#define ARG0_IS(value) { 0, SCMP_CMP_EQ, (scmp_datum_t)(value), 0 }
/* This process, and no other of the same user: stands for its id in the table */
#define OURSELVES UINT64_MAX
#define ARG0_IS_OURSELVES { 0, SCMP_CMP_EQ, OURSELVES, 0 }
#define ARG1_IS(value) { 1, SCMP_CMP_EQ, (scmp_datum_t)(value), 0 }
#define ARG2_IS(value) { 2, SCMP_CMP_EQ, (scmp_datum_t)(value), 0 }
/* openat(2): nothing is written, made or cut */
#define READ_ONLY { 2, SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY }

/* mmap(2): data, never code */
#define NOT_RUN { 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0 }

#define SIOCGIFNAME_ 0x8910
#define SIOCGIFFLAGS_ 0x8913
#define SIOCGIFMTU_ 0x8921
#define SIOCGIFHWADDR_ 0x8927
#define SIOCGIFINDEX_ 0x8933
#define SIOCETHTOOL_ 0x8946
#define SIOCGSTAMP_ 0x8906
#define TCGETS_ 0x5401
#define TCSETS_ 0x5402
#define TCSETSW_ 0x5403
#define TCSETSF_ 0x5404
#define TCFLSH_ 0x540b
#define TIOCGWINSZ_ 0x5413

static const struct call calls[] = {
	/* descriptors: wait, read, write, set space aside, cut off a partial block, look at them */
	ALWAYS(poll), ALWAYS(ppoll) /* where there is no poll */, ALWAYS(read), ALWAYS(pread64),
	ALWAYS(lseek), ALWAYS(close), ALWAYS(write), ALWAYS(writev) /* last words of glibc's */,
	ALWAYS(fallocate), ALWAYS(ftruncate), ALWAYS(fstat),
	ALWAYS(newfstatat) /* glibc's fstat() */, ALWAYS(fstatfs) /* --min-free */,
	/* not F_SETOWN, by which the kernel sends signals; not F_DUPFD: see only_read */
	FOR_ARG(0, fcntl, ARG1_IS(F_GETFL)), FOR_ARG(0, fcntl, ARG1_IS(F_SETFL)),
	FOR_ARG(0, fcntl, ARG1_IS(F_GETFD)), FOR_ARG(0, fcntl, ARG1_IS(F_SETFD)),
	FOR_ARG(0, ioctl, ARG1_IS(TCGETS_)), FOR_ARG(0, ioctl, ARG1_IS(TIOCGWINSZ_)),
	/* memory; qsort() of a long list asks how much there is */
	ALWAYS(brk), FOR_ARG(0, mmap, NOT_RUN), ALWAYS(munmap), ALWAYS(mremap),
	ALWAYS(madvise), ALWAYS(sysinfo),
	/* time (where the vDSO cannot tell it), figures about ourselves, what glibc's locks need */
	ALWAYS(clock_gettime), ALWAYS(gettimeofday), ALWAYS(getrusage), ALWAYS(uname),
	ALWAYS(futex), ALWAYS(getrandom),
	/* signals; behind a stop the kernel itself goes on with a wait */
	ALWAYS(rt_sigreturn), ALWAYS(rt_sigaction), ALWAYS(rt_sigprocmask),
	ALWAYS(restart_syscall), ALWAYS(setitimer) /* who wants to end waits no longer than that */,
	/* the end; abort() asks who we are and signals that one */
	ALWAYS(getpid), ALWAYS(gettid), FOR_ARG(0, tgkill, ARG0_IS_OURSELVES), ALWAYS(exit),
	ALWAYS(exit_group),

	/* a filter of its own stops a ring or filters it anew; statistics; the device's state */
	FOR(SANDBOX_RINGS, recvfrom), FOR(SANDBOX_RINGS, recvmsg), FOR(SANDBOX_RINGS, getsockopt),
	FOR(SANDBOX_RINGS, getsockname) /* libpcap, whether a device is gone */,
	FOR_ARGS(SANDBOX_RINGS, setsockopt, ARG1_IS(SOL_SOCKET), ARG2_IS(SO_ATTACH_FILTER)),
	/* pcap_close() takes its ring down this way, and dies of a refusal */
	FOR_ARGS(SANDBOX_RINGS, setsockopt, ARG1_IS(SOL_PACKET), ARG2_IS(PACKET_RX_RING)),
	FOR_ARG(SANDBOX_RINGS, ioctl, ARG1_IS(SIOCGIFFLAGS_)),

	FOR(SANDBOX_SCREEN, recvfrom), FOR(SANDBOX_SCREEN, nanosleep),
	FOR(SANDBOX_SCREEN, clock_nanosleep),
	FOR_ARG(SANDBOX_SCREEN, ioctl, ARG1_IS(TCSETS_)),
	FOR_ARG(SANDBOX_SCREEN, ioctl, ARG1_IS(TCSETSW_)),
	FOR_ARG(SANDBOX_SCREEN, ioctl, ARG1_IS(TCSETSF_)),
	FOR_ARG(SANDBOX_SCREEN, ioctl, ARG1_IS(TCFLSH_)),
	FOR(SANDBOX_SCREEN, select), FOR(SANDBOX_SCREEN, pselect6),

	FOR_ARG(SANDBOX_LOOK_UP, openat, READ_ONLY), FOR(SANDBOX_LOOK_UP, getdents64),
	FOR(SANDBOX_LOOK_UP, readlink), FOR(SANDBOX_LOOK_UP, readlinkat),
	FOR(SANDBOX_LOOK_UP, statx),
	FOR(SANDBOX_LOOK_UP, stat), FOR(SANDBOX_LOOK_UP, lstat), FOR(SANDBOX_LOOK_UP, statfs),
	FOR(SANDBOX_LOOK_UP, access), FOR(SANDBOX_LOOK_UP, faccessat),
	FOR(SANDBOX_LOOK_UP, faccessat2), FOR(SANDBOX_LOOK_UP, dup),
	FOR(SANDBOX_LOOK_UP, getuid), FOR(SANDBOX_LOOK_UP, geteuid),
	FOR(SANDBOX_LOOK_UP, getgid), FOR(SANDBOX_LOOK_UP, getegid),

	FOR_ARG(SANDBOX_ASK_KERNEL, socket, ARG0_IS(AF_NETLINK)),
	FOR(SANDBOX_ASK_KERNEL, bind), FOR(SANDBOX_ASK_KERNEL, getsockname),
	FOR(SANDBOX_ASK_KERNEL, recvfrom), FOR(SANDBOX_ASK_KERNEL, recvmsg),
	FOR(SANDBOX_ASK_KERNEL, getsockopt), FOR(SANDBOX_ASK_KERNEL, sendto),
	FOR(SANDBOX_ASK_KERNEL, sendmsg),
	FOR_ARG(SANDBOX_ASK_KERNEL, setsockopt, ARG1_IS(SOL_SOCKET)),
	FOR_ARG(SANDBOX_ASK_KERNEL, setsockopt, ARG1_IS(SOL_NETLINK)),
	FOR_ARG(SANDBOX_ASK_KERNEL, ioctl, ARG1_IS(SIOCETHTOOL_)),
	FOR_ARG(SANDBOX_ASK_KERNEL, ioctl, ARG1_IS(SIOCGIFNAME_)),
	FOR_ARG(SANDBOX_ASK_KERNEL, ioctl, ARG1_IS(SIOCGIFINDEX_)),
	/* the C library asks its name service daemon; it goes on without */
	REFUSED(SANDBOX_ASK_KERNEL, connect, EACCES),

	FOR_ARG(SANDBOX_NAMES, openat, READ_ONLY), FOR(SANDBOX_NAMES, seccomp),
	REFUSED(SANDBOX_NAMES, socket, EACCES),
	/* the filter that follows, where the kernel has no seccomp(2) but prctl(2) */
	FOR_ARG(SANDBOX_NAMES, prctl, ARG0_IS(PR_SET_SECCOMP)),
	FOR_ARG(SANDBOX_NAMES, prctl, ARG0_IS(PR_SET_NO_NEW_PRIVS)),

	FOR_ARG(SANDBOX_OPEN_RINGS, socket, ARG0_IS(AF_PACKET)),
	FOR(SANDBOX_OPEN_RINGS, bind), FOR(SANDBOX_OPEN_RINGS, eventfd2),
	FOR_ARG(SANDBOX_OPEN_RINGS, setsockopt, ARG1_IS(SOL_SOCKET)),
	FOR_ARG(SANDBOX_OPEN_RINGS, setsockopt, ARG1_IS(SOL_PACKET)),
	FOR_ARG(SANDBOX_OPEN_RINGS, ioctl, ARG1_IS(SIOCGIFINDEX_)),
	FOR_ARG(SANDBOX_OPEN_RINGS, ioctl, ARG1_IS(SIOCGIFHWADDR_)),
	FOR_ARG(SANDBOX_OPEN_RINGS, ioctl, ARG1_IS(SIOCGIFMTU_)),
	FOR_ARG(SANDBOX_OPEN_RINGS, ioctl, ARG1_IS(SIOCETHTOOL_)),
	FOR_ARG(SANDBOX_OPEN_RINGS, ioctl, ARG1_IS(SIOCGSTAMP_)),

	FOR(NEW_FILES, openat), FOR(NEW_FILES, unlink), FOR(NEW_FILES, unlinkat),
	FOR(NEW_FILES, geteuid), FOR(NEW_FILES, fchmod) /* ours alone, see src/cli/outfile.c */,
};

static int load(scmp_filter_ctx ctx, int rc, struct err *err)
{
	if (!rc)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	if (rc == -ECANCELED) /* libseccomp's word for whatever the kernel said */
		return err_set(err, EPERM, "seccomp: the system takes no filter of calls");
	return rc < 0 ? err_sys(err, -rc, "seccomp") : 0;
}

/* Filters add up, and of their answers the hardest counts: this one forbids, the other allows. */
int sandbox_only_read(const int *fds, unsigned n, struct err *err)
{
	static const int ways[] = {
		SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(sendto), SCMP_SYS(sendmsg),
	};
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int rc = 0;

	if (!ctx)
		return err_set(err, ENOMEM, "seccomp");
	for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++)
		for (unsigned i = 0; i < n && !rc; i++) {
			/* The kernel takes the register's lower half for a descriptor. */
			const struct scmp_arg_cmp arg = {
				0, SCMP_CMP_MASKED_EQ, UINT32_MAX, (scmp_datum_t)fds[i],
			};

			rc = seccomp_rule_add_array(ctx, SCMP_ACT_KILL_PROCESS, ways[w], 1, &arg);
		}
	return load(ctx, rc, err);
}

int sandbox_limit_calls(unsigned needs, bool new_files, struct err *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc = 0;

	if (!ctx)
		return err_set(err, ENOMEM, "seccomp");
	if (new_files)
		needs |= NEW_FILES;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]) && !rc; i++) {
		const struct call *c = &calls[i];
		struct scmp_arg_cmp args[2] = { c->args[0], c->args[1] };

		if (c->needs && !(c->needs & needs))
			continue;
		if (args[0].datum_a == OURSELVES)
			args[0].datum_a = (scmp_datum_t)getpid();
		rc = seccomp_rule_add_array(ctx, c->error ? SCMP_ACT_ERRNO((uint16_t)c->error)
							  : SCMP_ACT_ALLOW,
					    c->number, c->n_args, args);
		if (rc == -EEXIST) /* two needs have it in common */
			rc = 0;
	}
	return load(ctx, rc, err);
}
