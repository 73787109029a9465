/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcpstream.c - TCP traffic whose every byte says where in the stream it belongs.
 *
 * Theory of operation
 *
 * A stream is a sequence of big-endian 64-bit words; the word at stream offset o
 * (o a multiple of 8) has the value tag << 48 | o. Whoever sees any 15 bytes of it
 * knows which bytes they are, whatever was segmented, merged or translated on the
 * way. The tag (16 bits) tells streams apart: 0 for what a client sends and 0x8000
 * for what a server sends, unless -t says otherwise.
 *
 * Both ends run the same loop: write what is still to be written in the sizes of the
 * chunk pattern, verify what arrives, shut down the sending side at its end, finish at
 * the peer's. A server says "ready PORT" once it listens, so a script can wait for that
 * line instead of sleeping.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WORD 8
#define BUF_BYTES (256u << 10)	/* as much as one write may pass to the kernel */
#define CHUNKS_MAX 32
#define OFFSET_MASK ((UINT64_C(1) << 48) - 1)
#define CONNECT_TRIES 200u
#define CONNECT_PAUSE_US 5000u
#define SERVER_TAG 0x8000u

struct options {
	bool server;
	int family;		/* AF_UNSPEC, AF_INET, AF_INET6 */
	const char *addr;	/* where to: client; where to listen, or NULL: server */
	const char *port;
	const char *source_port;
	uint64_t send_bytes;
	int64_t expect_bytes;	/* -1: anything */
	unsigned tag;
	int mss;		/* 0: the kernel's */
	bool nodelay, keepalive;
	int sndbuf;		/* 0: the kernel's */
	unsigned rate;		/* bytes a second, 0: no limit */
	size_t chunks[CHUNKS_MAX];
	unsigned n_chunks;
	unsigned pause_us;	/* between chunks */
	unsigned connections;
	int timeout_s;
	int64_t first_seq;	/* client's initial sequence number; -1: the kernel's */
};

struct stream {
	int fd;
	uint64_t sent, received;
	uint8_t peer_tag[2];	/* the stream's own first two bytes */
	bool sending_done, receiving_done;
	unsigned next_chunk;
	size_t chunk_left;	/* of the write under way */
};

static void fail(const char *what)
{
	fprintf(stderr, "tcpstream: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Fills buf with the stream's bytes from offset on; buf has room for len + 2 words. */
static const uint8_t *pattern(uint8_t *buf, unsigned tag, uint64_t offset, size_t len)
{
	size_t skip = offset % WORD, n = (skip + len + WORD - 1) / WORD;
	uint64_t value = (uint64_t)tag << 48 | ((offset - skip) & OFFSET_MASK);

	for (size_t i = 0; i < n; i++, value += WORD) {
		uint64_t be = htobe64(value);

		memcpy(buf + i * WORD, &be, WORD);
	}
	return buf + skip;
}

static int send_some(struct stream *s, const struct options *o, uint8_t *scratch)
{
	uint64_t left = o->send_bytes - s->sent;
	const uint8_t *bytes;
	size_t want;
	ssize_t n;

	if (s->chunk_left == 0) {
		s->chunk_left = o->chunks[s->next_chunk];
		s->next_chunk = (s->next_chunk + 1) % o->n_chunks;
	}
	want = s->chunk_left < left ? s->chunk_left : (size_t)left;
	bytes = pattern(scratch, o->tag, s->sent, want);
	n = send(s->fd, bytes, want, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	s->sent += (uint64_t)n;
	s->chunk_left -= (size_t)n < s->chunk_left ? (size_t)n : s->chunk_left;
	if (o->pause_us > 0 && s->chunk_left == 0)
		usleep(o->pause_us);
	return 0;
}

/* 1: verified, 0: nothing there, -1: error, -2: the bytes are not the stream's. */
static int receive_some(struct stream *s, uint8_t *in, uint8_t *scratch)
{
	ssize_t n = recv(s->fd, in, BUF_BYTES, 0);
	unsigned tag;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	if (n == 0) {
		s->receiving_done = true;
		return 0;
	}
	for (uint64_t i = s->received; i < 2 && i < s->received + (uint64_t)n; i++)
		s->peer_tag[i] = in[i - s->received];
	tag = (unsigned)(s->peer_tag[0] << 8 | s->peer_tag[1]);
	if (memcmp(in, pattern(scratch, tag, s->received, (size_t)n), (size_t)n) != 0) {
		fprintf(stderr, "tcpstream: wrong bytes after offset %" PRIu64 "\n", s->received);
		return -2;
	}
	s->received += (uint64_t)n;
	return 1;
}

static int transfer(int fd, const struct options *o)
{
	static uint8_t in[BUF_BYTES], scratch[BUF_BYTES + 2 * WORD];
	struct stream s = { .fd = fd };
	uint64_t start = now_ns();
	struct pollfd p = { .fd = fd };
	int rc;

	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		fail("O_NONBLOCK");
	while (!s.sending_done || !s.receiving_done) {
		if (!s.sending_done && s.sent == o->send_bytes) {
			s.sending_done = true;
			if (shutdown(fd, SHUT_WR) < 0)
				fail("shutdown");
			continue;
		}
		p.events = (short)((s.sending_done ? 0 : POLLOUT) |
				   (s.receiving_done ? 0 : POLLIN));
		rc = poll(&p, 1, o->timeout_s * 1000);
		if (rc == 0) {
			fprintf(stderr, "tcpstream: nothing moved for %d s (sent %" PRIu64
				", received %" PRIu64 ")\n", o->timeout_s, s.sent, s.received);
			return 1;
		}
		if (rc < 0 && errno != EINTR)
			fail("poll");
		if (rc < 0)
			continue;
		if ((p.revents & (POLLIN | POLLHUP | POLLERR)) && !s.receiving_done) {
			rc = receive_some(&s, in, scratch);
			if (rc == -1)
				fail("receive");
			if (rc == -2)
				return 1;
		}
		if ((p.revents & POLLOUT) && !s.sending_done && send_some(&s, o, scratch) < 0)
			fail("send");
	}
	printf("sent=%" PRIu64 " received=%" PRIu64 " seconds=%.3f\n", s.sent, s.received,
	       (double)(now_ns() - start) / 1e9);
	fflush(stdout);
	if (o->expect_bytes >= 0 && s.received != (uint64_t)o->expect_bytes) {
		fprintf(stderr, "tcpstream: %" PRIu64 " bytes received, %" PRId64 " expected\n",
			s.received, o->expect_bytes);
		return 1;
	}
	return 0;
}

static struct addrinfo *look_up(const struct options *o, const char *addr, const char *port)
{
	struct addrinfo hints = { .ai_family = o->family, .ai_socktype = SOCK_STREAM,
				  .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV };
	struct addrinfo *ai;
	int rc = getaddrinfo(addr, port, &hints, &ai);

	if (rc != 0) {
		fprintf(stderr, "tcpstream: %s port %s: %s\n", addr ? addr : "any", port,
			gai_strerror(rc));
		exit(2);
	}
	return ai;
}

static void set_int(int fd, int level, int name, int value, const char *what)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)) < 0)
		fail(what);
}

static int open_socket(const struct options *o, int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		fail("socket");
	set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
	if (o->mss > 0)
		set_int(fd, IPPROTO_TCP, TCP_MAXSEG, o->mss, "TCP_MAXSEG");
	if (o->nodelay)
		set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
	if (o->keepalive) {
		set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1, "SO_KEEPALIVE");
		set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, 1, "TCP_KEEPIDLE");
		set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, 1, "TCP_KEEPINTVL");
	}
	if (o->sndbuf > 0)
		set_int(fd, SOL_SOCKET, SO_SNDBUF, o->sndbuf, "SO_SNDBUF");
	/* An accepted connection inherits all of these from its listener. */
	if (o->rate > 0)
		set_int(fd, SOL_SOCKET, SO_MAX_PACING_RATE, (int)o->rate, "SO_MAX_PACING_RATE");
	return fd;
}

static int run_server(const struct options *o)
{
	struct addrinfo *ai = look_up(o, o->addr, o->port);
	int fd = open_socket(o, ai->ai_family), status = 0;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0)
		fail("bind");
	freeaddrinfo(ai);
	if (listen(fd, 64) < 0)
		fail("listen");
	printf("ready %s\n", o->port);
	fflush(stdout);
	for (unsigned i = 0; i < o->connections; i++) {
		int conn;

		if (poll(&p, 1, o->timeout_s * 1000) == 0) {
			fprintf(stderr, "tcpstream: no connection within %d s\n", o->timeout_s);
			return 1;
		}
		conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
		if (conn < 0)
			fail("accept");
		status |= transfer(conn, o);
		close(conn);
	}
	close(fd);
	return status;
}

/*
 * The sequence number of the SYN: tcp_v4_connect() keeps one that a socket under repair was
 * given. 0 means none to it.
 */
static void begin_at(int fd, uint32_t seq)
{
	set_int(fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_ON, "TCP_REPAIR");
	set_int(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, TCP_SEND_QUEUE, "TCP_REPAIR_QUEUE");
	set_int(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, (int)seq, "TCP_QUEUE_SEQ");
	set_int(fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP, "TCP_REPAIR");
}

/* A port that is used again is not free before the connection before it has ended on both sides. */
static void connect_to(int fd, const struct addrinfo *ai)
{
	unsigned tries = 0;

	while (connect(fd, ai->ai_addr, ai->ai_addrlen) < 0) {
		if (errno != EADDRNOTAVAIL || ++tries == CONNECT_TRIES)
			fail("connect");
		usleep(CONNECT_PAUSE_US);
	}
}

static int run_client(const struct options *o)
{
	struct addrinfo *ai = look_up(o, o->addr, o->port);
	int status = 0;

	for (unsigned i = 0; i < o->connections; i++) {
		int fd = open_socket(o, ai->ai_family);

		if (o->source_port) {
			struct options any = *o;
			struct addrinfo *from;

			any.family = ai->ai_family;
			from = look_up(&any, NULL, o->source_port);
			if (bind(fd, from->ai_addr, from->ai_addrlen) < 0)
				fail("bind");
			freeaddrinfo(from);
		}
		if (o->first_seq >= 0)
			begin_at(fd, (uint32_t)o->first_seq);
		connect_to(fd, ai);
		status |= transfer(fd, o);
		close(fd);
	}
	freeaddrinfo(ai);
	return status;
}

static void usage(FILE *to)
{
	fputs("usage: tcpstream server [options] [ADDRESS]\n"
	      "       tcpstream client [options] ADDRESS\n"
	      "  -p PORT   port (5201)\n"
	      "  -n BYTES  bytes this end sends (client 1000000, server 0); K, M, G allowed\n"
	      "  -e BYTES  bytes that must arrive from the other end, else exit 1\n"
	      "  -c SIZES  sizes of the writes, a comma list used in turn (65536)\n"
	      "  -d        TCP_NODELAY\n"
	      "  -i USEC   pause between writes\n"
	      "  -k N      connections, one after another (1)\n"
	      "  -K        keepalives when nothing was sent for a second\n"
	      "  -m MSS    TCP_MAXSEG\n"
	      "  -P PORT   source port of the client\n"
	      "  -q SEQ    initial sequence number of the client (needs CAP_NET_ADMIN)\n"
	      "  -r BYTES  a second at most (the kernel paces), below 2G\n"
	      "  -s BYTES  SO_SNDBUF\n"
	      "  -t TAG    upper 16 bits of each word (client 0, server 0x8000)\n"
	      "  -w SEC    give up when nothing moves for so long (30)\n"
	      "  -4, -6    family\n", to);
}

static uint64_t parse_bytes(const char *s)
{
	char *end;
	uint64_t v;

	errno = 0;
	v = strtoull(s, &end, 0);
	switch (*end) {
	case 'K':
		v *= 1000, end++;
		break;
	case 'M':
		v *= 1000000, end++;
		break;
	case 'G':
		v *= 1000000000, end++;
		break;
	}
	if (errno || end == s || *end != '\0') {
		fprintf(stderr, "tcpstream: '%s' is no number\n", s);
		exit(2);
	}
	return v;
}

static void parse_chunks(struct options *o, char *list)
{
	char *save = NULL;

	o->n_chunks = 0;
	for (char *t = strtok_r(list, ",", &save); t; t = strtok_r(NULL, ",", &save)) {
		uint64_t v = parse_bytes(t);

		if (o->n_chunks == CHUNKS_MAX || v == 0 || v > BUF_BYTES) {
			fprintf(stderr, "tcpstream: at most %d writes of 1 to %u bytes\n",
				CHUNKS_MAX, BUF_BYTES);
			exit(2);
		}
		o->chunks[o->n_chunks++] = (size_t)v;
	}
	if (o->n_chunks == 0) {
		usage(stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct options o = { .port = "5201", .expect_bytes = -1, .chunks = { 65536 },
			     .n_chunks = 1, .connections = 1, .timeout_s = 30,
			     .first_seq = -1 };
	bool bytes_given = false, tag_given = false;
	int c;

	if (argc < 2 || (strcmp(argv[1], "server") != 0 && strcmp(argv[1], "client") != 0)) {
		usage(stderr);
		return 2;
	}
	o.server = strcmp(argv[1], "server") == 0;
	optind = 2;
	while ((c = getopt(argc, argv, "46c:de:hi:k:Km:n:p:P:q:r:s:t:w:")) != -1) {
		switch (c) {
		case '4':
			o.family = AF_INET;
			break;
		case '6':
			o.family = AF_INET6;
			break;
		case 'c':
			parse_chunks(&o, optarg);
			break;
		case 'd':
			o.nodelay = true;
			break;
		case 'e':
			o.expect_bytes = (int64_t)parse_bytes(optarg);
			break;
		case 'h':
			usage(stdout);
			return 0;
		case 'i':
			o.pause_us = (unsigned)parse_bytes(optarg);
			break;
		case 'k':
			o.connections = (unsigned)parse_bytes(optarg);
			break;
		case 'K':
			o.keepalive = true;
			break;
		case 'm':
			o.mss = (int)parse_bytes(optarg);
			break;
		case 'n':
			o.send_bytes = parse_bytes(optarg);
			bytes_given = true;
			break;
		case 'p':
			o.port = optarg;
			break;
		case 'P':
			o.source_port = optarg;
			break;
		case 'q':
			o.first_seq = (int64_t)(parse_bytes(optarg) & UINT32_MAX);
			break;
		case 'r':
			o.rate = (unsigned)parse_bytes(optarg) & 0x7fffffff;
			break;
		case 's':
			o.sndbuf = (int)parse_bytes(optarg);
			break;
		case 't':
			o.tag = (unsigned)parse_bytes(optarg) & 0xffff;
			tag_given = true;
			break;
		case 'w':
			o.timeout_s = (int)parse_bytes(optarg);
			break;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (!bytes_given)
		o.send_bytes = o.server ? 0 : 1000000;
	if (!tag_given && o.server)
		o.tag = SERVER_TAG;
	if (optind < argc)
		o.addr = argv[optind];
	if (argc - optind > 1 || (!o.server && !o.addr)) {
		usage(stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	return o.server ? run_server(&o) : run_client(&o);
}
