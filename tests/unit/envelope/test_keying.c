#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/cbor.h"
#include "envelope/keying.h"
#include "tests/unit/envelope/vectors.h"

static const uint8_t root[KEYING_KEY_SIZE] = {7};
static uint8_t party_a[KEYING_PARTY_SIZE], party_b[KEYING_PARTY_SIZE];

static int fill_parties(void **state)
{
	memset(party_a, 1, sizeof party_a);
	memset(party_b, 2, sizeof party_b);
	hex_reset();
	return 0;
}

static void assert_leaf(unsigned side, unsigned sender_slot, unsigned receiver_slot, bool last_resort,
			const char *expected)
{
	uint8_t leaf[KEYING_KEY_SIZE];

	keying_leaf(root, side, sender_slot, receiver_slot, last_resort, leaf);
	assert_hex(bytes_make(leaf, sizeof leaf), expected);
}

static void leaves_are_fixed(void **state)
{
	assert_leaf(0, 2, 5, false, "e3fc8c62be491176e2b75f8d24b335863b3b0d11e007e4e1de6c2ce4db94e15d");
	assert_leaf(1, 2, 5, false, "3d56c94f9e0b5c84c4244457d4a567f6363dad99b902e8cd687bfdc2eecc13f6");
	assert_leaf(0, 2, 5, true, "c7a38983b0b343d9fc62190108fd7ecb059363bc9f96e50e0fa018641edc6a72");
	assert_leaf(0, 63, 24, false, "ca2e99b6e7c9013afce98c0b177f7103be24a05f2de660879487d0789f38bce8");
}

static void all_leaves_of_a_tree_differ(void **state)
{
	static uint8_t leaves[2 * 2 * 8 * 8][KEYING_KEY_SIZE];
	size_t count = 0;

	for (unsigned i = 0; i < 2 * 2 * 8 * 8; i++)
		keying_leaf(root, i & 1, i >> 2 & 7, i >> 5, (i & 2) != 0, leaves[count++]);
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(leaves[i], leaves[j], KEYING_KEY_SIZE);
}

static void steps_and_psks_are_fixed(void **state)
{
	uint8_t leaf[KEYING_KEY_SIZE], other[KEYING_KEY_SIZE];
	struct keying_psk psk;
	struct hpke_psk view;

	keying_leaf(root, 0, 2, 5, false, leaf);
	memcpy(other, leaf, sizeof leaf);
	assert_int_equal(keying_step(leaf, 1), ERROR_OK);
	assert_hex(bytes_make(leaf, sizeof leaf),
		   "9f0a304ac73e7c053ea948c46e52926bc880f9a3042d520d7f6977fac0bf8e70");
	keying_psk_of_leaf(leaf, &psk);
	assert_hex(bytes_make(psk.key, sizeof psk.key),
		   "c1707b1dde945192997a424612fd46ea8daa1984f63a62998283c777264823fa");
	assert_hex(bytes_make(psk.id, sizeof psk.id), "1d7dff");
	view = keying_psk_view(&psk);
	assert_ptr_equal(view.key.data, psk.key);
	assert_int_equal(view.key.size, sizeof psk.key);
	assert_ptr_equal(view.id.data, psk.id);
	assert_int_equal(view.id.size, sizeof psk.id);
	/* In two goes or in one. */
	assert_int_equal(keying_step(leaf, 4095), ERROR_OK);
	assert_int_equal(keying_step(other, 4096), ERROR_OK);
	assert_memory_equal(leaf, other, sizeof leaf);
	assert_hex(bytes_make(leaf, sizeof leaf),
		   "ee40274af9d744d89ab6d31e8c2c2d70aba06271b8a41815708d58d5caadee53");
}

static void no_epoch_number_makes_stepping_long(void **state)
{
	uint8_t leaf[KEYING_KEY_SIZE] = {1}, before[KEYING_KEY_SIZE] = {1};

	assert_int_equal(keying_step(leaf, KEYING_STEPS_MAX + 1), ERROR_OUT_OF_RANGE);
	assert_int_equal(keying_step(leaf, UINT64_MAX), ERROR_OUT_OF_RANGE);
	assert_int_equal(keying_step(leaf, 0), ERROR_OK);
	assert_memory_equal(leaf, before, sizeof leaf);
}

/* ---- the file ---- */

static struct bytes encoded_keying(uint32_t number, uint8_t *memory, size_t size_max)
{
	struct buffer out = buffer_make(memory, size_max);
	struct keying keying;

	keying_make(number, party_b, party_a, root, &keying);
	assert_int_equal(keying_encode(&keying, &out), ERROR_OK);
	return buffer_bytes(&out);
}

static void a_keying_files_bytes_are_fixed(void **state)
{
	uint8_t memory[KEYING_SIZE_MAX];

	assert_hex(encoded_keying(1000, memory, sizeof memory),
		   "876e6c696169736f6e206b6579696e67011903e8"
		   "58200101010101010101010101010101010101010101010101010101010101010101"
		   "58200202020202020202020202020202020202020202020202020202020202020202"
		   "58200700000000000000000000000000000000000000000000000000000000000000"
		   "4815d0ac57b4be473c");
	assert_int_equal(encoded_keying(UINT32_MAX, memory, sizeof memory).size, KEYING_SIZE_MAX);
}

static void a_keying_file_reads_back_with_its_parties_in_order(void **state)
{
	uint8_t memory[KEYING_SIZE_MAX];
	struct keying keying;

	assert_int_equal(keying_decode(encoded_keying(UINT32_MAX, memory, sizeof memory), &keying), ERROR_OK);
	assert_int_equal(keying.number, UINT32_MAX);
	assert_memory_equal(keying.parties[0], party_a, sizeof party_a);
	assert_memory_equal(keying.parties[1], party_b, sizeof party_b);
	assert_memory_equal(keying.root, root, sizeof root);
}

static void any_changed_byte_of_a_keying_file_is_refused(void **state)
{
	uint8_t memory[KEYING_SIZE_MAX + 1];
	struct bytes file = encoded_keying(1000, memory, sizeof memory);
	struct keying keying;

	for (size_t bit = 0; bit < 8 * file.size; bit++) {
		memory[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(keying_decode(file, &keying), ERROR_OK);
		assert_true(sodium_is_zero((const uint8_t *)&keying, sizeof keying));
		memory[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	/* In blocks of exactly their size, past which the sanitizer sees every read. */
	for (size_t size = 0; size < file.size; size++) {
		uint8_t *cut = malloc(size == 0 ? 1 : size);

		assert_non_null(cut);
		memcpy(cut, memory, size);
		assert_int_equal(keying_decode(bytes_make(cut, size), &keying), ERROR_TRUNCATED);
		free(cut);
	}
	memory[file.size] = 0;
	assert_int_equal(keying_decode(bytes_make(memory, file.size + 1), &keying), ERROR_TRAILING);
	memory[60] ^= 1;
	assert_int_equal(keying_decode(file, &keying), ERROR_BAD_CHECKSUM);
	memory[60] ^= 1;
	assert_int_equal(keying_decode(file, &keying), ERROR_OK);
}

/* Writes an array and its right checksum: what a careful forger would. */
static struct bytes forged(const char *title, unsigned version, const uint8_t *first, const uint8_t *second,
			   size_t items, uint8_t *memory, size_t size_max)
{
	struct buffer out = buffer_make(memory, size_max);
	uint8_t hash[32];

	cbor_write_array(&out, items);
	cbor_write_text(&out, bytes_of_text(title));
	cbor_write_uint(&out, version);
	cbor_write_uint(&out, 1);
	cbor_write_bytes(&out, bytes_make(first, KEYING_PARTY_SIZE));
	cbor_write_bytes(&out, bytes_make(second, KEYING_PARTY_SIZE));
	for (size_t i = 6; i < items; i++)
		cbor_write_bytes(&out, bytes_make(root, sizeof root));
	crypto_hash_sha256(hash, out.data, out.size);
	cbor_write_bytes(&out, bytes_make(hash, 8));
	assert_int_equal(buffer_error(&out), ERROR_OK);
	return buffer_bytes(&out);
}

static void other_files_are_refused_for_what_they_are(void **state)
{
	uint8_t memory[256];
	struct keying keying;
	const char *title = "liaison keying";

	assert_int_equal(keying_decode(forged(title, 1, party_a, party_b, 7, memory, 256), &keying),
			 ERROR_OK);
	assert_int_equal(keying_decode(forged(title, 1, party_a, party_a, 7, memory, 256), &keying),
			 ERROR_OK);
	assert_int_equal(keying_decode(forged(title, 1, party_b, party_a, 7, memory, 256), &keying),
			 ERROR_MALFORMED);
	assert_int_equal(keying_decode(forged(title, 2, party_a, party_b, 7, memory, 256), &keying),
			 ERROR_BAD_VERSION);
	/* A later version may have more fields, and is still told apart. */
	assert_int_equal(keying_decode(forged(title, 2, party_a, party_b, 8, memory, 256), &keying),
			 ERROR_BAD_VERSION);
	assert_int_equal(keying_decode(forged(title, 1, party_a, party_b, 8, memory, 256), &keying),
			 ERROR_MALFORMED);
	assert_int_equal(
		keying_decode(forged("liaison keyinG", 1, party_a, party_b, 7, memory, 256), &keying),
		ERROR_MALFORMED);
	assert_true(sodium_is_zero((const uint8_t *)&keying, sizeof keying));
}

/* ---- packets ---- */

static struct keying_packet packet, read_back;
static uint8_t packet_memory[KEYING_PACKET_SIZE_MAX + 1];

static void make_packet(const uint8_t *a, const uint8_t *b, const uint8_t *own, unsigned slot)
{
	struct keying keying;

	keying_make(1000, a, b, root, &keying);
	assert_int_equal(keying_packet_make(&keying, own, slot, &packet), ERROR_OK);
}

static struct bytes encoded_packet(void)
{
	struct buffer out = buffer_make(packet_memory, sizeof packet_memory);

	assert_int_equal(keying_packet_encode(&packet, &out), ERROR_OK);
	return buffer_bytes(&out);
}

static void a_packets_bytes_are_fixed(void **state)
{
	uint8_t hash[32];
	struct bytes encoded;

	make_packet(party_a, party_b, party_b, 9);
	encoded = encoded_packet();
	crypto_hash_sha256(hash, encoded.data, encoded.size);
	assert_hex(bytes_make(hash, sizeof hash),
		   "0996335225912d80faf008c616b8fa81ac8b61632174e89b5ef6b4cd458b997a");
}

static void two_posts_hold_the_same_leaf_for_each_direction(void **state)
{
	static struct keying_packet a, b;

	for (unsigned slot = 0; slot < POST_SLOTS; slot += 21) {
		make_packet(party_a, party_b, party_a, 5);
		a = packet;
		make_packet(party_b, party_a, party_b, slot);
		b = packet;
		assert_memory_equal(a.other_party, b.own_party, KEYING_PARTY_SIZE);
		for (unsigned last = 0; last < 2; last++) {
			const uint8_t *there = a.leaves[KEYING_SENDING][last][slot];
			const uint8_t *back = a.leaves[KEYING_RECEIVING][last][slot];

			assert_memory_equal(there, b.leaves[KEYING_RECEIVING][last][5], KEYING_KEY_SIZE);
			assert_memory_equal(back, b.leaves[KEYING_SENDING][last][5], KEYING_KEY_SIZE);
			assert_memory_not_equal(there, back, KEYING_KEY_SIZE);
		}
	}
}

static void sibling_posts_of_one_party_share_a_tree(void **state)
{
	static struct keying_packet first;

	make_packet(party_a, party_a, party_a, 0);
	first = packet;
	make_packet(party_a, party_a, party_a, 1);
	assert_memory_equal(first.leaves[KEYING_SENDING][0][1], packet.leaves[KEYING_RECEIVING][0][0],
			    KEYING_KEY_SIZE);
	assert_memory_equal(first.leaves[KEYING_RECEIVING][0][1], packet.leaves[KEYING_SENDING][0][0],
			    KEYING_KEY_SIZE);
	assert_memory_not_equal(first.leaves[KEYING_SENDING][0][1], first.leaves[KEYING_RECEIVING][0][1],
				KEYING_KEY_SIZE);
}

static void a_packet_reads_back(void **state)
{
	struct bytes encoded;

	make_packet(party_a, party_b, party_a, 63);
	packet.number = UINT32_MAX;
	encoded = encoded_packet();
	assert_int_equal(encoded.size, KEYING_PACKET_SIZE_MAX);
	assert_int_equal(keying_packet_decode(encoded, &read_back), ERROR_OK);
	assert_int_equal(read_back.number, packet.number);
	assert_int_equal(read_back.own_slot, 63);
	assert_memory_equal(read_back.own_party, party_a, KEYING_PARTY_SIZE);
	assert_memory_equal(read_back.other_party, party_b, KEYING_PARTY_SIZE);
	assert_memory_equal(read_back.leaves, packet.leaves, sizeof packet.leaves);
	keying_packet_erase(&read_back);
	assert_true(sodium_is_zero((const uint8_t *)&read_back, sizeof read_back));
}

static void any_changed_byte_of_a_packet_is_refused(void **state)
{
	struct bytes encoded;

	make_packet(party_a, party_b, party_a, 9);
	encoded = encoded_packet();
	for (size_t i = 0; i < encoded.size; i++) {
		packet_memory[i] ^= (uint8_t)(1 << i % 8);
		assert_int_not_equal(keying_packet_decode(encoded, &read_back), ERROR_OK);
		packet_memory[i] ^= (uint8_t)(1 << i % 8);
	}
	assert_true(sodium_is_zero((const uint8_t *)&read_back, sizeof read_back));
	for (size_t size = 0; size < encoded.size; size += 97)
		assert_int_equal(keying_packet_decode(bytes_make(packet_memory, size), &read_back),
				 ERROR_TRUNCATED);
	packet_memory[encoded.size] = 0;
	assert_int_equal(keying_packet_decode(bytes_make(packet_memory, encoded.size + 1), &read_back),
			 ERROR_TRAILING);
	/* The slot, after the head, the title, the version, the number and the parties' ids. */
	encoded = encoded_packet();
	assert_int_equal(packet_memory[1 + 22 + 1 + 3 + 34 + 34], 9);
	packet_memory[1 + 22 + 1 + 3 + 34 + 34] = 0x18;
	assert_int_not_equal(keying_packet_decode(encoded, &read_back), ERROR_OK);
}

static void packets_for_others_are_refused(void **state)
{
	static const uint8_t stranger[KEYING_PARTY_SIZE] = {3};
	struct keying keying;

	keying_make(1, party_a, party_b, root, &keying);
	assert_int_equal(keying_packet_make(&keying, stranger, 0, &packet), ERROR_BAD_ARGUMENT);
	assert_true(sodium_is_zero((const uint8_t *)&packet, sizeof packet));
	assert_int_equal(keying_packet_make(&keying, party_a, POST_SLOTS, &packet), ERROR_BAD_ARGUMENT);
	assert_true(sodium_is_zero((const uint8_t *)&packet, sizeof packet));
}

static void what_does_not_fit_is_an_error(void **state)
{
	struct buffer out = buffer_make(packet_memory, KEYING_SIZE_MAX - 1);
	struct keying keying;

	keying_make(UINT32_MAX, party_a, party_b, root, &keying);
	assert_int_equal(keying_encode(&keying, &out), ERROR_TOO_LARGE);
	keying_erase(&keying);
	assert_true(sodium_is_zero((const uint8_t *)&keying, sizeof keying));
	make_packet(party_a, party_b, party_a, 9);
	out = buffer_make(packet_memory, 100);
	assert_int_equal(keying_packet_encode(&packet, &out), ERROR_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaves_are_fixed),
		cmocka_unit_test(all_leaves_of_a_tree_differ),
		cmocka_unit_test(steps_and_psks_are_fixed),
		cmocka_unit_test(no_epoch_number_makes_stepping_long),
		cmocka_unit_test(a_keying_files_bytes_are_fixed),
		cmocka_unit_test(a_keying_file_reads_back_with_its_parties_in_order),
		cmocka_unit_test(any_changed_byte_of_a_keying_file_is_refused),
		cmocka_unit_test(other_files_are_refused_for_what_they_are),
		cmocka_unit_test(a_packets_bytes_are_fixed),
		cmocka_unit_test(two_posts_hold_the_same_leaf_for_each_direction),
		cmocka_unit_test(sibling_posts_of_one_party_share_a_tree),
		cmocka_unit_test(a_packet_reads_back),
		cmocka_unit_test(any_changed_byte_of_a_packet_is_refused),
		cmocka_unit_test(packets_for_others_are_refused),
		cmocka_unit_test(what_does_not_fit_is_an_error),
	};

	assert_true(sodium_init() >= 0);
	return cmocka_run_group_tests_name("envelope keying", tests, fill_parties, NULL);
}
