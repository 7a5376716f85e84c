/* The last heads of incarnations that have been followed by others. */
#include <string.h>

#include "record/heads.h"
#include "record/log.h"
#include "record/query.h"

static struct row_key key_head(const struct entry_key *log)
{
	return key_log(TABLE_HEAD, log->channel, log->log, log->incarnation);
}

enum error heads_former(struct run *run, const struct entry_key *log, struct former_head *head)
{
	struct row_key key = key_head(log);
	enum error error = run_get(run, &key, &schema_former_head, head);
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

enum error heads_keep_former(struct run *run, const struct entry_key *log, const struct former_head *head)
{
	struct row_key key = key_head(log);
	struct former_head kept;

	enum error error = heads_former(run, log, &kept);
	if (error == ERROR_OK && head->size > kept.size)
		run_put(run, &key, &schema_former_head, head);
	return error;
}

enum error heads_compare_own(struct run *run, const struct entry_key *log)
{
	struct row_key line_key = key_line(log->channel, log->log);
	struct former_head head;
	struct merkle_hash root;
	struct line line;
	struct log row;

	enum error error = heads_former(run, log, &head);
	if (error == ERROR_OK)
		error = log_row(run, log->channel, log->log, log->incarnation, &row);
	if (error != ERROR_OK || head.size == 0 || row.size < head.size)
		return error;
	error = log_root_at(run, log->channel, log->log, log->incarnation, head.size, &root);
	if (error != ERROR_OK || memcmp(root.bytes, head.root, sizeof(head.root)) == 0)
		return error;
	error = run_must(run_get(run, &line_key, &schema_line, &line));
	if (error != ERROR_OK || line.disagrees != 0)
		return error;
	line.disagrees = 1;
	run_put(run, &line_key, &schema_line, &line);
	return query_alert(
		run, log, ERROR_BAD_PROOF,
		"what came back of the own log is not in the order of the head that this post signed");
}
