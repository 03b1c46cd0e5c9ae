#include "api/precondition.h"

#include <stdbool.h>
#include <string.h>

static bool malformed(struct err *e)
{
    return fail(e, &ERR_INVALID, "must be *, or entity tags such as \"3\" parted by commas");
}

static const char *skip_space(const char *p)
{
    return p + strspn(p, " \t");
}

/* The revision a tag's text names; MATCH_NEVER if none. */
static int64_t revision_of(const char *text, size_t len)
{
    int64_t n = 0;
    if (len == 0 || len > 18 || text[0] == '0')
        return MATCH_NEVER;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return MATCH_NEVER;
        n = n * 10 + (text[i] - '0');
    }
    return n;
}

/* Read one tag at `*at`. False if there is none. */
static bool tag_read(const char **at, bool weak_counts, int64_t *revision)
{
    const char *p = *at;
    bool weak = p[0] == 'W' && p[1] == '/';
    p += weak ? 2 : 0;
    if (*p++ != '"')
        return false;
    const char *text = p;
    while (*p && *p != '"' && (unsigned char)*p > 0x20 && *p != 0x7f)
        p++;
    if (*p != '"')
        return false;
    *revision = weak && !weak_counts ? MATCH_NEVER : revision_of(text, (size_t)(p - text));
    *at = p + 1;
    return true;
}

static bool parse(const char *header, bool weak_counts, int64_t current, int64_t *demanded,
                  struct err *e)
{
    *demanded = MATCH_NOTHING_ASKED;
    if (!header)
        return true;
    const char *p = skip_space(header);
    if (*p == '*') {
        *demanded = MATCH_ANY;
        return *skip_space(p + 1) == '\0' || malformed(e);
    }
    int64_t first = MATCH_NEVER;
    bool any = false, found = false;
    while (*p) {
        if (*p == ',') { /* empty members of a list are to be borne */
            p = skip_space(p + 1);
            continue;
        }
        int64_t revision;
        if (!tag_read(&p, weak_counts, &revision))
            return malformed(e);
        any = true;
        found = found || (revision != MATCH_NEVER && revision == current);
        first = first != MATCH_NEVER ? first : revision;
        p = skip_space(p);
        if (*p && *p != ',')
            return malformed(e);
    }
    *demanded = found ? current : first;
    return any || malformed(e);
}

bool if_match_parse(const char *header, int64_t current, int64_t *demanded, struct err *e)
{
    return parse(header, false, current, demanded, e);
}

bool if_none_match_parse(const char *header, int64_t current, int64_t *unwanted, struct err *e)
{
    return parse(header, true, current, unwanted, e);
}
