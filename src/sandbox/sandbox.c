/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sandbox.c - gives up rights, in five steps; see the contract header.
 */
#include "podhop/sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/if_packet.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ----------------------------------------------------------------- the user */

static int change_user(const char *name, struct err *err)
{
	struct passwd *pw;

	errno = 0;
	pw = getpwnam(name);
	if (!pw)
		return errno ? err_sys(err, errno, "-Z %s", name)
			     : err_usage(err, ENOENT, "-Z %s: there is no such user", name);
	if (pw->pw_uid == getuid() && pw->pw_uid == geteuid())
		return 0;
	if (initgroups(pw->pw_name, pw->pw_gid) < 0 ||
	    setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0)
		return err_sys(err, errno, "-Z %s", name);
	return 0;
}

/* ------------------------------------------------------------- capabilities */

/* While there still is CAP_SETPCAP: nothing executed later could gain a capability. */
static int drop_bounding_set(struct err *err)
{
	if (!capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP))
		return 0; /* no_new_privs serves the same end */
	capng_clear(CAPNG_SELECT_BOUNDS);
	if (capng_apply(CAPNG_SELECT_BOUNDS) != 0)
		return err_set(err, EPERM, "dropping the bounding set failed");
	return 0;
}

static int drop_capabilities(struct err *err)
{
	capng_clear(CAPNG_SELECT_CAPS);
	capng_clear(CAPNG_SELECT_AMBIENT);
	if (capng_apply(CAPNG_SELECT_CAPS) != 0)
		return err_set(err, EPERM, "dropping capabilities failed");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(err, errno, "no_new_privs");
	return 0;
}

/* ----------------------------------------------------------------- Landlock */

#define LANDLOCK_FS_V1 ((1ull << 13) - 1)	/* the 13 rights of the first version */

/*
 * glibc has no wrappers. Every right of the version that the kernel reports is handled:
 * what is not granted below is refused.
 */
static int close_file_system(const char *write_dir, bool *ret_done, struct err *err)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = LANDLOCK_FS_V1 };
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	int fd, rc = 0;

	*ret_done = false;
	if (abi < 1)
		return 0; /* ENOSYS, EOPNOTSUPP: said in the state, not an error */
#ifdef LANDLOCK_ACCESS_FS_REFER
	if (abi >= 2)
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
#endif
#ifdef LANDLOCK_ACCESS_FS_TRUNCATE
	if (abi >= 3)
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
#endif
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (fd < 0)
		return err_sys(err, errno, "landlock");
	if (write_dir) {
		struct landlock_path_beneath_attr rule = {
			.allowed_access = LANDLOCK_ACCESS_FS_WRITE_FILE |
					  LANDLOCK_ACCESS_FS_MAKE_REG |
					  LANDLOCK_ACCESS_FS_READ_FILE |
					  LANDLOCK_ACCESS_FS_REMOVE_FILE,
			.parent_fd = open(write_dir, O_PATH | O_CLOEXEC | O_DIRECTORY),
		};
#ifdef LANDLOCK_ACCESS_FS_TRUNCATE
		if (abi >= 3)
			rule.allowed_access |= LANDLOCK_ACCESS_FS_TRUNCATE;
#endif
		if (rule.parent_fd < 0 ||
		    syscall(SYS_landlock_add_rule, fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
			rc = err_sys(err, errno, "landlock: %s", write_dir);
		if (rule.parent_fd >= 0)
			close(rule.parent_fd);
	}
	if (!rc && syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		rc = err_sys(err, errno, "landlock");
	close(fd);
	*ret_done = rc == 0;
	return rc;
}

/* ------------------------------------------------------------------ seccomp */

/*
 * Sanitizers' runtimes make calls of their own (LeakSanitizer traces the process at
 * its end): builds with them leave this one step out, and say so in the state.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WITH_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
	__has_feature(memory_sanitizer)
#define WITH_SANITIZER 1
#endif
#endif
#ifndef WITH_SANITIZER
#define WITH_SANITIZER 0
#endif

/* What a run needs between its first packet and its end, and why. */
static const int allowed[] = {
	/* rings and pipes */
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64),
	SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(lseek), SCMP_SYS(close),
	/* libpcap: ring statistics, the filter that stops a ring, the device's state */
	SCMP_SYS(getsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	/* files: write, cut off a partial block, look at what a descriptor is */
	SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(pwrite64), SCMP_SYS(ftruncate),
	SCMP_SYS(fdatasync), SCMP_SYS(fsync), SCMP_SYS(fstat), SCMP_SYS(newfstatat),
	SCMP_SYS(fstatfs), SCMP_SYS(fcntl),
	/* memory */
	SCMP_SYS(sysinfo) /* qsort() of a long list asks how much there is */,
	SCMP_SYS(brk), SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
	/* time, signals, figures about ourselves, the end */
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(restart_syscall), SCMP_SYS(futex),
	SCMP_SYS(getrusage), SCMP_SYS(getrandom), SCMP_SYS(getpid), SCMP_SYS(gettid),
	SCMP_SYS(tgkill), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

/* ioctl(2) by request only: what the device is, and the terminal's width. */
static const uint64_t ioctls[] = {
	0x8913 /* SIOCGIFFLAGS */, 0x5401 /* TCGETS */, 0x5413 /* TIOCGWINSZ */,
	0x541b /* FIONREAD */,
};

static int limit_system_calls(bool may_open, struct err *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc = 0;

	if (!ctx)
		return err_set(err, ENOMEM, "seccomp");
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]) && !rc; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
	/* SO_ATTACH_FILTER stops a ring; no other level can be reached but as below. */
	if (!rc)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(setsockopt), 1,
				      SCMP_A1(SCMP_CMP_EQ, SOL_SOCKET, 0));
	/* pcap_close() takes its ring down this way, and dies of a refusal. */
	if (!rc)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(setsockopt), 2,
				      SCMP_A1(SCMP_CMP_EQ, SOL_PACKET, 0),
				      SCMP_A2(SCMP_CMP_EQ, PACKET_RX_RING, 0));
	for (size_t i = 0; i < sizeof(ioctls) / sizeof(ioctls[0]) && !rc; i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				      SCMP_A1(SCMP_CMP_EQ, ioctls[i], 0));
	if (!rc && may_open) {
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(openat), 0);
		if (!rc)
			rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(unlink), 0);
		if (!rc)
			rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(unlinkat), 0);
	}
	if (!rc)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	return rc < 0 ? err_sys(err, -rc, "seccomp") : 0;
}

int sandbox_enter(const struct sandbox_config *config, struct sandbox_state *ret_state,
		  struct err *err)
{
	int rc;

	*ret_state = (struct sandbox_state){ 0 };
	rc = drop_bounding_set(err);
	if (!rc && config->user)
		rc = change_user(config->user, err);
	if (!rc)
		rc = drop_capabilities(err);
	if (!rc)
		rc = close_file_system(config->write_dir, &ret_state->landlock, err);
	if (!rc && !WITH_SANITIZER) {
		rc = limit_system_calls(config->write_dir != NULL, err);
		ret_state->seccomp = rc == 0;
	}
	return rc;
}
