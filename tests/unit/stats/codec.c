#include "stats/codec.h"

#include "base/hash.h"
#include "stats/quantile.h"

#include "support/random.h"
#include "support/unit.h"

#include <stdlib.h>

static struct bytes encoded(const struct sketch *s)
{
    struct bytes out = BYTES_INIT(SKETCH_ENCODED_MAX);
    assert_true(sketch_encode(s, &out));
    return out;
}

/* Give the last four bytes the checksum of the others: what a hostile writer would do. */
static void seal(uint8_t *data, size_t len)
{
    const uint32_t sum = checksum32(data, len - 4);
    for (int i = 0; i < 4; i++)
        data[len - 4 + i] = (uint8_t)(sum >> (8 * i));
}

/* A sketch of some kind number: empty, single, sparse, dense, wide-spread, with values outside. */
static void fill(struct sketch *s, int kind)
{
    uint64_t seed = (uint64_t)kind;
    const int n = (int[]){0, 1, 2, 20, 300, 2000, 20000, 50}[kind % 8];
    sketch_init(s, 7 - kind / 8 % 8);
    for (int i = 0; i < n; i++) {
        if (kind % 8 == 7)
            sketch_add(s, exp2(80 * random_uniform(&seed) - 30));
        else
            sketch_add(s, kind % 3 ? random_latency(&seed) : exp2(40 * random_uniform(&seed) - 15));
    }
    for (int i = 0; i < kind % 5 && n > 0; i++)
        sketch_add(s, 0);
}

static void assert_encodes_as(const struct sketch *s, const struct bytes *expected)
{
    struct bytes again = encoded(s);
    assert_int_equal(again.len, expected->len);
    assert_memory_equal(again.data, expected->data, again.len);
    bytes_release(&again);
}

static void a_round_trip_changes_nothing(void **state)
{
    (void)state;
    for (int kind = 0; kind < 64; kind++) {
        struct sketch s, back;
        fill(&s, kind);
        struct bytes data = encoded(&s);
        struct err e = {0};
        assert_true(sketch_decode(&back, data.data, data.len, &e));
        assert_encodes_as(&back, &data);
        assert_int_equal(back.scale, s.scale);
        assert_int_equal(back.count, s.count);
        for (double q = 0; q <= 1 && s.count > 0; q += 0.125)
            assert_true(sketch_quantile(&s, q) == sketch_quantile(&back, q));

        struct sketch_summary summary;
        assert_true(sketch_peek(&summary, data.data, data.len, &e));
        assert_int_equal(summary.scale, s.scale);
        assert_int_equal(summary.count, s.count);
        assert_true(summary.sum == sketch_sum(&s));
        assert_true(s.count == 0 ? isnan(summary.min) && isnan(summary.max)
                                 : summary.min == s.min && summary.max == s.max);
        bytes_release(&data);
        sketch_release(&s);
        sketch_release(&back);
    }
}

static void merging_bytes_equals_merging_sketches(void **state)
{
    (void)state;
    for (int to = 0; to < 64; to += 7) {
        for (int from = 0; from < 64; from++) {
            struct sketch a, b, source;
            fill(&a, to);
            fill(&b, to);
            fill(&source, from);
            struct bytes before = encoded(&a), data = encoded(&source);
            struct err e = {0};
            const bool done = sketch_merge_bytes(&a, data.data, data.len, &e);
            assert_int_equal(done, source.scale >= a.scale);
            assert_int_equal(sketch_merge(&b, &source), done);
            assert_ptr_equal(e.kind, done ? NULL : &ERR_INVALID);
            struct bytes after = encoded(&b);
            assert_encodes_as(&a, &after);
            if (!done)
                assert_encodes_as(&a, &before);
            bytes_release(&before);
            bytes_release(&after);
            bytes_release(&data);
            sketch_release(&a);
            sketch_release(&b);
            sketch_release(&source);
        }
    }
}

static void big_counts_survive(void **state)
{
    (void)state;
    struct sketch s, back;
    struct err e = {0};
    fill(&s, 3);
    for (;;) { /* doubling: 20 * 2^n up to the end */
        struct bytes data = encoded(&s);
        assert_true(sketch_decode(&back, data.data, data.len, &e));
        assert_encodes_as(&back, &data);
        const bool more = s.count <= SKETCH_COUNT_MAX / 2;
        assert_int_equal(sketch_merge_bytes(&s, data.data, data.len, &e), more);
        sketch_release(&back);
        if (!more)
            assert_encodes_as(&s, &data);
        bytes_release(&data);
        if (!more)
            break;
    }
    assert_ptr_equal(e.kind, &ERR_INVALID);
    assert_true(s.wide && s.count > SKETCH_COUNT_MAX / 2);
    sketch_release(&s);
}

/* What may come of any bytes: refused and nothing changed, or accepted because sketch_encode()
 * would have written exactly these. Returns whether they were accepted. */
static bool harmless(const struct sketch *dst, const uint8_t *data, size_t len)
{
    struct sketch decoded, merged;
    struct err e = {0};
    const struct bytes given = {.data = (char *)data, .len = len};
    const bool accepted = sketch_decode(&decoded, data, len, &e);
    if (accepted)
        assert_encodes_as(&decoded, &given);
    else
        assert_ptr_equal(e.kind, &ERR_CORRUPT);
    sketch_init(&merged, dst->scale);
    assert_true(sketch_merge(&merged, dst));
    if (!sketch_merge_bytes(&merged, data, len, &e)) {
        struct bytes before = encoded(dst);
        assert_encodes_as(&merged, &before);
        bytes_release(&before);
        assert_true(!accepted || decoded.scale < dst->scale);
    } else {
        assert_true(accepted);
    }
    sketch_release(&merged);
    sketch_release(&decoded);
    return accepted;
}

static void damaged_bytes_are_refused(void **state)
{
    (void)state;
    struct sketch s;
    fill(&s, 12);
    struct bytes data = encoded(&s);
    uint8_t *copy = test_malloc(data.len + 1);
    for (size_t len = 0; len < data.len; len++) {
        memcpy(copy, data.data, len);
        assert_false(harmless(&s, copy, len));
    }
    for (size_t bit = 0; bit < 8 * data.len; bit++) {
        memcpy(copy, data.data, data.len);
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(harmless(&s, copy, data.len));
    }
    memcpy(copy, data.data, data.len); /* trailing bytes, checksum right */
    copy[data.len - 4] = 2;
    seal(copy, data.len + 1);
    assert_false(harmless(&s, copy, data.len + 1));
    test_free(copy);
    bytes_release(&data);
    sketch_release(&s);
}

/* Every byte changed to every value, with the checksum made right again. */
static void forged_bytes_are_refused_or_canonical(void **state)
{
    (void)state;
    static const int kinds[] = {0, 1, 2, 3, 7, 12};
    size_t accepted = 0, refused = 0;
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        struct sketch s;
        fill(&s, kinds[k]);
        struct bytes data = encoded(&s);
        uint8_t *copy = test_malloc(data.len);
        const size_t stride = data.len / 60 + 1;
        for (size_t at = 0; at < data.len - 4; at += stride) {
            for (int value = 0; value<256; value += data.len> 60 ? 5 : 1) {
                memcpy(copy, data.data, data.len);
                copy[at] = (uint8_t)value;
                seal(copy, data.len);
                if (harmless(&s, copy, data.len))
                    accepted++;
                else
                    refused++;
            }
        }
        test_free(copy);
        bytes_release(&data);
        sketch_release(&s);
    }
    assert_true(accepted > 100); /* other sums, other minima in the same bucket */
    assert_true(refused > 10000);
}

/* ---- one rule each; those marked right show that the others have one fault only ---- */

#define DOUBLE_3 0, 0, 0, 0, 0, 0, 8, 64  /* 3.0: bucket 202, zig-zag 404 */
#define DOUBLE_4 0, 0, 0, 0, 0, 0, 16, 64 /* 4.0: bucket 255, zig-zag 510 */
#define ZIG_202  0x94, 3
#define BODY_3   2, 0x80, 0x80, 0x80, 3, 0, DOUBLE_3, DOUBLE_3 /* two values, their sum 6 */

/* A 3 and a 4; a 3 and two of 4: up to their tokens. */
#define PAIR  0xE1, 0, 7, 2, 0, 0, DOUBLE_3, DOUBLE_4, 54, ZIG_202
#define THREE 0xE1, 0, 7, 3, 0, 0, DOUBLE_3, DOUBLE_4, 54, ZIG_202

static const struct forged {
    const char *what;
    bool right;
    uint8_t len, data[60];
} forged[] = {
#define ROW(what_, right_, ...)                        \
    {                                                  \
        what_, right_, sizeof(uint8_t[]){__VA_ARGS__}, \
        {                                              \
            __VA_ARGS__                                \
        }                                              \
    }
    ROW("two values of 3", true, 0xE1, 0, 7, BODY_3, 1, ZIG_202, 4),
    ROW("another magic", false, 0xD1, 0, 7, BODY_3, 1, ZIG_202, 4),
    ROW("another version", false, 0xE2, 0, 7, BODY_3, 1, ZIG_202, 4),
    ROW("an unknown flag", false, 0xE1, 2, 7, BODY_3, 1, ZIG_202, 4),
    ROW("scale 8", false, 0xE1, 0, 8, BODY_3, 1, ZIG_202, 4),
    ROW("scale -1", false, 0xE1, 0, 255, BODY_3, 1, ZIG_202, 4),
    ROW("a wrong bucket for min and max", false, 0xE1, 0, 7, BODY_3, 1, 0x96, 3, 4),
    ROW("too small a count", false, 0xE1, 0, 7, BODY_3, 1, ZIG_202, 2),
    ROW("too large a count", false, 0xE1, 0, 7, BODY_3, 1, ZIG_202, 6),
    ROW("a token too many", false, 0xE1, 0, 7, BODY_3, 1, ZIG_202, 4, 2),
    ROW("a token too few", false, 0xE1, 0, 7, BODY_3, 1, ZIG_202),
    ROW("a long varint", false, 0xE1, 0, 7, BODY_3, 1, ZIG_202, 0x84, 0),
    ROW("no span", false, 0xE1, 0, 7, BODY_3, 0),
    ROW("a span past the domain", false, 0xE1, 0, 7, BODY_3, 0x80, 0x80, 1, ZIG_202, 4),
    ROW("a first bucket below the domain", false, 0xE1, 0, 7, BODY_3, 1, 0x81, 0x28, 4),
    ROW("a sum past the largest", false, 0xE1, 0, 7, 2, 1, 2, DOUBLE_3, DOUBLE_3, 1, ZIG_202, 4),
    ROW("the largest sum", true, 0xE1, 0, 7, 2, 0, 2, DOUBLE_3, DOUBLE_3, 1, ZIG_202, 4),
    ROW("min above max", false, 0xE1, 0, 7, 2, 0, 0, 1, 0, 0, 0, 0, 0, 8, 64, DOUBLE_3, 1, ZIG_202,
        4),
    ROW("min is NaN", false, 0xE1, 0, 7, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0xF8, 0x7F, DOUBLE_3, 1,
        ZIG_202, 4),
    ROW("max is infinite", false, 0xE1, 0, 7, 2, 0, 0, DOUBLE_3, 0, 0, 0, 0, 0, 0, 0xF0, 0x7F, 1,
        ZIG_202, 4),
    ROW("min is negative", false, 0xE1, 0, 7, 2, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0xC0, DOUBLE_3, 1,
        ZIG_202, 4),
    ROW("3 and 4", true, PAIR, 2, 0xD1, 1), /* a gap of 52 */
    ROW("3, 4 and 4", true, THREE, 2, 0xD3, 1, 4),
    ROW("a gap in two pieces", false, THREE, 2, 0xCF, 1, 7, 4),
    ROW("a gap before the first", false, PAIR, 0xD1, 1, 2),
    ROW("a gap and no count", false, PAIR, 4, 0xD7, 1),
    ROW("a gap and a count short of the end", false, PAIR, 2, 0xCD, 1),
    ROW("a gap past the end", false, PAIR, 2, 0xD5, 1),
    ROW("a gap of the long form with a count of 1", false, PAIR, 2, 0xD3, 1, 2),
    ROW("an empty bucket as a count", false, PAIR, 2, 0, 0xCD, 1),
    ROW("a gap of none", false, THREE, 2, 3, 2, 0xCD, 1),
    ROW("nothing", true, 0xE1, 0, 7, 0),
    ROW("nothing, with a flag", false, 0xE1, 1, 7, 0),
    ROW("nothing, and more", false, 0xE1, 0, 7, 0, 0),
    ROW("a zero and a 3", true, 0xE1, 1, 7, 2, 1, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, DOUBLE_3, 1,
        ZIG_202, 2),
    ROW("-0 as min", false, 0xE1, 1, 7, 2, 1, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, DOUBLE_3, 1,
        ZIG_202, 2),
    ROW("a flag for nothing", false, 0xE1, 1, 7, 2, 0, 0, 0, 5, 0, DOUBLE_3, DOUBLE_3, 1, ZIG_202,
        4),
    ROW("more outside than there are", false, 0xE1, 1, 7, 2, 3, 0, 0, 5, 0, DOUBLE_3, DOUBLE_3, 1,
        ZIG_202, 4),
    ROW("only zeros", true, 0xE1, 1, 7, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0),
    ROW("only zeros, max 3", false, 0xE1, 1, 7, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, DOUBLE_3,
        0),
    ROW("a count above 2^63 - 1", false, 0xE1, 0, 7, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
        0x80, 1, 0, 0, DOUBLE_3, DOUBLE_3, 1, ZIG_202, 4),
};

static void each_rule_holds(void **state)
{
    (void)state;
    struct sketch dst;
    fill(&dst, 4);
    for (size_t i = 0; i < sizeof forged / sizeof forged[0]; i++) {
        uint8_t data[64];
        memcpy(data, forged[i].data, forged[i].len);
        seal(data, forged[i].len + 4u);
        if (harmless(&dst, data, forged[i].len + 4u) != forged[i].right)
            fail_msg("wrong about: %s", forged[i].what);
    }
    sketch_release(&dst);
}

/* The fast reader looks at eight bytes at once: counts that add up only modulo 2^64 must not pass.
 */
static void counts_that_wrap_are_refused(void **state)
{
    (void)state;
    struct sketch dst;
    fill(&dst, 4);
    uint8_t data[] = {
        0xE1, 0,    7,    10,   0,    0,    DOUBLE_3, DOUBLE_4, 54,   ZIG_202, /* ten values */
        2,    2,    2,    2,    2,    2,    2,        2,        18, /* 17 in nine cells: already too
                                                                       many */
        0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,     0xFF,     0xFF, 1, /* 2^63 - 1 */
        0xF2, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,     0xFF,     0xFF, 1, /* 2^63 - 7 */
        0xA9, 1, /* a gap of 42, then 1: 10 modulo 2^64 */
        0,    0,    0,    0,
    };
    seal(data, sizeof data);
    assert_false(harmless(&dst, data, sizeof data));
    sketch_release(&dst);
}

static void sizes_are_those_promised(void **state)
{
    (void)state;
    static const struct {
        int n;
        size_t bound;
    } rows[] = {{100, 200}, {1000, 550}, {1000000, 1700}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sketch s;
        uint64_t seed = 1;
        sketch_init(&s, 7);
        for (int k = 0; k < rows[i].n; k++)
            sketch_add(&s, random_latency(&seed));
        struct bytes data = encoded(&s);
        assert_true(data.len <= rows[i].bound);
        bytes_release(&data);
        sketch_release(&s);
    }
}

static void a_full_buffer_is_told(void **state)
{
    (void)state;
    struct sketch s;
    fill(&s, 4);
    struct bytes small = BYTES_INIT(20);
    assert_false(sketch_encode(&s, &small));
    assert_int_equal(small.len, 0);
    bytes_release(&small);
    sketch_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_round_trip_changes_nothing),
        cmocka_unit_test(merging_bytes_equals_merging_sketches),
        cmocka_unit_test(big_counts_survive),
        cmocka_unit_test(damaged_bytes_are_refused),
        cmocka_unit_test(forged_bytes_are_refused_or_canonical),
        cmocka_unit_test(each_rule_holds),
        cmocka_unit_test(counts_that_wrap_are_refused),
        cmocka_unit_test(sizes_are_those_promised),
        cmocka_unit_test(a_full_buffer_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
