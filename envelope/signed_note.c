#include "envelope/signed_note.h"

#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "base/text.h"

#define LINE_START      "\xe2\x80\x94 " /* em dash, space */
#define LINE_START_SIZE 4

/* Base64 of the longest signature with its key id, and the NUL that libsodium writes. */
#define BASE64_SIZE_MAX                                                                                      \
	sodium_base64_ENCODED_LEN(SIGNED_NOTE_KEY_ID_SIZE + SIGNED_NOTE_SIGNATURE_SIZE_MAX,                  \
				  sodium_base64_VARIANT_ORIGINAL)

/* The first characters of a signature hold the key id and more: 8 characters are 6 bytes. */
#define BASE64_HEAD_SIZE  8
#define BASE64_HEAD_BYTES 6

void signed_note_key_id(struct bytes name, enum signed_note_type type, const uint8_t key[ED25519_KEY_SIZE],
			uint8_t key_id[SIGNED_NOTE_KEY_ID_SIZE])
{
	const uint8_t separator[2] = {'\n', (uint8_t)type};
	crypto_hash_sha256_state state;
	uint8_t hash[crypto_hash_sha256_BYTES];

	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, name.data, name.size);
	crypto_hash_sha256_update(&state, separator, sizeof separator);
	crypto_hash_sha256_update(&state, key, ED25519_KEY_SIZE);
	crypto_hash_sha256_final(&state, hash);
	memcpy(key_id, hash, SIGNED_NOTE_KEY_ID_SIZE);
}

/* ---- names ---- */

/* True if the valid UTF-8 at `text` starts with a character that Unicode calls a space (White_Space) and that
 * is not a control below U+0020. */
static bool starts_with_space(struct bytes text)
{
	static const char *const spaces[] = {
		"\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81",
		"\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86",
		"\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8",
		"\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80",
	};

	if (text.data[0] < 0x80)
		return text.data[0] == ' ';
	for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++) {
		const struct bytes space = bytes_of_text(spaces[i]);

		if (text.size >= space.size && memcmp(text.data, space.data, space.size) == 0)
			return true;
	}
	return false;
}

bool signed_note_name_is_valid(struct bytes name)
{
	if (name.size == 0 || !text_is_utf8(name))
		return false;
	for (size_t i = 0; i < name.size; i++)
		if (name.data[i] < 0x20 || name.data[i] == '+' ||
		    starts_with_space(bytes_make(name.data + i, name.size - i)))
			return false;
	return true;
}

/* ---- base64 ---- */

static int base64_value(uint8_t character)
{
	if (character >= 'A' && character <= 'Z')
		return character - 'A';
	if (character >= 'a' && character <= 'z')
		return character - 'a' + 26;
	if (character >= '0' && character <= '9')
		return character - '0' + 52;
	if (character == '+')
		return 62;
	return character == '/' ? 63 : -1;
}

/*
 * True if this is the one base64 text of some bytes, however many: signatures of unknown keys have any size.
 */
static bool base64_is_strict(struct bytes text)
{
	size_t padding = 0;
	int last = 0;

	if (text.size == 0 || text.size % 4 != 0)
		return false;
	while (padding < 2 && text.data[text.size - 1 - padding] == '=')
		padding++;
	for (size_t i = 0; i < text.size - padding; i++) {
		last = base64_value(text.data[i]);
		if (last < 0)
			return false;
	}
	/* The bits that the last character has beyond the last byte: 2 for one "=", 4 for two. */
	return (last & ((1 << 2 * padding) - 1)) == 0;
}

/* Decodes strict base64 that is known to fit. */
static size_t base64_decode(struct bytes text, uint8_t *to, size_t size_max)
{
	size_t size;
	int failed = sodium_base642bin(to, size_max, (const char *)text.data, text.size, NULL, &size, NULL,
				       sodium_base64_VARIANT_ORIGINAL);

	assert(failed == 0);
	return size;
}

/* ---- reading ---- */

static bool is_note_text(struct bytes bytes)
{
	for (size_t i = 0; i < bytes.size; i++)
		if (bytes.data[i] < 0x20 && bytes.data[i] != '\n')
			return false;
	return text_is_utf8(bytes);
}

/* Takes one line apart, without its LF. */
static bool parse_line(struct bytes bytes, struct signed_note_line *line)
{
	uint8_t head[BASE64_HEAD_BYTES];
	const uint8_t *space;

	if (bytes.size < LINE_START_SIZE || memcmp(bytes.data, LINE_START, LINE_START_SIZE) != 0)
		return false;
	bytes = bytes_make(bytes.data + LINE_START_SIZE, bytes.size - LINE_START_SIZE);
	space = memchr(bytes.data, ' ', bytes.size);
	if (space == NULL)
		return false;
	line->name = bytes_make(bytes.data, (size_t)(space - bytes.data));
	line->base64 = bytes_make(space + 1, bytes.size - line->name.size - 1);
	if (!signed_note_name_is_valid(line->name) || line->base64.size < BASE64_HEAD_SIZE ||
	    !base64_is_strict(line->base64))
		return false;
	/* A key id alone is no signature. */
	if (base64_decode(bytes_make(line->base64.data, BASE64_HEAD_SIZE), head, sizeof head) <=
	    SIGNED_NOTE_KEY_ID_SIZE)
		return false;
	memcpy(line->key_id, head, SIGNED_NOTE_KEY_ID_SIZE);
	return true;
}

/*
 * Takes the next line off *lines, all of which end in LF; *well_formed says whether it is a signature line.
 */
static bool take_line(struct bytes *lines, struct signed_note_line *line, bool *well_formed)
{
	const uint8_t *end;
	size_t size;

	*well_formed = false;
	if (lines->size == 0)
		return false;
	end = memchr(lines->data, '\n', lines->size);
	assert(end != NULL);
	size = (size_t)(end - lines->data);
	*well_formed = parse_line(bytes_make(lines->data, size), line);
	*lines = bytes_make(end + 1, lines->size - size - 1);
	return true;
}

bool signed_note_next(struct bytes *lines, struct signed_note_line *line)
{
	bool well_formed;
	const bool taken = take_line(lines, line, &well_formed);

	assert(taken == well_formed); /* the note was parsed */
	return taken;
}

/* The end of the text: where the last empty line begins; 0 if there is none. */
static size_t find_text_end(struct bytes bytes)
{
	for (size_t i = bytes.size; i-- > 1;)
		if (bytes.data[i] == '\n' && bytes.data[i - 1] == '\n')
			return i;
	return 0;
}

enum error signed_note_parse(struct bytes bytes, struct signed_note *note)
{
	struct signed_note_line line;
	struct signed_note found;
	struct bytes lines;
	size_t text_end;
	bool well_formed;

	*note = (struct signed_note){.count = 0};
	if (bytes.size > SIGNED_NOTE_SIZE_MAX)
		return ERROR_TOO_LARGE;
	if (!is_note_text(bytes))
		return ERROR_NOT_TEXT;
	if (bytes.size == 0 || bytes.data[bytes.size - 1] != '\n')
		return ERROR_MALFORMED;
	text_end = find_text_end(bytes);
	if (text_end == 0)
		return ERROR_MALFORMED;

	found.text = bytes_make(bytes.data, text_end);
	found.lines = bytes_make(bytes.data + text_end + 1, bytes.size - text_end - 1);
	found.count = 0;
	lines = found.lines;
	while (take_line(&lines, &line, &well_formed)) {
		if (!well_formed)
			return ERROR_MALFORMED;
		if (++found.count > SIGNED_NOTE_LINES_MAX)
			return ERROR_TOO_LARGE;
	}
	if (found.count == 0)
		return ERROR_MALFORMED;
	*note = found;
	return ERROR_OK;
}

bool signed_note_names_differ(const struct signed_note *note)
{
	struct bytes names[SIGNED_NOTE_LINES_MAX], lines = note->lines;
	struct signed_note_line line;
	size_t count = 0;

	while (signed_note_next(&lines, &line)) {
		for (size_t i = 0; i < count; i++)
			if (bytes_equal(names[i], line.name))
				return false;
		names[count++] = line.name;
	}
	return true;
}

enum error signed_note_find(const struct signed_note *note, struct bytes name,
			    const uint8_t key_id[SIGNED_NOTE_KEY_ID_SIZE], uint8_t *signature, size_t size)
{
	/* Base64 of as many characters may hold up to two bytes more than are looked for. */
	uint8_t decoded[SIGNED_NOTE_KEY_ID_SIZE + SIGNED_NOTE_SIGNATURE_SIZE_MAX + 2];
	const size_t size_whole = SIGNED_NOTE_KEY_ID_SIZE + size;
	const size_t size_base64 = (size_whole + 2) / 3 * 4;
	struct bytes lines = note->lines;
	struct signed_note_line line;
	size_t found = 0, size_decoded = 0;

	assert(size <= SIGNED_NOTE_SIGNATURE_SIZE_MAX);
	memset(signature, 0, size);
	while (signed_note_next(&lines, &line)) {
		if (!bytes_equal(line.name, name) ||
		    memcmp(line.key_id, key_id, SIGNED_NOTE_KEY_ID_SIZE) != 0)
			continue;
		found++;
		if (line.base64.size == size_base64)
			size_decoded = base64_decode(line.base64, decoded, sizeof decoded);
	}
	if (found == 0)
		return ERROR_NOT_FOUND;
	if (found > 1 || size_decoded != size_whole)
		return ERROR_MALFORMED;
	memcpy(signature, decoded + SIGNED_NOTE_KEY_ID_SIZE, size);
	return ERROR_OK;
}

/* ---- writing ---- */

void signed_note_write_text(struct buffer *buffer, struct bytes text)
{
	assert(text.size > 0 && text.data[text.size - 1] == '\n');
	buffer_append(buffer, text);
	buffer_append_byte(buffer, '\n');
}

void signed_note_write_line(struct buffer *buffer, struct bytes name,
			    const uint8_t key_id[SIGNED_NOTE_KEY_ID_SIZE], struct bytes signature)
{
	uint8_t whole[SIGNED_NOTE_KEY_ID_SIZE + SIGNED_NOTE_SIGNATURE_SIZE_MAX];
	char base64[BASE64_SIZE_MAX];

	assert(signature.size > 0 && signature.size <= SIGNED_NOTE_SIGNATURE_SIZE_MAX);
	memcpy(whole, key_id, SIGNED_NOTE_KEY_ID_SIZE);
	memcpy(whole + SIGNED_NOTE_KEY_ID_SIZE, signature.data, signature.size);
	sodium_bin2base64(base64, sizeof base64, whole, SIGNED_NOTE_KEY_ID_SIZE + signature.size,
			  sodium_base64_VARIANT_ORIGINAL);

	buffer_append(buffer, bytes_of_text(LINE_START));
	buffer_append(buffer, name);
	buffer_append_byte(buffer, ' ');
	buffer_append(buffer, bytes_of_text(base64));
	buffer_append_byte(buffer, '\n');
}
