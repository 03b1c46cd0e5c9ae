#include "http/head.h"

#include "http/errors.h"

#include <string.h>
#include <strings.h>

/* The library has an `enum http_method` of its own. */
#define http_method http_parser_method
#include <http_parser.h>
#undef http_method

#define LEADING_MAX 4

enum scan {
    LEAD,    /* before the request line: empty lines are skipped (RFC 9112, 2.2) */
    LEAD_LF, /* the LF of such a line */
    START,   /* at the beginning of a header line */
    TEXT,    /* within a line */
    LF,      /* the LF after a line's CR */
    LAST_LF, /* the LF of the empty line */
    COMPLETE
};

void head_init(struct head *h, size_t max)
{
    memset(h, 0, sizeof *h);
    h->max = max;
    h->line_max = max / 2;
    bytes_init(&h->raw, max);
    head_reset(h);
}

void head_release(struct head *h)
{
    bytes_release(&h->raw);
}

void head_reset(struct head *h)
{
    bytes_clear(&h->raw);
    h->scan = LEAD;
    h->leading = 0;
    h->line_len = 0;
    h->target = h->path = h->query = NULL;
    h->target_len = h->path_len = h->query_len = 0;
    h->method = METHOD_GET;
    h->minor = 1;
    h->keep_alive = false;
    h->asterisk = false;
    h->framing = FRAMING_NONE;
    h->content_length = 0;
    h->n_fields = 0;
    memset(h->known, 0, sizeof h->known);
}

/* --- the scan --- */

/* HT, SP, visible ASCII and bytes above 127. */
static inline bool is_text(unsigned char b)
{
    return (b >= 0x20 && b != 0x7f) || b == '\t';
}

static bool stray(unsigned char b, struct err *e)
{
    return fail(e, &HTTP_MALFORMED, "a stray control byte 0x%02x in the head of the request", b);
}

static bool leading_byte(struct head *h, unsigned char b, struct err *e)
{
    if (h->scan == LEAD_LF) {
        h->scan = LEAD;
        return b == '\n' ? true : stray('\r', e);
    }
    if (++h->leading > LEADING_MAX)
        return fail(e, &HTTP_MALFORMED, "empty lines instead of a request line");
    h->scan = LEAD_LF;
    return true;
}

/* One byte that begins or ends a line. */
static bool edge_byte(struct head *h, unsigned char b, size_t at, struct err *e)
{
    switch (h->scan) {
    case START:
        if (b == ' ' || b == '\t')
            return fail(e, &HTTP_MALFORMED,
                        "a folded header line, or a blank before the request line");
        h->scan = b == '\r' ? LAST_LF : TEXT;
        return b == '\r' || is_text(b) ? true : stray(b, e);
    case TEXT:
        if (h->line_len == 0)
            h->line_len = at;
        h->scan = LF;
        return b == '\r' ? true : stray(b, e);
    default: /* LF, LAST_LF */
        h->scan = h->scan == LF ? START : COMPLETE;
        return b == '\n' ? true : stray('\r', e);
    }
}

/* Scan bytes that go to `raw` at its present length; `*used` of them are good. */
static bool scan(struct head *h, const char *data, size_t len, size_t *used, struct err *e)
{
    size_t at = 0;
    bool good = true;
    while (good && at < len && h->scan != COMPLETE) {
        if (h->scan == TEXT) {
            while (at < len && is_text((unsigned char)data[at]))
                at++;
            if (at == len)
                break;
        }
        good = edge_byte(h, (unsigned char)data[at], h->raw.len + at, e);
        at += good;
    }
    *used = at;
    return good;
}

/* --- the request line --- */

static inline bool is_token(unsigned char b)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    return (b >= '0' && b <= '9') || ((b | 0x20) >= 'a' && (b | 0x20) <= 'z') ||
           (b && memchr(others, b, sizeof others - 1));
}

static bool all_token(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!is_token((unsigned char)text[i]))
            return false;
    return len > 0;
}

static bool set_method(struct head *h, const char *text, size_t len, struct err *e)
{
    for (int m = 0; m < METHOD_COUNT; m++) {
        const char *name = method_name((enum http_method)m);
        if (strncmp(name, text, len) == 0 && name[len] == '\0') {
            h->method = (enum http_method)m;
            return true;
        }
    }
    if (!all_token(text, len))
        return fail(e, &HTTP_MALFORMED, "the method is not a token");
    return fail(e, &HTTP_NOT_IMPLEMENTED, "method %.*s is not known here", len > 32 ? 32 : (int)len,
                text);
}

static bool set_version(struct head *h, const char *text, size_t len, struct err *e)
{
    if (len != 8 || memcmp(text, "HTTP/", 5) != 0 || text[6] != '.' || text[5] < '0' ||
        text[5] > '9' || text[7] < '0' || text[7] > '9')
        return fail(e, &HTTP_MALFORMED, "the request line must be a method, a target and HTTP/1.1");
    if (text[5] != '1' || text[7] > '1')
        return fail(e, &HTTP_VERSION, "%.8s is not spoken here", text);
    h->minor = (unsigned)(text[7] - '0');
    return true;
}

/* The part of an absolute-form target after scheme and authority. */
static bool skip_authority(const char **text, size_t *len, struct err *e)
{
    size_t scheme = strncasecmp(*text, "http://", 7) == 0    ? 7
                    : strncasecmp(*text, "https://", 8) == 0 ? 8
                                                             : 0;
    size_t n = scheme;
    while (n < *len && (*text)[n] != '/' && (*text)[n] != '?')
        n++;
    if (scheme == 0 || n == scheme || memchr(*text, '@', n))
        return fail(e, &HTTP_MALFORMED, "the target must be a path or an http URI without user");
    *text += n;
    *len -= n;
    return true;
}

static bool set_target(struct head *h, const char *text, size_t len, struct err *e)
{
    h->target = text;
    h->target_len = len;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] <= 0x20 || (unsigned char)text[i] >= 0x7f || text[i] == '#')
            return fail(e, &HTTP_MALFORMED, "the target must be printable ASCII without '#'");
    if (len == 1 && text[0] == '*') {
        h->asterisk = true;
        return h->method == METHOD_OPTIONS ||
               fail(e, &HTTP_MALFORMED, "the target * is for OPTIONS only");
    }
    if (text[0] != '/' && !skip_authority(&text, &len, e))
        return false;
    const char *mark = memchr(text, '?', len);
    h->path = text;
    h->path_len = mark ? (size_t)(mark - text) : len;
    if (mark) {
        h->query = mark + 1;
        h->query_len = len - h->path_len - 1;
    }
    if (h->path_len == 0) {
        h->path = "/";
        h->path_len = 1;
    }
    return percent_good(h->path, h->path_len) ||
           fail(e, &HTTP_MALFORMED, "the path has a broken percent escape or %%00");
}

static bool request_line(struct head *h, struct err *e)
{
    char *line = h->raw.data, *end = line + h->line_len;
    char *first = memchr(line, ' ', h->line_len);
    char *second = first ? memchr(first + 1, ' ', (size_t)(end - first - 1)) : NULL;
    if (!second || second == first + 1)
        return fail(e, &HTTP_MALFORMED, "the request line must be a method, a target and HTTP/1.1");
    return set_version(h, second + 1, (size_t)(end - second - 1), e) &&
           set_method(h, line, (size_t)(first - line), e) &&
           set_target(h, first + 1, (size_t)(second - first - 1), e);
}

/* --- the header lines --- */

static int on_name(http_parser *p, const char *at, size_t len)
{
    struct head *h = p->data;
    if (h->n_fields == HEAD_FIELDS_MAX || !all_token(at, len))
        return 1;
    h->fields[h->n_fields++] =
        (struct head_field){.name = at, .name_len = (uint32_t)len, .value = ""};
    return 0;
}

static int on_value(http_parser *p, const char *at, size_t len)
{
    struct head *h = p->data;
    while (len && (*at == ' ' || *at == '\t')) {
        at++;
        len--;
    }
    while (len && (at[len - 1] == ' ' || at[len - 1] == '\t'))
        len--;
    h->fields[h->n_fields - 1].value = at;
    h->fields[h->n_fields - 1].value_len = (uint32_t)len;
    return 0;
}

/* The body is ours (chunked.h): tell the parser that there is none, so that it stops here. */
static int on_complete(http_parser *p)
{
    (void)p;
    return 1;
}

static const http_parser_settings SETTINGS = {
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_headers_complete = on_complete,
};

/* Which of the headers we read a name is; by length first, since most are none of them. */
static int known_index(const char *name, size_t len)
{
    static const struct {
        const char *name;
        enum head_known index;
    } by_length[] = {
        [4] = {"host", KNOWN_HOST},
        [6] = {"expect", KNOWN_EXPECT},
        [11] = {"traceparent", KNOWN_TRACEPARENT},
        [12] = {"content-type", KNOWN_CONTENT_TYPE},
        [14] = {"content-length", KNOWN_CONTENT_LENGTH},
        [15] = {"idempotency-key", KNOWN_IDEMPOTENCY_KEY},
        [17] = {"transfer-encoding", KNOWN_TRANSFER_ENCODING},
    };
    if (len == 12 && strncasecmp(name, "x-request-id", len) == 0)
        return KNOWN_REQUEST_ID;
    if (len == 6 && strncasecmp(name, "origin", len) == 0)
        return KNOWN_ORIGIN;
    if (len >= sizeof by_length / sizeof *by_length || !by_length[len].name ||
        strncasecmp(name, by_length[len].name, len) != 0)
        return -1;
    return (int)by_length[len].index;
}

/* End the strings, find the known headers, refuse those that may not be repeated. */
static bool index_fields(struct head *h, struct err *e)
{
    for (size_t i = 0; i < h->n_fields; i++) {
        struct head_field *f = &h->fields[i];
        h->raw.data[f->name + f->name_len - h->raw.data] = '\0'; /* the colon */
        if (f->value_len)
            h->raw.data[f->value + f->value_len - h->raw.data] = '\0'; /* a blank or the CR */
        else
            f->value = "";
        int known = known_index(f->name, f->name_len);
        if (known < 0)
            continue;
        if (h->known[known] && known != KNOWN_REQUEST_ID && known != KNOWN_TRACEPARENT)
            return fail(e, &HTTP_MALFORMED, "header %s is there twice", f->name);
        if (!h->known[known])
            h->known[known] = f->value;
    }
    return true;
}

static bool host_good(const struct head *h, struct err *e)
{
    const char *host = h->known[KNOWN_HOST];
    if (!host)
        return h->minor == 0 || fail(e, &HTTP_MALFORMED, "an HTTP/1.1 request needs a Host header");
    static const char others[] = "-._~!$&'()*+,;=:[]%";
    for (const char *p = host; *p; p++)
        if (!((*p >= '0' && *p <= '9') || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z') ||
              strchr(others, *p)))
            return fail(e, &HTTP_MALFORMED, "the Host header is not a host and port");
    return true;
}

static bool content_length(struct head *h, const char *text, struct err *e)
{
    uint64_t n = 0;
    size_t digits = 0;
    for (; text[digits] >= '0' && text[digits] <= '9' && digits < 18; digits++)
        n = n * 10 + (unsigned)(text[digits] - '0');
    if (digits == 0 || text[digits])
        return fail(e, &HTTP_MALFORMED, "Content-Length must be a number");
    h->content_length = n;
    h->framing = n ? FRAMING_LENGTH : FRAMING_NONE;
    return true;
}

/* How the body is delimited. Whatever could be read in two ways is refused. */
static bool framing(struct head *h, struct err *e)
{
    const char *length = h->known[KNOWN_CONTENT_LENGTH],
               *coding = h->known[KNOWN_TRANSFER_ENCODING];
    if (length && coding)
        return fail(e, &HTTP_MALFORMED, "Content-Length and Transfer-Encoding in one request");
    if (length)
        return content_length(h, length, e);
    if (!coding)
        return true;
    if (h->minor == 0)
        return fail(e, &HTTP_MALFORMED, "Transfer-Encoding in an HTTP/1.0 request");
    if (strcasecmp(coding, "chunked") != 0)
        return fail(e, &HTTP_NOT_IMPLEMENTED, "the only transfer coding known here is chunked");
    h->framing = FRAMING_CHUNKED;
    return true;
}

static bool header_lines(struct head *h, struct err *e)
{
    http_parser parser;
    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = h;
    size_t n = http_parser_execute(&parser, &SETTINGS, h->raw.data, h->raw.len);
    enum http_errno why = HTTP_PARSER_ERRNO(&parser);
    if (h->n_fields == HEAD_FIELDS_MAX && why == HPE_CB_header_field)
        return fail(e, &HTTP_HEADERS_LARGE, "more than %d header lines", HEAD_FIELDS_MAX);
    h->keep_alive = parser.flags & F_CONNECTION_CLOSE        ? false
                    : parser.flags & F_CONNECTION_KEEP_ALIVE ? true
                                                             : h->minor == 1;
    /* Our own sentences first; what is left is the parser's. */
    if (!index_fields(h, e) || !framing(h, e))
        return false;
    if (why != HPE_OK || n != h->raw.len)
        return fail(e, &HTTP_MALFORMED, "a header line is malformed (%s)",
                    why == HPE_OK ? "unexpected end" : http_errno_description(why));
    return host_good(h, e);
}

static enum head_result complete(struct head *h, struct err *e)
{
    bool good = request_line(h, e) && header_lines(h, e);
    if (h->target)
        h->raw.data[h->target + h->target_len - h->raw.data] = '\0'; /* the blank after it */
    return good ? HEAD_DONE : HEAD_BAD;
}

enum head_result head_feed(struct head *h, const char *data, size_t len, size_t *used,
                           struct err *e)
{
    size_t skipped = 0, n = 0;
    while (h->scan <= LEAD_LF && skipped < len) {
        unsigned char b = (unsigned char)data[skipped];
        if (h->scan == LEAD && b != '\r') {
            h->scan = START;
        } else if (leading_byte(h, b, e)) {
            skipped++;
        } else {
            *used = skipped;
            return HEAD_BAD;
        }
    }
    size_t room = h->max - h->raw.len, offered = len - skipped < room ? len - skipped : room;
    bool good = scan(h, data + skipped, offered, &n, e);
    bytes_add(&h->raw, data + skipped, n);
    *used = skipped + n;
    if (!good)
        return HEAD_BAD;
    if ((h->line_len ? h->line_len : h->raw.len) > h->line_max) {
        fail(e, &HTTP_URI_TOO_LONG, "the request line is longer than %zu bytes", h->line_max);
        return HEAD_BAD;
    }
    if (h->scan == COMPLETE)
        return complete(h, e);
    if (h->raw.len == h->max) {
        fail(e, &HTTP_HEADERS_LARGE, "the head of the request is larger than %zu bytes", h->max);
        return HEAD_BAD;
    }
    return HEAD_MORE;
}

const char *head_find(const struct head *h, const char *name, size_t *from)
{
    size_t len = strlen(name);
    for (size_t i = *from; i < h->n_fields; i++)
        if (h->fields[i].name_len == len && strncasecmp(h->fields[i].name, name, len) == 0) {
            *from = i + 1;
            return h->fields[i].value;
        }
    *from = h->n_fields;
    return NULL;
}
