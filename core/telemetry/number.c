#include "telemetry/number.h"

#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A decimal with at most 19 digits fits 64 bits. When its digits fit 53 bits and its power of ten
 * is an exact double, one multiplication or division of two exact numbers rounds once, which is the
 * right rounding (Clinger, "How to read floating point numbers accurately", 1990). The 16 or 17
 * digits that languages print for a double do not fit: those are divided as integers, with the
 * remainder telling which way to round. Everything else is left to strtod. */
#define DIGITS_MAX   19
#define EXACT_MAX    (UINT64_C(1) << 53)
#define POWER_MAX    22
#define DIVISION_MAX 19 /* 10^19 is the last power of ten in 64 bits */

static const double powers_of_ten[POWER_MAX + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

__extension__ typedef unsigned __int128 wide;

static inline bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* n / 10^power, rounded to the nearest double, ties to even. `n` > 0, `power` 1..19. */
static double by_division(uint64_t n, int power)
{
    const uint64_t divisor = (uint64_t)powers_of_ten[power]; /* exact */
    /* The quotient as a number with 64 binary places; n's top bit is set first, so that at least 63
     * bits of it count. */
    int up = __builtin_clzll(n);
    n <<= up;
    uint64_t whole = n / divisor;
    wide rest = (wide)(n % divisor) << 64;
    uint64_t places = (uint64_t)(rest / divisor);
    bool inexact = rest != (wide)places * divisor;
    int exponent = -64 - up;
    uint64_t top = places;
    if (whole) {
        int shift = 64 - __builtin_clzll(whole);
        top = (uint64_t)(((wide)whole << 64 | places) >> shift);
        inexact |= (places & (UINT64_MAX >> (64 - shift))) != 0;
        exponent += shift;
    } else {
        int shift = __builtin_clzll(top);
        top <<= shift;
        exponent -= shift;
    }
    /* 64 bits in `top`: keep 53. */
    uint64_t kept = top >> 11, cut = top & 0x7ff;
    if (cut > 0x400 || (cut == 0x400 && (inexact || (kept & 1))))
        kept++;
    /* Exponents are within -127..-11 here: 2^x is a normal double, made of its bits. */
    uint64_t bits = (uint64_t)(1023 + exponent + 11) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    return (double)kept * scale;
}

/* strtod reads what it likes ("1p3", a locale's comma), so it gets a copy of exactly the number. */
static double by_strtod(const char *from, const char *to)
{
    char small[64];
    size_t len = (size_t)(to - from);
    if (len < sizeof small) {
        memcpy(small, from, len);
        small[len] = '\0';
        return strtod(small, NULL);
    }
    char *copy = mem_copy(from, len);
    double value = strtod(copy, NULL);
    free(copy);
    return value;
}

/* Read "e+12"; NULL if it is cut short. The exponent is bounded: beyond it only strtod's answer
 * matters. */
static const char *scan_exponent(const char *p, int *exponent)
{
    bool negative = *p == '-';
    int n = 0;
    if (*p == '-' || *p == '+')
        p++;
    if (!is_digit(*p))
        return NULL;
    for (; is_digit(*p); p++)
        if (n < 100000)
            n = n * 10 + (*p - '0');
    *exponent += negative ? -n : n;
    return p;
}

const char *number_scan(const char *p, double *value)
{
    const char *start = p;
    bool negative = *p == '-';
    p += negative;
    const char *digits = p;
    uint64_t n = 0;
    int exponent = 0;
    if (!is_digit(*p))
        return NULL;
    do
        n = n * 10 + (uint64_t)(*p++ - '0');
    while (is_digit(*p));
    if (*digits == '0' && p - digits > 1)
        return NULL;
    long count = p - digits;
    if (*p == '.') {
        const char *fraction = ++p;
        if (!is_digit(*p))
            return NULL;
        do
            n = n * 10 + (uint64_t)(*p++ - '0');
        while (is_digit(*p));
        exponent = p - fraction < 100000 ? -(int)(p - fraction) : -100000;
        count += p - fraction;
    }
    if (*p == 'e' || *p == 'E') {
        p = scan_exponent(p + 1, &exponent);
        if (!p)
            return NULL;
    }
    if (count <= DIGITS_MAX && n > EXACT_MAX && exponent < 0 && exponent >= -DIVISION_MAX) {
        double quotient = by_division(n, -exponent);
        *value = negative ? -quotient : quotient;
        return p;
    }
    if (count > DIGITS_MAX || n > EXACT_MAX || exponent < -POWER_MAX || exponent > POWER_MAX) {
        *value = by_strtod(start, p);
        return p;
    }
    double x = (double)n;
    x = exponent < 0 ? x / powers_of_ten[-exponent] : x * powers_of_ten[exponent];
    *value = negative ? -x : x;
    return p;
}
