/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * live_terminal.c - can this type of terminal show a screen, and how is it put right again.
 *
 * Apart from the screen, because term.h defines names like `columns` and `lines`.
 */
#include "live_priv.h"

#include <curses.h>
#include <errno.h>
#include <string.h>
#include <term.h>

int live_terminal(const char *term, int tty_fd, char ret_restore[static LIVE_RESTORE_MAX],
		  struct err *err)
{
	static const char *const names[] = { "rmkx", "sgr0", "rmcup", "cnorm" };
	int found = 0;

	ret_restore[0] = '\0';
	if (!term || !*term)
		return err_usage(err, ENOTSUP, "--live: $TERM is not set, so nothing is known of "
				 "this terminal; without --live there is a line a packet");
	if (setupterm(term, tty_fd, &found) != OK)
		return err_usage(err, ENOTSUP, "--live: no terminal of type %s is known here; try "
				 "TERM=xterm, or leave --live out", term);
	char *cup = tigetstr("cup"), *clear = tigetstr("clear");
	bool can = cup && cup != (char *)-1 && clear && clear != (char *)-1;
	for (size_t i = 0; can && i < sizeof(names) / sizeof(names[0]); i++) {
		char *s = tigetstr(names[i]);
		if (s && s != (char *)-1 && strlen(ret_restore) + strlen(s) < LIVE_RESTORE_MAX)
			strcat(ret_restore, s);
	}
	del_curterm(cur_term);
	if (!can)
		return err_usage(err, ENOTSUP, "--live: a terminal of type %s cannot place its "
				 "cursor; leave --live out: there is a line a packet then", term);
	return 0;
}
