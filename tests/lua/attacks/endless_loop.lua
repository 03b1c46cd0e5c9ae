-- The plainest: never ends.
-- expect: limit
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    while true do end
  end,
}
