#include "http/errors.h"

#include <stddef.h>

const struct err_kind HTTP_MALFORMED = {
    "MALFORMED_REQUEST", 400, "Malformed request",
    "The bytes received are not an HTTP/1.1 request as RFC 9112 has it, or could be read in two "
    "ways "
    "(two lengths, a folded header, a stray control byte). Send it again with a correct client."};
const struct err_kind HTTP_UNAUTHENTICATED = {
    "UNAUTHENTICATED", 401, "Unauthenticated",
    "No valid token came with the request. Send `Authorization: Bearer <token>`."};
const struct err_kind HTTP_FORBIDDEN = {
    "FORBIDDEN", 403, "Forbidden",
    "The token is valid but lacks the grant this operation needs; the detail names it."};
const struct err_kind HTTP_NOT_FOUND = {
    "NOT_FOUND", 404, "Not found",
    "There is no such path. The paths of this server are listed at /openapi.json."};
const struct err_kind HTTP_METHOD = {
    "METHOD_NOT_ALLOWED", 405, "Method not allowed",
    "The path exists, but not with this method. The Allow header lists those it has."};
const struct err_kind HTTP_TIMEOUT = {"REQUEST_TIMEOUT", 408, "Request timeout",
                                      "The request took too long to arrive. Send it again over a "
                                      "faster connection, or in smaller parts."};
const struct err_kind HTTP_BODY_TOO_LARGE = {
    "BODY_TOO_LARGE", 413, "Body too large",
    "The body is larger than this operation takes; the detail says how much that is."};
const struct err_kind HTTP_URI_TOO_LONG = {
    "URI_TOO_LONG", 414, "URI too long",
    "The request line is longer than the server takes. Use fewer or shorter query parameters."};
const struct err_kind HTTP_MEDIA_TYPE = {"UNSUPPORTED_MEDIA_TYPE", 415, "Unsupported media type",
                                         "The Content-Type is missing or not one this operation "
                                         "takes; the detail names those it takes."};
const struct err_kind HTTP_EXPECTATION = {
    "EXPECTATION_FAILED", 417, "Expectation failed",
    "The only expectation known here is `Expect: 100-continue`."};
const struct err_kind HTTP_MISDIRECTED = {
    "MISDIRECTED_REQUEST", 421, "Misdirected request",
    "The Host header names a server that this is not, as it happens when somebody's domain is made "
    "to "
    "point at this machine. Use localhost or an address, or have --host-names list the name."};
const struct err_kind HTTP_RATE_LIMITED = {"RATE_LIMITED", 429, "Rate limited",
                                           "The token or the client's address has used up its "
                                           "rate, or too many wrong tokens came from the "
                                           "address. Wait as long as Retry-After says."};
const struct err_kind HTTP_HEADERS_LARGE = {
    "HEADERS_TOO_LARGE", 431, "Headers too large",
    "The request line and headers together are larger, or more, than the server takes."};
const struct err_kind HTTP_NOT_IMPLEMENTED = {
    "NOT_IMPLEMENTED", 501, "Not implemented",
    "The method or the transfer coding is not known here. Bodies come as they are or chunked."};
const struct err_kind HTTP_VERSION = {"HTTP_VERSION_NOT_SUPPORTED", 505,
                                      "HTTP version not supported",
                                      "This server speaks HTTP/1.1 and HTTP/1.0."};

const struct err_kind *const HTTP_ERRORS[] = {
    &HTTP_MALFORMED,     &HTTP_UNAUTHENTICATED, &HTTP_FORBIDDEN,      &HTTP_NOT_FOUND,
    &HTTP_METHOD,        &HTTP_TIMEOUT,         &HTTP_BODY_TOO_LARGE, &HTTP_URI_TOO_LONG,
    &HTTP_MEDIA_TYPE,    &HTTP_EXPECTATION,     &HTTP_MISDIRECTED,    &HTTP_RATE_LIMITED,
    &HTTP_HEADERS_LARGE, &HTTP_NOT_IMPLEMENTED, &HTTP_VERSION,        NULL,
};
