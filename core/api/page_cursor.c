#include "api/page_cursor.h"

#include "base/fault.h"
#include "base/hash.h"

#include <string.h>

const char *page_cursor_make(struct arena *a, const char *order, const char *key)
{
    const char *plain = arena_printf(a, "%s\n%s", order, key);
    size_t len = strlen(plain);
    char *text = arena_zero(a, 4 * ((len + 2) / 3) + 1);
    base64url_encode(plain, len, text);
    return text;
}

static bool refuse(struct arena *a, const char *why, struct err *e)
{
    struct faults f;
    faults_init(&f, a);
    fault_add(&f, &ERR_INVALID, "cursor", "%s", why);
    return faults_fail(&f, e);
}

bool page_cursor_read(struct arena *a, const char *cursor, const char *order, const char **key,
                      struct err *e)
{
    *key = NULL;
    if (!cursor)
        return true;
    size_t len = strlen(cursor), order_len = strlen(order);
    char *plain = arena_zero(a, len + 1);
    long n = base64url_decode(cursor, len, plain, len);
    const char *end = n > 0 ? memchr(plain, '\n', (size_t)n) : NULL;
    if (!end || memchr(plain, '\0', (size_t)n))
        return refuse(a, "must be the next_cursor of a page", e);
    if ((size_t)(end - plain) != order_len || memcmp(plain, order, order_len) != 0)
        return refuse(a, "belongs to a list in another order", e);
    *key = end + 1;
    return true;
}
