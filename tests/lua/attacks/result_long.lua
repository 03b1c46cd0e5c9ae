-- A reason of many bytes is cut.
-- expect: ok
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    return 'on', string.rep('r', 60000)
  end,
}
