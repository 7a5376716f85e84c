/* Contact, TLS, negotiation, keepalive and termination: RFC 9174, sections 4, 5.1 and 6. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/carry/tcpcl_end.h"

#define CONTACT             "64746e21 04 00"
#define CONTACT_TLS         "64746e21 04 01"
#define MRUS                "0000000000004000 0000000000020000"
#define INIT_1              "07 001e " MRUS " 0007 69706e3a312e30 00000000"
#define INIT_2              "07 001e " MRUS " 0007 69706e3a322e30 00000000"
#define TERM(flags, reason) "05 " flags " " reason

static struct end end;

static void establish(enum tcpcl_role role)
{
	end_start(&end, role, TCPCL_TLS_OFF, "ipn:1.0", "ipn:2.0");
	end_feed_hex(&end, CONTACT INIT_2);
	end_expect(&end, CONTACT INIT_1);
	end_expect_trace(&end, "peer ipn:2.0; ");
	assert_true(tcpcl_is_established(&end.session));
}

static void the_active_end_speaks_first_and_the_passive_end_waits(void **state)
{
	end_start(&end, TCPCL_ACTIVE, TCPCL_TLS_OFF, "ipn:1.0", "");
	end_expect(&end, CONTACT);
	end_feed_hex(&end, CONTACT);
	end_expect(&end, INIT_1);
	assert_int_equal(tcpcl_peer_node_id(&end.session).size, 0);
	end_feed_hex(&end, INIT_2);
	end_expect(&end, "");
	end_expect_trace(&end, "peer ipn:2.0; ");
	assert_true(bytes_equal(tcpcl_peer_node_id(&end.session), bytes_of_text("ipn:2.0")));

	end_start(&end, TCPCL_PASSIVE, TCPCL_TLS_OFF, "ipn:1.0", "");
	end_expect(&end, "");
	end_feed_hex(&end, CONTACT);
	end_expect(&end, CONTACT);
	end_feed_hex(&end, INIT_2);
	end_expect(&end, INIT_1);
	assert_true(tcpcl_is_established(&end.session));
	assert_false(tcpcl_uses_tls(&end.session));
}

static void reserved_contact_flags_are_ignored(void **state)
{
	end_start(&end, TCPCL_PASSIVE, TCPCL_TLS_OFF, "ipn:1.0", "");
	end_feed_hex(&end, "64746e21 04 fe" INIT_2);
	end_expect(&end, CONTACT INIT_1);
}

static void both_can_tls_and_what_follows_the_contact_belongs_to_tls(void **state)
{
	static const uint8_t stream[] = "dtn!\x04\x01\x16\x03\x01";

	for (unsigned role = TCPCL_ACTIVE; role <= TCPCL_PASSIVE; role++) {
		end_start(&end, (enum tcpcl_role)role, TCPCL_TLS_REQUIRED, "ipn:1.0", "ipn:2.0");
		assert_int_equal(end_feed(&end, bytes_make(stream, 9)), 6);
		end_expect(&end, CONTACT_TLS);
		end_expect_trace(&end, "tls; ");
		assert_int_equal(tcpcl_admit(&end.session, end.now_ms, &end.output), ERROR_NOT_NOW);
		assert_int_equal(
			tcpcl_tls_done(&end.session, end.now_ms, bytes_of_text("ipn:2.0"), &end.output),
			ERROR_OK);
		end_expect(&end, role == TCPCL_ACTIVE ? INIT_1 : "");
		end_feed_hex(&end, INIT_2);
		end_expect(&end, role == TCPCL_ACTIVE ? "" : INIT_1);
		end_expect_trace(&end, "peer ipn:2.0; ");
		assert_true(tcpcl_uses_tls(&end.session));
	}
}

static void a_peer_without_tls_is_turned_away_unless_plain_is_allowed(void **state)
{
	end_start(&end, TCPCL_PASSIVE, TCPCL_TLS_REQUIRED, "ipn:1.0", "");
	end_feed_hex(&end, CONTACT);
	end_expect(&end, CONTACT_TLS TERM("00", "04"));
	end_expect_trace(&end, "close UNSUPPORTED; ");

	end_start(&end, TCPCL_PASSIVE, TCPCL_TLS_OPTIONAL, "ipn:1.0", "");
	end_feed_hex(&end, CONTACT INIT_2);
	end_expect(&end, CONTACT_TLS INIT_1);
	assert_false(tcpcl_uses_tls(&end.session));

	/* A closed link: our own flag is not set, so the peer's offer comes to nothing. */
	end_start(&end, TCPCL_PASSIVE, TCPCL_TLS_OFF, "ipn:1.0", "");
	end_feed_hex(&end, CONTACT_TLS INIT_2);
	end_expect(&end, CONTACT INIT_1);
}

static void another_version_is_answered_by_the_passive_end_only(void **state)
{
	static const char *const contacts[] = {"64746e21 03 00", "64746e21 05 00"};

	for (size_t i = 0; i < 2; i++) {
		end_start(&end, TCPCL_PASSIVE, TCPCL_TLS_OFF, "ipn:1.0", "");
		end_feed_hex(&end, contacts[i]);
		end_expect(&end, CONTACT TERM("00", "02"));
		end_expect_trace(&end, "close BAD_VERSION; ");

		end_start(&end, TCPCL_ACTIVE, TCPCL_TLS_OFF, "ipn:1.0", "");
		end_expect(&end, CONTACT);
		end_feed_hex(&end, contacts[i]);
		end_expect(&end, "");
		end_expect_trace(&end, "close BAD_VERSION; ");
	}
}

static void a_wrong_magic_is_answered_with_silence(void **state)
{
	end_start(&end, TCPCL_PASSIVE, TCPCL_TLS_OPTIONAL, "ipn:1.0", "");
	end_feed_hex(&end, "474554202f20");
	end_expect(&end, "");
	end_expect_trace(&end, "close MALFORMED; ");
}

/* Feeds a SESS_INIT after the contact; expects `answer` and `trace`. */
static void check_init(const char *init, const char *answer, const char *trace)
{
	end_start(&end, TCPCL_PASSIVE, TCPCL_TLS_OFF, "ipn:1.0", "ipn:2.0");
	end_feed_hex(&end, CONTACT);
	end_expect(&end, CONTACT);
	end_feed_hex(&end, init);
	end_expect(&end, answer);
	end_expect_trace(&end, trace);
}

static void the_peer_must_be_the_node_that_was_meant(void **state)
{
	check_init("07 001e " MRUS " 0007 69706e3a332e30 00000000", TERM("00", "04"), "close UNKNOWN_KEY; ");
	check_init("07 001e " MRUS " 0007 49504e3a322e30 00000000", INIT_1, "peer IPN:2.0; ");
	check_init("07 001e " MRUS " 0008 69706e3a322e3020 00000000", TERM("00", "04"),
		   "close UNKNOWN_KEY; ");
	check_init("07 001e " MRUS " 0000 00000000", TERM("00", "04"), "close OUT_OF_RANGE; ");
	end_start(&end, TCPCL_PASSIVE, TCPCL_TLS_OFF, "ipn:1.0", "ipn:2.0");
	end_feed_hex(&end, CONTACT);
	end_expect(&end, CONTACT);
	/* The length alone tells: nothing more is read. */
	end_feed_hex(&end, "07 001e " MRUS " 0081");
	end_expect(&end, TERM("00", "04"));
	end_expect_trace(&end, "close OUT_OF_RANGE; ");
}

static void the_certificate_must_name_the_same_node(void **state)
{
	end_start(&end, TCPCL_PASSIVE, TCPCL_TLS_REQUIRED, "ipn:1.0", "");
	end_feed_hex(&end, CONTACT_TLS);
	assert_int_equal(tcpcl_tls_done(&end.session, end.now_ms, bytes_of_text("ipn:3.0"), &end.output),
			 ERROR_OK);
	end_feed_hex(&end, INIT_2);
	end_expect(&end, CONTACT_TLS TERM("00", "04"));
	end_expect_trace(&end, "tls; close UNKNOWN_KEY; ");
}

static void mrus_too_small_to_work_with_are_refused(void **state)
{
	check_init("07 001e 00000000000000ff ffffffffffffffff 0007 69706e3a322e30 00000000", TERM("00", "04"),
		   "close OUT_OF_RANGE; ");
	check_init("07 001e ffffffffffffffff 00000000000003ff 0007 69706e3a322e30 00000000", TERM("00", "04"),
		   "close OUT_OF_RANGE; ");
	check_init("07 001e 0000000000000100 0000000000000400 0007 69706e3a322e30 00000000", INIT_1,
		   "peer ipn:2.0; ");
	check_init("07 001e ffffffffffffffff ffffffffffffffff 0007 69706e3a322e30 00000000", INIT_1,
		   "peer ipn:2.0; ");
}

static void session_extension_items_are_skipped_unless_critical_or_broken(void **state)
{
#define INIT_WITH(items) "07 001e " MRUS " 0007 69706e3a322e30 " items
	check_init(INIT_WITH("0000000d 00 1234 0003 aabbcc fe 8000 0000"), INIT_1, "peer ipn:2.0; ");
	check_init(INIT_WITH("00000005 01 1234 0000"), TERM("00", "04"), "close UNSUPPORTED; ");
	check_init(INIT_WITH("00000006 00 1234 0002"), TERM("00", "04"), "close MALFORMED; ");
	check_init(INIT_WITH("00000007 00 1234 0000 0000"), TERM("00", "04"), "close MALFORMED; ");
	check_init(INIT_WITH("00001001"), TERM("00", "04"), "close TOO_LARGE; ");
	check_init(INIT_WITH("ffffffff"), TERM("00", "04"), "close TOO_LARGE; ");
}

static void what_comes_before_its_time_is_rejected(void **state)
{
	static const char *const types[] = {"01", "02", "03", "04"};
	static const char *const answers[] = {
		"06 03 01" TERM("00", "00"),
		"06 03 02" TERM("00", "00"),
		"06 03 03" TERM("00", "00"),
		"06 03 04" TERM("00", "00"),
	};

	for (size_t i = 0; i < 4; i++)
		check_init(types[i], answers[i], "close MALFORMED; ");

	establish(TCPCL_PASSIVE);
	end_feed_hex(&end, "07");
	end_expect(&end, "06 03 07" TERM("00", "00"));
	end_expect_trace(&end, "close MALFORMED; ");
}

static void an_unknown_message_type_is_rejected_and_the_connection_closed(void **state)
{
	static const char *const types[] = {"00", "08", "ff"};
	static const char *const answers[] = {"06 01 00", "06 01 08", "06 01 ff"};

	for (size_t i = 0; i < 3; i++) {
		establish(TCPCL_ACTIVE);
		end_feed_hex(&end, types[i]);
		end_expect(&end, answers[i]);
		end_expect_trace(&end, "close UNSUPPORTED; ");
	}
}

static void a_rejected_message_ends_the_session(void **state)
{
	establish(TCPCL_ACTIVE);
	end_feed_hex(&end, "06 02 01");
	end_expect(&end, TERM("00", "00"));
	end_expect_trace(&end, "close UNSUPPORTED; ");
}

static void the_shell_may_turn_a_peer_away(void **state)
{
	end_start(&end, TCPCL_PASSIVE, TCPCL_TLS_OFF, "ipn:1.0", "");
	end.refuse_peer = true;
	end_feed_hex(&end, CONTACT INIT_2);
	end_expect(&end, CONTACT TERM("00", "03"));
	end_expect_trace(&end, "peer ipn:2.0; close OK; ");
	assert_true(tcpcl_is_closed(&end.session));
	assert_int_equal(tcpcl_terminate(&end.session, end.now_ms, TCPCL_TERM_BUSY, &end.output),
			 ERROR_NOT_NOW);
}

static void the_keepalive_is_the_smaller_of_both_offers(void **state)
{
	end_start(&end, TCPCL_ACTIVE, TCPCL_TLS_OFF, "ipn:1.0", "");
	end_feed_hex(&end, CONTACT "07 000a " MRUS " 0007 69706e3a322e30 00000000");
	end_expect(&end, CONTACT INIT_1);
	assert_int_equal(tcpcl_deadline(&end.session), 1000 + 10000);
	end.now_ms = 10999;
	end_tick(&end);
	end_expect(&end, "");
	end.now_ms = 11000;
	end_tick(&end);
	end_expect(&end, "04");
	assert_int_equal(tcpcl_deadline(&end.session), 21000);
	end.now_ms = 20999;
	end_feed_hex(&end, "04");
	end.now_ms = 21000;
	end_tick(&end);
	end_expect(&end, "04");
	end.now_ms = 20999 + 20000;
	end_tick(&end);
	end_expect(&end, TERM("00", "01"));
	end_expect_trace(&end, "peer ipn:2.0; close TIMED_OUT; ");
	assert_int_equal(tcpcl_deadline(&end.session), UINT64_MAX);
}

static void a_keepalive_of_zero_disables_it(void **state)
{
	end_start(&end, TCPCL_ACTIVE, TCPCL_TLS_OFF, "ipn:1.0", "");
	end_feed_hex(&end, CONTACT "07 0000 " MRUS " 0007 69706e3a322e30 00000000");
	end_expect(&end, CONTACT INIT_1);
	assert_int_equal(tcpcl_deadline(&end.session), UINT64_MAX);
	end.now_ms = 100000000;
	end_tick(&end);
	end_expect(&end, "");
	end_expect_trace(&end, "peer ipn:2.0; ");
}

static void contact_and_initialization_must_come_in_time(void **state)
{
	end_start(&end, TCPCL_PASSIVE, TCPCL_TLS_OFF, "ipn:1.0", "");
	assert_int_equal(tcpcl_deadline(&end.session), 1000 + ESTABLISH_TIMEOUT_MS);
	end.now_ms = 1000 + ESTABLISH_TIMEOUT_MS - 1;
	end_tick(&end);
	end_expect_trace(&end, "");
	end.now_ms++;
	end_tick(&end);
	end_expect(&end, "");
	end_expect_trace(&end, "close TIMED_OUT; ");

	end_start(&end, TCPCL_PASSIVE, TCPCL_TLS_OFF, "ipn:1.0", "");
	end_feed_hex(&end, CONTACT "07");
	end_expect(&end, CONTACT);
	end.now_ms += ESTABLISH_TIMEOUT_MS;
	end_tick(&end);
	end_expect(&end, TERM("00", "01"));
	end_expect_trace(&end, "close TIMED_OUT; ");

	end_start(&end, TCPCL_PASSIVE, TCPCL_TLS_REQUIRED, "ipn:1.0", "");
	end_feed_hex(&end, CONTACT_TLS);
	end_expect(&end, CONTACT_TLS);
	end.now_ms += ESTABLISH_TIMEOUT_MS;
	end_tick(&end);
	/* Mid-handshake nothing of TCPCL can be said. */
	end_expect(&end, "");
	end_expect_trace(&end, "tls; close TIMED_OUT; ");
}

static void a_termination_is_answered_with_the_same_reason(void **state)
{
	establish(TCPCL_PASSIVE);
	end_feed_hex(&end, TERM("00", "f7"));
	end_expect(&end, TERM("01", "f7"));
	end_expect_trace(&end, "ending 247; close OK; ");
	assert_false(tcpcl_is_established(&end.session));
}

static void a_termination_of_ours_waits_for_the_reply(void **state)
{
	establish(TCPCL_ACTIVE);
	assert_int_equal(tcpcl_terminate(&end.session, end.now_ms, TCPCL_TERM_UNKNOWN, &end.output),
			 ERROR_OK);
	assert_int_equal(tcpcl_terminate(&end.session, end.now_ms, TCPCL_TERM_UNKNOWN, &end.output),
			 ERROR_NOT_NOW);
	end_expect(&end, TERM("00", "00"));
	end_tick(&end);
	end_expect_trace(&end, "");
	end_feed_hex(&end, TERM("01", "00"));
	end_expect(&end, "");
	end_expect_trace(&end, "close OK; ");
}

static void terminations_that_cross_are_not_answered(void **state)
{
	establish(TCPCL_ACTIVE);
	assert_int_equal(tcpcl_terminate(&end.session, end.now_ms, TCPCL_TERM_UNKNOWN, &end.output),
			 ERROR_OK);
	end_expect(&end, TERM("00", "00"));
	end_feed_hex(&end, TERM("00", "03"));
	end_expect(&end, "");
	end_expect_trace(&end, "close OK; ");
}

static void a_peer_that_never_replies_is_left_after_a_while(void **state)
{
	establish(TCPCL_ACTIVE);
	assert_int_equal(tcpcl_terminate(&end.session, end.now_ms, TCPCL_TERM_UNKNOWN, &end.output),
			 ERROR_OK);
	end_expect(&end, TERM("00", "00"));
	assert_int_equal(tcpcl_deadline(&end.session), end.now_ms + ENDING_TIMEOUT_MS);
	end.now_ms += ENDING_TIMEOUT_MS;
	end_tick(&end);
	end_expect(&end, "");
	end_expect_trace(&end, "close TIMED_OUT; ");
}

static void a_second_termination_is_rejected(void **state)
{
	uint64_t transfer;

	establish(TCPCL_ACTIVE);
	/* An own transfer that is not settled keeps the session open. */
	assert_int_equal(tcpcl_transfer_begin(&end.session, 1, &transfer), ERROR_OK);
	end_feed_hex(&end, TERM("00", "00"));
	end_expect(&end, TERM("01", "00"));
	end_expect_trace(&end, "ending 0; ");
	end_feed_hex(&end, TERM("00", "00"));
	end_expect(&end, "06 03 05");
	end_expect_trace(&end, "close MALFORMED; ");
}

static void a_peer_may_end_it_before_it_is_established(void **state)
{
	end_start(&end, TCPCL_ACTIVE, TCPCL_TLS_OFF, "ipn:1.0", "ipn:2.0");
	end_feed_hex(&end, CONTACT TERM("00", "03"));
	end_expect(&end, CONTACT INIT_1 TERM("01", "03"));
	end_expect_trace(&end, "close CLOSED; ");
}

static void the_shell_may_end_it_before_it_is_established(void **state)
{
	end_start(&end, TCPCL_ACTIVE, TCPCL_TLS_OFF, "ipn:1.0", "ipn:2.0");
	end_feed_hex(&end, CONTACT);
	end_expect(&end, CONTACT INIT_1);
	assert_int_equal(tcpcl_terminate(&end.session, end.now_ms, TCPCL_TERM_BUSY, &end.output), ERROR_OK);
	end_tick(&end);
	end_expect(&end, TERM("00", "03"));
	end_expect_trace(&end, "close OK; ");

	end_start(&end, TCPCL_PASSIVE, TCPCL_TLS_OFF, "ipn:1.0", "ipn:2.0");
	assert_int_equal(tcpcl_terminate(&end.session, end.now_ms, TCPCL_TERM_BUSY, &end.output), ERROR_OK);
	end_tick(&end);
	/* The contact header must come before any SESS_TERM: none was sent, so neither is. */
	end_expect(&end, "");
	end_expect_trace(&end, "close OK; ");
}

static void nothing_is_read_or_said_after_the_close(void **state)
{
	establish(TCPCL_PASSIVE);
	end_feed_hex(&end, TERM("00", "00"));
	end_expect(&end, TERM("01", "00"));
	assert_int_equal(end_feed(&end, bytes_of_text("\x04\x04")), 0);
	end.now_ms += 1000000;
	end_tick(&end);
	end_expect(&end, "");
	end_expect_trace(&end, "ending 0; close OK; ");
}

static void without_room_for_an_answer_nothing_is_read(void **state)
{
	struct tcpcl_event event;
	uint8_t memory[TCPCL_OUTPUT_ROOM];
	struct buffer small = buffer_make(memory, TCPCL_OUTPUT_ROOM - 1);
	struct tcpcl_config config = {.role = TCPCL_PASSIVE, .node_id = bytes_of_text("ipn:1.0")};

	assert_int_equal(tcpcl_start(&end.session, &config, 0, &small), ERROR_FULL);
	establish(TCPCL_PASSIVE);
	assert_int_equal(tcpcl_input(&end.session, end.now_ms, bytes_of_text("\x05"), &event, &small), 0);
	assert_int_equal(tcpcl_terminate(&end.session, end.now_ms, TCPCL_TERM_BUSY, &small), ERROR_FULL);
	assert_true(tcpcl_is_established(&end.session));
	assert_int_equal(small.size, 0);
}

static void node_ids_that_cannot_be_sent_are_refused_at_the_start(void **state)
{
	static const char *const wrong[] = {
		"", "ipn", ":1.0", "ipn:", "ipn:1 .0", "ipn:1.0\x7f", "ipn:\xc3\xbc"};
	struct tcpcl_config config = {.role = TCPCL_PASSIVE};
	char longest[NODE_ID_SIZE_MAX + 2];

	end.output = buffer_make(end.output_memory, sizeof end.output_memory);
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		config.node_id = bytes_of_text(wrong[i]);
		assert_int_equal(tcpcl_start(&end.session, &config, 0, &end.output), ERROR_BAD_ARGUMENT);
	}
	memset(longest, 'x', sizeof longest);
	longest[3] = ':';
	config.node_id = bytes_make(longest, NODE_ID_SIZE_MAX + 1);
	assert_int_equal(tcpcl_start(&end.session, &config, 0, &end.output), ERROR_BAD_ARGUMENT);
	config.node_id = bytes_make(longest, NODE_ID_SIZE_MAX);
	assert_int_equal(tcpcl_start(&end.session, &config, 0, &end.output), ERROR_OK);
	config.expected_node_id = bytes_of_text("ipn");
	assert_int_equal(tcpcl_start(&end.session, &config, 0, &end.output), ERROR_BAD_ARGUMENT);
}

static void node_ids_are_compared_as_endpoint_ids_or_else_as_text(void **state)
{
	assert_true(tcpcl_node_id_equal(bytes_of_text("DTN://Post/"), bytes_of_text("dtn://Post/")));
	assert_false(tcpcl_node_id_equal(bytes_of_text("dtn://Post/"), bytes_of_text("dtn://post/")));
	assert_false(tcpcl_node_id_equal(bytes_of_text("ipn:1.0"), bytes_of_text("ipn:1.00")));
	assert_false(tcpcl_node_id_equal(bytes_of_text("ipn:1.0"), bytes_of_text("ipn:2.0")));
	assert_true(
		tcpcl_node_id_equal(bytes_of_text("ipn:977000.100.0"), bytes_of_text("ipn:977000.100.0")));
	assert_true(tcpcl_node_id_equal(bytes_of_text("ipn:0.5.0"), bytes_of_text("ipn:5.0")));
}

static void codes_have_their_names(void **state)
{
	assert_string_equal(tcpcl_refuse_name(TCPCL_REFUSE_SESSION_TERMINATING), "session terminating");
	assert_string_equal(tcpcl_refuse_name(7), "unassigned");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_active_end_speaks_first_and_the_passive_end_waits),
		cmocka_unit_test(reserved_contact_flags_are_ignored),
		cmocka_unit_test(both_can_tls_and_what_follows_the_contact_belongs_to_tls),
		cmocka_unit_test(a_peer_without_tls_is_turned_away_unless_plain_is_allowed),
		cmocka_unit_test(another_version_is_answered_by_the_passive_end_only),
		cmocka_unit_test(a_wrong_magic_is_answered_with_silence),
		cmocka_unit_test(the_peer_must_be_the_node_that_was_meant),
		cmocka_unit_test(the_certificate_must_name_the_same_node),
		cmocka_unit_test(mrus_too_small_to_work_with_are_refused),
		cmocka_unit_test(session_extension_items_are_skipped_unless_critical_or_broken),
		cmocka_unit_test(what_comes_before_its_time_is_rejected),
		cmocka_unit_test(an_unknown_message_type_is_rejected_and_the_connection_closed),
		cmocka_unit_test(a_rejected_message_ends_the_session),
		cmocka_unit_test(the_shell_may_turn_a_peer_away),
		cmocka_unit_test(the_keepalive_is_the_smaller_of_both_offers),
		cmocka_unit_test(a_keepalive_of_zero_disables_it),
		cmocka_unit_test(contact_and_initialization_must_come_in_time),
		cmocka_unit_test(a_termination_is_answered_with_the_same_reason),
		cmocka_unit_test(a_termination_of_ours_waits_for_the_reply),
		cmocka_unit_test(terminations_that_cross_are_not_answered),
		cmocka_unit_test(a_peer_that_never_replies_is_left_after_a_while),
		cmocka_unit_test(a_second_termination_is_rejected),
		cmocka_unit_test(a_peer_may_end_it_before_it_is_established),
		cmocka_unit_test(the_shell_may_end_it_before_it_is_established),
		cmocka_unit_test(nothing_is_read_or_said_after_the_close),
		cmocka_unit_test(without_room_for_an_answer_nothing_is_read),
		cmocka_unit_test(node_ids_that_cannot_be_sent_are_refused_at_the_start),
		cmocka_unit_test(node_ids_are_compared_as_endpoint_ids_or_else_as_text),
		cmocka_unit_test(codes_have_their_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
