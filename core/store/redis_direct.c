#include "store/redis.h"

#include "base/ids.h"
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define WAIT_S 5

static const struct timeval WAIT = {.tv_sec = WAIT_S};

void direct_close(struct redis *s)
{
    if (s->direct)
        redisFree(s->direct);
    s->direct = NULL;
}

static redisReply *replied(struct redis *s, redisReply *r, struct err *e)
{
    const bool hangs = !r && s->direct && s->direct->err == REDIS_ERR_IO &&
                       (errno == EAGAIN || errno == ETIMEDOUT);
    if (hangs)
        atomic_fetch_add(&s->hangs, 1); /* so will the links, and need not find out by waiting */
    if (!r) {
        fail(e, &ERR_IO, "Redis at %s: %s", s->place,
             hangs       ? "it does not answer"
             : s->direct ? s->direct->errstr
                         : "no connection");
        direct_close(s);
        return NULL;
    }
    if (r->type != REDIS_REPLY_ERROR)
        return r;
    cluster_redirects(s, r, &s->direct_to);
    redis_refused(r, e);
    freeReplyObject(r);
    return NULL;
}

redisReply *direct_command(struct redis *s, struct err *e, const char *format, ...)
{
    va_list ap;
    redisReply *r = NULL;
    if (s->direct) {
        va_start(ap, format);
        r = redisvCommand(s->direct, format, ap);
        va_end(ap);
    }
    return replied(s, r, e);
}

redisReply *direct_words(struct redis *s, int n, const char **words, const size_t *lens,
                         struct err *e)
{
    return replied(s, s->direct ? redisCommandArgv(s->direct, n, words, lens) : NULL, e);
}

redisReply *direct_next(struct redis *s, struct err *e)
{
    void *r = NULL;
    if (s->direct && redisGetReply(s->direct, &r) != REDIS_OK)
        r = NULL;
    return replied(s, r, e);
}

static bool said_ok(redisReply *r)
{
    if (r)
        freeReplyObject(r);
    return r != NULL;
}

/* A connection that is let in. */
static bool dial(struct redis *s, const struct redis_place *to, struct err *e)
{
    const struct redis_url *u = &s->url;
    direct_close(s);
    s->direct_to = *to;
    s->direct = *to->host ? redisConnectWithTimeout(to->host, to->port, WAIT)
                          : redisConnectUnixWithTimeout(u->path, WAIT);
    if (!s->direct || s->direct->err) {
        fail(e, &ERR_IO, "cannot connect to Redis at %s: %s", s->place,
             s->direct ? s->direct->errstr : "no memory");
        direct_close(s);
        return false;
    }
    bool good = redisSetTimeout(s->direct, WAIT) == REDIS_OK;
    if (good && *u->password)
        good = said_ok(*u->user ? direct_command(s, e, "AUTH %s %s", u->user, u->password)
                                : direct_command(s, e, "AUTH %s", u->password));
    good = good && said_ok(direct_command(s, e, "SELECT %d", u->db));
    if (!good)
        direct_close(s);
    return good;
}

bool direct_connect(struct redis *s, struct err *e)
{
    const unsigned hangs = atomic_load(&s->hangs);
    struct redis_place to;
    redis_master(s, &to);
    if (s->direct_to.turn != to.turn)
        direct_close(s);
    /* One that Redis closed meanwhile is found out, and closed, by asking. Where one hangs another
     * would, too, and whoever waits has waited long enough. */
    if (s->direct && said_ok(direct_command(s, e, "PING")))
        return true;
    return atomic_load(&s->hangs) == hangs && dial(s, &to, e);
}

bool direct_each_master(struct redis *s, bool (*each)(struct redis *s, void *ctx, struct err *e),
                        void *ctx, struct err *e)
{
    struct redis_place masters[CLUSTER_MASTERS_MAX], control;
    if (!s->cluster)
        return each(s, ctx, e);
    size_t n = cluster_masters(s, masters);
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++)
        ok = dial(s, &masters[i], e) && each(s, ctx, e);
    redis_master(s, &control);
    return ok && dial(s, &control, e);
}

/* --- what is asked at the start --- */

/* The value of a line "name:value" of INFO. */
static bool info(const char *text, const char *name, char *out, size_t size)
{
    size_t len = strlen(name);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, len) == 0 && line[len] == ':') {
            line += len + 1;
            snprintf(out, size, "%.*s", (int)strcspn(line, "\r\n"), line);
            return true;
        }
    }
    return false;
}

static bool check_server(struct redis *s, struct err *e)
{
    char version[32], mode[32], role[32];
    redisReply *r = direct_command(s, e, "INFO");
    if (!r)
        return false;
    bool read =
        r->type == REDIS_REPLY_STRING && info(r->str, "redis_version", version, sizeof version) &&
        info(r->str, "redis_mode", mode, sizeof mode) && info(r->str, "role", role, sizeof role);
    freeReplyObject(r);
    if (!read)
        return fail(e, &ERR_CONFIG, "%s does not say what it is: no Redis?", s->place);
    char *end;
    long major = strtol(version, &end, 10), minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
    if (major < 6 || (major == 6 && minor < 2))
        return fail(e, &ERR_CONFIG, "Redis at %s is %s: 6.2 is the oldest that will do", s->place,
                    version);
    if (strcmp(mode, s->cluster ? "cluster" : "standalone") != 0)
        return fail(e, &ERR_CONFIG, "Redis at %s runs as %s: name it by %s", s->place, mode,
                    strcmp(mode, "cluster") == 0      ? "redis+cluster://"
                    : strcmp(mode, "standalone") == 0 ? "redis://"
                                                      : "the Redis, not what watches it");
    if (strcmp(role, "master") != 0)
        return fail(e, &ERR_CONFIG, "Redis at %s is a replica: name its master", s->place);
    log_event(LOG_INFO, "redis_version", "\"version\":\"%s\"", version);
    return true;
}

/* What CONFIG GET says; "" if it may not be asked. */
static bool setting(struct redis *s, const char *name, char *out, size_t size)
{
    struct err e;
    redisReply *r = direct_command(s, &e, "CONFIG GET %s", name);
    *out = '\0';
    if (r && r->type == REDIS_REPLY_ARRAY && r->elements == 2)
        snprintf(out, size, "%s", r->element[1]->str);
    if (r)
        freeReplyObject(r);
    return s->direct != NULL;
}

static bool check_settings(struct redis *s, void *accepts_loss, struct err *e)
{
    const bool accept_loss = *(const bool *)accepts_loss;
    static const struct {
        const char *name, *want;
    } SETTINGS[] = {
        {"appendonly", "yes"},
        {"appendfsync", "always"},
        {"maxmemory-policy", "noeviction"},
    };
    char is[64], which[300] = "";
    if (s->cluster)
        snprintf(which, sizeof which, " (%s:%d)", s->direct_to.host, s->direct_to.port);
    for (size_t i = 0; i < sizeof SETTINGS / sizeof *SETTINGS; i++) {
        if (!setting(s, SETTINGS[i].name, is, sizeof is))
            return fail(e, &ERR_IO, "Redis at %s went away", s->place);
        if (strcmp(is, SETTINGS[i].want) == 0)
            continue;
        struct err why = {0};
        fail(&why, &ERR_CONFIG,
             "Redis at %s%s has %s %s instead of %s, so it may lose what was acknowledged: change "
             "it, or give --redis-accept-loss",
             s->place, which, SETTINGS[i].name, *is ? is : "(not told)", SETTINGS[i].want);
        if (!accept_loss) {
            *e = why;
            return false;
        }
        log_text(LOG_WARN, "redis_may_lose", why.detail);
    }
    return true;
}

/* The layout of what is stored there; put there at the first start. Of format 1 was what versions
 * wrote that had Redis to themselves; these refuse what says 2. */
#define FORMAT "2"

static bool check_format(struct redis *s, bool read_only, struct err *e)
{
    char life[ULID_SIZE];
    redisReply *r = direct_command(s, e, "HGET %s format", REDIS_CONTROL "meta");
    if (!r)
        return false;
    bool nothing = r->type == REDIS_REPLY_NIL;
    bool known =
        r->type == REDIS_REPLY_STRING && (strcmp(r->str, FORMAT) == 0 || strcmp(r->str, "1") == 0);
    freeReplyObject(r);
    if (nothing && read_only)
        return fail(e, &ERR_CONFIG, "there is no store in Redis at %s", s->place);
    if (!nothing && !known)
        return fail(e, &ERR_CONFIG, "what is stored in Redis at %s was made by a newer version",
                    s->place);
    ulid_make(clock_wall_ms(&CLOCK_SYSTEM), life);
    return read_only ||
           said_ok(direct_command(s, e, "HSETNX %s life %s", REDIS_CONTROL "meta", life));
}

bool direct_check(struct redis *s, const struct redis_settings *settings, struct err *e)
{
    bool accept_loss = settings->accept_loss;
    return check_server(s, e) &&
           (settings->read_only || direct_each_master(s, check_settings, &accept_loss, e)) &&
           check_format(s, settings->read_only, e);
}

bool direct_take_lease(struct redis *s, struct err *e)
{
    int64_t asked = clock_mono_ns(&CLOCK_SYSTEM);
    long long now = clock_wall_ms(s->clock);
    char report[128];
    snprintf(report, sizeof report, "%lld %lld 0 %s - -", now, (long long)s->started_ms,
             *s->version ? s->version : "-");
    redisReply *r =
        direct_command(s, e, "EVAL %s 1 %s %s %d 1 %s %s %lld", REDIS_SCRIPTS[SCRIPT_NODE],
                       REDIS_GATE, s->me, REDIS_LEASE_MS, "", report, now);
    bool ours = r && node_leased(s, asked, r, e);
    if (r)
        freeReplyObject(r);
    return ours;
}

/* Not before the lease is held: who is refused beside a node of an older version must not keep that
 * one from starting again. */
bool direct_put_format(struct redis *s, struct err *e)
{
    return said_ok(direct_command(s, e, "HSET %s format " FORMAT, REDIS_CONTROL "meta"));
}

/* As of when the lease was asked for last, so ask again. */
bool direct_alone(struct redis *s, struct err *e)
{
    return direct_take_lease(s, e) &&
           (!node_others(s) ||
            fail(e, &ERR_CONFIG, "other nodes work on Redis at %s; nothing was changed", s->place));
}

void direct_give_lease(struct redis *s)
{
    struct err e;
    said_ok(
        direct_command(s, &e, "EVAL %s 1 %s %s", REDIS_SCRIPTS[SCRIPT_LEAVE], REDIS_GATE, s->me));
}
