/*
 * courier.conf: which node this courier is, where it listens, where its post is, whom it knows.
 *
 * One statement a line, words parted by spaces or TABs; '#' begins a comment; empty lines are nothing:
 *
 *   node ipn:1001.0
 *   listen 127.0.0.1:4556                 up to LISTEN_MAX; IPv6 as [::1]:4556
 *   post /srv/alliance/post/courier.sock
 *   neighbour federation node ipn:2002.0 pin 64-HEX-DIGITS address 192.0.2.7:4556 dial
 *   neighbour vessel node ipn:3.0 pin 64-HEX-DIGITS client-certificate none
 *   neighbour bench node ipn:4.0 address 127.0.0.1:4557 dial closed
 *   neighbour relay node ipn:6.0 pin 64-HEX-DIGITS fragments none
 *   path ipn:5.0 via vessel               a node that is reached through a neighbour; up to PATHS_MAX
 *   keylog FILE                            only in builds with test hooks
 *
 * A neighbour is pinned (SHA-256 of its key's SubjectPublicKeyInfo) unless its link is `closed` (plain TCPCL,
 * no TLS), or it presents no certificate and dials us (`client-certificate none`). Addresses are numeric: the
 * courier resolves no names. To one with `fragments none` every bundle goes in one piece.
 *
 * The parser is pure and fed line by line; it keeps nothing of the text. What it makes is used only when
 * every line was right.
 */
#ifndef COURIER_CONFIG_H
#define COURIER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"

#define CONFIG_PIN_SIZE 32
#define CONFIG_HOST_SIZE_MAX 48 /* a numeric IPv6 address with its NUL */
#define CONFIG_MESSAGE_SIZE_MAX 256

struct config_address {
	char host[CONFIG_HOST_SIZE_MAX]; /* numeric, without brackets */
	uint16_t port;
	bool ipv6;
};

struct config_neighbour {
	char name[NAME_SIZE_MAX + 1];
	char node[NODE_ID_SIZE_MAX + 1];
	uint8_t pin[CONFIG_PIN_SIZE];
	bool has_pin;
	bool has_address;
	bool dial;
	bool closed;
	bool client_certificate_none;
	bool fragments_none; /* it does not take fragments of bundles */
	struct config_address address;
};

struct config_path {
	char node[NODE_ID_SIZE_MAX + 1];
	char via[NAME_SIZE_MAX + 1];
	unsigned neighbour; /* the index of `via`, from config_end() on */
};

struct config {
	char node[NODE_ID_SIZE_MAX + 1];
	char post[SOCKET_PATH_SIZE_MAX]; /* empty when there is none; may be relative, to DIR */
	char keylog[PATH_SIZE_MAX];      /* empty when there is none */
	struct config_address listen[LISTEN_MAX];
	unsigned listen_count;
	struct config_neighbour neighbours[NEIGHBOURS_MAX]; /* ascending by name */
	unsigned neighbour_count;
	struct config_path paths[PATHS_MAX];
	unsigned path_count;
};

/* Starts with nothing stated. */
void config_begin(struct config *config);

/*
 * Takes one line, without its newline. On failure ERROR_MALFORMED (or ERROR_FULL: more than the limits allow,
 * or ERROR_EXISTS: stated before), and `message` (CONFIG_MESSAGE_SIZE_MAX bytes) says what was expected; the
 * config is then not to be used. keylog: whether that statement is taken.
 */
enum error config_line(struct config *config, struct bytes line, bool keylog, char *message);

/* After the last line: checks what no single line can say, and sorts. As config_line. */
enum error config_end(struct config *config, char *message);

/*
 * A whole file: config_begin, each line, config_end. On failure *line_number is the line's (from 1), or 0 for
 * config_end.
 */
enum error config_parse(
	struct config *config, struct bytes text, bool keylog, unsigned *line_number, char *message);

/* HOST:PORT or [HOST]:PORT, numeric. ERROR_MALFORMED. */
enum error config_address_parse(struct bytes text, struct config_address *address);

/* 64 hexadecimal digits. ERROR_MALFORMED. */
enum error config_pin_parse(struct bytes text, uint8_t pin[CONFIG_PIN_SIZE]);

#endif
