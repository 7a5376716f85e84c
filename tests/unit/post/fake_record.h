/*
 * A record with as few rules as will do, behind record/record.h: the shell is tested with it on its own.
 *
 * An event keeps its bytes as a row and counts them; a SUBMIT becomes a copy to be handed over by
 * precedence. What is unusual is asked for by a request's verb, with one argument where it says so.
 */
#ifndef TESTS_UNIT_POST_FAKE_RECORD_H
#define TESTS_UNIT_POST_FAKE_RECORD_H

enum fake_verb {
	FAKE_ROUNDS = 100,  /* reads as many rows as the argument says, one by one; replies with their sum */
	FAKE_FULL = 101,    /* does not fit unless it is the first event of its batch */
	FAKE_BROKEN = 102,  /* cannot be handled: the daemon must stop */
	FAKE_ENDLESS = 103, /* asks for a row that never comes */
	FAKE_WIPE = 104,    /* asks for a wipe */
	FAKE_NOTICE = 105,  /* a notice of the argument's size, then the reply */
	FAKE_LARGE = 106,   /* a reply as large as there can be */
};

#endif
