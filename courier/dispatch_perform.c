/*
 * What follows from a batch that is on disk: the post is told, neighbours are answered, and the log has its
 * lines.
 */
#include "courier/courier.h"

#include <string.h>

#define REPORT_SIZE_MAX (32 + ROUTE_NAME_SIZE_MAX) /* a frame of PROGRESS */

static void report(struct courier *courier, const struct queue_action *action)
{
	struct link_message message = {
		.type = LINK_PROGRESS,
		.progress = {.state = action->state, .route = action->route, .reason = action->error},
	};

	memcpy(message.progress.id, action->id, LINK_ID_SIZE);
	if (courier->post != NULL)
		(void)dispatch_tell_post(courier, &message);
}

static void perform(struct courier *courier, const struct outcome *outcome)
{
	switch (outcome->action.kind) {
	case QUEUE_ACTION_PROGRESS:
		report(courier, &outcome->action);
		break;
	case QUEUE_ACTION_STORED:
		if (outcome->session != NULL)
			session_stored(outcome->session, outcome->transfer);
		break;
	case QUEUE_ACTION_REFUSE:
		if (outcome->session != NULL)
			session_refuse(outcome->session, outcome->transfer,
				(enum tcpcl_refuse)outcome->action.reason);
		break;
	default:
		log_limited(&courier->log, LOG_QUEUE, uv_now(&courier->loop), "%s (%s)", outcome->action.text,
			error_name(outcome->action.error));
		break;
	}
}

/* Sends the answers of this batch; sessions may close while they do. */
static void flush_answered(struct courier *courier)
{
	for (unsigned i = 0; i < courier->outcome_count; i++) {
		struct session *session = courier->outcomes[i].session;

		for (unsigned j = i; session != NULL && j < courier->outcome_count; j++) {
			if (courier->outcomes[j].session == session)
				courier->outcomes[j].session = NULL;
		}
		if (session != NULL)
			session_flush(session);
	}
}

void dispatch_perform(struct courier *courier)
{
	for (unsigned i = 0; i < courier->outcome_count; i++)
		perform(courier, &courier->outcomes[i]);
	flush_answered(courier);
	courier->outcome_count = 0;
}

bool dispatch_can_report(const struct courier *courier)
{
	return courier->post == NULL ||
		post_link_has_room(
			courier->post, (courier->outcome_count + QUEUE_SWEEP_MAX) * REPORT_SIZE_MAX);
}
