/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_live_screen.c - the live screen on a pseudo-terminal: what it shows, what keys say to the
 * feed, how the terminal is given back. The test is the terminal and the feed.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/live/live_priv.h"

#define ENTER_SCREEN "\x1b[?1049h" /* of xterm: the alternate screen, and back */
#define LEAVE_SCREEN "\x1b[?1049l"

static int keyboard, tty, feed, screen_end;
static struct live_frame frame;
static char shown[1 << 16];

static void resize(unsigned short rows, unsigned short columns)
{
	struct winsize ws = { .ws_row = rows, .ws_col = columns };

	assert_int_equal(ioctl(tty, TIOCSWINSZ, &ws), 0);
}

static int begin(void **state)
{
	int pair[2];

	(void)state;
	keyboard = posix_openpt(O_RDWR | O_NOCTTY);
	if (keyboard < 0 || grantpt(keyboard) < 0 || unlockpt(keyboard) < 0)
		return -1;
	tty = open(ptsname(keyboard), O_RDWR | O_NOCTTY);
	if (tty < 0 || fcntl(keyboard, F_SETFL, O_NONBLOCK) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
		return -1;
	feed = pair[0];
	screen_end = pair[1];
	resize(24, 80);
	memset(&frame, 0, sizeof(frame));
	frame.now_ns = 2000000000;
	frame.start_ns = 1000000000;
	strcpy(frame.title, "default/web on node1");
	frame.n_hops = 2;
	strcpy(frame.hops[0].name, "vethA");
	frame.hops[0].role = MODEL_ROLE_VETH;
	strcpy(frame.hops[1].name, "cni0");
	frame.hops[1].role = MODEL_ROLE_BRIDGE;
	return 0;
}

static int end(void **state)
{
	(void)state;
	close(keyboard);
	close(tty);
	close(feed);
	close(screen_end);
	return 0;
}

static struct live_screen *start(bool color, bool utf8)
{
	const struct live_screen_config c = {
		.tty_fd = tty, .feed_fd = screen_end, .term = "xterm", .color = color, .utf8 = utf8
	};
	struct err err = ERR_INIT;
	struct live_screen *s = live_screen_open(&c, &err);

	if (!s)
		fail_msg("%s", err.text);
	return s;
}

static void press(const char *keys)
{
	assert_int_equal(write(keyboard, keys, strlen(keys)), strlen(keys));
}

static void send_frame(void)
{
	size_t size = live_frame_size(frame.n_packets);

	assert_int_equal(send(feed, &frame, size, 0), size);
}

/* The feed ends behind what it has sent, and the screen with it. */
static void run(struct live_screen *s)
{
	assert_int_equal(shutdown(feed, SHUT_WR), 0);
	live_screen_run(s);
}

/* What was written to the terminal since. */
static const char *output(void)
{
	size_t n = 0;
	ssize_t k;

	while ((k = read(keyboard, shown + n, sizeof(shown) - 1 - n)) > 0)
		n += (size_t)k;
	shown[n] = '\0';
	return shown;
}

/* What the screen said to the feed, a word a message. */
static const char *orders(void)
{
	static char text[256];
	size_t n = 0;
	ssize_t k;

	text[0] = '\0';
	while ((k = recv(feed, text + n, sizeof(text) - n - 2, MSG_DONTWAIT)) > 0) {
		n += (size_t)k;
		text[n++] = ' ';
		text[n] = '\0';
	}
	return text;
}

static void test_frames_are_shown(void **state)
{
	struct live_screen *s = start(false, false);

	(void)state;
	send_frame();
	strcpy(frame.hops[1].name, "br7");
	send_frame();
	run(s);
	output();
	assert_non_null(strstr(shown, ENTER_SCREEN));
	assert_non_null(strstr(shown, "default/web on node1"));
	assert_non_null(strstr(shown, "vethA"));
	assert_non_null(strstr(shown, "cni0"));
	/* the second frame: of what stays the same nothing is written again */
	const char *second = strstr(shown, "br7");
	assert_non_null(second);
	assert_null(strstr(second, "vethA"));
	assert_string_equal(orders(), "");
	live_screen_close(s);
}

static void test_keys(void **state)
{
	struct live_screen *s = start(false, false);

	(void)state;
	send_frame();
	/* Down as a terminal sends it; a filter typed, mended and taken; the end */
	press("\x1bOB/10.x\x7f"
	      "2\rq");
	run(s);
	assert_string_equal(orders(), "f10.2 q ");
	assert_non_null(strstr(output(), "10.2"));
	live_screen_close(s);
}

/* Another program wrote over the screen: Ctrl-L draws all of it again. */
static void test_redraw(void **state)
{
	struct live_screen *s = start(false, false);

	(void)state;
	send_frame();
	press("\f");
	run(s);
	output();
	const char *first = strstr(shown, "vethA");
	live_screen_close(s);
	assert_non_null(first);
}

static void test_window_becomes_larger(void **state)
{
	struct live_screen *s = start(false, true);
	char line[16];

	(void)state;
	resize(50, 150);
	send_frame();
	run(s);
	/* the keys stand in the last line */
	snprintf(line, sizeof(line), "\x1b[%d", 50);
	assert_non_null(strstr(output(), line));
	live_screen_close(s);
}

static void test_colors(void **state)
{
	(void)state;
	frame.hops[0].dropped_kernel = 7;
	for (unsigned color = 0; color < 2; color++) {
		struct live_screen *s = start(color, false);

		send_frame();
		run(s);
		output();
		/* drops are red, and bold where there is no colour */
		assert_int_equal(strstr(shown, "\x1b[31m") || strstr(shown, ";31m"), color);
		assert_non_null(strstr(shown, "\x1b[0;1m"));
		live_screen_close(s);
		end(NULL);
		assert_int_equal(begin(NULL), 0);
		frame.hops[0].dropped_kernel = 7;
	}
}

/* What is no frame ends the screen, and so does a terminal that is gone. */
static void test_ends(void **state)
{
	struct live_screen *s = start(false, false);

	(void)state;
	assert_int_equal(send(feed, "x", 1, 0), 1);
	live_screen_run(s);
	live_screen_close(s);

	s = start(false, false);
	close(keyboard);
	live_screen_run(s);
	live_screen_close(s);
	keyboard = dup(tty);
}

/* Echo and line editing are off while it shows, and as they were behind it. */
static void test_terminal_is_given_back(void **state)
{
	struct termios before, during, after;
	struct live_screen *s;

	(void)state;
	assert_int_equal(tcgetattr(tty, &before), 0);
	assert_true(before.c_lflag & ECHO);
	s = start(false, false);
	assert_int_equal(tcgetattr(tty, &during), 0);
	assert_false(during.c_lflag & (ECHO | ICANON));
	assert_true(during.c_lflag & ISIG);
	assert_null(strstr(output(), LEAVE_SCREEN));
	live_screen_close(s);
	assert_int_equal(tcgetattr(tty, &after), 0);
	assert_int_equal(after.c_lflag, before.c_lflag);
	assert_int_equal(after.c_iflag, before.c_iflag);
	assert_int_equal(after.c_oflag, before.c_oflag);
	assert_non_null(strstr(output(), LEAVE_SCREEN));
}

/* A shell has taken the terminal in between: it keeps its settings, and sees its own screen. */
static void test_terminal_was_taken(void **state)
{
	struct termios shells, after;
	struct live_screen *s = start(false, false);

	(void)state;
	assert_int_equal(tcgetattr(tty, &shells), 0);
	shells.c_lflag |= ICANON;
	shells.c_lflag &= ~(tcflag_t)ISIG;
	assert_int_equal(tcsetattr(tty, TCSANOW, &shells), 0);
	output();
	live_screen_close(s);
	assert_int_equal(tcgetattr(tty, &after), 0);
	assert_int_equal(after.c_lflag, shells.c_lflag);
	assert_non_null(strstr(output(), LEAVE_SCREEN));
}

static void test_no_such_terminal(void **state)
{
	static const struct {
		const char *term, *text;
	} cases[] = {
		{ NULL, "--live: $TERM is not set, so nothing is known of this terminal; without "
			"--live there is a line a packet" },
		{ "", "--live: $TERM is not set, so nothing is known of this terminal; without "
		      "--live there is a line a packet" },
		{ "none-such", "--live: no terminal of type none-such is known here; try "
			       "TERM=xterm, or leave --live out" },
		{ "dumb", "--live: a terminal of type dumb cannot place its cursor; leave --live "
			  "out: there is a line a packet then" },
	};
	struct live_screen_config c = { .tty_fd = tty, .feed_fd = screen_end };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err err = ERR_INIT;

		c.term = cases[i].term;
		assert_null(live_screen_open(&c, &err));
		assert_int_equal(err.class, ERR_USAGE);
		assert_string_equal(err.text, cases[i].text);
	}
	/* a file is no terminal, whatever its type is said to be */
	struct err err = ERR_INIT;

	c.term = "xterm";
	c.tty_fd = open("/dev/null", O_RDWR);
	assert_null(live_screen_open(&c, &err));
	assert_string_equal(err.text, "--live: the terminal: Inappropriate ioctl for device");
	close(c.tty_fd);
	live_screen_close(NULL);
}

/* What the terminal is told behind a screen that was killed. */
static void test_restore(void **state)
{
	char restore[LIVE_RESTORE_MAX];

	(void)state;
	assert_int_equal(live_terminal("xterm", tty, restore, NULL), 0);
	assert_non_null(strstr(restore, LEAVE_SCREEN));
	assert_non_null(strstr(restore, "\x1b[?25h")); /* the cursor is visible */
}

int main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		EACH(test_frames_are_shown),
		EACH(test_keys),
		EACH(test_redraw),
		EACH(test_window_becomes_larger),
		EACH(test_colors),
		EACH(test_ends),
		EACH(test_terminal_is_given_back),
		EACH(test_terminal_was_taken),
		EACH(test_no_such_terminal),
		EACH(test_restore),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
