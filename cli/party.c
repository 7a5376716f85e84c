#include <stdio.h>
#include <string.h>

#include <jansson.h>
#include <sodium.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/party_directory.h"

static const struct option create_options[] = {
	{"name", 'n', "NAME", "the party's name, as others will see it"},
	{NULL, 0, NULL, NULL},
};

static int print_party(const struct call *call, const struct party_directory *party)
{
	char id[2 * PARTY_ID_SIZE + 1], words[FINGERPRINT_TEXT_SIZE];
	output_hex(bytes_make(party->id, PARTY_ID_SIZE), id);
	output_fingerprint(party->id, words);
	if (call->json)
		return output_json(call,
				   json_pack("{s:s, s:s, s:s, s:i, s:i}", "name", party->name, "party", id,
					     "fingerprint", words, "letters", (int)party->letters_count,
					     "officers", (int)party->officers_count));
	printf("%s\n%s\n\n%s\n", party->name, id, words);
	for (size_t i = 0; i < party->officers_count; i++)
		printf("officer %llu  %s, %s\n", (unsigned long long)party->officers[i].number,
		       party->officers[i].name, party->officers[i].title);
	return 0;
}

static int run_create(struct call *call)
{
	const char *name = call_value(call, "name", NULL);
	if (name == NULL)
		return call_usage(call, "name the party: --name NAME");
	if (!party_directory_create(call, call->operand[0], name))
		return 1;
	if (call->json)
		return output_json(call, json_pack("{s:s, s:o}", "party", name, "directory",
						   output_json_text(bytes_of_text(call->operand[0]))));
	fprintf(stderr,
		"Move %s/successor.key to another safe now. The founding letter commits the party to it as "
		"its next\nauthority key; no command of this version uses it yet.\n",
		call->operand[0]);
	return 0;
}

static int run_show(struct call *call)
{
	struct party_directory *party = party_directory_open(call);
	if (party == NULL)
		return 1;
	int code = print_party(call, party);
	party_directory_close(party);
	return code;
}

const struct command command_party_create = {
	.name = "party create",
	.operands = "DIR",
	.summary = "make a party: its authority's keys and founding letter",
	.help = "Makes the directory DIR, or takes one that is there and empty, with the authority's key, "
		"the key of its successor and the founding letter.\n"
		"Keep DIR on a machine without a network. Both keys are protected by one passphrase; move\n"
		"successor.key to another safe: the founding letter commits the party to it as its next\n"
		"authority key, so that it can be taken into use by letter once a version knows how.\n"
		"No command of this version uses it.\n\n"
		"Example: liaison party create /safe/alliance --name Alliance",
	.options = create_options,
	.takes = TAKES_PASSPHRASE | TAKES_YES,
	.operands_min = 1,
	.operands_max = 1,
	.lasting = "the party was made",
	.run = run_create,
};

static const struct option no_options[] = {{NULL, 0, NULL, NULL}};

const struct command command_party_show = {
	.name = "party show",
	.operands = "",
	.summary = "show a party's id, its fingerprint in words, its officers",
	.help = "Shows what the directory of --party holds that is not secret. The fingerprint is what the "
		"other party\n"
		"reads back to you over a telephone after accepting your card.",
	.options = no_options,
	.takes = TAKES_PARTY,
	.run = run_show,
};
