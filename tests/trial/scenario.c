#include "tests/trial/scenario.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cbor.h"
#include "tests/trial/drive.h"
#include "tests/unit/record/world_inside.h"

#define OURS         0
#define THEIRS       1
#define HOUR_MS      UINT64_C(3600000)
#define ARRIVALS_MAX 256

/* ---- what happens ---- */

static const struct step send_steps[] = {{STEP_SUBMIT, 3}, {STEP_COMMIT, 0}, {STEP_SETTLE, 0},
					 {STEP_SUBMIT, 1}, {STEP_COMMIT, 0}, {STEP_SUBMIT, 2},
					 {STEP_COMMIT, 0}, {STEP_SETTLE, 0}, {STEP_END, 0}};
static const struct step receive_steps[] = {{STEP_OTHER, 3},  {STEP_SETTLE, 0}, {STEP_OTHER, 1},
					    {STEP_SUBMIT, 1}, {STEP_COMMIT, 0}, {STEP_OTHER, 2},
					    {STEP_SETTLE, 0}, {STEP_END, 0}};
static const struct step erase_steps[] = {
	{STEP_SUBMIT, 1}, {STEP_COMMIT, 0}, {STEP_OTHER, 1}, {STEP_SETTLE, 0}, {STEP_PASS, 48},
	{STEP_SUBMIT, 1}, {STEP_COMMIT, 0}, {STEP_OTHER, 1}, {STEP_SETTLE, 0}, {STEP_END, 0}};
static const struct step backup_steps[] = {{STEP_SUBMIT, 1}, {STEP_COMMIT, 0}, {STEP_BACKUP, 0},
					   {STEP_SUBMIT, 1}, {STEP_COMMIT, 0}, {STEP_OTHER, 1},
					   {STEP_SETTLE, 0}, {STEP_WHOLE, 0},  {STEP_SUBMIT, 1},
					   {STEP_COMMIT, 0}, {STEP_SETTLE, 0}, {STEP_END, 0}};
static const struct step restore_steps[] = {
	{STEP_SUBMIT, 1}, {STEP_COMMIT, 0},  {STEP_SETTLE, 0}, {STEP_BACKUP, 0},
	{STEP_WHOLE, 0},  {STEP_SUBMIT, 2},  {STEP_COMMIT, 0}, {STEP_OTHER, 2},
	{STEP_SETTLE, 0}, {STEP_RESTORE, 0}, {STEP_START, 0},  {STEP_SUBMIT, 1},
	{STEP_COMMIT, 0}, {STEP_PASS, 1},    {STEP_SETTLE, 0}, {STEP_END, 0}};
static const struct step replace_steps[] = {
	{STEP_SUBMIT, 1}, {STEP_COMMIT, 0},  {STEP_SETTLE, 0}, {STEP_BACKUP, 0},
	{STEP_WHOLE, 0},  {STEP_SUBMIT, 2},  {STEP_COMMIT, 0}, {STEP_OTHER, 2},
	{STEP_SETTLE, 0}, {STEP_RESTORE, 1}, {STEP_START, 0},  {STEP_SUBMIT, 1},
	{STEP_COMMIT, 0}, {STEP_PASS, 1},    {STEP_SETTLE, 0}, {STEP_END, 0}};

const struct trial_scenario trial_scenarios[] = {
	{"send", "messages are taken, sealed, handed over and receipted", send_steps},
	{"receive", "messages come in and are receipted, and answered", receive_steps},
	{"erase", "epochs end, their keys are erased and overwritten", erase_steps},
	{"backup", "a backup is made while messages come and go", backup_steps},
	{"restore", "an old backup is laid back, and the anchor is still there", restore_steps},
	{"replace", "an old backup goes on another machine, without an anchor", replace_steps},
};
const size_t trial_scenarios_count = sizeof(trial_scenarios) / sizeof(trial_scenarios[0]);

/* ---- what is wrong ---- */

static bool __attribute__((format(printf, 2, 3))) fail(struct trial *trial, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (trial->problem[0] == '\0')
		vsnprintf(trial->problem, sizeof(trial->problem), format, arguments);
	va_end(arguments);
	return false;
}

/* ---- the process ---- */

static struct world_post *ours(const struct trial *trial)
{
	return &trial->world->posts[OURS];
}

static void show_row(void *context, const struct row *row)
{
	store_put(context, row->key, row->value);
}

/* The rows in memory become those of the drive. */
static void show(struct trial *trial)
{
	struct store *store = &ours(trial)->store;

	store_free(store);
	*store = (struct store){0};
	machine_rows(trial->machine, show_row, store);
}

static void perform(void *context, const struct record_action *action)
{
	world_perform(((struct trial *)context)->world, OURS, action);
}

static enum error give(struct world_process *process, const struct record_event *event)
{
	return machine_event(((struct trial *)(void *)process)->machine, event);
}

static void commit(struct world_process *process, const struct record_event *room)
{
	struct trial *trial = (struct trial *)(void *)process;

	CHECK(machine_commit(trial->machine, room) == ERROR_OK);
	show(trial);
	CHECK(machine_perform(trial->machine, perform, trial) == ERROR_OK);
}

static struct line own_line(const struct trial *trial)
{
	struct row_key key = key_line(1, world_log_of(trial->world, OURS));
	struct line line = {0};

	CHECK(world_row(trial->world, OURS, &key, &schema_line, &line));
	return line;
}

static bool is_open(const struct trial *trial)
{
	struct row_key key = key_line(1, world_log_of(trial->world, OURS));
	struct line line;
	return world_row(trial->world, OURS, &key, &schema_line, &line);
}

/* ---- making ---- */

static const char *wake(struct trial *trial)
{
	static uint8_t memory[8192];
	struct buffer anchor = buffer_make(memory, sizeof(memory));
	struct world_post *post = ours(trial);
	const char *why = machine_open(trial->machine, post->record, &anchor);

	free(post->anchor);
	post->anchor = world_copy_of(buffer_bytes(&anchor));
	post->anchor_size = anchor.size;
	return why;
}

/* What the line held in memory goes on the drive. */
static void move(struct trial *trial)
{
	struct world_post *post = ours(trial);
	struct bytes anchor =
		bytes_make(world_copy_of(bytes_make(post->anchor, post->anchor_size)), post->anchor_size);
	struct row *rows = world_must(calloc(post->store.count, sizeof(*rows)));

	for (size_t i = 0; i < post->store.count; i++) {
		const struct store_row *row = &post->store.rows[i];
		rows[i] = (struct row){.key = bytes_make(row->key, row->key_size),
				       .value = bytes_make(row->value, row->value_size)};
	}
	CHECK(wake(trial) == NULL);
	machine_put(trial->machine, rows, post->store.count);
	machine_put_anchor(trial->machine, anchor);
	drive_settle();
	free(rows);
	free((void *)(uintptr_t)anchor.data);
}

void trial_make(struct trial *trial)
{
	*trial = (struct trial){.process = {.event = give, .commit = commit}};
	trial->world = world_open_line(1);
	trial->machine = machine_make();
	move(trial);
	ours(trial)->process = &trial->process;
	trial->incarnation = own_line(trial).incarnation;
	for (size_t i = 0; i < 2; i++)
		trial->arrivals[i] = world_count(trial->world, i, TABLE_ARRIVAL);
}

void trial_seed(struct trial *trial, uint64_t seed)
{
	uint8_t bytes[ENTROPY_SEED_SIZE] = {1};

	store_u64(bytes + 8, seed);
	trial->world->random = entropy_make(bytes);
}

void trial_free(struct trial *trial)
{
	machine_close(trial->machine);
	free(trial->machine);
	world_free(trial->world);
}

/* ---- steps ---- */

static void sign_word(struct trial *trial, unsigned precedence)
{
	struct world_message message = {.precedence = precedence, .text = "taken, or not"};
	struct word *word = &trial->words[trial->words_count];

	CHECK(trial->words_count < WORDS_MAX);
	word->cose = world_sign_message(trial->world, OURS, &message, word->identity);
	trial->words_count++;
}

static void give_word(struct trial *trial, const struct word *word)
{
	struct buffer frame = world_allocate(LOCAL_FRAME_SIZE_MAX);
	struct record_event event = {.kind = RECORD_REQUEST};

	cbor_write_array(&frame, 4);
	cbor_write_uint(&frame, 1);
	cbor_write_uint(&frame, LOCAL_SUBMIT);
	cbor_write_bytes(&frame, bytes_make(trial->world->channel, CHANNEL_ID_SIZE));
	cbor_write_bytes(&frame, word->cose);
	event.of.request.client = 7;
	event.of.request.frame = buffer_bytes(&frame);
	CHECK(world_event(trial->world, OURS, &event) == ERROR_OK);
	free(frame.data);
}

/* Officers give again what they had no answer to; each is answered, or all are lost with the power. */
static void commit_words(struct trial *trial)
{
	struct world_post *post = ours(trial);
	size_t replies = post->replies;
	size_t given = 0;

	for (size_t i = 0; i < trial->words_count; i++) {
		if (trial->words[i].told)
			continue;
		give_word(trial, &trial->words[i]);
		given++;
	}
	if (given > 0)
		world_commit(trial->world, OURS);
	if (post->replies != replies + given)
		fail(trial, "%zu of %zu words are answered", post->replies - replies, given);
	for (size_t i = 0; i < trial->words_count; i++) {
		struct word *word = &trial->words[i];
		struct entry entry;
		if (!word->told && !world_entry(trial->world, OURS, word->identity, &entry, &word->place))
			fail(trial, "word %zu is answered and not there", i);
		word->told = true;
	}
}

static void send_others(struct trial *trial, size_t count)
{
	struct world_message message = {.text = "receipted, or sent again"};

	for (size_t i = 0; i < count; i++) {
		CHECK(trial->others_count < WORDS_MAX);
		message.precedence = i % 2 == 0 ? PRECEDENCE_FLASH : PRECEDENCE_ROUTINE;
		CHECK(world_send(trial->world, THEIRS, &message, trial->others[trial->others_count++]) ==
		      ERROR_OK);
	}
}

static void begin_backup(struct trial *trial)
{
	if (trial->backs_up)
		return;
	machine_backup_begin(trial->machine);
	trial->backs_up = true;
}

/* What was begun before the power went is begun anew. */
static void end_backup(struct trial *trial)
{
	begin_backup(trial);
	while (!machine_backup_step(trial->machine, &trial->backup)) {
	}
	trial->backs_up = false;
}

/* As `liaison restore` leaves it: the store is there and synced, before the daemon starts. */
static void restore(struct trial *trial, bool without_anchor)
{
	struct world_post *post = ours(trial);
	struct bytes anchor;

	trial->is_restoring = true;
	machine_close(trial->machine);
	world_die(trial->world, OURS);
	CHECK(wake(trial) == NULL); /* the newest anchor */
	anchor = bytes_make(world_copy_of(bytes_make(post->anchor, post->anchor_size)), post->anchor_size);
	machine_close(trial->machine);
	drive_empty();
	drive_put(MACHINE_STORE, trial->backup.data, trial->backup.size);
	CHECK(wake(trial) == NULL);
	if (!without_anchor)
		machine_put_anchor(trial->machine, anchor);
	machine_close(trial->machine);
	drive_settle();
	free((void *)(uintptr_t)anchor.data);
	trial->was_restored = true;
	trial->is_restoring = false;
}

static void start(struct trial *trial)
{
	const char *why = wake(trial);

	if (why != NULL) {
		fail(trial, "it does not start: %s", why);
		return;
	}
	show(trial);
	world_start(trial->world, OURS);
}

static void take_step(struct trial *trial, const struct step *step)
{
	switch (step->kind) {
	case STEP_SUBMIT:
		for (size_t i = 0; i < step->count; i++)
			sign_word(trial, i == 0 ? PRECEDENCE_FLASH : PRECEDENCE_ROUTINE);
		break;
	case STEP_COMMIT:
		commit_words(trial);
		break;
	case STEP_OTHER:
		send_others(trial, step->count);
		break;
	case STEP_SETTLE:
		world_settle(trial->world);
		break;
	case STEP_PASS:
		world_run(trial->world, step->count * HOUR_MS, step->count * HOUR_MS / 12);
		break;
	case STEP_BACKUP:
		begin_backup(trial);
		break;
	case STEP_WHOLE:
		end_backup(trial);
		break;
	case STEP_RESTORE:
		restore(trial, step->count == 1);
		break;
	case STEP_START:
		if (!ours(trial)->up)
			start(trial);
		break;
	case STEP_END:
		break;
	}
}

void trial_go_on(struct trial *trial)
{
	const struct step *steps = trial->scenario->steps;

	for (; steps[trial->step].kind != STEP_END && trial->problem[0] == '\0'; trial->step++)
		take_step(trial, &steps[trial->step]);
}

/* ---- judging ---- */

static bool is_at(const struct trial *trial, size_t post, const uint8_t identity[IDENTITY_SIZE],
		  const struct entry_key *place)
{
	struct entry_key key;
	struct entry entry;

	if (!world_entry(trial->world, post, identity, &entry, &key))
		return false;
	return place == NULL || (key.channel == place->channel && key.log == place->log &&
				 key.incarnation == place->incarnation && key.position == place->position);
}

/* Whatever was said is so. */
static bool judge_told(struct trial *trial)
{
	for (size_t i = 0; i < trial->words_count; i++)
		if (trial->words[i].told &&
		    !is_at(trial, OURS, trial->words[i].identity, &trial->words[i].place))
			return fail(trial, "word %zu was told to be on disk, and is not there", i);
	for (size_t i = 0; i < trial->others_count; i++)
		if (world_state(trial->world, THEIRS, trial->others[i]) >= LOCAL_RECEIVED &&
		    !is_at(trial, OURS, trial->others[i], NULL))
			return fail(trial, "word %zu of theirs was receipted, and is not held", i);
	return true;
}

/* A drive that lost its power is no restored image, and no reason to begin anew. */
static bool judge_incarnation(struct trial *trial)
{
	struct line line = own_line(trial);

	if (trial->was_restored || (line.incarnation == trial->incarnation && line.unsure == 0))
		return true;
	return fail(trial, "its log goes on as a new incarnation");
}

bool trial_recover(struct trial *trial)
{
	world_die(trial->world, OURS);
	trial->backs_up = false;
	const char *why = wake(trial);
	if (why != NULL)
		return fail(trial, "it does not open again: %s", why);
	if (!machine_is_whole(trial->machine))
		return fail(trial, "the store is damaged");
	show(trial);
	if (!is_open(trial))
		return fail(trial, "the line is gone");
	if (!trial->was_restored && !judge_told(trial))
		return false;
	world_start(trial->world, OURS);
	return judge_incarnation(trial);
}

static bool judge_logs(struct trial *trial)
{
	struct world *world = trial->world;

	if (!world_agrees(world))
		return fail(trial, "the two sides do not hold the same logs");
	for (size_t at = 0; at < 2; at++) {
		if (world_count(world, at, TABLE_EVIDENCE) > 0)
			return fail(trial, "%s keeps evidence of two stories", world->posts[at].name);
		for (size_t of = 0; of < 2; of++) {
			struct row_key key = key_line(1, world_log_of(world, of));
			struct line line;
			if (!world_row(world, at, &key, &schema_line, &line) || line.forked || line.disagrees)
				return fail(trial, "heads disagree");
		}
	}
	return true;
}

static bool is_shown_twice(const struct world *world, size_t post)
{
	const uint8_t prefix = TABLE_ARRIVAL;
	struct entry_key seen[ARRIVALS_MAX];
	struct arrival arrival;
	struct row row;
	size_t count = 0;
	size_t at = 0;

	while (store_find(&world->posts[post].store, bytes_make(&prefix, 1), &at, &row)) {
		CHECK(count < ARRIVALS_MAX && schema_read(&schema_arrival, row.value, &arrival) == ERROR_OK);
		seen[count] = arrival.key;
		for (size_t i = 0; i < count; i++)
			if (seen[i].channel == arrival.key.channel && seen[i].log == arrival.key.log &&
			    seen[i].incarnation == arrival.key.incarnation &&
			    seen[i].position == arrival.key.position)
				return true;
		count++;
	}
	return false;
}

/* Own words have their numbers among the others. What a restored post says of itself is counted, too. */
static bool judge_arrivals(struct trial *trial)
{
	for (size_t i = 0; i < 2; i++) {
		size_t count = world_count(trial->world, i, TABLE_ARRIVAL);
		if (is_shown_twice(trial->world, i))
			return fail(trial, "an entry arrives twice at %s", trial->world->posts[i].name);
		if (!trial->was_restored &&
		    count != trial->arrivals[i] + trial->words_count + trial->others_count)
			return fail(trial, "%zu arrivals at %s", count, trial->world->posts[i].name);
	}
	return true;
}

bool trial_judge(struct trial *trial)
{
	struct world *world = trial->world;

	if (trial->problem[0] != '\0')
		return false;
	world_run(world, HOUR_MS, HOUR_MS / 12);
	world_settle(world);
	if (!machine_is_whole(trial->machine))
		return fail(trial, "the store is damaged at the end");
	if (!judge_told(trial) || !judge_logs(trial) || !judge_incarnation(trial))
		return false;
	for (size_t i = 0; i < trial->words_count; i++)
		if (!is_at(trial, THEIRS, trial->words[i].identity, &trial->words[i].place) ||
		    world_state(world, OURS, trial->words[i].identity) < LOCAL_RECEIVED)
			return fail(trial, "word %zu has not arrived", i);
	for (size_t i = 0; i < trial->others_count; i++)
		if (!is_at(trial, OURS, trial->others[i], NULL) ||
		    world_state(world, THEIRS, trial->others[i]) < LOCAL_RECEIVED)
			return fail(trial, "word %zu of theirs has not arrived", i);
	return judge_arrivals(trial);
}
