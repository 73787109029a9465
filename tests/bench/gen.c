// SPDX-License-Identifier: BSD-3-Clause
/*
 * gen.c - writes a capture of numbered datagrams over the four hops of a node, of any length.
 *
 * usage: gen [-n frames] [-s payload] [-f flows] [-r rate] [-b batch] [-l snaplen] [-S seed]
 *   -n  frames, four for each packet (default 1000000)
 *   -s  payload bytes of a datagram (default 18: a 60-byte frame)
 *   -f  flows: source ports, then source addresses, taken in turn (default 1)
 *   -r  packets a second by their stamps (default 250000)
 *   -b  packets written hop by hop, as a program drains its rings; 1: in time order (default 1)
 *   -l  bytes kept of a frame (default 128)
 *   -S  seed of the payload (default 1)
 * The capture is pcapng on standard output, made as it is written: 100 million frames need
 * neither memory nor disk. Stamps start at 2024-01-01 and are 2 to 4 us apart between hops.
 */
#include <errno.h>
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

static const struct {
	const char *name;
	uint64_t delay_ns; /* after the pod sent it */
} hops[N_HOPS] = { { "veth1", 0 }, { "cni0", 2000 }, { "flannel.1", 5000 }, { "eth0", 9000 } };

static uint8_t buffer[BUFFER_BYTES + BLOCK_MAX];
static size_t buffered;

struct options {
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
		size_t len = strlen(hops[i].name), padded = (len + 3) & ~(size_t)3;
		uint32_t total = (uint32_t)(20 + 4 + padded + 8 + 4);

		put32(1);
		put32(total);
		put16(1); /* LINKTYPE_ETHERNET */
		put16(0);
		put32(262144);
		put16(2); /* if_name */
		put16((uint16_t)len);
		put(hops[i].name, len);
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

/* Headers and number of packet k as hop shows it; what follows is `fill`. Returns bytes put. */
static uint32_t put_frame(const struct options *o, unsigned hop, uint64_t k, uint8_t *at)
{
	uint64_t flow = k % o->flows;
	uint32_t src = 0x0af40102u + (uint32_t)(flow / PORTS);
	uint32_t sport = FIRST_PORT + (uint32_t)(flow % PORTS);
	uint8_t *p = at;

	if (hop == 3) {
		p = put_eth(p, 0x12, 0x11);
		p = put_ip_udp(p, (uint32_t)(k * 3), 64, 0xc0a84d0bu, 0xc0a84d0cu,
			       32768 + (uint32_t)(flow * 7 % 28000), 8472,
			       VXLAN_LEN + ETH_LEN + IP4_LEN + UDP_LEN + o->payload);
		p = be32(p, 0x08000000);
		p = be32(p, 1 << 8);
	}
	p = hop < 2 ? put_eth(p, 0x01, 0x02) : put_eth(p, 0x22, 0x21);
	p = put_ip_udp(p, (uint32_t)k, hop < 2 ? 64 : 63, src, 0x0af40202u, sport, 9999,
		       o->payload);
	p = be32(p, (uint32_t)(k >> 32));
	p = be32(p, (uint32_t)k);
	p = be32(p, (uint32_t)(o->seed * 2654435761u));
	return (uint32_t)(p - at);
}

static void write_frame(const struct options *o, unsigned hop, uint64_t k, uint64_t interval_ns)
{
	const uint32_t number_len = 12;
	uint64_t t = START_NS + k * interval_ns + hops[hop].delay_ns;
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
	have = put_frame(o, hop, k, buffer + buffered);
	if (o->payload < number_len)
		have = len;
	if (caplen > have)
		memset(buffer + buffered + have, 'Z', caplen - have);
	memset(buffer + buffered + caplen, 0, padded - caplen);
	buffered += padded;
	put32(total);
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

	while ((c = getopt(argc, argv, "n:s:f:r:b:l:S:")) != -1) {
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
		case 'S':
			o.seed = number(optarg, UINT32_MAX);
			break;
		default:
			fputs("usage: gen [-n frames] [-s payload] [-f flows] [-r rate] [-b batch] "
			      "[-l snaplen] [-S seed]\n", stderr);
			return 2;
		}
	}

	uint64_t packets = (o.frames + N_HOPS - 1) / N_HOPS, interval_ns = 1000000000 / o.rate;

	write_header();
	if (o.batch == 1) {
		/* In time order: later hops show earlier packets. */
		uint64_t lag[N_HOPS], last = 0;

		for (unsigned i = 0; i < N_HOPS; i++) {
			lag[i] = interval_ns ? (hops[i].delay_ns + interval_ns - 1) / interval_ns
					     : 0;
			if (lag[i] > last)
				last = lag[i];
		}
		for (uint64_t k = 0; k < packets + last; k++)
			for (unsigned i = N_HOPS; i-- > 0;)
				if (k >= lag[i] && k - lag[i] < packets)
					write_frame(&o, i, k - lag[i], interval_ns);
	} else {
		for (uint64_t k = 0; k < packets; k += o.batch)
			for (unsigned i = 0; i < N_HOPS; i++)
				for (uint64_t n = k; n < k + o.batch && n < packets; n++)
					write_frame(&o, i, n, interval_ns);
	}
	flush();
	return 0;
}
