/*
 * A counterpart that is accredited and hostile, with all its keys, and a courier that lies: whatever they
 * say, the post goes on, its rows stay bounded, and what is under way stays under way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/record/forger.h"
#include "tests/unit/record/talk.h"

/* ---- many names in one statement ---- */

static void cannot_open_of_many_copies_that_were_never_sent_changes_nothing(void **state)
{
	struct world *world = world_open_line(200);
	struct cannot_open *cannot_open = calloc(1, sizeof(*cannot_open));

	world_settle(world);
	cannot_open->hashes_count = RANGES_MAX;
	randombytes_buf(cannot_open->hashes, sizeof(cannot_open->hashes));
	size_t taken = world->posts[0].taken;
	assert_int_equal(forge_cannot_open(world, 1, 0, cannot_open), ERROR_OK);
	assert_true(world->posts[0].taken > taken);
	talk(world, 0, "so it goes on", NULL);
	free(cannot_open);
	world_free(world);
}

static void heads_of_many_logs_are_read_whole(void **state)
{
	struct world *world = world_open_line(201);
	struct heads_statement *heads = calloc(1, sizeof(*heads));
	uint8_t bytes[HEADS_SIZE_MAX];
	struct buffer payload = buffer_make(bytes, sizeof(bytes));
	uint64_t by = world_log_of(world, 1);

	world_settle(world);
	heads->by = by;
	heads->time = world->now_ms / 1000;
	heads->heads_count = 1;
	heads->heads[0].log = by;
	heads->heads[0].incarnation = 1;
	heads->heads[0].size = 1;
	for (uint64_t log = 0; heads->heads_count < HEADS_STATED_MAX; log++) {
		if (log == by)
			continue;
		struct head *head = &heads->heads[heads->heads_count++];
		*head = (struct head){
			.log = log, .incarnation = 1, .size = 1, .has_cosignature = true, .cosigned_at = 1};
	}
	heads_encode(heads, &payload);
	size_t taken = world->posts[0].taken;
	assert_int_equal(forge_statement(world, 1, 0, STATEMENT_HEADS, buffer_bytes(&payload)), ERROR_OK);
	assert_true(world->posts[0].taken > taken);
	/* and of many incarnations of one log */
	uint64_t own = world_log_of(world, 0);
	for (size_t i = 1; i < HEADS_STATED_MAX; i++) {
		heads->heads[i].log = own;
		heads->heads[i].incarnation = i;
	}
	payload.size = 0;
	heads_encode(heads, &payload);
	taken = world->posts[0].taken;
	assert_int_equal(forge_statement(world, 1, 0, STATEMENT_HEADS, buffer_bytes(&payload)), ERROR_OK);
	assert_true(world->posts[0].taken > taken);
	talk(world, 0, "so it goes on", NULL);
	free(heads);
	world_free(world);
}

/* ---- many things at one time ---- */

static void many_copies_that_fall_due_together_are_sent_again(void **state)
{
	struct world *world = world_open_line(202);
	struct world_message message = {.precedence = PRECEDENCE_ROUTINE, .text = "under way"};
	uint8_t identities[90][IDENTITY_SIZE];

	world_settle(world);
	world->cut = true;
	for (size_t i = 0; i < 90; i++)
		assert_int_equal(world_send(world, 0, &message, identities[i]), ERROR_OK);
	world_run(world, 3600000, 600000);
	world->cut = false;
	world_settle(world);
	for (size_t i = 0; i < 90; i++)
		assert_int_equal(world_state(world, 0, identities[i]), LOCAL_RECEIVED);
	world_free(world);
}

/* Sends messages and keeps what crosses the line from that post. */
static size_t catch_messages(struct world *world, size_t from, struct world_packet *packets, size_t count,
			     uint8_t identities[][IDENTITY_SIZE])
{
	struct world_message message = {.precedence = PRECEDENCE_PRIORITY, .text = "caught"};
	size_t caught = 0;

	world_settle(world);
	world->hold = true;
	for (size_t i = 0; i < count; i++)
		assert_int_equal(world_send(world, from, &message, identities[i]), ERROR_OK);
	while (caught < count && world_intercept(world, from, &packets[caught]))
		caught++;
	world->hold = false;
	return caught;
}

static void copies_that_come_twice_in_one_batch_are_receipted_once(void **state)
{
	enum { COUNT = 90 };
	struct world *world = world_open_line(203);
	static struct world_packet packets[COUNT];
	static uint8_t identities[COUNT][IDENTITY_SIZE];
	size_t count = catch_messages(world, 0, packets, COUNT, identities);

	assert_int_equal(count, COUNT);
	for (size_t round = 0; round < 2; round++)
		for (size_t i = 0; i < COUNT; i++)
			world_deliver(world, 1, 0, bytes_make(packets[i].bytes, packets[i].size));
	world_commit(world, 1);
	world_run(world, 20, 10);
	for (size_t i = 0; i < COUNT; i++) {
		assert_int_equal(world_state(world, 0, identities[i]), LOCAL_RECEIVED);
		free(packets[i].bytes);
	}
	world_free(world);
}

/* ---- what comes again ---- */

static void a_receipt_that_comes_again_is_kept_once(void **state)
{
	struct world *world = world_open_line(204);
	struct world_message message = {.precedence = PRECEDENCE_PRIORITY, .text = "receipt this"};
	uint8_t identity[IDENTITY_SIZE];
	struct world_packet sent;
	struct world_packet receipt;

	world_settle(world);
	assert_int_equal(world_send(world, 0, &message, identity), ERROR_OK);
	while (world_intercept(world, 0, &sent)) {
		world_deliver(world, 1, 0, bytes_make(sent.bytes, sent.size));
		free(sent.bytes);
	}
	world_commit(world, 1);
	assert_true(world_intercept(world, 1, &receipt));
	size_t before = world_count(world, 0, TABLE_RECEIPT);
	for (size_t i = 0; i < 20; i++) {
		world_deliver(world, 0, 1, bytes_make(receipt.bytes, receipt.size));
		world_commit(world, 0);
	}
	assert_int_equal(world_state(world, 0, identity), LOCAL_RECEIVED);
	assert_int_equal(world_count(world, 0, TABLE_RECEIPT), before + 1);
	free(receipt.bytes);
	world_free(world);
}

/* What a post has lost it may ask for, and receipts it as it did before. */
static void a_receipt_of_what_was_given_again_is_not_kept(void **state)
{
	struct world *world = world_open_line(215);
	struct missing_statement missing = {
		.by = world_log_of(world, 1),
		.log = world_log_of(world, 0),
		.incarnation = 1,
		.ranges_count = 1,
	};
	uint8_t identity[IDENTITY_SIZE];

	world_settle(world);
	talk(world, 0, "receipt this once", identity);
	world_settle(world);
	missing.ranges[0] = (struct held_range){talk_place(world, 0, identity).position, 1};
	size_t before = world_count(world, 0, TABLE_RECEIPT);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(forge_missing(world, 1, 0, &missing), ERROR_OK);
		assert_int_equal(world_count(world, 0, TABLE_COPY), 1);
		world_settle(world);
		assert_int_equal(world_count(world, 0, TABLE_COPY), 0); /* it was receipted */
	}
	assert_int_equal(world_count(world, 0, TABLE_RECEIPT), before);
	world_free(world);
}

static bool is_no_identity(struct bytes key)
{
	return key.data[0] != TABLE_IDENTITY;
}

/* A post files what its officer has signed once in its log twice. */
static void words_signed_once_are_shown_once(void **state)
{
	struct world *world = world_open_line(205);
	struct content *content = calloc(1, sizeof(*content));
	uint8_t identity[IDENTITY_SIZE];
	uint64_t before;
	uint64_t after;
	struct merkle_hash root;
	struct entry entry;
	struct entry_key first;
	struct entry_key key;

	content->kind = CONTENT_MESSAGE;
	content->precedence = PRECEDENCE_PRIORITY;
	content->signers_count = 1;
	content->signers[0] = 1;
	content->of.message.time = world->now_ms / 1000;
	content->of.message.text = bytes_of_text("the exercise is over");
	struct bytes cose = world_sign(world, world->posts[0].party, 1, content, identity);
	world_tree(world, 1, world_log_of(world, 0), 1, &before, &root);
	assert_int_equal(world_submit(world, 0, cose), ERROR_OK);
	world_settle(world);
	assert_true(world_entry(world, 1, identity, &entry, &first));
	for (size_t i = 0; i < 3; i++) {
		store_filter(&world->posts[0].store, is_no_identity);
		assert_int_equal(world_submit(world, 0, cose), ERROR_OK);
		world_settle(world);
	}
	world_tree(world, 1, world_log_of(world, 0), 1, &after, &root);
	assert_int_equal(after, before + 4); /* the log stays whole */
	assert_int_equal(world->posts[1].arrived, 1);
	assert_true(world_entry(world, 1, identity, &entry, &key));
	assert_int_equal(key.position, first.position);
	assert_true(world_agrees(world));
	free((void *)(uintptr_t)cose.data);
	free(content);
	world_free(world);
}

/* ---- where an incarnation begins ---- */

/* Why the post refuses what stands there of another's log; ERROR_OK: it does not. */
static uint64_t reason_at(const struct world *world, size_t at, size_t of, uint64_t incarnation,
			  uint64_t position)
{
	struct entry_key place = {.channel = 1,
				  .log = world_log_of(world, of),
				  .incarnation = incarnation,
				  .position = position};
	struct row_key key = key_entry(TABLE_ENTRY, &place);
	struct entry entry;

	assert_true(world_row(world, at, &key, &schema_entry, &entry));
	return entry.reason;
}

/* Where a former one ended is told nowhere but where the next begins, and that begins with nothing else. */
static void an_incarnation_begins_with_its_entry_and_the_entry_stands_nowhere_else(void **state)
{
	struct world *world = world_open_line(214);
	struct content *content = calloc(1, sizeof(*content));
	uint8_t identity[IDENTITY_SIZE];

	world_settle(world);
	uint64_t size = talk_size(world, 0, 1, 1);
	assert_int_equal(forge_entry(world, 1, 0, forge_signed_incarnation(world, 1, 1, size), 1, size),
			 ERROR_OK);
	assert_int_equal(reason_at(world, 0, 1, 1, size), ERROR_REFUSED_FORM);
	assert_int_equal(forge_incarnation(world, 1, 0, 2, 2, size), ERROR_OK); /* it follows itself */
	assert_int_equal(reason_at(world, 0, 1, 2, 0), ERROR_REFUSED_FORM);
	content->kind = CONTENT_MESSAGE;
	content->precedence = PRECEDENCE_ROUTINE;
	content->signers_count = 1;
	content->signers[0] = 1;
	content->of.message.time = world->now_ms / 1000;
	content->of.message.text = bytes_of_text("first of all");
	struct bytes cose = world_sign(world, world->posts[1].party, 1, content, identity);
	assert_int_equal(forge_entry(world, 1, 0, cose, 3, 0), ERROR_OK);
	assert_int_equal(reason_at(world, 0, 1, 3, 0), ERROR_REFUSED_FORM);
	assert_int_equal(forge_incarnation(world, 1, 0, 4, 1, size), ERROR_OK);
	assert_int_equal(reason_at(world, 0, 1, 4, 0), ERROR_OK);
	assert_int_equal(forge_entry(world, 1, 0, forge_signed_incarnation(world, 1, 1, size), 4, 1),
			 ERROR_OK);
	assert_int_equal(reason_at(world, 0, 1, 4, 1), ERROR_REFUSED_FORM);
	free(content);
	world_free(world);
}

/* ---- a courier that lies ---- */

static void a_late_hint_of_the_courier_stops_no_resending(void **state)
{
	static const uint32_t hints[] = {LOCAL_QUEUED, LOCAL_CARRIED, LOCAL_REFUSED};

	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		struct world *world = world_open_line(210 + i);
		struct world_message message = {.precedence = PRECEDENCE_FLASH, .text = "lost on the way"};
		uint8_t identity[IDENTITY_SIZE];
		uint8_t prefix = TABLE_COPY;
		struct copy copy;
		struct record_event event = {.kind = RECORD_PROGRESS};
		struct row row;
		size_t at = 0;

		world_settle(world);
		world->cut = true;
		assert_int_equal(world_send(world, 0, &message, identity), ERROR_OK);
		world->posts[0].mute = true; /* the stream has no room when the copy is due */
		world_run(world, 3600000, 600000);
		assert_true(store_find(&world->posts[0].store, bytes_make(&prefix, 1), &at, &row));
		assert_int_equal(schema_read(&schema_copy, row.value, &copy), ERROR_OK);
		assert_int_equal(copy.state, COPY_WAITING);
		memcpy(event.of.progress.copy, copy.sha256, sizeof(event.of.progress.copy));
		event.of.progress.state = hints[i];
		assert_int_equal(world_event(world, 0, &event), ERROR_OK);
		world_commit(world, 0);
		world->posts[0].mute = false;
		world->cut = false;
		world_settle(world);
		assert_int_equal(world_state(world, 0, identity), LOCAL_RECEIVED);
		world_free(world);
	}
}

/* Until people exchange keys again, a post may say of all that comes that it cannot open it. */
static void a_copy_that_could_not_be_opened_is_tried_again_when_keys_may_have_changed(void **state)
{
	struct world *world = world_open_line(207);
	struct world_message message = {.precedence = PRECEDENCE_FLASH, .text = "once it can be opened"};
	uint8_t identity[IDENTITY_SIZE];
	uint8_t prefix = TABLE_COPY;
	struct copy copy = {0};

	world_settle(world);
	world->lose_percent = 100;
	assert_int_equal(world_send(world, 0, &message, identity), ERROR_OK);
	for (size_t i = 0; copy.state != COPY_HELD; i++) {
		struct cannot_open *cannot_open = calloc(1, sizeof(*cannot_open));
		struct row row;
		size_t at = 0;
		assert_in_range(i, 0, 20);
		assert_true(store_find(&world->posts[0].store, bytes_make(&prefix, 1), &at, &row));
		assert_int_equal(schema_read(&schema_copy, row.value, &copy), ERROR_OK);
		cannot_open->hashes_count = 1;
		memcpy(cannot_open->hashes[0], copy.sha256, sizeof(cannot_open->hashes[0]));
		assert_int_equal(forge_cannot_open(world, 1, 0, cannot_open), ERROR_OK);
		world_run(world, 20, 10);
		free(cannot_open);
	}
	world->lose_percent = 0;
	world_run(world, UINT64_C(12) * 3600000, 600000);
	assert_int_equal(world_state(world, 0, identity), LOCAL_RECEIVED);
	world_free(world);
}

/* ---- a proposal that nobody here has signed ---- */

static void a_proposed_channels_window_keeps_no_keys(void **state)
{
	struct world *world = world_open_line(206);
	struct buffer terms = buffer_make(world->terms, sizeof(world->terms));
	struct row_key key = key_make(TABLE_STATE);
	struct terms values;
	struct state state_row;

	terms_default(&values, bytes_of_text("Keep all your keys"));
	values.delay_window_s = 31536000;
	terms_encode(&values, &terms);
	world->terms_size = terms.size;
	channel_id_make(&world->roster, buffer_bytes(&terms), world->nonce, world->channel);
	world->parties[world->posts[1].party].chain_number = 0;
	world_submit_opening(world, 1);
	world_settle(world);
	assert_int_equal(world_count(world, 0, TABLE_CHANNEL), 2);
	world_run(world, UINT64_C(60) * 86400000, 6 * 3600000);
	assert_true(world_row(world, 0, &key, &schema_state, &state_row));
	assert_in_range(state_row.epoch_first, 10, 60);
	world_free(world);
}

/* ---- a backup of a post that has not spoken yet ---- */

static void a_backup_from_before_the_first_channel_serves(void **state)
{
	struct world *world = world_make_pair(208);

	world_settle(world);
	world_crash_before_commit(world, 0);
	store_filter(&world->posts[0].store, record_row_in_backup);
	world_start(world, 0);
	world_run(world, UINT64_C(40) * 86400000, 6 * 3600000);
	world_new_keying(world, 2, 0, 1);
	world_name_channel(world);
	for (size_t i = 0; i < 2; i++)
		world_submit_opening(world, i);
	world_settle(world);
	for (size_t i = 0; i < 2; i++)
		assert_true(world_is_open(world, i));
	assert_true(world_count(world, 0, TABLE_EPOCH) > 0);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cannot_open_of_many_copies_that_were_never_sent_changes_nothing),
		cmocka_unit_test(heads_of_many_logs_are_read_whole),
		cmocka_unit_test(many_copies_that_fall_due_together_are_sent_again),
		cmocka_unit_test(copies_that_come_twice_in_one_batch_are_receipted_once),
		cmocka_unit_test(a_receipt_that_comes_again_is_kept_once),
		cmocka_unit_test(a_receipt_of_what_was_given_again_is_not_kept),
		cmocka_unit_test(words_signed_once_are_shown_once),
		cmocka_unit_test(an_incarnation_begins_with_its_entry_and_the_entry_stands_nowhere_else),
		cmocka_unit_test(a_late_hint_of_the_courier_stops_no_resending),
		cmocka_unit_test(a_copy_that_could_not_be_opened_is_tried_again_when_keys_may_have_changed),
		cmocka_unit_test(a_proposed_channels_window_keeps_no_keys),
		cmocka_unit_test(a_backup_from_before_the_first_channel_serves),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
