#include "tests/unit/record/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/record/world_inside.h"

void image_take(const struct world *world, size_t post, struct image *image)
{
	store_copy(&image->store, &world->posts[post].store);
	image->anchor_size = world->posts[post].anchor_size;
	CHECK(image->anchor_size <= sizeof(image->anchor));
	memcpy(image->anchor, world->posts[post].anchor, image->anchor_size);
}

void image_back_up(const struct world *world, size_t post, struct image *image)
{
	image_take(world, post, image);
	store_filter(&image->store, record_row_in_backup);
}

void image_free(struct image *image)
{
	store_free(&image->store);
}

void image_restore_store(struct world *world, size_t index, const struct image *image,
			 enum image_anchor anchor)
{
	struct world_post *post = &world->posts[index];

	if (post->up)
		world_crash_before_commit(world, index);
	store_free(&post->store);
	store_copy(&post->store, &image->store);
	if (anchor == IMAGE_ANCHOR_GONE)
		post->anchor_size = 0;
	if (anchor != IMAGE_ANCHOR_OLD)
		return;
	post->anchor = world_must(realloc(post->anchor, image->anchor_size + 1));
	memcpy(post->anchor, image->anchor, image->anchor_size);
	post->anchor_size = image->anchor_size;
}

void image_restore(struct world *world, size_t index, const struct image *image, enum image_anchor anchor)
{
	image_restore_store(world, index, image, anchor);
	world_start(world, index);
}

struct world *image_open_again(uint64_t seed)
{
	struct world *world = world_make_pair(seed);
	struct image image;

	world_name_channel(world);
	image_take(world, 0, &image);
	world_submit_opening(world, 0);
	world_settle(world);
	image_restore(world, 0, &image, IMAGE_ANCHOR_KEPT);
	world->parties[0].chain_number = 0;
	world_submit_opening(world, 0);
	world_settle(world);
	image_free(&image);
	return world;
}
