/*
 * The requests about channels, parties, heads and the state of the line; called by query_handle.
 */
#ifndef RECORD_QUERY_STATE_H
#define RECORD_QUERY_STATE_H

#include "base/cbor.h"
#include "record/run.h"

enum error query_state_handle(struct run *run, uint64_t verb, struct cbor_reader *arguments);

#endif
