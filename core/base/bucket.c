#include "base/bucket.h"

#include "base/hash.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

__extension__ typedef unsigned __int128 uint128;

#define TEXT_MAX 512 /* hashed on the stack; longer units cost an allocation */

uint32_t bucket_of(const char *salt, enum bucket_purpose purpose, const char *unit, size_t len)
{
    char small[TEXT_MAX], *text = small;
    size_t salt_len = strnlen(salt, SALT_MAX), total = salt_len + 3 + len;
    if (total > sizeof small)
        text = mem_alloc(total);
    memcpy(text, salt, salt_len);
    text[salt_len] = '\0';
    text[salt_len + 1] = (char)purpose;
    text[salt_len + 2] = '\0';
    memcpy(text + salt_len + 3, unit, len);
    uint64_t hash = hash64(text, total, 0);
    if (text != small)
        free(text);
    /* the high half of a product: no modulo, no bias beyond 2^-47 */
    return (uint32_t)(((uint128)hash * BUCKETS) >> 64);
}

int share_at(const struct share *shares, size_t n, uint32_t bucket)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (bucket >= shares[mid].to)
            low = mid + 1;
        else
            high = mid;
    }
    return low < n && bucket >= shares[low].from ? (int)shares[low].arm : -1;
}

double share_of_arm(const struct share *shares, size_t n, uint32_t arm)
{
    uint32_t own = 0;
    for (size_t i = 0; i < n; i++)
        own += shares[i].arm == arm ? shares[i].to - shares[i].from : 0;
    return (double)own / BUCKETS;
}

/* ---- weights to buckets ---- */

struct remainder {
    double part;
    size_t arm;
};

static int by_remainder(const void *a, const void *b)
{
    const struct remainder *x = a, *y = b;
    if (x->part != y->part)
        return x->part > y->part ? -1 : 1;
    return x->arm < y->arm ? -1 : 1;
}

/* Too many were given out because small weights were lifted to one: the largest give back. */
static void take_back(uint32_t *want, size_t arms, uint32_t excess)
{
    while (excess--) {
        size_t most = 0;
        for (size_t i = 1; i < arms; i++)
            if (want[i] > want[most])
                most = i;
        want[most]--;
    }
}

bool shares_of_weights(const double *weights, size_t arms, uint32_t *want)
{
    double sum = 0;
    for (size_t i = 0; i < arms; i++) {
        if (!isfinite(weights[i]) || weights[i] < 0)
            return false;
        sum += weights[i];
    }
    if (arms == 0 || !(sum > 0) || !isfinite(sum) || arms > ARMS_MAX)
        return false;
    struct remainder rest[ARMS_MAX] = {{0, 0}};
    uint32_t given = 0;
    for (size_t i = 0; i < arms; i++) {
        double exact = weights[i] / sum * BUCKETS;
        /* 0.1 + 0.2 of 100 must not lose a bucket to rounding */
        double whole = floor(exact + 1e-6);
        want[i] = (uint32_t)whole;
        rest[i] = (struct remainder){exact - whole, i};
        if (weights[i] > 0 && want[i] == 0) {
            want[i] = 1;
            rest[i].part = -1;
        }
        given += want[i];
    }
    qsort(rest, arms, sizeof *rest, by_remainder);
    for (size_t i = 0; given < BUCKETS; i = (i + 1) % arms)
        if (weights[rest[i].arm] > 0) {
            want[rest[i].arm]++;
            given++;
        }
    take_back(want, arms, given - BUCKETS);
    return true;
}

/* ---- re-weighting ---- */

static size_t add_range(struct share *out, size_t n, struct share range)
{
    if (n > 0 && n <= SHARES_MAX && out[n - 1].arm == range.arm && out[n - 1].to == range.from) {
        out[n - 1].to = range.to;
        return n;
    }
    if (n < SHARES_MAX)
        out[n] = range;
    return n + 1;
}

static size_t lay_out(const uint32_t *want, size_t arms, struct share *out)
{
    size_t n = 0;
    uint32_t at = 0;
    for (size_t i = 0; i < arms; i++) {
        if (want[i] > 0)
            n = add_range(out, n, (struct share){at, at + want[i], (uint32_t)i});
        at += want[i];
    }
    return n;
}

/* What each range keeps when each arm keeps at most `want` buckets, its lowest ones. Returns how
 * many each arm still lacks in `lack`. */
static void keep(struct share *ranges, size_t n, const uint32_t *want, size_t arms, uint32_t *lack)
{
    for (size_t i = 0; i < arms; i++)
        lack[i] = want[i];
    for (size_t i = 0; i < n; i++) {
        struct share *r = &ranges[i];
        uint32_t size = r->to - r->from, may = r->arm < arms ? lack[r->arm] : 0;
        if (may > size)
            may = size;
        r->to = r->from + may;
        if (r->arm < arms)
            lack[r->arm] -= may;
    }
}

/* Give the free buckets from..to-1 to arms that lack some. */
static size_t fill(struct share *out, size_t n, struct share gap, size_t arms, uint32_t *lack)
{
    for (size_t i = 0; i < arms && gap.from < gap.to; i++) {
        uint32_t size = gap.to - gap.from;
        uint32_t take = lack[i] < size ? lack[i] : size;
        if (take == 0)
            continue;
        n = add_range(out, n, (struct share){gap.from, gap.from + take, (uint32_t)i});
        gap.from += take;
        lack[i] -= take;
    }
    return n;
}

size_t shares_reweigh(const struct share *old, size_t old_n, const uint32_t *want, size_t arms,
                      struct share *out)
{
    struct share kept[SHARES_MAX];
    uint32_t lack[ARMS_MAX] = {0};
    if (old_n == 0 || old_n > SHARES_MAX || arms > ARMS_MAX)
        return lay_out(want, arms, out);
    memcpy(kept, old, old_n * sizeof *old);
    keep(kept, old_n, want, arms, lack);
    size_t n = 0;
    uint32_t at = 0;
    for (size_t i = 0; i <= old_n; i++) {
        uint32_t next = i < old_n ? kept[i].from : BUCKETS;
        n = fill(out, n, (struct share){at, next, 0}, arms, lack);
        if (i < old_n) {
            if (kept[i].to > kept[i].from)
                n = add_range(out, n, kept[i]);
            at = kept[i].to;
        }
    }
    return n > SHARES_MAX ? lay_out(want, arms, out) : n;
}

uint32_t shares_moved(const struct share *a, size_t a_n, const struct share *b, size_t b_n)
{
    uint32_t moved = 0, at = 0;
    size_t i = 0, j = 0;
    while (at < BUCKETS) {
        while (i < a_n && a[i].to <= at)
            i++;
        while (j < b_n && b[j].to <= at)
            j++;
        bool in_a = i < a_n && a[i].from <= at, in_b = j < b_n && b[j].from <= at;
        uint32_t end = BUCKETS;
        uint32_t a_end = i < a_n ? (in_a ? a[i].to : a[i].from) : BUCKETS;
        uint32_t b_end = j < b_n ? (in_b ? b[j].to : b[j].from) : BUCKETS;
        end = a_end < end ? a_end : end;
        end = b_end < end ? b_end : end;
        if ((in_a ? (int64_t)a[i].arm : -1) != (in_b ? (int64_t)b[j].arm : -1))
            moved += end - at;
        at = end;
    }
    return moved;
}
