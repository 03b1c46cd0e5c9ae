#include "base/ids.h"

#include "base/utf8.h"

#include <stdatomic.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* One system call for many identifiers. A forked child would repeat them, but our children execute
 * another program at once. */
struct random_buffer {
    uint8_t data[256]; /* getrandom() gives up to 256 bytes without interruption */
    size_t left;
};
static _Thread_local struct random_buffer buffer;

static void from_kernel(uint8_t *to, size_t len)
{
    while (len) {
        ssize_t n = getrandom(to, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            static const char text[] = "paddock: the kernel gives no random bytes, ending\n";
            ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
            (void)ignored;
            _exit(1);
        }
        to += n;
        len -= (size_t)n;
    }
}

void random_bytes(void *out, size_t len)
{
    if (len > sizeof buffer.data / 4) {
        from_kernel(out, len);
        return;
    }
    if (buffer.left < len) {
        from_kernel(buffer.data, sizeof buffer.data);
        buffer.left = sizeof buffer.data;
    }
    buffer.left -= len;
    memcpy(out, buffer.data + buffer.left, len);
    memset(buffer.data + buffer.left, 0, len); /* what was handed out may be a secret */
}

void ulid_make(int64_t wall_ms, char out[ULID_SIZE])
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint64_t time = (uint64_t)wall_ms & 0xffffffffffff;
    for (int i = 9; i >= 0; i--, time >>= 5)
        out[i] = digits[time & 31];
    uint8_t noise[10];
    random_bytes(noise, sizeof noise);
    for (int half = 0; half < 2; half++) { /* five bytes are eight digits */
        uint64_t bits = 0;
        for (int i = 0; i < 5; i++)
            bits = bits << 8 | noise[half * 5 + i];
        for (int i = 7; i >= 0; i--, bits >>= 5)
            out[10 + half * 8 + i] = digits[bits & 31];
    }
    out[ULID_SIZE - 1] = '\0';
}

static bool alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool id_valid(const char *text)
{
    if (!alphanumeric(text[0]))
        return false;
    size_t len = 1;
    for (; text[len]; len++) {
        char c = text[len];
        if (len == 128 || !(alphanumeric(c) || c == '.' || c == '_' || c == ':' || c == '-'))
            return false;
    }
    return true;
}

static bool in_ranges(uint32_t code, const uint32_t (*ranges)[2], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (code >= ranges[i][0] && code <= ranges[i][1])
            return true;
    return false;
}

/* Controls, line separators, and the marks that make text read otherwise than it is written. */
static bool unprintable(uint32_t code)
{
    static const uint32_t ranges[][2] = {
        {0x00, 0x1f},     {0x7f, 0x9f},     {0x200b, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f},
        {0xfdd0, 0xfdef}, {0xfeff, 0xfeff}, {0xfff0, 0xfffb}, {0xe0000, 0xe0fff},
    };
    return (code & 0xfffe) == 0xfffe || in_ranges(code, ranges, sizeof ranges / sizeof *ranges);
}

static bool is_space(uint32_t code)
{
    static const uint32_t ranges[][2] = {
        {0x20, 0x20},     {0xa0, 0xa0},     {0x1680, 0x1680}, {0x2000, 0x200a},
        {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000},
    };
    return in_ranges(code, ranges, sizeof ranges / sizeof *ranges);
}

const char *name_fault(const char *text, size_t max_chars)
{
    size_t len = strlen(text), chars = 0;
    bool space = false; /* was the last one a space? */
    if (len == 0)
        return "must not be empty";
    for (size_t at = 0; at < len; chars++) {
        uint32_t code;
        size_t n = utf8_next(text + at, len - at, &code);
        if (!n)
            return "must be UTF-8";
        if (code == '/')
            return "must not contain '/'";
        if (code == ':')
            return "must not contain ':'";
        if (code == '@')
            return "must not contain '@'";
        if (unprintable(code))
            return "must contain printable characters only";
        if (chars == max_chars)
            return "is too long";
        space = is_space(code);
        if (space && at == 0)
            return "must not begin with a space";
        at += n;
    }
    return space ? "must not end with a space" : NULL;
}

bool token_printable(const char *text, size_t max)
{
    size_t len = 0;
    for (; text[len]; len++)
        if (len == max || text[len] < 0x20 || text[len] > 0x7e)
            return false;
    return len > 0;
}

uint64_t number_new(void)
{
    static atomic_uint_fast64_t last;
    return atomic_fetch_add(&last, 1) + 1;
}
