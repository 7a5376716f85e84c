#include "cli/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <sodium.h>

#include "cli/output.h"

static void read_posts(struct cbor_reader *reader, struct known_party *party)
{
	party->posts_count = cbor_read_array(reader, POST_SLOTS);
	for (size_t i = 0; i < party->posts_count; i++) {
		struct known_post *post = &party->posts[i];
		cbor_read_array_exact(reader, 4);
		post->slot = cbor_read_uint_max(reader, POST_SLOTS - 1);
		cbor_read_text_copy(reader, post->name, NAME_SIZE_MAX);
		cbor_read_text_copy(reader, post->node, EID_SIZE_MAX);
		cbor_read_bytes_exact(reader, post->courier_pin, sizeof post->courier_pin);
	}
}

bool known_parties_get(struct client *client, const struct call *call, struct known_parties *parties)
{
	struct cbor_reader reply;
	size_t results;
	*parties = (struct known_parties){0};
	client_begin(client, LOCAL_PARTIES, 0);
	if (!client_ask(client, call, "asking the post for its parties", &reply, &results))
		return false;
	parties->count = cbor_read_array(&reply, COUNTERPARTS_MAX + 1);
	parties->party = calloc(parties->count + 1, sizeof *parties->party);
	for (size_t i = 0; parties->party != NULL && i < parties->count; i++) {
		struct known_party *party = &parties->party[i];
		cbor_read_array_exact(&reply, 7);
		cbor_read_bytes_exact(&reply, party->id, sizeof party->id);
		cbor_read_text_copy(&reply, party->name, NAME_SIZE_MAX);
		party->keyed = cbor_read_bool(&reply);
		read_posts(&reply, party);
		party->chain_number = cbor_read_uint(&reply);
		cbor_read_bytes_exact(&reply, party->chain_head, sizeof party->chain_head);
		cbor_read_bytes(&reply, CARD_SIZE_MAX);
	}
	enum error error = parties->party == NULL ? ERROR_NO_MEMORY : cbor_read_end(&reply);
	if (error == ERROR_OK && parties->count == 0)
		error = ERROR_MALFORMED;
	if (error == ERROR_OK)
		return true;
	call_fail_error(call, "the post's answer about its parties", error);
	known_parties_free(parties);
	return false;
}

void known_parties_free(struct known_parties *parties)
{
	free(parties->party);
	*parties = (struct known_parties){0};
}

bool known_id_begins(const char *text, struct bytes id)
{
	return reference_id_begins(bytes_of_text(text), id.data);
}

const struct known_party *known_party_find(const struct call *call, const struct known_parties *parties,
					   const char *text)
{
	const struct known_party *found = NULL;
	size_t matches = 0;
	for (size_t i = 1; i < parties->count; i++) {
		const struct known_party *party = &parties->party[i];
		if (strcasecmp(text, party->name) == 0 ||
		    known_id_begins(text, bytes_make(party->id, PARTY_ID_SIZE))) {
			found = party;
			matches++;
		}
	}
	if (matches == 1)
		return found;
	char known[1024] = "";
	for (size_t i = 1; i < parties->count && strlen(known) + NAME_SIZE_MAX + 16 < sizeof known; i++) {
		char hex[2 * PARTY_ID_SIZE + 1];
		output_hex(bytes_make(parties->party[i].id, PARTY_ID_SIZE), hex);
		snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s (%.*s)",
			 i > 1 ? ", " : "", parties->party[i].name, KNOWN_ID_DIGITS_MIN, hex);
	}
	call_fail(call,
		  matches > 1 ? "more than one party is called '%s': give its id; known are: %s"
			      : "no card of a party '%s' has been accepted; known are: %s",
		  text, parties->count > 1 ? known : "none (liaison card accept)");
	return NULL;
}

static void read_members(struct cbor_reader *reply, struct known_channel *channel)
{
	size_t count = cbor_read_array(reply, PARTIES_MAX);
	channel->roster.count = count;
	for (size_t i = 0; i < count; i++) {
		struct known_member *member = &channel->members[i];
		cbor_read_array_exact(reply, 5);
		cbor_read_bytes_exact(reply, member->id, sizeof member->id);
		memcpy(channel->roster.ids[i], member->id, PARTY_ID_SIZE);
		cbor_read_text_copy(reply, member->name, NAME_SIZE_MAX);
		member->opened = cbor_read_bool(reply);
		bool no_number = cbor_read_null(reply);
		member->chain_number = no_number ? 0 : cbor_read_uint(reply);
		member->has_chain = !cbor_read_null(reply);
		if (member->has_chain)
			cbor_read_bytes_exact(reply, member->chain_head, sizeof member->chain_head);
		if (member->has_chain == no_number)
			cbor_reader_fail(reply, ERROR_MALFORMED);
	}
}

static void read_logs(struct cbor_reader *reply, struct known_channel *channel)
{
	size_t count = cbor_read_array(reply, PARTIES_MAX * POST_SLOTS);
	channel->logs = calloc(count + 1, sizeof *channel->logs);
	if (channel->logs == NULL)
		cbor_reader_fail(reply, ERROR_NO_MEMORY);
	for (size_t i = 0; channel->logs != NULL && i < count; i++) {
		struct known_log *log = &channel->logs[channel->logs_count++];
		cbor_read_array_exact(reply, 4);
		log->log = cbor_read_uint_max(reply, LOG_MAX);
		cbor_read_uint_max(reply, POST_SLOTS - 1);
		cbor_read_text_copy(reply, log->post_name, NAME_SIZE_MAX);
		cbor_read_text_copy(reply, log->node, EID_SIZE_MAX);
	}
}

static void read_officers(struct cbor_reader *reply, struct known_channel *channel)
{
	size_t count = cbor_read_array(reply, PARTIES_MAX * OFFICERS_MAX);
	channel->officers = calloc(count + 1, sizeof *channel->officers);
	if (channel->officers == NULL)
		cbor_reader_fail(reply, ERROR_NO_MEMORY);
	for (size_t i = 0; channel->officers != NULL && i < count; i++) {
		struct known_officer *officer = &channel->officers[channel->officers_count++];
		cbor_read_array_exact(reply, 7);
		officer->party = cbor_read_uint_max(reply, PARTIES_MAX - 1);
		officer->number = cbor_read_uint(reply);
		cbor_read_text_copy(reply, officer->name, NAME_SIZE_MAX);
		cbor_read_text_copy(reply, officer->title, NAME_SIZE_MAX);
		cbor_read_bytes_exact(reply, officer->key, sizeof officer->key);
		size_t agreed = cbor_read_array(reply, PARTIES_MAX);
		for (size_t j = 0; j < agreed; j++)
			officer->agreed |= UINT64_C(1) << cbor_read_uint_max(reply, PARTIES_MAX - 1);
		officer->highest_precedence = cbor_read_uint_max(reply, PRECEDENCE_FLASH);
	}
}

static enum error read_channel(struct cbor_reader *reply, struct known_channel *channel)
{
	struct bytes terms = cbor_read_bytes(reply, TERMS_SIZE_MAX);
	if (terms.size > 0)
		memcpy(channel->terms_bytes, terms.data, terms.size);
	channel->terms_size = terms.size;
	cbor_read_bytes_exact(reply, channel->nonce, sizeof channel->nonce);
	channel->open = cbor_read_uint_max(reply, 2) == 2;
	channel->own_index = (size_t)cbor_read_uint_max(reply, PARTIES_MAX - 1);
	cbor_read_bytes_exact(reply, channel->registry, sizeof channel->registry);
	read_members(reply, channel);
	read_logs(reply, channel);
	read_officers(reply, channel);
	enum error error = cbor_read_end(reply);
	if (error == ERROR_OK && channel->own_index >= channel->roster.count)
		error = ERROR_MALFORMED;
	return error != ERROR_OK
		       ? error
		       : terms_decode(bytes_make(channel->terms_bytes, channel->terms_size), &channel->terms);
}

bool known_channel_get(struct client *client, const struct call *call, const uint8_t id[CHANNEL_ID_SIZE],
		       struct known_channel **channel)
{
	struct cbor_reader reply;
	size_t results;
	*channel = NULL;
	struct buffer *request = client_begin(client, LOCAL_CHANNEL, 1);
	cbor_write_bytes(request, bytes_make(id, CHANNEL_ID_SIZE));
	if (!client_ask(client, call, "asking the post for the channel", &reply, &results))
		return false;
	*channel = calloc(1, sizeof **channel);
	enum error error = ERROR_NO_MEMORY;
	if (*channel != NULL) {
		memcpy((*channel)->id, id, CHANNEL_ID_SIZE);
		error = read_channel(&reply, *channel);
	}
	if (error == ERROR_OK)
		return true;
	call_fail_error(call, "the post's answer about the channel", error);
	known_channel_free(*channel);
	*channel = NULL;
	return false;
}

void known_channel_free(struct known_channel *channel)
{
	if (channel == NULL)
		return;
	free(channel->logs);
	free(channel->officers);
	free(channel);
}

/* One row of CHANNELS: true if it is the one that `wanted` (NULL: any) means. */
static bool read_channel_row(struct cbor_reader *reply, const char *wanted, uint8_t id[CHANNEL_ID_SIZE],
			     char title[NAME_SIZE_MAX + 1])
{
	cbor_read_array_exact(reply, 4);
	cbor_read_bytes_exact(reply, id, CHANNEL_ID_SIZE);
	cbor_read_text_copy(reply, title, NAME_SIZE_MAX);
	cbor_read_uint(reply);
	size_t parties = cbor_read_array(reply, PARTIES_MAX);
	bool found = wanted == NULL || strcasecmp(wanted, title) == 0 ||
		     known_id_begins(wanted, bytes_make(id, CHANNEL_ID_SIZE));
	for (size_t i = 0; i < parties; i++) {
		char name[NAME_SIZE_MAX + 1];
		cbor_read_array_exact(reply, 2);
		cbor_read_bytes(reply, PARTY_ID_SIZE);
		cbor_read_text_copy(reply, name, NAME_SIZE_MAX);
		found = found || strcasecmp(wanted, name) == 0; /* wanted is set where found is not */
	}
	return found && reply->error == ERROR_OK;
}

struct known_channel *known_channel_find(struct client *client, const struct call *call)
{
	const char *wanted = call_value(call, "channel", NULL);
	struct cbor_reader reply;
	size_t results, matches = 0;
	uint8_t found[CHANNEL_ID_SIZE] = {0};
	char known[1024] = "";
	client_begin(client, LOCAL_CHANNELS, 0);
	if (!client_ask(client, call, "asking the post for its channels", &reply, &results))
		return NULL;
	size_t count = cbor_read_array(&reply, CHANNELS_MAX);
	for (size_t i = 0; i < count; i++) {
		uint8_t id[CHANNEL_ID_SIZE];
		char title[NAME_SIZE_MAX + 1], hex[2 * CHANNEL_ID_SIZE + 1];
		if (read_channel_row(&reply, wanted, id, title)) {
			memcpy(found, id, sizeof found);
			matches++;
		}
		output_hex(bytes_make(id, sizeof id), hex);
		size_t used = strlen(known);
		snprintf(known + used, sizeof known - used, "%s%s (%.8s)", i > 0 ? ", " : "", title, hex);
	}
	if (cbor_read_end(&reply) != ERROR_OK) {
		call_fail_error(call, "the post's answer about its channels", ERROR_MALFORMED);
		return NULL;
	}
	struct known_channel *channel = NULL;
	if (matches == 1)
		known_channel_get(client, call, found, &channel);
	else if (count == 0)
		call_fail(call,
			  "there is no channel yet: liaison channel open signs one; where the other side has "
			  "signed, liaison status says whether what it sent could be opened");
	else if (wanted == NULL)
		call_fail(call, "say which channel with --channel; there are: %s", known);
	else
		call_fail(call, "%s channel is '%s'; there are: %s", matches == 0 ? "no" : "more than one",
			  wanted, known);
	return channel;
}

struct reference_log known_log_named(const struct known_channel *channel, const struct known_log *log)
{
	const struct known_member *member = &channel->members[log_roster_index(log->log)];
	struct reference_log named = {
		.log = log->log,
		.post_name = bytes_of_text(log->post_name),
		.party_name = bytes_of_text(member->name),
	};
	memcpy(named.party_id, member->id, sizeof named.party_id);
	return named;
}

void known_log_name(const struct known_channel *channel, const struct known_log *log, struct buffer *name)
{
	struct reference_log named = known_log_named(channel, log);
	struct reference_choice choice;
	reference_choice_begin(&choice, &named);
	for (size_t i = 0; i < channel->logs_count; i++) {
		struct reference_log other = known_log_named(channel, &channel->logs[i]);
		if (other.log != named.log)
			reference_choice_beside(&choice, &other);
	}
	reference_choice_append(name, &choice);
}

void known_channel_aad(const struct known_channel *channel, struct aad *aad)
{
	aad_on_channel(aad, AAD_ENTRY, channel->id, &channel->roster, channel->own_index);
}

/* The officers of one party, as names for rendering. */
static struct render_officer *officer_names(const struct known_channel *channel, size_t index, size_t *count)
{
	struct render_officer *names = calloc(channel->officers_count + 1, sizeof *names);
	for (size_t i = 0; names != NULL && i < channel->officers_count; i++) {
		const struct known_officer *officer = &channel->officers[i];
		if (officer->party == index)
			names[(*count)++] = (struct render_officer){
				.number = officer->number,
				.name = bytes_of_text(officer->name),
				.title = bytes_of_text(officer->title),
				.key = officer->key,
			};
	}
	return names;
}

bool known_names_make(const struct call *call, const struct known_channel *channel, size_t index,
		      struct render_names *names)
{
	struct bytes *parties = calloc(channel->roster.count, sizeof *parties);
	struct render_post *posts = calloc(channel->logs_count + 1, sizeof *posts);
	size_t other = channel->roster.count == 2 ? 1 - index : channel->own_index;
	*names = (struct render_names){
		.channel_title = channel->terms.title,
		.from_party = bytes_of_text(channel->members[index].name),
		.roster = &channel->roster,
		.parties = parties,
		.sender_index = index,
		.posts = posts,
		.posts_count = channel->logs_count,
	};
	names->officers = officer_names(channel, index, &names->officers_count);
	names->other_officers = officer_names(channel, other, &names->other_officers_count);
	if (parties == NULL || posts == NULL || names->officers == NULL || names->other_officers == NULL) {
		call_fail_error(call, "looking up names", ERROR_NO_MEMORY);
		known_names_free(names);
		return false;
	}
	for (size_t i = 0; i < channel->roster.count; i++)
		parties[i] = bytes_of_text(channel->members[i].name);
	for (size_t i = 0; i < channel->logs_count; i++)
		posts[i] =
			(struct render_post){channel->logs[i].log, bytes_of_text(channel->logs[i].post_name)};
	return true;
}

static void free_view(const void *memory)
{
	union {
		const void *view;
		void *memory;
	} owned = {.view = memory};
	free(owned.memory);
}

void known_names_free(struct render_names *names)
{
	free_view(names->parties);
	free_view(names->posts);
	free_view(names->officers);
	free_view(names->other_officers);
	*names = (struct render_names){0};
}
