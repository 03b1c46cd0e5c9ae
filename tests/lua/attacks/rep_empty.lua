-- Lua's own never ends here, though the result is empty.
-- expect: ok
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    local s = string.rep('', 9007199254740992) return 'on'
  end,
}
