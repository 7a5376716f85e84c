#include "envelope/keying.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "cli/commands.h"
#include "cli/files.h"
#include "cli/output.h"
#include "cli/party_directory.h"
#include "cli/registry.h"
#include "cli/reserve.h"

enum giving {
	GIVING_TAKEN,
	GIVING_TAKEN_BEFORE, /* this number, by an accept that was cut off, or a later one */
	GIVING_REFUSED,      /* nothing has happened */
	GIVING_UNANSWERED,   /* the post may have taken it */
};

/*
 * Hands one slot's packet to the post. `again`: it may have taken this very keying before, and was cut off.
 */
static enum giving give_packet(struct client *client, const struct call *call,
			       const struct keying_packet *packet, bool again)
{
	struct cbor_reader reply;
	size_t results = SIZE_MAX;
	char detail[256] = "";
	uint8_t memory[KEYING_PACKET_SIZE_MAX];
	struct buffer bytes = buffer_make(memory, sizeof memory);
	enum error error = keying_packet_encode(packet, &bytes);
	if (error == ERROR_OK) {
		struct buffer *request = client_begin(client, LOCAL_KEYING_ACCEPT, 1);
		cbor_write_bytes(request, buffer_bytes(&bytes));
		error = client_request(client, &reply, &results, detail, sizeof detail);
		sodium_memzero(request->data, request->size);
	}
	sodium_memzero(memory, sizeof memory);
	if (error == ERROR_OK)
		return GIVING_TAKEN;
	bool is_answered = results != SIZE_MAX;
	if (is_answered && error == ERROR_EXISTS && again)
		return GIVING_TAKEN_BEFORE;
	if (is_answered && error == ERROR_EXISTS)
		call_fail(call,
			  "the post has keying %u with that party or a later one: the next one is made with "
			  "keying make --number",
			  (unsigned)packet->number);
	else
		call_fail(call, "accepting the keying: %s", detail[0] != '\0' ? detail : error_text(error));
	return is_answered ? GIVING_REFUSED : GIVING_UNANSWERED;
}

/* The post holds a card of the other party, so it can take a keying with it. */
static bool is_known(struct client *client, const struct call *call, const uint8_t other[PARTY_ID_SIZE])
{
	struct known_parties parties;
	bool found = false;
	if (!known_parties_get(client, call, &parties))
		return false;
	for (size_t i = 0; i < parties.count; i++)
		found |= memcmp(parties.party[i].id, other, PARTY_ID_SIZE) == 0;
	known_parties_free(&parties);
	if (!found)
		call_fail(call, "accept the other party's card first: liaison card accept CARD");
	return found;
}

/* Puts the packets of other slots aside, unless that was done before something cut us off. */
static bool keep_reserve(const struct call *call, const struct party_directory *party,
			 const struct keying *keying, const uint8_t other[PARTY_ID_SIZE], uint64_t slot,
			 enum reserve_state state)
{
	struct passphrase passphrase;
	if (state == RESERVE_SAME)
		return true;
	if (state == RESERVE_OTHER) {
		call_fail(call,
			  "keying %u between these two parties was made or accepted already: the next one is "
			  "made with keying make --number %llu",
			  (unsigned)keying->number, (unsigned long long)keying->number + 1);
		return false;
	}
	if (!passphrase_get(call, "the authority's reserved keyings", true, &passphrase))
		return false;
	bool done = reserve_write(call, party, keying, other, slot, &passphrase);
	passphrase_wipe(&passphrase);
	return done;
}

/*
 * Gives the own post its packet and puts the others aside. They are on disk first, since the root is about to
 * be erased; where the post then refuses, they are removed again, and nothing has happened. Where it does not
 * answer they stay: by them the next try knows that the post may have taken this very keying.
 */
static enum giving distribute(const struct call *call, struct client *client,
			      const struct party_directory *party, const struct keying *keying,
			      const uint8_t other[PARTY_ID_SIZE])
{
	uint64_t slot = 0;
	enum giving giving = GIVING_REFUSED;
	enum reserve_state state;
	struct keying_packet *packet = malloc(sizeof *packet);
	if (packet != NULL && is_known(client, call, other) && client_own_slot(client, call, &slot) &&
	    reserve_find(call, party, keying, other, &state) &&
	    keep_reserve(call, party, keying, other, slot, state)) {
		enum error error = keying_packet_make(keying, party->id, (unsigned)slot, packet);
		if (error != ERROR_OK)
			call_fail_error(call, "the post's keys", error);
		else
			giving = give_packet(client, call, packet, state == RESERVE_SAME);
		if (giving == GIVING_REFUSED && state == RESERVE_NONE)
			reserve_erase(call, party, keying, other);
		keying_packet_erase(packet);
	}
	free(packet);
	return giving;
}

/*
 * The root goes into FILE last: one that is there is held by this post. What cuts us off before that leaves a
 * number that is taken, at worst, and no root. That FILE can be written is tried before anything is done.
 */
static bool distribute_and_write(const struct call *call, struct client *client,
				 const struct party_directory *party, const struct keying *keying,
				 const uint8_t other[PARTY_ID_SIZE])
{
	uint8_t memory[KEYING_SIZE_MAX];
	struct buffer file = buffer_make(memory, sizeof memory);
	const char *path = call->operand[0];
	enum giving giving = GIVING_REFUSED;
	if (keying_encode(keying, &file) == ERROR_OK && file_try(call, path, file.size))
		giving = distribute(call, client, party, keying, other);
	if (giving == GIVING_UNANSWERED) /* the root ends here: its parts for other slots are of no use */
		reserve_erase(call, party, keying, other);
	bool done = giving == GIVING_TAKEN;
	if (done && !file_create(call, path, buffer_bytes(&file), 0600)) {
		fprintf(stderr,
			"This post holds keying %u, and nobody else can: the next one is made with keying "
			"make --number %llu.\n",
			(unsigned)keying->number, (unsigned long long)keying->number + 1);
		done = false;
	}
	sodium_memzero(memory, sizeof memory);
	return done;
}

static bool make(struct call *call, struct client *client, const struct party_directory *party)
{
	uint8_t root[KEYING_KEY_SIZE];
	unsigned long long number = 1;
	struct known_parties parties;
	struct keying keying;
	const char *with = call_value(call, "with", NULL);
	if (with == NULL)
		return call_usage(call, "say with whom: --with PARTY") == 0;
	if (!call_number(call, "number", 1, UINT32_MAX, 1, &number) ||
	    !known_parties_get(client, call, &parties))
		return false;
	const struct known_party *other = known_party_find(call, &parties, with);
	bool done = other != NULL;
	if (done) {
		randombytes_buf(root, sizeof root);
		keying_make((uint32_t)number, party->id, other->id, root, &keying);
		sodium_memzero(root, sizeof root);
		done = distribute_and_write(call, client, party, &keying, other->id);
		keying_erase(&keying);
	}
	known_parties_free(&parties);
	return done;
}

static int run_make(struct call *call)
{
	struct client client = {.fd = -1};
	struct party_directory *party = party_directory_open(call);
	bool done = party != NULL && client_open(&client, call) && make(call, &client, party);
	client_close(&client);
	party_directory_close(party);
	if (done && call->json)
		return output_json(call, json_pack("{s:o}", "keying",
						   output_json_text(bytes_of_text(call->operand[0]))));
	if (done)
		fprintf(stderr,
			"Carry %s to the other side by hand; whoever copies it on the way can read what is "
			"sent under\n"
			"it. It erases itself when it is accepted there.\n",
			call->operand[0]);
	return done ? 0 : 1;
}

static bool read_keying(const struct call *call, const struct party_directory *party, struct keying *keying,
			const uint8_t **other)
{
	uint8_t *memory;
	struct bytes bytes;
	if (!file_read(call, call->operand[0], KEYING_SIZE_MAX, &memory, &bytes))
		return false;
	enum error error = keying_decode(bytes, keying);
	sodium_memzero(memory, bytes.size);
	free(memory);
	if (error != ERROR_OK) {
		call_fail(call, "%s is not a keying: %s", call->operand[0], error_text(error));
		return false;
	}
	bool is_first = memcmp(keying->parties[0], party->id, PARTY_ID_SIZE) == 0;
	*other = keying->parties[is_first ? 1 : 0];
	if (is_first || memcmp(keying->parties[1], party->id, PARTY_ID_SIZE) == 0)
		return true;
	call_fail(call, "the keying in %s is between two other parties", call->operand[0]);
	return false;
}

static int run_accept(struct call *call)
{
	struct client client = {.fd = -1};
	struct keying keying = {0};
	const uint8_t *other = NULL;
	struct party_directory *party = party_directory_open(call);
	enum giving giving = GIVING_REFUSED;
	if (party != NULL && read_keying(call, party, &keying, &other) && client_open(&client, call))
		giving = distribute(call, &client, party, &keying, other);
	unsigned number = (unsigned)keying.number;
	keying_erase(&keying);
	client_close(&client);
	party_directory_close(party);
	bool is_new = giving == GIVING_TAKEN;
	bool done = (is_new || giving == GIVING_TAKEN_BEFORE) &&
		    (call_has(call, "keep") || file_erase(call, call->operand[0]));
	if (done && call->json)
		return output_json(call, json_pack("{s:b, s:i}", "accepted", is_new, "number", (int)number));
	if (done)
		printf("%s %u %s%s. liaison status says which is in use to the other post.\n",
		       is_new ? "Keying" : "The post holds keying", number,
		       is_new ? "is accepted" : "or a later one already",
		       call_has(call, "keep") ? "" : ", and its file is erased");
	return done ? 0 : 1;
}

static const struct option make_options[] = {
	{"with", 0, "PARTY", "the other party, by name or id"},
	{"number", 0, "NUMBER", "the number of this keying between the two parties (1 if not given)"},
	{NULL, 0, NULL, NULL},
};
static const struct option accept_options[] = {
	{"keep", 0, NULL, "do not erase FILE afterwards (a rehearsal)"},
	{NULL, 0, NULL, NULL},
};

const struct command command_keying_make = {
	.name = "keying make",
	.operands = "FILE",
	.summary = "make the key that is carried to the other party by hand",
	.help = "Makes a root of 32 random bytes in FILE, gives this post the keys of its slot, keeps those "
		"of slots not\n"
		"yet used in the party's directory under a passphrase, and keeps the root nowhere else. (No "
		"command\n"
		"of this version hands those out: a further post of the party gets its keys by a keying of "
		"its "
		"own,\n"
		"made there with the next number.) Both parties' cards must have been exchanged. Where the "
		"parties share a keying already, that "
		"one stays in\n"
		"use until the other post is seen to hold this one.\n\n"
		"Example: liaison keying make /media/usb/keying --with Federation --party /safe/alliance",
	.options = make_options,
	.takes = TAKES_POST | TAKES_PARTY | TAKES_PASSPHRASE,
	.operands_min = 1,
	.operands_max = 1,
	.lasting = "the keying was made",
	.run = run_make,
};

const struct command command_keying_accept = {
	.name = "keying accept",
	.operands = "FILE",
	.summary = "accept the key that was carried here by hand",
	.help = "Gives this post the keys of its slot from the root in FILE, keeps those of slots not yet "
		"used in the\n"
		"party's directory under a passphrase, then overwrites and removes FILE.\n\n"
		"Example: liaison keying accept /media/usb/keying --party /safe/federation",
	.options = accept_options,
	.takes = TAKES_POST | TAKES_PARTY | TAKES_PASSPHRASE,
	.operands_min = 1,
	.operands_max = 1,
	.lasting = "the keying was accepted",
	.run = run_accept,
};
