#include "bench/line.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PASSPHRASE  "of use to nobody, for it guards nothing\n"
#define READY_MS    30000 /* until a daemon answers or the line is up */
#define LETTERS_MS  60000 /* until letters have crossed */
#define SETUP_STEPS 14
#define ROUNDS_MAX  4 /* in which each side signs what is due */

/* ---- small files and paths ---- */

static bool join(char path[LINE_PATH_SIZE_MAX], const char *directory, const char *name)
{
	int size = snprintf(path, LINE_PATH_SIZE_MAX, "%s/%s", directory, name);
	return size > 0 && size < LINE_PATH_SIZE_MAX ? true : fail("the path of %s is too long", name);
}

static bool write_file(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool write_file(const char *path, const char *format, ...)
{
	va_list arguments;
	FILE *file = fopen(path, "we");
	if (file == NULL)
		return fail("%s cannot be written: %s", path, strerror(errno));
	fchmod(fileno(file), 0600); /* a passphrase that others may read is refused */
	va_start(arguments, format);
	bool written = vfprintf(file, format, arguments) > 0;
	va_end(arguments);
	return fclose(file) == 0 && written ? true : fail("%s cannot be written", path);
}

unsigned short line_free_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool bound = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
		     getsockname(fd, (struct sockaddr *)&address, &size) == 0;
	if (!bound)
		fail("no port is free on the loopback interface: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	return bound ? ntohs(address.sin_port) : 0;
}

/* ---- the command line ---- */

/* liaison WORDS... for the side, whose directories are in the environment; what it says is not shown. */
static bool run_liaison(const struct line *line, const struct side *side, const char *const words[])
{
	char party[LINE_PATH_SIZE_MAX];
	char copies[CHILD_ARGUMENTS_MAX][PROGRAM_SIZE_MAX];
	char *arguments[CHILD_ARGUMENTS_MAX + 1];
	size_t count = 0;
	if (!join(party, side->directory, "party"))
		return false;
	if (setenv("LIAISON_POST", side->post_directory, 1) != 0 || setenv("LIAISON_PARTY", party, 1) != 0 ||
	    setenv("LIAISON_PASSPHRASE_FILE", side->passphrase_path, 1) != 0)
		return fail("no memory for the environment of a command");
	snprintf(copies[count++], PROGRAM_SIZE_MAX, "%s", line->place->liaison);
	for (size_t i = 0; words[i] != NULL; i++)
		snprintf(copies[count++], PROGRAM_SIZE_MAX, "%s", words[i]);
	for (size_t i = 0; i < count; i++)
		arguments[i] = copies[i];
	arguments[count] = NULL;
	return command_run(arguments, NULL, 0);
}

/* ---- daemons ---- */

static bool start_post(struct line *line, struct side *side)
{
	char directory[LINE_PATH_SIZE_MAX], counts[LINE_PATH_SIZE_MAX];
	char name[] = "liaisond", option[] = "--dir";
	char *const arguments[] = {name, option, directory, NULL};
	memcpy(directory, side->post_directory, sizeof directory);
	if (!join(counts, side->directory, "post-syncs"))
		return false;
	side->post = child_start(&line->children, "liaisond", line->place->liaisond, arguments,
				 side->post_log, line->place->preload, counts);
	for (int64_t end = now_us() + READY_MS * 1000; side->post != NULL && now_us() < end;) {
		struct api api;
		bool answers = api_open(&api, side->post_directory);
		api_close(&api);
		if (answers)
			return true;
		if (!child_runs(side->post) || !wait_ms(20))
			return false;
	}
	return fail("liaisond does not answer");
}

static bool start_courier(struct line *line, struct side *side)
{
	char directory[LINE_PATH_SIZE_MAX], counts[LINE_PATH_SIZE_MAX];
	char name[] = "liaison-courierd", option[] = "--dir";
	char *const arguments[] = {name, option, directory, NULL};
	memcpy(directory, side->courier_directory, sizeof directory);
	if (!join(counts, side->directory, "courier-syncs"))
		return false;
	side->courier = child_start(&line->children, "liaison-courierd", line->place->courierd, arguments,
				    side->courier_log, line->place->preload, counts);
	return side->courier != NULL;
}

static bool write_configurations(struct line *line, unsigned short port)
{
	char path[LINE_PATH_SIZE_MAX];
	const struct side *a = &line->sides[0], *b = &line->sides[1];
	return join(path, a->courier_directory, "courier.conf") &&
	       write_file(path,
			  "node %s\npost %s/courier.sock\nneighbour b node %s pin %s address 127.0.0.1:%u "
			  "dial\n",
			  a->node, a->post_directory, b->node, b->pin, port) &&
	       join(path, b->courier_directory, "courier.conf") &&
	       write_file(path,
			  "node %s\npost %s/courier.sock\nlisten 127.0.0.1:%u\nneighbour a node %s pin %s\n",
			  b->node, b->post_directory, line->port, a->node, a->pin);
}

static bool side_is_up(const struct side *side, bool *up)
{
	struct api api;
	bool asked = api_open(&api, side->post_directory) && api_line_up(&api, up);
	api_close(&api);
	return asked;
}

bool line_start_couriers(struct line *line, unsigned short port)
{
	if (!write_configurations(line, port) || !start_courier(line, &line->sides[1]) ||
	    !start_courier(line, &line->sides[0]))
		return false;
	for (int64_t end = now_us() + READY_MS * 1000; now_us() < end;) {
		bool up[2];
		if (!line_runs(line) || !side_is_up(&line->sides[0], &up[0]) ||
		    !side_is_up(&line->sides[1], &up[1]) || !wait_ms(20))
			return false;
		if (up[0] && up[1])
			return true;
	}
	return fail("the couriers do not find each other");
}

void line_stop_couriers(struct line *line)
{
	for (int i = 0; i < 2; i++) {
		child_stop(line->sides[i].courier);
		line->sides[i].courier = NULL;
	}
}

bool line_runs(struct line *line)
{
	for (int i = 0; i < 2; i++) {
		struct side *side = &line->sides[i];
		if ((side->post != NULL && !child_runs(side->post)) ||
		    (side->courier != NULL && !child_runs(side->courier)))
			return false;
	}
	return true;
}

void line_stop(struct line *line)
{
	children_stop(&line->children);
}

/* ---- from nothing to an open channel ---- */

static bool name_paths(struct line *line, struct side *side, const char *folder)
{
	char counts[LINE_PATH_SIZE_MAX];
	if (!join(side->directory, line->place->directory, folder) ||
	    !join(side->post_directory, side->directory, "post") ||
	    !join(side->courier_directory, side->directory, "courier") ||
	    !join(side->officer_path, side->directory, "officer.key") ||
	    !join(side->passphrase_path, side->directory, "passphrase") ||
	    !join(side->post_log, side->directory, "liaisond.log") ||
	    !join(side->courier_log, side->directory, "liaison-courierd.log"))
		return false;
	if (mkdir(side->directory, 0700) != 0)
		return fail("%s cannot be made: %s", side->directory, strerror(errno));
	if (!join(counts, side->directory, "post-syncs"))
		return false;
	side->post_syncs = sync_table_make(counts);
	if (side->post_syncs == NULL || !join(counts, side->directory, "courier-syncs"))
		return false;
	side->courier_syncs = sync_table_make(counts);
	return side->courier_syncs != NULL && write_file(side->passphrase_path, "%s", PASSPHRASE);
}

static bool make_courier(struct line *line, struct side *side)
{
	char program[PROGRAM_SIZE_MAX], directory[LINE_PATH_SIZE_MAX], node[32], printed[256];
	char dir[] = "--dir", init[] = "--init", node_option[] = "--node", show_pin[] = "--show-pin";
	memcpy(program, line->place->courierd, sizeof program);
	memcpy(directory, side->courier_directory, sizeof directory);
	snprintf(node, sizeof node, "%s", side->node);
	char *const make[] = {program, dir, directory, init, node_option, node, NULL};
	char *const show[] = {program, dir, directory, show_pin, NULL};
	if (!command_run(make, NULL, 0) || !command_run(show, printed, sizeof printed))
		return false;
	if (strlen(printed) != LINE_PIN_SIZE)
		return fail("liaison-courierd --show-pin printed no pin");
	memcpy(side->pin, printed, sizeof side->pin);
	return true;
}

static bool make_side(struct line *line, struct side *side, struct step *step, unsigned *done)
{
	char party[LINE_PATH_SIZE_MAX], card[LINE_PATH_SIZE_MAX];
	if (!join(party, side->directory, "party") || !join(card, side->directory, "card") ||
	    !make_courier(line, side))
		return false;
	const char *const party_create[] = {"party", "create", party, "--name", side->name, "--yes", NULL};
	const char *const officer_create[] = {"officer", "create",  side->officer_path,
					      "--name",  "A. Rowe", NULL};
	const char *const post_create[] = {"post",     "create", side->post_directory,
					   "--name",   "Post",   "--node",
					   side->node, "--pin",  side->pin,
					   "--yes",    NULL};
	const char *const card_export[] = {"card", "export", card, NULL};
	if (!run_liaison(line, side, party_create))
		return false;
	step_show(step, ++*done, SETUP_STEPS);
	if (!run_liaison(line, side, officer_create))
		return false;
	step_show(step, ++*done, SETUP_STEPS);
	if (!run_liaison(line, side, post_create) || !start_post(line, side) ||
	    !run_liaison(line, side, card_export))
		return false;
	step_show(step, ++*done, SETUP_STEPS);
	return true;
}

static bool exchange_cards_and_keying(struct line *line, struct step *step, unsigned *done)
{
	char cards[2][LINE_PATH_SIZE_MAX], keying[LINE_PATH_SIZE_MAX];
	struct side *a = &line->sides[0], *b = &line->sides[1];
	if (!join(cards[0], a->directory, "card") || !join(cards[1], b->directory, "card") ||
	    !join(keying, line->place->directory, "keying"))
		return false;
	const char *const accept_b[] = {"card", "accept", cards[1], "--yes", NULL};
	const char *const accept_a[] = {"card", "accept", cards[0], "--yes", NULL};
	const char *const keying_make[] = {"keying", "make", keying, "--with", b->name, NULL};
	const char *const keying_accept[] = {"keying", "accept", keying, NULL};
	if (!run_liaison(line, a, accept_b) || !run_liaison(line, b, accept_a) ||
	    !run_liaison(line, a, keying_make))
		return false;
	step_show(step, ++*done, SETUP_STEPS);
	if (!run_liaison(line, b, keying_accept))
		return false;
	step_show(step, ++*done, SETUP_STEPS);
	return true;
}

static bool ask_channel(const struct side *side, struct api_channel *channel, bool *found)
{
	struct api api;
	if (!api_open(&api, side->post_directory))
		return fail("the post of %s does not answer", side->name);
	bool asked = api_channel(&api, channel, found);
	api_close(&api);
	return asked;
}

/* True once the registry of both posts is the same: all letters signed so far have crossed. */
static bool wait_for_letters(struct line *line)
{
	for (int64_t end = now_us() + LETTERS_MS * 1000; now_us() < end;) {
		struct api_channel channels[2];
		bool found[2];
		for (int i = 0; i < 2; i++)
			if (!ask_channel(&line->sides[i], &channels[i], &found[i]))
				return false;
		if (found[0] && found[1] &&
		    memcmp(channels[0].registry, channels[1].registry, sizeof channels[0].registry) == 0)
			return true;
		if (!line_runs(line) || !wait_ms(20))
			return false;
	}
	return fail("letters do not cross between the two posts");
}

/* Each side signs what is due, in turns, until an officer of side 0 may speak. */
static bool open_channel(struct line *line, struct step *step, unsigned *done)
{
	for (int round = 0; round < ROUNDS_MAX; round++) {
		struct api_channel channel;
		bool found;
		for (int i = 0; i < 2; i++) {
			const char *const words[] = {"channel", "open", "--with", line->sides[1 - i].name,
						     "--yes",   NULL};
			if (!run_liaison(line, &line->sides[i], words) || !wait_for_letters(line))
				return false;
			step_show(step, ++*done, SETUP_STEPS);
		}
		if (!ask_channel(&line->sides[0], &channel, &found))
			return false;
		if (found && channel.open && channel.own_officer != 0 && channel.own_officer_agreed)
			return true;
	}
	return fail("the channel does not open");
}

bool line_make(struct line *line, struct place *place, struct step *step)
{
	unsigned done = 0;
	*line = (struct line){.place = place,
			      .sides = {{.name = "Alliance", .node = "ipn:1001.0"},
					{.name = "Federation", .node = "ipn:2002.0"}}};
	line->port = line_free_port();
	return line->port != 0 && name_paths(line, &line->sides[0], "a") &&
	       name_paths(line, &line->sides[1], "b") && make_side(line, &line->sides[0], step, &done) &&
	       make_side(line, &line->sides[1], step, &done) &&
	       exchange_cards_and_keying(line, step, &done) && line_start_couriers(line, line->port) &&
	       open_channel(line, step, &done);
}
