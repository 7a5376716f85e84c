/*
 * Receipts and verdicts of a batch as few batches are, receipts over entries that stand as few events leave
 * them, and the contract between the core and its shell at its bounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "record/receipt.h"
#include "record/workspace.h"
#include "tests/unit/record/hand.h"
#include "tests/unit/record/talk.h"

/* ---- receipts of a batch ---- */

static enum error commit_receipts(struct run *run, void *context)
{
	(void)context;
	return receipt_commit(run);
}

static void a_receipt_names_so_many_ranges_and_positions(void **state)
{
	static const enum error refused[] = {ERROR_REFUSED_FORM, ERROR_REFUSED_FORM};
	static const enum error differ[] = {ERROR_REFUSED_FORM, ERROR_REFUSED_AGREMENT};
	static const enum error held[] = {ERROR_OK, ERROR_OK};
	static const struct {
		const enum error *reasons; /* in turn */
		size_t count;
		uint64_t step; /* from position to position */
		size_t receipts, held, refused;
	} cases[] = {
		{held, RANGES_MAX, 2, 1, RANGES_MAX, 0},
		{held, RANGES_MAX + 1, 2, 2, RANGES_MAX, 0},
		{refused, RANGES_MAX + 1, 2, 2, 0, RANGES_MAX},
		{refused, 4, 1, 1, 0, 1},
		{differ, 4, 1, 1, 0, 4},
		{held, RECEIPT_POSITIONS_MAX, 1, 1, 1, 0},
		{held, RECEIPT_POSITIONS_MAX + 1, 1, 2, 1, 0},
	};
	struct receipt *first = calloc(1, sizeof(*first));

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world *world = world_open_line(510);
		struct hand hand = hand_make(world, 0);
		struct batch *batch = &world->posts[0].record->run.batch;
		struct cose_signed object;
		world_settle(world);
		assert_int_equal(world_count(world, 0, TABLE_STATEMENT), 0);
		for (size_t j = 0; j < cases[i].count; j++)
			batch->items[j] = (struct batch_item){
				.key = {1, world_log_of(world, 1), 1, 10 + j * cases[i].step},
				.precedence = PRECEDENCE_ROUTINE,
				.reason = cases[i].reasons[j % 2],
			};
		batch->items_count = cases[i].count;
		assert_int_equal(hand_run(&hand, commit_receipts, NULL), ERROR_OK);
		assert_int_equal(talk_statements(world, 0, STATEMENT_RECEIPT, &object), cases[i].receipts);
		assert_int_equal(receipt_decode(object.payload, first), ERROR_OK);
		assert_int_equal(first->held_count, cases[i].held);
		assert_int_equal(first->refused_count, cases[i].refused);
		batch->items[0].key.channel = 2; /* there is none */
		batch->items_count = 1;
		assert_int_equal(hand_run(&hand, commit_receipts, NULL), ERROR_MALFORMED);
		batch->items_count = 0;
		world_free(world);
	}
	free(first);
}

/* ---- verdicts of a batch ---- */

static enum error commit_verdicts(struct run *run, void *context)
{
	(void)context;
	return verdict_commit(run);
}

/* Those that follow one another, of one incarnation and for one reason, are one range. */
static void a_verdict_names_so_many_ranges(void **state)
{
	static const enum error same[] = {ERROR_REFUSED_FORM, ERROR_REFUSED_FORM};
	static const enum error differ[] = {ERROR_REFUSED_FORM, ERROR_OK};
	static const struct {
		const enum error *reasons; /* in turn */
		size_t count;
		uint64_t incarnations, step;
		size_t entries;
		uint64_t charged; /* to the author's quota */
	} cases[] = {
		{same, 4, 1, 1, 1, 1},
		{same, 4, 2, 1, 1, 2},
		{same, 4, 1, 0, 1, 4},
		{same, 4, 1, 2, 1, 4},
		{differ, 4, 1, 1, 1, 2},
		{same, RANGES_MAX, 1, 2, 1, RANGES_MAX},
		{same, RANGES_MAX + 1, 1, 2, 2, RANGES_MAX + 1},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world *world = world_open_line(511);
		struct hand hand = hand_make(world, 0);
		struct batch *batch = &world->posts[0].record->run.batch;
		const uint64_t theirs = world_log_of(world, 1);
		uint64_t size = talk_size(world, 0, 0, 1);
		struct row_key quota_key = key_channel(TABLE_QUOTA, 1);
		struct quota quota;
		for (size_t j = 0; j < cases[i].count; j++)
			batch->verdicts[j] = (struct batch_verdict){
				.key = {1, theirs, 1 + j * cases[i].incarnations / cases[i].count,
					10 + j * cases[i].step},
				.reason = cases[i].reasons[j % 2],
			};
		batch->verdicts_count = cases[i].count;
		assert_int_equal(hand_run(&hand, commit_verdicts, NULL), ERROR_OK);
		batch->verdicts_count = 0;
		assert_int_equal(talk_size(world, 0, 0, 1), size + cases[i].entries);
		key_u16(&quota_key, theirs);
		assert_true(world_row(world, 0, &quota_key, &schema_quota, &quota));
		assert_int_equal(quota.count, cases[i].charged);
		world_free(world);
	}
}

/* ---- receipts that come ---- */

struct coming {
	struct received_statement statement;
	struct keys_opened opened;
	struct receipt receipt;
	uint8_t parties[PARTIES_MAX];
	size_t parties_count; /* 0: as it is */
};

static enum error take_receipt(struct run *run, void *context)
{
	struct coming *coming = context;
	struct received_statement *statement = &coming->statement;
	struct buffer payload = run_buffer(run, RECEIPT_SIZE_MAX);

	enum error error = registry_channel(run, 1, &statement->channel);
	if (error != ERROR_OK)
		return error;
	if (coming->parties_count > 0)
		statement->channel.parties = bytes_make(coming->parties, coming->parties_count);
	receipt_encode(&coming->receipt, &payload);
	statement->object.payload = buffer_bytes(&payload);
	return receipt_take(run, statement);
}

/* From post 1, that post 0's entries from there on are held. */
static struct coming *coming_make(const struct world *world, const struct entry_key *place, uint64_t count)
{
	struct coming *coming = calloc(1, sizeof(*coming));
	uint64_t by = world_log_of(world, 1);

	coming->opened.slot = log_slot(by);
	coming->statement.opened = &coming->opened;
	coming->statement.channel_number = 1;
	coming->statement.index = log_roster_index(by);
	coming->statement.post.name = bytes_of_text("Embassy");
	coming->receipt = (struct receipt){.by = by, .log = place->log, .incarnation = 1, .held_count = 1};
	coming->receipt.held[0] = (struct held_range){place->position, count};
	return coming;
}

static void an_entry_is_settled_when_all_other_parties_have_receipted_it(void **state)
{
	static const struct {
		size_t parties;
		uint64_t state, received, refused;
		bool settled, taken;
	} cases[] = {
		{0, LOCAL_QUEUED, 0, 0, true, true},
		{3, LOCAL_QUEUED, 0, 0, false, true},
		{3, LOCAL_QUEUED, 4, 0, true, true},
		{PARTIES_MAX, LOCAL_QUEUED, 4, 0, false, true},
		{PARTIES_MAX, LOCAL_QUEUED, UINT64_MAX - 3, 0, true, true},
		{3, LOCAL_REFUSED, 0, 4, true, true},
		{3, LOCAL_REFUSED, 4, 0, true, true},
		{3, LOCAL_REFUSED, 0, 0, false, false}, /* a leaf alone, which nobody has */
	};
	struct world *world = world_open_line(512);
	struct hand hand = hand_make(world, 0);
	uint8_t identity[IDENTITY_SIZE];
	struct row_key pending_key = key_channel(TABLE_PENDING, 1);

	world_settle(world);
	world->cut = true;
	talk_begin(world, 0, "held", identity);
	const struct entry_key place = talk_place(world, 0, identity);
	struct row_key key = key_entry(TABLE_ENTRY, &place);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct coming *coming = coming_make(world, &place, 1);
		struct receipt_digest digest;
		struct pending pending = {.priority = 5};
		struct entry entry;
		memset(coming->parties, 1, sizeof(coming->parties));
		coming->parties_count = cases[i].parties;
		receipt_digest_init(&digest);
		receipt_digest_add(&digest, place.position, identity);
		receipt_digest_final(&digest, coming->receipt.digest);
		assert_true(hand_look(&hand, &key, &schema_entry, &entry));
		entry.state = cases[i].state;
		entry.received = cases[i].received;
		entry.refused = cases[i].refused;
		hand_put(&hand, &key, &schema_entry, &entry);
		hand_put(&hand, &pending_key, &schema_pending, &pending);
		assert_int_equal(hand_run(&hand, take_receipt, coming), ERROR_OK);
		assert_true(hand_look(&hand, &pending_key, &schema_pending, &pending));
		assert_int_equal(pending.priority, cases[i].settled ? 4 : 5);
		assert_true(hand_look(&hand, &key, &schema_entry, &entry));
		assert_int_equal(entry.received >> coming->statement.index & 1, cases[i].taken);
		free(coming);
	}
	world_free(world);
}

static void a_receipt_of_too_many_positions_is_not_read_further(void **state)
{
	struct world *world = world_open_line(513);
	struct hand hand = hand_make(world, 0);
	const struct entry_key place = {1, world_log_of(world, 0), 1, 0};
	struct coming *coming = coming_make(world, &place, RECEIPT_POSITIONS_MAX + 1);
	struct row_key key = key_make(TABLE_REFUSED);
	struct counter counter;

	key_u32(&key, ERROR_TOO_LARGE);
	assert_int_equal(hand_run(&hand, take_receipt, coming), ERROR_OK);
	assert_true(hand_look(&hand, &key, &schema_counter, &counter));
	assert_int_equal(counter.count, 1);
	free(coming);
	world_free(world);
}

/* ---- the contract ---- */

/* A shell that does not load what is asked for is not asked for ever. */
static void an_event_whose_rows_never_come_ends(void **state)
{
	struct world *world = world_make_pair(515);
	struct record *record = world->posts[0].record;
	const struct record_event tick = {.kind = RECORD_TICK};
	size_t rounds = 0;

	record_begin(record, &tick);
	for (; record_needs(record) == ERROR_NEEDS_ROWS; rounds++)
		assert_in_range(rounds, 0, RECORD_ROUNDS_MAX - 1);
	assert_int_equal(record_needs(record), ERROR_MALFORMED);
	assert_int_equal(rounds, RECORD_ROUNDS_MAX);
	world_free(world);
}

static void a_batch_ends_before_its_rows_are_full(void **state)
{
	static uint8_t value[16384];
	struct world *world = world_make_pair(516);
	struct record *record = world->posts[0].record;
	struct row_key key = key_make(TABLE_SEALED);
	uint64_t count = 0;

	for (; record_room(record); count++) {
		key.size = 1;
		key_u64(&key, count);
		rows_begin(record_rows(record));
		rows_put(record_rows(record), key_view(&key), bytes_make(value, sizeof(value)));
		assert_int_equal(rows_keep(record_rows(record)), ERROR_OK);
	}
	assert_in_range(count, 1, WORKSPACE_ROWS_SIZE / sizeof(value));
	assert_true(rows_room(record_rows(record)) > 0);
	world_free(world);
}

static void a_row_without_a_key_is_in_no_backup(void **state)
{
	static const uint8_t key = TABLE_ENTRY;

	assert_false(record_row_in_backup(bytes_make(&key, 0)));
	assert_true(record_row_in_backup(bytes_make(&key, 1)));
}

static enum error wipe_twice(struct run *run, void *context)
{
	size_t *count = context;

	run_log(run, ERROR_FULL, "before");
	run_wipe(run);
	run_wipe(run);
	*count = run->actions_count;
	return ERROR_OK;
}

static enum error name_nothing(struct run *run, void *context)
{
	struct buffer buffer = run_buffer(run, REFERENCE_NAME_SIZE_MAX);
	bool *known = context;

	run_name_keep(run, 1, 1, bytes_of_text(""));
	known[0] = run_name(run, 1, 1, &buffer);
	run_name_keep(run, 1, 1, bytes_of_text("EMBASSY"));
	known[1] = run_name(run, 1, 1, &buffer);
	return ERROR_OK;
}

static void what_a_run_has_said_or_learned_is_so_once(void **state)
{
	struct world *world = world_make_pair(517);
	struct hand hand = hand_make(world, 0);
	bool known[2];
	size_t count;

	assert_int_equal(hand_run(&hand, wipe_twice, &count), ERROR_OK);
	assert_int_equal(count, 2);
	assert_int_equal(hand_run(&hand, name_nothing, known), ERROR_OK);
	assert_false(known[0]);
	assert_true(known[1]);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_receipt_names_so_many_ranges_and_positions),
		cmocka_unit_test(a_verdict_names_so_many_ranges),
		cmocka_unit_test(an_entry_is_settled_when_all_other_parties_have_receipted_it),
		cmocka_unit_test(a_receipt_of_too_many_positions_is_not_read_further),
		cmocka_unit_test(an_event_whose_rows_never_come_ends),
		cmocka_unit_test(a_batch_ends_before_its_rows_are_full),
		cmocka_unit_test(a_row_without_a_key_is_in_no_backup),
		cmocka_unit_test(what_a_run_has_said_or_learned_is_so_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
