#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/envelope/codec.h"
#include "tests/unit/envelope/content_examples.h"

static struct examples examples;
static uint8_t memory[HEADS_SIZE_MAX];
static struct receipt receipt;
static struct heads_statement heads;
static struct prekeys prekeys;
static struct cannot_open cannot_open;
static struct missing_statement missing;

static int make_examples(void **state)
{
	examples_make(&examples);
	return 0;
}

/* ---- receipts ---- */

static enum error round_trip_receipt(struct bytes encoded, struct buffer *again)
{
	enum error error = receipt_decode(encoded, &receipt);

	if (error == ERROR_OK)
		receipt_encode(&receipt, again);
	return error;
}

static enum error encode_and_decode_receipt(void)
{
	struct buffer buffer = buffer_make(memory, RECEIPT_SIZE_MAX);

	receipt_encode(&receipt, &buffer);
	assert_int_equal(buffer_error(&buffer), ERROR_OK);
	return receipt_decode(buffer_bytes(&buffer), &receipt);
}

static void load_receipt(void)
{
	assert_int_equal(receipt_decode(examples_get(&examples, "receipt"), &receipt), ERROR_OK);
}

static void receipts_survive_hostile_bytes(void **state)
{
	codec_check(examples_get(&examples, "receipt"), round_trip_receipt);
}

static enum error decode_with_ranges(struct held_range held, struct held_range held_2,
				     struct refused_range refused)
{
	load_receipt();
	receipt.held_count = 2;
	receipt.held[0] = held;
	receipt.held[1] = held_2;
	receipt.refused_count = 1;
	receipt.refused[0] = refused;
	return encode_and_decode_receipt();
}

static void no_position_of_a_receipt_is_named_twice(void **state)
{
	assert_int_equal(decode_with_ranges((struct held_range){0, 2}, (struct held_range){4, 2},
					    (struct refused_range){2, 2, 64}),
			 ERROR_OK);
	assert_int_equal(decode_with_ranges((struct held_range){0, 2}, (struct held_range){1, 2},
					    (struct refused_range){9, 1, 64}),
			 ERROR_MALFORMED);
	assert_int_equal(decode_with_ranges((struct held_range){4, 1}, (struct held_range){0, 1},
					    (struct refused_range){9, 1, 64}),
			 ERROR_MALFORMED);
	assert_int_equal(decode_with_ranges((struct held_range){0, 2}, (struct held_range){4, 2},
					    (struct refused_range){3, 2, 64}),
			 ERROR_MALFORMED);
	assert_int_equal(decode_with_ranges((struct held_range){0, 2}, (struct held_range){4, 2},
					    (struct refused_range){1, 1, 64}),
			 ERROR_MALFORMED);
	assert_int_equal(decode_with_ranges((struct held_range){0, 2}, (struct held_range){4, 2},
					    (struct refused_range){0, POSITION_MAX, 64}),
			 ERROR_MALFORMED);
}

static void refused_ranges_ascend_and_have_reasons(void **state)
{
	load_receipt();
	receipt.held_count = 0;
	receipt.refused_count = 2;
	receipt.refused[0] = (struct refused_range){0, 2, 64};
	receipt.refused[1] = (struct refused_range){2, 1, REASON_NUMBER_MAX};
	assert_int_equal(encode_and_decode_receipt(), ERROR_OK);
	receipt.refused[1] = (struct refused_range){1, 1, 64};
	assert_int_equal(encode_and_decode_receipt(), ERROR_MALFORMED);
	load_receipt();
	receipt.refused[0].reason = 63;
	assert_int_equal(encode_and_decode_receipt(), ERROR_OUT_OF_RANGE);
	load_receipt();
	receipt.refused[0].reason = 0;
	assert_int_equal(encode_and_decode_receipt(), ERROR_OUT_OF_RANGE);
	load_receipt();
	receipt.refused[0].reason = REASON_NUMBER_MAX + 1;
	assert_int_equal(encode_and_decode_receipt(), ERROR_OUT_OF_RANGE);
}

static void positions_of_a_receipt_are_bounded(void **state)
{
	load_receipt();
	receipt.refused_count = 0;
	receipt.held[0] = (struct held_range){0, POSITION_MAX + 1};
	assert_int_equal(encode_and_decode_receipt(), ERROR_OK);
	assert_int_equal(receipt_positions(&receipt), POSITION_MAX + 1);
	receipt.held[0] = (struct held_range){1, POSITION_MAX + 1};
	assert_int_equal(encode_and_decode_receipt(), ERROR_OUT_OF_RANGE);
	load_receipt();
	receipt.held[0] = (struct held_range){0, 0};
	assert_int_equal(encode_and_decode_receipt(), ERROR_OUT_OF_RANGE);
	load_receipt();
	receipt.held[0] = (struct held_range){POSITION_MAX, UINT64_MAX};
	assert_int_equal(encode_and_decode_receipt(), ERROR_OUT_OF_RANGE);
	load_receipt();
	receipt.by = LOG_MAX + 1;
	assert_int_equal(encode_and_decode_receipt(), ERROR_OUT_OF_RANGE);
	load_receipt();
	receipt.log = LOG_MAX + 1;
	assert_int_equal(encode_and_decode_receipt(), ERROR_OUT_OF_RANGE);
	load_receipt();
	receipt.incarnation = 0;
	assert_int_equal(encode_and_decode_receipt(), ERROR_OUT_OF_RANGE);
}

/* A receipt of so many held and refused ranges, as large as they get. */
static void fill_ranges(size_t held_count, size_t refused_count)
{
	uint64_t first = POSITION_MAX - 2 * RANGES_MAX;

	load_receipt();
	receipt.held_count = held_count;
	for (size_t i = 0; i < held_count; i++)
		receipt.held[i] = (struct held_range){first++, 1};
	receipt.refused_count = refused_count;
	for (size_t i = 0; i < refused_count; i++)
		receipt.refused[i] = (struct refused_range){first++, 1, REASON_NUMBER_MAX};
}

static void a_receipt_names_1_to_64_ranges(void **state)
{
	/* [0, 0, 1, held 32 ranges, refused 33 ranges, ...] is more than encoding allows: written by hand. */
	uint8_t hostile[1024];
	struct buffer buffer = buffer_make(hostile, sizeof(hostile));

	fill_ranges(RANGES_MAX, 0);
	assert_int_equal(encode_and_decode_receipt(), ERROR_OK);
	fill_ranges(0, RANGES_MAX);
	assert_int_equal(encode_and_decode_receipt(), ERROR_OK);
	assert_int_equal(receipt_positions(&receipt), RANGES_MAX);
	fill_ranges(0, 0);
	assert_int_equal(encode_and_decode_receipt(), ERROR_MALFORMED);

	buffer_append(&buffer, bytes_make("\x88\x00\x00\x01\x98\x40", 6));
	for (uint8_t i = 0; i < 32; i++) {
		buffer_append(&buffer, bytes_make("\x18", 1));
		buffer_append_byte(&buffer, (uint8_t)(24 + i));
		buffer_append_byte(&buffer, 1);
	}
	buffer_append(&buffer, bytes_make("\x98\x63", 2));
	for (uint8_t i = 0; i < 33; i++) {
		buffer_append(&buffer, bytes_make("\x18", 1));
		buffer_append_byte(&buffer, (uint8_t)(64 + i));
		buffer_append(&buffer, bytes_make("\x01\x18\x40", 3));
	}
	buffer_append(&buffer, bytes_make("\x58\x20", 2));
	for (size_t i = 0; i < 32; i++)
		buffer_append_byte(&buffer, 0);
	buffer_append(&buffer, bytes_make("\x48zzzzzzzz\x00", 10));
	assert_int_equal(receipt_decode(buffer_bytes(&buffer), &receipt), ERROR_MALFORMED);
	assert_int_equal(receipt.held_count + receipt.refused_count, RANGES_MAX + 1);
}

static void a_digest_covers_each_position_and_identity(void **state)
{
	uint8_t digest[32], identity[IDENTITY_SIZE];
	struct receipt_digest state_of_digest;

	load_receipt();
	memset(identity, 0x44, sizeof(identity));
	receipt_digest_init(&state_of_digest);
	receipt_digest_add(&state_of_digest, 0, examples_get(&examples, "identity of the message").data);
	receipt_digest_add(&state_of_digest, 1, identity);
	receipt_digest_final(&state_of_digest, digest);
	assert_memory_equal(digest, receipt.digest, sizeof(digest));
	receipt_digest_init(&state_of_digest);
	receipt_digest_add(&state_of_digest, 0, examples_get(&examples, "identity of the message").data);
	receipt_digest_add(&state_of_digest, 2, identity);
	receipt_digest_final(&state_of_digest, digest);
	assert_memory_not_equal(digest, receipt.digest, sizeof(digest));
	identity[IDENTITY_SIZE - 1] ^= 1;
	receipt_digest_init(&state_of_digest);
	receipt_digest_add(&state_of_digest, 0, examples_get(&examples, "identity of the message").data);
	receipt_digest_add(&state_of_digest, 1, identity);
	receipt_digest_final(&state_of_digest, digest);
	assert_memory_not_equal(digest, receipt.digest, sizeof(digest));
}

/* ---- heads ---- */

static enum error round_trip_heads(struct bytes encoded, struct buffer *again)
{
	enum error error = heads_decode(encoded, &heads);

	if (error == ERROR_OK)
		heads_encode(&heads, again);
	return error;
}

static enum error encode_and_decode_heads(void)
{
	struct buffer buffer = buffer_make(memory, sizeof(memory));

	heads_encode(&heads, &buffer);
	assert_int_equal(buffer_error(&buffer), ERROR_OK);
	return heads_decode(buffer_bytes(&buffer), &heads);
}

static void load_heads(void)
{
	assert_int_equal(heads_decode(examples_get(&examples, "heads"), &heads), ERROR_OK);
}

static void heads_survive_hostile_bytes(void **state)
{
	codec_check(examples_get(&examples, "heads"), round_trip_heads);
}

static void the_own_head_is_first_and_bare(void **state)
{
	load_heads();
	heads.heads[0].has_cosignature = true;
	assert_int_equal(encode_and_decode_heads(), ERROR_MALFORMED);
	load_heads();
	heads.by ^= 1;
	assert_int_equal(encode_and_decode_heads(), ERROR_MALFORMED);
	load_heads();
	heads.heads[1].log = heads.by;
	assert_int_equal(encode_and_decode_heads(), ERROR_MALFORMED);
	load_heads();
	heads.heads[1].has_cosignature = false;
	assert_int_equal(encode_and_decode_heads(), ERROR_MALFORMED);
	load_heads();
	heads.heads_count = 1;
	assert_int_equal(encode_and_decode_heads(), ERROR_OK);
	heads.heads_count = 0;
	assert_int_equal(encode_and_decode_heads(), ERROR_MALFORMED);
}

static void heads_of_others_ascend(void **state)
{
	load_heads();
	heads.heads_count = 3;
	heads.heads[2] = heads.heads[1];
	assert_int_equal(encode_and_decode_heads(), ERROR_MALFORMED);
	load_heads();
	heads.heads_count = 3;
	heads.heads[2] = heads.heads[1];
	heads.heads[2].incarnation = 2;
	assert_int_equal(encode_and_decode_heads(), ERROR_OK);
	heads.heads[1].log = 200;
	assert_int_equal(encode_and_decode_heads(), ERROR_MALFORMED);
}

static void former_heads_of_the_own_log_are_bare_and_earlier(void **state)
{
	load_heads();
	heads.heads[0].incarnation = 3;
	heads.heads_count = 4;
	heads.heads[2] = heads.heads[0];
	heads.heads[2].incarnation = 1;
	heads.heads[3] = heads.heads[0];
	heads.heads[3].incarnation = 2;
	assert_true(heads.heads[1].log < heads.by);
	assert_int_equal(encode_and_decode_heads(), ERROR_OK);
	heads.heads[3].incarnation = 3; /* the newest once more */
	assert_int_equal(encode_and_decode_heads(), ERROR_MALFORMED);
	heads.heads[3].incarnation = 2;
	heads.heads[3].has_cosignature = true; /* nobody cosigns his own */
	assert_int_equal(encode_and_decode_heads(), ERROR_MALFORMED);
	heads.heads[3].has_cosignature = false;
	heads.heads[2].incarnation = 2; /* out of order */
	heads.heads[3].incarnation = 1;
	assert_int_equal(encode_and_decode_heads(), ERROR_MALFORMED);
}

static void as_many_heads_as_may_be_fit_their_bound(void **state)
{
	load_heads();
	heads.heads[0].size = POSITION_MAX + 1;
	heads.heads_count = HEADS_STATED_MAX;
	for (size_t i = 1; i < HEADS_STATED_MAX; i++) {
		heads.heads[i] = heads.heads[1];
		heads.heads[i].log = 1000 + i;
		heads.heads[i].incarnation = INCARNATIONS_MAX;
		heads.heads[i].size = POSITION_MAX + 1;
		heads.heads[i].cosigned_at = TIME_MAX;
	}
	heads.proof.count = PROOF_HASHES_MAX;
	assert_int_equal(encode_and_decode_heads(), ERROR_OK);
	heads.heads[1].size = POSITION_MAX + 2;
	assert_int_equal(encode_and_decode_heads(), ERROR_OUT_OF_RANGE);
}

static void a_proof_begins_within_the_own_head(void **state)
{
	load_heads();
	heads.old_size = heads.heads[0].size;
	assert_int_equal(encode_and_decode_heads(), ERROR_OK);
	heads.old_size = heads.heads[0].size + 1;
	assert_int_equal(encode_and_decode_heads(), ERROR_OUT_OF_RANGE);
	load_heads();
	heads.old_size = 0;
	assert_int_equal(encode_and_decode_heads(), ERROR_OUT_OF_RANGE);
	load_heads();
	heads.has_proof = false;
	assert_int_equal(encode_and_decode_heads(), ERROR_OK);
	assert_false(heads.has_proof);
}

/* ---- prekeys ---- */

static enum error round_trip_prekeys(struct bytes encoded, struct buffer *again)
{
	enum error error = prekeys_decode(encoded, &prekeys);

	if (error == ERROR_OK)
		prekeys_encode(&prekeys, again);
	return error;
}

static enum error encode_and_decode_prekeys(void)
{
	struct buffer buffer = buffer_make(memory, PREKEYS_SIZE_MAX);

	prekeys_encode(&prekeys, &buffer);
	assert_int_equal(buffer_error(&buffer), ERROR_OK);
	return prekeys_decode(buffer_bytes(&buffer), &prekeys);
}

static void load_prekeys(void)
{
	assert_int_equal(prekeys_decode(examples_get(&examples, "prekeys"), &prekeys), ERROR_OK);
}

static void prekeys_survive_hostile_bytes(void **state)
{
	codec_check(examples_get(&examples, "prekeys"), round_trip_prekeys);
}

static void prekeys_are_within_their_bounds(void **state)
{
	load_prekeys();
	prekeys.slot = POST_SLOTS;
	assert_int_equal(encode_and_decode_prekeys(), ERROR_OUT_OF_RANGE);
	load_prekeys();
	prekeys.number = 0;
	assert_int_equal(encode_and_decode_prekeys(), ERROR_OUT_OF_RANGE);
	load_prekeys();
	prekeys.length_s = EPOCH_LENGTH_S_MIN - 1;
	assert_int_equal(encode_and_decode_prekeys(), ERROR_OUT_OF_RANGE);
	load_prekeys();
	prekeys.length_s = EPOCH_LENGTH_S_MAX + 1;
	assert_int_equal(encode_and_decode_prekeys(), ERROR_OUT_OF_RANGE);
	load_prekeys();
	prekeys.first_epoch = EPOCH_MAX - 1;
	assert_int_equal(encode_and_decode_prekeys(), ERROR_OK);
	prekeys.first_epoch = EPOCH_MAX;
	assert_int_equal(encode_and_decode_prekeys(), ERROR_OUT_OF_RANGE);
	load_prekeys();
	prekeys.keys_count = 0;
	assert_int_equal(encode_and_decode_prekeys(), ERROR_MALFORMED);
	load_prekeys();
	prekeys.keys_count = EPOCHS_AHEAD_MAX;
	for (size_t i = 2; i < EPOCHS_AHEAD_MAX; i++)
		memcpy(prekeys.keys[i], prekeys.keys[0], PUBLIC_KEY_SIZE);
	assert_int_equal(encode_and_decode_prekeys(), ERROR_OK);
}

static void prekeys_of_small_order_are_refused(void **state)
{
	load_prekeys();
	memset(prekeys.keys[1], 0, PUBLIC_KEY_SIZE);
	assert_int_equal(encode_and_decode_prekeys(), ERROR_BAD_KEY);
	load_prekeys();
	memset(prekeys.last_resort, 0, PUBLIC_KEY_SIZE);
	assert_int_equal(encode_and_decode_prekeys(), ERROR_BAD_KEY);
}

static void the_sender_uses_the_epoch_of_its_own_clock(void **state)
{
	const uint64_t window = 3600;
	uint64_t epoch = 0, end;

	load_prekeys();
	end = prekeys.start + 2 * prekeys.length_s;
	assert_true(prekeys_epoch_at(&prekeys, prekeys.start, window, &epoch));
	assert_int_equal(epoch, 20);
	assert_true(prekeys_epoch_at(&prekeys, prekeys.start + prekeys.length_s - 1, window, &epoch));
	assert_int_equal(epoch, 20);
	assert_true(prekeys_epoch_at(&prekeys, prekeys.start + prekeys.length_s, window, &epoch));
	assert_int_equal(epoch, 21);
	assert_ptr_equal(prekeys_key(&prekeys, 21), prekeys.keys[1]);
	/* Clamped before the first and after the last, until a window after their end. */
	assert_true(prekeys_epoch_at(&prekeys, 0, window, &epoch));
	assert_int_equal(epoch, 20);
	assert_true(prekeys_epoch_at(&prekeys, end + window, window, &epoch));
	assert_int_equal(epoch, 21);
	assert_false(prekeys_epoch_at(&prekeys, end + window + 1, window, &epoch));
	assert_false(prekeys_epoch_at(&prekeys, UINT64_MAX, window, &epoch));
	assert_null(prekeys_key(&prekeys, 19));
	assert_null(prekeys_key(&prekeys, 22));
}

/* ---- cannot open ---- */

static enum error round_trip_cannot_open(struct bytes encoded, struct buffer *again)
{
	enum error error = cannot_open_decode(encoded, &cannot_open);

	if (error == ERROR_OK)
		cannot_open_encode(&cannot_open, again);
	return error;
}

static void cannot_open_survives_hostile_bytes(void **state)
{
	codec_check(examples_get(&examples, "cannot open"), round_trip_cannot_open);
}

static void cannot_open_names_1_to_64_copies(void **state)
{
	struct buffer buffer = buffer_make(memory, CANNOT_OPEN_SIZE_MAX);

	assert_int_equal(cannot_open_decode(examples_get(&examples, "cannot open"), &cannot_open), ERROR_OK);
	assert_int_equal(cannot_open.hashes_count, 1);
	assert_int_equal(cannot_open.hashes[0][31], 0x47);
	cannot_open.hashes_count = RANGES_MAX;
	cannot_open_encode(&cannot_open, &buffer);
	assert_int_equal(buffer_error(&buffer), ERROR_OK);
	assert_int_equal(cannot_open_decode(buffer_bytes(&buffer), &cannot_open), ERROR_OK);
	/* [0, []] */
	assert_int_equal(cannot_open_decode(bytes_make("\x82\x00\x80", 3), &cannot_open), ERROR_MALFORMED);
	/* [64, ...] */
	assert_int_equal(cannot_open_decode(bytes_make("\x82\x18\x40\x80", 4), &cannot_open),
			 ERROR_OUT_OF_RANGE);
}

/* ---- missing ---- */

static enum error round_trip_missing(struct bytes encoded, struct buffer *again)
{
	enum error error = missing_decode(encoded, &missing);

	if (error == ERROR_OK)
		missing_encode(&missing, again);
	return error;
}

static void missing_survives_hostile_bytes(void **state)
{
	codec_check(examples_get(&examples, "missing"), round_trip_missing);
}

static enum error encode_and_decode_missing(void)
{
	struct buffer buffer = buffer_make(memory, MISSING_SIZE_MAX);

	missing_encode(&missing, &buffer);
	assert_int_equal(buffer_error(&buffer), ERROR_OK);
	return missing_decode(buffer_bytes(&buffer), &missing);
}

static void ranges_that_are_missing_ascend_and_do_not_touch(void **state)
{
	assert_int_equal(missing_decode(examples_get(&examples, "missing"), &missing), ERROR_OK);
	assert_int_equal(missing.ranges_count, 2);
	assert_int_equal(missing.ranges[1].first + missing.ranges[1].count, POSITION_MAX + 1);
	missing.ranges[1].first = 9; /* touches */
	missing.ranges[1].count = 1;
	assert_int_equal(encode_and_decode_missing(), ERROR_MALFORMED);
	missing.ranges_count = 1;
	missing.ranges[0] = (struct held_range){.first = POSITION_MAX, .count = 2};
	assert_int_equal(encode_and_decode_missing(), ERROR_OUT_OF_RANGE);
	missing.ranges_count = RANGES_MAX;
	for (size_t i = 0; i < RANGES_MAX; i++)
		missing.ranges[i] =
			(struct held_range){.first = POSITION_MAX - 2 * (RANGES_MAX - 1 - i), .count = 1};
	missing.by = missing.log = LOG_MAX;
	missing.incarnation = INCARNATIONS_MAX;
	assert_int_equal(encode_and_decode_missing(), ERROR_OK);
	missing.incarnation = 0;
	assert_int_equal(encode_and_decode_missing(), ERROR_OUT_OF_RANGE);
	/* [0, 0, 1, []] */
	assert_int_equal(missing_decode(bytes_make("\x84\x00\x00\x01\x80", 5), &missing), ERROR_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(receipts_survive_hostile_bytes),
		cmocka_unit_test(no_position_of_a_receipt_is_named_twice),
		cmocka_unit_test(refused_ranges_ascend_and_have_reasons),
		cmocka_unit_test(positions_of_a_receipt_are_bounded),
		cmocka_unit_test(a_receipt_names_1_to_64_ranges),
		cmocka_unit_test(a_digest_covers_each_position_and_identity),
		cmocka_unit_test(heads_survive_hostile_bytes),
		cmocka_unit_test(the_own_head_is_first_and_bare),
		cmocka_unit_test(heads_of_others_ascend),
		cmocka_unit_test(former_heads_of_the_own_log_are_bare_and_earlier),
		cmocka_unit_test(as_many_heads_as_may_be_fit_their_bound),
		cmocka_unit_test(a_proof_begins_within_the_own_head),
		cmocka_unit_test(prekeys_survive_hostile_bytes),
		cmocka_unit_test(prekeys_are_within_their_bounds),
		cmocka_unit_test(prekeys_of_small_order_are_refused),
		cmocka_unit_test(the_sender_uses_the_epoch_of_its_own_clock),
		cmocka_unit_test(cannot_open_survives_hostile_bytes),
		cmocka_unit_test(cannot_open_names_1_to_64_copies),
		cmocka_unit_test(missing_survives_hostile_bytes),
		cmocka_unit_test(ranges_that_are_missing_ascend_and_do_not_touch),
	};

	return cmocka_run_group_tests(tests, make_examples, NULL);
}
