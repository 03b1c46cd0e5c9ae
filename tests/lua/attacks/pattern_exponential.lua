-- Exponential with patterns; here it is plain text.
-- expect: ok
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    local r = ('a'):rep(30):find(('a?'):rep(30) .. ('a'):rep(30)) return r and 'on' or 'off'
  end,
}
