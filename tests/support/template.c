#include "support/template.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Over (0, 1), by xorshift. */
static double uniform(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return ((double)(*random >> 11) + 0.5) * 0x1p-53;
}

static void add_latency(struct bytes *out, uint64_t *random)
{
    double normal = sqrt(-2 * log(uniform(random))) * cos(6.283185307179586 * uniform(random));
    bytes_printf(out, "%.3f", 12 * exp(0.6 * normal));
}

static void add_now(struct bytes *out)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    bytes_int(out, t.tv_sec * 1000 + t.tv_nsec / 1000000);
}

/* `expression` begins at the n and goes to the closing bracket. */
static bool add_number(struct bytes *out, const char *expression, uint64_t n)
{
    const char *at = expression + 1;
    if (*expression != 'n')
        return false;
    while (*at == '/' || *at == '%') {
        char *end = NULL;
        uint64_t by = strtoull(at + 1, &end, 10);
        if (by == 0)
            return false;
        n = *at == '/' ? n / by : n % by;
        at = end;
    }
    return *at == '>' && bytes_uint(out, n);
}

bool template_render(struct bytes *out, const char *template, uint64_t n, uint64_t *random)
{
    for (const char *at = template; *at;) {
        size_t plain = strcspn(at, "<");
        bytes_add(out, at, plain);
        at += plain;
        if (*at == '\0')
            break;
        const char *close = strchr(at, '>');
        if (!close)
            return false;
        if (strncmp(at, "<latency>", 9) == 0)
            add_latency(out, random);
        else if (strncmp(at, "<now>", 5) == 0)
            add_now(out);
        else if (!add_number(out, at + 1, n))
            return false;
        at = close + 1;
    }
    return true;
}
