/*
 * What every signature covers beside its payload, and the identity of what is signed (doc/PROTOCOL.md,
 * section 2). The aad is never sent: both ends know it.
 */
#ifndef ENVELOPE_AAD_H
#define ENVELOPE_AAD_H

#include "envelope/party.h"

enum aad_context {
	AAD_ENTRY = 1,   /* content of any kind */
	AAD_RECEIPT = 2, /* statements */
	AAD_HEADS = 3,
	AAD_PREKEYS = 4,
	AAD_CANNOT_OPEN = 5,
	AAD_MISSING = 6,
};

struct aad {
	enum aad_context context;
	bool has_channel; /* otherwise the channel is the empty string */
	uint8_t channel[CHANNEL_ID_SIZE];
	uint8_t sender[PARTY_ID_SIZE];
	size_t recipients_count;
	uint8_t recipients[PARTIES_MAX - 1][PARTY_ID_SIZE]; /* ascending */
};

/* The largest encoded aad: heads, a context, a channel, a sender and 63 recipients. */
#define AAD_SIZE_MAX (64 + 34 * (PARTIES_MAX + 1))

/* On a channel: the recipients are all parties of the roster but the sender, who is ids[sender_index]. */
void aad_on_channel(struct aad *aad, enum aad_context context, const uint8_t channel[CHANNEL_ID_SIZE],
		    const struct roster *roster, size_t sender_index);

/* Without channel and recipients: letters of a card chain (AAD_ENTRY), prekeys (AAD_PREKEYS). */
void aad_without_channel(struct aad *aad, enum aad_context context, const uint8_t sender[PARTY_ID_SIZE]);

/* AAD_CANNOT_OPEN: without channel, to one party (which may be the sender's own). */
void aad_cannot_open(struct aad *aad, const uint8_t sender[PARTY_ID_SIZE],
		     const uint8_t recipient[PARTY_ID_SIZE]);

/* Appends [context, channel, sender, recipients]; at most AAD_SIZE_MAX bytes. */
void aad_encode(const struct aad *aad, struct buffer *buffer);

/* The identity of what is signed: SHA-256 of [aad: bstr, payload: bstr], without signatures. */
void identity_of(const struct aad *aad, struct bytes payload, uint8_t identity[IDENTITY_SIZE]);

#endif
