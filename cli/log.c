#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/commands.h"
#include "cli/entries.h"
#include "cli/export.h"
#include "cli/files.h"
#include "cli/output.h"

static bool print_row(const struct entry_row *row, void *context)
{
	(void)context;
	entry_row_print("", row);
	return true;
}

static int run_log(struct call *call)
{
	struct client client;
	int code = 1;
	if (!client_open(&client, call))
		return 1;
	struct known_channel *channel = known_channel_find(&client, call);
	if (channel != NULL && call->json) {
		json_t *export = export_channel(&client, call, channel);
		if (export != NULL)
			code = output_json(call, export);
	} else if (channel != NULL) {
		code = entries_each(&client, call, channel->id, SELECT_ALL, print_row, NULL) ? 0 : 1;
	}
	known_channel_free(channel);
	client_close(&client);
	return code;
}

/* The JSON of an export, from a file or ("-") standard input. NULL after an error message. */
static json_t *read_export(const struct call *call, const char *path)
{
	json_error_t where;
	struct stat status;
	bool is_input = strcmp(path, "-") == 0;
	const char *name = is_input ? "standard input" : path;
	FILE *file = is_input ? stdin : file_open(call, path);
	if (file == NULL)
		return NULL;
	bool is_large = fstat(fileno(file), &status) == 0 && status.st_size > EXPORT_SIZE_MAX;
	json_t *export = is_large ? NULL : json_loadf(file, JSON_REJECT_DUPLICATES, &where);
	if (!is_input)
		fclose(file);
	if (is_large)
		call_fail(call, "%s has more than the %d bytes that an export may have", name,
			  EXPORT_SIZE_MAX);
	else if (export == NULL)
		call_fail(call, "%s cannot be read as an export: %s, line %d", name, where.text, where.line);
	return export;
}

static int verify_file(struct call *call)
{
	json_t *export = read_export(call, call->operand[0]);
	if (export == NULL)
		return 1;
	int code = export_verify(call, export);
	json_decref(export);
	return code;
}

static int run_verify(struct call *call)
{
	struct client client;
	int code = 1;
	if (!export_parties_are_ids(call))
		return 2;
	if (call->operand_count > 0)
		return verify_file(call);
	if (!client_open(&client, call))
		return 1;
	struct known_channel *channel = known_channel_find(&client, call);
	json_t *export = channel != NULL ? export_channel(&client, call, channel) : NULL;
	if (export != NULL)
		code = export_verify(call, export);
	json_decref(export);
	known_channel_free(channel);
	client_close(&client);
	return code;
}

static const struct option channel_options[] = {
	{"channel", 'c', "CHANNEL", "the channel, by title, other party or id, where there are several"},
	{NULL, 0, NULL, NULL},
};

static const struct option verify_options[] = {
	{"channel", 'c', "CHANNEL", "the channel, by title, other party or id, where there are several"},
	{"party", 0, "ID", "a party that the record must be of, by its whole id (may be repeated)"},
	{NULL, 0, NULL, NULL},
};

const struct command command_log = {
	.name = "log",
	.operands = "",
	.summary = "list every entry of a channel, letters and verdicts too; --json exports the record",
	.help = "Lists all entries of all logs of the channel in the order in which they came to be held. "
		"With --json it\n"
		"prints the whole record - signed bytes, leaves, receipts, heads, proofs that a log forked - "
		"from\n"
		"which anyone can recompute the heads.\n\n"
		"Example: liaison log --json > record.json",
	.options = channel_options,
	.takes = TAKES_POST,
	.run = run_log,
};

const struct command command_verify = {
	.name = "verify",
	.operands = "[FILE]",
	.summary = "recompute a record from its signed bytes and check every signature",
	.help = "Reads the record from the post, or an export in FILE (-: standard input), and\n"
		"recomputes all of it:\n"
		"each entry's identity and reference, its signatures against the keys named by\n"
		"its party's letters and each letter's against its authority's, each receipt, leaf\n"
		"and tree, each head's signature, cosignature and note, each proof that a log\n"
		"forked. It stops at the first thing that does not hold, names it, and returns 1; a log\n"
		"without a head of its newest incarnation does not hold, nor one with entries\n"
		"missing below its head, nor an entry that has a receipt and is there as a leaf\n"
		"alone: the exporting post has sent it, and its signed bytes were left out.\n\n"
		"Where all that is there holds, it returns 0 only for a record that is whole. It\n"
		"returns 3, and says NOT VERIFIED, if a log forked, a party has no log there,\n"
		"entries that others had seen are missing, entries of a past incarnation stand\n"
		"under no head, or only the leaf of an entry is there and no verdict of another\n"
		"party says that it was refused. (Beyond 256 ranges of one log in a day a post\n"
		"names no refusals in verdicts.) Said and no more are entries beyond a head, heads\n"
		"without cosignature, and refused entries of which only the leaf is there.\n\n"
		"It begins with whose record it is: the channel, the parties with their ids, the\n"
		"words of their fingerprints, and their posts, as the record's own letters name\n"
		"them. A stranger can make a record that holds, under any names: compare the ids\n"
		"or words with those you know, or give the ids with --party.\n\n"
		"Example: liaison verify record.json --party "
		"3f1c0a52b7d94e86a1e07c55f2d8b9640c7e3b1a9d5f4826e0b7c1d2a3f49586",
	.options = verify_options,
	.takes = TAKES_POST,
	.operands_max = 1,
	.run = run_verify,
};
