/*
 * What the local API says of a post that was restored: what is missing, that its log branched, its former
 * heads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/cbor.h"
#include "base/local.h"
#include "tests/unit/record/asking.h"
#include "tests/unit/record/image.h"

/* What a post has lost, and nobody gives back, is missing; its log branched, and the former head stays. */
static void a_restored_post_is_shown(void **state)
{
	struct world *world = world_open_line(334);
	struct world_message message = {.precedence = PRECEDENCE_PRIORITY, .text = "lost"};
	uint64_t log = world_log_of(world, 0);
	struct image image;
	uint64_t before;
	uint64_t after;
	struct merkle_hash root;

	world_tree(world, 0, log, 1, &before, &root);
	image_back_up(world, 0, &image);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(world_send(world, 0, &message, NULL), ERROR_OK);
		world_settle(world);
	}
	world_tree(world, 0, log, 1, &after, &root);
	world->posts[1].mute = true;
	image_restore(world, 0, &image, IMAGE_ANCHOR_GONE);
	assert_int_equal(ask_status(world, 0).gaps_count, 0); /* it may be on its way */
	world_run(world, 60000, 1000);
	struct asked_status status = ask_status(world, 0);
	assert_int_equal(status.gaps_count, 1);
	const uint64_t gap[4] = {log, 1, before, after - before};
	assert_memory_equal(status.gap, gap, sizeof(gap));
	world->posts[1].mute = false;
	world_run(world, 600000, 1000);
	for (size_t i = 0; i < 2; i++) {
		status = ask_status(world, i);
		const uint64_t branch[5] = {log, 2, 1, before, after};
		assert_int_equal(status.gaps_count, 0);
		assert_int_equal(status.branches_count, 1);
		assert_memory_equal(status.branch, branch, sizeof(branch));
		assert_int_equal(status.heads, LOCAL_HEADS_AGREE);
	}
	image_free(&image);
	world_free(world);
}

static void the_keys_in_use_are_told(void **state)
{
	struct world *world = world_open_line(338);

	struct asked_keys keys = ask_status(world, 0).keys;
	assert_int_equal(keys.state, LOCAL_KEYS_EPOCHS);
	assert_int_equal(keys.keying, 1);
	assert_int_equal(keys.next_keying, 0);
	assert_int_equal(keys.left, 30);
	assert_int_equal(keys.ends / 86400, world->now_ms / 86400000 + 30);
	world->now_ms += UINT64_C(3) * 86400000;
	assert_int_equal(ask_status(world, 0).keys.left, 27);
	world->now_ms += UINT64_C(45) * 86400000;
	keys = ask_status(world, 0).keys;
	assert_int_equal(keys.left, 0);
	assert_int_equal(keys.state, LOCAL_KEYS_ENDED); /* more than the delay window of 14 days after them */
	world_free(world);
}

/* From the backup on: the last resort, until both sides hold the next keying. */
static void the_keys_of_a_restored_post_are_told(void **state)
{
	struct world *world = world_open_line(336);
	struct keying keying;
	struct image image;

	/* A spare: the other side made it, and holds it; its file waits here. */
	world_make_keying(world, 2, 0, 1, &keying);
	world_accept_keying(world, 1, &keying);
	image_back_up(world, 0, &image);
	image_restore(world, 0, &image, IMAGE_ANCHOR_GONE);
	world_run(world, 120000, 1000);
	struct asked_keys keys = ask_status(world, 0).keys;
	assert_int_equal(keys.state, LOCAL_KEYS_RESTORED);
	assert_int_equal(keys.keying, 1);
	keys = ask_status(world, 1).keys;
	assert_int_equal(keys.state, LOCAL_KEYS_DOUBTED);
	assert_int_equal(keys.keying, 1);
	assert_int_equal(keys.next_keying, 2);
	world_accept_keying(world, 0, &keying);
	world_run(world, 3720000, 10000);
	for (size_t i = 0; i < 2; i++) {
		keys = ask_status(world, i).keys;
		assert_int_equal(keys.state, LOCAL_KEYS_EPOCHS);
		assert_int_equal(keys.keying, 2);
		assert_int_equal(keys.next_keying, 0);
	}
	image_free(&image);
	world_free(world);
}

static void heads_of_former_incarnations_are_told(void **state)
{
	struct world *world = world_open_line(335);
	struct world_message message = {.precedence = PRECEDENCE_PRIORITY, .text = "lost"};
	struct image image;

	image_back_up(world, 0, &image);
	assert_int_equal(world_send(world, 0, &message, NULL), ERROR_OK);
	world_run(world, 600000, 10000);
	image_restore(world, 0, &image, IMAGE_ANCHOR_GONE);
	world_run(world, 600000, 10000);
	for (size_t i = 0; i < 2; i++) {
		struct buffer frame = ask_request(LOCAL_HEADS, 1);
		cbor_write_bytes(&frame, bytes_make(world->channel, CHANNEL_ID_SIZE));
		struct cbor_reader reader = ask_results(world, i, &frame, 1);
		size_t count = cbor_read_array(&reader, 64);
		size_t found = 0;
		assert_int_equal(count, 3);
		for (size_t j = 0; j < count; j++) {
			struct merkle_hash root;
			struct merkle_hash told;
			uint64_t size;
			cbor_read_array_exact(&reader, 11);
			uint64_t log = cbor_read_uint(&reader);
			uint64_t incarnation = cbor_read_uint(&reader);
			world_tree(world, i, log, incarnation, &size, &root);
			assert_int_equal(cbor_read_uint(&reader), size);
			cbor_read_bytes_exact(&reader, told.bytes, sizeof(told.bytes));
			assert_true(merkle_hash_equal(&told, &root));
			found += log == world_log_of(world, 0);
			for (size_t k = 0; k < 7; k++)
				(void)cbor_read_item(&reader);
		}
		assert_int_equal(found, 2);
		assert_int_equal(cbor_read_end(&reader), ERROR_OK);
	}
	image_free(&image);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_restored_post_is_shown),
		cmocka_unit_test(the_keys_in_use_are_told),
		cmocka_unit_test(the_keys_of_a_restored_post_are_told),
		cmocka_unit_test(heads_of_former_incarnations_are_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
