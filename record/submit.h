/*
 * LOCAL_SUBMIT: an officer's or the authority's signed entry enters the own log.
 *
 * It is judged here as its receivers will judge it, and refused with the sentence. The reply names log,
 * incarnation, position and reference; the same identity again gives the same reply.
 */
#ifndef RECORD_SUBMIT_H
#define RECORD_SUBMIT_H

#include "base/cbor.h"
#include "record/run.h"

enum error submit_handle(struct run *run, struct cbor_reader *arguments);

#endif
