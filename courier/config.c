#include "courier/config.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "carry/eid.h"

/* The words of a line that are not read yet. */
struct words {
	struct bytes rest;
};

static bool is_space(uint8_t byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r';
}

/* The next word, or an empty one at the end of the line. */
static struct bytes next_word(struct words *words)
{
	const uint8_t *data = words->rest.data;
	size_t size = words->rest.size;
	size_t start = 0;

	while (start < size && is_space(data[start]))
		start++;

	size_t end = start;

	while (end < size && !is_space(data[end]) && data[end] != '#')
		end++;
	/* A comment ends the line; within a word '#' would be a puzzle, so it begins one there as well. */
	words->rest = end < size && data[end] == '#' ? bytes_make(data + size, 0) :
						       bytes_make(data + end, size - end);
	return bytes_make(data + start, end - start);
}

static bool word_is(struct bytes word, const char *text)
{
	return bytes_equal(word, bytes_of_text(text));
}

__attribute__((format(printf, 3, 4))) static enum error wrong(
	char *message, enum error error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, CONFIG_MESSAGE_SIZE_MAX, format, arguments);
	va_end(arguments);
	return error;
}

static bool copy_word(char *to, size_t size_max, struct bytes word)
{
	if (word.size == 0 || word.size >= size_max)
		return false;
	memcpy(to, word.data, word.size);
	to[word.size] = '\0';
	return true;
}

/* A node id of one of the two schemes (service 0, or no demux), written in its one form. */
static bool copy_node(char *to, struct bytes word)
{
	struct eid eid;
	struct buffer text = buffer_make(to, NODE_ID_SIZE_MAX);

	if (word.size > NODE_ID_SIZE_MAX || eid_from_text(word, &eid) != ERROR_OK || eid_is_null(&eid) ||
		eid_is_local(&eid))
		return false;

	struct eid node = eid_node(&eid);

	if (!eid_equal(&eid, &node))
		return false;
	eid_append_text(&text, &eid);
	to[text.size] = '\0';
	return !text.failed;
}

static bool parse_port(struct bytes text, uint16_t *port)
{
	uint32_t value = 0;

	if (text.size == 0 || text.size > 5 || text.data[0] == '0')
		return false;
	for (size_t i = 0; i < text.size; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		value = value * 10 + (uint32_t)(text.data[i] - '0');
	}
	*port = (uint16_t)value;
	return value <= 65535;
}

enum error config_address_parse(struct bytes text, struct config_address *address)
{
	struct in6_addr parsed; /* large enough for both families */
	struct bytes host;
	size_t colon = text.size;

	while (colon > 0 && text.data[colon - 1] != ':')
		colon--;
	if (colon < 2 || !parse_port(bytes_make(text.data + colon, text.size - colon), &address->port))
		return ERROR_MALFORMED;
	host = bytes_make(text.data, colon - 1);
	address->ipv6 = host.size > 2 && host.data[0] == '[' && host.data[host.size - 1] == ']';
	if (address->ipv6)
		host = bytes_make(host.data + 1, host.size - 2);
	if (!copy_word(address->host, sizeof address->host, host) ||
		inet_pton(address->ipv6 ? AF_INET6 : AF_INET, address->host, &parsed) != 1)
		return ERROR_MALFORMED;
	return ERROR_OK;
}

static int hex_digit(uint8_t digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

enum error config_pin_parse(struct bytes text, uint8_t pin[CONFIG_PIN_SIZE])
{
	if (text.size != 2 * CONFIG_PIN_SIZE)
		return ERROR_MALFORMED;
	for (size_t i = 0; i < CONFIG_PIN_SIZE; i++) {
		int high = hex_digit(text.data[2 * i]);
		int low = hex_digit(text.data[2 * i + 1]);

		if (high < 0 || low < 0)
			return ERROR_MALFORMED;
		pin[i] = (uint8_t)(high * 16 + low);
	}
	return ERROR_OK;
}

void config_begin(struct config *config)
{
	memset(config, 0, sizeof *config);
}

static enum error line_node(struct config *config, struct words *words, char *message)
{
	if (config->node[0] != '\0')
		return wrong(message, ERROR_EXISTS, "`node` is stated twice: state it once");
	if (!copy_node(config->node, next_word(words)))
		return wrong(message, ERROR_MALFORMED,
			"expected `node NODE-ID`, a node id such as ipn:1001.0 or dtn://name/");
	return ERROR_OK;
}

static enum error line_listen(struct config *config, struct words *words, char *message)
{
	if (config->listen_count == LISTEN_MAX)
		return wrong(message, ERROR_FULL, "there are more than %d `listen` lines", LISTEN_MAX);
	if (config_address_parse(next_word(words), &config->listen[config->listen_count]) != ERROR_OK)
		return wrong(message, ERROR_MALFORMED,
			"expected `listen ADDRESS:PORT`, numeric, such as 127.0.0.1:4556 or [::1]:4556");
	config->listen_count++;
	return ERROR_OK;
}

static enum error line_post(struct config *config, struct words *words, char *message)
{
	struct bytes path = next_word(words);

	if (config->post[0] != '\0')
		return wrong(message, ERROR_EXISTS, "`post` is stated twice: state it once");
	if (!copy_word(config->post, sizeof config->post, path))
		return wrong(message, ERROR_MALFORMED,
			"expected `post PATH`, the post's socket: under %d bytes, without space or "
			"'#'",
			SOCKET_PATH_SIZE_MAX);
	return ERROR_OK;
}

static enum error line_keylog(struct config *config, struct words *words, bool keylog, char *message)
{
	if (!keylog)
		return wrong(message, ERROR_UNSUPPORTED,
			"`keylog` is only in builds for tests (test_hooks): remove this line");
	if (config->keylog[0] != '\0')
		return wrong(message, ERROR_EXISTS, "`keylog` is stated twice: state it once");
	if (!copy_word(config->keylog, sizeof config->keylog, next_word(words)))
		return wrong(message, ERROR_MALFORMED, "expected `keylog FILE`");
	return ERROR_OK;
}

/* One `word VALUE` or `word` of a neighbour line. */
static enum error neighbour_word(
	struct config_neighbour *neighbour, struct bytes word, struct words *words, char *message)
{
	if (word_is(word, "node")) {
		if (neighbour->node[0] != '\0' || !copy_node(neighbour->node, next_word(words)))
			return wrong(message, ERROR_MALFORMED,
				"expected `node NODE-ID` once, a node id such as ipn:2002.0 or dtn://name/");
	} else if (word_is(word, "pin")) {
		if (neighbour->has_pin || config_pin_parse(next_word(words), neighbour->pin) != ERROR_OK)
			return wrong(message, ERROR_MALFORMED,
				"expected `pin HEX` once, the 64 hexadecimal digits that --show-pin prints "
				"there");
		neighbour->has_pin = true;
	} else if (word_is(word, "address")) {
		if (neighbour->has_address ||
			config_address_parse(next_word(words), &neighbour->address) != ERROR_OK)
			return wrong(message, ERROR_MALFORMED,
				"expected `address ADDRESS:PORT` once, numeric, such as 192.0.2.7:4556");
		neighbour->has_address = true;
	} else if (word_is(word, "client-certificate")) {
		if (!word_is(next_word(words), "none"))
			return wrong(message, ERROR_MALFORMED, "expected `client-certificate none`");
		neighbour->client_certificate_none = true;
	} else if (word_is(word, "fragments")) {
		if (!word_is(next_word(words), "none"))
			return wrong(message, ERROR_MALFORMED, "expected `fragments none`");
		neighbour->fragments_none = true;
	} else if (word_is(word, "dial")) {
		neighbour->dial = true;
	} else if (word_is(word, "closed")) {
		neighbour->closed = true;
	} else {
		return wrong(message, ERROR_MALFORMED,
			"expected node, pin, address, dial, closed, client-certificate or "
			"fragments, and their values, after `neighbour NAME`");
	}
	return ERROR_OK;
}

static enum error check_neighbour(
	const struct config *config, const struct config_neighbour *neighbour, char *message)
{
	const char *name = neighbour->name;

	if (neighbour->node[0] == '\0')
		return wrong(message, ERROR_MALFORMED, "neighbour %s needs `node NODE-ID`", name);
	if (neighbour->dial && !neighbour->has_address)
		return wrong(message, ERROR_MALFORMED, "neighbour %s has `dial` and needs `address`", name);
	if (!neighbour->has_pin && !neighbour->closed &&
		(!neighbour->client_certificate_none || neighbour->dial))
		return wrong(message, ERROR_MALFORMED, "neighbour %s needs `pin HEX`, or `closed`", name);
	for (unsigned i = 0; i < config->neighbour_count; i++) {
		const struct config_neighbour *other = &config->neighbours[i];

		if (strcmp(other->name, name) == 0)
			return wrong(message, ERROR_EXISTS, "there are two neighbours %s", name);
		if (strcmp(other->node, neighbour->node) == 0)
			return wrong(message, ERROR_EXISTS, "neighbours %s and %s have the same node id",
				other->name, name);
		if (other->has_pin && neighbour->has_pin &&
			memcmp(other->pin, neighbour->pin, CONFIG_PIN_SIZE) == 0)
			return wrong(message, ERROR_EXISTS, "neighbours %s and %s have the same pin",
				other->name, name);
	}
	return ERROR_OK;
}

static enum error line_neighbour(struct config *config, struct words *words, char *message)
{
	struct bytes name = next_word(words);

	if (config->neighbour_count == NEIGHBOURS_MAX)
		return wrong(message, ERROR_FULL, "there are more than %d neighbours", NEIGHBOURS_MAX);

	struct config_neighbour *neighbour = &config->neighbours[config->neighbour_count];

	memset(neighbour, 0, sizeof *neighbour);
	if (!text_is_plain_line(name) || !copy_word(neighbour->name, sizeof neighbour->name, name))
		return wrong(message, ERROR_MALFORMED,
			"expected `neighbour NAME node NODE-ID ...` with a name of 1 to %d bytes",
			NAME_SIZE_MAX);
	for (struct bytes word = next_word(words); word.size > 0; word = next_word(words)) {
		enum error error = neighbour_word(neighbour, word, words, message);

		if (error != ERROR_OK)
			return error;
	}

	enum error error = check_neighbour(config, neighbour, message);

	if (error == ERROR_OK)
		config->neighbour_count++;
	return error;
}

static enum error line_path(struct config *config, struct words *words, char *message)
{
	struct config_path *path = &config->paths[config->path_count];

	if (config->path_count == PATHS_MAX)
		return wrong(message, ERROR_FULL, "there are more than %d `path` lines", PATHS_MAX);
	if (!copy_node(path->node, next_word(words)) || !word_is(next_word(words), "via") ||
		!copy_word(path->via, sizeof path->via, next_word(words)))
		return wrong(
			message, ERROR_MALFORMED, "expected `path NODE-ID via NAME`, a neighbour's name");
	for (unsigned i = 0; i < config->path_count; i++) {
		if (strcmp(config->paths[i].node, path->node) == 0)
			return wrong(message, ERROR_EXISTS, "there are two paths to %s", path->node);
	}
	config->path_count++;
	return ERROR_OK;
}

enum error config_line(struct config *config, struct bytes line, bool keylog, char *message)
{
	struct words words = {.rest = line};
	struct bytes word = next_word(&words);
	enum error error;

	if (line.size > CONFIG_LINE_SIZE_MAX)
		return wrong(
			message, ERROR_TOO_LARGE, "the line has more than %d bytes", CONFIG_LINE_SIZE_MAX);
	if (word.size == 0)
		return ERROR_OK;
	if (word_is(word, "node"))
		error = line_node(config, &words, message);
	else if (word_is(word, "listen"))
		error = line_listen(config, &words, message);
	else if (word_is(word, "post"))
		error = line_post(config, &words, message);
	else if (word_is(word, "neighbour"))
		error = line_neighbour(config, &words, message);
	else if (word_is(word, "path"))
		error = line_path(config, &words, message);
	else if (word_is(word, "keylog"))
		error = line_keylog(config, &words, keylog, message);
	else
		error = wrong(message, ERROR_MALFORMED,
			"expected a line that begins with node, listen, post, "
			"neighbour or path");
	if (error == ERROR_OK && next_word(&words).size > 0)
		error = wrong(message, ERROR_MALFORMED, "expected nothing more on this line");
	return error;
}

static int compare_neighbours(const void *a, const void *b)
{
	const struct config_neighbour *first = a;
	const struct config_neighbour *second = b;

	return strcmp(first->name, second->name);
}

static bool find_neighbour(const struct config *config, struct config_path *path)
{
	for (unsigned i = 0; i < config->neighbour_count; i++) {
		if (strcmp(config->neighbours[i].name, path->via) == 0) {
			path->neighbour = i;
			return true;
		}
	}
	return false;
}

enum error config_end(struct config *config, char *message)
{
	if (config->node[0] == '\0')
		return wrong(message, ERROR_MALFORMED, "expected a line `node NODE-ID`");
	for (unsigned i = 0; i < config->neighbour_count; i++) {
		if (strcmp(config->neighbours[i].node, config->node) == 0)
			return wrong(message, ERROR_MALFORMED, "neighbour %s has this courier's own node id",
				config->neighbours[i].name);
	}
	qsort(config->neighbours, config->neighbour_count, sizeof config->neighbours[0], compare_neighbours);
	for (unsigned i = 0; i < config->path_count; i++) {
		if (!find_neighbour(config, &config->paths[i]))
			return wrong(message, ERROR_NOT_FOUND,
				"the path to %s leads via %s, which is no neighbour", config->paths[i].node,
				config->paths[i].via);
	}
	return ERROR_OK;
}

enum error config_parse(
	struct config *config, struct bytes text, bool keylog, unsigned *line_number, char *message)
{
	size_t at = 0;

	config_begin(config);
	*line_number = 0;
	while (at < text.size) {
		size_t end = at;

		while (end < text.size && text.data[end] != '\n')
			end++;
		++*line_number;

		enum error error = config_line(config, bytes_make(text.data + at, end - at), keylog, message);

		if (error != ERROR_OK)
			return error;
		at = end + 1;
	}
	*line_number = 0;
	return config_end(config, message);
}
