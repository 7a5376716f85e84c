/*
 * What the wall clock can do to the own epochs. It is set by people, and may be set by others, to and fro:
 * then prekeys are published no more than so often, and what was published before has ended.
 */
#include "record/keys.h"

#include <sodium.h>

#define DAY_MS              UINT64_C(86400000)
#define PUBLISHED_DAILY_MAX 4 /* once in 15 days is enough; a sending leaf follows some 4,096 epochs */

enum error keys_may_publish(struct run *run, bool *may)
{
	struct row_key key = key_make(TABLE_PUBLISHED);
	struct quota quota;

	enum error error = run_get(run, &key, &schema_quota, &quota);
	if (error != ERROR_OK && error != ERROR_NOT_FOUND)
		return error;
	if (error == ERROR_NOT_FOUND || run_slow_since(run, quota.start_ms) >= DAY_MS)
		quota = (struct quota){.start_ms = run_slow_ms(run)};
	*may = quota.count < PUBLISHED_DAILY_MAX;
	if (*may) {
		quota.count++;
		run_put(run, &key, &schema_quota, &quota);
	}
	return ERROR_OK;
}

enum error keys_supersede(struct run *run)
{
	struct state *state = run_state(run);
	bool missing = false;

	for (uint64_t number = state->epoch_marked; number < state->epoch_next; number++) {
		struct row_key key = keys_epoch_row(number);
		struct epoch epoch;
		enum error error = run_get(run, &key, &schema_epoch, &epoch);
		if (error == ERROR_OK) {
			epoch.ends = 0;
			epoch.ended_ms = run_slow_ms(run) + 1;
			run_put(run, &key, &schema_epoch, &epoch);
			sodium_memzero(&epoch, sizeof(epoch));
		} else if (error != ERROR_NOT_FOUND && !run_missing(error, &missing)) {
			return error;
		}
	}
	if (missing)
		return ERROR_NEEDS_ROWS;
	state->epoch_marked = state->epoch_next;
	return ERROR_OK;
}

enum error keys_serve(struct run *run, uint64_t current, bool *serve)
{
	struct row_key key = key_party_post(TABLE_PREKEYS, 0, run_post(run)->slot);
	struct prekeys_row row;

	enum error error = run_get(run, &key, &schema_prekeys_row, &row);
	*serve = error != ERROR_OK ||
		 (row.first_epoch <= current &&
		  row.first_epoch + row.keys.size / PUBLIC_KEY_SIZE >= current + KEYS_AHEAD_MIN);
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}
