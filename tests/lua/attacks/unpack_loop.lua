-- As many results as are allowed, for ever.
-- expect: limit
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    local t = {} for i = 1, 200 do t[i] = i end while true do local _ = select('#', table.unpack(t)) end
  end,
}
