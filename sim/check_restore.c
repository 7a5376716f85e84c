/* What may be forgotten once an old image is in the place of a post's store. */
#include <stdlib.h>
#include <string.h>

#include "envelope/checkpoint.h"
#include "record/commit.h"
#include "sim/check_courier.h"
#include "sim/check_places.h"
#include "sim/rogue.h"

struct bytes place_view(const struct place *place)
{
	return bytes_make(place->bytes, place->size);
}

struct place place_of(size_t line, const struct entry_key *key)
{
	struct place place = {.size = 9};

	place.bytes[0] = (uint8_t)line;
	store_u16(place.bytes + 1, (uint16_t)key->log);
	store_u16(place.bytes + 3, (uint16_t)key->incarnation);
	store_u32(place.bytes + 5, (uint32_t)key->position);
	return place;
}

struct place place_with_node(size_t node, struct bytes rest)
{
	struct place place = {.size = rest.size + 1};

	place.bytes[0] = (uint8_t)node;
	memcpy(place.bytes + 1, rest.data, rest.size);
	return place;
}

/* An own log's incarnation is known to the post's anchor, its courier or any post. */
static bool is_known(const struct world *world, size_t node, size_t line_index, uint64_t incarnation)
{
	const struct world_line *line = &world->lines[line_index];
	const struct node *own = &world->nodes[node];
	uint64_t log_number = world_log_of(line, node);
	struct anchor_entry entries[CHANNELS_MAX];
	char origin[CHECKPOINT_ORIGIN_SIZE + 1];
	struct bytes value;
	size_t count = 0;

	checkpoint_origin(line->id, own->party.id, world_slot(node), incarnation, origin);
	if (check_courier_may_know(world, node, bytes_of_text(origin)))
		return true;
	if (own->post.anchor_size > 0 &&
	    anchor_decode(bytes_make(own->post.anchor, own->post.anchor_size), entries, &count) != ERROR_OK)
		return true;
	for (size_t i = 0; i < count; i++)
		if (memcmp(entries[i].channel, line->id, CHANNEL_ID_SIZE) == 0 &&
		    entries[i].incarnation >= incarnation)
			return true;
	for (size_t i = 0; i < 2; i++) {
		const struct disk *disk = &world->nodes[line->nodes[i]].post.disk;
		struct row_key key =
			key_log(TABLE_LOG, check_channel_of(disk, line), log_number, incarnation);
		if (disk_get(disk, key_view(&key), &value))
			return true;
	}
	return false;
}

#define INCARNATIONS_LOOKED_AT 64 /* more than one seed makes */

/* What was lost before anything could tell of it never was: its number may be given again. */
static void forget_unknown(struct world *world, size_t node, size_t line)
{
	struct checker *checker = world->checker;
	struct entry_key key = {.log = world_log_of(&world->lines[line], node)};
	struct row row;
	size_t at;

	for (key.incarnation = 1; key.incarnation < INCARNATIONS_LOOKED_AT; key.incarnation++) {
		struct place place = place_of(line, &key);
		struct bytes prefix = bytes_make(place.bytes, 5);
		at = 0;
		if (!disk_next(&checker->committed, prefix, &at, &row) ||
		    is_known(world, node, line, key.incarnation))
			continue;
		struct place held = place_with_node(node, prefix);
		disk_filter(&checker->committed, prefix, NULL, NULL);
		disk_filter(&checker->roots, prefix, NULL, NULL);
		disk_filter(&checker->held, place_view(&held), NULL, NULL);
	}
}

/* What a hostile party sends again after an image was put back may be something else. */
static void forget_hostile(struct world *world, size_t node, size_t line)
{
	struct entry_key key = {.log = world_log_of(&world->lines[line], world->rogue)};
	struct place place = place_of(line, &key);
	struct bytes log = bytes_make(place.bytes, 3);
	struct place held = place_with_node(node, log);

	disk_filter(&world->checker->roots, log, NULL, NULL);
	disk_filter(&world->checker->held, place_view(&held), NULL, NULL);
}

/* A row of `shown` is as it was: the entry is on the disk still. */
static bool is_still_held(const void *context, struct bytes key)
{
	return check_holds(context, key.data[0], key.data + 1);
}

void check_restored(struct world *world, size_t node)
{
	uint8_t prefix[1] = {(uint8_t)node};

	if (rogue_is(world, node))
		return;
	for (size_t i = 0; i < world->lines_count; i++) {
		if (world->lines[i].nodes[0] != node && world->lines[i].nodes[1] != node)
			continue;
		forget_unknown(world, node, i);
		if (rogue_is_on(world, i))
			forget_hostile(world, node, i);
	}
	/* What came after the image was made comes again. */
	disk_filter(&world->checker->shown, bytes_make(prefix, 1), is_still_held, world);
}
