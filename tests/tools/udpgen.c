// SPDX-License-Identifier: BSD-3-Clause
/*
 * udpgen.c - sends numbered UDP datagrams, as fast as possible or paced.
 *
 * usage: udpgen [-n count] [-s min[:max]] [-r rate] [-f flows] [-S seed] [-o first]
 *               [-G n] -p port dst
 *   -n  datagrams (default 100000)
 *   -s  payload bytes, fixed or evenly random (default 18: a 60-byte frame; least 8)
 *   -r  datagrams a second, 0: as fast as possible (default)
 *   -f  flows: that many sockets, each its own source port, taken in turn (default 1)
 *   -S  seed of the random sizes (default 1)
 *   -o  number of the first datagram (default 0)
 *   -G  give the kernel n datagrams at once, as one frame that it cuts (UDP_SEGMENT); -s fixed
 * Each payload begins with its number, 64 bits in network byte order; the rest
 * is filled with 'Z'. Prints one line of JSON at the end.
 * Exit 0 when everything was sent.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64
#define SIZE_MAX_BYTES 65507 /* UDP over IPv4 */
#define FLOWS_MAX 60000
#define NUMBER_BYTES 8
#define GSO_SEGMENTS_MAX 64 /* net/ipv4/udp.c: UDP_MAX_SEGMENTS, before 6.9 */
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

static void die(const char *what)
{
	fprintf(stderr, "udpgen: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void usage(void)
{
	fputs("usage: udpgen [-n count] [-s min[:max]] [-r rate] [-f flows] [-S seed] [-o first] "
	      "[-G n] -p port dst\n",
	      stderr);
	exit(2);
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* xorshift64*: enough for sizes, and the same everywhere */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 2685821657736338717ull;
}

static int open_flow(const struct addrinfo *ai)
{
	int size = 4 << 20;
	int fd = socket(ai->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	/* root's may exceed the limit; without it the plain one does as well */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (connect(fd, ai->ai_addr, ai->ai_addrlen) < 0)
		die("connect");
	return fd;
}

static void pace(double start, double rate, uint64_t sent)
{
	double ahead = start + (double)sent / rate - now_s();

	if (ahead > 0) {
		const struct timespec ts = { .tv_sec = (time_t)ahead,
					     .tv_nsec = (long)((ahead - (double)(time_t)ahead) *
							       1e9) };

		nanosleep(&ts, NULL);
	}
}

int main(int argc, char **argv)
{
	static uint8_t data[BATCH][SIZE_MAX_BYTES];
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST };
	struct addrinfo *ai = NULL;
	uint64_t count = 100000, first = 0, sent = 0, bytes = 0, refused = 0, random_state = 1;
	unsigned long min = 18, max = 18, flows = 1, seed = 1;
	unsigned long segments = 1;
	const char *port = NULL;
	double rate = 0, start, seconds;
	struct rusage ru;
	char *end;
	int *fds, opt;

	while ((opt = getopt(argc, argv, "n:s:r:f:S:o:p:G:")) >= 0) {
		switch (opt) {
		case 'n':
			count = strtoull(optarg, NULL, 10);
			break;
		case 's':
			min = max = strtoul(optarg, &end, 10);
			if (*end == ':')
				max = strtoul(end + 1, NULL, 10);
			break;
		case 'r':
			rate = strtod(optarg, NULL);
			break;
		case 'f':
			flows = strtoul(optarg, NULL, 10);
			break;
		case 'S':
			seed = strtoul(optarg, NULL, 10);
			break;
		case 'o':
			first = strtoull(optarg, NULL, 10);
			break;
		case 'p':
			port = optarg;
			break;
		case 'G':
			segments = strtoul(optarg, NULL, 10);
			break;
		default:
			usage();
		}
	}
	if (optind != argc - 1 || !port || min < NUMBER_BYTES || max < min ||
	    max > SIZE_MAX_BYTES || !flows || flows > FLOWS_MAX || !segments ||
	    segments > GSO_SEGMENTS_MAX || (segments > 1 && (max > min || flows > 1 ||
	    min * segments > SIZE_MAX_BYTES || count % segments)))
		usage();
	if (getaddrinfo(argv[optind], port, &hints, &ai) || !ai) {
		fprintf(stderr, "udpgen: %s port %s is no address\n", argv[optind], port);
		return 2;
	}
	const struct rlimit files = { .rlim_cur = flows + 64, .rlim_max = flows + 64 };

	if (flows > 512 && setrlimit(RLIMIT_NOFILE, &files) < 0)
		die("setrlimit");
	fds = calloc(flows, sizeof(*fds));
	if (!fds)
		die("calloc");
	for (unsigned long i = 0; i < flows; i++)
		fds[i] = open_flow(ai);
	freeaddrinfo(ai);
	if (segments > 1) {
		int size = (int)min;

		if (setsockopt(fds[0], IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)) < 0)
			die("UDP_SEGMENT");
	}
	random_state = seed * 0x9e3779b97f4a7c15ull + 1;
	memset(msgs, 0, sizeof(msgs));
	for (unsigned i = 0; i < BATCH; i++) {
		iov[i].iov_base = data[i];
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
		memset(data[i], 'Z', sizeof(data[i]));
	}

	start = now_s();
	while (segments > 1 && sent < count) {
		for (unsigned i = 0; i < segments; i++) {
			uint64_t number = htobe64(first + sent + i);

			memcpy(data[0] + i * min, &number, sizeof(number));
		}
		ssize_t r = send(fds[0], data[0], min * segments, 0);
		if (r < 0) {
			if (errno != ENOBUFS && errno != ECONNREFUSED && errno != EINTR)
				die("send");
			refused++;
			continue;
		}
		sent += segments;
		bytes += (uint64_t)r;
		if (rate > 0)
			pace(start, rate, sent);
	}
	while (sent < count) {
		/* with several flows a batch is one datagram each: sockets cannot be mixed */
		unsigned batch = flows > 1 || (rate > 0 && rate < 64000) ? 1 : BATCH;
		unsigned done = 0;
		int fd = fds[sent % flows];

		if (batch > count - sent)
			batch = (unsigned)(count - sent);
		for (unsigned i = 0; i < batch; i++) {
			uint64_t number = htobe64(first + sent + i);

			memcpy(data[i], &number, sizeof(number));
			iov[i].iov_len =
				min +
				(max > min ? next_random(&random_state) % (max - min + 1) : 0);
			bytes += iov[i].iov_len;
		}
		while (done < batch) {
			int r = sendmmsg(fd, msgs + done, batch - done, 0);

			if (r >= 0) {
				done += (unsigned)r;
				continue;
			}
			/*
			 * ENOBUFS: a queue is full. ECONNREFUSED: an ICMP error for an earlier
			 * one, reported once. Both: try again, this one was not sent.
			 */
			if (errno != ENOBUFS && errno != ECONNREFUSED && errno != EINTR)
				die("sendmmsg");
			refused++;
		}
		sent += batch;
		if (rate > 0)
			pace(start, rate, sent);
	}
	seconds = now_s() - start;
	getrusage(RUSAGE_SELF, &ru);
	printf("{\"sent\":%llu,\"payload_bytes\":%llu,\"seconds\":%.6f,\"per_second\":%.0f,"
	       "\"retries\":%llu,\"cpu_seconds\":%.6f}\n",
	       (unsigned long long)sent, (unsigned long long)bytes, seconds, (double)sent / seconds,
	       (unsigned long long)refused,
	       (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
		       (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6);
	for (unsigned long i = 0; i < flows; i++)
		close(fds[i]);
	free(fds);
	return 0;
}
