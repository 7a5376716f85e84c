/*
 * What the post knows of parties and channels, as the local API tells it, for commands to look things up in.
 */
#ifndef CLI_REGISTRY_H
#define CLI_REGISTRY_H

#include "cli/client.h"
#include "envelope/aad.h"
#include "envelope/reference.h"
#include "envelope/render.h"
#include "envelope/terms.h"

struct known_post {
	uint64_t slot;
	char name[NAME_SIZE_MAX + 1];
	char node[EID_SIZE_MAX + 1];
	uint8_t courier_pin[32];
};

struct known_party {
	uint8_t id[PARTY_ID_SIZE];
	char name[NAME_SIZE_MAX + 1];
	bool keyed; /* a keying with it has been accepted */
	size_t posts_count;
	struct known_post posts[POST_SLOTS];
	uint64_t chain_number; /* of the last card letter held */
	uint8_t chain_head[IDENTITY_SIZE];
};

struct known_parties {
	size_t count;
	struct known_party *party; /* [0] is the own party */
};

/* Asks PARTIES. False after an error message. Freed with known_parties_free. */
bool known_parties_get(struct client *client, const struct call *call, struct known_parties *parties);
void known_parties_free(struct known_parties *parties);

/*
 * The one party whose name is `text` (any case) or whose id begins with it (8 digits at least); never the own
 * party. NULL after an error message that lists those known.
 */
const struct known_party *known_party_find(const struct call *call, const struct known_parties *parties,
					   const char *text);

#define KNOWN_ID_DIGITS_MIN REFERENCE_ID_DIGITS_MIN /* hexadecimal digits of an id that may stand for it */
/* True if `text` is at least so many hexadecimal digits with which the id (32 bytes) begins. */
bool known_id_begins(const char *text, struct bytes id);

struct known_member {
	uint8_t id[PARTY_ID_SIZE];
	char name[NAME_SIZE_MAX + 1];
	bool opened;
	bool has_chain;
	uint64_t chain_number;
	uint8_t chain_head[IDENTITY_SIZE];
};

struct known_officer {
	uint64_t party; /* roster index */
	uint64_t number;
	char name[NAME_SIZE_MAX + 1];
	char title[NAME_SIZE_MAX + 1];
	uint8_t key[PUBLIC_KEY_SIZE];
	uint64_t agreed; /* bit i: by the party of roster index i */
	uint64_t highest_precedence;
};

struct known_log {
	uint64_t log;
	char post_name[NAME_SIZE_MAX + 1];
	char node[EID_SIZE_MAX + 1];
};

struct known_channel {
	uint8_t id[CHANNEL_ID_SIZE];
	uint8_t terms_bytes[TERMS_SIZE_MAX];
	size_t terms_size;
	struct terms terms; /* its title points into terms_bytes */
	uint8_t nonce[CHANNEL_NONCE_SIZE];
	bool open;
	size_t own_index;
	uint8_t registry[REGISTRY_SIZE];
	struct roster roster;
	struct known_member members[PARTIES_MAX];
	size_t logs_count;
	struct known_log *logs;
	size_t officers_count;
	struct known_officer *officers;
};

/* Asks CHANNEL. False after an error message. Freed with known_channel_free. */
bool known_channel_get(struct client *client, const struct call *call, const uint8_t id[CHANNEL_ID_SIZE],
		       struct known_channel **channel);
void known_channel_free(struct known_channel *channel);

/*
 * The channel that the command means: --channel (title, or at least 8 digits of the id), or the only one
 * there is. NULL after an error message that lists those known.
 */
struct known_channel *known_channel_find(struct client *client, const struct call *call);

/* A log as references name it (envelope/reference.h); views into the channel. */
struct reference_log known_log_named(const struct known_channel *channel, const struct known_log *log);
/* Appends what stands for it in references on this channel. */
void known_log_name(const struct known_channel *channel, const struct known_log *log, struct buffer *name);

/* The aad of an entry that the own party signs on this channel. */
void known_channel_aad(const struct known_channel *channel, struct aad *aad);

/* Names for rendering what party `index` signed; views into the channel. Freed with known_names_free. */
bool known_names_make(const struct call *call, const struct known_channel *channel, size_t index,
		      struct render_names *names);
void known_names_free(struct render_names *names);

#endif
