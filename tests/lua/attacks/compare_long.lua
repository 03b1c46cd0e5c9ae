-- Compares long equal texts: much work, few steps.
-- expect: limit
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    local a = string.rep('a', 60000) a = a .. a .. a .. a .. a local b = a .. 'b' a = a .. 'a' while true do local _ = a < b end
  end,
}
