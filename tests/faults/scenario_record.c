/*
 * A post with the real record: two parties' channel that is open, on which messages are sealed, taken and
 * receipted, heads are told and epochs end. The post under trial has its store and anchor in the folder; the
 * other post keeps its rows in memory (tests/trial/scenario.h). Only what is the post's own fails: the calls
 * into it pass through here (the linker's --wrap). An error ends it as it ends the daemon.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/faults/fail.h"
#include "tests/faults/scenario.h"
#include "tests/trial/drive.h"
#include "tests/trial/scenario.h"

/* Of tests/trial/scenario.c; the others there call the machine by ways that do not lead through here. */
enum course { SEND, RECEIVE, ERASE };

enum wrong { RIGHT, TELLS_TOO_MUCH, KEEPS_MEMORY };

/* The calls that pass through here have no place for a context. */
static struct scene {
	struct trial trial;
	jmp_buf end; /* of the process that is tried */
	bool running;
	enum wrong wrong;
	uint8_t *files[2]; /* as each process finds them */
	size_t sizes[2];
} scene;

static const char *const names[2] = {MACHINE_STORE, MACHINE_ANCHOR};

/* ---- a folder in the place of the drive that loses its power ---- */

void drive_settle(void)
{
	/* nothing is held back here */
}

void drive_put(const char *name, const void *bytes, size_t size)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || syscall(SYS_write, fd, bytes, size) != (long)size)
		abort();
	close(fd);
}

void drive_empty(void)
{
	for (unsigned i = 0; i < 2; i++)
		unlink(names[i]);
}

/* ---- the calls into the post ---- */

enum error __real_machine_event(struct machine *machine, const struct record_event *event);
enum error __real_machine_commit(struct machine *machine, const struct record_event *room);
enum error __real_machine_perform(struct machine *machine,
				  void (*perform)(void *context, const struct record_action *action),
				  void *context);
const char *__real_machine_open(struct machine *machine, struct record *record, struct buffer *anchor);
void __real_machine_close(struct machine *machine);
void __real_machine_rows(struct machine *machine, machine_row *each, void *context);
bool __real_machine_is_whole(struct machine *machine);
enum error __wrap_machine_event(struct machine *machine, const struct record_event *event);
enum error __wrap_machine_commit(struct machine *machine, const struct record_event *room);
enum error __wrap_machine_perform(struct machine *machine,
				  void (*perform)(void *context, const struct record_action *action),
				  void *context);
const char *__wrap_machine_open(struct machine *machine, struct record *record, struct buffer *anchor);
void __wrap_machine_close(struct machine *machine);
void __wrap_machine_rows(struct machine *machine, machine_row *each, void *context);
bool __wrap_machine_is_whole(struct machine *machine);

static enum error left(enum error error)
{
	fail_enter(FAIL_OUTSIDE);
	if (error != ERROR_OK && scene.running)
		longjmp(scene.end, (int)error);
	return error;
}

enum error __wrap_machine_event(struct machine *machine, const struct record_event *event)
{
	fail_enter(FAIL_TRIED);
	return left(__real_machine_event(machine, event));
}

enum error __wrap_machine_commit(struct machine *machine, const struct record_event *room)
{
	char *kept = NULL;
	enum error error;

	fail_enter(FAIL_TRIED);
	if (scene.wrong == KEEPS_MEMORY)
		kept = malloc(1);
	error = __real_machine_commit(machine, room);
	if (error == ERROR_OK)
		free(kept);
	for (size_t i = 0; error != ERROR_OK && scene.wrong == TELLS_TOO_MUCH && i < scene.trial.words_count;
	     i++)
		scene.trial.words[i].told = true;
	return left(error);
}

/* Who performs is the world. */
struct performer {
	void (*perform)(void *context, const struct record_action *action);
	void *context;
};

static void perform_outside(void *context, const struct record_action *action)
{
	const struct performer *performer = context;
	enum fail_scope scope = fail_enter(FAIL_OUTSIDE);

	performer->perform(performer->context, action);
	fail_enter(scope);
}

enum error __wrap_machine_perform(struct machine *machine,
				  void (*perform)(void *context, const struct record_action *action),
				  void *context)
{
	struct performer performer = {perform, context};

	fail_enter(FAIL_TRIED);
	return left(__real_machine_perform(machine, perform_outside, &performer));
}

const char *__wrap_machine_open(struct machine *machine, struct record *record, struct buffer *anchor)
{
	const char *why;

	fail_enter(FAIL_TRIED);
	why = __real_machine_open(machine, record, anchor);
	left(why == NULL ? ERROR_OK : ERROR_IO);
	return why;
}

void __wrap_machine_close(struct machine *machine)
{
	fail_enter(FAIL_TRIED);
	__real_machine_close(machine);
	left(ERROR_OK);
}

/* What the world is shown of the rows is no call of the daemon's. */
struct viewer {
	machine_row *each;
	void *context;
};

static void view_outside(void *context, const struct row *row)
{
	const struct viewer *viewer = context;
	enum fail_scope scope = fail_enter(FAIL_OUTSIDE);

	viewer->each(viewer->context, row);
	fail_enter(scope);
}

void __wrap_machine_rows(struct machine *machine, machine_row *each, void *context)
{
	struct viewer viewer = {each, context};

	fail_enter(FAIL_SPARED);
	__real_machine_rows(machine, view_outside, &viewer);
	left(ERROR_OK);
}

bool __wrap_machine_is_whole(struct machine *machine)
{
	bool whole;

	fail_enter(FAIL_SPARED);
	whole = __real_machine_is_whole(machine);
	left(ERROR_OK);
	return whole;
}

/* ---- the scenario ---- */

static void keep_file(unsigned place)
{
	int fd = open(names[place], O_RDONLY | O_CLOEXEC);
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);

	scene.files[place] = size < 0 ? NULL : malloc((size_t)size + 1);
	if (scene.files[place] == NULL || pread(fd, scene.files[place], (size_t)size, 0) != size)
		abort();
	scene.sizes[place] = (size_t)size;
	close(fd);
}

/* The channel is opened once: that takes the longest. */
static void record_make_line(void)
{
	if (scene.files[0] != NULL)
		return;
	fail_enter(FAIL_OUTSIDE);
	machine_prepare(1);
	trial_make(&scene.trial);
	machine_close(scene.trial.machine);
	for (unsigned i = 0; i < 2; i++)
		keep_file(i);
}

static enum error record_prepare(void)
{
	for (unsigned i = 0; i < 2; i++)
		drive_put(names[i], scene.files[i], scene.sizes[i]);
	trial_seed(&scene.trial, 1);
	return ERROR_OK;
}

static enum error run_course(enum course course)
{
	int error = setjmp(scene.end);

	if (error == 0) {
		scene.trial.scenario = &trial_scenarios[course];
		scene.running = true;
		if (trial_recover(&scene.trial))
			trial_go_on(&scene.trial);
	}
	scene.running = false;
	machine_close(scene.trial.machine);
	return (enum error)error;
}

static const char *record_go_on(void)
{
	struct trial *trial = &scene.trial;

	scene.wrong = RIGHT;
	if (trial->problem[0] == '\0' && trial_recover(trial)) {
		trial_go_on(trial);
		(void)trial_judge(trial);
		machine_close(trial->machine);
	}
	return trial->problem[0] == '\0' ? NULL : trial->problem;
}

/* What was told is in the world's memory: so none of these tells. */

static enum error send_run(struct scenario_told *told)
{
	(void)told;
	return run_course(SEND);
}

static enum error receive_run(struct scenario_told *told)
{
	(void)told;
	return run_course(RECEIVE);
}

static enum error erase_run(struct scenario_told *told)
{
	(void)told;
	return run_course(ERASE);
}

static enum error telling_run(struct scenario_told *told)
{
	(void)told;
	scene.wrong = TELLS_TOO_MUCH;
	return run_course(SEND);
}

static enum error keeping_run(struct scenario_told *told)
{
	(void)told;
	scene.wrong = KEEPS_MEMORY;
	return run_course(SEND);
}

#define LINE .make = record_make_line, .prepare = record_prepare, .go_on = record_go_on
const struct scenario scenarios[] = {
	{.name = "send", LINE, .run = send_run},
	{.name = "receive", LINE, .run = receive_run},
	{.name = "erase", LINE, .run = erase_run},
	{.name = "wrong-tells", LINE, .run = telling_run, .wrong = "word 0 was told", .wrong_class = "sync"},
	{.name = "wrong-forgets", LINE, .run = keeping_run, .wrong = "leak", .wrong_class = "sync"},
	{.name = NULL},
};
