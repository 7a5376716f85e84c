#include <string.h>

#include "record/batch.h"
#include "record/log.h"
#include "record/post_entry.h"
#include "record/receipt.h"

#define QUOTA_WINDOW_MS UINT64_C(86400000)
#define QUOTA_RANGES    256 /* refused ranges of one author's log that verdicts name in a window */

static int compare_verdicts(const struct batch_verdict *a, const struct batch_verdict *b)
{
	const uint64_t left[] = {a->key.channel, a->key.log, a->key.incarnation, a->key.position};
	const uint64_t right[] = {b->key.channel, b->key.log, b->key.incarnation, b->key.position};

	for (size_t i = 0; i < 4; i++)
		if (left[i] != right[i])
			return left[i] < right[i] ? -1 : 1;
	return 0;
}

/* There are few, and they come nearly in order. */
static void sort_verdicts(struct batch_verdict *verdicts, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct batch_verdict one = verdicts[i];
		size_t at = i;
		for (; at > 0 && compare_verdicts(&one, &verdicts[at - 1]) < 0; at--)
			verdicts[at] = verdicts[at - 1];
		verdicts[at] = one;
	}
}

/* True in *within if the author's log may still cause a range of refusals. */
static enum error charge(struct run *run, const struct entry_key *key, bool *within)
{
	struct row_key quota_key = key_channel(TABLE_QUOTA, key->channel);
	struct quota quota;

	key_u16(&quota_key, key->log);
	enum error error = run_get(run, &quota_key, &schema_quota, &quota);
	if (error != ERROR_OK && error != ERROR_NOT_FOUND)
		return error;
	if (error == ERROR_NOT_FOUND || run_slow_since(run, quota.start_ms) >= QUOTA_WINDOW_MS)
		quota = (struct quota){.start_ms = run_slow_ms(run)};
	*within = quota.count < QUOTA_RANGES;
	if (*within) {
		quota.count++;
		run_put(run, &quota_key, &schema_quota, &quota);
	}
	return ERROR_OK;
}

static bool extends(const struct verdict_range *last, const struct batch_verdict *verdict)
{
	return last->log == verdict->key.log && last->incarnation == verdict->key.incarnation &&
	       last->first + last->count == verdict->key.position &&
	       last->reason == (uint64_t)verdict->reason;
}

/* Collects ranges of one channel until the entry is full; *used: verdicts dealt with. */
static enum error collect(struct run *run, const struct batch_verdict *verdicts, size_t count,
			  struct verdict *verdict, size_t *used)
{
	*used = 0;
	while (*used < count && verdicts[*used].key.channel == verdicts[0].key.channel) {
		const struct batch_verdict *one = &verdicts[*used];
		size_t ranges = verdict->ranges_count;
		bool within = true;
		if (ranges > 0 && extends(&verdict->ranges[ranges - 1], one)) {
			verdict->ranges[ranges - 1].count++;
			(*used)++;
			continue;
		}
		if (ranges == RANGES_MAX)
			return ERROR_OK;
		enum error error = one->reason == ERROR_OK ? ERROR_OK : charge(run, &one->key, &within);
		if (error != ERROR_OK)
			return error;
		(*used)++;
		if (!within)
			continue; /* it is in the counts of refusals, and the receipt names it */
		verdict->ranges[verdict->ranges_count++] = (struct verdict_range){
			.log = one->key.log,
			.incarnation = one->key.incarnation,
			.first = one->key.position,
			.count = 1,
			.reason = (uint64_t)one->reason,
		};
	}
	return ERROR_OK;
}

enum error verdict_commit(struct run *run)
{
	struct batch *batch = batch_of(run);
	struct content *content = run_take(run, sizeof(*content));
	size_t used;

	sort_verdicts(batch->verdicts, batch->verdicts_count);
	for (size_t at = 0; at < batch->verdicts_count; at += used) {
		memset(content, 0, sizeof(*content));
		content->kind = CONTENT_VERDICT;
		content->precedence = PRECEDENCE_PRIORITY;
		content->of.verdict.time = run_time_s(run);
		enum error error = collect(run, &batch->verdicts[at], batch->verdicts_count - at,
					   &content->of.verdict, &used);
		if (error == ERROR_OK && content->of.verdict.ranges_count > 0)
			error = post_entry(run, batch->verdicts[at].key.channel, content);
		if (error != ERROR_OK)
			return error;
	}
	return ERROR_OK;
}
