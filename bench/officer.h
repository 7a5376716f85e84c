/*
 * The officer who writes: signs messages in this process, as `liaison send` does, with the key that
 * `liaison officer create` made.
 */
#ifndef BENCH_OFFICER_H
#define BENCH_OFFICER_H

#include <stdbool.h>

#include "bench/api.h"
#include "bench/line.h"
#include "envelope/aad.h"
#include "envelope/content.h"
#include "envelope/ed25519.h"

#define OFFICER_TEXT_SIZE  160 /* bytes of each message's text */
#define OFFICER_ENTRY_SIZE 512 /* more than one signed message takes */

struct officer {
	struct ed25519_pair pair;
	struct aad aad;
	struct content content;
	uint8_t channel[CHANNEL_ID_SIZE];
	uint8_t payload[OFFICER_ENTRY_SIZE];
	uint8_t work[8192];
	uint64_t texts; /* signed so far: each text is another */
};

/*
 * Opens the key file of the side's officer (its format is in cli/secret_file.h) and learns the channel from
 * its post. False after an error message.
 */
bool officer_open(struct officer *officer, const struct side *side);
void officer_close(struct officer *officer);

/* Appends the next message, signed: a COSE_Sign1. False after an error message. */
bool officer_sign(struct officer *officer, struct buffer *out);

/* Writes a SUBMIT of the next message to `api` and sends it. False after an error message. */
bool officer_submit(struct officer *officer, struct api *api);

#endif
