#include "bench/copies.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/link.h"

#define LINK_MEMORY_SIZE (8 * LINK_FRAME_SIZE_MAX)
#define GREETING_MS      10000
#define QUIET_MS         1500 /* all that waited has crossed when nothing came for so long */
#define EXCHANGE_MS      10000

/* One post's link, with us as its courier. */
struct end {
	const struct side *side;
	int fd;
	struct buffer in;
	struct buffer out;
	bool greeted;
	uint64_t deliveries; /* given to this post so far */
};

struct copies {
	struct end ends[2];
	struct link_message *message; /* some 40 KiB */
	uint8_t *memory;
	unsigned sizes[2][COPIES_MAX]; /* of the first copy that each side sent in each exchange */
	bool seen[2];
	unsigned exchange; /* the present one */
	int64_t moved_us;  /* when a copy last crossed */
};

static bool connect_end(struct end *end)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof address.sun_path, "%.90s/courier.sock", end->side->post_directory);
	end->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (end->fd >= 0 && connect(end->fd, (struct sockaddr *)&address, sizeof address) == 0)
		return true;
	return fail("the post of %s takes no courier: %s", end->side->name, strerror(errno));
}

static bool say(struct end *end, const struct link_message *message)
{
	enum error error = link_encode(&end->out, LINK_COURIER, message);
	return error == ERROR_OK ? true : fail("a message to a post: %s", error_text(error));
}

/* A copy that the post has handed over: "queued", and on to the other post. */
static bool take_copy(struct copies *copies, int from, const struct link_send *copy)
{
	struct end *end = &copies->ends[from], *other = &copies->ends[1 - from];
	struct link_message progress = {.type = LINK_PROGRESS, .progress = {.state = LINK_QUEUED}};
	struct link_message received = {.type = LINK_RECEIVED,
					.received = {.delivery = ++other->deliveries,
						     .source = bytes_of_text(end->side->node),
						     .precedence = copy->precedence,
						     .sealed = copy->sealed}};
	memcpy(progress.progress.id, copy->id, sizeof progress.progress.id);
	if (!copies->seen[from])
		copies->sizes[from][copies->exchange] = (unsigned)copy->sealed.size;
	copies->seen[from] = true;
	copies->moved_us = now_us();
	return say(end, &progress) && say(other, &received);
}

static bool take_messages(struct copies *copies, int from)
{
	struct end *end = &copies->ends[from];
	struct bytes frame;
	size_t size;
	enum error error;
	while ((error = link_frame_next(buffer_bytes(&end->in), &frame, &size)) == ERROR_OK) {
		error = link_decode(frame, LINK_POST, copies->message);
		if (error != ERROR_OK)
			break;
		if (copies->message->type == LINK_HELLO)
			end->greeted = true;
		if (copies->message->type == LINK_SEND && !take_copy(copies, from, &copies->message->send))
			return false;
		buffer_consume(&end->in, size);
	}
	return error == ERROR_TRUNCATED ? true : fail("a message of a post: %s", error_text(error));
}

static bool send_out(struct end *end)
{
	ssize_t sent = send(end->fd, end->out.data, end->out.size, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0 && errno != EAGAIN)
		return fail("the post of %s has closed its link", end->side->name);
	buffer_consume(&end->out, sent > 0 ? (size_t)sent : 0);
	return true;
}

/* Waits at most `ms` and moves what there is. */
static bool turn(struct copies *copies, int ms)
{
	struct pollfd polls[2];
	for (int i = 0; i < 2; i++)
		polls[i] = (struct pollfd){
			.fd = copies->ends[i].fd,
			.events = (short)(POLLIN | (copies->ends[i].out.size > 0 ? POLLOUT : 0))};
	if (poll(polls, 2, ms) <= 0)
		return interrupted() ? fail("stopped by a signal") : true;
	for (int i = 0; i < 2; i++) {
		struct end *end = &copies->ends[i];
		if ((polls[i].revents & POLLOUT) != 0 && !send_out(end))
			return false;
		if ((polls[i].revents & ~POLLOUT) == 0)
			continue;
		ssize_t got = recv(end->fd, end->in.data + end->in.size, end->in.size_max - end->in.size, 0);
		if (got <= 0)
			return fail("the post of %s has closed its link", end->side->name);
		end->in.size += (size_t)got;
		if (!take_messages(copies, i))
			return false;
	}
	return true;
}

/* As a courier, greets both posts and lets all that waited cross. */
static bool begin(struct copies *copies, struct line *line)
{
	for (int i = 0; i < 2; i++) {
		struct end *end = &copies->ends[i];
		struct link_message hello = {.type = LINK_HELLO,
					     .hello = {.version = LINK_VERSION,
						       .role = LINK_COURIER,
						       .node = bytes_of_text(line->sides[i].node)}};
		end->side = &line->sides[i];
		end->in = buffer_make(copies->memory + 2 * (size_t)i * LINK_MEMORY_SIZE, LINK_MEMORY_SIZE);
		end->out = buffer_make(copies->memory + (2 * (size_t)i + 1) * LINK_MEMORY_SIZE,
				       LINK_MEMORY_SIZE);
		struct link_message heads = {.type = LINK_HEADS}; /* none are kept here */
		if (!connect_end(end) || !say(end, &hello) || !say(end, &heads))
			return false;
	}
	int64_t begun = now_us();
	copies->moved_us = begun;
	while (now_us() - copies->moved_us < QUIET_MS * 1000) {
		if (!turn(copies, 50))
			return false;
		if (now_us() - begun > GREETING_MS * 1000)
			return fail("the line does not come to rest");
	}
	return copies->ends[0].greeted && copies->ends[1].greeted ? true
								  : fail("a post did not greet its courier");
}

static bool one_exchange(struct copies *copies, struct officer *officer)
{
	struct api api;
	int64_t end = now_us() + EXCHANGE_MS * 1000;
	copies->seen[0] = copies->seen[1] = false;
	if (!api_open(&api, copies->ends[0].side->post_directory))
		return fail("the post takes no further connection");
	bool moved = officer_submit(officer, &api);
	while (moved && !(copies->seen[0] && copies->seen[1]) && now_us() < end)
		moved = turn(copies, 50);
	for (int i = 0; moved && i < 4; i++) /* the rest of it */
		moved = turn(copies, 50);
	api_close(&api);
	return moved && !(copies->seen[0] && copies->seen[1]) ? fail("a message or its receipt did not cross")
							      : moved;
}

static int compare(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
	return x < y ? -1 : x > y;
}

static unsigned median(unsigned *sizes, unsigned count)
{
	qsort(sizes, count, sizeof *sizes, compare);
	return sizes[count / 2];
}

bool copies_measure(struct line *line, struct officer *officer, unsigned count, struct step *step,
		    struct copies_sizes *sizes)
{
	struct copies *copies = calloc(1, sizeof *copies);
	struct link_message *message = malloc(sizeof *message);
	uint8_t *memory = malloc(4 * (size_t)LINK_MEMORY_SIZE);
	bool done = copies != NULL && message != NULL && memory != NULL;
	if (!done)
		fail("the machine has no memory left");
	if (done) {
		copies->message = message;
		copies->memory = memory;
		copies->ends[0].fd = copies->ends[1].fd = -1;
		done = begin(copies, line);
		for (unsigned i = 0; done && i < count && i < COPIES_MAX; i++) {
			copies->exchange = i;
			done = one_exchange(copies, officer);
			step_show(step, i + 1, count);
		}
		if (done) {
			sizes->message = median(copies->sizes[0], count);
			sizes->receipt = median(copies->sizes[1], count);
		}
		for (int i = 0; i < 2; i++)
			if (copies->ends[i].fd >= 0)
				close(copies->ends[i].fd);
	}
	free(memory);
	free(message);
	free(copies);
	return done;
}
