#include "record/run.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/cbor.h"
#include "base/local.h"
#include "envelope/signed.h"
#include "record/workspace.h"

#define NOTICE_SIZE_MAX 4096

/* ---- where a run is ---- */

void run_start(struct run *run)
{
	rows_begin(&run->rows);
	if (run->decoded_resets != rows_resets(&run->rows)) {
		memset(run->decoded, 0, sizeof(run->decoded));
		run->decoded_resets = rows_resets(&run->rows);
	}
	run->names_written = false;
	run->kept_at = 0;
	run->arena.used = 0;
	run->entropy = entropy_make(run->event.entropy);
	run->actions_count = 0;
	run->frame = (struct buffer){0};
	run->request_number = 0;
	run->provisioned = false;
	run->left_precedence = 0;
	run->noted.items_count = 0;
	run->noted.verdicts_count = 0;
	run->noted.channels_count = 0;
}

void run_finish(struct run *run)
{
	if (memcmp(&run->state, &run->state_before, sizeof(run->state)) == 0)
		return;
	struct row_key key = key_make(TABLE_STATE);
	run_put(run, &key, &schema_state, &run->state);
}

struct rows *run_rows(struct run *run)
{
	return &run->rows;
}

const struct record_event *run_event(const struct run *run)
{
	return &run->event;
}

uint64_t run_wall_ms(const struct run *run)
{
	return run->event.wall_ms;
}

uint64_t run_time_s(const struct run *run)
{
	uint64_t time = run->event.wall_ms / 1000;
	return time > TIME_MAX ? TIME_MAX : time;
}

uint64_t run_slow_ms(const struct run *run)
{
	return run->slow_ms;
}

uint64_t run_slow_since(const struct run *run, uint64_t then_ms)
{
	return run->slow_ms > then_ms ? run->slow_ms - then_ms : 0;
}

const struct own_post *run_post(const struct run *run)
{
	return run->provisioned ? &run->post : NULL;
}

struct state *run_state(struct run *run)
{
	return &run->state;
}

/* ---- memory ---- */

static void *arena_take(struct arena *arena, size_t size)
{
	size_t start = (arena->used + 15) & ~(size_t)15;
	assert(start <= arena->size && size <= arena->size - start);
	arena->used = start + size;
	return arena->memory + start;
}

void *run_take(struct run *run, size_t size)
{
	return arena_take(&run->arena, size);
}

struct buffer run_buffer(struct run *run, size_t size)
{
	return buffer_make(run_take(run, size), size);
}

struct buffer run_work(struct run *run)
{
	return buffer_make(run->work, sizeof(run->work));
}

void run_random(struct run *run, uint8_t *out, size_t size)
{
	entropy_take(&run->entropy, out, size);
}

/* ---- rows ---- */

static enum error decode(struct run *run, struct bytes key, const struct schema *schema, struct bytes row,
			 void *value)
{
	if (key.data[0] >= TABLE_EPOCH || schema->size > DECODED_SIZE_MAX ||
	    !rows_is_lasting(&run->rows, row))
		return schema_read(schema, row, value);
	size_t place = 2 * (size_t)key.data[0] + (key.data[key.size - 1] & 1);
	struct decoded *decoded = &run->decoded[place];
	uint8_t *kept = run->decoded_values[place];
	if (decoded->schema != schema || decoded->row.data != row.data || decoded->row.size != row.size) {
		enum error error = schema_read(schema, row, kept);
		decoded->schema = error == ERROR_OK ? schema : NULL;
		decoded->row = row;
		if (error != ERROR_OK) {
			memset(value, 0, schema->size);
			return error;
		}
	}
	memcpy(value, kept, schema->size);
	return ERROR_OK;
}

enum error run_get(struct run *run, const struct row_key *key, const struct schema *schema, void *value)
{
	struct bytes bytes;
	enum error error = rows_get(&run->rows, key_view(key), &bytes);
	if (error == ERROR_OK)
		return decode(run, key_view(key), schema, bytes, value);
	memset(value, 0, schema->size);
	return error;
}

void run_put(struct run *run, const struct row_key *key, const struct schema *schema, const void *value)
{
	size_t used = run->arena.used;
	struct buffer buffer = run_buffer(run, ROW_VALUE_SIZE_MAX);
	schema_write(schema, value, &buffer);
	assert(buffer_error(&buffer) == ERROR_OK);
	rows_put(&run->rows, key_view(key), buffer_bytes(&buffer));
	run_known_written(run, key_view(key).data[0]);
	run->arena.used = used; /* rows_put has copied it */
}

void run_delete(struct run *run, const struct row_key *key)
{
	rows_delete(&run->rows, key_view(key));
	run_known_written(run, key_view(key).data[0]);
}

bool run_missing(enum error error, bool *missing)
{
	*missing = *missing || error == ERROR_NEEDS_ROWS;
	return error == ERROR_OK || error == ERROR_NEEDS_ROWS;
}

enum error run_must(enum error error)
{
	return error == ERROR_NOT_FOUND ? ERROR_MALFORMED : error;
}

/* ---- dear things ---- */

bool run_kept(struct run *run, size_t size, void **room)
{
	size_t at = run->kept_at++;
	assert(at < KEPT_MAX);
	if (at < run->kept_count) {
		assert(run->kept[at].size == size);
		*room = run->kept[at].data;
		return true;
	}
	struct kept *kept = &run->kept[run->kept_count++];
	kept->data = arena_take(&run->kept_arena, size);
	kept->size = size;
	memset(kept->data, 0, size);
	*room = kept->data;
	return false;
}

enum error run_verify(struct run *run, const struct cose_signed *object, const struct aad *aad,
		      const uint8_t (*keys)[PUBLIC_KEY_SIZE], size_t count)
{
	void *room;
	enum error error;

	if (run_kept(run, sizeof(error), &room)) {
		memcpy(&error, room, sizeof(error));
		return error;
	}
	uint8_t encoded[AAD_SIZE_MAX];
	struct buffer aad_buffer = buffer_make(encoded, sizeof(encoded));
	aad_encode(aad, &aad_buffer);
	struct buffer work = run_work(run);
	error = cose_signed_verify(object, buffer_bytes(&aad_buffer), keys, count, &work);
	memcpy(room, &error, sizeof(error));
	return error;
}

enum error run_verify_one(struct run *run, const struct cose_signed *object, const struct aad *aad,
			  const uint8_t key[PUBLIC_KEY_SIZE])
{
	uint8_t keys[1][PUBLIC_KEY_SIZE];

	memcpy(keys[0], key, sizeof(keys[0]));
	return run_verify(run, object, aad, (const uint8_t(*)[PUBLIC_KEY_SIZE])keys, 1);
}

enum error run_verify_plain(struct run *run, const uint8_t key[PUBLIC_KEY_SIZE], struct bytes message,
			    const uint8_t signature[64])
{
	void *room;
	enum error error;

	if (run_kept(run, sizeof(error), &room)) {
		memcpy(&error, room, sizeof(error));
		return error;
	}
	error = ed25519_verify(key, message, signature);
	memcpy(room, &error, sizeof(error));
	return error;
}

struct bytes run_sign(struct run *run, const struct aad *aad, struct bytes payload)
{
	struct buffer out = run_buffer(run, cose_signed_size(1, payload.size));
	void *room;

	if (run_kept(run, out.size_max, &room))
		return bytes_make(room, out.size_max);
	struct ed25519_pair pair;
	memcpy(pair.key, run->post.statement_key, sizeof(pair.key));
	memcpy(pair.secret, run->post.statement_secret, sizeof(pair.secret));
	struct buffer work = run_work(run);
	enum error error = signed_alone(&pair, aad, payload, &work, &out);
	ed25519_pair_erase(&pair);
	assert(error == ERROR_OK && out.size == out.size_max);
	memcpy(room, out.data, out.size);
	return bytes_make(room, out.size);
}

void run_identity(struct run *run, const struct aad *aad, struct bytes payload,
		  uint8_t identity[IDENTITY_SIZE])
{
	void *room;

	if (!run_kept(run, IDENTITY_SIZE, &room))
		identity_of(aad, payload, room);
	memcpy(identity, room, IDENTITY_SIZE);
}

/* ---- what comes out ---- */

struct record_action *run_action(struct run *run, enum record_action_kind kind)
{
	assert(run->actions_count < RECORD_ACTIONS_MAX);
	struct record_action *action = &run->actions[run->actions_count++];
	memset(action, 0, sizeof(*action));
	action->kind = kind;
	return action;
}

void run_leave(struct run *run, uint64_t precedence)
{
	assert(run->event.kind == RECORD_RECEIVED && precedence >= 1);
	run->left_precedence = precedence;
}

void run_wipe(struct run *run)
{
	for (size_t i = 0; i < run->actions_count; i++)
		if (run->actions[i].kind == RECORD_ACTION_WIPE)
			return;
	run_action(run, RECORD_ACTION_WIPE);
}

static struct buffer *frame_begin(struct run *run, size_t size)
{
	assert(run->frame.data == NULL); /* one frame at a time */
	run->frame = run_buffer(run, size);
	local_frame_begin(&run->frame, &run->frame_mark);
	return &run->frame;
}

static struct bytes frame_end(struct run *run)
{
	assert(buffer_error(&run->frame) == ERROR_OK);
	local_frame_end(&run->frame, run->frame_mark);
	struct bytes bytes = buffer_bytes(&run->frame);
	run->frame = (struct buffer){0};
	return bytes;
}

struct buffer *run_reply_begin(struct run *run, size_t count)
{
	struct buffer *frame = frame_begin(run, LOCAL_FRAME_SIZE_MAX);
	cbor_write_array(frame, count + 2);
	cbor_write_uint(frame, run->request_number);
	cbor_write_uint(frame, ERROR_OK);
	return frame;
}

void run_reply_end(struct run *run)
{
	struct record_action *action = run_action(run, RECORD_ACTION_REPLY);
	action->number = run->event.of.request.client;
	action->bytes = frame_end(run);
}

void run_reply_error(struct run *run, enum error error, const char *sentence)
{
	struct buffer *frame = frame_begin(run, NOTICE_SIZE_MAX);
	cbor_write_array(frame, 3);
	cbor_write_uint(frame, run->request_number);
	cbor_write_uint(frame, (uint64_t)error);
	cbor_write_text(frame, bytes_of_text(sentence == NULL ? error_text(error) : sentence));
	run_reply_end(run);
}

struct buffer *run_notice_begin(struct run *run, uint64_t notice, size_t count)
{
	struct buffer *frame = frame_begin(run, NOTICE_SIZE_MAX);
	cbor_write_array(frame, count + 2);
	cbor_write_uint(frame, 0);
	cbor_write_uint(frame, notice);
	return frame;
}

void run_notice_end(struct run *run)
{
	struct record_action *action = run_action(run, RECORD_ACTION_NOTICE);
	action->bytes = frame_end(run);
}

void run_alert_of(struct run *run, enum error reason, const char *detail, const struct run_alert_of *of)
{
	struct buffer *frame = run_notice_begin(run, LOCAL_ALERT, 6);
	cbor_write_uint(frame, (uint64_t)reason);
	cbor_write_text(frame, bytes_of_text(detail));
	if (of->channel.size == 0)
		cbor_write_null(frame);
	else
		cbor_write_bytes(frame, of->channel);
	cbor_write_text(frame, of->title);
	cbor_write_text(frame, of->log);
	cbor_write_text(frame, of->message);
	run_notice_end(run);
}

void run_alert(struct run *run, enum error reason, const char *detail)
{
	run_alert_of(run, reason, detail, &(const struct run_alert_of){0});
}

void run_log(struct run *run, enum error reason, const char *text)
{
	struct record_action *action = run_action(run, RECORD_ACTION_LOG);
	action->error = reason;
	action->bytes = bytes_of_text(text);
}

enum error run_count(struct run *run, enum error reason, const char *text)
{
	struct row_key key = key_make(TABLE_REFUSED);
	struct counter counter;

	key_u32(&key, (uint64_t)reason);
	enum error error = run_get(run, &key, &schema_counter, &counter);
	if (error != ERROR_OK && error != ERROR_NOT_FOUND)
		return error;
	if (counter.count < UINT64_MAX)
		counter.count++;
	counter.last_ms = run_wall_ms(run);
	counter.source = bytes_make(NULL, 0);
	if (run_event(run)->kind == RECORD_RECEIVED)
		counter.source = run_event(run)->of.received.source;
	run_put(run, &key, &schema_counter, &counter);
	run_log(run, reason, text);
	return ERROR_OK;
}
