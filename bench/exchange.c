#include "bench/exchange.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#define SETTLE_S 60 /* from the last SUBMIT until all are received, at most */

/* Where an entry stands; a post has one log on a channel. */
struct place_in_log {
	uint64_t log;
	uint64_t incarnation;
	uint64_t position;
};

struct exchange {
	struct line *line;
	struct officer *officer;
	const struct exchange_plan *plan;
	struct exchange_result *result;
	struct api clients[CONNECTIONS_MAX];
	bool busy[CONNECTIONS_MAX]; /* a SUBMIT is under way */
	struct api watch;
	struct place_in_log *entries; /* of the messages taken, in the order of the replies */
	unsigned submitted;
	unsigned taken;
	unsigned received;
	int64_t begun_us;
	int64_t submitted_us; /* the last message */
	bool over;            /* nothing more is submitted */
};

/* What is looked at before and after: of the four daemons, and of this process. */
struct readings {
	struct sync_counts post_syncs[2];
	struct sync_counts courier_syncs[2];
	uint64_t syncs;
	uint64_t post_cpu_us[2];
	uint64_t courier_cpu_us[2];
	uint64_t own_cpu_us;
};

static uint64_t own_cpu_us(void)
{
	struct timespec used;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}

static bool take_readings(const struct line *line, struct readings *readings)
{
	char path[LINE_PATH_SIZE_MAX + 16];
	readings->syncs = 0;
	for (int i = 0; i < 2; i++) {
		const struct side *side = &line->sides[i];
		snprintf(path, sizeof path, "%s/store.db", side->post_directory);
		if (!sync_counts(side->post_syncs, path, &readings->post_syncs[i]))
			return false;
		snprintf(path, sizeof path, "%s/queue.db", side->courier_directory);
		if (!sync_counts(side->courier_syncs, path, &readings->courier_syncs[i]))
			return false;
		readings->syncs += sync_all(side->post_syncs) + sync_all(side->courier_syncs);
		readings->post_cpu_us[i] = child_cpu_us(side->post);
		readings->courier_cpu_us[i] = child_cpu_us(side->courier);
	}
	readings->own_cpu_us = own_cpu_us();
	return true;
}

static void work_out_costs(const struct readings *before, const struct readings *after,
			   struct exchange_costs *costs)
{
	for (int i = 0; i < 2; i++) {
		costs->post_commits[i] = sync_commits(&before->post_syncs[i], &after->post_syncs[i]);
		costs->courier_commits[i] = sync_commits(&before->courier_syncs[i], &after->courier_syncs[i]);
		costs->post_cpu_us[i] = after->post_cpu_us[i] - before->post_cpu_us[i];
		costs->courier_cpu_us[i] = after->courier_cpu_us[i] - before->courier_cpu_us[i];
	}
	costs->syncs = after->syncs - before->syncs;
	costs->officers_cpu_us = after->own_cpu_us - before->own_cpu_us;
}

/* ---- connections ---- */

static bool open_all(struct exchange *exchange)
{
	struct cbor_reader reply;
	const char *directory = exchange->line->sides[0].post_directory;
	for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
		exchange->clients[i].fd = -1;
	exchange->watch.fd = -1;
	for (unsigned i = 0; i < exchange->plan->connections; i++)
		if (!api_open(&exchange->clients[i], directory))
			return fail("the post does not take %u connections", exchange->plan->connections);
	if (!api_open(&exchange->watch, directory))
		return fail("the post takes no further connection");
	api_begin(&exchange->watch, LOCAL_SUBSCRIBE, 0);
	return api_ask(&exchange->watch, "subscribing", &reply);
}

static void close_all(struct exchange *exchange)
{
	for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
		api_close(&exchange->clients[i]);
	api_close(&exchange->watch);
}

/* ---- one turn ---- */

static bool submit_next(struct exchange *exchange, unsigned client)
{
	const struct exchange_plan *plan = exchange->plan;
	if (plan->one_by_one && exchange->received < exchange->submitted)
		return true;
	exchange->over = exchange->over || exchange->submitted == plan->count ||
			 now_us() - exchange->begun_us > (int64_t)plan->seconds * 1000000;
	if (exchange->over)
		return true;
	if (plan->gap_ms > 0 && !wait_ms(plan->gap_ms))
		return false;
	exchange->submitted_us = now_us();
	exchange->submitted++;
	exchange->busy[client] = true;
	return officer_submit(exchange->officer, &exchange->clients[client]);
}

static bool take_reply(struct exchange *exchange, unsigned client, struct bytes frame)
{
	struct cbor_reader reader;
	struct place_in_log *entry = &exchange->entries[exchange->taken];
	uint64_t number, code;
	if (!api_head(frame, &reader, &number, &code) || !exchange->busy[client])
		return fail("the post's answer to a message is not of the form");
	if (code != 0)
		return fail("the post does not take a message: %s", error_text((enum error)code));
	entry->log = cbor_read_uint(&reader);
	entry->incarnation = cbor_read_uint(&reader);
	entry->position = cbor_read_uint(&reader);
	exchange->busy[client] = false;
	exchange->taken++;
	return reader.error == ERROR_OK ? true : fail("the post's answer to a message is not of the form");
}

/* Counts the notices that say that an own message is received now. */
static bool take_notice(struct exchange *exchange, struct bytes frame)
{
	struct cbor_reader reader;
	uint64_t number, notice;
	if (!api_head(frame, &reader, &number, &notice) || number != 0)
		return fail("a notice of the post is not of the form");
	if (notice != LOCAL_STATE)
		return true;
	cbor_read_array(&reader, LOCAL_FRAME_SIZE_MAX);
	for (int i = 0; i < 6; i++) /* channel, log, incarnation, position, reference, identity */
		cbor_read_item(&reader);
	uint64_t kind = cbor_read_uint(&reader);
	for (int i = 0; i < 5; i++) /* precedence, time, subject, officer, officer's name */
		cbor_read_item(&reader);
	bool own = cbor_read_bool(&reader);
	uint64_t state = cbor_read_uint(&reader);
	if (reader.error != ERROR_OK)
		return fail("a notice of the post is not of the form");
	if (!own || kind != CONTENT_MESSAGE)
		return true;
	if (state == LOCAL_REFUSED)
		return fail("a message was refused");
	if (state != LOCAL_RECEIVED)
		return true;
	if (exchange->plan->one_by_one)
		exchange->result->taken_us[exchange->received] =
			(unsigned)(now_us() - exchange->submitted_us);
	exchange->received++;
	return true;
}

/* All frames that are here, of one connection. */
static bool take_frames(struct exchange *exchange, struct api *api, unsigned client)
{
	struct bytes frame;
	enum error error;
	while ((error = api_next(api, &frame)) == ERROR_OK) {
		bool taken = api == &exchange->watch ? take_notice(exchange, frame)
						     : take_reply(exchange, client, frame);
		if (!taken)
			return false;
	}
	return error == ERROR_TRUNCATED ? true
					: fail("the post has closed the connection: %s", error_text(error));
}

static bool turn(struct exchange *exchange)
{
	struct pollfd polls[CONNECTIONS_MAX + 1];
	unsigned count = exchange->plan->connections;
	for (unsigned i = 0; i < count; i++)
		polls[i] = (struct pollfd){.fd = exchange->clients[i].fd, .events = POLLIN};
	polls[count] = (struct pollfd){.fd = exchange->watch.fd, .events = POLLIN};
	if (poll(polls, count + 1, 100) <= 0)
		return interrupted() ? fail("stopped by a signal") : line_runs(exchange->line);
	/* Replies first: in order, since a message is taken before it is received. */
	for (unsigned i = 0; i < count; i++)
		if (polls[i].revents != 0 && !take_frames(exchange, &exchange->clients[i], i))
			return false;
	if (polls[count].revents != 0 && !take_frames(exchange, &exchange->watch, 0))
		return false;
	for (unsigned i = 0; i < count; i++)
		if (!exchange->busy[i] && !submit_next(exchange, i))
			return false;
	return true;
}

static bool run_turns(struct exchange *exchange, struct step *step)
{
	const struct exchange_plan *plan = exchange->plan;
	exchange->begun_us = now_us();
	for (unsigned i = 0; i < plan->connections; i++)
		if (!submit_next(exchange, i))
			return false;
	while (!exchange->over || exchange->received < exchange->submitted) {
		if (!turn(exchange))
			return false;
		step_show(step, exchange->received, plan->count);
		if (now_us() - exchange->submitted_us > (int64_t)SETTLE_S * 1000000)
			return fail("%u of %u messages were not received within %d s",
				    exchange->submitted - exchange->received, exchange->submitted, SETTLE_S);
	}
	exchange->result->seconds = (double)(now_us() - exchange->begun_us) / 1e6;
	exchange->result->count = exchange->received;
	return true;
}

/* ---- receipts ---- */

static int compare_hashes(const void *a, const void *b)
{
	return memcmp(a, b, crypto_hash_sha256_BYTES);
}

/* The receipt that stands beside an own entry, hashed. */
static bool ask_receipt(struct exchange *exchange, const struct place_in_log *entry, uint8_t *hash)
{
	struct cbor_reader reply;
	struct buffer *request = api_begin(&exchange->clients[0], LOCAL_ENTRY, 4);
	cbor_write_bytes(request, bytes_make(exchange->officer->channel, CHANNEL_ID_SIZE));
	cbor_write_uint(request, entry->log);
	cbor_write_uint(request, entry->incarnation);
	cbor_write_uint(request, entry->position);
	if (!api_ask(&exchange->clients[0], "asking the post for an entry", &reply))
		return false;
	for (int i = 0; i < 3; i++) /* row, entry, leaf */
		cbor_read_item(&reply);
	struct bytes receipt = cbor_read_bytes(&reply, LOCAL_FRAME_SIZE_MAX);
	if (cbor_read_end(&reply) != ERROR_OK)
		return fail("a message that was received has no receipt");
	crypto_hash_sha256(hash, receipt.data, receipt.size);
	return true;
}

static bool count_receipts(struct exchange *exchange)
{
	unsigned count = exchange->taken;
	uint8_t *hashes = calloc(count + 1, crypto_hash_sha256_BYTES);
	bool asked = hashes != NULL;
	for (unsigned i = 0; asked && i < count; i++)
		asked = ask_receipt(exchange, &exchange->entries[i],
				    hashes + (size_t)i * crypto_hash_sha256_BYTES);
	if (asked)
		qsort(hashes, count, crypto_hash_sha256_BYTES, compare_hashes);
	for (unsigned i = 0; asked && i < count; i++) {
		const uint8_t *hash = hashes + (size_t)i * crypto_hash_sha256_BYTES;
		if (i == 0 || compare_hashes(hash, hash - crypto_hash_sha256_BYTES) != 0)
			exchange->result->receipts++;
	}
	free(hashes);
	return asked;
}

/* ---- the whole ---- */

static int compare_times(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
	return x < y ? -1 : x > y;
}

bool exchange_run(struct line *line, struct officer *officer, const struct exchange_plan *plan,
		  struct step *step, struct exchange_result *result)
{
	struct readings before, after;
	struct exchange *exchange = calloc(1, sizeof *exchange);
	struct place_in_log *entries = calloc(plan->count, sizeof *entries);
	*result = (struct exchange_result){0};
	result->taken_us = plan->one_by_one ? calloc(plan->count, sizeof *result->taken_us) : NULL;
	if (exchange == NULL || entries == NULL || (plan->one_by_one && result->taken_us == NULL)) {
		free(exchange);
		free(entries);
		return fail("the machine has no memory left");
	}
	exchange->line = line;
	exchange->officer = officer;
	exchange->plan = plan;
	exchange->result = result;
	exchange->entries = entries;
	bool done = open_all(exchange) && take_readings(line, &before) && run_turns(exchange, step) &&
		    take_readings(line, &after) && count_receipts(exchange);
	if (done)
		work_out_costs(&before, &after, &result->costs);
	if (done && plan->one_by_one)
		qsort(result->taken_us, result->count, sizeof *result->taken_us, compare_times);
	close_all(exchange);
	free(entries);
	free(exchange);
	return done;
}

void exchange_free(struct exchange_result *result)
{
	free(result->taken_us);
	result->taken_us = NULL;
}

double exchange_percentile_ms(const struct exchange_result *result, unsigned p)
{
	if (result->count == 0 || result->taken_us == NULL)
		return 0;
	return result->taken_us[(size_t)(result->count - 1) * p / 100] / 1000.0;
}
