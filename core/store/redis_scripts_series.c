/* What is carried out on series. */
#include "store/redis_scripts_impl.h"

/* Where records of a series lie, by its hash tag (redis_tag()). */
#define SERIES_LIB                                                            \
    "local function places(key, tag)\n"                                       \
    "  return 'paddock:{'..tag..'}:i:'..key, 'paddock:{'..tag..'}:d:'..key\n" \
    "end\n"

/* True: nothing is left of it. */
#define SERIES_TRIM                                                          \
    "local function trim(key, tag, before)\n"                                \
    "  local I, D = places(key, tag)\n"                                      \
    "  local gone = redis.call('zrangebylex', I, '-', '('..before)\n"        \
    "  for i = 1, #gone, 500 do\n"                                           \
    "    redis.call('hdel', D, unpack(gone, i, math.min(i + 499, #gone)))\n" \
    "  end\n"                                                                \
    "  redis.call('zremrangebylex', I, '-', '('..before)\n"                  \
    "  return redis.call('zcard', I) == 0\n"                                 \
    "end\n"

/* me, '1': only the decider may; how many records, and key, place (time and id), data of each; how
 * many trims, and key and place; how many marks, and name and value. */
const char REDIS_APPEND[] = FENCE TAKE SERIES_LIB SERIES_TRIM
    "local call, last = redis.call, nil\n"
    "local function tag_of(key) return string.match(key, '[^/]*$') end\n"
    "if take() == '1' and call('get', P..'decider') ~= ARGV[1] then return 0 end\n"
    "for _ = 1, tonumber(take()) do\n"
    "  local key, place, data = take(), take(), take()\n"
    "  local I, D = places(key, tag_of(key))\n"
    "  call('zadd', I, 0, place)\n"
    "  call('hset', D, place, data)\n"
    "  if key ~= last then call('zadd', P..'series', 0, key) last = key end\n"
    "end\n"
    "local function cut(key, before)\n"
    "  if trim(key, tag_of(key), before) then call('zrem', P..'series', key) end\n"
    "end\n"
    "for _ = 1, tonumber(take()) do\n"
    "  local key, before = take(), take()\n"
    "  if string.sub(key, -1) ~= '*' then cut(key, before) else\n"
    "    local from = string.sub(key, 1, -2)\n"
    "    local all = call('zrangebylex', P..'series', '['..from, '['..from..'\\255')\n"
    "    for _, covered in ipairs(all) do cut(covered, before) end\n"
    "  end\n"
    "end\n"
    "for _ = 1, tonumber(take()) do\n"
    "  local name, value = take(), take()\n"
    "  call('hset', P..'marks', name, value)\n"
    "end\n"
    "return 1\n";

/* On a Cluster an append is three steps, since series and what stands over them are in many slots.
 *
 * The first one, in the control plane's: me, '1': only the decider may; the greatest writer's
 * number and term that this node was refused for; how many series get records, and their keys; how
 * many trims, and their keys. Answers '' if another decides; else the number of this append, that
 * of this start as a writer, the decider's term ('0': it does not matter), and of each series that
 * is trimmed its key and which trim it was (from 0). Such a series is marked with the number of the
 * append, so that the last step sees whether it got records from somebody meanwhile. */
const char REDIS_APPEND_BEGIN[] =
    FENCE TAKE "local call, M, W, term = redis.call, P..'meta', P..'writers', '0'\n"
               "local duty, least, least_term = take(), tonumber(take()), tonumber(take())\n"
               "local function raise(field, to)\n"
               "  if tonumber(call('hget', M, field) or '0') < to then\n"
               "    call('hset', M, field, string.format('%.0f', to)) end\n"
               "end\n"
               "if duty == '1' then\n"
               "  if call('get', P..'decider') ~= ARGV[1] then return {''} end\n"
               "  raise('terms', least_term)\n"
               "  term = call('hget', M, 'terms') or '0'\n"
               "end\n"
               "local who = string.match(ARGV[1], '^[^/]*')\n"
               "local start, writer = string.match(call('hget', W, who) or '', '^(.*) (%d+)$')\n"
               "if start ~= ARGV[1] or tonumber(writer) <= least then\n"
               "  raise('writers', least)\n"
               "  writer = string.format('%.0f', call('hincrby', M, 'writers', 1))\n"
               "  call('hset', W, who, ARGV[1]..' '..writer)\n"
               "end\n"
               "local number = string.format('%.0f', call('hincrby', M, 'appends', 1))\n"
               "local all = {number, writer, term}\n"
               "for _ = 1, tonumber(take()) do call('zadd', P..'series', 0, take()) end\n"
               "for i = 0, tonumber(take()) - 1 do\n"
               "  local key = take()\n"
               "  local covered = {key}\n"
               "  if string.sub(key, -1) == '*' then\n"
               "    local from = string.sub(key, 1, -2)\n"
               "    covered = call('zrangebylex', P..'series', '['..from, '['..from..'\\255')\n"
               "  end\n"
               "  for _, name in ipairs(covered) do\n"
               "    call('hset', P..'series:trimmed', name, number)\n"
               "    all[#all + 1] = name\n"
               "    all[#all + 1] = tostring(i)\n"
               "  end\n"
               "end\n"
               "return all\n";

/* The second, in the slot of each tag: me, the number of this start, the decider's term, the tag,
 * how many records, and key, place, data of each; how many trims, and key and place. Whether this
 * start of the node holds its lease cannot be asked here, nor who decides: who comes late, and
 * would write over what a later start or a later decider has written, is refused by what that one
 * left here. Answers 'writer' or 'term' and what is left here, if it is such a one; else '1' and of
 * each trim '1': nothing is left of it. */
const char REDIS_APPEND_PART[] = TAKE SERIES_LIB SERIES_TRIM
    "local call, writer, term, tag = redis.call, take(), take(), take()\n"
    "local G, who = 'paddock:{'..tag..'}:writers', string.match(ARGV[1], '^[^/]*')\n"
    "local last, last_term = call('hget', G, who) or '0', call('hget', G, '#') or '0'\n"
    "if tonumber(last) > tonumber(writer) then return {'writer', last} end\n"
    "if term ~= '0' and tonumber(last_term) > tonumber(term) then return {'term', last_term} end\n"
    "call('hset', G, who, writer)\n"
    "if term ~= '0' then call('hset', G, '#', term) end\n"
    "call('pexpire', G, 86400000)\n"
    "for _ = 1, tonumber(take()) do\n"
    "  local key, place, data = take(), take(), take()\n"
    "  local I, D = places(key, tag)\n"
    "  call('zadd', I, 0, place)\n"
    "  call('hset', D, place, data)\n"
    "end\n"
    "local all = {'1'}\n"
    "for _ = 1, tonumber(take()) do\n"
    "  local key, before = take(), take()\n"
    "  all[#all + 1] = trim(key, tag, before) and '1' or '0'\n"
    "end\n"
    "return all\n";

/* The last, in the control plane's slot, when all of the second were carried out: me, '1': only the
 * decider may; the number of this append, how many series got records, and their keys; how many
 * were trimmed, and key, '1': nothing is left of it; how many marks, and name and value. Answers 0
 * if another decides. */
const char REDIS_APPEND_END[] =
    FENCE TAKE "local call, S, T = redis.call, P..'series', P..'series:trimmed'\n"
               "if take() == '1' and call('get', P..'decider') ~= ARGV[1] then return 0 end\n"
               "local number = take()\n"
               "for _ = 1, tonumber(take()) do\n"
               "  local key = take()\n"
               "  call('zadd', S, 0, key)\n"
               "  call('hdel', T, key)\n"
               "end\n"
               "for _ = 1, tonumber(take()) do\n"
               "  local key, empty = take(), take()\n"
               "  if call('hget', T, key) == number then\n"
               "    call('hdel', T, key)\n"
               "    if empty == '1' then call('zrem', S, key) end\n"
               "  end\n"
               "end\n"
               "for _ = 1, tonumber(take()) do\n"
               "  local name, value = take(), take()\n"
               "  call('hset', P..'marks', name, value)\n"
               "end\n"
               "return 1\n";

/* me, key, its tag, first and last place, how many, '1': newest first. Answers place, data, place,
 * data. */
const char REDIS_READ[] = TAKE SERIES_LIB
    "local I, D = places(take(), take())\n"
    "local low, high, limit, newest = take(), take(), take(), take()\n"
    "local list\n"
    "if newest == '1' then list = redis.call('zrevrangebylex', I, high, low, 'limit', 0, limit)\n"
    "else list = redis.call('zrangebylex', I, low, high, 'limit', 0, limit) end\n"
    "if #list == 0 then return {} end\n"
    "local data, all = redis.call('hmget', D, unpack(list)), {}\n"
    "for i = 1, #list do all[2 * i - 1] = list[i] all[2 * i] = data[i] or '' end\n"
    "return all\n";
