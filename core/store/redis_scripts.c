#include "store/redis_scripts.h"

/* Numbers of 64 bits stay texts, since Lua's numbers here are doubles. Arguments are taken one
 * after the other: how many follow stands before them. */

#define PREFIX "local P = '" REDIS_CONTROL "'\n"
#define FENCE                                           \
    PREFIX                                              \
    "if redis.call('get', P..'node') ~= ARGV[1] then\n" \
    "  return redis.error_reply('NODE this node does not hold the lease') end\n"
#define TAKE         \
    "local at = 1\n" \
    "local function take() at = at + 1 return ARGV[at] end\n"

/* Expiring keys: a value, a counter, and when it ends. */
#define KEYS_LIB                                                                              \
    "local V, N, X = P..'keys', P..'keys:number', P..'keys:expire'\n"                         \
    "local function drop(k)\n"                                                                \
    "  redis.call('hdel', V, k) redis.call('hdel', N, k) redis.call('zrem', X, k)\n"          \
    "end\n"                                                                                   \
    "local function put(k, v, expires)\n"                                                     \
    "  redis.call('hset', V, k, v) redis.call('hdel', N, k)\n"                                \
    "  redis.call('zadd', X, expires, k)\n"                                                   \
    "end\n"                                                                                   \
    "local function purge(now)\n"                                                             \
    "  for _, k in ipairs(redis.call('zrangebyscore', X, '-inf', now, 'limit', 0, 100)) do\n" \
    "    drop(k)\n"                                                                           \
    "  end\n"                                                                                 \
    "end\n"

/* Where records of a series lie: the last part of its name (the model) is the hash tag. */
#define SERIES_LIB                                                            \
    "local function places(key)\n"                                            \
    "  local tag = string.match(key, '[^/]*$')\n"                             \
    "  return 'paddock:{'..tag..'}:i:'..key, 'paddock:{'..tag..'}:d:'..key\n" \
    "end\n"

/* me, what all of this data directory's starts begin with, ttl, '1': this is a start, which may
 * take it over from an earlier one of the same directory; else it is kept, and must not have been
 * anybody else's meanwhile, nor Redis have lost that it was ours. Answers '' or who has it. */
static const char NODE[] = PREFIX
    "local starts = ARGV[4] == '1'\n"
    "local is, last = redis.call('get', P..'node'), redis.call('hget', P..'meta', 'holder')\n"
    "local earlier = is and string.sub(is, 1, #ARGV[2]) == ARGV[2]\n"
    "if is and is ~= ARGV[1] and not (earlier and starts) then return is end\n"
    "if not starts and last ~= ARGV[1] then return last or 'nobody' end\n"
    "redis.call('set', P..'node', ARGV[1], 'px', ARGV[3])\n"
    "redis.call('hset', P..'meta', 'holder', ARGV[1])\n"
    "return ''\n";

static const char LEAVE[] = FENCE "redis.call('del', P..'node')\nreturn 1\n";

/* me, head, next uid, now; then each group: numbers of expectations, rows, entries, keys, and
 * these. Answers 'moved', or a digit for each group: 1 if it was refused. */
static const char COMMIT[] = FENCE TAKE KEYS_LIB
    "local call, E, M = redis.call, P..'entities', P..'meta'\n"
    "if (call('hget', M, 'seq') or '0') ~= take() then return 'moved' end\n"
    "local uid = take()\n"
    "purge(take())\n"
    "local refused = {}\n"
    "while at < #ARGV do\n"
    "  local expects, rows = tonumber(take()), tonumber(take())\n"
    "  local entries, keys = tonumber(take()), tonumber(take())\n"
    "  local good = true\n"
    "  for _ = 1, expects do\n"
    "    local is = call('hget', E, take())\n"
    "    if (is and string.match(is, '^%d+') or '0') ~= take() then good = false end\n"
    "  end\n"
    "  for _ = 1, rows do\n"
    "    local id, value = take(), take()\n"
    "    if good and value ~= '' then call('hset', E, id, value)\n"
    "    elseif good then call('hdel', E, id) end\n"
    "  end\n"
    "  for _ = 1, entries do\n"
    "    local seq, ns, hash, text = take(), take(), take(), take()\n"
    "    if good then\n"
    "      call('hset', P..'journal', seq, text)\n"
    "      call('hset', P..'chain', ns, hash)\n"
    "      call('hset', M, 'seq', seq)\n"
    "    end\n"
    "    for _ = 1, tonumber(take()) do\n"
    "      local index = take()\n"
    "      if good then call('zadd', P..'j:'..index, seq, seq) end\n"
    "    end\n"
    "  end\n"
    "  for _ = 1, keys do\n"
    "    local k, v, expires = take(), take(), take()\n"
    "    if good then put(k, v, expires) end\n"
    "  end\n"
    "  refused[#refused + 1] = good and '0' or '1'\n"
    "end\n"
    "if tonumber(uid) > tonumber(call('hget', M, 'next_uid') or '1') then\n"
    "  call('hset', M, 'next_uid', uid)\n"
    "end\n"
    "call('hincrby', M, 'commits', 1)\n"
    "return table.concat(refused)\n";

/* me, operation, now, key, value, expires, amount. Answers whether it was there, its value and its
 * number; -1: the counter would overflow. */
static const char KEY[] = FENCE TAKE KEYS_LIB
    "local op, now, k, value, expires, amount = take(), take(), take(), take(), take(), take()\n"
    "local ends = redis.call('zscore', X, k)\n"
    "local there = ends and tonumber(ends) > tonumber(now)\n"
    "local was = {there and 1 or 0, there and redis.call('hget', V, k) or '',\n"
    "  there and redis.call('hget', N, k) or '0'}\n"
    "if op == 'get' then return was end\n"
    "purge(now)\n"
    "if op == 'put' or (op == 'new' and not there) then put(k, value, expires)\n"
    "elseif op == 'delete' then drop(k)\n"
    "elseif op == 'add' then\n"
    "  if not there then put(k, '', expires) end\n"
    "  local sum = redis.pcall('hincrby', N, k, amount)\n"
    "  if type(sum) == 'table' then return {-1, '', '0'} end\n"
    "  was[3] = redis.call('hget', N, k)\n"
    "end\n"
    "return was\n";

/* me, name, what stood there when the decision was made, what shall. Answers 0: it has changed. */
static const char LEASE[] =
    FENCE TAKE "local name, was, new = take(), take(), take()\n"
               "if (redis.call('hget', P..'leases', name) or '') ~= was then return 0 end\n"
               "redis.call('hset', P..'leases', name, new)\n"
               "return 1\n";

/* me, operation, queue, now, id, worker, until, bound, data. A job is 'number attempts worker',
 * its number the order it came in; it stands among the free or among the claimed. Answers whether
 * it was found, and what was claimed; -1: the bound is reached. */
static const char QUEUE[] =
    FENCE TAKE "local call = redis.call\n"
               "local op, Q, now, id, worker = take(), P..'q:'..take(), take(), take(), take()\n"
               "local ends, bound, data = take(), take(), take()\n"
               "local J, D, F, C = Q..':jobs', Q..':data', Q..':free', Q..':claimed'\n"
               "local function parts(job) return string.match(job, '^(%d+) (%d+) (.*)$') end\n"
               "if op == 'push' then\n"
               "  if call('hexists', J, id) == 1 then return {1} end\n"
               "  local n = call('hlen', J)\n"
               "  if n >= tonumber(bound) then return {-1, n} end\n"
               "  local number = call('hincrby', P..'meta', 'pushed', 1)\n"
               "  call('hset', J, id, number..' 0 ')\n"
               "  call('hset', D, id, data)\n"
               "  call('zadd', F, number, id)\n"
               "  return {0}\n"
               "end\n"
               "if op == 'claim' then\n"
               "  for _, late in ipairs(call('zrangebyscore', C, '-inf', now)) do\n"
               "    call('zadd', F, (parts(call('hget', J, late))), late)\n"
               "    call('zrem', C, late)\n"
               "  end\n"
               "  id = call('zrange', F, 0, 0)[1]\n"
               "  if not id then return {0} end\n"
               "  local number, attempts = parts(call('hget', J, id))\n"
               "  attempts = attempts + 1\n"
               "  call('hset', J, id, number..' '..attempts..' '..worker)\n"
               "  call('zrem', F, id)\n"
               "  call('zadd', C, ends, id)\n"
               "  return {1, id, call('hget', D, id), attempts}\n"
               "end\n"
               "local job = call('hget', J, id)\n"
               "local _, attempts, holder = parts(job or '0 0 ')\n"
               "if attempts == '0' or holder ~= worker then return {0} end\n"
               "call('zrem', F, id)\n"
               "if op == 'heartbeat' then call('zadd', C, ends, id) return {1} end\n"
               "call('zrem', C, id)\n"
               "call('hdel', J, id)\n"
               "call('hdel', D, id)\n"
               "return {1}\n";

/* me; how many records, and key, place (time and id), data of each; how many trims, and key and
 * place; how many marks, and name and value. */
static const char APPEND[] = FENCE TAKE SERIES_LIB
    "local call, last = redis.call, nil\n"
    "for _ = 1, tonumber(take()) do\n"
    "  local key, place, data = take(), take(), take()\n"
    "  local I, D = places(key)\n"
    "  call('zadd', I, 0, place)\n"
    "  call('hset', D, place, data)\n"
    "  if key ~= last then call('zadd', P..'series', 0, key) last = key end\n"
    "end\n"
    "local function trim(key, before)\n"
    "  local I, D = places(key)\n"
    "  local gone = call('zrangebylex', I, '-', '('..before)\n"
    "  for i = 1, #gone, 500 do\n"
    "    call('hdel', D, unpack(gone, i, math.min(i + 499, #gone)))\n"
    "  end\n"
    "  call('zremrangebylex', I, '-', '('..before)\n"
    "  if call('zcard', I) == 0 then call('zrem', P..'series', key) end\n"
    "end\n"
    "for _ = 1, tonumber(take()) do\n"
    "  local key, before = take(), take()\n"
    "  if string.sub(key, -1) ~= '*' then trim(key, before) else\n"
    "    local from = string.sub(key, 1, -2)\n"
    "    local all = call('zrangebylex', P..'series', '['..from, '['..from..'\\255')\n"
    "    for _, covered in ipairs(all) do trim(covered, before) end\n"
    "  end\n"
    "end\n"
    "for _ = 1, tonumber(take()) do\n"
    "  local name, value = take(), take()\n"
    "  call('hset', P..'marks', name, value)\n"
    "end\n"
    "return 1\n";

/* me, key, first and last place, how many, '1': newest first. Answers place, data, place, data. */
static const char READ[] = TAKE SERIES_LIB
    "local I, D = places(take())\n"
    "local low, high, limit, newest = take(), take(), take(), take()\n"
    "local list\n"
    "if newest == '1' then list = redis.call('zrevrangebylex', I, high, low, 'limit', 0, limit)\n"
    "else list = redis.call('zrangebylex', I, low, high, 'limit', 0, limit) end\n"
    "if #list == 0 then return {} end\n"
    "local data, all = redis.call('hmget', D, unpack(list)), {}\n"
    "for i = 1, #list do all[2 * i - 1] = list[i] all[2 * i] = data[i] or '' end\n"
    "return all\n";

/* me, index or '', first and last sequence, how many, '1': newest first. Answers how many entries
 * the index has, the journal's head, and texts; without an index nil where a sequence is not used
 * (its group was refused). */
static const char JOURNAL[] = PREFIX TAKE
    "local index, low, high = take(), tonumber(take()), tonumber(take())\n"
    "local limit, newest = tonumber(take()), take() == '1'\n"
    "local J, head = P..'journal', tonumber(redis.call('hget', P..'meta', 'seq') or '0')\n"
    "local list, total = {}, redis.call('hlen', J)\n"
    "if index ~= '' then\n"
    "  local Z = P..'j:'..index\n"
    "  total = redis.call('zcard', Z)\n"
    "  if newest then list = redis.call('zrevrangebyscore', Z, high, low, 'limit', 0, limit)\n"
    "  else list = redis.call('zrangebyscore', Z, low, high, 'limit', 0, limit) end\n"
    "else\n"
    "  high = math.min(high, head)\n"
    "  local first = newest and math.max(low, high - limit + 1) or low\n"
    "  local last = newest and high or math.min(high, low + limit - 1)\n"
    "  for seq = first, last do\n"
    "    table.insert(list, newest and 1 or #list + 1, string.format('%.0f', seq))\n"
    "  end\n"
    "end\n"
    "if #list == 0 then return {total, head} end\n"
    "local texts, all = redis.call('hmget', J, unpack(list)), {total, head}\n"
    "for i = 1, #list do all[i + 2] = texts[i] end\n"
    "return all\n";

const char *const REDIS_SCRIPTS[SCRIPTS] = {
    [SCRIPT_NODE] = NODE,     [SCRIPT_LEAVE] = LEAVE, [SCRIPT_COMMIT] = COMMIT,
    [SCRIPT_KEY] = KEY,       [SCRIPT_LEASE] = LEASE, [SCRIPT_QUEUE] = QUEUE,
    [SCRIPT_APPEND] = APPEND, [SCRIPT_READ] = READ,   [SCRIPT_JOURNAL] = JOURNAL,
};
