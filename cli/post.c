#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <sodium.h>

#include "base/place.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/output.h"
#include "cli/party_directory.h"
#include "envelope/post_file.h"
#include "envelope/reference.h"

static const struct option create_options[] = {
	{"name", 'n', "NAME", "the post's name, as message references will show it"},
	{"kind", 'k', "KIND",
	 "mission, embassy, liaison-mission, information-bureau, capital or headquarters"},
	{"slot", 0, "NUMBER", "its slot in the keyings, 0 to 63 (the lowest free one if not given)"},
	{"node", 0, "NODE", "its courier's node id, such as ipn:1001.0"},
	{"pin", 0, "HEX", "its courier's pin: liaison-courierd --dir DIR --show-pin prints it"},
	{"address", 0, "ADDRESS:PORT", "where its courier can be reached, numeric, for cards (a hint)"},
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

/* Whoever reads `NAME 0001/26` must find the name and the number again; `NAME` alone must be no reference. */
static bool name_is_fit(const struct call *call, struct bytes name)
{
	uint8_t memory[REFERENCE_SIZE_MAX + NAME_SIZE_MAX];
	struct buffer text = buffer_make(memory, sizeof memory);
	struct reference reference;
	if (name.size <= NAME_SIZE_MAX && text_is_plain_line(name) && text_blank_size(name) < name.size &&
	    strchr(call_value(call, "name", ""), '/') == NULL &&
	    reference_parse(name, &reference) != ERROR_OK) {
		reference_append(&text, name, 1, 0, 0);
		if (reference_parse(buffer_bytes(&text), &reference) == ERROR_OK &&
		    reference.incarnation == 1 && reference.position == 0 &&
		    reference.post_name.size == name.size &&
		    reference_name_matches(reference.post_name, name))
			return true;
	}
	call_usage(call,
		   "that name would make references that cannot be read: use 1 to %d bytes of words, without "
		   "'/' "
		   "and without a number or a space at the end",
		   NAME_SIZE_MAX);
	return false;
}

static bool places_are_fit(const struct call *call, const char *node)
{
	const char *address = call_value(call, "address", NULL);
	if (!place_is_node(bytes_of_text(node))) {
		call_usage(call, "'%s' is no node id: write it as ipn:1001.0 or dtn://name/", node);
		return false;
	}
	if (address == NULL || place_is_address(bytes_of_text(address)))
		return true;
	call_usage(call, "'%s' is no address: write it as 192.0.2.1:4556 or [2001:db8::1]:4556", address);
	return false;
}

/* No other post of the party has that name or that node: references and bundles would not tell them apart. */
static bool is_alone(const struct call *call, const struct party_directory *party,
		     const struct post_letter *letter)
{
	for (uint64_t slot = 0; slot < POST_SLOTS; slot++) {
		const struct card_post *other = &party->chain.posts[slot];
		if (!other->known || slot == letter->slot)
			continue;
		bool same_name = reference_name_matches(letter->name, other->letter.name);
		if (!same_name && !bytes_equal(letter->node, other->letter.node))
			continue;
		call_fail(call, "post %u of the party has that %s already: give this one another",
			  (unsigned)slot, same_name ? "name" : "node id");
		return false;
	}
	return true;
}

/* The letter that names the post, with its statement key of the root seed. */
static bool fill_in(const struct call *call, const struct party_directory *party, const uint8_t root_seed[32],
		    struct post_letter *letter)
{
	const char *name = call_value(call, "name", NULL);
	const char *node = call_value(call, "node", NULL);
	if (name == NULL)
		return call_usage(call, "name the post: --name NAME") == 0;
	if (node == NULL)
		return call_usage(call, "say its courier's node id: --node NODE, such as ipn:1001.0") == 0;
	struct ed25519_pair pair;
	post_statement_pair(root_seed, &pair);
	memcpy(letter->statement_key, pair.key, PUBLIC_KEY_SIZE);
	ed25519_pair_erase(&pair);
	letter->name = bytes_of_text(name);
	letter->node = bytes_of_text(node);
	return parse_kind(call, &letter->kind) && parse_pin(call, letter->courier_pin) &&
	       free_slot(call, party, &letter->slot) && name_is_fit(call, letter->name) &&
	       places_are_fit(call, node) && is_alone(call, party, letter);
}

/* Writes post.init to `path`. */
static bool write_post_file(const struct call *call, const struct party_directory *party,
			    const uint8_t root_seed[32], uint64_t slot, const char *path)
{
	struct post_file *file = calloc(1, sizeof *file);
	uint8_t *memory = malloc(POST_FILE_SIZE_MAX);
	bool done = file != NULL && memory != NULL;
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
	} else {
		call_fail_error(call, path, ERROR_NO_MEMORY);
	}
	free(memory);
	free(file);
	return done;
}

/* The letter is signed first, and joins the party's chain last: until then nothing has happened. */
static bool make_post(const struct call *call, struct party_directory *party,
		      const struct ed25519_pair *authority, const uint8_t root_seed[32],
		      struct letter *letter)
{
	char path[PATH_MAX];
	const char *directory = call->operand[0];
	bool was_there = access(directory, F_OK) == 0;
	if (!path_join(call, directory, "post.init", path, sizeof path) || !directory_create(call, directory))
		return false;
	bool done = party_directory_sign_letter(call, party, authority, letter) &&
		    write_post_file(call, party, root_seed, letter->of.post.slot, path);
	if (done && !party_directory_save_letters(call, party)) {
		done = false;
		file_erase(call, path);
	}
	if (!done && !was_there)
		rmdir(directory);
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
		done = make_post(call, party, &authority, root_seed, &letter);
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
	.help = "Makes the directory DIR, or takes one that is there and empty, with the post's secrets in "
		"post.init, which liaisond takes in at its first start and erases. The party's authority "
		"signs the letter that names the post; its courier must exist already, because the letter "
		"carries the courier's pin.\n\n"
		"Example: liaison post create /srv/headquarters --party /safe/alliance --name Headquarters\n"
		"             --kind headquarters --node ipn:1001.0 --address 192.0.2.1:4556\n"
		"             --pin $(liaison-courierd --dir /srv/courier --show-pin)",
	.options = create_options,
	.takes = TAKES_PARTY | TAKES_PASSPHRASE | TAKES_YES,
	.operands_min = 1,
	.operands_max = 1,
	.lasting = "the post was made",
	.run = run_create,
};
