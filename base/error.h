/*
 * The one error table. Every function that can fail returns enum error; ERROR_OK is 0.
 *
 * Numbers are stable: those from 64 on travel on the wire as reasons in receipts and verdicts
 * (doc/PROTOCOL.md, "Reasons"), so a number is never reused. Each sentence says what was wrong; where a
 * person can act on it, it says what to do.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdbool.h>

#define ERROR_TABLE(X) \
	X(OK, 0, "done") \
	/* 1-31: the form of bytes */ \
	X(TRUNCATED, 1, "the bytes end before the item does") \
	X(TRAILING, 2, "bytes are left over after the item") \
	X(NOT_CANONICAL, 3, "the item is not in deterministic CBOR") \
	X(WRONG_TYPE, 4, "an item has another type than the format says") \
	X(OUT_OF_RANGE, 5, "a number is outside the range that the format allows") \
	X(TOO_LARGE, 6, "an item is larger than its limit") \
	X(TOO_DEEP, 7, "items are nested deeper than the limit") \
	X(NOT_TEXT, 8, "a text holds characters that are invalid, or that control or reorder what is shown") \
	X(BAD_CHECKSUM, 9, "a checksum does not match its bytes") \
	X(BAD_VERSION, 10, "the version is not one that this program speaks") \
	X(MALFORMED, 11, "the bytes are not of the form that the format says") \
	X(UNSUPPORTED, 12, "the bytes ask for something that this program does not do") \
	/* 32-47: keys and signatures */ \
	X(BAD_SIGNATURE, 32, "a signature does not match the bytes it should cover") \
	X(BAD_KEY, 33, "a public key is not a valid point of full order") \
	X(CANNOT_OPEN, 34, "the sealed bytes cannot be opened with the keys held here") \
	X(UNKNOWN_KEY, 35, "the key that is named is not known here") \
	X(BAD_PROOF, 36, "a proof does not lead from one root to the other") \
	X(WRONG_PASSPHRASE, 37, "the passphrase does not open this key file") \
	/* 48-63: this machine */ \
	X(FULL, 48, "there is no room left: free some and try again") \
	X(NO_MEMORY, 49, "the machine has no memory left") \
	X(IO, 50, "the operating system reported an error while reading or writing") \
	X(NOT_FOUND, 51, "there is nothing of that name") \
	X(EXISTS, 52, "something of that name exists already") \
	X(BUSY, 53, "it is in use by another process: stop that one first") \
	X(CLOSED, 54, "the other end has gone away") \
	X(NEEDS_ROWS, 55, "the step needs rows that are not loaded yet") \
	X(DUPLICATE, 56, "the same thing is held already") \
	X(NOT_NOW, 57, "this cannot be done in the present state") \
	X(NO_SANDBOX, 58, "the kernel does not offer the sandbox that this daemon needs") \
	X(BAD_ARGUMENT, 59, "an argument is not one that this takes") \
	X(TIMED_OUT, 60, "the time for this has run out") \
	X(NEW_INCARNATION, 61, "a log goes on in a new incarnation, with numbers from 0001 on") \
	X(NAMESAKE, 62, "a party of that name is known here: give the id of the one to accept") \
	X(AWAITS_COURIER, 63, \
	  "it is not known yet what this post had sent: start its courier, and try again") \
	/* 64-: reasons why an entry is refused; these travel in receipts and verdicts */ \
	X(REFUSED_FORM, 64, "the entry is not of the form that the protocol says") \
	X(REFUSED_CHANNEL, 65, "the channel is not open between these parties") \
	X(REFUSED_SIGNER, 66, "the signer is not an officer of that party on this channel") \
	X(REFUSED_AGREMENT, 67, "the signer has no agrément from the receiving party") \
	X(REFUSED_SIGNATURE, 68, "the signature does not match the entry") \
	X(REFUSED_LENGTH, 69, "the text is longer than the terms allow at that precedence") \
	X(REFUSED_TEXT, 70, "the text holds characters that must not be shown") \
	X(REFUSED_CHAIN, 71, "the letter does not follow the last letter of its signer") \
	X(REFUSED_AUTHORITY, 72, "the letter is not signed by one entitled to it") \
	X(REFUSED_TERMS, 73, "the letter's terms are not those of the channel") \
	X(REFUSED_REFERENCE, 74, "the entry refers to one that is not in the record") \
	X(REFUSED_QUOTA, 75, "the author has said more than is taken in for now") \
	X(REFUSED_FORK, 77, "another entry is held at this position of this log") \
	X(REFUSED_SCOPE, 78, "the signer's scope does not cover this") \
	X(REFUSED_KIND, 79, "the kind of entry or letter is not known here") \
	X(REFUSED_NUMBER, 80, "the officer's number has been given before: officers are numbered for good") \
	X(REFUSED_NAMED, 81, "only another's message is acknowledged or answered, and acknowledged once")

enum error {
#define ERROR_AS_ENUM(name, number, text) ERROR_##name = number,
	ERROR_TABLE(ERROR_AS_ENUM)
#undef ERROR_AS_ENUM
};

/* True if the number is in the table: for numbers that come from outside. */
bool error_known(enum error error);

/* The short name of an error, as in the table ("TRUNCATED"); "UNKNOWN" for a number not in it. Static. */
const char *error_name(enum error error);

/* The sentence for an error, without a full stop. Static, never NULL. */
const char *error_text(enum error error);

#endif
