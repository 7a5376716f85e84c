/*
 * What the parts of `verify` share: verify.c reads letters and checks entries, verify_receipts.c receipts,
 * verify_leaves.c whether what is there as a leaf alone was refused, verify_heads.c trees, heads, and what
 * the record does not hold.
 */
#ifndef CLI_VERIFY_PARTS_H
#define CLI_VERIFY_PARTS_H

#include <jansson.h>

#include "cli/command.h"
#include "envelope/card.h"
#include "envelope/signed.h"
#include "envelope/wire.h"

struct officer_seen {
	size_t party; /* roster index */
	uint32_t number;
	uint8_t key[PUBLIC_KEY_SIZE];
};

/* An entry of the export whose leaf has been checked. */
struct held_entry {
	uint64_t log;
	uint64_t incarnation;
	uint64_t position;
	const json_t *object;
	uint8_t identity[IDENTITY_SIZE];
	bool leaf_alone; /* its signed bytes are not there: refused by the exporting post, or left out */
	/* An incarnation entry names the head at which the log went on: its incarnation, 0: none. */
	uint64_t continues;
	uint64_t continues_size;
	struct merkle_hash continues_root;
};

/* How much of a log is known to exist: the largest size that any leaf names. */
struct log_named {
	uint64_t log;
	uint64_t incarnation;
	uint64_t size;
};

/* What a verdict says that its post refused of another party's log. */
struct range_refused {
	uint64_t log;
	uint64_t incarnation;
	uint64_t first;
	uint64_t end; /* the position after the last */
};

/* What is learnt from the letters in the export, and room for one entry. */
struct verifier {
	const struct call *call;
	uint8_t channel[CHANNEL_ID_SIZE];
	struct roster roster;
	char title[NAME_SIZE_MAX + 1]; /* of the channel, as its terms say it */
	bool has_authority[PARTIES_MAX];
	char party_name[PARTIES_MAX][NAME_SIZE_MAX + 1];
	uint8_t authority[PARTIES_MAX][PUBLIC_KEY_SIZE];
	bool has_post[LOG_MAX + 1];
	char post_name[LOG_MAX + 1][NAME_SIZE_MAX + 1];
	uint8_t statement_key[LOG_MAX + 1][PUBLIC_KEY_SIZE];
	uint8_t log_key[LOG_MAX + 1][PUBLIC_KEY_SIZE];
	uint8_t cosigner_key[LOG_MAX + 1][PUBLIC_KEY_SIZE];
	bool has_log[LOG_MAX + 1];
	size_t officers_count;
	struct officer_seen *officers;
	size_t held_count;
	struct held_entry *held; /* room for every entry; sorted once all are checked */
	size_t named_count;
	struct log_named *named;
	size_t refused_count;
	struct range_refused *refused;
	struct card_party *card;
	struct signed_entry entry;
	struct leaf leaf;
	uint8_t cose[ENTRY_SIZE_MAX];
	uint8_t leaf_bytes[ENTRY_SIZE_MAX];
	uint8_t work[SIGNED_WORK_SIZE];
	size_t signatures;
	size_t receipts;
	size_t leaves_alone;
};

/* Hexadecimal member `name` of an object into `to`; false if it is missing, no hexadecimal, or too large. */
bool verify_get_hex(const json_t *object, const char *name, uint8_t *to, size_t size_max, size_t *size);
bool verify_get_hex_exact(const json_t *object, const char *name, uint8_t *to, size_t size);
bool verify_get_number(const json_t *object, const char *name, uint64_t max, uint64_t *number);
bool verify_get_incarnation(const json_t *object, uint64_t *incarnation); /* they count from 1 */

/* The log of the post that cosigned a head; false where no opening in the record names one so. */
bool verify_cosigner(const struct verifier *verifier, const json_t *head, uint64_t *log);

/* The entries held of one incarnation of a log, ascending by position; NULL where none is. */
const struct held_entry *verify_held(const struct verifier *verifier, uint64_t log, uint64_t incarnation,
				     size_t *count);

/* What `reference` calls the entry, for messages. */
const char *verify_name(const struct held_entry *entry);

/*
 * Every receipt beside an entry: signed by a post of another party, over just this entry among those that it
 * names; none beside a leaf alone. False after an error message.
 */
bool verify_receipts(struct verifier *verifier);

/* Remembers what the decoded entry of that log refuses, once it is checked. False after an error message. */
bool verify_note_refusals(struct verifier *verifier, uint64_t log);
/* Once all entries are checked. */
void verify_sort_refusals(struct verifier *verifier);
/*
 * How many of the entries held of one incarnation (count is at least 1) are leaves alone that no verdict of
 * another party says it refused.
 */
uint64_t verify_unexplained(const struct verifier *verifier, const struct held_entry *held, size_t count);

/*
 * Every head against its tree, its signatures, and that no log is without one; proofs of equivocation. False
 * after an error message.
 */
bool verify_heads(struct verifier *verifier, const json_t *export);

/*
 * How many entries of one incarnation are shown to be all: those below its head, or below the one at which a
 * later incarnation says that it went on, and whose root they give. False where nothing shows it.
 */
bool verify_covered(struct verifier *verifier, const json_t *heads, uint64_t log, uint64_t incarnation,
		    uint64_t *size);

/*
 * Says whose record it is, what was verified and what is not there: lines, or JSON. The exit code: 0, or
 * VERIFY_IS_NOT_WHOLE where all that is here holds, but a log forked, or something is not here.
 */
#define VERIFY_IS_NOT_WHOLE 3
int verify_report(struct verifier *verifier, const json_t *export);

#endif
