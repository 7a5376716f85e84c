/*
 * What people sign in a simulated world: what is right, and all kinds of what must be refused.
 */
#ifndef SIM_WORDS_H
#define SIM_WORDS_H

#include "envelope/aad.h"
#include "sim/world.h"

/* Officers by their numbers. */
#define OFFICER_ACCREDITED 1 /* the one that everyone agreed to */
#define OFFICER_STRANGER   2 /* the one that nobody named */
#define OFFICER_LIMITED    3 /* agreed to, up to PRIORITY */
#define OFFICER_UNAGREED   4 /* named, and agreed to by nobody */
#define OFFICER_TWIN       5 /* agreed to, with the key of 1 */

/* Signed by one, or by two: the entry, which the caller frees. */
struct bytes words_sign(const struct ed25519_pair *const *pairs, size_t count, const struct aad *aad,
			struct bytes payload, uint8_t identity[IDENTITY_SIZE]);
struct bytes words_sign_alone(const struct ed25519_pair *pair, const struct aad *aad,
			      const struct content *content, uint8_t identity[IDENTITY_SIZE]);

/* Fills in all but what is said. officer 0: the authority. */
void words_frame(struct world *world, struct content *content, uint64_t kind, unsigned precedence,
		 unsigned officer);
/* Makes it a letter that follows in the authority's chain on the line. */
void words_follow(const struct world *world, size_t node, size_t line, struct letter *letter);

/* Signed by the officer of that number, or the authority, on the line. */
struct bytes words_sign_on_line(struct world *world, size_t node, size_t line, unsigned officer,
				const struct content *content, uint8_t identity[IDENTITY_SIZE]);

/* A message, an answer or an acknowledgment that must be taken: into the submission. */
void words_good(struct world *world, size_t node, struct submission *submission);
/* A message that says little, of an officer who may. */
struct bytes words_message(struct world *world, size_t node, size_t line, unsigned precedence,
			   uint8_t identity[IDENTITY_SIZE]);
/*
 * Something that must be refused, here and by whoever gets it; but where *depends, who lacks what it refers
 * to may take it, for those who signed it may speak.
 */
struct bytes words_bad(struct world *world, size_t node, size_t line, uint8_t identity[IDENTITY_SIZE],
		       bool *depends);

#endif
