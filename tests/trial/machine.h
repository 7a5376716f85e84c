/*
 * The post's process on a drive: its store, its anchor and its backups as liaisond has them (post/), around a
 * core. Files are in the current directory.
 */
#ifndef TESTS_TRIAL_MACHINE_H
#define TESTS_TRIAL_MACHINE_H

#include "record/record.h"

#define MACHINE_STORE  "liaison.db"
#define MACHINE_ANCHOR "anchor"

struct machine;

/* Once in a process. What SQLite draws comes from `seed`. */
void machine_prepare(uint64_t seed);
struct machine *machine_make(void);
/*
 * As liaisond starts: what is left of a backup is removed, anchor and store are opened, and the anchor is
 * read into `anchor`. NULL, or what cannot be done. A machine that was opened before and lost its power is
 * opened again, and what it held of files is left as it was.
 */
const char *machine_open(struct machine *machine, struct record *record, struct buffer *anchor);
/* The process ends in order. */
void machine_close(struct machine *machine);
/* SQLite finds nothing wrong in any page or index. */
bool machine_is_whole(struct machine *machine);

enum error machine_event(struct machine *machine, const struct record_event *event);
/* RECORD_COMMIT, `room`, the disk. */
enum error machine_commit(struct machine *machine, const struct record_event *room);
/* Then the actions. */
enum error machine_perform(struct machine *machine,
			   void (*perform)(void *context, const struct record_action *action), void *context);

typedef void machine_row(void *context, const struct row *row);
/* Every row of the store, in order. */
void machine_rows(struct machine *machine, machine_row *row, void *context);
/* Writes rows behind the core's back; the anchor, likewise. */
void machine_put(struct machine *machine, const struct row *rows, size_t count);
void machine_put_anchor(struct machine *machine, struct bytes anchor);

/* A backup: begun; then stepped until it is done. *image is allocated. */
void machine_backup_begin(struct machine *machine);
bool machine_backup_step(struct machine *machine, struct bytes *image);

#endif
