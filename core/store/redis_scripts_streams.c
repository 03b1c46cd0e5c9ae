/* What nodes tell each other: the streams of each place, and the one of all. */
#include "store/redis_scripts_impl.h"

/* me, place, from, until, how many at most in the stream, how many parts, and these. Answers the
 * position that the stream reaches. What is not added writes all the same: the WAIT after it must
 * also be for what came by another connection. */
const char REDIS_SHIP[] =
    FENCE TAKE "local call, D, place = redis.call, P..'deltas', take()\n"
               "local from, till, most, parts = take(), take(), take(), tonumber(take())\n"
               "local last = call('hget', D, place) or '0'\n"
               "if parts == 0 then return last end\n"
               "if last ~= from then call('hset', D, place, last) return last end\n"
               "for i = 1, parts do\n"
               "  call('xadd', D..':'..place, till..'-'..i, 'd', take())\n"
               "end\n"
               "call('xtrim', D..':'..place, 'maxlen', most)\n"
               "call('hset', D, place, till)\n"
               "return till\n";

/* me, place, now, how long a node is waited for that does not come here. What the rows of all nodes
 * seen since then have, by their marks, leaves the streams. */
const char REDIS_TIDY[] = FENCE TAKE
    "local call, S, own = redis.call, P..'spaces', take()\n"
    "local now, wait, spaces = tonumber(take()), tonumber(take()), {}\n"
    "call('hset', P..'deltas:seen', own, string.format('%.0f', now))\n"
    "local list = call('hgetall', P..'deltas:seen')\n"
    "for i = 1, #list, 2 do\n"
    "  if now - tonumber(list[i + 1]) < wait then\n"
    "    spaces[#spaces + 1] = list[i] == '0' and '' or '.'..list[i]\n"
    "  end\n"
    "end\n"
    "for place = 0, tonumber(call('hget', S, 'count') or '0') - 1 do\n"
    "  local least\n"
    "  for _, space in ipairs(spaces) do\n"
    "    local mark = call('hget', P..'marks', 'telemetry'..space..'/taken.'..place) or '0'\n"
    "    least = math.min(least or tonumber(mark), tonumber(mark))\n"
    "  end\n"
    "  if least and least > 0 then\n"
    "    call('xtrim', P..'deltas:'..place, 'minid', string.format('%.0f', least + 1))\n"
    "  end\n"
    "end\n"
    "return '0'\n";

/* me, place and kind, from, until, now, the window's time and size, what is to be dropped (or 0),
 * how many parts, and of each its hash and itself. Answers the position that the kind reaches, how
 * many parts were left out, and since when all are known. Hashes lie in two sets, as in a node
 * (selection/outcome_window.h). */
const char REDIS_FACTS[] = FENCE TAKE
    "local call, D, field = redis.call, P..'facts', take()\n"
    "local from, till, now = take(), take(), tonumber(take())\n"
    "local window, most, drop, parts = tonumber(take()), tonumber(take()), take(), "
    "tonumber(take())\n"
    "local last, left, new, old = call('hget', D, field) or '0', 0, D..':new', D..':old'\n"
    "if drop ~= '0' then\n"
    "  call('xtrim', D..':0', 'minid', string.format('%.0f', tonumber(drop) + 1))\n"
    "  if tonumber(call('hget', D, '0') or '0') < tonumber(drop) then call('hset', D, '0', drop) "
    "end\n"
    "end\n"
    "if parts > 0 and last == from then\n"
    "  local since = tonumber(call('hget', D, 'since') or '0')\n"
    "  local over = now - since >= window\n"
    "  if window > 0 and (over or call('scard', new) >= most) then\n"
    "    if not over and call('exists', old) == 1 then call('hset', D, 'floor', since) end\n"
    "    call('del', old)\n"
    "    if call('exists', new) == 1 then call('rename', new, old) end\n"
    "    call('hset', D, 'since', string.format('%.0f', now))\n"
    "  end\n"
    "  local kept = {}\n"
    "  for i = 1, parts do\n"
    "    local hash, part = take(), take()\n"
    "    if hash ~= '' and (call('sismember', old, hash) == 1 or call('sadd', new, hash) == 0) "
    "then\n"
    "      left = left + 1\n"
    "    else kept[#kept + 1] = part end\n"
    "  end\n"
    "  if window > 0 then call('pexpire', new, string.format('%.0f', 2 * window)) end\n"
    "  if #kept > 1 then\n"
    "    local seq = string.format('%.0f', call('hincrby', D, '0', 1))\n"
    "    call('xadd', D..':0', seq..'-1', 'd', table.concat(kept))\n"
    "  end\n"
    "  call('hset', D, field, till)\n"
    "  last = till\n"
    "elseif parts > 0 then call('hset', D, field, last) end\n"
    "return {last, left, call('hget', D, 'floor') or '0'}\n";

/* me, 'deltas' or 'facts', bytes of an answer, how many places, and how far each was read. Answers
 * '1' if there is more, how many places there are, how far the stream of each reaches, then place,
 * id, part of each. */
const char REDIS_DELTAS[] = PREFIX TAKE
    "local call, all, D = redis.call, {'0'}, P..take()\n"
    "local common, room, after = D == P..'facts', tonumber(take()), {}\n"
    "local most = common and 256 or 16\n"
    "for place = 0, tonumber(take()) - 1 do after[place] = take() end\n"
    "all[2] = common and '1' or call('hget', P..'spaces', 'count') or '0'\n"
    "local last = tonumber(all[2]) - 1\n"
    "for place = 0, last do all[#all + 1] = call('hget', D, place) or '0' end\n"
    "for place = 0, last do\n"
    "  local K = D..':'..place\n"
    "  local list = call('xrange', K, '('..(after[place] or '0-0'), '+', 'count', most)\n"
    "  if #list == most then all[1] = '1' end\n"
    "  for i, entry in ipairs(list) do\n"
    "    if room <= 0 and i > 1 then all[1] = '1' break end\n"
    "    for _, v in ipairs({tostring(place), entry[1], entry[2][2]}) do all[#all + 1] = v end\n"
    "    room = room - #entry[2][2]\n"
    "  end\n"
    "end\n"
    "return all\n";
