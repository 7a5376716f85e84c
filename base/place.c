#include "base/place.h"

#include <stdint.h>
#include <string.h>

#include "base/limits.h"

#define NODE_NUMBER_MAX  0xfffffffeULL /* 2^32 - 1 means "this node" (RFC 9758) */
#define NODE_NAME_MAX    120
#define IPV6_GROUPS      8
#define IPV6_DIGITS_MAX  4 /* of one group */
#define IPV4_PARTS       4
#define IPV4_PART_MAX    255
#define IPV4_IPV6_GROUPS 2 /* that an IPv4 address at the end stands for */

static bool skip(struct bytes *text, const char *start)
{
	size_t size = strlen(start);
	if (text->size < size || memcmp(text->data, start, size) != 0)
		return false;
	*text = bytes_make(text->data + size, text->size - size);
	return true;
}

static bool is_digit(uint8_t byte)
{
	return byte >= '0' && byte <= '9';
}

/* Takes a decimal number from 1 to `max`, without leading zeros, off the front. */
static bool take_number(struct bytes *text, uint64_t max)
{
	uint64_t value = 0;
	size_t size = 0;
	for (; size < text->size && is_digit(text->data[size]); size++) {
		value = value * 10 + (uint64_t)(text->data[size] - '0');
		if (value == 0 || value > max)
			return false;
	}
	*text = bytes_make(text->data + size, text->size - size);
	return size > 0;
}

/* ---- node ids ---- */

static bool is_name_byte(uint8_t byte)
{
	return is_digit(byte) || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
	       byte == '-' || byte == '.' || byte == '_';
}

bool place_is_node(struct bytes text)
{
	if (text.size > EID_SIZE_MAX)
		return false;
	if (skip(&text, "ipn:")) {
		if (!take_number(&text, NODE_NUMBER_MAX) || !skip(&text, "."))
			return false;
		return bytes_equal(text, bytes_of_text("0")) ||
		       (take_number(&text, NODE_NUMBER_MAX) && bytes_equal(text, bytes_of_text(".0")));
	}
	if (!skip(&text, "dtn://") || text.size < 2 || text.size > NODE_NAME_MAX + 1)
		return false;
	for (size_t i = 0; i < text.size - 1; i++)
		if (!is_name_byte(text.data[i]))
			return false;
	return text.data[text.size - 1] == '/';
}

/* ---- addresses ---- */

static bool is_ipv4(struct bytes text)
{
	for (size_t i = 0; i < IPV4_PARTS; i++) {
		if (i > 0 && !skip(&text, "."))
			return false;
		bool zero = skip(&text, "0");
		if (!zero && !take_number(&text, IPV4_PART_MAX))
			return false;
	}
	return text.size == 0;
}

static bool take_group(struct bytes *text)
{
	size_t size = 0;
	while (size < text->size &&
	       (is_digit(text->data[size]) || (text->data[size] >= 'a' && text->data[size] <= 'f') ||
		(text->data[size] >= 'A' && text->data[size] <= 'F')))
		size++;
	*text = bytes_make(text->data + size, text->size - size);
	return size > 0 && size <= IPV6_DIGITS_MAX;
}

/* RFC 4291, section 2.2: one "::" stands for a group or more. */
static bool is_ipv6(struct bytes text)
{
	size_t groups = 0;
	bool shortened = skip(&text, "::");
	while (text.size > 0 && groups < IPV6_GROUPS) {
		if (is_ipv4(text)) {
			groups += IPV4_IPV6_GROUPS;
			text.size = 0;
			break;
		}
		if (!take_group(&text))
			return false;
		groups++;
		if (text.size == 0)
			break;
		if (skip(&text, "::")) {
			if (shortened)
				return false;
			shortened = true;
		} else if (!skip(&text, ":") || text.size == 0) {
			return false;
		}
	}
	return text.size == 0 && (shortened ? groups < IPV6_GROUPS : groups == IPV6_GROUPS);
}

bool place_is_address(struct bytes text)
{
	size_t colon = text.size;
	if (text.size == 0 || text.size > EID_SIZE_MAX)
		return false;
	while (colon > 0 && text.data[colon - 1] != ':')
		colon--;
	struct bytes port = bytes_make(text.data + colon, text.size - colon);
	if (colon < 2 || !take_number(&port, UINT16_MAX) || port.size != 0)
		return false;
	if (text.data[0] != '[')
		return is_ipv4(bytes_make(text.data, colon - 1));
	return colon > 3 && text.data[colon - 2] == ']' && is_ipv6(bytes_make(text.data + 1, colon - 3));
}
