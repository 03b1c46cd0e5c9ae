-- An error that is nothing.
-- expect: error
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    error(nil)
  end,
}
