/* Two machines against each other, every split, every truncation, and hostile bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/carry/tcpcl_end.h"
#include "tests/unit/hex.h"

#define MRUS "0000000000004000 0000000000020000"

/* A whole life: contact, SESS_INIT with items, transfers in one and in three segments, KEEPALIVE, a refused
 * one, a stray XFER_ACK, SESS_TERM. */
static const char *const life =
	"64746e21 04 00"
	"07 001e " MRUS " 0007 69706e3a322e30 0000000d 00 1234 0003 aabbcc fe 8000 0000"
	"01 03 0000000000000000 00000000 0000000000000005 68656c6c6f"
	"04"
	"01 02 0000000000000001 00000012 00 0001 0008 0000000000000006 00 9999 0000 0000000000000002 6162"
	"01 00 0000000000000001 0000000000000003 636465"
	"01 01 0000000000000001 0000000000000001 66"
	"01 02 0000000000000002 00000006 01 9999 0001 00 0000000000000002 6162"
	"01 01 0000000000000002 0000000000000002 6162"
	"02 03 0000000000000009 0000000000000001"
	"04 04"
	"05 00 01";

static struct end whole;
static struct end split;
static uint8_t life_memory[512];

static void start(struct end *end)
{
	end_start(end, TCPCL_PASSIVE, TCPCL_TLS_OPTIONAL, "ipn:1.0", "");
	end->store_at_once = true;
}

static void every_split_of_the_stream_gives_the_same_answers(void **state)
{
	struct bytes stream = hex_decode(life, life_memory, sizeof life_memory);

	start(&whole);
	assert_int_equal(end_feed(&whole, stream), stream.size);
	assert_true(whole.closed);
	assert_int_equal(whole.received_count, 2);
	for (size_t a = 0; a <= stream.size; a++) {
		for (size_t b = a; b <= stream.size; b += 7) {
			start(&split);
			end_feed(&split, bytes_make(stream.data, a));
			end_feed(&split, bytes_make(stream.data + a, b - a));
			end_feed(&split, bytes_make(stream.data + b, stream.size - b));
			assert_string_equal(split.trace, whole.trace);
			assert_int_equal(split.output.size, whole.output.size);
			assert_memory_equal(split.output.data, whole.output.data, whole.output.size);
		}
	}
	start(&split);
	for (size_t i = 0; i < stream.size; i++)
		assert_int_equal(end_feed(&split, bytes_make(stream.data + i, 1)), 1);
	assert_string_equal(split.trace, whole.trace);
	assert_memory_equal(split.output.data, whole.output.data, whole.output.size);
}

static void every_truncation_answers_a_prefix_and_waits(void **state)
{
	struct bytes stream = hex_decode(life, life_memory, sizeof life_memory);

	for (size_t size = 0; size < stream.size; size++) {
		/* A copy of just that size, so that the sanitizer sees an over-read. */
		uint8_t *copy = malloc(size + 1);

		assert_non_null(copy);
		memcpy(copy, stream.data, size);
		start(&split);
		assert_int_equal(end_feed(&split, bytes_make(copy, size)), size);
		free(copy);
		assert_false(split.closed);
		assert_true(split.output.size <= whole.output.size);
		assert_memory_equal(split.output.data, whole.output.data, split.output.size);
		assert_memory_equal(split.trace, whole.trace, split.trace_size);
	}
}

static uint64_t random_state = 88172645463325252ULL;

static uint32_t draw(uint32_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)((random_state >> 20) % below);
}

/* ---- two machines ---- */

struct sender {
	struct end *end;
	uint64_t transfer;
	unsigned started;
	size_t size;
};

#define TRANSFERS 40
static const size_t sizes[] = {1, 2, 100, 16383, 16384, 16385, 32768, 40000, 131071, 131072};
static uint8_t bundle[TRANSFER_SIZE_MAX];

/* Begins or goes on with a transfer if there is room. */
static void send_some(struct sender *sender)
{
	struct end *end = sender->end;
	bool done;

	if (!tcpcl_is_sending(&end->session) && sender->started < TRANSFERS) {
		sender->size = sizes[draw(10)];
		if (tcpcl_transfer_begin(&end->session, sender->size, &sender->transfer) == ERROR_OK)
			sender->started++;
	}
	if (tcpcl_is_sending(&end->session) &&
	    end->output.size_max - end->output.size >= tcpcl_segment_room(&end->session))
		assert_int_equal(tcpcl_transfer_continue(&end->session, end->now_ms,
							 bytes_make(bundle, sender->size), &done,
							 &end->output),
				 ERROR_OK);
}

/* Carries a random part of what `from` has to say to `to`. */
static void carry(struct end *from, struct end *to)
{
	size_t size = from->output.size;
	size_t part = size == 0 ? 0 : draw(4) == 0 ? size : 1 + draw((uint32_t)size);
	size_t consumed = end_feed(to, bytes_make(from->output.data, part));

	buffer_consume(&from->output, consumed);
	to->trace_size = 0;
}

static void two_machines_carry_transfers_both_ways_through_any_chunking(void **state)
{
	static struct end a;
	static struct end b;
	struct sender senders[2] = {{.end = &a}, {.end = &b}};
	unsigned rounds = 0;

	for (size_t i = 0; i < sizeof bundle; i++)
		bundle[i] = (uint8_t)(i * 31 + (i >> 8));
	end_start(&a, TCPCL_ACTIVE, TCPCL_TLS_OFF, "ipn:1.0", "ipn:2.0");
	end_start(&b, TCPCL_PASSIVE, TCPCL_TLS_OPTIONAL, "ipn:2.0", "");
	a.store_at_once = b.store_at_once = true;
	while (a.acknowledged_count < TRANSFERS || b.acknowledged_count < TRANSFERS) {
		assert_true(++rounds < 100000);
		a.now_ms += draw(20);
		b.now_ms = a.now_ms;
		send_some(&senders[0]);
		send_some(&senders[1]);
		carry(&a, &b);
		carry(&b, &a);
		assert_memory_equal(a.received, bundle, a.received_size);
		assert_memory_equal(b.received, bundle, b.received_size);
	}
	assert_int_equal(a.received_count, TRANSFERS);
	assert_int_equal(b.received_count, TRANSFERS);
	assert_int_equal(a.refused_count + b.refused_count, 0);
	assert_int_equal(tcpcl_terminate(&a.session, a.now_ms, TCPCL_TERM_UNKNOWN, &a.output), ERROR_OK);
	if (draw(2) == 0)
		assert_int_equal(tcpcl_terminate(&b.session, b.now_ms, TCPCL_TERM_BUSY, &b.output), ERROR_OK);
	for (unsigned i = 0; i < 100 && !(a.closed && b.closed); i++) {
		carry(&a, &b);
		carry(&b, &a);
	}
	assert_true(a.closed && b.closed);
	assert_false(tcpcl_terminate(&a.session, a.now_ms, TCPCL_TERM_UNKNOWN, &a.output) == ERROR_OK);
}

/* ---- hostile bytes ---- */

/* The bytes of one whole message at `at`, of what the machine itself writes; fails the test if it is none. */
static size_t message_size(struct bytes output, size_t at)
{
	static const size_t fixed[] = {0, 0, 18, 10, 1, 3, 3, 0};
	uint8_t type = output.data[at];

	assert_in_range(type, 2, 7);
	if (type != 7)
		return fixed[type];
	assert_true(output.size - at >= 21);
	return 21 + (size_t)load_u16(output.data + at + 19) + 4;
}

static void check_output_is_whole_messages(const struct end *end)
{
	struct bytes output = buffer_bytes(&end->output);
	size_t at = 6;

	if (output.size == 0)
		return;
	assert_memory_equal(output.data, "dtn!\x04\x01", 6);
	while (at < output.size)
		at += message_size(output, at);
	assert_int_equal(at, output.size);
}

/* Random commands of the shell, among them senseless ones. */
static void meddle(struct end *end)
{
	uint64_t transfer = draw(4);

	switch (draw(8)) {
	case 0:
		tcpcl_transfer_stored(&end->session, end->now_ms, transfer, &end->output);
		break;
	case 1:
		tcpcl_transfer_refuse(&end->session, end->now_ms, transfer, (enum tcpcl_refuse)draw(7),
				      &end->output);
		break;
	case 2:
		end->now_ms += draw(8000);
		end_tick(end);
		break;
	case 3:
		if (draw(20) == 0)
			tcpcl_terminate(&end->session, end->now_ms, (enum tcpcl_term)draw(6), &end->output);
		break;
	default:
		break;
	}
	if (end->trace_size > sizeof end->trace / 2)
		end->trace_size = 0;
}

/* Copies the life with a few bytes changed, put in, taken out, or pieces repeated. */
static size_t mutate(struct bytes stream, uint8_t *to, size_t size_max)
{
	size_t size = stream.size;

	memcpy(to, stream.data, size);
	for (uint32_t i = draw(6); i > 0; i--) {
		size_t at = draw((uint32_t)size);
		size_t run = 1 + draw(24);

		switch (draw(4)) {
		case 0:
			to[at] = (uint8_t)draw(256);
			break;
		case 1:
			to[at] ^= (uint8_t)(1U << draw(8));
			break;
		case 2:
			if (run > size - at || size - run < 1)
				break;
			memmove(to + at, to + at + run, size - at - run);
			size -= run;
			break;
		default:
			if (run > size - at || size + run > size_max)
				break;
			memmove(to + at + run, to + at, size - at);
			size += run;
			break;
		}
	}
	return size;
}

static void hostile_bytes_never_break_the_machine(void **state)
{
	struct bytes stream = hex_decode(life, life_memory, sizeof life_memory);
	static struct end end;
	unsigned closed = 0;
	unsigned received = 0;

	for (unsigned round = 0; round < 20000; round++) {
		uint8_t bytes[1024];
		size_t size = mutate(stream, bytes, sizeof bytes);
		size_t at = 0;

		end_start(&end, TCPCL_PASSIVE, TCPCL_TLS_OPTIONAL, "ipn:1.0", "");
		end.store_at_once = draw(2) == 0;
		while (at < size && !end.closed) {
			size_t part = 1 + draw((uint32_t)(size - at));
			size_t consumed = end_feed(&end, bytes_make(bytes + at, part));

			at += consumed;
			meddle(&end);
			if (consumed == 0)
				break;
		}
		assert_false(end.output.failed);
		check_output_is_whole_messages(&end);
		assert_true(end.session.answers_count <= TCPCL_PENDING_MAX);
		closed += end.closed;
		received += end.received_count;
	}
	/* The loop is worth something only if it went both ways often. */
	assert_in_range(closed, 2000, 19999);
	assert_true(received > 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_split_of_the_stream_gives_the_same_answers),
		cmocka_unit_test(every_truncation_answers_a_prefix_and_waits),
		cmocka_unit_test(two_machines_carry_transfers_both_ways_through_any_chunking),
		cmocka_unit_test(hostile_bytes_never_break_the_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
