/* Keys, certificates, pins; two ends of TLS in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/x509v3.h>

#include "courier/certificate.h"
#include "courier/tls.h"
#include "tests/unit/courier/scratch.h"

static struct certificate certificates[2];
static struct config_neighbour neighbours[2]; /* neighbours[i] is the holder of certificates[i] */
static bool may_lack;
static bool known[2];

/* Makes a certificate in a directory of its own. */
static void make(unsigned index, const char *node)
{
	int directory = scratch_open();

	assert_int_equal(certificate_make(directory, node, &certificates[index]), ERROR_OK);
	memset(&neighbours[index], 0, sizeof neighbours[index]);
	memcpy(neighbours[index].node, node, strlen(node) + 1);
	neighbours[index].has_pin = true;
	assert_int_equal(certificate_pin(certificates[index].x509, neighbours[index].pin), ERROR_OK);
	known[index] = true;
	scratch_close(directory);
}

static int set_up(void **state)
{
	make(0, "ipn:1001.0");
	make(1, "ipn:2002.0");
	may_lack = false;
	return 0;
}

static int tear_down(void **state)
{
	certificate_free(&certificates[0]);
	certificate_free(&certificates[1]);
	return 0;
}

static void key_and_certificate_are_read_as_they_were_written(void **state)
{
	int directory = scratch_open();
	struct certificate made;
	struct certificate loaded;
	struct stat status;
	uint8_t pin[CERTIFICATE_PIN_SIZE];
	uint8_t again[CERTIFICATE_PIN_SIZE];

	assert_int_equal(certificate_load(directory, &loaded), ERROR_NOT_FOUND);
	assert_int_equal(certificate_make(directory, "dtn://embassy/", &made), ERROR_OK);
	assert_int_equal(certificate_make(directory, "dtn://embassy/", &loaded), ERROR_EXISTS);
	assert_int_equal(certificate_load(directory, &loaded), ERROR_OK);
	assert_int_equal(certificate_pin(made.x509, pin), ERROR_OK);
	assert_int_equal(certificate_pin(loaded.x509, again), ERROR_OK);
	assert_memory_equal(pin, again, sizeof pin);
	assert_int_equal(stat("tls.key", &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	certificate_free(&loaded);
	certificate_free(&made);
	/* Half a pair is a mistake that must not be mended by making another key. */
	assert_int_equal(unlink("tls.crt"), 0);
	assert_int_equal(certificate_load(directory, &loaded), ERROR_MALFORMED);
	scratch_close(directory);
}

static void a_key_and_another_keys_certificate_are_refused(void **state)
{
	int directory = scratch_open();
	struct certificate loaded;

	assert_int_equal(certificate_make(directory, "ipn:1.0", &loaded), ERROR_OK);
	certificate_free(&loaded);
	assert_int_equal(rename("tls.key", "kept"), 0);
	assert_int_equal(unlink("tls.crt"), 0);
	assert_int_equal(certificate_make(directory, "ipn:1.0", &loaded), ERROR_OK);
	certificate_free(&loaded);
	assert_int_equal(rename("kept", "tls.key"), 0);
	assert_int_equal(certificate_load(directory, &loaded), ERROR_MALFORMED);
	scratch_close(directory);
}

static void the_certificate_has_the_profile_of_rfc_9174(void **state)
{
	X509 *x509 = certificates[0].x509;

	assert_int_equal(X509_get_version(x509), X509_VERSION_3);
	assert_true(certificate_names_node(x509, bytes_of_text("ipn:1001.0")));
	assert_false(certificate_names_node(x509, bytes_of_text("ipn:1002.0")));
	assert_false(certificate_names_node(x509, bytes_of_text("")));
	assert_int_equal(X509_get_key_usage(x509), KU_DIGITAL_SIGNATURE);
	assert_int_equal(X509_get_extended_key_usage(x509) & (XKU_SSL_CLIENT | XKU_SSL_SERVER),
		XKU_SSL_CLIENT | XKU_SSL_SERVER);
	assert_int_equal(X509_check_ca(x509), 0);
	assert_non_null(X509_get0_subject_key_id(x509));
	assert_non_null(X509_get0_authority_key_id(x509));
	assert_int_equal(X509_verify(x509, certificates[0].key), 1);
}

static const struct config_neighbour *by_pin(void *context, const uint8_t pin[CONFIG_PIN_SIZE])
{
	(void)context;
	for (unsigned i = 0; i < 2; i++) {
		if (known[i] && memcmp(neighbours[i].pin, pin, CONFIG_PIN_SIZE) == 0)
			return &neighbours[i];
	}
	return NULL;
}

static bool certificate_may_lack(void *context)
{
	(void)context;
	return may_lack;
}

static const struct tls_policy policy = {.by_pin = by_pin, .certificate_may_lack = certificate_may_lack};

/* Carries all that one end has to say to the other. */
static void carry(struct tls *from, struct tls *to)
{
	uint8_t wire[997];
	size_t size;

	while ((size = tls_send(from, wire, sizeof wire)) > 0)
		assert_int_equal(tls_receive(to, bytes_make(wire, size)), ERROR_OK);
}

struct pair {
	struct tls_context *contexts[2];
	struct tls *client; /* holds certificates[0] */
	struct tls *server; /* holds certificates[1] */
	enum tls_state client_state;
	enum tls_state server_state;
};

static void shake(struct pair *pair)
{
	for (unsigned i = 0; i < 2; i++) {
		pair->contexts[i] = tls_context_make(&certificates[i], &policy, -1);
		assert_non_null(pair->contexts[i]);
	}
	pair->client = tls_make(pair->contexts[0], &neighbours[1]);
	pair->server = tls_make(pair->contexts[1], NULL);
	assert_true(pair->client != NULL && pair->server != NULL);
	for (unsigned i = 0; i < 4; i++) {
		uint8_t nothing[1];

		pair->client_state = tls_advance(pair->client);
		if (pair->client_state == TLS_OPEN) {
			assert_int_equal(tls_read(pair->client, nothing, 1), 0);
			pair->client_state = tls_advance(pair->client);
		}
		carry(pair->client, pair->server);
		pair->server_state = tls_advance(pair->server);
		carry(pair->server, pair->client);
	}
}

static void unmake(struct pair *pair)
{
	tls_free(pair->client);
	tls_free(pair->server);
	tls_context_free(pair->contexts[0]);
	tls_context_free(pair->contexts[1]);
}

static void neighbours_with_their_pins_come_through(void **state)
{
	static uint8_t text[50000];
	static uint8_t read[50000];
	struct pair pair;
	size_t size = 0;
	size_t part;

	shake(&pair);
	assert_int_equal(pair.client_state, TLS_OPEN);
	assert_int_equal(pair.server_state, TLS_OPEN);
	assert_ptr_equal(tls_neighbour(pair.client), &neighbours[1]);
	assert_ptr_equal(tls_neighbour(pair.server), &neighbours[0]);
	memset(text, 'x', sizeof text);
	assert_int_equal(tls_write(pair.client, bytes_make(text, sizeof text)), ERROR_OK);
	carry(pair.client, pair.server);
	while ((part = tls_read(pair.server, read + size, sizeof read - size)) > 0)
		size += part;
	assert_int_equal(size, sizeof text);
	assert_memory_equal(read, text, sizeof text);
	tls_end(pair.client);
	carry(pair.client, pair.server);
	assert_int_equal(tls_read(pair.server, read, 1), 0);
	assert_int_equal(tls_advance(pair.server), TLS_ENDED);
	unmake(&pair);
}

/* Each end's certificate begins and ends so many days from now, and is signed again. */
static void date(long begins, long ends)
{
	for (unsigned i = 0; i < 2; i++) {
		X509 *x509 = certificates[i].x509;

		assert_non_null(X509_time_adj_ex(X509_getm_notBefore(x509), (int)begins, 0, NULL));
		assert_non_null(X509_time_adj_ex(X509_getm_notAfter(x509), (int)ends, 0, NULL));
		assert_true(X509_sign(x509, certificates[i].key, EVP_sha256()) > 0);
		assert_int_equal(X509_verify(x509, certificates[i].key), 1);
	}
}

static void dates_are_not_looked_at(void **state)
{
	static const long days[2][2] = {{-800, -400}, {400, 800}};

	for (unsigned i = 0; i < 2; i++) {
		struct pair pair;

		date(days[i][0], days[i][1]);
		shake(&pair);
		assert_int_equal(pair.client_state, TLS_OPEN);
		assert_int_equal(pair.server_state, TLS_OPEN);
		unmake(&pair);
	}
}

static void a_client_without_a_pin_is_refused(void **state)
{
	struct pair pair;

	known[0] = false;
	shake(&pair);
	assert_int_equal(pair.server_state, TLS_FAILED);
	assert_string_equal(tls_problem(pair.server), "the peer's key is no neighbour's pin");
	assert_null(tls_neighbour(pair.server));
	assert_int_equal(pair.client_state, TLS_FAILED);
	unmake(&pair);
}

static void a_server_with_another_neighbours_pin_is_refused(void **state)
{
	struct pair pair;

	/* The client means neighbours[1], but that is not whose key the server has. */
	memset(neighbours[1].pin, 0, sizeof neighbours[1].pin);
	shake(&pair);
	assert_int_equal(pair.client_state, TLS_FAILED);
	assert_string_equal(tls_problem(pair.client), "the peer's key is no neighbour's pin");
	unmake(&pair);
	assert_int_equal(certificate_pin(certificates[1].x509, neighbours[0].pin), ERROR_OK);
	shake(&pair);
	assert_int_equal(pair.client_state, TLS_FAILED);
	assert_string_equal(
		tls_problem(pair.client), "the peer's key is the pin of another neighbour than was dialed");
	unmake(&pair);
}

static void a_certificate_for_another_node_is_refused(void **state)
{
	struct pair pair;

	memcpy(neighbours[0].node, "ipn:1.0", 8);
	shake(&pair);
	assert_int_equal(pair.server_state, TLS_FAILED);
	assert_string_equal(tls_problem(pair.server),
		"the peer's certificate does not name the node that its pin is for");
	unmake(&pair);
}

static void bytes_that_are_not_tls_fail_the_handshake(void **state)
{
	struct tls_context *context = tls_context_make(&certificates[0], &policy, -1);
	struct tls *tls = tls_make(context, NULL);

	assert_int_equal(tls_receive(tls, bytes_of_text("GET / HTTP/1.1\r\n\r\n")), ERROR_OK);
	assert_int_equal(tls_advance(tls), TLS_FAILED);
	assert_true(strlen(tls_problem(tls)) > 0);
	tls_free(tls);
	tls_context_free(context);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(key_and_certificate_are_read_as_they_were_written),
		TEST(a_key_and_another_keys_certificate_are_refused),
		TEST(the_certificate_has_the_profile_of_rfc_9174),
		TEST(neighbours_with_their_pins_come_through),
		TEST(dates_are_not_looked_at),
		TEST(a_client_without_a_pin_is_refused),
		TEST(a_server_with_another_neighbours_pin_is_refused),
		TEST(a_certificate_for_another_node_is_refused),
		TEST(bytes_that_are_not_tls_fail_the_handshake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
