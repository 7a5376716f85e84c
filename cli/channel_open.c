#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/party_directory.h"
#include "cli/registry.h"
#include "cli/signing.h"
#include "cli/submit.h"

/* Everything that opening a channel goes over, from letter to letter. */
struct opening {
	const struct call *call;
	struct client client;
	struct party_directory *party;
	struct ed25519_pair authority;
	struct known_parties parties;
	const struct known_party *other;
	struct known_channel *channel; /* NULL until the first letter is in the record */
	uint8_t channel_id[CHANNEL_ID_SIZE];
	struct roster roster;
	struct terms terms; /* proposed here, where there is no channel yet */
	unsigned long long heads_interval_s; /* of those terms; 0: the default */
	size_t own_index;
	size_t letters_signed;
	char signed_last[REFERENCE_SIZE_MAX + 1];
};

/* A channel with that party alone, if the post knows one: its id. */
static bool find_channel(struct opening *opening, bool *found)
{
	struct cbor_reader reply;
	size_t results;
	*found = false;
	client_begin(&opening->client, LOCAL_CHANNELS, 0);
	if (!client_ask(&opening->client, opening->call, "asking the post for its channels", &reply,
			&results))
		return false;
	size_t count = cbor_read_array(&reply, CHANNELS_MAX);
	for (size_t i = 0; i < count; i++) {
		cbor_read_array_exact(&reply, 4);
		struct bytes id = cbor_read_bytes(&reply, CHANNEL_ID_SIZE);
		cbor_read_text(&reply, NAME_SIZE_MAX);
		cbor_read_uint(&reply);
		size_t parties = cbor_read_array(&reply, PARTIES_MAX);
		bool with_other = false;
		for (size_t j = 0; j < parties; j++) {
			cbor_read_array_exact(&reply, 2);
			with_other |= bytes_equal(cbor_read_bytes(&reply, PARTY_ID_SIZE),
						  bytes_make(opening->other->id, PARTY_ID_SIZE));
			cbor_read_text(&reply, NAME_SIZE_MAX);
		}
		if (with_other && parties == 2 && id.size == CHANNEL_ID_SIZE) {
			memcpy(opening->channel_id, id.data, CHANNEL_ID_SIZE);
			*found = true;
		}
	}
	if (cbor_read_end(&reply) == ERROR_OK)
		return true;
	call_fail_error(opening->call, "the post's answer about its channels", reply.error);
	return false;
}

static bool ask_keys(struct opening *opening, struct opening_post *post)
{
	struct cbor_reader reply;
	size_t results;
	if (!client_own_slot(&opening->client, opening->call, &post->slot))
		return false;
	struct buffer *request = client_begin(&opening->client, LOCAL_CHANNEL_KEYS, 1);
	cbor_write_bytes(request, bytes_make(opening->channel_id, CHANNEL_ID_SIZE));
	if (!client_ask(&opening->client, opening->call, "asking the post for its keys", &reply, &results))
		return false;
	cbor_read_bytes_exact(&reply, post->log_key, sizeof post->log_key);
	cbor_read_bytes_exact(&reply, post->cosigner_key, sizeof post->cosigner_key);
	if (cbor_read_end(&reply) == ERROR_OK)
		return true;
	call_fail_error(opening->call, "the post's keys", ERROR_MALFORMED);
	return false;
}

/* The next letter of the authority's chain on this channel: signed after being shown, and submitted. */
static bool send_letter(struct opening *opening, struct content *content)
{
	uint8_t *memory = malloc(ENTRY_SIZE_MAX);
	struct buffer out = buffer_make(memory, memory != NULL ? ENTRY_SIZE_MAX : 0);
	const struct known_channel *channel = opening->channel;
	struct letter *letter = &content->of.letter;
	struct bytes parties[2];
	struct render_names names = {.roster = &opening->roster, .parties = parties};
	struct submitted submitted;
	struct aad aad;

	letter->time = (uint64_t)time(NULL);
	if (channel != NULL && channel->members[opening->own_index].has_chain) {
		const struct known_member *own = &channel->members[opening->own_index];
		letter->number = own->chain_number + 1;
		letter->has_previous = true;
		memcpy(letter->previous, own->chain_head, IDENTITY_SIZE);
	}
	content->signers_count = 1;
	parties[opening->own_index] = bytes_of_text(opening->party->name);
	parties[1 - opening->own_index] = bytes_of_text(opening->other->name);
	aad_on_channel(&aad, AAD_ENTRY, opening->channel_id, &opening->roster, opening->own_index);
	bool named = channel == NULL || known_names_make(opening->call, channel, opening->own_index, &names);
	names.from_party = bytes_of_text(opening->party->name);
	names.sender_index = opening->own_index;
	bool done = named &&
		    sign_shown(opening->call, content, channel != NULL ? &channel->terms : &opening->terms,
			       &aad, &names, &opening->authority, &out) &&
		    submit(&opening->client, opening->call, "entering the letter", opening->channel_id,
			   buffer_bytes(&out), &submitted);
	if (channel != NULL && named)
		known_names_free(&names);
	free(memory);
	if (done) {
		opening->letters_signed++;
		memcpy(opening->signed_last, submitted.reference, sizeof opening->signed_last);
	}
	return done;
}

/* Terms, nonce and id: those proposed by the other side, or new ones. */
static bool set_terms(struct opening *opening, struct opening_letter *letter, uint8_t encoded[TERMS_SIZE_MAX])
{
	if (opening->channel != NULL) {
		const struct known_channel *channel = opening->channel;
		letter->terms = bytes_make(channel->terms_bytes, channel->terms_size);
		memcpy(letter->nonce, channel->nonce, CHANNEL_NONCE_SIZE);
		return true;
	}
	struct terms *terms = &opening->terms;
	struct buffer buffer = buffer_make(encoded, TERMS_SIZE_MAX);
	char title[2 * NAME_SIZE_MAX + 4];
	snprintf(title, sizeof title, "%s - %s", opening->party->name, opening->other->name);
	size_t end = strnlen(title, NAME_SIZE_MAX);
	while (((unsigned char)title[end] & 0xc0) == 0x80) /* inside a character of several bytes */
		end--;
	title[end] = '\0';
	terms_default(terms, bytes_of_text(call_value(opening->call, "title", title)));
	if (opening->heads_interval_s != 0)
		terms->heads_interval_s = opening->heads_interval_s;
	enum error error = terms_check(terms);
	if (error != ERROR_OK) {
		call_fail_error(opening->call, "the channel's title", error);
		return false;
	}
	terms_encode(terms, &buffer);
	letter->terms = buffer_bytes(&buffer);
	randombytes_buf(letter->nonce, sizeof letter->nonce);
	channel_id_make(&opening->roster, letter->terms, letter->nonce, opening->channel_id);
	return true;
}

static bool send_opening(struct opening *opening, struct content *content)
{
	uint8_t encoded_terms[TERMS_SIZE_MAX], registry[REGISTRY_SIZE];
	registry_version(NULL, 0, registry);
	content_begin(content, CONTENT_LETTER, PRECEDENCE_PRIORITY,
		      opening->channel != NULL ? opening->channel->registry : registry);
	struct letter *letter = &content->of.letter;
	struct opening_letter *body = &letter->of.opening;
	letter->kind = LETTER_OPENING;
	body->parties = opening->roster;
	if (!set_terms(opening, body, encoded_terms))
		return false;
	body->card_count = opening->party->letters_count;
	memcpy(body->card, opening->party->letters, body->card_count * sizeof body->card[0]);
	body->posts_count = 1;
	return ask_keys(opening, &body->posts[0]) && send_letter(opening, content);
}

/* The first officer of the party's list to whom no credence has been given on this channel, or NULL. */
static const struct party_officer *next_officer(const struct opening *opening)
{
	const struct known_channel *channel = opening->channel;
	for (size_t i = 0; i < opening->party->officers_count; i++) {
		bool given = false;
		for (size_t j = 0; j < channel->officers_count; j++)
			given |= channel->officers[j].party == opening->own_index &&
				 channel->officers[j].number == opening->party->officers[i].number;
		if (!given)
			return &opening->party->officers[i];
	}
	return NULL;
}

static bool send_credence(struct opening *opening, struct content *content,
			  const struct party_officer *officer)
{
	content_begin(content, CONTENT_LETTER, PRECEDENCE_PRIORITY, opening->channel->registry);
	struct credence_letter *body = &content->of.letter.of.credence;
	content->of.letter.kind = LETTER_CREDENCE;
	body->officer = officer->number;
	body->name = bytes_of_text(officer->name);
	body->title = bytes_of_text(officer->title);
	body->highest_precedence = officer->highest_precedence;
	memcpy(body->key, officer->key, PUBLIC_KEY_SIZE);
	return send_letter(opening, content);
}

/* Fills in an agrément for the other side's officers that wait for ours; false if none does. */
static bool agrement_due(const struct opening *opening, struct agrement_letter *body)
{
	const struct known_channel *channel = opening->channel;
	body->party = 1 - opening->own_index;
	for (size_t i = 0; i < channel->officers_count; i++) {
		const struct known_officer *officer = &channel->officers[i];
		bool ours = officer->party == opening->own_index;
		if (!ours && (officer->agreed >> opening->own_index & 1) == 0 &&
		    body->officers_count < OFFICERS_MAX)
			body->officers[body->officers_count++] = (uint32_t)officer->number;
	}
	return body->officers_count > 0;
}

/* Signs the next letter that is due, if one is. */
static bool step(struct opening *opening, struct content *content, bool *more)
{
	*more = true;
	if (opening->channel == NULL || !opening->channel->members[opening->own_index].opened)
		return send_opening(opening, content);
	const struct party_officer *officer = next_officer(opening);
	if (officer != NULL)
		return send_credence(opening, content, officer);
	content_begin(content, CONTENT_LETTER, PRECEDENCE_PRIORITY, opening->channel->registry);
	content->of.letter.kind = LETTER_AGREMENT;
	if (agrement_due(opening, &content->of.letter.of.agrement))
		return send_letter(opening, content);
	*more = false;
	return true;
}

/* Terms that a side has signed stand: an option that would make others must not be passed over. */
static bool has_no_new_terms(const struct opening *opening)
{
	static const char *const of_terms[] = {"title", "heads-interval"};
	for (size_t i = 0; i < sizeof of_terms / sizeof of_terms[0]; i++)
		if (call_has(opening->call, of_terms[i]))
			return call_fail(opening->call,
					 "the terms of the channel with %s stand: --%s is for new ones, so "
					 "leave "
					 "it out",
					 opening->other->name, of_terms[i]) == 0;
	return true;
}

/* Nobody should be surprised by references that begin with a party. */
static void say_what_is_alike(const struct opening *opening)
{
	const struct known_party *own = &opening->parties.party[0], *other = opening->other;
	for (size_t i = 0; i < own->posts_count; i++)
		for (size_t j = 0; j < other->posts_count; j++)
			if (reference_name_matches(bytes_of_text(own->posts[i].name),
						   bytes_of_text(other->posts[j].name)))
				call_warn(opening->call,
					  "both parties have a post called '%s', so references on this "
					  "channel say whose it is, as '%s/%s 1' (by the party's id where "
					  "the parties' names are the same too)",
					  own->posts[i].name, other->name, other->posts[j].name);
}

static bool open_all(struct opening *opening)
{
	bool known = false, more = true;
	opening->roster.count = 2;
	memcpy(opening->roster.ids[0], opening->party->id, PARTY_ID_SIZE);
	memcpy(opening->roster.ids[1], opening->other->id, PARTY_ID_SIZE);
	struct content *content = malloc(sizeof *content);
	bool done = content != NULL && roster_sort(&opening->roster) == ERROR_OK &&
		    roster_find(&opening->roster, opening->party->id, &opening->own_index) &&
		    find_channel(opening, &known) && (!known || has_no_new_terms(opening));
	while (done && more) {
		known_channel_free(opening->channel);
		opening->channel = NULL;
		if (known)
			done = known_channel_get(&opening->client, opening->call, opening->channel_id,
						 &opening->channel);
		done = done && step(opening, content, &more);
		known = true;
	}
	free(content);
	return done;
}

static void say_where_it_stands(const struct opening *opening)
{
	char id[2 * CHANNEL_ID_SIZE + 1];
	output_hex(bytes_make(opening->channel_id, CHANNEL_ID_SIZE), id);
	bool open = opening->channel->open;
	if (opening->call->json) {
		output_json(opening->call, json_pack("{s:s, s:b, s:I}", "channel", id, "open", open,
						     "letters_signed", (json_int_t)opening->letters_signed));
		return;
	}
	printf("channel %s: %s\n", id, open ? "open" : "proposed");
	if (!open)
		printf("%s has yet to sign: liaison channel open there\n", opening->other->name);
	size_t waiting = 0;
	for (size_t i = 0; i < opening->channel->officers_count; i++) {
		const struct known_officer *officer = &opening->channel->officers[i];
		if (officer->party == opening->own_index && officer->agreed == 0)
			waiting++;
	}
	if (waiting > 0)
		printf("%zu of our officers wait for the agrément of %s\n", waiting, opening->other->name);
}

/* What is in the record stays there, whatever stopped us after it. */
static void say_what_was_signed(const struct opening *opening)
{
	if (opening->letters_signed == 1)
		fprintf(stderr, "%s was signed and entered before that;", opening->signed_last);
	else if (opening->letters_signed > 1)
		fprintf(stderr, "%zu letters up to %s were signed and entered before that;",
			opening->letters_signed, opening->signed_last);
	if (opening->letters_signed > 0)
		fprintf(stderr, " channel open goes on with what is still due.\n");
}

static int run_open(struct call *call)
{
	struct opening opening = {.call = call, .client = {.fd = -1}};
	const char *with = call_value(call, "with", NULL);
	if (with == NULL)
		return call_usage(call, "say with whom: --with PARTY");
	if (!call_number(call, "heads-interval", TERMS_HEADS_INTERVAL_S_MIN, TERMS_HEADS_INTERVAL_S_MAX, 0,
			 &opening.heads_interval_s))
		return 2;
	opening.party = party_directory_open(call);
	bool done = opening.party != NULL && client_open(&opening.client, call) &&
		    known_parties_get(&opening.client, call, &opening.parties);
	if (done)
		opening.other = known_party_find(call, &opening.parties, with);
	done = done && opening.other != NULL &&
	       party_directory_unlock(call, opening.party, &opening.authority);
	if (done) {
		say_what_is_alike(&opening);
		done = open_all(&opening);
		ed25519_pair_erase(&opening.authority);
	}
	if (done)
		say_where_it_stands(&opening);
	else
		say_what_was_signed(&opening);
	known_channel_free(opening.channel);
	known_parties_free(&opening.parties);
	client_close(&opening.client);
	party_directory_close(opening.party);
	return done ? 0 : 1;
}

static const struct option open_options[] = {
	{"with", 0, "PARTY", "the other party, by name or id"},
	{"title", 't', "TITLE", "the channel's title, in new terms"},
	{"heads-interval", 0, "SECONDS", "how often the posts compare heads, in new terms (60 if not given)"},
	{NULL, 0, NULL, NULL},
};

const struct command command_channel_open = {
	.name = "channel open",
	.operands = "",
	.summary = "sign what is due to open a channel: opening, credence, agrément",
	.help = "Signs, one after the other and each shown first, the letters that the authority owes: the "
		"opening with\n"
		"the terms (those that the other side proposed, or new ones), a credence for each officer of "
		"the\n"
		"party's list, and an agrément for the other side's officers. Run it on each side, and again "
		"after\n"
		"the other side has: it only ever signs what is still due.\n\n"
		"Example: liaison channel open --with Federation --party /safe/alliance",
	.options = open_options,
	.takes = TAKES_POST | TAKES_PARTY | TAKES_PASSPHRASE | TAKES_YES,
	.lasting = "all that was due was signed and entered",
	.run = run_open,
};
