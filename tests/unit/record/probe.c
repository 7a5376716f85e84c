#include "tests/unit/record/probe.h"

#include <string.h>

#include "tests/unit/record/world_inside.h"

#define KEYS_MAX   1024
#define EVENTS_MAX 1 /* of each kind and number of rows that are looked at; PROBES in the environment: more */
#define KINDS      (RECORD_COMMIT + 1)
#define ROWS_KINDS 64 /* events that read so many rows, or that many more, count as the same */

struct key {
	uint8_t bytes[ROW_KEY_SIZE_MAX];
	size_t size;
};

/* What has been looked at, over the life of the program; and room that is made once. */
struct prober {
	unsigned seen[KINDS][ROWS_KINDS];
	struct key keys[KEYS_MAX];
	size_t keys_count;
	void *memory;
	unsigned events_max;
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
		only->memory = world_must(malloc(RECORD_MEMORY_SIZE));
		const char *more = getenv("PROBES");
		only->events_max = more != NULL ? (unsigned)strtoul(more, NULL, 10) : EVENTS_MAX;
	}
	return only;
}

static void note_key(struct prober *prober, struct bytes key)
{
	for (size_t i = 0; i < prober->keys_count; i++)
		if (bytes_equal(bytes_make(prober->keys[i].bytes, prober->keys[i].size), key))
			return;
	if (prober->keys_count == KEYS_MAX)
		return;
	struct key *noted = &prober->keys[prober->keys_count++];
	memcpy(noted->bytes, key.data, key.size);
	noted->size = key.size;
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
			note_key(prober, key);
		}
	}
}

/* The event in a core of its own over this store. `noting`: the keys of what it reads are kept. */
static enum error run_event(struct prober *prober, const struct store *store,
			    const struct record_event *event, bool noting)
{
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

static void check_told(const struct record_event *event, struct bytes key, enum spoilt spoilt,
		       enum error error)
{
	bool told = error == ERROR_OK || error == ERROR_MALFORMED ||
		    (error == ERROR_NOT_NOW && key.data[0] == TABLE_POST);

	if (!told)
		fprintf(stderr, "event %u, row of table 0x%02x, spoilt %u: %s\n", event->kind, key.data[0],
			spoilt, error_name(error));
	CHECK(told);
}

/* Every spoiling of one row: the core must come to an end, with no error but that of a store that is not
 * right; without the post itself, it waits for one. */
static void spoil_row(struct prober *prober, struct store *store, struct bytes key,
		      const struct record_event *event)
{
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
		check_told(event, key, (enum spoilt)i, run_event(prober, store, event, false));
		store_delete(store, other);
		store_put(store, key, value);
	}
	free((void *)(uintptr_t)value.data);
}

void world_probe(const struct world *world, size_t post, const struct record_event *event)
{
	struct prober *mine = prober();
	const struct world_post *of = &world->posts[post];
	struct store store;

	store_copy(&store, &of->store);
	store_commit(&store, record_rows(of->record));
	mine->keys_count = 0;
	enum error error = run_event(mine, &store, event, true);
	unsigned *seen = &mine->seen[event->kind][mine->keys_count % ROWS_KINDS];
	if (error == ERROR_OK && (*seen)++ < mine->events_max)
		for (size_t i = 0; i < mine->keys_count; i++)
			spoil_row(mine, &store, bytes_make(mine->keys[i].bytes, mine->keys[i].size), event);
	store_free(&store);
}
