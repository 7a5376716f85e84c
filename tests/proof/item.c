/* The reader of whole items: where it notes the levels that it is in, and how it compares keys. */
#include "base/cbor_item.c"

#include <__fc_builtin.h>

static uint8_t input[SIZE];

#ifndef EXACT
/* Shown by itself, below. */
int bytes_compare(struct bytes a, struct bytes b)
{
	(void)a;
	(void)b;
	return Frama_C_interval(-1, 1);
}
#endif

void levels(void)
{
	size_t size = Frama_C_size_t_interval(0, SIZE);
	struct cbor_reader reader = cbor_reader_make(bytes_make(input, size));

	reader.at = Frama_C_size_t_interval(0, size);
	cbor_read_item(&reader);
}

/* The key before lies anywhere before this one. */
void keys(void)
{
	struct cbor_reader reader = cbor_reader_make(bytes_make(input, SIZE));
	struct level level = {.is_map = true};

	Frama_C_make_unknown((char *)input, SIZE);
	reader.at = Frama_C_size_t_interval(1, SIZE);
	//@ split reader.at;
	level.item_at = Frama_C_size_t_interval(0, reader.at);
	//@ split level.item_at;
	size_t key_at = Frama_C_size_t_interval(0, level.item_at);
	//@ split key_at;
	size_t key_size = Frama_C_size_t_interval(0, level.item_at - key_at);
	//@ split key_size;
	level.key = bytes_make(input + key_at, key_size);
	walk_key(&level, &reader);
	//@ assert level.key.data == &input[level.item_at] && level.key.size == reader.at - level.item_at;
}
