#include "sim/check_courier.h"

#include <string.h>

#include "carry/queue_rows.h"

/* True if the copy's lifetime has ended: it is not sent, and goes once its end can be told. */
static bool has_expired(const struct courier *courier, struct bytes id, uint64_t steady_ms)
{
	static uint8_t memory[ROWS_MEMORY_SIZE_MIN];
	struct rows rows;
	struct totals totals;
	struct copy copy;
	enum error totals_error, copy_error;

	rows_make(&rows, memory, sizeof(memory));
	do {
		disk_load(&courier->disk, &rows);
		rows_begin(&rows);
		totals_error = totals_get(&rows, &totals);
		copy_error = copy_get(&rows, id, &copy);
	} while (rows_wanted_count(&rows) > 0);
	if (totals_error != ERROR_OK || copy_error != ERROR_OK)
		return false;
	uint64_t since_ms = steady_ms > totals.steady_ms ? steady_ms - totals.steady_ms : 0;
	return totals.clock_ms + since_ms >= copy.expires_ms;
}

/* Rows of the queue: "Q", the route's name after its size, the inverse of the precedence, number
 * (carry/queue_rows.h). */
void check_transfer(struct world *world, size_t node, const struct queue_transfer *transfer)
{
	const struct courier *courier = &world->nodes[node].courier;
	const struct queue *queue = courier->queue;
	struct bytes name = courier->routes[transfer->route].name;
	uint8_t prefix[2 + sizeof(courier->route_names[0])] = {'Q', (uint8_t)name.size};
	struct row row;
	size_t at = 0;

	memcpy(prefix + 2, name.data, name.size);
	while (disk_next(&courier->disk, bytes_make(prefix, 2 + name.size), &at, &row)) {
		unsigned precedence = QUEUE_CLASSES - row.key.data[2 + name.size];
		uint64_t number = load_u64(row.key.data + row.key.size - 8);
		bool under_way = false;
		if (precedence <= transfer->precedence)
			return;
		for (size_t i = 0; i < queue->transfers_count; i++)
			under_way = under_way || queue->transfers[i].number == number;
		if (!under_way && !has_expired(courier, row.value, world->now_ms - courier->started_ms))
			world_violation(world, "no lower precedence starts while a higher waits",
					"courier %zu sends %u before %u", node, transfer->precedence,
					precedence);
	}
}

void check_courier(struct world *world, size_t node)
{
	const struct courier *courier = &world->nodes[node].courier;

	if (courier->disk.size >
	    2 * courier->settings.pool_size_max + QUEUE_SEEN_MAX * 512 + QUEUE_CARRIED_MAX * 512)
		world_violation(world, "nothing is unbounded", "the disk of courier %zu", node);
	if (courier->queue->transfers_count > QUEUE_TRANSFERS_MAX)
		world_violation(world, "nothing is unbounded", "transfers of courier %zu", node);
}

bool check_courier_may_know(const struct world *world, size_t node, struct bytes origin)
{
	const struct courier *courier = &world->nodes[node].courier;
	struct bytes value;
	struct key key;

	return courier->first != NULL || disk_get(&courier->disk, key_head(&key, origin), &value);
}
