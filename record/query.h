/*
 * The read-only requests of the local API (base/local.h), answered from rows.
 */
#ifndef RECORD_QUERY_H
#define RECORD_QUERY_H

#include "record/run.h"

/*
 * Answers HELLO, CARD_EXPORT, CHANNELS, CHANNEL, CHANNEL_KEYS, PARTIES, ENTRIES, ENTRY, HEADS, EVIDENCE
 * and STATUS with a reply, also where the request is malformed or names nothing (ERROR_BAD_ARGUMENT,
 * ERROR_NOT_FOUND).
 * `arguments` stands after the verb, and is read to the end of the frame. ERROR_UNSUPPORTED, without a reply,
 * for another verb.
 *
 * ENTRIES reads TABLE_ARRIVAL from the cursor on and looks at most at QUERY_SCAN_MAX rows for one reply, so a
 * reply may hold fewer rows than asked for, or none, with a cursor to go on from. Selection 4
 * walks TABLE_COPY and then TABLE_ACK_BY in the same way. A reply stays below LOCAL_FRAME_SIZE_MAX.
 */
#define QUERY_SCAN_MAX 256
enum error query_handle(struct run *run, uint64_t verb, struct cbor_reader *arguments, size_t count);

/*
 * Appends the entry_row of base/local.h for an entry: for ENTRIES, ENTRY and the notices ARRIVED and
 * STATE.
 */
enum error query_entry_row(struct run *run, const struct entry_key *key, const struct entry *entry,
			   struct buffer *buffer);

/* The line's words for an entry: its message reference (envelope/reference.h), appended to the buffer. */
enum error query_reference(struct run *run, const struct entry_key *key, uint64_t time,
			   struct buffer *buffer);

/* An alert of one message, or other entry, signed at that time: it names its reference, and the channel. */
enum error query_alert_message(struct run *run, const struct entry_key *key, uint64_t time, enum error reason,
			       const char *detail);

/* An alert of the log, and incarnation, of the entry: it names them, and the channel. */
enum error query_alert(struct run *run, const struct entry_key *log, enum error reason, const char *detail);

#endif
