-- Sorts long texts that differ at the end.
-- expect: limit
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    local t, s = {}, string.rep('a', 30000) for i = 1, 12 do t[i] = s .. i end while true do table.sort(t) end
  end,
}
