-- The debug library.
-- expect: error
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    return debug.getregistry()
  end,
}
