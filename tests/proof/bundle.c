/* The reader of bundles: its blocks from any position of any SIZE bytes, and the whole of any size. */
#include "carry/bundle_read.c"

#include <__fc_builtin.h>

static uint8_t input[SIZE];

struct eid eid_none(void)
{
	return (struct eid){.scheme = EID_DTN};
}

bool eid_is_null(const struct eid *eid)
{
	(void)eid;
	return Frama_C_interval(0, 1);
}

/* eid.c: it goes on, or fails; and what it gives is not looked into here. */
void eid_read(struct cbor_reader *reader, struct eid *eid)
{
	*eid = eid_none();
	(void)cbor_read_uint(reader);
}

#ifdef EXACT
static struct cbor_reader anywhere(void)
{
	struct cbor_reader reader = cbor_reader_make(bytes_make(input, SIZE));

	Frama_C_make_unknown((char *)input, SIZE);
	reader.at = Frama_C_size_t_interval(0, SIZE);
	//@ split reader.at;
	reader.error = Frama_C_interval(ERROR_OK, ERROR_TRUNCATED);
	return reader;
}

void primary(void)
{
	static struct bundle bundle;
	struct cbor_reader reader = anywhere();
	size_t start = reader.at;

	read_primary(&reader, &bundle);
	//@ assert start <= reader.at <= SIZE;
	//@ assert bundle.primary.size == 0 || bundle.primary.data == &input[start];
	//@ assert bundle.primary.size == reader.at - start;
}

void block(void)
{
	struct cbor_reader reader = anywhere();
	size_t start = reader.at;
	struct bundle_block block;

	read_block(&reader, &block);
	//@ assert start <= reader.at <= SIZE;
	//@ assert block.encoded.size == 0 || block.encoded.data == &input[start];
	//@ assert block.encoded.size == reader.at - start;
	//@ assert block.data.size == 0 || &input[start] <= block.data.data;
	//@ assert block.data.size == 0 || block.data.data + block.data.size <= &input[reader.at];
}
#else
/* What a checksum is made over is shown by the two above. */
uint32_t crc16_update(uint32_t crc, struct bytes bytes)
{
	(void)crc;
	(void)bytes;
	return Frama_C_unsigned_int_interval(0, UINT32_MAX);
}

uint16_t crc16_finish(uint32_t crc)
{
	return (uint16_t)crc;
}

uint32_t crc32c_update(uint32_t crc, struct bytes bytes)
{
	return crc16_update(crc, bytes);
}

uint32_t crc32c_finish(uint32_t crc)
{
	return crc;
}

void whole(void)
{
	static struct bundle bundle;
	size_t size = Frama_C_size_t_interval(0, SIZE);

	bundle_read(bytes_make(input, size), &bundle);
	bundle_must_be_deleted(&bundle);
	//@ assert 0 <= bundle.blocks_count <= BUNDLE_BLOCKS_MAX;
}
#endif
