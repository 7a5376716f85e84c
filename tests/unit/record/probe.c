#include "tests/unit/record/probe.h"

#include <string.h>

#include "base/cbor.h"
#include "tests/unit/record/world_inside.h"

#define KEYS_MAX  1024
#define LIKES_MAX 4096
#define KINDS     (RECORD_COMMIT + 1)
#define LOOKS_MAX 400 /* events of each kind that are looked at: most are like one before */
#define ROWS_MAX  8   /* of each table, that are spoilt before one event */

struct key {
	uint8_t bytes[ROW_KEY_SIZE_MAX];
	size_t size;
	bool alone; /* asked for by its whole key */
};

/* Events are alike that are of one kind, a request of one verb, and read rows of the same tables. */
struct like {
	enum record_event_kind kind;
	uint64_t verb;
	uint64_t tables[4]; /* a bit for each */
	unsigned count;
};

/* What has been looked at, over the life of the program; and room that is made once. */
struct prober {
	struct like likes[LIKES_MAX];
	size_t likes_count;
	struct key keys[KEYS_MAX];
	size_t keys_count;
	void *memory;
	unsigned looks[KINDS];
	unsigned events_max; /* that are alike: PROBES in the environment */
};

enum spoilt {
	SPOILT_GONE,
	SPOILT_EMPTY,
	SPOILT_CUT,     /* the last byte */
	SPOILT_LONGER,  /* a byte more */
	SPOILT_CHANGED, /* its last byte is another */
	SPOILT_KEY,     /* stands under a key that is a byte longer */
	SPOILT_COUNT,
};

static struct prober *prober(void)
{
	static struct prober *only;

	if (only == NULL) {
		only = world_must(calloc(1, sizeof(*only)));
		const char *wanted = getenv("PROBES");
		only->events_max = wanted != NULL ? (unsigned)strtoul(wanted, NULL, 10) : 0;
	}
	return only;
}

static void note_key(struct prober *prober, struct bytes key, bool alone)
{
	for (size_t i = 0; i < prober->keys_count; i++) {
		if (bytes_equal(bytes_make(prober->keys[i].bytes, prober->keys[i].size), key)) {
			prober->keys[i].alone = prober->keys[i].alone || alone;
			return;
		}
	}
	if (prober->keys_count == KEYS_MAX)
		return;
	struct key *noted = &prober->keys[prober->keys_count++];
	memcpy(noted->bytes, key.data, key.size);
	noted->size = key.size;
	noted->alone = alone;
}

/* The rows that are about to be loaded: as many of each want as exist, up to what it takes. */
static void note_wanted(struct prober *prober, const struct store *store, const struct rows *rows)
{
	for (size_t i = 0; i < rows_wanted_count(rows); i++) {
		struct rows_wanted wanted = rows_wanted(rows, i);
		size_t count = 0;
		for (size_t j = 0; j < store->count; j++) {
			size_t at = wanted.descending ? store->count - 1 - j : j;
			struct bytes key = bytes_make(store->rows[at].key, store->rows[at].key_size);
			if (bytes_compare(key, wanted.low) < 0 || bytes_compare(key, wanted.high) >= 0)
				continue;
			if (count++ == wanted.count_max)
				break;
			note_key(prober, key, wanted.count_max == 1 && bytes_equal(key, wanted.low));
		}
	}
}

/* The event in a core of its own over this store. `noting`: the keys of what it reads are kept. */
static enum error run_event(struct prober *prober, const struct store *store,
			    const struct record_event *event, bool noting)
{
	if (prober->memory == NULL)
		prober->memory = world_must(malloc(RECORD_MEMORY_SIZE));
	struct record *record = record_make(prober->memory, RECORD_MEMORY_SIZE);
	const struct record_action *actions;
	size_t count = 0;
	enum error error;

	record_begin(record, event);
	while ((error = record_needs(record)) == ERROR_NEEDS_ROWS) {
		if (noting)
			note_wanted(prober, store, record_rows(record));
		store_load(store, record_rows(record));
	}
	if (error == ERROR_OK)
		record_step(record, &actions, &count);
	return error;
}

/* The row spoilt so, with `longer` for a key; false where that cannot be done to it. */
static bool spoil(struct store *store, struct bytes key, struct bytes value, enum spoilt spoilt,
		  struct bytes longer)
{
	uint8_t changed[ROW_VALUE_SIZE_MAX];
	size_t size = value.size;

	if ((size == 0 && (spoilt == SPOILT_EMPTY || spoilt == SPOILT_CUT || spoilt == SPOILT_CHANGED)) ||
	    size == sizeof(changed))
		return false;
	if (size > 0)
		memcpy(changed, value.data, size);
	changed[size] = 0xf6;
	if (spoilt == SPOILT_CHANGED)
		changed[size - 1] ^= 0x15;
	size_t spoilt_size = spoilt == SPOILT_EMPTY ? 0 : spoilt == SPOILT_CUT ? size - 1 : size;
	if (spoilt == SPOILT_KEY || spoilt == SPOILT_GONE)
		store_delete(store, key);
	if (spoilt == SPOILT_KEY)
		store_put(store, longer, value);
	else if (spoilt != SPOILT_GONE)
		store_put(store, key, bytes_make(changed, spoilt_size + (spoilt == SPOILT_LONGER)));
	return true;
}

static uint64_t verb_of(const struct record_event *event)
{
	if (event->kind != RECORD_REQUEST)
		return 0;
	struct cbor_reader reader = cbor_reader_make(event->of.request.frame);
	cbor_read_array(&reader, RECORD_ACTIONS_MAX);
	cbor_read_uint(&reader);
	return cbor_read_uint(&reader);
}

/*
 * A row that was asked for by its key and is too short must be told of: who asks for it decodes it. Not what
 * is kept as it came, which is read as far as it is needed; nor copies and their entries, which are asked for
 * before it is known which of them are due; nor, for a card, prekeys before its own are verified, and parties
 * after the first that is called like it.
 */
static bool must_be_told(const struct record_event *event, const struct key *key, enum spoilt spoilt)
{
	uint8_t table = key->bytes[0];
	bool raw = table == TABLE_COSE || table == TABLE_CARD_LETTER || table == TABLE_SEALED;
	bool sends = event->kind == RECORD_TICK || event->kind == RECORD_COURIER_ROOM;
	bool ahead = sends && (table == TABLE_ENTRY || table == TABLE_COPY || table == TABLE_STATEMENT);
	bool card = verb_of(event) == LOCAL_CARD_ACCEPT && (table == TABLE_PREKEYS || table == TABLE_PARTY);

	return spoilt == SPOILT_CUT && key->alone && !raw && !ahead && !card;
}

static void check_told(const struct record_event *event, const struct key *key, enum spoilt spoilt,
		       enum error error)
{
	bool told = error == ERROR_MALFORMED || (error == ERROR_OK && !must_be_told(event, key, spoilt)) ||
		    (error == ERROR_NOT_NOW && key->bytes[0] == TABLE_POST);

	if (!told)
		fprintf(stderr, "event %u, verb %u, row of table 0x%02x, spoilt %u: %s\n", event->kind,
			(unsigned)verb_of(event), key->bytes[0], spoilt, error_name(error));
	CHECK(told);
}

/* Every spoiling of one row: the core must come to an end, with no error but that of a store that is not
 * right; without the post itself, it waits for one. */
static void spoil_row(struct prober *prober, struct store *store, const struct key *of,
		      const struct record_event *event)
{
	struct bytes key = bytes_make(of->bytes, of->size);
	uint8_t longer[ROW_KEY_SIZE_MAX + 1] = {0};
	size_t at = 0;
	struct row row;

	if (key.size == ROW_KEY_SIZE_MAX)
		return;
	memcpy(longer, key.data, key.size);
	longer[key.size] = 7;
	CHECK(store_find(store, key, &at, &row) && bytes_equal(row.key, key));
	struct bytes value = bytes_make(world_copy_of(row.value), row.value.size);
	for (unsigned i = 0; i < SPOILT_COUNT; i++) {
		struct bytes other = bytes_make(longer, key.size + 1);
		if (!spoil(store, key, value, (enum spoilt)i, other))
			continue;
		check_told(event, of, (enum spoilt)i, run_event(prober, store, event, false));
		store_delete(store, other);
		store_put(store, key, value);
	}
	free((void *)(uintptr_t)value.data);
}

/* Whether it is one of the first events that are alike. */
static bool is_wanted(struct prober *prober, const struct record_event *event)
{
	struct like like = {.kind = event->kind, .verb = verb_of(event)};

	for (size_t i = 0; i < prober->keys_count; i++)
		like.tables[prober->keys[i].bytes[0] / 64] |= UINT64_C(1) << prober->keys[i].bytes[0] % 64;
	for (size_t i = 0; i < prober->likes_count; i++) {
		struct like *seen = &prober->likes[i];
		if (seen->kind == like.kind && seen->verb == like.verb &&
		    memcmp(seen->tables, like.tables, sizeof(like.tables)) == 0)
			return seen->count++ < prober->events_max;
	}
	CHECK(prober->likes_count < LIKES_MAX);
	like.count = 1;
	prober->likes[prober->likes_count++] = like;
	return true;
}

/* Not all of those of one table, of which an event may read hundreds. */
static bool is_one_of_many(const struct prober *prober, size_t at)
{
	size_t before = 0;

	for (size_t i = 0; i < at; i++)
		before += prober->keys[i].bytes[0] == prober->keys[at].bytes[0];
	return before >= ROWS_MAX;
}

/* The store as the event will find it, and the keys of what it reads there. */
static enum error look_at(struct prober *prober, const struct world_post *of,
			  const struct record_event *event, struct store *store)
{
	store_copy(store, &of->store);
	store_commit(store, record_rows(of->record));
	prober->keys_count = 0;
	return run_event(prober, store, event, true);
}

void world_probe(const struct world *world, size_t post, const struct record_event *event)
{
	struct prober *mine = prober();
	struct store store;

	if (mine->events_max == 0 || mine->looks[event->kind]++ >= LOOKS_MAX)
		return;
	enum error error = look_at(mine, &world->posts[post], event, &store);
	if (error == ERROR_OK && is_wanted(mine, event))
		for (size_t i = 0; i < mine->keys_count; i++)
			if (!is_one_of_many(mine, i))
				spoil_row(mine, &store, &mine->keys[i], event);
	store_free(&store);
}

size_t world_spoil_each(const struct world *world, size_t post, const struct record_event *event)
{
	struct prober *mine = prober();
	struct store store;

	CHECK(look_at(mine, &world->posts[post], event, &store) == ERROR_OK);
	for (size_t i = 0; i < mine->keys_count; i++)
		spoil_row(mine, &store, &mine->keys[i], event);
	store_free(&store);
	return mine->keys_count;
}
