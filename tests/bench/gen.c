// SPDX-License-Identifier: BSD-3-Clause
/*
 * gen.c - writes a capture of numbered datagrams over the four hops of a node, of any length.
 *
 * usage: gen [-n frames] [-s payload] [-f flows] [-r rate] [-b batch] [-l snaplen] [-S seed]
 *            [-N node] [-e every] [-x every]
 *   -n  frames, four for each packet (default 1000000)
 *   -s  payload bytes of a datagram (default 18: a 60-byte frame)
 *   -f  flows: source ports, then source addresses, taken in turn (default 1)
 *   -r  packets a second by their stamps (default 250000)
 *   -b  packets written hop by hop, as a program drains its rings; 1: in time order (default 1)
 *   -l  bytes kept of a frame (default 128)
 *   -S  seed of the payload (default 1)
 *   -N  1: the node that sends the datagrams (default), 2: the one that receives them
 *   -e  every so many packets one goes the other way too; not with -b (default: none)
 *   -x  every so many packets one is lost between the nodes: node 2 has none (default: none)
 * The capture is pcapng on standard output, made as it is written: 100 million frames need
 * neither memory nor disk. Stamps start at 2024-01-01 and are 2 to 4 us apart between hops.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_HOPS 4
#define BUFFER_BYTES (1u << 20)
#define FRAME_MAX 65535u
#define BLOCK_MAX (FRAME_MAX + 64)
#define PORTS 50000u /* of a source address */
#define FIRST_PORT 10000u
#define START_NS 1704067200000000000ull
#define ETH_LEN 14u
#define IP4_LEN 20u
#define UDP_LEN 8u
#define VXLAN_LEN 8u
#define ENCAP_LEN (ETH_LEN + IP4_LEN + UDP_LEN + VXLAN_LEN)

static const char *const hops[N_HOPS] = { "veth1", "cni0", "flannel.1", "eth0" };
/* After the pod sent it: of a datagram and of its reply, at each node's hops. */
static const uint64_t delays[2][2][N_HOPS] = {
	{ { 0, 2000, 5000, 9000 }, { 48000, 45000, 42000, 39000 } },
	{ { 108000, 105000, 102000, 99000 }, { 60000, 62000, 65000, 69000 } },
};

static uint8_t buffer[BUFFER_BYTES + BLOCK_MAX];
static size_t buffered;

struct options {
	uint64_t every, lost; /* 0: never */
	unsigned node;	      /* from 0 */
	uint64_t frames, flows, rate, batch, seed;
	uint32_t payload, snaplen;
};

static void die(const char *what)
{
	fprintf(stderr, "gen: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void flush(void)
{
	for (size_t done = 0; done < buffered;) {
		ssize_t n = write(STDOUT_FILENO, buffer + done, buffered - done);

		if (n < 0 && errno != EINTR)
			die("write");
		if (n > 0)
			done += (size_t)n;
	}
	buffered = 0;
}

static void put(const void *p, size_t n)
{
	memcpy(buffer + buffered, p, n);
	buffered += n;
}

static void put16(uint16_t v)
{
	put(&v, sizeof(v));
}

static void put32(uint32_t v)
{
	put(&v, sizeof(v));
}

static void put_zeros(size_t n)
{
	memset(buffer + buffered, 0, n);
	buffered += n;
}

static uint8_t *be16(uint8_t *at, uint32_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
	return at + 2;
}

static uint8_t *be32(uint8_t *at, uint32_t v)
{
	return be16(be16(at, v >> 16), v & 0xffffu);
}

static void write_header(void)
{
	const uint8_t tsresol[4] = { 9 };

	put32(0x0a0d0d0a);
	put32(28);
	put32(0x1a2b3c4d);
	put16(1);
	put16(0);
	put32(UINT32_MAX);
	put32(UINT32_MAX);
	put32(28);
	for (unsigned i = 0; i < N_HOPS; i++) {
		size_t len = strlen(hops[i]), padded = (len + 3) & ~(size_t)3;
		uint32_t total = (uint32_t)(20 + 4 + padded + 8 + 4);

		put32(1);
		put32(total);
		put16(1); /* LINKTYPE_ETHERNET */
		put16(0);
		put32(262144);
		put16(2); /* if_name */
		put16((uint16_t)len);
		put(hops[i], len);
		put_zeros(padded - len);
		put16(9); /* if_tsresol */
		put16(1);
		put(tsresol, sizeof(tsresol));
		put32(0);
		put32(total);
	}
}

static uint8_t *put_eth(uint8_t *at, uint8_t dst, uint8_t src)
{
	const uint8_t head[ETH_LEN] = { 2, 0, 0, 0, 0, dst, 2, 0, 0, 0, 0, src, 8, 0 };

	memcpy(at, head, sizeof(head));
	return at + ETH_LEN;
}

static uint8_t *put_ip_udp(uint8_t *at, uint32_t id, uint8_t ttl, uint32_t src, uint32_t dst,
			   uint32_t sport, uint32_t dport, uint32_t payload)
{
	uint8_t *p = at;
	uint32_t sum = 0;

	p = be16(p, 0x4500);
	p = be16(p, IP4_LEN + UDP_LEN + payload);
	p = be16(p, id & 0xffffu);
	p = be16(p, 0x4000); /* do not fragment */
	p = be16(p, (uint32_t)ttl << 8 | 17);
	p = be16(p, 0);
	p = be32(p, src);
	p = be32(p, dst);
	for (unsigned i = 0; i < IP4_LEN; i += 2)
		sum += (uint32_t)at[i] << 8 | at[i + 1];
	sum = (sum & 0xffffu) + (sum >> 16);
	be16(at + 10, ~(sum + (sum >> 16)) & 0xffffu);
	p = be16(p, sport);
	p = be16(p, dport);
	p = be16(p, UDP_LEN + payload);
	return be16(p, 0);
}

/*
 * Headers and number of packet k, or of its reply, as hop shows it; what follows is `fill`.
 * Returns bytes put.
 */
static uint32_t put_frame(const struct options *o, bool reply, unsigned hop, uint64_t k,
			  uint8_t *at)
{
	uint64_t flow = k % o->flows;
	uint32_t src = 0x0af40102u + (uint32_t)(flow / PORTS), dst = 0x0af40202u;
	uint32_t sport = FIRST_PORT + (uint32_t)(flow % PORTS), dport = 9999;
	bool sends = reply == (o->node == 1); /* a router's work is done before or behind it */
	uint8_t *p = at;

	if (hop == 3) {
		p = reply ? put_eth(p, 0x11, 0x12) : put_eth(p, 0x12, 0x11);
		p = put_ip_udp(p, (uint32_t)(k * 3), 64, reply ? 0xc0a84d0cu : 0xc0a84d0bu,
			       reply ? 0xc0a84d0bu : 0xc0a84d0cu,
			       32768 + (uint32_t)(flow * 7 % 28000), 8472,
			       VXLAN_LEN + ETH_LEN + IP4_LEN + UDP_LEN + o->payload);
		p = be32(p, 0x08000000);
		p = be32(p, 1 << 8);
	}
	if (hop < 2)
		p = sends ? put_eth(p, 0x01, 0x02) : put_eth(p, 0x02, 0x01);
	else
		p = reply ? put_eth(p, 0x21, 0x22) : put_eth(p, 0x22, 0x21);
	p = put_ip_udp(p, (uint32_t)k, hop >= 2 ? 63 : sends ? 64 : 62, reply ? dst : src,
		       reply ? src : dst, reply ? dport : sport, reply ? sport : dport, o->payload);
	p = be32(p, (uint32_t)(k >> 32));
	p = be32(p, (uint32_t)k);
	p = be32(p, (uint32_t)(o->seed * 2654435761u));
	return (uint32_t)(p - at);
}

static void write_frame(const struct options *o, bool reply, unsigned hop, uint64_t k,
			uint64_t interval_ns)
{
	const uint32_t number_len = 12;
	uint64_t t = START_NS + k * interval_ns + delays[reply][o->node][hop];
	uint32_t len = ETH_LEN + IP4_LEN + UDP_LEN + o->payload + (hop == 3 ? ENCAP_LEN : 0);
	uint32_t caplen = len < o->snaplen ? len : o->snaplen;
	uint32_t padded = (caplen + 3) & ~3u, total = 32 + padded, have;

	if (buffered >= BUFFER_BYTES)
		flush();
	put32(6);
	put32(total);
	put32(hop);
	put32((uint32_t)(t >> 32));
	put32((uint32_t)t);
	put32(caplen);
	put32(len);
	have = put_frame(o, reply, hop, k, buffer + buffered);
	if (o->payload < number_len)
		have = len;
	if (caplen > have)
		memset(buffer + buffered + have, 'Z', caplen - have);
	memset(buffer + buffered + caplen, 0, padded - caplen);
	buffered += padded;
	put32(total);
}

/* Has this node the packet, or its reply? */
static bool is_shown(const struct options *o, bool reply, uint64_t k)
{
	if (reply)
		return o->every && k % o->every == 0;
	return o->node == 0 || !o->lost || k % o->lost != o->lost / 2;
}

static uint64_t number(const char *s, uint64_t max)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(s, &end, 10);
	if (errno || *end || end == s || v < 1 || v > max) {
		fprintf(stderr, "gen: not a number from 1 to %llu: %s\n", (unsigned long long)max,
			s);
		exit(2);
	}
	return v;
}

int main(int argc, char **argv)
{
	struct options o = { .frames = 1000000, .flows = 1, .rate = 250000, .batch = 1,
			     .seed = 1, .payload = 18, .snaplen = 128 };
	int c;

	while ((c = getopt(argc, argv, "n:s:f:r:b:l:S:N:e:x:")) != -1) {
		switch (c) {
		case 'n':
			o.frames = number(optarg, UINT64_MAX);
			break;
		case 's':
			o.payload = (uint32_t)number(optarg, 65000);
			break;
		case 'f':
			o.flows = number(optarg, 100000000);
			break;
		case 'r':
			o.rate = number(optarg, 1000000000);
			break;
		case 'b':
			o.batch = number(optarg, 100000000);
			break;
		case 'l':
			o.snaplen = (uint32_t)number(optarg, FRAME_MAX);
			break;
		case 'N':
			o.node = (unsigned)number(optarg, 2) - 1;
			break;
		case 'e':
			o.every = number(optarg, UINT32_MAX);
			break;
		case 'x':
			o.lost = number(optarg, UINT32_MAX);
			break;
		case 'S':
			o.seed = number(optarg, UINT32_MAX);
			break;
		default:
			fputs("usage: gen [-n frames] [-s payload] [-f flows] [-r rate] [-b batch] "
			      "[-l snaplen] [-S seed] [-N node] [-e every] [-x every]\n", stderr);
			return 2;
		}
	}

	uint64_t packets = (o.frames + N_HOPS - 1) / N_HOPS, interval_ns = 1000000000 / o.rate;

	write_header();
	if (o.batch == 1) {
		/* In time order: later hops show earlier packets. */
		uint64_t lag[2 * N_HOPS], last = 0;

		for (unsigned i = 0; i < 2 * N_HOPS; i++) {
			uint64_t delay = delays[i / N_HOPS][o.node][i % N_HOPS];

			lag[i] = interval_ns ? (delay + interval_ns - 1) / interval_ns : 0;
			if (lag[i] > last)
				last = lag[i];
		}
		for (uint64_t k = 0; k < packets + last; k++)
			for (unsigned i = 2 * N_HOPS; i-- > 0;)
				if (k >= lag[i] && k - lag[i] < packets &&
				    is_shown(&o, i >= N_HOPS, k - lag[i]))
					write_frame(&o, i >= N_HOPS, i % N_HOPS, k - lag[i],
						    interval_ns);
	} else {
		for (uint64_t k = 0; k < packets; k += o.batch)
			for (unsigned i = 0; i < N_HOPS; i++)
				for (uint64_t n = k; n < k + o.batch && n < packets; n++)
					write_frame(&o, false, i, n, interval_ns);
	}
	flush();
	return 0;
}
