/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * own.c - the connection that carries podhop's own output, which must not be captured: a pcapng
 * that travels over the underlay would feed itself.
 *
 * Addresses are said as the wire has them: an IPv4 peer of a socket that takes both families is
 * IPv4 there, and a link-local address has no scope.
 */
#include "cli.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "podhop/addr.h"
#include "podhop/buf.h"

struct end {
	struct addr addr;
	uint16_t port;
};

/* False: an address of another family. */
static bool end_of(const struct sockaddr_storage *s, struct end *ret)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	uint8_t b[4];

	switch (s->ss_family) {
	case AF_INET:
		memcpy(&v4, s, sizeof(v4));
		memcpy(b, &v4.sin_addr, sizeof(b));
		*ret = (struct end){ addr_from_v4(b), ntohs(v4.sin_port) };
		return true;
	case AF_INET6:
		memcpy(&v6, s, sizeof(v6));
		*ret = (struct end){ addr_from_v6(v6.sin6_addr.s6_addr), ntohs(v6.sin6_port) };
		return true;
	default:
		return false;
	}
}

static bool ends_of_socket(int fd, struct end *ret_local, struct end *ret_peer)
{
	struct sockaddr_storage local = { 0 }, peer = { 0 };
	socklen_t n_local = sizeof(local), n_peer = sizeof(peer);

	return getsockname(fd, (struct sockaddr *)&local, &n_local) == 0 &&
	       getpeername(fd, (struct sockaddr *)&peer, &n_peer) == 0 &&
	       end_of(&local, ret_local) && end_of(&peer, ret_peer);
}

/* "client port server port"; see ssh(1). */
static bool ends_of_ssh(const char *text, struct end *ret_local, struct end *ret_peer)
{
	unsigned client_port, server_port;
	char client[64], server[64];

	if (sscanf(text, "%63s %5u %63s %5u", client, &client_port, server, &server_port) != 4 ||
	    client_port > UINT16_MAX || server_port > UINT16_MAX)
		return false;
	client[strcspn(client, "%")] = '\0';
	ret_peer->port = (uint16_t)client_port;
	ret_local->port = (uint16_t)server_port;
	return addr_parse(client, &ret_peer->addr) == 0;
}

void own_connection(int fd, const char *ssh, struct buf *expr)
{
	struct end local, peer;
	char text[ADDR_STR_MAX];

	if (!ends_of_socket(fd, &local, &peer) && !(ssh && ends_of_ssh(ssh, &local, &peer)))
		return;
	buf_addf(expr, "tcp and host %s and port %u and port %u", addr_str(&peer.addr, text),
		 local.port, peer.port);
}
