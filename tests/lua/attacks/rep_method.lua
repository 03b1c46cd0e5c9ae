-- Past a capped global by way of the method.
-- expect: error
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    return ('x'):rep(1000000000)
  end,
}
