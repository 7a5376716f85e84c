/*
 * Incarnations: where it is not shown that the own log goes on, a new one begins. A line must not fall
 * silent because a disk was restored.
 *
 * What the store itself cannot know is which incarnations it has forgotten. So the own lines are only
 * marked unsure at the start, and the new incarnation begins when the courier has told the heads that it
 * keeps, or as soon as anything else comes from it: nothing can leave this post before. Nothing is filed in
 * an own log from the start until then (incarnation_unsure): a disk that was set back with its anchor shows
 * nothing by itself, and what officers write would take places that others hold entries for.
 */
#ifndef RECORD_INCARNATION_H
#define RECORD_INCARNATION_H

#include "record/run.h"

/*
 * RECORD_START: every own log is compared with the anchor, whose head must be a prefix of it. A store that
 * was made from a backup never shows that it goes on: nobody knows what it had received since.
 */
enum error incarnation_start(struct run *run);

/*
 * True from the start until the courier has told its heads, and while new incarnations are to begin: nothing
 * can be filed in the own logs that there are.
 */
bool incarnation_unsure(struct run *run);
/* Begins them. */
enum error incarnation_open(struct run *run);

/*
 * RECORD_COURIER_HEADS: a head under an own log key that is larger than the own log, or has another root at
 * its size, shows that the store was set back, and one of an incarnation that is not known here, that there
 * is one. Then begins what is to begin.
 */
enum error incarnation_heads(struct run *run);

/*
 * The same for one head of the own log on a channel, its signature verified: the line is marked unsure
 * where it shows that the store was set back. What it tells of other incarnations is kept, and what they
 * hold asked for.
 */
enum error incarnation_told(struct run *run, uint64_t channel_number, uint64_t incarnation,
			    const struct former_head *head);

/*
 * A channel that was made just now, of which an anchor had told that this post wrote on it before: its log
 * there is lost, and goes on in a new incarnation, whose first entry says so.
 */
enum error incarnation_resume(struct run *run, uint64_t channel_number);

#endif
