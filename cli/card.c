#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/files.h"
#include "cli/output.h"
#include "cli/qr.h"
#include "cli/registry.h"
#include "envelope/card.h"

#define SEALED_CARD_SIZE_MAX (CARD_SIZE_MAX + 256)

/* A card that has been read and verified. */
struct open_card {
	uint8_t *memory;
	struct bytes bytes;
	struct card card;
	struct card_party party;
};

/* Decodes and verifies open->bytes. */
static enum error verify(struct open_card *open)
{
	struct signed_entry *entry = malloc(sizeof *entry);
	uint8_t *memory = malloc(SIGNED_WORK_SIZE);
	struct buffer work = buffer_make(memory, memory != NULL ? SIGNED_WORK_SIZE : 0);
	enum error error =
		entry != NULL && memory != NULL ? card_decode(open->bytes, &open->card) : ERROR_NO_MEMORY;
	if (error == ERROR_OK)
		error = card_verify(&open->card, entry, &work, &open->party);
	free(memory);
	free(entry);
	return error;
}

static bool open_card(const struct call *call, const char *path, struct open_card *open)
{
	if (!file_read(call, path, CARD_SIZE_MAX, &open->memory, &open->bytes))
		return false;
	enum error error = verify(open);
	if (error != ERROR_OK)
		call_fail(call, "%s is not a valid card: %s", path, error_text(error));
	return error == ERROR_OK;
}

/* The address of a slot's courier, or an empty view. */
static struct bytes address_of(const struct card *card, uint64_t slot)
{
	for (size_t i = 0; i < card->addresses_count; i++)
		if (card->addresses[i].slot == slot)
			return card->addresses[i].address;
	return bytes_make("", 0);
}

static json_t *post_json(const struct open_card *open, uint64_t slot)
{
	const struct post_letter *post = &open->party.posts[slot].letter;
	return json_pack("{s:I, s:o, s:s, s:o, s:o, s:o}", "slot", (json_int_t)slot, "name",
			 output_json_text(post->name), "kind", post_kind_name(post->kind), "node",
			 output_json_text(post->node), "pin",
			 output_json_hex(bytes_make(post->courier_pin, sizeof post->courier_pin)), "address",
			 output_json_text(address_of(&open->card, slot)));
}

static int print_json(const struct call *call, const struct open_card *open)
{
	char words[FINGERPRINT_TEXT_SIZE];
	output_fingerprint(open->party.id, words);
	json_t *posts = json_array();
	for (uint64_t slot = 0; slot < POST_SLOTS; slot++)
		if (open->party.posts[slot].known)
			json_array_append_new(posts, post_json(open, slot));
	return output_json(call, json_pack("{s:o, s:o, s:s, s:o}", "name",
					   output_json_text(open->party.founding.name), "party",
					   output_json_hex(bytes_make(open->party.id, PARTY_ID_SIZE)),
					   "fingerprint", words, "posts", posts));
}

/* A name as one word of a configuration file: what is no letter or digit of ASCII becomes a hyphen. */
static void print_word(struct bytes name, FILE *stream)
{
	for (size_t i = 0; i < name.size; i++) {
		uint8_t byte = name.data[i];
		bool fits = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
			    (byte >= 'A' && byte <= 'Z');
		putc(fits ? byte : '-', stream);
	}
}

/* The line for the courier's configuration: one that waits to be dialled where the card gives no address. */
static void print_neighbour(const struct open_card *open, uint64_t slot, FILE *stream)
{
	const struct post_letter *post = &open->party.posts[slot].letter;
	struct bytes address = address_of(&open->card, slot);
	char pin[2 * sizeof post->courier_pin + 1];
	output_hex(bytes_make(post->courier_pin, sizeof post->courier_pin), pin);
	fprintf(stream, "  for courier.conf: neighbour ");
	print_word(post->name, stream);
	fprintf(stream, " node %.*s pin %s", (int)post->node.size, (const char *)post->node.data, pin);
	if (address.size > 0)
		fprintf(stream, " address %.*s dial", (int)address.size, (const char *)address.data);
	fprintf(stream, "\n");
}

static void print_text(const struct open_card *open, FILE *stream)
{
	char id[2 * PARTY_ID_SIZE + 1], words[FINGERPRINT_TEXT_SIZE];
	output_hex(bytes_make(open->party.id, PARTY_ID_SIZE), id);
	output_fingerprint(open->party.id, words);
	fprintf(stream, "Card of ");
	output_text_on(stream, open->party.founding.name);
	fprintf(stream, "\nparty %s\n\n%s\n\n", id, words);
	qr_print(bytes_of_text(id), stream);
	for (uint64_t slot = 0; slot < POST_SLOTS; slot++) {
		const struct card_post *post = &open->party.posts[slot];
		if (!post->known)
			continue;
		fprintf(stream, "\npost %u: ", (unsigned)slot);
		output_text_on(stream, post->letter.name);
		fprintf(stream, ", %s, node ", post_kind_name(post->letter.kind));
		output_text_on(stream, post->letter.node);
		fprintf(stream, "%s\n",
			post->has_prekeys ? "" : " (no prekeys: it cannot be written to yet)");
		print_neighbour(open, slot, stream);
	}
}

/* The own card as the post gives it; views into the client's buffer. */
static bool ask_own_card(struct client *client, const struct call *call, struct bytes *card)
{
	struct cbor_reader reply;
	size_t results;
	client_begin(client, LOCAL_CARD_EXPORT, 0);
	if (!client_ask(client, call, "asking the post for its card", &reply, &results))
		return false;
	*card = cbor_read_bytes(&reply, CARD_SIZE_MAX);
	if (cbor_read_end(&reply) == ERROR_OK)
		return true;
	call_fail_error(call, "the post's card", reply.error);
	return false;
}

static bool ask_sealed_card(struct client *client, const struct call *call, const char *receiver,
			    struct bytes *card)
{
	struct open_card *open = calloc(1, sizeof *open);
	struct cbor_reader reply;
	size_t results;
	bool done = open != NULL && open_card(call, receiver, open);
	if (done) {
		struct buffer *request = client_begin(client, LOCAL_CARD_SEAL, 1);
		cbor_write_bytes(request, open->bytes);
		done = client_ask(client, call, "sealing the card", &reply, &results);
	}
	if (open != NULL)
		free(open->memory);
	free(open);
	if (!done)
		return false;
	*card = cbor_read_bytes(&reply, SEALED_CARD_SIZE_MAX);
	if (cbor_read_end(&reply) == ERROR_OK)
		return true;
	call_fail_error(call, "the post's card", reply.error);
	return false;
}

static int run_export(struct call *call)
{
	struct client client;
	struct bytes card;
	const char *receiver = call_value(call, "for", NULL);
	if (!client_open(&client, call))
		return 1;
	bool done = receiver != NULL ? ask_sealed_card(&client, call, receiver, &card)
				     : ask_own_card(&client, call, &card);
	done = done && file_create(call, call->operand[0], card, 0644);
	client_close(&client);
	if (done && call->json)
		return output_json(
			call, json_pack("{s:o}", "card", output_json_text(bytes_of_text(call->operand[0]))));
	return done ? 0 : 1;
}

static int run_show(struct call *call)
{
	struct open_card *open = calloc(1, sizeof *open);
	struct client client = {.fd = -1};
	bool done = open != NULL;
	if (done && call->operand_count > 0) {
		done = open_card(call, call->operand[0], open);
	} else if (done) {
		done = client_open(&client, call) && ask_own_card(&client, call, &open->bytes);
		enum error error = done ? verify(open) : ERROR_OK;
		if (error != ERROR_OK)
			done = call_fail_error(call, "the post's card", error) == 0;
	}
	int code = done ? 0 : 1;
	if (done && call->json)
		code = print_json(call, open);
	else if (done)
		print_text(open, stdout);
	client_close(&client);
	if (open != NULL)
		free(open->memory);
	free(open);
	return code;
}

/* Whose card the post has accepted, by what it says itself. */
struct accepted_card {
	uint8_t party[PARTY_ID_SIZE];
	char name[NAME_SIZE_MAX + 1];
	char words[FINGERPRINT_TEXT_SIZE];
};

/* The own card changes nothing unless it says more than the post knows: a further letter, another post. */
static bool is_of_use(struct client *client, const struct call *call, const struct open_card *open)
{
	struct known_parties parties;
	uint64_t own_slot;
	if (!client_own_slot(client, call, &own_slot) || !known_parties_get(client, call, &parties))
		return false;
	const struct known_party *own = &parties.party[0];
	bool useful =
		memcmp(own->id, open->party.id, PARTY_ID_SIZE) != 0 || open->party.number > own->chain_number;
	for (uint64_t slot = 0; slot < POST_SLOTS; slot++)
		useful |= slot != own_slot && open->party.posts[slot].has_prekeys;
	if (!useful)
		call_fail(call,
			  "that is this post's own card: the other party accepts it, and you accept theirs");
	known_parties_free(&parties);
	return useful;
}

static bool check_own(const struct call *call, const struct open_card *open)
{
	struct client client;
	if (!client_open(&client, call))
		return false;
	bool done = is_of_use(&client, call, open);
	client_close(&client);
	return done;
}

/* The post knows for whom the card's party could be taken; an officer has to say whom it must be of. */
static bool ask_to_accept(struct client *client, const struct call *call, struct bytes card,
			  struct cbor_reader *reply)
{
	const char *id = call_value(call, "id", NULL);
	char detail[512];
	size_t results;
	struct buffer *request = client_begin(client, LOCAL_CARD_ACCEPT, id == NULL ? 1 : 2);
	cbor_write_bytes(request, card);
	if (id != NULL)
		cbor_write_text(request, bytes_of_text(id));
	enum error error = client_request(client, reply, &results, detail, sizeof detail);
	if (error == ERROR_NAMESAKE)
		call_fail(
			call,
			"%s: one may have taken the other's name. To accept the card, let the other side "
			"read its party's id to you over a line where you know the voice, and add --id with "
			"%d digits of it or more",
			detail, FINGERPRINT_DIGITS);
	else if (error == ERROR_BAD_ARGUMENT && id != NULL)
		call_fail(call, "--id '%s': %s", id, detail);
	else if (error != ERROR_OK)
		client_explain(call, "accepting the card", error, detail);
	return error == ERROR_OK;
}

static bool send_card(const struct call *call, struct bytes card, struct accepted_card *accepted)
{
	struct client client;
	struct cbor_reader reply;
	if (!client_open(&client, call))
		return false;
	bool done = ask_to_accept(&client, call, card, &reply);
	if (done) {
		cbor_read_bytes_exact(&reply, accepted->party, sizeof accepted->party);
		cbor_read_text_copy(&reply, accepted->name, NAME_SIZE_MAX);
		done = cbor_read_end(&reply) == ERROR_OK;
		if (!done)
			call_fail_error(call, "the post's answer about the card", reply.error);
		output_fingerprint(accepted->party, accepted->words);
	}
	client_close(&client);
	return done;
}

/* Anyone can seal a card to a post: only the words tell whose it is, and they are known once it is open. */
static void print_accepted(const struct accepted_card *accepted)
{
	printf("Accepted a card of ");
	output_text(bytes_of_text(accepted->name));
	printf(", which says nothing of who wrote it. Its words:\n\n%s\n\n"
	       "Let the other side read theirs to you over a line where you know the voice. If they differ, "
	       "make "
	       "no\nkeying and open no channel with this party.\n",
	       accepted->words);
}

static int run_accept(struct call *call)
{
	struct open_card *open = calloc(1, sizeof *open);
	struct accepted_card accepted;
	const char *path = call->operand[0];
	bool done = open != NULL;
	if (done && call_has(call, "sealed")) {
		/* Only the post can open it: whose it is can be shown afterwards only. */
		done = file_read(call, path, SEALED_CARD_SIZE_MAX, &open->memory, &open->bytes);
	} else if (done) {
		done = open_card(call, path, open) && check_own(call, open);
		FILE *shown = call->json ? stderr : stdout; /* the JSON stays alone */
		if (done)
			print_text(open, shown);
		done = done && call_confirm(call,
					    "Has the other side read you these same words over a line where "
					    "you know the voice?",
					    shown);
	}
	done = done && send_card(call, open->bytes, &accepted);
	if (open != NULL)
		free(open->memory);
	free(open);
	if (done && call->json)
		return output_json(call, json_pack("{s:b, s:o, s:o, s:s}", "accepted", 1, "party",
						   output_json_hex(bytes_make(accepted.party, PARTY_ID_SIZE)),
						   "name", output_json_text(bytes_of_text(accepted.name)),
						   "fingerprint", accepted.words));
	if (done && call_has(call, "sealed"))
		print_accepted(&accepted);
	return done ? 0 : 1;
}

static const struct option export_options[] = {
	{"for", 0, "CARD", "seal it to the post whose card this is (for a route that others read)"},
	{NULL, 0, NULL, NULL},
};
static const struct option accept_options[] = {
	{"sealed", 0, NULL, "the card was made with card export --for this post's card"},
	{"id", 0, "ID", "the card must be of this party: the first 30 digits of its id, or more"},
	{NULL, 0, NULL, NULL},
};
static const struct option no_options[] = {{NULL, 0, NULL, NULL}};

const struct command command_card_export = {
	.name = "card export",
	.operands = "FILE",
	.summary = "write this post's card, for the other party to accept",
	.help = "A card holds the party's letters, the keys with which this post can be written to, and "
		"where its\n"
		"courier is. It is not secret, but whoever could change it on the way could put themselves "
		"in\n"
		"between: the other side checks its fingerprint with you by voice.\n\n"
		"Example: liaison card export alliance.card",
	.options = export_options,
	.takes = TAKES_POST,
	.operands_min = 1,
	.operands_max = 1,
	.lasting = "the card was written",
	.run = run_export,
};

const struct command command_card_show = {
	.name = "card show",
	.operands = "[FILE]",
	.summary = "show a card: fingerprint as words and as a QR code, posts, pins",
	.help = "Shows the card in FILE, or this post's own. The words are the fingerprint to compare over "
		"a\n"
		"telephone; the QR code holds the whole party id. For each post it prints the line that "
		"makes its\n"
		"courier a neighbour in courier.conf.",
	.options = no_options,
	.takes = TAKES_POST,
	.operands_max = 1,
	.run = run_show,
};

const struct command command_card_accept = {
	.name = "card accept",
	.operands = "FILE",
	.summary = "accept another party's card, after comparing its fingerprint",
	.help = "Shows the card's fingerprint in words (with --json on standard error), asks whether the "
		"other side has read the same words to you, and\n"
		"hands the card to the post. A longer card of the same party extends the one held. A party "
		"that is "
		"called\n"
		"like one known, or like the own, is another: it is accepted only with its --id, as the "
		"other side\n"
		"reads it to you.\n\n"
		"Example: liaison card accept federation.card",
	.options = accept_options,
	.takes = TAKES_POST | TAKES_YES,
	.operands_min = 1,
	.operands_max = 1,
	.lasting = "the card was accepted",
	.run = run_accept,
};
