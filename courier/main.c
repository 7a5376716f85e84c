/*
 * liaison-courierd: the courier's daemon. Everything that needs the world is done here, in order, before the
 * sandbox closes; courier.c runs from then on.
 *
 *   main ---fork---> connector (Unix sockets to the post, nothing else)
 *    |
 *    +-- directory, configuration, lock, key, queue, listening sockets
 *    +-- sandbox
 *    +-- loop
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "courier/connector.h"
#include "courier/courier.h"
#include "courier/hooks.h"
#include "courier/lock.h"
#include "courier/sandbox.h"
#include "shell/standard_descriptors.h"

struct arguments {
	const char *directory;
	const char *node;
	const char *forbidden;
	bool init;
	bool show_pin;
	bool no_sandbox;
};

static const char help[] =
	"liaison-courierd carries sealed messages between a post and its neighbours.\n"
	"It holds no key that opens or signs a message.\n"
	"\n"
	"  liaison-courierd --dir DIR --init --node ipn:1001.0\n"
	"      makes DIR, a TLS key and certificate in it, and a courier.conf to fill in;\n"
	"      prints the node id and the pin that neighbours need\n"
	"  liaison-courierd --dir DIR --show-pin\n"
	"      prints the pin again\n"
	"  liaison-courierd --dir DIR\n"
	"      runs until SIGTERM or SIGINT; SIGHUP takes the neighbours of courier.conf anew\n"
	"\n"
	"DIR/courier.conf, one statement a line, '#' begins a comment:\n"
	"  node ipn:1001.0                      this courier\n"
	"  listen 127.0.0.1:4556                where neighbours may dial it (numeric; [::1]:4556)\n"
	"  post /srv/post/courier.sock          its post's socket; ../post/courier.sock is seen from DIR\n"
	"  neighbour NAME node ipn:2002.0 pin HEX address 192.0.2.7:4556 dial\n"
	"      a neighbour whose key has the pin HEX (its --show-pin); `dial`: we connect to it;\n"
	"      `closed`: plain TCPCL without TLS on this link, for wires that nobody else reaches;\n"
	"      `client-certificate none`: it may dial us without a certificate;\n"
	"      `fragments none`: it is sent every bundle in one piece\n"
	"  path ipn:3003.0 via NAME             a node behind a neighbour\n"
	"\n"
	"  --unsafe-no-sandbox                  run where the kernel has no Landlock or seccomp\n"
	"  --help, --version\n";

static int usage(const char *wrong)
{
	fprintf(stderr, "liaison-courierd: %s; see liaison-courierd --help\n", wrong);
	return 2;
}

/* The value of an option, or NULL where it lacks. */
static const char *value_of(int count, char **texts, int *at)
{
	return *at + 1 < count ? texts[++*at] : NULL;
}

static bool parse_arguments(struct arguments *arguments, int count, char **texts)
{
	for (int i = 1; i < count; i++) {
		if (strcmp(texts[i], "--dir") == 0)
			arguments->directory = value_of(count, texts, &i);
		else if (strcmp(texts[i], "--node") == 0)
			arguments->node = value_of(count, texts, &i);
		else if (strcmp(texts[i], "--init") == 0)
			arguments->init = true;
		else if (strcmp(texts[i], "--show-pin") == 0)
			arguments->show_pin = true;
		else if (strcmp(texts[i], "--unsafe-no-sandbox") == 0)
			arguments->no_sandbox = true;
		else if (hooks_built() && strcmp(texts[i], "--test-forbidden") == 0)
			arguments->forbidden = value_of(count, texts, &i);
		else
			return false;
	}
	return true;
}

static int stops(const char *what, const char *why)
{
	log_say("does not start: %s: %s", what, why);
	return 1;
}

/* `before` is printed in front of the pin's digits. */
static int print_pin(const char *before, const struct certificate *certificate)
{
	uint8_t pin[CERTIFICATE_PIN_SIZE];

	if (certificate_pin(certificate->x509, pin) != ERROR_OK)
		return stops(CERTIFICATE_FILE, "holds no key");
	fputs(before, stdout);
	for (size_t i = 0; i < sizeof pin; i++)
		printf("%02x", pin[i]);
	printf("\n");
	return fflush(stdout) == 0 ? 0 : 1;
}

/* ---- --init ---- */

static bool write_sample(int directory, const char *node)
{
	int file = openat(directory, "courier.conf", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool done;

	if (file < 0)
		return errno == EEXIST;
	done = dprintf(file,
		       "# See liaison-courierd --help.\n"
		       "node %s\n"
		       "#listen 127.0.0.1:4556\n"
		       "#post /srv/post/courier.sock\n"
		       "#neighbour NAME node ipn:2002.0 pin HEX address 192.0.2.7:4556 dial\n",
		       node) > 0 &&
		fsync(file) == 0;
	return close(file) == 0 && done;
}

static int initialize(const struct arguments *arguments)
{
	struct certificate certificate;
	char line[CONFIG_LINE_SIZE_MAX];
	char message[CONFIG_MESSAGE_SIZE_MAX];
	struct config *config = calloc(1, sizeof *config);
	int directory;
	int code = 1;

	if (config == NULL)
		return stops("--init", "there is no memory left");
	snprintf(line, sizeof line, "node %s", arguments->node);
	if (config_line(config, bytes_of_text(line), false, message) != ERROR_OK) {
		code = usage("--node takes a node id such as ipn:1001.0 or dtn://name/");
		goto end;
	}
	if (mkdir(arguments->directory, 0700) != 0 && errno != EEXIST) {
		stops(arguments->directory, strerror(errno));
		goto end;
	}
	directory = open(arguments->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0) {
		stops(arguments->directory, strerror(errno));
		goto end;
	}
	switch (certificate_make(directory, config->node, &certificate)) {
	case ERROR_OK:
		printf("node %s\n", config->node);
		code = write_sample(directory, config->node) ? print_pin("pin ", &certificate) :
							       stops("courier.conf", strerror(errno));
		certificate_free(&certificate);
		break;
	case ERROR_EXISTS:
		stops(arguments->directory, "is a courier's directory already; --show-pin shows its pin");
		break;
	default:
		stops(CERTIFICATE_KEY_FILE, "cannot be made");
		break;
	}
	close(directory);
end:
	free(config);
	return code;
}

/* ---- running ---- */

/* The key and certificate, made where there are none yet. */
static int get_certificate(int directory, const struct config *config, struct certificate *certificate)
{
	struct stat status;
	enum error error;

	if (fstatat(directory, CERTIFICATE_KEY_FILE, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
		(status.st_mode & 077) != 0)
		return stops(CERTIFICATE_KEY_FILE,
			"it is a secret, and others may read or change it: chmod 600 it, in the courier's "
			"directory");
	error = certificate_load(directory, certificate);
	if (error == ERROR_NOT_FOUND)
		error = certificate_make(directory, config->node, certificate);
	if (error != ERROR_OK)
		return stops("tls.key and tls.crt",
			error == ERROR_MALFORMED ? "are not a key and its certificate: remove both, and give "
						   "neighbours the new pin" :
						   "cannot be read or made");
	if (!certificate_names_node(certificate->x509, bytes_of_text(config->node))) {
		certificate_free(certificate);
		return stops(CERTIFICATE_FILE, "names another node than courier.conf");
	}
	return 0;
}

static int show_pin(const struct arguments *arguments)
{
	struct certificate certificate;
	struct config *config = calloc(1, sizeof *config);
	int directory = open(arguments->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int code = 1;

	if (config == NULL || directory < 0) {
		code = stops(arguments->directory, strerror(errno));
	} else if (courier_read_config(directory, "courier.conf", config) == ERROR_OK) {
		code = get_certificate(directory, config, &certificate);
		if (code == 0) {
			code = print_pin("", &certificate);
			certificate_free(&certificate);
		}
	}
	if (directory >= 0)
		close(directory);
	free(config);
	return code;
}

/* Closes the sandbox; 0, or the exit code. */
static int close_sandbox(const struct arguments *arguments, int directory)
{
	const char *problem = NULL;

	if (arguments->no_sandbox) {
		log_say("runs without a sandbox, as it was told: whoever takes this process has all that its "
			"user has");
		return 0;
	}
	if (sandbox_enter(SANDBOX_COURIER, directory, &problem) != ERROR_OK)
		return stops("no sandbox (--unsafe-no-sandbox runs without)", problem);
	return 0;
}

static int open_store(struct store **store)
{
	enum error error = store_open(store, STORE_FILE, 4 * (uint64_t)QUEUE_POOL_SIZE_MAX);

	if (error == ERROR_OK)
		return 0;
	log_say("does not start: %s: %s (%s)", STORE_FILE, error_text(error), store_problem(*store));
	return 1;
}

/* A courier straight from --init has nobody to carry for: it says so, once. */
static void say_what_is_missing(const struct config *config)
{
	bool dials = false;

	for (unsigned i = 0; i < config->neighbour_count; i++)
		dials = dials || config->neighbours[i].dial;
	if (config->post[0] == '\0')
		log_say("courier.conf names no `post`: nothing is taken from one or given to one here");
	if (config->neighbour_count == 0)
		log_say("courier.conf names no `neighbour`: nothing is carried");
	else if (config->listen_count == 0 && !dials)
		log_say("courier.conf has no `listen`, and no neighbour with `dial`: nothing is carried");
}

static int run_locked(const struct arguments *arguments, struct courier *courier, struct courier_parts *parts)
{
	struct certificate certificate;
	const char *problem = NULL;
	int code = get_certificate(parts->directory, &courier->config, &certificate);

	if (code != 0)
		return code;
	parts->certificate = &certificate;
	code = open_store(&parts->store);
	if (code == 0 && courier->config.keylog[0] != '\0') {
		parts->keylog = hooks_open_keylog(courier->config.keylog);
		if (parts->keylog < 0)
			code = stops(courier->config.keylog, strerror(errno));
	}
	if (code == 0 && courier_open(courier, parts, &problem) != ERROR_OK)
		code = stops("the loop", problem);
	if (code == 0)
		code = close_sandbox(arguments, parts->directory);
	if (code == 0 && arguments->forbidden != NULL)
		code = hooks_try_forbidden(arguments->forbidden, courier->config.post);
	else if (code == 0) {
		say_what_is_missing(&courier->config);
		code = courier_run(courier);
	}
	courier_close(courier);
	store_close(parts->store);
	certificate_free(&certificate);
	return code;
}

static int run(const struct arguments *arguments)
{
	struct courier *courier = calloc(1, sizeof *courier);
	struct courier_parts parts = {.channel = -1, .keylog = -1};
	pid_t connector = -1;
	int lock;
	int code;

	if (courier == NULL)
		return stops("the courier", "there is no memory left");
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	/* Paths are below the directory from here on, so that the sandbox needs no other. */
	if (chdir(arguments->directory) != 0) {
		free(courier);
		return stops(arguments->directory, strerror(errno));
	}
	parts.directory = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	code = parts.directory >= 0 ? 0 : stops(arguments->directory, strerror(errno));
	if (code == 0 && courier_read_config(parts.directory, "courier.conf", &courier->config) != ERROR_OK)
		code = 1;
	/* Before the lock and the key: the connector shall have neither. */
	if (code == 0 && courier->config.post[0] != '\0' &&
		connector_start(courier->config.post, !arguments->no_sandbox, &parts.channel, &connector) !=
			ERROR_OK)
		code = stops("the connector", strerror(errno));
	if (code == 0) {
		enum error error = lock_take(parts.directory, &lock);

		if (error == ERROR_OK) {
			code = run_locked(arguments, courier, &parts);
			lock_release(parts.directory, lock);
		} else {
			code = stops(arguments->directory,
				error == ERROR_BUSY ? "another courier runs in it" : strerror(errno));
		}
	}
	if (parts.directory >= 0)
		close(parts.directory);
	/* The link to the post, where there came to be one, has closed its channel. */
	if (parts.channel >= 0 && courier->post == NULL)
		close(parts.channel);
	if (connector >= 0)
		connector_wait(connector);
	free(courier);
	return code;
}

int main(int count, char **texts)
{
	struct arguments arguments = {0};

	if (!standard_descriptors_fill())
		return 1; /* and nobody to tell it to */
	if (count == 2 && (strcmp(texts[1], "--help") == 0 || strcmp(texts[1], "-h") == 0)) {
		fputs(help, stdout);
		return 0;
	}
	if (count == 2 && strcmp(texts[1], "--version") == 0) {
		puts("liaison-courierd " LIAISON_VERSION);
		return 0;
	}
	if (!parse_arguments(&arguments, count, texts))
		return usage("an argument is not one that it takes");
	if (arguments.directory == NULL)
		return usage("--dir DIR is needed");
	/* No configuration of OpenSSL from outside: what TLS does is decided in tls.c. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	if (arguments.init)
		return arguments.node != NULL ? initialize(&arguments) : usage("--init needs --node NODE-ID");
	if (arguments.node != NULL)
		return usage("--node goes with --init only; a running courier has it in courier.conf");
	return arguments.show_pin ? show_pin(&arguments) : run(&arguments);
}
