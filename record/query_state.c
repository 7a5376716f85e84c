#include "record/query_state.h"

enum error query_state_handle(struct run *run, uint64_t verb, struct cbor_reader *arguments)
{
	(void)verb;
	(void)arguments;
	run_reply_error(run, ERROR_UNSUPPORTED, NULL);
	return ERROR_OK;
}
