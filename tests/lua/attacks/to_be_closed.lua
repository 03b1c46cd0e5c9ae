-- Closing needs a metatable.
-- expect: error
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    local x <close> = {} return 'on'
  end,
}
