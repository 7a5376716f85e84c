#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cbor.h"
#include "envelope/content.h"
#include "envelope/cose.h"
#include "post/request.h"

#define MEMORY_SIZE 1024

/* The arguments of a SUBMIT: a channel, and a message with a signature of zeros. */
static void append_entry(struct buffer *frame, uint64_t precedence)
{
	static const uint8_t zeros[32];
	uint8_t payload_memory[256], cose_memory[512];
	struct buffer payload = buffer_make(payload_memory, sizeof payload_memory);
	struct buffer cose = buffer_make(cose_memory, sizeof cose_memory);
	struct content content = {
		.kind = CONTENT_MESSAGE, .precedence = precedence, .signers_count = 1, .signers = {1}};
	struct cose_signed object = {.signer_count = 1};

	content.of.message.time = 1;
	content.of.message.text = bytes_of_text("text");
	content_encode(&content, &payload);
	object.payload = buffer_bytes(&payload);
	assert_int_equal(cose_signed_encode(&object, &cose), ERROR_OK);
	cbor_write_bytes(frame, bytes_make(zeros, sizeof zeros));
	cbor_write_bytes(frame, buffer_bytes(&cose));
}

static struct buffer begin_request(uint8_t memory[MEMORY_SIZE], size_t count, uint64_t number, uint64_t verb)
{
	struct buffer frame = buffer_make(memory, MEMORY_SIZE);

	cbor_write_array(&frame, count);
	cbor_write_uint(&frame, number);
	cbor_write_uint(&frame, verb);
	return frame;
}

static void a_submission_shows_its_kind_and_precedence(void **state)
{
	uint8_t memory[MEMORY_SIZE];
	struct buffer frame = begin_request(memory, 4, 9, LOCAL_SUBMIT);
	struct request request;

	append_entry(&frame, 3);
	assert_int_equal(request_parse(buffer_bytes(&frame), &request), ERROR_OK);
	assert_int_equal(request.number, 9);
	assert_int_equal(request.verb, LOCAL_SUBMIT);
	assert_int_equal(request.kind, 1);
	assert_int_equal(request.precedence, 3);
}

/* Wherever it is cut, it is a request if its number and verb can be read, and never an urgent one. */
static void a_submission_that_cannot_be_read_counts_as_bulk(void **state)
{
	uint8_t memory[MEMORY_SIZE];
	struct buffer frame = begin_request(memory, 4, 9, LOCAL_SUBMIT);
	size_t head = frame.size;
	struct request request;

	append_entry(&frame, 4);
	for (size_t size = 0; size < frame.size; size++) {
		enum error error = request_parse(bytes_make(memory, size), &request);

		assert_int_equal(error, size < head + 2 ? ERROR_MALFORMED : ERROR_OK);
		if (error == ERROR_OK)
			assert_true(request.precedence == 0 && request.kind == 0);
	}
}

static void what_has_no_number_and_verb_is_no_request(void **state)
{
	static const struct {
		uint8_t data[8];
		size_t size;
	} cases[] = {
		{{0x80}, 1},                   /* [] */
		{{0x81, 0x01}, 2},             /* [1] */
		{{0x82, 0x00, 0x01}, 3},       /* [0, 1]: 0 is for notices */
		{{0x82, 0x20, 0x01}, 3},       /* [-1, 1] */
		{{0x82, 0x01, 0x61, 0x61}, 4}, /* [1, "a"] */
		{{0x82, 0x18, 0x01, 0x01}, 4}, /* [1, 1], not in its shortest form */
		{{0xa1, 0x01, 0x01}, 3},       /* {1: 1} */
		{{0x9f, 0x01, 0x01, 0xff}, 4}, /* of no stated length */
		{{0x98, 0xff, 0x01, 0x01}, 4}, /* more items than bytes */
	};
	struct request request;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(request_parse(bytes_make(cases[i].data, cases[i].size), &request),
				 ERROR_MALFORMED);
}

static void replies_are_frames_of_the_local_api(void **state)
{
	static const uint8_t error_reply[] = {0, 0, 0, 8, 0x83, 0x05, 0x18, 0x30, 0x63, 'f', 'u', 'l'};
	static const uint8_t empty_reply[] = {0, 0, 0, 3, 0x82, 0x05, 0x00};
	static const uint8_t chunk_reply[] = {0, 0, 0, 6, 0x83, 0x05, 0x00, 0x42, 0xaa, 0xbb};
	uint8_t memory[MEMORY_SIZE];
	struct buffer buffer = buffer_make(memory, sizeof memory);

	request_reply_error(&buffer, 5, ERROR_FULL, "ful");
	request_reply_empty(&buffer, 5);
	request_reply_chunk(&buffer, 5, bytes_make("\xaa\xbb", 2));
	assert_int_equal(buffer.size, sizeof error_reply + sizeof empty_reply + sizeof chunk_reply);
	assert_memory_equal(memory, error_reply, sizeof error_reply);
	assert_memory_equal(memory + sizeof error_reply, empty_reply, sizeof empty_reply);
	assert_memory_equal(memory + sizeof error_reply + sizeof empty_reply, chunk_reply,
			    sizeof chunk_reply);
}

static struct buffer hello_reply(uint8_t memory[MEMORY_SIZE], uint64_t error)
{
	static const uint8_t party[32];
	struct buffer reply = buffer_make(memory, MEMORY_SIZE);
	size_t mark;

	local_frame_begin(&reply, &mark);
	cbor_write_array(&reply, 9);
	cbor_write_uint(&reply, 1);
	cbor_write_uint(&reply, error);
	cbor_write_uint(&reply, LOCAL_VERSION);
	cbor_write_bytes(&reply, bytes_make(party, sizeof party));
	cbor_write_uint(&reply, 3);
	cbor_write_text(&reply, bytes_of_text("alliance"));
	cbor_write_text(&reply, bytes_of_text("embassy"));
	cbor_write_text(&reply, bytes_of_text("dtn://embassy/"));
	cbor_write_uint(&reply, 2);
	local_frame_end(&reply, mark);
	return reply;
}

static void the_node_is_read_from_the_reply_to_hello(void **state)
{
	uint8_t memory[MEMORY_SIZE];
	struct buffer reply = hello_reply(memory, ERROR_OK);
	struct bytes node;

	assert_int_equal(request_hello_node(buffer_bytes(&reply), &node), ERROR_OK);
	assert_true(bytes_equal(node, bytes_of_text("dtn://embassy/")));
	for (size_t size = 0; size < reply.size; size++)
		assert_int_equal(request_hello_node(bytes_make(memory, size), &node), ERROR_MALFORMED);
	reply = hello_reply(memory, ERROR_NOT_NOW);
	assert_int_equal(request_hello_node(buffer_bytes(&reply), &node), ERROR_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_submission_shows_its_kind_and_precedence),
		cmocka_unit_test(a_submission_that_cannot_be_read_counts_as_bulk),
		cmocka_unit_test(what_has_no_number_and_verb_is_no_request),
		cmocka_unit_test(replies_are_frames_of_the_local_api),
		cmocka_unit_test(the_node_is_read_from_the_reply_to_hello),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
