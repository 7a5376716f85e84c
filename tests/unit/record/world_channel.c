#include "tests/unit/record/world_inside.h"

#include <string.h>

#include "base/cbor.h"
#include "envelope/wire.h"

/* ---- the channel ---- */

static size_t roster_index(const struct world *world, size_t party)
{
	size_t index;
	CHECK(roster_find(&world->roster, world->parties[party].id, &index));
	return index;
}

void world_name_channel(struct world *world)
{
	struct buffer terms = buffer_make(world->terms, sizeof(world->terms));
	struct terms values;

	for (size_t i = 0; i < world->parties_count; i++)
		memcpy(world->roster.ids[world->roster.count++], world->parties[i].id, PARTY_ID_SIZE);
	CHECK(roster_sort(&world->roster) == ERROR_OK);
	terms_default(&values, bytes_of_text("Test line"));
	terms_encode(&values, &terms);
	world->terms_size = terms.size;
	entropy_take(&world->random, world->nonce, sizeof(world->nonce));
	channel_id_make(&world->roster, buffer_bytes(&terms), world->nonce, world->channel);
}

struct bytes world_sign(struct world *world, size_t party, unsigned officer, const struct content *content,
			uint8_t identity[IDENTITY_SIZE])
{
	struct aad *aad = world_must(calloc(1, sizeof(*aad)));
	const struct world_party *signer = &world->parties[party];
	const struct ed25519_pair *pair = officer == 0 ? &signer->authority : &signer->officers[officer - 1];

	aad_on_channel(aad, AAD_ENTRY, world->channel, &world->roster, roster_index(world, party));
	struct bytes cose = world_sign_content(pair, aad, content, identity);
	free(aad);
	return cose;
}

enum error world_submit(struct world *world, size_t post, struct bytes cose)
{
	struct buffer frame = world_allocate(LOCAL_FRAME_SIZE_MAX);

	cbor_write_array(&frame, 4);
	cbor_write_uint(&frame, 1);
	cbor_write_uint(&frame, LOCAL_SUBMIT);
	cbor_write_bytes(&frame, bytes_make(world->channel, sizeof(world->channel)));
	cbor_write_bytes(&frame, cose);
	enum error error = world_request(world, post, buffer_bytes(&frame));
	free(frame.data);
	return error;
}

static void submit_letter(struct world *world, size_t post, struct content *content)
{
	struct world_party *party = &world->parties[world->posts[post].party];
	struct letter *letter = &content->of.letter;

	content->kind = CONTENT_LETTER;
	content->precedence = PRECEDENCE_PRIORITY;
	content->signers_count = 1;
	content->signers[0] = 0;
	entropy_take(&world->random, content->id, sizeof(content->id));
	letter->time = world->now_ms / 1000;
	letter->number = party->chain_number++;
	letter->has_previous = letter->number > 0;
	memcpy(letter->previous, party->chain_head, sizeof(letter->previous));
	struct bytes cose = world_sign(world, world->posts[post].party, 0, content, party->chain_head);
	CHECK(world_submit(world, post, cose) == ERROR_OK);
	free((void *)(uintptr_t)cose.data);
}

/* The keys of a post on the channel, as it says them itself. */
static void channel_keys(struct world *world, size_t post, struct opening_post *keys)
{
	struct bytes id = bytes_make(world->channel, sizeof(world->channel));
	CHECK(world_request_bytes(world, post, LOCAL_CHANNEL_KEYS, &id) == ERROR_OK);
	struct cbor_reader reader = world_results(&world->posts[post]);
	keys->slot = world->posts[post].slot;
	cbor_read_bytes_exact(&reader, keys->log_key, sizeof(keys->log_key));
	cbor_read_bytes_exact(&reader, keys->cosigner_key, sizeof(keys->cosigner_key));
	CHECK(cbor_reader_error(&reader) == ERROR_OK);
}

void world_submit_opening(struct world *world, size_t post)
{
	struct content *content = world_must(calloc(1, sizeof(*content)));
	struct opening_letter *opening = &content->of.letter.of.opening;
	struct world_party *party = &world->parties[world->posts[post].party];

	content->of.letter.kind = LETTER_OPENING;
	opening->parties = world->roster;
	opening->terms = bytes_make(world->terms, world->terms_size);
	memcpy(opening->nonce, world->nonce, sizeof(opening->nonce));
	for (size_t i = 0; i < party->letters_count; i++)
		opening->card[opening->card_count++] = bytes_make(party->letters[i], party->letters_size[i]);
	for (unsigned slot = 0; slot < POST_SLOTS; slot++)
		for (size_t i = 0; i < world->posts_count; i++)
			if (world->posts[i].party == world->posts[post].party && world->posts[i].slot == slot)
				channel_keys(world, i, &opening->posts[opening->posts_count++]);
	submit_letter(world, post, content);
	free(content);
}

void world_submit_officers(struct world *world, size_t post)
{
	struct content *content = world_must(calloc(1, sizeof(*content)));
	struct credence_letter *credence = &content->of.letter.of.credence;
	size_t party = world->posts[post].party;

	content->of.letter.kind = LETTER_CREDENCE;
	credence->officer = 1;
	credence->name = bytes_of_text("Officer One");
	credence->title = bytes_of_text("watch officer");
	memcpy(credence->key, world->parties[party].officers[0].key, sizeof(credence->key));
	submit_letter(world, post, content);
	free(content);
}

void world_submit_agrements(struct world *world, size_t post)
{
	size_t party = world->posts[post].party;

	for (size_t other = 0; other < world->parties_count; other++) {
		if (other == party)
			continue;
		struct content *content = world_must(calloc(1, sizeof(*content)));
		struct agrement_letter *agrement = &content->of.letter.of.agrement;
		content->of.letter.kind = LETTER_AGREMENT;
		agrement->party = roster_index(world, other);
		agrement->officers_count = 1;
		agrement->officers[0] = 1;
		submit_letter(world, post, content);
		free(content);
	}
}

static void run_a_moment(struct world *world)
{
	world_run(world, 100, 10);
}

struct world *world_make_pair(uint64_t seed)
{
	struct world *world = world_make(seed);
	size_t alliance = world_add_party(world, "Alliance");
	size_t federation = world_add_party(world, "Federation");

	world_add_post(world, alliance, 0, "Headquarters");
	world_add_post(world, federation, 1, "Embassy");
	world_exchange(world);
	return world;
}

static void submit_each(struct world *world, const size_t *firsts, size_t count,
			void (*submit)(struct world *world, size_t post))
{
	for (size_t i = 0; i < count; i++)
		submit(world, firsts[i]);
}

void world_accredit(struct world *world, const size_t *firsts, size_t count)
{
	submit_each(world, firsts, count, world_submit_officers);
	world_settle(world);
	submit_each(world, firsts, count, world_submit_agrements);
	world_settle(world);
}

void world_open_channel(struct world *world, const size_t *firsts, size_t count)
{
	world_name_channel(world);
	submit_each(world, firsts, count, world_submit_opening);
	world_settle(world);
	world_accredit(world, firsts, count);
}

struct world *world_open_line(uint64_t seed)
{
	static const size_t both[] = {0, 1};
	struct world *world = world_make_pair(seed);

	world_name_channel(world);
	submit_each(world, both, 2, world_submit_opening);
	run_a_moment(world);
	submit_each(world, both, 2, world_submit_officers);
	run_a_moment(world);
	submit_each(world, both, 2, world_submit_agrements);
	world_settle(world);
	return world;
}

/* ---- messages ---- */

static void frame_content(struct world *world, struct content *content, uint64_t kind, unsigned precedence,
			  unsigned officer)
{
	content->kind = kind;
	content->precedence = precedence;
	content->signers_count = 1;
	content->signers[0] = officer;
	entropy_take(&world->random, content->id, sizeof(content->id));
}

struct bytes world_sign_message(struct world *world, size_t post, const struct world_message *message,
				uint8_t identity[IDENTITY_SIZE])
{
	struct content *content = world_must(calloc(1, sizeof(*content)));
	unsigned officer = message->officer == 0 ? 1 : message->officer;

	frame_content(world, content, CONTENT_MESSAGE, message->precedence, officer);
	if (message->id != NULL)
		memcpy(content->id, message->id, sizeof(content->id));
	content->of.message.time = world->now_ms / 1000;
	content->of.message.text = bytes_of_text(message->text);
	content->of.message.has_ack_by = message->ack_by != 0;
	content->of.message.ack_by = message->ack_by;
	if (message->answers != NULL) {
		content->of.message.has_answers = true;
		memcpy(content->of.message.answers, message->answers, IDENTITY_SIZE);
	}
	struct bytes cose = world_sign(world, world->posts[post].party, officer, content, identity);
	free(content);
	return cose;
}

enum error world_send(struct world *world, size_t post, const struct world_message *message,
		      uint8_t identity[IDENTITY_SIZE])
{
	uint8_t made[IDENTITY_SIZE];
	struct bytes cose = world_sign_message(world, post, message, made);
	enum error error = world_submit(world, post, cose);

	free((void *)(uintptr_t)cose.data);
	if (identity != NULL)
		memcpy(identity, made, sizeof(made));
	return error;
}

enum error world_acknowledge(struct world *world, size_t post, const uint8_t acknowledged[IDENTITY_SIZE])
{
	struct content *content = world_must(calloc(1, sizeof(*content)));
	uint8_t identity[IDENTITY_SIZE];

	frame_content(world, content, CONTENT_ACKNOWLEDGMENT, PRECEDENCE_PRIORITY, 1);
	content->of.acknowledgment.time = world->now_ms / 1000;
	memcpy(content->of.acknowledgment.acknowledged, acknowledged, IDENTITY_SIZE);
	struct bytes cose = world_sign(world, world->posts[post].party, 1, content, identity);
	enum error error = world_submit(world, post, cose);
	free((void *)(uintptr_t)cose.data);
	free(content);
	return error;
}

/* ---- looking ---- */

bool world_row(const struct world *world, size_t post, const struct row_key *key, const struct schema *schema,
	       void *value)
{
	struct row row;
	size_t at = 0;

	if (!store_find(&world->posts[post].store, key_view(key), &at, &row) || row.key.size != key->size)
		return false;
	CHECK(schema_read(schema, row.value, value) == ERROR_OK);
	return true;
}

void world_put_row(struct world *world, size_t post, const struct row_key *key, const struct schema *schema,
		   const void *value)
{
	struct buffer buffer = world_allocate(ROW_VALUE_SIZE_MAX);

	schema_write(schema, value, &buffer);
	CHECK(buffer_error(&buffer) == ERROR_OK);
	store_put(&world->posts[post].store, key_view(key), buffer_bytes(&buffer));
	free(buffer.data);
}

bool world_entry(const struct world *world, size_t post, const uint8_t identity[IDENTITY_SIZE],
		 struct entry *entry, struct entry_key *key)
{
	struct row_key row_key = key_identity(identity);

	if (!world_row(world, post, &row_key, &schema_entry_key, key))
		return false;
	row_key = key_entry(TABLE_ENTRY, key);
	CHECK(world_row(world, post, &row_key, &schema_entry, entry));
	return true;
}

uint64_t world_state(const struct world *world, size_t post, const uint8_t identity[IDENTITY_SIZE])
{
	struct entry entry;
	struct entry_key key;
	return world_entry(world, post, identity, &entry, &key) ? entry.state : 0;
}

size_t world_count(const struct world *world, size_t post, enum table table)
{
	uint8_t prefix = (uint8_t)table;
	struct row row;
	size_t at = 0;
	size_t count = 0;

	while (store_find(&world->posts[post].store, bytes_make(&prefix, 1), &at, &row))
		count++;
	return count;
}

size_t world_flash_statements(const struct world *world, size_t post)
{
	uint8_t prefix = TABLE_STATEMENT;
	struct statement_copy statement;
	struct row row;
	size_t at = 0;
	size_t count = 0;

	while (store_find(&world->posts[post].store, bytes_make(&prefix, 1), &at, &row)) {
		CHECK(schema_read(&schema_statement_copy, row.value, &statement) == ERROR_OK);
		count += statement.copy.precedence == PRECEDENCE_FLASH;
	}
	return count;
}

uint64_t world_log_of(const struct world *world, size_t post)
{
	return log_number(roster_index(world, world->posts[post].party), world->posts[post].slot);
}

void world_tree(const struct world *world, size_t post, uint64_t log, uint64_t incarnation, uint64_t *size,
		struct merkle_hash *root)
{
	struct row_key key = key_log(TABLE_LOG, 1, log, incarnation);
	struct merkle_frontier frontier;
	struct log row;

	merkle_frontier_init(&frontier);
	if (world_row(world, post, &key, &schema_log, &row))
		CHECK(merkle_frontier_read(row.frontier, &frontier) == ERROR_OK);
	*size = frontier.size;
	merkle_frontier_root(&frontier, root);
}

bool world_agrees(const struct world *world)
{
	for (size_t author = 0; author < world->posts_count; author++) {
		for (uint64_t incarnation = 1; incarnation <= 8; incarnation++) {
			uint64_t sizes[WORLD_POSTS_MAX];
			struct merkle_hash roots[WORLD_POSTS_MAX];
			for (size_t i = 0; i < world->posts_count; i++) {
				world_tree(world, i, world_log_of(world, author), incarnation, &sizes[i],
					   &roots[i]);
				if (sizes[i] != sizes[0] || !merkle_hash_equal(&roots[i], &roots[0]))
					return false;
			}
		}
	}
	return true;
}

bool world_is_open(const struct world *world, size_t post)
{
	struct row_key key = key_channel(TABLE_CHANNEL, 1);
	struct channel channel;

	return world_row(world, post, &key, &schema_channel, &channel) && channel.state == CHANNEL_OPEN;
}
