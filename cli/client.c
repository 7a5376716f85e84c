#include "cli/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "envelope/party.h"

#define CLIENT_MEMORY_SIZE (2 * (LOCAL_FRAME_SIZE_MAX + 4))

bool client_connect(struct client *client, const char *directory, char *reason, size_t reason_size)
{
	*client = (struct client){.fd = -1};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int size = snprintf(address.sun_path, sizeof address.sun_path, "%s/post.sock", directory);
	if (size < 0 || (size_t)size >= sizeof address.sun_path) {
		snprintf(reason, reason_size,
			 "the path %s/post.sock is too long for a socket: use a shorter directory",
			 directory);
		return false;
	}
	client->memory = malloc(CLIENT_MEMORY_SIZE);
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->memory == NULL || client->fd < 0 ||
	    connect(client->fd, (struct sockaddr *)&address, sizeof address) != 0) {
		int cause = errno;
		if (cause == ENOENT || cause == ECONNREFUSED)
			snprintf(reason, reason_size,
				 "no daemon answers at %s: start it with liaisond --dir %s", address.sun_path,
				 directory);
		else
			snprintf(reason, reason_size, "cannot reach %s: %s", address.sun_path,
				 strerror(cause));
		client_close(client);
		return false;
	}
	client->request = buffer_make(client->memory, CLIENT_MEMORY_SIZE / 2);
	client->stream = buffer_make(client->memory + CLIENT_MEMORY_SIZE / 2, CLIENT_MEMORY_SIZE / 2);
	return true;
}

bool client_open(struct client *client, const struct call *call)
{
	const char *directory = call_post(call);
	char reason[1024];
	*client = (struct client){.fd = -1};
	if (directory == NULL)
		return false;
	if (client_connect(client, directory, reason, sizeof reason))
		return true;
	call_fail(call, "%s", reason);
	return false;
}

void client_close(struct client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	free(client->memory);
	*client = (struct client){.fd = -1};
}

struct buffer *client_begin(struct client *client, enum local_verb verb, size_t argument_count)
{
	size_t mark;
	client->request.size = 0;
	client->request.failed = false;
	local_frame_begin(&client->request, &mark);
	cbor_write_array(&client->request, 2 + argument_count);
	cbor_write_uint(&client->request, ++client->number);
	cbor_write_uint(&client->request, verb);
	return &client->request;
}

void client_set_patience(struct client *client, unsigned seconds)
{
	struct timeval time = {.tv_sec = (time_t)seconds};
	setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
	setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

static enum error send_all(int fd, const uint8_t *data, size_t size)
{
	while (size > 0) {
		ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return ERROR_CLOSED;
		data += sent;
		size -= (size_t)sent;
	}
	return ERROR_OK;
}

bool client_is_ready(const struct client *client)
{
	struct bytes stream = bytes_make(client->stream.data + client->frame_size,
					 client->stream.size - client->frame_size);
	struct bytes frame;
	size_t size;
	return local_frame_next(stream, &frame, &size) != ERROR_TRUNCATED;
}

enum error client_next(struct client *client, struct bytes *frame)
{
	buffer_consume(&client->stream, client->frame_size);
	client->frame_size = 0;
	for (;;) {
		enum error error =
			local_frame_next(buffer_bytes(&client->stream), frame, &client->frame_size);
		if (error != ERROR_TRUNCATED)
			return error;
		client->frame_size = 0;
		struct buffer *stream = &client->stream;
		ssize_t got =
			recv(client->fd, stream->data + stream->size, stream->size_max - stream->size, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return ERROR_CLOSED;
		stream->size += (size_t)got;
	}
}

enum error client_request(struct client *client, struct cbor_reader *reply, size_t *result_count,
			  char *detail, size_t detail_size)
{
	if (detail != NULL)
		detail[0] = '\0';
	local_frame_end(&client->request, 0);
	enum error error = buffer_error(&client->request);
	if (error == ERROR_OK)
		error = send_all(client->fd, client->request.data, client->request.size);
	for (;;) {
		struct bytes frame = {0};
		if (error == ERROR_OK)
			error = client_next(client, &frame);
		if (error != ERROR_OK)
			return error;
		*reply = cbor_reader_make(frame);
		size_t count = cbor_read_array(reply, LOCAL_FRAME_SIZE_MAX);
		uint64_t number = cbor_read_uint(reply);
		uint64_t code = cbor_read_uint_max(reply, UINT16_MAX);
		if (reply->error != ERROR_OK || count < 2)
			return ERROR_MALFORMED;
		if (number == 0) { /* a notice: not what was asked for */
			if (client->on_notice != NULL)
				client->on_notice(client->notice_context, frame);
			continue;
		}
		if (number != client->number)
			return ERROR_MALFORMED;
		*result_count = count - 2;
		if (code == 0)
			return ERROR_OK;
		struct bytes text = count > 2 ? cbor_read_text(reply, detail_size) : bytes_make("", 0);
		if (detail != NULL)
			snprintf(detail, detail_size, "%.*s", (int)text.size, (const char *)text.data);
		return (enum error)code;
	}
}

void client_explain(const struct call *call, const char *what, enum error error, const char *detail)
{
	if (detail[0] != '\0' && strcmp(detail, error_text(error)) != 0)
		call_fail(call, "%s: %s (%s)", what, error_text(error), detail);
	else
		call_fail_error(call, what, error);
}

bool client_ask(struct client *client, const struct call *call, const char *what, struct cbor_reader *reply,
		size_t *result_count)
{
	char detail[512];
	enum error error = client_request(client, reply, result_count, detail, sizeof detail);
	if (error == ERROR_OK)
		return true;
	client_explain(call, what, error, detail);
	return false;
}

bool client_own_slot(struct client *client, const struct call *call, uint64_t *slot)
{
	struct cbor_reader reply;
	size_t results;
	client_begin(client, LOCAL_HELLO, 0);
	if (!client_ask(client, call, "asking the post who it is", &reply, &results))
		return false;
	cbor_read_uint(&reply);
	cbor_read_bytes(&reply, PARTY_ID_SIZE);
	*slot = cbor_read_uint_max(&reply, POST_SLOTS - 1);
	if (reply.error != ERROR_OK)
		call_fail_error(call, "the post's answer", reply.error);
	return reply.error == ERROR_OK;
}
