/*
 * The floor: what one exchange cannot do without, done bare.
 *
 * For each message: the officer's signature; the two posts' verifications of it (the author's before it is
 * released, the receiver's before it is accepted); a seal (an ephemeral X25519 key and one key agreement)
 * and its opening (one key agreement). For each receipt: a signature, a verification, a seal and its
 * opening. For each receipt as well one signature over the author's head, which is the least that keeps
 * pace: heads are signed commit by commit. And as many synced commits as the four daemons made for each
 * receipt, with the sealed message in each of four tables, as many as there are disks on its way, and the
 * sealed receipt in each of four.
 *
 * What is left out, and so makes the floor stricter: framing, parsing, Merkle trees, key derivation and the
 * symmetric cipher, every index and state beside the copies themselves, deleting what was carried, the
 * syncs of the anchors, sockets, TLS.
 *
 * The work is done by one process for each core that the exchanges had, each with a database of its own, as
 * the daemons. Beside it stands what two processes for each core do, where one computes while the other
 * waits for the disk: no process that does one thing after the other can do that much. SQLite as in the
 * daemons: write-ahead log, synchronous=FULL, writes gathered (shell/gathered_writes.h).
 */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include "bench/children.h"
#include "bench/wait.h"

struct floor_counts { /* as measured */
	double entries_per_receipt;
	double commits_per_receipt; /* of all four daemons */
	unsigned message_size;      /* bytes, sealed */
	unsigned receipt_size;
};

struct floor_result {
	double per_second;            /* with one process for each core: the floor */
	double overlapped_per_second; /* with two */
	double cpu_us;                /* processor time of one exchange */
};

/* `directory` is on the disk that was measured. False after an error message. */
bool floor_measure(struct children *children, const char *directory, const struct floor_counts *counts,
		   unsigned seconds, struct step *step, struct floor_result *result);

#endif
