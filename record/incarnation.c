#include "record/incarnation.h"
#include "record/clock.h"
#include "record/outbox.h"
enum error incarnation_start(struct run *run)
{
	enum error error = clock_keep(run);
	return error == ERROR_OK ? outbox_lost(run) : error;
}
enum error incarnation_heads(struct run *run)
{
	(void)run;
	return ERROR_OK;
}
