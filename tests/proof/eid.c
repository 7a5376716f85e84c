/* The reader of endpoint ids, from any position of any SIZE bytes. */
#include <__fc_builtin.h>
#include "carry/eid.h"

static uint8_t input[SIZE];

void eids(void)
{
	struct cbor_reader reader = cbor_reader_make(bytes_make(input, SIZE));
	struct eid eid;

	Frama_C_make_unknown((char *)input, SIZE);
	reader.at = Frama_C_size_t_interval(0, SIZE);
	//@ split reader.at;
	reader.error = Frama_C_interval(ERROR_OK, ERROR_TRUNCATED);
	size_t start = reader.at;
	eid_read(&reader, &eid);
	//@ split eid.name.size;
	//@ split eid.demux.size;
	//@ assert start <= reader.at <= SIZE;
	//@ assert eid.name.size == 0 || &input[start] <= eid.name.data;
	//@ assert eid.name.size == 0 || eid.name.data + eid.name.size <= &input[reader.at];
	//@ assert eid.demux.size == 0 || &input[start] <= eid.demux.data;
	//@ assert eid.demux.size == 0 || eid.demux.data + eid.demux.size <= &input[reader.at];
}
