#include "tests/unit/record/world_inside.h"

#include <string.h>

#include "base/cbor.h"
#include "envelope/card.h"
#include "envelope/post_file.h"
#include "envelope/signed.h"
#include "envelope/statement.h"
#include "envelope/x25519.h"
#include "tests/unit/cbor_check.h"

static uint8_t work_bytes[SIGNED_WORK_SIZE];

/* ---- parties and posts ---- */

struct bytes world_sign_content(const struct ed25519_pair *pair, const struct aad *aad,
				const struct content *content, uint8_t *identity)
{
	struct buffer payload = world_allocate(CONTENT_SIZE_MAX);
	struct buffer out = world_allocate(ENTRY_SIZE_MAX);
	struct buffer work = buffer_make(work_bytes, sizeof(work_bytes));

	content_encode(content, &payload);
	CHECK(buffer_error(&payload) == ERROR_OK);
	CHECK(signed_alone(pair, aad, buffer_bytes(&payload), &work, &out) == ERROR_OK);
	identity_of(aad, buffer_bytes(&payload), identity);
	free(payload.data);
	return buffer_bytes(&out);
}

static void add_card_letter(struct world *world, struct world_party *party, struct content *content)
{
	struct letter *letter = &content->of.letter;
	struct aad *aad = world_must(calloc(1, sizeof(*aad)));

	content->kind = CONTENT_LETTER;
	content->precedence = PRECEDENCE_ROUTINE;
	content->signers_count = 1;
	entropy_take(&world->random, content->id, sizeof(content->id));
	letter->time = world->now_ms / 1000;
	letter->number = party->letters_count;
	letter->has_previous = letter->number > 0;
	memcpy(letter->previous, party->head, sizeof(letter->previous));
	aad_without_channel(aad, AAD_ENTRY, party->id);
	struct bytes cose = world_sign_content(&party->authority, aad, content, party->head);
	CHECK(party->letters_count < 8);
	party->letters_size[party->letters_count] = cose.size;
	party->letters[party->letters_count] = world_copy_of(cose);
	party->letters_count++;
	free((void *)(uintptr_t)cose.data);
	free(aad);
}

size_t world_add_party(struct world *world, const char *name)
{
	struct world_party *party = &world->parties[world->parties_count];
	struct content *content = world_must(calloc(1, sizeof(*content)));
	struct founding_letter *founding = &content->of.letter.of.founding;

	CHECK(world->parties_count < WORLD_PARTIES_MAX);
	snprintf(party->name, sizeof(party->name), "%s", name);
	world_random_pair(world, &party->authority);
	for (size_t i = 0; i < WORLD_OFFICERS_MAX; i++)
		world_random_pair(world, &party->officers[i]);
	party_id_from_key(party->authority.key, party->id);
	content->of.letter.kind = LETTER_FOUNDING;
	founding->name = bytes_of_text(party->name);
	memcpy(founding->authority_key, party->authority.key, sizeof(founding->authority_key));
	entropy_take(&world->random, founding->successor, sizeof(founding->successor));
	add_card_letter(world, party, content);
	free(content);
	return world->parties_count++;
}

static void provision(struct world *world, size_t index)
{
	struct world_post *post = &world->posts[index];
	struct world_party *party = &world->parties[post->party];
	struct post_file *file = world_must(calloc(1, sizeof(*file)));
	struct buffer encoded = world_allocate(POST_FILE_SIZE_MAX);
	struct record_event event = {.kind = RECORD_PROVISION};

	memcpy(file->root_seed, post->root_seed, sizeof(file->root_seed));
	file->slot = post->slot;
	for (size_t i = 0; i < party->letters_count; i++)
		file->letters[file->letters_count++] = bytes_make(party->letters[i], party->letters_size[i]);
	file->address = bytes_of_text("127.0.0.1:4556");
	post_file_encode(file, &encoded);
	CHECK(buffer_error(&encoded) == ERROR_OK);
	event.of.provision.post_file = buffer_bytes(&encoded);
	CHECK(world_event(world, index, &event) == ERROR_OK);
	free(file);
	world_commit(world, index);
	free(encoded.data);
}

size_t world_add_post(struct world *world, size_t party_index, unsigned slot, const char *name)
{
	size_t index = world->posts_count++;
	struct world_post *post = &world->posts[index];
	struct world_party *party = &world->parties[party_index];
	struct content *content = world_must(calloc(1, sizeof(*content)));
	struct post_letter *letter = &content->of.letter.of.post;
	struct ed25519_pair statement;

	CHECK(index < WORLD_POSTS_MAX);
	post->party = party_index;
	post->slot = slot;
	snprintf(post->name, sizeof(post->name), "%s", name);
	snprintf(post->node, sizeof(post->node), "dtn://post%zu/", index);
	entropy_take(&world->random, post->root_seed, sizeof(post->root_seed));
	post_statement_pair(post->root_seed, &statement);
	content->of.letter.kind = LETTER_POST;
	letter->slot = slot;
	letter->kind = POST_EMBASSY;
	letter->name = bytes_of_text(post->name);
	letter->node = bytes_of_text(post->node);
	memcpy(letter->statement_key, statement.key, sizeof(letter->statement_key));
	entropy_take(&world->random, letter->courier_pin, sizeof(letter->courier_pin));
	add_card_letter(world, party, content);
	free(content);
	post->memory = world_must(malloc(RECORD_MEMORY_SIZE));
	post->record = record_make(post->memory, RECORD_MEMORY_SIZE);
	CHECK(post->record != NULL);
	/* As the daemon does: the store is still empty when it starts. */
	world_start(world, index);
	provision(world, index);
	return index;
}

/* ---- requests ---- */

enum error world_request(struct world *world, size_t index, struct bytes frame)
{
	struct world_post *post = &world->posts[index];
	struct record_event event = {.kind = RECORD_REQUEST};
	size_t before = post->replies;

	event.of.request.client = 7;
	event.of.request.frame = frame;
	event.of.request.shell = post->shell;
	CHECK(world_event(world, index, &event) == ERROR_OK);
	world_commit(world, index);
	CHECK(post->replies == before + 1);
	struct cbor_reader reader = cbor_reader_make(bytes_make(post->reply, post->reply_size));
	(void)cbor_read_array(&reader, 32);
	CHECK(cbor_read_uint(&reader) == 1);
	enum error error = (enum error)cbor_read_uint(&reader);
	CHECK(cbor_reader_error(&reader) == ERROR_OK);
	CHECK(cbor_check(bytes_make(post->reply, post->reply_size)) == ERROR_OK);
	return error;
}

struct cbor_reader world_results(const struct world_post *post)
{
	struct cbor_reader reader = cbor_reader_make(bytes_make(post->reply, post->reply_size));
	(void)cbor_read_array(&reader, 32);
	(void)cbor_read_uint(&reader);
	(void)cbor_read_uint(&reader);
	return reader;
}

enum error world_request_bytes(struct world *world, size_t post, uint64_t verb, const struct bytes *argument)
{
	struct buffer frame = world_allocate(LOCAL_FRAME_SIZE_MAX);

	cbor_write_array(&frame, argument == NULL ? 2 : 3);
	cbor_write_uint(&frame, 1);
	cbor_write_uint(&frame, verb);
	if (argument != NULL)
		cbor_write_bytes(&frame, *argument);
	enum error error = world_request(world, post, buffer_bytes(&frame));
	free(frame.data);
	return error;
}

static void accept_card(struct world *world, size_t from, size_t to)
{
	CHECK(world_request_bytes(world, from, LOCAL_CARD_EXPORT, NULL) == ERROR_OK);
	struct cbor_reader reader = world_results(&world->posts[from]);
	struct bytes card = cbor_read_bytes(&reader, CARD_SIZE_MAX);
	CHECK(cbor_reader_error(&reader) == ERROR_OK);
	enum error error = world_request_bytes(world, to, LOCAL_CARD_ACCEPT, &card);
	if (error != ERROR_OK)
		fprintf(stderr, "card: %s\n", error_name(error));
	CHECK(error == ERROR_OK);
}

void world_name_again(struct world *world, size_t index, const char *name,
		      const uint8_t statement_key[PUBLIC_KEY_SIZE])
{
	const struct world_post *post = &world->posts[index];
	struct content *content = world_must(calloc(1, sizeof(*content)));
	struct post_letter *letter = &content->of.letter.of.post;

	content->of.letter.kind = LETTER_POST;
	letter->slot = post->slot;
	letter->kind = POST_EMBASSY;
	letter->name = bytes_of_text(name);
	letter->node = bytes_of_text(post->node);
	memcpy(letter->statement_key, statement_key, sizeof(letter->statement_key));
	add_card_letter(world, &world->parties[post->party], content);
	free(content);
}

/* The first that a post with this key publishes. */
static struct bytes first_prekeys(struct world *world, size_t index, const struct ed25519_pair *statement)
{
	const struct world_post *post = &world->posts[index];
	struct prekeys *prekeys = world_must(calloc(1, sizeof(*prekeys)));
	struct buffer payload = world_allocate(PREKEYS_SIZE_MAX);
	struct buffer out = world_allocate(PREKEYS_SIZE_MAX + 128);
	struct buffer work = buffer_make(work_bytes, sizeof(work_bytes));
	struct x25519_pair pair;
	struct aad aad;

	x25519_pair_from_secret(post->root_seed, &pair);
	prekeys->slot = post->slot;
	prekeys->number = 1;
	prekeys->start = world->now_ms / 1000;
	prekeys->length_s = 86400;
	prekeys->keys_count = 1;
	memcpy(prekeys->keys[0], pair.key, sizeof(pair.key));
	memcpy(prekeys->last_resort, pair.key, sizeof(pair.key));
	prekeys_encode(prekeys, &payload);
	aad_without_channel(&aad, AAD_PREKEYS, world->parties[post->party].id);
	CHECK(signed_alone(statement, &aad, buffer_bytes(&payload), &work, &out) == ERROR_OK);
	free(payload.data);
	free(prekeys);
	return buffer_bytes(&out);
}

void world_accept_chain(struct world *world, size_t of, const struct ed25519_pair *statement, size_t to)
{
	const struct world_party *party = &world->parties[world->posts[of].party];
	struct card *card = world_must(calloc(1, sizeof(*card)));
	struct buffer encoded = world_allocate(CARD_SIZE_MAX);

	for (size_t i = 0; i < party->letters_count; i++)
		card->letters[card->letters_count++] = bytes_make(party->letters[i], party->letters_size[i]);
	card->prekeys[card->prekeys_count++] = first_prekeys(world, of, statement);
	card_encode(card, &encoded);
	struct bytes bytes = buffer_bytes(&encoded);
	CHECK(world_request_bytes(world, to, LOCAL_CARD_ACCEPT, &bytes) == ERROR_OK);
	free((void *)(uintptr_t)card->prekeys[0].data);
	free(encoded.data);
	free(card);
}

void world_accept_keying(struct world *world, size_t index, const struct keying *keying)
{
	const struct world_post *post = &world->posts[index];
	struct keying_packet *packet = world_must(calloc(1, sizeof(*packet)));
	struct buffer encoded = world_allocate(KEYING_PACKET_SIZE_MAX);

	CHECK(keying_packet_make(keying, world->parties[post->party].id, post->slot, packet) == ERROR_OK);
	CHECK(keying_packet_encode(packet, &encoded) == ERROR_OK);
	struct bytes bytes = buffer_bytes(&encoded);
	CHECK(world_request_bytes(world, index, LOCAL_KEYING_ACCEPT, &bytes) == ERROR_OK);
	free(encoded.data);
	free(packet);
}

void world_exchange(struct world *world)
{
	for (size_t i = 0; i < world->posts_count; i++)
		for (size_t j = 0; j < world->posts_count; j++)
			if (i != j)
				accept_card(world, i, j);
	for (size_t a = 0; a < world->parties_count; a++) {
		for (size_t b = a; b < world->parties_count; b++) {
			struct keying keying;
			uint8_t root[KEYING_KEY_SIZE];
			entropy_take(&world->random, root, sizeof(root));
			keying_make(1, world->parties[a].id, world->parties[b].id, root, &keying);
			for (size_t i = 0; i < world->posts_count; i++) {
				size_t party = world->posts[i].party;
				bool siblings = false;
				for (size_t j = 0; j < world->posts_count; j++)
					siblings = siblings || (j != i && world->posts[j].party == party);
				if ((party == a || party == b) && (a != b || siblings))
					world_accept_keying(world, i, &keying);
			}
		}
	}
}

void world_make_keying(struct world *world, uint32_t number, size_t post_a, size_t post_b,
		       struct keying *keying)
{
	uint8_t root[KEYING_KEY_SIZE];

	entropy_take(&world->random, root, sizeof(root));
	keying_make(number, world->parties[world->posts[post_a].party].id,
		    world->parties[world->posts[post_b].party].id, root, keying);
}

void world_new_keying(struct world *world, uint32_t number, size_t post_a, size_t post_b)
{
	struct keying keying;

	world_make_keying(world, number, post_a, post_b, &keying);
	world_accept_keying(world, post_a, &keying);
	world_accept_keying(world, post_b, &keying);
}
