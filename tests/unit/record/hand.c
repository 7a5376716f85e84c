#include "tests/unit/record/hand.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cbor.h"
#include "record/effects.h"
#include "record/log.h"
#include "record/workspace.h"

#define CHECK(condition)                                                                                     \
	do {                                                                                                 \
		if (!(condition)) {                                                                          \
			fprintf(stderr, "hand: %s:%d: %s\n", __FILE__, __LINE__, #condition);                \
			abort();                                                                             \
		}                                                                                            \
	} while (0)

static uint8_t work_bytes[SIGNED_WORK_SIZE];

static void *must(void *memory)
{
	CHECK(memory != NULL);
	return memory;
}

/* ---- running ---- */

struct hand hand_make(struct world *world, size_t post)
{
	return (struct hand){.world = world, .post = post};
}

static enum error read_ground(struct run *run)
{
	struct row_key post_key = key_make(TABLE_POST);
	struct row_key state_key = key_make(TABLE_STATE);

	enum error post_error = run_get(run, &post_key, &schema_own_post, &run->post);
	enum error state_error = run_get(run, &state_key, &schema_state, &run->state);
	if (post_error != ERROR_OK || state_error != ERROR_OK)
		return post_error != ERROR_OK ? post_error : state_error;
	run->state_before = run->state;
	run->provisioned = true;
	return ERROR_OK;
}

static enum error one_run(struct run *run, hand_handler *handler, void *context)
{
	run_start(run);
	enum error error = read_ground(run);
	if (error == ERROR_OK)
		error = handler(run, context);
	if (error == ERROR_OK) {
		run_finish(run);
		error = rows_keep(&run->rows);
	}
	return error;
}

static void count_notices(struct hand *hand, const struct run *run)
{
	hand->alerts = 0;
	hand->changes = 0;
	for (size_t i = 0; i < run->actions_count; i++) {
		const struct record_action *action = &run->actions[i];
		if (action->kind != RECORD_ACTION_NOTICE)
			continue;
		struct cbor_reader reader =
			cbor_reader_make(bytes_make(action->bytes.data + 4, action->bytes.size - 4));
		(void)cbor_read_array(&reader, 16);
		CHECK(cbor_read_uint(&reader) == 0);
		uint64_t kind = cbor_read_uint(&reader);
		hand->changes += kind == LOCAL_CHANNEL_CHANGED;
		if (kind == LOCAL_ALERT) {
			hand->alerts++;
			hand->last_alert = (enum error)cbor_read_uint(&reader);
		}
	}
}

enum error hand_run(struct hand *hand, hand_handler *handler, void *context)
{
	struct world_post *post = &hand->world->posts[hand->post];
	struct run *run = &post->record->run;
	struct record_event event = {
		.kind = RECORD_TICK,
		.wall_ms = hand->world->now_ms,
		.steady_ms = post->steady_ms,
	};
	enum error error;

	entropy_take(&hand->world->random, event.entropy, sizeof(event.entropy));
	record_begin(post->record, &event);
	hand->rounds = 0;
	while ((error = one_run(run, handler, context)) == ERROR_NEEDS_ROWS) {
		CHECK(hand->rounds++ < 1000);
		store_load(&post->store, &run->rows);
	}
	if (error == ERROR_OK)
		store_commit(&post->store, &run->rows);
	else
		rows_undo(&run->rows);
	count_notices(hand, run);
	rows_reset(&run->rows);
	run->noted.verdicts_count = 0;
	run->noted.items_count = 0;
	run->noted.channels_count = 0;
	return error;
}

bool hand_look(const struct hand *hand, const struct row_key *key, const struct schema *schema, void *value)
{
	struct row row;
	size_t at = 0;

	if (!store_find(&hand->world->posts[hand->post].store, key_view(key), &at, &row) ||
	    row.key.size != key->size)
		return false;
	CHECK(schema_read(schema, row.value, value) == ERROR_OK);
	return true;
}

struct putting {
	const struct row_key *key;
	const struct schema *schema;
	const void *value;
};

static enum error put_handler(struct run *run, void *context)
{
	const struct putting *putting = context;
	run_put(run, putting->key, putting->schema, putting->value);
	return ERROR_OK;
}

void hand_put(struct hand *hand, const struct row_key *key, const struct schema *schema, const void *value)
{
	struct putting putting = {.key = key, .schema = schema, .value = value};
	CHECK(hand_run(hand, put_handler, &putting) == ERROR_OK);
}

void hand_fold_hash(const struct hand *hand, uint8_t hash[32])
{
	static const uint8_t tables[] = {TABLE_CHANNEL, TABLE_CHANNEL_ID, TABLE_CHANNEL_TAG,
					 TABLE_LINE,    TABLE_CHAIN,      TABLE_LETTER,
					 TABLE_OFFICER, TABLE_AGREED,     TABLE_FOLD};
	crypto_hash_sha256_state state;

	crypto_hash_sha256_init(&state);
	for (size_t i = 0; i < sizeof(tables); i++) {
		struct row row;
		size_t at = 0;
		while (store_find(&hand->world->posts[hand->post].store, bytes_make(&tables[i], 1), &at,
				  &row)) {
			crypto_hash_sha256_update(&state, row.key.data, row.key.size);
			crypto_hash_sha256_update(&state, row.value.data, row.value.size);
		}
	}
	crypto_hash_sha256_final(&state, hash);
}

/* ---- channels and letters ---- */

struct hand_channel hand_channel_make(struct world *world, size_t count)
{
	struct hand_channel channel = {0};
	struct buffer terms = buffer_make(channel.terms, sizeof(channel.terms));
	struct terms values;

	for (size_t i = 0; i < count; i++)
		memcpy(channel.roster.ids[i], world->parties[i].id, PARTY_ID_SIZE);
	channel.roster.count = count;
	CHECK(roster_sort(&channel.roster) == ERROR_OK);
	terms_default(&values, bytes_of_text("Line by hand"));
	terms_encode(&values, &terms);
	channel.terms_size = terms.size;
	entropy_take(&world->random, channel.nonce, sizeof(channel.nonce));
	channel_id_make(&channel.roster, buffer_bytes(&terms), channel.nonce, channel.id);
	return channel;
}

uint64_t hand_index(const struct world *world, const struct hand_channel *channel, size_t party)
{
	size_t index;
	CHECK(roster_find(&channel->roster, world->parties[party].id, &index));
	return index;
}

void hand_drop(struct paper *paper)
{
	free(paper->cose);
	paper->cose = NULL;
}

struct paper hand_sign_payload(const struct hand_channel *channel, const struct world *world, size_t party,
			       const struct ed25519_pair *pair, struct bytes payload,
			       uint8_t identity[IDENTITY_SIZE])
{
	struct paper paper = {.cose = must(malloc(ENTRY_SIZE_MAX)), .party = party};
	struct buffer out = buffer_make(paper.cose, ENTRY_SIZE_MAX);
	struct buffer work = buffer_make(work_bytes, sizeof(work_bytes));
	struct aad *aad = must(calloc(1, sizeof(*aad)));

	aad_on_channel(aad, AAD_ENTRY, channel->id, &channel->roster, hand_index(world, channel, party));
	CHECK(signed_alone(pair, aad, payload, &work, &out) == ERROR_OK);
	identity_of(aad, payload, identity);
	paper.size = out.size;
	free(aad);
	return paper;
}

static struct paper sign_by_two(const struct hand_channel *channel, const struct world *world, size_t party,
				const struct ed25519_pair *first, const struct ed25519_pair *second,
				struct bytes payload, uint8_t identity[IDENTITY_SIZE])
{
	struct paper paper = {.cose = must(malloc(ENTRY_SIZE_MAX)), .party = party};
	struct buffer out = buffer_make(paper.cose, ENTRY_SIZE_MAX);
	struct buffer work = buffer_make(work_bytes, sizeof(work_bytes));
	uint8_t signatures[2][ED25519_SIGNATURE_SIZE];
	struct aad *aad = must(calloc(1, sizeof(*aad)));

	aad_on_channel(aad, AAD_ENTRY, channel->id, &channel->roster, hand_index(world, channel, party));
	CHECK(signed_signature(first, 2, aad, payload, &work, signatures[0]) == ERROR_OK);
	CHECK(signed_signature(second, 2, aad, payload, &work, signatures[1]) == ERROR_OK);
	CHECK(signed_by_two(payload, signatures[0], signatures[1], &out) == ERROR_OK);
	identity_of(aad, payload, identity);
	paper.size = out.size;
	free(aad);
	return paper;
}

struct paper hand_sign(const struct hand_channel *channel, const struct world *world, size_t party,
		       const struct ed25519_pair *first, const struct ed25519_pair *second,
		       const struct content *content, uint8_t identity[IDENTITY_SIZE])
{
	struct buffer payload = buffer_make(must(malloc(CONTENT_SIZE_MAX)), CONTENT_SIZE_MAX);

	content_encode(content, &payload);
	CHECK(buffer_error(&payload) == ERROR_OK);
	struct bytes bytes = buffer_bytes(&payload);
	struct paper paper = second == NULL
				     ? hand_sign_payload(channel, world, party, first, bytes, identity)
				     : sign_by_two(channel, world, party, first, second, bytes, identity);
	free(payload.data);
	return paper;
}

struct content *pen_letter(struct pen *pen, uint64_t kind)
{
	struct content *content = must(calloc(1, sizeof(*content)));
	struct letter *letter = &content->of.letter;

	content->kind = CONTENT_LETTER;
	content->precedence = PRECEDENCE_PRIORITY;
	content->signers_count = 1;
	entropy_take(&pen->world->random, content->id, sizeof(content->id));
	letter->kind = kind;
	letter->time = pen->world->now_ms / 1000;
	letter->number = pen->number;
	letter->has_previous = pen->number > 0;
	memcpy(letter->previous, pen->head, sizeof(letter->previous));
	return content;
}

static enum error own_keys_handler(struct run *run, void *context)
{
	struct opening_post *post = context;
	struct ed25519_pair log;
	struct ed25519_pair cosigner;
	uint8_t id[CHANNEL_ID_SIZE];

	memcpy(id, post->log_key, sizeof(id)); /* where the caller has put it */
	registry_own_log(run_post(run), id, &log);
	registry_own_cosigner(run_post(run), id, &cosigner);
	memcpy(post->log_key, log.key, sizeof(post->log_key));
	memcpy(post->cosigner_key, cosigner.key, sizeof(post->cosigner_key));
	return ERROR_OK;
}

struct content *pen_opening(struct pen *pen)
{
	struct content *content = pen_letter(pen, LETTER_OPENING);
	struct opening_letter *opening = &content->of.letter.of.opening;
	const struct world_party *party = &pen->world->parties[pen->party];

	opening->parties = pen->channel->roster;
	opening->terms = bytes_make(pen->channel->terms, pen->channel->terms_size);
	memcpy(opening->nonce, pen->channel->nonce, sizeof(opening->nonce));
	for (size_t i = 0; i < party->letters_count; i++)
		opening->card[opening->card_count++] = bytes_make(party->letters[i], party->letters_size[i]);
	for (size_t i = 0; i < pen->world->posts_count; i++) {
		struct hand hand = hand_make(pen->world, i);
		if (pen->world->posts[i].party != pen->party)
			continue;
		struct opening_post *post = &opening->posts[opening->posts_count++];
		post->slot = pen->world->posts[i].slot;
		memcpy(post->log_key, pen->channel->id, sizeof(post->log_key));
		CHECK(hand_run(&hand, own_keys_handler, post) == ERROR_OK);
	}
	return content;
}

struct content *pen_credence(struct pen *pen, uint64_t officer, const uint8_t key[PUBLIC_KEY_SIZE])
{
	struct content *content = pen_letter(pen, LETTER_CREDENCE);
	struct credence_letter *credence = &content->of.letter.of.credence;

	credence->officer = officer;
	credence->name = bytes_of_text("A. Person");
	credence->title = bytes_of_text("watch officer");
	memcpy(credence->key, key, sizeof(credence->key));
	return content;
}

struct content *pen_agrement(struct pen *pen, uint64_t index, uint64_t first, size_t count)
{
	struct content *content = pen_letter(pen, LETTER_AGREMENT);
	struct agrement_letter *agrement = &content->of.letter.of.agrement;

	agrement->party = index;
	agrement->officers_count = count;
	for (size_t i = 0; i < count; i++)
		agrement->officers[i] = first + i;
	return content;
}

struct paper pen_sign(struct pen *pen, struct content *content)
{
	struct paper paper = hand_sign(pen->channel, pen->world, pen->party,
				       &pen->world->parties[pen->party].authority, NULL, content, pen->head);
	paper.slot = pen->slot;
	paper.position = pen->position++;
	pen->number = content->of.letter.number + 1;
	free(content);
	return paper;
}

/* ---- filing ---- */

struct filing {
	const struct hand_channel *channel;
	const struct paper *paper;
	bool own;
	uint64_t number; /* hand_judge */
	uint64_t index;
	struct outcome *outcome;
};

/* The local number of a party by its place in the world. */
static enum error find_party(struct run *run, const struct hand *hand, size_t party, uint64_t *number)
{
	return registry_party_by_id(run, hand->world->parties[party].id, number);
}

struct filing_of {
	struct hand *hand;
	struct filing filing;
};

static struct registry_entry entry_of(const struct filing *filing, const struct signed_entry *decoded)
{
	return (struct registry_entry){
		.slot = filing->paper->slot,
		.incarnation = 1,
		.position = filing->paper->position,
		.payload = decoded->cose.payload,
		.content = &decoded->content,
		.object = &decoded->cose,
	};
}

static enum error decode(struct run *run, const struct filing *filing, struct signed_entry **decoded)
{
	*decoded = run_take(run, sizeof(**decoded));
	enum error error = entry_decode(bytes_make(filing->paper->cose, filing->paper->size), *decoded);
	CHECK(error == ERROR_OK || error == ERROR_REFUSED_KIND);
	return ERROR_OK;
}

/* Finds the channel, or makes it for an opening that is judged to be good. */
static enum error find_channel(struct run *run, const struct filing *filing, struct registry_entry *entry,
			       enum error *reason)
{
	bool opening =
		entry->content->kind == CONTENT_LETTER && entry->content->of.letter.kind == LETTER_OPENING;
	enum error error;

	*reason = ERROR_OK;
	if (opening) {
		error = registry_opening(run, entry, false, reason);
		if (error == ERROR_OK && *reason == ERROR_OK && entry->channel == 0)
			error = registry_judge(run, entry, filing->own, reason);
		if (error == ERROR_OK && *reason == ERROR_OK && entry->channel == 0)
			error = registry_opening(run, entry, true, reason);
		return error;
	}
	error = registry_channel_by_id(run, filing->channel->id, &entry->channel);
	if (error == ERROR_NOT_FOUND) {
		*reason = error;
		return ERROR_OK;
	}
	if (error != ERROR_OK)
		return error;
	struct aad *aad = run_take(run, sizeof(*aad));
	struct channel channel;
	error = registry_channel(run, entry->channel, &channel);
	if (error == ERROR_OK) {
		CHECK(registry_index_of(&channel, entry->party, &entry->index));
		error = registry_aad(run, &channel, AAD_ENTRY, entry->index, aad);
	}
	if (error == ERROR_OK)
		identity_of(aad, entry->payload, entry->identity);
	return error;
}

static enum error file_entry(struct run *run, const struct filing *filing, const struct registry_entry *entry)
{
	struct outcome *outcome = filing->outcome;
	struct channel channel;
	struct entry filed;
	struct heads_seen *heads = run_take(run, sizeof(*heads));
	struct entry_key key = {
		.channel = entry->channel,
		.log = log_number(entry->index, entry->slot),
		.incarnation = 1,
		.position = filing->paper->position,
	};

	memset(heads, 0, sizeof(*heads));
	enum error error = registry_channel(run, entry->channel, &channel);
	if (error != ERROR_OK)
		return error;
	struct log_item item = {
		.channel = &channel,
		.content = entry->content,
		.object = entry->object,
		.cose = bytes_make(filing->paper->cose, filing->paper->size),
	};
	memcpy(item.identity, entry->identity, sizeof(item.identity));
	if (filing->own)
		error = log_append(run, &item, &key, &filed);
	else
		error = log_take(run, &key, &item, heads, ERROR_OK);
	if (error != ERROR_OK)
		return error;
	if (entry->content->kind == CONTENT_LETTER)
		return registry_apply(run, entry, &key, outcome->verdicts, &outcome->verdicts_count);
	error = log_entry(run, &key, &filed);
	return error == ERROR_OK ? effects_of(run, entry, &key, &filed, filing->own) : error;
}

static enum error file_handler(struct run *run, void *context)
{
	struct filing_of *of = context;
	const struct filing *filing = &of->filing;
	struct signed_entry *decoded;

	memset(filing->outcome, 0, sizeof(*filing->outcome));
	enum error error = decode(run, filing, &decoded);
	struct registry_entry entry = entry_of(filing, decoded);
	if (error == ERROR_OK)
		error = find_party(run, of->hand, filing->paper->party, &entry.party);
	if (error == ERROR_OK)
		error = find_channel(run, filing, &entry, &filing->outcome->reason);
	if (error != ERROR_OK || filing->outcome->reason != ERROR_OK)
		return error;
	error = registry_judge(run, &entry, filing->own, &filing->outcome->reason);
	if (error != ERROR_OK || filing->outcome->reason != ERROR_OK)
		return error;
	return file_entry(run, filing, &entry);
}

static struct outcome file_paper(struct hand *hand, const struct hand_channel *channel,
				 const struct paper *paper, bool own)
{
	struct outcome outcome;
	struct filing_of of = {
		.hand = hand,
		.filing = {.channel = channel, .paper = paper, .own = own, .outcome = &outcome},
	};

	CHECK(hand_run(hand, file_handler, &of) == ERROR_OK);
	return outcome;
}

struct outcome hand_receive(struct hand *hand, const struct hand_channel *channel, const struct paper *paper)
{
	return file_paper(hand, channel, paper, false);
}

struct outcome hand_submit(struct hand *hand, const struct hand_channel *channel, const struct paper *paper)
{
	return file_paper(hand, channel, paper, true);
}

static enum error judge_handler(struct run *run, void *context)
{
	struct filing_of *of = context;
	const struct filing *filing = &of->filing;
	struct signed_entry *decoded;

	enum error error = decode(run, filing, &decoded);
	struct registry_entry entry = entry_of(filing, decoded);
	if (error == ERROR_OK)
		error = find_party(run, of->hand, filing->paper->party, &entry.party);
	entry.channel = filing->number;
	entry.index = filing->index;
	return error == ERROR_OK ? registry_judge(run, &entry, filing->own, &filing->outcome->reason) : error;
}

enum error hand_judge(struct hand *hand, uint64_t number, uint64_t index, const struct paper *paper, bool own)
{
	struct outcome outcome;
	struct filing_of of = {
		.hand = hand,
		.filing = {.paper = paper, .own = own, .number = number, .index = index, .outcome = &outcome},
	};

	CHECK(hand_run(hand, judge_handler, &of) == ERROR_OK);
	return outcome.reason;
}

static enum error advance_handler(struct run *run, void *context)
{
	struct outcome *outcome = context;
	return registry_advance(run, outcome->verdicts, &outcome->verdicts_count);
}

struct outcome hand_advance(struct hand *hand)
{
	struct outcome outcome = {0};
	CHECK(hand_run(hand, advance_handler, &outcome) == ERROR_OK);
	return outcome;
}

/* ---- the usual ---- */

struct hand hand_world(uint64_t seed)
{
	struct world *world = world_make(seed);

	world_add_party(world, "Alliance");
	world_add_party(world, "Federation");
	world_add_party(world, "Union");
	world_add_post(world, 0, 0, "Headquarters");
	world_add_post(world, 1, 1, "Embassy");
	world_add_post(world, 2, 0, "Mission");
	world_exchange(world);
	return hand_make(world, 0);
}

enum error hand_take(struct hand *hand, struct pen *pen, struct content *content)
{
	struct paper paper = pen_sign(pen, content);
	struct outcome outcome = hand_receive(hand, pen->channel, &paper);
	hand_drop(&paper);
	return outcome.reason;
}

enum error hand_give(struct hand *hand, struct pen *pen, struct content *content)
{
	struct paper paper = pen_sign(pen, content);
	struct outcome outcome = hand_submit(hand, pen->channel, &paper);
	hand_drop(&paper);
	return outcome.reason;
}
