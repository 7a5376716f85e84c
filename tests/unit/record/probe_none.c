#include "tests/unit/record/probe.h"

void world_probe(const struct world *world, size_t post, const struct record_event *event)
{
	(void)world;
	(void)post;
	(void)event;
}
