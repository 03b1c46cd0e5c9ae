#include "engine/inner.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void chains_init(struct chains *ch)
{
    *ch = (struct chains){.map = map_new()};
}

void chains_release(struct chains *ch)
{
    if (!ch->map)
        return;
    size_t at = 0;
    void *c;
    while (map_next(ch->map, &at, NULL, NULL, &c))
        free(c);
    map_free(ch->map);
    *ch = (struct chains){0};
}

void chains_clear(struct chains *ch)
{
    chains_release(ch);
    chains_init(ch);
}

struct chain *chains_get(struct chains *ch, struct store *s, const char *ns, struct err *e)
{
    struct chain *c = map_get(ch->map, ns, strlen(ns));
    if (c)
        return c;
    char hash[SHA256_HEX_SIZE];
    if (!s->ops->chain(s, ns, hash, e))
        return NULL;
    c = mem_zero(1, sizeof *c);
    memcpy(c->hash, hash, sizeof hash);
    memcpy(c->committed, hash, sizeof hash);
    map_set(ch->map, ns, strlen(ns), c);
    return c;
}

void chains_move(struct chains *ch, struct chain *c, const char hash[SHA256_HEX_SIZE])
{
    memcpy(c->hash, hash, SHA256_HEX_SIZE);
    if (c->moved)
        return;
    c->moved = true;
    c->next = ch->moved;
    ch->moved = c;
}

void chains_settle(struct chains *ch, bool committed)
{
    for (struct chain *c = ch->moved; c; c = c->next) {
        memcpy(committed ? c->committed : c->hash, committed ? c->hash : c->committed,
               SHA256_HEX_SIZE);
        c->moved = false;
    }
    ch->moved = NULL;
}

void chains_follow(struct chains *ch, const char *ns, const char hash[SHA256_HEX_SIZE])
{
    struct chain *c = map_get(ch->map, ns, strlen(ns));
    if (!c)
        return; /* it is read when it is needed */
    memcpy(c->hash, hash, SHA256_HEX_SIZE);
    memcpy(c->committed, hash, SHA256_HEX_SIZE);
}
