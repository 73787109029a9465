/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * packet_text.c - one packet as one tcpdump-like line.
 *
 *   TIME PROTO SRC.PORT > DST.PORT len N [WAY] PATH DELAY ovh N #ID ...
 *
 *   12:00:00.123456 tcp 10.244.1.5.37182 > 10.244.2.7.80 len 1514 [out]
 *   veth>bridge>vtep>underlay 84us ovh 50 #31          (one line, broken here)
 *
 * TIME   local time of the first observation, as tcpdump; style->nano: 9 digits
 * PROTO  tcp, udp, sctp, icmp, icmpv6, or proto-N; an ICMP echo ends in "echo ID"
 * len    the frame with Ethernet at the hop nearest the pod
 * WAY    out: sent by a pod; in: to a pod; other: of no captured pod
 * PATH   the roles of the hops in time order
 * DELAY  from the first to the last hop, first sighting to first sighting; ns, us,
 *        ms or s as fits; absent when seen once; one-stamp when both are equal, so
 *        that nobody knows how long it took
 * ovh    bytes of outer headers; ovh 2300/46 when in 46 datagrams, ~ in front when
 *        their number was computed, ? when it cannot be told; absent outside VXLAN
 * #ID    the packet id: epb_packetid and frame.packet_id of the pcapng file
 * then, where they apply:
 *   retransmission
 *   (nat A -> B)               address and port as the pod has them, and beyond the node
 *   lost after ROLE, not seen at ROLE: REASON       seen to be missing
 *   missing after ROLE, not seen at ROLE: REASON    may be missing: verdict unknown
 *   ambiguous: REASON, edge: REASON
 *
 * Verbose adds the outer headers and a line for each observation, indented, with
 * the time since the one before. Figures have no separators: lines are for grep.
 */
#include "report_priv.h"

#include <inttypes.h>
#include <time.h>

#define NS_PER_SEC 1000000000

/* Equal stamps are no measurement of nothing: most often the kernel took one for both hops. */
static const char one_stamp[] = " one-stamp";

static void time_of_day(struct report_out *o, int64_t time_ns)
{
	int64_t ns = time_ns % NS_PER_SEC;
	time_t s = (time_t)(time_ns / NS_PER_SEC);
	struct tm tm;

	if (ns < 0) {
		ns += NS_PER_SEC;
		s--;
	}
	if (!localtime_r(&s, &tm))
		tm = (struct tm){ 0 };
	report_out_fmt(o, "%02d:%02d:%02d.", tm.tm_hour, tm.tm_min, tm.tm_sec);
	if (o->style->nano)
		report_out_fmt(o, "%09" PRId64 " ", ns);
	else
		report_out_fmt(o, "%06" PRId64 " ", ns / 1000);
}

/* "84us": a figure without the space, so that the line splits into words. */
static void short_ns(struct report_out *o, uint64_t ns)
{
	char text[FIGURE_MAX];

	for (const char *p = figure_ns(ns, text); *p; p++) {
		if (*p != ' ' && *p != ',')
			report_out_chr(o, *p);
	}
}

/*
 * From the first observation to the first sighting at the last hop. A segment at a
 * hop that was there before is no new sighting; the same hop seen twice (hairpin) is.
 */
static bool delay(const struct result_packet *p, uint64_t *ret_ns)
{
	uint64_t seen = 0; /* bit a hop; MODEL_HOPS_MAX is 64 */
	unsigned sightings = 0;
	int64_t last = 0;

	for (unsigned i = 0; i < p->n_observations; i++) {
		const struct result_observation *obs = &p->observations[i];
		uint64_t bit = UINT64_C(1) << (obs->hop % MODEL_HOPS_MAX);

		if ((seen & bit) && obs->is_segment)
			continue;
		seen |= bit;
		sightings++;
		last = obs->time_ns;
	}
	/* Without the observations: the same from the sightings, when all of them are there. */
	if (!p->n_observations && p->n_sightings > 1 && p->n_sightings == p->path.n) {
		const struct result_sighting *a = &p->sightings[0];
		const struct result_sighting *b = &p->sightings[p->n_sightings - 1];

		*ret_ns = (uint64_t)(b->first_ns - a->first_ns);
		return b->first_ns >= a->first_ns;
	}
	if (sightings < 2 || last < p->observations[0].time_ns)
		return false;
	*ret_ns = (uint64_t)last - (uint64_t)p->observations[0].time_ns;
	return true;
}

static void overhead(struct report_out *o, const struct result_packet *p)
{
	if (!p->encapsulated)
		return;
	if (!p->outer_datagrams) {
		report_out_str(o, " ovh ?");
		return;
	}
	report_out_str(o, p->basis == RESULT_BASIS_OBSERVED ? " ovh " : " ovh ~");
	report_out_u64(o, p->overhead_bytes);
	if (p->outer_datagrams > 1) {
		report_out_chr(o, '/');
		report_out_u64(o, p->outer_datagrams);
	}
}

static void status(struct report_out *o, const struct result_packet *p)
{
	bool missing = p->status == RESULT_INCOMPLETE;

	if (p->status == RESULT_COMPLETE)
		return;
	report_out_chr(o, ' ');
	report_out_color(o, p->lost ? REPORT_RED : REPORT_YELLOW);
	if (missing)
		report_out_str(o, p->lost ? "lost" : "missing");
	else
		report_out_str(o, result_status_name(p->status));
	if (missing && p->last_seen != MODEL_ROLE_NONE)
		report_out_fmt(o, " after %s", model_role_name(p->last_seen));
	if (missing && p->next_expected != MODEL_ROLE_NONE)
		report_out_fmt(o, ", not seen at %s", model_role_name(p->next_expected));
	if (p->reason && *p->reason) {
		report_out_str(o, ": ");
		report_out_safe(o, p->reason);
	}
	report_out_color(o, REPORT_PLAIN);
}

static void tunnel(struct report_out *o, const struct result_packet *p)
{
	char end[REPORT_END_MAX];

	report_out_str(o, "    vxlan ");
	report_out_str(o, report_end(o->style, &p->outer_src, true, p->outer_sport, end));
	report_out_str(o, " > ");
	report_out_str(o, report_end(o->style, &p->outer_dst, true, p->outer_port, end));
	report_out_fmt(o, " vni %" PRIu32 "\n", p->vni);
}

static void observations(struct report_out *o, const struct result_packet *p,
			 const struct model_net *net)
{
	for (unsigned i = 0; i < p->n_observations; i++) {
		const struct result_observation *obs = &p->observations[i];
		const struct model_hop *hop =
			net && obs->hop < net->n_hops ? &net->hops[obs->hop] : NULL;

		report_out_str(o, "    ");
		time_of_day(o, obs->time_ns);
		report_out_safe(o, hop ? hop->name : "?");
		if (hop && hop->role != MODEL_ROLE_NONE)
			report_out_fmt(o, " (%s)", model_role_name(hop->role));
		report_out_fmt(o, " len %" PRIu32, obs->length);
		if (obs->is_segment && obs->of)
			report_out_fmt(o, " segment %" PRIu64 "/%" PRIu32, (uint64_t)obs->index + 1,
				       obs->of);
		else if (obs->is_segment)
			report_out_fmt(o, " segment %" PRIu64, (uint64_t)obs->index + 1);
		if (i && obs->time_ns == obs[-1].time_ns && obs->hop != obs[-1].hop) {
			report_out_str(o, one_stamp);
		} else if (i && obs->time_ns >= obs[-1].time_ns) {
			report_out_str(o, " +");
			short_ns(o, (uint64_t)obs->time_ns - (uint64_t)obs[-1].time_ns);
		}
		report_out_chr(o, '\n');
	}
	if (p->observations_omitted)
		report_out_fmt(o, "    ... and %" PRIu32 " more\n", p->observations_omitted);
}

int report_packet_text(FILE *out, const struct result_packet *p, const struct model_net *net,
		       const struct report_style *style)
{
	static const char *const way[MODEL_DIRECTION_COUNT] = {
		[MODEL_DIRECTION_OTHER] = "other",
		[MODEL_DIRECTION_EGRESS] = "out",
		[MODEL_DIRECTION_INGRESS] = "in",
	};
	const struct result_tuple *t = &p->tuple;
	bool dport = t->has_ports && report_protocol_has_dport(t->protocol);
	char protocol[MODEL_PROTOCOL_TEXT_MAX], path[RESULT_PATH_STR_MAX], end[REPORT_END_MAX];
	char nat[REPORT_NAT_MAX];
	struct report_out o;
	uint64_t ns;

	report_out_init(&o, out, style);
	time_of_day(&o, p->time_ns);
	report_out_str(&o, model_protocol_text(t->protocol, protocol));
	report_out_chr(&o, ' ');
	report_out_str(&o, report_end(o.style, &t->src, dport, t->sport, end));
	report_out_str(&o, " > ");
	report_out_str(&o, report_end(o.style, &t->dst, dport, t->dport, end));
	if (t->has_ports && !dport) {
		report_out_str(&o, " echo ");
		report_out_u64(&o, t->sport);
	}
	report_out_str(&o, " len ");
	report_out_u64(&o, p->length);
	report_out_fmt(&o, " [%s] ",
		       p->direction < MODEL_DIRECTION_COUNT ? way[p->direction] : "?");
	report_out_color(&o, REPORT_BOLD);
	report_out_str(&o, *result_path_str(&p->path, path) ? path : "?");
	report_out_color(&o, REPORT_PLAIN);
	if (delay(p, &ns) && ns) {
		report_out_chr(&o, ' ');
		short_ns(&o, ns);
	} else if (delay(p, &ns)) {
		report_out_str(&o, one_stamp);
	}
	overhead(&o, p);
	report_out_str(&o, " #");
	report_out_u64(&o, p->id);
	if (p->retransmission)
		report_out_str(&o, " retransmission");
	if (p->translated && *report_nat(o.style, t, &p->translation, nat)) {
		report_out_str(&o, " (nat ");
		report_out_str(&o, nat);
		report_out_chr(&o, ')');
	}
	status(&o, p);
	report_out_chr(&o, '\n');
	if (o.style->verbose) {
		if (p->encapsulated)
			tunnel(&o, p);
		observations(&o, p, net);
	}
	return report_out_done(&o);
}
