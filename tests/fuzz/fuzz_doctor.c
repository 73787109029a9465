/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_doctor.c - any bytes as subnet.env, net-conf.json, a CNI configuration, a finding.
 *
 * Asserted: what is refused leaves the result untouched; what is accepted is in its
 * bounds (a subnet of the right family, at most the networks there is room for, a VNI of
 * 24 bits; a finding's mask and weight); the answer is the same the second time, and a
 * finding that was read is written as it was read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_demand.h"
#include "../../src/doctor/doctor_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_env(const char *text)
{
	struct doctor_env a, b, untouched;
	int rc;

	memset(&a, 0x5a, sizeof(a));
	memset(&b, 0x5a, sizeof(b));
	memset(&untouched, 0x5a, sizeof(untouched));
	rc = doctor_parse_env(text, &a);
	demand(rc == doctor_parse_env(text, &b), "the same answer twice");
	if (rc) {
		demand(memcmp(&a, &untouched, sizeof(a)) == 0, "refused and untouched");
		return;
	}
	demand(a.subnet4.len || a.subnet6.len, "a subnet");
	demand(!a.subnet4.len || (addr_is_v4(&a.subnet4.addr) && a.subnet4.len <= 32), "IPv4");
	demand(!a.subnet6.len || (!addr_is_v4(&a.subnet6.addr) && a.subnet6.len <= 128), "IPv6");
	demand(a.n_networks <= DOCTOR_NETWORKS_MAX, "networks");
	demand(a.mtu <= 65536, "MTU");
	demand(memchr(a.ipmasq, 0, sizeof(a.ipmasq)) != NULL, "a string");
	for (unsigned i = 0; i < a.n_networks; i++) {
		struct prefix base = doctor_prefix_base(a.networks[i]);

		demand(prefix_has(&a.networks[i], &base.addr), "a base inside its network");
	}
}

static void try_finding(const char *text, size_t size)
{
	struct doctor_findings a = { 0 }, b = { 0 };
	char line[DOCTOR_FINDING_TEXT_MAX];

	if (doctor_finding_parse(&a, text, size) == 0) {
		demand(a.n == 1 && a.f[0].weight && a.f[0].weight <= 100, "a weight");
		demand(a.f[0].places && !(a.f[0].places & ~0x1f1fu), "places");
		if (doctor_finding_text(&a.f[0], line) == 0) {
			demand(doctor_finding_parse(&b, line, strlen(line)) == 0, "read again");
			demand(b.f[0].packets == a.f[0].packets && b.f[0].places == a.f[0].places &&
				       strcmp(b.f[0].reason, a.f[0].reason) == 0 &&
				       strcmp(b.f[0].evidence, a.f[0].evidence) == 0,
			       "the same again");
		}
	} else {
		demand(a.n == 0, "refused and untouched");
	}
	doctor_findings_free(&a);
	doctor_findings_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct doctor_conf conf = { .vni = 0 };
	bool hairpin = false;
	char *text;

	if (size > 1u << 16)
		return 0;
	text = malloc(size + 1);
	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	try_env(text);
	if (doctor_parse_conf(text, size, &conf) == 0) {
		demand(conf.backend[0] || conf.vni <= 0xffffff, "backend");
		demand(conf.vni <= 0xffffff, "VNI");
		demand(memchr(conf.backend, 0, sizeof(conf.backend)) != NULL, "a string");
	}
	if (doctor_parse_cni(text, size, &hairpin) != 0)
		demand(!hairpin, "refused and untouched");
	try_finding(text, size);
	free(text);
	return 0;
}
