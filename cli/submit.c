#include "cli/submit.h"

#include <string.h>
#include <time.h>

#include "cli/progress.h"

/* A post just started waits for its courier, which is there in a moment if it was started, too. */
#define COURIER_WAIT_MS 5000
#define COURIER_ASK_MS  100

static enum error ask(struct client *client, const uint8_t channel[32], struct bytes cose,
		      struct cbor_reader *reply, char *detail, size_t detail_size)
{
	const struct timespec pause = {.tv_nsec = COURIER_ASK_MS * 1000000L};
	struct progress progress = progress_start("waiting for the courier, ms", COURIER_WAIT_MS);

	for (unsigned waited_ms = 0;; waited_ms += COURIER_ASK_MS) {
		size_t results;
		struct buffer *request = client_begin(client, LOCAL_SUBMIT, 2);
		cbor_write_bytes(request, bytes_make(channel, 32));
		cbor_write_bytes(request, cose);
		enum error error = client_request(client, reply, &results, detail, detail_size);
		progress_show(&progress, waited_ms);
		if (error != ERROR_AWAITS_COURIER || waited_ms >= COURIER_WAIT_MS) {
			progress_end(&progress);
			return error;
		}
		(void)nanosleep(&pause, NULL);
	}
}

bool submit(struct client *client, const struct call *call, const char *what, const uint8_t channel[32],
	    struct bytes cose, struct submitted *submitted)
{
	struct cbor_reader reply;
	char detail[512];
	enum error sent = ask(client, channel, cose, &reply, detail, sizeof detail);
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
