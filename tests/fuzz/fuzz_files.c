/*
 * What commands and couriers read of files: exports of a record (cli/export.h), secret files
 * (cli/secret_file.h) and courier.conf (courier/config.h). The first byte chooses, the rest is what is
 * read.
 *
 * An export is that of a true record, changed step by step: as anyone might change the file, and as might who
 * has the keys of one of its posts and signs what he writes. What is accepted of it was signed by who may.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/export.h"
#include "cli/output.h"
#include "cli/secret_file.h"
#include "courier/config.h"
#include "envelope/checkpoint.h"
#include "envelope/signed.h"
#include "record/registry.h"
#include "tests/fuzz/cbor_mutator.h"
#include "tests/fuzz/record_case.h"
#include "tests/fuzz/steps.h"
#include "tests/unit/record/world_inside.h"

#define READERS 3

enum reader { READ_EXPORT, READ_CONFIG, READ_SECRET_FILE };

enum kind {
	SET,    /* list, element, member, value: bytes as hexadecimal, text, or a number */
	REMOVE, /* list, element */
	DOUBLE, /* list, element, to which place */
	FORGET, /* list, element, member */
	WRITE,  /* signer, spoil, element, payload: the entry anew, or one more, with its leaf */
	MEND,   /* every head of the hostile post's log over what its leaves are now, signed */
	TOP,    /* member, value: of the export itself */
	KINDS,
};

static const char *const lists[] = {"entries", "logs", "equivocations", "roster"};
static const char *const members[] = {
	"log",       "incarnation",  "position",    "cose",        "leaf",    "receipt",
	"reference", "size",         "root",        "origin",      "log_key", "signature",
	"cosigner",  "cosigner_key", "cosigned_at", "cosignature", "note",    "held_at_ms",
	"proof",     "channel",      "roster",      "entries",     "logs",    "equivocations"};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Made with the first input: libFuzzer has no place for a parameter of ours. */
static struct {
	struct record_case of;
	json_t *export;
	bool misused;
	struct command command;
	struct call call;
	uint8_t cose[ENTRY_SIZE_MAX];
	char path[32]; /* of a secret file */
	int descriptor;
} made;

/* ---- the export of a true record ---- */

static void set_hex(json_t *object, const char *name, struct bytes bytes)
{
	json_object_set_new(object, name, output_json_hex(bytes));
}

static void add_entry(json_t *entries, const struct row *row)
{
	const struct store *store = &made.of.world->posts[TRIED].store;
	struct entry_key place = {load_u16(row->key.data + 1), load_u16(row->key.data + 3),
				  load_u16(row->key.data + 5), load_u32(row->key.data + 7)};
	struct row_key cose_key = key_entry(TABLE_COSE, &place);
	uint8_t reference_bytes[REFERENCE_SIZE_MAX];
	struct buffer reference = buffer_make(reference_bytes, sizeof(reference_bytes));
	struct entry entry;
	struct row cose;
	size_t at = 0;
	json_t *object = json_object();

	assert(schema_read(&schema_entry, row->value, &entry) == ERROR_OK);
	assert(store_find(store, key_view(&cose_key), &at, &cose));
	json_object_set_new(object, "log", json_integer((json_int_t)place.log));
	json_object_set_new(object, "incarnation", json_integer((json_int_t)place.incarnation));
	json_object_set_new(object, "position", json_integer((json_int_t)place.position));
	set_hex(object, "cose", cose.value);
	set_hex(object, "leaf", entry.leaf);
	struct row_key receipt_key = key_make(TABLE_RECEIPT);
	key_u64(&receipt_key, entry.receipt);
	struct receipt_row receipt = {0};
	if (entry.receipt != 0 &&
	    world_row(made.of.world, TRIED, &receipt_key, &schema_receipt_row, &receipt))
		set_hex(object, "receipt", receipt.cose);
	else
		set_hex(object, "receipt", bytes_make(NULL, 0));
	reference_append(
		&reference,
		bytes_of_text(place.log == world_log_of(made.of.world, TRIED) ? "Headquarters" : "Embassy"),
		place.incarnation, place.position, entry.time);
	json_object_set_new(object, "reference", output_json_text(buffer_bytes(&reference)));
	json_array_append_new(entries, object);
}

/* As the post answers HEADS. */
static json_t *heads_of_record(void)
{
	static const char *const names[] = {"log",          "incarnation", "size",       "root",
					    "origin",       "log_key",     "signature",  "cosigner",
					    "cosigner_key", "cosigned_at", "cosignature"};
	struct bytes channel = bytes_make(made.of.world->channel, CHANNEL_ID_SIZE);
	json_t *heads = json_array();

	assert(world_request_bytes(made.of.world, TRIED, LOCAL_HEADS, &channel) == ERROR_OK);
	struct cbor_reader reader = world_results(&made.of.world->posts[TRIED]);
	for (size_t left = cbor_read_array(&reader, SIZE_MAX); left > 0; left--) {
		json_t *head = json_object();
		cbor_read_array_exact(&reader, COUNT(names));
		for (size_t i = 0; i < COUNT(names); i++) {
			if (cbor_peek(&reader) == CBOR_UINT)
				json_object_set_new(head, names[i],
						    json_integer((json_int_t)cbor_read_uint(&reader)));
			else if (cbor_peek(&reader) == CBOR_TEXT)
				json_object_set_new(head, names[i],
						    output_json_text(cbor_read_text(&reader, SIZE_MAX)));
			else if (!cbor_read_null(&reader))
				set_hex(head, names[i], cbor_read_bytes(&reader, SIZE_MAX));
		}
		json_array_append_new(heads, head);
	}
	assert(cbor_reader_error(&reader) == ERROR_OK && json_array_size(heads) == 2);
	return heads;
}

static int verify(const json_t *export)
{
	return export_verify(&made.call, export);
}

static void make(void)
{
	const uint8_t prefix = TABLE_ENTRY;
	json_t *entries = json_array();
	json_t *roster = json_array();
	struct row row;
	size_t at = 0;

	record_case_begin(&made.of);
	world_run(made.of.world, 600000, 20000); /* heads are exchanged and cosigned */
	while (store_find(&made.of.world->posts[TRIED].store, bytes_make(&prefix, 1), &at, &row))
		add_entry(entries, &row);
	for (size_t i = 0; i < made.of.world->roster.count; i++)
		json_array_append_new(
			roster, output_json_hex(bytes_make(made.of.world->roster.ids[i], PARTY_ID_SIZE)));
	made.export = json_object();
	set_hex(made.export, "channel", bytes_make(made.of.world->channel, CHANNEL_ID_SIZE));
	json_object_set_new(made.export, "roster", roster);
	json_object_set_new(made.export, "entries", entries);
	json_object_set_new(made.export, "logs", heads_of_record());
	json_object_set_new(made.export, "equivocations", json_array());
	made.command.name = "verify";
	made.call = (struct call){.command = &made.command, .is_misused = &made.misused, .json = true};
	/* Of mode 0600, as secret files must be. */
	snprintf(made.path, sizeof(made.path), "/tmp/fuzz_files_XXXXXX");
	made.descriptor = mkstemp(made.path);
	assert(made.descriptor >= 0 && unlink(made.path) == 0);
	snprintf(made.path, sizeof(made.path), "/proc/self/fd/%d", made.descriptor);
	assert(verify(made.export) == 0); /* or nothing is tried here */
}

/* ---- changing it ---- */

/* The value of a step: a number, bytes as hexadecimal digits, text as it is; or the whole of another list. */
static json_t *value_of(struct step *step, const json_t *export)
{
	if (cbor_peek(&step->arguments) == CBOR_UINT)
		return json_integer((json_int_t)cbor_read_uint(&step->arguments));
	if (cbor_peek(&step->arguments) == CBOR_NEGATIVE)
		return json_integer(cbor_read_int(&step->arguments));
	if (cbor_peek(&step->arguments) == CBOR_TEXT)
		return output_json_text(cbor_read_text(&step->arguments, SIZE_MAX));
	if (cbor_peek(&step->arguments) == CBOR_BYTES)
		return output_json_hex(cbor_read_bytes(&step->arguments, SIZE_MAX));
	return json_incref(json_object_get(export, "roster"));
}

static json_t *list_of(struct step *step, json_t *export)
{
	return json_object_get(export, lists[step_number(step) % COUNT(lists)]);
}

static bool leaf_of(json_t *object, struct leaf *leaf)
{
	static uint8_t bytes[ENTRY_SIZE_MAX];
	size_t size;
	const char *text = json_string_value(json_object_get(object, "leaf"));

	return text != NULL &&
	       sodium_hex2bin(bytes, sizeof(bytes), text, strlen(text), NULL, &size, NULL) == 0 &&
	       leaf_decode(bytes_make(bytes, size), leaf) == ERROR_OK;
}

/* An entry of the hostile post's log, where one of the export's stood, or behind the last. */
static void write_entry(json_t *export, struct step *step)
{
	static struct leaf leaf;
	static struct aad aad;
	static uint8_t leaf_bytes[LEAF_SIZE_MAX];
	const struct world *world = made.of.world;
	struct buffer cose = buffer_make(made.cose, sizeof(made.cose));
	struct buffer encoded = buffer_make(leaf_bytes, sizeof(leaf_bytes));
	enum signer signer = (enum signer)(step_number(step) % SIGNERS);
	uint64_t spoil = step_number(step) % 8;
	json_t *entries = json_object_get(export, "entries");
	uint64_t at = step_number(step);
	struct bytes payload = step_bytes(step);
	struct cose_signed object;

	if (!json_is_array(entries) || json_array_size(entries) == 0 || payload.size > CONTENT_SIZE_MAX)
		return;
	json_t *entry = json_array_get(entries, at % json_array_size(entries));
	if (!leaf_of(entry, &leaf))
		return;
	record_case_sign_entry(&made.of, signer, spoil, payload, &cose);
	if (cose_signed_decode(buffer_bytes(&cose), &object) != ERROR_OK)
		return;
	aad_on_channel(&aad, AAD_ENTRY, world->channel, &world->roster,
		       log_roster_index(world_log_of(world, HOSTILE)));
	identity_of(&aad, payload, leaf.identity);
	cose_signatures_hash(&object, leaf.signatures_hash);
	leaf_encode(&leaf, &encoded);
	set_hex(entry, "cose", buffer_bytes(&cose));
	set_hex(entry, "leaf", buffer_bytes(&encoded));
	set_hex(entry, "receipt", bytes_make(NULL, 0));
}

/* The root of so many leaves of a log, in the order of the export; what is no leaf counts as none. */
static uint64_t root_of(const json_t *export, uint64_t log, struct merkle_hash *root)
{
	static struct merkle_frontier frontier;
	static uint8_t bytes[ENTRY_SIZE_MAX];
	struct merkle_node nodes[MERKLE_LEVELS_MAX];
	size_t completed;
	size_t i;
	json_t *entry;

	merkle_frontier_init(&frontier);
	json_array_foreach(json_object_get(export, "entries"), i, entry)
	{
		const char *text = json_string_value(json_object_get(entry, "leaf"));
		struct merkle_hash hash;
		size_t size;
		if ((uint64_t)json_integer_value(json_object_get(entry, "log")) != log || text == NULL ||
		    sodium_hex2bin(bytes, sizeof(bytes), text, strlen(text), NULL, &size, NULL) != 0)
			continue;
		merkle_leaf_hash(bytes_make(bytes, size), &hash);
		assert(merkle_append(&frontier, &hash, nodes, &completed) == ERROR_OK);
	}
	merkle_frontier_root(&frontier, root);
	return frontier.size;
}

static void mend_heads(json_t *export)
{
	const struct world *world = made.of.world;
	uint64_t log = world_log_of(world, HOSTILE);
	char origin[CHECKPOINT_ORIGIN_SIZE + 1];
	struct row_key key = key_make(TABLE_POST);
	uint8_t signature[ED25519_SIGNATURE_SIZE];
	struct ed25519_pair pair;
	struct own_post own;
	size_t i;
	json_t *head;

	assert(world_row(world, HOSTILE, &key, &schema_own_post, &own));
	registry_own_log(&own, world->channel, &pair);
	checkpoint_origin(world->channel, own.party_id, own.slot, 1, origin);
	json_array_foreach(json_object_get(export, "logs"), i, head)
	{
		struct checkpoint checkpoint = {.origin = bytes_of_text(origin)};
		if ((uint64_t)json_integer_value(json_object_get(head, "log")) != log)
			continue;
		checkpoint.size = root_of(export, log, &checkpoint.root);
		assert(checkpoint_sign(&checkpoint, &pair, signature) == ERROR_OK);
		json_object_set_new(head, "size", json_integer((json_int_t)checkpoint.size));
		set_hex(head, "root", bytes_make(checkpoint.root.bytes, sizeof(checkpoint.root.bytes)));
		set_hex(head, "signature", bytes_make(signature, sizeof(signature)));
		json_object_del(head, "cosignature"); /* nobody saw it */
	}
}

static void change(json_t *export, struct step *step)
{
	json_t *list;
	size_t at;

	switch ((enum kind)step->kind) {
	case SET:
	case FORGET:
		list = list_of(step, export);
		at = step_number(step);
		json_t *element =
			json_array_get(list, json_array_size(list) == 0 ? 0 : at % json_array_size(list));
		const char *member = members[step_number(step) % COUNT(members)];
		if (step->kind == FORGET)
			json_object_del(element, member);
		else
			json_object_set_new(element, member, value_of(step, export));
		break;
	case REMOVE:
		list = list_of(step, export);
		at = step_number(step);
		json_array_remove(list, json_array_size(list) == 0 ? 0 : at % json_array_size(list));
		break;
	case DOUBLE:
		list = list_of(step, export);
		at = step_number(step);
		if (json_array_size(list) > 0 && json_array_size(list) < 64)
			json_array_insert_new(
				list, step_number(step) % json_array_size(list),
				json_deep_copy(json_array_get(list, at % json_array_size(list))));
		break;
	case WRITE:
		write_entry(export, step);
		break;
	case MEND:
		mend_heads(export);
		break;
	case TOP:
		member = members[step_number(step) % COUNT(members)];
		json_object_set_new(export, member, value_of(step, export));
		break;
	case KINDS:
		break;
	}
}

/* ---- what must hold ---- */

/* True if the signed bytes stand in the true record, or were signed rightly here. */
static bool was_signed(const char *text)
{
	static struct signed_entry entry;
	static struct aad aad;
	const struct world *world = made.of.world;
	uint8_t identity[IDENTITY_SIZE];
	size_t size;
	size_t i;
	json_t *known;

	json_array_foreach(json_object_get(made.export, "entries"), i, known)
	{
		if (strcasecmp(text, json_string_value(json_object_get(known, "cose"))) == 0)
			return true;
	}
	if (sodium_hex2bin(made.cose, sizeof(made.cose), text, strlen(text), NULL, &size, NULL) != 0 ||
	    entry_decode(bytes_make(made.cose, size), &entry) != ERROR_OK)
		return false;
	aad_on_channel(&aad, AAD_ENTRY, world->channel, &world->roster,
		       log_roster_index(world_log_of(world, HOSTILE)));
	identity_of(&aad, entry.cose.payload, identity);
	for (i = 0; i < made.of.signed_count; i++)
		if (memcmp(identity, made.of.of_signed[i].identity, sizeof(identity)) == 0)
			return true;
	return false;
}

static void read_export(struct bytes input)
{
	struct steps steps = steps_make(input);
	json_t *export = json_deep_copy(made.export);
	struct step step;
	size_t i;
	json_t *entry;

	made.of.signed_count = 0;
	while (steps_next(&steps, KINDS, &step))
		change(export, &step);
	int code = verify(export);
	assert(code == 0 || code == 1 || code == 3);
	if (code != 1) {
		json_array_foreach(json_object_get(export, "entries"), i, entry)
		{
			const char *text = json_string_value(json_object_get(entry, "cose"));
			assert(text != NULL && (text[0] == '\0' || was_signed(text)));
		}
	}
	json_decref(export);
}

static void read_config(struct bytes text)
{
	static struct config config;
	char message[CONFIG_MESSAGE_SIZE_MAX];
	unsigned line;

	memset(message, 0, sizeof(message));
	if (config_parse(&config, text, text.size % 2 == 0, &line, message) != ERROR_OK) {
		assert(message[0] != '\0' && memchr(message, '\0', sizeof(message)) != NULL);
		return;
	}
	assert(config.node[0] != '\0' && config.neighbour_count <= NEIGHBOURS_MAX &&
	       config.path_count <= PATHS_MAX);
	for (unsigned i = 1; i < config.neighbour_count; i++)
		assert(strcmp(config.neighbours[i - 1].name, config.neighbours[i].name) < 0);
	for (unsigned i = 0; i < config.path_count; i++)
		assert(strcmp(config.neighbours[config.paths[i].neighbour].name, config.paths[i].via) == 0);
}

/* Read without its passphrase: what it says of itself. */
static void read_secret_file(struct bytes bytes)
{
	struct secret_file file;

	assert(ftruncate(made.descriptor, 0) == 0);
	assert(pwrite(made.descriptor, bytes.data, bytes.size, 0) == (ssize_t)bytes.size);
	if (!secret_file_read_public(&made.call, made.path, "officer key", &file))
		return;
	assert(file.public_part.data > file.memory &&
	       file.public_part.data + file.public_part.size <= file.memory + file.memory_size);
	secret_file_close(&file);
}

/* ---- the target ---- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes input = bytes_make(data + 1, size == 0 ? 0 : size - 1);

	if (made.export == NULL)
		make();
	switch (size == 0 ? READ_EXPORT : (enum reader)(data[0] % READERS)) {
	case READ_EXPORT:
		read_export(input);
		break;
	case READ_CONFIG:
		read_config(input);
		break;
	case READ_SECRET_FILE:
		read_secret_file(input);
		break;
	}
	return 0;
}

size_t target_cbor_at(struct bytes input)
{
	return input.size == 0 || input.data[0] % READERS == READ_CONFIG ? input.size : 1;
}
