-- Changes the flag.
-- expect: error
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    flag.params.percent = 100
  end,
}
