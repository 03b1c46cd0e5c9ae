/* What a client's certificate says, as text. */
#include "base/hash.h"
#include "base/mem.h"
#include "http/tls_impl.h"

#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NAMES_MAX 32
#define TEXT_MAX  8192 /* of all texts together; a certificate that says more is refused */

/* Everything in one allocation: the texts follow the table of names. */
struct described {
    struct client_certificate certificate;
    const char *names[NAMES_MAX + 1];
    size_t n_names;
    char room[TEXT_MAX];
    size_t used;
    bool full;
};

static const char *put(struct described *d, const char *prefix, const void *data, size_t len)
{
    size_t prefix_len = strlen(prefix);
    if (memchr(data, 0, len) || len > TEXT_MAX || d->used + prefix_len + len + 1 > TEXT_MAX) {
        d->full = true; /* a NUL inside would make the name another's */
        return "";
    }
    char *at = d->room + d->used;
    memcpy(at, prefix, prefix_len);
    memcpy(at + prefix_len, data, len);
    at[prefix_len + len] = '\0';
    d->used += prefix_len + len + 1;
    return at;
}

static const char *put_subject(struct described *d, const X509_NAME *name)
{
    char *data;
    BIO *bio = BIO_new(BIO_s_mem());
    const char *text = "";
    if (!bio || X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) < 0) {
        d->full = true;
    } else {
        long len = BIO_get_mem_data(bio, &data);
        text = put(d, "", data, (size_t)len);
    }
    BIO_free(bio);
    return text;
}

static const char *put_common_name(struct described *d, const X509_NAME *name)
{
    int at = -1, last = -1;
    unsigned char *utf8 = NULL;
    while ((at = X509_NAME_get_index_by_NID(name, NID_commonName, at)) >= 0)
        last = at;
    if (last < 0)
        return "";
    int len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, last)));
    const char *text = len > 0 ? put(d, "", utf8, (size_t)len) : "";
    OPENSSL_free(utf8);
    return text;
}

static void put_name(struct described *d, const GENERAL_NAME *name)
{
    const char *prefix = name->type == GEN_DNS     ? "DNS:"
                         : name->type == GEN_URI   ? "URI:"
                         : name->type == GEN_EMAIL ? "email:"
                                                   : NULL;
    if (!prefix)
        return;
    const ASN1_IA5STRING *text = name->d.ia5;
    if (d->n_names == NAMES_MAX)
        d->full = true;
    else
        d->names[d->n_names++] =
            put(d, prefix, ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
}

static const char *put_fingerprint(struct described *d, const X509 *certificate)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE + 1];
    unsigned len = 0;
    if (X509_digest(certificate, EVP_sha256(), digest, &len) != 1) {
        d->full = true;
        return "";
    }
    hex_encode(digest, len, hex);
    return put(d, "", hex, 2 * (size_t)len);
}

int64_t tls_end_ms(const X509 *certificate)
{
    struct tm tm = {0};
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm) != 1)
        return 0;
    return (int64_t)timegm(&tm) * 1000;
}

struct client_certificate *tls_describe(X509 *certificate)
{
    struct described *d = mem_zero(1, sizeof *d);
    const X509_NAME *name = X509_get_subject_name(certificate);
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
        put_name(d, sk_GENERAL_NAME_value(names, i));
    GENERAL_NAMES_free(names);
    d->certificate.subject = put_subject(d, name);
    d->certificate.common_name = put_common_name(d, name);
    d->certificate.fingerprint = put_fingerprint(d, certificate);
    d->certificate.names = d->names;
    d->certificate.expires_ms = tls_end_ms(certificate);
    if (!d->full)
        return &d->certificate;
    free(d);
    return NULL;
}
