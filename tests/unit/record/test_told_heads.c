/*
 * Heads that a post tells of itself and of others, with all its keys: honest ones in places where they seldom
 * come, and what a hostile post makes of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "record/heads.h"
#include "record/log.h"
#include "tests/unit/record/forger.h"
#include "tests/unit/record/hand.h"
#include "tests/unit/record/talk.h"

#define PROOFS_EXPECTED 8 /* that are kept against one log */

/* ---- what is told ---- */

/* A statement of post 1, as heads_take gets it at post 0. */
struct telling {
	struct heads_statement heads;
	uint64_t slot;
	size_t cut; /* bytes that its payload lacks */
	bool by_ourselves;
};

static enum error take(struct run *run, void *context)
{
	const struct telling *telling = context;
	struct buffer payload = run_buffer(run, HEADS_SIZE_MAX);
	struct keys_opened opened = {.party = 1, .slot = telling->slot};
	struct received_statement received = {.opened = &opened, .channel_number = 1};

	enum error error = registry_channel(run, 1, &received.channel);
	if (error != ERROR_OK)
		return error;
	received.index = received.channel.own_index;
	if (!telling->by_ourselves)
		received.index = 1 - received.index;
	heads_encode(&telling->heads, &payload);
	received.object.payload = bytes_make(payload.data, payload.size - telling->cut);
	return heads_take(run, &received);
}

static enum error tell(struct world *world, const struct telling *telling)
{
	struct hand hand = hand_make(world, 0);
	return hand_run(&hand, take, (void *)(uintptr_t)telling);
}

/* That post 1 has this head. */
static struct telling telling_of(const struct world *world, const struct head *head)
{
	struct telling telling = {.slot = world->posts[1].slot};

	telling.heads.by = world_log_of(world, 1);
	telling.heads.time = world->now_ms / 1000;
	telling.heads.heads_count = 1;
	telling.heads.heads[0] = *head;
	return telling;
}

/* And another, cosigned in some way. */
static void add_head(struct telling *telling, uint64_t log)
{
	struct head *head = &telling->heads.heads[telling->heads.heads_count++];

	*head = telling->heads.heads[0];
	head->log = log;
	head->has_cosignature = true;
	head->cosigned_at = 1;
}

/* An open line whose posts have agreed on their heads. */
static struct world *open_line(uint64_t seed)
{
	struct world *world = world_open_line(seed);

	talk(world, 1, "one", NULL);
	world_run(world, 600000, 10000);
	assert_int_equal(talk_line(world, 0, 1).head_size, talk_size(world, 0, 1, 1));
	return world;
}

struct proving {
	uint64_t old_size;
	uint64_t new_size;
	struct merkle_proof proof;
	struct merkle_hash root; /* at the new size */
};

static enum error prove(struct run *run, void *context)
{
	struct proving *proving = context;
	struct channel channel;

	enum error error = registry_channel(run, 1, &channel);
	if (error != ERROR_OK)
		return error;
	uint64_t log = log_own_number(run, &channel);
	error = log_root_at(run, 1, log, 1, proving->new_size, &proving->root);
	return error == ERROR_OK ? log_consistency(run, 1, log, 1, proving->old_size, proving->new_size,
						   &proving->proof)
				 : error;
}

/* The head that the log of post 1 had at a size, with its proof from a smaller one (0: none). */
static struct telling honest(struct world *world, uint64_t old_size, uint64_t size)
{
	struct hand hand = hand_make(world, 1);
	struct proving proving = {.old_size = old_size == 0 ? 1 : old_size, .new_size = size};
	struct head head = {.log = world_log_of(world, 1), .incarnation = 1, .size = size};

	assert_int_equal(hand_run(&hand, prove, &proving), ERROR_OK);
	head.root = proving.root;
	forge_sign_head(world, 1, &head);
	struct telling telling = telling_of(world, &head);
	telling.heads.has_proof = old_size != 0;
	telling.heads.old_size = old_size;
	telling.heads.proof = proving.proof;
	return telling;
}

/* ---- tests ---- */

/* The entries are still on their way: its proof alone shows that the head goes on from the former one. */
static void a_head_is_cosigned_by_its_proof_before_its_entries_come(void **state)
{
	struct world *world = open_line(431);
	struct line before = talk_line(world, 0, 1);
	uint64_t size = before.head_size;

	world->hold = true;
	for (size_t i = 0; i < 3; i++)
		talk_begin(world, 1, "on its way", NULL);
	struct telling telling = honest(world, 0, size + 2);
	assert_int_equal(tell(world, &telling), ERROR_OK); /* it shows nothing */
	assert_int_equal(talk_line(world, 0, 1).head_size, size);
	telling = honest(world, size, size + 2);
	assert_int_equal(tell(world, &telling), ERROR_OK);
	struct line after = talk_line(world, 0, 1);
	assert_int_equal(after.head_size, size + 2);
	assert_memory_equal(after.head_root, telling.heads.heads[0].root.bytes, sizeof(after.head_root));
	assert_memory_not_equal(after.cosignature, before.cosignature, sizeof(after.cosignature));
	/* A smaller one, whose proof leads to itself: that says nothing of the larger. */
	telling = honest(world, size + 1, size + 1);
	telling.heads.heads[0].root.bytes[0] ^= 1;
	forge_sign_head(world, 1, &telling.heads.heads[0]);
	assert_int_equal(tell(world, &telling), ERROR_OK);
	after = talk_line(world, 0, 1);
	assert_int_equal(after.head_size, size + 2);
	assert_int_equal(after.forked, 0);
	assert_int_equal(world_count(world, 0, TABLE_EVIDENCE), 0);
	/* Another past is proved, where the proof leads to the larger head from another root. */
	telling = honest(world, size + 2, size + 3);
	struct row_key key = key_line(1, world_log_of(world, 1));
	struct head other = telling.heads.heads[0];
	other.size = size + 2;
	memset(other.root.bytes, 7, sizeof(other.root.bytes));
	forge_sign_head(world, 1, &other);
	uint8_t name[NAME_SIZE_MAX];
	assert_true(after.name.size <= sizeof(name));
	memcpy(name, after.name.data, after.name.size);
	after.name.data = name;
	memcpy(after.head_root, other.root.bytes, sizeof(after.head_root));
	memcpy(after.head_signature, other.signature, sizeof(after.head_signature));
	world_put_row(world, 0, &key, &schema_line, &after);
	assert_int_equal(tell(world, &telling), ERROR_OK);
	assert_int_equal(talk_line(world, 0, 1).forked, 1);
	assert_int_equal(world_count(world, 0, TABLE_EVIDENCE), 1);
	world_free(world);
}

/* One proof is enough: whoever forks again and again fills no store and rings no bell. */
static void so_many_proofs_against_one_log_are_kept(void **state)
{
	struct world *world = open_line(432);
	struct head head = forge_head_held(world, 0, 1);
	struct line before = talk_line(world, 0, 1);

	for (size_t i = 1; i <= 2 * PROOFS_EXPECTED; i++) {
		head.root.bytes[0]++;
		forge_sign_head(world, 1, &head);
		struct telling telling = telling_of(world, &head);
		size_t kept = i < PROOFS_EXPECTED ? i : PROOFS_EXPECTED;
		assert_int_equal(tell(world, &telling), ERROR_OK);
		assert_int_equal(world_count(world, 0, TABLE_EVIDENCE), kept);
		assert_int_equal(talk_line(world, 0, 1).forked, i);
	}
	struct line after = talk_line(world, 0, 1);
	assert_memory_equal(after.head_root, before.head_root, sizeof(before.head_root));
	world_free(world);
}

/* Signed well, and of no use: of no entries, or of incarnations that are far from the newest. */
static void heads_that_say_nothing_are_passed_over(void **state)
{
	static const struct {
		uint64_t size;
		uint64_t incarnation;
		uint64_t newest;
		bool taken; /* what it tells of is noted, to be asked for */
	} cases[] = {
		{.size = 0, .incarnation = 1, .newest = 1, .taken = false},
		{.size = 9, .incarnation = 5, .newest = 1, .taken = true},
		{.size = 9, .incarnation = 6, .newest = 1, .taken = false},
		{.size = 9, .incarnation = 3, .newest = 3 + HEADS_FORMER_MAX, .taken = true},
		{.size = 9, .incarnation = 2, .newest = 3 + HEADS_FORMER_MAX, .taken = false},
	};
	struct world *world = open_line(433);
	struct row_key line_key = key_line(1, world_log_of(world, 1));

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct line line = talk_line(world, 0, 1);
		struct head head = {.log = world_log_of(world, 1),
				    .incarnation = cases[i].incarnation,
				    .size = cases[i].size};
		struct row_key key = key_log(TABLE_LOG, 1, head.log, head.incarnation);
		struct store kept;
		struct log log = {0};
		store_copy(&kept, &world->posts[0].store);
		line.incarnation = cases[i].newest;
		line.name = bytes_of_text("Embassy");
		world_put_row(world, 0, &line_key, &schema_line, &line);
		forge_sign_head(world, 1, &head);
		struct telling telling = telling_of(world, &head);
		assert_int_equal(tell(world, &telling), ERROR_OK);
		(void)world_row(world, 0, &key, &schema_log, &log);
		assert_int_equal(log.told == 9, cases[i].taken);
		assert_int_equal(talk_line(world, 0, 1).forked, 0);
		store_free(&world->posts[0].store);
		world->posts[0].store = kept;
	}
	world_free(world);
}

/* On no roster, or of a party whose opening has not come: it may be on its way. */
static void heads_of_logs_that_are_not_known_here_are_passed_over(void **state)
{
	struct world *world = open_line(434);
	struct head head = forge_head_held(world, 0, 1);
	uint64_t silent = head.log + 3;
	const struct line line = {.incarnation = 1}; /* without keys */
	const uint64_t logs[] = {LOG_MAX, silent, silent + 1};
	struct row_key key = key_line(1, silent);

	world_put_row(world, 0, &key, &schema_line, &line);
	for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
		struct telling telling = telling_of(world, &head);
		struct row_key told = key_log(TABLE_LOG, 1, logs[i], 1);
		struct log log;
		add_head(&telling, logs[i]);
		assert_int_equal(tell(world, &telling), ERROR_OK);
		assert_false(world_row(world, 0, &told, &schema_log, &log));
	}
	world_free(world);
}

static void only_the_sender_itself_tells_heads_in_its_name(void **state)
{
	struct world *world = open_line(435);
	struct head head = forge_head_held(world, 0, 1);
	uint64_t held = head.size;

	head.size++;
	forge_sign_head(world, 1, &head);
	for (size_t i = 0; i < 5; i++) {
		struct telling telling = telling_of(world, &head);
		struct row_key key = key_log(TABLE_LOG, 1, head.log, 1);
		struct log log;
		telling.slot += i == 0;
		telling.cut = i == 1;
		telling.by_ourselves = i == 2 || i == 3;
		if (i == 3) { /* as one who has all keys of this post would */
			telling.slot = world->posts[0].slot;
			telling.heads.by = telling.heads.heads[0].log = world_log_of(world, 0);
		}
		assert_int_equal(tell(world, &telling), ERROR_OK);
		assert_true(world_row(world, 0, &key, &schema_log, &log));
		assert_int_equal(log.told > held, i == 4);
	}
	world_free(world);
}

/* What the store should have, and has not as it was left, ends the event: nothing is concluded from it. */
static void nothing_is_concluded_from_spoilt_rows(void **state)
{
	static const struct pending other = {0}; /* of no form that these have */
	struct world *world = open_line(436);
	struct head head = forge_head_held(world, 0, 1);
	struct telling telling = telling_of(world, &head);
	struct row_key line_key = key_line(1, head.log);
	const struct row_key log_key = key_log(TABLE_LOG, 1, head.log, 1);
	struct line line = talk_line(world, 0, 1);
	struct store kept;

	add_head(&telling, world_log_of(world, 0));
	telling.heads.heads[1].size = talk_line(world, 0, 1).theirs_size + 1;
	const struct row_key keys[] = {line_key, log_key, key_party(1)};
	for (size_t i = 0; i < 2 * sizeof(keys) / sizeof(keys[0]); i++) {
		const struct row_key *key = &keys[i / 2];
		store_copy(&kept, &world->posts[0].store);
		if (i % 2 == 0)
			world_put_row(world, 0, key, &schema_pending, &other);
		else
			store_delete(&world->posts[0].store, key_view(key));
		/* A log of which nothing is held has no row. */
		assert_int_equal(tell(world, &telling), i == 3 ? ERROR_OK : ERROR_MALFORMED);
		store_free(&world->posts[0].store);
		world->posts[0].store = kept;
	}
	/* Two heads that cannot both be true, one of them no more as it was signed: that is no proof. */
	line.head_signature[0] ^= 1;
	line.name = bytes_of_text("Embassy");
	world_put_row(world, 0, &line_key, &schema_line, &line);
	head.root.bytes[0] ^= 1;
	forge_sign_head(world, 1, &head);
	telling = telling_of(world, &head);
	assert_int_equal(tell(world, &telling), ERROR_MALFORMED);
	assert_int_equal(world_count(world, 0, TABLE_EVIDENCE), 0);
	world_free(world);
}

/*
 * A channel that the other party alone has opened: it can say what it likes of the log that there is none of,
 * and the post goes on.
 */
static void of_a_log_that_is_not_open_yet_nothing_is_believed(void **state)
{
	struct world *world = world_make_pair(430);
	const uint8_t nothing[IDENTITY_SIZE] = {1};
	struct head told[2];

	world_name_channel(world);
	world_submit_opening(world, 1);
	world_settle(world);
	struct entry_key place = {.channel = 1, .log = world_log_of(world, 0), .incarnation = 1};
	struct missing_statement missing = {
		.by = world_log_of(world, 1),
		.log = place.log,
		.incarnation = 1,
		.ranges_count = 1,
		.ranges = {{.first = 0, .count = 10}},
	};
	told[0] = forge_head_held(world, 1, 1);
	told[1] = (struct head){.log = place.log, .incarnation = 1, .size = 1};
	told[1].has_cosignature = true;
	told[1].cosigned_at = 1;
	assert_int_equal(forge_heads(world, 1, 0, told, 2), ERROR_OK);
	assert_int_equal(world->posts[0].last_log, ERROR_REFUSED_CHANNEL);
	assert_int_equal(talk_line(world, 0, 1).theirs_size, 0);
	assert_int_equal(forge_receipt(world, 1, 0, &place, nothing, ERROR_OK), ERROR_OK);
	assert_int_equal(forge_receipt(world, 1, 0, &place, nothing, ERROR_REFUSED_FORM), ERROR_OK);
	assert_int_equal(forge_missing(world, 1, 0, &missing), ERROR_OK);
	assert_int_equal(forge_incarnation(world, 1, 0, 2, 1, 1), ERROR_OK);
	world_submit_opening(world, 0);
	world_settle(world);
	world_submit_officers(world, 0);
	world_settle(world);
	assert_int_equal(talk_size(world, 1, 0, 1), talk_size(world, 0, 0, 1));
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_is_cosigned_by_its_proof_before_its_entries_come),
		cmocka_unit_test(so_many_proofs_against_one_log_are_kept),
		cmocka_unit_test(heads_that_say_nothing_are_passed_over),
		cmocka_unit_test(heads_of_logs_that_are_not_known_here_are_passed_over),
		cmocka_unit_test(only_the_sender_itself_tells_heads_in_its_name),
		cmocka_unit_test(nothing_is_concluded_from_spoilt_rows),
		cmocka_unit_test(of_a_log_that_is_not_open_yet_nothing_is_believed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
