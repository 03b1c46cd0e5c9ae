#include "base/clock.h"

#include <string.h>
#include <time.h>

#define DAY_MS  86400000LL
#define LAST_MS 253402300799999LL /* 9999-12-31T23:59:59.999Z */

static int64_t read_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t system_wall(void *self)
{
    (void)self;
    return read_ns(CLOCK_REALTIME) / 1000000;
}

static int64_t system_mono(void *self)
{
    (void)self;
    return read_ns(CLOCK_MONOTONIC);
}

const struct clock CLOCK_SYSTEM = {system_wall, system_mono, NULL};

static int64_t manual_wall(void *self)
{
    return ((const struct manual_clock *)self)->wall_ms;
}

static int64_t manual_mono(void *self)
{
    return ((const struct manual_clock *)self)->mono_ns;
}

void manual_clock_init(struct manual_clock *m, int64_t wall_ms)
{
    *m = (struct manual_clock){{manual_wall, manual_mono, m}, wall_ms, 0};
}

/* Days since 1970 of a date of the Gregorian calendar and back, after Howard Hinnant's
 * "chrono-Compatible Low-Level Date Algorithms". Years begin in March, so that the leap day comes
 * last; 400 years (an era) have 146097 days. Years here are not negative. */
static int64_t days_from_date(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = year / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_from_days(int64_t days, unsigned *year, unsigned *month, unsigned *day)
{
    unsigned z = (unsigned)(days + 719468), era = z / 146097, of_era = z % 146097;
    unsigned y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;
    *day = of_year - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = y + era * 400 + (*month <= 2);
}

/* Write `n` with `digits` digits. */
static void put(char *to, unsigned n, int digits)
{
    while (digits--) {
        to[digits] = (char)('0' + n % 10);
        n /= 10;
    }
}

void time_format(int64_t wall_ms, char out[TIME_TEXT_SIZE])
{
    wall_ms = wall_ms < 0 ? 0 : wall_ms > LAST_MS ? LAST_MS : wall_ms;
    unsigned year, month, day, of_day = (unsigned)(wall_ms % DAY_MS);
    date_from_days(wall_ms / DAY_MS, &year, &month, &day);
    memcpy(out, "0000-00-00T00:00:00.000Z", TIME_TEXT_SIZE);
    put(out, year, 4);
    put(out + 5, month, 2);
    put(out + 8, day, 2);
    put(out + 11, of_day / 3600000, 2);
    put(out + 14, of_day / 60000 % 60, 2);
    put(out + 17, of_day / 1000 % 60, 2);
    put(out + 20, of_day % 1000, 3);
}

struct cursor {
    const char *p, *end;
};

/* Take a number of exactly `digits` digits within least..most. */
static bool number(struct cursor *c, int digits, int least, int most, int *n)
{
    *n = 0;
    if (c->end - c->p < digits)
        return false;
    for (; digits; digits--, c->p++) {
        if (*c->p < '0' || *c->p > '9')
            return false;
        *n = *n * 10 + (*c->p - '0');
    }
    return *n >= least && *n <= most;
}

/* Take one of two characters. */
static bool one_of(struct cursor *c, char a, char b)
{
    if (c->p == c->end || (*c->p != a && *c->p != b))
        return false;
    c->p++;
    return true;
}

/* Take ".123", up to nine digits, of which three count. */
static bool fraction(struct cursor *c, int *ms)
{
    *ms = 0;
    if (!one_of(c, '.', '.'))
        return true;
    int digits = 0;
    for (; c->p < c->end && *c->p >= '0' && *c->p <= '9'; c->p++, digits++)
        if (digits < 3)
            *ms = *ms * 10 + (*c->p - '0');
    for (int i = digits; i < 3; i++)
        *ms *= 10;
    return digits >= 1 && digits <= 9;
}

/* Take "Z" or "+02:00". */
static bool offset(struct cursor *c, int *minutes)
{
    *minutes = 0;
    if (one_of(c, 'Z', 'z'))
        return true;
    int sign = c->p < c->end && *c->p == '-' ? -1 : 1, h, m;
    if (!one_of(c, '+', '-') || !number(c, 2, 0, 23, &h) || !one_of(c, ':', ':') ||
        !number(c, 2, 0, 59, &m))
        return false;
    *minutes = sign * (h * 60 + m);
    return true;
}

static int month_days(int year, int month)
{
    static const char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

bool time_parse(const char *text, size_t len, int64_t *wall_ms)
{
    struct cursor c = {text, text + len};
    int year, month, day, h, m, s, ms, minutes;
    if (!number(&c, 4, 0, 9999, &year) || !one_of(&c, '-', '-') || !number(&c, 2, 1, 12, &month) ||
        !one_of(&c, '-', '-') || !number(&c, 2, 1, 31, &day) || !one_of(&c, 'T', 't') ||
        !number(&c, 2, 0, 23, &h) || !one_of(&c, ':', ':') || !number(&c, 2, 0, 59, &m) ||
        !one_of(&c, ':', ':') || !number(&c, 2, 0, 60, &s) || !fraction(&c, &ms) ||
        !offset(&c, &minutes) || c.p != c.end || day > month_days(year, month))
        return false;
    int64_t of_day = h * 60 + m - minutes;
    /* A leap second ends a day of UTC; we count it as the first of the next. */
    if (s == 60 && (of_day + 1440) % 1440 != 1439)
        return false;
    int64_t t = days_from_date(year, month, day) * DAY_MS + of_day * 60000 + s * 1000 + ms;
    if (t < 0 || t > LAST_MS)
        return false;
    *wall_ms = t;
    return true;
}

bool span_parse(const char *text, int64_t *ms)
{
    int64_t n = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(n, (int64_t)10, &n) ||
            __builtin_add_overflow(n, (int64_t)(*p - '0'), &n))
            return false;
    int64_t unit = *p == 's'   ? 1000
                   : *p == 'm' ? 60000
                   : *p == 'h' ? 3600000
                   : *p == 'd' ? DAY_MS
                               : 0;
    int64_t total;
    if (p == text || !unit || p[1] != '\0' || n == 0 || __builtin_mul_overflow(n, unit, &total))
        return false;
    *ms = total;
    return true;
}
