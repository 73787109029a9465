/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sandbox.h - gives up every right that the rest of the run does not need.
 *
 * Owns: nothing; what it does cannot be undone.
 * Never: is entered before all devices, files and netlink answers are at hand, or
 * after the first byte of a stranger's packet was parsed.
 *
 * In this order, each making the next one stick:
 *   1. the user is changed (-Z)                 setgroups, setresgid, setresuid
 *   2. all capabilities and the bounding set    libcap-ng; the kept ones stay
 *   3. no_new_privs                             prctl(2)
 *   4. the file system is closed                Landlock, where the kernel has it
 *   5. a short list of system calls             libseccomp; anything else kills the process
 *
 * The list is made of needs: a run names what it still does, and gets the calls for that and
 * no others. A new need is a bit here and its lines in src/sandbox/calls.c.
 */
#ifndef PODHOP_SANDBOX_H
#define PODHOP_SANDBOX_H

#include <stdbool.h>

#include "podhop/err.h"

/* What a run does behind the door, beside using descriptors, memory and time. */
enum sandbox_need {
	/*
	 * libpcap's rings that are open: read, counted, stopped, filtered anew, taken down; and
	 * netlink sockets that are open: answers and event groups are read
	 */
	SANDBOX_RINGS = 1u << 0,
	/* a screen: the terminal's modes are set and set back */
	SANDBOX_SCREEN = 1u << 1,
	/* files are opened for reading, links and directories read */
	SANDBOX_LOOK_UP = 1u << 2,
	/* netlink sockets are opened, which tell of devices too: nothing leaves the node by them */
	SANDBOX_ASK_KERNEL = 1u << 3,
	/* packet sockets are opened, by libpcap: --follow */
	SANDBOX_OPEN_RINGS = 1u << 4,
	/*
	 * The names of services and protocols are looked up, in the C library's files and nowhere
	 * else, until sandbox_tighten(): a filter that a capture was made with says "port http".
	 */
	SANDBOX_NAMES = 1u << 5,
};

/* Capabilities that may be kept; see capabilities(7). */
enum sandbox_right {
	SANDBOX_RIGHT_NET_RAW = 1u << 0,	/* packet sockets */
	SANDBOX_RIGHT_NET_ADMIN = 1u << 1,	/* dumps of a pod's namespace, of conntrack */
	/*
	 * /proc/PID/ns and root of other users. Landlock is left out then: it hides these of all
	 * processes that are not in the sandbox themselves.
	 */
	SANDBOX_RIGHT_PTRACE = 1u << 2,
	SANDBOX_RIGHT_READ_ALL = 1u << 3,	/* CAP_DAC_READ_SEARCH: the runtimes' state files */
};

struct sandbox_config {
	const char *user;	/* -Z; NULL: stay who we are */
	/*
	 * Rotation opens further files: this directory, and nothing else, stays open for
	 * writing new files. NULL: no file can be opened for writing any more.
	 */
	const char *write_dir;
	unsigned needs;		/* enum sandbox_need, or-ed */
	unsigned rights;	/* enum sandbox_right, or-ed: kept as far as they are there */
	/*
	 * Descriptors that are read and never written to, copied: a packet socket that was opened
	 * to capture would send what is written to it, past every filter of the node.
	 */
	const int *only_read;
	unsigned n_only_read;
};

struct sandbox_state {
	bool landlock;		/* false: the kernel has none (before 5.13, or not configured) */
	bool seccomp;
};

/* -errno when a right could not be given up; the caller then ends the run. */
int sandbox_enter(const struct sandbox_config *config, struct sandbox_state *ret_state,
		  struct err *err);

/*
 * After sandbox_enter() with SANDBOX_NAMES: from here on these needs are left, names are not.
 * new_files: as write_dir said. 0 or -errno, as there.
 */
int sandbox_tighten(unsigned needs, bool new_files, struct err *err);

#endif
