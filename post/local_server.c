#include "post/local_server.h"

#include <assert.h>
#include <unistd.h>

#include "post/peer.h"

#define ACCEPTS_MAX 16 /* in one turn: a flood of connections must not hold up the line */

void local_server_make(struct local_server *server, int listener, struct logger *logger)
{
	*server = (struct local_server){.listener = listener, .logger = logger};
	for (unsigned i = 0; i < LOCAL_CLIENTS_MAX; i++)
		server->clients[i].fd = -1;
}

static void close_client(struct local_client *client)
{
	if (client->fd < 0)
		return;
	close(client->fd);
	stream_free(&client->in);
	stream_free(&client->out);
	client->fd = -1;
}

void local_server_close(struct local_server *server)
{
	for (unsigned i = 0; i < LOCAL_CLIENTS_MAX; i++)
		close_client(&server->clients[i]);
}

void local_server_drop(struct local_server *server, struct local_client *client, enum error reason,
		       const char *text, uint64_t steady_ms)
{
	if (reason != ERROR_OK)
		logger_refusal(server->logger, steady_ms, reason, bytes_of_text(text));
	close_client(client);
}

/* ---- waiting ---- */

static bool wants_to_read(const struct local_client *client)
{
	return !client->busy && stream_room(&client->in) != 0;
}

size_t local_server_poll(const struct local_server *server, struct pollfd *polls)
{
	size_t count = 0;

	polls[count++] = (struct pollfd){.fd = server->listener, .events = POLLIN};
	for (unsigned i = 0; i < LOCAL_CLIENTS_MAX; i++) {
		const struct local_client *client = &server->clients[i];
		short events = 0;

		if (client->fd < 0)
			continue;
		if (wants_to_read(client))
			events |= POLLIN;
		if (stream_bytes(&client->out).size != 0)
			events |= POLLOUT;
		polls[count++] = (struct pollfd){.fd = client->fd, .events = events};
	}
	return count;
}

/* ---- moving bytes ---- */

static void write_out(struct local_server *server, struct local_client *client, uint64_t steady_ms)
{
	size_t before = stream_bytes(&client->out).size;

	if (before == 0)
		return;
	if (stream_write(&client->out, client->fd) != ERROR_OK)
		local_server_drop(server, client, ERROR_OK, "", steady_ms);
	else if (stream_bytes(&client->out).size < before)
		client->moved_ms = steady_ms;
}

static void read_in(struct local_server *server, struct local_client *client, uint64_t steady_ms)
{
	size_t before = stream_bytes(&client->in).size;
	enum error error = stream_read(&client->in, client->fd, LOCAL_READ_SIZE);

	if (error == ERROR_CLOSED)
		local_server_drop(server, client, ERROR_OK, "", steady_ms);
	else if (error != ERROR_OK)
		local_server_drop(server, client, error, "a client of the local socket", steady_ms);
	else if (before == 0)
		client->moved_ms = steady_ms;
}

static void accept_clients(struct local_server *server, uint64_t steady_ms)
{
	for (unsigned accepted = 0; accepted < ACCEPTS_MAX; accepted++) {
		struct local_client *place = NULL;
		enum error error;
		int fd;

		error = peer_accept(server->listener, &fd);
		if (error == ERROR_NOT_FOUND)
			return;
		if (error != ERROR_OK) {
			logger_refusal(server->logger, steady_ms, error,
				       bytes_of_text("a process of another user at the local socket"));
			continue;
		}
		for (unsigned i = 0; i < LOCAL_CLIENTS_MAX && place == NULL; i++) {
			if (server->clients[i].fd < 0)
				place = &server->clients[i];
		}
		if (place == NULL) {
			close(fd);
			logger_refusal(server->logger, steady_ms, ERROR_FULL,
				       bytes_of_text("too many connections at the local socket"));
			continue;
		}
		*place = (struct local_client){
			.fd = fd, .number = ++server->last_number, .moved_ms = steady_ms};
		place->in = stream_make(LOCAL_FRAME_SIZE_MAX + 4);
		place->out = stream_make(LOCAL_OUT_SIZE_MAX);
	}
}

static struct local_client *client_of(struct local_server *server, int fd)
{
	for (unsigned i = 0; i < LOCAL_CLIENTS_MAX; i++) {
		if (server->clients[i].fd == fd)
			return &server->clients[i];
	}
	return NULL;
}

void local_server_turn(struct local_server *server, const struct pollfd *polls, size_t count,
		       uint64_t steady_ms)
{
	for (size_t i = 1; i < count; i++) {
		struct local_client *client = client_of(server, polls[i].fd);

		if (client == NULL || polls[i].revents == 0)
			continue;
		if ((polls[i].revents & POLLOUT) != 0)
			write_out(server, client, steady_ms);
		if (client->fd >= 0 && (polls[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
			/* One that has gone while its request is under way is noticed without reading. */
			if (wants_to_read(client))
				read_in(server, client, steady_ms);
			else if ((polls[i].revents & (POLLHUP | POLLERR)) != 0)
				local_server_drop(server, client, ERROR_OK, "", steady_ms);
		}
	}
	if ((polls[0].revents & POLLIN) != 0)
		accept_clients(server, steady_ms);
}

void local_server_tick(struct local_server *server, uint64_t steady_ms)
{
	for (unsigned i = 0; i < LOCAL_CLIENTS_MAX; i++) {
		struct local_client *client = &server->clients[i];

		if (client->fd < 0 || steady_ms - client->moved_ms < LOCAL_STALL_MS)
			continue;
		if (stream_bytes(&client->out).size != 0)
			local_server_drop(server, client, ERROR_TIMED_OUT, "a client that does not read",
					  steady_ms);
		else if (!client->busy && stream_bytes(&client->in).size != 0)
			local_server_drop(server, client, ERROR_TIMED_OUT, "half a request", steady_ms);
	}
}

/* ---- requests and replies ---- */

bool local_server_is_ready(const struct local_server *server)
{
	for (unsigned i = 0; i < LOCAL_CLIENTS_MAX; i++) {
		const struct local_client *client = &server->clients[i];
		struct bytes frame;
		size_t size;

		if (client->fd >= 0 && !client->busy &&
		    local_frame_next(stream_bytes(&client->in), &frame, &size) != ERROR_TRUNCATED)
			return true;
	}
	return false;
}

struct local_client *local_server_next(struct local_server *server, uint64_t steady_ms, struct bytes *frame)
{
	for (unsigned i = 0; i < LOCAL_CLIENTS_MAX; i++) {
		struct local_client *client = &server->clients[(server->next + i) % LOCAL_CLIENTS_MAX];
		enum error error;
		size_t size;

		if (client->fd < 0 || client->busy || stream_bytes(&client->in).size == 0)
			continue;
		error = local_frame_next(stream_bytes(&client->in), frame, &size);
		if (error == ERROR_OK) {
			server->next = (server->next + i + 1) % LOCAL_CLIENTS_MAX;
			return client;
		}
		if (error != ERROR_TRUNCATED)
			local_server_drop(server, client, error, "a frame at the local socket", steady_ms);
	}
	return NULL;
}

void local_server_took(struct local_client *client, struct bytes frame)
{
	stream_consume(&client->in, FRAME_HEAD_SIZE + frame.size);
	client->busy = true;
}

struct local_client *local_server_find(struct local_server *server, uint64_t number)
{
	for (unsigned i = 0; i < LOCAL_CLIENTS_MAX; i++) {
		if (server->clients[i].fd >= 0 && server->clients[i].number == number)
			return &server->clients[i];
	}
	return NULL;
}

static void queue(struct local_server *server, struct local_client *client, struct bytes frame,
		  uint64_t steady_ms)
{
	bool was_empty = stream_bytes(&client->out).size == 0;
	enum error error = stream_append(&client->out, frame);

	if (error != ERROR_OK)
		local_server_drop(server, client, error, "a client that does not read", steady_ms);
	else if (was_empty)
		client->moved_ms = steady_ms;
}

void local_server_reply(struct local_server *server, struct local_client *client, struct bytes frame,
			bool ends, uint64_t steady_ms)
{
	assert(client->busy);
	if (ends) {
		client->busy = false;
		client->moved_ms = steady_ms; /* what the client sent meanwhile has waited for us */
	}
	queue(server, client, frame, steady_ms);
}

void local_server_notice(struct local_server *server, struct bytes frame, uint64_t steady_ms)
{
	for (unsigned i = 0; i < LOCAL_CLIENTS_MAX; i++) {
		if (server->clients[i].fd >= 0 && server->clients[i].subscribed)
			queue(server, &server->clients[i], frame, steady_ms);
	}
}

void local_server_flush(struct local_server *server, uint64_t steady_ms)
{
	for (unsigned i = 0; i < LOCAL_CLIENTS_MAX; i++) {
		if (server->clients[i].fd >= 0)
			write_out(server, &server->clients[i], steady_ms);
	}
}
