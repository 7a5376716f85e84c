#include "record/tick.h"

#include "record/clock.h"
#include "record/heads.h"
#include "record/incarnation.h"
#include "record/keys.h"
#include "record/log.h"
#include "record/outbox.h"

enum error tick_handle(struct run *run)
{
	enum error error = clock_keep(run);
	if (error == ERROR_OK)
		error = keys_sweep(run);
	if (error == ERROR_OK)
		error = keys_make(run, false);
	if (error == ERROR_OK)
		error = log_advance(run);
	if (error == ERROR_OK)
		error = incarnation_requeue(run);
	if (error == ERROR_OK)
		error = heads_tick(run);
	if (error == ERROR_OK)
		error = outbox_due(run);
	return error;
}
