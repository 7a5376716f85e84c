/*
 * What every signature made here has in common: the exact bytes are rendered, shown, agreed to, then signed.
 */
#ifndef CLI_SIGNING_H
#define CLI_SIGNING_H

#include <stdio.h>

#include "cli/command.h"
#include "envelope/render.h"
#include "envelope/signed.h"

/* Content with its common fields set: precedence, random id, the registry version (NULL: zeros). */
void content_begin(struct content *content, uint64_t kind, uint64_t precedence,
		   const uint8_t registry[REGISTRY_SIZE]);

/*
 * Encodes the content, checks it (terms: NULL where there is no channel), renders the encoded bytes to
 * standard error (with --json and with --yes too), asks, and signs alone: appends the COSE_Sign1 to `out`.
 * False after an error message; nothing is signed then.
 */
bool sign_shown(const struct call *call, const struct content *content, const struct terms *terms,
		const struct aad *aad, const struct render_names *names, const struct ed25519_pair *pair,
		struct buffer *out);

/* Shows the rendered payload on `stream`. False after an error message. */
bool show_payload(const struct call *call, struct bytes payload, const struct render_names *names,
		  FILE *stream);

#endif
