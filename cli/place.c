#include "cli/place.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/limits.h"

#define NODE_NUMBER_MAX 0xfffffffeULL /* 2^32 - 1 means "this node" (RFC 9758) */
#define NODE_NAME_MAX   120

static bool skip(struct bytes *text, const char *start)
{
	size_t size = strlen(start);
	if (text->size < size || memcmp(text->data, start, size) != 0)
		return false;
	*text = bytes_make(text->data + size, text->size - size);
	return true;
}

/* Takes a decimal number from 1 to `max`, without leading zeros, off the front. */
static bool take_number(struct bytes *text, uint64_t max)
{
	uint64_t value = 0;
	size_t size = 0;
	for (; size < text->size && text->data[size] >= '0' && text->data[size] <= '9'; size++) {
		value = value * 10 + (uint64_t)(text->data[size] - '0');
		if (value == 0 || value > max)
			return false;
	}
	*text = bytes_make(text->data + size, text->size - size);
	return size > 0;
}

static bool is_name_byte(uint8_t byte)
{
	return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
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

bool place_is_address(struct bytes text)
{
	char host[INET6_ADDRSTRLEN];
	struct in6_addr parsed; /* large enough for both families */
	size_t colon = text.size;
	while (colon > 0 && text.data[colon - 1] != ':')
		colon--;
	struct bytes port = bytes_make(text.data + colon, text.size - colon);
	if (colon < 2 || !take_number(&port, UINT16_MAX) || port.size != 0)
		return false;
	bool is_ipv6 = colon > 3 && text.data[0] == '[' && text.data[colon - 2] == ']';
	struct bytes from = is_ipv6 ? bytes_make(text.data + 1, colon - 3) : bytes_make(text.data, colon - 1);
	if (from.size >= sizeof host || memchr(from.data, 0, from.size) != NULL)
		return false;
	memcpy(host, from.data, from.size);
	host[from.size] = 0;
	return inet_pton(is_ipv6 ? AF_INET6 : AF_INET, host, &parsed) == 1;
}
