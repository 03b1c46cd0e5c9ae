-- The same with goto.
-- expect: limit
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    ::again:: goto again
  end,
}
