#include "record/post_entry.h"

#include <assert.h>
#include <string.h>

#include "record/log.h"
#include "record/registry.h"

enum error post_entry(struct run *run, uint64_t channel_number, struct content *content)
{
	struct aad *aad = run_take(run, sizeof(*aad));
	struct cose_signed *object = run_take(run, sizeof(*object));
	struct channel channel;
	struct entry_key key = {.channel = channel_number};
	struct entry entry;

	enum error error = registry_channel(run, channel_number, &channel);
	if (error == ERROR_OK)
		error = registry_aad(run, &channel, AAD_ENTRY, channel.own_index, aad);
	if (error != ERROR_OK)
		return run_must(error);
	content->signers_count = 0;
	memcpy(content->registry, channel.registry, sizeof(content->registry));
	run_random(run, content->id, sizeof(content->id));
	struct buffer payload = run_buffer(run, 4096);
	content_encode(content, &payload);
	assert(buffer_error(&payload) == ERROR_OK);
	struct log_item item = {.channel = &channel, .content = content, .object = object};
	item.cose = run_sign(run, aad, buffer_bytes(&payload));
	enum error decoded = cose_signed_decode(item.cose, object);
	assert(decoded == ERROR_OK);
	identity_of(aad, buffer_bytes(&payload), item.identity);
	return log_append(run, &item, &key, &entry);
}
