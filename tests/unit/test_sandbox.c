/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_sandbox.c - what still works behind the door, and what kills.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netdb.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "podhop/sandbox.h"

#define CHILD_LIMIT_S 10u

/*
 * A sanitizer's runtime needs calls of its own, so the sandbox limits none then (sandbox.c), and
 * leaks cannot be looked for by a child that sees no file any more.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

static struct sandbox_state door; /* of the child */
static pid_t test_pid;

/*
 * For `make coverage`, whose counts are files that are written at a process's end: behind the door
 * none can be opened. So a child that shares our memory goes through it, and what it counts is
 * ours. Elsewhere this does nothing.
 */
#ifdef COVERAGE
#define COUNTED 1
#else
#define COUNTED 0
#endif

/* A call that whoever started us, a container's runtime say, does not let through. */
struct refusal {
	int call, error;
	bool has_arg;
	struct scmp_arg_cmp arg; /* of which alone */
};

struct entry {
	const struct sandbox_config *config;
	uid_t uid; /* 0: as we are */
	const struct refusal *refusal; /* NULL: none */
};

/*
 * Before the door. Nothing is given up by it, no_new_privs neither. Threads are refused it as well:
 * a sanitizer's runtime may have one, and the C library ends a process of whose threads only some
 * may change their user.
 */
static bool refuse(const struct refusal *r)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	bool ok = ctx && seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0) == 0 &&
		  seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1) == 0 &&
		  seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO((uint16_t)r->error), r->call,
					 r->has_arg, &r->arg) == 0 &&
		  seccomp_load(ctx) == 0;

	seccomp_release(ctx);
	return ok;
}

static bool prepare(const struct entry *e)
{
	return (!e->refusal || refuse(e->refusal)) &&
	       (!e->uid || setresuid(e->uid, e->uid, e->uid) == 0);
}

static int enter_and_leave(void *arg)
{
	const struct entry *e = arg;
	struct sandbox_state state;
	struct err err = ERR_INIT;

	if (prepare(e))
		(void)!sandbox_enter(e->config, &state, &err);
	_exit(0);
}

static void count(const struct entry *e)
{
	const size_t size = 1u << 20;
	char *stack;

	if (!COUNTED)
		return;
	stack = malloc(size);
	assert_non_null(stack);
	pid_t pid = clone(enter_and_leave, stack + size, CLONE_VM | SIGCHLD,
			  (void *)(uintptr_t)e);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	free(stack);
}

/* Runs fn in a child that has entered the sandbox; returns what waitpid() said. */
static int in_sandbox(const struct sandbox_config *config, void (*fn)(int out), char *text,
		      size_t size)
{
	int fds[2], status = 0, devnull;
	pid_t pid;
	ssize_t n = 0;

	count(&(struct entry){ .config = config });
	assert_int_equal(pipe(fds), 0);
	devnull = open("/dev/null", O_WRONLY);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct err err = ERR_INIT;

		alarm(CHILD_LIMIT_S);
		close(fds[0]);
		if (sandbox_enter(config, &door, &err) < 0)
			_exit(100);
		fn(fds[1]);
		_exit(0);
	}
	close(fds[1]);
	close(devnull);
	if (text) {
		n = read(fds[0], text, size - 1);
		text[n > 0 ? n : 0] = 0;
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(fds[0]);
	return status;
}

static int status_fd = -1;

static void say_status(int out)
{
	char text[4096];
	ssize_t n = pread(status_fd, text, sizeof(text), 0);

	if (n > 0)
		n = write(out, text, (size_t)n);
	_exit(n > 0 ? 0 : 1);
}

static void work(int out)
{
	struct pollfd p = { .fd = out, .events = POLLOUT };
	char *m = malloc(4u << 20);

	if (!m || poll(&p, 1, 0) != 1 || write(out, "x", 1) != 1)
		_exit(1);
	memset(m, 1, 4u << 20);
	free(m);
	if (!COUNTED)
		exit(0); /* stdio's end too */
	_exit(0);
}

static int by_value(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* glibc sorts by merging, in memory that it first asks the system about. */
static void sort_a_long_list(int out)
{
	const size_t n = 1u << 20;
	int *list = calloc(n, sizeof(*list));

	(void)out;
	if (!list)
		_exit(1);
	for (size_t i = 0; i < n; i++)
		list[i] = (int)((i * 7919u) % n);
	qsort(list, n, sizeof(*list), by_value);
	_exit(list[0] == 0 && list[n - 1] == (int)n - 1 ? 0 : 2);
}

static void open_socket(int out)
{
	(void)out;
	socket(AF_INET, SOCK_STREAM, 0);
}

static void open_datagram_socket(int out)
{
	(void)out;
	socket(AF_INET, SOCK_DGRAM, 0);
}

static void open_file(int out)
{
	(void)out;
	open("/etc/passwd", O_RDONLY);
}

static void run_program(int out)
{
	char *argv[] = { (char[]){ "true" }, NULL };

	(void)out;
	execv("/bin/true", argv);
}

static void trace(int out)
{
	(void)out;
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static void start_process(int out)
{
	(void)out;
	fork();
}

static void other_setsockopt(int out)
{
	int one = 1;

	setsockopt(out, 6, 1, &one, sizeof(one)); /* not SOL_SOCKET */
}

/* Of the same user, root's other processes too: no capability is asked for. */
static void signal_another(int out)
{
	(void)out;
	(void)syscall(SYS_tgkill, test_pid, test_pid, 0);
}

static void end_by_abort(int out)
{
	(void)out;
	abort();
}

/* With F_SETSIG the kernel sends any signal, in the name of whoever owns the descriptor. */
static void let_kernel_signal(int out)
{
	(void)fcntl(out, F_SETOWN, (int)test_pid);
}

static void copy_descriptor(int out)
{
	(void)fcntl(out, F_DUPFD, 100);
}

static void test_work_goes_on(void **state)
{
	struct sandbox_config c = { 0 };

	(void)state;
	assert_int_equal(in_sandbox(&c, work, NULL, 0), 0);
	assert_int_equal(in_sandbox(&c, sort_a_long_list, NULL, 0), 0);
}

static void test_rights_are_gone(void **state)
{
	struct sandbox_config c = { 0 };
	char text[4096];

	(void)state;
	int fds[2], status;
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct err err = ERR_INIT;
		struct sandbox_state s;

		alarm(CHILD_LIMIT_S);
		status_fd = open("/proc/self/status", O_RDONLY);
		if (status_fd < 0 || sandbox_enter(&c, &s, &err) < 0 || !s.seccomp)
			_exit(100);
		say_status(fds[1]);
	}
	close(fds[1]);
	size_t n = 0;
	ssize_t k;
	while ((k = read(fds[0], text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)k;
	text[n] = 0;
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_non_null(strstr(text, "CapEff:\t0000000000000000\n"));
	assert_non_null(strstr(text, "CapPrm:\t0000000000000000\n"));
	assert_non_null(strstr(text, "NoNewPrivs:\t1\n"));
	assert_non_null(strstr(text, "Seccomp:\t2\n"));
}

static void test_forbidden_calls_kill(void **state)
{
	static const struct {
		const char *what;
		void (*fn)(int out);
	} calls[] = {
		{ "socket", open_socket }, { "open", open_file },
		{ "exec", run_program },   { "ptrace", trace },
		{ "fork", start_process }, { "setsockopt", other_setsockopt },
		{ "a signal to another", signal_another },
		{ "a signal by the kernel", let_kernel_signal },
		{ "another number for a descriptor", copy_descriptor },
	};
	struct sandbox_config c = { 0 };

	(void)state;
	test_pid = getpid();
	assert_int_equal(in_sandbox(&c, work, NULL, 0), 0);
	int aborted = in_sandbox(&c, end_by_abort, NULL, 0);
	assert_true(WIFSIGNALED(aborted) && WTERMSIG(aborted) == SIGABRT);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		int status = in_sandbox(&c, calls[i].fn, NULL, 0);

		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("%s: status %#x, not killed by SIGSYS", calls[i].what,
				 (unsigned)status);
	}
}

static void ask_kernel(int out)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
	struct sockaddr_nl any = { .nl_family = AF_NETLINK };

	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0)
		_exit(1);
	(void)send(fd, "", 0, 0); /* no message: the kernel says so */
	_exit(write(out, "x", 1) == 1 ? 0 : 2);
}

static void look_up(int out)
{
	char link[64];

	if (open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 ||
	    readlink("/proc/self/ns/net", link, sizeof(link)) < 0)
		_exit(1);
	_exit(write(out, "x", 1) == 1 ? 0 : 2);
}

/* Of another process: Landlock would hide it, so it is left out for this right. */
static void look_into_another(int out)
{
	char path[64], link[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)test_pid);
	if (readlink(path, link, sizeof(link)) < 0 || door.landlock)
		_exit(1);
	_exit(write(out, "x", 1) == 1 ? 0 : 2);
}

static void open_to_write(int out)
{
	(void)out;
	open("/dev/null", O_WRONLY);
}

static void make_a_file(int out)
{
	(void)out;
	open("/tmp/podhop-sandbox-none", O_RDONLY | O_CREAT, 0600);
}

static void open_packet_socket(int out)
{
	(void)out;
	socket(AF_PACKET, SOCK_RAW, 0);
}

static void code_in_memory(int out)
{
	(void)out;
	(void)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void set_option(int out)
{
	int one = 1;

	(void)setsockopt(out, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one));
}

static void set_filter(int out)
{
	(void)setsockopt(out, SOL_SOCKET, SO_ATTACH_FILTER, NULL, 0); /* no socket: said so */
	_exit(errno == ENOTSOCK && write(out, "x", 1) == 1 ? 0 : 1);
}

/* What a need lets through, and what it lets through no more than any other. */
static void test_needs(void **state)
{
	static const struct {
		const char *what;
		unsigned needs;
		void (*fn)(int out);
		bool killed;
		unsigned rights;
	} calls[] = {
		{ "netlink", SANDBOX_ASK_KERNEL, ask_kernel, false, 0 },
		{ "netlink without the need", SANDBOX_RINGS, ask_kernel, true, 0 },
		{ "a socket's options", SANDBOX_RINGS, set_option, true, 0 },
		{ "a socket's filter", SANDBOX_RINGS, set_filter, false, 0 },
		{ "reading", SANDBOX_LOOK_UP, look_up, false, 0 },
		{ "reading without the need", SANDBOX_RINGS | SANDBOX_SCREEN, look_up, true, 0 },
		{ "another process", SANDBOX_LOOK_UP, look_into_another, false,
		  SANDBOX_RIGHT_PTRACE },
		{ "writing", SANDBOX_LOOK_UP | SANDBOX_ASK_KERNEL, open_to_write, true, 0 },
		{ "making", SANDBOX_LOOK_UP | SANDBOX_ASK_KERNEL, make_a_file, true, 0 },
		{ "stream socket", SANDBOX_LOOK_UP | SANDBOX_ASK_KERNEL, open_socket, true, 0 },
		{ "datagram socket", SANDBOX_LOOK_UP | SANDBOX_ASK_KERNEL | SANDBOX_OPEN_RINGS,
		  open_datagram_socket, true, 0 },
		{ "packet socket", SANDBOX_LOOK_UP | SANDBOX_ASK_KERNEL,
		  open_packet_socket, true, 0 },
		{ "code", ~(unsigned)SANDBOX_NAMES, code_in_memory, true, 0 },
		{ "program", ~(unsigned)SANDBOX_NAMES, run_program, true, 0 },
	};

	(void)state;
	test_pid = getpid();
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		struct sandbox_config c = { .needs = calls[i].needs,
					    .rights = calls[i].rights };
		int status = in_sandbox(&c, calls[i].fn, NULL, 0);

		if (calls[i].killed ? !WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS
				    : status != 0)
			fail_msg("%s: status %#x", calls[i].what, (unsigned)status);
	}
}

/* What is read only: written to in each way that there is. */
static int only_read = -1, other_end = -1;

static void read_it(int out)
{
	char byte;

	if (read(only_read, &byte, 1) != 1 || write(out, "x", 1) != 1)
		_exit(1);
}

static void write_it(int out)
{
	(void)out;
	(void)!write(only_read, "x", 1);
}

/* The kernel looks at the lower half of the register, so both halves are as good as one. */
static void write_wide(int out)
{
	(void)out;
	(void)syscall(SYS_write, (uint64_t)only_read | UINT64_C(1) << 32, "x", 1);
}

static void write_vector(int out)
{
	struct iovec v = { .iov_base = (char[]){ "x" }, .iov_len = 1 };

	(void)out;
	(void)!writev(only_read, &v, 1);
}

static void send_it(int out)
{
	(void)out;
	(void)send(only_read, "x", 1, 0);
}

static void send_message(int out)
{
	struct msghdr m = { 0 };

	(void)out;
	(void)sendmsg(only_read, &m, 0);
}

/* A packet socket puts on the wire what is written to it, and asks for no right then. */
static void test_read_only_sockets(void **state)
{
	static void (*const ways[])(int out) = {
		write_it, write_wide, write_vector, send_it, send_message,
	};
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	only_read = pair[0];
	other_end = pair[1];
	/* Not the only one, nor the first. */
	int list[] = { 1000, only_read };
	struct sandbox_config c = { .needs = SANDBOX_RINGS | SANDBOX_ASK_KERNEL,
				    .only_read = list, .n_only_read = 2 };
	assert_int_equal(write(other_end, "x", 1), 1);
	assert_int_equal(in_sandbox(&c, read_it, NULL, 0), 0);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		int status = in_sandbox(&c, ways[i], NULL, 0);

		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("way %zu: status %#x", i, (unsigned)status);
	}
	close(only_read);
	close(other_end);
}

static void look_up_names(int out)
{
	struct err err = ERR_INIT;

	if (!getservbyname("domain", "udp") || socket(AF_INET, SOCK_STREAM, 0) >= 0)
		_exit(1);
	if (door.landlock && (open("/etc/passwd", O_RDONLY) >= 0 || errno != EACCES))
		_exit(2);
	if (sandbox_tighten(0, false, &err) < 0 || write(out, "tight", 5) != 5)
		_exit(3);
	(void)getservbyname("domain", "udp");
}

static void test_names_until_tightened(void **state)
{
	struct sandbox_config c = { .needs = SANDBOX_NAMES };
	char text[16] = "";
	int status;

	(void)state;
	status = in_sandbox(&c, look_up_names, text, sizeof(text));
	assert_string_equal(text, "tight");
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

static char write_dir[] = "/tmp/podhop-sandbox-XXXXXX";

static void write_inside(int out)
{
	char path[64];
	int fd, other;

	snprintf(path, sizeof(path), "%s/f", write_dir);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	other = open("/etc/passwd", O_RDONLY);
	if (fd < 0)
		_exit(1);
	/* Where the kernel has Landlock nothing outside can be read, else all that root may. */
	if ((other < 0 && errno == EACCES) != door.landlock)
		_exit(2);
	if (write(out, "done", 4) != 4)
		_exit(3);
}

static void test_only_the_directory_stays_open(void **state)
{
	struct sandbox_config c = { .write_dir = write_dir };
	char text[16] = "", path[64];

	(void)state;
	assert_non_null(mkdtemp(write_dir));
	assert_int_equal(in_sandbox(&c, write_inside, text, sizeof(text)), 0);
	snprintf(path, sizeof(path), "%s/f", write_dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(write_dir), 0);
	assert_string_equal(text, "done");
}

static char read_dir[] = "/tmp/podhop-sandbox-read-XXXXXX", to_be_kept[64];

static void cut_outside(int out)
{
	char path[64];

	if (open(to_be_kept, O_RDONLY | O_TRUNC) >= 0 || errno != EACCES)
		_exit(1);
	snprintf(path, sizeof(path), "%s/f", write_dir);
	if (open(path, O_WRONLY | O_CREAT, 0600) < 0 || open(path, O_WRONLY | O_TRUNC) < 0 ||
	    unlink(path) < 0)
		_exit(2);
	if (write(out, "done", 4) != 4)
		_exit(3);
}

/* --follow with a rotation may read everywhere: to cut a file is not to read it. */
static void test_nothing_outside_is_cut(void **state)
{
	struct sandbox_config c = { .write_dir = write_dir, .needs = SANDBOX_LOOK_UP };
	char text[16] = "";
	struct stat st;
	int fd;

	(void)state;
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, 1u) < 3) {
		print_message("skipped: this kernel's Landlock has no right to truncate\n");
		skip();
	}
	strcpy(write_dir + strlen(write_dir) - 6, "XXXXXX");
	assert_non_null(mkdtemp(write_dir));
	assert_non_null(mkdtemp(read_dir));
	snprintf(to_be_kept, sizeof(to_be_kept), "%s/kept", read_dir);
	fd = open(to_be_kept, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(in_sandbox(&c, cut_outside, text, sizeof(text)), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 1);
	close(fd);
	assert_int_equal(unlink(to_be_kept), 0);
	assert_int_equal(rmdir(read_dir), 0);
	assert_int_equal(rmdir(write_dir), 0);
	assert_string_equal(text, "done");
}

/*
 * Enters in a child. What it says: the sentence of a failure, else "entered" and the process's
 * status.
 */
static const char *entered_with(const struct entry *e)
{
	static char text[8192];
	size_t n = 0;
	ssize_t k;
	int fds[2];
	pid_t pid;

	count(e);
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct err err = ERR_INIT;
		struct sandbox_state s;

		alarm(CHILD_LIMIT_S);
		status_fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
		if (status_fd < 0 || !prepare(e))
			_exit(1);
		if (sandbox_enter(e->config, &s, &err) < 0) {
			k = write(fds[1], err.text, strlen(err.text));
			_exit(k > 0 ? 0 : 1);
		}
		k = write(fds[1], "entered\n", 8);
		say_status(fds[1]);
	}
	close(fds[1]);
	while ((k = read(fds[0], text + n, sizeof(text) - 1 - n)) > 0)
		n += (size_t)k;
	text[n] = '\0';
	close(fds[0]);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return text;
}

static const char *entered(const struct sandbox_config *config, uid_t uid)
{
	return entered_with(&(struct entry){ .config = config, .uid = uid });
}

static void test_unknown_user(void **state)
{
	struct sandbox_config c = { .user = "no-such-user-podhop" };

	(void)state;
	assert_string_equal(entered(&c, 0), "-Z no-such-user-podhop: there is no such user");
}

/* Another user, and none of root's groups; of the rights those that are to be kept, no more. */
static void test_user(void **state)
{
	struct sandbox_config c = { .user = "nobody" };
	const char *text;

	(void)state;
	if (geteuid() != 0)
		skip();
	text = entered(&c, 0);
	assert_non_null(strstr(text, "entered"));
	assert_non_null(strstr(text, "\nUid:\t65534\t65534\t65534\t65534\n"));
	assert_non_null(strstr(text, "\nGid:\t65534\t65534\t65534\t65534\n"));
	assert_non_null(strstr(text, "\nGroups:\t65534 \n"));
	assert_non_null(strstr(text, "\nCapPrm:\t0000000000000000\n"));
	assert_non_null(strstr(text, "\nCapBnd:\t0000000000000000\n"));
	c.rights = SANDBOX_RIGHT_NET_RAW | SANDBOX_RIGHT_NET_ADMIN;
	text = entered(&c, 0);
	assert_non_null(strstr(text, "\nUid:\t65534\t"));
	assert_non_null(strstr(text, "\nCapPrm:\t0000000000003000\n"));
	assert_non_null(strstr(text, "\nCapEff:\t0000000000003000\n"));
	/* Who is that user already changes nothing, and gets no right that is not there. */
	text = entered(&c, 65534);
	assert_non_null(strstr(text, "entered"));
	assert_non_null(strstr(text, "\nCapPrm:\t0000000000000000\n"));
	/* Nor may everybody become somebody else. */
	c.user = "root";
	assert_string_equal(entered(&c, 65534), "-Z root: Operation not permitted");
}

/* A directory that is not there: nothing would be written, and the run ends before it begins. */
static void test_no_directory(void **state)
{
	struct sandbox_config c = { .write_dir = "/no/such/directory" };
	const char *text = entered(&c, 0);

	(void)state;
	if (!strstr(text, "entered")) /* the kernel has Landlock */
		assert_string_equal(text,
				    "landlock: /no/such/directory: No such file or directory");
}

/* No step that the system refuses is passed over: the run ends, and says at which. */
static void test_refused_steps(void **state)
{
#define CALL(name) SCMP_SYS(name), EPERM, false, { 0 }
#define PRCTL(what) SCMP_SYS(prctl), EPERM, true, { 0, SCMP_CMP_EQ, (what), 0 }
#define WITH_ATTR { 0, SCMP_CMP_NE, 0, 0 } /* not the question after its version */
	static const struct {
		struct refusal refusal;
		struct sandbox_config config;
		const char *text;
	} cases[] = {
		{ { CALL(capget) }, { 0 }, "reading capabilities failed" },
		{ { PRCTL(PR_CAPBSET_DROP) }, { 0 }, "the bounding set: Operation not permitted" },
		{ { CALL(capset) }, { 0 }, "dropping capabilities failed" },
		{ { PRCTL(PR_SET_NO_NEW_PRIVS) }, { 0 }, "no_new_privs: Operation not permitted" },
		{ { PRCTL(PR_SET_KEEPCAPS) },
		  { .user = "nobody", .rights = SANDBOX_RIGHT_NET_RAW },
		  "-Z nobody: Operation not permitted" },
		{ { CALL(setgroups) }, { .user = "nobody" }, "-Z nobody: Operation not permitted" },
		{ { CALL(setresgid) }, { .user = "nobody" }, "-Z nobody: Operation not permitted" },
		{ { CALL(setresuid) }, { .user = "nobody" }, "-Z nobody: Operation not permitted" },
		{ { SCMP_SYS(landlock_create_ruleset), EPERM, true, WITH_ATTR }, { 0 },
		  "landlock: Operation not permitted" },
		{ { CALL(landlock_add_rule) }, { .needs = SANDBOX_LOOK_UP },
		  "landlock: /: Operation not permitted" },
		{ { CALL(landlock_add_rule) }, { .needs = SANDBOX_NAMES },
		  "landlock: /etc/services: Operation not permitted" },
		{ { CALL(landlock_add_rule) }, { .write_dir = "/tmp" },
		  "landlock: /tmp: Operation not permitted" },
		{ { CALL(landlock_restrict_self) }, { 0 }, "landlock: Operation not permitted" },
		/* A kernel without Landlock is no fault. */
		{ { SCMP_SYS(landlock_create_ruleset), ENOSYS, false, { 0 } }, { 0 }, "entered" },
	};
	bool landlock;

	(void)state;
	if (geteuid() != 0)
		skip();
	landlock = syscall(SYS_landlock_create_ruleset, NULL, 0, 1u) >= 1;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct entry e = { .config = &cases[i].config,
					 .refusal = &cases[i].refusal };
		const char *text = entered_with(&e);

		if (!landlock && strncmp(cases[i].text, "landlock", strlen("landlock")) == 0)
			continue;
		if (strncmp(text, cases[i].text, strlen(cases[i].text)) != 0)
			fail_msg("case %zu: %.80s\n  wanted: %s", i, text, cases[i].text);
	}
}

/* Where no filter of calls can be loaded, nothing goes on either. */
static void test_no_seccomp(void **state)
{
	static const struct refusal refusals[] = {
		{ SCMP_SYS(seccomp), EPERM, true, { 0, SCMP_CMP_EQ, 1 /* a filter */, 0 } },
	};
	static const int fd = 0;
	const struct sandbox_config c[] = { { 0 }, { .only_read = &fd, .n_only_read = 1 } };

	(void)state;
	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < 2; i++)
		assert_string_equal(entered_with(&(struct entry){ .config = &c[i],
								  .refusal = refusals }),
				    "seccomp: the system takes no filter of calls");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_work_goes_on),
		cmocka_unit_test(test_only_the_directory_stays_open),
		cmocka_unit_test(test_nothing_outside_is_cut),
		cmocka_unit_test(test_unknown_user),
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_no_directory),
		cmocka_unit_test(test_refused_steps),
		/* from here on: calls that kill, and what loads the filter that does */
		cmocka_unit_test(test_no_seccomp),
		cmocka_unit_test(test_rights_are_gone),
		cmocka_unit_test(test_forbidden_calls_kill),
		cmocka_unit_test(test_needs),
		cmocka_unit_test(test_read_only_sockets),
		cmocka_unit_test(test_names_until_tightened),
	};
	const size_t all = sizeof(tests) / sizeof(tests[0]), unlimited = 6;

	return _cmocka_run_group_tests("sandbox", tests, SANITIZED ? unlimited : all, NULL, NULL);
}
