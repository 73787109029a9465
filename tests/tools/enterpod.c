/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * enterpod.c - runs a command with what a container's spec gives it, and no more.
 *
 *	enterpod --root DIR [--netns FILE] [--host-pid] [--read-only] [--no-new-privs]
 *		 [--bind SRC:DST] [--bind-ro SRC:DST] [--cap NAME] [--env NAME=VALUE] -- COMMAND...
 *
 * A mount namespace of its own with DIR as its root, /proc, a /dev of four devices and the
 * binds below it, the named capabilities as its bounding set, an empty environment but for PATH
 * and --env. Not done, as nothing here depends on it: cgroups, seccomp, a pid namespace
 * (without --host-pid /proc is empty).
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BINDS_MAX 32
#define ENV_MAX 32

static const struct {
	const char *name;
	unsigned bit;
} capabilities[] = {
	{ "net_raw", CAP_NET_RAW },	  { "net_admin", CAP_NET_ADMIN },
	{ "sys_ptrace", CAP_SYS_PTRACE }, { "dac_read_search", CAP_DAC_READ_SEARCH },
	{ "sys_admin", CAP_SYS_ADMIN },
};

_Noreturn static void die(const char *what)
{
	fprintf(stderr, "enterpod: %s: %s\n", what, strerror(errno));
	exit(125);
}

/* mkdir -p below the root; what is there stays. */
static void make_path(char *path)
{
	for (char *p = path + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			die(path);
		*p = '/';
	}
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		die(path);
}

static void bind_to(const char *source, const char *root, const char *target, int read_only)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s%s", root, target);
	make_path(path);
	if (mount(source, path, NULL, MS_BIND | MS_REC, NULL) < 0)
		die(source);
	unsigned long flags = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV;
	if (read_only && mount(NULL, path, NULL, flags, NULL) < 0)
		die(path);
}

static void make_dev(const char *root)
{
	static const char *const devices[] = { "null", "zero", "random", "urandom" };
	char path[PATH_MAX], source[64];

	snprintf(path, sizeof(path), "%s/dev", root);
	make_path(path);
	if (mount("tmpfs", path, "tmpfs", MS_NOSUID, "mode=755,size=64k") < 0)
		die(path);
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		snprintf(path, sizeof(path), "%s/dev/%s", root, devices[i]);
		snprintf(source, sizeof(source), "/dev/%s", devices[i]);
		int fd = open(path, O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0 || close(fd) < 0 || mount(source, path, NULL, MS_BIND, NULL) < 0)
			die(path);
	}
}

static void limit_capabilities(uint64_t keep)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	for (unsigned i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
		if (!(keep & (1ull << i)) && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0)
			die("bounding set");
	for (unsigned i = 0; i < 2; i++)
		data[i].effective = data[i].permitted = (uint32_t)(keep >> (32 * i));
	if (syscall(SYS_capset, &head, data) < 0)
		die("capset");
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "root", 1, NULL, 'r' },	  { "netns", 1, NULL, 'n' },
		{ "host-pid", 0, NULL, 'p' },	  { "read-only", 0, NULL, 'R' },
		{ "no-new-privs", 0, NULL, 'N' }, { "bind", 1, NULL, 'b' },
		{ "bind-ro", 1, NULL, 'B' },	  { "cap", 1, NULL, 'c' },
		{ "env", 1, NULL, 'e' },	  { NULL, 0, NULL, 0 },
	};
	const char *root = NULL, *netns = NULL, *binds[BINDS_MAX];
	char path_env[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	char lang_env[] = "LANG=C.UTF-8";
	char *env[ENV_MAX + 3] = { path_env, lang_env };
	int host_pid = 0, read_only = 0, no_new_privs = 0, bind_read_only[BINDS_MAX];
	unsigned n_binds = 0, n_env = 2;
	uint64_t keep = 0;
	int c;

	while ((c = getopt_long(argc, argv, "+", longs, NULL)) != -1) {
		size_t i;
		switch (c) {
		case 'r': root = optarg; break;
		case 'n': netns = optarg; break;
		case 'p': host_pid = 1; break;
		case 'R': read_only = 1; break;
		case 'N': no_new_privs = 1; break;
		case 'b':
		case 'B':
			if (n_binds == BINDS_MAX)
				return 125;
			bind_read_only[n_binds] = c == 'B';
			binds[n_binds++] = optarg;
			break;
		case 'c':
			for (i = 0; i < sizeof(capabilities) / sizeof(capabilities[0]); i++)
				if (strcmp(capabilities[i].name, optarg) == 0)
					break;
			if (i == sizeof(capabilities) / sizeof(capabilities[0])) {
				fprintf(stderr, "enterpod: %s: unknown capability\n", optarg);
				return 125;
			}
			keep |= 1ull << capabilities[i].bit;
			break;
		case 'e':
			if (n_env == ENV_MAX + 2)
				return 125;
			env[n_env++] = optarg;
			break;
		default: return 125;
		}
	}
	if (!root || optind >= argc)
		return 125;
	if (netns) {
		int fd = open(netns, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
			die(netns);
	}
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
	    mount(root, root, NULL, MS_BIND | MS_REC, NULL) < 0)
		die(root);
	make_dev(root);
	if (host_pid)
		bind_to("/proc", root, "/proc", 0);
	for (unsigned i = 0; i < n_binds; i++) {
		char source[PATH_MAX];
		const char *colon = strchr(binds[i], ':');
		if (!colon)
			return 125;
		snprintf(source, sizeof(source), "%.*s", (int)(colon - binds[i]), binds[i]);
		bind_to(source, root, colon + 1, bind_read_only[i]);
	}
	if (read_only && mount(NULL, root, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
		die("read-only root");
	if (chdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		die("pivot_root");
	limit_capabilities(keep);
	if (no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		die("no_new_privs");
	environ = env;
	execvp(argv[optind], argv + optind);
	fprintf(stderr, "enterpod: %s: %s\n", argv[optind], strerror(errno));
	return errno == ENOENT ? 127 : 126;
}
