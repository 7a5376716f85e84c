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

struct asked_keys expect_keys(struct cbor_reader *reader, const char *party, const char *post)
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
