/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * figure.c - numbers with their units as people read them.
 *
 * Figures are made from integers only: no locale changes their decimal point and
 * no 64-bit value loses digits. They are cut, not rounded: 999 us never turns
 * into 1000 us, and a percentage never reaches 100 by rounding. The unit is the
 * largest that leaves at least 1, with three significant digits; bytes have
 * decimal units, as link speeds do.
 */
#include "podhop/figure.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *figure_count(uint64_t v, char out[static FIGURE_MAX])
{
	char digits[FIGURE_MAX];
	int n = snprintf(digits, sizeof(digits), "%" PRIu64, v);
	char *p = out;

	for (int i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0)
			*p++ = ',';
		*p++ = digits[i];
	}
	*p = '\0';
	return out;
}

struct unit {
	const char *name;
	uint64_t size;
};

/* Three significant digits in the largest unit that leaves at least 1. */
static const char *in_unit(uint64_t v, const struct unit *units, unsigned n_units,
			   char out[static FIGURE_MAX])
{
	char whole[FIGURE_MAX];
	unsigned i = n_units - 1;
	uint64_t q, r;

	while (i && v < units[i].size)
		i--;
	q = v / units[i].size;
	r = v % units[i].size;
	if (units[i].size == 1 || q >= 100) {
		figure_count(q, whole);
		snprintf(out, FIGURE_MAX, "%.30s %s", whole, units[i].name);
	} else if (q >= 10) {
		snprintf(out, FIGURE_MAX, "%" PRIu64 ".%" PRIu64 " %s", q,
			 r / (units[i].size / 10), units[i].name);
	} else {
		snprintf(out, FIGURE_MAX, "%" PRIu64 ".%02" PRIu64 " %s", q,
			 r / (units[i].size / 100), units[i].name);
	}
	return out;
}

const char *figure_bytes(uint64_t v, char out[static FIGURE_MAX])
{
	static const struct unit units[] = {
		{ "B", 1 },
		{ "kB", 1000 },
		{ "MB", 1000000 },
		{ "GB", 1000000000 },
		{ "TB", 1000000000000 },
		{ "PB", 1000000000000000 },
		{ "EB", 1000000000000000000 },
	};

	return in_unit(v, units, sizeof(units) / sizeof(units[0]), out);
}

#define US 1000u
#define MS 1000000u
#define SEC 1000000000u

const char *figure_ns(uint64_t ns, char out[static FIGURE_MAX])
{
	static const struct unit units[] = {
		{ "ns", 1 },
		{ "us", US },
		{ "ms", MS },
		{ "s", SEC },
	};
	char whole[FIGURE_MAX];

	/* The kernel stamps in microseconds: digits behind them would be noise. */
	if (ns >= US && ns < MS && (ns >= 10 * US || ns % US == 0)) {
		snprintf(out, FIGURE_MAX, "%.30s us", figure_count(ns / US, whole));
		return out;
	}
	return in_unit(ns, units, sizeof(units) / sizeof(units[0]), out);
}

const char *figure_duration(uint64_t ns, char out[static FIGURE_MAX])
{
	uint64_t s = ns / SEC;

	if (s < 120)
		return figure_ns(ns, out);
	if (s < 7200)
		snprintf(out, FIGURE_MAX, "%" PRIu64 " min %02" PRIu64 " s", s / 60, s % 60);
	else if (s < 172800)
		snprintf(out, FIGURE_MAX, "%" PRIu64 " h %02" PRIu64 " min", s / 3600,
			 s / 60 % 60);
	else
		snprintf(out, FIGURE_MAX, "%" PRIu64 " d %02" PRIu64 " h", s / 86400,
			 s / 3600 % 24);
	return out;
}

const char *figure_pct(uint64_t part, uint64_t whole, char out[static FIGURE_MAX])
{
	char q[FIGURE_MAX];
	uint64_t percent, rest, tenths;

	out[0] = '\0';
	if (!whole)
		return out;
	percent = part / whole < UINT64_MAX / 100 ? part / whole * 100 : UINT64_MAX / 100 * 100;
	rest = part % whole;
	/* Cut, not rounded, and below 100 % as long as anything is missing. */
	if (whole <= UINT64_MAX / 1000)
		tenths = rest * 1000 / whole;
	else
		tenths = rest / (whole / 1000) < 999 ? rest / (whole / 1000) : 999;
	snprintf(out, FIGURE_MAX, "%.30s.%" PRIu64 " %%", figure_count(percent + tenths / 10, q),
		 tenths % 10);
	return out;
}
