/*
 * A small world for the record: parties with authorities and officers, posts with real cores over stores in
 * memory, and between them a line that loses, doubles and reorders by chance from one seed. For tests and the
 * simulator.
 *
 * Whatever goes wrong in the world itself (not on the line) ends the program.
 */
#ifndef TESTS_UNIT_RECORD_WORLD_H
#define TESTS_UNIT_RECORD_WORLD_H

#include "base/local.h"
#include "envelope/content.h"
#include "envelope/derive.h"
#include "envelope/ed25519.h"
#include "envelope/keying.h"
#include "envelope/reference.h"
#include "record/record.h"
#include "record/schema.h"
#include "tests/unit/record/store.h"

#define WORLD_PARTIES_MAX  3
#define WORLD_POSTS_MAX    4
#define WORLD_PACKETS_MAX  4096
#define WORLD_OFFICERS_MAX 4
#define WORLD_NOTICES_MAX  512
#define WORLD_HEADS_MAX    64

struct world_party {
	char name[32];
	struct ed25519_pair authority;
	struct ed25519_pair officers[WORLD_OFFICERS_MAX]; /* number i + 1 */
	uint8_t id[PARTY_ID_SIZE];
	uint8_t *letters[8];
	size_t letters_size[8];
	size_t letters_count;
	uint8_t head[IDENTITY_SIZE];
	/* the chain on the world's channel */
	uint64_t chain_number;
	uint8_t chain_head[IDENTITY_SIZE];
};

/* LOCAL_STATE: what was told of an entry. */
struct world_told {
	uint8_t identity[IDENTITY_SIZE];
	uint64_t state;
};

struct world_action {
	struct record_action action;
	uint8_t *bytes;
	uint8_t *node;
};

/*
 * A process with a store of its own. The post's store in memory only shows what that one holds, and is kept
 * so by the process; what it loads and commits is its own.
 */
struct world_process {
	enum error (*event)(struct world_process *process, const struct record_event *event);
	/* RECORD_COMMIT, `room`, and the disk; then each action to world_perform, in order. */
	void (*commit)(struct world_process *process, const struct record_event *room);
};

/* A head that a post gave to its courier, the largest of its origin. */
struct world_head {
	char origin[64];
	size_t origin_size;
	uint64_t size;
	uint8_t root[32];
	uint8_t signature[64];
};

struct world_post {
	size_t party;
	unsigned slot;
	char name[32];
	char node[32];
	uint8_t root_seed[32];
	void *memory;
	struct record *record;
	struct store store;
	uint8_t *anchor;
	size_t anchor_size;
	struct world_action *actions; /* of the batch that is open */
	size_t actions_count;
	bool up;
	bool mute;                        /* hands nothing to its courier */
	uint32_t precedence_min;          /* of RECORD_RECEIVED: its disk has no room for less */
	struct world_process *process;    /* NULL: its rows are in memory alone */
	const struct record_shell *shell; /* what its daemon says of itself in STATUS; NULL: nothing */
	enum error refusal;               /* its courier takes nothing, for this reason */
	struct world_head heads[WORLD_HEADS_MAX]; /* that its courier keeps, and returns after a start */
	size_t heads_count;
	uint64_t steady_ms;
	uint64_t next_delivery;
	/* what came out, since world_forget */
	uint8_t reply[LOCAL_FRAME_SIZE_MAX];
	size_t reply_size;
	size_t replies;
	size_t arrived; /* LOCAL_ARRIVED */
	size_t told_count;
	struct world_told told[WORLD_NOTICES_MAX]; /* the first ones */
	size_t alerts;
	size_t logs;
	size_t wipes;
	size_t sends;
	size_t taken;
	size_t left;
	uint32_t last_left; /* the precedence of the last one */
	size_t cancels;
	uint8_t last_cancel[16]; /* the copy of the last one */
	enum error last_log;
	enum error last_alert;
	char last_alert_log[REFERENCE_SIZE_MAX + 1];
	char last_alert_message[REFERENCE_SIZE_MAX + 1];
};

/* Sealed bytes under way. */
struct world_packet {
	size_t to;
	size_t from;
	uint8_t *bytes;
	size_t size;
	uint8_t copy[16];
	uint64_t due_ms;
	bool used;
};

struct world {
	struct entropy random;
	uint64_t now_ms;                  /* true time */
	int64_t skew_ms[WORLD_POSTS_MAX]; /* what each post's wall clock shows beside it */
	size_t parties_count;
	struct world_party parties[WORLD_PARTIES_MAX];
	size_t posts_count;
	struct world_post posts[WORLD_POSTS_MAX];
	struct world_packet packets[WORLD_PACKETS_MAX];
	size_t packets_sent;
	unsigned lose_percent;
	unsigned double_percent;
	unsigned reorder_percent;
	bool cut;  /* nothing is carried */
	bool hold; /* packets stay where they are until it is false again */
	/* the channel */
	struct roster roster;
	uint8_t terms[TERMS_SIZE_MAX];
	size_t terms_size;
	uint8_t nonce[CHANNEL_NONCE_SIZE];
	uint8_t channel[CHANNEL_ID_SIZE];
};

struct world *world_make(uint64_t seed);
void world_free(struct world *world);
uint64_t world_random(struct world *world, uint64_t below);

/* ---- parties and posts ---- */

size_t world_add_party(struct world *world, const char *name);
/* Names the post in the party's chain, then provisions and starts it. */
size_t world_add_post(struct world *world, size_t party, unsigned slot, const char *name);

/* One more letter of the party's chain for the slot of this post. */
void world_name_again(struct world *world, size_t post, const char *name,
		      const uint8_t statement_key[PUBLIC_KEY_SIZE]);
/* Post `to` accepts the card of the party of post `of`, whose prekeys are signed by this statement pair. */
void world_accept_chain(struct world *world, size_t of, const struct ed25519_pair *statement, size_t to);
/* Every post accepts the card of every other party, and the keyings. */
void world_exchange(struct world *world);
/* The parties Alliance and Federation with a post each, after that. */
struct world *world_make_pair(uint64_t seed);
/* Terms and channel id for all parties; then each authority's opening, a credence for officer 1 and
 * agréments, submitted at each party's first post. */
void world_name_channel(struct world *world);
void world_submit_opening(struct world *world, size_t post);
void world_submit_officers(struct world *world, size_t post);
void world_submit_agrements(struct world *world, size_t post);
/* Officers and agréments, and all of it, submitted at these posts, one of each party; settled after each
 * step. */
void world_accredit(struct world *world, const size_t *firsts, size_t count);
void world_open_channel(struct world *world, const size_t *firsts, size_t count);
/* A keying of the parties of two posts; accepted at one of them; both at once. */
void world_make_keying(struct world *world, uint32_t number, size_t post_a, size_t post_b,
		       struct keying *keying);
void world_accept_keying(struct world *world, size_t post, const struct keying *keying);
void world_new_keying(struct world *world, uint32_t number, size_t post_a, size_t post_b);
/* A pair, and its channel, run until it is open. */
struct world *world_open_line(uint64_t seed);

/* ---- events ---- */

enum error world_event(struct world *world, size_t post, struct record_event *event);
/* RECORD_COMMIT, RECORD_COURIER_ROOM, the commit, and the actions. */
void world_commit(struct world *world, size_t post);
/* The commit, then the process dies before its actions; or it dies before the commit. */
void world_crash_after_commit(struct world *world, size_t post);
void world_crash_before_commit(struct world *world, size_t post);
/* It dies as it stands. */
void world_die(struct world *world, size_t post);
void world_start(struct world *world, size_t post);
/* An action of a committed batch, from a world_process. */
void world_perform(struct world *world, size_t post, const struct record_action *action);
/* The courier connects and returns the heads that it keeps; world_start ends with it. */
void world_connect(struct world *world, size_t post);
void world_tick(struct world *world, size_t post);

/* Lets the line deliver and the posts tick for so long; step by step of step_ms. */
void world_run(struct world *world, uint64_t duration_ms, uint64_t step_ms);
/* Until nothing is under way and nothing waits, at most so long. */
void world_settle(struct world *world);
/* Takes one packet of a post off the line; its bytes are the caller's then. False: there is none. */
bool world_intercept(struct world *world, size_t from, struct world_packet *packet);
/* Gives sealed bytes to a post as its courier would, and commits. */
void world_deliver(struct world *world, size_t post, size_t from, struct bytes sealed);

/* ---- requests ---- */

/* Sends a request frame (without size) and commits; the reply is in post->reply. Gives the reply's error. */
enum error world_request(struct world *world, size_t post, struct bytes frame);
/* A reader of the results of the last reply. */
struct cbor_reader world_results(const struct world_post *post);

struct world_message {
	unsigned precedence;
	const char *text;
	const uint8_t *answers; /* NULL: none */
	unsigned officer;       /* 0: 1 */
	const uint8_t *id;      /* NULL: random */
	uint64_t ack_by;        /* Unix s; 0: never */
};

/* Signs a message of the post's party for the channel. Allocates. */
struct bytes world_sign_message(struct world *world, size_t post, const struct world_message *message,
				uint8_t identity[IDENTITY_SIZE]);
/* Signs and submits; *identity may be NULL. */
enum error world_send(struct world *world, size_t post, const struct world_message *message,
		      uint8_t identity[IDENTITY_SIZE]);
enum error world_acknowledge(struct world *world, size_t post, const uint8_t acknowledged[IDENTITY_SIZE]);
enum error world_submit(struct world *world, size_t post, struct bytes cose);
/* Signs content for the channel as an officer (number from 1) or the authority (0). Allocates. */
struct bytes world_sign(struct world *world, size_t party, unsigned officer, const struct content *content,
			uint8_t identity[IDENTITY_SIZE]);

/* ---- looking ---- */

/* The entry of this identity at a post; false if it is not held. */
bool world_entry(const struct world *world, size_t post, const uint8_t identity[IDENTITY_SIZE],
		 struct entry *entry, struct entry_key *key);
/* Its state; 0 if it is not held. */
uint64_t world_state(const struct world *world, size_t post, const uint8_t identity[IDENTITY_SIZE]);
size_t world_count(const struct world *world, size_t post, enum table table);
/* Receipts of a FLASH that the post has not forgotten: heads are ROUTINE. */
size_t world_flash_statements(const struct world *world, size_t post);
/* The tree of a log as a post holds it; an empty one where it holds none. */
void world_tree(const struct world *world, size_t post, uint64_t log, uint64_t incarnation, uint64_t *size,
		struct merkle_hash *root);
/* True if every post holds every log with the same size and root. */
bool world_agrees(const struct world *world);
uint64_t world_log_of(const struct world *world, size_t post);
/* Reads or writes one row of a post. */
bool world_row(const struct world *world, size_t post, const struct row_key *key, const struct schema *schema,
	       void *value);
void world_put_row(struct world *world, size_t post, const struct row_key *key, const struct schema *schema,
		   const void *value);
bool world_is_open(const struct world *world, size_t post);

#endif
