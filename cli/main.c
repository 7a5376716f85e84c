#include <stdio.h>

#include <sodium.h>

#include "cli/commands.h"

static const struct command *const commands[] = {
	&command_party_create, &command_party_show, &command_post_create, &command_officer_create, NULL,
};

int main(int argc, char **argv)
{
	if (sodium_init() < 0) {
		fprintf(stderr, "liaison: the cryptographic library cannot start\n");
		return 1;
	}
	return command_main(commands, argc, argv);
}
