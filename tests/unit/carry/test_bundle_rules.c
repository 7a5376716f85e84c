#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cbor.h"
#include "carry/bundle.h"
#include "carry/crc.h"

static uint8_t memory[2 * BUNDLE_SIZE_MAX];
static uint8_t forwarded_memory[2 * BUNDLE_SIZE_MAX];

static struct eid eid_of(const char *text)
{
	struct eid eid;
	assert_int_equal(eid_from_text(bytes_of_text(text), &eid), ERROR_OK);
	return eid;
}

/* ---- a writer of any bundle, also of ones that break the rules ---- */

static struct buffer out;

static void begin(void)
{
	out = buffer_make(memory, sizeof memory);
	cbor_write_array_indefinite(&out);
}

static void put_crc(size_t start, uint64_t type)
{
	if (type == BUNDLE_CRC_NONE)
		return;
	size_t size = type == BUNDLE_CRC_16 ? 2 : 4;
	cbor_write_bytes_head(&out, size);
	memset(buffer_reserve(&out, size), 0, size);
	struct bytes block = bytes_make(out.data + start, out.size - start);
	if (type == BUNDLE_CRC_16)
		store_u16(out.data + out.size - size, crc16_finish(crc16_update(CRC_START, block)));
	else
		store_u32(out.data + out.size - size, crc32c_finish(crc32c_update(CRC_START, block)));
}

struct primary {
	uint64_t version, flags, crc, creation, offset, total;
	const char *source;
};

static const struct primary usual = {
	.version = 7, .crc = BUNDLE_CRC_32C, .creation = 1000, .source = "ipn:2.0"};

static void put_primary(struct primary primary)
{
	bool is_fragment = (primary.flags & BUNDLE_IS_FRAGMENT) != 0;
	struct eid destination = eid_of("ipn:1.1");
	struct eid source = eid_of(primary.source);
	struct eid none = eid_none();
	size_t start = out.size;
	cbor_write_array(&out, 8 + (is_fragment ? 2u : 0u) + (primary.crc != 0 ? 1u : 0u));
	cbor_write_uint(&out, primary.version);
	cbor_write_uint(&out, primary.flags);
	cbor_write_uint(&out, primary.crc);
	eid_write(&out, &destination);
	eid_write(&out, &source);
	eid_write(&out, &none);
	cbor_write_array(&out, 2);
	cbor_write_uint(&out, primary.creation);
	cbor_write_uint(&out, 1);
	cbor_write_uint(&out, 60000);
	if (is_fragment) {
		cbor_write_uint(&out, primary.offset);
		cbor_write_uint(&out, primary.total);
	}
	put_crc(start, primary.crc);
}

static void put_block(uint64_t type, uint64_t number, uint64_t flags, uint64_t crc, struct bytes data)
{
	size_t start = out.size;
	cbor_write_array(&out, crc == 0 ? 5 : 6);
	cbor_write_uint(&out, type);
	cbor_write_uint(&out, number);
	cbor_write_uint(&out, flags);
	cbor_write_uint(&out, crc);
	cbor_write_bytes(&out, data);
	put_crc(start, crc);
}

static const uint8_t age_data[] = {0x18, 0x64};        /* 100 ms */
static const uint8_t hops_data[] = {0x82, 0x05, 0x02}; /* limit 5, count 2 */
static const uint8_t node_data[] = {0x82, 0x02, 0x82, 0x09, 0x00};

static void put_age(void)
{
	put_block(BLOCK_AGE, 2, 0, BUNDLE_CRC_32C, bytes_make(age_data, sizeof age_data));
}

static void put_payload(void)
{
	put_block(BLOCK_PAYLOAD, 1, 0, BUNDLE_CRC_32C, bytes_of_text("payload"));
}

static enum error end(struct bundle *bundle)
{
	cbor_write_break(&out);
	return bundle_read(buffer_bytes(&out), bundle);
}

/* ---- the rules of the standard ---- */

static void blocks_without_checksum_and_with_crc_16_are_accepted(void **state)
{
	struct bundle bundle;
	struct primary primary = usual;
	primary.crc = BUNDLE_CRC_16;
	begin();
	put_primary(primary);
	put_block(BLOCK_AGE, 2, 0, BUNDLE_CRC_NONE, bytes_make(age_data, sizeof age_data));
	put_block(BLOCK_HOP_COUNT, 3, 0, BUNDLE_CRC_16, bytes_make(hops_data, sizeof hops_data));
	put_block(BLOCK_PREVIOUS_NODE, 9, 0, BUNDLE_CRC_NONE, bytes_make(node_data, sizeof node_data));
	put_block(BLOCK_PAYLOAD, 1, 0, BUNDLE_CRC_NONE, bytes_of_text(""));
	assert_int_equal(end(&bundle), ERROR_OK);
	assert_int_equal(bundle.age_ms, 100);
	assert_int_equal(bundle.hop_limit, 5);
	assert_int_equal(bundle.hop_count, 2);
	assert_true(bundle.has_previous_node);
	assert_int_equal(bundle.previous_node.node, 9);
	out.data[4] ^= 1; /* in the destination */
	assert_int_not_equal(bundle_read(buffer_bytes(&out), &bundle), ERROR_OK);
}

static void a_primary_block_without_checksum_needs_an_integrity_block_over_it(void **state)
{
	static const uint8_t over_payload[] = {0x81, 0x01, 0x01, 0x00};
	static const uint8_t over_primary[] = {0x82, 0x00, 0x01, 0x01, 0x00};
	struct bundle bundle;
	struct primary primary = usual;
	primary.crc = BUNDLE_CRC_NONE;
	begin();
	put_primary(primary);
	put_payload();
	assert_int_equal(end(&bundle), ERROR_MALFORMED);
	begin();
	put_primary(primary);
	put_block(BLOCK_INTEGRITY, 2, 0, 0, bytes_make(over_payload, sizeof over_payload));
	put_payload();
	assert_int_equal(end(&bundle), ERROR_MALFORMED);
	begin();
	put_primary(primary);
	put_block(BLOCK_INTEGRITY, 2, 0, 0, bytes_make(over_primary, sizeof over_primary));
	put_payload();
	assert_int_equal(end(&bundle), ERROR_OK);
	assert_true(bundle.has_security);
}

/* RFC 9173, section A.1.1.3: no checksum, and no age although the creation time is 0 (RFC 9171, 4.2.7). */
static void the_example_of_rfc_9173_is_refused_for_what_it_leaves_out(void **state)
{
	static const uint8_t example[] = {
		0x9f, 0x88, 0x07, 0x00, 0x00, 0x82, 0x02, 0x82, 0x01, 0x02, 0x82, 0x02, 0x82, 0x02, 0x01,
		0x82, 0x02, 0x82, 0x02, 0x01, 0x82, 0x00, 0x18, 0x28, 0x1a, 0x00, 0x0f, 0x42, 0x40, 0x85,
		0x01, 0x01, 0x00, 0x00, 0x58, 0x23, 0x52, 0x65, 0x61, 0x64, 0x79, 0x20, 0x74, 0x6f, 0x20,
		0x67, 0x65, 0x6e, 0x65, 0x72, 0x61, 0x74, 0x65, 0x20, 0x61, 0x20, 0x33, 0x32, 0x2d, 0x62,
		0x79, 0x74, 0x65, 0x20, 0x70, 0x61, 0x79, 0x6c, 0x6f, 0x61, 0x64, 0xff};
	struct bundle bundle;
	assert_int_equal(bundle_read(bytes_make(example, sizeof example), &bundle), ERROR_MALFORMED);
	assert_true(bytes_equal(bundle.payload, bytes_of_text("Ready to generate a 32-byte payload")));
	assert_int_equal(bundle.sequence, 40);
	assert_int_equal(bundle.lifetime_ms, 1000000);
}

static void the_payload_is_the_last_block_and_stands_once(void **state)
{
	struct bundle bundle;
	begin();
	put_primary(usual);
	put_payload();
	put_age();
	assert_int_equal(end(&bundle), ERROR_MALFORMED);
	begin();
	put_primary(usual);
	put_payload();
	put_block(BLOCK_PAYLOAD, 2, 0, BUNDLE_CRC_32C, bytes_of_text("payload"));
	assert_int_equal(end(&bundle), ERROR_MALFORMED);
	begin();
	put_primary(usual);
	put_age();
	assert_int_equal(end(&bundle), ERROR_MALFORMED);
	begin();
	put_primary(usual);
	assert_int_equal(end(&bundle), ERROR_MALFORMED);
}

static enum error read_with_block(uint64_t type, uint64_t number, struct bytes data)
{
	struct bundle bundle;
	begin();
	put_primary(usual);
	put_age();
	put_block(type, number, 0, BUNDLE_CRC_32C, data);
	put_payload();
	return end(&bundle);
}

static void block_numbers_are_unique(void **state)
{
	assert_int_equal(read_with_block(200, 3, bytes_of_text("x")), ERROR_OK);
	assert_int_equal(read_with_block(200, 2, bytes_of_text("x")), ERROR_MALFORMED);
	assert_int_equal(read_with_block(200, 1, bytes_of_text("x")), ERROR_MALFORMED);
	assert_int_equal(read_with_block(200, 0, bytes_of_text("x")), ERROR_MALFORMED);
	assert_int_equal(read_with_block(0, 3, bytes_of_text("x")), ERROR_MALFORMED);
}

static void known_blocks_stand_at_most_once_and_hold_what_they_must(void **state)
{
	static const uint8_t long_age[] = {0x18, 0x05};
	static const uint8_t two_ages[] = {0x05, 0x05};
	static const uint8_t no_limit[] = {0x82, 0x00, 0x00};
	static const uint8_t high_limit[] = {0x82, 0x19, 0x01, 0x00, 0x00};
	static const uint8_t high_count[] = {0x82, 0x05, 0x19, 0x01, 0x00};
	static const uint8_t one_hop[] = {0x81, 0x05};
	struct bytes age = bytes_make(age_data, sizeof age_data);
	struct bytes hops = bytes_make(hops_data, sizeof hops_data);
	struct bytes node = bytes_make(node_data, sizeof node_data);
	struct bundle bundle;
	assert_int_equal(read_with_block(BLOCK_AGE, 3, age), ERROR_MALFORMED);
	assert_int_equal(read_with_block(BLOCK_HOP_COUNT, 3, hops), ERROR_OK);
	assert_int_equal(read_with_block(BLOCK_PREVIOUS_NODE, 3, node), ERROR_OK);
	assert_int_equal(read_with_block(BLOCK_HOP_COUNT, 3, bytes_make(no_limit, 3)), ERROR_MALFORMED);
	assert_int_equal(read_with_block(BLOCK_HOP_COUNT, 3, bytes_make(high_limit, 5)), ERROR_OUT_OF_RANGE);
	assert_int_equal(read_with_block(BLOCK_HOP_COUNT, 3, bytes_make(high_count, 5)), ERROR_OUT_OF_RANGE);
	assert_int_not_equal(read_with_block(BLOCK_HOP_COUNT, 3, bytes_make(one_hop, 2)), ERROR_OK);
	assert_int_not_equal(read_with_block(BLOCK_PREVIOUS_NODE, 3, age), ERROR_OK);
	assert_int_not_equal(read_with_block(BLOCK_PREVIOUS_NODE, 3, bytes_make(NULL, 0)), ERROR_OK);
	for (int twice = 0; twice < 2; twice++) {
		begin();
		put_primary(usual);
		put_block(twice ? BLOCK_HOP_COUNT : BLOCK_PREVIOUS_NODE, 3, 0, 2, twice ? hops : node);
		put_block(twice ? BLOCK_HOP_COUNT : BLOCK_PREVIOUS_NODE, 4, 0, 2, twice ? hops : node);
		put_payload();
		assert_int_equal(end(&bundle), ERROR_MALFORMED);
	}
	begin();
	put_primary(usual);
	put_block(BLOCK_AGE, 2, 0, BUNDLE_CRC_32C, bytes_make(long_age, 2));
	put_payload();
	assert_int_equal(end(&bundle), ERROR_NOT_CANONICAL);
	begin();
	put_primary(usual);
	put_block(BLOCK_AGE, 2, 0, BUNDLE_CRC_32C, bytes_make(two_ages, 2));
	put_payload();
	assert_int_equal(end(&bundle), ERROR_TRAILING);
}

static void a_bundle_without_creation_time_needs_an_age(void **state)
{
	struct bundle bundle;
	struct primary primary = usual;
	primary.creation = 0;
	begin();
	put_primary(primary);
	put_payload();
	assert_int_equal(end(&bundle), ERROR_MALFORMED);
	begin();
	put_primary(primary);
	put_age();
	put_payload();
	assert_int_equal(end(&bundle), ERROR_OK);
}

static enum error read_with_primary(struct primary primary, uint64_t block_flags)
{
	struct bundle bundle;
	begin();
	put_primary(primary);
	put_block(BLOCK_AGE, 2, block_flags, BUNDLE_CRC_32C, bytes_make(age_data, sizeof age_data));
	put_payload();
	return end(&bundle);
}

static void the_flag_rules_hold(void **state)
{
	struct primary primary = usual;
	primary.version = 6;
	assert_int_equal(read_with_primary(primary, 0), ERROR_BAD_VERSION);
	primary = usual;
	primary.crc = 3;
	assert_int_equal(read_with_primary(primary, 0), ERROR_UNSUPPORTED);

	primary = usual;
	primary.flags = BUNDLE_REPORT_DELIVERY;
	assert_int_equal(read_with_primary(primary, BLOCK_REPORT), ERROR_OK);
	primary.flags |= BUNDLE_IS_ADMINISTRATIVE;
	assert_int_equal(read_with_primary(primary, 0), ERROR_MALFORMED);
	primary.flags = BUNDLE_IS_ADMINISTRATIVE;
	assert_int_equal(read_with_primary(primary, 0), ERROR_OK);
	assert_int_equal(read_with_primary(primary, BLOCK_REPORT), ERROR_MALFORMED);

	primary = usual;
	primary.source = "dtn:none";
	assert_int_equal(read_with_primary(primary, 0), ERROR_MALFORMED);
	primary.flags = BUNDLE_MUST_NOT_FRAGMENT;
	assert_int_equal(read_with_primary(primary, 0), ERROR_OK);
	primary.flags |= BUNDLE_REPORT_DELETION;
	assert_int_equal(read_with_primary(primary, 0), ERROR_MALFORMED);
}

static void a_fragment_lies_within_its_unit(void **state)
{
	struct primary primary = usual;
	primary.flags = BUNDLE_IS_FRAGMENT;
	primary.offset = 3;
	primary.total = 10;
	assert_int_equal(read_with_primary(primary, 0), ERROR_OK);
	primary.offset = 4;
	assert_int_equal(read_with_primary(primary, 0), ERROR_MALFORMED);
	primary.offset = UINT64_MAX;
	assert_int_equal(read_with_primary(primary, 0), ERROR_MALFORMED);
	primary.offset = UINT64_MAX - 7;
	primary.total = UINT64_MAX;
	assert_int_equal(read_with_primary(primary, 0), ERROR_OK);
	primary.flags |= BUNDLE_MUST_NOT_FRAGMENT;
	assert_int_equal(read_with_primary(primary, 0), ERROR_MALFORMED);
}

static void sizes_and_counts_are_bounded(void **state)
{
	struct bundle bundle;
	static uint8_t big[BUNDLE_SIZE_MAX];
	begin();
	put_primary(usual);
	for (uint64_t i = 0; i < BUNDLE_BLOCKS_MAX - 1; i++)
		put_block(200, 2 + i, 0, BUNDLE_CRC_16, bytes_of_text("x"));
	put_payload();
	assert_int_equal(end(&bundle), ERROR_OK);
	begin();
	put_primary(usual);
	for (uint64_t i = 0; i < BUNDLE_BLOCKS_MAX; i++)
		put_block(200, 2 + i, 0, BUNDLE_CRC_16, bytes_of_text("x"));
	put_payload();
	assert_int_equal(end(&bundle), ERROR_TOO_LARGE);
	begin();
	put_primary(usual);
	put_block(BLOCK_PAYLOAD, 1, 0, BUNDLE_CRC_NONE, bytes_make(big, sizeof big));
	assert_int_equal(end(&bundle), ERROR_TOO_LARGE);
	begin();
	cbor_write_array(&out, 2);
	assert_int_not_equal(end(&bundle), ERROR_OK);
	out = buffer_make(memory, sizeof memory);
	cbor_write_array(&out, 2);
	put_primary(usual);
	put_payload();
	assert_int_not_equal(bundle_read(buffer_bytes(&out), &bundle), ERROR_OK);
}

static void unknown_blocks_are_processed_as_they_say(void **state)
{
	struct bundle bundle;
	begin();
	put_primary(usual);
	put_block(200, 2, BLOCK_DISCARD, BUNDLE_CRC_16, bytes_of_text("left out"));
	put_block(201, 3, BLOCK_REPORT, BUNDLE_CRC_16, bytes_of_text("kept"));
	put_payload();
	assert_int_equal(end(&bundle), ERROR_OK);
	assert_false(bundle_must_be_deleted(&bundle));
	struct bundle_forwarding whole = {NULL, 0, 0, bundle.payload.size};
	struct buffer buffer = buffer_make(forwarded_memory, sizeof forwarded_memory);
	struct bundle after;
	assert_int_equal(bundle_forward(&buffer, &bundle, &whole), ERROR_OK);
	assert_int_equal(bundle_read(buffer_bytes(&buffer), &after), ERROR_OK);
	assert_int_equal(after.blocks_count, 2);
	assert_true(bytes_equal(after.blocks[0].encoded, bundle.blocks[1].encoded));
	begin();
	put_primary(usual);
	put_block(200, 2, BLOCK_DELETE_BUNDLE, BUNDLE_CRC_16, bytes_of_text("x"));
	put_payload();
	assert_int_equal(end(&bundle), ERROR_OK);
	assert_true(bundle_must_be_deleted(&bundle));
}

/* ---- forwarding ---- */

static void forwarding_changes_only_what_it_must(void **state)
{
	struct bundle bundle;
	struct bundle after;
	struct eid own = eid_of("ipn:77.0");
	begin();
	put_primary(usual);
	put_block(BLOCK_PREVIOUS_NODE, 3, 0, BUNDLE_CRC_16, bytes_make(node_data, sizeof node_data));
	put_age();
	put_block(BLOCK_HOP_COUNT, 4, BLOCK_REPLICATE, BUNDLE_CRC_NONE,
		  bytes_make(hops_data, sizeof hops_data));
	put_payload();
	assert_int_equal(end(&bundle), ERROR_OK);
	struct bundle_forwarding forwarding = {&own, 70000, 0, bundle.payload.size};
	struct buffer buffer = buffer_make(forwarded_memory, sizeof forwarded_memory);
	assert_int_equal(bundle_forward(&buffer, &bundle, &forwarding), ERROR_OK);
	assert_int_equal(bundle_read(buffer_bytes(&buffer), &after), ERROR_OK);
	assert_true(bytes_equal(after.primary, bundle.primary));
	assert_int_equal(after.blocks_count, 4);
	assert_true(eid_equal(&after.previous_node, &own));
	assert_int_equal(after.blocks[0].number, 3);
	assert_int_equal(after.age_ms, 70000);
	assert_int_equal(after.hop_count, 3);
	assert_int_equal(after.hop_limit, 5);
	assert_int_equal(after.blocks[2].flags, BLOCK_REPLICATE);
	assert_true(bytes_equal(after.blocks[3].encoded, bundle.blocks[3].encoded));
	forwarding.previous_node = NULL;
	buffer = buffer_make(forwarded_memory, sizeof forwarded_memory);
	assert_int_equal(bundle_forward(&buffer, &bundle, &forwarding), ERROR_OK);
	assert_int_equal(bundle_read(buffer_bytes(&buffer), &after), ERROR_OK);
	assert_false(after.has_previous_node);
	for (size_t size_max = 0; size_max < buffer.size; size_max++) {
		struct buffer small = buffer_make(forwarded_memory, size_max);
		assert_int_equal(bundle_forward(&small, &bundle, &forwarding), ERROR_TOO_LARGE);
	}
}

/* What this node accepts, the next one like it accepts from this node. */
static void a_bundle_with_as_many_blocks_as_are_read_goes_on_without_a_previous_node(void **state)
{
	struct bundle bundle;
	struct bundle after;
	struct eid own = eid_of("ipn:77.0");
	struct buffer buffer = buffer_make(forwarded_memory, sizeof forwarded_memory);
	begin();
	put_primary(usual);
	for (uint64_t i = 0; i < BUNDLE_BLOCKS_MAX - 1; i++)
		put_block(200, 2 + i, 0, BUNDLE_CRC_16, bytes_of_text("x"));
	put_payload();
	assert_int_equal(end(&bundle), ERROR_OK);
	struct bundle_forwarding forwarding = {&own, 0, 0, bundle.payload.size};
	assert_int_equal(bundle_forward(&buffer, &bundle, &forwarding), ERROR_OK);
	assert_int_equal(bundle_read(buffer_bytes(&buffer), &after), ERROR_OK);
	assert_int_equal(after.blocks_count, BUNDLE_BLOCKS_MAX);
	assert_false(after.has_previous_node);
}

/* It may say that who does not verify it leaves it out: it stays where it is all that the primary has. */
static void the_block_that_protects_the_primary_one_goes_on_with_it(void **state)
{
	static const uint8_t over_primary[] = {0x82, 0x00, 0x01, 0x01, 0x00};
	static const enum bundle_crc checksums[] = {BUNDLE_CRC_NONE, BUNDLE_CRC_32C};
	for (size_t i = 0; i < 2; i++) {
		struct bundle bundle;
		struct bundle after;
		struct primary primary = usual;
		struct buffer buffer = buffer_make(forwarded_memory, sizeof forwarded_memory);
		primary.crc = checksums[i];
		begin();
		put_primary(primary);
		put_block(BLOCK_INTEGRITY, 2, BLOCK_DISCARD, 0,
			  bytes_make(over_primary, sizeof over_primary));
		put_payload();
		assert_int_equal(end(&bundle), ERROR_OK);
		struct bundle_forwarding forwarding = {NULL, 0, 0, bundle.payload.size};
		assert_int_equal(bundle_forward(&buffer, &bundle, &forwarding), ERROR_OK);
		assert_int_equal(bundle_read(buffer_bytes(&buffer), &after), ERROR_OK);
		assert_int_equal(after.blocks_count, bundle.blocks_count - i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_without_checksum_and_with_crc_16_are_accepted),
		cmocka_unit_test(a_primary_block_without_checksum_needs_an_integrity_block_over_it),
		cmocka_unit_test(the_example_of_rfc_9173_is_refused_for_what_it_leaves_out),
		cmocka_unit_test(the_payload_is_the_last_block_and_stands_once),
		cmocka_unit_test(block_numbers_are_unique),
		cmocka_unit_test(known_blocks_stand_at_most_once_and_hold_what_they_must),
		cmocka_unit_test(a_bundle_without_creation_time_needs_an_age),
		cmocka_unit_test(the_flag_rules_hold),
		cmocka_unit_test(a_fragment_lies_within_its_unit),
		cmocka_unit_test(sizes_and_counts_are_bounded),
		cmocka_unit_test(unknown_blocks_are_processed_as_they_say),
		cmocka_unit_test(forwarding_changes_only_what_it_must),
		cmocka_unit_test(the_block_that_protects_the_primary_one_goes_on_with_it),
		cmocka_unit_test(a_bundle_with_as_many_blocks_as_are_read_goes_on_without_a_previous_node),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
