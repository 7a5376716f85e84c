/*
 * The courier's key and self-signed certificate, and what a peer's certificate says: RFC 9174, section 4.4.
 *
 * Nobody certifies anybody here: a neighbour is known by the SHA-256 of its SubjectPublicKeyInfo (its pin),
 * which its post's letter carries. Dates are not looked at.
 */
#ifndef COURIER_CERTIFICATE_H
#define COURIER_CERTIFICATE_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/bytes.h"
#include "base/error.h"

#define CERTIFICATE_PIN_SIZE 32
#define CERTIFICATE_KEY_FILE "tls.key"
#define CERTIFICATE_FILE "tls.crt"

struct certificate {
	EVP_PKEY *key;
	X509 *x509;
};

/*
 * Makes a P-256 key and a certificate with `node` as its one bundleEID (an IA5String otherName,
 * section 4.4.1) and writes both below `directory` (a descriptor), mode 0600 and 0644, synced. ERROR_EXISTS
 * if either file is there; ERROR_IO. The caller frees with certificate_free().
 */
enum error certificate_make(int directory, const char *node, struct certificate *certificate);

/* Reads both files. ERROR_NOT_FOUND if neither is there; ERROR_MALFORMED if they are not key and certificate
 * of one pair; ERROR_IO. The caller frees. */
enum error certificate_load(int directory, struct certificate *certificate);

void certificate_free(struct certificate *certificate);

/* SHA-256 of the SubjectPublicKeyInfo. ERROR_MALFORMED if there is none that can be encoded. */
enum error certificate_pin(X509 *x509, uint8_t pin[CERTIFICATE_PIN_SIZE]);

/* True if one of the certificate's bundleEIDs is `node` (carry/tcpcl.h, tcpcl_node_id_equal). */
bool certificate_names_node(X509 *x509, struct bytes node);

#endif
