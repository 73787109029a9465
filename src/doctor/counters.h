/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * counters.h - one reading of the kernel's counters: what is asked, and where answers go.
 */
#ifndef DOCTOR_COUNTERS_H
#define DOCTOR_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "doctor_dump.h"
#include "podhop/doctor.h"

#define COUNTER_FILE_MAX (1u << 20)

struct doctor_rule;

struct reading {
	struct doctor_counters *to;
	bool oom;
};

void doctor_count(struct reading *r, const char *group, const char *object, const char *name,
		 uint64_t value);
/* The end of a reading: sorted, one of each name. Queues that cannot be told apart are summed. */
void doctor_counters_merge(struct doctor_counters *c);

enum counter_question {
	COUNTER_LINKS,
	COUNTER_QUEUES,
	COUNTER_RULES,
	COUNTER_QUESTIONS,
};
extern const struct doctor_question doctor_counter_questions[COUNTER_QUESTIONS];
/* What a dump said: elements of the question's size; the caller's heap. */
struct counter_answer {
	void *array;
	unsigned n;
};
void doctor_count_answers(struct reading *r, const struct counter_answer a[COUNTER_QUESTIONS]);
/* A rule as the object of its counter: "ip filter FORWARD #4". */
void doctor_rule_name(const struct doctor_rule *rule, char out[static 64]);

/* Below /proc; what is not there has no counters. */
#define COUNTER_FILES 6
struct counter_file {
	const char *path;
	void (*parse)(struct reading *r, const char *text);
};
extern const struct counter_file doctor_counter_files[COUNTER_FILES];

#endif
