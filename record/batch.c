#include "record/batch.h"

#include <assert.h>
#include <string.h>

#include "record/workspace.h"

void batch_note_item(struct run *run, const struct batch_item *item)
{
	struct batch_noted *noted = &run->noted;

	assert(noted->items_count < BATCH_NOTED_MAX);
	noted->items[noted->items_count++] = *item;
}

void batch_note_verdict(struct run *run, const struct entry_key *key, enum error reason)
{
	struct batch_noted *noted = &run->noted;

	assert(noted->verdicts_count < BATCH_NOTED_MAX);
	noted->verdicts[noted->verdicts_count++] = (struct batch_verdict){.key = *key, .reason = reason};
}

static void add_channel(uint64_t *channels, size_t *count, uint64_t channel)
{
	for (size_t i = 0; i < *count; i++)
		if (channels[i] == channel)
			return;
	assert(*count < CHANNELS_MAX);
	channels[(*count)++] = channel;
}

void batch_note_channel(struct run *run, uint64_t channel)
{
	add_channel(run->noted.channels, &run->noted.channels_count, channel);
}

struct batch *batch_of(struct run *run)
{
	return &run->batch;
}

/* A position is named once in a batch: coming again adds nothing. */
static void add_item(struct batch *batch, const struct batch_item *item)
{
	for (size_t i = batch->items_count; i > 0 && i + 64 > batch->items_count; i--)
		if (memcmp(&batch->items[i - 1].key, &item->key, sizeof(item->key)) == 0)
			return;
	assert(batch->items_count < BATCH_ITEMS_MAX);
	batch->items[batch->items_count++] = *item;
}

void batch_join(struct run *run)
{
	struct batch_noted *noted = &run->noted;
	struct batch *batch = &run->batch;

	for (size_t i = 0; i < noted->items_count; i++)
		add_item(batch, &noted->items[i]);
	for (size_t i = 0; i < noted->verdicts_count; i++) {
		assert(batch->verdicts_count < BATCH_VERDICT_MAX);
		batch->verdicts[batch->verdicts_count++] = noted->verdicts[i];
	}
	for (size_t i = 0; i < noted->channels_count; i++)
		add_channel(batch->channels, &batch->channels_count, noted->channels[i]);
	noted->items_count = 0;
	noted->verdicts_count = 0;
	noted->channels_count = 0;
}

bool batch_room(const struct run *run)
{
	return run->batch.items_count + BATCH_NOTED_MAX <= BATCH_ITEMS_MAX &&
	       run->batch.verdicts_count + BATCH_NOTED_MAX <= BATCH_VERDICT_MAX;
}
