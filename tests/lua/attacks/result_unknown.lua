-- A variant that does not exist.
-- expect: error
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    return 'maybe'
  end,
}
