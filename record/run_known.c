#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "record/run.h"
#include "record/workspace.h"

/* ---- of the event: secrets ---- */

const struct keying_psk *run_psk(struct run *run, const uint8_t leaf[KEYING_KEY_SIZE])
{
	struct known_psk *known = &run->psk;

	if (!known->is_known || sodium_memcmp(known->leaf, leaf, sizeof(known->leaf)) != 0) {
		memcpy(known->leaf, leaf, sizeof(known->leaf));
		keying_psk_of_leaf(leaf, &known->psk);
		known->is_known = true;
	}
	return &known->psk;
}

void run_known_erase(struct run *run)
{
	if (run->psk.is_known)
		sodium_memzero(&run->psk, sizeof(run->psk));
}

/* ---- over all events ---- */

const struct hpke_schedule *run_schedule(struct run *run, struct bytes info, struct bytes psk_id)
{
	for (size_t i = 0; i < KNOWN_SCHEDULES_MAX; i++) {
		const struct known_schedule *known = &run->schedules[i];
		if (bytes_equal(bytes_make(known->info, known->info_size), info) &&
		    bytes_equal(bytes_make(known->psk_id, known->psk_id_size), psk_id))
			return &known->schedule;
	}
	struct known_schedule *made = &run->schedules[run->schedules_made++ % KNOWN_SCHEDULES_MAX];
	assert(info.size > 0 && info.size <= sizeof(made->info) && psk_id.size <= sizeof(made->psk_id));
	memcpy(made->info, info.data, info.size);
	made->info_size = info.size;
	memcpy(made->psk_id, psk_id.data, psk_id.size);
	made->psk_id_size = psk_id.size;
	hpke_schedule_make(info, psk_id, &made->schedule);
	return &made->schedule;
}

static struct known_name *place_of(struct run *run, uint64_t channel, uint64_t log)
{
	return &run->names[(channel + log) % KNOWN_NAMES_MAX];
}

bool run_name(struct run *run, uint64_t channel, uint64_t log, struct buffer *buffer)
{
	const struct known_name *known = place_of(run, channel, log);

	if (known->size == 0 || known->channel != channel || known->log != log)
		return false;
	buffer_append(buffer, bytes_make(known->name, known->size));
	return true;
}

void run_name_keep(struct run *run, uint64_t channel, uint64_t log, struct bytes name)
{
	struct known_name *known = place_of(run, channel, log);

	/* Made from what this run has written, and it may still be undone. */
	if (run->names_written || name.size == 0)
		return;
	assert(name.size <= sizeof(known->name));
	known->channel = channel;
	known->log = log;
	memcpy(known->name, name.data, name.size);
	known->size = name.size;
}

void run_known_written(struct run *run, uint8_t table)
{
	if (table != TABLE_PARTY && table != TABLE_PARTY_POST && table != TABLE_CHANNEL &&
	    table != TABLE_LINE)
		return;
	for (size_t i = 0; i < KNOWN_NAMES_MAX; i++)
		run->names[i].size = 0;
	run->names_written = true;
}
