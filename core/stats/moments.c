#include "stats/moments.h"

#include "base/hash.h"

#include <endian.h>
#include <math.h>
#include <string.h>

enum { VERSION = 1, CHECKED = MOMENTS_ENCODED_SIZE - 4 };

void moments_add(struct moments *m, double value)
{
    moments_merge(m, &(struct moments){.count = 1, .mean = value, .min = value, .max = value});
}

void moments_merge(struct moments *dst, const struct moments *src)
{
    if (src->count == 0)
        return;
    if (dst->count == 0) {
        *dst = *src;
        return;
    }
    const double a = (double)dst->count, b = (double)src->count;
    const double delta = src->mean - dst->mean;
    dst->count += src->count;
    dst->mean += delta * (b / (a + b));
    dst->squares += src->squares + delta * delta * (a * (b / (a + b)));
    dst->min = fmin(dst->min, src->min);
    dst->max = fmax(dst->max, src->max);
}

double moments_variance(const struct moments *m)
{
    if (m->count == 0)
        return NAN;
    return m->count == 1 ? 0 : m->squares / (double)(m->count - 1);
}

static void put_u64(uint8_t **p, uint64_t n)
{
    n = htole64(n);
    memcpy(*p, &n, sizeof n);
    *p += sizeof n;
}

static uint64_t get_u64(const uint8_t **p)
{
    uint64_t n;
    memcpy(&n, *p, sizeof n);
    *p += sizeof n;
    return le64toh(n);
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double get_double(const uint8_t **p)
{
    const uint64_t bits = get_u64(p);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

bool moments_encode(const struct moments *m, struct bytes *out)
{
    uint8_t buf[MOMENTS_ENCODED_SIZE], *p = buf;
    *p++ = VERSION;
    put_u64(&p, m->count);
    put_u64(&p, bits_of(m->mean));
    put_u64(&p, bits_of(m->min));
    put_u64(&p, bits_of(m->max));
    put_u64(&p, bits_of(m->squares));
    const uint32_t sum = htole32(checksum32(buf, CHECKED));
    memcpy(p, &sum, sizeof sum);
    return bytes_add(out, buf, sizeof buf);
}

bool moments_decode(struct moments *m, const void *data, size_t len, struct err *e)
{
    *m = (struct moments){0};
    const uint8_t *p = data;
    uint32_t sum;
    if (len != MOMENTS_ENCODED_SIZE || *p++ != VERSION)
        return fail(e, &ERR_CORRUPT, "these bytes are not encoded moments");
    memcpy(&sum, (const uint8_t *)data + CHECKED, sizeof sum);
    if (le32toh(sum) != checksum32(data, CHECKED))
        return fail(e, &ERR_CORRUPT, "encoded moments have a wrong checksum");
    struct moments read = {.count = get_u64(&p)};
    read.mean = get_double(&p);
    read.min = get_double(&p);
    read.max = get_double(&p);
    read.squares = get_double(&p);
    /* The mean may leave [min, max] by rounding, so only what is sure is required. */
    if (!isfinite(read.mean) || !isfinite(read.min) || !isfinite(read.max) ||
        !(read.squares >= 0) || read.min > read.max)
        return fail(e, &ERR_CORRUPT, "encoded moments contradict themselves");
    *m = read;
    return true;
}
