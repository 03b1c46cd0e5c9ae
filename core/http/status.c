#include "http/status.h"

#include "http/server.h"

#define STATUSES(X)                           \
    X(200, "OK")                              \
    X(201, "Created")                         \
    X(202, "Accepted")                        \
    X(204, "No Content")                      \
    X(206, "Partial Content")                 \
    X(301, "Moved Permanently")               \
    X(302, "Found")                           \
    X(303, "See Other")                       \
    X(304, "Not Modified")                    \
    X(307, "Temporary Redirect")              \
    X(308, "Permanent Redirect")              \
    X(400, "Bad Request")                     \
    X(401, "Unauthorized")                    \
    X(403, "Forbidden")                       \
    X(404, "Not Found")                       \
    X(405, "Method Not Allowed")              \
    X(406, "Not Acceptable")                  \
    X(408, "Request Timeout")                 \
    X(409, "Conflict")                        \
    X(410, "Gone")                            \
    X(412, "Precondition Failed")             \
    X(413, "Content Too Large")               \
    X(414, "URI Too Long")                    \
    X(415, "Unsupported Media Type")          \
    X(417, "Expectation Failed")              \
    X(421, "Misdirected Request")             \
    X(422, "Unprocessable Content")           \
    X(428, "Precondition Required")           \
    X(429, "Too Many Requests")               \
    X(431, "Request Header Fields Too Large") \
    X(500, "Internal Server Error")           \
    X(501, "Not Implemented")                 \
    X(502, "Bad Gateway")                     \
    X(503, "Service Unavailable")             \
    X(504, "Gateway Timeout")                 \
    X(505, "HTTP Version Not Supported")

#define CODE(code, text) code,
const int HTTP_STATUSES[HTTP_STATUS_COUNT] = {STATUSES(CODE) 0};

#define POSITION(code, text) AT_##code,
enum { STATUSES(POSITION) AT_OTHER };
_Static_assert(AT_OTHER == HTTP_STATUS_COUNT - 1, "HTTP_STATUS_COUNT does not fit the table");

#define LINE(code, text) \
    {"HTTP/1.1 " #code " " text "\r\n", sizeof "HTTP/1.1 " #code " " text "\r\n" - 1},
static const struct {
    const char *text;
    size_t len;
} lines[] = {STATUSES(LINE)};

size_t status_index(int status)
{
#define CASE(code, text) \
    case code: return AT_##code;
    switch (status) {
        STATUSES(CASE)
    default: return AT_OTHER;
    }
}

const char *status_line(int status, size_t *len)
{
    size_t i = status_index(status);
    if (i == AT_OTHER)
        i = AT_500;
    *len = lines[i].len;
    return lines[i].text;
}
