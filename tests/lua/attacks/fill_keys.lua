-- Keys without end.
-- expect: limit
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    local t, i = {}, 0 while true do i = i + 1 t['k' .. i] = i end
  end,
}
