#include "tests/unit/record/asking.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct buffer ask_request(uint64_t verb, size_t arguments)
{
	static uint8_t memory[4096];
	struct buffer frame = buffer_make(memory, sizeof(memory));

	cbor_write_array(&frame, 2 + arguments);
	cbor_write_uint(&frame, 1);
	cbor_write_uint(&frame, verb);
	return frame;
}

enum error ask(struct world *world, size_t post, const struct buffer *frame)
{
	return world_request(world, post, buffer_bytes(frame));
}

struct cbor_reader ask_results(struct world *world, size_t post, const struct buffer *frame, size_t count)
{
	assert_int_equal(ask(world, post, frame), ERROR_OK);
	const struct world_post *asked = &world->posts[post];
	struct cbor_reader reader = cbor_reader_make(bytes_make(asked->reply, asked->reply_size));
	cbor_read_array_exact(&reader, 2 + count);
	assert_int_equal(cbor_read_uint(&reader), 1);
	assert_int_equal(cbor_read_uint(&reader), 0);
	assert_int_equal(cbor_reader_error(&reader), ERROR_OK);
	return reader;
}

struct buffer ask_about_channel(struct world *world, uint64_t verb, size_t arguments)
{
	struct buffer frame = ask_request(verb, arguments);
	cbor_write_bytes(&frame, bytes_make(world->channel, sizeof(world->channel)));
	return frame;
}

void expect_text(struct cbor_reader *reader, const char *text)
{
	assert_true(bytes_equal(cbor_read_text(reader, 256), bytes_of_text(text)));
}

void expect_bytes(struct cbor_reader *reader, const uint8_t *bytes, size_t size)
{
	assert_true(bytes_equal(cbor_read_bytes(reader, 4096), bytes_make(bytes, size)));
}

size_t ask_index_of(const struct world *world, size_t party)
{
	size_t index;
	assert_true(roster_find(&world->roster, world->parties[party].id, &index));
	return index;
}

struct buffer ask_for_entries(struct world *world, bool all, uint64_t selection, struct bytes cursor,
			      uint64_t count)
{
	struct buffer frame = ask_request(LOCAL_ENTRIES, 4);

	if (all)
		cbor_write_null(&frame);
	else
		cbor_write_bytes(&frame, bytes_make(world->channel, sizeof(world->channel)));
	cbor_write_uint(&frame, selection);
	cbor_write_bytes(&frame, cursor);
	cbor_write_uint(&frame, count);
	return frame;
}

static uint64_t number_or_null(struct cbor_reader *reader)
{
	return cbor_read_null(reader) ? 0 : cbor_read_uint(reader);
}

/* The keys to one post, as STATUS tells of them. */
static struct asked_keys read_keys(struct cbor_reader *reader, const char *party, const char *post)
{
	struct asked_keys keys;

	cbor_read_array_exact(reader, 7);
	expect_text(reader, party);
	expect_text(reader, post);
	keys.state = cbor_read_uint(reader);
	keys.keying = number_or_null(reader);
	keys.next_keying = number_or_null(reader);
	keys.left = cbor_read_uint(reader);
	keys.ends = number_or_null(reader);
	return keys;
}

static void read_uints(struct cbor_reader *reader, uint64_t *values, size_t count)
{
	cbor_read_array_exact(reader, count);
	for (size_t i = 0; i < count; i++)
		values[i] = cbor_read_uint(reader);
}

static void read_channel_status(struct cbor_reader *reader, const struct world *world,
				struct asked_status *status)
{
	cbor_read_array_exact(reader, 9);
	expect_bytes(reader, world->channel, CHANNEL_ID_SIZE);
	expect_text(reader, "Test line");
	read_uints(reader, status->waiting, PRECEDENCE_COUNT);
	status->has_oldest = !cbor_read_null(reader);
	if (status->has_oldest)
		status->oldest_ms = cbor_read_uint(reader);
	status->heads = cbor_read_uint(reader);
	status->cosigned_at = number_or_null(reader);
	read_uints(reader, status->unread, PRECEDENCE_COUNT);
	status->gaps_count = cbor_read_array(reader, 64);
	for (size_t i = 0; i < status->gaps_count; i++)
		read_uints(reader, status->gap, 4);
	status->branches_count = cbor_read_array(reader, 64);
	for (size_t i = 0; i < status->branches_count; i++)
		read_uints(reader, status->branch, 5);
}

struct asked_status ask_status(struct world *world, size_t post)
{
	struct buffer frame = ask_request(LOCAL_STATUS, 0);
	struct cbor_reader reader = ask_results(world, post, &frame, 9);
	const struct world_post *other = &world->posts[1 - post];
	struct asked_status status = {0};

	cbor_read_array_exact(&reader, 1);
	read_channel_status(&reader, world, &status);
	assert_false(cbor_read_bool(&reader)); /* courier connected */
	cbor_read_array_exact(&reader, 0);     /* routes */
	size_t reasons = cbor_read_array(&reader, 256);
	for (size_t i = 0; i < reasons; i++) {
		cbor_read_array_exact(&reader, 4);
		assert_true(error_known((enum error)cbor_read_uint(&reader)));
		status.refused += cbor_read_uint(&reader);
		status.refused_ms = cbor_read_uint(&reader);
		cbor_read_text_copy(&reader, status.refused_from, EID_SIZE_MAX);
	}
	cbor_read_array_exact(&reader, 1);
	status.keys = read_keys(&reader, world->parties[other->party].name, other->name);
	status.store_size = cbor_read_uint(&reader);
	status.disk = cbor_read_uint(&reader);
	read_uints(&reader, status.left, PRECEDENCE_COUNT);
	status.courier_full = cbor_read_bool(&reader);
	assert_int_equal(cbor_read_end(&reader), ERROR_OK);
	return status;
}
