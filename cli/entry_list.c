#include "cli/entry_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* list->count where it is not listed. */
static size_t place_of(const struct entry_list *list, const struct entry_row *row)
{
	size_t at = 0;
	for (; at < list->count; at++) {
		const struct listed_entry *entry = &list->entries[at];
		if (entry->position == row->position && entry->log == row->log &&
		    entry->incarnation == row->incarnation &&
		    memcmp(entry->channel, row->channel, CHANNEL_ID_SIZE) == 0)
			break;
	}
	return at;
}

static bool make_room(struct entry_list *list)
{
	size_t room = list->room == 0 ? 16 : 2 * list->room;
	if (list->count < list->room)
		return true;
	struct listed_entry *entries = reallocarray(list->entries, room, sizeof *entries);
	if (entries == NULL) {
		fprintf(stderr, "liaison: the machine has no memory left\n");
		return false;
	}
	list->entries = entries;
	list->room = room;
	return true;
}

bool entry_list_add(struct entry_list *list, const struct entry_row *row, uint64_t bits)
{
	if (place_of(list, row) < list->count || !make_room(list))
		return false;
	struct listed_entry *entry = &list->entries[list->count++];
	*entry = (struct listed_entry){
		.log = row->log, .incarnation = row->incarnation, .position = row->position, .bits = bits};
	memcpy(entry->channel, row->channel, CHANNEL_ID_SIZE);
	return true;
}

uint64_t entry_list_find(const struct entry_list *list, const struct entry_row *row)
{
	size_t at = place_of(list, row);
	return at < list->count ? list->entries[at].bits : 0;
}

void entry_list_remove(struct entry_list *list, const struct entry_row *row)
{
	size_t at = place_of(list, row);
	if (at == list->count)
		return;
	list->count--;
	memmove(list->entries + at, list->entries + at + 1, (list->count - at) * sizeof *list->entries);
}

struct entry_row entry_list_key(const struct listed_entry *entry)
{
	struct entry_row row = {
		.log = entry->log, .incarnation = entry->incarnation, .position = entry->position};
	memcpy(row.channel, entry->channel, CHANNEL_ID_SIZE);
	return row;
}

void entry_list_free(struct entry_list *list)
{
	free(list->entries);
	*list = (struct entry_list){0};
}
