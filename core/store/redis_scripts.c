#include "store/redis_scripts_impl.h"

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

/* The first texts of an entry as it lies in the journal (redis_entry.c); the ninth is its hash. */
#define ENTRY_LIB                                                     \
    "local function texts(entry, n)\n"                                \
    "  local _, p = string.find(entry, '^%d+\\n%-?%d+\\n')\n"         \
    "  local all = {}\n"                                              \
    "  for i = 1, n do\n"                                             \
    "    local _, e, l = string.find(entry, '^(%-?%d+)\\n', p + 1)\n" \
    "    l = tonumber(l)\n"                                           \
    "    all[i] = string.sub(entry, e + 1, e + l)\n"                  \
    "    p = l < 0 and e or e + l + 1\n"                              \
    "  end\n"                                                         \
    "  return all\n"                                                  \
    "end\n"                                                           \
    "local function is_entry(seq, hash)\n"                            \
    "  local entry = redis.call('hget', P..'journal', seq)\n"         \
    "  return entry and (hash == '' or texts(entry, 9)[9] == hash)\n" \
    "end\n"

/* me, ttl, '1': this is a start, the life of the data as this node knows it, what it tells of
 * itself, the time; then what it has: the epoch, the journal's head and its hash, the place of its
 * records. A start takes the lease of its directory over from an earlier one, and gets the
 * place of the node's own records: its own; or the only one there is, when nobody else is alive; or
 * a new one. Else the lease is kept, and must not have been a later start's meanwhile, nor the data
 * another. If the data lack what the node has (a start, an entry, an epoch) they are older than
 * that: the first one to see it begins a new epoch, leaving room to what incarnations were lost.
 * Whoever comes while nobody decides is the decider from then on. Answers 'old' (a node of
 * an older version), 'displaced', 'lost', each with who is meant; or 'ok', the journal's head, who
 * decides, the life, the place, the epoch, and all nodes: name, what they tell with the head at
 * that time, and '1': alive. A worker (its name says so) has no place and never decides. */
static const char NODE[] = PREFIX ENTRY_LIB
    "local call, me, ttl, starts = redis.call, ARGV[1], ARGV[2], ARGV[3] == '1'\n"
    "local who = string.match(me, '^[^/]*')\n"
    "local M, L, S, D = P..'meta', P..'starts', P..'spaces', P..'decider'\n"
    "local is = call('get', P..'node:'..who)\n"
    "local function works(node) return string.sub(node, 1, 7) == 'worker-' end\n"
    "local function alive(node) return call('exists', P..'node:'..node) == 1 end\n"
    "local space = call('hget', S, who)\n"
    "local epoch = tonumber(call('hget', M, 'epoch') or '1')\n"
    "if not starts then\n"
    "  local last = call('hget', L, who)\n"
    "  local function later(start) return start and start > me end\n"
    "  if later(is) or later(last) or call('hget', M, 'life') ~= ARGV[4] then\n"
    "    return {'lost', is or last or 'nobody'} end\n"
    "  local had, mine = tonumber(ARGV[7]), ARGV[10]\n"
    "  if last ~= me and works(who) then call('hset', L, who, me)\n"
    "  elseif last ~= me then\n"
    "    local has = call('hget', S, '#'..mine)\n"
    "    if has and has ~= who then return {'displaced', has} end\n"
    "    local n = tonumber(call('hget', S, 'count') or '0')\n"
    "    call('hset', S, who, mine, '#'..mine, who, 'count', math.max(n, mine + 1))\n"
    "    call('hset', L, who, me)\n"
    "    space = mine\n"
    "  end\n"
    "  if had >= epoch and (had > epoch or last ~= me or\n"
    "      (ARGV[8] ~= '0' and not is_entry(ARGV[8], ARGV[9]))) then\n"
    "    epoch = had + 1\n"
    "    call('hset', M, 'epoch', epoch)\n"
    "    call('hset', M, 'next_uid', string.format('%.0f',\n"
    "      tonumber(call('hget', M, 'next_uid') or '1') + 1000000))\n"
    "  end\n"
    "end\n"
    "if starts and works(who) then\n"
    "  local old = call('get', P..'node')\n"
    "  if old then return {'old', old} end\n"
    "  call('hset', L, who, me)\n"
    "elseif starts then\n"
    "  local others = false\n"
    "  for _, node in ipairs(call('hkeys', L)) do\n"
    "    if node ~= who and alive(node) and not works(node) then others = true end\n"
    "  end\n"
    "  local old = call('get', P..'node')\n"
    "  if old then return {'old', old} end\n"
    "  local has = space and call('hget', S, '#'..space)\n"
    "  if space and has ~= who then return {'displaced', has} end\n"
    "  if not space then\n"
    "    local n = tonumber(call('hget', S, 'count') or '0')\n"
    "    space = n\n"
    "    if n == 1 and not others then space = 0 end\n"
    "    call('hset', S, who, space, '#'..space, who, 'count', math.max(n, space + 1))\n"
    "  end\n"
    "  call('hset', L, who, me)\n"
    "end\n"
    "call('set', P..'node:'..who, me, 'px', ttl)\n"
    "local head = call('hget', M, 'seq') or '0'\n"
    "local decides = call('get', D)\n"
    "local own = decides and string.sub(decides, 1, #who + 1) == who..'/'\n"
    "if not works(who) and (not decides or decides == me or (starts and own)) then\n"
    "  if decides ~= me then call('hincrby', M, 'terms', 1) end\n"
    "  call('set', D, me, 'px', ttl)\n"
    "  decides = me\n"
    "end\n"
    "call('hset', P..'nodes', who, head..' '..ARGV[5])\n"
    "local all = {'ok', head, decides or '', call('hget', M, 'life'),\n"
    "  tostring(space or 0), string.format('%.0f', epoch)}\n"
    "local list = call('hgetall', P..'nodes')\n"
    "for i = 1, #list, 2 do\n"
    "  local seen = tonumber(string.match(list[i + 1], '^%S+ (%d+)') or '0')\n"
    "  if alive(list[i]) then\n"
    "    for _, v in ipairs({list[i], list[i + 1], '1'}) do all[#all + 1] = v end\n"
    "  elseif tonumber(ARGV[6]) - seen > 86400000 then\n"
    "    call('hdel', P..'nodes', list[i])\n"
    "    if works(list[i]) then call('hdel', L, list[i]) end\n"
    "  else for _, v in ipairs({list[i], list[i + 1], '0'}) do all[#all + 1] = v end end\n"
    "end\n"
    "return all\n";

static const char LEAVE[] =
    FENCE "local who = string.match(ARGV[1], '^[^/]*')\n"
          "redis.call('del', P..'node:'..who)\n"
          "redis.call('hdel', P..'nodes', who)\n"
          "if string.sub(who, 1, 7) == 'worker-' then redis.call('hdel', P..'starts', who) end\n"
          "if redis.call('get', P..'decider') == ARGV[1] then redis.call('del', P..'decider') end\n"
          "return 1\n";

/* me, head and its hash ('': not compared), next uid, now, how ('check': nothing is written;
 * 'confirm': nothing but what replicas can confirm, who then have what was written before;
 * 'duty': only the decider may; or ''), how many keys of kept answers, and these; then each group:
 * numbers of expectations, rows, entries, keys, and these. Answers 'moved', 'deposed', 'kept' and a
 * place among the keys (from 0): that one is there already; or a digit for each group: 1 if it was
 * refused. */
static const char COMMIT[] = FENCE TAKE KEYS_LIB
    "local call, E, M = redis.call, P..'entities', P..'meta'\n"
    "local seq, hash = take(), take()\n"
    "if (call('hget', M, 'seq') or '0') ~= seq then return 'moved' end\n"
    "local at_seq, is = string.match(call('hget', M, 'head') or '', '^(%d+) (.*)$')\n"
    "if hash ~= '' and at_seq == seq and is ~= hash then return 'moved' end\n"
    "local uid, now, how = take(), take(), take()\n"
    "if how == 'duty' and call('get', P..'decider') ~= ARGV[1] then return 'deposed' end\n"
    "for i = 1, tonumber(take()) do\n"
    "  local ends = call('zscore', X, take())\n"
    "  if ends and tonumber(ends) > tonumber(now) then return 'kept'..(i - 1) end\n"
    "end\n"
    "if how == 'check' then return '' end\n"
    "if how == 'confirm' then call('hincrby', M, 'confirmed', 1) return '' end\n"
    "purge(now)\n"
    "local refused, last = {}, nil\n"
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
    "      call('hset', M, 'seq', seq, 'head', seq..' '..hash)\n"
    "      last = seq\n"
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
    "if last then call('xadd', P..'moved', 'maxlen', 1, last..'-0', 's', '') end\n"
    "return table.concat(refused)\n";

/* me, sequence and hash of an entry, how many later ones and how many bytes of them at most.
 * Answers the journal's head, the next uid, how many entries, the epoch, the head's hash, and
 * these, oldest first; then, if they reach the head, each entity that they are about and what it is
 * now ('': gone). Everything is of one moment. */
static const char TAIL[] = PREFIX TAKE ENTRY_LIB
    "local call, J, M = redis.call, P..'journal', P..'meta'\n"
    "local known, hash, most, room = take(), take(), tonumber(take()), tonumber(take())\n"
    "local seq, head = tonumber(known), tonumber(call('hget', M, 'seq') or '0')\n"
    "if seq > head or (seq > 0 and hash ~= '' and not is_entry(known, hash)) then\n"
    "  return redis.error_reply('LOST the journal has no such entry any more') end\n"
    "local last = head > 0 and call('hget', J, string.format('%.0f', head))\n"
    "local all, ids, seen = {string.format('%.0f', head), call('hget', M, 'next_uid') or '1', 0,\n"
    "  call('hget', M, 'epoch') or '1', last and texts(last, 9)[9] or ''}, {}, {}\n"
    "local function about(text)\n"
    "  local parts = texts(text, 4)\n"
    "  return parts[3]..'\\0'..parts[1]..'\\0'..parts[4]\n"
    "end\n"
    "while seq < head and all[3] < most and room > 0 do\n"
    "  seq = seq + 1\n"
    "  local text = call('hget', J, string.format('%.0f', seq))\n"
    "  if text then\n"
    "    all[#all + 1] = text\n"
    "    all[3] = all[3] + 1\n"
    "    room = room - #text\n"
    "    local id = about(text)\n"
    "    if not seen[id] then ids[#ids + 1] = id end\n"
    "    seen[id] = true\n"
    "  end\n"
    "end\n"
    "if seq < head then return all end\n"
    "for _, id in ipairs(ids) do\n"
    "  all[#all + 1] = id\n"
    "  all[#all + 1] = call('hget', P..'entities', id) or ''\n"
    "end\n"
    "return all\n";

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

/* me, operation, queue, now ('': by Redis' clock), id, worker, how long a claim is, bound, data,
 * after, to. A job is 'number attempts worker', its number the order it came in; it stands among
 * the free or among the claimed. Answers whether it was found, and what was claimed; -1: the bound
 * is reached. */
static const char QUEUE[] = FENCE TAKE
    "local call = redis.call\n"
    "local op, Q, now, id, worker = take(), P..'q:'..take(), take(), take(), take()\n"
    "local ms, bound, data, after, to = take(), take(), take(), take(), P..'q:'..take()\n"
    "local keep = take()\n"
    "local J, D, F, C = Q..':jobs', Q..':data', Q..':free', Q..':claimed'\n"
    "if now == '' then\n"
    "  local t = call('time')\n"
    "  now = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000))\n"
    "end\n"
    "local ends = string.format('%.0f', now + ms)\n"
    "local function parts(job) return string.match(job, '^(%d+) (%d+) (.*)$') end\n"
    "local function push(q, what)\n"
    "  local number = call('hincrby', P..'meta', 'pushed', 1)\n"
    "  call('hset', q..':jobs', what, number..' 0 ')\n"
    "  call('hset', q..':data', what, data)\n"
    "  call('zadd', q..':free', number, what)\n"
    "end\n"
    "if op == 'push' then\n"
    "  if call('hexists', J, id) == 1 then return {1} end\n"
    "  local n = call('hlen', J)\n"
    "  if n >= tonumber(bound) then return {-1, n} end\n"
    "  push(Q, id)\n"
    "  return {0}\n"
    "end\n"
    "if op == 'claim' then\n"
    "  for _, late in ipairs(call('zrangebyscore', C, '-inf', now)) do\n"
    "    call('zadd', F, (parts(call('hget', J, late))), late)\n"
    "    call('zrem', C, late)\n"
    "  end\n"
    "  if id == '' then\n"
    "    id = call('zrangebyscore', F, '('..after, '+inf', 'limit', 0, 1)[1]\n"
    "  end\n"
    "  local job = id and call('hget', J, id)\n"
    "  if not job then return {0} end\n"
    "  local number, attempts = parts(job)\n"
    "  attempts = attempts + 1\n"
    "  call('hset', J, id, number..' '..attempts..' '..worker)\n"
    "  call('zrem', F, id)\n"
    "  call('zadd', C, ends, id)\n"
    "  return {1, id, call('hget', D, id), attempts, number}\n"
    "end\n"
    "local number, attempts, holder = parts(call('hget', J, id) or '0 0 ')\n"
    "if attempts == '0' or holder ~= worker then return {0} end\n"
    "call('zrem', F, id)\n"
    "if op == 'heartbeat' then call('zadd', C, ends, id) return {1} end\n"
    "if op == 'move' and to == Q then\n"
    "  call('hset', D, id, data)\n"
    "  if ms ~= '0' then call('zadd', C, ends, id) return {1} end\n"
    "  call('zrem', C, id)\n"
    "  call('zadd', F, number, id)\n"
    "  call('hset', J, id, number..' '..attempts..' ')\n"
    "  return {1}\n"
    "end\n"
    "call('zrem', C, id)\n"
    "call('hdel', J, id)\n"
    "call('hdel', D, id)\n"
    "if op == 'move' then\n"
    "  call('zrem', to..':claimed', id)\n"
    "  push(to, id)\n"
    "  for _, part in ipairs({':jobs', ':data', ':free', ':claimed'}) do\n"
    "    if keep ~= '0' then call('pexpire', to..part, keep) end\n"
    "  end\n"
    "end\n"
    "return {1}\n";

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
    [SCRIPT_NODE] = NODE,
    [SCRIPT_LEAVE] = LEAVE,
    [SCRIPT_COMMIT] = COMMIT,
    [SCRIPT_KEY] = KEY,
    [SCRIPT_LEASE] = LEASE,
    [SCRIPT_QUEUE] = QUEUE,
    [SCRIPT_APPEND] = REDIS_APPEND,
    [SCRIPT_APPEND_BEGIN] = REDIS_APPEND_BEGIN,
    [SCRIPT_APPEND_PART] = REDIS_APPEND_PART,
    [SCRIPT_APPEND_END] = REDIS_APPEND_END,
    [SCRIPT_READ] = REDIS_READ,
    [SCRIPT_JOURNAL] = JOURNAL,
    [SCRIPT_TAIL] = TAIL,
    [SCRIPT_SHIP] = REDIS_SHIP,
    [SCRIPT_TIDY] = REDIS_TIDY,
    [SCRIPT_DELTAS] = REDIS_DELTAS,
    [SCRIPT_FACTS] = REDIS_FACTS,
};
