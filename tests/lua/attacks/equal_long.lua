-- The same with equality.
-- expect: limit
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    local a = string.rep('a', 60000) a = a .. a .. a .. a local b = 'b' .. a a = a .. 'b' while true do local _ = a == b end
  end,
}
