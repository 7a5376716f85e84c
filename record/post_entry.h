/*
 * Entries that the post itself signs, with its statement key: verdicts and incarnations.
 */
#ifndef RECORD_POST_ENTRY_H
#define RECORD_POST_ENTRY_H

#include "record/run.h"

/* Signs the content (kind, precedence and body are given) and appends it to the own log of the channel. */
enum error post_entry(struct run *run, uint64_t channel_number, struct content *content);

#endif
