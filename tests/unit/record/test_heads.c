/*
 * Heads are told, cosigned and compared; a fork is proved; a restored store opens a new incarnation and the
 * line goes on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/cbor.h"
#include "base/local.h"
#include "envelope/checkpoint.h"
#include "envelope/equivocation.h"
#include "tests/unit/record/asking.h"
#include "tests/unit/record/image.h"

static void talk(struct world *world, size_t from, const char *text, uint8_t *identity)
{
	struct world_message message = {.precedence = PRECEDENCE_PRIORITY, .text = text};
	uint8_t own[IDENTITY_SIZE];
	if (identity == NULL)
		identity = own;
	assert_int_equal(world_send(world, from, &message, identity), ERROR_OK);
	world_settle(world);
	assert_int_equal(world_state(world, from, identity), LOCAL_RECEIVED);
}

static struct line line_of(const struct world *world, size_t at, size_t of)
{
	struct row_key key = key_line(1, world_log_of(world, of));
	struct line line;
	assert_true(world_row(world, at, &key, &schema_line, &line));
	return line;
}

static void heads_are_cosigned_on_both_sides(void **state)
{
	struct world *world = world_open_line(80);
	talk(world, 0, "one", NULL);
	talk(world, 1, "two", NULL);
	world_run(world, 600000, 10000);
	for (size_t i = 0; i < 2; i++) {
		struct line own = line_of(world, i, i);
		struct line there = line_of(world, 1 - i, i);
		struct line theirs = line_of(world, i, 1 - i);
		assert_true(own.head_size > 0);
		assert_int_equal(there.head_size, own.head_size);
		assert_memory_equal(there.head_root, own.head_root, sizeof(own.head_root));
		assert_int_equal(theirs.theirs_size, own.head_size);
		assert_memory_equal(theirs.theirs_root, own.head_root, sizeof(own.head_root));
		assert_int_equal(theirs.disagrees, 0);
		/* what is kept as a cosignature is one */
		char origin[CHECKPOINT_ORIGIN_SIZE + 1];
		checkpoint_origin(world->channel, world->parties[world->posts[i].party].id,
				  world->posts[i].slot, 1, origin);
		struct checkpoint checkpoint = {.origin = bytes_of_text(origin), .size = own.head_size};
		memcpy(checkpoint.root.bytes, own.head_root, sizeof(own.head_root));
		assert_int_equal(checkpoint_verify(&checkpoint, own.log_key, own.head_signature), ERROR_OK);
		assert_int_equal(cosignature_verify(&checkpoint, theirs.theirs_at, theirs.cosigner_key,
						    theirs.theirs_cosignature),
				 ERROR_OK);
		assert_int_equal(world_count(world, i, TABLE_EVIDENCE), 0);
	}
	world_free(world);
}

static void an_idle_line_tells_heads_seldom(void **state)
{
	struct world *world = world_open_line(81);
	world_run(world, 600000, 10000);
	size_t before = world->packets_sent;
	world_run(world, 3 * 3600000, 10000);
	assert_in_range(world->packets_sent - before, 2, 8); /* each side each hour */
	world_free(world);
}

/* A post that goes back and writes another history: the other side proves it. */
static void a_fork_is_proved(void **state)
{
	struct world *world = world_open_line(82);
	struct image image;
	uint8_t first[IDENTITY_SIZE];
	struct world_message other = {.precedence = PRECEDENCE_PRIORITY, .text = "No."};

	image_take(world, 0, &image);
	talk(world, 0, "Yes.", first);
	world_run(world, 300000, 10000);
	assert_true(line_of(world, 1, 0).head_size > 0);
	world->cut = true;
	world->posts[0].heads_count = 0; /* its courier is new */
	image_restore(world, 0, &image, IMAGE_ANCHOR_OLD);
	assert_int_equal(world_send(world, 0, &other, NULL), ERROR_OK);
	world->cut = false;
	world->posts[1].mute = true; /* it does not hear that it was found out */
	world_run(world, 600000, 10000);
	world->posts[1].mute = false;
	assert_int_equal(world_state(world, 1, first), LOCAL_RECEIVED);
	assert_true(line_of(world, 1, 0).forked > 0);
	/* EVIDENCE gives the proof to whoever asks, and it convinces who has nothing but the log's key. */
	struct buffer frame = ask_about_channel(world, LOCAL_EVIDENCE, 1);
	struct cbor_reader reader = ask_results(world, 1, &frame, 1);
	size_t count = cbor_read_array(&reader, 8);
	assert_true(count > 0);
	for (size_t i = 0; i < count; i++) {
		struct equivocation equivocation;
		char origin[CHECKPOINT_ORIGIN_SIZE + 1];
		cbor_read_array_exact(&reader, 4);
		assert_int_equal(cbor_read_uint(&reader), world_log_of(world, 0));
		uint64_t incarnation = cbor_read_uint(&reader);
		assert_true(cbor_read_uint(&reader) > 0);
		struct cbor_reader proof = cbor_reader_make(cbor_read_bytes(&reader, EQUIVOCATION_SIZE_MAX));
		equivocation_read(&proof, &equivocation);
		assert_int_equal(cbor_read_end(&proof), ERROR_OK);
		checkpoint_origin(world->channel, world->parties[0].id, 0, incarnation, origin);
		assert_int_equal(equivocation_check(bytes_of_text(origin), line_of(world, 1, 0).log_key,
						    &equivocation),
				 ERROR_OK);
	}
	assert_int_equal(cbor_read_end(&reader), ERROR_OK);
	frame = ask_about_channel(world, LOCAL_EVIDENCE, 1);
	reader = ask_results(world, 0, &frame, 1);
	assert_int_equal(cbor_read_array(&reader, 8), 0);
	assert_int_equal(world->posts[1].last_alert, ERROR_REFUSED_FORK);
	image_free(&image);
	world_free(world);
}

static void an_old_store_beside_a_newer_anchor_opens_a_new_incarnation(void **state)
{
	struct world *world = world_open_line(83);
	struct image image;
	uint64_t size;
	struct merkle_hash root;
	uint8_t later[IDENTITY_SIZE];

	image_take(world, 0, &image);
	talk(world, 0, "lost here, held there", NULL);
	world->posts[0].heads_count = 0; /* its courier has kept none: the anchor alone tells */
	image_restore(world, 0, &image, IMAGE_ANCHOR_KEPT);
	world_settle(world);
	world_tree(world, 1, world_log_of(world, 0), 2, &size, &root);
	assert_int_equal(size, 1);
	assert_true(world->posts[1].alerts > 0);
	assert_int_equal(world->posts[1].last_alert, ERROR_NEW_INCARNATION);
	assert_string_equal(world->posts[1].last_alert_log, "HEADQUARTERS.2");
	assert_int_equal(world->posts[0].last_alert, ERROR_NEW_INCARNATION);
	assert_string_equal(world->posts[0].last_alert_log, "HEADQUARTERS.2");
	talk(world, 0, "the line goes on", later);
	talk(world, 1, "it does", NULL);
	world_tree(world, 1, world_log_of(world, 0), 2, &size, &root);
	assert_int_equal(size, 2);
	assert_int_equal(world_count(world, 1, TABLE_EVIDENCE), 0);
	struct entry entry;
	struct entry_key key;
	assert_true(world_entry(world, 1, later, &entry, &key));
	assert_int_equal(key.incarnation, 2);
	assert_int_equal(key.position, 1);
	image_free(&image);
	world_free(world);
}

/* It died between the commit and the anchor: what the anchor lacks left after the next start. */
static void an_anchor_that_was_left_behind_is_given_anew_at_the_start(void **state)
{
	struct world *world = world_open_line(323);
	struct image image;

	image_take(world, 0, &image);
	talk(world, 0, "committed, and not in the anchor", NULL);
	struct world_post *post = &world->posts[0];
	memcpy(post->anchor, image.anchor, image.anchor_size);
	post->anchor_size = image.anchor_size;
	world_crash_before_commit(world, 0);
	world_start(world, 0);
	world_run(world, 1200000, 10000);
	post->heads_count = 0; /* its courier is lost, and its disk set back: the anchor alone tells */
	image_restore(world, 0, &image, IMAGE_ANCHOR_KEPT);
	assert_int_equal(line_of(world, 0, 0).incarnation, 2);
	talk(world, 0, "on", NULL);
	world_run(world, 1200000, 10000);
	assert_int_equal(line_of(world, 1, 0).forked, 0);
	image_free(&image);
	world_free(world);
}

static void a_lost_anchor_opens_a_new_incarnation(void **state)
{
	struct world *world = world_open_line(84);
	world_crash_before_commit(world, 0);
	world->posts[0].anchor_size = 0;
	world_start(world, 0);
	talk(world, 0, "on", NULL);
	assert_true(world_agrees(world));
	world_free(world);
}

/* Store and anchor are both set back: only what others say of the own head can tell. */
static void a_counterparts_cosignature_tells_a_post_that_it_was_set_back(void **state)
{
	struct world *world = world_open_line(85);
	struct image image;
	uint64_t size;
	struct merkle_hash root;

	image_take(world, 0, &image);
	talk(world, 0, "lost here", NULL);
	world_run(world, 300000, 10000);
	world->posts[0].heads_count = 0;
	image_restore(world, 0, &image, IMAGE_ANCHOR_OLD);
	talk(world, 1, "something new, so that heads are told", NULL);
	world_run(world, 300000, 10000);
	world_tree(world, 0, world_log_of(world, 0), 2, &size, &root);
	assert_int_equal(size > 0, 1);
	talk(world, 0, "on", NULL);
	image_free(&image);
	world_free(world);
}

static void a_head_that_the_courier_shows_tells_it_too(void **state)
{
	struct world *world = world_open_line(86);
	struct image image;
	char origin[CHECKPOINT_ORIGIN_SIZE + 1];
	struct record_head_seen seen;
	struct record_event event = {.kind = RECORD_COURIER_HEADS};
	struct merkle_hash root;
	uint64_t size;

	image_take(world, 0, &image);
	talk(world, 0, "lost here", NULL);
	struct line line = line_of(world, 0, 0);
	checkpoint_origin(world->channel, world->parties[0].id, 0, 1, origin);
	seen.origin = bytes_of_text(origin);
	seen.size = line.head_size;
	memcpy(seen.root, line.head_root, sizeof(seen.root));
	memcpy(seen.signature, line.head_signature, sizeof(seen.signature));
	event.of.heads.count = 1;
	event.of.heads.heads = &seen;
	world->posts[0].heads_count = 0;                           /* only what is given here */
	assert_int_equal(world_event(world, 0, &event), ERROR_OK); /* its own head: nothing happens */
	world_commit(world, 0);
	world_tree(world, 0, world_log_of(world, 0), 2, &size, &root);
	assert_int_equal(size, 0);
	image_restore(world, 0, &image, IMAGE_ANCHOR_OLD);
	seen.signature[0] ^= 1;
	assert_int_equal(world_event(world, 0, &event), ERROR_OK); /* anyone's claim: nothing happens */
	world_commit(world, 0);
	world_tree(world, 0, world_log_of(world, 0), 2, &size, &root);
	assert_int_equal(size, 0);
	seen.signature[0] ^= 1;
	assert_int_equal(world_event(world, 0, &event), ERROR_OK);
	world_commit(world, 0);
	world_tree(world, 0, world_log_of(world, 0), 2, &size, &root);
	assert_int_equal(size, 1);
	image_free(&image);
	world_free(world);
}

/* From a backup there are no epoch keys: the line goes on by last resort, and by epochs after the next
 * keying. */
static void a_restored_backup_speaks_by_last_resort_until_the_next_keying(void **state)
{
	struct world *world = world_open_line(87);
	struct world_message waiting = {.precedence = PRECEDENCE_ROUTINE, .text = "under way"};
	uint8_t identity[IDENTITY_SIZE];
	struct image image;

	talk(world, 0, "before", NULL);
	world->cut = true;
	assert_int_equal(world_send(world, 0, &waiting, identity), ERROR_OK);
	image_back_up(world, 0, &image);
	world->cut = false;
	image_restore(world, 0, &image, IMAGE_ANCHOR_KEPT);
	world_settle(world);
	assert_int_equal(world_state(world, 0, identity), LOCAL_RECEIVED); /* its copy was made anew */
	talk(world, 0, "after", NULL);
	talk(world, 1, "answer", NULL);
	assert_int_equal(world_count(world, 0, TABLE_EPOCH), 0);
	world_new_keying(world, 2, 0, 1);
	world_run(world, 120000, 10000);
	talk(world, 1, "by epochs again", NULL);
	talk(world, 0, "so it is", NULL);
	assert_true(world_count(world, 0, TABLE_EPOCH) > 0);
	assert_true(world_agrees(world));
	image_free(&image);
	world_free(world);
}

/* Its anchor was set back, too: only the courier can tell, and officers speak before it does. */
static void a_disk_that_was_set_back_files_nothing_before_the_courier_tells_its_heads(void **state)
{
	struct world *world = world_open_line(321);
	struct world_post *post = &world->posts[0];
	struct record_event start = {.kind = RECORD_START};
	struct world_message message = {.precedence = PRECEDENCE_ROUTINE, .text = "at the same number"};
	struct world_head heads[WORLD_HEADS_MAX];
	struct image image;

	world_run(world, 1200000, 10000);
	image_take(world, 0, &image);
	talk(world, 0, "told and lost", NULL);
	world_run(world, 1200000, 10000);
	image_restore_store(world, 0, &image, IMAGE_ANCHOR_OLD);
	start.of.start.anchor = bytes_make(post->anchor, post->anchor_size);
	assert_int_equal(world_event(world, 0, &start), ERROR_OK);
	memcpy(heads, post->heads, sizeof(heads));
	size_t heads_count = post->heads_count;
	post->up = true;
	post->mute = true;
	world_commit(world, 0);
	assert_int_equal(world_send(world, 0, &message, NULL), ERROR_AWAITS_COURIER);
	world_run(world, 1800000, 10000);
	post->mute = false;
	memcpy(post->heads, heads, sizeof(heads)); /* no courier was there to be given others */
	post->heads_count = heads_count;
	world_connect(world, 0);
	assert_int_equal(line_of(world, 0, 0).incarnation, 2);
	assert_int_equal(world_send(world, 0, &message, NULL), ERROR_OK);
	world_run(world, 3600000, 10000);
	assert_int_equal(line_of(world, 1, 0).incarnation, 2);
	assert_int_equal(line_of(world, 1, 0).forked, 0); /* no proof against an honest post */
	talk(world, 0, "on", NULL);
	talk(world, 1, "and back", NULL);
	image_free(&image);
	world_free(world);
}

/* The backup is older than the channel: what the anchor says of it is remembered until the channel is there
 * again. */
static void a_store_that_has_lost_a_channel_resumes_it_in_a_new_incarnation(void **state)
{
	struct world *world = image_open_again(88);
	uint64_t size;
	struct merkle_hash root;

	/* What was lost is back in its place; as a letter it is refused, for another has its number now. */
	world_tree(world, 0, world_log_of(world, 0), 1, &size, &root);
	assert_int_equal(size, 1);
	world_tree(world, 0, world_log_of(world, 0), 2, &size, &root);
	assert_int_equal(size, 2);
	world_tree(world, 1, world_log_of(world, 0), 2, &size, &root);
	assert_int_equal(size, 2);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads_are_cosigned_on_both_sides),
		cmocka_unit_test(an_idle_line_tells_heads_seldom),
		cmocka_unit_test(a_fork_is_proved),
		cmocka_unit_test(an_old_store_beside_a_newer_anchor_opens_a_new_incarnation),
		cmocka_unit_test(an_anchor_that_was_left_behind_is_given_anew_at_the_start),
		cmocka_unit_test(a_lost_anchor_opens_a_new_incarnation),
		cmocka_unit_test(a_counterparts_cosignature_tells_a_post_that_it_was_set_back),
		cmocka_unit_test(a_head_that_the_courier_shows_tells_it_too),
		cmocka_unit_test(a_disk_that_was_set_back_files_nothing_before_the_courier_tells_its_heads),
		cmocka_unit_test(a_store_that_has_lost_a_channel_resumes_it_in_a_new_incarnation),
		cmocka_unit_test(a_restored_backup_speaks_by_last_resort_until_the_next_keying),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
