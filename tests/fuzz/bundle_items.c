#include "tests/fuzz/bundle_items.h"

#include <string.h>

#include "base/cbor.h"
#include "carry/bundle.h"
#include "carry/crc.h"

/* The type of a block's checksum: the third element of the primary block, the fourth of others. */
static uint64_t crc_type(struct bytes block, bool primary)
{
	struct cbor_reader reader = cbor_reader_make(block);

	(void)cbor_read_array(&reader, SIZE_MAX);
	for (size_t i = 0; i < (primary ? 2 : 3); i++)
		(void)cbor_read_item(&reader);
	return cbor_read_uint(&reader);
}

/* The checksum is the end of the block, and counts as zeros. */
static void write_checksum(uint8_t *block, size_t size, uint64_t type)
{
	size_t crc_size = type == BUNDLE_CRC_16 ? 2 : 4;

	if ((type != BUNDLE_CRC_16 && type != BUNDLE_CRC_32C) || size <= crc_size ||
	    block[size - crc_size - 1] != 0x40 + crc_size)
		return;
	memset(block + size - crc_size, 0, crc_size);
	if (type == BUNDLE_CRC_16) {
		uint16_t crc = crc16_finish(crc16_update(CRC_START, bytes_make(block, size)));
		block[size - 2] = (uint8_t)(crc >> 8);
		block[size - 1] = (uint8_t)crc;
	} else {
		uint32_t crc = crc32c_finish(crc32c_update(CRC_START, bytes_make(block, size)));
		for (size_t i = 0; i < 4; i++)
			block[size - 4 + i] = (uint8_t)(crc >> 8 * (3 - i));
	}
}

void bundle_of_items(struct bytes items, bool checked, struct buffer *bundle)
{
	struct cbor_reader reader = cbor_reader_make(items);

	cbor_write_array_indefinite(bundle);
	size_t start = bundle->size;
	buffer_append(bundle, items);
	cbor_write_break(bundle);
	while (checked) {
		size_t at = reader.at;
		struct bytes block = cbor_read_item(&reader);
		if (cbor_reader_error(&reader) != ERROR_OK)
			return;
		write_checksum(bundle->data + start + at, block.size, crc_type(block, at == 0));
	}
}
