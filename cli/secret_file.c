#include "cli/secret_file.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <sodium.h>

#include "base/cbor.h"
#include "cli/files.h"

#define TAG_SIZE    crypto_aead_xchacha20poly1305_ietf_ABYTES
#define HEADER_TEXT "liaison secret file"

struct header {
	struct bytes purpose;
	struct bytes public_part;
	uint64_t operations;
	uint64_t memory_kib;
	uint8_t salt[crypto_pwhash_SALTBYTES];
	uint8_t nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];
};

enum line_read {
	LINE_TAKEN,
	LINE_MISSING,
	LINE_UNFIT, /* only a part of it could be taken, so nothing was */
};

/* The line up to CR, LF or the end. */
static enum line_read read_line(FILE *from, struct passphrase *passphrase)
{
	int byte = getc(from);
	if (byte == EOF)
		return LINE_MISSING;
	passphrase->size = 0;
	for (; byte != EOF && byte != '\r' && byte != '\n'; byte = getc(from)) {
		if (byte == '\0' || passphrase->size == PASSPHRASE_SIZE_MAX)
			return LINE_UNFIT;
		passphrase->text[passphrase->size++] = (char)byte;
	}
	passphrase->text[passphrase->size] = '\0';
	return ferror(from) ? LINE_MISSING : LINE_TAKEN;
}

/* What would be cut would protect less than its owner thinks. */
static void say_unfit(const struct call *call)
{
	call_fail(call,
		  "the passphrase has more than %d bytes, or a NUL among them, and is not taken in part: "
		  "choose another",
		  PASSPHRASE_SIZE_MAX);
}

/* ---- asking ---- */

/* What would end the program; what is ignored stays so. */
static void ending_signals(sigset_t *ending)
{
	static const int numbers[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP};
	sigemptyset(ending);
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		struct sigaction action;
		if (sigaction(numbers[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			sigaddset(ending, numbers[i]);
	}
}

/* False if one of `ending`, which are blocked, comes before there is a line. */
static bool wait_for_line(FILE *terminal, const sigset_t *ending)
{
	struct pollfd polls[] = {{.fd = fileno(terminal), .events = POLLIN},
				 {.fd = signalfd(-1, ending, SFD_CLOEXEC), .events = POLLIN}};
	while (poll(polls, 2, -1) < 0 && errno == EINTR)
		;
	if (polls[1].fd >= 0)
		close(polls[1].fd);
	return polls[1].revents == 0;
}

/*
 * What comes meanwhile to end the program ends it when the terminal shows again what is typed. Ctrl-Z does
 * not pass: whoever took the terminal over would not see what he types.
 */
static enum line_read ask(FILE *terminal, const char *prompt, const char *what, struct passphrase *passphrase)
{
	struct termios before, quiet;
	sigset_t ending, former;
	if (tcgetattr(fileno(terminal), &before) != 0)
		return LINE_MISSING;
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	quiet.c_cc[VSUSP] = _POSIX_VDISABLE;
	ending_signals(&ending);
	sigprocmask(SIG_BLOCK, &ending, &former);
	fprintf(terminal, "%s %s: ", prompt, what);
	fflush(terminal);
	tcsetattr(fileno(terminal), TCSAFLUSH, &quiet);
	enum line_read line =
		wait_for_line(terminal, &ending) ? read_line(terminal, passphrase) : LINE_MISSING;
	tcsetattr(fileno(terminal), TCSAFLUSH, &before); /* the rest of a line too long goes to nobody */
	fprintf(terminal, "\n");
	sigprocmask(SIG_SETMASK, &former, NULL);
	return line;
}

static bool ask_on_terminal(const struct call *call, const char *what, bool is_new,
			    struct passphrase *passphrase)
{
	FILE *terminal = fopen("/dev/tty", "r+");
	if (terminal == NULL) {
		call_fail(call, "there is no terminal to ask for the passphrase: use --passphrase-file");
		return false;
	}
	setvbuf(terminal, NULL, _IONBF, 0);
	enum line_read line =
		ask(terminal, is_new ? "New passphrase for" : "Passphrase for", what, passphrase);
	bool done = line == LINE_TAKEN;
	if (done && is_new) {
		struct passphrase again = {0};
		done = ask(terminal, "Again, for", what, &again) == LINE_TAKEN &&
		       again.size == passphrase->size &&
		       memcmp(again.text, passphrase->text, again.size) == 0;
		passphrase_wipe(&again);
		if (!done)
			call_fail(call, "the two passphrases differ: nothing was written");
	} else if (line == LINE_UNFIT) {
		say_unfit(call);
	} else if (!done) {
		call_fail(call, "no passphrase was given");
	}
	fclose(terminal);
	return done;
}

bool passphrase_get(const struct call *call, const char *what, bool is_new, struct passphrase *passphrase)
{
	const char *path = call_value(call, "passphrase-file", getenv("LIAISON_PASSPHRASE_FILE"));
	*passphrase = (struct passphrase){0};
	if (path != NULL) {
		FILE *file = fopen(path, "re");
		if (file == NULL)
			return call_fail(call, "cannot read %s: %s", path, strerror(errno)) == 0;
		setvbuf(file, NULL, _IONBF, 0); /* nothing of it stays in a buffer that is not wiped */
		bool is_private = file_is_private(call, path, fileno(file));
		enum line_read line = is_private ? read_line(file, passphrase) : LINE_MISSING;
		fclose(file);
		if (line != LINE_TAKEN) {
			passphrase_wipe(passphrase);
			if (line == LINE_UNFIT)
				say_unfit(call);
			else if (is_private)
				call_fail(call, "cannot read a passphrase from %s", path);
			return false;
		}
	} else if (!ask_on_terminal(call, what, is_new, passphrase)) {
		passphrase_wipe(passphrase);
		return false;
	}
	if (is_new && passphrase->size < PASSPHRASE_SIZE_MIN) {
		call_fail(call, "the passphrase is shorter than %d bytes: choose several words",
			  PASSPHRASE_SIZE_MIN);
		passphrase_wipe(passphrase);
		return false;
	}
	return true;
}

void passphrase_wipe(struct passphrase *passphrase)
{
	sodium_memzero(passphrase, sizeof *passphrase);
}

/* Everything before the ciphertext, without the array's head: also the additional data. */
static void write_header(struct buffer *buffer, const struct header *header)
{
	cbor_write_text(buffer, bytes_of_text(HEADER_TEXT));
	cbor_write_uint(buffer, 1);
	cbor_write_text(buffer, header->purpose);
	cbor_write_bytes(buffer, header->public_part);
	cbor_write_uint(buffer, header->operations);
	cbor_write_uint(buffer, header->memory_kib);
	cbor_write_bytes(buffer, bytes_make(header->salt, sizeof header->salt));
	cbor_write_bytes(buffer, bytes_make(header->nonce, sizeof header->nonce));
}

static bool derive_key(const struct header *header, const struct passphrase *passphrase, uint8_t key[32])
{
	return crypto_pwhash(key, 32, passphrase->text, passphrase->size, header->salt, header->operations,
			     (size_t)header->memory_kib * 1024, crypto_pwhash_ALG_ARGON2ID13) == 0;
}

static bool seal(struct buffer *buffer, struct header *header, struct bytes secret,
		 const struct passphrase *passphrase)
{
	uint8_t key[32];
	randombytes_buf(header->salt, sizeof header->salt);
	randombytes_buf(header->nonce, sizeof header->nonce);
	if (!derive_key(header, passphrase, key))
		return false;
	cbor_write_array(buffer, 9);
	size_t begin = buffer->size;
	write_header(buffer, header);
	size_t end = buffer->size;
	cbor_write_bytes_head(buffer, secret.size + TAG_SIZE);
	uint8_t *to = buffer_reserve(buffer, secret.size + TAG_SIZE);
	if (to != NULL)
		crypto_aead_xchacha20poly1305_ietf_encrypt(to, NULL, secret.data, secret.size,
							   buffer->data + begin, end - begin, NULL,
							   header->nonce, key);
	sodium_memzero(key, sizeof key);
	return buffer_error(buffer) == ERROR_OK;
}

bool secret_file_write(const struct call *call, const char *path, const char *purpose,
		       struct bytes public_part, struct bytes secret, const struct passphrase *passphrase)
{
	struct header header = {
		.purpose = bytes_of_text(purpose),
		.public_part = public_part,
		.operations = crypto_pwhash_OPSLIMIT_MODERATE,
		.memory_kib = crypto_pwhash_MEMLIMIT_MODERATE / 1024,
	};
	uint8_t *memory = malloc(SECRET_FILE_SIZE_MAX);
	struct buffer buffer = buffer_make(memory, memory != NULL ? SECRET_FILE_SIZE_MAX : 0);
	bool done = memory != NULL && seal(&buffer, &header, secret, passphrase);
	if (!done)
		call_fail(call, "cannot protect %s: 256 MiB of memory are needed for a moment", path);
	else
		done = file_create(call, path, buffer_bytes(&buffer), 0600);
	free(memory);
	return done;
}

static enum error read_header(struct cbor_reader *reader, struct header *header)
{
	cbor_read_array_exact(reader, 9);
	if (!bytes_equal(cbor_read_text(reader, 32), bytes_of_text(HEADER_TEXT)))
		return cbor_reader_fail(reader, ERROR_MALFORMED);
	if (cbor_read_uint(reader) != 1)
		return cbor_reader_fail(reader, ERROR_BAD_VERSION);
	header->purpose = cbor_read_text(reader, 64);
	header->public_part = cbor_read_bytes(reader, SECRET_FILE_SIZE_MAX);
	header->operations = cbor_read_uint_max(reader, 64);
	header->memory_kib = cbor_read_uint_max(reader, 4 * 1024 * 1024);
	cbor_read_bytes_exact(reader, header->salt, sizeof header->salt);
	cbor_read_bytes_exact(reader, header->nonce, sizeof header->nonce);
	return cbor_reader_error(reader);
}

static bool read_file(const struct call *call, const char *path, const char *purpose,
		      struct secret_file *file, struct header *header, struct bytes *authenticated,
		      struct bytes *ciphertext)
{
	struct bytes bytes;
	*file = (struct secret_file){0};
	if (!file_read_secret(call, path, SECRET_FILE_SIZE_MAX, &file->memory, &bytes))
		return false;
	file->memory_size = SECRET_FILE_SIZE_MAX + 1;
	struct cbor_reader reader = cbor_reader_make(bytes);
	read_header(&reader, header);
	*authenticated = bytes_make(bytes.data + 1, reader.at > 0 ? reader.at - 1 : 0);
	*ciphertext = cbor_read_bytes(&reader, SECRET_FILE_SIZE_MAX);
	enum error error = cbor_read_end(&reader);
	if (error == ERROR_OK && ciphertext->size < TAG_SIZE)
		error = ERROR_MALFORMED;
	if (error == ERROR_OK && !bytes_equal(header->purpose, bytes_of_text(purpose)))
		call_fail(call, "%s is a file of another kind: %s %s file is needed here", path,
			  strchr("aeiou", purpose[0]) != NULL ? "an" : "a", purpose);
	else if (error != ERROR_OK)
		call_fail(call, "%s is no %s file, or is damaged: %s", path, purpose, error_text(error));
	else {
		file->public_part = header->public_part;
		return true;
	}
	secret_file_close(file);
	return false;
}

bool secret_file_read_public(const struct call *call, const char *path, const char *purpose,
			     struct secret_file *file)
{
	struct header header;
	struct bytes authenticated, ciphertext;
	return read_file(call, path, purpose, file, &header, &authenticated, &ciphertext);
}

bool secret_file_open(const struct call *call, const char *path, const char *purpose,
		      struct secret_file *file)
{
	struct header header;
	struct bytes authenticated, ciphertext;
	struct passphrase passphrase;
	uint8_t key[32];
	if (!read_file(call, path, purpose, file, &header, &authenticated, &ciphertext))
		return false;
	if (!passphrase_get(call, path, false, &passphrase)) {
		secret_file_close(file);
		return false;
	}
	sodium_mlock(file->memory, file->memory_size);
	bool derived = derive_key(&header, &passphrase, key);
	passphrase_wipe(&passphrase);
	/* Opened in place: the plaintext takes the ciphertext's room. */
	uint8_t *plain = file->memory + (ciphertext.data - file->memory);
	bool opened = derived && crypto_aead_xchacha20poly1305_ietf_decrypt(
					 plain, NULL, NULL, ciphertext.data, ciphertext.size,
					 authenticated.data, authenticated.size, header.nonce, key) == 0;
	sodium_memzero(key, sizeof key);
	if (!opened) {
		call_fail_error(call, path, derived ? ERROR_WRONG_PASSPHRASE : ERROR_NO_MEMORY);
		secret_file_close(file);
		return false;
	}
	file->secret = bytes_make(plain, ciphertext.size - TAG_SIZE);
	return true;
}

void secret_file_close(struct secret_file *file)
{
	if (file->memory != NULL) {
		sodium_memzero(file->memory, file->memory_size);
		sodium_munlock(file->memory, file->memory_size);
		free(file->memory);
	}
	*file = (struct secret_file){0};
}
