/* Transfers: RFC 9174, section 5.2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/carry/tcpcl_end.h"

#define CONTACT                "64746e21 04 00"
#define MRUS                   "0000000000004000 0000000000020000"
#define INIT_1                 "07 001e " MRUS " 0007 69706e3a312e30 00000000"
#define INIT_2                 "07 001e " MRUS " 0007 69706e3a322e30 00000000"
#define ID(n)                  "00000000000000" n
#define LENGTH(n)              "00000000000000" n
#define SINGLE(id, n)          "01 03 " ID(id) " 00000000 " LENGTH(n) " "
#define FIRST(id, n)           "01 02 " ID(id) " 00000000 " LENGTH(n) " "
#define FIRST_OF(id, total, n) "01 02 " ID(id) " 0000000d 00 0001 0008 " total " " LENGTH(n) " "
#define MIDDLE(id, n)          "01 00 " ID(id) " " LENGTH(n) " "
#define LAST(id, n)            "01 01 " ID(id) " " LENGTH(n) " "
#define ACK(flags, id, n)      "02 " flags " " ID(id) " " LENGTH(n)
#define REFUSE(reason, id)     "03 " reason " " ID(id)

static struct end end;

static void establish_with(const char *init)
{
	end_start(&end, TCPCL_PASSIVE, TCPCL_TLS_OFF, "ipn:1.0", "");
	end_feed_hex(&end, CONTACT);
	end_feed_hex(&end, init);
	end_expect(&end, CONTACT INIT_1);
	end_expect_trace(&end, "peer ipn:2.0; ");
}

static int establish(void **state)
{
	establish_with(INIT_2);
	return 0;
}

static void stored(uint64_t transfer)
{
	assert_int_equal(tcpcl_transfer_stored(&end.session, end.now_ms, transfer, &end.output), ERROR_OK);
}

static void a_transfer_is_acknowledged_only_when_it_is_stored(void **state)
{
	end.trace_data = true;
	end_feed_hex(&end, SINGLE("00", "05") "68656c6c6f");
	end_expect_trace(&end, "begin 0 5; data 5; end 0 5; ");
	assert_memory_equal(end.received, "hello", 5);
	end_expect(&end, "");
	end_tick(&end);
	end_expect(&end, "");
	stored(0);
	end_expect(&end, ACK("03", "00", "05"));
	assert_int_equal(tcpcl_transfer_stored(&end.session, end.now_ms, 0, &end.output), ERROR_NOT_FOUND);
}

static void each_segment_is_acknowledged_with_the_sum_and_its_own_flags(void **state)
{
	end_feed_hex(&end, FIRST_OF("07", "0000000000000006", "03") "616263");
	end_expect(&end, ACK("02", "07", "03"));
	/* Reserved flags come back as they came. */
	end_feed_hex(&end, "01 f8" ID("07") LENGTH("02") "6465");
	end_expect(&end, ACK("f8", "07", "05"));
	end_feed_hex(&end, LAST("07", "01") "66");
	end_expect(&end, "");
	stored(7);
	end_expect(&end, ACK("01", "07", "06"));
	end_expect_trace(&end, "begin 7 6; end 7 6; ");
	assert_memory_equal(end.received, "abcdef", 6);
}

static void a_last_segment_may_be_empty_and_an_announcement_may_lack(void **state)
{
	end_feed_hex(&end, FIRST("00", "02") "6162" LAST("00", "00"));
	end_expect_trace(&end, "begin 0 0; end 0 2; ");
	stored(0);
	end_expect(&end, ACK("02", "00", "02") ACK("01", "00", "02"));
}

static void answers_leave_in_the_order_of_the_segments(void **state)
{
	end_feed_hex(&end, SINGLE("00", "01") "61" SINGLE("01", "01") "62" FIRST("02", "01") "63" SINGLE(
				   "03", "00"));
	/* 3 is a START before 2 has ended. */
	end_expect_trace(&end, "begin 0 1; end 0 1; begin 1 1; end 1 1; begin 2 0; close MALFORMED; ");
	end_expect(&end, "06 03 01 05 00 00");

	establish(NULL);
	end_feed_hex(&end, SINGLE("00", "01") "61" SINGLE("01", "01") "62" FIRST("02", "01") "63" LAST(
				   "02", "01") "64");
	end_feed_hex(&end, SINGLE("03", "01") "65");
	stored(2);
	stored(1);
	assert_int_equal(
		tcpcl_transfer_refuse(&end.session, end.now_ms, 3, TCPCL_REFUSE_NO_RESOURCES, &end.output),
		ERROR_OK);
	end_expect(&end, "");
	stored(0);
	end_expect(&end, ACK("03", "00", "01") ACK("03", "01", "01") ACK("02", "02", "01")
				 ACK("01", "02", "02") REFUSE("02", "03"));
}

static void extension_items_are_skipped_unless_critical_or_broken(void **state)
{
	end_feed_hex(&end, "01 03" ID("00") "00000008 00 7777 0003 010203" LENGTH("01") "61");
	stored(0);
	end_expect(&end, ACK("03", "00", "01"));
	end_feed_hex(&end, "01 03" ID("01") "00000005 01 7777 0000" LENGTH("01") "61");
	end_expect(&end, REFUSE("05", "01"));
	end_feed_hex(&end, "01 03" ID("02") "00000006 00 7777 0002 01" LENGTH("01") "61");
	end_expect(&end, REFUSE("04", "02"));
	end_feed_hex(&end, "01 03" ID("03") "00000007 00 7777 0000 0102" LENGTH("01") "61");
	end_expect(&end, REFUSE("04", "03"));
	/* Two lengths, and a length of another size than it has. */
	end_feed_hex(&end, "01 03" ID("04") "0000001a 00 0001 0008" LENGTH("01") "00 0001 0008" LENGTH("01")
				   LENGTH("01") "61");
	end_expect(&end, REFUSE("04", "04"));
	end_feed_hex(&end, "01 03" ID("05") "00000009 00 0001 0004 00000001" LENGTH("01") "61");
	end_expect(&end, REFUSE("04", "05"));
	end_expect_trace(&end,
			 "begin 0 1; end 0 1; dropped 1 extension failure; dropped 2 not acceptable; "
			 "dropped 3 not acceptable; dropped 4 not acceptable; dropped 5 not acceptable; ");
	end_feed_hex(&end, "01 03" ID("06") "00001001");
	end_expect(&end, "05 00 05");
	end_expect_trace(&end, "close TOO_LARGE; ");
}

static void an_announced_length_above_the_mru_is_refused_before_its_data(void **state)
{
	end_feed_hex(&end, "01 02" ID("00") "0000000d 00 0001 0008 0000000000020001" LENGTH("01"));
	end_expect(&end, REFUSE("02", "00"));
	end_feed_hex(&end, "61");
	/* What was on its way is refused as well, then the next transfer is welcome. */
	end_feed_hex(&end, MIDDLE("00", "01") "61");
	end_expect(&end, REFUSE("02", "00"));
	end_feed_hex(&end, MIDDLE("00", "01") "61" SINGLE("01", "01") "62");
	end_expect(&end, REFUSE("02", "00"));
	end_expect_trace(&end, "dropped 0 no resources; begin 1 1; end 1 1; ");
	end_feed_hex(&end, "01 03" ID("02") "0000000d 00 0001 0008 ffffffffffffffff" LENGTH("01") "61");
	stored(1);
	end_expect(&end, ACK("03", "01", "01") REFUSE("02", "02"));
	end_feed_hex(&end, "01 02" ID("03") "0000000d 00 0001 0008 0000000000020000" LENGTH("01") "61");
	end_expect_trace(&end, "dropped 2 no resources; begin 3 131072; ");
}

static void a_length_other_than_announced_is_not_acceptable(void **state)
{
	end_feed_hex(&end, FIRST_OF("00", "0000000000000003", "02") "6162" MIDDLE("00", "02") "6364");
	end_expect(&end, ACK("02", "00", "02") REFUSE("04", "00"));
	end_expect_trace(&end, "begin 0 3; dropped 0 not acceptable; ");
	end_feed_hex(&end, FIRST_OF("01", "0000000000000003", "02") "6162" LAST("01", "00"));
	end_expect(&end, ACK("02", "01", "02") REFUSE("04", "01"));
	end_expect_trace(&end, "begin 1 3; dropped 1 not acceptable; ");
	end_feed_hex(&end, FIRST_OF("02", "0000000000000001", "02") "6162");
	end_expect(&end, REFUSE("04", "02"));
	end_feed_hex(&end, FIRST_OF("03", "0000000000000000", "01") "61");
	end_expect(&end, REFUSE("04", "03"));
	end_expect_trace(&end, "dropped 2 not acceptable; dropped 3 not acceptable; ");
}

static void empty_transfers_and_segments_that_lead_nowhere_are_not_acceptable(void **state)
{
	end_feed_hex(&end, SINGLE("00", "00"));
	end_expect(&end, REFUSE("04", "00"));
	end_feed_hex(&end, FIRST("01", "01") "61" MIDDLE("01", "00"));
	end_expect(&end, ACK("02", "01", "01") REFUSE("04", "01"));
	end_expect_trace(&end, "dropped 0 not acceptable; begin 1 0; dropped 1 not acceptable; ");
}

static void a_transfer_that_grows_above_the_mru_is_refused(void **state)
{
	static uint8_t segment[35 + SEGMENT_SIZE_MAX];
	struct buffer buffer = buffer_make(segment, sizeof segment);

	for (unsigned i = 0; i <= TRANSFER_SIZE_MAX / SEGMENT_SIZE_MAX; i++) {
		buffer.size = 0;
		buffer_append_byte(&buffer, 1);
		buffer_append_byte(&buffer, i == 0 ? 2 : 0);
		buffer_append_u64(&buffer, 0);
		if (i == 0)
			buffer_append_u32(&buffer, 0);
		buffer_append_u64(&buffer, SEGMENT_SIZE_MAX);
		memset(buffer_reserve(&buffer, SEGMENT_SIZE_MAX), 'x', SEGMENT_SIZE_MAX);
		assert_int_equal(end_feed(&end, buffer_bytes(&buffer)), buffer.size);
		assert_int_equal(end.output.size, i < 8 ? 18 : 10);
		end.output.size = 0;
	}
	end_expect_trace(&end, "begin 0 0; dropped 0 no resources; ");
}

static void a_segment_above_the_segment_mru_ends_the_session(void **state)
{
	end_feed_hex(&end, "01 03" ID("00") "00000000 0000000000004001");
	end_expect(&end, "06 02 01 05 00 00");
	end_expect_trace(&end, "close MALFORMED; ");
	establish(NULL);
	end_feed_hex(&end, FIRST("00", "01") "61");
	end_feed_hex(&end, "01 00" ID("00") "ffffffffffffffff");
	end_expect(&end, ACK("02", "00", "01") "06 02 01 05 00 00");
}

static void segments_of_no_transfer_and_ids_used_twice_end_the_session(void **state)
{
	static const char *const streams[] = {
		MIDDLE("00", "01"),
		LAST("05", "01"),
		FIRST("00", "01") "61" MIDDLE("01", "01"),
		SINGLE("00", "01") "61" LAST("00", "01"),
		SINGLE("00", "01") "61" SINGLE("00", "01"),
		SINGLE("00", "01") "61" SINGLE("01", "01") "61" SINGLE("00", "01"),
		FIRST("00", "01") "61" FIRST("00", "01"),
	};
	static uint8_t memory[256];

	for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
		size_t size = 0;

		establish(NULL);
		for (const char *at = streams[i]; *at != '\0'; at++) {
			unsigned byte;

			if (*at == ' ')
				continue;
			assert_int_equal(sscanf(at, "%2x", &byte), 1);
			memory[size++] = (uint8_t)byte;
			at++;
		}
		end_feed(&end, bytes_make(memory, size));
		assert_true(end.closed);
		assert_true(end.output.size >= 6);
		assert_memory_equal(end.output.data + end.output.size - 6, "\x06\x03\x01\x05\x00\x00", 6);
	}
}

static void a_transfer_may_be_refused_at_any_time(void **state)
{
	/* Within its first segment. */
	end_feed_hex(&end, FIRST("00", "04") "61");
	assert_int_equal(
		tcpcl_transfer_refuse(&end.session, end.now_ms, 0, TCPCL_REFUSE_COMPLETED, &end.output),
		ERROR_OK);
	end_expect(&end, REFUSE("01", "00"));
	end_feed_hex(&end, "626364");
	end_expect(&end, "");
	assert_int_equal(
		tcpcl_transfer_refuse(&end.session, end.now_ms, 0, TCPCL_REFUSE_COMPLETED, &end.output),
		ERROR_NOT_FOUND);
	/* Between two segments; the one that crosses is refused again; END ends it. */
	end_feed_hex(&end, FIRST("01", "01") "61");
	assert_int_equal(
		tcpcl_transfer_refuse(&end.session, end.now_ms, 1, TCPCL_REFUSE_RETRANSMIT, &end.output),
		ERROR_OK);
	end_feed_hex(&end, MIDDLE("01", "01") "62" LAST("01", "01") "63");
	end_expect(&end, ACK("02", "01", "01") REFUSE("03", "01") REFUSE("03", "01") REFUSE("03", "01"));
	/* After its end. */
	end_feed_hex(&end, SINGLE("02", "01") "61");
	assert_int_equal(
		tcpcl_transfer_refuse(&end.session, end.now_ms, 2, TCPCL_REFUSE_NO_RESOURCES, &end.output),
		ERROR_OK);
	end_expect(&end, REFUSE("02", "02"));
	assert_int_equal(tcpcl_transfer_stored(&end.session, end.now_ms, 2, &end.output), ERROR_NOT_FOUND);
	end_expect_trace(&end, "begin 0 0; begin 1 0; begin 2 1; end 2 1; ");
}

static void reading_stops_while_too_many_answers_wait(void **state)
{
	static uint8_t stream[TCPCL_PENDING_MAX * 23];
	struct buffer buffer = buffer_make(stream, sizeof stream);
	unsigned count = TCPCL_PENDING_MAX;

	for (unsigned i = 0; i < count; i++) {
		buffer_append_u16(&buffer, 0x0103);
		buffer_append_u64(&buffer, i);
		buffer_append_u32(&buffer, 0);
		buffer_append_u64(&buffer, 1);
		buffer_append_byte(&buffer, 'x');
	}
	size_t read = end_feed(&end, buffer_bytes(&buffer));

	assert_int_equal(read, (count - 1) * 23);
	assert_int_equal(end.received_count, count - 1);
	assert_int_equal(end_feed(&end, bytes_make(stream + read, 23)), 0);
	stored(0);
	assert_int_equal(end_feed(&end, bytes_make(stream + read, 23)), 23);
	assert_int_equal(end.received_count, count);
}

static void answers_wait_for_room(void **state)
{
	uint8_t memory[18];
	struct buffer small = buffer_make(memory, 17);

	end_feed_hex(&end, SINGLE("00", "01") "61");
	assert_int_equal(tcpcl_transfer_stored(&end.session, end.now_ms, 0, &small), ERROR_OK);
	assert_int_equal(small.size, 0);
	assert_false(small.failed);
	end_tick(&end);
	end_expect(&end, ACK("03", "00", "01"));
}

/* ---- own transfers ---- */

static uint8_t bundle[TRANSFER_SIZE_MAX];

static uint64_t begin(uint64_t size)
{
	uint64_t transfer = UINT64_MAX;

	assert_int_equal(tcpcl_transfer_begin(&end.session, size, &transfer), ERROR_OK);
	return transfer;
}

static bool send_on(uint64_t size)
{
	bool done = false;

	assert_int_equal(tcpcl_transfer_continue(&end.session, end.now_ms, bytes_make(bundle, size), &done,
						 &end.output),
			 ERROR_OK);
	return done;
}

static void a_small_bundle_goes_in_one_segment_without_a_length_item(void **state)
{
	memcpy(bundle, "hello", 5);
	assert_int_equal(begin(5), 0);
	assert_true(tcpcl_is_sending(&end.session));
	assert_true(send_on(5));
	end_expect(&end, SINGLE("00", "05") "68656c6c6f");
	assert_int_equal(tcpcl_unacknowledged(&end.session), 5);
	assert_int_equal(begin(5), 1);
	assert_true(send_on(5));
	end_feed_hex(&end, ACK("03", "00", "05"));
	assert_int_equal(tcpcl_unacknowledged(&end.session), 5);
	end_feed_hex(&end, ACK("03", "01", "05"));
	assert_int_equal(tcpcl_unacknowledged(&end.session), 0);
	end_expect_trace(&end, "acknowledged 0 5 whole; acknowledged 1 5 whole; ");
}

static void a_large_bundle_goes_in_segments_of_the_peers_mru_with_its_length(void **state)
{
	establish_with("07 001e 0000000000000100 0000000000000400 0007 69706e3a322e30 00000000");
	memset(bundle, 0xab, sizeof bundle);
	begin(513);
	assert_int_equal(tcpcl_segment_room(&end.session), TCPCL_SEGMENT_HEAD_MAX + 256);
	assert_false(send_on(513));
	assert_int_equal(end.output.size, 35 + 256);
	end.output.size = 35;
	end_expect(&end, "01 02" ID("00") "0000000d 00 0001 0008 0000000000000201 0000000000000100");
	assert_int_equal(tcpcl_unacknowledged(&end.session), 256);
	assert_false(send_on(513));
	assert_int_equal(end.output.size, 18 + 256);
	end.output.size = 18;
	end_expect(&end, "01 00" ID("00") "0000000000000100");
	assert_true(send_on(513));
	end_expect(&end, LAST("00", "01") "ab");
	assert_false(tcpcl_is_sending(&end.session));
	assert_int_equal(tcpcl_segment_room(&end.session), 0);
	end_feed_hex(&end, "02 02" ID("00") "0000000000000100");
	assert_int_equal(tcpcl_unacknowledged(&end.session), 257);
	end_feed_hex(&end, "02 01" ID("00") "0000000000000201");
	end_expect_trace(&end, "acknowledged 0 256; acknowledged 0 513 whole; ");
}

static void own_transfers_are_bounded(void **state)
{
	uint64_t transfer;
	bool done;
	uint8_t memory[40];
	struct buffer small = buffer_make(memory, 39);

	assert_int_equal(tcpcl_transfer_begin(&end.session, TRANSFER_SIZE_MAX + 1, &transfer),
			 ERROR_TOO_LARGE);
	assert_int_equal(tcpcl_transfer_continue(&end.session, 0, bytes_make(bundle, 1), &done, &end.output),
			 ERROR_NOT_NOW);
	for (unsigned i = 0; i < TCPCL_OUTGOING_MAX; i++) {
		begin(1);
		assert_int_equal(tcpcl_transfer_begin(&end.session, 1, &transfer), ERROR_NOT_NOW);
		send_on(1);
	}
	assert_int_equal(tcpcl_transfer_begin(&end.session, 1, &transfer), ERROR_NOT_NOW);
	end_feed_hex(&end, ACK("03", "05", "01"));
	begin(5);
	assert_int_equal(tcpcl_transfer_continue(&end.session, 0, bytes_make(bundle, 5), &done, &small),
			 ERROR_FULL);
	assert_int_equal(small.size, 0);
	establish_with("07 001e 0000000000000100 0000000000000400 0007 69706e3a322e30 00000000");
	assert_int_equal(tcpcl_transfer_begin(&end.session, 1025, &transfer), ERROR_TOO_LARGE);
}

static void a_refused_transfer_sends_no_further_segment(void **state)
{
	bool done;

	begin(SEGMENT_SIZE_MAX + 1);
	assert_false(send_on(SEGMENT_SIZE_MAX + 1));
	end.output.size = 0;
	end_feed_hex(&end, REFUSE("02", "00"));
	assert_int_equal(tcpcl_transfer_continue(&end.session, 0, bytes_make(bundle, SEGMENT_SIZE_MAX + 1),
						 &done, &end.output),
			 ERROR_NOT_NOW);
	assert_int_equal(tcpcl_unacknowledged(&end.session), 0);
	bundle[0] = 'x';
	assert_int_equal(begin(1), 1);
	assert_true(send_on(1));
	end_expect(&end, SINGLE("01", "01") "78");
	/* The first refusal again, for a segment that crossed it; and a reason that is not assigned. */
	end_feed_hex(&end, REFUSE("02", "00") REFUSE("99", "01"));
	end_expect(&end, "");
	end_expect_trace(&end, "refused 0 no resources; refused 1 unassigned; ");
}

static void answers_to_transfers_never_made_are_rejected_and_then_end_the_session(void **state)
{
	begin(1);
	send_on(1);
	end.output.size = 0;
	end_feed_hex(&end, ACK("03", "01", "01"));
	end_expect(&end, "06 03 02");
	end_feed_hex(&end, REFUSE("00", "01"));
	end_expect(&end, "06 03 03");
	end_feed_hex(&end, ACK("03", "00", "01") ACK("03", "00", "01"));
	end_expect(&end, "06 03 02");
	end_expect_trace(&end, "acknowledged 0 1 whole; ");
	for (unsigned i = 3; i < TCPCL_REJECTS_MAX; i++)
		end_feed_hex(&end, ACK("03", "00", "01"));
	assert_false(end.closed);
	end_feed_hex(&end, ACK("03", "00", "01"));
	assert_true(end.closed);
}

static void an_acknowledgment_of_another_length_than_was_sent_ends_the_session(void **state)
{
	static const char *const answers[] = {
		"02 02" ID("00") "0000000000004001", /* more than was sent */
		"02 01" ID("00") "0000000000004000", /* END, and not all of it */
		"02 02" ID("00") "0000000000000000", /* nothing */
	};

	for (size_t i = 0; i < 3; i++) {
		establish(NULL);
		begin(SEGMENT_SIZE_MAX + 1);
		assert_false(send_on(SEGMENT_SIZE_MAX + 1));
		end.output.size = 0;
		end_feed_hex(&end, answers[i]);
		end_expect(&end, "06 02 02 05 00 00");
		end_expect_trace(&end, "close MALFORMED; ");
	}
}

static void a_peer_that_acknowledges_nothing_is_left(void **state)
{
	begin(1);
	send_on(1);
	end.output.size = 0;
	for (unsigned i = 0; i < 5; i++) {
		end.now_ms += 10000;
		end_feed_hex(&end, "04");
		end_tick(&end);
	}
	assert_false(end.closed);
	end.now_ms += 10000;
	end_feed_hex(&end, "04");
	end_tick(&end);
	end_expect_trace(&end, "close TIMED_OUT; ");
}

/* ---- transfers and termination ---- */

static void an_ending_session_finishes_what_is_under_way_and_starts_nothing(void **state)
{
	uint64_t transfer;

	begin(SEGMENT_SIZE_MAX + 1);
	assert_false(send_on(SEGMENT_SIZE_MAX + 1));
	end.output.size = 0;
	end_feed_hex(&end, FIRST("00", "01") "61"
					     "05 00 03");
	end_expect(&end, ACK("02", "00", "01") "05 01 03");
	assert_true(send_on(SEGMENT_SIZE_MAX + 1));
	end.output.size = 0;
	assert_int_equal(tcpcl_transfer_begin(&end.session, 1, &transfer), ERROR_NOT_NOW);
	end_feed_hex(&end, LAST("00", "01") "62");
	stored(0);
	end_expect(&end, ACK("01", "00", "02"));
	/* A new one is refused. */
	end_feed_hex(&end, SINGLE("01", "01") "62");
	end_expect(&end, REFUSE("06", "01"));
	end_expect_trace(&end, "begin 0 0; ending 3; end 0 2; dropped 1 session terminating; ");
	end_feed_hex(&end, "02 02" ID("00") "0000000000004000");
	end_feed_hex(&end, "02 01" ID("00") "0000000000004001");
	end_expect_trace(&end, "acknowledged 0 16384; acknowledged 0 16385 whole; close OK; ");
}

static void a_termination_of_ours_waits_for_the_disk(void **state)
{
	end_feed_hex(&end, SINGLE("00", "01") "61");
	assert_int_equal(tcpcl_terminate(&end.session, end.now_ms, TCPCL_TERM_UNKNOWN, &end.output),
			 ERROR_OK);
	end_feed_hex(&end, "05 01 00");
	end_expect(&end, "05 00 00");
	end_tick(&end);
	assert_false(end.closed);
	stored(0);
	end_expect(&end, ACK("03", "00", "01"));
	assert_int_equal(tcpcl_deadline(&end.session), 0);
	end_tick(&end);
	end_expect_trace(&end, "begin 0 1; end 0 1; close OK; ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, establish)
		TEST(a_transfer_is_acknowledged_only_when_it_is_stored),
		TEST(each_segment_is_acknowledged_with_the_sum_and_its_own_flags),
		TEST(a_last_segment_may_be_empty_and_an_announcement_may_lack),
		TEST(answers_leave_in_the_order_of_the_segments),
		TEST(extension_items_are_skipped_unless_critical_or_broken),
		TEST(an_announced_length_above_the_mru_is_refused_before_its_data),
		TEST(a_length_other_than_announced_is_not_acceptable),
		TEST(empty_transfers_and_segments_that_lead_nowhere_are_not_acceptable),
		TEST(a_transfer_that_grows_above_the_mru_is_refused),
		TEST(a_segment_above_the_segment_mru_ends_the_session),
		TEST(segments_of_no_transfer_and_ids_used_twice_end_the_session),
		TEST(a_transfer_may_be_refused_at_any_time),
		TEST(reading_stops_while_too_many_answers_wait),
		TEST(answers_wait_for_room),
		TEST(a_small_bundle_goes_in_one_segment_without_a_length_item),
		TEST(a_large_bundle_goes_in_segments_of_the_peers_mru_with_its_length),
		TEST(own_transfers_are_bounded),
		TEST(a_refused_transfer_sends_no_further_segment),
		TEST(answers_to_transfers_never_made_are_rejected_and_then_end_the_session),
		TEST(an_acknowledgment_of_another_length_than_was_sent_ends_the_session),
		TEST(a_peer_that_acknowledges_nothing_is_left),
		TEST(an_ending_session_finishes_what_is_under_way_and_starts_nothing),
		TEST(a_termination_of_ours_waits_for_the_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
