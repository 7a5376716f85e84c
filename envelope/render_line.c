#include "envelope/render_line.h"

#include <assert.h>

#include "base/text.h"

#define MARGIN_HEADING "    "
#define MARGIN_QUOTED  "    | "
#define WIDE_LEAD_BYTE 0xe1 /* of U+1000; from U+1100 on there are characters that take two columns */

struct render_line render_line_make(struct buffer *buffer)
{
	return (struct render_line){.buffer = buffer, .margin = MARGIN_HEADING, .number = 1};
}

static void append(struct render_line *line, const char *text)
{
	struct bytes bytes = bytes_of_text(text);

	buffer_append(line->buffer, bytes);
	line->column += bytes.size;
}

void render_end(struct render_line *line)
{
	buffer_append_byte(line->buffer, '\n');
	line->column = 0;
	line->in_word = false;
}

/* Ends the line and starts the next at the margin. */
static void wrap(struct render_line *line)
{
	render_end(line);
	append(line, line->margin);
}

/* One character of `text` as it will be shown, in `shown`; the bytes that it takes. At least one. */
#define SHOWN_SIZE_MAX 16
static size_t show_character(struct bytes text, struct buffer *shown, size_t *columns)
{
	uint8_t first = text.data[0];
	size_t size = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	struct bytes character;

	if (size > text.size || !text_is_utf8(bytes_make(text.data, size)))
		size = 1;
	character = bytes_make(text.data, size);
	shown->size = 0;
	if (first == '\n' || first == '\t') {
		buffer_append(shown, bytes_of_text(first == '\n' ? "<U+000A>" : "<U+0009>"));
		*columns = shown->size;
		return size;
	}
	text_append_visible(shown, character);
	if (!bytes_equal(buffer_bytes(shown), character))
		*columns = shown->size; /* spelled out in ASCII */
	else
		*columns = first >= WIDE_LEAD_BYTE ? 2 : 1;
	return size;
}

/* The columns of the word that `text` starts with, counted up to RENDER_COLUMNS. */
static size_t word_columns(struct bytes text)
{
	uint8_t memory[SHOWN_SIZE_MAX];
	struct buffer shown = buffer_make(memory, sizeof(memory));
	size_t columns = 0;

	while (text.size > 0 && text.data[0] != ' ' && columns < RENDER_COLUMNS) {
		size_t width;
		size_t size = show_character(text, &shown, &width);

		columns += width;
		text = bytes_make(text.data + size, text.size - size);
	}
	return columns;
}

static size_t margin_columns(const struct render_line *line)
{
	return bytes_of_text(line->margin).size;
}

void render_foreign(struct render_line *line, struct bytes text)
{
	uint8_t memory[SHOWN_SIZE_MAX];
	struct buffer shown = buffer_make(memory, sizeof(memory));

	while (text.size > 0) {
		bool is_space = text.data[0] == ' ';
		size_t columns, size, word;

		/* A word goes to the next line whole if it fits there. */
		if (!is_space && !line->in_word) {
			word = word_columns(text);
			if (line->column + word > RENDER_COLUMNS &&
			    margin_columns(line) + word <= RENDER_COLUMNS)
				wrap(line);
		}
		size = show_character(text, &shown, &columns);
		if (line->column + columns > RENDER_COLUMNS)
			wrap(line);
		buffer_append(line->buffer, buffer_bytes(&shown));
		line->column += columns;
		line->in_word = !is_space;
		text = bytes_make(text.data + size, text.size - size);
	}
}

void render_words(struct render_line *line, const char *words)
{
	render_foreign(line, bytes_of_text(words));
}

void render_number(struct render_line *line, uint64_t number)
{
	uint8_t digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (uint8_t)('0' + number % 10);
		number /= 10;
	} while (number != 0);
	render_foreign(line, bytes_make(digits + at, sizeof(digits) - at));
}

void render_hex_whole(struct render_line *line, const uint8_t *data, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t memory[2 * RENDER_HEX_SIZE_MAX];
	struct buffer buffer = buffer_make(memory, sizeof(memory));

	assert(size <= RENDER_HEX_SIZE_MAX);
	for (size_t i = 0; i < size; i++) {
		buffer_append_byte(&buffer, (uint8_t)digits[data[i] >> 4]);
		buffer_append_byte(&buffer, (uint8_t)digits[data[i] & 0xf]);
	}
	render_foreign(line, buffer_bytes(&buffer));
}

void render_hex(struct render_line *line, const uint8_t *data)
{
	render_hex_whole(line, data, RENDER_HEX_SIZE_MAX);
}

void render_heading(struct render_line *line, const char *label)
{
	line->margin = MARGIN_HEADING;
	append(line, label);
	append(line, ": ");
}

/* The number right-aligned to two columns, so that short texts stand straight. */
void render_numbered(struct render_line *line)
{
	line->margin = MARGIN_HEADING;
	if (line->number < 10)
		append(line, " ");
	render_number(line, line->number++);
	append(line, ". ");
	line->in_word = false;
}

/*
 * Takes the next line off the front of a text; true if there is one more. A text of n line feeds has n + 1
 * lines, so that one which ends in a line feed looks different from one that does not.
 */
static bool take_line(struct bytes *text, struct bytes *taken)
{
	size_t size = 0;

	while (size < text->size && text->data[size] != '\n')
		size++;
	*taken = bytes_make(text->data, size);
	if (size == text->size)
		return false;
	*text = bytes_make(text->data + size + 1, text->size - size - 1);
	return true;
}

/* One line of a text: a tab is as many spaces as it may take at most, for a column is not to be guessed. */
static void render_text_line(struct render_line *line, struct bytes text)
{
	while (text.size > 0) {
		size_t size = 0;

		while (size < text.size && text.data[size] != '\t')
			size++;
		render_foreign(line, bytes_make(text.data, size));
		if (size < text.size) {
			render_words(line, "        ");
			size++;
		}
		text = bytes_make(text.data + size, text.size - size);
	}
	render_end(line);
}

void render_numbered_text(struct render_line *line, struct bytes text)
{
	struct bytes taken;
	bool more;

	do {
		more = take_line(&text, &taken);
		render_numbered(line);
		render_text_line(line, taken);
	} while (more);
}

void render_quoted_text(struct render_line *line, const char *label, struct bytes text)
{
	struct bytes taken;
	bool more;

	append(line, label);
	append(line, ":");
	render_end(line);
	line->margin = MARGIN_QUOTED;
	do {
		more = take_line(&text, &taken);
		append(line, MARGIN_QUOTED);
		render_text_line(line, taken);
	} while (more);
	line->margin = MARGIN_HEADING;
}
