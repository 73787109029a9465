/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_kernel.h - the other end of netlink sockets, played by the test.
 *
 * The C library's calls are replaced in the test program: libnl and podhop run as they are, on
 * bytes as the kernel sends them. What is asked goes to kernel.answer, which queues messages with
 * reply_begin() to reply_end(), or errors. A call that finds nothing queued gives EAGAIN, as a
 * socket whose patience is at its end does.
 *
 * fstatfs() calls a regular file with the sticky bit a network namespace. To be included behind
 * cmocka's headers, once a program.
 */
#ifndef TESTS_FAKE_KERNEL_H
#define TESTS_FAKE_KERNEL_H

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KERNEL_FDS 256
#define KERNEL_QUEUE 1024
#define KERNEL_MESSAGE 16384
#define KERNEL_BYTES (1u << 20) /* of all messages queued: a test's allocations may fail */

struct kernel_message {
	size_t at, len; /* in kernel.bytes */
	int error; /* of the call that would receive it; 0: none */
};

static struct {
	void (*answer)(const struct nlmsghdr *request);
	unsigned asked; /* requests */
	int no_socket, no_bind, no_send; /* errno of these calls; 0: they work */
	int no_option; /* SO_*: setsockopt() of it gives EPERM */
	bool is_netlink[KERNEL_FDS];
	struct kernel_message queue[KERNEL_QUEUE];
	unsigned head, tail;
	size_t used;
	uint8_t bytes[KERNEL_BYTES];
	uint32_t seq, port; /* of the question that is answered */
} kernel;

/* The message that is written at present. */
static struct {
	_Alignas(struct nlmsghdr) uint8_t b[KERNEL_MESSAGE];
	size_t n;
} kernel_reply;

static inline void kernel_queue(const void *bytes, size_t len, int error)
{
	if (kernel.head == kernel.tail)
		kernel.used = 0;
	assert_true(kernel.tail - kernel.head < KERNEL_QUEUE);
	assert_true(len <= KERNEL_BYTES - kernel.used);
	kernel.queue[kernel.tail++ % KERNEL_QUEUE] =
		(struct kernel_message){ .at = kernel.used, .len = len, .error = error };
	if (len)
		memcpy(kernel.bytes + kernel.used, bytes, len);
	kernel.used += len;
}

/* The receiving call fails once with that errno. */
static inline void reply_fault(int error)
{
	kernel_queue(NULL, 0, error);
}

static inline void reply_put(const void *bytes, size_t n)
{
	assert_true(n + 3 <= sizeof(kernel_reply.b) - kernel_reply.n);
	if (n)
		memcpy(kernel_reply.b + kernel_reply.n, bytes, n);
	kernel_reply.n += n;
	while (kernel_reply.n & 3)
		kernel_reply.b[kernel_reply.n++] = 0;
}

static inline void reply_begin(int type, int flags, const void *header, size_t n)
{
	struct nlmsghdr h = { .nlmsg_type = (uint16_t)type,
			      .nlmsg_flags = (uint16_t)flags,
			      .nlmsg_seq = kernel.seq,
			      .nlmsg_pid = kernel.port };

	kernel_reply.n = 0;
	reply_put(&h, sizeof(h));
	reply_put(header, n);
}

static inline void reply_attr(int type, const void *value, size_t n)
{
	struct nlattr a = { .nla_type = (uint16_t)type, .nla_len = (uint16_t)(sizeof(a) + n) };

	reply_put(&a, sizeof(a));
	reply_put(value, n);
}

static inline void reply_u32(int type, uint32_t v)
{
	reply_attr(type, &v, sizeof(v));
}

/* An attribute that holds others: what is put until reply_close(). */
static inline size_t reply_open(int type)
{
	size_t at = kernel_reply.n;

	reply_attr(type, NULL, 0);
	return at;
}

static inline void reply_close(size_t at)
{
	uint16_t len = (uint16_t)(kernel_reply.n - at);

	memcpy(kernel_reply.b + at, &len, sizeof(len));
}

static inline void reply_end(void)
{
	uint32_t len = (uint32_t)kernel_reply.n;

	memcpy(kernel_reply.b, &len, sizeof(len));
	kernel_queue(kernel_reply.b, kernel_reply.n, 0);
}

/* NLMSG_ERROR: error is an errno, 0 an acknowledgement. */
static inline void reply_error(int error)
{
	struct nlmsgerr e = { .error = -error };

	reply_begin(NLMSG_ERROR, 0, &e, sizeof(e));
	reply_end();
}

/* The end of a dump; error is an errno or 0. */
static inline void reply_done(int flags, int error)
{
	int code = -error;

	reply_begin(NLMSG_DONE, NLM_F_MULTI | flags, &code, sizeof(code));
	reply_end();
}

static inline void kernel_reset(void)
{
	memset(&kernel, 0, sizeof(kernel));
}

/* The request's attribute behind a header of that size; false when it has none. */
static inline bool request_u32(const struct nlmsghdr *h, size_t header, int type, uint32_t *ret)
{
	const uint8_t *p = (const uint8_t *)h + NLMSG_HDRLEN + NLMSG_ALIGN(header);
	const uint8_t *end = (const uint8_t *)h + h->nlmsg_len;

	while (end - p >= (long)(sizeof(struct nlattr) + sizeof(*ret))) {
		struct nlattr a;

		memcpy(&a, p, sizeof(a));
		if ((a.nla_type & NLA_TYPE_MASK) == type) {
			memcpy(ret, p + sizeof(a), sizeof(*ret));
			return true;
		}
		p += NLA_ALIGN(a.nla_len);
	}
	return false;
}

/* --------------------------------------------------- the C library's calls */

static inline bool kernel_has(int fd)
{
	return fd >= 0 && fd < KERNEL_FDS && kernel.is_netlink[fd];
}

static inline int kernel_fails(int error)
{
	errno = error;
	return error ? -1 : 0;
}

int socket(int domain, int type, int protocol)
{
	int fd;

	if (domain != AF_NETLINK)
		return (int)syscall(SYS_socket, domain, type, protocol);
	if (kernel.no_socket)
		return kernel_fails(kernel.no_socket);
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_in_range(fd, 0, KERNEL_FDS - 1);
	kernel.is_netlink[fd] = true;
	return fd;
}

/* The C library's headers declare addresses as a union of all kinds of pointers to them. */
int bind(int fd, __CONST_SOCKADDR_ARG address, socklen_t len)
{
	struct sockaddr_nl nl;

	if (!kernel_has(fd))
		return (int)syscall(SYS_bind, fd, address.__sockaddr__, len);
	if (kernel.no_bind)
		return kernel_fails(kernel.no_bind);
	memcpy(&nl, address.__sockaddr__, sizeof(nl));
	kernel.port = nl.nl_pid;
	return 0;
}

int getsockname(int fd, __SOCKADDR_ARG address, socklen_t *len)
{
	struct sockaddr_nl nl = { .nl_family = AF_NETLINK, .nl_pid = kernel.port };

	if (!kernel_has(fd))
		return (int)syscall(SYS_getsockname, fd, address.__sockaddr__, len);
	assert_true(*len >= sizeof(nl));
	memcpy(address.__sockaddr__, &nl, sizeof(nl));
	*len = sizeof(nl);
	return 0;
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
	if (!kernel_has(fd))
		return (int)syscall(SYS_setsockopt, fd, level, option, value, len);
	return kernel_fails(kernel.no_option && option == kernel.no_option ? EPERM : 0);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	_Alignas(struct nlmsghdr) uint8_t b[4096];
	struct nlmsghdr h;

	if (!kernel_has(fd))
		return syscall(SYS_sendmsg, fd, m, flags);
	if (kernel.no_send)
		return kernel_fails(kernel.no_send);
	assert_in_range(m->msg_iov[0].iov_len, sizeof(h), sizeof(b));
	memcpy(b, m->msg_iov[0].iov_base, m->msg_iov[0].iov_len);
	memcpy(&h, b, sizeof(h));
	assert_int_equal(h.nlmsg_len, m->msg_iov[0].iov_len);
	kernel.seq = h.nlmsg_seq;
	kernel.asked++;
	if (kernel.answer)
		kernel.answer((const struct nlmsghdr *)(const void *)b);
	return (ssize_t)h.nlmsg_len;
}

ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	const struct sockaddr_nl from = { .nl_family = AF_NETLINK };
	struct kernel_message *q = &kernel.queue[kernel.head % KERNEL_QUEUE];
	size_t n;

	if (!kernel_has(fd))
		return syscall(SYS_recvmsg, fd, m, flags);
	if (kernel.head == kernel.tail)
		return kernel_fails(EAGAIN);
	n = q->len < m->msg_iov[0].iov_len ? q->len : m->msg_iov[0].iov_len;
	if (n)
		memcpy(m->msg_iov[0].iov_base, kernel.bytes + q->at, n);
	memcpy(m->msg_name, &from, sizeof(from));
	m->msg_namelen = sizeof(from);
	m->msg_controllen = 0;
	m->msg_flags = n < q->len ? MSG_TRUNC : 0;
	errno = q->error;
	if (!(flags & MSG_PEEK) || q->error)
		kernel.head++;
	if (errno)
		return -1;
	return (ssize_t)(flags & MSG_TRUNC ? q->len : n);
}

int fstatfs(int fd, struct statfs *ret)
{
	int rc = (int)syscall(SYS_fstatfs, fd, ret);
	struct stat st;

	if (!rc && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & S_ISVTX))
		ret->f_type = NSFS_MAGIC;
	return rc;
}

#endif
