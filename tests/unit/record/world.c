#include "world.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cbor.h"
#include "envelope/post_file.h"
#include "envelope/signed.h"
#include "envelope/wire.h"

#define CHECK(condition)                                                                   \
	do {                                                                               \
		if (!(condition)) {                                                        \
			fprintf(stderr, "world: %s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                           \
		}                                                                          \
	} while (0)

static uint8_t work_bytes[SIGNED_WORK_SIZE];

static void *must(void *memory)
{
	CHECK(memory != NULL);
	return memory;
}

static uint8_t *copy_of(struct bytes bytes)
{
	uint8_t *copy = must(malloc(bytes.size + 1));
	if (bytes.size > 0)
		memcpy(copy, bytes.data, bytes.size);
	return copy;
}

static struct buffer allocate(size_t size)
{
	return buffer_make(must(malloc(size)), size);
}

uint64_t world_random(struct world *world, uint64_t below)
{
	uint8_t bytes[8];
	entropy_take(&world->random, bytes, sizeof(bytes));
	return below == 0 ? load_u64(bytes) : load_u64(bytes) % below;
}

static void random_pair(struct world *world, struct ed25519_pair *pair)
{
	uint8_t seed[ED25519_SEED_SIZE];
	entropy_take(&world->random, seed, sizeof(seed));
	ed25519_pair_from_seed(seed, pair);
}

struct world *world_make(uint64_t seed)
{
	uint8_t bytes[ENTROPY_SEED_SIZE] = {0};
	struct world *world = must(calloc(1, sizeof(*world)));

	CHECK(sodium_init() >= 0);
	store_u64(bytes, seed);
	world->random = entropy_make(bytes);
	world->now_ms = UINT64_C(1795320000000);
	return world;
}

static void drop_actions(struct world_post *post)
{
	for (size_t i = 0; i < post->actions_count; i++) {
		free(post->actions[i].bytes);
		free(post->actions[i].node);
	}
	post->actions_count = 0;
}

void world_free(struct world *world)
{
	for (size_t i = 0; i < world->posts_count; i++) {
		struct world_post *post = &world->posts[i];
		drop_actions(post);
		free(post->actions);
		free(post->anchor);
		free(post->memory);
		store_free(&post->store);
	}
	for (size_t i = 0; i < world->parties_count; i++)
		for (size_t j = 0; j < world->parties[i].letters_count; j++)
			free(world->parties[i].letters[j]);
	for (size_t i = 0; i < WORLD_PACKETS_MAX; i++)
		if (world->packets[i].used)
			free(world->packets[i].bytes);
	free(world);
}

/* ---- the line ---- */

static size_t post_of_node(const struct world *world, struct bytes node)
{
	for (size_t i = 0; i < world->posts_count; i++)
		if (bytes_equal(bytes_of_text(world->posts[i].node), node))
			return i;
	CHECK(false);
	return 0;
}

static void put_packet(struct world *world, size_t from, size_t to, struct bytes sealed, const uint8_t *copy,
		       uint64_t delay_ms)
{
	for (size_t i = 0; i < WORLD_PACKETS_MAX; i++) {
		struct world_packet *packet = &world->packets[i];
		if (packet->used)
			continue;
		*packet = (struct world_packet){.used = true,
						.from = from,
						.to = to,
						.bytes = copy_of(sealed),
						.size = sealed.size,
						.due_ms = world->now_ms + delay_ms};
		memcpy(packet->copy, copy, sizeof(packet->copy));
		return;
	}
	CHECK(false);
}

static void carry(struct world *world, size_t from, const struct record_action *action)
{
	size_t to = post_of_node(world, action->node);

	world->packets_sent++;
	if (world->cut || world_random(world, 100) < world->lose_percent)
		return;
	uint64_t delay = 5;
	if (world_random(world, 100) < world->reorder_percent)
		delay += world_random(world, 20000);
	put_packet(world, from, to, action->bytes, action->copy, delay);
	if (world_random(world, 100) < world->double_percent)
		put_packet(world, from, to, action->bytes, action->copy, delay + world_random(world, 30000));
}

/* ---- actions ---- */

static void read_notice(struct world_post *post, struct bytes frame)
{
	struct cbor_reader reader = cbor_reader_make(bytes_make(frame.data + 4, frame.size - 4));
	(void)cbor_read_array(&reader, 16);
	CHECK(cbor_read_uint(&reader) == 0);
	uint64_t kind = cbor_read_uint(&reader);
	if (kind == LOCAL_ARRIVED)
		post->arrived++;
	if (kind == LOCAL_ALERT) {
		post->alerts++;
		post->last_alert = (enum error)cbor_read_uint(&reader);
	}
	CHECK(cbor_reader_error(&reader) == ERROR_OK);
	CHECK(cbor_check(bytes_make(frame.data + 4, frame.size - 4)) == ERROR_OK);
}

static void keep_anchor(struct world_post *post)
{
	for (size_t i = 0; i < post->actions_count; i++) {
		const struct record_action *action = &post->actions[i].action;
		if (action->kind != RECORD_ACTION_ANCHOR)
			continue;
		free(post->anchor);
		post->anchor = copy_of(action->bytes);
		post->anchor_size = action->bytes.size;
	}
}

static void perform(struct world *world, size_t index, const struct record_action *action)
{
	struct world_post *post = &world->posts[index];

	switch (action->kind) {
	case RECORD_ACTION_SEND:
		post->sends++;
		carry(world, index, action);
		break;
	case RECORD_ACTION_REPLY:
		CHECK(action->bytes.size <= sizeof(post->reply) && action->bytes.size > 4);
		memcpy(post->reply, action->bytes.data + 4, action->bytes.size - 4);
		post->reply_size = action->bytes.size - 4;
		post->replies++;
		break;
	case RECORD_ACTION_NOTICE:
		read_notice(post, action->bytes);
		break;
	case RECORD_ACTION_LOG:
		if (getenv("WORLD_LOG") != NULL)
			fprintf(stderr, "%llu %s: %s: %.*s\n", (unsigned long long)world->now_ms, post->name,
				error_name(action->error), (int)action->bytes.size,
				(const char *)action->bytes.data);
		post->logs++;
		post->last_log = action->error;
		break;
	case RECORD_ACTION_WIPE:
		post->wipes++;
		break;
	case RECORD_ACTION_TAKEN:
		post->taken++;
		break;
	default:
		break;
	}
}

/* What the courier reports at once of what it was given. */
static void report_queued(struct world *world, size_t index, struct world_action *actions, size_t count)
{
	size_t reported = 0;
	for (size_t i = 0; i < count; i++) {
		if (actions[i].action.kind != RECORD_ACTION_SEND)
			continue;
		struct record_event event = {.kind = RECORD_PROGRESS};
		memcpy(event.of.progress.copy, actions[i].action.copy, sizeof(event.of.progress.copy));
		event.of.progress.state = LOCAL_QUEUED;
		CHECK(world_event(world, index, &event) == ERROR_OK);
		reported++;
	}
	if (reported > 0)
		world_commit(world, index);
}

/* ---- events ---- */

static void keep_actions(struct world_post *post, const struct record_action *actions, size_t count)
{
	post->actions = must(realloc(post->actions, (post->actions_count + count + 1) * sizeof(*post->actions)));
	for (size_t i = 0; i < count; i++) {
		struct world_action *kept = &post->actions[post->actions_count++];
		kept->action = actions[i];
		kept->bytes = copy_of(actions[i].bytes);
		kept->node = copy_of(actions[i].node);
		kept->action.bytes.data = kept->bytes;
		kept->action.node.data = kept->node;
	}
}

enum error world_event(struct world *world, size_t index, struct record_event *event)
{
	struct world_post *post = &world->posts[index];
	const struct record_action *actions;
	size_t count;

	event->wall_ms = world->now_ms + (uint64_t)world->skew_ms[index];
	event->steady_ms = post->steady_ms;
	entropy_take(&world->random, event->entropy, sizeof(event->entropy));
	record_begin(post->record, event);
	enum error error;
	while ((error = record_needs(post->record)) == ERROR_NEEDS_ROWS)
		store_load(&post->store, record_rows(post->record));
	if (error != ERROR_OK) {
		fprintf(stderr, "world: event %u at %s: %s\n", event->kind, post->name, error_name(error));
		return error;
	}
	record_step(post->record, &actions, &count);
	keep_actions(post, actions, count);
	return ERROR_OK;
}

static void end_batch(struct world *world, size_t index)
{
	struct record_event commit = {.kind = RECORD_COMMIT};
	struct record_event room = {.kind = RECORD_COURIER_ROOM};
	const struct world_post *post = &world->posts[index];

	CHECK(world_event(world, index, &commit) == ERROR_OK);
	room.of.room.copies_max = post->mute ? 0 : 64;
	CHECK(world_event(world, index, &room) == ERROR_OK);
}

void world_commit(struct world *world, size_t index)
{
	struct world_post *post = &world->posts[index];

	end_batch(world, index);
	store_commit(&post->store, record_rows(post->record));
	keep_anchor(post);
	struct world_action *actions = post->actions;
	size_t count = post->actions_count;
	post->actions = NULL;
	post->actions_count = 0;
	rows_reset(record_rows(post->record));
	for (size_t i = 0; i < count; i++)
		perform(world, index, &actions[i].action);
	report_queued(world, index, actions, count);
	for (size_t i = 0; i < count; i++) {
		free(actions[i].bytes);
		free(actions[i].node);
	}
	free(actions);
}

static void die(struct world_post *post)
{
	drop_actions(post);
	post->up = false;
	post->record = record_make(post->memory, RECORD_MEMORY_SIZE);
	CHECK(post->record != NULL);
}

void world_crash_after_commit(struct world *world, size_t index)
{
	struct world_post *post = &world->posts[index];

	end_batch(world, index);
	store_commit(&post->store, record_rows(post->record));
	if (world_random(world, 2) == 0)
		keep_anchor(post);
	die(post);
}

void world_crash_before_commit(struct world *world, size_t index)
{
	end_batch(world, index);
	die(&world->posts[index]);
}

void world_start(struct world *world, size_t index)
{
	struct world_post *post = &world->posts[index];
	struct record_event event = {.kind = RECORD_START};

	post->steady_ms = world_random(world, 1000);
	event.of.start.anchor = bytes_make(post->anchor, post->anchor_size);
	CHECK(world_event(world, index, &event) == ERROR_OK);
	post->up = true;
	world_commit(world, index);
}

void world_tick(struct world *world, size_t index)
{
	struct record_event event = {.kind = RECORD_TICK};
	CHECK(world_event(world, index, &event) == ERROR_OK);
	world_commit(world, index);
}

void world_deliver(struct world *world, size_t index, size_t from, struct bytes sealed)
{
	struct world_post *post = &world->posts[index];
	struct record_event event = {.kind = RECORD_RECEIVED};

	event.of.received.delivery = ++post->next_delivery;
	event.of.received.source = bytes_of_text(world->posts[from].node);
	event.of.received.sealed = sealed;
	CHECK(world_event(world, index, &event) == ERROR_OK);
}

static size_t deliver_due(struct world *world)
{
	size_t delivered[WORLD_POSTS_MAX] = {0};
	size_t count = 0;

	for (size_t i = 0; i < WORLD_PACKETS_MAX; i++) {
		struct world_packet *packet = &world->packets[i];
		if (!packet->used || packet->due_ms > world->now_ms || !world->posts[packet->to].up)
			continue;
		packet->used = false;
		if (!world->cut) {
			world_deliver(world, packet->to, packet->from, bytes_make(packet->bytes, packet->size));
			delivered[packet->to]++;
			count++;
		}
		free(packet->bytes);
	}
	for (size_t i = 0; i < world->posts_count; i++)
		if (delivered[i] > 0)
			world_commit(world, i);
	return count;
}

void world_run(struct world *world, uint64_t duration_ms, uint64_t step_ms)
{
	uint64_t end = world->now_ms + duration_ms;

	while (world->now_ms < end) {
		world->now_ms += step_ms;
		for (size_t i = 0; i < world->posts_count; i++) {
			world->posts[i].steady_ms += step_ms;
			if (world->posts[i].up)
				world_tick(world, i);
		}
		while (!world->hold && deliver_due(world) > 0)
			world->now_ms++;
	}
}

static bool quiet(const struct world *world)
{
	for (size_t i = 0; i < WORLD_PACKETS_MAX; i++)
		if (world->packets[i].used)
			return false;
	for (size_t i = 0; i < world->posts_count; i++)
		if (world_count(world, i, TABLE_COPY) + world_count(world, i, TABLE_WAITING) > 0)
			return false;
	return true;
}

void world_settle(struct world *world)
{
	for (size_t i = 0; i < 400 && !quiet(world); i++)
		world_run(world, 10, 10);
	for (size_t i = 0; i < 400 && !quiet(world); i++)
		world_run(world, 600000, 20000);
}

/* ---- parties and posts ---- */

static struct bytes sign_content(const struct ed25519_pair *pair, const struct aad *aad, const struct content *content,
				 uint8_t *identity)
{
	struct buffer payload = allocate(CONTENT_SIZE_MAX);
	struct buffer out = allocate(ENTRY_SIZE_MAX);
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
	struct aad *aad = must(calloc(1, sizeof(*aad)));

	content->kind = CONTENT_LETTER;
	content->precedence = PRECEDENCE_ROUTINE;
	content->signers_count = 1;
	entropy_take(&world->random, content->id, sizeof(content->id));
	letter->time = world->now_ms / 1000;
	letter->number = party->letters_count;
	letter->has_previous = letter->number > 0;
	memcpy(letter->previous, party->head, sizeof(letter->previous));
	aad_without_channel(aad, AAD_ENTRY, party->id);
	struct bytes cose = sign_content(&party->authority, aad, content, party->head);
	CHECK(party->letters_count < 8);
	party->letters_size[party->letters_count] = cose.size;
	party->letters[party->letters_count] = copy_of(cose);
	party->letters_count++;
	free((void *)(uintptr_t)cose.data);
	free(aad);
}

size_t world_add_party(struct world *world, const char *name)
{
	struct world_party *party = &world->parties[world->parties_count];
	struct content *content = must(calloc(1, sizeof(*content)));
	struct founding_letter *founding = &content->of.letter.of.founding;

	CHECK(world->parties_count < WORLD_PARTIES_MAX);
	snprintf(party->name, sizeof(party->name), "%s", name);
	random_pair(world, &party->authority);
	for (size_t i = 0; i < WORLD_OFFICERS_MAX; i++)
		random_pair(world, &party->officers[i]);
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
	struct post_file *file = must(calloc(1, sizeof(*file)));
	struct buffer encoded = allocate(POST_FILE_SIZE_MAX);
	struct record_event event = {.kind = RECORD_PROVISION};

	memcpy(file->root_seed, post->root_seed, sizeof(file->root_seed));
	file->slot = post->slot;
	for (size_t i = 0; i < party->letters_count; i++)
		file->letters[file->letters_count++] = bytes_make(party->letters[i], party->letters_size[i]);
	file->address = bytes_of_text("localhost:4556");
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
	struct content *content = must(calloc(1, sizeof(*content)));
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
	post->memory = must(malloc(RECORD_MEMORY_SIZE));
	post->record = record_make(post->memory, RECORD_MEMORY_SIZE);
	CHECK(post->record != NULL);
	provision(world, index);
	world_start(world, index);
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

/* A request with one byte string, or none (NULL). */
static enum error request_bytes(struct world *world, size_t post, uint64_t verb, const struct bytes *argument)
{
	struct buffer frame = allocate(LOCAL_FRAME_SIZE_MAX);

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
	CHECK(request_bytes(world, from, LOCAL_CARD_EXPORT, NULL) == ERROR_OK);
	struct cbor_reader reader = world_results(&world->posts[from]);
	struct bytes card = cbor_read_bytes(&reader, CARD_SIZE_MAX);
	CHECK(cbor_reader_error(&reader) == ERROR_OK);
	enum error error = request_bytes(world, to, LOCAL_CARD_ACCEPT, &card);
	if (error != ERROR_OK)
		fprintf(stderr, "card: %s\n", error_name(error));
	CHECK(error == ERROR_OK);
}

static void accept_keying(struct world *world, size_t index, const struct keying *keying)
{
	const struct world_post *post = &world->posts[index];
	struct keying_packet *packet = must(calloc(1, sizeof(*packet)));
	struct buffer encoded = allocate(KEYING_PACKET_SIZE_MAX);

	CHECK(keying_packet_make(keying, world->parties[post->party].id, post->slot, packet) == ERROR_OK);
	CHECK(keying_packet_encode(packet, &encoded) == ERROR_OK);
	struct bytes bytes = buffer_bytes(&encoded);
	CHECK(request_bytes(world, index, LOCAL_KEYING_ACCEPT, &bytes) == ERROR_OK);
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
					accept_keying(world, i, &keying);
			}
		}
	}
}

void world_new_keying(struct world *world, uint32_t number, size_t post_a, size_t post_b)
{
	struct keying keying;
	uint8_t root[KEYING_KEY_SIZE];

	entropy_take(&world->random, root, sizeof(root));
	keying_make(number, world->parties[world->posts[post_a].party].id,
		    world->parties[world->posts[post_b].party].id, root, &keying);
	accept_keying(world, post_a, &keying);
	accept_keying(world, post_b, &keying);
}

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
	struct aad *aad = must(calloc(1, sizeof(*aad)));
	const struct world_party *signer = &world->parties[party];
	const struct ed25519_pair *pair = officer == 0 ? &signer->authority : &signer->officers[officer - 1];

	aad_on_channel(aad, AAD_ENTRY, world->channel, &world->roster, roster_index(world, party));
	struct bytes cose = sign_content(pair, aad, content, identity);
	free(aad);
	return cose;
}

enum error world_submit(struct world *world, size_t post, struct bytes cose)
{
	struct buffer frame = allocate(LOCAL_FRAME_SIZE_MAX);

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
	CHECK(request_bytes(world, post, LOCAL_CHANNEL_KEYS, &id) == ERROR_OK);
	struct cbor_reader reader = world_results(&world->posts[post]);
	keys->slot = world->posts[post].slot;
	cbor_read_bytes_exact(&reader, keys->log_key, sizeof(keys->log_key));
	cbor_read_bytes_exact(&reader, keys->cosigner_key, sizeof(keys->cosigner_key));
	CHECK(cbor_reader_error(&reader) == ERROR_OK);
}

void world_submit_opening(struct world *world, size_t post)
{
	struct content *content = must(calloc(1, sizeof(*content)));
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
	struct content *content = must(calloc(1, sizeof(*content)));
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
		struct content *content = must(calloc(1, sizeof(*content)));
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

struct world *world_open_line(uint64_t seed)
{
	struct world *world = world_make(seed);
	size_t alliance = world_add_party(world, "Alliance");
	size_t federation = world_add_party(world, "Federation");

	world_add_post(world, alliance, 0, "Headquarters");
	world_add_post(world, federation, 1, "Embassy");
	world_exchange(world);
	world_name_channel(world);
	for (size_t i = 0; i < 2; i++)
		world_submit_opening(world, i);
	run_a_moment(world);
	for (size_t i = 0; i < 2; i++)
		world_submit_officers(world, i);
	run_a_moment(world);
	for (size_t i = 0; i < 2; i++)
		world_submit_agrements(world, i);
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

enum error world_send(struct world *world, size_t post, const struct world_message *message,
		      uint8_t identity[IDENTITY_SIZE])
{
	struct content *content = must(calloc(1, sizeof(*content)));
	unsigned officer = message->officer == 0 ? 1 : message->officer;
	uint8_t made[IDENTITY_SIZE];

	frame_content(world, content, CONTENT_MESSAGE, message->precedence, officer);
	if (message->id != NULL)
		memcpy(content->id, message->id, sizeof(content->id));
	content->of.message.time = world->now_ms / 1000;
	content->of.message.text = bytes_of_text(message->text);
	if (message->answers != NULL) {
		content->of.message.has_answers = true;
		memcpy(content->of.message.answers, message->answers, IDENTITY_SIZE);
	}
	struct bytes cose = world_sign(world, world->posts[post].party, officer, content, made);
	enum error error = world_submit(world, post, cose);
	free((void *)(uintptr_t)cose.data);
	free(content);
	if (identity != NULL)
		memcpy(identity, made, sizeof(made));
	return error;
}

enum error world_acknowledge(struct world *world, size_t post, const uint8_t acknowledged[IDENTITY_SIZE])
{
	struct content *content = must(calloc(1, sizeof(*content)));
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
	struct buffer buffer = allocate(ROW_VALUE_SIZE_MAX);

	schema_write(schema, value, &buffer);
	CHECK(buffer_error(&buffer) == ERROR_OK);
	store_put(&world->posts[post].store, key_view(key), buffer_bytes(&buffer));
	free(buffer.data);
}

bool world_entry(const struct world *world, size_t post, const uint8_t identity[IDENTITY_SIZE], struct entry *entry,
		 struct entry_key *key)
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
