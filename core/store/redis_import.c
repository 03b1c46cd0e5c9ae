/* Filling an empty Redis: while that goes on, "meta" says so in the field `importing`, and no node
 * starts on it. An import that was cut off leaves the field; the next one takes away what is there
 * and begins anew. */
#include "store/redis.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

#define META REDIS_CONTROL "meta"
#define PAGE 500

/* Who does not hold its lease may take nothing away: another may be filling it by now. */
#define FENCE                                                    \
    "if redis.call('get', '" REDIS_CONTROL                       \
    "node:'..string.match(ARGV[1], '^[^/]*')) ~= ARGV[1] then\n" \
    "  return redis.error_reply('NODE this node does not hold its lease') end\n"

static const char UNLINK[] =
    FENCE "for i = 1, #KEYS do redis.call('unlink', KEYS[i]) end\nreturn 1\n";
static const char FORGET[] =
    FENCE "redis.call('hdel', '" META "', 'seq', 'next_uid', 'commits', 'pushed')\nreturn 1\n";
static const char WHOLE[] = FENCE "redis.call('hdel', '" META "', 'importing')\nreturn 1\n";

static bool done(redisReply *r)
{
    if (r)
        freeReplyObject(r);
    return r != NULL;
}

static bool on_meta(struct redis *s, const char *script, struct err *e)
{
    return done(direct_command(s, e, "EVAL %s 1 %s %s", script, REDIS_GATE, s->me));
}

/* What says who is at work here. */
static bool stays(const char *key)
{
    static const char *const KEYS[] = {META, REDIS_CONTROL "nodes", REDIS_CONTROL "starts",
                                       REDIS_CONTROL "spaces", REDIS_CONTROL "decider"};
    static const char LEASES[] = REDIS_CONTROL "node:";
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++)
        if (strcmp(key, KEYS[i]) == 0)
            return true;
    return strncmp(key, LEASES, sizeof LEASES - 1) == 0;
}

/* Take away the keys of one page of a scan. */
static bool unlink_page(struct redis *s, const redisReply *keys, struct err *e)
{
    size_t n = 0, cap = keys->elements + 4;
    const char **words = calloc(cap, sizeof *words);
    size_t *lens = calloc(cap, sizeof *lens);
    char count[24];
    bool ok = words && lens;
    if (!ok)
        fail(e, &ERR_MEMORY, "no memory");
    const char *const head[] = {"EVAL", UNLINK, count};
    for (; ok && n < 3; n++)
        words[n] = head[n];
    for (size_t i = 0; ok && i < keys->elements; i++) {
        const redisReply *key = keys->element[i];
        if (stays(key->str))
            continue;
        lens[n] = (size_t)key->len;
        words[n++] = key->str;
    }
    if (ok) {
        snprintf(count, sizeof count, "%zu", n - 3);
        words[n++] = s->me;
        for (size_t i = 0; i < n; i++)
            lens[i] = lens[i] ? lens[i] : strlen(words[i]);
        ok = done(direct_words(s, (int)n, words, lens, e));
    }
    free(words);
    free(lens);
    return ok;
}

/* On a Cluster each key is in a slot of its own, where no lease is known: nothing is taken away
 * when that of this node may have ended. */
static bool unlink_each(struct redis *s, const redisReply *keys, struct err *e)
{
    const int64_t until = atomic_load(&s->leased_ns) + REDIS_LEASE_MS / 2 * 1000000LL;
    size_t n = 0;
    bool ok = clock_mono_ns(&CLOCK_SYSTEM) < until ||
              fail(e, &ERR_IO, "taking away what an import left took too long: try again");
    for (size_t i = 0; ok && i < keys->elements; i++) {
        const redisReply *key = keys->element[i];
        if (stays(key->str))
            continue;
        ok = redisAppendCommand(s->direct, "UNLINK %b", key->str, (size_t)key->len) == REDIS_OK ||
             fail(e, &ERR_MEMORY, "no memory");
        n += ok;
    }
    for (; n; n--)
        ok = done(direct_next(s, e)) && ok;
    return ok;
}

static bool wipe_one(struct redis *s, void *ctx, struct err *e)
{
    char cursor[32] = "0";
    bool ok = true;
    (void)ctx;
    do {
        redisReply *r = direct_command(s, e, "SCAN %s MATCH paddock:* COUNT %d", cursor, PAGE);
        if (!r)
            return false;
        ok = r->type == REDIS_REPLY_ARRAY && r->elements == 2 &&
             r->element[1]->type == REDIS_REPLY_ARRAY;
        if (!ok)
            redis_strange(e);
        if (ok) {
            snprintf(cursor, sizeof cursor, "%s", r->element[0]->str);
            ok = s->cluster ? unlink_each(s, r->element[1], e) : unlink_page(s, r->element[1], e);
        }
        freeReplyObject(r);
    } while (ok && strcmp(cursor, "0") != 0);
    return ok;
}

static bool wipe(struct redis *s, struct err *e)
{
    return direct_each_master(s, wipe_one, NULL, e) && on_meta(s, FORGET, e);
}

/* Is there anything of a node in it? */
static bool is_empty(struct redis *s, bool *empty, struct err *e)
{
    redisReply *r = direct_command(s, e, "EXISTS %s %s %s %s %s", REDIS_CONTROL "journal",
                                   REDIS_CONTROL "entities", REDIS_CONTROL "series",
                                   REDIS_CONTROL "marks", REDIS_CONTROL "keys");
    if (!r)
        return false;
    *empty = r->type == REDIS_REPLY_INTEGER && r->integer == 0;
    freeReplyObject(r);
    return true;
}

bool direct_check_import(struct redis *s, bool importing, struct err *e)
{
    bool empty = true;
    redisReply *r = direct_command(s, e, "HEXISTS %s importing", META);
    if (!r)
        return false;
    bool half = r->type == REDIS_REPLY_INTEGER && r->integer == 1;
    freeReplyObject(r);
    if (!importing)
        return !half || fail(e, &ERR_CONFIG,
                             "an import into Redis at %s was not finished: run paddock import "
                             "again, which begins it anew",
                             s->place);
    if (!half && (!is_empty(s, &empty, e) || !empty))
        return empty ? false
                     : fail(e, &ERR_CONFIG, "Redis at %s is not empty; nothing was changed",
                            s->place);
    if (!done(direct_command(s, e, "HSET %s importing 1", META)))
        return false;
    /* A node that starts now finds the field; one that was faster is found here. */
    if (!direct_alone(s, e)) {
        if (!half && !on_meta(s, WHOLE, &(struct err){0}))
            log_text(LOG_ERROR, "import_not_undone", s->place);
        return false;
    }
    return !half || wipe(s, e);
}

bool store_redis_imported(struct store *store, bool whole, struct err *e)
{
    struct redis *s = redis_of(store);
    if (!redis_begin(s, e))
        return false;
    return redis_end(s, (whole || wipe(s, e)) && on_meta(s, WHOLE, e));
}
