/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * live_screen.c - the terminal: curses, keys, and giving it back.
 *
 * Theory of operation
 *
 * The screen waits for two things, a message and a key, and draws after each batch of them. If the
 * terminal is slow only this process waits; the feed leaves frames out meanwhile. The
 * size is asked from the terminal before each drawing: SIGWINCH does no more than end the wait.
 *
 * terminfo is read by live_screen_open(); afterwards no file is opened, so that the caller may
 * close the file system behind it.
 */
#include "live_priv.h"

#include <curses.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#define ESCAPE_DELAY_MS 25	/* between Escape and the rest of a key's sequence */

struct live_screen {
	struct live_screen_config cfg;
	struct termios before, mine;
	char restore[LIVE_RESTORE_MAX];
	SCREEN *screen;
	FILE *in, *out;
	chtype look[LIVE_LOOK_COUNT];
	bool over;
	struct live_view view;
	struct live_frame message;
};

/* ------------------------------------------------------------------- drawing */

static void put_text(void *arg, int row, int column, enum live_look look, const char *text)
{
	const struct live_screen *s = arg;

	attrset((int)s->look[look]);
	mvaddnstr(row, column, text, -1);
}

static void put_rule(void *arg, int row)
{
	const struct live_screen *s = arg;

	attrset(A_DIM);
	mvhline(row, 0, s->cfg.utf8 ? 0 : '-', COLS); /* 0: the terminal's own line */
}

static void make_looks(struct live_screen *s)
{
	static const short colors[LIVE_LOOK_COUNT] = { [LIVE_GOOD] = COLOR_GREEN,
						       [LIVE_WARN] = COLOR_YELLOW,
						       [LIVE_BAD] = COLOR_RED };
	bool color = s->cfg.color && has_colors() && start_color() == OK;

	s->look[LIVE_BOLD] = s->look[LIVE_WARN] = s->look[LIVE_BAD] = A_BOLD;
	s->look[LIVE_DIM] = A_DIM;
	s->look[LIVE_BAR] = s->look[LIVE_CHOSEN] = A_REVERSE;
	if (!color)
		return;
	use_default_colors();
	for (int i = 0; i < LIVE_LOOK_COUNT; i++)
		if (colors[i] && init_pair((short)i, colors[i], -1) == OK)
			s->look[i] = (chtype)COLOR_PAIR(i) | (i == LIVE_BAD ? A_BOLD : 0);
}

static void fit(const struct live_screen *s)
{
	struct winsize ws;

	if (ioctl(s->cfg.tty_fd, TIOCGWINSZ, &ws) == 0 && ws.ws_row && ws.ws_col &&
	    (ws.ws_row != LINES || ws.ws_col != COLS))
		resizeterm(ws.ws_row, ws.ws_col);
}

static void draw(struct live_screen *s)
{
	struct live_canvas c = { .put = put_text, .rule = put_rule, .arg = s };

	fit(s);
	getmaxyx(stdscr, c.rows, c.columns);
	erase();
	live_draw(&s->view, &c);
	refresh();
}

/* ---------------------------------------------------------------------- keys */

static int key_of(int k)
{
	static const struct { int curses, live; } keys[] = {
		{ KEY_UP, LIVE_KEY_UP }, { KEY_DOWN, LIVE_KEY_DOWN }, { KEY_LEFT, LIVE_KEY_LEFT },
		{ KEY_RIGHT, LIVE_KEY_RIGHT }, { KEY_PPAGE, LIVE_KEY_PAGE_UP },
		{ KEY_NPAGE, LIVE_KEY_PAGE_DOWN }, { KEY_HOME, LIVE_KEY_HOME },
		{ KEY_END, LIVE_KEY_END }, { KEY_ENTER, LIVE_KEY_ENTER }, { '\n', LIVE_KEY_ENTER },
		{ '\r', LIVE_KEY_ENTER }, { KEY_BACKSPACE, LIVE_KEY_BACKSPACE },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (keys[i].curses == k)
			return keys[i].live;
	return k;
}

static void say(struct live_screen *s, char what, const char *text)
{
	char message[1 + LIVE_FILTER_MAX];
	size_t n = strlen(text);

	message[0] = what;
	memcpy(message + 1, text, n < LIVE_FILTER_MAX ? n : LIVE_FILTER_MAX);
	/* Its queue is never full: the feed reads four times a second. */
	(void)!write(s->cfg.feed_fd, message, 1 + (n < LIVE_FILTER_MAX ? n : LIVE_FILTER_MAX));
}

static void take_keys(struct live_screen *s)
{
	int k;

	while ((k = getch()) != ERR) {
		if (k == 'L' - '@') { /* Ctrl-L */
			clearok(stdscr, TRUE);
			continue;
		}
		switch (live_view_key(&s->view, key_of(k))) {
		case LIVE_ORDER_FILTER:
			say(s, LIVE_SAYS_FILTER, s->view.filter);
			break;
		case LIVE_ORDER_END:
			say(s, LIVE_SAYS_END, "");
			break;
		default:
			break;
		}
	}
}

/* ----------------------------------------------------------------- the whole */

struct live_screen *live_screen_open(const struct live_screen_config *config, struct err *err)
{
	struct live_screen *s = calloc(1, sizeof(*s));
	int in, out;

	if (!s) {
		err_sys(err, ENOMEM, "--live");
		return NULL;
	}
	s->cfg = *config;
	if (live_terminal(config->term, config->tty_fd, s->restore, err) < 0) {
		free(s);
		return NULL;
	}
	if (tcgetattr(config->tty_fd, &s->before) < 0) {
		err_sys(err, errno, "--live: the terminal");
		free(s);
		return NULL;
	}
	in = dup(config->tty_fd);
	out = dup(config->tty_fd);
	s->in = in < 0 ? NULL : fdopen(in, "r");
	s->out = out < 0 ? NULL : fdopen(out, "w");
	if (s->in && s->out)
		s->screen = newterm(config->term, s->out, s->in);
	if (!s->screen) {
		err_set(err, EIO, "--live: the terminal (%s) cannot be used", config->term);
		live_screen_close(s);
		return NULL;
	}
	set_escdelay(ESCAPE_DELAY_MS);
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	curs_set(0);
	make_looks(s);
	draw(s);
	(void)tcgetattr(config->tty_fd, &s->mine);
	return s;
}

void live_screen_close(struct live_screen *s)
{
	struct termios now;

	if (!s)
		return;
	/*
	 * When the capture was killed a shell may have taken the terminal back already, and set
	 * it up for its own line: then it is only told to look as before.
	 */
	bool still_mine = tcgetattr(s->cfg.tty_fd, &now) == 0 &&
			  now.c_lflag == s->mine.c_lflag && now.c_iflag == s->mine.c_iflag;
	if (s->screen && still_mine)
		endwin();
	else if (s->screen)
		(void)!write(s->cfg.tty_fd, s->restore, strlen(s->restore));
	if (still_mine)
		(void)tcsetattr(s->cfg.tty_fd, TCSADRAIN, &s->before);
	if (s->screen)
		delscreen(s->screen);
	if (s->in)
		fclose(s->in);
	if (s->out)
		fclose(s->out);
	free(s);
}

/* False: the feed has ended, or what it sent is no frame. */
static bool take_message(struct live_screen *s)
{
	ssize_t size = recv(s->cfg.feed_fd, &s->message, sizeof(s->message), MSG_DONTWAIT);

	if (size < 0)
		return errno == EAGAIN || errno == EINTR;
	return size && live_view_take(&s->view, &s->message, (size_t)size);
}

void live_screen_run(struct live_screen *s)
{
	struct pollfd p[2] = { { .fd = s->cfg.feed_fd, .events = POLLIN },
			       { .fd = s->cfg.tty_fd, .events = POLLIN } };

	for (;;) {
		/* A signal ends the wait, and leaves these as they are. */
		p[0].revents = p[1].revents = 0;
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return;
		if (p[1].revents & (POLLHUP | POLLERR | POLLNVAL))
			return;
		if (p[1].revents)
			take_keys(s);
		if (p[0].revents && !take_message(s))
			return;
		draw(s);
	}
}
