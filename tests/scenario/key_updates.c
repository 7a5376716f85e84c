/*
 * A TCPCL peer that asks for new TLS keys without end and reads nothing of what it is answered.
 *
 * usage: key_updates PORT     says how many bytes the other end took before it took no more for two seconds,
 *                             or BYTES_MAX
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#define BYTES_MAX 1500000
#define PATIENCE_S 2

static int dial(const char *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int size = 8192;
	char contact[6];
	int connection = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(connection, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	setsockopt(connection, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	if (connect(connection, (struct sockaddr *)&address, sizeof address) != 0 ||
	    write(connection, "dtn!\4\1", 6) != 6 || read(connection, contact, 6) != 6)
		return -1;
	return connection;
}

/* Fills `requests` with KeyUpdate messages that want an answer. */
static size_t ask(SSL *ssl, BIO *out, char *requests, size_t size_max)
{
	size_t size = 0;

	while (size + 1000 < size_max) {
		if (SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) != 1 || SSL_do_handshake(ssl) != 1)
			return 0;
		size += (size_t)BIO_read(out, requests + size, (int)(size_max - size));
	}
	return size;
}

static size_t flood(SSL *ssl, int connection)
{
	static char requests[16384];
	BIO *in = BIO_new(BIO_s_mem());
	BIO *out = BIO_new(BIO_s_mem());
	size_t total = 0;
	time_t last = time(NULL);

	BIO_set_mem_eof_return(in, -1);
	SSL_set_bio(ssl, in, out);
	fcntl(connection, F_SETFL, O_NONBLOCK);
	while (total < BYTES_MAX && time(NULL) - last <= PATIENCE_S) {
		size_t size = ask(ssl, out, requests, sizeof requests);

		for (size_t sent = 0; size > 0 && sent < size && time(NULL) - last <= PATIENCE_S;) {
			ssize_t more = write(connection, requests + sent, size - sent);

			if (more < 0 && errno != EAGAIN)
				return total;
			if (more <= 0) {
				usleep(1000);
				continue;
			}
			sent += (size_t)more;
			total += (size_t)more;
			last = time(NULL);
		}
	}
	return total;
}

int main(int count, char **arguments)
{
	SSL *ssl = SSL_new(SSL_CTX_new(TLS_client_method()));
	int connection = count == 2 ? dial(arguments[1]) : -1;

	if (connection < 0 || SSL_set_fd(ssl, connection) != 1 || SSL_connect(ssl) != 1)
		return 1;
	printf("%zu\n", flood(ssl, connection));
	return 0;
}
