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
 *   2. all capabilities and the bounding set    libcap-ng
 *   3. no_new_privs                             prctl(2)
 *   4. the file system is closed                Landlock, where the kernel has it
 *   5. a short list of system calls             libseccomp; anything else kills the process
 */
#ifndef PODHOP_SANDBOX_H
#define PODHOP_SANDBOX_H

#include <stdbool.h>

#include "podhop/err.h"

struct sandbox_config {
	const char *user;	/* -Z; NULL: stay who we are */
	/*
	 * Rotation opens further files: this directory, and nothing else, stays open for
	 * writing new files. NULL: no file can be opened any more.
	 */
	const char *write_dir;
};

struct sandbox_state {
	bool landlock;		/* false: the kernel has none (before 5.13, or not configured) */
	bool seccomp;
};

/* -errno when a right could not be given up; the caller then ends the run. */
int sandbox_enter(const struct sandbox_config *config, struct sandbox_state *ret_state,
		  struct err *err);

#endif
