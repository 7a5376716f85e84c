#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "cli/commands.h"
#include "cli/officer_key.h"
#include "cli/output.h"

static const struct option create_options[] = {
	{"name", 'n', "NAME", "the officer's name"},
	{"title", 't', "TITLE", "title or function, as the other side will see it"},
	{"highest", 0, "PRECEDENCE", "the highest precedence this officer may use (flash if not given)"},
	{NULL, 0, NULL, NULL},
};

static bool fill_in(const struct call *call, const struct party_directory *party, struct officer_key *key)
{
	const char *name = call_value(call, "name", NULL);
	const char *title = call_value(call, "title", "");
	uint64_t highest = 0;
	if (name == NULL)
		return call_usage(call, "name the officer: --name NAME") == 0;
	if (strlen(name) > NAME_SIZE_MAX || strlen(title) > NAME_SIZE_MAX)
		return call_usage(call, "--name and --title have at most %d bytes each", NAME_SIZE_MAX) == 0;
	if (!output_precedence_parse(call, call_value(call, "highest", "flash"), &highest))
		return false;
	*key = (struct officer_key){.officer = {.highest_precedence = highest, .number = 1}};
	memcpy(key->party_id, party->id, PARTY_ID_SIZE);
	memcpy(key->officer.name, name, strlen(name) + 1);
	memcpy(key->officer.title, title, strlen(title) + 1);
	for (size_t i = 0; i < party->officers_count; i++)
		if (party->officers[i].number >= key->officer.number)
			key->officer.number = party->officers[i].number + 1;
	return true;
}

static int run_create(struct call *call)
{
	struct officer_key key;
	struct party_directory *party = party_directory_open(call);
	if (party == NULL)
		return 1;
	bool done = fill_in(call, party, &key) && party_directory_check_officer(call, party, &key.officer) &&
		    officer_key_create(call, call->operand[0], &key);
	if (done && !party_directory_add_officer(call, party, &key.officer)) {
		done = false;
		unlink(call->operand[0]); /* a key that no list names is of no use, and in the way */
	}
	party_directory_close(party);
	if (!done)
		return 1;
	if (call->json)
		return output_json(call, json_pack("{s:I, s:s}", "officer", (json_int_t)key.officer.number,
						   "name", key.officer.name));
	printf("officer %llu  %s\n", (unsigned long long)key.officer.number, key.officer.name);
	return 0;
}

const struct command command_officer_create = {
	.name = "officer create",
	.operands = "FILE",
	.summary = "make an officer's key file and enter the officer in the party's list",
	.help = "The key is made here and protected by a passphrase; FILE belongs to the officer alone. The "
		"officer may\n"
		"speak on a channel once the own authority has given credence (channel open does) and the "
		"other\n"
		"party its agrément.\n\n"
		"Example: liaison officer create rowe.key --party /safe/alliance --name 'A. Rowe' --title "
		"'watch officer'",
	.options = create_options,
	.takes = TAKES_PARTY | TAKES_PASSPHRASE,
	.operands_min = 1,
	.operands_max = 1,
	.lasting = "the officer's key was made, and entered in the party's list",
	.run = run_create,
};
