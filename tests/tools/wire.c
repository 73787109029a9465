// SPDX-License-Identifier: BSD-3-Clause
/*
 * wire.c - a cable between two devices that loses, doubles, swaps or damages chosen datagrams.
 *
 * usage: wire [-d NUMBERS] [-t NUMBERS] [-w NUMBERS] [-f NUMBERS] [-p PORT] [-s NUMBERS]
 *             DEVICE DEVICE
 *   -d  drop, -t deliver twice, -w swap with the next chosen or unchosen one, -f flip a byte of
 *       the payload: of UDP datagrams inside VXLAN whose payload begins with one of NUMBERS
 *       (64 bits in network byte order; "3,7,9")
 *   -p  only of those sent to that UDP port (inner); 0: any (default)
 *   -s  drop these of the TCP segments with data that come in by the first DEVICE, inside VXLAN,
 *       counted from 1, retransmissions included
 *
 * Devices are veth ends in this namespace that nothing else uses (no bridge, no address). What
 * one receives the other sends, as the kernel handed it over: with a virtio_net header, so
 * that checksums which were left to the hardware stay so. Prints "ready" when both are open, and
 * at its end (SIGTERM) a line of JSON: what it did to how many. A kernel without netem has no
 * other way to lose, double, swap and damage.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAME_MAX (sizeof(struct virtio_net_hdr) + 70000)
#define CHOSEN_MAX 4096
#define ETH 14u
#define VXLAN 8u
#define UDP 8u
#define PROTO_TCP 6
#define PROTO_UDP 17

enum what { DROP, TWICE, SWAP, FLIP, CUT, WHATS };
static const char *const names[WHATS] = { "dropped", "doubled", "swapped", "damaged", "cut" };

struct chosen {
	uint64_t number[CHOSEN_MAX];
	unsigned n, done;
};

static struct chosen chosen[WHATS];
static uint64_t segments, cut_bytes;
static uint16_t port;
static volatile sig_atomic_t ended;

static void die(const char *what)
{
	fprintf(stderr, "wire: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void on_end(int sig)
{
	(void)sig;
	ended = 1;
}

static void choose(enum what w, char *list)
{
	char *save = NULL;

	for (char *p = strtok_r(list, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		if (chosen[w].n == CHOSEN_MAX) {
			fputs("wire: too many numbers\n", stderr);
			exit(2);
		}
		chosen[w].number[chosen[w].n++] = strtoull(p, NULL, 0);
	}
}

static bool is_chosen(enum what w, uint64_t number)
{
	for (unsigned i = 0; i < chosen[w].n; i++)
		if (chosen[w].number[i] == number)
			return true;
	return false;
}

/* IPv4 with UDP at p: its length up to UDP's payload; 0: it is something else. */
static size_t udp_at(const uint8_t *p, size_t n, uint16_t *ret_dport)
{
	size_t ihl = n ? (p[0] & 15u) * 4u : 0;

	if (n < 20 || p[0] >> 4 != 4 || ihl < 20 || n < ihl + UDP || p[9] != PROTO_UDP ||
	    (p[6] & 0x1f) || p[7])
		return 0;
	*ret_dport = (uint16_t)(p[ihl + 2] << 8 | p[ihl + 3]);
	return ihl + UDP;
}

/* The payload of the datagram inside VXLAN, and its number; NULL: not of this kind. */
static uint8_t *payload_of(uint8_t *p, size_t n, uint64_t *ret_number)
{
	uint16_t dport;
	size_t at = ETH, len;

	if (n < ETH || p[12] != 8 || p[13])
		return NULL;
	len = udp_at(p + at, n - at, &dport);
	at += len + VXLAN + ETH;
	if (!len || at > n)
		return NULL;
	len = udp_at(p + at, n - at, &dport);
	at += len;
	if (!len || (port && dport != port) || at + 8 > n)
		return NULL;
	memcpy(ret_number, p + at, 8);
	*ret_number = be64toh(*ret_number);
	return p + at;
}

/* Bytes of the stream that a TCP segment inside VXLAN carries; 0: it is something else. */
static size_t stream_bytes(const uint8_t *p, size_t n)
{
	uint16_t dport;
	size_t at = ETH, len, ihl, total, head;

	if (n < ETH || p[12] != 8 || p[13])
		return 0;
	len = udp_at(p + at, n - at, &dport);
	at += len + VXLAN + ETH;
	if (!len || at + 20 > n || p[at] >> 4 != 4 || p[at + 9] != PROTO_TCP)
		return 0;
	ihl = (p[at] & 15u) * 4u;
	total = (size_t)p[at + 2] << 8 | p[at + 3];
	if (at + ihl + 20 > n)
		return 0;
	head = ihl + (size_t)(p[at + ihl + 12] >> 4) * 4u;
	return total > head ? total - head : 0;
}

static int open_device(const char *name)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_ALL),
				 .sll_ifindex = (int)if_nametoindex(name) };
	struct packet_mreq m = { .mr_ifindex = a.sll_ifindex, .mr_type = PACKET_MR_PROMISC };
	int one = 1, big = 32 << 20;
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0 || !a.sll_ifindex ||
	    setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof(big)) < 0 ||
	    bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &m, sizeof(m)) < 0)
		die(name);
	return fd;
}

static void send_frame(int fd, const void *frame, size_t n)
{
	if (write(fd, frame, n) < 0 && errno != ENETDOWN)
		die("send");
}

/* One way of the cable; a frame that waits to be overtaken. */
struct way {
	int from, to;
	bool cuts;
	size_t held;
	uint8_t hold[FRAME_MAX];
};

static void carry(struct way *w)
{
	static uint8_t frame[FRAME_MAX];
	const size_t head = sizeof(struct virtio_net_hdr);
	ssize_t n = read(w->from, frame, sizeof(frame));
	uint64_t number;
	uint8_t *payload;
	bool twice = false;

	if (n < (ssize_t)head)
		return;
	payload = payload_of(frame + head, (size_t)n - head, &number);
	if (payload && is_chosen(DROP, number)) {
		chosen[DROP].done++;
		return;
	}
	size_t stream = w->cuts && !payload ? stream_bytes(frame + head, (size_t)n - head) : 0;
	if (stream && is_chosen(CUT, ++segments)) {
		chosen[CUT].done++;
		cut_bytes += stream;
		return;
	}
	if (payload && is_chosen(FLIP, number)) {
		payload[8] ^= 0x55;
		chosen[FLIP].done++;
	}
	if (payload && !w->held && is_chosen(SWAP, number)) {
		memcpy(w->hold, frame, (size_t)n);
		w->held = (size_t)n;
		chosen[SWAP].done++;
		return;
	}
	if (payload && is_chosen(TWICE, number)) {
		chosen[TWICE].done++;
		twice = true;
	}
	send_frame(w->to, frame, (size_t)n);
	if (twice)
		send_frame(w->to, frame, (size_t)n);
	if (payload && w->held) {
		send_frame(w->to, w->hold, w->held);
		w->held = 0;
	}
}

int main(int argc, char **argv)
{
	static struct way ways[2];
	struct sigaction end = { .sa_handler = on_end };
	int c;

	while ((c = getopt(argc, argv, "d:t:w:f:p:s:")) != -1) {
		switch (c) {
		case 'd':
			choose(DROP, optarg);
			break;
		case 't':
			choose(TWICE, optarg);
			break;
		case 'w':
			choose(SWAP, optarg);
			break;
		case 'f':
			choose(FLIP, optarg);
			break;
		case 's':
			choose(CUT, optarg);
			break;
		case 'p':
			port = (uint16_t)strtoul(optarg, NULL, 0);
			break;
		default:
			return 2;
		}
	}
	if (argc - optind != 2) {
		fputs("usage: wire [-d|-t|-w|-f|-s NUMBERS] [-p PORT] DEVICE DEVICE\n", stderr);
		return 2;
	}
	ways[0].from = ways[1].to = open_device(argv[optind]);
	ways[1].from = ways[0].to = open_device(argv[optind + 1]);
	ways[0].cuts = true;
	sigaction(SIGTERM, &end, NULL);
	puts("ready");
	fflush(stdout);
	while (!ended) {
		struct pollfd p[2] = { { .fd = ways[0].from, .events = POLLIN },
				       { .fd = ways[1].from, .events = POLLIN } };

		if (poll(p, 2, -1) < 0)
			continue;
		for (unsigned i = 0; i < 2; i++)
			if (p[i].revents & POLLIN)
				carry(&ways[i]);
	}
	for (unsigned i = 0; i < WHATS; i++)
		printf("%s\"%s\": %u", i ? ", " : "{", names[i], chosen[i].done);
	printf(", \"cut_bytes\": %llu}\n", (unsigned long long)cut_bytes);
	return 0;
}
