/*
 * How a post begins, and the cards and keying that people bring (LOCAL_CARD_SEAL, CARD_ACCEPT,
 * KEYING_ACCEPT).
 */
#ifndef RECORD_PROVISION_H
#define RECORD_PROVISION_H

#include "base/cbor.h"
#include "record/run.h"

/* RECORD_PROVISION. ERROR_EXISTS if the store has a post already, and the error of a post file that is not
 * one: record_needs gives it. */
enum error provision_handle(struct run *run);

enum error provision_card_seal(struct run *run, struct cbor_reader *arguments);
/*
 * A new party that could be taken for the own or for one that is known is refused (ERROR_NAMESAKE, with
 * both ids) unless its id is given (has_id); a card of another party than the id's is refused whoever's it
 * is.
 */
enum error provision_card_accept(struct run *run, struct cbor_reader *arguments, bool has_id);
enum error provision_keying_accept(struct run *run, struct cbor_reader *arguments);

#endif
