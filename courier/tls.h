/*
 * TLS 1.3 over bytes in memory: RFC 9174, section 4.4, with pins in the place of certification paths.
 *
 * Both ends present a certificate. A peer is accepted when the SHA-256 of its key is some neighbour's pin
 * (the dialed neighbour's, where one was dialed) and the certificate names that neighbour's node. Neither
 * dates nor chains nor revocation are looked at, no session is resumed, nothing is sent early.
 */
#ifndef COURIER_TLS_H
#define COURIER_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "courier/certificate.h"
#include "courier/config.h"

/* Whom the courier knows; asked during handshakes. */
struct tls_policy {
	void *context;
	/* The neighbour with this pin, or NULL. The answer must outlive the connection's handshake. */
	const struct config_neighbour *(*by_pin)(void *context, const uint8_t pin[CONFIG_PIN_SIZE]);
	/* True if some neighbour may dial us without a certificate. */
	bool (*certificate_may_lack)(void *context);
};

struct tls_context;
struct tls;

enum tls_state {
	TLS_SHAKING,
	TLS_OPEN,
	TLS_ENDED,  /* the peer closed it in order */
	TLS_FAILED, /* tls_problem() says why */
};

/*
 * The courier's side of all connections. Takes its own references of the certificate; policy stays the
 * caller's and must live as long. keylog: a descriptor to which secrets are written for a decoder (tests
 * only), or -1. NULL if OpenSSL has no memory or refuses the key. Freed with tls_context_free().
 */
struct tls_context *tls_context_make(
	const struct certificate *certificate, const struct tls_policy *policy, int keylog);
void tls_context_free(struct tls_context *context);

/*
 * A new connection: `dialed` is the neighbour that was dialed (this end is the client), or NULL (server).
 * NULL without memory. Freed with tls_free().
 */
struct tls *tls_make(struct tls_context *context, const struct config_neighbour *dialed);
void tls_free(struct tls *tls);

/* Takes ciphertext from the peer. ERROR_NO_MEMORY. */
enum error tls_receive(struct tls *tls, struct bytes ciphertext);

/* Goes on with the handshake, and says how things stand. */
enum tls_state tls_advance(struct tls *tls);

/* Copies up to size_max bytes of plaintext to `to`; 0 when there is none now (or at the end, or after a
 * failure: ask tls_advance). Only while TLS_OPEN. */
size_t tls_read(struct tls *tls, uint8_t *to, size_t size_max);

/* Encrypts all of `plaintext`. Only while TLS_OPEN. ERROR_IO: the connection has failed. */
enum error tls_write(struct tls *tls, struct bytes plaintext);

/* Says close_notify to the peer, once. */
void tls_end(struct tls *tls);

/* Moves ciphertext for the peer to `to`, as much as has room. Returns how many bytes; call again when there
 * was no room for all. */
size_t tls_send(struct tls *tls, uint8_t *to, size_t size_max);

/* Bytes that tls_send() has to move still. */
size_t tls_waiting(const struct tls *tls);

/* The neighbour that the peer's certificate proves; NULL before TLS_OPEN, and when the peer had none. */
const struct config_neighbour *tls_neighbour(const struct tls *tls);

/* Why it failed: one line, static or living as long as `tls`. */
const char *tls_problem(const struct tls *tls);

#endif
