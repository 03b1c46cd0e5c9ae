#include "http/chunked.h"

#include "http/errors.h"

enum state {
    SIZE,          /* hexadecimal digits */
    EXTENSION,     /* after ';', up to CR */
    SIZE_LF,       /* the LF after a size line */
    DATA,          /* `left` bytes */
    DATA_CR,       /* the CR after them */
    DATA_LF,       /* and the LF */
    TRAILER_START, /* at the beginning of a trailer line */
    TRAILER,       /* within it */
    TRAILER_LF,    /* the LF after it */
    LAST_LF,       /* the LF after the empty line */
    DONE
};

void chunked_init(struct chunked *c)
{
    *c = (struct chunked){.state = SIZE};
}

static int hex_digit(unsigned char b)
{
    if (b >= '0' && b <= '9')
        return b - '0';
    b |= 0x20;
    return b >= 'a' && b <= 'f' ? b - 'a' + 10 : -1;
}

static bool is_text(unsigned char b)
{
    return b == '\t' || (b >= 0x20 && b != 0x7f);
}

static bool size_byte(struct chunked *c, unsigned char b, struct err *e)
{
    int digit = hex_digit(b);
    if (digit >= 0) {
        if (++c->digits > 15)
            return fail(e, &HTTP_MALFORMED, "a chunk's size is longer than 15 digits");
        c->left = c->left << 4 | (unsigned)digit;
        return true;
    }
    if (c->digits == 0 || (b != '\r' && b != ';'))
        return fail(e, &HTTP_MALFORMED, "a chunk's size must be hexadecimal digits");
    c->state = b == '\r' ? SIZE_LF : EXTENSION;
    return true;
}

/* A byte that is no data, outside of size digits and their line end. */
static bool extra_byte(struct chunked *c, unsigned char b, struct err *e)
{
    if (!is_text(b))
        return fail(e, &HTTP_MALFORMED, "a control byte within the chunked coding");
    if (++c->extra > CHUNKED_EXTRA_MAX)
        return fail(e, &HTTP_MALFORMED, "chunk extensions and trailers are larger than %d bytes",
                    CHUNKED_EXTRA_MAX);
    return true;
}

static bool expect(struct chunked *c, unsigned char b, unsigned char wanted, unsigned next,
                   struct err *e)
{
    if (b != wanted)
        return fail(e, &HTTP_MALFORMED, "a line of the chunked coding does not end in CR LF");
    c->state = next;
    return true;
}

static bool size_line_end(struct chunked *c, unsigned char b, struct err *e)
{
    c->digits = 0;
    return expect(c, b, '\n', c->left ? DATA : TRAILER_START, e);
}

static bool trailer_start(struct chunked *c, unsigned char b, struct err *e)
{
    if (b == '\r') {
        c->state = LAST_LF;
        return true;
    }
    if (b == ' ' || b == '\t' || b == ':')
        return fail(e, &HTTP_MALFORMED, "a trailer line is folded or has no name");
    c->state = TRAILER;
    return extra_byte(c, b, e);
}

/* One byte that is not data. */
static bool control_byte(struct chunked *c, unsigned char b, struct err *e)
{
    switch (c->state) {
    case SIZE: return size_byte(c, b, e);
    case EXTENSION:
    case TRAILER:
        if (b != '\r')
            return extra_byte(c, b, e);
        c->state = c->state == TRAILER ? TRAILER_LF : SIZE_LF;
        return true;
    case SIZE_LF: return size_line_end(c, b, e);
    case DATA_CR: return expect(c, b, '\r', DATA_LF, e);
    case DATA_LF: return expect(c, b, '\n', SIZE, e);
    case TRAILER_START: return trailer_start(c, b, e);
    case TRAILER_LF: return expect(c, b, '\n', TRAILER_START, e);
    default: /* LAST_LF */ return expect(c, b, '\n', DONE, e);
    }
}

enum chunked_result chunked_feed(struct chunked *c, const char *in, size_t len, size_t *used,
                                 const char **data, size_t *data_len, struct err *e)
{
    size_t at = 0;
    enum chunked_result result = CHUNKED_MORE;
    while (result == CHUNKED_MORE && at < len && c->state != DONE) {
        if (c->state == DATA) {
            size_t n = len - at < c->left ? len - at : (size_t)c->left;
            *data = in + at;
            *data_len = n;
            at += n;
            c->left -= n;
            if (c->left == 0)
                c->state = DATA_CR;
            result = CHUNKED_DATA;
        } else if (!control_byte(c, (unsigned char)in[at++], e)) {
            result = CHUNKED_BAD;
        }
    }
    *used = at;
    return result == CHUNKED_MORE && c->state == DONE ? CHUNKED_DONE : result;
}

uint64_t chunked_data_left(const struct chunked *c)
{
    return c->state == DATA ? c->left : 0;
}
