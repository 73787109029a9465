/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * screen.c - `podhop capture --live`: the process that owns the terminal, and the wire to it.
 *
 * Theory of operation
 *
 * The screen is a process of its own (live.h says why). It is forked before any device is
 * opened, so that it holds no ring, and touches the terminal only when the first frame comes: a
 * capture that cannot begin says so on a terminal as it was. Once the screen is up it gives up
 * every right, as the capture does.
 *
 * Each of the two looks after the other. When the capture ends, whatever ended it, the
 * socket closes and the screen gives the terminal back. When the screen is killed the
 * capture sees its end of the socket close without the last word, SAYS_GOODBYE, gives the
 * terminal back itself, and ends the run.
 *
 * Signals of the keyboard go to both. The capture takes them; the screen ignores them and
 * follows the capture. Ctrl-Z is ignored: a stopped capture would only lose frames.
 *
 * Warnings would be written across the screen: they go through the feed instead, and again to
 * stderr when the terminal is back.
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "podhop/live.h"
#include "podhop/log.h"
#include "podhop/sandbox.h"

#define SAYS_GOODBYE 'x'
#define HELD_UP_MS 500		/* a screen that is silent so long waits for its terminal */
#define GOODBYE_MS 2000		/* ... and one that takes nothing must not keep us */
#define GOODBYE_STEP_MS 20
#define KEPT_MESSAGES 8
#define MESSAGE_MAX 512
#define FDS_MAX 1024

struct screen {
	struct live_feed *feed;
	int fd, tty;
	struct termios before;
	char restore[LIVE_RESTORE_MAX];
	int64_t next_ns;	/* CLOCK_MONOTONIC */
	bool begun, over, goodbye;
	char messages[KEPT_MESSAGES][MESSAGE_MAX];
	unsigned n_messages;
};

/* ---------------------------------------------------------- the screen's side */

static void on_resize(int sig)
{
	(void)sig; /* ends the wait; the size is asked for then */
}

static void follow_signals(void)
{
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGTTOU, SIGTTIN,
				       SIGUSR1, SIGPIPE, SIGALRM };
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = SIG_IGN;
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		sigaction(ignored[i], &sa, NULL);
	sa.sa_handler = on_resize;
	sigaction(SIGWINCH, &sa, NULL);
}

/* An output that the capture writes to must end with the capture: nothing of it is kept here. */
static void keep_only(int tty, int fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = STDERR_FILENO + 1; i < FDS_MAX; i++)
		if (i != tty && i != fd && i != null)
			close(i);
	for (int i = STDIN_FILENO; i <= STDERR_FILENO && null >= 0; i++)
		dup2(null, i);
	if (null > STDERR_FILENO)
		close(null);
}

_Noreturn static void be_the_screen(const struct options *o, int tty, int fd, const char *term,
				    bool color)
{
	struct live_screen_config config = {
		.tty_fd = tty, .feed_fd = fd, .term = term, .color = color,
		.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
	};
	struct sandbox_config sc = { .user = o->user, .needs = SANDBOX_SCREEN };
	struct pollfd first = { .fd = fd, .events = POLLIN };
	struct live_screen *screen = NULL;
	struct sandbox_state state;
	struct err err = ERR_INIT;
	char bye = SAYS_GOODBYE;
	int n;

	follow_signals();
	keep_only(tty, fd);
	do
		n = poll(&first, 1, -1);
	while (n < 0 && errno == EINTR);
	/* Closed without a frame: there is nothing to show. */
	if (n == 1 && recv(fd, &(char){ 0 }, 1, MSG_PEEK | MSG_DONTWAIT) > 0) {
		tzset();
		screen = live_screen_open(&config, &err);
		if (screen && sandbox_enter(&sc, &state, &err) == 0)
			live_screen_run(screen);
		live_screen_close(screen);
		if (err.code)
			dprintf(tty, "podhop: %s\r\n", err.text);
	}
	(void)!write(fd, &bye, 1);
	_exit(EXIT_DONE);
}

/* --------------------------------------------------------- the capture's side */

static void on_message(void *arg, const char *line)
{
	struct screen *s = arg;

	if (!s->begun) {
		fputs(line, stderr);
		return;
	}
	if (s->n_messages < KEPT_MESSAGES)
		snprintf(s->messages[s->n_messages++], MESSAGE_MAX, "%.*s", MESSAGE_MAX - 1, line);
	screen_message(s, line);
}

struct screen *screen_open(const struct options *o, struct err *err)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
	struct screen *s = calloc(1, sizeof(*s));
	int pair[2] = { -1, -1 };
	pid_t pid;

	if (!s) {
		err_sys(err, ENOMEM, "--live");
		return NULL;
	}
	s->fd = -1;
	s->tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (s->tty < 0 || tcgetattr(s->tty, &s->before) < 0) {
		err_usage(err, ENOTTY, "--live needs a terminal, and this process has none (over "
			  "ssh: ssh -t; with kubectl: exec -it); without --live there is a line a "
			  "packet");
		goto failed;
	}
	if (live_terminal(term, s->tty, s->restore, err) < 0)
		goto failed;
	/* Changing the terminal from the background stops a process. */
	if (tcgetpgrp(s->tty) != getpgrp()) {
		err_usage(err, ENOTTY, "--live needs the terminal: run it in the foreground");
		goto failed;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ||
	    fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0) {
		err_sys(err, errno, "--live");
		goto failed;
	}
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		err_sys(err, errno, "--live: fork");
		goto failed;
	}
	if (pid == 0) {
		close(pair[0]);
		be_the_screen(o, s->tty, pair[1], term, !(no_color && *no_color));
	}
	close(pair[1]);
	s->fd = pair[0];
	signal(SIGTSTP, SIG_IGN);
	if (isatty(STDERR_FILENO))
		log_set_sink(on_message, s);
	return s;
failed:
	if (pair[0] >= 0)
		close(pair[0]);
	if (pair[1] >= 0)
		close(pair[1]);
	if (s->tty >= 0)
		close(s->tty);
	free(s);
	return NULL;
}

int screen_begin(struct screen *s, struct session *session, struct err *err)
{
	struct live_feed_config config = { .net = session->net, .name = session->style.name,
					   .name_arg = session->style.name_arg };

	s->feed = live_feed_new(&config, err);
	if (!s->feed)
		return -ENOMEM;
	session->live = s->feed;
	s->begun = true;
	return 0;
}

void screen_message(struct screen *s, const char *line)
{
	char text[LIVE_MESSAGE_MAX];

	snprintf(text, sizeof(text), "%.*s", (int)strcspn(line, "\n"), line);
	if (s->feed)
		live_feed_message(s->feed, text);
}

static void take_orders(struct screen *s)
{
	char order[256];
	ssize_t n;

	while ((n = read(s->fd, order, sizeof(order))) > 0) {
		s->goodbye |= order[0] == SAYS_GOODBYE;
		if (live_feed_order(s->feed, order, (size_t)n))
			s->over = true;
	}
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		s->over = true;
}

int screen_tick(struct screen *s, struct session *session, int64_t now_ns, int64_t real_ns,
		struct err *err)
{
	struct result r = { 0 };
	size_t size;
	int rc;

	if (now_ns < s->next_ns || s->over)
		return 0;
	s->next_ns = now_ns + LIVE_INTERVAL_NS;
	take_orders(s);
	rc = session_summary(session, &r, err);
	if (!rc) {
		const struct live_frame *f = live_feed_frame(s->feed, &r, session->begin_ns,
							     real_ns, &size);
		ssize_t n = write(s->fd, f, size);

		if (n > 0)
			live_feed_sent(s->feed);
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			s->over = true;
	}
	result_free(&r);
	return rc;
}

bool screen_is_over(const struct screen *s)
{
	return s->over;
}

/*
 * A terminal that was stopped (Ctrl-S) holds up whoever writes to it, here the screen: it goes on
 * when it is told that these keys stop it no longer (n_tty_set_termios() in the kernel). Whoever
 * calls this gives the modes back.
 */
static void let_go_on(const struct screen *s)
{
	struct termios now;

	if (tcgetattr(s->tty, &now) < 0)
		return;
	now.c_iflag &= ~(tcflag_t)IXON;
	(void)tcsetattr(s->tty, TCSANOW, &now);
}

/* The screen gives the terminal back. Ctrl-C must not cut this short: only the clock may. */
static void await_goodbye(struct screen *s, int ms)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };
	char bytes[256];

	for (int left = ms; !s->goodbye && left > 0; left -= GOODBYE_STEP_MS) {
		if (poll(&p, 1, GOODBYE_STEP_MS) <= 0)
			continue;
		ssize_t n = read(s->fd, bytes, sizeof(bytes));
		if (n == 0)
			break;
		s->goodbye |= n > 0 && bytes[0] == SAYS_GOODBYE;
	}
}

/* In the place of a screen that could not. */
static void give_back(const struct screen *s)
{
	struct pollfd p = { .fd = s->tty, .events = POLLOUT };

	/* Behind a connection that hangs it may take nothing: files are not finished yet. */
	if (poll(&p, 1, 0) == 1 && p.revents == POLLOUT)
		(void)!write(s->tty, s->restore, strlen(s->restore));
}

void screen_close(struct screen *s)
{
	if (!s)
		return;
	/* One byte is no frame: the end. */
	(void)!write(s->fd, "", 1);
	if (s->begun)
		await_goodbye(s, HELD_UP_MS);
	if (s->begun && !s->goodbye) {
		let_go_on(s);
		await_goodbye(s, GOODBYE_MS);
		(void)tcsetattr(s->tty, TCSANOW, &s->before);
		if (!s->goodbye)
			give_back(s);
	}
	log_set_sink(NULL, NULL);
	for (unsigned i = 0; i < s->n_messages; i++)
		fputs(s->messages[i], stderr);
	live_feed_free(s->feed);
	close(s->fd);
	close(s->tty);
	free(s);
}
