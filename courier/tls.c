#include "courier/tls.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

struct tls_context {
	SSL_CTX *ssl;
	const struct tls_policy *policy;
	int keylog;
};

struct tls {
	SSL *ssl;
	BIO *in;  /* owned by ssl */
	BIO *out; /* owned by ssl */
	const struct tls_policy *policy;
	const struct config_neighbour *dialed;
	const struct config_neighbour *neighbour;
	const char *problem;
	char problem_memory[160];
	bool failed;
	bool ended;
};

/* The rule of this daemon in the place of RFC 5280: see tls.h. NULL when the peer is welcome. */
static const char *judge(struct tls *tls, X509 *x509)
{
	uint8_t pin[CERTIFICATE_PIN_SIZE];
	const struct config_neighbour *neighbour;

	if (x509 == NULL || X509_get_version(x509) != X509_VERSION_3)
		return "the peer's certificate is not of version 3";
	if (certificate_pin(x509, pin) != ERROR_OK)
		return "the peer's certificate holds no key";
	neighbour = tls->policy->by_pin(tls->policy->context, pin);
	if (neighbour == NULL)
		return "the peer's key is no neighbour's pin";
	if (tls->dialed != NULL && tls->dialed != neighbour)
		return "the peer's key is the pin of another neighbour than was dialed";
	if (!certificate_names_node(x509, bytes_of_text(neighbour->node)))
		return "the peer's certificate does not name the node that its pin is for";
	tls->neighbour = neighbour;
	return NULL;
}

static int verify(X509_STORE_CTX *store, void *argument)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls *tls = SSL_get_app_data(ssl);

	(void)argument;
	tls->problem = judge(tls, X509_STORE_CTX_get0_cert(store));
	/* RFC 9174, section 4.4.4.1: the alert is bad_certificate. */
	X509_STORE_CTX_set_error(store, tls->problem == NULL ? X509_V_OK : X509_V_ERR_CERT_REJECTED);
	return tls->problem == NULL;
}

static void write_key(const SSL *ssl, const char *line)
{
	const struct tls_context *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	char text[512];
	size_t size = strlen(line);

	if (size >= sizeof text)
		return;
	memcpy(text, line, size);
	text[size++] = '\n';

	ssize_t written = write(context->keylog, text, size);

	(void)written;
}

static bool set_up(SSL_CTX *ssl, const struct certificate *certificate)
{
	int groups[] = {NID_X25519, NID_X9_62_prime256v1, NID_secp384r1};

	SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	/* A peer that reads less than a record and then waits for the socket never sees the rest of it. */
	SSL_CTX_set_max_send_fragment(ssl, TLS_RECORD_SIZE_MAX);
	SSL_CTX_set_cert_verify_callback(ssl, verify, NULL);
	return SSL_CTX_set1_groups(ssl, groups, sizeof groups / sizeof groups[0]) == 1 &&
		SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION) == 1 &&
		SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION) == 1 &&
		SSL_CTX_set_num_tickets(ssl, 0) == 1 &&
		SSL_CTX_use_certificate(ssl, certificate->x509) == 1 &&
		SSL_CTX_use_PrivateKey(ssl, certificate->key) == 1 && SSL_CTX_check_private_key(ssl) == 1;
}

struct tls_context *tls_context_make(
	const struct certificate *certificate, const struct tls_policy *policy, int keylog)
{
	struct tls_context *context = calloc(1, sizeof *context);

	if (context == NULL)
		return NULL;
	context->policy = policy;
	context->keylog = keylog;
	context->ssl = SSL_CTX_new(TLS_method());
	if (context->ssl == NULL || !set_up(context->ssl, certificate)) {
		tls_context_free(context);
		return NULL;
	}
	SSL_CTX_set_app_data(context->ssl, context);
	if (keylog >= 0)
		SSL_CTX_set_keylog_callback(context->ssl, write_key);
	return context;
}

void tls_context_free(struct tls_context *context)
{
	if (context == NULL)
		return;
	SSL_CTX_free(context->ssl);
	free(context);
}

static int verify_mode(const struct tls *tls)
{
	/* RFC 9174, section 4.4.3: the passive end always asks; it insists unless some neighbour has none. */
	if (tls->dialed == NULL && tls->policy->certificate_may_lack(tls->policy->context))
		return SSL_VERIFY_PEER;
	return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
}

struct tls *tls_make(struct tls_context *context, const struct config_neighbour *dialed)
{
	struct tls *tls = calloc(1, sizeof *tls);

	if (tls == NULL)
		return NULL;
	tls->policy = context->policy;
	tls->dialed = dialed;
	tls->ssl = SSL_new(context->ssl);
	tls->in = BIO_new(BIO_s_mem());
	tls->out = BIO_new(BIO_s_mem());
	if (tls->ssl == NULL || tls->in == NULL || tls->out == NULL) {
		BIO_free(tls->in);
		BIO_free(tls->out);
		SSL_free(tls->ssl);
		free(tls);
		return NULL;
	}
	/* An empty `in` means "later", not the end of the stream. */
	BIO_set_mem_eof_return(tls->in, -1);
	SSL_set_bio(tls->ssl, tls->in, tls->out);
	SSL_set_app_data(tls->ssl, tls);
	SSL_set_verify(tls->ssl, verify_mode(tls), NULL);
	if (dialed != NULL)
		SSL_set_connect_state(tls->ssl);
	else
		SSL_set_accept_state(tls->ssl);
	return tls;
}

void tls_free(struct tls *tls)
{
	if (tls == NULL)
		return;
	SSL_free(tls->ssl);
	free(tls);
}

enum error tls_receive(struct tls *tls, struct bytes ciphertext)
{
	if (ciphertext.size == 0)
		return ERROR_OK;
	if (BIO_write(tls->in, ciphertext.data, (int)ciphertext.size) != (int)ciphertext.size)
		return ERROR_NO_MEMORY;
	return ERROR_OK;
}

static void fail(struct tls *tls)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(code);

	tls->failed = true;
	if (tls->problem == NULL && reason != NULL) {
		strncpy(tls->problem_memory, reason, sizeof tls->problem_memory - 1);
		tls->problem = tls->problem_memory;
	}
	ERR_clear_error();
}

/* What a return value of an SSL call means for the connection. */
static void note_result(struct tls *tls, int result)
{
	switch (SSL_get_error(tls->ssl, result)) {
	case SSL_ERROR_NONE:
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		break;
	case SSL_ERROR_ZERO_RETURN:
		tls->ended = true;
		break;
	default:
		fail(tls);
		break;
	}
}

enum tls_state tls_advance(struct tls *tls)
{
	if (tls->failed)
		return TLS_FAILED;
	if (tls->ended)
		return TLS_ENDED;
	if (SSL_is_init_finished(tls->ssl))
		return TLS_OPEN;
	ERR_clear_error();

	int result = SSL_do_handshake(tls->ssl);

	if (result == 1)
		return TLS_OPEN;
	note_result(tls, result);
	return tls->failed || tls->ended ? TLS_FAILED : TLS_SHAKING;
}

size_t tls_read(struct tls *tls, uint8_t *to, size_t size_max)
{
	size_t size = 0;

	if (tls->failed || tls->ended)
		return 0;
	ERR_clear_error();

	int result = SSL_read_ex(tls->ssl, to, size_max, &size);

	if (result == 1)
		return size;
	note_result(tls, result);
	return 0;
}

enum error tls_write(struct tls *tls, struct bytes plaintext)
{
	size_t size = 0;

	if (plaintext.size == 0)
		return ERROR_OK;
	if (tls->failed)
		return ERROR_IO;
	ERR_clear_error();

	int result = SSL_write_ex(tls->ssl, plaintext.data, plaintext.size, &size);

	if (result == 1) {
		/* The memory BIO takes all that there is memory for, and partial writes are not enabled. */
		assert(size == plaintext.size);
		return ERROR_OK;
	}
	note_result(tls, result);
	tls->failed = true;
	return ERROR_IO;
}

void tls_end(struct tls *tls)
{
	if (tls->failed || !SSL_is_init_finished(tls->ssl) ||
		(SSL_get_shutdown(tls->ssl) & SSL_SENT_SHUTDOWN) != 0)
		return;
	ERR_clear_error();
	SSL_shutdown(tls->ssl);
	ERR_clear_error();
}

size_t tls_send(struct tls *tls, uint8_t *to, size_t size_max)
{
	int size = size_max == 0 ? 0 : BIO_read(tls->out, to, (int)size_max);

	return size > 0 ? (size_t)size : 0;
}

size_t tls_waiting(const struct tls *tls)
{
	return BIO_ctrl_pending(tls->out);
}

const struct config_neighbour *tls_neighbour(const struct tls *tls)
{
	return SSL_is_init_finished(tls->ssl) ? tls->neighbour : NULL;
}

const char *tls_problem(const struct tls *tls)
{
	return tls->problem != NULL ? tls->problem : "the TLS handshake failed";
}
