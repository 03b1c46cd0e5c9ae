#include "registry/pack.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void pack_want(struct pack *p, struct slice literal)
{
    if (slice_is_string(literal))
        p->need += literal.len - 1; /* unescaping never makes it longer; a NUL for the two quotes */
}

void pack_want_raw(struct pack *p, size_t len)
{
    p->need += len + 1;
}

void *pack_open(struct pack *p, size_t size)
{
    char *block = mem_alloc(size + p->need);
    memset(block, 0, size);
    p->at = block + size;
    return block;
}

const char *pack_text(struct pack *p, struct slice literal)
{
    if (!slice_is_string(literal))
        return NULL;
    char *text = p->at;
    p->at += slice_unescape(literal, text) + 1;
    return text;
}

const char *pack_raw(struct pack *p, const char *text, size_t len)
{
    char *copy = p->at;
    memcpy(copy, text, len);
    copy[len] = '\0';
    p->at += len + 1;
    return copy;
}

const char *slice_intern(struct slice literal, struct intern *names)
{
    if (!slice_is_string(literal))
        return NULL;
    char small[512], *text = literal.len <= sizeof small ? small : mem_alloc(literal.len);
    slice_unescape(literal, text);
    const char *shared = intern(names, text);
    if (text != small)
        free(text);
    return shared;
}

bool slice_time(struct slice s, int64_t *out)
{
    *out = 0;
    if (!s.at || slice_is(s, "null"))
        return true;
    return slice_is_string(s) && time_parse(s.at + 1, s.len - 2, out);
}
