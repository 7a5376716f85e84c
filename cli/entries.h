/*
 * Entries as the local API tells of them: rows for lists, whole ones for showing, and finding one by its
 * reference.
 */
#ifndef CLI_ENTRIES_H
#define CLI_ENTRIES_H

#include <jansson.h>

#include "cli/client.h"
#include "cli/registry.h"
#include "envelope/reference.h"

#define STATE_TIMES_MAX 16

struct entry_state {
	uint64_t state; /* enum local_state */
	uint64_t at_ms;
	char detail[EID_SIZE_MAX + 1];
};

struct entry_row {
	uint8_t channel[CHANNEL_ID_SIZE];
	uint64_t log;
	uint64_t incarnation;
	uint64_t position;
	char reference[REFERENCE_SIZE_MAX + 1];
	uint8_t identity[IDENTITY_SIZE];
	uint64_t kind;
	uint64_t precedence;
	uint64_t time;
	char subject[SUBJECT_SIZE_MAX + 1];
	bool has_officer;
	uint64_t officer;
	char officer_name[NAME_SIZE_MAX + 1];
	bool own;
	uint64_t state;
	uint64_t held_at_ms;
	size_t times_count;
	struct entry_state times[STATE_TIMES_MAX];
	uint64_t receipt_due;        /* Unix s; 0: none is awaited */
	uint64_t acknowledgment_due; /* the same */
};

/* Reads one entry_row of base/local.h. */
void entry_row_read(struct cbor_reader *reader, struct entry_row *row);

/* True if what the row awaits was due before `now` (Unix s). */
bool entry_receipt_is_overdue(const struct entry_row *row, uint64_t now);
bool entry_acknowledgment_is_overdue(const struct entry_row *row, uint64_t now);

/* "released" to "refused". Static. */
const char *state_name(uint64_t state);

enum entry_selection {
	SELECT_ALL = 1,
	SELECT_RECEIVED = 2, /* messages of others */
	SELECT_OWN = 3,      /* own messages */
	SELECT_AWAITED = 4,  /* own entries without receipt, messages without acknowledgment; some twice */
};

/*
 * Calls `each` for every row of the selection on the channel (NULL: all channels), in the order in which they
 * came to be held, page by page; until `each` returns false. False after an error message.
 */
bool entries_each(struct client *client, const struct call *call, const uint8_t *channel,
		  enum entry_selection selection, bool (*each)(const struct entry_row *row, void *context),
		  void *context);

/* A whole entry; views into the client's buffer until its next request. */
struct whole_entry {
	struct entry_row row;
	struct bytes cose;
	struct bytes leaf;
	struct bytes receipt; /* size 0: none */
};

/* Asks ENTRY. False after an error message. */
bool entry_get(struct client *client, const struct call *call, const struct entry_row *key,
	       struct whole_entry *entry);

/* The one entry that a reference typed by a person means on this channel. False after an error message. */
bool entry_find(struct client *client, const struct call *call, const struct known_channel *channel,
		const char *text, struct entry_row *row);

/* Prints what is due, or OVERDUE, one line for each; nothing where nothing is awaited. */
void entry_due_print(const struct entry_row *row);

/* A row as a JSON object; one line of a list on standard output, with `before` in front of it. */
json_t *entry_row_json(const struct entry_row *row);
void entry_row_print(const char *before, const struct entry_row *row);

#endif
