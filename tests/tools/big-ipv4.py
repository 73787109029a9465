#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""big-ipv4 - lets the devices of this network namespace take BIG TCP over IPv4.

    tests/tools/big-ipv4.py BYTES [DEVICE...]       without names: all but lo and VXLAN devices

What `ip link set DEVICE gso_ipv4_max_size BYTES gro_ipv4_max_size BYTES` does where iproute2 is 6.3
or newer; the kernel has it since 6.3.
"""
import os
import socket
import struct
import sys

RTM_NEWLINK, NLM_F_REQUEST, NLM_F_ACK, NLMSG_ERROR = 16, 1, 4, 2
IFLA_GSO_IPV4_MAX_SIZE, IFLA_GRO_IPV4_MAX_SIZE = 63, 64


def set_sizes(netlink, device, size):
    body = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, socket.if_nametoindex(device), 0, 0)
    for attribute in (IFLA_GSO_IPV4_MAX_SIZE, IFLA_GRO_IPV4_MAX_SIZE):
        body += struct.pack("=HHI", 8, attribute, size)
    netlink.send(struct.pack("=IHHII", 16 + len(body), RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0) +
                 body)
    answer = netlink.recv(65536)
    if struct.unpack_from("=H", answer, 4)[0] != NLMSG_ERROR:
        sys.exit(f"big-ipv4: {device}: not an acknowledgement")
    error = struct.unpack_from("=i", answer, 16)[0]
    if error:
        sys.exit(f"big-ipv4: {device}: {os.strerror(-error)}")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    devices = sys.argv[2:] or [name for _, name in socket.if_nameindex()
                               if name != "lo" and not name.startswith("flannel")]
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        for device in devices:
            set_sizes(netlink, device, int(sys.argv[1]))


main()
