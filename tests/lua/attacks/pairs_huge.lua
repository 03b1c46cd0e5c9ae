-- Sorts the keys of a large table for ever.
-- expect: limit
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    local t = {} for i = 1, 2000 do t['k' .. i] = i end while true do for _ in pairs(t) do break end end
  end,
}
