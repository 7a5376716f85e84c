/*
 * What the local API answers about entries, heads and the state of the line, by the schema of base/local.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "envelope/checkpoint.h"
#include "envelope/signed.h"
#include "envelope/statement.h"
#include "envelope/wire.h"
#include "record/query.h"
#include "tests/unit/record/asking.h"

/* ---- entries ---- */

struct entry_row {
	uint64_t log;
	uint64_t incarnation;
	uint64_t position;
	uint8_t identity[IDENTITY_SIZE];
	uint64_t kind;
	uint64_t precedence;
	bool own;
	uint64_t state;
	uint64_t receipt_due;
	uint64_t acknowledgment_due;
};

static bool same_row(const struct entry_row *a, const struct entry_row *b)
{
	return a->log == b->log && a->incarnation == b->incarnation && a->position == b->position &&
	       memcmp(a->identity, b->identity, sizeof(a->identity)) == 0 && a->kind == b->kind &&
	       a->precedence == b->precedence && a->own == b->own && a->state == b->state;
}

static struct entry_row read_row(struct world *world, struct cbor_reader *reader)
{
	struct entry_row row;

	cbor_read_array_exact(reader, LOCAL_ENTRY_ROW_ITEMS);
	expect_bytes(reader, world->channel, CHANNEL_ID_SIZE);
	row.log = cbor_read_uint_max(reader, LOG_MAX);
	row.incarnation = cbor_read_uint(reader);
	row.position = cbor_read_uint_max(reader, POSITION_MAX);
	char reference[64];
	snprintf(reference, sizeof(reference), "%s %04llu/26",
		 row.log == world_log_of(world, 0) ? "HEADQUARTERS" : "EMBASSY",
		 (unsigned long long)row.position + 1);
	expect_text(reader, reference);
	cbor_read_bytes_exact(reader, row.identity, sizeof(row.identity));
	row.kind = cbor_read_uint(reader);
	row.precedence = cbor_read_uint(reader);
	assert_int_equal(cbor_read_uint(reader) / 86400, world->now_ms / 86400000);
	expect_text(reader, "");
	if (!cbor_read_null(reader))
		assert_true(cbor_read_uint(reader) <= 1);
	else
		assert_int_equal(row.kind, CONTENT_VERDICT);
	assert_true(cbor_read_text(reader, NAME_SIZE_MAX).size > 0);
	row.own = cbor_read_bool(reader);
	row.state = cbor_read_uint(reader);
	assert_int_equal(cbor_read_uint(reader) / 86400000, world->now_ms / 86400000);
	size_t times = cbor_read_array(reader, 24);
	for (size_t i = 0; i < times; i++) {
		cbor_read_array_exact(reader, 3);
		assert_true(cbor_read_uint(reader) <= LOCAL_REFUSED);
		assert_int_equal(cbor_read_uint(reader) / 86400000, world->now_ms / 86400000);
		(void)cbor_read_text(reader, 128);
	}
	row.receipt_due = cbor_read_null(reader) ? 0 : cbor_read_uint(reader);
	row.acknowledgment_due = cbor_read_null(reader) ? 0 : cbor_read_uint(reader);
	assert_int_equal(cbor_reader_error(reader), ERROR_OK);
	return row;
}

#define ROWS_MAX 512

/* All rows of a selection, page by page. */
static size_t read_pages_of(struct world *world, size_t post, bool all, uint64_t selection, size_t page_size,
			    struct entry_row rows[ROWS_MAX])
{
	uint8_t cursor[16];
	size_t cursor_size = 0;
	size_t count = 0;

	do {
		struct buffer frame =
			ask_for_entries(world, all, selection, bytes_make(cursor, cursor_size), page_size);
		struct cbor_reader reader = ask_results(world, post, &frame, 2);
		size_t in_page = cbor_read_array(&reader, page_size);
		for (size_t i = 0; i < in_page; i++) {
			assert_true(count < ROWS_MAX);
			rows[count++] = read_row(world, &reader);
		}
		struct bytes next = cbor_read_bytes(&reader, sizeof(cursor));
		assert_int_equal(cbor_read_end(&reader), ERROR_OK);
		cursor_size = next.size;
		if (next.size > 0)
			memcpy(cursor, next.data, next.size);
	} while (cursor_size > 0);
	return count;
}

static size_t read_pages(struct world *world, bool all, uint64_t selection, size_t page_size,
			 struct entry_row rows[ROWS_MAX])
{
	return read_pages_of(world, 0, all, selection, page_size, rows);
}

static struct world *busy_world(uint64_t seed, size_t messages)
{
	struct world *world = world_open_line(seed);

	for (size_t i = 0; i < messages; i++) {
		struct world_message message = {.precedence = PRECEDENCE_ROUTINE, .text = "one of many"};
		assert_int_equal(world_send(world, i % 2, &message, NULL), ERROR_OK);
	}
	world_settle(world);
	return world;
}

static void pages_enumerate_everything_exactly_once(void **state)
{
	struct world *world = busy_world(310, 75);
	static struct entry_row whole[ROWS_MAX];
	static struct entry_row rows[ROWS_MAX];
	static const size_t sizes[] = {1, 7, 63};

	size_t count = read_pages(world, true, 1, 64, whole);
	assert_int_equal(count, world_count(world, 0, TABLE_ENTRY));
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < i; j++)
			assert_true(whole[i].log != whole[j].log || whole[i].position != whole[j].position ||
				    whole[i].incarnation != whole[j].incarnation);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(read_pages(world, i == 0, 1, sizes[i], rows), count);
		for (size_t j = 0; j < count; j++)
			assert_true(same_row(&rows[j], &whole[j]));
	}
	world_free(world);
}

static void selections_part_own_messages_from_received_ones(void **state)
{
	struct world *world = busy_world(311, 21);
	static struct entry_row rows[ROWS_MAX];

	size_t received = read_pages(world, false, 2, 64, rows);
	assert_int_equal(received, 10);
	for (size_t i = 0; i < received; i++) {
		assert_int_equal(rows[i].kind, CONTENT_MESSAGE);
		assert_false(rows[i].own);
		assert_int_equal(rows[i].state, LOCAL_RECEIVED);
	}
	size_t own = read_pages(world, true, 3, 2, rows);
	assert_int_equal(own, 11);
	for (size_t i = 0; i < own; i++) {
		assert_int_equal(rows[i].kind, CONTENT_MESSAGE);
		assert_true(rows[i].own);
		assert_int_equal(rows[i].state, LOCAL_RECEIVED);
	}
	world_free(world);
}

static void a_page_looks_at_so_many_rows_and_no_more(void **state)
{
	struct world *world = busy_world(312, 1);
	struct row_key key = key_make(TABLE_ARRIVAL);
	struct arrival arrival;
	uint64_t arrivals = world_count(world, 0, TABLE_ARRIVAL);

	/* Many entries that are not selected stand before one that is. */
	key_u64(&key, 1);
	assert_true(world_row(world, 0, &key, &schema_arrival, &arrival));
	assert_int_not_equal(arrival.kind, CONTENT_MESSAGE);
	for (uint64_t i = 1; i <= 2 * QUERY_SCAN_MAX; i++) {
		key = key_make(TABLE_ARRIVAL);
		key_u64(&key, arrivals + i);
		world_put_row(world, 0, &key, &schema_arrival, &arrival);
	}
	arrival.kind = CONTENT_MESSAGE;
	arrival.own = true;
	key = key_make(TABLE_ARRIVAL);
	key_u64(&key, arrivals + 2 * QUERY_SCAN_MAX + 1);
	world_put_row(world, 0, &key, &schema_arrival, &arrival);
	static struct entry_row rows[ROWS_MAX];
	assert_int_equal(read_pages(world, true, 3, 64, rows), 2);
	struct buffer frame = ask_for_entries(world, true, 3, bytes_make(NULL, 0), 64);
	struct cbor_reader reader = ask_results(world, 0, &frame, 2);
	assert_int_equal(cbor_read_array(&reader, 64), 1);
	world_free(world);
}

/* The first row of what is awaited at a post that has this identity; zeros where there is none. */
static struct entry_row awaited(struct world *world, size_t post, const uint8_t identity[IDENTITY_SIZE])
{
	static struct entry_row rows[ROWS_MAX];

	size_t count = read_pages_of(world, post, true, 4, 2, rows);
	assert_int_equal(read_pages_of(world, post, false, 4, 64, rows), count);
	for (size_t i = 0; i < count; i++)
		if (memcmp(rows[i].identity, identity, IDENTITY_SIZE) == 0)
			return rows[i];
	return (struct entry_row){0};
}

static void what_is_awaited_is_told_with_its_time_until_it_came(void **state)
{
	struct world *world = world_open_line(313);
	struct world_message message = {.precedence = PRECEDENCE_FLASH, .text = "answer me"};
	uint8_t identity[IDENTITY_SIZE];
	static struct entry_row rows[ROWS_MAX];
	struct terms terms;

	assert_int_equal(terms_decode(bytes_make(world->terms, world->terms_size), &terms), ERROR_OK);
	assert_int_equal(read_pages(world, true, 4, 64, rows), 0);
	for (size_t i = 0; i < 5; i++) {
		struct world_message bulk = {.precedence = PRECEDENCE_ROUTINE, .text = "bulk"};
		world->cut = true;
		assert_int_equal(world_send(world, 0, &bulk, NULL), ERROR_OK);
	}
	message.ack_by = world->now_ms / 1000 + 60;
	uint64_t sent_s = world->now_ms / 1000;
	assert_int_equal(world_send(world, 0, &message, identity), ERROR_OK);
	struct entry_row row = awaited(world, 0, identity);
	assert_true(row.own);
	assert_int_equal(row.receipt_due, sent_s + terms.handling_s[PRECEDENCE_FLASH - 1]);
	assert_int_equal(row.acknowledgment_due, message.ack_by);
	assert_int_equal(read_pages(world, true, 4, 64, rows), 6);
	assert_int_equal(rows[0].receipt_due, sent_s + terms.handling_s[PRECEDENCE_ROUTINE - 1]);
	assert_int_equal(rows[0].acknowledgment_due, 0);
	world->cut = false;
	world_run(world, 3600000, 1000);
	world_settle(world);
	assert_int_equal(read_pages(world, true, 4, 64, rows), 1);
	row = awaited(world, 0, identity);
	assert_int_equal(row.receipt_due, 0);
	assert_int_equal(row.acknowledgment_due, message.ack_by);
	row = awaited(world, 1, identity);
	assert_false(row.own);
	assert_int_equal(row.receipt_due, 0);
	assert_int_equal(row.acknowledgment_due, message.ack_by);
	assert_int_equal(world_acknowledge(world, 1, identity), ERROR_OK);
	assert_int_equal(awaited(world, 1, identity).acknowledgment_due, 0);
	world_settle(world);
	assert_int_equal(read_pages(world, true, 4, 64, rows), 0);
	assert_int_equal(read_pages_of(world, 1, true, 4, 64, rows), 0);
	world_free(world);
}

static void a_cursor_that_no_answer_gave_is_refused(void **state)
{
	struct world *world = world_open_line(314);
	static const uint8_t of_another_table[] = {TABLE_POST, 0, 0, 0, 0, 0, 0, 0};

	for (size_t size = 1; size <= sizeof(of_another_table); size++) {
		struct buffer frame = ask_for_entries(world, true, 4, bytes_make(of_another_table, size), 64);
		assert_int_equal(ask(world, 0, &frame), ERROR_BAD_ARGUMENT);
	}
	world_free(world);
}

static void an_entry_comes_with_its_bytes_its_leaf_and_its_receipt(void **state)
{
	struct world *world = world_open_line(313);
	struct world_message message = {.precedence = PRECEDENCE_FLASH, .text = "are you there?"};
	uint8_t identity[IDENTITY_SIZE];
	uint8_t computed[IDENTITY_SIZE];
	struct entry entry;
	struct entry_key key;
	struct cose_signed object;
	struct leaf leaf;
	struct receipt receipt;
	struct aad aad;

	assert_int_equal(world_send(world, 0, &message, identity), ERROR_OK);
	for (size_t round = 0; round < 2; round++) {
		assert_true(world_entry(world, 0, identity, &entry, &key));
		struct buffer frame = ask_about_channel(world, LOCAL_ENTRY, 4);
		cbor_write_uint(&frame, key.log);
		cbor_write_uint(&frame, key.incarnation);
		cbor_write_uint(&frame, key.position);
		struct cbor_reader reader = ask_results(world, 0, &frame, 4);
		struct entry_row row = read_row(world, &reader);
		assert_memory_equal(row.identity, identity, sizeof(identity));
		struct bytes cose = cbor_read_bytes(&reader, ENTRY_SIZE_MAX);
		assert_int_equal(cose_signed_decode(cose, &object), ERROR_OK);
		aad_on_channel(&aad, AAD_ENTRY, world->channel, &world->roster, ask_index_of(world, 0));
		identity_of(&aad, object.payload, computed);
		assert_memory_equal(computed, identity, sizeof(identity));
		assert_int_equal(leaf_decode(cbor_read_bytes(&reader, LEAF_SIZE_MAX), &leaf), ERROR_OK);
		assert_memory_equal(leaf.identity, identity, sizeof(identity));
		assert_int_equal(leaf.position, key.position);
		if (round == 0) {
			assert_true(cbor_read_null(&reader));
			world_settle(world);
		} else {
			struct bytes bytes = cbor_read_bytes(&reader, 4096);
			assert_int_equal(cose_signed_decode(bytes, &object), ERROR_OK);
			assert_int_equal(receipt_decode(object.payload, &receipt), ERROR_OK);
			assert_int_equal(receipt.log, key.log);
			assert_int_equal(row.state, LOCAL_RECEIVED);
			/* When the other post had it on disk: the entry is not younger. */
			assert_true(world_entry(world, 1, identity, &entry, &key));
			assert_in_range(receipt.time, entry.held_at_ms / 1000, entry.held_at_ms / 1000 + 1);
		}
		assert_int_equal(cbor_read_end(&reader), ERROR_OK);
	}
	world_free(world);
}

/* ---- heads ---- */

static void heads_verify_with_their_keys_and_cosignatures(void **state)
{
	struct world *world = busy_world(320, 3);
	struct buffer frame = ask_about_channel(world, LOCAL_CHANNEL_KEYS, 1);
	struct cbor_reader reader = ask_results(world, 0, &frame, 2);
	uint8_t own_log_key[PUBLIC_KEY_SIZE];
	uint8_t own_cosigner_key[PUBLIC_KEY_SIZE];
	bool own_seen = false;
	bool other_seen = false;

	cbor_read_bytes_exact(&reader, own_log_key, sizeof(own_log_key));
	cbor_read_bytes_exact(&reader, own_cosigner_key, sizeof(own_cosigner_key));
	assert_int_equal(cbor_read_end(&reader), ERROR_OK);
	world_run(world, 600000, 20000); /* heads are exchanged */
	frame = ask_about_channel(world, LOCAL_HEADS, 1);
	reader = ask_results(world, 0, &frame, 1);
	size_t count = cbor_read_array(&reader, 8);
	assert_int_equal(count, 2);
	for (size_t i = 0; i < count; i++) {
		struct checkpoint checkpoint;
		struct merkle_hash root;
		uint64_t size;
		uint8_t key[PUBLIC_KEY_SIZE];
		uint8_t signature[64];
		char origin[CHECKPOINT_ORIGIN_SIZE + 1];
		char name[CHECKPOINT_COSIGNER_SIZE + 1];
		cbor_read_array_exact(&reader, 11);
		uint64_t log = cbor_read_uint(&reader);
		size_t post = log == world_log_of(world, 0) ? 0 : 1;
		assert_int_equal(log, world_log_of(world, post));
		assert_int_equal(cbor_read_uint(&reader), 1);
		checkpoint.size = cbor_read_uint(&reader);
		cbor_read_bytes_exact(&reader, checkpoint.root.bytes, sizeof(checkpoint.root.bytes));
		checkpoint.origin = cbor_read_text(&reader, ORIGIN_SIZE_MAX);
		checkpoint_origin(world->channel, world->parties[post].id, world->posts[post].slot, 1,
				  origin);
		assert_true(bytes_equal(checkpoint.origin, bytes_of_text(origin)));
		world_tree(world, 0, log, 1, &size, &root);
		assert_int_equal(checkpoint.size, size);
		assert_true(merkle_hash_equal(&checkpoint.root, &root));
		cbor_read_bytes_exact(&reader, key, sizeof(key));
		cbor_read_bytes_exact(&reader, signature, sizeof(signature));
		assert_int_equal(checkpoint_verify(&checkpoint, key, signature), ERROR_OK);
		checkpoint_cosigner(world->channel, world->parties[1 - post].id, world->posts[1 - post].slot,
				    name);
		expect_text(&reader, name);
		uint8_t cosigner_key[PUBLIC_KEY_SIZE];
		cbor_read_bytes_exact(&reader, cosigner_key, sizeof(cosigner_key));
		uint64_t time = cbor_read_uint(&reader);
		cbor_read_bytes_exact(&reader, signature, sizeof(signature));
		assert_int_equal(cosignature_verify(&checkpoint, time, cosigner_key, signature), ERROR_OK);
		if (post == 0) {
			assert_memory_equal(key, own_log_key, sizeof(key));
			own_seen = true;
		} else {
			assert_memory_equal(cosigner_key, own_cosigner_key, sizeof(key));
			other_seen = true;
		}
	}
	assert_true(own_seen && other_seen);
	assert_int_equal(cbor_read_end(&reader), ERROR_OK);
	world_free(world);
}

/* ---- the state of the line ---- */

static void status_tells_what_the_daemon_says_of_its_disk(void **state)
{
	static const struct link_routes routes = {.full = true};
	static const struct record_shell full = {
		.routes = &routes, .store_size = 70000, .disk = LOCAL_DISK_LAST, .left = {5, 0, 3, 1}};
	struct world *world = world_open_line(331);

	struct asked_status status = ask_status(world, 0);
	assert_int_equal(status.store_size, 0);
	assert_int_equal(status.disk, LOCAL_DISK_AMPLE);
	for (size_t i = 0; i < PRECEDENCE_COUNT; i++)
		assert_int_equal(status.left[i], 0);
	assert_false(status.courier_full);
	world->posts[0].shell = &full;
	status = ask_status(world, 0);
	assert_int_equal(status.store_size, 70000);
	assert_int_equal(status.disk, LOCAL_DISK_LAST);
	for (size_t i = 0; i < PRECEDENCE_COUNT; i++)
		assert_int_equal(status.left[i], full.left[i]);
	assert_true(status.courier_full);
	world_free(world);
}

static void what_waits_for_a_receipt_is_counted(void **state)
{
	struct world *world = world_open_line(330);
	struct world_message flash = {.precedence = PRECEDENCE_FLASH, .text = "hear us"};
	struct world_message routine = {.precedence = PRECEDENCE_ROUTINE, .text = "and this"};

	struct asked_status status = ask_status(world, 0);
	for (size_t i = 0; i < PRECEDENCE_COUNT; i++)
		assert_int_equal(status.waiting[i], 0);
	assert_false(status.has_oldest);
	world->cut = true;
	uint64_t first_ms = world->now_ms;
	assert_int_equal(world_send(world, 0, &flash, NULL), ERROR_OK);
	world->now_ms += 5000;
	assert_int_equal(world_send(world, 0, &routine, NULL), ERROR_OK);
	assert_int_equal(world_send(world, 0, &routine, NULL), ERROR_OK);
	status = ask_status(world, 0);
	assert_int_equal(status.waiting[PRECEDENCE_FLASH - 1], 1);
	assert_int_equal(status.waiting[PRECEDENCE_ROUTINE - 1], 2);
	assert_true(status.has_oldest);
	assert_int_equal(status.oldest_ms, first_ms);
	world->cut = false;
	world_settle(world);
	world_run(world, 600000, 20000);
	status = ask_status(world, 0);
	assert_int_equal(status.waiting[PRECEDENCE_FLASH - 1], 0);
	assert_int_equal(status.waiting[PRECEDENCE_ROUTINE - 1], 0);
	assert_false(status.has_oldest);
	assert_int_equal(status.heads, LOCAL_HEADS_AGREE);
	assert_int_not_equal(status.cosigned_at, 0);
	world_free(world);
}

static void what_nobody_acknowledged_is_counted(void **state)
{
	struct world *world = world_open_line(336);
	struct world_message flash = {.precedence = PRECEDENCE_FLASH, .text = "hear us"};
	struct world_message routine = {.precedence = PRECEDENCE_ROUTINE, .text = "and this"};
	uint8_t identities[3][IDENTITY_SIZE];

	assert_int_equal(world_send(world, 0, &flash, identities[0]), ERROR_OK);
	assert_int_equal(world_send(world, 0, &routine, identities[1]), ERROR_OK);
	assert_int_equal(world_send(world, 0, &routine, identities[2]), ERROR_OK);
	world_settle(world);
	struct asked_status status = ask_status(world, 1);
	assert_int_equal(status.unread[PRECEDENCE_FLASH - 1], 1);
	assert_int_equal(status.unread[PRECEDENCE_ROUTINE - 1], 2);
	assert_int_equal(ask_status(world, 0).unread[PRECEDENCE_FLASH - 1], 0);
	assert_int_equal(world_acknowledge(world, 1, identities[0]), ERROR_OK);
	routine.answers = identities[1];
	assert_int_equal(world_send(world, 1, &routine, NULL), ERROR_OK);
	assert_int_equal(world_acknowledge(world, 1, identities[1]), ERROR_OK);
	world_settle(world);
	status = ask_status(world, 1);
	assert_int_equal(status.unread[PRECEDENCE_FLASH - 1], 0);
	assert_int_equal(status.unread[PRECEDENCE_ROUTINE - 1], 1);
	assert_int_equal(ask_status(world, 0).unread[PRECEDENCE_ROUTINE - 1], 1); /* the answer */
	world_free(world);
}

static void how_the_heads_stand_shows(void **state)
{
	struct world *world = world_open_line(333);
	struct row_key key = key_line(1, world_log_of(world, 1));
	struct line line;

	world_run(world, 600000, 20000);
	assert_int_equal(ask_status(world, 0).heads, LOCAL_HEADS_AGREE);
	assert_true(world_row(world, 0, &key, &schema_line, &line));
	assert_int_equal(ask_status(world, 0).cosigned_at, line.theirs_at);
	uint64_t theirs_size = line.theirs_size;
	/* One of the two cosignatures is not enough, whichever it is. The row is read anew before each
	 * change, as it has views into the store. */
	line.theirs_size = 0;
	world_put_row(world, 0, &key, &schema_line, &line);
	assert_int_equal(ask_status(world, 0).heads, LOCAL_HEADS_NOT_COMPARED);
	assert_true(world_row(world, 0, &key, &schema_line, &line));
	line.theirs_size = theirs_size;
	line.cosigned_at = 0;
	world_put_row(world, 0, &key, &schema_line, &line);
	assert_int_equal(ask_status(world, 0).heads, LOCAL_HEADS_NOT_COMPARED);
	assert_true(world_row(world, 0, &key, &schema_line, &line));
	line.disagrees = 1;
	world_put_row(world, 0, &key, &schema_line, &line);
	assert_int_equal(ask_status(world, 0).heads, LOCAL_HEADS_DIFFER);
	assert_true(world_row(world, 0, &key, &schema_line, &line));
	line.forked = 1;
	world_put_row(world, 0, &key, &schema_line, &line);
	struct asked_status status = ask_status(world, 0);
	assert_int_equal(status.heads, LOCAL_HEADS_FORKED);
	assert_int_equal(status.cosigned_at, 0);
	world_free(world);
}

static void a_gap_shows_until_it_is_filled(void **state)
{
	struct world *world = world_open_line(331);
	struct world_message message = {.precedence = PRECEDENCE_ROUTINE, .text = "counted"};
	struct entry_key first;
	struct entry entry;
	uint8_t identity[IDENTITY_SIZE];

	assert_int_equal(ask_status(world, 1).gaps_count, 0);
	world->cut = true;
	assert_int_equal(world_send(world, 0, &message, identity), ERROR_OK);
	assert_true(world_entry(world, 0, identity, &entry, &first));
	assert_int_equal(world_send(world, 0, &message, NULL), ERROR_OK);
	world_run(world, 50, 10);
	world->cut = false;
	assert_int_equal(world_send(world, 0, &message, NULL), ERROR_OK);
	world_run(world, 50, 10);
	struct asked_status status = ask_status(world, 1);
	assert_int_equal(status.gaps_count, 1);
	assert_int_equal(status.branches_count, 0);
	const uint64_t gap[4] = {first.log, 1, first.position, 2};
	assert_memory_equal(status.gap, gap, sizeof(gap));
	world_settle(world);
	assert_int_equal(ask_status(world, 1).gaps_count, 0);
	world_free(world);
}

static void what_was_refused_is_counted(void **state)
{
	struct world *world = world_open_line(332);

	assert_int_equal(ask_status(world, 0).refused, 0);
	world_deliver(world, 0, 1, bytes_of_text("nothing sealed"));
	world_deliver(world, 0, 1, bytes_of_text("nor this"));
	world_commit(world, 0);
	struct asked_status status = ask_status(world, 0);
	assert_int_equal(status.refused, 2);
	assert_int_equal(status.refused_ms, world->now_ms);
	assert_string_equal(status.refused_from, world->posts[1].node);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_enumerate_everything_exactly_once),
		cmocka_unit_test(selections_part_own_messages_from_received_ones),
		cmocka_unit_test(a_page_looks_at_so_many_rows_and_no_more),
		cmocka_unit_test(what_is_awaited_is_told_with_its_time_until_it_came),
		cmocka_unit_test(a_cursor_that_no_answer_gave_is_refused),
		cmocka_unit_test(an_entry_comes_with_its_bytes_its_leaf_and_its_receipt),
		cmocka_unit_test(heads_verify_with_their_keys_and_cosignatures),
		cmocka_unit_test(status_tells_what_the_daemon_says_of_its_disk),
		cmocka_unit_test(what_waits_for_a_receipt_is_counted),
		cmocka_unit_test(what_nobody_acknowledged_is_counted),
		cmocka_unit_test(how_the_heads_stand_shows),
		cmocka_unit_test(a_gap_shows_until_it_is_filled),
		cmocka_unit_test(what_was_refused_is_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
