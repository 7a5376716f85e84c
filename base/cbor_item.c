#include "base/cbor.h"

/* RFC 8949, section 3.4.3: integers beyond 64 bits, as byte strings. */
#define TAG_BIGNUM 2
#define TAG_BIGNUM_NEGATIVE 3

/* An array, map or tag whose items are being read. */
struct level {
	uint64_t items_left; /* a map has two for each pair */
	bool is_map;
	size_t item_at;      /* where the item being read began */
	struct bytes key;    /* the last key read of a map; size 0 before the first */
};

struct walk {
	struct level levels[CBOR_DEPTH_MAX];
	size_t depth;
};

/* Opens a level for a container of `items` items, unless it is empty. */
static void walk_open(struct walk *walk, struct cbor_reader *reader, uint64_t items, bool is_map)
{
	/* An empty container counts too: the limit is on the form, not on what it holds. */
	if (walk->depth == CBOR_DEPTH_MAX) {
		cbor_reader_fail(reader, ERROR_TOO_DEEP);
		return;
	}
	if (items != 0)
		walk->levels[walk->depth++] = (struct level){ .items_left = items, .is_map = is_map };
}

/* Reads one simple item whole, or the head of an array, map or tag, and opens a level for it. */
static void walk_enter(struct walk *walk, struct cbor_reader *reader)
{
	uint64_t tag;

	switch (cbor_peek(reader)) {
	case CBOR_UINT:
		cbor_read_uint(reader);
		break;
	case CBOR_NEGATIVE:
		cbor_read_negative(reader);
		break;
	case CBOR_BYTES:
		cbor_read_bytes(reader, SIZE_MAX);
		break;
	case CBOR_TEXT:
		cbor_read_text(reader, SIZE_MAX);
		break;
	case CBOR_ARRAY:
		walk_open(walk, reader, cbor_read_array(reader, SIZE_MAX), false);
		break;
	case CBOR_MAP:
		walk_open(walk, reader, 2 * (uint64_t)cbor_read_map(reader, SIZE_MAX), true);
		break;
	case CBOR_TAG:
		tag = cbor_read_tag(reader);
		if (tag == TAG_BIGNUM || tag == TAG_BIGNUM_NEGATIVE)
			cbor_reader_fail(reader, ERROR_UNSUPPORTED);
		walk_open(walk, reader, 1, false);
		break;
	case CBOR_SIMPLE:
		if (!cbor_read_null(reader))
			cbor_read_bool(reader);
		break;
	case CBOR_NONE:
		cbor_reader_fail(reader, ERROR_TRUNCATED);
		break;
	}
}

/* Notes the key of a map that has just been read, which must follow the one before it. */
static void walk_key(struct level *level, struct cbor_reader *reader)
{
	struct bytes key = bytes_make(reader->data + level->item_at, reader->at - level->item_at);

	if (level->key.size != 0 && bytes_compare(level->key, key) >= 0)
		cbor_reader_fail(reader, ERROR_NOT_CANONICAL);
	level->key = key;
}

/* An item has been read whole: closes it, and each level whose last item it was. */
static void walk_close(struct walk *walk, struct cbor_reader *reader)
{
	while (walk->depth != 0) {
		struct level *level = &walk->levels[walk->depth - 1];

		level->items_left--;
		if (level->is_map && level->items_left % 2 == 1)
			walk_key(level, reader);
		if (level->items_left != 0)
			return;
		walk->depth--;
	}
}

struct bytes cbor_read_item(struct cbor_reader *reader)
{
	struct walk walk = { .depth = 0 };
	size_t start = reader->at;

	do {
		size_t depth = walk.depth;

		if (depth != 0)
			walk.levels[depth - 1].item_at = reader->at;
		walk_enter(&walk, reader);
		if (reader->error != ERROR_OK)
			return bytes_make(NULL, 0);
		if (walk.depth == depth)
			walk_close(&walk, reader);
	} while (walk.depth != 0);
	return bytes_make(reader->data + start, reader->at - start);
}
