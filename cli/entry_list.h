/*
 * A list of entries that a command keeps in mind, with bits of its own for each.
 */
#ifndef CLI_ENTRY_LIST_H
#define CLI_ENTRY_LIST_H

#include "cli/entries.h"

struct listed_entry {
	uint8_t channel[CHANNEL_ID_SIZE];
	uint64_t log;
	uint64_t incarnation;
	uint64_t position;
	uint64_t bits; /* not 0 */
};

/* All zeros is an empty list. */
struct entry_list {
	size_t count;
	size_t room;
	struct listed_entry *entries; /* in the order in which they were added; freed with entry_list_free */
};

/* False if it is listed already, or (said on standard error) there is no memory. */
bool entry_list_add(struct entry_list *list, const struct entry_row *row, uint64_t bits);
/* The bits of a row's entry; 0: it is not listed. */
uint64_t entry_list_find(const struct entry_list *list, const struct entry_row *row);
/* Does nothing where it is not listed. */
void entry_list_remove(struct entry_list *list, const struct entry_row *row);
/* A row of which only the key is filled in: for entry_get. */
struct entry_row entry_list_key(const struct listed_entry *entry);
void entry_list_free(struct entry_list *list);

#endif
