/*
 * Every reader of base/cbor_read.c, from any position of any SIZE bytes, with or without an error before:
 * what contract.c counts on, and that nothing is read beside the bytes.
 */
#include <__fc_builtin.h>
#include "base/cbor.h"

#define NUMBER_MAX (SIZE / 2)

static uint8_t input[SIZE];

/* What a reader has given. */
struct given {
	struct bytes view;
	uint64_t number;   /* 0 to NUMBER_MAX */
	bool moves_not_on; /* it may do well and have read nothing */
};

static struct given read_bytes(struct cbor_reader *reader)
{
	static char text[NUMBER_MAX + 1];
	static uint8_t exact[NUMBER_MAX];
	struct given given = {.view.size = 0};

	switch (Frama_C_interval(0, 4)) {
	case 0:
		given.view = cbor_read_bytes(reader, NUMBER_MAX);
		break;
	case 1:
		given.view = cbor_read_text(reader, NUMBER_MAX);
		break;
	case 2:
		cbor_read_bytes_exact(reader, exact, NUMBER_MAX);
		break;
	case 3:
		cbor_read_text_copy(reader, text, NUMBER_MAX);
		break;
	default:
		given.number = cbor_read_map(reader, NUMBER_MAX);
		break;
	}
	//@ split reader->at;
	//@ split reader->error;
	//@ split given.view.size;
	//@ split given.moves_not_on;
	return given;
}

static struct given read_simple(struct cbor_reader *reader)
{
	int64_t previous = Frama_C_long_interval(INT64_MIN, INT64_MAX);
	struct given given = {.view.size = 0};

	switch (Frama_C_interval(0, 13)) {
	case 0:
		cbor_read_uint(reader);
		break;
	case 1:
		given.number = cbor_read_uint_max(reader, NUMBER_MAX);
		break;
	case 2:
		cbor_read_int(reader);
		break;
	case 3:
		cbor_read_negative(reader);
		break;
	case 4:
		cbor_read_bool(reader);
		break;
	case 5:
		given.moves_not_on = !cbor_read_null(reader);
		break;
	case 6:
		given.number = cbor_read_array(reader, NUMBER_MAX);
		break;
	case 7:
		cbor_read_array_exact(reader, NUMBER_MAX);
		break;
	case 8:
		cbor_read_key(reader, &previous);
		break;
	case 9:
		cbor_read_tag(reader);
		break;
	case 10:
		cbor_read_array_indefinite(reader);
		break;
	case 11:
		given.moves_not_on = !cbor_read_break(reader);
		break;
	case 12:
		cbor_peek(reader);
		given.moves_not_on = true;
		break;
	default:
		cbor_read_end(reader);
		given.moves_not_on = true;
		break;
	}
	//@ split reader->at;
	//@ split reader->error;
	//@ split given.view.size;
	//@ split given.moves_not_on;
	return given;
}

void readers(void)
{
	struct cbor_reader reader = cbor_reader_make(bytes_make(input, SIZE));
	struct given given;

	Frama_C_make_unknown((char *)input, SIZE);
	reader.at = Frama_C_size_t_interval(0, SIZE);
	//@ split reader.at;
	reader.error = Frama_C_interval(ERROR_OK, ERROR_TRUNCATED);
	//@ split reader.error;
	size_t start = reader.at;
	enum error before = reader.error;
	given = Frama_C_interval(0, 1) ? read_bytes(&reader) : read_simple(&reader);
	//@ assert start <= reader.at <= SIZE;
	//@ assert before == 0 || (reader.at == start && reader.error == before);
	//@ assert reader.error != 0 || given.moves_not_on || reader.at > start;
	//@ assert given.number <= NUMBER_MAX;
	//@ assert given.view.size <= NUMBER_MAX && given.view.size <= reader.at - start;
	//@ assert given.view.size == 0 || given.view.data == &input[reader.at - given.view.size];
}
