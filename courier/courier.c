#include "courier/courier.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "courier/hooks.h"

#define TICK_MS 1000

/*
 * Sessions that have not ended by then are cut off. A reload gives them all the time that they may take:
 * ENDING_TIMEOUT_MS, and 2 s for the last bytes. Who stops a courier may kill it after 5 s, as tools/run-line
 * does: a neighbour that says nothing must not make it come to that.
 */
#define RELOAD_ABORT_MS 7000
#define STOP_ABORT_MS   4000

uint64_t courier_wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t courier_steady_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t now_ms(const struct courier *courier)
{
	return uv_now(&courier->loop);
}

void courier_fail(struct courier *courier, const char *why)
{
	if (courier->exit_code == 0)
		log_say("stops: %s", why);
	courier->exit_code = 1;
	uv_stop(&courier->loop);
}

/* ---- sessions ---- */

bool courier_note_session(struct courier *courier, struct session *session)
{
	if (session == NULL)
		return false;
	courier->sessions[courier->session_count++] = session;
	return true;
}

/* ---- what the post says ---- */

static void on_post_up(void *context)
{
	struct courier *courier = context;

	courier->post_absent = 0;
	log_limited(&courier->log, LOG_POST, now_ms(courier), "the post is there");
	queue_post_connected(&courier->queue);
	courier->feeding = true;
	dispatch_tell_heads(courier);
	routes_tell(courier);
}

static void on_post_down(void *context, const char *detail)
{
	struct courier *courier = context;

	log_limited(&courier->log, LOG_POST, now_ms(courier), "the link to the post is broken: %s", detail);
}

#define POST_ABSENT_MS 600000

/* At once, when the reason is another, and now and then: a path that is wrong is wrong for good. */
static void on_post_absent(void *context, int number)
{
	struct courier *courier = context;

	if (courier->post_absent == number && now_ms(courier) - courier->post_absent_ms < POST_ABSENT_MS)
		return;
	courier->post_absent = number;
	courier->post_absent_ms = now_ms(courier);
	log_limited(&courier->log, LOG_POST, now_ms(courier),
		"the post cannot be reached at %s: %s; it is tried again and again", courier->config.post,
		strerror(number));
}

static void on_post_lost(void *context)
{
	courier_fail(context, "the process that connects to the post has ended");
}

static bool on_post_message(void *context, const struct link_message *message)
{
	struct courier *courier = context;

	switch (message->type) {
	case LINK_SEND:
	case LINK_CANCEL:
	case LINK_TAKEN:
	case LINK_HEAD:
		return dispatch_note_message(courier, message);
	case LINK_LEFT:
		queue_delivery_left(&courier->queue, message->left.delivery);
		courier->feeding = true;
		return true;
	case LINK_ROUTE_WANTED:
		route_want(courier, &message->route_wanted);
		return true;
	default:
		return true; /* link_decode lets only these pass from a post */
	}
}

/* ---- the loop ---- */

static bool all_sessions_ended(const struct courier *courier)
{
	return courier->session_count == 0 && dispatch_is_done(courier);
}

static void abort_all(struct courier *courier, const char *detail)
{
	while (courier->session_count > 0)
		session_abort(courier->sessions[0], detail);
}

static void apply_config(struct courier *courier);

/* When the sessions that are told to end are cut off. */
static uint64_t abort_ms(const struct courier *courier)
{
	return courier->ending_ms + (courier->stopping ? STOP_ABORT_MS : RELOAD_ABORT_MS);
}

/* Goes on with a reload or the end, once the sessions are gone. */
static void advance_ending(struct courier *courier)
{
	if (!courier->reloading && !courier->stopping && !courier->starting_over)
		return;
	if (now_ms(courier) >= abort_ms(courier))
		abort_all(courier, "it did not end in time");
	if (!courier->starting_over && !all_sessions_ended(courier))
		return;
	if (courier->stopping)
		uv_stop(&courier->loop);
	else
		apply_config(courier);
}

static void on_prepare(uv_prepare_t *prepare)
{
	struct courier *courier = prepare->data;

	dispatch_run(courier);
	advance_ending(courier);
	if (courier->routes_changed && courier->exit_code == 0)
		routes_tell(courier);
}

static void on_timer(uv_timer_t *timer)
{
	struct courier *courier = timer->data;
	uint64_t now = now_ms(courier);

	routes_dial(courier);
	for (unsigned i = 0; i < courier->config.neighbour_count; i++)
		route_judge(courier, &courier->routes[i]);
	if (routes_full_changed(courier) || routes_queued_changed(courier))
		routes_tell(courier); /* with each tick at most: what waits is a number for people */
	log_catch_up(&courier->log, now);
	dispatch_rest(courier);
	dispatch_note_tick(courier);
	courier_set_timer(courier);
}

void courier_set_timer(struct courier *courier)
{
	/* At least 1: the loop runs timers until none is due, so it would never leave one that starts anew.
	 */
	uint64_t wait = routes_wait_ms(courier, TICK_MS - 1) + 1;

	if (courier->reloading || courier->stopping) {
		uint64_t now = now_ms(courier);

		/* The last session may just have ended. */
		if (courier->session_count == 0 || abort_ms(courier) <= now)
			wait = 1;
		else if (abort_ms(courier) - now < wait)
			wait = abort_ms(courier) - now;
	}
	if (!uv_is_closing((uv_handle_t *)&courier->timer))
		uv_timer_start(&courier->timer, on_timer, wait, 0);
}

static void end_sessions(struct courier *courier)
{
	courier->ending_ms = now_ms(courier);
	/* Some end at once and leave the list: from its end to its beginning. */
	for (unsigned i = courier->session_count; i > 0; i--)
		session_terminate(courier->sessions[i - 1], TCPCL_TERM_UNKNOWN);
	courier_set_timer(courier);
}

void courier_start_over(struct courier *courier)
{
	log_limited(&courier->log, LOG_QUEUE, now_ms(courier),
		"the disk has no room for what came: all links are broken off and made anew");
	courier->starting_over = true;
	courier->config_next = courier->config;
	courier->ending_ms = now_ms(courier);
	abort_all(courier, "the disk is full");
	if (courier->post != NULL)
		post_link_break(courier->post, "the disk is full");
}

/* ---- configuration ---- */

static void apply_config(struct courier *courier)
{
	courier->config = courier->config_next;
	courier->reloading = false;
	courier->starting_over = false;
	routes_make(courier);
	if (courier->post != NULL)
		post_link_break(courier->post, "the queue is taken anew");
	if (dispatch_restart(courier) != ERROR_OK)
		courier_fail(courier, "the queue cannot be taken anew");
	routes_dial(courier);
}

/* What a running courier can change: its neighbours, and the ways through them. */
static bool may_become(const struct config *now, const struct config *next)
{
	return strcmp(now->node, next->node) == 0 && strcmp(now->post, next->post) == 0 &&
		strcmp(now->keylog, next->keylog) == 0 && now->listen_count == next->listen_count &&
		memcmp(now->listen, next->listen, sizeof now->listen) == 0;
}

static void reload(struct courier *courier)
{
	if (courier->stopping || courier->reloading || courier->starting_over)
		return;
	if (courier_read_config(courier->directory, "courier.conf", &courier->config_next) != ERROR_OK) {
		log_say("goes on as before");
		return;
	}
	if (!may_become(&courier->config, &courier->config_next)) {
		log_say("courier.conf: node, listen, post and keylog change only with a restart; goes on as "
			"before");
		return;
	}
	log_say("takes courier.conf anew");
	courier->reloading = true;
	end_sessions(courier);
}

static void stop(struct courier *courier)
{
	if (courier->stopping) {
		abort_all(courier, "this courier stops at once");
		return;
	}
	log_say("ends its sessions and stops");
	courier->stopping = true;
	courier->reloading = false;
	end_sessions(courier);
}

static void on_signal(uv_signal_t *signal, int number)
{
	if (number == SIGHUP)
		reload(signal->data);
	else
		stop(signal->data);
}

enum error courier_read_config(int directory, const char *shown_path, struct config *config)
{
	char *text = malloc(CONFIG_SIZE_MAX + 1);
	int file = openat(directory, "courier.conf", O_RDONLY | O_CLOEXEC);
	char message[CONFIG_MESSAGE_SIZE_MAX] = "";
	unsigned line = 0;
	enum error error = ERROR_IO;
	ssize_t size = 0;
	size_t total = 0;

	while (file >= 0 && text != NULL && total <= CONFIG_SIZE_MAX &&
		(size = read(file, text + total, CONFIG_SIZE_MAX + 1 - total)) > 0)
		total += (size_t)size;
	if (file < 0 || text == NULL || size < 0) {
		log_say("%s: %s", shown_path, strerror(errno));
	} else if (total > CONFIG_SIZE_MAX) {
		log_say("%s: has more than %d bytes", shown_path, CONFIG_SIZE_MAX);
	} else {
		error = config_parse(config, bytes_make(text, total), hooks_built(), &line, message);
		if (error != ERROR_OK && line > 0)
			log_say("%s:%u: %s", shown_path, line, message);
		else if (error != ERROR_OK)
			log_say("%s: %s", shown_path, message);
	}
	if (file >= 0)
		close(file);
	free(text);
	return error;
}

/* ---- beginning and end ---- */

static void start_handles(struct courier *courier)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
	sigset_t caught;

	sigemptyset(&caught);
	uv_timer_init(&courier->loop, &courier->timer);
	uv_timer_init(&courier->loop, &courier->company);
	uv_prepare_init(&courier->loop, &courier->prepare);
	courier->timer.data = courier;
	courier->company.data = courier;
	courier->prepare.data = courier;
	uv_prepare_start(&courier->prepare, on_prepare);
	for (unsigned i = 0; i < 3; i++) {
		uv_signal_init(&courier->loop, &courier->signals[i]);
		courier->signals[i].data = courier;
		uv_signal_start(&courier->signals[i], on_signal, numbers[i]);
		sigaddset(&caught, numbers[i]);
	}
	/* What its parent had blocked is blocked here too: nothing but SIGKILL would ever end it. */
	sigprocmask(SIG_UNBLOCK, &caught, NULL);
}

enum error courier_open(struct courier *courier, const struct courier_parts *parts, const char **problem)
{
	courier->directory = parts->directory;
	courier->store = parts->store;
	*problem = "there is no memory left";
	if (uv_loop_init(&courier->loop) != 0)
		return ERROR_NO_MEMORY;
	neighbours_own(courier);
	courier->post_owner = (struct post_link_owner){
		.context = courier,
		.up = on_post_up,
		.down = on_post_down,
		.message = on_post_message,
		.lost = on_post_lost,
		.absent = on_post_absent,
	};
	courier->tls = tls_context_make(parts->certificate, &courier->tls_policy, parts->keylog);
	if (courier->tls == NULL)
		return ERROR_NO_MEMORY;
	courier->session_settings.tls = courier->tls;
	start_handles(courier);
	routes_make(courier);
	for (unsigned i = 0; i < courier->config.listen_count; i++) {
		int result = neighbours_listen(courier, i);

		if (result != 0) {
			snprintf(courier->problem, sizeof courier->problem, "listening on %s port %u: %s",
				courier->config.listen[i].host, courier->config.listen[i].port,
				uv_strerror(result));
			*problem = courier->problem;
			return ERROR_IO;
		}
	}
	if (parts->channel >= 0) {
		courier->post = post_link_make(
			&courier->loop, parts->channel, courier->config.node, &courier->post_owner);
		if (courier->post == NULL)
			return ERROR_NO_MEMORY;
	}
	*problem = "the queue cannot be made";
	return dispatch_open(courier);
}

static void close_handle(uv_handle_t *handle, void *unused)
{
	(void)unused;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

/* That it runs: whoever started it may wait for these lines. */
static void say_where(const struct courier *courier)
{
	log_say("runs as %s", courier->config.node);
	for (unsigned i = 0; i < courier->config.listen_count; i++) {
		const struct config_address *listen = &courier->config.listen[i];

		log_say("listens on %s port %u", listen->host, listen->port);
	}
}

int courier_run(struct courier *courier)
{
	say_where(courier);
	routes_dial(courier);
	courier_set_timer(courier);
	uv_run(&courier->loop, UV_RUN_DEFAULT);
	return courier->exit_code;
}

void courier_close(struct courier *courier)
{
	/* What was noted and is not on disk is nobody's loss: no one was told that it is. */
	courier->stopping = true;
	abort_all(courier, "this courier stops");
	if (courier->post != NULL)
		post_link_close(courier->post);
	uv_prepare_stop(&courier->prepare);
	/* Sessions and the post's link have closed their own handles. */
	uv_walk(&courier->loop, close_handle, NULL);
	uv_run(&courier->loop, UV_RUN_DEFAULT);
	uv_loop_close(&courier->loop);
	post_link_free(courier->post);
	dispatch_close(courier);
	tls_context_free(courier->tls);
}
