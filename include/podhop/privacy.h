/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * privacy.h - takes out of a capture what must not leave the house: payload, addresses, names.
 *
 * Owns: the key, a cache of pseudonyms of fixed size, room for one frame.
 * Never: allocates after privacy_new(), writes files, remembers which address became which.
 *
 * Without payload a frame ends behind its innermost transport header; its length on the wire
 * stays. The headers that an ICMP error quotes stay as well.
 *
 * Anonymous, addresses become pseudonyms that keep what a capture is read for (Crypto-PAn, Xu,
 * Fan, Ammar, Moon: "Prefix-Preserving IP Address Anonymization", ICNP 2002): two addresses share
 * as many leading bits before as after, and with one key an address has one pseudonym in all
 * files, so that captures of several nodes can still be compared. Unlike there, an address stays in
 * its special block (loopback, link-local, multicast, ...), because readers treat those
 * differently: the leading bits that a block shares with its neighbours stay as they are.
 *   Kept: unspecified and loopback addresses, multicast groups and MAC addresses that everybody
 *   uses; ports, VNI, VLAN, IP ids, TTL, TCP's numbers and options, lengths, times.
 *   Checksums are mended, those that a device has yet to fill in as well as wrong ones stay so.
 *   What carries addresses and is not understood (other protocols, LLDP, router
 *   advertisements, quoted payload) is cut off. TCP's and UDP's payload is not looked into.
 *
 * Who has the key can find every address again by trying; who knows which address is behind
 * some pseudonyms learns the prefixes of others. Both lies in the nature of it.
 */
#ifndef PODHOP_PRIVACY_H
#define PODHOP_PRIVACY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "podhop/addr.h"
#include "podhop/buf.h"
#include "podhop/err.h"
#include "podhop/model.h"

#define PRIVACY_KEY_MIN 16	/* bytes of a key file; anything that cannot be guessed */
#define PRIVACY_KEY_MAX 4096

struct privacy_key {
	uint8_t b[32];
};

/*
 * Of a file or FIFO; equal content gives equal keys. "-" is a file's name here. 0, or -errno:
 * -EINVAL with ERR_USAGE of a key that is too short or too long.
 */
int privacy_key_read(const char *path, struct privacy_key *ret_key, struct err *err);
int privacy_key_random(struct privacy_key *ret_key, struct err *err);

struct privacy_config {
	bool no_payload;
	const struct privacy_key *key;	/* copied; NULL: addresses and names stay */
	uint32_t frame_max;		/* no frame's caplen is larger; more is cut off */
	const uint16_t *vxlan_ports;	/* copied; besides these the two usual ones count */
	unsigned n_vxlan_ports;
};

struct privacy;

struct privacy *privacy_new(const struct privacy_config *config, struct err *err);
void privacy_free(struct privacy *p);	/* wipes the key; NULL is accepted */

/*
 * What may be written of a frame: its new caplen, and in ret_data its bytes, which stay valid
 * until the next call. len: on the wire, as before and after.
 */
uint32_t privacy_frame(struct privacy *p, uint16_t linktype, const uint8_t *data, uint32_t caplen,
		       uint32_t len, const uint8_t **ret_data);

/* ---- pseudonyms; what was given where addresses stay */
struct addr privacy_addr(struct privacy *p, const struct addr *a);
struct mac privacy_mac(struct privacy *p, const struct mac *m);
/* "default/web" becomes "ns-1f0c33d2/n-77aa0412", "node1" "n-..."; "" stays empty. */
void privacy_name(struct privacy *p, const char *name, struct buf *out);
/*
 * A device's name: kept when it is one that every node has ("cni0", "flannel.1", "eth0"), else
 * "if-...", "veth..." for what begins with veth.
 */
void privacy_device(struct privacy *p, const char *name, struct buf *out);
/*
 * All of these in place, in the node's name, hops and pods. Routes and remote nodes are left out:
 * no header tells the ones, and the others map the cluster.
 */
void privacy_net(struct privacy *p, struct model_net *net);
/* Rewrites a libpcap filter; false (and nothing added) when it may tell what it must not. */
bool privacy_filter(struct privacy *p, const char *filter, struct buf *out);

#endif
