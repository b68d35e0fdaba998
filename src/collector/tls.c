/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tls.c - certificates.
 */
#include "tls.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report.h"

#define FILE_MAX 1048576

static char *
read_file(const char *option, const char *path, int secret, char *err, size_t err_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	char *text = NULL;
	ssize_t n = -1;

	if (fd < 0 || fstat(fd, &st)) {
		snprintf(err, err_size, "%s %s: %s", option, path, strerror(errno));
		goto out;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
		snprintf(err, err_size, "%s %s: must be a PEM file of at most 1 MiB", option, path);
		goto out;
	}
	if (secret && st.st_mode & 077) {
		snprintf(err, err_size, "%s %s: others may read it; run: chmod 600 %s", option, path, path);
		goto out;
	}
	text = malloc((size_t)st.st_size + 1);
	n = text ? read(fd, text, (size_t)st.st_size) : -1;
	if (n < 0) {
		snprintf(err, err_size, "%s %s: %s", option, path, strerror(errno));
		free(text);
		text = NULL;
		goto out;
	}
	text[n] = 0;
out:
	if (fd >= 0)
		close(fd);
	return text;
}

static void
base64(char *out, const unsigned char *in, size_t n)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < n; i += 3) {
		unsigned v = (unsigned)in[i] << 16 | (i + 1 < n ? (unsigned)in[i + 1] << 8 : 0) | (i + 2 < n ? in[i + 2] : 0);

		*out++ = letters[v >> 18];
		*out++ = letters[v >> 12 & 63];
		*out++ = i + 1 < n ? letters[v >> 6 & 63] : '=';
		*out++ = i + 2 < n ? letters[v & 63] : '=';
	}
	*out = 0;
}

/* What curl pins: SHA-256 of the public key's DER. */
static int
make_pin(struct tls *t)
{
	gnutls_datum_t pem = { (unsigned char *)t->certificate, (unsigned)strlen(t->certificate) }, der = { NULL, 0 };
	gnutls_x509_crt_t crt = NULL;
	gnutls_pubkey_t key = NULL;
	unsigned char hash[32];
	int r = gnutls_x509_crt_init(&crt);

	if (!r)
		r = gnutls_x509_crt_import(crt, &pem, GNUTLS_X509_FMT_PEM);
	if (!r)
		r = gnutls_pubkey_init(&key);
	if (!r)
		r = gnutls_pubkey_import_x509(key, crt, 0);
	if (!r)
		r = gnutls_pubkey_export2(key, GNUTLS_X509_FMT_DER, &der);
	if (!r)
		r = gnutls_hash_fast(GNUTLS_DIG_SHA256, der.data, der.size, hash);
	if (!r) {
		memcpy(t->pin, "sha256//", 8);
		base64(t->pin + 8, hash, sizeof hash);
	}
	gnutls_free(der.data);
	gnutls_pubkey_deinit(key);
	gnutls_x509_crt_deinit(crt);
	return r;
}

/* Whether certificate, key and authority are what they should be, and the first two belong together. */
static int
check(const struct tls *t, const char **what)
{
	gnutls_datum_t cert = { (unsigned char *)t->certificate, (unsigned)strlen(t->certificate) };
	gnutls_datum_t key = { (unsigned char *)t->key, (unsigned)strlen(t->key) };
	gnutls_certificate_credentials_t c = NULL;
	int r = gnutls_certificate_allocate_credentials(&c);

	*what = "tls-cert and tls-key";
	if (!r)
		r = gnutls_certificate_set_x509_key_mem(c, &cert, &key, GNUTLS_X509_FMT_PEM);
	if (r >= 0 && t->authority) {
		gnutls_datum_t ca = { (unsigned char *)t->authority, (unsigned)strlen(t->authority) };

		*what = "client-ca";
		r = gnutls_certificate_set_x509_trust_mem(c, &ca, GNUTLS_X509_FMT_PEM);
		if (!r)
			r = GNUTLS_E_NO_CERTIFICATE_FOUND;
	}
	if (c)
		gnutls_certificate_free_credentials(c);
	return r < 0 ? r : 0;
}

int
tls_load(struct tls *t, const char *certificate, const char *key, const char *authority, char *err, size_t err_size)
{
	const char *what;
	int r;

	*t = (struct tls){ 0 };
	if (!certificate && !key && !authority)
		return 0;
	if (!certificate || !key) {
		snprintf(err, err_size, "tls-cert and tls-key belong together, and client-ca needs both");
		return -1;
	}
	t->certificate = read_file("tls-cert", certificate, 0, err, err_size);
	t->key = t->certificate ? read_file("tls-key", key, 1, err, err_size) : NULL;
	if (t->key && authority)
		t->authority = read_file("client-ca", authority, 0, err, err_size);
	if (!t->key || (authority && !t->authority))
		goto fail;
	r = check(t, &what);
	if (!r) {
		what = "tls-cert";
		r = make_pin(t);
	}
	if (!r)
		return 0;
	snprintf(err, err_size, "%s: %s", what, gnutls_strerror(r));
fail:
	tls_free(t);
	return -1;
}

void
tls_free(struct tls *t)
{
	free(t->certificate);
	if (t->key)
		explicit_bzero(t->key, strlen(t->key));
	free(t->key);
	free(t->authority);
	*t = (struct tls){ 0 };
}

static int
name_of(gnutls_x509_crt_t crt, char name[ACCESS_NAME_MAX + 1])
{
	char text[256];
	size_t n = sizeof text;

	for (unsigned i = 0;; i++) {
		int r = gnutls_x509_crt_get_subject_alt_name(crt, i, text, &n, NULL);

		if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			break;
		if (r == GNUTLS_SAN_DNSNAME && report_sensor_ok(text, n))
			goto found;
		n = sizeof text;
	}
	n = sizeof text;
	if (gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, text, &n) || !report_sensor_ok(text, n))
		return -1;
found:
	memcpy(name, text, n);
	name[n] = 0;
	return 1;
}

int
tls_client(void *gnutls_session, char name[ACCESS_NAME_MAX + 1])
{
	gnutls_session_t session = gnutls_session;
	unsigned n = 0, status = 0;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &n);
	gnutls_x509_crt_t crt;
	int r = -1;

	if (!chain || !n)
		return 0;
	if (gnutls_certificate_verify_peers2(session, &status) || status || gnutls_x509_crt_init(&crt))
		return -1;
	if (!gnutls_x509_crt_import(crt, &chain[0], GNUTLS_X509_FMT_DER))
		r = name_of(crt, name);
	gnutls_x509_crt_deinit(crt);
	return r;
}
