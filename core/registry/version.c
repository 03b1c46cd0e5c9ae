#include "registry/version.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The digits of a run that count: after leading zeros. */
static size_t significant(const char **run)
{
    while (**run == '0')
        (*run)++;
    size_t n = 0;
    while (is_digit((*run)[n]))
        n++;
    return n;
}

int version_compare(const char *a, const char *b)
{
    while (*a && *b) {
        if (!is_digit(*a) || !is_digit(*b)) {
            if (*a != *b)
                return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
            a++, b++;
            continue;
        }
        size_t n = significant(&a), m = significant(&b);
        if (n != m)
            return n < m ? -1 : 1;
        int order = memcmp(a, b, n);
        if (order)
            return order;
        a += n, b += n;
    }
    return *a ? 1 : *b ? -1 : 0;
}

/* A run of digits becomes the count of its significant ones, written as a digit (so that it stands
 * to other characters as digits do), and then these. From nine on they are left to the comparison.
 */
uint64_t version_prefix(const char *text)
{
    unsigned char out[8] = {0};
    size_t n = 0;
    while (*text && n < sizeof out) {
        if (!is_digit(*text)) {
            out[n++] = (unsigned char)*text++;
            continue;
        }
        size_t digits = significant(&text);
        out[n++] = (unsigned char)('0' + (digits < 9 ? digits : 9));
        if (digits >= 9)
            break;
        for (size_t i = 0; i < digits && n < sizeof out; i++)
            out[n++] = (unsigned char)text[i];
        text += digits;
    }
    uint64_t prefix = 0;
    for (size_t i = 0; i < sizeof out; i++)
        prefix = prefix << 8 | out[i];
    return prefix;
}

int64_t version_number(const char *text)
{
    size_t n = strspn(text, "0123456789");
    if (n == 0 || n > 18 || text[n])
        return -1;
    int64_t value = 0;
    for (size_t i = 0; i < n; i++)
        value = value * 10 + (text[i] - '0');
    return value;
}
