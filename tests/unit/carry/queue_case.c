#include "tests/unit/carry/queue_case.h"

struct world world;
enum error failure;

int case_set_up(void **state)
{
	world_make(&world, 1);
	return 0;
}

int case_tear_down(void **state)
{
	world_audit(&world);
	world_free(&world);
	return 0;
}

enum link_copy_state case_send(uint64_t id, unsigned precedence, size_t size)
{
	return world_send(&world, id, 2, precedence, size, CASE_LIFETIME_MS, &failure);
}
