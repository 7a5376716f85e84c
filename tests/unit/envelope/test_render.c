#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "envelope/render.h"
#include "tests/unit/envelope/content_examples.h"

#define COLUMNS 76

static struct examples examples;
static struct content content;
static struct content room;
static uint8_t payload_memory[CONTENT_SIZE_MAX];
static char output[RENDER_SIZE_MAX + 1];
static struct bytes parties[2];
static struct render_names names;
static struct render_officer officers[1], other_officers[1];
static struct render_post posts[1];
static struct render_identity identities[1];
static struct ed25519_pair other_pair;

static int make_examples(void **state)
{
	examples_make(&examples);
	example_pair(KEY_ALLIANCE_OFFICER, &other_pair);
	return 0;
}

static int make_names(void **state)
{
	parties[examples.alliance] = bytes_of_text("Alliance");
	parties[examples.federation] = bytes_of_text("Federation");
	officers[0] = (struct render_officer){.number = 1, .name = bytes_of_text("A. Petrov")};
	other_officers[0] = (struct render_officer){1, bytes_of_text("B. Smith"),
						    bytes_of_text("Duty officer"), other_pair.key};
	posts[0] = (struct render_post){0, bytes_of_text("Headquarters")};
	memset(identities[0].identity, 0x42, IDENTITY_SIZE);
	identities[0].reference = bytes_of_text("HEADQUARTERS 0007/26");
	names = (struct render_names){
		.channel_title = bytes_of_text("The emergency line"),
		.from_post = bytes_of_text("Embassy"),
		.roster = &examples.roster,
		.parties = parties,
		.sender_index = examples.federation,
		.officers_count = 1,
		.officers = officers,
		.other_officers_count = 1,
		.other_officers = other_officers,
		.posts_count = 1,
		.posts = posts,
		.identities_count = 1,
		.identities = identities,
	};
	return 0;
}

static const char *render(struct bytes payload)
{
	struct buffer buffer = buffer_make(output, RENDER_SIZE_MAX);

	assert_int_equal(render_payload(payload, &names, &room, &buffer), ERROR_OK);
	output[buffer.size] = '\0';
	return output;
}

static const char *render_example(const char *name)
{
	return render(examples_get(&examples, name));
}

static const char *render_content(void)
{
	struct buffer buffer = buffer_make(payload_memory, sizeof(payload_memory));

	content_encode(&content, &buffer);
	assert_int_equal(buffer_error(&buffer), ERROR_OK);
	return render(buffer_bytes(&buffer));
}

static void load(const char *name)
{
	assert_int_equal(content_decode(examples_get(&examples, name), &content), ERROR_OK);
}

/* ---- what it looks like ---- */

static void a_message_has_heading_numbered_lines_and_reference(void **state)
{
	names.reference = bytes_of_text("EMBASSY 0001/26");
	assert_string_equal(render_example("message content"),
			    "PRECEDENCE: FLASH\n"
			    "CHANNEL: The emergency line\n"
			    "FROM: Federation\n"
			    "POST: Embassy\n"
			    "SIGNER: OFFICER 1, A. Petrov\n"
			    "TO: Alliance\n"
			    "SUBJECT: Exercise\n"
			    "DTG: 220405Z NOV 26\n"
			    "ACK BY: 220435Z NOV 26\n"
			    "\n"
			    " 1. Exercise ends at 0600Z.\n"
			    " 2. Please confirm that your side has been told.\n"
			    "EMBASSY 0001/26\n");
}

static void a_draft_says_so_and_names_what_it_refers_to(void **state)
{
	assert_string_equal(render_example("message content of two"),
			    "PRECEDENCE: ROUTINE\n"
			    "CHANNEL: The emergency line\n"
			    "FROM: Federation\n"
			    "POST: Embassy\n"
			    "SIGNER: OFFICER 1, A. Petrov\n"
			    "SIGNER: OFFICER 2\n"
			    "TO: Alliance\n"
			    "DTG: 220406Z NOV 26\n"
			    "REFERENCES: 3dee4c9b915829260a80ba43514bd94f96234964b5584593d23976b3310a36b7\n"
			    "REFERENCES: HEADQUARTERS 0007/26\n"
			    "ANSWERS: HEADQUARTERS 0007/26\n"
			    "\n"
			    " 1. Both of us.\n"
			    "DRAFT\n");
}

static void without_names_numbers_and_digits_stand_alone(void **state)
{
	names = (struct render_names){.roster = &examples.roster, .sender_index = examples.federation};
	assert_string_equal(render_example("acknowledgment content"),
			    "PRECEDENCE: ROUTINE\n"
			    "KIND: ACKNOWLEDGMENT\n"
			    "FROM: 6a3803d5f059902a1c6dafbc9ba4729212f7caac08634cc3ae76b27529f03827\n"
			    "SIGNER: OFFICER 1\n"
			    "TO: 34750f98bd59fcfc946da45aaabe933be154a4b5094e1c4abf42866505f3c97e\n"
			    "DTG: 220407Z NOV 26\n"
			    "\n"
			    " 1. I have read the entry \n"
			    "    3dee4c9b915829260a80ba43514bd94f96234964b5584593d23976b3310a36b7\n"
			    " 2. Note: Not yet by the principal\n"
			    "DRAFT\n");
}

static void what_the_post_signs_is_said_in_sentences(void **state)
{
	assert_non_null(strstr(render_example("verdict content"),
			       "SIGNER: THE POST\n"
			       "TO: Alliance\n"
			       "DTG: 220405Z NOV 26\n"
			       "\n"
			       " 1. Accepted: numbers 1 to 3 of incarnation 1 of log 0; its post: \n"
			       "    Headquarters\n"
			       " 2. Refused: numbers 4 to 4 of incarnation 1 of log 0, for reason 71: the \n"
			       "    letter does not follow the last letter of its signer; its post: \n"
			       "    Headquarters\n"
			       " 3. Accepted: numbers 1 to 1 of incarnation 2 of log 64\n"
			       "DRAFT\n"));
	assert_non_null(strstr(render_example("incarnation content"),
			       " 2. It begins a new incarnation of its log, after incarnation 1.\n"
			       " 3. The last head that it holds has this many entries: 40\n"
			       " 4. The root of that head: \n"
			       "    4343434343434343434343434343434343434343434343434343434343434343\n"));
}

static void a_reason_that_is_not_known_keeps_its_number(void **state)
{
	load("verdict content");
	content.of.verdict.ranges[1].reason = 4711;
	assert_non_null(strstr(render_content(), "for reason 4711: "));
}

/* ---- letters ---- */

static void card_letters_name_party_and_keys(void **state)
{
	names = (struct render_names){.from_party = bytes_of_text("Federation")};
	assert_string_equal(render_example("founding content"),
			    "PRECEDENCE: ROUTINE\n"
			    "KIND: LETTER\n"
			    "FROM: Federation\n"
			    "SIGNER: THE AUTHORITY\n"
			    "TO: EVERYBODY WHO HOLDS THIS CARD\n"
			    "LETTER: FOUNDING\n"
			    "NUMBER: 0 of its signer's letters here, counted from 0\n"
			    "DTG: 210405Z NOV 26\n"
			    "\n"
			    " 1. The party is named: Federation\n"
			    " 2. Its authority signs with the key: \n"
			    "    8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394\n"
			    " 3. So its party id is: \n"
			    "    6a3803d5f059902a1c6dafbc9ba4729212f7caac08634cc3ae76b27529f03827\n"
			    " 4. The SHA-256 of its next authority key will be: \n"
			    "    c5b940ed3f65c391965de8295fc5d25f474fa57b48d36eb10ad363b8539c1b79\n"
			    "DRAFT\n");
	assert_non_null(strstr(render_example("post content"),
			       " 1. The post in slot 0 (embassy) is named: Embassy\n"
			       " 2. It signs statements with the key: \n"
			       "    8a875fff1eb38451577acd5afee405456568dd7c89e090863a0557bc7af49f17\n"
			       " 3. Its courier is the node: dtn://embassy.federation/\n"
			       " 4. The SHA-256 of its courier's TLS key is: \n"
			       "    4141414141414141414141414141414141414141414141414141414141414141\n"
			       "DRAFT\n"));
}

static void an_opening_shows_all_that_is_agreed_to(void **state)
{
	assert_string_equal(render_example("opening content"),
			    "PRECEDENCE: ROUTINE\n"
			    "KIND: LETTER\n"
			    "CHANNEL: The emergency line\n"
			    "FROM: 6a3803d5f059902a1c6dafbc9ba4729212f7caac08634cc3ae76b27529f03827 \n"
			    "    Federation\n"
			    "POST: Embassy\n"
			    "SIGNER: THE AUTHORITY\n"
			    "TO: 34750f98bd59fcfc946da45aaabe933be154a4b5094e1c4abf42866505f3c97e \n"
			    "    Alliance\n"
			    "LETTER: OPENING\n"
			    "NUMBER: 0 of its signer's letters here, counted from 0\n"
			    "DTG: 210405Z NOV 26\n"
			    "\n"
			    " 1. We open the channel whose id is: \n"
			    "    616dfa8b6c99a8403b3b9d94fb8cd2c0322fc13c89b03534205ad3246e82789f\n"
			    " 2. Party 0 on it is: \n"
			    "    34750f98bd59fcfc946da45aaabe933be154a4b5094e1c4abf42866505f3c97e \n"
			    "    Alliance\n"
			    " 3. Party 1 on it is: \n"
			    "    6a3803d5f059902a1c6dafbc9ba4729212f7caac08634cc3ae76b27529f03827 \n"
			    "    Federation\n"
			    " 4. The title of the channel is: The emergency line\n"
			    " 5. Suite of algorithms: 1\n"
			    " 6. A text has at most 65536 bytes.\n"
			    " 7. At IMMEDIATE and FLASH it has at most 200 words.\n"
			    " 8. Heads are exchanged every 1 min.\n"
			    " 9. A copy may be under way for 14 d.\n"
			    "10. ROUTINE is overdue without a receipt after 6 h.\n"
			    "11. PRIORITY is overdue without a receipt after 3 h.\n"
			    "12. IMMEDIATE is overdue without a receipt after 30 min.\n"
			    "13. FLASH is overdue without a receipt after 10 min.\n"
			    "14. The nonce that makes the channel unique is: \n"
			    "    21212121212121212121212121212121\n"
			    "15. Letter 0 of our card, which we send with this, says:\n"
			    "16. The party is named: Federation\n"
			    "17. Its authority signs with the key: \n"
			    "    8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394\n"
			    "18. So its party id is: \n"
			    "    6a3803d5f059902a1c6dafbc9ba4729212f7caac08634cc3ae76b27529f03827\n"
			    "19. The SHA-256 of its next authority key will be: \n"
			    "    c5b940ed3f65c391965de8295fc5d25f474fa57b48d36eb10ad363b8539c1b79\n"
			    "20. Letter 1 of our card, which we send with this, says:\n"
			    "21. The post in slot 0 (embassy) is named: Embassy\n"
			    "22. It signs statements with the key: \n"
			    "    8a875fff1eb38451577acd5afee405456568dd7c89e090863a0557bc7af49f17\n"
			    "23. Its courier is the node: dtn://embassy.federation/\n"
			    "24. The SHA-256 of its courier's TLS key is: \n"
			    "    4141414141414141414141414141414141414141414141414141414141414141\n"
			    "25. Our post in slot 0 signs the heads of its log with the key: \n"
			    "    1398f62c6d1a457c51ba6a4b5f3dbd2f69fca93216218dc8997e416bd17d93ca\n"
			    "26. It cosigns the heads of others with the key: \n"
			    "    43a72e714401762df66b68c26dfbdf2682aaec9f2474eca4613e424a0fbafd3c\n"
			    "DRAFT\n");
}

static void an_opening_that_cannot_be_read_says_so(void **state)
{
	struct opening_letter *opening = &content.of.letter.of.opening;

	load("opening content");
	opening->terms = bytes_of_text("x");
	opening->card[0] = bytes_of_text("y");
	opening->card[1] = examples_get(&examples, "message, signed");
	assert_non_null(strstr(render_content(), "\n 4. ITS TERMS CANNOT BE READ: do not sign.\n"));
	assert_non_null(strstr(output, " 0 of our card, which we send with this, says:\n"
				       " 7. THIS LETTER CANNOT BE READ: do not sign.\n"));
	assert_non_null(strstr(output, " 1 of our card, which we send with this, says:\n"
				       " 9. THIS LETTER CANNOT BE READ: do not sign.\n"));
}

static void credence_and_agrement_name_officers_and_their_keys(void **state)
{
	assert_non_null(strstr(render_example("credence content"),
			       " 1. We name as our officer 1: A. Petrov\n"
			       " 2. Title: Watch officer\n"
			       " 3. The officer signs with the key: \n"
			       "    0b513ad9b4924015ca0902ed079044d3ac5dbec2306f06948c10da8eb6e39f2d\n"
			       " 4. The officer may use precedences up to FLASH.\n"
			       "DRAFT\n"));
	assert_non_null(strstr(render_example("agrement content"),
			       "FOLLOWS: 5ac198018c08cb391b9816ce8b36ef8bc0267c1fb20307305e4c627f7588c0e1\n"
			       "REVIEW: 220405Z NOV 27\n"
			       "\n"
			       " 1. We accept officers of the party: \n"
			       "    34750f98bd59fcfc946da45aaabe933be154a4b5094e1c4abf42866505f3c97e \n"
			       "    Alliance\n"
			       " 2. We accept their officer 1 with the key \n"
			       "    66be7e332c7a453332bd9d0a7f7db055f5c5ef1a06ada66d98b39fb6810c473a: B. \n"
			       "    Smith, Duty officer\n"
			       " 3. We accept their officer 300, of whom nothing is known here.\n"
			       "REASON:\n"
			       "    | As agreed on 20 November.\n"
			       "DRAFT\n"));
}

static void what_nobody_has_named_is_said_to_be_unknown(void **state)
{
	load("agrement content");
	content.of.letter.of.agrement.party = 5;
	assert_non_null(strstr(render_content(), " the party: party 5, who is not on this channel\n"));
	names = (struct render_names){.roster = NULL};
	assert_non_null(strstr(render_example("post content"), "\nFROM: the party that signs\n"));
	assert_non_null(strstr(render_example("verdict content"), " of log 0\n"));
	/* An opening that the caller has no roster for yet. */
	assert_non_null(strstr(render_example("opening content"),
			       " 3. Party 1 on it is: \n"
			       "    6a3803d5f059902a1c6dafbc9ba4729212f7caac08634cc3ae76b27529f03827\n"));
}

static void every_field_of_a_letter_is_shown(void **state)
{
	struct letter *letter = &content.of.letter;
	const char *text;

	load("credence content");
	content.signers[0] = 9;
	letter->has_entitled_by = true;
	memset(letter->entitled_by, 0x42, IDENTITY_SIZE);
	letter->has_answers = true;
	memset(letter->answers, 0x51, IDENTITY_SIZE);
	letter->condition = bytes_of_text("Until we meet.");
	letter->of.credence.highest_precedence = PRECEDENCE_PRIORITY;
	text = render_content();
	assert_non_null(strstr(text, "\nSIGNER: OFFICER 9\n"));
	assert_non_null(strstr(text, "\nENTITLED BY: \n"
	"    4242424242424242424242424242424242424242424242424242424242424242 \n"
	"    HEADQUARTERS 0007/26\n"));
	assert_non_null(
		strstr(text, "\nANSWERS: "
			     "5151515151515151515151515151515151515151515151515151515151515151\n"));
	assert_non_null(strstr(text, "\nCONDITION:\n    | Until we meet.\n"));
	assert_non_null(strstr(text, "\n 4. The officer may use precedences up to PRIORITY.\n"));
}

/* ---- spoofing ---- */

static const char *render_text(const char *text)
{
	load("message content");
	content.of.message.text = bytes_of_text(text);
	return render_content();
}

static void what_moves_the_cursor_is_shown_as_its_code(void **state)
{
	assert_non_null(strstr(render_text("a\rFROM: Alliance"), " 1. a<U+000D>FROM: Alliance\n"));
	assert_non_null(strstr(render_text("a\x1b[2Jb"), " 1. a<U+001B>[2Jb\n"));
	assert_non_null(strstr(render_text("a\xe2\x80\xae"
					   "b"),
			       " 1. a<U+202E>b\n"));
	assert_non_null(strstr(render_text("a\xe2\x80\xa8"
					   "b"),
			       " 1. a<U+2028>b\n"));
	assert_non_null(strstr(render_text("a\tb"), " 1. a        b\n"));
}

static void a_text_cannot_pretend_to_be_a_heading(void **state)
{
	const char *text = render_text("Quiet.\nFROM: Alliance\nDRAFT\n");

	assert_non_null(strstr(text, " 2. FROM: Alliance\n 3. DRAFT\n 4. \nDRAFT\n"));
	assert_null(strstr(text, "\nFROM: Alliance"));
}

static void a_line_is_broken_by_us_and_not_by_the_terminal(void **state)
{
	char text[3 * COLUMNS];
	const char *rendered;

	/* Spaces up to where a terminal of 80 columns would go on at its first column. */
	memset(text, ' ', sizeof(text));
	memcpy(text, "Quiet.", 6);
	memcpy(text + COLUMNS - 4, "FROM: Alliance", 15);
	rendered = render_text(text);
	assert_null(strstr(rendered, "\nFROM: Alliance"));
	assert_non_null(strstr(rendered, "\n    FROM: Alliance\n"));
}

static void names_of_others_stay_on_their_line(void **state)
{
	const char *text;

	parties[examples.alliance] = bytes_of_text("Alliance\nTO: Council");
	names.from_post = bytes_of_text("Embassy\tSIGNER: THE AUTHORITY");
	officers[0].name = bytes_of_text("A. Petrov\xe2\x80\xae");
	names.channel_title = bytes_of_text("line\x1b[A");
	identities[0].reference = bytes_of_text("HQ\n 1. We surrender.");
	load("message content of two");
	content.of.message.subject = bytes_of_text("Subject\nDTG: 010000Z JAN 70");
	text = render_content();
	assert_non_null(strstr(text, "\nTO: Alliance<U+000A>TO: Council\n"));
	assert_non_null(strstr(text, "\nPOST: Embassy<U+0009>SIGNER: THE AUTHORITY\n"));
	assert_non_null(strstr(text, "\nSIGNER: OFFICER 1, A. Petrov<U+202E>\n"));
	assert_non_null(strstr(text, "\nCHANNEL: line<U+001B>[A\n"));
	assert_non_null(strstr(text, "\nANSWERS: HQ<U+000A> 1. We surrender.\n"));
	assert_non_null(strstr(text, "\nSUBJECT: Subject<U+000A>DTG: 010000Z JAN 70\n"));
}

static void a_reason_cannot_pretend_to_be_a_decision(void **state)
{
	load("agrement content");
	content.of.letter.reason = bytes_of_text("None.\n 4. We accept their officer 5.\nCONDITION:\n");
	assert_non_null(strstr(render_content(), "REASON:\n"
						 "    | None.\n"
						 "    |  4. We accept their officer 5.\n"
						 "    | CONDITION:\n"
						 "    | \n"
						 "DRAFT\n"));
}

/* Takes the text back out of a rendering whose heading ends with an empty line; its size. */
static size_t unrender(const char *rendered, char *text)
{
	const char *at = strstr(rendered, "\n\n") + 2;
	size_t size = 0, number = 1;
	char prefix[32];

	while (strcmp(at, "DRAFT\n") != 0) {
		const char *end = strchr(at, '\n');
		size_t prefix_size = (size_t)snprintf(prefix, sizeof(prefix), "%2zu. ", number);

		if (strncmp(at, prefix, prefix_size) == 0) {
			if (number++ > 1)
				text[size++] = '\n';
			at += prefix_size;
		} else {
			assert_memory_equal(at, "    ", 4);
			at += 4;
		}
		memcpy(text + size, at, (size_t)(end - at));
		size += (size_t)(end - at);
		at = end + 1;
	}
	return size;
}

/* Characters of a line, counting those from U+1000 on twice. */
static size_t columns_of(const char *line, size_t size)
{
	size_t columns = 0;

	for (size_t i = 0; i < size; i++) {
		uint8_t byte = (uint8_t)line[i];

		if ((byte & 0xc0) != 0x80)
			columns += byte >= 0xe1 ? 2 : 1;
	}
	return columns;
}

static void check_widths(const char *rendered)
{
	for (const char *at = rendered; *at != '\0';) {
		const char *end = strchr(at, '\n');

		assert_non_null(end);
		assert_true(columns_of(at, (size_t)(end - at)) <= COLUMNS);
		at = end + 1;
	}
}

static void the_text_can_be_read_back_exactly(void **state)
{
	static const char *const pieces[] = {"a",
					     "bc",
					     " ",
					     "  ",
					     "\n",
					     "FROM: x",
					     "1. ",
					     "ж",
					     "語",
					     "é",
					     "supercalifragilisticexpialidocious"};
	static char text[4096], again[4096];
	uint32_t random = 1;

	for (int round = 0; round < 500; round++) {
		size_t size = 0;

		for (int i = 0; i < 1 + round % 150; i++) {
			const char *piece;

			random = random * 1664525 + 1013904223;
			piece = pieces[(random >> 16) % (sizeof(pieces) / sizeof(pieces[0]))];
			memcpy(text + size, piece, strlen(piece));
			size += strlen(piece);
		}
		load("message content");
		content.of.message.text = bytes_make(text, size);
		check_widths(render_content());
		assert_int_equal(unrender(output, again), size);
		assert_memory_equal(again, text, size);
	}
}

static void no_line_is_too_wide_whatever_the_bytes(void **state)
{
	static char text[2048];
	uint32_t random = 7;

	for (int round = 0; round < 200; round++) {
		for (size_t i = 0; i < sizeof(text); i++) {
			random = random * 1664525 + 1013904223;
			text[i] = (char)(random >> 24);
		}
		/* Whatever the sender made of it, it is one line to us: a name from the caller's store. */
		names.from_post = bytes_make(text, sizeof(text));
		render_example("message content");
		check_widths(output);
		assert_true(text_is_plain(bytes_of_text(output)));
	}
}

static void the_largest_and_worst_text_fits(void **state)
{
	static char text[TEXT_SIZE_MAX];

	load("message content");
	memset(text, '\n', sizeof(text));
	content.of.message.text = bytes_make(text, sizeof(text));
	render_content();
	memset(text, 0x01, sizeof(text));
	render_content();
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 2 == 0 ? 0x01 : '\n';
	render_content();
}

/* ---- errors ---- */

static void what_cannot_be_read_is_not_shown(void **state)
{
	struct bytes payload = examples_get(&examples, "message content");
	struct buffer buffer = buffer_make(output, RENDER_SIZE_MAX);

	payload.size--;
	assert_int_equal(render_payload(payload, &names, &room, &buffer), ERROR_TRUNCATED);
	assert_int_equal(buffer.size, 0);
	/* [9, 1, 7, registry, id, null]: a kind of a later version */
	payload = bytes_make("\x86\x09\x01\x07\x48zzzzzzzz\x50iiiiiiiiiiiiiiii\xf6", 31);
	assert_int_equal(render_payload(payload, &names, &room, &buffer), ERROR_REFUSED_KIND);
	assert_int_equal(buffer.size, 0);
}

static void a_buffer_that_is_too_small_is_an_error(void **state)
{
	struct buffer buffer = buffer_make(output, 100);

	assert_int_equal(render_payload(examples_get(&examples, "message content"), &names, &room, &buffer),
			 ERROR_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_message_has_heading_numbered_lines_and_reference, make_names),
		cmocka_unit_test_setup(a_draft_says_so_and_names_what_it_refers_to, make_names),
		cmocka_unit_test_setup(without_names_numbers_and_digits_stand_alone, make_names),
		cmocka_unit_test_setup(what_the_post_signs_is_said_in_sentences, make_names),
		cmocka_unit_test_setup(a_reason_that_is_not_known_keeps_its_number, make_names),
		cmocka_unit_test_setup(card_letters_name_party_and_keys, make_names),
		cmocka_unit_test_setup(an_opening_shows_all_that_is_agreed_to, make_names),
		cmocka_unit_test_setup(an_opening_that_cannot_be_read_says_so, make_names),
		cmocka_unit_test_setup(credence_and_agrement_name_officers_and_their_keys, make_names),
		cmocka_unit_test_setup(what_nobody_has_named_is_said_to_be_unknown, make_names),
		cmocka_unit_test_setup(every_field_of_a_letter_is_shown, make_names),
		cmocka_unit_test_setup(what_moves_the_cursor_is_shown_as_its_code, make_names),
		cmocka_unit_test_setup(a_text_cannot_pretend_to_be_a_heading, make_names),
		cmocka_unit_test_setup(a_line_is_broken_by_us_and_not_by_the_terminal, make_names),
		cmocka_unit_test_setup(names_of_others_stay_on_their_line, make_names),
		cmocka_unit_test_setup(a_reason_cannot_pretend_to_be_a_decision, make_names),
		cmocka_unit_test_setup(the_text_can_be_read_back_exactly, make_names),
		cmocka_unit_test_setup(no_line_is_too_wide_whatever_the_bytes, make_names),
		cmocka_unit_test_setup(the_largest_and_worst_text_fits, make_names),
		cmocka_unit_test_setup(what_cannot_be_read_is_not_shown, make_names),
		cmocka_unit_test_setup(a_buffer_that_is_too_small_is_an_error, make_names),
	};

	return cmocka_run_group_tests(tests, make_examples, NULL);
}
