#include "record/heads.h"

enum error heads_take(struct run *run, const struct received_statement *statement)
{
	(void)run; (void)statement;
	return ERROR_OK;
}
enum error heads_tick(struct run *run)
{
	(void)run;
	return ERROR_OK;
}
enum error heads_agree(struct run *run, uint64_t channel_number, const struct channel *channel, bool *agree)
{
	(void)run; (void)channel_number; (void)channel;
	*agree = true;
	return ERROR_OK;
}
