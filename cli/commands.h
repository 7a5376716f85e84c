/*
 * Every command of `liaison`, in the order of the help. One file each (or each noun).
 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/command.h"

extern const struct command command_party_create;
extern const struct command command_party_show;
extern const struct command command_post_create;
extern const struct command command_officer_create;
extern const struct command command_card_show;
extern const struct command command_card_export;
extern const struct command command_card_accept;
extern const struct command command_keying_make;
extern const struct command command_keying_accept;
extern const struct command command_channel_open;
extern const struct command command_channel_show;
extern const struct command command_send;
extern const struct command command_reply;
extern const struct command command_ack;
extern const struct command command_inbox;
extern const struct command command_show;
extern const struct command command_log;
extern const struct command command_verify;
extern const struct command command_status;
extern const struct command command_watch;
extern const struct command command_backup;
extern const struct command command_restore;

#endif
