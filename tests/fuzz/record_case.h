/*
 * The world in which fuzz_record plays: two parties with an open line, made once and laid back before each
 * input. Post 0 is tried; post 1 has all its keys and says whatever the input says.
 */
#ifndef TESTS_FUZZ_RECORD_CASE_H
#define TESTS_FUZZ_RECORD_CASE_H

#include "envelope/wire.h"
#include "tests/unit/record/world.h"

#define TRIED   0
#define HOSTILE 1

/* Who signs for the hostile party, rightly or not. */
enum signer {
	SIGNER_AUTHORITY,
	SIGNER_OFFICER,     /* 1, accredited */
	SIGNER_NEW_OFFICER, /* 2, whom nobody knows at first */
	SIGNER_POST,        /* its statement key */
	SIGNER_OTHERS,      /* an officer of the other party */
	SIGNER_NOBODY,      /* a key that is no one's */
	SIGNERS,
};

struct record_case {
	struct world *world;
	bool agreed; /* officer 2 was accepted by the tried party */
	uint8_t greeting[IDENTITY_SIZE]; /* of a message of the tried post, received and not acknowledged */
	size_t signed_count;
	struct {
		uint8_t identity[IDENTITY_SIZE];
		enum signer signer;
	} of_signed[64]; /* by the signer's own key, for the hostile party, in this input */
};

/* The world as it is when an input begins. With the stand-in cryptography (sim/stand_in.h). */
void record_case_begin(struct record_case *of);

/*
 * Signs as that signer, under the aad of an entry of the hostile party, and notes it; into `cose`. With
 * `spoil` a bit of the signature is turned, or the aad is the other party's, and nothing is noted.
 */
void record_case_sign_entry(struct record_case *of, enum signer signer, uint64_t spoil, struct bytes payload,
			    struct buffer *cose);
/* A statement, the same; `kind` as in the wire. */
void record_case_sign_statement(struct record_case *of, uint64_t kind, uint64_t spoil, struct bytes payload,
				struct buffer *cose);
/* Seals a plaintext at the hostile post as it is, and gives it to the tried one, if there is a key for it. */
void record_case_give(struct record_case *of, struct bytes plaintext);
/* The same of a wire item, which is encoded and padded. */
void record_case_give_wire(struct record_case *of, struct wire *wire);

/*
 * What must hold whatever was said: all that the tried post held at the start stands where it stood, byte for
 * byte; what it accepted as the hostile party's was signed by who may sign such a thing.
 */
void record_case_check(const struct record_case *of);

#endif
