/*
 * Every code point that travels in what is signed or sealed, in one table. Those marked DRAFT are assumed
 * by an Internet-Draft, not yet assigned by IANA; they are pinned to the draft and version named here, and
 * a later assignment changes this file, the terms' suite number and doc/PROTOCOL.md together, never
 * silently.
 */
#ifndef ENVELOPE_CODEPOINTS_H
#define ENVELOPE_CODEPOINTS_H

/* ---- COSE header parameters (RFC 9052, section 3.1) ---- */
#define COSE_HEADER_ALG 1
#define COSE_HEADER_KID 4 /* never sent here: content names its signers itself; refused when met */

/* ---- COSE algorithms (RFC 9053, section 2.2) ---- */
#define COSE_ALG_EDDSA (-8)
#define COSE_ALG_ED25519 (-19) /* RFC 9864: the same by another name; refused, so that one form exists */

/* ---- COSE with HPKE: DRAFT draft-ietf-cose-hpke-21 ---- */
#define COSE_ALG_HPKE_4 42           /* integrated encryption with the HPKE suite below */
#define COSE_HEADER_HPKE_EK (-4)     /* unprotected: the encapsulated key, `enc` of RFC 9180 */
#define COSE_HEADER_HPKE_PSK_ID (-5) /* unprotected: psk mode, and which PSK; absent in base mode */

/* ---- HPKE (RFC 9180, sections 5 and 7) ---- */
#define HPKE_KEM_X25519_HKDF_SHA256 0x0020
#define HPKE_KDF_HKDF_SHA256 0x0001
#define HPKE_AEAD_CHACHA20POLY1305 0x0003
#define HPKE_MODE_BASE 0x00
#define HPKE_MODE_PSK 0x01

/* ---- signature types of a note's key id (C2SP signed-note and tlog-cosignature) ---- */
#define NOTE_SIGNATURE_ED25519 0x01
#define NOTE_SIGNATURE_COSIGNATURE 0x04

#endif
