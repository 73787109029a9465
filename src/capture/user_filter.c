// SPDX-License-Identifier: BSD-3-Clause
/*
 * user_filter.c - libpcap expressions decided in user space.
 *
 * Theory of operation. The filter is compiled for an Ethernet savefile: VLAN
 * tags are then looked for in the bytes, which is where libpcap puts them back
 * (datapath: tags are metadata in the kernel).
 *
 * A BPF program answers 0 ("no") when it loads a byte that was not captured,
 * exactly as when the comparison failed. podhop must keep the two apart, so a
 * "no" on a cut frame is asked again of a small interpreter that stops at the
 * first load between captured and wire length and says "not known". A load
 * behind the wire length is a true "no": on the whole frame the kernel would
 * answer the same. A "yes" needs no second look: no load has failed.
 *
 * Programs of `protochain` walk a packet's headers in a loop, and libpcap's
 * own interpreter goes on for as long as the packet says: behind an
 * authentication header its code (1.10) takes the header's length for its
 * place, so that one of 20 bytes leads to itself for ever. Programs with a
 * jump backwards are run here alone, and for no more than STEPS_MAX.
 */
#include "capture_priv.h"
#include "podhop/capture.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#define FILTER_SNAPLEN 262144 /* libpcap's MAXIMUM_SNAPLEN */
#define STEPS_MAX 65536 /* a program has at most 4096 instructions; 16 rounds of the largest */

struct capture_filter {
	struct bpf_program program;
	bool compiled, flow_only, packet_only;
	bool loops; /* it jumps backwards */
};

static bool jumps_back(const struct bpf_program *program)
{
	for (uint32_t i = 0; i < program->bf_len; i++) {
		const struct bpf_insn *in = &program->bf_insns[i];

		/* Only these jump so far that an offset can be negative. */
		if (in->code == (BPF_JMP | BPF_JA) && in->k > INT32_MAX)
			return true;
	}
	return false;
}

static struct capture_filter *new_filter(const char *expr, bool may_be_empty, struct err *err)
{
	struct capture_filter *f = NULL;
	struct filter_words words;
	pcap_t *dead = NULL;
	bool ok = false;

	capture_filter_words(expr, &words);
	if (words.name[0] && words.keyword) {
		err_usage(err, -EINVAL, "filter \"%s\": \"%s\" is no word of it; did you mean %s?",
			  expr, words.name, words.keyword);
		return NULL;
	}
	if (words.name[0]) {
		err_usage(err, -EINVAL,
			  "filter \"%s\": \"%s\" is a name, and podhop asks no DNS: "
			  "give the address",
			  expr, words.name);
		return NULL;
	}
	/* libpcap compiles these for the kernel's metadata; on bytes they would never match */
	if (words.device_word[0]) {
		err_usage(err, -EINVAL, "filter \"%s\": \"%s\" is of a device, not of a packet%s",
			  expr, words.device_word,
			  strcmp(words.device_word, "ifindex") ? ": use -Q" : "");
		return NULL;
	}
	f = calloc(1, sizeof(*f));
	dead = pcap_open_dead(DLT_EN10MB, FILTER_SNAPLEN);
	if (!f || !dead) {
		err_sys(err, ENOMEM, "filter");
		goto out;
	}
	/* It is libpcap's optimizer that refuses what no packet can be. */
	if (pcap_compile(dead, &f->program, expr, 1, PCAP_NETMASK_UNKNOWN) < 0 &&
	    (!may_be_empty ||
	     pcap_compile(dead, &f->program, expr, 0, PCAP_NETMASK_UNKNOWN) < 0)) {
		err_usage(err, -EINVAL, "filter \"%s\": %s", expr, pcap_geterr(dead));
		goto out;
	}
	f->compiled = true;
	f->loops = jumps_back(&f->program);
	f->flow_only = words.flow_only;
	f->packet_only = words.packet_only;
	ok = true;
out:
	if (dead)
		pcap_close(dead);
	if (ok)
		return f;
	capture_filter_free(f);
	return NULL;
}

struct capture_filter *capture_filter_new(const char *expr, struct err *err)
{
	return new_filter(expr, false, err);
}

struct capture_filter *capture_filter_new_joined(const char *expr, struct err *err)
{
	return new_filter(expr, true, err);
}

void capture_filter_free(struct capture_filter *f)
{
	if (!f)
		return;
	if (f->compiled)
		pcap_freecode(&f->program);
	free(f);
}

/* What is read, and how much of it there is. */
struct packet {
	const uint8_t *data;
	uint32_t caplen, len;
	bool cut; /* a load wanted bytes that were on the wire and not captured */
};

/* Loads size bytes at base + k. False: they are not there. */
static bool load(struct packet *p, uint32_t base, uint32_t k, uint32_t size, uint32_t *ret_value)
{
	uint64_t at = (uint64_t)base + k;
	uint32_t value = 0;

	if (at > p->caplen || size > p->caplen - at) {
		p->cut = at <= p->len && size <= p->len - at;
		return false;
	}
	for (uint32_t i = 0; i < size; i++)
		value = value << 8 | p->data[at + i];
	*ret_value = value;
	return true;
}

/* False: a division by 0, which ends the program with "no". */
static bool alu(uint16_t code, uint32_t *a, uint32_t b)
{
	switch (BPF_OP(code)) {
	case BPF_ADD:
		*a += b;
		break;
	case BPF_SUB:
		*a -= b;
		break;
	case BPF_MUL:
		*a *= b;
		break;
	case BPF_DIV:
	case BPF_MOD:
		if (!b)
			return false;
		*a = BPF_OP(code) == BPF_DIV ? *a / b : *a % b;
		break;
	case BPF_OR:
		*a |= b;
		break;
	case BPF_AND:
		*a &= b;
		break;
	case BPF_XOR:
		*a ^= b;
		break;
	case BPF_LSH:
		*a = b < 32 ? *a << b : 0;
		break;
	case BPF_RSH:
		*a = b < 32 ? *a >> b : 0;
		break;
	default: /* BPF_NEG */
		*a = 0u - *a;
		break;
	}
	return true;
}

static bool jump_taken(uint16_t code, uint32_t a, uint32_t b)
{
	switch (BPF_OP(code)) {
	case BPF_JEQ:
		return a == b;
	case BPF_JGT:
		return a > b;
	case BPF_JGE:
		return a >= b;
	default:
		return (a & b) != 0; /* BPF_JSET */
	}
}

struct machine {
	uint32_t a, x, mem[BPF_MEMWORDS];
};

static uint32_t size_of(uint16_t code)
{
	return BPF_SIZE(code) == BPF_W ? 4 : BPF_SIZE(code) == BPF_H ? 2 : 1;
}

/* BPF_LD and BPF_LDX. False: behind what there is of the packet. */
static bool load_into(struct machine *m, struct packet *p, const struct bpf_insn *in)
{
	uint32_t *reg = BPF_CLASS(in->code) == BPF_LDX ? &m->x : &m->a;

	switch (BPF_MODE(in->code)) {
	case BPF_IMM:
		*reg = in->k;
		return true;
	case BPF_LEN:
		*reg = p->len;
		return true;
	case BPF_MEM:
		*reg = m->mem[in->k % BPF_MEMWORDS];
		return true;
	case BPF_ABS:
		return load(p, 0, in->k, size_of(in->code), reg);
	case BPF_IND:
		return load(p, m->x, in->k, size_of(in->code), reg);
	default: /* BPF_MSH: length of an IPv4 header */
		if (!load(p, 0, in->k, 1, &m->x))
			return false;
		m->x = (m->x & 0x0f) << 2;
		return true;
	}
}

/* How many instructions to leave out. */
static uint32_t jump(const struct machine *m, const struct bpf_insn *in)
{
	const uint32_t with = BPF_SRC(in->code) == BPF_X ? m->x : in->k;

	if (BPF_OP(in->code) == BPF_JA)
		return in->k;
	return jump_taken(in->code, m->a, with) ? in->jt : in->jf;
}

/*
 * Runs a program that libpcap compiled: 1 yes, 0 no, -1 not known, because it wanted a byte that
 * was on the wire and not captured, or did not come to its end in STEPS_MAX.
 */
static int run(const struct bpf_program *program, struct packet *p)
{
	struct machine m = { 0 };

	for (uint32_t pc = 0, steps = 0; pc < program->bf_len && steps < STEPS_MAX; pc++, steps++) {
		const struct bpf_insn *in = &program->bf_insns[pc];

		switch (BPF_CLASS(in->code)) {
		case BPF_LD:
		case BPF_LDX:
			if (!load_into(&m, p, in))
				return p->cut ? -1 : 0;
			break;
		case BPF_ST:
			m.mem[in->k % BPF_MEMWORDS] = m.a;
			break;
		case BPF_STX:
			m.mem[in->k % BPF_MEMWORDS] = m.x;
			break;
		case BPF_ALU:
			if (!alu(in->code, &m.a, BPF_SRC(in->code) == BPF_X ? m.x : in->k))
				return 0;
			break;
		case BPF_JMP:
			pc += jump(&m, in);
			break;
		case BPF_RET:
			return in->k != 0;
		default: /* BPF_MISC */
			if (BPF_MISCOP(in->code) == BPF_TAX)
				m.x = m.a;
			else
				m.a = m.x;
			break;
		}
	}
	return -1;
}

int capture_filter_match(const struct capture_filter *f, const uint8_t *data, uint32_t caplen,
			 uint32_t len)
{
	const struct pcap_pkthdr header = { .caplen = caplen, .len = len };
	struct packet p = { .data = data, .caplen = caplen, .len = len };

	if (!f->loops) {
		if (pcap_offline_filter(&f->program, &header, data))
			return 1;
		if (caplen >= len)
			return 0;
	}
	return run(&f->program, &p);
}

bool capture_filter_is_flow_only(const struct capture_filter *f)
{
	return f->flow_only;
}

bool capture_filter_is_packet_only(const struct capture_filter *f)
{
	return f->packet_only;
}
