/* What the login may do, asked at the start: a script that is refused a command half-way leaves
 * what it has done until then, so none may be refused any. */
#include "store/redis.h"
#include "store/redis_scripts_impl.h"

#include <string.h>

/* Each command of the scripts, so that it changes nothing: on a key that is never there, or with
 * what it refuses by itself; `sadd` on one that is no set. Answers those that the login may not
 * use. Redis 6.2 and 7 say it in these words, both of commands and of keys. */
const char REDIS_RIGHTS[] = PREFIX
    "local K, all = P..'gate', {}\n"
    "local function try(...)\n"
    "  local r = redis.pcall(...)\n"
    "  if type(r) == 'table' and r.err and string.find(r.err, 'user executing the script', 1, "
    "true)\n"
    "  then all[#all + 1] = (...) end\n"
    "end\n"
    "try('del', K) try('exists', K) try('get', K) try('hdel', K, 'a') try('hexists', K, 'a')\n"
    "try('hget', K, 'a') try('hgetall', K) try('hincrby', K, 'a', 'x') try('hkeys', K)\n"
    "try('hlen', K) try('hmget', K, 'a') try('hset', K, 'a', 'b', 'c') try('pexpire', K, 1)\n"
    "try('rename', K, K) try('sadd', P..'meta', 'a') try('scard', K) try('set', K, 'a', 'xx')\n"
    "try('sismember', K, 'a') try('time') try('unlink', K)\n"
    "try('xadd', K, 'nomkstream', '*', 'a', 'b') try('xrange', K, '-', '+')\n"
    "try('xtrim', K, 'maxlen', 0) try('zadd', K, 'xx', 0, 'a') try('zcard', K)\n"
    "try('zrangebylex', K, '-', '+') try('zrangebyscore', K, 0, 1) try('zrem', K, 'a')\n"
    "try('zremrangebylex', K, '-', '+') try('zrevrangebylex', K, '+', '-')\n"
    "try('zrevrangebyscore', K, 1, 0) try('zscore', K, 'a')\n"
    "return all\n";

static bool none_refused(struct redis *s, redisReply *r, struct err *e)
{
    char which[400] = "";
    size_t used = 0;
    if (!r)
        return false;
    for (size_t i = 0; r->type == REDIS_REPLY_ARRAY && i < r->elements && used < sizeof which; i++)
        used += (size_t)snprintf(which + used, sizeof which - used, " %s", r->element[i]->str);
    freeReplyObject(r);
    return used == 0 || fail(e, &ERR_CONFIG,
                             "the login at Redis %s may not do, to keys that begin with paddock:, "
                             "what it has to:%s",
                             s->place, which);
}

/* Those that no script uses. Of WAIT only who has replicas confirm needs to know. */
static bool rest_allowed(struct redis *s, struct err *e)
{
    static const char *const COMMANDS[] = {"HSCAN " REDIS_GATE " 0", "ZRANGE " REDIS_GATE " 0 0",
                                           "XREAD STREAMS " REDIS_GATE " 0", "WAIT 0 0"};
    const size_t n = sizeof COMMANDS / sizeof *COMMANDS - (s->url.wait ? 0 : 1);
    bool good = true;
    for (size_t i = 0; good && i < n; i++) {
        redisReply *r = direct_command(s, e, COMMANDS[i]);
        good = r != NULL;
        if (r)
            freeReplyObject(r);
    }
    return good;
}

bool direct_check_rights(struct redis *s, struct err *e)
{
    char digest[64];
    redisReply *r = direct_command(s, e, "SCRIPT LOAD %s", REDIS_RIGHTS);
    if (!r)
        return false;
    snprintf(digest, sizeof digest, "%s", r->type == REDIS_REPLY_STRING ? r->str : "");
    freeReplyObject(r);
    return none_refused(s, direct_command(s, e, "EVALSHA %s 1 %s", digest, REDIS_GATE), e) &&
           none_refused(s, direct_command(s, e, "EVAL %s 1 %s", REDIS_RIGHTS, REDIS_GATE), e) &&
           rest_allowed(s, e);
}
