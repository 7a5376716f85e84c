#include "bench/forwarder.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/wait.h"

#define PAIRS_MAX 8
#define ROOM      65536

/*
 * A TCPCL KEEPALIVE is one byte (RFC 9174, section 5.1.1); in TLS 1.3 with a 16-byte tag its record has 23
 * (RFC 8446, section 5.2). No other message of a session is as short.
 */
#define KEEPALIVE_SIZE 23

struct pair {
	int fds[2]; /* accepted, dialled; -1: a free place */
};

static int dial(unsigned short port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static void end_pair(struct pair *pair)
{
	for (int i = 0; i < 2; i++) {
		if (pair->fds[i] >= 0)
			close(pair->fds[i]);
		pair->fds[i] = -1;
	}
}

static void accept_pair(const struct forwarder *forwarder, struct pair pairs[PAIRS_MAX])
{
	int one = 1, fd = accept4(forwarder->listener, NULL, NULL, SOCK_CLOEXEC);
	for (int i = 0; fd >= 0 && i < PAIRS_MAX; i++) {
		if (pairs[i].fds[0] >= 0)
			continue;
		pairs[i].fds[0] = fd;
		pairs[i].fds[1] = dial(forwarder->to);
		for (int j = 0; j < 2; j++)
			setsockopt(pairs[i].fds[j], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		if (pairs[i].fds[1] < 0)
			end_pair(&pairs[i]);
		return;
	}
	if (fd >= 0)
		close(fd);
}

/* Passes on what is there. False when the connection has ended. */
static bool pass(struct forwarder_counts *counts, int from, int to)
{
	uint8_t bytes[ROOM];
	ssize_t got = recv(from, bytes, sizeof bytes, 0);
	if (got <= 0)
		return false;
	atomic_fetch_add(&counts->bytes, (unsigned long long)got);
	if (got == KEEPALIVE_SIZE)
		atomic_fetch_add(&counts->keepalives, KEEPALIVE_SIZE);
	for (ssize_t at = 0; at < got;) {
		ssize_t sent = send(to, bytes + at, (size_t)(got - at), MSG_NOSIGNAL);
		if (sent <= 0)
			return false;
		at += sent;
	}
	return true;
}

/* The forwarder's process: until it is ended. */
static int forward(void *context)
{
	const struct forwarder *forwarder = context;
	struct pair pairs[PAIRS_MAX];
	for (int i = 0; i < PAIRS_MAX; i++)
		pairs[i] = (struct pair){{-1, -1}};
	for (;;) {
		struct pollfd polls[1 + 2 * PAIRS_MAX];
		polls[0] = (struct pollfd){.fd = forwarder->listener, .events = POLLIN};
		for (int i = 0; i < 2 * PAIRS_MAX; i++)
			polls[1 + i] = (struct pollfd){.fd = pairs[i / 2].fds[i % 2], .events = POLLIN};
		if (poll(polls, 1 + 2 * PAIRS_MAX, -1) < 0 && errno != EINTR)
			return 1;
		for (int i = 0; i < 2 * PAIRS_MAX; i++) {
			struct pair *pair = &pairs[i / 2];
			if (polls[1 + i].revents != 0 && pair->fds[0] >= 0 &&
			    !pass(forwarder->counts, pair->fds[i % 2], pair->fds[1 - i % 2]))
				end_pair(pair);
		}
		if (polls[0].revents != 0)
			accept_pair(forwarder, pairs);
	}
}

bool forwarder_start(struct forwarder *forwarder, struct children *children, unsigned short to)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;
	*forwarder = (struct forwarder){.to = to};
	void *memory = mmap(NULL, sizeof *forwarder->counts, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	forwarder->counts = memory != MAP_FAILED ? memory : NULL;
	forwarder->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (forwarder->counts == NULL || forwarder->listener < 0 ||
	    bind(forwarder->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
	    listen(forwarder->listener, PAIRS_MAX) != 0 ||
	    getsockname(forwarder->listener, (struct sockaddr *)&address, &size) != 0)
		return fail("the couriers cannot be joined on the loopback interface: %s", strerror(errno));
	forwarder->port = ntohs(address.sin_port);
	forwarder->child = child_fork(children, "the wire between the couriers", forward, forwarder);
	return forwarder->child != NULL;
}

void forwarder_stop(struct forwarder *forwarder)
{
	child_stop(forwarder->child);
	if (forwarder->listener > 0)
		close(forwarder->listener);
	if (forwarder->counts != NULL)
		munmap(forwarder->counts, sizeof *forwarder->counts);
	*forwarder = (struct forwarder){0};
}

uint64_t forwarder_bytes(const struct forwarder *forwarder)
{
	return atomic_load(&forwarder->counts->bytes) - atomic_load(&forwarder->counts->keepalives);
}

bool forwarder_wait_quiet(const struct forwarder *forwarder, unsigned ms)
{
	uint64_t before = forwarder_bytes(forwarder);
	for (int i = 0; i < 20; i++) {
		if (!wait_ms(ms))
			return false;
		uint64_t now = forwarder_bytes(forwarder);
		if (now == before)
			return true;
		before = now;
	}
	return true;
}
