#include "tests/fuzz/cbor_mutator.h"

#include <stdbool.h>
#include <string.h>

#define NODES_MAX 2048
#define DEPTH_MAX 24
#define NO_PARENT SIZE_MAX
#define PIECE_MAX 65536

enum major { UINT, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE };

/* An item: its head at `at`, its content (of strings and containers) behind it, up to `end`. */
struct node {
	size_t at;
	size_t content;
	size_t end;
	size_t parent;
	uint64_t argument;
	uint8_t major;
};

struct tree {
	size_t count;
	struct node nodes[NODES_MAX];
};

/* What is edited, and the room for pieces that are put in. libFuzzer has no place for a parameter of ours. */
static struct {
	struct tree tree;
	struct tree other;
	uint64_t random;
	uint8_t piece[PIECE_MAX];
} mutator;

static uint64_t draw(uint64_t below)
{
	mutator.random = mutator.random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (mutator.random >> 33) % below;
}

/* ---- reading ---- */

/* The head at `at`; its size, or 0 where there is none that has a definite length. */
static size_t read_head(const uint8_t *data, size_t size, size_t at, struct node *node)
{
	static const size_t sizes[] = {2, 3, 5, 9};
	uint8_t low = data[at] & 31;
	size_t head = low < 24 ? 1 : low < 28 ? sizes[low - 24] : 0;

	if (head == 0 || head > size - at)
		return 0;
	*node = (struct node){.at = at, .content = at + head, .major = data[at] >> 5, .argument = low};
	if (low >= 24)
		node->argument = 0;
	for (size_t i = 1; i < head; i++)
		node->argument = node->argument << 8 | data[at + i];
	return head;
}

struct open_node {
	size_t node;
	uint64_t left; /* items that are still to come */
};

/* Items that a container of this head holds. */
static uint64_t items_of(const struct node *node)
{
	if (node->major == MAP)
		return 2 * node->argument;
	if (node->major == TAG)
		return 1;
	return node->major == ARRAY ? node->argument : 0;
}

/* Containers that have all their items end here. */
static void close_full(struct tree *tree, const struct open_node *stack, size_t *depth, size_t at)
{
	while (*depth > 0 && stack[*depth - 1].left == 0)
		tree->nodes[stack[--*depth].node].end = at;
}

/* All items from `at` to `end`, one after another, put behind those of `tree`; false, and none, if it
 * is no CBOR. */
static bool read_items(struct tree *tree, const uint8_t *data, size_t at, size_t end, size_t parent)
{
	struct open_node stack[DEPTH_MAX];
	size_t depth = 0;
	size_t count = tree->count;
	size_t from = at;

	while (at < end) {
		struct node node;
		size_t head = read_head(data, end, at, &node);
		if (head == 0 || tree->count == NODES_MAX)
			goto none;
		at += head;
		if (node.major == BYTES || node.major == TEXT) {
			if (node.argument > end - at)
				goto none;
			at += node.argument;
		}
		node.end = at;
		node.parent = depth > 0 ? stack[depth - 1].node : parent;
		if (depth > 0)
			stack[depth - 1].left--;
		tree->nodes[tree->count++] = node;
		if (items_of(&node) > end - at)
			goto none;
		if (items_of(&node) > 0) {
			if (depth == DEPTH_MAX)
				goto none;
			stack[depth++] = (struct open_node){tree->count - 1, items_of(&node)};
		}
		close_full(tree, stack, &depth, at);
	}
	if (depth == 0 && from < end)
		return true;
none:
	tree->count = count;
	return false;
}

/* And what is inside byte strings: those that are long enough to hold more than chance makes of them. */
static void read_tree(struct tree *tree, const uint8_t *data, size_t size)
{
	tree->count = 0;
	if (!read_items(tree, data, 0, size, NO_PARENT))
		return;
	for (size_t i = 0; i < tree->count; i++) {
		const struct node *node = &tree->nodes[i];
		if (node->major == BYTES && node->end - node->content >= 2)
			(void)read_items(tree, data, node->content, node->end, i);
	}
}

/* ---- writing ---- */

static size_t write_head(uint8_t out[9], uint8_t major, uint64_t argument)
{
	size_t bytes = argument < 24            ? 0
		       : argument <= 0xff       ? 1
		       : argument <= 0xffff     ? 2
		       : argument <= UINT32_MAX ? 4
						: 8;
	static const uint8_t lows[] = {[1] = 24, [2] = 25, [4] = 26, [8] = 27};

	out[0] = (uint8_t)(major << 5 | (bytes == 0 ? argument : lows[bytes]));
	for (size_t i = 0; i < bytes; i++)
		out[1 + i] = (uint8_t)(argument >> 8 * (bytes - 1 - i));
	return 1 + bytes;
}

struct edit {
	uint8_t *data;
	size_t size;
	size_t size_max;
	bool full;
};

static void splice(struct edit *edit, size_t at, size_t old_size, const uint8_t *piece, size_t piece_size)
{
	if (edit->size - old_size + piece_size > edit->size_max) {
		edit->full = true;
		return;
	}
	memmove(edit->data + at + piece_size, edit->data + at + old_size, edit->size - at - old_size);
	if (piece_size > 0)
		memcpy(edit->data + at, piece, piece_size);
	edit->size += piece_size - old_size;
}

/*
 * Puts a piece in the place of old_size bytes that lie in node `parent`, which then holds so many items
 * more; then the heads of all that is around it are set right, from the inside outwards.
 */
static void replace(struct edit *edit, size_t parent, int64_t more, size_t at, size_t old_size,
		    const uint8_t *piece, size_t piece_size)
{
	int64_t growth = (int64_t)piece_size - (int64_t)old_size;

	splice(edit, at, old_size, piece, piece_size);
	for (; parent != NO_PARENT && !edit->full; parent = mutator.tree.nodes[parent].parent) {
		const struct node *node = &mutator.tree.nodes[parent];
		uint64_t argument = node->argument;
		uint8_t head[9];

		if (node->major == BYTES || node->major == TEXT)
			argument = (uint64_t)((int64_t)(node->end - node->content) + growth);
		else if (node->major == ARRAY || node->major == MAP)
			argument += (uint64_t)more;
		more = 0;
		size_t size = write_head(head, node->major, argument);
		splice(edit, node->at, node->content - node->at, head, size);
		growth += (int64_t)size - (int64_t)(node->content - node->at);
	}
}

/* ---- changes ---- */

static uint64_t draw_number(uint64_t old)
{
	static const uint64_t edges[] = {0,
					 1,
					 2,
					 3,
					 4,
					 5,
					 7,
					 8,
					 16,
					 23,
					 24,
					 31,
					 32,
					 33,
					 63,
					 64,
					 65,
					 127,
					 128,
					 255,
					 256,
					 1023,
					 1024,
					 4096,
					 16384,
					 65535,
					 65536,
					 131072,
					 INT32_MAX,
					 UINT32_MAX,
					 UINT64_C(1) << 32,
					 INT64_MAX,
					 UINT64_C(1) << 63,
					 UINT64_MAX};

	switch (draw(5)) {
	case 0:
		return old + 1 + draw(4);
	case 1:
		return old - 1 - draw(4);
	case 2:
		return old ^ UINT64_C(1) << draw(64);
	case 3:
		return draw(256);
	default:
		return edges[draw(sizeof(edges) / sizeof(edges[0]))];
	}
}

/* A small item that was not there. */
static size_t new_item(uint8_t *out)
{
	static const uint8_t plain[] = {0xf4, 0xf5, 0xf6, 0x40, 0x60, 0x80, 0xa0, 0x9f, 0xff};

	if (draw(2) == 0) {
		out[0] = plain[draw(sizeof(plain))];
		return 1;
	}
	uint64_t argument = draw(40);
	uint8_t major = (uint8_t)draw(4); /* UINT to TEXT */
	size_t size = write_head(out, major, major < BYTES ? draw_number(argument) : argument);
	if (major < BYTES)
		return size;
	for (size_t i = 0; i < argument; i++)
		out[size + i] = major == TEXT ? (uint8_t)('A' + draw(26)) : (uint8_t)draw(256);
	return size + argument;
}

/* What is in a string, changed as bytes, or cut or filled to a size that formats use. */
static void change_string(struct edit *edit, const struct node *node)
{
	static const size_t usual[] = {0, 1, 3, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65};
	size_t size = node->end - node->content;
	size_t room = edit->size_max - edit->size + size;
	uint8_t head[9];

	if (room > PIECE_MAX - 9)
		room = PIECE_MAX - 9;
	if (size > room)
		return;
	memcpy(mutator.piece, edit->data + node->content, size);
	if (draw(4) == 0) {
		size_t wanted = usual[draw(sizeof(usual) / sizeof(usual[0]))];
		if (wanted > size && wanted <= room)
			memset(mutator.piece + size, (int)draw(256), wanted - size);
		size = wanted <= room ? wanted : size;
	} else if (room > 0) {
		size = LLVMFuzzerMutate(mutator.piece, size, room);
	}
	size_t head_size = write_head(head, node->major, size);
	memmove(mutator.piece + head_size, mutator.piece, size);
	memcpy(mutator.piece, head, head_size);
	replace(edit, node->parent, 0, node->at, node->end - node->at, mutator.piece, head_size + size);
}

/* In its own place: numbers by numbers, strings in their content, simple values by others. */
static void change_value(struct edit *edit, const struct node *node)
{
	if (node->major == BYTES || node->major == TEXT) {
		change_string(edit, node);
		return;
	}
	size_t size = node->major == SIMPLE
			      ? new_item(mutator.piece)
			      : write_head(mutator.piece, node->major, draw_number(node->argument));
	if (node->major == UINT || node->major == NEGATIVE || node->major == SIMPLE)
		replace(edit, node->parent, 0, node->at, node->end - node->at, mutator.piece, size);
	else if (draw(8) == 0) /* a container that says another count than it has */
		replace(edit, node->parent, 0, node->at, node->content - node->at, mutator.piece, size);
}

static size_t take(const uint8_t *data, const struct node *node)
{
	size_t size = node->end - node->at;

	if (size > PIECE_MAX)
		return 0;
	memcpy(mutator.piece, data + node->at, size);
	return size;
}

/* Swaps it with the item that follows it in the same container, if one does. */
static void swap(struct edit *edit, const struct node *node)
{
	for (size_t i = 0; i < mutator.tree.count; i++) {
		const struct node *next = &mutator.tree.nodes[i];
		size_t size = next->end - node->at;
		if (next->at != node->end || next->parent != node->parent || size > PIECE_MAX)
			continue;
		memcpy(mutator.piece, edit->data + next->at, next->end - next->at);
		memcpy(mutator.piece + (next->end - next->at), edit->data + node->at, node->end - node->at);
		memcpy(edit->data + node->at, mutator.piece, size);
		return;
	}
}

static void change(struct edit *edit)
{
	const struct tree *tree = &mutator.tree;
	const struct node *node = &tree->nodes[draw(tree->count)];
	size_t size = node->end - node->at;
	bool in_map = node->parent != NO_PARENT && tree->nodes[node->parent].major == MAP;

	/* Of what stands in pairs nothing is added or taken away alone. */
	switch (in_map ? 5 * draw(2) : draw(10)) {
	case 0: /* by another item of the same input */
		size = take(edit->data, &tree->nodes[draw(tree->count)]);
		if (size > 0)
			replace(edit, node->parent, 0, node->at, node->end - node->at, mutator.piece, size);
		break;
	case 1: /* twice */
		size = take(edit->data, node);
		replace(edit, node->parent, 1, node->end, 0, mutator.piece, size);
		break;
	case 2: /* gone */
		replace(edit, node->parent, -1, node->at, size, NULL, 0);
		break;
	case 3:
		swap(edit, node);
		break;
	case 4:
		size = new_item(mutator.piece);
		replace(edit, node->parent, draw(2), node->at, 0, mutator.piece, size);
		break;
	default:
		change_value(edit, node);
	}
}

/* Of what is no CBOR (from any byte on) the bytes are changed. */
static size_t mutate(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
	mutator.random = seed;
	uint64_t changes = 1 + draw(4);

	if (draw(32) == 0)
		return LLVMFuzzerMutate(data, size, size_max);
	for (uint64_t i = 0; i < changes; i++) {
		struct edit edit = {.data = data, .size = size, .size_max = size_max};
		read_tree(&mutator.tree, data, size);
		if (mutator.tree.count == 0)
			return LLVMFuzzerMutate(data, size, size_max);
		change(&edit);
		if (edit.size > 0)
			size = edit.size;
	}
	return size;
}

/* a, with one of its items replaced by one of b; 0 where that does not fit. */
static size_t cross_over(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size, uint8_t *out,
			 size_t out_size_max, unsigned seed)
{
	mutator.random = seed;
	if (a_size > out_size_max)
		return 0;
	memcpy(out, a, a_size);
	read_tree(&mutator.tree, a, a_size);
	read_tree(&mutator.other, b, b_size);
	if (mutator.tree.count == 0 || mutator.other.count == 0)
		return 0;
	struct edit edit = {.data = out, .size = a_size, .size_max = out_size_max};
	const struct node *node = &mutator.tree.nodes[draw(mutator.tree.count)];
	size_t size = take(b, &mutator.other.nodes[draw(mutator.other.count)]);
	if (draw(2) == 0)
		replace(&edit, node->parent, 0, node->at, node->end - node->at, mutator.piece, size);
	else
		replace(&edit, node->parent, 1, node->at, 0, mutator.piece, size);
	return edit.full ? 0 : edit.size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
	size_t at = target_cbor_at(bytes_make(data, size));

	if (at >= size || seed % 64 == 0)
		return LLVMFuzzerMutate(data, size, size_max);
	return at + mutate(data + at, size - at, size_max - at, seed);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
				 uint8_t *out, size_t out_size_max, unsigned seed)
{
	size_t a_at = target_cbor_at(bytes_make(a, a_size));
	size_t b_at = target_cbor_at(bytes_make(b, b_size));

	if (a_at >= a_size || b_at >= b_size || a_at >= out_size_max)
		return 0;
	memcpy(out, a, a_at);
	size_t size = cross_over(a + a_at, a_size - a_at, b + b_at, b_size - b_at, out + a_at,
				 out_size_max - a_at, seed);
	return size == 0 ? 0 : a_at + size;
}
