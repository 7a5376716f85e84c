#include "courier/certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "carry/tcpcl.h"

#define BUNDLE_EID_OID "1.3.6.1.5.5.7.8.11"                     /* id-on-bundleEID */
#define KEY_PURPOSES "clientAuth,serverAuth,1.3.6.1.5.5.7.3.35" /* the last: id-kp-bundleSecurity */
#define FILE_SIZE_MAX 16384

static bool set_serial(X509 *x509)
{
	uint8_t random[16];
	BIGNUM *number = NULL;
	bool done = false;

	if (RAND_bytes(random, sizeof random) != 1)
		return false;
	random[0] = (uint8_t)((random[0] & 0x7f) | 0x40);
	number = BN_bin2bn(random, sizeof random, NULL);
	done = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509)) != NULL;
	BN_free(number);
	return done;
}

/* RFC 5280, section 4.1.2.5: no date of its own; 9999-12-31T23:59:59Z stands for "does not expire". */
static bool set_dates(X509 *x509)
{
	return ASN1_TIME_set_string_X509(X509_getm_notBefore(x509), "20000101000000Z") == 1 &&
		ASN1_TIME_set_string_X509(X509_getm_notAfter(x509), "99991231235959Z") == 1;
}

static bool set_name(X509 *x509)
{
	X509_NAME *name = X509_get_subject_name(x509);

	return X509_NAME_add_entry_by_txt(
		       name, "CN", MBSTRING_ASC, (const unsigned char *)"liaison courier", -1, -1, 0) == 1 &&
		X509_set_issuer_name(x509, name) == 1;
}

static bool add_extension(X509 *x509, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;
	bool done;

	X509V3_set_ctx(&context, x509, x509, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	done = extension != NULL && X509_add_ext(x509, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return done;
}

static bool add_node(X509 *x509, const char *node)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	ASN1_TYPE *value = ASN1_TYPE_new();
	ASN1_OBJECT *type = OBJ_txt2obj(BUNDLE_EID_OID, 1);
	bool done = false;

	if (names == NULL || name == NULL || text == NULL || value == NULL || type == NULL ||
		ASN1_STRING_set(text, node, -1) != 1)
		goto end;
	ASN1_TYPE_set(value, V_ASN1_IA5STRING, text);
	text = NULL;
	if (GENERAL_NAME_set0_othername(name, type, value) != 1)
		goto end;
	type = NULL;
	value = NULL;
	if (sk_GENERAL_NAME_push(names, name) == 0)
		goto end;
	name = NULL;
	done = X509_add1_ext_i2d(x509, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1;
end:
	ASN1_OBJECT_free(type);
	ASN1_TYPE_free(value);
	ASN1_IA5STRING_free(text);
	GENERAL_NAME_free(name);
	GENERAL_NAMES_free(names);
	return done;
}

/* The profile of RFC 9174, section 4.4.2. */
static bool fill(X509 *x509, EVP_PKEY *key, const char *node)
{
	return X509_set_version(x509, X509_VERSION_3) == 1 && set_serial(x509) && set_dates(x509) &&
		set_name(x509) && X509_set_pubkey(x509, key) == 1 && add_node(x509, node) &&
		add_extension(x509, NID_basic_constraints, "critical,CA:FALSE") &&
		add_extension(x509, NID_key_usage, "critical,digitalSignature") &&
		add_extension(x509, NID_ext_key_usage, KEY_PURPOSES) &&
		add_extension(x509, NID_subject_key_identifier, "hash") &&
		add_extension(x509, NID_authority_key_identifier, "keyid:always") &&
		X509_sign(x509, key, EVP_sha256()) > 0;
}

static enum error write_file(int directory, const char *name, mode_t mode, BIO *content)
{
	char *data;
	long size = BIO_get_mem_data(content, &data);
	int file = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	enum error error = ERROR_IO;

	if (file < 0)
		return errno == EEXIST ? ERROR_EXISTS : ERROR_IO;
	if (size > 0 && write(file, data, (size_t)size) == size && fsync(file) == 0)
		error = ERROR_OK;
	if (close(file) != 0)
		error = ERROR_IO;
	if (error != ERROR_OK)
		unlinkat(directory, name, 0);
	return error;
}

static enum error write_pair(int directory, const struct certificate *certificate)
{
	BIO *key = BIO_new(BIO_s_mem());
	BIO *x509 = BIO_new(BIO_s_mem());
	enum error error = ERROR_NO_MEMORY;

	if (key != NULL && x509 != NULL &&
		PEM_write_bio_PrivateKey(key, certificate->key, NULL, NULL, 0, NULL, NULL) == 1 &&
		PEM_write_bio_X509(x509, certificate->x509) == 1)
		error = write_file(directory, CERTIFICATE_KEY_FILE, 0600, key);
	if (error == ERROR_OK)
		error = write_file(directory, CERTIFICATE_FILE, 0644, x509);
	if (error == ERROR_OK && fsync(directory) != 0)
		error = ERROR_IO;
	BIO_free(key);
	BIO_free(x509);
	return error;
}

enum error certificate_make(int directory, const char *node, struct certificate *certificate)
{
	enum error error = ERROR_NO_MEMORY;

	certificate->key = EVP_EC_gen("P-256");
	certificate->x509 = X509_new();
	if (certificate->key != NULL && certificate->x509 != NULL &&
		fill(certificate->x509, certificate->key, node))
		error = write_pair(directory, certificate);
	if (error != ERROR_OK)
		certificate_free(certificate);
	return error;
}

/* The content of a small regular file as a BIO, or NULL with *error. */
static BIO *read_file(int directory, const char *name, enum error *error)
{
	static const size_t size_max = FILE_SIZE_MAX;
	char content[FILE_SIZE_MAX];
	struct stat status;
	ssize_t size = -1;
	BIO *bio = NULL;
	int file = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (file < 0) {
		*error = errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO;
		return NULL;
	}
	*error = ERROR_IO;
	if (fstat(file, &status) == 0 && S_ISREG(status.st_mode))
		size = read(file, content, size_max);
	close(file);
	if (size > 0 && (size_t)size < size_max)
		bio = BIO_new(BIO_s_mem());
	if (bio != NULL && BIO_write(bio, content, (int)size) == size)
		*error = ERROR_OK;
	OPENSSL_cleanse(content, sizeof content);
	return bio;
}

enum error certificate_load(int directory, struct certificate *certificate)
{
	enum error key_error;
	enum error error;
	BIO *key = read_file(directory, CERTIFICATE_KEY_FILE, &key_error);
	BIO *x509 = read_file(directory, CERTIFICATE_FILE, &error);

	certificate->key = NULL;
	certificate->x509 = NULL;
	if (key_error == ERROR_OK && error == ERROR_OK) {
		certificate->key = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
		certificate->x509 = PEM_read_bio_X509(x509, NULL, NULL, NULL);
		if (certificate->key == NULL || certificate->x509 == NULL ||
			X509_check_private_key(certificate->x509, certificate->key) != 1)
			error = ERROR_MALFORMED;
	} else if (key_error != error) {
		error = ERROR_MALFORMED;
	}
	BIO_free(key);
	BIO_free(x509);
	if (error != ERROR_OK)
		certificate_free(certificate);
	return error;
}

void certificate_free(struct certificate *certificate)
{
	EVP_PKEY_free(certificate->key);
	X509_free(certificate->x509);
	certificate->key = NULL;
	certificate->x509 = NULL;
}

enum error certificate_pin(X509 *x509, uint8_t pin[CERTIFICATE_PIN_SIZE])
{
	unsigned size = 0;
	unsigned char *encoded = NULL;
	int encoded_size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x509), &encoded);
	bool done = encoded_size > 0 &&
		EVP_Digest(encoded, (size_t)encoded_size, pin, &size, EVP_sha256(), NULL) == 1 &&
		size == CERTIFICATE_PIN_SIZE;

	OPENSSL_free(encoded);
	return done ? ERROR_OK : ERROR_MALFORMED;
}

static bool name_is_node(const GENERAL_NAME *name, const ASN1_OBJECT *bundle_eid, struct bytes node)
{
	ASN1_OBJECT *type = NULL;
	ASN1_TYPE *value = NULL;

	if (GENERAL_NAME_get0_otherName(name, &type, &value) != 1 || OBJ_cmp(type, bundle_eid) != 0 ||
		ASN1_TYPE_get(value) != V_ASN1_IA5STRING)
		return false;

	const ASN1_IA5STRING *text = value->value.ia5string;

	return tcpcl_node_id_equal(
		bytes_make(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text)), node);
}

bool certificate_names_node(X509 *x509, struct bytes node)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
	ASN1_OBJECT *bundle_eid = OBJ_txt2obj(BUNDLE_EID_OID, 1);
	bool found = false;

	for (int i = 0; bundle_eid != NULL && !found && i < sk_GENERAL_NAME_num(names); i++)
		found = name_is_node(sk_GENERAL_NAME_value(names, i), bundle_eid, node);
	ASN1_OBJECT_free(bundle_eid);
	GENERAL_NAMES_free(names);
	return found;
}
