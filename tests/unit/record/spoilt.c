#include "tests/unit/record/spoilt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void spoil(struct store *store, const struct spoiling *spoiling)
{
	struct row_key longer = spoiling->key;

	if (spoiling->row == SPOILT_ROW_OTHER) {
		store_put(store, key_view(&spoiling->key), bytes_of_text("spoilt"));
		return;
	}
	store_delete(store, key_view(&spoiling->key));
	key_u8(&longer, 0);
	if (spoiling->row == SPOILT_ROW_LONGER)
		store_put(store, key_view(&longer), bytes_make(NULL, 0));
}

void expect_malformed(struct hand *hand, void *context, const struct spoiling *spoilings, size_t count)
{
	struct store *store = &hand->world->posts[hand->post].store;

	for (size_t i = 0; i < count; i++) {
		struct store kept;
		store_copy(&kept, store);
		spoil(store, &spoilings[i]);
		enum error error = hand_run(hand, spoilings[i].handler, context);
		if (error != ERROR_MALFORMED)
			fail_msg("spoiling %zu: %s", i, error_name(error));
		store_free(store);
		*store = kept;
	}
}
