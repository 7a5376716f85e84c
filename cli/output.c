#include "cli/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/text.h"

int output_json(const struct call *call, json_t *value)
{
	if (value == NULL)
		return call_fail_error(call, "printing JSON", ERROR_NO_MEMORY);
	json_dumpf(value, stdout, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
	printf("\n");
	json_decref(value);
	return 0;
}

void output_hex(struct bytes bytes, char *text)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < bytes.size; i++) {
		text[2 * i] = digits[bytes.data[i] >> 4];
		text[2 * i + 1] = digits[bytes.data[i] & 15];
	}
	text[2 * bytes.size] = '\0';
}

json_t *output_json_hex(struct bytes bytes)
{
	char *text = malloc(2 * bytes.size + 1);
	if (text == NULL)
		return NULL;
	output_hex(bytes, text);
	json_t *value = json_string(text);
	free(text);
	return value;
}

/* Every byte may become "<U+10FFFF>" at most. */
#define VISIBLE_GROWTH 10

static struct buffer visible(struct bytes text)
{
	size_t size_max = text.size * VISIBLE_GROWTH + 1;
	uint8_t *memory = malloc(size_max);
	struct buffer buffer = buffer_make(memory, memory != NULL ? size_max : 0);
	text_append_visible(&buffer, text);
	return buffer;
}

json_t *output_json_text(struct bytes text)
{
	struct buffer buffer = visible(text);
	json_t *value = buffer.failed ? NULL : json_stringn((const char *)buffer.data, buffer.size);
	free(buffer.data);
	return value;
}

size_t output_columns(FILE *stream)
{
	struct winsize size;
	if (isatty(fileno(stream)) != 1)
		return 0;
	return ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static size_t spaces_at(struct bytes text, size_t at)
{
	size_t count = 0;
	while (at + count < text.size && (text.data[at + count] == ' ' || text.data[at + count] == '\n'))
		count++;
	return count;
}

/* The bytes of the word that begins there, and in *columns its width: characters from CJK on may take two. */
static size_t word_at(struct bytes text, size_t at, size_t *columns)
{
	size_t end = at;
	*columns = 0;
	for (; end < text.size && text.data[end] != ' ' && text.data[end] != '\n'; end++)
		if ((text.data[end] & 0xc0) != 0x80)
			*columns += text.data[end] >= 0xe3 ? 2 : 1;
	return end - at;
}

void output_line(struct bytes text, size_t indent)
{
	struct buffer buffer = visible(text);
	struct bytes line = buffer_bytes(&buffer);
	size_t width = output_columns(stdout), column = 0, columns;
	for (size_t at = 0; at < line.size;) {
		size_t spaces = spaces_at(line, at);
		size_t size = word_at(line, at + spaces, &columns);
		if (width > 0 && size > 0 && column > indent && column + spaces + columns > width) {
			printf("\n%*s", (int)indent, "");
			column = indent;
		} else if (size > 0) {
			printf("%*s", (int)spaces, "");
			column += spaces;
		}
		fwrite(line.data + at + spaces, 1, size, stdout);
		column += columns;
		at += spaces + size;
	}
	printf("\n");
	free(buffer.data);
}

void output_lines(struct bytes text)
{
	for (size_t at = 0, size; at < text.size; at += size + 1) {
		const uint8_t *end = memchr(text.data + at, '\n', text.size - at);
		size = end != NULL ? (size_t)(end - text.data) - at : text.size - at;
		struct bytes line = bytes_make(text.data + at, size);
		output_line(line, spaces_at(line, 0) + 4);
	}
}

void output_text_on(FILE *stream, struct bytes text)
{
	struct buffer buffer = visible(text);
	fwrite(buffer.data, 1, buffer.size, stream);
	free(buffer.data);
}

void output_text(struct bytes text)
{
	output_text_on(stdout, text);
}

void output_fingerprint(const uint8_t party_id[PARTY_ID_SIZE], char text[FINGERPRINT_TEXT_SIZE])
{
	struct buffer buffer = buffer_make(text, FINGERPRINT_TEXT_SIZE_MAX);
	fingerprint_append(party_id, &buffer);
	text[buffer.size] = '\0';
}

void output_time(uint64_t time, char text[DATE_TIME_GROUP_SIZE + 1])
{
	struct buffer buffer = buffer_make(text, DATE_TIME_GROUP_SIZE);
	date_time_group_append(&buffer, time);
	text[buffer.size] = '\0';
}

bool output_precedence_parse(const struct call *call, const char *text, uint64_t *precedence)
{
	for (*precedence = PRECEDENCE_ROUTINE; *precedence <= PRECEDENCE_FLASH; ++*precedence) {
		const char *name = precedence_name(*precedence);
		if (strcasecmp(text, name) == 0 || (strlen(text) == 1 && strncasecmp(text, name, 1) == 0))
			return true;
	}
	call_usage(call, "'%s' is no precedence: routine, priority, immediate or flash", text);
	return false;
}
