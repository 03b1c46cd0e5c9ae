-- The order function grows the list.
-- expect: limit
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    local t = { 1, 2, 3 } table.sort(t, function() t[#t + 1] = 1 while true do t[#t + 1] = 1 end end)
  end,
}
