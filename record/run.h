/*
 * One run of one event's handler: what every part of record/ works with.
 *
 * A handler is plain code over rows (base/rows.h). It may be run several times from its start, until no row
 * is missing; so it keeps nothing of its own, and everything it emits in an unfinished run is forgotten.
 * Every function here and in record/ that reads rows gives ERROR_NEEDS_ROWS, which its caller returns at
 * once, as it does any other error that it does not expect: these end the event (record_needs says so). What
 * is wrong with input from outside is no such error: it is a reason (enum error too, by a pointer) and ends
 * in a reply, a count or a verdict.
 */
#ifndef RECORD_RUN_H
#define RECORD_RUN_H

#include "envelope/aad.h"
#include "envelope/content.h"
#include "envelope/cose.h"
#include "envelope/derive.h"
#include "envelope/hpke.h"
#include "envelope/keying.h"
#include "envelope/terms.h"
#include "record/record.h"
#include "record/schema.h"

struct run;

/* ---- where a run is ---- */

struct rows *run_rows(struct run *run);
const struct record_event *run_event(const struct run *run);
uint64_t run_wall_ms(const struct run *run);
uint64_t run_time_s(const struct run *run);  /* wall clock, at most TIME_MAX */
uint64_t run_slow_ms(const struct run *run); /* the rate-limited clock (record/clock.h), as of this event */
/* How long ago that clock showed `then_ms`: 0 where it has lost time over a restart, and is not there yet. */
uint64_t run_slow_since(const struct run *run, uint64_t then_ms);

/* The own post; read once a run. NULL before RECORD_PROVISION. */
const struct own_post *run_post(const struct run *run);
/* The counters; written back at the end of the run if they were changed. */
struct state *run_state(struct run *run);

/* ---- memory of the run ---- */

/* `size` bytes, aligned for any struct, not cleared; until the next record_begin. Runs out: asserts (the
 * bounds of limits.h keep it from that). */
void *run_take(struct run *run, size_t size);
/* A buffer of that size. */
struct buffer run_buffer(struct run *run, size_t size);
/* Random bytes: the same in each run of the event, at the same place of the handler. */
void run_random(struct run *run, uint8_t *out, size_t size);

/* Room that is overwritten, for what asks for a work buffer (envelope/signed.h). */
struct buffer run_work(struct run *run);

/* ---- rows ---- */

/* ERROR_OK, or ERROR_NOT_FOUND, _NEEDS_ROWS, _FULL or _MALFORMED: *value is then zeros. */
enum error run_get(struct run *run, const struct row_key *key, const struct schema *schema, void *value);
void run_put(struct run *run, const struct row_key *key, const struct schema *schema, const void *value);
void run_delete(struct run *run, const struct row_key *key);

/*
 * For a loop over many things: notes a missing row and lets the loop go on (true), so that all that are
 * missing come in few rounds and not in one each; the loop's end is ERROR_NEEDS_ROWS if anything was. False:
 * an error to be returned. Not around what uses run_kept: its order would change from run to run.
 */
bool run_missing(enum error error, bool *missing);
/* The same error, but ERROR_NOT_FOUND is a defect of the store (ERROR_MALFORMED): where the row must be
 * there. */
enum error run_must(enum error error);

/* ---- dear things, done once for an event ---- */

/*
 * Room for a dear result of the handler's own. False: *room is `size` bytes, zeros; fill it in before reading
 * any further row. True: it is as it was filled in by an earlier run.
 */
bool run_kept(struct run *run, size_t size, void **room);
/* ERROR_OK, or why the object's signatures are not those of these keys over this aad (cose_signed_verify). */
enum error run_verify(struct run *run, const struct cose_signed *object, const struct aad *aad,
		      const uint8_t (*keys)[PUBLIC_KEY_SIZE], size_t count);
/* The same with the one key of a statement's or letter's signer. */
enum error run_verify_one(struct run *run, const struct cose_signed *object, const struct aad *aad,
			  const uint8_t key[PUBLIC_KEY_SIZE]);
/* ERROR_OK or ERROR_BAD_SIGNATURE, for a plain Ed25519 signature. */
enum error run_verify_plain(struct run *run, const uint8_t key[PUBLIC_KEY_SIZE], struct bytes message,
			    const uint8_t signature[64]);
/* The own post's statement, signed: a COSE_Sign1 of the payload under the aad, in the run's memory. */
struct bytes run_sign(struct run *run, const struct aad *aad, struct bytes payload);

/* identity_of (envelope/aad.h). */
void run_identity(struct run *run, const struct aad *aad, struct bytes payload,
		  uint8_t identity[IDENTITY_SIZE]);

/* ---- known from before ---- */

/* keying_psk_of_leaf: that of the last leaf asked for is kept until the event's end, and erased there. */
const struct keying_psk *run_psk(struct run *run, const uint8_t leaf[KEYING_KEY_SIZE]);
/* hpke_schedule_make: those of the last ones asked for are kept. Valid until it is called again. */
const struct hpke_schedule *run_schedule(struct run *run, struct bytes info, struct bytes psk_id);
/*
 * Appends what stands for a log in references (record/query.c), if that was kept with run_name_keep. A row
 * put or deleted in a table that names come from (TABLE_PARTY, PARTY_POST, CHANNEL, LINE) makes all of them
 * forgotten.
 */
bool run_name(struct run *run, uint64_t channel, uint64_t log, struct buffer *buffer);
void run_name_keep(struct run *run, uint64_t channel, uint64_t log, struct bytes name);

/* ---- what comes out ---- */

/* A reply to the request of this event, with error OK: write `count` results into the buffer that is
 * returned, then run_reply_end. The shell sends it after the commit, as all actions. */
struct buffer *run_reply_begin(struct run *run, size_t count);
void run_reply_end(struct run *run);
/* A reply with an error and a sentence (NULL: error_text). */
void run_reply_error(struct run *run, enum error error, const char *sentence);

/* A notice for all subscribers: as for replies (count: items after the notice's number). */
struct buffer *run_notice_begin(struct run *run, uint64_t notice, size_t count);
void run_notice_end(struct run *run);
/* LOCAL_ALERT. */
void run_alert(struct run *run, enum error reason, const char *detail);
/* What an alert is of: a log, or a message, by name (the other empty), and their channel. */
struct run_alert_of {
	struct bytes channel;
	struct bytes title;
	struct bytes log;
	struct bytes message;
};
/* The same of one log or message: record/query.h has query_alert and query_alert_message. */
void run_alert_of(struct run *run, enum error reason, const char *detail, const struct run_alert_of *of);

/* One log line without content. */
void run_log(struct run *run, enum error reason, const char *text);
/* Counts something refused in TABLE_REFUSED and logs it. */
enum error run_count(struct run *run, enum error reason, const char *text);

/* Any other action: filled in by the caller, who sets all fields; bytes are borrowed and must live as run
 * memory does. */
struct record_action *run_action(struct run *run, enum record_action_kind kind);
/*
 * RECORD_RECEIVED alone: the delivery, of this precedence, is left with the courier. Whatever else the run
 * emits, before and after, is forgotten when it is complete.
 */
void run_leave(struct run *run, uint64_t precedence);
/* RECORD_ACTION_WIPE, once in an event however many keys it erases. */
void run_wipe(struct run *run);

#endif
