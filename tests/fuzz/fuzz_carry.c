/*
 * carry/: bundles, fragments and endpoint ids. The first byte chooses the reader, the rest is what it reads.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/place.h"
#include "carry/bundle.h"
#include "carry/fragment.h"
#include "tests/fuzz/bundle_items.h"
#include "tests/fuzz/cbor_mutator.h"
#include "tests/fuzz/steps.h"

#define READERS 5

enum reader { READ_BUNDLE, READ_BUNDLE_AS_IT_IS, READ_EID_TEXT, READ_EID, READ_FRAGMENTS };

/* ---- bundles ---- */

static bool same_identity(const struct bundle *a, const struct bundle *b)
{
	struct bundle_identity identities[2];

	bundle_identify_whole(a, &identities[0]);
	bundle_identify_whole(b, &identities[1]);
	return bytes_equal(bytes_make(identities[0].bytes, identities[0].size),
			   bytes_make(identities[1].bytes, identities[1].size));
}

/* Forwarded in pieces of at most size_max bytes: each is a bundle, and together they are the payload. */
static void cut(const struct bundle *bundle, size_t size_max)
{
	static uint8_t memory[BUNDLE_SIZE_MAX + BUNDLE_GROWTH_SIZE_MAX];
	static uint8_t unit[BUNDLE_SIZE_MAX];
	struct eid node = {.scheme = EID_IPN, .node = 77};
	struct bundle_forwarding forwarding = {.previous_node = &node, .age_ms = 12345};
	struct reassembly reassembly;
	size_t offset = 0;

	if (bundle->hop_count >= 255 || bundle->payload.size == 0 ||
	    reassembly_make(&reassembly, bundle->payload.size, unit, sizeof(unit)) != ERROR_OK)
		return;
	do {
		struct buffer buffer = buffer_make(memory, sizeof(memory));
		struct bundle piece;
		size_t before = offset;
		enum error error = fragment_next(&buffer, bundle, &forwarding, size_max, &offset);
		if (error != ERROR_OK) {
			assert(error == ERROR_UNSUPPORTED || error == ERROR_TOO_LARGE);
			assert(offset == before && buffer.size == 0);
			return;
		}
		assert(buffer.size <= size_max && offset > before);
		if (buffer.size > BUNDLE_SIZE_MAX)
			return;
		assert(bundle_read(buffer_bytes(&buffer), &piece) == ERROR_OK);
		assert(same_identity(bundle, &piece) && bundle->lifetime_ms == piece.lifetime_ms);
		assert(!piece.has_age || piece.age_ms == forwarding.age_ms);
		assert(piece.payload.size == offset - before);
		assert(reassembly_add(&reassembly, bundle->payload.size, before, piece.payload) == ERROR_OK);
	} while (offset < bundle->payload.size);
	assert(reassembly_whole(&reassembly) &&
	       memcmp(unit, bundle->payload.data, bundle->payload.size) == 0);
}

static void read_bundle(struct bytes bytes)
{
	struct bundle bundle;

	if (bundle_read(bytes, &bundle) != ERROR_OK)
		return;
	assert(bundle.blocks_count >= 1 && bundle.blocks_count <= BUNDLE_BLOCKS_MAX);
	assert(bundle_remaining_ms(&bundle, 0) <= bundle.lifetime_ms);
	assert(bundle_remaining_ms(&bundle, UINT64_MAX) <= bundle.lifetime_ms);
	for (size_t i = 0; i < bundle.blocks_count; i++)
		assert(bundle.blocks[i].encoded.data > bytes.data &&
		       bundle.blocks[i].encoded.data + bundle.blocks[i].encoded.size <
			       bytes.data + bytes.size);
	(void)bundle_must_be_deleted(&bundle);
	cut(&bundle, BUNDLE_SIZE_MAX);
	cut(&bundle, bytes.size / 2);
	cut(&bundle, bytes.size - 1 - bytes.size / 16);
}

static void read_bundle_items(struct bytes items)
{
	struct buffer bundle = buffer_make(malloc(items.size + 2), items.size + 2);

	if (bundle.data == NULL)
		return;
	bundle_of_items(items, true, &bundle);
	read_bundle(buffer_bytes(&bundle));
	free(bundle.data);
}

/* ---- endpoint ids ---- */

static void read_eid_text(struct bytes text)
{
	uint8_t memory[EID_SIZE_MAX];
	struct buffer again = buffer_make(memory, sizeof(memory));
	struct eid eid;
	struct eid same;

	if (eid_from_text(text, &eid) != ERROR_OK) {
		assert(!place_is_node(text));
		return;
	}
	eid_append_text(&again, &eid);
	assert(buffer_error(&again) == ERROR_OK);
	assert(eid_from_text(buffer_bytes(&again), &same) == ERROR_OK && (eid_equal(&eid, &same)));
	/* What the authority signs as a node id is one, in its one form. */
	struct eid node = eid_node(&eid);
	if (place_is_node(text))
		assert(eid_equal(&eid, &node) && !eid_is_null(&eid) && !eid_is_local(&eid) &&
		       bytes_equal(buffer_bytes(&again), text));
}

static void read_eid(struct bytes item)
{
	uint8_t memory[EID_ENCODED_SIZE_MAX];
	struct buffer again = buffer_make(memory, sizeof(memory));
	struct cbor_reader reader = cbor_reader_make(item);
	struct eid eid;
	struct eid same;

	eid_read(&reader, &eid);
	if (cbor_reader_error(&reader) != ERROR_OK) {
		assert(eid_is_null(&eid));
		return;
	}
	eid_write(&again, &eid);
	assert(buffer_error(&again) == ERROR_OK);
	reader = cbor_reader_make(buffer_bytes(&again));
	eid_read(&reader, &same);
	assert(cbor_read_end(&reader) == ERROR_OK && eid_equal(&eid, &same));
	struct eid node = eid_node(&eid);
	assert(eid_is_null(&node) || eid_same_node(&eid, &node));
	assert(eid_precedence(&eid) <= 4);
}

/* ---- fragments ---- */

#define UNIT_SIZE_MAX 512

/* Against a plain map of what is held. */
struct model {
	uint64_t total;
	bool held[UNIT_SIZE_MAX];
	uint8_t unit[UNIT_SIZE_MAX];
};

static bool model_takes(const struct model *model, uint64_t total, uint64_t offset, struct bytes payload)
{
	if (total != model->total || offset > total || payload.size > total - offset)
		return false;
	for (size_t i = 0; i < payload.size; i++)
		if (model->held[offset + i] && model->unit[offset + i] != payload.data[i])
			return false;
	return true;
}

/* True if it brought anything. */
static bool model_add(struct model *model, uint64_t offset, struct bytes payload)
{
	bool news = false;

	for (size_t i = 0; i < payload.size; i++) {
		news |= !model->held[offset + i];
		model->held[offset + i] = true;
		model->unit[offset + i] = payload.data[i];
	}
	return news;
}

static void read_fragments(struct bytes input)
{
	struct steps steps = steps_make(input);
	struct reassembly reassembly;
	struct model model = {0};
	uint8_t unit[UNIT_SIZE_MAX];
	struct step step;

	if (!steps_next(&steps, 1, &step))
		return;
	model.total = step_number(&step) % UNIT_SIZE_MAX + 1;
	assert(reassembly_make(&reassembly, model.total, unit, sizeof(unit)) == ERROR_OK);
	while (steps_next(&steps, 1, &step)) {
		uint64_t total = step_number(&step);
		uint64_t offset = step_number(&step);
		struct bytes payload = step_bytes(&step);
		if (total < 2)
			total = model.total;
		enum error error = reassembly_add(&reassembly, total, offset, payload);
		assert((error == ERROR_OK || error == ERROR_DUPLICATE || error == ERROR_FULL) ==
		       model_takes(&model, total, offset, payload));
		if (error == ERROR_OK || error == ERROR_DUPLICATE)
			assert(model_add(&model, offset, payload) == (error == ERROR_OK));
	}
	for (size_t i = 0; i < model.total; i++)
		assert(!model.held[i] || model.unit[i] == unit[i]);
}

/* ---- the target ---- */

static void read_by(enum reader reader, struct bytes input)
{
	switch (reader) {
	case READ_BUNDLE:
		read_bundle_items(input);
		break;
	case READ_BUNDLE_AS_IT_IS:
		read_bundle(input);
		break;
	case READ_EID_TEXT:
		read_eid_text(input);
		break;
	case READ_EID:
		read_eid(input);
		break;
	case READ_FRAGMENTS:
		read_fragments(input);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *input = malloc(size + 1); /* of just its size, so that the sanitizer sees an over-read */

	if (size >= 2 && input != NULL) {
		memcpy(input, data + 1, size - 1);
		input = realloc(input, size - 1);
		read_by(data[0] % READERS, bytes_make(input, size - 1));
	}
	free(input);
	return 0;
}

size_t target_cbor_at(struct bytes input)
{
	enum reader reader = input.size == 0 ? READ_EID_TEXT : input.data[0] % READERS;
	bool plain = reader == READ_BUNDLE_AS_IT_IS || reader == READ_EID_TEXT;

	return plain ? input.size : 1;
}
