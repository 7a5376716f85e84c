/*
 * Endpoint ids (RFC 9171, section 4.2.5.1; RFC 9758 for ipn): text, CBOR and the struct between them.
 *
 * Schemes: ipn (ipn:N.S, ipn:A.N.S with an allocator) and dtn (dtn:none, dtn://NAME/DEMUX). Null endpoints
 * are dtn:none and ipn:0.0. A node id is the endpoint with service 0 (ipn:N.0) or an empty demux
 * (dtn://NAME/).
 *
 * On every route the precedence is the service number of the destination, 1 to 4: ipn:N.1 is ROUTINE,
 * ipn:N.4 FLASH; with dtn the demux is that one digit (dtn://NAME/4). Any other service has no precedence of
 * ours (0).
 *
 * A struct eid borrows: `name` and `demux` point into what it was read from, or to static text.
 */
#ifndef CARRY_EID_H
#define CARRY_EID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/cbor.h"
#include "base/error.h"
#include "base/limits.h"

enum eid_scheme {
	EID_DTN = 1, /* the numbers are those of RFC 9171, section 9.6 */
	EID_IPN = 2,
};

/* The service numbers that carry a precedence. */
#define EID_SERVICE_ADMINISTRATIVE 0
#define EID_SERVICE_ROUTINE        1
#define EID_SERVICE_PRIORITY       2
#define EID_SERVICE_IMMEDIATE      3
#define EID_SERVICE_FLASH          4

#define EID_ENCODED_SIZE_MAX (EID_SIZE_MAX + 4) /* bytes of the CBOR form */

struct eid {
	enum eid_scheme scheme;
	uint64_t node;      /* ipn: allocator << 32 | node number (RFC 9758) */
	uint64_t service;   /* ipn */
	struct bytes name;  /* dtn: the node name; empty in dtn:none only */
	struct bytes demux; /* dtn: may be empty */
};

/* dtn:none */
struct eid eid_none(void);

/*
 * From text of 1 to EID_SIZE_MAX bytes: ERROR_TOO_LARGE above, ERROR_MALFORMED for what is not exactly one of
 * the forms above: numbers are decimal without leading zeros; allocator and node number are below 2^32;
 * ipn:!.S is ipn:4294967295.S; NAME has 1 to 120 letters, digits, '-', '.', '_'; DEMUX has visible ASCII
 * only. ERROR_UNSUPPORTED for another scheme.
 */
enum error eid_from_text(struct bytes text, struct eid *eid);

/* Appends the text form: at most EID_SIZE_MAX bytes. Without an allocator it is ipn:N.S. */
void eid_append_text(struct buffer *buffer, const struct eid *eid);

/*
 * Reads the CBOR form: [1, 0], [1, "//NAME/DEMUX"], [2, [node, service]] or [2, [allocator, node number,
 * service]] (both below 2^32). On failure the reader is failed (also ERROR_UNSUPPORTED for another scheme)
 * and *eid is dtn:none.
 */
void eid_read(struct cbor_reader *reader, struct eid *eid);

/* Writes the CBOR form, ipn with two elements: at most EID_ENCODED_SIZE_MAX bytes. */
void eid_write(struct buffer *buffer, const struct eid *eid);

/* True if both name the same endpoint, however they were written. All null endpoints are equal. */
bool eid_equal(const struct eid *a, const struct eid *b);

bool eid_is_null(const struct eid *eid);

/* True for ipn:4294967295.S, which names the node itself and never crosses a link (RFC 9758). */
bool eid_is_local(const struct eid *eid);

/* The node id of an endpoint: ipn:N.0 or dtn://NAME/; a null endpoint stays as it is. */
struct eid eid_node(const struct eid *eid);
/* False where one is null: it has no node. */
bool eid_same_node(const struct eid *a, const struct eid *b);

/* The endpoint of the same node with this precedence (1 to 4); not for a null one: assert. */
struct eid eid_with_precedence(const struct eid *eid, uint64_t precedence);

/* 1 to 4, or 0 where the service says no precedence of ours. */
uint64_t eid_precedence(const struct eid *eid);

#endif
