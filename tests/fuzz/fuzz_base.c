/*
 * base/: the first byte chooses the reader, the rest is what it reads. What is asserted stands at each: above
 * all that what is accepted is written again to the same bytes.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/cbor.h"
#include "base/frame.h"
#include "base/link.h"
#include "base/place.h"
#include "base/text.h"
#include "tests/fuzz/cbor_mutator.h"
#include "tests/unit/base/cbor_copy.h"

#define READERS 6

enum reader { READ_CBOR, READ_FRAMES, READ_LINK_OF_POST, READ_LINK_OF_COURIER, READ_TEXT, READ_PLACE };

/* A copy does not show that keys ascend: that is looked at here, in the outermost map, byte by byte. */
static void check_keys(struct bytes map)
{
	struct cbor_reader reader = cbor_reader_make(map);
	struct bytes last = bytes_make(NULL, 0);

	for (size_t left = cbor_read_map(&reader, SIZE_MAX); left != 0; left--) {
		struct bytes key = cbor_read_item(&reader);
		size_t size = key.size < last.size ? key.size : last.size;

		/* No item is the beginning of another, so the shorter one decides. */
		assert(last.size == 0 || memcmp(last.data, key.data, size) < 0);
		last = key;
		cbor_read_item(&reader);
	}
	assert(cbor_read_end(&reader) == ERROR_OK);
}

/* A copy takes no more bytes than what was read in full: the reader accepts nothing but the shortest form. */
static void read_cbor(struct bytes input, uint8_t *memory)
{
	struct cbor_reader reader = cbor_reader_make(input);
	struct cbor_reader again;
	struct buffer copy = buffer_make(memory, input.size);
	struct bytes item = cbor_read_item(&reader);

	assert(reader.at <= input.size);
	if (cbor_reader_error(&reader) != ERROR_OK) {
		assert(item.size == 0 && cbor_peek(&reader) == CBOR_NONE);
		return;
	}
	assert(item.data == input.data && item.size == reader.at);
	again = cbor_reader_make(item);
	if (cbor_peek(&again) == CBOR_MAP)
		check_keys(item);
	cbor_copy(&again, &copy);
	assert(cbor_read_end(&again) == ERROR_OK && buffer_error(&copy) == ERROR_OK);
	assert(bytes_equal(buffer_bytes(&copy), item));
}

static void read_frames(struct bytes stream)
{
	while (stream.size != 0) {
		struct bytes frame;
		size_t size;

		if (frame_next(stream, 1024, &frame, &size) != ERROR_OK)
			return;
		assert(size <= stream.size && frame.size == size - FRAME_HEAD_SIZE);
		assert(frame.size >= 1 && frame.size <= 1024 && frame.data == stream.data + FRAME_HEAD_SIZE);
		stream = bytes_make(stream.data + size, stream.size - size);
	}
}

static void read_link(struct bytes frame, enum link_role from, uint8_t *memory)
{
	struct buffer copy = buffer_make(memory, frame.size + FRAME_HEAD_SIZE);
	struct link_message message;

	if (link_decode(frame, from, &message) != ERROR_OK)
		return;
	assert(link_encode(&copy, from, &message) == ERROR_OK);
	assert(copy.size == frame.size + FRAME_HEAD_SIZE);
	assert(memcmp(copy.data + FRAME_HEAD_SIZE, frame.data, frame.size) == 0);
}

/* What is shown of any bytes may be shown: it is plain, and what was plain already stays as it was. */
static void read_text(struct bytes text, uint8_t *memory)
{
	struct buffer shown = buffer_make(memory, 16 * text.size);
	size_t plain = text_plain_size(text);

	assert(plain <= text.size && text_blank_size(text) <= text.size);
	assert(text_is_plain(text) == (plain == text.size));
	assert(!text_is_plain(text) || text_is_utf8(text));
	assert(!text_is_plain_line(text) || text_is_plain(text));
	assert(text_count_words(text) <= text.size);
	text_append_visible(&shown, text);
	assert(buffer_error(&shown) == ERROR_OK && text_is_plain(buffer_bytes(&shown)));
	if (text_is_plain(text))
		assert(bytes_equal(buffer_bytes(&shown), text));
}

static void read_place(struct bytes text)
{
	/* A node id is no address. */
	assert(!(place_is_node(text) && place_is_address(text)));
}

static void read_by(enum reader reader, struct bytes input, uint8_t *memory)
{
	switch (reader) {
	case READ_CBOR:
		read_cbor(input, memory);
		break;
	case READ_FRAMES:
		read_frames(input);
		break;
	case READ_LINK_OF_POST:
		read_link(input, LINK_POST, memory);
		break;
	case READ_LINK_OF_COURIER:
		read_link(input, LINK_COURIER, memory);
		break;
	case READ_TEXT:
		read_text(input, memory);
		break;
	case READ_PLACE:
		read_place(input);
		break;
	}
}

/* Exact allocations, so that the address sanitizer sees one byte too many read or written. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t input_size = size == 0 ? 0 : size - 1;
	uint8_t *input = malloc(input_size + (input_size == 0));
	uint8_t *memory = malloc(16 * input_size + FRAME_HEAD_SIZE);

	if (size != 0 && input != NULL && memory != NULL) {
		memcpy(input, data + 1, input_size);
		read_by(data[0] % READERS, bytes_make(input, input_size), memory);
	}
	free(input);
	free(memory);
	return 0;
}

size_t target_cbor_at(struct bytes input)
{
	enum reader reader = input.size == 0 ? READ_TEXT : input.data[0] % READERS;
	bool plain = reader == READ_FRAMES || reader == READ_TEXT || reader == READ_PLACE;

	return plain ? input.size : 1;
}
