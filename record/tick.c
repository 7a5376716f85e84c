#include "record/tick.h"

#include "record/batch.h"
#include "record/clock.h"
#include "record/heads.h"
#include "record/incarnation.h"
#include "record/keys.h"
#include "record/log.h"
#include "record/missing.h"
#include "record/outbox.h"
#include "record/registry.h"

/* Letters that stood ready in a chain beyond what one event takes. */
static enum error advance_registry(struct run *run)
{
	struct registry_verdict verdicts[REGISTRY_VERDICTS_MAX];
	size_t count;

	enum error error = registry_advance(run, verdicts, &count);
	for (size_t i = 0; error == ERROR_OK && i < count; i++)
		batch_note_verdict(run, &verdicts[i].key, verdicts[i].reason);
	return error;
}

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
		error = outbox_requeue(run);
	if (error == ERROR_OK && !incarnation_unsure(run)) /* verdicts are filed in the own log */
		error = advance_registry(run);
	if (error == ERROR_OK)
		error = missing_tick(run);
	if (error == ERROR_OK)
		error = heads_tick(run);
	if (error == ERROR_OK)
		error = outbox_due(run);
	if (error == ERROR_OK)
		error = outbox_retry(run);
	return error;
}
