/*
 * Receipts and verdicts (doc/PROTOCOL.md, section 6): made at RECORD_COMMIT for what the batch took in, and
 * taken from others for own entries.
 */
#ifndef RECORD_RECEIPT_H
#define RECORD_RECEIPT_H

#include "record/receive.h"

/* Receipts for the batch's items: for each log one for what is FLASH, one for the rest, more where they would
 * be too long. */
enum error receipt_commit(struct run *run);

/* Verdict entries in the own logs for the batch's verdicts; beyond an author's quota they are counted. */
enum error verdict_commit(struct run *run);

/* A receipt whose signature is verified. */
enum error receipt_take(struct run *run, const struct received_statement *statement);

#endif
