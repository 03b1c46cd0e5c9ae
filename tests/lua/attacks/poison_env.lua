-- Changes a helper.
-- expect: error
return {
  summary = "attack",
  decide = function(flag, ctx, env)
    env.bucket = function() return 0 end
  end,
}
