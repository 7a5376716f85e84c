#include "base/cbor.h"
#include "record/commit.h"

#define ANCHOR_NAME    "liaison anchor"
#define ANCHOR_VERSION 1

void anchor_encode(const struct anchor_entry *entries, size_t count, struct buffer *buffer)
{
	cbor_write_array(buffer, 3);
	cbor_write_text(buffer, bytes_of_text(ANCHOR_NAME));
	cbor_write_uint(buffer, ANCHOR_VERSION);
	cbor_write_array(buffer, count);
	for (size_t i = 0; i < count; i++) {
		cbor_write_array(buffer, 4);
		cbor_write_bytes(buffer, bytes_make(entries[i].channel, sizeof(entries[i].channel)));
		cbor_write_uint(buffer, entries[i].incarnation);
		cbor_write_uint(buffer, entries[i].size);
		cbor_write_bytes(buffer, bytes_make(entries[i].root, sizeof(entries[i].root)));
	}
}

enum error anchor_decode(struct bytes bytes, struct anchor_entry entries[CHANNELS_MAX], size_t *count)
{
	struct cbor_reader reader = cbor_reader_make(bytes);

	cbor_read_array_exact(&reader, 3);
	if (!bytes_equal(cbor_read_text(&reader, 32), bytes_of_text(ANCHOR_NAME)))
		cbor_reader_fail(&reader, ERROR_MALFORMED);
	(void)cbor_read_uint_max(&reader, ANCHOR_VERSION);
	*count = cbor_read_array(&reader, CHANNELS_MAX);
	for (size_t i = 0; i < *count; i++) {
		cbor_read_array_exact(&reader, 4);
		cbor_read_bytes_exact(&reader, entries[i].channel, sizeof(entries[i].channel));
		entries[i].incarnation = cbor_read_uint_max(&reader, INCARNATIONS_MAX);
		entries[i].size = cbor_read_uint_max(&reader, POSITION_MAX + 1);
		cbor_read_bytes_exact(&reader, entries[i].root, sizeof(entries[i].root));
	}
	if (cbor_read_end(&reader) == ERROR_OK)
		return ERROR_OK;
	*count = 0;
	return ERROR_MALFORMED;
}
