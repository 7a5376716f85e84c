#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <sodium.h>

#include "cli/commands.h"
#include "cli/files.h"
#include "cli/output.h"
#include "cli/party_directory.h"
#include "envelope/post_file.h"

static const struct option create_options[] = {
	{"name", 'n', "NAME", "the post's name, as message references will show it"},
	{"kind", 'k', "KIND",
	 "mission, embassy, liaison-mission, information-bureau, capital or headquarters"},
	{"slot", 0, "NUMBER", "its slot in the keyings, 0 to 63 (the lowest free one if not given)"},
	{"node", 0, "NODE", "its courier's node id, such as ipn:1001.0"},
	{"pin", 0, "HEX", "its courier's pin: liaison-courierd --dir DIR --show-pin prints it"},
	{"address", 0, "HOST:PORT", "where its courier can be reached, for cards (a hint)"},
	{NULL, 0, NULL, NULL},
};

static bool parse_kind(const struct call *call, uint64_t *kind)
{
	char name[32];
	const char *given = call_value(call, "kind", "mission");
	snprintf(name, sizeof name, "%s", given);
	for (char *at = name; *at != '\0'; at++)
		*at = *at == '-' ? ' ' : *at;
	for (*kind = POST_MISSION; *kind <= POST_HEADQUARTERS; ++*kind)
		if (strcasecmp(name, post_kind_name(*kind)) == 0)
			return true;
	call_usage(call, "'%s' is no kind of post: see --help", given);
	return false;
}

static bool parse_pin(const struct call *call, uint8_t pin[32])
{
	const char *text = call_value(call, "pin", "");
	size_t size = 0;
	if (sodium_hex2bin(pin, 32, text, strlen(text), NULL, &size, NULL) == 0 && size == 32 &&
	    strlen(text) == 64)
		return true;
	call_usage(call, "--pin takes the 64 hexadecimal digits that liaison-courierd --show-pin prints");
	return false;
}

static bool free_slot(const struct call *call, const struct party_directory *party, uint64_t *slot)
{
	unsigned long long given = 0;
	if (!call_number(call, "slot", 0, POST_SLOTS - 1, 0, &given))
		return false;
	*slot = given;
	if (call_has(call, "slot"))
		return true;
	while (*slot < POST_SLOTS && party->chain.posts[*slot].known)
		++*slot;
	if (*slot < POST_SLOTS)
		return true;
	call_fail(call, "all %d slots of the party are taken: name one with --slot", POST_SLOTS);
	return false;
}

/* The letter that names the post, with its statement key of the root seed. */
static bool fill_in(const struct call *call, const struct party_directory *party, const uint8_t root_seed[32],
		    struct post_letter *letter)
{
	const char *name = call_value(call, "name", NULL);
	const char *node = call_value(call, "node", NULL);
	if (name == NULL || node == NULL) {
		call_usage(call, "give --name and --node");
		return false;
	}
	struct ed25519_pair pair;
	post_statement_pair(root_seed, &pair);
	memcpy(letter->statement_key, pair.key, PUBLIC_KEY_SIZE);
	ed25519_pair_erase(&pair);
	letter->name = bytes_of_text(name);
	letter->node = bytes_of_text(node);
	return parse_kind(call, &letter->kind) && parse_pin(call, letter->courier_pin) &&
	       free_slot(call, party, &letter->slot);
}

static bool write_post_file(const struct call *call, const struct party_directory *party,
			    const uint8_t root_seed[32], uint64_t slot)
{
	char path[PATH_MAX];
	struct post_file *file = calloc(1, sizeof *file);
	uint8_t *memory = malloc(POST_FILE_SIZE_MAX);
	bool done = file != NULL && memory != NULL &&
		    path_join(call, call->operand[0], "post.init", path, sizeof path);
	if (done) {
		struct buffer buffer = buffer_make(memory, POST_FILE_SIZE_MAX);
		memcpy(file->root_seed, root_seed, sizeof file->root_seed);
		file->slot = slot;
		file->letters_count = party->letters_count;
		memcpy(file->letters, party->letters, party->letters_count * sizeof party->letters[0]);
		file->address = bytes_of_text(call_value(call, "address", ""));
		post_file_encode(file, &buffer);
		done = file_create(call, path, buffer_bytes(&buffer), 0600);
		sodium_memzero(file, sizeof *file);
		sodium_memzero(memory, POST_FILE_SIZE_MAX);
	}
	free(memory);
	free(file);
	return done;
}

static int run_create(struct call *call)
{
	uint8_t root_seed[32];
	struct letter letter = {.kind = LETTER_POST};
	struct ed25519_pair authority;
	struct party_directory *party = party_directory_open(call);
	if (party == NULL)
		return 1;
	randombytes_buf(root_seed, sizeof root_seed);
	bool done = fill_in(call, party, root_seed, &letter.of.post) &&
		    party_directory_unlock(call, party, &authority);
	if (done) {
		done = directory_create(call, call->operand[0]) &&
		       party_directory_sign_letter(call, party, &authority, &letter) &&
		       write_post_file(call, party, root_seed, letter.of.post.slot);
		ed25519_pair_erase(&authority);
	}
	sodium_memzero(root_seed, sizeof root_seed);
	party_directory_close(party);
	if (!done)
		return 1;
	if (call->json)
		return output_json(call, json_pack("{s:s, s:I}", "post", call_value(call, "name", ""), "slot",
						   (json_int_t)letter.of.post.slot));
	return 0;
}

const struct command command_post_create = {
	.name = "post create",
	.operands = "DIR",
	.summary = "make a post: its directory, its keys, the letter that names it",
	.help = "Makes the directory DIR with the post's secrets in post.init, which liaisond takes in at "
		"its first\n"
		"start and erases. The party's authority signs the letter that names the post; its courier "
		"must exist\n"
		"already, because the letter carries the courier's pin.\n\n"
		"Example: liaison post create /srv/headquarters --party /safe/alliance --name Headquarters\n"
		"             --kind headquarters --node ipn:1001.0 --address 192.0.2.1:4556\n"
		"             --pin $(liaison-courierd --dir /srv/courier --show-pin)",
	.options = create_options,
	.operands_min = 1,
	.operands_max = 1,
	.run = run_create,
};
