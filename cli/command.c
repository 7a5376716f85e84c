#include "cli/command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/text.h"
#include "cli/output.h"

#define HELP_COLUMNS 80

/* An option that means the same to all commands that take it. */
struct common_option {
	unsigned taken_as; /* a bit of enum takes; 0: every command takes it */
	struct option option;
};

static const struct common_option common_options[] = {
	{TAKES_POST, {"post", 0, "DIR", "the post's directory (or LIAISON_POST)"}},
	{TAKES_PARTY,
	 {"party", 0, "DIR", "the party's directory, with the authority's key (or LIAISON_PARTY)"}},
	{TAKES_OFFICER, {"officer", 0, "FILE", "the officer's key file (or LIAISON_OFFICER)"}},
	{TAKES_PASSPHRASE,
	 {"passphrase-file", 0, "FILE", "read the passphrase from FILE (or LIAISON_PASSPHRASE_FILE)"}},
	{0, {"json", 0, NULL, "print one JSON value, for machines"}},
	{TAKES_YES, {"yes", 'y', NULL, "do not ask: sign, or accept"}},
	{0, {"help", 'h', NULL, "this text"}},
};

#define COMMON_OPTIONS_COUNT (sizeof common_options / sizeof common_options[0])

static bool takes(const struct command *command, const struct common_option *common)
{
	return common->taken_as == 0 || (command->takes & common->taken_as) != 0;
}

bool call_has(const struct call *call, const char *name)
{
	return call_value_nth(call, name, 0) != NULL;
}

const char *call_value_nth(const struct call *call, const char *name, size_t n)
{
	for (size_t i = 0; i < call->given_count; i++)
		if (strcmp(call->given[i]->name, name) == 0 && n-- == 0)
			return call->value[i];
	return NULL;
}

const char *call_value(const struct call *call, const char *name, const char *otherwise)
{
	const char *value = otherwise;
	for (size_t i = 0; i < call->given_count; i++)
		if (strcmp(call->given[i]->name, name) == 0)
			value = call->value[i];
	return value;
}

bool call_number(const struct call *call, const char *name, unsigned long long min, unsigned long long max,
		 unsigned long long otherwise, unsigned long long *number)
{
	const char *text = call_value(call, name, NULL);
	*number = otherwise;
	if (text == NULL)
		return true;
	char *end = NULL;
	unsigned long long value = text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : 0;
	if (end == NULL || *end != '\0' || strlen(text) > 19 || value < min || value > max) {
		call_usage(call, "--%s takes a whole number from %llu to %llu, not '%s'", name, min, max,
			   text);
		return false;
	}
	*number = value;
	return true;
}

static const char *place(const struct call *call, const char *option, const char *variable, const char *what)
{
	const char *value = call_value(call, option, getenv(variable));
	if (value == NULL || value[0] == '\0') {
		call_fail(call, "say which %s: --%s, or set %s", what, option, variable);
		return NULL;
	}
	return value;
}

const char *call_post(const struct call *call)
{
	return place(call, "post", "LIAISON_POST", "post (its directory)");
}

const char *call_party(const struct call *call)
{
	return place(call, "party", "LIAISON_PARTY", "party (its directory)");
}

const char *call_officer(const struct call *call)
{
	return place(call, "officer", "LIAISON_OFFICER", "officer (the key file)");
}

/* What is named may come from a file or a peer: nothing of it moves the cursor or begins another line. */
static void complain(const struct call *call, bool has_failed, const char *format, va_list arguments)
{
	char text[1024], visible[10 * sizeof text];
	struct buffer buffer = buffer_make(visible, sizeof visible);
	vsnprintf(text, sizeof text, format, arguments);
	text_append_visible(&buffer, bytes_of_text(text));
	if (call->json && has_failed) {
		json_t *object = json_pack("{s:s*, s:s%}", "event", call->events ? "error" : NULL, "error",
					   visible, buffer.size);
		if (object != NULL)
			json_dumpf(object, stdout, JSON_COMPACT);
		printf("\n");
		json_decref(object);
	}
	for (size_t i = 0; i < buffer.size; i++)
		if (visible[i] == '\n')
			visible[i] = ' ';
	fprintf(stderr, "liaison: %.*s\n", (int)buffer.size, visible);
}

int call_fail(const struct call *call, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	complain(call, true, format, arguments);
	va_end(arguments);
	return 1;
}

void call_warn(const struct call *call, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	complain(call, false, format, arguments);
	va_end(arguments);
}

int call_fail_error(const struct call *call, const char *what, enum error error)
{
	return call_fail(call, "%s: %s", what, error_text(error));
}

int call_usage(const struct call *call, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	complain(call, true, format, arguments);
	va_end(arguments);
	*call->is_misused = true;
	if (call->command != NULL)
		fprintf(stderr, "Try: liaison %s --help\n", call->command->name);
	return 2;
}

/* Nobody is asked about what he was not shown. What standard output has lost is told at the end. */
static bool could_see(const struct call *call, FILE *shown)
{
	if (fflush(shown) == 0 && !ferror(shown))
		return true;
	if (shown != stdout)
		call_fail(call, "what this is about cannot be shown on standard error");
	return false;
}

bool call_confirm(const struct call *call, const char *question, FILE *shown)
{
	if (call->yes)
		return true;
	if (!could_see(call, shown))
		return false;
	FILE *terminal = fopen("/dev/tty", "r+");
	if (terminal == NULL) {
		call_fail(call, "there is no terminal to ask '%s' on: add --yes if you say yes to that",
			  question);
		return false;
	}
	fprintf(terminal, "%s [y/N] ", question);
	fflush(terminal);
	char answer[16] = "";
	bool said = fgets(answer, sizeof answer, terminal) != NULL &&
		    (strcmp(answer, "y\n") == 0 || strcmp(answer, "yes\n") == 0);
	fclose(terminal);
	if (!said)
		call_fail(call, "you did not say yes: this was not signed or accepted");
	return said;
}

/* The word at the front of *text, which ends before a space or line feed; quoted ones may hold both. */
static size_t word_size(const char *text, bool is_example)
{
	size_t size = 0;
	char quote = 0;
	for (; text[size] != '\0' && (quote != 0 || (text[size] != ' ' && text[size] != '\n')); size++) {
		if (is_example && quote == 0 && (text[size] == '\'' || text[size] == '"'))
			quote = text[size];
		else if (text[size] == quote)
			quote = 0;
	}
	return size;
}

/*
 * Prints a paragraph, which ends at its NUL or an empty line, from `column` on: words fill lines of
 * HELP_COLUMNS whose first `indent` columns are empty. An example stays one command: its lines end in a
 * backslash. Returns what follows it.
 */
static const char *print_paragraph(const char *text, size_t column, size_t indent)
{
	bool is_example = strncmp(text, "Example", 7) == 0;
	size_t width = is_example ? HELP_COLUMNS - 2 : HELP_COLUMNS;
	size_t start = is_example ? indent + 4 : indent;
	bool is_first = true;
	while (*text != '\0' && strncmp(text, "\n\n", 2) != 0) {
		size_t size = word_size(text, is_example);
		if (size > 0 && !is_first && column + 1 + size > width) {
			printf("%s\n%*s", is_example ? " \\" : "", (int)start, "");
			column = start;
			is_first = true;
		}
		if (size > 0) {
			printf("%s%.*s", is_first ? "" : " ", (int)size, text);
			column += size + !is_first;
			is_first = false;
		}
		text += size;
		if (*text == ' ' || (*text == '\n' && text[1] != '\n'))
			text++;
	}
	printf("\n");
	return text;
}

/* A paragraph that begins with a space, such as a numbered list, keeps its lines. Returns what follows it. */
static const char *print_as_it_stands(const char *text)
{
	const char *end = strstr(text, "\n\n");
	size_t size = end != NULL ? (size_t)(end - text) : strlen(text);
	printf("%.*s\n", (int)size, text);
	return text + size;
}

static void print_option(const struct option *option)
{
	char left[64];
	snprintf(left, sizeof left, "%c%c --%s%s%s", option->letter ? '-' : ' ',
		 option->letter ? option->letter : ' ', option->name, option->argument ? " " : "",
		 option->argument ? option->argument : "");
	printf("  %-28s  ", left);
	print_paragraph(option->help, 32, 32);
}

static void print_command_help(const struct command *command)
{
	printf("liaison %s%s%s: ", command->name, command->operands[0] ? " " : "", command->operands);
	print_paragraph(command->summary, 12 + strlen(command->name) + strlen(command->operands), 2);
	for (const char *help = command->help; *help != '\0';) {
		help += strspn(help, "\n");
		printf("\n");
		help = *help == ' ' ? print_as_it_stands(help) : print_paragraph(help, 0, 0);
	}
	if (command->options[0].name != NULL) {
		printf("\nOptions:\n");
		for (const struct option *option = command->options; option->name != NULL; option++)
			print_option(option);
	}
	printf("\nCommon options:\n");
	for (size_t i = 0; i < COMMON_OPTIONS_COUNT; i++)
		if (takes(command, &common_options[i]))
			print_option(&common_options[i].option);
}

static void print_help(const struct command *const *commands)
{
	printf("liaison: one line that stays open between parties who do not trust each other\n\n"
	       "Usage: liaison COMMAND [OPERANDS] [OPTIONS]\n\nCommands:\n");
	for (; *commands != NULL; commands++) {
		printf("  %-16s ", (*commands)->name);
		print_paragraph((*commands)->summary, 19, 19);
	}
	printf("\n");
	print_paragraph("Each command explains itself: liaison COMMAND --help. To begin: party create, post "
			"create, officer create, card export, card accept, keying make, channel open, send. "
			"The whole way is in README.md; the manual is liaison(1).",
			0, 0);
}

/* The command whose one or two words stand at argv[1]; *words is how many they are. */
static const struct command *find_command(const struct command *const *commands, int argc, char **argv,
					  int *words)
{
	for (; *commands != NULL; commands++) {
		const char *name = (*commands)->name;
		const char *space = strchr(name, ' ');
		size_t first = space != NULL ? (size_t)(space - name) : strlen(name);
		if (argc < 2 || strlen(argv[1]) != first || strncmp(argv[1], name, first) != 0)
			continue;
		*words = space != NULL ? 2 : 1;
		if (space == NULL || (argc > 2 && strcmp(argv[2], space + 1) == 0))
			return *commands;
	}
	return NULL;
}

static bool is_option(const struct option *option, const char *name, size_t size, char letter)
{
	if (letter != 0)
		return option->letter == letter;
	return strlen(option->name) == size && strncmp(option->name, name, size) == 0;
}

/* The option of the command that is called so; its own before the common ones. */
static const struct option *find_option(const struct command *command, const char *name, size_t size,
					char letter)
{
	for (const struct option *option = command->options; option->name != NULL; option++)
		if (is_option(option, name, size, letter))
			return option;
	for (size_t i = 0; i < COMMON_OPTIONS_COUNT; i++)
		if (takes(command, &common_options[i]) &&
		    is_option(&common_options[i].option, name, size, letter))
			return &common_options[i].option;
	return NULL;
}

/* Takes one option at argv[*at] and moves *at past it. */
static int take_option(struct call *call, int argc, char **argv, int *at)
{
	const char *word = argv[*at];
	bool is_long = word[1] == '-';
	const char *equals = is_long ? strchr(word, '=') : NULL;
	const char *name = word + (is_long ? 2 : 1);
	size_t size = equals != NULL ? (size_t)(equals - name) : strlen(name);
	char letter = is_long ? 0 : word[1];

	const struct option *option = find_option(call->command, name, size, letter);
	if (option == NULL || (!is_long && option->argument == NULL && word[2] != '\0'))
		return call_usage(call, "there is no option '%s' here", word);
	if (call->given_count == OPTIONS_MAX * 2)
		return call_usage(call, "too many options");

	const char *value = "";
	if (option->argument != NULL) {
		if (equals != NULL)
			value = equals + 1;
		else if (!is_long && word[2] != '\0')
			value = word + 2;
		else if (*at + 1 < argc)
			value = argv[++*at];
		else
			return call_usage(call, "%s needs a value: %s", word, option->argument);
	} else if (equals != NULL) {
		return call_usage(call, "--%s takes no value", option->name);
	}
	call->given[call->given_count] = option;
	call->value[call->given_count++] = value;
	return 0;
}

static int parse(struct call *call, int argc, char **argv, int at)
{
	bool only_operands = false;
	for (; at < argc; at++) {
		const char *word = argv[at];
		if (!only_operands && strcmp(word, "--") == 0) {
			only_operands = true;
		} else if (!only_operands && word[0] == '-' && word[1] != '\0') {
			int code = take_option(call, argc, argv, &at);
			if (code != 0)
				return code;
		} else if (call->operand_count == call->command->operands_max) {
			return call_usage(call, "'%s' is one operand too many", word);
		} else {
			call->operand[call->operand_count++] = word;
		}
	}
	call->json = call_has(call, "json");
	call->yes = call_has(call, "yes");
	return 0;
}

static int no_command(const struct call *call, const char *name, int words)
{
	return call_usage(call, "there is no command '%s'%s: liaison --help lists them", name,
			  words == 2 ? " of that form" : "");
}

static int run_command(const struct command *const *commands, struct call *call, int argc, char **argv)
{
	int words = 0;
	if (argc > 2 && strcmp(argv[1], "help") == 0) {
		call->command = find_command(commands, argc - 1, argv + 1, &words);
		if (call->command != NULL)
			print_command_help(call->command);
		return call->command != NULL ? 0 : no_command(call, argv[2], words);
	}
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		print_help(commands);
		return argc < 2 ? 2 : 0;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("liaison %s\n", LIAISON_VERSION);
		return 0;
	}
	call->command = find_command(commands, argc, argv, &words);
	if (call->command == NULL)
		return no_command(call, argv[1], words);
	int code = parse(call, argc, argv, 1 + words);
	if (code != 0)
		return code;
	if (call_has(call, "help")) {
		print_command_help(call->command);
		return 0;
	}
	if (call->operand_count < call->command->operands_min)
		return call_usage(call, "it takes: liaison %s %s", call->command->name,
				  call->command->operands);
	code = call->command->run(call);
	call->has_run = true;
	return code == 1 && *call->is_misused ? 2 : code;
}

/* What was printed must have got somewhere: who reads a part of it would take it for the whole. */
static int end_output(const struct call *call, int code)
{
	bool lost = fflush(stdout) != 0;
	const char *reason = lost ? strerror(errno) : "an earlier part of it was lost";
	if (!lost && !ferror(stdout))
		return code;
	const char *lasting = call->has_run && code == 0 ? call->command->lasting : NULL;
	call_fail(call, "the output cannot be written: %s%s%s", reason,
		  lasting != NULL ? "; all the same " : "", lasting != NULL ? lasting : "");
	return code == 0 ? 1 : code;
}

int command_main(const struct command *const *commands, int argc, char **argv)
{
	bool is_misused = false;
	struct call call = {.is_misused = &is_misused};
	for (int i = 1; i < argc; i++) /* first, so that a mistake before it is told in JSON as well */
		call.json |= strcmp(argv[i], "--json") == 0;
	return end_output(&call, run_command(commands, &call, argc, argv));
}
