#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "envelope/padding.h"
#include "tests/unit/envelope/codec.h"
#include "tests/unit/envelope/content_examples.h"

static struct examples examples;
static uint8_t memory[WIRE_SIZE_MAX];
static struct wire wire;
static struct leaf leaf;

static int make_examples(void **state)
{
	examples_make(&examples);
	return 0;
}

/* ---- leaves ---- */

static enum error round_trip_leaf(struct bytes encoded, struct buffer *again)
{
	enum error error = leaf_decode(encoded, &leaf);

	if (error == ERROR_OK)
		leaf_encode(&leaf, again);
	return error;
}

static void leaves_survive_hostile_bytes(void **state)
{
	codec_check(examples_get(&examples, "leaf"), round_trip_leaf);
}

static enum error encode_and_decode_leaf(void)
{
	uint8_t encoded[LEAF_SIZE_MAX];
	struct buffer buffer = buffer_make(encoded, sizeof(encoded));

	leaf_encode(&leaf, &buffer);
	assert_int_equal(buffer_error(&buffer), ERROR_OK);
	return leaf_decode(buffer_bytes(&buffer), &leaf);
}

static void heads_seen_ascend_and_are_few(void **state)
{
	assert_int_equal(leaf_decode(examples_get(&examples, "leaf"), &leaf), ERROR_OK);
	leaf.heads.count = 2;
	leaf.heads.heads[1] = leaf.heads.heads[0];
	assert_int_equal(encode_and_decode_leaf(), ERROR_MALFORMED);
	leaf.heads.count = HEADS_SEEN_MAX;
	for (size_t i = 0; i < HEADS_SEEN_MAX; i++)
		leaf.heads.heads[i] = (struct head_seen){LOG_MAX - HEADS_SEEN_MAX + 1 + i, INCARNATIONS_MAX,
							 POSITION_MAX + 1};
	leaf.position = POSITION_MAX;
	assert_int_equal(encode_and_decode_leaf(), ERROR_OK);
	leaf.heads.heads[0].size = 0;
	assert_int_equal(encode_and_decode_leaf(), ERROR_OUT_OF_RANGE);
	leaf.heads.count = 1;
	leaf.heads.heads[0] = (struct head_seen){0, 0, 1};
	assert_int_equal(encode_and_decode_leaf(), ERROR_OUT_OF_RANGE);
	leaf.heads.heads[0] = (struct head_seen){LOG_MAX + 1, 1, 1};
	assert_int_equal(encode_and_decode_leaf(), ERROR_OUT_OF_RANGE);
	leaf.heads.count = 0;
	assert_int_equal(encode_and_decode_leaf(), ERROR_OK);
	leaf.position = POSITION_MAX + 1;
	assert_int_equal(encode_and_decode_leaf(), ERROR_OUT_OF_RANGE);
}

/* ---- the plaintext of a copy ---- */

static enum error round_trip_wire(struct bytes encoded, struct buffer *again)
{
	enum error error = wire_decode(encoded, &wire);

	if (error == ERROR_OK)
		assert_int_equal(wire_encode(&wire, again), ERROR_OK);
	return error;
}

static void an_entry_survives_hostile_bytes(void **state)
{
	codec_check(examples_get(&examples, "wire entry, padded"), round_trip_wire);
}

static struct bytes encode_statement(enum statement_kind statement, bool has_tag, const char *name)
{
	struct buffer buffer = buffer_make(memory, sizeof(memory));

	wire = (struct wire){.kind = WIRE_STATEMENT, .statement = statement, .has_tag = has_tag};
	wire.cose = examples_get(&examples, name);
	assert_int_equal(wire_encode(&wire, &buffer), ERROR_OK);
	return buffer_bytes(&buffer);
}

static void statements_survive_hostile_bytes(void **state)
{
	static uint8_t copy[2048];
	struct bytes encoded = encode_statement(STATEMENT_RECEIPT, true, "receipt, signed");

	assert_true(encoded.size <= sizeof(copy));
	memcpy(copy, encoded.data, encoded.size);
	codec_check(bytes_make(copy, encoded.size), round_trip_wire);
}

static void statements_of_logs_have_a_tag_and_others_none(void **state)
{
	assert_int_equal(wire_decode(encode_statement(STATEMENT_RECEIPT, true, "receipt, signed"), &wire),
			 ERROR_OK);
	assert_int_equal(wire_decode(encode_statement(STATEMENT_HEADS, true, "heads, signed"), &wire),
			 ERROR_OK);
	assert_true(bytes_equal(wire.cose, examples_get(&examples, "heads, signed")));
	assert_int_equal(wire_decode(encode_statement(STATEMENT_PREKEYS, false, "prekeys, signed"), &wire),
			 ERROR_OK);
	assert_int_equal(
		wire_decode(encode_statement(STATEMENT_CANNOT_OPEN, false, "cannot open, signed"), &wire),
		ERROR_OK);
	assert_int_equal(wire_decode(encode_statement(STATEMENT_RECEIPT, false, "receipt, signed"), &wire),
			 ERROR_MALFORMED);
	assert_int_equal(wire_decode(encode_statement(STATEMENT_HEADS, false, "heads, signed"), &wire),
			 ERROR_MALFORMED);
	assert_int_equal(wire_decode(encode_statement(STATEMENT_PREKEYS, true, "prekeys, signed"), &wire),
			 ERROR_MALFORMED);
	assert_int_equal(
		wire_decode(encode_statement(STATEMENT_CANNOT_OPEN, true, "cannot open, signed"), &wire),
		ERROR_MALFORMED);
	assert_int_equal(wire_decode(encode_statement(STATEMENT_MISSING, true, "missing, signed"), &wire),
			 ERROR_OK);
	assert_int_equal(wire_decode(encode_statement(STATEMENT_MISSING, false, "missing, signed"), &wire),
			 ERROR_MALFORMED);
	assert_int_equal(
		wire_decode(encode_statement((enum statement_kind)6, true, "receipt, signed"), &wire),
		ERROR_UNSUPPORTED);
}

static void a_returned_entry_survives_hostile_bytes_and_names_its_log(void **state)
{
	struct bytes encoded = examples_get(&examples, "wire returned entry, padded");

	codec_check(encoded, round_trip_wire);
	assert_int_equal(wire_decode(encoded, &wire), ERROR_OK);
	assert_int_equal(wire.kind, WIRE_RETURNED);
	assert_int_equal(wire.log, 64);
	assert_true(bytes_equal(wire.cose, examples_get(&examples, "message, signed")));
	struct buffer buffer = buffer_make(memory, sizeof(memory));
	wire.log = LOG_MAX + 1;
	assert_int_equal(wire_encode(&wire, &buffer), ERROR_OK);
	assert_int_equal(wire_decode(buffer_bytes(&buffer), &wire), ERROR_OUT_OF_RANGE);
}

static void padding_carries_nothing(void **state)
{
	struct bytes example = examples_get(&examples, "wire entry, padded");
	uint8_t copy[2048];

	assert_true(example.size + 16 <= sizeof(copy));
	memset(copy, 0, sizeof(copy));
	memcpy(copy, example.data, example.size);
	assert_int_equal(copy[example.size - 1], 0);
	copy[example.size - 1] = 1;
	assert_int_equal(wire_decode(bytes_make(copy, example.size), &wire), ERROR_MALFORMED);
	copy[example.size - 1] = 0;
	assert_int_equal(wire_decode(bytes_make(copy, example.size), &wire), ERROR_OK);
	/* One bucket more than needed. */
	assert_int_equal(wire_decode(bytes_make(copy, example.size + 16), &wire), ERROR_MALFORMED);
}

static void the_largest_entry_fits(void **state)
{
	static uint8_t cose[ENTRY_SIZE_MAX];
	struct buffer buffer = buffer_make(memory, sizeof(memory));
	size_t overhead = 1 + 3 + 3 + 5 + 3 + HEADS_SEEN_MAX * (3 + 3 + 9);

	assert_int_equal(padding_size(ENTRY_SIZE_MAX), WIRE_SIZE_MAX);
	/* All that an entry can hold at most: two signatures on CONTENT_SIZE_MAX bytes, and every head. */
	assert_true(cose_signed_size(2, CONTENT_SIZE_MAX) + overhead <= ENTRY_SIZE_MAX);
	memset(cose, 0, sizeof(cose));
	wire = (struct wire){.kind = WIRE_ENTRY, .has_tag = true, .incarnation = 1};
	wire.cose = bytes_make(cose, sizeof(cose));
	buffer.size_max = 100;
	assert_int_equal(wire_encode(&wire, &buffer), ERROR_TOO_LARGE);
}

/* ---- sizes ---- */

/* A text of 160 bytes from one officer, at position 1000, with one head seen. */
static size_t entry_size(void)
{
	static struct content content;
	static uint8_t room[2048];
	struct buffer payload = buffer_make(room, 1024), cose = buffer_make(room + 1024, 1024);
	struct buffer buffer = buffer_make(memory, sizeof(memory));
	struct ed25519_pair pair;
	char text[160];

	memset(text, 'x', sizeof(text));
	memset(&content, 0, sizeof(content));
	content.kind = CONTENT_MESSAGE;
	content.precedence = PRECEDENCE_FLASH;
	content.signers_count = 1;
	content.signers[0] = 200;
	content.of.message.time = EXAMPLE_TIME;
	content.of.message.text = bytes_make(text, sizeof(text));
	content_encode(&content, &payload);
	example_pair(KEY_FEDERATION_OFFICER, &pair);
	assert_int_equal(signed_alone(&pair, &examples.aad, buffer_bytes(&payload), &examples.work, &cose),
			 ERROR_OK);
	wire = (struct wire){.kind = WIRE_ENTRY, .has_tag = true, .incarnation = 1, .position = 1000};
	wire.heads.count = 1;
	wire.heads.heads[0] = (struct head_seen){64, 1, 1000};
	wire.cose = buffer_bytes(&cose);
	assert_int_equal(wire_encode(&wire, &buffer), ERROR_OK);
	return buffer.size;
}

/* A receipt for one entry at position 1000. */
static size_t receipt_size(void)
{
	uint8_t room[1024];
	struct buffer payload = buffer_make(room, 512), cose = buffer_make(room + 512, 512);
	struct buffer buffer = buffer_make(memory, sizeof(memory));
	struct receipt receipt = {.by = 64, .incarnation = 1, .held_count = 1, .time = EXAMPLE_TIME};
	struct ed25519_pair pair;

	receipt.held[0] = (struct held_range){1000, 1};
	receipt_encode(&receipt, &payload);
	example_pair(KEY_HEADQUARTERS_STATEMENTS, &pair);
	assert_int_equal(signed_alone(&pair, &examples.aad, buffer_bytes(&payload), &examples.work, &cose),
			 ERROR_OK);
	wire = (struct wire){.kind = WIRE_STATEMENT, .has_tag = true, .statement = STATEMENT_RECEIPT};
	wire.cose = buffer_bytes(&cose);
	assert_int_equal(wire_encode(&wire, &buffer), ERROR_OK);
	return buffer.size;
}

static void a_short_message_and_its_receipt_are_small(void **state)
{
	/*
	 * Issue "The line": sealed, a text of 160 bytes takes at most 360 bytes and its receipt at most
	 * 220.
	 */
	assert_true(entry_size() <= 288);
	assert_true(cose_sealed_size(entry_size(), COSE_PSK_ID_SIZE) <= 360);
	assert_true(receipt_size() <= 144);
	assert_true(cose_sealed_size(receipt_size(), COSE_PSK_ID_SIZE) <= 220);
	print_message("# entry %zu, sealed %zu; receipt %zu, sealed %zu\n", entry_size(),
		      cose_sealed_size(entry_size(), COSE_PSK_ID_SIZE), receipt_size(),
		      cose_sealed_size(receipt_size(), COSE_PSK_ID_SIZE));
}

/* ---- HPKE info ---- */

static struct bytes encode_info(struct buffer *buffer, const struct seal_end *sender,
				const struct seal_end *receiver, bool has_epoch, uint64_t epoch)
{
	buffer->size = 0;
	seal_info_encode(sender, receiver, has_epoch, epoch, buffer);
	assert_int_equal(buffer_error(buffer), ERROR_OK);
	return buffer_bytes(buffer);
}

static void the_info_tells_direction_and_epoch(void **state)
{
	uint8_t room[2][SEAL_INFO_SIZE_MAX];
	struct buffer one = buffer_make(room[0], sizeof(room[0])),
		      two = buffer_make(room[1], sizeof(room[1]));
	struct seal_end a = {.slot = 1}, b = {.slot = 63};
	struct bytes info;

	memset(a.party, 0xaa, sizeof(a.party));
	memset(b.party, 0xbb, sizeof(b.party));
	info = encode_info(&one, &a, &b, true, EPOCH_MAX);
	assert_false(bytes_equal(info, encode_info(&two, &b, &a, true, EPOCH_MAX)));
	assert_false(bytes_equal(info, encode_info(&two, &b, &b, true, EPOCH_MAX)));
	assert_false(bytes_equal(info, encode_info(&two, &a, &a, true, EPOCH_MAX)));
	assert_false(bytes_equal(info, encode_info(&two, &a, &b, true, 0)));
	assert_false(bytes_equal(encode_info(&one, &a, &b, true, 0), encode_info(&two, &a, &b, false, 0)));
	a.statement_key[0] ^= 1;
	assert_false(bytes_equal(encode_info(&one, &a, &b, true, 0),
				 encode_info(&two, &a, &(struct seal_end){.slot = 63}, true, 0)));
}

static void the_info_of_a_card_names_its_receiver(void **state)
{
	uint8_t room[SEAL_INFO_SIZE_MAX], key[PUBLIC_KEY_SIZE];
	struct buffer buffer = buffer_make(room, sizeof(room));

	memset(key, 0xcc, sizeof(key));
	card_info_encode(examples.roster.ids[0], 3, key, &buffer);
	assert_int_equal(buffer.size, 1 + 13 + 34 + 1 + 34);
	assert_memory_equal(buffer.data, "\x84\x6cliaison card\x58\x20", 16);
	assert_int_equal(buffer.data[48], 3);
	assert_int_equal(buffer.data[82], 0xcc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaves_survive_hostile_bytes),
		cmocka_unit_test(heads_seen_ascend_and_are_few),
		cmocka_unit_test(an_entry_survives_hostile_bytes),
		cmocka_unit_test(statements_survive_hostile_bytes),
		cmocka_unit_test(statements_of_logs_have_a_tag_and_others_none),
		cmocka_unit_test(a_returned_entry_survives_hostile_bytes_and_names_its_log),
		cmocka_unit_test(padding_carries_nothing),
		cmocka_unit_test(the_largest_entry_fits),
		cmocka_unit_test(a_short_message_and_its_receipt_are_small),
		cmocka_unit_test(the_info_tells_direction_and_epoch),
		cmocka_unit_test(the_info_of_a_card_names_its_receiver),
	};

	return cmocka_run_group_tests(tests, make_examples, NULL);
}
