/*
 * A simulated world: parties, each with one post and one courier that run the real cores (record/,
 * carry/queue.h) over stores in memory, between them sessions that fail, and virtual time. Everything comes
 * from one seed.
 *
 * What happens is an event in the queue of world.c, at a time; the parts are
 *
 *     officer.c   people: parties, cards, channels, messages; they repeat what was not answered
 *     shell.c     a post's process: batches, commit, anchor, actions, as record.h demands
 *     courier.c   a courier's process: the queue, and a simple model of its sessions
 *     network.c   what becomes of a bundle between two couriers
 *     faults.c    what goes wrong beside: crashes, images restored, clocks, hostile bytes
 *     rogue.c     a hostile party, which has the real record's keys
 *     words.c     what people sign, right and wrong
 *     check.c     what must hold
 *     run.c       one seed from beginning to end
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdio.h>

#include "base/link.h"
#include "base/local.h"
#include "carry/queue.h"
#include "envelope/content.h"
#include "envelope/ed25519.h"
#include "record/record.h"
#include "sim/counts.h"
#include "sim/disk.h"
#include "sim/random.h"

#define WORLD_NODES_MAX    8
#define WORLD_LINES_MAX    (WORLD_NODES_MAX * (WORLD_NODES_MAX - 1) / 2)
#define WORLD_COPIES_MAX   256 /* handed to a courier and not answered */
#define WORLD_ARRIVED_MAX  64  /* messages that an officer remembers, to answer them */
#define WORLD_CAPTURED_MAX 64  /* sealed bytes that an adversary keeps */
#define WORLD_TRACE_LINES  64
#define WORLD_OFFICERS     5 /* of a party */

#define DAY_MS UINT64_C(86400000)

/* ---- what a seed decides (shares are of 10,000) ---- */

struct settings {
	size_t nodes;
	uint64_t steps_max;  /* of the fault phase */
	uint64_t tick_ms;    /* about so often, in the fault phase */
	uint64_t officer_ms; /* between two deeds of the officers of one post, at most */
	unsigned shares[FAULTS];
	uint64_t delay_max_ms; /* of a relay */
	uint64_t fault_ms;     /* between two fault events, at most */
};

/* Numbers of faults, as ranges: ascending, and apart from each other. */
struct strikes_range {
	uint64_t first;
	uint64_t last;
};

#define STRIKES_RANGES_MAX 2048

struct strikes {
	size_t count;
	struct strikes_range ranges[STRIKES_RANGES_MAX];
};

/* ---- people ---- */

enum submission_state {
	SUBMISSION_NEW = 1,   /* to be given to the post */
	SUBMISSION_ASKED = 2, /* given, no reply yet */
	SUBMISSION_HELD = 3,  /* the reply said: on disk */
	SUBMISSION_REFUSED = 4,
	SUBMISSION_LOST = 5, /* it was held, and an old image was put in its place */
};

struct submission {
	enum submission_state state;
	size_t line;
	bool good; /* signed by one who may; else it must be refused */
	bool is_message;
	unsigned precedence;
	uint8_t identity[IDENTITY_SIZE];
	uint8_t *cose;
	size_t size;
};

struct arrived {
	size_t line;
	uint8_t identity[IDENTITY_SIZE];
};

struct world_party {
	char name[32];
	struct ed25519_pair authority;
	struct ed25519_pair officers[WORLD_OFFICERS]; /* by number - 1; sim/words.h says who they are */
	uint8_t id[PARTY_ID_SIZE];
	uint8_t *letters[2]; /* founding, post */
	size_t letters_size[2];
	size_t letters_count;
	uint8_t head[IDENTITY_SIZE];
	struct submission *submissions;
	size_t submissions_count;
	size_t unanswered; /* those before are answered */
	bool away;         /* the officers wait for their post to be up again */
	uint64_t acts_ms;  /* when they act next: an event for another time is overtaken */
	struct arrived arrived[WORLD_ARRIVED_MAX];
	size_t arrived_count;
};

/* A channel of two parties. */
struct world_line {
	size_t nodes[2]; /* in roster order */
	struct roster roster;
	uint8_t terms[TERMS_SIZE_MAX];
	size_t terms_size;
	uint8_t nonce[CHANNEL_NONCE_SIZE];
	uint8_t id[CHANNEL_ID_SIZE];
	uint64_t chain_number[2]; /* of each authority */
	uint8_t chain_head[2][IDENTITY_SIZE];
};

/* ---- machines ---- */

struct frame {
	struct frame *next;
	size_t size;
	uint8_t data[];
};

struct frames {
	struct frame *first;
	struct frame **last;
	size_t count;
};

struct kept_action {
	struct record_action action;
	uint8_t *memory;
};

struct sent_copy {
	uint8_t id[LINK_ID_SIZE];
	unsigned precedence;
	size_t size;
};

struct post {
	void *memory;
	struct record *record;
	struct disk disk;
	struct disk image; /* an old one, to be restored */
	bool has_image;
	bool image_is_snapshot; /* of the whole disk; else it is restored as a backup of it would be */
	uint64_t image_commits; /* when it was taken */
	uint8_t *anchor;
	size_t anchor_size;
	bool up;
	bool lost; /* the stream broke: to be told to the core */
	bool wants_tick;
	bool scheduled;
	uint64_t started_ms; /* true time at which its steady clock showed 0 */
	uint64_t starts;
	struct disk ended; /* epochs whose end it noted -> the true time of that */
	int64_t skew_ms;   /* of its wall clock */
	struct frames requests;
	struct kept_action *actions; /* of the open batch */
	size_t actions_count;
	size_t actions_max;
	struct sent_copy copies[WORLD_COPIES_MAX];
	size_t copies_count;
	struct link_window window;
	uint64_t restores;
	uint64_t restored_ms;    /* the last time */
	uint64_t jumps;          /* of its wall clock, */
	uint64_t jumped_ms;      /* and the last one */
	uint64_t commits;        /* and restores: how often its disk has changed */
	unsigned precedence_min; /* of the messages for which there is room; 0: for all */
	uint64_t full_until_ms;
	uint8_t *reply; /* the last one */
	size_t reply_size;
};

struct courier_input {
	struct courier_input *next;
	enum queue_event_kind kind;
	size_t peer;
	uint64_t number;     /* transfer */
	uint64_t generation; /* of the session it came by; 0: nobody waits for an answer */
	uint8_t reason;
	size_t size;
	uint8_t data[];
};

struct courier {
	struct queue *queue;
	struct rows rows;
	void *memory;
	struct disk disk;
	bool up;
	bool scheduled;
	bool wants_tick;
	uint64_t started_ms;
	char node[32];
	char route_names[WORLD_NODES_MAX][32];
	struct queue_route routes[WORLD_NODES_MAX];
	size_t route_of[WORLD_NODES_MAX]; /* by node */
	size_t node_of[WORLD_NODES_MAX];  /* by route */
	struct queue_settings settings;
	struct courier_input *first;
	struct courier_input **last;
	struct courier_input *at_relays; /* bundles that wait until it is up again */
	uint64_t disk_room;              /* bytes; UINT64_MAX: there is no end to it */
	uint64_t full_until_ms;
};

struct node {
	struct world_party party;
	struct post post;
	struct courier courier;
	/* the stream between them */
	bool link_up;
	bool greeted;    /* the courier has given the heads that it keeps */
	bool heads_told; /* and they have come to the post */
	struct frames to_post;
	struct frames to_courier;
	uint64_t tick_ms;
};

/* Transfers from one courier to another. */
struct session {
	bool up;
	uint64_t generation;   /* from 1; each break begins another */
	uint64_t cut_until_ms; /* one-way partition */
	uint64_t last_ms;      /* arrivals keep their order */
};

enum event_kind {
	EVENT_POST_RUN = 1,
	EVENT_POST_START,
	EVENT_COURIER_RUN,
	EVENT_COURIER_START,
	EVENT_TICK, /* of post and courier */
	EVENT_LINK_UP,
	EVENT_SESSION_UP,
	EVENT_ARRIVAL,
	EVENT_ANSWER,
	EVENT_OFFICER,
	EVENT_FAULT,
};

struct event {
	uint64_t time_ms;
	uint64_t sequence;
	enum event_kind kind;
	size_t node;
	size_t peer;
	struct courier_input *input; /* ARRIVAL, ANSWER: owned */
};

struct captured {
	uint8_t *bytes;
	size_t size;
	size_t from;
	size_t to;
};

/* The store of a hostile post that is not in use, and its anchor. */
struct fork {
	bool is_made;
	struct disk disk;
	uint8_t *anchor;
	size_t anchor_size;
};

enum phase {
	PHASE_SETUP = 1, /* nothing goes wrong */
	PHASE_FAULTS,
	PHASE_HEALING, /* nothing goes wrong any more */
};

struct checker;

struct world {
	uint64_t seed;
	struct random random;
	struct settings settings;
	enum phase phase;
	uint64_t now_ms;  /* true time */
	uint64_t heal_ms; /* when healing began */
	uint64_t steps;   /* events given to a core */
	uint64_t digest;
	struct counts counts;
	uint64_t strikes;           /* faults that came true, also those that were left out */
	const struct strikes *kept; /* those that are not; NULL: all */
	struct event *events;       /* a heap */
	size_t events_count;
	size_t events_max;
	uint64_t sequence;
	struct node nodes[WORLD_NODES_MAX];
	struct session sessions[WORLD_NODES_MAX][WORLD_NODES_MAX];
	struct world_line lines[WORLD_LINES_MAX];
	size_t lines_count;
	struct captured captured[WORLD_CAPTURED_MAX];
	size_t captured_count;
	size_t rogue; /* the node of the hostile party; WORLD_NODES_MAX: there is none */
	bool fled;    /* it is gone for good */
	struct fork fork;
	struct checker *checker;
	struct changes changes; /* of the batch that is being committed */
	/* the trace */
	FILE *told;
	char trace[WORLD_TRACE_LINES][160];
	uint64_t trace_count;
	/* what failed first */
	const char *violation;
	char violation_detail[160];
	uint64_t violation_step;
};

/* ---- world.c ---- */

/* An event after `delay_ms`; *event says kind, node, peer, input. */
void world_schedule(struct world *world, uint64_t delay_ms, const struct event *event);
/* The next event; false if there is none. */
bool world_next_event(struct world *world, struct event *event);

/* One line of trace, which also goes into the digest. */
void world_trace(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* One that only --trace tells. */
void world_tell(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_digest(struct world *world, struct bytes bytes);
/* What a batch wrote becomes world->changes, and goes into the digest. */
void world_gather(struct world *world, const struct rows *rows);
/* An invariant does not hold: the first one ends the seed. */
void world_violation(struct world *world, const char *invariant, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A draw that decides whether a fault happens, which counts it: never true outside the fault phase. */
bool world_fault(struct world *world, enum fault fault);
/* The same draw for what is no fault, in 10,000. */
bool world_chance(struct world *world, unsigned share);
/* A reason for which something was refused or dropped. */
void world_refused(struct world *world, enum error reason);

uint64_t world_wall_ms(const struct world *world, size_t node);
size_t world_slot(size_t node); /* of the node's post */
/* Which end `node` is of the line. */
size_t world_end_of(const struct world_line *line, size_t node);
uint64_t world_log_of(const struct world_line *line, size_t node);

void frames_add(struct frames *frames, struct bytes bytes);
struct frame *frames_take(struct frames *frames); /* to be freed; NULL: none */
void frames_clear(struct frames *frames);

/* ---- shell.c ---- */

void shell_make(struct world *world, size_t node);
void shell_free(struct post *post);
void shell_start(struct world *world, size_t node);
void shell_run(struct world *world, size_t node); /* one batch, if there is anything to do */
void shell_wake(struct world *world, size_t node);
void shell_crash(struct world *world, size_t node);
/* For the setup: a batch of its own for one event or request. The reply is in post->reply. */
void shell_provision(struct world *world, size_t node, struct bytes post_file);
enum error shell_request(struct world *world, size_t node, struct bytes frame);
/* The results of the last reply. */
struct cbor_reader shell_results(const struct post *post);

/* The stream between post and courier ends; a new one begins some time later. */
void link_break(struct world *world, size_t node);
void link_up(struct world *world, size_t node);

/* ---- courier.c ---- */

void courier_make(struct world *world, size_t node);
void courier_free(struct courier *courier);
void courier_start(struct world *world, size_t node);
void courier_run(struct world *world, size_t node);
void courier_wake(struct world *world, size_t node);
void courier_crash(struct world *world, size_t node);
/* An input from a session; takes `input` over. */
void courier_give(struct world *world, size_t node, struct courier_input *input);

/* ---- network.c ---- */

void network_make(struct world *world);
/* A transfer begins: schedules what becomes of it. */
void network_send(struct world *world, size_t from, size_t to, uint64_t number, struct bytes bundle);
void network_arrive(struct world *world, size_t to, size_t from, struct courier_input *input);
/* A courier is up again: what waits for it at relays comes, some time. */
void network_try_again(struct world *world, size_t to);
/* What the receiver says to a transfer. */
void network_answer(struct world *world, size_t from, const struct courier_input *input, bool stored,
		    uint8_t reason);
void network_answered(struct world *world, size_t to, struct courier_input *answer);
/* All transfers under way end without an answer. */
void network_break(struct world *world, size_t from, size_t to);
void network_up(struct world *world, size_t from, size_t to);
struct courier_input *network_input(enum queue_event_kind kind, size_t peer, struct bytes bundle);

/* ---- officer.c ---- */

void officer_make(struct world *world);                 /* parties and lines */
void officer_setup(struct world *world);                /* cards, keyings, channels */
void officer_open(struct world *world, unsigned stage); /* the letters of one stage, 0 to 2, at all posts */
/* A letter that follows in the authority's chain, at once. */
void officer_submit_letter(struct world *world, size_t node, size_t line, struct content *content);
/* The officers of a node act after `delay_ms`, and not when they would have. */
void officer_call(struct world *world, size_t node, uint64_t delay_ms);
void officer_act(struct world *world, size_t node);
/* Their post is up again. */
void officer_return(struct world *world, size_t node);
void officer_free(struct world *world);
/* Gives again what was not answered. */
void officer_repeat(struct world *world, size_t node, size_t count_max);
void officer_reply(struct world *world, size_t node, uint64_t client, struct bytes frame);
void officer_arrived(struct world *world, size_t node, size_t line, const uint8_t identity[IDENTITY_SIZE]);

/* ---- faults.c ---- */

/* Faults that are to have a share in every seed, whatever it draws. */
struct forced_faults {
	bool forced[FAULTS];
	unsigned shares[FAULTS];
};

void faults_draw(struct world *world, const struct forced_faults *forced); /* the settings of the seed */
void faults_happen(struct world *world);                                   /* one fault event */
void faults_capture(struct world *world, size_t from, size_t to, struct bytes sealed);
/* One of what was captured; NULL: nothing was yet. */
const struct captured *faults_captured(struct world *world);
/* Sealed bytes in a new bundle of an adversary's, as if from `from`. */
void faults_inject(struct world *world, size_t from, size_t to, struct bytes sealed);
/* What was full has room again, if it is time, or the faults have ended. */
void faults_make_room(struct world *world, size_t node);

/* ---- run.c ---- */

/* What a seed is run as. */
struct seed_run {
	uint64_t seed;
	size_t nodes;
	uint64_t steps_max;
	const struct forced_faults *forced;
	const struct strikes *kept; /* the faults that happen, by number; NULL: all */
	FILE *trace;                /* each step from the first fault on; NULL: nowhere */
	bool quiet;                 /* nothing is told of what failed */
};

struct result {
	uint64_t steps;
	uint64_t time_ms;
	uint64_t digest;
	bool violated;
	bool unconverged;
	const char *broken; /* the invariant; RUN_UNCONVERGED; NULL: all held */
	uint64_t strikes;   /* faults that came true, also those that were left out */
	struct counts counts;
};

#define RUN_UNCONVERGED "it converges"

/* Runs one seed; prints what failed to standard error. */
void run_seed(const struct seed_run *run, struct result *result);

#endif
