#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cbor.h"
#include "base/frame.h"
#include "base/link.h"
#include "tests/unit/base/link_samples.h"
#include "tests/unit/cbor_check.h"
#include "tests/unit/hex.h"

/* An id, as its head and 16 bytes. */
#define ID "50 000102030405060708090a0b0c0d0e0f"

static uint8_t memory[2 * LINK_FRAME_SIZE_MAX];
static struct link_message decoded;

/* The content of the frame of `message`. */
static struct bytes encode(enum link_role from, const struct link_message *message)
{
	struct buffer buffer = buffer_make(memory, sizeof memory);
	struct bytes frame;
	size_t size;

	assert_int_equal(link_encode(&buffer, from, message), ERROR_OK);
	assert_int_equal(link_frame_next(buffer_bytes(&buffer), &frame, &size), ERROR_OK);
	assert_int_equal(size, buffer.size);
	return frame;
}

/* Decodes a copy that ends where its memory ends, so that a read beyond it is caught. */
static enum error decode_copy(struct bytes frame, enum link_role from)
{
	uint8_t *copy = malloc(frame.size == 0 ? 1 : frame.size);
	enum error error;

	assert_non_null(copy);
	if (frame.size != 0)
		memcpy(copy, frame.data, frame.size);
	error = link_decode(bytes_make(copy, frame.size), from, &decoded);
	free(copy);
	return error;
}

static enum error decode_hex(const char *hex, enum link_role from)
{
	uint8_t bytes[256];

	return decode_copy(hex_decode(hex, bytes, sizeof bytes), from);
}

static void each_message_comes_back_as_it_was_sent(void **state)
{
	static uint8_t again[sizeof memory];

	for (size_t i = 0; i < LINK_SAMPLES_COUNT; i++) {
		struct buffer buffer = buffer_make(again, sizeof again);
		enum link_role from;
		const struct link_message *message = link_sample(i, &from);
		struct bytes frame = encode(from, message);

		assert_int_equal(cbor_check(frame), ERROR_OK);
		assert_int_equal(link_decode(frame, from, &decoded), ERROR_OK);
		assert_int_equal(decoded.type, message->type);
		assert_int_equal(link_encode(&buffer, from, &decoded), ERROR_OK);
		buffer_consume(&buffer, FRAME_HEAD_SIZE);
		assert_true(bytes_equal(buffer_bytes(&buffer), frame));
	}
}

static void each_field_comes_back_in_its_place(void **state)
{
	assert_int_equal(decode_hex("84 01 01 01 67 69706e3a312e30", LINK_POST), ERROR_OK);
	assert_int_equal(decoded.hello.version, 1);
	assert_int_equal(decoded.hello.role, LINK_POST);
	assert_int_equal(decoded.hello.node.size, 7);

	assert_int_equal(decode_hex("87 02 " ID " 61 61 04 1903e8 42 aabb 61 70", LINK_POST),
		ERROR_OK);
	assert_memory_equal(decoded.send.id, "\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17", LINK_ID_SIZE);
	assert_int_equal(decoded.send.precedence, 4);
	assert_int_equal(decoded.send.lifetime_ms, 1000);
	assert_int_equal(decoded.send.sealed.size, 2);
	assert_int_equal(decoded.send.pin.size, 1);

	assert_int_equal(decode_hex("83 04 61 70 f4", LINK_POST), ERROR_OK);
	assert_false(decoded.route_wanted.hold);
	assert_int_equal(decode_hex("82 05 07", LINK_POST), ERROR_OK);
	assert_int_equal(decoded.taken.delivery, 7);
	assert_int_equal(decode_hex("82 0b 08", LINK_POST), ERROR_OK);
	assert_int_equal(decoded.type, LINK_LEFT);
	assert_int_equal(decoded.left.delivery, 8);

	assert_int_equal(decode_hex("85 06 09 61 61 02 41 cc", LINK_COURIER), ERROR_OK);
	assert_int_equal(decoded.received.delivery, 9);
	assert_int_equal(decoded.received.precedence, 2);

	assert_int_equal(decode_hex("85 07 " ID " 03 60 18 30", LINK_COURIER), ERROR_OK);
	assert_int_equal(decoded.progress.state, LINK_FAILED);
	assert_int_equal(decoded.progress.reason, ERROR_FULL);

	assert_int_equal(decode_hex("83 08 81 85 61 70 61 61 02 05 06 f5", LINK_COURIER), ERROR_OK);
	assert_int_equal(decoded.routes.count, 1);
	assert_int_equal(decoded.routes.routes[0].state, LINK_ROUTE_DEGRADED);
	assert_int_equal(decoded.routes.routes[0].changed_ms, 5);
	assert_int_equal(decoded.routes.routes[0].queued_size, 6);
	assert_true(decoded.routes.full);
	assert_int_equal(decode_hex("83 08 80 f4", LINK_COURIER), ERROR_OK);
	assert_false(decoded.routes.full);
}

static void every_truncation_of_every_message_is_refused(void **state)
{
	for (size_t i = 0; i < LINK_SAMPLES_COUNT; i++) {
		enum link_role from;
		const struct link_message *message = link_sample(i, &from);
		struct bytes frame = encode(from, message);
		/* The two largest, of 80 kB and 55 kB, are cut at every 97th byte. */
		size_t step = frame.size > 4096 ? 97 : 1;

		for (size_t size = 0; size < frame.size; size += step)
			assert_int_equal(decode_copy(bytes_make(frame.data, size), from), ERROR_TRUNCATED);
	}
}

static void bytes_after_a_message_are_refused(void **state)
{
	assert_int_equal(decode_hex("82 05 07 00", LINK_POST), ERROR_TRAILING);
}

static void a_message_that_the_other_end_sends_is_refused(void **state)
{
	for (size_t i = 0; i < LINK_SAMPLES_COUNT; i++) {
		enum link_role from;
		const struct link_message *message = link_sample(i, &from);
		enum link_role other = from == LINK_POST ? LINK_COURIER : LINK_POST;
		enum error expected = message->type == LINK_HELLO ? ERROR_OUT_OF_RANGE : ERROR_UNSUPPORTED;
		struct buffer buffer;

		assert_int_equal(decode_copy(encode(from, message), other), expected);
		buffer = buffer_make(memory, sizeof memory);
		assert_int_equal(link_encode(&buffer, other, message), expected);
		assert_int_equal(buffer.size, 0);
	}
}

static void an_unknown_type_is_refused(void **state)
{
	assert_int_equal(decode_hex("82 00 07", LINK_POST), ERROR_UNSUPPORTED);
	assert_int_equal(decode_hex("82 0c 07", LINK_POST), ERROR_UNSUPPORTED);
	assert_int_equal(decode_hex("82 1bffffffffffffffff 07", LINK_COURIER), ERROR_UNSUPPORTED);
	assert_int_equal(decode_hex("8a 0c 07 07 07 07 07 07 07 07 07", LINK_POST), ERROR_UNSUPPORTED);
	assert_int_equal(decode_hex("82 20 07", LINK_POST), ERROR_WRONG_TYPE);
	assert_int_equal(decode_hex("80", LINK_POST), ERROR_TRUNCATED);
	assert_int_equal(decode_hex("05", LINK_POST), ERROR_WRONG_TYPE);
}

static const struct {
	const char *hex;
	enum link_role from;
	enum error error;
} out_of_form[] = {
	/* HELLO: another version, no node, too long, with a space, with a control character */
	{ "84 01 02 01 61 61", LINK_POST, ERROR_BAD_VERSION },
	{ "84 01 01 01 60", LINK_POST, ERROR_OUT_OF_RANGE },
	{ "84 01 01 01 78 81", LINK_POST, ERROR_TOO_LARGE },
	{ "84 01 01 01 63 612061", LINK_POST, ERROR_NOT_TEXT },
	{ "84 01 01 01 61 7f", LINK_POST, ERROR_NOT_TEXT },
	{ "84 01 01 01 62 c3bc", LINK_POST, ERROR_NOT_TEXT },
	{ "84 01 01 03 61 61", LINK_POST, ERROR_OUT_OF_RANGE },
	{ "83 01 01 01", LINK_POST, ERROR_WRONG_TYPE },
	/* SEND: id of 15 bytes, precedence 0 and 5, lifetime 0 and too long, nothing sealed, two-line pin */
	{ "87 02 4f 000102030405060708090a0b0c0d0e 61 61 04 01 41 aa 60", LINK_POST, ERROR_OUT_OF_RANGE },
	{ "87 02 " ID " 61 61 00 01 41 aa 60", LINK_POST, ERROR_OUT_OF_RANGE },
	{ "87 02 " ID " 61 61 05 01 41 aa 60", LINK_POST, ERROR_OUT_OF_RANGE },
	{ "87 02 " ID " 61 61 04 00 41 aa 60", LINK_POST, ERROR_OUT_OF_RANGE },
	{ "87 02 " ID " 61 61 04 1b0000000757b12c01 41 aa 60", LINK_POST,
		ERROR_OUT_OF_RANGE },
	{ "87 02 " ID " 61 61 04 01 40 60", LINK_POST, ERROR_OUT_OF_RANGE },
	{ "87 02 " ID " 61 61 04 01 41 aa 63 610a61", LINK_POST, ERROR_NOT_TEXT },
	/* ROUTE_WANTED: no name; an integer for the bool */
	{ "83 04 60 f5", LINK_POST, ERROR_OUT_OF_RANGE },
	{ "83 04 61 61 01", LINK_POST, ERROR_WRONG_TYPE },
	/* TAKEN: delivery 0 and 2^63 */
	{ "82 05 00", LINK_POST, ERROR_OUT_OF_RANGE },
	{ "82 05 1b8000000000000000", LINK_POST, ERROR_OUT_OF_RANGE },
	/* LEFT: the same, two of them, from the courier */
	{ "82 0b 00", LINK_POST, ERROR_OUT_OF_RANGE },
	{ "82 0b 1b8000000000000000", LINK_POST, ERROR_OUT_OF_RANGE },
	{ "83 0b 01 02", LINK_POST, ERROR_WRONG_TYPE },
	{ "82 0b 01", LINK_COURIER, ERROR_UNSUPPORTED },
	/* RECEIVED: delivery 0, no source, precedence 0, nothing sealed */
	{ "85 06 00 61 61 02 41 cc", LINK_COURIER, ERROR_OUT_OF_RANGE },
	{ "85 06 01 60 02 41 cc", LINK_COURIER, ERROR_OUT_OF_RANGE },
	{ "85 06 01 61 61 00 41 cc", LINK_COURIER, ERROR_OUT_OF_RANGE },
	{ "85 06 01 61 61 01 40", LINK_COURIER, ERROR_OUT_OF_RANGE },
	/* PROGRESS: state 0 and 5; carried by nothing; a reason unknown, missing, or without need */
	{ "85 07 " ID " 00 60 00", LINK_COURIER, ERROR_OUT_OF_RANGE },
	{ "85 07 " ID " 05 60 00", LINK_COURIER, ERROR_OUT_OF_RANGE },
	{ "85 07 " ID " 02 60 00", LINK_COURIER, ERROR_OUT_OF_RANGE },
	{ "85 07 " ID " 03 60 18 1f", LINK_COURIER, ERROR_OUT_OF_RANGE },
	{ "85 07 " ID " 03 60 1a00010000", LINK_COURIER, ERROR_OUT_OF_RANGE },
	{ "85 07 " ID " 03 60 00", LINK_COURIER, ERROR_OUT_OF_RANGE },
	{ "85 07 " ID " 01 60 01", LINK_COURIER, ERROR_OUT_OF_RANGE },
	/* ROUTES: a state 0, no name, a name twice, not ascending, an element missing, too many routes;
	   `full` missing, no bool, an element too many */
	{ "83 08 81 85 61 70 61 61 00 05 06 f4", LINK_COURIER, ERROR_OUT_OF_RANGE },
	{ "83 08 81 85 60 61 61 01 05 06 f4", LINK_COURIER, ERROR_OUT_OF_RANGE },
	{ "83 08 82 85 61 70 61 61 01 05 06 85 61 70 61 61 01 05 06 f4", LINK_COURIER, ERROR_MALFORMED },
	{ "83 08 82 85 61 70 61 61 01 05 06 85 61 6f 61 61 01 05 06 f4", LINK_COURIER, ERROR_MALFORMED },
	{ "83 08 81 84 61 70 61 61 01 05 f4", LINK_COURIER, ERROR_WRONG_TYPE },
	{ "83 08 81 85 61 70 61 61 01 05 1bffffffffffffffff f4", LINK_COURIER, ERROR_OUT_OF_RANGE },
	{ "83 08 81 85 61 70 61 61 01 1b8000000000000000 00 f4", LINK_COURIER, ERROR_OUT_OF_RANGE },
	{ "83 08 81 85 61 70 60 01 05 06 f4", LINK_COURIER, ERROR_OUT_OF_RANGE },
	{ "82 08 80", LINK_COURIER, ERROR_WRONG_TYPE },
	{ "83 08 80 01", LINK_COURIER, ERROR_WRONG_TYPE },
	{ "84 08 80 f4 f4", LINK_COURIER, ERROR_WRONG_TYPE },
	{ "83 08 990101", LINK_COURIER, ERROR_TOO_LARGE },
	{ "83 08 9b00000000ffffffff", LINK_COURIER, ERROR_NOT_CANONICAL },
};

static void messages_out_of_form_are_refused(void **state)
{
	for (size_t i = 0; i < sizeof out_of_form / sizeof out_of_form[0]; i++) {
		enum error error = decode_hex(out_of_form[i].hex, out_of_form[i].from);

		if (error != out_of_form[i].error)
			fail_msg("%s gives %s, not %s", out_of_form[i].hex, error_name(error),
				error_name(out_of_form[i].error));
	}
}

static void sealed_bytes_beyond_the_limit_are_refused_by_their_head(void **state)
{
	uint8_t bytes[64];
	struct buffer frame = buffer_make(bytes, sizeof bytes);

	buffer_append(&frame, bytes_of_text("\x85\x06\x01\x61\x61\x01"));
	cbor_write_bytes_head(&frame, SEALED_SIZE_MAX + 1);
	assert_int_equal(decode_copy(buffer_bytes(&frame), LINK_COURIER), ERROR_TOO_LARGE);
}

static void a_message_that_would_be_refused_is_not_sent(void **state)
{
	enum link_role from;
	struct link_message message = *link_sample(2, &from);
	struct buffer buffer = buffer_make(memory, sizeof memory);
	char too_long[EID_SIZE_MAX + 1];

	memset(too_long, 'x', sizeof too_long);
	message.send.precedence = 5;
	assert_int_equal(link_encode(&buffer, from, &message), ERROR_OUT_OF_RANGE);
	message = *link_sample(3, &from);
	message.send.sealed.size++;
	assert_int_equal(link_encode(&buffer, from, &message), ERROR_TOO_LARGE);
	message = *link_sample(3, &from);
	message.send.destination = bytes_make(too_long, EID_SIZE_MAX + 1);
	assert_int_equal(link_encode(&buffer, from, &message), ERROR_TOO_LARGE);
	message = *link_sample(3, &from);
	message.send.pin = bytes_make(too_long, ROUTE_NAME_SIZE_MAX + 1);
	assert_int_equal(link_encode(&buffer, from, &message), ERROR_TOO_LARGE);
	message = *link_sample(10, &from);
	message.routes.count = ROUTES_MAX + 1;
	assert_int_equal(link_encode(&buffer, from, &message), ERROR_TOO_LARGE);
	message.type = (enum link_type)0;
	assert_int_equal(link_encode(&buffer, from, &message), ERROR_UNSUPPORTED);
	assert_int_equal(buffer.size, 0);
	assert_int_equal(buffer_error(&buffer), ERROR_OK);
}

static void a_message_without_room_leaves_the_stream_as_it_was(void **state)
{
	enum link_role from;
	const struct link_message *message = link_sample(5, &from);
	struct bytes frame = encode(from, message);
	size_t whole = FRAME_HEAD_SIZE + frame.size;

	for (size_t room = 0; room < whole; room++) {
		struct buffer buffer = buffer_make(memory, 1 + room);

		buffer_append_byte(&buffer, 'x');
		assert_int_equal(link_encode(&buffer, from, message), ERROR_FULL);
		assert_int_equal(buffer.size, 1);
		assert_int_equal(buffer_error(&buffer), ERROR_OK);
	}
	struct buffer buffer = buffer_make(memory, whole);
	assert_int_equal(link_encode(&buffer, from, message), ERROR_OK);
	assert_int_equal(buffer.size, whole);
}

static void a_stream_gives_its_frames_one_by_one_as_they_become_whole(void **state)
{
	static uint8_t received_memory[4096];
	static uint8_t sent_memory[4096];
	static const size_t samples[] = { 0, 2, 4, 5, 6 };
	struct buffer sent = buffer_make(sent_memory, sizeof sent_memory);
	struct buffer received = buffer_make(received_memory, sizeof received_memory);
	enum link_role from;
	struct bytes frame;
	size_t frames = 0;
	size_t size;

	for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
		assert_int_equal(link_encode(&sent, LINK_POST, link_sample(samples[i], &from)), ERROR_OK);
	for (size_t i = 0; i < sent.size; i++) {
		buffer_append_byte(&received, sent.data[i]);
		if (link_frame_next(buffer_bytes(&received), &frame, &size) == ERROR_TRUNCATED)
			continue;
		assert_int_equal(link_decode(frame, LINK_POST, &decoded), ERROR_OK);
		assert_int_equal(decoded.type, link_sample(samples[frames++], &from)->type);
		buffer_consume(&received, size);
		assert_int_equal(received.size, 0);
	}
	assert_int_equal(frames, sizeof samples / sizeof samples[0]);
	assert_int_equal(received.size, 0);
}

static void frames_that_are_empty_or_too_large_are_refused_by_their_head(void **state)
{
	struct bytes frame;
	size_t size;
	uint8_t head[4] = { 0 };

	assert_int_equal(link_frame_next(bytes_make(head, 3), &frame, &size), ERROR_TRUNCATED);
	assert_int_equal(link_frame_next(bytes_make(NULL, 0), &frame, &size), ERROR_TRUNCATED);
	assert_int_equal(link_frame_next(bytes_make(head, 4), &frame, &size), ERROR_TOO_LARGE);
	store_u32(head, LINK_FRAME_SIZE_MAX);
	assert_int_equal(link_frame_next(bytes_make(head, 4), &frame, &size), ERROR_TRUNCATED);
	store_u32(head, LINK_FRAME_SIZE_MAX + 1);
	assert_int_equal(link_frame_next(bytes_make(head, 4), &frame, &size), ERROR_TOO_LARGE);
	store_u32(head, UINT32_MAX);
	assert_int_equal(link_frame_next(bytes_make(head, 4), &frame, &size), ERROR_TOO_LARGE);
}

static void the_window_bounds_what_waits_before_a_flash(void **state)
{
	struct link_window window = { { 0 } };

	assert_true(link_window_open(&window, 1, SEALED_SIZE_MAX));
	link_window_sent(&window, 1, 8000);
	assert_true(link_window_open(&window, 1, WINDOW_SIZE_MAX - 8000));
	assert_false(link_window_open(&window, 1, WINDOW_SIZE_MAX - 8000 + 1));
	/* A higher precedence does not wait for it, and is counted against the lower ones. */
	assert_true(link_window_open(&window, 4, SEALED_SIZE_MAX));
	link_window_sent(&window, 4, 4000);
	assert_false(link_window_open(&window, 1, 289));
	assert_true(link_window_open(&window, 1, 288));
	assert_true(link_window_open(&window, 4, WINDOW_SIZE_MAX - 4000));
	link_window_answered(&window, 1, 8000);
	assert_true(link_window_open(&window, 2, WINDOW_SIZE_MAX - 4000));
	assert_false(link_window_open(&window, 2, WINDOW_SIZE_MAX - 4000 + 1));
	link_window_answered(&window, 4, 4000);
	/* One that is larger than the window passes, alone. */
	link_window_sent(&window, 3, WINDOW_SIZE_MAX + 1);
	assert_false(link_window_open(&window, 3, 1));
	assert_false(link_window_open(&window, 1, 0));
	assert_true(link_window_open(&window, 4, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_message_comes_back_as_it_was_sent),
		cmocka_unit_test(each_field_comes_back_in_its_place),
		cmocka_unit_test(every_truncation_of_every_message_is_refused),
		cmocka_unit_test(bytes_after_a_message_are_refused),
		cmocka_unit_test(a_message_that_the_other_end_sends_is_refused),
		cmocka_unit_test(an_unknown_type_is_refused),
		cmocka_unit_test(messages_out_of_form_are_refused),
		cmocka_unit_test(sealed_bytes_beyond_the_limit_are_refused_by_their_head),
		cmocka_unit_test(a_message_that_would_be_refused_is_not_sent),
		cmocka_unit_test(a_message_without_room_leaves_the_stream_as_it_was),
		cmocka_unit_test(a_stream_gives_its_frames_one_by_one_as_they_become_whole),
		cmocka_unit_test(frames_that_are_empty_or_too_large_are_refused_by_their_head),
		cmocka_unit_test(the_window_bounds_what_waits_before_a_flash),
	};

	return cmocka_run_group_tests_name("base/link", tests, NULL, NULL);
}
