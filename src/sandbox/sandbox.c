/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sandbox.c - gives up rights, in five steps; see the contract header.
 */
#include "podhop/sandbox.h"

#include "sandbox_priv.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <netdb.h>
#include <pwd.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ----------------------------------------------------------------- the user */

static int change_user(const char *name, bool keep_rights, struct err *err)
{
	struct passwd *pw;

	errno = 0;
	pw = getpwnam(name);
	if (!pw)
		return errno ? err_sys(err, errno, "-Z %s", name)
			     : err_usage(err, ENOENT, "-Z %s: there is no such user", name);
	if (pw->pw_uid == getuid() && pw->pw_uid == geteuid())
		return 0;
	/* Or the change would take the rights that are kept, too. */
	if (keep_rights && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_sys(err, errno, "-Z %s", name);
	if (initgroups(pw->pw_name, pw->pw_gid) < 0 ||
	    setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
	    setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0)
		return err_sys(err, errno, "-Z %s", name);
	return 0;
}

/* ------------------------------------------------------------- capabilities */

/*
 * While there still is CAP_SETPCAP: nothing executed later could gain a capability. One by one, up
 * to the first that the kernel does not know; libcap-ng does not say when one could not be dropped.
 */
static int drop_bounding_set(struct err *err)
{
	if (!capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP))
		return 0; /* no_new_privs serves the same end */
	for (unsigned long c = 0; prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
		if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0) < 0)
			return err_sys(err, errno, "the bounding set");
	return 0;
}

static const struct {
	unsigned right;		/* enum sandbox_right */
	unsigned capability;
} rights[] = {
	{ SANDBOX_RIGHT_NET_RAW, CAP_NET_RAW },
	{ SANDBOX_RIGHT_NET_ADMIN, CAP_NET_ADMIN },
	{ SANDBOX_RIGHT_PTRACE, CAP_SYS_PTRACE },
	{ SANDBOX_RIGHT_READ_ALL, CAP_DAC_READ_SEARCH },
};

static int drop_capabilities(unsigned kept, struct err *err)
{
	bool keep[sizeof(rights) / sizeof(rights[0])];

	for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++)
		keep[i] = (kept & rights[i].right) &&
			  capng_have_capability(CAPNG_PERMITTED, rights[i].capability);
	capng_clear(CAPNG_SELECT_CAPS);
	capng_clear(CAPNG_SELECT_AMBIENT);
	for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++)
		if (keep[i] && capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED,
					    rights[i].capability) != 0)
			return err_set(err, EPERM, "keeping a capability failed");
	if (capng_apply(CAPNG_SELECT_CAPS) != 0)
		return err_set(err, EPERM, "dropping capabilities failed");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(err, errno, "no_new_privs");
	return 0;
}

/* ----------------------------------------------------------------- Landlock */

#define LANDLOCK_FS_V1 ((1ull << 13) - 1)	/* the 13 rights of the first version */
#define LANDLOCK_FS_TRUNCATE (1ull << 14)

/* Those of later ones, by number: the kernel may be newer than the headers this is built with. */
static const struct {
	long abi;
	uint64_t right;
} later_rights[] = {
	{ 2, 1ull << 13 },		/* LANDLOCK_ACCESS_FS_REFER */
	{ 3, LANDLOCK_FS_TRUNCATE },
	{ 5, 1ull << 15 },		/* LANDLOCK_ACCESS_FS_IOCTL_DEV */
};

/* Where the C library has the names of services, protocols and networks, and which of them. */
static const char *const name_files[] = {
	"/etc/services", "/etc/protocols", "/etc/networks", "/etc/ethers", "/etc/nsswitch.conf",
	"/var/lib/misc",	/* nss_db */
};
#define N_NAME_FILES (sizeof(name_files) / sizeof(name_files[0]))

static int let_read(int ruleset, const char *path, uint64_t access, struct err *err)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = access,
		.parent_fd = open(path, O_PATH | O_CLOEXEC),
	};
	int rc = 0;

	if (rule.parent_fd < 0)
		return 0; /* not every system has every one */
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		rc = err_sys(err, errno, "landlock: %s", path);
	close(rule.parent_fd);
	return rc;
}

/* The modules for it are loaded now: code is mapped no more behind the door. */
static void load_names(void)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;

	(void)getservbyname("domain", "udp");
	(void)getprotobyname("udp");
	(void)getnetbyname("loopback");
	if (getaddrinfo(NULL, "domain", &hints, &list) == 0)
		freeaddrinfo(list);
}

/*
 * glibc has no wrappers. Every right to files that the kernel's version has is handled: what is not
 * granted below is refused. (What else it can hold back, sockets and signals, seccomp does.)
 */
static int close_file_system(const struct sandbox_config *config, bool *ret_done,
			     struct err *err)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = LANDLOCK_FS_V1 };
	const char *write_dir = config->write_dir;
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	int fd, rc = 0;

	*ret_done = false;
	if (abi < 1)
		return 0; /* ENOSYS, EOPNOTSUPP: said in the state, not an error */
	for (size_t i = 0; i < sizeof(later_rights) / sizeof(later_rights[0]); i++)
		if (abi >= later_rights[i].abi)
			attr.handled_access_fs |= later_rights[i].right;
	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (fd < 0)
		return err_sys(err, errno, "landlock");
	for (size_t i = 0; (config->needs & SANDBOX_NAMES) && i < N_NAME_FILES && !rc; i++)
		rc = let_read(fd, name_files[i], LANDLOCK_ACCESS_FS_READ_FILE, err);
	if (!rc && (config->needs & SANDBOX_LOOK_UP))
		rc = let_read(fd, "/", LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
			      err);
	if (write_dir && !rc) {
		struct landlock_path_beneath_attr rule = {
			/* what is not handled is no right that could be given */
			.allowed_access = (LANDLOCK_ACCESS_FS_WRITE_FILE |
					   LANDLOCK_ACCESS_FS_MAKE_REG |
					   LANDLOCK_ACCESS_FS_READ_FILE |
					   LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_FS_TRUNCATE) &
					  attr.handled_access_fs,
			.parent_fd = open(write_dir, O_PATH | O_CLOEXEC | O_DIRECTORY),
		};
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

int sandbox_enter(const struct sandbox_config *config, struct sandbox_state *ret_state,
		  struct err *err)
{
	int rc;

	*ret_state = (struct sandbox_state){ 0 };
	if (config->needs & SANDBOX_NAMES)
		load_names();
	/* What this process has now; the library remembers which one asked before a fork(). */
	capng_setpid(getpid());
	if (capng_get_caps_process() != 0)
		return err_set(err, EPERM, "reading capabilities failed");
	rc = drop_bounding_set(err);
	if (!rc && config->user)
		rc = change_user(config->user, config->rights != 0, err);
	if (!rc)
		rc = drop_capabilities(config->rights, err);
	if (!rc && !(config->rights & SANDBOX_RIGHT_PTRACE))
		rc = close_file_system(config, &ret_state->landlock, err);
	if (!rc && !WITH_SANITIZER && config->n_only_read)
		rc = sandbox_only_read(config->only_read, config->n_only_read, err);
	if (!rc && !WITH_SANITIZER) {
		rc = sandbox_limit_calls(config->needs, config->write_dir != NULL, err);
		ret_state->seccomp = rc == 0;
	}
	return rc;
}

int sandbox_tighten(unsigned needs, bool new_files, struct err *err)
{
	return WITH_SANITIZER ? 0 : sandbox_limit_calls(needs, new_files, err);
}
