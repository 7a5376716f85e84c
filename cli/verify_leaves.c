#include <stdlib.h>
#include <string.h>

#include "cli/verify_parts.h"

bool verify_note_refusals(struct verifier *verifier, uint64_t log)
{
	const struct content *content = &verifier->entry.content;
	const struct verdict *verdict = &content->of.verdict;
	if (content->kind != CONTENT_VERDICT)
		return true;
	struct range_refused *more =
		realloc(verifier->refused, (verifier->refused_count + verdict->ranges_count) * sizeof *more);
	if (more == NULL)
		return call_fail_error(verifier->call, "reading verdicts", ERROR_NO_MEMORY) == 0;
	verifier->refused = more;
	for (size_t i = 0; i < verdict->ranges_count; i++) {
		const struct verdict_range *range = &verdict->ranges[i];
		/* What a party says of its own log takes nothing off it. */
		if (range->reason == 0 || log_roster_index(range->log) == log_roster_index(log))
			continue;
		more[verifier->refused_count++] = (struct range_refused){
			range->log, range->incarnation, range->first, range->first + range->count};
	}
	return true;
}

static int compare_refused(const void *a, const void *b)
{
	const struct range_refused *left = a, *right = b;
	if (left->log != right->log)
		return left->log < right->log ? -1 : 1;
	if (left->incarnation != right->incarnation)
		return left->incarnation < right->incarnation ? -1 : 1;
	return left->first < right->first ? -1 : left->first > right->first;
}

void verify_sort_refusals(struct verifier *verifier)
{
	if (verifier->refused_count > 0)
		qsort(verifier->refused, verifier->refused_count, sizeof *verifier->refused, compare_refused);
}

/* The first range of an incarnation, or where it would stand. */
static size_t first_refused(const struct verifier *verifier, uint64_t log, uint64_t incarnation)
{
	size_t low = 0, high = verifier->refused_count;
	struct range_refused wanted = {.log = log, .incarnation = incarnation};
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare_refused(&verifier->refused[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint64_t verify_unexplained(const struct verifier *verifier, const struct held_entry *held, size_t count)
{
	uint64_t unexplained = 0, end = 0; /* of the ranges that have begun */
	size_t at = first_refused(verifier, held->log, held->incarnation);
	for (size_t i = 0; i < count; i++) {
		for (; at < verifier->refused_count; at++) {
			const struct range_refused *range = &verifier->refused[at];
			if (range->log != held->log || range->incarnation != held->incarnation ||
			    range->first > held[i].position)
				break;
			if (range->end > end)
				end = range->end;
		}
		unexplained += held[i].leaf_alone && held[i].position >= end;
	}
	return unexplained;
}
