-- Patterns of env.glob that make it go back.
-- expect: limit
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    local s = string.rep('a', 60000) local p = string.rep('*a', 20000) .. 'b' while true do env.glob(s, p) end
  end,
}
