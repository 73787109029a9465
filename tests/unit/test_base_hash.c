/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_base_hash.c - what a stranger chooses does not fall into one bucket of a keyed table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "podhop/hash.h"

#define INPUTS 65536u
#define BUCKETS 65536u
/* Of a random function 8; a product keeps some of its inputs' order. Without a key: all. */
#define LOAD_MAX 64u

/* hash_mix()'s constants: what an adversary knows. */
#define A_ZERO(what) ((what) * 0x9e3779b97f4a7c15ull)
#define B_ZERO 0xa0761d6478bd642full

static unsigned fullest(uint64_t (*input_hash)(uint64_t n, uint64_t key), uint64_t key)
{
	static uint8_t load[BUCKETS];
	unsigned most = 0;

	memset(load, 0, sizeof(load));
	for (uint64_t n = 0; n < INPUTS; n++) {
		uint8_t *b = &load[input_hash(n, key) & (BUCKETS - 1)];

		*b = (uint8_t)(*b + (*b < UINT8_MAX));
		most = *b > most ? *b : most;
	}
	return most;
}

/* The second factor is 0 without a key. */
static uint64_t b_zero(uint64_t n, uint64_t key)
{
	return hash_keyed(n, B_ZERO, key, 1);
}

/* The first one is. */
static uint64_t a_zero(uint64_t n, uint64_t key)
{
	return hash_keyed(A_ZERO(3), n << 40 | 7, key, 3);
}

/* One factor is a power of two: the product is the other one, moved. */
static uint64_t shifted(uint64_t n, uint64_t key)
{
	return hash_keyed(n << 48, B_ZERO ^ 1ull << 16, key, 1);
}

static uint64_t counted_up(uint64_t n, uint64_t key)
{
	return hash_keyed(0xfd00000000000000ull + n, 2, key, 2);
}

/* Ports and addresses as observe_tuple_hash() joins them. */
static uint64_t tuple(uint64_t n, uint64_t key)
{
	return hash_mix(hash_keyed(n, B_ZERO, key, 1) ^ (17ull << 32 | 4000 << 16 | 53),
			hash_keyed(7, B_ZERO, key, 2), 3);
}

static void test_crafted(void **state)
{
	static uint64_t (*const craft[])(uint64_t, uint64_t) = { b_zero, a_zero, shifted,
								 counted_up, tuple };

	(void)state;
	/* That it is worth the trouble: without a key all are one. */
	for (uint64_t n = 0; n < 100; n++)
		assert_int_equal(hash_mix(n, B_ZERO, 1), hash_mix(0, B_ZERO, 1));
	for (unsigned i = 0; i < sizeof(craft) / sizeof(craft[0]); i++)
		for (uint64_t run = 1; run <= 20; run++) {
			/* Keys as getrandom() gives them, the same in each run of this test. */
			uint64_t key = hash_mix(run, 0x0123456789abcdefull, 77);

			assert_in_range(fullest(craft[i], key), 1, LOAD_MAX);
		}
}

/* What was found to fall into one bucket under one key is spread under another. */
static void test_key_matters(void **state)
{
	const uint64_t key = 0x5eed5eed12345678ull, other = 0x1122334455667788ull;
	uint64_t found[256];
	unsigned n_found = 0, most = 0;
	uint8_t load[256] = { 0 };

	(void)state;
	for (uint64_t n = 0; n_found < 256; n++)
		if ((hash_keyed(n, 99, key, 1) & 255) == 0)
			found[n_found++] = n;
	for (unsigned i = 0; i < 256; i++) {
		uint8_t *b = &load[hash_keyed(found[i], 99, other, 1) & 255];

		*b = (uint8_t)(*b + 1);
		most = *b > most ? *b : most;
	}
	assert_in_range(most, 1, LOAD_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crafted),
		cmocka_unit_test(test_key_matters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
