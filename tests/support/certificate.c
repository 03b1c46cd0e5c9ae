#include "support/certificate.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

static bool extend(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, &context, nid, value);
    bool good = extension && X509_add_ext(x, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return good;
}

static FILE *file_of(const char *dir, const char *name, const char *ending, const char *mode)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s.%s", dir, name, ending);
    return fopen(path, mode);
}

static bool save(const char *dir, const char *name, X509 *x, EVP_PKEY *key)
{
    FILE *pem = file_of(dir, name, "pem", "we"), *secret = file_of(dir, name, "key", "we");
    bool good = pem && secret && PEM_write_X509(pem, x) == 1 &&
                PEM_write_PrivateKey(secret, key, NULL, NULL, 0, NULL, NULL) == 1;
    if (pem)
        good &= fclose(pem) == 0;
    if (secret)
        good &= fclose(secret) == 0;
    return good;
}

static bool load(const char *dir, const char *name, X509 **x, EVP_PKEY **key)
{
    FILE *pem = file_of(dir, name, "pem", "re"), *secret = file_of(dir, name, "key", "re");
    *x = pem ? PEM_read_X509(pem, NULL, NULL, NULL) : NULL;
    *key = secret ? PEM_read_PrivateKey(secret, NULL, NULL, NULL) : NULL;
    if (pem)
        fclose(pem);
    if (secret)
        fclose(secret);
    return *x && *key;
}

static bool fill(X509 *x, EVP_PKEY *key, const char *name)
{
    static long serial = 1;
    X509_NAME *subject = X509_get_subject_name(x);
    return X509_set_version(x, 2) == 1 &&
           ASN1_INTEGER_set(X509_get_serialNumber(x), serial++) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(x), -60) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(x), 3600) != NULL && X509_set_pubkey(x, key) == 1 &&
           X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8, (const unsigned char *)"Paddock",
                                      -1, -1, 0) == 1 &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1,
                                      -1, 0) == 1;
}

bool certificate_make(const char *dir, const char *name, const char *names, const char *issuer)
{
    EVP_PKEY *key = EVP_EC_gen("P-256"), *signer = NULL;
    X509 *x = X509_new(), *authority = NULL;
    bool good = key && x && fill(x, key, name) &&
                (!issuer || load(dir, issuer, &authority, &signer)) &&
                X509_set_issuer_name(x, X509_get_subject_name(authority ? authority : x)) == 1 &&
                extend(x, authority ? authority : x, NID_basic_constraints,
                       issuer ? "CA:FALSE" : "critical,CA:TRUE") &&
                (!names || extend(x, x, NID_subject_alt_name, names)) &&
                X509_sign(x, signer ? signer : key, EVP_sha256()) > 0 && save(dir, name, x, key);
    X509_free(x);
    X509_free(authority);
    EVP_PKEY_free(key);
    EVP_PKEY_free(signer);
    return good;
}
