-- An order that never agrees with itself, for ever.
-- expect: limit
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    local t = {} for i = 1, 500 do t[i] = i end while true do table.sort(t, function() return true end) end
  end,
}
