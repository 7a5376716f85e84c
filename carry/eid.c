#include "carry/eid.h"

#include <assert.h>
#include <string.h>

#define NUMBER_32_MAX 0xffffffffULL
#define LOCAL_NODE    NUMBER_32_MAX

/* So that every node id and every precedence of that node fit EID_SIZE_MAX. */
#define DTN_NAME_SIZE_MAX (EID_SIZE_MAX - sizeof("dtn:///N") + 1)

static const char digits[] = "01234";

struct eid eid_none(void)
{
	return (struct eid){.scheme = EID_DTN};
}

/* ---- text ---- */

static bool is_digit(uint8_t byte)
{
	return byte >= '0' && byte <= '9';
}

static bool is_name_byte(uint8_t byte)
{
	return is_digit(byte) || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
	       byte == '-' || byte == '.' || byte == '_';
}

/* The rest of `text` after `start`, if it begins so. */
static bool skip(struct bytes *text, const char *start)
{
	size_t size = strlen(start);
	if (text->size < size || memcmp(text->data, start, size) != 0)
		return false;
	*text = bytes_make(text->data + size, text->size - size);
	return true;
}

/* Takes a decimal number without leading zeros off the front. */
static bool take_number(struct bytes *text, uint64_t *number)
{
	size_t size = 0;
	uint64_t value = 0;
	for (; size < text->size && is_digit(text->data[size]); size++) {
		uint64_t digit = text->data[size] - (uint64_t)'0';
		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	if (size == 0 || (size > 1 && text->data[0] == '0'))
		return false;
	*text = bytes_make(text->data + size, text->size - size);
	*number = value;
	return true;
}

static enum error ipn_from_text(struct bytes text, struct eid *eid)
{
	uint64_t numbers[3];
	size_t count = 0;
	eid->scheme = EID_IPN;
	bool local = skip(&text, "!.");
	if (local)
		numbers[count++] = LOCAL_NODE;
	do {
		if (count == 3 || !take_number(&text, &numbers[count]))
			return ERROR_MALFORMED;
		count++;
	} while (skip(&text, "."));
	if (text.size != 0 || count < 2 || (local && count != 2))
		return ERROR_MALFORMED;
	uint64_t allocator = count == 3 ? numbers[0] : 0;
	uint64_t node = numbers[count - 2];
	if (allocator > NUMBER_32_MAX || node > NUMBER_32_MAX)
		return ERROR_MALFORMED;
	eid->node = allocator << 32 | node;
	eid->service = numbers[count - 1];
	return ERROR_OK;
}

/* `text` is what stands after "dtn:" and is not "none". */
static enum error dtn_from_text(struct bytes text, struct eid *eid)
{
	size_t size = 0;
	if (!skip(&text, "//"))
		return ERROR_MALFORMED;
	while (size < text.size && is_name_byte(text.data[size]))
		size++;
	if (size == 0 || size > DTN_NAME_SIZE_MAX || size == text.size || text.data[size] != '/')
		return ERROR_MALFORMED;
	for (size_t i = size + 1; i < text.size; i++)
		if (text.data[i] < 0x21 || text.data[i] > 0x7e)
			return ERROR_MALFORMED;
	eid->name = bytes_make(text.data, size);
	eid->demux = bytes_make(text.data + size + 1, text.size - size - 1);
	return ERROR_OK;
}

enum error eid_from_text(struct bytes text, struct eid *eid)
{
	enum error error;
	*eid = eid_none();
	if (text.size > EID_SIZE_MAX)
		return ERROR_TOO_LARGE;
	if (skip(&text, "ipn:"))
		error = ipn_from_text(text, eid);
	else if (!skip(&text, "dtn:"))
		error = ERROR_UNSUPPORTED;
	else if (bytes_equal(text, bytes_of_text("none")))
		error = ERROR_OK;
	else
		error = dtn_from_text(text, eid);
	if (error != ERROR_OK)
		*eid = eid_none();
	return error;
}

static void append_number(struct buffer *buffer, uint64_t number)
{
	uint8_t text[20];
	size_t at = sizeof(text);
	do {
		text[--at] = (uint8_t)('0' + number % 10);
		number /= 10;
	} while (number != 0);
	buffer_append(buffer, bytes_make(text + at, sizeof(text) - at));
}

void eid_append_text(struct buffer *buffer, const struct eid *eid)
{
	if (eid->scheme == EID_IPN) {
		buffer_append(buffer, bytes_of_text("ipn:"));
		if (eid->node >> 32 != 0) {
			append_number(buffer, eid->node >> 32);
			buffer_append_byte(buffer, '.');
		}
		append_number(buffer, eid->node & NUMBER_32_MAX);
		buffer_append_byte(buffer, '.');
		append_number(buffer, eid->service);
		return;
	}
	if (eid->name.size == 0) {
		buffer_append(buffer, bytes_of_text("dtn:none"));
		return;
	}
	buffer_append(buffer, bytes_of_text("dtn://"));
	buffer_append(buffer, eid->name);
	buffer_append_byte(buffer, '/');
	buffer_append(buffer, eid->demux);
}

/* ---- CBOR ---- */

static void read_ipn(struct cbor_reader *reader, struct eid *eid)
{
	size_t count = cbor_read_array(reader, 3);
	eid->scheme = EID_IPN;
	if (count < 2)
		cbor_reader_fail(reader, ERROR_WRONG_TYPE);
	if (count == 3) {
		uint64_t allocator = cbor_read_uint_max(reader, NUMBER_32_MAX);
		eid->node = allocator << 32 | cbor_read_uint_max(reader, NUMBER_32_MAX);
	} else {
		eid->node = cbor_read_uint(reader);
	}
	eid->service = cbor_read_uint(reader);
}

static void read_dtn(struct cbor_reader *reader, struct eid *eid)
{
	if (cbor_peek(reader) == CBOR_UINT) {
		cbor_read_uint_max(reader, 0);
		return;
	}
	struct bytes text = cbor_read_text(reader, EID_SIZE_MAX - strlen("dtn:"));
	if (cbor_reader_error(reader) != ERROR_OK)
		return;
	enum error error = dtn_from_text(text, eid);
	if (error != ERROR_OK)
		cbor_reader_fail(reader, error);
}

void eid_read(struct cbor_reader *reader, struct eid *eid)
{
	*eid = eid_none();
	cbor_read_array_exact(reader, 2);
	uint64_t scheme = cbor_read_uint(reader);
	if (scheme == EID_IPN)
		read_ipn(reader, eid);
	else if (scheme == EID_DTN)
		read_dtn(reader, eid);
	else
		cbor_reader_fail(reader, ERROR_UNSUPPORTED);
	if (cbor_reader_error(reader) != ERROR_OK)
		*eid = eid_none();
}

void eid_write(struct buffer *buffer, const struct eid *eid)
{
	cbor_write_array(buffer, 2);
	cbor_write_uint(buffer, eid->scheme);
	if (eid->scheme == EID_IPN) {
		cbor_write_array(buffer, 2);
		cbor_write_uint(buffer, eid->node);
		cbor_write_uint(buffer, eid->service);
		return;
	}
	if (eid->name.size == 0) {
		cbor_write_uint(buffer, 0);
		return;
	}
	uint8_t memory[EID_SIZE_MAX];
	struct buffer text = buffer_make(memory, sizeof(memory));
	buffer_append(&text, bytes_of_text("//"));
	buffer_append(&text, eid->name);
	buffer_append_byte(&text, '/');
	buffer_append(&text, eid->demux);
	assert(buffer_error(&text) == ERROR_OK);
	cbor_write_text(buffer, buffer_bytes(&text));
}

/* ---- meaning ---- */

bool eid_is_null(const struct eid *eid)
{
	return eid->scheme == EID_IPN ? eid->node == 0 && eid->service == 0 : eid->name.size == 0;
}

bool eid_is_local(const struct eid *eid)
{
	return eid->scheme == EID_IPN && eid->node == LOCAL_NODE;
}

bool eid_same_node(const struct eid *a, const struct eid *b)
{
	return !eid_is_null(a) && !eid_is_null(b) && a->scheme == b->scheme && a->node == b->node &&
	       bytes_equal(a->name, b->name);
}

bool eid_equal(const struct eid *a, const struct eid *b)
{
	if (eid_is_null(a) || eid_is_null(b))
		return eid_is_null(a) && eid_is_null(b);
	return eid_same_node(a, b) && a->service == b->service && bytes_equal(a->demux, b->demux);
}

struct eid eid_node(const struct eid *eid)
{
	struct eid node = *eid;
	node.service = EID_SERVICE_ADMINISTRATIVE;
	node.demux = bytes_make(NULL, 0);
	return node;
}

struct eid eid_with_precedence(const struct eid *eid, uint64_t precedence)
{
	assert(!eid_is_null(eid));
	assert(precedence >= EID_SERVICE_ROUTINE && precedence <= EID_SERVICE_FLASH);
	struct eid endpoint = eid_node(eid);
	if (eid->scheme == EID_IPN)
		endpoint.service = precedence;
	else
		endpoint.demux = bytes_make(digits + precedence, 1);
	return endpoint;
}

uint64_t eid_precedence(const struct eid *eid)
{
	uint64_t service = eid->service;
	if (eid_is_null(eid))
		return 0;
	if (eid->scheme == EID_DTN)
		service = eid->demux.size == 1 && is_digit(eid->demux.data[0])
				  ? eid->demux.data[0] - (uint64_t)'0'
				  : 0;
	return service >= EID_SERVICE_ROUTINE && service <= EID_SERVICE_FLASH ? service : 0;
}
