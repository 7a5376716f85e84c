#include "bench/api.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/link.h"
#include "bench/wait.h"

#define API_MEMORY_SIZE (LOCAL_FRAME_SIZE_MAX + 4)
#define ASK_MS          30000

bool api_open(struct api *api, const char *directory)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	*api = (struct api){.fd = -1};
	int size = snprintf(address.sun_path, sizeof address.sun_path, "%s/post.sock", directory);
	if (size < 0 || (size_t)size >= sizeof address.sun_path)
		return false;
	api->memory = malloc(2 * API_MEMORY_SIZE);
	api->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (api->memory == NULL || api->fd < 0 ||
	    connect(api->fd, (struct sockaddr *)&address, sizeof address) != 0) {
		api_close(api);
		return false;
	}
	api->request = buffer_make(api->memory, API_MEMORY_SIZE);
	api->stream = buffer_make(api->memory + API_MEMORY_SIZE, API_MEMORY_SIZE);
	return true;
}

void api_close(struct api *api)
{
	if (api->fd >= 0)
		close(api->fd);
	free(api->memory);
	*api = (struct api){.fd = -1};
}

struct buffer *api_begin(struct api *api, enum local_verb verb, size_t argument_count)
{
	size_t mark;
	api->request.size = 0;
	api->request.failed = false;
	local_frame_begin(&api->request, &mark);
	cbor_write_array(&api->request, 2 + argument_count);
	cbor_write_uint(&api->request, ++api->number);
	cbor_write_uint(&api->request, verb);
	return &api->request;
}

bool api_send(struct api *api)
{
	local_frame_end(&api->request, 0);
	const uint8_t *data = api->request.data;
	size_t left = buffer_error(&api->request) == ERROR_OK ? api->request.size : 0;
	bool sent_all = left > 0;
	while (left > 0) {
		ssize_t sent = send(api->fd, data, left, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return false;
		data += sent;
		left -= (size_t)sent;
	}
	return sent_all;
}

enum error api_next(struct api *api, struct bytes *frame)
{
	struct buffer *stream = &api->stream;
	size_t size;
	enum error error = local_frame_next(bytes_make(stream->data + api->taken, stream->size - api->taken),
					    frame, &size);
	if (error == ERROR_TRUNCATED) {
		/* Moved to the front only here, not for each of many small frames. */
		buffer_consume(stream, api->taken);
		api->taken = 0;
		ssize_t got = recv(api->fd, stream->data + stream->size, stream->size_max - stream->size,
				   MSG_DONTWAIT);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return ERROR_TRUNCATED;
		if (got <= 0)
			return ERROR_CLOSED;
		stream->size += (size_t)got;
		error = local_frame_next(buffer_bytes(stream), frame, &size);
	}
	if (error == ERROR_OK)
		api->taken += size;
	return error;
}

bool api_head(struct bytes frame, struct cbor_reader *reader, uint64_t *number, uint64_t *code)
{
	*reader = cbor_reader_make(frame);
	cbor_read_array(reader, LOCAL_FRAME_SIZE_MAX);
	*number = cbor_read_uint(reader);
	*code = cbor_read_uint_max(reader, UINT16_MAX);
	return reader->error == ERROR_OK;
}

bool api_ask(struct api *api, const char *what, struct cbor_reader *reply)
{
	int64_t end = now_us() + (int64_t)ASK_MS * 1000;
	enum error error = api_send(api) ? ERROR_OK : ERROR_CLOSED;
	while (error == ERROR_OK || error == ERROR_TRUNCATED) {
		struct pollfd poll_fd = {.fd = api->fd, .events = POLLIN};
		struct bytes frame;
		uint64_t number, code;
		error = api_next(api, &frame);
		if (error == ERROR_TRUNCATED) {
			if (now_us() > end)
				error = ERROR_TIMED_OUT;
			else if (interrupted())
				return fail("stopped by a signal");
			else
				poll(&poll_fd, 1, 100);
			continue;
		}
		if (error != ERROR_OK)
			break;
		if (!api_head(frame, reply, &number, &code) || (number != 0 && number != api->number))
			error = ERROR_MALFORMED;
		else if (number != 0 && code == 0)
			return true;
		else if (number != 0)
			error = (enum error)code;
	}
	return fail("%s: %s", what, error_text(error));
}

/* ---- questions ---- */

static bool answer_ended(const char *what, struct cbor_reader *reader)
{
	enum error error = cbor_read_end(reader);
	return error == ERROR_OK ? true : fail("%s: %s", what, error_text(error));
}

static void read_parties(struct cbor_reader *reader, struct api_channel *channel)
{
	channel->roster.count = cbor_read_array(reader, PARTIES_MAX);
	for (size_t i = 0; i < channel->roster.count; i++) {
		cbor_read_array_exact(reader, 5);
		cbor_read_bytes_exact(reader, channel->roster.ids[i], PARTY_ID_SIZE);
		for (int rest = 0; rest < 4; rest++)
			cbor_read_item(reader);
	}
}

static void read_posts(struct cbor_reader *reader, struct api_channel *channel)
{
	size_t count = cbor_read_array(reader, LOG_MAX + 1);
	for (size_t i = 0; i < count; i++) {
		cbor_read_array_exact(reader, 4);
		uint64_t log = cbor_read_uint_max(reader, LOG_MAX);
		if (log_roster_index(log) == channel->own_index)
			channel->own_log = log;
		for (int rest = 0; rest < 3; rest++)
			cbor_read_item(reader);
	}
}

static void read_officers(struct cbor_reader *reader, struct api_channel *channel)
{
	size_t count = cbor_read_array(reader, OFFICERS_MAX * PARTIES_MAX);
	for (size_t i = 0; i < count; i++) {
		cbor_read_array_exact(reader, 7);
		uint64_t index = cbor_read_uint(reader);
		uint64_t officer = cbor_read_uint(reader);
		for (int rest = 0; rest < 3; rest++)
			cbor_read_item(reader);
		size_t agreed = cbor_read_array(reader, PARTIES_MAX);
		for (size_t j = 0; j < agreed; j++)
			cbor_read_uint(reader);
		cbor_read_uint(reader);
		if (index == channel->own_index && channel->own_officer == 0) {
			channel->own_officer = officer;
			channel->own_officer_agreed = agreed + 1 >= channel->roster.count;
		}
	}
}

static bool read_channel(struct cbor_reader *reply, struct api_channel *channel)
{
	struct terms terms = {0};
	struct bytes encoded = cbor_read_bytes(reply, TERMS_SIZE_MAX);
	cbor_read_bytes(reply, CHANNEL_NONCE_SIZE);
	channel->open = cbor_read_uint(reply) == 2;
	channel->own_index = cbor_read_uint_max(reply, PARTIES_MAX - 1);
	cbor_read_bytes_exact(reply, channel->registry, sizeof channel->registry);
	read_parties(reply, channel);
	read_posts(reply, channel);
	read_officers(reply, channel);
	if (reply->error == ERROR_OK && terms_decode(encoded, &terms) != ERROR_OK)
		cbor_reader_fail(reply, ERROR_MALFORMED);
	channel->heads_interval_s = terms.heads_interval_s;
	return answer_ended("the post's answer about its channel", reply);
}

bool api_channel(struct api *api, struct api_channel *channel, bool *found)
{
	struct cbor_reader reply;
	*channel = (struct api_channel){0};
	api_begin(api, LOCAL_CHANNELS, 0);
	if (!api_ask(api, "asking the post for its channels", &reply))
		return false;
	*found = cbor_read_array(&reply, CHANNELS_MAX) > 0;
	if (*found) {
		cbor_read_array(&reply, 4);
		cbor_read_bytes_exact(&reply, channel->id, sizeof channel->id);
	}
	if (reply.error != ERROR_OK)
		return fail("the post's answer about its channels: %s", error_text(reply.error));
	if (!*found)
		return true;
	struct buffer *request = api_begin(api, LOCAL_CHANNEL, 1);
	cbor_write_bytes(request, bytes_make(channel->id, sizeof channel->id));
	return api_ask(api, "asking the post for its channel", &reply) && read_channel(&reply, channel);
}

bool api_line_up(struct api *api, bool *up)
{
	struct cbor_reader reply;
	api_begin(api, LOCAL_STATUS, 0);
	if (!api_ask(api, "asking the post for its state", &reply))
		return false;
	cbor_read_item(&reply);
	bool connected = cbor_read_bool(&reply);
	size_t count = cbor_read_array(&reply, LOCAL_FRAME_SIZE_MAX);
	size_t routes_up = 0;
	for (size_t i = 0; i < count; i++) {
		cbor_read_array_exact(&reply, 5);
		cbor_read_item(&reply);
		cbor_read_item(&reply);
		routes_up += cbor_read_uint(&reply) == LINK_ROUTE_UP;
		cbor_read_item(&reply);
		cbor_read_item(&reply);
	}
	*up = connected && count > 0 && routes_up == count;
	return reply.error == ERROR_OK
		       ? true
		       : fail("the post's answer about its state: %s", error_text(reply.error));
}
