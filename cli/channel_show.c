#include <stdio.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/registry.h"

static json_t *members_json(const struct known_channel *channel)
{
	json_t *members = json_array();
	for (size_t i = 0; i < channel->roster.count; i++)
		json_array_append_new(
			members, json_pack("{s:o, s:o, s:b}", "party",
					   output_json_hex(bytes_make(channel->members[i].id, PARTY_ID_SIZE)),
					   "name", output_json_text(bytes_of_text(channel->members[i].name)),
					   "opened", channel->members[i].opened));
	return members;
}

static json_t *officers_json(const struct known_channel *channel)
{
	json_t *officers = json_array();
	for (size_t i = 0; i < channel->officers_count; i++) {
		const struct known_officer *officer = &channel->officers[i];
		json_t *agreed = json_array();
		for (size_t j = 0; j < channel->roster.count; j++)
			if (officer->agreed >> j & 1)
				json_array_append_new(
					agreed, output_json_text(bytes_of_text(channel->members[j].name)));
		json_array_append_new(
			officers,
			json_pack("{s:o, s:I, s:o, s:o, s:o, s:o, s:s}", "party",
				  output_json_text(bytes_of_text(channel->members[officer->party].name)),
				  "officer", (json_int_t)officer->number, "name",
				  output_json_text(bytes_of_text(officer->name)), "title",
				  output_json_text(bytes_of_text(officer->title)), "key",
				  output_json_hex(bytes_make(officer->key, PUBLIC_KEY_SIZE)), "agreement_by",
				  agreed, "highest",
				  officer->highest_precedence ? precedence_name(officer->highest_precedence)
							      : "FLASH"));
	}
	return officers;
}

static json_t *posts_json(const struct known_channel *channel)
{
	json_t *posts = json_array();
	for (size_t i = 0; i < channel->logs_count; i++)
		json_array_append_new(
			posts, json_pack("{s:I, s:o, s:o}", "log", (json_int_t)channel->logs[i].log, "post",
					 output_json_text(bytes_of_text(channel->logs[i].post_name)), "node",
					 output_json_text(bytes_of_text(channel->logs[i].node))));
	return posts;
}

static json_t *terms_json(const struct terms *terms)
{
	return json_pack(
		"{s:I, s:I, s:I, s:I, s:[I,I,I,I]}", "text_size_max", (json_int_t)terms->text_size_max,
		"urgent_words_max", (json_int_t)terms->urgent_words_max, "heads_interval_s",
		(json_int_t)terms->heads_interval_s, "delay_window_s", (json_int_t)terms->delay_window_s,
		"handling_s", (json_int_t)terms->handling_s[0], (json_int_t)terms->handling_s[1],
		(json_int_t)terms->handling_s[2], (json_int_t)terms->handling_s[3]);
}

/* In the largest unit that makes it a whole number, as the letters say it. */
static void print_duration(uint64_t seconds)
{
	static const struct {
		uint64_t seconds;
		const char *words;
	} units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
	size_t i = 0;
	while (seconds % units[i].seconds != 0)
		i++;
	printf("%llu %s", (unsigned long long)(seconds / units[i].seconds), units[i].words);
}

static void print_terms(const struct terms *terms)
{
	printf("terms: texts to %llu bytes, urgent ones to %llu words; heads every ",
	       (unsigned long long)terms->text_size_max, (unsigned long long)terms->urgent_words_max);
	print_duration(terms->heads_interval_s);
	printf("; window ");
	print_duration(terms->delay_window_s);
	printf("\nreceipt due within");
	for (size_t i = 0; i < PRECEDENCE_COUNT; i++) {
		printf("%s %s ", i > 0 ? "," : "", precedence_name(i + 1));
		print_duration(terms->handling_s[i]);
	}
	printf("\n");
}

static void print_officer(const struct known_channel *channel, const struct known_officer *officer)
{
	size_t agreed = 0;
	for (size_t i = 0; i < channel->roster.count; i++)
		agreed += officer->agreed >> i & 1;
	bool speaks = agreed + 1 == channel->roster.count;
	printf("  ");
	output_text(bytes_of_text(channel->members[officer->party].name));
	printf(" officer %llu  ", (unsigned long long)officer->number);
	output_text(bytes_of_text(officer->name));
	printf(", ");
	output_text(bytes_of_text(officer->title));
	printf(": %s\n", speaks ? "may speak" : "waits for agrément");
}

static void print_channel(const struct known_channel *channel)
{
	char id[2 * CHANNEL_ID_SIZE + 1];
	output_hex(bytes_make(channel->id, CHANNEL_ID_SIZE), id);
	output_text(channel->terms.title);
	printf("\nchannel %s: %s\n", id, channel->open ? "open" : "proposed");
	print_terms(&channel->terms);
	for (size_t i = 0; i < channel->roster.count; i++) {
		printf("  party ");
		output_text(bytes_of_text(channel->members[i].name));
		printf("%s: %s\n", i == channel->own_index ? " (own)" : "",
		       channel->members[i].opened ? "has signed the opening" : "has not signed yet");
	}
	for (size_t i = 0; i < channel->logs_count; i++) {
		printf("  post ");
		output_text(bytes_of_text(channel->logs[i].post_name));
		printf(", node ");
		output_text(bytes_of_text(channel->logs[i].node));
		printf("\n");
	}
	for (size_t i = 0; i < channel->officers_count; i++)
		print_officer(channel, &channel->officers[i]);
}

static int run_show(struct call *call)
{
	struct client client;
	if (!client_open(&client, call))
		return 1;
	struct known_channel *channel = known_channel_find(&client, call);
	int code = channel != NULL ? 0 : 1;
	if (channel != NULL && call->json)
		code = output_json(call,
				   json_pack("{s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o}", "channel",
					     output_json_hex(bytes_make(channel->id, CHANNEL_ID_SIZE)),
					     "title", output_json_text(channel->terms.title), "open",
					     channel->open, "terms", terms_json(&channel->terms), "registry",
					     output_json_hex(bytes_make(channel->registry, REGISTRY_SIZE)),
					     "parties", members_json(channel), "posts", posts_json(channel),
					     "officers", officers_json(channel)));
	else if (channel != NULL)
		print_channel(channel);
	known_channel_free(channel);
	client_close(&client);
	return code;
}

static const struct option show_options[] = {
	{"channel", 'c', "CHANNEL", "the channel, by title, other party or id, where there are several"},
	{NULL, 0, NULL, NULL},
};

const struct command command_channel_show = {
	.name = "channel show",
	.operands = "",
	.summary = "show a channel: terms, parties, posts, who may speak",
	.help = "Shows the terms that both parties signed, who has signed the opening, the posts, and every "
		"officer of\n"
		"both sides with what is still missing before that officer may speak.",
	.options = show_options,
	.takes = TAKES_POST,
	.run = run_show,
};
