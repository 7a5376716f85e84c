#include <stdio.h>

#include <sodium.h>

#include "cli/commands.h"
#include "shell/standard_descriptors.h"

/* clang-format off */
static const struct command *const commands[] = {
	&command_party_create,
	&command_party_show,
	&command_post_create,
	&command_officer_create,
	&command_card_show,
	&command_card_export,
	&command_card_accept,
	&command_keying_make,
	&command_keying_accept,
	&command_channel_open,
	&command_channel_show,
	&command_send,
	&command_reply,
	&command_ack,
	&command_inbox,
	&command_show,
	&command_log,
	&command_verify,
	&command_status,
	&command_watch,
	&command_backup,
	&command_restore,
	NULL,
};
/* clang-format on */

int main(int argc, char **argv)
{
	if (!standard_descriptors_fill())
		return 1; /* and nobody to tell it to */
	if (sodium_init() < 0) {
		fprintf(stderr, "liaison: the cryptographic library cannot start\n");
		return 1;
	}
	return command_main(commands, argc, argv);
}
