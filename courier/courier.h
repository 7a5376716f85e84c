/*
 * The courier's daemon: what its parts share. courier.c keeps sessions, routes and the loop; dispatch.c takes
 * events through the queue (carry/queue.h) and performs what it says.
 *
 *   post  <-- post_link --+                      +-- session --> neighbour
 *                         +--> dispatch: queue --+-- session --> neighbour
 *                              one commit a batch
 *
 * Callbacks of the loop only note events; dispatch_run(), before the loop waits again, takes all that were
 * noted through the queue, commits once, and only then acknowledges, reports and sends.
 */
#ifndef COURIER_COURIER_H
#define COURIER_COURIER_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "base/rows.h"
#include "carry/queue.h"
#include "courier/config.h"
#include "courier/log.h"
#include "courier/post_link.h"
#include "courier/session.h"
#include "courier/store.h"
#include "courier/tls.h"

#define SESSIONS_MAX (3 * NEIGHBOURS_MAX + STRANGERS_MAX + 1) /* an old and a new one, one being dialed */
#define FLIGHTS_MAX (2 * TCPCL_OUTGOING_MAX) /* of one route: a session and the one that takes its place */
#define BATCH_ACTIONS_MAX 2048 /* of one commit of the queue; more wait for the next */

/* A transfer of the queue on its way in a session. */
struct flight {
	struct session *session;
	uint64_t transfer; /* the session's number */
	uint64_t number;   /* the queue's */
};

/* One neighbour, at the same index as in the configuration and in the queue's settings. */
struct route {
	const struct config_neighbour *neighbour;
	struct session *session; /* established */
	struct session *dialing; /* being made by us */
	uint64_t established_ms;
	uint64_t alone_ms;    /* since when there is no session */
	uint64_t dial_ms;     /* when to dial next */
	uint64_t pause_ms;    /* what to wait after the next failure */
	uint64_t progress_ms; /* when something was last settled, or first sent */
	bool held;            /* the post wants it unused */
	enum link_route_state state;
	uint64_t changed_ms; /* Unix time */
	uint64_t queued_told; /* bytes that wait for it, as the post was last told */
	struct flight flights[FLIGHTS_MAX];
	unsigned flight_count;
};

struct pending; /* an event that waits for dispatch_run() */

/* What is to be done once the batch is on disk, and for whom. */
struct outcome {
	struct queue_action action;
	struct session *session;
	uint64_t transfer;
};

struct courier {
	uv_loop_t loop;
	uv_tcp_t listeners[LISTEN_MAX];
	uv_timer_t timer;
	uv_prepare_t prepare;
	uv_signal_t signals[3];
	struct config config;
	struct config config_next; /* read by a reload, to be used when all sessions have ended */
	struct log log;
	struct tls_policy tls_policy;
	struct tls_context *tls;
	struct session_owner session_owner;
	struct session_settings session_settings;
	struct post_link_owner post_owner;
	struct post_link *post;
	int post_absent;	 /* the errno that was told; 0: the post is there, or was never looked for */
	uint64_t post_absent_ms; /* when it was told */
	struct store *store;
	int directory;

	struct route routes[NEIGHBOURS_MAX];
	struct session *sessions[SESSIONS_MAX]; /* all that have not closed */
	unsigned session_count;
	uint64_t queued_told;
	bool routes_changed;
	bool full_told;     /* that the disk is nearly full, as the post was last told */
	bool reloading;     /* sessions end, then config_next is used */
	bool starting_over; /* as reloading, after a batch that the disk had no room for: nothing is taken on
			     */
	bool stopping;      /* sessions end, then the loop */
	uint64_t ending_ms;
	int exit_code;
	char problem[160]; /* of courier_open */

	/* dispatch.c */
	struct queue queue;
	struct queue_route queue_routes[NEIGHBOURS_MAX];
	struct queue_path queue_paths[PATHS_MAX];
	struct rows rows;
	void *rows_memory;
	bool rows_used;
	struct pending *pending_first;
	struct pending *pending_last;
	size_t pending_size;
	size_t pending_count;
	size_t pressing_count; /* of them, those that wait for nothing */
	uv_timer_t company;
	bool company_over; /* the others have waited long enough */
	bool tick_waits;   /* one TICK is among the events: more would do no more */
	bool ends_held;    /* at the last TICK the post's link had no room for reports */
	bool running;
	bool feeding; /* routes and post are worth asking */
	bool blocked; /* something could go on but for a window: what opens it does not wait */
	struct outcome outcomes[BATCH_ACTIONS_MAX];
	unsigned outcome_count;
	uint8_t bundle[BUNDLE_SIZE_MAX];
};

/* ---- dispatch.c ---- */

/* Memory and the queue for the present configuration; notes the first event. ERROR_NO_MEMORY,
 * ERROR_BAD_ARGUMENT. */
enum error dispatch_open(struct courier *courier);
void dispatch_close(struct courier *courier);

/* Forgets events and transfers, and takes the queue anew from disk, for a new configuration or after a batch
 * that the disk had no room for. All sessions must be closed and the post's link be down. */
enum error dispatch_restart(struct courier *courier);

/* Note events; each copies what it must keep. False without memory, or (the first) when too much waits. */
bool dispatch_note_message(struct courier *courier, const struct link_message *message);
/* `bundle` is from malloc() and now dispatch's. Without memory the transfer is refused. */
void dispatch_note_received(struct courier *courier, struct session *session, unsigned route,
	uint64_t transfer, uint8_t *bundle, size_t size);
/* A transfer was answered (kind: QUEUE_ACKNOWLEDGED or QUEUE_REFUSED, reason). */
void dispatch_note_settled(struct courier *courier, struct session *session, struct route *route,
	uint64_t transfer, enum queue_event_kind kind, uint8_t reason);
/* The session is gone: its transfers have failed, and nothing that waits may answer it. */
void dispatch_note_closed(struct courier *courier, struct session *session);
void dispatch_note_tick(struct courier *courier);

/* An event about a transfer of the queue. It must not be lost, or the queue would wait for ever: without
 * memory the daemon stops. */
void dispatch_note_transfer(
	struct courier *courier, uint64_t number, enum queue_event_kind kind, uint8_t reason);

/* Everything that was noted, in batches; then what may be sent. */
void dispatch_run(struct courier *courier);

/* True if nothing waits but, at most, a TICK that goes on: the next process does the rest of it as well. */
bool dispatch_is_done(const struct courier *courier);

/* Free bytes of the courier's disk; UINT64_MAX if it does not say. */
uint64_t dispatch_disk_room(const struct courier *courier);

/* Loads what the last run of the rows wanted. False: the daemon has failed. */
bool dispatch_load(struct courier *courier);

/* Gives memory back that the last burst used, once nothing waits. */
void dispatch_rest(struct courier *courier);

/* ---- dispatch_perform.c ---- */

/* Performs the outcomes of a batch that is on disk, and forgets them. */
void dispatch_perform(struct courier *courier);

/* True if the post's link has room for what the outcomes report so far, and for what one more step may. */
bool dispatch_can_report(const struct courier *courier);

/* ---- dispatch_feed.c ---- */

#define QUEUE_SPOILT \
	"queue.db holds what this program did not write: find out how the disk came to that, and move the " \
	"file away; a new one begins, and the post gives again what is its own"

/* A message to the post on its link. False: not now; or it is of no form that the post would take, which only
 * a queue that was changed on the disk brings about: the courier ends. */
bool dispatch_tell_post(struct courier *courier, const struct link_message *message);

/* Sends what may be sent now, to the post and by every route. */
void dispatch_feed(struct courier *courier);

/* Gives the post the heads that are kept for it. */
void dispatch_tell_heads(struct courier *courier);

/* Bytes that wait for a route. */
uint64_t dispatch_queued(struct courier *courier, unsigned route);

/* ---- routes.c ---- */

/* Routes for the present configuration: none has a session. */
void routes_make(struct courier *courier);

/* The neighbour's route; NULL for NULL. */
struct route *route_of(struct courier *courier, const struct config_neighbour *neighbour);
unsigned route_index(const struct courier *courier, const struct route *route);

/* Sees in which state a route is, and notes a change of it. */
void route_judge(struct courier *courier, struct route *route);

/* True if other bytes wait for a route than the post was told. */
bool routes_queued_changed(struct courier *courier);
/* True if the disk is nearly full and the post was told otherwise, or has room again. */
bool routes_full_changed(const struct courier *courier);
/* Tells the post how the routes are, and whether the disk is nearly full. */
void routes_tell(struct courier *courier);

/* The session of a route is gone, or the route is wanted: when to dial is decided anew. */
void route_lost(struct courier *courier, struct route *route);

/* Dials whom it is time to dial. */
void routes_dial(struct courier *courier);

/* How long until a neighbour is to be dialed: 0 for now, at most wait_max_ms. */
uint64_t routes_wait_ms(const struct courier *courier, uint64_t wait_max_ms);

/* The post wants a route unused, or used again. */
void route_want(struct courier *courier, const struct link_route_wanted *wanted);

/* ---- neighbours.c ---- */

/* Fills in session_owner, session_settings and tls_policy. */
void neighbours_own(struct courier *courier);

/* Listens on the address of this index. 0, or libuv's error. */
int neighbours_listen(struct courier *courier, unsigned index);

/* ---- courier.c ---- */

/* Adds a new session to the list; false for NULL. */
bool courier_note_session(struct courier *courier, struct session *session);

/* The next tick: within a second, or when somebody is to be dialed. */
void courier_set_timer(struct courier *courier);

/* What main() has made before the sandbox: everything that needs the world. */
struct courier_parts {
	int directory;
	int channel; /* of the connector; -1 without a post */
	int keylog;  /* -1 */
	const struct certificate *certificate;
	struct store *store;
};

/* Prepares the loop, binds the listening sockets of courier->config. On failure *problem says why. */
enum error courier_open(struct courier *courier, const struct courier_parts *parts, const char **problem);

/* Runs until it is told to stop. Returns the exit code. */
int courier_run(struct courier *courier);

/* Frees all; after courier_run, or after courier_open failed. */
void courier_close(struct courier *courier);

/* Stops at once after a failure of this machine; says why. */
void courier_fail(struct courier *courier, const char *why);

/* The disk had no room for a batch: all links are broken off, and the queue is taken anew. */
void courier_start_over(struct courier *courier);

/* Reads DIR/courier.conf. On failure it has said why. */
enum error courier_read_config(int directory, const char *shown_path, struct config *config);

uint64_t courier_wall_ms(void);
uint64_t courier_steady_ms(void);

#endif
