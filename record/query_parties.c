#include <assert.h>

#include "base/local.h"
#include "record/query_parts.h"
#include "record/registry.h"

#define PARTIES_AHEAD   8   /* parties whose cards are read at once */
#define PARTY_SIZE_MAX  160 /* bytes of a party's row without posts and card */
#define POST_SIZE_MAX   240 /* bytes of a post in it */
#define RESULT_SIZE_MAX 256 /* and around all */

static_assert(RESULT_SIZE_MAX + (COUNTERPARTS_MAX + 1) * (PARTY_SIZE_MAX + POST_SLOTS * POST_SIZE_MAX) <
		      LOCAL_FRAME_SIZE_MAX,
	      "all names and posts have room");

struct post_row {
	uint64_t slot;
	struct party_post post;
};

struct party_view {
	struct party party;
	size_t posts_count;
	struct post_row *posts;
	bool has_card; /* the reply has room for it */
};

struct parties_view {
	struct query_answer answer;
	size_t count;
	struct party_view parties[COUNTERPARTS_MAX + 1];
	struct buffer card;
};

static enum error read_posts(struct run *run, uint64_t number, struct party_view *view)
{
	struct row_key prefix = key_make(TABLE_PARTY_POST);
	struct row row;

	view->posts = run_take(run, POST_SLOTS * sizeof(*view->posts));
	view->posts_count = 0;
	key_u8(&prefix, number);
	enum error error = rows_first(run_rows(run), key_view(&prefix), &row);
	while (error == ERROR_OK && view->posts_count < POST_SLOTS) {
		struct post_row *post = &view->posts[view->posts_count++];
		struct key_reader reader = key_reader_make(row.key);
		(void)key_read_u8(&reader);
		post->slot = key_read_u8(&reader);
		if (key_read_end(&reader) != ERROR_OK ||
		    schema_read(&schema_party_post, row.value, &post->post) != ERROR_OK)
			return ERROR_MALFORMED;
		error = rows_after(run_rows(run), key_view(&prefix), row.key, &row);
	}
	return error == ERROR_NOT_FOUND ? ERROR_OK : error;
}

static enum error read_parties(struct run *run, struct parties_view *view)
{
	bool missing = false;

	view->count = (size_t)run_state(run)->parties + 1;
	if (view->count > COUNTERPARTS_MAX + 1)
		return ERROR_MALFORMED;
	for (uint64_t i = 0; i < view->count; i++) {
		enum error error = registry_party(run, i, &view->parties[i].party);
		if (!run_missing(error, &missing))
			return run_must(error);
		error = read_posts(run, i, &view->parties[i]);
		if (!run_missing(error, &missing))
			return error;
	}
	return missing ? ERROR_NEEDS_ROWS : ERROR_OK;
}

/* Which cards fit beside all names and posts: the first parties' come first. */
static enum error choose_cards(struct run *run, struct parties_view *view)
{
	size_t taken = RESULT_SIZE_MAX;
	size_t ahead = 0;

	for (size_t i = 0; i < view->count; i++)
		taken += PARTY_SIZE_MAX + view->parties[i].posts_count * POST_SIZE_MAX;
	for (size_t i = 0; i < view->count && ahead < PARTIES_AHEAD; i++) {
		view->card.size = 0;
		view->card.failed = false;
		enum error error = registry_collect_card(run, i, &view->card);
		if (error != ERROR_OK && error != ERROR_NEEDS_ROWS)
			return error;
		if (error == ERROR_NEEDS_ROWS)
			ahead++;
		view->parties[i].has_card = buffer_error(&view->card) == ERROR_OK &&
					    view->card.size < LOCAL_FRAME_SIZE_MAX - taken;
		if (view->parties[i].has_card)
			taken += view->card.size;
	}
	return ahead > 0 ? ERROR_NEEDS_ROWS : ERROR_OK;
}

static enum error write_party(struct run *run, struct parties_view *view, size_t number)
{
	const struct party_view *party = &view->parties[number];
	struct buffer *list = &view->answer.list;

	cbor_write_array(list, 7);
	query_write_fixed(list, party->party.id, sizeof(party->party.id));
	cbor_write_text(list, party->party.name);
	cbor_write_bool(list, party->party.keying != 0);
	cbor_write_array(list, party->posts_count);
	for (size_t i = 0; i < party->posts_count; i++) {
		const struct party_post *post = &party->posts[i].post;
		cbor_write_array(list, 4);
		cbor_write_uint(list, party->posts[i].slot);
		cbor_write_text(list, post->name);
		cbor_write_text(list, post->node);
		query_write_fixed(list, post->courier_pin, sizeof(post->courier_pin));
	}
	cbor_write_uint(list, party->party.letters - 1);
	query_write_fixed(list, party->party.head, sizeof(party->party.head));
	view->card.size = 0;
	view->card.failed = false;
	if (party->has_card) {
		enum error error = registry_collect_card(run, number, &view->card);
		if (error != ERROR_OK)
			return error;
	}
	cbor_write_bytes(list, buffer_bytes(&view->card));
	view->answer.count++;
	return ERROR_OK;
}

enum error query_parties_answer(struct run *run)
{
	struct parties_view *view = run_take(run, sizeof(*view));

	view->answer = query_answer_make(run);
	view->card = run_buffer(run, CARD_SIZE_MAX);
	for (size_t i = 0; i <= COUNTERPARTS_MAX; i++)
		view->parties[i] = (struct party_view){0};
	enum error error = read_parties(run, view);
	if (error == ERROR_OK)
		error = choose_cards(run, view);
	for (size_t i = 0; error == ERROR_OK && i < view->count; i++)
		error = write_party(run, view, i);
	if (error != ERROR_OK)
		return error;
	query_list_end(&view->answer);
	return query_answer_end(run, &view->answer, 1);
}
