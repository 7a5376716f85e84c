#include "cli/submit.h"

#include <string.h>

bool submit(struct client *client, const struct call *call, const char *what, const uint8_t channel[32],
	    struct bytes cose, struct submitted *submitted)
{
	struct cbor_reader reply;
	size_t results;
	struct buffer *request = client_begin(client, LOCAL_SUBMIT, 2);
	cbor_write_bytes(request, bytes_make(channel, 32));
	cbor_write_bytes(request, cose);
	char detail[512];
	enum error sent = client_request(client, &reply, &results, detail, sizeof detail);
	if (sent == ERROR_CLOSED) {
		call_fail(call,
			  "%s: the post's daemon stopped before it answered, so it may have taken this or "
			  "not: look at inbox --sent and log before doing it again",
			  what);
		return false;
	}
	if (sent != ERROR_OK) {
		client_explain(call, what, sent, detail);
		return false;
	}
	submitted->log = cbor_read_uint(&reply);
	submitted->incarnation = cbor_read_uint(&reply);
	submitted->position = cbor_read_uint(&reply);
	struct bytes reference = cbor_read_text(&reply, REFERENCE_SIZE_MAX);
	enum error error = cbor_read_end(&reply);
	if (error != ERROR_OK) {
		call_fail_error(call, "the post's answer", error);
		return false;
	}
	memcpy(submitted->reference, reference.data, reference.size);
	submitted->reference[reference.size] = '\0';
	return true;
}
