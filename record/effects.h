/*
 * What an accepted entry changes beside its log: letters fold into the registry, acknowledgments and answers
 * move the state of what they name, a new incarnation becomes the current one, people are told.
 */
#ifndef RECORD_EFFECTS_H
#define RECORD_EFFECTS_H

#include "record/registry.h"

enum error effects_of(struct run *run, const struct registry_entry *registry_entry,
		      const struct entry_key *key, struct entry *entry, bool own);

/*
 * An entry has come to be held: what was received before, and names it, moves its state. Bounded: beyond
 * that the state has moved already.
 */
enum error effects_awaited(struct run *run, const struct entry_key *target,
			   const uint8_t identity[IDENTITY_SIZE]);

#endif
