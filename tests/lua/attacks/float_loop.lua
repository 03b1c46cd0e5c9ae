-- A loop whose step vanishes.
-- expect: limit
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    for i = 1, math.huge do end
  end,
}
