/*
 * Old images of a post: what a backup, or a snapshot of its disk, puts in the place of its store.
 */
#ifndef TESTS_UNIT_RECORD_IMAGE_H
#define TESTS_UNIT_RECORD_IMAGE_H

#include "tests/unit/record/world.h"

struct image {
	struct store store;
	uint8_t anchor[8192];
	size_t anchor_size;
};

/* All rows, as a snapshot of the disk holds them. */
void image_take(const struct world *world, size_t post, struct image *image);
/* The rows that a backup holds. */
void image_back_up(const struct world *world, size_t post, struct image *image);
void image_free(struct image *image);

enum image_anchor {
	IMAGE_ANCHOR_KEPT, /* the newest is still there */
	IMAGE_ANCHOR_OLD,  /* it is of the image's time, too */
	IMAGE_ANCHOR_GONE, /* another machine */
};

/* The process dies and wakes up with a copy of the image; image_restore_store without waking up. */
void image_restore(struct world *world, size_t post, const struct image *image, enum image_anchor anchor);
void image_restore_store(struct world *world, size_t post, const struct image *image,
			 enum image_anchor anchor);

/*
 * A pair of which post 0 opened the channel, was set back to before it, its anchor kept, and opened it again:
 * the first opening has come back into incarnation 1 since.
 */
struct world *image_open_again(uint64_t seed);

#endif
