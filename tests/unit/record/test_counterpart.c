/*
 * What a counterpart that is accredited and hostile can make a post keep, and what it can say of copies that
 * are not its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/record/forger.h"
#include "tests/unit/record/image.h"

#define EVIDENCE_EXPECTED 8 /* entries kept as evidence for one log */

/* ---- forks ---- */

/* Post 1's officer signs another message for a place in its log that is taken. */
static void fork_at(struct world *world, uint64_t position)
{
	struct world_message message = {.precedence = PRECEDENCE_ROUTINE,
					.text = "and not what was said before"};
	uint8_t identity[IDENTITY_SIZE];

	assert_int_equal(
		forge_entry(world, 1, 0, world_sign_message(world, 1, &message, identity), 1, position),
		ERROR_OK);
}

static void a_counterpart_that_forks_without_end_fills_no_store(void **state)
{
	struct world *world = world_open_line(230);
	struct merkle_hash root;
	struct merkle_hash root_after;
	uint64_t size;
	uint64_t size_after;

	world_settle(world);
	world_tree(world, 0, world_log_of(world, 1), 1, &size, &root);
	assert_true(size > 1);
	for (size_t i = 1; i <= 3 * EVIDENCE_EXPECTED; i++) {
		size_t alerts = world->posts[0].alerts;
		fork_at(world, i % size);
		bool kept = i <= EVIDENCE_EXPECTED;
		assert_int_equal(world_count(world, 0, TABLE_EVIDENCE), kept ? i : EVIDENCE_EXPECTED);
		assert_int_equal(world->posts[0].alerts - alerts, kept ? 1 : 0);
		assert_int_equal(world->posts[0].last_log, ERROR_REFUSED_FORK);
	}
	world_tree(world, 0, world_log_of(world, 1), 1, &size_after, &root_after);
	assert_int_equal(size_after, size); /* the first ones stand */
	assert_memory_equal(&root_after, &root, sizeof(root));
	world_free(world);
}

/* ---- copies for others ---- */

static const struct world_message urgent = {.precedence = PRECEDENCE_FLASH, .text = "for each of you"};

/* Of the only entry under way at post 0, the copy for another post. */
static struct copy copy_for(const struct world *world, const struct entry_key *place, size_t to)
{
	struct entry_key key = *place;
	struct copy copy;

	key.log = world_log_of(world, to);
	struct row_key row = key_channel(TABLE_COPY, key.channel);
	key_u16(&row, key.incarnation);
	key_u32(&row, key.position);
	key_u16(&row, key.log);
	assert_true(world_row(world, 0, &row, &schema_copy, &copy));
	return copy;
}

static void cannot_open_by(struct world *world, size_t from, const struct copy *copy)
{
	struct cannot_open *cannot_open = calloc(1, sizeof(*cannot_open));

	cannot_open->hashes_count = 1;
	memcpy(cannot_open->hashes[0], copy->sha256, sizeof(cannot_open->hashes[0]));
	assert_int_equal(forge_cannot_open(world, from, 0, cannot_open), ERROR_OK);
	free(cannot_open);
}

/* Post 2 says it of post 1's copy, and nothing comes of it; then post 1 says so, and it is sealed again. */
static void only_its_receiver_is_believed(struct world *world, const size_t *firsts, size_t count)
{
	uint8_t identity[IDENTITY_SIZE];
	struct entry_key place;
	struct entry entry;

	world_exchange(world);
	world_open_channel(world, firsts, count);
	world_settle(world);
	world->lose_percent = 100;
	assert_int_equal(world_send(world, 0, &urgent, identity), ERROR_OK);
	assert_true(world_entry(world, 0, identity, &entry, &place));
	struct copy before = copy_for(world, &place, 1);
	assert_true(before.sealed);
	assert_int_equal(before.seals, 1);
	cannot_open_by(world, 2, &before);
	world_run(world, 20, 10);
	struct copy after = copy_for(world, &place, 1);
	assert_true(after.sealed);
	assert_int_equal(after.seals, before.seals);
	assert_int_equal(after.state, before.state);
	assert_memory_equal(after.sha256, before.sha256, sizeof(before.sha256));
	cannot_open_by(world, 1, &before);
	world_run(world, 20, 10);
	after = copy_for(world, &place, 1);
	assert_true(after.sealed);
	assert_int_equal(after.seals, before.seals + 1);
	assert_memory_not_equal(after.sha256, before.sha256, sizeof(before.sha256));
	world_free(world);
}

/* All at one slot: only the party tells them apart. */
static void a_copy_is_not_sealed_again_at_the_word_of_another_party(void **state)
{
	struct world *world = world_make(231);

	world_add_post(world, world_add_party(world, "Alliance"), 0, "Headquarters");
	world_add_post(world, world_add_party(world, "Federation"), 0, "Embassy");
	world_add_post(world, world_add_party(world, "League"), 0, "Mission");
	only_its_receiver_is_believed(world, (const size_t[]){0, 1, 2}, 3);
}

/* Of one party: only the slot tells them apart. */
static void a_copy_is_not_sealed_again_at_the_word_of_a_sibling(void **state)
{
	struct world *world = world_make(232);
	size_t alliance = world_add_party(world, "Alliance");
	size_t federation = world_add_party(world, "Federation");

	world_add_post(world, alliance, 0, "Headquarters");
	world_add_post(world, federation, 0, "Capital");
	world_add_post(world, federation, 1, "Embassy");
	only_its_receiver_is_believed(world, (const size_t[]){0, 1}, 2);
}

/* The copy for post 1 of a message that post 0 sends now. */
static struct copy send_urgent(struct world *world, struct entry_key *place)
{
	uint8_t identity[IDENTITY_SIZE];
	struct entry entry;

	assert_int_equal(world_send(world, 0, &urgent, identity), ERROR_OK);
	assert_true(world_entry(world, 0, identity, &entry, place));
	return copy_for(world, place, 1);
}

/* Who cannot open one epoch's key has no use for the others either: it is not told one by one. */
static void after_one_that_could_not_be_opened_all_go_by_last_resort(void **state)
{
	struct world *world = world_open_line(233);
	struct entry_key place;

	world_settle(world);
	world->lose_percent = 100;
	struct copy before = send_urgent(world, &place);
	assert_false(before.last_resort);
	cannot_open_by(world, 1, &before);
	world_run(world, 20, 10);
	assert_true(copy_for(world, &place, 1).last_resort);
	assert_true(send_urgent(world, &place).last_resort);
	world_free(world);
}

/* That one alone: else its courier goes on with what nobody can open, or drops what somebody could. */
static void what_could_not_be_opened_is_taken_back_from_the_courier(void **state)
{
	struct world *world = world_open_line(235);
	struct entry_key place;

	world_settle(world);
	world->lose_percent = 100;
	struct copy before = send_urgent(world, &place);
	(void)send_urgent(world, &place);
	size_t cancels = world->posts[0].cancels;
	cannot_open_by(world, 1, &before);
	assert_int_equal(world->posts[0].cancels, cancels + 1);
	assert_memory_equal(world->posts[0].last_cancel, before.sha256, sizeof(world->posts[0].last_cancel));
	world_free(world);
}

/* Whether post 0 takes it that post 1 has lost its epochs' keys: until prekeys come that are new. */
static void doubt(struct world *world, bool cannot_open)
{
	struct row_key key = key_party_post(TABLE_PREKEYS, 1, world->posts[1].slot);
	struct prekeys_row row;

	assert_true(world_row(world, 0, &key, &schema_prekeys_row, &row));
	row.cannot_open = cannot_open;
	world_put_row(world, 0, &key, &schema_prekeys_row, &row);
}

/* It says nothing of the epochs' keys, and is answered with one of these. */
static void what_could_not_be_opened_by_last_resort_goes_by_an_epochs_key(void **state)
{
	struct world *world = world_open_line(234);
	struct entry_key place;

	world_settle(world);
	world->lose_percent = 100;
	doubt(world, true);
	struct copy before = send_urgent(world, &place);
	assert_true(before.last_resort);
	doubt(world, false);
	cannot_open_by(world, 1, &before);
	world_run(world, 20, 10);
	assert_false(copy_for(world, &place, 1).last_resort);
	assert_false(send_urgent(world, &place).last_resort);
	world_free(world);
}

static struct line line_of_other(const struct world *world)
{
	struct row_key key = key_line(1, world_log_of(world, 1));
	struct line line;

	assert_true(world_row(world, 0, &key, &schema_line, &line));
	return line;
}

/* Told by post 1 with its statement key; what the head itself is signed with is what counts. */
static void a_head_that_its_log_has_not_signed_is_dropped(void **state)
{
	struct world *world = world_open_line(90);
	struct world_message message = {.precedence = PRECEDENCE_PRIORITY, .text = "one"};

	assert_int_equal(world_send(world, 1, &message, NULL), ERROR_OK);
	world_run(world, 600000, 10000);
	struct head told = forge_head_held(world, 0, 1);
	assert_true(told.size > 0);
	for (size_t i = 0; i < 3; i++) {
		struct head other = told;
		other.root.bytes[0] ^= i == 0;
		other.size += i == 1;
		other.signature[i == 2 ? 63 : 0] ^= i > 0;
		world->posts[0].last_log = ERROR_OK;
		assert_int_equal(forge_heads(world, 1, 0, &other, 1), ERROR_OK);
		assert_int_equal(world->posts[0].last_log, ERROR_BAD_SIGNATURE);
		struct head after = forge_head_held(world, 0, 1);
		assert_memory_equal(&after, &told, sizeof(told));
		assert_int_equal(world_count(world, 0, TABLE_EVIDENCE), 0);
	}
	world_free(world);
}

/* A head of fewer entries than are held: what is held leads from it to the larger head, and proves it. */
static void a_head_of_another_past_is_proof_against_its_author(void **state)
{
	struct world *world = world_open_line(92);
	struct world_message message = {.precedence = PRECEDENCE_PRIORITY, .text = "one"};
	struct merkle_hash root;
	uint64_t size;

	assert_int_equal(world_send(world, 1, &message, NULL), ERROR_OK);
	world_run(world, 600000, 10000);
	world_tree(world, 0, world_log_of(world, 1), 1, &size, &root);
	assert_int_equal(line_of_other(world).head_size, size);
	assert_int_equal(forge_former_heads(world, 1, 0, 1, 1, 0), ERROR_OK);
	assert_int_equal(world->posts[0].last_alert, ERROR_REFUSED_FORK);
	assert_int_equal(world_count(world, 0, TABLE_EVIDENCE), 1);
	assert_int_equal(line_of_other(world).forked, 1);
	world_free(world);
}

/* A replayed statement, or one that a slow route brings: what is cosigned stays the largest. */
static void an_older_head_that_comes_late_takes_nothing_back(void **state)
{
	struct world *world = world_open_line(94);
	struct world_message message = {.precedence = PRECEDENCE_PRIORITY, .text = "one"};

	assert_int_equal(world_send(world, 1, &message, NULL), ERROR_OK);
	world_run(world, 600000, 10000);
	struct head older = forge_head_held(world, 0, 1);
	assert_int_equal(world_send(world, 1, &message, NULL), ERROR_OK);
	world_run(world, 600000, 10000);
	struct line before = line_of_other(world);
	assert_int_equal(before.head_size, older.size + 1);
	assert_int_equal(forge_heads(world, 1, 0, &older, 1), ERROR_OK);
	struct line after = line_of_other(world);
	assert_int_equal(after.head_size, before.head_size);
	assert_int_equal(after.cosigned_at, before.cosigned_at);
	assert_memory_equal(after.cosignature, before.cosignature, sizeof(before.cosignature));
	assert_int_equal(world_count(world, 0, TABLE_EVIDENCE), 0);
	world_free(world);
}

/* Anyone can spoil a proof: only one that leads to the larger head shows another past. */
static void a_proof_that_fails_accuses_nobody(void **state)
{
	struct world *world = world_open_line(95);
	struct world_message message = {.precedence = PRECEDENCE_PRIORITY, .text = "one"};
	static struct heads_statement heads;
	static uint8_t memory[HEADS_SIZE_MAX];

	assert_int_equal(world_send(world, 1, &message, NULL), ERROR_OK);
	world_run(world, 600000, 10000);
	struct line before = line_of_other(world);
	world->hold = true;
	assert_int_equal(world_send(world, 1, &message, NULL), ERROR_OK);
	heads.by = world_log_of(world, 1);
	heads.time = world->now_ms / 1000;
	heads.heads_count = 1;
	heads.heads[0] = forge_head_held(world, 1, 1);
	assert_int_equal(heads.heads[0].size, before.head_size + 1);
	heads.has_proof = true;
	heads.old_size = before.head_size;
	for (heads.proof.count = 0; heads.proof.count < 5; heads.proof.count++) {
		struct buffer payload = buffer_make(memory, sizeof(memory));
		heads_encode(&heads, &payload);
		assert_int_equal(forge_statement(world, 1, 0, STATEMENT_HEADS, buffer_bytes(&payload)),
				 ERROR_OK);
		assert_int_equal(world_count(world, 0, TABLE_EVIDENCE), 0);
		assert_int_equal(line_of_other(world).forked, 0);
		assert_int_equal(line_of_other(world).head_size, before.head_size);
		memset(heads.proof.hashes[heads.proof.count].bytes, 0x5a, MERKLE_HASH_SIZE);
	}
	world->hold = false;
	world_free(world);
}

/* There the number may be the word of whoever gave the entry back. */
static void what_stands_twice_in_an_incarnation_that_was_left_accuses_nobody(void **state)
{
	struct world *world = world_open_line(96);
	struct image image;

	image_back_up(world, 1, &image);
	image_restore(world, 1, &image, IMAGE_ANCHOR_KEPT);
	world_run(world, 600000, 10000);
	assert_int_equal(line_of_other(world).incarnation, 2);
	fork_at(world, 1);
	assert_int_equal(world->posts[0].last_log, ERROR_REFUSED_FORK);
	assert_int_equal(world_count(world, 0, TABLE_EVIDENCE), 0);
	image_free(&image);
	world_free(world);
}

/* That the newest head is not that of what is held stays said, whatever is right before the restore. */
static void a_good_head_of_before_a_restore_clears_no_doubt_about_the_newest(void **state)
{
	struct world *world = world_open_line(93);
	struct world_message message = {.precedence = PRECEDENCE_PRIORITY, .text = "one"};
	struct row_key key = key_line(1, world_log_of(world, 1));
	struct image image;

	image_back_up(world, 1, &image);
	assert_int_equal(world_send(world, 1, &message, NULL), ERROR_OK);
	world_run(world, 600000, 10000);
	struct head former = forge_head_held(world, 0, 1);
	image_restore(world, 1, &image, IMAGE_ANCHOR_KEPT);
	world_run(world, 600000, 10000);
	struct line line = line_of_other(world);
	assert_int_equal(former.incarnation, 1);
	assert_int_equal(line.head_incarnation, 2);
	line.disagrees = 1;
	world_put_row(world, 0, &key, &schema_line, &line);
	assert_int_equal(forge_heads(world, 1, 0, &former, 1), ERROR_OK);
	assert_int_equal(line_of_other(world).disagrees, 1);
	/* Nor where the one of before is still the last that was right. */
	line = line_of_other(world);
	line.head_incarnation = former.incarnation;
	line.head_size = former.size;
	memcpy(line.head_root, former.root.bytes, sizeof(line.head_root));
	memcpy(line.head_signature, former.signature, sizeof(line.head_signature));
	world_put_row(world, 0, &key, &schema_line, &line);
	assert_int_equal(forge_heads(world, 1, 0, &former, 1), ERROR_OK);
	assert_int_equal(line_of_other(world).disagrees, 1);
	assert_int_equal(world_send(world, 1, &message, NULL), ERROR_OK);
	world_run(world, 600000, 10000);
	assert_int_equal(line_of_other(world).head_incarnation, 2);
	assert_int_equal(line_of_other(world).disagrees, 0);
	image_free(&image);
	world_free(world);
}

static void a_cosignature_that_does_not_match_is_dropped(void **state)
{
	struct world *world = world_open_line(91);
	struct world_message message = {.precedence = PRECEDENCE_PRIORITY, .text = "not cosigned yet"};
	struct head told[2];

	assert_int_equal(world_send(world, 0, &message, NULL), ERROR_OK);
	world_run(world, 600000, 10000);
	told[0] = forge_head_held(world, 0, 1);
	struct line before = line_of_other(world), after;
	world->hold = true;
	assert_int_equal(world_send(world, 0, &message, NULL), ERROR_OK);
	told[1] = forge_head_held(world, 0, 0);
	assert_true(told[1].size > before.theirs_size);
	told[1].has_cosignature = true;
	told[1].cosigned_at = before.theirs_at;
	memcpy(told[1].cosignature, before.theirs_cosignature, sizeof(before.theirs_cosignature));
	world->posts[0].last_log = ERROR_OK;
	assert_int_equal(forge_heads(world, 1, 0, told, 2), ERROR_OK);
	assert_int_equal(world->posts[0].last_log, ERROR_BAD_SIGNATURE);
	after = line_of_other(world);
	assert_int_equal(after.theirs_size, before.theirs_size);
	assert_memory_equal(after.theirs_cosignature, before.theirs_cosignature,
			    sizeof(before.theirs_cosignature));
	world->hold = false;
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_counterpart_that_forks_without_end_fills_no_store),
		cmocka_unit_test(a_copy_is_not_sealed_again_at_the_word_of_another_party),
		cmocka_unit_test(a_copy_is_not_sealed_again_at_the_word_of_a_sibling),
		cmocka_unit_test(after_one_that_could_not_be_opened_all_go_by_last_resort),
		cmocka_unit_test(what_could_not_be_opened_by_last_resort_goes_by_an_epochs_key),
		cmocka_unit_test(what_could_not_be_opened_is_taken_back_from_the_courier),
		cmocka_unit_test(a_head_that_its_log_has_not_signed_is_dropped),
		cmocka_unit_test(a_head_of_another_past_is_proof_against_its_author),
		cmocka_unit_test(an_older_head_that_comes_late_takes_nothing_back),
		cmocka_unit_test(a_proof_that_fails_accuses_nobody),
		cmocka_unit_test(what_stands_twice_in_an_incarnation_that_was_left_accuses_nobody),
		cmocka_unit_test(a_good_head_of_before_a_restore_clears_no_doubt_about_the_newest),
		cmocka_unit_test(a_cosignature_that_does_not_match_is_dropped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
