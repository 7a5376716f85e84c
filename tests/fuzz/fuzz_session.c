/*
 * Sessions of RFC 9174 from their first byte: two ends that speak to each other while somebody changes what
 * passes, or one end and whatever bytes come. The shell of either does sensible and senseless things, and
 * clocks go on.
 *
 * The first byte says who there is; then follow operations, a byte each with its arguments.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/fuzz/cbor_mutator.h"
#include "tests/unit/carry/tcpcl_end.h"

#define PART_SIZE_MAX 4096 /* bytes that pass at once */

enum start {
	START_PAIR = 1,      /* else one end, and bytes from the input */
	START_ACTIVE = 2,    /* that end has dialled */
	START_TLS_OFF = 4,   /* else optional */
	START_REQUIRED = 8,  /* TLS, of the first end */
	START_EXPECTED = 16, /* the other's node id is known */
	START_STORE = 32,    /* what has come whole is acknowledged at once */
	START_TURN_AWAY = 64,
};

enum operation {
	BYTES,    /* from the input, to the first end */
	CARRY,    /* what each end has said, to the other */
	SPOIL,    /* the same with a byte changed: nothing is promised from here on */
	WAIT,     /* and tick */
	BEGIN,    /* an own transfer */
	CONTINUE, /* a segment of it */
	STORED,   /* for a transfer of any number */
	REFUSE,   /* the same */
	TERMINATE,
	TLS_DONE,
	OPERATIONS,
};

/* What libFuzzer gives, read from its front; behind its end there are zeros. */
struct input {
	struct bytes left;
};

static uint8_t next_byte(struct input *input)
{
	if (input->left.size == 0)
		return 0;
	uint8_t byte = input->left.data[0];
	input->left = bytes_make(input->left.data + 1, input->left.size - 1);
	return byte;
}

static struct bytes next_bytes(struct input *input, size_t size)
{
	if (size > input->left.size)
		size = input->left.size;
	struct bytes bytes = bytes_make(input->left.data, size);
	input->left = bytes_make(input->left.data + size, input->left.size - size);
	return bytes;
}

struct line {
	struct end *ends[2];
	size_t sizes[2]; /* of the transfer that each end is sending */
	bool pair;
	bool honest; /* nothing was spoilt, refused, or said out of turn */
};

/* The bytes of every transfer. */
static uint8_t bundle[TRANSFER_SIZE_MAX];

/* ---- what holds always ---- */

/* What an end says is whole messages; gives the size of the one at `at`. */
static size_t message_size(struct bytes output, size_t at)
{
	static const size_t fixed[] = {[2] = 18, [3] = 10, [4] = 1, [5] = 3, [6] = 3};
	const uint8_t *message = output.data + at;
	size_t left = output.size - at;

	if (message[0] == 'd')
		return 6;
	if (message[0] == 7) {
		assert_true(left >= 21);
		return 21 + (size_t)load_u16(message + 19) + 4;
	}
	if (message[0] == 1) {
		size_t head = (message[1] & 2) != 0 ? 14 + load_u32(message + 10) : 10;
		assert_true(left >= head + 8);
		return head + 8 + load_u64(message + head);
	}
	assert_in_range(message[0], 2, 6);
	return fixed[message[0]];
}

static void check_end(const struct line *line, struct end *end)
{
	struct bytes output = buffer_bytes(&end->output);
	size_t at = 0;

	assert_false(end->output.failed);
	/* Of a pair the output is taken in parts, so a part of a message may stand at its front. */
	while (!line->pair && at < output.size)
		at += message_size(output, at);
	assert_true(line->pair || at == output.size);
	if (!line->pair)
		buffer_consume(&end->output, output.size);
	assert_true(end->session.answers_count <= TCPCL_PENDING_MAX);
	assert_true(end->session.outgoing_count <= TCPCL_OUTGOING_MAX);
	assert_true(tcpcl_peer_node_id(&end->session).size <= NODE_ID_SIZE_MAX);
	assert_true(!end->closed || tcpcl_is_closed(&end->session));
	if (line->honest)
		assert_memory_equal(end->received, bundle, end->received_size);
	end->trace_size = 0;
}

/* ---- operations ---- */

static void carry(struct line *line, size_t from, size_t part, bool spoil, uint8_t at)
{
	static uint8_t memory[PART_SIZE_MAX];
	struct buffer *output = &line->ends[from]->output;
	size_t size = output->size < part ? output->size : part;

	if (!line->pair || size == 0)
		return;
	memcpy(memory, output->data, size);
	if (spoil) {
		memory[at % size] ^= (uint8_t)(1 + at);
		line->honest = false;
	}
	buffer_consume(output, end_feed(line->ends[1 - from], bytes_make(memory, size)));
}

static void begin(struct line *line, size_t which, size_t size)
{
	struct end *end = line->ends[which];
	uint64_t transfer;

	if (end->output.size_max - end->output.size < 2 * TCPCL_OUTPUT_ROOM)
		return;
	if (tcpcl_transfer_begin(&end->session, size, &transfer) == ERROR_OK) {
		line->sizes[which] = size;
		assert_true(size <= tcpcl_transfer_size_max(&end->session));
	}
}

static void go_on(struct line *line, size_t which)
{
	struct end *end = line->ends[which];
	bool done;

	if (end->output.size_max - end->output.size < tcpcl_segment_room(&end->session) + TCPCL_OUTPUT_ROOM)
		return;
	bool sending = tcpcl_is_sending(&end->session);
	enum error error = tcpcl_transfer_continue(
		&end->session, end->now_ms, bytes_make(bundle, line->sizes[which]), &done, &end->output);
	assert_int_equal(error, sending ? ERROR_OK : ERROR_NOT_NOW);
}

static void wait(struct line *line, uint64_t ms)
{
	for (size_t i = 0; i < (line->pair ? 2 : 1); i++) {
		line->ends[i]->now_ms += ms;
		end_tick(line->ends[i]);
		assert_true(line->ends[i]->closed ||
			    tcpcl_deadline(&line->ends[i]->session) > line->ends[i]->now_ms ||
			    line->ends[i]->output.size > 0);
	}
}

/* What the shell of one end answers, or says unasked. */
static void shell(struct line *line, enum operation operation, size_t which, struct input *input)
{
	struct end *end = line->ends[which];
	uint8_t argument = next_byte(input);

	switch (operation) {
	case STORED:
		(void)tcpcl_transfer_stored(&end->session, end->now_ms, argument, &end->output);
		break;
	case REFUSE:
		(void)tcpcl_transfer_refuse(&end->session, end->now_ms, argument / 8,
					    (enum tcpcl_refuse)(argument % 8 % 7), &end->output);
		break;
	case TERMINATE:
		(void)tcpcl_terminate(&end->session, end->now_ms, (enum tcpcl_term)(argument % 6),
				      &end->output);
		break;
	case TLS_DONE:
		(void)tcpcl_tls_done(&end->session, end->now_ms,
				     bytes_of_text(argument % 2 == 0 ? "" : "ipn:2.0"), &end->output);
		break;
	default:
		break;
	}
}

static void operate(struct line *line, struct input *input)
{
	uint8_t first = next_byte(input);
	enum operation operation = first % 16 % OPERATIONS;
	size_t which = line->pair ? first / 16 % 2 : 0;
	uint8_t argument;

	switch (operation) {
	case BYTES:
		argument = next_byte(input);
		line->honest &= !line->pair;
		(void)end_feed(line->ends[0], next_bytes(input, argument));
		break;
	case CARRY:
	case SPOIL:
		argument = next_byte(input);
		carry(line, which, argument < 128 ? PART_SIZE_MAX : argument % 128 + 1u, operation == SPOIL,
		      argument);
		break;
	case WAIT:
		argument = next_byte(input);
		wait(line, (uint64_t)argument * argument * 4);
		break;
	case BEGIN:
		argument = next_byte(input);
		begin(line, which, 1 + (size_t)argument * argument * 2);
		break;
	case CONTINUE:
		go_on(line, which);
		break;
	default:
		shell(line, operation, which, input);
	}
}

/* ---- the target ---- */

static void start(struct line *line, uint8_t how)
{
	enum tcpcl_role role = (how & START_ACTIVE) != 0 ? TCPCL_ACTIVE : TCPCL_PASSIVE;
	enum tcpcl_security security = (how & START_TLS_OFF) != 0 ? TCPCL_TLS_OFF : TCPCL_TLS_OPTIONAL;

	line->pair = (how & START_PAIR) != 0;
	line->honest = line->pair;
	end_start(line->ends[0], role, (how & START_REQUIRED) != 0 ? TCPCL_TLS_REQUIRED : security, "ipn:1.0",
		  (how & START_EXPECTED) != 0 ? "ipn:2.0" : "");
	if (line->pair)
		end_start(line->ends[1], role == TCPCL_ACTIVE ? TCPCL_PASSIVE : TCPCL_ACTIVE, security,
			  "ipn:2.0", "ipn:1.0");
	for (size_t i = 0; i < (line->pair ? 2 : 1); i++) {
		line->ends[i]->store_at_once = (how & START_STORE) != 0;
		line->ends[i]->refuse_peer = (how & START_TURN_AWAY) != 0;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct end ends[2];
	struct line line = {.ends = {&ends[0], &ends[1]}};
	struct input input = {bytes_make(data, size)};

	if (bundle[1] == 0)
		for (size_t i = 0; i < sizeof(bundle); i++)
			bundle[i] = (uint8_t)(i * 31 + (i >> 8) + 1);
	start(&line, next_byte(&input));
	while (input.left.size > 0) {
		operate(&line, &input);
		for (size_t i = 0; i < (line.pair ? 2 : 1); i++)
			check_end(&line, line.ends[i]);
	}
	return 0;
}

size_t target_cbor_at(struct bytes input)
{
	return input.size;
}
