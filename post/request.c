#include "post/request.h"

#include "base/cbor.h"
#include "envelope/cose.h"

#define ITEMS_MAX 16 /* of a request, and of content: more than any has */

/* Only as far as the first two elements of the content: all else is the record's to check. */
static void look_into_submission(struct cbor_reader *reader, struct request *request)
{
	struct cose_signed object;
	struct cbor_reader content;
	struct bytes cose;
	uint64_t kind, precedence;

	cbor_read_bytes(reader, 32);
	cose = cbor_read_bytes(reader, ENTRY_SIZE_MAX);
	if (cbor_read_end(reader) != ERROR_OK || cose_signed_decode(cose, &object) != ERROR_OK)
		return;
	content = cbor_reader_make(object.payload);
	cbor_read_array(&content, ITEMS_MAX);
	kind = cbor_read_uint(&content);
	precedence = cbor_read_uint(&content);
	if (cbor_reader_error(&content) != ERROR_OK)
		return;
	request->kind = kind;
	request->precedence = precedence;
}

enum error request_parse(struct bytes frame, struct request *request)
{
	struct cbor_reader reader = cbor_reader_make(frame);
	size_t count = cbor_read_array(&reader, ITEMS_MAX);

	*request = (struct request){0};
	request->number = cbor_read_uint(&reader);
	request->verb = cbor_read_uint(&reader);
	if (cbor_reader_error(&reader) != ERROR_OK || count < 2 || request->number == 0)
		return ERROR_MALFORMED;
	if (request->verb == LOCAL_SUBMIT && count == 4)
		look_into_submission(&reader, request);
	return ERROR_OK;
}

static size_t reply_begin(struct buffer *buffer, size_t count, uint64_t number, enum error error)
{
	size_t mark;

	local_frame_begin(buffer, &mark);
	cbor_write_array(buffer, count + 2);
	cbor_write_uint(buffer, number);
	cbor_write_uint(buffer, error);
	return mark;
}

void request_reply_error(struct buffer *buffer, uint64_t number, enum error error, const char *detail)
{
	size_t mark = reply_begin(buffer, 1, number, error);

	cbor_write_text(buffer, bytes_of_text(detail));
	local_frame_end(buffer, mark);
}

void request_reply_empty(struct buffer *buffer, uint64_t number)
{
	local_frame_end(buffer, reply_begin(buffer, 0, number, ERROR_OK));
}

void request_reply_chunk(struct buffer *buffer, uint64_t number, struct bytes chunk)
{
	size_t mark = reply_begin(buffer, 1, number, ERROR_OK);

	cbor_write_bytes(buffer, chunk);
	local_frame_end(buffer, mark);
}

void request_hello(struct buffer *buffer, uint64_t number)
{
	cbor_write_array(buffer, 2);
	cbor_write_uint(buffer, number);
	cbor_write_uint(buffer, LOCAL_HELLO);
}

enum error request_hello_node(struct bytes reply, struct bytes *node)
{
	struct cbor_reader reader;
	struct bytes frame;
	size_t size;
	enum error error = local_frame_next(reply, &frame, &size);

	if (error != ERROR_OK)
		return ERROR_MALFORMED;
	reader = cbor_reader_make(frame);
	cbor_read_array_exact(&reader, 9);
	cbor_read_uint(&reader); /* number */
	if (cbor_read_uint(&reader) != ERROR_OK)
		cbor_reader_fail(&reader, ERROR_MALFORMED);
	cbor_read_uint(&reader);                /* version */
	cbor_read_bytes(&reader, 32);           /* party id */
	cbor_read_uint(&reader);                /* slot */
	cbor_read_text(&reader, NAME_SIZE_MAX); /* party name */
	cbor_read_text(&reader, NAME_SIZE_MAX); /* post name */
	*node = cbor_read_text(&reader, EID_SIZE_MAX);
	cbor_read_uint(&reader); /* post kind */
	return cbor_read_end(&reader) == ERROR_OK ? ERROR_OK : ERROR_MALFORMED;
}
