/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * udpecho.c - numbered UDP requests and their replies.
 *
 * A request is a big-endian 64-bit number, counting from 1 (or -b), and filler made
 * from it. The server sends the same bytes back with the number's top bit set, so that
 * a request and its reply never look alike. The client waits for each reply before the
 * next request (-o: does not wait), verifies it, and prints how many came and how long
 * they took.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DATAGRAM_MAX 65507
#define NUMBER 8
#define REPLY_BIT (UINT64_C(1) << 63)

struct options {
	int family;
	const char *addr, *port, *source_port;
	uint64_t count, first;
	size_t size_min, size_max;
	bool one_way, set_df, equal, options;
	unsigned pause_us;
	int timeout_ms;
	int ttl;	/* 0: the kernel's */
};

static void fail(const char *what)
{
	fprintf(stderr, "udpecho: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Filler that differs from one number to the next, so that equal payloads are rare. */
static void fill(uint8_t *buf, size_t len, uint64_t number)
{
	uint64_t be = htobe64(number), x = number * UINT64_C(0x9e3779b97f4a7c15) + 1;

	memcpy(buf, &be, NUMBER);
	for (size_t i = NUMBER; i < len; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		buf[i] = (uint8_t)x;
	}
}

static struct addrinfo *look_up(int family, const char *addr, const char *port)
{
	struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_DGRAM,
				  .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV };
	struct addrinfo *ai;
	int rc = getaddrinfo(addr, port, &hints, &ai);

	if (rc != 0) {
		fprintf(stderr, "udpecho: %s port %s: %s\n", addr ? addr : "any", port,
			gai_strerror(rc));
		exit(2);
	}
	return ai;
}

static int open_bound(int family, const char *addr, const char *port)
{
	struct addrinfo *ai = look_up(family, addr, port);
	int fd = socket(ai->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		fail("socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		fail("SO_REUSEADDR");
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0)
		fail("bind");
	freeaddrinfo(ai);
	return fd;
}

static int run_server(const struct options *o)
{
	static uint8_t buf[DATAGRAM_MAX];
	int fd = open_bound(o->family, o->addr, o->port);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t served = 0;

	printf("ready %s\n", o->port);
	fflush(stdout);
	while (o->count == 0 || served < o->count) {
		struct sockaddr_storage from;
		socklen_t len = sizeof(from);
		ssize_t n;

		if (poll(&p, 1, o->timeout_ms) == 0)
			break;
		n = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len);
		if (n < 0 && errno == ECONNREFUSED)
			continue;
		if (n < 0)
			fail("receive");
		if (n >= 1)
			buf[0] |= 0x80;
		if (!o->one_way && sendto(fd, buf, (size_t)n, 0, (struct sockaddr *)&from, len) < 0)
			fprintf(stderr, "udpecho: reply: %s\n", strerror(errno));
		served++;
	}
	printf("served=%" PRIu64 "\n", served);
	close(fd);
	return o->count == 0 || served == o->count ? 0 : 1;
}

/* Waits for the reply to one number; older ones that come late are passed over. */
static bool await_reply(int fd, const struct options *o, uint64_t number, size_t len)
{
	static uint8_t in[DATAGRAM_MAX], want[DATAGRAM_MAX];
	struct pollfd p = { .fd = fd, .events = POLLIN };

	fill(want, len, number);
	want[0] |= 0x80;
	while (poll(&p, 1, o->timeout_ms) > 0) {
		ssize_t n = recv(fd, in, sizeof(in), 0);

		if (n < 0)
			return false;
		if ((size_t)n == len && memcmp(in, want, len) == 0)
			return true;
	}
	return false;
}

/* IPv6: a destination options header of 8 bytes, which is padding, in each datagram. */
static void add_options(int fd)
{
	static const uint8_t padding[8] = { 0, 0, 1, 4 };

	if (setsockopt(fd, IPPROTO_IPV6, IPV6_DSTOPTS, padding, sizeof(padding)) < 0)
		fail("IPV6_DSTOPTS");
}

static int run_client(const struct options *o)
{
	static uint8_t buf[DATAGRAM_MAX];
	struct addrinfo *ai = look_up(o->family, o->addr, o->port);
	int fd = open_bound(ai->ai_family, NULL, o->source_port), df = IP_PMTUDISC_PROBE;
	uint64_t start = now_ns(), replies = 0, failed = 0;
	uint32_t x = 12345;

	if (connect(fd, ai->ai_addr, ai->ai_addrlen) < 0)
		fail("connect");
	if (o->set_df && setsockopt(fd, ai->ai_family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6,
				    ai->ai_family == AF_INET ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER,
				    &df, sizeof(df)) < 0)
		fail("MTU_DISCOVER");
	if (o->options)
		add_options(fd);
	if (o->ttl && setsockopt(fd, ai->ai_family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6,
				 ai->ai_family == AF_INET ? IP_TTL : IPV6_UNICAST_HOPS, &o->ttl,
				 sizeof(o->ttl)) < 0)
		fail("TTL");
	freeaddrinfo(ai);
	for (uint64_t i = 0; i < o->count; i++) {
		uint64_t number = o->equal ? o->first : o->first + i;
		size_t len;

		x = x * 1664525u + 1013904223u;
		len = o->size_min + (x >> 8) % (o->size_max - o->size_min + 1);
		fill(buf, len, number);
		if (send(fd, buf, len, 0) < 0)
			failed++;
		else if (!o->one_way && await_reply(fd, o, number, len))
			replies++;
		if (o->pause_us > 0)
			usleep(o->pause_us);
	}
	close(fd);
	printf("sent=%" PRIu64 " failed=%" PRIu64 " replies=%" PRIu64 " seconds=%.3f\n",
	       o->count - failed, failed, replies, (double)(now_ns() - start) / 1e9);
	return failed == 0 && (o->one_way || replies == o->count) ? 0 : 1;
}

static void usage(FILE *to)
{
	fputs("usage: udpecho server [options] [ADDRESS]\n"
	      "       udpecho client [options] ADDRESS\n"
	      "  -p PORT     port (5301)\n"
	      "  -n COUNT    requests (client 10), or after how many to end (server 0: never)\n"
	      "  -b NUMBER   first number (1)\n"
	      "  -s MIN[-MAX] bytes of a request, at least 8 (64)\n"
	      "  -D          set DF, never fragment\n"
	      "  -E          all requests bear the first number: equal datagrams\n"
	      "  -x          IPv6: with a destination options header (needs CAP_NET_RAW)\n"
	      "  -i USEC     pause between requests\n"
	      "  -o          one way: no replies\n"
	      "  -P PORT     source port of the client\n"
	      "  -t TTL      or hop limit\n"
	      "  -w MSEC     how long to wait for a reply (1000) or a request (60000)\n"
	      "  -4, -6      family\n", to);
}

static uint64_t number(const char *s)
{
	char *end;
	uint64_t v;

	errno = 0;
	v = strtoull(s, &end, 0);
	if (errno || end == s || *end != '\0') {
		fprintf(stderr, "udpecho: '%s' is no number\n", s);
		exit(2);
	}
	return v;
}

static void parse_size(struct options *o, char *s)
{
	char *dash = strchr(s, '-');

	if (dash)
		*dash = '\0';
	o->size_min = (size_t)number(s);
	o->size_max = dash ? (size_t)number(dash + 1) : o->size_min;
	if (o->size_min < NUMBER || o->size_max < o->size_min || o->size_max > DATAGRAM_MAX) {
		fprintf(stderr, "udpecho: sizes go from %d to %d\n", NUMBER, DATAGRAM_MAX);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct options o = { .port = "5301", .source_port = "0", .first = 1, .size_min = 64,
			     .size_max = 64, .timeout_ms = -1 };
	bool server, count_given = false;
	int c;

	if (argc < 2 || (strcmp(argv[1], "server") != 0 && strcmp(argv[1], "client") != 0)) {
		usage(stderr);
		return 2;
	}
	server = strcmp(argv[1], "server") == 0;
	optind = 2;
	while ((c = getopt(argc, argv, "46b:DEhi:n:op:P:s:t:w:x")) != -1) {
		switch (c) {
		case '4':
			o.family = AF_INET;
			break;
		case '6':
			o.family = AF_INET6;
			break;
		case 'b':
			o.first = number(optarg) & ~REPLY_BIT;
			break;
		case 'D':
			o.set_df = true;
			break;
		case 'E':
			o.equal = true;
			break;
		case 'x':
			o.options = true;
			break;
		case 'h':
			usage(stdout);
			return 0;
		case 'i':
			o.pause_us = (unsigned)number(optarg);
			break;
		case 'n':
			o.count = number(optarg);
			count_given = true;
			break;
		case 'o':
			o.one_way = true;
			break;
		case 'p':
			o.port = optarg;
			break;
		case 'P':
			o.source_port = optarg;
			break;
		case 's':
			parse_size(&o, optarg);
			break;
		case 't':
			o.ttl = (int)number(optarg);
			break;
		case 'w':
			o.timeout_ms = (int)number(optarg);
			break;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (!count_given && !server)
		o.count = 10;
	if (o.timeout_ms < 0)
		o.timeout_ms = server ? 60000 : 1000;
	if (optind < argc)
		o.addr = argv[optind];
	if (argc - optind > 1 || (!server && !o.addr)) {
		usage(stderr);
		return 2;
	}
	return server ? run_server(&o) : run_client(&o);
}
