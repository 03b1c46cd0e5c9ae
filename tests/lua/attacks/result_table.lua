-- A result of the wrong type.
-- expect: error
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    return {}
  end,
}
