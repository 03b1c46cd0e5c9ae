-- Never true.
-- expect: limit
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    repeat until false
  end,
}
