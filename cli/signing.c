#include "cli/signing.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

void content_begin(struct content *content, uint64_t kind, uint64_t precedence,
		   const uint8_t registry[REGISTRY_SIZE])
{
	*content = (struct content){.kind = kind, .precedence = precedence};
	if (registry != NULL)
		memcpy(content->registry, registry, REGISTRY_SIZE);
	randombytes_buf(content->id, sizeof content->id);
}

bool show_payload(const struct call *call, struct bytes payload, const struct render_names *names,
		  FILE *stream)
{
	struct content *room = malloc(sizeof *room);
	uint8_t *memory = malloc(RENDER_SIZE_MAX);
	struct buffer text = buffer_make(memory, memory != NULL ? RENDER_SIZE_MAX : 0);
	enum error error = room != NULL ? render_payload(payload, names, room, &text) : ERROR_NO_MEMORY;
	if (error == ERROR_OK)
		fwrite(text.data, 1, text.size, stream);
	else
		call_fail_error(call, "the content cannot be shown, so it is not to be signed", error);
	free(memory);
	free(room);
	return error == ERROR_OK;
}

/* Encodes and checks what was encoded: what is signed is what was checked and shown. */
static enum error encode_checked(const struct content *content, const struct terms *terms,
				 struct buffer *payload)
{
	content_encode(content, payload);
	enum error error = buffer_error(payload);
	struct content *again = malloc(sizeof *again);
	if (again == NULL)
		return ERROR_NO_MEMORY;
	if (error == ERROR_OK)
		error = content_decode(buffer_bytes(payload), again);
	if (error == ERROR_OK)
		error = content_check(again, terms);
	free(again);
	return error;
}

bool sign_shown(const struct call *call, const struct content *content, const struct terms *terms,
		const struct aad *aad, const struct render_names *names, const struct ed25519_pair *pair,
		struct buffer *out)
{
	uint8_t *memory = malloc(CONTENT_SIZE_MAX + SIGNED_WORK_SIZE);
	if (memory == NULL) {
		call_fail_error(call, "signing", ERROR_NO_MEMORY);
		return false;
	}
	struct buffer payload = buffer_make(memory, CONTENT_SIZE_MAX);
	struct buffer work = buffer_make(memory + CONTENT_SIZE_MAX, SIGNED_WORK_SIZE);
	enum error error = encode_checked(content, terms, &payload);
	bool done = error == ERROR_OK;
	if (!done)
		call_fail_error(call, "this cannot be sent", error);
	else
		done = show_payload(call, buffer_bytes(&payload), names, stderr) &&
		       call_confirm(call, "Sign this?", stderr);
	if (done) {
		error = signed_alone(pair, aad, buffer_bytes(&payload), &work, out);
		done = error == ERROR_OK;
		if (!done)
			call_fail_error(call, "signing", error);
	}
	free(memory);
	return done;
}
