/*
 * A hostile counterpart with all its keys: whatever it says is signed and sealed as its own core never would.
 * Asserts with cmocka.
 */
#ifndef TESTS_UNIT_RECORD_FORGER_H
#define TESTS_UNIT_RECORD_FORGER_H

#include "envelope/aad.h"
#include "envelope/statement.h"
#include "envelope/wire.h"
#include "tests/unit/record/world.h"

/*
 * Seals a wire item at post `from`, and gives it to post `to`, which commits. The result is what its core
 * gives for the event: whatever others say, it must be ERROR_OK, or the post stops.
 */
enum error forge(struct world *world, size_t from, size_t to, struct wire *wire);

/* A statement on the world's channel, signed with the post's statement key. */
enum error forge_statement(struct world *world, size_t from, size_t to, enum statement_kind kind,
			   struct bytes payload);
/* The hashes are given; the slot is that of post `from`. */
enum error forge_cannot_open(struct world *world, size_t from, size_t to, struct cannot_open *cannot_open);
enum error forge_missing(struct world *world, size_t from, size_t to,
			 const struct missing_statement *missing);

/* A receipt that one entry of post `to` is held (ERROR_OK), or refused. */
enum error forge_receipt(struct world *world, size_t from, size_t to, const struct entry_key *key,
			 const uint8_t identity[IDENTITY_SIZE], enum error reason);
/* The same, signed by post `from`, as if it were that of post `by`. */
enum error forge_receipt_by(struct world *world, size_t from, size_t by, size_t to,
			    const struct entry_key *key, const uint8_t identity[IDENTITY_SIZE],
			    enum error reason);
/* A statement of heads: these, as they are given. */
enum error forge_heads(struct world *world, size_t from, size_t to, const struct head *told, size_t count);
/* The newest head of post `of` that post `at` keeps. */
struct head forge_head_held(const struct world *world, size_t at, size_t of);
/* Signs a head with the key of the log of post `from`: size and root are what it is told to be. */
void forge_sign_head(struct world *world, size_t from, struct head *head);
/* A statement of heads that shows the newest head of post `to`, as if it were cosigned. */
enum error forge_head_of_another(struct world *world, size_t from, size_t to);

/* One that tells of former incarnations of post `from`: of each a head of seven entries that nobody has. */
enum error forge_former_heads(struct world *world, size_t from, size_t to, uint64_t newest, uint64_t first,
			      size_t count);

/* An entry of post `from`, signed already (world_sign), as if it stood at that place of its log. Frees it. */
enum error forge_entry(struct world *world, size_t from, size_t to, struct bytes cose, uint64_t incarnation,
		       uint64_t position);
/* An incarnation entry of post `from`, signed. Allocates. */
struct bytes forge_signed_incarnation(struct world *world, size_t from, uint64_t previous, uint64_t size);
/* The first entry of an incarnation, as if it followed the one of that number with so many entries. */
enum error forge_incarnation(struct world *world, size_t from, size_t to, uint64_t incarnation,
			     uint64_t previous, uint64_t size);

/* An own entry of post `to`, as post `from` holds it, "given back" at another place. */
enum error forge_returned(struct world *world, size_t from, size_t to, const uint8_t identity[IDENTITY_SIZE],
			  uint64_t incarnation, uint64_t position);

#endif
