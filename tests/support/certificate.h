/* certificate: keys and certificates for tests of TLS, made on the spot. */
#ifndef PADDOCK_TESTS_SUPPORT_CERTIFICATE_H
#define PADDOCK_TESTS_SUPPORT_CERTIFICATE_H

#include <stdbool.h>

/* Write <dir>/<name>.pem and <dir>/<name>.key: an EC certificate for CN=<name>, valid for an hour,
 * with the subjectAltName `names` ("DNS:a,URI:b"; NULL: none), signed by <dir>/<issuer>.key (NULL:
 * by itself, as an authority). */
bool certificate_make(const char *dir, const char *name, const char *names, const char *issuer);

#endif
