#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "bench/report.h"
#include "bench/rounds.h"

#define EXCHANGES_DEFAULT 20000
#define EXCHANGES_MIN     50
#define EXCHANGES_MAX     1000000
#define SECONDS_DEFAULT   90
#define SECONDS_MAX       3600
#define IDLE_MAX          200 /* exchanges on an idle line */
#define IDLE_GAP_MS       25
#define REST_MS           3000 /* what daemons get to give back memory before it is looked at */
#define SIZES_COUNT       7    /* exchanges of which the median size is taken */

struct arguments {
	bool json;
	unsigned exchanges;
	unsigned seconds;
	unsigned connections;
	const char *directory;
	const char *bin;
};

static const char help[] =
	"Usage: bench-line [--json] [--exchanges N] [--seconds S] [--connections C] [--dir DIR] [--bin DIR]\n"
	"\n"
	"Opens a whole line on this machine - two parties, each with its post and courier, the real daemons, "
	"their\n"
	"sandboxes, TLS, synced commits - and measures it. An exchange is one text of 160 bytes: signed, "
	"sealed, carried,\n"
	"opened, verified, committed on both sides, its receipt back, verified and committed.\n"
	"\n"
	"  --json            one JSON object on standard output instead of a table\n"
	"  --exchanges N     messages in the measurement of throughput (20000)\n"
	"  --seconds S       no measurement submits messages for longer; from 65 on the traffic of heads is "
	"measured (90)\n"
	"  --connections C   officers' programs that submit at once, 1 to 30 (30)\n"
	"  --dir DIR         work in a directory made in DIR, which must be on a disk (/var/tmp)\n"
	"  --bin DIR         liaison, liaisond and liaison-courierd are all in DIR (in the build tree of "
	"bench-line)\n"
	"\n"
	"Try:  tools/build release && build/release/bench/bench-line\n";

static bool number(const char *option, const char *text, unsigned min, unsigned max, unsigned *value)
{
	char *end;
	unsigned long long given = strtoull(text, &end, 10);
	*value = (unsigned)given;
	if (text[0] >= '0' && text[0] <= '9' && *end == '\0' && strlen(text) < 12 && given >= min &&
	    given <= max)
		return true;
	return fail("--%s takes a whole number from %u to %u, not '%s'", option, min, max, text);
}

/* -1: go on; else the exit status. */
static int parse(int argc, char **argv, struct arguments *arguments)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},          {"exchanges", required_argument, NULL, 'e'},
		{"seconds", required_argument, NULL, 's'}, {"connections", required_argument, NULL, 'c'},
		{"dir", required_argument, NULL, 'd'},     {"bin", required_argument, NULL, 'b'},
		{"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
	};
	bool sound = true;
	for (int letter; sound && (letter = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (letter == 'j')
			arguments->json = true;
		else if (letter == 'e')
			sound = number("exchanges", optarg, EXCHANGES_MIN, EXCHANGES_MAX,
				       &arguments->exchanges);
		else if (letter == 's')
			sound = number("seconds", optarg, 1, SECONDS_MAX, &arguments->seconds);
		else if (letter == 'c')
			sound = number("connections", optarg, 1, CONNECTIONS_MAX, &arguments->connections);
		else if (letter == 'd')
			arguments->directory = optarg;
		else if (letter == 'b')
			arguments->bin = optarg;
		else if (letter == 'h')
			return fputs(help, stdout) < 0;
		else
			sound = false;
	}
	if (sound && optind < argc)
		sound = fail("'%s' is not an option: see --help", argv[optind]);
	return sound ? -1 : 2;
}

/* VmRSS of a process, from what the kernel says of it. */
static bool resident_kib(const struct child *child, unsigned *most)
{
	char path[64], line[256];
	unsigned kib = 0;
	snprintf(path, sizeof path, "/proc/%d/status", (int)child->pid);
	FILE *file = fopen(path, "re");
	while (file != NULL && fgets(line, sizeof line, file) != NULL)
		if (strncmp(line, "VmRSS:", 6) == 0)
			kib = (unsigned)strtoul(line + 6, NULL, 10);
	if (file != NULL)
		fclose(file);
	if (kib > *most)
		*most = kib;
	return kib > 0 ? true : fail("the kernel does not say what %s holds in memory", child->name);
}

static bool measure_memory(const struct line *line, struct report *report)
{
	if (!wait_ms(REST_MS))
		return false;
	for (int i = 0; i < 2; i++)
		if (!resident_kib(line->sides[i].post, &report->post_kib) ||
		    !resident_kib(line->sides[i].courier, &report->courier_kib))
			return false;
	return true;
}

static bool measure_exchanges(struct line *line, struct officer *officer, const char *what,
			      const struct exchange_plan *plan, struct exchange_result *result)
{
	struct step step;
	step_begin(&step, what);
	bool done = exchange_run(line, officer, plan, &step, result);
	step_end(&step);
	return done;
}

static bool measure_bytes(struct line *line, struct officer *officer, const struct arguments *arguments,
			  struct report *report)
{
	struct step step;
	step_begin(&step, "bytes on a standing session");
	bool done = session_measure(line, officer, SIZES_COUNT, arguments->seconds, &step, &report->session);
	step_end(&step);
	if (!done)
		return false;
	step_begin(&step, "sizes of sealed copies");
	done = copies_measure(line, officer, SIZES_COUNT, &step, &report->sizes);
	step_end(&step);
	return done;
}

static bool measure(struct line *line, struct officer *officer, const struct arguments *arguments,
		    struct report *report)
{
	unsigned tenth = arguments->exchanges / 10;
	const struct exchange_plan idle = {.count = tenth < IDLE_MAX ? tenth : IDLE_MAX,
					   .seconds = arguments->seconds,
					   .connections = 1,
					   .one_by_one = true,
					   .gap_ms = IDLE_GAP_MS};
	const struct exchange_plan single = {
		.count = tenth, .seconds = arguments->seconds, .connections = 1, .one_by_one = true};
	const struct exchange_plan batched = {.count = arguments->exchanges,
					      .seconds = arguments->seconds,
					      .connections = arguments->connections};
	return measure_exchanges(line, officer, "one exchange at a time, with pauses", &idle,
				 &report->idle) &&
	       measure_exchanges(line, officer, "one receipt for each message", &single, &report->single) &&
	       measure_bytes(line, officer, arguments, report) && line_start_couriers(line, line->port) &&
	       rounds_measure(line, officer, &batched, &report->sizes, &report->batched, &report->floor) &&
	       measure_memory(line, report);
}

static bool run(const struct arguments *arguments, struct place *place, struct report *report)
{
	struct line *line = calloc(1, sizeof *line);
	struct officer *officer = calloc(1, sizeof *officer);
	struct step step;
	if (line == NULL || officer == NULL) {
		free(line);
		free(officer);
		return fail("the machine has no memory left");
	}
	step_begin(&step, "two parties and the line between them");
	bool done = line_make(line, place, &step) && officer_open(officer, &line->sides[0]);
	step_end(&step);
	done = done && measure(line, officer, arguments, report);
	line_stop(line);
	officer_close(officer);
	free(officer);
	free(line);
	return done;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {
		.exchanges = EXCHANGES_DEFAULT, .seconds = SECONDS_DEFAULT, .connections = CONNECTIONS_MAX};
	struct place place = {0};
	struct report report = {0};
	cpu_set_t cores;
	int status = parse(argc, argv, &arguments);
	if (status >= 0)
		return status;
	wait_prepare();
	if (sodium_init() < 0)
		return fail("the cryptographic library cannot start") ? 0 : 1;
	bool done =
		place_make(&place, arguments.directory, arguments.bin) && run(&arguments, &place, &report);
	if (done) {
		report.file_system = place.file_system;
		report.connections = arguments.connections;
		report.cores =
			sched_getaffinity(0, sizeof cores, &cores) == 0 ? (unsigned)CPU_COUNT(&cores) : 1;
		if (arguments.json)
			done = report_json(&report);
		else
			report_table(&report);
	}
	place_remove(&place);
	exchange_free(&report.idle);
	exchange_free(&report.single);
	exchange_free(&report.batched);
	return done && fflush(stdout) == 0 ? 0 : 1;
}
