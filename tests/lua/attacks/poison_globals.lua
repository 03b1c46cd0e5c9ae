-- Defines a global.
-- expect: error
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    leak = 1
  end,
}
