#include "tests/unit/carry/tcpcl_end.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/hex.h"

__attribute__((format(printf, 2, 3))) static void note(struct end *end, const char *format, ...)
{
	va_list arguments;
	size_t room = sizeof end->trace - end->trace_size;
	int size;

	va_start(arguments, format);
	size = vsnprintf(end->trace + end->trace_size, room, format, arguments);
	va_end(arguments);
	assert_true(size >= 0 && (size_t)size < room);
	end->trace_size += (size_t)size;
}

void end_start(struct end *end, enum tcpcl_role role, enum tcpcl_security security, const char *node_id,
	       const char *expected)
{
	struct tcpcl_config config = {
		.role = role,
		.security = security,
		.node_id = bytes_of_text(node_id),
		.expected_node_id = bytes_of_text(expected),
		.keepalive_s = 30,
	};

	memset(end, 0, sizeof *end);
	end->now_ms = 1000;
	end->output = buffer_make(end->output_memory, sizeof end->output_memory);
	assert_int_equal(tcpcl_start(&end->session, &config, end->now_ms, &end->output), ERROR_OK);
}

static void answer_peer(struct end *end)
{
	if (end->refuse_peer)
		assert_int_equal(tcpcl_terminate(&end->session, end->now_ms, TCPCL_TERM_BUSY, &end->output),
				 ERROR_OK);
	else
		assert_int_equal(tcpcl_admit(&end->session, end->now_ms, &end->output), ERROR_OK);
}

static void receive(struct end *end, struct bytes data)
{
	assert_true(data.size <= sizeof end->received - end->received_size);
	memcpy(end->received + end->received_size, data.data, data.size);
	end->received_size += data.size;
}

static void handle(struct end *end, const struct tcpcl_event *event)
{
	switch (event->kind) {
	case TCPCL_EVENT_NONE:
		break;
	case TCPCL_EVENT_START_TLS:
		note(end, "tls; ");
		break;
	case TCPCL_EVENT_PEER:
		note(end, "peer %.*s; ", (int)event->node_id.size, (const char *)event->node_id.data);
		answer_peer(end);
		break;
	case TCPCL_EVENT_TRANSFER_BEGIN:
		note(end, "begin %" PRIu64 " %" PRIu64 "; ", event->transfer, event->size);
		end->received_size = 0;
		break;
	case TCPCL_EVENT_TRANSFER_DATA:
		if (end->trace_data)
			note(end, "data %zu; ", event->data.size);
		receive(end, event->data);
		break;
	case TCPCL_EVENT_TRANSFER_END:
		note(end, "end %" PRIu64 " %" PRIu64 "; ", event->transfer, event->size);
		assert_int_equal(event->size, end->received_size);
		end->received_count++;
		if (end->store_at_once)
			assert_int_equal(tcpcl_transfer_stored(&end->session, end->now_ms, event->transfer,
							       &end->output),
					 ERROR_OK);
		break;
	case TCPCL_EVENT_TRANSFER_DROPPED:
		note(end, "dropped %" PRIu64 " %s; ", event->transfer, tcpcl_refuse_name(event->reason));
		break;
	case TCPCL_EVENT_ACKNOWLEDGED:
		note(end, "acknowledged %" PRIu64 " %" PRIu64 "%s; ", event->transfer, event->size,
		     event->whole ? " whole" : "");
		end->acknowledged_count += event->whole;
		break;
	case TCPCL_EVENT_REFUSED:
		note(end, "refused %" PRIu64 " %s; ", event->transfer, tcpcl_refuse_name(event->reason));
		end->refused_count++;
		break;
	case TCPCL_EVENT_ENDING:
		note(end, "ending %u; ", (unsigned)event->reason);
		break;
	case TCPCL_EVENT_CLOSE:
		assert_non_null(event->detail);
		assert_false(end->closed);
		note(end, "close %s; ", error_name(event->error));
		end->closed = true;
		break;
	}
}

size_t end_feed(struct end *end, struct bytes input)
{
	size_t at = 0;

	for (;;) {
		struct tcpcl_event event;
		size_t consumed =
			tcpcl_input(&end->session, end->now_ms, bytes_make(input.data + at, input.size - at),
				    &event, &end->output);

		assert_true(consumed <= input.size - at);
		at += consumed;
		handle(end, &event);
		if (consumed == 0 && event.kind == TCPCL_EVENT_NONE)
			return at;
	}
}

void end_feed_hex(struct end *end, const char *hex)
{
	static uint8_t memory[65536];
	struct bytes input = hex_decode(hex, memory, sizeof memory);

	size_t consumed = end_feed(end, input);

	if (!end->closed)
		assert_int_equal(consumed, input.size);
}

void end_tick(struct end *end)
{
	struct tcpcl_event event;

	tcpcl_tick(&end->session, end->now_ms, &event, &end->output);
	handle(end, &event);
}

void end_expect(struct end *end, const char *hex)
{
	static uint8_t memory[65536];
	struct bytes expected = hex_decode(hex, memory, sizeof memory);

	assert_false(end->output.failed);
	assert_int_equal(end->output.size, expected.size);
	assert_memory_equal(end->output.data, expected.data, expected.size);
	buffer_consume(&end->output, end->output.size);
}

void end_expect_trace(struct end *end, const char *trace)
{
	assert_string_equal(end->trace, trace);
	end->trace_size = 0;
	end->trace[0] = '\0';
}
